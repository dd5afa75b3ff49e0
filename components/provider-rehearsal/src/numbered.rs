//! File contents without the line numbers and the closing note that file tools put around them.
//!
//! Not a reader of files: a text that is not numbered is taken as it is.

/// What a file tool returned.
#[derive(Debug, PartialEq)]
pub struct Contents {
    pub text: String,
    /// What the tool said about the text, such as that there is more of it.
    pub note: Option<String>,
}

impl Contents {
    /// Numbered lines are digits, a tab and the text; the first line that is not starts the note.
    pub fn new(result: &str) -> Self {
        let lines: Vec<&str> = result.split_inclusive('\n').collect();
        let plain: Vec<&str> = lines.iter().map_while(|line| without_number(line)).collect();
        if plain.is_empty() {
            return Self { text: result.to_owned(), note: None };
        }
        let note: String = lines[plain.len()..].concat();
        let note = Some(note.trim().to_owned()).filter(|note| !note.is_empty());
        Self { text: plain.concat(), note }
    }

    /// The text as it is quoted: a note that says no more than that this is all is left out.
    pub fn quoted(&self) -> String {
        match &self.note {
            Some(note)
                if !(note.starts_with("(lines 1-") && note.contains("the end of the file")) =>
            {
                format!("{}{note}", self.text)
            }
            _ => self.text.trim_end_matches(['\n', '\r']).to_owned(),
        }
    }
}

fn without_number(line: &str) -> Option<&str> {
    let (number, text) = line.split_once('\t')?;
    number.trim_start().parse::<u32>().is_ok().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(result: &str, text: &str, note: Option<&str>, quoted: &str) {
        let contents = Contents::new(result);
        assert_eq!(contents, Contents { text: text.to_owned(), note: note.map(str::to_owned) });
        assert_eq!(contents.quoted(), quoted);
    }

    #[test]
    fn numbers_and_notes_are_taken_off() {
        check(
            "     1\ta\n     2\t\n(lines 1-2 of 2, the end of the file)",
            "a\n\n",
            Some("(lines 1-2 of 2, the end of the file)"),
            "a",
        );
        check(
            "     1\t3\tx\n(lines 1-1 of 5; go on with start_line 2)",
            "3\tx\n",
            Some("(lines 1-1 of 5; go on with start_line 2)"),
            "3\tx\n(lines 1-1 of 5; go on with start_line 2)",
        );
    }

    #[test]
    fn other_texts_are_kept() {
        check("a\tb\n1\tc", "a\tb\n1\tc", None, "a\tb\n1\tc");
        check("", "", None, "");
    }
}
