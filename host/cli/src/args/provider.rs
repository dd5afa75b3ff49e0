//! What can be typed about services that answer for models.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// List the services known by name; the one in use is marked.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show where a service is, how its key is sent, and what is set for it.
    Show {
        /// Its name.
        name: String,
    },
    /// Let a service answer: write its configuration, and let its component connect there.
    ///
    /// What remains to be done, such as storing the key, is said at the end. Nothing is written if
    /// any part of it would be refused.
    Add(AddService),
    /// Send one short request to the service in use, and say what works or what to do.
    Test {
        /// The service that is meant; it must be the one in use.
        name: Option<String>,
    },
}

/// Which service, and what is different about yours.
#[derive(Debug, Args)]
pub(crate) struct AddService {
    /// Its name, as `hydroid provider list` shows it.
    pub(crate) name: String,
    /// Where it is, if not where it usually is.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The model to ask, as the service knows it.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Set it up beside another service of the same component, as an instance of this name.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// Send no key.
    #[arg(long)]
    pub(crate) no_secret: bool,
}
