//! The printed table and the percentiles in it. Not a judge: a missed aim is a word in a cell.

use std::fmt;
use std::time::Duration;

/// What was measured, row by row, as Markdown.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// One row.
#[derive(Default)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What came out.
    pub(crate) value: String,
    /// What it is compared with, of the same run.
    pub(crate) baseline: String,
    /// Value by baseline.
    pub(crate) ratio: String,
    /// What was aimed at, and whether it was met.
    pub(crate) aim: Option<(String, bool)>,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| What | Measured | Baseline | Ratio | Aim | Met |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for Row { what, value, baseline, ratio, aim } in &self.rows {
            let (aim, met) = match aim {
                Some((aim, true)) => (aim.as_str(), "yes"),
                Some((aim, false)) => (aim.as_str(), "no"),
                None => ("", ""),
            };
            writeln!(f, "| {what} | {value} | {baseline} | {ratio} | {aim} | {met} |")?;
        }
        Ok(())
    }
}

/// Times of the same thing.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Half of the samples are at most this.
    pub(crate) fn p50(&self) -> Duration {
        self.at(50)
    }

    /// Nineteen of twenty samples are at most this.
    pub(crate) fn p95(&self) -> Duration {
        self.at(95)
    }

    fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {}, p95 {}", shown(self.p50()), shown(self.p95()))
    }
}

/// A time with three digits that mean something.
pub(crate) fn shown(time: Duration) -> String {
    let nanos = time.as_secs_f64() * 1e9;
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e4 => format!("{:.2} µs", n / 1e3),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n if n < 1e7 => format!("{:.2} ms", n / 1e6),
        n if n < 1e9 => format!("{:.1} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// `a` by `b`.
pub(crate) fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
