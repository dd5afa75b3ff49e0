//! What a person added: `mcp.toml` beside the grants. Reading and writing the file is the
//! caller's work; what it means is decided here.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Characters of the name of a server; with it begin the names of its tools.
const LONGEST_NAME: usize = 20;

/// All servers of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// One entry a server, by the name the person gave it.
    #[serde(default)]
    pub servers: BTreeMap<String, Server>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Server {
    /// Where it is.
    pub place: Place,
    /// `sha256:…` of what it said of its tools when it was allowed.
    pub tools: String,
    /// The tools that are offered, as the server names them; all if empty.
    pub only: Vec<String>,
}

/// A server as the file has it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    tools: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth: Option<OAuthClient>,
}

impl TryFrom<Written> for Server {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { url, secret, attach, command, env, tools, only, files, oauth } = written;
        let tools = tools.ok_or("a server has `tools`, the digest of what was allowed of it")?;
        let is_program = !command.is_empty() && secret.is_none() && attach.is_none();
        let place = match url {
            Some(url) if command.is_empty() && env.is_empty() && files.is_empty() => {
                Place::Http { url, secret, attach, oauth }
            }
            None if is_program && oauth.is_none() => Place::Stdio { command, files, env },
            Some(_) | None => {
                return Err("a server has either `url`, or `command` with its `files`");
            }
        };
        Ok(Self { place, tools, only })
    }
}

impl From<Server> for Written {
    fn from(server: Server) -> Self {
        let common = Self { tools: Some(server.tools), only: server.only, ..Self::default() };
        match server.place {
            Place::Http { url, secret, attach, oauth } => {
                Self { url: Some(url), secret, attach, oauth, ..common }
            }
            Place::Stdio { command, files, env } => Self { command, files, env, ..common },
        }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// On another machine, or behind a port of this one.
    Http {
        /// Its address.
        url: String,
        /// The secret it is shown.
        secret: Option<String>,
        /// Where the secret is put, as a manifest writes it; `bearer` if absent.
        attach: Option<String>,
        /// How its access tokens are renewed.
        oauth: Option<OAuthClient>,
    },
    /// A program of this machine.
    Stdio {
        /// The program, as an absolute path, and its arguments.
        command: Vec<String>,
        /// `sha256:…` of the program and of each argument that is a file.
        files: BTreeMap<String, String>,
        /// Variables of the environment it is given; no other one.
        env: Vec<String>,
    },
}

/// The client that a person signed in with; what it obtained is sealed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthClient {
    /// Where a refresh token is exchanged.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// How the client's secret is shown, if it has one: `basic` or `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<String>,
    /// What a token is for.
    pub resource: String,
    /// There is a refresh token; otherwise what is stored is the access token itself.
    pub refreshes: bool,
    /// What the person asked for beside what the service asks for, and asks for again each time
    /// they sign in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "`mcp.toml` cannot be read, so no server of it is used: {0}; mend it, or remove it and add the servers again with `hydroid mcp add`"
)]
pub struct BadBook(String);

impl Book {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, BadBook> {
        let book: Self =
            toml::from_str(text).map_err(|error| BadBook(error.to_string().trim().to_owned()))?;
        for (name, server) in &book.servers {
            if !is_server_name(name) {
                return Err(BadBook(format!("[servers.{name}] is no name a server can have")));
            }
            if matches!(&server.place, Place::Stdio { command, .. } if command.is_empty()) {
                return Err(BadBook(format!("[servers.{name}] has an empty `command`")));
            }
        }
        Ok(book)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let text = toml::to_string(self).unwrap_or_default();
        format!(
            "# Servers of the Model Context Protocol; `hydroid mcp` changes this file.\n\n{text}"
        )
    }
}

/// True for a name a server can have: letters and digits only, so that no two servers can come to
/// the same name of a tool.
pub fn is_server_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let http = Server {
            place: Place::Http {
                url: "https://mcp.example/mcp".into(),
                secret: Some("docs".into()),
                attach: Some("header:X-Key".into()),
                oauth: None,
            },
            tools: "sha256:00".into(),
            only: vec!["find".into()],
        };
        let signed_in = Server {
            place: Place::Http {
                url: "https://mcp.example/mcp".into(),
                secret: None,
                attach: None,
                oauth: Some(OAuthClient {
                    token_url: "https://as.example/token".into(),
                    client_id: "c".into(),
                    client_auth: None,
                    resource: "https://mcp.example/mcp".into(),
                    refreshes: true,
                    scopes: vec!["files:write".into()],
                }),
            },
            tools: "sha256:00".into(),
            only: Vec::new(),
        };
        let stdio = Server {
            place: Place::Stdio {
                command: vec!["/bin/server".into(), "stdio".into()],
                files: BTreeMap::from([("/bin/server".into(), "sha256:11".into())]),
                env: vec!["TERM".into()],
            },
            tools: "sha256:22".into(),
            only: Vec::new(),
        };
        let servers = [("docs", http), ("local", stdio), ("signed", signed_in)];
        let servers = servers.map(|(name, server)| (name.to_owned(), server)).into();
        let book = Book { servers };
        assert_eq!(Book::parse(&book.to_text()).unwrap(), book);
    }

    #[test]
    fn a_file_that_says_something_else_is_refused() {
        for text in [
            "[servers.a]\nurl = \"https://a\"\n",
            "[servers.A]\nurl = \"https://a\"\ntools = \"x\"\n",
            "[servers.a_b]\nurl = \"https://a\"\ntools = \"x\"\n",
            "[servers.a]\ncommand = []\nfiles = {}\ntools = \"x\"\n",
            "[server.a]\n",
        ] {
            assert!(Book::parse(text).is_err(), "{text}");
        }
    }
}
