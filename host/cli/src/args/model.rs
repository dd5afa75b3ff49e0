//! What can be typed about models and what they cost.

use clap::{Args, Subcommand, ValueEnum};
use hydroid_core::ports::Grouping;

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// List models that services offer, with their limits and prices.
    List {
        /// Only those whose identifier or name has this in it.
        #[arg(value_name = "FILTER")]
        filter: Option<String>,
        /// Only those of this provider of the catalog, or those that this component lists itself.
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of a model.
    Show {
        /// The model, as `provider/model`, or as each provider that has it calls it.
        id: String,
    },
    /// Check the catalog, your overlay and the configured model, and say what is not known.
    Verify,
    /// Bring the catalog up to date from models.dev, or from a file or an address.
    ///
    /// What is there is checked as a whole before it is taken; what is broken changes nothing.
    Update {
        /// A file, or an address that begins with `https://`; https://models.dev/api.json if
        /// absent.
        #[arg(long, value_name = "FILE|URL")]
        from: Option<String>,
    },
}

/// What was spent on models.
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// Only today, which begins at midnight UTC.
    #[arg(long, conflicts_with = "since")]
    pub(crate) today: bool,
    /// Only since then: `30m`, `1h`, `7d` ago, or a day like `2026-11-22`.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only this session; the beginning of an identifier is enough.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Put together by this.
    #[arg(long, value_enum)]
    pub(crate) by: Option<By>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How what was spent is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The session.
    Session,
    /// The turn.
    Turn,
    /// The day, in UTC.
    Day,
    /// The model.
    Model,
    /// The agent.
    Agent,
    /// The user.
    User,
}

impl From<By> for Grouping {
    fn from(by: By) -> Self {
        match by {
            By::Session => Self::Session,
            By::Turn => Self::Turn,
            By::Day => Self::Day,
            By::Model => Self::Model,
            By::Agent => Self::Agent,
            By::User => Self::User,
        }
    }
}
