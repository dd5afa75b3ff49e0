//! What a request of a client does. Each is a few lines here and the work is elsewhere.

use super::refusal::{internal, not_recalled, stored, unanswered, unchanged};
use super::{Hub, Inner, mode_of};
use crate::{AnswerError, ChangeError, Session, history, session_policy};
use hydroid_core::id::{CallId, ClientKey, SessionId, TurnId};
use hydroid_core::message::{Content, Label, Part};
use hydroid_core::policy::{PolicyRule, RuleOrigin, Who};
use hydroid_core::ports::{
    Grouping, LONGEST_TITLE, NewSession, Origin, Question, Since, Source, Spent,
};
use hydroid_core::protocol::{
    Activity, ApprovalAnswer, CostRow, ErrorCode, ExportFormat, Found, KeptNote, NumberedEntry,
    PolicyLine, Reply, Request, RequestError, ServerMessage, SessionSettings, Status, ToolOffer,
};
use hydroid_core::turn::open_questions;
use std::time::Duration;
use tokio::time::Instant;

/// Sessions, entries and hits when nobody says how many, and at most.
const SESSIONS: (u32, u32) = (50, 1_000);
const ENTRIES: (u32, u32) = (200, 512);
const HITS: (u32, u32) = (20, 50);

/// How long a question may take to be asked again after its session came back into memory.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// Characters of an effort, a model and a provider at most.
const LONGEST_NAME: usize = 200;

type Answered = Result<Reply, RequestError>;

impl Hub {
    pub(super) async fn dispatch(&self, request: Request) -> Answered {
        let hub = &self.inner;
        match request {
            Request::Create { title, settings, key } => hub.create(title, settings, key).await,
            Request::Sessions { archived, limit } => hub.sessions(archived, limit).await,
            Request::Entries { session, after, limit } => hub.entries(session, after, limit).await,
            Request::Rename { session, title } => hub.rename(session, title).await,
            Request::Archive { session, archived } => hub.archive(session, archived).await,
            Request::Fork { session, before, title, key } => {
                hub.fork(session, before, title, key).await
            }
            Request::Rewind { session, before } => hub.rewind(session, before).await,
            Request::Compact { session } => hub.compact(session).await,
            Request::LoadSkill { session, skill } => hub.load_skill(session, skill).await,
            Request::UnloadSkill { session, skill } => hub.unload_skill(session, skill).await,
            Request::Delete { session } => hub.remove(session).await,
            Request::Export { session, format } => hub.export(session, format).await,
            Request::Search { text, session, limit } => hub.search(text, session, limit).await,
            Request::Settings { session, settings } => hub.set(session, settings).await,
            Request::Steer { session, text, key } => hub.steer(session, text, key).await,
            Request::Answer { session, call_id, answer } => {
                hub.answer(session, call_id, answer).await
            }
            Request::Cancel { session } => hub.cancel(session).await,
            Request::CancelAll => hub.cancel_all().await,
            Request::Seen { notifications } => {
                hub.parts.sessions.told(&hub.parts.user, notifications).await.map_err(stored)?;
                Ok(Reply::Done)
            }
            Request::Status => Ok(hub.status(self)),
            Request::Models => {
                let models = hub.parts.inventory.models().await;
                let models =
                    models.map_err(|problem| RequestError::new(ErrorCode::Internal, problem))?;
                Ok(Reply::Models { models })
            }
            Request::Tools => Ok(hub.tools()),
            Request::Components => {
                Ok(Reply::Components { components: hub.parts.inventory.components() })
            }
            Request::Cost { session } => hub.cost(session).await,
            Request::Notes { text } => hub.notes(text).await,
            Request::ForgetNote { note } => {
                hub.parts.recall.delete(&hub.parts.user, &note).await.map_err(not_recalled)?;
                Ok(Reply::Done)
            }
            Request::Skills { session } => hub.skills(session).await,
            Request::Policy { session } => hub.policy(session).await,
            Request::Revoke { approval } => hub.revoke(approval).await,
            Request::Hello { .. }
            | Request::Ping
            | Request::Open { .. }
            | Request::Close { .. }
            | Request::Say { .. }
            | Request::Aside { .. }
            | Request::UploadBegin { .. }
            | Request::UploadPart { .. } => Err(RequestError::new(
                ErrorCode::BadMessage,
                "this request belongs to a connection",
            )),
        }
    }
}

impl Inner {
    // ---- sessions ----

    async fn create(
        &self,
        title: Option<String>,
        settings: SessionSettings,
        key: Option<ClientKey>,
    ) -> Answered {
        self.refuse_if_over()?;
        self.check_key(key.as_ref())?;
        self.check_settings(&settings)?;
        let parts = self.parts.agent.parts();
        let mut id = SessionId::new((parts.new_turn_id)());
        let new = NewSession {
            id: id.clone(),
            user: self.parts.user.clone(),
            title: title.map(|title| self.title_of(&title)).transpose()?.unwrap_or_default(),
            created_ms: parts.clock.now_ms(),
        };
        let mut is_empty = true;
        match key {
            None => self.parts.sessions.create(new).await.map_err(stored)?,
            Some(key) => {
                id = self.parts.sessions.begin(new, key).await.map_err(stored)?;
                // A host that was killed in between has left it without its settings.
                is_empty = self.described(&id).await?.last_seq == 0;
            }
        }
        if is_empty && settings != SessionSettings::default() {
            let entry = hydroid_core::entry::Entry::SettingsChanged { settings };
            let now_ms = parts.clock.now_ms();
            self.parts.sessions.append(&id, &[entry], now_ms).await.map_err(stored)?;
        }
        self.session_reply(&id).await
    }

    async fn sessions(&self, archived: bool, limit: Option<u32>) -> Answered {
        let limit = limit.unwrap_or(SESSIONS.0).min(SESSIONS.1);
        let sessions = self.parts.sessions.list(&self.parts.user, archived, limit).await;
        let sessions = sessions.map_err(stored)?;
        Ok(Reply::Sessions {
            sessions: sessions.into_iter().map(|session| self.info(session)).collect(),
        })
    }

    async fn entries(&self, session: SessionId, after: u64, limit: Option<u32>) -> Answered {
        let session = self.named(&session).await?;
        let limit = limit.unwrap_or(ENTRIES.0).clamp(1, ENTRIES.1);
        let user = &self.parts.user;
        let read = self.parts.sessions.some_entries(user, &session, after, limit).await;
        let read = read.map_err(stored)?;
        let scrubber = self.parts.agent.parts().scrubber.current();
        let numbered = |stored: hydroid_core::ports::StoredEntry| NumberedEntry {
            seq: stored.seq,
            at_ms: stored.at_ms,
            entry: stored.entry,
        };
        let entries: Vec<NumberedEntry> =
            super::following::masked(&scrubber, read).into_iter().map(numbered).collect();
        let last = entries.last().map(|entry| entry.seq);
        let end = self.described(&session).await?.last_seq;
        let next_after = last.filter(|last| *last < end);
        Ok(Reply::Entries { session, entries, next_after })
    }

    async fn rename(&self, session: SessionId, title: String) -> Answered {
        let session = self.named(&session).await?;
        let title = self.title_of(&title)?;
        let user = &self.parts.user;
        self.parts.sessions.rename(user, &session, title).await.map_err(stored)?;
        self.changed(&session).await
    }

    async fn archive(&self, session: SessionId, archived: bool) -> Answered {
        let session = self.named(&session).await?;
        let user = &self.parts.user;
        self.parts.sessions.archive(user, &session, archived).await.map_err(stored)?;
        self.changed(&session).await
    }

    async fn fork(
        &self,
        session: SessionId,
        before: Option<TurnId>,
        title: Option<String>,
        key: Option<ClientKey>,
    ) -> Answered {
        self.refuse_if_over()?;
        self.check_key(key.as_ref())?;
        let session = self.named(&session).await?;
        let title = match title {
            Some(title) => self.title_of(&title)?,
            None => self.described(&session).await?.summary.title,
        };
        let parts = self.parts.agent.parts();
        let new = NewSession {
            id: SessionId::new((parts.new_turn_id)()),
            user: self.parts.user.clone(),
            title,
            created_ms: parts.clock.now_ms(),
        };
        let forked = self.parts.sessions.fork(&session, new, before.as_ref(), key).await;
        self.changed(&forked.map_err(stored)?).await
    }

    async fn rewind(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        to: Option<TurnId>,
    ) -> Answered {
        self.change(session, |open| async move { open.rewind(to).await }).await
    }

    /// Changes a session for whose turns nothing waits, at once.
    async fn change<F>(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        change: impl FnOnce(Session) -> F,
    ) -> Answered
    where
        F: Future<Output = Result<(), ChangeError>>,
    {
        let session = self.named(&session).await?;
        let room = self.room(&session);
        let open = room.wake().await?;
        if room.activity().1 > 0 {
            return Err(unchanged(&ChangeError::TurnRuns));
        }
        change(open).await.map_err(|error| unchanged(&error))?;
        self.announce(&session).await;
        Ok(Reply::Done)
    }

    async fn load_skill(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        skill: String,
    ) -> Answered {
        self.refuse_if_over()?;
        let session = self.named(&session).await?;
        let notices = self.room(&session).load_skill(skill).await?;
        Ok(Reply::SkillLoaded { session, notices })
    }

    async fn unload_skill(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        skill: String,
    ) -> Answered {
        self.refuse_if_over()?;
        self.change(session, |open| async move { open.unload_skill(skill).await }).await
    }

    async fn compact(self: &std::sync::Arc<Self>, session: SessionId) -> Answered {
        self.refuse_if_over()?;
        let session = self.named(&session).await?;
        let turns = self.room(&session).compact().await?;
        Ok(Reply::Compacted { session, turns })
    }

    async fn remove(self: &std::sync::Arc<Self>, session: SessionId) -> Answered {
        let session = self.named(&session).await?;
        let room = self.room(&session);
        let held = match room.activity().0 {
            // Nobody else may be at it while it goes.
            Activity::Asleep => Some(
                (self.parts.occupy)(&session)
                    .map_err(|problem| RequestError::new(ErrorCode::Occupied, problem))?,
            ),
            Activity::Idle | Activity::Working | Activity::Asking | Activity::Waiting => None,
        };
        let remove =
            async { self.parts.sessions.remove(&self.parts.user, &session).await.map_err(stored) };
        room.removed(remove).await?;
        drop(held);
        self.rooms().remove(&session);
        drop(self.news.send(ServerMessage::SessionDeleted { session }));
        Ok(Reply::Done)
    }

    async fn export(&self, session: SessionId, format: ExportFormat) -> Answered {
        let session = self.named(&session).await?;
        let title = self.info_of(&session).await?.title;
        let entries = self.parts.sessions.entries(&self.parts.user, &session, 0).await;
        let entries = entries.map_err(stored)?;
        let scrubber = self.parts.agent.parts().scrubber.current();
        let entries = super::following::masked(&scrubber, entries);
        let media_type = match format {
            ExportFormat::Markdown => "text/markdown",
            ExportFormat::Jsonl | ExportFormat::Replay => "application/jsonl",
        };
        let text = (self.parts.export)(format, &title, entries);
        Ok(Reply::Export { media_type: media_type.to_owned(), text })
    }

    async fn search(
        &self,
        text: String,
        session: Option<SessionId>,
        limit: Option<u32>,
    ) -> Answered {
        let within = match session {
            Some(session) => Some(self.named(&session).await?),
            None => None,
        };
        let limit = limit.unwrap_or(HITS.0).min(HITS.1);
        let question = Question {
            words: text,
            limit: if within.is_some() { HITS.1 } else { limit },
            sources: [Source::Message].into(),
            ..Question::default()
        };
        let hits = self.parts.recall.search(&self.parts.user, question).await;
        let scrubber = self.parts.agent.parts().scrubber.current();
        let mut found = Vec::new();
        for hit in hits.map_err(not_recalled)? {
            let Origin::Message { session, .. } = hit.from else { continue };
            if within.as_ref().is_some_and(|within| *within != session) {
                continue;
            }
            let title = self.info_of(&session).await?.title;
            let excerpt = scrubber.mask_known(&hit.text);
            found.push(Found { session, title, turn: None, at_ms: hit.created_ms, excerpt });
        }
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Reply::Found { found })
    }

    async fn set(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        settings: SessionSettings,
    ) -> Answered {
        self.check_settings(&settings)?;
        let session = self.named(&session).await?;
        let room = self.room(&session);
        room.wake().await?.set(settings).await.map_err(|error| unchanged(&error))?;
        self.changed(&session).await
    }

    fn check_settings(&self, settings: &SessionSettings) -> Result<(), RequestError> {
        let fits = |text: &Option<String>| {
            text.as_ref().is_none_or(|text| {
                !text.is_empty()
                    && text.chars().count() <= LONGEST_NAME
                    && !text.chars().any(char::is_control)
            })
        };
        if !fits(&settings.model) || !fits(&settings.effort) || !fits(&settings.provider) {
            let text =
                format!("a provider, a model and an effort have 1 to {LONGEST_NAME} characters");
            return Err(RequestError::new(ErrorCode::Invalid, text));
        }
        let Some(provider) = &settings.provider else { return Ok(()) };
        let installed = self.parts.inventory.components();
        match installed.iter().find(|component| component.name == *provider) {
            Some(component) if component.loaded => Ok(()),
            Some(component) => Err(RequestError::new(
                ErrorCode::Invalid,
                format!(
                    "`{provider}` is not loaded: {}",
                    component.problem.as_deref().unwrap_or("it was refused")
                ),
            )),
            None => Err(RequestError::new(
                ErrorCode::Invalid,
                "no such provider is installed; `models` lists what can be chosen",
            )),
        }
    }

    async fn session_reply(&self, session: &SessionId) -> Answered {
        Ok(Reply::Session { session: self.info_of(session).await? })
    }

    async fn changed(&self, session: &SessionId) -> Answered {
        self.announce(session).await;
        self.session_reply(session).await
    }

    fn title_of(&self, title: &str) -> Result<String, RequestError> {
        let title: String =
            title.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, "");
        if title.is_empty() || title.chars().count() > LONGEST_TITLE {
            let text = format!("a title has 1 to {LONGEST_TITLE} characters");
            return Err(RequestError::new(ErrorCode::Invalid, text));
        }
        Ok(self.parts.agent.parts().scrubber.current().mask_known(&title))
    }

    /// A session that has no title is called by the first words that are said in it.
    pub(super) async fn title(&self, session: &SessionId, parts: &[Part]) {
        let Ok(described) = self.described(session).await else { return };
        if !described.summary.title.is_empty() {
            return;
        }
        let scrubber = self.parts.agent.parts().scrubber.current();
        let title = scrubber.mask_known(&history::title(parts));
        let renamed = self.parts.sessions.rename(&self.parts.user, session, title).await;
        if let Err(error) = renamed {
            tracing::warn!(%session, %error, "a session got no title");
        }
    }

    // ---- turns ----

    async fn steer(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        text: String,
        key: Option<ClientKey>,
    ) -> Answered {
        self.check_key(key.as_ref())?;
        let session = self.named(&session).await?;
        let parts = vec![Part::new(Content::text(text), Label::user())];
        self.room(&session).steer(parts, key).await?;
        Ok(Reply::Done)
    }

    async fn answer(
        self: &std::sync::Arc<Self>,
        session: SessionId,
        call: CallId,
        answer: ApprovalAnswer,
    ) -> Answered {
        let session = self.named(&session).await?;
        let room = self.room(&session);
        let waits = room.if_awake().await.is_none() && self.waits_for(&session, &call).await?;
        let open = room.wake().await?;
        let user = self.parts.user.clone();
        let began = Instant::now();
        loop {
            let answered = open.answer(user.clone(), call.clone(), answer.clone()).await;
            match answered {
                Ok(()) => return Ok(Reply::Done),
                // It is found out anew what the call would do before it is asked again.
                Err(AnswerError::NotAsked(_)) if waits && began.elapsed() < ASKED_AGAIN => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(unanswered(&error)),
            }
        }
    }

    /// True if an earlier run of the host left this question open; it is asked again then.
    async fn waits_for(&self, session: &SessionId, call: &CallId) -> Result<bool, RequestError> {
        let entries = self.parts.agent.parts().entries(&self.parts.user, session).await;
        let open = open_questions(&entries.map_err(stored)?);
        Ok(open.iter().any(|question| question.call_id == *call))
    }

    async fn cancel(self: &std::sync::Arc<Self>, session: SessionId) -> Answered {
        let session = self.named(&session).await?;
        // Where nothing runs it is done, too: who cancels twice is not in the wrong.
        let room = self.room(&session);
        self.forget(room.drop_next()).await;
        if let Some(open) = room.if_awake().await {
            open.cancel().await;
        }
        Ok(Reply::Done)
    }

    async fn cancel_all(&self) -> Answered {
        let rooms: Vec<_> = self.rooms().values().cloned().collect();
        for room in rooms {
            room.drop_waiting();
            if let Some(open) = room.if_awake().await {
                open.cancel().await;
            }
        }
        let forgotten = self.parts.sessions.forget_waiting(&self.parts.user, None).await;
        forgotten.map_err(stored)?;
        Ok(Reply::Done)
    }

    // ---- the household ----

    fn status(&self, hub: &Hub) -> Reply {
        use hydroid_core::ports::Conversations as _;
        let parts = self.parts.agent.parts();
        Reply::Status(Status {
            server: env!("CARGO_PKG_VERSION").to_owned(),
            // The listener knows these.
            started_ms: 0,
            connections: 0,
            now_ms: parts.clock.now_ms(),
            user: self.parts.user.clone(),
            settings: hub.settings(),
            stopped: *parts.stop.borrow(),
            sessions: hub.awake(),
            running: hub.running(),
            degraded: self
                .parts
                .inventory
                .components()
                .into_iter()
                .filter_map(|component| {
                    let reason = component.problem?;
                    Some(hydroid_core::protocol::Degraded { part: component.name, reason })
                })
                .collect(),
        })
    }

    fn tools(&self) -> Reply {
        let tools = self.parts.agent.parts().tools.specs();
        let offer = |spec: hydroid_core::tool::ToolSpec| ToolOffer {
            name: spec.name,
            title: spec.title,
            description: spec.description,
            component: spec.component.to_string(),
            impact: spec.impact,
            input_schema: spec.input_schema,
        };
        Reply::Tools { tools: tools.into_iter().map(offer).collect() }
    }

    async fn cost(&self, session: Option<SessionId>) -> Answered {
        let session = match session {
            Some(session) => Some(self.named(&session).await?),
            None => None,
        };
        let since = Since { from_ms: 0, session: session.as_ref() };
        let (user, ledger) = (&self.parts.user, &self.parts.ledger);
        let row = |group: String, spent: Spent| CostRow {
            group,
            requests: spent.requests,
            usage: spent.usage,
            dollars: spent.known,
            unknown: spent.unknown,
        };
        let total = ledger.spent(user, since).await.map_err(|error| internal(&error))?;
        let mut groups = Vec::new();
        for by in [Grouping::Day, Grouping::Model] {
            let rows = ledger.spent_by(user, since, by).await.map_err(|error| internal(&error))?;
            groups.push(rows.into_iter().map(|by| row(by.group, by.spent)).collect::<Vec<_>>());
        }
        let models = groups.pop().unwrap_or_default();
        let mut days = groups.pop().unwrap_or_default();
        days.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(Reply::Cost { total: row(String::new(), total), days, models })
    }

    async fn notes(&self, text: String) -> Answered {
        let question = Question {
            words: text,
            limit: HITS.1,
            sources: [Source::Note].into(),
            ..Question::default()
        };
        let hits = self.parts.recall.search(&self.parts.user, question).await;
        let scrubber = self.parts.agent.parts().scrubber.current();
        let notes = hits.map_err(not_recalled)?.into_iter().filter_map(|hit| {
            let Origin::Note { tags, updated_ms, .. } = hit.from else { return None };
            Some(KeptNote {
                note: hit.id,
                text: scrubber.mask_known(&hit.text),
                tags: tags.into_iter().collect(),
                at_ms: updated_ms,
            })
        });
        Ok(Reply::Notes { notes: notes.collect() })
    }

    async fn skills(&self, session: Option<SessionId>) -> Answered {
        let session = match session {
            Some(session) => Some(self.named(&session).await?),
            None => None,
        };
        let skills = self.parts.agent.skills(&self.parts.user, session.as_ref()).await;
        Ok(Reply::Skills { skills: skills.map_err(stored)? })
    }

    async fn policy(&self, session: SessionId) -> Answered {
        let session = self.named(&session).await?;
        let own = self.described(&session).await?.settings;
        let parts = self.parts.agent.parts();
        let user = self.parts.user.clone();
        let standing = parts.approvals.standing(&user, parts.clock.now_ms()).await;
        let standing = standing.map_err(|error| internal(&error))?;
        let who =
            Who { user, agent: crate::MAIN_AGENT.to_owned(), channel: self.parts.channel.clone() };
        let mode = mode_of(self, &own);
        let policy = session_policy(&parts.config, &who, mode, &standing, &[]);
        Ok(Reply::Policy { mode, rules: policy.rules.iter().map(line).collect() })
    }

    async fn revoke(&self, approval: String) -> Answered {
        let parts = self.parts.agent.parts();
        let user = &self.parts.user;
        let standing = parts.approvals.standing(user, parts.clock.now_ms()).await;
        let standing = standing.map_err(|error| internal(&error))?;
        let Some(given) = standing.into_iter().find(|given| given.id == approval) else {
            let text = "nothing of that identifier is allowed for good";
            return Err(RequestError::new(ErrorCode::NotFound, text));
        };
        let mut event = crate::audit::approval_given(&given);
        event.action = hydroid_core::audit::AuditAction::ApprovalRevoked;
        parts.audit.record(event).await.map_err(|error| internal(&error))?;
        parts.approvals.revoke(user, &given.id).await.map_err(|error| internal(&error))?;
        Ok(Reply::Done)
    }
}

fn line(rule: &PolicyRule) -> PolicyLine {
    let (from, approval) = match &rule.origin {
        RuleOrigin::Config { key } => (format!("the configuration, `{key}`"), None),
        RuleOrigin::Session => ("this session".to_owned(), None),
        RuleOrigin::Command => ("the command line".to_owned(), None),
        RuleOrigin::Standing { id } => ("allowed for good".to_owned(), Some(id.clone())),
    };
    PolicyLine { rule: rule.to_string(), from, approval }
}
