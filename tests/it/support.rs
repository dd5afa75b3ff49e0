//! What tests of the built binary share. Nothing here checks anything.

pub(crate) mod aimock;
pub(crate) mod browser;
pub(crate) mod daemon;
pub(crate) mod database_service;
pub(crate) mod docker_registry;
#[expect(dead_code, reason = "the tests of memory use it too, and count")]
pub(crate) mod hrana;
pub(crate) mod http;
pub(crate) mod hydroid;
pub(crate) mod manifest;
pub(crate) mod otlp;
pub(crate) mod program;
pub(crate) mod screen;
pub(crate) mod socket;
pub(crate) mod sqld;
pub(crate) mod terminal;
