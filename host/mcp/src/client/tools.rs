//! [`Tools`] over the servers a person added, and over them and the components together. A model
//! is offered what was allowed; the connection is made when a tool is called.

use super::book::{Place, Server};
use super::connection::{About, ConnectError, Connection, Protocol};
use super::convert;
use super::handler::Answerer;
use super::pinned::{Pinned, READERS, tool_name};
use super::process::{self, DigestOf, Variable};
use super::questions::{self, Questions};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::arguments;
use hydroid_core::config::did_you_mean;
use hydroid_core::id::ComponentId;
use hydroid_core::message::Origin;
use hydroid_core::policy::resource::resources;
use hydroid_core::ports::{CallContext, Remotes, Tools};
use hydroid_core::tool::{
    CheckedCall, Impact, Preview, Reach, Resource, ResourceKind, ToolCall, ToolDetails, ToolOutput,
    ToolSpec,
};
use rmcp::model::JsonObject;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Says what of arguments does not fit a schema, once it was read.
pub type Compile = Arc<
    dyn Fn(&Value) -> Result<Box<dyn Fn(&Value) -> Vec<String> + Send + Sync>, String>
        + Send
        + Sync,
>;

/// What the client needs from the host.
#[derive(Clone)]
pub struct ClientParts {
    /// The servers as they are now, each with what was allowed of it.
    pub servers: Arc<dyn Fn() -> BTreeMap<String, (Server, Pinned)> + Send + Sync>,
    /// The way to those that are elsewhere.
    pub remotes: Arc<dyn Remotes>,
    /// Reads the digest of a file.
    pub digest_of: DigestOf,
    /// Reads a variable of the environment.
    pub variable: Variable,
    /// Reads a schema.
    pub compile: Compile,
    /// Who answers what a server asks.
    pub answerer: Arc<dyn Answerer>,
    /// How long a call may take.
    pub call_time: Duration,
    /// Bytes of a message.
    pub largest: usize,
    /// Bytes of a result.
    pub output: usize,
}

type Connections = BTreeMap<String, Arc<tokio::sync::Mutex<Slot>>>;

/// The connection to a server, and to what it was made.
#[derive(Default)]
struct Slot {
    made_to: Option<Server>,
    connection: Option<Arc<Connection>>,
}

/// The tools of all servers.
#[derive(Clone)]
pub struct ServerTools {
    parts: ClientParts,
    connections: Arc<Mutex<Connections>>,
    questions: Questions,
}

/// A tool as a model may call it.
enum Meant<'a> {
    /// One of the server.
    Tool(&'a str),
    /// One of ours, by which prompts and resources are read.
    Reader(&'static str),
}

impl ServerTools {
    /// Of these parts.
    pub fn new(parts: ClientParts) -> Self {
        Self { parts, connections: Arc::default(), questions: Questions::default() }
    }

    /// Connects to a server and says what it is and offers now, whatever was allowed.
    pub async fn look_at(
        &self,
        name: &str,
        server: &Server,
    ) -> Result<(About, Pinned), ConnectError> {
        let connection = self.reach(name, server).await?;
        let pinned = connection.pinned(&server.only).await;
        let about = connection.about();
        connection.close().await;
        Ok((about, pinned?))
    }

    /// Connects, lists and calls on a person's own account, whatever was allowed of the tools.
    pub async fn try_out(
        &self,
        name: &str,
        server: &Server,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ConnectError> {
        let connection = self.reach(name, server).await?;
        drop(connection.tools().await?);
        let never = hydroid_core::ports::CancelFlag::default();
        let within = (self.parts.call_time, &never);
        let output = connection.call_or_sign_in(tool, arguments, within).await;
        connection.close().await;
        output
    }

    /// Connects and calls every tool with arguments that `made` makes of its name and schema, for suites
    /// that look at what a client does.
    pub async fn drive(
        &self,
        name: &str,
        server: &Server,
        protocol: Protocol,
        made: impl Fn(&str, &Value) -> JsonObject,
    ) -> Result<Vec<ToolOutput>, ConnectError> {
        let connection = self.connect(name, server, protocol).await?;
        let never = hydroid_core::ports::CancelFlag::default();
        let mut outputs = Vec::new();
        for tool in connection.tools().await? {
            let schema = Value::Object((*tool.input_schema).clone());
            let within = (self.parts.call_time, &never);
            let arguments = made(&tool.name, &schema);
            outputs.push(connection.call_or_sign_in(&tool.name, arguments, within).await?);
        }
        connection.close().await;
        Ok(outputs)
    }

    /// Connects in the way the server knows.
    async fn reach(&self, name: &str, server: &Server) -> Result<Connection, ConnectError> {
        match self.connect(name, server, Protocol::Handshake).await {
            // One that knows no handshake is of the protocol without sessions.
            Err(ConnectError::Begin { .. }) => {
                self.connect(name, server, Protocol::Sessionless).await
            }
            other => other,
        }
    }

    async fn connect(
        &self,
        name: &str,
        server: &Server,
        protocol: Protocol,
    ) -> Result<Connection, ConnectError> {
        let parts = &self.parts;
        let asked = (Arc::clone(&parts.answerer), self.questions.clone());
        let how = (protocol, parts.call_time);
        match &server.place {
            Place::Http { url, .. } => {
                let remotes = Arc::clone(&parts.remotes);
                Connection::through(name, url, remotes, parts.largest, asked, how).await
            }
            Place::Stdio { command, files, env } => {
                let started =
                    process::start(name, command, files, env, &parts.digest_of, &parts.variable)
                        .map_err(ConnectError::Start)?;
                Connection::with_program(name, started, parts.largest, asked, how).await
            }
        }
    }

    /// A connection to a server that says of its tools what a person allowed.
    async fn connected(&self, name: &str) -> Result<Arc<Connection>, String> {
        let slot = {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(connections.entry(name.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        let Some((server, _)) = (self.parts.servers)().remove(name) else {
            *slot = Slot::default();
            return Err(format!("the server `{name}` was removed since the tool was asked for"));
        };
        let is_that = slot.made_to.as_ref() == Some(&server);
        if let Some(known) = slot.connection.clone().filter(|known| is_that && !known.is_over()) {
            // What it says must be what was allowed, or the connection is not used again.
            if !known.takes_change() || self.same(name, &server, &known).await.is_ok() {
                return Ok(known);
            }
        }
        *slot = Slot::default();
        let connection = self.reach(name, &server).await.map_err(|error| error.to_string())?;
        let connection = Arc::new(connection);
        self.same(name, &server, &connection).await?;
        *slot = Slot { made_to: Some(server), connection: Some(Arc::clone(&connection)) };
        Ok(connection)
    }

    async fn same(
        &self,
        name: &str,
        server: &Server,
        connection: &Connection,
    ) -> Result<(), String> {
        let now = connection.pinned(&server.only).await.map_err(|error| error.to_string())?;
        if now.digest() == server.tools {
            return Ok(());
        }
        Err(format!(
            "the server `{name}` says other things of its tools than when it was allowed, so nothing was called; a person can see what with `hydroid mcp show {name} --changes`, and allow it with `hydroid mcp allow {name}`"
        ))
    }

    fn found<R>(
        &self,
        tool: &str,
        with: impl FnOnce(&str, &Server, &Pinned, Meant<'_>) -> R,
    ) -> Option<R> {
        let (name, _) = tool.strip_prefix("mcp_")?.split_once('_')?;
        let mut servers = (self.parts.servers)();
        let (server, pinned) = servers.remove(name)?;
        let meant = meant(name, &pinned, tool)?;
        Some(with(name, &server, &pinned, meant))
    }
}

fn meant<'a>(server: &str, pinned: &'a Pinned, tool: &str) -> Option<Meant<'a>> {
    let own = pinned.tools.iter().find(|its| tool_name(server, &its.name) == tool);
    if let Some(own) = own {
        return Some(Meant::Tool(&own.name));
    }
    let reader = readers(pinned).find(|(name, _)| tool_name(server, name) == tool);
    reader.map(|(name, _)| Meant::Reader(name))
}

/// Which of our own tools a server gives reason for.
fn readers(pinned: &Pinned) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (prompts, resources) = (pinned.prompts, pinned.resources);
    READERS
        .into_iter()
        .filter(move |(_, of)| if of.starts_with("prompt") { prompts } else { resources })
}

fn reader_about(reader: &str, server: &str) -> (String, Value) {
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    match reader {
        "prompt_get" => (
            format!(
                "Gets a prompt of the MCP server {server}: messages somebody prepared for a task."
            ),
            object(
                json!({
                    "name": { "type": "string", "description": "name, as the list has it" },
                    "arguments": {
                        "type": "object",
                        "description": "its arguments",
                        "additionalProperties": { "type": "string" },
                    },
                }),
                &["name"],
            ),
        ),
        "prompts_list" => {
            (format!("Lists the prompts of the MCP server {server}."), object(json!({}), &[]))
        }
        "resource_read" => (
            format!("Reads a resource of the MCP server {server}."),
            object(
                json!({ "uri": { "type": "string", "description": "address, as the list has it" } }),
                &["uri"],
            ),
        ),
        _ => (format!("Lists the resources of the MCP server {server}."), object(json!({}), &[])),
    }
}

pub(super) fn component(server: &str) -> ComponentId {
    ComponentId::new(format!("mcp-{server}"))
}

impl Tools for ServerTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = Vec::new();
        for (server, (_, pinned)) in (self.parts.servers)() {
            for tool in &pinned.tools {
                specs.push(ToolSpec {
                    name: tool_name(&server, &tool.name),
                    title: tool.title.clone(),
                    description: tool.description.clone(),
                    input_schema: tool.input_schema.clone(),
                    component: component(&server),
                    impact: Impact::Changes,
                    claims_read_only: false,
                    about_skills: false,
                });
            }
            for (reader, _) in readers(&pinned) {
                let (description, input_schema) = reader_about(reader, &server);
                specs.push(ToolSpec {
                    name: tool_name(&server, reader),
                    title: None,
                    description,
                    input_schema,
                    component: component(&server),
                    impact: Impact::Network,
                    claims_read_only: true,
                    about_skills: false,
                });
            }
        }
        specs.sort_by(|one, other| one.name.cmp(&other.name));
        specs
    }

    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String> {
        if call.name == questions::TOOL {
            return self.questions.check(call, &self.parts.compile);
        }
        let text = arguments::normalise(&call.arguments)?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| format!("the arguments are not JSON: {error}"))?;
        let checked = self.found(&call.name, |name, server, pinned, meant| {
            let (schema, impact) = match meant {
                Meant::Tool(tool) => {
                    let tool = pinned.tools.iter().find(|its| its.name == tool);
                    (tool.map(|its| its.input_schema.clone()).unwrap_or_default(), Impact::Changes)
                }
                Meant::Reader(reader) => (reader_about(reader, name).1, Impact::Network),
            };
            let problems = (self.parts.compile)(&schema).map_err(|problem| {
                format!(
                    "the server `{name}` says of `{}` what is no JSON Schema, so it cannot be called: {problem}",
                    call.name
                )
            })?(&value);
            if !problems.is_empty() {
                return Err(format!(
                    "the arguments of `{}` do not fit its schema: {}; its schema is {schema}",
                    call.name,
                    problems.join("; ")
                ));
            }
            let mut found = resources(&schema, &value);
            let mut origin = Origin::Unknown;
            if let Place::Http { url, .. } = &server.place {
                // Whatever the arguments say, this is where they go.
                found.push(Resource {
                    kind: ResourceKind::Url,
                    text: url.clone(),
                    argument: String::new(),
                    declared: true,
                });
                origin = Origin::Host { host: host_of(url) };
            }
            Ok(CheckedCall {
                call: ToolCall { id: call.id.clone(), name: call.name.clone(), arguments: text },
                component: component(name),
                impact,
                resources: found,
                origin,
                // It may ask its person something, which is a call of its own.
                reach: Reach { calls_tools: true, ..Reach::default() },
                hooked: None,
                preview: None,
                parent: None,
            })
        });
        checked.unwrap_or_else(|| {
            let shown: String = call.name.chars().take(64).collect();
            Err(format!("there is no tool `{shown}`"))
        })
    }

    fn preview(&self, call: CheckedCall, _: CallContext) -> BoxFuture<'_, Option<Preview>> {
        let bytes = call.call.arguments.len() as u64;
        let host = match call.origin {
            Origin::Host { host } => host,
            _ => None,
        };
        std::future::ready(host.map(|host| Preview::Send { host, bytes })).boxed()
    }

    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput> {
        async move {
            if call.call.name == questions::TOOL {
                return self.questions.run(&call, &self.parts.compile);
            }
            if call.parent.is_some() {
                return ToolOutput::error("not run: no component calls a tool of a server");
            }
            let found = self.found(&call.call.name, |name, _, pinned, meant| {
                let meant = match meant {
                    Meant::Tool(tool) => {
                        let own = pinned.tools.iter().find(|its| its.name == tool);
                        Err((tool.to_owned(), own.and_then(|own| own.output_schema.clone())))
                    }
                    Meant::Reader(reader) => Ok(reader),
                };
                (name.to_owned(), meant)
            });
            let Some((server, meant)) = found.filter(|(name, _)| component(name) == call.component)
            else {
                return ToolOutput::error(format!(
                    "the tool `{}` was removed since it was asked for",
                    call.call.name
                ));
            };
            let arguments = match serde_json::from_str(&call.call.arguments) {
                Ok(Value::Object(arguments)) => arguments,
                Ok(_) | Err(_) => return ToolOutput::error("the arguments are no object"),
            };
            let promise = match &meant {
                Err((_, Some(schema))) => match (self.parts.compile)(schema) {
                    Ok(promise) => Some(promise),
                    Err(problem) => {
                        return ToolOutput::error(format!(
                            "the server `{server}` says of the data of `{}` what is no JSON Schema, so it cannot be called: {problem}",
                            call.call.name
                        ));
                    }
                },
                Err((_, None)) | Ok(_) => None,
            };
            let within = (self.parts.call_time, &context.cancel);
            let connecting = self.connected(&server);
            let connected = tokio::select! {
                connected = connecting => connected,
                () = context.cancel.cancelled() => Err("the call was cancelled".to_owned()),
            };
            let connection = match connected {
                Ok(connection) => connection,
                Err(problem) => return ToolOutput::error(problem),
            };
            let output = match meant {
                Err((tool, _)) => {
                    let (time, promise) = (self.parts.call_time, promise.as_ref());
                    connection.call(&tool, arguments, &context, time, promise).await
                }
                Ok(reader) => read(&connection, reader, &arguments, within).await,
            };
            convert::within(output, &server, self.parts.output)
        }
        .boxed()
    }
}

async fn read(
    connection: &Connection,
    reader: &str,
    arguments: &JsonObject,
    within: (Duration, &hydroid_core::ports::CancelFlag),
) -> ToolOutput {
    let text = |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or_default();
    let failed = |error: ConnectError| ToolOutput::error(error.to_string());
    match reader {
        "prompt_get" => {
            let given = arguments.get("arguments").and_then(Value::as_object).cloned();
            connection.prompt(text("name"), given.unwrap_or_default(), within).await
        }
        "prompts_list" => {
            connection.prompts().await.map_or_else(failed, |listed| convert::prompts(&listed))
        }
        "resource_read" => connection.read(text("uri"), within).await,
        _ => connection.resources().await.map_or_else(failed, |listed| convert::resources(&listed)),
    }
}

fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.host().map(str::to_owned)
}

/// The tools of components and of servers, together. A name that both have is the component's:
/// it came with a grant, and the other is refused.
pub struct WithServers {
    components: Arc<dyn Tools>,
    servers: ServerTools,
}

impl WithServers {
    /// Both together.
    pub fn new(components: Arc<dyn Tools>, servers: ServerTools) -> Self {
        Self { components, servers }
    }

    fn is_of_a_server(&self, tool: &str) -> bool {
        let is_question = tool == questions::TOOL && self.servers.questions.wait();
        (is_question || self.servers.found(tool, |_, _, _, _| ()).is_some())
            && !self.components.specs().iter().any(|spec| spec.name == tool)
    }

    fn is_server(component: &ComponentId) -> bool {
        component.as_str().starts_with("mcp-")
    }
}

impl Tools for WithServers {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = self.components.specs();
        for spec in self.servers.specs() {
            if specs.iter().any(|known| known.name == spec.name) {
                tracing::warn!(tool = %spec.name, server = %spec.component, "a tool of a server is not offered: a component has one of that name");
                continue;
            }
            specs.push(spec);
        }
        specs.sort_by(|one, other| one.name.cmp(&other.name));
        specs
    }

    fn details(&self, name: &str) -> Option<ToolDetails> {
        if self.is_of_a_server(name) { None } else { self.components.details(name) }
    }

    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String> {
        if self.is_of_a_server(&call.name) {
            return self.servers.check(call);
        }
        self.components.check(call).map_err(|problem| {
            // What is missing may be one of a server; the components cannot say so.
            let names: Vec<String> = self.servers.specs().into_iter().map(|its| its.name).collect();
            let hint = did_you_mean(&call.name, names.iter().map(String::as_str));
            if problem.starts_with("there is no tool") {
                format!("{problem}{hint}")
            } else {
                problem
            }
        })
    }

    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput> {
        if Self::is_server(&call.component) && self.is_of_a_server(&call.call.name) {
            self.servers.run(call, context)
        } else {
            self.components.run(call, context)
        }
    }

    fn preview(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, Option<Preview>> {
        if Self::is_server(&call.component) && self.is_of_a_server(&call.call.name) {
            self.servers.preview(call, context)
        } else {
            self.components.preview(call, context)
        }
    }
}

impl std::fmt::Debug for ServerTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTools").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ClientParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientParts").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WithServers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithServers").finish_non_exhaustive()
    }
}
