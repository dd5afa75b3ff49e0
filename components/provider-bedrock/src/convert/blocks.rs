//! What was said, block by block, as the service takes it.
//!
//! Not the order of messages: `convert` sets that.

use hydroid_component::provider::{
    Blob, Block as Said, Link, Part, Reasoning, ToolCall, ToolResult as Result,
};
use hydroid_component::thinking::{self, Proof};
use serde_json::json;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::family::Family;
use crate::wire::{Block, Document, Media, Message, ReasoningContent, Source, ToolResult, ToolUse};

/// The longest identifier of a call, and the longest name of a document.
const MAX_IDENTIFIER: usize = 64;
const MAX_NAME: usize = 200;

/// Writes the blocks of one request.
pub struct Writer<'a> {
    family: Family,
    /// Who wants thinking back.
    keeper: String,
    config: &'a Config,
    /// Calls and results go as such; without tools they go as text.
    calls: bool,
    /// Names of documents so far, which must differ.
    documents: Vec<String>,
}

impl<'a> Writer<'a> {
    pub fn new(model: &str, family: Family, config: &'a Config, calls: bool) -> Self {
        Self { family, keeper: family.keeper(model), config, calls, documents: Vec::new() }
    }

    /// Sources the model cited are not its words, so they do not go back; text around them is
    /// one text again.
    pub fn assistant(&self, said: Vec<Said>) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut words = String::new();
        for block in said {
            match block {
                Said::Part(Part::Text(more) | Part::Json(more)) => words.push_str(&more),
                Said::ToolCall(call) => {
                    blocks.extend(text(std::mem::take(&mut words)));
                    blocks.push(self.tool_use(call));
                }
                Said::Reasoning(reasoning) => {
                    if let Some(thought) = self.thought(&reasoning) {
                        blocks.extend(text(std::mem::take(&mut words)));
                        blocks.push(thought);
                    }
                }
                Said::Part(_) | Said::ToolResult(_) | Said::Other(_) => {}
            }
        }
        blocks.extend(text(words));
        blocks
    }

    pub fn user(&mut self, said: Vec<Said>) -> Vec<Block> {
        let blocks = said.into_iter().filter_map(|block| match block {
            Said::ToolResult(result) => Some(self.tool_result(result)),
            Said::Part(part) => self.part(part),
            Said::ToolCall(_) | Said::Reasoning(_) | Said::Other(_) => None,
        });
        blocks.collect()
    }

    fn thought(&self, reasoning: &Reasoning) -> Option<Block> {
        let content = thinking::open(&self.keeper, reasoning, |proof| match proof {
            Proof::Signature(signature) => ReasoningContent::ReasoningText {
                text: reasoning.text.clone(),
                signature: signature.to_owned(),
            },
            Proof::Redacted(data) => ReasoningContent::RedactedContent(data.to_owned()),
        });
        content.map(Block::ReasoningContent)
    }

    fn tool_use(&self, call: ToolCall) -> Block {
        if !self.calls {
            return Block::Text(format!("[called `{}` with {}]", call.name, call.args_json));
        }
        let is_object = call.args_json.trim_start().starts_with('{');
        let raw = RawValue::from_string(call.args_json.clone()).ok().filter(|_| is_object);
        let input = raw.unwrap_or_else(|| {
            let written = call.args_json.trim();
            // The service takes objects only; the model was told that it wrote something else,
            // and reads what that was.
            let value = if written.is_empty() { json!({}) } else { json!({"arguments": written}) };
            serde_json::value::to_raw_value(&value).expect("a map of strings becomes JSON")
        });
        Block::ToolUse(ToolUse { tool_use_id: self.identifier(&call.id), name: call.name, input })
    }

    fn tool_result(&mut self, result: Result) -> Block {
        let mut content: Vec<Block> =
            result.content.into_iter().filter_map(|part| self.part(part)).collect();
        if !self.calls {
            let texts: Vec<String> = content
                .into_iter()
                .filter_map(|block| match block {
                    Block::Text(text) => Some(text),
                    _ => None,
                })
                .collect();
            let failed = if result.is_error { " failed" } else { "" };
            return Block::Text(format!("[the call{failed}: {}]", texts.join("\n")));
        }
        if content.is_empty() {
            content.push(Block::Text("[no output]".to_owned()));
        }
        let marks_errors = matches!(self.family, Family::Claude | Family::Nova);
        let status = (result.is_error && marks_errors).then_some("error");
        if let (true, false, Some(Block::Text(text))) =
            (result.is_error, marks_errors, content.first_mut())
        {
            text.insert_str(0, "The tool failed: ");
        }
        let tool_use_id = self.identifier(&result.call_id);
        Block::ToolResult(ToolResult { tool_use_id, content, status })
    }

    /// An identifier as the model takes it, the same in calls and results. Those of other
    /// services may have characters this one refuses, or be too long.
    fn identifier(&self, id: &str) -> String {
        if self.family == Family::Mistral {
            let fits = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return if fits { id.to_owned() } else { digest(id) };
        }
        let plain =
            |character: char| character.is_ascii_alphanumeric() || "_.:-".contains(character);
        let mut shown = String::new();
        for character in id.chars() {
            match plain(character) {
                true => shown.push(character),
                false => shown.push_str(&format!("_{:x}", u32::from(character))),
            }
        }
        if shown.is_empty() || shown.len() > MAX_IDENTIFIER { digest(id) } else { shown }
    }

    fn part(&mut self, part: Part) -> Option<Block> {
        match part {
            Part::Text(words) | Part::Json(words) => text(words),
            Part::Blob(blob) => Some(self.blob(blob)),
            Part::Link(link) => Some(self::link(link)),
            Part::Other(_) => None,
        }
    }

    fn blob(&mut self, blob: Blob) -> Block {
        let media_type = blob.media_type.to_ascii_lowercase();
        let media = |format| Media { format, source: source(&blob.data) };
        if let Some(format) = image(&media_type) {
            return Block::Image(media(format));
        }
        if let Some(format) = audio(&media_type) {
            return Block::Audio(media(format));
        }
        if let Some(format) = video(&media_type) {
            return Block::Video(media(format));
        }
        let is_text = std::str::from_utf8(&blob.data).is_ok();
        if blob.data.is_empty() {
            return notice(blob.name.as_deref(), "is empty");
        }
        match document(&media_type).or(is_text.then_some("txt")) {
            Some(format) => Block::Document(Document {
                format,
                name: self.document_name(blob.name.as_deref()),
                source: source(&blob.data),
                citations: self.config.citations.then(|| json!({"enabled": true})),
            }),
            None => {
                let size = blob.data.len();
                let problem = format!(
                    "of type {media_type}, {size} bytes, which cannot be shown to the model"
                );
                notice(blob.name.as_deref(), &problem)
            }
        }
    }

    /// A name of characters the service takes, unlike every name before it. The same
    /// conversation gets the same names, so that the prompt cache hits.
    fn document_name(&mut self, name: Option<&str>) -> String {
        let taken =
            |character: char| character.is_ascii_alphanumeric() || "-()[]".contains(character);
        let replaced: String = name
            .unwrap_or("document")
            .chars()
            .map(|character| if taken(character) { character } else { ' ' })
            .take(MAX_NAME - 8)
            .collect();
        let plain = replaced.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = if plain.is_empty() { "document".to_owned() } else { plain };
        let numbered = (2..).map(|number| format!("{plain} {number}"));
        let free = [plain.clone()]
            .into_iter()
            .chain(numbered)
            .find(|name| !self.documents.contains(name))
            .expect("there are more numbers than documents");
        self.documents.push(free.clone());
        free
    }
}

/// The service refuses a document without a text beside it.
pub fn accompany_documents(message: &mut Message) {
    let has_text = message.content.iter().any(|block| matches!(block, Block::Text(_)));
    let document = message.content.iter().find_map(|block| match block {
        Block::Document(document) => Some(format!("Attached: {}.", document.name)),
        _ => None,
    });
    message.content.extend(document.filter(|_| !has_text).map(Block::Text));
}

pub fn instruction(block: Said) -> Option<Block> {
    match block {
        Said::Part(Part::Text(words) | Part::Json(words)) => text(words),
        Said::Part(Part::Link(link)) => text(link.uri),
        _ => None,
    }
}

/// The service refuses a text without a word in it.
fn text(text: String) -> Option<Block> {
    (!text.trim().is_empty()).then_some(Block::Text(text))
}

fn link(link: Link) -> Block {
    Block::Text(match link.title {
        Some(title) => format!("{title}: {}", link.uri),
        None => link.uri,
    })
}

fn notice(name: Option<&str>, problem: &str) -> Block {
    Block::Text(format!("[file `{}` {problem}]", name.unwrap_or("attachment")))
}

fn source(data: &[u8]) -> Source {
    Source { bytes: data_encoding::BASE64.encode(data) }
}

fn image(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

fn audio(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/aac" => "aac",
        "audio/mp4" | "audio/x-m4a" => "m4a",
        "audio/webm" => "webm",
        _ => return None,
    })
}

fn video(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/x-matroska" => "mkv",
        "video/webm" => "webm",
        "video/mpeg" => "mpeg",
        _ => return None,
    })
}

fn document(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}

/// Nine letters and digits for any text, as one family of models wants its identifiers.
fn digest(text: &str) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut letters = String::new();
    for _ in 0..9 {
        let at = usize::try_from(state % 36).expect("less than 36");
        letters.push(char::from(LETTERS[at]));
        state /= 36;
    }
    letters
}
