//! The one door through which a component's bytes leave. In this order: match the request with
//! the component's rules, resolve the name once, refuse every special address, connect to an
//! address that was checked, attach the credential, send. What was checked is what is sent.

mod address;
mod client;
mod connect;
mod credential;
mod mask;
mod target;

pub use address::{AddressClass, classify};
pub use client::{Answer, Egress, EgressError, EgressSettings, Outgoing};
pub use credential::{Credential, Place};
pub use target::{BadUrl, Target};
