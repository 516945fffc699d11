//! Whether a target is met, where a figure should be by now on its way there, and how likely it gets there in time.
//!
//! On its way from where it began to the target a figure should grow by the same factor each month (by the same amount,
//! where either end is not above zero). The chance is the share of the forecast's distribution for the month of the target
//! that lies on its right side ([`crate::forecast`]); where the past is too short to say how sure a forecast is, there is
//! no chance, and never a guess.

use revenue::calendar::Day;

use crate::{
    condition::{ONE, Reading},
    forecast::{Rhythm, forecast},
};

/// A figure that should be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The number times 10¹².
    pub number: i128,
    /// Whether the figure should be at least that much; at most otherwise.
    pub is_floor: bool,
    /// The first day of the month at whose end it should be reached.
    pub by: Day,
    /// The first day of the month from which the way is measured.
    pub from: Day,
}

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// The month of the target is over, and the figure was there.
    Met,
    /// The month of the target is over, and the figure was not there.
    Missed,
    /// The month of the target is to come.
    Open {
        /// Where the figure should be by now, times 10¹²; nothing where the way has no beginning.
        pace: Option<i128>,
        /// The chance that it is met; nothing where the past is too short to say.
        chance: Option<f64>,
        /// What is expected at the end of the month of the target.
        expected: Option<f64>,
    },
    /// The figure has no value where it would be needed.
    NotKnown,
}

/// How a target stands by the figures of some months, in order, the last one being the last that is over; and the month
/// and number of the latest figure that counts for it.
#[must_use]
pub fn standing(target: &Target, figures: &[(Day, Reading)]) -> (Standing, Option<(Day, i128)>) {
    let of = |month: Day| figures.iter().find(|(day, _)| *day == month).and_then(|(_, reading)| reading.as_ref().ok());
    let Some((last_month, last)) = figures.last() else { return (Standing::NotKnown, None) };
    let is_there = |number: i128| if target.is_floor { number >= target.number } else { number <= target.number };
    if target.by <= *last_month {
        return match of(target.by) {
            Some(number) if is_there(*number) => (Standing::Met, Some((target.by, *number))),
            Some(number) => (Standing::Missed, Some((target.by, *number))),
            None => (Standing::NotKnown, None),
        };
    }
    let Ok(last_number) = last else { return (Standing::NotKnown, None) };
    let pace = of(target.from).and_then(|start| {
        let (whole, gone) = (months_between(target.from, target.by), months_between(target.from, *last_month));
        (whole > 0 && gone >= 0).then(|| on_the_way(*start, target.number, gone as f64 / whole as f64))
    });
    let known: Vec<f64> = figures
        .iter()
        .rev()
        .map_while(|(_, reading)| reading.as_ref().ok().map(|number| *number as f64 / ONE as f64))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let horizon = usize::try_from(months_between(*last_month, target.by)).unwrap_or_default();
    let (chance, expected) =
        chance(&known, horizon, target).map_or((None, None), |(chance, mean)| (chance, Some(mean)));
    (Standing::Open { pace, chance, expected }, Some((*last_month, *last_number)))
}

fn months_between(from: Day, to: Day) -> i32 {
    let number = |day: Day| {
        let (year, month, _) = day.civil();
        year * 12 + month as i32
    };
    number(to) - number(from)
}

/// Where something that goes from one number to another should be after a share of the way.
fn on_the_way(from: i128, to: i128, share: f64) -> i128 {
    let (from, to) = (from as f64, to as f64);
    let now = if from > 0.0 && to > 0.0 { from * (to / from).powf(share) } else { from + (to - from) * share };
    now.round() as i128
}

/// Levels of the intervals from which the distribution of the forecast is put together.
const LEVELS: [f64; 24] = [
    0.04, 0.08, 0.12, 0.16, 0.20, 0.24, 0.28, 0.32, 0.36, 0.40, 0.44, 0.48, 0.52, 0.56, 0.60, 0.64, 0.68, 0.72, 0.76,
    0.80, 0.84, 0.88, 0.92, 0.96,
];
/// With fewer months than this the errors of the past say nothing of those to come.
const LEAST_MONTHS: usize = 6;
/// A chance is never said to be more certain than this: the past does not hold everything that can happen.
const SUREST: f64 = 0.99;

/// The chance that a figure is on the right side of a target so many months ahead, and what is expected.
fn chance(history: &[f64], horizon: usize, target: &Target) -> Option<(Option<f64>, f64)> {
    let wanted = target.number as f64 / ONE as f64;
    let found = forecast(history, horizon, &LEVELS, Rhythm::None).ok()?;
    let step = found.steps.last()?;
    let (mut points, mut widest) = (vec![(0.5, step.mean)], 0.0f64);
    for (level, (lower, upper)) in LEVELS.iter().zip(&step.intervals) {
        points.push(((1.0 - level) / 2.0, *lower));
        points.push(((1.0 + level) / 2.0, *upper));
        widest = widest.max(upper - lower);
    }
    if widest <= 0.0 || history.len() < LEAST_MONTHS {
        // The past is too short for its errors to be known.
        return Some((None, step.mean));
    }
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let below = share_below(&points, wanted);
    let chance = if target.is_floor { 1.0 - below } else { below };
    Some((Some(chance.clamp(1.0 - SUREST, SUREST)), step.mean))
}

/// The share of a distribution below a value, between its quantiles on straight lines.
fn share_below(points: &[(f64, f64)], value: f64) -> f64 {
    let Some(first) = points.first() else { return 0.5 };
    if value <= first.1 {
        return 0.0;
    }
    for pair in points.windows(2) {
        let [(share, at), (next_share, next_at)] = pair else { continue };
        if value <= *next_at {
            let width = next_at - at;
            let part = if width > 0.0 { (value - at) / width } else { 1.0 };
            return share + (next_share - share) * part;
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Words;

    fn month(index: i32) -> Day {
        Day::from_civil(2024, 1, 1).unwrap().plus_months(index)
    }

    fn figures(numbers: &[f64]) -> Vec<(Day, Reading)> {
        let picos = |number: f64| (number * ONE as f64).round() as i128;
        (0..).map(month).zip(numbers.iter().map(|number| Ok(picos(*number)))).collect()
    }

    fn target(number: i128, by: i32) -> Target {
        Target { number: number * ONE, is_floor: true, by: month(by), from: month(0) }
    }

    #[test]
    fn a_target_whose_month_is_over_is_met_or_missed_to_the_cent() {
        let history = figures(&[100.0, 999.99, 1000.0]);
        assert_eq!(standing(&target(1000, 2), &history).0, Standing::Met);
        assert_eq!(standing(&target(1000, 1), &history), (Standing::Missed, Some((month(1), 999_990_000_000_000))));
        let ceiling = Target { is_floor: false, ..target(100, 0) };
        assert_eq!(standing(&ceiling, &history).0, Standing::Met);
        let unknown = vec![(month(0), Err(Words::fixed("a", "b", "c")))];
        assert_eq!(standing(&target(1, 0), &unknown), (Standing::NotKnown, None));
        assert_eq!(standing(&target(1, 0), &[]), (Standing::NotKnown, None));
    }

    #[test]
    fn on_its_way_a_figure_should_grow_by_the_same_factor_each_month() {
        // From 1,000 to 16,000 in four months: doubling; after two of them 4,000.
        let history = figures(&[1000.0, 1500.0, 3000.0]);
        let (found, now) = standing(&target(16_000, 4), &history);
        let Standing::Open { pace, chance, .. } = found else { panic!("{found:?}") };
        assert_eq!(pace.map(|picos| picos / ONE), Some(4000));
        assert_eq!(now, Some((month(2), 3000 * ONE)));
        // Three months say nothing of how sure a forecast is.
        assert_eq!(chance, None);
        // From nothing it is the same amount each month.
        let Standing::Open { pace, .. } = standing(&target(400, 4), &figures(&[0.0, 10.0])).0 else { panic!() };
        assert_eq!(pace.map(|picos| picos / ONE), Some(100));
    }

    #[test]
    fn a_chance_falls_as_the_target_rises_and_a_ceiling_is_its_opposite() {
        let numbers: Vec<f64> =
            (0..30).map(|index| 1000.0 * 1.03f64.powi(index) + f64::from(index * 37 % 11) * 20.0).collect();
        let history = figures(&numbers);
        let chance = |number: i128, is_floor: bool| {
            let found = standing(&Target { is_floor, ..target(number, 33) }, &history).0;
            let Standing::Open { chance: Some(chance), .. } = found else { panic!("{found:?}") };
            chance
        };
        let last = numbers[29] as i128;
        let rising: Vec<f64> = (0..12).map(|step| chance(last * (80 + 5 * step) / 100, true)).collect();
        assert!(rising.windows(2).all(|pair| pair[0] >= pair[1]), "{rising:?}");
        assert!(rising[0] > 0.9 && rising[11] < 0.2, "{rising:?}");
        let (floor, ceiling) = (chance(last * 106 / 100, true), chance(last * 106 / 100, false));
        assert!((floor + ceiling - 1.0).abs() < 1e-9 && (0.01..=0.99).contains(&floor));
    }
}
