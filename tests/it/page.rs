//! The page in a real browser, against the running host: set-up, chat, configurator, hostile
//! answers, and a host that ends in the middle. The scenarios are in `tests/fixtures/browser/`.

use crate::root;
use crate::support::browser::{Host, Scenario};

#[test]
fn a_first_minute_and_a_chat_in_chromium() {
    let Some(scenario) = Scenario::new("chat.mjs") else { return };
    let host = Host::start("");
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
