//! The schemas of requests that OpenAI publishes, as a judge that is not ours.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

/// One published schema.
#[derive(Debug)]
pub struct PublishedSchema {
    name: &'static str,
    validator: Validator,
}

impl PublishedSchema {
    /// The schema of this name in `tests/fixtures/openai/requests.schema.json`.
    pub fn named(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/fixtures/openai/requests.schema.json");
        let text = std::fs::read_to_string(path).expect("the published schemas can be read");
        let mut schema: Value = serde_json::from_str(&text).expect("the schemas are JSON");
        assert!(schema["$defs"][name].is_object(), "there is no schema `{name}`");
        schema["$ref"] = json!(format!("#/$defs/{name}"));
        let validator = jsonschema::draft202012::new(&schema).expect("the schemas are schemas");
        Self { name, validator }
    }

    /// Fails with everything that does not fit.
    #[track_caller]
    pub fn check(&self, body: &Value) {
        let problems: Vec<String> = self
            .validator
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(problems.is_empty(), "no {}: {problems:#?}\n{body:#}", self.name);
    }

    /// True if it fits.
    pub fn fits(&self, body: &Value) -> bool {
        self.validator.is_valid(body)
    }
}
