//! `hydroid web`: a link that lets a browser in.

use super::daemon::started;
use crate::args::{Serve, Web};
use crate::daemon::{Order, ask};
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::paths::Paths;
use crate::terminal;
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Prints the link, and opens it if that is wanted.
pub(crate) async fn run(
    how: &Web,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let serve = Serve { bind: None, detached: false };
    started(&serve, &environment, settings).await?;
    let answer = ask(&Paths::find(&environment)?, Order::Link).await?;
    let Some(link) = answer["link"].as_str() else {
        bail!("there is no link: {}", answer["error"].as_str().unwrap_or("the daemon is ending"));
    };
    terminal::print_line(link)?;
    terminal::say("the link is good once and for five minutes");
    if how.open {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let opened = Command::new(program)
            .arg(link)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let opened =
            opened.with_context(|| format!("`{program}` cannot be run; open the link yourself"))?;
        if !opened.success() {
            bail!("`{program}` opened nothing; open the link yourself");
        }
    }
    Ok(Exit::Done)
}
