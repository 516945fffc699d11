//! The times of a series: of what kind they are, how far apart, what recurs over them, and which come next.
//!
//! Times are whole numbers (`1`, `2`, ...), years, quarters (`2024-Q1`, `2024Q1`), months (`2024-01`) or days (`2024-01-31`,
//! also with a time of day that is the same in each row). Days that are a month apart are months. What comes next is
//! written as the file writes it.

use std::collections::BTreeMap;

use revenue::calendar::{Day, days_in_month};

use super::Rhythm;

/// A series may have so many times without a value for each one with.
const GAPS_FOR_A_POINT: usize = 1;

/// How a file writes times.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A whole number, and what stands behind it (`.0`, or nothing).
    Whole(String),
    /// A month, as `2024-01`.
    Month,
    /// A quarter, and what stands between year and quarter (`-Q`).
    Quarter(String),
    /// A day, and what stands behind it (`T00:00:00Z`, or nothing).
    Day(String),
    /// One day of each month, and what stands behind it. A month that is shorter has its last day.
    DayOfMonth(u32, String),
}

/// The times of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    kind: Kind,
    last: i64,
    step: i64,
}

/// A series with a value at each of its times.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Its times.
    pub times: Times,
    /// Its values, a step apart.
    pub values: Vec<f64>,
    /// What was left out or filled.
    pub issues: Vec<Issue>,
}

/// What was not as a series should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Issue {
    /// It is no time.
    #[error("`{0}` is no time and is left out; write 1, 2024, 2024-Q1, 2024-01 or 2024-01-31")]
    NoTime(String),
    /// It is a time of another kind than the first one.
    #[error("the time `{0}` is not of the kind of `{1}` and is left out; a series has one kind of time")]
    OtherKind(String, String),
    /// It stands there twice.
    #[error("the time `{0}` stands there more than once; the first value is taken")]
    Twice(String),
    /// It is not a whole number of steps from the others.
    #[error("the time `{0}` does not lie a whole number of steps from the first and is left out")]
    OffStep(String),
    /// Times without a value.
    #[error("between `{after}` and `{before}` {} without a value, filled in evenly", times(*.count))]
    Gap {
        /// The last time before it.
        after: String,
        /// The first time after it.
        before: String,
        /// How many are lacking.
        count: usize,
    },
    /// Too few of the times have a value.
    #[error("of {times} times only {points} have a value, which is too few to fill in the others")]
    TooManyGaps {
        /// How many times there are from the first to the last.
        times: usize,
        /// How many of them have a value.
        points: usize,
    },
}

fn times(count: usize) -> String {
    if count == 1 { "one time is".to_owned() } else { format!("{count} times are") }
}

impl History {
    /// Orders points, fills what is lacking between them, and lists what was not as it should be.
    ///
    /// # Errors
    /// With the issues, when no series is left that could be forecast.
    pub fn of(points: &[(String, f64)]) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let mut known: Vec<(i64, &str, f64)> = Vec::with_capacity(points.len());
        let mut first: Option<(Kind, &str)> = None;
        for (text, value) in points {
            let Some((kind, position)) = Kind::read(text.trim()) else {
                issues.push(Issue::NoTime(text.clone()));
                continue;
            };
            let (of_all, example) = first.get_or_insert((kind.clone(), text));
            if *of_all == kind {
                known.push((position, text, *value));
            } else {
                issues.push(Issue::OtherKind(text.clone(), (*example).to_owned()));
            }
        }
        let Some((mut kind, _)) = first else { return Err(issues) };
        // The sort is stable: of two with the same time, the first in the file stays first.
        known.sort_by_key(|(position, ..)| *position);
        known.dedup_by(|later, earlier| {
            let is_twice = later.0 == earlier.0;
            if is_twice {
                issues.push(Issue::Twice(later.1.to_owned()));
            }
            is_twice
        });
        if let Some(months) = kind.as_months(&known) {
            kind = months;
            for (position, ..) in &mut known {
                *position = month_of(*position);
            }
        }
        let step = usual_step(&known);
        let begin = known[0].0;
        known.retain(|(position, text, _)| {
            let is_on_step = (position - begin) % step == 0;
            if !is_on_step {
                issues.push(Issue::OffStep((*text).to_owned()));
            }
            is_on_step
        });
        let last = known[known.len() - 1].0;
        let lacking = usize::try_from((last - begin) / step + 1).unwrap_or(usize::MAX) - known.len();
        if lacking > known.len() * GAPS_FOR_A_POINT {
            issues.push(Issue::TooManyGaps { times: lacking + known.len(), points: known.len() });
            return Err(issues);
        }
        let mut values = vec![known[0].2];
        for pair in known.windows(2) {
            let ((from, after, value), (to, before, next)) = (pair[0], pair[1]);
            let steps = usize::try_from((to - from) / step).unwrap_or(1);
            if steps > 1 {
                issues.push(Issue::Gap { after: after.to_owned(), before: before.to_owned(), count: steps - 1 });
            }
            values.extend((1..steps).map(|index| value + (next - value) * (index as f64 / steps as f64)));
            values.push(next);
        }
        Ok(Self { times: Times { kind, last, step }, values, issues })
    }
}

impl Times {
    /// What recurs over such times.
    #[must_use]
    pub fn rhythm(&self) -> Rhythm {
        let in_a_year = |times: i64| match times / self.step {
            parts if parts > 1 && times % self.step == 0 => Rhythm::Every(usize::try_from(parts).unwrap_or(1)),
            _ => Rhythm::None,
        };
        match (&self.kind, self.step) {
            // Whole numbers that are years have no season.
            (Kind::Whole(_), 1) if (1_800..2_200).contains(&self.last) => Rhythm::None,
            (Kind::Whole(_), _) => Rhythm::Unknown,
            (Kind::Month | Kind::DayOfMonth(..), _) => in_a_year(12),
            (Kind::Quarter(_), _) => in_a_year(4),
            (Kind::Day(_), 1) => Rhythm::Every(7),
            (Kind::Day(_), 7) => Rhythm::Every(52),
            (Kind::Day(_), _) => Rhythm::None,
        }
    }

    /// The time so many steps after the last one, as the file would write it.
    #[must_use]
    pub fn after(&self, steps: usize) -> String {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        self.kind.write(self.last.saturating_add(self.step.saturating_mul(steps)))
    }
}

impl Kind {
    fn read(text: &str) -> Option<(Kind, i64)> {
        let (whole, tail) = text.strip_suffix(".0").map_or((text, ""), |whole| (whole, ".0"));
        if let Ok(number) = whole.parse::<i64>() {
            // Far beyond any count of periods, differences would not fit.
            return (number.abs() < 1 << 53).then(|| (Kind::Whole(tail.to_owned()), number));
        }
        let (year, rest) = text.split_at_checked(4)?;
        let year: i64 = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse().ok())??;
        for separator in ["-Q", "Q", "-q", "q", " Q"] {
            if let Some(quarter) = rest.strip_prefix(separator) {
                let quarter: i64 = quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
                return Some((Kind::Quarter(separator.to_owned()), year * 4 + quarter - 1));
            }
        }
        if text.len() == 7 {
            let day = Day::parse(&format!("{text}-01"))?;
            return Some((Kind::Month, month_of(i64::from(day.0))));
        }
        let (day, tail) = text.split_at_checked(10)?;
        let day = Day::parse(day)?;
        (tail.is_empty() || tail.starts_with(['T', ' '])).then(|| (Kind::Day(tail.to_owned()), i64::from(day.0)))
    }

    /// Days that are one day of each month: the same, or the last of shorter months.
    fn as_months(&self, known: &[(i64, &str, f64)]) -> Option<Kind> {
        let Kind::Day(tail) = self else { return None };
        let civil = |position: i64| i32::try_from(position).ok().map(|day| Day(day).civil());
        let day_of_month = known.iter().filter_map(|(position, ..)| civil(*position)).map(|(_, _, day)| day).max()?;
        let all_fit = known.iter().all(|(position, ..)| {
            civil(*position).is_some_and(|(year, month, day)| day == day_of_month.min(days_in_month(year, month)))
        });
        (known.len() > 1 && all_fit).then(|| Kind::DayOfMonth(day_of_month, tail.clone()))
    }

    fn write(&self, position: i64) -> String {
        match self {
            Kind::Whole(tail) => format!("{position}{tail}"),
            Kind::Month => format!("{:04}-{:02}", position.div_euclid(12), position.rem_euclid(12) + 1),
            Kind::Quarter(separator) => {
                format!("{:04}{separator}{}", position.div_euclid(4), position.rem_euclid(4) + 1)
            }
            Kind::Day(tail) => format!("{}{tail}", Day(i32::try_from(position).unwrap_or(i32::MAX))),
            Kind::DayOfMonth(day, tail) => {
                let year = i32::try_from(position.div_euclid(12)).unwrap_or(i32::MAX);
                let month = u32::try_from(position.rem_euclid(12) + 1).unwrap_or(1);
                format!("{year:04}-{month:02}-{:02}{tail}", (*day).min(days_in_month(year, month)))
            }
        }
    }
}

/// Months since the year 0.
fn month_of(day: i64) -> i64 {
    let (year, month, _) = Day(i32::try_from(day).unwrap_or_default()).civil();
    i64::from(year) * 12 + i64::from(month) - 1
}

/// The difference that is between most times, of equals the least.
fn usual_step(known: &[(i64, &str, f64)]) -> i64 {
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in known.windows(2) {
        *seen.entry(pair[1].0 - pair[0].0).or_default() += 1;
    }
    let usual = seen.into_iter().max_by(|(step, count), (other, others)| count.cmp(others).then(other.cmp(step)));
    usual.map_or(1, |(step, _)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(times: &[&str]) -> Result<History, Vec<Issue>> {
        let points: Vec<_> = times.iter().enumerate().map(|(index, time)| ((*time).to_owned(), index as f64)).collect();
        History::of(&points)
    }

    #[test]
    fn each_kind_of_time_is_continued_as_it_is_written() {
        for (times, next, rhythm) in [
            (["1", "2", "3"], ["4", "5"], Rhythm::Unknown),
            (["0.0", "1.0", "2.0"], ["3.0", "4.0"], Rhythm::Unknown),
            (["10", "20", "30"], ["40", "50"], Rhythm::Unknown),
            (["1999", "2000", "2001"], ["2002", "2003"], Rhythm::None),
            (["2024-Q2", "2024-Q3", "2024-Q4"], ["2025-Q1", "2025-Q2"], Rhythm::Every(4)),
            (["2024Q2", "2024Q4", "2025Q2"], ["2025Q4", "2026Q2"], Rhythm::Every(2)),
            (["2023-11", "2023-12", "2024-01"], ["2024-02", "2024-03"], Rhythm::Every(12)),
            (["2023-01", "2023-04", "2023-07"], ["2023-10", "2024-01"], Rhythm::Every(4)),
            (["2023-11-01", "2023-12-01", "2024-01-01"], ["2024-02-01", "2024-03-01"], Rhythm::Every(12)),
            (["2023-12-31", "2024-01-31", "2024-02-29"], ["2024-03-31", "2024-04-30"], Rhythm::Every(12)),
            (["2021-07-01", "2022-07-01", "2023-07-01"], ["2024-07-01", "2025-07-01"], Rhythm::None),
            (["2024-02-27", "2024-02-28", "2024-02-29"], ["2024-03-01", "2024-03-02"], Rhythm::Every(7)),
            (["2024-01-01", "2024-01-08", "2024-01-15"], ["2024-01-22", "2024-01-29"], Rhythm::Every(52)),
            (
                ["2024-01-01 00:00:00", "2024-01-02 00:00:00", "2024-01-03 00:00:00"],
                ["2024-01-04 00:00:00", "2024-01-05 00:00:00"],
                Rhythm::Every(7),
            ),
        ] {
            let found = history(&times).unwrap();
            assert_eq!([found.times.after(1), found.times.after(2)], next, "{times:?}");
            assert_eq!(found.times.rhythm(), rhythm, "{times:?}");
            assert!(found.issues.is_empty(), "{:?}", found.issues);
        }
    }

    #[test]
    fn points_may_come_in_any_order() {
        let found = history(&["2024-03", "2024-01", "2024-02"]).unwrap();
        assert_eq!((found.values, found.issues), (vec![1.0, 2.0, 0.0], vec![]));
    }

    #[test]
    fn a_gap_is_filled_evenly_and_told() {
        let found = history(&["1", "2", "3", "6"]).unwrap();
        let even = [0.0, 1.0, 2.0, 2.0 + 1.0 / 3.0, 2.0 + 2.0 / 3.0, 3.0];
        assert!(found.values.iter().zip(even).all(|(found, wanted)| (found - wanted).abs() < 1e-12), "{found:?}");
        assert_eq!(found.issues, [Issue::Gap { after: "3".to_owned(), before: "6".to_owned(), count: 2 }]);
        assert_eq!(found.issues[0].to_string(), "between `3` and `6` 2 times are without a value, filled in evenly");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_told() {
        let found = history(&["2024-01", "soon", "2024-02", "2024-02", "2024-03-01", "2024-03", "2024-13"]).unwrap();
        assert_eq!(found.values, [0.0, 2.0, 5.0]);
        let told: Vec<String> = found.issues.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("`soon` is no time"), "{told:?}");
        assert!(told[1].starts_with("the time `2024-03-01` is not of the kind of `2024-01`"), "{told:?}");
        assert!(told[2].starts_with("`2024-13` is no time"), "{told:?}");
        assert!(told[3].starts_with("the time `2024-02` stands there more than once"), "{told:?}");
        let found = history(&["0", "10", "20", "25", "30", "40"]).unwrap();
        assert_eq!(
            (found.values, found.issues),
            (vec![0.0, 1.0, 2.0, 4.0, 5.0], vec![Issue::OffStep("25".to_owned())])
        );
    }

    #[test]
    fn a_series_of_holes_is_none() {
        let issues = history(&["1", "2", "1000000000000"]).unwrap_err();
        assert_eq!(issues, [Issue::TooManyGaps { times: 1_000_000_000_000, points: 3 }]);
        assert_eq!(history(&["", "x"]).unwrap_err().len(), 2);
        assert!(history(&[]).unwrap_err().is_empty());
    }
}
