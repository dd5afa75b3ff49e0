//! Text of others made harmless for a terminal: what would move the cursor, change colours,
//! reorder letters or hide is shown or removed. It does not judge what the text says.

/// Spaces in a row that [`visible`] shows as they are; more could push text to another line or off
/// the screen, so they are counted.
const MOST_SPACES: usize = 2;

/// Stands before the count of a run of spaces.
const SPACE: char = '\u{2420}';

/// Combining marks on one letter that are shown; the languages that stack them use no more.
const MOST_MARKS: u32 = 3;

/// Text to read: control characters become visible, what reorders letters is removed. Line ends
/// and tabs stay.
pub fn harmless(text: &str) -> String {
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

/// Text a person hands over, without what they cannot see in it: marks of direction, fillers, tags.
/// Joiners and selectors stay, since letters and signs of many languages are written with them.
pub fn seen(text: &str) -> String {
    let stays =
        |character: &char| matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    text.chars()
        .filter(|character| stays(character) || !(hides(*character) || reorders(*character)))
        .collect()
}

/// [`harmless`] text on one line, cut to so many characters.
pub fn excerpt(text: &str, most: usize) -> String {
    let flat = harmless(text).replace(['\n', '\t'], " ");
    let flat = flat.trim();
    match flat.char_indices().nth(most) {
        None => flat.to_owned(),
        Some((end, _)) => format!("{}…", &flat[..end]),
    }
}

/// Text to decide on: nothing is removed, everything that cannot be seen is written out, as in
/// JSON. A combining mark is shown only on a letter or digit, where it belongs, and not in a pile.
pub fn exact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // How many more marks may follow here.
    let mut marks = 0;
    for character in text.chars() {
        if character.is_ascii() && !character.is_control() {
            marks = if character.is_ascii_alphanumeric() { MOST_MARKS } else { 0 };
            shown.push(character);
        } else if hides(character) || reorders(character) || !is_printable(character) {
            marks = 0;
            push_escape(&mut shown, character);
        } else if combines(character) {
            if marks == 0 {
                push_escape(&mut shown, character);
            } else {
                marks -= 1;
                shown.push(character);
            }
        } else {
            marks = if character.is_alphanumeric() { MOST_MARKS } else { 0 };
            shown.push(character);
        }
    }
    shown
}

/// The same as [`exact`] with long runs of spaces counted.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut spaces = 0;
    let end_run = |shown: &mut String, spaces: usize| {
        if spaces > MOST_SPACES {
            shown.push_str(&format!("{SPACE}×{spaces}"));
        } else {
            shown.push_str(&" ".repeat(spaces));
        }
    };
    for character in exact(text).chars() {
        if character == ' ' {
            spaces += 1;
            continue;
        }
        end_run(&mut shown, std::mem::take(&mut spaces));
        match character {
            // Only ours means spaces.
            SPACE => shown.push_str("\\u2420"),
            _ => shown.push(character),
        }
    }
    end_run(&mut shown, spaces);
    shown
}

/// Arguments of a call to decide on, a line each: nothing left out and nothing hidden.
pub fn argument_lines(json: &str) -> Vec<String> {
    let pretty = serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value));
    match pretty {
        // Inside values line ends are escaped, so what a line begins with is our indentation.
        Ok(text) => text
            .lines()
            .map(|line| {
                let value = line.trim_start_matches(' ');
                format!("{}{}", " ".repeat(line.len() - value.len()), visible(value))
            })
            .collect(),
        Err(_) => json.lines().map(visible).collect(),
    }
}

/// JSON text for a terminal or a pipe: the same value, nothing in it a terminal would act on.
/// serde writes ASCII controls as escapes already; outside strings JSON is ASCII.
pub fn json(text: &str) -> String {
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
pub(crate) fn reorders(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a shape that Unicode counts as letters, marks or symbols, and so as
/// printable: fillers, joiners, selectors, the empty Braille cell. Those of newer Unicode than the
/// standard library knows are listed too.
pub(crate) fn hides(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// False for controls, format characters, every space but the ordinary one, line separators,
/// private and unassigned characters: what the standard library writes as an escape.
fn is_printable(character: char) -> bool {
    // Behind another character, since at the start combining marks are escaped too.
    character == ' ' || format!("x{character}").escape_debug().count() == 2
}

/// Marks that are drawn onto the character before them.
fn combines(character: char) -> bool {
    // The standard library escapes these at the start of a text, and only there.
    is_printable(character) && character.escape_debug().count() > 1
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
    fn what_a_person_hands_over_hides_nothing() {
        assert_eq!(seen("a\u{202e}b\u{e0041}\u{200b}c"), "abc");
        assert_eq!(seen("👩‍👩‍👧 ❤\u{fe0f} می\u{200c}خواهم"), "👩‍👩‍👧 ❤\u{fe0f} می\u{200c}خواهم");
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
    fn no_blank_but_the_space_passes_for_nothing() {
        let blanks = [
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{1680}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180f}',
            '\u{2000}',
            '\u{2007}',
            '\u{200a}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{202f}',
            '\u{205f}',
            '\u{2065}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e000}',
            '\u{e0100}',
        ];
        for blank in blanks {
            let shown = exact(&format!("a{blank}b"));
            assert!(
                shown.is_ascii() && shown.starts_with("a\\u") && shown.ends_with('b'),
                "U+{:04X} is shown as `{shown}`",
                u32::from(blank)
            );
        }
        assert_eq!(exact("a b"), "a b");
    }

    #[test]
    fn marks_stand_on_letters_only() {
        assert_eq!(exact("e\u{301}"), "e\u{301}");
        assert_eq!(exact("\u{301}e"), "\\u0301e");
        assert_eq!(exact("a \u{338}b"), "a \\u0338b");
        assert_eq!(exact("\"\u{338}\u{338}"), "\"\\u0338\\u0338");
        assert_eq!(exact(&format!("e{}", "\u{301}".repeat(4))), "e\u{301}\u{301}\u{301}\\u0301");
    }

    #[test]
    fn what_is_decided_on_stays_readable() {
        let text = "naïve 日本語 नमस्ते Tiếng Việt 👩 פה \"x\" €";
        assert_eq!(exact(text), text);
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
