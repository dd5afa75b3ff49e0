//! The terminal: a full-screen client of protocol 1. It shows sessions that a running host has and
//! hands on what a person types; it runs no turn, opens no database and reads no file. What it
//! needs of this machine is asked through [`Desk`].
//!
//! Read in this order: [`desk`] (what is asked of the machine), `conversation` (a session as its
//! entries tell it), `app` (what is typed and told becomes what is shown and sent, purely),
//! `keymap`, `slash`, `theme`, `text` and `view` (drawing), then `connection`, `terminal` and
//! `run` (the world).

mod app;
mod connection;
mod conversation;
pub mod desk;
#[cfg(test)]
mod documented;
mod editor;
mod keymap;
mod run;
#[cfg(test)]
mod scripted;
mod slash;
mod terminal;
mod text;
mod theme;
mod view;

pub use connection::check_url;
pub use desk::{Attachment, Desk, Endpoint};
pub use keymap::table as keys_table;
pub use run::{Begin, Options, Trouble, run};
pub use slash::table as commands_table;
pub use theme::{THEMES, Theme};
