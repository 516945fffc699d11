//! How many people a test needs, and what it could have seen by now.
//!
//! A test that is looked at each day finds a difference at the latest when the last look does. So the chance that it is
//! found by a number of people is at least the chance that the interval of that day leaves out zero; that chance is stated.
//! In truth it is found sooner more often than not.

use super::sequential::Mixture;
use crate::normal;

/// No test is planned with more people in an arm than this.
const MOST_PEOPLE: f64 = 1e12;

/// Two arms from which power is worked out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The control's mean.
    pub mean: f64,
    /// The variance of one outcome.
    pub variance: f64,
    /// People in the arm and in the control by now: larger tests are taken to have the same shares.
    pub people: (f64, f64),
    /// The rule of the test.
    pub mixture: Mixture,
}

impl Plan {
    /// The smallest true difference that a size finds with a probability, where sizes are multiples of the present one.
    fn found(&self, times: f64, power: f64) -> f64 {
        let (own, others) = self.people;
        let variance = self.variance * (1.0 / own + 1.0 / others) / times;
        self.mixture.half_width(variance) + normal::quantile(power) * variance.sqrt()
    }

    /// People that the smaller of the two arms needs for a difference relative to the control's mean to be found with a
    /// probability; `None` where no size would do.
    #[must_use]
    pub fn needed(&self, effect: f64, power: f64) -> Option<u64> {
        let (own, others) = self.people;
        let smaller = own.min(others);
        let wanted = effect * self.mean;
        if !(smaller > 0.0 && wanted > 0.0 && self.variance > 0.0) {
            return None;
        }
        let (mut too_few, mut enough) = (0.0f64, 1.0f64);
        while self.found(enough / smaller, power) > wanted {
            (too_few, enough) = (enough, enough * 2.0);
            if enough > MOST_PEOPLE {
                return None;
            }
        }
        while enough - too_few > 0.5 {
            let between = f64::midpoint(too_few, enough);
            if self.found(between / smaller, power) > wanted {
                too_few = between;
            } else {
                enough = between;
            }
        }
        Some(enough.ceil() as u64)
    }

    /// The smallest difference relative to the control's mean that would be found by now with a probability.
    #[must_use]
    pub fn detectable(&self, power: f64) -> Option<f64> {
        let relative = self.found(1.0, power) / self.mean;
        relative.is_finite().then_some(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(people: (f64, f64)) -> Plan {
        let mean = 0.05;
        Plan { mean, variance: mean * (1.0 - mean), people, mixture: Mixture { scale: 0.01, alpha: 0.05 } }
    }

    /// A test with one look needs (1.96 + 0.84)² × 2 × 0.0475 ÷ 0.01² = 7,457 people an arm for 5 % against 6 %; one that
    /// may be looked at each day needs twice as many at the most.
    #[test]
    fn the_price_of_looking_each_day() {
        let needed = plan((100.0, 100.0)).needed(0.2, 0.8).unwrap();
        assert!((13_000..14_914).contains(&needed), "{needed}");
        // What is needed does not depend on how many there are, only on their shares.
        assert_eq!(plan((700.0, 700.0)).needed(0.2, 0.8), Some(needed));
        // An arm of a tenth needs fewer people in it, and more in all.
        let unequal = plan((100.0, 900.0)).needed(0.2, 0.8).unwrap();
        assert!(unequal < needed && unequal * 10 > needed * 2, "{unequal}");
    }

    #[test]
    fn at_the_size_that_is_needed_the_effect_can_be_seen() {
        let needed = plan((100.0, 100.0)).needed(0.2, 0.8).unwrap() as f64;
        let detectable = plan((needed, needed)).detectable(0.8).unwrap();
        assert!((detectable - 0.2).abs() < 1e-3, "{detectable}");
    }

    #[test]
    fn larger_effects_need_fewer() {
        let plan = plan((100.0, 100.0));
        assert!(plan.needed(0.4, 0.8) < plan.needed(0.2, 0.8) && plan.needed(0.2, 0.8) < plan.needed(0.2, 0.95));
        assert_eq!(plan.needed(0.0, 0.8), None);
    }
}
