//! Lines broken to a width that is counted in cells of the terminal, so that the terminal itself
//! breaks none and nothing of others begins where our own lines begin.

use super::Lines;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Characters of one cluster that are shown: a family of four with skin tones has eleven. A pile
/// of marks on one letter is one cluster too, of any length.
const LONGEST_CLUSTER: usize = 12;

/// Spaces that stand for a tab.
const TAB: &str = "    ";

/// Where a line may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Between words, where there are some.
    Words,
    /// Anywhere: nothing is left out, no space either.
    Anywhere,
}

/// One cluster with its width and style.
struct Cluster {
    text: String,
    width: usize,
    style: Style,
}

/// The cells a text takes.
pub(crate) fn cells(text: &str) -> usize {
    text.graphemes(true).map(|cluster| shown(cluster).width()).sum()
}

/// A text on one line, cut to so many cells; an ellipsis says that something was left out.
pub(crate) fn fit(text: &str, most: usize) -> String {
    let mut cut = String::new();
    let mut used = 0;
    // Where a cut would leave room for the ellipsis.
    let mut keep = 0;
    for cluster in text.graphemes(true).map(shown) {
        let width = cluster.width();
        if width == 0 {
            continue;
        }
        if used + width > most {
            cut.truncate(keep);
            if most > 0 {
                cut.push('…');
            }
            return cut;
        }
        cut.push_str(cluster);
        used += width;
        if used < most {
            keep = cut.len();
        }
    }
    cut
}

/// Plain text in one style, each of its lines broken to the width.
pub(crate) fn wrap_text(text: &str, style: Style, width: usize, at: Break) -> Lines {
    text.split('\n')
        .flat_map(|line| wrap(&[Span::styled(line.to_owned(), style)], width, at))
        .collect()
}

/// One line broken to the width; at least one line comes of it, also of nothing.
pub(crate) fn wrap(spans: &[Span<'_>], width: usize, at: Break) -> Lines {
    let width = width.max(1);
    if let ([span], Break::Anywhere) = (spans, at)
        && span.content.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    {
        return pieces(span, width);
    }
    let mut lines = Lines::new();
    let mut row: Vec<Cluster> = Vec::new();
    let mut used = 0;
    // How many clusters of the row stand before the place where it would be broken.
    let mut break_at: Option<usize> = None;
    for cluster in spans.iter().flat_map(clusters) {
        if cluster.width > width {
            continue;
        }
        let is_space = cluster.text == " ";
        if used + cluster.width > width {
            let rest = match break_at.take().filter(|_| at == Break::Words && !is_space) {
                Some(index) => row.split_off(index),
                None => Vec::new(),
            };
            lines.push(line(std::mem::take(&mut row), at));
            row = rest;
            used = row.iter().map(|cluster| cluster.width).sum();
            if is_space && at == Break::Words {
                continue;
            }
            // What did not fit beside a word does not fit after it either.
            if used + cluster.width > width {
                lines.push(line(std::mem::take(&mut row), at));
                used = 0;
            }
        }
        used += cluster.width;
        row.push(cluster);
        if is_space {
            break_at = Some(row.len());
        }
    }
    lines.push(line(row, at));
    lines
}

/// A line of letters of one cell each, which may be very long.
fn pieces(span: &Span<'_>, width: usize) -> Lines {
    let style = span.style;
    let mut rest = span.content.as_ref();
    let mut lines = Lines::new();
    loop {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(width));
        lines.push(Line::from(vec![Span::styled(piece.to_owned(), style)]));
        if more.is_empty() {
            return lines;
        }
        rest = more;
    }
}

fn clusters<'a>(span: &'a Span<'_>) -> impl Iterator<Item = Cluster> + 'a {
    let style = span.style;
    span.content.graphemes(true).filter_map(move |text| {
        let text = if text == "\t" { TAB } else { shown(text) };
        let width = text.width();
        (width > 0).then(|| Cluster { text: text.to_owned(), width, style })
    })
}

/// A cluster as it is shown: a control character is not, nor is a pile of marks.
fn shown(cluster: &str) -> &str {
    if cluster.chars().any(char::is_control) {
        return "";
    }
    match cluster.char_indices().nth(LONGEST_CLUSTER) {
        Some((end, _)) => &cluster[..end],
        None => cluster,
    }
}

fn line(mut row: Vec<Cluster>, at: Break) -> Line<'static> {
    if at == Break::Words {
        while row.len() > 1 && row.last().is_some_and(|last| last.text == " ") {
            row.pop();
        }
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    for cluster in row {
        match spans.last_mut().filter(|last| last.style == cluster.style) {
            Some(last) => last.content.to_mut().push_str(&cluster.text),
            None => spans.push(Span::styled(cluster.text, cluster.style)),
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, at: Break, expect: &[&str]) {
        let lines = wrap_text(text, Style::new(), width, at);
        let got: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn lines_break_between_words() {
        check("one two three", 8, Break::Words, &["one two", "three"]);
        check("one two three", 7, Break::Words, &["one two", "three"]);
        check("abcdefgh ij", 3, Break::Words, &["abc", "def", "gh", "ij"]);
        check("", 5, Break::Words, &[""]);
        check("a\n\nb", 5, Break::Words, &["a", "", "b"]);
    }

    #[test]
    fn what_is_decided_on_loses_no_space() {
        check("", 3, Break::Anywhere, &[""]);
        check("abcdef", 3, Break::Anywhere, &["abc", "def"]);
        check("abé  de", 3, Break::Anywhere, &["abé", "  d", "e"]);
        check("ab  cd", 3, Break::Anywhere, &["ab ", " cd"]);
    }

    #[test]
    fn wide_letters_take_two_cells() {
        check("日本語", 5, Break::Words, &["日本", "語"]);
        check("日本", 1, Break::Words, &[""]);
        assert_eq!(cells("日本"), 4);
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("abcd", 0), "");
    }

    #[test]
    fn controls_vanish_and_a_pile_of_marks_is_cut() {
        check("a\x1b[2Jb", 20, Break::Words, &["a[2Jb"]);
        let pile = format!("e{}", "\u{301}".repeat(100_000));
        let lines = wrap_text(&pile, Style::new(), 10, Break::Words);
        assert_eq!(lines[0].to_string().chars().count(), LONGEST_CLUSTER);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in "\\PC{0,80}", width in 1_usize..30) {
            for at in [Break::Words, Break::Anywhere] {
                for line in wrap_text(&text, Style::new(), width, at) {
                    proptest::prop_assert!(line.width() <= width, "{line:?}");
                }
            }
        }
    }
}
