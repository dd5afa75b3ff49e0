//! Servers of the Model Context Protocol, put together: the file they are in, what was allowed of
//! each, and the client that speaks with them. Each command and each agent has one.

use crate::audited;
use crate::load::read_text;
use crate::paths::{Paths, replace_private};
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result};
use hydroid_core::id::UserId;
use hydroid_core::manifest::{ClientAuth, Place as Attached};
use hydroid_core::ports::{Remotes, Secrets};
use hydroid_mcp::{Answerer, Book, ClientParts, Declines, Pinned, Place, Server, ServerTools};
use hydroid_memory::Database;
use hydroid_wasm::egress::Counter;
use hydroid_wasm::{Catalog, RemoteCredential, RemoteDoor, RemoteParts, RemotePlace, problems_of};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Before the name of a server, where what was obtained for it is sealed. A `:` is in no name of a
/// secret that a manifest or a person could write.
const SEALED: &str = "mcp:";

/// The same for the secret of the client that was registered.
const CLIENT: &str = "mcp-client:";

/// The name under which what was obtained for a server is sealed.
pub(crate) fn token_of(server: &str) -> String {
    format!("{SEALED}{server}")
}

/// The name under which the client's secret is sealed.
pub(crate) fn client_secret_of(server: &str) -> String {
    format!("{CLIENT}{server}")
}

/// The servers; none if there is no file.
pub(crate) fn read_book(paths: &Paths) -> Result<Book> {
    let path = paths.servers_file();
    match read_text(&path)? {
        None => Ok(Book::default()),
        Some(text) => Book::parse(&text).with_context(|| format!("in `{}`", path.display())),
    }
}

/// Replaces the file.
pub(crate) fn write_book(paths: &Paths, book: &Book) -> Result<()> {
    replace_private(&paths.servers_file(), book.to_text().as_bytes())
}

/// What was allowed of a server; none if nothing was, or something else lies there.
pub(crate) fn pinned(paths: &Paths, name: &str, server: &Server) -> Option<Pinned> {
    let path = paths.server_tools(name);
    let text = match read_text(&path) {
        Ok(text) => text?,
        Err(error) => {
            tracing::warn!(server = name, error = %format!("{error:#}"), "what was allowed of a server cannot be read");
            return None;
        }
    };
    let pinned: Pinned = serde_json::from_str(&text).ok()?;
    if pinned.digest() == server.tools {
        return Some(pinned);
    }
    tracing::warn!(
        server = name,
        "a server is not offered: its tools on disk are not those that were allowed"
    );
    None
}

/// Keeps what was allowed of a server.
pub(crate) fn keep_pinned(paths: &Paths, name: &str, pinned: &Pinned) -> Result<()> {
    let text = serde_json::to_string_pretty(pinned).context("the tools cannot be written")?;
    replace_private(&paths.server_tools(name), text.as_bytes())
}

/// What stands for a server where components are named: in rules, limits and the audit log.
pub(crate) fn component_of(server: &str) -> String {
    format!("mcp-{server}")
}

/// The server that stands where a component of this name would.
pub(crate) fn server_named<'a>(book: &'a Book, component: &str) -> Option<&'a str> {
    let server = component.strip_prefix("mcp-")?;
    book.servers.get_key_value(server).map(|(name, _)| name.as_str())
}

/// Why a server is not offered, where a component has the name that stands for it.
pub(crate) fn taken(catalog: &Catalog, server: &str) -> Option<String> {
    let name = component_of(server);
    catalog.get(&name).map(|_| {
        format!(
            "the server `{server}` is not used: the component `{name}` has the name that stands for it in rules and in the audit log; remove one of them with `hydroid mcp remove {server}` or `hydroid component remove {name}`"
        )
    })
}

/// Servers with what was allowed of them.
fn allowed(paths: &Paths) -> BTreeMap<String, (Server, Pinned)> {
    let book = match read_book(paths) {
        Ok(book) => book,
        Err(error) => {
            tracing::warn!(error = %format!("{error:#}"), "no server is offered");
            return BTreeMap::new();
        }
    };
    let with_tools = |(name, server): (String, Server)| {
        let pinned = pinned(paths, &name, &server)?;
        Some((name, (server, pinned)))
    };
    book.servers.into_iter().filter_map(with_tools).collect()
}

/// The servers beside the components of a catalog; none of them has the name of one.
pub(crate) fn beside(
    ground: &Ground,
    database: &Database,
    catalog: &Arc<Catalog>,
) -> Result<ServerTools> {
    for server in read_book(&ground.paths).map(|book| book.servers).unwrap_or_default().keys() {
        if let Some(problem) = taken(catalog, server) {
            tracing::warn!("{problem}");
        }
    }
    let catalog = Arc::clone(catalog);
    let offered = move |paths: &Paths| {
        let mut servers = allowed(paths);
        servers.retain(|name, _| taken(&catalog, name).is_none());
        servers
    };
    client(ground, database, Arc::new(Declines), None, offered)
}

/// The client for a command. A candidate is a server that is not in the file yet.
pub(crate) fn tools(
    ground: &Ground,
    database: &Database,
    answerer: Arc<dyn Answerer>,
    candidate: Option<(String, Server)>,
) -> Result<ServerTools> {
    client(ground, database, answerer, candidate, allowed)
}

fn client(
    ground: &Ground,
    database: &Database,
    answerer: Arc<dyn Answerer>,
    candidate: Option<(String, Server)>,
    offered: impl Fn(&Paths) -> BTreeMap<String, (Server, Pinned)> + Send + Sync + 'static,
) -> Result<ServerTools> {
    let config = &ground.config;
    let counter = Counter { budget: Arc::new(database.clone()), clock: Arc::new(SystemClock) };
    let paths = ground.paths.clone();
    let find = move |name: &str| {
        let candidate = candidate.as_ref().filter(|(its, _)| its == name);
        let server = match candidate {
            Some((_, server)) => server.clone(),
            None => read_book(&paths).ok()?.servers.remove(name)?,
        };
        place(name, &server)
    };
    let door = RemoteDoor::new(RemoteParts {
        egress: Arc::new(ground.egress(Some(counter))?),
        secrets: ground.secrets.clone(),
        audit: Arc::new(audited::log_of(database)),
        scrubber: ground.scrubber.clone(),
        clock: Arc::new(SystemClock),
        config: Arc::clone(config),
        user: ground.user(),
        find: Box::new(find),
    });
    let (paths, environment) = (ground.paths.clone(), Arc::clone(&ground.environment));
    let largest = usize::try_from(config.egress.max_response.0).unwrap_or(usize::MAX);
    Ok(ServerTools::new(ClientParts {
        servers: Arc::new(move || offered(&paths)),
        remotes: Arc::new(door) as Arc<dyn Remotes>,
        digest_of: Arc::new(digest_of),
        variable: Arc::new(move |name| environment.value(name).cloned()),
        compile: Arc::new(problems_of),
        answerer,
        call_time: Duration::from_secs(config.limits.call.0),
        largest,
        output: usize::try_from(config.limits.output.0).unwrap_or(usize::MAX),
    }))
}

/// Where a server is and what it is shown.
fn place(name: &str, server: &Server) -> Option<RemotePlace> {
    let Place::Http { url, secret, attach, oauth } = &server.place else { return None };
    let place = match attach {
        None => Attached::Bearer,
        Some(written) => written.parse().ok()?,
    };
    let credential = match (oauth, secret) {
        (Some(client), _) if client.refreshes => RemoteCredential::OAuth {
            secret: token_of(name),
            token_url: client.token_url.clone(),
            client_id: client.client_id.clone(),
            client_secret: client.client_auth.as_deref().map(|how| {
                let how = if how == "body" { ClientAuth::Body } else { ClientAuth::Basic };
                (client_secret_of(name), how)
            }),
            resource: client.resource.clone(),
        },
        (Some(_), _) => RemoteCredential::Placed { secret: token_of(name), place },
        (None, Some(secret)) => RemoteCredential::Placed { secret: secret.clone(), place },
        (None, None) => RemoteCredential::None,
    };
    Some(RemotePlace { url: url.clone(), credential })
}

/// Why a server cannot be called, as far as that is seen from here.
pub(crate) fn problem_with(
    secrets: &dyn Secrets,
    user: &UserId,
    name: &str,
    server: &Server,
) -> Option<String> {
    let lacks = |secret: &str| !matches!(secrets.value(user, secret), Ok(Some(_)));
    match &server.place {
        Place::Http { oauth: Some(_), .. } if lacks(&token_of(name)) => Some(format!(
            "you are not signed in to the server {name} any more; `hydroid mcp login {name}` signs in"
        )),
        Place::Http { secret: Some(secret), .. } if lacks(secret) => Some(format!(
            "secret `{secret}` of the server {name} is not set; `hydroid secret set {secret}` sets it"
        )),
        Place::Http { .. } => None,
        Place::Stdio { files, .. } => files.iter().find_map(|(file, allowed)| {
            let problem = match digest_of(Path::new(file)) {
                Ok(found) if found == *allowed => return None,
                Ok(_) => "is another file than the one you allowed".to_owned(),
                Err(error) => format!("cannot be read: {error}"),
            };
            Some(format!(
                "`{file}`, which the server {name} is started with, {problem}; `hydroid mcp allow {name}` allows it as it is"
            ))
        }),
    }
}

/// `sha256:…` of a file.
pub(crate) fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(format!("sha256:{}", hex::encode(hash.finalize())));
        }
        hash.update(&piece[..read]);
    }
}
