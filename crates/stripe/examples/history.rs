//! How long it takes to make the history of a customer anew, by how many events there are of it:
//! `cargo run --release -p stripe --example history`.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::{hint::black_box, time::Instant};

use serde_json::{Value, json};
use stripe::{Catalogue, Evidence, gist::Gist, history};

const BEGUN: i64 = 1_700_000_000;

/// One more seat every minute.
fn event(number: i64) -> Value {
    let (at, seats) = (BEGUN + number * 60, number + 1);
    let item = |seats: i64| {
        json!({"id": "si_PgafmB7WZ01zgkW6dKueIc5", "object": "subscription_item", "created": BEGUN, "discounts": [],
            "current_period_start": BEGUN, "current_period_end": BEGUN + 2_592_000, "metadata": {}, "quantity": seats,
            "price": {"id": "price_1PgafmB7WZ01zgkW", "object": "price", "active": true, "billing_scheme": "per_unit",
            "created": BEGUN, "currency": "usd", "livemode": true, "lookup_key": null, "metadata": {}, "nickname": null,
            "product": "prod_QXg1hqf4jFNsqG", "recurring": {"interval": "month", "interval_count": 1, "usage_type":
            "licensed", "trial_period_days": null}, "tax_behavior": "unspecified", "tiers_mode": null, "type":
            "recurring", "transform_quantity": null, "unit_amount": 1_000, "unit_amount_decimal": "1000"},
            "subscription": "sub_1PgafmB7WZ01zgkW6dKueIc5", "tax_rates": []})
    };
    let object = json!({"id": "sub_1PgafmB7WZ01zgkW6dKueIc5", "object": "subscription", "application": null,
        "automatic_tax": {"enabled": false}, "billing_cycle_anchor": BEGUN, "cancel_at": null, "cancel_at_period_end": false,
        "canceled_at": null, "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically", "created": BEGUN, "currency": "usd", "customer": "cus_QXg1o8vcGmoR32",
        "days_until_due": null, "default_payment_method": null, "description": null, "discounts": [], "ended_at": null,
        "items": {"object": "list", "data": [item(seats)], "has_more": false, "url": "/v1/subscription_items"},
        "latest_invoice": null, "livemode": true, "metadata": {}, "pause_collection": null, "schedule": null,
        "start_date": BEGUN, "status": "active", "test_clock": null, "trial_end": null, "trial_start": null});
    let mut data = json!({"object": object});
    if number > 0 {
        data["previous_attributes"] = json!({"items": {"data": [item(seats - 1)]}});
    }
    json!({"id": format!("evt_1PgafmB7WZ01zg{number:06}"), "object": "event", "api_version": "2025-09-30.clover",
        "created": at, "data": data, "livemode": true, "pending_webhooks": 1, "request": {"id": null},
        "type": if number == 0 { "customer.subscription.created" } else { "customer.subscription.updated" }})
}

fn main() {
    let whole = event(1);
    let kept = Gist::of_event(&whole).map_or(0, |gist| gist.to_bytes().len());
    println!("an event has {} bytes; {kept} are kept for the history. Microseconds an event:", whole.to_string().len());
    println!("{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}", "events", "read", "sort out", "rebuild", "facts", "drop");
    for count in [1, 3, 10, 30, 100, 1_000] {
        let kept: Vec<(i64, Vec<u8>)> = (0..count)
            .map(|number| (BEGUN + number * 60, Gist::of_event(&event(number)).unwrap().to_bytes()))
            .collect();
        let rounds = 10_000 / count + 1;
        let (mut took, mut last) = ([0.0_f64; 5], Instant::now());
        for _ in 0..rounds {
            let mut lap = |step: usize| {
                took[step] += last.elapsed().as_secs_f64() * 1e6;
                last = Instant::now();
            };
            let read: Vec<(i64, Gist)> =
                kept.iter().map(|(at, bytes)| (*at, Gist::from_bytes(bytes).unwrap())).collect();
            lap(0);
            let (mut evidence, mut catalogue) = (Evidence::default(), Catalogue::default());
            let now = BEGUN + count * 60;
            evidence.events_until = Some(now);
            read.into_iter().for_each(|(at, event)| evidence.take(event, at, &mut catalogue));
            lap(1);
            let history = history::rebuild(&evidence, &catalogue, now);
            lap(2);
            let facts: Vec<_> = history.rows.iter().map(history::Row::fact).collect();
            assert_eq!(black_box(facts.len()), usize::try_from(count).unwrap(), "one row from each event to the next");
            lap(3);
            drop((history, evidence, catalogue, facts));
            lap(4);
        }
        let each = took.map(|took| format!("{:>10.2}", took / (rounds * count) as f64));
        println!("{count:>8}{}", each.concat());
    }
}
