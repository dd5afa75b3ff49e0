//! The nouns and decisions of Hydroid: what a message, a tool, a grant and a turn are, and what
//! happens next. It does no IO, knows no clock, no task and no wasm; callers hand in facts as
//! events and carry out what comes back.
//!
//! Read in this order: [`id`], [`message`], [`tool`], [`entry`], [`turn`], then [`capability`],
//! [`manifest`], [`policy`], [`taint`], [`fence`], [`hook`], [`skill`], [`injection`], [`audit`], [`reliability`], [`chunk`], [`retrieval`], [`compaction`], [`config`], [`money`], [`models`], [`telemetry`], then the seams [`ports`] and [`protocol`].
//! One word per thing; the words are in `docs/glossary.md`.

pub mod arguments;
pub mod audit;
pub mod capability;
pub mod challenge;
pub mod chunk;
pub mod compaction;
pub mod config;
pub mod context;
pub mod entry;
pub mod fence;
pub mod harmless;
pub mod hook;
pub mod id;
pub mod injection;
pub mod manifest;
pub mod message;
pub mod models;
pub mod money;
pub mod policy;
pub mod ports;
pub mod prompt;
pub mod protocol;
pub mod recording;
pub mod reliability;
pub mod retrieval;
pub mod scrub;
pub mod skill;
pub mod taint;
pub mod telemetry;
pub mod tool;
pub mod turn;

// The functions in `fuzz/src` name this crate as others do.
#[cfg(test)]
extern crate self as hydroid_core;

#[cfg(test)]
mod fuzzed;
