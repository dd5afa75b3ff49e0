//! Exact values: secrets in every form they take on their way through tools, and host paths.
//! Nothing is guessed here, and a text that comes in pieces gives what the whole would.

use super::encodings::{forms, path_in_url};
use super::finder::{Cursor, Finder, MOST_BYTES, Reading, Value, too_large};
use super::{KnownSecret, PathMapping, Tally};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is searched for.
pub(super) struct Known {
    finder: Option<Finder>,
    /// What stands in place of a secret, without the brackets.
    masks: Vec<String>,
    /// The longest first, so that the most exact mapping wins.
    mappings: Vec<PathMapping>,
}

impl Known {
    pub(super) fn new(secrets: &[KnownSecret], paths: &[PathMapping]) -> Result<Self, String> {
        let mut masks = Vec::new();
        let mut values: HashMap<String, Value> = HashMap::new();
        for secret in secrets {
            let mask = match secret.name.as_deref() {
                Some(name) => format!("secret:{name}"),
                None => "secret".to_owned(),
            };
            // Its forms need not be made to know that.
            if secret.value.expose().len() > MOST_BYTES {
                return Err(too_large());
            }
            for form in forms(secret.value.expose().trim()) {
                values.entry(form).or_insert(Value::Secret(masks.len()));
            }
            masks.push(mask);
        }
        let mut mappings: Vec<PathMapping> = Vec::new();
        for mapping in paths {
            let host = mapping.host.trim_end_matches('/');
            for host in [host.to_owned(), path_in_url(host)] {
                // An empty one would be the root: every path.
                if !host.is_empty() && !mappings.iter().any(|known| known.host == host) {
                    mappings.push(PathMapping { host, virtual_path: mapping.virtual_path.clone() });
                }
            }
        }
        mappings.sort_by_key(|mapping| std::cmp::Reverse(mapping.host.len()));
        for mapping in &mappings {
            values.entry(mapping.host.clone()).or_insert(Value::Path);
        }
        let finder = if values.is_empty() { None } else { Some(Finder::new(values)?) };
        Ok(Self { finder, masks, mappings })
    }

    /// The text with every known value masked.
    pub(super) fn mask(self: &Arc<Self>, text: &str, tally: &mut Tally) -> String {
        let mut stream = KnownStream::new(Arc::clone(self));
        let mut masked = stream.push(text, tally);
        masked.push_str(&stream.finish(tally));
        masked
    }

    /// The mapping of the path at the start of a text, if the path ends where a name ends.
    fn mapping_at(&self, text: &str, previous: Option<char>) -> Option<&PathMapping> {
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
}

fn in_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}

/// Masks known values in pieces of one text. It keeps back only what may be the start of one.
/// All places are counted from the start of the text.
pub(super) struct KnownStream {
    known: Arc<Known>,
    /// The end of the text, from `base` on.
    kept: String,
    base: usize,
    /// Up to here the text was replaced by a mask that is put out already.
    masked: usize,
    /// The character before `base`.
    before: Option<char>,
    exact: Cursor,
    squeezed: Cursor,
    /// Since there was something that may be a colour or an escape.
    literal: Option<Cursor>,
    /// Secrets found: start, end and mask.
    found: Vec<(usize, usize, usize)>,
    /// Where host paths may be: start, and the end of the longest.
    paths: BTreeMap<usize, usize>,
}

impl KnownStream {
    pub(super) fn new(known: Arc<Known>) -> Self {
        let cursor = |reading| Cursor::new(known.finder.as_ref(), reading);
        let (exact, squeezed) = (cursor(Reading::Exact), cursor(Reading::Squeezed));
        Self {
            known,
            kept: String::new(),
            base: 0,
            masked: 0,
            before: None,
            exact,
            squeezed,
            literal: None,
            found: Vec::new(),
            paths: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, piece: &str, tally: &mut Tally) -> String {
        if self.known.finder.is_none() {
            return piece.to_owned();
        }
        self.kept.push_str(piece);
        self.read(false);
        self.put_out(false, tally)
    }

    /// Returns the rest. The next piece begins a new text.
    pub(super) fn finish(&mut self, tally: &mut Tally) -> String {
        self.read(true);
        let rest = self.put_out(true, tally);
        *self = Self::new(Arc::clone(&self.known));
        rest
    }

    fn read(&mut self, at_end: bool) {
        let Some(finder) = &self.known.finder else { return };
        let (found, paths) = (&mut self.found, &mut self.paths);
        let mut note = |start: usize, end: usize, value: Value| match value {
            Value::Secret(mask) => found.push((start, end, mask)),
            Value::Path => {
                let longest = paths.entry(start).or_insert(end);
                *longest = end.max(*longest);
            }
        };
        let bytes = self.kept.as_bytes();
        if self.literal.is_none() {
            self.literal = self.squeezed.literal(bytes, self.base);
        }
        let cursors = [&mut self.exact, &mut self.squeezed].into_iter().chain(&mut self.literal);
        for cursor in cursors {
            cursor.read(finder, bytes, self.base, at_end, &mut note);
        }
    }

    /// Puts out what is decided. A secret that begins there is masked as a whole now, and how far
    /// it goes is remembered: what overlaps it is masked with it.
    fn put_out(&mut self, at_end: bool, tally: &mut Tally) -> String {
        let end = self.base + self.kept.len();
        let open = [&self.exact, &self.squeezed].into_iter().chain(&self.literal);
        let hold = if at_end { end } else { open.map(Cursor::hold).fold(end, usize::min) };
        let undecided = self.paths.iter().find(|(_, path_end)| {
            !(at_end || (hold >= **path_end && self.ends_in_sight(**path_end)))
        });
        let cut = undecided.map_or(hold, |(start, _)| hold.min(*start));

        self.found.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut spans: Vec<(usize, usize, Option<usize>, &str)> = Vec::new();
        for (start, path_end) in self.paths.range(..cut) {
            let hit = *start < self.masked
                || self.found.iter().any(|(from, to, _)| from < path_end && start < to);
            let previous = self.kept[..start.saturating_sub(self.base)].chars().next_back();
            let mapping = (!hit)
                .then(|| {
                    let rest = &self.kept[start - self.base..];
                    self.known.mapping_at(rest, previous.or(self.before))
                })
                .flatten();
            if let Some(mapping) = mapping {
                spans.push((*start, start + mapping.host.len(), None, &mapping.virtual_path));
            }
        }
        let decided = self.found.partition_point(|(start, _, _)| *start < cut);
        for (start, end, mask) in self.found.drain(..decided) {
            spans.push((start, end, Some(mask), &self.known.masks[mask]));
        }
        spans.sort_by_key(|(start, end, _, _)| (*start, std::cmp::Reverse(*end)));

        let mut out = String::new();
        let mut at = self.base.max(self.masked);
        for (start, end, secret, text) in spans {
            if start >= at {
                out.push_str(&self.kept[at - self.base..start - self.base]);
                match secret {
                    Some(_) => {
                        out.push('[');
                        out.push_str(text);
                        out.push(']');
                        tally.add(text);
                    }
                    None => out.push_str(text),
                }
            }
            at = at.max(end);
        }
        if at < cut {
            out.push_str(&self.kept[at - self.base..cut - self.base]);
            at = cut;
        }
        self.masked = at;
        self.paths = self.paths.split_off(&cut);
        let dropped = cut - self.base;
        self.before = self.kept[..dropped].chars().next_back().or(self.before);
        self.kept.drain(..dropped);
        self.base = cut;
        out
    }

    /// True if the characters that decide whether a name ends here have come.
    fn ends_in_sight(&self, place: usize) -> bool {
        let mut after = self.kept[place - self.base..].chars();
        match after.next() {
            Some('.') => after.next().is_some(),
            Some(_) => true,
            None => false,
        }
    }
}
