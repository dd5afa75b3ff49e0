//! `skills.*`: what is loaded from the start, and how much of skills a model reads.

use super::{Tested, check, run};
use crate::support::hydroid::Home;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("skills.always", always),
    ("skills.index_chars", index_chars),
    ("skills.max_chars", max_chars),
    ("skills.max_loaded", max_loaded),
];

#[test]
fn settings_of_skills_have_an_effect() {
    let home = Home::new();
    for name in ["trip", "walks"] {
        let file = format!("---\nname: {name}\ndescription: For {name}.\n---\nPack socks first.\n");
        home.write(&format!("skills/{name}/SKILL.md"), &file);
    }
    check(&home, TESTED);
}

const LOAD: [&str; 2] = ["ask", "call skill_load {\"name\":\"trip\"}"];

fn always(home: &Home) {
    let always = ["skills.always=[\"walks\"]"];
    run(home, &always, &["ask", "say hello"]).code(0).tells("the skill `walks` is loaded");
    run(home, &always, &["skill", "list"]).says("walks  always");
    let gone = ["skills.always=[\"walk\"]"];
    run(home, &gone, &["ask", "say hello"]).code(0).tells("did you mean `walks`");
    run(home, &gone, &["doctor"])
        .code(1)
        .says("`skills.always` names `walk`: there is no skill `walk`")
        .says("hydroid config set skills.always '[]'");
    run(home, &["skills.always=[\"a/b\"]"], &["ask", "say hello"])
        .code(2)
        .tells("no name of a skill");
}

fn index_chars(home: &Home) {
    run(home, &[], &LOAD).code(0).tells("is loaded");
    // With none named the tools are not offered.
    run(home, &["skills.index_chars=0"], &LOAD).says("`skill_load`, which is not offered to me");
}

fn max_chars(home: &Home) {
    run(home, &["skills.max_chars=5"], &LOAD)
        .tells("have 17 characters, and `skills.max_chars` is 5");
    run(home, &["skills.max_chars=0"], &LOAD).code(2).tells("`skills.max_chars` is from 1 to");
}

fn max_loaded(home: &Home) {
    let one = ["skills.max_loaded=1", "skills.always=[\"walks\"]"];
    run(home, &one, &LOAD).tells("`skills.max_loaded` is 1, and these are loaded: walks");
    run(home, &["skills.max_loaded=0"], &LOAD).code(2).tells("`skills.max_loaded` is from 1");
}
