//! Markdown as lines of a screen. It fetches nothing and obeys no HTML; where a link leads is
//! always written out, so that its text cannot name another place.

use super::{Break, Highlighter, Lines, cells, clean, fit, wrap};
use crate::theme::{Theme, Tone};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Quotes and lists within each other that are still indented.
const DEEPEST: usize = 8;

/// Cells of a column in a table that is drawn; a narrower table is written out row by row.
const NARROWEST_COLUMN: usize = 6;

/// Where the last block of a text begins that stands behind an empty line: what is before it is
/// not changed by more text, but for definitions of links, which a model does not write. Without
/// the empty line a beginning of a row may pass for a block of its own.
pub(crate) fn last_block(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut last = 0;
    for (event, range) in Parser::new_ext(source, options()).into_offset_iter() {
        let outermost = depth == 0;
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if outermost && let Some(start) = behind_empty_line(source, range.start) {
            last = start;
        }
    }
    last
}

/// The beginning of the line that a block begins on, if the line before is empty.
fn behind_empty_line(source: &str, block: usize) -> Option<usize> {
    // What stands before on the line belongs to the block too, as the spaces of a fence.
    let start = source.get(..block)?.rfind('\n')? + 1;
    let before = source.get(..start - 1)?;
    let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
    line.trim().is_empty().then_some(start)
}

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// How Markdown is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Markdown {
    /// Colours.
    pub(crate) theme: Theme,
    /// Cells of a line.
    pub(crate) width: usize,
}

impl Markdown {
    /// The text as lines.
    pub(crate) fn lines(self, source: &str) -> Lines {
        let source = clean(source);
        let mut page = Page::new(self);
        for event in Parser::new_ext(&source, options()) {
            page.take(event);
        }
        page.flush();
        while page.lines.last().is_some_and(|line| line.spans.is_empty()) {
            page.lines.pop();
        }
        page.lines
    }
}

/// What is around a line: a quote, or an item of a list.
enum Around {
    Quote,
    List {
        next: Option<u64>,
    },
    Item {
        /// What stands before its first line; spaces stand before the others.
        marker: String,
        shown: bool,
    },
}

struct Page {
    how: Markdown,
    lines: Lines,
    around: Vec<Around>,
    styles: Vec<Style>,
    spans: Vec<Span<'static>>,
    /// Where the links and images lead that are open.
    links: Vec<(String, usize)>,
    code: Option<Code>,
    table: Option<Table>,
}

struct Code {
    highlighter: Highlighter,
    text: String,
}

#[derive(Default)]
struct Table {
    aligned: Vec<Alignment>,
    rows: Vec<Vec<String>>,
}

impl Page {
    fn new(how: Markdown) -> Self {
        Self {
            how,
            lines: Lines::new(),
            around: Vec::new(),
            styles: vec![Style::new()],
            spans: Vec::new(),
            links: Vec::new(),
            code: None,
            table: None,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => {
                let style = self.how.theme.style(Tone::Code);
                self.push(&text, style);
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                let style = self.how.theme.style(Tone::Dim);
                for (index, line) in text.split('\n').enumerate() {
                    if index > 0 {
                        self.flush();
                    }
                    self.push(line, style);
                }
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.gap();
                let rule = "─".repeat(self.room().min(40));
                self.line(vec![Span::styled(rule, self.how.theme.style(Tone::Dim))]);
                self.gap();
            }
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => {
                if !self.in_item_head() {
                    self.gap();
                }
            }
            Tag::Heading { level, .. } => {
                self.gap();
                let style = self.how.theme.style(Tone::Heading);
                self.styles.push(style);
                self.push(&format!("{} ", "#".repeat(level as usize)), style);
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.gap();
                self.around.push(Around::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                self.gap();
                let language = match &kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                let highlighter = Highlighter::new(&language, self.how.theme);
                self.code = Some(Code { highlighter, text: String::new() });
            }
            Tag::List(next) => {
                self.flush();
                if !self.around.iter().any(|around| matches!(around, Around::Item { .. })) {
                    self.gap();
                }
                self.around.push(Around::List { next });
            }
            Tag::Item => {
                self.flush();
                let marker = match self.around.last_mut() {
                    Some(Around::List { next: Some(number) }) => {
                        let marker = format!("{number}. ");
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => "• ".to_owned(),
                };
                self.around.push(Around::Item { marker, shown: false });
            }
            Tag::Table(aligned) => {
                self.flush();
                self.gap();
                self.table = Some(Table { aligned, rows: Vec::new() });
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::TableCell => self.spans.clear(),
            Tag::Emphasis => self.more(Modifier::ITALIC),
            Tag::Strong => self.more(Modifier::BOLD),
            Tag::Strikethrough => self.more(Modifier::CROSSED_OUT),
            Tag::Link { dest_url, .. } => {
                self.links.push((dest_url.to_string(), self.spans.len()));
                self.more(Modifier::UNDERLINED);
            }
            Tag::Image { dest_url, .. } => {
                self.push("[image: ", self.how.theme.style(Tone::Dim));
                self.links.push((dest_url.to_string(), self.spans.len()));
                self.more(Modifier::empty());
            }
            Tag::HtmlBlock
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.flush(),
            TagEnd::Heading(_) => {
                self.flush();
                self.styles.pop();
                self.gap();
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.around.pop();
                self.gap();
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.flush();
                self.around.pop();
                if !self.around.iter().any(|around| matches!(around, Around::Item { .. })) {
                    self.gap();
                }
            }
            TagEnd::Item => {
                self.flush();
                if let Some(Around::Item { shown: false, .. }) = self.around.last() {
                    self.line(Vec::new());
                }
                self.around.pop();
            }
            TagEnd::Table => self.end_table(),
            TagEnd::TableCell => {
                let cell = self.spans.drain(..).map(|span| span.content.into_owned()).collect();
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link => self.end_link(""),
            TagEnd::Image => self.end_link("]"),
            TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    fn end_link(&mut self, close: &str) {
        self.styles.pop();
        let Some((target, from)) = self.links.pop() else { return };
        let text: String = self.spans.iter().skip(from).map(|span| span.content.as_ref()).collect();
        let dim = self.how.theme.style(Tone::Dim);
        if !close.is_empty() {
            self.push(close, dim);
        }
        if !target.is_empty() && text != target && format!("mailto:{text}") != target {
            self.push(&format!(" ({})", clean(&target).replace('\n', " ")), dim);
        }
    }

    fn end_code(&mut self) {
        let Some(mut code) = self.code.take() else { return };
        let room = self.room().saturating_sub(2);
        for line in code.text.trim_end_matches('\n').split('\n') {
            let spans = code.highlighter.line(&line.replace('\t', "    "));
            for line in wrap(&spans, room, Break::Anywhere) {
                let mut spans = vec![Span::styled("│ ", self.how.theme.style(Tone::Dim))];
                spans.extend(line.spans);
                self.line(spans);
            }
        }
        self.gap();
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        let room = self.room();
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns)
            .map(|column| {
                let widths = table.rows.iter().filter_map(|row| row.get(column));
                widths.map(|cell| cells(cell)).max().unwrap_or(0).max(1)
            })
            .collect();
        let gaps = columns.saturating_sub(1) * 3;
        if room < gaps + columns * NARROWEST_COLUMN && widths.iter().sum::<usize>() + gaps > room {
            self.rows_written_out(&table);
            return;
        }
        // The widest gives way until all fit.
        while widths.iter().sum::<usize>() + gaps > room {
            let Some(widest) = widths.iter_mut().max() else { break };
            *widest = widest.saturating_sub(1);
        }
        for (index, row) in table.rows.iter().enumerate() {
            let mut text = String::new();
            for (column, width) in widths.iter().enumerate() {
                let cell = fit(row.get(column).map_or("", String::as_str), *width);
                let blank = width.saturating_sub(cells(&cell));
                let left = match table.aligned.get(column) {
                    Some(Alignment::Right) => blank,
                    Some(Alignment::Center) => blank / 2,
                    Some(Alignment::Left | Alignment::None) | None => 0,
                };
                if column > 0 {
                    text.push_str(" │ ");
                }
                text.push_str(&" ".repeat(left));
                text.push_str(&cell);
                text.push_str(&" ".repeat(blank - left));
            }
            let style = if index == 0 { self.bold() } else { Style::new() };
            self.line(vec![Span::styled(text.trim_end().to_owned(), style)]);
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                let style = self.how.theme.style(Tone::Dim);
                self.line(vec![Span::styled(rule.join("─┼─"), style)]);
            }
        }
        self.gap();
    }

    fn rows_written_out(&mut self, table: &Table) {
        let heads = table.rows.first().cloned().unwrap_or_default();
        for row in table.rows.iter().skip(1) {
            for (index, cell) in row.iter().enumerate() {
                let head = heads.get(index).map_or("", String::as_str);
                let bold = self.bold();
                self.push(&format!("{head}: "), bold);
                self.push(cell, Style::new());
                self.flush();
            }
            self.gap();
        }
    }

    fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn more(&mut self, modifier: Modifier) {
        let style = self.style().add_modifier(modifier);
        self.styles.push(style);
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or_default()
    }

    fn text(&mut self, text: &str) {
        if let Some(code) = &mut self.code {
            code.text.push_str(text);
            return;
        }
        let style = self.style();
        self.push(text, style);
    }

    fn push(&mut self, text: &str, style: Style) {
        self.spans.push(Span::styled(text.to_owned(), style));
    }

    /// Ends the line that is being written, if there is one.
    fn flush(&mut self) {
        if self.spans.is_empty() || self.table.is_some() {
            return;
        }
        let spans = std::mem::take(&mut self.spans);
        for line in wrap(&spans, self.room(), Break::Words) {
            self.line(line.spans);
        }
    }

    /// True where the marker of an item stands on the line already.
    fn in_item_head(&self) -> bool {
        matches!(self.around.last(), Some(Around::Item { shown: false, .. }))
    }

    /// An empty line, unless there is one.
    fn gap(&mut self) {
        self.flush();
        let blank = self.lines.last().is_none_or(|line| line.spans.is_empty());
        if !blank && !self.in_item_head() {
            self.lines.push(Line::default());
        }
    }

    fn room(&self) -> usize {
        self.how.width.saturating_sub(self.indent()).max(1)
    }

    fn indent(&self) -> usize {
        self.around.iter().take(DEEPEST).map(width_of).sum()
    }

    fn line(&mut self, spans: Vec<Span<'static>>) {
        let dim = self.how.theme.style(Tone::Dim);
        let mut whole = Vec::new();
        let room = self.how.width;
        let mut used = 0;
        for around in self.around.iter_mut().take(DEEPEST) {
            let width = width_of(around);
            used += width;
            let before = match around {
                Around::Quote => "▏ ".to_owned(),
                Around::List { .. } => continue,
                Around::Item { marker, shown: shown @ false } => {
                    *shown = true;
                    marker.clone()
                }
                Around::Item { .. } => " ".repeat(width),
            };
            if used < room {
                whole.push(Span::styled(before, dim));
            }
        }
        // Those that are too deep have their marker too, so that it is not waited for.
        for around in self.around.iter_mut().skip(DEEPEST) {
            if let Around::Item { shown, .. } = around {
                *shown = true;
            }
        }
        whole.extend(spans);
        self.lines.push(Line::from(whole));
    }
}

fn width_of(around: &Around) -> usize {
    match around {
        Around::Quote => 2,
        Around::List { .. } => 0,
        Around::Item { marker, .. } => cells(marker),
    }
}

#[cfg(test)]
mod tests;
