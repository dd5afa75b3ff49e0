//! Tools for time: what time it is, the same instant elsewhere, and calendar arithmetic. Not
//! a scheduler, and not a parser of free text such as "next Tuesday".

mod calendar;

use hydroid_component::config;
use hydroid_component::tool::{Structured, Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use calendar::{Amount, Calendar, Difference, Moment, Unit};

struct Time;

impl Toolset for Time {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![
            Tool::structured(
                "time_now",
                "Tells the current date and time, with weekday and ISO week, in a time zone.",
                |arguments: Now| calendar()?.now(arguments.zone.as_deref()).map(moment),
            )
            .title("Current time")
            .volatile(),
            Tool::structured(
                "time_convert",
                "Converts a time to another time zone.",
                |arguments: Convert| {
                    let Convert { time, zone, to } = arguments;
                    calendar()?.convert(&time, zone.as_deref(), &to).map(moment)
                },
            )
            .title("Convert time")
            .read_only(),
            Tool::structured(
                "time_add",
                "Adds calendar units to a time, respecting month lengths and clock changes of its \
                 zone. Negative numbers subtract.",
                |arguments: Add| {
                    let Add { time, zone, amount } = arguments;
                    calendar()?.add(&time, zone.as_deref(), amount).map(moment)
                },
            )
            .title("Add to a time")
            .read_only(),
            Tool::structured(
                "time_difference",
                "Tells how much time lies between two times, in calendar units and in seconds.",
                |arguments: Between| {
                    let Between { from, to, zone, largest } = arguments;
                    let zone = zone.as_deref();
                    calendar()?.difference(&from, &to, zone, largest).map(difference)
                },
            )
            .title("Time between")
            .read_only(),
        ])
    }
}

hydroid_component::export_tool!(Time);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Now {
    /// IANA time zone such as `Europe/Berlin`, or an offset such as `+02:00`. The configured
    /// zone when absent.
    zone: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Convert {
    /// The time: `now`, `2026-03-29T10:00`, `2026-03-29`, `2026-03-29T10:00:00+02:00`,
    /// `2026-03-29T10:00[Europe/Berlin]`, or `@` and seconds since 1970 such as `@1774771200`.
    time: String,
    /// Zone of `time`, if it does not name one itself.
    zone: Option<String>,
    /// Zone to convert to.
    to: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// The time to start from, written as for `time_convert`.
    time: String,
    /// Zone of `time`, if it does not name one itself; otherwise the zone to calculate in.
    zone: Option<String>,
    /// What to add.
    amount: Amount,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Between {
    /// The earlier time, written as for `time_convert`.
    from: String,
    /// The later time. If it is the earlier one, the difference is negative.
    to: String,
    /// Zone of times that do not name one; also the zone to count days in.
    zone: Option<String>,
    /// Largest unit of the answer; `day` when absent.
    largest: Option<Unit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    zone: Option<String>,
}

fn calendar() -> Result<Calendar, ToolError> {
    let configuration: Configuration = config::read()?;
    let zone = configuration.zone.as_deref().unwrap_or("UTC");
    Calendar::new(Timestamp::now(), zone)
}

fn moment(value: Moment) -> Structured<Moment> {
    Structured { text: value.to_string(), value }
}

fn difference(value: Difference) -> Structured<Difference> {
    Structured { text: value.to_string(), value }
}
