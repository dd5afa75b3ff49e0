//! A connection to one server: how it begins, what is asked of it, and how long that may take.

use super::convert::{self, Promise};
use super::door::Door;
use super::handler::{Answerer, Handler};
use super::pinned::{PinError, Pinned};
use super::process::{Program, Started};
use super::questions::Questions;
use super::wanted::wanted;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::ports::{CallContext, CancelFlag, Remotes};
use hydroid_core::tool::ToolOutput;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, JsonObject, PaginatedRequestParams, Prompt,
    ProtocolVersion, ReadResourceRequestParams, Resource, Tool,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService, ServiceError,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a server may take to begin, and to say what it offers, unless a call may take less.
/// Programs that are fetched first take longer, and are started by hand once before.
const BEGINNING: Duration = Duration::from_secs(30);

/// Pages of a list that are read, and what may be on them together: a server that lists without
/// end is left.
const MOST_PAGES: usize = 100;
const MOST_LISTED: usize = 20_000;

/// A piece of a list, and where the next one is.
type Page<T> = (Vec<T>, Option<String>);

/// Which lifecycle is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// With a handshake, as all servers know it.
    #[default]
    Handshake,
    /// Without sessions, since 2026-07-28.
    Sessionless,
}

/// Why a server cannot be used. Each is a sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The program cannot be started.
    #[error("{0}")]
    Start(String),
    /// It wants to know who asks, or to be allowed more.
    #[error("the server `{server}` {}", wanted(.server, .challenge))]
    SignIn {
        /// The server.
        server: String,
        /// What it said, for who signs in.
        challenge: String,
    },
    /// It did not begin to speak the protocol.
    #[error("the server `{server}` does not answer as one of the protocol: {problem}")]
    Begin {
        /// The server.
        server: String,
        /// Why.
        problem: String,
    },
    /// It took too long.
    #[error("the server `{server}` did not {doing} within {} s", .within.as_secs())]
    Slow {
        /// The server.
        server: String,
        /// What.
        doing: &'static str,
        /// How long it had.
        within: Duration,
    },
    /// A list that never ends.
    #[error("the server `{0}` lists more than anybody reads")]
    Endless(String),
    /// What it offers cannot be offered.
    #[error("the server `{server}` cannot be used: {source}")]
    Pin {
        /// The server.
        server: String,
        /// Why.
        source: PinError,
    },
}

/// A connection. Dropping it ends it, and the program behind it.
pub(crate) struct Connection {
    server: String,
    running: RunningService<RoleClient, Handler>,
    handler: Handler,
    patience: Duration,
    _program: Option<Program>,
}

/// Why a request came to nothing.
struct Problem {
    text: String,
    /// What the service wants to be shown, if that is why.
    challenge: Option<String>,
}

/// A server as it says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name and version.
    pub name: String,
    /// The protocol it speaks.
    pub version: String,
}

impl Connection {
    /// Speaks with a program.
    pub(crate) async fn with_program(
        server: &str,
        started: Started,
        largest: usize,
        (answerer, questions): (Arc<dyn Answerer>, Questions),
        (protocol, patience): (Protocol, Duration),
    ) -> Result<Self, ConnectError> {
        let patience = patience.min(BEGINNING);
        let Started { input, output, program } = started;
        let transport = AsyncRwTransport::new_client(output, input).with_max_line_length(largest);
        let handler = Handler::new(server, version(protocol), answerer, questions);
        let beginning = handler.clone().serve_with_lifecycle(transport, lifecycle(protocol));
        let running = begun(server, beginning, patience).await?;
        Ok(Self { server: server.to_owned(), running, handler, patience, _program: Some(program) })
    }

    /// Speaks with a server over HTTP, through the door.
    pub(crate) async fn through(
        server: &str,
        url: &str,
        remotes: Arc<dyn Remotes>,
        largest: usize,
        (answerer, questions): (Arc<dyn Answerer>, Questions),
        (protocol, patience): (Protocol, Duration),
    ) -> Result<Self, ConnectError> {
        let patience = patience.min(BEGINNING);
        let mut config = StreamableHttpClientTransportConfig::with_uri(url);
        config.max_json_response_size = largest;
        config.max_sse_event_size = largest;
        let transport =
            StreamableHttpClientTransport::with_client(Door::to(server, remotes), config);
        let handler = Handler::new(server, version(protocol), answerer, questions);
        let beginning = handler.clone().serve_with_lifecycle(transport, lifecycle(protocol));
        let running = begun(server, beginning, patience).await?;
        Ok(Self { server: server.to_owned(), running, handler, patience, _program: None })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.running.is_closed() || self.running.is_transport_closed()
    }

    /// True if the server said since that its tools are others.
    pub(crate) fn takes_change(&self) -> bool {
        self.handler.takes_change()
    }

    pub(crate) fn about(&self) -> About {
        let info = self.running.peer_info();
        info.map(|info| About {
            name: info
                .server_info
                .as_ref()
                .map_or_else(String::new, |its| format!("{} {}", its.name, its.version)),
            version: info.protocol_version.to_string(),
        })
        .unwrap_or_default()
    }

    /// All tools it offers.
    pub(crate) async fn tools(&self) -> Result<Vec<Tool>, ConnectError> {
        let offers = self.running.peer_info().is_some_and(|info| info.capabilities.tools.is_some());
        if !offers {
            return Ok(Vec::new());
        }
        let listing = self.pages(|page| {
            async move {
                let listed = self.running.list_tools(page).await?;
                Ok((listed.tools, listed.next_cursor))
            }
            .boxed()
        });
        self.in_time("list its tools", listing).await
    }

    /// What of it is offered to a model.
    pub(crate) async fn pinned(&self, only: &[String]) -> Result<Pinned, ConnectError> {
        let tools = self.tools().await?;
        let info = self.running.peer_info();
        let has = |of: fn(&rmcp::model::ServerCapabilities) -> bool| {
            info.as_ref().is_some_and(|info| of(&info.capabilities))
        };
        let prompts = has(|its| its.prompts.is_some());
        let resources = has(|its| its.resources.is_some());
        Pinned::of(&self.server, &tools, only, prompts, resources)
            .map_err(|source| ConnectError::Pin { server: self.server.clone(), source })
    }

    pub(crate) async fn prompts(&self) -> Result<Vec<Prompt>, ConnectError> {
        let listing = self.pages(|page| {
            async move {
                let listed = self.running.list_prompts(page).await?;
                Ok((listed.prompts, listed.next_cursor))
            }
            .boxed()
        });
        self.in_time("list its prompts", listing).await
    }

    pub(crate) async fn resources(&self) -> Result<Vec<Resource>, ConnectError> {
        let listing = self.pages(|page| {
            async move {
                let listed = self.running.list_resources(page).await?;
                Ok((listed.resources, listed.next_cursor))
            }
            .boxed()
        });
        self.in_time("list its resources", listing).await
    }

    /// Calls a tool for a session. A failure is an output the model reads.
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        context: &CallContext,
        time: Duration,
        promise: Option<&Promise>,
    ) -> ToolOutput {
        let _watched = self.handler.watch(Arc::clone(&context.progress), context.nested.clone());
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.within((time, &context.cancel), self.running.call_tool(params)).await {
            Ok(result) => convert::of_call(&self.server, result, promise),
            Err(problem) => ToolOutput::error(problem.text),
        }
    }

    /// The same for a person, who is told if they have to sign in first, or to allow more.
    pub(crate) async fn call_or_sign_in(
        &self,
        tool: &str,
        arguments: JsonObject,
        within: (Duration, &CancelFlag),
    ) -> Result<ToolOutput, ConnectError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.within(within, self.running.call_tool(params)).await {
            Ok(result) => Ok(convert::of_call(&self.server, result, None)),
            Err(Problem { challenge: Some(challenge), .. }) => {
                Err(ConnectError::SignIn { server: self.server.clone(), challenge })
            }
            Err(Problem { text, challenge: None }) => Ok(ToolOutput::error(text)),
        }
    }

    pub(crate) async fn read(&self, uri: &str, within: (Duration, &CancelFlag)) -> ToolOutput {
        let params = ReadResourceRequestParams::new(uri);
        match self.within(within, self.running.read_resource(params)).await {
            Ok(result) => convert::of_resource(result),
            Err(problem) => ToolOutput::error(problem.text),
        }
    }

    pub(crate) async fn prompt(
        &self,
        name: &str,
        arguments: JsonObject,
        within: (Duration, &CancelFlag),
    ) -> ToolOutput {
        let params = GetPromptRequestParams::new(name).with_arguments(arguments);
        match self.within(within, self.running.get_prompt(params)).await {
            Ok(result) => convert::of_prompt(result),
            Err(problem) => ToolOutput::error(problem.text),
        }
    }

    /// Ends it in order.
    pub(crate) async fn close(mut self) {
        drop(tokio::time::timeout(Duration::from_secs(2), self.running.close()).await);
    }

    async fn within<T>(
        &self,
        (time, cancel): (Duration, &CancelFlag),
        asking_for: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, Problem> {
        let server = &self.server;
        let problem = |text: String| Problem { text, challenge: None };
        let mut asking = self.handler.asking();
        tokio::select! {
            answer = asking_for => answer.map_err(|error| Problem {
                text: failure(server, &error),
                challenge: error.auth_challenge().map(str::to_owned),
            }),
            () = used_up(time, &mut asking) => Err(problem(format!(
                "`{server}` did not answer within {} s, the most; it may have done it all the same; a person can raise `limits.call`",
                time.as_secs()
            ))),
            // Dropped, a request tells its server that it is not wanted any more.
            () = cancel.cancelled() => Err(problem("the call was cancelled".to_owned())),
        }
    }

    async fn pages<'a, T>(
        &'a self,
        ask: impl Fn(Option<PaginatedRequestParams>) -> BoxFuture<'a, Result<Page<T>, ServiceError>>,
    ) -> Result<Vec<T>, ConnectError> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let page = PaginatedRequestParams::default().with_cursor(cursor.take());
            let asked = ask(page.cursor.is_some().then_some(page)).await;
            let (found, next) = asked.map_err(|error| {
                let server = self.server.clone();
                match error.auth_challenge() {
                    Some(challenge) => {
                        ConnectError::SignIn { server, challenge: challenge.to_owned() }
                    }
                    None => ConnectError::Begin { problem: failure(&server, &error), server },
                }
            })?;
            all.extend(found);
            if all.len() > MOST_LISTED {
                return Err(ConnectError::Endless(self.server.clone()));
            }
            match next {
                None => return Ok(all),
                Some(next) => cursor = Some(next),
            }
        }
        Err(ConnectError::Endless(self.server.clone()))
    }

    async fn in_time<T>(
        &self,
        doing: &'static str,
        listing: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let within = self.patience;
        let slow = || ConnectError::Slow { server: self.server.clone(), doing, within };
        tokio::time::timeout(within, listing).await.map_err(|_| slow())?
    }
}

/// Ends when this time is over. It stands still while a person is asked.
async fn used_up(mut left: Duration, asking: &mut watch::Receiver<usize>) {
    loop {
        if *asking.borrow_and_update() > 0 {
            // Its sender lives as long as the connection.
            drop(asking.changed().await);
            continue;
        }
        let began = Instant::now();
        tokio::select! {
            () = tokio::time::sleep(left) => return,
            changed = asking.changed() => {
                if changed.is_err() {
                    return;
                }
                left = left.saturating_sub(began.elapsed());
            }
        }
    }
}

fn version(protocol: Protocol) -> ProtocolVersion {
    match protocol {
        Protocol::Handshake => ProtocolVersion::V_2025_11_25,
        Protocol::Sessionless => ProtocolVersion::V_2026_07_28,
    }
}

fn lifecycle(protocol: Protocol) -> ClientLifecycleMode {
    match protocol {
        Protocol::Handshake => ClientLifecycleMode::Initialize,
        Protocol::Sessionless => ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        },
    }
}

async fn begun(
    server: &str,
    beginning: impl Future<Output = Result<RunningService<RoleClient, Handler>, ClientInitializeError>>,
    within: Duration,
) -> Result<RunningService<RoleClient, Handler>, ConnectError> {
    let server = server.to_owned();
    match tokio::time::timeout(within, beginning).await {
        Err(_) => Err(ConnectError::Slow { server, doing: "begin", within }),
        Ok(Ok(running)) => Ok(running),
        Ok(Err(error)) => Err(match (error.auth_challenge(), &error) {
            (Some(challenge), _) => {
                ConnectError::SignIn { server, challenge: challenge.to_owned() }
            }
            // The rest of it names types.
            (None, ClientInitializeError::TransportError { error, .. }) => {
                ConnectError::Begin { server, problem: chain(&*error.error) }
            }
            (None, error) => ConnectError::Begin { server, problem: chain(error) },
        }),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().take(500).collect()
}

fn failure(server: &str, error: &ServiceError) -> String {
    if let Some(challenge) = error.auth_challenge() {
        return format!("`{server}` {}", wanted(server, challenge));
    }
    match error {
        ServiceError::McpError(error) => {
            let said: String = error.message.chars().take(1_000).collect();
            format!("`{server}` refused: {said}")
        }
        ServiceError::TransportSend(error) => {
            format!("`{server}` could not be asked: {}", chain(&*error.error))
        }
        ServiceError::TransportClosed => format!("the connection to `{server}` ended"),
        other => format!("`{server}` could not be asked: {}", chain(other)),
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}
