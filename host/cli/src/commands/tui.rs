//! `hydroid tui`: the full-screen terminal, as a client of the daemon, which is started if it does
//! not run.

use super::daemon::started;
use crate::args::{Serve, Tui};
use crate::desk::{Here, socket_of};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::{Setting, load};
use crate::paths::Paths;
use crate::terminal;
use anyhow::{Context, Result};
use hydroid_tui::{Begin, Endpoint, Options, Theme};
use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;

/// Shows it until the person leaves.
pub(crate) async fn run(
    tui: Tui,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(usage(
            "`hydroid tui` needs a terminal to itself; `hydroid ask` runs one turn without",
        ));
    }
    let paths = Paths::find(&environment)?;
    let loaded = load(&paths, &environment, &settings)?;
    let elsewhere = match &tui.url {
        Some(url) => Some(elsewhere(url, &environment)?),
        None => {
            if crate::daemon::running(&paths).await.is_none() {
                terminal::say("starting the daemon …");
            }
            started(&Serve { bind: None, detached: false }, &environment, &settings).await?;
            None
        }
    };
    let begin = match tui.session {
        Some(session) => Begin::Session(session),
        None if tui.last => Begin::Last,
        None => Begin::New,
    };
    let theme = tui.theme.as_deref().and_then(Theme::named).unwrap_or_default();
    let colorless = environment.no_color();
    let here = Here::new(
        paths,
        loaded.config.user.clone(),
        loaded.workspace.join("vault"),
        environment,
        elsewhere,
    )?;
    let options = Options { begin, theme, colorless };
    let session = hydroid_tui::run(options, Arc::new(here)).await?;
    if let Some(session) = session {
        terminal::say(&format!("`hydroid tui --session {session}` goes on; the daemon still runs"));
    }
    Ok(Exit::Done)
}

/// A host elsewhere. The token is no argument, which other programs would see.
fn elsewhere(url: &str, environment: &Environment) -> Result<Endpoint> {
    let url = socket_of(url);
    hydroid_tui::check_url(&url).map_err(usage)?;
    let token = match environment.secret("HYDROID_TOKEN")? {
        Some(token) => token.to_owned(),
        None => rpassword::prompt_password("token (of `hydroid token create` there): ")
            .context("the token cannot be read; set `HYDROID_TOKEN`")?,
    };
    Ok(Endpoint { url, token: Some(token.trim().to_owned()) })
}
