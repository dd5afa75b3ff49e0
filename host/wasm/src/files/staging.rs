//! What a call would do to files, kept in memory: later operations of the same call see it and
//! the disk does not. Bounded in bytes and changes, and what cannot be tried out makes the whole
//! staging give up rather than show less than would happen.

use super::{FileError, Metadata, MetadataExt, Place, Workspace};
use cap_std::fs::{File, OpenOptions};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Changes one call may make: a person is to look at them.
const MOST_CHANGES: usize = 256;

/// Files up to this size are kept to be compared line by line; of others the digest will do.
const LARGEST_TEXT: u64 = 1 << 20;

/// Files larger than this are told by size and time of change and not read.
const LARGEST_HASHED: u64 = 64 << 20;

/// Bytes of files on disk read for one call.
const MOST_READ: u64 = 256 << 20;

/// Links followed one after another, as on Linux.
const MOST_LINKS: usize = 40;

/// The changes of one call so far.
#[derive(Debug)]
pub(crate) struct Staging {
    /// What is at a path now, by its name without links.
    nodes: BTreeMap<String, Node>,
    /// What was there before the first change; nothing is noted below a directory that is new.
    pub(super) bases: BTreeMap<String, Base>,
    /// In the order they were made.
    changes: Vec<Change>,
    bytes_left: u64,
    read_left: u64,
    gave_up: Option<String>,
}

/// What a path is after the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file with this content.
    File(Arc<Vec<u8>>),
    /// A directory that was not there.
    Directory,
    /// Nothing any more.
    Gone,
}

/// What a path was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// Its size.
        bytes: u64,
        /// SHA-256 of its content, in hexadecimal.
        digest: String,
        /// Its content, if it is small.
        content: Option<Arc<Vec<u8>>>,
    },
    /// A file that is not read: it is too large, or has several names.
    Large {
        /// Its size.
        bytes: u64,
        /// Its number and time of change, which stand for its content.
        identity: (u64, i64, i64),
    },
    /// A link, or what is neither file nor directory.
    Link(PathBuf),
    /// A directory.
    Directory,
    /// A pipe, a socket or a device.
    Other,
}

/// One change, of a path without links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A directory is made.
    MakeDirectory(String),
    /// A file is written as a whole.
    Write {
        /// Where.
        path: String,
        /// What.
        content: Arc<Vec<u8>>,
        /// Nothing was there.
        is_new: bool,
    },
    /// A file or link is removed.
    RemoveFile(String),
    /// An empty directory is removed.
    RemoveDirectory(String),
    /// A file is renamed.
    Rename {
        /// From where.
        source: String,
        /// To where.
        target: String,
    },
}

/// Where a path leads, with the staged changes counted.
pub(super) struct Spot {
    /// Its name without links.
    pub(super) path: String,
    pub(super) found: Found,
}

/// What is there.
pub(super) enum Found {
    Nothing,
    StagedFile(Arc<Vec<u8>>),
    StagedDirectory,
    /// On disk and untouched. A link only where the last name was not to be followed.
    OnDisk(Metadata),
}

impl Staging {
    /// Nothing yet, with room for this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            nodes: BTreeMap::new(),
            bases: BTreeMap::new(),
            changes: Vec::new(),
            bytes_left: bytes,
            read_left: MOST_READ,
            gave_up: None,
        }
    }

    /// Why not everything the call did is in here.
    pub(crate) fn gave_up(&self) -> Option<&str> {
        self.gave_up.as_deref()
    }

    /// Each path that was touched: what it was, and what it is. Sorted.
    pub(crate) fn outcome(&self) -> impl Iterator<Item = (&str, &Base, &Node)> {
        let base = |path| self.bases.get(path).unwrap_or(&Base::Absent);
        self.nodes.iter().map(move |(path, node)| (path.as_str(), base(path), node))
    }

    /// The changes in order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// SHA-256 over everything that would be written and what it replaces.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for (path, base) in &self.bases {
            field(path.as_bytes());
            match base {
                Base::Absent => field(b"absent"),
                Base::File { digest, .. } => field(digest.as_bytes()),
                Base::Large { bytes, identity } => {
                    field(format!("{bytes} {identity:?}").as_bytes());
                }
                Base::Link(target) => field(format!("link {target:?}").as_bytes()),
                Base::Directory => field(b"directory"),
                Base::Other => field(b"other"),
            }
        }
        for change in &self.changes {
            match change {
                Change::MakeDirectory(path) => [b"make", path.as_bytes()].map(&mut field),
                Change::RemoveFile(path) => [b"remove", path.as_bytes()].map(&mut field),
                Change::RemoveDirectory(path) => [b"rmdir", path.as_bytes()].map(&mut field),
                Change::Rename { source, target } => {
                    field(b"rename");
                    [source.as_bytes(), target.as_bytes()].map(&mut field)
                }
                Change::Write { path, content, is_new } => {
                    field(if *is_new { b"create" } else { b"replace" });
                    [path.as_bytes(), content.as_slice()].map(&mut field)
                }
            };
        }
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }

    /// Remembers why the call cannot be tried out; the error is what the component hears.
    pub(super) fn give_up(&mut self, path: &str, problem: &str) -> FileError {
        let error = FileError::Untried { path: path.to_owned(), problem: problem.to_owned() };
        self.gave_up.get_or_insert_with(|| error.to_string());
        error
    }

    /// Takes from the room there is.
    pub(super) fn reserve(&mut self, path: &str, bytes: u64) -> Result<(), FileError> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => return Err(self.give_up(path, "makes the changes too large")),
        }
        Ok(())
    }

    /// Makes a change: what the path was is remembered once, what it is replaces the last.
    pub(super) fn change(
        &mut self,
        workspace: &Workspace,
        path: &str,
        node: Node,
        change: Option<Change>,
    ) -> Result<(), FileError> {
        if self.changes.len() >= MOST_CHANGES || path.len() > super::MAX_PATH {
            return Err(self.give_up(path, "is one change too many"));
        }
        let place = workspace.place(path)?;
        let inner = place.inner.as_path();
        // What is on disk below a directory that is made here is below something else.
        if !self.bases.contains_key(path) && !self.is_in_a_new_directory(&place, inner)? {
            let base = self.base(workspace, path)?;
            self.bases.insert(path.to_owned(), base);
        }
        self.nodes.insert(path.to_owned(), node);
        self.changes.extend(change);
        Ok(())
    }

    /// Adds to a file of which the last change is the whole content, without copying it.
    pub(super) fn append(&mut self, path: &str, data: &[u8]) -> bool {
        let Some(Change::Write { path: last, .. }) = self.changes.last() else { return false };
        if last != path {
            return false;
        }
        let Some(Change::Write { path: last, content, is_new }) = self.changes.pop() else {
            return false;
        };
        drop(content);
        let Some(Node::File(content)) = self.nodes.get_mut(path) else { return false };
        Arc::make_mut(content).extend_from_slice(data);
        self.changes.push(Change::Write { path: last, content: content.clone(), is_new });
        true
    }

    /// What is on disk at a path without links.
    pub(super) fn base(&mut self, workspace: &Workspace, path: &str) -> Result<Base, FileError> {
        let place = workspace.place(path)?;
        let metadata = match place.root.symlink_metadata(&place.inner) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Base::Absent),
            Err(error) => return Err(place.error(&error)),
        };
        if metadata.is_symlink() {
            let target = place.root.read_link_contents(&place.inner);
            return target.map(Base::Link).map_err(|error| place.error(&error));
        }
        if metadata.is_dir() {
            return Ok(Base::Directory);
        }
        if !metadata.is_file() {
            return Ok(Base::Other);
        }
        let identity = (metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
        let unread = Base::Large { bytes: metadata.len(), identity };
        if metadata.len() > LARGEST_HASHED {
            return Ok(unread);
        }
        let Some(left) = self.read_left.checked_sub(metadata.len()) else {
            return Err(self.give_up(path, "is one large file too many"));
        };
        self.read_left = left;
        // One with several names, or that only others may read, is not read here either.
        let Ok(file) = workspace.open_regular(&place, OpenOptions::new().read(true)) else {
            return Ok(unread);
        };
        let keep = metadata.len() <= LARGEST_TEXT.min(self.bytes_left);
        let (bytes, digest, content) =
            read(file, metadata.len(), keep).map_err(|error| place.error(&error))?;
        if keep {
            self.bytes_left = self.bytes_left.saturating_sub(bytes);
        }
        Ok(Base::File { bytes, digest, content: content.map(Arc::new) })
    }

    /// Follows a path through links on disk and staged changes alike.
    pub(super) fn locate(
        &self,
        workspace: &Workspace,
        path: &str,
        follow_last: bool,
    ) -> Result<Spot, FileError> {
        let place = workspace.place(path)?;
        let escape = || FileError::Escape { path: place.shown.clone() };
        let mut real = PathBuf::new();
        let mut todo: VecDeque<OsString> =
            place.inner.iter().map(std::ffi::OsStr::to_os_string).collect();
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                if !real.pop() {
                    return Err(escape());
                }
                continue;
            }
            let next = real.join(&name);
            let is_last = todo.is_empty();
            match self.at(&place, &next)? {
                Found::OnDisk(metadata) if metadata.is_symlink() && (follow_last || !is_last) => {
                    links += 1;
                    let target = place
                        .root
                        .read_link_contents(&next)
                        .map_err(|error| place.error(&error))?;
                    if links > MOST_LINKS {
                        return Err(escape());
                    }
                    prepend(&mut todo, &target).ok_or_else(escape)?;
                }
                Found::StagedDirectory => real = next,
                Found::OnDisk(metadata) if metadata.is_dir() => real = next,
                found if is_last => return Ok(Spot { path: virtual_path(&place, &next)?, found }),
                Found::Nothing => return Err(FileError::NotFound { path: place.shown }),
                Found::StagedFile(_) | Found::OnDisk(_) => {
                    return Err(FileError::Kind {
                        path: place.shown,
                        problem: "is not a directory, or goes through a file",
                    });
                }
            }
        }
        let found = if real.as_os_str().is_empty() {
            Found::OnDisk(place.root.dir_metadata().map_err(|error| place.error(&error))?)
        } else {
            self.at(&place, &real)?
        };
        Ok(Spot { path: virtual_path(&place, &real)?, found })
    }

    /// What is at a path whose directory has no links in its name.
    fn at(&self, place: &Place<'_>, inner: &Path) -> Result<Found, FileError> {
        match self.nodes.get(&virtual_path(place, inner)?) {
            Some(Node::File(content)) => Ok(Found::StagedFile(content.clone())),
            Some(Node::Directory) => Ok(Found::StagedDirectory),
            Some(Node::Gone) => Ok(Found::Nothing),
            // What is on disk there belongs to what was in the directory's place.
            None if self.is_in_a_new_directory(place, inner)? => Ok(Found::Nothing),
            None => match place.root.symlink_metadata(inner) {
                Ok(metadata) => Ok(Found::OnDisk(metadata)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Nothing),
                Err(error) => Err(place.error(&error)),
            },
        }
    }

    fn is_in_a_new_directory(&self, place: &Place<'_>, inner: &Path) -> Result<bool, FileError> {
        for above in inner.ancestors().skip(1) {
            if self.nodes.get(&virtual_path(place, above)?) == Some(&Node::Directory) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names in a directory that staged changes put there or took away.
    pub(super) fn children<'a>(
        &'a self,
        directory: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.nodes.iter().filter_map(move |(path, node)| {
            let (parent, name) = path.rsplit_once('/')?;
            (parent == directory).then_some((name, node))
        })
    }
}

impl Spot {
    pub(super) fn is_directory(&self) -> bool {
        match &self.found {
            Found::StagedDirectory => true,
            Found::OnDisk(metadata) => metadata.is_dir(),
            Found::Nothing | Found::StagedFile(_) => false,
        }
    }
}

/// Puts the names of a link's target before what is left of a path; none if it is absolute.
fn prepend(todo: &mut VecDeque<OsString>, target: &Path) -> Option<()> {
    for component in target.components().rev() {
        match component {
            Component::Normal(name) => todo.push_front(name.to_os_string()),
            Component::ParentDir => todo.push_front("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(())
}

fn virtual_path(place: &Place<'_>, inner: &Path) -> Result<String, FileError> {
    let problem = "it leads through a name that is not text";
    let text = inner.to_str().ok_or(FileError::BadPath { path: place.shown.clone(), problem })?;
    Ok(if text.is_empty() { place.name.to_owned() } else { format!("{}/{text}", place.name) })
}

/// Size and digest of a file that had `expected` bytes, and its content if it is to be kept.
fn read(
    mut file: File,
    expected: u64,
    keep: bool,
) -> std::io::Result<(u64, String, Option<Vec<u8>>)> {
    let mut hasher = Sha256::new();
    let mut content = keep.then(Vec::new);
    let mut piece = vec![0; 64 << 10];
    let mut bytes = 0_u64;
    // One that grows while it is read would never end.
    while bytes <= expected {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        if let Some(content) = &mut content {
            content.extend_from_slice(&piece[..read]);
        }
        bytes += read as u64;
    }
    Ok((bytes, hex::encode(hasher.finalize()), content))
}
