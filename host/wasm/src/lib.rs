//! Components, and the network they may reach. Only this crate names wasmtime, and only here
//! does a component's byte leave for another machine. It knows no session and no turn; it
//! implements the ports of `hydroid_core` over the worlds of `wit/`.
//!
//! Read in this order: [`engine`] (one engine, a clock that ticks), [`limits`], [`cache`]
//! (compiled code on disk), [`check`] (what a component imports against what it was granted),
//! [`grants`] (the operator's file), `linker` and `instance` (one grant builds both the linker
//! and the store), [`catalog`] (what is installed), then the roles `tool` and `provider`, the
//! host functions under `imports`, and [`egress`].

#![expect(
    clippy::disallowed_methods,
    reason = "this crate owns the component and cache directories and the workspace that components see"
)]

pub mod engine;
pub mod limits;
pub mod cache;
pub mod check;
pub mod grants;
pub mod files;
mod bindings;
mod convert;
mod wasi;
mod imports;
mod linker;
mod instance;
mod trap;
pub mod catalog;
pub mod component;
mod provider;
mod tool;
pub mod egress;

pub use catalog::{Catalog, CatalogSettings, Examined, FirstParty, Installed, Status};
pub use component::{Definition, LoadError, Loaded};
pub use provider::OfferedModel;
pub use engine::WasmEngine;

#[cfg(test)]
mod tests;
