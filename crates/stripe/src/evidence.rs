//! Everything that Stripe says about one customer, sorted by what it is.

use std::collections::BTreeMap;

use crate::{
    discount::Scope,
    event::{self, Event},
    field::{id, integer, members, part, path, text},
    gist::Gist,
    history::Past,
    issue::{Code, Issue},
    subscription::Catalogue,
};

/// Everything that Stripe says about one customer. Objects can be given in any order and any number of times: of two
/// versions of one object the one seen later holds.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub(crate) subscriptions: BTreeMap<String, (i64, Gist)>,
    pub(crate) invoices: BTreeMap<String, (i64, Gist)>,
    pub(crate) pending: BTreeMap<String, (i64, Gist)>,
    pub(crate) schedules: BTreeMap<String, (i64, Gist)>,
    pub(crate) charges: BTreeMap<String, (i64, Gist)>,
    /// Which payment (of an intent, or a charge) was for which invoice, since charges no longer say it.
    pub(crate) invoice_of_payment: BTreeMap<String, String>,
    pub(crate) events: BTreeMap<String, Event>,
    /// The second up to which all events are there, where that is known.
    pub events_until: Option<i64>,
    /// What could not be read.
    pub issues: Vec<Issue>,
}

fn keep(into: &mut BTreeMap<String, (i64, Gist)>, seen_at: i64, object: Gist) {
    let of = text(&object, "id").unwrap_or_default();
    match into.get_mut(of) {
        Some(kept) if kept.0 > seen_at => {}
        Some(kept) => *kept = (seen_at, object),
        None => {
            into.insert(of.to_owned(), (seen_at, object));
        }
    }
}

impl Evidence {
    /// Nothing yet, where a history shall go on: what was known of discounts then is in the catalogue from the beginning.
    #[must_use]
    pub fn since(past: &Past, catalogue: &mut Catalogue) -> Self {
        for (of, discount) in &past.discounts {
            catalogue.discounts.entry(of.clone()).or_insert_with(|| discount.clone());
        }
        Self::default()
    }

    /// Takes an object as it was at the second `seen_at`: of a list, when it was fetched; an event counts by itself.
    ///
    /// Prices, coupons and discounts go to the catalogue. Objects that say nothing of the history of subscriptions are
    /// passed over here; [`crate::object::facts`] reads them.
    pub fn take(&mut self, object: Gist, seen_at: i64, catalogue: &mut Catalogue) {
        match text(&object, "object") {
            Some("event") => {
                let of = text(&object, "id").unwrap_or_default().to_owned();
                match event::read(object) {
                    Some(event) if self.events.contains_key(&event.id) => {}
                    Some(event) => {
                        if text(&event.object, "object") != Some("subscription") {
                            self.take(event.object.clone(), event.created, catalogue);
                        } else {
                            self.learn_discounts(&event.object, catalogue);
                        }
                        self.events.insert(event.id.clone(), event);
                    }
                    None => {
                        let words = "an event without id, type, time or object";
                        self.issues.push(Issue::new(Code::FieldMissing, &of, words));
                    }
                }
            }
            Some("subscription") => {
                self.learn_discounts(&object, catalogue);
                keep(&mut self.subscriptions, seen_at, object);
            }
            Some("invoice") => {
                self.learn_discounts(&object, catalogue);
                for payment in members(&object, "payments") {
                    self.take(payment.clone(), seen_at, catalogue);
                }
                keep(&mut self.invoices, seen_at, object);
            }
            Some("invoiceitem") => keep(&mut self.pending, seen_at, object),
            Some("subscription_schedule") => keep(&mut self.schedules, seen_at, object),
            Some("charge") => keep(&mut self.charges, seen_at, object),
            Some("invoice_payment") => {
                let paid = part(&object, "payment").and_then(|payment| {
                    id(payment, "payment_intent")
                        .or_else(|| id(payment, "charge"))
                        .or_else(|| id(payment, "payment_record"))
                });
                if let (Some(paid), Some(invoice)) = (paid, id(&object, "invoice")) {
                    self.invoice_of_payment.insert(paid.to_owned(), invoice.to_owned());
                }
            }
            Some("discount") => catalogue.learn(&object, Scope::Customer),
            Some("price" | "plan" | "coupon") => {
                catalogue.take(&object, &mut self.issues);
            }
            _ => {}
        }
    }

    /// Discounts that stand somewhere in full are named by their ids elsewhere.
    fn learn_discounts(&self, object: &Gist, catalogue: &mut Catalogue) {
        let single = part(object, "discount");
        for discount in members(object, "discounts").iter().chain(single) {
            // What an invoice shows and is no subscription's is the customer's.
            let of_invoice = text(object, "object") == Some("invoice");
            catalogue.learn(discount, if of_invoice { Scope::Customer } else { Scope::Subscription });
        }
        for item in members(object, "items") {
            for discount in members(item, "discounts") {
                catalogue.learn(discount, Scope::Item(text(item, "id").unwrap_or_default().to_owned()));
            }
        }
        for line in members(object, "lines") {
            let item = path(line, &["parent", "subscription_item_details"])
                .and_then(|details| id(details, "subscription_item"))
                .or_else(|| id(line, "subscription_item"));
            for discount in members(line, "discounts") {
                let scope = item.map_or(Scope::Subscription, |item| Scope::Item(item.to_owned()));
                catalogue.learn(discount, scope);
            }
        }
    }

    /// The invoice that a charge tried to pay.
    pub(crate) fn invoice_of_charge(&self, charge: &Gist) -> Option<String> {
        if let Some(invoice) = id(charge, "invoice") {
            return Some(invoice.to_owned());
        }
        let named = [id(charge, "payment_intent"), text(charge, "id")].into_iter().flatten();
        named.filter_map(|payment| self.invoice_of_payment.get(payment)).next().cloned()
    }

    /// The charges that failed, by invoice, as seconds in order of time.
    pub(crate) fn failures(&self) -> BTreeMap<String, Vec<i64>> {
        let mut failures: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (_, charge) in self.charges.values() {
            if text(charge, "status") != Some("failed") {
                continue;
            }
            if let (Some(invoice), Some(created)) = (self.invoice_of_charge(charge), integer(charge, "created")) {
                failures.entry(invoice).or_default().push(created);
            }
        }
        for seconds in failures.values_mut() {
            seconds.sort_unstable();
        }
        failures
    }
}
