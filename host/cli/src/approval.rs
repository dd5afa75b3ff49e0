//! Asking a person whether a call may run: what, by whom, with exactly which arguments, and what
//! it would do. The question is read from the terminal itself, so redirecting output does not
//! hide it. Only a clear yes allows; an end of the input leaves the question open.

mod shown;

use crate::render::Asked;
use crate::terminal::{self, Style, Terminal, indented};
use anyhow::Result;
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::policy::CallPattern;
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::tool::Impact;
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns and rows of a terminal that does not say how many it has.
const SCREEN: (usize, usize) = (80, 24);

/// Rows of a screen that a difference leaves for the question.
const ROWS_FOR_THE_QUESTION: usize = 6;

/// Letters of a reason for a denial, at least: one alone is a key that was missed.
const SHORTEST_REASON: usize = 2;

/// Characters of a line that was not understood.
const SHOWN_OF_A_LINE: usize = 40;

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
    /// The question ended while it was asked; what was typed is nobody's answer.
    Over,
}

/// Whether a question still stands, shared by who asks it and who knows of its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing(Arc<AtomicBool>);

impl Standing {
    /// Ends the question and what is being typed at it. The line editor reads in a thread of its
    /// own and lets go of the terminal when it sees Ctrl-C or this signal; whoever calls this must
    /// take the signal if no line was being read.
    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::SeqCst);
        let signalled =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT);
        if let Err(error) = signalled {
            tracing::warn!(%error, "the question that is over stays until a line is typed");
        }
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// It says nothing.
    Unclear,
    /// What the keys mean.
    Keys,
    Answer(ApprovalAnswer),
    /// The rest of the difference.
    View,
    /// Calls like it from now on; which and how long is asked.
    Always,
    /// Other arguments, which are asked.
    Edit,
}

type Keyboard = Editor<(), MemHistory>;

/// Asks until there is an answer or the question is over. Blocks; nothing is decided by waiting.
pub(crate) fn ask(terminal: Terminal, asked: &Asked, standing: &Standing) -> Result<Reply> {
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let mut keyboard: Keyboard = Editor::with_history(config, MemHistory::new())?;
    // With a printer the editor waits for signals too, not only for keys. Without one, as where
    // the output is no terminal, the next line ends the question.
    let _printer = keyboard.create_external_printer();
    let screen = keyboard.dimensions().map_or(SCREEN, |(columns, rows)| {
        let known = |size: u16, default| if size == 0 { default } else { usize::from(size) };
        (known(columns, SCREEN.0), known(rows, SCREEN.1))
    });
    terminal::say(&question(terminal, asked, screen));
    let prompt = prompt(asked);
    loop {
        if standing.is_over() {
            return Ok(Reply::Over);
        }
        let read = keyboard.readline(&prompt);
        if standing.is_over() {
            return Ok(Reply::Over);
        }
        match read {
            Ok(line) => match meaning(&line, asked) {
                Line::Unclear => terminal::say(&unclear(&line, asked)),
                Line::Keys => terminal::say(&keys(asked)),
                Line::Answer(answer) => return Ok(Reply::Answer(answer)),
                Line::View => terminal::say(&whole_preview(terminal, asked, screen.0)),
                Line::Always => {
                    if let Some(answer) = always(&mut keyboard, asked, standing)? {
                        return Ok(Reply::Answer(answer));
                    }
                }
                Line::Edit => {
                    if let Some(answer) = edit(&mut keyboard, asked, standing)? {
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

/// One more line, asked until it can be read; none if the person thought better of it, and then
/// the question stands.
fn further<T>(
    keyboard: &mut Keyboard,
    standing: &Standing,
    (prompt, prefilled): (&str, &str),
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    loop {
        let line = match keyboard.readline_with_initial(prompt, (prefilled, "")) {
            Ok(_) if standing.is_over() => return Ok(None),
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match read(line.trim()) {
            Ok(value) => return Ok(Some(value)),
            Err(problem) => {
                terminal::say(&format!("{}; Ctrl-C goes back to the question", harmless(&problem)))
            }
        }
    }
}

fn always(
    keyboard: &mut Keyboard,
    asked: &Asked,
    standing: &Standing,
) -> Result<Option<ApprovalAnswer>> {
    let scope = exact(&asked.scope);
    let which = ("which calls, from now on: ", scope.as_str());
    let Some(calls) = further(keyboard, standing, which, pattern)? else { return Ok(None) };
    let how_long = ("for how many days (empty: until it is revoked): ", "");
    let Some(days) = further(keyboard, standing, how_long, days)? else { return Ok(None) };
    Ok(Some(ApprovalAnswer::Always { calls: Some(calls), days }))
}

fn pattern(line: &str) -> Result<String, String> {
    line.parse::<CallPattern>().map_err(|error| error.to_string())?;
    Ok(line.to_owned())
}

fn days(line: &str) -> Result<Option<u32>, String> {
    match line.parse::<u32>() {
        _ if line.is_empty() => Ok(None),
        Ok(days) if days > 0 => Ok(Some(days)),
        Ok(_) | Err(_) => Err("that is no number of days, such as `30`".to_owned()),
    }
}

fn edit(
    keyboard: &mut Keyboard,
    asked: &Asked,
    standing: &Standing,
) -> Result<Option<ApprovalAnswer>> {
    // Escapes of JSON stand for what cannot be seen, so this is the same value.
    let before = exact(&asked.call.arguments);
    let read = |line: &str| other_arguments(line, &before);
    let arguments = further(keyboard, standing, ("arguments: ", &before), read)?;
    Ok(arguments.map(|arguments| ApprovalAnswer::Edit { arguments }))
}

fn other_arguments(line: &str, before: &str) -> Result<String, String> {
    if line.is_empty() || line == before {
        return Err("nothing was changed".to_owned());
    }
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line)
        .map_err(|error| format!("that is no JSON object: {error}"))?;
    Ok(line.to_owned())
}

/// What a question that waits is about, for a list: as it is asked, with arguments that are longer
/// than a screen cut and counted.
pub(crate) fn listed(asked: &Asked) -> String {
    const PLAIN: Terminal = Terminal { color: false, interactive: false };
    let (columns, rows) = SCREEN;
    let arguments = shown::arguments(&asked.call.arguments, columns);
    let room = rows - ROWS_FOR_THE_QUESTION;
    let mut arguments: Vec<&str> = arguments.lines().collect();
    let more = arguments.len().saturating_sub(room);
    arguments.truncate(room);
    let mut arguments = arguments.join("\n");
    if more > 0 {
        arguments.push_str(&format!("\n  … {more} more lines; `--json` has all"));
    }
    asked_with(PLAIN, asked, SCREEN, (arguments, "`--json` has all"))
}

fn question(terminal: Terminal, asked: &Asked, screen: (usize, usize)) -> String {
    let arguments = shown::arguments(&asked.call.arguments, screen.0);
    asked_with(terminal, asked, screen, (arguments, "`v` shows all"))
}

/// The question with its arguments, and what shows the rest of a long difference.
fn asked_with(
    terminal: Terminal,
    asked: &Asked,
    (columns, rows): (usize, usize),
    (arguments, rest): (String, &str),
) -> String {
    let (name, component, can) = who_and_what(asked);
    let head = terminal.styled(Style::Ask, &format!("? {name} of {component} {can}"));
    let mut lines = vec![head, arguments];
    lines.push(format!("  because {}", indented(&harmless(&asked.reason), 2)));
    if let Some(preview) = &asked.preview {
        let shown = shown::preview(preview, terminal, columns);
        let room = rows.saturating_sub(ROWS_FOR_THE_QUESTION).max(FEWEST_ROWS);
        let all = shown.lines.len();
        if shown.difference && all > room {
            lines.extend(shown.lines.into_iter().take(room));
            lines.push(format!("  … {} more lines; {rest}", all - room));
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

/// False for what is approved each time, as a copy out of the vault, and for a call that no pattern
/// describes: then an answer is for this call only.
fn can_be_answered_for_longer(asked: &Asked) -> bool {
    asked.impact != Impact::Vault && !asked.scope.is_empty()
}

fn choices(asked: &Asked) -> String {
    if !can_be_answered_for_longer(asked) {
        return "[y]es once, [e]dit, [n]o, [?] keys, or why not".to_owned();
    }
    let scope = exact(&asked.scope);
    format!("[y]es once, [s]ession for `{scope}`, [a]lways, [e]dit, [n]o, [?] keys, or why not")
}

/// What was not understood, and what would be.
fn unclear(line: &str, asked: &Asked) -> String {
    let line = excerpt(line, SHOWN_OF_A_LINE);
    match line.as_str() {
        "" => choices(asked),
        line => format!("`{line}` is no answer here, and nothing was answered: {}", choices(asked)),
    }
}

fn keys(asked: &Asked) -> String {
    let scope = exact(&asked.scope);
    let mut keys = vec![("y", "it runs, this time".to_owned())];
    if can_be_answered_for_longer(asked) {
        keys.push(("s", format!("it runs, and so do calls of `{scope}` in this session")));
        keys.push((
            "a",
            "it runs, and so do calls of a pattern from now on; which and for how long is asked"
                .to_owned(),
        ));
    }
    keys.push(("e", "it runs with other arguments, which are asked".to_owned()));
    keys.push(("v", "shows what it would do, all of it".to_owned()));
    keys.push(("n", "it does not run".to_owned()));
    keys.push(("a reason", "it does not run, and the model reads why".to_owned()));
    keys.push(("Ctrl-C", "the turn is cancelled".to_owned()));
    keys.push(("Ctrl-D", "the question stays open, and the session is left".to_owned()));
    let rows: Vec<Vec<String>> =
        keys.into_iter().map(|(key, what)| vec![format!("  {key}"), what]).collect();
    terminal::table(&rows).trim_end().to_owned()
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
        "?" => Line::Keys,
        "s" | "session" | "a" | "always" if !can_be_answered_for_longer(asked) => Line::Unclear,
        "s" | "session" => Line::Answer(ApprovalAnswer::Session { calls: None }),
        "a" | "always" => Line::Always,
        "e" | "edit" => Line::Edit,
        "v" | "view" => Line::View,
        "n" | "no" => Line::Answer(ApprovalAnswer::Deny { reason: None }),
        _ if line.chars().count() < SHORTEST_REASON => Line::Unclear,
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
        check("?", Line::Keys);
        // A key that was missed is no reason, nor is one that only looks like a key.
        for missed in ["x", "7", "ｙ", "у"] {
            check(missed, Line::Unclear);
        }
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
    fn a_call_that_no_pattern_describes_is_answered_for_itself_only() {
        let asked = Asked { scope: String::new(), ..asked("{}") };
        for line in ["s", "S", "a", "always", "session"] {
            assert_eq!(meaning(line, &asked), Line::Unclear, "{line}");
        }
        assert_eq!(meaning("y", &asked), Line::Answer(ApprovalAnswer::Once));
        assert!(prompt(&asked).ends_with("[y]es once, [e]dit, [n]o, [?] keys, or why not: "));
        assert!(!keys(&asked).contains("calls of"), "{}", keys(&asked));
    }

    #[test]
    fn the_keys_are_those_that_are_taken() {
        let asked = asked("{}");
        for (key, expect) in [("y", true), ("s", true), ("a", true), ("e", true), ("x", false)] {
            assert_eq!(keys(&asked).contains(&format!("  {key} ")), expect, "{key}");
            assert_eq!(meaning(key, &asked) != Line::Unclear, expect, "{key}");
        }
        assert!(unclear("x\u{1b}", &asked).starts_with("`x␛` is no answer here"));
    }

    #[test]
    fn what_is_asked_further_is_read_or_says_why_not() {
        assert_eq!(days(""), Ok(None));
        assert_eq!(days("7"), Ok(Some(7)));
        for bad in ["0", "-1", "soon", "7 days", "99999999999"] {
            assert!(days(bad).is_err(), "{bad}");
        }
        assert!(pattern("file_write(").unwrap_err().contains("is not a rule"));
        assert_eq!(pattern("file_write").unwrap(), "file_write");
        assert_eq!(other_arguments("{\"a\":1}", "{}").unwrap(), "{\"a\":1}");
        for bad in ["", "{}", "[1]", "{", "yes"] {
            assert!(other_arguments(bad, "{}").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_cuts_and_counts_what_is_longer_than_a_screen() {
        let lines: Vec<u32> = (0..40).collect();
        let text: String = (1..=40).map(|n| format!("+line {n}\n")).collect();
        let preview = Some(Preview::Difference { text, digest: "d".into() });
        let long = Asked { preview, ..asked(&serde_json::json!({ "n": lines }).to_string()) };
        let shown = listed(&long);
        assert!(shown.starts_with("? file_write of tool-files-write changes"), "{shown}");
        assert!(shown.contains("  … 26 more lines; `--json` has all\n  because"), "{shown}");
        assert!(shown.ends_with("  … 22 more lines; `--json` has all"), "{shown}");
        assert!(!listed(&asked("{\"a\":1}")).contains("more lines"));
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
            "allow `file_write` of `tool-files-write`, which changes your files or notes? [y]es once, [s]ession for `file_write(/shared/**)`, [a]lways, [e]dit, [n]o, [?] keys, or why not: "
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
