//! Law 8 over random invoice lines, and worked examples that can be checked by hand.
//!
//! The first examples hold figures that Stripe publishes for its revenue recognition (monthly, annual, upgrade, metered,
//! refund, currency, months evenly) and one of ERPNext's tests; the others are worked out here.

use proptest::{collection::vec, prelude::*};
use revenue::{
    calendar::{Day, Grain},
    law,
    money::{parse_scaled, print_micros},
    naive,
    policy::Recognition,
    recognition::{Change, ChangeKind, Line, Position, Schedule, position, share_out, waterfall},
};

use crate::cases;

/// One line with what judges it.
#[derive(Debug, Clone)]
struct Bill {
    line: Line,
    recognition: Option<Recognition>,
    service: (Day, Day),
    changes: Vec<Change>,
}

fn bill() -> impl Strategy<Value = Bill> {
    let rate = || prop_oneof![Just((1i128, 1i128)), (1i128..2_000_000, 1i128..2_000_000)];
    let change = (0i32..500, 0u8..6, -50i64..150, rate());
    let line = (-400_000_000i64..2_000_000_000, 0i64..30, -60i32..60, rate());
    let service = (prop_oneof![Just(None), Just(Some(false)), Just(Some(true))], 0i32..2_000, 0i32..800);
    (line, service, vec(change, 0..6)).prop_map(
        |((amount, tax_percent, issued, rate), (by, start, length), changes)| {
            let start = Day::parse("2023-01-01").unwrap().plus_days(start);
            let service = (start, start.plus_days(length));
            let recognition = by.map(|months| if months { Recognition::MonthEven } else { Recognition::Day });
            let issued = start.plus_days(issued);
            let line = Line {
                issued,
                amount_micros: amount,
                tax_micros: amount * tax_percent / 100,
                rate,
                schedule: recognition.map_or(Schedule::at_once(start), |by| Schedule::over(by, start, service.1)),
            };
            let mut changes: Vec<Change> = changes
                .into_iter()
                .map(|(after, kind, percent, rate)| Change {
                    day: issued.plus_days(after - 3),
                    kind: KINDS[usize::from(kind)].1,
                    amount_micros: (line.amount_micros + line.tax_micros) * percent / 100,
                    rate,
                })
                .collect();
            changes.sort_by_key(|change| change.day);
            Bill { line, recognition, service, changes }
        },
    )
}

const KINDS: [(&str, ChangeKind); 6] = [
    ("payment", ChangeKind::Payment),
    ("refund", ChangeKind::Refund),
    ("dispute", ChangeKind::Dispute),
    ("credit_note", ChangeKind::CreditNote),
    ("void", ChangeKind::Void),
    ("write_off", ChangeKind::WriteOff),
];

impl Bill {
    fn position(&self, day: Day) -> Position {
        position(&self.line, &self.changes, day).unwrap()
    }

    /// Days on which something happens, the days around them and some between.
    fn days(&self) -> Vec<Day> {
        let schedule = &self.line.schedule;
        let known = [self.line.issued, schedule.start(), schedule.end()].into_iter();
        let known: Vec<Day> = known.chain(self.changes.iter().map(|change| change.day)).collect();
        let (first, last) = (known.iter().min().unwrap().0, known.iter().max().unwrap().0);
        let mut days: Vec<Day> = known.iter().flat_map(|day| [day.plus_days(-1), *day, day.plus_days(1)]).collect();
        days.extend((first..last).step_by(97).map(Day));
        days.sort_unstable();
        days
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Law 8 for each line and in total, on every day, and against the accounts posted day by day.
    #[test]
    fn law_8_billed_is_recognised_or_deferred(bills in vec(bill(), 1..4)) {
        let mut days: Vec<Day> = bills.iter().flat_map(Bill::days).collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            let mut total = Position::default();
            for bill in &bills {
                let found = bill.position(day);
                prop_assert_eq!(law::billed_is_recognised_or_deferred(&found), vec![]);
                total += found;
            }
            prop_assert_eq!(law::billed_is_recognised_or_deferred(&total), vec![]);
        }
        for bill in &bills {
            prop_assert_eq!(law::service_is_earned_out(&bill.line, &bill.changes).unwrap(), vec![]);
        }
    }

    /// The second implementation posts every day by itself and comes to the same accounts.
    #[test]
    fn law_8_the_closed_form_is_what_posting_each_day_gives(bill in bill()) {
        for day in bill.days() {
            let posted = naive::position(&bill.line, bill.recognition, bill.service, &bill.changes, day);
            prop_assert_eq!(Some(bill.position(day)), posted, "before {}", day);
        }
    }

    /// Periods that meet add up, and the rows of the waterfall add up to what was billed less what was taken back.
    #[test]
    fn law_8_months_and_the_waterfall_add_up(bills in vec(bill(), 1..4)) {
        let end = bills.iter().flat_map(Bill::days).max().unwrap().plus_days(40);
        let pairs = || bills.iter().map(|bill| (&bill.line, bill.changes.as_slice()));
        let mut whole = Position::default();
        for bill in &bills {
            let mut sum = Position::default();
            let mut month = Day::parse("2022-06-01").unwrap();
            while month < end {
                let next = month.next_of(Grain::Month);
                sum += bill.position(next) - bill.position(month);
                month = next;
            }
            prop_assert_eq!(sum, bill.position(month));
            whole += sum;
        }
        let cells = waterfall(pairs(), end).unwrap();
        let earned: i128 = cells.iter().map(|cell| cell.micros).sum();
        prop_assert_eq!(earned, whole.net_revenue_micros() - whole.bad_debt_micros);
    }

    #[test]
    fn shares_add_up_to_what_is_shared(amount in any::<i32>(), weights in vec(-1_000i64..1_000_000, 1..9)) {
        let shares = share_out(amount.into(), &weights).unwrap();
        prop_assert_eq!(shares.iter().sum::<i64>(), i64::from(amount));
    }
}

/// What an account of a position holds.
type Account = fn(&Position) -> i128;

/// The accounts that an example can ask for.
const ACCOUNTS: &[(&str, Account)] = &[
    ("billed", |position| position.billed_micros),
    ("revenue", |position| position.revenue_micros),
    ("net_revenue", Position::net_revenue_micros),
    ("refunds", |position| position.refunds_micros),
    ("disputes", |position| position.disputes_micros),
    ("credit_notes", |position| position.credit_notes_micros),
    ("voids", |position| position.voids_micros),
    ("bad_debt", |position| position.bad_debt_micros),
    ("recovered", |position| position.recovered_micros),
    ("deferred", |position| position.deferred_micros),
    ("unbilled", |position| position.unbilled_micros),
    ("receivable", |position| position.receivable_micros),
    ("cash", |position| position.cash_micros),
    ("tax_payable", |position| position.tax_payable_micros),
    ("exchange_gain", |position| position.exchange_gain_micros),
];

fn micros(text: &str) -> i64 {
    i64::try_from(parse_scaled(text, 6).unwrap_or_else(|| panic!("{text} is no amount"))).unwrap()
}

fn rate(text: Option<&str>) -> (i128, i128) {
    text.map_or((1, 1), |text| (parse_scaled(text, 6).unwrap(), 1_000_000))
}

/// Plays an example:
///
/// ```text
/// bill 2019-01-15 31 tax 0 rate 1 over 2019-01-15 2019-02-15      a line; `over` days, `months` or `at` a day
/// refund 2019-02-01 31 rate 1                                     of the whole bill, shared out over its lines
/// month     2019-01  2019-02                                      what each month changes in an account
/// revenue   17       14
/// ```
fn play(example: &str) {
    let day = |text: &str| Day::parse(text).unwrap_or_else(|| panic!("{text} is no day"));
    let mut lines: Vec<Line> = Vec::new();
    let mut changes: Vec<Vec<Change>> = Vec::new();
    let mut months: Vec<Day> = Vec::new();
    for row in example.lines() {
        let words: Vec<&str> = row.split_whitespace().collect();
        let after = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
        let service = |name: &str| after(name).map(|start| (day(start), day(words[words.len() - 1])));
        match words.as_slice() {
            [] => {}
            ["bill", issued, amount, ..] => {
                let schedule = match (service("over"), service("months"), after("at")) {
                    (Some((start, end)), ..) => Schedule::over(Recognition::Day, start, end),
                    (_, Some((start, end)), _) => Schedule::over(Recognition::MonthEven, start, end),
                    (.., at) => Schedule::at_once(day(at.unwrap_or(issued))),
                };
                lines.push(Line {
                    issued: day(issued),
                    amount_micros: micros(amount),
                    tax_micros: micros(after("tax").unwrap_or("0")),
                    rate: rate(after("rate")),
                    schedule,
                });
                changes.push(Vec::new());
            }
            ["month", names @ ..] => months = names.iter().map(|month| day(&format!("{month}-01"))).collect(),
            [word, on, amount, ..] if KINDS.iter().any(|(name, _)| name == word) => {
                let (_, kind) = KINDS.iter().find(|(name, _)| name == word).unwrap();
                let weights: Vec<i64> = lines.iter().map(|line| line.amount_micros + line.tax_micros).collect();
                let shares = share_out(micros(amount), &weights).unwrap();
                for (changes, share) in changes.iter_mut().zip(shares) {
                    let rate = rate(after("rate"));
                    changes.push(Change { day: day(on), kind: *kind, amount_micros: share, rate });
                }
            }
            [account, wanted @ ..] => {
                let (_, of) = ACCOUNTS.iter().find(|(name, _)| name == account).unwrap_or_else(|| panic!("{account}?"));
                let before = |day: Day| -> i128 {
                    let all = lines.iter().zip(&changes);
                    all.map(|(line, changes)| of(&position(line, changes, day).unwrap())).sum()
                };
                let found: Vec<String> = months
                    .iter()
                    .map(|month| print_micros(before(month.next_of(Grain::Month)) - before(*month), 0))
                    .collect();
                assert_eq!(found, wanted, "{account} of\n{example}");
            }
        }
    }
}

#[test]
fn a_month_from_the_middle_of_one() {
    play(
        "bill 2019-01-15 31 over 2019-01-15 2019-02-15
         payment 2019-01-15 31
         month     2019-01  2019-02  2019-03
         revenue   17       14       0
         deferred  14       -14      0
         cash      31       0        0",
    );
}

#[test]
fn a_year() {
    play(
        "bill 2019-01-01 365 over 2019-01-01 2020-01-01
         month     2019-01  2019-02  2019-03
         revenue   31       28       31
         deferred  334      -28      -31",
    );
}

/// Twenty days of 90 and ten of 120: the difference is earned in April and billed in May.
#[test]
fn an_upgrade_that_is_billed_with_the_next_bill() {
    play(
        "bill 2019-04-01 90 over 2019-04-01 2019-05-01
         bill 2019-05-01 -30 over 2019-04-21 2019-05-01
         bill 2019-05-01 40 over 2019-04-21 2019-05-01
         bill 2019-05-01 120 over 2019-05-01 2019-06-01
         month       2019-04  2019-05
         revenue     100      120
         unbilled    10       -10
         receivable  90       130
         deferred    0        0",
    );
}

#[test]
fn four_months_evenly_from_the_middle_of_one() {
    play(
        "bill 2024-06-15 120 months 2024-06-15 2024-10-13
         month     2024-06  2024-07  2024-08  2024-09  2024-10
         revenue   30       30       30       30       0
         deferred  90       -30      -30      -30      0",
    );
}

#[test]
fn three_months_evenly() {
    play(
        "bill 2021-05-01 300 months 2021-05-01 2021-08-01
         month    2021-05  2021-06  2021-07  2021-08
         revenue  100      100      100      0",
    );
}

#[test]
fn a_bill_given_back_whole_after_a_month() {
    play(
        "bill 2019-01-01 90 over 2019-01-01 2019-04-01
         payment 2019-01-01 90
         refund 2019-02-01 90
         month        2019-01  2019-02  2019-03
         revenue      31       0        0
         refunds      0        31       0
         net_revenue  31       -31      0
         deferred     59       -59      0
         cash         90       -90      0
         receivable   0        0        0",
    );
}

#[test]
fn usage_is_earned_when_it_is_used() {
    play(
        "bill 2019-02-14 15 at 2019-01-25
         bill 2019-02-14 17 at 2019-02-04
         month       2019-01  2019-02
         revenue     15       17
         unbilled    15       -15
         receivable  0        32",
    );
}

#[test]
fn a_bill_in_euros_that_is_paid_when_they_are_worth_less() {
    play(
        "bill 2019-01-01 30 rate 1.20
         payment 2019-02-01 30 rate 1.10
         month          2019-01  2019-02
         revenue        36       0
         receivable     36       -36
         cash           0        33
         exchange_gain  0        -3",
    );
}

/// A third of 90 is given back after 31 days: 31 ÷ 3 of the revenue so far, and the other 59 days earn 60 ÷ 90 each.
#[test]
fn a_part_given_back_lowers_every_day_alike() {
    play(
        "bill 2019-01-01 90 over 2019-01-01 2019-04-01
         payment 2019-01-01 90
         refund 2019-02-01 30
         month     2019-01  2019-02    2019-03
         revenue   31       18.666666  20.666667
         refunds   0        10.333333  0
         deferred  59       -38.333333 -20.666667
         cash      90       -30        0",
    );
}

/// A credit note on the first day is a discount on the whole: 120 become 90 over 90 days.
#[test]
fn a_credit_note_on_the_first_day_is_a_discount() {
    play(
        "bill 2023-01-01 120 over 2023-01-01 2023-04-01
         credit_note 2023-01-01 30
         payment 2023-02-10 90
         month         2023-01  2023-02  2023-03
         revenue       31       28       31
         credit_notes  0        0        0
         deferred      59       -28      -31
         receivable    90       -90      0
         cash          0        90       0",
    );
}

/// A credit note on a paid bill leaves the customer with a credit, which a refund then pays out: 30 were taken back once.
#[test]
fn a_refund_of_what_was_credited_pays_the_credit_out() {
    play(
        "bill 2023-01-01 90 over 2023-01-01 2023-04-01
         payment 2023-01-01 90
         credit_note 2023-02-01 90
         refund 2023-02-10 90
         month         2023-01  2023-02  2023-03
         revenue       31       0        0
         credit_notes  0        31       0
         refunds       0        0        0
         deferred      59       -59      0
         receivable    0        0        0
         cash          90       -90      0",
    );
}

#[test]
fn a_void_and_bad_debt_take_the_claim_back() {
    play(
        "bill 2019-01-01 90 over 2019-01-01 2019-04-01
         void 2019-02-01 90
         month       2019-01  2019-02
         revenue     31       0
         voids       0        31
         deferred    59       -59
         receivable  90       -90",
    );
    play(
        "bill 2019-01-01 90 over 2019-01-01 2019-04-01
         write_off 2019-04-01 90
         payment 2019-05-20 60
         month        2019-01  2019-02  2019-03  2019-04  2019-05
         revenue      31       28       31       0        0
         net_revenue  31       28       31       0        0
         bad_debt     0        0        0        90       0
         receivable   90       0        0        -90      0
         recovered    0        0        0        0        60
         cash         0        0        0        0        60",
    );
}

/// 119 with 19 tax; when it is given back after a month of three, a part of the tax is no longer owed either.
#[test]
fn tax_is_never_revenue() {
    play(
        "bill 2019-01-01 90 tax 18 over 2019-01-01 2019-04-01
         payment 2019-01-01 108
         refund 2019-02-01 54
         month        2019-01  2019-02
         billed       90       0
         revenue      31       14
         refunds      0        15.5
         deferred     59       -43.5
         tax_payable  18       -9
         cash         108      -54",
    );
}

/// The waterfall of 90 billed in January for three months and 28 billed in February for that month.
#[test]
fn the_waterfall_says_when_each_months_bills_are_earned() {
    let day = |text: &str| Day::parse(text).unwrap();
    let line = |amount: i64, start: &str, end: &str| Line {
        issued: day(start),
        amount_micros: amount * 1_000_000,
        tax_micros: 0,
        rate: (1, 1),
        schedule: Schedule::over(Recognition::Day, day(start), day(end)),
    };
    let (quarter, month) = (line(90, "2019-01-01", "2019-04-01"), line(28, "2019-02-01", "2019-03-01"));
    let lines = || [(&quarter, &[][..]), (&month, &[][..])];
    let cells = waterfall(lines(), day("2019-03-01")).unwrap();
    let found: Vec<String> =
        cells.iter().map(|cell| format!("{} {} {}", cell.billed, cell.earned, print_micros(cell.micros, 0))).collect();
    assert_eq!(
        found,
        [
            "2019-01-01 2019-01-01 31",
            "2019-01-01 2019-02-01 28",
            "2019-01-01 2019-03-01 31",
            "2019-02-01 2019-02-01 28"
        ]
    );
    // What was billed later is not known yet.
    assert_eq!(waterfall(lines(), day("2019-02-01")).unwrap().len(), 3);
}

#[test]
fn the_judges_see_what_is_wrong() {
    let good = Position {
        billed_micros: 9,
        receivable_micros: 9,
        revenue_micros: 4,
        deferred_micros: 5,
        ..Position::default()
    };
    assert_eq!(law::billed_is_recognised_or_deferred(&good), vec![]);
    for wrong in [
        Position { deferred_micros: 6, ..good },
        Position { revenue_micros: 3, ..good },
        Position { receivable_micros: 8, ..good },
        Position { cancelled_micros: 1, ..good },
    ] {
        assert_ne!(law::billed_is_recognised_or_deferred(&wrong), vec![], "{wrong:?}");
    }
}
