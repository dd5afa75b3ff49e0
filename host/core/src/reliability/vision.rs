//! Whether a request needs a model that reads images.

use crate::message::{Content, Message};

/// True if a picture is anywhere in the conversation, results of tools included.
pub fn has_image(messages: &[Message]) -> bool {
    messages.iter().flat_map(|message| &message.parts).any(|part| is_image(&part.content))
}

fn is_image(content: &Content) -> bool {
    match content {
        Content::Media { media_type, .. } => {
            media_type.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("image/"))
        }
        Content::ToolResult { content, .. } => content.iter().any(is_image),
        Content::Text { .. }
        | Content::Thinking { .. }
        | Content::ToolCall { .. }
        | Content::Json { .. }
        | Content::Link { .. }
        | Content::Other { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallId;
    use crate::message::{Bytes, Label, Part, Role};

    fn media(media_type: &str) -> Content {
        Content::Media { media_type: media_type.into(), data: Bytes(vec![1]), name: None }
    }

    fn holds(content: Content) -> bool {
        has_image(&[Message { role: Role::User, parts: vec![Part::new(content, Label::user())] }])
    }

    #[test]
    fn a_picture_is_found_beside_text_and_in_a_result() {
        assert!(holds(media("image/png")) && holds(media("IMAGE/webp")));
        let content = vec![Content::text("see"), media("image/jpeg")];
        assert!(holds(Content::ToolResult { call_id: CallId::new("c"), content, is_error: false }));
        assert!(!holds(media("audio/wav")) && !holds(media("imäge/x")));
        assert!(!holds(Content::text("image/png")));
    }
}
