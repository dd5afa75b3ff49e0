//! Where in a text something is, in the words an error message uses. Not a parser.

/// Characters shown of the place an error points at.
const SHOWN: usize = 40;

/// `line 2, column 5, at "…"` for a byte offset; an offset inside a character counts as its start.
pub(crate) fn describe(text: &str, offset: usize) -> String {
    let offset = text.floor_char_boundary(offset);
    let (before, after) = text.split_at(offset);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    let place = after.lines().next().unwrap_or_default();
    if place.is_empty() && after.is_empty() {
        return format!("line {line}, column {column}, at the end");
    }
    let shown: String = place.chars().take(SHOWN).collect();
    format!("line {line}, column {column}, at `{shown}`")
}

/// How deep brackets nest in `text`, not counting those inside quotes.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' | b'(' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' | b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
