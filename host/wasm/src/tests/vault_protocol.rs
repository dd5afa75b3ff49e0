//! The vault copy as a state machine: whatever is cut off, crashes, is meddled with or runs side
//! by side, what is seen afterwards is one of the states it may be in.

use super::{Scene, context, scene, text};
use futures_util::FutureExt;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::id::CallId;
use hydroid_core::ports::Tools;
use hydroid_core::tool::{ToolCall, ToolOutput};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Where an operation stands, as the audit log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its read step was begun, and may have left its bytes with the host.
    Reading,
    /// The read step is over and the whole was written by the write step into what is held back;
    /// the file is made now.
    Writing,
    /// It failed, and said so.
    Failed,
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What happens to an operation besides its own steps.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing.
    None,
    /// It is dropped when it was polled this often.
    Cancel(u64),
    /// The audit log takes this many events, then the disk is full.
    Crash(u64),
    /// Somebody writes the item or the target when it was polled this often.
    Meddle { polls: u64, with_target: bool },
}

#[tokio::test]
async fn whatever_happens_a_copy_is_whole_or_not_there() {
    let scene = scene(&["tool-vault-read", "tool-vault-write"], "");
    let vault = scene.directory.path().join("workspace/vault");
    let mut dice = Dice(11);
    let mut ended = BTreeMap::<&str, u32>::new();
    let mut operations = std::collections::BTreeSet::new();
    for round in 0..120 {
        let item: Vec<u8> =
            (0..dice.throw(900_000)).map(|n| (n ^ round).to_le_bytes()[0]).collect();
        let old = (dice.throw(2) == 0).then(|| format!("old {round}").into_bytes());
        let overwrite = dice.throw(2) == 0;
        std::fs::write(vault.join("item"), &item).unwrap();
        let target = scene.shared().join("target");
        let _ = std::fs::remove_file(&target);
        if let Some(old) = &old {
            std::fs::write(&target, old).unwrap();
        }
        scene.records.audited.lock().unwrap().clear();
        *scene.records.audits_left.lock().unwrap() = usize::MAX;
        let fate = match dice.throw(5) {
            0 => Fate::None,
            1 | 2 => Fate::Cancel(dice.throw(9)),
            3 => Fate::Crash(dice.throw(3)),
            _ => Fate::Meddle { polls: dice.throw(8), with_target: dice.throw(2) == 0 },
        };
        let output = go(&scene, overwrite, fate).await;

        let meddled = matches!(fate, Fate::Meddle { .. });
        let now = std::fs::read(&target).ok();
        let is_item = now.as_deref() == Some(&item[..]);
        let meddler = now.as_deref() == Some(MEDDLER);
        let whole = is_item || now == old || (meddled && meddler);
        assert!(
            whole,
            "round {round}, {fate:?}: half written, {:?} bytes",
            now.map(|now| now.len())
        );
        let audited = scene.records.audited.lock().unwrap().clone();
        let stages = stages(&audited);
        assert!(stages.len() <= 1, "{audited:?}");
        for (operation, stages) in &stages {
            assert!(operations.insert(operation.clone()), "{operation} was used before");
            // Never written before it was read, and never read again after.
            let expect: [&[Stage]; 4] = [
                &[Stage::Reading],
                &[Stage::Reading, Stage::Failed],
                &[Stage::Reading, Stage::Writing],
                &[Stage::Reading, Stage::Writing, Stage::Failed],
            ];
            assert!(expect.contains(&stages.as_slice()), "round {round}, {fate:?}: {stages:?}");
        }
        match &output {
            Some(output) if !output.is_error => {
                assert!(is_item || meddler, "round {round}: said to be copied, and is not");
                assert!(old.is_none() || overwrite || meddled, "round {round}: replaced unasked");
                *ended.entry("copied").or_default() += 1;
            }
            Some(output) => {
                assert!(!is_item || old.as_deref() == Some(&item[..]), "round {round}: {output:?}");
                *ended.entry("refused").or_default() += 1;
            }
            None => {
                // Dropped before the file was made, or after; never in the middle.
                let written = stages.values().any(|stages| stages.contains(&Stage::Writing));
                assert!(!is_item || written, "round {round}: written without a record");
                *ended.entry("dropped").or_default() += 1;
            }
        }
        let left: Vec<_> = std::fs::read_dir(scene.shared())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "target")
            .collect();
        assert!(left.is_empty(), "round {round}, {fate:?}: {left:?}");
    }
    for outcome in ["copied", "refused", "dropped"] {
        assert!(ended.get(outcome).is_some_and(|count| *count >= 10), "{ended:?}");
    }
}

const MEDDLER: &[u8] = b"somebody else was here";

/// One copy, under its fate; none if it was dropped.
async fn go(scene: &Scene, overwrite: bool, fate: Fate) -> Option<ToolOutput> {
    let arguments =
        format!(r#"{{"source":"/vault/item","target":"/shared/target","overwrite":{overwrite}}}"#);
    let call = ToolCall { id: CallId::new("c"), name: "vault_copyto".into(), arguments };
    let mut checked = scene.catalog.check(&call).unwrap();
    checked.preview = scene.catalog.preview(checked.clone(), context()).await;
    if let Fate::Crash(events) = fate {
        *scene.records.audits_left.lock().unwrap() = usize::try_from(events).unwrap();
    }
    let mut running = scene.catalog.run(checked, context());
    let mut polls = 0;
    std::future::poll_fn(move |context| {
        match fate {
            Fate::Cancel(most) if polls >= most => return std::task::Poll::Ready(None),
            Fate::Meddle { polls: when, with_target } if polls == when => {
                let place = if with_target { "shared/target" } else { "vault/item" };
                let place = scene.directory.path().join("workspace").join(place);
                std::fs::write(place, MEDDLER).unwrap();
            }
            Fate::None | Fate::Cancel(_) | Fate::Crash(_) | Fate::Meddle { .. } => {}
        }
        polls += 1;
        running.poll_unpin(context).map(Some)
    })
    .await
}

/// The stages of each operation, in order.
fn stages(audited: &[AuditEvent]) -> BTreeMap<String, Vec<Stage>> {
    let mut stages = BTreeMap::<String, Vec<Stage>>::new();
    for event in audited {
        let stage = match (event.action, event.outcome) {
            (_, AuditOutcome::Failed) => Stage::Failed,
            (AuditAction::VaultRead, _) => Stage::Reading,
            (AuditAction::VaultWritten, _) => Stage::Writing,
            other => panic!("{other:?}"),
        };
        stages.entry(event.rule.clone()).or_default().push(stage);
    }
    stages
}

#[tokio::test]
async fn operations_side_by_side_do_not_mix() {
    let scene = scene(&["tool-vault-read", "tool-vault-write"], "");
    let vault = scene.directory.path().join("workspace/vault");
    let items: Vec<Vec<u8>> = (1..=4_u8).map(|n| vec![n; 100_000 * usize::from(n)]).collect();
    for (n, item) in items.iter().enumerate() {
        std::fs::write(vault.join(n.to_string()), item).unwrap();
    }
    let copy = |n: usize, target: &str| {
        let arguments = format!(r#"{{"source":"/vault/{n}","target":"{target}"}}"#);
        let call = ToolCall { id: CallId::new("c"), name: "vault_copyto".into(), arguments };
        scene.catalog.run(scene.catalog.check(&call).unwrap(), context())
    };
    let all = (0..4).map(|n| copy(n, &format!("/shared/{n}")));
    for output in futures_util::future::join_all(all).await {
        assert!(!output.is_error, "{output:?}");
    }
    for (n, item) in items.iter().enumerate() {
        assert_eq!(std::fs::read(scene.shared().join(n.to_string())).unwrap(), *item);
    }
    let audited = std::mem::take(&mut *scene.records.audited.lock().unwrap());
    let stages = stages(&audited);
    assert_eq!(stages.len(), 4, "each has an identifier of its own: {audited:?}");
    for event in &audited {
        let item = &items[usize::from(
            event.resource.split(' ').next().unwrap().as_bytes().last().unwrap() - b'0',
        )];
        let digest = hex::encode(Sha256::digest(item));
        assert!(event.resource.ends_with(&digest), "{event:?}");
    }

    // Four into one place: one wins as a whole, the others say that something is there.
    let all = (0..4).map(|n| copy(n, "/shared/one"));
    let outputs = futures_util::future::join_all(all).await;
    let won: Vec<usize> = (0..4).filter(|n| !outputs[*n].is_error).collect();
    assert_eq!(won.len(), 1, "{outputs:?}");
    assert_eq!(std::fs::read(scene.shared().join("one")).unwrap(), items[won[0]]);
    for output in outputs.iter().filter(|output| output.is_error) {
        let said = text(output);
        assert!(said.contains("exists already") || said.contains("changed meanwhile"), "{said}");
    }
}
