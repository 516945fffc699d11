//! Subscription facts in the shape the method works on.
//!
//! A source states rows that hold on `[start, end)`. Ids are interned to integers by whoever reads them, and times
//! are brought to *ticks* ([`Ticks`]): business days, or minutes where the policy settles by the minute.

use std::collections::BTreeMap;

use crate::{
    calendar::{Day, MICROS_PER_MINUTE, Moment, Zone},
    money::Currency,
    policy::{Policy, SettleWindow},
    price::{Interval, Price},
    timeline::Confidence,
};

/// A point of time in the unit that the policy settles in.
pub type Tick = i32;

/// "Not set", for a time that lies after everything.
pub const NEVER: Tick = Tick::MAX;

/// How moments become ticks and ticks become days.
#[derive(Debug, Clone)]
pub struct Ticks {
    window: SettleWindow,
    zone: Zone,
}

impl Ticks {
    /// Ticks for a policy in a business time zone.
    #[must_use]
    pub fn new(policy: &Policy, zone: Zone) -> Self {
        Self { window: policy.settle_window, zone }
    }

    /// The business time zone.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The tick of a moment.
    #[must_use]
    #[inline]
    pub fn of(&self, moment: Moment) -> Tick {
        match self.window {
            SettleWindow::BusinessDay => self.zone.day_of(moment).0,
            SettleWindow::Minutes(_) => {
                let minute = self.zone.instant_of(moment).div_euclid(MICROS_PER_MINUTE);
                // Minutes reach the year 6053; what lies beyond never comes.
                Tick::try_from(minute).unwrap_or(if minute < 0 { Tick::MIN } else { NEVER })
            }
        }
    }

    /// How far into its tick a moment lies, in steps of 32 µs (the microseconds of a day do not fit 32 bits). It puts
    /// rows that begin within one tick in order, and tells versions of one row from rows that follow each other.
    #[must_use]
    pub fn offset(&self, moment: Moment) -> u32 {
        let micros = match (self.window, moment) {
            // A day stays its day in every zone: it counts from its own beginning.
            (SettleWindow::BusinessDay, Moment::Day(_)) => 0,
            (SettleWindow::BusinessDay, Moment::Instant(micros)) => self.zone.since_start_of_day(micros),
            (SettleWindow::Minutes(_), moment) => self.zone.instant_of(moment).rem_euclid(MICROS_PER_MINUTE),
        };
        u32::try_from(micros / 32).unwrap_or_default()
    }

    /// The tick at which a business day begins.
    #[must_use]
    pub fn of_day(&self, day: Day) -> Tick {
        self.of(Moment::Day(day))
    }

    /// The business day of a tick.
    #[must_use]
    #[inline]
    pub fn day(&self, tick: Tick) -> Day {
        match self.window {
            SettleWindow::BusinessDay => Day(tick),
            SettleWindow::Minutes(_) => self.zone.day_of_instant(i64::from(tick) * MICROS_PER_MINUTE),
        }
    }

    /// How many ticks after the first change of a customer further changes are taken together with it.
    #[must_use]
    #[inline]
    pub fn settle(&self) -> Tick {
        match self.window {
            SettleWindow::BusinessDay => 0,
            SettleWindow::Minutes(minutes) => Tick::try_from(minutes).unwrap_or(NEVER),
        }
    }

    /// This many days after a tick, at the same time of the day: where clocks change, a day is not 1,440 minutes.
    #[must_use]
    pub fn plus_days(&self, tick: Tick, days: u32) -> Tick {
        match self.window {
            SettleWindow::BusinessDay => Tick::try_from(i64::from(tick) + i64::from(days)).unwrap_or(NEVER),
            SettleWindow::Minutes(_) => {
                let day = self.day(tick);
                let later = Day(day.0.saturating_add_unsigned(days));
                if later > Day::LATEST {
                    return NEVER;
                }
                self.of_day(later).saturating_add(tick.saturating_sub(self.of_day(day)))
            }
        }
    }
}

/// What state a subscription is in, in the words of billing systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Paid, or to be paid.
    Active,
    /// Not to be paid yet.
    Trialing,
    /// A payment failed and is being tried again.
    PastDue,
    /// The tries were given up.
    Unpaid,
    /// Held by the customer or the seller.
    Paused,
    /// Ended.
    Canceled,
    /// Never begun: the first payment is outstanding.
    Incomplete,
    /// Never begun: the first payment never came.
    IncompleteExpired,
    /// Not a state but a message: the source took the fact back.
    Withdrawn,
}

impl Status {
    /// Every status with its name.
    pub const ALL: &'static [(Status, &'static str)] = &[
        (Status::Active, "active"),
        (Status::Trialing, "trialing"),
        (Status::PastDue, "past_due"),
        (Status::Unpaid, "unpaid"),
        (Status::Paused, "paused"),
        (Status::Canceled, "canceled"),
        (Status::Incomplete, "incomplete"),
        (Status::IncompleteExpired, "incomplete_expired"),
        (Status::Withdrawn, "withdrawn"),
    ];

    /// A status by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, listed)| *listed == name).map(|(status, _)| *status)
    }

    /// The status's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }
}

/// Why recurring revenue was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reason {
    /// Nobody said.
    #[default]
    Unknown,
    /// The customer asked for it.
    AskedFor,
    /// Payments failed.
    FailedPayment,
    /// The customer's bank took the money back.
    Dispute,
}

impl Reason {
    /// Every reason with its name.
    pub const ALL: &'static [(Reason, &'static str)] = &[
        (Reason::Unknown, "unknown"),
        (Reason::AskedFor, "asked_for"),
        (Reason::FailedPayment, "failed_payment"),
        (Reason::Dispute, "dispute"),
    ];

    /// The reason's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or("", |(_, name)| name)
    }

    /// Reads what a source wrote as the reason of a cancellation. Any words that speak of neither payment nor
    /// dispute were the customer's own: a reason was given.
    #[must_use]
    pub fn of_words(words: &str) -> Self {
        let words = words.trim().to_ascii_lowercase();
        let speaks_of = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if words.is_empty() || words == "unknown" || words == "other" {
            Reason::Unknown
        } else if speaks_of(&["dispute", "chargeback", "fraud"]) {
            Reason::Dispute
        } else if speaks_of(&[
            "payment_fail",
            "failed_payment",
            "payment fail",
            "failed payment",
            "unpaid",
            "card",
            "dunning",
            "delinquen",
            "involuntary",
            "non_payment",
            "nonpayment",
            "past_due",
        ]) {
            Reason::FailedPayment
        } else {
            Reason::AskedFor
        }
    }
}

/// What is sold, as far as MRR is looked at by it. Offers are sorted and numbered by content, so that the ledger is the
/// same whatever order facts came in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offer {
    /// The plan's id; empty when the source names none.
    pub plan: String,
    /// The product's id; empty when the source names none.
    pub product: String,
    /// The rhythm of billing.
    pub interval: Interval,
    /// How many of the interval make one billing period.
    pub interval_count: i32,
    /// The currency of the price.
    pub currency: Currency,
}

/// Everything that a row states besides who and when. Few rows have terms of their own, so they are interned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terms {
    /// Index into the offers.
    pub offer: u32,
    /// The state that the row states.
    pub status: Status,
    /// The price.
    pub price: Price,
    /// Whether the price is for usage, so that each row is one billed period of it.
    pub metered: bool,
    /// The tick from which the discount no longer holds; [`NEVER`] when it lasts as long as the row.
    pub discount_end: Tick,
    /// Why the row ended, where the source says so.
    pub cancel_reason: Reason,
    /// How sure the source is of what it states.
    pub confidence: Confidence,
}

/// One subscription fact. 40 bytes; ten million of them are sorted, so the rest stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Index of the customer, in the order of customer ids.
    pub customer: u32,
    /// Index of the subscription item.
    pub subscription: u32,
    /// Index into the terms.
    pub terms: u32,
    /// Index of the fact, in the order in which facts were recorded.
    pub fact: u32,
    /// The first tick at which the row holds.
    pub start: Tick,
    /// How far into that tick the row starts ([`Ticks::offset`]): of two rows that start on one day the later holds.
    pub start_offset: u32,
    /// The first tick at which it no longer holds; [`NEVER`] when it still does.
    pub end: Tick,
    /// The end of the trial; [`Tick::MIN`] for none.
    pub trial_end: Tick,
    /// The tick at which an announced cancellation takes effect; [`NEVER`] for none.
    pub cancel_at: Tick,
    /// The tick at which the cancellation was asked for; [`NEVER`] when the source does not say.
    pub cancel_requested_at: Tick,
}

/// The order in which facts were recorded: fact indices at which each import begins, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    firsts: Vec<u32>,
}

impl Recorded {
    /// From the first fact index of each import, in the order of their recording.
    #[must_use]
    pub fn new(firsts: Vec<u32>) -> Self {
        Self { firsts }
    }

    /// The same with imports that came after.
    #[must_use]
    pub fn and(&self, firsts: &[u32]) -> Self {
        Self { firsts: [&self.firsts, firsts].concat() }
    }

    /// How many imports there are.
    #[must_use]
    pub fn imports(&self) -> usize {
        self.firsts.len()
    }

    /// The ordinal of the import that recorded a fact, from 1 on.
    #[must_use]
    pub fn import_of(&self, fact: u32) -> usize {
        self.firsts.partition_point(|first| *first <= fact)
    }
}

/// Two facts that claim the same thing differently, seen while facts were put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// The fact that is used.
    pub used: u32,
    /// The fact that is not.
    pub refused: u32,
}

/// Leaves one version of each fact of one subscription item: the one that the latest import states, where the same
/// content again changes nothing. Two different contents in one import are a [`Conflict`]: the greater by content is
/// used, whatever order they came in, and the other is reported.
///
/// `rows` are those of one subscription item, in any order; returns how many are left, in order of start.
pub fn resolve(rows: &mut [Row], terms: &[Terms], recorded: &Recorded, conflicts: &mut Vec<Conflict>) -> usize {
    if rows.len() > 1 {
        rows.sort_unstable_by_key(|row| (row.start, row.start_offset, row.fact));
    }
    let mut kept = 0;
    let mut index = 0;
    while index < rows.len() {
        let start = (rows[index].start, rows[index].start_offset);
        let mut next = index + 1;
        while next < rows.len() && (rows[next].start, rows[next].start_offset) == start {
            next += 1;
        }
        let winner =
            if next == index + 1 { rows[index] } else { winner(&rows[index..next], terms, recorded, conflicts) };
        index = next;
        let withdrawn = terms.get(winner.terms as usize).is_some_and(|found| found.status == Status::Withdrawn);
        if !withdrawn {
            rows[kept] = winner;
            kept += 1;
        }
    }
    kept
}

/// What a row says, without where it was said. Terms are compared by what they state, not by their numbers, so this
/// order is the same for the same facts.
type Content<'a> = (Option<&'a Terms>, Tick, Tick, Tick, Tick, u32);

fn content<'a>(row: &Row, terms: &'a [Terms]) -> Content<'a> {
    let stated = terms.get(row.terms as usize);
    (stated, row.end, row.trial_end, row.cancel_at, row.cancel_requested_at, row.customer)
}

/// The version that holds, of several rows with the same key: what the latest import says. Where imports go on saying
/// the same, the first of them is the one that made it so. `versions` are in order of recording.
fn winner(versions: &[Row], terms: &[Terms], recorded: &Recorded, conflicts: &mut Vec<Conflict>) -> Row {
    let mut holds = versions[0];
    let same_import = |a: &Row, b: &Row| recorded.import_of(a.fact) == recorded.import_of(b.fact);
    for (number, of_import) in versions.chunk_by(same_import).enumerate() {
        let mut said: BTreeMap<Content<'_>, Row> = BTreeMap::new();
        for row in of_import {
            said.entry(content(row, terms)).or_insert(*row);
        }
        // Contents come in ascending order, so of several in one import the greatest is used.
        let Some(greatest) = said.values().next_back().copied() else { continue };
        let others = said.values().take(said.len() - 1);
        conflicts.extend(others.map(|other| Conflict { used: greatest.fact, refused: other.fact }));
        if number == 0 || content(&greatest, terms) != content(&holds, terms) {
            holds = greatest;
        }
    }
    holds
}

/// Facts that nothing depends on any more ([`superseded`]).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Superseded {
    /// Their indices, ascending.
    pub facts: Vec<u32>,
    /// Whether rows are among them that no other version took the place of. They may be left out for as long as what
    /// comes later begins with the last row or after it, and is no withdrawal.
    pub has_rows: bool,
}

/// The facts of one subscription item without which it is worth the same at any time, for the same reasons, whatever is
/// stated later (see [`Superseded::has_rows`] for what that must not be): versions that a later import took the place of,
/// and states that began and ended within one tick, between others of that tick. So a subscription that is changed a
/// hundred times a day needs no more room than one that is changed twice.
///
/// `rows` are those of one subscription item, in any order; they are put in order of start.
pub fn superseded(rows: &mut [Row], terms: &[Terms], recorded: &Recorded) -> Superseded {
    rows.sort_unstable_by_key(|row| (row.start, row.start_offset, row.fact));
    let mut found = Superseded::default();
    // Each row that holds, and whether facts of one import contradict each other about it: then all of them stay.
    let mut standing: Vec<(Row, bool)> = Vec::new();
    for versions in rows.chunk_by(|one, other| (one.start, one.start_offset) == (other.start, other.start_offset)) {
        let mut conflicts = Vec::new();
        let holds = winner(versions, terms, recorded, &mut conflicts);
        // Of contradictions, and of what came after them, all stays.
        let first = conflicts.iter().map(|conflict| recorded.import_of(conflict.refused)).min().unwrap_or(usize::MAX);
        let settled = &versions[..versions.partition_point(|row| recorded.import_of(row.fact) < first)];
        let stays = match settled {
            [] => None,
            _ if conflicts.is_empty() => Some(holds.fact),
            _ => Some(winner(settled, terms, recorded, &mut Vec::new()).fact),
        };
        found.facts.extend(settled.iter().map(|row| row.fact).filter(|fact| Some(*fact) != stays));
        if terms.get(holds.terms as usize).is_some_and(|stated| stated.status != Status::Withdrawn) {
            standing.push((holds, !conflicts.is_empty()));
        }
    }
    // Of states that say no more than that the subscription goes on.
    let goes_on = |row: &Row| {
        let is_active = terms.get(row.terms as usize).is_some_and(|stated| stated.status == Status::Active);
        is_active && row.cancel_at == NEVER
    };
    let is_silent =
        |row: &Row| terms.get(row.terms as usize).is_some_and(|stated| stated.cancel_reason == Reason::Unknown);
    let mut before: Option<Row> = None;
    for (index, (row, is_contradicted)) in standing.iter().enumerate() {
        let is_passed_over = !is_contradicted
            && row.end == row.start
            && goes_on(row)
            && is_silent(row)
            && before.is_some_and(|before| goes_on(&before) && before.end <= row.start)
            && standing.get(index + 1).is_some_and(|(next, _)| next.start == row.start);
        if is_passed_over {
            found.facts.push(row.fact);
            found.has_rows = true;
        } else {
            before = Some(*row);
        }
    }
    found.facts.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(window: SettleWindow, zone: &str) -> Ticks {
        let policy = Policy { settle_window: window, ..Policy::default() };
        Ticks::new(&policy, Zone::parse(zone).unwrap())
    }

    #[test]
    fn days_later_is_the_same_time_of_the_day_across_changes_of_the_clock() {
        let day = |text| Day::parse(text).unwrap();
        for (zone, from, days, to) in [
            ("Europe/Paris", "2024-10-01", 31, "2024-11-01"),
            ("Europe/Paris", "2024-03-01", 31, "2024-04-01"),
            ("America/New_York", "2024-11-01", 10, "2024-11-11"),
            ("UTC", "2024-02-28", 2, "2024-03-01"),
        ] {
            for window in [SettleWindow::BusinessDay, SettleWindow::Minutes(5)] {
                let ticks = ticks(window, zone);
                let later = ticks.plus_days(ticks.of_day(day(from)), days);
                assert_eq!(later, ticks.of_day(day(to)), "{zone} {from} + {days} in {window:?}");
            }
        }
        let minutes = ticks(SettleWindow::Minutes(5), "UTC");
        assert_eq!(minutes.plus_days(0, u32::MAX), NEVER);
    }

    #[test]
    fn moments_of_one_tick_keep_their_order() {
        let paris = ticks(SettleWindow::BusinessDay, "Europe/Paris");
        let day = Day::parse("2024-10-27").unwrap();
        let midnight = paris.zone().start_of_day(day);
        // The day has 25 hours.
        let offsets: Vec<u32> = [0, 32, 3_600_000_000, 25 * 3_600_000_000 - 32]
            .map(|micros| {
                let moment = Moment::Instant(midnight + micros);
                assert_eq!(paris.of(moment), day.0);
                paris.offset(moment)
            })
            .to_vec();
        assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
        assert_eq!(paris.offset(Moment::Day(day)), 0);
        let minutes = ticks(SettleWindow::Minutes(5), "Europe/Paris");
        assert_eq!(minutes.offset(Moment::Instant(midnight + 61_000_000)), 31_250);
    }
}
