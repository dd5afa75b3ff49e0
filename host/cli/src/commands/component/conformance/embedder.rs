//! The rules for embedders.

use super::Findings;
use crate::commands::component::trial::{Bench, Terms, Trial};
use anyhow::Result;
use hydroid_core::id::UserId;
use hydroid_core::ports::{EmbedError, EmbedPurpose, Embedder};
use hydroid_wasm::InstalledEmbedder;

/// How far a number may be off when the same text is embedded beside others. Services batch on
/// hardware that adds up in another order.
const TOLERANCE: f32 = 0.001;

/// Tries every rule on an embedder component.
pub(in crate::commands::component) async fn embedder(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let again = bench.load(wasm, stem, terms)?;
    let described = trial.loaded.embedder();
    findings.judge(
        "it says the same of itself each time",
        (described != again.loaded.embedder())
            .then(|| "vectors would be made anew at each start; say constants".to_owned()),
    );
    if described.is_none() {
        findings.broken("it is an embedder", format!("it is {}", trial.loaded.role.with_article()));
        return Ok(findings);
    }
    let texts = ["one fish", "two fish", "a harbour in the morning"];
    let together = embed(&trial, &texts, EmbedPurpose::Document).await;
    let vectors = match &together {
        Ok(vectors) => vectors.clone(),
        Err(error) => {
            findings.judge("texts become vectors", Some(error.message.clone()));
            Vec::new()
        }
    };
    if together.is_ok() {
        findings.kept("texts become vectors");
        let second = embed(&trial, &texts, EmbedPurpose::Document).await;
        findings.judge(
            "the same texts become the same vectors",
            far(&vectors, &second)
                .then(|| "what is found would change from one day to the next".to_owned()),
        );
        let mut one_by_one = Vec::new();
        for text in texts {
            one_by_one
                .extend(embed(&trial, &[text], EmbedPurpose::Document).await.unwrap_or_default());
        }
        findings.judge(
            "a text becomes the same vector alone as beside others",
            far(&vectors, &Ok(one_by_one))
                .then(|| "each text of a batch is embedded by itself".to_owned()),
        );
        findings.judge(
            "different texts become different vectors",
            (vectors[0] == vectors[2]).then(|| "nothing could be told apart".to_owned()),
        );
    }
    let long = "x ".repeat(1 << 17);
    let hostile =
        ["", " ", "\u{0}", "\u{202e}🦀\u{200b}", "\u{1F468}\u{200D}\u{1F469}", long.as_str()];
    let mut problems = Vec::new();
    for text in hostile {
        for purpose in [EmbedPurpose::Query, EmbedPurpose::Document] {
            problems.extend(broke(embed(&trial, &[text], purpose).await.err()));
        }
    }
    problems.dedup();
    findings
        .judge("hostile texts break nothing", (!problems.is_empty()).then(|| problems.join("; ")));
    let many: Vec<&str> = texts.into_iter().cycle().take(300).collect();
    findings.judge(
        "many texts break nothing",
        broke(embed(&trial, &many, EmbedPurpose::Document).await.err()),
    );
    let small = bench.load(wasm, stem, &Terms { least_memory: true, ..terms.clone() });
    findings.judge(
        "it works with the least memory a host gives, or asks for more in its manifest",
        match small {
            Ok(small) => broke(embed(&small, &texts, EmbedPurpose::Query).await.err()),
            Err(error) => Some(format!("{error:#}")),
        },
    );
    Ok(findings)
}

async fn embed(
    trial: &Trial,
    texts: &[&str],
    purpose: EmbedPurpose,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let embedder = InstalledEmbedder::new(trial.catalog.clone(), trial.loaded.name().as_str());
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    embedder.embed(&UserId::new("trial"), texts, purpose, None).await
}

fn far(vectors: &[Vec<f32>], others: &Result<Vec<Vec<f32>>, EmbedError>) -> bool {
    let Ok(others) = others else { return true };
    vectors.len() != others.len()
        || vectors.iter().zip(others).any(|(one, other)| {
            one.len() != other.len()
                || one.iter().zip(other).any(|(one, other)| (one - other).abs() > TOLERANCE)
        })
}

/// A defect, and not an error that says what is wrong.
fn broke(error: Option<EmbedError>) -> Option<String> {
    error.filter(|error| error.kind == "internal" || error.kind == "timeout").map(|error| {
        format!("{}; return an error that says what is wrong, and do not panic", error.message)
    })
}
