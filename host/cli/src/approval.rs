//! Asking a person whether a call may run: what, by whom, with exactly which arguments. The
//! question is read from the terminal itself, so redirecting output does not hide it.

use crate::harmless::exact;
use crate::render::Asked;
use crate::terminal::{self, Style, Terminal};
use anyhow::Result;
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::tool::Impact;
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// An answer.
    Answer(ApprovalAnswer),
    /// The whole turn is to stop.
    CancelTurn,
}

/// Asks until there is an answer. Blocks; nothing is decided by waiting.
pub(crate) fn ask(terminal: Terminal, asked: &Asked) -> Result<Reply> {
    terminal::say(&question(terminal, asked));
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config, MemHistory::new())?;
    loop {
        match editor.readline("allow it? [y]es once, [s]ession, [n]o, or why not: ") {
            Ok(line) => match reply(&line) {
                Some(answer) => return Ok(Reply::Answer(answer)),
                None => terminal::say("answer `y`, `s`, `n` or a reason; Ctrl-C cancels the turn"),
            },
            Err(ReadlineError::Interrupted) => return Ok(Reply::CancelTurn),
            Err(ReadlineError::Eof) => {
                return Ok(Reply::Answer(ApprovalAnswer::Deny { reason: None }));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn question(terminal: Terminal, asked: &Asked) -> String {
    let can = match asked.impact {
        Impact::ReadOnly => "only computes or reads your files",
        Impact::Network => "sends read requests to other machines",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of your vault; each copy is asked",
    };
    let name = exact(&asked.call.name);
    let head = terminal.styled(Style::Ask, &format!("? {name} of {} {can}", asked.component));
    format!("{head}\n{}", arguments(&asked.call.arguments))
}

/// Arguments over several lines, nothing left out and nothing hidden.
fn arguments(json: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value));
    let text = pretty.unwrap_or_else(|_| json.to_owned());
    text.lines().map(|line| format!("  {}", exact(line))).collect::<Vec<_>>().join("\n")
}

/// What a line means; none if it is empty.
fn reply(line: &str) -> Option<ApprovalAnswer> {
    let line = line.trim();
    match line.to_lowercase().as_str() {
        "" => None,
        "y" | "yes" | "o" | "once" => Some(ApprovalAnswer::Once),
        "s" | "session" => Some(ApprovalAnswer::Session),
        "n" | "no" => Some(ApprovalAnswer::Deny { reason: None }),
        _ => Some(ApprovalAnswer::Deny { reason: Some(line.to_owned()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::{CallId, ComponentId};
    use hydroid_core::tool::ToolCall;

    #[test]
    fn only_a_clear_yes_allows() {
        assert_eq!(reply("y"), Some(ApprovalAnswer::Once));
        assert_eq!(reply(" S "), Some(ApprovalAnswer::Session));
        assert_eq!(reply("n"), Some(ApprovalAnswer::Deny { reason: None }));
        assert_eq!(
            reply("yes but not there"),
            Some(ApprovalAnswer::Deny { reason: Some("yes but not there".into()) })
        );
        assert_eq!(reply("  "), None);
    }

    #[test]
    fn the_question_shows_exactly_what_will_run() {
        let asked = Asked {
            call_id: CallId::new("c"),
            call: ToolCall {
                id: CallId::new("c"),
                name: "file_write".into(),
                arguments: "{\"path\":\"a\u{202e}txt\",\"content\":\"\\u001b[2J\"}".into(),
            },
            component: ComponentId::new("tool-files-write"),
            impact: Impact::Changes,
        };
        let question = question(Terminal { color: false, interactive: true }, &asked);
        assert!(
            question.starts_with("? file_write of tool-files-write can change things\n"),
            "{question}"
        );
        assert!(
            question.contains("\"path\": \"a\\u202etxt\"") && question.contains("\\u001b[2J"),
            "{question}"
        );
        assert!(!question.contains(['\u{1b}', '\u{202e}']));
    }
}
