//! Whatever fails whenever, a person is shown one answer, whole or broken off, and never a piece
//! of one behind a piece of another.

use super::*;
use hydroid_core::reliability::shows;
use std::sync::atomic::AtomicU64;

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn kind(&mut self) -> &'static str {
        let index = usize::try_from(self.below(KINDS.len() as u64)).unwrap();
        KINDS[index]
    }
}

const KINDS: [&str; 7] =
    ["unavailable", "timeout", "rate-limited", "conflict", "too-large", "invalid-input", "denied"];

fn failure(random: &mut Random) -> Play {
    let again = (random.below(4) > 0).then(|| u32::try_from(random.below(40_000)).unwrap());
    Play::Error(error(random.kind(), again))
}

/// One answer of a model, of which each piece says which answer it is of.
fn answer(random: &mut Random, number: usize) -> Vec<Play> {
    if random.below(4) == 0 {
        let Play::Error(refused) = failure(random) else { unreachable!() };
        return vec![Play::Refuse(refused)];
    }
    let mut plays = Vec::new();
    for piece in 0..random.below(4) {
        let said = match random.below(5) {
            0 => used(5, piece),
            1 => ModelEvent::Other { kind: "x/y".into(), json: "{}".into() },
            2 => ModelEvent::Thinking { text: format!("<{number}.{piece}>"), opaque: None },
            3 => text(""),
            _ => text(&format!("<{number}.{piece}>")),
        };
        plays.push(Play::Batch(vec![said]));
    }
    plays.push(match random.below(5) {
        0 => Play::Hang,
        1 => failure(random),
        2 => Play::Batch(vec![ModelEvent::Finished(StopReason::Error)]),
        _ => Play::Batch(vec![ModelEvent::Finished(StopReason::EndTurn)]),
    });
    plays
}

/// The pieces an answer would show if it were shown whole.
fn pieces(plays: &[Play]) -> Vec<String> {
    let said = plays.iter().flat_map(|play| match play {
        Play::Batch(events) => events.clone(),
        _ => Vec::new(),
    });
    said.filter(shows).map(|event| line(&event)).collect()
}

/// The lines that show something of an answer.
fn shown(got: &[String]) -> Vec<String> {
    let tells = |line: &&String| {
        !["news", "used", "failed", "Other"].iter().any(|kind| line.starts_with(kind))
            && *line != "text "
    };
    got.iter().filter(tells).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_what_is_shown_is_the_beginning_of_one_answer() {
    let config = "[model.retry]\nattempts = 3\n[model.breaker]\nfailures = 2\nopen = 20\n[model.cache]\nenabled = true\n[[model.fallback]]\nprovider = \"q\"\nname = \"n\"\n";
    let (mut whole, mut repeated, mut fell_back) = (0, 0, 0);
    for seed in 0..1_000 {
        let mut random = Random(seed);
        // Enough for three attempts of two models.
        let script: Vec<Vec<Play>> = (0..6).map(|number| answer(&mut random, number)).collect();
        let jitter = AtomicU64::new(seed);
        let next = Arc::new(move || jitter.fetch_add(997, Ordering::Relaxed));
        let scene = Scene::with_random(config, script.clone(), next);
        let got = scene.hello().await;
        let shown = shown(&got);
        let is_beginning = script.iter().any(|plays| pieces(plays).starts_with(&shown));
        assert!(is_beginning, "seed {seed}: {got:#?}\n{script:#?}");
        // Behind its first piece nothing is told of another request.
        let first = got.iter().position(|line| shown.first() == Some(line));
        let behind = first.map_or(&[][..], |first| &got[first..]);
        let asks = |line: &String, what: &str| line.contains(what);
        let again = |line: &&String| asks(line, "trying again") || asks(line, "answers instead");
        assert_eq!(behind.iter().find(again), None, "seed {seed}: {got:#?}");
        let asked = scene.asked().len();
        assert!(asked <= 6, "seed {seed}: {asked} requests");
        assert_eq!(scene.model.open.load(Ordering::SeqCst), 0, "seed {seed}: a connection is open");
        let has = |what: &str| u32::from(got.iter().any(|line| asks(line, what)));
        whole += has("finished EndTurn");
        repeated += has("trying again");
        fell_back += has("answers instead");
    }
    assert!(whole > 300 && repeated > 100 && fell_back > 100, "{whole} {repeated} {fell_back}");
}
