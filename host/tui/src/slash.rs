//! Commands that begin with `/`: one table, which the help, the completion and the documentation
//! are made of. What they do is elsewhere.

/// One command.
#[derive(Debug)]
pub(crate) struct Slash {
    /// Its name, without the stroke.
    pub(crate) name: &'static str,
    /// What may follow.
    pub(crate) arguments: &'static str,
    /// What it does.
    pub(crate) does: &'static str,
    pub(crate) command: Command,
}

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Approve,
    Archive,
    Attach,
    Btw,
    Cancel,
    CancelAll,
    Clear,
    Compact,
    Components,
    Cost,
    Delete,
    Effort,
    Export,
    Fork,
    Help,
    Memory,
    Model,
    New,
    Policy,
    Quit,
    Rename,
    Rewind,
    Search,
    Sessions,
    Skill,
    Skills,
    Status,
    Steer,
    Switch,
    Theme,
    Tools,
}

const fn slash(
    name: &'static str,
    arguments: &'static str,
    command: Command,
    does: &'static str,
) -> Slash {
    Slash { name, arguments, does, command }
}

/// The table, by name.
pub(crate) const COMMANDS: [Slash; 31] = [
    slash(
        "approve",
        "[once|session|always [PATTERN]|deny [REASON]]",
        Command::Approve,
        "answer the question that waits, or go to it",
    ),
    slash("archive", "", Command::Archive, "put this session away"),
    slash("attach", "FILE", Command::Attach, "say an image, PDF or sound with the next message"),
    slash(
        "btw",
        "QUESTION",
        Command::Btw,
        "ask something beside the conversation, which leaves no trace in it",
    ),
    slash("cancel", "", Command::Cancel, "stop the running turn"),
    slash(
        "cancelall",
        "",
        Command::CancelAll,
        "stop every running turn of yours, and drop messages that wait",
    ),
    slash(
        "clear",
        "",
        Command::Clear,
        "let the conversation forget everything; the journal keeps it",
    ),
    slash("compact", "", Command::Compact, "sum up the older part of the conversation now"),
    slash("components", "", Command::Components, "what is installed"),
    slash("cost", "[all]", Command::Cost, "what models have cost, in this session or in all"),
    slash("delete", "", Command::Delete, "remove this session for good"),
    slash("effort", "[LEVEL|default]", Command::Effort, "how hard the model thinks"),
    slash(
        "export",
        "[markdown|jsonl|replay] [FILE]",
        Command::Export,
        "write this session to a file",
    ),
    slash("fork", "[TITLE]", Command::Fork, "copy this session and go on in the copy"),
    slash("help", "", Command::Help, "keys and commands"),
    slash("memory", "[WORDS|forget NOTE]", Command::Memory, "notes that are kept"),
    slash("model", "[NAME|default]", Command::Model, "which model answers in this session"),
    slash("new", "[TITLE]", Command::New, "begin a session"),
    slash(
        "policy",
        "[mode MODE|revoke APPROVAL]",
        Command::Policy,
        "the rules in force, and how much may happen without asking",
    ),
    slash("quit", "", Command::Quit, "leave; what runs goes on"),
    slash("rename", "TITLE", Command::Rename, "give this session another title"),
    slash(
        "rewind",
        "[TURNS]",
        Command::Rewind,
        "let the conversation forget its last turns, and write the first of them again",
    ),
    slash("search", "[WORDS]", Command::Search, "search all sessions"),
    slash("sessions", "[archived]", Command::Sessions, "choose a session"),
    slash("skill", "NAME|off NAME", Command::Skill, "load a skill in this session, or unload it"),
    slash("skills", "", Command::Skills, "choose a skill to load or to unload"),
    slash("status", "", Command::Status, "how the host is"),
    slash("steer", "TEXT", Command::Steer, "say something into the running turn"),
    slash(
        "switch",
        "SESSION",
        Command::Switch,
        "go to a session by the beginning of its identifier or a part of its title",
    ),
    slash("theme", "[NAME]", Command::Theme, "colours: terminal, dark, light, plain"),
    slash("tools", "", Command::Tools, "tools on offer"),
];

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// It is said to the model.
    Said,
    /// A command and what follows it.
    Command(Command, &'a str),
    /// It looks like a command, and is none.
    Unknown(&'a str),
}

/// Reads a line. With a space before the stroke it is said. A path such as `/etc/hosts` is no command, nor is anything over several lines
/// that begins with an unknown word.
pub(crate) fn read(text: &str) -> Line<'_> {
    let Some(rest) = text.strip_prefix('/') else { return Line::Said };
    let rest = rest.trim_end();
    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match COMMANDS.iter().find(|command| command.name == name.to_lowercase()) {
        Some(slash) => Line::Command(slash.command, rest.trim()),
        None if name.contains('/') || text.trim_end().contains('\n') => Line::Said,
        None => Line::Unknown(name),
    }
}

/// Commands that begin as the line does, while their name is being written.
pub(crate) fn beginning(text: &str) -> Vec<&'static Slash> {
    match text.strip_prefix('/') {
        Some(name) if !name.contains(char::is_whitespace) => {
            let name = name.to_lowercase();
            COMMANDS.iter().filter(|command| command.name.starts_with(&name)).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

/// The table as Markdown, for the documentation.
pub fn table() -> String {
    let mut text = "| command | what it does |\n|---|---|\n".to_owned();
    for slash in &COMMANDS {
        let arguments = match slash.arguments {
            "" => String::new(),
            arguments => format!(" {}", arguments.replace('|', "\\|")),
        };
        text.push_str(&format!("| `/{}{arguments}` | {} |\n", slash.name, slash.does));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_and_begin_apart() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
    }

    #[test]
    fn a_command_is_told_from_what_is_said() {
        assert_eq!(read("hello /help"), Line::Said);
        assert_eq!(read(" /help"), Line::Said);
        assert_eq!(read("/help "), Line::Command(Command::Help, ""));
        assert_eq!(read("/rename  Two words "), Line::Command(Command::Rename, "Two words"));
        assert_eq!(read("/etc/hosts is what?"), Line::Said);
        assert_eq!(read("/hlep"), Line::Unknown("hlep"));
        assert_eq!(read("/x\nmore"), Line::Said);
        assert_eq!(read("/btw a\nb"), Line::Command(Command::Btw, "a\nb"));
    }

    #[test]
    fn a_name_is_completed_while_it_is_written() {
        let names = |text| beginning(text).iter().map(|slash| slash.name).collect::<Vec<_>>();
        assert_eq!(names("/ca"), ["cancel", "cancelall"]);
        assert_eq!(names("/").len(), COMMANDS.len());
        assert!(names("/cancel ").is_empty());
        assert!(names("ca").is_empty());
    }
}
