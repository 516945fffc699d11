//! What things cost: currencies, intervals, terms and discounts.
//!
//! Money is a whole number of minor units (cents, pence, yen). No floating
//! point touches it; the few divisions round half to even.

use crate::story::{self, PLANS, Plan};

/// What customers are billed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Currency {
    /// The dollar of the United States: the company's own currency.
    Usd,
    /// The euro.
    Eur,
    /// The pound sterling.
    Gbp,
    /// The yen, which has no smaller unit.
    Jpy,
}

impl Currency {
    /// Every currency, in the order of the price lists.
    pub const ALL: [Currency; 4] = [Currency::Usd, Currency::Eur, Currency::Gbp, Currency::Jpy];

    /// ISO 4217.
    pub const fn code(self) -> &'static str {
        match self {
            Currency::Usd => "USD",
            Currency::Eur => "EUR",
            Currency::Gbp => "GBP",
            Currency::Jpy => "JPY",
        }
    }

    /// How many decimals its amounts are written with.
    pub const fn decimals(self) -> u32 {
        match self {
            Currency::Jpy => 0,
            Currency::Usd | Currency::Eur | Currency::Gbp => 2,
        }
    }

    pub(crate) const fn column(self) -> usize {
        self as usize
    }
}

/// How often a subscription is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Month,
    Quarter,
    Year,
}

impl Interval {
    pub(crate) const ALL: [Interval; 3] = [Interval::Month, Interval::Quarter, Interval::Year];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Interval::Month => "month",
            Interval::Quarter => "quarter",
            Interval::Year => "year",
        }
    }

    pub(crate) const fn months(self) -> u32 {
        match self {
            Interval::Month => 1,
            Interval::Quarter => 3,
            Interval::Year => 12,
        }
    }

    /// The starter plan and the add-on are simple: no quarters for the first, months only for the second.
    pub(crate) const fn sold_for(self, plan: usize) -> bool {
        match self {
            Interval::Month => true,
            Interval::Quarter => plan == story::TEAM || plan == story::BUSINESS,
            Interval::Year => plan != story::INSIGHTS,
        }
    }
}

/// Which price list a customer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PriceList {
    First,
    AfterRise,
}

impl PriceList {
    /// The list on which a customer who comes in that month is put.
    pub(crate) fn of_month(story_month: u32) -> PriceList {
        if story_month >= story::PRICE_RISE.first_month { PriceList::AfterRise } else { PriceList::First }
    }
}

/// What is taken off the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discount {
    None,
    PercentForever(u32),
    PercentRepeating(u32),
    /// Minor units off one invoice as a whole, not off each seat.
    AmountOnce(i64),
}

/// What a subscription is for and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Index into [`PLANS`].
    pub(crate) plan: usize,
    pub(crate) interval: Interval,
    pub(crate) seats: u32,
    pub(crate) list: PriceList,
    pub(crate) discount: Discount,
}

impl Terms {
    /// One seat for one billing interval.
    pub(crate) fn unit_amount(&self, currency: Currency) -> i64 {
        unit_amount(&PLANS[self.plan], self.interval, self.list, currency)
    }

    /// All seats for one billing interval, after the discount, before tax.
    pub(crate) fn net_amount(&self, currency: Currency) -> i64 {
        let gross = self.unit_amount(currency) * i64::from(self.seats);
        match self.discount {
            Discount::None => gross,
            Discount::PercentForever(percent) | Discount::PercentRepeating(percent) => {
                gross - share_of(gross, i64::from(percent), 100)
            }
            Discount::AmountOnce(amount) => (gross - amount).max(0),
        }
    }

    /// The same for a year.
    pub(crate) fn yearly_amount(&self, currency: Currency) -> i64 {
        self.net_amount(currency) * i64::from(12 / self.interval.months())
    }
}

/// The list price of one seat for one billing interval.
pub(crate) fn unit_amount(plan: &Plan, interval: Interval, list: PriceList, currency: Currency) -> i64 {
    let month = match list {
        PriceList::First => plan.price[currency.column()],
        PriceList::AfterRise => plan.price_after_rise[currency.column()],
    };
    match interval {
        Interval::Month => month,
        Interval::Quarter => month * 3,
        Interval::Year => share_of(month, plan.year_in_month_tenths, 10),
    }
}

/// `amount × part ÷ whole`, rounded half to even; `whole` is above nought.
pub(crate) fn share_of(amount: i64, part: i64, whole: i64) -> i64 {
    let product = i128::from(amount) * i128::from(part);
    let whole = i128::from(whole);
    let floor = product.div_euclid(whole);
    let twice_rest = product.rem_euclid(whole) * 2;
    let up = twice_rest > whole || (twice_rest == whole && floor % 2 != 0);
    (floor + i128::from(up)) as i64
}
