//! What follows of a subscription from invoices, charges, schedules and the times that objects state of themselves.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{fact::Status, timeline::Confidence};

use super::{DAY_SECONDS, Sold, Work};
use crate::{
    discount::Scope,
    field::{id, integer, members},
    gist::Gist,
    invoice::{self, Invoice},
    issue::{Code, Issue},
    lines::{self, Billed, Side},
    subscription::{self, Cancel, Subscription},
    track::Seen,
};

/// Failed attempts after which an invoice that is paid all the same was not paid by an attempt of Stripe's: the first one
/// and three more, the usual setting.
const GIVEN_UP_AFTER: usize = 4;

/// The lines of one invoice, or of all that waits for one.
pub(super) struct Statement<'a> {
    invoice: Option<&'a Invoice>,
    /// When the period begins that it opens.
    at: i64,
    billed: Vec<Billed>,
    /// Changes of which nothing is known but that they were.
    hidden: Vec<(String, i64, i64)>,
}

impl Statement<'_> {
    /// The items that it names.
    pub(super) fn items(&self) -> impl Iterator<Item = &str> {
        let hidden = self.hidden.iter().map(|(item, ..)| item.as_str());
        self.billed.iter().map(|said| said.item.as_str()).chain(hidden)
    }
}

impl<'a> Work<'a> {
    /// Adds to a track what follows from other objects, where events do not say everything.
    fn add<T>(&self, track: &mut Vec<Seen<T>>, seen: Seen<T>) {
        if seen.at <= self.now && !self.is_covered(seen.at) {
            track.push(seen);
        }
    }

    /// Everything that is seen of the subscription besides its own states.
    pub(super) fn derive(&mut self, statements: Vec<Statement<'a>>, latest: Option<&Subscription>) {
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

    /// What invoices, and lines that wait for one, say of the subscription.
    pub(super) fn statements(&mut self) -> Vec<Statement<'a>> {
        let mut statements = Vec::new();
        for invoice in &self.invoices {
            let own: Vec<_> =
                invoice.lines.iter().filter(|line| line.subscription.as_deref() == Some(self.name)).cloned().collect();
            let billed = lines::billed(&own, self.prices, Some(invoice.created));
            let begun = billed.iter().filter(|said| said.side == Side::Full).map(|said| said.start).max();
            let used = billed.iter().filter(|said| said.side == Side::Usage).map(|said| said.end).max();
            statements.push(Statement {
                invoice: Some(invoice),
                at: begun.or(used).unwrap_or(invoice.created),
                hidden: lines::hidden(&own, &billed),
                billed,
            });
        }
        let mut waiting = Vec::new();
        for (_, object) in self.evidence.pending.values() {
            let line = invoice::read_line(object, None, self.catalogue, &mut self.issues);
            waiting.extend(line.filter(|line| line.subscription.as_deref() == Some(self.name)));
        }
        let billed = lines::billed(&waiting, self.prices, None);
        statements.push(Statement { invoice: None, at: self.now, hidden: lines::hidden(&waiting, &billed), billed });
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
        let mut unclear: Vec<(i64, i64)> = Vec::new();
        for said in statements {
            let Some(invoice) = said.invoice.filter(|invoice| invoice.reason != "subscription_create") else {
                continue;
            };
            let failed = self.failures.get(&invoice.id);
            let Some((first_failed, last_failed)) = failed.and_then(|failed| failed.first().zip(failed.last())) else {
                if self.failures.is_empty() && invoice.attempts >= 2 {
                    // Without charges nothing says when its attempts failed, or what became of it in between.
                    let sure = if invoice.attempts < 4 { derived } else { Confidence::Assumed };
                    // Who is asked to pay is not paused: where that was the last that was seen, it ended undated before.
                    if !is_within(&failing, said.at) {
                        self.add(&mut track, seen(said.at, 1, false, Status::Active, None, derived));
                    }
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
            if state == Some(Status::Unpaid) && invoice.paid.is_none() {
                self.add(&mut track, seen(*last_failed, 2, true, Status::Unpaid, None, derived));
            } else if given_up {
                let until = invoice.paid.or(ended).unwrap_or(self.now);
                // Where events say everything, nothing had to be assumed.
                if until > last_failed + 3_600 && !self.is_covered(*last_failed) {
                    self.add(&mut track, seen(*last_failed, 2, true, Status::PastDue, None, Confidence::Assumed));
                    unclear.push((*last_failed, until));
                    let words = "the subscription went on after the last attempt had failed";
                    self.issues.push(Issue::new(Code::UnpaidAssumed, &invoice.id, words));
                }
            }
            if let Some(paid) = invoice.paid {
                self.add(&mut track, seen(paid, 2, true, Status::Active, None, derived));
            }
        }
        // What other invoices show meanwhile is no surer.
        for seen in track.iter_mut().filter(|seen| seen.confidence == derived) {
            if is_within(&unclear, seen.at) {
                seen.confidence = Confidence::Assumed;
            }
        }
        for said in statements {
            let Some(invoice) = said.invoice.filter(|invoice| invoice.reason != "subscription_create") else {
                continue;
            };
            let at = said.at;
            if said.billed.iter().all(|said| said.free) || is_within(&failing, at) {
                continue;
            }
            let soon = |moment: Option<i64>| moment.is_some_and(|moment| moment <= invoice.created + DAY_SECONDS);
            let held = soon(invoice.voided)
                || soon(invoice.uncollectible) && invoice.attempts == 0
                || invoice.status == "draft" && !invoice.auto_advance;
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
        for (item, from, to) in statements.iter().flat_map(|said| &said.hidden) {
            if !said.contains_key(item.as_str()) {
                // It came and went between two invoices, at a price that nothing else shows.
                let between = Some((*from, *to));
                let issue = Issue::new(Code::ChangeUndated, self.name, format!("what item {item} cost is not known"));
                self.issues.push(Issue { between, ..issue });
            }
        }
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
            // What came of a change of unknown sides is taken to be what was before, and marked.
            let hidden = statements.iter().flat_map(|said| &said.hidden).filter(|(item, ..)| item == name);
            for at in hidden.map(|(_, at, _)| *at).collect::<BTreeSet<i64>>() {
                let before =
                    found.iter().rev().find(|seen| (seen.at, seen.rank) < (at, 2)).map(|seen| seen.value.clone());
                if let Some(value) = before {
                    found.push(seen(at, 1, true, value, Confidence::Assumed, self.name));
                    found.sort_by_key(|seen| (seen.at, seen.rank));
                } else if let Some(first) = found.first_mut() {
                    // It was there at a price that nothing shows: what is seen first is no beginning.
                    first.confidence = Confidence::Assumed;
                    let between = Some((at, first.at));
                    let issue =
                        Issue::new(Code::ChangeUndated, self.name, format!("what item {name} cost is not known"));
                    self.issues.push(Issue { between, ..issue });
                }
            }
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
                let whole = |said: &&Statement<'_>| said.billed.iter().any(|said| said.side == Side::Full);
                let others = statements.iter().filter(|said| said.at < first).filter(whole);
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
            if discount.scope == Scope::Customer {
                // Events of a subscription say nothing of it: its own times and deletion do, and else it goes on.
                let taken = self.evidence.events.values().find(|event| {
                    event.kind == "customer.discount.deleted"
                        && event.object.get("id").and_then(Gist::as_str) == Some(&discount.id)
                });
                track.push(seen(start, 0, true, false));
                track.push(seen(begun, 1, true, true));
                track.extend(taken.map(|event| seen(event.created, 1, true, false)));
                track.push(seen(self.now, 0, false, taken.is_none()));
            }
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
}

/// Whether a second lies within one of some times.
fn is_within(times: &[(i64, i64)], second: i64) -> bool {
    times.iter().any(|(from, to)| *from <= second && second < *to)
}
