//! The movement ledger: every movement of every customer, kept as columns.
//!
//! Rows are sorted by customer, day, subscription and plan (where windows of minutes put several groups of changes on
//! one day, the groups come in order of time); customers, subscriptions and offers are numbered in the
//! order of their ids, so the same facts give the same ledger byte for byte.

use std::ops::Range;

use crate::{
    fact::{Conflict, Reason, Recorded, Row, Terms, resolve},
    movement::{Cause, Context, Kind, Movement, MovementError, Scratch, cause_of_plain, movements, movements_by},
    timeline::{Confidence, Overlap, Plain, PlainRow, Span, Worth, plain_timeline, timeline},
};

/// Movements as columns. Customer `c` owns the rows `offsets[c]..offsets[c + 1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Where each customer's rows begin; one more than there are customers.
    pub offsets: Vec<u32>,
    /// Business days since 1970-01-01.
    pub day: Vec<i32>,
    /// Indices of subscription items.
    pub subscription: Vec<u32>,
    /// Indices of offers.
    pub offer: Vec<u32>,
    /// Indices of the facts that made the rows.
    pub fact: Vec<u32>,
    /// What each row adds to MRR, in micro-units of the reporting currency.
    pub delta_micros: Vec<i64>,
    /// What happened to the customer.
    pub kind: Vec<Kind>,
    /// What made it happen.
    pub cause: Vec<Cause>,
    /// Why revenue was lost.
    pub reason: Vec<Reason>,
    /// How sure the cause is.
    pub confidence: Vec<Confidence>,
}

impl Ledger {
    /// How many customers there are, those without a movement included.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.day.len()
    }

    /// The rows of a customer.
    #[must_use]
    pub fn of_customer(&self, customer: usize) -> Range<usize> {
        match (self.offsets.get(customer), self.offsets.get(customer + 1)) {
            (Some(first), Some(last)) => *first as usize..*last as usize,
            _ => 0..0,
        }
    }

    /// One row.
    #[must_use]
    pub fn movement(&self, row: usize) -> Option<Movement> {
        Some(Movement {
            day: *self.day.get(row)?,
            subscription: *self.subscription.get(row)?,
            offer: *self.offer.get(row)?,
            fact: *self.fact.get(row)?,
            delta_micros: *self.delta_micros.get(row)?,
            kind: *self.kind.get(row)?,
            cause: *self.cause.get(row)?,
            reason: *self.reason.get(row)?,
            confidence: *self.confidence.get(row)?,
        })
    }

    /// Appends the movements of the next customer.
    pub fn push_customer(&mut self, movements: &[Movement]) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        for movement in movements {
            self.day.push(movement.day);
            self.subscription.push(movement.subscription);
            self.offer.push(movement.offer);
            self.fact.push(movement.fact);
            self.delta_micros.push(movement.delta_micros);
            self.kind.push(movement.kind);
            self.cause.push(movement.cause);
            self.reason.push(movement.reason);
            self.confidence.push(movement.confidence);
        }
        // Row numbers are 32-bit: a ledger of more than four thousand million rows is built in shares.
        self.offsets.push(u32::try_from(self.day.len()).unwrap_or(u32::MAX));
    }

    /// Makes room once for shares that are to be appended.
    pub fn reserve(&mut self, customers: usize, rows: usize) {
        self.offsets.reserve(customers + 1);
        self.day.reserve(rows);
        self.subscription.reserve(rows);
        self.offer.reserve(rows);
        self.fact.reserve(rows);
        self.delta_micros.reserve(rows);
        self.kind.reserve(rows);
        self.cause.reserve(rows);
        self.reason.reserve(rows);
        self.confidence.reserve(rows);
    }

    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        let Self { offsets, day, subscription, offer, fact, delta_micros, kind, cause, reason, confidence } = self;
        for numbers in [offsets, subscription, offer, fact] {
            numbers.clear();
        }
        day.clear();
        delta_micros.clear();
        kind.clear();
        cause.clear();
        reason.clear();
        confidence.clear();
    }

    /// Appends some customers of another ledger whose items and offers have other numbers here: those of items are larger
    /// by `items_gained`, and `offers` says what became of each offer's number.
    pub fn append_renumbered(
        &mut self,
        other: &Ledger,
        customers: Range<usize>,
        items_gained: u32,
        offers: Option<&[u32]>,
    ) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let (Some(first), Some(last)) = (other.offsets.get(customers.start), other.offsets.get(customers.end)) else {
            return;
        };
        let here = self.day.len();
        let moved = |offset: &u32| u32::try_from(here + (*offset - *first) as usize).unwrap_or(u32::MAX);
        let offsets = other.offsets.get(customers.start + 1..=customers.end).unwrap_or_default();
        self.offsets.extend(offsets.iter().map(moved));
        let rows = *first as usize..*last as usize;
        self.day.extend_from_slice(&other.day[rows.clone()]);
        self.subscription.extend(other.subscription[rows.clone()].iter().map(|item| item + items_gained));
        match offers {
            None => self.offer.extend_from_slice(&other.offer[rows.clone()]),
            Some(offers) => {
                let now = |offer: &u32| offers.get(*offer as usize).copied().unwrap_or(*offer);
                self.offer.extend(other.offer[rows.clone()].iter().map(now));
            }
        }
        self.fact.extend_from_slice(&other.fact[rows.clone()]);
        self.delta_micros.extend_from_slice(&other.delta_micros[rows.clone()]);
        self.kind.extend_from_slice(&other.kind[rows.clone()]);
        self.cause.extend_from_slice(&other.cause[rows.clone()]);
        self.reason.extend_from_slice(&other.reason[rows.clone()]);
        self.confidence.extend_from_slice(&other.confidence[rows]);
    }

    /// Appends the customers of another share, which come after the ones here.
    pub fn append(&mut self, mut share: Ledger) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let base = self.offsets.last().copied().unwrap_or_default();
        self.offsets.extend(share.offsets.iter().skip(1).map(|offset| offset + base));
        self.day.append(&mut share.day);
        self.subscription.append(&mut share.subscription);
        self.offer.append(&mut share.offer);
        self.fact.append(&mut share.fact);
        self.delta_micros.append(&mut share.delta_micros);
        self.kind.append(&mut share.kind);
        self.cause.append(&mut share.cause);
        self.reason.append(&mut share.reason);
        self.confidence.append(&mut share.confidence);
    }
}

/// A share of the ledger, with what was odd about the facts that made it.
#[derive(Debug, Default)]
pub struct Share {
    /// The movements.
    pub ledger: Ledger,
    /// Rows of one subscription that claim the same time.
    pub overlaps: Vec<Overlap>,
    /// Facts that one import states in two ways.
    pub conflicts: Vec<Conflict>,
    /// What kept movements of a customer from being made, with the customer and a fact of theirs.
    pub errors: Vec<(u32, u32, MovementError)>,
}

impl Share {
    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        let Self { ledger, overlaps, conflicts, errors } = self;
        ledger.clear();
        overlaps.clear();
        conflicts.clear();
        errors.clear();
    }
}

/// Builds a share customer by customer, in room that is used again.
#[derive(Debug, Default)]
pub struct Builder {
    /// What is built so far.
    pub share: Share,
    spans: Vec<Span>,
    made: Vec<Movement>,
    scratch: Scratch,
}

impl Builder {
    /// Appends the ledger of the customers `customers` to the share.
    ///
    /// `rows` are sorted by customer, then by subscription item; `worth` belongs to `context.terms`. `visit` sees each
    /// customer's spans (trials included) before they become movements.
    pub fn append(
        &mut self,
        rows: &mut [Row],
        customers: Range<u32>,
        worth: &[Worth],
        recorded: &Recorded,
        context: &Context<'_>,
        mut visit: impl FnMut(u32, &[Span]),
    ) {
        let mut rest = rows;
        for customer in customers {
            let count = rest.iter().take_while(|row| row.customer == customer).count();
            let (own, after) = rest.split_at_mut(count);
            rest = after;
            self.work_out(customer, own, worth, recorded, context, &mut visit);
            self.share.ledger.push_customer(&self.made);
        }
    }

    /// The movements of one customer, as [`Builder::append`] appends them. What is odd about the facts is added to the
    /// share, and nothing else is.
    pub fn work_out(
        &mut self,
        customer: u32,
        rows: &mut [Row],
        worth: &[Worth],
        recorded: &Recorded,
        context: &Context<'_>,
        mut visit: impl FnMut(u32, &[Span]),
    ) -> &[Movement] {
        self.lay_out(rows, worth, recorded, context);
        visit(customer, &self.spans);
        self.made.clear();
        if let Err(error) = movements(&self.spans, context, &mut self.scratch, &mut self.made) {
            self.share.errors.push((customer, rows.first().map_or(0, |row| row.fact), error));
        }
        &self.made
    }

    /// The movements of one customer, if all that is said of them is plain and no row claims the time of another: they are
    /// what [`Builder::work_out`] gives. None where it is not so.
    ///
    /// `items` are the customer's subscription items in order, each with where its rows are among `rows`, which are
    /// sorted by start. `classes` are the terms by class, without amount and quantity, and `plain` what they state.
    pub fn work_out_plain(
        &mut self,
        rows: &[PlainRow],
        items: impl Iterator<Item = (u32, Range<usize>)>,
        classes: &[Terms],
        plain: &[Option<Plain>],
        context: &Context<'_>,
    ) -> Option<&[Movement]> {
        let Self { spans, made, scratch, .. } = self;
        spans.clear();
        made.clear();
        scratch.lay_out_none(context);
        for (item, range) in items {
            let (first, begun) = (range.start as u32, spans.len());
            let own = rows.get(range).unwrap_or_default();
            if !plain_timeline(own, plain, item, first, spans) {
                return None;
            }
            scratch.lay_out_item(spans, begun, context);
        }
        let cause = |from: &Span, to: &Span| cause_of_plain(from, to, rows, classes);
        movements_by(spans, context, &cause, scratch, made).ok()?;
        Some(made)
    }

    /// Shows each customer's spans (trials included), and makes no movements of them. What is odd about the facts is kept.
    pub fn visit(
        &mut self,
        rows: &mut [Row],
        worth: &[Worth],
        recorded: &Recorded,
        context: &Context<'_>,
        mut visit: impl FnMut(u32, &[Span]),
    ) {
        for own in rows.chunk_by_mut(|a, b| a.customer == b.customer) {
            self.lay_out(own, worth, recorded, context);
            if let Some(first) = own.first() {
                visit(first.customer, &self.spans);
            }
        }
    }

    /// The spans of one customer.
    fn lay_out(&mut self, own: &mut [Row], worth: &[Worth], recorded: &Recorded, context: &Context<'_>) {
        self.spans.clear();
        for item in own.chunk_by_mut(|a, b| a.subscription == b.subscription) {
            let kept = resolve(item, context.terms, recorded, &mut self.share.conflicts);
            timeline(
                &item[..kept],
                context.terms,
                worth,
                context.policy,
                context.ticks,
                &mut self.spans,
                &mut self.share.overlaps,
            );
        }
    }
}

/// Builds the ledger of the customers `customers` from their rows, as [`Builder::append`] does.
pub fn build(
    rows: &mut [Row],
    customers: Range<u32>,
    worth: &[Worth],
    recorded: &Recorded,
    context: &Context<'_>,
    visit: impl FnMut(u32, &[Span]),
) -> Share {
    let mut builder = Builder::default();
    builder.append(rows, customers, worth, recorded, context, visit);
    builder.share
}
