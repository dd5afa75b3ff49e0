//! A jq filter compiled, run and printed within bounds. No deadline of its own: an endless
//! filter without results is the host's to stop.

use std::io::{self, Write};

use hydroid_component::tool::ToolError;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data};
use jaq_json::Val;
use jaq_json::write::Pp;
use serde::de::IgnoredAny;

use crate::position;

/// Bytes of output: about what fits a model's answer without crowding out the conversation.
const OUTPUT: usize = 64 * 1024;

/// Results printed; past this a reader wants another filter, not more lines.
const RESULTS: usize = 10_000;

/// Bytes of a filter; the parser of the library descends with it, and no honest one is longer.
const FILTER: usize = 16 * 1024;

/// Nesting of input, filter and results: the library recurses on it, so that a larger number
/// would end in an overflow of the stack instead of a message.
const DEPTH: usize = 200;

/// How results are printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Texts without quotes.
    pub(crate) raw: bool,
    /// One line each.
    pub(crate) compact: bool,
}

/// Runs `filter` over every JSON value in `json`.
pub(crate) fn run(json: &str, filter: &str, style: Style) -> Result<String, ToolError> {
    let inputs = parse(json)?;
    let filter = compile(filter)?;
    let mut output = Output { text: Vec::new(), results: 0, style };
    for input in inputs {
        let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
        for result in filter.id.run((context, input)) {
            let value = match result {
                Ok(value) => value,
                Err(exception) => match exception.get_err() {
                    Ok(error) => return Err(output.interrupted(&error.to_string())),
                    // `halt` ends the query as it ends jq.
                    Err(_) => return output.finish(),
                },
            };
            if is_deeper(&value, DEPTH) {
                // Dropping it would recurse as deep; the instance ends with the call anyway.
                std::mem::forget(value);
                return Err(output.interrupted(&format!("a result nests deeper than {DEPTH}")));
            }
            if output.push(&value).is_err() {
                return output.finish_cut();
            }
        }
    }
    output.finish()
}

type Filter = jaq_core::Filter<data::JustLut<Val>>;

/// The values of a text. The library reads a superset of JSON with less precise errors, so
/// that serde_json is asked first.
fn parse(json: &str) -> Result<Vec<Val>, ToolError> {
    let json = json.trim_start_matches('\u{feff}');
    let mut checked = serde_json::Deserializer::from_str(json).into_iter::<IgnoredAny>();
    let mut count = 0_usize;
    loop {
        let offset = checked.byte_offset();
        match checked.next() {
            None => break,
            Some(Ok(IgnoredAny)) => count += 1,
            Some(Err(error)) => {
                // The position of the error is within the text; that of an unexpected end is not.
                let offset = match byte_offset(json, error.line(), error.column()) {
                    Some(at) => at,
                    None => offset,
                };
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or(&reason);
                return Err(ToolError::failed(format!(
                    "`json` is not JSON: {reason}: {}",
                    position::describe(json, offset)
                )));
            }
        }
    }
    if count == 0 {
        return Err(ToolError::failed("`json` is empty; give at least one JSON value"));
    }
    let depth = position::depth(json);
    if depth > DEPTH {
        return Err(ToolError::failed(format!(
            "`json` nests {depth} levels deep; at most {DEPTH} can be queried"
        )));
    }
    jaq_json::read::parse_many(json.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| ToolError::failed(format!("`json` cannot be read: {error}")))
}

/// The byte a line and column of serde_json mean: both from 1, the column in bytes.
fn byte_offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line.checked_sub(1)? {
        0 => 0,
        above => text.match_indices('\n').nth(above - 1)?.0 + 1,
    };
    Some(start + column.checked_sub(1)?)
}

fn compile(code: &str) -> Result<Filter, ToolError> {
    if code.len() > FILTER {
        return Err(ToolError::failed(format!(
            "the filter has {} bytes; at most {FILTER} are read, so split the query",
            code.len()
        )));
    }
    if position::depth(code) > DEPTH {
        return Err(ToolError::failed(format!(
            "the filter nests deeper than {DEPTH} brackets; split the query"
        )));
    }
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code, path: () })
        .map_err(|errors| refuse(code, errors.iter().flat_map(|(_, error)| load_errors(error))))?;
    Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, errors)| errors).map(|(name, kind)| {
            let kind = match kind {
                jaq_core::compile::Undefined::Filter(0) => "no filter".to_owned(),
                jaq_core::compile::Undefined::Filter(arity) => {
                    format!("no filter with {arity} arguments")
                }
                other => format!("no {}", other.as_str()),
            };
            (*name, format!("{kind} named `{name}`"))
        });
        refuse(code, undefined)
    })
}

fn load_errors<'a>(error: &load::Error<&'a str>) -> Vec<(&'a str, String)> {
    match error {
        load::Error::Io(errors) => errors
            .iter()
            .map(|(at, _)| (*at, "modules cannot be imported here".to_owned()))
            .collect(),
        load::Error::Lex(errors) => errors
            .iter()
            .map(|(expected, at)| (*at, format!("expected {}", expected.as_str())))
            .collect(),
        load::Error::Parse(errors) => errors
            .iter()
            .map(|(expected, at)| (*at, format!("expected {}", expected.as_str())))
            .collect(),
    }
}

/// Says what is wrong in a filter, and where the first of it is.
fn refuse<'a>(code: &str, errors: impl IntoIterator<Item = (&'a str, String)>) -> ToolError {
    let range = code.as_bytes().as_ptr_range();
    let first = errors
        .into_iter()
        .filter(|(at, _)| range.contains(&at.as_ptr()) || at.as_ptr() == range.end)
        .min_by_key(|(at, _)| at.as_ptr());
    ToolError::failed(match first {
        Some((at, reason)) => {
            let place = position::describe(code, load::span(code, at).start);
            format!("the filter is not valid jq: {reason}: {place}")
        }
        None => "the filter is not valid jq; start from a simpler one such as `.`".to_owned(),
    })
}

fn is_deeper(value: &Val, levels: usize) -> bool {
    match value {
        Val::Arr(_) | Val::Obj(_) if levels == 0 => true,
        Val::Arr(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Val::Obj(entries) => entries
            .iter()
            .any(|(key, value)| is_deeper(key, levels - 1) || is_deeper(value, levels - 1)),
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => false,
    }
}

/// Results printed so far.
struct Output {
    text: Vec<u8>,
    results: usize,
    style: Style,
}

impl Output {
    fn push(&mut self, value: &Val) -> io::Result<()> {
        if self.results == RESULTS {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.results += 1;
        if self.results > 1 {
            self.write_all(b"\n")?;
        }
        match value {
            Val::TStr(text) if self.style.raw => self.write_all(text),
            _ => {
                let indent = (!self.style.compact).then(|| "  ".to_owned());
                let printer = Pp { indent, sep_space: true, ..Pp::default() };
                jaq_json::write::write(self, &printer, 0, value)
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    fn finish(self) -> Result<String, ToolError> {
        if self.results == 0 {
            return Ok("(no results)".to_owned());
        }
        Ok(self.text())
    }

    fn finish_cut(self) -> Result<String, ToolError> {
        let text = self.text();
        // The last character may have been cut in its middle.
        let text = text.trim_end_matches('\u{fffd}');
        Ok(format!(
            "{text}\n(cut after {} results and {} bytes; narrow the filter, for example with \
             `limit(20; …)`, `.[0:20]` or `length`)",
            self.results,
            text.len()
        ))
    }

    /// The filter failed; what it gave until then may say why.
    fn interrupted(&self, reason: &str) -> ToolError {
        let reason: String = reason.chars().take(1000).collect();
        let before = match self.results {
            0 => String::new(),
            results => format!("; {results} results before it:\n{}", self.text()),
        };
        ToolError::failed(format!("the filter failed: {reason}{before}"))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (OUTPUT - self.text.len()).min(bytes.len()) {
            0 if !bytes.is_empty() => Err(io::ErrorKind::StorageFull.into()),
            count => {
                self.text.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
