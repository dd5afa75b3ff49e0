//! The channel role, as far as it is tried out: one call of a channel component, with an inbox that
//! answers as it was told. No host runs channels yet; who may speak, what is kept and how often is
//! asked for more is not decided here.

use crate::bindings::channels::exports::hydroid::channel::channel as wit;
use crate::bindings::channels::hydroid::channel::inbox::Inbound;
use crate::bindings::core::types::Part;
use crate::catalog::Catalog;
use crate::component::{Loaded, Pre};
use crate::convert;
use crate::trap::{self, Cause};
use hydroid_core::message::Content;
use hydroid_core::ports::CallContext;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Messages that an inbox keeps; one that gets more is flooded.
const MOST_KEPT: usize = 10_000;

/// What a channel is asked.
#[derive(Clone, Debug)]
pub enum ChannelCall {
    /// What it is.
    Start,
    /// To hand in what came after this cursor.
    Poll(Option<String>),
    /// To take a request of the service.
    Webhook {
        /// Method.
        method: String,
        /// Body.
        body: Vec<u8>,
        /// The host checked the secret or signature.
        verified: bool,
    },
    /// To send texts and whatever else into a conversation.
    Send(Vec<Content>),
    /// To change what it sent.
    Edit(String, Vec<Content>),
    /// To do something else by its name.
    Action(String),
}

/// What it answered.
#[derive(Clone, Debug)]
pub enum ChannelAnswer {
    /// What it is.
    Started(ChannelDescription),
    /// Where it goes on from.
    Cursor(Option<String>),
    /// The status of its answer to a request.
    Response(u16),
    /// The identifier of what it sent.
    Sent(String),
    /// Nothing but that it is done.
    Done,
}

/// What a channel says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelDescription {
    /// Name of the account.
    pub name: String,
    /// Longest text, in characters.
    pub max_text: u32,
    /// It fetches messages itself.
    pub polls: bool,
    /// The service calls it.
    pub is_called: bool,
    /// It changes what it sent.
    pub edits: bool,
    /// Settings beyond these, which have to be a JSON object.
    pub options_json: Option<String>,
}

/// Why it did not answer.
#[derive(Clone, Debug)]
pub enum ChannelFailure {
    /// It says why: the kind in the contract's words, and a sentence.
    Said {
        /// Kind, such as `unsupported`.
        kind: &'static str,
        /// Why.
        message: String,
    },
    /// It was stopped, or broke a rule.
    Broke(String),
}

/// A message it handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Identifier at the service.
    pub id: String,
    /// Conversation.
    pub conversation: String,
    /// Sender.
    pub sender: String,
    /// Seconds since 1970-01-01 UTC.
    pub sent_s: u32,
    /// Its texts.
    pub text: String,
    /// Further fields, which have to be a JSON object.
    pub details_json: Option<String>,
}

/// What an inbox says to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taken {
    /// It is kept.
    #[default]
    Kept,
    /// The sender may not speak.
    Denied,
    /// It cannot be kept now.
    Failed,
}

/// An inbox that says the same to every message.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    says: Taken,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Inbox {
    /// An inbox that says this.
    pub fn that_says(says: Taken) -> Self {
        Self { says, received: Arc::default() }
    }

    /// What was handed in so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn hand_in(&self, message: Received) -> Taken {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        if received.len() >= MOST_KEPT {
            return Taken::Failed;
        }
        received.push(message);
        self.says
    }
}

impl From<Inbound> for Received {
    fn from(message: Inbound) -> Self {
        let texts = message.parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Blob(_) | Part::Json(_) | Part::Link(_) | Part::Other(_) => None,
        });
        Self {
            id: message.id,
            conversation: message.conversation,
            sender: message.sender,
            sent_s: message.sent_s,
            text: texts.collect::<Vec<_>>().join("\n"),
            details_json: message.details_json,
        }
    }
}

impl Catalog {
    /// Makes one call of a channel in a fresh instance.
    pub async fn try_channel(
        &self,
        loaded: &Loaded,
        call: ChannelCall,
        inbox: &Inbox,
        context: CallContext,
    ) -> Result<ChannelAnswer, ChannelFailure> {
        let Pre::Channel(pre) = &loaded.pre else {
            return Err(ChannelFailure::Broke(format!("`{}` is no channel", loaded.name())));
        };
        let time = loaded.limits().call;
        let deadline = Instant::now() + time;
        let mut store = loaded.store(context, time).map_err(|error| {
            ChannelFailure::Broke(format!("it could not be started: {error:#}"))
        })?;
        // It hands messages in while it is asked for them, and at no other time.
        if matches!(call, ChannelCall::Poll(_) | ChannelCall::Webhook { .. }) {
            store.data_mut().inbox = Some(inbox.clone());
        }
        let calling = async {
            let bindings = pre.instantiate_async(&mut store).await?;
            let channel = bindings.hydroid_channel_channel();
            wasmtime::Result::Ok(match call {
                ChannelCall::Start => channel
                    .call_start(&mut store)
                    .await?
                    .map(|said| ChannelAnswer::Started(described(said))),
                ChannelCall::Poll(cursor) => {
                    let cursor = cursor.as_deref();
                    channel.call_poll(&mut store, cursor).await?.map(ChannelAnswer::Cursor)
                }
                ChannelCall::Webhook { method, body, verified } => {
                    let request = request(method, body, verified);
                    let answer = channel.call_webhook(&mut store, &request).await?;
                    answer.map(|answer| ChannelAnswer::Response(answer.status))
                }
                ChannelCall::Send(content) => {
                    let message = outbound(content);
                    channel.call_send(&mut store, &message).await?.map(ChannelAnswer::Sent)
                }
                ChannelCall::Edit(id, content) => {
                    let message = outbound(content);
                    let answer = channel.call_edit(&mut store, &id, &message).await?;
                    answer.map(|()| ChannelAnswer::Done)
                }
                ChannelCall::Action(name) => {
                    let answer =
                        channel.call_action(&mut store, CONVERSATION, None, &name, None).await?;
                    answer.map(|()| ChannelAnswer::Done)
                }
            })
        };
        match tokio::time::timeout_at(deadline, calling).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(said))) => Err(ChannelFailure::Said {
                kind: convert::kind_name(said.kind),
                message: convert::error_text(&said),
            }),
            Ok(Err(error)) => {
                Err(ChannelFailure::Broke(trap::sentence(&store, Cause::Error(error))))
            }
            Err(_) => Err(ChannelFailure::Broke(trap::sentence(&store, Cause::Deadline(time)))),
        }
    }
}

/// The conversation that a channel is tried with.
pub const CONVERSATION: &str = "conversation-1";

fn described(said: wit::Descriptor) -> ChannelDescription {
    let (polls, is_called) = match said.ingress {
        wit::Ingress::Poll(_) | wit::Ingress::LongPoll(_) => (true, false),
        wit::Ingress::Webhook(_) | wit::Ingress::Socket(_) => (false, true),
        wit::Ingress::Other(_) => (false, false),
    };
    ChannelDescription {
        name: said.name,
        max_text: said.max_text,
        polls,
        is_called,
        edits: said.features.contains(wit::Features::EDIT),
        options_json: said.options_json,
    }
}

fn request(method: String, body: Vec<u8>, verified: bool) -> wit::HttpRequest {
    wit::HttpRequest {
        method,
        path: String::new(),
        query: String::new(),
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body,
        verified,
    }
}

fn outbound(content: Vec<Content>) -> wit::Outbound {
    wit::Outbound {
        conversation: CONVERSATION.to_owned(),
        thread: None,
        reply_to: None,
        parts: content.into_iter().filter_map(convert::part).collect(),
        buttons: Vec::new(),
        options_json: None,
    }
}
