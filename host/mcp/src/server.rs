//! The server: what components offer, for any client of the protocol. Each client has a session
//! of its own, and a call of it goes the way of a call in a turn, behind [`Callers`].

mod input;
mod lines;
mod offered;
mod results;
mod watch;

use hydroid_core::ports::{AskedCall, Caller, Callers, CancelFlag};
use hydroid_core::tool::ToolOutput;
use input::{Next, Rounds};
use lines::Lines;
use offered::{Offer, Offered};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CompletionInfo,
    ErrorCode, GetPromptRequestParams, GetPromptResponse, Implementation, InputRequiredResult,
    InputResponses, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, LoggingLevel, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, Reference, ServerCapabilities, ServerConfig,
    SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use watch::Watch;

/// How often is looked whether other tools are there. A person who installs one waits no longer.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// How long a call goes on whose client is gone. One that closes its side right after it asked is
/// answered; most clients kill a server that is still there after two seconds.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// How long the server of a client is still there that is gone, whatever does not end.
const AT_LAST: Duration = Duration::from_secs(3);

/// Resources one client may watch; each costs a name.
const MOST_WATCHED: usize = 1_000;

/// Answers that are offered to complete an argument, as the protocol has it at the most.
const MOST_COMPLETIONS: usize = CompletionInfo::MAX_VALUES;

/// Where a request says how much it wants to be told, since there are no sessions.
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// What a client is told it speaks to.
const INSTRUCTIONS: &str = "Each tool is a WebAssembly component in a sandbox that can do only what its person granted it. A refusal is final: it names what a person could allow, and trying again changes nothing.";

/// The server over HTTP.
pub type HttpService = StreamableHttpService<Offering, LocalSessionManager>;

/// How it serves.
#[derive(Clone, Copy, Debug)]
pub struct ServeSettings {
    /// A person sits behind the client, who answers what is asked.
    pub asks: bool,
    /// Largest message in bytes.
    pub largest: usize,
}

/// The server of one client.
pub struct Offering {
    shared: Arc<Shared>,
    /// This client's session, once it called something.
    caller: OnceCell<Arc<dyn Caller>>,
    level: Arc<Mutex<LoggingLevel>>,
    watched: Mutex<BTreeSet<String>>,
    /// The client's side of its stream is closed.
    gone: CancelFlag,
}

/// What all clients share.
struct Shared {
    callers: Arc<dyn Callers>,
    settings: ServeSettings,
    /// The session of those who have none: requests of the protocol that knows no sessions.
    sessionless: OnceCell<Arc<dyn Caller>>,
    seal: input::Seal,
}

impl Offering {
    /// Offers what these let in. The key seals what a client is handed to bring back.
    pub fn new(callers: Arc<dyn Callers>, settings: ServeSettings, key: [u8; 32]) -> Self {
        let seal = input::Seal::new(key);
        let shared = Shared { callers, settings, sessionless: OnceCell::new(), seal };
        Self::of(Arc::new(shared))
    }

    fn of(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            caller: OnceCell::new(),
            level: Arc::new(Mutex::new(LoggingLevel::Info)),
            watched: Mutex::default(),
            gone: CancelFlag::default(),
        }
    }

    /// Serves one client over its input and output until it goes.
    pub async fn serve_streams<R, W>(self, read: R, write: W) -> Result<(), String>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let largest = self.shared.settings.largest;
        let gone = self.gone.clone();
        let transport = Lines::of(read, write, largest, gone.clone());
        let running = match self.serve(transport).await {
            Ok(running) => running,
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        tokio::select! {
            ended = running.waiting() => ended.map(drop).map_err(|error| error.to_string()),
            () = past(&gone, AT_LAST) => Ok(()),
        }
    }

    /// The same as a service of HTTP, a session for each client. Whose requests reach it is
    /// checked before.
    pub fn http(self) -> HttpService {
        let config = StreamableHttpServerConfig::default()
            // The listener in front knows its names and the pages it trusts.
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(self.shared.settings.largest);
        let shared = Arc::clone(&self.shared);
        StreamableHttpService::new(
            move || Ok(Self::of(Arc::clone(&shared))),
            Arc::new(LocalSessionManager::default()),
            config,
        )
    }

    fn offered(&self) -> Offered {
        Offered::of(&*self.shared.callers)
    }

    async fn caller(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<&Arc<dyn Caller>, ErrorData> {
        let client = context.client_info().map_or_else(|| "a program".to_owned(), |its| its.name);
        let place = if is_sessionless(context) { &self.shared.sessionless } else { &self.caller };
        place
            .get_or_try_init(|| self.shared.callers.enter(&client))
            .await
            .map_err(|problem| ErrorData::internal_error(problem, None))
    }

    /// Calls a tool until it has a result or the client has to bring something first. What it
    /// brought already is its answers and the state it was given.
    async fn rounds(
        &self,
        tool: &Offer,
        arguments: &JsonObject,
        (answers, state): (Option<InputResponses>, Option<String>),
        context: &RequestContext<RoleServer>,
    ) -> Result<Ended, ErrorData> {
        let mut rounds = Rounds::begin(&self.shared.seal, tool, arguments, answers, state)?;
        loop {
            let output = self.run(&tool.spec.name, rounds.arguments(), context).await?;
            let next = tokio::select! {
                // What needs nobody is not lost with the client.
                biased;
                next = rounds.next(output, context) => next?,
                () = self.gone.cancelled() => return Err(nobody()),
            };
            match next {
                Next::Done(output) => return Ok(Ended::Done(output)),
                Next::Ask(wanted) => return Ok(Ended::Ask(wanted)),
                Next::Again => {}
            }
        }
    }

    /// Runs a call for a client. The error is one of the protocol: the call was never decided on.
    async fn run(
        &self,
        tool: &str,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<ToolOutput, ErrorData> {
        let caller = self.caller(context).await?;
        let cancel = CancelFlag::default();
        let asked = AskedCall {
            name: tool.to_owned(),
            arguments: serde_json::Value::Object(arguments.clone()).to_string(),
            cancel: cancel.clone(),
        };
        let asks = self.shared.settings.asks && !is_sessionless(context);
        let level = if is_sessionless(context) { wished(context) } else { Arc::clone(&self.level) };
        let watch = Watch::new(context, tool, asks, level);
        let told = watch.tell();
        let calling = caller.call(asked, Arc::new(watch));
        tokio::pin!(calling);
        let ran = tokio::select! {
            biased;
            ran = &mut calling => ran,
            () = context.ct.cancelled() => {
                cancel.cancel();
                calling.await
            }
            () = past(&self.gone, LEFT_BEHIND) => {
                cancel.cancel();
                calling.await
            }
        };
        // What was told of it comes before its result.
        told.await;
        ran.map_err(|problem| ErrorData::internal_error(problem, None))
    }
}

/// Ends so long after the client is gone.
async fn past(gone: &CancelFlag, time: Duration) {
    gone.cancelled().await;
    tokio::time::sleep(time).await;
}

/// There is nobody to ask any more.
fn nobody() -> ErrorData {
    ErrorData::internal_error("the client is gone", None)
}

/// How the rounds of a call end.
enum Ended {
    /// With its result.
    Done(ToolOutput),
    /// With what the client has to bring before it goes on.
    Ask(InputRequiredResult),
}

/// The protocol has no sessions since 2026-07-28; what a client read is kept for all of them.
fn is_sessionless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// The level of log messages that a request itself wishes; it is told none if it wishes none.
fn wished(context: &RequestContext<RoleServer>) -> Arc<Mutex<LoggingLevel>> {
    let level = context.meta.get(LOG_LEVEL).cloned();
    let level = level.and_then(|level| serde_json::from_value(level).ok());
    Arc::new(Mutex::new(level.unwrap_or(LoggingLevel::Emergency)))
}

fn unknown(kind: &str, name: &str) -> ErrorData {
    let shown: String = name.chars().take(64).collect();
    ErrorData::invalid_params(format!("there is no {kind} `{shown}`"), None)
}

impl ServerHandler for Offering {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let version = env!("CARGO_PKG_VERSION");
        let implementation = Implementation::new("hydroid", version).with_title("Hydroid");
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered().tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.offered().tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let offered = self.offered();
        let tool = offered.tool(&request.name).ok_or_else(|| unknown("tool", &request.name))?;
        let arguments = request.arguments.unwrap_or_default();
        let brought = (request.input_responses, request.request_state);
        Ok(match self.rounds(tool, &arguments, brought, &context).await? {
            Ended::Done(output) => results::of_call(output, tool.promises_data()).into(),
            Ended::Ask(wanted) => wanted.into(),
        })
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(self.offered().prompts()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let offered = self.offered();
        let tool = offered.prompt(&request.name).ok_or_else(|| unknown("prompt", &request.name))?;
        let arguments = request.arguments.unwrap_or_default();
        let brought = (request.input_responses, request.request_state);
        Ok(match self.rounds(tool, &arguments, brought, &context).await? {
            Ended::Done(output) => {
                let description = Some(tool.spec.description.clone());
                results::of_prompt(output, description)?.into()
            }
            Ended::Ask(wanted) => wanted.into(),
        })
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(self.offered().resources()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(self.offered().templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let offered = self.offered();
        let found = offered.resource(&request.uri).ok_or_else(|| no_resource(&request.uri))?;
        let output = self.run(&found.tool.spec.name, &found.arguments, &context).await?;
        Ok(results::of_resource(output, &request.uri, found.media_type)?.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if self.offered().resource(&request.uri).is_none() {
            return Err(no_resource(&request.uri));
        }
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= MOST_WATCHED {
            let text = format!("{MOST_WATCHED} resources are watched already, the most");
            return Err(ErrorData::new(ErrorCode::INVALID_REQUEST, text, None));
        }
        watched.insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.uri);
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let offered = self.offered();
        let values = match &request.r#ref {
            Reference::Prompt(prompt) => {
                let tool = offered.prompt(&prompt.name);
                let tool = tool.ok_or_else(|| unknown("prompt", &prompt.name))?;
                tool.completions(&request.argument.name, &request.argument.value)
            }
            Reference::Resource(resource) => {
                let tool = offered.template(&resource.uri);
                let tool = tool.ok_or_else(|| no_resource(&resource.uri))?;
                tool.completions(&request.argument.name, &request.argument.value)
            }
            _ => Vec::new(),
        };
        let total = values.len();
        let shown = values.into_iter().take(MOST_COMPLETIONS).collect();
        let info = CompletionInfo::with_pagination(
            shown,
            u32::try_from(total).ok(),
            total > MOST_COMPLETIONS,
        );
        info.map(CompleteResult::new).map_err(|problem| ErrorData::internal_error(problem, None))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    /// Tells a client of other tools for as long as it is there.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let (shared, peer) = (Arc::clone(&self.shared), context.peer);
        tokio::spawn(async move {
            let mut known = Offered::of(&*shared.callers).digest();
            loop {
                tokio::time::sleep(LOOKED_AT).await;
                if peer.is_transport_closed() {
                    return;
                }
                let now = Offered::of(&*shared.callers).digest();
                if now != known {
                    known = now;
                    let told = peer.notify_tool_list_changed().await.is_ok()
                        && peer.notify_prompt_list_changed().await.is_ok()
                        && peer.notify_resource_list_changed().await.is_ok();
                    if !told {
                        return;
                    }
                }
            }
        });
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let accepted = context.accepted().clone();
        let mut known = self.offered().digest();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                () = self.gone.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOKED_AT) => {}
            }
            let now = self.offered().digest();
            if now == known {
                continue;
            }
            known = now;
            let sink = context.sink();
            let on = |wanted: Option<bool>| wanted == Some(true);
            if on(accepted.tools_list_changed) && sink.notify_tool_list_changed().await.is_err() {
                return Ok(());
            }
            if on(accepted.prompts_list_changed) && sink.notify_prompt_list_changed().await.is_err()
            {
                return Ok(());
            }
            if on(accepted.resources_list_changed)
                && sink.notify_resource_list_changed().await.is_err()
            {
                return Ok(());
            }
        }
    }
}

fn no_resource(uri: &str) -> ErrorData {
    let shown: String = uri.chars().take(256).collect();
    let data = serde_json::json!({ "uri": shown });
    ErrorData::resource_not_found(format!("there is no resource `{shown}`"), Some(data))
}

impl std::fmt::Debug for Offering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offering").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
