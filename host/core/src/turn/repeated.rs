//! The same calls in a row: run a few times, then told, then the end of it.

use crate::tool::ToolCall;

/// What was asked for last, and how often in a row.
#[derive(Debug, Default)]
pub struct Repeated {
    last: Vec<(String, String)>,
    times: u32,
}

/// What becomes of calls that were asked for before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// They run.
    Few,
    /// They do not, and the model reads this.
    Told(String),
    /// So often in a row that it is over.
    Over(u32),
}

impl Repeated {
    /// Takes the calls of one answer, of which so many in a row are run.
    pub fn take<'a>(&mut self, calls: impl Iterator<Item = &'a ToolCall>, most: u32) -> Repetition {
        let asked: Vec<(String, String)> =
            calls.map(|call| (call.name.clone(), call.arguments.clone())).collect();
        self.times = if asked == self.last { self.times + 1 } else { 1 };
        self.last = asked;
        match self.times {
            times if times >= most.saturating_mul(2) => Repetition::Over(times),
            times if times > most => Repetition::Told(format!(
                "you asked for exactly this {times} times in a row and the result does not change; do something else, or say what you found"
            )),
            _ => Repetition::Few,
        }
    }
}
