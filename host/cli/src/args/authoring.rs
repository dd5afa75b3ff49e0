//! What authors of components type.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A new component.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its name: lower-case letters, digits and `-`.
    pub(crate) name: String,
    /// The language it is written in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub(crate) lang: Language,
    /// What it is for; all but `tool` in Rust, Python and JavaScript.
    #[arg(long, alias = "kind", value_enum, default_value_t = NewRole::Tool)]
    pub(crate) role: NewRole,
    /// A profile it wants, such as `web` or `file-read-only`; none if absent.
    #[arg(long = "profile", value_name = "PROFILE")]
    pub(crate) profiles: Vec<String>,
    /// The folder to make; the name if absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
}

/// A language with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// With the SDK; needs Rust's target `wasm32-wasip2`.
    Rust,
    /// Needs `componentize-py`.
    Python,
    /// JavaScript, or TypeScript; needs Node.js.
    Js,
    /// Needs clang, lld, wasi-libc and `wit-bindgen`.
    C,
    /// Needs Go 1.27 or newer and `wit-bindgen`.
    Go,
}

/// A role with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewRole {
    /// Offers tools to the model.
    Tool,
    /// Answers for models.
    Provider,
    /// Carries messages of a service.
    Channel,
    /// Turns texts into vectors.
    Embedder,
    /// Is asked at points of the loop.
    Hook,
    /// Finds the text in documents.
    Parser,
}

/// A build.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The component's folder.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// A try by hand.
#[derive(Debug, Args)]
pub(crate) struct RunTool {
    /// A `.wasm` file, or the name of an installed component.
    pub(crate) component: String,
    /// The tool.
    pub(crate) tool: String,
    /// Its arguments, a JSON object.
    #[arg(default_value = "{}")]
    pub(crate) arguments: String,
    /// A profile to grant for this call, such as `file-read-only`.
    #[arg(long = "grant", value_name = "PROFILE")]
    pub(crate) grants: Vec<String>,
    /// A host it may connect to with `--grant web`; those it declares if absent.
    #[arg(long = "host", value_name = "HOST[/PATH]")]
    pub(crate) hosts: Vec<String>,
    /// A directory with `shared` and `tmp` for it to see; an empty one that is removed afterwards
    /// if absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Print the whole result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A test.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The component's folder, or a `.wasm` file.
    #[arg(default_value = ".")]
    pub(crate) place: PathBuf,
    /// Try only cases with this in their name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Send the requests of the cases, once, and keep the answers in `recorded.json`.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) record: bool,
    /// Try what every component of this role must keep to, too.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub(crate) conformance: Option<NewRole>,
    /// Build and test again whenever a file of the folder changes.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Test what was built last.
    #[arg(long)]
    pub(crate) no_build: bool,
}
