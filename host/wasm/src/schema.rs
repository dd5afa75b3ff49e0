//! JSON Schemas of components: compiled only if they are small once every reference is followed.
//! A schema that refers to itself twice at each level is short to write and endless to check.

use serde_json::Value;
use std::collections::HashMap;

/// Most parts a schema may have with its references followed. The largest of real tools have some
/// hundreds.
const MOST_PARTS: u64 = 10_000;

/// Compiles a schema; an error is a sentence.
pub(crate) fn compile(schema: &Value) -> Result<jsonschema::Validator, String> {
    let mut sizes = HashMap::new();
    let parts = (Expansion { root: schema, sizes: &mut sizes }).parts(schema, 0)?;
    if parts > MOST_PARTS {
        return Err(format!(
            "it has more than {MOST_PARTS} parts when its references are followed; make it flatter"
        ));
    }
    jsonschema::draft202012::new(schema).map_err(|error| error.to_string())
}

/// Says of arguments what does not fit.
pub type Problems = Box<dyn Fn(&Value) -> Vec<String> + Send + Sync>;

/// Problems with arguments that are shown at once.
const MOST_PROBLEMS: usize = 5;

/// What compares arguments with a schema that is not a component's; an error is a sentence.
pub fn problems_of(schema: &Value) -> Result<Problems, String> {
    let validator = compile(schema)?;
    Ok(Box::new(move |arguments| {
        let errors = validator.iter_errors(arguments).take(MOST_PROBLEMS);
        let sentence =
            |error: jsonschema::ValidationError<'_>| match error.instance_path().to_string() {
                path if path.is_empty() => error.to_string(),
                path => format!("at `{path}`: {error}"),
            };
        errors.map(sentence).collect()
    }))
}

/// Counts the parts of a schema with its references followed.
struct Expansion<'a> {
    root: &'a Value,
    /// Sizes of what references lead to; none while it is being counted.
    sizes: &'a mut HashMap<String, Option<u64>>,
}

/// Deeper than the JSON parser lets a schema be written, so only references get there.
const DEEPEST: usize = 512;

impl Expansion<'_> {
    fn parts(&mut self, value: &Value, depth: usize) -> Result<u64, String> {
        if depth > DEEPEST {
            return Err("its references are nested too deeply".into());
        }
        let mut parts = 1_u64;
        match value {
            Value::Object(object) => {
                for (key, inner) in object {
                    let size = match (key.as_str(), inner) {
                        ("$ref" | "$dynamicRef", Value::String(reference)) => {
                            self.behind(reference, depth)?
                        }
                        // Counted where it is referred to.
                        ("$defs" | "definitions", _) => continue,
                        (_, inner) => self.parts(inner, depth + 1)?,
                    };
                    parts = parts.saturating_add(size);
                }
            }
            Value::Array(items) => {
                for item in items {
                    parts = parts.saturating_add(self.parts(item, depth + 1)?);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(parts)
    }

    fn behind(&mut self, reference: &str, depth: usize) -> Result<u64, String> {
        let Some(pointer) =
            reference.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            let shown: String = reference.chars().take(64).collect();
            return Err(format!(
                "it refers to `{shown}`; only references within it, like `#/$defs/name`, are followed"
            ));
        };
        match self.sizes.get(pointer) {
            Some(Some(size)) => return Ok(*size),
            // It leads back to itself; how often it is followed is up to the value, which is finite.
            Some(None) => return Ok(1),
            None => {}
        }
        let pointer = pointer.to_owned();
        let decoded = percent_decoded(&pointer);
        let Some(target) = self.root.pointer(&decoded) else {
            return Err(format!("it refers to `#{pointer}`, which is not there"));
        };
        self.sizes.insert(pointer.clone(), None);
        let size = self.parts(target, depth + 1)?;
        self.sizes.insert(pointer, Some(size));
        Ok(size)
    }
}

/// A JSON pointer in a URL fragment may be percent-encoded.
fn percent_decoded(pointer: &str) -> String {
    url::form_urlencoded::parse(pointer.replace('+', "%2B").as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn doubling(levels: usize, keyword: &str) -> Value {
        let mut defs = serde_json::Map::new();
        for level in 0..levels {
            let next = format!("#/$defs/d{}", level + 1);
            defs.insert(
                format!("d{level}"),
                json!({ keyword: [{ "$ref": next }, { "$ref": next }] }),
            );
        }
        defs.insert(format!("d{levels}"), json!({ "type": "object" }));
        json!({ "type": "object", "$defs": defs, "$ref": "#/$defs/d0" })
    }

    #[test]
    fn a_schema_that_doubles_at_each_level_is_refused() {
        for keyword in ["allOf", "anyOf"] {
            let error = compile(&doubling(40, keyword)).unwrap_err();
            assert!(error.contains("10000 parts"), "{error}");
        }
        assert!(compile(&doubling(5, "allOf")).is_ok());
    }

    #[test]
    fn recursion_that_follows_the_value_is_fine() {
        let tree = json!({ "type": "object", "properties": { "children": { "type": "array", "items": { "$ref": "#" } } } });
        let validator = compile(&tree).unwrap();
        assert!(validator.is_valid(&json!({ "children": [{ "children": [] }] })));
        assert!(!validator.is_valid(&json!({ "children": [{ "children": 1 }] })));
    }

    #[test]
    fn references_that_lead_out_are_refused() {
        for reference in [
            "https://example.com/s.json",
            "file:///etc/passwd",
            "other.json",
            "#anchor",
            "#/$defs/none",
        ] {
            assert!(
                compile(&json!({ "type": "object", "$ref": reference })).is_err(),
                "{reference}"
            );
        }
    }
}
