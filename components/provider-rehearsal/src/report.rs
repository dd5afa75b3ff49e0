//! What is said: answers of commands without a tool, and the account at the end of a turn.
//!
//! Not a translation: results and errors of tools are quoted, never reworded.

use hydroid_component::provider::ToolDefinition;

use crate::digest;
use crate::grammar::{Command, HELP, parse};
use crate::numbered::Contents;
use crate::plan::{Progress, progress};
use crate::task::{Outcome, Step, Task};
use crate::text::clip;

/// The first sentence of everything that is not an answer to a command.
const INTRODUCTION: &str = "I am `rehearsal`, the built-in model, and there is no language model inside me: \
    I only follow a small grammar of commands and really run the tools they name.";

/// Characters of a result that is the only one.
const QUOTE_ALONE: usize = 4000;
/// Characters of one result among several.
const QUOTE_AMONG: usize = 600;

/// The account of a turn. Commands before `said` without a tool have spoken already.
pub fn summary(task: &Task, offered: &[ToolDefinition], said: usize) -> String {
    if let [command] = &task.commands[..] {
        return entry(task, offered, 0, command, QUOTE_ALONE);
    }
    let entries = task.commands.iter().enumerate().map(|(index, command)| {
        let spoken = index < said && matches!(progress(task, index, offered), Progress::Local);
        let text = if spoken {
            "done above".to_owned()
        } else {
            entry(task, offered, index, command, QUOTE_AMONG)
        };
        let indented = text.trim_end().replace('\n', "\n   ");
        let separator = if indented.contains('\n') { "\n   " } else { " " };
        format!("{}. {}:{separator}{indented}", index + 1, title(command))
    });
    entries.collect::<Vec<_>>().join("\n")
}

fn entry(
    task: &Task,
    offered: &[ToolDefinition],
    index: usize,
    command: &Command,
    limit: usize,
) -> String {
    match progress(task, index, offered) {
        Progress::Local => local(task, command),
        Progress::Stuck(reason) => format!("not done: {reason}"),
        Progress::Next(..) => "not done: it was never asked for".to_owned(),
        Progress::Done => {
            let first = task.outcome(Step { command: index, stage: 0 });
            let second = task.outcome(Step { command: index, stage: 1 });
            done(task, command, first, second, limit)
        }
    }
}

fn done(
    task: &Task,
    command: &Command,
    first: Option<Outcome>,
    second: Option<Outcome>,
    limit: usize,
) -> String {
    let Some(first) = first else { return "not done: no result came back".to_owned() };
    if first.is_error {
        return format!("not done: {}", clip(&first.text, limit));
    }
    match (command, second) {
        (Command::Summarise { file, .. }, None) => {
            digest::of_file(file, &Contents::new(&first.text))
        }
        (Command::Summarise { .. }, Some(second)) if second.is_error => {
            format!("read, but not written: {}", clip(&second.text, limit))
        }
        (_, Some(second)) => quote(&second.text, limit),
        (Command::Recall { about }, None) => {
            let remembered = remembered(task, about.as_deref());
            let new = remembered.into_iter().filter(|text| !first.text.contains(text));
            let lines =
                [quote(&first.text, limit)].into_iter().chain(new.map(|text| format!("- {text}")));
            lines.collect::<Vec<_>>().join("\n")
        }
        (Command::Read { .. }, None) => quote(&Contents::new(&first.text).quoted(), limit),
        (_, None) => quote(&first.text, limit),
    }
}

fn quote(text: &str, limit: usize) -> String {
    if text.trim().is_empty() { "done; the result is empty".to_owned() } else { clip(text, limit) }
}

/// The answer of a command that needs no tool.
pub fn local(task: &Task, command: &Command) -> String {
    match command {
        Command::Say { text } => text.clone(),
        Command::Think { text } => format!("thought about: {text}"),
        Command::Help => format!("{INTRODUCTION}\n\n{HELP}"),
        Command::Greet => format!("{INTRODUCTION} Say `help` to see them."),
        Command::Unknown { text } => format!(
            "{INTRODUCTION} I do not understand `{}`. Say `help` to see what I do understand.",
            clip(text, 200)
        ),
        Command::Incomplete { problem } => format!("not done: {problem}"),
        Command::Remember { text } => format!("I will find this in our conversation: {text}"),
        Command::Recall { about } => recall(task, about.as_deref()),
        Command::SummariseConversation => digest::of_conversation(&task.earlier),
        Command::List { .. }
        | Command::Read { .. }
        | Command::Write { .. }
        | Command::Append { .. }
        | Command::Replace { .. }
        | Command::Delete { .. }
        | Command::Search { .. }
        | Command::Fetch { .. }
        | Command::Time { .. }
        | Command::Query { .. }
        | Command::Summarise { .. }
        | Command::Call { .. } => "not done: it needs a tool".to_owned(),
    }
}

fn recall(task: &Task, about: Option<&str>) -> String {
    let found = remembered(task, about);
    match (found.is_empty(), about) {
        (false, _) => {
            let lines = found.iter().map(|text| format!("- {text}"));
            format!("You told me to remember:\n{}", lines.collect::<Vec<_>>().join("\n"))
        }
        (true, Some(about)) => {
            format!("You told me nothing to remember about `{about}` in this conversation.")
        }
        (true, None) => "You told me nothing to remember in this conversation.".to_owned(),
    }
}

/// What the user asked to remember in this conversation, this task included, oldest first.
fn remembered(task: &Task, about: Option<&str>) -> Vec<String> {
    let earlier = task.earlier.iter().flat_map(|text| parse(text));
    let all = earlier.chain(task.commands.iter().cloned()).filter_map(|command| match command {
        Command::Remember { text } => Some(text),
        _ => None,
    });
    let words: Vec<String> = about
        .unwrap_or_default()
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty() && !FILLING.contains(&word.to_lowercase().as_str()))
        .map(str::to_lowercase)
        .collect();
    let mut found: Vec<String> = Vec::new();
    for text in all {
        let lower = text.to_lowercase();
        let fits = words.is_empty() || words.iter().any(|word| lower.contains(word));
        if fits && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Words that say nothing about what to look for.
const FILLING: &[&str] = &["a", "an", "the", "my", "me", "i", "you", "your", "is", "of"];

/// A command in a few words.
fn title(command: &Command) -> String {
    let short = |text: &str| clip(text.lines().next().unwrap_or(text), 60);
    match command {
        Command::List { directory: Some(directory), .. } => format!("list `{directory}`"),
        Command::List { directory: None, .. } => "list files".to_owned(),
        Command::Read { file } => format!("read `{file}`"),
        Command::Write { file, .. } => format!("write `{file}`"),
        Command::Append { file, .. } => format!("append to `{file}`"),
        Command::Replace { file, .. } => format!("replace in `{file}`"),
        Command::Delete { file } => format!("delete `{file}`"),
        Command::Search { text, .. } => format!("search for `{}`", short(text)),
        Command::Fetch { url } => format!("fetch `{url}`"),
        Command::Time { .. } => "tell the time".to_owned(),
        Command::Query { filter, .. } => format!("query `{}`", short(filter)),
        Command::Remember { .. } => "remember".to_owned(),
        Command::Recall { .. } => "recall".to_owned(),
        Command::Summarise { file, into: Some(into) } => {
            format!("summarise `{file}` into `{into}`")
        }
        Command::Summarise { file, into: None } => format!("summarise `{file}`"),
        Command::SummariseConversation => "summarise the conversation".to_owned(),
        Command::Call { tool, .. } => format!("call `{tool}`"),
        Command::Think { .. } => "think".to_owned(),
        Command::Say { .. } => "say".to_owned(),
        Command::Help => "help".to_owned(),
        Command::Greet => "greet".to_owned(),
        Command::Incomplete { .. } => "an unfinished command".to_owned(),
        Command::Unknown { text } => format!("`{}`", short(text)),
    }
}
