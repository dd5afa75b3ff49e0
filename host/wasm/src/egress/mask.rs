//! Masks a credential in a response body, so that a service that echoes it does not hand it to
//! the guest. It keeps lengths and holds back only what could be the beginning of the value.

use bytes::{Bytes, BytesMut};

/// Replaces every occurrence of some values by `*`s of the same length, across chunk borders.
#[derive(Debug, Default)]
pub(super) struct Mask {
    needles: Vec<zeroize::Zeroizing<Vec<u8>>>,
    held: BytesMut,
}

/// A shorter value would mask ordinary text.
const SHORTEST: usize = 6;

impl Mask {
    /// Masks these forms of a credential; none masks nothing.
    pub(super) fn new(forms: Vec<String>) -> Self {
        let long = forms.into_iter().filter(|form| form.len() >= SHORTEST);
        let needles = long.map(|form| zeroize::Zeroizing::new(form.into_bytes())).collect();
        Self { needles, held: BytesMut::new() }
    }

    /// Takes a chunk and returns what may be shown already.
    pub(super) fn push(&mut self, chunk: Bytes) -> Bytes {
        if self.needles.is_empty() {
            return chunk;
        }
        self.held.extend_from_slice(&chunk);
        for needle in &self.needles {
            let mut from = 0;
            while let Some(at) = memchr::memmem::find(&self.held[from..], needle) {
                let start = from + at;
                self.held[start..start + needle.len()].fill(b'*');
                from = start + needle.len();
            }
        }
        let keep =
            self.needles.iter().map(|needle| beginning(&self.held, needle)).max().unwrap_or(0);
        self.held.split_to(self.held.len() - keep).freeze()
    }

    /// What was held back, at the end.
    pub(super) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// True if a text has one of the forms in it.
    pub(super) fn finds(&self, text: &[u8]) -> bool {
        self.needles.iter().any(|needle| memchr::memmem::find(text, needle).is_some())
    }
}

/// How many of the last bytes could be the beginning of the needle.
fn beginning(held: &[u8], needle: &[u8]) -> usize {
    let longest = needle.len().min(held.len() + 1);
    (1..longest).rev().find(|length| held.ends_with(&needle[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chunks: &[&str], expect: &str) {
        let mut mask = Mask::new(vec!["sk-12345".into(), "c2stMTIz".into()]);
        let mut shown = Vec::new();
        for chunk in chunks {
            shown.extend_from_slice(&mask.push(Bytes::copy_from_slice(chunk.as_bytes())));
        }
        shown.extend_from_slice(&mask.finish());
        assert_eq!(String::from_utf8(shown).unwrap(), expect);
    }

    #[test]
    fn an_echoed_value_is_masked_in_any_chunking() {
        let text = "a sk-12345 b sk-sk-12345";
        for size in 1..text.len() {
            let chunks: Vec<&str> = text
                .as_bytes()
                .chunks(size)
                .map(|chunk| std::str::from_utf8(chunk).unwrap())
                .collect();
            check(&chunks, "a ******** b sk-********");
        }
    }

    #[test]
    fn a_beginning_that_goes_on_otherwise_is_shown() {
        check(&["sk-123", "99"], "sk-12399");
        check(&["sk-123"], "sk-123");
    }

    #[test]
    fn every_form_is_masked() {
        check(&["x c2st", "MTIz sk-1", "2345"], "x ******** ********");
    }

    #[test]
    fn without_a_value_nothing_is_held() {
        assert_eq!(Mask::new(Vec::new()).push(Bytes::from_static(b"sk-")), "sk-");
    }
}
