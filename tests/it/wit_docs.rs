//! `docs/wit.md`: the contract as a page to read, generated from `wit/` and compared.
//! Not a second source: what is wrong there is put right in the `.wit` file.

use crate::{root, update};
use std::fmt::Write;
use std::fs;
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, InterfaceId, PackageId, Resolve, Type,
    TypeDef, TypeDefKind, TypeId, TypeOwner, World, WorldItem,
};

/// The packages of a component's author, each after those it names; `host` is for the host alone.
const PACKAGES: [&str; 8] =
    ["core", "cap", "tool", "provider", "channel", "embedder", "hook", "parser"];

const HEAD: &str = "# The contract, item by item\n\n\
    Generated from `wit/`; `UPDATE=1 cargo test -p hydroid-tests` writes it anew.\n\
    What the packages are for, and how they may change, is in [wit/README.md](../wit/README.md).\n";

#[test]
fn the_page_about_the_contract_is_what_the_contract_says() {
    let file = root().join("docs/wit.md");
    let expect = page();
    if update() {
        fs::write(&file, &expect).unwrap();
    }
    let got = fs::read_to_string(&file).unwrap_or_default();
    if let Some((number, (got, expect))) =
        (1..).zip(got.lines().zip(expect.lines())).find(|(_, (got, expect))| got != expect)
    {
        panic!("docs/wit.md:{number}: expected `{expect}`, got `{got}`; run with UPDATE=1");
    }
    assert_eq!(got.len(), expect.len(), "docs/wit.md ends elsewhere; run with UPDATE=1");
}

#[test]
fn types_are_written_as_in_wit() {
    let mut resolve = Resolve::default();
    let text = "/// P.\npackage a:b; /// I.\ninterface i { /// R.\nresource r { /// M.\n\
                m: func(a: option<u8>, b: borrow<r>) -> result<_, tuple<string, list<r>>>; } }";
    resolve.push_source("b.wit", text).unwrap();
    let (id, _) = resolve.interfaces.iter().next().unwrap();
    let expect = "\n### Interface `i`\n\nI.\n\n**resource `r`**: R.\n\n\
        - `r.m: func(a: option<u8>, b: borrow<r>) -> result<_, tuple<string, list<r>>>`\n  M.\n";
    assert_eq!(Page::new(&resolve).interface(id), expect);
}

/// The whole page.
fn page() -> String {
    let mut resolve = Resolve::default();
    let mut text = HEAD.to_owned();
    for name in PACKAGES {
        let pushed = resolve.push_file(root().join(format!("wit/{name}/{name}.wit")));
        let id: PackageId = match pushed {
            Ok(id) => id,
            Err(error) => panic!("{}", resolve.render_error(&error)),
        };
        let page = Page::new(&resolve);
        let package = &resolve.packages[id];
        write!(text, "\n## `{}`\n\n{}\n", package.name, prose(&package.docs)).unwrap();
        for interface in package.interfaces.values() {
            text += &page.interface(*interface);
        }
        if !package.worlds.is_empty() {
            text += "\n### Worlds\n\n";
        }
        for world in package.worlds.values() {
            text += &page.world(&resolve.worlds[*world]);
        }
    }
    text
}

struct Page<'a> {
    resolve: &'a Resolve,
}

impl<'a> Page<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        Self { resolve }
    }

    fn interface(&self, id: InterfaceId) -> String {
        let interface = &self.resolve.interfaces[id];
        let name = interface.name.as_deref().unwrap_or_default();
        let mut text = format!("\n### Interface `{name}`\n\n{}\n", prose(&interface.docs));
        for (name, id) in &interface.types {
            let definition = &self.resolve.types[*id];
            if !is_use(definition) {
                text += &self.definition(interface, name, *id, definition);
            }
        }
        let free = interface.functions.values().filter(|f| f.kind == FunctionKind::Freestanding);
        let lines: String = free.map(|function| self.function("", function)).collect();
        if !lines.is_empty() {
            write!(text, "\n**functions**\n\n{lines}").unwrap();
        }
        text
    }

    fn definition(&self, within: &Interface, name: &str, id: TypeId, is: &TypeDef) -> String {
        let mut text = format!("\n**{} `{name}`**: {}\n\n", is.kind.as_str(), prose(&is.docs));
        let mut line = |name: &str, kind: String, docs: &Docs| {
            writeln!(text, "- `{name}{kind}`: {}", prose(docs)).unwrap();
        };
        match &is.kind {
            TypeDefKind::Record(record) => record.fields.iter().for_each(|field| {
                line(&field.name, format!(": {}", self.of(field.ty)), &field.docs)
            }),
            TypeDefKind::Variant(variant) => variant.cases.iter().for_each(|case| {
                let payload = case.ty.map(|ty| format!("({})", self.of(ty))).unwrap_or_default();
                line(&case.name, payload, &case.docs);
            }),
            TypeDefKind::Enum(kind) => {
                kind.cases.iter().for_each(|case| line(&case.name, String::new(), &case.docs));
            }
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().for_each(|flag| line(&flag.name, String::new(), &flag.docs));
            }
            TypeDefKind::Resource => {
                let own = within.functions.values().filter(|f| f.kind.resource() == Some(id));
                own.for_each(|function| text += &self.function(&format!("{name}."), function));
            }
            other => panic!("say here how a {} is written", other.as_str()),
        }
        text
    }

    fn function(&self, prefix: &str, function: &Function) -> String {
        let parameters: Vec<String> = function
            .params
            .iter()
            .filter(|parameter| parameter.name != "self")
            .map(|parameter| format!("{}: {}", parameter.name, self.of(parameter.ty)))
            .collect();
        let result = function.result.map(|ty| format!(" -> {}", self.of(ty))).unwrap_or_default();
        let (name, parameters) = (function.item_name(), parameters.join(", "));
        format!("- `{prefix}{name}: func({parameters}){result}`\n  {}\n", prose(&function.docs))
    }

    fn world(&self, world: &World) -> String {
        let named = |items: &mut dyn Iterator<Item = &WorldItem>| {
            let names = items.filter_map(|item| match item {
                WorldItem::Interface { id, .. } => self.resolve.id_of(*id),
                WorldItem::Function(_) | WorldItem::Type { .. } => None,
            });
            names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("- `{}`: {}\n", world.name, prose(&world.docs));
        for (verb, names) in [
            ("imports", named(&mut world.imports.values())),
            ("exports", named(&mut world.exports.values())),
        ] {
            if !names.is_empty() {
                writeln!(text, "  It {verb} {names}.").unwrap();
            }
        }
        text
    }

    /// A type as WIT writes it.
    fn of(&self, ty: Type) -> String {
        let id = match ty {
            Type::Id(id) => id,
            Type::Bool => return "bool".into(),
            Type::U8 => return "u8".into(),
            Type::U16 => return "u16".into(),
            Type::U32 => return "u32".into(),
            Type::S32 => return "s32".into(),
            Type::F32 => return "f32".into(),
            Type::String => return "string".into(),
            other => panic!("say here how {other:?} is written"),
        };
        let definition = &self.resolve.types[id];
        if let Some(name) = &definition.name {
            return name.clone();
        }
        let or_nothing = |ty: Option<Type>| ty.map_or("_".to_owned(), |ty| self.of(ty));
        match &definition.kind {
            TypeDefKind::Option(ty) => format!("option<{}>", self.of(*ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.of(*ty)),
            TypeDefKind::Result(result) => {
                format!("result<{}, {}>", or_nothing(result.ok), or_nothing(result.err))
            }
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<String> = tuple.types.iter().map(|ty| self.of(*ty)).collect();
                format!("tuple<{}>", types.join(", "))
            }
            TypeDefKind::Handle(Handle::Own(id)) => self.of(Type::Id(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                format!("borrow<{}>", self.of(Type::Id(*id)))
            }
            other => panic!("say here how a {} is written", other.as_str()),
        }
    }
}

/// True for a name that `use` brought in; it is described where it comes from.
fn is_use(definition: &TypeDef) -> bool {
    definition.owner != TypeOwner::None && matches!(definition.kind, TypeDefKind::Type(_))
}

/// What was written about an item, on one line.
fn prose(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
