//! Identifiers. Callers mint them; core only carries and compares them.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that its owner minted or stored.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was minted.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A person the host serves. Every session, row, grant and secret belongs to one.
    UserId
);
id!(
    /// One conversation.
    SessionId
);
id!(
    /// One turn of a session.
    TurnId
);
id!(
    /// One tool call, from the model's request to its result.
    CallId
);
id!(
    /// A client's own name for something it asks for, so that asking again makes nothing twice.
    ClientKey
);
id!(
    /// A component, by the name in its manifest.
    ComponentId
);
