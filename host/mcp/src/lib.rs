//! The Model Context Protocol: the host's tools for programs of others, and the tools of others'
//! programs for the host. Nothing is decided here, no secret is read, and no byte is sent but
//! through a port.
//!
//! Read in this order: `server` offers tools that components have; `server::offered` says what of
//! a component becomes a tool, a prompt or a resource; `server::results` writes what came of a
//! call; `server::input` is for tools that need something of the client first.

#![expect(
    deprecated,
    reason = "clients and servers before 2026-07-28 log, sample and subscribe in ways that end with it"
)]

mod server;

pub use server::{HttpService, ServeSettings, Server};
