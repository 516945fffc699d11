//! The history of subscriptions, which Stripe does not keep: rebuilt item by item from what there is of it.
//!
//! Stripe keeps what a subscription is now, its invoices for ever, and events for thirty days. From them, for each
//! subscription:
//!
//! 1. Events in an order in which each begins with the state that the one before left. Between two events that fit each
//!    other, and from the creation on, everything is *exact*. What an event finds different from what the last one left
//!    is a gap.
//! 2. Gaps (everything, where there are no events) are filled with what else was seen: a whole line of an invoice shows
//!    an item at the beginning of its period; a proration shows it before and after a change at its very second; the
//!    times that objects state of themselves (start, end, trial, discount, phases of a schedule) are theirs. That is
//!    *derived*.
//! 3. What was different at two times, with nothing that says when it changed, changed when it was first seen so. The time
//!    in between is a row of its own, *assumed*, so that each movement at its end says so.
//!
//! A change that was undone before the next invoice, without proration, leaves no trace that could be read.

mod chain;
mod compose;
mod derive;
mod past;

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    fact::Status,
    price::{Discount as RowDiscount, DiscountDuration, Pricing},
    timeline::Confidence,
};

use crate::{
    amount::print_picos,
    discount::{Discount, Scope},
    evidence::Evidence,
    fact::{Fact, moment},
    gist::Gist,
    invoice::{self, Invoice},
    issue::Issue,
    lines::{self, Billed},
    price::PriceTerms,
    subscription::{self, Cancel, Catalogue, Subscription},
    track::Seen,
};
use chain::of_subscription;
use derive::Statement;
use past::Stood;
pub use past::{Past, version};

const DAY_SECONDS: i64 = 86_400;

/// What an item of a subscription was on `[start, end)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who pays.
    pub customer: String,
    /// The subscription.
    pub subscription: String,
    /// The item of it.
    pub item: String,
    /// What it is.
    pub standing: Standing,
    /// The first second at which it held.
    pub start: i64,
    /// The first second at which it no longer held.
    pub end: Option<i64>,
    /// How sure it is.
    pub confidence: Confidence,
    /// The event, line or object that shows it.
    pub source: String,
}

/// Everything that a row says besides who and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it costs.
    pub price: PriceTerms,
    /// How much of it.
    pub quantity: i64,
    /// What is taken off.
    pub discount: Option<RowDiscount>,
    /// When that ends.
    pub discount_end: Option<i64>,
    /// The state of the subscription.
    pub status: Status,
    /// When its trial ends, while it is one.
    pub trial_end: Option<i64>,
    /// When an announced cancellation takes effect.
    pub cancel_at: Option<i64>,
    /// When that was asked for.
    pub cancel_requested_at: Option<i64>,
    /// Why.
    pub cancel_reason: Option<String>,
}

impl Standing {
    /// Whether nothing is to be paid for it.
    fn is_free(&self) -> bool {
        let whole = self.price.billed_picos(self.quantity).unwrap_or(0);
        let off = self.discount.is_some_and(|discount| {
            discount.percent_millionths >= 100_000_000 || discount.amount_picos > 0 && discount.amount_picos >= whole
        });
        off || whole == 0 || !pays(self.status) || self.status == Status::Trialing
    }
}

/// What became of a customer's subscriptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Rows by subscription, item and start.
    pub rows: Vec<Row>,
    /// What could not be read or is not known.
    pub issues: Vec<Issue>,
    /// From where it can go on, where that is worth being noted.
    pub past: Option<Past>,
    /// Subscriptions whose trials were over in what it goes on from.
    tried: BTreeSet<String>,
}

/// Rebuilds the subscriptions of one customer as they were up to the second `now`, from everything that is known of it.
#[must_use]
pub fn rebuild(evidence: &Evidence, catalogue: &Catalogue, now: i64) -> History {
    // Without a past there is nothing that could not go on.
    make(None, evidence, catalogue, now).unwrap_or_default()
}

/// The same from where it was: `evidence` has all objects, and the events since ([`Past::until`]) alone. Rows that were over
/// by then are none of it ([`Past::is_over`]); all others are as [`rebuild`] makes them of everything. `None` where what has
/// come since says something of the time before, so that everything is needed.
#[must_use]
pub fn go_on(past: &Past, evidence: &Evidence, catalogue: &Catalogue, now: i64) -> Option<History> {
    make(Some(past), evidence, catalogue, now)
}

fn make(past: Option<&Past>, evidence: &Evidence, catalogue: &Catalogue, now: i64) -> Option<History> {
    // Events of that time that come only now, and discounts of which something else is known now, are not in it.
    let is_late = |past: &Past| evidence.events.values().any(|event| event.created <= past.until);
    let differs = |past: &Past| past.discounts.iter().any(|(of, known)| catalogue.discounts.get(of) != Some(known));
    if past.is_some_and(|past| is_late(past) || differs(past) || catalogue.is_any_waiting()) {
        return None;
    }
    let mut of_subscriptions = evidence.events.values().filter(|event| of_subscription(event)).peekable();
    let subscription = of_subscriptions.peek().and_then(|event| event.object.get("id")?.as_str()).unwrap_or_default();
    let is_noted = of_subscriptions.count() >= past::events_until_noted(subscription)
        && !catalogue.is_any_waiting()
        && evidence.issues.is_empty();
    let until = evidence.events.values().map(|event| event.created).max().max(past.map(|past| past.until));
    let mut next = until.filter(|_| is_noted).map(|until| Past {
        until,
        stood: BTreeMap::new(),
        discounts: catalogue.discounts.clone(),
    });
    let mut history = History { issues: evidence.issues.clone(), ..History::default() };
    let read = |(_, object): &(i64, Gist), issues: &mut Vec<Issue>| invoice::read(object, catalogue, issues);
    let mut invoices: Vec<Invoice> =
        evidence.invoices.values().filter_map(|found| read(found, &mut history.issues)).collect();
    invoices.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    let prices = lines::known(&invoices, &catalogue.prices);
    let failures = evidence.failures();

    let mut names: BTreeSet<String> = evidence.subscriptions.keys().cloned().collect();
    names.extend(
        evidence
            .events
            .values()
            .filter(|event| of_subscription(event))
            .filter_map(|event| event.object.get("id").and_then(Gist::as_str).map(str::to_owned)),
    );
    names.extend(invoices.iter().filter_map(|invoice| invoice.subscription.clone()));
    names.extend(past.into_iter().flat_map(|past| past.stood.keys().cloned()));
    for name in names {
        let own: Vec<&Invoice> =
            invoices.iter().filter(|invoice| invoice.subscription.as_deref() == Some(&name)).collect();
        let stood = past.and_then(|past| past.stood.get(&name));
        let mut work = Work {
            name: &name,
            evidence,
            catalogue,
            prices: &prices,
            invoices: own,
            failures: &failures,
            now,
            stood,
            is_noted: next.is_some(),
            tracks: Seens::default(),
            discounts: BTreeMap::new(),
            covered: Vec::new(),
            usage: Vec::new(),
            customer: String::new(),
            issues: Vec::new(),
        };
        let made = work.run(&mut history.rows)?;
        history.issues.append(&mut work.issues);
        match (made, &mut next) {
            (Made::Noted(stood), Some(next)) => {
                next.stood.insert(name.clone(), *stood);
            }
            (Made::WithoutNote, _) => next = None,
            _ => {}
        }
        if stood.is_some_and(|stood| stood.has_tried) {
            history.tried.insert(name);
        }
    }
    history.issues.sort();
    history.issues.dedup();
    history.past = next;
    Some(history)
}

/// Whether a state is one in which something is paid, or to be paid.
fn pays(status: Status) -> bool {
    matches!(status, Status::Active | Status::Trialing | Status::PastDue)
}

/// A price and how much of it.
type Sold = (PriceTerms, i64);
/// A state, and when the trial ends that it is.
type State = (Status, Option<i64>);

fn state_of(subscription: &Subscription) -> State {
    (subscription.status, subscription.trial_end.filter(|_| subscription.status == Status::Trialing))
}

/// What a state says of the second at which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// What is otherwise than before became so then.
    Changed,
    /// It ended then; what else is otherwise became so at some time before.
    Ended,
    /// It was so then.
    AsItIs,
}

/// What became of one subscription.
enum Made {
    /// A history can go on from here.
    Noted(Box<Stood>),
    /// It has no events, so that it is made of objects each time.
    OfObjects,
    /// Everything is needed again.
    WithoutNote,
}

/// Everything that was seen, by what it is about.
#[derive(Default)]
struct Seens {
    status: Vec<Seen<State>>,
    cancel: Vec<Seen<Cancel>>,
    items: BTreeMap<String, Vec<Seen<Option<Sold>>>>,
    discounts: BTreeMap<String, Vec<Seen<bool>>>,
}

struct Work<'a> {
    name: &'a str,
    evidence: &'a Evidence,
    catalogue: &'a Catalogue,
    prices: &'a lines::Known,
    invoices: Vec<&'a Invoice>,
    failures: &'a BTreeMap<String, Vec<i64>>,
    now: i64,
    /// What it had come to, where the history goes on from there.
    stood: Option<&'a Stood>,
    /// Whether it is worth noting what it has come to.
    is_noted: bool,
    tracks: Seens,
    discounts: BTreeMap<String, Discount>,
    /// Times of which events say everything.
    covered: Vec<(i64, i64)>,
    usage: Vec<Billed>,
    customer: String,
    issues: Vec<Issue>,
}

impl Work<'_> {
    fn run(&mut self, rows: &mut Vec<Row>) -> Option<Made> {
        let shown = self.evidence.subscriptions.get(self.name);
        let current = shown.and_then(|(seen_at, object)| {
            Some((*seen_at, subscription::read(object, self.catalogue, &mut self.issues)?))
        });
        let of_list = self.issues.len();
        self.issues.extend(self.stood.into_iter().flat_map(|stood| stood.issues.iter().cloned()));
        let chain = self.chain()?;
        // What was listed before the last event came is no longer so: it is one more time at which it was seen.
        let is_past = |(seen_at, listed): &(i64, Subscription)| {
            chain
                .last()
                .is_some_and(|last| *seen_at < last.at || *seen_at == last.at && !chain::same(&last.after, listed))
        };
        let (past, current) = match current {
            Some(listed) if is_past(&listed) => (Some(listed), None),
            current => (None, current),
        };
        let listed = past.as_ref().or(current.as_ref());
        let over_until = self.stood.map_or(i64::MIN, |stood| stood.at);
        let owner = current.as_ref().map(|(_, current)| current.customer.clone());
        let owner = owner.or_else(|| chain.first().map(|known| known.after.customer.clone()));
        self.customer =
            owner.or_else(|| self.invoices.first().map(|invoice| invoice.customer.clone())).unwrap_or_default();

        for invoice in &self.invoices {
            for discount in &invoice.discounts {
                self.discounts.entry(discount.id.clone()).or_insert_with(|| discount.clone());
            }
            for of in &invoice.discount_ids {
                if let Some(known) = self.catalogue.discounts.get(of) {
                    self.discounts.entry(of.clone()).or_insert_with(|| known.clone());
                }
            }
        }
        let given = self.stood.into_iter().flat_map(|stood| &stood.discounts);
        self.discounts.extend(given.map(|(of, given)| (of.clone(), given.is.clone())));
        let states = chain.iter().flat_map(|known| known.before.iter().chain([&known.after]));
        for state in states.chain(listed.map(|(_, listed)| listed)) {
            for discount in &state.discounts {
                self.discounts.insert(discount.id.clone(), discount.clone());
            }
        }

        if !self.has_same_discounts() {
            return None;
        }
        let of_events = self.issues.len();
        let statements = self.statements();
        // A state says of every item that was ever billed whether it is there, also of those that it does not show.
        for item in statements.iter().flat_map(Statement::items) {
            self.tracks.items.entry(item.to_owned()).or_default();
        }
        let (items, discounts) = (self.tracks.items.keys(), self.discounts.keys());
        let begun = self.stood.zip(chain.first()).map(|(stood, known)| stood.begun(&known.after, items, discounts));
        if let Some(begun) = &begun {
            for item in begun.items.keys() {
                self.tracks.items.entry(item.clone()).or_default();
            }
            for of in begun.discounts.keys() {
                self.tracks.discounts.entry(of.clone()).or_default();
            }
        }
        let of_statements = self.issues.len();
        self.cover(&chain, current.as_ref());
        if let Some((seen_at, listed)) = past.as_ref().filter(|(seen_at, _)| *seen_at > over_until) {
            self.show(listed, *seen_at, 9, Told::AsItIs, &listed.id);
        }
        // The first one is in what it goes on from.
        for (number, known) in chain.iter().enumerate().skip(usize::from(self.stood.is_some())) {
            let rank = 10 + 2 * u32::try_from(number).unwrap_or(u32::MAX / 4);
            if let Some(before) = &known.before {
                self.show(before, known.at, rank, Told::AsItIs, &known.source);
            }
            self.show(&known.after, known.at, rank + 1, known.told(), &known.source);
        }
        if let (Some(last), Some(until)) = (chain.last(), self.evidence.events_until) {
            // All events are there, so nothing has changed since.
            if current.is_none() {
                let source = last.source.clone();
                let after = last.after.clone();
                self.show(&after, until.max(last.at), u32::MAX, Told::AsItIs, &source);
            }
        }
        if let Some((seen_at, current)) = &current {
            let source = current.id.clone();
            // What has ended stays as it was at its end.
            let at = current.ended.map_or(*seen_at, |ended| ended.min(*seen_at));
            if at > over_until {
                self.show(current, at, u32::MAX - 1, Told::AsItIs, &source);
            } else if chain.last().is_some_and(|last| !chain::same(&last.after, current)) {
                return None;
            }
            if current.ended.is_some() {
                self.show(current, *seen_at, u32::MAX, Told::AsItIs, &source);
            }
        }
        let issues = [self.issues.get(of_list..of_events), self.issues.get(of_statements..)];
        let issues = issues.into_iter().flatten().flatten().cloned().collect::<Vec<Issue>>();
        let shown = self.tracks.shown();
        self.derive(
            statements,
            current.as_ref().map(|(_, current)| current).or(chain.last().map(|known| &known.after)),
        );
        if !self.fits_past(&shown, listed) {
            return None;
        }
        let noting = if self.is_noted { self.noting(&chain, &shown, listed, &issues) } else { None };
        self.tracks.forget(over_until);
        let noted = self.compose(rows, begun, noting)?;
        Some(match (noted, self.stood) {
            (Some(stood), _) => Made::Noted(Box::new(stood)),
            // Nothing has come since.
            (None, Some(stood)) if chain.len() == 1 => Made::Noted(Box::new(stood.clone())),
            (None, _) if chain.is_empty() => Made::OfObjects,
            (None, _) => Made::WithoutNote,
        })
    }

    fn is_covered(&self, second: i64) -> bool {
        self.covered.iter().any(|(from, to)| *from <= second && second <= *to)
    }

    /// Takes down a state in full.
    fn show(&mut self, state: &Subscription, at: i64, rank: u32, told: Told, source: &str) {
        let confidence = Confidence::Exact;
        let changed = matches!(told, Told::Changed | Told::Ended);
        let source = || source.to_owned();
        let value = state_of(state);
        self.tracks.status.push(Seen { at, rank, changed, value, confidence, source: source() });
        let value = state.cancel.clone();
        self.tracks.cancel.push(Seen { at, rank, changed, value, confidence, source: source() });
        let changed = told == Told::Changed;
        for item in &state.items {
            self.tracks.items.entry(item.id.clone()).or_default();
        }
        for (item, seen) in &mut self.tracks.items {
            let found = state.items.iter().find(|found| found.id == *item);
            let value = found.map(|found| (found.price.clone(), found.quantity));
            seen.push(Seen { at, rank, changed, value, confidence, source: source() });
        }
        // A customer's discount stands in none of its subscriptions.
        for of in
            self.discounts.values().filter(|discount| discount.scope != Scope::Customer).map(|discount| &discount.id)
        {
            let value = state.discounts.iter().any(|found| found.id == *of);
            let seen = self.tracks.discounts.entry(of.clone()).or_default();
            seen.push(Seen { at, rank, changed, value, confidence, source: source() });
        }
    }
}

impl History {
    /// The trials among the rows as facts of the kind `trials`, with when they turned into paying.
    #[must_use]
    pub fn trials(&self) -> Vec<Fact> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| !self.tried.contains(&row.subscription)).collect();
        trials(&rows)
    }
}

fn trials(rows: &[&Row]) -> Vec<Fact> {
    let mut found: BTreeMap<&str, Fact> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.standing.status == Status::Trialing) {
        let next = rows
            .iter()
            .find(|next| next.subscription == row.subscription && next.item == row.item && Some(next.start) == row.end);
        let paid = next.filter(|next| matches!(next.standing.status, Status::Active | Status::PastDue));
        let mut values = vec![
            ("trial", row.subscription.clone()),
            ("customer", row.customer.clone()),
            ("plan", row.standing.price.id.clone()),
            ("start", moment(row.start)),
        ];
        let end = row.standing.trial_end.or(row.end).filter(|end| *end > row.start);
        values.extend(end.map(|end| ("end", moment(end))));
        values.extend(paid.map(|paid| ("converted", moment(paid.start))));
        let fact = Fact { kind: "trials", values, source: row.source.clone(), confidence: row.confidence };
        match found.get_mut(row.subscription.as_str()) {
            // Rows of one trial that follow each other are one trial; its first item stands for it.
            Some(first) if paid.is_some() && first.value("converted").is_none() => {
                first.values.extend(fact.values.into_iter().filter(|(column, _)| *column == "converted"));
            }
            Some(_) => {}
            None => {
                found.insert(&row.subscription, fact);
            }
        }
    }
    found.into_values().collect()
}

impl Row {
    /// The row as a fact of the kind `subscriptions`.
    #[must_use]
    pub fn fact(&self) -> Fact {
        let standing = &self.standing;
        let price = &standing.price;
        let mut values: Vec<(&'static str, String)> = vec![
            ("subscription", self.subscription.clone()),
            ("item", self.item.clone()),
            ("customer", self.customer.clone()),
            ("plan", price.id.clone()),
        ];
        let mut say = |column, value: Option<String>| values.extend(value.map(|value| (column, value)));
        say("product", Some(price.product.clone()).filter(|product| !product.is_empty()));
        say("currency", Some(price.currency.code().to_owned()));
        say("amount", Some(print_picos(price.amount_picos)));
        pricing_columns(&price.pricing, &mut say);
        say("interval", Some(price.interval.name().to_owned()));
        say("interval_count", Some(price.interval_count.to_string()));
        say("quantity", Some(standing.quantity.to_string()));
        say("usage_type", price.metered.then(|| "metered".to_owned()));
        if let Some(discount) = &standing.discount {
            let percent = i128::from(discount.percent_millionths);
            say("discount_percent", (percent != 0).then(|| revenue::money::print_scaled(percent, 6, 0)));
            say("discount_amount", (discount.amount_picos != 0).then(|| print_picos(discount.amount_picos)));
            let duration = match discount.duration {
                DiscountDuration::Once => "once",
                DiscountDuration::Repeating | DiscountDuration::Months(_) => "repeating",
                DiscountDuration::Forever => "forever",
            };
            say("discount_duration", Some(duration.to_owned()));
            say("discount_end", standing.discount_end.map(moment));
        }
        say("status", Some(standing.status.name().to_owned()));
        say("trial_end", standing.trial_end.map(moment));
        say("cancel_at", standing.cancel_at.map(moment));
        say("cancel_requested_at", standing.cancel_requested_at.map(moment));
        say("cancel_reason", standing.cancel_reason.clone());
        say("start", Some(moment(self.start)));
        say("end", self.end.map(moment));
        Fact { kind: "subscriptions", values, source: self.source.clone(), confidence: self.confidence }
    }
}

/// The columns by which kinds of facts say how quantity becomes money.
pub(crate) fn pricing_columns(pricing: &Pricing, say: &mut impl FnMut(&'static str, Option<String>)) {
    let written = |tiers: &[revenue::price::Tier]| {
        let tier = |tier: &revenue::price::Tier| {
            let up_to = tier.up_to.map_or("inf".to_owned(), |up_to| up_to.to_string());
            format!("{up_to}:{}:{}", print_picos(tier.unit_picos), print_picos(tier.flat_picos))
        };
        tiers.iter().map(tier).collect::<Vec<_>>().join(";")
    };
    let (name, tiers, size) = match pricing {
        Pricing::PerUnit => ("per_unit", None, None),
        Pricing::Flat => ("flat", None, None),
        Pricing::Package { size } => ("package", None, Some(size.to_string())),
        Pricing::Graduated(tiers) => ("graduated", Some(written(tiers)), None),
        Pricing::Volume(tiers) => ("volume", Some(written(tiers)), None),
    };
    say("pricing", Some(name.to_owned()));
    say("tiers", tiers);
    say("package_size", size);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// 2024-01-15 00:00 UTC, and the same day of the months after it.
    const MONTHS: [i64; 4] = [1_705_276_800, 1_707_955_200, 1_710_460_800, 1_713_139_200];

    fn price() -> Value {
        json!({"id": "price_1", "object": "price", "currency": "eur", "unit_amount": 1000, "unit_amount_decimal": "1000",
            "product": "prod_1", "billing_scheme": "per_unit",
            "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}})
    }

    fn subscription(quantity: i64) -> Value {
        json!({"id": "sub_1", "object": "subscription", "customer": "cus_1", "currency": "eur", "created": MONTHS[0],
            "start_date": MONTHS[0], "status": "active", "discounts": [], "items": {"data": [{"id": "si_1",
            "created": MONTHS[0], "quantity": quantity, "price": price(), "discounts": []}]}})
    }

    fn invoice(number: usize, quantity: i64, discounts: &Value) -> Value {
        json!({"id": format!("in_{number}"), "object": "invoice", "customer": "cus_1", "subscription": "sub_1",
            "created": MONTHS[number], "status": "paid", "billing_reason": "subscription_cycle", "discounts": discounts,
            "status_transitions": {"paid_at": MONTHS[number]}, "lines": {"data": [{"id": format!("il_{number}"),
            "object": "line_item", "amount": 1000 * quantity, "currency": "eur", "quantity": quantity,
            "subscription": "sub_1", "subscription_item": "si_1", "price": price(),
            "period": {"start": MONTHS[number], "end": MONTHS[number + 1]}}]}})
    }

    /// Rows as a person would note them: the day, the quantity, the discount, how sure it is.
    fn noted(objects: &[Value], now: i64) -> Vec<String> {
        noted_with_events(objects, None, now)
    }

    /// The same, where all events up to a second are there.
    fn noted_with_events(objects: &[Value], events_until: Option<i64>, now: i64) -> Vec<String> {
        let (mut evidence, mut catalogue) = (Evidence::default(), Catalogue::default());
        evidence.events_until = events_until;
        for object in objects {
            evidence.take(Gist::of(object), now, &mut catalogue);
        }
        let history = rebuild(&evidence, &catalogue, now);
        let note = |row: &Row| {
            let percent = row.standing.discount.map_or(0, |discount| discount.percent_millionths / 1_000_000);
            let day = moment(row.start).chars().take(10).collect::<String>();
            format!("{day} x{} -{percent}% {}", row.standing.quantity, row.confidence.name())
        };
        history.rows.iter().map(note).collect()
    }

    #[test]
    fn a_seat_more_without_proration_is_assumed_since_the_last_invoice() {
        let none = json!([]);
        let objects = [invoice(0, 1, &none), invoice(1, 1, &none), invoice(2, 2, &none), subscription(2)];
        assert_eq!(
            noted(&objects, MONTHS[2] + 86_400),
            ["2024-01-15 x1 -0% derived", "2024-02-15 x1 -0% assumed", "2024-03-15 x2 -0% derived"]
        );
    }

    #[test]
    fn a_pause_that_a_bill_was_sent_after_ended_nobody_knows_when() {
        // Held back in February and in March; in April it was asked for, in vain, so the pause was over by then. Whoever came
        // back did so on a day that nobody knows.
        let bill = |number: usize, status: &str, attempts: i64| {
            let mut bill = invoice(number, 1, &json!([]));
            (bill["status"], bill["attempt_count"]) = (json!(status), json!(attempts));
            (bill["auto_advance"], bill["status_transitions"]) = (json!(attempts > 0), json!({}));
            bill
        };
        let mut latest = subscription(1);
        latest["status"] = json!("past_due");
        let held = [invoice(0, 1, &json!([])), bill(1, "draft", 0), bill(2, "draft", 0)];
        let mut asked = bill(2, "open", 2);
        asked["created"] = json!(MONTHS[3]);
        asked["id"] = json!("in_3");
        asked["lines"]["data"][0]["id"] = json!("il_3");
        asked["lines"]["data"][0]["period"] = json!({"start": MONTHS[3], "end": MONTHS[3] + 30 * 86_400});
        let (mut evidence, mut catalogue) = (Evidence::default(), Catalogue::default());
        let now = MONTHS[3] + 5 * 86_400;
        held.into_iter()
            .chain([asked, latest])
            .for_each(|object| evidence.take(Gist::of(&object), now, &mut catalogue));
        let rows = rebuild(&evidence, &catalogue, now).rows;
        let note = |row: &Row| {
            let day = moment(row.start).chars().take(10).collect::<String>();
            format!("{day} {} {}", row.standing.status.name(), row.confidence.name())
        };
        assert_eq!(
            rows.iter().map(note).collect::<Vec<_>>(),
            [
                "2024-01-15 active assumed",
                "2024-02-15 paused derived",
                "2024-03-15 paused assumed",
                "2024-04-15 past_due assumed",
                "2024-04-20 past_due derived"
            ]
        );
    }

    #[test]
    fn an_event_says_when_it_was() {
        let event = json!({"id": "evt_1", "object": "event", "type": "customer.subscription.updated",
            "created": MONTHS[1] + 5 * 86_400, "data": {"object": subscription(2), "previous_attributes":
            {"items": {"data": subscription(1)["items"]["data"]}}}});
        let none = json!([]);
        let objects = [invoice(0, 1, &none), invoice(1, 1, &none), invoice(2, 2, &none), subscription(2), event];
        let rows = noted(&objects, MONTHS[2] + 86_400);
        assert_eq!(rows, ["2024-01-15 x1 -0% derived", "2024-02-20 x2 -0% exact"]);
    }

    #[test]
    fn a_part_that_was_billed_and_that_the_subscription_no_longer_shows_is_over() {
        // Support was taken out on 20 March, without proration. The first event that there is tells of seats, on 15 April:
        // support is in none of its states, so it is not there, whatever was billed before.
        let bill = |number: usize, parts: &[(&str, i64)]| {
            let mut bill = invoice(number, 1, &json!([]));
            let line = |(item, quantity): &(&str, i64)| {
                let mut line = bill["lines"]["data"][0].clone();
                line["id"] = json!(format!("il_{number}_{item}"));
                line["subscription_item"] = json!(item);
                line["quantity"] = json!(quantity);
                line["amount"] = json!(1000 * quantity);
                line
            };
            bill["lines"]["data"] = parts.iter().map(line).collect();
            bill
        };
        let event = json!({"id": "evt_1", "object": "event", "type": "customer.subscription.updated",
            "created": MONTHS[3], "data": {"object": subscription(2), "previous_attributes":
            {"items": {"data": subscription(1)["items"]["data"]}}}});
        let both = [("si_1", 1), ("si_support", 7)];
        let objects = [bill(0, &both), bill(1, &both), bill(2, &both), event, subscription(2)];
        assert_eq!(
            noted(&objects, MONTHS[3] + 5 * 86_400),
            [
                "2024-01-15 x1 -0% derived",
                "2024-04-15 x2 -0% exact",
                "2024-01-15 x7 -0% derived",
                "2024-03-15 x7 -0% assumed"
            ]
        );
        let rows = {
            let (mut evidence, mut catalogue) = (Evidence::default(), Catalogue::default());
            objects.iter().for_each(|object| evidence.take(Gist::of(object), MONTHS[3] + 5 * 86_400, &mut catalogue));
            rebuild(&evidence, &catalogue, MONTHS[3] + 5 * 86_400).rows
        };
        assert_eq!(rows.last().map(|row| (row.item.as_str(), row.end)), Some(("si_support", Some(MONTHS[3]))));
    }

    #[test]
    fn what_objects_say_of_the_time_before_has_it_made_anew() {
        // One more seat a day from 15 March on; before that there are invoices alone.
        let seat = |day: i64| {
            json!({"id": format!("evt_{day}"), "object": "event", "type": "customer.subscription.updated",
                "created": MONTHS[2] + day * 86_400, "data": {"object": subscription(day + 2), "previous_attributes":
                {"items": {"data": subscription(day + 1)["items"]["data"]}}}})
        };
        let none = json!([]);
        let [january, february, two_in_february] = [invoice(0, 1, &none), invoice(1, 1, &none), invoice(1, 2, &none)];
        let now = MONTHS[2] + 8 * 86_400;
        let made = |past: Option<&Past>, days: std::ops::Range<i64>, february: &Value| {
            let mut catalogue = Catalogue::default();
            let mut evidence = past.map_or_else(Evidence::default, |past| Evidence::since(past, &mut catalogue));
            evidence.events_until = Some(now);
            let events: Vec<Value> = days.map(seat).collect();
            let objects = events.iter().chain([&january, february]);
            objects.for_each(|object| evidence.take(Gist::of(object), now, &mut catalogue));
            make(past, &evidence, &catalogue, now)
        };
        let past = made(None, 0..6, &february).unwrap().past.unwrap();
        let (whole, further) = (made(None, 0..7, &february).unwrap(), made(Some(&past), 6..7, &february).unwrap());
        let since: Vec<&Row> = whole.rows.iter().filter(|row| !past.is_over(row)).collect();
        assert_eq!(further.rows.iter().collect::<Vec<_>>(), since);
        assert_eq!(since.len(), 2, "the row that ended and the one that began");
        assert_eq!(made(Some(&past), 6..7, &two_in_february), None, "an invoice of that time says something else");
        assert_eq!(made(Some(&past), 4..7, &february), None, "events of that time come once more");
    }

    /// The end of the subscription, ten days into its third month.
    fn end(state: &Value) -> Value {
        let mut ended = state.clone();
        (ended["status"], ended["ended_at"]) = (json!("canceled"), json!(MONTHS[2] + 10 * 86_400));
        json!({"id": "evt_end", "object": "event", "type": "customer.subscription.deleted",
            "created": MONTHS[2] + 10 * 86_400, "data": {"object": ended}})
    }

    #[test]
    fn what_an_end_no_longer_shows_went_at_some_time_before() {
        // Support was billed in January alone and taken out without a trace; the one event that there is tells of the end.
        let mut both = invoice(0, 1, &json!([]));
        let mut support = both["lines"]["data"][0].clone();
        (support["id"], support["subscription_item"]) = (json!("il_support"), json!("si_support"));
        support["period"]["end"] = json!(MONTHS[3]);
        both["lines"]["data"].as_array_mut().unwrap().push(support);
        let none = json!([]);
        let objects = [both, invoice(1, 1, &none), invoice(2, 1, &none), end(&subscription(1))];
        assert_eq!(
            noted_with_events(&objects, Some(MONTHS[3]), MONTHS[3]),
            [
                "2024-01-15 x1 -0% derived",
                "2024-03-25 x1 -0% derived",
                // Nobody knows when it went: the time since it was last seen is assumed.
                "2024-01-15 x1 -0% assumed"
            ]
        );
    }

    #[test]
    fn an_event_that_tells_of_no_change_leaves_no_gap() {
        let event = |id: &str, kind: &str, at: i64, object: Value, previous: Value| {
            json!({"id": id, "object": "event", "type": format!("customer.subscription.{kind}"), "created": at,
                "data": {"object": object, "previous_attributes": previous}})
        };
        let trial_end = MONTHS[0] + 14 * 86_400;
        let mut trial = subscription(1);
        (trial["status"], trial["trial_start"]) = (json!("trialing"), json!(MONTHS[0]));
        trial["trial_end"] = json!(trial_end);
        let mut paying = trial.clone();
        paying["status"] = json!("active");
        let events = [
            event("evt_1", "created", MONTHS[0], trial.clone(), Value::Null),
            event("evt_2", "trial_will_end", trial_end - 3 * 86_400, trial, Value::Null),
            event("evt_3", "updated", trial_end, paying, json!({"status": "trialing"})),
        ];
        let (mut evidence, mut catalogue) = (Evidence::default(), Catalogue::default());
        evidence.events_until = Some(MONTHS[1]);
        events.iter().for_each(|event| evidence.take(Gist::of(event), MONTHS[1], &mut catalogue));
        let history = rebuild(&evidence, &catalogue, MONTHS[1]);
        let rows: Vec<(&str, Confidence)> =
            history.rows.iter().map(|row| (row.standing.status.name(), row.confidence)).collect();
        assert_eq!(rows, [("trialing", Confidence::Exact), ("active", Confidence::Exact)]);
        assert_eq!(history.issues, []);
    }

    #[test]
    fn the_discount_of_a_customer_lowers_what_has_none_of_its_own() {
        let discount = json!([{"id": "di_1", "object": "discount", "customer": "cus_1", "subscription": null,
            "start": MONTHS[1] - 86_400, "end": null,
            "coupon": {"id": "off", "object": "coupon", "percent_off": 20, "duration": "forever"}}]);
        let objects = [invoice(0, 1, &json!([])), invoice(1, 1, &discount), invoice(2, 1, &discount), subscription(1)];
        assert_eq!(noted(&objects, MONTHS[2] + 86_400), ["2024-01-15 x1 -0% derived", "2024-02-14 x1 -20% derived"]);
    }
}
