//! Write Hydroid components in Rust: typed tools, files, log and configuration over the contract
//! in `wit/`. Not a runtime and not needed by one: it only calls what the contract names, and a
//! component written in another language is as good.
//!
//! # A complete tool
//!
//! `Cargo.toml`, built with `cargo build --release --target wasm32-wasip2`:
//!
//! ```toml
//! [package]
//! name = "tool-shout"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! hydroid-component = "0.1"
//! schemars = "1"
//! serde = { version = "1", features = ["derive"] }
//! ```
//!
//! `src/lib.rs`:
//!
//! ```
//! //! Shouts. Not polite.
//!
//! use hydroid_component::tool::{Tool, ToolError, Toolset};
//! use hydroid_component::types::Error;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! struct Shouting;
//!
//! impl Toolset for Shouting {
//!     fn tools() -> Result<Vec<Tool>, Error> {
//!         Ok(vec![Tool::new("shout", "Says a text in capitals.", shout).read_only()])
//!     }
//! }
//!
//! hydroid_component::export_tool!(Shouting);
//!
//! // What the comments say here is what the model reads: the schema is made of it.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Shout {
//!     /// What to shout.
//!     text: String,
//! }
//!
//! fn shout(arguments: Shout) -> Result<String, ToolError> {
//!     if arguments.text.trim().is_empty() {
//!         return Err(ToolError::failed("nothing to shout; give a `text` with words"));
//!     }
//!     Ok(arguments.text.to_uppercase())
//! }
//! ```
//!
//! `manifest.toml`:
//!
//! ```toml
//! name = "tool-shout"
//! version = "0.1.0"
//! description = "Says a text in capitals"
//! license = "Apache-2.0 OR MIT"
//! source = "components/tool-shout"
//! ```
//!
//! This one wants no capability, so it has no `[wants]`. A component imports exactly what its
//! code calls: the day it calls [`fs::read`], it imports `hydroid:cap/fs-read` and needs
//! `[wants.file-read-only]` with a reason.
//!
//! # Reading order
//!
//! [`tool`] and [`types`], then what a tool may call: [`fs`], [`config`], [`control`], [`log`].
//! For vectors: [`embedder`]. For documents: [`parser`]. For points of the loop: [`hook`].
//! For a model service: [`provider`], then [`web`], [`answer`], [`arguments`], [`thinking`],
//! [`rate_limit`] and [`text_calls`]; [`sse`] is below `answer`.
//! [`bindings`] is the whole contract as generated, for whatever has no shorter form here.

pub mod tool;

pub mod provider;

pub mod embedder;

pub mod hook;

pub mod parser;

pub mod answer;
pub mod arguments;
pub mod rate_limit;
pub mod sse;
pub mod text_calls;
pub mod thinking;
pub mod web;

pub mod config;
pub mod control;
pub mod fs;
pub mod log;

pub mod bindings;
mod error;

/// The vocabulary of the contract.
pub mod types {
    pub use crate::bindings::imports::hydroid::core::types::{
        Blob, Error, ErrorKind, Ext, Link, Part,
    };
}
