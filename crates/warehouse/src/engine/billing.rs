//! Measures that come from contracts, invoice lines and payments instead of the ledger.

use std::collections::{BTreeMap, HashMap};

use num_rational::BigRational;
use revenue::{
    calendar::Day,
    money::{Currency, MICROS, to_micros},
    policy::Recognition,
    recognition::{Change, ChangeKind, Line, Position, Schedule, position, share_out},
};

use super::{
    EngineError,
    cube::Days,
    evidence::{Entry, Evidence},
    label::Labels,
    rounded,
    segment::OUTSIDE,
    tally::{Currencies, classify::Classifier},
};
use crate::{
    books::{Books, BooksError},
    catalogue::{Measure, Value},
    observed::{NO_DAY, Observed, Wanted},
};

/// Measures by name, window and segment.
#[derive(Default)]
pub struct Billing {
    sums: HashMap<(&'static str, Days, usize), i128>,
    computed: Vec<&'static str>,
}

const CONTRACTS: &str = "contract";
pub(super) const INVOICE_LINES: &str = "invoice_line";
pub(super) const PAYMENTS: &str = "payment";

/// The measures of this module with the kinds of fact that they come from.
const MEASURES: &[(&str, &str)] = &[
    ("contracts_live", CONTRACTS),
    ("contract_annual_value", CONTRACTS),
    ("contracts_due", CONTRACTS),
    ("contracts_renewed", CONTRACTS),
    ("contract_value_due", CONTRACTS),
    ("contract_value_renewed", CONTRACTS),
    ("revenue_recognised_net", INVOICE_LINES),
    ("revenue_recognised_gross", INVOICE_LINES),
    ("revenue_deferred_closing", INVOICE_LINES),
    ("revenue_deferred_paid_closing", INVOICE_LINES),
    ("cash_received", PAYMENTS),
];
const COUNTS: &[&str] = &["contracts_live", "contracts_due", "contracts_renewed"];

/// A contract may be signed again some days late; within these it still counts as renewed.
const RENEWAL_GRACE_DAYS: i32 = 30;

/// The kind of fact that a measure of this module comes from; nothing for other measures.
#[must_use]
pub fn table_of(id: &str) -> Option<&'static str> {
    MEASURES.iter().find(|(known, _)| *known == id).map(|(_, table)| *table)
}

/// How many units of an entry make one of a measure.
#[must_use]
pub fn unit_of(id: &str) -> i128 {
    if COUNTS.contains(&id) { 1 } else { MICROS }
}

/// The columns that the measures of this module look at, by kind of fact.
#[must_use]
pub fn wants(measures: &[&'static Measure]) -> Vec<(&'static str, Wanted)> {
    let uses = |table: &str| measures.iter().any(|measure| table_of(measure.id) == Some(table));
    let mut wants = Vec::new();
    if uses(CONTRACTS) {
        wants.push((CONTRACTS, contract_columns()));
    }
    if uses(INVOICE_LINES) {
        wants.push((INVOICE_LINES, line_columns()));
    }
    if uses(PAYMENTS) || uses(INVOICE_LINES) {
        wants.push((PAYMENTS, payment_columns()));
    }
    wants
}

fn columns(texts: &[&str], numbers: &[&str], days: &[&str]) -> Wanted {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Wanted { texts: names(texts), numbers: names(numbers), days: names(days), ..Wanted::default() }
}

fn contract_columns() -> Wanted {
    columns(&["contract", "customer", "plan", "currency", "renewal_of"], &["value"], &["start", "end"])
}

pub(super) fn line_columns() -> Wanted {
    columns(
        &[
            "line",
            "invoice",
            "customer",
            "subscription",
            "plan",
            "currency",
            "kind",
            "recognition",
            "corrects",
            "corrects_line",
        ],
        &["amount", "tax"],
        &["service_start", "service_end", "issued", "voided", "written_off"],
    )
}

pub(super) fn payment_columns() -> Wanted {
    columns(&["payment", "invoice", "customer", "currency", "status", "original"], &["amount"], &["paid_at"])
}

impl Billing {
    /// Computes the measures that are asked for.
    ///
    /// # Errors
    /// When facts cannot be read or brought to one currency.
    pub fn new(
        books: &Books,
        classifier: &Classifier<'_>,
        labels: &mut Labels,
        windows: &[Days],
        measures: &[&'static Measure],
    ) -> Result<Self, EngineError> {
        let mut windows = windows.to_vec();
        windows.sort_unstable();
        windows.dedup();
        let computed = MEASURES.iter().map(|(id, _)| *id);
        let computed: Vec<&'static str> =
            computed.filter(|id| measures.iter().any(|measure| measure.id == *id)).collect();
        let mut sums: HashMap<(&'static str, Days, usize), i128> = HashMap::new();
        entries(books, classifier, labels, &windows, &computed, &mut |id, days, entry| {
            *sums.entry((id, days, entry.segment as usize)).or_default() += entry.value;
        })?;
        Ok(Billing { sums, computed })
    }

    /// A measure, if it is one of these.
    pub fn measure(&self, id: &str, days: Days, segment: usize) -> Option<Value> {
        let name = self.computed.iter().find(|name| **name == id)?;
        let sum = self.sums.get(&(*name, days, segment)).copied().unwrap_or(0);
        Some(Value::Number(BigRational::new(sum.into(), unit_of(name).into())))
    }

    /// Whether anything was seen in a segment.
    pub fn has_anything(&self, segment: usize) -> bool {
        self.sums.iter().any(|((_, _, other), sum)| *other == segment && *sum != 0)
    }
}

/// What takes an entry of a measure in a window.
type Taking<'f> = dyn FnMut(&'static str, Days, Entry) + 'f;

/// Everything that some measures of this module count in some windows.
///
/// # Errors
/// When facts cannot be read or brought to one currency.
pub fn entries(
    books: &Books,
    classifier: &Classifier<'_>,
    labels: &mut Labels,
    windows: &[Days],
    ids: &[&'static str],
    found: &mut Taking<'_>,
) -> Result<(), EngineError> {
    for table in [CONTRACTS, INVOICE_LINES, PAYMENTS] {
        let ids: Vec<&'static str> = ids.iter().copied().filter(|id| table_of(id) == Some(table)).collect();
        if ids.is_empty() || !books.has_facts(table)? {
            continue;
        }
        let mut wanted = match table {
            CONTRACTS => contract_columns(),
            INVOICE_LINES => line_columns(),
            _ => payment_columns(),
        };
        classifier.want(table, &mut wanted);
        let observed = books.shelf.get(books, table, wanted)?;
        let classes = classifier.classes(table, &observed, &[], labels);
        let mut take = |id: &'static str, days: Days, entry: Entry| {
            if entry.value != 0 && entry.segment != OUTSIDE && ids.contains(&id) {
                found(id, days, entry);
            }
        };
        let entry = |fact: usize, day: i32, value: i128| {
            let evidence = Evidence::Fact(table, fact);
            Entry { segment: classes.of(fact), day, value, evidence }
        };
        match table {
            CONTRACTS => contracts(books, &observed, windows, &entry, &mut take)?,
            INVOICE_LINES => {
                for billed in lines_of(books, &observed)? {
                    billed.entries(classes.of(billed.fact), windows, &mut take)?;
                }
            }
            _ => {
                let (days, picos, statuses) =
                    (observed.days("paid_at"), observed.picos("amount"), observed.texts("status"));
                let currencies = Currencies::new(&observed);
                for fact in (0..observed.len()).filter(|fact| days[*fact] != NO_DAY) {
                    let Some(sign) = cash_sign(statuses.and_then(|coded| coded.of(fact))) else { continue };
                    let within = |window: &&Days| (window.start.0..window.end.0).contains(&days[fact]);
                    let mut windows = windows.iter().filter(within).peekable();
                    if windows.peek().is_none() {
                        continue;
                    }
                    // Sources write refunds with either sign; money went out all the same.
                    let amount = rounded(picos[fact].unwrap_or(0).abs(), MICROS);
                    let micros = sign * in_reporting_of(books, amount, currencies.of(fact)?, Day(days[fact]))?;
                    windows.for_each(|window| take("cash_received", *window, entry(fact, days[fact], micros)));
                }
            }
        }
    }
    Ok(())
}

/// What contracts count in some windows.
fn contracts(
    books: &Books,
    observed: &Observed,
    windows: &[Days],
    entry: &dyn Fn(usize, i32, i128) -> Entry,
    take: &mut Taking<'_>,
) -> Result<(), EngineError> {
    let (starts, ends, picos) = (observed.days("start"), observed.days("end"), observed.picos("value"));
    let currencies = Currencies::new(observed);
    for (fact, is_renewed) in renewals(observed) {
        let (start, end) = (Day(starts[fact]), Day(ends[fact]));
        let (numerator, denominator) = term_years(start, end);
        let value = picos[fact].unwrap_or(0);
        let annual = rounded(value.saturating_mul(denominator), MICROS.saturating_mul(numerator.max(1)));
        let annual = in_reporting_of(books, annual, currencies.of(fact)?, start)?;
        for days in windows {
            if start < days.end && end >= days.end {
                take("contracts_live", *days, entry(fact, start.0, 1));
                take("contract_annual_value", *days, entry(fact, start.0, annual));
            }
            if end >= days.start && end < days.end {
                take("contracts_due", *days, entry(fact, end.0, 1));
                take("contract_value_due", *days, entry(fact, end.0, annual));
                if is_renewed {
                    take("contracts_renewed", *days, entry(fact, end.0, 1));
                    take("contract_value_renewed", *days, entry(fact, end.0, annual));
                }
            }
        }
    }
    Ok(())
}

/// The contracts that state a term and a value, each with whether another one renews it.
fn renewals(observed: &Observed) -> Vec<(usize, bool)> {
    let (starts, ends, picos) = (observed.days("start"), observed.days("end"), observed.picos("value"));
    let text = |name: &str, fact: usize| observed.texts(name).and_then(|coded| coded.of(fact));
    let is_whole = |fact: &usize| starts[*fact] != NO_DAY && ends[*fact] != NO_DAY && picos[*fact].is_some();
    let facts: Vec<usize> = (0..observed.len()).filter(is_whole).collect();
    let mut renews: BTreeMap<&str, usize> = BTreeMap::new();
    let mut of_customer: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for fact in &facts {
        match text("renewal_of", *fact) {
            Some(renewed) => {
                renews.entry(renewed).or_insert(*fact);
            }
            None => of_customer.entry(text("customer", *fact).unwrap_or_default()).or_default().push(*fact),
        }
    }
    let is_renewed = |fact: usize| {
        let named = text("contract", fact).is_some_and(|contract| renews.contains_key(contract));
        named
            || of_customer.get(text("customer", fact).unwrap_or_default()).is_some_and(|others| {
                let grace = ends[fact]..=ends[fact].saturating_add(RENEWAL_GRACE_DAYS);
                others.iter().any(|other| *other != fact && grace.contains(&starts[*other]))
            })
    };
    facts.into_iter().map(|fact| (fact, is_renewed(fact))).collect()
}

/// The contracts whose term ends on a day or later, and that nothing renews yet: the customer, and the day.
///
/// # Errors
/// When facts cannot be read.
pub(super) fn due_from(books: &Books, from: Day) -> Result<Vec<(u32, Day)>, EngineError> {
    if !books.has_facts("contract")? {
        return Ok(Vec::new());
    }
    let observed = books.shelf.get(books, "contract", contract_columns())?;
    let (ends, customers) = (observed.days("end"), observed.texts("customer"));
    let due = renewals(&observed).into_iter().filter(|(fact, is_renewed)| !is_renewed && ends[*fact] >= from.0);
    let customer = |fact: usize| books.customer_of_id(customers?.of(fact)?);
    Ok(due.filter_map(|(fact, _)| Some((customer(fact)?, Day(ends[fact])))).collect())
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
    /// What became of it, in order of days.
    pub changes: Vec<Change>,
    /// Its place among the facts about invoice lines.
    fact: usize,
    /// For each change the fact that states it.
    stated_by: Vec<Evidence>,
}

impl BilledLine {
    /// Its accounts before a day.
    ///
    /// # Errors
    /// When an amount does not fit the ledger.
    pub fn position(&self, day: Day) -> Result<Position, EngineError> {
        Ok(position(&self.line, &self.changes, day)?)
    }

    /// What of a deferred balance was paid for: the customer's money, for which service is owed.
    fn paid_and_deferred(&self, position: &Position) -> i128 {
        let (net, tax) = (i128::from(self.line.amount_micros), i128::from(self.line.tax_micros));
        // What is still to be paid is to be paid of the tax as well.
        let unpaid = match net + tax {
            0 => 0,
            gross => rounded(position.receivable_micros.saturating_mul(net), gross),
        };
        let (least, most) = (position.deferred_micros.min(0), position.deferred_micros.max(0));
        (position.deferred_micros - unpaid).clamp(least, most)
    }

    /// What it adds to the measures in some windows: the line as it was billed, and each change by what it alters.
    fn entries(&self, segment: u32, windows: &[Days], take: &mut Taking<'_>) -> Result<(), EngineError> {
        let first = self.line.schedule.start().min(self.line.issued);
        let changed = self.changes.last().map_or(self.line.issued, |change| change.day.max(self.line.issued));
        let last = self.line.schedule.end().max(changed.plus_days(1)).max(self.line.issued.plus_days(1));
        for days in windows.iter().filter(|days| days.end > first && days.start < last) {
            let mut before = [0; 4];
            for known in 0..=self.changes.len() {
                let changes = &self.changes[..known];
                // What is not known by the end alters nothing.
                if known > 0 && changes[known - 1].day.max(self.line.issued) >= days.end {
                    break;
                }
                let (opening, closing) =
                    (position(&self.line, changes, days.start)?, position(&self.line, changes, days.end)?);
                let after = [
                    closing.net_revenue_micros() - opening.net_revenue_micros(),
                    closing.revenue_micros - opening.revenue_micros,
                    closing.deferred_micros,
                    self.paid_and_deferred(&closing),
                ];
                let (evidence, day) = match known.checked_sub(1) {
                    None => (Evidence::Fact(INVOICE_LINES, self.fact), self.line.issued),
                    Some(change) => (self.stated_by[change], self.changes[change].day),
                };
                let ids = MEASURES.iter().filter(|(_, table)| *table == INVOICE_LINES).map(|(id, _)| *id);
                for ((id, after), before) in ids.zip(after).zip(before) {
                    take(id, *days, Entry { segment, day: day.0, value: after - before, evidence });
                }
                before = after;
            }
        }
        Ok(())
    }
}

/// Every line of an invoice, in order of invoices and lines, without those that bill tax, with what became of it. A line
/// with a service period is earned over it, as the policy says; another one on the day it was issued.
///
/// # Errors
/// When facts cannot be read or brought to one currency.
pub fn billed_lines(books: &Books) -> Result<Vec<BilledLine>, EngineError> {
    if !books.has_facts(INVOICE_LINES)? {
        return Ok(Vec::new());
    }
    let observed = books.shelf.get(books, INVOICE_LINES, line_columns())?;
    lines_of(books, &observed)
}

/// The lines while it is found out what became of them.
struct Bills {
    lines: Vec<BilledLine>,
    /// The lines of each invoice, in order. Invoices are told apart by customer as well: two sources may number theirs
    /// alike.
    of_invoice: BTreeMap<(String, String), Vec<usize>>,
    /// What happened to each line, and the fact that says so.
    happened: Vec<Vec<(Change, Evidence)>>,
}

fn lines_of(books: &Books, observed: &Observed) -> Result<Vec<BilledLine>, EngineError> {
    let text = |name: &str, fact: usize| observed.texts(name).and_then(|coded| coded.of(fact));
    let day = |name: &str, fact: usize| observed.days(name).get(fact).copied().filter(|day| *day != NO_DAY).map(Day);
    let micros = |name: &str, fact: usize| -> Result<Option<i64>, EngineError> {
        let picos = observed.picos(name).get(fact).copied().flatten();
        Ok(picos.map(|picos| to_micros(rounded(picos, MICROS))).transpose()?)
    };
    let invoice_of = |fact: usize| {
        let text = |name: &str| text(name, fact).unwrap_or_default().to_owned();
        (text("customer"), text("invoice"))
    };
    let currencies = Currencies::new(observed);
    let mut order: Vec<usize> = (0..observed.len()).collect();
    order.sort_by_key(|fact| (text("invoice", *fact), text("line", *fact)));
    let mut bills = Bills { lines: Vec::new(), of_invoice: BTreeMap::new(), happened: Vec::new() };
    // Tax that stands on lines of its own, by customer and invoice, and credit notes without a service of their own.
    let mut taxes: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut credits: Vec<usize> = Vec::new();
    for fact in order {
        let (Some(amount_micros), Some(issued)) = (micros("amount", fact)?, day("issued", fact)) else { continue };
        match text("kind", fact) {
            Some("tax") => {
                let tax = taxes.entry(invoice_of(fact)).or_default();
                *tax = to_micros(i128::from(*tax) + i128::from(amount_micros))?;
                continue;
            }
            Some("credit_note") if day("service_end", fact).is_none() && text("corrects", fact).is_some() => {
                credits.push(fact);
                continue;
            }
            _ => {}
        }
        bills.push(books, observed, &currencies, fact, (amount_micros, micros("tax", fact)?.unwrap_or(0), issued))?;
    }
    for (invoice, places) in &bills.of_invoice {
        let Some(tax) = taxes.remove(invoice) else { continue };
        let weights: Vec<i64> = places.iter().map(|place| bills.lines[*place].line.amount_micros).collect();
        for (place, share) in places.iter().zip(share_out(tax, &weights)?) {
            let line = &mut bills.lines[*place].line;
            line.tax_micros = to_micros(i128::from(line.tax_micros) + i128::from(share))?;
        }
    }
    // A credit note for an invoice that nobody knows stands for itself.
    for fact in credits {
        let (Some(amount_micros), Some(issued)) = (micros("amount", fact)?, day("issued", fact)) else { continue };
        let customer = text("customer", fact).unwrap_or_default();
        let own_tax = i128::from(micros("tax", fact)?.unwrap_or(0));
        // Tax on a line of its own that is left by now stands on a credit note.
        let tax_micros = to_micros(own_tax + i128::from(taxes.remove(&invoice_of(fact)).unwrap_or(0)))?;
        let places = bills.concerned(customer, text("corrects", fact), text("corrects_line", fact));
        if places.is_empty() {
            bills.push(books, observed, &currencies, fact, (amount_micros, tax_micros, issued))?;
            continue;
        }
        // What is taken back is stated as it is written on invoices: below zero.
        let amount = -(i128::from(amount_micros) + i128::from(tax_micros));
        let evidence = Evidence::Fact(INVOICE_LINES, fact);
        let currency = currencies.of(fact)?;
        bills.happen(books, &places, ChangeKind::CreditNote, (amount, currency, issued), evidence)?;
    }
    bills.pay(books)?;
    for place in 0..bills.lines.len() {
        let billed = &bills.lines[place];
        let (line, fact) = (billed.line, billed.fact);
        let gross = to_micros(i128::from(line.amount_micros) + i128::from(line.tax_micros))?;
        for (name, kind) in [("voided", ChangeKind::Void), ("written_off", ChangeKind::WriteOff)] {
            if let Some(at) = day(name, fact) {
                let rate = rate_of(books, billed.currency, at)?;
                // What was paid or credited before cannot be given up any more.
                let settled = |change: &Change| {
                    let settles = matches!(change.kind, ChangeKind::Payment | ChangeKind::CreditNote);
                    kind == ChangeKind::WriteOff && settles && change.day <= at
                };
                let settled = bills.happened[place].iter().filter(|(change, _)| settled(change));
                let settled: i128 = settled.map(|(change, _)| i128::from(change.amount_micros)).sum();
                let left = i128::from(gross) - settled;
                let left = if gross < 0 { left.clamp(gross.into(), 0) } else { left.clamp(0, gross.into()) };
                let change = Change { day: at, kind, amount_micros: to_micros(left)?, rate };
                bills.happened[place].push((change, Evidence::Fact(INVOICE_LINES, fact)));
            }
        }
    }
    let Bills { mut lines, happened, .. } = bills;
    for (billed, mut happened) in lines.iter_mut().zip(happened) {
        happened.sort_by_key(|(change, _)| (change.day, change.kind));
        (billed.changes, billed.stated_by) = happened.into_iter().unzip();
    }
    Ok(lines)
}

impl Bills {
    /// Adds a line: amount, tax and the day of issue.
    fn push(
        &mut self,
        books: &Books,
        observed: &Observed,
        currencies: &Currencies<'_>,
        fact: usize,
        (amount_micros, tax_micros, issued): (i64, i64, Day),
    ) -> Result<(), EngineError> {
        let text = |name: &str| observed.texts(name).and_then(|coded| coded.of(fact)).map(str::to_owned);
        let day = |name: &str| observed.days(name).get(fact).copied().filter(|day| *day != NO_DAY).map(Day);
        let currency = currencies.of(fact)?;
        let start = day("service_start").unwrap_or(issued);
        let over = |recognition| {
            day("service_end").map_or(Schedule::at_once(start), |end| Schedule::over(recognition, start, end))
        };
        let line = Line {
            issued,
            amount_micros,
            tax_micros,
            rate: rate_of(books, currency, issued)?,
            // What the line says of itself comes before what the policy says of all.
            schedule: match text("recognition").as_deref() {
                Some("by_day") => over(Recognition::Day),
                Some("by_month") => over(Recognition::MonthEven),
                Some("when_used") => Schedule::at_once(start),
                Some("at_once") => Schedule::at_once(issued),
                _ => over(books.view.policy.recognition),
            },
        };
        let (customer, invoice) = (text("customer").unwrap_or_default(), text("invoice").unwrap_or_default());
        self.of_invoice.entry((customer.clone(), invoice.clone())).or_default().push(self.lines.len());
        self.happened.push(Vec::new());
        self.lines.push(BilledLine {
            id: text("line").unwrap_or_default(),
            invoice,
            customer,
            subscription: text("subscription"),
            plan: text("plan"),
            currency,
            kind: text("kind"),
            line,
            changes: Vec::new(),
            fact,
            stated_by: Vec::new(),
        });
        Ok(())
    }

    /// The lines that something concerns: those of a customer's invoice, or the one of them that is named.
    fn concerned(&self, customer: &str, invoice: Option<&str>, line: Option<&str>) -> Vec<usize> {
        let invoice = invoice.map(|invoice| (customer.to_owned(), invoice.to_owned()));
        let places = invoice.and_then(|invoice| self.of_invoice.get(&invoice)).map_or(&[][..], Vec::as_slice);
        let is_named = |place: &&usize| line.is_none_or(|line| self.lines[**place].id == line);
        places.iter().filter(is_named).copied().collect()
    }

    /// Shares an amount out over lines by what each bills with tax.
    fn happen(
        &mut self,
        books: &Books,
        places: &[usize],
        kind: ChangeKind,
        (amount_micros, currency, day): (i128, Currency, Day),
        evidence: Evidence,
    ) -> Result<(), EngineError> {
        let Some(of_lines) = places.first().map(|place| self.lines[*place].currency) else { return Ok(()) };
        // Who bills in one currency and is paid in another one is paid what it is worth on the day.
        let amount_micros = if currency == of_lines {
            amount_micros
        } else {
            let (numerator, denominator) = rate_of(books, of_lines, day)?;
            let micros = in_reporting_of(books, amount_micros, currency, day)?;
            rounded(micros.saturating_mul(denominator), numerator)
        };
        let gross = |place: &usize| {
            let line = &self.lines[*place].line;
            to_micros(i128::from(line.amount_micros) + i128::from(line.tax_micros))
        };
        let weights = places.iter().map(gross).collect::<Result<Vec<i64>, _>>()?;
        let rate = rate_of(books, of_lines, day)?;
        for (place, amount_micros) in places.iter().zip(share_out(to_micros(amount_micros)?, &weights)?) {
            self.happened[*place].push((Change { day, kind, amount_micros, rate }, evidence));
        }
        Ok(())
    }

    /// Books payments, refunds and disputes on the invoices that they name, or that the payment names which they take
    /// back. One that names no invoice that is known moves cash alone.
    fn pay(&mut self, books: &Books) -> Result<(), EngineError> {
        if !books.has_facts(PAYMENTS)? {
            return Ok(());
        }
        let observed = books.shelf.get(books, PAYMENTS, payment_columns())?;
        let text = |name: &str, fact: usize| observed.texts(name).and_then(|coded| coded.of(fact));
        let named: HashMap<&str, &str> =
            (0..observed.len()).filter_map(|fact| Some((text("payment", fact)?, text("invoice", fact)?))).collect();
        let (days, picos) = (observed.days("paid_at"), observed.picos("amount"));
        let currencies = Currencies::new(&observed);
        for fact in (0..observed.len()).filter(|fact| days[*fact] != NO_DAY) {
            let kind = match text("status", fact) {
                Some("succeeded") => ChangeKind::Payment,
                Some("refunded") => ChangeKind::Refund,
                Some("disputed" | "dispute_lost") => ChangeKind::Dispute,
                _ => continue,
            };
            let by_original = || named.get(text("original", fact)?).copied();
            let customer = text("customer", fact).unwrap_or_default();
            let places = self.concerned(customer, text("invoice", fact).or_else(by_original), None);
            if places.is_empty() {
                continue;
            }
            let amount = rounded(picos[fact].unwrap_or(0).abs(), MICROS);
            let evidence = Evidence::Fact(PAYMENTS, fact);
            self.happen(books, &places, kind, (amount, currencies.of(fact)?, Day(days[fact])), evidence)?;
        }
        Ok(())
    }
}

/// Whether a payment of a status brought money in or took it out; nothing for those that moved none.
pub(super) fn cash_sign(status: Option<&str>) -> Option<i128> {
    match status {
        Some("succeeded") => Some(1),
        Some("refunded" | "disputed" | "dispute_lost") => Some(-1),
        _ => None,
    }
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

/// What one unit of a currency is worth in the one that is reported in, on a day.
fn rate_of(books: &Books, from: Currency, day: Day) -> Result<(i128, i128), EngineError> {
    if from == books.reporting {
        return Ok((1, 1));
    }
    let missing = || BooksError::MissingRates { count: 1, from, to: books.reporting, day, customer: String::new() };
    Ok(books.rates.rate(from, books.reporting, day).ok_or_else(missing)?)
}

/// An amount in the reporting currency, at the rate of a day.
pub(super) fn in_reporting_of(books: &Books, micros: i128, from: Currency, day: Day) -> Result<i128, EngineError> {
    let (numerator, denominator) = rate_of(books, from, day)?;
    Ok(rounded(micros.saturating_mul(numerator), denominator))
}
