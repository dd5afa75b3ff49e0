//! Skills of a session: what a call takes up and lays down, and what the configuration wants loaded
//! from the start. What was taken up is in the journal with its text, so a session has it again
//! after a crash, and no change of a file reaches a conversation that goes on.

use crate::effects::{News, TurnContext};
use crate::hooks;
use crate::nested::Asking;
use crate::sessions::AgentParts;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::hook::{HookPoint, HookWord};
use hydroid_core::id::CallId;
use hydroid_core::ports::{CallContext, FoundSkill, SessionSkills, SkillError};
use hydroid_core::skill::{LoadedSkill, Skill};
use serde_json::json;
use tokio::sync::oneshot;

/// What a call wants of the session's skills.
#[derive(Debug)]
pub(crate) struct SkillWish {
    pub(crate) call: CallId,
    /// None to be told only.
    pub(crate) change: Option<SkillChange>,
    /// What is taken up after it.
    pub(crate) reply: oneshot::Sender<Result<Vec<LoadedSkill>, SkillError>>,
}

#[derive(Debug)]
pub(crate) enum SkillChange {
    Load(LoadedSkill),
    Unload(String),
}

/// The skills that a model may take up by itself.
pub(crate) fn for_models(agent: &AgentParts) -> Vec<Skill> {
    if agent.config.skills.index_chars == 0 {
        return Vec::new();
    }
    agent.skills.list().into_iter().filter(|skill| !skill.by_person_only).collect()
}

/// A skill, ready to be taken up: its text fits, and no hook is against it.
pub(crate) async fn ready(
    agent: &AgentParts,
    context: CallContext,
    found: &FoundSkill,
    by: &str,
) -> Result<(LoadedSkill, Vec<HookWord>), SkillError> {
    let name = &found.skill.name;
    let (text, notices) = hooks::skill_load(agent, context, found, by)
        .await
        .map_err(|problem| SkillError::Denied(format!("`{name}` is not loaded: {problem}")))?;
    let (count, most) = (text.chars().count(), agent.config.skills.max_chars);
    if count > most {
        return Err(SkillError::Unfit(format!(
            "the instructions of `{name}` have {count} characters, and `skills.max_chars` is {most}; put what is not always needed into files beside `SKILL.md`, or raise it"
        )));
    }
    Ok((LoadedSkill { name: name.clone(), digest: found.digest.clone(), text }, notices))
}

/// Why nothing more is taken up; none if there is room for this one.
pub(crate) fn full(agent: &AgentParts, loaded: &[LoadedSkill], name: &str) -> Option<SkillError> {
    let most = agent.config.skills.max_loaded;
    let others: Vec<&str> =
        loaded.iter().map(|skill| skill.name.as_str()).filter(|known| *known != name).collect();
    (others.len() >= most).then(|| {
        SkillError::Denied(format!(
            "{} are loaded, and `skills.max_loaded` is {most}; unload one of them, or raise it",
            others.join(", ")
        ))
    })
}

impl Asking {
    /// What the session has taken up, after this change.
    async fn wish(&self, change: Option<SkillChange>) -> Result<Vec<LoadedSkill>, SkillError> {
        let (reply, loaded) = oneshot::channel();
        let call = self.parent.clone();
        self.turn.report(News::Skills(SkillWish { call, change, reply })).await;
        loaded
            .await
            .unwrap_or_else(|_| Err(SkillError::Unavailable("the turn has ended".to_owned())))
    }

    async fn take_up(&self, name: String) -> Result<Vec<String>, SkillError> {
        let TurnContext { agent, .. } = &self.turn;
        let loaded = self.wish(None).await?;
        if let Some(problem) = full(agent, &loaded, &name) {
            return Err(problem);
        }
        let found = agent.skills.read(&name)?;
        if found.skill.by_person_only {
            let mut always = agent.config.skills.always.clone();
            always.push(name.clone());
            return Err(SkillError::Denied(format!(
                "`{name}` is not for a model to load; a person has it loaded in every session with `hydroid config set skills.always '{}'`",
                serde_json::Value::from(always)
            )));
        }
        let context = CallContext { nested: None, ..self.context.clone() };
        let (skill, notices) = ready(agent, context, &found, "model").await?;
        for word in notices {
            self.turn.report(News::Noticed(word.to_string())).await;
        }
        self.wish(Some(SkillChange::Load(skill))).await?;
        Ok(found.files)
    }

    async fn lay_down(&self, name: String) -> Result<(), SkillError> {
        is_loaded(&self.wish(None).await?, &name)?;
        self.wish(Some(SkillChange::Unload(name.clone()))).await?;
        self.turn.tell(HookPoint::SkillUnload, json!({ "skill": name, "by": "model" }));
        Ok(())
    }
}

fn is_loaded(loaded: &[LoadedSkill], name: &str) -> Result<(), SkillError> {
    if loaded.iter().any(|skill| skill.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = loaded.iter().map(|skill| skill.name.as_str()).collect();
    let names = if names.is_empty() { "none is".to_owned() } else { names.join(", ") };
    let name: String = name.chars().take(64).collect();
    Err(SkillError::NotFound(format!("the skill `{name}` is not loaded; loaded: {names}")))
}

impl SessionSkills for Asking {
    fn list(&self) -> BoxFuture<'_, Result<Vec<(Skill, bool)>, SkillError>> {
        async move {
            let loaded = self.wish(None).await?;
            let has = |skill: &Skill| loaded.iter().any(|known| known.name == skill.name);
            let skills = self.turn.agent.skills.list().into_iter();
            let skills = skills.map(|skill| (has(&skill), skill));
            Ok(skills
                .filter(|(has, skill)| *has || !skill.by_person_only)
                .map(|(has, skill)| (skill, has))
                .collect())
        }
        .boxed()
    }

    fn load(&self, name: String) -> BoxFuture<'_, Result<Vec<String>, SkillError>> {
        self.take_up(name).boxed()
    }

    fn unload(&self, name: String) -> BoxFuture<'_, Result<(), SkillError>> {
        self.lay_down(name).boxed()
    }

    fn read(
        &self,
        name: String,
        path: String,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Vec<u8>, SkillError>> {
        async move {
            is_loaded(&self.wish(None).await?, &name)?;
            self.turn.agent.skills.read_file(&name, &path, offset, length)
        }
        .boxed()
    }
}
