//! A scrubber that many share and that learns: it follows the secrets as they change, and takes in
//! credentials that were obtained at run time. What it knew once it goes on masking, since a
//! replaced key is often valid for a while and stands in older texts.

use super::{KnownSecret, PathMapping, Scrubber};
use crate::ports::{KnownSecrets, SecretValue};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Values that are masked although no source names them: replaced ones, and tokens. With a token an
/// hour for each of four services it holds eight hours, when the first ones have long expired; each
/// makes the next change of the scrubber slower.
const MOST_PAST: usize = 32;

/// Hands out the scrubber of the moment. Clones share it.
#[derive(Clone)]
pub struct LiveScrubber(Arc<Inner>);

struct Inner {
    source: Option<Arc<dyn KnownSecrets>>,
    paths: Vec<PathMapping>,
    state: RwLock<State>,
}

struct State {
    generation: u64,
    present: Vec<KnownSecret>,
    /// The oldest first.
    past: VecDeque<KnownSecret>,
    scrubber: Scrubber,
}

impl LiveScrubber {
    /// One that follows a source. The error, without any value in it, says that the secrets
    /// together are too large to search for.
    pub fn following(
        source: Arc<dyn KnownSecrets>,
        paths: Vec<PathMapping>,
    ) -> Result<Self, String> {
        // Before the values, so that a change in between is seen the next time.
        let generation = source.generation();
        Self::of(Some(source), generation, paths)
    }

    /// One whose secrets change only by what it learns.
    pub fn fixed(secrets: Vec<KnownSecret>, paths: Vec<PathMapping>) -> Result<Self, String> {
        let shared = Self::of(None, 0, paths)?;
        shared.0.write(|state| state.present = secrets)?;
        Ok(shared)
    }

    fn of(
        source: Option<Arc<dyn KnownSecrets>>,
        generation: u64,
        paths: Vec<PathMapping>,
    ) -> Result<Self, String> {
        let present = source.as_ref().map(|source| source.known()).unwrap_or_default();
        let scrubber = Scrubber::new(&present, &paths)?;
        let state = State { generation, present, past: VecDeque::new(), scrubber };
        Ok(Self(Arc::new(Inner { source, paths, state: RwLock::new(state) })))
    }

    /// The scrubber as it was made last. It asks nobody.
    pub fn current(&self) -> Scrubber {
        self.0.read().scrubber.clone()
    }

    /// The scrubber of the secrets as they are now. It may block while it asks for them; the
    /// error, without any value in it, says that they are too large to search for.
    pub fn refreshed(&self) -> Result<Scrubber, String> {
        let Some(source) = &self.0.source else { return Ok(self.current()) };
        let generation = source.generation();
        {
            let state = self.0.read();
            if state.generation == generation {
                return Ok(state.scrubber.clone());
            }
        }
        let known = source.known();
        self.0.write(|state| {
            let before = std::mem::replace(&mut state.present, known);
            let gone = before.into_iter().filter(|old| !holds(&state.present, old));
            state.past.extend(gone.collect::<Vec<_>>());
            state.past.retain(|old| !holds(&state.present, old));
            state.generation = generation;
        })
    }

    /// Masks a credential that was obtained under the name of a secret, from now on.
    pub fn learn(&self, name: &str, value: &SecretValue) -> Result<(), String> {
        let learned = KnownSecret { name: Some(name.to_owned()), value: value.clone() };
        {
            let state = self.0.read();
            if holds(&state.present, &learned) || holds(&state.past, &learned) {
                return Ok(());
            }
        }
        let too_large =
            || format!("what was obtained for `{name}` is too large to be searched for");
        // Others need not make room for what has none in the end.
        Scrubber::new(std::slice::from_ref(&learned), &[]).map_err(|_| too_large())?;
        self.0.write(|state| state.past.push_back(learned.clone()))?;
        // Room may have been made until nothing was left of it.
        match holds(&self.0.read().past, &learned) {
            true => Ok(()),
            false => Err(too_large()),
        }
    }
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and makes a scrubber of it.
    fn write(&self, change: impl FnOnce(&mut State)) -> Result<Scrubber, String> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let generation = state.generation;
        change(&mut state);
        let excess = state.past.len().saturating_sub(MOST_PAST);
        state.past.drain(..excess);
        loop {
            let all: Vec<KnownSecret> = state.present.iter().chain(&state.past).cloned().collect();
            match Scrubber::new(&all, &self.paths) {
                Ok(scrubber) => {
                    state.scrubber = scrubber.clone();
                    return Ok(scrubber);
                }
                Err(problem) if state.past.is_empty() => {
                    // Whoever asks next is told so too, instead of being given the one before.
                    state.generation = generation;
                    return Err(problem);
                }
                // The oldest matter least.
                Err(_) => {
                    let half = state.past.len().div_ceil(2);
                    state.past.drain(..half);
                }
            }
        }
    }
}

fn holds<'a>(all: impl IntoIterator<Item = &'a KnownSecret>, one: &KnownSecret) -> bool {
    all.into_iter()
        .any(|other| other.name == one.name && other.value.expose() == one.value.expose())
}

impl fmt::Debug for LiveScrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveScrubber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finder::MOST_BYTES;
    use super::*;
    use std::sync::Mutex;

    /// A source that counts how often its values were asked for.
    #[derive(Default)]
    struct Source(Mutex<(u64, Vec<KnownSecret>, usize)>);

    impl Source {
        fn set(&self, secrets: &[(&str, &str)]) {
            let mut held = self.0.lock().unwrap();
            held.0 += 1;
            held.1 = secrets.iter().map(|(name, value)| secret(name, value)).collect();
        }
    }

    impl KnownSecrets for Source {
        fn generation(&self) -> u64 {
            self.0.lock().unwrap().0
        }

        fn known(&self) -> Vec<KnownSecret> {
            let mut held = self.0.lock().unwrap();
            held.2 += 1;
            held.1.clone()
        }
    }

    fn secret(name: &str, value: &str) -> KnownSecret {
        KnownSecret { name: Some(name.into()), value: SecretValue::new(value.into()) }
    }

    fn scene() -> (Arc<Source>, LiveScrubber) {
        let source = Arc::new(Source::default());
        source.set(&[("a", "first value")]);
        let shared = LiveScrubber::following(source.clone(), Vec::new()).unwrap();
        (source, shared)
    }

    #[test]
    fn a_changed_secret_is_masked_once_it_is_looked_for_and_the_old_one_still_is() {
        let (source, shared) = scene();
        let text = "first value, second value";
        assert_eq!(shared.current().mask_known(text), "[secret:a], second value");
        source.set(&[("a", "second value")]);
        assert_eq!(shared.current().mask_known(text), "[secret:a], second value");
        assert_eq!(shared.refreshed().unwrap().mask_known(text), "[secret:a], [secret:a]");
        assert_eq!(shared.clone().current().mask_known(text), "[secret:a], [secret:a]");
        source.set(&[]);
        assert_eq!(shared.refreshed().unwrap().mask_known(text), "[secret:a], [secret:a]");
    }

    #[test]
    fn values_are_asked_for_only_when_the_generation_is_another_one() {
        let (source, shared) = scene();
        for _ in 0..3 {
            shared.refreshed().unwrap();
        }
        assert_eq!(source.0.lock().unwrap().2, 1);
        source.set(&[("a", "second value")]);
        for _ in 0..3 {
            shared.refreshed().unwrap();
        }
        assert_eq!(source.0.lock().unwrap().2, 2);
    }

    #[test]
    fn what_was_learned_stays_when_the_source_changes() {
        let (source, shared) = scene();
        shared.learn("a", &SecretValue::new("a-token-at-run-time".into())).unwrap();
        source.set(&[("b", "another value")]);
        let masked = shared.refreshed().unwrap().mask_known("a-token-at-run-time, another value");
        assert_eq!(masked, "[secret:a], [secret:b]");
    }

    #[test]
    fn the_oldest_learned_values_make_room() {
        let shared = LiveScrubber::fixed(vec![secret("a", "always there")], Vec::new()).unwrap();
        for number in 0..=MOST_PAST {
            shared.learn("t", &SecretValue::new(format!("token-{number:04}"))).unwrap();
        }
        let masked = shared.current().mask_known("token-0000 token-0001 always there");
        assert_eq!(masked, "token-0000 [secret:t] [secret:a]");
    }

    #[test]
    fn too_large_secrets_are_an_error_each_time_and_not_left_out() {
        let (source, shared) = scene();
        let large = "a-".repeat(MOST_BYTES / 2 + 1);
        source.set(&[("large", &large)]);
        for _ in 0..2 {
            assert!(shared.refreshed().unwrap_err().contains("too large"));
        }
        let token = SecretValue::new("a-token-at-run-time".into());
        shared.learn("t", &token).unwrap_err();
        source.set(&[("a", "second value")]);
        assert_eq!(shared.refreshed().unwrap().mask_known("second value"), "[secret:a]");
        shared.learn("t", &token).unwrap();
    }

    /// There is room for nothing beside a value that is too large, and none for it either.
    #[test]
    fn what_was_learned_may_be_too_large_though_the_source_is_not() {
        let (_, shared) = scene();
        let large = SecretValue::new("a-".repeat(MOST_BYTES / 2 + 1));
        shared.learn("t", &SecretValue::new("a-token-at-run-time".into())).unwrap();
        let problem = shared.learn("large", &large).unwrap_err();
        assert!(problem.starts_with("what was obtained for `large` is too large"), "{problem}");
        assert_eq!(shared.current().mask_known("first value"), "[secret:a]");
        let masked = shared.current().mask_known("a-token-at-run-time");
        assert_eq!(masked, "[secret:t]", "it makes no room by forgetting others");
    }

    #[test]
    fn the_older_half_of_what_is_past_makes_room_for_the_rest() {
        let (_, shared) = scene();
        let large = "a-".repeat(MOST_BYTES / 2 + 1);
        let past = [secret("t", &large), secret("t", "token-1"), secret("t", "token-2")];
        let scrubber = shared.0.write(|state| state.past.extend(past)).unwrap();
        assert_eq!(scrubber.mask_known("token-1, token-2"), "token-1, [secret:t]");
        let past = [secret("t", "token-3"), secret("t", &large)];
        let scrubber = shared.0.write(|state| state.past.extend(past)).unwrap();
        assert_eq!(scrubber.mask_known("token-2, first value"), "token-2, [secret:a]");
    }

    #[test]
    fn a_secret_that_comes_back_is_no_longer_past() {
        let (source, shared) = scene();
        for value in ["second value", "first value"] {
            source.set(&[("a", value)]);
            shared.refreshed().unwrap();
        }
        let state = shared.0.read();
        let values = |all: &mut dyn Iterator<Item = &KnownSecret>| -> Vec<String> {
            all.map(|secret| secret.value.expose().to_owned()).collect()
        };
        assert_eq!(values(&mut state.present.iter()), ["first value"]);
        assert_eq!(values(&mut state.past.iter()), ["second value"]);
    }

    #[test]
    fn a_value_is_learned_once_under_each_name() {
        let shared = LiveScrubber::fixed(vec![secret("a", "always there")], Vec::new()).unwrap();
        let learn = |name: &str, value: &str| {
            shared.learn(name, &SecretValue::new(value.into())).unwrap();
            shared.0.read().past.len()
        };
        assert_eq!(learn("a", "always there"), 0);
        assert_eq!(learn("t", "first token"), 1);
        assert_eq!(learn("t", "first token"), 1);
        assert_eq!(learn("t", "second token"), 2);
        assert_eq!(learn("b", "always there"), 3);
        assert_eq!(format!("{shared:?}"), "LiveScrubber(…)");
    }
}
