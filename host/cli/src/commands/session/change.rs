//! Changing sessions as a whole: each change is a request of the protocol, which the daemon does if
//! one runs, so that whoever follows the session sees it, and the same code here otherwise.

use crate::args::Session;
use crate::commands::component::question;
use crate::conversation::find_session;
use crate::daemon::{Order, ask, hub, running};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::entry::Entry;
use hydroid_core::harmless::harmless;
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::ports::{Conversations as _, Journal as _};
use hydroid_core::protocol::{Reply, Request, RequestError};
use hydroid_memory::Database;
use std::sync::Arc;

/// What is to be changed of a session.
pub(super) enum Change {
    Rename(String),
    Archive(bool),
    Fork { without: usize, title: Option<String> },
    Rewind(usize),
    Delete { sure: bool },
}

/// The change that a command makes and of which session; the command itself if it makes none.
pub(super) fn of(command: Session) -> Result<(String, Change), Session> {
    match command {
        Session::Rename { id, title } => Ok((id, Change::Rename(title.join(" ")))),
        Session::Archive { id, undo } => Ok((id, Change::Archive(!undo))),
        Session::Fork { id, without, title } => Ok((id, Change::Fork { without, title })),
        Session::Rewind { id, turns } => Ok((id, Change::Rewind(turns))),
        Session::Delete { id, yes } => Ok((id, Change::Delete { sure: yes })),
        Session::List { .. }
        | Session::Show { .. }
        | Session::Resume { .. }
        | Session::Compact { .. }
        | Session::Search { .. }
        | Session::Export { .. } => Err(command),
    }
}

/// Makes the change.
pub(super) async fn run(
    (id, change): (String, Change),
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(Arc::clone(&environment), settings)?;
    let database = ground.database().await?;
    let session = find_session(&database, &ground.user(), &id).await?;
    let request = match change {
        Change::Rename(title) => Request::Rename { session, title },
        Change::Archive(archived) => Request::Archive { session, archived },
        Change::Fork { without, title } => {
            let before = nth_last(&ground, &database, &session, without).await?;
            Request::Fork { session, before, title, key: None }
        }
        Change::Rewind(0) => return Err(usage("`--turns` is at least 1")),
        Change::Rewind(turns) => {
            let before = nth_last(&ground, &database, &session, turns).await?;
            Request::Rewind { session, before }
        }
        Change::Delete { sure } => {
            let question = format!("remove session `{session}` for good?");
            if !sure && !question::confirmed(&ground, &question, "--yes")? {
                terminal::say("nothing was removed");
                return Ok(Exit::Error);
            }
            Request::Delete { session }
        }
    };
    let is_copied = matches!(request, Request::Fork { .. });
    match done(&ground, environment, settings, request).await? {
        Reply::Session { session } if is_copied => {
            terminal::print_line(session.session.as_str())?;
        }
        Reply::Session { session } if session.archived => {
            terminal::say("it is put away; `hydroid session list --archived` shows it");
        }
        Reply::Session { session } => {
            terminal::say(&format!("it is called `{}`", harmless(&session.title)));
        }
        _ => terminal::say("done"),
    }
    Ok(Exit::Done)
}

/// Has the daemon sum a session up; none if no daemon runs.
pub(super) async fn compacted_by_daemon(ground: &Ground, id: &str) -> Result<Option<u32>> {
    let database = ground.database().await?;
    let session = find_session(&database, &ground.user(), id).await?;
    match asked(ground, &Request::Compact { session }).await? {
        None => Ok(None),
        Some(Reply::Compacted { turns, .. }) => Ok(Some(turns)),
        Some(reply) => bail!("the daemon replied with something else: {reply:?}"),
    }
}

pub(in crate::commands) async fn done(
    looked: &Ground,
    environment: Arc<Environment>,
    settings: &[Setting],
    request: Request,
) -> Result<Reply> {
    if let Some(reply) = asked(looked, &request).await? {
        if !settings.is_empty() {
            terminal::say(
                "the daemon did it, by its own configuration: `--set` is for what a command does itself",
            );
        }
        return Ok(reply);
    }
    let ground = Ground::lay(environment, settings)?;
    let hub = hub(&ground).await?;
    let reply = hub.request(request).await;
    hub.close().await;
    reply.map_err(Into::into)
}

/// What the daemon answers; none if none runs.
async fn asked(ground: &Ground, request: &Request) -> Result<Option<Reply>> {
    if running(&ground.paths).await.is_none() {
        return Ok(None);
    }
    let order = Order::Ask { user: ground.user(), request: Box::new(request.clone()) };
    let mut answer = ask(&ground.paths, order).await?;
    if let Ok(error) = serde_json::from_value::<RequestError>(answer["error"].take()) {
        return Err(error.into());
    }
    let reply = serde_json::from_value(answer["reply"].take());
    reply.context("the daemon's answer is of another version; restart it").map(Some)
}

/// The last turn but so many of a conversation, counted from 1; none for 0.
async fn nth_last(
    ground: &Ground,
    database: &Database,
    session: &SessionId,
    count: usize,
) -> Result<Option<TurnId>> {
    if count == 0 {
        return Ok(None);
    }
    let entries = database.entries(&ground.user(), session, 0).await?;
    let turns = turns_of(entries.into_iter().map(|stored| stored.entry));
    match turns.len().checked_sub(count).and_then(|at| turns.get(at)) {
        Some(turn) => Ok(Some(turn.clone())),
        None => Err(usage(format!("the conversation has {} turns", turns.len()))),
    }
}

/// Turns that were not forgotten, oldest first.
fn turns_of(entries: impl Iterator<Item = Entry>) -> Vec<TurnId> {
    let mut turns: Vec<TurnId> = Vec::new();
    for entry in entries {
        match entry {
            Entry::TurnStarted { turn, .. } => turns.push(turn),
            Entry::Rewound { to: None } => turns.clear(),
            Entry::Rewound { to: Some(to) } => {
                if let Some(at) = turns.iter().position(|turn| *turn == to) {
                    turns.truncate(at);
                }
            }
            _ => {}
        }
    }
    turns
}
