//! Embedders through the port: those of the release, and one that misbehaves in each way there is.

use super::{Scene, scene};
use crate::embedder::InstalledEmbedder;
use hydroid_core::id::UserId;
use hydroid_core::ports::{EmbedError, EmbedPurpose, Embedder};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A scene whose catalog an embedder can hold.
struct Embedders {
    scene: Scene,
    runtime: tokio::runtime::Runtime,
}

impl Embedders {
    fn new(names: &[&str], config: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self { scene: scene(names, config), runtime }
    }

    fn embedder(&self, name: &str) -> InstalledEmbedder {
        InstalledEmbedder::new(self.scene.catalog.clone(), name)
    }

    fn embed(&self, name: &str, user: &str, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let user = UserId::new(user);
        let embedder = self.embedder(name);
        self.runtime.block_on(embedder.embed(&user, texts, EmbedPurpose::Document, None))
    }

    fn warm(&self, name: &str) -> usize {
        match &self.scene.loaded(name).pre {
            crate::component::Pre::Embedder(embedding) => embedding.kept(),
            _ => panic!("{name} is no embedder"),
        }
    }
}

/// The embedder that misbehaves, in one way.
fn misbehaving(misbehaviour: &str) -> Embedders {
    Embedders::new(
        &["test-embedder", "embedder-hash"],
        &format!(
            "[limits]\ncall = \"1s\"\nmemory = \"32MiB\"\n[components.test-embedder.config]\nmisbehaviour = \"{misbehaviour}\""
        ),
    )
}

/// A misbehaviour while embedding becomes one sentence, in time, and a neighbour answers as ever.
#[track_caller]
fn stopped(misbehaviour: &str, kind: &str, expect: &str) {
    let embedders = misbehaving(misbehaviour);
    let began = Instant::now();
    let error = embedders.embed("test-embedder", "ann", &["one", "two"]).unwrap_err();
    let took = began.elapsed();
    assert_eq!(error.kind, kind, "{error:?}");
    assert!(error.message.contains(expect), "expected `{expect}` in: {error}");
    assert!(error.message.contains("test-embedder"), "{error}");
    assert!(error.message.len() < 5_000 && !error.message.contains("0x"), "{error}");
    assert!(took < Duration::from_secs(2), "took {took:?}");
    assert_eq!(embedders.embed("embedder-hash", "ann", &["one"]).unwrap().len(), 1);
}

#[test]
fn wrong_vectors_are_refused() {
    stopped("one_number_short", "internal", "gave 7 numbers for 2 texts of 4 each");
    stopped("one_vector_too_many", "internal", "gave 12 numbers for 2 texts of 4 each");
    stopped("nothing", "internal", "gave 0 numbers for 2 texts");
    stopped("not_a_number", "internal", "a number that is not finite");
    stopped("infinite", "internal", "a number that is not finite");
    stopped("claims_length_one", "internal", "says that its vectors have length 1");
}

#[test]
fn an_embedder_that_breaks_rules_is_stopped() {
    stopped("loops", "timeout", "took longer than 1 s");
    stopped("panics", "internal", "failed");
    stopped("recurses", "internal", "called itself too deeply");
    stopped("exits", "internal", "ended itself");
    stopped("grows", "internal", "more memory than its 32MiB");
    stopped("huge", "internal", "more memory than its 32MiB");
}

#[test]
fn an_error_of_an_embedder_keeps_its_kind_and_its_time() {
    stopped("is_busy", "rate-limited", "too many of you");
    stopped("talks_without_end", "internal", "no no no");
    let embedders = misbehaving("is_busy");
    let error = embedders.embed("test-embedder", "ann", &["one"]).unwrap_err();
    assert_eq!(error.retry_after_ms, Some(1234));
}

#[test]
fn lies_about_itself_are_refused_at_load() {
    for (misbehaviour, expect) in [
        ("no_dimensions", "have 0 numbers"),
        ("too_many_dimensions", "have 4294967295 numbers"),
        ("no_batch", "takes no text in a call"),
        ("no_tokens", "looks at no token"),
        ("no_model", "the name of its model is not one"),
        ("long_model", "the name of its model is not one"),
        ("model_with_escapes", "the name of its model is not one"),
        ("options_that_are_none", "not a JSON object"),
        ("refuses_to_say", "it could not say what it is: not telling"),
        ("panics_when_asked", "failed"),
    ] {
        let embedders = misbehaving(misbehaviour);
        let refusal = embedders.scene.refusal("test-embedder");
        assert!(refusal.contains(expect), "{misbehaviour}: {refusal}");
        let error = embedders.embed("test-embedder", "ann", &["one"]).unwrap_err();
        assert!(error.message.contains("is not loaded"), "{error}");
    }
}

#[test]
fn an_embedder_that_never_says_what_it_is_is_refused() {
    let embedders = misbehaving("never_says");
    let refusal = embedders.scene.refusal("test-embedder");
    assert!(refusal.contains("did not say within 2 s what it is"), "{refusal}");
}

#[test]
fn texts_are_cut_into_batches_and_come_back_in_order() {
    let texts: Vec<String> = (0..100).map(|length| "x".repeat(length)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for misbehaviour in ["none", "endless_batch"] {
        let embedders = misbehaving(misbehaviour);
        let vectors = embedders.embed("test-embedder", "ann", &texts).unwrap();
        let lengths: Vec<f32> = vectors.iter().map(|vector| vector[0]).collect();
        assert_eq!(lengths, (0_u8..100).map(f32::from).collect::<Vec<_>>());
    }
    assert!(misbehaving("none").embed("test-embedder", "ann", &[]).unwrap().is_empty());
}

#[test]
fn a_batch_is_no_larger_than_a_result_may_be() {
    let config = "[components.embedder-hash.limits]\noutput = \"4KiB\"";
    let embedders = Embedders::new(&["embedder-hash"], config);
    assert_eq!(embedders.embed("embedder-hash", "ann", &["word"; 9]).unwrap().len(), 9);
    let small = "[components.embedder-hash.limits]\noutput = \"1000B\"";
    let embedders = Embedders::new(&["embedder-hash"], small);
    let error = embedders.embed("embedder-hash", "ann", &["word"]).unwrap_err();
    assert_eq!(error.kind, "too-large");
    assert!(error.message.contains("limits.output"), "{error}");
}

#[test]
fn an_instance_is_kept_for_the_same_person_only() {
    let embedders = misbehaving("counts_calls");
    let calls = |user: &str| embedders.embed("test-embedder", user, &["one"]).unwrap()[0][1];
    assert_eq!([calls("ann"), calls("ann"), calls("ben"), calls("ben")], [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(calls("ann"), 2.0);
    // A third person takes the place of the one who waits longest.
    assert_eq!([calls("cleo"), calls("ann"), calls("ben")], [0.0, 3.0, 0.0]);
    assert_eq!(embedders.warm("test-embedder"), 2);
}

#[test]
fn an_instance_that_failed_is_not_asked_again() {
    let embedders = misbehaving("leaks");
    let mut failed = 0;
    for _ in 0..20 {
        match embedders.embed("test-embedder", "ann", &["one"]) {
            Ok(vectors) => assert_eq!(vectors.len(), 1),
            Err(error) => {
                assert!(error.message.contains("more memory than its 32MiB"), "{error}");
                assert_eq!(embedders.warm("test-embedder"), 0);
                failed += 1;
            }
        }
    }
    assert!((1..=5).contains(&failed), "{failed}");
}

#[test]
fn what_is_counted_for_a_call_begins_anew_in_a_kept_instance() {
    let config =
        "[limits]\nhost_calls = 20\n[components.test-embedder.config]\nmisbehaviour = \"none\"";
    let embedders = Embedders::new(&["test-embedder"], config);
    for _ in 0..100 {
        embedders.embed("test-embedder", "ann", &["one"]).unwrap();
    }
    assert_eq!(embedders.warm("test-embedder"), 1);
}

#[test]
fn an_identity_changes_with_what_could_change_vectors() {
    let identity = |config: &str, name: &str| {
        let embedders = Embedders::new(&["embedder-hash", "test-embedder"], config);
        embedders.runtime.block_on(embedders.embedder(name).describe()).unwrap().identity
    };
    let usual = identity("", "embedder-hash");
    assert_eq!(usual, identity("", "embedder-hash"));
    assert_eq!(usual.len(), 64);
    let other = "[components.embedder-hash.config]\ndimensions = 128";
    assert_ne!(usual, identity(other, "embedder-hash"));
    assert_ne!(usual, identity("", "test-embedder"));
}

#[test]
fn what_is_no_embedder_is_named() {
    let embedders = Embedders::new(&["embedder-hash", "tool-json"], "");
    let error = embedders.embed("embedder-hsah", "ann", &["x"]).unwrap_err();
    assert!(error.message.contains("did you mean `embedder-hash`"), "{error}");
    let error = embedders.embed("tool-json", "ann", &["x"]).unwrap_err();
    assert!(error.message.contains("is a tool component and makes no vectors"), "{error}");
}

#[test]
fn calls_side_by_side_do_not_meet() {
    let embedders = Embedders::new(&["embedder-hash"], "");
    let embedder = Arc::new(embedders.embedder("embedder-hash"));
    let alone = embedders.embed("embedder-hash", "ann", &["word"]).unwrap();
    embedders.runtime.block_on(async {
        let calls = (0..32).map(|_| {
            let embedder = embedder.clone();
            tokio::spawn(async move {
                let user = UserId::new("ann");
                embedder.embed(&user, vec!["word".into()], EmbedPurpose::Query, None).await.unwrap()
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), alone);
        }
    });
    assert!(embedders.warm("embedder-hash") <= 2);
}
