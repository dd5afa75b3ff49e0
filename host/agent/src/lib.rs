//! Tasks and time: a task for each session drives the pure turn machine of `hydroid-core` and
//! carries out what it asks for. This crate names no component, opens no database and reads no
//! configuration file; models, tools, journal and clients come in through `core::ports`.
//!
//! Read in this order: [`Agent`] opens a [`Session`], `actor` is the task behind it, with what it does about summaries and skills below it, `effects`
//! runs models and tools, `answer` keeps secrets out of what streams by, `clients` shows what is
//! in the journal, `audit` is what of it is written to the audit log, `metered` keeps account of what models cost, `model` asks models reliably, `hub` is all sessions of a user for a listener, `spans` is what is told of a turn to whoever shows traces and `export` hands it over, `nested` is calls that a call asks for, `delegating` the child turns it starts, `skills` what a session takes up of the person's skills, `caller` is sessions of programs that ask for calls themselves, `history` is what a session remembers and how it goes on after a crash.
//!
//! One owner per session: everything that happens to it goes through one bounded mailbox, so no
//! state is shared and no lock is held. Nothing is shown that the journal has not accepted.

mod actor;
mod answer;
mod audit;
mod caller;
mod clients;
mod compacting;
mod delegating;
mod effects;
mod export;
#[cfg(test)]
mod fakes;
mod history;
mod hooks;
mod hub;
mod metered;
mod model;
mod nested;
mod remembering;
mod secrecy;
mod session;
mod sessions;
mod settings;
mod skills;
mod spans;
#[cfg(test)]
mod tests;

pub use caller::{Offers, ProgramParts, Programs};
pub use clients::{Shown, Subscription, SubscriptionEnd};
pub use export::{Drawn, ExportParts, Exporter, Offer, Offered};
pub use hub::{Export, Hub, HubLimits, HubParts, Occupy};
pub use metered::Metered;
pub use model::{ModelCounters, ModelCounts, ModelParts, reliable};
pub use session::{
    AnswerError, ChangeError, CompactError, SayError, Session, TurnError, TurnHandle, TurnReport,
};
pub use sessions::{Agent, AgentParts, OpenError, OpenSession, SessionChoice};
pub use settings::{MAIN_AGENT, session_policy};
