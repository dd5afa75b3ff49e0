//! The types of the protocol in TypeScript and Python, written out of its sources, so that no
//! client falls behind. What the clients do with them is in `clients/`.

use super::shapes::{Field, Kind, Of, Shape, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The shapes that messages are made of, as both languages need them.
pub(super) struct Written<'a> {
    shapes: &'a BTreeMap<String, Shape>,
    /// In the order in which they are reached.
    order: Vec<&'a Shape>,
    /// What a client writes: there a field may be left out that a reader always finds.
    from_client: BTreeSet<String>,
    /// Fields of what a choice is a part of.
    around: BTreeMap<String, Vec<Field>>,
}

/// What one type is in the end.
enum Part {
    /// Its name, the type it belongs to, what it is, and its fields.
    Record(String, String, String, Vec<Field>),
    /// A name for one of several types.
    OneOf(String, String, Vec<String>),
    Words(String, String, Vec<(String, String)>, bool),
}

const CLIENT: &str = "ClientMessage";
const HOST: &str = "ServerMessage";

impl<'a> Written<'a> {
    pub(super) fn of(shapes: &'a BTreeMap<String, Shape>) -> Self {
        let mut written = Self {
            shapes,
            order: Vec::new(),
            from_client: BTreeSet::new(),
            around: BTreeMap::new(),
        };
        written.reach(CLIENT);
        written.from_client = written.order.iter().map(|shape| shape.name.clone()).collect();
        written.reach(HOST);
        for shape in written.order.clone() {
            written.look_around(shape);
        }
        written
    }

    fn shape(&self, name: &str) -> &'a Shape {
        self.shapes.get(name).unwrap_or_else(|| panic!("no source has the type `{name}`"))
    }

    fn reach(&mut self, name: &str) {
        let shape = self.shape(name);
        if self.order.iter().any(|known| known.name == name) {
            return;
        }
        self.order.push(shape);
        let of_variants = |variants: &[Variant]| -> Vec<String> {
            let fields = variants.iter().flat_map(|variant| &variant.fields);
            let names = fields.filter_map(|field| named(&field.of));
            names.chain(variants.iter().filter_map(|variant| variant.content.clone())).collect()
        };
        let names = match &shape.kind {
            Kind::Record(fields) => fields.iter().filter_map(|field| named(&field.of)).collect(),
            Kind::Choice { variants, .. } => of_variants(variants),
            Kind::Words { .. } => Vec::new(),
        };
        names.iter().for_each(|name| self.reach(name));
    }

    /// A choice that stands flat in something else has the fields beside it too.
    fn look_around(&mut self, shape: &Shape) {
        let mut note = |fields: &[Field], more: Option<Field>| {
            let Some(inner) =
                fields.iter().find(|field| field.flat).and_then(|field| named(&field.of))
            else {
                return;
            };
            if !matches!(self.shapes[&inner].kind, Kind::Choice { .. }) {
                return;
            }
            let beside = fields.iter().filter(|field| !field.flat).cloned().chain(more);
            let optional = |field| Field { skipped: true, defaulted: true, ..field };
            self.around.entry(inner).or_default().extend(beside.map(optional));
        };
        match &shape.kind {
            Kind::Record(fields) => note(fields, None),
            Kind::Choice { tag, variants } => {
                for variant in variants {
                    note(&variant.fields, Some(tag_of(tag, variant)));
                }
            }
            Kind::Words { .. } => {}
        }
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for shape in &self.order {
            let (name, doc) = (shape.name.clone(), shape.doc.clone());
            match &shape.kind {
                Kind::Record(fields) => match self.flat_choice(fields) {
                    Some(inner) => parts.push(Part::OneOf(name, doc, vec![inner])),
                    None => parts.push(Part::Record(name.clone(), name, doc, self.whole(fields))),
                },
                Kind::Choice { tag, variants } => {
                    let mut members = Vec::new();
                    for variant in variants {
                        members.push(self.variant(shape, tag, variant, &mut parts));
                    }
                    parts.push(Part::OneOf(name, doc, members));
                }
                Kind::Words { words, open } => {
                    parts.push(Part::Words(name, doc, words.clone(), *open));
                }
            }
        }
        parts
    }

    fn variant(
        &self,
        shape: &Shape,
        tag: &str,
        variant: &Variant,
        parts: &mut Vec<Part>,
    ) -> String {
        if let Some(inner) = self.flat_choice(&variant.fields) {
            return inner;
        }
        if let (None, Some(content)) = (&variant.word, &variant.content) {
            return content.clone();
        }
        let mut fields = vec![tag_of(tag, variant)];
        fields.extend(self.whole(&variant.fields));
        if let Some(content) = &variant.content {
            let Kind::Record(inner) = &self.shape(content).kind else {
                panic!("`{content}` in `{}` is no record", shape.name)
            };
            fields.extend(self.whole(inner));
        }
        fields.extend(self.around.get(&shape.name).cloned().unwrap_or_default());
        let name = format!("{}{}", shape.name, variant.name);
        parts.push(Part::Record(name.clone(), shape.name.clone(), variant.doc.clone(), fields));
        name
    }

    fn flat_choice(&self, fields: &[Field]) -> Option<String> {
        let inner = fields.iter().find(|field| field.flat).and_then(|field| named(&field.of))?;
        matches!(self.shape(&inner).kind, Kind::Choice { .. }).then_some(inner)
    }

    /// Fields, with those of a record that stands flat in its place.
    fn whole(&self, fields: &[Field]) -> Vec<Field> {
        let mut whole = Vec::new();
        for field in fields {
            match (field.flat, named(&field.of).map(|name| &self.shape(&name).kind)) {
                (true, Some(Kind::Record(inner))) => whole.extend(self.whole(inner)),
                _ => whole.push(field.clone()),
            }
        }
        whole
    }

    /// Whether a field may be absent, and what it holds otherwise.
    fn shown(&self, of: &str, field: &Field) -> (bool, Of) {
        let optional = field.skipped || (self.from_client.contains(of) && field.defaulted);
        let of = match (&field.of, field.skipped) {
            (Of::OrNull(inner), true) => (**inner).clone(),
            (of, _) => of.clone(),
        };
        (optional, of)
    }

    pub(super) fn typescript(&self) -> String {
        let mut text =
            "// Protocol 1, written by a test out of the host's sources: change nothing here.\n"
                .to_owned();
        for part in self.parts() {
            text.push('\n');
            match part {
                Part::Record(name, owner, doc, fields) => {
                    writeln!(text, "{}export interface {name} {{", comment("", &doc)).unwrap();
                    for field in &fields {
                        let (optional, of) = self.shown(&owner, field);
                        let mark = if optional { "?" } else { "" };
                        let line = format!("  {}{mark}: {};\n", field.name, in_typescript(&of));
                        write!(text, "{}{line}", comment("  ", &field.doc)).unwrap();
                    }
                    text.push_str("}\n");
                }
                Part::OneOf(name, doc, members) => {
                    writeln!(text, "{}export type {name} =", comment("", &doc)).unwrap();
                    let members: Vec<String> =
                        members.iter().map(|one| format!("  | {one}")).collect();
                    writeln!(text, "{};", members.join("\n")).unwrap();
                }
                Part::Words(name, doc, words, open) => {
                    write!(text, "{}export type {name} =", comment("", &doc)).unwrap();
                    for (word, doc) in &words {
                        write!(text, "\n{}  | \"{word}\"", comment("  ", doc)).unwrap();
                    }
                    if open {
                        text.push_str("\n  /** One of a later version. */\n  | (string & {})");
                    }
                    text.push_str(";\n");
                }
            }
        }
        text
    }

    pub(super) fn python(&self) -> String {
        let mut text = "\"\"\"Protocol 1, written by a test out of the host's sources: change nothing here.\"\"\"\n\nfrom __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypedDict, Union\n".to_owned();
        let mut names = String::new();
        for part in self.parts() {
            match part {
                Part::Record(name, owner, doc, fields) => {
                    let shown = fields.iter().map(|field| {
                        let (optional, of) = self.shown(&owner, field);
                        let of = in_python(&of);
                        let of = if optional { format!("NotRequired[{of}]") } else { of };
                        (field.name.as_str(), of, field.doc.as_str())
                    });
                    let shown: Vec<_> = shown.collect();
                    // A word of the language is no name of a field there.
                    if shown.iter().any(|(name, ..)| *name == "from") {
                        writeln!(text, "\n\n# {doc}\n{name} = TypedDict(\n    \"{name}\",\n    {{")
                            .unwrap();
                        for (field, of, doc) in shown {
                            writeln!(text, "        # {doc}\n        \"{field}\": \"{of}\",")
                                .unwrap();
                        }
                        text.push_str("    },\n)\n");
                        continue;
                    }
                    writeln!(text, "\n\nclass {name}(TypedDict):\n    \"\"\"{doc}\"\"\"\n")
                        .unwrap();
                    for (field, of, doc) in shown {
                        let doc =
                            if doc.is_empty() { String::new() } else { format!("    # {doc}\n") };
                        writeln!(text, "{doc}    {field}: {of}").unwrap();
                    }
                }
                Part::OneOf(name, doc, members) => {
                    let members: Vec<String> =
                        members.iter().map(|one| format!("    \"{one}\",\n")).collect();
                    writeln!(names, "\n# {doc}\n{name} = Union[\n{}]", members.concat()).unwrap();
                }
                Part::Words(name, doc, words, open) => {
                    writeln!(names, "\n# {doc}").unwrap();
                    for (word, doc) in &words {
                        writeln!(names, "# `{word}`: {doc}").unwrap();
                    }
                    if open {
                        writeln!(names, "# Others may come with a later version.\n{name} = str")
                            .unwrap();
                    } else {
                        let words: Vec<String> =
                            words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                        writeln!(names, "{name} = Literal[{}]", words.join(", ")).unwrap();
                    }
                }
            }
        }
        format!("{text}\n{names}")
    }
}

fn tag_of(tag: &str, variant: &Variant) -> Field {
    let word = variant.word.as_deref().unwrap_or_default();
    Field {
        name: tag.to_owned(),
        doc: String::new(),
        of: Of::Word(word.to_owned()),
        skipped: false,
        defaulted: false,
        flat: false,
    }
}

fn named(of: &Of) -> Option<String> {
    match of {
        Of::Named(name) => Some(name.clone()),
        Of::List(inner) | Of::OrNull(inner) => named(inner),
        Of::Text | Of::Whole | Of::Number | Of::Bool | Of::Anything | Of::Word(_) => None,
    }
}

fn comment(indent: &str, doc: &str) -> String {
    if doc.is_empty() { String::new() } else { format!("{indent}/** {doc} */\n") }
}

fn in_typescript(of: &Of) -> String {
    match of {
        Of::Text => "string".to_owned(),
        Of::Whole | Of::Number => "number".to_owned(),
        Of::Bool => "boolean".to_owned(),
        Of::Anything => "unknown".to_owned(),
        Of::Word(word) => format!("\"{word}\""),
        Of::Named(name) => name.clone(),
        Of::List(inner) => format!("{}[]", in_typescript(inner)),
        Of::OrNull(inner) => format!("{} | null", in_typescript(inner)),
    }
}

fn in_python(of: &Of) -> String {
    match of {
        Of::Text => "str".to_owned(),
        Of::Whole => "int".to_owned(),
        Of::Number => "float".to_owned(),
        Of::Bool => "bool".to_owned(),
        Of::Anything => "Any".to_owned(),
        Of::Word(word) => format!("Literal['{word}']"),
        Of::Named(name) => name.clone(),
        Of::List(inner) => format!("list[{}]", in_python(inner)),
        Of::OrNull(inner) => format!("{} | None", in_python(inner)),
    }
}
