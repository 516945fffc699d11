//! The ledger as a Parquet file, each column in the encoding that fits it.
//!
//! A general writer looks for repetitions that the ledger knows of: customers and subscriptions are numbered in the
//! order in which they are written, so a row group's dictionary is a stretch of them, and the numbers are their places
//! in it. Amounts are packed by the bits that their differences need.

use std::{fs::File, io::BufWriter, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding},
    column::{
        page::{CompressedPage, Page, PageWriter},
        writer::ColumnCloseResult,
    },
    errors::ParquetError,
    file::{
        metadata::ColumnChunkMetaData,
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite},
    },
    schema::{parser::parse_message_type, types::ColumnDescPtr},
};
use rayon::prelude::*;
use revenue::movement::Kind;

use crate::books::{Books, BooksError, Ids, Key};

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
const GROUP_ROWS: usize = 262_144;

/// Writes the ledger in full; says how many rows there are.
pub(super) fn write(books: &Books, out: &Path) -> Result<u64, BooksError> {
    let failed = |error: &dyn std::fmt::Display| BooksError::Unreadable {
        file: out.display().to_string(),
        words: error.to_string(),
    };
    let file = BufWriter::with_capacity(1 << 20, File::create(out).map_err(|error| failed(&error))?);
    let schema = parse_message_type(SCHEMA).map_err(|error| failed(&error))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(|error| failed(&error))?;
    let columns = writer.schema_descr().columns().to_vec();
    let plans = Plans::of(books);
    let groups = groups(books);
    let mut written = 0;
    for wave in groups.chunks(rayon::current_num_threads()) {
        let encoded: Vec<Result<_, ParquetError>> = wave
            .par_iter()
            .map_init(Rows::default, |rows, customers| {
                rows.gather(books, customers.clone(), &plans);
                Ok((rows.delta.len() as u64, rows.encode(books, &plans, &columns)?))
            })
            .collect();
        for encoded in encoded {
            let (rows, chunks) = encoded.map_err(|error| failed(&error))?;
            if rows == 0 {
                continue;
            }
            written += rows;
            let mut group = writer.next_row_group().map_err(|error| failed(&error))?;
            for (bytes, closed) in chunks {
                group.append_column(&bytes, closed).map_err(|error| failed(&error))?;
            }
            group.close().map_err(|error| failed(&error))?;
        }
    }
    writer.close().map_err(|error| failed(&error))?;
    Ok(written)
}

/// The customers of each row group.
fn groups(books: &Books) -> Vec<Range<usize>> {
    let ledger = &books.ledger;
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
    fn of(books: &Books) -> Self {
        let mut plans = Self { names: Vec::new(), of_offer: Vec::new() };
        for offer in &books.facts.offers {
            if plans.names.last() != Some(&offer.plan) {
                plans.names.push(offer.plan.clone());
            }
            plans.of_offer.push(plans.names.len() as u32 - 1);
        }
        plans
    }
}

/// The rows of a row group.
#[derive(Default)]
struct Rows {
    customer: Vec<u32>,
    day: Vec<i32>,
    subscription: Vec<u32>,
    plan: Vec<u32>,
    kind: Vec<u32>,
    delta: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
}

type Chunk = (Bytes, ColumnCloseResult);

impl Rows {
    /// The rows of some customers: offers of one plan are one row, and what comes to nothing is none.
    fn gather(&mut self, books: &Books, customers: Range<usize>, plans: &Plans) {
        let Self { customer: of, day: days, subscription: items, plan: own_plans, kind: kinds, delta, before, after } =
            self;
        for numbers in [&mut *of, &mut *items, &mut *own_plans, &mut *kinds] {
            numbers.clear();
        }
        days.clear();
        for amounts in [&mut *delta, &mut *before, &mut *after] {
            amounts.clear();
        }
        let ledger = &books.ledger;
        for customer in customers {
            let rows = ledger.of_customer(customer);
            let mut mrr = 0i64;
            let mut first = rows.start;
            while first < rows.end {
                let day = ledger.day[first];
                let begun = delta.len();
                let mut left = mrr;
                while first < rows.end && ledger.day[first] == day {
                    let (item, plan) = (ledger.subscription[first], plans.of_offer[ledger.offer[first] as usize]);
                    left += ledger.delta_micros[first];
                    let last = delta.len().checked_sub(1).filter(|last| *last >= begun);
                    match last.filter(|last| items[*last] == item && own_plans[*last] == plan) {
                        Some(last) => delta[last] += ledger.delta_micros[first],
                        None => {
                            if last.is_some_and(|last| delta[last] == 0) {
                                delta.pop();
                                items.pop();
                                own_plans.pop();
                                kinds.pop();
                            }
                            items.push(item);
                            own_plans.push(plan);
                            kinds.push(ledger.kind[first] as u32);
                            delta.push(ledger.delta_micros[first]);
                        }
                    }
                    first += 1;
                }
                if delta.len() > begun && delta.last() == Some(&0) {
                    delta.pop();
                    items.pop();
                    own_plans.pop();
                    kinds.pop();
                }
                let count = delta.len();
                of.resize(count, customer as u32);
                days.resize(count, day);
                before.resize(count, mrr);
                after.resize(count, left);
                mrr = left;
            }
        }
    }

    fn encode(&self, books: &Books, plans: &Plans, columns: &[ColumnDescPtr]) -> Result<Vec<Chunk>, ParquetError> {
        if self.delta.is_empty() {
            return Ok(Vec::new());
        }
        let ids = |numbers: &[u32], ids: &Ids, keys: &[Key]| {
            let first = numbers.iter().min().copied().unwrap_or_default();
            let last = numbers.iter().max().copied().unwrap_or_default();
            let stretch = keys.get(first as usize..=last as usize).unwrap_or_default();
            let mut dictionary = Vec::with_capacity(24 * stretch.len());
            for key in stretch {
                let begun = dictionary.len();
                dictionary.extend_from_slice(&[0; 4]);
                ids.append(*key, &mut dictionary);
                let length = (dictionary.len() - begun - 4) as u32;
                dictionary[begun..begun + 4].copy_from_slice(&length.to_le_bytes());
            }
            (dictionary, stretch.len(), first)
        };
        let names = |names: &mut dyn Iterator<Item = &str>| {
            let mut dictionary = Vec::new();
            let mut count = 0;
            for name in names {
                dictionary.extend_from_slice(&(name.len() as u32).to_le_bytes());
                dictionary.extend_from_slice(name.as_bytes());
                count += 1;
            }
            (dictionary, count, 0)
        };
        let mut column = columns.iter();
        let mut next = || column.next().cloned().ok_or_else(|| ParquetError::General("a column too many".to_owned()));
        let customers = ids(&self.customer, &books.facts.customer_ids, &books.customers);
        let items = ids(&self.subscription, &books.facts.subscription_ids, &books.subscriptions);
        let kinds = names(&mut Kind::ALL.iter().map(|(_, name)| *name));
        let plans = names(&mut plans.names.iter().map(String::as_str));
        Ok(vec![
            in_dictionary(&self.customer, customers, next()?)?,
            in_differences(&self.day.iter().map(|day| i64::from(*day)).collect::<Vec<_>>(), next()?)?,
            in_dictionary(&self.subscription, items, next()?)?,
            in_dictionary(&self.plan, plans, next()?)?,
            in_dictionary(&self.kind, kinds, next()?)?,
            in_differences(&self.delta, next()?)?,
            in_differences(&self.before, next()?)?,
            in_differences(&self.after, next()?)?,
        ])
    }
}

/// A column as places in a dictionary, given as its plain bytes, how many there are, and the number of the first.
fn in_dictionary(
    numbers: &[u32],
    (dictionary, count, first): (Vec<u8>, usize, u32),
    column: ColumnDescPtr,
) -> Result<Chunk, ParquetError> {
    let width = usize::BITS - count.saturating_sub(1).leading_zeros();
    let mut packed = Vec::with_capacity(16 + (numbers.len() / 8 + 1) * width as usize);
    packed.push(width as u8);
    varint((numbers.len().div_ceil(8) as u64) << 1 | 1, &mut packed);
    pack(numbers.iter().map(|number| u64::from(number - first)), numbers.len().next_multiple_of(8), width, &mut packed);
    let compressed =
        snap::raw::Encoder::new().compress_vec(&dictionary).map_err(|error| ParquetError::External(Box::new(error)))?;
    let page = Page::DictionaryPage {
        buf: Bytes::from(compressed),
        num_values: count as u32,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    chunk(Some(CompressedPage::new(page, dictionary.len())), packed, Encoding::RLE_DICTIONARY, numbers.len(), column)
}

/// A column as differences between neighbours, in blocks of 128, of which each 32 have as many bits as they need.
fn in_differences(values: &[i64], column: ColumnDescPtr) -> Result<Chunk, ParquetError> {
    const BLOCK: usize = 128;
    const PART: usize = 32;
    let mut packed = Vec::with_capacity(values.len() * 5);
    varint(BLOCK as u64, &mut packed);
    varint((BLOCK / PART) as u64, &mut packed);
    varint(values.len() as u64, &mut packed);
    let mut before = values.first().copied().unwrap_or_default();
    varint(zigzag(before), &mut packed);
    let mut differences = [0i64; BLOCK];
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        for (difference, value) in differences.iter_mut().zip(block) {
            // In 32 bits a difference of days is one of 64 bits, and in 64 bits it wraps as the format says.
            *difference = value.wrapping_sub(before);
            before = *value;
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
    chunk(None, packed, Encoding::DELTA_BINARY_PACKED, values.len(), column)
}

/// The pages of a column as they will stand in the file.
fn chunk(
    dictionary: Option<CompressedPage>,
    values: Vec<u8>,
    encoding: Encoding,
    rows: usize,
    column: ColumnDescPtr,
) -> Result<Chunk, ParquetError> {
    let dictionary_bytes = dictionary.as_ref().map_or(0, CompressedPage::compressed_size);
    let mut sink = TrackedWrite::new(Vec::with_capacity(dictionary_bytes + values.len() + 256));
    let mut encodings = vec![encoding];
    let (mut compressed_bytes, mut bytes) = (0, 0);
    let mut dictionary_at = None;
    let mut writer = SerializedPageWriter::new(&mut sink);
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
    writer.close()?;
    let metadata = ColumnChunkMetaData::builder(column)
        .set_compression(Compression::SNAPPY)
        .set_encodings(encodings)
        .set_num_values(rows as i64)
        .set_total_compressed_size(compressed_bytes as i64)
        .set_total_uncompressed_size(bytes as i64)
        .set_data_page_offset(written.offset as i64)
        .set_dictionary_page_offset(dictionary_at)
        .build()?;
    let closed = ColumnCloseResult {
        bytes_written: compressed_bytes as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    Ok((Bytes::from(sink.into_inner()?), closed))
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
    let (mut held, mut bits) = (0u128, 0);
    for value in values {
        held |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    let left = held.to_le_bytes();
    out.extend_from_slice(&left[..(bits as usize).div_ceil(8)]);
    out.resize(end, 0);
}
