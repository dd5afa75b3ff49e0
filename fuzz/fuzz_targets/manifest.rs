//! libFuzzer on manifests, as whoever made a component wrote them.

#![no_main]

#[path = "../src/manifest.rs"]
mod manifest;

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifest::holds_for(input));
