//! The channel role for authors: one trait, one macro, and the inbox. Not a client of any service.
//!
//! ```ignore
//! struct Post;
//! impl Channel for Post { /* start, poll, send */ }
//! hydroid_component::export_channel!(Post);
//! ```

use std::marker::PhantomData;

use crate::bindings::channel::exports::hydroid::channel::channel::Guest;
pub use crate::bindings::channel::exports::hydroid::channel::channel::{
    Button, Descriptor, Features, HttpRequest, HttpResponse, Ingress, Outbound,
};
pub use crate::bindings::channel::hydroid::channel::inbox::{Inbound, deliver};
pub use crate::bindings::imports::hydroid::core::types::{Error, ErrorKind, Part};

/// A component that carries messages of an outside service. What it does not do it leaves out:
/// the host is told that it is not supported.
pub trait Channel: 'static {
    /// Checks the account and says what it is.
    fn start() -> Result<Descriptor, Error>;

    /// Fetches messages after a cursor, hands each in with [`deliver`], and returns the next
    /// cursor. A message that could not be kept ends it without moving the cursor past it.
    fn poll(_cursor: Option<String>) -> Result<Option<String>, Error> {
        Err(unsupported("messages are not fetched"))
    }

    /// Takes one request of the service, or one frame of its socket.
    fn webhook(_request: HttpRequest) -> Result<HttpResponse, Error> {
        Err(unsupported("requests are not taken"))
    }

    /// Sends a message and returns its identifier at the service.
    fn send(message: Outbound) -> Result<String, Error>;

    /// Replaces a sent message.
    fn edit(_id: String, _message: Outbound) -> Result<(), Error> {
        Err(unsupported("a sent message is not changed"))
    }

    /// Does something else by its name: `delete`, `react`, `typing`.
    fn action(
        _conversation: String,
        _id: Option<String>,
        name: String,
        _argument: Option<String>,
    ) -> Result<(), Error> {
        let shown: String = name.chars().take(40).collect();
        Err(unsupported(&format!("there is no `{shown}`")))
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

/// Hands in a message; false if its sender may not speak, which is no reason to stop.
pub fn handed_in(message: &Inbound) -> Result<bool, Error> {
    match deliver(message) {
        Ok(()) => Ok(true),
        Err(error) if error.kind == ErrorKind::Denied => Ok(false),
        Err(error) => Err(error),
    }
}

/// The texts of a message, one below the other.
pub fn text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Blob(_) | Part::Json(_) | Part::Link(_) | Part::Other(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Makes `type` the channel of this component.
#[macro_export]
macro_rules! export_channel {
    ($channel:ty) => {
        const _: () = {
            type Component = $crate::channel::Adapter<$channel>;
    $crate::bindings::channel::export!(Component with_types_in $crate::bindings::channel);
        };
    };
}

/// What `export_channel!` exports for `C`.
pub struct Adapter<C>(PhantomData<C>);

impl<C: Channel> Guest for Adapter<C> {
    fn start() -> Result<Descriptor, Error> {
        C::start()
    }

    fn poll(cursor: Option<String>) -> Result<Option<String>, Error> {
        C::poll(cursor)
    }

    fn webhook(request: HttpRequest) -> Result<HttpResponse, Error> {
        C::webhook(request)
    }

    fn send(message: Outbound) -> Result<String, Error> {
        C::send(message)
    }

    fn edit(id: String, message: Outbound) -> Result<(), Error> {
        C::edit(id, message)
    }

    fn action(
        conversation: String,
        id: Option<String>,
        name: String,
        argument: Option<String>,
    ) -> Result<(), Error> {
        C::action(conversation, id, name, argument)
    }
}
