//! What can be typed about where components come from and who vouches for them.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to install.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// A `.wasm` file, `oci://HOST/REPOSITORY:VERSION`, perhaps with `@sha256:…`, or
    /// `https://…#sha256=…`.
    #[arg(value_name = "FILE|PLACE")]
    pub(crate) source: String,
    /// Allow what it wants without being asked.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Install it although nobody you know has signed it.
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// Install it although it is older than what is installed.
    #[arg(long)]
    pub(crate) allow_older: bool,
}

/// What to bring up to date.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The component; all that came from a registry if absent.
    pub(crate) name: Option<String>,
    /// Allow what a new version wants without being asked.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Install new versions although nobody you know has signed them.
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
}

/// What to bring where.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The `.wasm` file.
    pub(crate) file: PathBuf,
    /// `oci://HOST/REPOSITORY`, with `:TAG` if it is not the component's version.
    #[arg(value_name = "PLACE")]
    pub(crate) place: String,
    /// Which of your keys signs it; the only one if absent. A signature beside the file is taken
    /// as it is.
    #[arg(long, value_name = "NAME", conflicts_with = "unsigned")]
    pub(crate) key: Option<String>,
    /// Publish it without a signature.
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// Put it in place of other bytes that were published under this tag.
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key of your own to sign components with; its secret half is sealed.
    Create {
        /// What to call it.
        name: String,
    },
    /// List keys and how far they are trusted.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Trust a publisher's key.
    Trust {
        /// The key, `ed25519:…`, or the name of one in the list.
        key: String,
        /// What to call it.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// How far.
        #[arg(long, value_enum, default_value_t = Level::Trusted)]
        level: Level,
    },
    /// Trust a key no longer: what it signed is not installed, and not used where it is.
    Distrust {
        /// The key, `ed25519:…`, or the name of one in the list.
        key: String,
    },
    /// Sign a component or an index of components; the signature is written to `FILE.sig`.
    Sign {
        /// The file.
        file: PathBuf,
        /// Which of your keys; the only one if absent.
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
    },
}

/// How far a key is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// A newer version that wants no more than the one before is not asked about.
    Trusted,
    /// Each version is asked about.
    Known,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// List what is offered.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: IndexFile,
    },
    /// Find components by words of their names, descriptions and tools.
    Search {
        /// What to look for.
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
        #[command(flatten)]
        of: IndexFile,
    },
    /// Show what a component does and wants.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        of: IndexFile,
    },
}

/// Which index is looked through.
#[derive(Debug, Default, Args)]
pub(crate) struct IndexFile {
    /// An index of somebody else, with a signature of a key you trust in `FILE.sig`.
    #[arg(long = "from", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
