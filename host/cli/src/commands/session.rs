//! `hydroid session`: what was said and done before, and going on with it.

pub(super) mod change;

use super::{chat, model_settings};
use crate::args::{Chat, ExportFormat, ModelChoice, Session};
use crate::conversation::{Conversation, Opening, Person, compacted, find_session};
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::render::Mode;
use crate::stopped::refuse_if_stopped;
use crate::terminal::{self, table};
use crate::wire::Ground;
use crate::{moment, transcript};
use anyhow::Result;
use hydroid_agent::SessionChoice;
use hydroid_core::entry::Entry;
use hydroid_core::harmless::excerpt;
use hydroid_core::id::SessionId;
use hydroid_core::ports::{
    Journal, Origin, Question, Recall as _, Source, StoredEntry, StoredSessions as _,
};
use hydroid_core::recording::recording;
use hydroid_memory::Database;
use serde_json::json;
use std::sync::Arc;

/// Sessions that are listed.
const LISTED: u32 = 200;

/// Characters of a title in the list.
const TITLE: usize = 60;

/// Characters of what was found.
const EXCERPT: usize = 120;

/// Most that is found.
const MOST_FOUND: u32 = 50;

/// Runs the command.
pub(crate) async fn run(
    command: Session,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    if let Session::Resume { id, choice } = command {
        let chat = Chat { session: Some(id), mode: None, choice };
        return chat::run(chat, environment, settings).await;
    }
    if let Session::Compact { id, choice } = command {
        return compact(&id, &choice, environment, settings).await;
    }
    let command = match change::of(command) {
        Ok(change) => return change::run(change, environment, &settings).await,
        Err(command) => command,
    };
    let ground = Ground::lay_to_look(environment, &settings)?;
    let database = ground.database().await?;
    match command {
        Session::List { archived, json } => list(&ground, &database, archived, json).await,
        Session::Show { id } => {
            let (_, stored) = entries(&ground, &database, &id).await?;
            terminal::print(&transcript::plain(&only_entries(stored)))?;
            Ok(Exit::Done)
        }
        Session::Export { id, format } => {
            let (id, stored) = entries(&ground, &database, &id).await?;
            match format {
                ExportFormat::Jsonl => {
                    for stored in stored {
                        terminal::print_json(
                            &json!({ "seq": stored.seq, "at_ms": stored.at_ms, "entry": stored.entry }),
                        )?;
                    }
                }
                ExportFormat::Markdown => {
                    let sessions = database.sessions(&ground.user(), LISTED).await?;
                    let title = sessions
                        .into_iter()
                        .find(|session| session.id == id)
                        .map(|session| ground.scrubber.current().mask_known(&session.title));
                    terminal::print(&transcript::markdown(
                        &title.unwrap_or_else(|| id.to_string()),
                        &only_entries(stored),
                    ))?;
                }
                ExportFormat::Replay => terminal::print(&recording(&only_entries(stored)))?,
            }
            Ok(Exit::Done)
        }
        Session::Search { words, session, limit, json } => {
            let session = match session {
                Some(id) => Some(find_session(&database, &ground.user(), &id).await?),
                None => None,
            };
            search(&ground, &database, words.join(" "), session, limit, json).await
        }
        // Handled above: they open the database themselves.
        Session::Resume { .. }
        | Session::Compact { .. }
        | Session::Rename { .. }
        | Session::Archive { .. }
        | Session::Fork { .. }
        | Session::Rewind { .. }
        | Session::Delete { .. } => Ok(Exit::Done),
    }
}

async fn compact(
    id: &str,
    choice: &ModelChoice,
    environment: Arc<Environment>,
    mut settings: Vec<Setting>,
) -> Result<Exit> {
    // The daemon has its own model, so another one is asked from here.
    if choice.model.is_none() && choice.provider.is_none() && settings.is_empty() {
        let looked = Ground::lay_to_look(Arc::clone(&environment), &settings)?;
        if let Some(turns) = change::compacted_by_daemon(&looked, id).await? {
            terminal::print_line(&compacted(turns))?;
            return Ok(Exit::Done);
        }
    }
    settings.extend(model_settings(choice));
    let ground = Ground::lay(environment, &settings)?;
    refuse_if_stopped(&ground.paths)?;
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let agent = ground.agent(&catalog, &database).await?;
    let session = find_session(&database, &ground.user(), id).await?;
    let opening = Opening {
        user: ground.user(),
        session: SessionChoice::Existing(session),
        mode: ground.config.policy.mode,
        person: Person::Nowhere,
        allow: Vec::new(),
        show: Mode::Quiet,
    };
    let mut conversation =
        Conversation::open(&agent, &ground.paths, ground.terminal, opening).await?;
    let said = conversation.compact().await;
    conversation.close().await;
    terminal::print_line(&said?)?;
    Ok(Exit::Done)
}

async fn list(ground: &Ground, database: &Database, archived: bool, as_json: bool) -> Result<Exit> {
    let sessions = database.list(&ground.user(), archived, LISTED).await?;
    let mut sessions: Vec<_> = sessions.into_iter().map(|session| session.summary).collect();
    let scrubber = ground.scrubber.current();
    for session in &mut sessions {
        session.title = scrubber.mask_known(&session.title);
    }
    if as_json {
        let row = |session: &hydroid_core::ports::SessionSummary| json!({ "id": session.id, "title": session.title, "created_ms": session.created_ms, "updated_ms": session.updated_ms, "turns": session.turns });
        terminal::print_json(&sessions.iter().map(row).collect())?;
        return Ok(Exit::Done);
    }
    if sessions.is_empty() && archived {
        terminal::say("no session was put away");
        return Ok(Exit::Done);
    }
    if sessions.is_empty() {
        terminal::say("there are no sessions yet; `hydroid ask` and `hydroid chat` begin one");
        return Ok(Exit::Done);
    }
    let head = ["ID", "BEGAN (UTC)", "LAST (UTC)", "TURNS", "TITLE"].map(str::to_owned).to_vec();
    let rows = sessions.iter().map(|session| {
        vec![
            session.id.to_string(),
            moment::minute(session.created_ms),
            moment::minute(session.updated_ms),
            session.turns.to_string(),
            excerpt(&session.title, TITLE),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

async fn search(
    ground: &Ground,
    database: &Database,
    words: String,
    within: Option<SessionId>,
    limit: u32,
    as_json: bool,
) -> Result<Exit> {
    let limit = limit.clamp(1, MOST_FOUND);
    let question = Question {
        words,
        // Of one session only those are kept that are its own.
        limit: if within.is_some() { MOST_FOUND } else { limit },
        sources: [Source::Message].into(),
        ..Question::default()
    };
    let scrubber = ground.scrubber.current();
    let mut found = Vec::new();
    for hit in ground.memory(database)?.search(&ground.user(), question).await? {
        let Origin::Message { session, .. } = hit.from else { continue };
        if within.as_ref().is_none_or(|within| *within == session) {
            found.push((session, hit.created_ms, scrubber.mask_known(&hit.text)));
        }
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if as_json {
        let row = |(session, at_ms, text): &(SessionId, u64, String)| json!({ "session": session, "at_ms": at_ms, "text": text });
        terminal::print_json(&found.iter().map(row).collect())?;
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        terminal::say("nothing fits; try other or fewer words");
    }
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|(session, at_ms, text)| {
            vec![session.to_string(), moment::minute(at_ms), excerpt(&text, EXCERPT)]
        })
        .collect();
    terminal::print(&table(&rows))?;
    Ok(Exit::Done)
}

async fn entries(
    ground: &Ground,
    database: &Database,
    id: &str,
) -> Result<(SessionId, Vec<StoredEntry>)> {
    let id = find_session(database, &ground.user(), id).await?;
    let stored = database.entries(&ground.user(), &id, 0).await?;
    Ok((id, as_known_now(ground, stored)))
}

/// A secret that became known after it was recorded is not shown either.
pub(crate) fn as_known_now(ground: &Ground, stored: Vec<StoredEntry>) -> Vec<StoredEntry> {
    let (places, entries): (Vec<_>, Vec<_>) =
        stored.into_iter().map(|stored| ((stored.seq, stored.at_ms), stored.entry)).unzip();
    let masked = ground.scrubber.current().known_entries(entries);
    let with_place = |((seq, at_ms), entry)| StoredEntry { seq, at_ms, entry };
    places.into_iter().zip(masked).map(with_place).collect()
}

fn only_entries(stored: Vec<StoredEntry>) -> Vec<Entry> {
    stored.into_iter().map(|stored| stored.entry).collect()
}
