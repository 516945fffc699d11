//! Writes companies and reads them back as an importer would: by the header, a row at a time.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use demo::{Company, Summary, story};
use jiff::ToSpan;
use jiff::civil::Date;

mod surroundings;

const FILES: [&str; 20] = [
    "customers.csv",
    "plans.csv",
    "subscriptions.csv",
    "invoices.csv",
    "payments.csv",
    "fx-rates.csv",
    "contracts.csv",
    "visits.csv",
    "signups.csv",
    "trials.csv",
    "leads.csv",
    "spend.csv",
    "costs.csv",
    "cash-balances.csv",
    "events.csv",
    "tickets.csv",
    "surveys.csv",
    "referrals.csv",
    "experiments.csv",
    "notes.csv",
];

/// A file as read back.
struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(folder: &Path, name: &str) -> Table {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut lines = text.lines();
        let header = cells(lines.next().unwrap());
        let rows: Vec<_> = lines.map(cells).collect();
        assert!(rows.iter().all(|row| row.len() == header.len()), "{name} has a ragged row");
        Table { columns: header.into_iter().zip(0..).collect(), rows }
    }

    fn get<'r>(&self, row: &'r [String], column: &str) -> &'r str {
        &row[self.columns[column]]
    }

    fn day(&self, row: &[String], column: &str) -> Option<Date> {
        let text = self.get(row, column);
        (!text.is_empty()).then(|| text.parse().unwrap())
    }

    /// Rows grouped by a column, in the order of the file.
    fn by(&self, column: &str) -> BTreeMap<&str, Vec<&Vec<String>>> {
        let mut groups: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry(self.get(row, column)).or_default().push(row);
        }
        groups
    }
}

/// The cells of a line. No row of the demo goes over several lines.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut marks = line.chars().peekable();
    while let Some(mark) = marks.next() {
        match mark {
            '"' if quoted && marks.peek() == Some(&'"') => cells.last_mut().unwrap().extend(marks.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            mark => cells.last_mut().unwrap().push(mark),
        }
    }
    cells
}

/// A company on disk for the length of a test.
struct Written {
    folder: tempfile::TempDir,
    company: Company,
    summary: Summary,
    /// The first day of each month of the story, and of some after it.
    months: Vec<Date>,
}

impl Written {
    fn new(company: Company) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let summary = demo::write(&company, folder.path(), &mut |_| {}).unwrap();
        let months = (0..company.months + 48).map(|month| company.start + i64::from(month).months()).collect();
        Written { folder, company, summary, months }
    }

    /// A company told by what it bills alone.
    fn of_customers(customers: u64) -> Written {
        Written::new(Company { customers, facts: demo::Facts::Billing, ..Company::default() })
    }

    fn table(&self, name: &str) -> Table {
        Table::read(self.folder.path(), name)
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for name in FILES {
            hasher.write(&std::fs::read(self.folder.path().join(name)).unwrap());
        }
        hasher.finish()
    }

    /// The month of the story in which a day falls.
    fn month(&self, day: Date) -> u32 {
        self.months.partition_point(|first| *first <= day) as u32
    }
}

/// Minor units of an amount as written, whatever its decimals.
fn minor(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let company = Company { customers: 500, ..Company::default() };
    let first = Written::new(company).hash();
    assert_eq!(first, Written::new(company).hash());
    assert_ne!(first, Written::new(Company { seed: 2, ..company }).hash());
}

#[test]
fn the_summary_and_the_progress_count_what_is_in_the_files() {
    let company = Company { customers: 5_000, ..Company::default() };
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let summary = demo::write(&company, folder.path(), &mut |progress| told.push(progress)).unwrap();
    assert_eq!(summary.files.iter().map(|file| file.file).collect::<Vec<_>>(), FILES);
    for file in &summary.files {
        let path = folder.path().join(file.file);
        let bytes = std::fs::read(&path).unwrap();
        // The header is a line too, and no row goes over several.
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!((file.rows, file.bytes), (lines - 1, bytes.len() as u64), "{}", file.file);
    }
    assert_eq!(summary.files[0].rows, 5_000);
    assert_eq!(summary.end, jiff::civil::date(2026, 11, 1));
    let billing = Written::of_customers(5_000);
    assert_eq!(billing.summary.files[..], summary.files[..7], "the same company, told by what it bills alone");
    assert!(told.is_sorted_by_key(|progress| (progress.customers_done, progress.rows)));
    let last = told.last().unwrap();
    assert_eq!((last.customers_done, last.rows), (5_000, summary.rows()));
}

#[test]
fn rows_of_one_subscription_are_adjacent_never_overlap_and_never_repeat_a_state() {
    let written = Written::of_customers(5_000);
    let table = written.table("subscriptions.csv");
    let mut seen = BTreeSet::new();
    let mut previous: Option<&Vec<String>> = None;
    for row in &table.rows {
        let id = table.get(row, "subscription");
        let start = table.day(row, "start").unwrap();
        let end = table.day(row, "end");
        assert!(end.is_none_or(|end| end > start), "{id}: a row that ends before it starts: {row:?}");
        match previous.filter(|last| table.get(last, "subscription") == id) {
            Some(last) => {
                assert_eq!(table.day(last, "end"), Some(start), "{id}: a gap or an overlap");
                let state = |row: &Vec<String>| row[..row.len() - 2].to_vec();
                assert_ne!(state(last), state(row), "{id}: nothing changes on {start}");
                assert_eq!(table.get(last, "cancel_reason"), "", "{id}: goes on after its end");
            }
            None => assert!(seen.insert(id.to_owned()), "{id} stands in two places"),
        }
        previous = Some(row);
    }
}

#[test]
fn the_files_know_nothing_that_was_not_known_on_the_last_day() {
    let written = Written::of_customers(20_000);
    let end = written.summary.end;
    let subscriptions = written.table("subscriptions.csv");
    let (mut scheduled, mut signed, mut trialing) = (0, 0, 0);
    for row in &subscriptions.rows {
        let (start, until) = (subscriptions.day(row, "start").unwrap(), subscriptions.day(row, "end"));
        let cancel_at = subscriptions.day(row, "cancel_at");
        if start >= end {
            assert!(until.is_none(), "only a signed contract may start later: {row:?}");
            signed += 1;
        } else if until.is_some_and(|until| until >= end) {
            assert_eq!(until, cancel_at, "an end in the future is announced: {row:?}");
            scheduled += 1;
        }
        assert!(cancel_at.is_none() || cancel_at == until, "{row:?}");
        let over = until.is_some() && !subscriptions.get(row, "cancel_reason").is_empty();
        assert!(cancel_at.is_none() || over, "a cancellation has a reason: {row:?}");
        if subscriptions.get(row, "status") == "trialing" {
            trialing += u32::from(until.is_none());
            assert!(subscriptions.day(row, "trial_end").unwrap() > start);
        }
    }
    assert!(scheduled > 50 && signed > 5 && trialing > 200, "{scheduled} {signed} {trialing}");

    for (file, column) in [("invoices.csv", "issued"), ("payments.csv", "paid_at"), ("customers.csv", "signed_up")] {
        let table = written.table(file);
        assert!(table.rows.iter().all(|row| table.day(row, column).unwrap() < end), "{file}");
    }
}

#[test]
fn every_id_that_a_row_names_is_in_its_file() {
    let written = Written::of_customers(5_000);
    let ids = |file: &str, columns: &[&str]| -> BTreeSet<Vec<String>> {
        let table = written.table(file);
        let key = |row: &Vec<String>| columns.iter().map(|name| table.get(row, name).to_owned()).collect();
        table.rows.iter().map(key).collect()
    };
    let check = |file: &str, columns: &[&str], target: &str| {
        let (named, known) = (ids(file, columns), ids(target, columns));
        let missing: Vec<_> = named.difference(&known).take(3).collect();
        assert!(missing.is_empty(), "{file} names what {target} lacks: {missing:?}");
    };
    check("subscriptions.csv", &["customer"], "customers.csv");
    check("subscriptions.csv", &["plan", "product", "currency", "interval"], "plans.csv");
    check("invoices.csv", &["customer", "subscription"], "subscriptions.csv");
    check("invoices.csv", &["plan", "currency"], "plans.csv");
    check("payments.csv", &["invoice", "customer", "currency"], "invoices.csv");
    check("contracts.csv", &["customer", "plan", "currency"], "subscriptions.csv");

    for (file, id) in [
        ("customers.csv", "customer"),
        ("customers.csv", "email"),
        ("invoices.csv", "line"),
        ("payments.csv", "payment"),
        ("contracts.csv", "contract"),
    ] {
        assert_eq!(ids(file, &[id]).len(), written.table(file).rows.len(), "{file} repeats a {id}");
    }
    let prices = ids("plans.csv", &["plan", "currency", "interval"]);
    assert_eq!(prices.len(), written.table("plans.csv").rows.len());
    let contracts = written.table("contracts.csv");
    let known = ids("contracts.csv", &["contract"]);
    let renewals = contracts.rows.iter().map(|row| contracts.get(row, "renewal_of")).filter(|id| !id.is_empty());
    let renewals: Vec<_> = renewals.map(|id| vec![id.to_owned()]).collect();
    assert!(!renewals.is_empty() && renewals.iter().all(|id| known.contains(id)));
}

#[test]
fn every_plan_currency_interval_status_and_reason_is_there() {
    let written = Written::of_customers(20_000);
    let subscriptions = written.table("subscriptions.csv");
    let names = |column: &str| subscriptions.by(column).into_keys().collect::<Vec<_>>();
    assert_eq!(names("plan"), ["business", "insights", "starter", "team"]);
    assert_eq!(names("currency"), ["EUR", "GBP", "JPY", "USD"]);
    assert_eq!(names("interval"), ["month", "quarter", "year"]);
    assert_eq!(names("status"), ["active", "past_due", "paused", "trialing", "unpaid"]);
    assert_eq!(names("discount_duration"), ["", "forever", "once", "repeating"]);
    let reasons = ["", "dispute", "missing_feature", "no_longer_needed", "payment_failed", "switched", "too_expensive"];
    assert_eq!(names("cancel_reason"), reasons);
    let kinds: Vec<_> = written.table("invoices.csv").by("kind").into_keys().map(str::to_owned).collect();
    assert_eq!(kinds, ["one_off", "proration", "subscription"]);
    let statuses: Vec<_> = written.table("payments.csv").by("status").into_keys().map(str::to_owned).collect();
    assert_eq!(statuses, ["disputed", "failed", "refunded", "succeeded"]);
    for row in &subscriptions.rows {
        let has_decimals = subscriptions.get(row, "amount").contains('.');
        assert_eq!(has_decimals, subscriptions.get(row, "currency") != "JPY", "{row:?}");
    }
}

#[test]
fn payments_ask_for_what_the_invoice_says_and_invoices_for_days_that_exist() {
    let written = Written::of_customers(3_000);
    let invoices = written.table("invoices.csv");
    let mut asked: HashMap<&str, i64> = HashMap::new();
    for row in &invoices.rows {
        let (from, to) = (invoices.day(row, "service_start"), invoices.day(row, "service_end"));
        assert!(to > from, "{row:?}");
        *asked.entry(invoices.get(row, "invoice")).or_default() +=
            minor(invoices.get(row, "amount")) + minor(invoices.get(row, "tax"));
    }
    let payments = written.table("payments.csv");
    for row in &payments.rows {
        assert_eq!(minor(payments.get(row, "amount")), asked[payments.get(row, "invoice")], "{row:?}");
        assert_eq!(payments.get(row, "failure_reason").is_empty(), payments.get(row, "status") != "failed", "{row:?}");
    }
    for (invoice, attempts) in payments.by("invoice") {
        let succeeded = attempts.iter().filter(|row| payments.get(row, "status") == "succeeded").count();
        assert!(succeeded <= 1, "{invoice} is paid twice");
    }
}

#[test]
fn rates_are_daily_from_a_month_before_and_move_smoothly() {
    let written = Written::of_customers(1);
    let table = written.table("fx-rates.csv");
    for (base, rows) in table.by("base") {
        let first = written.company.start - 1.month();
        assert_eq!(table.day(rows[0], "day"), Some(first), "{base}");
        assert_eq!(rows.len() as i32, (written.summary.end - first).get_days(), "{base}");
        let rates: Vec<_> = rows.iter().map(|row| minor(table.get(row, "rate"))).collect();
        for pair in rates.windows(2) {
            assert!((pair[1] - pair[0]).abs() * 100 < pair[0], "{base} jumps from {} to {}", pair[0], pair[1]);
        }
        assert!(rates.iter().max() > rates.iter().min(), "{base} never moves");
    }
}

#[test]
fn a_company_of_tens_of_customers_is_whole() {
    for customers in [1, 10, 30, 90] {
        for months in [1, 3, 30] {
            let written = Written::new(Company { customers, months, ..Company::default() });
            assert_eq!(written.table("customers.csv").rows.len() as u64, customers);
            let tellable = written.table("subscriptions.csv");
            assert_eq!(tellable.by("customer").len() as u64, customers);
        }
    }
}

#[test]
fn a_company_may_start_on_any_day() {
    for start in [jiff::civil::date(2024, 1, 31), jiff::civil::date(2023, 12, 15), jiff::civil::date(2024, 2, 29)] {
        let written = Written::new(Company { customers: 2_000, start, ..Company::default() });
        let customers = written.table("customers.csv");
        let days = customers.rows.iter().map(|row| customers.day(row, "signed_up").unwrap());
        assert!(days.is_sorted());
        let subscriptions = written.table("subscriptions.csv");
        assert!(subscriptions.rows.iter().all(|row| {
            subscriptions.day(row, "end").is_none_or(|end| end > subscriptions.day(row, "start").unwrap())
        }));
    }
}

#[test]
fn companies_that_cannot_be_told_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |company: Company, folder: &Path| demo::write(&company, folder, &mut |_| {}).unwrap_err().to_string();
    let company = Company::default();
    assert_eq!(
        refusal(Company { months: 0, ..company }, folder.path()),
        "a company of 0 months cannot be made: choose from 1 to 600 months"
    );
    assert_eq!(
        refusal(Company { customers: 0, ..company }, folder.path()),
        "a company without customers cannot be made: choose 1 customer or more"
    );
    assert_eq!(
        refusal(Company { start: jiff::civil::date(9999, 6, 1), ..company }, folder.path()),
        "a company that starts on 9999-06-01 and lasts 24 months leaves the years 1 to 9999: choose another start"
    );
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "a file").unwrap();
    assert!(refusal(company, &occupied).starts_with("the folder "));
}

/// How many team customers asked to leave in a month, of those on the plan as it began.
fn team_leaving_by_month(written: &Written) -> BTreeMap<u32, f64> {
    let table = written.table("subscriptions.csv");
    let mut asked: BTreeMap<u32, u32> = BTreeMap::new();
    let mut on_plan: BTreeMap<u32, u32> = BTreeMap::new();
    let firsts: Vec<_> =
        (1..=written.company.months).map(|month| written.company.start + (i64::from(month) - 1).months()).collect();
    for row in table.rows.iter().filter(|row| table.get(row, "plan") == "team") {
        let (start, end) = (table.day(row, "start").unwrap(), table.day(row, "end"));
        if !table.get(row, "cancel_at").is_empty() {
            *asked.entry(written.month(start)).or_default() += 1;
        }
        if table.get(row, "status") == "active" {
            for (first, month) in firsts.iter().zip(1..) {
                if start <= *first && end.is_none_or(|end| end > *first) {
                    *on_plan.entry(month).or_default() += 1;
                }
            }
        }
    }
    asked.into_iter().map(|(month, asked)| (month, f64::from(asked) / f64::from(on_plan[&month].max(1)))).collect()
}

#[test]
fn the_bad_release_makes_team_customers_leave() {
    // Told by the story's own company, small as it is, and by a large one that leaves nothing to luck.
    for (customers, at_least) in [(2_000, 1.5), (40_000, 1.8)] {
        let leaving = team_leaving_by_month(&Written::of_customers(customers));
        let (before, after) = (story::BAD_RELEASE.first_month - 1, story::BAD_RELEASE.first_month + 2);
        for month in [before + 1, before + 2] {
            assert!(leaving[&month] > at_least * leaving[&before], "{customers}: {leaving:?}");
            assert!(leaving[&month] > at_least * leaving[&after], "{customers}: {leaving:?}");
        }
    }
}

#[test]
fn three_times_as_many_cards_fail_in_the_wave() {
    let written = Written::of_customers(20_000);
    let table = written.table("payments.csv");
    let mut failed: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| table.get(row, "attempt") == "1") {
        let counts = failed.entry(written.month(table.day(row, "paid_at").unwrap())).or_default();
        counts.0 += f64::from(u8::from(table.get(row, "status") == "failed"));
        counts.1 += 1.0;
    }
    let rate = |month: u32| failed[&month].0 / failed[&month].1;
    let month = story::CARD_FAILURES.first_month;
    for usual in [month - 1, month + 1] {
        let times = rate(month) / rate(usual);
        assert!((2.2..4.2).contains(&times), "{times} times as many");
    }
}

#[test]
fn the_launch_doubles_sign_ups_and_brings_those_who_leave() {
    let written = Written::of_customers(20_000);
    let customers = written.table("customers.csv");
    let mut sign_ups: BTreeMap<u32, u32> = BTreeMap::new();
    let mut channel_of = HashMap::new();
    for row in &customers.rows {
        *sign_ups.entry(written.month(customers.day(row, "signed_up").unwrap())).or_default() += 1;
        channel_of.insert(customers.get(row, "customer"), customers.get(row, "channel"));
    }
    let month = story::LAUNCH.first_month;
    assert!(sign_ups[&month] * 10 > sign_ups[&(month - 1)] * 15, "{sign_ups:?}");

    let subscriptions = written.table("subscriptions.csv");
    let (mut paying, mut left) = (HashMap::<&str, f64>::new(), HashMap::<&str, f64>::new());
    for row in subscriptions.rows.iter().filter(|row| subscriptions.get(row, "subscription").ends_with("-1")) {
        let channel = channel_of[subscriptions.get(row, "customer")];
        let trial_converted = subscriptions.get(row, "status") == "trialing"
            && subscriptions.day(row, "end").is_some()
            && subscriptions.get(row, "cancel_reason").is_empty();
        *paying.entry(channel).or_default() += f64::from(u8::from(trial_converted));
        *left.entry(channel).or_default() += f64::from(u8::from(!subscriptions.get(row, "cancel_at").is_empty()));
    }
    let lost = |channel: &str| left[channel] / paying[channel];
    assert!(lost("launch") > 1.3 * lost("organic"), "{} of launch, {} of organic", lost("launch"), lost("organic"));
    assert!(lost("referral") < lost("meta_ads"));
}

#[test]
fn the_price_rise_reaches_new_customers_first_and_old_ones_six_months_later() {
    let written = Written::of_customers(20_000);
    let subscriptions = written.table("subscriptions.csv");
    let monthly_starter_price = |row: &[String]| {
        let terms = ["plan", "currency", "interval"].map(|column| subscriptions.get(row, column));
        (terms == ["starter", "USD", "month"]).then(|| subscriptions.get(row, "amount").to_owned())
    };
    let month = |row: &[String]| written.month(subscriptions.day(row, "start").unwrap());
    let (mut raised, mut old_at_end) = (0, 0);
    for (id, rows) in subscriptions.by("subscription") {
        let new_customer = month(rows[0]) >= story::PRICE_RISE.first_month;
        if let Some(price) = monthly_starter_price(rows[0]) {
            assert_eq!(price, if new_customer { "22.00" } else { "19.00" }, "{id}");
        }
        for pair in rows.windows(2) {
            let prices = (monthly_starter_price(pair[0]), monthly_starter_price(pair[1]));
            if let (Some(before), Some(after)) = prices
                && before != after
            {
                assert!(month(pair[1]) >= story::OLD_PRICES_END.first_month, "{id} is raised early");
                raised += 1;
            }
        }
        let last = rows[rows.len() - 1];
        let goes_on = subscriptions.day(last, "end").is_none();
        old_at_end += u32::from(goes_on && monthly_starter_price(last).as_deref() == Some("19.00"));
    }
    assert!(raised > 100, "{raised}");
    assert_eq!(old_at_end, 0, "long after month 19 nobody pays an old monthly price");
}

#[test]
fn sign_ups_peak_in_january_and_dip_in_summer() {
    let written = Written::of_customers(20_000);
    let customers = written.table("customers.csv");
    let mut by_month: BTreeMap<String, u32> = BTreeMap::new();
    for row in &customers.rows {
        *by_month.entry(customers.get(row, "signed_up")[..7].to_owned()).or_default() += 1;
    }
    assert!(by_month["2026-01"] > by_month["2025-12"] && by_month["2026-01"] > by_month["2026-02"]);
    assert!(by_month["2026-08"] < by_month["2026-06"] && by_month["2026-08"] < by_month["2026-09"]);
}

#[test]
fn the_page_tells_the_story_of_the_table() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("STORY.md")).unwrap();
    for event in story::EVENTS {
        let last = event.first_month + event.months - 1;
        let months = if event.months == 1 { last.to_string() } else { format!("{} to {last}", event.first_month) };
        let line = format!("| {months} | {} | {} | {} |", event.name, event.words, event.shows);
        assert!(page.contains(&line), "STORY.md lacks this line:\n{line}");
    }
    let written = Written::new(Company { customers: 1, ..Company::default() });
    for name in FILES {
        let text = std::fs::read_to_string(written.folder.path().join(name)).unwrap();
        let header = text.lines().next().unwrap();
        assert!(page.contains(&format!("`{header}`")), "STORY.md lacks the columns of {name}: {header}");
    }
}
