//! Survival of lives of which most have not ended yet: the Kaplan–Meier curve with intervals, its median and mean, and
//! the expected lifetime.
//!
//! Leaving out those who are still there would make every life too short, and counting them as ended as well. The
//! estimator of Kaplan and Meier counts them as long as they were seen: of those seen for a unit of time, which share
//! ended in it; survival is the product of what was left each time.

use std::collections::BTreeMap;

use crate::normal::two_sided;

/// How long someone was seen, and whether the life ended then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Whole units of time, such as months.
    pub time: u32,
    /// Whether it ended at that time; otherwise it was still going on when it was last seen.
    pub ended: bool,
}

/// With fewer lives than this nothing but the single cases speaks.
pub const SMALL_SAMPLE_LIVES: usize = 30;

/// With fewer ends than this intervals are no more than a hint: they rest on the normal approximation, for which ten
/// events are the usual least.
pub const SMALL_SAMPLE_ENDED: u64 = 10;

/// Whether so few lives, or ends of them, were seen that a figure should say so.
#[must_use]
pub fn is_small_sample(lives: usize, ended: u64) -> bool {
    lives < SMALL_SAMPLE_LIVES || ended < SMALL_SAMPLE_ENDED
}

/// A figure with an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The lower end of the interval.
    pub lower: f64,
    /// The upper end of the interval.
    pub upper: f64,
}

/// A step of a curve: a time at which lives ended, or were last seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The time.
    pub time: u32,
    /// Lives that were seen up to then.
    pub at_risk: u64,
    /// Those that ended then.
    pub ended: u64,
    /// The share that lives beyond this time.
    pub survival: f64,
    /// The standard error of that share, by Greenwood's formula.
    pub standard_error: f64,
    /// The lower end of its interval.
    pub lower: f64,
    /// The upper end of its interval.
    pub upper: f64,
}

/// A survival curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The steps, in order of time.
    pub steps: Vec<Step>,
    /// How many lives it was made of.
    pub lives: usize,
    /// How many of them ended.
    pub ended: u64,
}

/// The Kaplan–Meier curve of some lives, with pointwise intervals of `level` (such as 0.95).
///
/// S(t) is the product of 1 − d/n over the times up to t (E. L. Kaplan and P. Meier, 1958). Its variance is
/// S² Σ d/(n(n − d)) (M. Greenwood, 1926). Intervals are symmetric in log(−log S), so that they stay between 0 and 1
/// (J. D. Kalbfleisch and R. L. Prentice, 1980). While nobody has ended there is no such interval, so the lower end is the
/// exact one of n lives without an end, ((1 − level) ÷ 2)^(1/n); when nobody is left the interval is carried on from 0 to
/// the last upper end.
#[must_use]
pub fn kaplan_meier(lives: &[Life], level: f64) -> Curve {
    let errors = two_sided(level);
    let mut at_risk = lives.len() as u64;
    let (mut survival, mut hazard_variance, mut last_upper) = (1.0f64, 0.0f64, 1.0f64);
    let mut steps = Vec::new();
    let mut ended_in_all = 0;
    for (time, (ended, stopped)) in by_time(lives) {
        let (at_risk_here, ended_here) = (at_risk as f64, ended as f64);
        survival *= 1.0 - ended_here / at_risk_here;
        let left = at_risk_here - ended_here;
        if left > 0.0 {
            hazard_variance += ended_here / (at_risk_here * left);
        }
        let (lower, upper) = if left <= 0.0 {
            (0.0, last_upper)
        } else if survival < 1.0 {
            let spread = (errors * hazard_variance.sqrt() / survival.ln().abs()).exp();
            (survival.powf(spread), survival.powf(1.0 / spread))
        } else {
            (((1.0 - level) / 2.0).powf(1.0 / at_risk_here), 1.0)
        };
        last_upper = upper;
        let standard_error = survival * hazard_variance.sqrt();
        steps.push(Step { time, at_risk, ended, survival, standard_error, lower, upper });
        ended_in_all += ended;
        at_risk -= stopped;
    }
    Curve { steps, lives: lives.len(), ended: ended_in_all }
}

/// The curves of several strata, such as plans: `lives` says for each life of which stratum it is, from 0.
#[must_use]
pub fn kaplan_meier_by_stratum(lives: &[(usize, Life)], strata: usize, level: f64) -> Vec<Curve> {
    let mut apart = vec![Vec::new(); strata];
    for (stratum, life) in lives {
        if let Some(own) = apart.get_mut(*stratum) {
            own.push(*life);
        }
    }
    apart.iter().map(|own| kaplan_meier(own, level)).collect()
}

/// For each time, how many lives ended then, and how many ended or were last seen then.
fn by_time(lives: &[Life]) -> BTreeMap<u32, (u64, u64)> {
    let mut times: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for life in lives {
        let (ended, stopped) = times.entry(life.time).or_default();
        *ended += u64::from(life.ended);
        *stopped += 1;
    }
    times
}

impl Curve {
    /// The step that holds at a time; `None` before the first one, when all are alive.
    #[must_use]
    pub fn at(&self, time: u32) -> Option<&Step> {
        let through = self.steps.partition_point(|step| step.time <= time);
        through.checked_sub(1).and_then(|index| self.steps.get(index))
    }

    /// The share that lives beyond a time.
    #[must_use]
    pub fn survival(&self, time: u32) -> f64 {
        self.at(time).map_or(1.0, |step| step.survival)
    }

    /// The first time by which half have ended; `None` when that was not seen.
    #[must_use]
    pub fn median(&self) -> Option<u32> {
        self.first(|step| step.survival)
    }

    /// The interval of the median: the first times at which the lower and the upper end of the interval of survival are
    /// at one half or below (R. Brookmeyer and J. Crowley, 1982). An end that was not seen is `None`.
    #[must_use]
    pub fn median_interval(&self) -> (Option<u32>, Option<u32>) {
        (self.first(|step| step.lower), self.first(|step| step.upper))
    }

    fn first(&self, of: impl Fn(&Step) -> f64) -> Option<u32> {
        self.steps.iter().find(|step| of(step) <= 0.5).map(|step| step.time)
    }

    /// The mean life within `[0, horizon)`, where longer ones count as `horizon`: the area under the curve, with
    /// the variance Σ A(t)² d/(n(n − d)), where A(t) is the area from t on. Beyond the longest life that was seen the
    /// curve stays where it is.
    #[must_use]
    pub fn restricted_mean(&self, horizon: u32, level: f64) -> Estimate {
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.time < horizon).collect();
        let (mut area, mut variance) = (0.0f64, 0.0f64);
        let mut until = horizon;
        for step in steps.iter().rev() {
            area += step.survival * f64::from(until - step.time);
            let (at_risk, ended) = (step.at_risk as f64, step.ended as f64);
            if step.ended > 0 && step.ended < step.at_risk {
                variance += area * area * ended / (at_risk * (at_risk - ended));
            }
            until = step.time;
        }
        let mean = area + f64::from(until);
        let standard_error = variance.sqrt();
        let reach = two_sided(level) * standard_error;
        Estimate { mean, standard_error, lower: (mean - reach).max(0.0), upper: (mean + reach).min(f64::from(horizon)) }
    }

    /// Whether so few lives were seen that a figure should say so.
    #[must_use]
    pub fn is_small_sample(&self) -> bool {
        is_small_sample(self.lives, self.ended)
    }
}

/// The expected units of time of paying of some lives; later ones are discounted by `discount_rate` a unit of time when it
/// is above zero. `None` when nobody has left: then nothing bounds a life.
///
/// A life of `time` ended, or was last seen, within the unit that begins at `time`. The area under the Kaplan–Meier curve is
/// taken by trapezoids, discounted to the middle of each unit, and beyond the longest life the curve goes on at the
/// mean hazard, which is all ends ÷ all units at risk.
///
/// The interval is the delta method: the expected life is a function of the ends in each unit, which are uncorrelated with
/// variance n q (1 − q); the tail counts in it as well. It is symmetric in the logarithm, so it never reaches zero.
#[must_use]
pub fn expected_lifetime(lives: &[Life], discount_rate: f64, level: f64) -> Option<Estimate> {
    let longest = lives.iter().map(|life| life.time).max()?;
    let times = by_time(lives);
    let ended: u64 = times.values().map(|(ended, _)| ended).sum();
    if ended == 0 {
        return None;
    }
    struct Unit {
        at_risk: f64,
        hazard: f64,
        area: f64,
        /// The part of `area` that an end in this unit takes away.
        after: f64,
    }
    let factor = 1.0 / (1.0 + discount_rate);
    let mut at_risk = lives.len() as u64;
    let (mut survival, mut discount, mut exposure) = (1.0f64, 1.0f64, 0.0f64);
    let mut units = Vec::with_capacity(longest as usize + 1);
    let mut mean = 0.0f64;
    for time in 0..=longest {
        let (ended, stopped) = times.get(&time).copied().unwrap_or_default();
        let before = survival;
        let hazard = if at_risk > 0 { ended as f64 / at_risk as f64 } else { 0.0 };
        survival *= 1.0 - hazard;
        let weight = discount * factor.sqrt();
        let area = f64::midpoint(before, survival) * weight;
        mean += area;
        units.push(Unit { at_risk: at_risk as f64, hazard, area, after: survival / 2.0 * weight });
        exposure += at_risk as f64;
        discount *= factor;
        at_risk -= stopped;
    }
    let hazard = ended as f64 / exposure;
    let lost_by_unit = 1.0 - (1.0 - hazard) * factor;
    let tail = if survival > 0.0 { survival * discount / lost_by_unit } else { 0.0 };
    mean += tail;
    // d mean ÷ d hazard of the tail.
    let tail_slope = -tail * factor / lost_by_unit;
    let (mut later, mut variance) = (tail, 0.0f64);
    for unit in units.iter().rev() {
        let spread = unit.at_risk * unit.hazard * (1.0 - unit.hazard);
        if spread > 0.0 {
            let slope = -(unit.after + later) / (1.0 - unit.hazard) / unit.at_risk + tail_slope / exposure;
            variance += spread * slope * slope;
        }
        later += unit.area;
    }
    let standard_error = variance.sqrt();
    let reach = (two_sided(level) * standard_error / mean).exp();
    Some(Estimate { mean, standard_error, lower: mean / reach, upper: mean * reach })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `3 5+ 7`: lives that ended at 3 and 7, and one that was last seen at 5.
    fn lives(text: &str) -> Vec<Life> {
        let life = |word: &str| Life { time: word.trim_end_matches('+').parse().unwrap(), ended: !word.ends_with('+') };
        text.split_whitespace().map(life).collect()
    }

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
    }

    /// Six of 21 patients on 6-MP relapsed at 6 weeks or so: the curve of Freireich and others (1963) that every
    /// textbook works out, with its standard errors and log-log intervals as R's `survfit` prints them.
    #[test]
    fn the_textbook_curve() {
        let curve = kaplan_meier(&lives("6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"), 0.95);
        for (time, at_risk, survival, error) in [
            (6, 21, 0.857_143, 0.076_36),
            (7, 17, 0.806_723, 0.086_94),
            (10, 15, 0.752_941, 0.096_35),
            (13, 12, 0.690_196, 0.106_81),
            (16, 11, 0.627_451, 0.114_05),
            (22, 7, 0.537_815, 0.128_23),
            (23, 6, 0.448_179, 0.134_59),
        ] {
            let step = curve.at(time).unwrap();
            assert_eq!(step.at_risk, at_risk);
            near(step.survival, survival, 1e-6);
            near(step.standard_error, error, 1e-5);
            assert!(step.lower < survival && survival < step.upper);
        }
        assert_eq!((curve.median(), curve.ended, curve.is_small_sample()), (Some(23), 9, true));
        near(curve.at(6).unwrap().lower, 0.619_72, 1e-5);
        near(curve.at(6).unwrap().upper, 0.951_55, 1e-5);
        assert_eq!(curve.median_interval(), (Some(13), None));
    }

    /// Of ten, one left in the first month and two in the third; two were last seen in the second: 9/10, then 5/7 of it.
    #[test]
    fn a_curve_by_hand() {
        let curve = kaplan_meier(&lives("1 2+ 2+ 3 3 4+ 4+ 4+ 4+ 4+"), 0.95);
        near(curve.survival(0), 1.0, 0.0);
        near(curve.survival(2), 0.9, 1e-12);
        near(curve.survival(3), 0.9 * 5.0 / 7.0, 1e-12);
        // Greenwood: 1/(10·9) + 2/(7·5).
        near(curve.at(3).unwrap().standard_error, 9.0 / 14.0 * (1.0 / 90.0 + 2.0 / 35.0f64).sqrt(), 1e-12);
        // The area up to 4: one whole month, two at 0.9, one at 9/14.
        let mean = curve.restricted_mean(4, 0.95);
        near(mean.mean, 1.0 + 1.8 + 9.0 / 14.0, 1e-12);
        let variance = (1.8 + 9.0 / 14.0f64).powi(2) / 90.0 + (9.0 / 14.0f64).powi(2) * 2.0 / 35.0;
        near(mean.standard_error, variance.sqrt(), 1e-12);
        // The lower end at 1 is 0.9 to the power e^1.96, about 0.47: one end in ten says little.
        assert_eq!((curve.median(), curve.median_interval()), (None, (Some(1), None)));
    }

    /// A month-to-month plan loses many early: counts by month as a telephone company saw them (at risk, ended), and
    /// the survival that was published for them.
    #[test]
    fn a_telephone_company() {
        // Everyone of 7,032; month 1: 380 ended, 233 were last seen; month 2: 123 ended, 115 last seen; month 3: 94.
        let mut many = Vec::new();
        for (time, ended, seen) in [(1, 380, 233), (2, 123, 115), (3, 94, 6_087)] {
            many.extend(std::iter::repeat_n(Life { time, ended: true }, ended));
            many.extend(std::iter::repeat_n(Life { time, ended: false }, seen));
        }
        let curve = kaplan_meier(&many, 0.95);
        for (time, at_risk, survival) in [(1, 7_032, 0.945_961_32), (2, 6_419, 0.927_834_94), (3, 6_181, 0.913_724_52)]
        {
            assert_eq!(curve.at(time).unwrap().at_risk, at_risk);
            near(curve.survival(time), survival, 5e-9);
        }
        assert!(!curve.is_small_sample());
    }

    #[test]
    fn strata_are_curves_of_their_own() {
        let all: Vec<(usize, Life)> = lives("1 2 3+")
            .into_iter()
            .map(|life| (0, life))
            .chain(lives("5+ 6").into_iter().map(|life| (1, life)))
            .collect();
        let curves = kaplan_meier_by_stratum(&all, 3, 0.95);
        assert_eq!(curves[0], kaplan_meier(&lives("1 2 3+"), 0.95));
        assert_eq!(curves[1].survival(5).total_cmp(&1.0), std::cmp::Ordering::Equal);
        assert!(curves[2].steps.is_empty());
    }

    #[test]
    fn where_nobody_or_everybody_ended_there_is_still_an_interval() {
        let nobody = kaplan_meier(&lives("3+ 4+ 4+"), 0.95);
        let step = nobody.at(4).unwrap();
        near(step.survival, 1.0, 0.0);
        near(step.lower, 0.025f64.powf(0.5), 1e-12);
        let everybody = kaplan_meier(&lives("1 2 3"), 0.95);
        let step = everybody.at(3).unwrap();
        assert!(step.survival.abs() < 1e-15 && step.lower.abs() < 1e-15 && step.upper < 1.0 && step.upper > 0.0);
        assert_eq!(kaplan_meier(&[], 0.95).median(), None);
    }

    #[test]
    fn a_constant_hazard_gives_its_inverse() {
        // Of each month's customers one in ten leaves: the mean life is about ten months.
        let mut many = Vec::new();
        let mut left = 100_000u32;
        for time in 0..40 {
            let leave = left / 10;
            many.extend(std::iter::repeat_n(Life { time, ended: true }, leave as usize));
            left -= leave;
        }
        many.extend(std::iter::repeat_n(Life { time: 40, ended: false }, left as usize));
        let months = expected_lifetime(&many, 0.0, 0.95).unwrap();
        assert!((9.3..9.7).contains(&months.mean), "{months:?}");
        // The mean of so many lives of about ten months is known to about 10 ÷ √100,000.
        assert!((0.025..0.04).contains(&months.standard_error), "{months:?}");
        let discounted = expected_lifetime(&many, 1.1f64.powf(1.0 / 12.0) - 1.0, 0.95).unwrap();
        assert!(
            discounted.mean < months.mean && discounted.lower < discounted.mean && discounted.mean < discounted.upper
        );
        assert_eq!(expected_lifetime(&lives("3+"), 0.0, 0.95), None);
        assert_eq!(expected_lifetime(&[], 0.0, 0.95), None);
    }

    /// The standard error is what repeated samples show: halves of a fifth leave in each month, seen for six months.
    #[test]
    fn the_interval_of_a_lifetime_holds_what_it_says() {
        // A congruential generator: the same samples each time.
        let mut state = 12_345u64;
        let mut dice = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut sample = |size: usize| -> Vec<Life> {
            (0..size)
                .map(|_| {
                    (0..6)
                        .find(|_| dice() < 0.2)
                        .map_or(Life { time: 6, ended: false }, |time| Life { time, ended: true })
                })
                .collect()
        };
        let truth = expected_lifetime(&sample(400_000), 0.0, 0.8).unwrap().mean;
        let found: Vec<Estimate> = (0..400).map(|_| expected_lifetime(&sample(200), 0.0, 0.8).unwrap()).collect();
        let held = found.iter().filter(|estimate| estimate.lower < truth && truth < estimate.upper).count();
        assert!((290..350).contains(&held), "{held} of 400 hold the truth, where 320 should");
    }
}
