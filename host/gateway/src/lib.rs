//! The listener: sockets, HTTP, tokens and the page. It speaks the protocol of `core` and asks a
//! [`hydroid_core::ports::Household`] for everything; it opens no database, names no component and
//! reads no file.
//!
//! Read in this order: [`Gateway`] binds and serves, `guard` refuses what comes from elsewhere,
//! [`TokenBook`] knows who is who, `frames` and `socket` are a connection that speaks the protocol, `routes` and
//! `api` are the same over HTTP, `admin` is for whoever runs the household, `events` streams a session, `openai` speaks as OpenAI does, `endpoint` lets a service of another protocol be reached, `page` serves the page, `login` lets
//! a browser in, `redirect` is where one comes back to that was sent to sign in elsewhere, `figures` are for Prometheus.
//!
//! What is promised: nothing is answered before it is known who asks, but for whether the host is
//! there; a session of another user does not exist; a client that reads slowly is waited for by
//! nobody else.

mod admin;
mod api;
mod endpoint;
mod events;
mod figures;
mod frames;
mod guard;
mod login;
mod openai;
mod page;
mod rate;
mod redirect;
mod refusal;
mod routes;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod uploads;
mod webhook;

pub use endpoint::NoHousehold;
pub use redirect::Redirect;
pub use server::{Bound, Door, Gateway, GatewayParts, ServeError, TlsFiles};
pub use tokens::{BadTokens, Scope, Token, TokenBook, TokenHolder, TokenStore};
