//! The server's JSON: one request for a batch, and the vectors in its answer. No network.

use hydroid_component::embedder::{Error, ErrorKind, Purpose};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::known::known;

/// `POST /api/embed`.
#[derive(Debug, Serialize)]
pub struct Request<'a> {
    model: &'a str,
    input: Vec<String>,
    /// Long texts are cut rather than refused, as the contract wants it.
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    options: &'a Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    embeddings: Vec<Vec<f32>>,
}

/// The request for these texts.
pub fn request<'a>(
    config: &'a Config,
    inputs: &[String],
    purpose: Purpose,
) -> Result<Request<'a>, Error> {
    let known = known(&config.model);
    let (own, usual) = match purpose {
        Purpose::Query => (&config.query_prefix, known.map(|model| model.query_prefix)),
        Purpose::Document => (&config.document_prefix, known.map(|model| model.document_prefix)),
    };
    let prefix = own.as_deref().or(usual).unwrap_or_default();
    Ok(Request {
        model: &config.model,
        // Nothing to look at would give a vector without numbers.
        input: inputs
            .iter()
            .map(|text| if text.is_empty() { " " } else { text.as_str() })
            .map(|text| format!("{prefix}{text}"))
            .collect(),
        truncate: true,
        dimensions: config.shorten.then(|| config.dimensions()).transpose()?,
        keep_alive: config.keep_alive.as_deref(),
        options: &config.options,
    })
}

/// The vectors, in the order of the texts.
pub fn vectors(body: &[u8]) -> Result<Vec<Vec<f32>>, Error> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| Error {
        sent: true,
        ..Error::new(
            ErrorKind::Unavailable,
            format!("the server's vectors cannot be read: {error}; check `base_url`"),
        )
    })?;
    Ok(answer.embeddings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        serde_json::from_str(json).expect("a configuration")
    }

    fn sent(json: &str, purpose: Purpose) -> Value {
        let config = config(json);
        let request = request(&config, &["Why is the sky blue?".to_owned()], purpose);
        serde_json::to_value(request.expect("a request")).expect("JSON")
    }

    #[test]
    fn a_request_is_what_the_server_takes() {
        assert_eq!(
            sent(r#"{"model": "all-minilm"}"#, Purpose::Query),
            serde_json::json!({
                "model": "all-minilm", "input": ["Why is the sky blue?"], "truncate": true
            })
        );
        let full = sent(
            r#"{"dimensions": 256, "shorten": true, "keep_alive": "5m", "options": {"num_ctx": 512}}"#,
            Purpose::Document,
        );
        assert_eq!(
            full,
            serde_json::json!({
                "model": "nomic-embed-text", "input": ["search_document: Why is the sky blue?"],
                "truncate": true, "dimensions": 256, "keep_alive": "5m", "options": {"num_ctx": 512}
            })
        );
    }

    #[test]
    fn what_a_model_wants_before_a_question_can_be_said_otherwise() {
        let input = |json: &str| sent(json, Purpose::Query)["input"][0].clone();
        assert_eq!(input("{}"), "search_query: Why is the sky blue?");
        assert_eq!(input(r#"{"query_prefix": ""}"#), "Why is the sky blue?");
        assert_eq!(
            input(r#"{"model": "own:1b", "query_prefix": "Q: "}"#),
            "Q: Why is the sky blue?"
        );
    }

    /// The answer in the server's own documentation of `/api/embed`, shortened.
    #[test]
    fn vectors_are_read() {
        let body = br#"{"model": "all-minilm", "embeddings": [[0.010071029, -0.0017594862],
            [-0.0098027075, 0.06042469]], "total_duration": 14143917, "load_duration": 1019500,
            "prompt_eval_count": 8}"#;
        let vectors = vectors(body).expect("vectors");
        assert_eq!(vectors, [[0.010_071_029, -0.001_759_486_2], [-0.009_802_707_5, 0.060_424_69]]);
    }

    #[test]
    fn what_is_no_list_of_vectors_is_an_error() {
        for bad in [&b""[..], b"[]", b"{}", br#"{"embedding":[1]}"#, br#"{"embeddings":[[null]]}"#]
        {
            let error = vectors(bad).expect_err("refused");
            assert!(error.sent && error.message.contains("cannot be read"), "{error:?}");
        }
    }

    #[test]
    fn dimensions_are_known_or_asked_for() {
        assert_eq!(config(r#"{"model": "bge-m3:latest"}"#).dimensions().expect("known"), 1024);
        let error = config(r#"{"model": "all-minilm:33m"}"#).dimensions().expect_err("unknown");
        assert!(error.message.contains("ollama show all-minilm:33m"), "{}", error.message);
    }
}
