//! Rebuilds many worlds from every source and says what the judge found:
//! `cargo run --release -p stripe-simulator --example worlds -- 1000`.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;

use revenue::{calendar::Zone, policy::Policy};
use stripe::history::History;
use stripe_simulator::{
    Settings, Shape, Told, World,
    api::Account,
    judge::{Known, Source, Verdict, judge, rebuild},
};

/// What was found of one source.
#[derive(Default)]
struct Found {
    verdict: Verdict,
    bad_worlds: u64,
}

/// The account as a sync sees it: lists in the newest version, events in that of the account.
fn account(world: &World, shape: Shape) -> Account<'_> {
    Account::new(world, Shape::Clover).telling(Told::In(shape))
}

/// What is known of a world that was loaded four months before its end and has been synced now and then since.
fn synced(settings: Settings, shape: Shape, end: i64) -> History {
    let mut world = World::begin(settings);
    world.live_until(world.month(settings.months - 4));
    let mut known = Known::load(account(&world, shape));
    for days in [1, 20, 3, 28].into_iter().cycle() {
        let next = world.now + days * 86_400;
        world.live_until(next.min(end));
        known.sync(account(&world, shape));
        if next >= end {
            break;
        }
    }
    known.history(world.now, Some(world.now))
}

fn main() {
    let number =
        |at: usize, otherwise: u64| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (count, first, shown) = (number(1, 100), number(2, 0), number(3, 3));
    let mut all: BTreeMap<&str, Found> = BTreeMap::new();
    let mut took_place: BTreeMap<&str, u64> = BTreeMap::new();
    let (policy, zone) = (Policy::default(), Zone::utc());
    let later = "a load and later syncs";
    for seed in first..first + count {
        let world = World::live(Settings::of(seed));
        for (what, times) in world.took_place() {
            *took_place.entry(what).or_default() += times;
        }
        let shape = Shape::ALL[usize::try_from(seed % 3).unwrap_or(0)];
        let mut histories: Vec<(&str, bool, History)> = Source::ALL
            .iter()
            .map(|(source, name)| (*name, *source == Source::Events, rebuild(&world, shape, *source)))
            .collect();
        histories.push((later, false, synced(Settings::of(seed), shape, world.now)));
        for (name, strict, history) in histories {
            let verdict = judge(&world, &history, &policy, &zone, strict);
            let found = all.entry(name).or_default();
            // Invoices alone do not show what is so now.
            let wrong_now = verdict.wrong_now.iter().filter(|_| name != "invoices alone");
            let mut faults = verdict.unexplained.iter().chain(wrong_now).peekable();
            if faults.peek().is_some() {
                found.bad_worlds += 1;
                if found.bad_worlds <= shown {
                    println!("seed {seed}, {shape:?}, {name}:");
                    faults.take(4).for_each(|words| println!("  {words}"));
                }
            }
            found.verdict.add(verdict);
        }
    }
    for name in Source::ALL.iter().map(|(_, name)| *name).chain([later]) {
        let Some(Found { verdict, bad_worlds }) = all.get(name) else { continue };
        let met: usize = verdict.met.values().sum();
        println!(
            "{name}: {} true movements; met {met} ({:?}); assumed otherwise {}, missing around an assumption {}; \
             unexplained {}; worth something else now {}; in {bad_worlds} worlds",
            verdict.movements,
            verdict.met,
            verdict.explained,
            verdict.missing,
            verdict.unexplained.len(),
            verdict.wrong_now.len(),
        );
    }
    println!("{took_place:?}");
}
