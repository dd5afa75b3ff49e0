//! What the tests of providers share: bodies in pieces of any size, events as text, golden files,
//! published tool calls, and a service's published schema of requests.
//!
//! Not a component and never in one: it is empty where components are built.

#![cfg(not(target_family = "wasm"))]

mod conversations;
mod functions;
mod golden;
mod pace;
mod pieces;
mod schema;

pub use conversations::{call, conversations, file, request, result, says, text, thought, tool};
pub use functions::{Published, assembled, fragments, published};
pub use golden::golden;
pub use pace::pace;
pub use pieces::{Pieces, SIZES, check, pieces, play, show};
pub use schema::PublishedSchema;
