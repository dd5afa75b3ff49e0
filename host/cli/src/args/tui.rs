//! What can be typed about the full-screen terminal.

use clap::Args;

/// Where to begin, and how it looks.
#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// Go on with this session; the beginning of an identifier is enough.
    #[arg(long, value_name = "ID", conflicts_with = "last")]
    pub(crate) session: Option<String>,
    /// Go on with the session that something happened in last.
    #[arg(long)]
    pub(crate) last: bool,
    /// Colours: those of the terminal, for a dark or a light ground, or none.
    #[arg(long, value_name = "NAME", value_parser = ["terminal", "dark", "light", "plain"])]
    pub(crate) theme: Option<String>,
    /// A host elsewhere, like `wss://host.example`, with a token in `HYDROID_TOKEN` or asked for.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}
