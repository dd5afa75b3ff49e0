//! `hydroid memory bench`: documents are taken in, queries asked, and what was found printed, as
//! outside measuring wants it. Nothing is kept, and nothing of the person is looked into.

use crate::exit::Exit;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::ports::{Origin, Question, Scope};
use hydroid_memory::{Database, NewFile};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

/// One line of either file.
#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
}

/// Runs the command.
pub(super) async fn run(
    ground: &Ground,
    documents: &Path,
    queries: &Path,
    top: usize,
) -> Result<Exit> {
    let (documents, queries) = (read(documents)?, read(queries)?);
    let database = Database::open_in_memory().await?;
    let user = ground.user();
    database.add_user(&user).await?;
    let memory = ground.memory(&database)?;
    let began = Instant::now();
    let count = documents.len();
    for Line { id, text } in documents {
        let bytes = text.len() as u64;
        let (digest, scope) = (id.clone(), Scope::User);
        let file = NewFile { path: id, scope, text, digest, bytes, modified_ms: 1 };
        database.take_file(&user, file, 1).await?;
    }
    memory.embed_all(&user, |_| {}).await.map_err(anyhow::Error::msg)?;
    terminal::say(&format!(
        "{count} documents taken in, in {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    let began = Instant::now();
    let asked = queries.len();
    for Line { id, text } in queries {
        // Times in a query are words like others here.
        let question = Question { words: text, now_ms: None, ..Question::default() };
        let hits = memory.search_documents(&user, question, top).await?;
        let results = hits.into_iter().filter_map(|hit| match hit.from {
            Origin::File { path, .. } => Some(json!({ "id": path, "score": hit.score })),
            Origin::Note { .. } | Origin::Message { .. } => None,
        });
        let results: Vec<_> = results.collect();
        terminal::print_line(&json!({ "query": id, "results": results }).to_string())?;
    }
    terminal::say(&format!("{asked} queries asked, in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<Vec<Line>> {
    let file = File::open(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("line {} of `{}`", number + 1, path.display());
        let line = line.with_context(|| format!("{} cannot be read", place()))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line)
            .with_context(|| format!("{} is no object with `id` and `text`", place()))?;
        if !seen.insert(line.id.clone()) {
            bail!("{} has an `id` that an earlier line has", place());
        }
        lines.push(line);
    }
    Ok(lines)
}
