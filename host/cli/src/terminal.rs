//! Standard output and standard error: data to the one, everything else to the other. Colour only
//! where a person looks at it. A reader that went away is not an error worth a message.

use crate::env::Environment;
use hydroid_core::harmless;
use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IsTerminal, Write};

/// What a command said that no terminal stands behind.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Data.
    pub(crate) data: String,
    /// Everything else.
    pub(crate) said: String,
}

tokio::task_local! {
    static KEPT: RefCell<Kept>;
}

/// Runs a command for somebody who is not at this terminal: what it prints and says is kept for
/// them, and nobody is asked.
pub(crate) async fn kept<R>(command: impl Future<Output = R>) -> (R, Kept) {
    KEPT.scope(RefCell::default(), async {
        let result = command.await;
        (result, KEPT.with(RefCell::take))
    })
    .await
}

/// False where a terminal stands behind.
fn keep(into: impl FnOnce(&mut Kept)) -> bool {
    KEPT.try_with(|kept| into(&mut kept.borrow_mut())).is_ok()
}

/// How to speak to whoever started the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Standard error shows colours.
    pub(crate) color: bool,
    /// Somebody is there to be asked.
    pub(crate) interactive: bool,
}

/// A few colours of the terminal's own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// Of little weight.
    Dim,
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// A decision is wanted.
    Ask,
}

impl Terminal {
    /// What the process was started with.
    pub(crate) fn detect(environment: &Environment) -> Self {
        let error_shown = !keep(|_| ()) && io::stderr().is_terminal();
        Self {
            color: error_shown && !environment.no_color(),
            interactive: error_shown && io::stdin().is_terminal(),
        }
    }

    /// The text in a style, if colours are shown.
    pub(crate) fn styled(self, style: Style, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match style {
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Ask => "1;33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Writes data.
pub(crate) fn print(text: &str) -> io::Result<()> {
    if keep(|kept| kept.data.push_str(text)) {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a line of data.
pub(crate) fn print_line(text: &str) -> io::Result<()> {
    print(&format!("{text}\n"))
}

/// Writes a JSON value as data, on one line.
pub(crate) fn print_json(value: &serde_json::Value) -> io::Result<()> {
    print_line(&harmless::json(&value.to_string()))
}

/// Says something to the person. If standard error is gone, nobody is there to be told.
pub(crate) fn say(text: &str) {
    if keep(|kept| kept.said.push_str(&format!("{text}\n"))) {
        return;
    }
    let mut error = io::stderr().lock();
    drop(error.write_all(format!("{text}\n").as_bytes()).and_then(|()| error.flush()));
}

/// A text of others under a label of ours: each further line of it stands in by so many spaces, so
/// that none can pass for a line of ours.
pub(crate) fn indented(text: &str, spaces: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(spaces)))
}

/// A line cut into pieces that fit into so many cells, so that the terminal itself breaks none.
/// Without a table of widths everything beyond ASCII counts as two cells: a piece may be shorter
/// than it could be and is never longer.
pub(crate) fn pieces(line: &str, cells: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for character in line.chars() {
        let wide = if character.is_ascii() { 1 } else { 2 };
        if used + wide > cells && used > 0 {
            pieces.push(String::new());
            used = 0;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
        used += wide;
    }
    pieces
}

/// Rows as columns, two spaces between them; the last column is left ragged.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_trail() {
        let rows = [vec!["a".into(), "x".into()], vec!["bbé".into(), String::new()]];
        assert_eq!(table(&rows), "a    x\nbbé\n");
    }

    #[test]
    fn further_lines_stand_in() {
        assert_eq!(indented("a\nb\nc", 3), "a\n   b\n   c");
    }

    #[test]
    fn pieces_fit_and_lose_nothing() {
        assert_eq!(pieces("abcdefg", 3), ["abc", "def", "g"]);
        assert_eq!(pieces("日本語x", 5), ["日本", "語x"]);
        assert_eq!(pieces("日", 1), ["日"]);
        assert_eq!(pieces("", 3), [""]);
    }

    #[tokio::test]
    async fn what_is_said_to_somebody_elsewhere_is_kept() {
        let (shown, kept) = kept(async {
            print_line("data").unwrap();
            say("said");
            Terminal::detect(&Environment::of(&[])).interactive
        })
        .await;
        assert_eq!((shown, &*kept.data, &*kept.said), (false, "data\n", "said\n"));
    }

    #[test]
    fn without_colour_nothing_is_added() {
        let plain = Terminal { color: false, interactive: false };
        assert_eq!(plain.styled(Style::Bad, "x"), "x");
        assert_eq!(Terminal { color: true, ..plain }.styled(Style::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
