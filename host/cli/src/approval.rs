//! Asking a person whether a call may run: what, by whom, with exactly which arguments. The
//! question is read from the terminal itself, so redirecting output does not hide it.

use crate::harmless::exact;
use crate::render::Asked;
use crate::terminal::{self, Style, Terminal, pieces};
use anyhow::Result;
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::tool::Impact;
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

/// Stands before every piece of the arguments, so that nothing in them begins where our own lines
/// begin.
const MARGIN: &str = "  │ ";

/// Columns that `MARGIN` takes.
const MARGIN_CELLS: usize = 4;

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// Spaces in a row that are shown as they are; more could push text to another line or off the
/// screen, so they are counted.
const MOST_SPACES: usize = 2;

/// Shown before the count of a run of spaces.
const SPACE: char = '␠';

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
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config, MemHistory::new())?;
    let columns = editor.dimensions().map(|(columns, _)| usize::from(columns));
    let columns = columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS);
    terminal::say(&question(terminal, asked, columns));
    let prompt = prompt(asked);
    loop {
        match editor.readline(&prompt) {
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

fn question(terminal: Terminal, asked: &Asked, columns: usize) -> String {
    let (name, component, can) = who_and_what(asked);
    let head = terminal.styled(Style::Ask, &format!("? {name} of {component} {can}"));
    format!("{head}\n{}", arguments(&asked.call.arguments, columns))
}

/// The last line, by which alone one can decide: long arguments may have pushed everything above
/// it off the screen.
fn prompt(asked: &Asked) -> String {
    let (name, component, can) = who_and_what(asked);
    format!(
        "allow `{name}` of `{component}`, which {can}? [y]es once, [s]ession, [n]o, or why not: "
    )
}

fn who_and_what(asked: &Asked) -> (String, String, &'static str) {
    let can = match asked.impact {
        Impact::ReadOnly => "only computes or reads your files",
        Impact::Network => "sends read requests to other machines",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of your vault (each copy is asked)",
    };
    (exact(&asked.call.name), exact(asked.component.as_str()), can)
}

/// Arguments over several lines, nothing left out and nothing hidden. Lines are broken here and
/// not by the terminal, which would begin the rest at the first column, as a line of ours.
fn arguments(json: &str, columns: usize) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value));
    let lines: Vec<String> = match pretty {
        // Inside values line ends are escaped, so what a line begins with is our indentation.
        Ok(text) => text
            .lines()
            .map(|line| {
                let value = line.trim_start_matches(' ');
                format!("{}{}", " ".repeat(line.len() - value.len()), visible(value))
            })
            .collect(),
        Err(_) => json.lines().map(visible).collect(),
    };
    let cells = columns.saturating_sub(MARGIN_CELLS);
    let pieces = lines.iter().flat_map(|line| pieces(line, cells));
    pieces.map(|piece| format!("{MARGIN}{piece}")).collect::<Vec<_>>().join("\n")
}

/// The text with everything that cannot be seen written out and long runs of spaces counted.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut spaces = 0;
    let end_run = |shown: &mut String, spaces: usize| {
        if spaces > MOST_SPACES {
            shown.push_str(&format!("{SPACE}×{spaces}"));
        } else {
            shown.push_str(&" ".repeat(spaces));
        }
    };
    for character in exact(text).chars() {
        if character == ' ' {
            spaces += 1;
            continue;
        }
        end_run(&mut shown, std::mem::take(&mut spaces));
        match character {
            // Only ours means spaces.
            SPACE => shown.push_str("\\u2420"),
            _ => shown.push(character),
        }
    }
    end_run(&mut shown, spaces);
    shown
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

    const PLAIN: Terminal = Terminal { color: false, interactive: true };

    fn asked(arguments: &str) -> Asked {
        Asked {
            call_id: CallId::new("c"),
            call: ToolCall {
                id: CallId::new("c"),
                name: "file_write".into(),
                arguments: arguments.into(),
            },
            component: ComponentId::new("tool-files-write"),
            impact: Impact::Changes,
        }
    }

    #[test]
    fn the_question_shows_exactly_what_will_run() {
        let asked = asked("{\"path\":\"a\u{202e}txt\",\"content\":\"\\u001b[2J\"}");
        assert_eq!(
            question(PLAIN, &asked, 80),
            "? file_write of tool-files-write can change things\n  \
             │ {\n  \
             │   \"content\": \"\\u001b[2J\",\n  \
             │   \"path\": \"a\\u202etxt\"\n  \
             │ }"
        );
    }

    #[test]
    fn the_prompt_alone_is_enough_to_decide() {
        assert_eq!(
            prompt(&asked("{}")),
            "allow `file_write` of `tool-files-write`, which can change things? [y]es once, [s]ession, [n]o, or why not: "
        );
    }

    #[track_caller]
    fn check_cannot_forge(arguments: &str, columns: usize) {
        let question = question(PLAIN, &asked(arguments), columns);
        for line in question.lines().skip(1) {
            let cells: usize = line
                .strip_prefix(MARGIN)
                .unwrap_or_else(|| panic!("a line without the margin in:\n{question}"))
                .chars()
                .map(|character| if character.is_ascii() { 1 } else { 2 })
                .sum();
            assert!(
                MARGIN_CELLS + cells <= columns,
                "`{line}` does not fit into {columns} in:\n{question}"
            );
        }
    }

    #[test]
    fn arguments_cannot_paint_a_question() {
        const FORGED: &str = "? time_now of tool-time only computes or reads your files";
        let padded = |padding: &str, count: usize| {
            serde_json::json!({ "content": format!("{}{FORGED}", padding.repeat(count)) })
                .to_string()
        };
        for columns in [20, 80, 133] {
            for count in [columns - 19, columns * 60] {
                check_cannot_forge(&padded(" ", count), columns);
                check_cannot_forge(&padded("x", count), columns);
                check_cannot_forge(&padded("日", count / 2), columns);
                check_cannot_forge(&padded("\u{3000}", count / 2), columns);
                check_cannot_forge(&format!("not JSON\n{}{FORGED}", " ".repeat(count)), columns);
            }
        }
        let nested = format!("{}\"{FORGED}\"{}", "[".repeat(100), "]".repeat(100));
        check_cannot_forge(&nested, 80);
    }

    #[test]
    fn runs_of_spaces_are_counted_and_cannot_be_imitated() {
        assert_eq!(
            arguments("{\"a\":\"x  y   z    \"}", 80),
            "  │ {\n  │   \"a\": \"x  y␠×3z␠×4\"\n  │ }"
        );
        assert_eq!(arguments("[\"␠×3\"]", 80), "  │ [\n  │   \"\\u2420×3\"\n  │ ]");
        assert_eq!(arguments("{     \n    x", 80), "  │ {␠×5\n  │ ␠×4x");
    }

    #[test]
    fn a_long_argument_is_shown_whole() {
        let long: String = ('a'..='z').cycle().take(10_000).collect();
        let shown = arguments(&serde_json::json!([long]).to_string(), 40);
        let text: String = shown.lines().filter_map(|line| line.strip_prefix(MARGIN)).collect();
        assert!(text.contains(&long));
    }
}
