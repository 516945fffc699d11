//! Tests of prices, pages and offers: which arm does better, and whether that may be said yet.
//!
//! Whoever looks at a test each day and stops when it looks good is wrong far more often than an ordinary test states.
//! Here everything holds on every day at once ([`sequential`]): a test may be looked at as often as one likes, stopped
//! at any time and run on, and still the chance that it *ever* calls an arm better or worse that is neither is at most
//! the stated `alpha`.
//!
//! ```text
//! people in arms ──▶ outcomes that are final ──▶ means and variances by day ──▶ evidence ──▶ better, worse, not yet known
//!        └─────────▶ are the arms as large as planned? (sample_ratio) ─────────────────────▶ broken
//!                    how many people would it take? (power)
//! ```
//!
//! An outcome counts from the day on which it is final: whether someone paid within thirty days of seeing an arm is known
//! thirty days later, and never changes. So what is looked at only ever grows, which is what the guarantee rests on.
//! `alpha` is shared equally among all comparisons of a test (arms other than the control, times measures).

pub mod measure;
pub mod power;
pub mod sample_ratio;
pub mod sequential;
pub mod words;

use sequential::Mixture;

/// An outcome of one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The day on which it is final: from the end of that day on it counts.
    pub day: i32,
    /// Which arm the person is in, from 0.
    pub arm: usize,
    /// The outcome: 0 or 1 of a rate, otherwise an amount.
    pub value: f64,
}

/// Whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better, as of conversion.
    More,
    /// Less is better, as of churn.
    Less,
}

/// By which rule a test is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The chance that one comparison is ever called better or worse though it is neither.
    pub alpha: f64,
    /// The difference that is worth seeing, relative to the mean, such as 0.2: evidence and power are tuned to it.
    pub effect: f64,
    /// Whether more is better.
    pub direction: Direction,
}

/// The chance with which a test of the size that [`power`] states finds the difference that is worth seeing.
pub const POWER: f64 = 0.8;

/// Before so many outcomes other than zero are known in the two arms together nothing is called: with fewer the sums are
/// too far from normal for what [`sequential`] rests on. `docs/experiments.md` shows the false alarms that are left.
pub const LEAST_PAYING: u64 = 40;

/// What can be said about an arm beside the control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It does better than the control.
    Better,
    /// It does worse.
    Worse,
    /// That is not known yet.
    NotYetKnown,
    /// The arms do not hold the people that they should, so nothing can be read from the test.
    Broken,
}

impl Answer {
    /// Every answer with its name.
    pub const ALL: &'static [(Answer, &'static str)] = &[
        (Answer::Better, "better"),
        (Answer::Worse, "worse"),
        (Answer::NotYetKnown, "not_yet_known"),
        (Answer::Broken, "broken"),
    ];

    /// The answer's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(answer, _)| *answer == self).map_or("", |(_, name)| name)
    }
}

/// What is known of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// People whose outcome is final.
    pub people: u64,
    /// Those of them whose outcome is not zero.
    pub paying: u64,
    /// The mean of the outcomes.
    pub mean: f64,
    /// The sum of squared differences from the mean.
    squares: f64,
}

impl Sums {
    /// Adds an outcome (B. P. Welford, 1962).
    pub fn add(&mut self, value: f64) {
        self.people += 1;
        self.paying += u64::from(value != 0.0);
        let from_mean = value - self.mean;
        self.mean += from_mean / self.people as f64;
        self.squares += from_mean * (value - self.mean);
    }

    /// The two together (T. F. Chan, G. H. Golub and R. J. LeVeque, 1979).
    #[must_use]
    pub fn with(&self, other: &Sums) -> Sums {
        let people = self.people + other.people;
        if people == 0 {
            return Sums::default();
        }
        let (own, others, all) = (self.people as f64, other.people as f64, people as f64);
        let apart = other.mean - self.mean;
        Sums {
            people,
            paying: self.paying + other.paying,
            mean: (own * self.mean + others * other.mean) / all,
            squares: self.squares + other.squares + apart * apart * own * others / all,
        }
    }

    /// The variance of the outcomes; 0 of fewer than two.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.people < 2 { 0.0 } else { self.squares / (self.people - 1) as f64 }
    }
}

/// An arm beside the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The arm's mean less the control's.
    pub difference: f64,
    /// The ends of its interval, which holds on all days at once; `None` while there is too little to tell.
    pub interval: Option<(f64, f64)>,
    /// The probability that the arm does better, given that most differences are about as large as the one worth seeing.
    pub better: f64,
    /// What can be said.
    pub answer: Answer,
    /// The day since which it can be said.
    pub since: Option<i32>,
    /// Whether the arm was called better or worse on any day: what the guarantee is about.
    pub ever_called: bool,
    /// People that each arm needs in all for the difference worth seeing to be found with probability [`POWER`]; `None`
    /// while there is too little to tell.
    pub needed: Option<u64>,
    /// The smallest difference, relative to the control's mean, that would be found by now with probability [`POWER`].
    pub detectable: Option<f64>,
}

/// One arm as read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// What is known of it.
    pub sums: Sums,
    /// The ends of the interval of its mean, which holds on all days at once; `None` while there is too little to tell.
    pub interval: Option<(f64, f64)>,
    /// How it does beside the control; `None` for the control itself.
    pub comparison: Option<Comparison>,
}

/// Reads one measure of a test: the outcomes of `arms` arms, of which one is the control, at the end of their last day.
///
/// `outcomes` may come in any order. The answer is the one of the last day; [`Comparison::since`] says since when it holds.
#[must_use]
pub fn read(outcomes: &[Outcome], arms: usize, control: usize, rule: &Rule) -> Vec<Reading> {
    let mut sorted: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.arm < arms).collect();
    // By value as well, so that floating sums do not depend on the order in which people came.
    sorted.sort_by(|a, b| a.day.cmp(&b.day).then(a.arm.cmp(&b.arm)).then(a.value.total_cmp(&b.value)));
    let mut sums = vec![Sums::default(); arms];
    let mut histories = vec![History { answer: Answer::NotYetKnown, since: None, ever_called: false }; arms];
    for of_day in sorted.chunk_by(|a, b| a.day == b.day) {
        for outcome in of_day {
            sums[outcome.arm].add(outcome.value);
        }
        for (arm, history) in histories.iter_mut().enumerate().filter(|(arm, _)| *arm != control) {
            let found =
                Pair::of(&sums[arm], &sums[control], rule).map_or(Answer::NotYetKnown, |pair| pair.answer(rule));
            if found != history.answer {
                (history.answer, history.since) = (found, of_day.first().map(|outcome| outcome.day));
            }
            history.ever_called |= found != Answer::NotYetKnown;
        }
    }
    (0..arms)
        .map(|arm| {
            let comparison = (arm != control).then(|| compare(&sums[arm], &sums[control], histories[arm], rule));
            Reading { sums: sums[arm], interval: interval_of_mean(&sums[arm], rule), comparison }
        })
        .collect()
}

/// Two arms with enough known of them.
struct Pair {
    difference: f64,
    /// The variance of the difference.
    variance: f64,
    mixture: Mixture,
}

impl Pair {
    fn of(arm: &Sums, control: &Sums, rule: &Rule) -> Option<Pair> {
        let both = arm.with(control);
        if arm.people < 2 || control.people < 2 || both.paying < LEAST_PAYING || both.mean.abs() <= f64::EPSILON {
            return None;
        }
        let (own, others) = (arm.people as f64, control.people as f64);
        // The variance of both together holds where there is no difference, also while one arm has hardly an outcome
        // other than zero; that of each by itself where the arms spread differently. The larger is on the safe side.
        let apart = arm.variance() / own + control.variance() / others;
        let together = both.variance() * (1.0 / own + 1.0 / others);
        let variance = apart.max(together);
        let mixture = Mixture { scale: rule.effect * both.mean.abs(), alpha: rule.alpha };
        (variance > 0.0).then_some(Pair { difference: arm.mean - control.mean, variance, mixture })
    }

    fn answer(&self, rule: &Rule) -> Answer {
        if self.mixture.evidence(self.difference, self.variance) < 1.0 / rule.alpha {
            return Answer::NotYetKnown;
        }
        match (self.difference > 0.0, rule.direction) {
            (true, Direction::More) | (false, Direction::Less) => Answer::Better,
            _ => Answer::Worse,
        }
    }
}

/// What was said of an arm from day to day.
#[derive(Clone, Copy)]
struct History {
    answer: Answer,
    since: Option<i32>,
    ever_called: bool,
}

fn compare(arm: &Sums, control: &Sums, history: History, rule: &Rule) -> Comparison {
    let difference = arm.mean - control.mean;
    let Some(pair) = Pair::of(arm, control, rule) else {
        let undecided = Comparison {
            difference,
            interval: None,
            better: 0.5,
            answer: Answer::NotYetKnown,
            since: None,
            ever_called: history.ever_called,
            needed: None,
            detectable: None,
        };
        return undecided;
    };
    let reach = pair.mixture.half_width(pair.variance);
    let more = pair.mixture.probability_above(difference, pair.variance);
    let plan = power::Plan {
        mean: control.mean.abs(),
        variance: arm.with(control).variance(),
        people: (arm.people as f64, control.people as f64),
        mixture: pair.mixture,
    };
    Comparison {
        difference,
        interval: Some((difference - reach, difference + reach)),
        better: if rule.direction == Direction::More { more } else { 1.0 - more },
        answer: history.answer,
        since: history.since.filter(|_| history.answer != Answer::NotYetKnown),
        ever_called: history.ever_called,
        needed: plan.needed(rule.effect, POWER),
        detectable: plan.detectable(POWER),
    }
}

/// The interval of one mean.
fn interval_of_mean(sums: &Sums, rule: &Rule) -> Option<(f64, f64)> {
    if sums.paying < LEAST_PAYING / 2 || sums.mean.abs() <= f64::EPSILON {
        return None;
    }
    let variance = sums.variance() / sums.people as f64;
    let mixture = Mixture { scale: rule.effect * sums.mean.abs(), alpha: rule.alpha };
    let reach = mixture.half_width(variance);
    // What is counted or paid is never below zero.
    Some((if sums.mean > 0.0 { (sums.mean - reach).max(0.0) } else { sums.mean - reach }, sums.mean + reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { alpha: 0.05, effect: 0.2, direction: Direction::More };

    /// Each day so many people in each arm, of whom so many have the outcome 1.
    fn days(count: i32, of_arms: &[(u32, u32)]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for day in 0..count {
            for (arm, (people, ones)) in of_arms.iter().enumerate() {
                outcomes.extend((0..*people).map(|person| Outcome {
                    day,
                    arm,
                    value: f64::from(u8::from(person < *ones)),
                }));
            }
        }
        outcomes
    }

    #[test]
    fn arms_that_are_alike_are_not_told_apart() {
        let read = read(&days(100, &[(100, 5), (100, 5)]), 2, 0, &RULE);
        let found = read[1].comparison.unwrap();
        assert_eq!((read[0].comparison, found.answer, found.since), (None, Answer::NotYetKnown, None));
        assert!((found.better - 0.5).abs() < 1e-12 && found.difference.abs() < 1e-12);
        let (lower, upper) = found.interval.unwrap();
        assert!(lower < 0.0 && upper > 0.0 && (lower + upper).abs() < 1e-12);
    }

    /// 5 of 100 against 8 of 100 a day. By hand for the end of day 10 (1,000 people an arm): the pooled rate is 0.065,
    /// the variance 0.060775 × 2/1000 = 0.00012161 (and 0.00012110 apart), z = 0.03 ÷ 0.011028 = 2.72; the scale is
    /// 0.013, so V + T² = 0.00029061, and ln of the evidence is ½ ln(0.4185) + ½ z² × 0.5815 = 1.716: not yet.
    #[test]
    fn a_better_arm_is_found_on_the_day_on_which_the_evidence_suffices() {
        let of = |count| read(&days(count, &[(100, 5), (100, 8)]), 2, 0, &RULE)[1].comparison.unwrap();
        assert_eq!(of(10).answer, Answer::NotYetKnown);
        let late = of(40);
        assert_eq!(late.answer, Answer::Better);
        let since = late.since.unwrap();
        assert!((12..30).contains(&since), "{since}");
        // The answer of that day is the one that was given on it.
        assert_eq!(of(since + 1).answer, Answer::Better);
        assert_eq!(of(since).answer, Answer::NotYetKnown);
        assert!(late.interval.unwrap().0 > 0.0 && late.better > 0.99);
    }

    #[test]
    fn less_is_better_where_it_is() {
        let rule = Rule { direction: Direction::Less, ..RULE };
        let found = read(&days(40, &[(100, 5), (100, 8)]), 2, 0, &rule)[1].comparison.unwrap();
        assert_eq!(found.answer, Answer::Worse);
        assert!(found.better < 0.01);
    }

    #[test]
    fn too_little_says_nothing() {
        let read = read(&days(1, &[(100, 0), (100, 39)]), 2, 0, &RULE);
        let found = read[1].comparison.unwrap();
        assert_eq!((found.answer, found.interval, found.needed), (Answer::NotYetKnown, None, None));
        assert!((found.better - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_people_does_not_matter() {
        let mut outcomes = days(20, &[(50, 3), (70, 9), (60, 2)]);
        let once = read(&outcomes, 3, 1, &RULE);
        outcomes.reverse();
        assert_eq!(once, read(&outcomes, 3, 1, &RULE));
    }

    #[test]
    fn sums_together_are_sums_of_all() {
        let (mut one, mut other, mut all) = (Sums::default(), Sums::default(), Sums::default());
        for value in [0.0, 3.0, 0.0, 49.0] {
            one.add(value);
            all.add(value);
        }
        for value in [99.0, 0.0, 7.0] {
            other.add(value);
            all.add(value);
        }
        let both = one.with(&other);
        assert_eq!((both.people, both.paying), (7, 4));
        assert!((both.mean - all.mean).abs() < 1e-12 && (both.variance() - all.variance()).abs() < 1e-9);
        assert_eq!(one.with(&Sums::default()).people, 4);
    }
}
