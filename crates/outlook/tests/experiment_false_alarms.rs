//! How often a test that is looked at every day calls an arm better or worse that is neither, and how often it finds what
//! is there. A few hundred tests are simulated with the suite; ten thousand of each sort by
//!
//! ```text
//! cargo test --release -p outlook --test experiment_false_alarms -- --ignored --nocapture
//! ```
//!
//! whose figures stand in `docs/experiments.md`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may end at what it did not expect, and this one prints a table"
)]

use outlook::{
    experiment::{
        Answer, Direction, Outcome, POWER, Rule, power::Plan, read, sample_ratio::sample_ratio, sequential::Mixture,
    },
    normal,
};

const SEED: u64 = 20_260_401;
const ALPHA: f64 = 0.05;
const EFFECT: f64 = 0.2;

/// SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, 2014): every test has a stream of its own.
struct Chance(u64);

impl Chance {
    fn of(seed: u64, sort: usize, test: usize) -> Chance {
        let mut chance = Chance(seed ^ (sort as u64) << 48 ^ (test as u64) << 8);
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    fn happens(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

/// A sort of tests.
#[derive(Clone, Copy)]
struct Sort {
    name: &'static str,
    /// People a day, over all arms.
    people: u32,
    days: i32,
    /// Which share of the people each arm gets; the first one is the control.
    shares: &'static [f64],
    /// The share of people who pay.
    paying: f64,
    /// Deviation of the logarithm of what is paid.
    skew: f64,
    /// One of so many who pay is a whale, of fifty times the price; 0 for none.
    whales: f64,
}

const HALVES: &[f64] = &[0.5, 0.5];

const SORTS: &[Sort] = &[
    Sort { name: "2 % pay", people: 100, days: 180, shares: HALVES, paying: 0.02, skew: 0.8, whales: 0.0 },
    Sort { name: "0.5 % pay", people: 400, days: 180, shares: HALVES, paying: 0.005, skew: 0.8, whales: 0.0 },
    Sort { name: "20 % pay, few people", people: 10, days: 365, shares: HALVES, paying: 0.2, skew: 0.8, whales: 0.0 },
    Sort { name: "60 % pay", people: 40, days: 120, shares: HALVES, paying: 0.6, skew: 0.8, whales: 0.0 },
    Sort { name: "very unequal prices", people: 100, days: 180, shares: HALVES, paying: 0.05, skew: 1.5, whales: 0.0 },
    Sort { name: "whales", people: 100, days: 180, shares: HALVES, paying: 0.05, skew: 0.8, whales: 0.005 },
    Sort { name: "an arm of 10 %", people: 200, days: 180, shares: &[0.9, 0.1], paying: 0.03, skew: 0.8, whales: 0.0 },
    Sort {
        name: "a control of 10 %",
        people: 200,
        days: 180,
        shares: &[0.1, 0.9],
        paying: 0.03,
        skew: 0.8,
        whales: 0.002,
    },
    Sort {
        name: "an arm of 10 %, whales",
        people: 200,
        days: 180,
        shares: &[0.9, 0.1],
        paying: 0.05,
        skew: 1.0,
        whales: 0.005,
    },
    Sort {
        name: "four arms",
        people: 200,
        days: 180,
        shares: &[0.25, 0.25, 0.25, 0.25],
        paying: 0.04,
        skew: 0.8,
        whales: 0.0,
    },
    Sort { name: "weekly waves", people: 100, days: 180, shares: HALVES, paying: 0.04, skew: 1.0, whales: 0.002 },
];

/// What one simulated test gave.
#[derive(Default)]
struct Found {
    /// Whether each measure ever called an arm better or worse: conversion, MRR per person, ARPA.
    ever: [bool; 3],
    is_broken: bool,
    /// Whether the interval of the difference left out zero at the end, by measure.
    ends_decided: [bool; 3],
}

/// Plays a test in which arms other than the control convert `lift` times as often.
fn play(sort: &Sort, chance: &mut Chance, lift: f64) -> Found {
    let mut arrivals = Vec::new();
    let mut outcomes: [Vec<Outcome>; 3] = Default::default();
    for day in 0..sort.days {
        // Fewer come on the two days of the week-end, and those who come pay less often.
        let is_quiet = sort.name == "weekly waves" && day % 7 >= 5;
        for _ in 0..if is_quiet { sort.people / 2 } else { sort.people } {
            let mut at = chance.unit();
            let mut arm = 0;
            while arm + 1 < sort.shares.len() && at >= sort.shares[arm] {
                at -= sort.shares[arm];
                arm += 1;
            }
            arrivals.push((day, arm));
            let share = sort.paying * if is_quiet { 0.5 } else { 1.0 } * if arm == 0 { 1.0 } else { lift };
            let pays = chance.happens(share);
            let paid = if pays {
                let whale = if chance.happens(sort.whales) { 50.0 } else { 1.0 };
                29.0 * whale * (sort.skew * normal::quantile(chance.unit())).exp()
            } else {
                0.0
            };
            outcomes[0].push(Outcome { day, arm, value: f64::from(u8::from(pays)) });
            outcomes[1].push(Outcome { day, arm, value: paid });
            if pays {
                outcomes[2].push(Outcome { day, arm, value: paid });
            }
        }
    }
    let comparisons = (sort.shares.len() - 1) as f64;
    let rule = Rule { alpha: ALPHA / comparisons, effect: EFFECT, direction: Direction::More };
    let mut found = Found::default();
    for (measure, outcomes) in outcomes.iter().enumerate() {
        for reading in read(outcomes, sort.shares.len(), 0, &rule) {
            let Some(comparison) = reading.comparison else { continue };
            found.ever[measure] |= comparison.ever_called;
            found.ends_decided[measure] |= matches!(comparison.answer, Answer::Better | Answer::Worse);
        }
    }
    found.is_broken = sample_ratio(&arrivals, sort.shares).broken_since.is_some();
    found
}

/// Plays many tests; gives the share with an alarm by measure, and of arms called broken.
fn alarms(sort: usize, tests: usize, lift: f64) -> [f64; 4] {
    let mut counts = [0u32; 4];
    for test in 0..tests {
        let found = play(&SORTS[sort], &mut Chance::of(SEED, sort, test), lift);
        for (count, is_alarm) in counts.iter_mut().zip(found.ever.into_iter().chain([found.is_broken])) {
            *count += u32::from(is_alarm);
        }
    }
    counts.map(|count| f64::from(count) / tests as f64)
}

#[test]
fn tests_without_a_difference_seldom_alarm() {
    for sort in [0, 2] {
        let shares = alarms(sort, 200, 1.0);
        for share in &shares[..3] {
            // Of 200 at 5 %, sixteen are the most that chance gives but once in a hundred times.
            assert!(*share <= 0.085, "{}: {shares:?}", SORTS[sort].name);
        }
        assert!(shares[3] <= 0.01);
    }
}

/// A test of the size that is stated as needed finds the effect at least as often as stated.
#[test]
fn power_is_what_is_stated() {
    let (found, needed) = power_found(0.05, 150);
    assert!(found >= 0.73, "{found} of tests with {needed} people an arm");
}

fn power_found(paying: f64, tests: usize) -> (f64, u64) {
    let mixture = Mixture { scale: EFFECT * paying * (1.0 + EFFECT / 2.0), alpha: ALPHA };
    let plan = Plan { mean: paying, variance: paying * (1.0 - paying), people: (1.0, 1.0), mixture };
    let needed = plan.needed(EFFECT, POWER).unwrap();
    let days = 60;
    let people = (2 * needed).div_ceil(days) as u32;
    let sort = Sort { name: "power", people, days: days as i32, shares: HALVES, paying, skew: 0.8, whales: 0.0 };
    let found = (0..tests).filter(|test| play(&sort, &mut Chance::of(SEED, 99, *test), 1.0 + EFFECT).ever[0]).count();
    (found as f64 / tests as f64, needed)
}

#[test]
#[ignore = "ten thousand tests of each sort take minutes, and want --release"]
fn ten_thousand_of_each_sort() {
    let tests = 10_000;
    println!("| people | conversion | MRR per person | ARPA | called broken |");
    let halves = SORTS.len().div_ceil(2);
    let (one, other) = std::thread::scope(|scope| {
        let of = |range: std::ops::Range<usize>| move || range.map(|sort| alarms(sort, tests, 1.0)).collect::<Vec<_>>();
        let (one, other) = (scope.spawn(of(0..halves)), scope.spawn(of(halves..SORTS.len())));
        (one.join().unwrap(), other.join().unwrap())
    });
    let mut worst = 0.0f64;
    for (sort, shares) in SORTS.iter().zip(one.into_iter().chain(other)) {
        let cells: Vec<String> = shares.iter().map(|share| format!("{:.2} %", share * 100.0)).collect();
        println!("| {} | {} |", sort.name, cells.join(" | "));
        worst = shares[..3].iter().fold(worst, |worst, share| worst.max(*share));
    }
    for paying in [0.01, 0.05, 0.2] {
        let (found, needed) = power_found(paying, tests / 10);
        println!("{} % pay: {needed} people an arm find +20 % in {:.1} % of tests", paying * 100.0, found * 100.0);
    }
    assert!(worst <= ALPHA, "{worst}");
}
