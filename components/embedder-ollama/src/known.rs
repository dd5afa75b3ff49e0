//! Embedding models that Ollama's library has, with what their authors say of them: dimensions,
//! and what stands before a question and before a text. Others need configuration and work as well.

/// A model as its authors describe it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    name: &'static str,
    pub dimensions: u32,
    pub query_prefix: &'static str,
    pub document_prefix: &'static str,
}

const QUESTION: &str = "Represent this sentence for searching relevant passages: ";

const KNOWN: &[Known] = &[
    model("all-minilm", 384, "", ""),
    model("bge-large", 1024, QUESTION, ""),
    model("bge-m3", 1024, "", ""),
    model("embeddinggemma", 768, "task: search result | query: ", "title: none | text: "),
    model("mxbai-embed-large", 1024, QUESTION, ""),
    model("nomic-embed-text", 768, "search_query: ", "search_document: "),
    model("snowflake-arctic-embed", 1024, QUESTION, ""),
    model("snowflake-arctic-embed2", 1024, "query: ", ""),
];

const fn model(
    name: &'static str,
    dimensions: u32,
    query_prefix: &'static str,
    document_prefix: &'static str,
) -> Known {
    Known { name, dimensions, query_prefix, document_prefix }
}

/// What is known of a model. Another size of the same model is another one, so a tag that is not
/// `latest` is not known.
pub fn known(model: &str) -> Option<&'static Known> {
    let name = model.strip_suffix(":latest").unwrap_or(model);
    KNOWN.iter().find(|known| known.name == name)
}
