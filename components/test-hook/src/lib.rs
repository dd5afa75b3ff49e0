//! A hook that does what its configuration says, for the host's tests. Not for anybody's use.

use hydroid_component::bindings::hook::exports::hydroid::hook::hook::{
    Answer, Guest, Question, Subscription,
};
use hydroid_component::config;
use hydroid_component::types::{Error, Ext};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    points: Vec<String>,
    tools: Vec<String>,
    does: String,
    text: String,
}

struct Misbehaving;

impl Guest for Misbehaving {
    fn points() -> Result<Vec<Subscription>, Error> {
        let Settings { points, tools, .. } = config::read()?;
        let subscription = |point| Subscription { point, tools: tools.clone(), order: 1 };
        Ok(points.into_iter().map(subscription).collect())
    }

    fn decide(question: Question) -> Result<Answer, Error> {
        let Settings { does, text, .. } = config::read()?;
        let other = |kind: &str, json: String| Answer::Other(Ext { kind: kind.to_owned(), json });
        let named = |kind: &str| other(kind, serde_json::json!({ "text": text }).to_string());
        Ok(match does.as_str() {
            "proceed" => Answer::Proceed,
            "deny" => Answer::Deny(text),
            "ask" => Answer::Ask(text),
            "replace" => Answer::Replace(text),
            "reply" => named("hydroid/reply"),
            "retry" => named("hydroid/retry"),
            "notice" => named("hydroid/notice"),
            "unknown" => named("test/unknown"),
            "tell the subject" => Answer::Deny(question.subject_json),
            "fail" => return Err(Error::internal(text)),
            "panic" => panic!("{text}"),
            "loop" => loop {
                std::hint::spin_loop();
            },
            "fill memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(vec![1_u8; 1 << 20]);
                    std::hint::black_box(&all);
                }
            }
            "answer at length" => other("hydroid/reply", "x".repeat(4 << 20)),
            "replace by nonsense" => Answer::Replace("{\"a\":".repeat(2000)),
            other => return Err(Error::internal(format!("`{other}` is nothing it does"))),
        })
    }
}

type Component = Misbehaving;
hydroid_component::bindings::hook::export!(Component with_types_in hydroid_component::bindings::hook);
