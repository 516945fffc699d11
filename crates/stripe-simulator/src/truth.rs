//! What the world knows of itself: each item's row as it really is. Written down at every change, from the world's own
//! state, and by none of the code that reads Stripe's JSON.

use revenue::{
    fact::Status,
    price::{Discount, DiscountDuration},
    timeline::Confidence,
};
use stripe::history::{Row, Standing};

use crate::{
    goods::{Good, Goods, Lasts},
    life::{Back, BackKind, Item, Paper, Sub, World},
};

/// What every item of a subscription is now.
pub(crate) fn standings(sub: &Sub, goods: &Goods) -> Vec<(String, Standing)> {
    let paused = sub.pause.is_some() && matches!(sub.status, Status::Active | Status::PastDue);
    let status = if paused { Status::Paused } else { sub.status };
    let mut licensed: Vec<&Item> = sub.items.iter().filter(|item| !goods.goods[item.good].metered).collect();
    // Of two equal claims to the last unit that of the smaller id comes first.
    licensed.sort_by_key(|item| &item.id);
    licensed
        .iter()
        .map(|item| {
            let good = &goods.goods[item.good];
            let (discount, discount_end) = discount(sub, item, &licensed, goods);
            let standing = Standing {
                price: good.terms(&goods.products[good.product]),
                quantity: item.quantity,
                discount,
                discount_end,
                status,
                trial_end: sub.trial.map(|(_, end)| end).filter(|_| status == Status::Trialing),
                cancel_at: sub.cancel_at,
                cancel_requested_at: sub.cancel_at.and(sub.canceled_at),
                cancel_reason: sub.reason.map(str::to_owned),
            };
            (item.id.clone(), standing)
        })
        .collect()
}

/// Money that was asked for, came in or went back, by the world's own book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// Whose.
    pub customer: String,
    /// When, as a second.
    pub second: i64,
    /// The code of the currency.
    pub currency: &'static str,
    /// Minor units, as Stripe counts them.
    pub minor: i64,
}

impl World {
    fn booked(&self, customer: usize, second: i64, currency: &'static str, minor: i64) -> Booked {
        Booked { customer: self.customers[customer].id.clone(), second, currency, minor }
    }

    /// What invoices that were issued ask for.
    #[must_use]
    pub fn asked(&self) -> Vec<Booked> {
        let issued = self.invoices.iter().filter(|invoice| invoice.paper != Paper::Draft);
        let asked = issued.map(|invoice| {
            let second = invoice.finalized.unwrap_or(invoice.created);
            self.booked(invoice.customer, second, self.currency(invoice.sub), invoice.total())
        });
        asked.collect()
    }

    /// What came in.
    #[must_use]
    pub fn collected(&self) -> Vec<Booked> {
        let paid = self.charges.iter().filter(|charge| !charge.failed);
        paid.map(|charge| self.booked(charge.customer, charge.created, charge.currency, charge.minor)).collect()
    }

    /// What went back, or is disputed.
    #[must_use]
    pub fn given_back(&self) -> Vec<Booked> {
        let went = self.backs.iter().filter(|back| back.kind != BackKind::CreditNote);
        let of = |back: &Back| {
            let charge = &self.charges[back.charge];
            self.booked(charge.customer, back.created, charge.currency, back.minor)
        };
        went.map(of).collect()
    }
}

/// What is taken off an item: percentages one after the other; an amount off each invoice by the item's share of what is
/// left of all.
fn discount(sub: &Sub, item: &Item, all: &[&Item], goods: &Goods) -> (Option<Discount>, Option<i64>) {
    let lasts = |coupon: usize| goods.coupons[coupon].lasts;
    let recurring = sub.given.iter().any(|given| lasts(given.coupon) != Lasts::Once);
    let mut used: Vec<_> = sub.given.iter().filter(|given| !recurring || lasts(given.coupon) != Lasts::Once).collect();
    used.sort_by_key(|given| (given.item.is_none(), given.start, given.id.clone()));
    // (factor in 10⁻⁸, pico-units off) of each item.
    let mut rest: Vec<(i128, i128)> = all.iter().map(|_| (100_000_000, 0)).collect();
    let own = all.iter().position(|other| other.id == item.id).unwrap_or(0);
    let mut applied = Vec::new();
    for given in used {
        let coupon = &goods.coupons[given.coupon];
        let meant = |other: &Item| given.item.as_ref().is_none_or(|of| *of == other.id);
        if let Some(percent) = coupon.percent {
            let left = i128::from(10_000 - percent);
            for (at, other) in all.iter().enumerate() {
                if meant(other) {
                    rest[at].0 = rest[at].0 * left / 10_000;
                    rest[at].1 = rest[at].1 * left / 10_000;
                }
            }
        } else if let Some((minor, currency)) = coupon.minor {
            let unit = 10i128.pow(12 - stripe::amount::decimals(goods.goods[item.good].currency()));
            let left: Vec<i128> = all
                .iter()
                .zip(&rest)
                .map(|(other, (factor, off))| {
                    let good: &Good = &goods.goods[other.good];
                    let gross = i128::from(good.hundredths(other.quantity)) * unit / 100;
                    if meant(other) && good.currency == currency {
                        (gross * factor / 100_000_000 - off).max(0)
                    } else {
                        0
                    }
                })
                .collect();
            let total: i128 = left.iter().sum();
            if total > 0 {
                let units = i128::from(minor).min((total + unit - 1) / unit);
                let mut shares: Vec<i128> = left.iter().map(|picos| units * picos / total).collect();
                // What is left over goes, unit by unit, to whose share was cut most.
                while shares.iter().sum::<i128>() < units {
                    let cut = |at: usize| units * left[at] - shares[at] * total;
                    let most = (0..shares.len()).max_by_key(|at| (cut(*at), std::cmp::Reverse(*at))).unwrap_or(0);
                    shares[most] += 1;
                }
                for (at, share) in shares.into_iter().enumerate() {
                    rest[at].1 += share * unit;
                }
            }
        }
        if meant(item) {
            applied.push((lasts(given.coupon), given.end));
        }
    }
    let (duration, end) = match applied.as_slice() {
        [] => return (None, None),
        [(lasts, end)] => (duration(*lasts), *end),
        several if several.iter().any(|(lasts, _)| matches!(lasts, Lasts::Months(_))) => {
            (DiscountDuration::Repeating, None)
        }
        several => (duration(several[0].0), None),
    };
    let percent_millionths = i64::try_from(100_000_000 - rest[own].0).unwrap_or(0);
    (Some(Discount { percent_millionths, amount_picos: rest[own].1, duration }), end)
}

fn duration(lasts: Lasts) -> DiscountDuration {
    match lasts {
        Lasts::Once => DiscountDuration::Once,
        Lasts::Months(_) => DiscountDuration::Repeating,
        Lasts::Forever => DiscountDuration::Forever,
    }
}

/// What was used in a period that is over.
pub(crate) fn usage(sub: &Sub, item: &Item, used: i64, goods: &Goods, ended: Option<i64>) -> Row {
    let good = &goods.goods[item.good];
    Row {
        customer: String::new(),
        subscription: sub.id.clone(),
        item: item.id.clone(),
        standing: Standing {
            price: good.terms(&goods.products[good.product]),
            quantity: used,
            discount: None,
            discount_end: None,
            status: Status::Active,
            trial_end: None,
            cancel_at: ended,
            cancel_requested_at: None,
            cancel_reason: None,
        },
        start: item.period.0,
        end: Some(item.period.1),
        confidence: Confidence::Exact,
        source: "truth".to_owned(),
    }
}
