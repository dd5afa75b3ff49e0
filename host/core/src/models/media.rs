//! What a model takes besides text, against what a conversation has in it. It looks at media
//! types, not into the bytes.

use crate::message::{Content, Message, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A kind of what goes into a model or comes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// PDF documents.
    Pdf,
    /// Sound.
    Audio,
    /// Moving images.
    Video,
    /// A kind this release does not know.
    #[serde(other)]
    Other,
}

impl Modality {
    /// The kind of a media type; none for one that no model is said to take or not to take.
    pub fn of(media_type: &str) -> Option<Self> {
        let (kind, rest) = media_type.split_once('/')?;
        match kind {
            "text" => Some(Self::Text),
            "image" => Some(Self::Image),
            "audio" => Some(Self::Audio),
            "video" => Some(Self::Video),
            "application" if rest.starts_with("pdf") => Some(Self::Pdf),
            _ => None,
        }
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Image => "images",
            Self::Pdf => "PDF documents",
            Self::Audio => "sound",
            Self::Video => "video",
            Self::Other => "other things",
        })
    }
}

/// The conversation as a model that takes only these kinds can be sent it. What the person says
/// now and the model cannot take is an error, a sentence for them; what stands further back, or
/// came out of a tool, is replaced by a note, so that a session stays usable with another model.
pub fn fit_media(
    mut messages: Vec<Message>,
    model: &str,
    takes: &BTreeSet<Modality>,
) -> Result<Vec<Message>, String> {
    // Nothing is known of a model of which nothing is said.
    if takes.is_empty() {
        return Ok(messages);
    }
    let now = messages.iter().rposition(|message| message.role == Role::User);
    for (position, message) in messages.iter_mut().enumerate() {
        let said_now = Some(position) == now;
        for part in &mut message.parts {
            fit(&mut part.content, model, takes, said_now)?;
        }
    }
    Ok(messages)
}

fn fit(
    content: &mut Content,
    model: &str,
    takes: &BTreeSet<Modality>,
    said_now: bool,
) -> Result<(), String> {
    match content {
        Content::Media { media_type, name, .. } => {
            let Some(kind) = Modality::of(media_type).filter(|kind| !takes.contains(kind)) else {
                return Ok(());
            };
            if kind == Modality::Text {
                return Ok(());
            }
            let what = name.as_deref().unwrap_or(media_type);
            if said_now {
                let known: Vec<String> = takes.iter().map(ToString::to_string).collect();
                return Err(format!(
                    "the model `{model}` takes no {kind}, so `{what}` was not sent; it takes {}: leave the file out, or choose another model with `--model` (`hydroid model list` shows what each takes)",
                    known.join(", ")
                ));
            }
            let note = format!("[`{what}` is left out here: the model `{model}` takes no {kind}]");
            *content = Content::text(note);
        }
        Content::ToolResult { content, .. } => {
            for inside in content {
                fit(inside, model, takes, false)?;
            }
        }
        Content::Text { .. }
        | Content::Thinking { .. }
        | Content::ToolCall { .. }
        | Content::Json { .. }
        | Content::Link { .. }
        | Content::Other { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallId;
    use crate::message::{Bytes, Label, Part};

    fn media(media_type: &str) -> Content {
        let name = Some("it".to_owned());
        Content::Media { media_type: media_type.to_owned(), data: Bytes(vec![1]), name }
    }

    fn message(role: Role, content: Content) -> Message {
        Message { role, parts: vec![Part::new(content, Label::user())] }
    }

    fn takes(kinds: &[Modality]) -> BTreeSet<Modality> {
        kinds.iter().copied().collect()
    }

    #[track_caller]
    fn check(media_type: &str, kinds: &[Modality], expect: Option<&str>) {
        let said = vec![message(Role::User, media(media_type))];
        match (fit_media(said.clone(), "m", &takes(kinds)), expect) {
            (Ok(got), None) => assert_eq!(got, said),
            (Err(error), Some(expect)) => assert!(error.contains(expect), "{error}"),
            (got, expect) => panic!("got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn what_a_model_cannot_take_is_refused() {
        let text = [Modality::Text];
        check("image/png", &text, Some("the model `m` takes no images, so `it` was not sent"));
        check("application/pdf", &text, Some("takes no PDF documents"));
        check("audio/wav", &[Modality::Text, Modality::Image], Some("it takes text, images"));
    }

    #[test]
    fn what_it_takes_or_what_nothing_is_known_of_goes_through() {
        check("image/png", &[Modality::Text, Modality::Image], None);
        check("image/png", &[], None);
        check("application/zip", &[Modality::Text], None);
        check("text/plain", &[Modality::Image], None);
    }

    #[test]
    fn what_stands_further_back_or_came_of_a_tool_is_replaced() {
        let result = Content::ToolResult {
            call_id: CallId::new("c"),
            content: vec![media("image/png")],
            is_error: false,
        };
        let messages = vec![
            message(Role::User, media("image/png")),
            message(Role::User, Content::text("and now")),
            message(Role::Tool, result),
        ];
        let fitted = fit_media(messages, "m", &takes(&[Modality::Text])).unwrap();
        let note = "[`it` is left out here: the model `m` takes no images]";
        assert_eq!(fitted[0].text(), note);
        let Content::ToolResult { content, .. } = &fitted[2].parts[0].content else { panic!() };
        assert_eq!(content, &[Content::text(note)]);
    }
}
