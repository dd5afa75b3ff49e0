//! Money: exact amounts, and what tokens cost. Whole picodollars, because a price of a millionth
//! of a dollar for a million tokens is one picodollar a token; no sum is ever rounded. It knows
//! no model and no catalog.

mod prices;
mod span;

pub use prices::{Price, PriceList, Rates, Tier};
pub use span::{day_began, month_began};

use serde::{Deserialize, Serialize};

/// Picodollars in a dollar.
const PICO: u64 = 1_000_000_000_000;

/// Digits after the point that an amount has at least when it is shown.
const SHOWN: usize = 4;

/// Digits after the point that a picodollar needs.
const DIGITS: usize = 12;

/// An amount of US dollars, exact to a picodollar. It reaches to eighteen million dollars, and
/// stays there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in picodollars.
    pub fn of_pico(pico: u64) -> Self {
        Self(pico)
    }

    /// An amount as a person writes it, in dollars, to the nearest picodollar; none for what is
    /// no amount or more than fits.
    pub fn of_dollars(dollars: f64) -> Option<Self> {
        whole(dollars * pico_as_float()).map(Self)
    }

    /// The amount in picodollars.
    pub fn pico(self) -> u64 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// The number of dollars, to be shown or written as JSON and not to be counted with.
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 picodollars the number is rounded")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / pico_as_float()
    }
}

#[expect(clippy::cast_precision_loss, reason = "10^12 is exact")]
fn pico_as_float() -> f64 {
    PICO as f64
}

/// The nearest whole number; none below nothing or beyond what fits.
fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_precision_loss, reason = "the limit may be rounded, the check is strict")]
    let limit = u64::MAX as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be from 0 to below 2^64"
    )]
    (number >= 0.0 && number < limit).then(|| number.round() as u64)
}

/// `$0.0210`: four digits after the point, rounded to the nearest; an amount that would come out
/// as nothing has as many as show two of its own.
impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let zeros = DIGITS.saturating_sub(self.0.to_string().len());
        let digits = if self.0 == 0 || zeros < SHOWN { SHOWN } else { (zeros + 2).min(DIGITS) };
        let unit = 10_u64.pow(u32::try_from(DIGITS - digits).expect("at most twelve digits"));
        let rounded = u128::from(self.0 / unit) + u128::from(self.0 % unit >= unit.div_ceil(2));
        let scale = 10_u128.pow(u32::try_from(digits).expect("at most twelve digits"));
        write!(f, "${}.{:0digits$}", rounded / scale, rounded % scale)
    }
}

/// As a number of dollars, which is exact below a thousand; what is counted is stored elsewhere.
impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Self::of_dollars(dollars)
            .ok_or_else(|| serde::de::Error::custom(format!("`{dollars}` is no amount of dollars")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(pico: u64, expect: &str) {
        assert_eq!(Money::of_pico(pico).to_string(), expect);
    }

    #[test]
    fn an_amount_is_shown_with_four_digits_or_with_those_it_has() {
        shown(0, "$0.0000");
        shown(21_000_000_000, "$0.0210");
        shown(1_300_000_000_000, "$1.3000");
        shown(100_000_000, "$0.0001");
        shown(149_999_999, "$0.0001");
        shown(12_345_678, "$0.000012");
        shown(99_960_000, "$0.000100");
        shown(1, "$0.000000000001");
        shown(999_950_000_000, "$1.0000");
        shown(u64::MAX, "$18446744.0737");
    }

    #[test]
    fn an_amount_goes_through_json_unchanged() {
        for pico in [0, 1, 3, 237_000_000, 21_000_000_000, 999_999_999_999_999, 1_300_000_000_000] {
            let money = Money::of_pico(pico);
            let json = serde_json::to_string(&money).unwrap();
            assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money, "{json}");
        }
        assert_eq!(serde_json::to_string(&Money::of_pico(21_000_000_000)).unwrap(), "0.021");
        assert_eq!(serde_json::from_str::<Money>("2").unwrap(), Money::of_pico(2 * PICO));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for dollars in [-0.01, f64::NAN, f64::INFINITY, 2e7] {
            assert_eq!(Money::of_dollars(dollars), None, "{dollars}");
        }
        assert_eq!(Money::of_dollars(0.1), Some(Money::of_pico(100_000_000_000)));
        assert!(serde_json::from_str::<Money>("-1").is_err());
    }

    #[test]
    fn a_sum_does_not_wrap_round() {
        let most = Money::of_pico(u64::MAX);
        assert_eq!(most.plus(Money::of_pico(1)), most);
        let tenth = Money::of_dollars(0.1).unwrap();
        let sum = (0..10).fold(Money::ZERO, |sum, _| sum.plus(tenth));
        assert_eq!(sum, Money::of_dollars(1.0).unwrap());
    }
}
