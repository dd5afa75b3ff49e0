//! The service's JSON: one request for a batch, and the vectors in its answer. No network.

use hydroid_component::embedder::{Error, Purpose};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::unreadable;

/// A request, ours first, so that nothing configured can change whose vectors come back.
#[derive(Debug, Serialize)]
pub struct Request {
    model: String,
    input: Vec<String>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(flatten)]
    options: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Debug, Deserialize)]
struct Embedding {
    /// Left out by some services, whose vectors then come in the order of the texts.
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// The request for these texts.
pub fn request(config: &Config, inputs: &[String], purpose: Purpose) -> Result<Request, Error> {
    let (prefix, own) = match purpose {
        Purpose::Query => (&config.query_prefix, &config.query_options),
        Purpose::Document => (&config.document_prefix, &config.document_options),
    };
    let mut options = config.options.clone();
    options.extend(own.clone());
    for name in ["model", "input", "encoding_format", "dimensions"] {
        if options.contains_key(name) {
            return Err(Error::invalid_input(format!(
                "`{name}` is among the options of this component's configuration; it has a place of its own or is not for configuration"
            )));
        }
    }
    Ok(Request {
        model: config.model.clone(),
        // Services refuse an empty text, and a blank means as little.
        input: inputs
            .iter()
            .map(|text| if text.is_empty() { " " } else { text.as_str() })
            .map(|text| format!("{prefix}{text}"))
            .collect(),
        encoding_format: "float",
        dimensions: config.shorten.then(|| config.dimensions()).transpose()?,
        options,
    })
}

/// The vectors in the order of the texts.
pub fn vectors(body: &[u8]) -> Result<Vec<Vec<f32>>, Error> {
    let answer: Answer = serde_json::from_slice(body).map_err(unreadable)?;
    let count = answer.data.len();
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (position, embedding) in answer.data.into_iter().enumerate() {
        let index = embedding.index.unwrap_or(position);
        match vectors.get_mut(index) {
            Some(place @ None) => *place = Some(embedding.embedding),
            Some(Some(_)) => return Err(unreadable(format!("two vectors have index {index}"))),
            None => return Err(unreadable(format!("{count} vectors, one with index {index}"))),
        }
    }
    Ok(vectors.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        serde_json::from_str(json).expect("a configuration")
    }

    #[track_caller]
    fn sent(config_json: &str, purpose: Purpose) -> Value {
        let request = request(&config(config_json), &["one".to_owned(), String::new()], purpose);
        serde_json::to_value(request.expect("a request")).expect("JSON")
    }

    /// The fields of the published `CreateEmbeddingRequest`.
    #[test]
    fn a_request_is_what_the_service_takes() {
        assert_eq!(
            sent("{}", Purpose::Query),
            serde_json::json!({
                "model": "text-embedding-3-small", "input": ["one", " "], "encoding_format": "float"
            })
        );
        let shortened = sent(r#"{"dimensions": 256, "shorten": true}"#, Purpose::Document);
        assert_eq!(shortened["dimensions"], 256);
    }

    #[test]
    fn queries_and_documents_can_differ() {
        let json = r#"{"query_prefix": "query: ", "options": {"input_type": "passage", "truncate": "END"},
            "query_options": {"input_type": "query"}}"#;
        let query = sent(json, Purpose::Query);
        assert_eq!(
            (&query["input"][0], &query["input_type"]),
            (&"query: one".into(), &"query".into())
        );
        let document = sent(json, Purpose::Document);
        assert_eq!(document["input"][0], "one");
        assert_eq!(
            (&document["input_type"], &document["truncate"]),
            (&"passage".into(), &"END".into())
        );
        let bad = config(r#"{"options": {"input": "x"}}"#);
        assert!(request(&bad, &[], Purpose::Query).is_err());
    }

    /// The shape of the published `CreateEmbeddingResponse`, with its entries out of order.
    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let body = br#"{"object":"list","data":[
            {"object":"embedding","index":1,"embedding":[0.0023064255,-0.009327292]},
            {"object":"embedding","index":0,"embedding":[1.0,2e-3]}],
            "model":"text-embedding-ada-002","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        let expect = vec![vec![1.0, 0.002], vec![0.002_306_425_5, -0.009_327_292]];
        assert_eq!(vectors(body).expect("vectors"), expect);
        let unnumbered = br#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#;
        assert_eq!(vectors(unnumbered).expect("vectors"), [[1.0], [2.0]]);
    }

    #[test]
    fn what_is_no_list_of_vectors_is_an_error() {
        for bad in [
            &b""[..],
            b"null",
            b"{}",
            br#"{"data":[{"index":1,"embedding":[1]}]}"#,
            br#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            br#"{"data":[{"index":0,"embedding":[null]}]}"#,
            br#"{"data":[{"index":-1,"embedding":[1]}]}"#,
            br#"{"data":[{"index":0,"embedding":"AACAPw=="}]}"#,
        ] {
            let error = vectors(bad).expect_err("refused");
            assert!(error.sent && error.message.contains("cannot be read"), "{error:?}");
        }
    }

    #[test]
    fn dimensions_are_known_or_asked_for() {
        assert_eq!(
            config(r#"{"model":"text-embedding-3-large"}"#).dimensions().expect("known"),
            3072
        );
        let error = config(r#"{"model":"mistral-embed"}"#).dimensions().expect_err("unknown");
        assert!(error.message.contains("set `dimensions`"), "{}", error.message);
    }

    #[test]
    fn a_query_of_the_address_stays_behind_it() {
        let url = |base: &str| Config { base_url: base.to_owned(), ..Config::default() }.url();
        assert_eq!(url("https://a.example/v1/"), "https://a.example/v1/embeddings");
        assert_eq!(
            url("https://a.example/x?api-version=1"),
            "https://a.example/x/embeddings?api-version=1"
        );
    }
}
