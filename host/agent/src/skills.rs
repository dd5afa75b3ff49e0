//! Skills of a session: what a call takes up and lays down, and what the configuration wants loaded
//! from the start. What was taken up is in the journal with its text, so a session has it again
//! after a crash, and no change of a file reaches a conversation that goes on.

use crate::effects::{AnswerRoom, News, TurnContext};
use crate::hooks;
use crate::nested::Asking;
use crate::sessions::AgentParts;
use crate::settings;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::harmless::exact;
use hydroid_core::hook::{HookPoint, HookWord};
use hydroid_core::id::CallId;
use hydroid_core::ports::{CallContext, FoundSkill, SessionSkills, SkillError, Skills};
use hydroid_core::protocol::{SessionSettings, SkillOffer};
use hydroid_core::skill::{LoadedSkill, Skill, SkillBy};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Characters that are a token at least.
const CHARACTERS_PER_TOKEN: usize = 4;

/// The part of a model's window that loaded skills may fill is one of so many.
const SHARE: usize = 4;

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
pub(crate) async fn for_models(agent: &AgentParts) -> Vec<Skill> {
    if agent.config.skills.index_chars == 0 {
        return Vec::new();
    }
    all(agent).await.into_iter().filter(|skill| !skill.by_person_only).collect()
}

/// Reads the person's files on a thread that may wait for them.
async fn reading<T: Send + 'static>(
    agent: &AgentParts,
    read: impl FnOnce(&dyn Skills) -> T + Send + 'static,
) -> Result<T, SkillError> {
    let skills = Arc::clone(&agent.skills);
    tokio::task::spawn_blocking(move || read(&*skills))
        .await
        .map_err(|_| SkillError::Unavailable("skills cannot be read now".to_owned()))
}

async fn all(agent: &AgentParts) -> Vec<Skill> {
    reading(agent, |skills| skills.list()).await.unwrap_or_default()
}

/// All there are, and whether they are among those that a session has taken up; what is gone from
/// the folder since comes last.
pub(crate) async fn beside(agent: &AgentParts, loaded: &[&LoadedSkill]) -> Vec<(Skill, bool)> {
    let has = |skill: &Skill| loaded.iter().any(|known| known.name == skill.name);
    let mut skills: Vec<(Skill, bool)> =
        all(agent).await.into_iter().map(|skill| (skill.clone(), has(&skill))).collect();
    let gone = |known: &&&LoadedSkill| !skills.iter().any(|(skill, _)| skill.name == known.name);
    let gone: Vec<Skill> =
        loaded.iter().filter(gone).map(|known| Skill::of_loaded(known)).collect();
    skills.extend(gone.into_iter().map(|skill| (skill, true)));
    skills
}

/// All there are as a person is told of them, without secrets, and what is the matter with those
/// that cannot be loaded.
pub(crate) async fn offers(agent: &AgentParts, loaded: &[&LoadedSkill]) -> Vec<SkillOffer> {
    let config = &agent.config.skills;
    let mut offers: Vec<SkillOffer> = beside(agent, loaded)
        .await
        .into_iter()
        .map(|(skill, loaded)| SkillOffer {
            loaded,
            always: config.always.contains(&skill.name),
            by_person_only: skill.by_person_only,
            problem: config.too_long(&skill.text),
            name: skill.name,
            description: skill.description,
        })
        .collect();
    let mut unusable = reading(agent, |skills| skills.unusable()).await.unwrap_or_default();
    unusable.retain(|(name, _)| !offers.iter().any(|offer| offer.name == *name));
    offers.extend(unusable.into_iter().map(|(name, problem)| SkillOffer {
        always: config.always.contains(&name),
        name,
        description: String::new(),
        loaded: false,
        by_person_only: false,
        problem: Some(problem),
    }));
    // Where nobody knows what is secret, nothing of a stranger's is told.
    let scrubber = agent.refreshed_scrubber().await.ok();
    let masked = |text: String| match &scrubber {
        Some(scrubber) => scrubber.scrub(&text),
        None => String::new(),
    };
    for offer in &mut offers {
        offer.description = masked(std::mem::take(&mut offer.description));
        offer.problem = offer.problem.take().map(masked);
    }
    offers
}

/// One of them.
async fn found(agent: &AgentParts, name: &str) -> Result<FoundSkill, SkillError> {
    let name = name.to_owned();
    reading(agent, move |skills| skills.read(&name)).await?
}

/// A skill that is ready to be taken up, and what hooks have to say of it.
pub(crate) type ReadySkill = (LoadedSkill, Vec<HookWord>);

/// A skill that a person wants beside these. Secrets are looked for as they are now.
pub(crate) async fn for_a_person(
    turn: &TurnContext,
    context: CallContext,
    name: &str,
    loaded: &[LoadedSkill],
) -> Result<ReadySkill, SkillError> {
    turn.agent.refreshed_scrubber().await.map_err(SkillError::Unavailable)?;
    wanted(&turn.agent, &turn.own, context, name, loaded, SkillBy::Person).await
}

/// A skill that no model wants beside these, ready to be taken up.
pub(crate) async fn wanted(
    agent: &AgentParts,
    own: &SessionSettings,
    context: CallContext,
    name: &str,
    loaded: &[LoadedSkill],
    by: SkillBy,
) -> Result<ReadySkill, SkillError> {
    if let Some(problem) = full(agent, loaded, name) {
        return Err(problem);
    }
    let found = found(agent, name).await?;
    ready(agent, settings::model_of(&agent.config, own), loaded, context, &found, by).await
}

/// A skill, ready to be taken up beside these: its text fits, and no hook is against it. `of` is the
/// model that would read it.
async fn ready(
    agent: &AgentParts,
    of: (&str, &str),
    loaded: &[LoadedSkill],
    context: CallContext,
    found: &FoundSkill,
    by: SkillBy,
) -> Result<ReadySkill, SkillError> {
    let name = &found.skill.name;
    let (text, notices) = hooks::skill_load(agent, context, found, by)
        .await
        .map_err(|problem| SkillError::Denied(format!("`{name}` is not loaded: {problem}")))?;
    if let Some(problem) = agent.config.skills.too_long(&text) {
        return Err(SkillError::Unfit(format!(
            "`{name}` is not loaded: {problem}; put what is not always needed into files beside `SKILL.md`, or raise it"
        )));
    }
    let count = text.chars().count();
    let facts = agent.models.facts(of.0, of.1).unwrap_or_default();
    let window = AnswerRoom::of(&facts, agent.config.model.max_output_tokens).window;
    let others = loaded.iter().filter(|skill| skill.name != *name);
    let all: usize = others.map(|skill| skill.text.chars().count()).sum::<usize>() + count;
    if all / CHARACTERS_PER_TOKEN > window as usize / SHARE {
        return Err(SkillError::Unfit(format!(
            "with `{name}` the loaded skills would have {all} characters, more than a quarter of what the model `{}` can read; unload others, or put what is not always needed into files beside `SKILL.md`",
            of.1
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
            "`skills.max_loaded` is {most}, and these are loaded: {}; unload one of them, or raise it",
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
        let found = found(agent, &name).await?;
        if found.skill.by_person_only {
            return Err(SkillError::Denied(format!(
                "`{name}` is not for a model to load; a person loads it with `/skill {name}`, or with `hydroid skill load {name} --session {}`",
                self.turn.session
            )));
        }
        let context = CallContext { nested: None, ..self.context.clone() };
        let of = settings::model_of(&agent.config, &self.turn.own);
        let (skill, notices) = ready(agent, of, &loaded, context, &found, SkillBy::Model).await?;
        for word in notices {
            self.turn.report(News::Noticed(word.to_string())).await;
        }
        self.wish(Some(SkillChange::Load(skill))).await?;
        Ok(found.files)
    }

    async fn lay_down(&self, name: String) -> Result<(), SkillError> {
        is_loaded(&self.wish(None).await?, &name)?;
        self.wish(Some(SkillChange::Unload(name.clone()))).await?;
        self.turn.tell(HookPoint::SkillUnload, json!({ "skill": name, "by": SkillBy::Model.id() }));
        Ok(())
    }
}

pub(crate) fn is_loaded(loaded: &[LoadedSkill], name: &str) -> Result<(), SkillError> {
    if loaded.iter().any(|skill| skill.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = loaded.iter().map(|skill| skill.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let name = exact(&name.chars().take(64).collect::<String>());
    Err(SkillError::NotFound(format!("the skill `{name}` is not loaded; loaded: {names}")))
}

impl SessionSkills for Asking {
    fn list(&self) -> BoxFuture<'_, Result<Vec<(Skill, bool)>, SkillError>> {
        async move {
            let loaded = self.wish(None).await?;
            let mut skills = beside(&self.turn.agent, &loaded.iter().collect::<Vec<_>>()).await;
            skills.retain(|(skill, has)| *has || !skill.by_person_only);
            Ok(skills)
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
            reading(&self.turn.agent, move |skills| skills.read_file(&name, &path, offset, length))
                .await?
        }
        .boxed()
    }
}
