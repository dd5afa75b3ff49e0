//! How fast a decoder is outside of a component, for `cargo xtask bench`, which names the answer to
//! decode. It judges nothing.

#![expect(clippy::disallowed_methods, reason = "the answer to decode is a file")]

use hydroid_component::provider::{EventQueue, EventSource};
use std::io::Write;
use std::time::Instant;

/// Names the file with the answer.
const VARIABLE: &str = "HYDROID_PACE";
/// Bytes a component gets at once.
const PIECE: usize = 64 << 10;
/// Rounds, of which the median counts.
const ROUNDS: usize = 21;
/// Events the host asks for at once.
const BATCH: u32 = 32;

/// Decodes the answer several times and prints `pace NANOSECONDS EVENTS`: what one round took, and
/// how many events it had.
pub fn pace<S: EventSource>(source: impl Fn(Vec<Vec<u8>>) -> S) {
    let path = std::env::var_os(VARIABLE).expect("`cargo xtask bench` says what is decoded");
    let body = std::fs::read(path).expect("`cargo xtask bench` wrote it");
    let pieces: Vec<Vec<u8>> = body.chunks(PIECE).map(<[u8]>::to_vec).collect();
    let mut rounds: Vec<(u128, usize)> = (0..ROUNDS)
        .map(|_| {
            let pieces = pieces.clone();
            let began = Instant::now();
            let mut queue = EventQueue::new(source(pieces));
            let mut events = 0;
            loop {
                let batch = queue.next(BATCH, || false).expect("the answer is whole");
                if batch.is_empty() {
                    return (began.elapsed().as_nanos(), events);
                }
                events += std::hint::black_box(batch).len();
            }
        })
        .collect();
    rounds.sort_unstable();
    let (nanoseconds, events) = rounds[ROUNDS / 2];
    // Not `println!`, which a test's harness would keep to itself.
    writeln!(std::io::stdout(), "pace {nanoseconds} {events}").expect("somebody reads it");
}
