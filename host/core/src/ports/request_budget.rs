//! The port for counting what components send: so many requests in any minute and in any hour,
//! counted across restarts. Whether a window is full is decided here, by one rule for every
//! implementation; where the counts are kept is not.

use super::StoreError;
use crate::id::ComponentId;
use futures_core::future::BoxFuture;

/// Requests of components, counted by the second.
pub trait RequestBudget: Send + Sync {
    /// Counts one request at `second`, unless a window is full; then nothing is counted.
    fn take<'a>(
        &'a self,
        component: &'a ComponentId,
        windows: &'a [RequestWindow],
        second: u64,
    ) -> BoxFuture<'a, Result<Option<FullWindow>, StoreError>>;
}

/// So many requests in any stretch of so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestWindow {
    /// The configuration key, for whoever is refused.
    pub key: &'static str,
    /// Its length.
    pub seconds: u64,
    /// Most requests in it.
    pub most: u32,
}

/// A window with no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullWindow {
    /// The window.
    pub window: RequestWindow,
    /// Seconds until it has room for one; none if it never has.
    pub free_in: Option<u64>,
}

/// Requests sent in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Seconds since 1970-01-01 UTC.
    pub second: u64,
    /// How many.
    pub count: u32,
}

/// The window that is full longest, given what was sent, oldest first. What lies in the future
/// counts as just sent: a clock that was set back does not make room.
pub fn full_window(sent: &[Sent], windows: &[RequestWindow], second: u64) -> Option<FullWindow> {
    let full = windows.iter().filter_map(|window| {
        let mut left: u64 = 0;
        let mut free_in = None;
        // From the newest on: the second in which the window fills up must leave it.
        for sent in sent.iter().rev() {
            let age = second.saturating_sub(sent.second);
            if age >= window.seconds {
                break;
            }
            left += u64::from(sent.count);
            if left >= u64::from(window.most) {
                free_in = Some(window.seconds - age);
                break;
            }
        }
        let free_in = if window.most == 0 { Some(None) } else { free_in.map(Some) };
        free_in.map(|free_in| FullWindow { window: *window, free_in })
    });
    full.max_by_key(|full| full.free_in.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        sent: &[(u64, u32)],
        (seconds, most): (u64, u32),
        now: u64,
        expect: Option<Option<u64>>,
    ) {
        let sent: Vec<Sent> = sent.iter().map(|&(second, count)| Sent { second, count }).collect();
        let window = RequestWindow { key: "k", seconds, most };
        let full = full_window(&sent, &[window], now);
        assert_eq!(full.map(|full| full.free_in), expect, "{sent:?} at {now}");
    }

    #[test]
    fn a_window_has_room_until_it_has_its_most() {
        check(&[], (60, 2), 100, None);
        check(&[(100, 1)], (60, 2), 100, None);
        check(&[(100, 2)], (60, 2), 100, Some(Some(60)));
        check(&[(100, 9)], (60, 2), 130, Some(Some(30)));
        check(&[], (60, 0), 100, Some(None));
    }

    #[test]
    fn a_window_moves_with_the_clock_and_has_no_border_to_wait_for() {
        check(&[(100, 2)], (60, 2), 159, Some(Some(1)));
        check(&[(100, 2)], (60, 2), 160, None);
        // One leaves at 160; that is enough for one more.
        check(&[(100, 1), (110, 1)], (60, 2), 120, Some(Some(40)));
        check(&[(100, 1), (110, 1)], (60, 2), 160, None);
        check(&[(100, 1), (110, 2)], (60, 2), 165, Some(Some(5)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_room() {
        check(&[(500, 2)], (60, 2), 100, Some(Some(60)));
    }

    #[test]
    fn the_window_that_is_full_longest_is_named() {
        let sent = [Sent { second: 100, count: 5 }];
        let minute = RequestWindow { key: "minute", seconds: 60, most: 5 };
        let hour = RequestWindow { key: "hour", seconds: 3600, most: 5 };
        let full = full_window(&sent, &[minute, hour], 110).unwrap();
        assert_eq!((full.window.key, full.free_in), ("hour", Some(3590)));
        let wide = RequestWindow { most: 6, ..hour };
        assert_eq!(full_window(&sent, &[minute, wide], 110).unwrap().window.key, "minute");
    }
}
