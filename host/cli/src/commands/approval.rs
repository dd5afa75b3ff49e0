//! `hydroid approval`: questions that wait for an answer, and what is allowed for good. What an
//! answer means is decided by the turn; here it is handed over.

use crate::approval;
use crate::args::{Answer, Approval, Given};
use crate::audited::{Deed, audit};
use crate::conversation::{Conversation, Opening, Person, Prepared, find_session};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::moment;
use crate::render::{self, Asked};
use crate::stopped::refuse_if_stopped;
use crate::terminal::{self, table};
use crate::wire::{self, Ground, SystemClock};
use anyhow::Result;
use hydroid_agent::SessionChoice;
use hydroid_core::arguments::normalise;
use hydroid_core::audit::AuditAction;
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::exact;
use hydroid_core::id::{ComponentId, SessionId};
use hydroid_core::policy::{BadPattern, CallPattern, Mode};
use hydroid_core::ports::{Approvals, Clock, Journal, StandingApproval, Tools};
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::tool::Impact;
use hydroid_core::turn::open_questions;
use hydroid_memory::{Database, PastApproval};
use serde_json::{Value, json};
use std::sync::Arc;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Characters of an identifier: enough to be unique among a person's, few enough to be typed.
const IDENTIFIER: usize = 8;

/// A question that waits, with where it was asked.
struct Open {
    session: SessionId,
    asked_ms: u64,
    asked: Asked,
}

/// Runs the command.
pub(crate) async fn run(
    command: Approval,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    match command {
        Approval::List { json, all } => {
            let ground = Ground::lay_to_look(environment, &settings)?;
            list(&ground, &ground.database().await?, json, all).await
        }
        Approval::Answer(given) => answer(given, environment, &settings).await,
        Approval::Allow { calls, component, days } => {
            let ground = Ground::lay_to_look(environment, &settings)?;
            allow(&ground, calls, component, days).await
        }
        Approval::Revoke { id } => {
            revoke(&Ground::lay_to_look(environment, &settings)?, id.trim()).await
        }
    }
}

/// Every question of the user's sessions that waits, oldest session first.
async fn open(ground: &Ground, database: &Database) -> Result<Vec<Open>> {
    let mut all = Vec::new();
    for session in database.sessions_with_an_open_turn(&ground.user()).await? {
        let stored = database.entries(&ground.user(), &session, 0).await?;
        let times: Vec<u64> = stored.iter().map(|stored| stored.at_ms).collect();
        let entries = stored.into_iter().map(|stored| stored.entry);
        let entries = ground.scrubber.current().known_entries(entries);
        for question in open_questions(&entries) {
            let at = entries.iter().rposition(|entry| *entry == question.asked);
            let asked_ms = at.and_then(|at| times.get(at)).copied().unwrap_or_default();
            if let Some(asked) = Asked::of(&question.asked) {
                all.push(Open { session: session.clone(), asked_ms, asked });
            }
        }
    }
    Ok(all)
}

async fn list(ground: &Ground, database: &Database, as_json: bool, all: bool) -> Result<Exit> {
    let questions = open(ground, database).await?;
    let mut standing = wire::approvals(database).history(&ground.user()).await?;
    let now_ms = SystemClock.now_ms();
    if !all {
        standing.retain(|past| past.holds_at(now_ms));
    }
    if as_json {
        terminal::print_json(&json!({
            "questions": questions.iter().map(question_json).collect::<Vec<_>>(),
            "standing": standing.iter().map(|past| standing_json(past, now_ms)).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Done);
    }
    if questions.is_empty() {
        terminal::say("no question waits for an answer");
    } else {
        for open in &questions {
            terminal::print(&waiting(open))?;
        }
        terminal::say(
            "`hydroid approval answer CALL once` (or `session`, `always`, `edit`, `deny`) answers one",
        );
    }
    if standing.is_empty() {
        terminal::say("nothing is allowed for good");
        return Ok(Exit::Done);
    }
    let head =
        ["ID", "ALLOWED", "COMPONENT", "GIVEN (UTC)", "ENDS (UTC)"].map(str::to_owned).to_vec();
    let rows = standing.iter().map(|past| {
        vec![
            exact(&past.approval.id),
            exact(&past.approval.calls),
            past.approval.component.as_ref().map_or("any".into(), |name| exact(name.as_str())),
            moment::minute(past.approval.created_ms),
            ends(past),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

/// A question with everything to decide on. Nothing of others begins a line.
fn waiting(open: &Open) -> String {
    let asked = &open.asked;
    let longer = match asked.scope.as_str() {
        _ if asked.impact == Impact::Vault => "nothing, it is approved each time".to_owned(),
        "" => "nothing, no pattern describes it".to_owned(),
        scope => format!("`{}`", exact(scope)),
    };
    format!(
        "call {} of session {}, asked {} UTC\n{}\n  for longer: {longer}\n\n",
        exact(asked.call_id.as_str()),
        open.session,
        moment::minute(open.asked_ms),
        approval::listed(asked)
    )
}

fn ends(past: &PastApproval) -> String {
    match (past.revoked_ms, past.approval.expires_ms) {
        (Some(revoked), _) => format!("revoked {}", moment::minute(revoked)),
        (None, Some(end)) => moment::minute(end),
        (None, None) => "never".to_owned(),
    }
}

fn question_json(open: &Open) -> Value {
    let asked = &open.asked;
    json!({
        "call": asked.call_id,
        "session": open.session,
        "asked_ms": open.asked_ms,
        "tool": asked.call.name,
        "arguments": serde_json::from_str::<Value>(&asked.call.arguments).unwrap_or_default(),
        "component": asked.component,
        "impact": asked.impact,
        "reason": asked.reason,
        "scope": asked.scope,
        "preview": asked.preview,
    })
}

fn standing_json(past: &PastApproval, now_ms: u64) -> Value {
    let approval = &past.approval;
    json!({
        "id": approval.id,
        "calls": approval.calls,
        "component": approval.component,
        "created_ms": approval.created_ms,
        "expires_ms": approval.expires_ms,
        "revoked_ms": past.revoked_ms,
        "holds": past.holds_at(now_ms),
    })
}

// ---- answering ----

async fn answer(
    given: Answer,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let answer = answer_of(&given)?;
    let ground = Ground::lay(environment, settings)?;
    refuse_if_stopped(&ground.paths)?;
    let database = ground.database().await?;
    let questions = open(&ground, &database).await?;
    let session = match &given.session {
        Some(id) => Some(find_session(&database, &ground.user(), id).await?),
        None => None,
    };
    let question = meant(&questions, given.call.trim(), session.as_ref())?;
    let person = if ground.terminal.interactive { Person::Here } else { Person::Later };
    let denies = matches!(answer, ApprovalAnswer::Deny { .. });
    // A call that waits behind another question would not run, and its answer would be lost.
    let first = questions.iter().find(|other| other.session == question.session);
    if let Some(first) = first.filter(|first| first.asked.call_id != question.asked.call_id)
        && person == Person::Later
        && !denies
    {
        return Err(usage(format!(
            "the call `{}` was asked about first; answer it first, or answer in a terminal, where both are asked",
            exact(first.asked.call_id.as_str())
        )));
    }
    let catalog = ground.catalog(&database)?;
    let agent = ground.agent(&catalog, &database).await?;
    // Whoever answers is there, whatever the mode says of those who are not.
    let mode = match ground.config.policy.mode {
        Mode::Headless => Mode::Default,
        mode @ (Mode::Plan | Mode::Default | Mode::AcceptEdits) => mode,
    };
    let opening = Opening {
        user: ground.user(),
        session: SessionChoice::Existing(question.session.clone()),
        mode,
        person,
        allow: Vec::new(),
        show: render::Mode::Text,
    };
    let call = question.asked.call_id.clone();
    let mut conversation =
        Conversation::open(&agent, &ground.paths, ground.terminal, opening).await?;
    let exit = conversation.restored(Some(Prepared { call, answer })).await?;
    conversation.close().await;
    exit.ok_or_else(|| {
        usage("the question was answered meanwhile; `hydroid approval list` shows what waits")
    })
}

fn answer_of(given: &Answer) -> Result<ApprovalAnswer> {
    let only = |name: &str, set: bool, fits: bool, where_: &str| {
        if set && !fits { Err(usage(format!("`{name}` belongs to {where_}"))) } else { Ok(()) }
    };
    let (longer, always) =
        (matches!(given.answer, Given::Session | Given::Always), given.answer == Given::Always);
    only("--calls", given.calls.is_some(), longer, "`session` and `always`")?;
    only("--days", given.days.is_some(), always, "`always`")?;
    only("--reason", given.reason.is_some(), given.answer == Given::Deny, "`deny`")?;
    only("--arguments", given.arguments.is_some(), given.answer == Given::Edit, "`edit`")?;
    Ok(match given.answer {
        Given::Once => ApprovalAnswer::Once,
        Given::Session => ApprovalAnswer::Session { calls: given.calls.clone() },
        Given::Always => ApprovalAnswer::Always { calls: given.calls.clone(), days: given.days },
        Given::Edit => {
            let arguments = given
                .arguments
                .clone()
                .ok_or_else(|| usage("`edit` needs the arguments: `--arguments '{…}'`"))?;
            normalise(&arguments).map_err(usage)?;
            ApprovalAnswer::Edit { arguments }
        }
        Given::Deny => ApprovalAnswer::Deny { reason: given.reason.clone() },
    })
}

/// The question a person means: identifiers of calls are unique in a session only.
fn meant<'a>(questions: &'a [Open], call: &str, session: Option<&SessionId>) -> Result<&'a Open> {
    let found: Vec<&Open> = questions
        .iter()
        .filter(|open| open.asked.call_id.as_str() == call)
        .filter(|open| session.is_none_or(|session| open.session == *session))
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(usage(format!(
            "no question about a call `{call}` waits; `hydroid approval list` shows those that do"
        ))),
        several => {
            let sessions: Vec<String> =
                several.iter().map(|open| format!("`{}`", open.session)).collect();
            Err(usage(format!(
                "the call `{call}` waits in {} sessions; choose one with `--session`: {}",
                several.len(),
                sessions.join(", ")
            )))
        }
    }
}

// ---- for good ----

async fn allow(
    ground: &Ground,
    calls: String,
    component: Option<String>,
    days: Option<u32>,
) -> Result<Exit> {
    let calls = calls.trim().to_owned();
    calls.parse::<CallPattern>().map_err(|error: BadPattern| usage(error.to_string()))?;
    let catalog = ground.catalog_to_look_at().await?;
    let specs = catalog.specs();
    let tool = calls.split('(').next().unwrap_or(&calls).trim();
    let is_pattern = tool.contains(['*', '?']);
    match specs.iter().find(|spec| spec.name == tool) {
        Some(spec) if spec.impact == Impact::Vault => {
            return Err(usage(format!(
                "`{tool}` takes something out of the vault, which a person approves each time"
            )));
        }
        None if !is_pattern => {
            let hint = did_you_mean(tool, specs.iter().map(|spec| spec.name.as_str()));
            return Err(usage(format!("no tool is called `{tool}`{hint}")));
        }
        Some(_) | None => {}
    }
    if let Some(name) = component.as_deref().filter(|name| catalog.get(name).is_none()) {
        let installed = catalog.installed();
        let hint = did_you_mean(name, installed.iter().map(|other| other.name.as_str()));
        return Err(usage(format!("no component is called `{name}`{hint}")));
    }
    let now_ms = SystemClock.now_ms();
    let random = uuid::Uuid::now_v7().simple().to_string();
    let approval = StandingApproval {
        id: random.chars().rev().take(IDENTIFIER).collect(),
        user: ground.user(),
        calls: calls.clone(),
        component: component.as_deref().map(ComponentId::new),
        created_ms: now_ms,
        expires_ms: days.map(|days| now_ms.saturating_add(u64::from(days) * DAY_MS)),
    };
    let deed = Deed {
        action: AuditAction::ApprovalGiven,
        resource: calls.clone(),
        component: component.as_deref(),
        digest: None,
        command: "approval allow",
    };
    audit(ground, deed).await?;
    let id = approval.id.clone();
    wire::approvals(&ground.database().await?).give(approval).await?;
    terminal::print_line(&format!(
        "{id}: `{}` is allowed from now on{}; `hydroid approval revoke {id}` takes it back",
        exact(&calls),
        days.map(|days| format!(", for {days} days")).unwrap_or_default()
    ))?;
    if tool.chars().all(|letter| letter == '*') {
        terminal::say(
            "that is every tool there is and will be, copies out of the vault excepted; a name and a place say less: `hydroid approval allow 'file_write(/shared/notes/**)'`",
        );
    }
    Ok(Exit::Done)
}

async fn revoke(ground: &Ground, id: &str) -> Result<Exit> {
    let approvals = wire::approvals(&ground.database().await?);
    let history = approvals.history(&ground.user()).await?;
    let Some(found) = history.iter().find(|past| past.approval.id == id) else {
        let known = history.iter().map(|past| past.approval.id.as_str());
        return Err(usage(format!(
            "no approval `{id}`{}; `hydroid approval list` shows yours",
            did_you_mean(id, known)
        )));
    };
    if let Some(revoked) = found.revoked_ms {
        return Err(usage(format!(
            "the approval `{id}` was taken back already, at {} UTC",
            moment::minute(revoked)
        )));
    }
    let deed = Deed {
        action: AuditAction::ApprovalRevoked,
        resource: found.approval.calls.clone(),
        component: found.approval.component.as_ref().map(ComponentId::as_str),
        digest: None,
        command: "approval revoke",
    };
    audit(ground, deed).await?;
    approvals.revoke(&ground.user(), id).await?;
    terminal::print_line(&format!("`{}` is asked about again", exact(&found.approval.calls)))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::CallId;
    use hydroid_core::tool::ToolCall;

    fn question(session: &str, call: &str) -> Open {
        let call_id = CallId::new(call);
        Open {
            session: SessionId::new(session),
            asked_ms: 0,
            asked: Asked {
                call: ToolCall { id: call_id.clone(), name: "x".into(), arguments: "{}".into() },
                call_id,
                component: ComponentId::new("some"),
                impact: Impact::Edits,
                reason: String::new(),
                scope: String::new(),
                preview: None,
            },
        }
    }

    #[test]
    fn a_call_that_two_sessions_have_needs_its_session() {
        let questions = [question("s1", "c"), question("s2", "c"), question("s2", "d")];
        let found = |call: &str, session: Option<&str>| {
            meant(&questions, call, session.map(SessionId::new).as_ref())
                .map(|open| open.session.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(found("d", None), Ok("s2".into()));
        assert_eq!(found("c", Some("s1")), Ok("s1".into()));
        assert!(found("c", None).unwrap_err().contains("`s1`, `s2`"));
        assert!(found("e", None).unwrap_err().contains("no question"));
        assert!(found("d", Some("s1")).is_err());
    }

    #[test]
    fn an_option_that_does_not_belong_to_the_answer_is_refused() {
        let given = |answer| Answer {
            call: "c".into(),
            answer,
            session: None,
            calls: None,
            days: None,
            reason: None,
            arguments: None,
        };
        let refused = |given: Answer, expect: &str| {
            let error = answer_of(&given).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        refused(Answer { days: Some(1), ..given(Given::Session) }, "`always`");
        refused(Answer { calls: Some("x".into()), ..given(Given::Once) }, "`session`");
        refused(Answer { reason: Some("x".into()), ..given(Given::Once) }, "`deny`");
        refused(Answer { arguments: Some("{}".into()), ..given(Given::Deny) }, "`edit`");
        refused(given(Given::Edit), "--arguments");
        refused(Answer { arguments: Some("{bad".into()), ..given(Given::Edit) }, "JSON");
        assert_eq!(answer_of(&given(Given::Once)).unwrap(), ApprovalAnswer::Once);
    }
}
