//! `cargo xtask eval memory`: how well memory finds, on public sets, by words, by meaning and by
//! both, through `hydroid memory bench`. It fails below the floors; no time decides anything.

use crate::{cargo, paths};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// The sets, each with the least nDCG@10 of everything together, with and without an embedder.
const SETS: [(&str, f64, f64); 2] = [("cranfield", 0.42, 0.40), ("banking_knowledge", 0.42, 0.42)];

/// What is weighed: words alone, with their neighbours, meaning alone, and all as it is by default.
const WAYS: [(&str, [f64; 4]); 5] = [
    ("words", [1.0, 0.0, 0.0, 0.0]),
    ("words with neighbours", [0.5, 0.5, 0.0, 0.0]),
    ("meaning", [0.000_001, 0.0, 1.0, 0.0]),
    ("meaning with neighbours", [0.000_001, 0.0, 0.5, 0.5]),
    ("together", [f64::NAN; 4]),
];

/// Rounding of the sums below.
const SLACK: f64 = 0.000_5;

/// Measures all sets.
pub(crate) fn memory() -> Result<()> {
    cargo::build_hydroid(&[])?;
    let home = tempfile::tempdir()?;
    println!("| Set | Way | nDCG@10 | recall@10 |\n|---|---|---|---|");
    let mut failed = Vec::new();
    for (set, floor, floor_of_words) in SETS {
        let directory = paths::root().join("tests/fixtures/retrieval").join(set);
        let files = ["documents", "queries"].map(|name| home.path().join(format!("{set}-{name}")));
        for (file, name) in files.iter().zip(["documents", "queries"]) {
            std::fs::write(file, unpacked(&directory.join(format!("{name}.jsonl.gz")))?)?;
        }
        let relevant = relevant(&unpacked(&directory.join("relevant.jsonl.gz"))?)?;
        let mut scores = BTreeMap::new();
        for (way, weights) in WAYS {
            let (ndcg, recall) = measured(home.path(), &files, weights, &relevant)?;
            println!("| {set} | {way} | {ndcg:.3} | {recall:.3} |");
            scores.insert(way, ndcg);
        }
        let by_meaning = scores["meaning"] > 0.0 && scores["meaning"] != scores["words"];
        let together = scores["together"];
        let best = scores.values().copied().fold(0.0, f64::max);
        let floor = if by_meaning { floor } else { floor_of_words };
        if together + SLACK < best {
            failed.push(format!("{set}: together {together:.3} is below the best way, {best:.3}"));
        }
        if together < floor {
            failed.push(format!("{set}: {together:.3} is below {floor}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

type Relevant = BTreeMap<String, BTreeMap<String, f64>>;

fn relevant(text: &str) -> Result<Relevant> {
    let mut relevant = Relevant::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let (query, document) = (line["query"].as_str(), line["document"].as_str());
        let (query, document) = query.zip(document).context("a judgement without names")?;
        if line["grade"].as_i64().is_some_and(|grade| grade > 0) {
            relevant.entry(query.to_owned()).or_default().insert(document.to_owned(), 1.0);
        }
    }
    Ok(relevant)
}

/// Mean nDCG@10 and recall@10 over the queries that have anything relevant.
fn measured(
    home: &Path,
    files: &[std::path::PathBuf; 2],
    weights: [f64; 4],
    relevant: &Relevant,
) -> Result<(f64, f64)> {
    let names = ["keyword", "keyword_window", "vector", "vector_window"];
    let mut command = Command::new(paths::root().join("target/debug/hydroid"));
    command.env("HYDROID_HOME", home).args(["memory", "bench"]).args(files);
    for (name, weight) in names.into_iter().zip(weights).filter(|(_, weight)| !weight.is_nan()) {
        command.args(["--set", &format!("memory.weights.{name}={weight:?}")]);
    }
    let output = command.stderr(Stdio::inherit()).output().context("hydroid cannot be run")?;
    if !output.status.success() {
        bail!("`hydroid memory bench` failed");
    }
    let (mut ndcg, mut recall, mut count) = (0.0, 0.0, 0.0);
    for line in String::from_utf8(output.stdout)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let Some(wanted) = line["query"].as_str().and_then(|query| relevant.get(query)) else {
            continue;
        };
        let found = line["results"].as_array().context("results are a list")?;
        let found: Vec<&str> = found.iter().filter_map(|hit| hit["id"].as_str()).take(10).collect();
        let gains = found.iter().map(|id| wanted.get(*id).copied().unwrap_or(0.0));
        let mut best: Vec<f64> = wanted.values().copied().collect();
        best.sort_by(|a, b| b.total_cmp(a));
        ndcg += discounted(gains.clone()) / discounted(best.into_iter().take(10));
        #[expect(clippy::cast_precision_loss, reason = "a query has few relevant documents")]
        let all = wanted.len() as f64;
        recall += gains.filter(|gain| *gain > 0.0).count() as f64 / all;
        count += 1.0;
    }
    if count < 1.0 {
        bail!("no query was judged");
    }
    Ok((ndcg / count, recall / count))
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    let mut place = 1.0_f64;
    gains
        .map(|gain| {
            place += 1.0;
            gain / place.log2()
        })
        .sum()
}

fn unpacked(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)
        .with_context(|| format!("`{}` cannot be opened", path.display()))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    Ok(text)
}
