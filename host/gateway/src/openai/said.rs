//! What a client says: the messages of a chat completion and the input of a response, read into
//! what is said in a session. What a file is, is in
//! `files`; nothing is said here.

use super::files::{attachment, from_url};
use super::wire::{Failure, given, missing, shown, text, wrong_type};
use hydroid_core::message::{Content, Label, Part};
use hydroid_core::protocol::MOST_ATTACHMENTS;
use serde_json::{Map, Value};

/// Messages of one request; a conversation that is longer belongs in a session.
const MOST_MESSAGES: usize = 2_000;

/// Characters of a title that is made here.
const LONGEST_TITLE: usize = 60;

/// What is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// What the client's operator wants, in order.
    instructions: Vec<String>,
    /// What was said before, oldest first.
    earlier: Vec<Spoken>,
    /// What is said now.
    now: Spoken,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
struct Spoken {
    by: Speaker,
    text: String,
    files: Vec<Part>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Speaker {
    Operator,
    #[default]
    Person,
    Model,
    Tool,
}

impl Said {
    /// Reads the messages of a chat completion.
    pub(crate) fn messages(fields: &Map<String, Value>, largest: u64) -> Result<Self, Failure> {
        let Some(messages) = given(fields, "messages") else { return Err(missing("messages")) };
        let Value::Array(messages) = messages else {
            return Err(wrong_type("messages", "an array of messages"));
        };
        Self::of(messages, "messages", largest)
    }

    /// Reads the input of a response.
    pub(crate) fn input(fields: &Map<String, Value>, largest: u64) -> Result<Self, Failure> {
        let mut said = match given(fields, "input") {
            None => return Err(missing("input")),
            Some(Value::String(text)) => {
                let now = Spoken { text: text.clone(), ..Spoken::default() };
                let said = Self { now, ..Self::default() };
                said.check("input", largest)?;
                said
            }
            Some(Value::Array(items)) => Self::of(items, "input", largest)?,
            Some(_) => return Err(wrong_type("input", "a string or an array of items")),
        };
        if let Some(text) = text(fields, "instructions", "instructions")? {
            said.instructions.insert(0, text.to_owned());
            said.check("instructions", largest)?;
        }
        Ok(said)
    }

    fn of(messages: &[Value], param: &str, largest: u64) -> Result<Self, Failure> {
        if messages.len() > MOST_MESSAGES {
            let text = format!("`{param}` has more than {MOST_MESSAGES} elements");
            return Err(Failure::invalid(Some(param), "array_above_max_length", text));
        }
        let mut said = Self::default();
        for (place, message) in messages.iter().enumerate() {
            let path = format!("{param}[{place}]");
            let Some(spoken) = spoken(message, &path)? else { continue };
            if spoken.by != Speaker::Operator {
                said.earlier.push(spoken);
            } else if !spoken.files.is_empty() {
                let text = "instructions are text; files belong in a message of the user";
                return Err(Failure::invalid(Some(&path), "invalid_value", text));
            } else {
                said.instructions.push(spoken.text);
            }
        }
        said.now = match said.earlier.pop() {
            Some(last) if last.by == Speaker::Person => last,
            _ => {
                let text = format!("the last message in `{param}` has to be of the user");
                return Err(Failure::invalid(Some(param), "invalid_value", text));
            }
        };
        said.check(param, largest)?;
        Ok(said)
    }

    fn check(&self, param: &str, largest: u64) -> Result<(), Failure> {
        if self.now.text.trim().is_empty() && self.now.files.is_empty() {
            let text = format!("the last message in `{param}` is empty");
            return Err(Failure::invalid(Some(param), "invalid_value", text));
        }
        if self.now.files.len() > MOST_ATTACHMENTS {
            let text = format!("a message has at most {MOST_ATTACHMENTS} files");
            return Err(Failure::invalid(Some(param), "too_many_files", text));
        }
        let earlier = self.earlier.iter().map(|spoken| spoken.text.len());
        let letters = self.instructions.iter().map(String::len).chain(earlier);
        let letters = letters.sum::<usize>() + self.now.text.len();
        if letters as u64 > largest {
            let text = format!(
                "the text has {letters} bytes, and {largest} are the most; the operator can raise `gateway.max_message`"
            );
            return Err(Failure::invalid(Some(param), "string_above_max_length", text));
        }
        Ok(())
    }

    /// A title for its session, where the first words said would not be the person's own.
    pub(crate) fn title(&self) -> Option<String> {
        if self.instructions.is_empty() && self.earlier.is_empty() {
            return None;
        }
        let words: Vec<&str> = self.now.text.split_whitespace().collect();
        let title: String =
            words.join(" ").chars().filter(|c| !c.is_control()).take(LONGEST_TITLE).collect();
        (!title.trim().is_empty()).then_some(title)
    }

    /// The parts of the message in a session that knows nothing of what was said before.
    pub(crate) fn with_earlier(self) -> Vec<Part> {
        let Self { instructions, mut earlier, now } = self;
        // The newest files are those that are asked about.
        let mut room = MOST_ATTACHMENTS - now.files.len().min(MOST_ATTACHMENTS);
        for spoken in earlier.iter_mut().rev() {
            let left_out = spoken.files.len().saturating_sub(room);
            spoken.files.drain(..left_out);
            room -= spoken.files.len();
            if left_out > 0 {
                spoken.text.push_str("\n[files that were here are left out]");
            }
        }
        let mut parts = instructed(instructions);
        for spoken in earlier {
            let (text, label) = match spoken.by {
                Speaker::Operator | Speaker::Person => {
                    (format!("What I said before:\n{}", spoken.text), Label::user())
                }
                Speaker::Model => {
                    let text = format!("What you answered before:\n{}", spoken.text);
                    // Nobody vouches that a model said so.
                    (text, Label::file("earlier conversation"))
                }
                Speaker::Tool => {
                    let text = format!("What a tool of the client returned:\n{}", spoken.text);
                    (text, Label::file("earlier conversation"))
                }
            };
            parts.push(Part::new(Content::text(text), label));
            parts.extend(spoken.files);
        }
        if !parts.is_empty() && !now.text.is_empty() {
            let text = format!("What I say now:\n{}", now.text);
            parts.push(Part::new(Content::text(text), Label::user()));
            parts.extend(now.files);
            return parts;
        }
        parts.extend(now.parts());
        parts
    }

    /// The parts of the message in a session that has what was said before.
    pub(crate) fn alone(self) -> Vec<Part> {
        let mut parts = instructed(self.instructions);
        parts.extend(self.now.parts());
        parts
    }
}

impl Spoken {
    fn parts(self) -> Vec<Part> {
        let text =
            (!self.text.is_empty()).then(|| Part::new(Content::text(self.text), Label::user()));
        text.into_iter().chain(self.files).collect()
    }
}

fn instructed(instructions: Vec<String>) -> Vec<Part> {
    instructions
        .into_iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| {
            let text = format!("Instructions for this conversation:\n{text}");
            Part::new(Content::text(text), Label::user())
        })
        .collect()
}

/// One message; none for what is only there to be handed back.
fn spoken(message: &Value, path: &str) -> Result<Option<Spoken>, Failure> {
    let Value::Object(fields) = message else { return Err(wrong_type(path, "an object")) };
    match text(fields, "type", &format!("{path}.type"))? {
        None | Some("message") => {}
        Some("reasoning") => return Ok(None),
        Some(kind) => {
            let text = format!(
                "items of type `{}` cannot be honoured: tools are the host's, and what was said is handed over as messages or by `previous_response_id`",
                shown(kind)
            );
            return Err(Failure::invalid(Some(path), "unsupported_value", text));
        }
    }
    let param = format!("{path}.role");
    let by = match text(fields, "role", &param)? {
        None => return Err(missing(&param)),
        Some("system" | "developer") => Speaker::Operator,
        Some("user") => Speaker::Person,
        Some("assistant") => Speaker::Model,
        Some("tool" | "function") => Speaker::Tool,
        Some(role) => {
            let text = format!("`{}` is no role", shown(role));
            return Err(Failure::invalid(Some(&param), "invalid_value", text));
        }
    };
    let mut spoken = Spoken { by, ..Spoken::default() };
    let path = format!("{path}.content");
    match given(fields, "content") {
        // An assistant that only called tools said nothing.
        None if by == Speaker::Model => return Ok(None),
        None => return Err(missing(&path)),
        Some(Value::String(text)) => spoken.text.clone_from(text),
        Some(Value::Array(parts)) => {
            for (place, part) in parts.iter().enumerate() {
                spoken.take(part, &format!("{path}[{place}]"))?;
            }
        }
        Some(_) => return Err(wrong_type(&path, "a string or an array of parts")),
    }
    Ok(Some(spoken))
}

impl Spoken {
    fn take(&mut self, part: &Value, path: &str) -> Result<(), Failure> {
        let Value::Object(fields) = part else { return Err(wrong_type(path, "an object")) };
        let of = |fields: &Map<String, Value>, name: &str| {
            let param = format!("{path}.{name}");
            text(fields, name, &param)?.map(str::to_owned).ok_or_else(|| missing(&param))
        };
        let within = |name: &str| match given(fields, name) {
            Some(Value::Object(fields)) => Ok(fields),
            Some(_) => Err(wrong_type(&format!("{path}.{name}"), "an object")),
            None => Err(missing(&format!("{path}.{name}"))),
        };
        let kind = of(fields, "type")?;
        let file = match kind.as_str() {
            "text" | "input_text" | "output_text" => {
                self.say(&of(fields, "text")?);
                return Ok(());
            }
            "refusal" => {
                self.say(&of(fields, "refusal")?);
                return Ok(());
            }
            "image_url" => {
                // Chat has an object here; some clients write the address alone.
                let url = match given(fields, "image_url") {
                    Some(Value::String(url)) => url.clone(),
                    _ => of(within("image_url")?, "url")?,
                };
                from_url(&url, None, path)?
            }
            "input_image" => from_url(&of(fields, "image_url")?, None, path)?,
            "input_audio" => {
                let audio = within("input_audio")?;
                let media_type = match of(audio, "format")?.as_str() {
                    "wav" => "audio/wav",
                    "mp3" => "audio/mpeg",
                    _ => {
                        let text = "a sound is `wav` or `mp3`";
                        return Err(Failure::invalid(Some(path), "invalid_value", text));
                    }
                };
                attachment(media_type, &of(audio, "data")?, None, path)?
            }
            "file" => {
                let file = within("file")?;
                let name = text(file, "filename", path)?;
                from_url(&of(file, "file_data")?, name, path)?
            }
            "input_file" => {
                let name = text(fields, "filename", path)?;
                from_url(&of(fields, "file_data")?, name, path)?
            }
            other => {
                let text = format!("parts of type `{}` cannot be honoured", shown(other));
                return Err(Failure::invalid(Some(path), "unsupported_value", text));
            }
        };
        self.files.push(file);
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::message::Trust;
    use serde_json::json;

    const LARGEST: u64 = 1_000;

    fn read(messages: Value) -> Result<Said, Failure> {
        let fields = json!({ "messages": messages });
        Said::messages(fields.as_object().unwrap(), LARGEST)
    }

    /// A line for each part.
    fn lines(parts: &[Part]) -> Vec<String> {
        parts
            .iter()
            .map(|part| {
                let mark = if part.label.trust == Trust::Trusted { "" } else { "? " };
                match &part.content {
                    Content::Text { text } => format!("{mark}{}", text.replace('\n', " / ")),
                    Content::Media { media_type, data, name } => {
                        format!("{mark}{media_type} {} {name:?}", data.0.len())
                    }
                    other => format!("{other:?}"),
                }
            })
            .collect()
    }

    #[test]
    fn one_message_is_said_as_it_is() {
        let said = read(json!([{ "role": "user", "content": "hi" }])).unwrap();
        assert_eq!(said.title(), None);
        assert_eq!(lines(&said.clone().with_earlier()), ["hi"]);
        assert_eq!(lines(&said.alone()), ["hi"]);
    }

    #[test]
    fn what_was_said_before_goes_with_it_where_a_session_does_not_have_it() {
        let said = read(json!([
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": [{ "type": "text", "text": "b" }] },
            { "role": "assistant", "content": null, "tool_calls": [] },
            { "role": "tool", "tool_call_id": "x", "content": "c" },
            { "role": "user", "content": "d" },
        ]))
        .unwrap();
        let expect = [
            "Instructions for this conversation: / be brief",
            "What I said before: / a",
            "? What you answered before: / b",
            "? What a tool of the client returned: / c",
            "What I say now: / d",
        ];
        assert_eq!(said.title().as_deref(), Some("d"));
        assert_eq!(lines(&said.clone().with_earlier()), expect);
        assert_eq!(lines(&said.alone()), ["Instructions for this conversation: / be brief", "d"]);
    }

    #[test]
    fn files_become_attachments_the_newest_four_of_them() {
        let png = |count: usize| -> Vec<Value> {
            let part = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,cG5n" } });
            vec![part; count]
        };
        let mut last = png(1);
        last.push(
            json!({ "type": "input_audio", "input_audio": { "data": "AA==", "format": "mp3" } }),
        );
        last.push(json!({ "type": "file", "file": { "file_data": "data:application/pdf;base64,AAA=", "filename": "../a.pdf" } }));
        let said = read(json!([
            { "role": "user", "content": png(3) },
            { "role": "assistant", "content": "cats" },
            { "role": "user", "content": last },
        ]))
        .unwrap();
        let expect = [
            "What I said before: / [files that were here are left out]",
            "? image/png 3 Some(\"image\")",
            "? What you answered before: / cats",
            "? image/png 3 Some(\"image\")",
            "? audio/mpeg 1 Some(\"audio\")",
            "? application/pdf 2 Some(\"..a.pdf\")",
        ];
        let got: Vec<String> = lines(&said.with_earlier())
            .into_iter()
            .map(|line| line.replace(": /  / ", ": / "))
            .collect();
        assert_eq!(got, expect);
        let failure = read(json!([{ "role": "user", "content": png(5) }])).unwrap_err();
        assert_eq!(failure.code, "too_many_files");
    }

    #[track_caller]
    fn check_refused(messages: Value, param: &str, code: &str) {
        let failure = read(messages).unwrap_err();
        assert_eq!(
            (failure.param.as_deref(), failure.code, failure.status),
            (Some(param), code, 400)
        );
    }

    #[test]
    fn what_is_no_conversation_is_refused_where_it_is_none() {
        let user = |content: Value| json!([{ "role": "user", "content": content }]);
        let part = |part: Value| json!([{ "role": "user", "content": [part] }]);
        let image = |url: &str| part(json!({ "type": "image_url", "image_url": { "url": url } }));
        let first = "messages[0].content[0]";
        check_refused(json!(null), "messages", "missing_required_parameter");
        check_refused(json!("hi"), "messages", "invalid_type");
        check_refused(json!([]), "messages", "invalid_value");
        check_refused(json!([1]), "messages[0]", "invalid_type");
        check_refused(
            json!([{ "content": "a" }]),
            "messages[0].role",
            "missing_required_parameter",
        );
        check_refused(
            json!([{ "role": "judge", "content": "" }]),
            "messages[0].role",
            "invalid_value",
        );
        check_refused(json!([{ "role": 1 }]), "messages[0].role", "invalid_type");
        check_refused(
            json!([{ "role": "assistant", "content": "a" }]),
            "messages",
            "invalid_value",
        );
        check_refused(user(json!(1)), "messages[0].content", "invalid_type");
        check_refused(user(json!("  ")), "messages", "invalid_value");
        check_refused(user(json!("x".repeat(1_001))), "messages", "string_above_max_length");
        check_refused(part(json!([])), first, "invalid_type");
        check_refused(part(json!({ "type": "video" })), first, "unsupported_value");
        for url in ["https://example.com/a.png", "data:image/png,x", "data:é", "dat", "", "données"]
        {
            check_refused(image(url), first, "invalid_value");
        }
        check_refused(image("data:image/png;base64,%%"), first, "invalid_base64");
        check_refused(image("data:image/png;base64,"), first, "invalid_value");
        check_refused(image("data:nothing;base64,AAA="), first, "invalid_value");
        check_refused(
            json!(vec![json!({ "role": "user", "content": "a" }); 2_001]),
            "messages",
            "array_above_max_length",
        );
    }

    #[test]
    fn the_input_of_a_response_is_a_text_or_items() {
        let input = |fields: Value| Said::input(fields.as_object().unwrap(), LARGEST);
        let said = input(json!({ "input": "hi", "instructions": "be brief" })).unwrap();
        assert_eq!(lines(&said.alone()), ["Instructions for this conversation: / be brief", "hi"]);
        let said = input(json!({ "input": [
            { "type": "reasoning", "summary": [] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "a" }] },
            { "role": "user", "content": [
                { "type": "input_text", "text": "b" },
                { "type": "input_image", "image_url": "data:image/png;base64,cG5n" },
                { "type": "input_file", "filename": "c.txt", "file_data": "data:text/plain;base64,cG5n" },
            ] },
        ] }));
        let expect = [
            "? What you answered before: / a",
            "What I say now: / b",
            "? image/png 3 Some(\"image\")",
            "? text/plain 3 Some(\"c.txt\")",
        ];
        assert_eq!(lines(&said.unwrap().with_earlier()), expect);
        for (fields, code) in [
            (json!({}), "missing_required_parameter"),
            (json!({ "input": 1 }), "invalid_type"),
            (json!({ "input": "" }), "invalid_value"),
            (json!({ "input": "a", "instructions": [] }), "invalid_type"),
            (json!({ "input": "a", "instructions": "x".repeat(1_000) }), "string_above_max_length"),
            (json!({ "input": [{ "type": "function_call_output" }] }), "unsupported_value"),
        ] {
            assert_eq!(input(fields).unwrap_err().code, code);
        }
    }
}
