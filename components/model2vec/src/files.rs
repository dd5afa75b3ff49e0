//! The three files of a model as what they say. Nothing is looked up here.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::safetensors::{Kind, Tensor, Tensors};
use crate::{FileError, wrong};

/// Most tokens of a vocabulary; the largest known has half a million.
const MOST_VOCABULARY: usize = 1 << 20;
/// Most numbers in a vector.
const MOST_DIMENSIONS: usize = 16_384;

/// The files, as they are on disk.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// `model.safetensors`.
    pub model: &'a [u8],
    /// `config.json`.
    pub config: &'a [u8],
}

/// What the files say.
pub(crate) struct Parsed<'a> {
    pub rules: Rules,
    /// Tokens by number.
    pub tokens: BTreeMap<u32, String>,
    pub unknown: String,
    pub continuing: String,
    pub rows: Tensor<'a>,
    pub dimensions: usize,
    pub weights: Option<Tensor<'a>>,
    pub mapping: Option<Tensor<'a>>,
    pub normalized: bool,
}

/// How a text becomes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub clean: bool,
    pub space_ideographs: bool,
    pub strip_accents: bool,
    pub lowercase: bool,
    pub longest_word: u32,
}

#[derive(Deserialize)]
struct Config {
    normalize: Option<bool>,
}

#[derive(Deserialize)]
struct Tokenizer {
    normalizer: Option<Typed<Normalizer>>,
    pre_tokenizer: Option<Typed<Ignored>>,
    model: Typed<WordPiece>,
}

#[derive(Deserialize)]
struct Typed<T> {
    r#type: Option<String>,
    #[serde(flatten)]
    rest: T,
}

#[derive(Deserialize)]
struct Ignored {}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(default)]
    clean_text: bool,
    #[serde(default)]
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct WordPiece {
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<u32>,
    /// A list for other kinds of tokenizer.
    #[serde(default)]
    vocab: serde_json::Value,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(files: Files<'a>) -> Result<Self, FileError> {
        let config: Config = json("config.json", files.config)?;
        let tokenizer: Tokenizer = json("tokenizer.json", files.tokenizer)?;
        let Tokenizer { normalizer, pre_tokenizer, model } = tokenizer;
        expect(
            "normalizer",
            normalizer.as_ref().and_then(|its| its.r#type.as_deref()),
            "BertNormalizer",
        )?;
        expect(
            "pre-tokenizer",
            pre_tokenizer.as_ref().and_then(|its| its.r#type.as_deref()),
            "BertPreTokenizer",
        )?;
        expect("model", model.r#type.as_deref(), "WordPiece")?;
        let Some(Typed { rest: normalizer, .. }) = normalizer else {
            return wrong("tokenizer.json has no normalizer");
        };
        let model = model.rest;
        let tensors = Tensors::read(files.model)?;
        let Some(rows) =
            ["embeddings", "0", "embedding.weight"].iter().find_map(|name| tensors.get(name))
        else {
            return wrong("model.safetensors has no tensor `embeddings`");
        };
        let [count, dimensions] = rows.shape[..] else {
            return wrong("the tensor of vectors in model.safetensors is not a matrix");
        };
        if count == 0 || !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return wrong(format!(
                "model.safetensors has {count} vectors of {dimensions} numbers; at least one vector with 1 to {MOST_DIMENSIONS} is needed"
            ));
        }
        if !matches!(rows.kind, Kind::I8 | Kind::F16 | Kind::F32) {
            return wrong(format!(
                "the vectors in model.safetensors are {:?}; I8, F16 and F32 can be read",
                rows.kind
            ));
        }
        Ok(Self {
            rules: Rules {
                clean: normalizer.clean_text,
                space_ideographs: normalizer.handle_chinese_chars,
                strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
                lowercase: normalizer.lowercase,
                longest_word: model.max_input_chars_per_word.unwrap_or(100),
            },
            tokens: vocabulary(model.vocab)?,
            unknown: model.unk_token.unwrap_or_default(),
            continuing: model.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned()),
            rows,
            dimensions,
            weights: tensors.get("weights"),
            mapping: tensors.get("mapping"),
            normalized: config.normalize.unwrap_or(true),
        })
    }
}

fn vocabulary(value: serde_json::Value) -> Result<BTreeMap<u32, String>, FileError> {
    let Ok(vocabulary) = serde_json::from_value::<BTreeMap<String, u32>>(value) else {
        return wrong("the vocabulary in tokenizer.json is not a table of tokens and numbers");
    };
    if vocabulary.is_empty() || vocabulary.len() > MOST_VOCABULARY {
        return wrong(format!(
            "the vocabulary in tokenizer.json has {} tokens; 1 to {MOST_VOCABULARY} are possible",
            vocabulary.len()
        ));
    }
    let count = vocabulary.len();
    let tokens: BTreeMap<u32, String> =
        vocabulary.into_iter().map(|(token, id)| (id, token)).collect();
    if tokens.len() != count {
        return wrong("two tokens in tokenizer.json have the same number");
    }
    Ok(tokens)
}

fn json<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T, FileError> {
    serde_json::from_slice(bytes)
        .map_err(|error| FileError(format!("{name} cannot be read: {error}")))
}

fn expect(what: &str, found: Option<&str>, expected: &str) -> Result<(), FileError> {
    if found == Some(expected) {
        return Ok(());
    }
    wrong(format!(
        "the {what} in tokenizer.json is `{}`, and only `{expected}` can be read; take a model distilled from a BERT-like one",
        found.unwrap_or("none")
    ))
}
