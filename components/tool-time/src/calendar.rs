//! Time as this component understands it: parsing, conversion, arithmetic. No clock of its
//! own: the caller says what time it is.

use std::fmt;

use hydroid_component::tool::ToolError;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, Zoned, tz};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A clock reading and the zone that is meant when none is named.
pub(crate) struct Calendar {
    now: Timestamp,
    zone: TimeZone,
}

impl Calendar {
    pub(crate) fn new(now: Timestamp, default_zone: &str) -> Result<Self, ToolError> {
        Ok(Calendar { now, zone: parse_zone(default_zone)? })
    }

    pub(crate) fn now(&self, zone: Option<&str>) -> Result<Moment, ToolError> {
        let zone = zone.map(parse_zone).transpose()?.unwrap_or_else(|| self.zone.clone());
        Ok(Moment::new(&self.now.to_zoned(zone), None))
    }

    pub(crate) fn convert(
        &self,
        time: &str,
        zone: Option<&str>,
        to: &str,
    ) -> Result<Moment, ToolError> {
        let zone = zone.map(parse_zone).transpose()?;
        let to = parse_zone(to)?;
        let (time, note) = self.parse_time(time, zone.as_ref())?;
        Ok(Moment::new(&time.with_time_zone(to), note))
    }

    pub(crate) fn add(
        &self,
        time: &str,
        zone: Option<&str>,
        amount: Amount,
    ) -> Result<Moment, ToolError> {
        let (time, note) = self.parse_time_in(time, zone)?;
        let sum = time.checked_add(amount.span()?).map_err(|error| {
            ToolError::failed(format!(
                "the result is outside of what can be calculated: {error}; use a smaller amount"
            ))
        })?;
        Ok(Moment::new(&sum, note))
    }

    pub(crate) fn difference(
        &self,
        from: &str,
        to: &str,
        zone: Option<&str>,
        largest: Option<Unit>,
    ) -> Result<Difference, ToolError> {
        let (from, _) = self.parse_time_in(from, zone)?;
        let (to, _) = self.parse_time_in(to, zone)?;
        let largest = largest.unwrap_or(Unit::Day);
        let to = to.with_time_zone(from.time_zone().clone());
        let span = from.until((largest.unit(), &to)).map_err(|error| {
            ToolError::failed(format!("these times are too far apart: {error}"))
        })?;
        Ok(Difference {
            text: if span.is_zero() { "no time".to_owned() } else { format!("{span:#}") },
            duration: span.to_string(),
            seconds: to.timestamp().as_second() - from.timestamp().as_second(),
        })
    }

    /// A time, moved into `zone` if one is named: that is the zone to calculate in.
    fn parse_time_in(&self, text: &str, zone: Option<&str>) -> Result<Parsed, ToolError> {
        let zone = zone.map(parse_zone).transpose()?;
        let (time, note) = self.parse_time(text, zone.as_ref())?;
        Ok((zone.map_or(time.clone(), |zone| time.with_time_zone(zone)), note))
    }

    fn parse_time(&self, text: &str, zone: Option<&TimeZone>) -> Result<Parsed, ToolError> {
        let text = text.trim();
        let zone = zone.unwrap_or(&self.zone);
        if text.eq_ignore_ascii_case("now") {
            return Ok((self.now.to_zoned(zone.clone()), None));
        }
        if let Some(seconds) = text.strip_prefix('@') {
            let seconds = seconds.parse().map_err(|_| unreadable(text))?;
            let time = Timestamp::from_second(seconds).map_err(|_| unreadable(text))?;
            return Ok((time.to_zoned(zone.clone()), None));
        }
        if text.ends_with(']') {
            let time: Zoned = text.parse().map_err(|error| {
                ToolError::failed(format!("`{text}` is not a time with a zone: {error}"))
            })?;
            return Ok((time, None));
        }
        if let Ok(pieces) = jiff::fmt::temporal::Pieces::parse(text)
            && let Some(offset) = pieces.to_numeric_offset()
            && let Ok(time) = text.parse::<Timestamp>()
        {
            // `Z` says which instant, not where; a written offset says both.
            let is_instant = text.ends_with(['z', 'Z']);
            let zone = if is_instant { zone.clone() } else { TimeZone::fixed(offset) };
            return Ok((time.to_zoned(zone), None));
        }
        let local: DateTime = text.parse().map_err(|_| unreadable(text))?;
        let ambiguous = zone.to_ambiguous_zoned(local);
        let note = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some(format!(
                "the clock skipped {local} in this zone; counted on from before the skip"
            )),
            AmbiguousOffset::Fold { .. } => Some(format!(
                "{local} happened twice in this zone; the first one is taken, give an offset for the other"
            )),
        };
        let time = ambiguous.compatible().map_err(|_| unreadable(text))?;
        Ok((time, note))
    }
}

/// A time, and what the reader should know of how it was read.
type Parsed = (Zoned, Option<String>);

/// One instant in one zone.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Moment {
    /// Local time with offset, RFC 3339.
    local: String,
    /// IANA zone or offset.
    zone: String,
    /// Weekday in English.
    weekday: String,
    /// ISO 8601 week, such as `2026-W13`.
    week: String,
    /// The same instant in UTC, RFC 3339.
    utc: String,
    /// Seconds since 1970-01-01 UTC.
    unix_seconds: i64,
    /// What to know of how the time was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Moment {
    fn new(time: &Zoned, note: Option<String>) -> Self {
        let time = time.round(jiff::Unit::Second).unwrap_or_else(|_| time.clone());
        let week = time.date().iso_week_date();
        let offset = time.offset();
        let zone = match time.time_zone().iana_name() {
            Some(name) => name.to_owned(),
            None => offset.to_string(),
        };
        Moment {
            local: time.timestamp().display_with_offset(offset).to_string(),
            zone,
            weekday: format!("{:?}", time.weekday()),
            week: format!("{:04}-W{:02}", week.year(), week.week()),
            utc: time.timestamp().to_string(),
            unix_seconds: time.timestamp().as_second(),
            note,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { local, zone, weekday, week, utc, unix_seconds, note } = self;
        write!(formatter, "{local} ({zone}), {weekday}, week {week}")?;
        write!(formatter, "\nUTC {utc}, unix {unix_seconds}")?;
        match note {
            Some(note) => write!(formatter, "\nnote: {note}"),
            None => Ok(()),
        }
    }
}

/// What lies between two times.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// In words, such as `2mo 3d 4h`.
    text: String,
    /// ISO 8601 duration.
    duration: String,
    /// The same in seconds.
    seconds: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}, {} seconds)", self.text, self.duration, self.seconds)
    }
}

/// Numbers of calendar units; negative ones subtract.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Amount {
    /// Calendar years.
    pub(crate) years: i64,
    /// Calendar months.
    pub(crate) months: i64,
    /// Weeks.
    pub(crate) weeks: i64,
    /// Calendar days.
    pub(crate) days: i64,
    /// Hours of 60 minutes.
    pub(crate) hours: i64,
    /// Minutes.
    pub(crate) minutes: i64,
    /// Seconds.
    pub(crate) seconds: i64,
}

impl Amount {
    fn span(self) -> Result<Span, ToolError> {
        // A span has one sign for all units, so the units are added one group at a time only
        // if the signs agree; mixed signs are a question with two answers.
        let all = [
            self.years,
            self.months,
            self.weeks,
            self.days,
            self.hours,
            self.minutes,
            self.seconds,
        ];
        if all.iter().all(|number| *number == 0) {
            return Err(ToolError::failed(
                "nothing to add; give `amount` at least one of `years`, `months`, `weeks`, \
                 `days`, `hours`, `minutes`, `seconds`",
            ));
        }
        if all.iter().any(|number| *number < 0) && all.iter().any(|number| *number > 0) {
            return Err(ToolError::failed(
                "some numbers add and some subtract, and the order would matter; make two calls",
            ));
        }
        let span = || {
            Span::new()
                .try_years(self.years)?
                .try_months(self.months)?
                .try_weeks(self.weeks)?
                .try_days(self.days)?
                .try_hours(self.hours)?
                .try_minutes(self.minutes)?
                .try_seconds(self.seconds)
        };
        span().map_err(|error: jiff::Error| {
            ToolError::failed(format!("the amount is too large: {error}"))
        })
    }
}

/// A unit of calendar time.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn unit(self) -> jiff::Unit {
        match self {
            Unit::Year => jiff::Unit::Year,
            Unit::Month => jiff::Unit::Month,
            Unit::Week => jiff::Unit::Week,
            Unit::Day => jiff::Unit::Day,
            Unit::Hour => jiff::Unit::Hour,
            Unit::Minute => jiff::Unit::Minute,
            Unit::Second => jiff::Unit::Second,
        }
    }
}

fn parse_zone(text: &str) -> Result<TimeZone, ToolError> {
    let text = text.trim();
    if let Ok(zone) = DateTimeParser::new().parse_time_zone(text) {
        return Ok(zone);
    }
    let hint = match nearest_zone(text) {
        Some(zone) => format!("did you mean `{zone}`?"),
        None => "use an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`".into(),
    };
    Err(ToolError::failed(format!("unknown time zone `{text}`; {hint}")))
}

/// The zone that ends in this city, or else the one spelled most alike.
fn nearest_zone(text: &str) -> Option<String> {
    let wanted = text.to_lowercase().replace(' ', "_");
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name);
        strsim::jaro_winkler(city, &wanted).max(strsim::jaro_winkler(&name, &wanted))
    };
    tz::db()
        .available()
        .map(|name| (likeness(name.as_str()), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name.as_str().to_owned())
}

fn unreadable(text: &str) -> ToolError {
    ToolError::failed(format!(
        "cannot read `{text}` as a time; write it like `2026-03-29T10:00`, \
         `2026-03-29T10:00:00+02:00`, `2026-03-29T10:00[Europe/Berlin]`, `@1774771200` or `now`"
    ))
}

#[cfg(test)]
mod tests;
