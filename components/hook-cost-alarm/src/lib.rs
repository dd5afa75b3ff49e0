//! A hook that adds up what turns have cost in a day and says so once it is too much. A budget of
//! the host's stops a request before it is sent; this one warns, and between turns only.

mod day;

use day::Day;
use hydroid_component::bindings::imports::hydroid::cap::kv;
use hydroid_component::config;
use hydroid_component::hook::{Answer, Error, Hook, Point, Question};
use serde::Deserialize;

/// Where the sum is kept.
const KEY: &str = "day";

#[derive(Deserialize)]
struct Settings {
    dollars_a_day: f64,
    action: Action,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Warn,
    Stop,
}

#[derive(Deserialize)]
struct Ended {
    dollars: Option<f64>,
}

struct CostAlarm;

impl Hook for CostAlarm {
    fn points() -> Result<Vec<Point>, Error> {
        Ok(vec![Point::new("turn-start"), Point::new("turn-end")])
    }

    fn decide(question: Question) -> Result<Answer, Error> {
        let mut day = Day::read(kv::get(KEY)?.as_deref()).on(day::today());
        if question.point == "turn-end" {
            let ended: Ended = question.read()?;
            if day.add(ended.dollars.unwrap_or_default()) {
                kv::set(KEY, day.written().as_bytes())?;
            }
            return Ok(Answer::Proceed);
        }
        let settings: Settings = config::read()?;
        if day.dollars() < settings.dollars_a_day {
            return Ok(Answer::Proceed);
        }
        let text = format!(
            "today's turns have cost ${:.4}, and the alarm is set to ${}",
            day.dollars(),
            settings.dollars_a_day
        );
        Ok(match settings.action {
            Action::Warn => Answer::Notice(text),
            Action::Stop => Answer::Deny(text),
        })
    }
}

hydroid_component::export_hook!(CostAlarm);
