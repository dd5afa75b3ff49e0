//! libFuzzer on texts that hold secrets, as tools and models write them.

#![no_main]

#[path = "../src/scrubber.rs"]
mod scrubber;

libfuzzer_sys::fuzz_target!(|input: &[u8]| scrubber::holds_for(input));
