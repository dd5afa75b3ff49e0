//! Secrets from a file of another program: `NAME=value` lines as dotenv files have them, or a
//! JSON object of texts. What is wrong is named by its line only, since the rest may be a value.

use crate::secrets::check_name;
use hydroid_core::ports::SecretValue;
use serde::de::{Error as _, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// Lines named in a refusal; more than these help nobody.
const NAMED: usize = 10;

/// Reads every secret in the text, or says which lines are wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, SecretValue)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let secrets = if text.trim_start().starts_with('{') { json(text)? } else { dotenv(text)? };
    if secrets.is_empty() {
        return Err("there is nothing to import: no line has `NAME=value`".to_owned());
    }
    Ok(secrets)
}

fn dotenv(text: &str) -> Result<Vec<(String, SecretValue)>, String> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let (mut secrets, mut wrong, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let mut further = || lines.next().map(|(_, line)| line);
        let read = line.split_once('=').and_then(|(name, value)| {
            let name = name.trim();
            let value = value_of(value, &mut further)?;
            check_name(name).ok()?;
            seen.insert(name.to_owned()).then(|| (name.to_owned(), value))
        });
        match read {
            Some((name, value)) => secrets.push((name, SecretValue::new(value.to_string()))),
            None => wrong.push(number),
        }
    }
    if wrong.is_empty() {
        return Ok(secrets);
    }
    let named: Vec<String> = wrong.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if wrong.len() > NAMED { " and more" } else { "" };
    Err(format!(
        "nothing was imported: line {}{more} has no `NAME=value` with a name of letters, digits, `-` and `_` that stands there once; correct or remove it",
        named.join(", ")
    ))
}

/// What stands behind `=`; none if a quote is not closed, something follows it, or it is empty.
fn value_of<'a>(
    text: &'a str,
    further: &mut impl FnMut() -> Option<&'a str>,
) -> Option<Zeroizing<String>> {
    let text = text.trim();
    let value = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(text.get(1..)?, quote, further)?,
        Some(_) => {
            let comment = text.find(" #").or_else(|| text.find("\t#"));
            let value = comment.map_or(text, |at| text.get(..at).unwrap_or(text));
            Zeroizing::new(value.trim_end().to_owned())
        }
        None => return None,
    };
    (!value.is_empty()).then_some(value)
}

/// A text in quotes, which may go on over further lines.
fn quoted<'a>(
    first: &'a str,
    quote: char,
    further: &mut impl FnMut() -> Option<&'a str>,
) -> Option<Zeroizing<String>> {
    let mut value = Zeroizing::new(String::new());
    let mut line = first;
    loop {
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            if character == quote {
                let rest = characters.as_str().trim();
                return (rest.is_empty() || rest.starts_with('#')).then_some(value);
            }
            if character == '\\' && quote == '"' {
                match characters.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(same @ ('"' | '\\' | '$')) => value.push(same),
                    Some(other) => value.extend(['\\', other]),
                    None => value.push('\\'),
                }
            } else {
                value.push(character);
            }
        }
        value.push('\n');
        line = further()?;
    }
}

fn json(text: &str) -> Result<Vec<(String, SecretValue)>, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    // The library's own words would repeat a value.
    let refused = |error: serde_json::Error| {
        format!(
            "nothing was imported: line {} is wrong; expected one JSON object of texts that are not empty, each under a name of letters, digits, `-` and `_` that stands there once",
            error.line()
        )
    };
    let secrets = serde::Deserializer::deserialize_map(&mut reader, Texts).map_err(refused)?;
    reader.end().map_err(refused)?;
    Ok(secrets)
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<(String, SecretValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut secrets, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some((name, value)) = entries.next_entry::<String, String>()? {
            let value = SecretValue::new(value);
            let fits = check_name(&name).is_ok() && !value.expose().is_empty();
            if !fits || !seen.insert(name.clone()) {
                return Err(A::Error::custom("wrong"));
            }
            secrets.push((name, value));
        }
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, &str)]) {
        let got = parse(text).unwrap();
        let got: Vec<_> = got.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let problem = parse(text).unwrap_err();
        assert!(problem.contains(expect), "expected `{expect}` in: {problem}");
        assert!(!problem.contains("hunter2"), "a value was repeated: {problem}");
    }

    #[test]
    fn lines_of_a_dotenv_file_are_read() {
        check("A=hunter2", &[("A", "hunter2")]);
        check("# comment\n\nexport A = b c # comment\r\nB=x#y\n", &[("A", "b c"), ("B", "x#y")]);
        check("A='it''s'\nB=2".replace("''", "").as_str(), &[("A", "its"), ("B", "2")]);
        check("A=\"a\\nb\\\"c\\\\\" # comment", &[("A", "a\nb\"c\\")]);
        check("A='a\\nb'", &[("A", "a\\nb")]);
        check("A=pa$$word=", &[("A", "pa$$word=")]);
        check(
            "KEY=\"-----BEGIN\nabc\n-----END\"\nB=1",
            &[("KEY", "-----BEGIN\nabc\n-----END"), ("B", "1")],
        );
    }

    #[test]
    fn an_object_of_texts_is_read() {
        check("{\"a\": \"hunter2\", \"b\": \"x\\ny\"}\n", &[("a", "hunter2"), ("b", "x\ny")]);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_imports_nothing() {
        refused("A=1\nhunter2\nB=2\nhunter2 = ", "line 2, 4 has no");
        refused("A=\n", "line 1 has");
        refused("A=1\nA=hunter2", "line 2 has");
        refused("A=\"hunter2\nB=2", "line 1 has");
        refused("A=\"x\" hunter2", "line 1 has");
        refused("a.b=hunter2", "line 1 has");
        refused(&"hunter2\n".repeat(30), "9, 10 and more has");
        refused("", "nothing to import");
        refused("# only this\n", "nothing to import");
    }

    #[test]
    fn an_object_that_is_wrong_is_named_by_its_line() {
        refused("{\"a\": \"1\",\n\"b\": [\"hunter2\"]}", "line 2 is wrong");
        refused("{\"a\": \"1\",\n\"a\": \"hunter2\"}", "line 2 is wrong");
        refused("{\"a\": \"\"}", "line 1 is wrong");
        refused("{\"a b\": \"hunter2\"}", "line 1 is wrong");
        refused("{\"a\": \"hunter2\"", "line 1 is wrong");
        refused("{\"a\": \"hunter2\"}\nhunter2", "line 2 is wrong");
        refused("{}", "nothing to import");
    }
}
