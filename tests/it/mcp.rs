//! The Model Context Protocol through the built binary: ours served to a client, and servers of
//! others used by a turn. What a call is decided by is tested in core and agent.

mod asking;
mod client;
mod hostile;
mod login;
mod packages;
mod serving;
mod using;
mod versions;
mod web;
