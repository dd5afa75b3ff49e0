//! The users of the daemon. Each has a ground of their own, as if they ran the command alone:
//! their database, workspace, secrets, catalog and agent; nothing is shared but the configuration.

use super::inventory::Installation;
use crate::env::Environment;
use crate::load::Setting;
use crate::occupied::Occupied;
use crate::wire::Ground;
use crate::{models, telemetry, transcript};
use anyhow::{Context, Result};
use futures_util::future::BoxFuture;
use hydroid_agent::{Hub, HubLimits, HubParts};
use hydroid_core::entry::Entry;
use hydroid_core::id::UserId;
use hydroid_core::ports::{
    Conversations, Household, SpanCounts, StoredEntry, WaitingMessages as _,
};
use hydroid_core::protocol::{ErrorCode, ExportFormat, RequestError};
use hydroid_core::recording::recording;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where people speak who use the daemon, for the rules.
const CHANNEL: &str = "gateway";

/// The users of the daemon.
pub(crate) struct Users {
    environment: Arc<Environment>,
    settings: Vec<Setting>,
    /// One is laid at a time.
    laying: tokio::sync::Mutex<()>,
    hubs: Mutex<BTreeMap<UserId, Arc<Hub>>>,
}

impl Users {
    /// The users, with the one of this ground there already: what is wrong with it is found now.
    pub(crate) async fn with(
        ground: &Ground,
        environment: Arc<Environment>,
        settings: Vec<Setting>,
    ) -> Result<Self> {
        let hub = Arc::new(hub(ground).await?);
        let hubs = Mutex::new(BTreeMap::from([(ground.user(), hub)]));
        Ok(Self { environment, settings, laying: tokio::sync::Mutex::new(()), hubs })
    }

    /// Goes on with what waits since an earlier run: here at once, and for those of these users who
    /// have something of the kind before they come.
    pub(crate) async fn take_up(&self, users: BTreeSet<UserId>) {
        let present: Vec<Arc<Hub>> =
            self.hubs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        present.iter().for_each(|hub| hub.take_up());
        for user in users {
            if self.hub(&user).is_some() {
                continue;
            }
            match self.has_waiting(&user).await {
                Ok(false) => {}
                // It goes on when it is laid; what keeps it from that is logged there.
                Ok(true) => drop(self.of(&user).await),
                Err(error) => {
                    tracing::warn!(%user, error = format!("{error:#}"), "it cannot be read what waits");
                }
            }
        }
    }

    async fn has_waiting(&self, user: &UserId) -> Result<bool> {
        let mut settings = self.settings.clone();
        settings.push(Setting::new("the token", "user", user.as_str()));
        let environment = Arc::clone(&self.environment);
        let ground = tokio::task::block_in_place(|| Ground::lay_to_look(environment, &settings))?;
        if !ground.paths.journal(user).exists() {
            return Ok(false);
        }
        Ok(!ground.database().await?.with_waiting(user).await?.is_empty())
    }

    fn hub(&self, user: &UserId) -> Option<Arc<Hub>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    async fn lay(&self, user: &UserId) -> Result<Arc<Hub>> {
        let mut settings = self.settings.clone();
        settings.push(Setting::new("the token", "user", user.as_str()));
        // Reading files and compiling components blocks.
        let ground =
            tokio::task::block_in_place(|| Ground::lay(Arc::clone(&self.environment), &settings))?;
        Ok(Arc::new(hub(&ground).await?))
    }
}

/// The conversations of a ground's user.
pub(crate) async fn hub(ground: &Ground) -> Result<Hub> {
    let database = ground.database().await?;
    let catalog = tokio::task::block_in_place(|| ground.catalog(&database))?;
    let agent = ground.agent(&catalog, &database).await?;
    let known = Arc::new(models::open(&ground.paths, &ground.config)?);
    let inventory = Installation { catalog, models: known, config: Arc::clone(&ground.config) };
    let (paths, user) = (ground.paths.clone(), ground.user());
    let gateway = &ground.config.gateway;
    Ok(Hub::new(HubParts {
        user: ground.user(),
        agent,
        sessions: Arc::new(database.clone()),
        recall: Arc::new(database.clone()),
        ledger: Arc::new(database),
        inventory: Arc::new(inventory),
        occupy: Box::new(move |session| {
            let occupied = Occupied::take(&paths, &user, session);
            let occupied = occupied.map_err(|error| format!("{error:#}"))?;
            let held: Box<dyn Send + Sync> = Box::new(occupied);
            Ok(held)
        }),
        export: Box::new(export),
        limits: HubLimits {
            turns: gateway.turns_per_user,
            sessions: gateway.sessions_per_user,
            queued: gateway.queued_messages,
            idle: Duration::from_secs(gateway.session_idle.0),
        },
        channel: CHANNEL.to_owned(),
    }))
}

fn export(format: ExportFormat, title: &str, stored: Vec<StoredEntry>) -> String {
    let only = |stored: Vec<StoredEntry>| -> Vec<Entry> {
        stored.into_iter().map(|stored| stored.entry).collect()
    };
    match format {
        ExportFormat::Jsonl => stored
            .into_iter()
            .map(|stored| {
                let line =
                    json!({ "seq": stored.seq, "at_ms": stored.at_ms, "entry": stored.entry });
                format!("{line}\n")
            })
            .collect(),
        ExportFormat::Markdown => transcript::markdown(title, &only(stored)),
        ExportFormat::Replay => recording(&only(stored)),
    }
}

impl Household for Users {
    fn of<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Arc<dyn Conversations>, RequestError>> {
        Box::pin(async move {
            if let Some(hub) = self.hub(user) {
                return Ok(hub as Arc<dyn Conversations>);
            }
            let _one = self.laying.lock().await;
            if let Some(hub) = self.hub(user) {
                return Ok(hub as Arc<dyn Conversations>);
            }
            let laid = self.lay(user).await.with_context(|| format!("user `{user}`"));
            let hub = laid.map_err(|error| {
                tracing::error!(%user, error = format!("{error:#}"), "a user's home cannot be used");
                let text = "what belongs to this user cannot be used; `hydroid logs` says more";
                RequestError::new(ErrorCode::Internal, text)
            })?;
            hub.take_up();
            let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
            hubs.insert(user.clone(), Arc::clone(&hub));
            Ok(hub as Arc<dyn Conversations>)
        })
    }

    fn present(&self) -> Vec<Arc<dyn Conversations>> {
        let hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.values().map(|hub| Arc::clone(hub) as Arc<dyn Conversations>).collect()
    }

    fn spans(&self) -> Option<SpanCounts> {
        telemetry::counts()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let hubs: Vec<Arc<Hub>> =
            self.hubs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        Box::pin(async move {
            futures_util::future::join_all(hubs.iter().map(|hub| hub.close())).await;
        })
    }
}
