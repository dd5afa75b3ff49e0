//! What happens to a request to a model that fails, repeats or could go elsewhere: the decisions,
//! as pure functions of an error, a count and a time. It waits for nothing, counts no time itself
//! and asks no model; `agent::model` does, around any provider component.

mod backoff;
mod circuit;
mod fallback;
mod fingerprint;
mod news;
mod shown;
mod vision;

pub use backoff::{Backoff, Decision};
pub use circuit::{Admission, Circuit, CircuitSettings, blames_the_service};
pub use fallback::{KINDS, own_thinking};
pub use fingerprint::fingerprint;
pub use news::{ModelNews, ModelRef, in_words, length};
pub use shown::{broke_off, shows};
pub use vision::has_image;
