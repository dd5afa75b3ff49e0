//! `hydroid stop`: the end of the daemon, and the emergency stop and its release. Stopping needs nothing that could be broken;
//! only what is left over afterwards is written to the audit log.

use crate::args::Stop;
use crate::audited::{Deed, audit};
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::paths::Paths;
use crate::wire::{Ground, SystemClock};
use crate::{stopped, terminal};
use anyhow::Result;
use hydroid_core::audit::AuditAction;
use hydroid_core::config::Config;
use hydroid_core::ports::Clock;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: &Stop,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    match (command.all, command.release) {
        (_, true) => release(environment, settings).await,
        (true, false) => stop(environment, settings).await,
        (false, false) => super::daemon::stop(&environment).await,
    }
}

async fn stop(environment: Arc<Environment>, settings: &[Setting]) -> Result<Exit> {
    let paths = Paths::find(&environment)?;
    let ground = Ground::lay_to_look(environment, settings);
    let user = match &ground {
        Ok(ground) => ground.user(),
        // A configuration that cannot be read must not keep anybody from stopping.
        Err(_) => Config::default().user,
    };
    stopped::stop(&paths, &user, SystemClock.now_ms())?;
    terminal::print_line(
        "everything is stopped: turns, tools and requests are cut, and nothing begins; `hydroid stop --release` lets it go on",
    )?;
    audit(&ground?, deed("everything", "stop --all")).await?;
    Ok(Exit::Done)
}

async fn release(environment: Arc<Environment>, settings: &[Setting]) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    if stopped::since(&ground.paths).is_none() {
        terminal::say("nothing is stopped");
        return Ok(Exit::Done);
    }
    audit(&ground, deed("released", "stop --release")).await?;
    stopped::release(&ground.paths)?;
    terminal::print_line("everything may go on")?;
    Ok(Exit::Done)
}

fn deed(what: &str, command: &'static str) -> Deed<'static> {
    Deed {
        action: AuditAction::EmergencyStop,
        resource: what.to_owned(),
        component: None,
        digest: None,
        command,
    }
}
