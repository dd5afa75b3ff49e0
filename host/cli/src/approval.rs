//! Asking a person whether a call may run: what, by whom, with exactly which arguments, and what
//! it would do. The question is read from the terminal itself, so redirecting output does not
//! hide it. Only a clear yes allows; an end of the input leaves the question open.

mod shown;

use crate::harmless::{exact, harmless};
use crate::render::Asked;
use crate::terminal::{self, Style, Terminal, indented};
use anyhow::Result;
use hydroid_core::policy::CallPattern;
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::tool::Impact;
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

/// Columns and rows of a terminal that does not say how many it has.
const SCREEN: (usize, usize) = (80, 24);

/// Rows of a screen that a difference leaves for the question.
const ROWS_FOR_THE_QUESTION: usize = 6;

/// A difference is not cut below this on a small screen.
const FEWEST_ROWS: usize = 8;

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// An answer.
    Answer(ApprovalAnswer),
    /// The whole turn is to stop.
    CancelTurn,
    /// The question stays open, and the session is left.
    Leave,
}

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// It says nothing.
    Unclear,
    Answer(ApprovalAnswer),
    /// The rest of the difference.
    View,
    /// Calls like it from now on; which and how long is asked.
    Always,
    /// Other arguments, which are asked.
    Edit,
}

type Keyboard = Editor<(), MemHistory>;

/// Asks until there is an answer. Blocks; nothing is decided by waiting.
pub(crate) fn ask(terminal: Terminal, asked: &Asked) -> Result<Reply> {
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let mut keyboard: Keyboard = Editor::with_history(config, MemHistory::new())?;
    let screen = keyboard.dimensions().map_or(SCREEN, |(columns, rows)| {
        let known = |size: u16, default| if size == 0 { default } else { usize::from(size) };
        (known(columns, SCREEN.0), known(rows, SCREEN.1))
    });
    terminal::say(&question(terminal, asked, screen));
    let prompt = prompt(asked);
    loop {
        match keyboard.readline(&prompt) {
            Ok(line) => match meaning(&line, asked) {
                Line::Unclear => terminal::say(&choices(asked)),
                Line::Answer(answer) => return Ok(Reply::Answer(answer)),
                Line::View => terminal::say(&whole_preview(terminal, asked, screen.0)),
                Line::Always => {
                    if let Some(answer) = always(&mut keyboard, asked)? {
                        return Ok(Reply::Answer(answer));
                    }
                }
                Line::Edit => {
                    if let Some(answer) = edit(&mut keyboard, asked)? {
                        return Ok(Reply::Answer(answer));
                    }
                }
            },
            Err(ReadlineError::Interrupted) => return Ok(Reply::CancelTurn),
            Err(ReadlineError::Eof) => return Ok(Reply::Leave),
            Err(error) => return Err(error.into()),
        }
    }
}

/// One more line; none if the person thought better of it, and then the question stands.
fn further(keyboard: &mut Keyboard, prompt: &str, prefilled: &str) -> Result<Option<String>> {
    match keyboard.readline_with_initial(prompt, (prefilled, "")) {
        Ok(line) => Ok(Some(line.trim().to_owned())),
        Err(ReadlineError::Interrupted | ReadlineError::Eof) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn always(keyboard: &mut Keyboard, asked: &Asked) -> Result<Option<ApprovalAnswer>> {
    let Some(calls) = further(keyboard, "which calls, from now on: ", &exact(&asked.scope))? else {
        return Ok(None);
    };
    if let Err(error) = calls.parse::<CallPattern>() {
        terminal::say(&harmless(&error.to_string()));
        return Ok(None);
    }
    let Some(days) = further(keyboard, "for how many days (empty: until it is revoked): ", "")?
    else {
        return Ok(None);
    };
    let days = match days.parse::<u32>() {
        _ if days.is_empty() => None,
        Ok(days) if days > 0 => Some(days),
        Ok(_) | Err(_) => {
            terminal::say("that is no number of days; nothing was answered");
            return Ok(None);
        }
    };
    Ok(Some(ApprovalAnswer::Always { calls: Some(calls), days }))
}

fn edit(keyboard: &mut Keyboard, asked: &Asked) -> Result<Option<ApprovalAnswer>> {
    // Escapes of JSON stand for what cannot be seen, so this is the same value.
    let before = exact(&asked.call.arguments);
    let Some(arguments) = further(keyboard, "arguments: ", &before)? else { return Ok(None) };
    if arguments.is_empty() || arguments == before {
        terminal::say("nothing was changed, and nothing was answered");
        return Ok(None);
    }
    if let Err(error) =
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&arguments)
    {
        terminal::say(&format!("that is no JSON object: {error}; nothing was answered"));
        return Ok(None);
    }
    Ok(Some(ApprovalAnswer::Edit { arguments }))
}

fn question(terminal: Terminal, asked: &Asked, (columns, rows): (usize, usize)) -> String {
    let (name, component, can) = who_and_what(asked);
    let head = terminal.styled(Style::Ask, &format!("? {name} of {component} {can}"));
    let mut lines = vec![head, shown::arguments(&asked.call.arguments, columns)];
    lines.push(format!("  because {}", indented(&harmless(&asked.reason), 2)));
    if let Some(preview) = &asked.preview {
        let shown = shown::preview(preview, terminal, columns);
        let room = rows.saturating_sub(ROWS_FOR_THE_QUESTION).max(FEWEST_ROWS);
        let all = shown.lines.len();
        if shown.difference && all > room {
            lines.extend(shown.lines.into_iter().take(room));
            lines.push(format!("  … {} more lines; `v` shows all", all - room));
        } else {
            lines.extend(shown.lines);
        }
    }
    lines.join("\n")
}

fn whole_preview(terminal: Terminal, asked: &Asked, columns: usize) -> String {
    match &asked.preview {
        None => "there is nothing more to show".to_owned(),
        Some(preview) => shown::preview(preview, terminal, columns).lines.join("\n"),
    }
}

/// The last line, by which alone one can decide: long arguments may have pushed everything above
/// it off the screen.
fn prompt(asked: &Asked) -> String {
    let (name, component, can) = who_and_what(asked);
    format!("allow `{name}` of `{component}`, which {can}? {}: ", choices(asked))
}

fn choices(asked: &Asked) -> String {
    if asked.impact == Impact::Vault {
        return "[y]es once, [e]dit, [n]o, or why not".to_owned();
    }
    let scope = exact(&asked.scope);
    format!("[y]es once, [s]ession for `{scope}`, [a]lways, [e]dit, [n]o, or why not")
}

fn who_and_what(asked: &Asked) -> (String, String, &'static str) {
    let can = match asked.impact {
        Impact::ReadOnly => "only computes or reads your files",
        Impact::Network => "sends read requests to other machines",
        Impact::Edits => "changes your files or notes",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of your vault (each copy is asked)",
    };
    (exact(&asked.call.name), exact(asked.component.as_str()), can)
}

fn meaning(line: &str, asked: &Asked) -> Line {
    let line = line.trim();
    match line.to_lowercase().as_str() {
        "" => Line::Unclear,
        "y" | "yes" | "o" | "once" => Line::Answer(ApprovalAnswer::Once),
        // A copy out of the vault is approved each time.
        "s" | "session" | "a" | "always" if asked.impact == Impact::Vault => Line::Unclear,
        "s" | "session" => Line::Answer(ApprovalAnswer::Session { calls: None }),
        "a" | "always" => Line::Always,
        "e" | "edit" => Line::Edit,
        "v" | "view" => Line::View,
        "n" | "no" => Line::Answer(ApprovalAnswer::Deny { reason: None }),
        _ => Line::Answer(ApprovalAnswer::Deny { reason: Some(line.to_owned()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::shown::MARGIN;
    use super::*;
    use hydroid_core::id::{CallId, ComponentId};
    use hydroid_core::tool::{Preview, ToolCall};

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
            impact: Impact::Edits,
            reason: "it changes your files".into(),
            scope: "file_write(/shared/**)".into(),
            preview: None,
        }
    }

    #[track_caller]
    fn check(line: &str, expect: Line) {
        assert_eq!(meaning(line, &asked("{}")), expect);
    }

    #[test]
    fn only_a_clear_yes_allows() {
        let deny =
            |reason: &str| Line::Answer(ApprovalAnswer::Deny { reason: Some(reason.to_owned()) });
        check("y", Line::Answer(ApprovalAnswer::Once));
        check(" S ", Line::Answer(ApprovalAnswer::Session { calls: None }));
        check("a", Line::Always);
        check("E", Line::Edit);
        check("v", Line::View);
        check("n", Line::Answer(ApprovalAnswer::Deny { reason: None }));
        check("yes but not there", deny("yes but not there"));
        check("yy", deny("yy"));
        check("  ", Line::Unclear);
    }

    #[test]
    fn a_copy_out_of_the_vault_is_answered_for_itself_only() {
        let vault = Asked { impact: Impact::Vault, ..asked("{}") };
        for line in ["s", "a", "always", "session"] {
            assert_eq!(meaning(line, &vault), Line::Unclear, "{line}");
        }
        assert_eq!(meaning("y", &vault), Line::Answer(ApprovalAnswer::Once));
        assert!(!prompt(&vault).contains("[s]ession") && !prompt(&vault).contains("[a]lways"));
    }

    #[test]
    fn the_question_shows_exactly_what_will_run() {
        let asked = asked("{\"path\":\"a\u{202e}txt\",\"content\":\"\\u001b[2J\"}");
        assert_eq!(
            question(PLAIN, &asked, (80, 24)),
            "? file_write of tool-files-write changes your files or notes\n  \
             │ {\n  \
             │   \"content\": \"\\u001b[2J\",\n  \
             │   \"path\": \"a\\u202etxt\"\n  \
             │ }\n  \
             because it changes your files"
        );
    }

    #[test]
    fn the_prompt_alone_is_enough_to_decide() {
        assert_eq!(
            prompt(&asked("{}")),
            "allow `file_write` of `tool-files-write`, which changes your files or notes? [y]es once, [s]ession for `file_write(/shared/**)`, [a]lways, [e]dit, [n]o, or why not: "
        );
    }

    fn with_preview(preview: Preview) -> Asked {
        Asked { preview: Some(preview), ..asked("{}") }
    }

    #[test]
    fn a_difference_longer_than_the_screen_is_counted_and_can_be_seen() {
        let text: String = (1..=40).map(|n| format!("+line {n}\n")).collect();
        let asked = with_preview(Preview::Difference { text, digest: "d".into() });
        let short = question(PLAIN, &asked, (80, 24));
        assert!(short.contains("│ +line 18\n") && !short.contains("+line 19"), "{short}");
        assert!(short.ends_with("… 22 more lines; `v` shows all"), "{short}");
        assert!(whole_preview(PLAIN, &asked, 80).contains("+line 40"));
    }

    #[test]
    fn what_is_added_and_removed_has_a_colour_only_where_there_are_colours() {
        let text = "@@\n-old\n+new\n same\n".to_owned();
        let asked = with_preview(Preview::Difference { text, digest: "d".into() });
        let colour = Terminal { color: true, interactive: true };
        let shown = question(colour, &asked, (80, 24));
        assert!(shown.contains("\x1b[31m  │ -old\x1b[0m\n\x1b[32m  │ +new"), "{shown}");
        assert!(!question(PLAIN, &asked, (80, 24)).contains('\x1b'));
    }

    #[test]
    fn a_preview_says_where_from_where_to_and_how_much() {
        let shown = |preview| question(PLAIN, &with_preview(preview), (80, 24));
        let copy = shown(Preview::Copy {
            source: "/vault/a\x1b".into(),
            destination: "/shared/b".into(),
            bytes: 12,
            digest: "sha256:00".into(),
        });
        assert!(
            copy.ends_with(
                "  │ copies /vault/a\\u001b\n  │ to     /shared/b\n  │        12 bytes, sha256:00"
            ),
            "{copy}"
        );
        let send = shown(Preview::Send { host: "a.example:443".into(), bytes: 7 });
        assert!(send.contains("sends to a.example:443, made of 7 bytes"), "{send}");
        let unknown = shown(Preview::Unknown { reason: "it trapped".into() });
        assert!(unknown.contains("could not be found out: it trapped"), "{unknown}");
    }

    #[track_caller]
    fn check_cannot_forge(asked: &Asked, columns: usize) {
        let question = question(PLAIN, asked, (columns, 1_000_000));
        let ours = ["? file_write of", "  because it changes your files"];
        for line in question.lines() {
            if ours.iter().any(|ours| line.starts_with(ours)) {
                continue;
            }
            let cells: usize = line
                .strip_prefix(MARGIN)
                .unwrap_or_else(|| panic!("a line without the margin in:\n{question}"))
                .chars()
                .map(|character| if character.is_ascii() { 1 } else { 2 })
                .sum();
            assert!(
                MARGIN.chars().count() + cells <= columns,
                "`{line}` does not fit into {columns} in:\n{question}"
            );
        }
    }

    #[test]
    fn neither_arguments_nor_a_preview_can_paint_a_question() {
        const FORGED: &str = "? time_now of tool-time only computes or reads your files";
        for columns in [20, 80, 133] {
            for count in [columns - 19, columns * 60] {
                for padding in [" ", "x", "日", "\u{3000}"] {
                    let text = format!("{}{FORGED}", padding.repeat(count));
                    let arguments = serde_json::json!({ "content": text }).to_string();
                    check_cannot_forge(&asked(&arguments), columns);
                    for text in [text.clone(), format!("+{text}"), format!("\r{text}\r\n")] {
                        let preview = Preview::Difference { text, digest: "d".into() };
                        check_cannot_forge(&with_preview(preview), columns);
                    }
                    check_cannot_forge(&with_preview(Preview::Unknown { reason: text }), columns);
                }
                let loose = format!("not JSON\n{}{FORGED}", " ".repeat(count));
                check_cannot_forge(&asked(&loose), columns);
            }
        }
        let nested = format!("{}\"{FORGED}\"{}", "[".repeat(100), "]".repeat(100));
        check_cannot_forge(&asked(&nested), 80);
    }
}
