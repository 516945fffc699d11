//! Rebuilds many worlds from every source and says what the judge found:
//! `cargo run --release -p stripe-simulator --example worlds -- 1000`.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;

use revenue::{calendar::Zone, policy::Policy};
use stripe_simulator::{
    Settings, Shape, World,
    judge::{Source, Verdict, judge, rebuild},
};

fn main() {
    let number =
        |at: usize, otherwise: u64| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (count, first, shown) = (number(1, 100), number(2, 0), number(3, 3));
    let mut verdicts: BTreeMap<Source, Verdict> = BTreeMap::new();
    let mut took_place: BTreeMap<&str, u64> = BTreeMap::new();
    let (policy, zone) = (Policy::default(), Zone::utc());
    let mut bad: BTreeMap<Source, u64> = BTreeMap::new();
    for seed in first..first + count {
        let world = World::live(Settings::of(seed));
        for (what, times) in world.took_place() {
            *took_place.entry(what).or_default() += times;
        }
        let shape = Shape::ALL[usize::try_from(seed % 3).unwrap_or(0)];
        for (source, name) in Source::ALL {
            let history = rebuild(&world, shape, *source);
            let strict = *source == Source::Events;
            let verdict = judge(&world, &history, &policy, &zone, strict);
            if !verdict.unexplained.is_empty() {
                let worlds = bad.entry(*source).or_default();
                *worlds += 1;
                if *worlds <= shown {
                    println!("seed {seed}, {shape:?}, {name}:");
                    for words in verdict.unexplained.iter().take(4) {
                        println!("  {words}");
                    }
                }
            }
            verdicts.entry(*source).or_default().add(verdict);
        }
    }
    for (source, name) in Source::ALL {
        let Some(verdict) = verdicts.get(source) else { continue };
        let met: usize = verdict.met.values().sum();
        println!(
            "{name}: {} true movements; met {met} ({:?}); assumed otherwise {}, missing around an assumption {}; unexplained {}, \
             in {} worlds",
            verdict.movements,
            verdict.met,
            verdict.explained,
            verdict.missing,
            verdict.unexplained.len(),
            bad.get(source).unwrap_or(&0)
        );
    }
    println!("{took_place:?}");
}
