//! What of the components is offered as what. A tool is one unless its definition says in its
//! options that it is a prompt or a resource: `{"mcp": {"prompt": true}}`,
//! `{"mcp": {"resource": {"uri": …}}}` or `{"mcp": {"resource": {"uri_template": …}}}`.

use hydroid_core::ports::Callers;
use hydroid_core::tool::{Impact, ToolDetails, ToolSpec};
use rmcp::model::{
    JsonObject, Prompt, PromptArgument, Resource, ResourceTemplate, Tool, ToolAnnotations,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Arguments in which a tool is handed what it asked of the client; no client writes them.
pub(super) const RESPONSES: &str = "input_responses";
/// The same for what the tool wanted back.
pub(super) const STATE: &str = "input_state";

/// All that is offered at a moment.
pub(super) struct Offered {
    all: Vec<Offer>,
}

/// One tool of a component.
pub(super) struct Offer {
    pub(super) spec: ToolSpec,
    details: ToolDetails,
    part: Part,
    /// It may ask the client for something.
    pub(super) asks: bool,
}

enum Part {
    Tool,
    Prompt,
    Resource { uri: String, media_type: Option<String> },
    Template { template: String, media_type: Option<String> },
}

/// A resource that was found by its address.
pub(super) struct Found<'a> {
    pub(super) tool: &'a Offer,
    pub(super) arguments: JsonObject,
    pub(super) media_type: Option<&'a str>,
}

impl Offered {
    pub(super) fn of(callers: &dyn Callers) -> Self {
        let offer = |spec: ToolSpec| {
            let details = callers.details(&spec.name).unwrap_or_default();
            let settings = details.options.as_ref().and_then(|options| options.get("mcp"));
            let part = settings.map_or(Part::Tool, part);
            let asks = settings.and_then(|its| its.get("input")) == Some(&Value::Bool(true));
            Offer { spec, details, part, asks }
        };
        Self { all: callers.specs().into_iter().map(offer).collect() }
    }

    /// Another one for other tools.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for offer in &self.all {
            for text in [&offer.spec.name, &offer.spec.description, offer.spec.component.as_str()]
                as [&str; 3]
            {
                hash.update(text.len().to_le_bytes());
                hash.update(text);
            }
            hash.update(offer.spec.input_schema.to_string());
            hash.update(serde_json::to_vec(&offer.output_schema()).unwrap_or_default());
        }
        hash.finalize().into()
    }

    pub(super) fn tools(&self) -> Vec<Tool> {
        self.all.iter().filter(|offer| matches!(offer.part, Part::Tool)).map(Offer::tool).collect()
    }

    pub(super) fn prompts(&self) -> Vec<Prompt> {
        let prompts = self.all.iter().filter(|offer| matches!(offer.part, Part::Prompt));
        prompts.map(Offer::as_prompt).collect()
    }

    pub(super) fn resources(&self) -> Vec<Resource> {
        let resource = |offer: &Offer| match &offer.part {
            Part::Resource { uri, media_type } => {
                let resource =
                    Resource::new(uri, &offer.spec.name).with_description(&offer.spec.description);
                Some(match media_type {
                    Some(media_type) => resource.with_mime_type(media_type),
                    None => resource,
                })
            }
            Part::Tool | Part::Prompt | Part::Template { .. } => None,
        };
        self.all.iter().filter_map(resource).collect()
    }

    pub(super) fn templates(&self) -> Vec<ResourceTemplate> {
        let template = |offer: &Offer| match &offer.part {
            Part::Template { template, media_type } => {
                let found = ResourceTemplate::new(template, &offer.spec.name)
                    .with_description(&offer.spec.description);
                Some(match media_type {
                    Some(media_type) => found.with_mime_type(media_type),
                    None => found,
                })
            }
            Part::Tool | Part::Prompt | Part::Resource { .. } => None,
        };
        self.all.iter().filter_map(template).collect()
    }

    pub(super) fn tool(&self, name: &str) -> Option<&Offer> {
        self.all.iter().find(|its| its.spec.name == name && matches!(its.part, Part::Tool))
    }

    pub(super) fn prompt(&self, name: &str) -> Option<&Offer> {
        self.all.iter().find(|its| its.spec.name == name && matches!(its.part, Part::Prompt))
    }

    pub(super) fn template(&self, uri: &str) -> Option<&Offer> {
        self.all
            .iter()
            .find(|its| matches!(&its.part, Part::Template { template, .. } if template == uri))
    }

    pub(super) fn resource(&self, uri: &str) -> Option<Found<'_>> {
        let exact = self.all.iter().find_map(|tool| match &tool.part {
            Part::Resource { uri: its, media_type } if its == uri => {
                let media_type = media_type.as_deref();
                Some(Found { tool, arguments: JsonObject::new(), media_type })
            }
            _ => None,
        });
        exact.or_else(|| {
            self.all.iter().find_map(|tool| match &tool.part {
                Part::Template { template, media_type } => {
                    let arguments = filled(template, uri)?;
                    Some(Found { tool, arguments, media_type: media_type.as_deref() })
                }
                Part::Tool | Part::Prompt | Part::Resource { .. } => None,
            })
        })
    }
}

impl Offer {
    /// What its data is, as far as the protocol can say it: an object.
    fn output_schema(&self) -> Option<&JsonObject> {
        let schema = self.details.output_schema.as_ref()?.as_object()?;
        let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
        // What asks the client first answers with its questions.
        (is_object && !self.asks).then_some(schema)
    }

    pub(super) fn promises_data(&self) -> bool {
        self.output_schema().is_some()
    }

    fn tool(&self) -> Tool {
        let spec = &self.spec;
        let mut schema = spec.input_schema.as_object().cloned().unwrap_or_default();
        if self.asks
            && let Some(Value::Object(properties)) = schema.get_mut("properties")
        {
            properties.remove(RESPONSES);
            properties.remove(STATE);
        }
        let annotations = ToolAnnotations::new()
            // Proven or claimed, whichever says less.
            .read_only(spec.claims_read_only && spec.impact <= Impact::Network)
            .destructive(self.details.destructive)
            .idempotent(self.details.idempotent)
            .open_world(self.details.open_world || spec.impact == Impact::Network);
        let tool = Tool::new_with_raw(
            spec.name.clone(),
            Some(spec.description.clone().into()),
            Arc::new(schema),
        )
        .with_annotations(annotations);
        let tool = match self.output_schema() {
            Some(schema) => tool.with_raw_output_schema(Arc::new(schema.clone())),
            None => tool,
        };
        match &spec.title {
            Some(title) => tool.with_title(title),
            None => tool,
        }
    }

    fn as_prompt(&self) -> Prompt {
        let schema = &self.spec.input_schema;
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|all| all.iter().any(|its| its == name));
        let argument = |(name, about): (&String, &Value)| {
            let argument = PromptArgument::new(name).with_required(is_required(name));
            match about.get("description").and_then(Value::as_str) {
                Some(description) => argument.with_description(description),
                None => argument,
            }
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let arguments = properties.into_iter().flatten();
        let arguments = arguments.filter(|(name, _)| *name != RESPONSES && *name != STATE);
        let arguments: Vec<PromptArgument> = arguments.map(argument).collect();
        let prompt = Prompt::new(&self.spec.name, Some(&self.spec.description), Some(arguments));
        match &self.spec.title {
            Some(title) => prompt.with_title(title),
            None => prompt,
        }
    }

    /// Values of an argument that begin so: those its schema lists.
    pub(super) fn completions(&self, argument: &str, beginning: &str) -> Vec<String> {
        let about = self.spec.input_schema.get("properties").and_then(|all| all.get(argument));
        let listed = ["enum", "examples"]
            .into_iter()
            .filter_map(|key| about?.get(key)?.as_array())
            .flatten();
        let values = listed.filter_map(Value::as_str).filter(|value| value.starts_with(beginning));
        values.map(str::to_owned).collect()
    }
}

/// What a definition says it is; anything that is not understood leaves it a tool.
fn part(settings: &Value) -> Part {
    if settings.get("prompt") == Some(&Value::Bool(true)) {
        return Part::Prompt;
    }
    let Some(resource) = settings.get("resource") else { return Part::Tool };
    let text = |key| resource.get(key).and_then(Value::as_str).map(str::to_owned);
    let media_type = text("media_type");
    match (text("uri"), text("uri_template")) {
        (Some(uri), _) => Part::Resource { uri, media_type },
        (None, Some(template)) => Part::Template { template, media_type },
        (None, None) => Part::Tool,
    }
}

/// The values of `{name}` in an address; none if it is not one of the template. A value has no
/// `/`, so no two templates that differ in their parts mean the same address.
fn filled(template: &str, uri: &str) -> Option<JsonObject> {
    let mut values = JsonObject::new();
    let (mut template, mut uri) = (template, uri);
    while let Some((before, rest)) = template.split_once('{') {
        let (name, after) = rest.split_once('}')?;
        uri = uri.strip_prefix(before)?;
        let end = match after.chars().next() {
            Some(next) if next != '{' => uri.find(next)?,
            Some(_) => return None,
            None => uri.len(),
        };
        let (value, left) = uri.split_at(end);
        if value.is_empty() || value.contains('/') {
            return None;
        }
        values.insert(name.to_owned(), Value::String(value.to_owned()));
        (template, uri) = (after, left);
    }
    (template == uri).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(template: &str, uri: &str, expect: Option<Value>) {
        assert_eq!(filled(template, uri).map(Value::Object), expect);
    }

    #[test]
    fn an_address_is_taken_apart_by_its_template() {
        check("test://t/{id}/data", "test://t/123/data", Some(json!({ "id": "123" })));
        check("test://t/{id}", "test://t/é", Some(json!({ "id": "é" })));
        check("a://{x}-{y}", "a://1-2", Some(json!({ "x": "1", "y": "2" })));
        check("test://t/{id}/data", "test://t//data", None);
        check("test://t/{id}", "test://t/../secret", None);
        check("test://t/{id}", "test://t/", None);
        check("test://t/{id", "test://t/1", None);
        check("test://t/{a}{b}", "test://t/12", None);
        check("test://t", "test://tt", None);
    }
}
