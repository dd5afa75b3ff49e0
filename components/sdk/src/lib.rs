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
//! ```
//!
//! `src/lib.rs`:
//!
//! ```ignore
//! //! Shouts. Not polite.
//!
//! use hydroid_component::tool::ToolError;
//! use hydroid_component::{tool, tools};
//!
//! tools!(shout);
//!
//! /// Says a text in capitals.
//! #[tool(read_only)]
//! fn shout(
//!     /// What to shout.
//!     text: String,
//! ) -> Result<String, ToolError> {
//!     if text.trim().is_empty() {
//!         return Err(ToolError::failed("nothing to shout; give a `text` with words"));
//!     }
//!     Ok(text.to_uppercase())
//! }
//! ```
//!
//! What the comments say is what the model reads. A function with one parameter called
//! `arguments` takes a type of yours instead, which derives `serde::Deserialize` and
//! `schemars::JsonSchema`; whoever wants no macro writes a [`tool::Toolset`] with
//! [`tool::Tool::new`].
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
//! [`tool`] and [`types`], then what a tool may call: [`fs`], [`invoke`], [`delegate`], [`skills`],
//! [`config`], [`control`], [`log`].
//! For messages of a service: [`channel`]. For vectors: [`embedder`]. For documents: [`parser`]. For points of the loop: [`hook`].
//! For a model service: [`provider`], then [`web`], [`answer`], [`arguments`], [`thinking`],
//! [`rate_limit`] and [`text_calls`]; [`sse`] is below `answer`.
//! [`bindings`] is the whole contract as generated, for whatever has no shorter form here.

// A crate that a macro writes for names this one by its name, and so do the tests here.
extern crate self as hydroid_component;

pub mod tool;
pub use hydroid_component_macros::tool;

pub mod provider;

pub mod channel;
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
pub mod delegate;
pub mod fs;
pub mod invoke;
pub mod log;
pub mod skills;

pub mod bindings;
mod error;

/// The vocabulary of the contract.
pub mod types {
    pub use crate::bindings::imports::hydroid::core::types::{
        Blob, Error, ErrorKind, Ext, Link, Part,
    };
}

/// What `#[tool]` derives with, so that a crate which uses it depends on this one alone.
#[doc(hidden)]
pub mod derives {
    pub use schemars::{self, JsonSchema};
    pub use serde::{self, Deserialize};
}
