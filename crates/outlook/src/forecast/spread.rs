//! How far off a forecast may be: judged by how far off the same method was on the series' own past.
//!
//! The method is asked again at earlier points, each time knowing only what lay before, and its errors at each distance are
//! set beside each other. One spread for one step ahead and one power by which it grows with the distance are estimated
//! from all of them, so that far distances, of which there are few errors, lean on the near ones. Because it is the errors
//! of forecasts that are measured, what the method gets wrong is in them as much as what nobody could have known.

use crate::student;

/// At how many earlier points the method is asked again.
const ORIGINS: usize = 24;
/// What an error counts that was made a season's length, or twelve points, earlier.
const WEIGHT_OF_A_YEAR: f64 = 0.8;
const POINTS_OF_A_YEAR: f64 = 12.0;
/// The power by which errors usually grow with the distance, and how much evidence it takes to believe another:
/// as much as this many squared logarithms of distances.
const USUAL_GROWTH: f64 = 0.5;
const GROWTH_EVIDENCE: f64 = 40.0;
/// A sum of what drifts, such as cash, goes wrong by the distance times its root, and what compounds by more.
const FASTEST_GROWTH: f64 = 2.0;
/// Errors of forecasts have heavier tails than the normal distribution: Student's, with so many degrees of freedom at most,
/// narrower by this factor, and wider by this many points' share of the history, for a short past shows less than may
/// happen. The three were fitted to the errors of the 617 monthly series of the M1 competition and the 366 of the tourism
/// competition, and judged on others.
const DEGREES: u32 = 5;
const NARROWER: f64 = 0.85;
const UNSEEN_POINTS: f64 = 4.0;

/// In what errors are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// As differences.
    Difference,
    /// As logarithms of quotients.
    Quotient,
}

/// The spread of the errors of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    measure: Measure,
    one_ahead: f64,
    growth: f64,
    /// By how much wider than Student's an interval is.
    wider: f64,
    degrees: u32,
}

/// Weighted squared errors at one distance.
#[derive(Debug, Clone, Copy, Default)]
struct Squares {
    weight: f64,
    sum: f64,
}

/// A forecast that was made, or could have been made, at an earlier point of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How many points were known.
    pub origin: usize,
    /// What was expected of the points after them.
    pub ahead: Vec<f64>,
}

impl Spread {
    /// The spread of the errors that forecasts of the past had on a history; nothing where there are none.
    #[must_use]
    pub fn of(history: &[f64], asked: &[Asked], horizon: usize) -> Option<Self> {
        let points = history.len();
        let may_be_quotient = history.iter().all(|value| *value > 0.0);
        let mut differences = vec![Squares::default(); horizon];
        let mut quotients = differences.clone();
        let (mut origins, mut levels) = (0_u32, Squares::default());
        for Asked { origin, ahead } in asked.iter().filter(|asked| asked.origin < points) {
            let weight = WEIGHT_OF_A_YEAR.powf((points - origin) as f64 / POINTS_OF_A_YEAR);
            origins += 1;
            for (distance, (value, expected)) in history[*origin..].iter().zip(ahead).enumerate().take(horizon) {
                differences[distance].add(value - expected, weight);
                if may_be_quotient && *expected > 0.0 {
                    quotients[distance].add((value / expected).ln(), weight);
                    levels.weight += weight;
                    levels.sum += weight * value.ln();
                }
            }
        }
        let difference = Self::fitted(Measure::Difference, &differences, origins, points)?;
        // The same errors in two measures: the one under which they are likelier, the change of units counted.
        let quotient = Self::fitted(Measure::Quotient, &quotients, origins, points);
        let all_have_quotients = levels.weight >= differences.iter().map(|squares| squares.weight).sum::<f64>();
        Some(match quotient {
            Some(quotient) if all_have_quotients && origins >= DEGREES => {
                let mean_level = (levels.sum / levels.weight).exp();
                if quotient.one_ahead * mean_level < difference.one_ahead { quotient } else { difference }
            }
            _ => difference,
        })
    }

    fn fitted(measure: Measure, squares: &[Squares], origins: u32, points: usize) -> Option<Self> {
        // The power is the slope of the logarithm of the error over that of the distance.
        let (mut weights, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (index, at) in squares.iter().enumerate().filter(|(_, at)| at.sum > 0.0) {
            let (distance, error) = ((index as f64 + 1.0).ln(), 0.5 * (at.sum / at.weight).ln());
            weights += at.weight;
            x += at.weight * distance;
            y += at.weight * error;
            xx += at.weight * distance * distance;
            xy += at.weight * distance * error;
        }
        let growth = if weights > 0.0 {
            let (spread, slope) = (xx - x * x / weights, xy - x * y / weights);
            let growth = (slope + GROWTH_EVIDENCE * USUAL_GROWTH) / (spread + GROWTH_EVIDENCE);
            growth.clamp(0.0, FASTEST_GROWTH)
        } else {
            USUAL_GROWTH
        };
        let (mut weight, mut sum) = (0.0, 0.0);
        for (index, at) in squares.iter().enumerate() {
            weight += at.weight;
            sum += at.sum / (index as f64 + 1.0).powf(2.0 * growth);
        }
        let one_ahead = (weight > 0.0).then(|| (sum / weight).sqrt())?;
        let wider = NARROWER * (1.0 + UNSEEN_POINTS / points as f64);
        Some(Self { measure, one_ahead, growth, wider, degrees: origins.clamp(1, DEGREES) })
    }

    /// The interval of a level around the forecast of so many steps ahead, the next being 1.
    #[must_use]
    pub fn interval(&self, mean: f64, ahead: usize, level: f64) -> (f64, f64) {
        let errors = self.wider * student::two_sided(level, self.degrees);
        let width = errors * self.one_ahead * (ahead as f64).powf(self.growth);
        match self.measure {
            Measure::Difference => (mean - width, mean + width),
            Measure::Quotient => (mean * (-width).exp(), mean * width.exp()),
        }
    }
}

impl Squares {
    fn add(&mut self, error: f64, weight: f64) {
        self.weight += weight;
        self.sum += weight * error * error;
    }
}

/// The earliest point at which the method is asked again: with a third of the history, and with a season if half of it is
/// left to judge by.
#[must_use]
pub fn first_origin(points: usize, shortest: usize) -> usize {
    (points / 3).max(shortest.min(points * 2 / 3)).max(2)
}

/// Points to ask again at, evenly from the last but one back to the first, not more than [`ORIGINS`].
pub fn origins_between(first: usize, points: usize) -> impl Iterator<Item = usize> {
    let count = points.saturating_sub(first).min(ORIGINS);
    // Whole steps would leave out the beginning: the quotient is rounded at each point.
    let apart = points.saturating_sub(first);
    (0..count).map(move |index| points - 1 - index * apart / count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_spread_over_the_past() {
        assert_eq!(origins_between(2, 5).collect::<Vec<_>>(), [4, 3, 2]);
        let many: Vec<usize> = origins_between(40, 100).collect();
        assert_eq!((many.len(), many[0], many[23]), (24, 99, 42));
        assert_eq!(origins_between(2, 2).count(), 0);
        assert_eq!(
            (first_origin(100, 26), first_origin(48, 26), first_origin(30, 26), first_origin(3, 2)),
            (33, 26, 20, 2)
        );
    }
}
