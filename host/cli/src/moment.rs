//! Moments as people read them, in UTC. No library in the lock file writes these and a calendar
//! of our own is one formula each way.

/// `2026-11-22 14:18` from milliseconds since 1970-01-01.
pub(crate) fn minute(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (year, month, day) = date(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3_600 % 24, seconds / 60 % 60)
}

/// `2026-11-22 14:18:03` from milliseconds since 1970-01-01.
pub(crate) fn second(milliseconds: u64) -> String {
    format!("{}:{:02}", minute(milliseconds), milliseconds / 1_000 % 60)
}

/// Milliseconds since 1970-01-01 of `30m`, `1h` or `7d` before now, or of the beginning of a day
/// like `2026-11-22`; none if it is neither.
pub(crate) fn since(text: &str, now_ms: u64) -> Option<u64> {
    let text = text.trim();
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    for (unit, seconds) in units {
        if let Some(count) = text.strip_suffix(unit) {
            let ago = count.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1_000)?;
            return Some(now_ms.saturating_sub(ago));
        }
    }
    let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..10_000).contains(&year) {
        return None;
    }
    let days = day_of(year, month, day);
    // A day that the calendar does not have would come back as another.
    (date(days) == (year, month, day)).then_some(days * 86_400_000)
}

/// The day since 1970-01-01 of a date from 1970 on; of nonsense some other day.
fn day_of(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * (month.min(11)) + 2) / 5 + day.min(31);
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    days.saturating_sub(719_469)
}

/// Year, month and day of a day since 1970-01-01. The year is taken to begin in March, so that
/// the leap day is its last; 400 years have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_centuries_are_right() {
        for (seconds, expect) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_795_357_080, "2026-11-22 14:18"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(minute(seconds * 1_000), expect);
        }
    }

    #[test]
    fn a_time_is_ago_or_a_day() {
        const NOW: u64 = 1_795_357_080_000;
        for (text, expect) in [
            ("30m", Some(NOW - 1_800_000)),
            ("1h", Some(NOW - 3_600_000)),
            ("7d", Some(NOW - 604_800_000)),
            ("99999w", Some(0)),
            ("2026-11-22", Some(1_795_305_600_000)),
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400_000)),
            ("2001-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("2026-1-1-1", None),
            ("1969-01-01", None),
            ("", None),
            ("soon", None),
            ("-1h", None),
            ("99999999999999999999h", None),
            ("18446744073709551615w", None),
        ] {
            assert_eq!(since(text, NOW), expect, "{text}");
        }
        assert_eq!(second(1_795_357_083_999), "2026-11-22 14:18:03");
    }
}
