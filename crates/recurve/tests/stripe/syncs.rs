//! First loads and later syncs, held against the truth of the worlds.

use stripe_simulator::{
    Settings, Shape, Told,
    api::{Account, Fault},
    judge::{Source, judge, rebuild_of},
    server::{Choices, serve},
};

use super::account::{Listed, Synced, differences, differences_but_assumed, listed, untrue};

const DAY: i64 = 86_400;

/// In which versions of the API the events of an account come; lists are asked for in the newest one.
fn events_in(seed: u64) -> Told {
    let shapes = Shape::ALL.get(usize::try_from(seed % 4).unwrap());
    shapes.map_or(Told::InTheNewestOfTheirDay, |shape| Told::In(*shape))
}

pub fn choices(seed: u64, lived: i32) -> Choices {
    Choices {
        settings: Settings::of(seed),
        lived_months: Some(lived),
        events_in: events_in(seed),
        silence: std::time::Duration::from_millis(100),
        ..Choices::of(seed)
    }
}

/// What is rebuilt of the lists and of all events from a second on, as the judge sees it.
pub fn expected(synced: &Synced, seed: u64, events_since: i64) -> Listed {
    synced.server.world(|world| {
        let since = |event: &serde_json::Value| event["created"].as_i64().unwrap() >= events_since;
        let account = Account::new(world, Shape::Clover).telling(events_in(seed));
        let history = rebuild_of(account, Source::Everything, |events| events.into_iter().filter(since).collect());
        let verdict = judge(world, &history, &Default::default(), &revenue::calendar::Zone::utc(), false);
        assert_eq!(verdict.unexplained, Vec::<String>::new(), "seed {seed}");
        assert!(verdict.movements > 0);
        listed(world, &history.rows)
    })
}

/// The seeds of so many worlds; `RECURVE_STRIPE_WORLDS` asks for more, and `RECURVE_STRIPE_FIRST_WORLD` for others.
fn worlds(first: u64, count: u64) -> std::ops::Range<u64> {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = asked("RECURVE_STRIPE_FIRST_WORLD").unwrap_or(first);
    first..first + asked("RECURVE_STRIPE_WORLDS").unwrap_or(count)
}

/// Numbers by chance from a seed, for faults and kills.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn a_load_and_later_syncs_give_the_ledger_of_the_judge() {
    for seed in worlds(4, 2) {
        let synced = Synced::with(serve(choices(seed, 22)).unwrap());
        let first = synced.now();
        let said = synced.sync(&[]);
        assert_ne!(said["facts_stated"], "0");
        let wanted = expected(&synced, seed, first - 30 * DAY);
        let movements = synced.movements();
        assert_eq!(differences(&wanted, &movements), Vec::<String>::new(), "seed {seed}, the first load");
        assert_eq!(untrue(&synced, &movements), Vec::<String>::new(), "seed {seed}, the first load");

        for (days, was_full) in [(0, false), (1, false), (20, false), (3, false), (28, false)] {
            synced.server.live_days(days);
            let before = synced.server.requests();
            let said = synced.sync(&[]);
            let asked = synced.server.requests() - before;
            assert!(was_full || asked < 40, "seed {seed}: {asked} requests after {days} days");
            if days == 0 {
                assert_eq!((said["facts_stated"].as_str(), said["facts_withdrawn"].as_str()), ("0", "0"));
            }
            let wanted = expected(&synced, seed, first - 30 * DAY);
            let movements = synced.movements();
            let found = differences_but_assumed(&wanted, &movements);
            assert_eq!(found, Vec::<String>::new(), "seed {seed}, {days} days later");
            assert_eq!(untrue(&synced, &movements), Vec::<String>::new(), "seed {seed}, {days} days later");
        }
        let said = synced.sync(&["--rebuild"]);
        assert_eq!((said["facts_stated"].as_str(), said["facts_withdrawn"].as_str()), ("0", "0"), "seed {seed}");
        assert_ne!(said["customers_made_again"], "0");
    }
}

#[test]
fn limits_errors_silence_and_kills_change_nothing() {
    for seed in worlds(108, 1) {
        let mut dice = dice(seed);
        let synced = Synced::with(serve(Choices { requests_a_second: Some(60), ..choices(seed, 22) }).unwrap());
        let first = synced.now();
        for round in 0..3 {
            let faults: Vec<(usize, Fault)> = (0..30)
                .map(|_| {
                    let fault = match dice(4) {
                        0 => Fault::RateLimited(None),
                        1 => Fault::RateLimited(Some(0)),
                        2 => Fault::ServerError,
                        _ => Fault::Timeout,
                    };
                    (usize::try_from(dice(150)).unwrap(), fault)
                })
                .collect();
            synced.server.add_faults(&faults);
            let kills: Vec<u64> = (0..4).map(|_| 40 + dice(900)).collect();
            synced.sync_through_kills(&kills);
            let wanted = expected(&synced, seed, first - 30 * DAY);
            let movements = synced.movements();
            let found = match round {
                0 => differences(&wanted, &movements),
                _ => differences_but_assumed(&wanted, &movements),
            };
            assert_eq!(found, Vec::<String>::new(), "seed {seed}, round {round}, kills after {kills:?} ms");
            synced.server.live_days(17);
        }
    }
}
