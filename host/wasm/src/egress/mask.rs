//! Masks a credential in a response body, so that a service that echoes it does not hand it to
//! the guest. It keeps lengths and holds back only what could be the beginning of the value.

use bytes::{Bytes, BytesMut};

/// Replaces every occurrence of one value by `*`s of the same length, across chunk borders.
#[derive(Debug, Default)]
pub(super) struct Mask {
    needle: zeroize::Zeroizing<Vec<u8>>,
    held: BytesMut,
}

/// A shorter value would mask ordinary text.
const SHORTEST: usize = 6;

impl Mask {
    pub(super) fn new(value: Option<&str>) -> Self {
        let needle =
            value.filter(|value| value.len() >= SHORTEST).map(|value| value.as_bytes().to_vec());
        Self { needle: zeroize::Zeroizing::new(needle.unwrap_or_default()), held: BytesMut::new() }
    }

    /// Takes a chunk and returns what may be shown already.
    pub(super) fn push(&mut self, chunk: Bytes) -> Bytes {
        if self.needle.is_empty() {
            return chunk;
        }
        self.held.extend_from_slice(&chunk);
        let mut from = 0;
        while let Some(at) = find(&self.held[from..], &self.needle) {
            let start = from + at;
            self.held[start..start + self.needle.len()].fill(b'*');
            from = start + self.needle.len();
        }
        let keep = (1..self.needle.len().min(self.held.len() + 1))
            .rev()
            .find(|length| self.held.ends_with(&self.needle[..*length]))
            .unwrap_or(0);
        self.held.split_to(self.held.len() - keep).freeze()
    }

    /// What was held back, at the end.
    pub(super) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chunks: &[&str], expect: &str) {
        let mut mask = Mask::new(Some("sk-12345"));
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
    fn without_a_value_nothing_is_held() {
        assert_eq!(Mask::new(None).push(Bytes::from_static(b"sk-")), "sk-");
    }
}
