//! A vault copy and `kill -9`: the test runs itself again as a process that copies over and over,
//! kills it at many moments, and looks at what it left. It is no test of power cuts.
#![expect(clippy::disallowed_methods, reason = "the test starts itself as the process it kills")]

use super::{context, scene};
use hydroid_core::id::CallId;
use hydroid_core::ports::Tools;
use hydroid_core::tool::ToolCall;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set for the process that is to be killed.
const COPIER: &str = "HYDROID_TEST_VAULT_COPIER";

/// Separates what the copier says from what the test harness prints around it.
const BEGINS: &str = "begins in ";

/// Large enough that writing it takes a while.
const ITEM: usize = 3_000_000;

/// Copies that are let through before the one that is cut off.
const LET_THROUGH: usize = 3;

fn item(which: u8) -> Vec<u8> {
    vec![which; ITEM + usize::from(which)]
}

/// Does nothing unless the test below starts it.
#[tokio::test]
async fn copier() {
    if std::env::var_os(COPIER).is_none() {
        return;
    }
    let scene = scene(&["tool-vault-read", "tool-vault-write"], "");
    let vault = scene.directory.path().join("workspace/vault");
    for which in 0..2 {
        std::fs::write(vault.join(which.to_string()), item(which)).unwrap();
    }
    for which in (0..2).cycle() {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{BEGINS}{}", scene.directory.path().display()).unwrap();
        out.flush().unwrap();
        drop(out);
        let arguments =
            format!(r#"{{"source":"/vault/{which}","target":"/shared/target","overwrite":true}}"#);
        let call = ToolCall { id: CallId::new("c"), name: "vault_copyto".into(), arguments };
        let mut checked = scene.catalog.check(&call).unwrap();
        checked.preview = scene.catalog.preview(checked.clone(), context()).await;
        let output = scene.catalog.run(checked, context()).await;
        assert!(!output.is_error, "{output:?}");
    }
}

#[test]
fn a_killed_copy_leaves_the_whole_file_or_the_one_before() {
    let mut seen = [0; 2];
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::vault_killed::copier", "--nocapture"])
            .env(COPIER, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix(BEGINS).map(PathBuf::from))
            .nth(LET_THROUGH)
            .expect("the copier copies");
        std::thread::sleep(Duration::from_micros(round * 9_973 % 60_000));
        // SIGKILL on Unix: the process gets no chance to tidy up.
        child.kill().unwrap();
        child.wait().unwrap();
        let shared = begun.join("workspace/shared");
        let target = std::fs::read(shared.join("target")).expect("it was copied before");
        let whole = (0..2).find(|which| target == item(*which));
        let which = whole.unwrap_or_else(|| panic!("round {round}: {} bytes", target.len()));
        seen[usize::from(which)] += 1;
        for left in std::fs::read_dir(&shared).unwrap() {
            let name = left.unwrap().file_name().to_string_lossy().into_owned();
            let documented = name.starts_with(".hydroid-") && name.ends_with(".partial");
            assert!(name == "target" || documented, "round {round}: {name}");
        }
        std::fs::remove_dir_all(begun).unwrap();
    }
    assert_eq!(seen.iter().sum::<u32>(), 12);
}
