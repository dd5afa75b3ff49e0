//! The ports for skills: those a person keeps, and what a call may do about those of its session.
//! What a skill is stands in [`crate::skill`].

use crate::skill::Skill;
use futures_core::future::BoxFuture;

/// Skills a person keeps.
pub trait Skills: Send + Sync {
    /// All that can be used, by name.
    fn list(&self) -> Vec<Skill>;
    /// Names of the others, and why they cannot be used.
    fn unusable(&self) -> Vec<(String, String)>;
    /// One of them.
    fn read(&self, name: &str) -> Result<FoundSkill, SkillError>;
    /// At most `length` bytes of another file of its folder, from `offset`; none at the end.
    fn read_file(
        &self,
        name: &str,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, SkillError>;
}

/// A skill with its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSkill {
    /// What its file says.
    pub skill: Skill,
    /// `sha256:…` of that file.
    pub digest: String,
    /// Other files of its folder, by their paths in it, sorted.
    pub files: Vec<String>,
}

/// Why nothing can be done about a skill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkillError {
    /// There is none of that name, or no such file in it.
    #[error("{0}")]
    NotFound(String),
    /// It may not be done.
    #[error("{0}")]
    Denied(String),
    /// It cannot be used as it is.
    #[error("{0}")]
    Unfit(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
}

impl SkillError {
    /// The same, said otherwise.
    #[must_use]
    pub fn said(self, how: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::NotFound(text) => Self::NotFound(how(&text)),
            Self::Denied(text) => Self::Denied(how(&text)),
            Self::Unfit(text) => Self::Unfit(how(&text)),
            Self::Unavailable(text) => Self::Unavailable(how(&text)),
        }
    }
}

/// What a call of a session can do about its skills.
pub trait SessionSkills: Send + Sync {
    /// What there is for a model, by name, and whether the session has taken it up.
    fn list(&self) -> BoxFuture<'_, Result<Vec<(Skill, bool)>, SkillError>>;
    /// Takes one up. From the next step on the model reads its instructions; the answer is what
    /// else its folder has.
    fn load(&self, name: String) -> BoxFuture<'_, Result<Vec<String>, SkillError>>;
    /// Lays one down.
    fn unload(&self, name: String) -> BoxFuture<'_, Result<(), SkillError>>;
    /// At most `length` bytes of a file of one that is taken up, from `offset`; none at the end.
    fn read(
        &self,
        name: String,
        path: String,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Vec<u8>, SkillError>>;
}
