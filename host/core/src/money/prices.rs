//! Prices of a model, and what a request costs by them. Where they come from is not its business.

use super::{Money, whole};
use crate::config;
use crate::message::Usage;
use serde::Deserialize;

/// Picodollars a token, which is millionths of a dollar for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(u64);

/// Most dollars for a million tokens. The dearest model costs some hundred; more is a number in
/// another unit.
const DEAREST: f64 = 1_000_000.0;

/// What tokens cost. What is not there is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Input that was not cached.
    pub input: Option<Price>,
    /// Output.
    pub output: Option<Price>,
    /// Input read from a cache; as other input when not known.
    pub cache_read: Option<Price>,
    /// Input written to a cache; as other input when not known.
    pub cache_write: Option<Price>,
    /// Output that was reasoning; as other output when not known.
    pub reasoning: Option<Price>,
}

/// Prices of requests with more input than a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// They hold for a request with more input tokens than this, cached ones included.
    pub above: u64,
    /// The prices.
    pub rates: Rates,
}

/// The prices of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// Those of a request that no tier is about.
    pub base: Rates,
    /// Those of long requests. A request is charged as a whole by the highest it passes.
    pub tiers: Vec<Tier>,
}

impl Price {
    /// Dollars for a million tokens, to the nearest millionth of a dollar; none for what is no
    /// price.
    pub fn of_dollars(dollars: f64) -> Option<Self> {
        (dollars <= DEAREST).then(|| whole(dollars * 1e6))?.map(Self)
    }

    /// Dollars for a million tokens.
    #[expect(clippy::cast_precision_loss, reason = "a price is at most 10^12")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Self::of_dollars(dollars).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{dollars}` is no price; it is US dollars for a million tokens, from 0 to {DEAREST}"
            ))
        })
    }
}

impl Rates {
    /// What somebody configured, as far as it is a price.
    pub fn configured(prices: &config::Prices) -> Self {
        let price = |dollars: Option<f64>| dollars.and_then(Price::of_dollars);
        Self {
            input: price(prices.input),
            output: price(prices.output),
            cache_read: price(prices.cache_read),
            cache_write: price(prices.cache_write),
            reasoning: None,
        }
    }

    /// These, and where one of them is not known the other's.
    fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write: self.cache_write.or(other.cache_write),
            // A price that was set for output is meant for all of it.
            reasoning: self.reasoning.or(other.reasoning.filter(|_| self.output.is_none())),
        }
    }

    fn cost(&self, usage: &Usage) -> Option<u128> {
        let (input, output) = (self.input?, self.output?);
        let plain = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
        let spoken = usage.output.saturating_sub(usage.reasoning);
        let cost = |tokens: u64, price: Price| u128::from(tokens) * u128::from(price.0);
        Some(
            cost(plain, input)
                + cost(usage.cache_read, self.cache_read.unwrap_or(input))
                + cost(usage.cache_write, self.cache_write.unwrap_or(input))
                + cost(spoken, output)
                + cost(usage.reasoning.min(usage.output), self.reasoning.unwrap_or(output)),
        )
    }
}

impl PriceList {
    /// The list with what somebody configured in place of what it says, long requests included.
    #[must_use]
    pub fn overridden(mut self, rates: Rates) -> Self {
        self.base = rates.or(self.base);
        for tier in &mut self.tiers {
            tier.rates = rates.or(tier.rates);
        }
        self
    }

    /// The prices of what costs nothing.
    pub fn free() -> Self {
        let nothing = Some(Price::default());
        let base = Rates { input: nothing, output: nothing, ..Rates::default() };
        Self { base, tiers: Vec::new() }
    }

    /// True if no request costs anything, however many tokens it has.
    pub fn is_free(&self) -> bool {
        self.is_known()
            && self.cost(&Usage { input: 1, output: 1, ..Usage::default() }) == Some(Money::ZERO)
            && self.tiers.is_empty()
    }

    /// True if the cost of a request can be told.
    pub fn is_known(&self) -> bool {
        std::iter::once(&self.base)
            .chain(self.tiers.iter().map(|tier| &tier.rates))
            .all(|rates| rates.input.is_some() && rates.output.is_some())
    }

    /// What a request cost, to the picodollar; none when a price that is needed is not known.
    pub fn cost(&self, usage: &Usage) -> Option<Money> {
        let tier = self.tiers.iter().filter(|tier| usage.input > tier.above);
        let rates = tier.max_by_key(|tier| tier.above).map_or(&self.base, |tier| &tier.rates);
        let pico = rates.cost(usage)?;
        Some(Money::of_pico(u64::try_from(pico).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(input: f64, output: f64) -> Rates {
        Rates {
            input: Price::of_dollars(input),
            output: Price::of_dollars(output),
            ..Rates::default()
        }
    }

    fn flat(base: Rates) -> PriceList {
        PriceList { base, tiers: Vec::new() }
    }

    #[track_caller]
    fn check(list: &PriceList, usage: Usage, pico: Option<u64>) {
        assert_eq!(list.cost(&usage), pico.map(Money::of_pico), "{usage:?}");
    }

    fn used(input: u64, output: u64) -> Usage {
        Usage { input, output, ..Usage::default() }
    }

    #[test]
    fn one_token_of_the_cheapest_price_is_one_picodollar() {
        check(&flat(rates(0.000_001, 0.0)), used(1, 9), Some(1));
        check(&flat(rates(0.05, 0.4)), used(3, 7), Some(3 * 50_000 + 7 * 400_000));
    }

    #[test]
    fn cached_input_costs_its_own_price_or_that_of_input() {
        let usage = Usage {
            input: 1_000_000,
            output: 0,
            cache_read: 500_000,
            cache_write: 100_000,
            reasoning: 0,
        };
        let plain = rates(10.0, 1.0);
        check(&flat(plain), usage, Some(10_000_000_000_000));
        let cached = Rates {
            cache_read: Price::of_dollars(1.0),
            cache_write: Price::of_dollars(20.0),
            ..plain
        };
        check(&flat(cached), usage, Some(6_500_000_000_000));
    }

    #[test]
    fn reasoning_is_output_and_may_have_its_own_price() {
        let usage = Usage { output: 10, reasoning: 4, ..Usage::default() };
        check(&flat(rates(1.0, 2.0)), usage, Some(20_000_000));
        let own = Rates { reasoning: Price::of_dollars(5.0), ..rates(1.0, 2.0) };
        check(&flat(own), usage, Some(6 * 2_000_000 + 4 * 5_000_000));
        let more = Usage { output: 3, reasoning: 9, ..Usage::default() };
        check(&flat(rates(1.0, 2.0)), more, Some(3 * 2_000_000));
    }

    #[test]
    fn a_long_request_is_charged_as_a_whole_by_the_highest_tier_it_passes() {
        let tier = |above, input| Tier { above, rates: rates(input, 1.0) };
        let list = PriceList { base: rates(1.0, 1.0), tiers: vec![tier(200, 4.0), tier(100, 2.0)] };
        check(&list, used(100, 0), Some(100_000_000));
        check(&list, used(101, 0), Some(202_000_000));
        check(&list, used(201, 0), Some(804_000_000));
        let cached = Usage { cache_read: 200, ..used(201, 0) };
        check(&list, cached, Some(804_000_000));
    }

    #[test]
    fn what_is_not_known_is_none_and_not_nothing() {
        check(&PriceList::default(), used(1, 1), None);
        check(&flat(Rates { output: None, ..rates(1.0, 1.0) }), used(1, 0), None);
        check(&flat(rates(0.0, 0.0)), used(1, 1), Some(0));
        let unknown_when_long = PriceList {
            base: rates(1.0, 1.0),
            tiers: vec![Tier { above: 5, rates: Rates::default() }],
        };
        assert!(!unknown_when_long.is_known());
        check(&unknown_when_long, used(6, 0), None);
        check(&unknown_when_long, used(5, 0), Some(5_000_000));
    }

    #[test]
    fn what_somebody_configured_wins_field_by_field() {
        let list = PriceList {
            base: Rates { cache_read: Price::of_dollars(0.1), ..rates(1.0, 2.0) },
            tiers: vec![Tier { above: 10, rates: rates(3.0, 6.0) }],
        };
        let list = list.overridden(Rates { output: Price::of_dollars(9.0), ..Rates::default() });
        check(&list, used(1, 1), Some(10_000_000));
        check(&list, used(11, 1), Some(42_000_000));
        check(&list, Usage { cache_read: 1, ..used(1, 0) }, Some(100_000));
    }

    #[test]
    fn a_cost_beyond_what_fits_stays_at_the_most() {
        let list = flat(rates(1_000_000.0, 1_000_000.0));
        check(&list, used(u64::MAX, u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn a_price_is_a_number_from_nothing_up() {
        for dollars in [-1.0, f64::NAN, f64::INFINITY, 2e6] {
            assert_eq!(Price::of_dollars(dollars), None, "{dollars}");
        }
        // As a calculation left it in a list of prices.
        assert_eq!(Price::of_dollars(0.049_999_999_999_999_996), Price::of_dollars(0.05));
    }
}
