//! `hydroid token`: who else may speak to the daemon, and for whom.

use crate::args::{TokenCommand, TokenScope};
use crate::audited::{Deed, audit};
use crate::daemon::Tokens;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::harmless::exact;
use crate::load::Setting;
use crate::moment;
use crate::terminal::{self, table};
use crate::wire::{Ground, SystemClock};
use anyhow::Result;
use hydroid_core::audit::AuditAction;
use hydroid_core::config::Config;
use hydroid_core::id::UserId;
use hydroid_core::ports::Clock;
use hydroid_gateway::{Scope, TokenStore};
use serde_json::json;
use std::sync::Arc;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Characters of a client's name.
const LONGEST_NAME: usize = 64;

/// Runs the command.
pub(crate) async fn run(
    command: TokenCommand,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let tokens = Tokens::of(&ground.paths);
    match command {
        TokenCommand::Create { user, client, scope, days } => {
            let user = match user {
                Some(user) => named(&user)?,
                None => ground.user(),
            };
            if client.is_empty()
                || client.chars().count() > LONGEST_NAME
                || client.chars().any(char::is_control)
            {
                return Err(usage(format!("`--client` has 1 to {LONGEST_NAME} characters")));
            }
            if days == Some(0) {
                return Err(usage("`--days` is at least 1"));
            }
            audit(&ground, deed(format!("token for `{client}` of `{user}`"), "token create"))
                .await?;
            create(&tokens, &user, &client, scope, days)
        }
        TokenCommand::List { json } => list(&tokens, json),
        TokenCommand::Revoke { id } => {
            let known = tokens.book()?.tokens().iter().any(|token| token.id == id);
            if !known {
                return Err(usage("there is no such token; `hydroid token list` shows them"));
            }
            audit(&ground, deed(format!("token {id}"), "token revoke")).await?;
            tokens.change(&mut |book| {
                book.revoke(&id);
                Ok(())
            })?;
            terminal::print_line(&format!("token {id} is revoked"))?;
            Ok(Exit::Done)
        }
    }
}

fn deed(what: String, command: &'static str) -> Deed<'static> {
    Deed {
        action: AuditAction::ConfigChanged,
        resource: what,
        component: None,
        digest: None,
        command,
    }
}

/// A user, by the rules that the configuration has for names.
fn named(user: &str) -> Result<UserId> {
    let mut table = toml::Table::new();
    table.insert("user".to_owned(), user.into());
    let config = Config::from_table(table).map_err(|error| usage(format!("`--user`: {error}")))?;
    Ok(config.user)
}

fn create(
    tokens: &Tokens,
    user: &UserId,
    client: &str,
    scope: TokenScope,
    days: Option<u32>,
) -> Result<Exit> {
    let now_ms = SystemClock.now_ms();
    let expires_ms = days.map(|days| now_ms.saturating_add(u64::from(days) * DAY_MS));
    let scope = match scope {
        TokenScope::Read => Scope::Read,
        TokenScope::Chat => Scope::Chat,
        TokenScope::Admin => Scope::Admin,
    };
    let mut made = String::new();
    tokens.change(&mut |book| {
        made = book.create(user.clone(), client, [scope].into(), now_ms, expires_ms)?;
        Ok(())
    })?;
    terminal::print_line(&made)?;
    terminal::say("it is not shown again; whoever has it speaks for the user it is made for");
    Ok(Exit::Done)
}

fn list(tokens: &Tokens, as_json: bool) -> Result<Exit> {
    let book = tokens.book()?;
    if as_json {
        let row = |token: &hydroid_gateway::Token| {
            json!({
                "id": token.id,
                "user": token.user,
                "client": token.client,
                "scopes": token.scopes,
                "created_ms": token.created_ms,
                "expires_ms": token.expires_ms,
            })
        };
        terminal::print_json(&book.tokens().iter().map(row).collect())?;
        return Ok(Exit::Done);
    }
    if book.tokens().is_empty() {
        terminal::say("there are no tokens; `hydroid token create` makes one");
        return Ok(Exit::Done);
    }
    let head = ["ID", "USER", "CLIENT", "MAY", "MADE (UTC)", "ENDS (UTC)"].map(str::to_owned);
    let rows = book.tokens().iter().map(|token| {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
        vec![
            exact(&token.id),
            exact(token.user.as_str()),
            exact(&token.client),
            scopes.join(", "),
            moment::minute(token.created_ms),
            token.expires_ms.map_or_else(|| "never".to_owned(), moment::minute),
        ]
    });
    terminal::print(&table(&std::iter::once(head.to_vec()).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}
