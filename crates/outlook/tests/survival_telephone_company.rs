//! The survival of the customers of a telephone company, month by month and contract by contract, as others computed it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]

use outlook::survival::{Curve, Life, kaplan_meier};

const TABLE: &str = include_str!("survival_telephone_company.txt");

/// A row of the table: a month, how many were at risk in it, how many ended, and the published survival after it.
struct Month {
    time: u32,
    at_risk: u64,
    ended: u64,
    survival: f64,
}

fn table(contract: &str) -> Vec<Month> {
    let rows = TABLE.lines().filter(|line| line.split_whitespace().next() == Some(contract));
    rows.map(|line| {
        let cells: Vec<&str> = line.split_whitespace().filter(|cell| *cell != "|").collect();
        let [_, time, at_risk, ended, survival] = cells[..] else {
            panic!("contract month at_risk ended survival: {line}")
        };
        let count = |cell: &str| cell.parse().expect("a count");
        let time = u32::try_from(count(time)).expect("a month");
        Month { time, at_risk: count(at_risk), ended: count(ended), survival: survival.parse().expect("a share") }
    })
    .collect()
}

/// The lives behind a table: who is no longer at risk in the next month and did not end was last seen in this one.
fn curve(table: &[Month]) -> Curve {
    let mut lives = Vec::new();
    for (place, month) in table.iter().enumerate() {
        let next = table.get(place + 1).map_or(0, |next| next.at_risk);
        let mut add = |count: u64, ended: bool| {
            lives.extend((0..count).map(|_| Life { time: month.time, ended }));
        };
        add(month.ended, true);
        add(month.at_risk - month.ended - next, false);
    }
    kaplan_meier(&lives, 0.95)
}

#[test]
fn the_published_curves_are_met_at_every_month() {
    for contract in ["all", "month-to-month", "one-year", "two-year"] {
        let table = table(contract);
        assert_eq!(table.len(), 72, "{contract}");
        let curve = curve(&table);
        for month in &table {
            let step = curve.at(month.time).expect("a step in each month");
            // A month in which nobody ended or was last seen has no step of its own, and says how many there were before.
            assert!(step.time != month.time || step.at_risk == month.at_risk, "{contract}, month {}", month.time);
            let found = curve.survival(month.time);
            assert!((found - month.survival).abs() < 5e-9, "{contract}, month {}: {found}", month.time);
        }
    }
}

#[test]
fn half_of_the_monthly_contracts_end_within_35_months() {
    assert_eq!(curve(&table("month-to-month")).median(), Some(35));
    for contract in ["all", "one-year", "two-year"] {
        assert_eq!(curve(&table(contract)).median(), None, "{contract}");
    }
}
