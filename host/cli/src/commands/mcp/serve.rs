//! `hydroid mcp serve`: the tools of components for a client of the protocol, by the way of every
//! call. Standard output belongs to the protocol here.

use crate::args::ServeMcp;
use crate::commands::serve::signalled;
use crate::daemon::Tokens;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::occupied::Occupied;
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result, anyhow};
use hydroid_agent::ProgramParts;
use hydroid_core::config::did_you_mean;
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{SecretValue, Tools as _};
use hydroid_core::tool::ToolSpec;
use hydroid_gateway::{Gateway, GatewayParts, NoHousehold, ServeError};
use hydroid_mcp::{Offering, ServeSettings};
use hydroid_wasm::Catalog;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where programs speak, as rules of the policy name it.
const CHANNEL: &str = "mcp";

/// Where it is over HTTP.
const PATH: &str = "/mcp";

pub(super) async fn run(
    how: ServeMcp,
    environment: Arc<Environment>,
    mut settings: Vec<Setting>,
) -> Result<Exit> {
    if let Some(address) = &how.http {
        if address.parse::<SocketAddr>().is_err() {
            return Err(usage(format!(
                "`--http {address}` is no address with a port; write `127.0.0.1:7718`"
            )));
        }
        settings.push(Setting::new("--http", "gateway.bind", address.as_str()));
    }
    let ground = Ground::lay(environment, &settings)?;
    refuse_if_stopped(&ground.paths)?;
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let mut specs = catalog.specs();
    specs.retain(|spec| !catalog.needs_a_turn(spec.component.as_str()));
    let allow = crate::commands::ask::allowed(&specs, &how.allow)?;
    let components = chosen(&catalog, &specs, &how.component)?;
    let offering = Arc::clone(&catalog);
    let (paths, user) = (ground.paths.clone(), ground.user());
    let parts = ProgramParts {
        user: ground.user(),
        mode: how.mode.map_or(ground.config.policy.mode, Into::into),
        headless: !how.ask,
        channel: CHANNEL.to_owned(),
        allow,
        offers: Arc::new(move |component| {
            (components.is_empty() || components.contains(component))
                && !offering.needs_a_turn(component.as_str())
        }),
        occupy: Box::new(move |session| {
            let occupied = Occupied::take(&paths, &user, session);
            let held: Box<dyn Send + Sync> =
                Box::new(occupied.map_err(|error| format!("{error:#}"))?);
            Ok(held)
        }),
    };
    let programs = ground.programs(&catalog, &database, parts).await?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("the system gives no random numbers")?;
    let largest = usize::try_from(ground.config.gateway.max_message.0).unwrap_or(usize::MAX);
    let offering = Offering::new(Arc::new(programs), ServeSettings { asks: how.ask, largest }, key);
    match how.http {
        Some(_) => over_http(&ground, offering).await,
        None => {
            let serving = offering.serve_streams(tokio::io::stdin(), tokio::io::stdout());
            tokio::select! {
                served = serving => served.map_err(|problem| anyhow!("the client cannot be served: {problem}"))?,
                () = signalled() => {}
            }
            Ok(Exit::Done)
        }
    }
}

async fn over_http(ground: &Ground, offering: Offering) -> Result<Exit> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system gives no random numbers")?;
    let parts = GatewayParts {
        household: Arc::new(NoHousehold),
        administration: None,
        tokens: Arc::new(Tokens::of(&ground.paths)),
        // Nobody is told it: who comes here has a token that a person made.
        local: (SecretValue::new(hex::encode(random)), ground.user()),
        webhook_secrets: Vec::new(),
        clock: Arc::new(SystemClock),
        config: ground.config.gateway.clone(),
        tls: crate::commands::serve::tls_files(ground)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: uuid::Uuid::now_v7().to_string(),
    };
    let bound = Gateway::bind_service(parts, PATH, offering.http()).await;
    let bound = bound.map_err(|error| match error {
        error @ (ServeError::Exposed(_) | ServeError::NoToken(_)) => usage(error.to_string()),
        error => error.into(),
    })?;
    terminal::say(&format!(
        "serving at {}://{}{PATH}; a client shows a token of `hydroid token create --client NAME`",
        bound.scheme(),
        bound.address()
    ));
    bound.serve(signalled()).await;
    Ok(Exit::Done)
}

/// The components that were chosen; an error names those that offer tools.
fn chosen(
    catalog: &Catalog,
    specs: &[ToolSpec],
    names: &[String],
) -> Result<BTreeSet<ComponentId>> {
    let known: BTreeSet<&str> = specs.iter().map(|spec| spec.component.as_str()).collect();
    let mut chosen = BTreeSet::new();
    for name in names {
        if catalog.needs_a_turn(name) {
            return Err(usage(format!(
                "`--component {name}` names a component that works only within the turn of a model, and a call of a program is in none"
            )));
        }
        if !known.contains(name.as_str()) {
            return Err(usage(format!(
                "`--component {name}` names no component whose tools can be offered{}; there are: {}",
                did_you_mean(name, known.iter().copied()),
                known.iter().copied().collect::<Vec<_>>().join(", ")
            )));
        }
        chosen.insert(ComponentId::new(name));
    }
    Ok(chosen)
}
