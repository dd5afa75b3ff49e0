//! {{description}}.

use hydroid_component::export_hook;
use hydroid_component::hook::{Answer, Error, Hook, Point, Question};
use serde::Deserialize;

/// What is at hand before a tool is called, as far as this hook looks.
#[derive(Deserialize)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: serde_json::Value,
}

struct Keeper;

export_hook!(Keeper);

impl Hook for Keeper {
    fn points() -> Result<Vec<Point>, Error> {
        Ok(vec![Point::new("before-tool").for_tools(["file_*"])])
    }

    fn decide(question: Question) -> Result<Answer, Error> {
        // A failure is a denial here, so a subject of another shape stops the call.
        let call: Call = question.read()?;
        Ok(match call.arguments["path"].as_str() {
            Some(path) if path.contains("private") => {
                Answer::Deny(format!("`{}` keeps away from what is called private", call.tool))
            }
            _ => Answer::Proceed,
        })
    }
}
