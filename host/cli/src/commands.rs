//! The commands, a file each. Here is only which one was meant.

mod approval;
mod ask;
pub(crate) mod audit;
mod backup;
mod chat;
pub(crate) mod component;
pub(crate) mod config;
mod cost;
mod daemon;
mod debug;
mod doctor;
mod key;
mod label;
mod mcp;
mod memory;
mod model;
mod policy;
mod provider;
mod registry;
pub(crate) mod secret;
mod serve;
mod session;
mod skill;
mod stop;
mod token;
mod tui;
mod web;

use crate::args::{Arguments, Command, ModelChoice, Policy};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::terminal;
use anyhow::Result;
use clap::CommandFactory;
use std::sync::Arc;

/// Runs what was typed.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit> {
    let environment = Arc::new(Environment::read());
    let mut settings: Vec<Setting> =
        arguments.set.iter().map(|text| Setting::parse(text)).collect::<Result<_>>()?;
    if let Some(directory) = &arguments.workspace {
        // A directory is meant from where the command is typed, as everywhere.
        let directory = std::path::absolute(directory)
            .map_err(|error| usage(format!("`--workspace` names no directory: {error}")))?;
        let directory = directory
            .to_str()
            .ok_or_else(|| usage("`--workspace` is not UTF-8; rename the directory"))?;
        settings.push(Setting::new("--workspace", "workspace.directory", directory));
    }
    dispatch(arguments.command, environment, settings).await
}

/// Runs a command under settings.
pub(crate) async fn dispatch(
    command: Command,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    match command {
        Command::Ask(ask) => ask::run(ask, environment, settings).await,
        Command::Chat(chat) => chat::run(chat, environment, settings).await,
        Command::Tui(tui) => tui::run(tui, environment, settings).await,
        Command::Provider(command) => provider::run(command, environment, settings).await,
        Command::Component(command) => component::run(command, environment, &settings).await,
        Command::Model(command) => model::run(command, environment, &settings).await,
        Command::Cost(cost) => cost::run(cost, environment, &settings).await,
        Command::Skill(command) => skill::run(command, environment, &settings).await,
        Command::Session(command) => session::run(command, environment, settings).await,
        Command::Config(command) => config::run(command, environment, &settings).await,
        Command::Key(command) => key::run(command, environment, &settings).await,
        Command::Registry(command) => registry::run(&command, &environment),
        Command::Secret(command) => secret::run(command, environment, &settings).await,
        Command::Approval(command) => approval::run(command, environment, settings).await,
        Command::Policy(Policy::Check(check)) => policy::check(check, environment, &settings).await,
        Command::Mcp(command) => mcp::run(command, environment, settings).await,
        Command::Memory(command) => memory::run(command, environment, &settings).await,
        Command::Backup(command) => backup::run(command, environment, &settings).await,
        Command::Audit(command) => audit::run(command, environment, &settings).await,
        Command::Label(command) => label::run(command, environment, &settings).await,
        Command::Serve(serve) => serve::run(serve, environment, settings).await,
        Command::Start(serve) => daemon::start(&serve, environment, &settings).await,
        Command::Restart(serve) => daemon::restart(&serve, environment, &settings).await,
        Command::Status(how) => daemon::status(&how, &environment).await,
        Command::Logs(logs) => daemon::logs(&logs, environment, &settings).await,
        Command::Web(how) => web::run(&how, environment, &settings).await,
        Command::Token(command) => token::run(command, environment, &settings).await,
        Command::Stop(stop) => stop::run(&stop, environment, &settings).await,
        Command::Doctor => doctor::run(environment, &settings).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "hydroid", &mut script);
            terminal::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        Command::Debug(command) => debug::run(command, environment, &settings).await,
    }
}

/// What the flags about the model set.
fn model_settings(choice: &ModelChoice) -> Vec<Setting> {
    let model = choice.model.as_deref().map(|name| Setting::new("--model", "model.name", name));
    let provider =
        choice.provider.as_deref().map(|name| Setting::new("--provider", "model.provider", name));
    model.into_iter().chain(provider).collect()
}
