//! What becomes of values in each way of writing them: `masked.txt` has a row for each value and a
//! column for each way. `UPDATE=1` rewrites it; what changed there is what is masked otherwise.

use super::measures::{decoded, lines_of};
use super::*;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is tried: `•` is the value.
const WAYS: [(char, &str); 46] = [
    ('a', "PASSWORD=•"),
    ('b', "password: •"),
    ('c', "password = •"),
    ('d', "{\"password\": \"•\"}"),
    ('e', "'password' => '•',"),
    ('f', "connect(password=•)"),
    ('g', "password: •, user: x"),
    ('h', "pwd=•&user=me"),
    ('i', "TOKEN=•"),
    ('j', "token: •"),
    ('k', "token = •\r\nnext"),
    ('l', "\"token\": \"•\","),
    ('m', "next_page_token: •"),
    ('n', "page-token=•"),
    ('o', "secret_key: '•'"),
    ('p', "api_key=•;"),
    ('q', "auth: •"),
    ('r', "key: •"),
    ('s', "creds = \"•\""),
    ('t', "key_sha256: •"),
    ('u', "token(•)"),
    ('v', "token = •(x)"),
    ('w', "run --password • x"),
    ('x', "run --token=• x"),
    ('y', "run --api-key '•' x"),
    ('z', "<password>•</password>"),
    ('A', "<token>\n  •\n</token>"),
    ('B', "set(\"password\", \"•\")"),
    ('C', "define('AUTH_TOKEN', '•');"),
    ('D', "login me password •"),
    ('E', "mysql -u me -p• db"),
    ('F', "sshpass -p '•' ssh host"),
    ('G', "https://me:•@host.example/x"),
    ('H', "Authorization: Bearer •"),
    ('I', "authenticate with basic •"),
    ('J', "https://host.example/x?q=•"),
    ('K', "see • for it"),
    ('L', "see •. Next"),
    ('M', "(\"•\")"),
    ('N', "•(1)"),
    ('O', "sha256 •"),
    ('P', "commit: •"),
    ('Q', "ssh-ed25519 • me@host"),
    ('R', "kind: Secret\ndata:\n  x: •\n"),
    ('S', "-----BEGIN PRIVATE KEY-----\n•\n-----END PRIVATE KEY-----\n"),
    ('T', "-----BEGIN CERTIFICATE-----\n•\n-----END CERTIFICATE-----\n"),
];

/// Values, and what they are called if they look like a credential of a provider: those are put
/// together here so that nobody takes them for real ones.
fn values() -> Vec<(String, String)> {
    const RANDOM: &str = "kT9vQ2xWn7LbR4sYd8ZpH3mF";
    let forty = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6h";
    let mut values: Vec<(String, String)> = include_str!("values.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| (line.to_owned(), line.to_owned()))
        .collect();
    for (name, value) in [
        ("#pass-word1", "#pass-word1".to_owned()),
        ("<23 random>", RANDOM[1..].to_owned()),
        ("<22 random and ==>", format!("{}==", &RANDOM[2..])),
        ("<24 random>", RANDOM.to_owned()),
        ("<24 random and />", format!("/{RANDOM}")),
        ("<24 random and ->", format!("-{RANDOM}")),
        ("<24 random as identifier>", format!("req_{RANDOM}")),
        ("<24 random as digest>", format!("sha384-{RANDOM}")),
        ("<24 random as host>", format!("{RANDOM}.example.com")),
        ("<120 random>", RANDOM.repeat(5)),
        ("<121 random>", format!("{}k", RANDOM.repeat(5))),
        ("<github-pat>", format!("ghp_{}", &forty[..36])),
        ("<github-pat, too short>", format!("ghp_{}", &forty[..29])),
        ("<sk-, run of 12>", format!("sk-abcdefgh-{}", &forty[..12])),
        ("<sk-, run of 11>", format!("sk-abcdefgh-{}", &forty[..11])),
        ("<sk-, no digit>", "sk-abcdefghijklmnopqrstuvwxyz".to_owned()),
        ("<aws-access-token>", format!("AKIA{}", "IOSFODNN7EXAMPLQ")),
        ("<slack>", format!("xoxb-{}-abcdefghij", "1234567890")),
        ("<jwt>", format!("eyJ{0}.eyJ{0}.{0}", &RANDOM[..16])),
        ("<mask>", "[redacted:password]".to_owned()),
        ("<mask and more>", format!("[redacted:password]{}", &RANDOM[..9])),
    ] {
        values.push((name.to_owned(), value));
    }
    values
}

fn one_line(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n")
}

fn letter(kind: &str) -> char {
    match kind {
        "password" => 'P',
        "token" => 'T',
        "secret" => 'S',
        "api-key" => 'K',
        "authorization" => 'A',
        "high-entropy" => 'E',
        "generic-api-key" => 'G',
        "kubernetes-secret-yaml" => 'Y',
        "private-key" => 'B',
        _ => 'V',
    }
}

#[test]
fn values_are_masked_as_the_table_says() {
    let scrubber = Scrubber::new(&[], &[]).unwrap();
    let mut table = String::from(
        "# What becomes of a value (rows) in each way of writing it (columns):\n\
         # . stays   P password   T token   S secret   K api-key   A authorization   E high-entropy\n\
         # G generic-api-key   Y kubernetes-secret-yaml   B private-key   V a provider's rule\n\
         # Small if the mask covers not exactly the value; those are listed below.\n\n",
    );
    for (letter, way) in WAYS {
        writeln!(table, "{letter}  {}", one_line(way)).unwrap();
    }
    let columns: String = WAYS.iter().map(|(letter, _)| *letter).collect();
    writeln!(table, "\n{:40}{columns}", "").unwrap();
    let mut others = String::new();
    for (name, value) in values() {
        let mut row = String::new();
        for (column, way) in WAYS {
            let text = way.replace('•', &value);
            let mut tally = Tally::default();
            let scrubbed = scrubber.scrub_counted(&text, &mut tally);
            let kind = tally.kinds.first().map_or("", String::as_str);
            let mask = format!("[redacted:{kind}]");
            row.push(match () {
                () if scrubbed == text => '.',
                // The name in a Kubernetes secret is masked with its value.
                () if [way, &way.replace("x: •", "•")]
                    .iter()
                    .any(|way| scrubbed == way.replace('•', &mask)) =>
                {
                    letter(kind)
                }
                () => {
                    let shown = scrubbed.replace(&value, "•");
                    writeln!(others, "{name}  {column}  {}", one_line(&shown)).unwrap();
                    letter(kind).to_ascii_lowercase()
                }
            });
        }
        writeln!(table, "{name:40}{row}").unwrap();
    }
    table.push('\n');
    table.push_str(&others);
    compare("masked.txt", &table);
}

/// The value is taken out of what the corpora have, so that no credential stands here: it says what
/// kinds of masks a line has and how much of it is left.
#[test]
fn the_corpora_are_masked_as_the_list_says() {
    let scrubber = scrubber();
    let mut list = String::from(
        "# How each line of positives.tsv and credentials.txt is masked: places and kinds of the\n\
         # masks, and how many characters are left.\n",
    );
    let positives = lines_of(include_str!("positives.tsv"))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(rule, text)| (rule.to_owned(), decoded(text)));
    let credentials = lines_of(include_str!("credentials.txt"))
        .map(|line| ("credential".to_owned(), decoded(line).replace(['«', '»'], "")));
    let mut last = String::new();
    for (rule, text) in positives.chain(credentials) {
        let scrubbed = scrubber.scrub(&text);
        if rule != last {
            write!(list, "\n{rule}").unwrap();
            last = rule;
        }
        let places = scrubbed.match_indices("[redacted:").map(|(at, mask)| {
            let kind = scrubbed[at + mask.len()..].split(']').next().unwrap_or_default();
            let kind = if kind == last { "*" } else { kind };
            format!("{at}:{kind} ")
        });
        write!(list, "\n  {}{}", places.collect::<String>(), scrubbed.chars().count()).unwrap();
    }
    list.push('\n');
    compare("corpora.txt", &list);
}

#[expect(clippy::disallowed_methods, reason = "the tables are rewritten if asked for")]
fn compare(name: &str, is: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scrub/tests").join(name);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(file, is).unwrap();
        return;
    }
    let was = fs::read_to_string(file).unwrap();
    let differ: Vec<String> = was
        .lines()
        .zip(is.lines())
        .filter(|(was, is)| was != is)
        .map(|(was, is)| format!("- {was}\n+ {is}\n"))
        .collect();
    assert!(was == is, "{name} is not what is masked; UPDATE=1 rewrites it:\n{}", differ.concat());
}
