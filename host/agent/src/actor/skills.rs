//! Skills of the session an actor owns: what a call, a person and the configuration want of them, and
//! what is forgotten when a conversation is taken back.

use super::recording::parent_of;
use super::{Actor, Loading, Stored};
use crate::session::ChangeError;
use crate::skills::{self, ReadySkill, SkillChange, SkillWish};
use crate::{audit, effects, hooks};
use hydroid_core::entry::Entry;
use hydroid_core::hook::{HookPoint, HookWord};
use hydroid_core::id::TurnId;
use hydroid_core::ports::{SkillError, StoreError};
use hydroid_core::skill::{self, LoadedSkill, SkillBy};
use hydroid_core::telemetry::Trace;
use serde_json::json;
use tokio::sync::oneshot;

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
            let context = hooks::context(&self.user, &self.session, TurnId::new(""), trace.clone());
            let wanted = skills::wanted(&self.agent, &self.own, context, &name, &loaded, by);
            match wanted.await {
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

    /// Begins to take a skill up because a person wants it, between turns. Until it is ready no turn
    /// begins, and a stop or a cancel reaches it.
    pub(super) async fn load_skill(
        &mut self,
        name: String,
        reply: oneshot::Sender<Result<Vec<String>, ChangeError>>,
    ) {
        if let Err(problem) = self.begins().await {
            drop(reply.send(Err(problem)));
            return;
        }
        self.turns += 1;
        let context = self.turn_context(TurnId::new(""), Trace::default());
        let job = effects::ready_skill(&context, name, self.loaded_skills());
        self.loading = Some(Loading { number: self.turns, _job: job, reply });
    }

    /// Sees to it that something can begin between turns.
    async fn begins(&mut self) -> Result<(), ChangeError> {
        if *self.stop.borrow() {
            return Err(ChangeError::Stopped);
        }
        self.quiet().await
    }

    /// Takes up what is ready, and tells what there is to say of it.
    pub(super) async fn skill_ready(&mut self, number: u64, ready: Result<ReadySkill, SkillError>) {
        let Some(Loading { reply, .. }) = self.loading.take_if(|it| it.number == number) else {
            return;
        };
        let taken_up = match ready {
            Ok((skill, words)) => self.take_up(skill, &words).await,
            Err(problem) => Err(self.refused(problem)),
        };
        drop(reply.send(taken_up));
    }

    async fn take_up(
        &mut self,
        skill: LoadedSkill,
        words: &[HookWord],
    ) -> Result<Vec<String>, ChangeError> {
        let scrubber = self.agent.scrubber.current();
        let mut told: Vec<String> =
            words.iter().map(|word| scrubber.scrub(&word.to_string())).collect();
        if self.stored == Stored::No {
            told.push(format!("the skill `{}` is loaded with what you say first", skill.name));
        }
        let by = SkillBy::Person;
        self.change_skills(Entry::SkillLoaded { turn: None, call_id: None, by, skill }).await?;
        Ok(told)
    }

    /// Lays a skill down because a person wants it, between turns. What the configuration would load
    /// at the first turn can be laid down before it.
    pub(super) async fn unload_skill(&mut self, name: String) -> Result<(), ChangeError> {
        self.begins().await?;
        let is_due = self.loads_configured
            && self.agent.config.skills.always.contains(&name)
            && !skill::unloaded(&self.entries).contains(name.as_str());
        let is_loaded = skills::is_loaded(&self.loaded_skills(), &name);
        let was_loaded = is_loaded.is_ok();
        if !is_due {
            is_loaded.map_err(|problem| self.refused(problem))?;
        }
        let by = SkillBy::Person;
        self.change_skills(Entry::SkillUnloaded { turn: None, by, name: name.clone() }).await?;
        if was_loaded {
            self.tell(HookPoint::SkillUnload, None, json!({ "skill": name, "by": by.id() }));
        }
        Ok(())
    }

    /// Records a change of a person's. Where there is no session in the journal yet, it is recorded
    /// with the first turn.
    async fn change_skills(&mut self, entry: Entry) -> Result<(), ChangeError> {
        if self.stored == Stored::No {
            self.entries.push(entry);
            return Ok(());
        }
        self.change(entry).await
    }

    /// Gives up what is being loaded.
    pub(super) fn stop_loading(&mut self, why: ChangeError) {
        if let Some(Loading { reply, .. }) = self.loading.take() {
            drop(reply.send(Err(why)));
        }
    }

    fn refused(&self, problem: SkillError) -> ChangeError {
        let scrubber = self.agent.scrubber.current();
        ChangeError::Skill(problem.said(|text| scrubber.scrub(text)))
    }

    /// Tells of skills that a conversation which was taken back has no longer, or has again.
    pub(super) async fn tell_of_rewound(&mut self, before: &[LoadedSkill]) {
        let after = self.loaded_skills();
        let gone = before.iter().filter(|skill| !after.contains(skill));
        let again = after.iter().filter(|skill| !before.contains(skill));
        let changed = gone.map(|skill| (skill, false)).chain(again.map(|skill| (skill, true)));
        for (skill, is_loaded) in changed {
            let event = audit::skill_rewound(&self.user, &self.session, skill, is_loaded);
            if let Err(error) = self.agent.audit.record(event).await {
                tracing::error!(session = %self.session, %error, "a skill that changed could not be audited");
            }
            if !is_loaded {
                let subject = json!({ "skill": skill.name, "by": "rewinding" });
                self.tell(HookPoint::SkillUnload, None, subject);
            }
        }
    }
}
