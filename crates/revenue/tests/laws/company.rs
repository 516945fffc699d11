//! Random companies: what their billing systems stated, and under which policy it is looked at.
//!
//! A company is decoded from bytes, and byte 0 always means the plainest choice. So proptest can make a failing
//! company smaller by making its bytes smaller, whatever they mean.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use revenue::{
    calendar::{Day, Moment, Zone},
    fact::{Offer, Reason, Status},
    fx::Rates,
    money::Currency,
    policy::{Cancellation, Discounts, Exchange, Factor, Metered, Policy, SettleWindow},
    price::{Discount, DiscountDuration, Interval, Price, Pricing, Tier},
};

/// One stated row, with everything in the source's own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    pub customer: String,
    pub subscription: String,
    pub start: Moment,
    pub end: Option<Moment>,
    pub offer: Offer,
    pub status: Status,
    pub price: Price,
    pub metered: bool,
    pub trial_end: Option<Moment>,
    pub cancel_at: Option<Moment>,
    pub cancel_requested_at: Option<Moment>,
    pub discount_end: Option<Moment>,
    pub cancel_reason: Reason,
}

/// Everything a ledger is made from.
#[derive(Debug, Clone)]
pub struct Company {
    /// The facts of each import, in the order in which the imports were recorded.
    pub imports: Vec<Vec<Fact>>,
    pub policy: Policy,
    pub zone: &'static str,
    pub reporting: Currency,
    /// Whether yen have a rate; without one their customers have no ledger.
    pub yen_have_rates: bool,
    pub revalue_until: Day,
}

impl Company {
    pub fn rates(&self) -> &'static Rates {
        if self.yen_have_rates { &RATES } else { &RATES_WITHOUT_YEN }
    }

    pub fn zone(&self) -> Zone {
        Zone::parse(self.zone).unwrap()
    }
}

pub fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

pub fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

static RATES: LazyLock<Rates> = LazyLock::new(|| rates(true));
static RATES_WITHOUT_YEN: LazyLock<Rates> = LazyLock::new(|| rates(false));

/// Rates that move every few days, some given the other way round and some only by way of a third currency.
fn rates(with_yen: bool) -> Rates {
    let mut rates = Rates::default();
    let (eur, usd, gbp, jpy) = (currency("EUR"), currency("USD"), currency("GBP"), currency("JPY"));
    for step in 0..400i32 {
        let on = day("2022-01-01").plus_days(step * 5 + step % 3);
        let sway = i128::from((step * 7919) % 101) * 1_000_000_000;
        rates.insert(eur, usd, on, 1_050_000_000_000 + sway);
        rates.insert(usd, gbp, on, 780_000_000_000 + sway / 3 + 1);
        if with_yen {
            rates.insert(eur, jpy, on, 157_123_456_789_000 + 50 * sway);
        }
    }
    rates
}

/// The bytes of a row, a subscription, a correction, the company.
type Genes<const N: usize> = [u8; N];
type SubscriptionGenes = (Genes<6>, Vec<Genes<24>>);

/// Any company.
pub fn company() -> impl Strategy<Value = Company> {
    let row = || any::<[u8; 24]>();
    let subscription = (any::<[u8; 6]>(), vec(row(), 1..=6));
    let customers = vec(vec(subscription, 1..=3), 1..=4);
    (any::<[u8; 24]>(), customers, vec(any::<[u8; 6]>(), 0..=5))
        .prop_map(|(genes, customers, corrections)| decode(&genes, &customers, &corrections))
}

/// The first so many companies of a fixed sequence.
pub fn companies(number: usize) -> impl Iterator<Item = Company> {
    let mut runner = TestRunner::deterministic();
    let any = company();
    (0..number).map(move |_| any.new_tree(&mut runner).unwrap().current())
}

/// The choice that a byte stands for, of choices with weights. Byte 0 is the first.
fn pick<T: Copy>(byte: u8, choices: &[(u32, T)]) -> T {
    let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
    let mut rest = u32::from(byte) * total / 256;
    for (weight, choice) in choices {
        if rest < *weight {
            return *choice;
        }
        rest -= weight;
    }
    choices[0].1
}

fn policy(genes: &[u8]) -> Policy {
    let plain = Policy::default();
    Policy {
        discounts: pick(genes[0], &[(4, Discounts::Recurring), (1, Discounts::All), (1, Discounts::None)]),
        trial_counts: pick(genes[1], &[(3, false), (1, true)]),
        past_due_drop_days: pick(genes[2], &[(2, None), (1, Some(1)), (2, Some(10)), (1, Some(30))]),
        unpaid_keeps: pick(genes[3], &[(3, false), (1, true)]),
        paused_keeps: pick(genes[4], &[(3, false), (1, true)]),
        cancellation: pick(genes[5], &[(1, Cancellation::AtPeriodEnd), (1, Cancellation::WhenAsked)]),
        metered: pick(
            genes[6],
            &[(1, Metered::Exclude), (1, Metered::MeanOfPeriods(1)), (2, Metered::MeanOfPeriods(3))],
        ),
        free_is_customer: pick(genes[7], &[(2, false), (1, true)]),
        reactivation_within_days: pick(genes[8], &[(2, None), (1, Some(7)), (1, Some(60))]),
        settle_window: pick(
            genes[9],
            &[
                (5, SettleWindow::BusinessDay),
                (1, SettleWindow::Minutes(1)),
                (1, SettleWindow::Minutes(60)),
                (1, SettleWindow::Minutes(1_440)),
                (1, SettleWindow::Minutes(20_000)),
            ],
        ),
        week_factor: pick(
            genes[10],
            &[
                (2, plain.week_factor),
                (1, Factor { numerator: 4, denominator: 1 }),
                (1, Factor { numerator: 433, denominator: 100 }),
            ],
        ),
        day_factor: pick(genes[11], &[(2, plain.day_factor), (1, Factor { numerator: 30, denominator: 1 })]),
        exchange: pick(
            genes[12],
            &[(2, Exchange::AtMovement), (2, Exchange::Revalue), (1, Exchange::Constant(day("2024-02-29")))],
        ),
        // Law 8 has invoice lines of its own and chooses there.
        recognition: plain.recognition,
    }
}

fn decode(genes: &[u8; 24], customers: &[Vec<SubscriptionGenes>], corrections: &[[u8; 6]]) -> Company {
    // Days on which calendars are difficult: leap days, ends of months and years, changes of the clock in Paris
    // (2024-03-31, 2024-10-27) and New York (2024-03-10, 2024-11-03).
    let base = pick(
        genes[13],
        &[
            (1, "2024-02-26"),
            (1, "2024-03-08"),
            (1, "2024-03-28"),
            (1, "2024-10-25"),
            (1, "2024-11-01"),
            (1, "2023-12-28"),
        ],
    );
    let base = day(base);
    let imports_count = 1 + usize::from(genes[17] % 4);
    let mut imports: Vec<Vec<Fact>> = vec![Vec::new(); imports_count];
    for (customer, subscriptions) in customers.iter().enumerate() {
        for (subscription, (genes, rows)) in subscriptions.iter().enumerate() {
            let (customer, subscription) = (format!("c{customer}"), format!("s{customer}{subscription}"));
            for (fact, import) in stated(base, customer, subscription, genes, rows) {
                imports[import as usize % imports_count].push(fact);
            }
        }
    }
    for genes in corrections {
        correct(&mut imports, genes, base);
    }
    Company {
        imports,
        policy: policy(genes),
        zone: pick(genes[14], &[(1, "UTC"), (2, "Europe/Paris"), (2, "America/New_York"), (1, "Asia/Kathmandu")]),
        reporting: currency(pick(genes[15], &[(2, "EUR"), (2, "USD"), (1, "JPY")])),
        yen_have_rates: pick(genes[16], &[(9, true), (1, false)]),
        revalue_until: base.plus_days(i32::from(genes[18])),
    }
}

/// A moment as a source says it: a day, or an instant around hours at which days begin somewhere.
fn moment(day: Day, clock: u8, instants: bool) -> Moment {
    if !instants {
        return Moment::Day(day);
    }
    let seconds = pick(
        clock,
        &[
            (3, 43_200),
            (2, 0),
            (1, 1),
            (1, 3_599),
            (1, 3_600),
            (1, 7_200),
            (1, 14_399),
            (1, 14_400),
            (1, 18_000),
            (1, 65_699),
            (1, 79_200),
            (1, 82_799),
            (1, 82_800),
            (1, 86_399),
        ],
    );
    Moment::Instant((i64::from(day.0) * 86_400 + seconds) * 1_000_000 + i64::from(clock % 3))
}

/// The rows of one subscription item, each with the import that states it.
fn stated(base: Day, customer: String, subscription: String, genes: &[u8; 6], rows: &[[u8; 24]]) -> Vec<(Fact, u8)> {
    let instants = genes[0] % 2 == 1;
    let usage = pick(genes[1], &[(5, false), (1, true)]);
    let home = pick(genes[2], &[(4, "EUR"), (3, "USD"), (1, "GBP"), (1, "JPY")]);
    let mut at = base.plus_days(i32::from(genes[3] % 40));
    let mut facts: Vec<(Fact, u8)> = Vec::new();
    for genes in rows {
        let previous = facts.last().map(|(fact, _)| fact.clone());
        let follows = pick(genes[0], &[(8, 0), (2, 1), (1, 2), (2, 3), (1, 4)]);
        let start = match (follows, &previous) {
            // Right after the row before, to the microsecond.
            (0, Some(Fact { end: Some(end), .. })) => *end,
            // After a gap.
            (1, Some(_)) => {
                at = at.plus_days(i32::from(genes[1] % 80));
                moment(at, genes[2], instants)
            }
            // While the row before still holds.
            (2, Some(_)) => {
                at = at.plus_days(-i32::from(genes[1] % 25));
                moment(at, genes[2], instants)
            }
            // Later on the day on which the row before began.
            (3, Some(before)) => match before.start {
                Moment::Instant(micros) => {
                    Moment::Instant(micros + 60_000_000 * i64::from(genes[1]) * i64::from(genes[2] % 8))
                }
                before => before,
            },
            // At the same time: another version, or a conflict if the import is the same.
            (4, Some(before)) => before.start,
            _ => moment(at, genes[2], instants),
        };
        at = match start {
            Moment::Day(day) => day,
            Moment::Instant(micros) => Zone::utc().day_of_instant(micros),
        };
        let end = match pick(genes[3], &[(5, 0), (4, 1), (3, 2), (1, 3), (2, 4)]) {
            0 => Some(at.plus_months(1)),
            1 => Some(at.plus_days(1 + i32::from(genes[4] % 60))),
            2 => Some(at.plus_months(i32::from(genes[4] % 7))),
            3 => Some(at),
            _ => None,
        };
        at = end.unwrap_or(at.plus_days(i32::from(genes[4] % 50)));
        let end = end.map(|day| moment(day, genes[5], instants).max(start));
        let mut fact = Fact {
            customer: customer.clone(),
            subscription: subscription.clone(),
            start,
            end,
            ..terms(base, genes, usage, home, start)
        };
        if let Some(before) = previous {
            match pick(genes[6], &[(5, 0), (3, 1), (2, 2), (1, 3), (1, 4)]) {
                0 => {}
                // The state of the row before goes on: as it is, or in one respect different.
                1 => fact = Fact { start, end, ..before },
                2 => {
                    fact.offer.interval = before.offer.interval;
                    fact.offer.interval_count = before.offer.interval_count;
                    fact.offer.currency = before.offer.currency;
                    fact = Fact { start, end, offer: fact.offer, ..before };
                }
                3 => {
                    fact = Fact { start, end, ..before };
                    fact.price.quantity += 1;
                }
                _ => {
                    fact = Fact { start, end, ..before };
                    fact.price.amount_picos += 1_000_000_000_000;
                }
            }
        }
        facts.push((fact, genes[7]));
    }
    facts
}

/// What a row states besides who and when.
fn terms(base: Day, genes: &[u8; 24], usage: bool, home: &str, start: Moment) -> Fact {
    let instants = matches!(start, Moment::Instant(_));
    let first = match start {
        Moment::Day(day) => day,
        Moment::Instant(micros) => Zone::utc().day_of_instant(micros),
    };
    let picos = |thousandths: i64| i128::from(thousandths) * 1_000_000_000;
    let plan = pick(genes[8], &[(3, "basic"), (2, "pro"), (1, "seats"), (1, "")]);
    let interval = pick(
        genes[9],
        &[
            (6, (Interval::Month, 1)),
            (2, (Interval::Year, 1)),
            (1, (Interval::Quarter, 1)),
            (1, (Interval::Month, 6)),
            (1, (Interval::Week, 1)),
            (1, (Interval::Week, 2)),
            (1, (Interval::Day, 1)),
            (1, (Interval::Day, 10)),
            (1, (Interval::Year, 3)),
            (1, (Interval::OneOff, 1)),
        ],
    );
    let tiers = || {
        vec![
            Tier { up_to: Some(2), unit_picos: picos(5_000), flat_picos: picos(1_000) },
            Tier { up_to: Some(5), unit_picos: picos(4_000), flat_picos: 0 },
            Tier { up_to: None, unit_picos: picos(3_333), flat_picos: picos(500) },
        ]
    };
    let pricing = match pick(genes[10], &[(6, 0), (1, 1), (1, 2), (1, 3), (1, 4)]) {
        0 => Pricing::PerUnit,
        1 => Pricing::Flat,
        2 => Pricing::Package { size: 3 },
        3 => Pricing::Graduated(tiers()),
        _ => Pricing::Volume(tiers()),
    };
    let amount =
        pick(genes[11], &[(3, 10_000), (2, 20_000), (2, 0), (1, 120_000), (1, 18_290), (1, 9_999), (1, 30_000_001)]);
    let quantity = pick(genes[12], &[(4, 1), (2, 2), (1, 7), (1, 0)]);
    let duration = pick(
        genes[14],
        &[
            (2, DiscountDuration::Forever),
            (1, DiscountDuration::Repeating),
            (1, DiscountDuration::Once),
            (1, DiscountDuration::Months(1)),
            (1, DiscountDuration::Months(3)),
        ],
    );
    let discount = pick(
        genes[13],
        &[
            (6, None),
            (2, Some((20_000_000, 0))),
            (1, Some((100_000_000, 0))),
            (1, Some((0, 3_000))),
            (1, Some((33_333_333, 1_000))),
        ],
    )
    .map(|(percent_millionths, amount)| Discount { percent_millionths, amount_picos: picos(amount), duration });
    let status = pick(
        genes[15],
        &[
            (8, Status::Active),
            (2, Status::Trialing),
            (2, Status::PastDue),
            (1, Status::Unpaid),
            (1, Status::Paused),
            (1, Status::Canceled),
            (1, Status::Incomplete),
            (1, Status::IncompleteExpired),
        ],
    );
    let later = |choice: u8, byte: u8| match choice {
        0 => None,
        1 => Some(moment(first.plus_days(i32::from(byte % 40)), byte, instants)),
        _ => Some(moment(base.plus_days(i32::from(byte)), byte, instants)),
    };
    let currency = currency(pick(genes[16], &[(9, home), (1, "EUR"), (1, "USD")]));
    Fact {
        customer: String::new(),
        subscription: String::new(),
        start,
        end: None,
        offer: Offer {
            plan: plan.to_owned(),
            product: if plan == "seats" { "seats" } else { "" }.to_owned(),
            interval: interval.0,
            interval_count: interval.1,
            currency,
        },
        status,
        price: Price {
            amount_picos: picos(amount),
            quantity,
            pricing,
            interval: interval.0,
            interval_count: interval.1,
            discount,
        },
        metered: usage != pick(genes[17], &[(14, false), (1, true)]),
        trial_end: later(pick(genes[18], &[(6, 0), (2, 1), (1, 2)]), genes[19]),
        cancel_at: later(pick(genes[20], &[(7, 0), (3, 1), (1, 2)]), genes[21]),
        cancel_requested_at: later(pick(genes[22], &[(6, 0), (2, 1), (1, 2)]), genes[23]),
        discount_end: discount.and_then(|_| later(pick(genes[7], &[(4, 0), (1, 1), (1, 2)]), genes[5])),
        cancel_reason: pick(genes[23], &[(2, Reason::Unknown), (1, Reason::AskedFor), (1, Reason::FailedPayment)]),
    }
}

impl Company {
    /// The imports, and after them one for each change of a subscription, as a billing system tells of them: the state before
    /// ended, and another began, mostly within the same day.
    pub fn with_changes(&self, changes: &[[u8; 4]]) -> Vec<Vec<Fact>> {
        let mut imports = self.imports.clone();
        let zone = self.zone();
        for [which, what, when, repeats] in changes {
            let mut all: Vec<&Fact> = imports.iter().flatten().collect();
            all.sort_by_key(|fact| (&fact.customer, &fact.subscription, zone.instant_of(fact.start)));
            let lasts =
                all.chunk_by(|one, other| (&one.customer, &one.subscription) == (&other.customer, &other.subscription));
            // Of versions of one state the latest import's stands last.
            let lasts: Vec<&Fact> = lasts.filter_map(|versions| versions.last().copied()).collect();
            let Some(before) = lasts.get(usize::from(*which) % lasts.len().max(1)).map(|fact| (*fact).clone()) else {
                break;
            };
            let minutes = i64::from(*when) * if *when < 200 { 1 } else { 3 };
            let start = Moment::Instant(zone.instant_of(before.start) + minutes * 60_000_000);
            let mut next = Fact { start, end: None, cancel_reason: Reason::Unknown, ..before.clone() };
            let mut ended = Fact { end: Some(start), ..before.clone() };
            match pick(*what, &[(12, 0), (2, 1), (2, 2), (2, 3), (2, 4), (1, 5), (1, 6), (1, 7)]) {
                0 => next.price.quantity += 1,
                1 => (next.status, next.cancel_reason) = (Status::Canceled, Reason::AskedFor),
                2 => next.status = Status::PastDue,
                3 => (next.status, next.cancel_at) = (Status::Active, None),
                4 => next.cancel_at = Some(Moment::Instant(zone.instant_of(start) + 2_592_000_000_000)),
                5 => ended.cancel_reason = Reason::FailedPayment,
                6 => next.status = Status::Withdrawn,
                // A state of long ago is corrected.
                _ => {
                    let first = all.iter().find(|fact| fact.subscription == before.subscription);
                    next = first.map_or(next, |first| Fact { end: None, ..(*first).clone() });
                }
            }
            imports.push(vec![ended, next]);
            if *repeats > 220 {
                let again = imports.last().cloned();
                imports.extend(again);
            }
        }
        imports
    }
}

/// States a fact again: as it was, corrected, or taken back; now or in a later import.
fn correct(imports: &mut Vec<Vec<Fact>>, genes: &[u8; 6], base: Day) {
    let all: Vec<Fact> = imports.iter().flatten().cloned().collect();
    let Some(mut fact) = all.get(usize::from(genes[0]) % all.len().max(1)).cloned() else { return };
    match pick(genes[1], &[(2, 0), (2, 1), (1, 2), (2, 3), (1, 4), (1, 5)]) {
        0 => {}
        1 => fact.price.amount_picos += 1_000_000_000_000 * i128::from(genes[2]),
        2 => fact.price.quantity += 1,
        3 => fact.status = Status::Withdrawn,
        4 => fact.end = Some(Moment::Day(base.plus_days(i32::from(genes[3]) * 2))),
        _ => fact.status = Status::Canceled,
    }
    let import = usize::from(genes[4]) % (imports.len() + 1);
    if import == imports.len() {
        imports.push(Vec::new());
    }
    imports[import].push(fact);
}
