//! Code in colours. Grammars are those of syntect; colours are those of our theme. A grammar's
//! expressions may be slow on text that was made for that, so long lines and long texts stay plain.

use crate::theme::{Theme, Tone};
use ratatui::text::Span;
use std::sync::OnceLock;
use syntect::parsing::{ParseState, ScopeStack, SyntaxSet};

/// Lines of one block that are coloured; some ten screens.
const MOST_LINES: usize = 400;

/// Bytes of a line that is coloured; longer ones are data, not code to read.
const LONGEST_LINE: usize = 400;

/// The first scope that fits decides, so the special ones stand first.
const TONES: [(&str, Tone); 19] = [
    ("comment", Tone::Remark),
    ("string", Tone::Literal),
    ("constant.character", Tone::Literal),
    ("constant", Tone::Constant),
    ("markup.inserted", Tone::Good),
    ("markup.deleted", Tone::Bad),
    ("meta.diff.range", Tone::Dim),
    ("entity.name.function", Tone::Name),
    ("entity.name.type", Tone::Name),
    ("entity.name.class", Tone::Name),
    ("entity.name.struct", Tone::Name),
    ("entity.name.tag", Tone::Keyword),
    ("entity.other.attribute-name", Tone::Name),
    ("support.function", Tone::Name),
    ("support.type", Tone::Name),
    ("keyword.operator", Tone::Plain),
    ("keyword", Tone::Keyword),
    ("storage", Tone::Keyword),
    ("variable.language", Tone::Keyword),
];

fn grammars() -> &'static SyntaxSet {
    static GRAMMARS: OnceLock<SyntaxSet> = OnceLock::new();
    GRAMMARS.get_or_init(SyntaxSet::load_defaults_newlines)
}

/// Names people write that the grammars do not know themselves.
fn known_as(language: &str) -> &str {
    match language {
        "typescript" | "ts" | "tsx" | "jsx" => "js",
        "shell" | "console" | "zsh" => "sh",
        "toml" | "ini" => "yaml",
        "c++" => "cpp",
        other => other,
    }
}

/// The colours of one block of code, line after line.
#[derive(Debug)]
pub(crate) struct Highlighter {
    theme: Theme,
    state: Option<(ParseState, ScopeStack)>,
    lines: usize,
}

impl Highlighter {
    /// For a language by the name a fence gives it; an unknown one stays plain.
    pub(crate) fn new(language: &str, theme: Theme) -> Self {
        let language = language.split([',', ' ', '{']).next().unwrap_or_default().to_lowercase();
        let grammars = grammars();
        let state = Some(known_as(&language))
            .filter(|language| !language.is_empty())
            .and_then(|language| grammars.find_syntax_by_token(language))
            .map(|syntax| (ParseState::new(syntax), ScopeStack::new()));
        Self { theme, state, lines: 0 }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self, line: &str) -> Vec<Span<'static>> {
        self.lines += 1;
        if self.lines > MOST_LINES || line.len() > LONGEST_LINE {
            // What follows would be coloured by a state that has not seen this line.
            self.state = None;
        }
        let plain = || vec![Span::raw(line.to_owned())];
        let Some((state, scopes)) = &mut self.state else { return plain() };
        let ended = format!("{line}\n");
        let Ok(operations) = state.parse_line(&ended, grammars()) else {
            self.state = None;
            return plain();
        };
        let mut spans = Vec::new();
        let mut from = 0;
        for (at, operation) in operations {
            push(&mut spans, line.get(from..at.min(line.len())), scopes, self.theme);
            from = at;
            if scopes.apply(&operation).is_err() {
                break;
            }
        }
        push(&mut spans, line.get(from..), scopes, self.theme);
        spans
    }
}

fn push(spans: &mut Vec<Span<'static>>, text: Option<&str>, scopes: &ScopeStack, theme: Theme) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        spans.push(Span::styled(text.to_owned(), theme.style(tone(scopes))));
    }
}

fn tone(scopes: &ScopeStack) -> Tone {
    for scope in scopes.as_slice().iter().rev() {
        let name = scope.build_string();
        for (prefix, tone) in TONES {
            if name
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            {
                return tone;
            }
        }
    }
    Tone::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, line: &str, expect: &[(&str, Tone)]) {
        let theme = Theme::default();
        let got = Highlighter::new(language, theme).line(line);
        let text: String = got.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(text, line);
        for (part, tone) in expect {
            assert!(
                got.iter().any(|span| span.content == *part && span.style == theme.style(*tone)),
                "`{part}` is not {tone:?}: {got:?}"
            );
        }
    }

    #[test]
    fn code_is_coloured_by_its_language() {
        check("rust", "fn main() {", &[("fn", Tone::Keyword), ("main", Tone::Name)]);
        check("py", "x = 12", &[("12", Tone::Constant)]);
        check("ts", "return 'a'", &[("return", Tone::Keyword), ("a", Tone::Literal)]);
        check("nothing-known", "fn main()", &[("fn main()", Tone::Plain)]);
        check("", "fn main()", &[("fn main()", Tone::Plain)]);
    }

    #[test]
    fn a_line_made_to_be_slow_stays_plain() {
        let line = "a".repeat(LONGEST_LINE + 1);
        check("rust", &line, &[(&line, Tone::Plain)]);
    }
}
