//! How well memory finds, on a public set, through the built binary: no worse than its floor, and
//! no worse together than by its best way alone. All sets and ways are in `cargo xtask eval memory`.

use crate::root;
use crate::support::hydroid::Home;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

/// Least nDCG@10 on Cranfield by words alone, and with an embedder.
const BY_WORDS: f64 = 0.40;
const BY_MEANING: f64 = 0.42;

/// Rounding.
const SLACK: f64 = 0.000_5;

fn unpacked(name: &str) -> String {
    let path = root().join("tests/fixtures/retrieval/cranfield").join(name);
    let mut text = String::new();
    let file = File::open(path).expect("a fixture");
    GzDecoder::new(file).read_to_string(&mut text).expect("a fixture is packed text");
    text
}

fn relevant() -> BTreeMap<String, BTreeSet<String>> {
    let mut relevant: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in unpacked("relevant.jsonl.gz").lines() {
        let line: Value = serde_json::from_str(line).expect("a judgement");
        if line["grade"].as_i64() > Some(0) {
            let text = |name: &str| line[name].as_str().expect("a name").to_owned();
            relevant.entry(text("query")).or_default().insert(text("document"));
        }
    }
    relevant
}

/// Mean nDCG@10, a document being relevant or not.
fn ndcg(home: &Home, settings: &[&str]) -> f64 {
    let path = |name: &str| home.path(name).to_str().expect("a temporary path is UTF-8").to_owned();
    let (documents, queries) = (path("documents"), path("queries"));
    let command = ["memory", "bench", &documents, &queries];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let ran = home.run(&settings.chain(command).collect::<Vec<_>>()).code(0);
    let relevant = relevant();
    let scores: Vec<f64> = ran
        .stdout
        .lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let wanted = relevant.get(line["query"].as_str().expect("a query"))?;
            let found = line["results"].as_array().expect("results");
            assert!(found.len() <= 10, "{line}");
            let gain = |at: usize| 1.0 / (at as f64 + 2.0).log2();
            let is_relevant = |hit: &Value| wanted.contains(hit["id"].as_str().unwrap_or_default());
            let got: f64 = found
                .iter()
                .enumerate()
                .filter(|(_, hit)| is_relevant(hit))
                .map(|(at, _)| gain(at))
                .sum();
            let best: f64 = (0..wanted.len().min(10)).map(gain).sum();
            Some(got / best)
        })
        .collect();
    assert!(scores.len() > 150, "{} queries", scores.len());
    scores.iter().sum::<f64>() / scores.len() as f64
}

#[test]
fn together_the_ways_find_at_least_what_the_best_of_them_finds() {
    let home = Home::new();
    for name in ["documents", "queries"] {
        home.write(name, &unpacked(&format!("{name}.jsonl.gz")));
    }
    let status = home.run(&["memory", "status", "--json"]).code(0).stdout;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let floor = if status["embedder"].is_null() { BY_WORDS } else { BY_MEANING };
    let together = ndcg(&home, &[]);
    assert!(together >= floor, "nDCG@10 is {together:.3}, and {floor} is the floor");
    let words = [
        "memory.weights.keyword_window=0.0",
        "memory.weights.vector=0.0",
        "memory.weights.vector_window=0.0",
    ];
    let words = ndcg(&home, &words);
    assert!(together + SLACK >= words, "together {together:.3}, by words alone {words:.3}");
    if !status["embedder"].is_null() {
        let meaning =
            ndcg(&home, &["memory.weights.keyword=0.000001", "memory.weights.keyword_window=0.0"]);
        assert!(
            together + SLACK >= meaning,
            "together {together:.3}, by meaning alone {meaning:.3}"
        );
    }
}

#[test]
fn a_line_that_is_wrong_is_named_and_no_words_are_no_failure() {
    let home = Home::new();
    let path = |name: &str| home.path(name).to_str().expect("UTF-8").to_owned();
    let line = |id: &str, text: &str| format!("{}\n", json!({ "id": id, "text": text }));
    home.write("d", &(line("a", "the ferry leaves") + &line("b", "") + &line("c", "\0")));
    home.write("q", &(line("1", "ferry?") + "\n" + &line("2", "") + &line("3", "\"*(")));
    let ran = home.run(&["memory", "bench", &path("d"), &path("q"), "--top", "3"]).code(0);
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!((&lines[0]["query"], &lines[0]["results"][0]["id"]), (&json!("1"), &json!("a")));
    assert_eq!((&lines[1]["results"], &lines[2]["results"]), (&json!([]), &json!([])));
    home.write("twice", &(line("a", "x") + &line("a", "y")));
    home.run(&["memory", "bench", &path("twice"), &path("q")]).code(1).tells("line 2 of");
    home.write("wrong", "{\"id\": 1}\n");
    home.run(&["memory", "bench", &path("d"), &path("wrong")]).code(1).tells("line 1 of");
}
