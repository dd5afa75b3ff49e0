//! Signers: what the host computes with a credential, so that not even what is sent could be used
//! for another request, or for longer than the service allows.

pub(super) mod aws;
pub(super) mod hmac;
mod mac;
mod moment;
pub(super) mod oauth;

pub(super) use oauth::Tokens;
