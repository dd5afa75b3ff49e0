//! `hydroid chat`: turn after turn in the terminal, and a few commands that begin with `/`.

use super::{cost, model_settings};
use crate::args::Chat;
use crate::conversation::{Conversation, Opening, Person, find_session, new_session};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::render::Mode;
use crate::stopped::refuse_if_stopped;
use crate::terminal::{self, Style};
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_agent::{Agent, SessionChoice};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::message::Message;
use hydroid_core::policy;
use hydroid_core::ports::Tools;
use hydroid_core::protocol::SkillOffer;
use hydroid_wasm::Catalog;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::path::PathBuf;
use std::sync::Arc;

/// Lines that are remembered.
const HISTORY: usize = 1_000;

/// What can be typed besides something to say.
const COMMANDS: [(&str, &str); 10] = [
    ("/compact", "sum up the older part of this session"),
    ("/cost", "tokens and money of this session, and of today"),
    ("/help", "this list"),
    ("/new", "begin a new session"),
    ("/quit", "end, like Ctrl-D"),
    ("/session", "the identifier of this session"),
    ("/skill NAME", "load a skill: from the next turn on the model reads its instructions"),
    ("/skill off NAME", "unload it"),
    ("/skills", "the skills there are, and which are loaded"),
    ("/tools", "the tools on offer"),
];

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Say,
    Compact,
    Cost,
    Help,
    New,
    Quit,
    Session,
    LoadSkill(String),
    UnloadSkill(String),
    Skills,
    UnclearSkill,
    Tools,
    Unknown,
}

/// Runs the command.
pub(crate) async fn run(
    chat: Chat,
    environment: Arc<Environment>,
    mut settings: Vec<Setting>,
) -> Result<Exit> {
    settings.extend(model_settings(&chat.choice));
    let ground = Ground::lay(environment, &settings)?;
    if !ground.terminal.interactive {
        return Err(usage(
            "`hydroid chat` needs a terminal; use `hydroid ask` in scripts and pipes",
        ));
    }
    refuse_if_stopped(&ground.paths)?;
    let mode = chat.mode.map_or(ground.config.policy.mode, Into::into);
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let agent = ground.agent(&catalog, &database).await?;
    let choice = match chat.session {
        Some(id) => SessionChoice::Existing(find_session(&database, &ground.user(), &id).await?),
        None => SessionChoice::New(new_session()),
    };
    let mut conversation = open(&ground, &agent, choice, mode).await?;
    if conversation.restored(None).await? == Some(Exit::Waiting) {
        conversation.close().await;
        return Ok(Exit::Waiting);
    }
    let mut keyboard = Keyboard::open(ground.paths.history(&ground.user()))?;
    terminal::say(&format!(
        "{} on {}, mode {}, session {}; `/help` lists commands, Ctrl-D ends",
        harmless(&ground.config.model.name),
        harmless(&ground.config.model.provider),
        mode.id(),
        conversation.id()
    ));
    loop {
        let (returned, line) = tokio::select! {
            line = keyboard.line() => line?,
            () = conversation.terminated() => break,
        };
        keyboard = returned;
        let Some(line) = line else { break };
        match meaning(&line) {
            Line::Nothing => {}
            Line::Say => match conversation.turn(Message::user(line.clone()).parts).await {
                Ok(Exit::Waiting) => {
                    conversation.close().await;
                    return Ok(Exit::Waiting);
                }
                Ok(_) => {}
                Err(error) => terminal::say(
                    &ground
                        .terminal
                        .styled(Style::Bad, &format!("error: {}", harmless(&format!("{error:#}")))),
                ),
            },
            Line::Compact => match conversation.compact().await {
                Ok(said) => terminal::say(&said),
                Err(error) => terminal::say(&format!("error: {}", harmless(&format!("{error:#}")))),
            },
            Line::LoadSkill(name) => match conversation.load_skill(name).await {
                Ok(notices) => notices.iter().for_each(|notice| terminal::say(&harmless(notice))),
                Err(error) => terminal::say(&format!("error: {}", harmless(&error.to_string()))),
            },
            Line::UnloadSkill(name) => {
                if let Err(error) = conversation.unload_skill(name).await {
                    terminal::say(&format!("error: {}", harmless(&error.to_string())));
                }
            }
            Line::Skills => {
                let skills = agent.skills(&ground.user(), Some(conversation.id())).await?;
                terminal::print(&offered(skills, &conversation.loaded_skills().await))?;
            }
            Line::UnclearSkill => terminal::say("write `/skill NAME` or `/skill off NAME`"),
            Line::Cost => {
                let spent = cost::of_session(&database, &ground.user(), conversation.id()).await?;
                terminal::print_line(&spent)?;
                terminal::print_line(&ground.model_counters.counts().to_string())?;
            }
            Line::Help => terminal::print(&help())?,
            Line::New => {
                conversation.close().await;
                conversation =
                    open(&ground, &agent, SessionChoice::New(new_session()), mode).await?;
                terminal::say(&format!("a new session, {}", conversation.id()));
            }
            Line::Quit => break,
            Line::Session => terminal::print_line(conversation.id().as_str())?,
            Line::Tools => terminal::print(&tools(&catalog))?,
            Line::Unknown => terminal::say(&unknown(&line)),
        }
    }
    let id = conversation.id().clone();
    conversation.close().await;
    terminal::say(&format!("session {id}"));
    Ok(Exit::Done)
}

async fn open(
    ground: &Ground,
    agent: &Agent,
    session: SessionChoice,
    mode: policy::Mode,
) -> Result<Conversation> {
    let opening = Opening {
        user: ground.user(),
        session,
        mode,
        person: Person::Here,
        allow: Vec::new(),
        show: Mode::Text,
    };
    Conversation::open(agent, &ground.paths, ground.terminal, opening).await
}

/// The line editor. It is handed to a thread of its own while it waits for a line.
struct Keyboard {
    editor: Editor<(), FileHistory>,
    history: PathBuf,
}

impl Keyboard {
    fn open(history: PathBuf) -> Result<Self> {
        let config =
            Config::builder().max_history_size(HISTORY)?.history_ignore_space(true).build();
        let mut editor = Editor::with_config(config).context("the terminal cannot be used")?;
        // The first time there is none.
        drop(editor.load_history(&history));
        Ok(Self { editor, history })
    }

    /// The next line; none at the end.
    async fn line(mut self) -> Result<(Self, Option<String>)> {
        let waiting = tokio::task::spawn_blocking(move || {
            let line = loop {
                match self.editor.readline("> ") {
                    Ok(line) => break Some(line),
                    // Ctrl-C drops the line that was begun.
                    Err(ReadlineError::Interrupted) => {}
                    Err(ReadlineError::Eof) => break None,
                    Err(error) => return Err(error),
                }
            };
            if let Some(line) = line.as_deref().filter(|line| !line.trim().is_empty()) {
                self.editor.add_history_entry(line)?;
                if let Err(error) = self.editor.save_history(&self.history) {
                    tracing::warn!(%error, "what was typed could not be remembered");
                }
            }
            Ok((self, line))
        });
        waiting
            .await
            .context("reading a line failed unexpectedly")?
            .context("the terminal cannot be read")
    }
}

fn meaning(line: &str) -> Line {
    let line = line.trim();
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["/skill"] | ["/skill", "off"] => return Line::UnclearSkill,
        ["/skill", name] => return Line::LoadSkill(name.to_owned()),
        ["/skill", "off", name] => return Line::UnloadSkill(name.to_owned()),
        ["/skill", ..] => return Line::UnclearSkill,
        _ => {}
    }
    match line {
        "" => Line::Nothing,
        "/compact" => Line::Compact,
        "/cost" => Line::Cost,
        "/help" => Line::Help,
        "/new" => Line::New,
        "/quit" => Line::Quit,
        "/session" => Line::Session,
        "/skills" => Line::Skills,
        "/tools" => Line::Tools,
        // A path that begins a sentence is not a command.
        _ if line.starts_with('/')
            && !line.contains([' ', '\n'])
            && !line.trim_start_matches('/').contains('/') =>
        {
            Line::Unknown
        }
        _ => Line::Say,
    }
}

fn help() -> String {
    terminal::table(&COMMANDS.map(|(name, what)| vec![name.to_owned(), what.to_owned()]))
}

fn unknown(line: &str) -> String {
    let shown = excerpt(line, 40);
    format!(
        "there is no command `{shown}`{}; `/help` lists them",
        did_you_mean(&shown, COMMANDS.map(|(name, _)| name))
    )
}

fn offered(skills: Vec<SkillOffer>, loaded: &[String]) -> String {
    if skills.is_empty() {
        return "there are no skills; `hydroid skill new` makes one, `hydroid skill add` keeps one you have\n".to_owned();
    }
    let row = |skill: SkillOffer| {
        let state = match &skill.problem {
            _ if loaded.contains(&skill.name) => "loaded",
            Some(_) => "cannot be loaded",
            None if skill.always => "always",
            None => "",
        };
        let what = skill.problem.as_ref().unwrap_or(&skill.description);
        vec![exact(&skill.name), state.to_owned(), exact(&excerpt(what, 60))]
    };
    terminal::table(&skills.into_iter().map(row).collect::<Vec<_>>())
}

fn tools(catalog: &Catalog) -> String {
    let row = |spec: hydroid_core::tool::ToolSpec| {
        vec![spec.name, spec.component.to_string(), excerpt(&spec.description, 80)]
    };
    terminal::table(&catalog.specs().into_iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_a_path_does_not() {
        assert_eq!(meaning("/help"), Line::Help);
        assert_eq!(meaning("/hlep"), Line::Unknown);
        assert_eq!(meaning("/shared/a.txt is what?"), Line::Say);
        assert_eq!(meaning("/shared/a.txt"), Line::Say);
        assert_eq!(meaning("  "), Line::Nothing);
        assert_eq!(meaning("/skill  trip "), Line::LoadSkill("trip".into()));
        assert_eq!(meaning("/skill off trip"), Line::UnloadSkill("trip".into()));
        for unclear in ["/skill", "/skill off", "/skill a b", "/skill off a b"] {
            assert_eq!(meaning(unclear), Line::UnclearSkill, "{unclear}");
        }
        assert!(unknown("/hlep").contains("did you mean `/help`"));
    }

    #[test]
    fn every_command_listed_is_one() {
        for (name, _) in COMMANDS {
            assert!(!matches!(meaning(name), Line::Unknown | Line::Say), "{name}");
        }
    }
}
