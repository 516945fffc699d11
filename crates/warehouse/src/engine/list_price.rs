//! What customers pay beside the list price of their plan: who is still on an old price, what they would pay, and whether
//! they stay.
//!
//! The list price of a plan is that of its fact as known: for the plan, the currency and the rhythm of billing (twelve months and a
//! year are the same). The unit prices are compared, so a discount makes no old price. Prices in tiers and usage have no one
//! list price here, and neither have plans of which no fact is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use revenue::{
    calendar::Day,
    fact::{Offer, Terms},
    money::{Currency, round_half_even},
    movement::Kind,
    price::{Interval, Price, Pricing},
    timeline::Span,
};

use super::EngineError;
use crate::{books::Books, observed::Wanted};

/// How a price stands to the list price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceStanding {
    /// An old price: less than the list price.
    Below,
    /// The list price.
    AtList,
    /// More than the list price.
    Above,
    /// There is no list price to compare with.
    NoList,
}

impl PriceStanding {
    /// Every standing with its name.
    pub const ALL: [(PriceStanding, &'static str); 4] = [
        (PriceStanding::Below, "below_list"),
        (PriceStanding::AtList, "at_list"),
        (PriceStanding::Above, "above_list"),
        (PriceStanding::NoList, "no_list_price"),
    ];

    /// The standing's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(standing, _)| *standing == self).map_or("", |(_, name)| name)
    }
}

/// A part of a customer's contracts with its price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paid {
    /// The number of the customer.
    pub customer: u32,
    /// The number of the subscription item.
    pub subscription: u32,
    /// The number of the offer.
    pub offer: u32,
    /// How its price stands to the list price.
    pub standing: PriceStanding,
    /// The price of a unit for one interval, in pico-units of its currency.
    pub price_picos: i128,
    /// The list price of a unit for one interval.
    pub list_picos: Option<i128>,
    /// What it is worth a month, in micro-units of the reporting currency.
    pub mrr_micros: i128,
    /// What it would be worth at list price, discounts as they are.
    pub at_list_micros: i128,
}

/// Customers of one plan whose prices stand alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceCohort {
    /// Customers who pay so.
    pub customers: u64,
    /// Their MRR in this plan, in micro-units of the reporting currency.
    pub mrr_micros: i128,
    /// What it would be at list price.
    pub at_list_micros: i128,
    /// Customers who paid so some days before.
    pub before: u64,
    /// Those of them who left since then.
    pub left: u64,
}

/// Prices as paid.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    /// By plan and standing.
    pub by_plan: BTreeMap<(String, PriceStanding), PriceCohort>,
    /// By standing over all plans: a customer may be in several.
    pub all: BTreeMap<PriceStanding, PriceCohort>,
    /// What is paid now, by customer.
    pub paid: Vec<Paid>,
}

/// A rhythm of billing: years and quarters are months.
fn rhythm(interval: Interval, count: i32) -> (Interval, i32) {
    let count = count.max(1);
    match interval {
        Interval::Year => (Interval::Month, count.saturating_mul(12)),
        Interval::Quarter => (Interval::Month, count.saturating_mul(3)),
        other => (other, count),
    }
}

/// List prices by plan, currency and rhythm.
type ListPrices = BTreeMap<(String, Currency, (Interval, i32)), i128>;

fn list_prices(books: &Books) -> Result<ListPrices, EngineError> {
    let mut prices = ListPrices::new();
    if !books.has_facts("plan")? {
        return Ok(prices);
    }
    let texts = ["plan", "currency", "interval", "pricing"].map(str::to_owned).into_iter().collect();
    let numbers = ["amount", "interval_count"].map(str::to_owned).into_iter().collect();
    let facts = books.shelf.get(books, "plan", Wanted { texts, numbers, ..Wanted::default() })?;
    let text = |column: &str, fact: usize| facts.texts(column).and_then(|coded| coded.of(fact)).map(str::to_owned);
    let number = |column: &str, fact: usize| facts.picos(column).get(fact).copied().flatten();
    for fact in 0..facts.len() {
        let (Some(plan), Some(amount)) = (text("plan", fact), number("amount", fact)) else { continue };
        if text("pricing", fact).is_some_and(|pricing| ["graduated", "volume"].contains(&pricing.as_str())) {
            continue;
        }
        let interval = text("interval", fact).map_or(Some(Interval::Month), |name| Interval::parse(&name));
        let currency = text("currency", fact).map_or(Some(books.reporting), |code| Currency::parse(&code));
        let (Some(interval), Some(currency)) = (interval, currency) else { continue };
        let count = number("interval_count", fact).map_or(1, |picos| picos / 1_000_000_000_000);
        prices.insert((plan, currency, rhythm(interval, i32::try_from(count).unwrap_or(1))), amount);
    }
    Ok(prices)
}

/// A price beside its list price.
struct Compared {
    standing: PriceStanding,
    price_picos: i128,
    list_picos: Option<i128>,
    /// Worth a month as it is and at list price, in micro-units of its currency.
    worth: (i64, i64),
}

fn compare(books: &Books, prices: &ListPrices, span: &Span, offer: &Offer, terms: &Terms) -> Compared {
    let price_picos = terms.price.amount_picos;
    let key = (offer.plan.clone(), offer.currency, rhythm(offer.interval, offer.interval_count));
    let is_in_tiers = matches!(terms.price.pricing, Pricing::Graduated(_) | Pricing::Volume(_));
    let list = prices.get(&key).copied().filter(|_| !is_in_tiers && !terms.metered);
    let at_list = list.and_then(|amount_picos| {
        let price = Price { amount_picos, ..terms.price.clone() };
        price.monthly_micros(&books.view.policy, !span.discount_ended).ok()
    });
    let (Some(list), Some(at_list)) = (list, at_list) else {
        let worth = (span.monthly_micros, span.monthly_micros);
        return Compared { standing: PriceStanding::NoList, price_picos, list_picos: None, worth };
    };
    let standing = match price_picos.cmp(&list) {
        std::cmp::Ordering::Less => PriceStanding::Below,
        std::cmp::Ordering::Equal => PriceStanding::AtList,
        std::cmp::Ordering::Greater => PriceStanding::Above,
    };
    Compared { standing, price_picos, list_picos: Some(list), worth: (span.monthly_micros, at_list) }
}

/// What is paid before a day beside list prices, and who left of those who paid so some days earlier.
///
/// # Errors
/// When facts cannot be read.
pub fn prices(books: &Books, end: Day, days: i32) -> Result<Prices, EngineError> {
    let list = list_prices(books)?;
    let earlier = end.plus_days(-days);
    let (now, then) = (books.ticks.of_day(end), books.ticks.of_day(earlier));
    // What is paid now, and by whom which plan was paid how some days earlier.
    type Seen = (Vec<Paid>, BTreeSet<(u32, u32, PriceStanding)>);
    let seen: Mutex<Seen> = Mutex::new(Seen::default());
    books.over_terms(|customer, spans, terms| {
        for span in spans.iter().filter(|span| !span.trial && span.monthly_micros > 0) {
            let holds = |tick: i32| span.from < tick && span.to >= tick;
            let (Some(offer), Some(terms)) =
                (books.facts.offers.get(span.offer as usize), terms.get(span.terms as usize))
            else {
                continue;
            };
            if !holds(now) && !holds(then) {
                continue;
            }
            let found = compare(books, &list, span, offer, terms);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if holds(then) {
                seen.1.insert((customer, span.offer, found.standing));
            }
            if holds(now) {
                let mrr_micros = mrr(books, customer, span, end);
                let (worth, at_list) = (i128::from(found.worth.0), i128::from(found.worth.1));
                seen.0.push(Paid {
                    customer,
                    subscription: span.subscription,
                    offer: span.offer,
                    standing: found.standing,
                    price_picos: found.price_picos,
                    list_picos: found.list_picos,
                    mrr_micros,
                    at_list_micros: round_half_even(mrr_micros * at_list, worth).unwrap_or(mrr_micros),
                });
            }
        }
    });
    let (mut paid, before) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    paid.sort_unstable();
    let mut found = Prices::default();
    let plan_of = |offer: u32| books.facts.offers.get(offer as usize).map_or(String::new(), |offer| offer.plan.clone());
    let mut counted: BTreeSet<(Option<String>, PriceStanding, u32)> = BTreeSet::new();
    for part in &paid {
        let plan = plan_of(part.offer);
        for place in [Some(plan), None] {
            let is_new = counted.insert((place.clone(), part.standing, part.customer));
            let cohort = match place {
                Some(plan) => found.by_plan.entry((plan, part.standing)).or_default(),
                None => found.all.entry(part.standing).or_default(),
            };
            cohort.customers += u64::from(is_new);
            cohort.mrr_micros += part.mrr_micros;
            cohort.at_list_micros += part.at_list_micros;
        }
    }
    counted.clear();
    for (customer, offer, standing) in before {
        let has_left = left_between(books, customer, earlier, end);
        for place in [Some(plan_of(offer)), None] {
            if !counted.insert((place.clone(), standing, customer)) {
                continue;
            }
            let cohort = match place {
                Some(plan) => found.by_plan.entry((plan, standing)).or_default(),
                None => found.all.entry(standing).or_default(),
            };
            cohort.before += 1;
            cohort.left += u64::from(has_left);
        }
    }
    found.paid = paid;
    Ok(found)
}

/// What a part of a customer's contracts is worth in the ledger before a day.
fn mrr(books: &Books, customer: u32, span: &Span, end: Day) -> i128 {
    let ledger = &books.ledger;
    let rows = ledger.of_customer(customer as usize).take_while(|row| ledger.day[*row] < end.0);
    let own = rows.filter(|row| ledger.subscription[*row] == span.subscription && ledger.offer[*row] == span.offer);
    own.map(|row| i128::from(ledger.delta_micros[row])).sum()
}

fn left_between(books: &Books, customer: u32, from: Day, to: Day) -> bool {
    let ledger = &books.ledger;
    let mut rows = ledger.of_customer(customer as usize).filter(|row| (from.0..to.0).contains(&ledger.day[*row]));
    rows.any(|row| ledger.kind[row] == Kind::Churn)
}
