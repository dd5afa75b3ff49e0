//! `hydroid provider`: the services known by name, configuring one, and trying it. What it writes
//! is what `config set` and `component grant` write.

mod add;
mod earlier;
mod login;
mod remove;
mod test;

pub(crate) use login::how_to_store;

use crate::args::Provider as Command;
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::providers::{self, Service};
use crate::release;
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::Result;
use hydroid_core::manifest::Manifest;
use serde_json::json;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    match command {
        Command::List { json } => list(&Ground::lay_to_look(environment, &settings)?, json),
        Command::Show { name } => show(&Ground::lay_to_look(environment, &settings)?, &name),
        Command::Add(wish) => add::add(environment, &settings, &wish).await,
        Command::Remove { name } => remove::remove(environment, &settings, &name).await,
        Command::Login { name, client_id } => {
            login::login(environment, &settings, &name, client_id.as_deref()).await
        }
        Command::Test { name } => {
            test::test(&Ground::lay(environment, &settings)?, name.as_deref()).await
        }
    }
}

/// The name of the service in use, if it is one of the list.
fn in_use(ground: &Ground) -> Result<Option<String>> {
    providers::configured(&ground.config, &ground.config.model.provider, schema_default()?)
}

/// What the schema of a component of the release has for a key that is not configured.
fn schema_default() -> Result<impl Fn(&str, &str) -> Option<String>> {
    let release = release::release()?;
    Ok(move |component: &str, key: &str| {
        let of_it = |manifest: &&Manifest| manifest.name.as_str() == component;
        let manifest = release.components.iter().map(|its| &its.manifest).find(of_it)?;
        let schema = manifest.config.as_ref()?;
        Some(schema.pointer(&format!("/properties/{key}/default"))?.as_str()?.to_owned())
    })
}

fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let used = in_use(ground)?;
    let services = providers::services()?;
    let key = |service: &Service| match &service.secret {
        None => "none".to_owned(),
        Some(secret) if ground.secrets.has(secret) => format!("{secret}, set"),
        Some(secret) => format!("{secret}, not set"),
    };
    if as_json {
        let rows = services.iter().map(|(name, service)| {
            json!({
                "name": name,
                "title": service.title,
                "component": service.component,
                "url": service.url,
                "secret": service.secret,
                "secret_is_set": service.secret.as_ref().map(|secret| ground.secrets.has(secret)),
                "env": service.env,
                "local": service.local,
                "in_use": used.as_deref() == Some(name),
            })
        });
        terminal::print_json(&rows.collect())?;
        return Ok(Exit::Done);
    }
    let head = ["", "NAME", "SERVICE", "ADDRESS", "KEY"].map(str::to_owned).to_vec();
    let rows = services.iter().map(|(name, service)| {
        vec![
            if used.as_deref() == Some(name) { "*" } else { "" }.to_owned(),
            name.clone(),
            service.title.clone(),
            service.url.clone(),
            key(service),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

fn show(ground: &Ground, name: &str) -> Result<Exit> {
    let service = providers::find(name)?;
    let used = if in_use(ground)?.as_deref() == Some(name) { ", in use" } else { "" };
    let mut lines = vec![
        format!("{name}: {}{used}", service.title),
        format!("  address    {}", service.url),
        format!("  component  {}", service.component),
    ];
    match (&service.secret, &service.auth) {
        (Some(secret), Some(auth)) => {
            let set = if ground.secrets.has(secret) { "set" } else { "not set" };
            let how = match auth.as_str() {
                "aws-sigv4" => "which signs for AWS and is never sent".to_owned(),
                "oauth-device" => {
                    format!("which `hydroid provider login {name}` obtains with a code")
                }
                place => format!("sent as {place}"),
            };
            lines.push(format!("  key        the secret {secret}, {how}; {set}"));
            if !service.env.is_empty() {
                lines.push(format!("  usually in {}", service.env.join(", ")));
            }
        }
        (_, _) => lines.push("  key        none".to_owned()),
    }
    for (key, value) in &service.config {
        lines.push(format!("  sets       components.{}.config.{key} = {value}", service.component));
    }
    lines.push(format!("  documented {}", service.docs));
    lines.extend(service.note.iter().map(|note| format!("  note       {note}")));
    lines.push(format!("  use it     {}", add_command(name, &service)));
    terminal::print(&(lines.join("\n") + "\n"))?;
    Ok(Exit::Done)
}

fn add_command(name: &str, service: &Service) -> String {
    let url = service.missing().map(|_| format!(" --url {}", service.url)).unwrap_or_default();
    format!("hydroid provider add {name} --model MODEL{url}")
}
