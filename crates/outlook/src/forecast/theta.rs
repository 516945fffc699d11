//! The theta method: half of the long trend, from the level that smoothing arrives at.

use super::simplex::{least, outside};

const SLOWEST: f64 = 0.01;
const FASTEST: f64 = 0.99;

/// The mean and the standard deviation of the points.
fn spread(history: &[f64]) -> (f64, f64) {
    let count = history.len() as f64;
    let mean = history.iter().sum::<f64>() / count;
    (mean, (history.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
}

/// The slope of the straight line through the points, by least squares.
#[must_use]
pub fn slope(history: &[f64]) -> f64 {
    let middle = (history.len() as f64 - 1.0) / 2.0;
    let (mut above, mut below) = (0.0, 0.0);
    for (index, value) in history.iter().enumerate() {
        let from_middle = index as f64 - middle;
        above += from_middle * value;
        below += from_middle * from_middle;
    }
    if below > 0.0 { above / below } else { 0.0 }
}

/// Simple exponential smoothing with the smoothing and the first level that had the least squared errors: the smoothing,
/// and the level after the last point.
fn smoothed(history: &[f64]) -> (f64, f64) {
    let first = &history[..history.len().min(5)];
    let begin = first.iter().sum::<f64>() / first.len() as f64;
    let deviation = spread(history).1;
    let run = |[smoothing, shift]: &[f64; 2]| {
        let smoothing = smoothing.clamp(SLOWEST, FASTEST);
        let (mut level, mut squares) = (begin + shift * deviation, 0.0);
        for value in history {
            let error = value - level;
            squares += error * error;
            level += smoothing * error;
        }
        (squares, level)
    };
    let found = least([0.3, 0.0], [0.3, 0.3], 80, |at| run(at).0 * outside(at[0], SLOWEST, FASTEST));
    (found[0].clamp(SLOWEST, FASTEST), run(&found).1)
}

/// The theta method of V. Assimakopoulos and K. Nikolopoulos (International Journal of Forecasting 16, 2000), in the form
/// that R. J. Hyndman and B. Billah gave it (19, 2003): simple exponential smoothing with half of the slope of the whole
/// series as drift. Of a history of at least two points.
#[must_use]
pub fn theta(history: &[f64], horizon: usize) -> Vec<f64> {
    let (smoothing, level) = smoothed(history);
    let drift = 0.5 * slope(history);
    // What the smoothed line lags behind the straight one.
    let lag = (1.0 - (1.0 - smoothing).powf(history.len() as f64)) / smoothing;
    (0..horizon).map(|ahead| level + drift * (ahead as f64 + lag)).collect()
}

/// The dynamic optimised theta model of J. A. Fiorucci and others (International Journal of Forecasting 32, 2016): the
/// straight line is drawn anew at each point, and how much of it is followed is chosen, with the smoothing and the first
/// level, by the least squared errors. Of a history of at least two points.
#[must_use]
pub fn dynamic_theta(history: &[f64], horizon: usize) -> Vec<f64> {
    let first = &history[..history.len().min(3)];
    let begin = first.iter().sum::<f64>() / first.len() as f64;
    let deviation = spread(history).1;
    let run = |[smoothing, theta, shift]: &[f64; 3], horizon: usize| {
        let smoothing = smoothing.clamp(SLOWEST, FASTEST);
        let followed = 1.0 - 1.0 / theta.max(1.0);
        let mut level = begin + shift * deviation;
        // The line through the points so far, and (1 − smoothing) to the power of how many they were.
        let (mut intercept, mut gradient, mut mean, mut fading) = (0.0, 0.0, 0.0, 1.0);
        let mut squares = 0.0;
        let mut ahead = Vec::with_capacity(horizon);
        for index in 0..history.len() + horizon {
            let number = index as f64 + 1.0;
            let lag = (1.0 - fading * (1.0 - smoothing)) / smoothing;
            let expected = level + followed * (fading * intercept + lag * gradient);
            let value = match history.get(index) {
                Some(value) => {
                    // The first two errors say more of the beginning than of the series.
                    squares += if index >= 2 { (value - expected).powi(2) } else { 0.0 };
                    *value
                }
                None => {
                    ahead.push(expected);
                    expected
                }
            };
            level = smoothing * value + (1.0 - smoothing) * level;
            if index > 0 {
                gradient = ((number - 2.0) * gradient + 6.0 / number * (value - mean)) / (number + 1.0);
            }
            mean += (value - mean) / number;
            intercept = mean - (number + 1.0) / 2.0 * gradient;
            fading *= 1.0 - smoothing;
        }
        (squares, ahead)
    };
    let bounds = |at: &[f64; 3]| outside(at[0], SLOWEST, FASTEST) * outside(at[1], 1.0, 50.0);
    let found = least([0.5, 2.0, 0.0], [0.3, 1.0, 0.2], 140, |at| run(at, 0).0 * bounds(at));
    run(&found, horizon).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_series_stays_flat() {
        for method in [theta, dynamic_theta] {
            for value in method(&[5.0; 20], 6) {
                assert!((value - 5.0).abs() < 1e-9, "{value}");
            }
        }
    }

    #[test]
    fn a_straight_line_goes_on_at_least_half_as_steep() {
        let line: Vec<f64> = (0..40).map(|index| 10.0 + 2.0 * f64::from(index)).collect();
        assert!((slope(&line) - 2.0).abs() < 1e-9);
        for method in [theta, dynamic_theta] {
            let ahead = method(&line, 10);
            assert!(ahead[9] > 88.0 + 8.0 && ahead[9] < 110.0, "{ahead:?}");
        }
    }
}
