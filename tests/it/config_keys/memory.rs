//! `memory.*`: what the doctor says of the component that makes vectors.

use super::{Tested, check, run};
use crate::support::hydroid::Home;

pub(super) const TESTED: &[Tested<Home>] = &[("memory.embedder", embedder)];

#[test]
fn settings_of_the_memory_have_an_effect() {
    check(&Home::new(), TESTED);
}

fn embedder(home: &Home) {
    let doctor = |setting: &str| run(home, &[setting], &["doctor"]);
    run(home, &[], &["doctor"])
        .code(0)
        .says("by embedder-model2vec with the model all-MiniLM-L6-v2");
    doctor("memory.embedder=embedder-hash")
        .code(0)
        .says("vectors of 256 numbers are made by embedder-hash with the model blake3-words");
    doctor("memory.embedder=none").code(0).says("by keywords alone");
    doctor("memory.embedder=embedder-hsah").code(1).says("did you mean `embedder-hash`");
    doctor("memory.embedder=tool-time").code(1).says("makes no vectors");
}
