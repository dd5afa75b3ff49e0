//! {{description}}.

use hydroid_component::channel::{
    Channel, Descriptor, Error, Features, Inbound, Ingress, Outbound, Part, handed_in, text,
};
use hydroid_component::export_channel;
use hydroid_component::web::{self, Fetch};
use serde::{Deserialize, Serialize};

/// Where the service is.
const SERVICE: &str = "https://chat.example.com";

/// Most bytes of an answer of the service.
const MOST: usize = 1 << 20;

/// What the service sends for each message.
#[derive(Deserialize)]
struct Message {
    id: u64,
    conversation: String,
    sender: String,
    sent_s: u32,
    text: String,
}

#[derive(Serialize)]
struct Sending<'a> {
    conversation: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Sent {
    id: u64,
}

struct Chat;

export_channel!(Chat);

impl Channel for Chat {
    fn start() -> Result<Descriptor, Error> {
        Ok(Descriptor {
            name: "{{name}}".to_owned(),
            features: Features::empty(),
            max_text: 4_000,
            ingress: Ingress::Poll(2_000),
            options_json: None,
        })
    }

    fn poll(cursor: Option<String>) -> Result<Option<String>, Error> {
        let after: u64 = match &cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| {
                Error::invalid_input("the cursor is none of this channel's; begin without one")
            })?,
        };
        let url = format!("{SERVICE}/messages?after={after}");
        let messages: Vec<Message> = answer(&Fetch::get(url))?;
        let mut last = after;
        for message in messages {
            last = last.max(message.id);
            // One that could not be kept ends the poll here, and is fetched again.
            handed_in(&Inbound {
                id: message.id.to_string(),
                conversation: message.conversation,
                thread: None,
                sender: message.sender,
                sender_name: None,
                sent_s: message.sent_s,
                parts: vec![Part::Text(message.text)],
                reply_to: None,
                action: None,
                details_json: None,
            })?;
        }
        Ok(if last == after { cursor } else { Some(last.to_string()) })
    }

    fn send(message: Outbound) -> Result<String, Error> {
        let text = text(&message.parts);
        if text.trim().is_empty() {
            return Err(Error::invalid_input("there is no text to send"));
        }
        let sending = Sending { conversation: &message.conversation, text: &text };
        let sent: Sent = answer(&Fetch::post_json(format!("{SERVICE}/messages"), &sending)?)?;
        Ok(sent.id.to_string())
    }
}

fn answer<T: for<'a> Deserialize<'a>>(fetch: &Fetch) -> Result<T, Error> {
    let body = web::read_all(&mut fetch.send_for_success()?, MOST)?;
    serde_json::from_slice(&body)
        .map_err(|error| Error::internal(format!("the service answered something else: {error}")))
}
