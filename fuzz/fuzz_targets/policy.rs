//! libFuzzer on rules for calls and the calls a model makes.

#![no_main]

#[path = "../src/policy.rs"]
mod policy;

libfuzzer_sys::fuzz_target!(|input: &[u8]| policy::holds_for(input));
