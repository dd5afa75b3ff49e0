//! One session of a hub: who follows it, what waits in it, and what runs while it is in memory.
//! It is the one client that the session was opened with, and hands on what that is shown; none
//! of its followers is waited for.

use super::Inner;
use super::driver;
use super::refusal::{internal, refused, stored, unchanged, uncompacted, unopened};
use crate::session::Session;
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, ClientKey, SessionId, TurnId};
use hydroid_core::message::Part;
use hydroid_core::ports::{Saying, Sink};
use hydroid_core::protocol::{
    Activity, ErrorCode, RequestError, RunningCall, RunningTurn, SessionMessage, Stopped,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

/// Messages a follower may be behind: some minutes of a streaming answer. Then it is dropped and
/// reads on in the journal.
const BEHIND: usize = 1024;

/// How long closing a session may take before what waits for it goes on.
const LEAVING: Duration = Duration::from_secs(5);

/// One session.
pub(super) struct Room {
    pub(super) session: SessionId,
    pub(super) hub: Weak<Inner>,
    state: Mutex<State>,
    /// What is in memory. Held while that changes, so that nothing is opened twice.
    awake: tokio::sync::Mutex<Option<Awake>>,
    /// Told when something is there for the driver to do.
    pub(super) work: Notify,
    runtime: tokio::runtime::Handle,
}

/// What is in memory of a session.
pub(super) struct Awake {
    pub(super) session: Session,
    driver: tokio::task::JoinHandle<()>,
    _occupied: Box<dyn Send + Sync>,
}

struct State {
    followers: Vec<Follower>,
    /// The last number that followers were shown or could have read.
    last_seq: u64,
    activity: Activity,
    turn: Option<(TurnId, Instant)>,
    calls: BTreeMap<CallId, (String, Instant)>,
    names: BTreeMap<CallId, String>,
    queue: VecDeque<Saying>,
    /// The first of them is the next as soon as there is a place among the turns, which is waited
    /// for.
    awaits_place: bool,
    /// What waits since an earlier run of the host is in the queue.
    is_taken_up: bool,
    /// Who waits for what is done between turns.
    working: usize,
    used: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

/// What became of a message.
pub(super) enum Accepted {
    /// It waits, and so many before it.
    Queued(u32),
    /// It was said before.
    Repeated,
}

/// Where one follower's messages go.
struct Follower {
    messages: mpsc::Sender<SessionMessage>,
    end: Arc<Mutex<Option<Stopped>>>,
}

/// The receiving end of a follower.
pub(super) struct Live {
    pub(super) messages: mpsc::Receiver<SessionMessage>,
    pub(super) end: Arc<Mutex<Option<Stopped>>>,
    /// The last number that does not come here.
    pub(super) from: u64,
}

impl Room {
    pub(super) fn new(session: SessionId, hub: Weak<Inner>) -> Arc<Self> {
        let state = State {
            followers: Vec::new(),
            last_seq: 0,
            activity: Activity::Asleep,
            turn: None,
            calls: BTreeMap::new(),
            names: BTreeMap::new(),
            queue: VecDeque::new(),
            awaits_place: false,
            is_taken_up: false,
            working: 0,
            used: Instant::now(),
            permit: None,
        };
        Arc::new(Self {
            session,
            hub,
            state: Mutex::new(state),
            awake: tokio::sync::Mutex::new(None),
            work: Notify::new(),
            runtime: tokio::runtime::Handle::current(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hub; none when it is gone, and with it everything that could be asked for.
    pub(super) fn hub(&self) -> Result<Arc<Inner>, RequestError> {
        let ended = || RequestError::new(ErrorCode::ShuttingDown, "the host ends");
        self.hub.upgrade().ok_or_else(ended)
    }

    /// What the session does, and how many messages wait.
    pub(super) fn activity(&self) -> (Activity, u32) {
        let state = self.state();
        (state.activity, u32::try_from(state.queued()).unwrap_or(u32::MAX))
    }

    /// The same; how many wait is not known until it was taken up.
    pub(super) fn shown(&self) -> (Activity, Option<u32>) {
        let (activity, queued) = self.activity();
        (activity, self.state().is_taken_up.then_some(queued))
    }

    pub(super) fn is_awake(&self) -> bool {
        self.state().activity != Activity::Asleep
    }

    /// Nobody follows it and nothing of it is in memory.
    pub(super) fn is_left(&self) -> bool {
        let mut state = self.state();
        state.followers.retain(|follower| !follower.messages.is_closed());
        state.activity == Activity::Asleep && state.followers.is_empty() && state.queue.is_empty()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.state().used
    }

    pub(super) fn is_followed(&self) -> bool {
        self.state().followers.iter().any(|follower| !follower.messages.is_closed())
    }

    pub(super) fn running(&self) -> Option<RunningTurn> {
        let state = self.state();
        if matches!(state.activity, Activity::Asleep | Activity::Idle) {
            return None;
        }
        let ms = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let call = |(call_id, (tool, since)): (&CallId, &(String, Instant))| RunningCall {
            call_id: call_id.clone(),
            tool: tool.clone(),
            ms: ms(*since),
        };
        Some(RunningTurn {
            session: self.session.clone(),
            turn: state.turn.as_ref().map(|(turn, _)| turn.clone()),
            activity: state.activity,
            ms: state.turn.as_ref().map_or(0, |(_, since)| ms(*since)),
            calls: state.calls.iter().map(call).collect(),
        })
    }

    /// Adds a follower: it is shown what comes after the number that it is told.
    pub(super) fn follow(&self, stored: u64) -> Live {
        let (sender, messages) = mpsc::channel(BEHIND);
        let end = Arc::default();
        let mut state = self.state();
        state.used = Instant::now();
        state.last_seq = state.last_seq.max(stored);
        state.followers.push(Follower { messages: sender, end: Arc::clone(&end) });
        Live { messages, end, from: state.last_seq }
    }

    // ---- what waits ----

    /// Lets a message wait for its turn, once for each key.
    pub(super) async fn say(self: &Arc<Self>, said: Saying) -> Result<Accepted, RequestError> {
        let hub = self.hub()?;
        // Held, so that the session does not leave memory before the message waits in it, and no
        // other comes between looking for its key or for a place and letting it wait.
        let mut awake = self.awake.lock().await;
        if let Some(key) = &said.key
            && self.was_said(&hub, key).await?
        {
            return Ok(Accepted::Repeated);
        }
        self.wake_if_asleep(&mut awake).await?;
        let waiting = self.state().queued();
        if waiting >= hub.parts.limits.queued {
            return Err(refused(&crate::SayError::Busy { waiting }));
        }
        let said = hub.keep(&self.session, said).await?;
        let queued = {
            let mut state = self.state();
            state.used = Instant::now();
            let waiting = state.queued();
            state.queue.push_back(said);
            let ahead = waiting + usize::from(state.activity != Activity::Idle);
            if state.awaits_place {
                state.activity = Activity::Waiting;
            }
            self.show_state(&mut state);
            u32::try_from(ahead).unwrap_or(u32::MAX)
        };
        self.work.notify_one();
        Ok(Accepted::Queued(queued))
    }

    /// Says something into the turn that runs, once for each key.
    pub(super) async fn steer(
        &self,
        parts: Vec<Part>,
        key: Option<ClientKey>,
    ) -> Result<(), RequestError> {
        let hub = self.hub()?;
        // Held for the same reasons as when something is said.
        let awake = self.awake.lock().await;
        if let Some(key) = &key {
            let (user, session) = (&hub.parts.user, &self.session);
            let steered = hub.parts.sessions.was_steered(user, session, key).await;
            if steered.map_err(stored)? || self.was_said(&hub, key).await? {
                return Ok(());
            }
        }
        let open = awake.as_ref().filter(|awake| !awake.driver.is_finished());
        let Some(open) = open else { return Err(refused(&crate::SayError::NothingRuns)) };
        open.session.steer_under(key, parts).await.map_err(|error| refused(&error))
    }

    /// True if a message of this key waits or began a turn.
    pub(super) async fn was_said(
        &self,
        hub: &Inner,
        key: &ClientKey,
    ) -> Result<bool, RequestError> {
        let user = &hub.parts.user;
        hub.parts.sessions.was_said(user, &self.session, key).await.map_err(stored)
    }

    /// True if a message waits; what the session does is then waiting for a place among the turns.
    pub(super) fn waits_for_its_place(&self) -> bool {
        let mut state = self.state();
        if state.queue.is_empty() {
            return false;
        }
        state.used = Instant::now();
        state.awaits_place = true;
        self.becomes(&mut state, Activity::Waiting);
        true
    }

    /// The next message, unless it was cancelled while it waited for its place.
    pub(super) fn next_said(&self) -> Option<Saying> {
        let mut state = self.state();
        state.awaits_place = false;
        let said = state.queue.pop_front();
        if said.is_none() && state.activity == Activity::Waiting {
            self.becomes(&mut state, Activity::Idle);
        }
        said
    }

    /// Takes back the message that waits for its place; its number, to be forgotten.
    pub(super) fn drop_next(&self) -> Option<u64> {
        let mut state = self.state();
        if !state.awaits_place {
            return None;
        }
        let dropped = state.queue.pop_front()?;
        if state.queue.is_empty() {
            state.activity = Activity::Idle;
        }
        self.show_state(&mut state);
        dropped.waiting
    }

    pub(super) fn drop_waiting(&self) {
        let mut state = self.state();
        if !state.queue.is_empty() {
            state.queue.clear();
            if state.awaits_place {
                state.activity = Activity::Idle;
            }
            self.show_state(&mut state);
        }
    }

    /// Holds a place among the turns that run; it is given back when a person is awaited.
    pub(super) fn hold(&self, permit: Option<OwnedSemaphorePermit>) {
        self.state().permit = permit;
    }

    /// Nothing runs any more.
    pub(super) fn is_done(&self) {
        let mut state = self.state();
        state.permit = None;
        state.used = Instant::now();
        self.becomes(&mut state, Activity::Idle);
    }

    // ---- between turns ----

    /// Has the older part of the conversation summed up, and tells for how many turns the summary
    /// stands. Who asks meanwhile waits for the same.
    pub(super) async fn compact(self: &Arc<Self>) -> Result<u32, RequestError> {
        self.between_turns(true, |session| async move {
            session.compact().await.map_err(|error| uncompacted(&error))
        })
        .await
    }

    /// Has a skill taken up, and tells what there is to say of it.
    pub(super) async fn load_skill(
        self: &Arc<Self>,
        name: String,
    ) -> Result<Vec<String>, RequestError> {
        self.between_turns(false, |session| async move {
            session.load_skill(name).await.map_err(|error| unchanged(&error))
        })
        .await
    }

    /// Does something between the turns of the session that may take a while, so that it is seen to
    /// work and stays in memory. It goes on when whoever asked is gone. What asks a model has a place
    /// among the turns.
    async fn between_turns<T, F>(
        self: &Arc<Self>,
        asks_model: bool,
        work: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Result<T, RequestError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RequestError>> + Send,
    {
        let hub = self.hub()?;
        let mut awake = self.awake.lock().await;
        let session = self.wake_if_asleep(&mut awake).await?;
        let permit = {
            let mut state = self.state();
            state.used = Instant::now();
            let is_free = state.activity == Activity::Idle && state.queue.is_empty();
            if state.working == 0 && !is_free {
                return Err(unchanged(&crate::ChangeError::TurnRuns));
            }
            let permit = if asks_model && state.working == 0 {
                Some(Arc::clone(&hub.permits).try_acquire_owned().map_err(|_| {
                    let text = format!(
                        "{} turns of yours run, which are the most at once; wait for one, or raise `gateway.turns_per_user`",
                        hub.parts.limits.turns
                    );
                    RequestError::new(ErrorCode::LimitReached, text)
                })?)
            } else {
                None
            };
            state.working += 1;
            self.becomes(&mut state, Activity::Working);
            permit
        };
        drop(awake);
        let room = Arc::clone(self);
        let working = tokio::spawn(async move {
            let done = work(session).await;
            drop(permit);
            room.has_worked();
            if let Ok(hub) = room.hub() {
                hub.announce(&room.session).await;
            }
            done
        });
        working.await.unwrap_or_else(|error| Err(internal(&error)))
    }

    fn has_worked(&self) {
        let mut state = self.state();
        state.working = state.working.saturating_sub(1);
        state.used = Instant::now();
        // A message that came meanwhile has its turn, and says so itself.
        let only_that = state.activity == Activity::Working && state.turn.is_none();
        if state.working == 0 && only_that {
            self.becomes(&mut state, Activity::Idle);
        }
    }

    fn becomes(&self, state: &mut State, activity: Activity) {
        if state.activity != activity {
            state.activity = activity;
            self.show_state(state);
        }
    }

    fn show_state(&self, state: &mut State) {
        let message = SessionMessage::State {
            session: self.session.clone(),
            activity: state.activity,
            turn: state.turn.as_ref().map(|(turn, _)| turn.clone()),
            queued: u32::try_from(state.queued()).unwrap_or(u32::MAX),
        };
        state.show(&message);
    }

    // ---- memory ----

    /// The session in memory, brought there if it is not.
    pub(super) async fn wake(self: &Arc<Self>) -> Result<Session, RequestError> {
        let mut awake = self.awake.lock().await;
        self.wake_if_asleep(&mut awake).await
    }

    async fn wake_if_asleep(
        self: &Arc<Self>,
        awake: &mut Option<Awake>,
    ) -> Result<Session, RequestError> {
        if let Some(awake) = awake.as_ref().filter(|awake| !awake.driver.is_finished()) {
            return Ok(awake.session.clone());
        }
        *awake = None;
        let hub = self.hub()?;
        hub.refuse_if_over()?;
        hub.make_room().await?;
        let occupied = (hub.parts.occupy)(&self.session)
            .map_err(|problem| RequestError::new(ErrorCode::Occupied, problem))?;
        self.show_what_others_wrote(&hub).await?;
        if !self.state().is_taken_up {
            // Before the turn that something was said into is closed.
            let left = match hub.takes_up() {
                true => hub.left_waiting(&self.session).await?,
                false => VecDeque::new(),
            };
            let mut state = self.state();
            (state.queue, state.is_taken_up) = (left, true);
        }
        let opened = hub.parts.agent.open(hub.opening(&self.session), self.sink()).await;
        let session = opened.map_err(unopened)?;
        {
            let mut state = self.state();
            state.used = Instant::now();
            // A turn that waited for a person goes on, and has said so by now or will.
            if state.activity == Activity::Asleep {
                self.becomes(&mut state, Activity::Idle);
            }
        }
        let driver = tokio::spawn(driver::drive(Arc::clone(self), session.clone()));
        *awake = Some(Awake { session: session.clone(), driver, _occupied: occupied });
        Ok(session)
    }

    /// The session, if it is in memory.
    pub(super) async fn if_awake(&self) -> Option<Session> {
        let awake = self.awake.lock().await;
        awake
            .as_ref()
            .filter(|awake| !awake.driver.is_finished())
            .map(|awake| awake.session.clone())
    }

    fn sink(self: &Arc<Self>) -> Arc<dyn Sink> {
        Arc::clone(self) as Arc<dyn Sink>
    }

    /// Another process may have used the session while it was not in memory here.
    async fn show_what_others_wrote(&self, hub: &Arc<Inner>) -> Result<(), RequestError> {
        let after = self.state().last_seq;
        if after == 0 {
            let last = hub.described(&self.session).await?.last_seq;
            let mut state = self.state();
            state.last_seq = state.last_seq.max(last);
            return Ok(());
        }
        let user = &hub.parts.user;
        let entries = hub.parts.sessions.entries(user, &self.session, after).await;
        let entries = entries.map_err(stored)?;
        let scrubber = hub.parts.agent.parts().scrubber.current();
        for entry in super::following::masked(&scrubber, entries) {
            self.emit(SessionMessage::Entry {
                session: self.session.clone(),
                seq: entry.seq,
                at_ms: entry.at_ms,
                entry: entry.entry,
            });
        }
        Ok(())
    }

    /// Leaves memory, unless something is to be done.
    pub(super) async fn fall_asleep(&self) {
        let mut awake = self.awake.lock().await;
        let (activity, queued) = self.activity();
        if queued > 0 || !matches!(activity, Activity::Idle | Activity::Asking) {
            return;
        }
        if let Some(left) = awake.take() {
            left.driver.abort();
            drop(tokio::time::timeout(LEAVING, left.session.leave()).await);
        }
        self.asleep();
    }

    /// Ends what runs; a question that waits for a person stays open.
    pub(super) async fn close(&self) {
        self.drop_waiting();
        let mut awake = self.awake.lock().await;
        if let Some(left) = awake.take() {
            left.driver.abort();
            let asks = self.activity().0 == Activity::Asking;
            if asks {
                drop(tokio::time::timeout(LEAVING, left.session.leave()).await);
            } else {
                left.session.close().await;
            }
        }
        self.asleep();
        self.end(Stopped::ShuttingDown);
    }

    /// The session failed: whoever follows it opens it again, and it goes on from the journal and
    /// with what waits.
    pub(super) fn failed(&self) {
        {
            let mut state = self.state();
            state.queue.clear();
            state.awaits_place = false;
            state.is_taken_up = false;
        }
        self.asleep();
        self.end(Stopped::Failed);
    }

    pub(super) fn asleep(&self) {
        let mut state = self.state();
        state.permit = None;
        state.awaits_place = false;
        state.turn = None;
        state.calls.clear();
        state.names.clear();
        self.becomes(&mut state, Activity::Asleep);
    }

    /// Removes the session: nothing of it may be in memory.
    pub(super) async fn removed(
        &self,
        remove: impl Future<Output = Result<(), RequestError>>,
    ) -> Result<(), RequestError> {
        let mut awake = self.awake.lock().await;
        if !matches!(self.activity(), (Activity::Asleep | Activity::Idle | Activity::Asking, 0)) {
            let text = "a turn runs in this session; wait for its end, or cancel it first";
            return Err(RequestError::new(ErrorCode::TurnRuns, text));
        }
        if let Some(left) = awake.take() {
            left.driver.abort();
            left.session.close().await;
        }
        self.asleep();
        remove.await?;
        self.end(Stopped::Deleted);
        Ok(())
    }

    fn end(&self, why: Stopped) {
        for follower in self.state().followers.drain(..) {
            follower.ended(why);
        }
    }

    fn took(&self, state: &mut State, entry: &Entry) {
        match entry {
            Entry::TurnStarted { turn, .. } => {
                state.turn = Some((turn.clone(), Instant::now()));
                self.becomes(state, Activity::Working);
            }
            Entry::CallReceived { call, .. } => {
                state.names.insert(call.id.clone(), call.name.clone());
            }
            Entry::ApprovalAsked { turn, call, .. } => {
                if state.turn.is_none() {
                    state.turn = Some((turn.clone(), Instant::now()));
                }
                // Whoever thinks about an answer keeps nobody else waiting.
                state.permit = None;
                self.becomes(state, Activity::Asking);
                let followed = state.followers.iter().any(|one| !one.messages.is_closed());
                if !followed {
                    self.tell_later("question", format!("`{}` waits for your answer", call.name));
                }
            }
            Entry::CallDecided { .. } => self.becomes(state, Activity::Working),
            Entry::CallStarted { call_id, call, .. } => {
                state.calls.insert(call_id.clone(), (call.name.clone(), Instant::now()));
            }
            Entry::CallFinished { call_id, .. } => {
                state.calls.remove(call_id);
            }
            Entry::TurnEnded { .. } => {
                state.turn = None;
                state.calls.clear();
                state.names.clear();
                self.becomes(state, Activity::Idle);
            }
            Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. }
            | Entry::StepStarted { .. }
            | Entry::Text { .. }
            | Entry::Thinking { .. }
            | Entry::Cited { .. }
            | Entry::CallEdited { .. }
            | Entry::StepEnded { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::Notice { .. }
            | Entry::Compacted { .. }
            | Entry::ModelNews { .. } => {}
        }
    }

    fn tell_later(&self, kind: &'static str, text: String) {
        let (hub, session) = (self.hub.clone(), self.session.clone());
        drop(self.runtime.spawn(async move {
            if let Some(hub) = hub.upgrade() {
                hub.notify(kind, &session, text).await;
            }
        }));
    }
}

impl Sink for Room {
    /// Called on a thread of its own, and returns at once: a follower that is behind is dropped.
    fn emit(&self, message: SessionMessage) {
        let mut state = self.state();
        match &message {
            SessionMessage::Entry { seq, entry, .. } => {
                if *seq <= state.last_seq {
                    return;
                }
                state.last_seq = *seq;
                state.show(&message);
                self.took(&mut state, entry);
            }
            SessionMessage::Progress { .. } | SessionMessage::State { .. } => state.show(&message),
        }
    }
}

impl State {
    /// Messages that wait for others: not the one that only waits for its place.
    fn queued(&self) -> usize {
        self.queue.len() - usize::from(self.awaits_place && !self.queue.is_empty())
    }

    fn show(&mut self, message: &SessionMessage) {
        self.followers.retain(|follower| follower.show(message));
    }
}

impl Follower {
    fn show(&self, message: &SessionMessage) -> bool {
        match self.messages.try_send(message.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                // What is no entry is lost first, as nothing depends on it.
                if !matches!(message, SessionMessage::Entry { .. }) {
                    return true;
                }
                tracing::warn!("a client was dropped: it is {BEHIND} messages behind");
                self.ended(Stopped::FellBehind);
                false
            }
        }
    }

    fn ended(&self, why: Stopped) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}
