//! A seeded mutator for tests with a stable compiler: the same inputs each time, made from seeds
//! by cutting, doubling, joining and changing bytes. Not a fuzzer; it does not look at coverage.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `holds_for` on so many inputs, and names the first that fails.
#[track_caller]
pub(crate) fn run(seeds: &[&[u8]], pieces: &[&[u8]], rounds: u32, holds_for: impl Fn(&[u8])) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        let mut input = random.one_of(seeds).to_vec();
        for _ in 0..=random.below(6) {
            mutate(&mut input, seeds, pieces, &mut random);
        }
        if catch_unwind(AssertUnwindSafe(|| holds_for(&input))).is_err() {
            panic!("it does not hold for {:?}", String::from_utf8_lossy(&input));
        }
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[&[u8]], pieces: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() - at + 1).min(16);
    match random.below(6) {
        0 => drop(input.splice(at..at, random.one_of(pieces).iter().copied())),
        1 => drop(input.splice(at..end, random.one_of(pieces).iter().copied())),
        2 => drop(input.drain(at..end)),
        3 => {
            let part = input[at..end].to_vec();
            drop(input.splice(at..at, part));
        }
        4 => {
            let other = random.one_of(seeds);
            input.truncate(at);
            input.extend(&other[random.below(other.len() + 1)..]);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// Xorshift: good enough to spread, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }

    fn one_of<'a>(&mut self, list: &[&'a [u8]]) -> &'a [u8] {
        list[self.below(list.len())]
    }
}
