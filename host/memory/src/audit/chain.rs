//! The chain: what is hashed of a row, and in which form. It reads and writes nothing.

use sha2::{Digest, Sha256};

/// What the hash of the first row is chained to.
pub(super) const BEGIN: Hash = [0; 32];

/// Stands before everything that is hashed, so that no other hash of ours can be taken for one.
const DOMAIN: &[u8] = b"hydroid audit 1\0";

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// The hash of a row. Every field has a fixed length or its length before it, so two different
/// rows are never the same bytes.
pub(super) fn hash(seq: u64, at_ms: u64, prev: &Hash, json: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seq.to_be_bytes());
    hasher.update(at_ms.to_be_bytes());
    hasher.update(prev);
    hasher.update((json.len() as u64).to_be_bytes());
    hasher.update(json.as_bytes());
    hasher.finalize().into()
}

/// As people and files write it.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that was written so; none if it is none.
pub(super) fn from_hex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = BEGIN;
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_hash() {
        let of = hash(1, 2, &BEGIN, "{}");
        assert_ne!(of, hash(2, 2, &BEGIN, "{}"));
        assert_ne!(of, hash(1, 3, &BEGIN, "{}"));
        assert_ne!(of, hash(1, 2, &[1; 32], "{}"));
        assert_ne!(of, hash(1, 2, &BEGIN, "{} "));
    }

    /// What is stored must be found right by later versions.
    #[test]
    fn the_form_is_the_one_that_is_stored() {
        assert_eq!(
            hex(&hash(1, 1_700_000_000_000, &BEGIN, r#"{"a":1}"#)),
            "d120a7374bec507fecb33ab41399202af3c10d40b3e1071496f7632c4805245e"
        );
    }

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let of = hash(1, 2, &BEGIN, "{}");
        assert_eq!(from_hex(&hex(&of)), Some(of));
        for bad in ["", "0", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
