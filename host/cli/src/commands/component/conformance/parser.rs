//! The rules for parsers. Documents to try stand in the folder `documents`, each beside the text
//! that is to be found in it: `NAME.ENDING` and `NAME.ENDING.txt`.

use super::Findings;
use crate::commands::component::trial::{Bench, Terms, Trial};
use anyhow::{Context, Result};
use hydroid_wasm::TriedParser;
use std::collections::BTreeSet;
use std::path::Path;

/// The folder with documents.
const DOCUMENTS: &str = "documents";

/// Bytes that are changed in a document, one at a time.
const CHANGES: usize = 60;

/// Places at which a document is cut off.
const CUTS: usize = 20;

/// Tries every rule on a parser component.
pub(in crate::commands::component) async fn parser(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
    folder: &Path,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let again = bench.load(wasm, stem, terms)?;
    let forms: BTreeSet<String> = trial.loaded.reads().cloned().collect();
    if forms.is_empty() {
        findings.broken("it is a parser", format!("it is {}", trial.loaded.role.with_article()));
        return Ok(findings);
    }
    findings.judge(
        "it reads the same forms each time",
        (forms != again.loaded.reads().cloned().collect()).then(|| "say constants".to_owned()),
    );
    let documents = documents(folder, &forms)?;
    let without: Vec<&String> = forms
        .iter()
        .filter(|form| !documents.iter().any(|document| document.is_of(form)))
        .collect();
    findings.judge(
        "each form has a document to try",
        (!without.is_empty()).then(|| {
            let endings = without.iter().map(|form| format!("`.{form}`")).collect::<Vec<_>>();
            format!("put one that ends in {} into `{DOCUMENTS}`", endings.join(", "))
        }),
    );
    for document in &documents {
        let name = &document.name;
        let first = trial.catalog.try_parser(&trial.loaded, name, &document.bytes).await;
        findings.judge(format!("`{name}` is read"), document.compare(&first));
        let second = trial.catalog.try_parser(&trial.loaded, name, &document.bytes).await;
        findings.judge(
            format!("`{name}` has the same text each time"),
            (text(&first) != text(&second)).then(|| "it differs".to_owned()),
        );
        let length = document.bytes.len();
        let cuts = (0..CUTS).map(|n| document.bytes[..length * n / CUTS].to_vec());
        findings.judge(
            format!("`{name}` cut off breaks nothing"),
            broken(&trial, name, cuts.collect()).await,
        );
        let changed = (0..CHANGES.min(length)).map(|n| {
            let mut bytes = document.bytes.clone();
            // Spread over the document; the factor shares nothing with a length by chance.
            bytes[n.wrapping_mul(7919) % length] ^= 0xff;
            bytes
        });
        findings.judge(
            format!("`{name}` with a byte changed breaks nothing"),
            broken(&trial, name, changed.collect()).await,
        );
    }
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = Vec::new();
    for _ in 0..4096 {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        random.extend(noise.to_le_bytes());
    }
    for form in &forms {
        let hostile = vec![
            Vec::new(),
            vec![0],
            b"<".repeat(1 << 16),
            b"PK\x03\x04".repeat(1 << 10),
            vec![0xff; 1 << 20],
            random.clone(),
        ];
        findings.judge(
            format!("what is no document and ends in `.{form}` breaks nothing"),
            broken(&trial, &format!("x.{form}"), hostile).await,
        );
    }
    Ok(findings)
}

struct Document {
    name: String,
    bytes: Vec<u8>,
    /// What is to be found in it; anything at all if nobody wrote it down.
    text: Option<String>,
}

impl Document {
    fn is_of(&self, form: &str) -> bool {
        self.name.rsplit_once('.').is_some_and(|(_, ending)| ending == form)
    }

    fn compare(&self, read: &TriedParser) -> Option<String> {
        let found = match read {
            TriedParser::Read(_) => text(read).unwrap_or_default(),
            TriedParser::Said(problem) | TriedParser::Broke(problem) => {
                return Some(problem.clone());
            }
        };
        match &self.text {
            None if found.trim().is_empty() => Some("no text was found in it".to_owned()),
            Some(text) if text.trim() != found.trim() => {
                Some(format!("expected\n{}\nand found\n{}", text.trim(), found.trim()))
            }
            None | Some(_) => None,
        }
    }
}

/// The documents of a folder, by their names.
fn documents(folder: &Path, forms: &BTreeSet<String>) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder.join(DOCUMENTS)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
        let described =
            name.strip_suffix(".txt").is_some_and(|of| folder.join(DOCUMENTS).join(of).is_file());
        if described || !forms.contains(ending) {
            continue;
        }
        let path = entry.path();
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))
        };
        let text = folder.join(DOCUMENTS).join(format!("{name}.txt"));
        let text = if text.is_file() {
            Some(String::from_utf8_lossy(&read(&text)?).into_owned())
        } else {
            None
        };
        documents.push(Document { bytes: read(&path)?, name, text });
    }
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(documents)
}

fn text(read: &TriedParser) -> Option<String> {
    let TriedParser::Read(document) = read else { return None };
    let sections = document.sections.iter().map(|section| section.text.as_str());
    Some(sections.collect::<Vec<_>>().join("\n"))
}

/// What was stopped over one of these.
async fn broken(trial: &Trial, name: &str, documents: Vec<Vec<u8>>) -> Option<String> {
    for bytes in documents {
        let read = trial.catalog.try_parser(&trial.loaded, name, &bytes).await;
        if let TriedParser::Broke(problem) = read {
            return Some(format!("{problem}; return an error that says what is wrong with it"));
        }
    }
    None
}
