//! What the simulated company sells: products, prices of every kind, coupons.

use revenue::{
    calendar::Day,
    money::Currency,
    price::{Interval, Pricing, Tier},
};
use stripe::price::PriceTerms;

use crate::dice::Dice;

pub(crate) const DAY: i64 = 86_400;

/// How quantity becomes minor units.
#[derive(Debug, Clone)]
pub(crate) enum Scheme {
    /// Hundredths of a minor unit a unit, so that prices below a minor unit have a name.
    PerUnit { hundredths: i64 },
    /// Minor units a started package.
    Package { minor: i64, size: i64 },
    /// Last unit, minor units a unit, minor units for the tier.
    Tiers { volume: bool, tiers: Vec<(Option<i64>, i64, i64)> },
}

/// A price of the catalogue.
#[derive(Debug, Clone)]
pub(crate) struct Good {
    pub(crate) id: String,
    pub(crate) product: usize,
    pub(crate) currency: &'static str,
    pub(crate) scheme: Scheme,
    pub(crate) interval: Interval,
    pub(crate) count: i32,
    pub(crate) metered: bool,
}

/// A part of a bill: how many units, at how many hundredths of a minor unit, and the minor units that it comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion {
    pub(crate) quantity: i64,
    pub(crate) hundredths: Option<i64>,
    pub(crate) minor: i64,
}

impl Good {
    pub(crate) fn currency(&self) -> Currency {
        Currency::parse(self.currency).unwrap_or(Currency::USD)
    }

    /// What a quantity is billed as, line by line. A tier's flat amount is billed as so many units as the world says.
    pub(crate) fn portions(&self, quantity: i64, flat_units: i64) -> Vec<Portion> {
        match &self.scheme {
            Scheme::PerUnit { hundredths } => {
                let minor = (hundredths * quantity + 50).div_euclid(100);
                vec![Portion { quantity, hundredths: Some(*hundredths), minor }]
            }
            Scheme::Package { minor, size } => {
                let packages = (quantity + size - 1) / size;
                vec![Portion { quantity, hundredths: Some(minor * 100), minor: minor * packages }]
            }
            Scheme::Tiers { volume, tiers } => {
                let mut portions = Vec::new();
                let mut below = 0;
                for (up_to, unit, flat) in tiers {
                    let reached = up_to.is_none_or(|up_to| quantity <= up_to);
                    if *volume && !reached {
                        continue;
                    }
                    let units = if *volume { quantity } else { up_to.unwrap_or(quantity).min(quantity) - below };
                    if units <= 0 {
                        break;
                    }
                    portions.push(Portion { quantity: units, hundredths: Some(unit * 100), minor: unit * units });
                    if *flat > 0 {
                        portions.push(Portion { quantity: flat_units, hundredths: None, minor: *flat });
                    }
                    below += units;
                    if *volume || reached {
                        break;
                    }
                }
                if portions.is_empty() {
                    portions.push(Portion { quantity: 0, hundredths: None, minor: 0 });
                }
                portions
            }
        }
    }

    /// What a quantity costs in one period, in minor units.
    pub(crate) fn minor(&self, quantity: i64) -> i64 {
        self.portions(quantity, 0).iter().map(|portion| portion.minor).sum()
    }

    /// What a quantity costs in one period, unrounded, in hundredths of a minor unit.
    pub(crate) fn hundredths(&self, quantity: i64) -> i64 {
        match &self.scheme {
            Scheme::PerUnit { hundredths } => hundredths * quantity,
            Scheme::Package { .. } | Scheme::Tiers { .. } => self.minor(quantity) * 100,
        }
    }

    /// The price in the terms of the method.
    pub(crate) fn terms(&self, product: &str) -> PriceTerms {
        let picos =
            |hundredths: i64| i128::from(hundredths) * 10i128.pow(10 - stripe::amount::decimals(self.currency()));
        let (pricing, amount_picos) = match &self.scheme {
            Scheme::PerUnit { hundredths } => (Pricing::PerUnit, picos(*hundredths)),
            Scheme::Package { minor, size } => (Pricing::Package { size: *size }, picos(minor * 100)),
            Scheme::Tiers { volume, tiers } => {
                let tier = |(up_to, unit, flat): &(Option<i64>, i64, i64)| Tier {
                    up_to: *up_to,
                    unit_picos: picos(unit * 100),
                    flat_picos: picos(flat * 100),
                };
                let tiers = tiers.iter().map(tier).collect();
                (if *volume { Pricing::Volume(tiers) } else { Pricing::Graduated(tiers) }, 0)
            }
        };
        PriceTerms {
            id: self.id.clone(),
            product: product.to_owned(),
            currency: self.currency(),
            amount_picos,
            pricing,
            interval: self.interval,
            interval_count: self.count,
            metered: self.metered,
        }
    }

    /// The end of the `number`th period after an anchor, in UTC as Stripe counts.
    pub(crate) fn period_end(&self, anchor: i64, number: i64) -> i64 {
        let day = Day(i32::try_from(anchor.div_euclid(DAY)).unwrap_or(0));
        let count = number * i64::from(self.count);
        let months = |months: i64| day.plus_months(i32::try_from(months).unwrap_or(0));
        let end = match self.interval {
            Interval::Day => return anchor + count * DAY,
            Interval::Week => return anchor + count * 7 * DAY,
            Interval::Month | Interval::OneOff => months(count),
            Interval::Quarter => months(count * 3),
            Interval::Year => months(count * 12),
        };
        i64::from(end.0) * DAY + anchor.rem_euclid(DAY)
    }
}

/// How long a coupon lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    Once,
    Months(i32),
    Forever,
}

/// A coupon.
#[derive(Debug, Clone)]
pub(crate) struct CouponOf {
    pub(crate) id: String,
    /// Hundredths of a percent.
    pub(crate) percent: Option<i64>,
    pub(crate) minor: Option<(i64, &'static str)>,
    pub(crate) lasts: Lasts,
}

/// Everything that the company sells.
#[derive(Debug, Clone)]
pub(crate) struct Goods {
    pub(crate) products: Vec<String>,
    pub(crate) goods: Vec<Good>,
    pub(crate) coupons: Vec<CouponOf>,
}

/// Currencies with two, no and three decimals, and one that Stripe writes with two though it has none.
const CURRENCIES: &[(i64, &str)] = &[(5, "USD"), (3, "EUR"), (2, "JPY"), (1, "KWD"), (1, "ISK")];

impl Goods {
    pub(crate) fn new(dice: &mut Dice, plain: bool) -> Self {
        let mut goods = Vec::new();
        let products: Vec<String> = (1..=3).map(|number| format!("prod_{number}")).collect();
        let mut currencies = vec![dice.pick(CURRENCIES)];
        if !plain && dice.happens(60) {
            currencies.push(dice.pick(CURRENCIES));
        }
        currencies.dedup();
        let mut add = |product, currency, scheme, (interval, count), metered| {
            let id = format!("price_{}", goods.len() + 1);
            goods.push(Good { id, product, currency, scheme, interval, count, metered });
        };
        for currency in &currencies {
            // Amounts in Iceland end in 00, those in thousandths in 0.
            let round = |minor: i64| if matches!(*currency, "ISK" | "KWD") { minor / 100 * 100 + 100 } else { minor };
            for product in 0..products.len() {
                let month = (Interval::Month, 1);
                let base = round(dice.between(500, 9_900));
                add(product, *currency, Scheme::PerUnit { hundredths: base * 100 }, month, false);
                if plain {
                    break;
                }
                let rhythm = dice.pick(&[
                    (5, (Interval::Year, 1)),
                    (2, (Interval::Month, 3)),
                    (1, (Interval::Month, 6)),
                    (1, (Interval::Week, 1)),
                    (1, (Interval::Day, 10)),
                ]);
                let minor = round(dice.between(2_000, 60_000));
                add(product, *currency, Scheme::PerUnit { hundredths: minor * 100 }, rhythm, false);
                let scheme = match dice.between(0, 3) {
                    0 => Scheme::PerUnit { hundredths: base * 100 + dice.between(1, 99) },
                    1 => Scheme::Package { minor: base, size: dice.between(2, 10) },
                    of => {
                        let unit = round(dice.between(300, 900));
                        let flat = if dice.happens(50) { round(dice.between(100, 2_000)) } else { 0 };
                        let first = dice.between(2, 6);
                        let tiers = vec![
                            (Some(first), unit + round(100), flat),
                            (Some(first * 3), unit, 0),
                            (None, unit - 200 / 100 * 100, flat * 2),
                        ];
                        Scheme::Tiers { volume: of == 3, tiers }
                    }
                };
                add(product, *currency, scheme, month, false);
                if product == 0 {
                    add(product, *currency, Scheme::PerUnit { hundredths: dice.between(2, 500) }, month, true);
                }
            }
        }
        let mut coupons = Vec::new();
        let spans = [Lasts::Once, Lasts::Months(3), Lasts::Months(7), Lasts::Forever];
        for (number, lasts) in spans.into_iter().enumerate() {
            let percent = Some(dice.pick(&[(4, 2_000), (2, 1_250), (1, 3_333), (1, 10_000)]));
            coupons.push(CouponOf { id: format!("off_{number}"), percent, minor: None, lasts });
            let currency = currencies[0];
            let minor = Some((dice.between(1, 20) * 100, currency));
            coupons.push(CouponOf { id: format!("less_{number}"), percent: None, minor, lasts });
        }
        Self { products, goods, coupons }
    }
}
