//! How long cash lasts, when revenue covers costs, and how much is lacking until then: a base forecast of monthly
//! revenue and costs that go on growing as they did.
//!
//! The six months up to today give the growth: what the later three sum to, against the earlier three, is three months of
//! it. The level of the last month is the one at which the later three months, growing so, add up to what they were. A
//! series that grew by the same factor every month is carried on exactly; a month that stands out is evened out.

/// How many months of history the forecast looks at.
pub const HISTORY_MONTHS: usize = 6;
/// How many months the forecast looks ahead.
pub const HORIZON_MONTHS: usize = 60;

/// A monthly amount that goes on growing as it did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The level of the last month.
    pub level: f64,
    /// By what factor it grows in a month; 1 where the earlier three months say nothing.
    pub factor: f64,
}

impl Trend {
    /// The trend of six months, the oldest first.
    #[must_use]
    pub fn of(months: &[f64; HISTORY_MONTHS]) -> Trend {
        let (earlier, later): (f64, f64) = (months[..3].iter().sum(), months[3..].iter().sum());
        let factor = if earlier > 0.0 && later > 0.0 { (later / earlier).cbrt() } else { 1.0 };
        let level = later * factor * factor / (1.0 + factor + factor * factor);
        Trend { level, factor }
    }

    /// The amount so many months after the last one.
    #[must_use]
    pub fn after(&self, months: usize) -> f64 {
        // Far beyond any horizon is far beyond any amount.
        self.level * self.factor.powi(i32::try_from(months).unwrap_or(i32::MAX))
    }
}

/// What becomes of cash in the months ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The first month ahead, counted from 1, in which revenue covers costs.
    pub break_even: Option<usize>,
    /// The least cash at the end of any month ahead, or now.
    pub least_cash: f64,
}

/// Carries revenue and costs on over [`HORIZON_MONTHS`], beginning with the cash that there is.
#[must_use]
pub fn outlook(cash: f64, revenue: &Trend, costs: &Trend) -> Outlook {
    let (mut at, mut least, mut break_even) = (cash, cash, None);
    for month in 1..=HORIZON_MONTHS {
        let (comes, goes) = (revenue.after(month), costs.after(month));
        if comes >= goes && break_even.is_none() {
            break_even = Some(month);
        }
        at += comes - goes;
        least = least.min(at);
    }
    Outlook { break_even, least_cash: least }
}

/// What is needed so that cash never falls below a reserve: its deepest point below zero and the reserve.
#[must_use]
pub fn funding_needed(outlook: &Outlook, reserve: f64) -> f64 {
    (reserve - outlook.least_cash).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
    }

    #[test]
    fn a_steady_growth_is_carried_on_exactly() {
        let trend = Trend::of(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]);
        assert!(close(trend.factor, 2.0) && close(trend.level, 32.0), "{trend:?}");
        assert!(close(trend.after(3), 256.0));
        let flat = Trend::of(&[5.0; 6]);
        assert!(close(flat.factor, 1.0) && close(flat.after(60), 5.0));
    }

    #[test]
    fn what_began_later_is_not_taken_for_growth() {
        let begun = Trend::of(&[0.0, 0.0, 0.0, 0.0, 30.0, 60.0]);
        assert!(close(begun.factor, 1.0) && close(begun.level, 30.0), "{begun:?}");
        let ended = Trend::of(&[9.0, 9.0, 9.0, 0.0, 0.0, 0.0]);
        assert!(close(ended.after(1), 0.0));
    }

    #[test]
    fn cash_falls_until_revenue_covers_costs() {
        // 16, 32, 64 against 40 each: 100 − 24 − 8 = 68 at the least, and the third month covers.
        let (revenue, costs) = (Trend { level: 8.0, factor: 2.0 }, Trend { level: 40.0, factor: 1.0 });
        let found = outlook(100.0, &revenue, &costs);
        assert_eq!(found.break_even, Some(3));
        assert!(close(found.least_cash, 68.0));
        assert!(close(funding_needed(&found, 0.0), 0.0));
        assert!(close(funding_needed(&found, 100.0), 32.0));
        let broke = outlook(10.0, &revenue, &costs);
        assert!(close(funding_needed(&broke, 5.0), 27.0));
    }

    #[test]
    fn a_business_that_never_covers_its_costs_has_no_break_even() {
        let found = outlook(0.0, &Trend { level: 1.0, factor: 1.0 }, &Trend { level: 2.0, factor: 1.0 });
        assert_eq!(found.break_even, None);
        assert!(close(funding_needed(&found, 0.0), HORIZON_MONTHS as f64));
    }
}
