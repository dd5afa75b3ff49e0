//! `hydroid debug`: single parts of the host, tried from outside. A line that makes no sense gets
//! a line that says so in its place; nothing ends the whole.

use crate::args::Debug;
use crate::audited::{Deed, audit};
use crate::commands::mcp;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::render::text_of;
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use hydroid_core::arguments;
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::{CallId, ComponentId, SessionId, TurnId};
use hydroid_core::ports::{CallContext, CancelFlag, SawSecret, SecretValue, Tools};
use hydroid_core::scrub::{KnownSecret, Scrubber, Tally};
use hydroid_core::tool::{ToolCall, ToolOutput};
use hydroid_wasm::egress::{Egress, EgressError, Outgoing, Target};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What is read from standard input at the most.
const MOST_INPUT: u64 = 64 << 20;

/// Requests under way at once.
const SIDE_BY_SIDE: usize = 8;

/// Runs the command.
pub(crate) async fn run(
    command: Debug,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    match command {
        Debug::Scrub { chunk, stdin_jsonl: _ } => {
            let ground = Ground::lay(environment, settings)?;
            for line in lines()? {
                terminal::print_json(&scrubbed(&ground.scrubber.current(), &line, chunk))?;
            }
            Ok(Exit::Done)
        }
        Debug::Fetch { .. } => fetch_all(&Ground::lay(environment, settings)?).await,
        Debug::Call { component, tool, arguments, json } => {
            call(&Ground::lay(environment, settings)?, &component, tool, arguments, json).await
        }
        Debug::McpClient { url, context, sessionless } => {
            let ground = Ground::lay(environment, settings)?;
            mcp::drive(&ground, &url, context.as_deref(), sessionless).await
        }
        Debug::ParseArgs => {
            let text = String::from_utf8(input()?)
                .context("standard input is not UTF-8; convert it first")?;
            match arguments::normalise(&text) {
                Ok(normalised) => {
                    terminal::print_line(&hydroid_core::harmless::json(&normalised))?;
                    Ok(Exit::Done)
                }
                Err(problem) => bail!("{problem}"),
            }
        }
    }
}

/// A line of `scrub`: a text, with secrets of its own or without.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToScrub {
    text: String,
    /// Known in place of those of the configuration.
    secrets: Option<BTreeMap<String, String>>,
}

/// The scrubbed text in the form it came in, or an object that says what is wrong with the line.
fn scrubbed(scrubber: &Scrubber, line: &[u8], chunk: Option<NonZeroUsize>) -> Value {
    if line.starts_with(b"\"") {
        return match serde_json::from_slice::<String>(line) {
            Ok(text) => Value::String(in_pieces(scrubber, &text, chunk).0),
            Err(error) => json!({ "error": format!("the line is not a JSON string: {error}") }),
        };
    }
    let ToScrub { text, secrets } = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => {
            let problem =
                format!("the line is neither a JSON string nor an object with `text`: {error}");
            return json!({ "error": problem });
        }
    };
    let own = secrets.map(|secrets| {
        let known: Vec<KnownSecret> = secrets
            .into_iter()
            .map(|(name, value)| KnownSecret { name: Some(name), value: SecretValue::new(value) })
            .collect();
        Scrubber::new(&known, &[])
    });
    let (text, tally) = match &own {
        None => in_pieces(scrubber, &text, chunk),
        Some(Ok(own)) => in_pieces(own, &text, chunk),
        Some(Err(problem)) => return json!({ "error": problem }),
    };
    json!({ "text": text, "redactions": tally.redactions, "kinds": tally.kinds })
}

/// A piece ends where its bytes do; what is left of a character goes with the next.
fn in_pieces(scrubber: &Scrubber, text: &str, chunk: Option<NonZeroUsize>) -> (String, Tally) {
    let mut stream = scrubber.stream();
    let mut out = String::new();
    let length = chunk.map_or(text.len().max(1), NonZeroUsize::get);
    let mut from = 0;
    for end in (length..text.len()).step_by(length).chain([text.len()]) {
        let to = text.floor_char_boundary(end).max(from);
        out.push_str(&stream.push(&text[from..to]));
        from = to;
    }
    out.push_str(&stream.finish());
    (out, stream.tally().clone())
}

async fn fetch_all(ground: &Ground) -> Result<Exit> {
    // A person sends these, so they are in no component's budget.
    refuse_if_stopped(&ground.paths)?;
    let egress = ground.egress(None)?;
    let any: WebRule = "GET *:*".parse().context("`GET *:*` is a rule")?;
    let grant = Grant { profiles: [Profile::Web].into(), web: vec![any], ..Grant::default() };
    let lines = lines()?;
    let mut answers =
        futures_util::stream::iter(lines.iter().map(|line| fetch(&egress, &grant, line)))
            .buffered(SIDE_BY_SIDE);
    while let Some(answer) = answers.next().await {
        terminal::print_json(&answer)?;
    }
    Ok(Exit::Done)
}

/// One GET; redirects are not followed, the body is not read.
async fn fetch(egress: &Egress, grant: &Grant, line: &[u8]) -> Value {
    let Ok(url) = std::str::from_utf8(line) else {
        return answer(&String::from_utf8_lossy(line), false, Some("the line is not UTF-8".into()));
    };
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => return answer(url, false, Some(error.to_string())),
    };
    let outgoing = Outgoing {
        target,
        method: Default::default(),
        headers: Default::default(),
        body: Default::default(),
        timeout: None,
    };
    match egress.send(&ComponentId::new("debug-fetch"), grant, outgoing, None).await {
        Ok(response) => {
            let mut value = answer(url, true, None);
            value["address"] = json!(response.address.map(|address| address.to_string()));
            value["status"] = json!(response.status);
            value
        }
        Err(error) => answer(url, passed_the_checks(&error), Some(error.to_string())),
    }
}

fn answer(url: &str, allowed: bool, reason: Option<String>) -> Value {
    json!({ "url": url, "allowed": allowed, "reason": reason, "address": null, "status": null })
}

/// True if the rules would have let the request leave.
fn passed_the_checks(error: &EgressError) -> bool {
    match error {
        EgressError::Timeout(_) | EgressError::Connection { .. } => true,
        EgressError::Url(_)
        | EgressError::NotGranted(_)
        | EgressError::Method(_)
        | EgressError::Budget { .. }
        | EgressError::Uncounted(_)
        | EgressError::Busy { .. }
        | EgressError::SpecialAddress { .. }
        // A name without an address was never checked to its end.
        | EgressError::NotFound { .. }
        | EgressError::Header { .. }
        | EgressError::Audience { .. }
        | EgressError::Place { .. }
        | EgressError::Supplied { .. }
        | EgressError::Token { .. }
        | EgressError::Stopped
        | EgressError::Unaudited
        | EgressError::Unsearched(_)
        | EgressError::Leak { .. }
        | EgressError::NotRecorded { .. }
        | EgressError::TooLarge(_) => false,
    }
}

/// One call as a turn would make it, decided by the person who typed it.
async fn call(
    ground: &Ground,
    component: &str,
    tool: String,
    arguments: String,
    as_json: bool,
) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let catalog = ground.catalog(&ground.database().await?)?;
    let call = ToolCall { id: CallId::new("debug"), name: tool, arguments };
    let checked = catalog.check(&call).map_err(usage)?;
    if checked.component.as_str() != component {
        return Err(usage(format!(
            "the tool `{}` belongs to `{}`, not to `{component}`",
            call.name, checked.component
        )));
    }
    let deed = Deed {
        action: AuditAction::CallRan,
        resource: call.name.clone(),
        component: Some(component),
        digest: None,
        command: "debug call",
    };
    audit(ground, deed).await?;
    let context = CallContext {
        user: ground.user(),
        session: SessionId::new("debug"),
        turn: TurnId::new("debug"),
        call: Some(checked.call.id.clone()),
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, note| tracing::info!(%note, "progress")),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    };
    let output = catalog.run(checked, context).await;
    let scrubber = ground.scrubber.current();
    let content =
        output.content.into_iter().map(|content| scrubber.scrub_content(content)).collect();
    let output = ToolOutput { content, is_error: output.is_error }
        .truncated(ground.config.turn.max_tool_output_chars);
    if as_json {
        terminal::print_json(&serde_json::to_value(&output)?)?;
    } else {
        terminal::print_line(&hydroid_core::harmless::harmless(&text_of(&output.content)))?;
    }
    Ok(if output.is_error { Exit::Error } else { Exit::Done })
}

/// The lines of standard input; a last line without an end counts.
fn lines() -> Result<Vec<Vec<u8>>> {
    let input = input()?;
    let mut lines: Vec<Vec<u8>> = input
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    Ok(lines)
}

fn input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MOST_INPUT + 1)
        .read_to_end(&mut bytes)
        .context("standard input cannot be read")?;
    anyhow::ensure!(
        bytes.len() as u64 <= MOST_INPUT,
        "standard input has more than {MOST_INPUT} bytes; give it in parts"
    );
    Ok(bytes)
}
