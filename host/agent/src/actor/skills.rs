//! Skills of the session an actor owns: what a call, a person and the configuration want of them, and
//! what is forgotten when a conversation is taken back.

use super::recording::parent_of;
use super::{Actor, Stored};
use crate::session::ChangeError;
use crate::skills::{self, SkillChange, SkillWish};
use crate::{audit, hooks, settings};
use hydroid_core::entry::Entry;
use hydroid_core::hook::{HookPoint, HookWord};
use hydroid_core::id::TurnId;
use hydroid_core::ports::{SkillError, StoreError};
use hydroid_core::skill::{self, LoadedSkill, SkillBy};
use hydroid_core::telemetry::Trace;
use serde_json::json;

impl Actor {
    /// Tells a call what skills the session has taken up, after what it wants of them is recorded.
    pub(super) async fn skills(&mut self, wish: SkillWish) {
        let SkillWish { call, change, reply } = wish;
        let Some(running) = self.running.as_ref().filter(|running| running.turn.runs(&call)) else {
            return;
        };
        let turn = running.context.turn.clone();
        if parent_of(&call, self.entries.iter().rev()).is_some() {
            let problem = "skills are loaded by the model of the conversation, and not by a component or a child turn";
            drop(reply.send(Err(SkillError::Denied(problem.to_owned()))));
            return;
        }
        let entry = match change {
            None => None,
            Some(SkillChange::Load(skill)) => {
                if let Some(problem) = skills::full(&self.agent, &self.loaded_skills(), &skill.name)
                {
                    drop(reply.send(Err(problem)));
                    return;
                }
                Some(Entry::SkillLoaded {
                    turn: Some(turn),
                    call_id: Some(call),
                    by: SkillBy::Model,
                    skill,
                })
            }
            Some(SkillChange::Unload(name)) => {
                Some(Entry::SkillUnloaded { turn: Some(turn), by: SkillBy::Model, name })
            }
        };
        if let Err(error) = self.record(entry.into_iter().collect()).await {
            self.stop_unrecorded(error);
            return;
        }
        // The call may be gone.
        drop(reply.send(Ok(self.loaded_skills())));
    }

    pub(super) fn loaded_skills(&self) -> Vec<LoadedSkill> {
        skill::loaded(&self.entries).into_iter().cloned().collect()
    }

    /// Loads what the configuration wants loaded, when the first turn begins since the session was
    /// opened or taken back. What was laid down in the session stays so. Returns what a person has
    /// to know.
    pub(super) async fn load_configured(
        &mut self,
        trace: &Trace,
    ) -> Result<Vec<String>, StoreError> {
        let mut told = Vec::new();
        if !std::mem::take(&mut self.loads_configured) {
            return Ok(told);
        }
        for name in self.agent.config.skills.always.clone() {
            let loaded = self.loaded_skills();
            let laid_down = skill::unloaded(&self.entries).contains(name.as_str());
            if laid_down || loaded.iter().any(|skill| skill.name == name) {
                continue;
            }
            let by = SkillBy::Configuration;
            match self.ready_skill(&name, &loaded, by, trace).await {
                Ok((skill, notices)) => {
                    told.extend(notices.iter().map(ToString::to_string));
                    let entry = Entry::SkillLoaded { turn: None, call_id: None, by, skill };
                    self.record(vec![entry]).await?;
                }
                Err(problem) => told.push(self.agent.scrubber.current().scrub(&format!(
                    "`skills.always` names `{name}`, which is not loaded: {problem}"
                ))),
            }
        }
        Ok(told)
    }

    /// Takes a skill up because a person wants it, between turns. Returns what hooks have to say.
    pub(super) async fn load_skill(&mut self, name: &str) -> Result<Vec<String>, ChangeError> {
        self.quiet().await?;
        let (loaded, by) = (self.loaded_skills(), SkillBy::Person);
        let ready = self.ready_skill(name, &loaded, by, &Trace::default()).await;
        let (skill, notices) = ready.map_err(|problem| self.refused(problem))?;
        if self.stored == Stored::No {
            self.create(skill.name.clone()).await.map_err(ChangeError::Journal)?;
        }
        self.change(Entry::SkillLoaded { turn: None, call_id: None, by, skill }).await?;
        let scrubber = self.agent.scrubber.current();
        Ok(notices.iter().map(|word| scrubber.scrub(&word.to_string())).collect())
    }

    /// Lays a skill down because a person wants it, between turns.
    pub(super) async fn unload_skill(&mut self, name: String) -> Result<(), ChangeError> {
        self.quiet().await?;
        let loaded = self.loaded_skills();
        skills::is_loaded(&loaded, &name).map_err(|problem| self.refused(problem))?;
        let by = SkillBy::Person;
        self.change(Entry::SkillUnloaded { turn: None, by, name: name.clone() }).await?;
        self.tell(HookPoint::SkillUnload, None, json!({ "skill": name, "by": by.id() }));
        Ok(())
    }

    fn refused(&self, problem: SkillError) -> ChangeError {
        let scrubber = self.agent.scrubber.current();
        ChangeError::Skill(problem.said(|text| scrubber.scrub(text)))
    }

    /// A skill that no model wants loaded beside these.
    async fn ready_skill(
        &self,
        name: &str,
        loaded: &[LoadedSkill],
        by: SkillBy,
        trace: &Trace,
    ) -> Result<(LoadedSkill, Vec<HookWord>), SkillError> {
        if let Some(problem) = skills::full(&self.agent, loaded, name) {
            return Err(problem);
        }
        let found = skills::found(&self.agent, name).await?;
        let context = hooks::context(&self.user, &self.session, TurnId::new(""), trace.clone());
        let of = settings::model_of(&self.agent.config, &self.own);
        skills::ready(&self.agent, of, loaded, context, &found, by).await
    }

    /// Tells of skills that were taken up before and are forgotten now.
    pub(super) async fn tell_of_forgotten(&mut self, before: &[LoadedSkill]) {
        let after = self.loaded_skills();
        for skill in before.iter().filter(|skill| !after.contains(skill)) {
            let event = audit::skill_rewound(&self.user, &self.session, skill);
            if let Err(error) = self.agent.audit.record(event).await {
                tracing::error!(session = %self.session, %error, "an unloaded skill could not be audited");
            }
            let subject = json!({ "skill": skill.name, "by": "rewinding" });
            self.tell(HookPoint::SkillUnload, None, subject);
        }
    }
}
