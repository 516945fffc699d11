//! The second, slow implementation of the method, which judges the fast one (law 4).
//!
//! It is written from the rules alone and shares no code with [`crate::timeline`] and [`crate::movement`]: for each
//! customer and each tick it looks through all the rows, says from the definitions what every subscription item is
//! worth at the end of the tick, compares that with the tick before, and names what happened. There are no spans, no
//! changes to sort and no running sums that could go wrong in the same way twice.
//!
//! Its time grows with days × rows, so a large company is judged by shares of its customers. It says what moved,
//! not why: cause, reason, confidence and the fact behind a movement are not judged.
//!
//! [`position`] does the same for revenue recognition (law 8): it posts each day of an invoice line's life by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    calendar::{Day, Grain},
    fact::{NEVER, Recorded, Row, Status, Terms, Tick},
    fx::MissingRate,
    law::{ANOTHER_MOVEMENT, Breach, MOVEMENT, NO_MOVEMENT, Seen},
    ledger::Ledger,
    movement::{Context, Kind, MovementError},
    policy::{Cancellation, Discounts, Exchange, Metered, Policy, Recognition},
    price::{DiscountDuration, Interval, Price, Pricing},
    recognition::{Change, ChangeKind, Line, Position},
};

/// One row of the ledger, as far as it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Index of the customer.
    pub customer: u32,
    /// The business day, as days since 1970-01-01.
    pub day: i32,
    /// Index of the subscription item.
    pub subscription: u32,
    /// Index of the offer.
    pub offer: u32,
    /// What happened to the customer.
    pub kind: Kind,
    /// What it adds to MRR, in micro-units of the reporting currency.
    pub delta_micros: i64,
}

/// What the evaluator found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// The movements, by customer and in order of time; what happened together in order of subscription and offer.
    pub entries: Vec<Entry>,
    /// Customers whose movements could not be made, and why. They have no entries.
    pub errors: Vec<(u32, MovementError)>,
}

/// The ledger of the customers of `rows`, which may come in any order and any number of times.
#[must_use]
pub fn ledger(rows: &[Row], recorded: &Recorded, context: &Context<'_>) -> Evaluation {
    let worth: Vec<TermsWorth> = context.terms.iter().map(|terms| TermsWorth::of(terms, context.policy)).collect();
    let mut customers: BTreeMap<u32, BTreeMap<u32, Vec<Row>>> = BTreeMap::new();
    for row in versions_that_hold(rows, recorded, context.terms) {
        customers.entry(row.customer).or_default().entry(row.subscription).or_default().push(row);
    }
    let mut evaluation = Evaluation::default();
    for (customer, items) in &mut customers {
        for item in items.values_mut() {
            item.sort_by_key(|row| (row.start, row.start_offset));
        }
        match (History { context, worth: &worth, items }).entries(*customer) {
            Ok(entries) => evaluation.entries.extend(entries),
            Err(error) => evaluation.errors.push((*customer, error)),
        }
    }
    evaluation
}

/// Law 4: the kernel's ledger says what the evaluator says. The first difference of each customer is shown.
#[must_use]
pub fn agrees(ledger: &Ledger, evaluation: &Evaluation) -> Vec<Breach> {
    let mut expected: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for entry in &evaluation.entries {
        expected.entry(entry.customer).or_default().push(*entry);
    }
    let mut breaches = Vec::new();
    let known = expected.keys().copied().max().map_or(0, |last| last as usize + 1);
    for customer in 0..ledger.customers().max(known) {
        let Ok(customer) = u32::try_from(customer) else { break };
        let none = Vec::new();
        let wanted = expected.get(&customer).unwrap_or(&none);
        let found: Vec<Entry> = ledger
            .of_customer(customer as usize)
            .filter_map(|row| ledger.movement(row))
            .map(|movement| Entry {
                customer,
                day: movement.day,
                subscription: movement.subscription,
                offer: movement.offer,
                kind: movement.kind,
                delta_micros: movement.delta_micros,
            })
            .collect();
        if let Some(index) = (0..wanted.len().max(found.len())).find(|index| wanted.get(*index) != found.get(*index)) {
            let seen = |entry: Option<&Entry>| match entry {
                None => Seen::of(NO_MOVEMENT, []),
                Some(entry) => Seen::of(
                    MOVEMENT,
                    [
                        ("kind", &entry.kind.name()),
                        ("micros", &entry.delta_micros),
                        ("day", &Day(entry.day)),
                        ("subscription", &entry.subscription),
                        ("offer", &entry.offer),
                    ],
                ),
            };
            let differs = Seen::of(ANOTHER_MOVEMENT, [("number", &index)]);
            let differs = differs.with("found", seen(found.get(index))).with("wanted", seen(wanted.get(index)));
            breaches.push(Breach { law: 4, customer: Some(customer), seen: differs });
        }
    }
    breaches
}

/// Of all that was recorded about a row (a subscription item from one start on), what the latest import says; of two
/// contents from one import the greater one, as nothing says which is meant. What a source took back is gone.
fn versions_that_hold(rows: &[Row], recorded: &Recorded, terms: &[Terms]) -> Vec<Row> {
    let mut keys: BTreeMap<(u32, u32, Tick, u32), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        keys.entry((row.customer, row.subscription, row.start, row.start_offset)).or_default().push(row);
    }
    let stated = |row: &Row| terms.get(row.terms as usize);
    let is_withdrawn = |row: &Row| stated(row).is_some_and(|stated| stated.status == Status::Withdrawn);
    let content = |row: &Row| (stated(row), row.end, row.trial_end, row.cancel_at, row.cancel_requested_at);
    let mut holding = Vec::new();
    for versions in keys.values() {
        let newest = versions.iter().max_by_key(|row| (recorded.import_of(row.fact), content(row)));
        if let Some(row) = newest.filter(|row| !is_withdrawn(row)) {
            holding.push(**row);
        }
    }
    holding
}

/// What terms are worth a month while their discount lasts and after it, in micro-units of their currency; `None`
/// when that does not fit.
struct TermsWorth {
    discounted: Option<i64>,
    full: Option<i64>,
}

impl TermsWorth {
    fn of(terms: &Terms, policy: &Policy) -> Self {
        Self { discounted: monthly(&terms.price, policy, true), full: monthly(&terms.price, policy, false) }
    }
}

/// One customer's rows: for each subscription item those that hold, in order of start.
struct History<'a> {
    context: &'a Context<'a>,
    worth: &'a [TermsWorth],
    items: &'a BTreeMap<u32, Vec<Row>>,
}

/// What a subscription item is worth at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    offer: u32,
    native_micros: i64,
}

/// A part with its value in the reporting currency, which is carried from tick to tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    part: Part,
    value_micros: i64,
}

/// Changes that are taken together, begun by the first of them.
struct Window {
    opened: Tick,
    before: BTreeMap<(u32, u32), i64>,
    revalued: BTreeMap<(u32, u32), i128>,
}

/// What is remembered of a customer's past.
#[derive(Default)]
struct Past {
    ever_paid: bool,
    left_on: Option<i32>,
}

impl History<'_> {
    fn entries(&self, customer: u32) -> Result<Vec<Entry>, MovementError> {
        let mut entries = Vec::new();
        let mut held: BTreeMap<u32, Held> = BTreeMap::new();
        let mut past = Past::default();
        let mut window: Option<Window> = None;
        for tick in self.ticks_to_judge() {
            if let Some(open) = window.take_if(|open| tick > open.opened.saturating_add(self.context.ticks.settle())) {
                self.close(customer, &open, &held, &mut past, &mut entries)?;
            }
            let before: BTreeMap<(u32, u32), i64> =
                held.iter().map(|(item, held)| ((*item, held.part.offer), held.value_micros)).collect();
            let mut revalued: BTreeMap<(u32, u32), i128> = BTreeMap::new();
            let mut changed = false;
            for (item, rows) in self.items {
                let part = self.part_at(rows, tick)?;
                let old = held.get(item).copied();
                let (now, difference) = self.carried(old, part, tick)?;
                changed |= old.map(|held| held.part) != part || difference != 0;
                if let Some(old) = old.filter(|_| difference != 0) {
                    *revalued.entry((*item, old.part.offer)).or_default() += i128::from(difference);
                }
                match now {
                    Some(now) => held.insert(*item, now),
                    None => held.remove(item),
                };
            }
            if changed {
                let open = window.get_or_insert_with(|| Window { opened: tick, before, revalued: BTreeMap::new() });
                for (part, difference) in revalued {
                    *open.revalued.entry(part).or_default() += difference;
                }
            }
        }
        if let Some(open) = window {
            self.close(customer, &open, &held, &mut past, &mut entries)?;
        }
        Ok(entries)
    }

    /// Every tick at which something could be different from the tick before: all days from the first to the last
    /// that a row names. Minutes are too many to go through, so there it is every minute that follows from a row.
    fn ticks_to_judge(&self) -> Vec<Tick> {
        let ticks = self.context.ticks;
        let mut named = BTreeSet::new();
        for rows in self.items.values() {
            for (index, row) in rows.iter().enumerate() {
                named.extend([row.start, row.end, row.trial_end, row.cancel_at, row.cancel_requested_at]);
                named.insert(self.discount_end(row));
                if let Some(days) = self.context.policy.past_due_drop_days {
                    named.insert(ticks.plus_days(row.start, days));
                }
                let billed_until = self.effective_end(rows, index);
                if billed_until != NEVER {
                    named.insert(billed_until.saturating_add(billed_until.saturating_sub(row.start).max(0)));
                }
            }
        }
        named.retain(|tick| *tick != Tick::MIN && *tick != NEVER);
        let (Some(first), Some(last)) = (named.first().copied(), named.last().copied()) else { return Vec::new() };
        let revalues = self.context.policy.exchange == Exchange::Revalue;
        let last = if revalues { last.max(self.context.revalue_until) } else { last };
        if ticks.settle() == 0 {
            return (first..=last).collect();
        }
        if revalues {
            let mut month_end = ticks.day(first).first_of(Grain::Month).next_of(Grain::Month).plus_days(-1);
            while ticks.of_day(month_end) <= last {
                named.insert(ticks.of_day(month_end));
                month_end = month_end.plus_days(1).next_of(Grain::Month).plus_days(-1);
            }
        }
        named.into_iter().collect()
    }

    fn terms_of(&self, row: &Row) -> Option<&Terms> {
        self.context.terms.get(row.terms as usize)
    }

    fn status_of(&self, row: &Row) -> Option<Status> {
        self.terms_of(row).map(|terms| terms.status)
    }

    fn worth_of(&self, row: &Row) -> Result<(i64, i64), MovementError> {
        let worth = self.worth.get(row.terms as usize);
        let fitting = worth.and_then(|worth| Some((worth.discounted?, worth.full?)));
        fitting.ok_or(MovementError::TooLarge)
    }

    /// What a subscription item is at the end of a tick, if it counts.
    fn part_at(&self, rows: &[Row], tick: Tick) -> Result<Option<Part>, MovementError> {
        // Of rows that claim the same time the one that starts last is meant, also after it has ended.
        let Some(index) = rows.iter().rposition(|row| row.start <= tick) else { return Ok(None) };
        let row = &rows[index];
        let Some(terms) = self.terms_of(row) else { return Ok(None) };
        if let Some(native_micros) = self.usage_at(rows, tick)? {
            let closed = (0..=index).rev().find(|index| self.is_billed_period(rows, *index, tick));
            let offer = closed.and_then(|closed| self.terms_of(&rows[closed])).map_or(terms.offer, |terms| terms.offer);
            return Ok(Some(Part { offer, native_micros }));
        }
        let counts = !terms.metered
            && terms.price.interval != Interval::OneOff
            && self.pays(rows, index)
            && tick < self.effective_end(rows, index)
            && !self.on_trial(row, tick);
        if !counts {
            return Ok(None);
        }
        let (discounted, full) = self.worth_of(row)?;
        let native_micros = if tick < self.discount_end(row) { discounted } else { full };
        let is_there = native_micros > 0 || self.context.policy.free_is_customer;
        Ok(is_there.then_some(Part { offer: terms.offer, native_micros }))
    }

    /// Whether the state that a row states is one that counts.
    fn pays(&self, rows: &[Row], index: usize) -> bool {
        match self.status_of(&rows[index]) {
            Some(Status::Active | Status::Trialing | Status::PastDue) => true,
            Some(Status::Unpaid) => self.context.policy.unpaid_keeps,
            Some(Status::Paused) => self.context.policy.paused_keeps,
            _ => false,
        }
    }

    /// The first tick at which a row no longer counts: its end, the row after it, a cancellation, or the days that
    /// an overdue subscription is given, whichever is first.
    fn effective_end(&self, rows: &[Row], index: usize) -> Tick {
        let row = &rows[index];
        let next = rows.get(index + 1).map_or(NEVER, |next| next.start);
        row.end.min(next).min(self.given_up_at(rows, index))
    }

    /// When a row stops counting although it still holds: it was cancelled or is too long overdue.
    fn given_up_at(&self, rows: &[Row], index: usize) -> Tick {
        let row = &rows[index];
        let overdue = match (self.status_of(row), self.context.policy.past_due_drop_days) {
            (Some(Status::PastDue), Some(days)) => {
                let mut first = index;
                while first > 0
                    && self.status_of(&rows[first - 1]) == Some(Status::PastDue)
                    && rows[first - 1].end >= rows[first].start
                {
                    first -= 1;
                }
                self.context.ticks.plus_days(rows[first].start, days)
            }
            _ => NEVER,
        };
        let asked = match self.context.policy.cancellation {
            Cancellation::WhenAsked if row.cancel_at != NEVER => asked_for_at(rows, index),
            _ => NEVER,
        };
        overdue.min(row.cancel_at).min(asked)
    }

    /// Whether a row's time is still to be paid for at a tick.
    fn on_trial(&self, row: &Row, tick: Tick) -> bool {
        if self.context.policy.trial_counts {
            return false;
        }
        match self.status_of(row) {
            Some(Status::Trialing) => row.trial_end == Tick::MIN || tick < row.trial_end,
            Some(Status::Active) => tick < row.trial_end,
            _ => false,
        }
    }

    /// The tick from which a row's discount is over.
    fn discount_end(&self, row: &Row) -> Tick {
        let Some(terms) = self.terms_of(row) else { return NEVER };
        match terms.price.discount.map(|discount| discount.duration) {
            None => NEVER,
            Some(DiscountDuration::Months(months)) => {
                let first = self.context.ticks.day(row.start);
                let days = u32::try_from(first.plus_months(months).0 - first.0).unwrap_or(0);
                self.context.ticks.plus_days(row.start, days).min(terms.discount_end)
            }
            Some(_) => terms.discount_end,
        }
    }

    /// Whether a row states usage of a paid time, over or not.
    fn is_usage(&self, rows: &[Row], index: usize) -> bool {
        let row = &rows[index];
        self.terms_of(row).is_some_and(|terms| terms.metered)
            && self.pays(rows, index)
            && !self.on_trial(row, row.start)
            && self.effective_end(rows, index) > row.start
    }

    /// Whether a row is a billed period of usage that is over at a tick.
    fn is_billed_period(&self, rows: &[Row], index: usize, tick: Tick) -> bool {
        let end = self.effective_end(rows, index);
        self.is_usage(rows, index) && end != NEVER && end <= tick
    }

    /// What usage counts at a tick: the mean of the last so many billed periods, while the period after them runs,
    /// or for as long as the last of them where no next one is known.
    fn usage_at(&self, rows: &[Row], tick: Tick) -> Result<Option<i64>, MovementError> {
        let Metered::MeanOfPeriods(periods) = self.context.policy.metered else { return Ok(None) };
        let billed: Vec<usize> = (0..rows.len()).filter(|index| self.is_billed_period(rows, *index, tick)).collect();
        let Some(last) = billed.last().copied() else { return Ok(None) };
        let end = self.effective_end(rows, last);
        let given_up = self.given_up_at(rows, last) <= end;
        let assumed = if given_up { end } else { end.saturating_add(end - rows[last].start) };
        // A row of no time at all says nothing about what goes on.
        let lasts = |index: &usize| {
            let next = rows.get(*index + 1).map_or(NEVER, |next| next.start);
            rows[*index].end.min(next) > rows[*index].start
        };
        let until = match (last + 1..rows.len()).find(lasts) {
            None => assumed,
            Some(next) if !self.is_usage(rows, next) => assumed.min(rows[next].start),
            Some(next) => match self.effective_end(rows, next) {
                end if end != NEVER && rows[next].start <= assumed => end,
                _ => assumed,
            },
        };
        if tick >= until {
            return Ok(None);
        }
        let mut sum = 0i128;
        let mut count = 0i128;
        for index in billed.iter().rev().take(periods as usize) {
            sum += i128::from(self.worth_of(&rows[*index])?.0);
            count += 1;
        }
        let mean = Quotient::new(sum, count).and_then(Quotient::rounded).ok_or(MovementError::TooLarge)?;
        Ok(Some(mean).filter(|mean| *mean > 0))
    }

    /// The value of a part in the reporting currency at a tick, given what the item was before, and by how much the
    /// old part was valued anew because of rates alone.
    fn carried(&self, old: Option<Held>, part: Option<Part>, tick: Tick) -> Result<(Option<Held>, i64), MovementError> {
        let day = self.context.ticks.day(tick);
        let currency = |part: Part| self.context.offers.get(part.offer as usize).map(|offer| offer.currency);
        let at_rate = |part: Part, day: Day| -> Result<i64, MovementError> {
            let to = self.context.reporting;
            match currency(part) {
                Some(from) if from != to => {
                    let (above, below) = self
                        .context
                        .rates
                        .rate(from, to, day)
                        .ok_or(MissingRate { from, to, day })
                        .map_err(MovementError::MissingRate)?;
                    let rate = Quotient::new(above, below);
                    let value = rate.and_then(|rate| rate.times(i128::from(part.native_micros), 1));
                    value.and_then(Quotient::rounded).ok_or(MovementError::TooLarge)
                }
                _ => Ok(part.native_micros),
            }
        };
        let held = |part, value_micros| Some(Held { part, value_micros });
        match (self.context.policy.exchange, old, part) {
            (Exchange::Revalue, Some(old), Some(part)) if old.part == part && !self.revalues_at(tick) => {
                Ok((Some(old), 0))
            }
            (Exchange::Revalue, Some(old), _) => {
                let anew = at_rate(old.part, day)?;
                let difference = anew.checked_sub(old.value_micros).ok_or(MovementError::TooLarge)?;
                let now = match part {
                    Some(part) => held(part, at_rate(part, day)?),
                    None => None,
                };
                Ok((now, difference))
            }
            (Exchange::AtMovement, Some(old), Some(part))
                if old.part.native_micros == part.native_micros && currency(old.part) == currency(part) =>
            {
                Ok((held(part, old.value_micros), 0))
            }
            (Exchange::Constant(day), _, Some(part)) => Ok((held(part, at_rate(part, day)?), 0)),
            (_, _, Some(part)) => Ok((held(part, at_rate(part, day)?), 0)),
            (_, _, None) => Ok((None, 0)),
        }
    }

    /// Whether a tick begins the last day of a month up to which rates are known.
    fn revalues_at(&self, tick: Tick) -> bool {
        let day = self.context.ticks.day(tick);
        let (_, _, tomorrow) = day.plus_days(1).civil();
        tomorrow == 1 && tick == self.context.ticks.of_day(day) && tick <= self.context.revalue_until
    }

    /// Compares what is held with what was held before the window opened and names the difference.
    fn close(
        &self,
        customer: u32,
        window: &Window,
        held: &BTreeMap<u32, Held>,
        past: &mut Past,
        entries: &mut Vec<Entry>,
    ) -> Result<(), MovementError> {
        let day = self.context.ticks.day(window.opened).0;
        let after: BTreeMap<(u32, u32), i64> =
            held.iter().map(|(item, held)| ((*item, held.part.offer), held.value_micros)).collect();
        // Only of what was there before can be said that rates alone moved it.
        let revalued = |part: &(u32, u32)| match window.before.contains_key(part) {
            true => window.revalued.get(part).copied().unwrap_or(0),
            false => 0,
        };
        let parts: BTreeSet<(u32, u32)> = window.before.keys().chain(after.keys()).copied().collect();
        let old_mrr: i128 =
            parts.iter().map(|part| i128::from(window.before.get(part).copied().unwrap_or(0)) + revalued(part)).sum();
        let new_mrr: i128 = after.values().map(|value| i128::from(*value)).sum();
        let fits = |value: i128| i64::try_from(value).map_err(|_| MovementError::TooLarge);
        fits(new_mrr)?;
        let kind = match (window.before.is_empty(), after.is_empty()) {
            (true, false) => {
                let gap = past.left_on.map_or(0, |left| i64::from(day) - i64::from(left));
                let forgotten = self.context.policy.reactivation_within_days.is_some_and(|days| gap > i64::from(days));
                if past.ever_paid && !forgotten { Kind::Reactivation } else { Kind::New }
            }
            (false, true) => Kind::Churn,
            _ => match new_mrr.cmp(&old_mrr) {
                std::cmp::Ordering::Greater => Kind::Expansion,
                std::cmp::Ordering::Less => Kind::Contraction,
                std::cmp::Ordering::Equal => Kind::Transfer,
            },
        };
        let arrives_or_leaves = matches!(kind, Kind::New | Kind::Reactivation | Kind::Churn);
        for part in parts {
            let fx = revalued(&part);
            let old = window.before.get(&part).copied();
            let new = after.get(&part).copied();
            let delta = i128::from(new.unwrap_or(0)) - i128::from(old.unwrap_or(0)) - fx;
            let mut push = |kind, delta| -> Result<(), MovementError> {
                entries.push(Entry {
                    customer,
                    day,
                    subscription: part.0,
                    offer: part.1,
                    kind,
                    delta_micros: fits(delta)?,
                });
                Ok(())
            };
            if fx != 0 {
                push(Kind::Fx, fx)?;
            }
            // Where free customers count, one may arrive or leave without any money.
            if delta != 0 || (arrives_or_leaves && old.is_some() != new.is_some()) {
                push(kind, delta)?;
            }
        }
        if !after.is_empty() {
            past.ever_paid = true;
        } else if !window.before.is_empty() {
            past.left_on = Some(day);
        }
        Ok(())
    }
}

/// When the cancellation that a row states was asked for: when the source says so; else when the first of the rows
/// that go on stating one began, as rows begin when their state does. Of an item that came with its cancellation
/// nothing is known but the day that is announced.
fn asked_for_at(rows: &[Row], index: usize) -> Tick {
    let row = &rows[index];
    if row.cancel_requested_at != NEVER {
        return row.cancel_requested_at;
    }
    let mut first = index;
    while first > 0 && rows[first - 1].cancel_at != NEVER {
        first -= 1;
    }
    match rows[first].cancel_requested_at {
        NEVER if first == 0 => row.cancel_at,
        NEVER => rows[first].start,
        known => known,
    }
}

/// What a price is worth a month, from the definition: `unit amount × quantity (through tiers) − discounts`, brought
/// to a month, rounded once. `None` when it does not fit.
fn monthly(price: &Price, policy: &Policy, discount_lasts: bool) -> Option<i64> {
    let mut value = Quotient::new(billed_picos(price)?, 1_000_000)?;
    if let Some(discount) = price.discount {
        let lowers = match policy.discounts {
            Discounts::All => true,
            Discounts::Recurring => discount.duration != DiscountDuration::Once,
            Discounts::None => false,
        };
        if lowers && discount_lasts {
            value = value
                .times(100_000_000 - i128::from(discount.percent_millionths), 100_000_000)?
                .minus(Quotient::new(discount.amount_picos, 1_000_000)?)?;
            if value.above < 0 {
                value = Quotient::new(0, 1)?;
            }
        }
    }
    let count = i128::from(price.interval_count.max(1));
    let a_month = match price.interval {
        Interval::OneOff => return Some(0),
        Interval::Day => value.times(policy.day_factor.numerator.into(), policy.day_factor.denominator.into())?,
        Interval::Week => value.times(policy.week_factor.numerator.into(), policy.week_factor.denominator.into())?,
        Interval::Month => value,
        Interval::Quarter => value.times(1, 3)?,
        Interval::Year => value.times(1, 12)?,
    };
    a_month.times(1, count)?.rounded()
}

/// The price of one billing interval before discounts, in pico-units.
fn billed_picos(price: &Price) -> Option<i128> {
    let units = i128::from(price.quantity);
    match &price.pricing {
        Pricing::PerUnit => price.amount_picos.checked_mul(units),
        Pricing::Flat => Some(price.amount_picos),
        Pricing::Package { size } => {
            let size = i128::from((*size).max(1));
            let begun = units / size + i128::from(units % size > 0);
            price.amount_picos.checked_mul(begun)
        }
        Pricing::Graduated(tiers) => {
            let mut sum = 0i128;
            for (index, tier) in tiers.iter().enumerate() {
                let below = index.checked_sub(1).and_then(|before| tiers[before].up_to).map_or(0, i128::from);
                let in_tier = tier.up_to.map_or(units, |up_to| units.min(up_to.into())) - below;
                if in_tier > 0 {
                    sum = sum.checked_add(tier.unit_picos.checked_mul(in_tier)?)?.checked_add(tier.flat_picos)?;
                }
            }
            Some(sum)
        }
        Pricing::Volume(_) if units == 0 => Some(0),
        Pricing::Volume(tiers) => {
            let reached = tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| units <= i128::from(up_to)));
            match reached.or(tiers.last()) {
                Some(tier) => tier.unit_picos.checked_mul(units)?.checked_add(tier.flat_picos),
                None => Some(0),
            }
        }
    }
}

/// An exact quotient in lowest terms, its lower part above zero.
#[derive(Debug, Clone, Copy)]
struct Quotient {
    above: i128,
    below: i128,
}

impl Quotient {
    fn new(above: i128, below: i128) -> Option<Self> {
        if below <= 0 {
            return None;
        }
        let (mut a, mut b) = (above.checked_abs()?, below);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self { above: above / a, below: below / a })
    }

    fn times(self, above: i128, below: i128) -> Option<Self> {
        let other = Self::new(above, below)?;
        // Crosswise in lowest terms first, so that what fits does not overflow on the way.
        let (left, right) = (Self::new(self.above, other.below)?, Self::new(other.above, self.below)?);
        Self::new(left.above.checked_mul(right.above)?, left.below.checked_mul(right.below)?)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.minus(Self { above: other.above.checked_neg()?, below: other.below })
    }

    fn minus(self, other: Self) -> Option<Self> {
        let left = self.above.checked_mul(other.below)?;
        let right = other.above.checked_mul(self.below)?;
        Self::new(left.checked_sub(right)?, self.below.checked_mul(other.below)?)
    }

    /// The nearest integer; of two the even one.
    fn rounded(self) -> Option<i64> {
        let magnitude = self.above.unsigned_abs();
        let below = self.below.unsigned_abs();
        let (whole, rest) = (magnitude / below, magnitude % below);
        let up = rest > below - rest || (rest == below - rest && whole % 2 == 1);
        let rounded = i128::try_from(whole + u128::from(up)).ok()?;
        i64::try_from(if self.above < 0 { -rounded } else { rounded }).ok()
    }
}

/// The accounts of an invoice line before a day, by posting every day since it began. The line is earned over the service
/// of `[start, end)` by `recognition`, or on the day `start` where there is none; the schedule of the line is not looked
/// at. Changes come in order of their days. `None` when an amount does not fit.
#[must_use]
pub fn position(
    line: &Line,
    recognition: Option<Recognition>,
    (start, end): (Day, Day),
    changes: &[Change],
    day: Day,
) -> Option<Position> {
    let shares = shares_of_days(recognition, start, end)?;
    let in_ledger =
        |micros: i128, rate: (i128, i128)| Quotient::new(micros, 1)?.times(rate.0, rate.1)?.rounded().map(i128::from);
    // Amount and tax of what is left of the line, when `gross_left` of both together is.
    let (amount, tax) = (i128::from(line.amount_micros), i128::from(line.tax_micros));
    let claim = |gross_left: i128| -> Option<(i128, i128)> {
        let net = if gross_left == amount + tax {
            amount
        } else {
            // A credit is below zero in all its parts; a quotient has its sign above the line.
            let sign = (amount + tax).signum();
            i128::from(Quotient::new(gross_left, 1)?.times(amount * sign, (amount + tax) * sign)?.rounded()?)
        };
        Some((in_ledger(net, line.rate)?, in_ledger(gross_left - net, line.rate)?))
    };
    let mut books = Position::default();
    let mut gross_left = amount + tax;
    let (mut net, mut tax_left) = claim(gross_left)?;
    let mut served = Quotient::new(0, 1)?;
    let (mut earned, mut billed, mut written_off) = (0i128, false, 0i128);
    let mut today = start.min(line.issued);
    while today < day {
        if today == line.issued {
            billed = true;
            books.billed_micros += net;
            books.tax_payable_micros += tax_left;
            books.receivable_micros += net + tax_left;
            books.deferred_micros += net - books.unbilled_micros;
            books.unbilled_micros = 0;
        }
        for change in changes.iter().filter(|change| change.day.max(line.issued) == today) {
            let at_issue = in_ledger(change.amount_micros.into(), line.rate)?;
            let at_change = in_ledger(change.amount_micros.into(), change.rate)?;
            if change.kind == ChangeKind::Payment {
                books.cash_micros += at_change;
                books.exchange_gain_micros += at_change - at_issue;
                books.receivable_micros -= at_issue;
                if books.receivable_micros < 0 && written_off > 0 {
                    let recovered = written_off.min(-books.receivable_micros);
                    written_off -= recovered;
                    books.recovered_micros += recovered;
                    books.receivable_micros += recovered;
                }
                continue;
            }
            let wanted = i128::from(change.amount_micros);
            let same_side = wanted.signum() == gross_left.signum();
            let taken = if same_side && wanted.abs() > gross_left.abs() { gross_left } else { wanted };
            gross_left -= if same_side { taken } else { 0 };
            let (net_after, tax_after) = claim(gross_left)?;
            let earned_after = i128::from(served.times(net_after, 1)?.rounded()?);
            *books.taken_back(change.kind)? += earned - earned_after;
            let unearned = (net - earned) - (net_after - earned_after);
            books.deferred_micros -= unearned;
            books.cancelled_micros += unearned;
            books.tax_payable_micros -= tax_left - tax_after;
            let claim_taken = net + tax_left - net_after - tax_after;
            if matches!(change.kind, ChangeKind::Refund | ChangeKind::Dispute) {
                books.cash_micros -= at_change;
                books.exchange_gain_micros += at_issue - at_change;
                books.receivable_micros += at_issue - claim_taken;
            } else {
                books.receivable_micros -= claim_taken;
            }
            if change.kind == ChangeKind::WriteOff {
                written_off += claim_taken;
            }
            (net, tax_left, earned) = (net_after, tax_after, earned_after);
        }
        if let Some((_, share)) = shares.iter().find(|(share_day, _)| *share_day == today) {
            served = served.plus(*share)?;
            let now = i128::from(served.times(net, 1)?.rounded()?);
            books.revenue_micros += now - earned;
            if billed {
                books.deferred_micros -= now - earned;
            } else {
                books.unbilled_micros += now - earned;
            }
            earned = now;
        }
        today = today.plus_days(1);
    }
    Some(books)
}

/// Every day of a service with the share that it earns.
fn shares_of_days(recognition: Option<Recognition>, start: Day, end: Day) -> Option<Vec<(Day, Quotient)>> {
    let end = if recognition.is_none() { start.plus_days(1) } else { end.max(start.plus_days(1)) };
    let days = |from: Day, to: Day| (from.0..to.0).map(Day);
    if recognition != Some(Recognition::MonthEven) {
        let share = Quotient::new(1, i128::from(end.0 - start.0))?;
        return Some(days(start, end).map(|day| (day, share)).collect());
    }
    let mut months = (0..).take_while(|months| start.plus_months(months + 1) <= end).count() as i32;
    let rest = days(start.plus_months(months), end).count();
    let month = start.plus_months(months).first_of(Grain::Month);
    if 2 * rest >= days(month, month.plus_months(1)).count() {
        months += 1;
    }
    let months = months.max(1);
    let mut shares = Vec::new();
    for month in 0..months {
        let first = start.first_of(Grain::Month).plus_months(month);
        let in_month = days(first, first.plus_months(1)).filter(|day| *day >= start);
        let served: Vec<Day> = in_month.clone().filter(|day| *day < end).collect();
        let served = if served.is_empty() { in_month.collect() } else { served };
        let share = Quotient::new(1, i128::from(months) * served.len() as i128)?;
        shares.extend(served.into_iter().map(|day| (day, share)));
    }
    Some(shares)
}
