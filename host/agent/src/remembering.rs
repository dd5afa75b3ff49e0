//! What is handed to a model beside a message of the person: what fits in their notes, files and
//! earlier conversations, looked for once. It is data with a label and never an order; what it
//! cannot do in time is left out, and the turn goes on.

use crate::sessions::AgentParts;
use crate::settings::MAIN_AGENT;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::message::{Content, Label, Part, Source};
use hydroid_core::ports::{Hit, Origin, Question, Scope, Scopes};
use hydroid_core::prompt::PERSONAL_FILES;
use hydroid_core::retrieval::words::is_about;
use hydroid_core::telemetry::Trace;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// How long a turn may wait for it.
const PATIENCE: Duration = Duration::from_secs(4);

/// Hits that are looked at.
const LOOKED_AT: u32 = 12;

/// Characters of the person's message that are looked for.
const MOST_ASKED: usize = 2_000;

/// Characters of one hit.
const MOST_OF_ONE: usize = 500;

/// Characters of a token, as `core::context` estimates them.
const CHARACTERS_PER_TOKEN: usize = 4;

/// A hit that shares no word with the message must mean the same by at least this cosine.
const LEAST_ALIKE: f64 = 0.36;

/// What fits to what the person said; nothing if that is switched off, or nothing fits.
pub(crate) async fn recalled(
    agent: &AgentParts,
    (user, session): (&UserId, &SessionId),
    said: &[Part],
    trace: &Trace,
) -> Vec<Part> {
    let settings = &agent.config.memory;
    let asked = asked(said);
    if !settings.recall || settings.recall_tokens == 0 || asked.trim().is_empty() {
        return Vec::new();
    }
    let own = [Scope::Agent(MAIN_AGENT.to_owned()), Scope::Session(session.clone())];
    let question = Question {
        words: asked.clone(),
        limit: LOOKED_AT,
        not_of: Some(session.clone()),
        scopes: Scopes::Of(BTreeSet::from(own)),
        now_ms: Some(agent.clock.now_ms()),
        vouch: true,
        trace: Some(trace.clone()),
        ..Question::default()
    };
    let found = tokio::time::timeout(PATIENCE, agent.recall.search(user, question)).await;
    let hits = match found {
        Ok(Ok(hits)) => hits,
        Ok(Err(error)) => {
            tracing::warn!(%session, %error, "nothing could be recalled");
            return Vec::new();
        }
        Err(_) => {
            tracing::warn!(%session, "recalling took too long");
            return Vec::new();
        }
    };
    let most = settings.recall_tokens as usize * CHARACTERS_PER_TOKEN;
    shown(hits.into_iter().filter(|hit| fits(hit, &asked)), most)
}

/// The person's own words; what they attached is not looked for.
fn asked(said: &[Part]) -> String {
    let texts = said.iter().filter_map(|part| match &part.content {
        Content::Text { text } if part.label.source == Source::User => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n").chars().take(MOST_ASKED).collect()
}

/// What a secret place holds is never handed over unasked.
fn fits(hit: &Hit, asked: &str) -> bool {
    let alike = hit.why.cosine.is_some_and(|cosine| cosine >= LEAST_ALIKE);
    // What is in the prompt as it is need not be there twice.
    let in_prompt = matches!(&hit.from, Origin::File { path, .. }
        if PERSONAL_FILES.iter().any(|name| path == &format!("/shared/{name}")));
    !hit.secret && !in_prompt && (alike || is_about(&hit.text, asked))
}

/// At most two parts: what is vouched for, and what is not. Both are fenced as data.
fn shown(hits: impl Iterator<Item = Hit>, most: usize) -> Vec<Part> {
    let mut texts = [String::new(), String::new()];
    let mut left = most;
    for hit in hits {
        let line = line(&hit);
        let length = line.chars().count() + 1;
        if length > left {
            break;
        }
        left -= length;
        let text = &mut texts[usize::from(!hit.vouched)];
        text.push_str(&line);
        text.push('\n');
    }
    let [own, other] = texts;
    let parts = [(own, true), (other, false)].into_iter().filter(|(text, _)| !text.is_empty());
    parts
        .map(|(text, own)| {
            let text = format!(
                "Found in the user's notes, files and earlier conversations, for reference; it may be out of date:\n{}",
                text.trim_end()
            );
            Part::new(Content::text(text), Label::recalled(own))
        })
        .collect()
}

fn line(hit: &Hit) -> String {
    let from = match &hit.from {
        Origin::Note { .. } => String::new(),
        Origin::Message { role, .. } => format!(", {role}"),
        // Where a file lies on this machine is nothing for a model.
        Origin::File { path, .. } => {
            let name = path.rsplit('/').next().unwrap_or_default();
            format!(", {}", if path.starts_with("/shared/") { path.as_str() } else { name })
        }
    };
    let text = hit.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shortened: String = text.chars().take(MOST_OF_ONE).collect();
    let more = if shortened.len() < text.len() { " […]" } else { "" };
    format!("- {} ({}{from}): {shortened}{more}", hit.id, day(hit.created_ms))
}

/// A day like `14 Nov 2023`.
fn day(at_ms: u64) -> String {
    /// The last second that the date below can write.
    const LAST_SECOND: u64 = 253_402_300_799;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs((at_ms / 1000).min(LAST_SECOND));
    let date = httpdate::fmt_http_date(at);
    date.split_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::message::Trust;
    use hydroid_core::ports::Why;

    fn hit(id: &str, text: &str, vouched: bool) -> Hit {
        Hit {
            id: id.into(),
            text: text.into(),
            score: 1.0,
            created_ms: 1_700_000_000_000,
            from: Origin::Note { tags: BTreeSet::new(), updated_ms: 0, own: vouched },
            secret: false,
            vouched,
            why: Why::default(),
        }
    }

    #[test]
    fn what_is_vouched_for_and_what_is_not_are_parts_of_their_own() {
        let hits = [hit("note-1", "tea\nat four", true), hit("note-2", "x", false)];
        let parts = shown(hits.into_iter(), 1_000);
        let trust: Vec<Trust> = parts.iter().map(|part| part.label.trust).collect();
        assert_eq!(trust, [Trust::Trusted, Trust::Untrusted]);
        let Content::Text { text } = &parts[0].content else { panic!() };
        assert!(text.ends_with("- note-1 (14 Nov 2023): tea at four"), "{text}");
    }

    #[test]
    fn what_is_handed_over_is_bounded_and_fits() {
        let hits = (0..9).map(|n| hit(&format!("note-{n}"), &"long ".repeat(200), true));
        let parts = shown(hits, 1_200);
        let Content::Text { text } = &parts[0].content else { panic!() };
        assert!(text.chars().count() < 1_400 && text.matches("- note-").count() == 2, "{text}");
        assert_eq!(shown([hit("note-1", &"x".repeat(900), true)].into_iter(), 100), []);
        let secret = Hit { secret: true, ..hit("note-1", "green tea", true) };
        assert!(!fits(&secret, "green tea"));
        assert!(fits(&hit("note-1", "green tea", true), "tea"));
        let alike = Why { cosine: Some(0.6), ..Why::default() };
        assert!(fits(&Hit { why: alike, ..hit("n", "a beverage", true) }, "tea"));
        assert!(!fits(&hit("n", "a beverage", true), "tea"));
    }

    #[test]
    fn where_a_file_lies_is_not_told() {
        let at = |path: &str| {
            let from = Origin::File { path: path.into(), part: 1 };
            line(&Hit { from, ..hit("file-1.1", "x", false) })
        };
        assert_eq!(at("/home/anna/notes/a.md"), "- file-1.1 (14 Nov 2023, a.md): x");
        assert_eq!(at("/shared/b/a.md"), "- file-1.1 (14 Nov 2023, /shared/b/a.md): x");
    }
}
