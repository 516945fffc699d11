//! Three scenarios to plan by: growth goes on as it is today, half as fast again, or a quarter slower.

/// Growth is that of so many months.
const GROWTH_MONTHS: usize = 3;

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// Growth goes on.
    Base,
    /// Growth is half as fast again.
    Optimistic,
    /// Growth is a quarter slower.
    Pessimistic,
}

impl Scenario {
    /// Each with its name.
    pub const ALL: [(Scenario, &'static str); 3] =
        [(Scenario::Base, "base"), (Scenario::Optimistic, "optimistic"), (Scenario::Pessimistic, "pessimistic")];

    /// A rate of growth under the scenario. What shrinks does so half as fast, or a quarter faster: the better scenario is
    /// never the worse one.
    #[must_use]
    pub fn growth(self, rate: f64) -> f64 {
        match self {
            Scenario::Base => rate,
            Scenario::Optimistic => rate + 0.5 * rate.abs(),
            Scenario::Pessimistic => rate - 0.25 * rate.abs(),
        }
    }

    /// What is expected under the scenario of something that grows by a rate; nothing where it has no rate.
    #[must_use]
    pub fn ahead(self, history: &[f64], horizon: usize) -> Option<Vec<f64>> {
        let (last, rate) = (*history.last()?, self.growth(growth(history)?));
        let after = |months: usize| last * (1.0 + rate).powi(i32::try_from(months).unwrap_or(i32::MAX));
        Some((1..=horizon).map(after).collect())
    }
}

/// Today's rate of growth a month: the constant rate that leads from three months ago (or the first month) to the last one.
/// Nothing of a single month, or where one of the two is not above zero.
#[must_use]
pub fn growth(history: &[f64]) -> Option<f64> {
    let months = GROWTH_MONTHS.min(history.len().checked_sub(1)?);
    let (before, last) = (history[history.len() - 1 - months], history[history.len() - 1]);
    (months > 0 && before > 0.0 && last > 0.0).then(|| (last / before).powf(1.0 / months as f64) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_of_a_tenth_is_changed_by_a_half_and_a_quarter() {
        // 1000 grew to 1331 in three months: by a tenth each.
        let history = [500.0, 1000.0, 1100.0, 1210.0, 1331.0];
        for (scenario, after_one, after_two) in [
            (Scenario::Base, 1331.0 * 1.1, 1331.0 * 1.21),
            (Scenario::Optimistic, 1331.0 * 1.15, 1331.0 * 1.15 * 1.15),
            (Scenario::Pessimistic, 1331.0 * 1.075, 1331.0 * 1.075 * 1.075),
        ] {
            let ahead = scenario.ahead(&history, 2).unwrap();
            assert!((ahead[0] - after_one).abs() < 1e-9 && (ahead[1] - after_two).abs() < 1e-9, "{ahead:?}");
        }
    }

    #[test]
    fn what_shrinks_does_not_shrink_faster_in_the_better_case() {
        let [base, better, worse] = Scenario::ALL.map(|(scenario, _)| scenario.growth(-0.04));
        assert!((base + 0.04).abs() < 1e-12 && (better + 0.02).abs() < 1e-12 && (worse + 0.05).abs() < 1e-12);
    }

    #[test]
    fn without_two_months_above_zero_nothing_grows() {
        for history in [&[][..], &[5.0], &[0.0, 5.0], &[5.0, 0.0]] {
            assert_eq!(Scenario::Base.ahead(history, 3), None);
        }
    }
}
