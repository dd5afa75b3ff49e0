//! What can be typed about services that answer for models.

use clap::builder::NonEmptyStringValueParser;
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
    /// Take a service out again: its configuration, and what its component was granted for it.
    ///
    /// A stored key stays; `hydroid secret remove` takes that away.
    Remove {
        /// Its name, or that of an instance.
        name: String,
    },
    /// Sign in to a service with a code that you type elsewhere, and store what that obtains.
    Login {
        /// The service; or a component of your own, or the secret that is meant.
        name: String,
        /// Sign in to a client of your own, where the service wants one.
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        client_id: Option<String>,
    },
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
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) model: Option<String>,
    /// Set it up beside another service of the same component, as an instance of this name.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// Send no key.
    #[arg(long)]
    pub(crate) no_secret: bool,
}
