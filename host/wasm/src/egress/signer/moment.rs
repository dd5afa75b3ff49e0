//! A moment in the forms that signed requests tell it in, in UTC.

use hydroid_core::manifest::TimestampUnit;

/// The moment as an HMAC's timestamp.
pub(super) fn in_unit(ms: u64, unit: TimestampUnit) -> String {
    match unit {
        TimestampUnit::Seconds => (ms / 1000).to_string(),
        TimestampUnit::Milliseconds => ms.to_string(),
        TimestampUnit::Iso8601 => {
            let (date, time) = split(ms);
            let [year, month, day] = date;
            let [hour, minute, second] = time;
            format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
                ms % 1000
            )
        }
    }
}

/// `20150830T123600Z`, as AWS writes it.
pub(super) fn basic(ms: u64) -> String {
    let ([year, month, day], [hour, minute, second]) = split(ms);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

fn split(ms: u64) -> ([u64; 3], [u64; 3]) {
    let seconds = ms / 1000;
    let time = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    // Years are counted from 1 March, so that the leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    ([year, month, day], time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        for (ms, expect) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_440_938_160_000, "2015-08-30T12:36:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(in_unit(ms, TimestampUnit::Iso8601), expect);
        }
        assert_eq!(basic(1_440_938_160_000), "20150830T123600Z");
        assert_eq!(in_unit(1_440_938_160_999, TimestampUnit::Seconds), "1440938160");
        assert_eq!(in_unit(1_440_938_160_999, TimestampUnit::Milliseconds), "1440938160999");
    }
}
