//! Which of several values of one credential is sent: the first that no service refused lately.
//! A component knows of one secret; that another value was sent in its place it cannot tell.

use super::client::Answer;
use super::credential::Credential;
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use hydroid_core::ports::SecretValue;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A value that may be sent instead.
#[derive(Clone, Debug)]
pub struct Spare {
    /// Name of its secret.
    pub name: String,
    /// The value.
    pub value: SecretValue,
}

/// How long a value that was refused stays out of use; a person who replaces it has another
/// value, which is used at once.
const REFUSED: Duration = Duration::from_secs(600);

/// How long one that is limited stays out of use when the service does not say.
const LIMITED: Duration = Duration::from_secs(60);

/// The longest a value stays out of use, whatever a service says.
const LONGEST: Duration = Duration::from_secs(3600);

/// Values that were refused, by a digest of whose and what they are, with when they come back.
/// They last as long as the process.
#[derive(Default)]
pub(crate) struct Rotation {
    resting: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Rotation {
    /// The credentials to try, in this order: those that do not rest, or if all do, the one that
    /// comes back first.
    pub(crate) fn in_order(&self, credential: Option<Credential>) -> VecDeque<Option<Credential>> {
        self.in_order_at(credential, Instant::now())
    }

    fn in_order_at(
        &self,
        credential: Option<Credential>,
        now: Instant,
    ) -> VecDeque<Option<Credential>> {
        let Some(mut credential) = credential else { return [None].into() };
        let spares = std::mem::take(&mut credential.spares);
        if spares.is_empty() {
            return [Some(credential)].into();
        }
        let stand_in = |spare: Spare| Credential {
            name: spare.name,
            value: spare.value,
            ..credential.clone()
        };
        let mut all: Vec<Credential> = spares.into_iter().map(stand_in).collect();
        all.insert(0, credential);
        // Whichever is sent, what comes back is masked of all: the service may know several.
        let values: Vec<Spare> = all
            .iter()
            .map(|one| Spare { name: one.name.clone(), value: one.value.clone() })
            .collect();
        for one in &mut all {
            one.spares.clone_from(&values);
        }
        let resting = self.resting();
        let until = |credential: &Credential| {
            resting.get(&digest(credential)).filter(|until| **until > now)
        };
        let awake: VecDeque<_> =
            all.iter().filter(|one| until(one).is_none()).cloned().map(Some).collect();
        if !awake.is_empty() {
            return awake;
        }
        let first = all.iter().min_by_key(|one| until(one).copied());
        first.cloned().map(Some).into_iter().collect()
    }

    /// True if the service refused the credential rather than the request, which then rests.
    pub(crate) fn rests(&self, credential: &Credential, answer: &Answer) -> bool {
        let Some(time) = rest(answer.status, &answer.headers) else { return false };
        let now = Instant::now();
        let mut resting = self.resting();
        resting.retain(|_, until| *until > now);
        resting.insert(digest(credential), now + time);
        true
    }

    fn resting(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a value rests after an answer; none if the answer is not about it.
fn rest(status: u16, headers: &HeaderMap) -> Option<Duration> {
    match StatusCode::from_u16(status).ok()? {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(REFUSED),
        StatusCode::TOO_MANY_REQUESTS => {
            let named = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = named.and_then(|text| text.trim().parse::<u64>().ok());
            Some(seconds.map_or(LIMITED, Duration::from_secs).min(LONGEST))
        }
        _ => None,
    }
}

fn digest(credential: &Credential) -> [u8; 32] {
    let parts = [credential.user.as_str(), &credential.name, credential.value.expose()];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::manifest::Place;

    fn credential() -> Credential {
        let value = |text: &str| SecretValue::new(text.to_owned());
        let spare = |name: &str| Spare { name: name.to_owned(), value: value(name) };
        Credential {
            spares: vec![spare("b"), spare("c")],
            ..Credential::placed("a", Vec::new(), Place::Bearer, value("a"))
        }
    }

    fn order(rotation: &Rotation, now: Instant) -> Vec<String> {
        let tried = rotation.in_order_at(Some(credential()), now);
        tried.into_iter().flatten().map(|credential| credential.name).collect()
    }

    fn put_to_rest(rotation: &Rotation, name: &str, until: Instant) {
        let all = Rotation::default().in_order(Some(credential()));
        let found = all.into_iter().flatten().find(|one| one.name == name).unwrap();
        rotation.resting().insert(digest(&found), until);
    }

    #[test]
    fn a_value_that_was_refused_is_left_out_and_comes_back() {
        let rotation = Rotation::default();
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(order(&rotation, at(0)), ["a", "b", "c"]);
        put_to_rest(&rotation, "a", at(60));
        assert_eq!(order(&rotation, at(0)), ["b", "c"]);
        put_to_rest(&rotation, "b", at(30));
        put_to_rest(&rotation, "c", at(90));
        assert_eq!(order(&rotation, at(0)), ["b"], "all rest, and this one comes back first");
        assert_eq!(order(&rotation, at(61)), ["a", "b"]);
        assert_eq!(order(&rotation, at(91)), ["a", "b", "c"]);
    }

    /// The service knows each value that it was sent, and may send any of them back.
    #[test]
    fn whichever_is_sent_all_are_masked() {
        for one in Rotation::default().in_order(Some(credential())).into_iter().flatten() {
            let values: Vec<&str> = one.spares.iter().map(|spare| spare.value.expose()).collect();
            assert_eq!(values, ["a", "b", "c"], "{}", one.name);
        }
    }

    #[test]
    fn only_answers_about_the_credential_put_it_to_rest() {
        let mut headers = HeaderMap::new();
        let seconds =
            |status, headers: &HeaderMap| rest(status, headers).map(|time| time.as_secs());
        for status in [200, 400, 404, 408, 500, 503] {
            assert_eq!(seconds(status, &headers), None, "{status}");
        }
        assert_eq!(seconds(401, &headers), Some(600));
        assert_eq!(seconds(429, &headers), Some(60));
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(seconds(429, &headers), Some(7));
        headers.insert(RETRY_AFTER, "18446744073709551615".parse().unwrap());
        assert_eq!(seconds(429, &headers), Some(3600));
    }
}
