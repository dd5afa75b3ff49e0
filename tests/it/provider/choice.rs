//! `hydroid provider`: choosing a service by name, and trying it.

use super::{KEY, clean, turns};
use crate::support::hydroid::Home;

/// The file of the configuration as it is.
fn config(home: &Home) -> String {
    std::fs::read_to_string(home.path("config.toml")).unwrap_or_default()
}

#[test]
fn services_are_listed_and_shown() {
    let home = Home::new();
    let listed = home.run(&["provider", "list", "--json"]).code(0).json_lines();
    let rows = listed[0].as_array().unwrap();
    assert!(rows.len() >= 35, "{}", rows.len());
    let groq = rows.iter().find(|row| row["name"] == "groq").unwrap();
    assert_eq!(groq["component"], "provider-openai");
    assert_eq!(groq["secret_is_set"], false);
    assert!(rows.iter().all(|row| row["in_use"] == false), "rehearsal is in use");
    home.run(&["provider", "list"]).code(0).says("OpenRouter").says("groq, not set");
    home.run(&["provider", "show", "azure"]).code(0).says("header:api-key").says("--url");
    home.run(&["provider", "show", "gorq"]).code(2).tells("did you mean `groq`");
}

#[test]
fn a_service_is_added_as_a_whole_and_answers() {
    let Some(server) = turns::server() else { return };
    let home = Home::with_config("# mine\n[turn]\nmax_steps = 9 # few\n");
    let url = format!("http://{}/v1", server.address());
    home.run(&["provider", "add", "openai", "--url", &url, "--model", "gpt-test"])
        .code(0)
        .says("model.provider = \"provider-openai\"")
        .says(&format!("provider-openai may connect to http://{}", server.address()))
        .tells("hydroid secret set openai");
    assert!(
        config(&home).starts_with("# mine\n[turn]\nmax_steps = 9 # few\n"),
        "{}",
        config(&home)
    );
    home.run(&["provider", "test"]).code(3).tells("hydroid secret set openai");
    home.run_with(&["secret", "set", "openai"], KEY.as_bytes()).code(0);
    clean(home.run(&["ask", "hello"]).code(0)).says("Hello from the server.");
    let audit = home.run(&["audit", "query", "--json"]).code(0).stdout;
    assert!(audit.contains("provider add") && audit.contains("model.provider"), "{audit}");
}

#[test]
fn the_service_in_use_is_tried() {
    let answers = serde_json::json!({ "fixtures": [
        { "match": { "userMessage": "Answer with one word" }, "response": { "content": "ready" } } ] });
    let Some(server) = crate::support::aimock::Aimock::start(&answers) else { return };
    let home = Home::new();
    let url = format!("http://{}", server.address());
    home.run(&["provider", "add", "ollama", "--url", &url, "--model", "m"]).code(0);
    home.run(&["provider", "test"]).code(0).says("it works: answered `ready`");
    home.run(&["provider", "test", "groq"]).code(2).tells("hydroid provider add groq");
    server.chaos(&serde_json::json!({ "dropRate": 1.0 }));
    home.run(&["provider", "test"]).code(3).tells("it does not work");
}

#[test]
fn another_service_leaves_nothing_of_the_one_before() {
    let home = Home::new();
    home.run(&["provider", "add", "mistral", "--model", "m"]).code(0);
    assert!(config(&home).contains("nine_characters"));
    let listed = home.run(&["provider", "list", "--json"]).code(0).json_lines();
    let used: Vec<_> =
        listed[0].as_array().unwrap().iter().filter(|row| row["in_use"] == true).collect();
    assert!(used.len() == 1 && used[0]["name"] == "mistral", "{used:?}");
    home.run(&["provider", "add", "groq"]).code(0).tells("`model.name` is `m` as before");
    let after = config(&home);
    assert!(!after.contains("nine_characters") && after.contains("api.groq.com"), "{after}");
    home.run(&["doctor"]).says("secret `groq` of provider-openai is not set");
}

#[test]
fn two_services_of_one_component_stand_side_by_side() {
    let (Some(one), Some(two)) = (turns::server(), turns::server()) else { return };
    let home = Home::new();
    for (name, server) in [("one", &one), ("two", &two)] {
        let url = format!("http://{}/v1", server.address());
        home.run(&["provider", "add", "vllm", "--url", &url, "--model", "m", "--as", name])
            .code(0)
            .says(&format!("{name} may connect to http://{}", server.address()));
    }
    for name in ["one", "two"] {
        home.run(&["ask", "--provider", name, "hello"]).code(0).says("Hello from the server.");
    }
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
    home.run(&["provider", "add", "vllm", "--as", "A b"]).code(2).tells("is no name");
}

#[test]
fn what_would_be_refused_changes_nothing() {
    let home = Home::with_config("[model]\nname = \"a\"\n");
    let before = config(&home);
    for (arguments, expected) in [
        (vec!["gorq"], "did you mean `groq`"),
        (vec!["azure"], "your own resource"),
        (vec!["openai", "--url", "ftp://x"], "only http and https"),
        (vec!["openai", "--url", "llm.example.com"], "https://llm.example.com/v1"),
    ] {
        let command: Vec<&str> = ["provider", "add"].into_iter().chain(arguments).collect();
        home.run(&command).code(2).tells(expected);
        assert_eq!(config(&home), before);
        assert!(!home.path("grants.toml").exists());
    }
    // What makes the configuration one that cannot be used is not written either.
    home.write("config.toml", "components = 3\n");
    assert_ne!(home.run(&["provider", "add", "groq"]).code, Some(0));
    assert_eq!(config(&home), "components = 3\n");
}
