//! The secrets to mask, as the scrubber sees them that follows their changes.

use crate::scrub::KnownSecret;

/// Where the secrets to mask come from, while they may change.
pub trait KnownSecrets: Send + Sync {
    /// A number that is another one whenever a value may have changed. It is asked for before each
    /// turn and each request of a component, so it must cost little.
    fn generation(&self) -> u64;
    /// Every value there is now.
    fn known(&self) -> Vec<KnownSecret>;
}
