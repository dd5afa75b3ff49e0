//! A conversation that grows, and where its requests are marked. What counts is that each request
//! begins with what an earlier one marked, so that the service finds it.

use super::*;

/// What the service keeps of a request: everything up to each mark, without the marks.
fn kept(body: &Value) -> (Vec<String>, String) {
    let mut read = String::new();
    let mut kept = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let blocks = list(&body["messages"]).into_iter().flat_map(|message| {
        let role = message["role"].to_string();
        list(&message["content"]).into_iter().map(move |block| (role.clone(), block))
    });
    let tools = list(&body["toolConfig"]["tools"]).into_iter().map(|tool| (String::new(), tool));
    let system = list(&body["system"]).into_iter().map(|block| (String::new(), block));
    for (role, block) in tools.chain(system).chain(blocks) {
        match block.get("cachePoint") {
            Some(_) => kept.push(read.clone()),
            None => read.push_str(&format!("{role}{block}")),
        }
    }
    (kept, read)
}

/// As the host sends it: the instructions and the last message may be kept.
fn sent(model: &str, history: &[Turn], config: &Config) -> Value {
    let mut messages = vec![Turn { cache: true, ..says(Role::System, vec![words("be kind")]) }];
    messages.extend(history.iter().cloned());
    messages.last_mut().expect("at least one").cache = true;
    let tools = vec![offered("t"), offered("u")];
    body(Request { model: model.to_owned(), tools, ..request(messages) }, config)
}

#[test]
fn each_request_of_a_growing_conversation_finds_what_the_one_before_left() {
    for (model, marks) in [(CLAUDE, 4), (NOVA, 3)] {
        let mut history = Vec::new();
        let mut left: Option<String> = None;
        for turn in 0..10 {
            history.push(says(Role::User, vec![words(&format!("question {turn}"))]));
            let (now, all) = kept(&sent(model, &history, &Config::default()));
            assert!(now.len() <= marks, "{} marks", now.len());
            assert_eq!(now.last(), Some(&all), "the end is not marked");
            assert!(left.is_none_or(|left| now.contains(&left)), "not marked where it was kept");
            left = now.last().cloned();
            let calls = (0..30).map(|index| call(&format!("c{turn}_{index}"), "{}"));
            history.push(says(Role::Assistant, calls.collect()));
            let results =
                (0..30).map(|index| result(&format!("c{turn}_{index}"), Vec::new(), false));
            history.push(says(Role::Tool, results.collect()));
            let (now, _) = kept(&sent(model, &history, &Config::default()));
            assert!(now.contains(left.as_ref().expect("set above")), "lost within a turn");
            left = now.last().cloned();
            history.push(says(Role::Assistant, vec![words(&format!("answer {turn}"))]));
        }
    }
}

#[test]
fn marks_stand_where_the_model_and_the_person_allow_them() {
    let history = [says(Role::User, vec![words("one")])];
    let marks = |model: &str, json: Value| {
        let body = sent(model, &history, &config(json));
        let points = body.to_string().matches("cachePoint").count();
        (points, body["system"][1]["cachePoint"].clone())
    };
    let point = json!({"type": "default"});
    assert_eq!(marks(CLAUDE, json!({})), (3, point.clone()));
    assert_eq!(marks(NOVA, json!({})), (2, point));
    assert_eq!(marks("meta.llama3-3-70b-instruct-v1:0", json!({})), (0, Value::Null));
    assert_eq!(marks("anthropic.claude-3-haiku-20240307-v1:0", json!({})), (0, Value::Null));
    assert_eq!(marks(CLAUDE, json!({"prompt_cache": "off"})), (0, Value::Null));
    let hour = json!({"type": "default", "ttl": "1h"});
    assert_eq!(marks(CLAUDE, json!({"prompt_cache": "1h"})), (3, hour));
    let silent = body(
        Request { tools: vec![offered("t")], ..request(history.to_vec()) },
        &Config::default(),
    );
    assert!(!silent.to_string().contains("cachePoint"));
    let thinking = Turn { cache: true, ..says(Role::Assistant, vec![redacted("AQI=")]) };
    assert!(!body(request(vec![thinking]), &Config::default()).to_string().contains("cachePoint"));
}
