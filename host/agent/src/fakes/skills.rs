//! Skills that a test keeps, each a text of its file.

use hydroid_core::ports::{FoundSkill, NestedCalls, SkillError, Skills};
use hydroid_core::skill::Skill;
use hydroid_core::tool::ToolOutput;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[derive(Default)]
pub(crate) struct FakeSkills(Mutex<BTreeMap<String, String>>);

impl FakeSkills {
    /// Keeps a skill with these instructions and these further lines of its head.
    pub(crate) fn keep(&self, name: &str, head: &str, text: &str) {
        let described = if head.contains("description: ") { "" } else { "description: Does it.\n" };
        let described = described.replace("it", name);
        let file = format!("---\nname: {name}\n{described}{head}---\n{text}");
        self.0.lock().unwrap().insert(name.to_owned(), file);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

impl Skills for FakeSkills {
    fn list(&self) -> Vec<Skill> {
        let kept = self.0.lock().unwrap();
        kept.iter().map(|(name, file)| Skill::parse(name, file).unwrap()).collect()
    }

    fn unusable(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn read(&self, name: &str) -> Result<FoundSkill, SkillError> {
        let kept = self.0.lock().unwrap();
        let file = kept.get(name).ok_or_else(|| SkillError::NotFound(format!("no `{name}`")))?;
        let skill = Skill::parse(name, file).unwrap();
        Ok(FoundSkill { skill, digest: "sha256:1".into(), files: vec!["more.md".into()] })
    }

    fn read_file(&self, _: &str, path: &str, _: u64, _: usize) -> Result<Vec<u8>, SkillError> {
        Ok(path.as_bytes().to_vec())
    }
}

/// What the scripted tool does with the skills of its session: `load x`, `unload x`, `read x`, `list`.
pub(super) async fn changed(nested: &dyn NestedCalls, wanted: &Value) -> ToolOutput {
    let skills = nested.skills().unwrap();
    let wanted = wanted.as_str().unwrap();
    let (what, name) = wanted.split_once(' ').unwrap_or((wanted, ""));
    let name = name.to_owned();
    let said = match what {
        "load" => skills.load(name).await.map(|files| files.join(" ")),
        "unload" => skills.unload(name).await.map(|()| "unloaded".to_owned()),
        "read" => skills
            .read(name, "more.md".to_owned(), 0, 100)
            .await
            .map(|bytes| String::from_utf8(bytes).unwrap()),
        _ => skills.list().await.map(|skills| {
            let named = skills.iter().map(|(skill, loaded)| format!("{}:{loaded}", skill.name));
            named.collect::<Vec<_>>().join(" ")
        }),
    };
    said.map_or_else(|problem| ToolOutput::error(problem.to_string()), ToolOutput::text)
}
