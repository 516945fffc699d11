//! Whole histories, rebuilt from what Stripe has of them and held against the truth of simulated worlds.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use revenue::{
    calendar::Zone,
    policy::{Cancellation, Metered, Policy},
};
use stripe_simulator::{
    Settings, Shape, World,
    judge::{Source, Verdict, judge, rebuild},
};

fn shape(seed: u64) -> Shape {
    Shape::ALL[usize::try_from(seed % 3).unwrap()]
}

fn verdict(world: &World, source: Source, policy: &Policy, strict: bool) -> Verdict {
    let history = rebuild(world, shape(world.settings.seed), source);
    judge(world, &history, policy, &Zone::utc(), strict)
}

#[test]
fn from_all_events_the_ledger_is_the_truth_under_every_policy() {
    let plain = Policy::default();
    let policies = [
        plain.clone(),
        Policy { metered: Metered::MeanOfPeriods(3), cancellation: Cancellation::WhenAsked, ..plain.clone() },
        Policy { trial_counts: true, paused_keeps: true, past_due_drop_days: Some(10), unpaid_keeps: true, ..plain },
    ];
    for seed in 0..24 {
        let world = World::live(Settings::of(seed));
        let history = rebuild(&world, shape(seed), Source::Events);
        for (number, policy) in policies.iter().enumerate() {
            let verdict = judge(&world, &history, policy, &Zone::utc(), true);
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
    for seed in 0..12 {
        let world = World::live(Settings { plain: true, ..Settings::of(seed) });
        let verdict = verdict(&world, Source::Lists, &Policy::default(), true);
        assert_eq!((verdict.explained, verdict.missing, verdict.unexplained), (0, 0, vec![]), "seed {seed}");
    }
}
