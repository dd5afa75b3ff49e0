//! Staged files answer as real ones do, leave the disk alone, and stay small.

use super::{Base, Files, Kind, Node, Staging, Unfinished, Workspace, WriteMode};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

const ROOM: u64 = 1 << 20;

/// A directory with links of every sort, made alike each time.
fn prepared() -> (tempfile::TempDir, Workspace) {
    let directory = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(&directory.path().join("ws"), false).unwrap();
    let shared = directory.path().join("ws/shared");
    std::fs::write(directory.path().join("ws/vault/key"), "vault").unwrap();
    std::fs::create_dir(shared.join("d")).unwrap();
    for name in ["a", "b", "d/a"] {
        std::fs::write(shared.join(name), format!("content of {name}\n")).unwrap();
    }
    symlink("d", shared.join("l")).unwrap();
    symlink("a", shared.join("m")).unwrap();
    symlink("../a", shared.join("d/up")).unwrap();
    symlink("../vault", shared.join("out")).unwrap();
    symlink("nowhere", shared.join("broken")).unwrap();
    // Its other name is out of reach: a staged removal does not lower the count on disk, so what
    // is staged is then refused where the real thing would not be, which is the safe side.
    std::fs::write(directory.path().join("other"), "many names").unwrap();
    std::fs::hard_link(directory.path().join("other"), shared.join("h")).unwrap();
    (directory, workspace)
}

/// Everything below a directory: directories, links and files.
fn tree(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(current) = waiting.pop() {
        for entry in std::fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if metadata.is_dir() {
                waiting.push(path);
                "directory".to_owned()
            } else {
                format!("{:?}", std::fs::read(&path).unwrap())
            };
            found.insert(name, what);
        }
    }
    found
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.throw(texts.len())]
    }
}

const NAMES: [&str; 10] = ["a", "b", "d", "l", "m", "up", "n", "out", "broken", "h"];

fn path(dice: &mut Dice) -> String {
    let root = dice.of(&["/shared", "/shared", "/shared", "/shared", "/tmp", "/vault"]);
    match dice.throw(8) {
        0 => root.to_owned(),
        1..=4 => format!("{root}/{}", dice.of(&NAMES)),
        5 => format!("{root}/{}/../{}", dice.of(&NAMES), dice.of(&NAMES)),
        _ => format!("{root}/{}/{}", dice.of(&NAMES), dice.of(&NAMES)),
    }
}

/// One operation, chosen by the dice, and what came of it in words.
fn operate(files: &mut Files<'_>, dice: &mut Dice) -> (String, String) {
    let (one, other, number) = (path(dice), path(dice), dice.throw(1000));
    let data = format!("written {number}\n");
    let (name, result) = match dice.throw(9) {
        0 => (
            "create",
            files.write(&one, data.as_bytes(), WriteMode::Create).map(|()| String::new()),
        ),
        1 | 2 => (
            "replace",
            files.write(&one, data.as_bytes(), WriteMode::Replace).map(|()| String::new()),
        ),
        3 => (
            "append",
            files.write(&one, data.as_bytes(), WriteMode::Append).map(|()| String::new()),
        ),
        4 => ("make", files.make_directory(&one).map(|()| String::new())),
        5 => ("remove", files.remove_file(&one).map(|()| String::new())),
        6 => ("rmdir", files.remove_directory(&one).map(|()| String::new())),
        7 => ("rename", files.rename(&one, &other).map(|()| String::new())),
        _ => (
            "look",
            Ok(format!(
                "{:?} {:?} {:?}",
                files.read(&one, 0, 1000).ok(),
                files.list(&one, 0, 100).ok().map(|all| all
                    .into_iter()
                    .map(|(name, stat)| (name, stat.kind))
                    .collect::<Vec<_>>()),
                files.stat(&one).ok().map(|stat| (
                    stat.kind,
                    match stat.kind {
                        Kind::File => stat.size,
                        Kind::Directory | Kind::Other => 0,
                    }
                ))
            )),
        ),
    };
    // Texts may differ in how they name a path; whether it is refused may not.
    (format!("{name} {one} {other}"), result.unwrap_or_else(|_| "refused".to_owned()))
}

#[test]
fn staged_and_real_files_answer_and_end_alike() {
    let (mut compared, mut given_up, mut changed) = (0, 0, 0);
    for seed in 0..400 {
        let (real_directory, real) = prepared();
        let (staged_directory, workspace) = prepared();
        let before = tree(staged_directory.path());
        let mut staging = Staging::new(ROOM);
        let mut said = Vec::new();
        for step in 0..12 {
            let mut dice = Dice(seed * 1000 + step);
            let staged = operate(
                &mut Files { workspace: &workspace, staged: Some(&mut staging) },
                &mut dice,
            );
            if staging.gave_up().is_some() {
                break;
            }
            let mut dice = Dice(seed * 1000 + step);
            let direct = operate(&mut Files { workspace: &real, staged: None }, &mut dice);
            said.push(staged.clone());
            assert_eq!(staged, direct, "seed {seed}: {said:#?}");
        }
        assert_eq!(tree(staged_directory.path()), before, "seed {seed}: the disk was touched");
        if staging.gave_up().is_some() {
            given_up += 1;
            continue;
        }
        changed += usize::from(!staging.changes().is_empty());
        staging
            .commit(&workspace)
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?} {said:#?}"));
        assert_eq!(
            tree(staged_directory.path()),
            tree(real_directory.path()),
            "seed {seed}: {said:#?}"
        );
        compared += 1;
    }
    assert!(
        compared > 200 && changed > 150,
        "{compared} compared, {given_up} given up, {changed} changed"
    );
}

#[test]
fn what_changed_since_is_not_overwritten() {
    for meddle in [
        |shared: &Path| std::fs::write(shared.join("a"), "somebody else").unwrap(),
        |shared: &Path| std::fs::remove_file(shared.join("a")).unwrap(),
        |shared: &Path| {
            std::fs::remove_file(shared.join("a")).unwrap();
            symlink("b", shared.join("a")).unwrap();
        },
    ] {
        let (directory, workspace) = prepared();
        let mut staging = Staging::new(ROOM);
        let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
        files.write("/shared/a", b"mine", WriteMode::Replace).unwrap();
        files.write("/shared/d/new", b"mine", WriteMode::Create).unwrap();
        meddle(&directory.path().join("ws/shared"));
        let before = tree(directory.path());
        let refused = staging.commit(&workspace).unwrap_err();
        assert!(
            matches!(&refused, Unfinished::Changed(path) if path == "/shared/a"),
            "{refused:?}"
        );
        assert_eq!(tree(directory.path()), before);
    }
}

#[test]
fn a_change_that_fails_says_what_was_done_before_it() {
    let (directory, workspace) = prepared();
    let mut staging = Staging::new(ROOM);
    let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
    files.write("/shared/a", b"mine", WriteMode::Replace).unwrap();
    files.remove_file("/shared/d/a").unwrap();
    files.remove_file("/shared/d/up").unwrap();
    files.remove_directory("/shared/d").unwrap();
    // Nothing staged is based on this file, and it keeps the directory from going.
    std::fs::write(directory.path().join("ws/shared/d/late"), "x").unwrap();
    let Unfinished::Failed { done, problem } = staging.commit(&workspace).unwrap_err() else {
        panic!("it did not fail")
    };
    assert_eq!(done, ["wrote `/shared/a`", "removed `/shared/d/a`", "removed `/shared/d/up`"]);
    assert!(problem.to_string().contains("not empty"), "{problem}");
}

#[test]
fn the_digest_covers_what_is_written_and_what_it_replaces() {
    let digest = |old: &str, new: &str, path: &str| {
        let (directory, workspace) = prepared();
        std::fs::write(directory.path().join("ws/shared/a"), old).unwrap();
        let mut staging = Staging::new(ROOM);
        let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
        files.write(path, new.as_bytes(), WriteMode::Replace).unwrap();
        staging.digest()
    };
    let same = digest("old", "new", "/shared/a");
    assert_eq!(digest("old", "new", "/shared/./a"), same);
    assert_ne!(digest("other", "new", "/shared/a"), same);
    assert_ne!(digest("old", "newer", "/shared/a"), same);
    assert_ne!(digest("old", "new", "/shared/n"), same);
}

#[test]
fn staging_has_bounds_and_gives_up_at_them() {
    let (_directory, workspace) = prepared();
    let mut staging = Staging::new(ROOM);
    let mut refused = 0;
    for _ in 0..100 {
        let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
        let piece = vec![b'x'; 64 << 10];
        refused += usize::from(files.write("/shared/n", &piece, WriteMode::Append).is_err());
    }
    assert!(refused >= 84 && staging.gave_up().unwrap().contains("too large"), "{refused}");
    let held: usize = staging
        .outcome()
        .map(|(_, _, node)| match node {
            Node::File(content) => content.len(),
            Node::Directory | Node::Gone => 0,
        })
        .sum();
    assert!(held as u64 <= ROOM, "{held}");

    let mut staging = Staging::new(ROOM);
    for number in 0..1000 {
        let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
        let _ = files.make_directory(&format!("/shared/n{number}"));
    }
    assert!(staging.changes().len() <= 256);
    assert!(staging.gave_up().unwrap().contains("one change too many"));

    let mut staging = Staging::new(ROOM);
    let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
    assert!(files.rename("/shared/d", "/shared/e").is_err());
    assert!(staging.gave_up().unwrap().contains("`/shared/d` is moved and is not a file"));
}

#[test]
fn large_files_are_not_held() {
    let (directory, workspace) = prepared();
    let big = std::fs::File::create(directory.path().join("ws/shared/big")).unwrap();
    big.set_len(100 << 20).unwrap();
    let mut staging = Staging::new(ROOM);
    let mut files = Files { workspace: &workspace, staged: Some(&mut staging) };
    files.remove_file("/shared/big").unwrap();
    let (_, base, _) = staging.outcome().next().unwrap();
    assert!(matches!(base, Base::Large { bytes, .. } if *bytes == 100 << 20), "{base:?}");
    big.set_len(101 << 20).unwrap();
    assert!(matches!(staging.commit(&workspace), Err(Unfinished::Changed(_))));
}
