//! The Model Context Protocol: the host's tools for programs of others, and the tools of others'
//! programs for the host. Nothing is decided here, no secret is read, and no byte is sent but
//! through a port.
//!
//! Read in this order: `server` offers tools that components have; `server::lines` is a client that
//! writes lines; `server::offered` says what of a component becomes a tool, a prompt or a resource;
//! `server::results` writes what came of a call; `server::input` is for tools that need something
//! of the client first. `client` speaks with servers of others: `client::book` is what a person
//! added, `client::pinned` what they allowed a model to be told, `client::process` and
//! `client::door` are the two ways to a server, `client::connection` is one of them in use,
//! `client::wanted` what a person is told where it wants more than it was shown,
//! `client::questions` is what it asks a person meanwhile, `client::tools` what a model is offered.

#![expect(
    deprecated,
    reason = "clients and servers before 2026-07-28 log, sample and subscribe in ways that end with it"
)]

mod client;
mod server;

pub use client::{
    About, Answerer, BadBook, Book, ClientParts, Compile, ConnectError, Declines, Elicitation,
    Elicited, OAuthClient, PinError, Pinned, PinnedTool, Place, Protocol, Server, ServerTools,
    WithServers, is_server_name, tool_name,
};
pub use server::{HttpService, Offering, ServeSettings};
