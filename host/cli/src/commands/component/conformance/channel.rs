//! The rules for channels. Services are on the tape; the inbox is the host's in its promises, and
//! in nothing else.

use super::Findings;
use crate::commands::component::trial::{Bench, Terms, Trial, context};
use anyhow::Result;
use hydroid_core::message::Content;
use hydroid_core::ports::CancelFlag;
use hydroid_wasm::channel::{
    ChannelAnswer, ChannelCall, ChannelDescription, ChannelFailure, Inbox, Received, Taken,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A call that was cancelled before it began has this long to end.
const CANCELLED_WITHIN: Duration = Duration::from_secs(2);

/// Tries every rule on a channel component.
pub(in crate::commands::component) async fn channel(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let scene = Scene { trial: &trial, terms };
    let (first, again) = (scene.started().await, scene.started().await);
    let described = match (first, again) {
        (Ok(first), Ok(again)) => {
            findings.judge(
                "it says the same of itself each time it starts",
                (first != again).then(|| "the host keeps what it was told at the start".to_owned()),
            );
            first
        }
        (Err(failure), _) | (_, Err(failure)) => {
            findings.broken("it starts and says what it is", said(&failure));
            return Ok(findings);
        }
    };
    findings.judge("what it says of itself can be so", impossible(&described));
    if described.polls {
        polls(&scene, &mut findings).await;
    }
    requests(&scene, &described, &mut findings).await;
    sends(&scene, &described, &mut findings).await;
    let small = bench.load(wasm, stem, &Terms { least_memory: true, ..terms.clone() })?;
    let small = Scene { trial: &small, terms };
    findings.judge(
        "it starts with the least memory a host gives",
        small.started().await.err().as_ref().and_then(broke),
    );
    Ok(findings)
}

struct Scene<'a> {
    trial: &'a Trial,
    terms: &'a Terms,
}

impl Scene<'_> {
    async fn asks(
        &self,
        call: ChannelCall,
        inbox: &Inbox,
    ) -> Result<ChannelAnswer, ChannelFailure> {
        self.asks_with(call, inbox, CancelFlag::default()).await
    }

    async fn asks_with(
        &self,
        call: ChannelCall,
        inbox: &Inbox,
        cancel: CancelFlag,
    ) -> Result<ChannelAnswer, ChannelFailure> {
        if let Some(tape) = &self.terms.tape {
            tape.rewind();
        }
        let Trial { catalog, loaded, .. } = self.trial;
        catalog.try_channel(loaded, call, inbox, context(cancel)).await
    }

    async fn started(&self) -> Result<ChannelDescription, ChannelFailure> {
        match self.asks(ChannelCall::Start, &Inbox::default()).await? {
            ChannelAnswer::Started(described) => Ok(described),
            other => Err(ChannelFailure::Broke(format!("{other:?}"))),
        }
    }

    /// Polls, and says what was handed in and where it goes on from.
    async fn polled(
        &self,
        cursor: Option<&str>,
        says: Taken,
    ) -> (Vec<Received>, Result<Option<String>, ChannelFailure>) {
        let inbox = Inbox::that_says(says);
        let call = ChannelCall::Poll(cursor.map(str::to_owned));
        let next = match self.asks(call, &inbox).await {
            Ok(ChannelAnswer::Cursor(next)) => Ok(next),
            Ok(other) => Err(ChannelFailure::Broke(format!("{other:?}"))),
            Err(failure) => Err(failure),
        };
        (inbox.received(), next)
    }
}

fn impossible(described: &ChannelDescription) -> Option<String> {
    if described.name.trim().is_empty() {
        return Some("`name` is empty; name the account".to_owned());
    }
    if described.max_text == 0 {
        return Some("`max-text` is 0, so nothing could be sent".to_owned());
    }
    if !described.polls && !described.is_called {
        return Some("`ingress` is a way that this host does not know".to_owned());
    }
    not_an_object(described.options_json.as_deref())
        .then(|| "`options-json` is no object".to_owned())
}

fn not_an_object(json: Option<&str>) -> bool {
    json.is_some_and(|json| !serde_json::from_str::<Value>(json).is_ok_and(|json| json.is_object()))
}

async fn polls(scene: &Scene<'_>, findings: &mut Findings) {
    let (received, next) = scene.polled(None, Taken::Kept).await;
    let next = match next {
        Ok(next) => next,
        Err(failure) => {
            findings.broken("it is asked for messages", said(&failure));
            return;
        }
    };
    findings.kept("it is asked for messages");
    findings.judge(
        "there are messages to try with",
        received.is_empty().then(|| {
            "none were handed in; record the answers of a service that has some, or write `recorded.json` by hand".to_owned()
        }),
    );
    findings.judge("messages have what the host needs of them", unfit(&received));
    if received.is_empty() {
        return;
    }
    let (later, _) = scene.polled(next.as_deref(), Taken::Kept).await;
    let key = |message: &Received| (message.conversation.clone(), message.id.clone());
    let before: BTreeSet<_> = received.iter().map(key).collect();
    findings.judge(
        "after the cursor it gave, no message is handed in again",
        later
            .iter()
            .any(|message| before.contains(&key(message)))
            .then(|| "a cursor stands behind the last message that was handed in".to_owned()),
    );
    let (_, stuck) = scene.polled(None, Taken::Failed).await;
    findings.judge(
        "what could not be kept is not passed over",
        match stuck {
            Err(ChannelFailure::Broke(problem)) => Some(problem),
            Ok(cursor) if cursor.is_some() => Some(
                "the cursor moved past it, so it would be lost; end the poll with the error"
                    .to_owned(),
            ),
            Ok(_) | Err(ChannelFailure::Said { .. }) => None,
        },
    );
    let (offered, passed) = scene.polled(None, Taken::Denied).await;
    findings.judge(
        "a sender who may not speak holds nobody up",
        match passed {
            Ok(_) if offered.len() == received.len() => None,
            Ok(_) => Some("the messages after that one were not handed in".to_owned()),
            Err(failure) => {
                Some(format!("{}; `denied` means to go on with the next message", said(&failure)))
            }
        },
    );
    let mut problems = Vec::new();
    for cursor in ["", "-1", "\u{0}", "99999999999999999999999", "{\"a\":1}"] {
        problems
            .extend(scene.polled(Some(cursor), Taken::Kept).await.1.err().as_ref().and_then(broke));
    }
    problems.dedup();
    findings.judge(
        "a cursor of somebody else breaks nothing",
        (!problems.is_empty()).then(|| problems.join("; ")),
    );
    let cancel = CancelFlag::default();
    cancel.cancel();
    let begun = Instant::now();
    let ended = scene.asks_with(ChannelCall::Poll(None), &Inbox::default(), cancel).await;
    findings.judge(
        "it ends soon when it is cancelled",
        match ended.err().as_ref().and_then(broke) {
            Some(problem) => Some(problem),
            None if begun.elapsed() > CANCELLED_WITHIN => {
                Some("ask `control.cancelled` between requests".to_owned())
            }
            None => None,
        },
    );
}

fn unfit(received: &[Received]) -> Option<String> {
    let mut seen = BTreeSet::new();
    for message in received {
        let missing = [
            ("id", &message.id),
            ("conversation", &message.conversation),
            ("sender", &message.sender),
        ];
        if let Some((what, _)) = missing.into_iter().find(|(_, text)| text.is_empty()) {
            return Some(format!("one has no `{what}`"));
        }
        if !seen.insert((&message.conversation, &message.id)) {
            return Some(format!(
                "two of `{}` have the identifier `{}`, so the host would drop the second",
                message.conversation, message.id
            ));
        }
        if not_an_object(message.details_json.as_deref()) {
            return Some("the `details-json` of one is no object".to_owned());
        }
    }
    None
}

async fn requests(scene: &Scene<'_>, described: &ChannelDescription, findings: &mut Findings) {
    let bodies = [
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        json!({ "message": { "id": -1, "text": null, "chat": [] } }).to_string().into_bytes(),
        vec![0xff; 1 << 16],
        b"[".repeat(1 << 14),
    ];
    let mut problems = Vec::new();
    let mut unverified = None;
    for body in bodies {
        for verified in [true, false] {
            let inbox = Inbox::default();
            let call =
                ChannelCall::Webhook { method: "POST".to_owned(), body: body.clone(), verified };
            match scene.asks(call, &inbox).await {
                Ok(ChannelAnswer::Response(status)) if !(100..=599).contains(&status) => {
                    problems.push(format!("it answered with the status {status}"));
                }
                Ok(_) => {}
                Err(failure) => problems.extend(broke(&failure)),
            }
            if !verified && !inbox.received().is_empty() {
                unverified = Some(
                    "a message was handed in from a request that nobody verified; look at `verified` first"
                        .to_owned(),
                );
            }
        }
    }
    problems.dedup();
    findings.judge(
        "hostile requests break nothing",
        (!problems.is_empty()).then(|| problems.join("; ")),
    );
    if described.is_called {
        findings.judge("what nobody verified is not handed in", unverified);
    }
}

async fn sends(scene: &Scene<'_>, described: &ChannelDescription, findings: &mut Findings) {
    let inbox = Inbox::default();
    let text = |text: &str| vec![Content::text(text)];
    let sent = scene.asks(ChannelCall::Send(text("hello")), &inbox).await;
    findings.judge(
        "what it sent has an identifier, or it says why it was not sent",
        match &sent {
            Ok(ChannelAnswer::Sent(id)) if id.is_empty() => {
                Some("the identifier is empty".to_owned())
            }
            Ok(_) => None,
            Err(failure) => broke(failure),
        },
    );
    let other = Content::Other { kind: "acme/none".to_owned(), json: "{}".to_owned() };
    let hostile = [
        Vec::new(),
        text(""),
        text("\u{0}\u{202e}🦀"),
        text(&"x".repeat(1 << 20)),
        vec![Content::Json { json: json!({ "a": [null] }) }, other],
    ];
    let mut problems = Vec::new();
    for content in hostile {
        for call in
            [ChannelCall::Send(content.clone()), ChannelCall::Edit("no-such".into(), content)]
        {
            problems.extend(scene.asks(call, &inbox).await.err().as_ref().and_then(broke));
        }
    }
    problems.dedup();
    findings.judge(
        "hostile messages break nothing",
        (!problems.is_empty()).then(|| problems.join("; ")),
    );
    if !described.edits {
        let edited = scene.asks(ChannelCall::Edit("1".to_owned(), text("hello")), &inbox).await;
        findings.judge("what it does not claim is refused with `unsupported`", refused(&edited));
    }
    let action = scene.asks(ChannelCall::Action("no-such-action".to_owned()), &inbox).await;
    findings.judge("an action that is not there is refused with `unsupported`", refused(&action));
    findings.judge(
        "messages are handed in only when it is asked for them",
        (!inbox.received().is_empty()).then(|| "one was handed in while it sent".to_owned()),
    );
}

fn refused(answer: &Result<ChannelAnswer, ChannelFailure>) -> Option<String> {
    match answer {
        Err(ChannelFailure::Said { kind: "unsupported", .. }) => None,
        Err(failure) => Some(said(failure)),
        Ok(_) => Some("it said that it is done".to_owned()),
    }
}

fn said(failure: &ChannelFailure) -> String {
    match failure {
        ChannelFailure::Said { kind, message } => format!("{kind}: {message}"),
        ChannelFailure::Broke(problem) => problem.clone(),
    }
}

/// A defect, and not an error that says what is wrong.
fn broke(failure: &ChannelFailure) -> Option<String> {
    match failure {
        ChannelFailure::Said { kind: "internal", message } => {
            Some(format!("{message}; `internal` is for defects, say what is wrong with what came"))
        }
        ChannelFailure::Said { .. } => None,
        ChannelFailure::Broke(problem) => Some(problem.clone()),
    }
}
