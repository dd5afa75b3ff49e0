//! Mechanical summaries: counts, headings and first sentences.
//!
//! Not understanding: nothing here knows what a text means.

use crate::numbered::Contents;
use crate::text::clip;

/// More than this would not be a summary.
const MOST_LINES: usize = 12;
/// Long sentences are cut here.
const SENTENCE: usize = 200;

/// The summary of a file, or of the part of it that a tool returned.
pub fn of_file(name: &str, contents: &Contents) -> String {
    let text = &contents.text;
    let mut summary = format!(
        "# Summary of {name}\n\n{} lines, {} words, {} characters.\n",
        text.lines().count(),
        text.split_whitespace().count(),
        text.chars().count(),
    );
    if let Some(note) = contents.note.as_deref().filter(|note| note.contains("go on with")) {
        summary.push_str(&format!("Of a part only {note}.\n"));
    }
    let headings = text.lines().filter_map(heading).map(str::to_owned);
    section(&mut summary, "Headings", headings);
    section(
        &mut summary,
        "First sentences",
        paragraphs(text).map(|paragraph| first_sentence(&paragraph)),
    );
    summary
}

/// The summary of what the user said in a conversation.
pub fn of_conversation(said: &[String]) -> String {
    let mut summary =
        format!("This conversation has {} messages of the user before this one.\n", said.len());
    let skipped = said.len().saturating_sub(MOST_LINES);
    section(
        &mut summary,
        "What the user said last",
        said.iter().skip(skipped).map(|text| first_sentence(text)),
    );
    summary
}

fn section(summary: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        summary.push_str(&format!("\n## {title}\n\n"));
    }
    for line in lines.by_ref().take(MOST_LINES) {
        summary.push_str(&format!("- {line}\n"));
    }
    if lines.peek().is_some() {
        summary.push_str(&format!("- … and {} more\n", lines.count()));
    }
}

/// The text of a Markdown heading.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start().trim_start_matches('#');
    let marked = line.trim_start().starts_with('#') && text.starts_with(' ');
    (marked && !text.trim().is_empty()).then(|| text.trim())
}

/// Blocks of lines that are neither empty nor headings.
fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.lines().collect();
    let blocks: Vec<String> = lines
        .split(|line| line.trim().is_empty() || heading(line).is_some())
        .map(|block| block.join(" "))
        .filter(|block| !block.trim().is_empty())
        .collect();
    blocks.into_iter()
}

fn first_sentence(text: &str) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text
        .match_indices(['.', '!', '?'])
        .map(|(at, mark)| at + mark.len())
        .find(|end| text[*end..].is_empty() || text[*end..].starts_with(' '));
    clip(&text[..end.unwrap_or(text.len())], SENTENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(name: &str, text: &str) -> String {
        super::of_file(name, &Contents::new(text))
    }

    #[test]
    fn a_file_is_counted_and_its_headings_and_sentences_listed() {
        assert_eq!(
            of_file("a.md", "# Tea\n\nTea is hot. It is wet.\nVersion 1.2 too\n\n## Café\nYes!"),
            "# Summary of a.md\n\n7 lines, 14 words, 59 characters.\n\n## Headings\n\n- Tea\n- Café\n\n\
             ## First sentences\n\n- Tea is hot.\n- Yes!\n"
        );
    }

    #[test]
    fn an_empty_file_has_only_counts() {
        assert_eq!(of_file("a", ""), "# Summary of a\n\n0 lines, 0 words, 0 characters.\n");
    }

    #[test]
    fn a_part_is_called_one() {
        let summary = of_file("a", "     1\tOne.\n(lines 1-1 of 9; go on with start_line 2)");
        assert!(
            summary.contains("1 lines, 1 words, 5 characters.\nOf a part only (lines 1-1 of 9;"),
            "{summary}"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let text = "word\n\n".repeat(20);
        assert!(of_file("a", &text).ends_with("- word\n- … and 8 more\n"));
        assert!(of_file("a", &"é".repeat(500)).contains("é… (500 characters in all)"));
    }
}
