//! Hooks around a skill: before a session takes it up.

use super::scrubbed;
use crate::sessions::AgentParts;
use hydroid_core::hook::{HookPoint, HookVerdict, HookWord};
use hydroid_core::ports::{CallContext, FoundSkill};
use hydroid_core::skill::{SkillBy, cleaned};
use serde_json::{Value, json};

/// Asks whether a session may take a skill up; `by` is who wants it. Returns its instructions, which
/// a hook may have changed, and what the person is told beside.
pub(crate) async fn skill_load(
    agent: &AgentParts,
    context: CallContext,
    found: &FoundSkill,
    by: SkillBy,
) -> Result<(String, Vec<HookWord>), String> {
    let scrubber = agent.scrubber.current();
    let text = scrubber.scrub(&found.skill.text);
    if !agent.hooks.wants(HookPoint::SkillLoad, None) {
        return Ok((text, Vec::new()));
    }
    let subject = json!({
        "skill": found.skill.name,
        "description": found.skill.description,
        "version": found.skill.version,
        "tools": found.skill.tools,
        "digest": found.digest,
        "by": by.id(),
        "text": text,
    });
    let subject = scrubbed(&scrubber, subject);
    let outcome = agent.hooks.ask(HookPoint::SkillLoad, None, subject, context).await;
    match outcome.verdict {
        HookVerdict::Proceed if !outcome.replaced => Ok((text, outcome.notices)),
        HookVerdict::Proceed => match outcome.subject.get("text") {
            Some(Value::String(text)) if !text.trim().is_empty() => {
                let mut notices = outcome.notices;
                let text = cleaned(&scrubber.scrub(text));
                notices.push(HookWord {
                    by: hydroid_core::id::ComponentId::new("hooks"),
                    text: format!("the instructions of `{}` were changed", found.skill.name),
                });
                Ok((text, notices))
            }
            _ => Err("a hook changed the skill into none; take it out of `hooks.use`, or mend it"
                .to_owned()),
        },
        // Nothing has been done yet that could be done again, and a person is asked about calls.
        HookVerdict::Deny(word)
        | HookVerdict::Ask(word)
        | HookVerdict::Reply(word)
        | HookVerdict::Retry(word) => Err(word.to_string()),
    }
}
