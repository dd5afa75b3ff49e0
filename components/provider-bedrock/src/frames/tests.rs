//! Frames that are whole, cut, damaged and made up.

use super::*;

/// The example of AWS's own test suite: one header of text, `{'foo':'bar'}` as payload.
const PUBLISHED: &str = "0000003d 00000020 07fd8396 0c 636f6e74656e742d74797065 07 0010 6170706c69636174696f6e2f6a736f6e 7b27666f6f273a27626172277d 8d9c08b1";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: String = hexadecimal.split_whitespace().collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("hexadecimal")
}

fn read(stream: &[u8], size: usize) -> (Vec<Frame>, Result<(), FrameError>, bool) {
    let mut reader = FrameReader::default();
    let outcome = stream.chunks(size).try_for_each(|piece| reader.feed(piece));
    (std::iter::from_fn(|| reader.next_frame()).collect(), outcome, reader.is_amid())
}

#[test]
fn the_published_frame_is_read_and_written() {
    let published = bytes(PUBLISHED);
    let (frames, outcome, amid) = read(&published, 1);
    assert_eq!(outcome, Ok(()));
    assert!(!amid);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].header("content-type"), Some("application/json"));
    assert_eq!(frames[0].payload, b"{'foo':'bar'}");
    assert_eq!(frame(&[("content-type", "application/json")], b"{'foo':'bar'}"), published);
}

#[test]
fn frames_are_the_same_in_any_pieces() {
    let stream =
        [frame(&[], b""), frame(&[("a", "b"), ("c", "")], &[0; 300]), bytes(PUBLISHED)].concat();
    let whole = read(&stream, stream.len());
    assert_eq!(whole.0.len(), 3);
    for size in [1, 2, 3, 11, 12, 13, 64 << 10] {
        assert_eq!(read(&stream, size), whole, "pieces of {size} bytes");
    }
    let (frames, outcome, amid) = read(&stream[..stream.len() - 1], 7);
    assert_eq!((frames.len(), outcome, amid), (2, Ok(()), true));
}

#[test]
fn all_types_of_headers_are_passed_over() {
    let mut lines = Vec::new();
    for (kind, value) in [
        (0, &[][..]),
        (1, &[]),
        (2, &[1]),
        (3, &[1, 2]),
        (4, &[1, 2, 3, 4]),
        (5, &[0; 8]),
        (6, &[0, 2, 9, 9]),
        (8, &[0; 8]),
        (9, &[0; 16]),
        (7, &[0, 1, b'v']),
    ] {
        lines.extend_from_slice(&[1, b'n', kind]);
        lines.extend_from_slice(value);
    }
    assert_eq!(headers(&lines), Some(vec![("n".to_owned(), "v".to_owned())]));
    for cut in 1..lines.len() {
        // A cut between two headers leaves whole ones.
        let _ = headers(&lines[..cut]);
    }
    assert_eq!(headers(&[1, b'n', 10]), None);
    assert_eq!(headers(&[1, b'n', 7, 0, 9]), None);
    assert_eq!(headers(&[1, b'n', 7, 0, 1, 0xff]), None);
    assert_eq!(headers(&[200]), None);
}

#[test]
fn every_damaged_byte_is_noticed_and_keeps_what_came_before() {
    let good = frame(&[("a", "b")], b"{}");
    let second = bytes(PUBLISHED);
    for at in 0..second.len() {
        let mut damaged = second.clone();
        damaged[at] ^= 0x10;
        let stream = [good.clone(), damaged].concat();
        let (frames, outcome, _) = read(&stream, stream.len());
        assert_eq!((frames.len(), outcome), (1, Err(FrameError::Sum)), "byte {at}");
    }
}

#[test]
fn lengths_that_no_frame_has_are_refused_at_once() {
    let prelude = |length: u32, headers: u32| {
        let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        read(&bytes, 12).1
    };
    assert_eq!(prelude(15, 0), Err(FrameError::Length(15)));
    assert_eq!(prelude(16, 1), Err(FrameError::Length(16)));
    assert_eq!(prelude(u32::MAX, 0), Err(FrameError::Length(u32::MAX as usize)));
    assert_eq!(prelude(1 << 20, u32::MAX), Err(FrameError::Length(1 << 20)));
    assert_eq!(prelude(16, 0), Ok(()));
    let large: Error = FrameError::Length(1 << 30).into();
    assert!(matches!(large.kind, ErrorKind::TooLarge) && large.retry_after_ms.is_none());
    let damaged: Error = FrameError::Sum.into();
    assert!(matches!(damaged.kind, ErrorKind::Unavailable) && damaged.sent);
}
