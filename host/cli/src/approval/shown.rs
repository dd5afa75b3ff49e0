//! What of others is shown to be decided on: arguments and previews, behind a margin, with nothing
//! left out that is not counted and nothing hidden. It asks nothing.

use crate::terminal::{Style, Terminal, pieces};
use hydroid_core::harmless::{argument_lines, exact, visible};
use hydroid_core::tool::Preview;

/// Stands before every piece of the arguments, so that nothing in them begins where our own lines
/// begin.
pub(super) const MARGIN: &str = "  │ ";

/// Columns that `MARGIN` takes.
const MARGIN_CELLS: usize = 4;

/// Arguments over several lines, nothing left out and nothing hidden. Lines are broken here and
/// not by the terminal, which would begin the rest at the first column, as a line of ours.
pub(super) fn arguments(json: &str, columns: usize) -> String {
    let lines = argument_lines(json);
    behind_margin(lines.iter().map(String::as_str), columns).join("\n")
}

fn behind_margin<'a>(lines: impl Iterator<Item = &'a str>, columns: usize) -> Vec<String> {
    let cells = columns.saturating_sub(MARGIN_CELLS);
    let pieces = lines.flat_map(|line| pieces(line, cells));
    pieces.map(|piece| format!("{MARGIN}{piece}")).collect()
}

/// What a call would do, to read.
pub(super) struct Shown {
    /// The lines, in colour on a terminal that has it.
    pub(super) lines: Vec<String>,
    /// It may be longer than a screen, and what is behind the first one is shown on demand.
    pub(super) difference: bool,
}

/// A preview as lines to read.
pub(super) fn preview(preview: &Preview, terminal: Terminal, columns: usize) -> Shown {
    let plain = |text: String| Shown {
        lines: behind_margin(std::iter::once(visible(&text).as_str()), columns),
        difference: false,
    };
    match preview {
        Preview::Difference { text, .. } => {
            let lines = text.lines().flat_map(|line| {
                let style = match line.chars().next() {
                    Some('+') => Some(Style::Good),
                    Some('-') => Some(Style::Bad),
                    Some('@') => Some(Style::Dim),
                    Some(_) | None => None,
                };
                let shown = behind_margin(std::iter::once(visible(line).as_str()), columns);
                shown.into_iter().map(move |line| match style {
                    Some(style) => terminal.styled(style, &line),
                    None => line,
                })
            });
            Shown { lines: lines.collect(), difference: true }
        }
        Preview::Copy { source, destination, bytes, digest } => {
            let said = [
                format!("copies {source}"),
                format!("to     {destination}"),
                format!("       {bytes} bytes, {digest}"),
            ];
            let lines: Vec<String> = said.iter().map(|line| exact(line)).collect();
            Shown {
                lines: behind_margin(lines.iter().map(String::as_str), columns),
                difference: false,
            }
        }
        Preview::Send { host, bytes } => {
            plain(format!("sends to {host}, made of {bytes} bytes of arguments"))
        }
        Preview::Unknown { reason } => {
            plain(format!("what it would do could not be found out: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_spaces_are_counted_and_cannot_be_imitated() {
        assert_eq!(
            arguments("{\"a\":\"x  y   z    \"}", 80),
            "  │ {\n  │   \"a\": \"x  y␠×3z␠×4\"\n  │ }"
        );
        assert_eq!(arguments("[\"␠×3\"]", 80), "  │ [\n  │   \"\\u2420×3\"\n  │ ]");
        assert_eq!(arguments("{     \n    x", 80), "  │ {␠×5\n  │ ␠×4x");
    }

    #[test]
    fn a_long_argument_is_shown_whole() {
        let long: String = ('a'..='z').cycle().take(10_000).collect();
        let shown = arguments(&serde_json::json!([long]).to_string(), 40);
        let text: String = shown.lines().filter_map(|line| line.strip_prefix(MARGIN)).collect();
        assert!(text.contains(&long));
    }
}
