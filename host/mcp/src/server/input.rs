//! Tools that need something of the client before they can answer: a tool says what in a part of
//! the kind `mcp.input-required`, and is called again with what came. To a client of 2026-07-28
//! that is one result and one more request; an older one is asked while it waits.

use super::is_sessionless;
use super::offered::{Offer, RESPONSES, STATE};
use hydroid_core::message::Content;
use hydroid_core::tool::ToolOutput;
use rmcp::model::{
    ClientCapabilities, ClientResult, ErrorCode, InputRequest, InputRequests, InputRequiredResult,
    InputResponses, JsonObject, RequestStateCodec, SealOptions, ServerRequest,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The kind of part in which a tool says what it needs.
const KIND: &str = "mcp.input-required";

/// How often a tool may ask in one call of an older client; more is a tool that never ends.
const MOST_ROUNDS: u32 = 8;

/// Things asked for at once.
const MOST_REQUESTS: usize = 8;

/// How long what a client was handed may be brought back: a person may have to look something up.
const STATE_LASTS: Duration = Duration::from_secs(3600);

/// Seals what a client is handed to bring back, so that it brings back nothing else.
pub(super) struct Seal(RequestStateCodec);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    requests: InputRequests,
    #[serde(default)]
    state: Option<Value>,
}

/// What follows a result.
pub(super) enum Next {
    /// It is the result.
    Done(ToolOutput),
    /// The client has to bring something first.
    Ask(InputRequiredResult),
    /// It was asked, and the tool is called again.
    Again,
}

/// A call with all its rounds.
pub(super) struct Rounds<'a> {
    seal: &'a Seal,
    tool: &'a Offer,
    /// What the client wrote.
    written: JsonObject,
    /// With what it brought.
    arguments: JsonObject,
    round: u32,
}

impl Seal {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(RequestStateCodec::new_unchecked(key))
    }
}

impl<'a> Rounds<'a> {
    pub(super) fn begin(
        seal: &'a Seal,
        tool: &'a Offer,
        written: &JsonObject,
        responses: Option<InputResponses>,
        state: Option<String>,
    ) -> Result<Self, ErrorData> {
        let mut written = written.clone();
        if tool.asks && (written.contains_key(RESPONSES) || written.contains_key(STATE)) {
            let text = format!("`{RESPONSES}` and `{STATE}` are set by the host; leave them out");
            return Err(ErrorData::invalid_params(text, None));
        }
        written.retain(|_, value| !value.is_null() || !tool.asks);
        let arguments = written.clone();
        let mut rounds = Self { seal, tool, written, arguments, round: 0 };
        if tool.asks && (responses.is_some() || state.is_some()) {
            let state = state.map(|sealed| rounds.opened(&sealed)).transpose()?;
            rounds.bring(responses.unwrap_or_default(), state);
        }
        Ok(rounds)
    }

    pub(super) fn arguments(&self) -> &JsonObject {
        &self.arguments
    }

    pub(super) async fn next(
        &mut self,
        output: ToolOutput,
        context: &RequestContext<RoleServer>,
    ) -> Result<Next, ErrorData> {
        let wanted = output.content.iter().find_map(|content| match content {
            Content::Other { kind, json } if kind == KIND => Some(json),
            _ => None,
        });
        let Some(wanted) = wanted.filter(|_| self.tool.asks && !output.is_error) else {
            return Ok(Next::Done(output));
        };
        let wanted: Wanted = serde_json::from_str(wanted).map_err(|error| {
            ErrorData::internal_error(
                format!(
                    "`{}` asked for something that cannot be asked: {error}",
                    self.tool.spec.name
                ),
                None,
            )
        })?;
        if wanted.requests.len() > MOST_REQUESTS {
            let text =
                format!("`{}` asked for more than {MOST_REQUESTS} things", self.tool.spec.name);
            return Err(ErrorData::internal_error(text, None));
        }
        let requests = able(wanted.requests, context)?;
        if is_sessionless(context) {
            let state = wanted.state.map(|state| self.sealed(&state)).transpose()?;
            return Ok(Next::Ask(InputRequiredResult::new(Some(requests), state)));
        }
        self.round += 1;
        if self.round > MOST_ROUNDS {
            let text =
                format!("`{}` asked {MOST_ROUNDS} times and gave no result", self.tool.spec.name);
            return Err(ErrorData::internal_error(text, None));
        }
        let mut responses = InputResponses::new();
        for (name, request) in requests {
            responses.insert(name, asked(request, context).await?);
        }
        self.bring(responses, wanted.state);
        Ok(Next::Again)
    }

    fn bring(&mut self, responses: InputResponses, state: Option<Value>) {
        self.arguments = self.written.clone();
        let responses = responses.into_iter().collect();
        self.arguments.insert(RESPONSES.to_owned(), Value::Object(responses));
        if let Some(state) = state {
            self.arguments.insert(STATE.to_owned(), state);
        }
    }

    /// What the seal holds beside the state: it is of this tool and these arguments.
    fn bound(&self) -> Vec<u8> {
        let written = Value::Object(self.written.clone());
        serde_json::json!([self.tool.spec.name, self.tool.spec.component, written])
            .to_string()
            .into_bytes()
    }

    fn sealed(&self, state: &Value) -> Result<String, ErrorData> {
        let bound = self.bound();
        let options = SealOptions::new().associated_data(&bound).ttl(STATE_LASTS);
        self.seal
            .0
            .seal_json_with(state, &options)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    fn opened(&self, sealed: &str) -> Result<Value, ErrorData> {
        self.seal.0.open_json_with(sealed, &self.bound()).map_err(|_| {
            ErrorData::invalid_params(
                "`requestState` is not one of this server for this call, or it is too old",
                None,
            )
        })
    }
}

/// What of the requests the client said it can do; an error if that is none of them.
fn able(
    requests: InputRequests,
    context: &RequestContext<RoleServer>,
) -> Result<InputRequests, ErrorData> {
    let has = context.client_capabilities().unwrap_or_default();
    let mut lacks = ClientCapabilities::default();
    let mut able = InputRequests::new();
    for (name, request) in requests {
        match request {
            InputRequest::CreateMessage(_) if has.sampling.is_none() => {
                lacks.sampling = Some(Default::default());
            }
            InputRequest::Elicitation(_) if has.elicitation.is_none() => {
                lacks.elicitation = Some(Default::default());
            }
            InputRequest::ListRoots(_) if has.roots.is_none() => {
                lacks.roots = Some(Default::default());
            }
            request => {
                able.insert(name, request);
            }
        }
    }
    if able.is_empty() && lacks != ClientCapabilities::default() {
        return Err(ErrorData::missing_required_client_capability(lacks));
    }
    Ok(able)
}

async fn asked(
    request: InputRequest,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    let request = match request {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => {
            let text = "this cannot be asked of a client";
            return Err(ErrorData::new(ErrorCode::INTERNAL_ERROR, text, None));
        }
    };
    let answer = tokio::select! {
        answer = context.peer.send_request(request) => answer,
        () = context.ct.cancelled() => {
            return Err(ErrorData::internal_error("the call was cancelled", None));
        }
    };
    let answer: ClientResult = answer.map_err(|error| {
        ErrorData::internal_error(format!("the client did not answer: {error}"), None)
    })?;
    serde_json::to_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
