//! Text of others made harmless for a terminal: what would move the cursor, change colours,
//! reorder letters or hide is shown or removed. It does not judge what the text says.

/// Text to read: control characters become visible, what reorders letters is removed. Line ends
/// and tabs stay.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\0'..='\x1f' => shown.push(picture(character)),
            '\x7f' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => shown.push('\u{fffd}'),
            '\u{2028}' | '\u{2029}' => shown.push('\n'),
            _ if reorders(character) => {}
            _ => shown.push(character),
        }
    }
    shown
}

/// The same on one line, cut to so many characters.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let flat = harmless(text).replace(['\n', '\t'], " ");
    let flat = flat.trim();
    match flat.char_indices().nth(most) {
        None => flat.to_owned(),
        Some((end, _)) => format!("{}…", &flat[..end]),
    }
}

/// Text to decide on: nothing is removed, everything that cannot be seen is written out, as in
/// JSON.
pub(crate) fn exact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || reorders(character) || hides(character) {
            push_escape(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    shown
}

/// JSON text for a terminal or a pipe: the same value, nothing in it a terminal would act on.
/// serde writes ASCII controls as escapes already; outside strings JSON is ASCII.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_ascii() && (character.is_control() || reorders(character))
            || character == '\x7f'
        {
            push_escape(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    shown
}

fn push_escape(shown: &mut String, character: char) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        shown.push_str(&format!("\\u{unit:04x}"));
    }
}

fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('\u{fffd}')
}

/// Marks that change the direction of what follows.
fn reorders(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a shape: joiners, fillers, tags, line separators.
fn hides(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}'
            | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(harmless("a\x1b[31mred\x1b]0;title\x07"), "a␛[31mred␛]0;title␇");
        assert_eq!(harmless("\u{9b}31m"), "\u{fffd}31m");
        assert_eq!(harmless("over\rwritten\x08"), "over␍written␈");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "naïve 日本語 👩‍👩‍👧 \tx\nפה";
        assert_eq!(harmless(text), text);
        assert_eq!(harmless("a\r\nb"), "a\nb");
    }

    #[test]
    fn letters_are_not_reordered() {
        assert_eq!(harmless("a\u{202e}txt.exe\u{2066}"), "atxt.exe");
    }

    #[test]
    fn what_is_decided_on_shows_everything() {
        assert_eq!(exact("a\u{202e}b\u{200b}c\x1b"), "a\\u202eb\\u200bc\\u001b");
        assert_eq!(exact("\u{e0041}"), "\\udb40\\udc41");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({ "a\u{202e}": "\u{9b}31m é" });
        let shown = json(&value.to_string());
        assert!(!shown.contains(['\u{202e}', '\u{9b}']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn an_excerpt_is_one_line_and_never_cuts_a_character() {
        assert_eq!(excerpt(" é\né\té ", 3), "é é…");
        assert_eq!(excerpt("short", 10), "short");
    }
}
