//! What looks like a credential though nobody told its value: well-known shapes, and values
//! after a word such as `password`. A guess both ways: prose and code must stay readable, so a
//! weak password in a sentence is let through.

use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Shapes that nothing else has, and the kind shown in their place. A shape whose pattern is
/// not enough has further conditions in [`is_shape`].
const SHAPES: &[(&str, &str)] = &[
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])*(?:[A-Za-z-]+: [\t\x20-\x7e]{0,100}\n)*(?:\s|\\[nr])*[A-Za-z0-9+/=]{32,}(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{16,})*(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{1,76})?(?:(?:\s|\\[nr])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("api-key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("api-key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("api-key", r"\bgsk_[A-Za-z0-9]{40,}|\bxai-[A-Za-z0-9]{40,}"),
    ("api-key", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("api-key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("aws-key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("github-token", r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{20,}"),
    ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"),
    ("bot-token", r"\b[0-9]{8,10}:[A-Za-z0-9_-]{35}\b"),
    ("token", r"\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[A-Za-z0-9_-]{50,}"),
];

/// What a value may consist of: no quotes, brackets or separators.
const VALUE: &str = r#"(?P<value>[^\s"'`\\,;<>()\[\]{}|&]{8,})"#;

/// Most bytes masked behind a value that is cut short by a character in the middle of it.
const LONGEST_REMAINDER: usize = 200;

/// Words that stand for a value that was not filled in.
const PLACEHOLDERS: &[&str] = &[
    "change",
    "dummy",
    "example",
    "fixme",
    "here",
    "insert",
    "null",
    "placeholder",
    "redacted",
    "replace",
    "sample",
    "todo",
    "undefined",
    "xxxx",
    "your",
    "****",
    "....",
];

static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    let shapes: Vec<String> = SHAPES.iter().map(|(_, shape)| format!("({shape})")).collect();
    pattern(&format!("(?-u:{})", shapes.join("|")))
});

static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:bearer|basic)[ \t]+(?P<value>[A-Za-z0-9._~+/-]{16,}=*)"));

static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    // A token that continues a list, or is counted, is no credential.
    let harmless = "(?P<harmless>(?:page|next|continuation|cursor|sync|pagination|max|num)[_-]?)?";
    let key = "(?P<key>passwords?|passwd|passphrase|pwd|secret[_-]?access[_-]?key|access[_-]?key|secrets?|token|api[_-]?key|private[_-]?key|credentials?|authorization|auth)(?:[_-]?(?:key|value))?";
    let equals = r#"(?:\\?["'])?(?P<equals>[ \t]*(?:=>|:=|==?|:)[ \t]*)"#;
    let scheme = r#"(?P<quote>\\?["'])?(?:(?:bearer|basic|token|digest)[ \t]+)?"#;
    pattern(&format!("(?i){harmless}{key}{equals}{scheme}{VALUE}"))
});

static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"(?i)--(?:[a-z]+-){{0,3}}(?P<key>password|passwd|passphrase|token|secret|api-?key)[ =](?P<quote>["'])?{VALUE}"#
    ))
});

static USER_IN_URL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?i)[a-z][a-z0-9+.-]{1,30}://[^\s/:@"'<>]{0,100}:(?P<value>[^\s/@"'<>{}$]{3,})@"#)
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns are constants and a test compiles each")
}

/// The text with what looks like a credential masked.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    let text = replace(Cow::Borrowed(text), &SHAPE, |_, captures| {
        let kind = SHAPES.iter().enumerate().find(|(index, _)| captures.get(index + 1).is_some());
        is_shape(&captures[0]).then_some(kind?.1.0)
    });
    let text = replace(text, &SCHEME, |_, captures| {
        let value = &captures["value"];
        let mixed = value.ends_with('=')
            || (value.contains(|c: char| c.is_ascii_digit()) && !is_words(value));
        (mixed && !is_placeholder(value)).then_some("authorization")
    });
    let text = replace(text, &ASSIGNMENT, assignment);
    let text = replace(text, &FLAG, |_, captures| {
        let kind = kind(&captures["key"]);
        is_credential(&captures["value"], kind == "password", true).then_some(kind)
    });
    replace(text, &USER_IN_URL, |_, captures| {
        let value = captures["value"].to_ascii_lowercase();
        let stands_for_one =
            ["pass", "password", "pw", "pwd", "secret", "token"].contains(&value.as_str());
        (!stands_for_one && !is_placeholder(&value) && !value.starts_with('['))
            .then_some("password")
    })
}

/// The mask for the value of a field that is named like a credential; none if it is harmless.
pub(super) fn field(key: &str, value: &str) -> Option<String> {
    let line = format!("{key}=\"{value}\"");
    let captures = ASSIGNMENT.captures(&line)?;
    let whole = captures["value"].len() == value.len();
    whole.then(|| assignment(&line, &captures)).flatten().map(redacted)
}

fn redacted(kind: &str) -> String {
    format!("[redacted:{kind}]")
}

/// Replaces what is judged to be a credential: the group `value`, or the whole match.
fn replace<'a>(
    text: Cow<'a, str>,
    pattern: &Regex,
    judge: impl for<'t> Fn(&'t str, &Captures<'t>) -> Option<&'static str>,
) -> Cow<'a, str> {
    let mut out = String::new();
    let mut end = 0;
    for captures in pattern.captures_iter(&text) {
        let Some(found) = captures.name("value").or_else(|| captures.get(0)) else { continue };
        if found.start() < end {
            continue;
        }
        if let Some(kind) = judge(&text, &captures) {
            out.push_str(&text[end..found.start()]);
            out.push_str(&redacted(kind));
            end = found.end()
                + remainder(
                    &text[found.end()..],
                    captures.name("quote").map(|quote| quote.as_str()),
                );
        }
    }
    if end == 0 {
        return text;
    }
    out.push_str(&text[end..]);
    Cow::Owned(out)
}

/// Bytes of a value behind the characters every value may have: up to the closing quote, and
/// after `&` unless a further parameter begins there.
fn remainder(after: &str, quote: Option<&str>) -> usize {
    let line = after.split('\n').next().unwrap_or_default();
    match quote {
        Some(quote) => line.find(quote).filter(|end| *end <= LONGEST_REMAINDER).unwrap_or(0),
        None if after.starts_with('&') => {
            let rest =
                line.split(|next: char| next.is_whitespace() || "\"'`,;".contains(next)).next();
            rest.filter(|rest| !rest.contains('=') && rest.len() <= LONGEST_REMAINDER)
                .map_or(0, str::len)
        }
        None => 0,
    }
}

fn assignment(text: &str, captures: &Captures<'_>) -> Option<&'static str> {
    let value = captures.name("value")?;
    let quoted = captures.name("quote").is_some();
    let after = &text[value.end()..];
    let is_code = !quoted && after.starts_with(['(', '[', '<', '{', '`']);
    if captures.name("harmless").is_some() || is_code {
        return None;
    }
    let kind = kind(&captures["key"]);
    // `NAME=value` without spaces is a setting, not a program, unless it is an argument.
    let is_setting = &captures["equals"] == "=" && !after.starts_with([')', ',']);
    is_credential(value.as_str(), kind == "password", quoted || is_setting).then_some(kind)
}

fn kind(key: &str) -> &'static str {
    let key = key.to_ascii_lowercase();
    match key.as_str() {
        _ if key.starts_with("pass") || key == "pwd" => "password",
        _ if key.starts_with("api") => "api-key",
        _ if key.starts_with("auth") => "authorization",
        "token" => "token",
        _ => "secret",
    }
}

/// A random part of some length, with a digit in it: names of styles and branches have none.
fn is_shape(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("sk-") else { return true };
    rest.split(['-', '_']).any(|run| run.len() >= 12 && run.contains(|c: char| c.is_ascii_digit()))
}

/// `is_literal`: it stands where only a value can stand, not a name in a program.
fn is_credential(value: &str, is_password: bool, is_literal: bool) -> bool {
    let value = value.trim_end_matches(['.', ':', '!', '?']);
    let begins_like_a_reference = value.starts_with(['/', '.', '~', '$', '%', '@', '*', '#', '-']);
    let is_hash = value.starts_with("sha256") || value.starts_with("sha512");
    if value.chars().count() < 8
        || begins_like_a_reference
        || is_hash
        || value.contains("://")
        || is_placeholder(value)
    {
        return false;
    }
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let letters = value.chars().filter(|character| character.is_alphabetic()).count();
    let symbols = value.chars().filter(|character| "!@#$%^*+=~?".contains(*character)).count();
    if letters == 0 {
        return is_password && digits == value.len();
    }
    if digits + symbols == 0 || is_date_or_version(value) {
        return false;
    }
    (is_password && is_literal) || symbols > 0 || !is_words(value)
}

fn is_placeholder(value: &str) -> bool {
    let value = value.to_lowercase();
    PLACEHOLDERS.iter().any(|placeholder| value.contains(placeholder))
}

/// Names such as `load_token_v2`, `utf8.decode` and `localhost:8080`: each piece is a word with
/// at most three digits behind it, or a short number.
fn is_words(value: &str) -> bool {
    value.split(['-', '_', '.', ':', '/']).filter(|piece| !piece.is_empty()).all(|piece| {
        let word = piece.trim_end_matches(|character: char| character.is_ascii_digit());
        let digits = piece.len() - word.len();
        let letters: Vec<char> = word.chars().collect();
        let humps = letters
            .windows(2)
            .filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase())
            .count();
        match letters.len() {
            0 => digits <= 5,
            count => {
                digits <= 3
                    && letters.iter().all(|letter| letter.is_alphabetic())
                    && humps <= count / 4
            }
        }
    })
}

fn is_date_or_version(value: &str) -> bool {
    let digits = value.trim_start_matches('v');
    let rest = digits.trim_start_matches(|character: char| character.is_ascii_digit());
    let mut rest_characters = rest.chars();
    digits.len() - rest.len() <= 4
        && digits.len() > rest.len()
        && rest_characters.next().is_some_and(|separator| matches!(separator, '.' | '-' | ':'))
        && rest_characters.next().is_some_and(|next| next.is_ascii_digit())
}
