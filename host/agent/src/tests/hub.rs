//! The sessions of a user as a listener sees them: what followers are shown and when, what waits,
//! what leaves memory and comes back.

use crate::fakes::{Host, Nothing, Play, calls, says, text};
use crate::{Hub, HubLimits, HubParts};
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, ClientKey, SessionId, TurnId, UserId};
use hydroid_core::message::{Message, Part, Role, StopReason};
use hydroid_core::ports::{
    Conversations, Following, Journal as _, ModelEvent, PromptFile, Saying, WaitingMessages as _,
};
use hydroid_core::protocol::{
    Activity, ApprovalAnswer, ErrorCode, Reply, Request, SessionInfo, SessionMessage,
    SessionSettings, Stopped,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMITS: HubLimits =
    HubLimits { turns: 4, sessions: 8, queued: 2, idle: Duration::from_secs(60) };

fn hub(host: &Host, limits: HubLimits) -> Hub {
    hub_of(host, limits, Arc::default())
}

fn hub_of(host: &Host, limits: HubLimits, occupied: Arc<AtomicBool>) -> Hub {
    Hub::new(HubParts {
        user: UserId::new("me"),
        agent: host.agent.clone(),
        sessions: host.journal.clone(),
        recall: Arc::new(Nothing),
        ledger: Arc::new(Nothing),
        inventory: Arc::new(Nothing),
        occupy: Box::new(move |_| {
            if occupied.load(Ordering::SeqCst) {
                return Err("process 7 has it".to_owned());
            }
            Ok(Box::new(()))
        }),
        export: Box::new(|_, title, entries| format!("{title}: {}", entries.len())),
        limits,
        channel: "gateway".into(),
    })
}

async fn create(hub: &Hub) -> SessionId {
    let request = Request::Create { title: None, settings: SessionSettings::default(), key: None };
    match hub.request(request).await.unwrap() {
        Reply::Session { session } => session.session,
        reply => panic!("{reply:?}"),
    }
}

fn said(text: &str) -> Vec<Part> {
    Message::user(text).parts
}

async fn follow(hub: &Hub, session: &SessionId, after: u64) -> (SessionInfo, Box<dyn Following>) {
    hub.follow(session, Some(after)).await.unwrap()
}

/// The next entry; what is transient is left out.
async fn entry(following: &mut Box<dyn Following>) -> Result<(u64, Entry), (Stopped, u64)> {
    loop {
        if let SessionMessage::Entry { seq, entry, .. } = following.next().await? {
            return Ok((seq, entry));
        }
    }
}

async fn until_end(following: &mut Box<dyn Following>) -> Vec<u64> {
    let mut seqs = Vec::new();
    loop {
        let (seq, entry) = entry(following).await.unwrap();
        seqs.push(seq);
        if matches!(entry, Entry::TurnEnded { .. }) {
            return seqs;
        }
    }
}

async fn activity_is(hub: &Hub, session: &SessionId, wanted: Activity) {
    for _ in 0..2_000 {
        let (info, _) = hub.follow(session, None).await.unwrap();
        if info.activity == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never became {wanted:?}");
}

/// An answer of many pieces, each an entry of its own.
fn pieces(count: usize) -> Vec<Play> {
    let mut plays: Vec<Play> =
        (0..count).map(|number| Play::Batch(vec![text(&format!("piece {number}. "))])).collect();
    plays.push(Play::Batch(vec![ModelEvent::Finished(StopReason::EndTurn)]));
    plays
}

#[tokio::test]
async fn a_client_that_is_cut_off_at_any_entry_loses_and_repeats_nothing() {
    let script = || vec![calls(&["a read {}"]), pieces(4)];
    let host = Host::new(script());
    let hub_ = hub(&host, LIMITS);
    let session = create(&hub_).await;
    let (_, mut all) = follow(&hub_, &session, 0).await;
    hub_.say(&session, said("go")).await.unwrap();
    let expect = until_end(&mut all).await;
    assert!(expect.len() > 10, "{expect:?}");
    for cut in 0..expect.len() {
        let host = Host::new(script());
        let hub = hub(&host, LIMITS);
        let session = create(&hub).await;
        let (_, mut first) = follow(&hub, &session, 0).await;
        hub.say(&session, said("go")).await.unwrap();
        let mut seqs = Vec::new();
        for _ in 0..cut {
            seqs.push(entry(&mut first).await.unwrap().0);
        }
        drop(first);
        let (_, mut second) = follow(&hub, &session, seqs.last().copied().unwrap_or(0)).await;
        seqs.extend(until_end(&mut second).await);
        assert_eq!(seqs, expect, "cut after {cut}");
        host.no_faults();
    }
    host.no_faults();
}

#[tokio::test]
async fn a_follower_that_does_not_read_keeps_nobody_waiting_and_goes_on_later() {
    let host = Host::new(vec![pieces(1_500)]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut slow) = follow(&hub, &session, 0).await;
    let (_, mut quick) = follow(&hub, &session, 0).await;
    hub.say(&session, said("go")).await.unwrap();
    // Even a quick one may be overtaken by a model that answers at once.
    let mut expect = Vec::new();
    loop {
        match entry(&mut quick).await {
            Ok((seq, entry)) => {
                expect.push(seq);
                if matches!(entry, Entry::TurnEnded { .. }) {
                    break;
                }
            }
            Err((Stopped::FellBehind, last)) => (_, quick) = follow(&hub, &session, last).await,
            Err(end) => panic!("{end:?}"),
        }
    }
    assert_eq!(expect, (1..=expect.len() as u64).collect::<Vec<_>>());
    let mut seqs = Vec::new();
    let last = loop {
        match entry(&mut slow).await {
            Ok((seq, _)) => seqs.push(seq),
            Err((Stopped::FellBehind, last)) => break last,
            Err(end) => panic!("{end:?}"),
        }
    };
    assert_eq!(Some(&last), seqs.last());
    assert!(seqs.len() < expect.len());
    let (_, mut again) = follow(&hub, &session, last).await;
    seqs.extend(until_end(&mut again).await);
    assert_eq!(seqs, expect);
    host.no_faults();
}

#[tokio::test]
async fn a_user_has_only_so_many_turns_at_once_and_the_next_waits() {
    let host = Host::new(vec![vec![Play::Hang], says("second")]);
    let hub = hub(&host, HubLimits { turns: 1, ..LIMITS });
    let (first, second) = (create(&hub).await, create(&hub).await);
    hub.say(&first, said("hang")).await.unwrap();
    host.model.hangs.notified().await;
    let (_, mut following) = follow(&hub, &second, 0).await;
    hub.say(&second, said("wait")).await.unwrap();
    activity_is(&hub, &second, Activity::Waiting).await;
    assert_eq!(hub.running().len(), 2);
    hub.request(Request::Cancel { session: first }).await.unwrap();
    assert_eq!(until_end(&mut following).await.len(), 5);
    host.no_faults();
}

#[tokio::test]
async fn a_message_that_waits_for_its_place_is_cancelled_like_a_turn() {
    let host = Host::new(vec![vec![Play::Hang], says("third")]);
    let hub = hub(&host, HubLimits { turns: 1, ..LIMITS });
    let (first, second, third) = (create(&hub).await, create(&hub).await, create(&hub).await);
    hub.say(&first, said("hang")).await.unwrap();
    host.model.hangs.notified().await;
    hub.say(&second, said("cancelled")).await.unwrap();
    activity_is(&hub, &second, Activity::Waiting).await;
    hub.request(Request::Cancel { session: second.clone() }).await.unwrap();
    activity_is(&hub, &second, Activity::Idle).await;
    assert!(host.journal.waiting.lock().unwrap().is_empty());
    hub.say(&second, said("cancelled, too")).await.unwrap();
    activity_is(&hub, &second, Activity::Waiting).await;
    hub.request(Request::CancelAll).await.unwrap();
    activity_is(&hub, &first, Activity::Idle).await;
    activity_is(&hub, &second, Activity::Idle).await;
    // The place is free again.
    let (_, mut following) = follow(&hub, &third, 0).await;
    hub.say(&third, said("third")).await.unwrap();
    until_end(&mut following).await;
    assert_eq!(began_with(&host, &second), []);
    host.no_faults();
}

#[tokio::test]
async fn a_queue_is_bounded_and_dropped_by_cancelling_all() {
    let host = Host::new(vec![vec![Play::Hang]]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    hub.say(&session, said("hang")).await.unwrap();
    host.model.hangs.notified().await;
    for expect in [1, 2] {
        let reply = hub.say(&session, said("next")).await.unwrap();
        assert_eq!(
            reply,
            Reply::Accepted { session: session.clone(), queued: expect, repeated: false }
        );
    }
    let refused = hub.say(&session, said("one too many")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Busy);
    let refused = hub.request(Request::Rewind { session: session.clone(), before: None }).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TurnRuns);
    hub.request(Request::CancelAll).await.unwrap();
    activity_is(&hub, &session, Activity::Idle).await;
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_leaves_memory_and_comes_back_whole() {
    let host = Host::new(vec![says("first"), says("second")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("one")).await.unwrap();
    until_end(&mut following).await;
    while hub.awake() > 0 {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    // It is still followed, and the turn of a session that came back is shown.
    hub.say(&session, said("two")).await.unwrap();
    assert_eq!(until_end(&mut following).await, [6, 7, 8, 9, 10]);
    let requests = host.model.requests.lock().unwrap();
    let texts: Vec<String> = requests[1].messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["one", "first", "two"]);
}

#[tokio::test]
async fn a_full_memory_lets_the_oldest_idle_session_go() {
    let host = Host::new(vec![says("1"), says("2"), vec![Play::Hang], vec![Play::Hang]]);
    let hub = hub(&host, HubLimits { sessions: 2, ..LIMITS });
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let session = create(&hub).await;
        let (_, mut following) = follow(&hub, &session, 0).await;
        hub.say(&session, said("go")).await.unwrap();
        until_end(&mut following).await;
        activity_is(&hub, &session, Activity::Idle).await;
        sessions.push(session);
    }
    for _ in 0..2 {
        let session = create(&hub).await;
        hub.say(&session, said("hang")).await.unwrap();
        host.model.hangs.notified().await;
    }
    assert_eq!(hub.awake(), 2);
    let refused = hub.say(&sessions[0], said("again")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::LimitReached);
    assert!(refused.message.contains("gateway.sessions_per_user"));
}

#[tokio::test]
async fn what_is_said_into_a_turn_is_read_before_the_next_step() {
    let host = Host::new(vec![calls(&[r#"a read {"do":"slow"}"#]), says("done")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let steer = || Request::Steer { session: session.clone(), text: "shorter".into(), key: None };
    assert_eq!(hub.request(steer()).await.unwrap_err().code, ErrorCode::NothingRuns);
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("go")).await.unwrap();
    host.tools.started.notified().await;
    hub.request(steer()).await.unwrap();
    until_end(&mut following).await;
    let requests = host.model.requests.lock().unwrap();
    let roles: Vec<Role> = requests[1].messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    assert_eq!(requests[1].messages[3].text(), "shorter");
    host.no_faults();
}

#[tokio::test]
async fn a_person_sees_loads_and_unloads_skills() {
    let host = Host::new(vec![says("a")]);
    host.skills.keep("trip", "", "Pack socks.");
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let loaded = async |session: Option<SessionId>| match hub
        .request(Request::Skills { session })
        .await
        .unwrap()
    {
        Reply::Skills { skills } => {
            skills.iter().map(|it| (it.name.clone(), it.loaded)).collect::<Vec<_>>()
        }
        reply => panic!("{reply:?}"),
    };
    let trip = |is_loaded| vec![("trip".to_owned(), is_loaded)];
    assert_eq!(loaded(None).await, trip(false));
    let (_, mut following) = follow(&hub, &session, 0).await;
    let load = |skill: &str| Request::LoadSkill { session: session.clone(), skill: skill.into() };
    let reply = Reply::SkillLoaded { session: session.clone(), notices: Vec::new() };
    assert_eq!(hub.request(load("trip")).await.unwrap(), reply);
    assert!(matches!(entry(&mut following).await.unwrap().1, Entry::SkillLoaded { .. }));
    assert_eq!(loaded(Some(session.clone())).await, trip(true));
    host.skills.remove("trip");
    assert_eq!(loaded(Some(session.clone())).await, trip(true));
    assert_eq!(hub.request(load("other")).await.unwrap_err().code, ErrorCode::NotFound);
    let unload = || Request::UnloadSkill { session: session.clone(), skill: "trip".into() };
    assert_eq!(hub.request(unload()).await.unwrap(), Reply::Done);
    assert!(matches!(entry(&mut following).await.unwrap().1, Entry::SkillUnloaded { .. }));
    assert_eq!(hub.request(unload()).await.unwrap_err().code, ErrorCode::NotFound);
    let nobodys = Request::Skills { session: Some(SessionId::new("other")) };
    assert_eq!(hub.request(nobodys).await.unwrap_err().code, ErrorCode::NotFound);
    host.no_faults();
}

#[tokio::test]
async fn a_session_that_loads_a_skill_is_seen_to_work_and_a_message_waits_for_it() {
    let host = Host::new(vec![says("a")]);
    host.skills.keep("trip", "", "Pack socks.");
    host.hooks.hangs(hydroid_core::hook::HookPoint::SkillLoad);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    let loading = tokio::spawn({
        let load = Request::LoadSkill { session: session.clone(), skill: "trip".into() };
        let hub = hub.clone();
        async move { hub.request(load).await }
    });
    host.hooks.hanging.notified().await;
    activity_is(&hub, &session, Activity::Working).await;
    hub.say(&session, said("go")).await.unwrap();
    let rewind = Request::Rewind { session: session.clone(), before: None };
    assert_eq!(hub.request(rewind).await.unwrap_err().code, ErrorCode::TurnRuns);
    hub.request(Request::Cancel { session: session.clone() }).await.unwrap();
    assert_eq!(loading.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    until_end(&mut following).await;
    activity_is(&hub, &session, Activity::Idle).await;
    host.no_faults();
}

#[tokio::test]
async fn a_conversation_is_taken_back_and_settings_are_its_own() {
    let host = Host::new(vec![says("a"), says("b"), says("c")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    let mut turns: Vec<TurnId> = Vec::new();
    for text in ["one", "two"] {
        hub.say(&session, said(text)).await.unwrap();
        loop {
            match entry(&mut following).await.unwrap().1 {
                Entry::TurnStarted { turn, .. } => turns.push(turn),
                Entry::TurnEnded { .. } => break,
                _ => {}
            }
        }
        activity_is(&hub, &session, Activity::Idle).await;
    }
    let rewind = |before| Request::Rewind { session: session.clone(), before };
    let unknown = hub.request(rewind(Some(TurnId::new("other")))).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    hub.request(rewind(Some(turns[1].clone()))).await.unwrap();
    let settings = SessionSettings {
        model: Some("deaf".into()),
        effort: Some("high".into()),
        ..SessionSettings::default()
    };
    let set = Request::Settings { session: session.clone(), settings: settings.clone() };
    let Reply::Session { session: info } = hub.request(set).await.unwrap() else { panic!() };
    assert_eq!(info.settings, settings);
    hub.say(&session, said("three")).await.unwrap();
    until_end(&mut following).await;
    let requests = host.model.requests.lock().unwrap();
    let texts: Vec<String> = requests[2].messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["one", "a", "three"]);
    assert_eq!(requests[2].model, "deaf");
    assert_eq!(requests[2].options, Some(serde_json::json!({ "reasoning_effort": "high" })));
    host.no_faults();
}

#[tokio::test]
async fn a_question_is_answered_in_a_session_that_was_not_in_memory() {
    let asks = || vec![calls(&["a write {}"]), says("done")];
    let host = Host::new(asks());
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("go")).await.unwrap();
    while !matches!(entry(&mut following).await.unwrap().1, Entry::ApprovalAsked { .. }) {}
    hub.close().await;
    // Another run of the host has the same journal.
    let hub = self::hub(&host, LIMITS);
    let answer = Request::Answer {
        session: session.clone(),
        call_id: CallId::new("a"),
        answer: ApprovalAnswer::Once,
    };
    hub.request(answer.clone()).await.unwrap();
    let (_, mut following) = follow(&hub, &session, 0).await;
    until_end(&mut following).await;
    assert_eq!(hub.request(answer).await.unwrap_err().code, ErrorCode::NotAsked);
    host.no_faults();
}

#[tokio::test]
async fn a_turn_that_a_killed_process_left_is_closed_when_it_is_followed() {
    let host = Host::new(vec![]);
    let left = vec![
        Entry::TurnStarted { turn: TurnId::new("x"), parts: said("hi"), key: None },
        Entry::Text { turn: TurnId::new("x"), text: "half".into() },
    ];
    host.journal.left_by_another_process("s", left);
    let hub = hub(&host, LIMITS);
    let (_, mut following) = follow(&hub, &SessionId::new("s"), 0).await;
    assert_eq!(until_end(&mut following).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_is_somebody_elses_does_not_exist_and_what_is_occupied_says_so() {
    let host = Host::new(vec![]);
    host.journal.left_by_another_process("mine", Vec::new());
    let occupied = Arc::new(AtomicBool::new(true));
    let hub_ = hub_of(&host, LIMITS, occupied);
    let mine = SessionId::new("mine");
    let refused = hub_.say(&mine, said("hi")).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (ErrorCode::Occupied, "process 7 has it"));
    for unknown in ["", "other", "minE"] {
        let refused = hub_.follow(&SessionId::new(unknown), None).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::NotFound, "{unknown}");
    }
    host.journal.left_by_another_process("mind", Vec::new());
    let refused = hub_.follow(&SessionId::new("mi"), None).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::Ambiguous);
}

#[tokio::test]
async fn a_question_that_nobody_sees_is_a_notification_until_it_was_told() {
    let host = Host::new(vec![calls(&["a write {}"])]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let mut news = hub.news().await.unwrap();
    hub.say(&session, said("go")).await.unwrap();
    let told = loop {
        if let hydroid_core::protocol::ServerMessage::Notification { notification } =
            news.next().await.unwrap()
        {
            break notification;
        }
    };
    assert_eq!((told.kind.as_str(), told.session), ("question", Some(session)));
    let seen = vec![told.notification];
    assert_eq!(host.journal.untold.lock().unwrap().len(), 1);
    hub.request(Request::Seen { notifications: seen }).await.unwrap();
    assert_eq!(host.journal.untold.lock().unwrap().len(), 0);
    hub.close().await;
}

#[tokio::test]
async fn a_removed_session_is_gone_for_its_followers() {
    let host = Host::new(vec![says("a")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("go")).await.unwrap();
    until_end(&mut following).await;
    activity_is(&hub, &session, Activity::Idle).await;
    hub.request(Request::Delete { session: session.clone() }).await.unwrap();
    let end = entry(&mut following).await.unwrap_err();
    assert_eq!(end.0, Stopped::Deleted);
    assert_eq!(hub.follow(&session, None).await.err().unwrap().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_question_beside_the_conversation_leaves_no_trace() {
    let host = Host::new(vec![says("answer"), says("aside")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("go")).await.unwrap();
    until_end(&mut following).await;
    let before = host.journal.stored(session.as_str());
    let file = PromptFile { name: "USER.md".into(), text: "I am Anna".into() };
    *host.memory.files.lock().unwrap() = vec![file];
    let told = Arc::new(std::sync::Mutex::new(String::new()));
    let tell = {
        let told = Arc::clone(&told);
        Arc::new(move |text: String| told.lock().unwrap().push_str(&text))
    };
    let reply = hub.aside(&session, "and?".into(), None, tell).await.unwrap();
    assert!(matches!(reply, Reply::AsideEnded { text, .. } if text == "aside"));
    assert_eq!(*told.lock().unwrap(), "aside");
    assert_eq!(host.journal.stored(session.as_str()), before);
    let asked = host.model.requests.lock().unwrap().last().unwrap().system.clone();
    assert!(asked.contains("I am Anna") && asked.contains("beside the conversation"), "{asked}");
}

#[tokio::test]
async fn a_side_question_is_a_trace_of_its_own_with_its_failure() {
    let host = Host::new(vec![says("first"), says("a word"), vec![Play::Fail("busy")]]);
    host.spans.wanted.store(true, Ordering::SeqCst);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let (_, mut following) = follow(&hub, &session, 0).await;
    hub.say(&session, said("hi")).await.unwrap();
    until_end(&mut following).await;
    activity_is(&hub, &session, Activity::Idle).await;
    let ask = || hub.aside(&session, "and?".into(), None, Arc::new(|_| {}));
    ask().await.unwrap();
    ask().await.unwrap_err();
    let lines = host.spans.lines();
    assert_eq!(lines[..2], ["invoke_agent main", "invoke_agent main > chat rehearsal"]);
    assert_eq!(lines[2], "chat rehearsal");
    assert!(lines[3].starts_with("chat rehearsal !"), "{lines:?}");
    host.no_faults();
}

#[tokio::test]
async fn a_conversation_is_summed_up_once_however_many_ask_and_followers_see_it() {
    let host = Host::new(vec![
        says("one"),
        says("two"),
        vec![Play::Hang],
        says("They counted."),
        says("three"),
    ]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let compact = || Request::Compact { session: session.clone() };
    let nothing = Reply::Compacted { session: session.clone(), turns: 0 };
    assert_eq!(hub.request(compact()).await.unwrap(), nothing);
    let (_, mut following) = follow(&hub, &session, 0).await;
    for text in ["count to one with all the words that there are", "go on"] {
        hub.say(&session, said(&text.repeat(100))).await.unwrap();
        until_end(&mut following).await;
        activity_is(&hub, &session, Activity::Idle).await;
    }
    // Whoever asked may be gone: it goes on, and who asks again waits for the same.
    let first = tokio::spawn({
        let (hub, compact) = (hub.clone(), compact());
        async move { hub.request(compact).await }
    });
    host.model.hangs.notified().await;
    first.abort();
    let second = tokio::spawn({
        let (hub, compact) = (hub.clone(), compact());
        async move { hub.request(compact).await }
    });
    let rewind = Request::Rewind { session: session.clone(), before: None };
    assert_eq!(hub.request(rewind).await.unwrap_err().code, ErrorCode::TurnRuns);
    while host.model.requests.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    hub.request(Request::Cancel { session: session.clone() }).await.unwrap();
    assert_eq!(second.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    activity_is(&hub, &session, Activity::Idle).await;
    let done = hub.request(compact()).await.unwrap();
    assert_eq!(done, Reply::Compacted { session: session.clone(), turns: 1 });
    let mut notes = Vec::new();
    let seq = loop {
        match following.next().await.unwrap() {
            SessionMessage::Entry {
                seq, entry: Entry::Compacted { covers, summary, .. }, ..
            } => {
                assert!(covers == 1 && summary.contains("They counted."), "{summary}");
                break seq;
            }
            SessionMessage::Progress { note, .. } => notes.push(note),
            _ => {}
        }
    };
    assert!(notes.contains(&"the first turn is being summed up".to_owned()), "{notes:?}");
    // Asked once more there is nothing left to gain, and nothing is written.
    assert_eq!(hub.request(compact()).await.unwrap(), nothing);
    assert_eq!(host.journal.stored(session.as_str()).len() as u64, seq);
    host.no_faults();
}

#[tokio::test]
async fn a_conversation_is_not_summed_up_while_a_turn_runs_and_a_turn_waits_for_its_summary() {
    let host = Host::new(vec![
        says(&"one ".repeat(200)),
        says("two"),
        vec![Play::Hang],
        vec![Play::Hang],
        says("four"),
    ]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let compact = || Request::Compact { session: session.clone() };
    let (_, mut following) = follow(&hub, &session, 0).await;
    for text in ["one", "two"] {
        hub.say(&session, said(text)).await.unwrap();
        until_end(&mut following).await;
        activity_is(&hub, &session, Activity::Idle).await;
    }
    hub.say(&session, said("hang")).await.unwrap();
    host.model.hangs.notified().await;
    assert_eq!(hub.request(compact()).await.unwrap_err().code, ErrorCode::TurnRuns);
    hub.request(Request::Cancel { session: session.clone() }).await.unwrap();
    until_end(&mut following).await;
    activity_is(&hub, &session, Activity::Idle).await;
    let summing = tokio::spawn({
        let (hub, compact) = (hub.clone(), compact());
        async move { hub.request(compact).await }
    });
    host.model.hangs.notified().await;
    hub.say(&session, said("four")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(host.model.requests.lock().unwrap().len(), 4, "the turn waits");
    hub.request(Request::Cancel { session: session.clone() }).await.unwrap();
    assert_eq!(summing.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    until_end(&mut following).await;
    activity_is(&hub, &session, Activity::Idle).await;
    host.no_faults();
}

fn key(text: &str) -> Option<ClientKey> {
    Some(ClientKey::new(text))
}

fn keyed(text: &str, name: &str) -> Saying {
    Saying { parts: said(text), key: key(name), ..Saying::default() }
}

#[tokio::test]
async fn what_is_asked_again_under_its_key_is_made_once() {
    let host = Host::new(vec![vec![Play::Hang], says("second"), says("third")]);
    let hub_ = hub(&host, LIMITS);
    let create = |key| Request::Create { title: None, settings: SessionSettings::default(), key };
    let begin = async |hub: &Hub, name: &str| match hub.request(create(key(name))).await.unwrap() {
        Reply::Session { session } => session.session,
        reply => panic!("{reply:?}"),
    };
    let session = begin(&hub_, "a").await;
    assert_eq!(begin(&hub_, "a").await, session);
    assert_ne!(begin(&hub_, "b").await, session);
    let say = async |hub: &Hub, name: &str| match hub
        .say_once(&session, keyed("hang", name))
        .await
        .unwrap()
    {
        Reply::Accepted { repeated, .. } => repeated,
        reply => panic!("{reply:?}"),
    };
    // While its turn is about to begin or runs, while it waits, and after a restart.
    assert!(!say(&hub_, "1").await);
    assert!(say(&hub_, "1").await);
    host.model.hangs.notified().await;
    assert!(say(&hub_, "1").await);
    assert!(!say(&hub_, "2").await);
    assert!(say(&hub_, "2").await);
    let (_, mut following) = follow(&hub_, &session, 0).await;
    hub_.request(Request::Cancel { session: session.clone() }).await.unwrap();
    until_end(&mut following).await;
    until_end(&mut following).await;
    hub_.close().await;
    let hub_ = hub(&host, LIMITS);
    assert!(say(&hub_, "1").await && say(&hub_, "2").await);
    assert_eq!(begin(&hub_, "a").await, session);
    assert_eq!(
        hub_.said(&session, &ClientKey::new("2")).await.unwrap(),
        Some(Reply::Accepted { session: session.clone(), queued: 0, repeated: true })
    );
    assert_eq!(hub_.said(&session, &ClientKey::new("3")).await.unwrap(), None);
    let began = host.journal.stored(session.as_str()).into_iter();
    let began = began.filter(|stored| matches!(stored.entry, Entry::TurnStarted { .. })).count();
    assert_eq!(began, 2);
    for unfit in ["", "two words", "ü", &"x".repeat(129)] {
        let refused = hub_.say_once(&session, keyed("hi", unfit)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Invalid, "{unfit}");
        assert_eq!(hub_.request(create(key(unfit))).await.unwrap_err().code, ErrorCode::Invalid);
    }
    host.no_faults();
}

#[tokio::test]
async fn what_is_said_into_a_turn_again_under_its_key_is_said_once() {
    let host = Host::new(vec![calls(&[r#"a read {"do":"hang"}"#])]);
    let hub_ = hub(&host, LIMITS);
    let session = create(&hub_).await;
    let steer = |name: &str| Request::Steer {
        session: session.clone(),
        text: "shorter".into(),
        key: key(name),
    };
    let (_, mut following) = follow(&hub_, &session, 0).await;
    hub_.say_once(&session, keyed("go", "0")).await.unwrap();
    host.tools.started.notified().await;
    // What began the turn is not said into it again either.
    for name in ["1", "1", "0", "2"] {
        assert_eq!(hub_.request(steer(name)).await.unwrap(), Reply::Done, "{name}");
    }
    hub_.request(Request::Cancel { session: session.clone() }).await.unwrap();
    until_end(&mut following).await;
    activity_is(&hub_, &session, Activity::Idle).await;
    // Once the turn is over, and after a restart.
    assert_eq!(hub_.request(steer("1")).await.unwrap(), Reply::Done);
    assert_eq!(hub_.request(steer("3")).await.unwrap_err().code, ErrorCode::NothingRuns);
    hub_.close().await;
    let hub_ = hub(&host, LIMITS);
    assert_eq!(hub_.request(steer("2")).await.unwrap(), Reply::Done);
    assert_eq!(hub_.request(steer("two words")).await.unwrap_err().code, ErrorCode::Invalid);
    let steered: Vec<_> = host
        .journal
        .stored(session.as_str())
        .into_iter()
        .filter_map(|stored| match stored.entry {
            Entry::Steered { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    assert_eq!(steered, [key("1"), key("2")]);
    host.no_faults();
}

#[tokio::test]
async fn of_many_who_say_the_same_at_once_one_is_heard() {
    let host = Host::new(vec![says("one"), says("two")]);
    let hub = hub(&host, LIMITS);
    let session = create(&hub).await;
    let all = (0..16).map(|_| hub.say_once(&session, keyed("go", "k")));
    let replies = futures_util::future::join_all(all).await;
    let heard = replies
        .into_iter()
        .filter(|reply| matches!(reply, Ok(Reply::Accepted { repeated: false, .. })))
        .count();
    assert_eq!(heard, 1);
    host.no_faults();
}

/// The texts that turns of a session began with, in their order.
fn began_with(host: &Host, session: &SessionId) -> Vec<(String, Option<ClientKey>)> {
    let stored = host.journal.stored(session.as_str()).into_iter();
    let began = stored.filter_map(|stored| match stored.entry {
        Entry::TurnStarted { parts, key, .. } => {
            Some((Message { role: Role::User, parts }.text(), key))
        }
        _ => None,
    });
    began.collect()
}

#[tokio::test]
async fn what_waits_is_gone_on_with_after_the_host_ended() {
    let host = Host::new(vec![vec![Play::Hang], says("second"), says("third")]);
    let hub_ = hub(&host, LIMITS);
    hub_.take_up();
    let session = create(&hub_).await;
    hub_.say_once(&session, keyed("first", "1")).await.unwrap();
    host.model.hangs.notified().await;
    hub_.say_once(&session, keyed("second", "2")).await.unwrap();
    // Whoever waits for the answer to this is gone with the host.
    let passing = Saying { parts: said("passing"), passing: true, ..Saying::default() };
    hub_.say_once(&session, passing).await.unwrap();
    hub_.say_once(&session, keyed("third", "3")).await.unwrap_err();
    assert_eq!(host.journal.waiting.lock().unwrap().len(), 1);
    hub_.close().await;
    host.journal.keep_waiting(&session, &keyed("third", "3"), None, 1).await.unwrap();
    let hub_ = hub(&host, LIMITS);
    hub_.take_up();
    let (_, mut following) = follow(&hub_, &session, 0).await;
    for _ in 0..3 {
        until_end(&mut following).await;
    }
    activity_is(&hub_, &session, Activity::Idle).await;
    let expect = ["1", "2", "3"].map(key);
    let began = began_with(&host, &session);
    let texts: Vec<&str> = began.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["first", "second", "third"]);
    assert_eq!(began.into_iter().map(|(_, key)| key).collect::<Vec<_>>(), expect);
    assert!(host.journal.waiting.lock().unwrap().is_empty());
    host.no_faults();
}

#[tokio::test]
async fn what_waits_is_bounded_after_a_restart_and_waits_until_a_stop_is_released() {
    let host = Host::new(vec![says("1"), says("2"), says("3")]);
    let hub_ = hub(&host, LIMITS);
    let session = create(&hub_).await;
    for text in ["one", "two", "three"] {
        host.journal.keep_waiting(&session, &keyed(text, text), None, 1).await.unwrap();
    }
    host.stop.send(true).unwrap();
    hub_.take_up();
    let refused = hub_.say(&session, said("more")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Stopped);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(began_with(&host, &session), []);
    assert!(matches!(
        hub_.said(&session, &ClientKey::new("two")).await.unwrap(),
        Some(Reply::Accepted { repeated: true, .. })
    ));
    let (_, mut following) = follow(&hub_, &session, 0).await;
    host.stop.send(false).unwrap();
    for _ in 0..3 {
        until_end(&mut following).await;
    }
    let texts: Vec<String> =
        began_with(&host, &session).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    host.no_faults();
}

#[tokio::test]
async fn what_is_dropped_by_cancelling_all_does_not_come_back() {
    let host = Host::new(vec![vec![Play::Hang]]);
    let hub_ = hub(&host, LIMITS);
    let session = create(&hub_).await;
    hub_.say(&session, said("hang")).await.unwrap();
    host.model.hangs.notified().await;
    hub_.say(&session, said("next")).await.unwrap();
    hub_.request(Request::CancelAll).await.unwrap();
    activity_is(&hub_, &session, Activity::Idle).await;
    assert!(host.journal.waiting.lock().unwrap().is_empty());
    hub_.close().await;
    let hub_ = hub(&host, LIMITS);
    hub_.take_up();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(began_with(&host, &session).len(), 1);
    host.no_faults();
}

#[tokio::test]
async fn what_a_killed_turn_had_not_read_is_said_again_before_the_rest() {
    let host = Host::new(vec![says("into"), says("later")]);
    let hub_ = hub(&host, LIMITS);
    let session = create(&hub_).await;
    let turn = TurnId::new("killed");
    let steered = |text: &str, name: &str| Entry::Steered {
        turn: turn.clone(),
        parts: said(text),
        key: key(name),
    };
    let step = || Entry::StepStarted {
        turn: turn.clone(),
        step: 1,
        provider: hydroid_core::id::ComponentId::new("p"),
        model: "m".into(),
    };
    let entries = [
        Entry::TurnStarted { turn: turn.clone(), parts: said("go"), key: None },
        step(),
        steered("read", "r"),
        step(),
        steered("shorter", "s"),
    ];
    host.journal.append(&session, &entries, 1).await.unwrap();
    host.journal.keep_waiting(&session, &keyed("later", "l"), None, 1).await.unwrap();
    hub_.take_up();
    let (_, mut following) = follow(&hub_, &session, 0).await;
    for _ in 0..3 {
        until_end(&mut following).await;
    }
    let expect =
        [("go".to_owned(), None), ("shorter".into(), key("s")), ("later".into(), key("l"))];
    assert_eq!(began_with(&host, &session), expect);
    // Not again after another restart.
    activity_is(&hub_, &session, Activity::Idle).await;
    hub_.close().await;
    let hub_ = hub(&host, LIMITS);
    hub_.take_up();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(began_with(&host, &session).len(), 3);
    host.no_faults();
}
