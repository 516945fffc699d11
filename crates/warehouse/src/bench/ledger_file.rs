//! The ledger as a Parquet file, each column in the encoding that fits it.
//!
//! A general writer looks for repetitions that the ledger knows of: customers and subscriptions are numbered in the
//! order in which they are written, so a row group's dictionary is a stretch of them, and the numbers are their places
//! in it. Amounts are packed by the bits that their differences need.

use std::{fs::File, io::Write, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding},
    column::page::{CompressedPage, Page, PageWriter},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData},
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::{
        parser::parse_message_type,
        types::{ColumnDescPtr, SchemaDescPtr, SchemaDescriptor},
    },
};
use rayon::prelude::*;
use revenue::{
    ledger::Ledger,
    movement::{Context, Kind, Movement},
};

use crate::books::{
    BooksError, Ids, Key, SubscriptionFacts,
    flow::{Basin, Flow, Made},
};

/// The columns, as Parquet says them.
const SCHEMA: &str = "message ledger {
    REQUIRED BYTE_ARRAY customer (UTF8);
    REQUIRED INT32 day (DATE);
    REQUIRED BYTE_ARRAY subscription (UTF8);
    REQUIRED BYTE_ARRAY plan (UTF8);
    REQUIRED BYTE_ARRAY kind (UTF8);
    REQUIRED INT64 delta;
    REQUIRED INT64 mrr_before;
    REQUIRED INT64 mrr_after;
}";

/// Rows of a row group, more or less: it ends with a customer.
const GROUP_ROWS: usize = 65_536;

/// Writes the ledger of facts in full as it is made; says how many rows there are, and nothing where facts moved between
/// customers, so that only whole books tell. Of `context` all but the terms is used.
pub(super) fn write_flow(flow: Flow, context: &Context<'_>, out: &Path) -> Result<Option<u64>, BooksError> {
    let rows = write(flow.facts(), out, &flow.runs(GROUP_ROWS), |piles, (basin, rows): &mut (Basin, Rows), plans| {
        rows.clear();
        for pile in piles.clone() {
            let first_item = rows.next_item();
            let Made { customers, items, .. } =
                flow.make(pile, context, basin, |movements| rows.take(first_item, movements, plans))?;
            rows.take_keys(customers, items);
        }
        Ok(rows)
    })?;
    Ok((!flow.has_moved()).then_some(rows))
}

/// Writes a ledger in full; says how many rows there are. `customers` and `items` are the keys that go with it.
pub(super) fn write_ledger(
    ledger: &Ledger,
    facts: &SubscriptionFacts,
    (customers, items): (&[Key], &[Key]),
    out: &Path,
) -> Result<u64, BooksError> {
    write(facts, out, &groups(ledger), |group, rows: &mut Rows, plans| {
        rows.clear();
        rows.take_ledger(ledger, group.clone(), customers, items, plans);
        Ok(rows)
    })
}

/// Writes row groups of what `rows` makes of each of `groups`.
fn write<T: Default + Send>(
    facts: &SubscriptionFacts,
    out: &Path,
    groups: &[Range<usize>],
    rows: impl for<'a> Fn(&Range<usize>, &'a mut T, &Plans) -> Result<&'a mut Rows, BooksError> + Sync,
) -> Result<u64, BooksError> {
    let failed = |error: &dyn std::fmt::Display| BooksError::Unreadable {
        file: out.display().to_string(),
        words: error.to_string(),
    };
    let mut file = File::create(out).map_err(|error| failed(&error))?;
    let schema = parse_message_type(SCHEMA).map_err(|error| failed(&error))?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
    let plans = Plans::of(facts);
    file.write_all(MAGIC).map_err(|error| failed(&error))?;
    let (mut written, mut place) = (Vec::new(), MAGIC.len());
    // What was made room for is used again: as many groups are worked on at a time as there are cores.
    let mut rooms: Vec<(T, Vec<u8>)> = Vec::new();
    rooms.resize_with(rayon::current_num_threads().max(1), Default::default);
    for wave in groups.chunks(rooms.len()) {
        let encoded: Vec<Result<_, BooksError>> = wave
            .par_iter()
            .zip(&mut rooms)
            .with_max_len(1)
            .map(|(group, (room, bytes))| {
                rows(group, room, &plans)?.encode(facts, &plans, &schema, bytes).map_err(|error| failed(&error))
            })
            .collect();
        for (encoded, (_, bytes)) in encoded.into_iter().zip(&rooms) {
            let group = encoded?;
            if group.num_rows() == 0 {
                continue;
            }
            file.write_all(bytes).map_err(|error| failed(&error))?;
            written.push(at_place(group, place as i64).map_err(|error| failed(&error))?);
            place += bytes.len();
        }
    }
    let rows = written.iter().map(RowGroupMetaData::num_rows).sum();
    let made_by = concat!("recurve version ", env!("CARGO_PKG_VERSION")).to_owned();
    let metadata = FileMetaData::new(1, rows, Some(made_by), None, schema, None);
    let metadata = ParquetMetaData::new(metadata, written);
    ParquetMetaDataWriter::new(file, &metadata).finish().map_err(|error| failed(&error))?;
    Ok(rows.cast_unsigned())
}

/// What a file of Parquet begins with.
const MAGIC: &[u8] = b"PAR1";

/// A row group whose pages begin at a place in the file.
fn at_place(group: RowGroupMetaData, place: i64) -> Result<RowGroupMetaData, ParquetError> {
    let columns = group.columns().iter().map(|column| {
        let dictionary = column.dictionary_page_offset().map(|offset| offset + place);
        let data = column.data_page_offset() + place;
        column.clone().into_builder().set_data_page_offset(data).set_dictionary_page_offset(dictionary).build()
    });
    let columns = columns.collect::<Result<_, _>>()?;
    group.into_builder().set_column_metadata(columns).build()
}

/// The customers of each row group.
fn groups(ledger: &Ledger) -> Vec<Range<usize>> {
    let (mut groups, mut first) = (Vec::new(), 0);
    while first < ledger.customers() {
        let rows = ledger.offsets[first] as usize + GROUP_ROWS;
        let last =
            ledger.offsets.partition_point(|offset| (*offset as usize) < rows).clamp(first + 1, ledger.customers());
        groups.push(first..last);
        first = last;
    }
    groups
}

/// Plans by number: those of offers, each once.
struct Plans {
    names: Vec<String>,
    of_offer: Vec<u32>,
}

impl Plans {
    /// Offers are sorted by plan, so offers of one plan lie side by side.
    fn of(facts: &SubscriptionFacts) -> Self {
        let mut plans = Self { names: Vec::new(), of_offer: Vec::new() };
        for offer in &facts.offers {
            if plans.names.last() != Some(&offer.plan) {
                plans.names.push(offer.plan.clone());
            }
            plans.of_offer.push(plans.names.len() as u32 - 1);
        }
        plans
    }
}

/// The rows of a row group. Customers and items are numbered within it. Of columns that rows are put into, the first `count`
/// cells are theirs, and what lies behind them is room.
#[derive(Default)]
struct Rows {
    customers: Vec<Key>,
    items: Vec<Key>,
    count: usize,
    /// Where the rows of each customer end.
    customer_ends: Vec<usize>,
    day: Vec<i32>,
    subscription: Vec<u32>,
    plan: Vec<u32>,
    kind: Vec<u32>,
    delta: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
}

/// Cells for the rows of one customer.
struct Room<'a> {
    day: &'a mut [i32],
    subscription: &'a mut [u32],
    plan: &'a mut [u32],
    kind: &'a mut [u32],
    delta: &'a mut [i64],
    before: &'a mut [i64],
    after: &'a mut [i64],
}

impl Room<'_> {
    #[inline]
    fn put(&mut self, row: usize, movement: &Movement, (item, plan): (u32, u32), (mrr, left): (i64, i64)) {
        self.day[row] = movement.day;
        self.subscription[row] = item;
        self.plan[row] = plan;
        self.kind[row] = movement.kind as u32;
        self.delta[row] = movement.delta_micros;
        self.before[row] = mrr;
        self.after[row] = left;
    }
}

impl Rows {
    fn clear(&mut self) {
        self.customers.clear();
        self.items.clear();
        self.customer_ends.clear();
        self.count = 0;
    }

    /// Makes room for so many further rows.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, further: usize) {
        /// Rows for which room is made at a time.
        const ROWS: usize = 4_096;
        let wanted = (self.count + further).next_multiple_of(ROWS);
        let Self { day, subscription, plan, kind, delta, before, after, .. } = self;
        day.resize(wanted, 0);
        for numbers in [subscription, plan, kind] {
            numbers.resize(wanted, 0);
        }
        for amounts in [delta, before, after] {
            amounts.resize(wanted, 0);
        }
    }

    /// The number that the next item gets.
    fn next_item(&self) -> u32 {
        self.items.len() as u32
    }

    /// Takes in customers and items that follow those that were taken in.
    fn take_keys(&mut self, customers: &[Key], items: &[Key]) {
        self.customers.extend_from_slice(customers);
        self.items.extend_from_slice(items);
    }

    /// Takes in some customers of a ledger. `customers` and `items` are the keys of all of it.
    fn take_ledger(&mut self, ledger: &Ledger, range: Range<usize>, customers: &[Key], items: &[Key], plans: &Plans) {
        let rows = ledger.of_customer(range.start).start..ledger.of_customer(range.end - 1).end;
        let spoken_of = ledger.subscription.get(rows).unwrap_or_default();
        let least = spoken_of.iter().min().copied().unwrap_or_default();
        let end = spoken_of.iter().max().map_or(least, |greatest| greatest + 1);
        let first_item = self.next_item();
        let mut movements = Vec::new();
        for customer in range.clone() {
            movements.clear();
            movements.extend(ledger.of_customer(customer).filter_map(|row| ledger.movement(row)));
            for movement in &mut movements {
                movement.subscription -= least;
            }
            self.take(first_item, &movements, plans);
        }
        self.take_keys(
            customers.get(range).unwrap_or_default(),
            items.get(least as usize..end as usize).unwrap_or_default(),
        );
    }

    /// Takes in the movements of the next customer: those of one day, item and plan are one row, and what comes to nothing is
    /// none. The items of `movements` are numbered from `first_item` on.
    fn take(&mut self, first_item: u32, movements: &[Movement], plans: &Plans) {
        if self.day.len() - self.count < movements.len() {
            self.make_room(movements.len());
        }
        let Self { count, customer_ends, day, subscription, plan, kind, delta, before, after, .. } = self;
        // There are no more rows than movements, so all of them find room there.
        let own = *count..*count + movements.len();
        let mut room = Room {
            day: &mut day[own.clone()],
            subscription: &mut subscription[own.clone()],
            plan: &mut plan[own.clone()],
            kind: &mut kind[own.clone()],
            delta: &mut delta[own.clone()],
            before: &mut before[own.clone()],
            after: &mut after[own],
        };
        let (mut rows, mut mrr) = (0, 0i64);
        for of_day in movements.chunk_by(|one, next| one.day == next.day) {
            let part =
                |movement: &Movement| (first_item + movement.subscription, plans.of_offer[movement.offer as usize]);
            // Most days have one.
            if let [movement] = of_day {
                if movement.delta_micros != 0 {
                    let left = mrr + movement.delta_micros;
                    room.put(rows, movement, part(movement), (mrr, left));
                    rows += 1;
                    mrr = left;
                }
                continue;
            }
            let left = mrr + of_day.iter().map(|movement| movement.delta_micros).sum::<i64>();
            let begun = rows;
            for movement in of_day {
                if rows > begun {
                    let last = rows - 1;
                    if (room.subscription[last], room.plan[last]) == part(movement) {
                        room.delta[last] += movement.delta_micros;
                        continue;
                    }
                    // What came to nothing gives its place to the next.
                    rows -= usize::from(room.delta[last] == 0);
                }
                room.put(rows, movement, part(movement), (mrr, left));
                rows += 1;
            }
            rows -= usize::from(room.delta[rows - 1] == 0);
            mrr = left;
        }
        *count += rows;
        customer_ends.push(*count);
    }

    /// Makes pages of the rows; the row group says where they begin in `bytes`.
    fn encode(
        &self,
        facts: &SubscriptionFacts,
        plans: &Plans,
        schema: &SchemaDescPtr,
        bytes: &mut Vec<u8>,
    ) -> Result<RowGroupMetaData, ParquetError> {
        bytes.clear();
        let Self { count, day, subscription, plan, kind, delta, before, after, .. } = self;
        let group = RowGroupMetaData::builder(Arc::clone(schema)).set_num_rows(*count as i64);
        let names = |names: &mut dyn Iterator<Item = &str>| {
            let mut dictionary = Plain::default();
            names.for_each(|name| dictionary.push(name.as_bytes()));
            dictionary.compressed()
        };
        let customers = Dictionary::of_ids(&facts.customer_ids, &self.customers)?;
        let items = Dictionary::of_ids(&facts.subscription_ids, &self.items)?;
        let kinds = names(&mut Kind::ALL.iter().map(|(_, name)| *name))?;
        let plans = names(&mut plans.names.iter().map(String::as_str))?;
        let mut pages = Pages { sink: TrackedWrite::new(std::mem::take(bytes)), schema, columns: Vec::new() };
        // Rows of one customer follow each other, and mostly those of one item.
        let mut begun = 0;
        let of_customers = (0..).zip(&self.customer_ends).map(|(customer, end)| {
            let rows = end - begun;
            begun = *end;
            (customer, rows)
        });
        pages.in_runs(of_customers.filter(|(_, rows)| *rows > 0), customers, *count)?;
        pages.in_differences(&day[..*count])?;
        let of_items = subscription[..*count].chunk_by(|one, next| one == next);
        pages.in_runs(of_items.map(|run| (run[0], run.len())), items, *count)?;
        pages.packed(&plan[..*count], plans)?;
        pages.packed(&kind[..*count], kinds)?;
        for amounts in [delta, before, after] {
            pages.in_differences(&amounts[..*count])?;
        }
        let bytes_in_all = pages.columns.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
        *bytes = pages.sink.into_inner()?;
        group.set_total_byte_size(bytes_in_all).set_column_metadata(pages.columns).build()
    }
}

/// The texts of a column, as they lie in a page: each with its length before it.
#[derive(Default)]
struct Plain {
    bytes: Vec<u8>,
    count: usize,
}

impl Plain {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(text);
        self.count += 1;
    }

    fn compressed(self) -> Result<Dictionary, ParquetError> {
        let compressed = snap::raw::Encoder::new()
            .compress_vec(&self.bytes)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Dictionary { compressed, plain_bytes: self.bytes.len(), count: self.count })
    }
}

/// The texts of a column, compressed by Snappy.
struct Dictionary {
    compressed: Vec<u8>,
    plain_bytes: usize,
    count: usize,
}

impl Dictionary {
    /// The bits of a place in it.
    fn width(&self) -> u32 {
        usize::BITS - self.count.saturating_sub(1).leading_zeros()
    }

    fn of_ids(ids: &Ids, keys: &[Key]) -> Result<Self, ParquetError> {
        match ids {
            Ids::Spelled { beginning } => Ok(Self::spelled(beginning, keys)),
            Ids::Ranked { .. } => {
                let (mut plain, mut id) = (Plain::default(), Vec::new());
                for key in keys {
                    id.clear();
                    ids.append(*key, &mut id);
                    plain.push(&id);
                }
                plain.compressed()
            }
        }
    }

    /// What repeats is known: an id that is as long as the one before it begins with the same bytes, its length included.
    fn spelled(beginning: &str, keys: &[Key]) -> Self {
        let head = 4 + beginning.len();
        let plain_bytes = keys.iter().map(|key| head + key.spelled().1).sum();
        let mut compressed = Vec::with_capacity(keys.len() * 20 + head + 16);
        varint(plain_bytes as u64, &mut compressed);
        let mut length_before = None;
        for key in keys {
            let (text, length) = key.spelled();
            if length_before == Some(length) {
                repeat(head, head + length, &mut compressed);
            } else {
                literal(head, &mut compressed);
                compressed.extend_from_slice(&((head - 4 + length) as u32).to_le_bytes());
                compressed.extend_from_slice(beginning.as_bytes());
                length_before = Some(length);
            }
            if length > 0 {
                literal(length, &mut compressed);
                // All sixteen bytes are written, and those that are too many taken back.
                let end = compressed.len() + length;
                compressed.extend_from_slice(&text);
                compressed.truncate(end);
            }
        }
        Self { compressed, plain_bytes, count: keys.len() }
    }
}

/// Says in Snappy that so many bytes, at least one, follow as they are.
fn literal(length: usize, out: &mut Vec<u8>) {
    let last = length - 1;
    if last < 60 {
        out.push((last as u8) << 2);
    } else {
        // The length in four bytes.
        out.push(63 << 2);
        out.extend_from_slice(&(last as u32).to_le_bytes());
    }
}

/// Says in Snappy that so many bytes are those that stand so far back.
fn repeat(length: usize, back: usize, out: &mut Vec<u8>) {
    let mut left = length;
    while left > 0 {
        let own = left.min(64);
        if (4..=11).contains(&own) && back < 1 << 11 {
            out.extend_from_slice(&[1 | (own as u8 - 4) << 2 | ((back >> 8) as u8) << 5, back as u8]);
        } else {
            out.push(3 | (own as u8 - 1) << 2);
            out.extend_from_slice(&(back as u32).to_le_bytes());
        }
        left -= own;
    }
}

/// The pages of a row group, column by column.
struct Pages<'a> {
    sink: TrackedWrite<Vec<u8>>,
    schema: &'a SchemaDescPtr,
    /// The columns that there are, which say where their pages begin in the sink.
    columns: Vec<ColumnChunkMetaData>,
}

impl Pages<'_> {
    /// A column as places in a dictionary, each with how often it is repeated.
    fn in_runs(
        &mut self,
        runs: impl Iterator<Item = (u32, usize)>,
        dictionary: Dictionary,
        rows: usize,
    ) -> Result<(), ParquetError> {
        let width = dictionary.width();
        let bytes = width.div_ceil(8) as usize;
        let mut packed = Vec::with_capacity(16 + rows * (1 + bytes));
        packed.push(width as u8);
        let mut lot = Lot::new();
        for (place, count) in runs {
            // Most counts need one byte.
            if let Some(count) = u8::try_from(count << 1).ok().filter(|count| *count < 0x80) {
                lot.put(u64::from(place) << 8 | u64::from(count), 1 + bytes, &mut packed);
            } else {
                lot.flush(&mut packed);
                varint((count as u64) << 1, &mut packed);
                lot.put(place.into(), bytes, &mut packed);
            }
        }
        lot.flush(&mut packed);
        self.in_dictionary(packed, dictionary, rows)
    }

    /// A column as places in a dictionary, one by one.
    fn packed(&mut self, places: &[u32], dictionary: Dictionary) -> Result<(), ParquetError> {
        let width = dictionary.width();
        let mut packed = Vec::with_capacity(16 + (places.len() / 8 + 1) * width as usize);
        packed.push(width as u8);
        varint((places.len().div_ceil(8) as u64) << 1 | 1, &mut packed);
        let mut lot = Lot::new();
        if width <= 8 {
            pack_narrow(places, width, &mut lot, &mut packed);
        } else {
            let count = places.len().next_multiple_of(8);
            pack(places.iter().map(|place| u64::from(*place)), count, width, &mut lot, &mut packed);
        }
        lot.flush(&mut packed);
        self.in_dictionary(packed, dictionary, places.len())
    }

    fn in_dictionary(&mut self, places: Vec<u8>, dictionary: Dictionary, rows: usize) -> Result<(), ParquetError> {
        let page = Page::DictionaryPage {
            buf: Bytes::from(dictionary.compressed),
            num_values: dictionary.count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let page = CompressedPage::new(page, dictionary.plain_bytes);
        self.column(Some(page), places, Encoding::RLE_DICTIONARY, rows)
    }

    /// A column as differences between neighbours, in blocks of 128, of which each 32 have as many bits as they need.
    fn in_differences<T: Copy + Into<i64>>(&mut self, values: &[T]) -> Result<(), ParquetError> {
        const BLOCK: usize = 128;
        const PART: usize = 32;
        // More than there can be: of room that is not used nothing is touched.
        let mut packed = Vec::with_capacity(values.len() * 9 + 1_024);
        varint(BLOCK as u64, &mut packed);
        varint((BLOCK / PART) as u64, &mut packed);
        varint(values.len() as u64, &mut packed);
        let mut before = values.first().map_or(0, |first| (*first).into());
        varint(zigzag(before), &mut packed);
        let mut differences = [0i64; BLOCK];
        let mut lot = Lot::new();
        for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
            for (difference, value) in differences.iter_mut().zip(block) {
                // In 32 bits a difference of days is one of 64 bits, and in 64 bits it wraps as the format says.
                let value = (*value).into();
                *difference = value.wrapping_sub(before);
                before = value;
            }
            let known = &mut differences[..block.len()];
            let least = known.iter().min().copied().unwrap_or_default();
            known.iter_mut().for_each(|difference| *difference = difference.wrapping_sub(least));
            let above = |difference: &i64| difference.cast_unsigned();
            let mut widths = [0; BLOCK / PART];
            for (width, own) in widths.iter_mut().zip(known.chunks(PART)) {
                let all = own.iter().fold(0, |bits, difference| bits | above(difference));
                *width = (u64::BITS - all.leading_zeros()) as u8;
            }
            varint(zigzag(least), &mut packed);
            packed.extend_from_slice(&widths);
            for (width, own) in widths.iter().zip(known.chunks(PART)) {
                pack(own.iter().map(above), PART, u32::from(*width), &mut lot, &mut packed);
            }
            lot.flush(&mut packed);
        }
        self.column(None, packed, Encoding::DELTA_BINARY_PACKED, values.len())
    }

    /// The next column, whose pages go into the sink as they will stand in the file.
    fn column(
        &mut self,
        dictionary: Option<CompressedPage>,
        values: Vec<u8>,
        encoding: Encoding,
        rows: usize,
    ) -> Result<(), ParquetError> {
        let column: ColumnDescPtr = self.schema.column(self.columns.len());
        let mut encodings = vec![encoding];
        let (mut compressed_bytes, mut bytes) = (0, 0);
        let mut dictionary_at = None;
        let mut writer = SerializedPageWriter::new(&mut self.sink);
        if let Some(page) = dictionary {
            let written = writer.write_page(page)?;
            compressed_bytes += written.compressed_size;
            bytes += written.uncompressed_size;
            dictionary_at = Some(written.offset as i64);
            encodings.push(Encoding::PLAIN);
        }
        let length = values.len();
        // Packed bits have nothing left to compress.
        let page = Page::DataPageV2 {
            buf: Bytes::from(values),
            num_values: rows as u32,
            encoding,
            num_nulls: 0,
            num_rows: rows as u32,
            def_levels_byte_len: 0,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        };
        let written = writer.write_page(CompressedPage::new(page, length))?;
        compressed_bytes += written.compressed_size;
        bytes += written.uncompressed_size;
        let column = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::SNAPPY)
            .set_encodings(encodings)
            .set_num_values(rows as i64)
            .set_total_compressed_size(compressed_bytes as i64)
            .set_total_uncompressed_size(bytes as i64)
            .set_data_page_offset(written.offset as i64)
            .set_dictionary_page_offset(dictionary_at)
            .build()?;
        self.columns.push(column);
        Ok(())
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that are put together before a list takes them in: it would write and read its length again for each few of them.
struct Lot {
    room: [u8; Lot::BYTES + 8],
    next: usize,
}

impl Lot {
    const BYTES: usize = 512;

    fn new() -> Self {
        Self { room: [0; Self::BYTES + 8], next: 0 }
    }

    /// Puts in the lowest bytes of a word, at most eight of them.
    #[inline]
    fn put(&mut self, word: u64, bytes: usize, out: &mut Vec<u8>) {
        if self.next >= Self::BYTES {
            self.flush(out);
        }
        // All eight are written, and those that are too many written over.
        self.room[self.next..self.next + 8].copy_from_slice(&word.to_le_bytes());
        self.next += bytes;
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.room[..self.next]);
        self.next = 0;
    }
}

/// Packs values of `width` bits, the lowest first, and zeros after them up to `count`, which is a multiple of 8.
#[inline]
fn pack(values: impl Iterator<Item = u64>, count: usize, width: u32, lot: &mut Lot, out: &mut Vec<u8>) {
    let mut left = count / 8 * width as usize;
    let (mut held, mut bits) = (0u64, 0);
    for value in values {
        held |= value << bits;
        bits += width;
        if bits >= u64::BITS {
            lot.put(held, 8, out);
            left -= 8;
            bits -= u64::BITS;
            // Of a value all of whose bits are written none is left.
            held = value.checked_shr(width - bits).unwrap_or(0);
        }
    }
    while left > 0 {
        let own = left.min(8);
        lot.put(std::mem::take(&mut held), own, out);
        left -= own;
    }
}

/// As [`pack`], of numbers that have at most eight bits, up to a multiple of 8.
fn pack_narrow(numbers: &[u32], width: u32, lot: &mut Lot, out: &mut Vec<u8>) {
    let (eights, rest) = numbers.as_chunks::<8>();
    for eight in eights {
        let bits = (0..).zip(eight).fold(0, |bits, (place, number)| bits | u64::from(*number) << (place * width));
        lot.put(bits, width as usize, out);
    }
    pack(rest.iter().map(|number| u64::from(*number)), rest.len().next_multiple_of(8), width, lot, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_numbers_are_packed_as_wide_ones_are() {
        for width in 0..=8 {
            for count in [0, 1, 7, 8, 9, 24, 131u32] {
                let numbers: Vec<u32> =
                    (0..count).map(|number| number.wrapping_mul(0x9e37_79b9) & ((1 << width) - 1)).collect();
                let (mut narrow, mut wide) = (vec![1, 2], vec![1, 2]);
                let mut lot = Lot::new();
                pack_narrow(&numbers, width, &mut lot, &mut narrow);
                lot.flush(&mut narrow);
                let padded = numbers.len().next_multiple_of(8);
                pack(numbers.iter().map(|number| u64::from(*number)), padded, width, &mut lot, &mut wide);
                lot.flush(&mut wide);
                assert_eq!(narrow, wide, "{count} numbers of {width} bits");
            }
        }
    }
}
