//! The last guess: a word that looks random, and the rules for what looks random but is none of
//! our business: identifiers, hashes, paths, source code, data.

/// A random word has at least this many bits per character.
const LEAST_BITS: f64 = 3.8;

/// Shorter words reach the entropy by chance.
const SHORTEST: usize = 24;

/// Longer ones are data: keys of that kind have a shape of their own.
const LONGEST: usize = 120;

/// Of neighbouring characters, how many are of different kinds in a random word: names in source
/// code change less often.
const LEAST_CHANGES: f64 = 0.4;

/// Prefixes of identifiers that are shown and passed on, never secret.
const IDENTIFIERS: [&str; 22] = [
    "acct_", "call_", "chatcmpl", "cmpl_", "cus_", "evt_", "fc_", "file_", "gen_", "item_", "msg_",
    "pi_", "prod_", "req_", "resp_", "rs_", "run_", "step_", "sub_", "thread_", "toolu_", "tx_",
];

/// Words before a value that say it may be seen by all.
const PUBLIC: [&str; 25] = [
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "md5",
    "blake",
    "h1:",
    "integrity",
    "checksum",
    "digest",
    "hash",
    "etag",
    "commit",
    "revision",
    "fingerprint",
    "ssh-rsa",
    "ssh-ed25519",
    "ssh-dss",
    "ecdsa-sha2",
    "public",
    "pubkey",
    "nonce",
    "signature",
    "base64,",
];

/// Shannon's entropy of the bytes in bits.
pub(super) fn bits_per_byte(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Notes the start and end of each word that looks random.
pub(super) fn find(text: &str, mut note: impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        if !in_word(bytes[start]) {
            start += 1;
            continue;
        }
        let length = bytes[start..].iter().position(|byte| !in_word(*byte));
        let end = length.map_or(bytes.len(), |length| start + length);
        let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        let end = end + padding;
        if end - start >= SHORTEST && is_random(text, start, end) {
            note(start, end);
        }
        start = end;
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-')
}

fn is_random(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let word = &text[start..end];
    let (before, after) = (start.checked_sub(1).map(|at| bytes[at]), bytes.get(end).copied());
    // Something around it makes it a part of a name, a path, an address or a call.
    let is_part = |byte: Option<u8>| {
        byte.is_some_and(|byte| {
            matches!(byte, b'.' | b'@' | b'~' | b'%' | b'#' | b'$' | b'\\' | b'*') || byte >= 0x80
        })
    };
    let ends_sentence =
        after == Some(b'.') && bytes.get(end + 1).is_none_or(|next| next.is_ascii_whitespace());
    if is_part(before)
        || (is_part(after) && !ends_sentence)
        || matches!(after, Some(b'(' | b':' | b'!' | b'['))
        || word.len() > LONGEST
        || is_named(word)
        || bits_per_byte(word.as_bytes()) < LEAST_BITS
    {
        return false;
    }
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let from = text.ceil_char_boundary(line_start.max(start.saturating_sub(64)));
    let context = text[from..start].to_ascii_lowercase();
    let is_in_url = context.rsplit([' ', '\t', '"', '\'', '(', '<']).next().is_some_and(|word| {
        word.contains("://") || word.starts_with("data:") || word.starts_with('/')
    });
    !is_in_url && !PUBLIC.iter().any(|word| context.contains(word))
}

/// A name, an identifier, a path or a hash, not a random word.
pub(super) fn is_named(word: &str) -> bool {
    let core = word.trim_matches('=');
    if core.starts_with(['/', '-', '+']) {
        return true;
    }
    let lower = core.to_ascii_lowercase();
    if IDENTIFIERS.iter().any(|prefix| lower.starts_with(prefix))
        || lower.starts_with("sha256-")
        || lower.starts_with("sha384-")
        || lower.starts_with("sha512-")
    {
        return true;
    }
    let count = |is: fn(&u8) -> bool| core.bytes().filter(is).count();
    let (digits, upper) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let small = count(u8::is_ascii_lowercase);
    // Hashes and UUIDs; words of one case are identifiers more often than keys.
    if digits < 2 || upper < 2 || small < 2 {
        return true;
    }
    // A path or a name in pieces: most of them are words.
    let pieces: Vec<&str> = core.split(['/', '_', '-', '+']).collect();
    if pieces.len() > 2 && pieces.iter().filter(|piece| is_word(piece)).count() * 2 > pieces.len() {
        return true;
    }
    changes(core) < LEAST_CHANGES
}

fn is_word(piece: &str) -> bool {
    piece.len() <= 2
        || piece
            .trim_end_matches(|last: char| last.is_ascii_digit())
            .bytes()
            .skip(1)
            .all(|byte| byte.is_ascii_lowercase())
        || piece.bytes().all(|byte| byte.is_ascii_uppercase())
        || piece.bytes().all(|byte| byte.is_ascii_digit())
}

/// The share of neighbours of different kinds: small letter, capital, digit, other.
fn changes(word: &str) -> f64 {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let bytes = word.as_bytes();
    let changes = bytes.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    changes as f64 / bytes.len().saturating_sub(1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let mut found = Vec::new();
        find(text, |start, end| found.push(&text[start..end]));
        assert_eq!(found, expect);
    }

    #[test]
    fn random_words_are_found() {
        let word = "kT9vQ2xWn7LbR4sYd8ZpH3mF";
        check(&format!("use {word} here"), &[word]);
        check(&format!("(\"{word}\")."), &[word]);
        check(&format!("x={word}==\n"), &[&format!("{word}==")]);
        check(&format!("x: {word}.\n"), &[word]);
    }

    #[test]
    fn identifiers_hashes_paths_and_names_are_not_random() {
        for text in [
            "3f786850e387550fdab836ed7e6dc881de23001b",
            "550e8400-e29b-41d4-a716-446655440000",
            "toolu_01A09q90qw90lq917835lq9",
            "sha512-kT9vQ2xWn7LbR4sYd8ZpH3mFkT9vQ2xWn7LbR4sYd8ZpH3mF==",
            "integrity kT9vQ2xWn7LbR4sYd8ZpH3mF",
            "https://example.com/d/kT9vQ2xWn7LbR4sYd8ZpH3mF/edit",
            "data:image/png;base64,kT9vQ2xWn7LbR4sYd8ZpH3mF",
            "ssh-rsa kT9vQ2xWn7LbR4sYd8ZpH3mF me@host",
            "AbstractSingletonProxyFactoryBean2Test",
            "src/components/Button2/Button2.test",
            "kT9vQ2xWn7LbR4sYd8ZpH3mF(1)",
            "THE_LONGEST_CONSTANT_IN_THE_FILE_2",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn entropy_is_shannons() {
        assert!((bits_per_byte(b"abcd") - 2.0).abs() < 1e-9);
        assert!(bits_per_byte(b"aaaa").abs() < 1e-9);
    }

    const RANDOM: &str = "kT9vQ2xWn7LbR4sYd8ZpH3mF";

    #[test]
    fn a_word_is_random_from_a_length_to_a_length() {
        check(&RANDOM[1..], &[]);
        check(&format!("{}==", &RANDOM[2..]), &[&format!("{}==", &RANDOM[2..])]);
        check(&format!("{}=", &RANDOM[2..]), &[]);
        check(&format!("{RANDOM}==="), &[&format!("{RANDOM}==")]);
        let longest = RANDOM.repeat(5);
        check(&longest, &[&longest]);
        check(&format!("{longest}k"), &[]);
        check(&format!("{RANDOM} {RANDOM},{RANDOM}"), &[RANDOM; 3]);
        check("", &[]);
    }

    #[test]
    fn what_stands_beside_a_word_makes_it_a_part_of_something() {
        for text in [
            "(•)",
            "[•]",
            "{•}",
            "<•>",
            "\"•\"",
            "'•'",
            "`•`",
            "=•,",
            ":•;",
            "|•|",
            "!•?",
            "•.",
            "•. Next",
            "•.\n",
            "a•\n",
            "? •&",
        ] {
            let text = text.replace("a•", "•").replace('•', RANDOM);
            check(&text, &[RANDOM]);
        }
        for text in [
            ".•",
            "@•",
            "~•",
            "%•",
            "#•",
            "$•",
            "\\•",
            "*•",
            "ü•",
            "•@",
            "•~",
            "•%",
            "•#",
            "•$",
            "•\\",
            "•*",
            "•ü",
            "•.x",
            "•..",
            "•(",
            "•:",
            "•!",
            "•[",
            "•% of it",
            "•* and",
        ] {
            check(&text.replace('•', RANDOM), &[]);
        }
    }

    #[test]
    fn what_stands_before_a_word_on_its_line_says_that_it_is_public() {
        for text in ["sha1 •", "MD5: •", "h1:•", "x\ncommit •", "https://•", "https://a/?b=•"]
        {
            check(&text.replace('•', RANDOM), &[]);
        }
        for text in ["data:text/plain,•", "/a:•", "x\n/a:•", "x \"/a:•", "see (/a:•", "x\t/a:•"]
        {
            check(&text.replace('•', RANDOM), &[]);
        }
        for text in ["sha1\n•", "https://a •", "/a:\n•", "\n•", "/a: •", "x/a:•", "xdata:•"]
        {
            check(&text.replace('•', RANDOM), &[RANDOM]);
        }
        let after = |spaces: usize| format!("sha1{}{RANDOM}", " ".repeat(spaces));
        check(&after(60), &[]);
        check(&after(61), &[RANDOM]);
    }

    #[test]
    fn a_name_has_few_letters_of_a_kind() {
        // Two of each, then one of a kind.
        for random in ["AbCd1e2f", "aBcDe1f2", "AB1a2b3c"] {
            assert!(!is_named(random), "{random}");
        }
        for named in ["AbCd1efg", "Abcd1e2f", "AB1C2DaE", "1a2b3c", "ABCDEF", "abcdef", "A1B2C3"] {
            assert!(is_named(named), "{named}");
        }
        for named in ["/aB1cD2eF3", "-aB1cD2eF3", "+aB1cD2eF3", "==/aB1cD2eF3", "MSG_aB1cD2eF3"] {
            assert!(is_named(named), "{named}");
        }
        for named in ["sha256-aB1cD2", "SHA384-aB1cD2", "sha512-aB1cD2"] {
            assert!(is_named(named), "{named}");
        }
        assert!(!is_named("sha999-aB1cD2"));
        // Of eleven neighbours four are of different kinds, or five.
        assert!(is_named("aaaaBBBB1122"[..].replace("1122", "11cc").as_str()));
        assert!(is_named("aaaBBBB11cc2"));
        assert!(!is_named("aaaBBB11cc2D"));
        assert!(!is_named("aaBB11"), "two of five");
    }

    #[test]
    fn most_pieces_of_a_path_are_words() {
        for (path, expect) in [
            ("Abc1/Def2/gH3iJ4", true),
            ("Abc1/gH3iJ4/kL5mN6", false),
            ("Abc1/Def2/gH3iJ4/kL5mN6", false),
            ("Abc1/Def2/Ghi3/kL5mN6", true),
            ("Abc1/Def2/Ghi3/gH3iJ4/kL5mN6", true),
            ("Abc1_Def2-gH3iJ4", true),
            ("Abc1+Def2+gH3iJ4", true),
            ("Ab1/Cd2", false),
        ] {
            assert_eq!(is_named(path), expect, "{path}");
        }
        for word in ["", "aB", "1x", "word", "Word", "Word12", "WORD", "12345", "w"] {
            assert!(is_word(word), "{word}");
        }
        for other in ["aB3", "wORd", "Word1x", "W0RD", "1abC", "12a45B"] {
            assert!(!is_word(other), "{other}");
        }
    }

    #[test]
    fn changes_are_the_share_of_neighbours_of_different_kinds() {
        for (word, expect) in [
            ("", 0.0),
            ("a", 0.0),
            ("ab", 0.0),
            ("aB", 1.0),
            ("A1", 1.0),
            ("a1", 1.0),
            ("a-", 1.0),
            ("A-", 1.0),
            ("1-", 1.0),
            ("-_", 0.0),
            ("azAZ09-+", 3.0 / 7.0),
        ] {
            assert!((changes(word) - expect).abs() < 1e-9, "{word}");
        }
    }

    #[test]
    fn a_word_of_few_letters_is_not_random() {
        // Of thirteen different letters or fourteen.
        let few = "aB1cD2eF3gH4i";
        assert!(bits_per_byte(few.as_bytes()) < 3.8);
        check(&few.repeat(2), &[]);
        let more = format!("{few}J");
        assert!(bits_per_byte(more.as_bytes()) > 3.8);
        check(&more.repeat(2), &[&more.repeat(2)]);
        assert!((bits_per_byte(b"aab") - 0.918_295_834).abs() < 1e-6);
        assert!(bits_per_byte(b"").abs() < 1e-9);
    }
}
