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
            let (first_customer, first_item) = rows.next_keys();
            let Made { customers, items, .. } = flow.make(pile, context, basin, |customer, movements| {
                rows.take(first_customer + customer, first_item, movements, plans);
            })?;
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

/// The rows of a row group. Customers and items are numbered within it.
#[derive(Default)]
struct Rows {
    customers: Vec<Key>,
    items: Vec<Key>,
    customer: Vec<u32>,
    day: Vec<i32>,
    subscription: Vec<u32>,
    plan: Vec<u32>,
    kind: Vec<u32>,
    delta: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
}

impl Rows {
    fn clear(&mut self) {
        let Self { customers, items, customer, day, subscription, plan, kind, delta, before, after } = self;
        for keys in [customers, items] {
            keys.clear();
        }
        for numbers in [customer, subscription, plan, kind] {
            numbers.clear();
        }
        day.clear();
        for amounts in [delta, before, after] {
            amounts.clear();
        }
    }

    /// The numbers that the next customer and the next item get.
    fn next_keys(&self) -> (u32, u32) {
        (self.customers.len() as u32, self.items.len() as u32)
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
        let (first_customer, first_item) = self.next_keys();
        let mut movements = Vec::new();
        for (number, customer) in (first_customer..).zip(range.clone()) {
            movements.clear();
            movements.extend(ledger.of_customer(customer).filter_map(|row| ledger.movement(row)));
            for movement in &mut movements {
                movement.subscription -= least;
            }
            self.take(number, first_item, &movements, plans);
        }
        self.take_keys(
            customers.get(range).unwrap_or_default(),
            items.get(least as usize..end as usize).unwrap_or_default(),
        );
    }

    /// Takes in the movements of a customer: those of one day, item and plan are one row, and what comes to nothing is
    /// none. The items of `movements` are numbered from `first_item` on.
    fn take(&mut self, customer: u32, first_item: u32, movements: &[Movement], plans: &Plans) {
        let mut mrr = 0i64;
        for own in movements.chunk_by(|one, next| one.day == next.day) {
            // Most days have one.
            if let [movement] = own
                && movement.delta_micros != 0
            {
                let left = mrr + movement.delta_micros;
                self.subscription.push(first_item + movement.subscription);
                self.plan.push(plans.of_offer[movement.offer as usize]);
                self.kind.push(movement.kind as u32);
                self.delta.push(movement.delta_micros);
                self.day.push(movement.day);
                self.before.push(mrr);
                self.after.push(left);
                mrr = left;
                continue;
            }
            let begun = self.delta.len();
            let mut left = mrr;
            for movement in own {
                let item = first_item + movement.subscription;
                let plan = plans.of_offer[movement.offer as usize];
                left += movement.delta_micros;
                let last = self.delta.len().checked_sub(1).filter(|last| *last >= begun);
                match last.filter(|last| self.subscription[*last] == item && self.plan[*last] == plan) {
                    Some(last) => self.delta[last] += movement.delta_micros,
                    None => {
                        self.leave_out_nothing(begun);
                        self.subscription.push(item);
                        self.plan.push(plan);
                        self.kind.push(movement.kind as u32);
                        self.delta.push(movement.delta_micros);
                    }
                }
            }
            self.leave_out_nothing(begun);
            for _ in begun..self.delta.len() {
                self.day.push(own[0].day);
                self.before.push(mrr);
                self.after.push(left);
            }
            mrr = left;
        }
        self.customer.resize(self.delta.len(), customer);
    }

    /// Leaves out the last row, if it was taken in since there were so many and comes to nothing.
    fn leave_out_nothing(&mut self, begun: usize) {
        if self.delta.len() > begun && self.delta.last() == Some(&0) {
            self.delta.pop();
            self.subscription.pop();
            self.plan.pop();
            self.kind.pop();
        }
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
        let group = RowGroupMetaData::builder(Arc::clone(schema)).set_num_rows(self.delta.len() as i64);
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
        pages.in_dictionary(&self.customer, customers, Places::Runs)?;
        pages.in_differences(&self.day)?;
        pages.in_dictionary(&self.subscription, items, Places::Runs)?;
        pages.in_dictionary(&self.plan, plans, Places::Packed)?;
        pages.in_dictionary(&self.kind, kinds, Places::Packed)?;
        pages.in_differences(&self.delta)?;
        pages.in_differences(&self.before)?;
        pages.in_differences(&self.after)?;
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

/// How places in a dictionary are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    /// How often each is repeated.
    Runs,
    /// One by one.
    Packed,
}

/// The pages of a row group, column by column.
struct Pages<'a> {
    sink: TrackedWrite<Vec<u8>>,
    schema: &'a SchemaDescPtr,
    /// The columns that there are, which say where their pages begin in the sink.
    columns: Vec<ColumnChunkMetaData>,
}

impl Pages<'_> {
    /// A column as places in a dictionary.
    fn in_dictionary(&mut self, numbers: &[u32], dictionary: Dictionary, places: Places) -> Result<(), ParquetError> {
        let width = usize::BITS - dictionary.count.saturating_sub(1).leading_zeros();
        let mut packed = Vec::with_capacity(16 + (numbers.len() / 8 + 1) * width as usize);
        packed.push(width as u8);
        match places {
            Places::Runs => {
                let bytes = width.div_ceil(8) as usize;
                for run in numbers.chunk_by(|a, b| a == b) {
                    varint((run.len() as u64) << 1, &mut packed);
                    let end = packed.len() + bytes;
                    packed.extend_from_slice(&run[0].to_le_bytes());
                    packed.truncate(end);
                }
            }
            Places::Packed => {
                varint((numbers.len().div_ceil(8) as u64) << 1 | 1, &mut packed);
                if width <= 8 {
                    pack_narrow(numbers, width, &mut packed);
                } else {
                    let count = numbers.len().next_multiple_of(8);
                    pack(numbers.iter().map(|number| u64::from(*number)), count, width, &mut packed);
                }
            }
        }
        let page = Page::DictionaryPage {
            buf: Bytes::from(dictionary.compressed),
            num_values: dictionary.count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let page = CompressedPage::new(page, dictionary.plain_bytes);
        self.column(Some(page), packed, Encoding::RLE_DICTIONARY, numbers.len())
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
        for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
            for (difference, value) in differences.iter_mut().zip(block) {
                // In 32 bits a difference of days is one of 64 bits, and in 64 bits it wraps as the format says.
                let value = (*value).into();
                *difference = value.wrapping_sub(before);
                before = value;
            }
            let known = &mut differences[..block.len()];
            let least = known.iter().min().copied().unwrap_or_default();
            varint(zigzag(least), &mut packed);
            let widths = packed.len();
            packed.extend_from_slice(&[0; BLOCK / PART]);
            for (part, own) in known.chunks(PART).enumerate() {
                let above = |difference: &i64| difference.wrapping_sub(least).cast_unsigned();
                let all = own.iter().fold(0, |bits, difference| bits | above(difference));
                let width = u64::BITS - all.leading_zeros();
                packed[widths + part] = width as u8;
                pack(own.iter().map(above), PART, width, &mut packed);
            }
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

/// Packs values of `width` bits, the lowest first, and zeros after them up to `count`, which is a multiple of 8.
fn pack(values: impl Iterator<Item = u64>, count: usize, width: u32, out: &mut Vec<u8>) {
    let end = out.len() + count / 8 * width as usize;
    let (mut held, mut bits) = (0u64, 0);
    for value in values {
        held |= value << bits;
        bits += width;
        if bits >= u64::BITS {
            out.extend_from_slice(&held.to_le_bytes());
            bits -= u64::BITS;
            // Of a value all of whose bits are written none is left.
            held = value.checked_shr(width - bits).unwrap_or(0);
        }
    }
    let left = held.to_le_bytes();
    out.extend_from_slice(&left[..(bits as usize).div_ceil(8)]);
    out.resize(end, 0);
}

/// As [`pack`], of numbers that have at most eight bits, up to a multiple of 8.
fn pack_narrow(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    let (eights, rest) = numbers.as_chunks::<8>();
    for eight in eights {
        let bits = (0..).zip(eight).fold(0, |bits, (place, number)| bits | u64::from(*number) << (place * width));
        let end = out.len() + width as usize;
        out.extend_from_slice(&bits.to_le_bytes());
        out.truncate(end);
    }
    pack(rest.iter().map(|number| u64::from(*number)), rest.len().next_multiple_of(8), width, out);
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
                pack_narrow(&numbers, width, &mut narrow);
                let padded = numbers.len().next_multiple_of(8);
                pack(numbers.iter().map(|number| u64::from(*number)), padded, width, &mut wide);
                assert_eq!(narrow, wide, "{count} numbers of {width} bits");
            }
        }
    }
}
