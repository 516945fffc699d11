//! How a way of forecasting would have done on what is known: asked again at each earlier point, knowing only what lay
//! before, and judged by what came.

use super::spread::{Asked, Spread};

/// How many of the latest points a model is judged at.
const JUDGED: usize = 24;
/// How many earlier forecasts have to be known before an interval is judged.
const FORECASTS_FOR_AN_INTERVAL: usize = 3;

/// How a model did.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// At how many points it was asked.
    pub origins: usize,
    /// The mean of 200 |y − f| ÷ (|y| + |f|), in per cent.
    pub smape: f64,
    /// The mean absolute error, ÷ the mean change from point to point; nothing where nothing ever changed.
    pub mase: Option<f64>,
    /// For each level, the share of values that its interval held; nothing where too few forecasts were made before.
    pub held: Vec<Option<f64>>,
}

/// A model with its past.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The spread of its errors.
    pub spread: Option<Spread>,
    /// How it did; nothing where it could not be asked.
    pub accuracy: Option<Accuracy>,
}

/// Asks a model at each point from `first` on. The model gives what it expects of so many points after the first `origin`
/// ones, or nothing where it cannot say.
#[must_use]
pub fn judge(
    history: &[f64],
    first: usize,
    horizon: usize,
    levels: &[f64],
    model: impl Fn(usize, usize) -> Option<Vec<f64>>,
) -> Judged {
    let ask = |origin: usize| Some(Asked { origin, ahead: model(origin, horizon.min(history.len() - origin))? });
    let asked: Vec<Asked> = (first..history.len()).filter_map(ask).collect();
    Judged { spread: Spread::of(history, &asked, horizon), accuracy: accuracy(history, &asked, horizon, levels) }
}

fn accuracy(history: &[f64], asked: &[Asked], horizon: usize, levels: &[f64]) -> Option<Accuracy> {
    let latest = &asked[asked.len().saturating_sub(JUDGED)..];
    let mut points = 0.0;
    let (mut relative, mut absolute) = (0.0, 0.0);
    let (mut held, mut intervals) = (vec![0.0; levels.len()], 0.0);
    for one in latest {
        let (origin, number) = (one.origin, asked.partition_point(|other| other.origin < one.origin));
        // What an interval would have been then rests on the errors that were known then.
        let known = Spread::of(&history[..origin], &asked[..number], horizon);
        let spread = known.filter(|_| number >= FORECASTS_FOR_AN_INTERVAL);
        for (step, (value, expected)) in history[origin..].iter().zip(&one.ahead).enumerate() {
            let size = value.abs() + expected.abs();
            points += 1.0;
            absolute += (value - expected).abs();
            relative += if size > 0.0 { 200.0 * (value - expected).abs() / size } else { 0.0 };
            let Some(spread) = &spread else { continue };
            intervals += 1.0;
            for (held, level) in held.iter_mut().zip(levels) {
                let (lower, upper) = spread.interval(*expected, step + 1, *level);
                *held += if (lower..=upper).contains(value) { 1.0 } else { 0.0 };
            }
        }
    }
    if points <= 0.0 {
        return None;
    }
    let changes = history.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum::<f64>();
    let change = changes / (history.len() - 1).max(1) as f64;
    Some(Accuracy {
        origins: latest.len(),
        smape: relative / points,
        mase: (change > 0.0).then(|| absolute / points / change),
        held: held.into_iter().map(|held| (intervals > 0.0).then(|| held / intervals)).collect(),
    })
}

/// The last value goes on.
#[must_use]
pub fn naive(history: &[f64], horizon: usize) -> Option<Vec<f64>> {
    history.last().map(|last| vec![*last; horizon])
}

/// The last values of a season go on.
#[must_use]
pub fn seasonal_naive(history: &[f64], period: usize, horizon: usize) -> Option<Vec<f64>> {
    let last = history.len().checked_sub(period).map(|begin| &history[begin..]).filter(|last| !last.is_empty())?;
    Some(last.iter().copied().cycle().take(horizon).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_knows_is_never_wrong_and_the_last_value_is_by_one_a_step() {
        let history: Vec<f64> = (1..=20).map(f64::from).collect();
        let knows = judge(&history, 6, 3, &[0.95], |origin, horizon| Some(history[origin..origin + horizon].to_vec()));
        let sure = knows.accuracy.unwrap();
        assert_eq!((sure.origins, sure.mase, sure.held), (14, Some(0.0), vec![Some(1.0)]));
        // Of 14 origins, the last two have 2 and 1 points ahead: 12 × (1 + 2 + 3) + (1 + 2) + 1, in 39 points.
        let last = judge(&history, 6, 3, &[0.95], |origin, horizon| naive(&history[..origin], horizon));
        assert!((last.accuracy.unwrap().mase.unwrap() - 76.0 / 39.0).abs() < 1e-12);
    }

    #[test]
    fn a_model_that_cannot_say_is_not_judged() {
        let none = judge(&[1.0, 2.0, 3.0], 1, 2, &[0.5], |_, _| None);
        assert_eq!(none, Judged { spread: None, accuracy: None });
    }

    #[test]
    fn the_season_before_goes_on() {
        assert_eq!(seasonal_naive(&[9.0, 1.0, 2.0], 2, 3), Some(vec![1.0, 2.0, 1.0]));
        assert_eq!(seasonal_naive(&[1.0], 2, 3), None);
    }
}
