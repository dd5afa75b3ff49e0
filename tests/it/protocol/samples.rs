//! A sample of every message, made of the types themselves. Some kinds have two: with and without
//! what may be absent.

use hydroid_core::entry::{DecidedBy, Entry, Outcome};
use hydroid_core::id::{CallId, ClientKey, ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{Bytes, Label, Message, Origin, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::policy::{Decision, Mode};
use hydroid_core::protocol::*;
use hydroid_core::reliability::{ModelNews, ModelRef};
use hydroid_core::skill::{LoadedSkill, SkillBy};
use hydroid_core::tool::{Impact, Preview, ToolCall, ToolOutput};
use serde_json::{Value, json};

pub(super) struct Sample {
    pub(super) from: Direction,
    pub(super) message: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Client,
    Host,
}

pub(super) fn samples() -> Vec<Sample> {
    let client = (1..).zip(requests()).map(|(id, request)| Sample {
        from: Direction::Client,
        message: serde_json::to_value(ClientMessage { id, request }).unwrap(),
    });
    let host = replies().into_iter().map(|reply| ServerMessage::Reply { id: 1, reply });
    let host =
        host.chain(told()).chain(shown().into_iter().map(ServerMessage::Session)).map(|message| {
            Sample { from: Direction::Host, message: serde_json::to_value(message).unwrap() }
        });
    client.chain(host).collect()
}

fn session() -> SessionId {
    SessionId::new("019a2b3c-0000-7000-8000-000000000001")
}

fn turn() -> TurnId {
    TurnId::new("019a2b3c-0000-7000-8000-0000000000aa")
}

fn model(name: &str) -> ModelRef {
    ModelRef { provider: ComponentId::new("provider-openai"), model: name.into() }
}

fn key() -> ClientKey {
    ClientKey::new("my-script-42")
}

fn settings() -> SessionSettings {
    SessionSettings {
        provider: Some("provider-openai".into()),
        model: Some("gpt-5".into()),
        effort: Some("high".into()),
        mode: Some(Mode::AcceptEdits),
    }
}

fn requests() -> Vec<Request> {
    let session = session();
    let title = Some("Rivers".to_owned());
    let client = ClientProgram { name: "hydroid-tui".into(), version: "0.1.0".into() };
    let resume = vec![Resume { session: session.clone(), after: 41 }];
    let attachments = vec!["u1".to_owned()];
    let text = "how long is the Rhine?".to_owned();
    let answer = |answer| Request::Answer {
        session: session.clone(),
        call_id: CallId::new("call_1"),
        answer,
    };
    vec![
        Request::Hello {
            protocol: PROTOCOL_VERSION,
            token: Some("hyd_…".into()),
            client: client.clone(),
            resume,
        },
        Request::Hello { protocol: PROTOCOL_VERSION, token: None, client, resume: Vec::new() },
        Request::Ping,
        Request::Status,
        Request::Seen { notifications: vec!["n1".into()] },
        Request::Create { title: title.clone(), settings: settings(), key: Some(key()) },
        Request::Create { title: None, settings: SessionSettings::default(), key: None },
        Request::Sessions { archived: false, limit: Some(20) },
        Request::Open { session: session.clone(), after: Some(0) },
        Request::Open { session: session.clone(), after: None },
        Request::Close { session: session.clone() },
        Request::Entries { session: session.clone(), after: 100, limit: Some(50) },
        Request::Rename { session: session.clone(), title: "Rivers".into() },
        Request::Archive { session: session.clone(), archived: true },
        Request::Fork { session: session.clone(), before: Some(turn()), title, key: Some(key()) },
        Request::Rewind { session: session.clone(), before: Some(turn()) },
        Request::Compact { session: session.clone() },
        Request::LoadSkill { session: session.clone(), skill: "tidy-notes".into() },
        Request::UnloadSkill { session: session.clone(), skill: "tidy-notes".into() },
        Request::Delete { session: session.clone() },
        Request::Export { session: session.clone(), format: ExportFormat::Markdown },
        Request::Search { text: "rhine".into(), session: None, limit: Some(5) },
        Request::Settings { session: session.clone(), settings: settings() },
        Request::Say {
            session: session.clone(),
            text: text.clone(),
            attachments,
            key: Some(key()),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        },
        Request::Say {
            session: session.clone(),
            text: text.clone(),
            attachments: Vec::new(),
            key: None,
            traceparent: None,
        },
        Request::Steer {
            session: session.clone(),
            text: "in miles, please".into(),
            key: Some(key()),
        },
        Request::Aside { session: session.clone(), text, traceparent: None },
        answer(ApprovalAnswer::Once),
        answer(ApprovalAnswer::Session { calls: None }),
        answer(ApprovalAnswer::Always { calls: Some("web_fetch(docs.rs)".into()), days: Some(7) }),
        answer(ApprovalAnswer::Edit { arguments: "{\"path\":\"/shared/b\"}".into() }),
        answer(ApprovalAnswer::Deny { reason: Some("not there".into()) }),
        Request::Cancel { session: session.clone() },
        Request::CancelAll,
        Request::UploadBegin { name: "map.png".into(), media_type: "image/png".into(), bytes: 3 },
        Request::UploadPart { upload: "u1".into(), data: Bytes(vec![1, 2, 3]) },
        Request::Models,
        Request::Tools,
        Request::Components,
        Request::Cost { session: Some(session.clone()) },
        Request::Notes { text: String::new() },
        Request::ForgetNote { note: "n1".into() },
        Request::Skills { session: Some(session.clone()) },
        Request::Policy { session },
        Request::Revoke { approval: "a1b2c3d4".into() },
    ]
}

fn info() -> SessionInfo {
    SessionInfo {
        session: session(),
        title: "Rivers".into(),
        created_ms: 1_795_357_080_000,
        updated_ms: 1_795_357_090_000,
        turns: 1,
        last_seq: 9,
        archived: false,
        forked_from: None,
        settings: SessionSettings::default(),
        activity: Activity::Working,
        queued: 0,
    }
}

fn running() -> RunningTurn {
    RunningTurn {
        session: session(),
        turn: Some(turn()),
        activity: Activity::Working,
        ms: 5_000,
        calls: vec![RunningCall {
            call_id: CallId::new("call_1"),
            tool: "web_fetch".into(),
            ms: 1_200,
        }],
    }
}

fn usage() -> Usage {
    Usage { input: 1_200, output: 34, ..Usage::default() }
}

fn cost(group: &str) -> CostRow {
    CostRow {
        group: group.into(),
        requests: 2,
        usage: usage(),
        dollars: Money::of_dollars(0.0125).expect("a price"),
        unknown: 0,
    }
}

fn replies() -> Vec<Reply> {
    let limits = Limits {
        message_bytes: 1 << 20,
        attachments: 4,
        attachment_bytes: LARGEST_ATTACHMENT,
        queued: 8,
        turns: 10,
        sessions: 50,
        heartbeat_seconds: 15,
    };
    let defaults = SessionSettings {
        provider: Some("provider-rehearsal".into()),
        model: Some("rehearsal".into()),
        effort: None,
        mode: Some(Mode::Default),
    };
    vec![
        Reply::Done,
        Reply::Welcome(Welcome {
            protocol: PROTOCOL_VERSION,
            server: "0.1.0".into(),
            run: "019a2b3c-0000-7000-8000-0000000000ff".into(),
            user: UserId::new("local"),
            scopes: vec!["chat".into(), "admin".into()],
            limits,
            settings: defaults.clone(),
            features: vec!["say".into(), "steer".into()],
            gone: Vec::new(),
        }),
        Reply::Pong { at_ms: 1_795_357_080_000 },
        Reply::Status(Status {
            server: "0.1.0".into(),
            started_ms: 1_795_357_000_000,
            now_ms: 1_795_357_080_000,
            user: UserId::new("local"),
            settings: defaults,
            stopped: false,
            sessions: 1,
            running: vec![running()],
            connections: 2,
            degraded: vec![Degraded {
                part: "prices".into(),
                reason: "nobody says what `rehearsal` costs".into(),
            }],
        }),
        Reply::Session { session: info() },
        Reply::Sessions { sessions: vec![info()] },
        Reply::Entries {
            session: session(),
            entries: vec![NumberedEntry {
                seq: 3,
                at_ms: 1_795_357_080_000,
                entry: Entry::Text { turn: turn(), text: "It is ".into() },
            }],
            next_after: Some(3),
        },
        Reply::Export { media_type: "text/markdown".into(), text: "# Rivers\n".into() },
        Reply::Found {
            found: vec![Found {
                session: session(),
                title: "Rivers".into(),
                turn: Some(turn()),
                at_ms: 1_795_357_080_000,
                excerpt: "how long is the Rhine?".into(),
            }],
        },
        Reply::Accepted { session: session(), queued: 0, repeated: false },
        Reply::Accepted { session: session(), queued: 0, repeated: true },
        Reply::Compacted { session: session(), turns: 12 },
        Reply::SkillLoaded { session: session(), notices: vec!["a hook changed it".into()] },
        Reply::AsideEnded { text: "About 766 miles.".into(), usage: usage() },
        Reply::Upload { upload: "u1".into(), received: 3, complete: true },
        Reply::Models {
            models: vec![ModelOffer {
                provider: "provider-rehearsal".into(),
                model: "rehearsal".into(),
                title: None,
                context_tokens: Some(128_000),
                default: true,
            }],
        },
        Reply::Tools {
            tools: vec![ToolOffer {
                name: "time_now".into(),
                title: Some("Time".into()),
                description: "The time now".into(),
                component: "tool-time".into(),
                impact: Impact::ReadOnly,
                input_schema: json!({ "type": "object" }),
            }],
        },
        Reply::Components {
            components: vec![InstalledComponent {
                name: "tool-shout".into(),
                version: "0.1.0".into(),
                loaded: false,
                problem: Some("it is not granted `web`".into()),
            }],
        },
        Reply::Cost {
            total: cost(""),
            days: vec![cost("2026-11-22")],
            models: vec![cost("gpt-5")],
        },
        Reply::Skills {
            skills: vec![SkillOffer {
                name: "tidy-notes".into(),
                description: "Tidies notes.".into(),
                loaded: true,
                always: false,
                by_person_only: false,
                problem: Some("its file is too long".into()),
            }],
        },
        Reply::Notes {
            notes: vec![KeptNote {
                note: "n1".into(),
                text: "likes rivers".into(),
                tags: vec!["people".into()],
                at_ms: 1_795_357_080_000,
            }],
        },
        Reply::Policy {
            mode: Mode::Default,
            rules: vec![PolicyLine {
                rule: "allow web_fetch(docs.rs)".into(),
                from: "allowed for good".into(),
                approval: Some("a1b2c3d4".into()),
            }],
        },
    ]
}

fn told() -> Vec<ServerMessage> {
    let error = |code, message: &str| RequestError::new(code, message);
    vec![
        ServerMessage::Error {
            id: Some(7),
            error: error(
                ErrorCode::NotFound,
                "no session `019a`; `hydroid session list` shows yours",
            ),
        },
        ServerMessage::Error {
            id: None,
            error: RequestError {
                retry_after_ms: Some(1_000),
                ..error(ErrorCode::RateLimited, "too many messages; wait a second")
            },
        },
        ServerMessage::Stopped { session: session(), reason: Stopped::FellBehind, last_seq: 512 },
        ServerMessage::SessionChanged { session: info() },
        ServerMessage::SessionDeleted { session: session() },
        ServerMessage::Aside { id: 9, text: "About ".into() },
        ServerMessage::Notification {
            notification: Notification {
                notification: "n1".into(),
                at_ms: 1_795_357_080_000,
                kind: "question".into(),
                session: Some(session()),
                text: "a call waits for your answer".into(),
            },
        },
        ServerMessage::Heartbeat { at_ms: 1_795_357_080_000, running: vec![running()] },
        ServerMessage::Goodbye { error: error(ErrorCode::ShuttingDown, "the host ends") },
    ]
}

fn shown() -> Vec<SessionMessage> {
    let entries = (1..).zip(entries()).map(|(seq, entry)| SessionMessage::Entry {
        session: session(),
        seq,
        at_ms: 1_795_357_080_000,
        entry,
    });
    let more = [
        SessionMessage::Progress {
            session: session(),
            call_id: Some(CallId::new("call_1")),
            fraction: Some(0.5),
            note: "half of it".into(),
        },
        SessionMessage::State {
            session: session(),
            activity: Activity::Working,
            turn: Some(turn()),
            queued: 1,
        },
        SessionMessage::State {
            session: session(),
            activity: Activity::Idle,
            turn: None,
            queued: 0,
        },
    ];
    entries.chain(more).collect()
}

fn entries() -> Vec<Entry> {
    let call = ToolCall {
        id: CallId::new("call_1"),
        name: "file_write".into(),
        arguments: "{\"content\":\"hi\",\"path\":\"/shared/a\"}".into(),
    };
    let component = ComponentId::new("tool-files-write");
    let label = Label::tool(component.clone(), "file_write", Origin::Unknown);
    vec![
        Entry::TurnStarted {
            turn: turn(),
            parts: Message::user("write a file").parts,
            key: Some(key()),
        },
        Entry::StepStarted {
            turn: turn(),
            step: 1,
            provider: ComponentId::new("provider-rehearsal"),
            model: "rehearsal".into(),
        },
        Entry::Thinking { turn: turn(), text: "A file.".into(), opaque: None },
        Entry::Text { turn: turn(), text: "I ".into() },
        Entry::CallReceived { turn: turn(), call: call.clone(), parent: None },
        Entry::ApprovalAsked {
            turn: turn(),
            call_id: call.id.clone(),
            call: call.clone(),
            component: component.clone(),
            impact: Impact::Edits,
            reason: "it changes your files".into(),
            scope: "file_write(/shared/**)".into(),
            preview: Some(Preview::Difference { text: "+hi\n".into(), digest: "sha256:00".into() }),
        },
        Entry::CallEdited {
            turn: turn(),
            call_id: call.id.clone(),
            arguments: "{\"content\":\"hi\",\"path\":\"/shared/b\"}".into(),
        },
        Entry::CallDecided {
            turn: turn(),
            call_id: call.id.clone(),
            decision: Decision::Deny { reason: "not there".into() },
            by: DecidedBy::User,
            rule: String::new(),
            component: Some(component.clone()),
        },
        Entry::Steered { turn: turn(), parts: Message::user("shorter").parts, key: None },
        Entry::CallStarted {
            turn: turn(),
            call_id: call.id.clone(),
            component,
            call: call.clone(),
        },
        Entry::CallFinished {
            turn: turn(),
            call_id: call.id,
            output: ToolOutput::text("written"),
            label,
        },
        Entry::Cited { turn: turn(), uri: "https://docs.rs/".into(), title: Some("Docs".into()) },
        Entry::StepEnded {
            turn: turn(),
            stop: StopReason::EndTurn,
            usage: usage(),
            dollars: Money::of_dollars(0.0125),
        },
        Entry::ChildAnswered {
            turn: turn(),
            call_id: CallId::new("call_1"),
            step: 1,
            by: model("gpt-5-mini"),
            stop: StopReason::ToolUse,
            usage: usage(),
            dollars: Money::of_dollars(0.002),
        },
        Entry::SkillLoaded {
            turn: Some(turn()),
            call_id: Some(CallId::new("call_1")),
            by: SkillBy::Model,
            skill: LoadedSkill {
                name: "tidy-notes".into(),
                digest: "sha256:ab".into(),
                text: "Read the notes first.".into(),
            },
        },
        Entry::SkillUnloaded { turn: Some(turn()), by: SkillBy::Model, name: "tidy-notes".into() },
        Entry::Notice { turn: turn(), text: "the answer was cut off".into() },
        Entry::ModelNews {
            turn: turn(),
            news: ModelNews::FellBack {
                from: model("gpt-5"),
                to: model("gpt-5-mini"),
                kind: "overloaded".into(),
                why: "too many requests".into(),
            },
        },
        Entry::TurnEnded {
            turn: turn(),
            outcome: Outcome::Completed,
            usage: usage(),
            dollars: Money::of_dollars(0.0125),
        },
        Entry::SettingsChanged { settings: settings() },
        Entry::Rewound { to: Some(turn()) },
        Entry::Compacted {
            covers: 12,
            summary: "They spoke of rivers.".into(),
            by: Some(model("gpt-5-mini")),
        },
    ]
}
