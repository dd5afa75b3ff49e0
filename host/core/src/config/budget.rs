//! `budget`: how much money a person's sessions may cost together. What was spent is counted
//! elsewhere.

use super::Config;
use crate::money::Money;
use serde::Deserialize;

/// Money that may be spent in a stretch of time, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Budget {
    pub session_dollars: Option<f64>,
    pub day_dollars: Option<f64>,
    pub month_dollars: Option<f64>,
}

/// What a budget of money is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// One turn.
    Turn,
    /// One session.
    Session,
    /// A day, in UTC.
    Day,
    /// A month of the calendar, in UTC.
    Month,
}

/// A budget of money that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneyBudget {
    /// Its key.
    pub key: &'static str,
    /// What it is about.
    pub span: Span,
    /// How much.
    pub limit: Money,
}

impl Config {
    /// The budgets of money that are set, the narrowest first.
    pub fn money_budgets(&self) -> Vec<MoneyBudget> {
        let set = |(key, span, dollars): (&'static str, Span, Option<f64>)| {
            Some(MoneyBudget { key, span, limit: Money::of_dollars(dollars?)? })
        };
        self.written().into_iter().filter_map(set).collect()
    }

    /// Refuses what is no amount.
    pub(super) fn check_budgets(&self) -> Result<(), String> {
        for (key, _, dollars) in self.written() {
            let amount = dollars.map(Money::of_dollars);
            if amount.is_some_and(|amount| amount.is_none_or(|amount| amount == Money::ZERO)) {
                return Err(format!("`{key}` is an amount above 0"));
            }
        }
        Ok(())
    }

    fn written(&self) -> [(&'static str, Span, Option<f64>); 4] {
        [
            ("turn.max_dollars", Span::Turn, self.turn.max_dollars),
            ("budget.session_dollars", Span::Session, self.budget.session_dollars),
            ("budget.day_dollars", Span::Day, self.budget.day_dollars),
            ("budget.month_dollars", Span::Month, self.budget.month_dollars),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::from_table(text.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn budgets_that_are_set_are_exact_amounts() {
        let config =
            read("[turn]\nmax_dollars = 0.1\n[budget]\nday_dollars = 2\nmonth_dollars = 30.5");
        let budgets = config.unwrap().money_budgets();
        let shown: Vec<_> =
            budgets.iter().map(|budget| (budget.key, budget.limit.to_string())).collect();
        assert_eq!(
            shown,
            [
                ("turn.max_dollars", "$0.1000".to_owned()),
                ("budget.day_dollars", "$2.0000".to_owned()),
                ("budget.month_dollars", "$30.5000".to_owned()),
            ]
        );
        assert_eq!(Config::default().money_budgets(), []);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for (text, key) in [
            ("[budget]\nday_dollars = 0", "budget.day_dollars"),
            ("[budget]\nsession_dollars = -1.0", "budget.session_dollars"),
            ("[budget]\nmonth_dollars = nan", "budget.month_dollars"),
            ("[turn]\nmax_dollars = inf", "turn.max_dollars"),
        ] {
            assert!(read(text).unwrap_err().contains(&format!("`{key}` is an amount above 0")));
        }
    }
}
