//! How a cohort will go on, from how it went: the shifted-beta-geometric model of retention.
//!
//! Customers renew or leave once a period. Each has a chance of leaving that never changes, but differs from customer to
//! customer, by a beta distribution with parameters α and β. Those who leave easily leave first, so the retention rate of
//! a cohort rises as it grows older, although nobody becomes more loyal. This is why the early churn rate carried on says
//! too little of those who stay. P. S. Fader and B. G. S. Hardie, *How to project customer retention*, Journal of
//! Interactive Marketing 21 (2007), 76–90; the value of those who are left: *Customer-base valuation in a contractual
//! setting*, Marketing Science 29 (2010), 85–93.
//!
//! ```text
//! retention rate in period t   r(t) = (β + t − 1) / (α + β + t − 1)
//! survival                     S(t) = r(1) r(2) ... r(t)
//! ```

use crate::normal::two_sided;

/// Why no curve could be fitted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RetentionError {
    /// Too few points.
    #[error(
        "{points} points are too few: a curve takes at least three (the size of the cohort and two periods), because two \
         parameters are fitted"
    )]
    TooFewPoints {
        /// How many there are.
        points: usize,
    },
    /// A number of survivors that is none.
    #[error("at t = {time} there are {} survivors; survivors are numbers from 0, and at t = 0 above 0", shown(*survivors))]
    NotANumber {
        /// The place in the series.
        time: usize,
        /// What stands there.
        survivors: f64,
    },
    /// More survivors than before.
    #[error(
        "at t = {time} there are {} survivors, more than the {} before: the survivors of a cohort never \
         grow in number; leave out who came back, or count them as another cohort",
        shown(*survivors),
        shown(*before)
    )]
    Growing {
        /// The place in the series.
        time: usize,
        /// What stands there.
        survivors: f64,
        /// What stands before.
        before: f64,
    },
    /// Nobody left.
    #[error("nobody has left in {periods} periods, so nothing tells how fast they will: wait for the first who do")]
    NobodyLeft {
        /// How many periods were seen.
        periods: usize,
    },
    /// Everybody left at once.
    #[error("everybody left in the first period, so nobody is left to project")]
    EverybodyLeft,
}

/// A number of survivors in a message: shares of a cohort have more decimals than help.
fn shown(survivors: f64) -> f64 {
    (survivors * 1_000.0).round() / 1_000.0
}

/// A fitted curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The parameter of leaving.
    pub alpha: f64,
    /// The parameter of staying.
    pub beta: f64,
    /// The log-likelihood of the survivors under the two.
    pub log_likelihood: f64,
    /// Whether the data show no difference between customers: α and β then grew as large as is tried, and the
    /// curve is that of a constant churn rate.
    pub is_constant_churn: bool,
    survivors: Vec<f64>,
}

/// What is expected of a cohort at a time to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Periods since the cohort began.
    pub time: usize,
    /// The expected number of survivors.
    pub survivors: f64,
    /// The retention rate of the period that ends then.
    pub retention: f64,
    /// The lower and upper end for each level that was asked for.
    pub intervals: Vec<(f64, f64)>,
}

/// The least and the largest α + β that are tried, as logarithms. Beyond 10⁶ customers differ by less than a thousandth.
const PRECISION: (f64, f64) = (-11.5, 13.8);
/// Steps of the first look over that range.
const LOOKS: usize = 160;

impl Fit {
    /// Fits the curve to the survivors of one cohort at t = 0, 1, 2, ..., by maximum likelihood. Numbers need not be whole
    /// (percentages of a cohort of 1,000 do), but the size of the cohort decides how sure the result is.
    ///
    /// For each α + β the best α is found where the derivative is zero (the likelihood is concave in α ÷ (α + β)); over
    /// α + β it is a search on a line. So there is nothing to start from and nothing that may not converge.
    ///
    /// # Errors
    /// When the survivors are no survivors, or leave nothing to fit.
    pub fn of(survivors: &[f64]) -> Result<Self, RetentionError> {
        if survivors.len() < 3 {
            return Err(RetentionError::TooFewPoints { points: survivors.len() });
        }
        let mut before = f64::INFINITY;
        for (time, alive) in survivors.iter().enumerate() {
            if !alive.is_finite() || *alive < 0.0 || (time == 0 && *alive <= 0.0) {
                return Err(RetentionError::NotANumber { time, survivors: *alive });
            }
            if *alive > before {
                return Err(RetentionError::Growing { time, survivors: *alive, before });
            }
            before = *alive;
        }
        if before >= survivors[0] {
            return Err(RetentionError::NobodyLeft { periods: survivors.len() - 1 });
        }
        if survivors[1] <= 0.0 {
            return Err(RetentionError::EverybodyLeft);
        }
        let likelihood = Likelihood { survivors };
        let profile = |log_sum: f64| likelihood.best(log_sum.exp()).1;
        let at = |step: usize| PRECISION.0 + (PRECISION.1 - PRECISION.0) * step as f64 / LOOKS as f64;
        let best = (0..=LOOKS).max_by(|a, b| profile(at(*a)).total_cmp(&profile(at(*b)))).unwrap_or(0);
        let log_sum = highest(at(best.saturating_sub(1)), at((best + 1).min(LOOKS)), profile);
        let (share, log_likelihood) = likelihood.best(log_sum.exp());
        let (alpha, beta) = (share * log_sum.exp(), (1.0 - share) * log_sum.exp());
        let is_constant_churn = log_sum > PRECISION.1 - 0.01;
        Ok(Self { alpha, beta, log_likelihood, is_constant_churn, survivors: survivors.to_vec() })
    }

    /// The retention rate of the t-th period, from 1.
    #[must_use]
    pub fn retention(&self, period: usize) -> f64 {
        retention(self.alpha, self.beta, period)
    }

    /// The share of the cohort that is there after so many periods.
    #[must_use]
    pub fn survival(&self, periods: usize) -> f64 {
        survival(self.alpha, self.beta, periods)
    }

    /// The next `horizon` periods, with intervals of the levels (such as 0.8 and 0.95).
    ///
    /// The expected number goes on from the model's curve, not from the last observation; where nobody is left nobody
    /// will be. An interval holds two uncertainties, added as squares: of the curve, by the profile likelihood (the lowest and highest number under any
    /// α and β that the data do not rule out at that level), and of who of the customers still there will leave, which is
    /// binomial.
    #[must_use]
    pub fn project(&self, horizon: usize, levels: &[f64]) -> Vec<Projection> {
        let size = self.survivors[0];
        let last = self.survivors.len() - 1;
        let left = self.survivors[last];
        struct Possible {
            alpha: f64,
            beta: f64,
            /// The share that is left by the time looked at.
            share: f64,
        }
        // For each level the curves that are not ruled out.
        let possible = |(alpha, beta)| Possible { alpha, beta, share: survival(alpha, beta, last) };
        let mut regions: Vec<(f64, Vec<Possible>)> = levels
            .iter()
            .map(|level| {
                let errors = two_sided(*level);
                (errors, self.region(errors * errors / 2.0).into_iter().map(possible).collect())
            })
            .collect();
        let seen = self.survival(last);
        let mut share = seen;
        let mut project = |time: usize| {
            share *= self.retention(time);
            let mean = if left > 0.0 { size * share } else { 0.0 };
            let kept = share / seen;
            let chance_variance = left * kept * (1.0 - kept);
            let intervals = regions
                .iter_mut()
                .map(|(errors, region)| {
                    let (mut low, mut high) = (mean, mean);
                    for curve in region {
                        curve.share *= retention(curve.alpha, curve.beta, time);
                        low = low.min(size * curve.share);
                        high = high.max(size * curve.share);
                    }
                    let chance = *errors * *errors * chance_variance;
                    let below = ((mean - low).powi(2) + chance).sqrt();
                    let above = ((high - mean).powi(2) + chance).sqrt();
                    if left > 0.0 { ((mean - below).max(0.0), (mean + above).min(left.max(mean))) } else { (0.0, 0.0) }
                })
                .collect();
            Projection { time, survivors: mean, retention: self.retention(time), intervals }
        };
        (last + 1..=last + horizon).map(&mut project).collect()
    }

    /// The discounted expected residual lifetime of a customer who has renewed `renewals` times, just before the next
    /// renewal: the renewals still to come, the next one whole and each later one discounted by `discount_rate` a
    /// period. `None` when it has no bound: without discount, where α is 1 or less.
    ///
    /// (β + n − 1) / (α + β + n − 1) · ₂F₁(1, β + n; α + β + n; 1/(1 + d)) with n = renewals + 1.
    #[must_use]
    pub fn residual_lifetime(&self, renewals: usize, discount_rate: f64) -> Option<f64> {
        residual_lifetime(self.alpha, self.beta, renewals, discount_rate)
    }

    /// The expected periods that a new customer pays for, the first one whole and each later one discounted by
    /// `discount_rate` a period, with the ends of its interval of `level`. An end, or the whole, is `None` when it has
    /// no bound: without discount, where α is 1 or less.
    #[must_use]
    pub fn lifetime(&self, discount_rate: f64, level: f64) -> Option<(f64, Option<(f64, f64)>)> {
        let of = |alpha: f64, beta: f64| {
            Some(1.0 + residual_lifetime(alpha, beta, 0, discount_rate)? / (1.0 + discount_rate))
        };
        let mean = of(self.alpha, self.beta)?;
        let errors = two_sided(level);
        let region = self.region(errors * errors / 2.0);
        let whole = region.iter().all(|(alpha, beta)| of(*alpha, *beta).is_some());
        Some((mean, whole.then(|| bounds(&region, mean, |alpha, beta| of(alpha, beta).unwrap_or(mean)))))
    }

    /// Points around the α and β whose log-likelihood falls short of the best by `drop` at the most. Survival falls as
    /// α ÷ (α + β) grows, so between two such points with the same α + β nothing is higher or lower than at them.
    fn region(&self, drop: f64) -> Vec<(f64, f64)> {
        let likelihood = Likelihood { survivors: &self.survivors };
        let least = self.log_likelihood - drop;
        let best = (self.alpha + self.beta).ln();
        let holds = |log_sum: f64| likelihood.best(log_sum.exp()).1 >= least;
        let edge = |outer: f64| if holds(outer) { outer } else { boundary(best, outer, holds) };
        let (low, high) = (edge(PRECISION.0), edge(PRECISION.1));
        let mut points = Vec::new();
        for step in 0..=LOOKS {
            let sum = (low + (high - low) * step as f64 / LOOKS as f64).exp();
            let (share, _) = likelihood.best(sum);
            let holds = |share: f64| likelihood.at(share, sum) >= least;
            for outer in [0.0, 1.0] {
                let edge = boundary(share, outer, holds);
                points.push((edge * sum, (1.0 - edge) * sum));
            }
        }
        points
    }
}

/// The lowest and the highest value over some points, and the estimate between.
fn bounds(region: &[(f64, f64)], mean: f64, of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
    region
        .iter()
        .map(|(alpha, beta)| of(*alpha, *beta))
        .fold((mean, mean), |(low, high), value| (low.min(value), high.max(value)))
}

/// The survivors of a cohort, and how likely they are.
struct Likelihood<'a> {
    survivors: &'a [f64],
}

impl Likelihood<'_> {
    /// The best α ÷ (α + β) for an α + β, and its log-likelihood.
    fn best(&self, sum: f64) -> (f64, f64) {
        // Each customer of a period leaves with α ÷ (α + β + i) or stays with (β + i) ÷ (α + β + i). The derivative by
        // the share falls from plus to minus infinity.
        let rises = |share: f64| {
            let periods = self.survivors.windows(2).enumerate();
            let slopes = periods.map(|(period, alive)| {
                let stays = (1.0 - share) * sum + period as f64;
                (alive[0] - alive[1]) / (share * sum) - if alive[1] > 0.0 { alive[1] / stays } else { 0.0 }
            });
            slopes.sum::<f64>() > 0.0
        };
        let share = boundary(f64::MIN_POSITIVE, 1.0 - f64::EPSILON, rises);
        (share, self.at(share, sum))
    }

    fn at(&self, share: f64, sum: f64) -> f64 {
        let (alpha, beta) = (share * sum, (1.0 - share) * sum);
        let term = |count: f64, chance: f64| if count > 0.0 { count * chance.ln() } else { 0.0 };
        let periods = self.survivors.windows(2).enumerate();
        periods
            .map(|(period, alive)| {
                let at_risk = sum + period as f64;
                term(alive[0] - alive[1], alpha / at_risk) + term(alive[1], (beta + period as f64) / at_risk)
            })
            .sum()
    }
}

/// The point between `inner`, at which something holds, and `outer`, at which it does not, where it ceases to.
fn boundary(mut inner: f64, mut outer: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // As many halvings as a float has digits.
    for _ in 0..100 {
        let middle = f64::midpoint(inner, outer);
        if holds(middle) {
            inner = middle;
        } else {
            outer = middle;
        }
    }
    inner
}

/// Where a function with one top between `low` and `high` has it: the golden section.
fn highest(mut low: f64, mut high: f64, of: impl Fn(f64) -> f64) -> f64 {
    let golden = (5.0f64.sqrt() - 1.0) / 2.0;
    for _ in 0..80 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if of(left) < of(right) {
            low = left;
        } else {
            high = right;
        }
    }
    f64::midpoint(low, high)
}

fn retention(alpha: f64, beta: f64, period: usize) -> f64 {
    let before = period.saturating_sub(1) as f64;
    (beta + before) / (alpha + beta + before)
}

fn survival(alpha: f64, beta: f64, periods: usize) -> f64 {
    (1..=periods).map(|period| retention(alpha, beta, period)).product()
}

fn residual_lifetime(alpha: f64, beta: f64, renewals: usize, discount_rate: f64) -> Option<f64> {
    let after = beta + renewals as f64;
    let sum = alpha + after;
    Some(after / sum * hypergeometric(after + 1.0, sum + 1.0, 1.0 / (1.0 + discount_rate))?)
}

/// Gauss's ₂F₁(1, b; c; z) for 0 ≤ z ≤ 1 and c > b > 0, by his continued fraction, evaluated by Lentz's method;
/// `None` when it has no bound (z = 1 and c ≤ b + 1).
fn hypergeometric(b: f64, c: f64, z: f64) -> Option<f64> {
    if z >= 1.0 {
        return (c > b + 1.0).then(|| (c - 1.0) / (c - b - 1.0));
    }
    // ₂F₁ = 1 / (1 + k₁z / (1 + k₂z / (1 + ...))), from the ratio of F(a + 1, b; c + 1) to F(a, b; c) at a = 0.
    let c = c - 1.0;
    let coefficient = |index: usize| {
        let step = (index / 2) as f64;
        let scale = (c + index as f64 - 1.0) * (c + index as f64);
        let above = if index % 2 == 1 { -(c + step) * (b + step) } else { (b - c - step) * step };
        above / scale
    };
    let (mut value, mut c_ratio, mut d_ratio) = (1.0f64, 1.0f64, 0.0f64);
    for index in 1..1_000_000 {
        let term = coefficient(index) * z;
        d_ratio = 1.0 / (1.0 + term * d_ratio);
        c_ratio = 1.0 + term / c_ratio;
        let change = c_ratio * d_ratio;
        value *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    Some(1.0 / value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Percentages of a cohort of a thousand, as the paper of 2007 prints them.
    const REGULAR: [f64; 13] = [100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3];
    const HIGH_END: [f64; 13] = [100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4];

    fn fit(percent: &[f64]) -> Fit {
        Fit::of(&percent.iter().map(|share| share * 10.0).collect::<Vec<_>>()).unwrap()
    }

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
    }

    #[test]
    fn the_published_fits() {
        for (percent, points, alpha, beta, log_likelihood) in [
            (&REGULAR, 8, 0.704_1, 1.182_0, -1_680.265_2),
            (&HIGH_END, 8, 0.668_1, 3.806_1, -1_611.158_1),
            (&REGULAR, 5, 0.763_7, 1.295_8, -1_401.559_4),
            (&HIGH_END, 5, 1.281_0, 7.790_4, -1_225.134_9),
        ] {
            let fit = fit(&percent[..points]);
            near(fit.alpha, alpha, 1e-3);
            near(fit.beta, beta, 1e-3);
            near(fit.log_likelihood, log_likelihood, 1e-4);
            assert!(!fit.is_constant_churn);
        }
    }

    #[test]
    fn the_published_projections() {
        for (percent, points, wanted) in [
            (&REGULAR, 8, [22.008_5, 20.441_1, 19.119, 17.986_5, 17.003_7]),
            (&HIGH_END, 8, [46.044, 43.578, 41.417_2, 39.505_5, 37.799_9]),
        ] {
            let fit = fit(&percent[..points]);
            let found = fit.project(5, &[0.8, 0.95]);
            for (projection, (percent, actual)) in found.iter().zip(wanted.iter().zip(&percent[points..])) {
                near(projection.survivors / 10.0, *percent, 0.005);
                let [narrow, wide] = projection.intervals[..] else { panic!() };
                assert!(wide.0 < narrow.0 && narrow.0 < projection.survivors);
                assert!(projection.survivors < narrow.1 && narrow.1 < wide.1);
                assert!(wide.0 < actual * 10.0 && actual * 10.0 < wide.1, "{projection:?} misses {actual}");
            }
            assert_eq!(found[0].time, 8);
            near(found[4].retention, fit.survival(12) / fit.survival(11), 1e-12);
        }
        near(fit(&REGULAR[..8]).retention(1), 0.626_71, 1e-5);
        near(fit(&HIGH_END[..8]).retention(12), 0.956_83, 1e-5);
        // Five points project 284.5, 253.7 and 229.6 of a thousand.
        for (projection, wanted) in fit(&REGULAR[..5]).project(3, &[]).iter().zip([284.5, 253.7, 229.6]) {
            near(projection.survivors, wanted, 0.06);
        }
    }

    /// The value of a high-end customer who has renewed seven times, at ten per cent a year: 7.53.
    #[test]
    fn the_published_residual_lifetime() {
        let fit = fit(&HIGH_END[..8]);
        near(fit.residual_lifetime(7, 0.1).unwrap(), 7.529_6, 1e-3);
        // By the definition: the renewals to come, discounted.
        let sum: f64 = (8..2_000).map(|time| fit.survival(time) / fit.survival(7) * 1.1f64.powi(8 - time as i32)).sum();
        near(fit.residual_lifetime(7, 0.1).unwrap(), sum, 1e-9);
        let (lifetime, interval) = fit.lifetime(0.1, 0.95).unwrap();
        let sum: f64 = (0..2_000).map(|time| fit.survival(time) * 1.1f64.powi(-(time as i32))).sum();
        near(lifetime, sum, 1e-9);
        let (low, high) = interval.unwrap();
        assert!(low < lifetime && lifetime < high && high - low < 2.0, "{low} {lifetime} {high}");
        // Without discount and with α below 1 the mean life has no bound.
        assert_eq!(fit.lifetime(0.0, 0.95), None);
    }

    #[test]
    fn the_continued_fraction_is_the_series() {
        for (b, c, z) in [(1.5, 2.0, 0.9), (8.3, 9.0, 0.99), (4.0, 30.0, 0.5), (0.2, 0.9, 0.999)] {
            let mut term = 1.0;
            let mut sum = 0.0;
            for k in 0..200_000 {
                sum += term;
                term *= (b + f64::from(k)) / (c + f64::from(k)) * z;
            }
            let found = hypergeometric(b, c, z).unwrap();
            near(found / sum, 1.0, 1e-10);
        }
        near(hypergeometric(2.0, 5.0, 1.0).unwrap(), 2.0, 1e-12);
        assert_eq!(hypergeometric(2.0, 3.0, 1.0), None);
    }

    /// Half leave in each period: customers do not differ, and the curve is that of a coin.
    #[test]
    fn constant_churn_is_told() {
        let fit = Fit::of(&[1_024.0, 512.0, 256.0, 128.0, 64.0]).unwrap();
        assert!(fit.is_constant_churn);
        near(fit.retention(9), 0.5, 1e-4);
        near(fit.project(1, &[0.95])[0].survivors, 32.0, 0.01);
        // Churn that rises with age is no case for the model either; it comes as near as a constant rate.
        assert!(Fit::of(&[1_000.0, 950.0, 850.0, 650.0]).unwrap().is_constant_churn);
        // Some never leave: a few losses at first and none later.
        let fit = Fit::of(&[1_000.0, 900.0, 899.0, 899.0, 899.0, 899.0]).unwrap();
        assert!(!fit.is_constant_churn && fit.survival(12) > 0.89, "{fit:?}");
        // All gone after a while.
        assert!(Fit::of(&[10.0, 5.0, 0.0, 0.0]).unwrap().project(2, &[0.8]).iter().all(|p| p.survivors < 1e-9));
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        for (survivors, words) in [
            (&[100.0, 90.0][..], "too few"),
            (&[][..], "too few"),
            (&[100.0, 100.0, 100.0], "nobody has left"),
            (&[100.0, 90.0, 95.0], "more than the 90 before"),
            (&[100.0, 0.0, 0.0], "everybody left"),
            (&[100.0, f64::NAN, 10.0], "t = 1"),
            (&[0.0, 0.0, 0.0], "t = 0"),
            (&[100.0, -1.0, -2.0], "t = 1"),
        ] {
            let error = Fit::of(survivors).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    /// A larger cohort is surer.
    #[test]
    fn intervals_narrow_as_cohorts_grow() {
        let width = |size: f64| {
            let survivors: Vec<f64> = HIGH_END[..8].iter().map(|percent| percent / 100.0 * size).collect();
            let projection = &Fit::of(&survivors).unwrap().project(5, &[0.95])[4];
            (projection.intervals[0].1 - projection.intervals[0].0) / size
        };
        let ratio = width(1_000.0) / width(100_000.0);
        assert!((8.0..12.0).contains(&ratio), "a hundred times as many are about ten times as sure: {ratio}");
    }
}
