//! The command line is a contract: scripts depend on it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]

#[path = "cli/alerts.rs"]
mod alerts;

#[path = "cli/sink.rs"]
mod sink;

#[path = "cli/folder.rs"]
mod folder;

#[path = "cli/bad_input.rs"]
mod bad_input;

#[path = "cli/experiments.rs"]
mod experiments;

#[path = "cli/explain.rs"]
mod explain;

#[path = "cli/exports.rs"]
mod exports;

#[path = "cli/forecast.rs"]
mod forecast;

#[path = "cli/health.rs"]
mod health;

#[path = "cli/judgement.rs"]
mod judgement;

#[path = "cli/kinds.rs"]
mod kinds;

#[path = "cli/retention.rs"]
mod retention;

#[path = "cli/segments.rs"]
mod segments;

use std::process::Stdio;

use folder::{Folder, Said};

const HEADER: &str = "subscription,customer,currency,amount,interval,start,end\n";

/// The commands of the contract that exist.
const COMMANDS: &[&str] = &[
    "init",
    "demo",
    "import",
    "metric",
    "movements",
    "customers",
    "cohorts",
    "health",
    "explain",
    "reconcile",
    "compare-policies",
    "check",
    "restatements",
    "export",
    "policy",
    "retention",
    "forecast",
    "leads",
    "funnel",
    "identities",
    "experiments",
    "levers",
    "prices",
    "verdict",
    "signals",
    "advice",
    "target",
    "anomalies",
    "review",
];

#[test]
fn help_names_every_command_and_every_option_of_the_contract() {
    let folder = Folder::empty();
    let help = Said::from(folder.bare(&["--help"]).output().unwrap()).ends_with(0);
    help.says(&["--data", "--policy", "--now", "--as-known-at", "--tz", "--currency", "--format", "RECURVE_DATA"]);
    for command in COMMANDS {
        Said::from(folder.bare(&[command, "--help"]).output().unwrap()).ends_with(0).says(&[
            "Usage: recurve",
            command,
            "--format",
        ]);
    }
    for (command, options) in [
        ("import", &["--map", "--set", "--dry-run"][..]),
        ("metric", &["--variant", "--grain", "--from", "--to", "--by", "--where", "--list"]),
        ("cohorts", &["--measure", "--grain", "--by"]),
        ("health", &["--at", "--limit", "--where", "--model"]),
        ("explain", &["--period"]),
        ("restatements", &["--between"]),
        ("retention", &["--survivors", "--horizon", "--level"]),
        ("forecast", &["--series", "--horizon", "--level", "--season", "--model", "--backtest", "--drivers", "--cash"]),
    ] {
        Said::from(folder.bare(&[command, "--help"]).output().unwrap()).ends_with(0).says(options);
    }
    Said::from(folder.bare(&["--version"]).output().unwrap()).ends_with(0).says(&[env!("CARGO_PKG_VERSION")]);
}

#[test]
fn every_exit_code_has_its_meaning() {
    let folder = Folder::small();
    folder.run(&["metric", "mrr"]).ends_with(0);
    folder.file("half.csv", format!("{HEADER}s8,cleo,USD,ten,month,2024-01-01,\ns9,dan,USD,9,month,2024-01-01,\n"));
    folder.run(&["import", "subscriptions", "half.csv"]).ends_with(1).says(&["1 accepted, 1 refused"]);
    for wrong in [
        &["metric", "mmr"][..],
        &["metric", "mrr", "--variant", "weekly"],
        &["metric", "mrr", "--grain", "fortnight"],
        &["metric", "mrr", "--from", "soon"],
        &["metric", "mrr", "--where", "plan"],
        &["metric", "mrr", "--by", "planet"],
        &["metric"],
        &["metrics", "mrr"],
        &["metric", "mrr", "--colour", "red"],
        &["metric", "mrr", "--format", "xml"],
        &["--policy", "strict", "metric", "mrr"],
        &["--tz", "Mars/Olympus", "metric", "mrr"],
        &["--currency", "XQZ", "metric", "mrr"],
        &["--now", "tomorrow", "metric", "mrr"],
        &["--as-known-at", "yesterday", "metric", "mrr"],
        &["restatements", "--between", "2024-02-01", "2024-01-01"],
        &["restatements"],
        &["import", "planets", "half.csv"],
        &["import", "subscriptions"],
        &["import", "subscriptions", "half.csv", "--map", "amount"],
        &["init", "--set", "colour=red"],
        &[],
    ] {
        let said = folder.run(wrong);
        assert_eq!(said.code, Some(2), "{wrong:?}: {}{}", said.out, said.error);
    }
    folder.run(&["import", "subscriptions", "nowhere.csv"]).ends_with(4).says(&["nowhere.csv"]);
    let nowhere = Folder::empty();
    nowhere.run(&["metric", "mrr"]).ends_with(4).says(&["import"]);
}

#[test]
fn an_unknown_metric_suggests_the_nearest() {
    let folder = Folder::small();
    folder.run(&["metric", "mmr"]).ends_with(2).says(&["mmr", "`mrr`"]);
    folder.run(&["metric", "custmers"]).ends_with(2).says(&["`customers`"]);
    folder.run(&["metric", "nrr", "--variant", "moth"]).ends_with(2).says(&["t12m", "month"]);
}

#[test]
fn options_stand_before_or_after_the_command() {
    let folder = Folder::small();
    let words: &[&[&str]] = &[
        &["--format", "csv", "--tz", "Europe/Paris", "metric", "mrr", "--from", "2024-01", "--to", "2024-04"],
        &["metric", "mrr", "--from", "2024-01", "--to", "2024-04", "--tz", "Europe/Paris", "--format", "csv"],
        &["metric", "--tz", "Europe/Paris", "mrr", "--format", "csv", "--to", "2024-04", "--from", "2024-01"],
    ];
    for words in words {
        let said = folder.run(words).ends_with(0);
        assert_eq!(
            said.out,
            "metric,variant,period,value,unit,note\n\
             mrr,,2024-01-01,30.00,USD,\n\
             mrr,,2024-02-01,10.00,USD,\n\
             mrr,,2024-03-01,30.00,USD,\n",
            "{words:?}"
        );
    }
}

#[test]
fn the_data_folder_is_the_option_then_the_environment_then_the_default() {
    let folder = Folder::small();
    let data = folder.data().display().to_string();
    Said::from(folder.bare(&["movements", "--data", &data]).output().unwrap()).ends_with(0).says(&["ann"]);
    let mut from_environment = folder.bare(&["movements"]);
    from_environment.env("RECURVE_DATA", &data);
    Said::from(from_environment.output().unwrap()).ends_with(0).says(&["ann"]);
    let mut option_wins = folder.bare(&["movements", "--data", "elsewhere"]);
    option_wins.env("RECURVE_DATA", &data);
    Said::from(option_wins.output().unwrap()).ends_with(4).says(&["elsewhere"]);
    Said::from(folder.bare(&["import", "subscriptions", "subscriptions.csv"]).output().unwrap()).ends_with(0);
    assert!(folder.path().join("recurve-data").is_dir(), "the first import makes ./recurve-data");
}

#[test]
fn every_format_says_the_same() {
    let folder = Folder::small();
    let list = |format: &str| {
        let said = folder.run(&["movements", "--where", "customer=ben", "--format", format]).ends_with(0);
        said.out
    };
    let rows = [("2024-01-01", "new", "20.00"), ("2024-02-01", "churn", "-20.00")];
    let csv = list("csv");
    for (day, kind, delta) in rows {
        assert!(csv.contains(&format!("ben,{day},s2,solo,{kind},{delta},USD,")), "{csv}");
    }
    let json: serde_json::Value = serde_json::from_str(&list("json")).unwrap();
    let jsonl: Vec<serde_json::Value> = list("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json.as_array().unwrap(), &jsonl);
    for (object, (day, kind, delta)) in jsonl.iter().zip(rows) {
        assert_eq!(object["customer"], "ben");
        assert_eq!(object["day"], day);
        assert_eq!(object["kind"], kind);
        // Text: a JSON number would be read as a float.
        assert_eq!(object["delta"], delta);
    }
    let keys: Vec<&String> = jsonl[0].as_object().unwrap().keys().collect();
    assert_eq!(csv.lines().next().unwrap(), keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(","));
    let table = list("table");
    assert!(table.contains("customer") && table.contains("-20.00") && table.contains('│'), "{table}");

    let file = folder.path().join("movements.parquet");
    let name = file.display().to_string();
    folder.run(&["movements", "--where", "customer=ben", "--format", "parquet", "--output", &name]).ends_with(0);
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&file).unwrap())
            .unwrap();
    let columns: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(columns.join(","), csv.lines().next().unwrap());
    let read: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(read, rows.len());
    let piped = folder.command(&["movements", "--format", "parquet"]).output().unwrap();
    assert!(piped.stdout.starts_with(b"PAR1") && piped.stdout.ends_with(b"PAR1"));
}

#[test]
fn a_list_without_rows_is_still_a_list() {
    let folder = Folder::small();
    let none = |format| folder.run(&["movements", "--from", "2024-06-01", "--format", format]).ends_with(0).out;
    assert_eq!(none("json").trim(), "[]");
    assert_eq!(none("jsonl"), "");
    assert_eq!(none("csv").lines().count(), 1);
}

#[test]
fn a_pipe_that_closes_early_is_no_failure() {
    let folder = Folder::empty();
    let rows: String = (0..30_000).map(|row| format!("s{row},c{row},USD,10,month,2024-01-01,\n")).collect();
    folder.file("many.csv", format!("{HEADER}{rows}"));
    folder.run(&["import", "subscriptions", "many.csv"]).ends_with(0);
    let mut child = folder.command(&["movements"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn the_list_of_metrics_has_all_that_work_with_their_variants() {
    let folder = Folder::empty();
    let said = folder.run(&["metric", "--list", "--format", "jsonl"]).ends_with(0);
    let metrics: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let variants = |id: &str| {
        let metric = metrics.iter().find(|metric| metric["metric"] == id).unwrap_or_else(|| panic!("no {id}"));
        metric["variants"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(variants("nrr"), "t12m* month");
    assert_eq!(variants("arr"), "run_rate* contract");
    assert_eq!(variants("customer_churn"), "opening* midpoint paying");
    assert_eq!(variants("revenue_churn"), "gross* net");
    assert_eq!(variants("ltv"), "arpa/churn* value×lifetime arpa survival");
    for id in [
        "mrr",
        "mrr_change",
        "mrr_new",
        "mrr_expansion",
        "mrr_reactivation",
        "mrr_contraction",
        "mrr_churned",
        "mrr_fx",
        "mrr_net_new",
        "mrr_growth_rate",
        "cmrr",
        "carr",
        "acv",
        "arpa",
        "asp",
        "upsell_revenue",
        "grr",
        "quick_ratio",
        "mrr_by_category",
        "concentration",
        "revenue_recognised",
        "deferred_revenue",
        "revenue_cash",
        "gross_margin",
        "profit",
        "customers",
        "customers_new",
        "customers_churned",
        "customers_reactivated",
        "customer_retention",
        "renewal_rate",
        "customer_lifetime",
        "cac",
        "ltv_cac",
        "cac_payback",
        "cohort_customers",
        "cohort_revenue",
        "segment",
    ] {
        variants(id);
    }
    for language in ["zh", "fr"] {
        folder.run(&["metric", "--list", "--lang", language]).ends_with(0);
    }
    folder.run(&["metric", "--list", "--lang", "fr"]).says(&["Clients payants"]);
    folder.run(&["metric", "--list", "--lang", "zh"]).says(&["付费客户数"]);
    folder.run(&["metric", "--list", "--lang", "de"]).ends_with(2).says(&["`de` is no language", "en, zh, fr"]);
    folder.run(&["--lang", "fr", "init"]).ends_with(0).says(&["language,fr"]);
    folder.run(&["metric", "--list"]).says(&["Clients payants"]);
    let opened = folder.run(&["explain", "customers", "--period", "2024-03", "--format", "table"]);
    opened.says(&["Clients payants", "formule", "règles", "du 2024-03-01 au 2024-03-31", "0 faits, ensemble"]);
    let laws = folder.run(&["check", "--format", "table", "--lang", "zh"]).ends_with(0);
    laws.says(&["law 1 movements", "变动相加无误", "每条定律都成立"]);
    let mut from_environment = folder.bare(&["metric", "--list"]);
    from_environment.env("RECURVE_LANG", "zh_CN.UTF-8");
    Said::from(from_environment.output().unwrap()).ends_with(0).says(&["付费客户数"]);
}

#[test]
fn a_figure_is_opened_down_to_the_line_of_the_file() {
    let folder = Folder::small();
    folder.run(&["explain", "mrr", "--period", "2024-03", "--format", "table"]).ends_with(0).says(&[
        "mrr",
        "30.00 USD",
        "opening    10.00",
        "closing    30.00",
        "in 2 rows",
        "ann",
        "subscriptions.csv:3",
        "discounts",
        "policy",
    ]);
    // 10 of the 30 of January are left in February.
    folder.run(&["explain", "nrr.month", "--period", "2024-02", "--format", "table"]).ends_with(0).says(&[
        "10.00",
        "30.00",
        "0.333333333333",
        "ben",
    ]);
    folder.run(&["explain", "mmr", "--period", "2024-03"]).ends_with(2).says(&["`mrr`"]);
    folder.run(&["explain", "mrr", "--period", "yesterday"]).ends_with(2);
}

#[test]
fn check_holds_on_good_data_and_breaks_on_a_damaged_file() {
    let folder = Folder::small();
    let said = folder.run(&["check"]).ends_with(0);
    assert!(!said.out.contains("broken"), "{}", said.out);
    let mut files = Vec::new();
    let mut folders = vec![folder.data()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                files.push(path);
            }
        }
    }
    let file = files.first().expect("the facts are in a Parquet file");
    let whole = std::fs::read(file).unwrap();
    for (name, damaged) in [
        ("one bit", {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(bytes)
        }),
        ("cut short", Some(whole[..whole.len() - 8].to_vec())),
        ("empty", Some(Vec::new())),
        ("gone", None),
    ] {
        match damaged {
            Some(bytes) => std::fs::write(file, bytes).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        let said = folder.run(&["check"]);
        assert_eq!(said.code, Some(3), "{name}: {}{}", said.out, said.error);
        assert!(said.out.contains("broken"), "{name}: {}", said.out);
    }
    std::fs::write(file, whole).unwrap();
    folder.run(&["check"]).ends_with(0);
}

/// A killed import, or one that is running now, leaves a file that nothing names yet. No fact is touched by it, so it
/// is told and no law is broken: 3 is for data that is wrong.
#[test]
fn a_file_that_is_left_over_breaks_no_law() {
    let folder = Folder::small();
    let kind = folder.data().join("files").join("main").join("subscription");
    let known = std::fs::read_dir(&kind).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(known, kind.join("facts-01a201dd-0000-7000-8000-000000000000.parquet")).unwrap();
    let said = folder.run(&["check"]).ends_with(0).says(&["facts-01a201dd-0000-7000-8000-000000000000.parquet"]);
    assert!(!said.out.contains("broken"), "{}", said.out);
    // The next writer clears it away.
    folder.run(&["import", "subscriptions", "subscriptions.csv"]).ends_with(0).says(&["unchanged"]);
    let said = folder.run(&["check"]).ends_with(0);
    assert!(!said.out.contains("facts-01a201dd-0000"), "{}", said.out);
}

#[test]
fn a_policy_lists_its_settings_and_what_they_take() {
    let folder = Folder::empty();
    let said = folder.run(&["policy", "--format", "csv"]).ends_with(0);
    let header = said.out.lines().next().unwrap();
    for preset in ["default", "stripe", "chartmogul", "profitwell", "choices"] {
        assert!(header.contains(preset), "{header}");
    }
    said.says(&[
        "discounts",
        "trial",
        "past_due",
        "unpaid",
        "paused",
        "cancel_at_period_end",
        "metered",
        "free",
        "refund",
        "one_off",
        "reactivation_within",
        "settle_window",
        "week_factor",
        "day_factor",
        "fx",
        "drop_after_days:N",
    ]);
    folder.file("mine.toml", "[settings]\npaused = \"keep\"\n");
    let said = folder.run(&["policy", "mine.toml", "--format", "csv"]).ends_with(0);
    assert!(said.out.contains("\npaused,keep,"), "{}", said.out);
    for (content, named) in [
        ("[settings]\npause = \"keep\"\n", "pause"),
        ("[settings]\npaused = \"never\"\n", "zero, keep"),
        ("paused = \"keep\"\n", "[settings]"),
        ("[settings\n", "mine.toml"),
    ] {
        folder.file("mine.toml", content);
        folder.run(&["policy", "mine.toml"]).ends_with(2).says(&[named]);
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::empty();
    folder.file("good.csv", format!("{HEADER}s1,ann,USD,10,month,2024-01-01,\n"));
    folder.run(&["import", "subscriptions", "good.csv", "--dry-run"]).ends_with(0).says(&["nothing was written"]);
    assert!(!folder.data().exists(), "a dry run makes no folder");
    folder.file("bad.csv", format!("{HEADER}s1,ann,USD,ten,month,2024-01-01,\n"));
    folder.run(&["import", "subscriptions", "bad.csv", "--dry-run"]).ends_with(1).says(&["number-unreadable"]);
    let small = Folder::small();
    let before = small.run(&["export", "subscriptions"]).out;
    small.file("more.csv", format!("{HEADER}s7,eve,USD,10,month,2024-01-01,\n"));
    small.run(&["import", "subscriptions", "more.csv", "--dry-run"]).ends_with(0);
    assert_eq!(small.run(&["export", "subscriptions"]).out, before);
}

#[test]
fn a_column_that_is_missing_says_what_to_add() {
    let folder = Folder::empty();
    folder.file("odd.csv", "subscription,customer,how_much,interval,begun\ns1,ann,10,month,2024-01-01\n");
    folder.run(&["import", "subscriptions", "odd.csv"]).ends_with(4).says(&[
        "how_much",
        "begun",
        "--map amount=HEADER",
        "--map start=HEADER",
        "--set currency=USD",
    ]);
    let words = ["import", "subscriptions", "odd.csv", "--map", "amount=how_much", "--map", "start=begun"];
    folder.run(&[&words[..], &["--set", "currency=EUR"]].concat()).ends_with(0);
    folder.run(&["movements"]).ends_with(0).says(&["ann,2024-01-01,s1,,new,10.00,EUR,0.00,10.00"]);
}

#[test]
fn settings_of_the_folder_hold_until_an_option_overrides_them() {
    let folder = Folder::empty();
    folder.run(&["init", "--currency", "EUR", "--tz", "Europe/Paris", "--policy", "stripe"]).ends_with(0);
    folder.run(&["init", "--format", "csv"]).ends_with(0).says(&["EUR", "Europe/Paris", "stripe"]);
    folder.file("subs.csv", format!("{HEADER}s1,ann,EUR,10,month,2024-01-31T23:30:00Z,\n"));
    folder.run(&["import", "subscriptions", "subs.csv"]).ends_with(0);
    folder.run(&["movements"]).ends_with(0).says(&["ann,2024-02-01"]);
    folder.run(&["movements", "--tz", "UTC"]).ends_with(0).says(&["ann,2024-01-31"]);
    folder.run(&["init", "--tz", "Mars/Olympus"]).ends_with(2);
    folder.run(&["movements"]).ends_with(0).says(&["ann,2024-02-01"]);
}

#[test]
fn the_demo_company_is_imported_and_keeps_every_law() {
    let folder = Folder::empty();
    let told = folder.run(&["demo", "--customers", "60", "--months", "6", "--seed", "3"]).ends_with(0);
    let imports = told.out.lines().filter(|line| line.contains(": import ")).collect::<Vec<_>>();
    assert_eq!(imports.len(), 20, "a file for each kind of fact: {}", told.out);
    assert!(imports.iter().all(|line| line.contains(" accepted, 0 refused ")), "{}", told.out);
    let said = folder.run(&["check", "--now", "2030-01-01"]).ends_with(0);
    assert!(!said.out.contains("broken"), "{}", said.out);
    let years = ["--grain", "year", "--from", "2024", "--to", "2025", "--now", "2030-01-01"];
    let activated = folder.run(&[&["metric", "activation_rate"], &years[..]].concat()).ends_with(0).out;
    assert!(activated.contains("2024-01-01,0.") && !activated.contains(",0.000000000000,"), "{activated}");
    let once = folder.run(&["movements", "--now", "2030-01-01"]).ends_with(0).out;
    let again = Folder::empty();
    again.run(&["demo", "--customers", "60", "--months", "6", "--seed", "3"]);
    assert_eq!(again.run(&["movements", "--now", "2030-01-01"]).out, once, "the same seed, the same company");
    let billing = Folder::empty();
    let told =
        billing.run(&["demo", "--customers", "60", "--months", "6", "--seed", "3", "--billing-only"]).ends_with(0);
    assert_eq!(told.out.lines().filter(|line| line.contains(": import ")).count(), 7);
    assert_eq!(
        billing.run(&["movements", "--now", "2030-01-01"]).out,
        once,
        "the same lives, told by their bills alone"
    );
}
