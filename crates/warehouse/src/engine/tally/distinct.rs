//! Distinct ids, for every window at once.
//!
//! With facts in order of day, a fact is the first of its id in the window `[s, t)` when the fact of the id before it
//! lies before s and it lies in the window. So each fact adds one to a table of (window start, interval of days) for all
//! starts between the fact before it and itself: a difference of two cells, whatever the number of windows. A window is
//! then the sum of its intervals in the row of its start.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::super::cube::Days;
use crate::observed::{NO_DAY, NO_ID};

/// An id, a day and a segment.
pub type Entry = (u32, i32, u32);

/// The facts of a column of days in order of day, and in their own order within one.
pub struct DayOrder(Option<Vec<u32>>);

impl DayOrder {
    /// Sorts, where files do not have that order already, by counting.
    #[must_use]
    pub fn of(days: &[i32]) -> Self {
        if days.is_sorted() {
            return DayOrder(None);
        }
        let known = || days.iter().copied().filter(|day| *day != NO_DAY);
        let (Some(first), Some(last)) = (known().min(), known().max()) else { return DayOrder(None) };
        let width = last as i64 - first as i64 + 2;
        let mut order: Vec<u32> = vec![0; days.len()];
        if width > 1_000_000 {
            order.iter_mut().enumerate().for_each(|(place, fact)| *fact = place as u32);
            order.sort_by_key(|fact| days[*fact as usize]);
            return DayOrder(Some(order));
        }
        let slot = |day: i32| if day == NO_DAY { 0 } else { (day - first) as usize + 1 };
        let mut begins = vec![0u32; width as usize + 1];
        days.iter().for_each(|day| begins[slot(*day) + 1] += 1);
        for place in 1..begins.len() {
            begins[place] += begins[place - 1];
        }
        for (fact, day) in days.iter().enumerate() {
            let begin = &mut begins[slot(*day)];
            order[*begin as usize] = fact as u32;
            *begin += 1;
        }
        DayOrder(Some(order))
    }

    /// The facts in that order.
    pub fn iter(&self, facts: usize) -> Box<dyn Iterator<Item = usize> + '_> {
        match &self.0 {
            None => Box::new(0..facts),
            Some(order) => Box::new(order.iter().map(|fact| *fact as usize)),
        }
    }
}

/// Distinct ids by window and segment.
pub struct Distinct {
    /// The starts of windows, sorted.
    starts: Vec<i32>,
    /// Every start and end of a window, sorted: the borders of intervals.
    borders: Vec<i32>,
    /// For each segment, by start and interval.
    counts: HashMap<u32, Vec<i32>>,
}

impl Distinct {
    /// Counts ids; over segments each belongs to that of its first fact in the window. The facts come in order of day;
    /// of one day the first that comes counts. Ids are numbered below `end`.
    pub fn by_first(facts: impl Iterator<Item = Entry>, end: usize, windows: &[Days]) -> Distinct {
        let mut distinct = Distinct::empty(windows);
        let mut seen = vec![NO_DAY; end];
        distinct.add(facts, &mut seen);
        distinct.finish();
        distinct
    }

    /// Counts ids in every segment in which they occur.
    pub fn in_each(facts: impl Iterator<Item = Entry>, end: usize, windows: &[Days]) -> Distinct {
        let mut distinct = Distinct::empty(windows);
        let mut by_segment: BTreeMap<u32, Vec<(u32, i32)>> = BTreeMap::new();
        for (id, day, segment) in facts {
            by_segment.entry(segment).or_default().push((id, day));
        }
        let mut seen = vec![NO_DAY; end];
        for (segment, entries) in by_segment {
            distinct.add(entries.iter().map(|(id, day)| (*id, *day, segment)), &mut seen);
            // Only what this segment touched is cleared for the next one.
            for (id, _) in entries {
                if let Some(seen) = seen.get_mut(id as usize) {
                    *seen = NO_DAY;
                }
            }
        }
        distinct.finish();
        distinct
    }

    fn empty(windows: &[Days]) -> Distinct {
        let mut starts: Vec<i32> = windows.iter().map(|days| days.start.0).collect();
        let mut borders: Vec<i32> = windows.iter().flat_map(|days| [days.start.0, days.end.0]).collect();
        for days in [&mut starts, &mut borders] {
            days.sort_unstable();
            days.dedup();
        }
        Distinct { starts, borders, counts: HashMap::new() }
    }

    /// Adds facts in order of day. `seen` has for each id the day of its fact before.
    fn add(&mut self, facts: impl Iterator<Item = Entry>, seen: &mut [i32]) {
        let intervals = self.borders.len();
        let cells = (self.starts.len() + 1) * intervals;
        let (Some(first), Some(last)) = (self.borders.first().copied(), self.borders.last().copied()) else { return };
        // A day's place among the starts and the borders, looked up once a day and not once a fact.
        let after = |days: &[i32]| -> Vec<u32> {
            (first..=last).map(|day| days.partition_point(|other| *other <= day) as u32).collect()
        };
        let (starts_at, borders_at) = (after(&self.starts), after(&self.borders));
        let place = |day: i32| (day - first) as usize;
        let mut kept: Option<(u32, Vec<i32>)> = None;
        for (id, day, segment) in facts {
            if day < first || day >= last {
                continue;
            }
            let Some(before) = seen.get_mut(id as usize) else { continue };
            if *before == day {
                continue;
            }
            // Starts after the fact before it, up to its own day.
            let from = if *before == NO_DAY { 0 } else { starts_at[place(*before)] };
            let to = starts_at[place(day)];
            *before = day;
            if from == to {
                continue;
            }
            if kept.as_ref().is_none_or(|(other, _)| *other != segment) {
                if let Some((other, counts)) = kept.take() {
                    self.counts.insert(other, counts);
                }
                kept = Some((segment, self.counts.remove(&segment).unwrap_or_else(|| vec![0; cells])));
            }
            if let Some((_, counts)) = kept.as_mut() {
                let interval = borders_at[place(day)] as usize - 1;
                counts[from as usize * intervals + interval] += 1;
                counts[to as usize * intervals + interval] -= 1;
            }
        }
        if let Some((segment, counts)) = kept {
            self.counts.insert(segment, counts);
        }
    }

    /// Turns differences between starts into counts.
    fn finish(&mut self) {
        let intervals = self.borders.len();
        for counts in self.counts.values_mut() {
            for cell in intervals..counts.len() {
                counts[cell] += counts[cell - intervals];
            }
        }
    }

    /// The segments in which there was anything.
    pub fn segments(&self) -> impl Iterator<Item = usize> {
        self.counts.keys().map(|segment| *segment as usize)
    }

    /// Distinct ids of a segment in a window that it was made for.
    #[must_use]
    pub fn count(&self, days: Days, segment: u32) -> i64 {
        let Some(counts) = self.counts.get(&segment) else { return 0 };
        let Ok(start) = self.starts.binary_search(&days.start.0) else { return 0 };
        let from = self.borders.partition_point(|border| *border < days.start.0);
        let to = self.borders.partition_point(|border| *border < days.end.0);
        let row = start * self.borders.len();
        counts[row + from..row + to].iter().map(|count| i64::from(*count)).sum()
    }
}

/// Calls `found` once for each id and day, with the segment of its first fact of the day. The facts come in order of day.
pub fn by_day(facts: impl Iterator<Item = Entry>, end: usize, range: Days, mut found: impl FnMut(u32, i32)) {
    let mut seen = vec![NO_DAY; end];
    for (id, day, segment) in facts.filter(|(id, day, _)| *id != NO_ID && (range.start.0..range.end.0).contains(day)) {
        let Some(before) = seen.get_mut(id as usize).filter(|before| **before != day) else { continue };
        *before = day;
        found(segment, day);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use revenue::calendar::Day;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_as_sets_do(
            facts in proptest::collection::vec((0u32..6, 0i32..30, 0u32..3), 0..60),
            windows in proptest::collection::vec((0i32..30, 1i32..20), 1..6),
        ) {
            let windows: Vec<Days> = windows
                .into_iter()
                .map(|(start, length)| Days { start: Day(start), end: Day(start + length) })
                .collect();
            let days: Vec<i32> = facts.iter().map(|(_, day, _)| *day).collect();
            let order = DayOrder::of(&days);
            let sorted = || order.iter(facts.len()).map(|fact| facts[fact]);
            prop_assert!(sorted().is_sorted_by_key(|(_, day, _)| day));
            let first = Distinct::by_first(sorted(), 6, &windows);
            let each = Distinct::in_each(sorted(), 6, &windows);
            for days in &windows {
                let inside: Vec<_> =
                    facts.iter().filter(|(_, day, _)| (days.start.0..days.end.0).contains(day)).collect();
                let mut belongs: BTreeMap<u32, (i32, u32)> = BTreeMap::new();
                for (id, day, segment) in &inside {
                    let known = belongs.entry(*id).or_insert((*day, *segment));
                    if *day < known.0 {
                        *known = (*day, *segment);
                    }
                }
                for segment in 0..3 {
                    let ids: BTreeSet<u32> =
                        inside.iter().filter(|(_, _, s)| *s == segment).map(|(id, _, _)| *id).collect();
                    prop_assert_eq!(each.count(*days, segment), ids.len() as i64);
                    let mine = belongs.values().filter(|(_, s)| *s == segment).count();
                    prop_assert_eq!(first.count(*days, segment), mine as i64);
                }
            }
        }
    }
}
