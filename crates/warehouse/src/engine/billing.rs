//! Measures that come from contracts, invoice lines and payments instead of the ledger.

use std::collections::{BTreeMap, HashMap};

use num_rational::BigRational;
use revenue::{
    calendar::{Day, Moment},
    money::{Currency, MICROS, to_micros},
    policy::Recognition,
    recognition::{Change, ChangeKind, Line, Position, Schedule, position},
};

use super::{EngineError, cube::Days, rounded, segment::Segmentation};
use crate::{
    books::{Books, BooksError, Decimals, Moments, Texts},
    catalogue::Value,
};

/// Measures by name, window and segment; money in micro-units.
#[derive(Default)]
pub struct Billing {
    sums: HashMap<(&'static str, Days, usize), i128>,
    computed: Vec<&'static str>,
}

const CONTRACT_MEASURES: &[&str] = &[
    "contracts_live",
    "contract_annual_value",
    "contracts_due",
    "contracts_renewed",
    "contract_value_due",
    "contract_value_renewed",
];
const COUNTS: &[&str] = &["contracts_live", "contracts_due", "contracts_renewed"];
const INVOICE_MEASURES: &[&str] = &["revenue_recognised", "revenue_deferred_closing"];
const PAYMENT_MEASURES: &[&str] = &["cash_received"];

/// A contract may be signed again some days late; within these it still counts as renewed.
const RENEWAL_GRACE_DAYS: i32 = 30;

/// What one row of a kind of facts states.
pub(super) struct Stated {
    pub(super) texts: Vec<Option<String>>,
    pub(super) picos: Vec<Option<i128>>,
    pub(super) moments: Vec<Option<Moment>>,
}

impl Billing {
    /// Computes the measures that `uses` asks for.
    pub fn new(
        books: &Books,
        segmentation: &Segmentation,
        windows: &[Days],
        uses: &dyn Fn(&[&str]) -> bool,
    ) -> Result<Self, EngineError> {
        let mut billing = Billing::default();
        let mut windows = windows.to_vec();
        windows.sort_unstable();
        windows.dedup();
        if uses(CONTRACT_MEASURES) {
            billing.contracts(books, segmentation, &windows)?;
        }
        if uses(INVOICE_MEASURES) {
            billing.invoice_lines(books, segmentation, &windows)?;
        }
        if uses(PAYMENT_MEASURES) {
            billing.payments(books, segmentation, &windows)?;
        }
        Ok(billing)
    }

    /// A measure, if it is one of these.
    pub fn measure(&self, id: &str, days: Days, segment: usize) -> Option<Value> {
        let name = self.computed.iter().find(|name| **name == id)?;
        let sum = self.sums.get(&(*name, days, segment)).copied().unwrap_or(0);
        let divisor = if COUNTS.contains(name) { 1 } else { MICROS };
        Some(Value::Number(BigRational::new(sum.into(), divisor.into())))
    }

    /// Whether anything was seen in a segment.
    pub fn has_anything(&self, segment: usize) -> bool {
        self.sums.iter().any(|((_, _, other), sum)| *other == segment && *sum != 0)
    }

    fn add(&mut self, measure: &'static str, days: Days, segment: u32, value: i128) {
        *self.sums.entry((measure, days, segment as usize)).or_default() += value;
    }

    fn contracts(&mut self, books: &Books, segmentation: &Segmentation, windows: &[Days]) -> Result<(), EngineError> {
        self.computed.extend(CONTRACT_MEASURES);
        let stated = newest(
            books,
            "contract",
            &["contract"],
            &["contract", "customer", "plan", "currency", "renewal_of"],
            &["value"],
            &["start", "end"],
        )?;
        let day = |moment: Option<Moment>| moment.map(|moment| books.ticks.zone().day_of(moment));
        struct Contract {
            id: String,
            customer: String,
            start: Day,
            end: Day,
            segment: Option<u32>,
            annual_micros: i128,
            renewal_of: Option<String>,
        }
        let mut contracts = Vec::new();
        for row in &stated {
            let (Some(id), Some(customer), Some(currency)) = (&row.texts[0], &row.texts[1], &row.texts[3]) else {
                continue;
            };
            let (Some(start), Some(end), Some(value)) = (day(row.moments[0]), day(row.moments[1]), row.picos[0]) else {
                continue;
            };
            let (numerator, denominator) = term_years(start, end);
            let annual = rounded(value.saturating_mul(denominator), MICROS.saturating_mul(numerator.max(1)));
            let annual_micros = in_reporting(books, annual, currency, start)?;
            contracts.push(Contract {
                id: id.clone(),
                customer: customer.clone(),
                start,
                end,
                segment: segmentation.segment_of_other(books, customer, row.texts[2].as_deref(), currency),
                annual_micros,
                renewal_of: row.texts[4].clone(),
            });
        }
        let renewed = |contract: &Contract| {
            contracts.iter().any(|other| {
                other.renewal_of.as_ref() == Some(&contract.id)
                    || (other.renewal_of.is_none()
                        && other.customer == contract.customer
                        && other.id != contract.id
                        && other.start >= contract.end
                        && other.start <= contract.end.plus_days(RENEWAL_GRACE_DAYS))
            })
        };
        let mut found = Vec::new();
        for contract in &contracts {
            let Some(segment) = contract.segment else { continue };
            for days in windows {
                if contract.start < days.end && contract.end >= days.end {
                    found.push(("contracts_live", *days, segment, 1));
                    found.push(("contract_annual_value", *days, segment, contract.annual_micros));
                }
                if contract.end >= days.start && contract.end < days.end {
                    found.push(("contracts_due", *days, segment, 1));
                    found.push(("contract_value_due", *days, segment, contract.annual_micros));
                    if renewed(contract) {
                        found.push(("contracts_renewed", *days, segment, 1));
                        found.push(("contract_value_renewed", *days, segment, contract.annual_micros));
                    }
                }
            }
        }
        for (measure, days, segment, value) in found {
            self.add(measure, days, segment, value);
        }
        Ok(())
    }

    /// What of each line is earned in a window, and what is deferred at its end.
    fn invoice_lines(
        &mut self,
        books: &Books,
        segmentation: &Segmentation,
        windows: &[Days],
    ) -> Result<(), EngineError> {
        self.computed.extend(INVOICE_MEASURES);
        for billed in billed_lines(books)? {
            let (customer, plan, currency) = (&billed.customer, billed.plan.as_deref(), billed.currency.code());
            let Some(segment) = segmentation.segment_of_other(books, customer, plan, currency) else { continue };
            for days in windows {
                let (opening, closing) = (billed.position(days.start)?, billed.position(days.end)?);
                let earned = closing.net_revenue_micros() - opening.net_revenue_micros();
                if earned != 0 {
                    self.add("revenue_recognised", *days, segment, earned);
                }
                if closing.deferred_micros != 0 {
                    self.add("revenue_deferred_closing", *days, segment, closing.deferred_micros);
                }
            }
        }
        Ok(())
    }

    fn payments(&mut self, books: &Books, segmentation: &Segmentation, windows: &[Days]) -> Result<(), EngineError> {
        self.computed.extend(PAYMENT_MEASURES);
        let stated = newest(
            books,
            "payment",
            &["payment"],
            &["customer", "currency", "status", "payment"],
            &["amount"],
            &["paid_at"],
        )?;
        for row in &stated {
            let (Some(customer), Some(currency), Some(picos)) = (&row.texts[0], &row.texts[1], row.picos[0]) else {
                continue;
            };
            let Some(sign) = cash_sign(row.texts[2].as_deref()) else { continue };
            let Some(segment) = segmentation.segment_of_other(books, customer, None, currency) else { continue };
            let Some(day) = row.moments[0].map(|moment| books.ticks.zone().day_of(moment)) else { continue };
            // Sources write refunds with either sign; money went out all the same.
            let amount = in_reporting(books, rounded(picos.abs(), MICROS), currency, day)?;
            for days in windows.iter().filter(|days| day >= days.start && day < days.end) {
                self.add("cash_received", *days, segment, sign * amount);
            }
        }
        Ok(())
    }
}

/// A line of an invoice that bills something other than tax.
#[derive(Debug, Clone)]
pub struct BilledLine {
    /// Its own id, or its number within its invoice.
    pub id: String,
    /// The invoice.
    pub invoice: String,
    /// Who is billed.
    pub customer: String,
    /// The subscription that it bills.
    pub subscription: Option<String>,
    /// The plan that it bills.
    pub plan: Option<String>,
    /// The currency of its amount.
    pub currency: Currency,
    /// What kind of line it is, where the source says so.
    pub kind: Option<String>,
    /// The line in the shape of the method.
    pub line: Line,
    /// What its own fact says became of it: that it was voided, or written off.
    pub changes: Vec<Change>,
}

impl BilledLine {
    /// Its accounts before a day.
    ///
    /// # Errors
    /// When an amount does not fit the ledger.
    pub fn position(&self, day: Day) -> Result<Position, EngineError> {
        Ok(position(&self.line, &self.changes, day)?)
    }
}

/// Every line of an invoice, in order of sources and ids, without those that bill tax. A line with a service period is
/// earned over it, as the policy says; another one on the day it was issued.
///
/// # Errors
/// When facts cannot be read or brought to one currency.
pub fn billed_lines(books: &Books) -> Result<Vec<BilledLine>, EngineError> {
    let stated = newest(
        books,
        "invoice_line",
        &["invoice", "line"],
        &["line", "invoice", "customer", "subscription", "plan", "currency", "kind", "recognition"],
        &["amount"],
        &["service_start", "service_end", "issued", "voided", "written_off"],
    )?;
    let mut lines = Vec::with_capacity(stated.len());
    for row in stated {
        let day = |index: usize| row.moments[index].map(|moment| books.ticks.zone().day_of(moment));
        let (service_start, service_end, issued) = (day(0), day(1), day(2));
        let Ok([id, invoice, customer, subscription, plan, currency, kind, recognition]) =
            <[_; 8]>::try_from(row.texts)
        else {
            continue;
        };
        let (Some(customer), Some(currency), Some(picos), Some(issued)) = (customer, currency, row.picos[0], issued)
        else {
            continue;
        };
        if kind.as_deref() == Some("tax") {
            continue;
        }
        let start = service_start.unwrap_or(issued);
        let over =
            |recognition| service_end.map_or(Schedule::at_once(start), |end| Schedule::over(recognition, start, end));
        let line = Line {
            issued,
            amount_micros: to_micros(rounded(picos, MICROS))?,
            tax_micros: 0,
            rate: rate(books, &currency, issued)?,
            // What the line says of itself comes before what the policy says of all.
            schedule: match recognition.as_deref() {
                Some("by_day") => over(Recognition::Day),
                Some("by_month") => over(Recognition::MonthEven),
                Some("when_used") => Schedule::at_once(start),
                Some("at_once") => Schedule::at_once(issued),
                _ => over(books.view.policy.recognition),
            },
        };
        let mut changes = Vec::new();
        for (moment, kind) in [(3, ChangeKind::Void), (4, ChangeKind::WriteOff)] {
            if let Some(day) = day(moment) {
                let rate = rate(books, &currency, day)?;
                changes.push(Change { day, kind, amount_micros: line.amount_micros, rate });
            }
        }
        changes.sort_by_key(|change| change.day);
        let currency = known_currency(&currency)?;
        let (id, invoice) = (id.unwrap_or_default(), invoice.unwrap_or_default());
        lines.push(BilledLine { id, invoice, customer, subscription, plan, currency, kind, line, changes });
    }
    Ok(lines)
}

/// Whether a payment of a status brought money in or took it out; nothing for those that moved none.
pub(super) fn cash_sign(status: Option<&str>) -> Option<i128> {
    match status {
        Some("succeeded") => Some(1),
        Some("refunded" | "disputed" | "dispute_lost") => Some(-1),
        _ => None,
    }
}

/// The newest version of each fact of a kind, without those that were withdrawn, in order of their sources and keys.
pub(super) fn newest(
    books: &Books,
    table: &str,
    key: &[&str],
    texts: &[&str],
    decimals: &[&str],
    moments: &[&str],
) -> Result<Vec<Stated>, EngineError> {
    let mut facts: BTreeMap<Vec<Option<String>>, Stated> = BTreeMap::new();
    let Some(lake) = books.lake() else { return Ok(Vec::new()) };
    if lake.table_schema(table)?.is_none() {
        return Ok(Vec::new());
    }
    for batch in lake.read(table, &[], books.view.as_known_at)? {
        let batch = batch?;
        let columns = texts.iter().map(|name| Texts::of(&batch, name)).collect::<Result<Vec<_>, BooksError>>()?;
        let keys = std::iter::once(&"source").chain(key);
        let keys = keys.map(|name| Texts::of(&batch, name)).collect::<Result<Vec<_>, BooksError>>()?;
        let numbers = decimals.iter().map(|name| Decimals::of(&batch, name)).collect::<Result<Vec<_>, BooksError>>()?;
        let times = moments.iter().map(|name| Moments::of(&batch, name)).collect::<Result<Vec<_>, BooksError>>()?;
        for row in 0..batch.num_rows() {
            let key = keys.iter().map(|column| column.get(row).map(str::to_owned)).collect();
            if crate::books::is_true(&batch, "withdrawn", row) {
                facts.remove(&key);
                continue;
            }
            let stated = Stated {
                texts: columns.iter().map(|column| column.get(row).map(str::to_owned)).collect(),
                picos: numbers.iter().map(|column| column.picos(row)).collect(),
                moments: times.iter().map(|column| column.get(row)).collect(),
            };
            facts.insert(key, stated);
        }
    }
    Ok(facts.into_values().collect())
}

/// The term of a contract in years, as a quotient: whole months where it is whole months, else days ÷ 365.
fn term_years(start: Day, end: Day) -> (i128, i128) {
    let (from, to) = (start.civil(), end.civil());
    let months = (to.0 - from.0) * 12 + to.1 as i32 - from.1 as i32;
    if months > 0 && start.plus_months(months) == end {
        (i128::from(months), 12)
    } else {
        (i128::from((end.0 - start.0).max(1)), 365)
    }
}

fn known_currency(code: &str) -> Result<Currency, EngineError> {
    let unknown = || BooksError::UnknownValue { column: "currency".to_owned(), value: code.to_owned() };
    Ok(Currency::parse(code).ok_or_else(unknown)?)
}

/// What one unit of a currency is worth in the one that is reported in, on a day.
fn rate(books: &Books, currency: &str, day: Day) -> Result<(i128, i128), EngineError> {
    rate_of(books, known_currency(currency)?, day)
}

fn rate_of(books: &Books, from: Currency, day: Day) -> Result<(i128, i128), EngineError> {
    if from == books.reporting {
        return Ok((1, 1));
    }
    let missing = || BooksError::MissingRates { count: 1, from, to: books.reporting, day, customer: String::new() };
    Ok(books.rates.rate(from, books.reporting, day).ok_or_else(missing)?)
}

pub(super) fn in_reporting(books: &Books, micros: i128, currency: &str, day: Day) -> Result<i128, EngineError> {
    in_reporting_of(books, micros, known_currency(currency)?, day)
}

/// An amount in the reporting currency, at the rate of a day.
pub(super) fn in_reporting_of(books: &Books, micros: i128, from: Currency, day: Day) -> Result<i128, EngineError> {
    let (numerator, denominator) = rate_of(books, from, day)?;
    Ok(rounded(micros.saturating_mul(numerator), denominator))
}
