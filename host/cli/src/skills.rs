//! The person's skills: a folder each in `skills/` of the configuration, which no component reaches.
//! Links are not followed, so that nothing outside a folder is read as a part of it.

use crate::documents;
use anyhow::{Context, Result, anyhow, bail};
use hydroid_core::config::did_you_mean;
use hydroid_core::ports::{FoundSkill, SkillError, Skills};
use hydroid_core::skill::{self, BadSkill, Skill};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Most bytes of a `SKILL.md`; a book chapter has a tenth.
const LARGEST_FILE: u64 = 1 << 20;

/// Most folders that are looked at.
const MOST_SKILLS: usize = 500;

/// Most files of one skill, and bytes of all of them.
const MOST_FILES: usize = 500;
const LARGEST_SKILL: u64 = 16 << 20;

/// Reads them.
pub(crate) struct UserSkills {
    directory: PathBuf,
}

/// A folder that holds a skill, or should.
pub(crate) struct Folder {
    /// Its name.
    pub(crate) name: String,
    /// What it is, or a sentence that says why it cannot be used.
    pub(crate) found: Result<FoundSkill, String>,
}

impl UserSkills {
    /// Those in a directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Every folder there, by name. A directory that is not there has none.
    pub(crate) fn folders(&self) -> Result<Vec<Folder>> {
        Ok(self.names()?.into_iter().map(|name| self.folder(name)).collect())
    }

    fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("`{}` cannot be listed", self.directory.display()));
            }
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A folder may be a link to where its author works on it.
            if !name.starts_with('.') && entry.path().is_dir() {
                names.push(name);
            }
        }
        names.sort();
        names.truncate(MOST_SKILLS);
        Ok(names)
    }

    fn folder(&self, name: String) -> Folder {
        let found = read_folder(&self.directory.join(&name), Some(&name));
        Folder { found: found.map_err(|error| format!("{error:#}")), name }
    }

    /// Where the skill of that name is, or would be.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.names().unwrap_or_default();
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        let name: String = name.chars().take(64).collect();
        format!("there is no skill `{name}`{hint}; `hydroid skill list` shows them")
    }
}

impl Skills for UserSkills {
    fn list(&self) -> Vec<Skill> {
        let names = self.names().unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "skills cannot be listed");
            Vec::new()
        });
        let read = |name: &String| read_skill(&self.place(name), Some(name)).ok();
        names.iter().filter_map(read).collect()
    }

    fn read(&self, name: &str) -> Result<FoundSkill, SkillError> {
        // What is no name is no path either.
        if !skill::is_name(name) || !self.place(name).is_dir() {
            return Err(SkillError::NotFound(self.unknown(name)));
        }
        self.folder(name.to_owned()).found.map_err(|problem| {
            SkillError::Unfit(format!("the skill `{name}` cannot be used: {problem}"))
        })
    }

    fn read_file(
        &self,
        name: &str,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, SkillError> {
        let found = self.read(name)?;
        // Only what was listed is opened: plain files below the folder, reached by no link.
        if !found.files.iter().any(|file| file == path) {
            let hint = did_you_mean(path, found.files.iter().map(String::as_str));
            let path: String = path.chars().take(200).collect();
            return Err(SkillError::NotFound(format!(
                "the skill `{name}` has no file `{path}`{hint}"
            )));
        }
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = fs::File::open(self.place(name).join(path))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| {
            tracing::warn!(skill = name, %error, "a file of a skill cannot be read");
            SkillError::Unavailable(format!("`{path}` of the skill `{name}` cannot be read now"))
        })
    }
}

/// What is in a folder. `name` is what it has to be called; its own word counts where there is none.
pub(crate) fn read_folder(folder: &Path, name: Option<&str>) -> Result<FoundSkill> {
    let skill = read_skill(folder, name)?;
    let files = files(folder)?;
    let digest = digest(folder, &files)?;
    Ok(FoundSkill { files, skill, digest })
}

/// The skill alone: this is read for each request to a model.
fn read_skill(folder: &Path, name: Option<&str>) -> Result<Skill> {
    let path = folder.join(skill::FILE);
    let about = fs::symlink_metadata(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("it has no `{}`", skill::FILE),
        _ => anyhow!("its `{}` cannot be read: {error}", skill::FILE),
    })?;
    if !about.is_file() {
        bail!("its `{}` is a link or no file; put the file itself there", skill::FILE);
    }
    if about.len() > LARGEST_FILE {
        bail!("its `{}` has {} bytes, and {LARGEST_FILE} are the most", skill::FILE, about.len());
    }
    let bytes = fs::read(&path).with_context(|| format!("its `{}` cannot be read", skill::FILE))?;
    let text =
        String::from_utf8(bytes).map_err(|_| anyhow!("its `{}` is not UTF-8", skill::FILE))?;
    Ok(match name {
        Some(name) => Skill::parse(name, &text)?,
        None => match Skill::parse("", &text) {
            Err(BadSkill::Folder { name, .. }) => Skill::parse(&name, &text)?,
            other => other?,
        },
    })
}

/// `sha256:…` of all files of a folder with their paths.
fn digest(folder: &Path, files: &[String]) -> Result<String> {
    let mut all = Sha256::new();
    for file in std::iter::once(skill::FILE).chain(files.iter().map(String::as_str)) {
        let bytes =
            fs::read(folder.join(file)).with_context(|| format!("its `{file}` cannot be read"))?;
        all.update(Sha256::digest(file.as_bytes()));
        all.update(Sha256::digest(&bytes));
    }
    Ok(format!("sha256:{}", hex::encode(all.finalize())))
}

/// Links in a folder, which are no part of its skill.
pub(crate) fn links(folder: &Path) -> Result<Vec<String>> {
    let mut links = Vec::new();
    let mut waiting = vec![fs::canonicalize(folder)?];
    let top = waiting[0].clone();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let (entry, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_symlink() {
                links.push(entry.strip_prefix(&top)?.display().to_string());
            } else if kind.is_dir() && links.len() < MOST_FILES {
                waiting.push(entry);
            }
        }
    }
    links.sort();
    Ok(links)
}

/// The other files of a folder, by their paths in it.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut bytes = 0_u64;
    // A folder that is a link is one all the same; what is below is not followed.
    let folder = fs::canonicalize(folder)?;
    for file in documents::below(&folder)? {
        bytes = bytes.saturating_add(fs::symlink_metadata(&file)?.len());
        let path =
            file.strip_prefix(&folder)?.to_str().context("the name of a file is not UTF-8")?;
        if path.chars().any(char::is_control) {
            bail!("the name of a file has characters that are none");
        }
        if path != skill::FILE {
            files.push(path.to_owned());
        }
    }
    if files.len() > MOST_FILES || bytes > LARGEST_SKILL {
        bail!(
            "it has {} files with {bytes} bytes together; {MOST_FILES} with {LARGEST_SKILL} are the most",
            files.len()
        );
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(directory: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn file(name: &str) -> String {
        format!("---\nname: {name}\ndescription: Does {name}.\n---\nDo it.\n")
    }

    #[test]
    fn folders_are_skills_or_say_why_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        lay(
            root,
            &[
                ("trip/SKILL.md", &file("trip")),
                ("trip/lists/packing.md", "socks"),
                ("trip/.git/config", "x"),
                ("other/SKILL.md", &file("trip")),
                ("empty/notes.md", "x"),
                (".hidden/SKILL.md", &file("hidden")),
                ("file.md", "x"),
            ],
        );
        let skills = UserSkills::new(root.to_owned());
        let folders = skills.folders().unwrap();
        let shown: Vec<String> = folders
            .iter()
            .map(|folder| match &folder.found {
                Ok(found) => format!("{} {:?}", folder.name, found.files),
                Err(problem) => format!("{}: {problem}", folder.name),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "empty: it has no `SKILL.md`",
                "other: it is called `trip` and its folder `other`; give both the same name",
                "trip [\"lists/packing.md\"]"
            ]
        );
        assert_eq!(skills.list().len(), 1);
        let problem = skills.read("trap").unwrap_err().to_string();
        assert!(problem.contains("did you mean `trip`"), "{problem}");
        assert!(matches!(skills.read("../trip"), Err(SkillError::NotFound(_))));
        assert!(matches!(skills.read("other"), Err(SkillError::Unfit(_))));
        let none = UserSkills::new(root.join("nowhere"));
        assert!(none.folders().unwrap().is_empty());
    }

    #[test]
    fn a_file_is_read_piece_by_piece_and_only_one_of_the_folder() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("skills");
        lay(&root, &[("trip/SKILL.md", &file("trip")), ("trip/a.md", "0123456789")]);
        lay(directory.path(), &[("secret", "s")]);
        std::os::unix::fs::symlink(directory.path().join("secret"), root.join("trip/link.md"))
            .unwrap();
        std::os::unix::fs::symlink(directory.path(), root.join("trip/links")).unwrap();
        let skills = UserSkills::new(root.clone());
        let found = skills.read("trip").unwrap();
        assert_eq!(found.files, ["a.md"]);
        assert_eq!(links(&root.join("trip")).unwrap(), ["link.md", "links"]);
        fs::write(root.join("trip/a.md"), "9876543210").unwrap();
        assert_ne!(
            skills.read("trip").unwrap().digest,
            found.digest,
            "another file, another skill"
        );
        fs::write(root.join("trip/a.md"), "0123456789").unwrap();
        assert_eq!(skills.read("trip").unwrap().digest, found.digest);
        assert_eq!(skills.read_file("trip", "a.md", 2, 3).unwrap(), b"234");
        assert_eq!(skills.read_file("trip", "a.md", 10, 3).unwrap(), b"");
        for path in
            ["link.md", "links/secret", "../trip/a.md", "./a.md", "/etc/passwd", "", "SKILL.md"]
        {
            let problem = skills.read_file("trip", path, 0, 9);
            assert!(matches!(problem, Err(SkillError::NotFound(_))), "{path}");
        }
        // Where the file itself is a link, nothing is read.
        fs::remove_file(root.join("trip/SKILL.md")).unwrap();
        std::os::unix::fs::symlink(directory.path().join("secret"), root.join("trip/SKILL.md"))
            .unwrap();
        assert!(skills.read("trip").unwrap_err().to_string().contains("is a link"));
    }
}
