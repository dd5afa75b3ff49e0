//! What is shown in which colour. A style says what a text is; the theme says how that looks. It
//! knows no screen.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Text to read.
    Plain,
    /// Of little weight.
    Dim,
    /// What the eye is to find first.
    Accent,
    /// What the person said.
    Person,
    /// It worked, or it is added.
    Good,
    /// It did not, or it is taken away.
    Bad,
    /// A decision is wanted.
    Ask,
    /// The chosen row of a list.
    Chosen,
    /// Code within a line.
    Code,
    /// A heading.
    Heading,
    /// Where a link leads.
    Link,
    /// A word of a programming language.
    Keyword,
    /// A text within code.
    Literal,
    /// A number or another constant within code.
    Constant,
    /// A remark within code.
    Remark,
    /// The name of a function or a type.
    Name,
}

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    name: &'static str,
    colors: Option<&'static Colors>,
}

/// The colours of a theme. Few, so that they stay apart from each other.
#[derive(Debug, PartialEq, Eq)]
struct Colors {
    dim: Color,
    accent: Color,
    person: Color,
    good: Color,
    bad: Color,
    ask: Color,
    code: Color,
    name: Color,
}

/// Colours of the terminal itself, which its owner has chosen to be readable.
const TERMINAL: Colors = Colors {
    dim: Color::DarkGray,
    accent: Color::Cyan,
    person: Color::Blue,
    good: Color::Green,
    bad: Color::Red,
    ask: Color::Yellow,
    code: Color::Cyan,
    name: Color::Magenta,
};

/// For a dark ground: at least 4.5 to 1 against black.
const DARK: Colors = Colors {
    dim: Color::Indexed(246),
    accent: Color::Indexed(80),
    person: Color::Indexed(111),
    good: Color::Indexed(114),
    bad: Color::Indexed(210),
    ask: Color::Indexed(221),
    code: Color::Indexed(180),
    name: Color::Indexed(183),
};

/// For a light ground: at least 4.5 to 1 against white.
const LIGHT: Colors = Colors {
    dim: Color::Indexed(241),
    accent: Color::Indexed(24),
    person: Color::Indexed(25),
    good: Color::Indexed(22),
    bad: Color::Indexed(124),
    ask: Color::Indexed(94),
    code: Color::Indexed(88),
    name: Color::Indexed(90),
};

/// Every theme; the first is the one that nobody chose.
pub const THEMES: [Theme; 4] = [
    Theme { name: "terminal", colors: Some(&TERMINAL) },
    Theme { name: "dark", colors: Some(&DARK) },
    Theme { name: "light", colors: Some(&LIGHT) },
    Theme { name: "plain", colors: None },
];

impl Theme {
    /// The theme of that name.
    pub fn named(name: &str) -> Option<Self> {
        THEMES.into_iter().find(|theme| theme.name == name)
    }

    /// The one without colours, for `NO_COLOR`.
    pub fn plain() -> Self {
        THEMES[3]
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// How a piece of text looks.
    pub fn style(self, tone: Tone) -> Style {
        let colored = |pick: fn(&Colors) -> Color| match self.colors {
            Some(colors) => Style::new().fg(pick(colors)),
            None => Style::new(),
        };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => match self.colors {
                Some(_) => colored(|colors| colors.dim),
                None => Style::new().add_modifier(Modifier::DIM),
            },
            Tone::Accent => colored(|colors| colors.accent).add_modifier(Modifier::BOLD),
            Tone::Person => colored(|colors| colors.person).add_modifier(Modifier::BOLD),
            Tone::Good => colored(|colors| colors.good),
            Tone::Bad => colored(|colors| colors.bad),
            Tone::Ask => colored(|colors| colors.ask).add_modifier(Modifier::BOLD),
            Tone::Chosen => Style::new().add_modifier(Modifier::REVERSED),
            Tone::Code | Tone::Literal => colored(|colors| colors.code),
            Tone::Heading => colored(|colors| colors.accent).add_modifier(Modifier::BOLD),
            Tone::Link => colored(|colors| colors.dim).add_modifier(Modifier::UNDERLINED),
            Tone::Keyword => colored(|colors| colors.person),
            Tone::Constant => colored(|colors| colors.ask),
            Tone::Remark => self.style(Tone::Dim).add_modifier(Modifier::ITALIC),
            Tone::Name => colored(|colors| colors.name),
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        THEMES[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TONES: [Tone; 16] = [
        Tone::Plain,
        Tone::Dim,
        Tone::Accent,
        Tone::Person,
        Tone::Good,
        Tone::Bad,
        Tone::Ask,
        Tone::Chosen,
        Tone::Code,
        Tone::Heading,
        Tone::Link,
        Tone::Keyword,
        Tone::Literal,
        Tone::Constant,
        Tone::Remark,
        Tone::Name,
    ];

    #[test]
    fn the_plain_theme_has_no_colour_at_all() {
        for tone in TONES {
            let style = Theme::plain().style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
        assert_eq!(Theme::plain().name(), "plain");
    }

    #[test]
    fn no_theme_paints_the_ground() {
        for theme in THEMES {
            for tone in TONES {
                assert_eq!(theme.style(tone).bg, None, "{} {tone:?}", theme.name());
            }
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::named("pink"), None);
    }
}
