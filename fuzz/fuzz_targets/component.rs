//! libFuzzer on components and modules, as a stranger hands them in: valid ones at random, and
//! bytes that are none.

#![no_main]

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

#[path = "../src/component.rs"]
mod component;

libfuzzer_sys::fuzz_target!(|input: &[u8]| component::holds_for(&made_of(input)));

/// A component or a module at random, or the bytes as they are.
fn made_of(input: &[u8]) -> Vec<u8> {
    let Some((choice, rest)) = input.split_first() else { return Vec::new() };
    let mut random = Unstructured::new(rest);
    let config = Config { max_memory32_bytes: 1 << 20, ..Config::default() };
    let made = match choice % 4 {
        0 | 1 => Component::new(config, &mut random).map(|component| component.to_bytes()),
        2 => Module::new(config, &mut random).map(|module| module.to_bytes()),
        _ => return rest.to_vec(),
    };
    made.unwrap_or_else(|_| rest.to_vec())
}
