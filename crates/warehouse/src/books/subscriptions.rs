//! Subscription facts from Parquet into the shape the method works on.
//!
//! Memory that is touched first costs more than anything done with it, so every fact is written once: customers' ids are
//! read first, and say how many facts each range of customers has. Then each row group is read and its facts are put
//! where their range lies. A range is sorted within the cache and becomes a share of the ledger.

pub mod growth;

use std::{
    hash::{DefaultHasher, Hasher},
    ops::Range,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;
use revenue::{
    fact::{Conflict, Offer, Recorded, Row, Terms, Tick, Ticks, resolve},
    money::MoneyError,
    policy::Policy,
    timeline::Worth,
};

use super::{
    BooksError,
    group::{Group, NO_TIMES, Pieces, RareTimes, Reading, Shared, Wide, has_parts, joined, read_ids},
    ids::{Distinct, Ids, Key, Keys, common_beginning},
    pages::{Buffers, Shape, Source},
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
    /// What rows state, without amount and quantity, which the facts hold themselves.
    classes: Vec<Terms>,
    wide: Wide,
    /// Where the facts come from.
    stated_by: StatedBy,
    /// How many facts were read, those included that another customer's version superseded.
    read: u32,
    /// The import of the last of them.
    last_import: Option<i64>,
    /// Subscription items that several customers claimed, sorted.
    moved: Vec<Key>,
    /// The facts, sorted by customer, subscription, start and fact.
    facts: Vec<Packed>,
    /// Where the facts of each customer end.
    customer_ends: Vec<u32>,
    /// Where the facts of each subscription item end.
    item_ends: Vec<u32>,
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
    /// The fact of a row that was read.
    fn of_row(group: &Group, row: usize, fact: u32) -> Self {
        Self {
            fact,
            class: group.classes[row],
            start: group.starts[row],
            end: group.ends[row],
            amount: group.amounts[row],
            quantity: group.quantities[row],
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

/// The customer's and the subscription's key of a fact that is not sorted yet.
type Owner = [u64; 4];

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

/// Where a row group begins among the facts.
pub(super) struct Part {
    /// Index of the file.
    pub(super) source: usize,
    pub(super) group: usize,
    first: u32,
    /// Which rows count; all of them without it.
    pub(super) known: Option<Vec<bool>>,
}

/// Reads facts from files, numbers what they speak of and sorts them by customer and subscription.
///
/// What `choice` leaves out is passed over.
pub fn load(
    files: &[FactFile],
    ticks: &Ticks,
    choice: &Choice<'_>,
) -> Result<(SubscriptionFacts, Vec<Key>, Vec<Key>), BooksError> {
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
    let customers = match customer_keys(&sources, &parts, &reading.customers)? {
        Some(keys) => keys,
        None => {
            reading.customers = Keys::ranked(&distinct_of(&sources, &parts, "customer", false)?);
            customer_keys(&sources, &parts, &reading.customers)?.unwrap_or_default()
        }
    };
    let piles = Piles::of(&customers);
    let spread = match spread_facts(&sources, &parts, &customers, &piles, &reading)? {
        Some(spread) => spread,
        None => {
            reading.subscriptions = Keys::ranked(&distinct_of(&sources, &parts, "subscription", several_sources)?);
            reading.shared = Mutex::default();
            spread_facts(&sources, &parts, &customers, &piles, &reading)?.unwrap_or_default()
        }
    };
    drop(customers);
    let Shared { classes, wide } = reading.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (offers, classes) = classes.settle()?;
    let read = spread.facts.len() as u32;
    let mut facts = SubscriptionFacts {
        customer_ids: reading.customers.into_ids(),
        subscription_ids: reading.subscriptions.into_ids(),
        offers,
        shares: Vec::new(),
        recorded: Recorded::new(import_firsts),
        file_firsts,
        conflicts: Vec::new(),
        times: spread.times,
        classes,
        wide,
        stated_by,
        read,
        last_import,
        moved: Vec::new(),
        facts: spread.facts,
        customer_ends: Vec::new(),
        item_ends: Vec::new(),
    };
    let (mut customers, mut items) = facts.sort(&spread.owners, &piles);
    drop(spread.owners);
    facts.settle_moved(&mut customers, &mut items);
    Ok((facts, customers, items))
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
    let counted: Vec<Counted> = groups
        .par_iter()
        .map(|(source, group)| Counted::of(&files[*source], &sources[*source], *group, several_sources, choice))
        .collect::<Result<_, _>>()?;
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
            parts.push(Part { source, group, first: next, known: counted.known });
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

/// The customer of each row, by part; none when one of them does not fit.
fn customer_keys(sources: &[Source], parts: &[Part], keys: &Keys) -> Result<Option<Vec<Vec<Key>>>, BooksError> {
    let of_part = |buffers: &mut Buffers, part: &Part| {
        let mut customers = Vec::new();
        let read = read_ids(&sources[part.source], part.group, "customer", keys, buffers, &mut customers)?;
        if !read && sources[part.source].rows(part.group) > 0 {
            return Err(BooksError::MissingColumn { column: "customer".to_owned() });
        }
        if let Some(known) = &part.known {
            let mut known = known.iter();
            customers.retain(|_| known.next().copied().unwrap_or(false));
        }
        Ok((!customers.contains(&Key::NONE)).then_some(customers))
    };
    parts.par_iter().map_init(Buffers::default, of_part).collect()
}

/// Ranges of customers, each with a pile of facts that is sorted within the cache.
struct Piles {
    /// The first customer of each pile but the first.
    firsts: Vec<Key>,
    /// For what a key begins with, how many of `firsts` lie before all such keys.
    before: Vec<u16>,
    /// The runs of parts that are read by one thread each, and how many facts of each pile they have.
    hands: Vec<(Range<usize>, Vec<u32>)>,
}

impl Piles {
    fn of(customers: &[Vec<Key>]) -> Self {
        /// Facts of a pile.
        const FACTS: usize = 8_192;
        const SAMPLES: usize = 16;
        let facts: usize = customers.iter().map(Vec::len).sum();
        let wanted = (facts / FACTS).clamp(1, 4_096);
        let step = (facts / (wanted * SAMPLES)).max(1);
        let mut sample: Vec<Key> = customers.iter().flat_map(|keys| keys.iter().step_by(step)).copied().collect();
        sample.sort_unstable();
        let mut firsts: Vec<Key> =
            (1..wanted).filter_map(|pile| sample.get(pile * sample.len() / wanted)).copied().collect();
        firsts.dedup();
        let before = (0..=u16::MAX)
            .map(|top| firsts.partition_point(|first| (first.first_half() >> 48) < u64::from(top)) as u16)
            .collect();
        let mut piles = Self { firsts, before, hands: Vec::new() };
        let parts = customers.len();
        let runs = (4 * rayon::current_num_threads()).clamp(1, parts.max(1));
        piles.hands = (0..runs)
            .into_par_iter()
            .map(|run| {
                let parts = run * parts / runs..(run + 1) * parts / runs;
                let mut counts = vec![0; piles.firsts.len() + 1];
                for customer in customers.get(parts.clone()).unwrap_or_default().iter().flatten() {
                    counts[piles.pile_of(*customer)] += 1;
                }
                (parts, counts)
            })
            .collect();
        piles
    }

    /// The pile of a customer.
    #[inline]
    fn pile_of(&self, customer: Key) -> usize {
        let top = (customer.first_half() >> 48) as usize;
        let low = usize::from(self.before[top]);
        let high = self.before.get(top + 1).map_or(self.firsts.len(), |high| usize::from(*high));
        low + self.firsts[low..high].partition_point(|first| *first <= customer)
    }

    /// How many facts each pile has.
    fn sizes(&self) -> impl Iterator<Item = usize> {
        (0..=self.firsts.len()).map(|pile| self.hands.iter().map(|(_, counts)| counts[pile] as usize).sum())
    }

    /// Cuts room for all facts into what each hand fills of each pile.
    fn cut<'a, T>(&self, mut room: &'a mut [T]) -> Vec<Vec<std::slice::IterMut<'a, T>>> {
        let mut of_hands: Vec<Vec<_>> = self.hands.iter().map(|_| Vec::with_capacity(self.firsts.len() + 1)).collect();
        for pile in 0..=self.firsts.len() {
            for ((_, counts), own) in self.hands.iter().zip(&mut of_hands) {
                let (first, rest) = std::mem::take(&mut room).split_at_mut(counts[pile] as usize);
                own.push(first.iter_mut());
                room = rest;
            }
        }
        of_hands
    }
}

/// Facts by pile, not sorted yet.
#[derive(Default)]
struct Spread {
    facts: Vec<Packed>,
    owners: Vec<Owner>,
    times: Vec<RareTimes>,
}

/// Reads all row groups on all cores and puts each fact on its pile; none when a subscription's id does not fit.
fn spread_facts(
    sources: &[Source],
    parts: &[Part],
    customers: &[Vec<Key>],
    piles: &Piles,
    reading: &Reading<'_>,
) -> Result<Option<Spread>, BooksError> {
    let count = customers.iter().map(Vec::len).sum();
    let (mut facts, mut owners) = (vec![[0u64; 4]; count], vec![[0u64; 4]; count]);
    let (of_facts, of_owners) = (piles.cut(&mut facts), piles.cut(&mut owners));
    let outcomes: Vec<_> = piles
        .hands
        .par_iter()
        .zip(of_facts.into_par_iter().zip(of_owners))
        .with_max_len(1)
        .map_init(Group::default, |group, ((run, _), (mut facts, mut owners))| {
            let mut times = Vec::new();
            for (part, customers) in parts.iter().zip(customers).take(run.end).skip(run.start) {
                if !group.read(&sources[part.source], part.group, part.known.as_deref(), reading)? {
                    return Ok(None);
                }
                let known = |row: &usize| part.known.as_ref().is_none_or(|known| known[*row]);
                let rows = (0..group.starts.len()).filter(known);
                for ((row, customer), fact) in rows.zip(customers).zip(part.first..) {
                    let pile = piles.pile_of(*customer);
                    let stated = Fact::of_row(group, row, fact);
                    if let (Some(fact), Some(owner)) = (facts[pile].next(), owners[pile].next()) {
                        *fact = stated.pack();
                        let ([first, second], [third, fourth]) = (customer.halves(), group.subscriptions[row].halves());
                        *owner = [first, second, third, fourth];
                    }
                }
                if !group.times.is_empty() {
                    let own = (0..group.times.len()).filter(known).map(|row| group.times[row]).collect();
                    times.push((part.first, own));
                }
            }
            Ok(Some(times))
        })
        .collect::<Result<Vec<_>, BooksError>>()?;
    let Some(times) = outcomes.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    Ok(Some(Spread { facts, owners, times: times_by_fact(times.into_iter().flatten().collect()) }))
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

/// What sorting a pile tells of it, with room for it.
#[derive(Default)]
struct Sorted {
    facts: usize,
    customers: Vec<Key>,
    customer_ends: Vec<u32>,
    items: Vec<Key>,
    item_ends: Vec<u32>,
}

/// Sorts a pile by customer, subscription, start and fact.
fn sort(facts: &mut [Packed], owners: &[Owner], before: &mut Vec<Packed>, order: &mut Vec<u64>) -> Sorted {
    before.clear();
    before.extend_from_slice(facts);
    // The beginning of a key and the place tell nearly all of the order. Facts of a pile lie in the order of their
    // numbers, which most files have by start, so little is left to sort where beginnings are the same.
    let (least, greatest) =
        owners.iter().fold((u64::MAX, 0), |(least, greatest), owner| (least.min(owner[0]), greatest.max(owner[0])));
    let places = usize::BITS - owners.len().leading_zeros();
    let surplus = (u64::BITS - greatest.saturating_sub(least).leading_zeros() + places).saturating_sub(u64::BITS);
    order.clear();
    order.extend(owners.iter().zip(0u64..).map(|(owner, place)| (owner[0] - least) >> surplus << places | place));
    order.sort_unstable();
    let place_of = |entry: u64| (entry & ((1 << places) - 1)) as u32;
    let mut sorted = Sorted { facts: facts.len(), ..Sorted::default() };
    let mut written = 0;
    let mut own: Vec<u32> = Vec::new();
    for alike in order.chunk_by(|a, b| a >> places == b >> places) {
        own.clear();
        own.extend(alike.iter().map(|entry| place_of(*entry)));
        let by = |index: &u32| {
            let fact = Fact::of(before[*index as usize]);
            (owners[*index as usize], fact.start, fact.fact)
        };
        if own.len() > 1 && !own.is_sorted_by_key(by) {
            own.sort_unstable_by_key(by);
        }
        for index in &own {
            let [first, second, third, fourth] = owners[*index as usize];
            let (customer, item) = (Key::of_halves([first, second]), Key::of_halves([third, fourth]));
            let other = sorted.customers.last() != Some(&customer);
            if other {
                sorted.customers.push(customer);
                sorted.customer_ends.push(0);
            }
            if other || sorted.items.last() != Some(&item) {
                sorted.items.push(item);
                sorted.item_ends.push(0);
            }
            facts[written] = before[*index as usize];
            written += 1;
            for ends in [&mut sorted.customer_ends, &mut sorted.item_ends] {
                if let Some(end) = ends.last_mut() {
                    *end = written as u32;
                }
            }
        }
    }
    sorted
}

impl SubscriptionFacts {
    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
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
        let Portion { rows, terms, worth } = portion;
        rows.clear();
        terms.clear();
        worth.clear();
        let end_of = |customer: u32| self.customer_ends.get(customer as usize).copied().unwrap_or_default();
        let mut first = customers.start.checked_sub(1).map_or(0, end_of);
        let mut item = self.item_ends.partition_point(|end| *end <= first);
        for customer in customers {
            let last = end_of(customer);
            for index in first..last {
                item += usize::from(self.item_ends.get(item).is_some_and(|end| *end <= index));
                let Some(fact) = self.facts.get(index as usize).copied().map(Fact::of) else { continue };
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

    /// Sorts the piles, and gives the customers and the subscription items in order.
    fn sort(&mut self, owners: &[Owner], piles: &Piles) -> (Vec<Key>, Vec<Key>) {
        /// Piles that are sorted before what was found is put together.
        const PILES: usize = 64;
        let (mut customers, mut items) = (Vec::new(), Vec::new());
        let mut of_piles = Vec::new();
        let (mut facts, mut rest) = (self.facts.as_mut_slice(), owners);
        for size in piles.sizes() {
            let (own, after) = std::mem::take(&mut facts).split_at_mut(size);
            let (owners, owners_after) = rest.split_at(size);
            of_piles.push((own, owners));
            (facts, rest) = (after, owners_after);
        }
        let mut before = 0;
        for wave in of_piles.chunks_mut(PILES) {
            let sorted: Vec<Sorted> = wave
                .par_iter_mut()
                .map_init(Default::default, |(room, order), (facts, owners)| sort(facts, owners, room, order))
                .collect();
            for own in sorted {
                let first = self.customer_ends.len() as u32;
                customers.extend_from_slice(&own.customers);
                items.extend_from_slice(&own.items);
                self.customer_ends.extend(own.customer_ends.iter().map(|end| before + end));
                self.item_ends.extend(own.item_ends.iter().map(|end| before + end));
                before += own.facts as u32;
                if own.facts > 0 {
                    self.shares.push(Share { customers: first..self.customer_ends.len() as u32, facts: own.facts });
                }
            }
        }
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
        let times = self.times.get(fact.fact as usize).copied().unwrap_or(NO_TIMES);
        Row {
            customer,
            subscription,
            terms,
            fact: fact.fact,
            start: fact.start,
            start_offset: times.start_offset,
            end: fact.end,
            trial_end: times.trial_end,
            cancel_at: times.cancel_at,
            cancel_requested_at: times.cancel_requested_at,
        }
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
        let offset = |claim: &Claim| self.times.get(claim.fact.fact as usize).map_or(0, |times| times.start_offset);
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
///
/// Of millions hardly one does, so a bit for each tells most of them apart, and only those that share one are sorted.
fn claimed_twice(items: &[Key]) -> Vec<Key> {
    let bits = (items.len() * 8).next_power_of_two().max(64);
    let place = |key: &Key| {
        let value = u128::from(*key);
        let mixed = ((value >> 64) as u64 ^ (value as u64).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) as usize >> 7 & (bits - 1)
    };
    let mut seen = vec![0u64; bits / 64];
    let mut again = vec![0u64; bits / 64];
    for key in items {
        let (word, bit) = (place(key) / 64, 1u64 << (place(key) % 64));
        again[word] |= seen[word] & bit;
        seen[word] |= bit;
    }
    let mut twice: Vec<Key> =
        items.iter().filter(|key| again[place(key) / 64] & 1 << (place(key) % 64) != 0).copied().collect();
    twice.sort_unstable();
    let mut moved: Vec<Key> = twice.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    moved.dedup();
    moved
}

pub(super) fn unreadable_file(file: &FactFile, error: &dyn std::fmt::Display) -> BooksError {
    BooksError::Unreadable { file: file.path.display().to_string(), words: error.to_string() }
}
