//! Facts as they are read, on piles of some thousand: one for each range of customers.
//!
//! Memory that is touched first costs more than anything done with it, so a fact is written once when it is read, beside
//! others of its pile, and a pile is sorted within the cache when it is wanted.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    BooksError, Fact, Group, Packed, Part, RareTimes, Reading, Source, Stand, Tick, customers_of, times_by_fact,
};
use crate::books::{ids::Key, pages::Buffers};

/// The customer's and the subscription item's key of a fact, four words each with the first deciding first, and the fact:
/// its number, its start and its end, its class with its quantity, and its amount. What is shorter is read sooner.
type Record = [u32; 13];

/// The owners of a record: the customer's and the item's key.
fn owners(record: &Record) -> [u64; 4] {
    let two = |place: usize| u64::from(record[place]) << 32 | u64::from(record[place + 1]);
    [two(0), two(2), two(4), two(6)]
}

const FACT: usize = 8;
const START: usize = 9;
const END: usize = 10;
const CLASS: usize = 11;
const AMOUNT: usize = 12;

/// When the fact of a record starts.
fn start_of(record: &Record) -> Tick {
    record[START].cast_signed()
}

/// Bits that a quantity has beside its class.
const QUANTITY_BITS: u32 = 14;

/// The class and the quantity of facts that do not fit a record; the amount is their place among those.
const WIDE: u32 = u32::MAX;

/// A class, an amount and a quantity.
type Wide = (u32, i64, i64);

/// Amounts are counted in hundredths of a unit, in pico-units.
const HUNDREDTH: i64 = 10_000_000_000;

/// Facts of a pile, more or less.
const FACTS: usize = 16_384;

/// Which id does not fit the way in which keys are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Customer,
    Subscription,
}

/// Ranges of customers.
#[derive(Debug, Default)]
struct Ranges {
    /// The first customer of each range but the first.
    firsts: Vec<Key>,
    /// For what a key begins with, how many of `firsts` lie before all such keys.
    before: Vec<u16>,
}

impl Ranges {
    /// Ranges that hold about as many facts each, going by the customers of some facts.
    fn of(mut sample: Vec<Key>, facts: usize) -> Self {
        sample.sort_unstable();
        let wanted = (facts / FACTS).clamp(1, 4_096);
        let mut firsts: Vec<Key> =
            (1..wanted).filter_map(|range| sample.get(range * sample.len() / wanted)).copied().collect();
        firsts.dedup();
        let before = (0..=u16::MAX)
            .map(|top| firsts.partition_point(|first| (first.first_half() >> 48) < u64::from(top)) as u16)
            .collect();
        Self { firsts, before }
    }

    fn len(&self) -> usize {
        self.firsts.len() + 1
    }

    /// The range of a customer.
    #[inline]
    fn of_customer(&self, customer: Key) -> usize {
        let top = (customer.first_half() >> 48) as usize;
        let low = usize::from(self.before[top]);
        let high = self.before.get(top + 1).map_or(self.firsts.len(), |high| usize::from(*high));
        low + self.firsts[low..high].partition_point(|first| *first <= customer)
    }
}

/// What was read of some parts that follow each other: blocks of records, each of one pile.
struct Hand {
    records: Vec<Record>,
    /// Where the blocks of each pile begin.
    blocks: Vec<Vec<u32>>,
    /// Where the next record of each pile goes; a whole number of blocks when its last block is full.
    next: Vec<u32>,
    /// Where the next block begins.
    unused: u32,
    /// Of facts whose class, amount or quantity does not fit a record.
    wide: Vec<Wide>,
}

impl Hand {
    /// Records of a block.
    const BLOCK: u32 = 16;

    /// Room for so many records on so many piles. None of it is touched yet.
    fn with_room(records: usize, piles: usize) -> Result<Self, BooksError> {
        let room = records + piles * Self::BLOCK as usize;
        u32::try_from(room).map_err(|_| BooksError::TooMany { what: "facts" })?;
        Ok(Self {
            records: vec![[0; 13]; room],
            blocks: vec![Vec::new(); piles],
            next: vec![0; piles],
            unused: 0,
            wide: Vec::new(),
        })
    }

    #[inline]
    fn put(&mut self, pile: usize, record: Record) {
        let next = &mut self.next[pile];
        if next.is_multiple_of(Self::BLOCK) {
            *next = self.unused;
            self.unused += Self::BLOCK;
            self.blocks[pile].push(*next);
        }
        self.records[*next as usize] = record;
        *next += 1;
    }

    /// Where the records of a pile are, in the order in which they came.
    fn of_pile(&self, pile: usize) -> impl Iterator<Item = Range<u32>> {
        let blocks = &self.blocks[pile];
        blocks.iter().enumerate().map(move |(number, first)| {
            let end = if number + 1 == blocks.len() { self.next[pile] } else { first + Self::BLOCK };
            *first..end
        })
    }

    /// The record of a fact of some customer.
    #[inline]
    fn record(&mut self, [first, second]: [u64; 2], [third, fourth]: [u64; 2], fact: Fact) -> Record {
        let high = |half: u64| (half >> 32) as u32;
        let class_and_quantity = u32::try_from(fact.quantity)
            .ok()
            .filter(|quantity| *quantity < 1 << QUANTITY_BITS && fact.class < WIDE >> QUANTITY_BITS)
            .map(|quantity| fact.class << QUANTITY_BITS | quantity);
        let hundredths = u32::try_from(fact.amount / HUNDREDTH).ok().filter(|_| fact.amount % HUNDREDTH == 0);
        let (class, amount) = match (class_and_quantity, hundredths) {
            (Some(class), Some(hundredths)) => (class, hundredths),
            _ => {
                // There are no more of them than facts, which have 32-bit numbers.
                self.wide.push((fact.class, fact.amount, fact.quantity));
                (WIDE, (self.wide.len() - 1) as u32)
            }
        };
        [
            high(first),
            first as u32,
            high(second),
            second as u32,
            high(third),
            third as u32,
            high(fourth),
            fourth as u32,
            fact.fact,
            fact.start.cast_unsigned(),
            fact.end.cast_unsigned(),
            class,
            amount,
        ]
    }
}

/// The fact of a record, of which what does not fit lies elsewhere.
#[inline]
fn fact_of(record: &Record, wide: &[Wide]) -> Fact {
    let (class, amount, quantity) = match record[CLASS] {
        WIDE => wide[record[AMOUNT] as usize],
        both => {
            let quantity = i64::from(both & ((1 << QUANTITY_BITS) - 1));
            (both >> QUANTITY_BITS, i64::from(record[AMOUNT]) * HUNDREDTH, quantity)
        }
    };
    Fact { fact: record[FACT], class, start: start_of(record), end: record[END].cast_signed(), amount, quantity }
}

/// All facts, on piles in the order of customers.
#[derive(Default)]
pub(in crate::books) struct Piles {
    ranges: Ranges,
    /// In the order of facts.
    hands: Vec<Hand>,
}

impl Piles {
    /// Reads all row groups on all cores and puts each fact on its pile; gives the rare times of facts as well.
    pub(super) fn read(
        sources: &[Source],
        parts: &[Part],
        reading: &Reading<'_>,
    ) -> Result<Result<(Self, Vec<RareTimes>), Unfit>, BooksError> {
        let rows = |part: &Part| sources[part.source].rows(part.group);
        let facts: usize = parts.iter().map(rows).sum();
        let Some(sample) = sample(sources, parts, facts, reading)? else { return Ok(Err(Unfit::Customer)) };
        let ranges = Ranges::of(sample, facts);
        let runs = (4 * rayon::current_num_threads()).clamp(1, parts.len().max(1));
        let runs: Vec<&[Part]> =
            (0..runs).map(|run| &parts[run * parts.len() / runs..(run + 1) * parts.len() / runs]).collect();
        let outcomes: Vec<Result<(Hand, Vec<_>), Unfit>> = runs
            .into_par_iter()
            .with_max_len(1)
            .map_init(Default::default, |(group, customers), run| {
                let mut hand = Hand::with_room(run.iter().map(rows).sum(), ranges.len())?;
                let mut times = Vec::new();
                for part in run {
                    if let Err(unfit) = read_part(sources, part, &ranges, reading, group, customers, &mut hand)? {
                        return Ok(Err(unfit));
                    }
                    if !group.times.is_empty() {
                        let own = (0..group.times.len()).filter(|row| part.counts(*row)).map(|row| group.times[row]);
                        times.push((part.first, own.collect()));
                    }
                }
                Ok(Ok((hand, times)))
            })
            .collect::<Result<_, BooksError>>()?;
        let (mut hands, mut times) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Ok((hand, own)) => {
                    hands.push(hand);
                    times.extend(own);
                }
                Err(unfit) => return Ok(Err(unfit)),
            }
        }
        Ok(Ok((Self { ranges, hands }, times_by_fact(times))))
    }

    /// How many piles there are.
    pub(in crate::books) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// How many facts a pile has.
    pub(in crate::books) fn size(&self, pile: usize) -> usize {
        self.hands.iter().flat_map(|hand| hand.of_pile(pile)).map(|range| range.len()).sum()
    }

    /// Sorts a pile by customer, subscription, start and fact.
    pub(in crate::books) fn sort(&self, pile: usize, room: &mut Room) {
        let Room { records, wide, order, own, facts, customers, customer_ends, items, item_ends } = room;
        records.clear();
        wide.clear();
        order.clear();
        facts.clear();
        customers.clear();
        customer_ends.clear();
        items.clear();
        item_ends.clear();
        for hand in &self.hands {
            let begun = records.len();
            for range in hand.of_pile(pile) {
                records.extend_from_slice(&hand.records[range.start as usize..range.end as usize]);
            }
            if !hand.wide.is_empty() {
                for record in records[begun..].iter_mut().filter(|record| record[CLASS] == WIDE) {
                    wide.push(hand.wide[record[AMOUNT] as usize]);
                    record[AMOUNT] = (wide.len() - 1) as u32;
                }
            }
        }
        let first_half = |record: &Record| u64::from(record[0]) << 32 | u64::from(record[1]);
        let (least, greatest) = records.iter().fold((u64::MAX, 0), |(least, greatest), record| {
            let half = first_half(record);
            (half.min(least), half.max(greatest))
        });
        // The beginning of a key and the index tell nearly all of the order. Facts of a pile come in the order of their
        // numbers, which most files have by start, so little is left to sort where beginnings are the same.
        let bits = usize::BITS - records.len().leading_zeros();
        let surplus = (u64::BITS - greatest.saturating_sub(least).leading_zeros() + bits).saturating_sub(u64::BITS);
        let entry = |(record, index): (&Record, u64)| (first_half(record) - least) >> surplus << bits | index;
        order.extend(records.iter().zip(0u64..).map(entry));
        order.sort_unstable();
        for alike in order.chunk_by(|a, b| a >> bits == b >> bits) {
            own.clear();
            own.extend(alike.iter().map(|entry| (entry & ((1 << bits) - 1)) as u32));
            // Nearly always the facts of a customer are of one subscription and begin one after the other.
            let follows = |[a, b]: [u32; 2]| {
                let (a, b) = (&records[a as usize], &records[b as usize]);
                a[..FACT] == b[..FACT] && start_of(a) <= start_of(b)
            };
            if !own.array_windows().all(|pair| follows(*pair)) {
                own.sort_unstable_by_key(|index| {
                    let record = &records[*index as usize];
                    (owners(record), start_of(record), record[FACT])
                });
            }
            for index in own.iter() {
                let record = &records[*index as usize];
                let [first, second, third, fourth] = owners(record);
                let (customer, item) = (Key::of_halves([first, second]), Key::of_halves([third, fourth]));
                let other = customers.last() != Some(&customer);
                if other {
                    customers.push(customer);
                    customer_ends.push(0);
                }
                if other || items.last() != Some(&item) {
                    items.push(item);
                    item_ends.push(0);
                }
                facts.push(fact_of(record, wide).pack());
                for ends in [&mut *customer_ends, &mut *item_ends] {
                    if let Some(end) = ends.last_mut() {
                        *end = facts.len() as u32;
                    }
                }
            }
        }
    }
}

/// Puts the facts of a part on their piles.
fn read_part(
    sources: &[Source],
    part: &Part,
    ranges: &Ranges,
    reading: &Reading<'_>,
    group: &mut Group,
    (customers, buffers): &mut (Vec<Key>, Buffers),
    hand: &mut Hand,
) -> Result<Result<(), Unfit>, BooksError> {
    let source = &sources[part.source];
    if !customers_of(source, part, &reading.customers, buffers, customers)? {
        return Ok(Err(Unfit::Customer));
    }
    if !group.read(source, part.group, part.known.as_deref(), reading)? {
        return Ok(Err(Unfit::Subscription));
    }
    let rows = (0..group.starts.len()).filter(|row| part.counts(*row));
    for ((row, customer), fact) in rows.zip(customers.iter()).zip(part.first..) {
        let record = hand.record(customer.halves(), group.subscriptions[row].halves(), Fact::of_row(group, row, fact));
        hand.put(ranges.of_customer(*customer), record);
    }
    Ok(Ok(()))
}

/// The customers of some facts, spread over all of them; none where one of them does not fit.
fn sample(
    sources: &[Source],
    parts: &[Part],
    facts: usize,
    reading: &Reading<'_>,
) -> Result<Option<Vec<Key>>, BooksError> {
    /// Customers looked at for each pile.
    const SAMPLES: usize = 16;
    /// Parts that are looked at where all are alike.
    const PARTS: usize = 4;
    let looked_at: Vec<&Part> = match are_alike(sources, parts, reading)? {
        true => (0..PARTS).filter_map(|number| parts.get(parts.len() * (2 * number + 1) / (2 * PARTS))).collect(),
        false => parts.iter().collect(),
    };
    let rows: usize = looked_at.iter().map(|part| sources[part.source].rows(part.group)).sum();
    let step = (rows * FACTS / (facts * SAMPLES).max(1)).max(1);
    let found: Vec<Option<Vec<Key>>> = looked_at
        .par_iter()
        .map_init(Default::default, |(customers, buffers), part| {
            let fit = customers_of(&sources[part.source], part, &reading.customers, buffers, customers)?;
            Ok(fit.then(|| customers.iter().step_by(step).copied().collect()))
        })
        .collect::<Result<_, BooksError>>()?;
    Ok(found.into_iter().collect::<Option<Vec<_>>>().map(|found| found.concat()))
}

/// Whether the parts say that they speak of the same customers by and large: what all of them span is at least half of
/// what any spans.
fn are_alike(sources: &[Source], parts: &[Part], reading: &Reading<'_>) -> Result<bool, BooksError> {
    let mut bounds: Vec<Range<u64>> = Vec::with_capacity(parts.len());
    for part in parts {
        let chunk = sources[part.source].chunk(part.group, "customer")?;
        let half = |id: &[u8]| Some(reading.customers.of(id)?.first_half());
        let own = chunk
            .as_ref()
            .and_then(|chunk| chunk.bounds())
            .and_then(|(least, greatest)| Some(half(least)?..half(greatest)?));
        let Some(own) = own else { return Ok(false) };
        bounds.push(own);
    }
    let starts = || bounds.iter().map(|own| own.start);
    let ends = || bounds.iter().map(|own| own.end);
    let (Some(least), Some(last_start)) = (starts().min(), starts().max()) else { return Ok(false) };
    let (Some(first_end), Some(greatest)) = (ends().min(), ends().max()) else { return Ok(false) };
    Ok(first_end.saturating_sub(last_start) >= (greatest - least).div_ceil(2))
}

/// One sorted pile at a time, in room that is used again.
#[derive(Debug, Default)]
pub(in crate::books) struct Room {
    records: Vec<Record>,
    wide: Vec<Wide>,
    order: Vec<u64>,
    own: Vec<u32>,
    /// The facts, sorted.
    pub(super) facts: Vec<Packed>,
    /// The customers, in order.
    pub(in crate::books) customers: Vec<Key>,
    /// Where the facts of each customer end.
    pub(super) customer_ends: Vec<u32>,
    /// The subscription items, in the order of their customers and their own.
    pub(in crate::books) items: Vec<Key>,
    /// Where the facts of each item end.
    pub(super) item_ends: Vec<u32>,
}

impl Room {
    /// The facts, as they stand.
    pub(in crate::books) fn stand(&self) -> Stand<'_> {
        Stand { facts: &self.facts, customer_ends: &self.customer_ends, item_ends: &self.item_ends }
    }
}
