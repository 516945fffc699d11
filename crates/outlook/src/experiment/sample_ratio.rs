//! Do the arms hold as many people as they should?
//!
//! Where they do not, people were lost from an arm or counted twice in one, mostly not by chance but for what the arm did
//! to them; then no difference between the arms means anything.
//!
//! Beside the chi-square of the day, which holds for one look, stands a test that may be looked at each day: the
//! likelihood ratio of a Dirichlet mixture of shares against the planned ones (M. Lindon and A. Malek, *Anytime-valid
//! inference for multinomial count data*, 2022). It is exact at any size.

/// The chance that arms which are as planned are ever called broken. It is small because being called broken throws a
/// test away, and cheap because a break that matters is seen soon.
pub const ALPHA: f64 = 0.001;

/// How close to the planned shares a break is looked for: as if so many people had been seen before at them.
const CONCENTRATION: f64 = 100.0;

/// The sample ratio of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio {
    /// The chi-square probability of shares that are at least so far from the planned ones, for one look at the end.
    pub chi_square_probability: f64,
    /// The largest evidence on any day that the shares are not as planned; 1 says nothing, `1 / ALPHA` is enough.
    pub evidence: f64,
    /// The first day on which it was enough.
    pub broken_since: Option<i32>,
}

/// Compares how many came into each arm with the planned shares. `arrivals` holds (day, arm) of each person, in any
/// order; `shares` are above zero and add up to 1.
#[must_use]
pub fn sample_ratio(arrivals: &[(i32, usize)], shares: &[f64]) -> SampleRatio {
    let mut sorted: Vec<(i32, usize)> = arrivals.iter().copied().filter(|(_, arm)| *arm < shares.len()).collect();
    sorted.sort_unstable();
    let mut counts = vec![0u64; shares.len()];
    // The logarithm of the evidence, one person at a time: the mixture expects the next one in an arm with probability
    // (concentration × share + those in it) ÷ (concentration + all), the plan with its share.
    let (mut all, mut so_far, mut most) = (0u64, 0.0f64, 0.0f64);
    let mut broken_since = None;
    for of_day in sorted.chunk_by(|a, b| a.0 == b.0) {
        for (_, arm) in of_day {
            let expected = (CONCENTRATION * shares[*arm] + counts[*arm] as f64) / (CONCENTRATION + all as f64);
            so_far += (expected / shares[*arm]).ln();
            counts[*arm] += 1;
            all += 1;
        }
        most = most.max(so_far);
        if broken_since.is_none() && so_far >= -ALPHA.ln() {
            broken_since = of_day.first().map(|(day, _)| *day);
        }
    }
    SampleRatio { chi_square_probability: chi_square(&counts, shares), evidence: most.exp(), broken_since }
}

/// The probability of a chi-square at least as large as that of the counts.
fn chi_square(counts: &[u64], shares: &[f64]) -> f64 {
    let all: u64 = counts.iter().sum();
    if all == 0 || counts.len() < 2 {
        return 1.0;
    }
    let distance: f64 = counts
        .iter()
        .zip(shares)
        .map(|(count, share)| {
            let expected = all as f64 * share;
            (*count as f64 - expected).powi(2) / expected
        })
        .sum();
    chi_square_above(distance, counts.len() - 1)
}

/// The probability that a chi-square of so many degrees of freedom is above a value. For one and for two degrees it has
/// a closed form, and from each to the one two higher a term is added (M. Abramowitz and I. A. Stegun, 26.4.4 and 26.4.5).
fn chi_square_above(value: f64, degrees: usize) -> f64 {
    let half = value / 2.0;
    let is_odd = degrees % 2 == 1;
    let (mut above, mut term, mut order) = if is_odd {
        (
            2.0 * crate::normal::share_below(-value.sqrt()),
            (value / std::f64::consts::PI * 2.0).sqrt() * (-half).exp(),
            1.0,
        )
    } else {
        ((-half).exp(), half * (-half).exp(), 2.0)
    };
    let mut reached = if is_odd { 1 } else { 2 };
    while reached < degrees {
        above += term;
        order += 2.0;
        term *= value / order;
        reached += 2;
    }
    above.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(days: i32, of_arms: &[u32]) -> Vec<(i32, usize)> {
        (0..days)
            .flat_map(|day| {
                of_arms.iter().enumerate().flat_map(move |(arm, people)| (0..*people).map(move |_| (day, arm)))
            })
            .collect()
    }

    /// Upper points of the chi-square from any table.
    #[test]
    fn chi_square_as_in_tables() {
        for (value, degrees, above) in [
            (3.841_459, 1, 0.05),
            (5.991_465, 2, 0.05),
            (7.814_728, 3, 0.05),
            (9.487_729, 4, 0.05),
            (15.086_272, 5, 0.01),
        ] {
            assert!((chi_square_above(value, degrees) - above).abs() < 1e-6, "{value} {degrees}");
        }
    }

    #[test]
    fn arms_as_planned_are_whole() {
        let found = sample_ratio(&arrivals(60, &[50, 50]), &[0.5, 0.5]);
        assert!(
            (found.chi_square_probability - 1.0).abs() < 1e-9 && found.broken_since.is_none() && found.evidence < 2.0
        );
        let planned = sample_ratio(&arrivals(60, &[90, 10]), &[0.9, 0.1]);
        assert!(planned.broken_since.is_none());
    }

    /// 821,588 against 815,482 of Kohavi's book: a ratio of 0.993 that chance does not give (p = 1.8e-6); in days.
    #[test]
    fn a_small_break_among_many_people_is_found() {
        let found = sample_ratio(&arrivals(14, &[58_685, 58_249]), &[0.5, 0.5]);
        assert!(found.chi_square_probability < 1e-5, "{found:?}");
        let gross = sample_ratio(&arrivals(30, &[60, 40]), &[0.5, 0.5]);
        let since = gross.broken_since.unwrap();
        assert!((2..10).contains(&since), "{since}");
    }

    #[test]
    fn nobody_is_nothing() {
        let found = sample_ratio(&[], &[0.5, 0.5]);
        assert!((found.chi_square_probability - 1.0).abs() < 1e-12 && (found.evidence - 1.0).abs() < 1e-12);
    }
}
