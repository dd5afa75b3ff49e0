//! When a day and a month began, in UTC. Nothing here knows what time it is.

const DAY_MS: u64 = 86_400_000;

/// The beginning of the day that a moment is in; both in milliseconds since 1970-01-01 UTC.
pub fn day_began(now_ms: u64) -> u64 {
    now_ms - now_ms % DAY_MS
}

/// The beginning of the month of the calendar that a moment is in.
pub fn month_began(now_ms: u64) -> u64 {
    let day = now_ms / DAY_MS;
    day.saturating_sub(day_of_month(day)) * DAY_MS
}

/// The day of its month, from 0, of a day since 1970-01-01. The year is taken to begin in March,
/// so that the leap day is its last; 400 years have 146,097 days.
fn day_of_month(day: u64) -> u64 {
    let day = (day + 719_468) % 146_097;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    day - (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn month(day: u64, first: u64) {
        let late = day * DAY_MS + DAY_MS - 1;
        assert_eq!(month_began(late), first * DAY_MS, "day {day}");
        assert_eq!(day_began(late), day * DAY_MS);
    }

    #[test]
    fn months_begin_on_their_first_day() {
        // January and February 1970.
        month(0, 0);
        month(30, 0);
        month(31, 31);
        // 2000-02-29, 2000-03-01, 2026-11-25, 2026-12-31, 2100-02-28, 2100-03-01.
        month(11_016, 10_988);
        month(11_017, 11_017);
        month(20_782, 20_758);
        month(20_818, 20_788);
        month(47_540, 47_513);
        month(47_541, 47_541);
    }
}
