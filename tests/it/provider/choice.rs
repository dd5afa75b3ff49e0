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
fn what_was_opened_for_a_service_is_closed_with_it() {
    let home = Home::new();
    let vllm = ["provider", "add", "vllm", "--model", "m"];
    home.run(&vllm).code(0);
    home.run(&["config", "set", "model.prices.input", "1.5"]).code(0);
    let grants = || std::fs::read_to_string(home.path("grants.toml")).unwrap_or_default();
    assert!(config(&home).contains("127.0.0.1:8000") && grants().contains("127.0.0.1:8000"));
    home.run(&["provider", "add", "groq", "--model", "m"])
        .code(0)
        .says("provider-openai may not connect to http://127.0.0.1:8000 any more")
        .tells("127.0.0.1:8000 of the service before is closed")
        .tells("`model.prices` was that of the model before");
    let after = config(&home);
    assert!(!after.contains("127.0.0.1") && !after.contains("prices"), "{after}");
    assert!(!grants().contains("127.0.0.1") && grants().contains("api.groq.com"), "{}", grants());
    home.run(&vllm).code(0);
    home.run(&["provider", "remove", "groq"]).code(2).tells("is not set up");
    home.run(&["provider", "remove", "vllm"]).code(0).tells("no service is in use now");
    let after = config(&home);
    assert!(!after.contains("provider-openai\"") && !after.contains("8000"), "{after}");
    assert!(!grants().contains("8000"), "{}", grants());
    home.run(&["ask", "hello"]).code(0);
}

#[test]
fn an_instance_is_taken_out_as_a_whole() {
    let home = Home::new();
    home.run(&["provider", "add", "mistral", "--as", "mistral", "--model", "m"]).code(0);
    home.run(&["provider", "add", "groq", "--model", "n"]).code(0);
    home.run(&["provider", "remove", "mistral"]).code(0).says("mistral is taken out");
    let after = config(&home);
    assert!(!after.contains("mistral") && after.contains("api.groq.com"), "{after}");
    let grants = std::fs::read_to_string(home.path("grants.toml")).unwrap();
    assert!(!grants.contains("mistral") && grants.contains("groq"), "{grants}");
    home.run(&["provider", "remove", "nosuch"]).code(2).tells("no service is called");
}

#[test]
fn bedrock_is_a_service_of_the_list() {
    let home = Home::new();
    home.run(&["provider", "add", "bedrock"]).code(2).tells("your own region");
    let url = "https://bedrock-runtime.eu-west-3.amazonaws.com";
    home.run(&["provider", "add", "bedrock", "--url", url, "--model", "eu.amazon.nova-pro-v1:0"])
        .code(0)
        .says("components.provider-bedrock.config.region = \"eu-west-3\"")
        .tells("hydroid secret set aws-access-key-id")
        .tells("hydroid secret set aws-secret-access-key");
    let used = || {
        let listed = home.run(&["provider", "list", "--json"]).code(0).json_lines();
        let rows = listed[0].as_array().unwrap().iter();
        let used: Vec<_> = rows.filter(|row| row["in_use"] == true).cloned().collect();
        used.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(used(), ["bedrock"]);
    home.run(&["provider", "show", "bedrock"]).code(0).says("signs for AWS and is never sent");
    home.run(&["provider", "add", "bedrock-api-key", "--url", url]).code(0);
    assert_eq!(used(), ["bedrock-api-key"]);
    home.run(&["provider", "remove", "bedrock-api-key"]).code(0);
    assert!(!config(&home).contains("region"), "{}", config(&home));
    // At an address of one's own, which the key may go to as long as the service is there.
    let url = ["--url", "https://vpce.example.com", "--model", "m"];
    home.run(&[&["provider", "add", "bedrock"], &url[..]].concat()).code(0);
    assert!(config(&home).contains("[secrets.aws-secret-access-key]"), "{}", config(&home));
    home.run(&["provider", "remove", "groq"]).code(2);
    home.run(&["provider", "remove", "bedrock"]).code(0);
    let after = config(&home);
    assert!(!after.contains("vpce") && !after.contains("aws-secret"), "{after}");
}

#[test]
fn a_name_that_nobody_has_begins_no_session() {
    let home = Home::new();
    home.run(&["ask", "--provider", "nosuch", "hi"]).code(2).tells("no component is called");
    home.run(&["ask", "--provider", "groq", "hi"]).code(2).tells("hydroid provider add groq");
    home.run(&["ask", "--model", "", "hi"]).code(2);
    home.run(&["provider", "add", "groq", "--model", ""]).code(2);
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines();
    assert_eq!(sessions[0].as_array().map(Vec::len), Some(0), "{sessions:?}");
}

#[test]
fn doctor_tells_of_keys_of_providers_in_use_only() {
    let home = Home::new();
    let ran = home.run(&["doctor"]);
    assert!(!ran.stdout.contains("is not set"), "{}", ran.stdout);
    home.run(&["provider", "add", "anthropic", "--model", "m"]).code(0);
    let ran = home.run(&["doctor"]).says("secret `anthropic` of provider-anthropic is not set");
    assert_eq!(ran.stdout.matches("is not set").count(), 1, "{}", ran.stdout);
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
        (vec!["openai", "--url", "https://llm.example.com/v1?key=1"], "leave out what follows"),
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
