//! Attacks on paths beside the legitimate cases.

use super::*;
use std::os::unix::fs::symlink;

struct Scene {
    directory: tempfile::TempDir,
    workspace: Workspace,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(&directory.path().join("ws"), false).unwrap();
    std::fs::write(directory.path().join("secret.txt"), "outside").unwrap();
    std::fs::write(directory.path().join("ws/vault/key.txt"), "vault").unwrap();
    std::fs::write(directory.path().join("ws/shared/a.txt"), "inside").unwrap();
    Scene { directory, workspace }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(scene: &Scene, result: Result<T, FileError>, expect: &str) {
    let text = result.expect_err("must be refused").to_string();
    assert!(text.contains(expect), "expected `{expect}` in: {text}");
    assert!(!text.contains(scene.directory.path().to_str().unwrap()), "a host path in: {text}");
}

#[test]
fn files_inside_are_read_in_pieces() {
    let scene = scene();
    assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"inside");
    assert_eq!(scene.workspace.read("/shared/./a.txt", 2, 3).unwrap(), b"sid");
    assert_eq!(scene.workspace.read("/shared//a.txt", 100, 3).unwrap(), b"");
}

#[test]
fn paths_that_lead_out_are_refused() {
    let scene = scene();
    for path in [
        "/shared/../vault/key.txt",
        "/shared/../../secret.txt",
        "/tmp/../shared/a.txt",
        "/shared/x/../../vault/key.txt",
    ] {
        refused(&scene, scene.workspace.read(path, 0, 10), "leads out");
    }
    for path in [
        "/etc/passwd",
        "a.txt",
        "",
        "/",
        "shared/a.txt",
        "/SHARED/a.txt",
        "/Vault/key.txt",
        "/sharedx/a",
    ] {
        refused(&scene, scene.workspace.read(path, 0, 10), "files are under");
    }
    refused(&scene, scene.workspace.read("/vault/key.txt", 0, 10), "in the vault");
    refused(&scene, scene.workspace.read("/shared/a\0b", 0, 10), "NUL");
    refused(
        &scene,
        scene.workspace.read(&format!("/shared/{}", "é".repeat(4000)), 0, 10),
        "longer than",
    );
}

#[test]
fn links_that_lead_out_are_refused_and_links_inside_work() {
    let scene = scene();
    let shared = scene.directory.path().join("ws/shared");
    symlink("../../secret.txt", shared.join("relative")).unwrap();
    symlink(scene.directory.path().join("secret.txt"), shared.join("absolute")).unwrap();
    symlink("../vault", shared.join("vault")).unwrap();
    symlink("a.txt", shared.join("inside")).unwrap();
    symlink("loop", shared.join("loop")).unwrap();
    refused(&scene, scene.workspace.read("/shared/relative", 0, 10), "leads out");
    refused(&scene, scene.workspace.read("/shared/absolute", 0, 10), "leads out");
    refused(&scene, scene.workspace.read("/shared/vault/key.txt", 0, 10), "leads out");
    refused(&scene, scene.workspace.stat("/shared/vault"), "leads out");
    refused(&scene, scene.workspace.list("/shared/vault", 0, 10), "leads out");
    refused(
        &scene,
        scene.workspace.write("/shared/vault/new", b"x", WriteMode::Create),
        "leads out",
    );
    refused(
        &scene,
        scene.workspace.write("/shared/relative", b"x", WriteMode::Append),
        "leads out",
    );
    refused(&scene, scene.workspace.rename("/shared/a.txt", "/shared/vault/a.txt"), "leads out");
    assert!(scene.workspace.read("/shared/loop", 0, 10).is_err());
    assert_eq!(scene.workspace.read("/shared/inside", 0, 10).unwrap(), b"inside");
    assert_eq!(
        std::fs::read_to_string(scene.directory.path().join("secret.txt")).unwrap(),
        "outside"
    );
}

#[test]
fn replacing_a_link_replaces_the_link_and_not_what_it_leads_to() {
    let scene = scene();
    symlink("../../secret.txt", scene.directory.path().join("ws/shared/link")).unwrap();
    scene.workspace.write("/shared/link", b"new", WriteMode::Replace).unwrap();
    assert_eq!(
        std::fs::read_to_string(scene.directory.path().join("secret.txt")).unwrap(),
        "outside"
    );
    assert_eq!(scene.workspace.read("/shared/link", 0, 10).unwrap(), b"new");
}

#[test]
fn a_file_with_hard_links_is_refused_unless_configured() {
    let scene = scene();
    let base = scene.directory.path();
    std::fs::hard_link(base.join("secret.txt"), base.join("ws/shared/hard")).unwrap();
    refused(&scene, scene.workspace.read("/shared/hard", 0, 10), "hard links");
    refused(&scene, scene.workspace.write("/shared/hard", b"x", WriteMode::Append), "hard links");
    refused(&scene, scene.workspace.write("/shared/hard", b"x", WriteMode::Replace), "hard links");
    let open = Workspace::open(&base.join("ws"), true).unwrap();
    assert_eq!(open.read("/shared/hard", 0, 10).unwrap(), b"outside");
}

#[test]
fn a_link_swapped_while_reading_never_leads_out() {
    let scene = scene();
    let shared = scene.directory.path().join("ws/shared");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = symlink("a.txt", shared.join("next"));
                let _ = std::fs::rename(shared.join("next"), shared.join("swap"));
                let _ = symlink("../../secret.txt", shared.join("next"));
                let _ = std::fs::rename(shared.join("next"), shared.join("swap"));
            }
        });
        for _ in 0..5_000 {
            if let Ok(bytes) = scene.workspace.read("/shared/swap", 0, 100) {
                assert_eq!(bytes, b"inside");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_named_pipe_does_not_hold_the_host() {
    let scene = scene();
    let pipe = scene.directory.path().join("ws/shared/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    refused(&scene, scene.workspace.read("/shared/pipe", 0, 10), "not a regular file");
    refused(
        &scene,
        scene.workspace.write("/shared/pipe", b"x", WriteMode::Append),
        "not a regular file",
    );
}

#[test]
fn writing_keeps_what_is_there_unless_told() {
    let scene = scene();
    refused(
        &scene,
        scene.workspace.write("/shared/a.txt", b"x", WriteMode::Create),
        "exists already",
    );
    scene.workspace.write("/shared/a.txt", b"+", WriteMode::Append).unwrap();
    assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"inside+");
    scene.workspace.write("/shared/a.txt", b"new", WriteMode::Replace).unwrap();
    assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"new");
    refused(
        &scene,
        scene.workspace.write("/shared/no/such", b"x", WriteMode::Create),
        "does not exist",
    );
    scene.workspace.make_directory("/shared/no").unwrap();
    scene.workspace.write("/shared/no/such", b"x", WriteMode::Replace).unwrap();
    refused(&scene, scene.workspace.remove_directory("/shared/no"), "is not empty");
    refused(&scene, scene.workspace.rename("/shared/a.txt", "/shared/no/such"), "exists already");
    refused(&scene, scene.workspace.rename("/shared/a.txt", "/tmp/a.txt"), "another root");
    refused(&scene, scene.workspace.remove_directory("/shared"), "is a root");
    refused(&scene, scene.workspace.write("/shared", b"x", WriteMode::Replace), "is a directory");
    refused(&scene, scene.workspace.read("/shared/no", 0, 1), "is a directory");
    scene.workspace.remove_file("/shared/no/such").unwrap();
    scene.workspace.remove_directory("/shared/no").unwrap();
    let names: Vec<String> =
        scene.workspace.list("/shared", 0, 10).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.txt"]);
}

#[test]
fn a_workspace_whose_roots_lead_elsewhere_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    std::fs::create_dir_all(base.join("outside")).unwrap();
    for (name, target) in [
        ("shared", "../outside"),
        ("tmp", "../outside"),
        ("shared", "vault"),
        ("vault", "../outside"),
    ] {
        let workspace = base.join(format!("ws-{name}-{}", target.len()));
        std::fs::create_dir_all(workspace.join("vault-or-not")).unwrap();
        if target == "vault" {
            std::fs::create_dir_all(workspace.join("vault")).unwrap();
        }
        symlink(target, workspace.join(name)).unwrap();
        let error = Workspace::open(&workspace, false).unwrap_err().to_string();
        assert!(error.contains("is a link"), "{name} -> {target}: {error}");
    }
}

#[test]
fn the_real_path_follows_links_inside_and_tells_nothing_of_what_leads_out() {
    let scene = scene();
    let shared = scene.directory.path().join("ws/shared");
    std::fs::create_dir(shared.join("real")).unwrap();
    std::fs::write(shared.join("real/f"), "x").unwrap();
    symlink("real", shared.join("link")).unwrap();
    symlink("link/f", shared.join("chain")).unwrap();
    symlink("nowhere", shared.join("broken")).unwrap();
    symlink("../vault", shared.join("out")).unwrap();
    symlink("../../secret.txt", shared.join("outside")).unwrap();
    symlink(scene.directory.path(), shared.join("absolute")).unwrap();
    symlink("loop", shared.join("loop")).unwrap();
    for (path, expect) in [
        ("/shared", Some("/shared")),
        ("/shared/", Some("/shared")),
        ("/tmp/x", Some("/tmp/x")),
        ("/shared/real/./f", Some("/shared/real/f")),
        ("/shared/link/f", Some("/shared/real/f")),
        ("/shared/chain", Some("/shared/real/f")),
        ("/shared/link/new/deep", Some("/shared/real/new/deep")),
        ("/shared/none/deeper", Some("/shared/none/deeper")),
        // Nothing is written through it, so it is what it is called.
        ("/shared/broken", Some("/shared/broken")),
        ("/shared/out", None),
        ("/shared/out/key.txt", None),
        ("/shared/outside", None),
        ("/shared/absolute/secret.txt", None),
        ("/shared/loop", None),
        ("/shared/../vault/key.txt", None),
        ("/vault/key.txt", None),
        ("/etc/passwd", None),
        ("relative", None),
    ] {
        assert_eq!(scene.workspace.real_path(path).as_deref(), expect, "{path}");
    }
}

#[test]
fn the_vault_tells_names_and_nothing_that_leads_elsewhere() {
    let scene = scene();
    let vault = scene.directory.path().join("ws/vault");
    std::fs::create_dir_all(vault.join("a/b")).unwrap();
    std::fs::write(vault.join("a/b/deep.txt"), "x").unwrap();
    symlink("../../secret.txt", vault.join("link")).unwrap();
    symlink("..", vault.join("up")).unwrap();
    assert_eq!(scene.workspace.vault_names().unwrap(), ["/vault/a/b/deep.txt", "/vault/key.txt"]);
}

#[test]
fn creating_never_replaces_and_leaves_nothing_behind() {
    let scene = scene();
    let shared = scene.directory.path().join("ws/shared");
    symlink("nowhere", shared.join("broken")).unwrap();
    for path in ["/shared/a.txt", "/shared/broken", "/shared"] {
        assert!(scene.workspace.write(path, b"x", WriteMode::Create).is_err(), "{path}");
    }
    scene.workspace.write("/shared/new", b"whole", WriteMode::Create).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&shared)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.txt", "broken", "new"]);
    assert_eq!(std::fs::read(shared.join("a.txt")).unwrap(), b"inside");
}
