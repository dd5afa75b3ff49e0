//! The sessions of one user as a listener sees them: which are in memory, who follows which, how
//! many turns run at once. It opens and closes what [`crate::Agent`] runs, and decides nothing in
//! a turn.
//!
//! A session is a [`Room`] while it is in memory or somebody follows it. A room that nobody uses
//! for a while leaves memory, and comes back when it is needed; whoever follows it notices
//! nothing. A session that fails takes its own room along and no other.
//!
//! A message is kept before it is said to be accepted, and waits until its turn begins, whatever
//! becomes of the process; a hub that was told to take up what waits goes on with it.

mod aside;
mod dispatch;
mod driver;
mod following;
mod refusal;
mod room;
mod waiting;

use crate::sessions::{Agent, OpenSession, SessionChoice};
use futures_util::future::BoxFuture;
use hydroid_core::id::{ClientKey, SessionId, UserId};
use hydroid_core::message::{Content, Part};
use hydroid_core::policy::Mode;
use hydroid_core::ports::{
    Conversations, Following, Inventory, Ledger, News, Recall, Saying, StoredEntry, StoredSession,
    StoredSessions,
};
use hydroid_core::protocol::{
    Activity, ErrorCode, ExportFormat, LONGEST_KEY, Notification, Reply, Request, RequestError,
    RunningTurn, ServerMessage, SessionInfo, SessionSettings,
};
use hydroid_core::telemetry::Parent;
use refusal::{refused, stored};
use room::{Accepted, Room};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};

/// News a connection may be behind; it is told how things are, so what is lost is made good by the
/// next.
const NEWS: usize = 256;

/// How long what runs may take to end when the host does.
const CLOSING: Duration = Duration::from_secs(10);

/// Everything a hub needs.
pub struct HubParts {
    /// Whose sessions these are.
    pub user: UserId,
    /// Opens them.
    pub agent: Agent,
    /// The same, stored.
    pub sessions: Arc<dyn StoredSessions>,
    /// Notes and search.
    pub recall: Arc<dyn Recall>,
    /// What models cost.
    pub ledger: Arc<dyn Ledger>,
    /// What is installed.
    pub inventory: Arc<dyn Inventory>,
    /// Keeps other processes out of a session, or says who has it.
    pub occupy: Occupy,
    /// Writes a session as one text, given its title and its entries.
    pub export: Export,
    /// How much at once.
    pub limits: HubLimits,
    /// Where the user speaks, for the rules.
    pub channel: String,
}

/// Keeps other processes out of a session for as long as what it returns is held.
pub type Occupy = Box<dyn Fn(&SessionId) -> Result<Box<dyn Send + Sync>, String> + Send + Sync>;

/// Writes a session as one text.
pub type Export = Box<dyn Fn(ExportFormat, &str, Vec<StoredEntry>) -> String + Send + Sync>;

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// Turns that run; further ones wait in the order they came.
    pub turns: usize,
    /// Sessions in memory.
    pub sessions: usize,
    /// Messages that wait in one session.
    pub queued: usize,
    /// How long a session stays in memory that nobody uses.
    pub idle: Duration,
}

/// The sessions of one user. Clones share them.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    parts: HubParts,
    rooms: Mutex<BTreeMap<SessionId, Arc<Room>>>,
    /// Fair: who came first runs first.
    permits: Arc<Semaphore>,
    news: broadcast::Sender<ServerMessage>,
    closing: AtomicBool,
    /// What waits from an earlier run is gone on with here.
    takes_up: AtomicBool,
}

impl Hub {
    /// A hub with nothing in memory.
    pub fn new(parts: HubParts) -> Self {
        let permits = Arc::new(Semaphore::new(parts.limits.turns.min(Semaphore::MAX_PERMITS)));
        let (news, _) = broadcast::channel(NEWS);
        let (rooms, closing) = (Mutex::default(), AtomicBool::new(false));
        let takes_up = AtomicBool::new(false);
        Self { inner: Arc::new(Inner { parts, rooms, permits, news, closing, takes_up }) }
    }

    /// Goes on with what waits since an earlier run of the host, as soon as that is possible.
    pub fn take_up(&self) {
        self.inner.takes_up.store(true, Ordering::Release);
        drop(tokio::spawn(waiting::take_up(Arc::downgrade(&self.inner), Duration::ZERO)));
    }

    /// Ends what runs and records it; a question that waits for a person stays open, and messages
    /// that wait are there when the host is.
    pub async fn close(&self) {
        self.inner.closing.store(true, Ordering::Release);
        let rooms: Vec<Arc<Room>> = self.inner.rooms().values().cloned().collect();
        let closing = rooms.iter().map(|room| room.close());
        drop(tokio::time::timeout(CLOSING, futures_util::future::join_all(closing)).await);
    }
}

impl Inner {
    fn rooms(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that an identifier or its beginning names.
    async fn named(&self, session: &SessionId) -> Result<SessionId, RequestError> {
        let prefix = session.as_str();
        let none = || refusal::no_session(prefix);
        if prefix.is_empty() {
            return Err(none());
        }
        let user = &self.parts.user;
        let mut found =
            self.parts.sessions.beginning_with(user, prefix).await.map_err(stored)?.into_iter();
        match (found.next(), found.next()) {
            (Some(session), None) => Ok(session),
            (None, _) => Err(none()),
            (Some(_), Some(_)) => Err(RequestError::new(
                ErrorCode::Ambiguous,
                format!("several sessions begin with `{prefix}`; give more of it"),
            )),
        }
    }

    /// The room of a session that is there.
    fn room(self: &Arc<Self>, session: &SessionId) -> Arc<Room> {
        let mut rooms = self.rooms();
        // Those that nobody uses any more are only names.
        rooms.retain(|_, room| !room.is_left() || Arc::strong_count(room) > 1);
        Arc::clone(
            rooms
                .entry(session.clone())
                .or_insert_with(|| Room::new(session.clone(), Arc::downgrade(self))),
        )
    }

    async fn described(&self, session: &SessionId) -> Result<StoredSession, RequestError> {
        self.parts.sessions.described(&self.parts.user, session).await.map_err(stored)
    }

    fn info(&self, stored: StoredSession) -> SessionInfo {
        let room = self.rooms().get(&stored.summary.id).cloned();
        let (activity, queued) = room.map_or((Activity::Asleep, None), |room| room.shown());
        let scrubber = self.parts.agent.parts().scrubber.current();
        SessionInfo {
            title: scrubber.mask_known(&stored.summary.title),
            session: stored.summary.id,
            created_ms: stored.summary.created_ms,
            updated_ms: stored.summary.updated_ms,
            turns: stored.summary.turns,
            last_seq: stored.last_seq,
            archived: stored.archived,
            forked_from: stored.forked_from,
            settings: stored.settings,
            activity,
            // What was not taken up yet is only there.
            queued: queued.unwrap_or(stored.waiting),
        }
    }

    async fn info_of(&self, session: &SessionId) -> Result<SessionInfo, RequestError> {
        Ok(self.info(self.described(session).await?))
    }

    /// Tells every connection of the user how a session is now.
    async fn announce(&self, session: &SessionId) {
        match self.info_of(session).await {
            // Without a connection nobody is told.
            Ok(session) => drop(self.news.send(ServerMessage::SessionChanged { session })),
            Err(error) => tracing::debug!(%session, %error, "a session could not be announced"),
        }
    }

    /// Tells the user something, now or when they are there again.
    async fn notify(&self, kind: &str, session: &SessionId, text: String) {
        let parts = self.parts.agent.parts();
        let notification = Notification {
            notification: (parts.new_turn_id)(),
            at_ms: parts.clock.now_ms(),
            kind: kind.to_owned(),
            session: Some(session.clone()),
            text,
        };
        let kept = self.parts.sessions.notify(&self.parts.user, notification.clone()).await;
        if let Err(error) = kept {
            tracing::error!(%session, %error, "a notification could not be kept");
        }
        drop(self.news.send(ServerMessage::Notification { notification }));
    }

    /// Makes room for one more session in memory.
    async fn make_room(self: &Arc<Self>) -> Result<(), RequestError> {
        loop {
            let mut awake: Vec<Arc<Room>> =
                self.rooms().values().filter(|room| room.is_awake()).cloned().collect();
            if awake.len() < self.parts.limits.sessions {
                return Ok(());
            }
            awake.retain(|room| room.activity().0 == Activity::Idle);
            let Some(oldest) = awake.into_iter().min_by_key(|room| room.last_used()) else {
                return Err(RequestError::new(
                    ErrorCode::LimitReached,
                    format!(
                        "{} sessions are at work, which are the most at once; wait for one, or raise `gateway.sessions_per_user`",
                        self.parts.limits.sessions
                    ),
                ));
            };
            oldest.fall_asleep().await;
        }
    }

    fn opening(&self, session: &SessionId) -> OpenSession {
        OpenSession {
            user: self.parts.user.clone(),
            session: SessionChoice::Existing(session.clone()),
            mode: self.parts.agent.parts().config.policy.mode,
            headless: false,
            channel: self.parts.channel.clone(),
            allow: Vec::new(),
        }
    }

    /// A key goes into the journal as it is, so it may be nothing that is masked there.
    fn check_key(&self, key: Option<&ClientKey>) -> Result<(), RequestError> {
        let Some(key) = key.map(ClientKey::as_str) else { return Ok(()) };
        let scrubber = self.parts.agent.parts().scrubber.current();
        let fits = !key.is_empty()
            && key.len() <= LONGEST_KEY
            && key.chars().all(|letter| letter.is_ascii_graphic())
            && scrubber.mask_known(key) == key;
        if fits {
            return Ok(());
        }
        let text = format!(
            "a key has 1 to {LONGEST_KEY} letters, digits and signs, without spaces and secrets"
        );
        Err(RequestError::new(ErrorCode::Invalid, text))
    }

    fn takes_up(&self) -> bool {
        self.takes_up.load(Ordering::Acquire)
    }

    fn refuse_if_over(&self) -> Result<(), RequestError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(RequestError::new(ErrorCode::ShuttingDown, "the host ends"));
        }
        if *self.parts.agent.parts().stop.borrow() {
            return Err(refused(&crate::SayError::Stopped));
        }
        Ok(())
    }
}

impl Conversations for Hub {
    fn user(&self) -> &UserId {
        &self.inner.parts.user
    }

    fn request(&self, request: Request) -> BoxFuture<'_, Result<Reply, RequestError>> {
        Box::pin(self.dispatch(request))
    }

    fn say_once<'a>(
        &'a self,
        session: &'a SessionId,
        saying: Saying,
    ) -> BoxFuture<'a, Result<Reply, RequestError>> {
        Box::pin(async move {
            let says = |part: &Part| match &part.content {
                Content::Text { text } => !text.trim().is_empty(),
                _ => true,
            };
            if !saying.parts.iter().any(says) {
                return Err(refused(&crate::SayError::Empty));
            }
            self.inner.refuse_if_over()?;
            self.inner.check_key(saying.key.as_ref())?;
            let session = self.inner.named(session).await?;
            let room = self.inner.room(&session);
            Ok(match room.say(saying).await? {
                Accepted::Queued(queued) => Reply::Accepted { session, queued, repeated: false },
                Accepted::Repeated => Reply::Accepted { session, queued: 0, repeated: true },
            })
        })
    }

    fn said<'a>(
        &'a self,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<Option<Reply>, RequestError>> {
        Box::pin(async move {
            self.inner.check_key(Some(key))?;
            let session = self.inner.named(session).await?;
            let was_said = self.inner.room(&session).was_said(&self.inner, key).await?;
            Ok(was_said.then_some(Reply::Accepted { session, queued: 0, repeated: true }))
        })
    }

    fn follow<'a>(
        &'a self,
        session: &'a SessionId,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<(SessionInfo, Box<dyn Following>), RequestError>> {
        Box::pin(async move {
            let session = self.inner.named(session).await?;
            let (info, following) = following::follow(&self.inner, &session, after).await?;
            let following: Box<dyn Following> = Box::new(following);
            Ok((info, following))
        })
    }

    fn aside<'a>(
        &'a self,
        session: &'a SessionId,
        text: String,
        parent: Option<Parent>,
        tell: Arc<dyn Fn(String) + Send + Sync>,
    ) -> BoxFuture<'a, Result<Reply, RequestError>> {
        Box::pin(async move {
            self.inner.refuse_if_over()?;
            let session = self.inner.named(session).await?;
            aside::ask(&self.inner, &session, text, parent, tell).await
        })
    }

    fn news(&self) -> BoxFuture<'_, Result<Box<dyn News>, RequestError>> {
        Box::pin(async move {
            // Listened to first, so that nothing falls between.
            let news = self.inner.news.subscribe();
            let user = &self.inner.parts.user;
            let untold = self.inner.parts.sessions.untold(user).await.map_err(stored)?;
            let news: Box<dyn News> = Box::new(following::Told::new(untold, news));
            Ok(news)
        })
    }

    fn running(&self) -> Vec<RunningTurn> {
        let rooms: Vec<Arc<Room>> = self.inner.rooms().values().cloned().collect();
        rooms.iter().filter_map(|room| room.running()).collect()
    }

    fn awake(&self) -> u32 {
        let awake = self.inner.rooms().values().filter(|room| room.is_awake()).count();
        u32::try_from(awake).unwrap_or(u32::MAX)
    }

    fn settings(&self) -> SessionSettings {
        let config = &self.inner.parts.agent.parts().config;
        SessionSettings {
            provider: Some(config.model.provider.clone()),
            model: Some(config.model.name.clone()),
            effort: None,
            mode: Some(config.policy.mode),
        }
    }
}

impl std::fmt::Debug for HubParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubParts").field("user", &self.user).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("user", &self.inner.parts.user).finish_non_exhaustive()
    }
}

/// The mode of a session in force.
fn mode_of(inner: &Inner, own: &SessionSettings) -> Mode {
    own.mode.unwrap_or(inner.parts.agent.parts().config.policy.mode)
}
