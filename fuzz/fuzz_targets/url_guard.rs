//! libFuzzer on URLs and rules, as a component and a person write them.

#![no_main]

#[path = "../src/url_guard.rs"]
mod url_guard;

libfuzzer_sys::fuzz_target!(|input: &[u8]| url_guard::holds_for(input));
