//! Exact values: secrets in every form they take on their way through tools, and host paths.
//! Nothing is guessed here.

use super::{KnownSecret, PathMapping};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

/// Shorter values would be found in ordinary text.
const LEAST_CHARACTERS: usize = 6;

/// A line of a long secret, such as a key file, is searched for on its own from this length.
const LEAST_LINE: usize = 16;

/// Longer values are searched for as they are and line by line, not in every encoding: each
/// form costs memory many times its length.
const MOST_ENCODED: usize = 4 * 1024;

/// Memory for the compiled patterns; thousands of secrets fit.
const PATTERN_BYTES: usize = 256 * 1024 * 1024;

/// The patterns of known values.
pub(super) struct Known {
    secrets: Option<Regex>,
    /// What stands in place of each form.
    masks: HashMap<String, String>,
    paths: Option<Regex>,
    /// The longest first, so that the most exact mapping wins.
    mappings: Vec<PathMapping>,
    /// Forms and host paths by their first byte, for [`Known::open_tail`].
    starts: HashMap<u8, Vec<Start>>,
    longest: usize,
}

struct Start {
    text: String,
    /// A path is undecided until what follows it is seen.
    is_path: bool,
}

/// A part of a text and what is put in its place.
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) mask: String,
    pub(super) is_path: bool,
}

impl Known {
    pub(super) fn new(secrets: &[KnownSecret], paths: &[PathMapping]) -> Result<Self, String> {
        let mut masks = HashMap::new();
        for secret in secrets {
            let mask = secret
                .name
                .as_deref()
                .map_or("[secret]".to_owned(), |name| format!("[secret:{name}]"));
            for form in forms(secret.value.expose().trim()) {
                masks.entry(form).or_insert_with(|| mask.clone());
            }
        }
        let mut mappings: Vec<PathMapping> = Vec::new();
        for mapping in paths {
            let host = mapping.host.trim_end_matches('/');
            for host in [host.to_owned(), percent(host, b"-._~/", true)] {
                // An empty one would be the root: every path.
                if !host.is_empty() && !mappings.iter().any(|known| known.host == host) {
                    mappings.push(PathMapping { host, virtual_path: mapping.virtual_path.clone() });
                }
            }
        }
        mappings.sort_by_key(|mapping| std::cmp::Reverse(mapping.host.len()));

        let mut starts: HashMap<u8, Vec<Start>> = HashMap::new();
        let mut longest = 0;
        let texts = masks.keys().map(|form| (form, false));
        for (text, is_path) in texts.chain(mappings.iter().map(|mapping| (&mapping.host, true))) {
            longest = longest.max(text.len() + usize::from(is_path));
            starts
                .entry(text.as_bytes()[0])
                .or_default()
                .push(Start { text: text.clone(), is_path });
        }
        let secrets = alternatives(masks.keys().map(String::as_str))?;
        let paths = alternatives(mappings.iter().map(|mapping| mapping.host.as_str()))?;
        Ok(Self { secrets, masks, paths, mappings, starts, longest })
    }

    /// The text with every known value masked.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let spans = self.spans(text, None);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for Span { range, mask, .. } in spans {
            out.push_str(&text[end..range.start]);
            out.push_str(&mask);
            end = range.end;
        }
        out.push_str(&text[end..]);
        Cow::Owned(out)
    }

    /// The known values in a text, in order and apart from each other. `before` is the character
    /// in front of it.
    pub(super) fn spans(&self, text: &str, before: Option<char>) -> Vec<Span> {
        let mut spans = self.secret_spans(text);
        let secrets = spans.len();
        if let Some(paths) = &self.paths {
            let mut from = 0;
            let mut next_secret = 0;
            while let Some(found) = paths.find_at(text, from) {
                let start = found.start();
                let previous = text[..start].chars().next_back().or(before);
                let mapping = self.mapping_at(&text[start..], previous);
                let end = start + mapping.map_or(1, |mapping| mapping.host.len());
                while next_secret < secrets && spans[next_secret].range.end <= start {
                    next_secret += 1;
                }
                let hit = next_secret < secrets && spans[next_secret].range.start < end;
                if let (Some(mapping), false) = (mapping, hit) {
                    spans.push(Span {
                        range: start..end,
                        mask: mapping.virtual_path.clone(),
                        is_path: true,
                    });
                }
                from = text.ceil_char_boundary(end);
            }
            spans.sort_by_key(|span| span.range.start);
        }
        spans
    }

    /// Secrets that overlap are masked together: to mask only the first would leave the rest of
    /// the second.
    fn secret_spans(&self, text: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let Some(secrets) = &self.secrets else { return spans };
        let mut from = 0;
        while let Some(found) = secrets.find_at(text, from) {
            match spans.last_mut() {
                Some(last) if found.start() < last.range.end => {
                    last.range.end = last.range.end.max(found.end());
                }
                _ => {
                    let mask =
                        self.masks.get(found.as_str()).cloned().unwrap_or("[secret]".to_owned());
                    spans.push(Span { range: found.range(), mask, is_path: false });
                }
            }
            from = text.ceil_char_boundary(found.start() + 1);
        }
        spans
    }

    fn mapping_at(&self, text: &str, previous: Option<char>) -> Option<&PathMapping> {
        let in_name =
            |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        if previous.is_some_and(|previous| in_name(previous) || previous == '.') {
            return None;
        }
        self.mappings.iter().find(|mapping| {
            let Some(rest) = text.strip_prefix(mapping.host.as_str()) else { return false };
            let mut rest = rest.chars();
            match rest.next() {
                // The end of a sentence, not of the name before an extension.
                Some('.') => !rest.next().is_some_and(in_name),
                Some(next) => !in_name(next),
                None => true,
            }
        })
    }

    /// Where the tail begins that may be the start of a known value, once more text comes.
    pub(super) fn open_tail(&self, text: &str) -> usize {
        let from = text.ceil_char_boundary(text.len().saturating_sub(self.longest));
        let bytes = text.as_bytes();
        (from..text.len())
            .find(|start| {
                let Some(starts) = self.starts.get(&bytes[*start]) else { return false };
                let tail = &bytes[*start..];
                starts.iter().any(|start| {
                    let whole = start.text.as_bytes();
                    match start.is_path {
                        false => tail.len() < whole.len() && whole.starts_with(tail),
                        true => whole.starts_with(tail) || tail.strip_suffix(b".") == Some(whole),
                    }
                })
            })
            .unwrap_or(text.len())
    }
}

/// The longest first: of alternatives that begin at one place a regex takes the first.
fn alternatives<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Option<Regex>, String> {
    let mut texts: Vec<&str> = texts.collect();
    if texts.is_empty() {
        return Ok(None);
    }
    texts.sort_by_key(|text| (std::cmp::Reverse(text.len()), *text));
    let pattern: Vec<String> = texts.into_iter().map(regex::escape).collect();
    // The library's error would quote the pattern, and with it the secrets.
    RegexBuilder::new(&pattern.join("|")).size_limit(PATTERN_BYTES).build().map(Some).map_err(
        |_| {
            "the known secrets are too large to be searched for; remove secrets that are files"
                .to_owned()
        },
    )
}

/// A secret as it appears in text, JSON, URLs, headers and dumps.
fn forms(value: &str) -> Vec<String> {
    if value.chars().count() < LEAST_CHARACTERS {
        return Vec::new();
    }
    let mut forms = vec![value.to_owned()];
    let escaped = serde_json::Value::from(value).to_string();
    forms.push(escaped.trim_start_matches('"').strip_suffix('"').unwrap_or(&escaped).to_owned());
    if value.len() <= MOST_ENCODED {
        encode(value, &mut forms);
    }
    let lines = value.lines().map(str::trim);
    forms.extend(
        lines
            .filter(|line| line.chars().count() >= LEAST_LINE && !line.starts_with("-----"))
            .map(str::to_owned),
    );
    forms.retain(|form| form.chars().count() >= LEAST_CHARACTERS);
    forms
}

/// The encodings of a secret.
fn encode(value: &str, forms: &mut Vec<String>) {
    let hexadecimal = value.bytes().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    });
    forms.push(hexadecimal.to_uppercase());
    forms.push(hexadecimal);
    for unescaped in [&b"-._~"[..], b"-._~!'()*", b"-._~/"] {
        for upper in [true, false] {
            let encoded = percent(value, unescaped, upper);
            forms.push(encoded.replace("%20", "+"));
            forms.push(encoded);
        }
    }
    for engine in [STANDARD, URL_SAFE] {
        let encoded = engine.encode(value);
        forms.push(encoded.trim_end_matches('=').to_owned());
        forms.push(encoded);
        // Inside a longer text the groups of three bytes begin elsewhere; the characters that
        // depend on a neighbour are left out.
        for (filler, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let shifted = engine.encode([&vec![0; filler], value.as_bytes()].concat());
            let whole = (filler + value.len()) * 8 / 6;
            forms.push(shifted.chars().take(whole).skip(skipped).collect());
        }
    }
}

fn percent(text: &str, unescaped: &[u8], upper: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _infallible = match byte {
            _ if byte.is_ascii_alphanumeric() || unescaped.contains(&byte) => {
                write!(encoded, "{}", char::from(byte))
            }
            _ if upper => write!(encoded, "%{byte:02X}"),
            _ => write!(encoded, "%{byte:02x}"),
        };
        encoded
    })
}
