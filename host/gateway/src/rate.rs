//! How often somebody may do something: a bucket for each that fills again with time. It is told
//! what time it is.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Buckets that are kept; full ones are forgotten first.
const MOST: usize = 10_000;

/// Buckets by whom they are for.
pub(crate) struct Rates<Key> {
    /// What a full bucket holds, and what comes back in a minute.
    per_minute: u32,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at_ms: u64,
}

impl<Key: Eq + Hash + Clone> Rates<Key> {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, buckets: Mutex::default() }
    }

    /// Takes one; the error is when there will be another, in milliseconds.
    pub(crate) fn take(&self, key: &Key, now_ms: u64) -> Result<(), u64> {
        let most = f64::from(self.per_minute);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| bucket.filled(most, now_ms) < most);
        }
        let bucket = buckets.entry(key.clone()).or_insert(Bucket { left: most, at_ms: now_ms });
        bucket.left = bucket.filled(most, now_ms);
        bucket.at_ms = now_ms;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        // At least one a minute comes back, so the wait is at most a minute.
        Err(60_000 / u64::from(self.per_minute.max(1)))
    }

    /// True if nothing is left; nothing is taken.
    pub(crate) fn is_empty(&self, key: &Key, now_ms: u64) -> bool {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let most = f64::from(self.per_minute);
        buckets.get(key).is_some_and(|bucket| bucket.filled(most, now_ms) < 1.0)
    }
}

impl Bucket {
    fn filled(&self, most: f64, now_ms: u64) -> f64 {
        let passed = now_ms.saturating_sub(self.at_ms).min(60_000);
        #[expect(clippy::cast_precision_loss, reason = "at most 60000")]
        let passed = passed as f64;
        (self.left + most * passed / 60_000.0).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rates = Rates::new(2);
        assert_eq!(rates.take(&"a", 0), Ok(()));
        assert_eq!(rates.take(&"a", 0), Ok(()));
        assert_eq!(rates.take(&"a", 0), Err(30_000));
        assert!(rates.is_empty(&"a", 0) && !rates.is_empty(&"b", 0));
        assert_eq!(rates.take(&"b", 0), Ok(()));
        assert_eq!(rates.take(&"a", 30_000), Ok(()));
        // A clock that goes back gives nothing.
        assert_eq!(rates.take(&"a", 5), Err(30_000));
    }
}
