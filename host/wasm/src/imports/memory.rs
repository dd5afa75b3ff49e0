//! `hydroid:cap/memory`: the notes of the person whose call it is, and search over them and over
//! what was said.

use super::{error, records, store_error};
use crate::bindings::cap::memory::{self as wit, Host};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::{Equipment, State};
use hydroid_core::config::did_you_mean;
use hydroid_core::ports::{
    CallContext, Hit, MOST_HITS, Note, Order, Origin, Question, RecallError, Scope, Scopes, Source,
    Why, normal_tag,
};
use hydroid_core::retrieval::fusion::Tuning;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmtime::Result;

/// Most bytes of a question: a person's longest paragraph, with room.
const LONGEST_QUESTION: usize = 64 << 10;

/// The agent people speak to; its own notes are found by it.
const AGENT: &str = "main";

/// What tags begin with that say something of the note itself: `@important`, and where it is
/// found, `@session`, `@agent` or `@project/NAME`. The contract has no other place for it.
const RESERVED: char = '@';

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
    let (mut question, explain) = question(options.unwrap_or("{}"), call)?;
    question.words = words;
    question.now_ms = Some(records.clock.now_ms());
    question.limit = limit.min(MOST_HITS);
    question.asked_in = Some(call.turn.clone());
    let found = records.recall.search(&call.user, question).await.map_err(recall_error)?;
    if found.iter().any(|hit| hit.secret) {
        call.secret.set();
    }
    Ok(found.into_iter().map(|found| hit(found, explain)).collect())
}

/// A note as it is kept, with what its reserved tags say of it.
fn written(note: wit::Note, call: &CallContext) -> Result<Note, RecallError> {
    let (reserved, tags): (Vec<String>, Vec<String>) =
        note.tags.into_iter().partition(|tag| tag.trim_start().starts_with(RESERVED));
    let mut written = Note::new(note.text, &tags)?.written_in(call.session.clone());
    for tag in reserved {
        let word = tag.trim();
        written = match word.trim_start_matches(RESERVED).split_once('/') {
            None if word == "@important" => written.marked_important(true),
            None if word == "@agent" => written.in_scope(Scope::Agent(AGENT.to_owned())),
            None if word == "@session" => written.in_scope(Scope::Session(call.session.clone())),
            Some(("project", name)) => written.in_scope(Scope::read(&format!("project:{name}"))?),
            None | Some(_) => return Err(RecallError::Tag(word.chars().take(64).collect())),
        };
    }
    Ok(written)
}

async fn save(equipment: &Equipment, call: &CallContext, note: wit::Note) -> Result<String, Error> {
    let records = records(equipment)?;
    let note = written(note, call).map_err(recall_error)?;
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
    let note = written(note, call).map_err(recall_error)?;
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
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    newest: bool,
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    recency: Option<f64>,
    #[serde(default)]
    importance: Option<f64>,
    #[serde(default)]
    diversity: Option<f64>,
}

impl Options {
    /// How hits are weighed, if anything is said of it.
    fn tuning(&self) -> Option<Tuning> {
        let said = [self.recency, self.importance, self.diversity];
        let usual = Tuning::default();
        said.iter().any(Option::is_some).then(|| Tuning {
            recency: self.recency.unwrap_or(usual.recency),
            importance: self.importance.unwrap_or(usual.importance),
            diversity: self.diversity.unwrap_or(usual.diversity),
            ..usual
        })
    }
}

/// The question that options make, and whether hits say why they are where they are.
fn question(options: &str, call: &CallContext) -> Result<(Question, bool), Error> {
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
            "the options of a search do not fit: {problem}; they are an object of `tags`, `sources`, `after_s`, `before_s`, `project`, `newest`, `explain`, `recency`, `importance` and `diversity`"
        ))
    })?;
    let tags = options.tags.iter().map(|tag| normal_tag(tag)).collect::<Result<_, _>>();
    let sources = options.sources.iter().map(|name| source(name)).collect::<Result<_, _>>();
    let mut scopes = std::collections::BTreeSet::from([
        Scope::Agent(AGENT.to_owned()),
        Scope::Session(call.session.clone()),
    ]);
    if let Some(project) = &options.project {
        scopes.insert(Scope::read(&format!("project:{project}")).map_err(recall_error)?);
    }
    let tuning = options.tuning();
    let question = Question {
        tags: tags.map_err(recall_error)?,
        sources: sources.map_err(invalid)?,
        after_ms: options.after_s.map(|seconds| seconds.saturating_mul(1_000)),
        before_ms: options.before_s.map(|seconds| seconds.saturating_mul(1_000)),
        scopes: Scopes::Of(scopes),
        order: if options.newest { Order::Newest } else { Order::Best },
        tuning,
        trace: Some(call.trace.clone()),
        ..Question::default()
    };
    Ok((question, options.explain))
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

fn hit(hit: Hit, explain: bool) -> wit::Hit {
    let source = hit.from.source().id().to_owned();
    let mut details = match hit.from {
        Origin::Note { tags, updated_ms, .. } => {
            json!({ "tags": tags, "updated_s": updated_ms / 1_000 })
        }
        Origin::Message { session, role } => json!({ "session": session, "role": role }),
        Origin::File { path, part } => json!({ "path": path, "part": part }),
    };
    if explain {
        details["why"] = why(hit.why);
    }
    wit::Hit {
        id: hit.id,
        text: hit.text,
        source,
        score: narrow(hit.score),
        created_s: u32::try_from(hit.created_ms / 1_000).unwrap_or(u32::MAX),
        details_json: Some(details.to_string()),
    }
}

fn why(why: Why) -> Value {
    json!({
        "keyword": why.legs.keyword,
        "keyword_window": why.legs.keyword_window,
        "vector": why.legs.vector,
        "vector_window": why.legs.vector_window,
        "recency": why.recency,
        "importance": why.importance,
        "repeated": why.repeated,
    })
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
        | RecallError::Scope(_)
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
