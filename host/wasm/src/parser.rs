//! The parser role: [`hydroid_core::ports::Parsers`] over the installed components. Each document
//! has an instance of its own, so what one does to a parser no other document meets.

use crate::bindings::parsers::AllParsersPre;
use crate::bindings::parsers::exports::hydroid::parser::parser as wit;
use crate::catalog::{Catalog, Status};
use crate::component::{self, LoadError, Loaded, Pre};
use crate::convert;
use crate::engine::WasmEngine;
use crate::instance::{Equipment, State};
use crate::trap::{self, Cause};
use futures_util::future::{BoxFuture, FutureExt};
use hydroid_core::config::Size;
use hydroid_core::ports::{ParseError, ParsedDocument, ParsedSection, Parsers};
use hydroid_core::telemetry::{SpanKind, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// Forms one parser may name.
const MOST_FORMS: usize = 64;

/// Longest ending of a file name, in bytes.
const LONGEST_EXTENSION: usize = 16;

/// A document takes at most this part of a parser's memory; what is made of it needs the rest.
const DOCUMENT_SHARE: usize = 4;

/// Longest title, label or note that is passed on, in characters.
const LONGEST_LINE: usize = 500;

/// Most notes that are passed on.
const MOST_NOTES: usize = 100;

/// A parser component that is ready to be called.
pub(crate) struct Parsing {
    pre: AllParsersPre<State>,
    /// Endings of the names of files it reads.
    pub(crate) extensions: BTreeSet<String>,
}

impl Parsing {
    /// Asks the component what it reads, and checks that.
    pub(crate) fn introduced(
        engine: &WasmEngine,
        pre: AllParsersPre<State>,
        equipment: &Arc<Equipment>,
    ) -> Result<Self, LoadError> {
        let said = component::ask(engine, equipment, "what it reads", async |store| {
            let bindings = pre.instantiate_async(&mut *store).await?;
            bindings.hydroid_parser_parser().call_describe(store).await
        })?;
        let extensions = checked(&said).map_err(LoadError::Definitions)?;
        Ok(Self { pre, extensions })
    }
}

fn checked(said: &wit::Descriptor) -> Result<BTreeSet<String>, String> {
    if said.forms.is_empty() || said.forms.len() > MOST_FORMS {
        return Err(format!(
            "it says that it reads {} forms of documents; 1 to {MOST_FORMS} are possible",
            said.forms.len()
        ));
    }
    let fits = |extension: &str| {
        (1..=LONGEST_EXTENSION).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if !said.forms.iter().all(|form| fits(&form.extension)) {
        return Err(format!(
            "an ending of file names that it reads is none: 1 to {LONGEST_EXTENSION} lower-case letters and digits, without the dot"
        ));
    }
    Ok(said.forms.iter().map(|form| form.extension.clone()).collect())
}

impl Parsers for Catalog {
    fn extensions(&self) -> Vec<String> {
        self.parsers().into_keys().collect()
    }

    fn parse<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<ParsedDocument, ParseError>> {
        async move {
            let name = name.rsplit('/').next().unwrap_or(name);
            let extension = match name.rsplit_once('.') {
                Some((_, extension)) => extension.to_lowercase(),
                None => String::new(),
            };
            let parsers = self.parsers();
            let Some(loaded) = parsers.get(&extension) else {
                let known: Vec<&str> = parsers.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(error(
                    "unsupported",
                    format!(
                        "no installed component reads `{name}`; documents that can be read end in: {known}"
                    ),
                ));
            };
            let mut span =
                self.span_within(None, format_args!("parse {extension}"), SpanKind::Internal);
            let parsed = parse(loaded, name, &bytes, &span.trace()).await;
            if let Err(unread) = &parsed {
                span.fail(&unread.error.kind);
            }
            span.end();
            parsed.map_err(|unread| unread.error)
        }
        .boxed()
    }
}

/// What came of a document that a parser was tried with.
#[derive(Debug)]
pub enum TriedParser {
    /// Its text.
    Read(ParsedDocument),
    /// The parser says why it cannot be read.
    Said(String),
    /// The parser was stopped or broke a rule.
    Broke(String),
}

impl Catalog {
    /// Tries a parser with a document, whatever its name ends in.
    pub async fn try_parser(&self, loaded: &Loaded, name: &str, bytes: &[u8]) -> TriedParser {
        match parse(loaded, name, bytes, &Trace::default()).await {
            Ok(document) => TriedParser::Read(document),
            Err(Unread { error, broke: false }) => TriedParser::Said(error.message),
            Err(Unread { error, broke: true }) => TriedParser::Broke(error.message),
        }
    }

    /// Which component reads which ending; of two that read one, the first by name.
    fn parsers(&self) -> BTreeMap<String, Arc<Loaded>> {
        let mut parsers = BTreeMap::new();
        for installed in &self.snapshot().installed {
            let Status::Ready(loaded) = &installed.status else { continue };
            for extension in loaded.reads() {
                parsers.entry(extension.clone()).or_insert_with(|| loaded.clone());
            }
        }
        parsers
    }
}

/// Why there is no text, and whether the component was stopped over it.
struct Unread {
    error: ParseError,
    broke: bool,
}

impl From<ParseError> for Unread {
    fn from(error: ParseError) -> Self {
        Self { error, broke: false }
    }
}

/// A document, with the span of the component that reads it.
async fn parse(
    loaded: &Loaded,
    name: &str,
    bytes: &[u8],
    trace: &Trace,
) -> Result<ParsedDocument, Unread> {
    let mut span = loaded.span(trace, "parse");
    let document = read(loaded, name, bytes, &span.trace()).await;
    if let Err(unread) = &document {
        span.fail(&unread.error.kind);
    }
    span.end();
    document
}

async fn read(
    loaded: &Loaded,
    name: &str,
    bytes: &[u8],
    trace: &Trace,
) -> Result<ParsedDocument, Unread> {
    let Pre::Parser(parsing) = &loaded.pre else {
        return Err(error("internal", format!("`{}` is no parser", loaded.name())).into());
    };
    let (limits, component) = (loaded.limits(), loaded.name());
    let most = limits.memory / DOCUMENT_SHARE;
    if bytes.len() > most {
        return Err(error(
            "too-large",
            format!(
                "`{name}` has {} and `{component}` reads documents of {}; a person can raise `components.{component}.limits.memory`, of which a document takes a quarter",
                Size(bytes.len() as u64),
                Size(most as u64)
            ),
        )
        .into());
    }
    let deadline = Instant::now() + limits.call;
    let mut store = loaded.store(component::nobody(), limits.call).map_err(|problem| {
        tracing::warn!(error = ?problem, "no store");
        error("internal", "the parser could not be started".into())
    })?;
    let asking = async {
        let mut instantiating = loaded.instantiating(trace);
        let made = parsing.pre.instantiate_async(&mut store).await;
        if made.is_err() {
            instantiating.fail("trap");
        }
        instantiating.end();
        let bindings = made?;
        bindings.hydroid_parser_parser().call_parse(&mut store, name, bytes).await
    };
    let unreadable = |problem: String| format!("`{name}` cannot be read: {problem}");
    let document = match tokio::time::timeout_at(deadline, asking).await {
        Ok(Ok(Ok(document))) => document,
        Ok(Ok(Err(said))) => {
            let text = convert::error_text(&said);
            return Err(error(convert::kind_name(said.kind), unreadable(text)).into());
        }
        Ok(Err(problem)) => {
            let text = trap::sentence(&store, Cause::Error(problem));
            return Err(Unread { error: error("invalid-input", unreadable(text)), broke: true });
        }
        Err(_) => {
            let text = trap::sentence(&store, Cause::Deadline(limits.call));
            return Err(Unread { error: error("timeout", unreadable(text)), broke: true });
        }
    };
    let size: usize = document.sections.iter().map(|section| section.text.len()).sum();
    if size > limits.output {
        return Err(error(
            "too-large",
            unreadable(format!(
                "its text has {} and may have {}; a person can raise `components.{component}.limits.output`",
                Size(size as u64),
                Size(limits.output as u64)
            )),
        )
        .into());
    }
    Ok(converted(document))
}

fn converted(document: wit::Document) -> ParsedDocument {
    let section = |section: wit::Section| ParsedSection {
        label: section.label.as_deref().and_then(line),
        text: section.text,
    };
    ParsedDocument {
        title: document.title.as_deref().and_then(line),
        sections: document.sections.into_iter().map(section).collect(),
        notes: document.notes.iter().take(MOST_NOTES).filter_map(|note| line(note)).collect(),
    }
}

/// One line of a document's own words, bounded and without what moves a cursor.
fn line(text: &str) -> Option<String> {
    let line: String = text
        .trim()
        .chars()
        .take(LONGEST_LINE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    (!line.is_empty()).then_some(line)
}

fn error(kind: &str, message: String) -> ParseError {
    ParseError { kind: kind.to_owned(), message }
}
