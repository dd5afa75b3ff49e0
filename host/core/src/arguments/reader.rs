//! A reader of JSON as models write it: with code fences, commas too many, Python's words and
//! quotes, and an end that was cut off. It puts out strict JSON or says where it gave up; what
//! several values in one text mean is not its business.

use super::{EXAMPLE, MAX_DEPTH, too_deep};
use serde_json::Value;
use std::iter::Peekable;
use std::str::Chars;

/// Reads JSON as models write it and puts out JSON as it should be. Numbers and strings are
/// copied, not converted, so no digit is lost.
pub(super) struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    column: usize,
    /// What was read so far, as strict JSON.
    pub(super) out: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader =
            Self { rest: text.chars().peekable(), line: 1, column: 1, out: String::new() };
        if reader.rest.peek() == Some(&'\u{feff}') {
            reader.next();
        }
        reader
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(character)
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while self.rest.peek().is_some_and(|character| skipped(*character)) {
            self.next();
        }
    }

    /// Looks at the next character that means something.
    fn peek(&mut self) -> Option<char> {
        self.skip(char::is_whitespace);
        self.rest.peek().copied()
    }

    pub(super) fn error(&self, problem: &str) -> String {
        format!(
            "the arguments are not valid JSON at line {}, column {}: {problem}; {EXAMPLE}",
            self.line, self.column
        )
    }

    pub(super) fn skip_fence(&mut self) {
        if self.peek() == Some('`') {
            self.skip(|character| character == '`');
            self.skip(|character| character.is_ascii_alphanumeric());
        }
    }

    /// True if another value follows. What may follow the last one is passed over: the end of a
    /// fence and closing brackets that were counted wrong.
    pub(super) fn more_values(&mut self) -> bool {
        self.peek();
        let mut ahead = self.rest.clone();
        let over =
            |character: &char| character.is_whitespace() || matches!(character, '`' | '}' | ']');
        while ahead.next_if(over).is_some() {}
        ahead.peek().is_some()
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        match self.peek() {
            None => Err(self.error("the text ends where a value should be")),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"' | '\'') => self.string(),
            Some(first) if first == '-' || first.is_ascii_digit() => self.number(),
            Some(first) if first.is_alphabetic() => self.word(),
            Some(other) => Err(self.error(&format!("expected a value, found `{other}`"))),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        self.next();
        self.out.push('{');
        let mut first = true;
        loop {
            match self.peek() {
                None => break,
                Some('}') => {
                    self.next();
                    break;
                }
                Some('"' | '\'') => {
                    if !first {
                        self.out.push(',');
                    }
                    self.string()?;
                    if self.peek() != Some(':') {
                        return Err(self.error("expected `:` and a value after the key"));
                    }
                    self.next();
                    self.out.push(':');
                    self.value(depth + 1)?;
                }
                Some(other) => {
                    return Err(self.error(&format!(
                        "expected a key in double quotes or `}}`, found `{other}`"
                    )));
                }
            }
            first = false;
            self.separator('}')?;
        }
        self.out.push('}');
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), String> {
        self.next();
        self.out.push('[');
        let mut first = true;
        loop {
            match self.peek() {
                None => break,
                Some(']') => {
                    self.next();
                    break;
                }
                Some(_) => {
                    if !first {
                        self.out.push(',');
                    }
                    self.value(depth + 1)?;
                }
            }
            first = false;
            self.separator(']')?;
        }
        self.out.push(']');
        Ok(())
    }

    /// Passes the comma between items. The closing bracket, and the end of a text that was cut
    /// off, are left to the caller.
    fn separator(&mut self, close: char) -> Result<(), String> {
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            None => Ok(()),
            Some(found) if found == close => Ok(()),
            Some(found) => Err(self.error(&format!("expected `,` or `{close}`, found `{found}`"))),
        }
    }

    /// Copies a string in single or double quotes into double quotes. A text that ends inside
    /// is closed there.
    fn string(&mut self) -> Result<(), String> {
        let quote = self.next();
        self.out.push('"');
        while let Some(character) = self.next() {
            match character {
                _ if Some(character) == quote => break,
                '\\' => self.escape()?,
                '"' => self.out.push_str("\\\""),
                control if control < '\u{20}' => self.control(control),
                other => self.out.push(other),
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn control(&mut self, control: char) {
        match control {
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            other => self.out.push_str(&format!("\\u{:04x}", u32::from(other))),
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.next() {
            Some(known @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                self.out.push('\\');
                self.out.push(known);
                Ok(())
            }
            Some('\'') => {
                self.out.push('\'');
                Ok(())
            }
            Some('u') => self.hexadecimal("\\u", 4),
            // Python's form of a character below 256.
            Some('x') => self.hexadecimal("\\u00", 2),
            Some(other) => Err(self.error(&format!(
                "`\\{other}` is not an escape; a backslash itself is written `\\\\`"
            ))),
            None => Err(self.error("the text ends inside an escape")),
        }
    }

    fn hexadecimal(&mut self, start: &str, digits: usize) -> Result<(), String> {
        self.out.push_str(start);
        for _ in 0..digits {
            match self.rest.next_if(char::is_ascii_hexdigit) {
                Some(digit) => {
                    self.column += 1;
                    self.out.push(digit);
                }
                None => return Err(self.error(&format!("expected {digits} hexadecimal digits"))),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let mut number = String::new();
        while let Some(character) = self
            .rest
            .next_if(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.' | '_'))
        {
            self.column += 1;
            number.push(character);
        }
        if serde_json::from_str::<Value>(&number).is_err() {
            return Err(self.error(&format!("`{number}` is not a number in JSON")));
        }
        self.out.push_str(&number);
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        let mut word = String::new();
        while let Some(character) =
            self.rest.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '-'))
        {
            self.column += 1;
            word.push(character);
        }
        self.out.push_str(match word.as_str() {
            "true" | "True" => "true",
            "false" | "False" => "false",
            "null" | "None" => "null",
            _ => {
                return Err(self.error(&format!(
                    "`{word}` has no quotes; texts are written in double quotes"
                )));
            }
        });
        Ok(())
    }
}
