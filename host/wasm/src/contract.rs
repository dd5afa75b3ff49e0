//! The versions of the contract that this host serves: the current one and the one before, the
//! latter by functions that turn its calls into those of the current. A component of another
//! version is refused with what to do; inside 0.x a minor version is a track of its own.

use crate::instance::State;
use crate::linker;
use hydroid_core::capability::Grant;
use wasmtime::Result;
use wasmtime::component::Linker;

/// The version of every `hydroid:` package that this host was built with.
pub const CONTRACT: &str = "0.1.0";

/// A version that is served.
pub(crate) struct Track {
    /// The first version of it.
    pub(crate) version: &'static str,
    /// Adds its interfaces, as far as the grant goes.
    pub(crate) link: fn(&mut Linker<State>, &Grant) -> Result<()>,
}

/// Every version that is served, the current one first. A new minor version puts its own before
/// the others and drops all but the one after it; what links that one is its adapter.
pub(crate) const TRACKS: [Track; 1] = [Track { version: CONTRACT, link: linker::link_current }];

/// True if a version is of a track that is served.
pub(crate) fn serves(version: Option<&str>) -> bool {
    let Some(track) = version.and_then(track) else { return false };
    TRACKS.iter().any(|served| self::track(served.version) == Some(track))
}

/// What to do about a component of a version that is not served.
pub(crate) fn remedy(version: Option<&str>) -> &'static str {
    let newest = track(CONTRACT);
    match version.and_then(track) {
        Some(track) if Some(track) > newest => {
            "it is newer than this host: use a newer host, or an older version of the component"
        }
        Some(_) => {
            "it is older than what this host still serves: use a newer version of the component, or rebuild it with the SDK of this host"
        }
        None => "rebuild it with the SDK of this host",
    }
}

/// Major and minor number.
fn track(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_served_and_another_minor_is_not() {
        assert!(serves(Some("0.1.0")) && serves(Some("0.1.9")));
        for other in [Some("0.2.0"), Some("0.0.9"), Some("1.1.0"), Some("0"), Some("x.y"), None] {
            assert!(!serves(other), "{other:?}");
        }
    }

    #[test]
    fn the_remedy_says_which_of_the_two_is_to_be_changed() {
        assert!(remedy(Some("0.2.0")).contains("use a newer host"));
        assert!(remedy(Some("0.0.1")).contains("older than what this host still serves"));
        assert!(remedy(None).contains("rebuild"));
    }

    #[test]
    fn the_current_one_is_first_and_at_most_one_more_is_served() {
        assert_eq!(TRACKS[0].version, CONTRACT);
        assert!(TRACKS.len() <= 2);
    }
}
