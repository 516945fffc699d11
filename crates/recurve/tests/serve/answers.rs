//! What is answered: the same as the command line says, once, and anew when the data changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{folder::Folder, server::Server};

/// A company with every kind of fact.
fn company() -> (Folder, String) {
    let folder = Folder::empty();
    let said = folder.run(&["demo", "--customers", "60", "--months", "14", "--seed", "3"]);
    let end = said.out.split("seen on ").nth(1).unwrap()[..10].to_owned();
    (folder, end)
}

/// What the command line says, as JSON.
fn cli(folder: &Folder, words: &[&str]) -> Vec<Value> {
    let said = folder.run(&[words, &["--format", "json"]].concat());
    assert!(matches!(said.code, Some(0 | 3)), "{words:?}: {}", said.error);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn figures_are_those_of_the_command_line_for_every_metric() {
    let (folder, end) = company();
    let server = Server::start(&folder, &["--open", "--now", &end]);
    let (from, to) = ("2025-07-01".to_owned(), end.clone());
    let options = ["--from", &from, "--to", &to, "--now", &end];
    let wanted = cli(&folder, &[&["metric", "--all"][..], &options].concat());
    let answer = server.get(&format!("/figures?all=true&from={from}&to={to}")).is(200).json();
    let found = answer["figures"].as_array().unwrap();
    assert_eq!(found.len(), wanted.len());
    let metrics: BTreeMap<&str, ()> = found.iter().map(|figure| (figure["metric"].as_str().unwrap(), ())).collect();
    assert!(metrics.len() > 80, "{} metrics", metrics.len());
    for (wanted, found) in wanted.iter().zip(found) {
        for name in ["metric", "variant", "period", "value", "unit", "note", "lower", "upper"] {
            let plain = |value: &Value| if value.is_null() { json!("") } else { value.clone() };
            assert_eq!(plain(&found[name]), plain(&wanted[name]), "{name} of {found} and {wanted}");
        }
        for (dimension, value) in found["segment"].as_object().unwrap() {
            assert_eq!(value, &wanted[dimension], "{found}");
        }
    }
}

#[test]
fn lists_are_those_of_the_command_line() {
    let (folder, end) = company();
    let server = Server::start(&folder, &["--open", "--now", &end]);
    let from = "2025-07-01".to_owned();
    let range = format!("from={from}&to={end}");
    let lists: &[(&str, &[&str])] = &[
        ("/movements?where=plan=team", &["movements", "--where", "plan=team"]),
        ("/customers?paying=true", &["customers", "--paying"]),
        ("/cohorts?measure=revenue", &["cohorts", "--measure", "revenue"]),
        (
            "/cohorts?measure=gross-revenue&against=before&together=true&by=plan",
            &["cohorts", "--measure", "gross-revenue", "--against", "before", "--together", "--by", "plan"],
        ),
        (
            "/cohorts/customers?measure=revenue&age=2&by=plan&part=plan=team",
            &["cohorts", "--measure", "revenue", "--age", "2", "--by", "plan", "--part", "plan=team"],
        ),
        ("/health", &["health"]),
        ("/health/model?model=true", &["health", "--model"]),
        (
            "/health/days?days=30&customer=c00000001&customer=c00000002",
            &["health", "--days", "30", "--customer", "c00000001", "--customer", "c00000002"],
        ),
        (&format!("/payback?{range}"), &["payback", "--from", &from, "--to", &end]),
        ("/leads", &["leads"]),
        ("/funnel?step=visit&step=signup&step=customer", &["funnel", "visit", "signup", "customer"]),
        ("/funnel?step=visit&step=signup&grain=week", &["funnel", "visit", "signup", "--grain", "week"]),
        ("/funnel/people?step=visit&step=signup&people=2", &["funnel", "visit", "signup", "--people", "2"]),
        ("/identities", &["identities"]),
        ("/retention", &["retention"]),
        ("/recognition", &["recognition"]),
        (&format!("/reconcile?{range}"), &["reconcile", "--from", &from, "--to", &end]),
        ("/check", &["check"]),
        ("/experiments", &["experiments"]),
        ("/verdict", &["verdict"]),
        ("/signals", &["signals"]),
        ("/advice", &["advice"]),
        ("/advice?calls=true", &["advice", "--calls"]),
        ("/levers", &["levers"]),
        ("/prices", &["prices"]),
        ("/anomalies?metric=mrr_new", &["anomalies", "mrr_new"]),
        ("/targets", &["target", "list"]),
        ("/forecast?metric=mrr&horizon=6", &["forecast", "mrr", "--horizon", "6"]),
        ("/forecast?drivers=true", &["forecast", "--drivers"]),
        ("/quarantine", &["quarantine"]),
    ];
    for (path, words) in lists {
        let wanted = cli(&folder, &[words, &["--now", &end][..]].concat());
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = server.get(&format!("{path}{joint}limit=10000")).is(200).json();
        let found = answer["rows"].as_array().unwrap();
        assert_eq!(answer["total"], json!(wanted.len()), "{path}");
        assert_eq!(found.len(), wanted.len(), "{path}");
        for (wanted, found) in wanted.iter().zip(found) {
            let (mut found, segment) = (found.as_object().unwrap().clone(), found.get("segment"));
            for (name, value) in segment.and_then(Value::as_object).into_iter().flatten() {
                found.insert(name.clone(), value.clone());
            }
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(&found[name], value, "{path}: {name}");
            }
        }
    }
}

#[test]
fn the_overview_adds_up_and_its_parts_are_those_of_their_own_routes() {
    let (folder, end) = company();
    let server = Server::start(&folder, &["--open", "--now", &end]);
    let overview = server.get("/overview").is(200).json();
    let (from, to) = (overview["from"].as_str().unwrap(), overview["to"].as_str().unwrap());
    let figures = overview["figures"].as_array().unwrap();
    let mut metrics: Vec<String> = Vec::new();
    for figure in figures {
        let variant = figure["variant"].as_str().unwrap();
        let id = figure["metric"].as_str().unwrap();
        let id = if variant.is_empty() { id.to_owned() } else { format!("{id}.{variant}") };
        if !metrics.contains(&id) {
            metrics.push(id);
        }
    }
    let asked = metrics.iter().map(|id| format!("metric={id}")).collect::<Vec<_>>().join("&");
    let same = server.get(&format!("/figures?{asked}&from={from}&to={to}&grain=month")).is(200).json();
    assert_eq!(overview["figures"], same["figures"]);
    // The running month is partial, and so is what it is compared with, unless that ended before it.
    let last =
        |figures: &Value| figures.as_array().unwrap().iter().rfind(|one| one["metric"] == "mrr").unwrap().clone();
    assert_eq!(last(&overview["figures"])["partial"], json!(true));
    assert!(
        last(&overview["before"])["period"].as_str().unwrap() < last(&overview["figures"])["period"].as_str().unwrap()
    );
    let micros = |value: &Value| -> i128 {
        let text = value.as_str().unwrap();
        let (whole, decimals) = text.trim_start_matches('-').split_once('.').unwrap_or((text, ""));
        let sum = format!("{whole}{decimals:0<6}").parse::<i128>().unwrap();
        if text.starts_with('-') { -sum } else { sum }
    };
    let mut months: Vec<&str> = figures.iter().map(|figure| figure["period"].as_str().unwrap()).collect();
    months.sort_unstable();
    months.dedup();
    let of = |metric: &str, month: &str| {
        let found = figures.iter().find(|one| one["metric"] == metric && one["period"] == month).unwrap();
        micros(&found["value"])
    };
    for pair in months.windows(2) {
        let moved: i128 = [
            "mrr_new",
            "mrr_expansion",
            "mrr_reactivation",
            "mrr_contraction",
            "mrr_churned",
            "mrr_fx",
            "mrr_transferred_in",
            "mrr_transferred_out",
        ]
        .iter()
        .map(|metric| of(metric, pair[1]))
        .sum();
        assert_eq!(of("mrr", pair[0]) + moved, of("mrr", pair[1]), "{}", pair[1]);
        assert_eq!(moved, of("mrr_change", pair[1]), "{}", pair[1]);
    }
    let rows = |path: &str| server.get(path).is(200).json()["rows"].clone();
    assert_eq!(overview["verdict"], rows("/verdict?limit=10000"));
    assert_eq!(overview["targets"], rows("/targets?limit=10000"));
    assert_eq!(overview["cohorts"], rows(&format!("/cohorts?measure=revenue&grain=month&from={from}&limit=10000")));
    assert!(overview["at_risk"].is_array(), "{}", overview["at_risk_note"]);
}

#[test]
fn a_customer_opens_down_to_the_rows_of_files() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let page = server.get("/customers/ann").is(200).json();
    assert_eq!(page["customer"]["mrr"], "30.00");
    assert_eq!(page["customer"]["first_paid"], "2024-01-01");
    let movements = page["movements"].as_array().unwrap();
    // The plan of 10 ends and one of 30 begins: an expansion by 20.
    let told: Vec<(&str, &str)> =
        movements.iter().map(|row| (row["kind"].as_str().unwrap(), row["delta"].as_str().unwrap())).collect();
    assert_eq!(told, [("new", "10.00"), ("expansion", "-10.00"), ("expansion", "30.00")]);
    assert_eq!(movements[2]["fact"], "subscriptions.csv:3");
    let facts = page["facts"].as_array().unwrap();
    assert_eq!(facts.len(), 2);
    assert_eq!((&facts[0]["source"], &facts[0]["value"]), (&json!("subscriptions.csv:3"), &json!("30")));
    assert_eq!(facts[0]["fields"]["plan"], "team");
    assert_eq!(server.get("/customers/nobody").status, 404);
    let facts = server.get("/facts/subscriptions?sort=-value&limit=2").is(200).json();
    assert_eq!((&facts["total"], &facts["rows"][0]["value"]), (&json!(3), &json!("30")));
}

#[test]
fn a_figure_opens_to_contributions_that_add_up() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let opened = server.get("/explain?metric=mrr&period=2024-03&lang=fr").is(200).json();
    assert_eq!(
        (&opened["value"], &opened["opening"], &opened["closing"]),
        (&json!("30.00"), &json!("10.00"), &json!("30.00"))
    );
    assert_eq!(opened["moved"], "20.00");
    assert_eq!(opened["count"], 2);
    let second = &opened["contributions"][1];
    let told = (&second["customer"], &second["value"], &second["source"]);
    assert_eq!(told, (&json!("ann"), &json!("30.00"), &json!("subscriptions.csv:3")));
    let first = server.get("/explain?metric=mrr&period=2024-03&limit=1").is(200).json();
    assert_eq!((&first["count"], &first["next"]), (&json!(2), &json!("1")));
    let rest = server.get("/explain?metric=mrr&period=2024-03&limit=1&cursor=1").is(200).json();
    assert_eq!((&rest["contributions"][0], &rest["next"]), (second, &json!(null)));
    assert!(opened["name"].as_str().unwrap().contains("mensuel"), "{}", opened["name"]);
    let ratio = server.get("/explain?metric=customer_churn&period=2024-02").is(200).json();
    assert_eq!((&ratio["numerator"], &ratio["denominator"]), (&json!("1.00"), &json!("2.00")));
    assert_eq!(server.get("/explain?metric=mrr&period=soon").status, 400);
}

#[test]
fn what_did_not_change_is_not_sent_again_and_what_did_is_told() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let mut stream = server.listen();
    let (name, first) = stream.next().unwrap();
    assert_eq!(name, "data_version");
    let path = "/figures?metric=mrr&from=2024-01-01&to=2024-07-01";
    let reply = server.get(path).is(200);
    let tag = reply.header("etag").unwrap().to_owned();
    assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
    assert_eq!(reply.json()["data_version"], first["data_version"]);
    let again = server.with("GET", path, &[("if-none-match", &tag)], None).is(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", Some(tag.as_str())));
    assert_eq!(server.with("GET", "/figures?metric=arr", &[("if-none-match", &tag)], None).status, 200);

    // Another process imports: open pages hear of it, and the next question is answered from the new facts.
    folder.file("more.csv", "subscription,customer,currency,amount,interval,start\ns3,cleo,USD,5,month,2024-05-01\n");
    folder.run(&["import", "subscriptions", "more.csv"]).ends_with(0);
    let (_, told) = stream.find(|(name, _)| name == "data_version").unwrap();
    assert_ne!(told["data_version"], first["data_version"]);
    let anew = server.with("GET", path, &[("if-none-match", &tag)], None).is(200);
    assert_eq!(anew.json()["data_version"], told["data_version"]);
    assert_eq!(anew.json()["figures"][5]["value"], "35.00");

    // So is a setting.
    folder.run(&["init", "--set", "gross_margin=0.5"]).ends_with(0);
    let (_, later) = stream.find(|(name, _)| name == "data_version").unwrap();
    assert_ne!(later["data_version"], told["data_version"]);
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    for (path, status, code, says) in [
        ("/figures?metric=mrrr", 404, "unknown_metric", "did you mean `mrr`"),
        ("/figures?metric=mrr&colour=1", 400, "usage", "there is no parameter `colour`"),
        ("/figures?metric=mrr&grain=decade", 400, "usage", "day, week, month"),
        ("/figures?metric=mrr&by=shoe", 400, "unknown_dimension", "shoe"),
        ("/figures?metric=mrr&from=tomorrow", 400, "usage", "tomorrow"),
        ("/figures?metric=mrr&policy=..%2F..%2Fetc%2Fpasswd", 400, "usage", "no name of a policy"),
        ("/figures?metric=mrr&policy=strype", 400, "unknown_policy", "strype"),
        ("/movements?sort=colour", 400, "usage", "colour"),
        ("/movements?limit=0", 400, "usage", "limit"),
        ("/retention?survivors=/etc/passwd", 400, "usage", "there is no parameter `survivors`"),
        ("/facts/shoes", 400, "usage", "subscriptions"),
        ("/customers/nobody", 404, "not_found", "nobody"),
        ("/nothing", 404, "not_found", "openapi"),
    ] {
        let reply = server.get(path).is(status);
        assert_eq!(reply.code(), code, "{path}");
        assert!(reply.text.contains(says), "{path}: {}", reply.text);
    }
    assert_eq!(server.with("PUT", "/figures", &[], None).is(405).code(), "method_not_allowed");
}

#[test]
fn a_folder_without_facts_says_what_it_needs() {
    let folder = Folder::empty();
    let server = Server::open(&folder);
    let session = server.get("/session").is(200).json();
    assert_eq!((&session["has_data"], &session["needs_setup"]), (&json!(false), &json!(true)));
    let overview = server.get("/overview").is(200).json();
    assert!(overview["figures"][0]["value"].is_null());
    assert!(overview["figures"][0]["why"].as_str().unwrap().contains("needs subscription"));
    let lacks = server.get("/catalogue?lang=zh").is(200).json();
    assert_eq!(lacks["metrics"][0]["lacks"], json!(["subscription"]));
}

#[test]
fn customers_are_called_as_was_said_last() {
    let folder = Folder::small();
    folder.file("customers.csv", "customer,name\nann,Anna Ltd\nben,Bens Old Name\n");
    folder.run(&["import", "customers", "customers.csv"]).ends_with(0);
    let server = Server::open(&folder);
    let called = |path: &str| -> Vec<(String, Value)> {
        let answer = server.get(path).is(200).json();
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["customer"].as_str().unwrap().to_owned(), row["customer_name"].clone())).collect()
    };
    let before = called("/customers?sort=customer");
    assert_eq!(before[..2], [("ann".to_owned(), json!("Anna Ltd")), ("ben".to_owned(), json!("Bens Old Name"))]);
    let stated = json!({ "facts": [{ "kind": "customers", "customer": "ben", "name": "Benedict & Co" }] });
    server.post("/facts?wait=true", &stated).is(200);
    assert_eq!(called("/customers?sort=customer")[1].1, "Benedict & Co");
    server
        .post(
            "/facts?wait=true",
            &json!({ "facts": [
        { "kind": "subscriptions", "subscription": "s3", "customer": "cleo", "currency": "USD", "amount": 7,
          "interval": "month", "start": "2024-01-01" },
    ] }),
        )
        .is(200);
    assert_eq!(called("/customers?sort=customer")[2], ("cleo".to_owned(), json!(null)));
    let columns = server.get("/movements").is(200).json()["columns"].clone();
    let columns: Vec<&str> = columns.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let place = columns.iter().position(|name| *name == "customer").unwrap();
    assert_eq!(columns[place + 1], "customer_name");
    assert!(called("/movements").iter().all(|(id, name)| name.is_null() == (id == "cleo")));
    // What is searched for may stand in the name, as it is now.
    assert_eq!(called("/customers?search=BENEDICT"), [("ben".to_owned(), json!("Benedict & Co"))]);
    assert_eq!(called("/customers?search=old%20name"), []);
    assert_eq!(called("/customers?search=anna"), [("ann".to_owned(), json!("Anna Ltd"))]);
    let page = server.get("/customers/ben").is(200).json();
    assert_eq!(page["customer"]["customer_name"], "Benedict & Co");
    assert_eq!(page["movements"][0]["customer_name"], "Benedict & Co");
    let opened = server.get("/explain?metric=mrr&period=2024-01").is(200).json();
    let lines = opened["contributions"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["customer_name"] == "Benedict & Co"), "{opened}");
    // What was taken back is said no more, and what another source says holds again.
    server.post("/facts?wait=true", &json!({ "facts": [{ "kind": "customers", "withdraw": "ben" }] })).is(200);
    assert_eq!(called("/customers?sort=customer")[1].1, "Bens Old Name");
    // What the command line prints is as it was.
    let listed = folder.run(&["customers", "--format", "csv"]).ends_with(0).out;
    assert!(listed.starts_with("customer,mrr,currency,") && !listed.contains("Benedict"), "{listed}");
}
