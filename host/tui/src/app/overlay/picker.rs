//! A list to choose from: letters that are typed look for a row.

use super::panel::activity;
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::protocol::{Found, ModelOffer, SessionInfo, SessionSettings, SkillOffer};

/// A list.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    pub(crate) title: String,
    pub(crate) filter: String,
    pub(crate) rows: Vec<Row>,
    /// Which of the rows that fit is chosen.
    pub(crate) chosen: usize,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) more: String,
    pub(crate) value: Value,
}

/// What is chosen with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A session, and whether it was put away.
    Session(SessionId, bool),
    /// A place in a session.
    Place(SessionId, Option<TurnId>),
    /// A model of a provider.
    Model(String, String),
    /// Something said before.
    Said(String),
    /// A theme.
    Theme(&'static str),
    /// A skill, and whether the session has loaded it.
    Skill(String, bool),
}

impl Picker {
    pub(crate) fn new(title: impl Into<String>, rows: Vec<Row>) -> Self {
        Self { title: title.into(), filter: String::new(), rows, chosen: 0 }
    }

    pub(crate) fn sessions(sessions: &[SessionInfo], archived: bool, now: Option<u64>) -> Self {
        let rows = sessions.iter().map(|info| {
            let short: String = info.session.as_str().chars().take(13).collect();
            let ago = Row::ago(info.updated_ms, now);
            let more = [activity(info.activity), &ago, &format!("{} turns", info.turns), &short]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" · ");
            Row {
                text: info.title.clone(),
                more,
                value: Value::Session(info.session.clone(), archived),
            }
        });
        let title = if archived { "Sessions put away" } else { "Sessions" };
        Self::new(title, rows.collect())
    }

    pub(crate) fn found(words: &str, found: &[Found], now: Option<u64>) -> Self {
        let rows = found.iter().map(|found| Row {
            text: found.excerpt.clone(),
            more: format!("{} · {}", found.title, Row::ago(found.at_ms, now)),
            value: Value::Place(found.session.clone(), found.turn.clone()),
        });
        Self::new(format!("Found for {words}"), rows.collect())
    }

    pub(crate) fn models(models: &[ModelOffer], settings: &SessionSettings) -> Self {
        let rows = models.iter().map(|offer| {
            let title = offer.title.as_deref().filter(|title| *title != offer.model);
            let window = offer.context_tokens.map(super::panel::tokens);
            let more = [
                Some(offer.provider.clone()),
                title.map(str::to_owned),
                window.map(|tokens| format!("takes {tokens}")),
                offer.default.then(|| "of the configuration".to_owned()),
            ];
            Row {
                text: offer.model.clone(),
                more: more.into_iter().flatten().collect::<Vec<_>>().join(" · "),
                value: Value::Model(offer.provider.clone(), offer.model.clone()),
            }
        });
        let mut picker = Self::new("Models", rows.collect());
        picker.chosen = models
            .iter()
            .position(|offer| Some(&offer.model) == settings.model.as_ref())
            .unwrap_or(0);
        picker
    }

    pub(crate) fn skills(skills: &[SkillOffer]) -> Self {
        let rows = skills.iter().map(|skill| Row {
            text: skill.name.clone(),
            more: match &skill.problem {
                _ if skill.loaded => format!("loaded · {}", skill.description),
                Some(problem) => format!("cannot be loaded: {problem}"),
                None if skill.always => format!("always · {}", skill.description),
                None => skill.description.clone(),
            },
            value: Value::Skill(skill.name.clone(), skill.loaded),
        });
        Self::new("Skills: Enter loads one, or unloads it", rows.collect())
    }

    /// Rows that fit what was typed, those that begin so before the others.
    pub(crate) fn fitting(&self) -> Vec<&Row> {
        let typed = self.filter.trim_start().to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let fits = |row: &&Row| {
            let text = format!("{} {}", row.text, row.more).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        let mut rows: Vec<&Row> = self.rows.iter().filter(fits).collect();
        if !typed.is_empty() {
            rows.sort_by_key(|row| !row.text.to_lowercase().starts_with(&typed));
        }
        rows
    }

    pub(crate) fn step(&mut self, by: isize) {
        let last = self.fitting().len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }

    /// What is chosen.
    pub(crate) fn value(&self) -> Option<Value> {
        self.fitting().get(self.chosen).map(|row| row.value.clone())
    }
}
