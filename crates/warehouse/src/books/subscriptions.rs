//! Subscription facts from Parquet into the shape the method works on.

use std::path::PathBuf;

use arrow::{
    array::{Array, BooleanArray, RecordBatch},
    compute::filter_record_batch,
};
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable, hash_map::Entry, hash_table::Entry as TableEntry};
use rayon::prelude::*;
use revenue::{
    calendar::Moment,
    fact::{Conflict, NEVER, Offer, Reason, Recorded, Row, Status, Terms, Tick, Ticks, resolve},
    money::{Currency, parse_scaled},
    price::{Discount, DiscountDuration, Interval, Price, Pricing, Tier},
};

use super::{
    BooksError,
    columns::{Decimals, Integers, Moments, Texts, is_true, open},
    ids::{IdColumn, Ids, Key, joined},
};

/// The columns that decide what a subscription is worth.
pub(super) const COLUMNS: &[&str] = &[
    "source",
    "import",
    "withdrawn",
    "subscription",
    "item",
    "customer",
    "plan",
    "product",
    "currency",
    "amount",
    "pricing",
    "tiers",
    "package_size",
    "interval",
    "interval_count",
    "quantity",
    "usage_type",
    "discount_percent",
    "discount_amount",
    "discount_duration",
    "discount_end",
    "status",
    "trial_end",
    "cancel_at",
    "cancel_requested_at",
    "cancel_reason",
    "start",
    "end",
];

/// Those of them that hold few different texts.
const FEW: &[&str] = &[
    "source",
    "plan",
    "product",
    "currency",
    "pricing",
    "tiers",
    "interval",
    "usage_type",
    "discount_duration",
    "status",
    "cancel_reason",
];

/// A file of subscription facts; files come in the order of their imports.
#[derive(Debug, Clone)]
pub struct FactFile {
    /// Where it is.
    pub path: PathBuf,
    /// The import that recorded all of it; `None` when each row says it for itself.
    pub import: Option<i64>,
}

/// Subscription facts, sorted by customer and subscription, in shares of whole customers.
pub struct SubscriptionFacts {
    /// Reads customers' keys.
    pub customer_ids: Ids,
    /// Reads subscriptions' keys (with their items).
    pub subscription_ids: Ids,
    /// What is sold, sorted.
    pub offers: Vec<Offer>,
    /// What rows state, sorted.
    pub terms: Vec<Terms>,
    /// The shares, in order of customers.
    pub shares: Vec<Share>,
    /// Which import recorded which facts.
    pub recorded: Recorded,
    /// The first fact of each file.
    pub file_firsts: Vec<u32>,
    /// Facts that several customers claim.
    pub conflicts: Vec<Conflict>,
    /// Trials and cancellations by fact; empty when no fact has any.
    times: Vec<RareTimes>,
}

/// Facts of some customers.
#[derive(Debug, Default)]
pub struct Share {
    /// The facts, sorted by customer, subscription, start and fact.
    pub facts: Vec<Keyed>,
    /// Customers in the shares before.
    pub customers_before: u32,
    /// Customers in this share.
    pub customers: u32,
    /// Subscription items in the shares before (an item of two customers counts twice).
    pub subscriptions_before: u32,
    /// Subscription items in this share.
    pub subscriptions: u32,
}

/// One fact with its ids as keys. Ten million of them are sorted.
#[derive(Debug, Clone, Copy)]
pub struct Keyed {
    /// The customer's key.
    pub customer: Key,
    /// The subscription's key.
    pub subscription: Key,
    /// Index into the terms.
    pub terms: u32,
    /// Index of the fact.
    pub fact: u32,
    /// The first tick.
    pub start: Tick,
    /// The first tick no more.
    pub end: Tick,
}

/// Times that few facts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RareTimes {
    start_offset: u32,
    trial_end: Tick,
    cancel_at: Tick,
    cancel_requested_at: Tick,
}

const NO_TIMES: RareTimes =
    RareTimes { start_offset: 0, trial_end: Tick::MIN, cancel_at: NEVER, cancel_requested_at: NEVER };

/// What rows say, column by column, before they are sorted.
struct Read {
    customers: IdColumn,
    subscriptions: IdColumn,
    terms: Vec<u32>,
    starts: Vec<Tick>,
    ends: Vec<Tick>,
    /// Trials and cancellations by fact; empty until the first fact that has one.
    times: Vec<RareTimes>,
}

impl Read {
    fn with_capacity(rows: usize) -> Self {
        Self {
            customers: IdColumn::with_capacity(rows),
            subscriptions: IdColumn::with_capacity(rows),
            terms: Vec::with_capacity(rows),
            starts: Vec::with_capacity(rows),
            ends: Vec::with_capacity(rows),
            times: Vec::new(),
        }
    }
}

/// Everything that makes a row's terms but the amount and the quantity, as codes. Few rows have a class of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Class {
    plan: u32,
    product: u32,
    currency: u32,
    pricing: u32,
    tiers: u32,
    interval: u32,
    usage: u32,
    duration: u32,
    status: u32,
    reason: u32,
    discount_end: Tick,
    has_discount: bool,
    withdrawn: bool,
    package_size: i64,
    interval_count: i64,
    discount_amount_picos: i128,
    discount_percent_picos: i128,
}

/// A class with its amount and quantity: what terms are made of. Small, because there may be millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Priced {
    amount_picos: i128,
    quantity: i64,
    class: u32,
}

/// Numbers the terms of rows as they are read.
#[derive(Default)]
struct Numbered {
    columns: CodedColumns,
    classes: Vec<Class>,
    known_classes: HashMap<Class, u32>,
    priced: Vec<Priced>,
    known_priced: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Room that is used again for each batch.
    batch: Vec<Priced>,
    hashes: Vec<u64>,
}

impl Numbered {
    fn class(&mut self, class: Class) -> Result<u32, BooksError> {
        match self.known_classes.entry(class) {
            Entry::Occupied(entry) => Ok(*entry.get()),
            Entry::Vacant(entry) => {
                let number = u32::try_from(self.classes.len()).map_err(|_| BooksError::TooMany { what: "terms" })?;
                self.classes.push(class);
                Ok(*entry.insert(number))
            }
        }
    }

    /// Numbers the terms of a batch of rows. Hashes come first and look-ups after them in a loop of their own, so that
    /// the memory that one look-up waits for is fetched while others go on.
    fn number_batch(&mut self, batch: &[Priced], numbers: &mut Vec<u32>) -> Result<(), BooksError> {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(batch.iter().map(|priced| self.hasher.hash_one(priced)));
        for (priced, hash) in batch.iter().zip(&hashes) {
            numbers.push(self.priced(*priced, *hash)?);
        }
        self.hashes = hashes;
        Ok(())
    }

    fn priced(&mut self, priced: Priced, hash: u64) -> Result<u32, BooksError> {
        let entries = &mut self.priced;
        let entry = self.known_priced.entry(
            hash,
            |number| entries[*number as usize] == priced,
            |number| self.hasher.hash_one(entries[*number as usize]),
        );
        match entry {
            TableEntry::Occupied(entry) => Ok(*entry.get()),
            TableEntry::Vacant(free) => {
                let number = u32::try_from(entries.len()).map_err(|_| BooksError::TooMany { what: "terms" })?;
                free.insert(number);
                entries.push(priced);
                Ok(number)
            }
        }
    }
}

/// Gives each different text of a column a number; 0 stands for null.
#[derive(Default)]
struct Coded {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    /// The numbers of the dictionary that was seen last, so that its texts are looked up once.
    dictionary: Vec<u32>,
    last_dictionary: Option<*const u8>,
}

impl Coded {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.texts.push(text.to_owned());
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// Prepares for a batch of rows.
    fn begin(&mut self, column: &Texts<'_>) {
        if let Texts::Dictionary(_, values) = column {
            // Batches of one page share a dictionary. The address alone could be used again by another one, so the
            // codes are made anew unless texts and address agree.
            let address = values.value_data().as_ptr();
            let same = self.last_dictionary == Some(address)
                && self.dictionary.len() == values.len()
                && (0..values.len()).all(|index| {
                    self.dictionary[index] == 0
                        || self
                            .texts
                            .get(self.dictionary[index] as usize - 1)
                            .is_some_and(|text| text == values.value(index))
                });
            if !same {
                self.dictionary = (0..values.len())
                    .map(|index| if values.is_valid(index) { self.number(values.value(index)) } else { 0 })
                    .collect();
                self.last_dictionary = Some(address);
            }
        }
    }

    /// The number of a row's text.
    #[inline]
    fn of(&mut self, column: &Texts<'_>, row: usize) -> u32 {
        match column {
            Texts::Absent => 0,
            Texts::Dictionary(dictionary, _) => {
                dictionary.key(row).and_then(|key| self.dictionary.get(key)).copied().unwrap_or(0)
            }
            Texts::Plain(_) => column.get(row).map_or(0, |text| self.number(text)),
        }
    }

    fn text(&self, number: u32) -> &str {
        number.checked_sub(1).and_then(|index| self.texts.get(index as usize)).map_or("", String::as_str)
    }
}

/// The columns that make terms, each with its codes.
#[derive(Default)]
struct CodedColumns {
    plan: Coded,
    product: Coded,
    currency: Coded,
    pricing: Coded,
    tiers: Coded,
    interval: Coded,
    usage: Coded,
    duration: Coded,
    status: Coded,
    reason: Coded,
}

/// Reads facts from files, numbers what they speak of and sorts them by customer and subscription.
///
/// Rows of imports that `is_known` denies are passed over: merged files hold what came later as well.
pub fn load(
    files: &[FactFile],
    ticks: &Ticks,
    is_known: &dyn Fn(i64) -> bool,
) -> Result<SubscriptionFacts, BooksError> {
    let mut numbered = Numbered::default();
    let mut read = Read::with_capacity(count_rows(files)?);
    let mut file_firsts = Vec::new();
    let mut import_firsts = Vec::new();
    let mut last_import = None;
    let several_sources = several_sources(files)?;
    for file in files {
        let first = u32::try_from(read.terms.len()).map_err(|_| BooksError::TooMany { what: "facts" })?;
        file_firsts.push(first);
        for batch in open(&file.path, COLUMNS, FEW)? {
            let batch = batch.map_err(|error| unreadable_file(file, &error))?;
            let batch = match file.import {
                Some(import) => {
                    if last_import != Some(import) {
                        import_firsts.push(read.terms.len() as u32);
                        last_import = Some(import);
                    }
                    batch
                }
                None => {
                    let (batch, imports) = known_rows(&batch, is_known)?;
                    for (row, import) in imports.iter().enumerate() {
                        if last_import != Some(*import) {
                            import_firsts.push((read.terms.len() + row) as u32);
                            last_import = Some(*import);
                        }
                    }
                    batch
                }
            };
            read_batch(&batch, several_sources, ticks, &mut numbered, &mut read)?;
        }
    }
    let (offers, terms) = settle_terms(numbered)?;
    let Read { customers, subscriptions, terms: term_numbers, starts, ends, times } = read;
    let (customer_ids, customer_keys) = customers.finish();
    let (subscription_ids, subscription_keys) = subscriptions.finish();
    let keyed = |fact: usize| Keyed {
        customer: customer_keys[fact],
        subscription: subscription_keys[fact],
        terms: term_numbers[fact],
        fact: fact as u32,
        start: starts[fact],
        end: ends[fact],
    };
    let mut buckets = spread(&customer_keys, keyed);
    drop((customer_keys, subscription_keys, term_numbers, starts, ends));
    buckets.par_iter_mut().for_each(|facts| {
        facts.sort_unstable_by_key(|fact| (fact.customer, fact.subscription, fact.start, fact.fact));
    });
    let mut facts = SubscriptionFacts {
        customer_ids,
        subscription_ids,
        offers,
        terms,
        shares: buckets.into_iter().map(|facts| Share { facts, ..Share::default() }).collect(),
        recorded: Recorded::new(import_firsts),
        file_firsts,
        conflicts: Vec::new(),
        times,
    };
    facts.settle_moved();
    facts.count();
    Ok(facts)
}

impl SubscriptionFacts {
    /// How many customers there are.
    #[must_use]
    pub fn customers(&self) -> u32 {
        self.shares.last().map_or(0, |share| share.customers_before + share.customers)
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shares.iter().map(|share| share.facts.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// The rows of a share as the method takes them: customers are numbered from 0 within the share, subscription
    /// items over all shares.
    pub fn rows(&self, share: &Share, rows: &mut Vec<Row>) {
        rows.clear();
        rows.reserve(share.facts.len());
        let (mut customer, mut subscription) = (0, share.subscriptions_before);
        let mut before: Option<&Keyed> = None;
        for fact in &share.facts {
            if let Some(before) = before {
                let other_customer = before.customer != fact.customer;
                customer += u32::from(other_customer);
                subscription += u32::from(other_customer || before.subscription != fact.subscription);
            }
            before = Some(fact);
            rows.push(self.row(fact, customer, subscription));
        }
    }

    fn row(&self, fact: &Keyed, customer: u32, subscription: u32) -> Row {
        let times = self.times.get(fact.fact as usize).copied().unwrap_or(NO_TIMES);
        Row {
            customer,
            subscription,
            terms: fact.terms,
            fact: fact.fact,
            start: fact.start,
            start_offset: times.start_offset,
            end: fact.end,
            trial_end: times.trial_end,
            cancel_at: times.cancel_at,
            cancel_requested_at: times.cancel_requested_at,
        }
    }

    fn count(&mut self) {
        let (mut customers_before, mut subscriptions_before) = (0, 0);
        for share in &mut self.shares {
            let (mut customers, mut subscriptions) = (0, 0);
            let mut before: Option<&Keyed> = None;
            for fact in &share.facts {
                let other_customer = before.is_none_or(|before| before.customer != fact.customer);
                let other_item = before.is_none_or(|before| before.subscription != fact.subscription);
                customers += u32::from(other_customer);
                subscriptions += u32::from(other_customer || other_item);
                before = Some(fact);
            }
            (share.customers, share.subscriptions) = (customers, subscriptions);
            (share.customers_before, share.subscriptions_before) = (customers_before, subscriptions_before);
            customers_before += customers;
            subscriptions_before += subscriptions;
        }
    }

    /// A fact of a subscription may have been corrected to belong to another customer. Versions of one fact must be
    /// weighed against each other before customers are looked at apart.
    fn settle_moved(&mut self) {
        let mut items: Vec<(Key, Key)> = Vec::new();
        for share in &self.shares {
            for pair in share.facts.chunk_by(|a, b| a.subscription == b.subscription && a.customer == b.customer) {
                if let Some(first) = pair.first() {
                    items.push((first.subscription, first.customer));
                }
            }
        }
        items.par_sort_unstable();
        let mut moved: Vec<Key> =
            items.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0).collect();
        drop(items);
        moved.dedup();
        if moved.is_empty() {
            return;
        }
        let mut claims: Vec<Keyed> = self
            .shares
            .iter()
            .flat_map(|share| &share.facts)
            .filter(|fact| moved.binary_search(&fact.subscription).is_ok())
            .copied()
            .collect();
        let offset = |fact: &Keyed| self.times.get(fact.fact as usize).map_or(0, |times| times.start_offset);
        claims.sort_unstable_by_key(|fact| (fact.subscription, fact.start, offset(fact), fact.fact));
        let mut refused = std::collections::BTreeSet::new();
        let mut conflicts = Vec::new();
        for versions in
            claims.chunk_by(|a, b| a.subscription == b.subscription && a.start == b.start && offset(a) == offset(b))
        {
            if versions.iter().all(|fact| fact.customer == versions[0].customer) {
                continue;
            }
            let mut customers: Vec<Key> = versions.iter().map(|fact| fact.customer).collect();
            customers.sort_unstable();
            customers.dedup();
            let mut rows: Vec<Row> = versions
                .iter()
                .map(|fact| self.row(fact, customers.partition_point(|other| *other < fact.customer) as u32, 0))
                .collect();
            let kept = resolve(&mut rows, &self.terms, &self.recorded, &mut conflicts);
            let kept: Vec<u32> = rows[..kept].iter().map(|row| row.fact).collect();
            refused.extend(versions.iter().map(|fact| fact.fact).filter(|fact| !kept.contains(fact)));
        }
        for share in &mut self.shares {
            share.facts.retain(|fact| !refused.contains(&fact.fact));
        }
        self.shares.retain(|share| !share.facts.is_empty());
        self.conflicts = conflicts;
    }

    /// The keys of the customers, in order.
    #[must_use]
    pub fn customer_keys(&self) -> Vec<Key> {
        self.keys(|a, b| a.customer == b.customer, |fact| fact.customer)
    }

    /// The keys of the subscription items, in the order in which they are numbered.
    #[must_use]
    pub fn subscription_keys(&self) -> Vec<Key> {
        self.keys(|a, b| a.customer == b.customer && a.subscription == b.subscription, |fact| fact.subscription)
    }

    fn keys(&self, same: impl Fn(&Keyed, &Keyed) -> bool, key: impl Fn(&Keyed) -> Key) -> Vec<Key> {
        let facts = self.shares.iter().flat_map(|share| share.facts.chunk_by(|a, b| same(a, b)));
        facts.filter_map(|chunk| chunk.first()).map(key).collect()
    }
}

/// Spreads facts over buckets of whole customers, in the order of customers' keys.
fn spread(keys: &[Key], keyed: impl Fn(usize) -> Keyed) -> Vec<Vec<Keyed>> {
    /// Facts in a bucket, so that it is sorted within the cache.
    const FACTS_PER_BUCKET: usize = 8_192;
    const SAMPLES_PER_BUCKET: usize = 16;
    let wanted = (keys.len() / FACTS_PER_BUCKET).clamp(1, 4_096);
    let step = (keys.len() / (wanted * SAMPLES_PER_BUCKET)).max(1);
    let mut sample: Vec<Key> = keys.iter().step_by(step).copied().collect();
    sample.sort_unstable();
    let mut splitters: Vec<Key> = (1..wanted).map(|bucket| sample[bucket * sample.len() / wanted]).collect();
    splitters.dedup();
    let bucket_of: Vec<u16> =
        keys.iter().map(|key| splitters.partition_point(|splitter| splitter <= key) as u16).collect();
    let mut sizes = vec![0usize; splitters.len() + 1];
    for bucket in &bucket_of {
        sizes[*bucket as usize] += 1;
    }
    let mut buckets: Vec<Vec<Keyed>> = sizes.into_iter().map(Vec::with_capacity).collect();
    for (fact, bucket) in bucket_of.iter().enumerate() {
        buckets[*bucket as usize].push(keyed(fact));
    }
    buckets.retain(|bucket| !bucket.is_empty());
    buckets
}

pub(super) fn unreadable_file(file: &FactFile, error: &dyn std::fmt::Display) -> BooksError {
    BooksError::Unreadable { file: file.path.display().to_string(), words: error.to_string() }
}

/// The rows of a batch that are known, with the import of each.
fn known_rows(batch: &RecordBatch, is_known: &dyn Fn(i64) -> bool) -> Result<(RecordBatch, Vec<i64>), BooksError> {
    let imports = Integers::of(batch, "import")?;
    let of_row: Vec<i64> = (0..batch.num_rows()).map(|row| imports.get(row).unwrap_or(0)).collect();
    let keep: BooleanArray = of_row.iter().map(|import| Some(is_known(*import))).collect();
    let known = filter_record_batch(batch, &keep)
        .map_err(|error| BooksError::Unreadable { file: "a merged file".to_owned(), words: error.to_string() })?;
    Ok((known, of_row.into_iter().filter(|import| is_known(*import)).collect()))
}

/// Whether facts come from more than one source, so that their subscriptions must be told apart by it.
fn several_sources(files: &[FactFile]) -> Result<bool, BooksError> {
    let mut first: Option<String> = None;
    for file in files {
        for batch in open(&file.path, &["source"], &["source"])? {
            let batch = batch.map_err(|error| unreadable_file(file, &error))?;
            let values = match Texts::of(&batch, "source")? {
                Texts::Absent => break,
                // The rows of a page refer to few texts: looking at those is enough to find a second source.
                Texts::Dictionary(_, values) | Texts::Plain(values) => values,
            };
            for text in values.iter().flatten() {
                match &first {
                    None => first = Some(text.to_owned()),
                    Some(known) if known != text => return Ok(true),
                    Some(_) => {}
                }
            }
        }
    }
    Ok(false)
}

fn read_batch(
    batch: &RecordBatch,
    several_sources: bool,
    ticks: &Ticks,
    numbered: &mut Numbered,
    read: &mut Read,
) -> Result<(), BooksError> {
    let column = |name: &str| {
        batch.column_by_name(name).cloned().ok_or_else(|| BooksError::MissingColumn { column: name.to_owned() })
    };
    let texts = |name| Texts::of(batch, name);
    let (plan, product, currency) = (texts("plan")?, texts("product")?, texts("currency")?);
    let (pricing, tiers, interval) = (texts("pricing")?, texts("tiers")?, texts("interval")?);
    let (usage, duration, status) = (texts("usage_type")?, texts("discount_duration")?, texts("status")?);
    let (reason, item, source) = (texts("cancel_reason")?, texts("item")?, texts("source")?);
    let amount = Decimals::of(batch, "amount")?;
    let (percent, discount) = (Decimals::of(batch, "discount_percent")?, Decimals::of(batch, "discount_amount")?);
    let (quantity, count) = (Integers::of(batch, "quantity")?, Integers::of(batch, "interval_count")?);
    let package = Integers::of(batch, "package_size")?;
    let (start, end) = (Moments::of(batch, "start")?, Moments::of(batch, "end")?);
    let (trial_end, cancel_at) = (Moments::of(batch, "trial_end")?, Moments::of(batch, "cancel_at")?);
    let requested = Moments::of(batch, "cancel_requested_at")?;
    let discount_end = Moments::of(batch, "discount_end")?;
    // A start that is a day begins its tick; only instants lie within one.
    let rare = start.has_instants() || !(trial_end.is_absent() && cancel_at.is_absent() && requested.is_absent());
    let tick = |moment: Option<Moment>, none: Tick| moment.map_or(none, |moment| ticks.of(moment));
    let withdrawn = batch.column_by_name("withdrawn").is_some();

    let columns = &mut numbered.columns;
    for (coded, texts) in [
        (&mut columns.plan, &plan),
        (&mut columns.product, &product),
        (&mut columns.currency, &currency),
        (&mut columns.pricing, &pricing),
        (&mut columns.tiers, &tiers),
        (&mut columns.interval, &interval),
        (&mut columns.usage, &usage),
        (&mut columns.duration, &duration),
        (&mut columns.status, &status),
        (&mut columns.reason, &reason),
    ] {
        coded.begin(texts);
    }
    let mut last: Option<(Class, u32)> = None;
    let mut rows = std::mem::take(&mut numbered.batch);
    rows.clear();
    for row in 0..batch.num_rows() {
        let (percent, discount) = (percent.picos(row), discount.picos(row));
        let columns = &mut numbered.columns;
        let class = Class {
            plan: columns.plan.of(&plan, row),
            product: columns.product.of(&product, row),
            currency: columns.currency.of(&currency, row),
            pricing: columns.pricing.of(&pricing, row),
            tiers: columns.tiers.of(&tiers, row),
            interval: columns.interval.of(&interval, row),
            usage: columns.usage.of(&usage, row),
            duration: columns.duration.of(&duration, row),
            status: columns.status.of(&status, row),
            reason: columns.reason.of(&reason, row),
            discount_end: tick(discount_end.get(row), NEVER),
            has_discount: percent.is_some() || discount.is_some(),
            withdrawn: withdrawn && is_true(batch, "withdrawn", row),
            package_size: package.get(row).unwrap_or(1),
            interval_count: count.get(row).unwrap_or(1),
            discount_amount_picos: discount.unwrap_or(0),
            discount_percent_picos: percent.unwrap_or(0),
        };
        let number = match last {
            Some((known, number)) if known == class => number,
            _ => numbered.class(class)?,
        };
        last = Some((class, number));
        rows.push(Priced {
            amount_picos: amount.picos(row).unwrap_or(0),
            quantity: quantity.get(row).unwrap_or(1),
            class: number,
        });
        read.starts.push(tick(start.get(row), Tick::MIN));
        read.ends.push(tick(end.get(row), NEVER));
        if rare || !read.times.is_empty() {
            let times = RareTimes {
                start_offset: start.get(row).map_or(0, |moment| ticks.offset(moment)),
                trial_end: tick(trial_end.get(row), Tick::MIN),
                cancel_at: tick(cancel_at.get(row), NEVER),
                cancel_requested_at: tick(requested.get(row), NEVER),
            };
            if times != NO_TIMES || !read.times.is_empty() {
                // Facts before the first that has such times have none.
                read.times.resize(read.starts.len() - 1, NO_TIMES);
                read.times.push(times);
            }
        }
    }
    numbered.number_batch(&rows, &mut read.terms)?;
    numbered.batch = rows;
    read.customers.push(&column("customer")?)?;
    let subscription = column("subscription")?;
    let parts = !matches!(item, Texts::Absent) || several_sources;
    let subscription = if parts {
        joined(&subscription, |row| {
            let item = item.get(row);
            match (item, several_sources.then(|| source.get(row)).flatten()) {
                (item, Some(source)) => Some(format!("{}{}{source}", item.unwrap_or_default(), super::ids::JOINT)),
                (Some(item), None) => Some(item.to_owned()),
                (None, None) => None,
            }
        })?
    } else {
        subscription
    };
    read.subscriptions.push(&subscription)
}

/// How many rows files hold, so that room is made once.
fn count_rows(files: &[FactFile]) -> Result<usize, BooksError> {
    files.iter().map(|file| super::columns::rows_in(&file.path)).sum()
}

/// Turns codes into offers, sorted by content, and terms.
fn settle_terms(numbered: Numbered) -> Result<(Vec<Offer>, Vec<Terms>), BooksError> {
    let Numbered { columns, classes, priced, .. } = numbered;
    let of_class = classes.iter().map(|class| offer_of(class, &columns)).collect::<Result<Vec<Offer>, _>>()?;
    let mut offers = of_class.clone();
    offers.sort_unstable();
    offers.dedup();
    // What a class says is read once; its rows differ in amount and quantity alone.
    let patterns = classes
        .iter()
        .zip(&of_class)
        .map(|(class, offer)| terms_of(class, offers.partition_point(|other| other < offer) as u32, &columns))
        .collect::<Result<Vec<Terms>, _>>()?;
    let terms = priced
        .iter()
        .map(|found| {
            let mut terms = patterns[found.class as usize].clone();
            terms.price.amount_picos = found.amount_picos;
            terms.price.quantity = found.quantity;
            terms
        })
        .collect();
    Ok((offers, terms))
}

/// A value that the importer would have refused: the file was not written by it.
fn unreadable(column: &str, value: &str) -> BooksError {
    BooksError::UnknownValue { column: column.to_owned(), value: value.to_owned() }
}

fn offer_of(code: &Class, coded: &CodedColumns) -> Result<Offer, BooksError> {
    let currency = coded.currency.text(code.currency);
    let interval = coded.interval.text(code.interval);
    Ok(Offer {
        plan: coded.plan.text(code.plan).to_owned(),
        product: coded.product.text(code.product).to_owned(),
        interval: Interval::parse(interval).ok_or_else(|| unreadable("interval", interval))?,
        interval_count: i32::try_from(code.interval_count.max(1)).unwrap_or(i32::MAX),
        currency: Currency::parse(currency).ok_or_else(|| unreadable("currency", currency))?,
    })
}

fn terms_of(code: &Class, offer: u32, coded: &CodedColumns) -> Result<Terms, BooksError> {
    let status = coded.status.text(code.status);
    let status = match status {
        _ if code.withdrawn => Status::Withdrawn,
        "" => Status::Active,
        _ => Status::parse(status).ok_or_else(|| unreadable("status", status))?,
    };
    let tiers = coded.tiers.text(code.tiers);
    let pricing = match coded.pricing.text(code.pricing) {
        "" | "per_unit" if tiers.is_empty() => Pricing::PerUnit,
        "flat" => Pricing::Flat,
        "package" => Pricing::Package { size: code.package_size.max(1) },
        "volume" => Pricing::Volume(read_tiers(tiers)?),
        "graduated" | "" | "per_unit" => Pricing::Graduated(read_tiers(tiers)?),
        other => return Err(unreadable("pricing", other)),
    };
    let duration = match coded.duration.text(code.duration) {
        "once" => DiscountDuration::Once,
        "repeating" => DiscountDuration::Repeating,
        "" | "forever" => DiscountDuration::Forever,
        months => DiscountDuration::Months(months.parse().map_err(|_| unreadable("discount_duration", months))?),
    };
    let discount = code.has_discount.then(|| Discount {
        percent_millionths: i64::try_from(code.discount_percent_picos / 1_000_000).unwrap_or(i64::MAX),
        amount_picos: code.discount_amount_picos,
        duration,
    });
    let interval = coded.interval.text(code.interval);
    Ok(Terms {
        offer,
        status,
        price: Price {
            amount_picos: 0,
            quantity: 0,
            pricing,
            interval: Interval::parse(interval).unwrap_or(Interval::OneOff),
            interval_count: i32::try_from(code.interval_count.max(1)).unwrap_or(i32::MAX),
            discount,
        },
        metered: match coded.usage.text(code.usage) {
            "" | "licensed" => false,
            "metered" => true,
            other => return Err(unreadable("usage_type", other)),
        },
        discount_end: code.discount_end,
        cancel_reason: Reason::of_words(coded.reason.text(code.reason)),
    })
}

/// Reads `10:5.00:0; inf:4.00:0`: the last unit of each tier, the price of a unit and the price of the tier itself.
pub fn read_tiers(text: &str) -> Result<Vec<Tier>, BooksError> {
    text.split(';')
        .map(str::trim)
        .filter(|tier| !tier.is_empty())
        .map(|tier| {
            let mut parts = tier.split(':').map(str::trim);
            let up_to = parts.next().unwrap_or_default();
            let mut price = |none| parts.next().map_or(Some(none), |price| parse_scaled(price, 12));
            let (unit_picos, flat_picos) = (price(0), price(0));
            match (up_to, unit_picos, flat_picos) {
                ("inf" | "", Some(unit_picos), Some(flat_picos)) => Ok(Tier { up_to: None, unit_picos, flat_picos }),
                (up_to, Some(unit_picos), Some(flat_picos)) => up_to
                    .parse()
                    .map(|up_to| Tier { up_to: Some(up_to), unit_picos, flat_picos })
                    .map_err(|_| unreadable("tiers", tier)),
                _ => Err(unreadable("tiers", tier)),
            }
        })
        .collect()
}
