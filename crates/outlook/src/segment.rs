//! Segments of customers: each is in exactly one. And how much of MRR few customers hold.

use revenue::money::MoneyError;

/// What a customer is to the business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Of the top fifth by MRR.
    Whale,
    /// Pays, and nothing speaks against their staying.
    Core,
    /// Pays, and their health is low or falling.
    AtRisk,
    /// Tries.
    Trial,
    /// Uses the product without paying.
    Free,
    /// Paid once, and no more.
    Churned,
}

impl Segment {
    /// Every segment with its name.
    pub const ALL: &'static [(Segment, &'static str)] = &[
        (Segment::Whale, "whale"),
        (Segment::Core, "core"),
        (Segment::AtRisk, "at-risk"),
        (Segment::Trial, "trial"),
        (Segment::Free, "free"),
        (Segment::Churned, "churned"),
    ];

    /// The segment's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(segment, _)| *segment == self).map_or("", |(_, name)| name)
    }
}

/// What is known of a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Customer {
    /// What they pay a month, in micro-units.
    pub mrr_micros: i64,
    /// Whether they are trying.
    pub in_trial: bool,
    /// Whether they ever paid.
    pub paid_before: bool,
    /// Their health index, from 0 to 100, where it is known.
    pub health: Option<f64>,
    /// What it was some time before, where it is known.
    pub health_before: Option<f64>,
}

/// When a customer is at risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    /// Below so many points of health.
    pub below: f64,
    /// Or when health fell by so many points or more.
    pub fell_by: f64,
}

impl Default for Risk {
    fn default() -> Self {
        Self { below: 40.0, fell_by: 20.0 }
    }
}

/// Where a customer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The segment.
    pub segment: Segment,
    /// Whether the customer pays and is at risk. A whale at risk stays a whale, and is the first to call.
    pub is_at_risk: bool,
}

/// How many of some customers are their top fifth: rounded up, so that the top of a few is not empty.
#[must_use]
pub fn top_fifth(customers: usize) -> usize {
    customers.div_ceil(5)
}

/// Where each customer stands, in the order given. Of customers with the same MRR the earlier in that order counts as the
/// larger.
#[must_use]
pub fn standings(customers: &[Customer], risk: Risk) -> Vec<Standing> {
    let mut paying: Vec<usize> = (0..customers.len()).filter(|index| customers[*index].mrr_micros > 0).collect();
    paying.sort_by_key(|index| (std::cmp::Reverse(customers[*index].mrr_micros), *index));
    let mut is_whale = vec![false; customers.len()];
    for index in paying.iter().take(top_fifth(paying.len())) {
        is_whale[*index] = true;
    }
    customers
        .iter()
        .zip(is_whale)
        .map(|(customer, is_whale)| {
            let low = customer.health.is_some_and(|health| health < risk.below);
            let both = customer.health_before.zip(customer.health);
            let falls = both.is_some_and(|(before, now)| before - now >= risk.fell_by);
            let pays = customer.mrr_micros > 0;
            let is_at_risk = pays && (low || falls);
            let segment = match (pays, customer) {
                (true, _) if is_whale => Segment::Whale,
                (true, _) if is_at_risk => Segment::AtRisk,
                (true, _) => Segment::Core,
                (false, Customer { in_trial: true, .. }) => Segment::Trial,
                (false, Customer { paid_before: true, .. }) => Segment::Churned,
                (false, _) => Segment::Free,
            };
            Standing { segment, is_at_risk }
        })
        .collect()
}

/// How much of MRR few customers hold. The shares are quotients of these, exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Concentration {
    /// Customers who pay.
    pub customers: usize,
    /// MRR of all of them, in micro-units.
    pub total_micros: i128,
    /// MRR of the top fifth.
    pub top_fifth_micros: i128,
    /// MRR of the largest.
    pub largest_micros: i128,
    /// The sum of the squares of each one's MRR, in squared micro-units. Over the square of the total it is the
    /// Herfindahl–Hirschman index: 1 where one customer pays all, 1/n where n pay the same.
    pub squares: i128,
}

impl Concentration {
    /// Of the MRR of each customer; who pays nothing does not count.
    ///
    /// # Errors
    /// When the squares do not fit.
    pub fn of(mrr_micros: impl IntoIterator<Item = i64>) -> Result<Self, MoneyError> {
        let mut mrr: Vec<i64> = mrr_micros.into_iter().filter(|micros| *micros > 0).collect();
        mrr.sort_unstable_by(|a, b| b.cmp(a));
        let mut found = Self { customers: mrr.len(), ..Self::default() };
        for (index, micros) in mrr.iter().map(|micros| i128::from(*micros)).enumerate() {
            found.total_micros += micros;
            found.top_fifth_micros += if index < top_fifth(mrr.len()) { micros } else { 0 };
            found.largest_micros = found.largest_micros.max(micros);
            found.squares = micros
                .checked_mul(micros)
                .and_then(|square| found.squares.checked_add(square))
                .ok_or(MoneyError::TooLarge)?;
        }
        Ok(found)
    }

    /// The Herfindahl–Hirschman index as a quotient; `None` where nobody pays, or the square of all MRR does not fit.
    #[must_use]
    pub fn herfindahl(&self) -> Option<(i128, i128)> {
        let below = self.total_micros.checked_mul(self.total_micros)?;
        (below > 0).then_some((self.squares, below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pays(major: i64) -> Customer {
        Customer { mrr_micros: major * 1_000_000, paid_before: true, ..Customer::default() }
    }

    #[test]
    fn everybody_is_in_one_segment() {
        let customers = [
            pays(500),
            Customer { health: Some(20.0), ..pays(90) },
            Customer { health: Some(60.0), health_before: Some(85.0), ..pays(80) },
            Customer { health: Some(60.0), health_before: Some(70.0), ..pays(70) },
            pays(60),
            Customer { in_trial: true, ..Customer::default() },
            Customer::default(),
            pays(0),
            // Who paid once and tries again is trying.
            Customer { in_trial: true, ..pays(0) },
        ];
        let names: Vec<&str> =
            standings(&customers, Risk::default()).iter().map(|standing| standing.segment.name()).collect();
        assert_eq!(names, ["whale", "at-risk", "at-risk", "core", "core", "trial", "free", "churned", "trial"]);
    }

    #[test]
    fn a_whale_at_risk_stays_a_whale_and_ties_go_to_the_first() {
        let customers = [pays(50), Customer { health: Some(10.0), ..pays(90) }, pays(90), pays(90), pays(10), pays(5)];
        let found = standings(&customers, Risk::default());
        // Six pay: the top fifth are two.
        let whales: Vec<usize> = (0..6).filter(|index| found[*index].segment == Segment::Whale).collect();
        assert_eq!((whales, found[1].is_at_risk), (vec![1, 2], true));
    }

    #[test]
    fn few_hold_much() {
        let of = |majors: &[i64]| Concentration::of(majors.iter().map(|major| major * 1_000_000)).unwrap();
        let found = of(&[50, 20, 10, 10, 10, 0]);
        assert_eq!((found.customers, found.top_fifth_micros, found.largest_micros), (5, 50_000_000, 50_000_000));
        // 0.5² + 0.2² + 3 × 0.1² = 0.32.
        let (above, below) = found.herfindahl().unwrap();
        assert_eq!(above * 100, below * 32);
        assert_eq!(of(&[]).herfindahl(), None);
        assert_eq!(Concentration::of([i64::MAX, i64::MAX, i64::MAX]), Err(MoneyError::TooLarge));
    }
}
