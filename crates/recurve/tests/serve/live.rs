//! What a commit changes is served at once, as the command line says it, and told to who listens.

use serde_json::{Value, json};

use crate::{
    folder::Folder,
    server::{Server, Told},
};

const HEADER: &str = "subscription,customer,plan,currency,amount,interval,start,end\n";

fn next(stream: &mut impl Iterator<Item = Told>, name: &str) -> Told {
    stream.find(|told| told.name == name).expect("the stream ended")
}

/// Figures as the server has them, and as the command line does.
fn both(folder: &Folder, server: &Server) -> (Vec<String>, Vec<String>) {
    let asked = "metric=mrr&metric=mrr_new&metric=customers&from=2024-01-01&to=2024-09-01&by=plan";
    let answer = server.get(&format!("/figures?{asked}")).is(200).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_server = answer["figures"].as_array().unwrap().iter().map(|figure| {
        let (metric, period, plan) = (&figure["metric"], &figure["period"], &figure["segment"]["plan"]);
        format!("{},{},{},{}", text(metric), text(period), text(plan), text(&figure["value"]))
    });
    let words = ["metric", "mrr", "mrr_new", "customers", "--from", "2024-01-01", "--to", "2024-09-01", "--by", "plan"];
    let printed = folder.run(&[&words[..], &["--format", "csv"]].concat()).ends_with(0).out;
    // metric,variant,period,plan,value,unit,note
    let of_command = printed.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{},{},{},{}", cells[0], cells[2], cells[3], cells[4])
    });
    let (mut of_server, mut of_command): (Vec<_>, Vec<_>) = (of_server.collect(), of_command.collect());
    of_server.sort_unstable();
    of_command.sort_unstable();
    (of_server, of_command)
}

#[test]
fn figures_go_along_with_imports_beside_the_server_and_through_it() {
    let folder = Folder::empty();
    let first = format!("{HEADER}s1,ada,team,USD,20,month,2024-01-01,\ns2,ben,team,USD,10,month,2024-02-01,\n");
    folder.file("first.csv", &first);
    folder.run(&["import", "subscriptions", "first.csv"]).ends_with(0);
    let server = Server::open(&folder);
    let mut stream = server.listen_with(&[]);
    let begun = next(&mut stream, "data_version");
    let (served, said) = both(&folder, &server);
    assert_eq!(served, said);
    assert!(!served.is_empty());

    // Another process: a new customer between the others, and ben's first row corrected.
    folder.file(
        "more.csv",
        format!("{HEADER}s3,bea,solo,USD,5,month,2024-03-01,\ns2,ben,team,USD,12,month,2024-02-01,\n"),
    );
    folder.run(&["import", "subscriptions", "more.csv"]).ends_with(0);
    let told = next(&mut stream, "movements");
    assert_eq!((&told.data["mrr_before"], &told.data["mrr"]), (&json!("30.00"), &json!("37.00")));
    let customers = told.data["customers"].as_array().unwrap();
    assert_eq!(customers.len(), 2);
    assert_eq!(
        customers[0],
        json!({ "customer": "bea", "mrr_before": "0.00", "mrr": "5.00", "taken_back": [], "movements": [
            { "day": "2024-03-01", "subscription": "s3", "plan": "solo", "kind": "new", "delta": "5.00" }] })
    );
    assert_eq!((&customers[1]["mrr_before"], &customers[1]["mrr"]), (&json!("10.00"), &json!("12.00")));
    assert_eq!(customers[1]["taken_back"][0]["delta"], "10.00");
    let (served, said) = both(&folder, &server);
    assert_eq!(served, said);

    // The API: ada leaves.
    let left = format!("{HEADER}s1,ada,team,USD,20,month,2024-01-01,2024-06-01\n");
    server.upload(Some(("left.csv", &left)), &[("kind", "subscriptions")], &[]);
    let gone = next(&mut stream, "movements");
    assert_eq!((&gone.data["customers_changed"], &gone.data["mrr"]), (&json!(1), &json!("17.00")));
    assert_eq!(gone.data["customers"][0]["movements"][0]["kind"], "churn");
    let (served, said) = both(&folder, &server);
    assert_eq!(served, said);

    // The whole truth, after which one is gone; and what changes no movement is told as a version alone.
    folder.file(
        "truth.csv",
        format!("{HEADER}s2,ben,team,USD,12,month,2024-02-01,\ns3,bea,solo,USD,5,month,2024-03-01,\n"),
    );
    folder.run(&["import", "subscriptions", "truth.csv", "--replace"]).ends_with(0);
    let withdrawn = next(&mut stream, "movements");
    assert_eq!(withdrawn.data["customers"][0]["customer"], "ada");
    assert_eq!(withdrawn.data["customers"][0]["taken_back"].as_array().unwrap().len(), 2);
    let (served, said) = both(&folder, &server);
    assert_eq!(served, said);

    // Who was cut off after the first news is told the rest, and who knows nothing hears of the version alone.
    let mut back = server.listen_with(&[("last-event-id", &told.id)]);
    assert_eq!(next(&mut back, "movements").data, gone.data);
    assert_eq!(next(&mut back, "movements").data, withdrawn.data);
    let first = server.listen_with(&[("last-event-id", &begun.id)]).next().unwrap();
    assert_eq!((first.name.as_str(), first.data), ("movements", told.data));
    assert_eq!(server.listen_with(&[]).next().unwrap().name, "data_version");
    let other_run = server.listen_with(&[("last-event-id", "1f-7")]).next().unwrap();
    assert_eq!(other_run.name, "reset");
    assert!(other_run.data["message"].as_str().unwrap().contains("ask anew"));
}

#[test]
fn a_shared_link_hears_how_much_and_not_who() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    let owner = server.set_up();
    let cookie = [("cookie", owner.as_str())];
    let made = server.with("POST", "/shares", &cookie, Some(&json!({ "label": "board" }))).is(200).json();
    let secret =
        made["secret"].as_str().or_else(|| made["url"].as_str().and_then(|url| url.split("share=").nth(1))).unwrap();
    let shared = server.post("/shares/open", &json!({ "secret": secret })).is(200).cookie();
    let mut people = server.listen_with(&cookie);
    let mut board = server.listen_with(&[("cookie", &shared)]);
    next(&mut people, "data_version");
    next(&mut board, "data_version");
    folder.file("more.csv", "subscription,customer,currency,amount,interval,start\ns9,cleo,USD,5,month,2024-05-01\n");
    folder.run(&["import", "subscriptions", "more.csv"]).ends_with(0);
    let (full, nameless) = (next(&mut people, "movements").data, next(&mut board, "movements").data);
    assert_eq!(full["customers"][0]["customer"], "cleo");
    assert!(nameless.get("customers").is_none());
    assert_eq!((&nameless["mrr"], &nameless["customers_changed"]), (&full["mrr"], &json!(1)));
}

/// So many customers, each of whom pays ten a month.
fn subscribers(from: usize, count: usize) -> String {
    let row = |number: usize| format!("s{number},c{number},team,USD,10,month,2024-01-01,\n");
    std::iter::once(HEADER.to_owned()).chain((from..from + count).map(row)).collect()
}

/// The MRR of the last period that an overview shows, with the version that it says it is of.
fn overview(server: &Server, asked: &str) -> (String, String) {
    let overview = server.get(&format!("/overview?{asked}")).is(200).json();
    let figures = overview["figures"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mrr = figures.iter().rev().find(|figure| figure["metric"] == "mrr").unwrap();
    (text(&mrr["value"]), text(&overview["data_version"]))
}

#[test]
fn an_overview_that_nobody_asked_for_is_of_one_version_while_the_next_one_is_made() {
    let folder = Folder::empty();
    folder.file("first.csv", subscribers(0, 2));
    folder.run(&["import", "subscriptions", "first.csv"]).ends_with(0);
    // As where overviews take long.
    let server = Server::start(&folder, &["--open", "editor", "--now", "2024-06-15", "--lag-from", "0"]);
    while server.get("//readyz").status != 200 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut stream = server.listen_with(&[]);
    let version = |told: &Told| told.data["data_version"].as_str().unwrap().to_owned();
    let first = version(&next(&mut stream, "data_version"));

    // The next version is served at once, and its overview is not made as long as nobody asks and more may come.
    folder.file("more.csv", subscribers(2, 1));
    folder.run(&["import", "subscriptions", "more.csv"]).ends_with(0);
    let second = version(&next(&mut stream, "data_version"));
    let figures = server.get("/figures?metric=mrr&from=2024-06-01&to=2024-07-01").is(200).json();
    assert_eq!((&figures["figures"][0]["value"], &figures["data_version"]), (&json!("30.00"), &json!(second)));
    assert_eq!(overview(&server, "months=5"), ("20.00".to_owned(), first.clone()), "of the version before, whole");
    // A filter too, and what the same question was answered with, by its tag.
    assert_eq!(overview(&server, "months=7&where=plan=team").1, first);
    let kept = server.get("/overview?months=5").is(200);
    let tag = kept.header("etag").unwrap().to_owned();
    assert_eq!(kept.json()["data_version"], json!(first));
    server.with("GET", "/overview?months=5", &[("if-none-match", &tag)], None).is(304);
    // Other books are of the version that is served.
    assert_eq!(overview(&server, "months=5&policy=stripe"), ("30.00".to_owned(), second.clone()));

    // Once it is made, pages are told, and everything goes over to it.
    assert_eq!(version(&next(&mut stream, "overview")), second);
    let now = ("30.00".to_owned(), second);
    assert_eq!(overview(&server, "months=5"), now);
    assert_eq!(overview(&server, "months=9&where=plan=team"), now);
    assert_eq!(server.with("GET", "/overview?months=5", &[("if-none-match", &tag)], None).status, 200);
}

#[test]
fn beside_imports_without_a_break_every_overview_is_of_one_version_and_none_is_refused() {
    let folder = Folder::empty();
    folder.file("first.csv", subscribers(0, 1));
    folder.run(&["import", "subscriptions", "first.csv"]).ends_with(0);
    let server = Server::start(&folder, &["--open", "editor", "--now", "2024-06-15", "--lag-from", "0"]);
    // What each version says of MRR, by the figures, which are always of the version that is served.
    let mut known = std::collections::BTreeMap::new();
    let mut learn = |server: &Server| {
        let figures = server.get("/figures?metric=mrr&from=2024-06-01&to=2024-07-01").is(200).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        known.insert(text(&figures["data_version"]), text(&figures["figures"][0]["value"]));
    };
    let mut seen = Vec::new();
    let mut stream = server.listen_with(&[]);
    next(&mut stream, "data_version");
    learn(&server);
    for round in 1..8usize {
        folder.file("more.csv", subscribers(round, 1));
        folder.run(&["import", "subscriptions", "more.csv"]).ends_with(0);
        for question in 0..6 {
            seen.push(overview(&server, &format!("months={}", 3 + round * 6 + question)));
            seen.push(overview(&server, "months=12"));
        }
        next(&mut stream, "data_version");
        learn(&server);
    }
    for (mrr, version) in &seen {
        assert_eq!(known.get(version), Some(mrr), "an overview of {version}");
    }
    // Time does not go back.
    let number = |version: &String| version.split('-').next().unwrap().parse::<i64>().unwrap();
    assert!(seen.windows(2).all(|pair| number(&pair[0].1) <= number(&pair[1].1)), "{seen:?}");
}

#[test]
fn whoever_may_see_names_is_told_them_with_the_movement() {
    let folder = Folder::empty();
    folder.file("first.csv", subscribers(0, 2));
    folder.run(&["import", "subscriptions", "first.csv"]).ends_with(0);
    folder.file("customers.csv", "customer,name\nada,Ada & Sons\n");
    folder.run(&["import", "customers", "customers.csv"]).ends_with(0);
    let server = Server::start(&folder, &[]);
    let owner = server.set_up();
    let ask =
        |method: &str, path: &str, body: &Value| server.with(method, path, &[("cookie", &owner)], Some(body)).is(200);
    let share = ask("POST", "/shares", &json!({ "label": "board" })).json()["secret"].clone();
    let guest = server.post("/shares/open", &json!({ "secret": share })).is(200).cookie();
    let mut full = server.listen_with(&[("cookie", &owner)]);
    let mut shared = server.listen_with(&[("cookie", &guest)]);
    let (begun, _) = (next(&mut full, "data_version"), next(&mut shared, "data_version"));

    let fact = json!({ "kind": "subscriptions", "subscription": "s9", "customer": "ada", "plan": "team", "currency": "USD",
        "amount": "7", "interval": "month", "start": "2024-02-01" });
    ask("POST", "/facts", &json!({ "facts": [fact] }));
    // An event waits for names for a moment only: where this machine was busy, whoever is told it later has them.
    let mut told = next(&mut full, "movements");
    for _ in 0..100 {
        assert_eq!(told.data["customers"][0]["customer"], "ada");
        if told.data["customers"][0]["customer_name"] == "Ada & Sons" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let again = [("cookie", owner.as_str()), ("last-event-id", begun.id.as_str())];
        told = next(&mut server.listen_with(&again), "movements");
    }
    assert_eq!(told.data["customers"][0]["customer_name"], "Ada & Sons", "{:?}", told.data);
    let told = next(&mut shared, "movements");
    assert!(told.data.get("customers").is_none() && !told.data.to_string().contains("Ada"), "{:?}", told.data);
}
