//! How components travel: the name of one in a registry, the registry's protocol over our own
//! egress, the form in which one is kept there, who signed it, and what is pinned here. Nothing is
//! installed, asked or written to disk in this module.
//!
//! Read in this order: `reference`, `image` (what lies in a registry), `registry` (how it is
//! fetched and brought), `login`, then `signature`, `keys` and `lock`.

mod fetch;
mod image;
mod keys;
mod lock;
mod login;
mod reference;
mod registry;
mod signature;

pub use fetch::fetch;
pub use image::Image;
pub use keys::{BadKeys, KeyLevel, Keys, Trusted};
pub use lock::{BadLock, Lock, Locked, Pinned};
pub use login::{Login, Logins};
pub use reference::{BadReference, OciReference};
pub use registry::{Pulled, Registry, ShippingError};
pub use signature::{BadSignature, PublicKey, SecretKey, Signature, Statement};
