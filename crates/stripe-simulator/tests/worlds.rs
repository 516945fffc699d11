//! Whole histories, rebuilt from what Stripe has of them and held against the truth of simulated worlds.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use revenue::{
    calendar::Zone,
    policy::{Cancellation, Metered, Policy},
    timeline::Confidence,
};
use serde_json::Value;
use stripe::history::{History, Row};
use stripe_simulator::{
    Settings, Shape, Told, World,
    api::Account,
    judge::{Known, Source, Verdict, judge, movements, rebuild, rebuild_of, rebuild_with},
};

fn shape(seed: u64) -> Shape {
    Shape::ALL[usize::try_from(seed % 3).unwrap()]
}

/// The account as a sync sees it: lists in the newest version, events in that of the account.
fn account(world: &World, seed: u64) -> Account<'_> {
    Account::new(world, Shape::Clover).telling(Told::In(shape(seed)))
}

fn met(verdict: &Verdict) -> usize {
    verdict.met.values().sum()
}

#[test]
fn from_all_events_the_ledger_is_the_truth_under_every_policy() {
    let plain = Policy::default();
    let policies = [
        plain.clone(),
        Policy { metered: Metered::MeanOfPeriods(3), cancellation: Cancellation::WhenAsked, ..plain.clone() },
        Policy { trial_counts: true, paused_keeps: true, past_due_drop_days: Some(10), unpaid_keeps: true, ..plain },
    ];
    for seed in 0..12 {
        let world = World::live(Settings::of(seed));
        let history = rebuild(&world, shape(seed), Source::Events);
        for (number, policy) in policies.iter().enumerate() {
            let verdict = judge(&world, &history, policy, &Zone::parse("Europe/Paris").unwrap(), true);
            assert!(verdict.movements > 0);
            assert_eq!(
                (verdict.explained, verdict.missing, verdict.unexplained),
                (0, 0, vec![]),
                "seed {seed}, policy {number}"
            );
        }
    }
}

#[test]
fn a_plain_subscription_is_known_from_lists_as_it_was() {
    for seed in 0..8 {
        let world = World::live(Settings { plain: true, ..Settings::of(seed) });
        let history = rebuild(&world, shape(seed), Source::Lists);
        let verdict = judge(&world, &history, &Policy::default(), &Zone::utc(), true);
        assert_eq!((verdict.explained, verdict.missing, verdict.unexplained), (0, 0, vec![]), "seed {seed}");
    }
}

#[test]
fn what_differs_from_the_truth_is_marked_as_assumed() {
    let mut all = Verdict::default();
    for seed in 100..116 {
        let world = World::live(Settings::of(seed));
        for source in [Source::Lists, Source::ListsAndEvents, Source::Invoices] {
            let history = rebuild(&world, shape(seed), source);
            let verdict = judge(&world, &history, &Policy::default(), &Zone::utc(), false);
            assert_eq!(verdict.unexplained, Vec::<String>::new(), "seed {seed} from {source:?}");
            // Whoever has seen the subscriptions as they are knows what they are worth now, whatever was before.
            if source != Source::Invoices {
                assert_eq!(verdict.wrong_now, Vec::<String>::new(), "seed {seed} from {source:?}");
            }
            all.add(verdict);
        }
    }
    // Not by marking everything: most of what is said without an assumption stands.
    assert!(met(&all) * 2 > all.movements, "{} of {} movements", met(&all), all.movements);
    assert!(all.met.get("derived") > all.met.get("assumed"));
}

#[test]
fn what_a_load_and_later_syncs_know_is_the_truth_or_marked() {
    for seed in 500..516 {
        let mut world = World::begin(Settings::of(seed));
        world.live_until(world.month(22));
        let mut known = Known::load(account(&world, seed));
        for days in [0, 1, 20, 3, 28] {
            world.live_until(world.now + days * 86_400);
            known.sync(account(&world, seed));
            let history = known.history(world.now, Some(world.now));
            let verdict = judge(&world, &history, &Policy::default(), &Zone::utc(), false);
            let nothing = Vec::<String>::new();
            assert_eq!(
                (verdict.unexplained, verdict.wrong_now),
                (nothing.clone(), nothing),
                "seed {seed}, +{days} days"
            );
        }
    }
}

/// The rows of one history that the other one does not have.
fn differing(one: &History, other: &History) -> Vec<Row> {
    let more = |of: &History, than: &History| -> Vec<Row> {
        of.rows.iter().filter(|row| !than.rows.contains(row)).cloned().collect()
    };
    [more(one, other), more(other, one)].concat()
}

#[test]
fn the_same_world_reads_the_same_in_every_version_of_the_api() {
    let told = Shape::ALL.map(Told::In).into_iter().chain([Told::InTheNewestOfTheirDay]);
    for seed in 604..607 {
        let world = World::live(Settings::of(seed));
        for source in [Source::Events, Source::Lists, Source::ListsAndEvents, Source::Everything] {
            let read = |shape, told| rebuild_of(Account::new(&world, shape).telling(told), source, |events| events);
            let newest = read(Shape::Clover, Told::In(Shape::Clover));
            for shape in Shape::ALL {
                // Lists in one version, and events in another one, or each in that of its day.
                for told in told.clone().filter(|told| source != Source::Lists || *told == Told::In(shape)) {
                    let found = read(shape, told);
                    let words = format!("seed {seed}, {source:?} in {shape:?}, {told:?}");
                    assert_eq!(differing(&found, &newest), [], "{words}");
                    assert_eq!(found.issues, newest.issues, "{words}");
                }
            }
        }
        // Lines of invoices show prices in full in the old shape alone: each is held against the truth by itself.
        for shape in Shape::ALL {
            let history = rebuild(&world, shape, Source::Invoices);
            let verdict = judge(&world, &history, &Policy::default(), &Zone::utc(), false);
            assert_eq!(verdict.unexplained, Vec::<String>::new(), "seed {seed} from invoices in {shape:?}");
        }
    }
}

#[test]
fn both_halves_of_a_change_that_nobody_dated_are_assumed() {
    // Another plan since the invoice before the last one, without proration: what goes and what comes are one change.
    let mut assumed = 0;
    for seed in 0..12 {
        let world = World::live(Settings::of(seed));
        let rows = rebuild(&world, shape(seed), Source::Lists).rows;
        let made = movements(&rows, &Policy::default(), &Zone::utc());
        for gone in made.iter().filter(|movement| movement.confidence == Confidence::Assumed) {
            let come = made.iter().filter(|other| {
                (&other.item, other.day, other.cause) == (&gone.item, gone.day, gone.cause) && other.offer != gone.offer
            });
            for come in come {
                assert_eq!(come.confidence, Confidence::Assumed, "seed {seed}: {gone:?} {come:?}");
                assumed += 1;
            }
        }
    }
    assert!(assumed > 20, "{assumed}");
}

#[test]
fn events_come_in_any_order_and_more_than_once() {
    for seed in 200..204 {
        let world = World::live(Settings::of(seed));
        let straight = rebuild(&world, shape(seed), Source::Events);
        let stirred = rebuild_with(&world, shape(seed), Source::Events, |events| {
            let mut stirred: Vec<Value> = events.iter().chain(events.iter().step_by(3)).cloned().collect();
            // An order that has nothing to do with time.
            stirred.sort_by_key(|event| event["id"].as_str().map(|id| id.chars().rev().collect::<String>()));
            stirred
        });
        assert_eq!(straight, stirred, "seed {seed}");
    }
}

#[test]
fn events_that_never_came_are_made_up_for_by_lists_or_marked() {
    for (seed, every) in [(300, 2), (301, 3), (302, 5), (303, 7), (304, 11), (305, 4)] {
        let world = World::live(Settings::of(seed));
        let history = rebuild_with(&world, shape(seed), Source::Everything, |events| {
            events.into_iter().enumerate().filter(|(number, _)| number % every != 0).map(|(_, event)| event).collect()
        });
        let verdict = judge(&world, &history, &Policy::default(), &Zone::utc(), false);
        assert_eq!(verdict.unexplained, Vec::<String>::new(), "seed {seed}, without every {every}th event");
    }
}

#[test]
fn the_judge_sees_what_is_wrong_without_a_mark() {
    let world = World::live(Settings::of(7));
    let right = rebuild(&world, Shape::Basil, Source::Events);
    let unexplained = |history| judge(&world, &history, &Policy::default(), &Zone::utc(), true).unexplained.len();
    assert_eq!(unexplained(right.clone()), 0);
    let sure = |row: &&mut stripe::history::Row| {
        row.confidence != Confidence::Assumed && row.standing.status == revenue::fact::Status::Active
    };
    let mut late = right.clone();
    late.rows
        .iter_mut()
        .find(|row| sure(row) && row.end.is_none_or(|end| end > row.start + 20 * 86_400))
        .unwrap()
        .start += 9 * 86_400;
    assert!(unexplained(late) > 0);
    let mut dear = right.clone();
    dear.rows.iter_mut().find(sure).unwrap().standing.quantity += 1;
    assert!(unexplained(dear) > 0);
    let mut lost = right;
    let at = lost.rows.iter().position(|row| row.standing.status == revenue::fact::Status::Active).unwrap();
    lost.rows.remove(at);
    assert!(unexplained(lost) > 0);
}
