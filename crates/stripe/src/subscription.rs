//! A subscription as Stripe shows it at one time, whichever version of the API shows it.

use std::{collections::BTreeMap, sync::Arc};

use revenue::{fact::Status, money::Currency};

use crate::{
    discount::{self, Coupons, Discount, Scope},
    field::{flag, id, id_of, integer, members, part, path, text},
    gist::Gist,
    issue::{Code, Issue},
    price::{self, PriceTerms, Prices},
};

/// An item of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// When it was added.
    pub created: Option<i64>,
    /// What it costs.
    pub price: PriceTerms,
    /// How much of it: 1 where a licensed item names none, 0 for usage.
    pub quantity: i64,
    /// The end of the period that it is in; before 2025-03-31 that of the subscription.
    pub period_end: Option<i64>,
}

/// An announced or effected cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cancel {
    /// When it takes effect.
    pub at: Option<i64>,
    /// When it was asked for.
    pub requested_at: Option<i64>,
    /// Why, in Stripe's word: `cancellation_requested`, `payment_failed`, `payment_disputed`.
    pub reason: Option<String>,
}

/// A subscription at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Who pays it.
    pub customer: String,
    /// When it began, which may lie before it was created.
    pub start: i64,
    /// When it was created.
    pub created: i64,
    /// Its state, where paused collection counts as paused.
    pub status: Status,
    /// Its items, in their order.
    pub items: Vec<Item>,
    /// Its discounts and those of its items, in the order in which they are taken off.
    pub discounts: Vec<Discount>,
    /// When its trial began.
    pub trial_start: Option<i64>,
    /// When its trial ends or ended.
    pub trial_end: Option<i64>,
    /// Its cancellation.
    pub cancel: Cancel,
    /// When it ended.
    pub ended: Option<i64>,
    /// The schedule that changes it.
    pub schedule: Option<String>,
}

/// What is known besides an object itself.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Prices with their tiers. All customers have them in common, so what one has beside them is a copy.
    pub prices: Arc<Prices>,
    /// Coupons, likewise.
    pub coupons: Arc<Coupons>,
    /// Discounts that were shown in full somewhere, for objects that name them only.
    pub discounts: BTreeMap<String, Discount>,
    /// Discounts that name coupons which are not known yet.
    waiting: Vec<(Gist, Scope)>,
}

impl Catalogue {
    /// Keeps a discount that is shown in full, for objects that name it only.
    pub(crate) fn learn(&mut self, discount: &Gist, scope: Scope) {
        if !discount.is_object() {
            return;
        }
        // What cannot be read is said where the discount is needed.
        let Some(read) = discount::read(discount, scope.clone(), &self.coupons, &mut Vec::new()) else {
            self.waiting.push((discount.clone(), scope));
            return;
        };
        match self.discounts.get_mut(&read.id) {
            Some(known) => {
                known.end = read.end.or(known.end);
                known.scope = read.scope.min(known.scope.clone());
            }
            None => {
                self.discounts.insert(read.id.clone(), read);
            }
        }
    }

    /// Whether a discount names a coupon that is not known yet.
    pub(crate) fn is_any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a price, plan or coupon; whether it was one.
    pub fn take(&mut self, object: &Gist, issues: &mut Vec<Issue>) -> bool {
        match text(object, "object") {
            Some("price" | "plan") => {
                // A price without its tiers says less than one that is known with them.
                if let Some(read) = price::read(object, None, &self.prices, issues) {
                    Arc::make_mut(&mut self.prices).insert(read.id.clone(), read);
                }
                true
            }
            Some("coupon") => {
                if let Some(read) = discount::read_coupon(object, issues) {
                    Arc::make_mut(&mut self.coupons).insert(read.id.clone(), read);
                    for (discount, scope) in std::mem::take(&mut self.waiting) {
                        self.learn(&discount, scope);
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// A discount that stands in a list of discounts: in full, or as an id.
    pub(crate) fn discount(&self, found: &Gist, scope: Scope, issues: &mut Vec<Issue>) -> Option<Discount> {
        if found.is_object() {
            return discount::read(found, scope, &self.coupons, issues);
        }
        let of = id_of(found)?;
        let known = self.discounts.get(of).cloned();
        if known.is_none() {
            issues.push(Issue::new(Code::DiscountUnknown, of, "a discount that came as an id alone"));
        }
        known
    }
}

/// Reads a subscription.
pub fn read(object: &Gist, catalogue: &Catalogue, issues: &mut Vec<Issue>) -> Option<Subscription> {
    let of = text(object, "id").unwrap_or("subscription");
    let mut refuse = |code, words: String| {
        issues.push(Issue::new(code, of, words));
        None::<Subscription>
    };
    let (Some(_), Some(customer)) = (text(object, "id"), id(object, "customer")) else {
        return refuse(Code::FieldMissing, "a subscription without id or customer".to_owned());
    };
    let Some(created) = integer(object, "created") else {
        return refuse(Code::FieldMissing, "a subscription without the time of its creation".to_owned());
    };
    let currency = text(object, "currency").and_then(Currency::parse);
    let word = text(object, "status").unwrap_or_default();
    let Some(mut status) = Status::parse(word).filter(|status| *status != Status::Withdrawn) else {
        return refuse(Code::UnknownWord, format!("a subscription with the status `{word}`"));
    };
    // Paused collection leaves the status alone: services go on, money does not come in.
    if part(object, "pause_collection").is_some() && matches!(status, Status::Active | Status::PastDue) {
        status = Status::Paused;
    }

    let mut discounts: Vec<Discount> = Vec::new();
    let mut listed: Vec<(&Gist, Scope)> = Vec::new();
    let mut items = Vec::new();
    for item in members(object, "items") {
        let Some(item_id) = text(item, "id") else {
            issues.push(Issue::new(Code::FieldMissing, of, "an item without an id"));
            continue;
        };
        let Some(price) = part(item, "price").or_else(|| part(item, "plan")) else {
            issues.push(Issue::new(Code::FieldMissing, item_id, "an item without a price"));
            continue;
        };
        let Some(price) = price::read(price, currency, &catalogue.prices, issues) else { continue };
        listed.extend(members(item, "discounts").iter().map(|found| (found, Scope::Item(item_id.to_owned()))));
        items.push(Item {
            id: item_id.to_owned(),
            created: integer(item, "created"),
            quantity: integer(item, "quantity").unwrap_or(if price.metered { 0 } else { 1 }),
            price,
            period_end: integer(item, "current_period_end").or_else(|| integer(object, "current_period_end")),
        });
    }
    let own = members(object, "discounts");
    listed.extend(own.iter().map(|found| (found, Scope::Subscription)));
    if own.is_empty() {
        listed.extend(part(object, "discount").map(|found| (found, Scope::Subscription)));
    }
    for (found, scope) in listed {
        discounts.extend(catalogue.discount(found, scope, issues));
    }

    let ended = integer(object, "ended_at");
    let at_period_end = flag(object, "cancel_at_period_end");
    let at = integer(object, "cancel_at")
        .or_else(|| at_period_end.then(|| items.iter().filter_map(|item| item.period_end).max()).flatten());
    let requested_at = integer(object, "canceled_at");
    let reason = path(object, &["cancellation_details", "reason"]).and_then(Gist::as_str).map(str::to_owned);
    Some(Subscription {
        id: of.to_owned(),
        customer: customer.to_owned(),
        start: integer(object, "start_date").or_else(|| integer(object, "start")).unwrap_or(created),
        created,
        status,
        items,
        discounts,
        trial_start: integer(object, "trial_start"),
        trial_end: integer(object, "trial_end"),
        cancel: Cancel { at, requested_at, reason },
        ended,
        schedule: id(object, "schedule").map(str::to_owned),
    })
}
