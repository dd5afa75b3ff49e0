//! What can be typed about the Model Context Protocol.

use super::Mode;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Mcp {
    /// Offer the tools of components to a client of the protocol.
    ///
    /// It speaks over standard input and output, as clients start servers, or over HTTP. A call
    /// goes the way of every call: what needs a person is asked only with `--ask`, and is denied
    /// otherwise.
    Serve(ServeMcp),
    /// Add a server, so that models may use its tools.
    ///
    /// `hydroid mcp add docs https://mcp.example/mcp`, or `hydroid mcp add local --stdio node
    /// server.js`. You are shown what it offers, and asked. A program runs without a sandbox.
    Add(AddServer),
    /// List the servers.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one server and what a model is told of its tools.
    Show {
        /// The server.
        name: String,
        /// Connect, and show what it says otherwise now.
        #[arg(long)]
        changes: bool,
    },
    /// Connect to a server and compare what it offers with what you allowed.
    Test {
        /// The server.
        name: String,
    },
    /// Call a tool of a server yourself.
    Call(CallServer),
    /// Allow what a server says of its tools now, and the program as it is now.
    Allow {
        /// The server.
        name: String,
        /// Allow it without being asked.
        #[arg(long, short)]
        yes: bool,
    },
    /// Sign in to a server with a browser.
    Login {
        /// The server.
        name: String,
        /// The client, for services that register none by themselves.
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
        /// The stored secret that is the client's.
        #[arg(long, value_name = "NAME", requires = "client_id")]
        client_secret: Option<String>,
        /// Ask for this scope beside those the service asks for, now and at each later sign-in; may
        /// be given several times.
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// Allow what it offers without being asked.
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove a server, and what was obtained for it.
    Remove {
        /// The server.
        name: String,
    },
}

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct ServeMcp {
    /// Serve over HTTP at `/mcp` of this address, for tokens of `hydroid token create`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<String>,
    /// Offer only the tools of this component; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Vec<String>,
    /// Let this tool run without asking; `tool(pattern)` says with what.
    #[arg(long, value_name = "TOOL")]
    pub(crate) allow: Vec<String>,
    /// How much may happen without asking; `policy.mode` if absent.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Have the client put to its person what would be asked. You trust it to do that.
    #[arg(long)]
    pub(crate) ask: bool,
}

/// What to add.
#[derive(Debug, Args)]
pub(crate) struct AddServer {
    /// What to call it: lower-case letters and digits. Its tools begin with `mcp_NAME_`.
    pub(crate) name: String,
    /// Its address.
    #[arg(value_name = "URL", required_unless_present = "stdio")]
    pub(crate) url: Option<String>,
    /// The program and its arguments; everything after it belongs to them.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, conflicts_with_all = ["url", "secret", "attach"])]
    pub(crate) stdio: Vec<String>,
    /// A variable of your environment that the program is given; it gets no other.
    #[arg(long, value_name = "NAME", requires = "stdio")]
    pub(crate) env: Vec<String>,
    /// The stored secret that the server is shown.
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Option<String>,
    /// Where it is put: `bearer`, `header:NAME`, `query:NAME` …
    #[arg(long, value_name = "PLACE", requires = "secret")]
    pub(crate) attach: Option<String>,
    /// Offer only this tool of it; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Vec<String>,
    /// Allow what it offers without being asked.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// What to call.
#[derive(Debug, Args)]
pub(crate) struct CallServer {
    /// The server.
    pub(crate) name: String,
    /// The tool, as the server names it.
    pub(crate) tool: String,
    /// Its arguments, a JSON object.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) arguments: String,
    /// Answer what the server asks with the values it suggests.
    #[arg(long)]
    pub(crate) defaults: bool,
}
