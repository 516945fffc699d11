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

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    fact::Status,
    price::{Discount as RowDiscount, DiscountDuration, Pricing},
    timeline::Confidence,
};
use serde_json::Value;

use crate::{
    amount::print_picos,
    discount::{Discount, Part, Scope, stack},
    event,
    evidence::Evidence,
    fact::{Fact, moment},
    field::{id, integer, members},
    invoice::{self, Invoice},
    issue::{Code, Issue},
    lines::{self, Billed, Side},
    price::PriceTerms,
    subscription::{self, Cancel, Catalogue, Subscription},
    track::{Seen, Track},
};

const DAY_SECONDS: i64 = 86_400;

/// Failed attempts after which an invoice that is paid all the same was not paid by an attempt of Stripe's: the first one
/// and three more, the usual setting.
const GIVEN_UP_AFTER: usize = 4;

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
}

/// Rebuilds the subscriptions of one customer as they were up to the second `now`.
#[must_use]
pub fn rebuild(evidence: &Evidence, catalogue: &Catalogue, now: i64) -> History {
    let mut history = History { rows: Vec::new(), issues: evidence.issues.clone() };
    let read = |(_, object): &(i64, Value), issues: &mut Vec<Issue>| invoice::read(object, catalogue, issues);
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
            .filter_map(|event| event.object.get("id").and_then(Value::as_str).map(str::to_owned)),
    );
    names.extend(invoices.iter().filter_map(|invoice| invoice.subscription.clone()));
    for name in names {
        let own: Vec<&Invoice> =
            invoices.iter().filter(|invoice| invoice.subscription.as_deref() == Some(&name)).collect();
        let mut work = Work {
            name: &name,
            evidence,
            catalogue,
            prices: &prices,
            invoices: own,
            failures: &failures,
            now,
            tracks: Seens::default(),
            discounts: BTreeMap::new(),
            covered: Vec::new(),
            usage: Vec::new(),
            customer: String::new(),
            issues: Vec::new(),
        };
        work.run(&mut history.rows);
        history.issues.append(&mut work.issues);
    }
    history.issues.sort();
    history.issues.dedup();
    history
}

fn of_subscription(event: &event::Event) -> bool {
    event.kind.starts_with("customer.subscription.")
        && event.object.get("object").and_then(Value::as_str) == Some("subscription")
}

/// Whether a state is one in which something is paid, or to be paid.
fn pays(status: Status) -> bool {
    matches!(status, Status::Active | Status::Trialing | Status::PastDue)
}

/// A price and how much of it.
type Sold = (PriceTerms, i64);

/// Everything that was seen, by what it is about.
#[derive(Default)]
struct Seens {
    status: Vec<Seen<(Status, Option<i64>)>>,
    cancel: Vec<Seen<Cancel>>,
    items: BTreeMap<String, Vec<Seen<Option<Sold>>>>,
    discounts: BTreeMap<String, Vec<Seen<bool>>>,
}

/// A state of the subscription that an event shows.
struct Known {
    at: i64,
    before: Option<Subscription>,
    after: Subscription,
    source: String,
    first: bool,
    last: bool,
}

struct Work<'a> {
    name: &'a str,
    evidence: &'a Evidence,
    catalogue: &'a Catalogue,
    prices: &'a lines::Known,
    invoices: Vec<&'a Invoice>,
    failures: &'a BTreeMap<String, Vec<i64>>,
    now: i64,
    tracks: Seens,
    discounts: BTreeMap<String, Discount>,
    /// Times of which events say everything.
    covered: Vec<(i64, i64)>,
    usage: Vec<Billed>,
    customer: String,
    issues: Vec<Issue>,
}

impl Work<'_> {
    fn run(&mut self, rows: &mut Vec<Row>) {
        let shown = self.evidence.subscriptions.get(self.name);
        let current = shown.and_then(|(seen_at, object)| {
            Some((*seen_at, subscription::read(object, self.catalogue, &mut self.issues)?))
        });
        let chain = self.chain();
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
        let states = chain.iter().flat_map(|known| known.before.iter().chain([&known.after]));
        for state in states.chain(current.as_ref().map(|(_, current)| current)) {
            for discount in &state.discounts {
                self.discounts.insert(discount.id.clone(), discount.clone());
            }
        }

        self.cover(&chain, current.as_ref());
        for (number, known) in chain.iter().enumerate() {
            let rank = 10 + 2 * u32::try_from(number).unwrap_or(u32::MAX / 4);
            if let Some(before) = &known.before {
                self.show(before, known.at, rank, false, &known.source);
            }
            self.show(&known.after, known.at, rank + 1, true, &known.source);
        }
        if let (Some(last), Some(until)) = (chain.last(), self.evidence.events_until) {
            // All events are there, so nothing has changed since.
            if current.is_none() {
                let source = last.source.clone();
                let after = last.after.clone();
                self.show(&after, until.max(last.at), u32::MAX, false, &source);
            }
        }
        if let Some((seen_at, current)) = &current {
            let source = current.id.clone();
            // What has ended stays as it was at its end.
            let at = current.ended.map_or(*seen_at, |ended| ended.min(*seen_at));
            self.show(current, at, u32::MAX - 1, false, &source);
            if current.ended.is_some() {
                self.show(current, *seen_at, u32::MAX, false, &source);
            }
        }
        self.derive(current.as_ref().map(|(_, current)| current).or(chain.last().map(|known| &known.after)));
        self.compose(rows);
    }

    /// The events of the subscription as states, each beginning with what the one before left where that is possible.
    fn chain(&mut self) -> Vec<Known> {
        let mut found: Vec<Known> = Vec::new();
        for event in self.evidence.events.values().filter(|event| of_subscription(event)) {
            if event.object.get("id").and_then(Value::as_str) != Some(self.name) {
                continue;
            }
            let Some(after) = subscription::read(&event.object, self.catalogue, &mut self.issues) else { continue };
            let first = event.kind == "customer.subscription.created";
            let last = event.kind == "customer.subscription.deleted";
            let before = event.previous.as_ref().and_then(|previous| {
                subscription::read(&event::before(&event.object, previous), self.catalogue, &mut Vec::new())
            });
            let mut at = event.created;
            if first {
                at = after.start.min(at);
            } else if let Some(ended) = after.ended.filter(|ended| last || *ended <= at) {
                at = ended.min(at);
            } else if let (Some(before), Some(end)) = (&before, after.trial_end)
                && before.status == Status::Trialing
                && after.status != Status::Trialing
                && end <= at
            {
                // The end of a trial is stated to the second; its event may come an hour later.
                at = end;
            }
            found.push(Known { at, before, after, source: event.id.clone(), first, last });
        }
        // Creation first, deletion last; within one second each begins with the state that another left.
        found.sort_by(|a, b| (!a.first, a.last, a.at, &a.source).cmp(&(!b.first, b.last, b.at, &b.source)));
        let mut ordered: Vec<Known> = Vec::with_capacity(found.len());
        while !found.is_empty() {
            let at = found[0].at;
            let tied = found.iter().take_while(|known| known.at == at && known.last == found[0].last).count();
            let fits = |known: &Known| match (ordered.last(), &known.before) {
                (Some(previous), Some(before)) => same(&previous.after, before),
                _ => true,
            };
            let next = (0..tied).find(|index| fits(&found[*index])).unwrap_or(0);
            ordered.push(found.remove(next));
        }
        ordered
    }

    /// Finds the times of which events say everything, and says where events are missing.
    fn cover(&mut self, chain: &[Known], current: Option<&(i64, Subscription)>) {
        let Some(first) = chain.first() else { return };
        if first.first {
            self.covered.push((i64::MIN, first.at));
        }
        let mut missing = false;
        for pair in chain.windows(2) {
            let [earlier, later] = pair else { continue };
            let fits = match &later.before {
                Some(before) => same(&earlier.after, before),
                // A deletion shows the subscription as it was, and ended.
                None => later.last && same_items(&earlier.after, &later.after),
            };
            if fits {
                self.covered.push((earlier.at, later.at));
            }
            missing |= !fits;
        }
        if let Some(last) = chain.last() {
            let fits = match current {
                Some((_, current)) => same(&last.after, current),
                None => self.evidence.events_until.is_some() || last.last,
            };
            if fits {
                self.covered.push((last.at, i64::MAX));
            }
            missing |= !fits && current.is_some();
        }
        if missing {
            self.issues.push(Issue::new(
                Code::EventMissing,
                self.name,
                "an event begins with another state than the last one left",
            ));
        }
    }

    fn is_covered(&self, second: i64) -> bool {
        self.covered.iter().any(|(from, to)| *from <= second && second <= *to)
    }

    /// Takes down a state in full.
    fn show(&mut self, state: &Subscription, at: i64, rank: u32, changed: bool, source: &str) {
        let confidence = Confidence::Exact;
        let source = || source.to_owned();
        let trial_end = state.trial_end.filter(|_| state.status == Status::Trialing);
        let value = (state.status, trial_end);
        self.tracks.status.push(Seen { at, rank, changed, value, confidence, source: source() });
        let value = state.cancel.clone();
        self.tracks.cancel.push(Seen { at, rank, changed, value, confidence, source: source() });
        for item in &state.items {
            self.tracks.items.entry(item.id.clone()).or_default();
        }
        for (item, seen) in &mut self.tracks.items {
            let found = state.items.iter().find(|found| found.id == *item);
            let value = found.map(|found| (found.price.clone(), found.quantity));
            seen.push(Seen { at, rank, changed, value, confidence, source: source() });
        }
        for of in self.discounts.keys() {
            let value = state.discounts.iter().any(|found| found.id == *of);
            let seen = self.tracks.discounts.entry(of.clone()).or_default();
            seen.push(Seen { at, rank, changed, value, confidence, source: source() });
        }
    }
}

/// Whether two states say the same of everything that rows state.
fn same(a: &Subscription, b: &Subscription) -> bool {
    a.status == b.status && a.cancel == b.cancel && a.trial_end == b.trial_end && same_items(a, b)
}

fn same_items(a: &Subscription, b: &Subscription) -> bool {
    let sold = |state: &Subscription| -> BTreeMap<String, Sold> {
        state.items.iter().map(|item| (item.id.clone(), (item.price.clone(), item.quantity))).collect()
    };
    let ids = |state: &Subscription| -> BTreeSet<String> {
        state.discounts.iter().map(|discount| discount.id.clone()).collect()
    };
    sold(a) == sold(b) && ids(a) == ids(b)
}

/// The lines of one invoice, or of all that waits for one.
struct Statement<'a> {
    invoice: Option<&'a Invoice>,
    /// When the period begins that it opens.
    at: i64,
    billed: Vec<Billed>,
}

impl<'a> Work<'a> {
    /// Adds to a track what follows from other objects, where events do not say everything.
    fn add<T>(&self, track: &mut Vec<Seen<T>>, seen: Seen<T>) {
        if seen.at <= self.now && !self.is_covered(seen.at) {
            track.push(seen);
        }
    }

    /// Everything that is seen of the subscription besides its own states.
    fn derive(&mut self, latest: Option<&Subscription>) {
        let statements = self.statements();
        let whole = || statements.iter().flat_map(|said| &said.billed).filter(|said| said.side == Side::Full);
        let start = latest.map(|latest| latest.start).or_else(|| whole().map(|said| said.start).min());
        let Some(start) = start else { return };
        let ended = latest.and_then(|latest| latest.ended);
        if let Some(latest) = latest {
            let mut cancel = std::mem::take(&mut self.tracks.cancel);
            let source = latest.id.clone();
            let seen = |at, value| Seen {
                at,
                rank: 1,
                changed: true,
                value,
                confidence: Confidence::Derived,
                source: source.clone(),
            };
            self.add(&mut cancel, seen(start, Cancel::default()));
            if let Some(asked) = latest.cancel.requested_at {
                self.add(&mut cancel, seen(asked, latest.cancel.clone()));
            }
            self.tracks.cancel = cancel;
        }
        self.derive_status(&statements, latest, start);
        self.derive_items(&statements, latest, start, ended);
        self.derive_discounts(&statements, start);
        for said in statements {
            self.usage.extend(said.billed.into_iter().filter(|said| said.side == Side::Usage));
        }
    }

    fn statements(&mut self) -> Vec<Statement<'a>> {
        let mut statements = Vec::new();
        for invoice in &self.invoices {
            let own: Vec<_> =
                invoice.lines.iter().filter(|line| line.subscription.as_deref() == Some(self.name)).cloned().collect();
            let billed = lines::billed(&own, self.prices);
            let begun = billed.iter().filter(|said| said.side == Side::Full).map(|said| said.start).max();
            let used = billed.iter().filter(|said| said.side == Side::Usage).map(|said| said.end).max();
            statements.push(Statement {
                invoice: Some(invoice),
                at: begun.or(used).unwrap_or(invoice.created),
                billed,
            });
        }
        let mut waiting = Vec::new();
        for (_, object) in self.evidence.pending.values() {
            let line = invoice::read_line(object, None, self.catalogue, &mut self.issues);
            waiting.extend(line.filter(|line| line.subscription.as_deref() == Some(self.name)));
        }
        statements.push(Statement { invoice: None, at: self.now, billed: lines::billed(&waiting, self.prices) });
        statements
    }

    fn derive_status(&mut self, statements: &[Statement<'_>], latest: Option<&Subscription>, start: i64) {
        let mut track = std::mem::take(&mut self.tracks.status);
        let whole = || statements.iter().flat_map(|said| &said.billed).filter(|said| said.side == Side::Full);
        let source = latest.map_or(self.name, |latest| latest.id.as_str()).to_owned();
        let seen = |at, rank, changed, status, trial_end, confidence| Seen {
            at,
            rank,
            changed,
            value: (status, trial_end),
            confidence,
            source: source.clone(),
        };
        let derived = Confidence::Derived;
        let ended = latest.and_then(|latest| latest.ended);
        let lasts = |at: i64| ended.is_none_or(|ended| at < ended);

        // How it began.
        let first = self.invoices.first().filter(|invoice| invoice.reason == "subscription_create");
        let state = latest.map(|latest| latest.status);
        let trial = match latest {
            Some(latest) => latest.trial_start.zip(latest.trial_end),
            None => whole().filter(|said| said.free).map(|said| (said.start, said.end)).min(),
        };
        let paid_late = first
            .filter(|first| first.attempts >= 2 || self.failures.contains_key(&first.id))
            .and_then(|first| first.paid.filter(|paid| *paid > first.created + 60));
        match (state, trial) {
            (Some(Status::Incomplete | Status::IncompleteExpired), _) => {
                self.add(&mut track, seen(start, 1, true, Status::Incomplete, None, derived));
                if state == Some(Status::IncompleteExpired) {
                    let expired = ended.unwrap_or(start + 23 * 3_600);
                    self.add(&mut track, seen(expired, 1, true, Status::IncompleteExpired, None, derived));
                }
            }
            (_, Some((from, to))) if from <= start => {
                self.add(&mut track, seen(start, 1, true, Status::Trialing, Some(to), derived));
                if to <= self.now && lasts(to) {
                    let paid_from = whole().filter(|said| !said.free && said.start >= to).map(|said| said.start).min();
                    let waits = match paid_from {
                        Some(paid_from) => paid_from > to + 3_600,
                        None => state == Some(Status::Paused),
                    };
                    let next = if waits { Status::Paused } else { Status::Active };
                    self.add(&mut track, seen(to, 1, true, next, None, derived));
                    if let Some(paid_from) = paid_from.filter(|_| waits) {
                        self.add(&mut track, seen(paid_from, 1, true, Status::Active, None, derived));
                    }
                }
            }
            _ => match paid_late {
                Some(paid) => {
                    self.add(&mut track, seen(start, 1, true, Status::Incomplete, None, derived));
                    self.add(&mut track, seen(paid, 1, true, Status::Active, None, derived));
                }
                None => self.add(&mut track, seen(start, 1, true, Status::Active, None, derived)),
            },
        }

        // How its invoices went.
        let mut failing: Vec<(i64, i64)> = Vec::new();
        for said in statements {
            let Some(invoice) = said.invoice.filter(|invoice| invoice.reason != "subscription_create") else {
                continue;
            };
            let failed = self.failures.get(&invoice.id);
            let Some((first_failed, last_failed)) = failed.and_then(|failed| failed.first().zip(failed.last())) else {
                if self.failures.is_empty() && invoice.attempts >= 2 {
                    // Without charges nothing says when its attempts failed, or what became of it in between.
                    let sure = if invoice.attempts < 4 { derived } else { Confidence::Assumed };
                    self.add(&mut track, seen(said.at, 2, true, Status::PastDue, None, sure));
                    failing.push((said.at, invoice.paid.unwrap_or(i64::MAX)));
                    if let Some(paid) = invoice.paid {
                        self.add(&mut track, seen(paid, 2, true, Status::Active, None, derived));
                    }
                }
                continue;
            };
            failing.push((*first_failed, invoice.paid.unwrap_or(i64::MAX)));
            self.add(&mut track, seen(*first_failed, 2, true, Status::PastDue, None, derived));
            let given_up = failed.is_some_and(|failed| failed.len() >= GIVEN_UP_AFTER);
            match invoice.paid {
                Some(paid) => {
                    if given_up {
                        self.add(&mut track, seen(*last_failed, 2, true, Status::PastDue, None, Confidence::Assumed));
                        self.issues.push(Issue::new(
                            Code::UnpaidAssumed,
                            &invoice.id,
                            "paid after the last attempt had failed",
                        ));
                    }
                    self.add(&mut track, seen(paid, 2, true, Status::Active, None, derived));
                }
                None if state == Some(Status::Unpaid) => {
                    self.add(&mut track, seen(*last_failed, 2, true, Status::Unpaid, None, derived));
                }
                None if given_up && ended.is_some_and(|ended| ended > last_failed + 3_600) => {
                    self.add(&mut track, seen(*last_failed, 2, true, Status::PastDue, None, Confidence::Assumed));
                    self.issues.push(Issue::new(
                        Code::UnpaidAssumed,
                        &invoice.id,
                        "not paid when the subscription ended",
                    ));
                }
                None => {}
            }
        }
        for said in statements {
            let Some(invoice) = said.invoice.filter(|invoice| invoice.reason != "subscription_create") else {
                continue;
            };
            let at = said.at;
            if said.billed.iter().all(|said| said.free) || failing.iter().any(|(from, to)| *from <= at && at < *to) {
                continue;
            }
            let soon = |moment: Option<i64>| moment.is_some_and(|moment| moment <= invoice.created + DAY_SECONDS);
            let held = soon(invoice.voided)
                || soon(invoice.uncollectible) && invoice.attempts == 0
                || invoice.status == "draft" && !invoice.auto_advance && invoice.created + DAY_SECONDS < self.now;
            let status = if held { Status::Paused } else { Status::Active };
            if said.billed.iter().any(|said| said.side == Side::Full || said.side == Side::Usage) && lasts(at) {
                self.add(&mut track, seen(at, 1, false, status, None, derived));
            }
        }

        // How it ended.
        if let Some(ended) = ended {
            if state != Some(Status::IncompleteExpired) {
                self.add(&mut track, seen(ended, 3, true, Status::Canceled, None, derived));
            }
        } else if latest.is_none()
            && let Some(end) = whole().map(|said| said.end).max()
            && end + DAY_SECONDS < self.now
        {
            self.add(&mut track, seen(end, 3, false, Status::Canceled, None, Confidence::Assumed));
            self.add(&mut track, seen(self.now, 3, false, Status::Canceled, None, Confidence::Assumed));
            self.issues.push(Issue::new(Code::EndAssumed, self.name, "nothing was billed after it"));
        }
        self.tracks.status = track;
    }

    fn derive_items(
        &mut self,
        statements: &[Statement<'_>],
        latest: Option<&Subscription>,
        start: i64,
        ended: Option<i64>,
    ) {
        let mut said: BTreeMap<&str, Vec<&Billed>> = BTreeMap::new();
        for billed in statements.iter().flat_map(|said| &said.billed).filter(|said| said.side != Side::Usage) {
            said.entry(&billed.item).or_default().push(billed);
        }
        let phases = self.phases();
        // Where any period of the subscription ended, others begin without a change.
        let turns: BTreeSet<i64> = said.values().flatten().map(|said| said.end).collect();
        let current: BTreeMap<&str, &subscription::Item> =
            latest.map(|latest| latest.items.iter().map(|item| (item.id.as_str(), item)).collect()).unwrap_or_default();
        let names: BTreeSet<&str> = said.keys().chain(current.keys()).copied().collect();
        for name in names {
            let mut track = self.tracks.items.remove(name).unwrap_or_default();
            let own = said.get(name).map_or(&[][..], Vec::as_slice);
            let whole = || own.iter().filter(|said| said.side == Side::Full);
            let ends: BTreeSet<i64> = whole().map(|said| said.end).collect();
            let seen = |at, rank, changed, value, confidence, source: &str| Seen {
                at,
                rank,
                changed,
                value,
                confidence,
                source: source.to_owned(),
            };
            let mut found: Vec<Seen<Option<Sold>>> = Vec::new();
            for said in own {
                let sold = Some((said.price.clone(), said.quantity));
                let sure = if said.fits { Confidence::Derived } else { Confidence::Assumed };
                match said.side {
                    Side::Full => {
                        // A period that does not begin where another ended began with a change.
                        let scheduled = phases.contains(&(said.start, said.price.id.clone(), said.quantity));
                        let changed = !turns.contains(&said.start) || scheduled || said.start == start;
                        found.push(seen(said.start, 3, changed, sold, sure, &said.source));
                    }
                    Side::Credit => {
                        found.push(seen(said.start, 1, false, sold, sure, &said.source));
                        let goes_on = said.replaced
                            || own.iter().any(|other| other.start == said.start && other.side == Side::Full);
                        if !goes_on && ended.is_none_or(|ended| said.start < ended) {
                            found.push(seen(said.start, 2, true, None, Confidence::Derived, &said.source));
                        }
                    }
                    Side::Debit => found.push(seen(said.start, 2, true, sold, sure, &said.source)),
                    Side::Usage => {}
                }
            }
            found.sort_by_key(|seen| (seen.at, seen.rank));
            let is_current = current.get(name);
            if is_current.is_none()
                && let Some(end) = ends.last()
                && ended.is_none_or(|ended| *end < ended)
            {
                found.push(seen(*end, 0, false, None, Confidence::Derived, self.name));
            }
            // Whether it was there before it was first billed.
            if let Some(item) = is_current {
                let created = item.created.filter(|created| latest.is_none_or(|latest| *created > latest.created + 60));
                let begun = created.unwrap_or(start);
                let value = found
                    .first()
                    .map_or_else(|| Some((item.price.clone(), item.quantity)), |first| first.value.clone());
                if found.first().is_none_or(|first| first.at >= begun) {
                    found.push(seen(begun, 0, true, value, Confidence::Assumed, name));
                }
            } else if let Some(first) = found.first().map(|first| first.at).filter(|first| *first > start) {
                let others = statements.iter().filter(|said| said.at < first && said.invoice.is_some());
                if let Some(before) = others.map(|said| said.at).max() {
                    found.push(seen(before, 0, false, None, Confidence::Derived, self.name));
                }
            }
            for seen in found {
                self.add(&mut track, seen);
            }
            self.tracks.items.insert(name.to_owned(), track);
        }
    }

    /// What the phases of schedules changed, and when: the price, the quantity and the second.
    fn phases(&self) -> BTreeSet<(i64, String, i64)> {
        let mut found = BTreeSet::new();
        for (_, schedule) in self.evidence.schedules.values() {
            let of = id(schedule, "subscription").or_else(|| id(schedule, "released_subscription"));
            if of != Some(self.name) {
                continue;
            }
            // With the first phase nothing changed: it is what was there when the schedule was made.
            for phase in members(schedule, "phases").iter().skip(1) {
                let Some(start) = integer(phase, "start_date") else { continue };
                for item in members(phase, "items") {
                    let price = id(item, "price").or_else(|| id(item, "plan")).unwrap_or_default();
                    found.insert((start, price.to_owned(), integer(item, "quantity").unwrap_or(1)));
                }
            }
        }
        found
    }

    fn derive_discounts(&mut self, statements: &[Statement<'_>], start: i64) {
        let mut tracks = std::mem::take(&mut self.tracks.discounts);
        for discount in self.discounts.values() {
            let track = tracks.entry(discount.id.clone()).or_default();
            let seen = |at, rank, changed, value| Seen {
                at,
                rank,
                changed,
                value,
                confidence: Confidence::Derived,
                source: discount.id.clone(),
            };
            self.add(track, seen(start, 0, true, false));
            let begun = discount.start.max(start);
            self.add(track, seen(begun, 1, true, true));
            for said in statements {
                let Some(invoice) = said.invoice.filter(|_| said.at > begun) else { continue };
                let mut whole = said.billed.iter().filter(|said| said.side == Side::Full).peekable();
                if whole.peek().is_none() || said.billed.iter().all(|said| said.free) {
                    continue;
                }
                let named = match &discount.scope {
                    Scope::Item(item) => {
                        let Some(billed) = whole.find(|said| said.item == *item) else { continue };
                        billed.discounts.contains(&discount.id)
                    }
                    Scope::Subscription | Scope::Customer => {
                        // A proration on it may name what was there when its change was made.
                        invoice.discount_ids.contains(&discount.id)
                            || whole.any(|said| said.discounts.contains(&discount.id))
                    }
                };
                self.add(track, seen(said.at, 2, false, named));
            }
            // What a discount says of its end is heeded where rows are made.
        }
        self.tracks.discounts = tracks;
    }

    /// Makes rows of the tracks.
    fn compose(&mut self, rows: &mut Vec<Row>) {
        let status = Track::of(std::mem::take(&mut self.tracks.status), |(status, _)| !pays(*status));
        let cancel = Track::of(std::mem::take(&mut self.tracks.cancel), |_| false);
        let items: BTreeMap<String, Track<Option<Sold>>> = std::mem::take(&mut self.tracks.items)
            .into_iter()
            .map(|(item, seen)| (item, Track::of(seen, Option::is_none)))
            .collect();
        let discounts: BTreeMap<String, Track<bool>> = std::mem::take(&mut self.tracks.discounts)
            .into_iter()
            .map(|(of, seen)| (of, Track::of(seen, |_| false)))
            .collect();

        let mut undated: BTreeSet<(i64, i64, &str)> =
            status.undated().map(|(from, to)| (from, to, "its state")).collect();
        undated.extend(items.values().flat_map(|track| track.undated().map(|(from, to)| (from, to, "its items"))));
        undated
            .extend(discounts.values().flat_map(|track| track.undated().map(|(from, to)| (from, to, "its discounts"))));
        for (from, to, what) in undated {
            let words = format!("{what} changed between {} and {}", moment(from), moment(to));
            self.issues.push(Issue { between: Some((from, to)), ..Issue::new(Code::ChangeUndated, self.name, words) });
        }

        let mut cuts: BTreeSet<i64> = status.cuts().chain(cancel.cuts()).collect();
        cuts.extend(items.values().flat_map(Track::cuts));
        cuts.extend(discounts.values().flat_map(Track::cuts));
        cuts.extend(self.discounts.values().filter_map(|discount| discount.end));
        let mut open: BTreeMap<&str, Row> = BTreeMap::new();
        let mut unsure_until: BTreeMap<&str, i64> = BTreeMap::new();
        while let Some(cut) = cuts.pop_first().filter(|cut| *cut <= self.now) {
            let mut standing = self.standing(cut, &status, &cancel, &items, &discounts);
            for item in items.keys() {
                let mut found = standing.remove(item.as_str());
                // Who was worth nothing until an assumed time begins to be worth something at an assumed time: the mark
                // stands on the first day, as there is no span before it that could carry one.
                if let (Some(row), Some((stands, ..))) = (open.get(item.as_str()), &found)
                    && row.confidence == Confidence::Assumed
                    && row.standing.is_free()
                    && !stands.is_free()
                {
                    unsure_until.insert(item.as_str(), cut + DAY_SECONDS);
                    cuts.insert(cut + DAY_SECONDS);
                }
                if let (Some((_, confidence, _)), Some(until)) = (&mut found, unsure_until.get(item.as_str()))
                    && cut < *until
                {
                    *confidence = Confidence::Assumed;
                }
                let goes_on = match (open.get(item.as_str()), &found) {
                    (Some(row), Some((stands, confidence, _))) => {
                        row.standing == *stands && row.confidence == *confidence
                    }
                    (None, None) => true,
                    _ => false,
                };
                if goes_on {
                    continue;
                }
                if let Some(mut row) = open.remove(item.as_str()) {
                    row.end = Some(cut);
                    rows.push(row);
                }
                if let Some((stands, confidence, source)) = found {
                    let row = Row {
                        customer: self.customer.clone(),
                        subscription: self.name.to_owned(),
                        item: item.clone(),
                        standing: stands,
                        start: cut,
                        end: None,
                        confidence,
                        source,
                    };
                    open.insert(item.as_str(), row);
                }
            }
        }
        rows.extend(open.into_values());

        let ended = status.steps.iter().find(|step| step.value.0 == Status::Canceled).map(|step| step.from);
        for used in std::mem::take(&mut self.usage) {
            let standing = Standing {
                price: used.price,
                quantity: used.quantity,
                discount: None,
                discount_end: None,
                status: Status::Active,
                trial_end: None,
                cancel_at: ended.filter(|ended| *ended <= used.end),
                cancel_requested_at: None,
                cancel_reason: None,
            };
            rows.push(Row {
                customer: self.customer.clone(),
                subscription: self.name.to_owned(),
                item: used.item,
                standing,
                start: used.start,
                end: Some(used.end),
                confidence: if used.fits { Confidence::Derived } else { Confidence::Assumed },
                source: used.source,
            });
        }
        rows.sort_by(|a, b| (&a.subscription, &a.item, a.start).cmp(&(&b.subscription, &b.item, b.start)));
        rows.retain(|row| row.end.is_none_or(|end| end > row.start));
    }

    /// What each item is at a second.
    fn standing<'t>(
        &mut self,
        second: i64,
        status: &Track<(Status, Option<i64>)>,
        cancel: &Track<Cancel>,
        items: &'t BTreeMap<String, Track<Option<Sold>>>,
        discounts: &BTreeMap<String, Track<bool>>,
    ) -> BTreeMap<&'t str, (Standing, Confidence, String)> {
        let Some((state, mut sure)) = status.at(second) else { return BTreeMap::new() };
        let (state_now, trial_end) = state.value;
        let cancel = cancel.at(second);
        let mut newest = (state.from, state.source.clone());
        if let Some((step, cancel_sure)) = &cancel {
            sure = sure.max(*cancel_sure);
            if step.from > newest.0 {
                newest = (step.from, step.source.clone());
            }
        }
        let mut held: Vec<&Discount> = Vec::new();
        for discount in self.discounts.values() {
            let Some((step, discount_sure)) = discounts.get(&discount.id).and_then(|track| track.at(second)) else {
                continue;
            };
            let over = discount.end.is_some_and(|end| end <= second);
            if !over && discount.coupon.duration != DiscountDuration::Once {
                sure = sure.max(discount_sure);
            }
            if step.value && !over {
                held.push(discount);
            }
        }
        held.sort_by_key(|discount| (discount.start, &discount.id));

        let mut there = Vec::new();
        for (item, track) in items {
            let Some((step, item_sure)) = track.at(second) else { continue };
            let Some((price, quantity)) = step.value.as_ref() else { continue };
            if !price.metered {
                there.push((item, price, *quantity, item_sure, step));
            }
        }
        let parts: Vec<Part<'_>> = there
            .iter()
            .map(|(item, price, quantity, ..)| Part {
                item,
                product: &price.product,
                gross_picos: price.billed_picos(*quantity).unwrap_or(0),
                currency: price.currency,
                rhythm: (price.interval, price.interval_count),
            })
            .collect();
        let taken = stack(&parts, &held, self.name, &mut self.issues);
        // An amount off is shared out, so each item is as sure as all of them.
        let shared = held.iter().any(|discount| discount.coupon.amount.is_some());
        let least = there.iter().map(|(.., sure, _)| *sure).max().unwrap_or(Confidence::Exact);

        let mut standing = BTreeMap::new();
        for ((item, price, quantity, item_sure, step), taken) in there.into_iter().zip(taken) {
            let source = if step.from > newest.0 { step.source.clone() } else { newest.1.clone() };
            let cancel = cancel.as_ref().map(|(step, _)| step.value.clone()).unwrap_or_default();
            let stands = Standing {
                price: price.clone(),
                quantity,
                discount: taken.map(|(discount, _)| discount),
                discount_end: taken.and_then(|(_, end)| end),
                status: state_now,
                trial_end,
                cancel_at: cancel.at,
                cancel_requested_at: cancel.at.and(cancel.requested_at),
                cancel_reason: cancel.reason,
            };
            let item_sure = if shared { least.max(item_sure) } else { item_sure };
            standing.insert(item.as_str(), (stands, sure.max(item_sure), source));
        }
        standing
    }
}

impl History {
    /// The trials among the rows as facts of the kind `trials`, with when they turned into paying.
    #[must_use]
    pub fn trials(&self) -> Vec<Fact> {
        let mut found: BTreeMap<&str, Fact> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.standing.status == Status::Trialing) {
            let next = self.rows.iter().find(|next| {
                next.subscription == row.subscription && next.item == row.item && Some(next.start) == row.end
            });
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
