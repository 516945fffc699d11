//! What moves revenue most: churn, prices, annual plans, selling more, converting more, each played through on the
//! contracts that there are.
//!
//! ```text
//! contracts, trials ──┐
//! beliefs (ranges) ───┼──▶ one simulation ──▶ MRR and cash by month, without and with the lever ──▶ effect, with a range
//! the lever's choices ┘
//! ```
//!
//! The base and each lever go through the same function ([`simulation::simulate`]); a lever only changes some of its
//! arguments. What is not known is a [`Range`]: it is drawn some hundred times along a fixed sequence, the same for the
//! base and for the lever, so that the range of an effect is that of the effect and not that of the business.

pub mod simulation;
pub mod words;

use simulation::{Business, Changes, Drivers, Month, simulate};

use crate::normal;

/// Something that is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Below this it is once in twenty times.
    pub lower: f64,
    /// The likeliest.
    pub likely: f64,
    /// Above this it is once in twenty times.
    pub upper: f64,
}

impl Range {
    /// Something that is known.
    #[must_use]
    pub fn exactly(value: f64) -> Range {
        Range { lower: value, likely: value, upper: value }
    }

    /// A share that was seen in `of` cases, `count` times: its interval by Wilson's score (E. B. Wilson, 1927).
    #[must_use]
    pub fn of_share(count: f64, of: f64) -> Range {
        if of <= 0.0 {
            return Range { lower: 0.0, likely: 0.0, upper: 1.0 };
        }
        let (share, errors) = (count / of, normal::quantile(0.95));
        let squared = errors * errors / of;
        let centre = (share + squared / 2.0) / (1.0 + squared);
        let reach = errors * (share * (1.0 - share) / of + squared / (4.0 * of)).sqrt() / (1.0 + squared);
        Range { lower: (centre - reach).clamp(0.0, share), likely: share, upper: (centre + reach).clamp(share, 1.0) }
    }

    /// The mean of some values as one of which others will come, with its error; 0 of none.
    #[must_use]
    pub fn of_mean(values: &[f64]) -> Range {
        let count = values.len() as f64;
        if values.is_empty() {
            return Range::exactly(0.0);
        }
        let mean = values.iter().sum::<f64>() / count;
        if values.len() < 2 {
            return Range::exactly(mean);
        }
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let reach = normal::quantile(0.95) * (variance / count).sqrt();
        Range { lower: mean - reach, likely: mean, upper: mean + reach }
    }

    /// The value below which it lies with probability `share`: normal on either side of the likeliest value.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let errors = normal::quantile(share) / normal::quantile(0.95);
        let side = if errors < 0.0 { self.likely - self.lower } else { self.upper - self.likely };
        self.likely + errors * side
    }
}

/// A lever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lever {
    /// Fewer customers leave.
    LowerChurn,
    /// Prices rise.
    RaisePrices,
    /// Customers pay for a year in advance, at a discount.
    AnnualPlans,
    /// Customers who are there buy more.
    SellMore,
    /// More of those who try come to pay.
    ConvertMore,
}

/// A lever as it is declared: its name in settings, what one chooses, and what has to be assumed.
#[derive(Debug, Clone, Copy)]
pub struct LeverEntry {
    /// Which one it is.
    pub lever: Lever,
    /// Its name in files and options.
    pub id: &'static str,
    /// What one chooses: how far it is moved.
    pub choices: &'static [&'static str],
    /// What is not known of it.
    pub assumptions: &'static [&'static str],
}

/// The levers, the likeliest to be within reach first.
pub const LEVERS: &[LeverEntry] = &[
    LeverEntry { lever: Lever::LowerChurn, id: "lower_churn", choices: &["reduction"], assumptions: &["attained"] },
    LeverEntry {
        lever: Lever::RaisePrices,
        id: "raise_prices",
        choices: &["rise", "existing"],
        assumptions: &["leaving", "demand"],
    },
    LeverEntry { lever: Lever::AnnualPlans, id: "annual_plans", choices: &["discount"], assumptions: &["uptake"] },
    LeverEntry { lever: Lever::SellMore, id: "sell_more", choices: &["increase"], assumptions: &["buyers"] },
    LeverEntry { lever: Lever::ConvertMore, id: "convert_more", choices: &["increase"], assumptions: &["worth"] },
];

impl Lever {
    /// How it is declared.
    #[must_use]
    pub fn entry(self) -> &'static LeverEntry {
        LEVERS.iter().find(|entry| entry.lever == self).unwrap_or(&LEVERS[0])
    }
}

/// A lever with how far it is moved and what is believed of it, in the order of its entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The lever.
    pub lever: Lever,
    /// How far it is moved.
    pub choices: Vec<f64>,
    /// What is not known.
    pub assumptions: Vec<Range>,
}

impl Plan {
    /// What the lever changes, where its assumptions hold these values.
    #[must_use]
    pub fn changes(&self, assumed: &[f64]) -> Changes {
        let choice = |place: usize| self.choices.get(place).copied().unwrap_or_default();
        let assumed = |place: usize| assumed.get(place).copied().unwrap_or_default();
        let share = |value: f64| value.clamp(0.0, 1.0);
        let none = Changes::default();
        match self.lever {
            Lever::LowerChurn => Changes { churn_factor: 1.0 - share(choice(0)) * share(assumed(0)), ..none },
            Lever::RaisePrices => {
                let rise = choice(0);
                Changes {
                    price_rise: rise,
                    raised: share(choice(1)),
                    leave_when_raised: share(assumed(0) * rise),
                    new_factor: (1.0 + rise) * (1.0 - share(assumed(1) * rise)),
                    ..none
                }
            }
            Lever::AnnualPlans => Changes { to_yearly: share(assumed(0)), yearly_discount: share(choice(0)), ..none },
            // Who buys more within the year does so evenly over its months.
            Lever::SellMore => Changes { growth_extra: choice(0) * share(assumed(0)) / 12.0, ..none },
            Lever::ConvertMore => Changes { new_factor: 1.0 + choice(0) * assumed(0).max(0.0), ..none },
        }
    }
}

/// What is believed of the business as it goes on: see [`Drivers`].
#[derive(Debug, Clone, PartialEq)]
pub struct Beliefs {
    /// The share of customers billed by less than a year that leave in a month, by months since they first paid.
    pub monthly_churn: Vec<f64>,
    /// What those shares are to be multiplied by: 1, with the error of the estimate.
    pub churn_level: Range,
    /// The share of those who pay by the year that leave at a renewal.
    pub yearly_churn: Range,
    /// By how much MRR of who stays grows in a month, less what shrinks.
    pub growth: Range,
    /// MRR of new customers in a month.
    pub new_mrr: Range,
    /// The share of it that is paid by the year.
    pub new_yearly: f64,
}

/// The names of those of the beliefs that settings can say, in the order in which they are drawn.
pub const BELIEFS: [&str; 4] = ["churn_level", "yearly_churn", "growth", "new_mrr"];

impl Beliefs {
    /// Replaces one of [`BELIEFS`].
    pub fn set(&mut self, name: &str, range: Range) {
        match name {
            "churn_level" => self.churn_level = range,
            "yearly_churn" => self.yearly_churn = range,
            "growth" => self.growth = range,
            "new_mrr" => self.new_mrr = range,
            _ => {}
        }
    }

    /// The ranges that are drawn, in the order of [`BELIEFS`].
    #[must_use]
    pub fn ranges(&self) -> [Range; 4] {
        [self.churn_level, self.yearly_churn, self.growth, self.new_mrr]
    }

    fn drivers(&self, values: &[f64]) -> Drivers {
        let value = |place: usize| values.get(place).copied().unwrap_or_default();
        let level = value(0).max(0.0);
        Drivers {
            monthly_churn: self.monthly_churn.iter().map(|share| (share * level).clamp(0.0, 1.0)).collect(),
            yearly_churn: value(1).clamp(0.0, 1.0),
            growth: value(2),
            new_mrr: value(3).max(0.0),
            new_yearly: self.new_yearly,
        }
    }
}

/// A figure with its range: below `lower` and above `upper` it is once in twenty times each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The figure where everything is as is likeliest.
    pub likely: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

/// What a lever does by a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// Months from now.
    pub months: u32,
    /// MRR then without it.
    pub base_mrr: f64,
    /// Cash from customers up to then without it.
    pub base_cash: f64,
    /// MRR more then.
    pub mrr: Spread,
    /// Cash more from customers up to then.
    pub cash: Spread,
}

/// How often what is not known is drawn.
const DRAWS: u32 = 255;

/// The bases of the sequence along which it is drawn: one for each thing that is not known (J. H. Halton, 1960).
const BASES: [u32; 8] = [2, 3, 5, 7, 11, 13, 17, 19];

/// The `index`th value of the sequence in a base: the digits of the index behind the point, in reverse.
fn halton(mut index: u32, base: u32) -> f64 {
    let (mut value, mut digit) = (0.0, 1.0);
    while index > 0 {
        digit /= f64::from(base);
        value += digit * f64::from(index % base);
        index /= base;
    }
    value
}

/// What a lever does at some months from now.
#[must_use]
pub fn effects(business: &Business, beliefs: &Beliefs, plan: &Plan, at: &[u32]) -> Vec<Effect> {
    let months = at.iter().copied().max().unwrap_or_default();
    let play = |values: &[f64], assumed: &[f64]| {
        let drivers = beliefs.drivers(values);
        let base = simulate(business, &drivers, &Changes::default(), months);
        let moved = simulate(business, &drivers, &plan.changes(assumed), months);
        (base, moved)
    };
    let ranges = beliefs.ranges();
    let likely = |ranges: &[Range]| ranges.iter().map(|range| range.likely).collect::<Vec<_>>();
    let (base, moved) = play(&likely(&ranges), &likely(&plan.assumptions));
    let drawn: Vec<(Vec<Month>, Vec<Month>)> = (1..=DRAWS)
        .map(|draw| {
            let value = |(place, range): (usize, &Range)| {
                BASES.get(place).map_or(range.likely, |base| range.at(halton(draw, *base)))
            };
            let all: Vec<f64> = ranges.iter().chain(&plan.assumptions).enumerate().map(value).collect();
            let (of_business, of_lever) = all.split_at(ranges.len());
            play(of_business, of_lever)
        })
        .collect();
    at.iter()
        .map(|months| {
            let spread = |of: &dyn Fn(&[Month]) -> f64| {
                let mut found: Vec<f64> = drawn.iter().map(|(base, moved)| of(moved) - of(base)).collect();
                found.sort_by(f64::total_cmp);
                let likely = of(&moved) - of(&base);
                let end = |share: f64| found[((found.len() - 1) as f64 * share).round() as usize];
                Spread { likely, lower: end(0.05).min(likely), upper: end(0.95).max(likely) }
            };
            let mrr = |path: &[Month]| mrr_after(path, *months);
            let cash = |path: &[Month]| cash_until(path, *months);
            Effect {
                months: *months,
                base_mrr: mrr(&base),
                base_cash: cash(&base),
                mrr: spread(&mrr),
                cash: spread(&cash),
            }
        })
        .collect()
}

fn mrr_after(path: &[Month], months: u32) -> f64 {
    months.checked_sub(1).and_then(|place| path.get(place as usize)).map_or(0.0, |month| month.mrr)
}

fn cash_until(path: &[Month], months: u32) -> f64 {
    path.iter().take(months as usize).map(|month| month.cash).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{simulation::Contract, *};

    fn beliefs() -> Beliefs {
        Beliefs {
            monthly_churn: vec![0.1, 0.05, 0.03],
            churn_level: Range { lower: 0.8, likely: 1.0, upper: 1.25 },
            yearly_churn: Range { lower: 0.1, likely: 0.2, upper: 0.3 },
            growth: Range { lower: 0.0, likely: 0.01, upper: 0.02 },
            new_mrr: Range { lower: 80.0, likely: 100.0, upper: 120.0 },
            new_yearly: 0.2,
        }
    }

    fn business() -> Business {
        let contract = |mrr, interval_months, next_bill, age_months| Contract {
            mrr,
            interval_months,
            next_bill,
            age_months,
            known: Vec::new(),
        };
        Business::new(vec![contract(100.0, 1, 1, 0), contract(300.0, 12, 5, 7), contract(50.0, 3, 2, 20)], 40.0)
    }

    fn plan(lever: Lever, choices: &[f64], assumptions: &[f64]) -> Plan {
        let spread = |likely: &f64| Range { lower: likely * 0.5, likely: *likely, upper: likely * 1.5 };
        Plan { lever, choices: choices.to_vec(), assumptions: assumptions.iter().map(spread).collect() }
    }

    /// Each lever moved by so much.
    fn moved(lever: Lever, by: f64) -> Plan {
        match lever {
            Lever::LowerChurn => plan(lever, &[by], &[0.8]),
            // Nobody leaves for the price: whether a rise pays otherwise depends on who does.
            Lever::RaisePrices => plan(lever, &[by, 1.0], &[0.0, 0.0]),
            Lever::AnnualPlans => plan(lever, &[0.2], &[by]),
            Lever::SellMore => plan(lever, &[by], &[0.1]),
            Lever::ConvertMore => plan(lever, &[by], &[0.8]),
        }
    }

    #[test]
    fn a_lever_that_is_not_moved_changes_nothing() {
        for entry in LEVERS {
            for effect in effects(&business(), &beliefs(), &moved(entry.lever, 0.0), &[3, 6, 12]) {
                let ends = [effect.mrr.lower, effect.mrr.upper, effect.cash.lower, effect.cash.upper];
                assert!(ends.iter().all(|end| end.abs() < 1e-9), "{}: {effect:?}", entry.id);
            }
        }
    }

    #[test]
    fn each_lever_has_what_its_entry_names() {
        for entry in LEVERS {
            let plan = moved(entry.lever, 0.1);
            assert_eq!((plan.choices.len(), plan.assumptions.len()), (entry.choices.len(), entry.assumptions.len()));
            assert_eq!(entry.lever.entry().id, entry.id);
        }
    }

    #[test]
    fn ranges_of_shares_and_means() {
        // Wilson's interval of 90 % for 10 of 100: 0.060718 to 0.160356.
        let share = Range::of_share(10.0, 100.0);
        assert!((share.lower - 0.060_718).abs() < 1e-5 && (share.upper - 0.160_356).abs() < 1e-5, "{share:?}");
        assert!(Range::of_share(0.0, 0.0).upper > 0.99);
        // 2, 4, 6: the mean is 4, the error 2 ÷ √3, and 1.645 times that 1.8994.
        let mean = Range::of_mean(&[2.0, 4.0, 6.0]);
        assert!((mean.likely - 4.0).abs() < 1e-12 && (mean.upper - 5.8994).abs() < 1e-3, "{mean:?}");
        let lopsided = Range { lower: 0.0, likely: 1.0, upper: 4.0 };
        for (share, value) in [(0.05, 0.0), (0.5, 1.0), (0.95, 4.0)] {
            assert!((lopsided.at(share) - value).abs() < 1e-12);
        }
    }

    #[test]
    fn the_sequence_fills_the_unit_evenly() {
        assert!(
            (halton(1, 2) - 0.5).abs() < 1e-15
                && (halton(6, 2) - 0.375).abs() < 1e-15
                && (halton(5, 3) - 7.0 / 9.0).abs() < 1e-15
        );
        let below = (1..=DRAWS).filter(|draw| halton(*draw, 2) < 0.25).count();
        assert_eq!(below, 63);
    }

    proptest! {
        /// The further a lever is moved, the more it does: for annual plans more cash and less MRR.
        #[test]
        fn more_does_more(lever in 0usize..5, by in 0.0f64..0.4, more in 0.01f64..0.3) {
            let lever = LEVERS[lever].lever;
            let (less, further) =
                (effects(&business(), &beliefs(), &moved(lever, by), &[6]), effects(&business(), &beliefs(), &moved(lever, by + more), &[6]));
            prop_assert!(further[0].cash.likely >= less[0].cash.likely);
            if lever != Lever::AnnualPlans {
                prop_assert!(further[0].mrr.likely >= less[0].mrr.likely - 1e-9);
            }
            prop_assert!(further[0].mrr.lower <= further[0].mrr.likely && further[0].mrr.likely <= further[0].mrr.upper);
        }
    }
}
