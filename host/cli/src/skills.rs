//! The person's skills: a folder each in `skills/` of the configuration, which no component reaches.
//! Every file is opened below its folder and through no link, so that nothing outside is read as a
//! part of a skill, whoever moves files meanwhile.

use anyhow::{Context, Result, anyhow, bail};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::exact;
use hydroid_core::ports::{FoundSkill, SkillError, Skills};
use hydroid_core::skill::{self, BadSkill, Skill};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Most bytes of a `SKILL.md`; a book chapter has a tenth.
const LARGEST_FILE: u64 = 1 << 20;

/// Most folders that are looked at.
pub(crate) const MOST_SKILLS: usize = 500;

/// Most files of one skill, and bytes of all of them.
const MOST_FILES: usize = 500;
pub(crate) const LARGEST_SKILL: u64 = 16 << 20;

/// Most entries of a folder that are looked at, whatever they are, and how deep.
const MOST_ENTRIES: usize = 5_000;
const DEEPEST: usize = 16;

/// Folders that hold what others made.
const NOT_OURS: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// Reads them.
pub(crate) struct UserSkills {
    directory: PathBuf,
    /// Where components write: no skill lies there.
    workspace: PathBuf,
    /// What was read, until its file is another.
    read: Mutex<HashMap<String, (Stamp, Option<Skill>)>>,
}

/// By what a file is known to be the one that was read.
type Stamp = (u64, u64, u64, i64, i64);

/// A folder that holds a skill, or should.
pub(crate) struct Folder {
    /// Its name.
    pub(crate) name: String,
    /// What it is, or a sentence that says why it cannot be used.
    pub(crate) found: Result<FoundSkill, String>,
}

/// What is in a folder besides its `SKILL.md`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inside {
    /// Files that belong to the skill, by their paths in it, sorted.
    pub(crate) files: Vec<String>,
    /// What is left out, and why.
    pub(crate) left_out: Vec<String>,
}

impl UserSkills {
    /// Those in a directory, which is not below the workspace.
    pub(crate) fn new(directory: PathBuf, workspace: PathBuf) -> Self {
        Self { directory, workspace, read: Mutex::default() }
    }

    /// Every folder there, by name. A directory that is not there has none.
    pub(crate) fn folders(&self) -> Result<Vec<Folder>> {
        let names = self.names()?.into_iter().take(MOST_SKILLS);
        Ok(names.map(|name| self.folder(name)).collect())
    }

    /// Their names, also those that are too many.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("`{}` cannot be listed", self.directory.display()));
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A folder may be a link to where its author works on it; a link that leads nowhere
            // is to be seen, too.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if !name.starts_with('.') && (is_link || entry.path().is_dir()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn folder(&self, name: String) -> Folder {
        let found = self.outside(&name).and_then(|()| read_folder(&self.place(&name), Some(&name)));
        Folder { found: found.map_err(|error| format!("{error:#}")), name }
    }

    /// Refuses what components could write.
    fn outside(&self, name: &str) -> Result<()> {
        let (Ok(place), Ok(workspace)) =
            (fs::canonicalize(self.place(name)), fs::canonicalize(&self.workspace))
        else {
            return Ok(());
        };
        if place.starts_with(&workspace) {
            bail!(
                "its folder is {}, which is in the workspace, where tools write: a model could give itself orders there; put it elsewhere",
                place.display()
            );
        }
        Ok(())
    }

    /// Where the skill of that name is, or would be.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.names().unwrap_or_default();
        let others = names.iter().map(String::as_str).filter(|other| *other != name);
        let hint = did_you_mean(name, others);
        let name = exact(&name.chars().take(64).collect::<String>());
        format!("there is no skill `{name}`{hint}; `hydroid skill list` shows them")
    }

    /// What a folder's `SKILL.md` says; it is read again once it is another.
    fn known(&self, name: &str) -> Option<Skill> {
        let place = self.place(name);
        let about = fs::symlink_metadata(place.join(skill::FILE)).ok()?;
        let stamp = (about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, skill)) = read.get(name)
            && *of == stamp
        {
            return skill.clone();
        }
        let skill = self.outside(name).and_then(|()| read_skill(&open(&place)?, Some(name))).ok();
        read.insert(name.to_owned(), (stamp, skill.clone()));
        skill
    }
}

impl Skills for UserSkills {
    fn list(&self) -> Vec<Skill> {
        let names = self.names().unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "skills cannot be listed");
            Vec::new()
        });
        names.iter().take(MOST_SKILLS).filter_map(|name| self.known(name)).collect()
    }

    fn unusable(&self) -> Vec<(String, String)> {
        let folders = self.folders().unwrap_or_default().into_iter();
        folders.filter_map(|folder| Some((folder.name, folder.found.err()?))).collect()
    }

    fn read(&self, name: &str) -> Result<FoundSkill, SkillError> {
        // What is no name is no path either.
        if !skill::is_name(name) || fs::symlink_metadata(self.place(name)).is_err() {
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
        // Only what was listed is opened.
        if !found.files.iter().any(|file| file == path) {
            let hint = did_you_mean(path, found.files.iter().map(String::as_str));
            let path: String = path.chars().take(200).collect();
            return Err(SkillError::NotFound(format!(
                "the skill `{name}` has no file `{path}`{hint}"
            )));
        }
        let read = || -> Result<Vec<u8>> {
            let mut file = open_file(&open(&self.place(name))?, path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| {
            tracing::warn!(
                skill = name,
                error = format!("{error:#}"),
                "a file of a skill cannot be read"
            );
            SkillError::Unavailable(format!("`{path}` of the skill `{name}` cannot be read now"))
        })
    }
}

/// A folder that is open.
pub(crate) struct Dir(OwnedFd);

/// How a folder is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder. It may be a link itself; below it none is followed.
pub(crate) fn open(folder: &Path) -> Result<Dir> {
    let opened = rustix::fs::open(folder, FOLDER, Mode::empty());
    opened.map(Dir).with_context(|| format!("`{}` cannot be opened", folder.display()))
}

impl Dir {
    fn inner(&self, name: &str) -> Result<Self> {
        let flags = FOLDER | OFlags::NOFOLLOW;
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    fn kind(&self, name: &str) -> rustix::io::Result<FileType> {
        let about = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(about.st_mode))
    }
}

/// Opens a plain file below a folder, through no link.
fn open_file(folder: &Dir, path: &str) -> Result<fs::File> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    let mut inner: Option<Dir> = None;
    for part in parts {
        inner = Some(inner.as_ref().unwrap_or(folder).inner(part)?);
    }
    // Opening a named pipe would wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let above = inner.as_ref().unwrap_or(folder);
    let file = fs::File::from(rustix::fs::openat(&above.0, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        bail!("`{}` is no plain file", exact(path));
    }
    Ok(file)
}

/// The bytes of a file below a folder, if they are at most so many.
pub(crate) fn read_below(folder: &Dir, path: &str, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(folder, path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        bail!("it has more than {most} bytes, which are the most");
    }
    Ok(bytes)
}

/// What is in a folder. `name` is what it has to be called; its own word counts where there is none.
pub(crate) fn read_folder(folder: &Path, name: Option<&str>) -> Result<FoundSkill> {
    read_dir(&open(folder)?, name)
}

/// The same of a folder that is open.
pub(crate) fn read_dir(folder: &Dir, name: Option<&str>) -> Result<FoundSkill> {
    let skill = read_skill(folder, name)?;
    let files = inside(folder)?.files;
    let mut all = Sha256::new();
    let mut left = LARGEST_SKILL;
    for file in std::iter::once(skill::FILE).chain(files.iter().map(String::as_str)) {
        let bytes = read_below(folder, file, left)
            .with_context(|| format!("its `{}` cannot be read", exact(file)))?;
        left = left.saturating_sub(bytes.len() as u64);
        all.update(Sha256::digest(file.as_bytes()));
        all.update(Sha256::digest(&bytes));
    }
    let digest = format!("sha256:{}", hex::encode(all.finalize()));
    Ok(FoundSkill { files, skill, digest })
}

/// The skill alone.
fn read_skill(folder: &Dir, name: Option<&str>) -> Result<Skill> {
    match folder.kind(skill::FILE) {
        Ok(FileType::RegularFile) => {}
        Ok(_) => bail!("its `{}` is a link or no file; put the file itself there", skill::FILE),
        Err(rustix::io::Errno::NOENT) => bail!("it has no `{}`", skill::FILE),
        Err(error) => bail!("its `{}` cannot be read: {error}", skill::FILE),
    }
    let bytes = read_below(folder, skill::FILE, LARGEST_FILE)
        .with_context(|| format!("its `{}` cannot be read", skill::FILE))?;
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

/// What else is in a folder.
pub(crate) fn inside(folder: &Dir) -> Result<Inside> {
    let mut inside = Inside::default();
    let mut seen = 0;
    look(folder, "", 0, &mut seen, &mut inside)?;
    inside.files.sort();
    inside.left_out.sort();
    if inside.files.len() > MOST_FILES {
        bail!("it has {} files, and {MOST_FILES} are the most", inside.files.len());
    }
    Ok(inside)
}

fn look(
    folder: &Dir,
    above: &str,
    depth: usize,
    seen: &mut usize,
    inside: &mut Inside,
) -> Result<()> {
    if depth > DEEPEST {
        bail!("its folders are more than {DEEPEST} deep");
    }
    for entry in rustix::fs::Dir::read_from(&folder.0)? {
        let entry = entry?;
        let name = entry.file_name().to_str().context("the name of a file is not UTF-8")?;
        if matches!(name, "." | "..") {
            continue;
        }
        *seen += 1;
        if *seen > MOST_ENTRIES {
            bail!("it has more than {MOST_ENTRIES} files and folders; keep fewer");
        }
        // A model reads names, so nothing may hide in them.
        if exact(name) != name {
            bail!("the name of a file has characters that cannot be seen: `{}`", exact(name));
        }
        let path = format!("{above}{name}");
        let kind = folder.kind(name)?;
        let why = match kind {
            FileType::Symlink => "a link",
            _ if name.starts_with('.') => "hidden",
            FileType::Directory if NOT_OURS.contains(&name) => "a folder of what others made",
            FileType::Directory => {
                look(&folder.inner(name)?, &format!("{path}/"), depth + 1, seen, inside)?;
                continue;
            }
            FileType::RegularFile => {
                if path != skill::FILE {
                    inside.files.push(path);
                }
                continue;
            }
            _ => "no plain file",
        };
        inside.left_out.push(format!("{path} ({why})"));
    }
    Ok(())
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
        let skills = UserSkills::new(root.to_owned(), root.join("workspace"));
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
        let none = UserSkills::new(root.join("nowhere"), root.join("workspace"));
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
        let skills = UserSkills::new(root.clone(), directory.path().join("workspace"));
        let found = skills.read("trip").unwrap();
        assert_eq!(found.files, ["a.md"]);
        let inside = inside(&open(&root.join("trip")).unwrap()).unwrap();
        assert_eq!(inside.left_out, ["link.md (a link)", "links (a link)"]);
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

    #[test]
    fn what_is_listed_follows_the_files_and_lies_outside_the_workspace() {
        let directory = tempfile::tempdir().unwrap();
        let (root, workspace) = (directory.path().join("skills"), directory.path().join("ws"));
        lay(&root, &[("trip/SKILL.md", &file("trip"))]);
        lay(&workspace, &[("shared/mine/SKILL.md", &file("mine"))]);
        std::os::unix::fs::symlink(workspace.join("shared/mine"), root.join("mine")).unwrap();
        std::os::unix::fs::symlink("/nowhere", root.join("dangling")).unwrap();
        let skills = UserSkills::new(root.clone(), workspace);
        let names = || skills.list().into_iter().map(|skill| skill.name).collect::<Vec<_>>();
        assert_eq!((names(), names()), (vec!["trip".to_owned()], vec!["trip".to_owned()]));
        let problem = skills.read("mine").unwrap_err().to_string();
        assert!(problem.contains("in the workspace"), "{problem}");
        assert_eq!(skills.folders().unwrap().len(), 3, "a link that leads nowhere is shown");
        fs::write(root.join("trip/SKILL.md"), "no skill any more").unwrap();
        assert!(names().is_empty());
    }

    #[test]
    fn nothing_hides_in_a_folder_and_none_is_walked_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let skills = UserSkills::new(root.to_owned(), root.join("workspace"));
        lay(root, &[("a/SKILL.md", &file("a")), ("a/x\u{202e}.md", "")]);
        assert!(skills.read("a").unwrap_err().to_string().contains("cannot be seen"));
        lay(root, &[("b/SKILL.md", &file("b"))]);
        for number in 0..MOST_ENTRIES {
            fs::create_dir(root.join(format!("b/{number}"))).unwrap();
        }
        assert!(skills.read("b").unwrap_err().to_string().contains("keep fewer"));
        lay(root, &[("c/SKILL.md", &file("c")), ("c/target/x.md", ""), ("c/.x", "")]);
        let found = inside(&open(&root.join("c")).unwrap()).unwrap();
        assert_eq!(found.left_out, [".x (hidden)", "target (a folder of what others made)"]);
        let pipe = root.join("c/pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        assert_eq!(skills.read("c").unwrap().files, Vec::<String>::new());
        assert!(open_file(&open(&root.join("c")).unwrap(), "pipe").is_err());
    }
}
