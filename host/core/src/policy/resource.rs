//! What a call's arguments name: paths, URLs, addresses. Found by the tool's schema where it says
//! what an argument is (`format`), and by its looks where it does not. Rules are about these.

use crate::tool::{Resource, ResourceKind};
use serde_json::Value;
use url::Url;

/// Deepest nesting of arguments that is followed; the parser takes no more than that either.
const DEEPEST: usize = 128;

/// The resources of a call, sorted. `schema` is the tool's, `arguments` fit it. All of them, and
/// whole: what was left out, a deny rule would not see.
pub fn resources(schema: &Value, arguments: &Value) -> Vec<Resource> {
    let mut found = Vec::new();
    collect(Some(schema), schema, arguments, &mut String::new(), 0, &mut found);
    if !found.iter().any(|one| one.declared && one.kind == ResourceKind::Path) {
        found.extend(left_out(schema));
    }
    let spelled: Vec<Resource> = found.iter().filter_map(spelled_plainly).collect();
    found.extend(spelled);
    found.sort();
    found.dedup();
    found
}

/// Where file tools look when they are told nothing.
const EVERYWHERE: &str = "/shared";

/// The argument of what stands for paths that a call leaves out; no pointer is written so.
const LEFT_OUT: &str = "left out";

/// True for a path that the call does not say.
pub fn is_left_out(found: &Resource) -> bool {
    found.argument == LEFT_OUT
}

/// What is meant by a call that says none of the paths its tool has: what the schema says, or
/// everything. Otherwise an argument that only looks like a path would stand for them.
fn left_out(schema: &Value) -> Vec<Resource> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten().map(|(_, property)| property);
    let paths = properties.filter(|property| {
        resolved(property, schema).and_then(declared_kind) == Some(ResourceKind::Path)
    });
    paths
        .map(|property| {
            let default = property.get("default").and_then(Value::as_str);
            Resource {
                kind: ResourceKind::Path,
                text: normal_path(default.unwrap_or(EVERYWHERE)),
                argument: LEFT_OUT.to_owned(),
                declared: true,
            }
        })
        .collect()
}

/// The argument of what stands for all that was not looked at; no pointer is written so.
const BEYOND: &str = "beyond";

/// True for what stands for more than was looked at.
pub fn is_beyond(found: &Resource) -> bool {
    found.argument == BEYOND
}

/// A URL as most servers read it, if that is another text: no dot behind the host, no letter
/// percent-encoded, no empty part in the path.
fn spelled_plainly(found: &Resource) -> Option<Resource> {
    if found.kind != ResourceKind::Url {
        return None;
    }
    let mut url = Url::parse(&found.text).ok()?;
    let host = host_of(&found.text)?;
    url.set_host(Some(&host)).ok()?;
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().ok()?.into_owned();
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    url.set_path(&format!("/{}{end}", parts.join("/")));
    let text = url.to_string();
    (text != found.text).then(|| Resource { text, ..found.clone() })
}

fn collect(
    schema: Option<&Value>,
    root: &Value,
    value: &Value,
    pointer: &mut String,
    depth: usize,
    found: &mut Vec<Resource>,
) {
    if depth > DEEPEST {
        found.push(Resource {
            kind: ResourceKind::Text,
            text: String::new(),
            argument: BEYOND.to_owned(),
            declared: true,
        });
        return;
    }
    let schema = schema.and_then(|schema| resolved(schema, root));
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => found.push(resource(schema, text, pointer)),
        Value::Array(items) => {
            let items_schema = schema.and_then(|schema| schema.get("items"));
            for (index, item) in items.iter().enumerate() {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&index.to_string());
                collect(items_schema, root, item, pointer, depth + 1, found);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            let properties = schema.and_then(|schema| schema.get("properties"));
            for (name, field) in fields {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                let field_schema = properties.and_then(|properties| properties.get(name));
                collect(field_schema, root, field, pointer, depth + 1, found);
                pointer.truncate(length);
            }
        }
    }
}

/// The schema behind a `$ref` into the same document, or the one branch that has a format.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return root.pointer(reference.strip_prefix('#')?);
    }
    Some(schema)
}

fn resource(schema: Option<&Value>, text: &str, pointer: &str) -> Resource {
    let declared = schema.and_then(declared_kind);
    let kind = declared.unwrap_or_else(|| looks_like(text));
    let normal = match kind {
        ResourceKind::Path => normal_path(text),
        ResourceKind::Url => normal_url(text),
        ResourceKind::Address => text.trim().to_lowercase(),
        ResourceKind::Text => text.to_owned(),
    };
    Resource { kind, text: normal, argument: pointer.to_owned(), declared: declared.is_some() }
}

/// What a schema says an argument is.
fn declared_kind(schema: &Value) -> Option<ResourceKind> {
    match schema.get("format").and_then(Value::as_str)? {
        "path" => Some(ResourceKind::Path),
        "uri" | "iri" | "url" => Some(ResourceKind::Url),
        "email" | "idn-email" | "address" => Some(ResourceKind::Address),
        _ => None,
    }
}

fn looks_like(text: &str) -> ResourceKind {
    let start = text.trim_start();
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        start.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let one_line = !text.contains('\n');
    match text {
        _ if is_url && one_line => ResourceKind::Url,
        _ if text.starts_with('/') && one_line => ResourceKind::Path,
        _ => ResourceKind::Text,
    }
}

/// The URL as it would be sent; what cannot be parsed stays as it is, and the network refuses it.
fn normal_url(text: &str) -> String {
    match Url::parse(text.trim()) {
        Ok(mut url) => {
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => text.to_owned(),
    }
}

/// An absolute path without `.`, `..` and empty parts. A relative one is below `/shared`, as
/// every file tool reads it; white space is a part of a name.
pub fn normal_path(text: &str) -> String {
    let whole = if text.starts_with('/') { text.to_owned() } else { format!("/shared/{text}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Name of the host a URL leads to, lower case, without a trailing dot.
pub fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.host_str()?.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: Value, arguments: Value, expect: &[(ResourceKind, &str, bool)]) {
        let got = resources(&schema, &arguments);
        let got: Vec<_> =
            got.iter().map(|found| (found.kind, found.text.as_str(), found.declared)).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn the_schema_says_what_an_argument_is() {
        check(
            json!({"properties": {"path": {"type": "string", "format": "path"}, "text": {"type": "string"}}}),
            json!({"path": "a/../b.md", "text": "hello"}),
            &[(ResourceKind::Path, "/shared/b.md", true), (ResourceKind::Text, "hello", false)],
        );
    }

    #[test]
    fn a_reference_and_a_list_are_followed() {
        check(
            json!({
                "properties": {"to": {"type": "array", "items": {"$ref": "#/$defs/address"}}},
                "$defs": {"address": {"type": "string", "format": "email"}},
            }),
            json!({"to": ["Bob@Example.com"]}),
            &[(ResourceKind::Address, "bob@example.com", true)],
        );
    }

    #[test]
    fn what_only_looks_like_one_is_not_declared() {
        check(
            json!({}),
            json!({"a": "HTTPS://Example.com/x#y", "b": "/shared/./x//y", "c": "/x\n/y"}),
            &[
                (ResourceKind::Path, "/shared/x/y", false),
                (ResourceKind::Url, "https://example.com/x", false),
                (ResourceKind::Text, "/x\n/y", false),
            ],
        );
    }

    #[test]
    fn an_address_is_also_seen_as_it_would_be_written_plainly() {
        check(
            json!({"properties": {"url": {"format": "uri"}}}),
            json!({"url": "https://a.example/%78/./b/"}),
            &[
                (ResourceKind::Url, "https://a.example/%78/b/", true),
                (ResourceKind::Url, "https://a.example/x/b/", true),
            ],
        );
    }

    #[test]
    fn paths_cannot_climb_out_of_a_pattern() {
        assert_eq!(normal_path("/shared/a/../../vault/x"), "/vault/x");
        assert_eq!(normal_path("../../etc"), "/etc");
        assert_eq!(normal_path("x//y/./z"), "/shared/x/y/z");
        assert_eq!(normal_path(""), "/shared");
    }

    #[test]
    fn hosts_are_read_as_they_would_be_dialled() {
        assert_eq!(host_of("https://Example.COM./x").as_deref(), Some("example.com"));
        assert_eq!(host_of("http://2130706433/").as_deref(), Some("127.0.0.1"));
        assert_eq!(host_of("nonsense"), None);
    }

    #[test]
    fn deep_arguments_end_and_wide_and_long_ones_are_seen_whole() {
        let mut deep = json!("x");
        for _ in 0..1000 {
            deep = json!([deep]);
        }
        let found = resources(&json!({}), &deep);
        assert!(found.len() == 1 && is_beyond(&found[0]), "{found:?}");
        let mut deepest = json!("x");
        for _ in 0..DEEPEST {
            deepest = json!([deepest]);
        }
        check(json!({}), deepest, &[(ResourceKind::Text, "x", false)]);
        let wide = Value::Array((0..10_000).map(|n| json!(n.to_string())).collect());
        assert_eq!(resources(&json!({}), &wide).len(), 10_000);
        let long = "x".repeat(100_000);
        check(json!({}), json!({"a": &long}), &[(ResourceKind::Text, &long, false)]);
    }
}
