//! Changes that depend on the changes before them.

/// The longest memory that is tried, and how many changes it takes for each one of it.
const LONGEST: usize = 6;
const CHANGES_FOR_EACH: usize = 6;
/// How much of the average change goes on.
const DRIFT_KEPT: f64 = 0.5;

/// An autoregression of the changes from point to point, estimated by J. P. Burg's method, its order chosen by H. Akaike's
/// criterion with the correction for small samples. Half of the average change goes on, as in the theta method. Of a
/// history of at least one point.
#[must_use]
pub fn autoregression(history: &[f64], horizon: usize) -> Vec<f64> {
    let changes: Vec<f64> = history.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut level = history.last().copied().unwrap_or_default();
    let drift = DRIFT_KEPT * changes.iter().sum::<f64>() / changes.len().max(1) as f64;
    let mut around: Vec<f64> = changes.iter().map(|change| change - drift).collect();
    let weights = burg(&around);
    let mut ahead = Vec::with_capacity(horizon);
    for _ in 0..horizon {
        let next: f64 = weights.iter().zip(around.iter().rev()).map(|(weight, change)| weight * change).sum();
        around.push(next);
        level += next + drift;
        ahead.push(level);
    }
    ahead
}

/// The weights of the values before, the latest first.
fn burg(values: &[f64]) -> Vec<f64> {
    let count = values.len();
    let mut variance = values.iter().map(|value| value * value).sum::<f64>() / count.max(1) as f64;
    // A series without changes has no memory.
    if variance <= 0.0 {
        return Vec::new();
    }
    let (mut forward, mut backward) = (values.to_vec(), values.to_vec());
    let mut weights: Vec<f64> = Vec::new();
    let mut best = (count as f64 * variance.ln(), Vec::new());
    for order in 1..=LONGEST.min(count / CHANGES_FOR_EACH) {
        let (mut above, mut below) = (0.0, 0.0);
        for index in order..count {
            above += forward[index] * backward[index - 1];
            below += forward[index].powi(2) + backward[index - 1].powi(2);
        }
        let reflection = if below > 0.0 { 2.0 * above / below } else { 0.0 };
        variance *= 1.0 - reflection * reflection;
        if variance <= 0.0 {
            break;
        }
        let mirrored: Vec<f64> = weights.iter().rev().map(|weight| reflection * weight).collect();
        weights.iter_mut().zip(mirrored).for_each(|(weight, mirrored)| *weight -= mirrored);
        weights.push(reflection);
        for index in (order..count).rev() {
            let (one, other) = (forward[index], backward[index - 1]);
            forward[index] = one - reflection * other;
            backward[index] = other - reflection * one;
        }
        let (points, order) = (count as f64, order as f64);
        let criterion = points * variance.ln() + 2.0 * (order + 1.0) * points / (points - order - 2.0);
        if criterion < best.0 {
            best = (criterion, weights.clone());
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_flat_series_keeps_its_level() {
        assert_eq!(autoregression(&[7.0], 2), [7.0, 7.0]);
        assert_eq!(autoregression(&[7.0; 30], 2), [7.0, 7.0]);
    }

    #[test]
    fn changes_that_turn_each_time_go_on_turning() {
        // Up by 4, down by 4: the level comes back each second time.
        let history: Vec<f64> = (0..40).map(|index| if index % 2 == 0 { 10.0 } else { 14.0 }).collect();
        let ahead = autoregression(&history, 4);
        for (found, wanted) in ahead.iter().zip([10.0, 14.0, 10.0, 14.0]) {
            assert!((found - wanted).abs() < 0.6, "{ahead:?}");
        }
    }
}
