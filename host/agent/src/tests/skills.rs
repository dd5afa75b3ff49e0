//! Skills of a session: what its model takes up and lays down, who may not, and what stays.

use super::*;
use crate::fakes::hooks::word;
use hydroid_core::audit::AuditAction;
use hydroid_core::hook::{HookPoint, HookVerdict};

/// A call that does this with skills.
fn skill(id: &str, wanted: &str) -> String {
    format!(r#"{id} skill {{"skill":"{wanted}"}}"#)
}

/// A host that has the skill `trip`.
fn host(config: &str, script: Vec<Vec<Play>>) -> Host {
    let host = Host::with(config, script);
    host.skills.keep("trip", "", "Pack socks.");
    host
}

/// Says something in a new session, and the turn comes to its end.
async fn completes(host: &Host) -> crate::Session {
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed, "{:#?}", host.transcript());
    session
}

/// The instructions of each request so far.
fn systems(host: &Host) -> Vec<String> {
    host.model.requests.lock().unwrap().iter().map(|request| request.system.clone()).collect()
}

fn line(host: &Host, part: &str) -> String {
    let found = host.transcript().into_iter().find(|line| line.contains(part));
    found.unwrap_or_else(|| panic!("{:#?}", host.transcript()))
}

#[tokio::test(start_paused = true)]
async fn a_model_takes_a_skill_up_and_lays_it_down() {
    let script = vec![
        calls(&[&skill("a", "load trip")]),
        calls(&[&skill("b", "read trip"), &skill("c", "list")]),
        calls(&[&skill("d", "unload trip")]),
        says("done"),
    ];
    let host = host("", script);
    completes(&host).await;
    let systems = systems(&host);
    assert!(systems[0].contains("- trip: Does trip.") && !systems[0].contains("Pack socks"));
    assert!(systems[1].contains("]\nPack socks.\n[end of skill trip "));
    assert!(systems[2].contains("Pack socks") && !systems[3].contains("Pack socks"));
    assert_eq!(line(&host, "loaded trip"), "loaded trip: Pack socks.");
    assert_eq!(line(&host, " a: "), "result a: more.md");
    assert_eq!(line(&host, " c: "), "result c: trip:true");
    assert_eq!(line(&host, "unloaded trip"), "unloaded trip");
    let audited = host.records.events.lock().unwrap();
    let changed = audited.iter().filter(|event| event.action == AuditAction::SkillChanged);
    let changed: Vec<(&str, &str)> =
        changed.map(|event| (event.resource.as_str(), event.rule.as_str())).collect();
    assert_eq!(changed, [("trip", "loaded by the model"), ("trip", "unloaded by the model")]);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_skills_nothing_of_them_is_offered() {
    let offered = async |host: &Host| {
        completes(host).await;
        let requests = host.model.requests.lock().unwrap();
        let tools = requests[0].tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>();
        (tools.contains(&"skill".to_owned()), requests[0].system.contains("skill_load"))
    };
    let none = Host::with("", vec![says("hi")]);
    assert_eq!(offered(&none).await, (false, false));
    assert_eq!(offered(&host("", vec![says("hi")])).await, (true, true));
    let unnamed = host("[skills]\nindex_chars = 0\n", vec![says("hi")]);
    assert_eq!(offered(&unnamed).await, (false, false));
    let hidden = Host::with("", vec![says("hi")]);
    hidden.skills.keep("mine", "disable-model-invocation: true\n", "Go.");
    assert_eq!(offered(&hidden).await, (false, false));
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_asked_before_and_told_after() {
    let script = vec![
        calls(&[&skill("a", "load trip")]),
        calls(&[&skill("b", "load trip")]),
        calls(&[&skill("c", "load trip")]),
        calls(&[&skill("d", "unload trip")]),
        says("done"),
    ];
    let host = host("", script);
    host.hooks.at(HookPoint::SkillLoad, HookVerdict::Deny(word("not today")));
    host.hooks.changes(HookPoint::SkillLoad, |subject| subject["text"] = "Pack wool.".into());
    host.hooks.changes(HookPoint::SkillLoad, |subject| subject["text"] = 7.into());
    host.hooks.at(HookPoint::SkillUnload, HookVerdict::Proceed);
    completes(&host).await;
    let denied = line(&host, "error a: ");
    assert!(
        denied.contains("`trip` is not loaded: the hook `hook-fake` says: not today"),
        "{denied}"
    );
    assert_eq!(line(&host, "loaded trip"), "loaded trip: Pack wool.");
    assert!(line(&host, "error c: ").contains("a hook changed the skill into none"));
    assert!(systems(&host)[2].contains("Pack wool."));
    let asked = host.hooks.asked.lock().unwrap();
    let subjects: Vec<_> = asked.iter().map(|(point, subject)| (*point, subject.clone())).collect();
    assert_eq!(subjects.len(), 4, "{subjects:?}");
    assert_eq!(subjects[0].1["skill"], "trip");
    assert_eq!(subjects[0].1["by"], "model");
    assert_eq!(subjects[3].0, HookPoint::SkillUnload);
    assert_eq!(subjects[3].1["skill"], "trip");
}

#[tokio::test(start_paused = true)]
async fn at_a_skill_every_answer_but_going_on_is_a_denial() {
    for verdict in
        [HookVerdict::Ask(word("w")), HookVerdict::Reply(word("w")), HookVerdict::Retry(word("w"))]
    {
        let host = host("", vec![calls(&[&skill("a", "load trip")]), says("done")]);
        host.hooks.at(HookPoint::SkillLoad, verdict);
        completes(&host).await;
        assert!(line(&host, "error a: ").contains("is not loaded"));
        assert!(!systems(&host)[1].contains("Pack socks"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_thinks_ends_with_the_turn_and_nothing_is_taken_up() {
    let host = host("", vec![calls(&[&skill("a", "load trip")]), says("again")]);
    host.hooks.hangs(HookPoint::SkillLoad);
    let session = host.new_session().await;
    let running = session.say(said("go")).await.unwrap();
    host.hooks.hanging.notified().await;
    session.cancel().await;
    assert_eq!(running.ended().await.unwrap().outcome, Outcome::Cancelled);
    assert!(!host.transcript().iter().any(|line| line.contains("loaded trip")));
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    assert!(!systems(&host)[1].contains("Pack socks"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_too_many_unknown_or_not_for_models_is_refused_with_the_remedy() {
    let script = vec![
        calls(&[&skill("a", "load long"), &skill("b", "load nothing"), &skill("c", "load mine")]),
        calls(&[&skill("d", "load trip"), &skill("e", "load zoo")]),
        calls(&[&skill("f", "unload zoo2"), &skill("g", "read zoo2")]),
        says("done"),
    ];
    let host = host("[skills]\nmax_chars = 20\nmax_loaded = 1\n", script);
    host.skills.keep("zoo", "", "Feed.");
    host.skills.keep("long", "", "Pack so very many socks.");
    host.skills.keep("mine", "disable-model-invocation: true\n", "Go.");
    completes(&host).await;
    for (call, expect) in [
        ("a", "have 24 characters, and `skills.max_chars` is 20"),
        ("b", "no `nothing`"),
        ("c", "`hydroid skill load mine --session s`"),
        ("f", "the skill `zoo2` is not loaded"),
        ("g", "the skill `zoo2` is not loaded"),
    ] {
        let told = line(&host, &format!("error {call}: "));
        assert!(told.contains(expect), "{told}");
    }
    // Both were asked for at once, and there was room for one.
    let results = host.transcript();
    let loaded = results.iter().filter(|line| line.starts_with("loaded ")).count();
    assert_eq!(loaded, 1, "{results:#?}");
    assert_eq!(results.iter().filter(|line| line.contains("`skills.max_loaded` is 1")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn configured_skills_are_loaded_before_the_first_request_and_stay_laid_down() {
    let script = vec![calls(&[&skill("a", "unload mine")]), says("done"), says("again")];
    let host = host("[skills]\nalways = [\"mine\", \"gone\"]\n", script);
    host.skills.keep("mine", "disable-model-invocation: true\n", "Go.");
    let session = completes(&host).await;
    assert!(systems(&host)[0].contains("]\nGo.\n[end of skill mine "));
    assert_eq!(
        line(&host, "notice"),
        "notice `skills.always` names `gone`, which is not loaded: no `gone`"
    );
    session.close().await;
    let session = host.open(SessionChoice::Existing(SessionId::new("s"))).await.unwrap();
    assert_eq!(turn(&session, "more").await, Outcome::Completed);
    assert!(!systems(&host)[2].contains("[skill mine "));
}

#[tokio::test(start_paused = true)]
async fn a_hook_keeps_configured_skills_out_and_the_turn_goes_on() {
    let host = host("[skills]\nalways = [\"trip\"]\n", vec![says("hi")]);
    host.hooks.at(HookPoint::SkillLoad, HookVerdict::Deny(word("no")));
    completes(&host).await;
    assert!(line(&host, "notice").contains("`trip` is not loaded: the hook `hook-fake` says: no"));
    assert!(!systems(&host)[0].contains("[skill trip "));
    let asked = host.hooks.asked.lock().unwrap();
    assert_eq!(asked[0].1["by"], "configuration");
}

#[tokio::test(start_paused = true)]
async fn a_session_has_its_skills_again_whatever_became_of_the_folder() {
    let script = vec![calls(&[&skill("a", "load trip")]), says("done"), says("again")];
    let host = host("", script);
    let session = completes(&host).await;
    session.close().await;
    host.skills.remove("trip");
    let session = host.open(SessionChoice::Existing(SessionId::new("s"))).await.unwrap();
    assert_eq!(turn(&session, "more").await, Outcome::Completed);
    assert!(systems(&host)[2].contains("]\nPack socks.\n[end of skill trip "));
    // What is forgotten with its turn is laid down, and that is told.
    host.hooks.at(HookPoint::SkillUnload, HookVerdict::Proceed);
    session.rewind(None).await.unwrap();
    session.close().await;
    let asked = host.hooks.asked.lock().unwrap();
    assert_eq!(asked.last().unwrap().1["by"], "rewinding");
}

#[tokio::test(start_paused = true)]
async fn neither_components_nor_child_turns_take_anything_up() {
    let script = vec![
        calls(&[&skill("a", "load trip")]),
        calls(&[
            r#"n read {"nested":"skill","with":{"skill":"load zoo"}}"#,
            r#"d read {"delegate":"t","tools":["skill"]}"#,
        ]),
        calls(&[&skill("x", "load zoo")]),
        says("child"),
        says("done"),
    ];
    let host = host("", script);
    host.skills.keep("zoo", "", "Feed.");
    completes(&host).await;
    let transcript = host.transcript();
    assert!(!transcript.iter().any(|line| line.starts_with("loaded zoo")), "{transcript:#?}");
    let refused =
        transcript.iter().filter(|line| line.contains("loaded by the model of the conversation"));
    assert!(refused.count() >= 2, "{transcript:#?}");
    let child = &systems(&host)[2];
    assert!(child.contains("delegated to you") && !child.contains("Pack socks"), "{child}");
}

#[tokio::test(start_paused = true)]
async fn secrets_of_a_skill_reach_neither_journal_nor_model() {
    let host = Host::with("", vec![calls(&[&skill("a", "load trip")]), says("done")]);
    host.skills.keep("trip", "", &format!("Use {SECRET} there."));
    completes(&host).await;
    assert!(!line(&host, "loaded trip").contains(SECRET));
    assert!(!systems(&host)[1].contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn what_was_laid_down_in_a_forgotten_turn_is_loaded_again() {
    let script = vec![calls(&[&skill("a", "unload trip")]), says("done"), says("again")];
    let host = host("[skills]\nalways = [\"trip\"]\n", script);
    let session = completes(&host).await;
    session.rewind(None).await.unwrap();
    assert_eq!(turn(&session, "more").await, Outcome::Completed);
    assert!(systems(&host)[2].contains("[end of skill trip "));
}

#[tokio::test(start_paused = true)]
async fn skills_fill_no_more_than_a_quarter_of_what_the_model_can_read() {
    let config = "[model]\ncatalog = \"acme\"\nname = \"small\"\n";
    let host = Host::with(config, vec![calls(&[&skill("a", "load trip")]), says("done")]);
    host.skills.keep("trip", "", &"Pack socks. ".repeat(200));
    completes(&host).await;
    let told = line(&host, "error a: ");
    assert!(told.contains("more than a quarter of what the model `small` can read"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_person_takes_a_skill_up_and_lays_it_down_between_turns() {
    let host = host("", vec![says("one"), says("two"), says("three"), says("four")]);
    host.skills.keep("mine", "disable-model-invocation: true\n", "Walk slowly.");
    host.hooks.at(HookPoint::SkillUnload, HookVerdict::Proceed);
    let session = host.new_session().await;
    // Before anything was said, and one that no model may load.
    let told = session.load_skill("mine".into()).await.unwrap();
    assert_eq!(told, ["the skill `mine` is loaded with what you say first"]);
    assert_eq!(session.loaded_skills().await, ["mine"]);
    assert!(host.transcript().is_empty(), "nothing was said yet");
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    session.load_skill("trip".into()).await.unwrap();
    assert_eq!(turn(&session, "on").await, Outcome::Completed);
    session.unload_skill("mine".into()).await.unwrap();
    assert_eq!(turn(&session, "further").await, Outcome::Completed);
    let has = |system: &String| (system.contains("Walk slowly"), system.contains("Pack socks"));
    let seen: Vec<_> = systems(&host).iter().map(has).collect();
    assert_eq!(seen, [(true, false), (true, true), (false, true)]);
    assert_eq!(host.journal.titles(), ["go"]);
    let offers = host.agent.skills(&UserId::new("me"), Some(session.id())).await.unwrap();
    let offers: Vec<_> =
        offers.iter().map(|it| (&*it.name, it.loaded, it.by_person_only)).collect();
    assert_eq!(offers, [("mine", false, true), ("trip", true, false)]);
    // Taking the conversation back takes back what was done since.
    session.rewind(None).await.unwrap();
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    assert_eq!(has(&systems(&host)[3]), (true, false));
    let events = host.records.events.lock().unwrap();
    let changed = events.iter().filter(|event| event.action == AuditAction::SkillChanged);
    let changed: Vec<_> = changed.map(|event| event.rule.as_str()).collect();
    let (loaded, unloaded) = ("loaded by the person", "unloaded by the person");
    assert_eq!(changed, [loaded, loaded, unloaded, "unloaded by rewinding", "loaded by rewinding"]);
    let asked = host.hooks.asked.lock().unwrap();
    let told = asked.iter().filter(|(point, _)| *point == HookPoint::SkillUnload);
    let by: Vec<_> = told.map(|(_, subject)| subject["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["person", "rewinding"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_cannot_load_or_unload_is_said_and_nothing_changes() {
    let host = host("[skills]\nmax_loaded = 1\n", vec![vec![Play::Hang], says("done")]);
    host.skills.keep("zoo", "", "Feed.");
    host.hooks.at(HookPoint::SkillLoad, HookVerdict::Deny(word(&format!("no {SECRET}"))));
    let session = host.new_session().await;
    let refused =
        |refused: Result<Vec<String>, crate::ChangeError>| refused.unwrap_err().to_string();
    let denied = refused(session.load_skill("trip".into()).await);
    assert!(denied.contains("the hook `hook-fake` says: no"), "{denied}");
    assert!(!denied.contains(SECRET), "{denied}");
    assert!(refused(session.load_skill("none".into()).await).contains("no `none`"));
    let problem = session.unload_skill("trip".into()).await.unwrap_err().to_string();
    assert!(problem.contains("`trip` is not loaded; loaded: none"), "{problem}");
    assert!(host.transcript().is_empty(), "{:#?}", host.transcript());
    session.load_skill("trip".into()).await.unwrap();
    assert!(refused(session.load_skill("zoo".into()).await).contains("skills.max_loaded"));
    let running = session.say(said("go")).await.unwrap();
    host.model.hangs.notified().await;
    for problem in [
        session.unload_skill("trip".into()).await.unwrap_err().to_string(),
        refused(session.load_skill("trip".into()).await),
    ] {
        assert!(problem.contains("a turn runs"), "{problem}");
    }
    session.cancel().await;
    assert_eq!(running.ended().await.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(turn(&session, "on").await, Outcome::Completed);
    assert!(systems(&host)[1].contains("Pack socks"));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_a_hook_holds_up_is_stopped_and_no_turn_begins_meanwhile() {
    for what in ["cancel", "stop", "close"] {
        let host = host("", vec![says("done")]);
        host.hooks.hangs(HookPoint::SkillLoad);
        let session = host.new_session().await;
        let loading = tokio::spawn({
            let session = session.clone();
            async move { session.load_skill("trip".into()).await }
        });
        host.hooks.hanging.notified().await;
        let words = session.say(said("go")).await.unwrap();
        tokio::task::yield_now().await;
        assert!(host.transcript().is_empty(), "{:#?}", host.transcript());
        let again = session.load_skill("trip".into()).await;
        assert!(matches!(again, Err(crate::ChangeError::TurnRuns)), "{again:?}");
        match what {
            "cancel" => session.cancel().await,
            "stop" => host.stop.send(true).unwrap(),
            _ => session.clone().close().await,
        }
        let problem = loading.await.unwrap().unwrap_err().to_string();
        let expect = match what {
            "cancel" => "it was cancelled",
            "stop" => "everything is stopped",
            _ => "the session is closed",
        };
        assert!(problem.contains(expect), "{what}: {problem}");
        if what == "cancel" {
            assert_eq!(words.ended().await.unwrap().outcome, Outcome::Completed);
            assert!(!systems(&host)[0].contains("Pack socks"));
        }
        if what == "stop" {
            let problem = session.unload_skill("trip".into()).await.unwrap_err().to_string();
            assert!(problem.contains("everything is stopped"), "{problem}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_that_came_since_the_last_turn_are_masked_when_a_person_loads_or_looks() {
    let host = host("", vec![says("one")]);
    let session = completes(&host).await;
    let later = "Kk3Lm9Pq7Rt2Vx5Zb8Nd";
    host.skills.keep("late", &format!("description: Does {later}.\n"), &format!("Use {later}."));
    host.secrets.set("later", later);
    let offers = host.agent.skills(&UserId::new("me"), None).await.unwrap();
    assert!(offers.iter().any(|offer| offer.description.contains("Does")), "{offers:?}");
    assert!(!offers.iter().any(|offer| offer.description.contains(later)), "{offers:?}");
    session.load_skill("late".into()).await.unwrap();
    let loaded = line(&host, "loaded late");
    assert!(loaded.contains("Use") && !loaded.contains(later), "{loaded}");
}

#[tokio::test(start_paused = true)]
async fn what_is_always_loaded_is_unloaded_before_the_first_turn() {
    let host = host("[skills]\nalways = [\"trip\"]\n", vec![says("one")]);
    let session = host.new_session().await;
    session.unload_skill("trip".into()).await.unwrap();
    assert!(session.unload_skill("trip".into()).await.is_err());
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    assert!(!systems(&host)[0].contains("Pack socks"));
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_again_by_rewinding_is_in_the_audit_log() {
    let host = host("", vec![says("one"), says("two")]);
    let session = host.new_session().await;
    session.load_skill("trip".into()).await.unwrap();
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    session.unload_skill("trip".into()).await.unwrap();
    session.rewind(None).await.unwrap();
    assert_eq!(session.loaded_skills().await, ["trip"]);
    let events = host.records.events.lock().unwrap();
    assert_eq!(events.last().unwrap().rule, "loaded by rewinding");
}
