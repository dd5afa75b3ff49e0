//! What comes with a model's thinking and has to go back with it: a signature over readable text,
//! or thinking the service keeps to itself. Kept in `Reasoning::opaque`, which hosts store as it is.
//!
//! Not a check of a signature: only the service that made one can do that.

use serde::{Deserialize, Serialize};

use crate::provider::{Event, Reasoning};

/// What a service wants back beside the readable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// A signature over the text.
    Signature(&'a str),
    /// Instead of a text, what only the service can read.
    Redacted(&'a str),
}

/// `opaque` as it is written.
#[derive(Debug, Deserialize, Serialize)]
struct Opaque {
    /// Who wants it back; nobody else is given it.
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redacted: Option<String>,
    /// Fingerprint of the text that was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Thinking that comes in pieces, until its signature is known.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    text: Fingerprint,
    signature: String,
}

impl Signed {
    /// More of the text.
    pub fn text(&mut self, text: &str) {
        self.text.add(text);
    }

    /// More of the signature.
    pub fn signature(&mut self, signature: &str) {
        self.signature.push_str(signature);
    }

    /// The event that ends this thinking; none if it was not signed. `of` is who wants it back.
    pub fn seal(self, of: &str) -> Option<Event> {
        let signature = Some(self.signature).filter(|signature| !signature.is_empty())?;
        let text = Some(self.text.shown());
        Some(event(&Opaque { of: of.to_owned(), signature: Some(signature), redacted: None, text }))
    }
}

/// The event for thinking without readable text.
pub fn redacted(of: &str, data: impl Into<String>) -> Event {
    let redacted = Some(data.into());
    event(&Opaque { of: of.to_owned(), signature: None, redacted, text: None })
}

fn event(opaque: &Opaque) -> Event {
    let bytes = serde_json::to_vec(opaque).expect("strings become JSON");
    Event::Reasoning(Reasoning { text: String::new(), opaque: Some(bytes) })
}

/// Hands what came with `reasoning` to `send`, if it came from `of` and still fits: a text that
/// was changed on its way, for instance because a secret in it was masked, has no valid signature.
pub fn open<T>(of: &str, reasoning: &Reasoning, send: impl FnOnce(Proof<'_>) -> T) -> Option<T> {
    let opaque: Opaque = serde_json::from_slice(reasoning.opaque.as_deref()?).ok()?;
    if opaque.of != of {
        return None;
    }
    if let Some(data) = &opaque.redacted {
        return Some(send(Proof::Redacted(data)));
    }
    let mut text = Fingerprint::default();
    text.add(&reasoning.text);
    let signature = opaque.signature.filter(|_| opaque.text == Some(text.shown()))?;
    Some(send(Proof::Signature(&signature)))
}

/// FNV-1a over 64 bits: it tells an accident, not an attack, which would be its own harm.
#[derive(Clone, Copy, Debug)]
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn shown(self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thought(text: &str, signature: &str) -> Reasoning {
        let mut signed = Signed::default();
        text.chars().for_each(|character| signed.text(character.encode_utf8(&mut [0; 4])));
        let (first, rest) = signature.split_at(signature.len() / 2);
        signed.signature(first);
        signed.signature(rest);
        match signed.seal("s") {
            Some(Event::Reasoning(reasoning)) => Reasoning { text: text.to_owned(), ..reasoning },
            other => panic!("{other:?}"),
        }
    }

    fn opened(of: &str, reasoning: &Reasoning) -> Option<String> {
        open(of, reasoning, |proof| format!("{proof:?}"))
    }

    #[test]
    fn what_was_signed_comes_back_as_it_was() {
        let signature = "EqoB+/=\"\\ü";
        let expected = format!("{:?}", Proof::Signature(signature));
        assert_eq!(opened("s", &thought("Fünf…", signature)), Some(expected.clone()));
        assert_eq!(opened("s", &thought("", signature)), Some(expected));
        let Event::Reasoning(reasoning) = redacted("s", "abc=") else { panic!("no thinking") };
        assert_eq!(opened("s", &reasoning), Some("Redacted(\"abc=\")".to_owned()));
    }

    #[test]
    fn a_changed_text_and_another_service_get_nothing() {
        let reasoning = thought("the key is hunter2", "sig");
        assert_eq!(opened("other", &reasoning), None);
        let masked = Reasoning { text: "the key is [masked]".to_owned(), ..reasoning };
        assert_eq!(opened("s", &masked), None);
        for opaque in [None, Some(Vec::new()), Some(b"EqoB".to_vec()), Some(vec![0xff])] {
            assert_eq!(opened("s", &Reasoning { text: String::new(), opaque }), None);
        }
    }

    #[test]
    fn without_a_signature_there_is_nothing_to_send_back() {
        let mut signed = Signed::default();
        signed.text("hm");
        assert!(signed.seal("s").is_none());
    }
}
