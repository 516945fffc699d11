//! A check that cannot fail is a defect: ledgers that are wrong on purpose, and the law that says so.

use revenue::{
    calendar::{Day, Grain},
    cohort::{Cell, cohorts_add_up, triangle},
    law,
    ledger::Ledger,
    movement::Kind,
    naive,
};

use crate::{
    books::Books,
    company::{companies, currency},
};

/// A way to be wrong: what it does, how, and whether laws 1 and 2 can see it without the reference evaluator.
type Wrong = (&'static str, fn(&mut Ledger), bool);

fn rename(ledger: &mut Ledger, from: Kind, to: Kind) {
    for kind in ledger.kind.iter_mut().filter(|kind| **kind == from) {
        *kind = to;
    }
}

/// The last row for which something is so.
fn last_row(ledger: &Ledger, wanted: impl Fn(&Ledger, usize) -> bool) -> Option<usize> {
    (0..ledger.rows()).rev().find(|row| wanted(ledger, *row))
}

const WRONG: &[Wrong] = &[
    (
        "expansion and contraction are swapped",
        |ledger| {
            for kind in &mut ledger.kind {
                *kind = match *kind {
                    Kind::Expansion => Kind::Contraction,
                    Kind::Contraction => Kind::Expansion,
                    other => other,
                };
            }
        },
        true,
    ),
    ("a return is new", |ledger| rename(ledger, Kind::Reactivation, Kind::New), false),
    ("the first payment is a return", |ledger| rename(ledger, Kind::New, Kind::Reactivation), true),
    ("who leaves only pays less", |ledger| rename(ledger, Kind::Churn, Kind::Contraction), false),
    ("who pays less has left", |ledger| rename(ledger, Kind::Contraction, Kind::Churn), true),
    ("a transfer is an expansion", |ledger| rename(ledger, Kind::Transfer, Kind::Expansion), true),
    ("rates make expansions", |ledger| rename(ledger, Kind::Fx, Kind::Expansion), true),
    (
        "a switch of plans is a churn and a new",
        |ledger| {
            for row in 1..ledger.rows() {
                let pair =
                    (ledger.day[row - 1], ledger.subscription[row - 1]) == (ledger.day[row], ledger.subscription[row]);
                let kinds = [Kind::Expansion, Kind::Contraction, Kind::Transfer];
                if pair && kinds.contains(&ledger.kind[row]) && kinds.contains(&ledger.kind[row - 1]) {
                    for row in [row - 1, row] {
                        ledger.kind[row] = if ledger.delta_micros[row] < 0 { Kind::Churn } else { Kind::New };
                    }
                }
            }
        },
        false,
    ),
    (
        "the last churn takes a micro-unit too few",
        |ledger| {
            if let Some(row) = last_row(ledger, |ledger, row| ledger.kind[row] == Kind::Churn) {
                ledger.delta_micros[row] += 1;
            }
        },
        true,
    ),
    (
        "the first movement has the wrong sign",
        |ledger| {
            if let Some(delta) = ledger.delta_micros.first_mut() {
                *delta = -*delta;
            }
        },
        true,
    ),
    (
        "the first movement is a day late",
        |ledger| {
            if let Some(day) = ledger.day.first_mut() {
                *day += 1;
            }
        },
        true,
    ),
    (
        "the last row is under another subscription",
        |ledger| {
            if let Some(subscription) = ledger.subscription.last_mut() {
                *subscription += 1;
            }
        },
        false,
    ),
    (
        "what ends is taken from another plan",
        |ledger| {
            let last = last_row(ledger, |ledger, row| ledger.delta_micros[row] < 0);
            if let Some(row) = last {
                ledger.offer[row] =
                    ledger.offer.iter().copied().find(|offer| *offer != ledger.offer[row]).unwrap_or(ledger.offer[row]);
            }
        },
        true,
    ),
    (
        "a customer's rows are another's",
        |ledger| {
            let count = ledger.offsets.len();
            if count > 2 && ledger.offsets[count - 2] > ledger.offsets[count - 3] {
                ledger.offsets[count - 2] -= 1;
            }
        },
        true,
    ),
    (
        "a movement comes twice",
        |ledger| {
            if let Some(last) = ledger.rows().checked_sub(1).and_then(|row| ledger.movement(row)) {
                ledger.offsets.pop();
                let from = ledger.offsets.last().copied().unwrap_or_default() as usize;
                let mut own: Vec<_> = (from..ledger.rows()).filter_map(|row| ledger.movement(row)).collect();
                own.push(last);
                for row in (from..ledger.rows()).rev() {
                    ledger.day.remove(row);
                    ledger.subscription.remove(row);
                    ledger.offer.remove(row);
                    ledger.fact.remove(row);
                    ledger.delta_micros.remove(row);
                    ledger.kind.remove(row);
                    ledger.cause.remove(row);
                    ledger.reason.remove(row);
                    ledger.confidence.remove(row);
                }
                ledger.push_customer(&own);
            }
        },
        true,
    ),
];

#[test]
fn every_wrong_ledger_breaks_a_law() {
    for (words, mutate, laws_see_it) in WRONG {
        let (mut tried, mut seen_by_laws) = (0, 0);
        for company in companies(300) {
            let books = Books::of(&company);
            let right = books.build().ledger;
            let mut wrong = right.clone();
            mutate(&mut wrong);
            if wrong == right {
                continue;
            }
            tried += 1;
            assert_ne!(
                naive::agrees(&wrong, &books.judge()),
                vec![],
                "{words}: the reference evaluator does not see it"
            );
            let mut breaches = law::movements_add_up(&wrong);
            breaches.extend(law::segments_add_up(&wrong, &books.offers, Day::LATEST.0));
            seen_by_laws += usize::from(!breaches.is_empty());
        }
        assert!(tried >= 20, "{words}: tried on {tried} companies only");
        assert!(seen_by_laws > 0 || !laws_see_it, "{words}: laws 1 and 2 see it in none of {tried} companies");
    }
}

/// A way to count cohorts wrongly.
type WrongCells = (&'static str, fn(&mut Vec<Cell>));

const WRONG_CELLS: &[WrongCells] = &[
    ("a customer too many is left", |cells| {
        if let Some(cell) = cells.last_mut() {
            cell.customers = cell.size_customers + 1;
        }
    }),
    ("a customer too few is left", |cells| {
        if let Some(cell) = cells.iter_mut().find(|cell| cell.customers > 0) {
            cell.customers -= 1;
        }
    }),
    ("a micro-unit is missing", |cells| {
        if let Some(cell) = cells.last_mut() {
            cell.micros -= 1;
        }
    }),
    ("somebody is in two cohorts", |cells| {
        if let Some(cell) = cells.iter_mut().find(|cell| cell.age == 0) {
            cell.size_customers += 1;
        }
    }),
    ("the first payments are a micro-unit larger", |cells| {
        if let Some(cell) = cells.iter_mut().find(|cell| cell.age == 0) {
            cell.size_micros += 1;
        }
    }),
    ("the last age is left out", |cells| {
        if let Some(last) = cells.iter().rposition(|cell| cell.customers > 0) {
            cells.remove(last);
        }
    }),
    ("ages are one too high", |cells| cells.iter_mut().for_each(|cell| cell.age += 1)),
    ("a cohort is one period late", |cells| {
        if let Some(cell) = cells.iter_mut().find(|cell| cell.customers > 0) {
            cell.cohort = cell.cohort.next_of(Grain::Month);
        }
    }),
];

#[test]
fn every_wrong_triangle_breaks_law_6() {
    for (words, mutate) in WRONG_CELLS {
        let mut tried = 0;
        for company in companies(60) {
            let ledger = Books::of(&company).build().ledger;
            let Some(first) = ledger.day.iter().min().copied() else { continue };
            let through = Day(first + 200);
            let right = triangle(&ledger, Grain::Month, Day(first), through, |_| Some(0));
            let mut wrong = right.clone();
            mutate(&mut wrong);
            if wrong != right {
                tried += 1;
                assert_ne!(cohorts_add_up(&ledger, &wrong, Grain::Month, through), vec![], "{words}");
            }
        }
        assert!(tried >= 20, "{words}: tried on {tried} companies only");
    }
}

#[test]
fn a_lost_micro_unit_and_a_lost_currency_break_law_7() {
    let (eur, usd) = (currency("EUR"), currency("USD"));
    let stated = [(eur, 10_000_000), (usd, 5_000_000)];
    assert_eq!(law::currencies_are_conserved(&stated, &stated), vec![]);
    for booked in [vec![(eur, 9_999_999), (usd, 5_000_000)], vec![(eur, 10_000_000)], vec![(usd, 15_000_000)]] {
        assert_ne!(law::currencies_are_conserved(&stated, &booked), vec![], "{booked:?}");
    }
}
