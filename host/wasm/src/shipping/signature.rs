//! Who vouches for a component: an Ed25519 signature over its bytes and its manifest together.
//! What a key is worth is not decided here.

use crate::component::{digest, manifest_section};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::SecretValue;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Before the digits of a public key.
const PREFIX: &str = "ed25519:";

/// What is signed begins with this, so that a signature of ours means nothing anywhere else.
const DOMAIN: &str = "hydroid component signature 1";

/// The same for an index of components.
const INDEX_DOMAIN: &str = "hydroid registry index 1";

/// What a signature is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(String);

/// A publisher's public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

/// A publisher's secret key; wiped when it is dropped.
pub struct SecretKey(SigningKey);

/// A signature with the key that made it, as it is written beside a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who made it.
    pub key: PublicKey,
    bytes: [u8; 64],
}

/// A key or signature that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// Not a key.
    #[error("it is not a public key; one is `{PREFIX}` and 44 characters of base64")]
    Key,
    /// Not a signature.
    #[error("its signature cannot be read; sign it again with `hydroid key sign`")]
    Form,
    /// Made over something else.
    #[error(
        "its signature is not over these bytes: they were changed after they were signed, or the signature belongs to others"
    )]
    Wrong,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hydroid: u32,
    key: String,
    signature: String,
}

impl Statement {
    /// The statement about a component: its name and version, and the digests of all its bytes and
    /// of the manifest among them.
    pub fn of(wasm: &[u8], manifest: &Manifest) -> Self {
        let section = manifest_section(wasm).map_or_else(|| "none".to_owned(), digest);
        Self(format!(
            "{DOMAIN}\nname: {}\nversion: {}\ncomponent: {}\nmanifest: {section}\n",
            manifest.name,
            manifest.version,
            digest(wasm),
        ))
    }

    /// The statement about an index of components: the digest of its text.
    pub fn of_index(text: &[u8]) -> Self {
        Self(format!("{INDEX_DOMAIN}\nindex: {}\n", digest(text)))
    }
}

impl SecretKey {
    /// A new one.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *seed)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The one that [`Self::stored`] wrote.
    pub fn from_stored(value: &SecretValue) -> Option<Self> {
        let seed = Zeroizing::new(STANDARD.decode(value.expose()).ok()?);
        let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
        Some(Self(SigningKey::from_bytes(seed)))
    }

    /// As a text to be kept secret.
    pub fn stored(&self) -> SecretValue {
        SecretValue::new(STANDARD.encode(self.0.as_bytes()))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Vouches for what a statement says.
    pub fn sign(&self, statement: &Statement) -> Signature {
        Signature { key: self.public(), bytes: self.0.sign(statement.0.as_bytes()).to_bytes() }
    }
}

impl Signature {
    /// Whether it was made over this statement.
    pub fn check(&self, statement: &Statement) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&self.bytes);
        // Strict, so that no key of small order vouches for everything.
        self.key
            .0
            .verify_strict(statement.0.as_bytes(), &signature)
            .map_err(|_| BadSignature::Wrong)
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        let written = Written {
            hydroid: 1,
            key: self.key.to_string(),
            signature: STANDARD.encode(self.bytes),
        };
        serde_json::to_string(&written).expect("a signature is plain data")
    }
}

impl FromStr for Signature {
    type Err = BadSignature;

    fn from_str(text: &str) -> Result<Self, BadSignature> {
        let written: Written = serde_json::from_str(text.trim()).map_err(|_| BadSignature::Form)?;
        let bytes = STANDARD.decode(&written.signature).map_err(|_| BadSignature::Form)?;
        let bytes = bytes.try_into().map_err(|_| BadSignature::Form)?;
        if written.hydroid != 1 {
            return Err(BadSignature::Form);
        }
        Ok(Self { key: written.key.parse()?, bytes })
    }
}

impl FromStr for PublicKey {
    type Err = BadSignature;

    fn from_str(text: &str) -> Result<Self, BadSignature> {
        let digits = text.strip_prefix(PREFIX).ok_or(BadSignature::Key)?;
        let bytes = STANDARD.decode(digits).map_err(|_| BadSignature::Key)?;
        let bytes = bytes.try_into().map_err(|_| BadSignature::Key)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| BadSignature::Key)?;
        if key.is_weak() {
            return Err(BadSignature::Key);
        }
        Ok(Self(key))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(version: &str) -> Manifest {
        Manifest::parse(&format!("name = \"x\"\nversion = \"{version}\"\n")).unwrap()
    }

    #[test]
    fn a_signature_is_over_bytes_name_and_version() {
        let key = SecretKey::generate().unwrap();
        let statement = Statement::of(b"wasm", &manifest("1.0.0"));
        let signature: Signature = key.sign(&statement).to_json().parse().unwrap();
        assert_eq!(signature.key, key.public());
        assert_eq!(signature.check(&statement), Ok(()));
        for other in
            [Statement::of(b"wasn", &manifest("1.0.0")), Statement::of(b"wasm", &manifest("1.0.1"))]
        {
            assert_eq!(signature.check(&other), Err(BadSignature::Wrong));
        }
        assert_eq!(signature.check(&Statement::of_index(b"wasm")), Err(BadSignature::Wrong));
        let other = SecretKey::generate().unwrap();
        let forged = Signature { key: other.public(), ..signature };
        assert_eq!(forged.check(&statement), Err(BadSignature::Wrong));
    }

    #[test]
    fn a_key_comes_back_as_it_was_kept() {
        let key = SecretKey::generate().unwrap();
        let again = SecretKey::from_stored(&key.stored()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert!(!format!("{key:?}").contains(key.stored().expose()));
    }

    #[test]
    fn what_is_no_key_or_signature_is_refused() {
        let zero = format!("{PREFIX}{}", STANDARD.encode([0_u8; 32]));
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:x", zero.as_str()] {
            assert_eq!(text.parse::<PublicKey>(), Err(BadSignature::Key), "{text}");
        }
        let key = SecretKey::generate().unwrap();
        let good = key.sign(&Statement("x".into())).to_json();
        for text in [
            "",
            "{}",
            "null",
            &good.replace("\"hydroid\":1", "\"hydroid\":2"),
            &good.replace("=\"}", "\"}"),
        ] {
            assert!(text.parse::<Signature>().is_err(), "{text}");
        }
    }
}
