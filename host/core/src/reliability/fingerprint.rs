//! The name under which an answer is kept: a hash of everything that was asked, of whom and for
//! whom. Two requests with one name are the same request.

use crate::id::UserId;
use crate::ports::ModelRequest;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Hexadecimal SHA-256 of a user, a request and what is configured for the provider, such as the
/// address it asks. Every part is written with its length or as JSON,
/// so no two different requests run together into the same bytes.
pub fn fingerprint(user: &UserId, request: &ModelRequest, configured: Option<&Value>) -> String {
    let ModelRequest { provider, model, system, messages, tools, max_tokens, temperature, options } =
        request;
    let tools: Vec<Value> = tools
        .iter()
        .map(|tool| serde_json::json!([tool.name, tool.description, tool.input_schema]))
        .collect();
    let asked = serde_json::json!([
        // Other bytes for a later form of this text, so that nothing old fits by chance.
        "hydroid/answer/1",
        user,
        provider,
        model,
        system,
        messages,
        tools,
        max_tokens,
        temperature.map(f32::to_bits),
        options,
        configured,
    ]);
    Sha256::digest(asked.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ComponentId;
    use crate::message::Message;
    use crate::tool::{Impact, ToolSpec};

    fn request() -> ModelRequest {
        ModelRequest {
            provider: ComponentId::new("p"),
            model: "m".into(),
            system: "s".into(),
            messages: vec![Message::user("hi")],
            tools: Vec::new(),
            max_tokens: None,
            temperature: None,
            options: None,
        }
    }

    #[test]
    fn everything_that_was_asked_counts() {
        let tool = ToolSpec {
            name: "read".into(),
            title: None,
            description: "d".into(),
            input_schema: serde_json::json!({}),
            component: ComponentId::new("tool-x"),
            impact: Impact::ReadOnly,
            claims_read_only: true,
            about_skills: false,
        };
        let me = UserId::new("me");
        let same = fingerprint(&me, &request(), None);
        assert_eq!(same, fingerprint(&me, &request(), None));
        assert_eq!(same.len(), 64);
        let mut others = vec![fingerprint(&UserId::new("you"), &request(), None)];
        let changes: [&dyn Fn(&mut ModelRequest); 9] = [
            &|request| request.provider = ComponentId::new("pm"),
            &|request| request.model = "n".into(),
            &|request| request.system = "sh".into(),
            &|request| request.messages.push(Message::user("and")),
            &|request| request.tools.push(tool.clone()),
            &|request| request.tools.push(ToolSpec { description: "e".into(), ..tool.clone() }),
            &|request| request.max_tokens = Some(1),
            &|request| request.temperature = Some(0.5),
            &|request| request.options = Some(serde_json::json!({ "seed": 1 })),
        ];
        for change in changes {
            let mut changed = request();
            change(&mut changed);
            others.push(fingerprint(&me, &changed, None));
        }
        let elsewhere = serde_json::json!({ "base_url": "http://other" });
        others.push(fingerprint(&me, &request(), Some(&elsewhere)));
        others.push(same);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count, "two different requests have one name");
    }
}
