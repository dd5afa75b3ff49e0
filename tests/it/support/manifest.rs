//! Components with a manifest of a test's own, as somebody else would publish them.

/// A component with another manifest in place of the one at its end.
pub(crate) fn with_manifest(mut wasm: Vec<u8>, text: &str) -> Vec<u8> {
    const NAME: &[u8] = b"hydroid:manifest";
    let at = wasm.windows(NAME.len()).rposition(|window| window == NAME).unwrap();
    let content = wasm.len() - (at - 1);
    wasm.truncate(at - 1 - leb(content).len() - 1);
    let mut section = leb(NAME.len());
    section.extend_from_slice(NAME);
    section.extend_from_slice(text.as_bytes());
    wasm.push(0);
    wasm.extend(leb(section.len()));
    wasm.extend(section);
    wasm
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}
