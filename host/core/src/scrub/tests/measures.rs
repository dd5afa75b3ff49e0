//! How well the scrubber does, as figures that must not get worse: encodings and divisions,
//! providers' rules, mixed sources, ordinary text and identifiers.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

const SECRETS: [(&str, &str); 4] = [
    ("PLAIN", "correct-horse-battery-staple"),
    ("SIGNS", "p<Q>&'w\"9/+= %\\n#ß"),
    ("KEY", "Zk3vR8qLmN2xT6yWb1cD9fGh4jKs7pQa"),
    ("LINES", "first line of it\nsecond line of it, longer\n\tthird"),
];

/// Encoders of a secret, written apart from those under test.
fn encoded(value: &str) -> Vec<(&'static str, String)> {
    let bytes = value.as_bytes();
    let each = |write: &dyn Fn(u8) -> String| bytes.iter().map(|byte| write(*byte)).collect();
    let spaced = |text: &str, every: usize, with: &str| -> String {
        let characters: Vec<char> = text.chars().collect();
        let parts: Vec<String> =
            characters.chunks(every).map(|part| part.iter().collect()).collect();
        parts.join(with)
    };
    let base64 = STANDARD.encode(value);
    let json = serde_json::to_string(value).unwrap();
    let html = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    let percent: String = each(&|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    vec![
        ("exact", value.to_owned()),
        ("base64", base64.clone()),
        ("base64 after one byte", STANDARD.encode(format!("u{value}:"))),
        ("base64 after two bytes", STANDARD.encode(format!("us{value}:"))),
        ("base64 after three bytes", STANDARD.encode(format!("use{value}:"))),
        ("url-safe base64", URL_SAFE_NO_PAD.encode(value)),
        ("base64 in lines", spaced(&base64, 20, "\r\n    ")),
        ("hex", each(&|byte| format!("{byte:02x}"))),
        ("capital hex", each(&|byte| format!("{byte:02X}"))),
        ("hex with colons", each(&|byte| format!("{byte:02x}:"))),
        ("hex with spaces", each(&|byte| format!("{byte:02x} "))),
        ("hex as escapes", each(&|byte| format!("\\x{byte:02x}"))),
        ("hex as numbers", each(&|byte| format!("0x{byte:02x}, "))),
        ("percent", percent.clone()),
        ("small percent", percent.to_lowercase()),
        ("all percent", each(&|byte| format!("%{byte:02x}"))),
        ("form", percent.replace("%20", "+")),
        ("json", json[1..json.len() - 1].to_owned()),
        ("html", html),
        ("html numbers", value.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
        ("html hex", value.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
        ("json escapes", value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
        ("reversed", value.chars().rev().collect()),
        ("spaces between", spaced(value, 1, " ")),
        ("new lines between", spaced(value, 7, "\n  ")),
        ("zero-width between", spaced(value, 3, "\u{200b}")),
        ("colour inside", spaced(value, 9, "\u{1b}[01;31m")),
        ("link inside", spaced(value, 9, "\u{1b}]8;;http://x.example/\u{7}")),
        ("nul between", spaced(value, 2, "\0")),
        ("filler between", spaced(value, 2, "\u{3164}")),
        ("tags between", spaced(value, 2, "\u{e0041}\u{e007f}")),
        ("octal", each(&|byte| format!("\\{byte:03o}"))),
    ]
}

fn with_secrets() -> Scrubber {
    let secrets: Vec<KnownSecret> =
        SECRETS.iter().map(|(name, value)| secret(name, value)).collect();
    Scrubber::new(&secrets, &[mapping("/home/x/ws", "/work")]).unwrap()
}

/// Fed in pieces of random length, at most `longest` characters.
fn in_pieces(scrubber: &Scrubber, text: &str, longest: usize, numbers: &mut Numbers) -> String {
    let mut stream = scrubber.stream();
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = 1 + numbers.below(longest);
        let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
        out += &stream.push(&rest[..end]);
        rest = &rest[end..];
    }
    out + &stream.finish()
}

#[test]
fn no_stored_secret_leaks_in_any_encoding_at_any_division() {
    let scrubber = with_secrets();
    let mut numbers = Numbers(7);
    for (name, value) in SECRETS {
        for (encoding, form) in encoded(value) {
            // `tolower` of a secret with capitals is another text than the secret.
            if encoding == "small percent" && value.chars().any(char::is_uppercase) {
                continue;
            }
            let text = format!("The tool said <{form}> and ended.\n");
            let scrubbed = scrubber.scrub(&text);
            let shown = scrubbed.contains(&format!("[secret:{name}]"));
            let longest_left = scrubbed
                .split("[secret:")
                .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
                .map(|part| common_run(part, &form))
                .max();
            assert!(
                shown && longest_left.unwrap_or(0) <= 8,
                "`{name}` in {encoding}: {text:?} became {scrubbed:?}"
            );
            for longest in [1, 3, 40] {
                let pieces = in_pieces(&scrubber, &text, longest, &mut numbers);
                assert_eq!(pieces, scrubbed, "`{name}` in {encoding}, pieces of {longest}");
            }
        }
    }
}

/// The longest run of characters of `form` in a text.
fn common_run(text: &str, form: &str) -> usize {
    let form: Vec<char> = form.chars().collect();
    (1..=form.len())
        .take_while(|length| {
            form.windows(*length).any(|run| text.contains(&run.iter().collect::<String>()))
        })
        .last()
        .unwrap_or(0)
}

pub(super) fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

pub(super) fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn what_gitleaks_finds_is_found() {
    let scrubber = scrubber();
    let (mut cases, mut missed) = (0, Vec::new());
    for line in lines_of(include_str!("positives.tsv")) {
        let (rule, text) = line.split_once('\t').unwrap();
        let text = decoded(text);
        let mut tally = Tally::default();
        scrubber.scrub_counted(&text, &mut tally);
        cases += 1;
        if tally.redactions == 0 {
            missed.push(format!("{rule}: {text}"));
        }
    }
    assert!(cases > 1_500, "{cases}");
    let share = missed.len() as f64 / f64::from(cases);
    assert!(share <= 0.03, "{} of {cases} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn credentials_in_mixed_sources_are_found() {
    let scrubber = scrubber();
    let (mut cases, mut missed) = (0, Vec::new());
    for line in lines_of(include_str!("credentials.txt")) {
        let line = decoded(line);
        let plain = line.replace(['«', '»'], "");
        let scrubbed = scrubber.scrub(&plain);
        for value in line.split('«').skip(1).filter_map(|rest| rest.split('»').next()) {
            cases += 1;
            if scrubbed.contains(value) {
                missed.push(scrubbed.clone());
            }
        }
    }
    assert!(cases >= 120, "{cases}");
    let share = missed.len() as f64 / f64::from(cases);
    assert!(share <= 0.15, "{} of {cases} missed:\n{}", missed.len(), missed.join("\n"));
}

#[expect(clippy::disallowed_methods, reason = "the sources are what is measured")]
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            collect(&path, files);
        } else if kind.is_file()
            && (name.ends_with(".rs") || name.ends_with(".md") || name == "Cargo.lock")
        {
            files.push(path);
        }
    }
}

/// The sources of the host, this crate's own tests of the scrubber among them.
#[expect(clippy::disallowed_methods, reason = "the sources are what is measured")]
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![root.join("Cargo.lock")];
    for directory in ["host", "docs", "tests"] {
        collect(&root.join(directory), &mut files);
    }
    files.sort();
    // Where this copy of the repository lies does not matter.
    let within = |file: &Path| file.strip_prefix(&root).unwrap_or(file).to_owned();
    files
        .into_iter()
        .filter_map(|file| fs::read_to_string(&file).ok().map(|text| (within(&file), text)))
        .collect()
}

#[test]
fn ordinary_lines_stay() {
    let scrubber = scrubber();
    let (mut lines, mut changed) = (0_u32, Vec::new());
    for (file, text) in sources() {
        // These are full of what must be masked.
        if file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("scrub")) {
            continue;
        }
        let scrubbed = scrubber.scrub(&text);
        for (line, after) in text.lines().zip(scrubbed.lines()) {
            lines += 1;
            if line != after {
                changed.push(format!("{}: {after}", file.display()));
            }
        }
        assert_eq!(scrubber.scrub(&scrubbed), scrubbed, "{} a second time", file.display());
    }
    assert!(lines > 20_000, "{lines}");
    let share = changed.len() as f64 / f64::from(lines);
    assert!(share <= 0.002, "{} of {lines} changed:\n{}", changed.len(), changed.join("\n"));
}

#[test]
fn a_whole_text_and_its_pieces_become_the_same() {
    let scrubber = with_secrets();
    let mut numbers = Numbers(11);
    let mut texts: Vec<String> = lines_of(include_str!("positives.tsv"))
        .step_by(5)
        .map(|line| decoded(line.split_once('\t').unwrap().1))
        .collect();
    // All together, with secrets between, and as one line that must be divided.
    let credentials: Vec<String> = lines_of(include_str!("credentials.txt"))
        .map(|line| decoded(line).replace(['«', '»'], ""))
        .collect();
    texts.push(credentials.join("\n"));
    texts.push(credentials.join(" "));
    texts.push(credentials.join(&format!(" {} /home/x/ws/a ", SECRETS[2].1)));
    texts.push("kT9vQ2xWn7LbR4sYd8ZpH3mF".repeat(2_000));
    for text in texts {
        let whole = scrubber.scrub(&text);
        for longest in [1, 6, 700] {
            assert_eq!(in_pieces(&scrubber, &text, longest, &mut numbers), whole);
        }
    }
}

#[test]
fn a_stream_keeps_back_a_bounded_part() {
    let scrubber = scrubber();
    for unit in ["token = ", "word ", "a9", "password\n", "kind: Secret\n", "ey", "=\n", "x:\n"] {
        let mut stream = scrubber.stream();
        let (mut given, mut taken) = (0, 0);
        for _ in 0..4_000 {
            given += unit.len();
            taken += stream.push(unit).len();
            assert!(given - taken <= segments::LONGEST + 256, "{unit:?}: {given} {taken}");
        }
    }
}

fn uuids(count: u32) {
    let scrubber = scrubber();
    let mut numbers = Numbers(3);
    for block in 0..count / 1_000 {
        let text: String = (0..1_000)
            .map(|line| {
                let (high, low) = (numbers.next(), numbers.next());
                let uuid = format!(
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                    high >> 32,
                    high & 0xffff,
                    (high >> 16) & 0xfff,
                    low >> 52,
                    low & 0xffff_ffff_ffff
                );
                match line % 4 {
                    0 => format!("{uuid}\n"),
                    1 => format!("id: {uuid}\n"),
                    2 => format!("{{\"id\":\"{uuid}\",\"n\":{line}}}\n"),
                    _ => format!("see /objects/{uuid} for request_id={uuid}\n"),
                }
            })
            .collect();
        assert_eq!(scrubber.scrub(&text), text, "block {block}");
    }
}

#[test]
fn uuids_stay() {
    uuids(100_000);
}

#[test]
#[ignore = "a million take half a minute"]
fn a_million_uuids_stay() {
    uuids(1_000_000);
}
