//! Dated exchange rates.

use std::collections::BTreeMap;

use crate::{
    calendar::Day,
    money::{Currency, MoneyError, round_half_even, to_micros},
};

/// Rates carry twelve decimals, exactly.
const RATE_SCALE: i128 = 1_000_000_000_000;

/// A rate that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingRate {
    /// The currency of the amount.
    pub from: Currency,
    /// The reporting currency.
    pub to: Currency,
    /// The day for which neither a rate nor an earlier one is known.
    pub day: Day,
}

/// Why an amount could not be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversionError {
    /// No rate on or before the day.
    Missing(MissingRate),
    /// The result does not fit the ledger.
    Money(MoneyError),
}

/// Exchange rates by pair and day. A rate holds from its day until the next one.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    pairs: BTreeMap<(Currency, Currency), BTreeMap<Day, i128>>,
}

impl Rates {
    /// Sets what one unit of `base` is worth in `quote` from `day` on; `rate_picos` is the rate × 10¹².
    /// Rates that are not above zero are refused by the reader and ignored here.
    pub fn insert(&mut self, base: Currency, quote: Currency, day: Day, rate_picos: i128) {
        if rate_picos > 0 {
            self.pairs.entry((base, quote)).or_default().insert(day, rate_picos);
        }
    }

    /// Takes a rate back.
    pub fn remove(&mut self, base: Currency, quote: Currency, day: Day) {
        if let Some(rates) = self.pairs.get_mut(&(base, quote)) {
            rates.remove(&day);
        }
    }

    /// The currencies that rates lead to, sorted.
    #[must_use]
    pub fn quotes(&self) -> Vec<Currency> {
        let mut quotes: Vec<Currency> = self.pairs.keys().map(|(_, quote)| *quote).collect();
        quotes.sort_unstable();
        quotes.dedup();
        quotes
    }

    /// Whether no rate is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The rate of a day as a reduced quotient: the pair's own, its inverse, or by way of a third currency
    /// (the first by code that has both).
    #[must_use]
    pub fn rate(&self, from: Currency, to: Currency, day: Day) -> Option<(i128, i128)> {
        if from == to {
            return Some((1, 1));
        }
        if let Some(found) = self.one_step(from, to, day) {
            return Some(found);
        }
        let thirds = self.pairs.keys().flat_map(|(base, quote)| [*base, *quote]);
        let mut thirds: Vec<Currency> = thirds.filter(|third| *third != from && *third != to).collect();
        thirds.sort_unstable();
        thirds.dedup();
        thirds.into_iter().find_map(|third| {
            let (a, b) = self.one_step(from, third, day)?;
            let (c, d) = self.one_step(third, to, day)?;
            reduced(a.checked_mul(c)?, b.checked_mul(d)?)
        })
    }

    fn one_step(&self, from: Currency, to: Currency, day: Day) -> Option<(i128, i128)> {
        let latest = |base, quote| {
            self.pairs.get(&(base, quote)).and_then(|rates| rates.range(..=day).next_back().map(|(_, rate)| *rate))
        };
        match latest(from, to) {
            Some(rate) => reduced(rate, RATE_SCALE),
            None => latest(to, from).and_then(|rate| reduced(RATE_SCALE, rate)),
        }
    }

    /// Converts micro-units at the rate of a day, rounding once, half to even.
    ///
    /// # Errors
    /// When no rate is known on or before the day, or the result does not fit.
    pub fn convert(&self, micros: i64, from: Currency, to: Currency, day: Day) -> Result<i64, ConversionError> {
        if from == to {
            return Ok(micros);
        }
        let (numerator, denominator) =
            self.rate(from, to, day).ok_or(ConversionError::Missing(MissingRate { from, to, day }))?;
        i128::from(micros)
            .checked_mul(numerator)
            .ok_or(MoneyError::TooLarge)
            .and_then(|scaled| round_half_even(scaled, denominator))
            .and_then(to_micros)
            .map_err(ConversionError::Money)
    }
}

fn reduced(numerator: i128, denominator: i128) -> Option<(i128, i128)> {
    let (mut a, mut b) = (numerator, denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (a > 0).then(|| (numerator / a, denominator / a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_until_the_next_one_and_works_both_ways() {
        let code = |text| Currency::parse(text).unwrap();
        let day = |text| Day::parse(text).unwrap();
        let (eur, usd, jpy) = (code("EUR"), code("USD"), code("JPY"));
        let mut rates = Rates::default();
        rates.insert(eur, usd, day("2024-01-01"), 1_100_000_000_000);
        rates.insert(eur, usd, day("2024-02-01"), 1_200_000_000_000);
        rates.insert(usd, jpy, day("2024-01-01"), 150_000_000_000_000);
        for (micros, from, to, on, converted) in [
            (10_000_000, eur, usd, "2024-01-31", 11_000_000),
            (10_000_000, eur, usd, "2024-02-01", 12_000_000),
            (11_000_000, usd, eur, "2024-01-15", 10_000_000),
            (1_000_000, eur, jpy, "2024-01-15", 165_000_000),
            (1, usd, eur, "2024-02-15", 1),
        ] {
            assert_eq!(rates.convert(micros, from, to, day(on)), Ok(converted));
        }
        assert_eq!(
            rates.convert(1, eur, usd, day("2023-12-31")),
            Err(ConversionError::Missing(MissingRate { from: eur, to: usd, day: day("2023-12-31") }))
        );
    }
}
