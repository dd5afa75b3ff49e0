//! The vectors against those of Model2Vec's own crate, which `tests/oracle.json` holds.

use super::*;

/// `model2vec-rs` 0.2.1 over the files in `model/`: its vector of each text.
const ORACLE: &str = include_str!("tests/oracle.json");

/// Numbers are summed in the same order, so only the last bits may differ.
const TOLERANCE: f32 = 1e-5;

#[test]
fn vectors_are_those_of_model2vecs_own_crate() {
    let cases: Vec<(String, Vec<f32>)> = serde_json::from_str(ORACLE).expect("a list of cases");
    assert!(cases.len() > 30);
    let model = model().expect("a model");
    for (text, expect) in cases {
        let vector = model.vector(&text);
        let off = vector.iter().zip(&expect).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(vector.len() == expect.len() && off < TOLERANCE, "{off} off: {text:?}");
    }
}

#[test]
fn what_means_the_same_is_nearer_than_what_does_not() {
    let model = model().expect("a model");
    let near = |a: &str, b: &str| -> f32 {
        model.vector(a).iter().zip(model.vector(b)).map(|(a, b)| a * b).sum()
    };
    for (text, same, other) in [
        ("how do I reset my password", "forgotten credentials and login", "the weather in April"),
        ("a dog runs in the park", "puppies play outside", "quarterly earnings report"),
        ("the server ran out of memory", "RAM exhaustion on the machine", "a recipe for soup"),
    ] {
        assert!(near(text, same) > near(text, other) + 0.1, "{text}");
    }
}

#[test]
fn a_text_without_a_known_token_is_zero() {
    let model = model().expect("a model");
    for text in ["", " \n\t", "\u{10ffff}\u{200b}", &"x".repeat(101)] {
        assert!(model.vector(text).iter().all(|number| *number == 0.0), "{text:?}");
    }
}
