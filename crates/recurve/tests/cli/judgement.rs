//! The planted events of the demo company, found and named.

use super::folder::Folder;

/// Seed 1 begins on November 1, 2024: month 10 is August 2025, month 15 January 2026, months 17 and 18 March and April
/// 2026, month 19 May 2026. What is planted in each stands in `crates/demo/STORY.md`.
#[test]
fn the_planted_events_of_the_demo_are_found_and_named() {
    let folder = Folder::empty();
    folder.run(&["--now", "2026-11-01", "demo"]).ends_with(0);
    let at = |words: &[&str]| folder.run(&[&["--now", "2026-11-01"], words].concat()).ends_with(0);
    let off = ["anomalies", "--grain", "month", "--from", "2025-06-01", "--format", "csv"];
    at(&off).says(&[
        // The launch campaign, by its own visitors.
        "unique_visitors,,channel,launch,2025-08-01",
        // The wave of failed cards, by the reason that the processor gave.
        "payments_failed,,failure_reason,authentication_required,2026-01-01",
        // The bad release, by the tickets about bugs, for its two months.
        "support_requests,,category,bug,2026-03-01,2026-04-01",
        // Old prices end: customers who were there are raised.
        "upsell_revenue,price_rise,,,2026-05-01",
    ]);
    // How content customers were fell with the release; no other month was off to that side.
    at(&["anomalies", "csat", "--grain", "month", "--from", "2025-06-01", "--format", "csv"])
        .says(&["csat,satisfied,,,2026-03-01,2026-04-01"]);
    // Signals: failed payments rise in the wave, and customers by themselves do not.
    at(&["signals", "--period", "2026-01", "--only", "failures_rising", "--format", "csv"])
        .says(&["failures_rising,fired"]);
    at(&["signals", "--period", "2026-03", "--only", "failures_rising", "--format", "csv"])
        .says(&["failures_rising,quiet"]);
    // The quiet whale is named, and no note tells of it: it is the first to call.
    at(&["signals", "--period", "2026-10", "--only", "whale_leaving", "--format", "csv"])
        .says(&["whale_leaving,fired", "Call first: c00000090"]);
}
