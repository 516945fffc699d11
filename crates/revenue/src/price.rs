//! What a subscription item is worth a month.
//!
//! `unit amount × quantity (through tiers) − recurring discounts`, then to a month: year ÷ 12, quarter ÷ 3,
//! month ÷ n, week × 52/12, day × 365/12, each divided by the interval count. The value stays an exact quotient
//! of integers until it is rounded once, half to even, to micro-units.

use crate::{
    money::{MoneyError, PICOS_PER_MICRO, round_half_even, to_micros},
    policy::{Discounts, Policy},
};

/// The rhythm of billing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// Every `interval_count` days.
    Day,
    /// Every `interval_count` weeks.
    Week,
    /// Every `interval_count` months.
    Month,
    /// Every `interval_count` quarters.
    Quarter,
    /// Every `interval_count` years.
    Year,
    /// Billed once: never part of MRR.
    OneOff,
}

impl Interval {
    /// Every interval with its name.
    pub const ALL: &'static [(Interval, &'static str)] = &[
        (Interval::Day, "day"),
        (Interval::Week, "week"),
        (Interval::Month, "month"),
        (Interval::Quarter, "quarter"),
        (Interval::Year, "year"),
        (Interval::OneOff, "one_off"),
    ];

    /// An interval by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, listed)| *listed == name).map(|(interval, _)| *interval)
    }

    /// The interval's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(interval, _)| *interval == self).map_or("", |(_, name)| name)
    }
}

/// How quantity becomes money.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pricing {
    /// Unit amount × quantity.
    PerUnit,
    /// The amount, whatever the quantity.
    Flat,
    /// The amount for each started package of this many units.
    Package {
        /// Units in a package, at least 1.
        size: i64,
    },
    /// Each unit at the price of the tier that it falls into; each tier that is touched adds its flat amount.
    Graduated(Vec<Tier>),
    /// All units at the price of the tier that the quantity reaches, plus that tier's flat amount.
    Volume(Vec<Tier>),
}

/// One step of a tiered price. The last tier has no upper bound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier {
    /// The last unit that belongs to the tier; `None` for no bound.
    pub up_to: Option<i64>,
    /// Price of a unit, in pico-units.
    pub unit_picos: i128,
    /// Price of the tier itself, in pico-units.
    pub flat_picos: i128,
}

/// How long a discount lasts, as the source says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscountDuration {
    /// It lowers one invoice: cash, not recurring revenue.
    Once,
    /// For some time: as long as the rows that carry it.
    Repeating,
    /// As long as the subscription.
    Forever,
    /// For this many months from the start of the row.
    Months(i32),
}

/// A discount: a share of the price, then an amount a billing interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Discount {
    /// Percent in millionths: 20 % is 20,000,000.
    pub percent_millionths: i64,
    /// Amount off each billing interval, in pico-units.
    pub amount_picos: i128,
    /// How long it lasts.
    pub duration: DiscountDuration,
}

impl Discount {
    /// Whether this discount lowers MRR under a policy.
    #[must_use]
    pub fn lowers_mrr(&self, discounts: Discounts) -> bool {
        match discounts {
            Discounts::Recurring => self.duration != DiscountDuration::Once,
            Discounts::All => true,
            Discounts::None => false,
        }
    }
}

/// The price of one item for one billing interval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price {
    /// Price of a unit (or of the whole, see [`Pricing`]), in pico-units of the currency.
    pub amount_picos: i128,
    /// How many units, zero or more.
    pub quantity: i64,
    /// How quantity becomes money.
    pub pricing: Pricing,
    /// The rhythm of billing.
    pub interval: Interval,
    /// How many of the interval make one billing period, at least 1.
    pub interval_count: i32,
    /// The discount, if there is one.
    pub discount: Option<Discount>,
}

impl Price {
    /// What the item is worth a month, in micro-units of its currency; 0 for what is billed once.
    ///
    /// `with_discount` false gives the value once the discount has run out.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when the value does not fit the ledger.
    pub fn monthly_micros(&self, policy: &Policy, with_discount: bool) -> Result<i64, MoneyError> {
        let rate = self.rate(policy, with_discount);
        match rate.and_then(|rate| rate.monthly_micros(self.amount_picos, self.quantity)) {
            Some(micros) => Ok(micros),
            None => self.monthly_micros_wide(policy, with_discount),
        }
    }

    /// How an ordinary price becomes its monthly value in 64 bits: one per unit, with a discount in percent or without
    /// one. None where it is no such price.
    #[must_use]
    pub fn rate(&self, policy: &Policy, with_discount: bool) -> Option<Rate> {
        let (factor, months) = match self.interval {
            Interval::OneOff => return None,
            Interval::Day => (policy.day_factor.numerator, policy.day_factor.denominator),
            Interval::Week => (policy.week_factor.numerator, policy.week_factor.denominator),
            Interval::Month => (1, 1),
            Interval::Quarter => (1, 3),
            Interval::Year => (1, 12),
        };
        if self.pricing != Pricing::PerUnit {
            return None;
        }
        let months = u64::try_from(months).ok().filter(|months| *months > 0)?;
        let mut rate = Rate {
            share: u64::try_from(factor).ok()?,
            divisor: months.checked_mul(u64::try_from(self.interval_count.max(1)).ok()?)?,
        };
        if let Some(discount) = self.discount.filter(|found| with_discount && found.lowers_mrr(policy.discounts)) {
            const WHOLE: u64 = 100_000_000;
            if discount.amount_picos != 0 {
                return None;
            }
            let left = WHOLE.checked_sub(u64::try_from(discount.percent_millionths).ok()?)?;
            rate.share = rate.share.checked_mul(left)?;
            rate.divisor = rate.divisor.checked_mul(WHOLE)?;
        }
        Some(rate)
    }

    /// Any price, in 128 bits.
    fn monthly_micros_wide(&self, policy: &Policy, with_discount: bool) -> Result<i64, MoneyError> {
        let (factor, divisor) = match self.interval {
            Interval::OneOff => return Ok(0),
            Interval::Day => (policy.day_factor.numerator, policy.day_factor.denominator),
            Interval::Week => (policy.week_factor.numerator, policy.week_factor.denominator),
            Interval::Month => (1, 1),
            Interval::Quarter => (1, 3),
            Interval::Year => (1, 12),
        };
        let mut value = self.billed_picos()?;
        let mut divisor = times(i128::from(divisor), times(i128::from(self.interval_count.max(1)), PICOS_PER_MICRO)?)?;
        if let Some(discount) = self.discount.filter(|found| with_discount && found.lowers_mrr(policy.discounts)) {
            if discount.percent_millionths != 0 {
                const WHOLE: i128 = 100_000_000;
                value = times(value, WHOLE - i128::from(discount.percent_millionths))?;
                value -= times(discount.amount_picos, WHOLE)?;
                divisor = times(divisor, WHOLE)?;
            } else {
                value -= discount.amount_picos;
            }
            // A discount larger than the price makes the item free; it never earns the customer money.
            value = value.max(0);
        }
        to_micros(round_half_even(times(value, i128::from(factor))?, divisor)?)
    }

    /// The price of one billing interval before discounts, in pico-units.
    pub fn billed_picos(&self) -> Result<i128, MoneyError> {
        let quantity = i128::from(self.quantity);
        match &self.pricing {
            Pricing::PerUnit => times(self.amount_picos, quantity),
            Pricing::Flat => Ok(self.amount_picos),
            Pricing::Package { size } => {
                let size = i128::from((*size).max(1));
                times(self.amount_picos, (quantity + size - 1) / size)
            }
            Pricing::Volume(tiers) => {
                let reached = tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| self.quantity <= up_to));
                let Some(tier) = reached.or(tiers.last()) else { return Ok(0) };
                if self.quantity == 0 {
                    return Ok(0);
                }
                plus(times(tier.unit_picos, quantity)?, tier.flat_picos)
            }
            Pricing::Graduated(tiers) => {
                let mut total = 0;
                let mut below = 0;
                for tier in tiers {
                    if below >= self.quantity {
                        break;
                    }
                    let last = tier.up_to.map_or(self.quantity, |up_to| up_to.min(self.quantity));
                    let units = i128::from(last - below);
                    total = plus(total, plus(times(tier.unit_picos, units)?, tier.flat_picos)?)?;
                    below = last;
                }
                Ok(total)
            }
        }
    }
}

/// How the amount and the quantity of a price become what it is worth a month: times a share, over a divisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    share: u64,
    divisor: u64,
}

impl Rate {
    /// What an amount, in pico-units a unit, and a quantity are worth a month, in micro-units. None where the amount has
    /// fractions of a micro-unit or something does not fit 64 bits; what it gives is what 128 bits give.
    #[must_use]
    #[inline]
    pub fn monthly_micros(self, amount_picos: i128, quantity: i64) -> Option<i64> {
        let picos = u64::try_from(amount_picos).ok()?;
        let (micros, rest) = (picos / PICOS_PER_MICRO as u64, picos % PICOS_PER_MICRO as u64);
        if rest != 0 {
            return None;
        }
        let value = micros.checked_mul(u64::try_from(quantity).ok()?)?.checked_mul(self.share)?;
        if self.divisor == 1 {
            return i64::try_from(value).ok();
        }
        let (floor, rest) = (value / self.divisor, value % self.divisor);
        let up = rest > self.divisor - rest || (rest == self.divisor - rest && floor % 2 == 1);
        i64::try_from(floor + u64::from(up)).ok()
    }
}

fn times(a: i128, b: i128) -> Result<i128, MoneyError> {
    a.checked_mul(b).ok_or(MoneyError::TooLarge)
}

fn plus(a: i128, b: i128) -> Result<i128, MoneyError> {
    a.checked_add(b).ok_or(MoneyError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{parse_scaled, print_micros};

    fn price(amount: &str, interval: Interval, interval_count: i32, quantity: i64) -> Price {
        Price {
            amount_picos: parse_scaled(amount, 12).unwrap(),
            quantity,
            pricing: Pricing::PerUnit,
            interval,
            interval_count,
            discount: None,
        }
    }

    fn monthly(price: &Price, policy: &Policy) -> String {
        print_micros(i128::from(price.monthly_micros(policy, true).unwrap()), 2)
    }

    #[test]
    fn every_interval_is_brought_to_a_month_with_one_rounding() {
        let policy = Policy::default();
        for (amount, interval, count, quantity, month) in [
            ("18.29", Interval::Year, 1, 1, "1.524167"),
            ("2299", Interval::Year, 1, 1, "191.583333"),
            ("2.95", Interval::Month, 1, 1, "2.95"),
            ("1800", Interval::Month, 6, 3, "900.00"),
            ("2640.30", Interval::Month, 3, 2, "1760.20"),
            ("10", Interval::Week, 1, 1, "43.333333"),
            ("1", Interval::Day, 1, 1, "30.416667"),
            ("30", Interval::Quarter, 1, 1, "10.00"),
            ("0.0000001", Interval::Month, 1, 1_000_000, "0.10"),
            ("369.95", Interval::OneOff, 1, 1, "0.00"),
        ] {
            assert_eq!(monthly(&price(amount, interval, count, quantity), &policy), month, "{amount} {interval:?}");
        }
    }

    #[test]
    fn tiers_packages_and_flat_prices_follow_the_quantity() {
        let policy = Policy::default();
        let tiers = || {
            vec![
                Tier { up_to: Some(10), unit_picos: 5_000_000_000_000, flat_picos: 0 },
                Tier { up_to: None, unit_picos: 4_000_000_000_000, flat_picos: 1_000_000_000_000 },
            ]
        };
        for (pricing, quantity, month) in [
            (Pricing::Graduated(tiers()), 10, "50.00"),
            (Pricing::Graduated(tiers()), 12, "59.00"),
            (Pricing::Volume(tiers()), 10, "50.00"),
            (Pricing::Volume(tiers()), 12, "49.00"),
            (Pricing::Volume(tiers()), 0, "0.00"),
            (Pricing::Package { size: 5 }, 11, "30.00"),
            (Pricing::Flat, 11, "10.00"),
        ] {
            let words = format!("{pricing:?} × {quantity}");
            let tiered = Price { pricing, ..price("10", Interval::Month, 1, quantity) };
            assert_eq!(monthly(&tiered, &policy), month, "{words}");
        }
    }

    #[test]
    fn discounts_follow_the_policy() {
        for (discounts, duration, month) in [
            (Discounts::Recurring, DiscountDuration::Forever, "75.00"),
            (Discounts::Recurring, DiscountDuration::Repeating, "75.00"),
            (Discounts::Recurring, DiscountDuration::Once, "100.00"),
            (Discounts::All, DiscountDuration::Once, "75.00"),
            (Discounts::None, DiscountDuration::Forever, "100.00"),
        ] {
            let policy = Policy { discounts, ..Policy::default() };
            let discount = Discount { percent_millionths: 20_000_000, amount_picos: 5_000_000_000_000, duration };
            let discounted = Price { discount: Some(discount), ..price("100", Interval::Month, 1, 1) };
            assert_eq!(monthly(&discounted, &policy), month, "{discounts:?} {duration:?}");
        }
    }

    #[test]
    fn the_ordinary_price_in_64_bits_is_what_128_bits_say() {
        let policy = Policy::default();
        let (mut narrow, mut all) = (0, 0);
        for amount in ["0", "0.01", "9.99", "49.99", "1290.00", "0.0000005", "9223372.03", "92233720368.54", "-3"] {
            for interval in Interval::ALL.iter().map(|(interval, _)| *interval) {
                for (count, quantity) in [(1, 1), (2, 3), (6, 401), (7, 1_000_000_007), (0, 0), (13, i64::MAX)] {
                    for (percent_millionths, amount_picos) in
                        [(None, 0), (Some(0), 0), (Some(12_500_000), 0), (Some(33_330_000), 0), (Some(100_000_000), 0)]
                            .into_iter()
                            .chain([(Some(150_000_000), 0), (Some(0), 5_000_000_000_000), (Some(7), 1)])
                    {
                        let discount = percent_millionths.map(|percent_millionths| Discount {
                            percent_millionths,
                            amount_picos,
                            duration: DiscountDuration::Forever,
                        });
                        let price = Price { discount, ..price(amount, interval, count, quantity) };
                        for with_discount in [true, false] {
                            all += 1;
                            let rate = price.rate(&policy, with_discount);
                            if let Some(micros) =
                                rate.and_then(|rate| rate.monthly_micros(price.amount_picos, price.quantity))
                            {
                                narrow += 1;
                                assert_eq!(price.monthly_micros_wide(&policy, with_discount), Ok(micros), "{price:?}");
                            }
                        }
                    }
                }
            }
        }
        assert!(narrow > all / 5, "{narrow} of {all}");
    }

    #[test]
    fn what_does_not_fit_is_an_error_not_a_wrap() {
        let huge = price("99999999999999", Interval::Month, 1, 1_000_000);
        assert_eq!(huge.monthly_micros(&Policy::default(), true), Err(MoneyError::TooLarge));
    }
}
