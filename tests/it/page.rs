//! The page in a real browser, against the running host: set-up, chat, configurator, hostile
//! answers, and a host that ends in the middle. The scenarios are in `tests/fixtures/browser/`.

use crate::root;
use crate::support::browser::{Host, Scenario};

#[test]
fn a_first_minute_and_a_chat_in_chromium() {
    let Some(scenario) = Scenario::new("chat.mjs") else { return };
    let host = Host::start("");
    host.home
        .write("skills/trip/SKILL.md", "---\nname: trip\ndescription: Plans trips.\n---\nPack.");
    scenario.run(&host, &[]);
    let shared = std::fs::read_to_string(host.home.shared("hello.txt")).unwrap();
    assert_eq!(shared.trim_end(), "good morning", "what was denied was written");
}

#[test]
fn hostile_answers_are_harmless_in_chromium() {
    let Some(scenario) = Scenario::new("hostile.mjs") else { return };
    scenario.run(&Host::start(""), &[]);
}

#[test]
fn a_household_is_run_from_chromium() {
    let Some(scenario) = Scenario::new("settings.mjs") else { return };
    let host = Host::start("# mine\n[turn] # limits\nmax_steps = 5 # few\n");
    let component = root().join("target/test-components/test-tool-files.wasm");
    let component = component.to_str().unwrap();
    let about = [("HYDROID_COMPONENT", component), ("HYDROID_COMPONENT_NAME", "test-tool-files")];
    scenario.run(&host, &about);
    let config = std::fs::read_to_string(host.home.path("config.toml")).unwrap();
    assert_eq!(config, "# mine\n[turn] # limits\nmax_steps = 7 # few\n");
}

#[test]
fn chromium_goes_on_after_the_host_was_killed() {
    let Some(scenario) = Scenario::new("resume.mjs") else { return };
    let mut host = Host::start("");
    scenario.run_with(&mut host, |host, line| match line {
        "kill" => {
            host.kill();
            "killed"
        }
        "start" => {
            host.start_again();
            "started"
        }
        other => panic!("the scenario asks for `{other}`"),
    });
}

#[test]
fn chromium_says_everything_once_wherever_its_socket_is_cut() {
    let Some(scenario) = Scenario::new("again.mjs") else { return };
    scenario.run(&Host::start(""), &[]);
}

#[test]
fn administration_is_for_administrators_who_are_no_form_of_another_page() {
    let host = Host::start("");
    let (admin, chat) = (host.token("admin"), host.token("chat"));
    let asked = |token: &str, headers: &str, body: &str| {
        let head = format!("POST /api/v1/admin\nauthorization: Bearer {token}\n{headers}");
        host.http(&head, body)
    };
    let ours = "content-type: application/json\nx-hydroid-admin: 1";
    let list = r#"{"type":"secrets"}"#;
    assert_eq!(asked(&admin, ours, list), (200, "[]".to_owned()));
    assert_eq!(asked(&chat, ours, list).0, 403, "a token for chat");
    assert_eq!(asked("hyd_wrong", ours, list).0, 401, "a token that is none");
    assert_eq!(asked(&admin, "content-type: application/json", list).0, 403, "without the header");
    assert_eq!(
        asked(&admin, "content-type: text/plain\nx-hydroid-admin: 1", list).0,
        403,
        "a form"
    );
    let elsewhere = format!("{ours}\norigin: https://evil.example");
    assert_eq!(asked(&admin, &elsewhere, list).0, 403, "a page of somebody else");
    assert_eq!(host.http("GET /api/v1/admin", "").0, 405);
    for nothing in
        ["", "[]", "null", "{", r#"{"type":"format_disk"}"#, r#"{"type":"set_secret","name":1}"#]
    {
        assert_eq!(asked(&admin, ours, nothing).0, 400, "{nothing}");
    }

    let value = "sk-this-goes-in-and-not-out";
    let set = format!(r#"{{"type":"set_secret","name":"openai","value":"{value}"}}"#);
    let (status, said) = asked(&admin, ours, &set);
    assert_eq!(status, 200, "{said}");
    let (_, listed) = asked(&admin, ours, list);
    assert!(listed.contains("\"openai\""), "{listed}");
    let (_, logged) = asked(&admin, ours, r#"{"type":"audit"}"#);
    assert!(logged.contains("set openai"), "{logged}");
    for text in [&said, &listed, &logged] {
        assert!(!text.contains(value), "{text}");
    }
}

#[test]
fn the_page_is_served_with_nothing_of_anybody() {
    let host = Host::start("");
    let (status, index) = host.http("GET /", "");
    assert_eq!(status, 200);
    assert!(index.contains("/page/js/main.js"), "{index}");
    assert_eq!(host.http("GET /page/js/settings/secrets.js", "").0, 200);
    for nothing in ["/page/", "/page/..%2f..%2fCargo.toml", "/page/js/../../server.rs", "/page/js"]
    {
        assert_eq!(host.http(&format!("GET {nothing}"), "").0, 404, "{nothing}");
    }
    assert_eq!(host.http("GET /api/v1/sessions", "").0, 401, "nobody is let see sessions");
}
