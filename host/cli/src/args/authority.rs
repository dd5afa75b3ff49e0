//! What can be typed about who may do what: approvals, rules, the audit log, the emergency stop.

use clap::{Args, Subcommand, ValueEnum};
use hydroid_core::policy;
use std::path::PathBuf;

/// How much may happen without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Nothing is changed.
    Plan,
    /// As the rules say.
    Default,
    /// Changes of files in the workspace and of notes run without asking.
    AcceptEdits,
    /// Nobody is asked: what would be asked is denied.
    Headless,
}

impl From<Mode> for policy::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Plan => Self::Plan,
            Mode::Default => Self::Default,
            Mode::AcceptEdits => Self::AcceptEdits,
            Mode::Headless => Self::Headless,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    /// List questions that wait for an answer, and what is allowed for good.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Show what was taken back or has ended too.
        #[arg(long)]
        all: bool,
    },
    /// Answer a question that waits, and run the turn on to its end.
    Answer(Answer),
    /// Allow calls from now on, such as `file_write(/shared/notes/**)`.
    ///
    /// Copies out of the vault are asked each time all the same.
    Allow {
        /// Which calls: `tool`, `tool(/path/**)`, `tool(*.example.com)` or `tool(argument=text*)`.
        #[arg(value_name = "TOOL(PATTERN)")]
        calls: String,
        /// Only calls of this component.
        #[arg(long, value_name = "NAME")]
        component: Option<String>,
        /// After how many days it ends; never if absent.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        days: Option<u32>,
    },
    /// Take back what was allowed for good.
    Revoke {
        /// Its identifier, as `hydroid approval list` shows it.
        id: String,
    },
}

/// What is answered.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The call, as `hydroid approval list` shows it.
    pub(crate) call: String,
    /// What is answered.
    #[arg(value_enum)]
    pub(crate) answer: Given,
    /// In which session, if calls of several have this identifier.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Which calls `session` and `always` are about; those that were offered if absent.
    #[arg(long, value_name = "TOOL(PATTERN)")]
    pub(crate) calls: Option<String>,
    /// After how many days `always` ends; never if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: Option<u32>,
    /// Why it is denied; the model reads it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The arguments to run it with instead, for `edit`.
    #[arg(long, value_name = "JSON")]
    pub(crate) arguments: Option<String>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Given {
    /// Run it, this time.
    Once,
    /// Run it, and calls like it for the rest of the session.
    Session,
    /// Run it, and calls like it from now on.
    Always,
    /// Run it with other arguments.
    Edit,
    /// Do not run it.
    Deny,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say whether a call would run, be asked about or be denied, and why.
    Check(Check),
}

/// How `policy check` says what would become of the call.
const CHECKED: &str = "Exit codes:
  0  it would run
  1  something went wrong
  2  the command line was wrong
  6  it would be denied
  7  it would be asked about";

/// Which call.
#[derive(Debug, Args)]
#[command(after_help = CHECKED)]
pub(crate) struct Check {
    /// A tool, and what it would be called with: `"file_write /shared/x"` or
    /// `"file_write(/shared/x)"`; other arguments it needs are made up, and named.
    #[arg(value_name = "CALL")]
    pub(crate) call: String,
    /// All arguments as JSON.
    #[arg(long, value_name = "JSON")]
    pub(crate) arguments: Option<String>,
    /// How much may happen without asking; `policy.mode` if absent.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// As if the session had read something that nobody vouches for.
    #[arg(long)]
    pub(crate) tainted: bool,
    /// As if the session had read something secret.
    #[arg(long)]
    pub(crate) secret: bool,
    /// As if it came through this channel.
    #[arg(long, value_name = "NAME", default_value = "terminal")]
    pub(crate) channel: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Label {
    /// List files, sessions and notes that hold something secret.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that a place holds nothing secret any more.
    ///
    /// What was read from it before stays secret where it went.
    Clear {
        /// The place, as the list shows it.
        #[arg(value_name = "PLACE")]
        place: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the last records.
    Tail {
        /// How many.
        #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
        lines: u32,
        /// Go on and show what is added.
        #[arg(long, short)]
        follow: bool,
    },
    /// Find records.
    Query(Query),
    /// Look for records that were removed, changed, put in or moved.
    Verify,
    /// Write all records to a file, or `-` for standard output.
    Export {
        /// The file; one that is there is left alone.
        file: PathBuf,
        /// Replace what is in the file.
        #[arg(long)]
        force: bool,
        /// How to write them.
        #[arg(long, value_enum, default_value_t = AuditFormat::Jsonl)]
        format: AuditFormat,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// What was done: `call-decided`, `request`, `grant-changed` …
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// What came of it: `allowed`, `asked`, `denied` or `failed`.
    #[arg(long)]
    pub(crate) outcome: Option<String>,
    /// By which component.
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Option<String>,
    /// In which session; the beginning of an identifier is enough.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// For which call.
    #[arg(long, value_name = "ID")]
    pub(crate) call: Option<String>,
    /// Not before: `30m`, `1h`, `7d` ago, or a date like `2026-11-22`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Print JSON, a record a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the audit log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// A JSON object a line.
    Jsonl,
    /// A table for a spreadsheet.
    Csv,
}

/// Stop, or go on; without a flag, the daemon ends.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Stop {
    /// Cut every turn, tool and request of every process of this home, and let nothing begin.
    #[arg(long)]
    pub(crate) all: bool,
    /// Let everything go on.
    #[arg(long)]
    pub(crate) release: bool,
}
