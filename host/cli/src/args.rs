//! What can be typed. Parsing touches nothing and decides nothing.

pub(crate) mod authoring;
mod authority;
mod gateway;
mod mcp;
mod memory;
mod model;
mod provider;
mod shipping;
mod skill;
mod tui;

use authoring::{Build, New, RunTool, Test};
pub(crate) use authority::{
    Answer, Approval, Audit, AuditFormat, Check, Given, Label, Mode, Policy, Query, Stop,
};
pub(crate) use gateway::{Daemon, Logs, Serve, TokenCommand, TokenScope, Web};
pub(crate) use mcp::{AddServer, CallServer, Mcp, ServeMcp};
pub(crate) use memory::{Backup, Memory, NotesFormat, SearchMemory};
pub(crate) use model::{By, Cost, Model};

pub(crate) use provider::{AddService, Provider};
pub(crate) use shipping::{Add, IndexFile, Key, Level, Publish, Registry, Update};
pub(crate) use skill::Skill;
pub(crate) use tui::Tui;

use crate::exit;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// An agent whose every provider and tool is a WebAssembly component that can do only what you
/// granted it.
#[derive(Debug, Parser)]
#[command(name = "hydroid", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Set a configuration key for this command, above every file and variable.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, help_heading = "Configuration")]
    pub(crate) set: Vec<String>,
    /// Directory with `shared/`, `tmp/` and `vault/` that tools work in.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Configuration")]
    pub(crate) workspace: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say one thing, run the turn, and end.
    ///
    /// The answer goes to standard output, everything else to standard error. What is piped in
    /// beside the text is data, like an attached file; alone it is what is said. Where nobody can be asked, calls that need approval are denied unless
    /// `--allow` names their tool.
    Ask(Ask),
    /// Talk in the terminal.
    ///
    /// Ctrl-C cancels a turn, Ctrl-D ends; `/help` lists what else there is.
    Chat(Chat),
    /// Talk on the whole screen, in several sessions at once.
    ///
    /// It is a client of the daemon, which is started if it does not run. `F1` lists keys and
    /// commands.
    Tui(Tui),
    /// Choose which service answers, and try it.
    #[command(subcommand, arg_required_else_help = true)]
    Provider(Provider),
    /// See and change what is installed, and what it may do.
    #[command(subcommand, arg_required_else_help = true)]
    Component(Component),
    /// See what is known of models, and bring it up to date.
    #[command(subcommand, arg_required_else_help = true)]
    Model(Model),
    /// See what models have cost.
    Cost(Cost),
    /// See earlier conversations and go on with them.
    #[command(subcommand, arg_required_else_help = true)]
    Session(Session),
    /// Look through what is remembered, add to it, and forget.
    #[command(subcommand, arg_required_else_help = true)]
    Memory(Memory),
    /// Keep instructions for certain work, which sessions load when it fits.
    #[command(subcommand, arg_required_else_help = true)]
    Skill(Skill),
    /// Speak the Model Context Protocol: offer tools to its clients, and use those of its servers.
    #[command(subcommand, arg_required_else_help = true)]
    Mcp(Mcp),
    /// Copy sessions and memory, and put a copy back.
    #[command(subcommand, arg_required_else_help = true)]
    Backup(Backup),
    /// See and change the configuration.
    #[command(subcommand, arg_required_else_help = true)]
    Config(Config),
    /// Store the credentials that components use, sealed.
    #[command(subcommand, arg_required_else_help = true)]
    Secret(Secret),
    /// Keys of publishers: which you trust, and your own to sign with.
    #[command(subcommand, arg_required_else_help = true)]
    Key(Key),
    /// Look through the components that are offered, without the network.
    #[command(subcommand, arg_required_else_help = true)]
    Registry(Registry),
    /// Answer questions that wait, and see and change what is allowed for good.
    #[command(subcommand, arg_required_else_help = true)]
    Approval(Approval),
    /// Try the rules that decide which calls run.
    #[command(subcommand, arg_required_else_help = true)]
    Policy(Policy),
    /// See what was decided and done, and whether the record of it is whole.
    #[command(subcommand, arg_required_else_help = true)]
    Audit(Audit),
    /// Where something secret has gone, and what a session that reads it may not do.
    #[command(subcommand)]
    Label(Label),
    /// Serve clients: terminals, pages, programs.
    ///
    /// It listens on this machine only, unless `--bind` says otherwise; then TLS and a token are
    /// needed. Ctrl-C or a polite kill ends what runs and records it.
    Serve(Serve),
    /// Serve in the background.
    Start(Serve),
    /// End the daemon, or cut everything at once with `--all`.
    Stop(Stop),
    /// End the daemon and start it again.
    Restart(Serve),
    /// Whether the daemon runs, where, and what it does.
    Status(Daemon),
    /// What was logged.
    Logs(Logs),
    /// Let a browser in: prints a link that is good once, and starts the daemon if it does not run.
    Web(Web),
    /// Tokens with which clients show who they are.
    #[command(subcommand, arg_required_else_help = true)]
    Token(TokenCommand),
    /// Look for what is missing or broken.
    Doctor,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Try single parts of the host, for tests and reports.
    #[command(subcommand, hide = true, arg_required_else_help = true)]
    Debug(Debug),
}

/// Who answers.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ModelChoice {
    /// The model, as the provider knows it.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) model: Option<String>,
    /// The provider component that answers.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) provider: Option<String>,
}

/// What to say, and how.
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Ask {
    /// What to say; several words are joined.
    #[arg(value_name = "TEXT")]
    pub(crate) text: Vec<String>,
    /// Go on with this session; the beginning of an identifier is enough.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Print every message as a line of JSON.
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
    /// Say this image, PDF or sound too; up to four of 10 MiB.
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Let this tool run without asking, in this command; `tool(pattern)` says with what.
    #[arg(long, value_name = "TOOL")]
    pub(crate) allow: Vec<String>,
    /// How much may happen without asking; `policy.mode` if absent.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    #[command(flatten)]
    pub(crate) choice: ModelChoice,
    /// Show the answer and what went wrong, nothing else.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Write the session as a recording that `--replay` plays.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Let a recording answer instead of a model.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "provider"])]
    pub(crate) replay: Option<PathBuf>,
}

/// Where to begin.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Go on with this session; the beginning of an identifier is enough.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// How much may happen without asking; `policy.mode` if absent.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    #[command(flatten)]
    pub(crate) choice: ModelChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// List what is installed.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Ask the registries components came from, and list those that have a newer version.
        #[arg(long, conflicts_with = "json")]
        outdated: bool,
    },
    /// Show what a component is, wants, can and cannot do.
    Inspect {
        /// Its name.
        name: String,
    },
    /// Say whether a component file would load, and if not, everything that is in its way.
    Check {
        /// The `.wasm` file.
        file: PathBuf,
    },
    /// Install a component, and say what it may do.
    ///
    /// What it wants is shown and asked about. Where nobody can be asked it is granted nothing,
    /// unless `--yes` allows what is shown.
    Add(Add),
    /// Install newer versions of components that came from a registry.
    ///
    /// A version that wants more than the one before is asked about.
    Update(Update),
    /// Go back to the version before.
    Rollback {
        /// Its name.
        name: String,
        /// Allow what it wants without being asked.
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring a component to a registry.
    Publish(Publish),
    /// Search the components that are offered with this release.
    Search {
        /// What to look for in names and descriptions.
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
    },
    /// Remove a component and its grants.
    Remove {
        /// Its name.
        name: String,
    },
    /// Let a component do something it declares.
    ///
    /// What is granted holds for the bytes that are installed now, and takes effect at once.
    Grant(Grant),
    /// Make a folder for a new component, which builds at once.
    New(New),
    /// Build the component of a folder: one `.wasm` with its manifest inside.
    Build(Build),
    /// Call a tool by hand, with what is granted for this one call.
    Run(RunTool),
    /// Test a component offline, as the host would run it.
    ///
    /// The cases are in `cases.toml` of its folder; what hosts answer is in `recorded.json`.
    Test(Test),
    /// Take grants back.
    Revoke {
        /// The component.
        name: String,
        /// The profile; all of them if absent.
        profile: Option<String>,
        /// Take away only this host, as `hydroid component inspect` shows it, and leave the rest.
        #[arg(long = "host", value_name = "HOST[/PATH]", requires = "profile")]
        hosts: Vec<String>,
    },
}

/// Who may do what.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The component.
    pub(crate) name: String,
    /// The profile, such as `web` or `file-read-only`; `hydroid component inspect` shows what the
    /// component wants.
    pub(crate) profile: String,
    /// A host it may connect to, for `web`, with the path below which it may if that is not all:
    /// `api.example.com/v1`; those it declares if absent.
    #[arg(long = "host", value_name = "HOST[/PATH]")]
    pub(crate) hosts: Vec<String>,
    /// Grant exactly the hosts named here, in place of those in force.
    #[arg(long, requires = "hosts")]
    pub(crate) only: bool,
    /// A method it may use at these hosts, for `web`; all that it declares if absent.
    #[arg(long = "method", value_name = "METHOD", requires = "hosts")]
    pub(crate) methods: Vec<String>,
    /// A secret it may attach, for `web`; those it declares if absent.
    #[arg(long = "secret", value_name = "NAME")]
    pub(crate) secrets: Vec<String>,
    /// A tool of another component it may call, for `invoke`, or its child turns may have, for
    /// `delegate`; those it declares if absent.
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// How much it may keep for each person, for `state`, such as `512KiB`; what it declares if
    /// absent.
    #[arg(long, value_name = "SIZE")]
    pub(crate) quota: Option<String>,
    /// Accept that it can read your files and send them away.
    #[arg(long)]
    pub(crate) files_and_web: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List sessions, newest first.
    List {
        /// Those that were put away instead of the others.
        #[arg(long)]
        archived: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what was said and done.
    Show {
        /// The session; the beginning of an identifier is enough.
        id: String,
    },
    /// Go on with a session in the terminal.
    Resume {
        /// The session; the beginning of an identifier is enough.
        id: String,
        #[command(flatten)]
        choice: ModelChoice,
    },
    /// Sum up the older part of a session, so that the newer fits a model's window.
    Compact {
        /// The session; the beginning of an identifier is enough.
        id: String,
        #[command(flatten)]
        choice: ModelChoice,
    },
    /// Give a session another title.
    Rename {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// The title; several words are joined.
        #[arg(required = true)]
        title: Vec<String>,
    },
    /// Put a session away.
    Archive {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// Take it out again.
        #[arg(long)]
        undo: bool,
    },
    /// Copy a session into a new one, and print its identifier.
    Fork {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// Leave out so many of its last turns.
        #[arg(long, value_name = "TURNS", default_value_t = 0)]
        without: usize,
        /// The copy's title; that of the session if absent.
        #[arg(long)]
        title: Option<String>,
    },
    /// Let a conversation forget its last turns; what was done is not undone.
    Rewind {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// How many.
        #[arg(long, value_name = "TURNS", default_value_t = 1)]
        turns: usize,
    },
    /// Find words in what was said.
    Search {
        /// The words.
        #[arg(required = true)]
        words: Vec<String>,
        /// In this session only; the beginning of an identifier is enough.
        #[arg(long, value_name = "ID")]
        session: Option<String>,
        /// How many at most.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a session for good.
    Delete {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Write a session to standard output.
    Export {
        /// The session; the beginning of an identifier is enough.
        id: String,
        /// How to write it.
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
    },
}

/// How a session is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One entry of the journal a line.
    Jsonl,
    /// To read.
    Markdown,
    /// For `hydroid ask --replay`.
    Replay,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show what is in force and where it comes from.
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Explain a key, a group of keys, or all.
    Explain {
        /// The key, like `turn.max_steps`, or a group, like `turn`.
        key: Option<String>,
    },
    /// Show which files are read.
    Path,
    /// Set a key in your configuration file, or several that belong together.
    Set {
        /// The key, like `turn.max_steps`.
        key: String,
        /// The value.
        value: String,
        /// Further keys, each with its value: all of them are set, or none.
        #[arg(value_name = "KEY VALUE")]
        more: Vec<String>,
    },
    /// Take keys, or groups of keys, out of your configuration file.
    Unset {
        /// The key, like `turn.max_steps`, or a group, like `components.tool-web`.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Store a value, or replace it.
    ///
    /// The value is asked for and not shown, or read from standard input; it is never an argument,
    /// which other programs and the shell's history would see.
    Set {
        /// Its name, as a component's manifest has it; options stand before it.
        name: String,
        /// What stands here is a value by mistake; it is taken so that it is not repeated.
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        more: Vec<OsString>,
    },
    /// List names, never values.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a stored value.
    Remove {
        /// Its name.
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Seal every stored value under a new master key, in the place that
    /// `secrets_store.master_key` names.
    Rotate,
    /// Store every value of a dotenv file or of a JSON object.
    Import {
        /// The file; standard input if absent.
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Debug {
    /// Mask secrets: a JSON string, or an object with `text` and perhaps `secrets`, a line in;
    /// a JSON string, or an object with `text`, `redactions` and `kinds`, a line out.
    Scrub {
        /// Read lines from standard input.
        #[arg(long, required = true)]
        stdin_jsonl: bool,
        /// Feed the text in pieces of so many bytes, as a model's answer comes.
        #[arg(long, value_name = "BYTES")]
        chunk: Option<std::num::NonZeroUsize>,
    },
    /// Try URLs against the network rules: a URL a line in, a JSON object a line out.
    Fetch {
        /// Read lines from standard input.
        #[arg(long, required = true)]
        stdin: bool,
    },
    /// Call one tool without a model.
    Call {
        /// The component.
        component: String,
        /// The tool.
        tool: String,
        /// Arguments as JSON.
        #[arg(value_name = "ARGUMENTS")]
        arguments: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Be a client of the Model Context Protocol that signs in by itself and calls every tool.
    McpClient {
        /// The server.
        url: String,
        /// What a suite hands to a client, as JSON.
        #[arg(long, value_name = "JSON")]
        context: Option<String>,
        /// Speak the protocol without sessions, of 2026-07-28.
        #[arg(long)]
        sessionless: bool,
    },
    /// Read arguments of a call from standard input as the host reads a model's.
    ParseArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["hydroid"], words].concat())
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_and_after_the_command() {
        let arguments = parse(&["--set", "a=1", "ask", "hi", "--workspace", "w"]).unwrap();
        assert_eq!(
            (arguments.set, arguments.workspace),
            (vec!["a=1".to_owned()], Some(PathBuf::from("w")))
        );
    }

    #[test]
    fn words_need_no_quotes_and_flags_repeat() {
        let Command::Ask(ask) =
            parse(&["ask", "list", "files", "--allow", "a", "--allow", "b"]).unwrap().command
        else {
            panic!()
        };
        assert_eq!(
            (ask.text, ask.allow),
            (vec!["list".to_owned(), "files".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(parse(&["ask", "--json", "--quiet", "hi"]).is_err());
        assert!(parse(&["ask", "--replay", "f", "--model", "m", "hi"]).is_err());
        assert!(parse(&["session", "export", "x", "--format", "pdf"]).is_err());
        assert!(parse(&["debug", "scrub"]).is_err());
        assert!(parse(&["nonsense"]).is_err());
    }
}
