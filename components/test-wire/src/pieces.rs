//! Bodies cut into pieces, and the events that are read from them, as text.

use std::collections::VecDeque;

use hydroid_component::provider::{Error, Event, EventQueue, EventSource};
use hydroid_component::web::Body;

/// Sizes and seeds that every body is cut by; size 0 means arbitrary ones.
pub const SIZES: [(usize, u64); 6] = [(1, 0), (64 << 10, 0), (7, 0), (0, 1), (0, 2), (0, 3)];

/// A body that comes in the given pieces.
#[derive(Debug)]
pub struct Pieces(pub VecDeque<Vec<u8>>);

impl Body for Pieces {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.pop_front())
    }
}

/// Cuts `body` into pieces of `size` bytes, or of arbitrary sizes for 0.
pub fn pieces(body: &[u8], size: usize, mut seed: u64) -> Pieces {
    let mut rest = body;
    let mut pieces = VecDeque::new();
    while !rest.is_empty() {
        let wanted = if size == 0 { next(&mut seed) % 40 + 1 } else { size };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    Pieces(pieces)
}

/// A number from a seed, the same on each run.
pub(crate) fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

/// What a source says until it ends or fails, an event a line.
pub fn play(source: impl EventSource) -> Vec<String> {
    let mut queue = EventQueue::new(source);
    let mut shown = Vec::new();
    loop {
        match queue.next(3, || false) {
            Ok(events) if events.is_empty() => return shown,
            Ok(events) => shown.extend(events.iter().map(show)),
            Err(error) => {
                let line = format!("{:?} {} {}", error.kind, error.sent, error.message);
                shown.push(line.replace("ErrorKind::", ""));
                return shown;
            }
        }
    }
}

/// One event as a line.
pub fn show(event: &Event) -> String {
    let line = match event {
        Event::Text(text) => format!("text {text}"),
        Event::Reasoning(thought) => match &thought.opaque {
            None => format!("thought {}", thought.text),
            Some(opaque) => {
                format!("thought {} keeps {}", thought.text, String::from_utf8_lossy(opaque))
            }
        },
        Event::ToolCallStart(start) => format!("start {} {} {}", start.index, start.id, start.name),
        Event::ToolCallArgs(args) => format!("args {} {}", args.index, args.fragment),
        Event::ToolCallEnd(index) => format!("end {index}"),
        Event::Citation(citation) => match &citation.text {
            None => format!("cites {} {:?}", citation.uri, citation.title),
            Some(text) => format!("cites {} {:?} for {text}", citation.uri, citation.title),
        },
        Event::Usage(usage) => format!(
            "usage {} {} {:?} {:?} {:?}",
            usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning
        ),
        Event::Finish(stop) => format!("{stop:?}").replace("Stop::", ""),
        Event::Other(ext) => format!("other {} {}", ext.kind, ext.json),
    };
    line.replace('\n', "\\n")
}

/// Reads `body` in pieces of every size and compares the events.
#[track_caller]
pub fn check<S: EventSource>(body: &str, answer: impl Fn(Pieces) -> S, expected: &[&str]) {
    for (size, seed) in SIZES {
        let actual = play(answer(pieces(body.as_bytes(), size, seed)));
        assert_eq!(actual, expected, "pieces of {size} bytes, seed {seed}");
    }
}
