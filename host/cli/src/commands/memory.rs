//! `hydroid memory`: looking through what is kept, adding to it and forgetting. Taking files in,
//! carrying notes elsewhere and measuring have a file each.

mod bench;
mod carried;
mod ingest;

use crate::args::{Memory, SearchMemory};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::moment;
use crate::terminal::{self, table};
use crate::wire::{Ground, SystemClock};
use anyhow::{Result, bail};
use hydroid_core::harmless::{excerpt, harmless};
use hydroid_core::ports::{
    Clock, Hit, MOST_HITS, Note, Order, Origin, Question, Recall, Scope, Scopes, Source, Why,
    normal_tag,
};
use hydroid_memory::{Database, Forgotten, Pruned};
use serde_json::{Value, json};
use std::io::BufRead;
use std::sync::Arc;

/// Characters of a text in a list.
const SHOWN: usize = 100;

/// Runs the command.
pub(crate) async fn run(
    command: Memory,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = match &command {
        // A component that embeds may need the secret of its service.
        Memory::Ingest { .. } | Memory::Watch { .. } | Memory::Reindex | Memory::Bench { .. } => {
            Ground::lay(environment, settings)?
        }
        _ => Ground::lay_to_look(environment, settings)?,
    };
    if let Memory::Bench { documents, queries, top } = &command {
        return bench::run(&ground, documents, queries, top.get()).await;
    }
    let database = ground.database().await?;
    match command {
        Memory::Search(search) => self::search(&ground, &database, search).await,
        Memory::List { limit, json } => list(&ground, &database, limit, json).await,
        Memory::Show { id } => show(&ground, &database, &id).await,
        Memory::Save { text, tags, important, scope } => {
            let note = Note::new(text.join(" "), &tags)?
                .in_scope(Scope::read(&scope)?)
                .marked_important(important);
            let id = database.save(&ground.user(), note, SystemClock.now_ms()).await?;
            terminal::print_line(&id)?;
            Ok(Exit::Done)
        }
        Memory::Delete { ids } => {
            for id in ids {
                database.delete(&ground.user(), &id).await?;
            }
            Ok(Exit::Done)
        }
        Memory::Recent { limit, json } => recent(&ground, &database, limit, json).await,
        Memory::Import { file, format } => {
            carried::import(&ground, &database, file.as_deref(), format).await
        }
        Memory::Export { format } => carried::export(&ground, &database, format).await,
        Memory::Prune { older_than, source, important, yes } => {
            let what = Pruned {
                before_ms: when("--older-than", &older_than)?,
                sources: source.map(Source::from).into_iter().collect(),
                important,
                only_count: !yes,
            };
            let gone = database.prune(&ground.user(), what).await?;
            let said = in_words(&gone);
            terminal::print_line(&if yes {
                format!("forgot {said}")
            } else {
                format!("{said} would be forgotten; add `--yes` to do it")
            })?;
            Ok(Exit::Done)
        }
        Memory::Purge { keep_sessions, yes } => {
            purge(&ground, &database, !keep_sessions, yes).await
        }
        Memory::Ingest { paths, project } => {
            ingest::run(&ground, &database, &paths, project.as_deref()).await
        }
        Memory::Forget { path } => {
            let shown = ingest::known_as(&ground, &path)?;
            let gone = database.forget_files(&ground.user(), &shown).await?;
            if gone == 0 {
                bail!(
                    "nothing was taken in from `{}`; `hydroid memory recent` shows what was",
                    harmless(&shown)
                );
            }
            terminal::print_line(&format!("forgot {gone} files"))?;
            Ok(Exit::Done)
        }
        Memory::Watch { directory, project, every } => {
            ingest::watch(&ground, &database, &directory, project.as_deref(), every).await
        }
        Memory::Status { json } => status(&ground, &database, json).await,
        Memory::Reindex => reindex(&ground, &database).await,
        // Handled above: it keeps nothing.
        Memory::Bench { .. } => Ok(Exit::Done),
    }
}

async fn search(ground: &Ground, database: &Database, search: SearchMemory) -> Result<Exit> {
    let narrowed = !search.tags.is_empty()
        || search.source.is_some()
        || search.since.is_some()
        || search.before.is_some();
    if !narrowed && !search.words.iter().any(|word| word.contains(char::is_alphanumeric)) {
        return Err(usage(
            "there is no word to look for; write what you remember of it, or see `hydroid memory recent` for what is newest",
        ));
    }
    if search.limit == 0 {
        return Err(usage("`--limit 0` shows nothing; write at least 1"));
    }
    let tags = search.tags.iter().map(|tag| normal_tag(tag)).collect::<Result<_, _>>()?;
    let bound =
        |flag: &str, text: &Option<String>| text.as_ref().map(|text| when(flag, text)).transpose();
    let question = Question {
        words: search.words.join(" "),
        limit: search.limit.min(MOST_HITS),
        tags,
        sources: search.source.map(Source::from).into_iter().collect(),
        after_ms: bound("--since", &search.since)?,
        before_ms: bound("--before", &search.before)?,
        scopes: Scopes::All,
        now_ms: Some(SystemClock.now_ms()),
        ..Question::default()
    };
    let memory = ground.memory(database)?;
    let hits = memory.search(&ground.user(), question).await?;
    print_hits(ground, &hits, search.json, search.explain)
}

async fn recent(ground: &Ground, database: &Database, limit: u32, json: bool) -> Result<Exit> {
    let question = Question {
        limit: limit.min(MOST_HITS),
        scopes: Scopes::All,
        order: Order::Newest,
        ..Question::default()
    };
    let hits = database.search(&ground.user(), question).await?;
    print_hits(ground, &hits, json, false)
}

fn print_hits(ground: &Ground, hits: &[Hit], as_json: bool, explain: bool) -> Result<Exit> {
    let scrubber = ground.scrubber.current();
    if as_json {
        let all = hits.iter().map(|hit| hit_as_json(hit, &scrubber.mask_known(&hit.text)));
        terminal::print_json(&all.collect())?;
        return Ok(Exit::Done);
    }
    if hits.is_empty() {
        terminal::say("nothing fits; try other or fewer words");
    }
    for hit in hits {
        let from = match &hit.from {
            Origin::Note { tags, .. } if tags.is_empty() => String::new(),
            Origin::Note { tags, .. } => {
                format!("  {}", tags.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
            }
            Origin::Message { session, role } => format!("  {role} in {session}"),
            Origin::File { path, .. } => format!("  {}", harmless(path)),
        };
        let day = moment::minute(hit.created_ms);
        terminal::print_line(&format!("{}  {day}{from}", hit.id))?;
        let text = harmless(&scrubber.mask_known(&hit.text));
        terminal::print_line(&format!("    {}", terminal::indented(text.trim(), 4)))?;
        if explain {
            terminal::print_line(&format!("    {:.3} = {}", hit.score, why(&hit.why)))?;
        }
    }
    Ok(Exit::Done)
}

fn why(why: &Why) -> String {
    let leg = |name: &str, score: Option<f64>| {
        score.map_or_else(|| format!("{name} -"), |score| format!("{name} {score:.2}"))
    };
    let legs = [
        leg("keyword", why.legs.keyword),
        leg("keyword window", why.legs.keyword_window),
        leg("vector", why.legs.vector),
        leg("vector window", why.legs.vector_window),
    ];
    format!(
        "{}, weighed; times {:.2} for age, times {:.2} for importance, less {:.2} for repeating",
        legs.join(", "),
        why.recency,
        why.importance,
        why.repeated
    )
}

fn hit_as_json(hit: &Hit, text: &str) -> Value {
    let from = match &hit.from {
        Origin::Note { tags, updated_ms, .. } => json!({ "tags": tags, "updated_ms": updated_ms }),
        Origin::Message { session, role } => json!({ "session": session, "role": role }),
        Origin::File { path, part } => json!({ "path": path, "part": part }),
    };
    let Why { legs, recency, importance, repeated, .. } = hit.why;
    json!({
        "id": hit.id, "source": hit.from.source().id(), "text": text, "score": hit.score,
        "created_ms": hit.created_ms, "from": from, "secret": hit.secret,
        "why": {
            "keyword": legs.keyword, "keyword_window": legs.keyword_window,
            "vector": legs.vector, "vector_window": legs.vector_window,
            "recency": recency, "importance": importance, "repeated": repeated,
        },
    })
}

async fn list(ground: &Ground, database: &Database, limit: u32, as_json: bool) -> Result<Exit> {
    let notes = database.notes(&ground.user(), 0, limit).await?;
    let scrubber = ground.scrubber.current();
    if as_json {
        let all = notes.iter().map(|note| carried::as_json(note, &scrubber.mask_known(&note.text)));
        terminal::print_json(&all.collect())?;
        return Ok(Exit::Done);
    }
    if notes.is_empty() {
        terminal::say("there are no notes yet; `hydroid memory save TEXT` keeps one");
        return Ok(Exit::Done);
    }
    let head = ["ID", "CHANGED (UTC)", "SCOPE", "TAGS", "TEXT"].map(str::to_owned).to_vec();
    let rows = notes.iter().map(|note| {
        let scope = if note.scope.is_empty() { "user" } else { note.scope.as_str() };
        vec![
            note.id.clone(),
            moment::minute(note.updated_ms),
            excerpt(scope, 40),
            note.tags.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            excerpt(&scrubber.mask_known(&note.text), SHOWN),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

async fn show(ground: &Ground, database: &Database, id: &str) -> Result<Exit> {
    let note = database.note(&ground.user(), id).await?;
    let scope = if note.scope.is_empty() { "user" } else { note.scope.as_str() };
    let tags = note.tags.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let important = if note.important { ", important" } else { "" };
    terminal::print_line(&format!(
        "{}, kept {}, changed {}, scope {}{important}{}{tags}",
        note.id,
        moment::minute(note.created_ms),
        moment::minute(note.updated_ms),
        harmless(scope),
        if tags.is_empty() { "" } else { ", tags " },
    ))?;
    terminal::print_line(&harmless(&ground.scrubber.current().mask_known(&note.text)))?;
    Ok(Exit::Done)
}

async fn purge(ground: &Ground, database: &Database, sessions: bool, yes: bool) -> Result<Exit> {
    let what = if sessions { "all notes, files and sessions" } else { "all notes and files" };
    if !yes {
        if !ground.terminal.interactive {
            return Err(usage(format!(
                "this forgets {what} of `{}` for good; add `--yes` to do it",
                ground.user()
            )));
        }
        terminal::say(&format!(
            "this forgets {what} of `{}` for good; type `forget` to do it",
            ground.user()
        ));
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.trim() != "forget" {
            terminal::say("nothing was forgotten");
            return Ok(Exit::Done);
        }
    }
    let gone = database.purge(&ground.user(), sessions).await?;
    terminal::print_line(&format!("forgot {}", in_words(&gone)))?;
    Ok(Exit::Done)
}

async fn status(ground: &Ground, database: &Database, as_json: bool) -> Result<Exit> {
    let memory = ground.memory(database)?;
    let described = match memory.embedder() {
        Some(embedder) => Some(embedder.describe().await),
        None => None,
    };
    let embedder = described.as_ref().and_then(|described| described.as_ref().ok());
    let status = database.memory_status(&ground.user(), embedder).await?;
    let files = database.files(&ground.user()).await?;
    if as_json {
        terminal::print_json(&json!({
            "notes": status.notes, "messages": status.messages, "files": status.files,
            "chunks": status.chunks, "embedded": status.embedded,
            "of_other_embedders": status.of_other_embedders, "bytes": status.bytes, "url": database.service(),
            "embedder": embedder.map(|embedder| json!({ "model": embedder.model, "identity": embedder.identity, "dimensions": embedder.dimensions })),
        }))?;
        return Ok(Exit::Done);
    }
    terminal::print_line(&format!(
        "{} notes, {} messages, {} files: {} chunks in {} MiB",
        status.notes,
        status.messages,
        status.files,
        status.chunks,
        status.bytes >> 20
    ))?;
    if let Some(address) = database.service() {
        terminal::print_line(&format!("they are at `{address}`"))?;
    }
    terminal::print_line(&match (&described, embedder) {
        (None, _) => "no embedder: words find it, meanings do not".to_owned(),
        (Some(Err(error)), _) => {
            format!("the embedder does not answer: {}", harmless(&error.message))
        }
        (Some(Ok(_)), None) => String::new(),
        (Some(Ok(_)), Some(embedder)) if status.embedded < status.chunks => format!(
            "{} of {} chunks have vectors by `{}`; words find the rest, and `hydroid memory reindex` gives them theirs now",
            status.embedded,
            status.chunks,
            harmless(&embedder.model)
        ),
        (Some(Ok(_)), Some(embedder)) => {
            format!(
                "all have vectors of {} numbers by `{}`",
                embedder.dimensions,
                harmless(&embedder.model)
            )
        }
    })?;
    for file in files.iter().take(100) {
        let scope = if file.scope.is_empty() {
            String::new()
        } else {
            format!("  {}", harmless(&file.scope))
        };
        terminal::print_line(&format!(
            "  {}  {} chunks{scope}",
            harmless(&file.path),
            file.chunks
        ))?;
    }
    if files.len() > 100 {
        terminal::print_line(&format!("  and {} more files", files.len() - 100))?;
    }
    Ok(Exit::Done)
}

async fn reindex(ground: &Ground, database: &Database) -> Result<Exit> {
    let memory = ground.memory(database)?;
    if memory.embedder().is_none() {
        bail!(
            "there is no embedder, so there is nothing to do: words are indexed as they are written"
        );
    }
    ingest::embed(ground, &memory).await?;
    Ok(Exit::Done)
}

fn in_words(gone: &Forgotten) -> String {
    let Forgotten { notes, messages, files, sessions } = gone;
    format!("{notes} notes, {messages} messages, {files} files and {sessions} sessions")
}

fn when(flag: &str, text: &str) -> Result<u64> {
    moment::since(text, SystemClock.now_ms()).ok_or_else(|| {
        usage(format!(
            "`{flag} {text}` is no time; write `30m`, `1h`, `7d` or a day like `2026-11-22`"
        ))
    })
}
