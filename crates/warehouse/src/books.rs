//! The books of a company: what facts say, under a policy, as known at a time.
//!
//! Opening the books reads the facts from the lake, numbers customers and subscriptions in the order of their ids,
//! and makes the movement ledger. Everything the engine answers comes out of them.

pub mod advance;
mod attributes;
pub mod change;
mod classes;
mod columns;
pub mod flow;
mod group;
pub mod ids;
pub(crate) mod names;
pub mod oddity;
pub mod origin;
pub mod overlay;
mod pages;
mod rates;
pub mod subscriptions;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use rayon::prelude::*;
use revenue::{
    calendar::{Day, Grain, Zone},
    fact::{Conflict, Offer, Terms, Tick, Ticks},
    fx::Rates,
    ledger::{self, Builder, Ledger},
    money::Currency,
    movement::{Context, MovementError},
    policy::Policy,
    timeline::{Overlap, Span},
};

pub use attributes::Attributes;
pub(crate) use classes::Coded;
pub use columns::{Decimals, Integers, Moments, Texts, is_true, open as open_parquet};
pub(crate) use ids::Keys;
pub use ids::{Ids, JOINT, Key};
pub use origin::{Origin, Origins};
pub(crate) use pages::{Buffers, Source};
pub use subscriptions::Choice;
use subscriptions::Loaded;
pub use subscriptions::{FactFile, Portion, SubscriptionFacts};
pub(crate) use subscriptions::{beginning, distinct};

use crate::lake::{Lake, LakeError, SnapshotId};

/// What may keep the books from being opened.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file could not be read.
    #[error("cannot read `{file}`: {words}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the reader said.
        words: String,
    },
    /// A column is of another type than facts have.
    #[error("the column `{column}` holds {found}, where {wanted} is wanted")]
    WrongColumn {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What facts have.
        wanted: String,
    },
    /// A column that every fact has is not there.
    #[error("a file of facts has no column `{column}`")]
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A value that the importer does not write.
    #[error("a fact has `{value}` in the column `{column}`, which no import writes; was the file changed by hand?")]
    UnknownValue {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },
    /// More than the numbers hold.
    #[error("there are more {what} than one ledger holds (4,294,967,295); split the company over several data folders")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
    /// A price whose monthly value does not fit.
    #[error(
        "under this policy a price of {amount} {currency} is worth more a month than the ledger holds \
         (9,223,372,036,854.775807); correct the fact, or the policy's week and day factors"
    )]
    TooLarge {
        /// The unit amount.
        amount: String,
        /// Its currency.
        currency: String,
    },
    /// Facts are in several currencies and nobody said in which to report.
    #[error(
        "the facts are in several currencies ({currencies}), so say in which to report: --currency {first}, or once \
         for all with `recurve init --currency {first}`"
    )]
    SeveralCurrencies {
        /// The codes.
        currencies: String,
        /// One of them.
        first: String,
    },
    /// Exchange rates are missing.
    #[error(
        "{count} customers need exchange rates that are not known, the first: {from} to {to} on or before {day} \
         (customer `{customer}`); import them with `recurve import fx-rates FILE` (columns day, base, quote, rate), \
         or report in {from} with --currency {from}"
    )]
    MissingRates {
        /// How many customers are concerned.
        count: usize,
        /// The currency of the amount.
        from: Currency,
        /// The reporting currency.
        to: Currency,
        /// The day.
        day: Day,
        /// The first customer.
        customer: String,
    },
    /// The sum of a customer's contracts does not fit.
    #[error(
        "the MRR of customer `{customer}` is larger than the ledger holds (9,223,372,036,854.775807); correct the facts"
    )]
    CustomerTooLarge {
        /// The customer.
        customer: String,
    },
}

/// Under which choices the books are opened.
#[derive(Debug, Clone)]
pub struct View {
    /// The choices.
    pub policy: Policy,
    /// What the policy is called.
    pub policy_name: String,
    /// The business time zone.
    pub zone: Zone,
    /// The currency to report in; `None` for the one that the facts suggest.
    pub currency: Option<Currency>,
    /// Only what was recorded by then, in microseconds; `None` for everything.
    pub as_known_at: Option<i64>,
    /// *Now*, in microseconds.
    pub now: i64,
    /// Events and their weights in the health index, set by hand; none where they are to be learnt.
    pub health_weights: Vec<(String, f64)>,
}

/// The books.
pub struct Books {
    /// The choices under which they were opened.
    pub view: View,
    /// The currency of the ledger.
    pub reporting: Currency,
    /// Moments, ticks and days.
    pub ticks: Ticks,
    /// The subscription facts.
    pub facts: Arc<SubscriptionFacts>,
    /// The movements.
    pub ledger: Arc<Ledger>,
    /// Keys of the customers, in order.
    pub customers: Arc<Vec<Key>>,
    /// Keys of the subscription items, in order of their numbers.
    pub subscriptions: Arc<Vec<Key>>,
    /// Exchange rates.
    pub rates: Arc<Rates>,
    /// Rows of one subscription that claim the same time.
    pub overlaps: Vec<Overlap>,
    /// Facts that one import states in two ways.
    pub conflicts: Vec<Conflict>,
    /// Customers without movements, and why.
    pub errors: Vec<(u32, MovementError)>,
    /// The files of the subscription facts.
    pub files: Vec<FactFile>,
    /// The first fact of each of them.
    pub file_firsts: Vec<u32>,
    /// The last day on which amounts are valued again.
    revalue_until: Tick,
    /// Where the rest is read from, when it is asked for.
    lake: Option<Lake>,
    /// The snapshot that they were opened at; none where they are of chosen files or imports.
    snapshot: Option<SnapshotId>,
    /// Where they went on from books at an earlier snapshot, the customers whose ledger may be another one since.
    touched: Option<(SnapshotId, advance::Customers)>,
    /// What was summed for earlier questions.
    pub(crate) cubes: crate::engine::Cubes,
    /// Facts of other kinds that were read for earlier questions.
    pub(crate) shelf: crate::observed::Shelf,
    /// Where the facts came from, once somebody asked.
    pub(crate) origins: std::sync::OnceLock<Arc<Origins>>,
    /// Small files of later facts that were opened.
    opened: pages::Opened,
}

/// What people call customers as known at a time (now when none is given), without books; who has no name is not among them.
///
/// # Errors
/// When the facts cannot be read.
pub fn names_of<'a>(
    lake: &Lake,
    as_known_at: Option<i64>,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, String>, BooksError> {
    names::Names::default().of(lake, as_known_at, ids)
}

impl Books {
    /// Opens the books of a data folder.
    ///
    /// # Errors
    /// When facts cannot be read, or cannot be brought to one currency.
    pub fn open(lake: &Lake, view: View) -> Result<Self, BooksError> {
        let asked = view.currency;
        let books = Self::gather(lake, view)?.with_ledger()?;
        let currencies = currencies(&books.facts, books.lake(), books.view.as_known_at)?;
        reporting_currency(currencies, &books.rates, asked).or_else(|currencies| several_currencies(&currencies))?;
        books.refuse_errors()?;
        Ok(books)
    }

    /// Opens the books to look at the facts themselves: customers whose amounts cannot be brought to one currency have
    /// no movements, and are in [`Books::errors`].
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn survey(lake: &Lake, view: View) -> Result<Self, BooksError> {
        Self::gather(lake, view)?.with_ledger()
    }

    /// As [`Books::survey`], of the facts that some imports brought, taken from what is known now: by the import that each
    /// row names, where [`View::as_known_at`] goes by snapshots. Both ways must give the same.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn survey_of_imports(lake: &Lake, view: View, imports: &HashSet<i64>) -> Result<Self, BooksError> {
        Self::read(lake, view, None, imports)?.with_ledger()
    }

    fn gather(lake: &Lake, view: View) -> Result<Self, BooksError> {
        // Looked up first: what comes meanwhile is then taken for new, which it may be, and never for old.
        let snapshot = lake.snapshot(view.as_known_at)?;
        let known: HashSet<i64> = lake.import_numbers(view.as_known_at)?.into_iter().collect();
        let as_known_at = view.as_known_at;
        Ok(Self { snapshot: Some(snapshot), ..Self::read(lake, view, as_known_at, &known)? })
    }

    /// Reads the subscription facts of some imports from the files of a time.
    fn read(lake: &Lake, view: View, files_of: Option<i64>, known: &HashSet<i64>) -> Result<Self, BooksError> {
        let files = fact_files(lake, files_of, known)?;
        let rates = rates::load(lake, view.as_known_at)?;
        let choice = Choice { is_known: &|import| known.contains(&import), is_wanted: None };
        Self::facts_of_files(files, &choice, rates, Some(lake.clone()), view)
    }

    /// Makes books from files of subscription facts.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn of_files(
        files: Vec<FactFile>,
        is_known: &(dyn Fn(i64) -> bool + Sync),
        rates: (Rates, Option<Day>),
        lake: Option<Lake>,
        view: View,
    ) -> Result<Self, BooksError> {
        Self::facts_of_files(files, &Choice { is_known, is_wanted: None }, rates, lake, view)?.with_ledger()
    }

    /// Facts as books whose ledger is not made yet.
    fn facts_of_files(
        files: Vec<FactFile>,
        choice: &Choice<'_>,
        (rates, last_rate): (Rates, Option<Day>),
        lake: Option<Lake>,
        view: View,
    ) -> Result<Self, BooksError> {
        let ticks = Ticks::new(&view.policy, view.zone.clone());
        let Loaded { facts, customers, items, file_firsts } = subscriptions::load(&files, &ticks, choice)?;
        let reporting = reporting_currency(currencies(&facts, lake.as_ref(), view.as_known_at)?, &rates, view.currency);
        Ok(Self {
            // Whoever needs one currency has refused several by now; facts can be looked at in any.
            reporting: reporting.unwrap_or_else(|currencies| currencies.first().copied().unwrap_or(Currency::USD)),
            revalue_until: revalue_until(&ticks, last_rate),
            ticks,
            ledger: Arc::default(),
            customers: Arc::new(customers),
            subscriptions: Arc::new(items),
            rates: Arc::new(rates),
            overlaps: Vec::new(),
            conflicts: facts.conflicts.clone(),
            errors: Vec::new(),
            facts: Arc::new(facts),
            files,
            file_firsts,
            lake,
            snapshot: None,
            touched: None,
            cubes: crate::engine::Cubes::default(),
            shelf: crate::observed::Shelf::default(),
            origins: std::sync::OnceLock::new(),
            opened: pages::Opened::default(),
            view,
        })
    }

    fn with_ledger(mut self) -> Result<Self, BooksError> {
        self.work_out(true)?;
        Ok(self)
    }

    /// What the movement rule needs to know besides the terms of the rows that it is given.
    #[must_use]
    pub fn context<'a>(&'a self, terms: &'a [Terms]) -> Context<'a> {
        Context {
            policy: &self.view.policy,
            ticks: &self.ticks,
            offers: &self.facts.offers,
            terms,
            rates: &self.rates,
            reporting: self.reporting,
            revalue_until: self.revalue_until,
        }
    }

    /// Finds what is odd about the facts and, where wanted, makes the ledger: some shares at a time, so that it is
    /// never held twice.
    fn work_out(&mut self, with_ledger: bool) -> Result<(), BooksError> {
        /// Shares that are made before they are put together.
        const SHARES: usize = 64;
        let mut whole = Ledger::default();
        // Most facts make one movement. Room costs nothing until it is used.
        if with_ledger {
            whole.reserve(self.customers.len(), self.facts.len() + self.facts.len() / 8);
        }
        let (mut errors, mut overlaps, mut conflicts) = (Vec::new(), Vec::new(), std::mem::take(&mut self.conflicts));
        for shares in self.facts.shares.chunks(SHARES) {
            let made: Vec<Result<ledger::Share, BooksError>> = shares
                .par_iter()
                .map_init(Default::default, |(builder, portion): &mut (Builder, Portion), share| {
                    builder.share = ledger::Share::default();
                    if with_ledger {
                        builder.share.ledger.reserve(share.customers.len(), share.facts + share.facts / 8);
                    }
                    self.work_out_customers(portions(share), with_ledger, builder, portion)
                })
                .collect();
            for made in made {
                let mut made = made?;
                errors.extend(made.errors.iter().map(|(customer, _, error)| (*customer, *error)));
                overlaps.append(&mut made.overlaps);
                conflicts.append(&mut made.conflicts);
                whole.append(made.ledger);
            }
        }
        overlaps.sort_unstable();
        conflicts.sort_unstable();
        (self.ledger, self.errors, self.overlaps, self.conflicts) = (Arc::new(whole), errors, overlaps, conflicts);
        Ok(())
    }

    /// Works out some customers, and adds what comes of it to the builder's share.
    fn work_out_customers(
        &self,
        customers: impl Iterator<Item = Range<u32>>,
        with_ledger: bool,
        builder: &mut Builder,
        portion: &mut Portion,
    ) -> Result<ledger::Share, BooksError> {
        for customers in customers {
            self.facts
                .portion(customers.clone(), &self.view.policy, portion)
                .map_err(|too_dear| self.facts.too_large(too_dear))?;
            let Portion { rows, terms, worth } = portion;
            let (recorded, context) = (&self.facts.recorded, self.context(terms));
            if with_ledger {
                builder.append(rows, customers, worth, recorded, &context, |_, _| {});
            } else {
                builder.visit(rows, worth, recorded, &context, |_, _| {});
            }
        }
        Ok(std::mem::take(&mut builder.share))
    }

    fn refuse_errors(&self) -> Result<(), BooksError> {
        match self.errors.first() {
            None => Ok(()),
            Some((customer, MovementError::MissingRate(rate))) => Err(BooksError::MissingRates {
                count: self.errors.len(),
                from: rate.from,
                to: rate.to,
                day: rate.day,
                customer: self.customer_id(*customer),
            }),
            Some((customer, MovementError::TooLarge)) => {
                Err(BooksError::CustomerTooLarge { customer: self.customer_id(*customer) })
            }
        }
    }

    /// The MRR of a customer before a day, in micro-units.
    #[must_use]
    pub fn mrr_before(&self, customer: u32, day: Day) -> i128 {
        let rows = self.ledger.of_customer(customer as usize);
        let before = rows.take_while(|row| self.ledger.day[*row] < day.0);
        before.map(|row| i128::from(self.ledger.delta_micros[row])).sum()
    }

    /// Shows each customer (numbered over all shares) with their spans, on all cores.
    pub fn over_shares(&self, visit: impl Fn(u32, &[Span]) + Sync) {
        self.over_terms(|customer, spans, _| visit(customer, spans));
    }

    /// The same with the terms of the spans.
    pub fn over_terms(&self, visit: impl Fn(u32, &[Span], &[Terms]) + Sync) {
        self.facts.shares.par_iter().for_each_init(
            Default::default,
            |(builder, portion): &mut (Builder, Portion), share| {
                // What is odd was told when the ledger was made.
                builder.share = ledger::Share::default();
                for customers in portions(share) {
                    // Each price fitted when the ledger was made.
                    if self.facts.portion(customers, &self.view.policy, portion).is_err() {
                        continue;
                    }
                    let Portion { rows, terms, worth } = &mut *portion;
                    builder.visit(rows, worth, &self.facts.recorded, &self.context(terms), |customer, spans| {
                        visit(customer, spans, terms);
                    });
                }
            },
        );
    }

    /// The id of a customer.
    #[must_use]
    pub fn customer_id(&self, customer: u32) -> String {
        self.customers.get(customer as usize).map_or(String::new(), |key| self.facts.customer_ids.text(*key))
    }

    /// The number of a customer by its id.
    #[must_use]
    pub fn customer_of_id(&self, id: &str) -> Option<u32> {
        let key = self.facts.customer_ids.key(id)?;
        self.customers.binary_search(&key).ok().map(|index| index as u32)
    }

    /// The id of a subscription with its item, as they are told apart.
    #[must_use]
    pub fn item_id(&self, item: u32) -> String {
        let key = self.subscriptions.get(item as usize);
        key.map_or(String::new(), |key| self.facts.subscription_ids.text(*key))
    }

    /// The id of a subscription, without its item.
    #[must_use]
    pub fn subscription_id(&self, subscription: u32) -> String {
        let text = self.item_id(subscription);
        match text.split_once(JOINT) {
            Some((id, _)) => id.to_owned(),
            None => text,
        }
    }

    /// For each subscription item the number of its subscription: items of one lie side by side.
    #[must_use]
    pub fn subscriptions_of_items(&self) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.subscriptions.len());
        let mut before = String::new();
        for item in 0..self.subscriptions.len() as u32 {
            let id = self.subscription_id(item);
            let same = item > 0 && id == before;
            numbers.push(if same { numbers.last().copied().unwrap_or(item) } else { item });
            before = id;
        }
        numbers
    }

    /// The lake that the books were opened from.
    #[must_use]
    pub fn lake(&self) -> Option<&Lake> {
        self.lake.as_ref()
    }

    /// The first day that is not over yet by *now*: changes of days before it have happened.
    #[must_use]
    pub fn first_day_to_come(&self) -> Day {
        self.first_day_of(&self.view)
    }

    /// The same by the *now* of another view.
    fn first_day_of(&self, view: &View) -> Day {
        self.ticks.zone().day_of_instant(view.now).plus_days(1)
    }

    /// The snapshot that they are of; none where they are of chosen files or imports.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshot
    }

    /// The customers' attributes as known.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn attributes(&self, names: &[String]) -> Result<BTreeMap<String, Attributes>, BooksError> {
        attributes::load(self, names)
    }

    /// The names of customers; who has none is not among them.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn names<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<HashMap<String, String>, BooksError> {
        match &self.lake {
            Some(lake) => self.cubes.names.of(lake, self.view.as_known_at, ids),
            None => Ok(HashMap::new()),
        }
    }

    /// The customers whose name has a text in it, whatever its case.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn customers_called(&self, text: &str) -> Result<HashSet<String>, BooksError> {
        match &self.lake {
            Some(lake) => names::holding(lake, self.view.as_known_at, text),
            None => Ok(HashSet::new()),
        }
    }

    /// Whether there are facts of a kind.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub fn has_facts(&self, table: &str) -> Result<bool, BooksError> {
        if table == "subscription" {
            return Ok(!self.facts.is_empty());
        }
        let Some(lake) = &self.lake else { return Ok(false) };
        Ok(lake.table_schema(table)?.is_some()
            && lake.files(table, self.view.as_known_at)?.iter().any(|file| file.rows > 0))
    }
}

/// The files of the subscription facts of some imports, as a snapshot names them.
fn fact_files(lake: &Lake, files_of: Option<i64>, known: &HashSet<i64>) -> Result<Vec<FactFile>, BooksError> {
    if lake.table_schema("subscription")?.is_none() {
        return Ok(Vec::new());
    }
    let files = lake.files("subscription", files_of)?.into_iter();
    let known = files.filter(|file| file.import.is_none_or(|import| known.contains(&import)));
    Ok(known.map(|file| FactFile::from(&file)).collect())
}

/// The last day on which amounts are valued again. A rate holds until the next one, so the month of the last one is still
/// valued at its end.
fn revalue_until(ticks: &Ticks, last_rate: Option<Day>) -> Tick {
    last_rate.map_or(Tick::MIN, |day| ticks.of_day(day.first_of(Grain::Month).plus_months(1).plus_days(-1)))
}

/// The customers of a share, so many at a time that what is made of them stays in the cache.
fn portions(share: &subscriptions::Share) -> impl Iterator<Item = std::ops::Range<u32>> {
    const CUSTOMERS: u32 = 64;
    let last = share.customers.end;
    share.customers.clone().step_by(CUSTOMERS as usize).map(move |first| first..(first + CUSTOMERS).min(last))
}

/// Kinds of fact with amounts, which say what the currency is while there are no subscriptions.
const OF_MONEY: &[&str] = &["invoice_line", "payment", "contract", "spend", "cost", "cash_balance"];

/// The currencies in which offers are.
fn currencies_of(offers: &[Offer]) -> BTreeSet<Currency> {
    offers.iter().map(|offer| offer.currency).collect()
}

/// The currencies of the subscriptions; of other facts with amounts while there are none.
fn currencies(
    facts: &SubscriptionFacts,
    lake: Option<&Lake>,
    as_known_at: Option<i64>,
) -> Result<Vec<Currency>, BooksError> {
    let mut currencies = currencies_of(&facts.offers);
    let tables = if currencies.is_empty() { OF_MONEY } else { &[] };
    for (lake, table) in lake.iter().flat_map(|lake| tables.iter().map(move |table| (lake, table))) {
        if lake.table_schema(table)?.is_none() {
            continue;
        }
        for batch in lake.read(table, &["currency"], as_known_at)? {
            let batch = batch?;
            let codes = Texts::of(&batch, "currency")?;
            currencies.extend((0..batch.num_rows()).filter_map(|row| Currency::parse(codes.get(row)?)));
        }
    }
    Ok(currencies.into_iter().collect())
}

/// The currency to report in: the one asked for, the only one there is, or the one that all rates lead to. Several
/// currencies come back as what they are.
fn reporting_currency(
    currencies: Vec<Currency>,
    rates: &Rates,
    asked: Option<Currency>,
) -> Result<Currency, Vec<Currency>> {
    if let Some(currency) = asked {
        return Ok(currency);
    }
    match (currencies.as_slice(), rates.quotes().as_slice()) {
        ([only], _) | (_, [only]) => Ok(*only),
        ([], _) => Ok(Currency::USD),
        _ => Err(currencies),
    }
}

fn several_currencies(currencies: &[Currency]) -> Result<Currency, BooksError> {
    Err(BooksError::SeveralCurrencies {
        currencies: currencies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        first: currencies.first().map_or("USD".to_owned(), ToString::to_string),
    })
}
