//! Small pieces of text work: quoted spans, JSON spans, words without case.
//!
//! Not the grammar: nothing here knows a command.

/// The end of the quoted text, fenced block or JSON value that begins at the start of `text`,
/// as a length in bytes on a character boundary.
pub fn span(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix("```") {
        return inside.find("```").map(|end| end + 6);
    }
    match text.chars().next()? {
        '{' | '[' => json_length(text),
        _ => quoted(text).map(|(_, rest)| text.len() - rest.len()),
    }
}

/// The length of the JSON value at the start of `text`.
fn json_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// Apostrophes are common, so a single quote that is not closed soon is one of them. This also
/// keeps a message of nothing but apostrophes from being read over and over.
const LONGEST_SINGLE_QUOTE: usize = 500;

/// The content of the quoted text at the start of `text`, and what follows it.
/// In double quotes `\n`, `\t`, `\"` and `\\` mean what they mean in JSON.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let open = text.chars().next()?;
    let close = match open {
        '"' | '\'' | '`' => open,
        '“' => '”',
        '‘' => '’',
        _ => return None,
    };
    let mut content = String::new();
    let mut characters = text[open.len_utf8()..].char_indices();
    while let Some((at, character)) = characters.next() {
        let rest = &text[open.len_utf8() + at + character.len_utf8()..];
        if at > LONGEST_SINGLE_QUOTE && matches!(close, '\'' | '’') {
            return None;
        }
        // An apostrophe inside a word does not close a single quote.
        let inside_word = matches!(close, '\'' | '’') && rest.starts_with(char::is_alphanumeric);
        if character == close && !inside_word {
            return Some((content, rest));
        }
        if character == '\\' && open == '"' {
            match characters.next()?.1 {
                'n' => content.push('\n'),
                't' => content.push('\t'),
                other @ ('"' | '\\') => content.push(other),
                other => content.extend(['\\', other]),
            }
        } else {
            content.push(character);
        }
    }
    None
}

/// What follows `word` at the start of `text`, without case, if a word ends there.
pub fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (head.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start_matches([' ', '\t']))
}

/// What follows the first of `phrases` that `text` starts with.
pub fn after_any<'a>(text: &'a str, phrases: &[&str]) -> Option<&'a str> {
    phrases.iter().find_map(|phrase| after_word(text, phrase))
}

/// `text` before and after the first `separator` outside quotes, without case.
pub fn split_first<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    splits(text, separator).into_iter().next()
}

/// `text` before and after the last `separator` outside quotes, without case.
pub fn split_last<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    splits(text, separator).into_iter().next_back()
}

fn splits<'a>(text: &'a str, separator: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let here = &text[at..];
        if here.get(..separator.len()).is_some_and(|head| head.eq_ignore_ascii_case(separator)) {
            found.push((text[..at].trim(), here[separator.len()..].trim()));
        }
        let opens = text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        at += span(here).filter(|_| opens).unwrap_or(character.len_utf8());
    }
    found
}

/// At most `limit` characters of `text`, saying how many there are if some were left out.
pub fn clip(text: &str, limit: usize) -> String {
    let total = text.chars().count();
    if total <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit).collect();
    format!("{}… ({total} characters in all)", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_at_their_own_kind() {
        assert_eq!(quoted(r#""a \"b\"\n" rest"#), Some(("a \"b\"\n".to_owned(), " rest")));
        assert_eq!(quoted("'don't' x"), Some(("don't".to_owned(), " x")));
        assert_eq!(quoted("“é” x"), Some(("é".to_owned(), " x")));
        assert_eq!(quoted("\"open"), None);
        assert_eq!(quoted("\"open\\"), None);
        assert_eq!(quoted(""), None);
    }

    #[test]
    fn spans_cover_json_and_fences() {
        assert_eq!(span(r#"{"a":"}"} then"#), Some(9));
        assert_eq!(span("```\na\n``` b"), Some(9));
        assert_eq!(span("{nope"), None);
        assert_eq!(span("plain"), None);
    }

    #[test]
    fn words_are_whole_and_without_case() {
        assert_eq!(after_word("Read  é.txt", "read"), Some("é.txt"));
        assert_eq!(after_word("reader", "read"), None);
        assert_eq!(after_word("é", "read"), None);
    }
}
