//! The user's skills: instructions that the session loads and unloads. Only the calls of a
//! conversation's own model can; a file of a skill is data like any other.

use crate::bindings::imports::hydroid::cap::skills;
use crate::types::Error;

pub use crate::bindings::imports::hydroid::cap::skills::Skill;

/// Bytes that one piece of a file has.
const PIECE: u32 = 256 << 10;

/// Every skill a model may load, by name.
pub fn list() -> Result<Vec<Skill>, Error> {
    skills::list()
}

/// Loads a skill. Returns the paths of the other files in its folder.
pub fn load(name: &str) -> Result<Vec<String>, Error> {
    skills::load(name)
}

/// Unloads a skill.
pub fn unload(name: &str) -> Result<(), Error> {
    skills::unload(name)
}

/// Reads a file of a skill that is loaded from a byte on, as far as `most` bytes.
pub fn read(name: &str, path: &str, offset: u32, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let at = offset.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let left = u32::try_from(most - bytes.len()).unwrap_or(PIECE).min(PIECE);
        let piece = skills::read(name, path, at, left)?;
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
    }
    Ok(bytes)
}
