//! Coupons and discounts, in all the shapes that they have had, and what several of them take off together.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    money::{Currency, parse_scaled, round_half_even},
    price::{Discount as RowDiscount, DiscountDuration, Interval},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    amount::picos,
    field::{decimal, id, id_of, integer, members, part, path, text},
    gist::Gist,
    issue::{Code, Issue},
};

/// All of an amount, in millionths of a percent.
const WHOLE: i128 = 100_000_000;

/// What a coupon takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// Its id.
    pub id: String,
    /// Percent in millionths: 20 % is 20,000,000.
    pub percent_millionths: i64,
    /// Minor units off each invoice, with their currency.
    #[serde(with = "amount_by_code")]
    pub amount: Option<(i64, Currency)>,
    /// How long it lasts.
    #[serde(with = "DurationByName")]
    pub duration: DiscountDuration,
    /// The products that it is for; empty for all.
    pub products: Vec<String>,
}

/// Coupons by id.
pub type Coupons = BTreeMap<String, Coupon>;

/// How a duration is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "DiscountDuration")]
enum DurationByName {
    Once,
    Repeating,
    Forever,
    Months(i32),
}

/// How an amount is kept: its currency by the code.
mod amount_by_code {
    use revenue::money::Currency;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    type Amount = Option<(i64, Currency)>;

    pub(super) fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        amount.as_ref().map(|(minor, currency)| (minor, currency.code())).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        let known = |(minor, code): (i64, String)| {
            let currency = Currency::parse(&code).ok_or_else(|| Error::custom(format!("{code} is no currency")))?;
            Ok((minor, currency))
        };
        Option::deserialize(from)?.map(known).transpose()
    }
}

/// To what a discount was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// To one item of a subscription; it is taken off first.
    Item(String),
    /// To a subscription.
    Subscription,
    /// To a customer: to all subscriptions that have none of their own.
    Customer,
}

/// A coupon given to someone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// Its id.
    pub id: String,
    /// What it takes off.
    pub coupon: Coupon,
    /// The second from which it holds.
    pub start: i64,
    /// The second from which it no longer holds; none for `once` and `forever`.
    pub end: Option<i64>,
    /// To what it was given.
    pub scope: Scope,
}

/// The ids of the discounts that stand somewhere in an object in full, where others are named by their ids alone.
#[must_use]
pub fn in_full(object: &Value) -> BTreeSet<String> {
    fn look(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
                if text("object") == "discount" {
                    found.insert(text("id").to_owned());
                }
                fields.values().for_each(|value| look(value, found));
            }
            Value::Array(members) => members.iter().for_each(|member| look(member, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    look(object, &mut found);
    found
}

/// Reads a coupon.
pub(crate) fn read_coupon(coupon: &Gist, issues: &mut Vec<Issue>) -> Option<Coupon> {
    let of = text(coupon, "id")?;
    let percent = decimal(coupon, "percent_off").map(|written| parse_scaled(&written, 6));
    let currency = text(coupon, "currency").and_then(Currency::parse);
    let amount = integer(coupon, "amount_off").zip(currency);
    let percent_millionths = match percent {
        None if amount.is_some() => Some(0),
        None => None,
        Some(read) => read.and_then(|percent| i64::try_from(percent).ok()),
    };
    let Some(percent_millionths) = percent_millionths else {
        issues.push(Issue::new(
            Code::AmountUnreadable,
            of,
            "a coupon that takes off neither a percentage nor an amount",
        ));
        return None;
    };
    let duration = match text(coupon, "duration") {
        Some("once") => DiscountDuration::Once,
        Some("repeating") => DiscountDuration::Repeating,
        Some("forever") | None => DiscountDuration::Forever,
        Some(word) => {
            issues.push(Issue::new(Code::UnknownWord, of, format!("a coupon with the duration `{word}`")));
            return None;
        }
    };
    let products = path(coupon, &["applies_to"]).map_or(&[][..], |applies| members(applies, "products"));
    let products = products.iter().filter_map(|product| product.as_str().map(str::to_owned)).collect();
    Some(Coupon { id: of.to_owned(), percent_millionths, amount, duration, products })
}

/// Reads a discount; its coupon stands in it (before 2025-09-30), in its `source` (since), or among the known ones.
pub(crate) fn read(discount: &Gist, scope: Scope, known: &Coupons, issues: &mut Vec<Issue>) -> Option<Discount> {
    let coupon = part(discount, "coupon").or_else(|| path(discount, &["source", "coupon"]));
    let of = text(discount, "id").or_else(|| coupon.and_then(id_of)).unwrap_or("discount");
    let coupon = match coupon {
        Some(coupon) if coupon.is_object() => read_coupon(coupon, issues),
        Some(coupon) => coupon.as_str().and_then(|id| known.get(id)).cloned(),
        None => None,
    };
    let Some(coupon) = coupon else {
        issues.push(Issue::new(Code::DiscountUnknown, of, "a discount whose coupon is not known"));
        return None;
    };
    let scope = match id(discount, "subscription_item") {
        Some(item) => Scope::Item(item.to_owned()),
        None if id(discount, "subscription").is_some() => Scope::Subscription,
        None => scope,
    };
    Some(Discount {
        id: of.to_owned(),
        start: integer(discount, "start").unwrap_or(i64::MIN),
        end: integer(discount, "end"),
        coupon,
        scope,
    })
}

/// An item of a subscription, as far as discounts care.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) item: &'a str,
    pub(crate) product: &'a str,
    /// What one billing of it costs before discounts, in pico-units.
    pub(crate) gross_picos: i128,
    pub(crate) currency: Currency,
    pub(crate) rhythm: (Interval, i32),
}

/// What a discount makes of one item, with the second from which it no longer holds.
pub(crate) type Taken = Option<(RowDiscount, Option<i64>)>;

/// What is left of an item while discounts are taken off: `gross × factor / WHOLE − off`.
struct Rest {
    factor: i128,
    off_picos: i128,
    used: Vec<(DiscountDuration, Option<i64>)>,
}

/// What discounts take off each item of a subscription together.
///
/// Those of an item come before those of the subscription, else they come in their order. A percentage is taken off
/// what the ones before have left. An amount off each invoice is shared out over the items that it is for, in whole
/// minor units, in proportion to what is left of each (largest remainder, the smaller id at a tie).
pub(crate) fn stack(parts: &[Part<'_>], discounts: &[&Discount], about: &str, issues: &mut Vec<Issue>) -> Vec<Taken> {
    let mut rests: Vec<Rest> = parts.iter().map(|_| Rest { factor: WHOLE, off_picos: 0, used: Vec::new() }).collect();
    let lasts = |discount: &&&Discount| discount.coupon.duration != DiscountDuration::Once;
    let recurring: Vec<&&Discount> = discounts.iter().filter(lasts).collect();
    // One that lowers a single invoice says nothing of what recurs: it is stated only where it is alone.
    let mut used = if recurring.is_empty() { discounts.iter().collect() } else { recurring };
    used.sort_by_key(|discount| !matches!(discount.scope, Scope::Item(_)));
    for discount in used {
        let mut meant: Vec<usize> = (0..parts.len())
            .filter(|at| {
                let part = &parts[*at];
                let own = match &discount.scope {
                    Scope::Item(item) => item == part.item,
                    Scope::Subscription | Scope::Customer => true,
                };
                own && (discount.coupon.products.is_empty()
                    || discount.coupon.products.iter().any(|product| product == part.product))
            })
            .collect();
        if let Some((minor, currency)) = discount.coupon.amount {
            meant.retain(|at| parts[*at].currency == currency);
            share_out(minor, currency, parts, &mut meant, &mut rests, about, issues);
        } else {
            let left = WHOLE - i128::from(discount.coupon.percent_millionths);
            for at in &meant {
                let rest = &mut rests[*at];
                let exact = rest.factor * left % WHOLE == 0 && rest.off_picos * left % WHOLE == 0;
                rest.factor = round_half_even(rest.factor * left, WHOLE).unwrap_or(0);
                rest.off_picos = round_half_even(rest.off_picos * left, WHOLE).unwrap_or(0);
                if !exact {
                    issues.push(Issue::new(Code::DiscountRounded, about, "stacked percentages"));
                }
            }
        }
        for at in meant {
            rests[at].used.push((discount.coupon.duration, discount.end));
        }
    }
    rests
        .into_iter()
        .map(|rest| {
            let (duration, end) = match rest.used.as_slice() {
                [] => return None,
                [(duration, end)] => (*duration, *end),
                several if several.iter().any(|(duration, _)| *duration == DiscountDuration::Repeating) => {
                    (DiscountDuration::Repeating, None)
                }
                several => (several[0].0, None),
            };
            let percent_millionths = i64::try_from(WHOLE - rest.factor).unwrap_or(i64::MAX);
            Some((RowDiscount { percent_millionths, amount_picos: rest.off_picos, duration }, end))
        })
        .collect()
}

/// Shares an amount off each invoice out over items.
fn share_out(
    minor: i64,
    currency: Currency,
    parts: &[Part<'_>],
    meant: &mut Vec<usize>,
    rests: &mut [Rest],
    about: &str,
    issues: &mut Vec<Issue>,
) {
    let months = |at: &usize| match parts[*at].rhythm {
        (Interval::Day, count) => i64::from(count),
        (Interval::Week, count) => i64::from(count) * 7,
        (Interval::Month, count) => i64::from(count) * 30,
        (Interval::Quarter, count) => i64::from(count) * 91,
        (Interval::Year | Interval::OneOff, count) => i64::from(count) * 365,
    };
    if let Some(most_often) = meant.iter().map(months).min()
        && meant.iter().any(|at| months(at) != most_often)
    {
        meant.retain(|at| months(at) == most_often);
        issues.push(Issue::new(Code::DiscountOverIntervals, about, "an amount off each invoice"));
    }
    let unit = picos(1, currency);
    let left: Vec<i128> = meant
        .iter()
        .map(|at| (parts[*at].gross_picos * rests[*at].factor / WHOLE - rests[*at].off_picos).max(0))
        .collect();
    let total: i128 = left.iter().sum();
    if total == 0 {
        return;
    }
    // Never more than there is; an item that costs nothing gets nothing.
    let units = i128::from(minor).min((total + unit - 1) / unit);
    let mut shares: Vec<(usize, i128, i128)> =
        left.iter().enumerate().map(|(index, picos)| (index, units * picos / total, units * picos % total)).collect();
    let mut over = units - shares.iter().map(|(_, share, _)| share).sum::<i128>();
    shares.sort_by_key(|(index, _, remainder)| (-remainder, *index));
    for (_, share, _) in &mut shares {
        if over > 0 {
            *share += 1;
            over -= 1;
        }
    }
    for (index, share, _) in shares {
        rests[meant[index]].off_picos += share * unit;
    }
}
