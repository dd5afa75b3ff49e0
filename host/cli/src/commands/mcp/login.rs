//! `hydroid mcp login`: a person signs in to a server with a browser. What that obtains is sealed
//! under a name that nobody can ask for, and is not shown.

use super::allow::{self, Looked};
use super::{deed, known};
use crate::audited::audit;
use crate::commands::secret::{self, LOGIN};
use crate::exit::{Exit, usage};
use crate::servers::{client_secret_of, read_book, token_of, write_book};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, anyhow};
use futures_util::FutureExt as _;
use hydroid_core::harmless::exact;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::ClientAuth;
use hydroid_core::ports::{SecretValue, Secrets};
use hydroid_gateway::Redirect;
use hydroid_mcp::{ConnectError, Declines, OAuthClient, Place, Server};
use hydroid_wasm::egress::{Authorize, Authorized};
use std::sync::Arc;
use std::time::Duration;

/// How long a browser is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) async fn run(
    ground: &Ground,
    name: &str,
    client: Option<(String, Option<String>)>,
    asked: &[String],
    yes: bool,
) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let mut server = known(&read_book(&ground.paths)?, name)?.clone();
    let Place::Http { url, secret, oauth, .. } = &mut server.place else {
        return Err(usage(format!("`{name}` is a program; nobody signs in to it")));
    };
    if let Some(secret) = secret {
        return Err(usage(format!(
            "`{name}` is shown the secret `{secret}`; remove it and add it without `--secret` to sign in"
        )));
    }
    let is_scope = |scope: &str| {
        // What RFC 6749 lets a scope have.
        let fits = |c: u8| c.is_ascii_graphic() && c != b'"' && c != b'\\';
        !scope.is_empty() && scope.bytes().all(fits)
    };
    if let Some(scope) = asked.iter().find(|scope| !is_scope(scope)) {
        return Err(usage(format!(
            "`{}` is no scope; give each with a `--scope` of its own",
            exact(scope)
        )));
    }
    let client_secret = match &client {
        Some((_, Some(stored))) => {
            Some(ground.secrets.value(&ground.user(), stored)?.ok_or_else(|| {
                anyhow!("the secret `{stored}` is not set; `hydroid secret set {stored}` sets it")
            })?)
        }
        Some((_, None)) | None => None,
    };
    let url = url.clone();
    let mut scopes = oauth.take().map(|client| client.scopes).unwrap_or_default();
    for scope in asked {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    let challenge = challenge_of(ground, name, &server).await?;
    let redirect = Redirect::listen().await.context("no address of this machine is free")?;
    let back = redirect.url();
    let component = ComponentId::new(format!("mcp-{name}"));
    let authorize = Authorize {
        server: &component,
        url: &url,
        challenge: &challenge,
        redirect: &back,
        client: client.as_ref().map(|(id, _)| (id.as_str(), client_secret.as_ref())),
        described_at: None,
        scopes: &scopes,
    };
    let egress = ground.egress(None)?;
    let authorized = authorize
        .run(&egress, |to| browse(to, redirect).boxed())
        .await
        .context("you are not signed in")?;
    // Others may have changed it while a person was at their browser.
    let mut book = read_book(&ground.paths)?;
    known(&book, name)?;
    let kept = keep(ground, name, authorized, scopes).await?;
    if let Place::Http { oauth, .. } = &mut server.place {
        *oauth = Some(kept);
    }
    audit(ground, deed(name, "signed in", "mcp login")).await?;
    book.servers.insert(name.to_owned(), server.clone());
    write_book(&ground.paths, &book)?;
    terminal::print_line(&format!("signed in to {name}"))?;
    match allow::look(ground, name, &server).await? {
        Looked::Offers(_, pinned) if pinned.digest() == server.tools => Ok(Exit::Done),
        Looked::Offers(about, pinned) => {
            let before = crate::servers::pinned(&ground.paths, name, &server);
            if !allow::asked(ground, name, &about, &pinned, before.as_ref(), yes)? {
                terminal::say(&format!(
                    "nothing of it is allowed; `hydroid mcp allow {name}` asks again"
                ));
                return Ok(Exit::Error);
            }
            allow::keep(ground, name, server, &pinned, "mcp login").await?;
            terminal::print_line(&format!(
                "{name} is allowed; its tools begin with `mcp_{name}_`"
            ))?;
            Ok(Exit::Done)
        }
        Looked::WantsSignIn => Err(anyhow!("{name} still wants you to sign in")),
    }
}

/// What the server says when it is asked without a credential.
pub(crate) async fn challenge_of(ground: &Ground, name: &str, server: &Server) -> Result<String> {
    let database = ground.database().await?;
    let candidate = Some((name.to_owned(), server.clone()));
    let client = crate::servers::tools(ground, &database, Arc::new(Declines), candidate)?;
    match client.look_at(name, server).await {
        Err(ConnectError::SignIn { challenge, .. }) => Ok(challenge),
        Err(error) => Err(error.into()),
        // Some let anybody look and want to know who calls.
        Ok(_) => Ok(String::new()),
    }
}

async fn browse(to: String, redirect: Redirect) -> Result<String, String> {
    terminal::say(&format!("open   {}", exact(&to)));
    terminal::say("waiting until you have; Ctrl-C ends it and stores nothing");
    match tokio::time::timeout(PATIENCE, redirect.came_back()).await {
        Ok(Ok(back)) => Ok(back),
        Ok(Err(error)) => Err(format!("nowhere, for this machine refused it ({error})")),
        Err(_) => Err("not at all".to_owned()),
    }
}

/// Seals what was obtained, and says what is to be written of it.
async fn keep(
    ground: &Ground,
    name: &str,
    authorized: Authorized,
    scopes: Vec<String>,
) -> Result<OAuthClient> {
    let refreshes = authorized.refresh.is_some();
    let token = authorized.refresh.unwrap_or(authorized.access);
    let mut secrets = vec![(token_of(name), token)];
    let client_auth = authorized.client_secret.map(|(secret, auth)| {
        secrets.push((client_secret_of(name), secret));
        match auth {
            ClientAuth::Basic => "basic".to_owned(),
            ClientAuth::Body => "body".to_owned(),
        }
    });
    secret::store(ground, secrets, LOGIN).await?;
    Ok(OAuthClient {
        token_url: authorized.token_url,
        client_id: authorized.client_id,
        client_auth,
        resource: authorized.resource,
        refreshes,
        scopes,
    })
}

/// Forgets what was obtained for a server that goes.
pub(super) async fn forget(ground: &Ground, name: &str, server: &Server) -> Result<()> {
    if !matches!(&server.place, Place::Http { oauth: Some(_), .. }) {
        return Ok(());
    }
    let database = ground.database().await?;
    for sealed in [token_of(name), client_secret_of(name)] {
        let stored: Option<SecretValue> = ground.secrets.value(&ground.user(), &sealed)?;
        if stored.is_some() {
            database.remove_secret(&ground.user(), &sealed).await?;
        }
    }
    Ok(())
}
