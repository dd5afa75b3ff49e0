//! Which skills a session has taken up, by what its journal says.

use crate::entry::Entry;
use crate::id::TurnId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a session has taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedSkill {
    /// Its name.
    pub name: String,
    /// `sha256:…` of its file.
    pub digest: String,
    /// The instructions as the model reads them, scrubbed.
    pub text: String,
}

/// Who wants a session to take a skill up or to lay it down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillBy {
    /// The model, with a call.
    #[default]
    Model,
    /// `skills.always`.
    Configuration,
    /// A person.
    Person,
}

impl SkillBy {
    /// As hooks and the audit log have it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Configuration => "configuration",
            Self::Person => "person",
        }
    }
}

/// What a session has taken up and not laid down, in that order. What belongs to turns that the
/// conversation forgot is forgotten with them.
pub fn loaded(entries: &[Entry]) -> Vec<&LoadedSkill> {
    Remembered::of(entries).loaded
}

/// Names of skills that a session has laid down, as far as the conversation remembers it.
pub fn unloaded(entries: &[Entry]) -> BTreeSet<&str> {
    Remembered::of(entries).unloaded
}

#[derive(Clone, Default)]
struct Remembered<'a> {
    loaded: Vec<&'a LoadedSkill>,
    unloaded: BTreeSet<&'a str>,
}

impl<'a> Remembered<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let mut now = Self::default();
        let mut before: Vec<(&TurnId, Self)> = Vec::new();
        for entry in entries {
            match entry {
                Entry::TurnStarted { turn, .. } => before.push((turn, now.clone())),
                Entry::Rewound { to } => {
                    let first = match to {
                        Some(to) => before.iter().position(|(turn, _)| *turn == to),
                        None => (!before.is_empty()).then_some(0),
                    };
                    if let Some(first) = first {
                        now = before[first].1.clone();
                        before.truncate(first);
                    }
                }
                Entry::SkillLoaded { skill, .. } => {
                    now.loaded.retain(|known| known.name != skill.name);
                    now.loaded.push(skill);
                    now.unloaded.remove(skill.name.as_str());
                }
                Entry::SkillUnloaded { name, .. } => {
                    now.loaded.retain(|known| known.name != *name);
                    now.unloaded.insert(name);
                }
                _ => {}
            }
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(name: &str, text: &str) -> Entry {
        let skill = LoadedSkill { name: name.into(), digest: "sha256:1".into(), text: text.into() };
        Entry::SkillLoaded { turn: None, call_id: None, by: SkillBy::Configuration, skill }
    }

    fn turn(id: &str) -> Entry {
        Entry::TurnStarted { turn: TurnId::new(id), parts: Vec::new(), key: None }
    }

    #[track_caller]
    fn check(entries: &[Entry], expect: &str) {
        let names: Vec<String> =
            loaded(entries).iter().map(|skill| format!("{}={}", skill.name, skill.text)).collect();
        assert_eq!(names.join(" "), expect);
    }

    #[test]
    fn what_is_loaded_is_what_was_not_laid_down_or_forgotten() {
        let unloaded =
            |name: &str| Entry::SkillUnloaded { turn: None, by: SkillBy::Model, name: name.into() };
        let back = |to: Option<&str>| Entry::Rewound { to: to.map(TurnId::new) };
        check(&[skill("a", "1"), skill("b", "1"), skill("a", "2")], "b=1 a=2");
        check(&[skill("a", "1"), unloaded("a"), unloaded("b")], "");
        let entries = [skill("a", "1"), turn("1"), skill("b", "1"), turn("2"), unloaded("a")];
        check(&entries, "b=1");
        let with = |more: Entry| [entries.to_vec(), vec![more]].concat();
        check(&with(back(Some("2"))), "a=1 b=1");
        check(&with(back(Some("1"))), "a=1");
        check(&with(back(None)), "a=1");
        check(&with(back(Some("9"))), "b=1");
        let forgotten = with(back(Some("2")));
        assert_eq!(super::unloaded(&entries).len(), 1);
        assert!(super::unloaded(&forgotten).is_empty(), "forgotten with its turn");
    }
}
