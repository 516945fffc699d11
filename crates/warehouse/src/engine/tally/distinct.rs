//! Distinct ids, for every window at once.
//!
//! Sorted by id and day, an entry is the first of its id in the window `[s, t)` when the entry before it lies before s
//! and it lies in the window. So each entry adds one to a table of (window start, interval of days) for all starts
//! between the entry before it and itself: a difference of two cells, whatever the number of windows. A window is then
//! the sum of its intervals in the row of its start.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::cube::Days;
use crate::observed::NO_ID;

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
    /// Counts ids; over segments each belongs to that of its first fact in the window. Facts come as
    /// (id, day, segment); of one day the first in the order given counts.
    pub fn by_first(facts: impl Iterator<Item = (u32, i32, u32)>, windows: &[Days]) -> Distinct {
        let mut distinct = Distinct::empty(windows);
        let mut one_segment = true;
        let mut segment_of_all = None;
        let mut entries: Vec<(u64, u32)> = Vec::new();
        for (id, day, segment) in facts.filter(|(id, _, _)| *id != NO_ID) {
            one_segment &= *segment_of_all.get_or_insert(segment) == segment;
            entries.push((key(id, day), segment));
        }
        if one_segment {
            // The usual case needs no segments to sort along.
            let Some(segment) = segment_of_all else { return distinct };
            let mut keys: Vec<u64> = entries.iter().map(|(key, _)| *key).collect();
            drop(entries);
            keys.par_sort_unstable();
            distinct.add_sorted(keys.into_iter().map(|key| (key, segment)));
        } else {
            entries.par_sort_by_key(|(key, _)| *key);
            distinct.add_sorted(entries.into_iter());
        }
        distinct.finish();
        distinct
    }

    /// Counts ids in every segment in which they occur.
    pub fn in_each(facts: impl Iterator<Item = (u32, i32, u32)>, windows: &[Days]) -> Distinct {
        let mut distinct = Distinct::empty(windows);
        let mut by_segment: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (id, day, segment) in facts.filter(|(id, _, _)| *id != NO_ID) {
            by_segment.entry(segment).or_default().push(key(id, day));
        }
        for (segment, mut keys) in by_segment {
            keys.par_sort_unstable();
            distinct.add_sorted(keys.into_iter().map(|key| (key, segment)));
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

    fn add_sorted(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        let intervals = self.borders.len();
        let cells = (self.starts.len() + 1) * intervals;
        let (Some(first), Some(last)) = (self.borders.first().copied(), self.borders.last().copied()) else { return };
        // A day's place among the starts and the borders, looked up once a day and not once a fact.
        let after = |days: &[i32]| -> Vec<u32> {
            (first..=last).map(|day| days.partition_point(|other| *other <= day) as u32).collect()
        };
        let (starts_at, borders_at) = (after(&self.starts), after(&self.borders));
        let place = |day: i32| (day - first) as usize;
        let mut before: Option<u64> = None;
        let mut kept: Option<(u32, Vec<i32>)> = None;
        for (entry, segment) in entries {
            let day = day_of(entry);
            if day < first || day >= last || before == Some(entry) {
                continue;
            }
            // Starts after the entry before it, up to its own day.
            let from = before.filter(|other| other >> 32 == entry >> 32).map_or(0, |o| starts_at[place(day_of(o))]);
            let to = starts_at[place(day)];
            before = Some(entry);
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

/// Calls `found` once for each id and day, with the segment of its first fact of the day.
pub fn by_day(facts: impl Iterator<Item = (u32, i32, u32)>, range: Days, mut found: impl FnMut(u32, i32)) {
    let mut entries: Vec<(u64, u32)> = facts
        .filter(|(id, day, _)| *id != NO_ID && (range.start.0..range.end.0).contains(day))
        .map(|(id, day, segment)| (key(id, day), segment))
        .collect();
    entries.par_sort_by_key(|(key, _)| *key);
    entries.dedup_by_key(|(key, _)| *key);
    for (key, segment) in entries {
        found(segment, day_of(key));
    }
}

/// Sorts by id, then by day.
fn key(id: u32, day: i32) -> u64 {
    // Flipping the sign makes days before 1970 sort before those after.
    u64::from(id) << 32 | u64::from(day as u32 ^ 0x8000_0000)
}

fn day_of(key: u64) -> i32 {
    (key as u32 ^ 0x8000_0000) as i32
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
            let first = Distinct::by_first(facts.iter().copied(), &windows);
            let each = Distinct::in_each(facts.iter().copied(), &windows);
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
