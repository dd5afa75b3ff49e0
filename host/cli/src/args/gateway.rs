//! What can be typed about the daemon and its clients.

use clap::{Args, Subcommand, ValueEnum};

/// Where to listen.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port; `gateway.bind` if absent.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) bind: Option<String>,
    /// It was started by `hydroid start`.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

/// How to say it.
#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What of the log.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// How many lines.
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 200)]
    pub(crate) lines: usize,
    /// Go on with what is logged from now on.
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// How to let a browser in.
#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Open the link, too.
    #[arg(long)]
    pub(crate) open: bool,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenScope {
    /// See sessions and figures.
    Read,
    /// Also say things, answer approvals, and change sessions.
    Chat,
    /// Also what concerns the whole host.
    Admin,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it; it cannot be shown again.
    Create {
        /// Whose it is; `user` of the configuration if absent. Users come into being so.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// What uses it, for the list.
        #[arg(long, value_name = "NAME", default_value = "client")]
        client: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "chat")]
        scope: TokenScope,
        /// After how many days it ends; never if absent.
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// List tokens, never what they are.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a token back; who uses it is out at the next request.
    Revoke {
        /// Its identifier, as the list has it.
        id: String,
    },
}
