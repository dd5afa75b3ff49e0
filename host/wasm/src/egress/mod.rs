//! The one door through which a component's bytes leave. In this order: match the request with
//! the component's rules, resolve the name once, refuse every special address, connect to an
//! address that was checked, attach the credential, send. What was checked is what is sent.

mod address;
mod authorize;
mod budget;
mod client;
mod connect;
mod credential;
mod denial;
mod login;
mod mask;
mod place;
mod post;
mod resolver;
mod rotation;
mod signer;
mod stop;
mod store;
mod tape;
mod target;

pub use address::{AddressClass, classify};
pub use authorize::{Authorize, AuthorizeError, Authorized};
pub use budget::Counter;
pub(crate) use client::check_grant;
pub use client::{Answer, Egress, EgressError, EgressSettings, Outgoing};
pub use credential::{Credential, Part};
pub(crate) use credential::{check_supplied, covers};
pub use denial::Denial;
pub use login::{LoginError, SignIn, SignedIn, UserCode};
pub use post::Post;
pub use rotation::Spare;
pub use store::{StoreDoor, StoreToken};
pub use tape::{Exchange, Tape};
pub use target::{BadUrl, Target};
