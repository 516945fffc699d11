//! The health index learns what goes before leaving, and says so.

use std::fmt::Write;

use revenue::calendar::Day;

use crate::folder::{Folder, Said};

/// The number of the model's line of that item and event.
fn line(model: &Said, item: &str, event: &str, look: &str) -> Option<f64> {
    let start = format!("{item},{event},{look},");
    model.out.lines().find_map(|line| line.strip_prefix(&start)?.split(',').next()?.parse().ok())
}

/// Two hundred customers log in once a week and export every other week. Sixty leave of their own will, from January to
/// June, and log in no more in the nine weeks before; twenty are lost to a card, and log in to the end.
fn company() -> Folder {
    let folder = Folder::empty();
    let first = Day::parse("2023-07-01").unwrap();
    let mut subscriptions = "subscription,customer,currency,amount,interval,cancel_reason,start,end\n".to_owned();
    let mut events = "user,customer,name,occurred\n".to_owned();
    for customer in 0..200 {
        let ends = (customer < 80).then(|| first.plus_days(185 + customer * 37 % 160));
        let (reason, falls) = match customer {
            0..60 => ("too_expensive", ends.map(|end| end.plus_days(-63))),
            60..80 => ("payment_failed", ends),
            _ => ("", None),
        };
        let end = ends.map_or(String::new(), |day| day.to_string());
        writeln!(subscriptions, "s{customer},c{customer},USD,10,month,{reason},2023-06-01,{end}").unwrap();
        for week in 0..52 {
            let day = first.plus_days(week * 7 + customer % 7);
            if falls.is_none_or(|falls| day < falls) {
                writeln!(events, "u{customer},c{customer},logged_in,{day}").unwrap();
            }
            if week % 2 == customer % 2 && ends.is_none_or(|end| day < end) {
                writeln!(events, "u{customer},c{customer},export,{day}").unwrap();
            }
        }
    }
    folder.file("subscriptions.csv", subscriptions);
    folder.file("events.csv", events);
    folder.run(&["import", "subscriptions", "subscriptions.csv"]).ends_with(0);
    folder.run(&["import", "events", "events.csv"]).ends_with(0);
    folder
}

#[test]
fn what_goes_before_leaving_is_learnt_from_the_facts() {
    let folder = company();
    let model = folder.run(&["health", "--model"]).ends_with(0);
    let model = model.says(&["weights,,,learnt"]);
    assert!(line(&model, "separation", "", "").unwrap() > 0.8, "{}", model.out);
    let weights: Vec<&str> = model.out.lines().filter(|line| line.starts_with("weight,")).collect();
    assert!(weights.len() == 1 && weights[0].starts_with("weight,logged_in,"), "{}", model.out);
    let alone = |event: &str| (line(&model, "tried", event, "trend").unwrap() - 0.5).abs();
    assert!(alone("logged_in") > alone("export"), "{}", model.out);
    // Who was lost to a card is no example, of either sort.
    let left = line(&model, "customers_left", "", "").unwrap();
    assert!((30.0..=60.0).contains(&left), "{}", model.out);
    assert!(line(&model, "left_out_for_payment", "", "").unwrap() >= 20.0, "{}", model.out);

    // In the middle of May: who leaves in the weeks after comes first, and for want of log-ins.
    let listed = folder.run(&["health", "--at", "2024-05-15", "--limit", "5"]).ends_with(0);
    let first: Vec<&str> = listed.out.lines().skip(1).collect();
    assert_eq!(first.len(), 5, "{}", listed.out);
    for row in first {
        let customer: u32 = row.trim_start_matches('c').split(',').next().unwrap().parse().unwrap();
        assert!(customer < 60 && row.contains(",logged_in"), "{row}");
    }
    // The figure says what it was learnt from, and the next one is the same.
    let ask = ["metric", "health_index", "--from", "2024-05", "--to", "2024-06"];
    let figure = folder.run(&ask).ends_with(0).says(&["weights learnt from", "customers who left"]);
    assert_eq!(figure.out, folder.run(&ask).out);
}

#[test]
fn weights_that_are_none_are_refused() {
    let folder = Folder::small();
    for weights in ["login=0", "login=x", "login=1,login=2", "a=1,b=1,c=1,d=1,e=1,f=1"] {
        let setting = format!("health_weights={weights}");
        folder.run(&["init", "--set", &setting]).ends_with(2).says(&["health_weights"]);
    }
    folder.run(&["init", "--set", "health_weights="]).ends_with(0);
}

#[test]
fn the_demo_company_tells_who_will_leave() {
    let folder = Folder::empty();
    folder.run(&["demo", "--customers", "700", "--months", "18"]).ends_with(0);
    let model = folder.run(&["health", "--model", "--now", "2026-05-01"]).ends_with(0).says(&["weights,,,learnt"]);
    assert!(line(&model, "separation", "", "").unwrap() > 0.7, "{}", model.out);
}
