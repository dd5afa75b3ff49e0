//! `hydroid:cap/skills`: what a session takes up of the person's skills. Which there are and whether
//! one may be loaded is decided by whoever runs the turn; nothing here reads a file.

use super::error;
use crate::bindings::cap::skills::{self as wit, Host};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::State;
use hydroid_core::ports::{NestedCalls, SessionSkills, SkillError};
use hydroid_core::skill::Skill;
use serde_json::{Map, Value};
use std::sync::Arc;
use wasmtime::Result;

/// Longest name or path, in bytes.
const LONGEST_NAME: usize = 1024;

/// Most bytes of a file in one answer.
const MOST_READ: usize = 1 << 20;

/// Where the call comes from.
type Session = Option<Arc<dyn NestedCalls>>;

impl Host for State {
    async fn list(&mut self) -> Result<Result<Vec<wit::Skill>, Error>> {
        Ok(list(self.call.nested.clone()).await)
    }

    async fn load(&mut self, name: String) -> Result<Result<Vec<String>, Error>> {
        Ok(load(self.call.nested.clone(), name).await)
    }

    async fn unload(&mut self, name: String) -> Result<Result<(), Error>> {
        Ok(unload(self.call.nested.clone(), name).await)
    }

    async fn read(
        &mut self,
        name: String,
        path: String,
        offset: u32,
        length: u32,
    ) -> Result<Result<Vec<u8>, Error>> {
        Ok(read(self.call.nested.clone(), name, path, offset, length).await)
    }
}

async fn list(session: Session) -> Result<Vec<wit::Skill>, Error> {
    let skills = of(session.as_deref())?.list().await.map_err(refused)?;
    Ok(skills.into_iter().map(|(skill, loaded)| about(skill, loaded)).collect())
}

fn about(skill: Skill, loaded: bool) -> wit::Skill {
    let mut details = Map::new();
    if let Some(version) = skill.version {
        details.insert("version".to_owned(), Value::from(version));
    }
    let details_json = (!details.is_empty()).then(|| Value::Object(details).to_string());
    wit::Skill { name: skill.name, description: skill.description, loaded, details_json }
}

async fn load(session: Session, name: String) -> Result<Vec<String>, Error> {
    fits(&name)?;
    of(session.as_deref())?.load(name).await.map_err(refused)
}

async fn unload(session: Session, name: String) -> Result<(), Error> {
    fits(&name)?;
    of(session.as_deref())?.unload(name).await.map_err(refused)
}

async fn read(
    session: Session,
    name: String,
    path: String,
    offset: u32,
    length: u32,
) -> Result<Vec<u8>, Error> {
    fits(&name)?;
    fits(&path)?;
    let length = usize::try_from(length).unwrap_or(MOST_READ).min(MOST_READ);
    of(session.as_deref())?.read(name, path, offset.into(), length).await.map_err(refused)
}

fn fits(name: &str) -> Result<(), Error> {
    if name.len() > LONGEST_NAME {
        let problem = format!("a name or path has at most {LONGEST_NAME} bytes");
        return Err(error(ErrorKind::TooLarge, problem));
    }
    Ok(())
}

fn of(session: Option<&dyn NestedCalls>) -> Result<&dyn SessionSkills, Error> {
    let elsewhere = || {
        let problem = "there is no conversation here that could load a skill: only the calls of its model can";
        error(ErrorKind::Unavailable, problem)
    };
    session.and_then(NestedCalls::skills).ok_or_else(elsewhere)
}

fn refused(problem: SkillError) -> Error {
    let kind = match problem {
        SkillError::NotFound(_) => ErrorKind::NotFound,
        SkillError::Denied(_) => ErrorKind::Denied,
        SkillError::Unfit(_) => ErrorKind::InvalidInput,
        SkillError::Unavailable(_) => ErrorKind::Unavailable,
    };
    error(kind, problem.to_string())
}
