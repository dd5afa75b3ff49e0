//! `hydroid:channel/inbox`: where a channel hands in what it received. Whoever is no channel, or
//! is asked for something else, hands in nothing.

use super::error;
use crate::bindings::channels::hydroid::channel::inbox::{Host, Inbound};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::channel::{Received, Taken};
use crate::instance::State;
use wasmtime::Result;

impl Host for State {
    async fn deliver(&mut self, message: Inbound) -> Result<Result<(), Error>> {
        let Some(inbox) = &self.inbox else {
            return Ok(Err(error(
                ErrorKind::Denied,
                "only a channel that was asked for messages hands any in",
            )));
        };
        Ok(match inbox.hand_in(Received::from(message)) {
            Taken::Kept => Ok(()),
            Taken::Denied => Err(error(ErrorKind::Denied, "the sender may not speak here")),
            Taken::Failed => {
                Err(error(ErrorKind::Unavailable, "it could not be kept; hand it in again later"))
            }
        })
    }
}
