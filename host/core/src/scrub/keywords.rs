//! What looks like a credential because of the words around it: values after a word such as
//! `password`. A guess both ways: prose and code must stay readable, so a weak password in a
//! sentence is let through.

use super::guess::{Guess, Rank};
use regex::{Captures, Regex};
use std::sync::LazyLock;

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

static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:bearer|basic)[ \t]+(?P<value>[A-Za-z0-9._~+/-]{16,}=*)"));

static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    // A token that continues a list, or is counted, is no credential.
    let harmless = "(?P<harmless>(?:page|next|continuation|cursor|sync|pagination|max|num)[_-]?)?";
    let key = r"(?P<key>passwords?|passwd|passphrase|pwd|(?:\b|[_-]|db|user|root|admin)pass|secret[_-]?access[_-]?key|(?:access|account|encryption|license|master|private|signing|secret)[_-]?key|secrets?|token|api[_-]?key|credentials?|authorization|auth)(?:[_-]?(?:key|value|base|string)){0,2}";
    let equals = r#"(?:\\?["'])?\]?(?P<equals>[ \t]*(?:=>|:=|==?|:)[ \t]*)"#;
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

/// `<password>value</password>`, the pair `"password", "value"`, and a netrc line.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    let key = "passwords?|passwd|passphrase|pwd|secret|token|api[_.-]?key|client[_.-]?secret";
    pattern(&format!(
        r#"(?i)(?:<[a-z_.:-]{{0,40}}(?P<element>{key})(?:[ \t][^<>]{{0,80}})?>\s*|["'][a-z0-9_.-]{{0,60}}(?P<pair>{key})["'][ \t]*,[ \t]*["']|\blogin[ \t]+\S{{1,80}}[ \t]+(?P<login>password)[ \t]+){VALUE}"#
    ))
});

/// Programs that take a password after `-p`.
static SHORT_FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"\b(?:sshpass[ ]+-p[ ]*|(?:mysql|mysqldump|mysqladmin|mariadb)[ ][^\n|;]{{0,120}}?-p)(?P<quote>["'])?{VALUE}"#
    ))
});

/// Finds credentials by their surroundings.
pub(super) fn find(text: &str, guesses: &mut Vec<Guess>) {
    if text.contains("://") {
        collect(text, &USER_IN_URL, guesses, |_, captures| {
            let value = captures["value"].to_ascii_lowercase();
            let stands_for_one =
                ["pass", "password", "pw", "pwd", "secret", "token"].contains(&value.as_str());
            (!stands_for_one && !is_placeholder(&value) && !value.starts_with('['))
                .then_some("password")
        });
    }
    collect(text, &SCHEME, guesses, |_, captures| {
        let value = &captures["value"];
        let mixed = value.ends_with('=')
            || (value.contains(|c: char| c.is_ascii_digit()) && !is_words(value));
        (mixed && !is_placeholder(value)).then_some("authorization")
    });
    if text.contains(['=', ':']) {
        collect(text, &ASSIGNMENT, guesses, assignment);
    }
    if text.contains("--") {
        collect(text, &FLAG, guesses, |_, captures| {
            let kind = kind(&captures["key"]);
            is_credential(&captures["value"], kind == "password", true).then_some(kind)
        });
    }
    if text.contains(['<', '"', '\'']) || text.contains("login") {
        collect(text, &ELEMENT, guesses, |_, captures| {
            let key = ["element", "pair", "login"].iter().find_map(|name| captures.name(name))?;
            let kind = kind(key.as_str());
            is_credential(&captures["value"], kind == "password", true).then_some(kind)
        });
    }
    if text.contains("-p") {
        collect(text, &SHORT_FLAG, guesses, |_, captures| {
            is_credential(&captures["value"], true, true).then_some("password")
        });
    }
}

/// Notes what is judged to be a credential: the group `value`.
fn collect(
    text: &str,
    pattern: &Regex,
    guesses: &mut Vec<Guess>,
    judge: impl for<'t> Fn(&'t str, &Captures<'t>) -> Option<&'static str>,
) {
    for captures in pattern.captures_iter(text) {
        let Some(found) = captures.name("value") else { continue };
        if let Some(kind) = judge(text, &captures) {
            let quote = captures.name("quote").map(|quote| quote.as_str());
            let end = found.end() + remainder(&text[found.end()..], quote);
            guesses.push(Guess { start: found.start(), end, kind, rank: Rank::Context });
        }
    }
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
        _ if key.contains("pass") || key == "pwd" => "password",
        _ if key.starts_with("api") => "api-key",
        _ if key.starts_with("auth") => "authorization",
        "token" => "token",
        _ => "secret",
    }
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
    (is_password && is_literal) || !is_words(value)
}

fn is_placeholder(value: &str) -> bool {
    let value = value.to_lowercase();
    PLACEHOLDERS.iter().any(|placeholder| value.contains(placeholder))
}

/// Names such as `load_token_v2`, `utf8.decode` and `localhost:8080`: each piece is a word with
/// at most three digits behind it, or a short number.
pub(super) fn is_words(value: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_with_few_humps_and_digits() {
        for words in ["load_token_v2", "utf8.decode", "localhost:8080", "someName", "12345", ""] {
            assert!(is_words(words), "{words}");
        }
        for other in ["abCdEf", "aB1c", "abc1234", "123456", "x-9f8e7d6c"] {
            assert!(!is_words(other), "{other}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_one_unless_it_stands_for_one() {
        let check = |text: &str, expect: bool| {
            let mut guesses = Vec::new();
            find(text, &mut guesses);
            assert_eq!(!guesses.is_empty(), expect, "{text}");
        };
        check("postgres://ada:Tr0ub4dor@db.example/x", true);
        check("postgres://ada:password@db.example/x", false);
        check("postgres://ada:[redacted:password]@db.example/x", false);
        check("Authorization: Bearer a1B2c3D4e5F6g7H8", true);
        check("Authorization: Bearer some-long-name-here", false);
    }

    #[track_caller]
    fn found(text: &str) -> Vec<(&str, &'static str)> {
        let mut guesses = Vec::new();
        find(text, &mut guesses);
        guesses.iter().map(|guess| (&text[guess.start..guess.end], guess.kind)).collect()
    }

    #[test]
    fn the_name_says_what_kind_it_is() {
        for (name, kind) in [
            ("password", "password"),
            ("passphrase", "password"),
            ("PWD", "password"),
            ("db_pass", "password"),
            ("rootpass", "password"),
            ("api_key", "api-key"),
            ("apikey", "api-key"),
            ("auth", "authorization"),
            ("auth_token", "token"),
            ("Authorization", "authorization"),
            ("token", "token"),
            ("token_value", "token"),
            ("client_secret", "secret"),
            ("private_key", "secret"),
            ("credentials", "secret"),
        ] {
            assert_eq!(found(&format!("{name}=a1b2c3d4")), [("a1b2c3d4", kind)], "{name}");
        }
        assert!(found("max_token=a1b2c3d4 pagetoken=a1b2c3d4 name=a1b2c3d4").is_empty());
    }

    #[test]
    fn a_weak_password_is_one_however_the_word_is_shortened() {
        for name in ["PASSWORD", "DB_PASS", "SMTP-PASS", "userpass", "pass", "passwd", "pwd"] {
            let text = format!("{name}=hunter22");
            assert_eq!(found(&text), [("hunter22", "password")], "{name}");
        }
    }

    #[test]
    fn what_stands_for_a_password_in_a_url_stays() {
        for value in ["pass", "password", "PW", "pwd", "secret", "token", "changeme", "[x", "ab"] {
            assert!(found(&format!("ftp://me:{value}@host")).is_empty(), "{value}");
        }
        for value in ["abc", "passw", "hunter"] {
            let text = format!("ftp://me:{value}@host");
            assert_eq!(found(&text), [(value, "password")]);
        }
    }

    #[test]
    fn a_scheme_is_followed_by_what_is_no_word() {
        for value in ["abcdefghijklmnop=", "some-name-that1234", "abcdefghijklmn12345"] {
            assert_eq!(found(&format!("Bearer {value}")), [(value, "authorization")]);
        }
        for value in [
            "abcdefghijklmnopq",
            "some-name-that-123",
            "some-long-example-1234=",
            "a1b2c3d4e5f6g7h",
        ] {
            assert!(found(&format!("Bearer {value}")).is_empty(), "{value}");
        }
    }

    #[test]
    fn only_a_password_may_be_a_name_with_digits() {
        for (text, is_password) in [
            ("--password load_token_v2 x", true),
            ("--token load_token_v2 x", false),
            ("<password>load_token_v2<", true),
            ("<token>load_token_v2<", false),
            ("mysql -pload_token_v2 x", true),
            ("password=load_token_v2", true),
            ("f(password=load_token_v2)", false),
            ("f(password=load_token_v2, x)", false),
            ("password='load_token_v2'", true),
            ("password = load_token_v2", false),
            ("password: load_token_v2", false),
            ("password==load_token_v2", false),
            ("token=load_token_v2", false),
        ] {
            assert_eq!(!found(text).is_empty(), is_password, "{text}");
        }
    }

    #[test]
    fn a_call_or_an_index_is_no_value_unless_it_is_quoted() {
        for after in ["(x)", "[x]", "<x>", "{x}", "`x`"] {
            assert!(found(&format!("password=a1b2c3d4{after}")).is_empty(), "{after}");
            let quoted = format!("password='a1b2c3d4{after}'");
            assert_eq!(found(&quoted), [(format!("a1b2c3d4{after}").as_str(), "password")]);
        }
        assert_eq!(found("password=a1b2c3d4)"), [("a1b2c3d4", "password")]);
    }

    #[test]
    fn the_rest_of_a_value_is_masked_with_it() {
        assert_eq!(remainder("&x' y", Some("'")), 2);
        assert_eq!(remainder("&x y", Some("'")), 0);
        assert_eq!(remainder("&x\n'", Some("'")), 0);
        assert_eq!(remainder("'", Some("'")), 0);
        assert_eq!(remainder("&x y", None), 2);
        assert_eq!(remainder("&x,y", None), 2);
        assert_eq!(remainder("&x\"y", None), 2);
        assert_eq!(remainder("&x=1", None), 0);
        assert_eq!(remainder("(x y", None), 0);
        assert_eq!(remainder("", None), 0);
        for (length, expect) in [(200, 200), (201, 0)] {
            let quoted = format!("{}'", "x".repeat(length));
            assert_eq!(remainder(&quoted, Some("'")), expect);
            assert_eq!(
                remainder(&format!("&{}", &quoted[2..]), None),
                if expect == 0 { 200 } else { 199 }
            );
        }
        let open = format!("&{}", "x".repeat(199));
        assert_eq!(remainder(&open, None), 200);
        assert_eq!(remainder(&format!("{open}x"), None), 0);
        assert_eq!(found("password=a1b2c3d4&e5 x"), [("a1b2c3d4&e5", "password")]);
    }

    #[test]
    fn a_value_has_eight_characters_and_more_than_letters() {
        // As a password where only a value can stand, as one elsewhere, and as something else.
        for (value, expect) in [
            ("hunter2", [false, false, false]),
            ("hunter22", [true, false, false]),
            ("hunter2.", [false, false, false]),
            ("hünter22", [true, false, false]),
            ("hunter22?!.:", [true, false, false]),
            ("abcdefgh", [false, false, false]),
            ("abc+efgh", [true, true, true]),
            ("a1!bcdef", [true, true, true]),
            ("a1b2c3d4", [true, true, true]),
            ("12345678", [true, true, false]),
            ("1234567+", [false, false, false]),
            ("1234-678", [false, false, false]),
            ("1.2-rc3x", [false, false, false]),
            ("/a1b2c3d", [false, false, false]),
            ("~a1b2c3d", [false, false, false]),
            ("sha256a1b2", [false, false, false]),
            ("sha512a1b2", [false, false, false]),
            ("sha384a1b2", [true, true, true]),
            ("a1b2://c3", [false, false, false]),
            ("TODOa1b2", [false, false, false]),
        ] {
            let is = [(true, true), (true, false), (false, true)]
                .map(|(is_password, is_literal)| is_credential(value, is_password, is_literal));
            assert_eq!(is, expect, "{value}");
        }
    }

    #[test]
    fn names_dates_and_versions_are_told_from_values() {
        for words in ["abc123", "12345-abc", "a.b_c-d:e/f", "abCdefgh", "abcdefghIj", "wordWord"] {
            assert!(is_words(words), "{words}");
        }
        for other in ["abc1234", "123456-abc", "abcDef1g", "abCdEfg", "abC", "ab+c", "a1b"] {
            assert!(!is_words(other), "{other}");
        }
        for date in ["1-2", "2024-01-02", "1234:5x", "v1.2", "vv12.3", "10:20"] {
            assert!(is_date_or_version(date), "{date}");
        }
        for other in
            ["12345-6", ".1", ":1", "v-1", "v", "", "2024x1", "2024-x", "2024-", "2024", "1_2"]
        {
            assert!(!is_date_or_version(other), "{other}");
        }
    }
}
