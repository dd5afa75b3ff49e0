//! Why a quoted text is not in a file: the place most like it. Not a fuzzy edit: it only says
//! where to look.

/// Least likeness of lines, from 0 to 1, for the one to be worth naming.
const LIKENESS: f64 = 0.5;

/// Characters shown of a line.
const SHOWN: usize = 200;

/// Lines compared; past this an answer would cost more than it helps.
const LINES: usize = 50_000;

/// A sentence for `old`, which is not in `text`.
pub(crate) fn describe(text: &str, old: &str) -> String {
    const MISSING: &str = "`old_text` is not found";
    if text.contains("\r\n") && text.replace("\r\n", "\n").contains(&old.replace("\r\n", "\n")) {
        return format!(
            "{MISSING} with these line ends; the file has lines that end in CR LF, so quote them \
             as `\\r\\n`, or quote less than a line"
        );
    }
    let old: Vec<&str> = old.lines().collect();
    let lines: Vec<&str> = text.lines().take(LINES).collect();
    if let Some(start) = without_spaces(&lines, &old) {
        return format!(
            "{MISSING}; but for spaces, line {} is it: `{}`; quote the spaces and tabs exactly",
            start + 1,
            shown(lines[start])
        );
    }
    let Some((anchor, first)) = old.iter().enumerate().find(|(_, line)| !line.trim().is_empty())
    else {
        return format!("{MISSING}; read the file again");
    };
    let nearest = lines
        .iter()
        .enumerate()
        .map(|(index, line)| (strsim::sorensen_dice(line.trim(), first.trim()), index))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(left, a), (right, b)| left.total_cmp(right).then(b.cmp(a)));
    let Some((_, at)) = nearest else {
        return format!("{MISSING}, nor a line like it; read the file again");
    };
    let found = format!("{MISSING}; nearest is line {}: `{}`", at + 1, shown(lines[at]));
    // The first line fits; say where the rest goes another way.
    let differs = old.iter().skip(anchor).zip(lines.iter().skip(at)).position(|(a, b)| a != b);
    match differs {
        Some(after) if after > 0 => format!(
            "{found}, and the text differs in line {}: `{}`",
            at + after + 1,
            shown(lines[at + after])
        ),
        _ => found,
    }
}

/// Where the lines of `old` are found if spaces do not count.
fn without_spaces(lines: &[&str], old: &[&str]) -> Option<usize> {
    let plain = |line: &&str| line.split_whitespace().collect::<String>();
    let old: Vec<String> = old.iter().map(plain).collect();
    if old.iter().all(String::is_empty) {
        return None;
    }
    let lines: Vec<String> = lines.iter().map(plain).collect();
    lines.windows(old.len()).position(|window| window == old)
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN).collect()
}
