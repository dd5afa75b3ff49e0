//! A hook that sends what happens to an address of the operator's, one request for each thing.
//! It only looks on: what it fails to send holds nothing up.

use hydroid_component::config;
use hydroid_component::hook::{Answer, Error, ErrorKind, Hook, Point, Question};
use hydroid_component::web::Fetch;
use serde::Deserialize;
use serde_json::{Value, json};

/// Points that are no gates: a service that is down must not stop a turn.
const POINTS: [&str; 7] = [
    "session-start",
    "session-end",
    "turn-end",
    "error",
    "compaction",
    "subagent-start",
    "subagent-end",
];

#[derive(Deserialize)]
struct Settings {
    url: String,
    points: Vec<String>,
    secret: String,
    timeout_ms: u32,
}

struct AuditWebhook;

impl Hook for AuditWebhook {
    fn points() -> Result<Vec<Point>, Error> {
        let settings: Settings = config::read()?;
        if let Some(other) = settings.points.iter().find(|point| !POINTS.contains(&point.as_str()))
        {
            let known = POINTS.join(", ");
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "`points` in this component's configuration has `{other}`; it may have {known}"
                ),
            ));
        }
        Ok(settings.points.into_iter().map(Point::new).collect())
    }

    fn decide(question: Question) -> Result<Answer, Error> {
        let settings: Settings = config::read()?;
        if settings.url.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "`url` in this component's configuration says where to send to, and it is empty",
            ));
        }
        let subject: Value = question.read()?;
        let body = json!({
            "point": question.point,
            "session": question.session,
            "turn": question.turn,
            "subject": subject,
        });
        let mut fetch = Fetch::post_json(&settings.url, &body)?.timeout_ms(settings.timeout_ms);
        if !settings.secret.is_empty() {
            fetch = fetch.declared_credential(settings.secret);
        }
        fetch.send_for_success()?;
        Ok(Answer::Proceed)
    }
}

hydroid_component::export_hook!(AuditWebhook);
