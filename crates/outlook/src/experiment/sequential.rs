//! Evidence that may be looked at every day.
//!
//! Let a difference D be estimated with variance V. Under no difference the likelihood ratio of "the difference is drawn
//! from a normal distribution of mean 0 and deviation T" against "there is none",
//!
//! ```text
//! evidence = √(V ÷ (V + T²)) · exp(½ · D²/V · T²/(V + T²))
//! ```
//!
//! is a martingale of mean 1 as people come in, so the chance that it ever reaches 1/α is at most α (J. Ville, 1939; H. Robbins,
//! 1970). That is the mixture sequential probability ratio test of Johari, Koomen, Pekelis and Walsh (2022), and turned
//! round the confidence sequence of Robbins. For means of anything with a variance, in place of normal outcomes, it holds in
//! the limit of many outcomes: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, *Time-uniform central limit theory and
//! asymptotic confidence sequences* (2021). Howard, Ramdas, McAuliffe and Sekhon (2021) is the survey.
//!
//! T is how large a difference usually is. It tunes at which size of the test the evidence grows fastest; the guarantee
//! holds for any T.

use crate::normal;

/// The mixture: how large differences usually are, and how sure one wants to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// The deviation of differences, in the unit of the outcome.
    pub scale: f64,
    /// The chance of ever being wrong.
    pub alpha: f64,
}

impl Mixture {
    /// By how much the data speak for a difference: 1 says nothing, 1/α is enough.
    #[must_use]
    pub fn evidence(&self, difference: f64, variance: f64) -> f64 {
        let prior = self.scale * self.scale;
        let all = variance + prior;
        if variance <= 0.0 || all <= 0.0 {
            return 1.0;
        }
        (variance / all).sqrt() * (0.5 * difference * difference / variance * prior / all).exp()
    }

    /// Half the width of the interval that holds the true difference on all days at once with probability 1 − α: the
    /// differences against which the evidence is below 1/α. Infinite where nothing is known.
    #[must_use]
    pub fn half_width(&self, variance: f64) -> f64 {
        let prior = self.scale * self.scale;
        if variance <= 0.0 || prior <= 0.0 {
            return f64::INFINITY;
        }
        let all = variance + prior;
        (variance * all / prior * ((all / variance).ln() - 2.0 * self.alpha.ln())).sqrt()
    }

    /// The probability that the true difference is above zero, where differences are drawn from the mixture: so it is the
    /// same whenever one looks, and begins at one half.
    #[must_use]
    pub fn probability_above(&self, difference: f64, variance: f64) -> f64 {
        let prior = self.scale * self.scale;
        if variance <= 0.0 || prior <= 0.0 {
            return 0.5;
        }
        normal::share_below(difference * self.scale / (variance * (variance + prior)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the figures of the test of `experiment.rs`: V = 0.00012161, T = 0.013, D = 0.03.
    #[test]
    fn evidence_by_hand() {
        let mixture = Mixture { scale: 0.013, alpha: 0.05 };
        let found = mixture.evidence(0.03, 0.000_121_61).ln();
        let wanted =
            0.5 * (0.000_121_61f64 / 0.000_290_61).ln() + 0.5 * (0.0009 / 0.000_121_61) * (0.000_169 / 0.000_290_61);
        assert!((found - wanted).abs() < 1e-12 && (found - 1.716).abs() < 1e-3, "{found}");
    }

    proptest! {
        /// The interval holds zero exactly while the evidence is below 1/α.
        #[test]
        fn interval_and_evidence_agree(
            scale in 0.001f64..10.0,
            alpha in 0.0001f64..0.5,
            variance in 0.00001f64..10.0,
            errors in 0.0f64..8.0,
        ) {
            let mixture = Mixture { scale, alpha };
            let difference = errors * variance.sqrt();
            let reach = mixture.half_width(variance);
            prop_assume!((difference - reach).abs() > 1e-9 * reach);
            prop_assert_eq!(difference > reach, mixture.evidence(difference, variance) > 1.0 / alpha);
        }

        /// It is always wider than the one for a single look.
        #[test]
        fn looking_each_day_costs_something(scale in 0.001f64..10.0, alpha in 0.0001f64..0.5, variance in 0.00001f64..10.0) {
            let reach = Mixture { scale, alpha }.half_width(variance);
            prop_assert!(reach > normal::two_sided(1.0 - alpha) * variance.sqrt());
        }

        /// The two sides share the whole probability.
        #[test]
        fn better_and_worse_are_all_there_is(scale in 0.001f64..10.0, variance in 0.00001f64..10.0, errors in -6.0f64..6.0) {
            let mixture = Mixture { scale, alpha: 0.05 };
            let difference = errors * variance.sqrt();
            let both = mixture.probability_above(difference, variance) + mixture.probability_above(-difference, variance);
            prop_assert!((both - 1.0).abs() < 1e-9);
        }
    }
}
