//! Rules for the credentials of known providers: data read once per process, each expression
//! compiled when its keyword is first seen. The data is `rules.toml`, from gitleaks, and our own
//! `shapes.toml`.

use super::entropy::bits_per_byte;
use super::guess::{Guess, Rank};
use super::keywords::is_words;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

/// The largest compiled rule takes about half of it.
const LARGEST_RULE: usize = 64 << 20;

/// For matching in linear time without falling back to the slow engine on long repetitions.
const MATCHING_CACHE: usize = 8 << 20;

/// What ends a value in gitleaks' rules, and what ends it here: a value is also followed by
/// punctuation where a text is more than a file with settings.
const ENDS: (&str, &str) =
    (r#"(?:[\x60'"\s;]|\\[nr]|$)"#, r#"(?:[\x60'"\s;,&)<>}\]|]|\\[nr"']|[.:!?](?:\s|$)|$)"#);

/// The part of gitleaks' rules that looks for a name before the value.
const NAME_BEFORE: &str = r#"[\s'"]{0,3}"#;

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Rules that say less about a value than the words around it.
const GENERIC: [&str; 2] = ["generic-api-key", "hashicorp-tf-password"];

/// Words that our own rules by surroundings look for.
const CONTEXT: [&str; 9] =
    ["pass", "pwd", "secret", "token", "key", "credential", "auth", "bearer", "basic "];

/// What follows these may be a credential without an operator between.
const WITHOUT_OPERATOR: [&str; 6] =
    ["-----begin", "curl", "<add key=", "sshpass", "mysql", "mariadb"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    allow: Allowed,
    rules: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    id: String,
    regex: String,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    group: usize,
    keywords: Vec<String>,
    #[serde(default)]
    allow: Vec<Allowed>,
}

/// What is no credential though a rule matches.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    #[serde(default)]
    target: Target,
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(skip)]
    compiled: OnceLock<Vec<Regex>>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

struct Rule {
    entry: RuleEntry,
    rank: Rank,
    compiled: OnceLock<Regex>,
}

/// What a keyword stands for.
#[derive(Default)]
struct Keyword {
    rules: Vec<usize>,
    /// Our own rules by surroundings need it.
    is_context: bool,
    reach: Reach,
}

/// Where the value is that a keyword announces.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// In the same word.
    #[default]
    Word,
    /// Behind an operator.
    Operator,
    /// Anywhere behind it.
    Line,
}

/// The rules, and where their keywords lead.
pub(super) struct Rules {
    rules: Vec<Rule>,
    allow: Allowed,
    finder: AhoCorasick,
    keywords: Vec<Keyword>,
}

/// What the keywords of a text call for.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    rules: Vec<usize>,
    pub(super) is_context: bool,
}

impl Hits {
    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.is_context = false;
    }
}

/// Read and indexed at the first text that is scrubbed.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(Rules::read);

impl Rules {
    fn read() -> Self {
        let read = |text: &str| -> RuleFile {
            toml::from_str(text).expect("the rules are constants and a test compiles each")
        };
        let providers = read(include_str!("rules.toml"));
        let shapes = read(include_str!("shapes.toml"));
        let mut rules = Vec::new();
        for (file, rank) in [(providers.rules, Rank::Provider), (shapes.rules, Rank::Shape)] {
            for entry in file {
                let rank = if GENERIC.contains(&entry.id.as_str()) { Rank::Generic } else { rank };
                rules.push(Rule { entry, rank, compiled: OnceLock::new() });
            }
        }
        let mut keywords: BTreeMap<String, Keyword> = BTreeMap::new();
        for (index, rule) in rules.iter().enumerate() {
            for text in &rule.entry.keywords {
                let keyword = keywords.entry(text.to_lowercase()).or_default();
                keyword.rules.push(index);
                if rule.entry.regex.contains(NAME_BEFORE) {
                    keyword.reach = keyword.reach.max(Reach::Operator);
                }
            }
        }
        for text in CONTEXT {
            let keyword = keywords.entry(text.to_owned()).or_default();
            keyword.is_context = true;
            keyword.reach = keyword.reach.max(Reach::Operator);
        }
        for text in WITHOUT_OPERATOR {
            let keyword = keywords.entry(text.to_owned()).or_default();
            keyword.is_context = true;
            keyword.reach = Reach::Line;
        }
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(keywords.keys())
            .expect("a few hundred short words");
        let keywords = keywords.into_values().collect();
        Self { rules, allow: providers.allow, finder, keywords }
    }

    /// Adds what a text calls for.
    pub(super) fn add_hits(&self, text: &str, hits: &mut Hits) {
        for found in self.finder.find_overlapping_iter(text) {
            let keyword = &self.keywords[found.pattern().as_usize()];
            hits.is_context |= keyword.is_context;
            hits.rules.extend(&keyword.rules);
        }
    }

    /// Tells where keywords are, start and end, and where the value is that they announce.
    pub(super) fn announcements(&self, text: &str, mut tell: impl FnMut(usize, usize, Reach)) {
        for found in self.finder.find_overlapping_iter(text) {
            tell(found.start(), found.end(), self.keywords[found.pattern().as_usize()].reach);
        }
    }

    /// Finds credentials by the rules that were called for.
    pub(super) fn find(&'static self, text: &str, hits: &Hits, guesses: &mut Vec<Guess>) {
        let mut called = hits.rules.clone();
        called.sort_unstable();
        called.dedup();
        for index in called {
            self.rules[index].find(text, &self.allow, guesses);
        }
    }
}

impl Rule {
    fn regex(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(&self.entry.regex.replace(ENDS.0, ENDS.1)))
    }

    fn find(&'static self, text: &str, allow: &Allowed, guesses: &mut Vec<Guess>) {
        for captures in self.regex().captures_iter(text.as_bytes()) {
            let Some(whole) = captures.get(0) else { continue };
            let secret = match self.entry.group {
                0 => captures.iter().skip(1).flatten().find(|group| !group.is_empty()),
                group => captures.get(group),
            };
            let secret = secret.unwrap_or(whole);
            // The expressions match bytes; what they take of a character is taken as a whole.
            let start = text.floor_char_boundary(secret.start());
            let end = text.ceil_char_boundary(secret.end());
            // Some rules take the quotes with the value; a mask inside them keeps the text valid.
            let quoted = &text[start..end];
            let start = end - quoted.trim_start_matches(QUOTES).len();
            let value = text[start..end].trim_end_matches(QUOTES);
            let end = start + value.len();
            let matched = &text
                [text.floor_char_boundary(whole.start())..text.ceil_char_boundary(whole.end())];
            if bits_per_byte(value.as_bytes()) <= self.entry.entropy
                || allow.holds(value, matched, text)
                || self.entry.allow.iter().any(|allow| allow.holds(value, matched, text))
                || !self.is_plausible(value, matched)
            {
                continue;
            }
            guesses.push(Guess { start, end, kind: &self.entry.id, rank: self.rank });
        }
    }

    /// What our own experience adds to gitleaks' judgement.
    fn is_plausible(&self, value: &str, matched: &str) -> bool {
        let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        match self.rank {
            Rank::Generic if self.entry.id == "generic-api-key" => {
                let lower = matched.to_ascii_lowercase();
                let is_hash =
                    ["sha1", "sha256", "sha512", "md5", "checksum", "digest", "integrity"]
                        .iter()
                        .any(|word| lower.contains(word));
                !is_words(value) && !is_hash && !super::entropy::is_named(value)
            }
            // A random part of some length, with a digit in it: names of styles and branches have
            // none.
            Rank::Shape => match value.strip_prefix("sk-") {
                Some(rest) => rest.split(['-', '_']).any(|run| run.len() >= 12 && has_digit(run)),
                None => true,
            },
            Rank::Generic | Rank::Provider | Rank::Context | Rank::Entropy => true,
        }
    }
}

impl Allowed {
    fn holds(&self, secret: &str, matched: &str, text: &str) -> bool {
        let target = match self.target {
            Target::Secret => secret,
            Target::Match => matched,
            Target::Line => text,
        };
        let compiled =
            self.compiled.get_or_init(|| self.regexes.iter().map(|regex| compile(regex)).collect());
        if compiled.iter().any(|regex| regex.is_match(target.as_bytes())) {
            return true;
        }
        let lower = secret.to_ascii_lowercase();
        self.stopwords.iter().any(|word| lower.contains(word.as_str()))
    }
}

/// Bytes, not characters: the rules are written for an engine whose classes are ASCII.
fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(LARGEST_RULE)
        .dfa_size_limit(MATCHING_CACHE)
        .build()
        .expect("the rules are constants and a test compiles each")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_has_a_keyword() {
        assert!(RULES.rules.len() > 220, "{} rules", RULES.rules.len());
        for rule in &RULES.rules {
            assert!(!rule.entry.keywords.is_empty(), "{}", rule.entry.id);
            let groups = rule.regex().captures_len();
            assert!(rule.entry.group < groups, "{}", rule.entry.id);
            for allow in &rule.entry.allow {
                assert!(!allow.holds("", "", ""), "{}", rule.entry.id);
            }
        }
    }

    #[test]
    fn rules_widen_what_ends_a_value() {
        let widened = RULES.rules.iter().filter(|rule| rule.entry.regex.contains(ENDS.0)).count();
        assert!(widened > 100, "{widened}: the end of gitleaks' rules is written in another way");
    }

    fn found(text: &str) -> Vec<(&str, &'static str)> {
        let (mut hits, mut guesses) = (Hits::default(), Vec::new());
        RULES.add_hits(text, &mut hits);
        RULES.find(text, &hits, &mut guesses);
        guesses.iter().map(|guess| (&text[guess.start..guess.end], guess.kind)).collect()
    }

    #[test]
    fn the_most_general_rule_finds_what_looks_random_and_is_no_digest() {
        let value = "aB3dE5fG7hI9";
        for text in ["creds = \"•\"", "my key: •\n", "access-token='•',", "x_auth => •"] {
            let text = text.replace('•', value);
            assert_eq!(found(&text), [(value, "generic-api-key")], "{text}");
        }
        for text in [
            "noun = \"aB3dE5fG7hI9\"",
            "creds = \"aB3aB3aB3aB3\"",
            "creds = \"aBcDeFgHiJkL\"",
            "creds = \"Ab12.Cd34.Ef56\"",
            "creds = \"a1b2c3d4e5f6\"",
            "key_checksum = \"aB3dE5fG7hI9\"",
            "key-MD5: aB3dE5fG7hI9",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_rule_for_terraform_needs_no_random_value() {
        let text = "administrator_login_password = \"correct-horse\"";
        assert_eq!(found(text), [("correct-horse", "hashicorp-tf-password")]);
    }

    #[test]
    fn a_key_that_begins_with_sk_has_a_long_part_with_a_digit() {
        for (rest, is_key) in [
            ("abcdefgh-abcdefghijk1", true),
            ("abcdefgh_abcdefghijk1", true),
            ("abcdefghi-abcdefghij1", false),
            ("abcdefgh1-abcdefghijkl", false),
            ("abcdefghijklmnopqrstuv", false),
        ] {
            let text = format!("sk-{rest}");
            assert_eq!(!found(&text).is_empty(), is_key, "{text}");
        }
    }

    #[test]
    fn characters_are_masked_as_a_whole_and_quotes_not_at_all() {
        let value = "AKIAIOSFODNN7EXAMPLQ";
        for text in ["«•»", "ü •ü", "'•'", "`•`"] {
            let text = text.replace('•', value);
            for (is, _) in found(&text) {
                assert_eq!(is, value, "{text}");
            }
        }
    }

    #[test]
    fn what_a_text_calls_for_is_forgotten_with_it() {
        let mut hits = Hits::default();
        RULES.add_hits("a PASSWORD here", &mut hits);
        RULES.add_hits("and nothing here", &mut hits);
        assert!(hits.is_context && !hits.rules.is_empty());
        hits.clear();
        assert!(!hits.is_context && hits.rules.is_empty());
        RULES.add_hits("ghp_", &mut hits);
        assert!(!hits.is_context && !hits.rules.is_empty());
    }
}
