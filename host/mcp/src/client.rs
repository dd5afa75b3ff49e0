//! The client: tools of servers that a person added, offered to the model beside those of
//! components. What a server says of its tools is what it said when a person allowed it; a server
//! that says something else since is not called.

mod book;
mod connection;
mod convert;
mod door;
mod handler;
mod listening;
mod pinned;
mod process;
mod questions;
mod tools;
mod wanted;

pub use book::{BadBook, Book, OAuthClient, Place, Server, is_server_name};
pub use connection::{About, ConnectError, Protocol};
pub use handler::{Answerer, Declines, Elicitation, Elicited};
pub use pinned::{PinError, Pinned, PinnedTool, tool_name};
pub use tools::{ClientParts, Compile, ServerTools, WithServers};
