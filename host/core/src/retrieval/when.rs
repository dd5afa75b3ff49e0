//! What `yesterday` and `last week` mean in a question: a stretch of time, and the question
//! without those words. Days are those of UTC; it reads no clock.

const DAY_MS: u64 = 86_400_000;

/// Longest stretch that a number of days, weeks or months can mean.
const MOST_DAYS: u64 = 3_660;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] =
    ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];

/// A stretch of time that a question names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// From here, in milliseconds since 1970-01-01 UTC.
    pub after_ms: u64,
    /// Before here.
    pub before_ms: u64,
    /// The question without the words that named it.
    pub rest: String,
}

/// The first stretch of time that a text names; none if it names none.
pub fn named(text: &str, now_ms: u64) -> Option<Named> {
    let words: Vec<(&str, String)> = text
        .split_whitespace()
        .map(|word| {
            let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            (word, plain.strip_suffix("'s").map_or(plain.clone(), str::to_owned))
        })
        .collect();
    let plain: Vec<&str> = words.iter().map(|(_, plain)| plain.as_str()).collect();
    for at in 0..plain.len() {
        let rest = plain.get(at..).unwrap_or_default();
        if let Some((length, after, before)) = phrase(rest, now_ms) {
            let mut begin = at;
            if at > 0 && matches!(plain.get(at - 1), Some(&"on" | &"in" | &"from" | &"during")) {
                begin = at - 1;
            }
            let kept = words
                .iter()
                .enumerate()
                .filter(|(place, _)| *place < begin || *place >= at + length);
            let rest = kept.map(|(_, (word, _))| *word).collect::<Vec<_>>().join(" ");
            return Some(Named { after_ms: after, before_ms: before, rest });
        }
    }
    None
}

/// What the words begin with: how many words, and the stretch of time.
fn phrase(words: &[&str], now: u64) -> Option<(usize, u64, u64)> {
    let today = now - now % DAY_MS;
    let days_ago = |days: u64| today.saturating_sub(days * DAY_MS);
    let later = now.saturating_add(DAY_MS);
    match words {
        ["day", "before", "yesterday", ..] => Some((3, days_ago(2), days_ago(1))),
        ["yesterday", ..] => Some((1, days_ago(1), today)),
        ["today", ..] => Some((1, today, later)),
        ["tonight", ..] => Some((1, today, later)),
        ["this", "morning", ..] => Some((2, today, later)),
        ["last", "night", ..] => Some((2, days_ago(1), later)),
        ["since", rest @ ..] => {
            phrase(rest, now).map(|(length, after, _)| (length + 1, after, later))
        }
        ["this", "week", ..] => Some((2, week_began(today), later)),
        ["last", "week", ..] => {
            let monday = week_began(today);
            Some((2, monday.saturating_sub(7 * DAY_MS), monday))
        }
        ["this", "month", ..] => Some((2, month_began(today, 0), later)),
        ["last", "month", ..] => Some((2, month_began(today, 1), month_began(today, 0))),
        ["this", "year", ..] => Some((2, year_began(today, 0), later)),
        ["last", "year", ..] => Some((2, year_began(today, 1), year_began(today, 0))),
        ["last", day, ..] if weekday(day).is_some() => day_named(2, day, today),
        [day, ..] if weekday(day).is_some() => day_named(1, day, today),
        ["past" | "last", number, unit, ..] => {
            let days = count(number)?.checked_mul(unit_days(unit)?)?.min(MOST_DAYS);
            Some((3, days_ago(days), later))
        }
        ["recently", ..] => Some((1, days_ago(14), later)),
        [number, unit, "ago", ..] => {
            let unit = unit_days(unit)?;
            let days = count(number)?.checked_mul(unit)?.min(MOST_DAYS);
            // `two weeks ago` is no day in particular.
            let slack = unit / 2;
            Some((3, days_ago(days + slack), days_ago(days.saturating_sub(slack + 1))))
        }
        [month, year, ..] if month_number(month).is_some() && year.len() == 4 => {
            let (month, year) = (month_number(month)?, year.parse::<i64>().ok()?);
            (1970..=9999)
                .contains(&year)
                .then(|| (2, month_at(year, month), month_at(year, month + 1)))
        }
        [month, ..] if month_number(month).is_some() && *month != "may" && *month != "march" => {
            let month = month_number(month)?;
            let (year, this) = civil(today);
            let year = if month > this { year - 1 } else { year };
            Some((1, month_at(year, month), month_at(year, month + 1)))
        }
        [date, ..] => {
            let day = date_of(date)?;
            Some((1, day, day + DAY_MS))
        }
        [] => None,
    }
}

fn count(word: &str) -> Option<u64> {
    let words = ["a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    match word {
        "an" | "one" => Some(1),
        "few" | "couple" => Some(3),
        _ => match words.iter().position(|known| *known == word) {
            Some(place) => Some(place as u64 + 1),
            None => word.parse().ok().filter(|number| *number > 0),
        },
    }
}

fn unit_days(word: &str) -> Option<u64> {
    match word {
        "day" | "days" => Some(1),
        "week" | "weeks" => Some(7),
        "month" | "months" => Some(30),
        "year" | "years" => Some(365),
        _ => None,
    }
}

/// Days since the last Thursday: 1970-01-01 was one.
fn weekday(word: &str) -> Option<u64> {
    WEEKDAYS.iter().position(|known| *known == word).map(|place| place as u64)
}

fn day_named(length: usize, word: &str, today: u64) -> Option<(usize, u64, u64)> {
    let wanted = weekday(word)?;
    let now = today / DAY_MS % 7;
    let back = match (now + 7 - wanted) % 7 {
        0 => 7,
        back => back,
    };
    let day = today.saturating_sub(back * DAY_MS);
    Some((length, day, day + DAY_MS))
}

fn week_began(today: u64) -> u64 {
    let since_monday = (today / DAY_MS + 3) % 7;
    today.saturating_sub(since_monday * DAY_MS)
}

fn month_began(today: u64, back: i64) -> u64 {
    let (year, month) = civil(today);
    month_at(year, month - back)
}

fn year_began(today: u64, back: i64) -> u64 {
    month_at(civil(today).0 - back, 1)
}

fn month_number(word: &str) -> Option<i64> {
    let place = MONTHS.iter().position(|known| *known == word)?;
    i64::try_from(place).ok().map(|place| place + 1)
}

fn date_of(word: &str) -> Option<u64> {
    let mut parts = word.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month, day): (i64, i64, u64) =
        (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let fits =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    fits.then(|| month_at(year, month) + (day - 1) * DAY_MS)
}

/// Year and month of a day.
fn civil(at_ms: u64) -> (i64, i64) {
    // https://howardhinnant.github.io/date_algorithms.html
    let days = i64::try_from(at_ms / DAY_MS).unwrap_or(0) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_part = (5 * of_year + 2) / 153;
    let month = if month_part < 10 { month_part + 3 } else { month_part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month)
}

/// Where a month began; months below 1 and above 12 are those of other years.
fn month_at(year: i64, month: i64) -> u64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month_part = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_part + 2) / 5;
    let day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = era * 146_097 + day - 719_468;
    u64::try_from(days).unwrap_or(0) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday, 2026-11-26, 10:00 UTC.
    const NOW: u64 = 1_795_687_200_000;

    #[track_caller]
    fn check(text: &str, after: &str, before: &str, rest: &str) {
        let got = named(text, NOW).unwrap_or_else(|| panic!("{text} names no time"));
        let shown = |at: u64| {
            let (year, month) = civil(at);
            let day = (at - month_at(year, month)) / DAY_MS + 1;
            format!("{year}-{month:02}-{day:02}")
        };
        assert_eq!(
            (shown(got.after_ms).as_str(), shown(got.before_ms).as_str(), got.rest.as_str()),
            (after, before, rest),
            "{text}"
        );
    }

    #[test]
    fn times_are_understood() {
        check("what did I say yesterday?", "2026-11-25", "2026-11-26", "what did I say");
        check("yesterday's plan", "2026-11-25", "2026-11-26", "plan");
        check("the day before yesterday", "2026-11-24", "2026-11-25", "the");
        check(
            "what happened last week with Anna",
            "2026-11-16",
            "2026-11-23",
            "what happened with Anna",
        );
        check("notes this week", "2026-11-23", "2026-11-27", "notes");
        check("invoices from last month", "2026-10-01", "2026-11-01", "invoices");
        check("last year", "2025-01-01", "2026-01-01", "");
        check("the past 3 days", "2026-11-23", "2026-11-27", "the");
        check("two weeks ago", "2026-11-09", "2026-11-16", "");
        check("3 days ago we met", "2026-11-23", "2026-11-24", "we met");
        check("on Monday, lunch", "2026-11-23", "2026-11-24", "lunch");
        check("last thursday", "2026-11-19", "2026-11-20", "");
        check("in October 2024 rent", "2024-10-01", "2024-11-01", "rent");
        check("trip in december", "2025-12-01", "2026-01-01", "trip");
        check("meeting 2026-02-03", "2026-02-03", "2026-02-04", "meeting");
        check("since last month", "2026-10-01", "2026-11-27", "");
    }

    #[test]
    fn other_words_name_no_time() {
        for text in [
            "",
            "may I march on",
            "the last straw",
            "weekly report",
            "99999999999999999999 days ago",
            "1999-99-99",
            "last",
        ] {
            assert_eq!(named(text, NOW), None, "{text}");
        }
        assert!(named("yesterday", 0).is_some(), "at the beginning of time, too");
        assert!(named("last 4000000000 years", u64::MAX / 2).is_some());
    }
}
