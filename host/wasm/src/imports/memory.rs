//! `hydroid:cap/memory`: the notes of the person whose call it is, and search over them and over
//! what was said.

use super::{error, records, store_error};
use crate::bindings::cap::memory::{self as wit, Host};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::{Equipment, State};
use hydroid_core::config::did_you_mean;
use hydroid_core::ports::{
    CallContext, Hit, MOST_HITS, Note, Origin, Question, RecallError, Source, normal_tag,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmtime::Result;

/// Most bytes of a question: a person's longest paragraph, with room.
const LONGEST_QUESTION: usize = 64 << 10;

/// Most bytes of the options of a search.
const LONGEST_OPTIONS: usize = 16 << 10;

impl Host for State {
    async fn search(
        &mut self,
        query: String,
        limit: u32,
        options_json: Option<String>,
    ) -> Result<Result<Vec<wit::Hit>, Error>> {
        Ok(search(&self.equipment, &self.call, query, limit, options_json.as_deref()).await)
    }

    async fn save(&mut self, note: wit::Note) -> Result<Result<String, Error>> {
        Ok(save(&self.equipment, &self.call, note).await)
    }

    async fn update(&mut self, id: String, note: wit::Note) -> Result<Result<(), Error>> {
        Ok(update(&self.equipment, &self.call, &id, note).await)
    }

    async fn delete(&mut self, id: String) -> Result<Result<(), Error>> {
        Ok(delete(&self.equipment, &self.call, &id).await)
    }
}

async fn search(
    equipment: &Equipment,
    call: &CallContext,
    words: String,
    limit: u32,
    options: Option<&str>,
) -> Result<Vec<wit::Hit>, Error> {
    let records = records(equipment)?;
    if words.len() > LONGEST_QUESTION {
        let problem = format!(
            "a query has at most {LONGEST_QUESTION} bytes and this one has {}; ask with fewer words",
            words.len()
        );
        return Err(error(ErrorKind::TooLarge, problem));
    }
    let mut question = question(options.unwrap_or("{}"))?;
    question.words = words;
    question.limit = limit.min(MOST_HITS);
    question.asked_in = Some(call.turn.clone());
    let found = records.recall.search(&call.user, question).await.map_err(recall_error)?;
    if found.iter().any(|hit| hit.secret) {
        call.secret.set();
    }
    Ok(found.into_iter().map(hit).collect())
}

async fn save(equipment: &Equipment, call: &CallContext, note: wit::Note) -> Result<String, Error> {
    let records = records(equipment)?;
    let note = Note::new(note.text, &note.tags).map_err(recall_error)?;
    let note = note.written_in(call.session.clone());
    let now = records.clock.now_ms();
    records.recall.save(&call.user, note, now).await.map_err(recall_error)
}

async fn update(
    equipment: &Equipment,
    call: &CallContext,
    id: &str,
    note: wit::Note,
) -> Result<(), Error> {
    let records = records(equipment)?;
    let note = Note::new(note.text, &note.tags).map_err(recall_error)?;
    let note = note.written_in(call.session.clone());
    let now = records.clock.now_ms();
    records.recall.update(&call.user, id, note, now).await.map_err(recall_error)
}

async fn delete(equipment: &Equipment, call: &CallContext, id: &str) -> Result<(), Error> {
    let records = records(equipment)?;
    records.recall.delete(&call.user, id).await.map_err(recall_error)
}

/// What `options-json` may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    after_s: Option<u64>,
    #[serde(default)]
    before_s: Option<u64>,
}

fn question(options: &str) -> Result<Question, Error> {
    let invalid = |problem: String| error(ErrorKind::InvalidInput, problem);
    if options.len() > LONGEST_OPTIONS {
        let length = options.len();
        return Err(invalid(format!(
            "the options have {length} bytes and {LONGEST_OPTIONS} are the most; leave some out"
        )));
    }
    // By way of an object: a list of values would fill the fields in order, too.
    let object = serde_json::from_str::<Map<String, Value>>(options);
    let options = object.and_then(|object| Options::deserialize(Value::Object(object)));
    let options = options.map_err(|problem| {
        invalid(format!(
            "the options of a search do not fit: {problem}; they are an object of `tags`, `sources`, `after_s` and `before_s`"
        ))
    })?;
    let tags = options.tags.iter().map(|tag| normal_tag(tag)).collect::<Result<_, _>>();
    let sources = options.sources.iter().map(|name| source(name)).collect::<Result<_, _>>();
    Ok(Question {
        tags: tags.map_err(recall_error)?,
        sources: sources.map_err(invalid)?,
        after_ms: options.after_s.map(|seconds| seconds.saturating_mul(1_000)),
        before_ms: options.before_s.map(|seconds| seconds.saturating_mul(1_000)),
        ..Question::default()
    })
}

fn source(name: &str) -> Result<Source, String> {
    Source::ALL.into_iter().find(|source| source.id() == name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let ids = Source::ALL.map(Source::id);
        format!(
            "nothing is searched that is called `{shown}`{}; sources: {}",
            did_you_mean(&shown, ids),
            ids.join(", ")
        )
    })
}

fn hit(hit: Hit) -> wit::Hit {
    let source = hit.from.source().id().to_owned();
    let details = match hit.from {
        Origin::Note { tags, updated_ms } => {
            json!({ "tags": tags, "updated_s": updated_ms / 1_000 })
        }
        Origin::Message { session, role } => json!({ "session": session, "role": role }),
    };
    wit::Hit {
        id: hit.id,
        text: hit.text,
        source,
        score: narrow(hit.score),
        created_s: u32::try_from(hit.created_ms / 1_000).unwrap_or(u32::MAX),
        details_json: Some(details.to_string()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a score is for comparing, not for counting")]
fn narrow(score: f64) -> f32 {
    score as f32
}

pub(super) fn recall_error(problem: RecallError) -> Error {
    let kind = match &problem {
        RecallError::EmptyNote
        | RecallError::ManyTags(_)
        | RecallError::Tag(_)
        | RecallError::Nul
        | RecallError::NotANote(_)
        | RecallError::NoWords => ErrorKind::InvalidInput,
        RecallError::LongNote(_) | RecallError::LongScratchpad(_) | RecallError::Full => {
            ErrorKind::TooLarge
        }
        RecallError::NoNote(_) => ErrorKind::NotFound,
        RecallError::Store(problem) => return store_error(problem),
    };
    error(kind, problem.to_string())
}
