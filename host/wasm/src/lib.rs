//! Components, and the network they may reach. Only this crate names wasmtime, and only here
//! does a component's byte leave for another machine. It knows no session and no turn; it
//! implements the ports of `hydroid_core` over the worlds of `wit/`.
//!
//! Read in this order: [`engine`] (one engine, a clock that ticks), [`limits`], [`cache`]
//! (compiled code on disk), [`check`] (what a component imports against what it was granted),
//! [`grants`] (the operator's file), `linker` and `instance` (one grant builds both the linker
//! and the store), [`catalog`] (what is installed), then `nested` (one component calling another), the roles `tool`, `provider`, `embedder`, `parser` and `hook`, `channel` for trials, the
//! host functions under `imports`, and [`egress`]; [`shipping`] is how components come here.

#![expect(
    clippy::disallowed_methods,
    reason = "this crate owns the component and cache directories and the workspace that components see"
)]

pub mod authoring;
mod bindings;
pub mod cache;
pub mod catalog;
pub mod channel;
pub mod check;
pub mod component;
mod contract;
mod convert;
pub mod egress;
mod embedder;
pub mod engine;
pub mod files;
pub mod grants;
mod guard;
mod hook;
mod imports;
mod instance;
pub mod limits;
mod linker;
mod nested;
mod parser;
mod preview;
mod provider;
mod remote;
mod schema;
pub mod shipping;
mod still;
mod tool;
mod trap;
mod vault;
mod wasi;

// The functions in `fuzz/src` name this crate as others do.
#[cfg(test)]
extern crate self as hydroid_wasm;

pub use catalog::{Catalog, CatalogSettings, Examined, FirstParty, Installed, Status};
pub use component::{Definition, LoadError, Loaded};
pub use embedder::{Description, InstalledEmbedder};
pub use engine::WasmEngine;
pub use hook::TriedHook;
pub use parser::TriedParser;
pub use provider::OfferedModel;
pub use remote::{Find as FindRemote, RemoteCredential, RemoteDoor, RemoteParts, RemotePlace};
pub use schema::{Problems, problems_of};
pub use still::Still;
pub use tool::Ended;

#[cfg(test)]
mod tests;
