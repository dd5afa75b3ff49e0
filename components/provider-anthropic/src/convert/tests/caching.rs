//! A conversation that grows, and where its requests are marked. What counts is that each request
//! begins with bytes an earlier one marked, so that the service finds them.

use super::*;

/// What the service keeps of a request: everything up to each mark, without the marks.
fn kept(body: &Value) -> Vec<String> {
    let mut read = String::new();
    let mut kept = Vec::new();
    let tools = body["tools"].as_array().into_iter().flatten();
    let system = body["system"].as_array().into_iter().flatten();
    let messages = body["messages"].as_array().into_iter().flatten();
    let blocks = messages.flat_map(|message| {
        let role = message["role"].clone();
        let blocks = message["content"].as_array().expect("blocks").iter();
        blocks.map(move |block| json!({"role": role, "block": block}))
    });
    for item in tools.cloned().chain(system.cloned()).chain(blocks) {
        let mut item = item;
        let block = if item.get("block").is_some() { &mut item["block"] } else { &mut item };
        let marked = block.as_object_mut().expect("an object").remove("cache_control");
        read.push_str(&item.to_string());
        if let Some(marked) = marked {
            assert_eq!(marked["type"], "ephemeral");
            kept.push(read.clone());
        }
    }
    kept
}

/// Everything the service reads of a request.
fn all(body: &Value) -> String {
    let mut marked = body.clone();
    let last = marked["messages"].as_array_mut().and_then(|messages| messages.last_mut());
    let block = last.and_then(|message| message["content"].as_array_mut()?.last_mut());
    block.expect("a block")["cache_control"] = json!({"type": "ephemeral"});
    kept(&marked).pop().expect("marked above")
}

/// As the host sends it: the instructions and the last message may be kept.
fn sent(history: &[Turn], config: &Config) -> Value {
    let mut messages = vec![Turn { cache: true, ..says(Role::System, vec![words("be kind")]) }];
    messages.extend(history.iter().cloned());
    messages.last_mut().expect("at least one").cache = true;
    body(Request { tools: vec![offered("t"), offered("u")], ..request(messages) }, config)
}

#[test]
fn each_request_of_a_growing_conversation_finds_what_the_one_before_left() {
    let config = Config::default();
    let mut history = Vec::new();
    let mut left: Vec<String> = Vec::new();
    for turn in 0..12 {
        history.push(says(Role::User, vec![words(&format!("question {turn}"))]));
        // Some turns ask for so many tools that the service would not look back far enough.
        for step in 0..turn % 4 {
            let body = sent(&history, &config);
            left = found(&body, &left, turn == 0 && step == 0);
            let calls = (0..12).map(|call_| call(&format!("c{turn}_{step}_{call_}"), "{}"));
            let thought = thought("hm", "sig");
            history.push(says(Role::Assistant, [thought].into_iter().chain(calls).collect()));
            history.extend((0..12).map(|call_| {
                let id = format!("c{turn}_{step}_{call_}");
                says(Role::Tool, vec![result(&id, vec![Part::Text("ok".to_owned())], false)])
            }));
        }
        let body = sent(&history, &config);
        left = found(&body, &left, turn == 0);
        history.push(says(Role::Assistant, vec![words(&format!("answer {turn}"))]));
    }
}

/// Checks one request against what earlier ones left, and returns all that is left now.
#[track_caller]
fn found(body: &Value, left: &[String], first: bool) -> Vec<String> {
    let now = kept(body);
    assert!(now.len() <= 4, "{} marks", now.len());
    let all = all(body);
    // The end of the request before is a place where this one is marked too.
    let longest =
        left.iter().filter(|kept| all.starts_with(kept.as_str())).max_by_key(|kept| kept.len());
    assert!(first || longest == left.last(), "a conversation that grew lost its beginning");
    assert!(first || now.contains(longest.expect("not the first")), "not marked where it was kept");
    assert_eq!(now.last(), Some(&all), "the end is not marked");
    now
}

#[test]
fn marks_stand_behind_tools_instructions_and_the_last_two_turns() {
    let history = [
        says(Role::User, vec![words("one")]),
        says(Role::Assistant, vec![words("first")]),
        says(Role::User, vec![words("two")]),
        says(Role::Assistant, vec![thought("hm", "sig")]),
        says(Role::User, vec![words("three")]),
    ];
    let body = sent(&history, &Config::default());
    let mark = json!({"type": "ephemeral"});
    assert_eq!(body["tools"][0].get("cache_control"), None);
    assert_eq!(body["tools"][1]["cache_control"], mark);
    assert_eq!(body["system"][0]["cache_control"], mark);
    let marked: Vec<bool> = body["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["content"][0].get("cache_control").is_some())
        .collect();
    assert_eq!(marked, [false, false, true, false, true]);
    let hour = sent(&history, &config(json!({"prompt_cache": "1h"})));
    assert_eq!(hour["system"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
}

#[test]
fn what_the_host_does_not_allow_is_not_kept() {
    let history = [says(Role::User, vec![words("one")])];
    let off = sent(&history, &config(json!({"prompt_cache": "off"})));
    assert_eq!(kept(&off), Vec::<String>::new());
    let silent = body(
        Request { tools: vec![offered("t")], ..request(history.to_vec()) },
        &Config::default(),
    );
    assert_eq!(kept(&silent), Vec::<String>::new());
    // The host names two places of its own.
    let hinted = |text: &str, cache: bool| Turn { cache, ..says(Role::User, vec![words(text)]) };
    let answer = || says(Role::Assistant, vec![words("yes")]);
    let messages =
        vec![hinted("a", true), answer(), hinted("b", false), answer(), hinted("c", true)];
    let body = body(request(messages), &Config::default());
    assert_eq!(kept(&body).len(), 2);
    assert!(body["messages"][0]["content"][0].get("cache_control").is_some());
}

#[test]
fn thinking_has_no_mark() {
    let last = Turn {
        cache: true,
        ..says(Role::Assistant, vec![words("so"), thought("hm", "sig"), redacted("data")])
    };
    let body = body(request(vec![last]), &Config::default());
    let content = &body["messages"][0]["content"];
    assert!(content[0].get("cache_control").is_some(), "{content:#}");
    assert!(content[1].get("cache_control").is_none() && content[2].get("cache_control").is_none());
}
