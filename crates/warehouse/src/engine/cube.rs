//! The one pass over the ledger: every wanted measure, for every window and segment.

use std::{collections::HashMap, ops::Range};

use outlook::survival::Life;
use rayon::prelude::*;
use revenue::{calendar::Day, ledger::Ledger, movement::Kind};

use super::segment::{OUTSIDE, Segmentation};

/// A window `[start, end)` in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Days {
    /// The first day counted.
    pub start: Day,
    /// The first day no longer counted.
    pub end: Day,
}

/// Where each sum of a cell is kept.
pub mod sum {
    use revenue::movement::{Cause, Kind};

    /// How many kinds of movement there are.
    pub const KINDS: usize = Kind::ALL.len();
    /// How many causes there are.
    pub const CAUSES: usize = Cause::ALL.len();
    /// MRR at the end.
    pub const MRR_CLOSING: usize = 0;
    /// MRR at the start.
    pub const MRR_OPENING: usize = MRR_CLOSING + 1;
    /// Customers at the end.
    pub const CUSTOMERS_CLOSING: usize = MRR_OPENING + 1;
    /// Customers at the start.
    pub const CUSTOMERS_OPENING: usize = CUSTOMERS_CLOSING + 1;
    /// Movements of each kind, in the order of [`Kind`]; of a switch only what does not cancel out.
    pub const MOVED: usize = CUSTOMERS_OPENING + 1;
    /// What came in with a switch.
    pub const TRANSFERRED_IN: usize = MOVED + KINDS;
    /// What left with a switch (negative).
    pub const TRANSFERRED_OUT: usize = TRANSFERRED_IN + 1;
    /// Expansion by cause, in the order of [`Cause`].
    pub const EXPANDED: usize = TRANSFERRED_OUT + 1;
    /// Customers with a movement of each kind.
    pub const CUSTOMERS_WITH: usize = EXPANDED + CAUSES;
    /// Customers who stopped paying and are not paying at the end.
    pub const LOST: usize = CUSTOMERS_WITH + KINDS;
    /// Those of them who were paying at the start.
    pub const LOST_OF_OPENING: usize = LOST + 1;
    /// Customers paying at any time.
    pub const PAYING_ANY: usize = LOST_OF_OPENING + 1;
    /// MRR at the end of those who were paying at the start.
    pub const RETAINED: usize = PAYING_ANY + 1;
    /// The same, each for no more than at the start.
    pub const RETAINED_CAPPED: usize = RETAINED + 1;
    /// Movements of each kind of those who were paying at the start.
    pub const OF_OPENING: usize = RETAINED_CAPPED + 1;
    /// Days from the first to the last paid day of those who have left.
    pub const LIFETIME_DAYS: usize = OF_OPENING + KINDS;
    /// How many have left.
    pub const LIFETIMES: usize = LIFETIME_DAYS + 1;
    /// How many sums a cell has.
    pub const COUNT: usize = LIFETIMES + 1;
}

use sum::{COUNT as SUMS, KINDS};

/// What the pass keeps besides sums, when it is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Each customer's MRR at the end of each window, for shares of the largest.
    pub spread: bool,
    /// Lifetimes, also of customers who left before a window.
    pub lifetimes: bool,
    /// Months of paying by customer, for survival.
    pub survival: bool,
    /// Subscriptions that pay at the end: for each subscription item the number of its subscription.
    pub subscriptions: Option<Vec<u32>>,
}

impl Wanted {
    /// Whether what is kept for these serves those as well.
    #[must_use]
    pub fn covers(&self, other: &Wanted) -> bool {
        (self.spread || !other.spread)
            && (self.lifetimes || !other.lifetimes)
            && (self.survival || !other.survival)
            && (self.subscriptions.is_some() || other.subscriptions.is_none())
    }
}

/// Sums by window and segment.
#[derive(Default)]
pub struct Cube {
    windows: HashMap<Days, usize>,
    segments: usize,
    sums: Vec<i128>,
    /// MRR of each customer at the end, by window and segment.
    pub spread: Vec<Vec<i64>>,
    /// Months of paying (how many, and whether they ended), by window and segment.
    pub survival: Vec<Vec<Life>>,
    /// Subscriptions that pay at the end, by window and segment.
    pub subscriptions: Vec<i64>,
}

impl Cube {
    /// Where a window and a segment are kept.
    #[must_use]
    pub fn place(&self, window: Days, segment: usize) -> Option<usize> {
        // A segment that only other facts know has nothing in the ledger: a place where nothing is.
        let index = self.windows.get(&window)?;
        Some(if segment < self.segments { index * self.segments + segment } else { usize::MAX / (2 * SUMS) })
    }

    /// One sum.
    #[must_use]
    pub fn get(&self, place: usize, sum: usize) -> i128 {
        self.sums.get(place * SUMS + sum).copied().unwrap_or_default()
    }

    /// Whether anything was seen in a segment in any window.
    #[must_use]
    pub fn has_anything(&self, segment: usize) -> bool {
        segment < self.segments
            && (0..self.windows.len()).any(|window| {
                let place = (window * self.segments + segment) * SUMS;
                self.sums.get(place..place + SUMS).is_some_and(|sums| sums.iter().any(|sum| *sum != 0))
            })
    }
}

/// What one segment sees of one change of one customer.
#[derive(Debug, Clone, Copy)]
struct Seen {
    day: i32,
    segment: u32,
    kind: Kind,
    cause: revenue::movement::Cause,
    /// What it does to the segment's MRR.
    delta: i64,
    /// What of it is a movement of the kind; the rest came from, or went to, other segments.
    moved: i64,
    /// Whether the kind is to be counted for the segment.
    counts: bool,
}

/// Makes the cube. `windows` may overlap and need not be sorted; `free_is_customer` as the policy says.
#[must_use]
pub fn cube(
    ledger: &Ledger,
    segmentation: &Segmentation,
    windows: &[Days],
    wanted: &Wanted,
    free_is_customer: bool,
) -> Cube {
    let mut sorted: Vec<Days> = windows.to_vec();
    sorted.sort_unstable_by_key(|window| (window.end, window.start));
    sorted.dedup();
    // Windows of one length move forward together at both ends, so that each is entered and left once.
    let mut lanes: Vec<Vec<(usize, Days)>> = Vec::new();
    for (index, window) in sorted.iter().enumerate() {
        let fits = lanes.iter_mut().find(|lane| lane.last().is_none_or(|(_, last)| last.start <= window.start));
        match fits {
            Some(lane) => lane.push((index, *window)),
            None => lanes.push(vec![(index, *window)]),
        }
    }
    let segments = segmentation.len();
    let cells = sorted.len() * segments;
    let customers = ledger.customers();
    let chunk = (customers / (rayon::current_num_threads() * 4)).max(1_024);
    let ranges: Vec<Range<usize>> =
        (0..customers).step_by(chunk).map(|first| first..(first + chunk).min(customers)).collect();
    let shares = ranges
        .into_par_iter()
        .fold(
            || Pass::new(ledger, segmentation, &lanes, cells, wanted, free_is_customer),
            |mut pass, range| {
                for customer in range {
                    pass.customer(customer);
                }
                pass
            },
        )
        .map(|pass| (pass.sums, pass.spread, pass.survival, pass.subscriptions))
        .reduce_with(|mut a, b| {
            a.0.iter_mut().zip(&b.0).for_each(|(a, b)| *a += b);
            a.1.iter_mut().zip(b.1).for_each(|(a, b)| a.extend(b));
            a.2.iter_mut().zip(b.2).for_each(|(a, b)| a.extend(b));
            a.3.iter_mut().zip(&b.3).for_each(|(a, b)| *a += b);
            a
        });
    let (mut sums, spread, survival, subscriptions) = shares
        .unwrap_or_else(|| (vec![0; cells * SUMS], vec![Vec::new(); cells], vec![Vec::new(); cells], vec![0; cells]));
    add_up(&mut sums, &lanes, segments * SUMS);
    Cube {
        windows: sorted.iter().enumerate().map(|(index, window)| (*window, index)).collect(),
        segments,
        sums,
        spread,
        survival,
        subscriptions,
    }
}

/// From what each window has more than the one before it in its lane to what each has. A window takes up `width` sums.
fn add_up(sums: &mut [i128], lanes: &[Vec<(usize, Days)>], width: usize) {
    for lane in lanes {
        for pair in lane.windows(2) {
            for offset in 0..width {
                sums[pair[1].0 * width + offset] += sums[pair[0].0 * width + offset];
            }
        }
    }
}

struct Pass<'a> {
    ledger: &'a Ledger,
    segmentation: &'a Segmentation,
    lanes: &'a [Vec<(usize, Days)>],
    wanted: &'a Wanted,
    free_is_customer: bool,
    segments: usize,
    /// What each cell has more than that of the window before it in its lane, and the same segment.
    sums: Vec<i128>,
    spread: Vec<Vec<i64>>,
    survival: Vec<Vec<Life>>,
    subscriptions: Vec<i64>,
    seen: Vec<Seen>,
    group: Vec<Seen>,
    net: Vec<Net>,
    touched: Vec<u32>,
    items: Vec<(u32, u32, i32, i64)>,
}

/// Windows of a lane, one after another, in which a segment of a customer sees the same.
struct Run {
    /// Where the sums of the first of them begin.
    first: usize,
    /// Where those of the first one after them begin.
    after: Option<usize>,
}

impl Run {
    /// Adds to a sum of each of them.
    fn add(&self, sums: &mut [i128], sum: usize, value: i64) {
        if value == 0 {
            return;
        }
        sums[self.first + sum] += i128::from(value);
        if let Some(after) = self.after {
            sums[after + sum] -= i128::from(value);
        }
    }
}

/// The sums to which a customer adds also where nothing changes.
#[derive(Default)]
struct Standings([(usize, i64); 7]);

impl Standings {
    /// Adds what there is more than in the windows before.
    fn go_on_from(&self, before: &Standings, sums: &mut [i128]) {
        for ((sum, now), (_, before)) in self.0.iter().zip(&before.0) {
            if now != before {
                sums[*sum] += i128::from(*now) - i128::from(*before);
            }
        }
    }
}

/// Where a customer, or one segment of a customer, stands.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    mrr: i64,
    pays: bool,
}

impl<'a> Pass<'a> {
    fn new(
        ledger: &'a Ledger,
        segmentation: &'a Segmentation,
        lanes: &'a [Vec<(usize, Days)>],
        cells: usize,
        wanted: &'a Wanted,
        free_is_customer: bool,
    ) -> Self {
        Self {
            ledger,
            segmentation,
            lanes,
            wanted,
            free_is_customer,
            segments: segmentation.len(),
            sums: vec![0; cells * SUMS],
            spread: vec![Vec::new(); cells],
            survival: vec![Vec::new(); cells],
            subscriptions: vec![0; cells],
            seen: Vec::new(),
            group: Vec::new(),
            net: Vec::new(),
            touched: Vec::new(),
            items: Vec::new(),
        }
    }

    fn customer(&mut self, customer: usize) {
        if !self.segmentation.has_customer(customer) {
            return;
        }
        let rows = self.ledger.of_customer(customer);
        let Some(offers) = self.ledger.offer.get(rows.clone()) else { return };
        // Most of those who have nothing in any segment are known by this.
        if !offers.iter().any(|offer| self.segmentation.has_part(*offer)) {
            return;
        }
        self.look(customer, rows.clone());
        let mut touched = std::mem::take(&mut self.touched);
        for lane in self.lanes {
            for segment in &touched {
                self.walk(lane, *segment);
            }
        }
        if let Some(subscriptions) = &self.wanted.subscriptions {
            self.count_subscriptions(customer, rows, subscriptions);
        }
        touched.clear();
        self.touched = touched;
    }

    /// What each segment sees of the customer's changes, in order of day.
    fn look(&mut self, customer: usize, rows: Range<usize>) {
        let ledger = self.ledger;
        self.seen.clear();
        self.touched.clear();
        let mut first = rows.start;
        while first < rows.end {
            let day = ledger.day[first];
            let last = (first..rows.end).find(|row| ledger.day[*row] != day).unwrap_or(rows.end);
            if last - first == 1 {
                let segment = self.segmentation.segment(customer, ledger.offer[first]);
                let (kind, cause, delta) = (ledger.kind[first], ledger.cause[first], ledger.delta_micros[first]);
                self.see(&[Seen { day, segment, kind, cause, delta, moved: delta, counts: true }]);
                first = last;
                continue;
            }
            // What rates did comes before what the customer did; else the kinds come in the order of the ledger.
            let mut kinds = [Kind::Fx; KINDS + 1];
            let mut count = 1;
            for kind in &ledger.kind[first..last] {
                if !kinds[..count].contains(kind) {
                    kinds[count] = *kind;
                    count += 1;
                }
            }
            for kind in &kinds[..count] {
                self.group.clear();
                for row in (first..last).filter(|row| ledger.kind[*row] == *kind) {
                    let segment = self.segmentation.segment(customer, ledger.offer[row]);
                    let (delta, cause) = (ledger.delta_micros[row], ledger.cause[row]);
                    match self.group.iter_mut().find(|seen| seen.segment == segment && seen.cause == cause) {
                        Some(seen) => {
                            seen.delta += delta;
                            seen.moved += delta;
                        }
                        None => {
                            self.group.push(Seen {
                                day,
                                segment,
                                kind: *kind,
                                cause,
                                delta,
                                moved: delta,
                                counts: true,
                            });
                        }
                    }
                }
                if self.group.len() > 1 {
                    share_out(&mut self.group, &mut self.net);
                }
                let group = std::mem::take(&mut self.group);
                self.see(&group);
                self.group = group;
            }
            first = last;
        }
    }

    fn see(&mut self, changes: &[Seen]) {
        for seen in changes {
            if !self.touched.contains(&seen.segment) && seen.segment != OUTSIDE {
                self.touched.push(seen.segment);
            }
        }
        self.seen.extend_from_slice(changes);
    }

    /// Adds up one segment of the customer over the windows of one lane. Windows between whose ends and those of the window
    /// before no change lies see the same, so that a customer costs as much as changed, however many windows there are.
    fn walk(&mut self, lane: &[(usize, Days)], segment: u32) {
        let seen = std::mem::take(&mut self.seen);
        let (mut at_start, mut at_end) = (Cursor::default(), Cursor::default());
        let first_day = seen.first().map_or(i32::MAX, |seen| seen.day);
        let mut rest = &lane[lane.partition_point(|(_, window)| window.end.0 <= first_day)..];
        let mut stood = Standings::default();
        while let Some((_, window)) = rest.first() {
            at_start.advance(&seen, window.start.0, segment);
            at_end.advance(&seen, window.end.0, segment);
            let next_day = |cursor: &Cursor| seen.get(cursor.next).map_or(i32::MAX, |change| change.day);
            let (next_start, next_end) = (next_day(&at_start), next_day(&at_end));
            let is_alike = |(_, window): &(usize, Days)| window.start.0 <= next_start && window.end.0 <= next_end;
            let (alike, others) = rest.split_at(leading(rest, is_alike));
            let run = Run {
                first: self.place(alike, segment),
                after: (!others.is_empty()).then(|| self.place(others, segment)),
            };
            rest = others;

            let pays = |cursor: &Cursor| {
                cursor.own.mrr > 0
                    || (self.free_is_customer && cursor.whole.pays && cursor.whole.mrr == 0 && cursor.own.pays)
            };
            let (own_start, own_end) = (at_start.own.mrr, at_end.own.mrr);
            let (pays_start, pays_end) = (pays(&at_start), pays(&at_end));
            let within = &seen[at_start.next..at_end.next];
            let live_at_start = at_start.whole.pays;
            let sums = &mut self.sums;
            let mut any = pays_start;
            if !within.is_empty() {
                let mut with = [false; KINDS];
                let mut churned = false;
                let mut standing = own_start;
                for change in within {
                    churned |= change.kind == Kind::Churn;
                    if change.segment != segment {
                        continue;
                    }
                    let kind = change.kind as usize;
                    let transferred = change.delta - change.moved;
                    if change.kind != Kind::Transfer {
                        run.add(sums, sum::MOVED + kind, change.moved);
                        with[kind] |= change.counts;
                        if live_at_start {
                            run.add(sums, sum::OF_OPENING + kind, change.moved);
                        }
                    }
                    let side = if transferred > 0 { sum::TRANSFERRED_IN } else { sum::TRANSFERRED_OUT };
                    run.add(sums, side, transferred);
                    if change.kind == Kind::Expansion {
                        run.add(sums, sum::EXPANDED + change.cause as usize, change.moved);
                    }
                    standing += change.delta;
                    any |= standing > 0
                        || (self.free_is_customer && matches!(change.kind, Kind::New | Kind::Reactivation));
                }
                for (kind, has) in with.iter().enumerate() {
                    run.add(sums, sum::CUSTOMERS_WITH + kind, i64::from(*has));
                }
                let lost = churned && !at_end.whole.pays;
                run.add(sums, sum::LOST, i64::from(lost && (pays_start || with[Kind::Churn as usize])));
                run.add(sums, sum::LOST_OF_OPENING, i64::from(lost && pays_start));
            }
            let stands = Standings([
                (sum::MRR_OPENING, own_start),
                (sum::MRR_CLOSING, own_end),
                (sum::CUSTOMERS_OPENING, i64::from(pays_start)),
                (sum::CUSTOMERS_CLOSING, i64::from(pays_end)),
                (sum::PAYING_ANY, i64::from(any)),
                (sum::RETAINED, if live_at_start { own_end } else { 0 }),
                (sum::RETAINED_CAPPED, if live_at_start { own_end.min(own_start) } else { 0 }),
            ]);
            stands.go_on_from(&stood, &mut sums[run.first..run.first + SUMS]);
            stood = stands;
            if self.wanted.spread && own_end > 0 {
                alike.iter().for_each(|(index, _)| self.spread[index * self.segments + segment as usize].push(own_end));
            }
            if (self.wanted.lifetimes || self.wanted.survival) && at_end.first_paid < window.end.0 {
                let left = (!at_end.whole.pays).then_some(at_end.last_left);
                // A life is counted once: in the segment in which it ended, or else stands.
                let counted = match left {
                    Some(_) => at_end.left_in == segment,
                    None => at_end.home == segment,
                };
                if let Some(left) = left.filter(|_| counted) {
                    run.add(sums, sum::LIFETIME_DAYS, i64::from(left - at_end.first_paid));
                    run.add(sums, sum::LIFETIMES, 1);
                }
                if counted && self.wanted.survival {
                    for (index, window) in alike {
                        let days = left.unwrap_or(window.end.0) - at_end.first_paid;
                        // Months of 365/12 days.
                        let months = u32::try_from(i64::from(days) * 12 / 365).unwrap_or(0);
                        let life = Life { time: months, ended: left.is_some() };
                        self.survival[index * self.segments + segment as usize].push(life);
                    }
                }
            }
        }
        self.seen = seen;
    }

    /// Where the sums of the first of some windows begin.
    fn place(&self, windows: &[(usize, Days)], segment: u32) -> usize {
        windows.first().map_or(usize::MAX, |(index, _)| (index * self.segments + segment as usize) * SUMS)
    }

    /// Counts the subscriptions that pay at the end of each window.
    fn count_subscriptions(&mut self, customer: usize, rows: Range<usize>, subscriptions: &[u32]) {
        self.items.clear();
        for row in rows {
            let segment = self.segmentation.segment(customer, self.ledger.offer[row]);
            if segment != OUTSIDE {
                self.items.push((
                    subscriptions.get(self.ledger.subscription[row] as usize).copied().unwrap_or_default(),
                    segment,
                    self.ledger.day[row],
                    self.ledger.delta_micros[row],
                ));
            }
        }
        self.items.sort_unstable_by_key(|(subscription, segment, day, _)| (*subscription, *segment, *day));
        for item in self.items.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            for (index, window) in self.lanes.iter().flatten() {
                let mrr: i64 = item.iter().filter(|change| change.2 < window.end.0).map(|change| change.3).sum();
                if let Some(count) = self.subscriptions.get_mut(index * self.segments + item[0].1 as usize) {
                    *count += i64::from(mrr > 0);
                }
            }
        }
    }
}

/// Walks forward over what was seen.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    next: usize,
    own: Standing,
    whole: Standing,
    first_paid: i32,
    last_left: i32,
    left_in: u32,
    home: u32,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            next: 0,
            own: Standing::default(),
            whole: Standing::default(),
            first_paid: i32::MAX,
            last_left: i32::MAX,
            left_in: OUTSIDE,
            home: OUTSIDE,
        }
    }
}

impl Cursor {
    /// Takes in everything before a day.
    fn advance(&mut self, seen: &[Seen], day: i32, segment: u32) {
        while let Some(change) = seen.get(self.next).filter(|change| change.day < day) {
            self.whole.mrr += change.delta;
            match change.kind {
                Kind::New | Kind::Reactivation => {
                    self.whole.pays = true;
                    self.first_paid = self.first_paid.min(change.day);
                    self.home = change.segment;
                }
                Kind::Churn => {
                    self.whole.pays = false;
                    self.last_left = change.day;
                    self.left_in = change.segment;
                }
                _ => {}
            }
            if change.segment == segment {
                self.own.mrr += change.delta;
                match change.kind {
                    Kind::New | Kind::Reactivation => self.own.pays = true,
                    Kind::Churn => self.own.pays = false,
                    _ => {}
                }
            }
            self.next += 1;
        }
    }
}

/// How many of the first ones are alike, where none is after one that is not: mostly one or two, or all.
fn leading<T>(all: &[T], is_alike: impl Fn(&T) -> bool) -> usize {
    const FEW: usize = 3;
    if all.last().is_none_or(&is_alike) {
        return all.len();
    }
    match all.iter().take(FEW).position(|one| !is_alike(one)) {
        Some(place) => place,
        None => FEW + all[FEW..].partition_point(is_alike),
    }
}

/// What a segment gains or loses by one change, and its share of what is left of the change.
struct Net {
    segment: u32,
    sum: i128,
    share: i128,
}

/// Of the parts of one change that cancel out between segments, nothing is a movement: it was transferred. What is
/// left of the change is shared out among the segments that moved its way, in proportion, the remainder to the first.
fn share_out(group: &mut Vec<Seen>, net: &mut Vec<Net>) {
    let kind = group[0].kind;
    if kind == Kind::Fx {
        return;
    }
    let total: i128 = group.iter().map(|seen| i128::from(seen.delta)).sum();
    let sign = if total < 0 { -1 } else { 1 };
    let several = group.iter().any(|seen| seen.segment != group[0].segment);
    let against = group.iter().any(|seen| i128::from(seen.delta) * sign < 0);
    if !several || !against {
        if kind == Kind::Transfer && !several {
            // Nothing crosses from one segment to another, so nothing is seen.
            group.clear();
        }
        return;
    }
    // Within a segment the causes net first: only what crosses from one segment to another is a transfer.
    net.clear();
    for seen in group.iter() {
        match net.iter_mut().find(|net| net.segment == seen.segment) {
            Some(net) => net.sum += i128::from(seen.delta),
            None => net.push(Net { segment: seen.segment, sum: i128::from(seen.delta), share: 0 }),
        }
    }
    let forward: i128 = net.iter().map(|net| (net.sum * sign).max(0)).sum();
    let mut left = total;
    for net in net.iter_mut().filter(|_| forward != 0) {
        net.share = match (net.sum * sign).max(0) {
            0 => 0,
            // Most have one side that moves the way of the whole.
            own if own == forward => total,
            own => total * own / forward,
        };
        left -= net.share;
    }
    if let Some(first_forward) = net.iter_mut().find(|net| net.sum * sign > 0) {
        first_forward.share += left;
    }
    for Net { segment, share, .. } in net.iter() {
        // The movement of a segment is put on its largest part; the other causes there only carry transfers.
        let largest = group
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.segment == *segment)
            .max_by_key(|(place, seen)| (i128::from(seen.delta) * sign, std::cmp::Reverse(*place)))
            .map(|(place, _)| place);
        for (place, seen) in group.iter_mut().enumerate().filter(|(_, seen)| seen.segment == *segment) {
            seen.moved = if Some(place) == largest { i64::try_from(*share).unwrap_or(i64::MAX) } else { 0 };
            seen.counts = seen.moved != 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use revenue::movement::{Cause, Movement};

    use super::*;

    /// A movement: days since the one before, offer, amount, kind and cause.
    type Moves = (i32, u32, i64, usize, usize);

    /// Movements of one customer.
    fn movements() -> impl Strategy<Value = Vec<Moves>> {
        let kinds = 0..Kind::ALL.len();
        let causes = 0..Cause::ALL.len();
        prop::collection::vec((0i32..90, 0u32..4, -40i64..60, kinds, causes), 0..8)
    }

    fn ledger(customers: &[Vec<Moves>]) -> Ledger {
        let mut ledger = Ledger::default();
        for rows in customers {
            let mut day = 0;
            let mut of_customer: Vec<Movement> = Vec::new();
            for (later, offer, delta_micros, kind, cause) in rows {
                day += later;
                of_customer.push(Movement {
                    day,
                    subscription: *offer,
                    offer: *offer,
                    fact: 0,
                    delta_micros: *delta_micros,
                    kind: Kind::ALL[*kind].0,
                    cause: Cause::ALL[*cause].0,
                    reason: Default::default(),
                    confidence: revenue::timeline::Confidence::Exact,
                });
            }
            ledger.push_customer(&of_customer);
        }
        ledger
    }

    proptest! {
        /// What a window sees does not depend on the windows beside it, however they lie.
        #[test]
        fn windows_see_together_what_each_sees_alone(
            customers in prop::collection::vec(movements(), 1..12),
            windows in prop::collection::vec((-20i32..400, 0i32..200), 1..14),
            months in 0i32..14,
            outside in 0usize..12,
            parts in prop::sample::select(vec![[0, 0, 0, 0], [0, 0, 1, OUTSIDE], [0, OUTSIDE, OUTSIDE, OUTSIDE], [0, 1, 2, 3]]),
            free_is_customer: bool,
            lives: bool,
        ) {
            let ledger = ledger(&customers);
            let mut of_customer = vec![0; customers.len()];
            if let Some(code) = of_customer.get_mut(outside) {
                *code = OUTSIDE;
            }
            let segments = parts.iter().filter(|part| **part != OUTSIDE).max().map_or(1, |last| last + 1) as usize;
            let segmentation = Segmentation::of_codes(of_customer, parts.to_vec(), segments);
            let mut windows: Vec<Days> = windows
                .into_iter()
                .map(|(start, length)| Days { start: Day(start), end: Day(start + length) })
                .collect();
            windows.extend((0..months).flat_map(|month| {
                let end = Day(30 * (month + 1));
                [Days { start: Day(30 * month), end }, Days { start: Day(30 * (month - 11)), end }]
            }));
            let wanted = Wanted { spread: lives, lifetimes: lives, survival: lives, subscriptions: None };
            let together = cube(&ledger, &segmentation, &windows, &wanted, free_is_customer);
            for window in &windows {
                let alone = cube(&ledger, &segmentation, &[*window], &wanted, free_is_customer);
                for segment in 0..segments {
                    let (here, there) = (together.place(*window, segment), alone.place(*window, segment));
                    let (here, there) = (here.unwrap_or_default(), there.unwrap_or_default());
                    for sum in 0..SUMS {
                        prop_assert_eq!(together.get(here, sum), alone.get(there, sum), "{:?} {} {}", window, segment, sum);
                    }
                    prop_assert_eq!(&together.spread[here], &alone.spread[there]);
                    let lives = |cube: &Cube, place: usize| format!("{:?}", cube.survival[place]);
                    prop_assert_eq!(lives(&together, here), lives(&alone, there));
                }
            }
        }
    }
}
