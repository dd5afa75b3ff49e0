//! Administration for clients: the commands, run for somebody who is not at this terminal, with
//! what they print handed back. A change made here is checked and recorded as the command's is;
//! nothing is decided twice.

mod anew;
mod configuration;
mod installing;
mod records;

pub(crate) use anew::begin_anew;

use crate::args::{self, Command, Component, Grant, Model, Policy, Provider, Secret, TokenCommand};
use crate::commands;
use crate::env::Environment;
use crate::exit::{Exit, Usage};
use crate::load::Setting;
use crate::terminal::{self, Kept};
use crate::wire::Ground;
use anyhow::{Context, Result};
use clap::ValueEnum;
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::policy;
use hydroid_core::ports::{AdminError, AdminRequest, Administration, SecretValue};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};

/// Bytes of stack for a command.
const STACK: usize = 16 << 20;

/// Something is another than it was when it was looked at.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Conflict(String);

/// Runs commands for clients, one after another: two changes at once would each be made to what
/// the other did not see.
pub(crate) struct Administrator {
    environment: Arc<Environment>,
    settings: Vec<Setting>,
    one_at_a_time: Arc<Mutex<()>>,
    restart: Arc<Notify>,
}

impl Administrator {
    /// For a host that runs under these settings and begins anew when it is notified.
    pub(crate) fn new(
        environment: Arc<Environment>,
        settings: Vec<Setting>,
        restart: Arc<Notify>,
    ) -> Self {
        Self { environment, settings, one_at_a_time: Arc::default(), restart }
    }
}

impl Administration for Administrator {
    fn administer(
        &self,
        user: UserId,
        wish: AdminRequest,
    ) -> BoxFuture<'_, Result<Value, AdminError>> {
        let environment = self.environment.clone();
        let mut settings = self.settings.clone();
        settings.push(Setting::new("the client's token", "user", user.to_string()));
        let one_at_a_time = self.one_at_a_time.clone();
        let restart = self.restart.clone();
        Box::pin(async move {
            // A command reads files and compiles components, and its future is large: it has a
            // thread of its own, with the room that the main thread has.
            let (done, answer) = tokio::sync::oneshot::channel();
            let runtime = Handle::current();
            let run = move || {
                let result = runtime.block_on(async {
                    let _turn = one_at_a_time.lock().await;
                    run(wish, Household { environment, settings, restart }).await
                });
                // Whoever asked may be gone; what was done is done.
                drop(done.send(result));
            };
            let failed = |problem: String| {
                tracing::error!("an administration request failed: {problem}");
                AdminError::Failed("the host failed; its log says more".to_owned())
            };
            std::thread::Builder::new()
                .name("administration".to_owned())
                .stack_size(STACK)
                .spawn(run)
                .map_err(|error| failed(error.to_string()))?;
            match answer.await {
                Ok(result) => result.map_err(|error| refusal(&error)),
                Err(_) => Err(failed("it panicked".to_owned())),
            }
        })
    }
}

fn refusal(error: &anyhow::Error) -> AdminError {
    let text = hydroid_core::harmless::harmless(&crate::chain(error));
    if error.is::<Conflict>() {
        AdminError::Conflict(text)
    } else if error.is::<Usage>() {
        AdminError::Invalid(text)
    } else {
        AdminError::Failed(text)
    }
}

/// Whose household it is, and under which settings.
struct Household {
    environment: Arc<Environment>,
    settings: Vec<Setting>,
    restart: Arc<Notify>,
}

impl Household {
    fn ground(&self) -> Result<Ground> {
        Ground::lay_to_look(self.environment.clone(), &self.settings)
    }

    /// Runs a command and keeps what it printed.
    async fn command(&self, command: Command) -> Result<(Exit, Kept)> {
        let (environment, settings) = (self.environment.clone(), self.settings.clone());
        let command = commands::dispatch(command, environment, settings);
        let (result, kept) = terminal::kept(command).await;
        Ok((result?, kept))
    }

    /// Runs a command that prints one JSON value.
    async fn json(&self, command: Command) -> Result<Value> {
        let (_, kept) = self.command(command).await?;
        serde_json::from_str(&kept.data).context("the command did not print JSON")
    }

    /// Runs a command that prints text.
    async fn text(&self, command: Command) -> Result<Value> {
        let (exit, kept) = self.command(command).await?;
        Ok(json!({ "ok": exit == Exit::Done, "text": kept.data, "said": kept.said }))
    }
}

async fn run(wish: AdminRequest, household: Household) -> Result<Value> {
    let json = true;
    match wish {
        AdminRequest::Config => configuration::shown(&household),
        AdminRequest::CheckConfig { changes } => configuration::checked(&household, &changes),
        AdminRequest::SaveConfig { changes, base } => {
            configuration::saved(&household, &changes, &base).await
        }
        AdminRequest::ConfigBackups => configuration::backups(&household),
        AdminRequest::RestoreConfig { backup } => {
            configuration::restored(&household, &backup).await
        }

        AdminRequest::Secrets => household.json(Command::Secret(Secret::List { json })).await,
        AdminRequest::SetSecret { name, value } => {
            let ground = household.ground()?;
            if value.0.trim().is_empty() {
                return Err(crate::exit::usage("there is no value; type or paste one"));
            }
            let value = SecretValue::new(value.0.clone());
            let (stored, kept) =
                terminal::kept(commands::secret::keep(&ground, &name, value)).await;
            stored?;
            Ok(json!({ "ok": true, "text": kept.data, "said": kept.said }))
        }
        AdminRequest::RemoveSecret { name } => {
            household.text(Command::Secret(Secret::Remove { name, yes: true })).await
        }

        AdminRequest::Tokens => household.json(Command::Token(TokenCommand::List { json })).await,
        AdminRequest::CreateToken { user, client, scope, days } => {
            let scope = args::TokenScope::from_str(&scope, false).map_err(|_| {
                crate::exit::usage("a token may `read`, `chat` or `admin`; name one of them")
            })?;
            let user = Some(user);
            let create = TokenCommand::Create { user, client, scope, days };
            household.text(Command::Token(create)).await
        }
        AdminRequest::RevokeToken { id } => {
            household.text(Command::Token(TokenCommand::Revoke { id })).await
        }

        AdminRequest::Providers => household.json(Command::Provider(Provider::List { json })).await,
        AdminRequest::AddProvider { name, url, model, no_secret } => {
            let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
            let (url, model) = (filled(url), filled(model));
            let wish = args::AddService { name, url, model, instance: None, no_secret };
            household.text(Command::Provider(Provider::Add(wish))).await
        }
        AdminRequest::TestProvider => {
            household.text(Command::Provider(Provider::Test { name: None })).await
        }
        AdminRequest::Models { provider, filter } => {
            household.json(Command::Model(Model::List { filter, provider, json })).await
        }

        AdminRequest::Components => {
            household.json(Command::Component(Component::List { json, outdated: false })).await
        }
        AdminRequest::InspectComponent { name } => {
            household.text(Command::Component(Component::Inspect { name })).await
        }
        AdminRequest::CheckComponent { file, data } => {
            let handed = installing::Handed::new(&household, &file, &data.0)?;
            household.text(Command::Component(Component::Check { file: handed.path() })).await
        }
        AdminRequest::AddComponent { file, data } => {
            let handed = installing::Handed::new(&household, &file, &data.0)?;
            // Whoever clicks has seen what was checked; grants are given one by one.
            let add = args::Add {
                source: handed.path().display().to_string(),
                yes: false,
                allow_unsigned: true,
                allow_older: false,
            };
            household.text(Command::Component(Component::Add(add))).await
        }
        AdminRequest::Grant {
            name,
            profile,
            hosts,
            only,
            methods,
            secrets,
            tools,
            files_and_web,
        } => {
            let quota = None;
            let grant =
                Grant { name, profile, hosts, only, methods, secrets, tools, quota, files_and_web };
            household.text(Command::Component(Component::Grant(grant))).await
        }
        AdminRequest::Revoke { name, profile, hosts } => {
            household.text(Command::Component(Component::Revoke { name, profile, hosts })).await
        }
        AdminRequest::RemoveComponent { name } => {
            household.text(Command::Component(Component::Remove { name })).await
        }

        AdminRequest::CheckCall { call, mode, tainted } => {
            let check = args::Check {
                call,
                arguments: None,
                mode: mode.map(typed),
                tainted,
                secret: false,
                channel: "page".to_owned(),
                json,
            };
            household.json(Command::Policy(Policy::Check(check))).await
        }
        AdminRequest::Approvals { all } => {
            household.json(Command::Approval(args::Approval::List { json, all })).await
        }
        AdminRequest::AllowCalls { calls, days } => {
            let allow = args::Approval::Allow { calls, component: None, days };
            household.text(Command::Approval(allow)).await
        }
        AdminRequest::RevokeApproval { id } => {
            household.text(Command::Approval(args::Approval::Revoke { id })).await
        }
        AdminRequest::Audit { action, outcome, component, since, limit } => {
            let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
            let query = args::Query {
                action: filled(action),
                outcome: filled(outcome),
                component: filled(component),
                session: None,
                call: None,
                since: filled(since),
                json,
            };
            let ground = household.ground()?;
            let records = commands::audit::newest(&ground, query, limit.unwrap_or(200)).await?;
            Ok(Value::Array(records))
        }
        AdminRequest::VerifyAudit => household.text(Command::Audit(args::Audit::Verify)).await,
        AdminRequest::Costs { since } => records::costs(&household, since).await,
        AdminRequest::Log { after } => records::log(&household, after),
        AdminRequest::Doctor => records::doctor(&household).await,
        AdminRequest::Restart => {
            // What could not begin again must not be ended.
            household.ground().context("the host would not begin again")?;
            household.restart.notify_one();
            Ok(json!({ "ok": true }))
        }
    }
}

fn typed(mode: policy::Mode) -> args::Mode {
    match mode {
        policy::Mode::Plan => args::Mode::Plan,
        policy::Mode::Default => args::Mode::Default,
        policy::Mode::AcceptEdits => args::Mode::AcceptEdits,
        policy::Mode::Headless => args::Mode::Headless,
    }
}

#[cfg(test)]
mod tests;
