//! The types of the protocol as its sources write them, read for other languages: what is a
//! record, what a choice, what may be absent. It reads the plain style of these files and no more
//! of Rust; what it does not understand, it says.

use std::collections::BTreeMap;

/// A type that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: Kind,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Record(Vec<Field>),
    /// One of several records, told apart by the field `tag`.
    Choice {
        tag: String,
        variants: Vec<Variant>,
    },
    /// One of several words; `open` if later versions may have others.
    Words {
        words: Vec<(String, String)>,
        open: bool,
    },
}

/// One of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) name: String,
    /// The word in the tag's field; none where the content has a tag of its own.
    pub(super) word: Option<String>,
    pub(super) doc: String,
    pub(super) fields: Vec<Field>,
    /// A type whose fields it has.
    pub(super) content: Option<String>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) of: Of,
    /// A reader may find it absent.
    pub(super) skipped: bool,
    /// A writer may leave it out.
    pub(super) defaulted: bool,
    /// Its own fields stand in its place.
    pub(super) flat: bool,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Text,
    Whole,
    Number,
    Bool,
    Anything,
    /// This word.
    Word(String),
    Named(String),
    List(Box<Of>),
    OrNull(Box<Of>),
}

/// Every type of some sources, by its name.
pub(super) fn read(sources: &[String]) -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::new();
    for source in sources {
        let mut reader = Reader { lines: source.lines().collect(), at: 0 };
        while let Some(shape) = reader.shape() {
            shapes.insert(shape.name.clone(), shape);
        }
    }
    shapes
}

/// A word as it is on the wire.
fn in_case(name: &str, case: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push(if case == "kebab-case" { '-' } else { '_' });
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

/// What stands above a type, a variant or a field.
#[derive(Default)]
struct Above {
    doc: String,
    serde: String,
}

impl Above {
    /// Takes a line, if it is one of these.
    fn take(&mut self, line: &str) -> bool {
        if let Some(doc) = line.strip_prefix("///") {
            if !self.doc.is_empty() {
                self.doc.push(' ');
            }
            self.doc.push_str(doc.trim());
            return true;
        }
        if let Some(serde) = line.strip_prefix("#[serde(") {
            self.serde.push_str(serde);
            self.serde.push(' ');
            return true;
        }
        line.starts_with('#') || line.starts_with("//")
    }

    fn has(&self, word: &str) -> bool {
        let mut words =
            self.serde.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.any(|found| found == word)
    }

    fn value(&self, name: &str) -> Option<String> {
        let (_, rest) = self.serde.split_once(&format!("{name} = \""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl Reader<'_> {
    /// The next type; none at the end.
    fn shape(&mut self) -> Option<Shape> {
        let mut above = Above::default();
        while let Some(line) = self.lines.get(self.at).copied() {
            self.at += 1;
            if let Some(rest) =
                line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {"))
            {
                let fields = self.fields("}", &above);
                return Some(Shape {
                    name: rest.to_owned(),
                    doc: above.doc,
                    kind: Kind::Record(fields),
                });
            }
            if let Some(rest) =
                line.strip_prefix("pub enum ").and_then(|rest| rest.strip_suffix(" {"))
            {
                let kind = self.variants(&above);
                return Some(Shape { name: rest.to_owned(), doc: above.doc, kind });
            }
            // What stands above other things is not about these.
            if !above.take(line) && !line.starts_with([' ', ')', ']']) {
                above = Above::default();
            }
        }
        None
    }

    fn variants(&mut self, of: &Above) -> Kind {
        let case = of.value("rename_all").unwrap_or_else(|| "snake_case".to_owned());
        let tag = of.value("tag");
        let (mut variants, mut words, mut open) = (Vec::new(), Vec::new(), false);
        let mut above = Above::default();
        while let Some(line) = self.lines.get(self.at).copied() {
            self.at += 1;
            if line == "}" {
                break;
            }
            let line = line.trim();
            if line.is_empty() || above.take(line) {
                continue;
            }
            let above = std::mem::take(&mut above);
            let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
            let word = above.value("rename").unwrap_or_else(|| in_case(&name, &case));
            let rest = line[name.len()..].trim();
            open |= above.has("other");
            words.push((word.clone(), above.doc.clone()));
            let (fields, content) = match rest {
                "," | "" => (Vec::new(), None),
                "{" => (self.fields("},", &Above::default()), None),
                rest if rest.starts_with('(') => {
                    (Vec::new(), Some(rest.trim_matches(['(', ')', ',']).to_owned()))
                }
                rest => panic!("this is not understood: {name} {rest}"),
            };
            let word = (!above.has("untagged")).then_some(word);
            variants.push(Variant { name, word, doc: above.doc, fields, content });
        }
        match tag {
            Some(tag) => Kind::Choice { tag, variants },
            None => {
                if open {
                    words.pop();
                }
                Kind::Words { words, open }
            }
        }
    }

    fn fields(&mut self, end: &str, of: &Above) -> Vec<Field> {
        let mut fields = Vec::new();
        let mut above = Above::default();
        while let Some(line) = self.lines.get(self.at).copied() {
            self.at += 1;
            let line = line.trim();
            if line == end {
                break;
            }
            if above.take(line) {
                continue;
            }
            let above = std::mem::take(&mut above);
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let Some((name, of_what)) = line.split_once(": ") else {
                panic!("this is no field: {line}")
            };
            fields.push(Field {
                name: name.to_owned(),
                of: what(of_what.trim_end_matches(',')),
                skipped: above.has("skip_serializing_if"),
                defaulted: above.has("default") || of.has("default"),
                flat: above.has("flatten"),
                doc: above.doc,
            });
        }
        fields
    }
}

/// What a type of the sources is on the wire.
fn what(text: &str) -> Of {
    let inside = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_suffix('>'));
    if let Some(of) = inside("Option<") {
        return Of::OrNull(Box::new(what(of)));
    }
    if let Some(of) = inside("Vec<") {
        return Of::List(Box::new(what(of)));
    }
    let last = text.rsplit("::").next().unwrap_or(text);
    match last {
        "String" | "SessionId" | "TurnId" | "CallId" | "ClientKey" | "UserId" | "ComponentId"
        | "Bytes" => Of::Text,
        "u32" | "u64" => Of::Whole,
        "f32" | "f64" | "Money" => Of::Number,
        "bool" => Of::Bool,
        "Value" => Of::Anything,
        name => Of::Named(name.to_owned()),
    }
}
