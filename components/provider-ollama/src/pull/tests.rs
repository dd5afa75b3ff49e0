//! Reports of pulls, what is told of them, and the answer behind.

use hydroid_component::provider::Stop;
use test_wire::{Pieces, pieces};

use super::*;

fn pulled(body: Pieces) -> impl EventSource {
    Pull::new(body, "m:1b".to_owned(), || {
        Ok(vec![Event::Text("hello".to_owned()), Event::Finish(Stop::EndTurn)])
    })
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    test_wire::check(body, pulled, expected);
}

#[test]
fn progress_is_told_in_hundredths_and_the_answer_follows() {
    check(
        "{\"status\":\"pulling manifest\"}\n\
         {\"status\":\"pulling abc\",\"digest\":\"abc\",\"total\":4000000}\n\
         {\"status\":\"pulling abc\",\"digest\":\"abc\",\"total\":4000000,\"completed\":1000000}\n\
         {\"status\":\"pulling abc\",\"digest\":\"abc\",\"total\":4000000,\"completed\":1000001}\n\
         {\"status\":\"verifying sha256 digest\"}\n\
         {\"status\":\"success\"}\n",
        &[
            "other hydroid/progress {\"message\":\"m:1b: pulling manifest\"}",
            "other hydroid/progress {\"fraction\":0.0,\"message\":\"m:1b: pulling, 0 of 4 MB\"}",
            "other hydroid/progress {\"fraction\":0.25,\"message\":\"m:1b: pulling, 1 of 4 MB\"}",
            "other hydroid/progress {\"fraction\":0.25,\"message\":\"m:1b: verifying sha256 digest, 1 of 4 MB\"}",
            "other hydroid/progress {\"fraction\":1.0,\"message\":\"m:1b: success, 1 of 4 MB\"}",
            "text hello",
            "EndTurn",
        ],
    );
}

#[test]
fn a_pull_that_fails_asks_nothing() {
    check(
        "{\"status\":\"pulling manifest\"}\n{\"error\":\"pull model manifest: file does not exist\"}\n",
        &[
            "other hydroid/progress {\"message\":\"m:1b: pulling manifest\"}",
            "NotFound true `m:1b` could not be pulled: pull model manifest: file does not exist; check the model's name",
        ],
    );
    check(
        "{\"status\":\"pulling manifest\"}\n",
        &[
            "other hydroid/progress {\"message\":\"m:1b: pulling manifest\"}",
            "Unavailable true the pull of `m:1b` broke off: send the request again",
        ],
    );
}

#[test]
fn absurd_sizes_do_not_matter() {
    let body = format!(
        "{{\"status\":\"pulling a\",\"digest\":\"a\",\"total\":{0},\"completed\":{0}}}\n{{\"status\":\"pulling b\",\"digest\":\"b\",\"total\":{0}}}\n{{\"status\":\"success\"}}",
        u64::MAX
    );
    assert_eq!(
        test_wire::play(pulled(pieces(body.as_bytes(), 9, 0))).last().map(String::as_str),
        Some("EndTurn")
    );
}
