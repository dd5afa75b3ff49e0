//! `hydroid ask`: one turn, and the exit code says how it ended.

use super::model_settings;
use crate::args::Ask;
use crate::attachment;
use crate::conversation::{Conversation, Opening, Person, find_session, new_session};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::replace_private;
use crate::render::Mode;
use crate::stopped::refuse_if_stopped;
use crate::terminal::{self, Style};
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_agent::SessionChoice;
use hydroid_core::config::did_you_mean;
use hydroid_core::id::SessionId;
use hydroid_core::message::{Content, Label, Part};
use hydroid_core::policy::{BadPattern, CallPattern, PolicyRule, Rule, RuleOrigin};
use hydroid_core::ports::Journal;
use hydroid_core::recording::recording;
use hydroid_core::tool::ToolSpec;
use hydroid_memory::Database;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The provider that plays recordings.
const PLAYER: &str = "provider-replay";

/// Text that is said at once: more does not fit a model's context, and a file can be read by a
/// tool instead.
const MOST_TEXT: u64 = 1 << 20;

/// What is piped in is called in questions and to the model.
const STANDARD_INPUT: &str = "standard input";

/// Largest recording; it is handed to a component as a whole.
const MOST_RECORDING: u64 = 16 << 20;

/// Silence on standard input after which the person is told what is awaited.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the command.
pub(crate) async fn run(
    ask: Ask,
    environment: Arc<Environment>,
    mut settings: Vec<Setting>,
) -> Result<Exit> {
    settings.extend(model_settings(&ask.choice));
    if let Some(file) = &ask.replay {
        settings.extend(replay_settings(file)?);
    }
    let ground = Ground::lay(environment, &settings)?;
    refuse_if_stopped(&ground.paths)?;
    let attached = attachment::read(&ask.attach, &ground.loaded.workspace.join("vault"))?;
    let mut parts = said(&ask.text).await?;
    parts.extend(attached);
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let allow = allowed(&ground.tools(&catalog, &database)?.specs(), &ask.allow)?;
    let session = match &ask.session {
        Some(id) => SessionChoice::Existing(find_session(&database, &ground.user(), id).await?),
        None => SessionChoice::New(new_session()),
    };
    let show = match (ask.json, ask.quiet) {
        (true, _) => Mode::Json,
        (false, true) => Mode::Quiet,
        (false, false) => Mode::Text,
    };
    let agent = ground.agent(&catalog, &database).await?;
    let opening = Opening {
        user: ground.user(),
        session,
        mode: ask.mode.map_or(ground.config.policy.mode, Into::into),
        person: Person::at(ground.terminal, show),
        allow,
        show,
    };
    let mut conversation =
        Conversation::open(&agent, &ground.paths, ground.terminal, opening).await?;
    let id = conversation.id().clone();
    // What was asked before is answered before something new is said.
    let exit = match conversation.restored(None).await? {
        Some(Exit::Waiting) => Exit::Waiting,
        Some(_) | None => conversation.turn(parts).await?,
    };
    conversation.close().await;
    if let Some(file) = &ask.record {
        record(&ground, &database, &id, file).await?;
    }
    if show == Mode::Text {
        terminal::say(&ground.terminal.styled(Style::Dim, &format!("session {id}")));
    }
    Ok(exit)
}

/// What was typed, and what was piped in beside it: somebody else's text, most often, which asks
/// for nothing. Piped in alone, it is what the person says.
async fn said(words: &[String]) -> Result<Vec<Part>> {
    let typed = words.join(" ");
    let piped = if std::io::stdin().is_terminal() { String::new() } else { piped().await? };
    let length = typed.len() + piped.len();
    if length as u64 > MOST_TEXT {
        bail!(
            "the text has {length} bytes; {MOST_TEXT} are the most: put it in the workspace and let a tool read parts of it"
        );
    }
    let spoken = |text: String| Part::new(Content::text(text), Label::user());
    match (typed.trim().is_empty(), piped.trim().is_empty()) {
        (true, true) => {
            Err(usage("nothing was said; write what is to be done: `hydroid ask \"list files\"`"))
        }
        (false, true) => Ok(vec![spoken(typed)]),
        (true, false) => Ok(vec![spoken(piped)]),
        (false, false) => {
            Ok(vec![spoken(typed), Part::new(Content::text(piped), Label::file(STANDARD_INPUT))])
        }
    }
}

async fn piped() -> Result<String> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(MOST_TEXT + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    tokio::pin!(reading);
    let read = tokio::select! {
        read = &mut reading => read,
        () = tokio::time::sleep(PATIENCE) => {
            terminal::say("reading standard input until it ends; `< /dev/null` gives none");
            reading.await
        }
    };
    let bytes =
        read.context("reading failed unexpectedly")?.context("standard input cannot be read")?;
    if bytes.len() as u64 > MOST_TEXT {
        bail!(
            "standard input has more than {MOST_TEXT} bytes; put it in a file of the workspace and let a tool read parts of it"
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => bail!(
            "standard input is not UTF-8 at byte {}; convert it to UTF-8 first",
            error.utf8_error().valid_up_to()
        ),
    }
}

/// Calls that need not be asked about; a name that no tool has is a mistake.
pub(crate) fn allowed(specs: &[ToolSpec], texts: &[String]) -> Result<Vec<PolicyRule>> {
    texts.iter().map(|text| one_allowed(specs, text)).collect()
}

fn one_allowed(specs: &[ToolSpec], text: &str) -> Result<PolicyRule> {
    let calls: CallPattern = text.parse().map_err(|error: BadPattern| usage(error.to_string()))?;
    let name = text.split('(').next().unwrap_or(text).trim();
    let is_pattern = name.contains(['*', '?']);
    if !is_pattern && !specs.iter().any(|spec| spec.name == name) {
        let known = || specs.iter().map(|spec| spec.name.as_str());
        return Err(usage(format!(
            "`--allow {name}` names no tool{}; tools: {}",
            did_you_mean(name, known()),
            known().collect::<Vec<_>>().join(", ")
        )));
    }
    let rule = PolicyRule {
        effect: Rule::Allow,
        calls,
        component: None,
        host: None,
        origin: RuleOrigin::Command,
    };
    if is_pattern && !specs.iter().any(|spec| rule.calls.names(&spec.name)) {
        return Err(usage(format!("`--allow {text}` fits no tool; `*` stands for any letters")));
    }
    Ok(rule)
}

/// What makes the player answer from a file.
fn replay_settings(file: &Path) -> Result<[Setting; 3]> {
    let shown = file.display();
    let mut text = String::new();
    let opened = std::fs::File::open(file)
        .with_context(|| format!("the recording `{shown}` cannot be opened"))?;
    opened
        .take(MOST_RECORDING + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("the recording `{shown}` cannot be read"))?;
    if text.len() as u64 > MOST_RECORDING {
        bail!(
            "the recording `{shown}` has more than {MOST_RECORDING} bytes, which is more than can be played"
        );
    }
    let header: Option<serde_json::Value> = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .and_then(|line| serde_json::from_str(line).ok());
    let Some(header) = header.filter(|header| header.get("hydroid_recording").is_some()) else {
        bail!(
            "`{shown}` is not a recording; make one with `hydroid ask --record FILE` or `hydroid session export ID --format replay`"
        );
    };
    let model =
        header.get("model").and_then(serde_json::Value::as_str).unwrap_or("replay").to_owned();
    Ok([
        Setting::new("--replay", "model.provider", PLAYER),
        Setting::new("--replay", "model.name", model),
        Setting::new("--replay", &format!("components.{PLAYER}.config.recording"), text),
    ])
}

async fn record(ground: &Ground, database: &Database, id: &SessionId, file: &Path) -> Result<()> {
    let stored = database.entries(&ground.user(), id, 0).await?;
    let entries =
        ground.scrubber.current().known_entries(stored.into_iter().map(|stored| stored.entry));
    replace_private(file, recording(&entries).as_bytes())
}
