//! A connection that speaks the protocol: one text frame a message, in both directions.
//!
//! One task reads and answers, one writes; each session that is followed has a task that waits for
//! the writer, so that who reads slowly is slow for nobody else. A queue between them is short,
//! since what does not fit waits in the journal.

use crate::api;
use crate::figures::{During, count};
use crate::frames::{self, Frame, Put};
use crate::refusal::Refusal;
use crate::server::{Listener, Peer, Shown, is_over};
use crate::tokens::TokenHolder;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use http::{HeaderMap, header};
use hydroid_core::id::SessionId;
use hydroid_core::ports::{Conversations, Follow, Following};
use hydroid_core::protocol::{
    ClientMessage, ErrorCode, PROTOCOL_VERSION, Reply, Request, RequestError, Resume,
    ServerMessage, Welcome,
};
use hydroid_core::telemetry::Parent;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// Between two heartbeats, and two pings.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client has for its `hello`.
const GREETING: Duration = Duration::from_secs(10);

/// Messages that wait for the writer.
const WAITING: usize = 64;

/// So many bytes of messages go to the network together, if they wait.
const BATCH_BYTES: usize = 32 << 10;

/// Requests of one connection that are worked on at once.
const AT_ONCE: usize = 16;

/// Sessions that one connection follows.
const FOLLOWED: usize = 64;

/// Requests that are understood.
const FEATURES: [&str; 37] = [
    "aside",
    "answer",
    "archive",
    "cancel",
    "cancel_all",
    "close",
    "compact",
    "components",
    "cost",
    "create",
    "delete",
    "entries",
    "export",
    "forget_note",
    "fork",
    "load_skill",
    "models",
    "notes",
    "open",
    "ping",
    "policy",
    "rename",
    "revoke",
    "rewind",
    "say",
    "search",
    "seen",
    "sessions",
    "settings",
    "skills",
    "status",
    "steer",
    "tools",
    "unload_skill",
    "upload_begin",
    "upload_part",
    "hello",
];

/// Takes a connection over. Who shows no token by a header or a cookie shows one in `hello`.
pub(crate) async fn upgrade(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let holder = match listener.shown(&peer, &headers)? {
        Some((_, Shown::Cookie)) if !headers.contains_key(header::ORIGIN) => {
            let text = "a browser says where a socket is opened from";
            return Err(Refusal::new(ErrorCode::Forbidden, text));
        }
        Some((holder, _)) => Some(holder),
        None => None,
    };
    let upgrade = frames::limited(&listener, upgrade);
    Ok(upgrade.on_upgrade(move |socket| connection(socket, listener, peer, holder)))
}

async fn connection(
    socket: WebSocket,
    listener: Arc<Listener>,
    peer: Peer,
    holder: Option<TokenHolder>,
) {
    let _counted = During::new(&listener.figures.sockets);
    let (writing, mut reading) = socket.split();
    let (out, messages) = mpsc::channel(WAITING);
    let mut writer = tokio::spawn(write(writing, messages, Arc::clone(&listener)));
    let client = greet(&listener, &peer, holder, &mut reading, &out).await;
    let mut is_written = false;
    if let Some(client) = client {
        let over = client.run(&peer, &mut reading);
        tokio::select! {
            () = over => {}
            // It is gone, or reads nothing.
            _ = &mut writer => is_written = true,
        }
    }
    drop(out);
    if is_written {
        return;
    }
    // What is said last goes out before the connection ends.
    if tokio::time::timeout(Duration::from_secs(2), &mut writer).await.is_err() {
        writer.abort();
    }
}

async fn write(
    mut socket: SplitSink<WebSocket, Message>,
    mut messages: mpsc::Receiver<Box<ServerMessage>>,
    listener: Arc<Listener>,
) {
    let mut ping = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    let mut code = close_code::NORMAL;
    loop {
        let mut batch = Vec::new();
        let mut last = false;
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => {
                    // With what waits behind it: one way to the network for all.
                    let mut next = Some(message);
                    let mut bytes = 0;
                    while let Some(message) = next {
                        count(&listener.figures.messages_out);
                        if let ServerMessage::Goodbye { error } = &*message {
                            code = frames::close_code_of(error.code);
                            last = true;
                        }
                        match serde_json::to_string(&*message) {
                            Ok(text) => {
                                bytes += text.len();
                                batch.push(Message::Text(text.into()));
                            }
                            Err(error) => tracing::error!(%error, "a message could not be written"),
                        }
                        let full = last || bytes >= BATCH_BYTES;
                        next = if full { None } else { messages.try_recv().ok() };
                    }
                }
                None => break,
            },
            _ = ping.tick() => batch.push(Message::Ping(bytes::Bytes::new())),
        }
        match frames::put(&mut socket, batch).await {
            Put::Sent if !last => {}
            Put::Sent | Put::Gone => break,
            Put::TooSlow => {
                tracing::warn!("a connection was closed: its client reads nothing");
                return;
            }
        }
    }
    frames::close(socket, code).await;
}

type Out = mpsc::Sender<Box<ServerMessage>>;

async fn send(out: &Out, message: impl Into<ServerMessage>) -> bool {
    out.send(Box::new(message.into())).await.is_ok()
}

async fn refuse(out: &Out, id: Option<u64>, error: RequestError) {
    send(out, ServerMessage::Error { id, error }).await;
}

async fn goodbye(out: &Out, error: RequestError) {
    send(out, ServerMessage::Goodbye { error }).await;
}

/// What was no message of the protocol, with its `id` where it has one all the same, so that
/// whoever waits for an answer has it.
struct Unread(Option<u64>, RequestError);

impl Unread {
    fn of(text: &str, error: &serde_json::Error) -> Self {
        #[derive(Deserialize)]
        struct Numbered {
            id: u64,
        }
        let id = serde_json::from_str(text).ok().map(|Numbered { id }| id);
        let text = format!("this is no message of the protocol: {error}");
        Self(id, RequestError::new(ErrorCode::BadMessage, text))
    }
}

/// The next message of a client; none at the end.
async fn receive(
    peer: &Peer,
    reading: &mut SplitStream<WebSocket>,
) -> Option<Result<ClientMessage, Unread>> {
    let unread =
        |code: ErrorCode, text: &str| Some(Err(Unread(None, RequestError::new(code, text))));
    let text = match frames::next(peer, reading).await {
        Frame::Text(text) => text,
        Frame::Binary(_) => {
            let text = "a message is a text frame";
            return unread(ErrorCode::BadMessage, text);
        }
        Frame::TooLarge => {
            let text = "the message is larger than `gateway.max_message`";
            return unread(ErrorCode::TooLarge, text);
        }
        Frame::Broken(_) => {
            let text = "the connection breaks the rules of WebSocket";
            return unread(ErrorCode::UnsupportedProtocol, text);
        }
        Frame::Over => return None,
    };
    Some(serde_json::from_str(&text).map_err(|error| Unread::of(&text, &error)))
}

fn waits_for_hello() -> RequestError {
    RequestError::new(ErrorCode::OutOfOrder, "the first message is `hello`")
}

/// Waits for `hello` and answers it; none if the connection is over.
async fn greet(
    listener: &Arc<Listener>,
    peer: &Peer,
    holder: Option<TokenHolder>,
    reading: &mut SplitStream<WebSocket>,
    out: &Out,
) -> Option<Client> {
    let first = match tokio::time::timeout(GREETING, receive(peer, reading)).await {
        Ok(first) => first?,
        Err(_) => {
            goodbye(out, waits_for_hello()).await;
            return None;
        }
    };
    count(&listener.figures.messages_in);
    let (id, protocol, token, resume) = match first {
        Ok(ClientMessage { id, request: Request::Hello { protocol, token, resume, .. } }) => {
            (id, protocol, token, resume)
        }
        Ok(ClientMessage { id, .. }) => {
            refuse(out, Some(id), waits_for_hello()).await;
            goodbye(out, waits_for_hello()).await;
            return None;
        }
        Err(Unread(_, error)) => {
            goodbye(out, error).await;
            return None;
        }
    };
    match welcome(listener, peer, holder, protocol, token, out).await {
        Ok(client) => client.resume(id, resume).await,
        Err(error) => {
            refuse(out, Some(id), error.clone()).await;
            goodbye(out, error).await;
            None
        }
    }
}

async fn welcome(
    listener: &Arc<Listener>,
    peer: &Peer,
    holder: Option<TokenHolder>,
    protocol: u32,
    token: Option<String>,
    out: &Out,
) -> Result<Client, RequestError> {
    if protocol != PROTOCOL_VERSION {
        let text = format!("this host speaks protocol {PROTOCOL_VERSION}, not {protocol}");
        return Err(RequestError::new(ErrorCode::UnsupportedProtocol, text));
    }
    let holder = match token {
        Some(token) => Some(listener.holder(peer, &token).map_err(|refusal| refusal.0)?),
        None => holder,
    };
    let holder = holder.ok_or_else(|| {
        listener.unauthenticated(peer, "`hello` needs a token; `hydroid token create` makes one").0
    })?;
    let conversations = listener.conversations(&holder).await?;
    Ok(Client {
        listener: Arc::clone(listener),
        holder,
        conversations,
        out: out.clone(),
        followed: HashMap::new(),
        working: JoinSet::new(),
        places: Arc::new(Semaphore::new(AT_ONCE)),
    })
}

/// A client that has shown who it is.
struct Client {
    listener: Arc<Listener>,
    holder: TokenHolder,
    conversations: Arc<dyn Conversations>,
    out: Out,
    /// The tasks of the sessions that are followed.
    followed: HashMap<SessionId, AbortHandle>,
    /// Dropped with the connection, and with it what still runs for it.
    working: JoinSet<()>,
    places: Arc<Semaphore>,
}

impl Client {
    async fn resume(mut self, id: u64, resume: Vec<Resume>) -> Option<Self> {
        let mut gone = Vec::new();
        let mut follow = Vec::new();
        for Resume { session, after } in resume.into_iter().take(FOLLOWED) {
            match self.conversations.follow(&session, Some(after)).await {
                Ok((info, following)) => follow.push((info.session, following)),
                Err(error) if error.code == ErrorCode::NotFound => gone.push(session),
                Err(error) => {
                    refuse(&self.out, Some(id), error.clone()).await;
                    goodbye(&self.out, error).await;
                    return None;
                }
            }
        }
        let news = match self.conversations.news().await {
            Ok(news) => news,
            Err(error) => {
                refuse(&self.out, Some(id), error.clone()).await;
                goodbye(&self.out, error).await;
                return None;
            }
        };
        let welcome = Welcome {
            protocol: PROTOCOL_VERSION,
            server: self.listener.version.clone(),
            run: self.listener.run.clone(),
            user: self.holder.user.clone(),
            scopes: self.holder.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            limits: self.listener.limits(),
            settings: self.conversations.settings(),
            features: FEATURES.iter().map(|&name| name.to_owned()).collect(),
            gone,
        };
        if !send(&self.out, ServerMessage::Reply { id, reply: Reply::Welcome(welcome) }).await {
            return None;
        }
        for (session, following) in follow {
            self.follow(session, following);
        }
        let out = self.out.clone();
        self.working.spawn(async move {
            let mut news = news;
            while let Some(message) = news.next().await {
                if !send(&out, message).await {
                    return;
                }
            }
        });
        Some(self)
    }

    fn follow(&mut self, session: SessionId, mut following: Box<dyn Following>) {
        let out = self.out.clone();
        let id = session.clone();
        let task = self.working.spawn(async move {
            loop {
                match following.next().await {
                    Ok(message) => {
                        if !send(&out, message).await {
                            return;
                        }
                    }
                    Err((reason, last_seq)) => {
                        let session = id;
                        send(&out, ServerMessage::Stopped { session, reason, last_seq }).await;
                        return;
                    }
                }
            }
        });
        if let Some(before) = self.followed.insert(session, task) {
            before.abort();
        }
    }

    async fn run(mut self, peer: &Peer, reading: &mut SplitStream<WebSocket>) {
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        let mut ending = self.listener.ending.clone();
        loop {
            tokio::select! {
                // Silence alone says nothing, since answers to pings are no messages: the writer
                // notices a client that is gone.
                received = receive(peer, reading) => match received {
                    Some(Ok(message)) => {
                        count(&self.listener.figures.messages_in);
                        self.take(message).await;
                    }
                    // Nothing more can be read after these.
                    Some(Err(Unread(_, error))) if [ErrorCode::TooLarge, ErrorCode::UnsupportedProtocol].contains(&error.code) => {
                        return goodbye(&self.out, error).await;
                    }
                    Some(Err(Unread(id, error))) => refuse(&self.out, id, error).await,
                    None => return,
                },
                _ = heartbeat.tick() => {
                    let running = self.conversations.running();
                    if !running.is_empty() {
                        let at_ms = self.listener.clock.now_ms();
                        send(&self.out, ServerMessage::Heartbeat { at_ms, running }).await;
                    }
                }
                Some(_) = self.working.join_next(), if !self.working.is_empty() => {}
                () = is_over(&mut ending) => {
                    goodbye(&self.out, RequestError::new(ErrorCode::ShuttingDown, "the host ends")).await;
                    return;
                }
            }
        }
    }

    /// Takes one request. What has an order is done here, one after another; what may take long
    /// and stands for itself is not waited for.
    async fn take(&mut self, message: ClientMessage) {
        let ClientMessage { id, request } = message;
        let paced = self.listener.pace(&self.holder);
        let allowed = paced.and_then(|()| api::check_scope(&self.holder, &request));
        if let Err(error) = allowed {
            self.log(&error);
            return refuse(&self.out, Some(id), error).await;
        }
        let answered = match request {
            Request::Hello { .. } => {
                Err(RequestError::new(ErrorCode::OutOfOrder, "`hello` came already"))
            }
            Request::Open { session, after } => match self.open(&session, after).await {
                Ok((info, following)) => {
                    let session = info.session.clone();
                    let reply = Reply::Session { session: info };
                    send(&self.out, ServerMessage::Reply { id, reply }).await;
                    return self.follow(session, following);
                }
                Err(error) => Err(error),
            },
            Request::Close { session } => {
                let task = self.followed.remove(&session);
                task.map(|task| task.abort())
                    .ok_or_else(|| {
                        RequestError::new(ErrorCode::NotFound, "this session is not followed here")
                    })
                    .map(|()| Reply::Done)
            }
            request @ Request::Create { .. } => match self.create(request).await {
                Ok((reply, session, following)) => {
                    send(&self.out, ServerMessage::Reply { id, reply }).await;
                    return self.follow(session, following);
                }
                Err(error) => Err(error),
            },
            Request::Aside { session, text, traceparent } => {
                let parent = traceparent.as_deref().and_then(Parent::read);
                return self.aside(id, session, text, parent).await;
            }
            request @ (Request::Answer { .. }
            | Request::Compact { .. }
            | Request::LoadSkill { .. }
            | Request::Skills { .. }
            | Request::Export { .. }
            | Request::Search { .. }
            | Request::Models
            | Request::Cost { .. }) => return self.in_its_own_time(id, request).await,
            request => {
                api::answer(&self.listener, &self.holder, &self.conversations, request).await
            }
        };
        match answered {
            Ok(reply) => drop(send(&self.out, ServerMessage::Reply { id, reply }).await),
            Err(error) => {
                if error.code == ErrorCode::NotFound {
                    self.log(&error);
                }
                refuse(&self.out, Some(id), error).await;
            }
        }
    }

    /// Who tried what was refused, as HTTP logs it.
    fn log(&self, error: &RequestError) {
        let user = &self.holder.user;
        tracing::info!(%user, token = self.holder.token, code = ?error.code, "refused a request");
    }

    async fn open(
        &mut self,
        session: &SessionId,
        after: Option<u64>,
    ) -> Result<Follow, RequestError> {
        self.followed.retain(|_, task| !task.is_finished());
        if self.followed.len() >= FOLLOWED && !self.followed.contains_key(session) {
            let text = format!("a connection follows at most {FOLLOWED} sessions; close one");
            return Err(RequestError::new(ErrorCode::LimitReached, text));
        }
        self.conversations.follow(session, after).await
    }

    async fn create(
        &mut self,
        request: Request,
    ) -> Result<(Reply, SessionId, Box<dyn Following>), RequestError> {
        let reply = self.conversations.request(request).await?;
        let Reply::Session { session } = &reply else {
            return Err(RequestError::new(ErrorCode::Internal, "the host failed"));
        };
        let (info, following) = self.open(&session.session, Some(0)).await?;
        Ok((reply, info.session, following))
    }

    async fn in_its_own_time(&mut self, id: u64, request: Request) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (listener, holder) = (Arc::clone(&self.listener), self.holder.clone());
        let (conversations, out) = (Arc::clone(&self.conversations), self.out.clone());
        self.working.spawn(async move {
            let _place = place;
            match api::answer(&listener, &holder, &conversations, request).await {
                Ok(reply) => drop(send(&out, ServerMessage::Reply { id, reply }).await),
                Err(error) => refuse(&out, Some(id), error).await,
            }
        });
    }

    async fn aside(&mut self, id: u64, session: SessionId, text: String, parent: Option<Parent>) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (conversations, out) = (Arc::clone(&self.conversations), self.out.clone());
        self.working.spawn(async move {
            let _place = place;
            let (piece, mut pieces) = mpsc::unbounded_channel();
            let tell = Arc::new(move |text| drop(piece.send(text)));
            let asking = conversations.aside(&session, text, parent, tell);
            let telling = async {
                while let Some(text) = pieces.recv().await {
                    send(&out, ServerMessage::Aside { id, text }).await;
                }
            };
            let (answered, ()) = futures_util::future::join(asking, telling).await;
            match answered {
                Ok(reply) => drop(send(&out, ServerMessage::Reply { id, reply }).await),
                Err(error) => refuse(&out, Some(id), error).await,
            }
        });
    }
}
