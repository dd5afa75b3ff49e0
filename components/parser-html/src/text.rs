//! A page as text: the tokens of html5ever from front to back, without a tree. What a browser would
//! mend by moving elements about is left where it stands.

use encoding_rs::{CoderResult, Encoding};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use std::cell::RefCell;

/// Bytes that are decoded at once.
const PIECE: usize = 64 << 10;

/// Longest address that is kept with a link, in bytes; longer ones carry data.
const LONGEST_ADDRESS: usize = 500;

/// Elements whose content is not what the page says.
const LEFT_OUT: [&str; 12] = [
    "canvas", "iframe", "math", "nav", "noscript", "object", "script", "select", "style", "svg",
    "template", "textarea",
];

/// Elements that begin and end a paragraph.
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "ol",
    "p",
    "section",
    "summary",
    "table",
    "ul",
    "title",
];

/// What a page says.
pub(crate) struct Page {
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    /// Some bytes were no characters.
    pub(crate) damaged: bool,
}

/// Reads a page. Of an element that is left out and never ends the content is taken after all:
/// otherwise one forgotten end would hide the rest of the page.
pub(crate) fn page(data: &[u8], encoding: &'static Encoding, is_xml: bool) -> Page {
    let mut left_out = LEFT_OUT.to_vec();
    loop {
        let (writer, damaged) = pass(data, encoding, is_xml, &left_out);
        match writer.skipped {
            Some((name, _)) if !is_raw(name) => left_out.retain(|other| *other != name),
            _ => return writer.finish(damaged),
        }
    }
}

fn pass(
    data: &[u8],
    encoding: &'static Encoding,
    is_xml: bool,
    left_out: &[&'static str],
) -> (Writer, bool) {
    let writer = Writer { is_xml, left_out: left_out.to_vec(), ..Writer::default() };
    let tokenizer = Tokenizer::new(Sink(RefCell::new(writer)), TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut decoder = encoding.new_decoder();
    let mut damaged = false;
    let mut rest = data;
    loop {
        let (piece, after) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
        let last = after.is_empty();
        let most = decoder.max_utf8_buffer_length(piece.len()).unwrap_or(PIECE * 4);
        let mut text = String::with_capacity(most);
        let (result, read, replaced) = decoder.decode_to_string(piece, &mut text, last);
        damaged |= replaced;
        input.push_back(StrTendril::from(text));
        // It stops at the end of a script, which nobody runs here.
        while !input.is_empty() {
            drop(tokenizer.feed(&input));
        }
        rest = rest.get(read..).unwrap_or_default();
        if last && result == CoderResult::InputEmpty {
            break;
        }
    }
    tokenizer.end();
    (tokenizer.sink.0.into_inner(), damaged)
}

struct Sink(RefCell<Writer>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => writer.say(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return writer.start(&tag),
            Token::TagToken(tag) => writer.end(&tag.name),
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        // In XML, and only there, `<![CDATA[` is text.
        self.0.borrow().is_xml
    }
}

#[derive(Default)]
struct Writer {
    is_xml: bool,
    left_out: Vec<&'static str>,
    /// The element that is being left out, and how many of its name are open.
    skipped: Option<(&'static str, usize)>,
    title: Option<String>,
    in_title: bool,
    text: String,
    /// Where the line begins that is being written.
    line: usize,
    /// A blank is due before the next word.
    blank: bool,
    /// Empty lines are due before the next word.
    breaks: usize,
    /// What the next word is to begin with: a heading's or an item's mark.
    mark: Option<String>,
    preformatted: usize,
    /// Numbers of ordered lists that are open; 0 for one without numbers.
    lists: Vec<usize>,
    /// Where a link leads, and where its text begins.
    link: Option<(String, usize)>,
    /// Cells of the row so far.
    cells: usize,
}

impl Writer {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let empty = tag.self_closing && self.is_xml;
        if let Some((skipped, depth)) = &mut self.skipped {
            if *skipped == name && !empty {
                *depth += 1;
            }
            return raw(name, empty);
        }
        if let Some(skipped) = self.left_out.iter().find(|other| **other == name) {
            if !(empty || name == "svg" && tag.self_closing) {
                self.skipped = Some((skipped, 1));
            }
            return raw(name, empty);
        }
        match name {
            "title" if self.title.is_none() && !empty => {
                self.in_title = true;
                self.title = Some(String::new());
            }
            "br" => self.end_line(),
            "tr" => {
                self.end_line();
                self.cells = 0;
            }
            "pre" => {
                self.paragraph();
                self.preformatted += usize::from(!empty);
            }
            "td" | "th" => self.cell(),
            "li" => self.item(),
            "a" => self.open_link(tag),
            "img" | "area" => {
                if let Some(text) = attribute(tag, "alt") {
                    self.say(text);
                }
            }
            _ if BLOCKS.contains(&name) => self.block(name, empty),
            _ => {}
        }
        raw(name, empty)
    }

    fn block(&mut self, name: &str, empty: bool) {
        self.paragraph();
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name.bytes().last().map_or(1, |digit| usize::from(digit - b'0'));
                let item = self.mark.take().unwrap_or_default();
                self.mark = Some(format!("{item}{} ", "#".repeat(level)));
            }
            "ul" if !empty => self.lists.push(0),
            "ol" if !empty => self.lists.push(1),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if *skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        match name {
            "title" if self.in_title => self.in_title = false,
            "a" => self.close_link(),
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.paragraph();
            }
            "tr" => {
                self.cells = 0;
                self.end_line();
            }
            "table" => {
                self.cells = 0;
                self.paragraph();
            }
            "li" => {
                self.mark = None;
                self.end_line();
            }
            "ul" | "ol" => {
                self.mark = None;
                self.lists.pop();
                self.paragraph();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.mark = None;
                self.paragraph();
            }
            _ if BLOCKS.contains(&name) => self.paragraph(),
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.in_title {
            self.title.get_or_insert_default().push_str(text);
            return;
        }
        if self.preformatted > 0 {
            for (at, line) in text.split('\n').enumerate() {
                if at > 0 {
                    self.end_line();
                }
                if !line.trim().is_empty() {
                    self.begin();
                    self.text.push_str(line.trim_end_matches('\r'));
                }
            }
            return;
        }
        let mut words = text.split_ascii_whitespace();
        if text.starts_with(|first: char| first.is_ascii_whitespace()) {
            self.blank = true;
        }
        if let Some(first) = words.next() {
            self.begin();
            self.text.push_str(first);
            for word in words {
                self.text.push(' ');
                self.text.push_str(word);
            }
            self.blank = text.ends_with(|last: char| last.is_ascii_whitespace());
        }
    }

    /// Writes what is due before a word.
    fn begin(&mut self) {
        if self.breaks > 0 {
            if !self.text.is_empty() {
                let end = self.text.trim_end().len();
                self.text.truncate(end);
                (0..self.breaks).for_each(|_| self.text.push('\n'));
            }
            self.line = self.text.len();
            self.breaks = 0;
        } else if self.blank && self.text.len() > self.line {
            self.text.push(' ');
        }
        self.blank = false;
        if let Some(mark) = self.mark.take() {
            self.text.push_str(&mark);
        }
    }

    fn end_line(&mut self) {
        self.link = None;
        self.breaks = self.breaks.max(1);
    }

    fn paragraph(&mut self) {
        self.link = None;
        // What is in a list or in a row stays together.
        let lines = if self.lists.is_empty() && self.cells == 0 { 2 } else { 1 };
        self.breaks = self.breaks.max(lines);
    }

    fn item(&mut self) {
        self.end_line();
        let depth = self.lists.len().saturating_sub(1).min(8);
        let mark = match self.lists.last_mut() {
            Some(number) if *number > 0 => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        self.mark = Some(format!("{}{mark}", "  ".repeat(depth)));
    }

    fn cell(&mut self) {
        if self.cells > 0 {
            // A paragraph in a cell ends no row.
            self.breaks = 0;
            self.link = None;
            self.blank = true;
            self.say("|");
            self.blank = true;
        }
        self.cells += 1;
    }

    fn open_link(&mut self, tag: &Tag) {
        let address = attribute(tag, "href").map(str::trim).unwrap_or_default();
        let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
        let leads = lower.starts_with("http://") || lower.starts_with("https://");
        let fits = address.len() <= LONGEST_ADDRESS
            && !address.contains(|c: char| c.is_whitespace() || c.is_control() || c == ')');
        self.link = (leads && fits && self.preformatted == 0)
            .then(|| (address.to_owned(), self.text.len()));
    }

    fn close_link(&mut self) {
        let Some((address, begun)) = self.link.take() else { return };
        let Some(text) = self.text.get(begun..) else { return };
        let inside = text.trim_start();
        if inside.is_empty() || inside == address {
            return;
        }
        let at = self.text.len() - inside.len();
        self.text.insert(at, '[');
        self.text.push_str("](");
        self.text.push_str(&address);
        self.text.push(')');
    }

    fn finish(self, damaged: bool) -> Page {
        let title = self.title.unwrap_or_default();
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = (!title.is_empty()).then_some(title);
        Page { title, text: self.text.trim().to_owned(), damaged }
    }
}

/// True if nothing but its own end ends it, for a browser too.
fn is_raw(name: &str) -> bool {
    matches!(name, "script" | "style" | "iframe" | "textarea")
}

/// How the tokenizer reads what follows a tag.
fn raw(name: &str, empty: bool) -> TokenSinkResult<()> {
    match name {
        _ if empty => TokenSinkResult::Continue,
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name)?;
    Some(&found.value)
}
