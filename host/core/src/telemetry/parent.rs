//! What a client says its request is a part of, as W3C's Trace Context writes it. Nothing but the
//! two identifiers and whether they are traced is taken, and none of it is sent on.

use super::{SpanId, TraceId};
use std::fmt;

/// The span of another system that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether that system traces it; what it leaves out is left out here.
    pub sampled: bool,
}

/// Letters of a `traceparent` of version 00, with which every later version begins.
const LENGTH: usize = 55;

impl Parent {
    /// Reads a `traceparent`; none if it is malformed, which is no reason to refuse a request.
    pub fn read(text: &str) -> Option<Self> {
        let (head, rest) = text.split_at_checked(LENGTH)?;
        let mut fields = head.split('-');
        let version = bytes::<1>(fields.next()?)?;
        let trace = bytes(fields.next()?)?;
        let span = bytes(fields.next()?)?;
        let flags = bytes::<1>(fields.next()?)?;
        let fits = match version {
            [0] => rest.is_empty(),
            [0xff] => false,
            // A later version may have more, behind another hyphen.
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let names = trace != [0; 16] && span != [0; 8];
        (fits && names && fields.next().is_none()).then_some(Self {
            trace: TraceId(trace),
            span: SpanId(span),
            sampled: flags[0] & 1 == 1,
        })
    }
}

impl fmt::Display for Parent {
    /// As a `traceparent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        f.write_str("00-")?;
        hex(f, &self.trace.0)?;
        f.write_str("-")?;
        hex(f, &self.span.0)?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

/// Lower-case hexadecimal of just so many bytes.
fn bytes<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    if text.len() != COUNT * 2 {
        return None;
    }
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; COUNT];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_parent_is_read_as_the_recommendation_writes_it() {
        let parent = Parent::read(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!((parent.trace.0[0], parent.trace.0[15]), (0x4b, 0x36));
        assert_eq!((parent.span.0[1], parent.span.0[7]), (0xf0, 0xb7));
        assert!(parent.sampled);
        assert!(!Parent::read(&format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
        // Flags that are not known yet, and versions that are not.
        assert!(Parent::read(&format!("00-{TRACE}-{SPAN}-ff")).unwrap().sampled);
        assert!(!Parent::read(&format!("00-{TRACE}-{SPAN}-02")).unwrap().sampled);
        assert!(Parent::read(&format!("cc-{TRACE}-{SPAN}-01")).is_some());
        assert!(Parent::read(&format!("cc-{TRACE}-{SPAN}-01-what.will.be")).is_some());
        // And written as it was read.
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(Parent::read(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_malformed_is_no_parent() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.what"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{}-{SPAN}-01", "é".repeat(16)),
            "é".repeat(60),
            "-".repeat(55),
        ] {
            assert_eq!(Parent::read(&text), None, "{text}");
        }
    }
}
