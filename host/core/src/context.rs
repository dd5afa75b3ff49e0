//! Fitting a conversation into a model's context window: which turns are sent, and which tool
//! results are shortened. It only estimates; no tokenizer is asked and nothing is summarised.

use crate::message::{Content, Message, Part, Role, Source};

/// Tokens added for each part and each message: roles, separators, types.
const TOKENS_PER_PART: u64 = 4;

/// Estimated characters of prose or code in one token. English is nearer to 4.5, code to 3.5.
const CHARACTERS_PER_TOKEN: u64 = 4;

/// Least weight kept of a shortened result, about two screens of a terminal: enough to see what
/// it was and to ask again.
const LEAST_KEPT: u64 = 2_000;

/// A conversation that fits, and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What to send: starts with a user message, every tool call has its result.
    pub messages: Vec<Message>,
    /// Oldest turns left out.
    pub left_out: usize,
    /// Tool results of the last turn that were shortened.
    pub shortened: usize,
    /// Tokens of all that is sent, instructions and tools included, as estimated.
    pub tokens: u64,
}

/// Leaves out whole turns, the oldest first, until the conversation fits beside `fixed_chars` of
/// instructions and tools and `reserve_tokens` for the answer. A last turn that is too big alone
/// has its longest tool results cut in the middle; the person's words are never touched.
///
/// Tokens are estimated: four ASCII characters are one token, rounded up for each part; a
/// character of another alphabet counts twice and one of Chinese, Japanese, Korean and beyond
/// four times, because tokenizers split those finer. Each part and message adds four. Media
/// counts by size class, see `media_tokens`. The error is a sentence for the person.
pub fn fit(
    messages: Vec<Message>,
    fixed_chars: usize,
    context_tokens: u32,
    reserve_tokens: u32,
) -> Result<Fitted, String> {
    let fixed = tokens(fixed_chars as u64);
    let room = u64::from(context_tokens)
        .checked_sub(u64::from(reserve_tokens).saturating_add(fixed))
        .filter(|room| *room > 0)
        .ok_or_else(|| {
            format!(
                "the instructions and tools take about {fixed} tokens and `{reserve_tokens}` are kept for the answer, which leaves nothing of the `{context_tokens}` in `model.context_tokens`; raise it or grant fewer tools"
            )
        })?;

    let mut turns = turns(messages);
    let summary = take_summary(&mut turns, room);
    let room = room.saturating_sub(summary.iter().map(part_tokens).sum());
    if turns.is_empty() {
        return Err("there is no message to answer; say something first".to_owned());
    }
    let sizes: Vec<u64> = turns.iter().map(|turn| turn.iter().map(message_tokens).sum()).collect();
    let mut total: u64 = sizes.iter().sum();
    let mut left_out = 0;
    while total > room && left_out + 1 < turns.len() {
        total -= sizes[left_out];
        left_out += 1;
    }
    turns.drain(..left_out);
    let mut messages: Vec<Message> = turns.into_iter().flatten().collect();
    let shortened = if total > room { shorten(&mut messages, total - room) } else { 0 };
    let total: u64 = messages.iter().map(message_tokens).sum();
    if let Some(first) = messages.first_mut() {
        first.parts.splice(0..0, summary);
    }
    if total > room {
        return Err(format!(
            "this turn alone takes about {total} tokens and `{room}` are free of the `{context_tokens}` in `model.context_tokens`; raise it, or say less in one message"
        ));
    }
    let tokens = estimated(&messages).saturating_add(fixed);
    Ok(Fitted { messages, left_out, shortened, tokens })
}

/// Tokens of a conversation, as [`fit`] estimates them.
pub fn estimated(messages: &[Message]) -> u64 {
    messages.iter().map(message_tokens).sum()
}

/// The summary that stands before the first turn: it is sent with whichever turn is first in the
/// end. One that would fill the window is cut in the middle, where its beginning, the person's
/// goal, and its end, what is open, are not.
fn take_summary(turns: &mut [Vec<Message>], room: u64) -> Vec<Part> {
    let Some(first) = turns.first_mut().and_then(|turn| turn.first_mut()) else {
        return Vec::new();
    };
    let is_summary = |part: &&Part| part.label.source == Source::Summary;
    let count = first.parts.iter().take_while(is_summary).count();
    let mut summary: Vec<Part> = first.parts.drain(..count).collect();
    let most = (room / 2).saturating_mul(CHARACTERS_PER_TOKEN);
    for part in &mut summary {
        if let Content::Text { text } = &mut part.content
            && weight(text) > most
        {
            *text = cut_middle(text, most.saturating_sub(NOTE_WEIGHT));
        }
    }
    summary
}

fn part_tokens(part: &Part) -> u64 {
    content_tokens(&part.content)
}

/// A conversation in turns, each from a user message up to before the next. Whatever stands
/// before the first user message belongs to no turn and no service would accept it there.
fn turns(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut turns: Vec<Vec<Message>> = Vec::new();
    for message in messages {
        match (message.role, turns.last_mut()) {
            (Role::User, _) => turns.push(vec![message]),
            (Role::System | Role::Assistant | Role::Tool, Some(turn)) => turn.push(message),
            (Role::System | Role::Assistant | Role::Tool, None) => {}
        }
    }
    turns
}

fn message_tokens(message: &Message) -> u64 {
    let parts: u64 = message.parts.iter().map(|part| content_tokens(&part.content)).sum();
    TOKENS_PER_PART + parts
}

fn content_tokens(content: &Content) -> u64 {
    let inside = match content {
        Content::Text { text } => tokens(weight(text)),
        Content::Thinking { text, opaque } => {
            // A signature is sent as base64: four characters, one token, for three bytes.
            let opaque = opaque.as_ref().map_or(0, |bytes| bytes.0.len().div_ceil(3) as u64);
            tokens(weight(text)) + opaque
        }
        Content::ToolCall { call } => {
            tokens(weight(call.id.as_str()) + weight(&call.name) + weight(&call.arguments))
        }
        Content::ToolResult { call_id, content, .. } => {
            tokens(weight(call_id.as_str())) + content.iter().map(content_tokens).sum::<u64>()
        }
        Content::Media { media_type, data, .. } => media_tokens(media_type, data.0.len()),
        Content::Json { json } => tokens(weight(&json.to_string())),
        Content::Link { uri, title, media_type } => tokens(
            weight(uri)
                + title.as_deref().map_or(0, weight)
                + media_type.as_deref().map_or(0, weight),
        ),
        Content::Other { kind, json } => tokens(weight(kind) + weight(json)),
    };
    TOKENS_PER_PART + inside
}

/// Images are scaled by every service, so their cost has a ceiling; documents and sound cost by
/// length, and a page of a PDF is about 50 kB and 1,500 tokens.
fn media_tokens(media_type: &str, bytes: usize) -> u64 {
    if media_type.starts_with("text/") {
        return tokens(bytes as u64);
    }
    let image = media_type.starts_with("image/");
    match bytes {
        0..=100_000 if image => 500,
        100_001..=1_000_000 if image => 1_600,
        _ if image => 3_200,
        0..=100_000 => 3_000,
        100_001..=1_000_000 => 15_000,
        _ => 60_000,
    }
}

fn tokens(weight: u64) -> u64 {
    weight.div_ceil(CHARACTERS_PER_TOKEN)
}

fn weight(text: &str) -> u64 {
    text.chars().map(character_weight).sum()
}

fn character_weight(character: char) -> u64 {
    match character {
        '\0'..='\u{7f}' => 1,
        '\u{80}'..='\u{2e7f}' => 2,
        _ => 4,
    }
}

/// Shortens tool results until `excess` tokens are gone, the longest first: all that are longer
/// than a common length are cut to it. Returns how many were cut.
fn shorten(messages: &mut [Message], excess: u64) -> usize {
    let mut texts = result_texts(messages);
    let weights: Vec<u64> = texts.iter().map(|text| weight(text)).collect();
    let wanted = excess.saturating_mul(CHARACTERS_PER_TOKEN);
    // What cutting to `kept` gains, less what the note and rounding add.
    let gained = |kept: u64| -> u64 {
        weights.iter().map(|weight| weight.saturating_sub(kept + NOTE_WEIGHT)).sum()
    };
    let (mut low, mut high) =
        (LEAST_KEPT, weights.iter().copied().max().unwrap_or(0).max(LEAST_KEPT));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if gained(middle) >= wanted {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let mut cut = 0;
    for (text, weight) in texts.iter_mut().zip(&weights) {
        if *weight > low + NOTE_WEIGHT {
            **text = cut_middle(text, low);
            cut += 1;
        }
    }
    cut
}

/// More than the note of [`cut_middle`] weighs, whatever number is in it, and one token of rounding.
const NOTE_WEIGHT: u64 = 160;

/// Texts of all tool results. JSON is turned into text first, because half of it is no JSON.
fn result_texts(messages: &mut [Message]) -> Vec<&mut String> {
    let mut texts = Vec::new();
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        let Content::ToolResult { content, .. } = &mut part.content else { continue };
        for content in content {
            if let Content::Json { json } = content {
                let text = json.to_string();
                if weight(&text) > LEAST_KEPT + NOTE_WEIGHT {
                    *content = Content::text(text);
                }
            }
            if let Content::Text { text } = content {
                texts.push(text);
            }
        }
    }
    texts
}

/// The beginning and the end of a text, together about `kept` in weight, with a note between.
fn cut_middle(text: &str, kept: u64) -> String {
    let half = |characters: &mut dyn Iterator<Item = char>| -> usize {
        let mut left = kept / 2;
        let fits = |character: &char| match left.checked_sub(character_weight(*character)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        characters.take_while(fits).map(char::len_utf8).sum()
    };
    // Both are sums of whole characters, so both are character boundaries.
    let head = half(&mut text.chars());
    let tail = text.len() - half(&mut text.chars().rev());
    if tail <= head {
        return text.to_owned();
    }
    let cut = text[head..tail].chars().count();
    format!(
        "{}\n[{cut} characters were left out here, because the conversation is near the model's limit; call again for a smaller part]\n{}",
        &text[..head],
        &text[tail..]
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::id::{CallId, ComponentId};
    use crate::message::{Bytes, Label, Origin, Part};
    use crate::tool::ToolCall;
    use std::collections::BTreeSet;

    fn said(text: &str) -> Message {
        let label = Label::model(ComponentId::new("p"), "m");
        Message { role: Role::Assistant, parts: vec![Part::new(Content::text(text), label)] }
    }

    fn called(ids: &[&str]) -> Message {
        let part = |id: &&str| {
            let call =
                ToolCall { id: CallId::new(*id), name: "file_read".into(), arguments: "{}".into() };
            Part::new(Content::ToolCall { call }, Label::model(ComponentId::new("p"), "m"))
        };
        Message { role: Role::Assistant, parts: ids.iter().map(part).collect() }
    }

    fn returned(results: &[(&str, &str)]) -> Message {
        let part = |(id, text): &(&str, &str)| {
            let content = vec![Content::text(*text)];
            let result =
                Content::ToolResult { call_id: CallId::new(*id), content, is_error: false };
            Part::new(result, Label::tool(ComponentId::new("t"), "file_read", Origin::Unknown))
        };
        Message { role: Role::Tool, parts: results.iter().map(part).collect() }
    }

    fn result_of(messages: &[Message], index: usize) -> &str {
        match &messages[index].parts[0].content {
            Content::ToolResult { content, .. } => match &content[0] {
                Content::Text { text } => text,
                other => panic!("unexpected {other:?}"),
            },
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn what_fits_is_left_alone() {
        let messages = vec![Message::user("hi"), said("hello")];
        let expect =
            Fitted { messages: messages.clone(), left_out: 0, shortened: 0, tokens: 25 + 9 + 10 };
        assert_eq!(fit(messages, 100, 1000, 100), Ok(expect));
    }

    #[test]
    fn the_oldest_turns_go_first_and_as_a_whole() {
        let long = "x".repeat(400);
        let history = vec![
            Message::user("one"),
            called(&["a"]),
            returned(&[("a", &long)]),
            said("done"),
            Message::user("two"),
            said(&long),
            Message::user("three"),
        ];
        let fitted = fit(history.clone(), 0, 180, 10).unwrap();
        assert_eq!(fitted.left_out, 1);
        assert_eq!(fitted.messages, history[4..]);
        let fitted = fit(history.clone(), 0, 40, 10).unwrap();
        assert_eq!((fitted.left_out, &fitted.messages[..]), (2, &history[6..]));
    }

    #[test]
    fn other_alphabets_count_for_more() {
        assert_eq!(tokens(weight("abcdefgh")), 2);
        assert_eq!(tokens(weight("привет")), 3);
        assert_eq!(tokens(weight("你好")), 2);
    }

    #[test]
    fn media_counts_by_size() {
        let picture = Content::Media {
            media_type: "image/png".into(),
            data: Bytes(vec![0; 200_000]),
            name: None,
        };
        assert_eq!(content_tokens(&picture), 1_604);
    }

    #[test]
    fn the_longest_results_of_the_last_turn_are_cut_in_the_middle() {
        let (long, short) = (format!("start{}end", "é".repeat(30_000)), "short ".repeat(100));
        let history = vec![
            Message::user("look"),
            called(&["a"]),
            returned(&[("a", &long)]),
            called(&["b"]),
            returned(&[("b", &short)]),
        ];
        let fitted = fit(history, 0, 4_000, 500).unwrap();
        let cut = result_of(&fitted.messages, 2);
        assert_eq!((fitted.left_out, fitted.shortened), (0, 1));
        assert!(cut.starts_with("starté") && cut.ends_with("éend"), "{cut}");
        let kept = cut.chars().filter(|character| *character == 'é').count();
        assert!(
            cut.contains(&format!("[{} characters were left out here", 30_000 - kept)),
            "{cut}"
        );
        assert!(kept > 5_000, "no more is cut than needed: {kept}");
        assert_eq!(result_of(&fitted.messages, 4), short);
    }

    #[test]
    fn the_persons_words_are_never_cut() {
        let error = fit(vec![Message::user("x".repeat(100_000))], 0, 10_000, 0).unwrap_err();
        assert!(error.contains("`model.context_tokens`") && error.contains("say less"), "{error}");
    }

    #[test]
    fn a_conversation_without_the_person_is_an_error() {
        assert!(
            fit(vec![said("hello")], 0, 1_000, 0).unwrap_err().contains("no message to answer")
        );
    }

    #[test]
    fn instructions_that_fill_the_window_are_an_error() {
        let error = fit(vec![Message::user("hi")], 400_000, 100_000, 1).unwrap_err();
        assert!(error.contains("`100000` in `model.context_tokens`"), "{error}");
        assert!(fit(vec![Message::user("hi")], 0, 100, u32::MAX).is_err());
    }

    /// Any history: what comes out fits, starts with the person, and pairs calls with results.
    #[test]
    fn random_histories_stay_valid() {
        let mut random = Random(7);
        let (mut fitted_some, mut cut_some, mut refused_some) = (0, 0, 0);
        for round in 0..500 {
            let history = random.history();
            let (fixed, context, reserve) =
                (random.below(4_000), random.below(9_000), random.below(500));
            let before = history.clone();
            match fit(
                history,
                fixed,
                u32::try_from(context).unwrap(),
                u32::try_from(reserve).unwrap(),
            ) {
                Ok(fitted) => {
                    validate(&fitted.messages);
                    let room = (context - reserve) as u64 - tokens(fixed as u64);
                    assert!(
                        fitted.messages.iter().map(message_tokens).sum::<u64>() <= room,
                        "round {round}"
                    );
                    let kept = |messages: &[Message]| -> Vec<Message> {
                        messages
                            .iter()
                            .filter(|message| message.role == Role::User)
                            .cloned()
                            .collect()
                    };
                    assert_eq!(
                        kept(&fitted.messages),
                        kept(&before)[fitted.left_out..],
                        "round {round}"
                    );
                    fitted_some += usize::from(fitted.left_out > 0);
                    cut_some += usize::from(fitted.shortened > 0);
                }
                Err(sentence) => {
                    assert!(sentence.contains("model.context_tokens"));
                    refused_some += 1;
                }
            }
        }
        assert!(
            fitted_some > 20 && cut_some > 20 && refused_some > 20,
            "{fitted_some} {cut_some} {refused_some}"
        );
    }

    #[track_caller]
    pub(crate) fn validate(messages: &[Message]) {
        assert_eq!(messages[0].role, Role::User);
        let mut open = BTreeSet::new();
        for message in messages {
            if message.role != Role::Tool {
                assert!(open.is_empty(), "calls without result: {open:?}");
            }
            for part in &message.parts {
                match &part.content {
                    Content::ToolCall { call } => {
                        assert!(open.insert(call.id.clone()), "called twice")
                    }
                    Content::ToolResult { call_id, .. } => {
                        assert!(open.remove(call_id), "result without call")
                    }
                    _ => {}
                }
            }
        }
        assert!(open.is_empty(), "calls without result: {open:?}");
    }

    /// A linear congruential generator: the same histories every time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        fn text(&mut self, most: usize) -> String {
            let alphabet = ['a', ' ', 'é', '你', '🦀', '\n'];
            (0..self.below(most)).map(|_| alphabet[self.below(alphabet.len())]).collect()
        }

        fn history(&mut self) -> Vec<Message> {
            let mut messages = Vec::new();
            let mut calls = 0;
            for _ in 0..=self.below(5) {
                messages.push(Message::user(self.text(400)));
                for _ in 0..self.below(4) {
                    let ids: Vec<String> =
                        (0..=self.below(3)).map(|n| format!("c{}", calls + n)).collect();
                    calls += ids.len();
                    let texts: Vec<String> = ids
                        .iter()
                        .map(|_| {
                            let most = [50, 500, 9_000][self.below(3)];
                            self.text(most)
                        })
                        .collect();
                    messages.push(called(&ids.iter().map(String::as_str).collect::<Vec<_>>()));
                    let results: Vec<_> = ids
                        .iter()
                        .map(String::as_str)
                        .zip(texts.iter().map(String::as_str))
                        .collect();
                    messages.push(returned(&results));
                }
                if self.below(3) > 0 {
                    messages.push(said(&self.text(600)));
                }
            }
            messages
        }
    }
}
