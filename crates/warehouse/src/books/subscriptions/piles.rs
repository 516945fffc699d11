//! Facts as they are read, on piles of some thousand: one for each range of customers.
//!
//! Memory that is touched first costs more than anything done with it, so a fact is written once when it is read, beside
//! others of its pile, and a pile is sorted within the cache when it is wanted.

use std::{cmp::Ordering, ops::Range};

use rayon::prelude::*;
use revenue::fact::NEVER;

use super::{
    BooksError, Fact, Group, Packed, Part, RareTimes, Reading, Source, Stand, Tick, customers_of, times_by_fact,
};
use crate::books::{ids::Key, pages::Buffers};

/// The customer's and the subscription item's key of a fact, each as two halves with their lower words first, and the fact:
/// its number, its start and its end, its class with its quantity, and its amount. What is shorter is read sooner.
type Record = [u32; 13];

/// Records of one length. The last two words are the class with its quantity and the amount.
trait Recorded: Copy {
    /// The customer's and the item's key.
    fn owners(&self) -> [u64; 4];

    /// Whether another one is of the same customer and item.
    fn has_owners_of(&self, other: &Self) -> bool;

    /// The fact's number and when it starts and ends.
    fn when(&self) -> (u32, Tick, Tick);

    /// The class with its quantity, and the amount.
    fn what(&mut self) -> [&mut u32; 2];
}

fn two([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl Recorded for Record {
    #[inline]
    fn owners(&self) -> [u64; 4] {
        let [a, b, c, d, e, f, g, h, ..] = *self;
        [two([a, b]), two([c, d]), two([e, f]), two([g, h])]
    }

    #[inline]
    fn has_owners_of(&self, other: &Self) -> bool {
        self[..8] == other[..8]
    }

    #[inline]
    fn when(&self) -> (u32, Tick, Tick) {
        let [.., fact, start, end, _, _] = *self;
        (fact, start.cast_signed(), end.cast_signed())
    }

    #[inline]
    fn what(&mut self) -> [&mut u32; 2] {
        let [.., class, amount] = self;
        [class, amount]
    }
}

/// Bits that a quantity has beside its class.
const QUANTITY_BITS: u32 = 14;

/// The class and the quantity of facts that do not fit a record; the amount is their place among those.
const WIDE: u32 = u32::MAX;

/// A class, an amount and a quantity.
type Wide = (u32, i64, i64);

/// Amounts are counted in hundredths of a unit, in pico-units.
const HUNDREDTH: i64 = 10_000_000_000;

/// What an amount in pico-units is in hundredths of a unit, if it is some whole number of them and not below zero.
///
/// Ten thousand million is five to the tenth times two to the tenth. To multiply by what makes the first of them 1 in 64 bits, and to
/// turn by ten bits, gives each word another one, and its hundredths to a whole number of those.
#[inline]
fn in_hundredths(picos: i64) -> Option<u32> {
    /// What makes five to the tenth 1.
    const INVERSE: u64 = {
        let (odd, mut inverse) = (HUNDREDTH as u64 >> 10, 1u64);
        // Each step doubles how many of its lowest bits are right.
        let mut step = 0;
        while step < 6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
            step += 1;
        }
        inverse
    };
    let hundredths = picos.cast_unsigned().wrapping_mul(INVERSE).rotate_right(10);
    (hundredths <= (i64::MAX / HUNDREDTH) as u64).then_some(hundredths as u32)
}

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

/// A record of a fact that is as short as most. Of keys the last two bytes are none, and of days there are no more than
/// sixteen bits say. It has the first halves of both keys, what is left of the second ones, and the fact: its number, its
/// start with how long it lasts, its class with its quantity, and its amount.
type Short = [u32; 11];

/// How long a fact lasts that has no end; none that is short lasts as long.
const ENDLESS: u32 = 0xffff;

/// The start of a short record and how long it lasts, if they fit.
#[inline]
fn time_of(start: Tick, end: Tick) -> Option<u32> {
    let first = u32::try_from(start).ok().filter(|first| *first <= 0xffff)?;
    let lasts = match end {
        NEVER => ENDLESS,
        _ => u32::try_from(end.checked_sub(start)?).ok().filter(|lasts| *lasts < ENDLESS)?,
    };
    Some(first << 16 | lasts)
}

impl Recorded for Short {
    #[inline]
    fn owners(&self) -> [u64; 4] {
        let [a, b, c, d, e, f, both, ..] = *self;
        [two([a, b]), two([both & 0xffff_0000, e]), two([c, d]), two([both << 16, f])]
    }

    #[inline]
    fn has_owners_of(&self, other: &Self) -> bool {
        self[..7] == other[..7]
    }

    #[inline]
    fn when(&self) -> (u32, Tick, Tick) {
        let [.., fact, time, _, _] = *self;
        let (start, lasts) = ((time >> 16).cast_signed(), (time & 0xffff).cast_signed());
        (fact, start, if lasts.cast_unsigned() == ENDLESS { NEVER } else { start + lasts })
    }

    #[inline]
    fn what(&mut self) -> [&mut u32; 2] {
        let [.., class, amount] = self;
        [class, amount]
    }
}

/// The record of a short one.
#[inline]
fn lengthen(short: &Short) -> Record {
    let [.., class, amount] = *short;
    let ([a, b, c, d], (fact, start, end)) = (short.owners(), short.when());
    let (low, high) = (|half: u64| half as u32, |half: u64| (half >> 32) as u32);
    let [start, end] = [start.cast_unsigned(), end.cast_unsigned()];
    [low(a), high(a), low(b), high(b), low(c), high(c), low(d), high(d), fact, start, end, class, amount]
}

/// Asks the system for the memory of records that are about to be written. It gives many pages at once for half of what
/// it takes to give each of them when it is written first; where it does not know the question, it does that.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn give_memory<T>(records: &mut [T]) {
    use rustix::mm::{Advice, madvise};
    let page = rustix::param::page_size();
    let first = records.as_mut_ptr().cast::<u8>();
    let before = first.align_offset(page).min(size_of_val(records));
    let length = (size_of_val(records) - before) / page * page;
    // SAFETY: the pages lie wholly within records that nobody else holds, and the advice changes nothing that they say.
    let _ = unsafe { madvise(first.wrapping_add(before).cast(), length, Advice::LinuxPopulateWrite) };
}

#[cfg(not(target_os = "linux"))]
fn give_memory<T>(_: &mut [T]) {}

/// Tells the processor that a record is written or read soon, as far as it can be told: each pile goes on in memory of its own,
/// for which the processor would wait when it gets there.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[inline]
fn fetch<T>(records: &[T], index: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    if let Some(record) = records.get(index) {
        // SAFETY: every processor of 64 bits has the instruction. It reads nothing that a program could see and never fails.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(record).cast()) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn fetch<T>(_: &[T], _: usize) {}

/// Blocks of records, each of one pile.
struct Blocks<T> {
    records: Vec<T>,
    /// Where the blocks of each pile begin.
    of_pile: Vec<Vec<u32>>,
    /// Where the next record of each pile goes; a whole number of blocks when its last block is full.
    next: Vec<u32>,
    /// Where the next block begins.
    unused: u32,
    /// Up to where the system has given memory.
    given: u32,
}

impl<const WORDS: usize> Blocks<[u32; WORDS]> {
    /// Records of a block.
    const BLOCK: u32 = 32;

    /// Records for which memory is asked at a time: so few that they are still near when they are written.
    const GIVEN: u32 = 8_192;

    /// Room for so many records on so many piles, not touched yet. It is there at once where nearly all records are
    /// expected: what is put into it then is written once. Elsewhere each block is made when it is wanted, for zeros that
    /// nobody needs may have to be written.
    fn with_room(records: usize, piles: usize, is_expected: bool) -> Result<Self, BooksError> {
        let room = records + piles * Self::BLOCK as usize;
        u32::try_from(room).map_err(|_| BooksError::TooMany { what: "facts" })?;
        let records = if is_expected { vec![[0; WORDS]; room] } else { Vec::with_capacity(room) };
        Ok(Self { records, of_pile: vec![Vec::new(); piles], next: vec![0; piles], unused: 0, given: 0 })
    }

    #[inline]
    fn put(&mut self, pile: usize, record: [u32; WORDS]) {
        if self.next[pile].is_multiple_of(Self::BLOCK) {
            self.begin_block(pile);
        }
        let next = &mut self.next[pile];
        self.records[*next as usize] = record;
        *next += 1;
        // The end of the next record; its beginning shares a line with this one.
        fetch(&self.records, *next as usize + 1);
    }

    /// Gives a pile its next block.
    #[cold]
    #[inline(never)]
    fn begin_block(&mut self, pile: usize) {
        self.next[pile] = self.unused;
        self.of_pile[pile].push(self.unused);
        self.unused += Self::BLOCK;
        if self.records.len() < self.unused as usize {
            self.records.resize(self.unused as usize, [0; WORDS]);
        } else if self.given < self.unused {
            let first = self.given as usize;
            self.given += Self::GIVEN;
            let end = self.records.len().min(self.given as usize);
            give_memory(&mut self.records[first..end]);
        }
    }

    /// The records of a pile, in the order in which they came.
    fn of_pile(&self, pile: usize) -> impl Iterator<Item = &[[u32; WORDS]]> {
        let blocks = &self.of_pile[pile];
        blocks.iter().enumerate().map(move |(number, first)| {
            let end = if number + 1 == blocks.len() { self.next[pile] } else { first + Self::BLOCK };
            &self.records[*first as usize..end as usize]
        })
    }
}

/// What was read of some parts that follow each other.
struct Hand {
    short: Blocks<Short>,
    long: Blocks<Record>,
    /// Of facts whose class, amount or quantity does not fit a record.
    wide: Vec<Wide>,
}

impl Hand {
    /// Room for so many records on so many piles. None of it is touched yet.
    fn with_room(records: usize, piles: usize) -> Result<Self, BooksError> {
        Ok(Self {
            short: Blocks::with_room(records, piles, true)?,
            long: Blocks::with_room(records, piles, false)?,
            wide: Vec::new(),
        })
    }

    /// How many records of a pile it has.
    fn size(&self, pile: usize) -> usize {
        let short: usize = self.short.of_pile(pile).map(<[_]>::len).sum();
        short + self.long.of_pile(pile).map(<[_]>::len).sum::<usize>()
    }

    /// Puts a fact of some customer on a pile.
    #[inline]
    fn put(&mut self, pile: usize, customer: Key, item: Key, fact: Fact) {
        let class_and_quantity = u32::try_from(fact.quantity)
            .ok()
            .filter(|quantity| *quantity < 1 << QUANTITY_BITS && fact.class < WIDE >> QUANTITY_BITS)
            .map(|quantity| fact.class << QUANTITY_BITS | quantity);
        let (class, amount) = match (class_and_quantity, in_hundredths(fact.amount)) {
            (Some(class), Some(hundredths)) => (class, hundredths),
            _ => {
                // There are no more of them than facts, which have 32-bit numbers.
                self.wide.push((fact.class, fact.amount, fact.quantity));
                (WIDE, (self.wide.len() - 1) as u32)
            }
        };
        let ([a, b], [c, d]) = (customer.halves(), item.halves());
        let high = |half: u64| (half >> 32) as u32;
        match time_of(fact.start, fact.end).filter(|_| (b | d) & 0xffff == 0) {
            Some(time) => {
                let both = b as u32 | d as u32 >> 16;
                let own =
                    [a as u32, high(a), c as u32, high(c), high(b), high(d), both, fact.fact, time, class, amount];
                self.short.put(pile, own);
            }
            None => {
                let keys = [a as u32, high(a), b as u32, high(b), c as u32, high(c), d as u32, high(d)];
                let [a, b, c, d, e, f, g, h] = keys;
                let (start, end) = (fact.start.cast_unsigned(), fact.end.cast_unsigned());
                self.long.put(pile, [a, b, c, d, e, f, g, h, fact.fact, start, end, class, amount]);
            }
        }
    }
}

/// The fact of a record, of which what does not fit lies elsewhere.
#[inline]
fn fact_of(mut record: impl Recorded, wide: &[Wide]) -> Fact {
    let (fact, start, end) = record.when();
    let [class, own] = record.what();
    let (class, amount, quantity) = match *class {
        WIDE => wide[*own as usize],
        both => {
            let quantity = i64::from(both & ((1 << QUANTITY_BITS) - 1));
            (both >> QUANTITY_BITS, i64::from(*own) * HUNDREDTH, quantity)
        }
    };
    Fact { fact, class, start, end, amount, quantity }
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
        self.hands.iter().map(|hand| hand.size(pile)).sum()
    }

    /// Sorts a pile by customer, subscription, start and fact.
    pub(in crate::books) fn sort(&self, pile: usize, room: &mut Room) {
        let Room { short, records, wide, sorting, sorted } = room;
        short.clear();
        records.clear();
        wide.clear();
        if self.hands.iter().all(|hand| hand.long.of_pile[pile].is_empty()) {
            for hand in &self.hands {
                let begun = short.len();
                let mut blocks = hand.short.of_pile(pile).peekable();
                while let Some(block) = blocks.next() {
                    if let Some(next) = blocks.peek() {
                        (0..next.len()).for_each(|index| fetch(next, index));
                    }
                    short.extend_from_slice(block);
                }
                renumber(&mut short[begun..], &hand.wide, wide);
            }
            sorting.sort(short, wide, sorted);
            return;
        }
        for hand in &self.hands {
            let begun = records.len();
            for block in hand.short.of_pile(pile) {
                records.extend(block.iter().map(lengthen));
            }
            for block in hand.long.of_pile(pile) {
                records.extend_from_slice(block);
            }
            renumber(&mut records[begun..], &hand.wide, wide);
        }
        sorting.sort(records, wide, sorted);
    }
}

/// Takes along what does not fit the records of a hand, which say where it lies among that of all of them.
fn renumber(records: &mut [impl Recorded], of_hand: &[Wide], wide: &mut Vec<Wide>) {
    if of_hand.is_empty() {
        return;
    }
    for record in records {
        let [class, place] = record.what();
        if *class == WIDE {
            wide.push(of_hand[*place as usize]);
            *place = (wide.len() - 1) as u32;
        }
    }
}

/// Room for sorting.
#[derive(Debug, Default)]
struct Sorting {
    bytes: Vec<u64>,
    order: Vec<u32>,
    buckets: Buckets,
}

impl Sorting {
    /// Sorts records by customer, subscription, start and fact.
    fn sort(&mut self, records: &[impl Recorded], wide: &[Wide], sorted: &mut Sorted) {
        let Self { bytes, order, buckets } = self;
        let Sorted { facts, customers, customer_ends, items, item_ends } = sorted;
        facts.clear();
        customers.clear();
        customer_ends.clear();
        items.clear();
        item_ends.clear();
        // What all keys of a pile begin with tells nothing of the order, and the bytes after it nearly all. Ids that are
        // ranked have keys whose first halves are all alike.
        for half in 0..2 {
            let first = records.first().map_or(0, |record| record.owners()[half]);
            let mut different = 0;
            bytes.clear();
            bytes.extend(records.iter().map(|record| {
                let own = record.owners()[half];
                different |= own ^ first;
                own
            }));
            if different != 0 {
                let alike = different.leading_zeros() / 8 * 8;
                bytes.iter_mut().for_each(|half| *half <<= alike);
                break;
            }
        }
        let near = |index: u32| fetch(records, index as usize);
        buckets.each(bytes, order, near, |own| {
            let order_of = |a: u32, b: u32| {
                let (first, second) = (&records[a as usize], &records[b as usize]);
                let by_owners = match first.has_owners_of(second) {
                    true => Ordering::Equal,
                    false => {
                        bytes[a as usize].cmp(&bytes[b as usize]).then_with(|| first.owners().cmp(&second.owners()))
                    }
                };
                by_owners.then_with(|| {
                    let ((fact, start, _), (other, other_start, _)) = (first.when(), second.when());
                    (start, fact).cmp(&(other_start, other))
                })
            };
            // Facts of a pile come in the order of their numbers, which most files have by start.
            if !own.array_windows().all(|[a, b]| order_of(*a, *b) == Ordering::Less) {
                own.sort_unstable_by(|a, b| order_of(*a, *b));
            }
            // All facts of an item have come to one bucket.
            for of_item in own.chunk_by(|a, b| records[*a as usize].has_owners_of(&records[*b as usize])) {
                facts.extend(of_item.iter().map(|index| fact_of(records[*index as usize], wide).pack()));
                let [first, second, third, fourth] = records[of_item[0] as usize].owners();
                let customer = Key::of_halves([first, second]);
                items.push(Key::of_halves([third, fourth]));
                item_ends.push(facts.len() as u32);
                if customers.last() != Some(&customer) {
                    customers.push(customer);
                    customer_ends.push(0);
                }
                if let Some(end) = customer_ends.last_mut() {
                    *end = facts.len() as u32;
                }
            }
        });
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
    part.each_fact(group, customers, |_, [customer, item], fact| {
        hand.put(ranges.of_customer(customer), customer, item, fact);
    });
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
    const PARTS: usize = 2;
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

/// Sorting by the first bytes that tell something: numbers are laid in buckets, in the order of those bytes, and what meets
/// in one is sorted by what else there is. Of ids of letters and digits nearly every one has a bucket of its own.
#[derive(Debug, Default)]
struct Buckets {
    /// The bucket of each number.
    of: Vec<u32>,
    /// Where each bucket ends.
    ends: Vec<u32>,
}

impl Buckets {
    /// Bytes that are looked at.
    const BYTES: usize = 4;

    /// Shows the places of some numbers bucket by bucket, those of each in the order in which they came; tells before which
    /// places are shown soon.
    fn each(&mut self, numbers: &[u64], order: &mut Vec<u32>, soon: impl Fn(u32), mut visit: impl FnMut(&mut [u32])) {
        /// How many places later is soon.
        const SOON: usize = 32;
        // Of 256 bytes letters and digits are few, so buckets are counted by those that occur: each byte adds its rank
        // among them, times the buckets that the bytes after it make.
        let mut weights = [[0u32; 256]; Self::BYTES];
        for number in numbers {
            for (weights, byte) in weights.iter_mut().zip(number.to_be_bytes()) {
                weights[usize::from(byte)] = 1;
            }
        }
        let different = weights.map(|occurs| occurs.iter().sum::<u32>());
        let most = u32::try_from(numbers.len()).unwrap_or(u32::MAX).saturating_mul(4);
        let used = (1..=Self::BYTES)
            .rev()
            .find(|used| different[..*used].iter().fold(1, |all: u32, own| all.saturating_mul(*own)) <= most)
            .unwrap_or(0);
        let mut buckets = 1;
        for (place, weights) in weights.iter_mut().enumerate().rev() {
            let mut rank = 0;
            for weight in weights.iter_mut() {
                let occurs = std::mem::replace(weight, if place < used { rank * buckets } else { 0 });
                rank += occurs;
            }
            if place < used {
                buckets *= different[place];
            }
        }
        let Self { of, ends } = self;
        of.clear();
        ends.clear();
        ends.resize(buckets as usize + 1, 0);
        of.extend(numbers.iter().map(|number| {
            let bytes = number.to_be_bytes();
            let bucket: u32 = weights.iter().zip(bytes).map(|(weights, byte)| weights[usize::from(byte)]).sum();
            ends[bucket as usize + 1] += 1;
            bucket
        }));
        let mut before = 0;
        for end in ends.iter_mut() {
            before += *end;
            *end = before;
        }
        // Where a bucket begins moves on to where it ends.
        order.clear();
        order.resize(numbers.len(), 0);
        for (index, bucket) in (0..).zip(of.iter()) {
            let next = &mut ends[*bucket as usize];
            order[*next as usize] = index;
            *next += 1;
        }
        let mut first = 0;
        for end in ends.iter().take(buckets as usize) {
            let last = *end as usize;
            if first < last {
                order[(first + SOON).min(order.len())..(last + SOON).min(order.len())]
                    .iter()
                    .for_each(|place| soon(*place));
                visit(&mut order[first..last]);
            }
            first = last;
        }
    }
}

/// One sorted pile at a time, in room that is used again.
#[derive(Debug, Default)]
pub(in crate::books) struct Room {
    short: Vec<Short>,
    records: Vec<Record>,
    wide: Vec<Wide>,
    sorting: Sorting,
    /// The pile.
    pub(in crate::books) sorted: Sorted,
}

/// Facts in the order of customers, subscription items, starts and numbers.
#[derive(Debug, Default)]
pub(in crate::books) struct Sorted {
    /// The facts.
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

impl Sorted {
    /// The facts, as they stand.
    pub(in crate::books) fn stand(&self) -> Stand<'_> {
        Stand { facts: &self.facts, customer_ends: &self.customer_ends, item_ends: &self.item_ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn.
    fn drawn() -> impl FnMut(u64) -> u64 {
        let mut state = 7u64;
        move |sides| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        }
    }

    #[test]
    fn a_pile_stands_in_the_order_of_keys_starts_and_facts_however_its_records_are_kept() {
        let mut dice = drawn();
        for letters in [1, 9, 62] {
            let mut key = |length: u64| {
                let spelled = |byte: u64| if byte < 10 { b'0' + byte as u8 } else { b'A' + (byte - 10) as u8 };
                let text = (0..length).fold(0u128, |text, _| text << 8 | u128::from(spelled(dice(letters))));
                Key::from(text << (128 - 8 * length))
            };
            let customers: Vec<Key> = (0..200).map(|number| key([3, 14, 16][number % 3])).collect();
            let items: Vec<Key> = (0..40).map(|number| key([14, 15][number % 2])).collect();
            let mut hands = vec![Hand::with_room(1_500, 1).unwrap(), Hand::with_room(1_500, 1).unwrap()];
            let mut wanted = Vec::new();
            for fact in 0..3_000u32 {
                let (customer, item) = (customers[dice(200) as usize], items[dice(40) as usize]);
                let start = [17_000 + dice(9) as i32, -5, 70_000, 0][dice(40).saturating_sub(36) as usize];
                let end = [start + 1 + dice(400) as i32, start, start + 0xffff, start.saturating_add(1 << 20), NEVER];
                let fact = Fact {
                    fact,
                    class: [dice(30) as u32, 1 << 20][dice(30) as usize / 29],
                    start,
                    end: end[dice(5) as usize],
                    amount: [dice(9_999) as i64 * HUNDREDTH, 1, i64::MIN + 1][dice(40).saturating_sub(37) as usize],
                    quantity: [dice(50) as i64, 1 << 40, -1][dice(40).saturating_sub(37) as usize],
                };
                hands[(fact.fact / 1_500) as usize].put(0, customer, item, fact);
                wanted.push((customer, item, fact));
            }
            assert!(hands.iter().all(|hand| hand.short.next[0] > 0 && hand.long.next[0] > 0 && !hand.wide.is_empty()));
            let piles = Piles { ranges: Ranges::of(Vec::new(), 0), hands };
            assert_eq!((piles.len(), piles.size(0)), (1, 3_000));
            let mut room = Room::default();
            piles.sort(0, &mut room);
            let room = room.sorted;
            wanted.sort_by_key(|(customer, item, fact)| (*customer, *item, fact.start, fact.fact));
            let (mut customer, mut item) = (0, 0);
            for (place, (owner, of, fact)) in wanted.iter().enumerate() {
                customer += usize::from(room.customer_ends[customer] as usize == place);
                item += usize::from(room.item_ends[item] as usize == place);
                assert_eq!((room.customers[customer], room.items[item]), (*owner, *of));
                assert_eq!(Fact::of(room.facts[place]), *fact);
            }
            assert_eq!(room.facts.len(), wanted.len());
        }
    }

    #[test]
    fn whole_hundredths_are_told_from_all_other_amounts() {
        let mut dice = drawn();
        let most = i64::MAX / HUNDREDTH;
        let near = [0, 1, 2, 99, most - 1, most, -1, -2, -most].map(|hundredths| hundredths * HUNDREDTH);
        let drawn: Vec<i64> = (0..10_000).map(|_| (dice(1 << 32) << 32 | dice(1 << 32)).cast_signed()).collect();
        let whole: Vec<i64> = drawn.iter().map(|amount| amount % (most + 1) * HUNDREDTH).collect();
        for amount in near.into_iter().chain([i64::MIN, i64::MAX]).chain(whole).chain(drawn) {
            for amount in [amount, amount.wrapping_add(1), amount.wrapping_add(1 << 10), amount.wrapping_sub(9_765_625)]
            {
                let wanted = u32::try_from(amount / HUNDREDTH).ok().filter(|_| amount % HUNDREDTH == 0);
                assert_eq!(in_hundredths(amount), wanted, "{amount}");
            }
        }
    }

    #[test]
    fn buckets_come_in_the_order_of_numbers() {
        let mut dice = drawn();
        for (count, mask) in
            [(0, 0), (1, 0), (900, u64::MAX), (900, 0), (900, 0x0303_0303_0303_0303), (50, 0xff), (900, 7 << 56)]
        {
            let numbers: Vec<u64> = (0..count).map(|_| (dice(1 << 32) << 32 | dice(1 << 32)) & mask).collect();
            let (mut order, mut sorted) = (Vec::new(), Vec::new());
            Buckets::default().each(
                &numbers,
                &mut order,
                |_| {},
                |own| {
                    assert!(own.is_sorted());
                    own.sort_by_key(|index| numbers[*index as usize]);
                    sorted.extend(own.iter().map(|index| numbers[*index as usize]));
                },
            );
            assert!(sorted.is_sorted());
            assert_eq!(sorted.len(), count);
        }
    }
}
