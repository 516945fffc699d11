//! What is told beside billing: each kind of fact, and whether together they tell the story.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use demo::{Company, Facts, story};
use jiff::civil::{Date, DateTime};

use super::{Table, Written, minor};

/// The story's own company.
static OWN: LazyLock<Written> = LazyLock::new(|| Written::new(Company::default()));
/// A larger one, which leaves less to luck.
static LARGE: LazyLock<Written> = LazyLock::new(|| Written::new(Company { customers: 3_500, ..Company::default() }));

impl Table {
    /// A moment, at the beginning of the day where only a day is told.
    fn moment(&self, row: &[String], column: &str) -> Option<DateTime> {
        let text = self.get(row, column);
        match text.len() {
            0 => None,
            10 => Some(text.parse::<Date>().unwrap().at(0, 0, 0, 0)),
            _ => Some(text.parse().unwrap()),
        }
    }

    fn number(&self, row: &[String], column: &str) -> f64 {
        self.get(row, column).parse().unwrap()
    }
}

impl Written {
    fn month_of(&self, table: &Table, row: &[String], column: &str) -> u32 {
        self.month(table.get(row, column)[..10].parse().unwrap())
    }

    /// The first day that each customer paid for, by its subscriptions.
    fn paid_from(&self) -> HashMap<String, Date> {
        let table = self.table("subscriptions.csv");
        let mut first = HashMap::new();
        for row in &table.rows {
            let day = table.day(row, "start").unwrap();
            if ["active", "past_due"].contains(&table.get(row, "status")) && day < self.summary.end {
                first.entry(table.get(row, "customer").to_owned()).or_insert(day);
            }
        }
        first
    }

    /// The channel of each customer.
    fn channels(&self) -> HashMap<String, String> {
        let table = self.table("customers.csv");
        let pair = |row: &Vec<String>| (table.get(row, "customer").to_owned(), table.get(row, "channel").to_owned());
        table.rows.iter().map(pair).collect()
    }
}

#[test]
fn nothing_is_known_before_it_happened() {
    let moments = [
        ("visits.csv", &["visited"][..]),
        ("signups.csv", &["signed_up"]),
        ("leads.csv", &["reached"]),
        ("spend.csv", &["day"]),
        ("costs.csv", &["day"]),
        ("cash-balances.csv", &["day"]),
        ("events.csv", &["occurred"]),
        ("tickets.csv", &["opened", "first_response", "resolved"]),
        ("surveys.csv", &["answered"]),
        ("referrals.csv", &["invited", "converted"]),
        ("experiments.csv", &["assigned"]),
        ("trials.csv", &["converted"]),
        ("notes.csv", &["day"]),
    ];
    // Days and moments are written so that they sort as text.
    let (eve, end) = (OWN.company.start.yesterday().unwrap().to_string(), OWN.summary.end.to_string());
    for (file, columns) in moments {
        let table = OWN.table(file);
        for (row, column) in table.rows.iter().flat_map(|row| columns.iter().map(move |column| (row, *column))) {
            let told = table.get(row, column);
            assert!(told.is_empty() || (eve.as_str()..end.as_str()).contains(&told), "{file}: {row:?}");
        }
    }
}

#[test]
fn keys_never_repeat() {
    let keys = [
        ("visits.csv", &["visitor", "visited"][..]),
        ("signups.csv", &["signup"]),
        ("trials.csv", &["trial"]),
        ("leads.csv", &["lead", "reached", "stage", "score_reason"]),
        ("spend.csv", &["day", "channel", "campaign", "category"]),
        ("costs.csv", &["cost"]),
        ("cash-balances.csv", &["day", "account", "currency"]),
        ("events.csv", &["user", "name", "occurred"]),
        ("tickets.csv", &["ticket"]),
        ("surveys.csv", &["answer"]),
        ("referrals.csv", &["referral"]),
        ("experiments.csv", &["experiment", "customer"]),
        ("notes.csv", &["note"]),
    ];
    for (file, columns) in keys {
        let table = OWN.table(file);
        let mut seen = HashSet::new();
        for row in &table.rows {
            let key: Vec<_> = columns.iter().map(|column| table.get(row, column)).collect();
            assert!(seen.insert(key), "{file} repeats {row:?}");
        }
    }
}

#[test]
fn visitors_users_and_customers_can_be_joined() {
    let customers = OWN.table("customers.csv");
    let known = customers.by("customer");
    for file in [
        "signups.csv",
        "trials.csv",
        "leads.csv",
        "events.csv",
        "tickets.csv",
        "surveys.csv",
        "experiments.csv",
        "notes.csv",
    ] {
        let table = OWN.table(file);
        for customer in table.by("customer").into_keys().filter(|id| !id.is_empty()) {
            assert!(known.contains_key(customer), "{file} names {customer}");
        }
    }

    let (visits, signups) = (OWN.table("visits.csv"), OWN.table("signups.csv"));
    let visits_of = visits.by("visitor");
    let users = signups.by("signup");
    let (mut joined, mut alone, mut differs) = (0, 0, 0);
    for row in &signups.rows {
        let visitor = signups.get(row, "visitor");
        if visitor.is_empty() {
            alone += 1;
            continue;
        }
        joined += 1;
        let theirs = &visits_of[visitor];
        let signed_up = signups.moment(row, "signed_up").unwrap();
        let before: Vec<_> =
            theirs.iter().filter(|visit| visits.moment(visit, "visited").unwrap() <= signed_up).collect();
        assert!(!before.is_empty(), "a sign-up without a visit before it: {row:?}");
        if !signups.get(row, "customer").is_empty() {
            let last = before.iter().max_by_key(|visit| visits.moment(visit, "visited")).unwrap();
            let first = before.iter().min_by_key(|visit| visits.moment(visit, "visited")).unwrap();
            assert_eq!(visits.get(last, "channel"), signups.get(row, "channel"), "{row:?}");
            differs += u32::from(visits.get(first, "channel") != visits.get(last, "channel"));
        }
    }
    assert!(alone * 30 > joined && alone * 8 < joined, "{alone} of {joined} cannot be joined");
    assert!(differs * 8 > joined && differs * 3 < joined, "the first touch differs for {differs} of {joined}");

    let events = OWN.table("events.csv");
    for rows in events.by("user").into_values() {
        let first_user = rows.iter().any(|row| events.get(row, "user").ends_with("-1"));
        assert_eq!(first_user, users.contains_key(events.get(rows[0], "user")), "who signed up is the first user");
    }
    let trials = OWN.table("trials.csv");
    let paid_from = OWN.paid_from();
    for row in &trials.rows {
        let converted = trials.day(row, "converted");
        assert_eq!(converted, paid_from.get(trials.get(row, "customer")).copied(), "{row:?}");
    }
}

#[test]
fn leads_tickets_and_answers_name_who_they_are_of() {
    let ids = |file: &str, column: &str| -> HashSet<String> {
        let table = OWN.table(file);
        let told = table.rows.iter().map(|row| table.get(row, column).to_owned());
        told.filter(|id| !id.is_empty()).collect()
    };
    for (file, column, target, id) in [
        ("leads.csv", "visitor", "visits.csv", "visitor"),
        ("leads.csv", "user", "signups.csv", "signup"),
        ("trials.csv", "user", "signups.csv", "signup"),
        ("trials.csv", "trial", "subscriptions.csv", "subscription"),
        ("tickets.csv", "user", "signups.csv", "signup"),
        ("surveys.csv", "ticket", "tickets.csv", "ticket"),
    ] {
        let named = ids(file, column);
        assert!(!named.is_empty() && named.is_subset(&ids(target, id)), "{file} names what {target} lacks");
    }
    let (leads, visits) = (OWN.table("leads.csv"), OWN.table("visits.csv"));
    let visits_of = visits.by("visitor");
    let without = leads.rows.iter().filter(|row| leads.get(row, "visitor").is_empty()).count();
    assert!(without > 20 && without * 5 < leads.rows.len(), "{without} leads were found without a visit");
    for row in leads.rows.iter().filter(|row| !leads.get(row, "visitor").is_empty()) {
        let seen = visits_of[leads.get(row, "visitor")].iter().map(|visit| visits.get(visit, "visited")).min();
        assert!(seen.unwrap() < leads.get(row, "reached"), "a lead before its first visit: {row:?}");
    }
}

#[test]
fn a_paid_campaign_pays_for_each_of_its_visits() {
    let (spend, visits) = (OWN.table("spend.csv"), OWN.table("visits.csv"));
    let mut paid: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in spend.rows.iter().filter(|row| !spend.get(row, "clicks").is_empty()) {
        let campaign = (spend.get(row, "day").to_owned(), spend.get(row, "campaign").to_owned());
        *paid.entry(campaign).or_default() += spend.get(row, "clicks").parse::<u32>().unwrap();
    }
    let mut came: BTreeMap<(String, String), u32> = BTreeMap::new();
    let paying = ["google_ads", "meta_ads", "launch"];
    for row in visits.rows.iter().filter(|row| paying.contains(&visits.get(row, "channel"))) {
        let campaign = (visits.get(row, "visited")[..10].to_owned(), visits.get(row, "campaign").to_owned());
        *came.entry(campaign).or_default() += 1;
    }
    assert_eq!(paid, came);
}

#[test]
fn cash_is_what_was_there_and_what_came_and_went() {
    let mut rates: HashMap<(String, Date), f64> = HashMap::new();
    let table = OWN.table("fx-rates.csv");
    for row in &table.rows {
        rates.insert((table.get(row, "base").to_owned(), table.day(row, "day").unwrap()), table.number(row, "rate"));
    }
    let mut flows: BTreeMap<Date, f64> = BTreeMap::new();
    let payments = OWN.table("payments.csv");
    for row in &payments.rows {
        let day = payments.day(row, "paid_at").unwrap();
        let rate = rates.get(&(payments.get(row, "currency").to_owned(), day)).copied().unwrap_or(1.0);
        let sign = match payments.get(row, "status") {
            "succeeded" => 1.0,
            "refunded" | "disputed" => -1.0,
            _ => 0.0,
        };
        *flows.entry(day).or_default() += sign * payments.number(row, "amount") * rate;
    }
    for file in ["costs.csv", "spend.csv"] {
        let table = OWN.table(file);
        for row in &table.rows {
            *flows.entry(table.day(row, "day").unwrap()).or_default() -= table.number(row, "amount");
        }
    }
    let cash = OWN.table("cash-balances.csv");
    let opening = cash.number(&cash.rows[0], "amount");
    assert_eq!(cash.day(&cash.rows[0], "day"), Some(OWN.company.start.yesterday().unwrap()));
    for row in &cash.rows {
        let day = cash.day(row, "day").unwrap();
        let told = cash.number(row, "amount");
        let flowed: f64 = flows.range(..=day).map(|(_, amount)| amount).sum();
        assert!((told - opening - flowed).abs() < 0.02, "{day}: {told} is not {}", opening + flowed);
    }
    let amounts: Vec<_> = cash.rows.iter().map(|row| cash.number(row, "amount")).collect();
    let lowest = amounts.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(lowest > 0.0 && lowest < 0.8 * opening, "it burns, and lives: {lowest} of {opening}");
}

#[test]
fn no_company_runs_out_of_money() {
    for (customers, months) in [(1, 24), (60, 6), (100, 12), (500, 24), (2_000, 36)] {
        for seed in [1, 2, 3] {
            let written = Written::new(Company { customers, months, seed, ..Company::default() });
            let cash = written.table("cash-balances.csv");
            let lowest = cash.rows.iter().map(|row| minor(cash.get(row, "amount"))).min().unwrap();
            assert!(lowest > 0, "{customers} customers, {months} months, seed {seed}: {lowest}");
        }
    }
}

/// Spend for each new customer by channel, and for all.
fn cost_of_a_customer(written: &Written) -> BTreeMap<String, f64> {
    let channels = written.channels();
    let mut new: BTreeMap<String, f64> = BTreeMap::new();
    for customer in written.paid_from().into_keys() {
        *new.entry(channels[&customer].clone()).or_default() += 1.0;
        *new.entry("all".to_owned()).or_default() += 1.0;
    }
    let spend = written.table("spend.csv");
    let mut spent: BTreeMap<String, f64> = BTreeMap::new();
    for row in &spend.rows {
        *spent.entry(spend.get(row, "channel").to_owned()).or_default() += spend.number(row, "amount");
        *spent.entry("all".to_owned()).or_default() += spend.number(row, "amount");
    }
    new.into_iter()
        .map(|(channel, count)| (channel.clone(), spent.get(&channel).copied().unwrap_or(0.0) / count))
        .collect()
}

#[test]
fn paid_social_costs_more_than_it_brings_and_search_pays_back() {
    for written in [&*OWN, &*LARGE] {
        let cost = cost_of_a_customer(written);
        assert!(cost["meta_ads"] > 4.0 * cost["google_ads"], "{cost:?}");
        assert!(cost["google_ads"] > 3.0 * cost["organic"], "organic costs nothing but commissions: {cost:?}");
        assert!((1_200.0..2_400.0).contains(&cost["all"]), "{cost:?}");
    }
    // What was paid by the customers of paid social is less than what was spent on them.
    let (payments, spend, channels) = (OWN.table("payments.csv"), OWN.table("spend.csv"), OWN.channels());
    let by_channel = |channel: &str| {
        let paid = payments.rows.iter().filter(|row| payments.get(row, "status") == "succeeded");
        let theirs = paid.filter(|row| channels[payments.get(row, "customer")] == channel);
        let dollars = |row: &Vec<String>| match payments.get(row, "currency") {
            "EUR" => 1.085,
            "GBP" => 1.27,
            "JPY" => 0.0067,
            _ => 1.0,
        };
        let received: f64 = theirs.map(|row| payments.number(row, "amount") * dollars(row)).sum();
        let rows = spend.rows.iter().filter(|row| spend.get(row, "channel") == channel);
        received / rows.map(|row| spend.number(row, "amount")).sum::<f64>()
    };
    assert!(by_channel("meta_ads") < 1.0, "{}", by_channel("meta_ads"));
    assert!(by_channel("google_ads") > 3.0, "{}", by_channel("google_ads"));
}

#[test]
fn a_paid_visit_costs_more_once_clicks_are_dearer() {
    let (visits, spend) = (OWN.table("visits.csv"), OWN.table("spend.csv"));
    for (channel, rise) in [("google_ads", 1.6), ("meta_ads", 1.4)] {
        let a_visit = |months: std::ops::Range<u32>| {
            let came = visits.rows.iter().filter(|row| visits.get(row, "channel") == channel);
            let count = came.filter(|row| months.contains(&OWN.month_of(&visits, row, "visited"))).count();
            let rows = spend
                .rows
                .iter()
                .filter(|row| spend.get(row, "channel") == channel && spend.get(row, "category") == "marketing");
            let rows = rows.filter(|row| months.contains(&OWN.month_of(&spend, row, "day")));
            rows.map(|row| spend.number(row, "amount")).sum::<f64>() / count as f64
        };
        let month = story::DEARER_CLICKS.first_month;
        let rose = a_visit(month..month + 6) / a_visit(month - 6..month);
        assert!((rose - rise).abs() < 0.08, "{channel}: {rose}");
    }
}

#[test]
fn sales_are_paid_from_the_first_hire_on_and_for_what_they_sign() {
    let spend = OWN.table("spend.csv");
    let sales: Vec<_> = spend.rows.iter().filter(|row| spend.get(row, "category") == "sales").collect();
    let months: BTreeSet<_> = sales.iter().map(|row| OWN.month_of(&spend, row, "day")).collect();
    assert_eq!(months.first(), Some(&story::SALES_HIRE.first_month));
    assert_eq!(months.len() as u32, OWN.company.months + 1 - story::SALES_HIRE.first_month);
    let contracts = OWN.table("contracts.csv");
    let signed: BTreeSet<_> = contracts.rows.iter().map(|row| contracts.day(row, "start").unwrap()).collect();
    let commissions: Vec<_> = sales.iter().filter(|row| !spend.get(row, "channel").is_empty()).collect();
    assert!(commissions.len() > 20);
    assert!(commissions.iter().all(|row| signed.contains(&spend.day(row, "day").unwrap())));
}

#[test]
fn the_launch_is_paid_for_while_it_runs() {
    let (spend, visits) = (OWN.table("spend.csv"), OWN.table("visits.csv"));
    for (table, column) in [(&spend, "day"), (&visits, "visited")] {
        let launched = table.rows.iter().filter(|row| table.get(row, "channel") == "launch");
        assert!(launched.clone().count() > 20);
        assert!(launched.clone().all(|row| OWN.month_of(table, row, column) == story::LAUNCH.first_month));
    }
}

/// The mean events a week of those customers, in weeks before a day of each.
fn use_before(events: &Table, days: &HashMap<String, Date>, weeks: std::ops::Range<i32>) -> f64 {
    let count = events
        .rows
        .iter()
        .filter(|row| {
            days.get(events.get(row, "customer")).is_some_and(|day| {
                let before = (*day - events.moment(row, "occurred").unwrap().date()).get_days();
                before > 0 && weeks.contains(&(before / 7))
            })
        })
        .count();
    count as f64 / f64::from(weeks.end - weeks.start) / days.len() as f64
}

#[test]
fn use_falls_before_a_customer_leaves_and_not_before_a_card_is_lost() {
    let written = &*LARGE;
    let subscriptions = written.table("subscriptions.csv");
    let paid_from = written.paid_from();
    let (mut asked, mut lost) = (HashMap::new(), HashMap::new());
    for row in &subscriptions.rows {
        let customer = subscriptions.get(row, "customer");
        let start = subscriptions.day(row, "start").unwrap();
        let settled = paid_from.get(customer).is_some_and(|paid| (start - *paid).get_days() > 150);
        if !settled || subscriptions.get(row, "plan") == "insights" {
            continue;
        }
        if !subscriptions.get(row, "cancel_at").is_empty() {
            asked.insert(customer.to_owned(), start);
        } else if subscriptions.get(row, "status") == "unpaid" {
            // Three weeks before it was unpaid it was past due, and used as ever.
            lost.insert(customer.to_owned(), start);
        }
    }
    assert!(asked.len() > 120 && lost.len() > 6, "{} {}", asked.len(), lost.len());
    let events = written.table("events.csv");
    let fell = |days: &HashMap<String, Date>| use_before(&events, days, 0..2) / use_before(&events, days, 11..19);
    assert!(fell(&asked) < 0.55, "{}", fell(&asked));
    assert!(fell(&lost) > 0.75, "{}", fell(&lost));
}

#[test]
fn a_whale_goes_quiet_and_billing_says_nothing() {
    let (events, subscriptions) = (OWN.table("events.csv"), OWN.table("subscriptions.csv"));
    let whale = "c00000090";
    let count = |month: u32| {
        let theirs = events.rows.iter().filter(|row| events.get(row, "customer") == whale);
        theirs.filter(|row| OWN.month_of(&events, row, "occurred") == month).count()
    };
    let month = story::QUIET_WHALE.first_month;
    assert!(count(month + 2) * 3 < count(month - 1), "{} of {}", count(month + 2), count(month - 1));
    let theirs = subscriptions.by("customer");
    assert!(theirs[whale].iter().all(|row| subscriptions.get(row, "cancel_at").is_empty()));
    assert!(theirs[whale].iter().any(|row| subscriptions.day(row, "end").is_none()), "it is still there");
}

#[test]
fn most_who_pay_made_a_board_in_their_first_days() {
    let (events, trials) = (OWN.table("events.csv"), OWN.table("trials.csv"));
    let activated: BTreeSet<_> = events
        .rows
        .iter()
        .filter(|row| events.get(row, "name") == story::ACTIVATION_EVENT)
        .map(|row| events.get(row, "customer"))
        .collect();
    let share = |converted: bool| {
        let theirs: Vec<_> =
            trials.rows.iter().filter(|row| trials.get(row, "converted").is_empty() != converted).collect();
        let made = theirs.iter().filter(|row| activated.contains(trials.get(row, "customer"))).count();
        made as f64 / theirs.len() as f64
    };
    assert!(share(true) > 0.85 && share(false) < 0.45, "{} {}", share(true), share(false));
}

#[test]
fn the_bad_release_shows_in_tickets_scores_and_use() {
    let (tickets, surveys, events) = (OWN.table("tickets.csv"), OWN.table("surveys.csv"), OWN.table("events.csv"));
    let release = story::BAD_RELEASE.first_month;
    let bugs = |month: u32| {
        let rows = tickets.rows.iter().filter(|row| tickets.get(row, "category") == "bug");
        rows.filter(|row| OWN.month_of(&tickets, row, "opened") == month).count()
    };
    let hours = |month: u32| {
        let mut waits: Vec<_> = tickets
            .rows
            .iter()
            .filter(|row| OWN.month_of(&tickets, row, "opened") == month)
            .filter_map(|row| {
                let answered = tickets.moment(row, "first_response")?;
                let opened = tickets.moment(row, "opened")?;
                answered.since(opened).unwrap().total(jiff::Unit::Hour).ok()
            })
            .collect();
        waits.sort_unstable_by(f64::total_cmp);
        waits[waits.len() / 2]
    };
    for month in [release, release + 1] {
        assert!(bugs(month) > 4 * bugs(release - 1).max(bugs(release + 2)), "{} bugs", bugs(month));
        assert!(hours(month) > 2.0 * hours(release - 1), "{} hours", hours(month));
    }
    let mean = |survey: &str, months: std::ops::Range<u32>| {
        let rows = surveys.rows.iter().filter(|row| surveys.get(row, "survey") == survey);
        let scores: Vec<_> = rows
            .filter(|row| months.contains(&OWN.month_of(&surveys, row, "answered")))
            .map(|row| surveys.number(row, "score"))
            .collect();
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    assert!(mean("nps", release..release + 2) + 0.9 < mean("nps", release - 3..release));
    assert!(mean("csat", release..release + 2) + 0.8 < mean("csat", release - 3..release));
    let shared = |month: u32| {
        let rows = events.rows.iter().filter(|row| events.get(row, "feature") == story::SHARED_BOARDS);
        rows.filter(|row| OWN.month_of(&events, row, "occurred") == month).count()
    };
    assert!(shared(release) * 3 < shared(release - 1) && shared(release + 1) * 3 < shared(release + 2));
}

#[test]
fn those_who_leave_score_lower_in_the_months_before() {
    let (surveys, subscriptions) = (LARGE.table("surveys.csv"), LARGE.table("subscriptions.csv"));
    let mut asked: HashMap<&str, Date> = HashMap::new();
    for row in subscriptions.rows.iter().filter(|row| !subscriptions.get(row, "cancel_at").is_empty()) {
        asked.insert(subscriptions.get(row, "customer"), subscriptions.day(row, "start").unwrap());
    }
    let (mut leaving, mut staying) = (Vec::new(), Vec::new());
    for row in surveys.rows.iter().filter(|row| surveys.get(row, "survey") == "nps") {
        let score = surveys.number(row, "score");
        let answered = surveys.moment(row, "answered").unwrap().date();
        match asked.get(surveys.get(row, "customer")).map(|asked| (*asked - answered).get_days()) {
            Some(0..90) => leaving.push(score),
            None => staying.push(score),
            Some(_) => {}
        }
    }
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(leaving.len() > 50 && mean(&leaving) + 2.0 < mean(&staying), "{} {}", mean(&leaving), mean(&staying));
}

#[test]
fn cards_and_prices_make_people_write() {
    let tickets = OWN.table("tickets.csv");
    let count = |category: &str, months: std::ops::Range<u32>| {
        let rows = tickets.rows.iter().filter(|row| tickets.get(row, "category") == category);
        rows.filter(|row| months.contains(&OWN.month_of(&tickets, row, "opened"))).count()
    };
    let wave = story::CARD_FAILURES.first_month;
    assert!(count("billing", wave..wave + 1) * 3 > 4 * count("billing", wave - 1..wave));
    assert_eq!(count("pricing", 1..story::PRICE_RISE.first_month), 0);
    assert!(count("pricing", story::PRICE_RISE.first_month..story::PRICE_RISE.first_month + 1) > 3);
    assert!(count("pricing", story::OLD_PRICES_END.first_month..story::OLD_PRICES_END.first_month + 1) > 3);
}

#[test]
fn referrals_tell_of_referred_customers_and_of_promoters() {
    let referrals = OWN.table("referrals.csv");
    let (channels, paid_from) = (OWN.channels(), OWN.paid_from());
    let surveys = OWN.table("surveys.csv");
    let mut promoter_since: HashMap<&str, DateTime> = HashMap::new();
    for row in &surveys.rows {
        if surveys.get(row, "survey") == "nps" && surveys.number(row, "score") >= 9.0 {
            promoter_since.entry(surveys.get(row, "customer")).or_insert(surveys.moment(row, "answered").unwrap());
        }
    }
    let mut brought = BTreeSet::new();
    for row in &referrals.rows {
        let since = promoter_since[referrals.get(row, "referrer")];
        assert!(since < referrals.moment(row, "invited").unwrap(), "{row:?}");
        let referred = referrals.get(row, "referred");
        if referred.is_empty() {
            assert_eq!(referrals.get(row, "converted"), "");
        } else {
            assert_eq!(channels[referred], "referral");
            assert_eq!(referrals.day(row, "converted"), paid_from.get(referred).copied(), "{row:?}");
            assert!(brought.insert(referred), "{referred} came twice");
        }
    }
    let by_referral = channels.values().filter(|channel| *channel == "referral").count();
    assert!(brought.len() * 10 > 9 * by_referral && brought.len() * 2 < referrals.rows.len());
}

#[test]
fn one_test_worked_and_the_other_changed_nothing() {
    let experiments = LARGE.table("experiments.csv");
    let paid_from = LARGE.paid_from();
    let mut arms: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for row in &experiments.rows {
        let arm = arms.entry(experiments.get(row, "arm")).or_default();
        arm.0 += f64::from(u8::from(paid_from.contains_key(experiments.get(row, "customer"))));
        arm.1 += 1.0;
        let control = experiments.get(row, "control") == "true";
        assert_eq!(control, ["monthly_first", "no_checklist"].contains(&experiments.get(row, "arm")));
    }
    let rate = |arm: &str| arms[arm].0 / arms[arm].1;
    assert!(rate("annual_first") > 1.2 * rate("monthly_first"), "{arms:?}");
    assert!((rate("checklist") / rate("no_checklist") - 1.0).abs() < 0.15, "{arms:?}");
}

#[test]
fn leads_go_forwards_mostly_and_large_customers_were_all_leads() {
    let (leads, customers) = (OWN.table("leads.csv"), OWN.table("customers.csv"));
    let places = ["lead", "mql", "sql", "customer"];
    let (mut backwards, mut lost) = (0, 0);
    let mut of_customers = BTreeSet::new();
    for rows in leads.by("lead").into_values() {
        let mut stages: Vec<_> = rows
            .iter()
            .filter(|row| !leads.get(row, "stage").is_empty())
            .map(|row| (leads.moment(row, "reached").unwrap(), leads.get(row, "stage")))
            .collect();
        stages.sort_unstable();
        assert_eq!(stages[0].1, "lead", "{stages:?}");
        let walked: Vec<_> =
            stages.iter().filter_map(|(_, stage)| places.iter().position(|place| place == stage)).collect();
        backwards += u32::from(!walked.is_sorted());
        lost += u32::from(stages.last().unwrap().1 == "lost");
        of_customers.extend(rows.iter().map(|row| leads.get(row, "customer")));
        let scores = rows.iter().filter(|row| !leads.get(row, "score").is_empty());
        assert!(scores.clone().all(|row| !leads.get(row, "score_reason").is_empty()));
    }
    assert!(backwards > 5 && lost > 300, "{backwards} {lost}");
    let large = customers.rows.iter().filter(|row| customers.get(row, "company_size") == "large");
    assert!(large.clone().count() > 20);
    assert!(large.clone().all(|row| of_customers.contains(customers.get(row, "customer"))));
}

#[test]
fn automations_come_to_be_loved_and_time_tracking_never() {
    let events = OWN.table("events.csv");
    let month = story::AUTOMATIONS.first_month;
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &events.rows {
        let feature = events.get(row, "feature");
        let occurred = OWN.month_of(&events, row, "occurred");
        assert!(feature != "automations" || occurred >= month);
        if occurred == month + 1 {
            users.entry(feature).or_default().insert(events.get(row, "user"));
        }
    }
    let count = |feature: &str| users[feature].len();
    let less = users.keys().filter(|feature| count(feature) < count("automations")).count();
    assert!(less >= 4, "automations are among the first");
    assert!(users.keys().all(|feature| count(feature) >= count("time_tracking")));
}

#[test]
fn gross_margin_is_that_of_software() {
    let (costs, invoices) = (OWN.table("costs.csv"), OWN.table("invoices.csv"));
    // Over a year, what is billed for it comes near what is earned in it.
    let of_second_year = |day: Option<Date>| day.is_some_and(|day| OWN.month(day) > 12);
    let cost: f64 = costs
        .rows
        .iter()
        .filter(|row| costs.get(row, "category") == "cost_of_revenue" && of_second_year(costs.day(row, "day")))
        .map(|row| costs.number(row, "amount"))
        .sum();
    let mut earned = 0.0;
    for row in &invoices.rows {
        let (from, to) = (invoices.day(row, "service_start").unwrap(), invoices.day(row, "service_end").unwrap());
        let days = f64::from((to - from).get_days());
        let inside = (from.max(jiff::civil::date(2025, 11, 1)), to.min(OWN.summary.end));
        let share = f64::from((inside.1 - inside.0).get_days().max(0)) / days;
        let rate = match invoices.get(row, "currency") {
            "EUR" => 1.085,
            "GBP" => 1.27,
            "JPY" => 0.0067,
            _ => 1.0,
        };
        earned += invoices.number(row, "amount") * rate * share;
    }
    let margin = 1.0 - cost / earned;
    assert!((0.77..0.85).contains(&margin), "{margin}");
}

#[test]
fn notes_name_the_events_on_their_days() {
    let notes = OWN.table("notes.csv");
    let titles: BTreeMap<_, _> = notes.rows.iter().map(|row| (notes.get(row, "title"), row)).collect();
    for event in story::EVENTS {
        if !event.is_known {
            assert!(!titles.contains_key(event.name));
            continue;
        }
        let row = titles[event.name];
        assert_eq!(notes.get(row, "kind"), "annotation");
        assert_eq!(notes.get(row, "body"), event.words);
        assert_eq!(OWN.month(notes.day(row, "day").unwrap()), event.first_month);
    }
    let kinds: Vec<_> = notes.by("kind").into_keys().map(str::to_owned).collect();
    assert_eq!(kinds, ["annotation", "competitor", "interview", "plan"]);
}

#[test]
fn a_company_of_tens_of_customers_has_every_file() {
    for customers in [1, 10, 90] {
        for months in [1, 3, 30] {
            let written = Written::new(Company { customers, months, facts: Facts::All, ..Company::default() });
            let signed_up = written.table("signups.csv");
            let theirs = signed_up.rows.iter().filter(|row| !signed_up.get(row, "customer").is_empty()).count();
            assert_eq!(theirs as u64, customers);
        }
    }
}
