//! What the laws and the reference evaluator found in the kernel, each made small enough to check by hand.

use revenue::{
    calendar::Moment,
    fact::{Offer, Reason, Status},
    law, naive,
    policy::{Cancellation, Exchange, Metered, Policy, SettleWindow},
    price::{Interval, Price, Pricing},
};

use crate::{
    books::Books,
    company::{Company, Fact, currency, day},
};

/// `2024-03-01`, or `2024-03-01 15:00` UTC.
fn moment(text: &str) -> Moment {
    match text.split_once(' ') {
        None => Moment::Day(day(text)),
        Some((date, clock)) => {
            let (hour, minute) = clock.split_once(':').unwrap();
            let minutes =
                i64::from(day(date).0) * 1_440 + hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap();
            Moment::Instant(minutes * 60_000_000)
        }
    }
}

/// An active row of customer `c`: so many euros a month, from a start to an end (empty: still going).
fn row(subscription: &str, start: &str, end: &str, euros: i128) -> Fact {
    Fact {
        customer: "c".to_owned(),
        subscription: subscription.to_owned(),
        start: moment(start),
        end: (!end.is_empty()).then(|| moment(end)),
        offer: Offer {
            plan: "basic".to_owned(),
            product: String::new(),
            interval: Interval::Month,
            interval_count: 1,
            currency: currency("EUR"),
        },
        status: Status::Active,
        price: Price {
            amount_picos: euros * 1_000_000_000_000,
            quantity: 1,
            pricing: Pricing::PerUnit,
            interval: Interval::Month,
            interval_count: 1,
            discount: None,
        },
        metered: false,
        trial_end: None,
        cancel_at: None,
        cancel_requested_at: None,
        discount_end: None,
        cancel_reason: Reason::Unknown,
    }
}

fn usage(start: &str, end: &str, euros: i128) -> Fact {
    Fact { metered: true, ..row("usage", start, end, euros) }
}

fn company(policy: Policy, reporting: &str, facts: Vec<Fact>) -> Company {
    Company {
        imports: vec![facts],
        policy,
        zone: "UTC",
        reporting: currency(reporting),
        yen_have_rates: true,
        revalue_until: day("2024-12-31"),
    }
}

/// The ledger in the field's notation, one movement a line: day, subscription, kind, micro-units.
fn ledger(company: &Company) -> Vec<String> {
    let books = Books::of(company);
    let share = books.build();
    assert_eq!(naive::agrees(&share.ledger, &books.judge()), vec![]);
    assert_eq!(law::movements_add_up(&share.ledger), vec![]);
    let lines = books.lines(&share.ledger).into_iter();
    lines.map(|l| format!("{} {} {} {}", l.day, l.subscription, l.kind.name(), l.delta_micros)).collect()
}

#[test]
fn two_changes_on_one_day_are_not_two_versions_of_one_row() {
    // The key of a row was its subscription and its business day, so the greater price won, not the later.
    let facts = vec![
        row("s", "2024-03-01", "2024-03-05 10:00", 10),
        row("s", "2024-03-05 10:00", "2024-03-05 15:00", 90),
        row("s", "2024-03-05 15:00", "", 30),
    ];
    let company = company(Policy::default(), "EUR", facts);
    assert_eq!(ledger(&company), ["2024-03-01 s new 10000000", "2024-03-05 s expansion 20000000"]);
    assert!(Books::of(&company).build().conflicts.is_empty());
}

#[test]
fn a_row_that_says_the_same_again_is_not_valued_anew() {
    let policy = Policy { exchange: Exchange::Revalue, ..Policy::default() };
    let whole = vec![row("s", "2024-03-01", "2024-06-10", 10)];
    let parts = vec![
        row("s", "2024-03-01", "2024-03-10", 10),
        row("s", "2024-03-10", "2024-03-31", 10),
        row("s", "2024-03-31", "2024-06-10", 10),
    ];
    let whole = ledger(&company(policy.clone(), "USD", whole));
    assert_eq!(ledger(&company(policy, "USD", parts)), whole);
    let days: Vec<&str> = whole.iter().map(|line| &line[..10]).collect();
    assert_eq!(days, ["2024-03-01", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-10", "2024-06-10"]);
}

#[test]
fn a_row_that_says_the_same_again_opens_no_window() {
    let policy = Policy { settle_window: SettleWindow::Minutes(60), ..Policy::default() };
    let facts = vec![
        row("s", "2024-03-01 00:00", "2024-03-10 23:30", 10),
        row("s", "2024-03-10 23:30", "2024-03-11 00:10", 10),
        row("s", "2024-03-11 00:10", "2024-03-11 00:50", 20),
        row("s", "2024-03-11 00:50", "", 5),
    ];
    // The first change is at ten past midnight; it and the one 40 minutes later are one, of the 11th.
    let expected = ["2024-03-01 s new 10000000", "2024-03-11 s contraction -5000000"];
    assert_eq!(ledger(&company(policy, "EUR", facts)), expected);
}

#[test]
fn what_comes_and_goes_within_a_window_leaves_nothing() {
    // Across the end of a month the part was valued anew within its window and left a transfer behind.
    let policy =
        Policy { settle_window: SettleWindow::Minutes(20_000), exchange: Exchange::Revalue, ..Policy::default() };
    let come_and_gone = vec![row("s", "2024-03-28 10:00", "2024-04-03 10:00", 10)];
    assert_eq!(ledger(&company(policy, "USD", come_and_gone)), Vec::<String>::new());
}

#[test]
fn a_free_customer_who_comes_goes_and_comes_within_a_window_is_there() {
    let policy = Policy { settle_window: SettleWindow::Minutes(60), free_is_customer: true, ..Policy::default() };
    let facts = vec![row("s", "2024-03-01 10:00", "2024-03-01 10:20", 0), row("s", "2024-03-01 10:40", "", 0)];
    assert_eq!(ledger(&company(policy, "EUR", facts)), ["2024-03-01 s new 0"]);
}

#[test]
fn a_free_customer_may_return() {
    // Law 1 took a return for a breach when no money had been paid before.
    let policy = Policy { free_is_customer: true, ..Policy::default() };
    let facts = vec![row("s", "2024-03-01", "2024-03-10", 0), row("s", "2024-04-01", "", 10)];
    let expected = ["2024-03-01 s new 0", "2024-03-10 s churn 0", "2024-04-01 s reactivation 10000000"];
    assert_eq!(ledger(&company(policy, "EUR", facts)), expected);
}

#[test]
fn an_announced_end_that_is_stated_again_was_asked_for_when_it_was_stated_first() {
    let policy = Policy { cancellation: Cancellation::WhenAsked, ..Policy::default() };
    let announced = |start, end| Fact { cancel_at: Some(moment("2024-06-01")), ..row("s", start, end, 10) };
    // Known from the first row on: nobody knows when it was asked for, and stating it again does not tell.
    let from_the_start = vec![announced("2024-03-01", "2024-04-01"), announced("2024-04-01", "")];
    let expected = ["2024-03-01 s new 10000000", "2024-06-01 s churn -10000000"];
    assert_eq!(ledger(&company(policy.clone(), "EUR", from_the_start)), expected);
    // First stated in April.
    let later = vec![
        row("s", "2024-03-01", "2024-04-01", 10),
        announced("2024-04-01", "2024-05-01"),
        announced("2024-05-01", ""),
    ];
    let expected = ["2024-03-01 s new 10000000", "2024-04-01 s churn -10000000"];
    assert_eq!(ledger(&company(policy, "EUR", later)), expected);
}

#[test]
fn usage_counts_while_the_item_is_used_and_paid_for() {
    let policy = Policy { metered: Metered::MeanOfPeriods(2), ..Policy::default() };
    let of = |facts: Vec<Fact>| ledger(&company(policy.clone(), "EUR", facts));
    // 10 from the first bill on; (10 + 20) ÷ 2 from the second; nothing one period after the last.
    assert_eq!(
        of(vec![usage("2024-03-01", "2024-03-31", 10), usage("2024-03-31", "2024-04-30", 20)]),
        ["2024-03-31 usage new 10000000", "2024-04-30 usage expansion 5000000", "2024-05-30 usage churn -15000000"]
    );
    // A year without bills is not a year of usage.
    assert_eq!(
        of(vec![usage("2023-03-01", "2023-03-31", 10), usage("2024-03-01", "2024-03-31", 10)]),
        [
            "2023-03-31 usage new 10000000",
            "2023-04-30 usage churn -10000000",
            "2024-03-31 usage reactivation 10000000",
            "2024-04-30 usage churn -10000000"
        ]
    );
    // Usage in a trial is not paid for.
    let tried = Fact { status: Status::Trialing, ..usage("2024-03-01", "2024-03-31", 10) };
    assert_eq!(
        of(vec![tried, usage("2024-03-31", "2024-04-30", 20)]),
        ["2024-04-30 usage new 20000000", "2024-05-30 usage churn -20000000"]
    );
    // After a cancellation there is none: whether announced, or stated as the next row.
    let cancelled = Fact { cancel_at: Some(moment("2024-04-30")), ..usage("2024-03-31", "2024-04-30", 20) };
    assert_eq!(
        of(vec![usage("2024-03-01", "2024-03-31", 10), cancelled]),
        ["2024-03-31 usage new 10000000", "2024-04-30 usage churn -10000000"]
    );
    let gone = Fact { status: Status::Canceled, ..usage("2024-04-10", "", 10) };
    assert_eq!(
        of(vec![usage("2024-03-01", "2024-03-31", 10), gone]),
        ["2024-03-31 usage new 10000000", "2024-04-10 usage churn -10000000"]
    );
    // Where two bills claim the same days, the days are counted once.
    assert_eq!(
        of(vec![
            usage("2024-03-01", "2024-03-31", 10),
            usage("2024-03-31", "2024-05-30", 10),
            usage("2024-04-30", "2024-05-30", 10)
        ]),
        ["2024-03-31 usage new 10000000", "2024-06-29 usage churn -10000000"]
    );
}

#[test]
fn windows_on_one_day_stay_in_order_of_time() {
    let policy = Policy { settle_window: SettleWindow::Minutes(10), ..Policy::default() };
    let facts = vec![row("b", "2024-03-01 10:00", "2024-03-01 11:00", 10), row("a", "2024-03-01 12:00", "", 20)];
    assert_eq!(
        ledger(&company(policy, "EUR", facts)),
        ["2024-03-01 b new 10000000", "2024-03-01 b churn -10000000", "2024-03-01 a reactivation 20000000"]
    );
}
