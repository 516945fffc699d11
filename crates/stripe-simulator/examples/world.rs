//! Shows one customer of one world: rows as they were and as they were rebuilt, and what Stripe has of it:
//! `cargo run -p stripe-simulator --example world -- SEED CUSTOMER [events|lists|both|invoices]`.

#![allow(clippy::print_stdout)]

use stripe::history::Row;
use stripe_simulator::{
    Settings, Shape, World,
    api::{Account, Query},
    judge::{Source, rebuild},
};

fn show(title: &str, rows: &[Row], customer: &str) {
    println!("{title}");
    for row in rows.iter().filter(|row| row.customer == customer) {
        let standing = &row.standing;
        println!(
            "  {} {} {}..{} {} {} x{} {:?} {} {:?} {}",
            row.subscription,
            row.item,
            stripe::fact::moment(row.start),
            row.end.map_or("".to_owned(), stripe::fact::moment),
            standing.status.name(),
            standing.price.id,
            standing.quantity,
            standing.discount,
            row.confidence.name(),
            standing.cancel_at,
            row.source
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seed: u64 = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(0);
    let world = World::live(Settings::of(seed));
    let shape = Shape::ALL[usize::try_from(seed % 3).unwrap_or(0)];
    let source = match arguments.get(2).map(String::as_str) {
        Some("lists") => Source::Lists,
        Some("both") => Source::ListsAndEvents,
        Some("invoices") => Source::Invoices,
        _ => Source::Events,
    };
    let truth = world.truth();
    let Some(customer) = arguments.get(1) else {
        println!("{:?}", truth.iter().map(|row| row.customer.as_str()).collect::<std::collections::BTreeSet<_>>());
        return;
    };
    show("truth", &truth, customer);
    let history = rebuild(&world, shape, source);
    show("rebuilt", &history.rows, customer);
    let mut account = Account::new(&world, shape);
    let query = Query { limit: Some(100), customer: Some(customer.clone()), ..Query::default() };
    for invoice in account.walk("/v1/invoices", &query).unwrap_or_default().iter().rev() {
        println!(
            "{} {} {} {} attempts {}",
            invoice["id"], invoice["created"], invoice["billing_reason"], invoice["status"], invoice["attempt_count"]
        );
        for line in invoice["lines"]["data"].as_array().into_iter().flatten() {
            println!("    {} {} {} {}", line["amount"], line["quantity"], line["period"], line["discount_amounts"]);
        }
    }
}
