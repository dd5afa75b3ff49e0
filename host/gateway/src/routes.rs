//! The requests of the protocol as HTTP has them: one table, of which both the routes and the
//! OpenAPI document are made. A request is the same value either way, so there is one meaning.

use crate::api;
use http::HeaderMap;
use serde_json::{Map, Value, json};

/// What a field of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A text with something in it.
    Words,
    Number,
    /// A number of things.
    Count,
    Bool,
    /// An object or a list, whose schema has this name.
    Of(&'static str),
}

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    /// In the header of this name.
    Header(&'static str),
    Body,
}

/// A field of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// A request as HTTP has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// The request's `type`.
    pub(crate) request: &'static str,
    /// The reply's `reply`.
    pub(crate) reply: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) fields: &'static [Field],
}

const fn field(name: &'static str, place: Place, kind: Kind, required: bool) -> Field {
    Field { name, place, kind, required }
}

const SESSION: Field = field("session", Place::Path, Kind::Text, true);
const SKILL: Field = field("skill", Place::Path, Kind::Text, true);
const TITLE: Field = field("title", Place::Body, Kind::Text, false);
const TEXT: Field = field("text", Place::Body, Kind::Words, true);
const LIMIT: Field = field("limit", Place::Query, Kind::Count, false);
/// HTTP has a header for it that many clients send with what they try again.
const KEY: Field = field("key", Place::Header("Idempotency-Key"), Kind::Text, false);
/// What the turn belongs to in traces of the client's.
const TRACEPARENT: Field = field("traceparent", Place::Header(api::TRACEPARENT), Kind::Text, false);
const BEFORE: Field = field("before", Place::Body, Kind::Text, false);

/// Every request that HTTP has.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/api/v1/status",
        request: "status",
        reply: "status",
        summary: "How the host is",
        fields: &[],
    },
    Route {
        method: "GET",
        path: "/api/v1/sessions",
        request: "sessions",
        reply: "sessions",
        summary: "Lists sessions, newest first",
        fields: &[field("archived", Place::Query, Kind::Bool, false), LIMIT],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions",
        request: "create",
        reply: "session",
        summary: "Begins a session",
        fields: &[TITLE, field("settings", Place::Body, Kind::Of("Settings"), false), KEY],
    },
    Route {
        method: "DELETE",
        path: "/api/v1/sessions/{session}",
        request: "delete",
        reply: "done",
        summary: "Removes a session for good",
        fields: &[SESSION],
    },
    Route {
        method: "GET",
        path: "/api/v1/sessions/{session}/entries",
        request: "entries",
        reply: "entries",
        summary: "Reads a part of a session",
        fields: &[SESSION, field("after", Place::Query, Kind::Number, false), LIMIT],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/messages",
        request: "say",
        reply: "accepted",
        summary: "Says something, which starts a turn or queues one",
        fields: &[
            SESSION,
            TEXT,
            field("attachments", Place::Body, Kind::Of("Attachments"), false),
            KEY,
            TRACEPARENT,
        ],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/steer",
        request: "steer",
        reply: "done",
        summary: "Says something into the running turn",
        fields: &[SESSION, TEXT, KEY],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/aside",
        request: "aside",
        reply: "aside_ended",
        summary: "Asks something beside the conversation",
        fields: &[SESSION, TEXT, TRACEPARENT],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/answers",
        request: "answer",
        reply: "done",
        summary: "Answers an approval",
        fields: &[
            SESSION,
            field("call_id", Place::Body, Kind::Text, true),
            field("answer", Place::Body, Kind::Of("Answer"), true),
        ],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/cancel",
        request: "cancel",
        reply: "done",
        summary: "Stops the running turn",
        fields: &[SESSION],
    },
    Route {
        method: "POST",
        path: "/api/v1/cancel",
        request: "cancel_all",
        reply: "done",
        summary: "Stops every running turn",
        fields: &[],
    },
    Route {
        method: "PUT",
        path: "/api/v1/sessions/{session}/title",
        request: "rename",
        reply: "session",
        summary: "Gives a session another title",
        fields: &[SESSION, field("title", Place::Body, Kind::Text, true)],
    },
    Route {
        method: "PUT",
        path: "/api/v1/sessions/{session}/archived",
        request: "archive",
        reply: "session",
        summary: "Puts a session away, or takes it out again",
        fields: &[SESSION, field("archived", Place::Body, Kind::Bool, true)],
    },
    Route {
        method: "PUT",
        path: "/api/v1/sessions/{session}/settings",
        request: "settings",
        reply: "session",
        summary: "Replaces what a session has of its own",
        fields: &[SESSION, field("settings", Place::Body, Kind::Of("Settings"), true)],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/fork",
        request: "fork",
        reply: "session",
        summary: "Copies a session into a new one",
        fields: &[SESSION, BEFORE, TITLE, KEY],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/rewind",
        request: "rewind",
        reply: "done",
        summary: "Lets the conversation forget a turn and what follows it",
        fields: &[SESSION, BEFORE],
    },
    Route {
        method: "POST",
        path: "/api/v1/sessions/{session}/compact",
        request: "compact",
        reply: "compacted",
        summary: "Sums the older part of a conversation up now",
        fields: &[SESSION],
    },
    Route {
        method: "PUT",
        path: "/api/v1/sessions/{session}/skills/{skill}",
        request: "load_skill",
        reply: "skill_loaded",
        summary: "Has a session take a skill up",
        fields: &[SESSION, SKILL],
    },
    Route {
        method: "DELETE",
        path: "/api/v1/sessions/{session}/skills/{skill}",
        request: "unload_skill",
        reply: "done",
        summary: "Has a session lay a skill down",
        fields: &[SESSION, SKILL],
    },
    Route {
        method: "GET",
        path: "/api/v1/sessions/{session}/export",
        request: "export",
        reply: "export",
        summary: "Writes a session as one text",
        fields: &[SESSION, field("format", Place::Query, Kind::Of("Format"), true)],
    },
    Route {
        method: "GET",
        path: "/api/v1/sessions/{session}/policy",
        request: "policy",
        reply: "policy",
        summary: "The rules in force for a session",
        fields: &[SESSION],
    },
    Route {
        method: "GET",
        path: "/api/v1/search",
        request: "search",
        reply: "found",
        summary: "Finds words in sessions",
        fields: &[
            field("text", Place::Query, Kind::Words, true),
            field("session", Place::Query, Kind::Text, false),
            LIMIT,
        ],
    },
    Route {
        method: "POST",
        path: "/api/v1/notifications/seen",
        request: "seen",
        reply: "done",
        summary: "Notifications that were shown to a person",
        fields: &[field("notifications", Place::Body, Kind::Of("Attachments"), true)],
    },
    Route {
        method: "GET",
        path: "/api/v1/models",
        request: "models",
        reply: "models",
        summary: "Models that can be chosen",
        fields: &[],
    },
    Route {
        method: "GET",
        path: "/api/v1/tools",
        request: "tools",
        reply: "tools",
        summary: "Tools on offer",
        fields: &[],
    },
    Route {
        method: "GET",
        path: "/api/v1/components",
        request: "components",
        reply: "components",
        summary: "What is installed",
        fields: &[],
    },
    Route {
        method: "GET",
        path: "/api/v1/cost",
        request: "cost",
        reply: "cost",
        summary: "What models have cost",
        fields: &[field("session", Place::Query, Kind::Text, false)],
    },
    Route {
        method: "GET",
        path: "/api/v1/notes",
        request: "notes",
        reply: "notes",
        summary: "Notes that are kept",
        fields: &[field("text", Place::Query, Kind::Text, false)],
    },
    Route {
        method: "DELETE",
        path: "/api/v1/notes/{note}",
        request: "forget_note",
        reply: "done",
        summary: "Forgets a note",
        fields: &[field("note", Place::Path, Kind::Text, true)],
    },
    Route {
        method: "GET",
        path: "/api/v1/skills",
        request: "skills",
        reply: "skills",
        summary: "Skills that can be loaded, and those that a session has loaded",
        fields: &[field("session", Place::Query, Kind::Text, false)],
    },
    Route {
        method: "DELETE",
        path: "/api/v1/approvals/{approval}",
        request: "revoke",
        reply: "done",
        summary: "Takes back what was allowed for good",
        fields: &[field("approval", Place::Path, Kind::Text, true)],
    },
];

impl Route {
    /// What of a call's headers are fields, by the name of the field; the error is a sentence.
    pub(crate) fn headers_of(&self, sent: &HeaderMap) -> Result<Vec<(String, String)>, String> {
        let mut headers = Vec::new();
        for field in self.fields {
            let Place::Header(header) = field.place else { continue };
            // What is malformed there is left alone.
            if header == api::TRACEPARENT {
                let text = api::traceparent(sent);
                headers.extend(text.map(|text| (field.name.to_owned(), text.to_owned())));
                continue;
            }
            let mut values = sent.get_all(header).iter();
            let Some(value) = values.next() else { continue };
            let text = value.to_str().map_err(|_| format!("`{header}` is plain text"))?;
            if values.next().is_some() {
                return Err(format!("`{header}` comes once"));
            }
            headers.push((field.name.to_owned(), text.to_owned()));
        }
        Ok(headers)
    }

    /// The request of a call, as the protocol has it; the error is a sentence.
    pub(crate) fn request(
        &self,
        path: &[(String, String)],
        query: &[(String, String)],
        headers: &[(String, String)],
        body: &Value,
    ) -> Result<Value, String> {
        let mut request = Map::new();
        request.insert("type".to_owned(), self.request.into());
        for field in self.fields {
            let given = |from: &[(String, String)]| {
                from.iter().find(|(name, _)| name == field.name).map(|(_, value)| value.clone())
            };
            let value = match field.place {
                Place::Path => given(path).map(Value::String),
                Place::Header(_) => given(headers).map(Value::String),
                Place::Query => {
                    given(query).map(|text| field.kind.read(field.name, text)).transpose()?
                }
                Place::Body => body.get(field.name).filter(|value| !value.is_null()).cloned(),
            };
            match value {
                Some(value) => drop(request.insert(field.name.to_owned(), value)),
                None if field.required => return Err(format!("`{}` is missing", field.name)),
                None => {}
            }
        }
        let known = |name: &str, place| {
            self.fields.iter().any(|field| field.name == name && field.place == place)
        };
        if let Some((name, _)) = query.iter().find(|(name, _)| !known(name, Place::Query)) {
            return Err(format!("`{}` is no parameter of this request", shown(name)));
        }
        match body {
            Value::Null => {}
            Value::Object(fields) => {
                if let Some(name) = fields.keys().find(|name| !known(name, Place::Body)) {
                    return Err(format!("`{}` is no field of this request", shown(name)));
                }
            }
            _ => return Err("the body is a JSON object".to_owned()),
        }
        Ok(Value::Object(request))
    }

    fn has_body(&self) -> bool {
        self.fields.iter().any(|field| field.place == Place::Body)
    }
}

fn shown(name: &str) -> String {
    name.chars().take(40).filter(|c| !c.is_control()).collect()
}

impl Kind {
    fn read(self, name: &str, text: String) -> Result<Value, String> {
        match self {
            Self::Text | Self::Words | Self::Of(_) => Ok(Value::String(text)),
            Self::Number => match text.parse::<u64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(format!("`{name}` is a number, at least 0")),
            },
            Self::Count => match text.parse::<u32>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(format!("`{name}` is a number, from 0 to {}", u32::MAX)),
            },
            Self::Bool => match text.as_str() {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(format!("`{name}` is `true` or `false`")),
            },
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Words => json!({ "type": "string", "minLength": 1 }),
            Self::Count => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            Self::Number => json!({ "type": "integer", "minimum": 0 }),
            Self::Bool => json!({ "type": "boolean" }),
            Self::Of(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
        }
    }
}

/// The OpenAPI document.
pub(crate) fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method.to_ascii_lowercase()] = operation(route);
    }
    paths.insert("/api/v1/sessions/{session}/events".to_owned(), events());
    paths.insert("/api/v1/uploads".to_owned(), uploads());
    paths.insert(
        "/healthz".to_owned(),
        json!({ "get": public("Whether the host is there", "text/plain") }),
    );
    paths.insert(
        "/readyz".to_owned(),
        json!({ "get": public("Whether the host takes requests", "text/plain") }),
    );
    for (path, operations) in crate::openai::documented() {
        paths.insert(path.to_owned(), operations);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hydroid",
            "version": version,
            "description": "The requests of protocol 1 over HTTP. What happens in a session comes as server-sent events, or over the socket at /api/v1/socket.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Settings": { "type": "object", "properties": {
                    "provider": { "type": "string", "minLength": 1, "maxLength": 200 },
                    "model": { "type": "string", "minLength": 1, "maxLength": 200 },
                    "effort": { "type": "string", "minLength": 1, "maxLength": 200 },
                    "mode": { "enum": ["plan", "default", "accept-edits", "headless"] },
                } },
                "Attachments": { "type": "array", "items": { "type": "string" } },
                "Format": { "enum": ["jsonl", "markdown", "replay"] },
                "Answer": { "type": "object", "required": ["answer"], "properties": {
                    "answer": { "enum": ["once", "session", "always", "edit", "deny"] },
                    "calls": { "type": "string" },
                    "days": { "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32 },
                    "arguments": { "type": "string" },
                    "reason": { "type": "string" },
                } },
                "CompatibleError": { "type": "object", "required": ["error"], "properties": { "error": {
                    "type": "object", "required": ["message"], "properties": {
                        "message": { "type": "string" },
                        "type": { "type": "string" },
                        "param": { "type": ["string", "null"] },
                        "code": { "type": ["string", "null"] },
                    },
                } } },
                "Reply": { "type": "object", "required": ["reply"], "properties": { "reply": { "type": "string" } } },
                "Error": { "type": "object", "required": ["error"], "properties": { "error": {
                    "type": "object", "required": ["code", "message"], "properties": {
                        "code": { "type": "string" },
                        "message": { "type": "string" },
                        "retry_after_ms": { "type": "integer" },
                    },
                } } },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .fields
        .iter()
        .filter(|field| field.place != Place::Body)
        .map(|field| {
            let (name, place) = match field.place {
                Place::Path => (field.name, "path"),
                Place::Header(header) => (header, "header"),
                Place::Query | Place::Body => (field.name, "query"),
            };
            json!({ "name": name, "in": place, "required": field.required, "schema": field.kind.schema() })
        })
        .collect();
    let mut operation = json!({
        "operationId": route.request,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(&json!({
            "allOf": [
                { "$ref": "#/components/schemas/Reply" },
                { "properties": { "reply": { "const": route.reply } } },
            ]
        })),
    });
    if route.has_body() {
        let body = route.fields.iter().filter(|field| field.place == Place::Body);
        let properties: Map<String, Value> =
            body.clone().map(|field| (field.name.to_owned(), field.kind.schema())).collect();
        let required: Vec<&str> =
            body.filter(|field| field.required).map(|field| field.name).collect();
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            } } },
        });
    }
    operation
}

fn responses(schema: &Value) -> Value {
    let error = json!({
        "description": "Refused",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    let mut responses = json!({
        "200": { "description": "Done", "content": { "application/json": { "schema": schema } } },
    });
    for code in ["400", "401", "403", "404", "409", "413", "415", "429", "500", "503"] {
        responses[code] = error.clone();
    }
    responses
}

fn events() -> Value {
    let mut operation = operation(&Route {
        method: "GET",
        path: "",
        request: "events",
        reply: "",
        summary: "Follows a session: its entries after a number, then what happens",
        fields: const { &[SESSION, field("after", Place::Query, Kind::Number, false)] },
    });
    operation["responses"]["200"] = json!({ "description": "Events", "content": { "text/event-stream": { "schema": { "type": "string" } } } });
    json!({ "get": operation })
}

fn uploads() -> Value {
    let mut operation = operation(&Route {
        method: "POST",
        path: "",
        request: "upload",
        reply: "upload",
        summary: "Hands up a file to be attached; its media type is that of the body",
        fields: const { &[field("name", Place::Query, Kind::Words, true)] },
    });
    operation["requestBody"] = json!({
        "required": true,
        "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } },
    });
    json!({ "post": operation })
}

fn public(summary: &str, media_type: &str) -> Value {
    json!({
        "summary": summary,
        "security": [],
        "responses": {
            "200": { "description": "Yes", "content": { media_type: { "schema": { "type": "string" } } } },
            "503": { "description": "No", "content": { media_type: { "schema": { "type": "string" } } } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::protocol::Request;

    fn example(field: &Field) -> Value {
        match field.kind {
            Kind::Text | Kind::Words => "x".into(),
            Kind::Number | Kind::Count => 1.into(),
            Kind::Bool => true.into(),
            Kind::Of("Settings") => json!({ "mode": "plan" }),
            Kind::Of("Answer") => json!({ "answer": "once" }),
            Kind::Of("Format") => "jsonl".into(),
            Kind::Of(_) => json!(["x"]),
        }
    }

    #[test]
    fn every_route_makes_the_request_it_names() {
        for route in ROUTES {
            let pairs = |place| -> Vec<(String, String)> {
                let fields = route.fields.iter().filter(|field| field.place == place);
                fields
                    .map(|field| {
                        let value = example(field);
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        (field.name.to_owned(), text)
                    })
                    .collect()
            };
            let body = route.fields.iter().filter(|field| field.place == Place::Body);
            let body: Map<String, Value> =
                body.map(|field| (field.name.to_owned(), example(field))).collect();
            let headers =
                ["Idempotency-Key", api::TRACEPARENT].map(|name| pairs(Place::Header(name)));
            let headers = headers.concat();
            let query = pairs(Place::Query);
            let made = route.request(&pairs(Place::Path), &query, &headers, &body.into());
            let request: Request = serde_json::from_value(made.unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", route.request));
            let back = serde_json::to_value(request).unwrap();
            assert_eq!(back["type"], route.request);
            for field in route.fields {
                assert!(back.get(field.name).is_some(), "{} loses {}", route.request, field.name);
            }
        }
    }

    #[test]
    fn what_a_request_does_not_have_is_refused() {
        let route = ROUTES.iter().find(|route| route.request == "sessions").unwrap();
        let query = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for (query, body, expect) in [
            (query("limit", "-1"), Value::Null, "is a number"),
            (query("limit", "4294967296"), Value::Null, "is a number"),
            (query("archived", "yes"), Value::Null, "`true` or `false`"),
            (query("other", "1"), Value::Null, "no parameter"),
            (vec![], json!({ "title": "x" }), "no field"),
            (vec![], json!([1]), "a JSON object"),
        ] {
            let error = route.request(&[], &query, &[], &body).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        let say = ROUTES.iter().find(|route| route.request == "say").unwrap();
        let session = vec![("session".to_owned(), "s".to_owned())];
        assert!(
            say.request(&session, &[], &[], &Value::Null)
                .unwrap_err()
                .contains("`text` is missing")
        );
    }

    #[test]
    fn the_document_has_every_route_once() {
        let document = document("0");
        let mut count = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                count += 1;
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let in_path = parameter["in"] == "path";
                    let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
                    assert_eq!(path.contains(&name), in_path, "{method} {path}");
                }
            }
        }
        let compatible = crate::openai::documented();
        let compatible: usize =
            compatible.iter().filter_map(|(_, methods)| Some(methods.as_object()?.len())).sum();
        assert_eq!(count, ROUTES.len() + 4 + compatible);
    }
}
