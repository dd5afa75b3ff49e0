//! A hook that looks at what tools return and at skills before they are loaded, and says so when a
//! text reads like orders to the agent. A list of phrases is never complete, so nothing should rest on it alone.

mod phrases;

use hydroid_component::config;
use hydroid_component::hook::{Answer, Error, Hook, Point, Question};
use phrases::Phrases;
use serde::Deserialize;
use serde_json::Value;

/// Characters around a phrase that are shown.
const SHOWN: usize = 80;

#[derive(Deserialize)]
struct Settings {
    action: Action,
    tools: Vec<String>,
    phrases: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Warn,
    Withhold,
}

/// What a tool returned, or a skill.
#[derive(Deserialize)]
#[serde(untagged)]
enum Subject {
    Result { tool: String, content: Value },
    Skill { skill: String, text: Value },
}

struct InjectionWarner;

impl Hook for InjectionWarner {
    fn points() -> Result<Vec<Point>, Error> {
        let settings: Settings = config::read()?;
        Phrases::new(&settings.phrases)?;
        Ok(vec![Point::new("after-tool").for_tools(settings.tools), Point::new("skill-load")])
    }

    fn decide(question: Question) -> Result<Answer, Error> {
        let settings: Settings = config::read()?;
        let subject: Subject = question.read()?;
        let (text, what) = match &subject {
            Subject::Result { tool, content } => (content, format!("what `{tool}` returned")),
            Subject::Skill { skill, text } => (text, format!("the skill `{skill}`")),
        };
        let Some(found) = Phrases::new(&settings.phrases)?.find(text) else {
            return Ok(Answer::Proceed);
        };
        let found: String = found.chars().take(SHOWN).collect();
        let text = format!("{what} reads like orders to the agent: “{found}”");
        Ok(match settings.action {
            Action::Warn => Answer::Notice(text),
            Action::Withhold => Answer::Deny(text),
        })
    }
}

hydroid_component::export_hook!(InjectionWarner);
