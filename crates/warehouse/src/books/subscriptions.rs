//! Subscription facts from Parquet into the shape the method works on.
//!
//! Each row group is read and its facts are put on the pile of their range of customers. A pile is sorted within the cache
//! and becomes a share of the ledger.

pub mod growth;
pub(super) mod piles;

use std::{
    hash::{DefaultHasher, Hasher},
    ops::Range,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;
use revenue::{
    fact::{Conflict, Offer, Recorded, Row, Terms, Tick, Ticks, resolve},
    ledger::Builder,
    money::MoneyError,
    movement::{Context, Movement},
    policy::Policy,
    timeline::{Plain, PlainRow, Worth},
};

use super::{
    BooksError,
    group::{Group, NO_TIMES, Pieces, RareTimes, Reading, Shared, Times, Wide, has_parts, joined, read_ids},
    ids::{Distinct, Ids, Key, Keys, common_beginning},
    pages::{Buffers, Shape, Source},
};
use crate::{cores, lake::DataFile};
use piles::{Piles, Room, Unfit};

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

/// A file of subscription facts; files come in the order of their imports.
#[derive(Debug, Clone)]
pub struct FactFile {
    /// Where it is.
    pub path: PathBuf,
    /// The import that recorded all of it; `None` when each row says it for itself.
    pub import: Option<i64>,
    /// How many rows were written to the table before its first one.
    pub first_row: u64,
}

impl From<&DataFile> for FactFile {
    fn from(file: &DataFile) -> Self {
        Self { path: file.path.clone(), import: file.import, first_row: file.first_row }
    }
}

/// Subscription facts, sorted by customer and subscription, in shares of whole customers.
pub struct SubscriptionFacts {
    /// Reads customers' keys.
    pub customer_ids: Ids,
    /// Reads subscriptions' keys (with their items).
    pub subscription_ids: Ids,
    /// What is sold, sorted.
    pub offers: Vec<Offer>,
    /// The shares, in order of customers.
    pub shares: Vec<Share>,
    /// Which import recorded which facts.
    pub recorded: Recorded,
    /// Facts that several customers claim.
    pub conflicts: Vec<Conflict>,
    /// Trials and cancellations by fact.
    times: Times,
    /// What rows state, without amount and quantity, which the facts hold themselves.
    classes: Vec<Terms>,
    wide: Wide,
    /// Where the facts come from.
    stated_by: StatedBy,
    /// How many facts were read, those included that others superseded.
    read: u32,
    /// The import of the last of them.
    last_import: Option<i64>,
    /// Subscription items that several customers claimed, sorted.
    moved: Vec<Key>,
    /// Subscription items of which rows were left out that a fact which is stated out of turn may ask for again, sorted.
    thinned: Vec<Key>,
    /// The facts, sorted by customer, subscription, start and fact.
    facts: Vec<Packed>,
    /// Where the facts of each customer end.
    customer_ends: Vec<u32>,
    /// Where the facts of each subscription item end.
    item_ends: Vec<u32>,
}

/// A fact with all that it states, which needs no books to be read.
#[derive(Debug, Clone)]
pub struct Loose {
    /// The subscription item, as [`SubscriptionFacts::subscription_ids`] spells it.
    pub item: String,
    /// The ordinal of the import that recorded it.
    pub import: u32,
    /// What is sold.
    pub offer: Offer,
    /// The terms; their offer is the number that it had where it was read.
    pub terms: Terms,
    /// Its number and its times; its customer, item and terms have no number.
    pub row: Row,
}

/// Some customers that follow each other.
#[derive(Debug, Clone)]
pub struct Share {
    /// The customers, by number.
    pub customers: Range<u32>,
    /// How many facts they have.
    pub facts: usize,
}

/// One fact; whose it is follows from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fact {
    /// Index of the fact.
    fact: u32,
    /// Index into the classes of terms.
    class: u32,
    /// The first tick.
    start: Tick,
    /// The first tick no more.
    end: Tick,
    /// The amount as [`Wide`] codes it.
    amount: i64,
    quantity: i64,
}

/// A fact as it is kept: whole words, so that room for millions comes zeroed and untouched.
type Packed = [u64; 4];

impl Fact {
    /// The fact as the method takes it.
    fn row(&self, times: RareTimes, terms: u32, customer: u32, subscription: u32) -> Row {
        Row {
            customer,
            subscription,
            terms,
            fact: self.fact,
            start: self.start,
            start_offset: times.start_offset,
            end: self.end,
            trial_end: times.trial_end,
            cancel_at: times.cancel_at,
            cancel_requested_at: times.cancel_requested_at,
        }
    }

    fn pack(self) -> Packed {
        let two = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        [
            two(self.fact, self.class),
            two(self.start.cast_unsigned(), self.end.cast_unsigned()),
            self.amount.cast_unsigned(),
            self.quantity.cast_unsigned(),
        ]
    }

    fn of([first, second, amount, quantity]: Packed) -> Self {
        Self {
            fact: (first >> 32) as u32,
            class: first as u32,
            start: ((second >> 32) as u32).cast_signed(),
            end: (second as u32).cast_signed(),
            amount: amount.cast_signed(),
            quantity: quantity.cast_signed(),
        }
    }
}

/// Facts of some whole customers as the method takes them.
#[derive(Debug, Default)]
pub struct Portion {
    /// The rows; customers and subscription items are numbered over all shares.
    pub rows: Vec<Row>,
    /// What the rows state.
    pub terms: Vec<Terms>,
    /// What that is worth a month.
    pub worth: Vec<Worth>,
}

/// A price whose monthly value does not fit.
#[derive(Debug, Clone, Copy)]
pub struct TooDear {
    /// The unit amount.
    pub amount_picos: i128,
    /// Index of what is sold.
    pub offer: u32,
}

/// Facts in the order of customers, subscription items and starts, and where those of each end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stand<'a> {
    facts: &'a [Packed],
    pub(super) customer_ends: &'a [u32],
    pub(super) item_ends: &'a [u32],
}

/// Where a row group begins among the facts.
pub(super) struct Part {
    /// Index of the file.
    pub(super) source: usize,
    pub(super) group: usize,
    first: u32,
    /// How many rows count.
    count: u32,
    /// Which rows count; all of them without it.
    pub(super) known: Option<Vec<bool>>,
}

impl Part {
    /// Whether a row counts.
    #[inline]
    fn counts(&self, row: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.get(row).copied().unwrap_or(false))
    }

    /// Shows the facts of the rows that count, whose customers are these: each with its row, and with its customer and item.
    ///
    /// An iterator over so many columns is handed from step to step in memory, which takes longer than all that is done with a
    /// fact; here the columns are as long as each other before the first step.
    #[inline]
    fn each_fact(&self, group: &Group, customers: &[Key], mut visit: impl FnMut(usize, [Key; 2], Fact)) {
        let rows = group.subscriptions.len();
        let Group { subscriptions, classes, amounts, quantities, starts, ends, .. } = group;
        let (classes, starts, ends) = (&classes[..rows], &starts[..rows], &ends[..rows]);
        let (amounts, quantities) = (&amounts[..rows], &quantities[..rows]);
        let mut customers = customers.iter().zip(self.first..);
        for (row, item) in subscriptions.iter().enumerate() {
            if !self.counts(row) {
                continue;
            }
            let Some((customer, fact)) = customers.next() else { return };
            let (class, amount, quantity) = (classes[row], amounts[row], quantities[row]);
            visit(row, [*customer, *item], Fact { fact, class, start: starts[row], end: ends[row], amount, quantity });
        }
    }
}

/// Facts that were read from files.
pub struct Loaded {
    /// The facts.
    pub facts: SubscriptionFacts,
    /// Keys of the customers, in order.
    pub customers: Vec<Key>,
    /// Keys of the subscription items, in order of their numbers.
    pub items: Vec<Key>,
    /// The first fact of each file.
    pub file_firsts: Vec<u32>,
}

/// Reads facts from files, numbers what they speak of and sorts them by customer and subscription.
///
/// What `choice` leaves out is passed over.
pub fn load(files: &[FactFile], ticks: &Ticks, choice: &Choice<'_>) -> Result<Loaded, BooksError> {
    let OnPiles { mut facts, file_firsts, piles } = read(files, ticks, choice)?;
    let (mut customers, mut items) = facts.sort(&piles);
    drop(piles);
    facts.settle_moved(&mut customers, &mut items);
    Ok(Loaded { facts, customers, items, file_firsts })
}

/// Facts that were read from files and are not sorted yet.
pub(super) struct OnPiles {
    /// What is said of all facts, without the facts.
    pub(super) facts: SubscriptionFacts,
    /// The first fact of each file.
    file_firsts: Vec<u32>,
    /// The facts.
    pub(super) piles: Piles,
}

/// Reads facts from files and puts them on piles.
pub(super) fn read(files: &[FactFile], ticks: &Ticks, choice: &Choice<'_>) -> Result<OnPiles, BooksError> {
    let sources = files.iter().map(|file| Source::open(&file.path)).collect::<Result<Vec<_>, _>>()?;
    let stated_by = StatedBy::of(&sources)?;
    let several_sources = stated_by == StatedBy::Several;
    let Parts { parts, file_firsts, import_firsts, last_import } =
        parts_of(files, &sources, several_sources, choice, Before::default())?;
    let mut reading = Reading {
        ticks,
        customers: Keys::spelled(&beginning(&sources, "customer")?),
        subscriptions: Keys::spelled(&beginning(&sources, "subscription")?),
        several_sources,
        shared: Mutex::default(),
    };
    let (piles, times) = loop {
        match Piles::read(&sources, &parts, &reading)? {
            Ok(read) => break read,
            Err(Unfit::Customer) => {
                reading.customers = Keys::ranked(&distinct_of(&sources, &parts, "customer", false)?);
            }
            Err(Unfit::Subscription) => {
                reading.subscriptions = Keys::ranked(&distinct_of(&sources, &parts, "subscription", several_sources)?);
            }
        }
        reading.shared = Mutex::default();
    };
    let Shared { classes, wide } = reading.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (offers, classes) = classes.settle()?;
    let facts = SubscriptionFacts {
        customer_ids: reading.customers.into_ids(),
        subscription_ids: reading.subscriptions.into_ids(),
        offers,
        shares: Vec::new(),
        recorded: Recorded::new(import_firsts),
        conflicts: Vec::new(),
        times: Times::together(times),
        classes,
        wide,
        stated_by,
        read: 0,
        last_import,
        moved: Vec::new(),
        thinned: Vec::new(),
        facts: Vec::new(),
        customer_ends: Vec::new(),
        item_ends: Vec::new(),
    };
    Ok(OnPiles { facts, file_firsts, piles })
}

/// What was read before some files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    /// How many facts.
    facts: u32,
    /// The import of the last of them.
    import: Option<i64>,
}

/// Where facts of some files begin.
pub(super) struct Parts {
    /// Row groups.
    pub(super) parts: Vec<Part>,
    /// The first fact of each file.
    pub(super) file_firsts: Vec<u32>,
    /// The first fact of each import.
    pub(super) import_firsts: Vec<u32>,
    /// The import of the last fact.
    pub(super) last_import: Option<i64>,
}

/// Row groups with more rows than this are looked at on all cores.
const MUCH_ROWS: usize = 10_000;

/// Where each row group begins, where each file does, and where each import does.
pub(super) fn parts_of(
    files: &[FactFile],
    sources: &[Source],
    several_sources: bool,
    choice: &Choice<'_>,
    before: Before,
) -> Result<Parts, BooksError> {
    let groups: Vec<(usize, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(source, opened)| (0..opened.groups()).map(move |group| (source, group)))
        .collect();
    let is_much = groups.iter().map(|(source, group)| sources[*source].rows(*group)).sum::<usize>() > MUCH_ROWS;
    let counted = cores::map(&groups, is_much, |(source, group)| {
        Counted::of(&files[*source], &sources[*source], *group, several_sources, choice)
    });
    let counted: Vec<Counted> = counted.into_iter().collect::<Result<_, _>>()?;
    let (mut parts, mut file_firsts, mut import_firsts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut next, mut last_import) = (before.facts, before.import);
    let mut of_groups = groups.into_iter().zip(counted).peekable();
    for file in 0..sources.len() {
        file_firsts.push(next);
        while let Some(((source, group), counted)) = of_groups.next_if(|((source, _), _)| *source == file) {
            for (import, offset) in counted.imports {
                if last_import != Some(import) {
                    import_firsts.push(next.saturating_add(offset));
                    last_import = Some(import);
                }
            }
            parts.push(Part { source, group, first: next, count: counted.count, known: counted.known });
            next = next.checked_add(counted.count).ok_or(BooksError::TooMany { what: "facts" })?;
        }
    }
    Ok(Parts { parts, file_firsts, import_firsts, last_import })
}

/// Which facts are read.
pub struct Choice<'a> {
    /// Rows of imports that this denies are passed over: merged files hold what came later as well.
    pub is_known: &'a (dyn Fn(i64) -> bool + Sync),
    /// Only facts of subscription items whose [`item_hashes`] this takes; without it all of them.
    pub is_wanted: Option<&'a (dyn Fn(u64) -> bool + Sync)>,
}

/// The rows of a group that count.
struct Counted {
    count: u32,
    /// Which they are; all of them without it.
    known: Option<Vec<bool>>,
    /// The imports that recorded them, each with how many of them come before its own.
    imports: Vec<(i64, u32)>,
}

impl Counted {
    fn of(
        file: &FactFile,
        source: &Source,
        group: usize,
        several_sources: bool,
        choice: &Choice<'_>,
    ) -> Result<Self, BooksError> {
        let rows = source.rows(group);
        let mut known = None;
        if let Some(is_wanted) = choice.is_wanted {
            let hashes = item_hashes(source, group, several_sources)?;
            known = Some(hashes.iter().map(|hash| is_wanted(*hash)).collect::<Vec<bool>>());
        }
        let mut imports = Vec::new();
        match file.import {
            Some(import) => imports.push((import, 0)),
            None => {
                let of_rows = import_of_rows(source, group)?;
                let known = known.get_or_insert_with(|| vec![true; rows]);
                let mut count = 0;
                for (import, known) in of_rows.iter().zip(known) {
                    *known &= (choice.is_known)(*import);
                    if *known {
                        if imports.last().is_none_or(|(last, _)| last != import) {
                            imports.push((*import, count));
                        }
                        count += 1;
                    }
                }
            }
        }
        let count = known.as_ref().map_or(rows, |known| known.iter().filter(|known| **known).count());
        if count == 0 {
            imports.clear();
        }
        let count = u32::try_from(count).map_err(|_| BooksError::TooMany { what: "facts" })?;
        Ok(Self { count, known, imports })
    }
}

/// The import that recorded each row of a group.
pub(super) fn import_of_rows(source: &Source, group: usize) -> Result<Vec<i64>, BooksError> {
    let mut imports = vec![0; source.rows(group)];
    if let Some(chunk) = source.chunk(group, "import")? {
        chunk.read(0, &mut Buffers::default(), &mut imports, &mut |raw| Ok(raw.number() as i64))?;
    }
    Ok(imports)
}

/// A number for the subscription item of each row of a group: the same for the same item in every file, and for another
/// one only by chance.
pub(super) fn item_hashes(source: &Source, group: usize, several_sources: bool) -> Result<Vec<u64>, BooksError> {
    let hash = |id: &[u8]| {
        let mut hasher = DefaultHasher::new();
        hasher.write(id);
        hasher.finish()
    };
    let mut hashes = Vec::with_capacity(source.rows(group));
    if has_parts(source, group, several_sources)? {
        joined(source, group, several_sources, |id| {
            hashes.push(hash(id));
            Ok(())
        })?;
    } else if let Some(chunk) = source.chunk(group, "subscription")? {
        chunk.read(hash(b""), &mut Buffers::default(), &mut hashes, &mut |raw| Ok(hash(raw.bytes())))?;
    } else {
        hashes.resize(source.rows(group), hash(b""));
    }
    Ok(hashes)
}

/// The sources that facts come from. Those of several must be told apart by theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatedBy {
    /// No fact names its source.
    Nobody,
    /// All that name one name this.
    One(Vec<u8>),
    /// They name different ones.
    Several,
}

impl StatedBy {
    /// The sources that the facts of some files name.
    pub(super) fn of(sources: &[Source]) -> Result<Self, BooksError> {
        let mut found = Self::Nobody;
        for source in sources {
            for group in 0..source.groups() {
                let Some(chunk) = source.chunk(group, "source")? else { continue };
                chunk.read((), &mut Buffers::default(), &mut Vec::new(), &mut |raw| {
                    match &found {
                        Self::Nobody => found = Self::One(raw.bytes().to_vec()),
                        Self::One(known) if known != raw.bytes() => found = Self::Several,
                        Self::One(_) | Self::Several => {}
                    }
                    Ok(())
                })?;
                if found == Self::Several {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Those of two lots of facts.
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Nobody, other) => other.clone(),
            (known, Self::Nobody) => known.clone(),
            (known, other) if known == other => known.clone(),
            _ => Self::Several,
        }
    }
}

/// What all ids of a column begin with: what its least and its greatest begin with.
pub(crate) fn beginning(sources: &[Source], column: &str) -> Result<String, BooksError> {
    let mut common: Option<String> = None;
    for source in sources {
        for group in 0..source.groups() {
            let Some(chunk) = source.chunk(group, column)?.filter(|chunk| chunk.shape == Shape::Text) else { continue };
            let mut bounds = chunk.bounds().map(|(least, greatest)| (least.to_vec(), greatest.to_vec()));
            if bounds.is_none() {
                chunk.read((), &mut Buffers::default(), &mut Vec::new(), &mut |raw| {
                    let (least, greatest) = bounds.get_or_insert_with(|| (raw.bytes().to_vec(), raw.bytes().to_vec()));
                    if raw.bytes() < least.as_slice() {
                        *least = raw.bytes().to_vec();
                    }
                    if raw.bytes() > greatest.as_slice() {
                        *greatest = raw.bytes().to_vec();
                    }
                    Ok(())
                })?;
            }
            let Some((least, greatest)) = bounds else { continue };
            let own = common_beginning(&least, &greatest);
            common = Some(match common {
                None => own.to_owned(),
                Some(common) => common_beginning(common.as_bytes(), own.as_bytes()).to_owned(),
            });
        }
    }
    Ok(common.unwrap_or_default())
}

/// Every id of a column that a fact that counts has, once.
fn distinct_of(
    sources: &[Source],
    parts: &[Part],
    column: &str,
    several_sources: bool,
) -> Result<Distinct, BooksError> {
    if parts.iter().all(|part| part.known.is_none()) {
        return distinct(sources, column, several_sources);
    }
    let mut distinct = Distinct::default();
    for part in parts {
        let source = &sources[part.source];
        let mut row = 0;
        let mut push = |bytes: &[u8]| {
            let counts = part.known.as_ref().is_none_or(|known| known.get(row).copied().unwrap_or(false));
            row += 1;
            if counts { distinct.push(id_of(source, column, bytes)?) } else { Ok(()) }
        };
        if column == "subscription" && has_parts(source, part.group, several_sources)? {
            joined(source, part.group, several_sources, &mut push)?;
        } else if let Some(pieces) = Pieces::read(source, part.group, column)? {
            for row in 0..source.rows(part.group) {
                push(pieces.text(row))?;
            }
        }
    }
    // What has no id is told apart from what has one.
    distinct.push("")?;
    Ok(distinct)
}

/// An id as text.
fn id_of<'a>(source: &Source, column: &str, bytes: &'a [u8]) -> Result<&'a str, BooksError> {
    std::str::from_utf8(bytes).map_err(|error| BooksError::Unreadable {
        file: source.path().display().to_string(),
        words: format!("{column}: {error}"),
    })
}

/// Every id of a column, once.
pub(crate) fn distinct(sources: &[Source], column: &str, several_sources: bool) -> Result<Distinct, BooksError> {
    let mut distinct = Distinct::default();
    for source in sources {
        let mut push = |bytes: &[u8]| distinct.push(id_of(source, column, bytes)?);
        for group in 0..source.groups() {
            if column == "subscription" && has_parts(source, group, several_sources)? {
                joined(source, group, several_sources, &mut push)?;
            } else if let Some(chunk) = source.chunk(group, column)? {
                chunk.read((), &mut Buffers::default(), &mut Vec::new(), &mut |raw| push(raw.bytes()))?;
            }
        }
        // What has no id is told apart from what has one.
        push(b"")?;
    }
    Ok(distinct)
}

/// The customers of a part's facts; false when one of them does not fit.
fn customers_of(
    source: &Source,
    part: &Part,
    keys: &Keys,
    buffers: &mut Buffers,
    customers: &mut Vec<Key>,
) -> Result<bool, BooksError> {
    let all_have_keys = read_ids(source, part.group, "customer", keys, buffers, customers)?;
    if all_have_keys.is_none() && source.rows(part.group) > 0 {
        return Err(BooksError::MissingColumn { column: "customer".to_owned() });
    }
    if let Some(known) = &part.known {
        let mut known = known.iter();
        customers.retain(|_| known.next().copied().unwrap_or(false));
    }
    Ok(all_have_keys == Some(true) || !customers.contains(&Key::NONE))
}

/// Rare times in the order of facts, up to the last fact that has any.
fn times_by_fact(mut of_parts: Vec<(u32, Vec<RareTimes>)>) -> Vec<RareTimes> {
    of_parts.sort_unstable_by_key(|(first, _)| *first);
    let mut times = Vec::new();
    for (first, own) in of_parts {
        times.resize(first as usize, NO_TIMES);
        times.extend(own);
    }
    times
}

impl SubscriptionFacts {
    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// How many facts were read, those included that others superseded.
    #[must_use]
    pub(super) fn read(&self) -> u32 {
        self.read
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Each fact's number with its customer and its subscription item, customer by customer.
    pub fn each(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.each_fact().map(|(customer, item, fact)| (customer, item, fact.fact))
    }

    /// The numbers of a customer's facts.
    pub fn of_customer(&self, customer: u32) -> impl Iterator<Item = u32> {
        let end_of = |customer: u32| self.customer_ends.get(customer as usize).copied().unwrap_or_default();
        let first = customer.checked_sub(1).map_or(0, end_of);
        let facts = self.facts.get(first as usize..end_of(customer) as usize).unwrap_or_default();
        facts.iter().map(|fact| Fact::of(*fact).fact)
    }

    fn each_fact(&self) -> impl Iterator<Item = (u32, u32, Fact)> {
        let (mut customer, mut item) = (0, 0);
        self.facts.iter().enumerate().map(move |(index, fact)| {
            customer += usize::from(self.customer_ends.get(customer).is_some_and(|end| *end as usize <= index));
            item += usize::from(self.item_ends.get(item).is_some_and(|end| *end as usize <= index));
            (customer as u32, item as u32, Fact::of(*fact))
        })
    }

    /// The facts of some customers in the shape that the method takes.
    ///
    /// # Errors
    /// When a price is worth more a month than the ledger holds.
    pub fn portion(&self, customers: Range<u32>, policy: &Policy, portion: &mut Portion) -> Result<(), TooDear> {
        let stand = Stand { facts: &self.facts, customer_ends: &self.customer_ends, item_ends: &self.item_ends };
        self.fill(stand, customers, policy, portion)
    }

    /// As [`SubscriptionFacts::portion`], of facts that stand elsewhere.
    pub(super) fn fill(
        &self,
        stand: Stand<'_>,
        customers: Range<u32>,
        policy: &Policy,
        portion: &mut Portion,
    ) -> Result<(), TooDear> {
        let Portion { rows, terms, worth } = portion;
        rows.clear();
        terms.clear();
        worth.clear();
        let end_of = |customer: u32| stand.customer_ends.get(customer as usize).copied().unwrap_or_default();
        let mut first = customers.start.checked_sub(1).map_or(0, end_of);
        let mut item = stand.item_ends.partition_point(|end| *end <= first);
        for customer in customers {
            let last = end_of(customer);
            for index in first..last {
                item += usize::from(stand.item_ends.get(item).is_some_and(|end| *end <= index));
                let Some(fact) = stand.facts.get(index as usize).copied().map(Fact::of) else { continue };
                rows.push(self.row(&fact, terms.len() as u32, customer, item as u32));
                let stated = self.terms(&fact);
                let too_dear = |_: MoneyError| TooDear { amount_picos: stated.price.amount_picos, offer: stated.offer };
                worth.push(Worth::of(&stated, policy).map_err(too_dear)?);
                terms.push(stated);
            }
            first = last;
        }
        Ok(())
    }

    /// What facts of each class state, where it is plain under a policy.
    pub(super) fn plain_classes(&self, policy: &Policy) -> Vec<Option<Plain>> {
        self.classes.iter().map(|terms| Plain::of(terms, policy)).collect()
    }

    /// The movements of a customer whose facts stand in a range, if all of them are plain. `first_item` is the customer's
    /// first subscription item, and `rows` is room for the facts.
    pub(super) fn work_out_plain<'a>(
        &self,
        stand: Stand<'_>,
        facts: Range<usize>,
        first_item: usize,
        (plain, context): (&[Option<Plain>], &Context<'_>),
        rows: &mut Vec<PlainRow>,
        builder: &'a mut Builder,
    ) -> Option<&'a [Movement]> {
        rows.clear();
        for packed in stand.facts.get(facts.clone()).unwrap_or_default() {
            let fact = Fact::of(*packed);
            let Some(Some(stated)) = plain.get(fact.class as usize) else { return None };
            if !self.times.is_empty() && self.times.of(fact.fact) != NO_TIMES {
                return None;
            }
            let mut monthly_micros = 0;
            if stated.pays {
                match stated.rate.monthly_micros(self.wide.picos(fact.amount), fact.quantity) {
                    Some(micros) => monthly_micros = micros,
                    None => return None,
                }
            }
            let Fact { fact, class, start, end, amount, quantity } = fact;
            rows.push(PlainRow { fact, class, start, end, monthly_micros, amount, quantity });
        }
        let ends = stand.item_ends.get(first_item..).unwrap_or_default().iter().map(|end| *end as usize - facts.start);
        let mut begin = 0;
        let items = (first_item as u32..).zip(ends).map_while(|(item, end)| {
            let own = (begin < rows.len()).then_some((item, begin..end));
            begin = end;
            own
        });
        builder.work_out_plain(rows, items, &self.classes, plain, context)
    }

    /// Says of a price what it is and that it does not fit.
    pub(super) fn too_large(&self, too_dear: TooDear) -> BooksError {
        let offer = self.offers.get(too_dear.offer as usize);
        BooksError::TooLarge {
            amount: revenue::money::print_scaled(too_dear.amount_picos, 12, 2),
            currency: offer.map_or(String::new(), |offer| offer.currency.to_string()),
        }
    }

    /// Sorts the piles, and gives the customers and the subscription items in order.
    fn sort(&mut self, piles: &Piles) -> (Vec<Key>, Vec<Key>) {
        /// Piles that are sorted before what was found is put together.
        const PILES: usize = 64;
        let (mut customers, mut items) = (Vec::new(), Vec::new());
        self.facts.reserve_exact((0..piles.len()).map(|pile| piles.size(pile)).sum());
        let all: Vec<usize> = (0..piles.len()).collect();
        let mut rooms: Vec<Room> = Vec::new();
        for wave in all.chunks(PILES) {
            rooms.resize_with(wave.len(), Room::default);
            wave.par_iter().zip(&mut rooms).for_each(|(pile, room)| piles.sort(*pile, room));
            for own in rooms.iter().map(|room| &room.sorted) {
                let (first, before) = (self.customer_ends.len() as u32, self.facts.len() as u32);
                self.facts.extend_from_slice(&own.facts);
                customers.extend_from_slice(&own.customers);
                items.extend_from_slice(&own.items);
                self.customer_ends.extend(own.customer_ends.iter().map(|end| before + end));
                self.item_ends.extend(own.item_ends.iter().map(|end| before + end));
                if !own.facts.is_empty() {
                    self.shares
                        .push(Share { customers: first..self.customer_ends.len() as u32, facts: own.facts.len() });
                }
            }
        }
        self.read = self.facts.len() as u32;
        (customers, items)
    }

    /// What a fact states.
    fn terms(&self, fact: &Fact) -> Terms {
        let mut terms = self.classes[fact.class as usize].clone();
        terms.price.amount_picos = self.wide.picos(fact.amount);
        terms.price.quantity = fact.quantity;
        terms
    }

    fn row(&self, fact: &Fact, terms: u32, customer: u32, subscription: u32) -> Row {
        fact.row(self.times.of(fact.fact), terms, customer, subscription)
    }

    /// A fact of a subscription may have been corrected to belong to another customer. Versions of one fact must be
    /// weighed against each other before customers are looked at apart.
    fn settle_moved(&mut self, customers: &mut Vec<Key>, items: &mut Vec<Key>) {
        let moved = claimed_twice(items);
        if moved.is_empty() {
            return;
        }
        struct Claim {
            subscription: Key,
            customer: u32,
            fact: Fact,
        }
        let mut claims: Vec<Claim> = Vec::new();
        for (customer, item, fact) in self.each_fact() {
            let subscription = items[item as usize];
            if moved.binary_search(&subscription).is_ok() {
                claims.push(Claim { subscription, customer, fact });
            }
        }
        let offset = |claim: &Claim| self.times.of(claim.fact.fact).start_offset;
        claims.sort_unstable_by_key(|claim| (claim.subscription, claim.fact.start, offset(claim), claim.fact.fact));
        let mut refused = std::collections::BTreeSet::new();
        let mut conflicts = Vec::new();
        for versions in claims
            .chunk_by(|a, b| a.subscription == b.subscription && a.fact.start == b.fact.start && offset(a) == offset(b))
        {
            if versions.iter().all(|claim| claim.customer == versions[0].customer) {
                continue;
            }
            let terms: Vec<Terms> = versions.iter().map(|claim| self.terms(&claim.fact)).collect();
            let rows = versions.iter().zip(0..);
            let mut rows: Vec<Row> =
                rows.map(|(claim, terms)| self.row(&claim.fact, terms, claim.customer, 0)).collect();
            let kept = resolve(&mut rows, &terms, &self.recorded, &mut conflicts);
            let kept: Vec<u32> = rows[..kept].iter().map(|row| row.fact).collect();
            refused.extend(versions.iter().map(|claim| claim.fact.fact).filter(|fact| !kept.contains(fact)));
        }
        self.conflicts = conflicts;
        self.moved = moved;
        self.leave_out(&refused, customers, items);
    }

    /// Leaves out facts, and with them the customers and items that have no others.
    fn leave_out(&mut self, refused: &std::collections::BTreeSet<u32>, customers: &mut Vec<Key>, items: &mut Vec<Key>) {
        let (mut customers_left, mut items_left, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut customer_ends, mut item_ends, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last_customer, mut last_item) = (None, None);
        let mut left = self.each_fact().filter(|(_, _, fact)| !refused.contains(&fact.fact)).peekable();
        for share in &self.shares {
            let (first, facts_before) = (customers_left.len() as u32, facts.len());
            while let Some((customer, item, fact)) = left.next_if(|(customer, _, _)| share.customers.contains(customer))
            {
                if last_customer != Some(customer) {
                    customers_left.push(customers[customer as usize]);
                    customer_ends.push(0);
                    last_customer = Some(customer);
                }
                if last_item != Some(item) {
                    items_left.push(items[item as usize]);
                    item_ends.push(0);
                    last_item = Some(item);
                }
                facts.push(fact.pack());
                for ends in [&mut customer_ends, &mut item_ends] {
                    if let Some(end) = ends.last_mut() {
                        *end = facts.len() as u32;
                    }
                }
            }
            if facts.len() > facts_before {
                let customers = first..customers_left.len() as u32;
                shares.push(Share { customers, facts: facts.len() - facts_before });
            }
        }
        drop(left);
        (*customers, *items) = (customers_left, items_left);
        (self.facts, self.customer_ends, self.item_ends, self.shares) = (facts, customer_ends, item_ends, shares);
    }
}

/// Subscription items that occur more than once, sorted: those of several customers.
fn claimed_twice(items: &[Key]) -> Vec<Key> {
    let mut twice = seen_twice(items, |key| key.mixed());
    twice.sort_unstable();
    let mut moved: Vec<Key> = twice.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    moved.dedup();
    moved
}

/// Whether some number occurs more than once.
pub(super) fn has_twice(numbers: &[u64]) -> bool {
    let mut twice = seen_twice(numbers, |number| *number);
    twice.sort_unstable();
    twice.windows(2).any(|pair| pair[0] == pair[1])
}

/// Those that share what they are mixed to with another, by and large: of millions hardly one occurs twice, so a bit
/// for each tells most of them apart.
fn seen_twice<T: Copy>(all: &[T], mixed: impl Fn(&T) -> u64) -> Vec<T> {
    let bits = (all.len() * 8).next_power_of_two().max(64);
    let place = |one: &T| mixed(one) as usize >> 7 & (bits - 1);
    let mut seen = vec![0u64; bits / 64];
    let mut again = vec![0u64; bits / 64];
    for one in all {
        let (word, bit) = (place(one) / 64, 1u64 << (place(one) % 64));
        again[word] |= seen[word] & bit;
        seen[word] |= bit;
    }
    all.iter().filter(|one| again[place(one) / 64] & 1 << (place(one) % 64) != 0).copied().collect()
}

pub(super) fn unreadable_file(file: &FactFile, error: &dyn std::fmt::Display) -> BooksError {
    BooksError::Unreadable { file: file.path.display().to_string(), words: error.to_string() }
}
