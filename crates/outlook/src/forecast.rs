//! What comes next in a series, how sure that is, and how the same way of forecasting did on the series' own past.
//!
//! ```text
//! forecast/season           what recurs, drawn towards nothing by as much as it may be noise
//! forecast/theta            half of the long trend, from a smoothed level
//! forecast/autoregression   changes that depend on the changes before
//! forecast/spread           intervals, from the errors that the method made on the past
//! forecast/simplex          the least value of a function
//! forecast/times            the times of a series, and which come next
//! forecast/past             how a way of forecasting would have done on what is known
//! forecast/scenario         growth as it is, half as fast again, a quarter slower
//! forecast/business         MRR, customers, revenue and cash of a business, by models judged on its own past
//! forecast/driver           who comes, what they pay, who leaves at which age, what is agreed
//! ```
//!
//! No way of forecasting is best for every series, and which one will be best cannot be told well from a short past. The
//! mean of three that go wrong differently is: the theta method and an autoregression of changes, both on the logarithms
//! of what is never zero or less, and the dynamic theta model on the values as they are. All see the series without its
//! season.

pub mod autoregression;
pub mod business;
pub mod driver;
pub mod past;
pub mod scenario;
pub mod season;
pub mod simplex;
pub mod spread;
pub mod theta;
pub mod times;

use season::{Effect, Season};
use spread::{Asked, Spread, first_origin, origins_between};

/// The fewest points that a forecast takes.
pub const FEWEST_POINTS: usize = 3;
/// The largest value, either side of zero, that can be forecast.
pub const LARGEST_VALUE: f64 = 1e100;
/// No forecast is further from zero than so many times the largest value of the past.
const FARTHEST: f64 = 1e9;

/// How many points beyond two it takes until the last value counts no more than the others.
const POINTS_TO_BELIEVE: f64 = 10.0;

/// What recurs in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Nothing.
    None,
    /// Each so many points, as the calendar has it.
    Every(usize),
    /// What the series seems to have ([`season::period_of`]).
    Unknown,
}

/// Why a series cannot be forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too few points.
    #[error("it has {points} of the at least {FEWEST_POINTS} points that a forecast takes")]
    TooShort {
        /// How many there are.
        points: usize,
    },
    /// A value is no finite number, or far beyond all amounts.
    #[error("a value is no number between -1e100 and 1e100")]
    NoNumber,
}

/// A forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The period that was looked at; 1 where nothing recurs.
    pub period: usize,
    /// The steps ahead, the next first.
    pub steps: Vec<Step>,
}

/// One step ahead.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is expected.
    pub mean: f64,
    /// An interval for each level that was asked for.
    pub intervals: Vec<(f64, f64)>,
}

/// The way of forecasting, with what it has to know of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    period: usize,
}

impl Method {
    /// How many points the method takes to see the season.
    #[must_use]
    pub fn shortest(&self) -> usize {
        if self.period > 1 { season::shortest(self.period) } else { FEWEST_POINTS }
    }

    /// What is expected after a history of at least two points.
    #[must_use]
    pub fn ahead(&self, history: &[f64], horizon: usize) -> Vec<f64> {
        let is_positive = history.iter().all(|value| *value > 0.0);
        let effect = if is_positive { Effect::Factor } else { Effect::Summand };
        let season = Season::of(history, self.period, effect);
        let values = season.taken_from(history);
        // A factor is one of values above zero, and leaves them there.
        let scaled = |value: &f64| if is_positive { value.ln() } else { *value };
        let unscaled = |value: f64| if is_positive { value.min(FARTHEST.ln()).exp() } else { value };
        let logarithms: Vec<f64> = values.iter().map(scaled).collect();
        let trend = theta::theta(&logarithms, horizon);
        let level = theta::dynamic_theta(&values, horizon);
        let changes = autoregression::autoregression(&logarithms, horizon);
        let believed = believed(history.len());
        let last = values.last().copied().unwrap_or_default();
        let together = trend.into_iter().zip(level).zip(changes).enumerate();
        let is_never_negative = history.iter().all(|value| *value >= 0.0);
        let lowest = if is_never_negative { 0.0 } else { -FARTHEST };
        together
            .map(|(ahead, ((trend, level), changes))| {
                let mean = (unscaled(trend) + level + unscaled(changes)) / 3.0;
                season.put_on(last + believed * (mean - last), history.len() + ahead).clamp(lowest, FARTHEST)
            })
            .collect()
    }
}

/// How much the three ways are believed over the last value: what few points say of trend and noise is mostly wrong.
fn believed(points: usize) -> f64 {
    ((points as f64 - 2.0) / POINTS_TO_BELIEVE).clamp(0.0, 1.0)
}

/// Forecasts a series. The levels are shares, such as 0.95.
///
/// # Errors
/// When the series is too short, or a value is no number.
pub fn forecast(history: &[f64], horizon: usize, levels: &[f64], rhythm: Rhythm) -> Result<Forecast, Refusal> {
    let Prepared { method, values, unit } = prepared(history, rhythm)?;
    let origins = origins_between(first_origin(values.len(), method.shortest()), values.len());
    let ask =
        |origin: usize| Asked { origin, ahead: method.ahead(&values[..origin], horizon.min(values.len() - origin)) };
    let spread = Spread::of(&values, &origins.map(ask).collect::<Vec<_>>(), horizon);
    let is_never_negative = values.iter().all(|value| *value >= 0.0);
    let lowest = if is_never_negative { 0.0 } else { -FARTHEST };
    let bounded = |value: f64| value.clamp(lowest, FARTHEST) * unit;
    let steps = method.ahead(&values, horizon).into_iter().enumerate().map(|(ahead, mean)| {
        let interval = |level: &f64| {
            let interval = spread.as_ref().map_or((mean, mean), |spread| spread.interval(mean, ahead + 1, *level));
            (bounded(interval.0), bounded(interval.1))
        };
        Step { mean: mean * unit, intervals: levels.iter().map(interval).collect() }
    });
    Ok(Forecast { period: method.period, steps: steps.collect() })
}

/// What is expected of the steps ahead, without intervals: the means of [`forecast`].
///
/// # Errors
/// As [`forecast`].
pub fn expected(history: &[f64], horizon: usize, rhythm: Rhythm) -> Result<Vec<f64>, Refusal> {
    let Prepared { method, values, unit } = prepared(history, rhythm)?;
    Ok(method.ahead(&values, horizon).into_iter().map(|mean| mean * unit).collect())
}

/// A series that can be forecast.
struct Prepared {
    method: Method,
    values: Vec<f64>,
    unit: f64,
}

fn prepared(history: &[f64], rhythm: Rhythm) -> Result<Prepared, Refusal> {
    if history.len() < FEWEST_POINTS {
        return Err(Refusal::TooShort { points: history.len() });
    }
    if history.iter().any(|value| !value.is_finite() || value.abs() > LARGEST_VALUE) {
        return Err(Refusal::NoNumber);
    }
    let (values, unit) = in_units_of_the_largest(history);
    let period = match rhythm {
        Rhythm::None => 1,
        Rhythm::Every(period) => period.max(1),
        Rhythm::Unknown => season::period_of(&values),
    };
    Ok(Prepared { method: Method { period }, values, unit })
}

/// The series in units of its largest value, and that unit. The last bits are rounded off, so that a series in cents takes
/// the same path through every choice as the same series in euros.
fn in_units_of_the_largest(history: &[f64]) -> (Vec<f64>, f64) {
    const GRID: f64 = (1_u64 << 44) as f64;
    let largest = history.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let unit = if largest > 0.0 { largest } else { 1.0 };
    (history.iter().map(|value| (value / unit * GRID).round() / GRID).collect(), unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS: &[f64] = &[0.5, 0.8, 0.95];

    fn of(history: &[f64]) -> Forecast {
        forecast(history, 18, LEVELS, Rhythm::Unknown).unwrap()
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
    }

    #[test]
    fn a_constant_goes_on_and_is_sure() {
        for constant in [0.0, 7.0, -3.5, 1e-9, 1e99] {
            for points in [3, 12, 60] {
                let found = of(&vec![constant; points]);
                for step in found.steps {
                    assert!(close(step.mean, constant), "{constant}: {step:?}");
                    for (lower, upper) in step.intervals {
                        assert!(close(lower, constant) && close(upper, constant), "{constant}: {lower} to {upper}");
                    }
                }
            }
        }
    }

    #[test]
    fn too_few_points_and_no_numbers_are_refused() {
        for points in [0, 1, 2] {
            assert_eq!(forecast(&vec![1.0; points], 3, LEVELS, Rhythm::None), Err(Refusal::TooShort { points }));
        }
        for value in [f64::NAN, f64::INFINITY, -1e300] {
            assert_eq!(forecast(&[1.0, value, 3.0], 3, LEVELS, Rhythm::None), Err(Refusal::NoNumber));
        }
    }

    #[test]
    fn a_season_goes_on() {
        // Four years about 100 that end each year with twice as much.
        let history: Vec<f64> =
            (0..48).map(|month| f64::from(100 + month % 5) * if month % 12 == 11 { 2.0 } else { 1.0 }).collect();
        let found = of(&history);
        assert_eq!(found.period, 12);
        assert!((found.steps[11].mean / found.steps[10].mean - 2.0).abs() < 0.2, "{:?}", found.steps);
    }

    #[test]
    fn growth_by_a_factor_goes_on_growing() {
        // 10 % a month for two years: half of the trend is kept, and the level is caught up with.
        let history: Vec<f64> = (0..24).map(|month| 1_000.0 * 1.1_f64.powi(month)).collect();
        let found = of(&history);
        let (last, in_a_year) = (history[23], found.steps[11].mean);
        assert!(in_a_year > 1.6 * last && in_a_year < 3.2 * last, "{}", in_a_year / last);
    }

    /// Series of many shapes: levels, trends, seasons, jumps, noise, zeros, negatives.
    fn series() -> impl Strategy<Value = Vec<f64>> {
        let shape = (3..90_usize, -50.0..200.0, -2.0..4.0, 0.0..40.0, -80.0..80.0, 0.0..30.0);
        (shape, prop::collection::vec(-1.0..1.0, 90), any::<bool>()).prop_map(
            |((points, level, slope, season, jump, noise), noises, is_cut)| {
                let value = |index: usize| {
                    let jumped = if index > points / 2 { jump } else { 0.0 };
                    let phase = if index % 12 == 3 { season } else { 0.0 };
                    let value = level + slope * index as f64 + phase + jumped + noise * noises[index];
                    if is_cut { f64::max(value, 0.0) } else { value }
                };
                (0..points).map(value).collect()
            },
        )
    }

    proptest! {
        #[test]
        fn another_unit_gives_the_same_forecast(history in series(), unit in prop::sample::select(vec![1_000.0, 0.01, 1e-12, 7.0])) {
            let (one, other) = (of(&history), of(&history.iter().map(|value| value * unit).collect::<Vec<_>>()));
            for (one, other) in one.steps.iter().zip(&other.steps) {
                prop_assert!(close(one.mean * unit, other.mean), "{} {}", one.mean * unit, other.mean);
                for (one, other) in one.intervals.iter().zip(&other.intervals) {
                    prop_assert!(close(one.0 * unit, other.0) && close(one.1 * unit, other.1));
                }
            }
        }

        #[test]
        fn every_answer_is_a_number_and_wider_intervals_hold_narrower_ones(history in series()) {
            let is_never_negative = history.iter().all(|value| *value >= 0.0);
            for step in of(&history).steps {
                prop_assert!(step.mean.is_finite());
                let (mut lower, mut upper) = (step.mean, step.mean);
                for interval in step.intervals {
                    prop_assert!(interval.0 <= lower && interval.1 >= upper && interval.0.is_finite() && interval.1.is_finite());
                    (lower, upper) = interval;
                }
                prop_assert!(!is_never_negative || lower >= 0.0);
            }
        }
    }
}
