//! What a service says it wants when it refuses: a `WWW-Authenticate` line. Nothing of it is
//! believed here.

/// A parameter of the line. What looks like one within quotes is none.
pub fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (before, after) = rest.split_once('=')?;
        let key = before.trim_end().rsplit([' ', ',']).next().unwrap_or_default();
        let after = after.trim_start();
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find([',', ' ']).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
}

/// The text up to the quote that ends it, and what is behind that; none if nothing ends it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(challenge: &str, name: &str, expect: Option<&str>) {
        assert_eq!(parameter(challenge, name).as_deref(), expect, "{challenge}");
    }

    #[test]
    fn a_challenge_is_read_by_its_names() {
        let line =
            r#"Bearer error="x", resource_metadata="https://a/b", scope="one two", my_scope="no""#;
        check(line, "resource_metadata", Some("https://a/b"));
        check(line, "scope", Some("one two"));
        check(line, "SCOPE", Some("one two"));
        check("Bearer my_scope=\"no\"", "scope", None);
        check("Bearer scope=a", "scope", Some("a"));
        check("Bearer scope = a, error=b", "error", Some("b"));
        check("é scope", "scope", None);
        check("", "scope", None);
    }

    #[test]
    fn what_stands_in_quotes_is_text() {
        let line = r#"Bearer error_description="say \"scope=all\", or scope=more", scope="one""#;
        check(line, "scope", Some("one"));
        check(line, "error_description", Some(r#"say "scope=all", or scope=more"#));
        check(r#"Bearer error_description="scope=all"#, "scope", None);
        check(r#"Bearer scope="é\"#, "scope", None);
    }
}
