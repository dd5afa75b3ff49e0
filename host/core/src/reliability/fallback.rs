//! What may be sent to which model when another one takes over, and after which errors it may.

use crate::id::ComponentId;
use crate::message::{Content, Message, Source};

/// Kinds of errors that can be named as a reason to ask another model: all of the contract's but
/// `cancelled`, which is nobody's failure.
pub const KINDS: [&str; 12] = [
    "conflict",
    "denied",
    "internal",
    "invalid-input",
    "not-found",
    "other",
    "rate-limited",
    "timeout",
    "too-large",
    "unauthenticated",
    "unavailable",
    "unsupported",
];

/// The conversation as this provider may read it: what another one wanted back verbatim, a
/// signature or an encrypted text, is left out, and with it thinking that was nothing else.
pub fn own_thinking(messages: Vec<Message>, provider: &ComponentId) -> Vec<Message> {
    let stripped = messages.into_iter().map(|mut message| {
        for part in &mut message.parts {
            let is_own =
                matches!(&part.label.source, Source::Model { provider: by, .. } if by == provider);
            if let (false, Content::Thinking { opaque, .. }) = (is_own, &mut part.content) {
                *opaque = None;
            }
        }
        message.parts.retain(|part| {
            !matches!(&part.content, Content::Thinking { text, opaque: None } if text.is_empty())
        });
        message
    });
    stripped.filter(|message| !message.parts.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Bytes, Label, Part, Role};

    fn thought(provider: &str, text: &str) -> Part {
        let opaque = Some(Bytes(b"signature".to_vec()));
        let label = Label::model(ComponentId::new(provider), "m");
        Part::new(Content::Thinking { text: text.into(), opaque }, label)
    }

    fn said_by(provider: &str) -> Part {
        Part::new(Content::text("yes"), Label::model(ComponentId::new(provider), "m"))
    }

    #[test]
    fn what_another_provider_wanted_back_is_left_out() {
        let message = |parts| Message { role: Role::Assistant, parts };
        let messages = vec![
            Message::user("hi"),
            message(vec![thought("a", "hm"), thought("a", ""), said_by("a")]),
            message(vec![thought("a", "")]),
            message(vec![thought("b", ""), said_by("b")]),
        ];
        let sent = own_thinking(messages, &ComponentId::new("b"));
        let plain = Part::new(
            Content::Thinking { text: "hm".into(), opaque: None },
            Label::model(ComponentId::new("a"), "m"),
        );
        assert_eq!(
            sent,
            [
                Message::user("hi"),
                message(vec![plain, said_by("a")]),
                message(vec![thought("b", ""), said_by("b")]),
            ]
        );
    }

    #[test]
    fn a_conversation_with_one_provider_is_sent_as_it_is() {
        let message =
            Message { role: Role::Assistant, parts: vec![thought("a", ""), said_by("a")] };
        let messages = vec![Message::user("hi"), message];
        assert_eq!(own_thinking(messages.clone(), &ComponentId::new("a")), messages);
    }
}
