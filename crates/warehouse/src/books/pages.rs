//! Columns of Parquet, decoded page by page straight into what the books keep.
//!
//! The general reader makes Arrow arrays, which are then read once and thrown away. Ten million facts have some two
//! hundred million cells, so here a page's bytes become cells at once: a text of a dictionary is looked at once a page,
//! and a column whose statistics say that it is empty, or the same throughout, is not read at all. Encodings that
//! are not known here are left to the general reader.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow::datatypes::{DataType, TimeUnit};
use bytes::{Buf, Bytes};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    basic::{Compression, Encoding, Type},
    column::{
        page::{Page, PageReader},
        reader::{ColumnReader, ColumnReaderImpl},
    },
    data_type::{AsBytes, DataType as ParquetType},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ColumnChunkMetaDataBuilder},
        reader::{ChunkReader, FileReader, Length, SerializedFileReader, SerializedPageReader},
        statistics::Statistics,
    },
};

use super::BooksError;

/// A value as it lies in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// Whole numbers, days, instants, decimals kept as numbers, and yes (1) or no (0).
    Number(i64),
    /// Texts, and decimals kept as bytes.
    Bytes(&'a [u8]),
}

impl Raw<'_> {
    /// The number, whichever way it is kept; bytes are a number with its highest byte first.
    pub fn number(&self) -> i128 {
        if let Some(narrow) = self.narrow() {
            return i128::from(narrow);
        }
        let bytes = self.bytes();
        let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| number << 8 | i128::from(*byte))
    }

    /// The number, if it is kept in 64 bits.
    #[inline]
    pub fn narrow(&self) -> Option<i64> {
        match self {
            Raw::Number(number) => Some(*number),
            Raw::Bytes(bytes) => <[u8; 8]>::try_from(*bytes).ok().map(i64::from_be_bytes),
        }
    }

    /// The bytes of a text.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Raw::Number(_) => &[],
            Raw::Bytes(bytes) => bytes,
        }
    }
}

/// What a column of facts holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A decimal with so many places.
    Decimal {
        /// Places after the point.
        scale: u32,
    },
    /// A whole number.
    Integer,
    /// A day.
    Day,
    /// An instant in microseconds.
    Instant,
    /// Yes or no.
    Flag,
}

/// A Parquet file whose footer has been read. Clones share it.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// All of a small file.
    bytes: Option<Bytes>,
}

/// Small files that were opened, for whoever opens them again: what a commit brought is laid over books first, and taken in
/// by those that go on from them later.
#[derive(Default)]
pub struct Opened(Mutex<HashMap<PathBuf, Source>>);

impl Opened {
    /// How many files are kept at the most. What each says of itself takes some sixty kilobytes.
    const KEPT: usize = 128;

    /// Opens a file, unless that was done.
    pub fn open(&self, path: &Path) -> Result<Source, BooksError> {
        if let Some(source) = self.hold().get(path) {
            return Ok(source.clone());
        }
        let source = Source::open(path)?;
        if source.bytes.is_some() {
            let mut kept = self.hold();
            // Where facts come one by one there are as many files as facts, until those are merged.
            if kept.len() >= Self::KEPT {
                kept.clear();
            }
            kept.insert(path.to_path_buf(), source.clone());
        }
        Ok(source)
    }

    /// What is kept, without files that nobody will open again.
    pub fn without<'a>(&self, done: impl Iterator<Item = &'a Path>) -> Self {
        let mut kept = self.hold().clone();
        for path in done {
            kept.remove(path);
        }
        Self(Mutex::new(kept))
    }

    fn hold(&self) -> MutexGuard<'_, HashMap<PathBuf, Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A column of one row group.
pub struct Chunk<'a> {
    source: &'a Source,
    group: usize,
    leaf: usize,
    metadata: &'a ColumnChunkMetaData,
    /// What it holds.
    pub shape: Shape,
}

/// What is used again from column to column, so that none of it is allocated twice.
#[derive(Default)]
pub struct Buffers {
    levels: Vec<u32>,
    numbers: Vec<i64>,
    page: Vec<u8>,
}

impl Source {
    /// Files of so many bytes are read at once: most of what they take is being opened, once a column.
    const SMALL: u64 = 256 << 10;

    /// Reads the footer of a file.
    pub fn open(path: &Path) -> Result<Self, BooksError> {
        let failed = |error: &dyn std::fmt::Display| unreadable(path, error);
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        // What is said of Arrow's types says no more than those of Parquet, and takes as long to read as all the rest.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let mut bytes = None;
        if file.metadata().map_err(|error| failed(&error))?.len() <= Self::SMALL {
            let mut all = Vec::new();
            file.read_to_end(&mut all).map_err(|error| failed(&error))?;
            bytes = Some(Bytes::from(all));
        }
        let metadata = match &bytes {
            Some(bytes) => ArrowReaderMetadata::load(bytes, options),
            None => ArrowReaderMetadata::load(&file, options),
        };
        Ok(Self { path: path.to_path_buf(), metadata: metadata.map_err(|error| failed(&error))?, bytes })
    }

    /// How many row groups it has.
    pub fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// How many rows a group has.
    pub fn rows(&self, group: usize) -> usize {
        let group = self.metadata.metadata().row_groups().get(group);
        group.map_or(0, |group| usize::try_from(group.num_rows()).unwrap_or(0))
    }

    /// Whether it has a column of that name.
    pub fn has(&self, name: &str) -> bool {
        self.metadata.schema().field_with_name(name).is_ok()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A column of a row group; none when the file has no such column, or when none of the group's rows has a value.
    pub fn chunk(&self, group: usize, name: &str) -> Result<Option<Chunk<'_>>, BooksError> {
        let schema = self.metadata.parquet_schema();
        let Some(leaf) = (0..schema.num_columns()).find(|leaf| schema.get_column_root(*leaf).name() == name) else {
            return Ok(None);
        };
        let Some(row_group) = self.metadata.metadata().row_groups().get(group) else { return Ok(None) };
        let metadata = row_group.column(leaf);
        let nulls = metadata.statistics().and_then(Statistics::null_count_opt);
        if nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(metadata.num_values())) {
            return Ok(None);
        }
        let found = self.metadata.schema().field_with_name(name).map(|field| field.data_type().clone());
        let found = found.map_err(|error| unreadable(&self.path, &error))?;
        let shape = match &found {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Shape::Text),
            DataType::Dictionary(_, values) if matches!(**values, DataType::Utf8 | DataType::LargeUtf8) => {
                Some(Shape::Text)
            }
            DataType::Decimal128(_, scale) => {
                u32::try_from(*scale).ok().filter(|scale| *scale <= 12).map(|scale| Shape::Decimal { scale })
            }
            DataType::Int32 | DataType::Int64 => Some(Shape::Integer),
            DataType::Date32 => Some(Shape::Day),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Some(Shape::Instant),
            DataType::Boolean => Some(Shape::Flag),
            _ => None,
        };
        let column = schema.column(leaf);
        match shape.filter(|_| column.max_rep_level() == 0 && column.max_def_level() <= 1) {
            Some(shape) => Ok(Some(Chunk { source: self, group, leaf, metadata, shape })),
            None => Err(BooksError::WrongColumn {
                column: name.to_owned(),
                found: found.to_string(),
                wanted: "text, a decimal of at most 12 decimals, a whole number, a date or an instant in microseconds"
                    .to_owned(),
            }),
        }
    }
}

/// The bytes of a column of one row group, read at once: the general way goes back to the file for each page, and twice.
struct Stretch {
    bytes: Bytes,
    /// Where they begin in the file.
    first: u64,
}

impl Stretch {
    fn of(chunk: &Chunk<'_>) -> std::io::Result<Self> {
        let (first, length) = chunk.metadata.byte_range();
        if let Some(all) = &chunk.source.bytes {
            return Ok(Self { bytes: all.clone(), first: 0 });
        }
        let mut file = File::open(&chunk.source.path)?;
        file.seek(SeekFrom::Start(first))?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(std::io::Error::other)?);
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Self { bytes: bytes.into(), first })
    }

    /// The bytes from a place in the file on.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let begin = start.checked_sub(self.first).and_then(|begin| usize::try_from(begin).ok());
        let begin = begin.filter(|begin| *begin <= self.bytes.len()).ok_or_else(short)?;
        Ok(self.bytes.slice(begin..))
    }
}

impl Length for Stretch {
    fn len(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }
}

impl ChunkReader for Stretch {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.from(start)?;
        if length <= rest.len() { Ok(rest.slice(..length)) } else { Err(short()) }
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> BooksError {
    BooksError::Unreadable { file: path.display().to_string(), words: error.to_string() }
}

/// A page that says less than it promises.
fn short() -> ParquetError {
    ParquetError::EOF("a page ends before its last value".to_owned())
}

impl Chunk<'_> {
    /// The least and the greatest value, where the file says them; they may be cut short (the least downwards, the
    /// greatest upwards).
    pub fn bounds(&self) -> Option<(&[u8], &[u8])> {
        let statistics = self.metadata.statistics().filter(|found| !found.is_min_max_deprecated())?;
        Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
    }

    /// Whether the file says that every row has a value.
    pub fn is_full(&self) -> bool {
        let nulls = self.metadata.statistics().and_then(Statistics::null_count_opt);
        self.metadata.column_descr().max_def_level() == 0 || nulls == Some(0)
    }

    /// The value that every row has, where the file says that it is one.
    pub fn constant(&self) -> Option<Raw<'_>> {
        let statistics = self.metadata.statistics()?;
        let exact = statistics.min_is_exact() && statistics.max_is_exact() && !statistics.is_min_max_deprecated();
        if !exact || statistics.null_count_opt() != Some(0) {
            return None;
        }
        match statistics {
            Statistics::Boolean(found) if found.min_opt() == found.max_opt() => {
                Some(Raw::Number(i64::from(*found.min_opt()?)))
            }
            Statistics::Int32(found) if found.min_opt() == found.max_opt() => {
                Some(Raw::Number(i64::from(*found.min_opt()?)))
            }
            Statistics::Int64(found) if found.min_opt() == found.max_opt() => Some(Raw::Number(*found.min_opt()?)),
            Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_) => {
                let (least, greatest) = (statistics.min_bytes_opt()?, statistics.max_bytes_opt()?);
                (least == greatest).then_some(Raw::Bytes(least))
            }
            _ => None,
        }
    }

    /// Reads the cells of all rows into `out`: what `cell` makes of a value, or `none` where there is none. A value
    /// of a dictionary is looked at once a dictionary.
    pub fn read<C: Copy>(
        &self,
        none: C,
        buffers: &mut Buffers,
        out: &mut Vec<C>,
        cell: &mut impl FnMut(Raw<'_>) -> Result<C, BooksError>,
    ) -> Result<(), BooksError> {
        out.clear();
        let rows = self.source.rows(self.group);
        if let Some(value) = self.constant() {
            out.resize(rows, cell(value)?);
            return Ok(());
        }
        out.reserve(rows);
        if !self.read_pages(none, buffers, out, cell)? {
            out.clear();
            self.read_generally(none, out, cell)?;
        }
        if out.len() == rows { Ok(()) } else { Err(unreadable(&self.source.path, &short())) }
    }

    /// As [`Chunk::read`]; false when a page is encoded in a way that is not known here.
    fn read_pages<C: Copy>(
        &self,
        none: C,
        buffers: &mut Buffers,
        out: &mut Vec<C>,
        cell: &mut impl FnMut(Raw<'_>) -> Result<C, BooksError>,
    ) -> Result<bool, BooksError> {
        let failed = |error: ParquetError| unreadable(&self.source.path, &error);
        let rows = self.source.rows(self.group);
        let file = Stretch::of(self).map_err(|error| unreadable(&self.source.path, &error))?;
        // Pages are unpacked here, into room that is used again, for which they are said not to be packed.
        let is_packed = self.metadata.compression() == Compression::SNAPPY;
        let unpacked =
            is_packed.then(|| self.metadata.clone().into_builder().set_compression(Compression::UNCOMPRESSED));
        let unpacked = unpacked.map(ColumnChunkMetaDataBuilder::build).transpose().map_err(failed)?;
        let metadata = unpacked.as_ref().unwrap_or(self.metadata);
        let mut pages = SerializedPageReader::new(Arc::new(file), metadata, rows, None).map_err(failed)?;
        let Buffers { levels: present_at, numbers, page: room } = buffers;
        let optional = self.metadata.column_descr().max_def_level() > 0;
        let mut dictionary: Vec<C> = Vec::new();
        let mut present: Vec<C> = Vec::new();
        while let Some(page) = pages.get_next_page().map_err(failed)? {
            let (buffer, count, encoding, levels) = match &page {
                Page::DictionaryPage { buf, num_values, encoding, .. } => {
                    if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                        return Ok(false);
                    }
                    dictionary.clear();
                    let buf = unpack_page(buf, 0, is_packed, room).ok_or_else(|| failed(short()))?;
                    if !self.plain(buf, *num_values as usize, none, &mut dictionary, cell)? {
                        return Ok(false);
                    }
                    continue;
                }
                Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                    let buf = unpack_page(buf, 0, is_packed, room).ok_or_else(|| failed(short()))?;
                    let levels = match (optional, def_level_encoding) {
                        (false, _) => 0,
                        (true, Encoding::RLE) => {
                            let length = buf.first_chunk::<4>().ok_or_else(|| failed(short()))?;
                            4 + u32::from_le_bytes(*length) as usize
                        }
                        (true, _) => return Ok(false),
                    };
                    (buf, *num_values as usize, *encoding, (levels.min(4), levels))
                }
                Page::DataPageV2 {
                    buf,
                    num_values,
                    encoding,
                    def_levels_byte_len,
                    rep_levels_byte_len,
                    is_compressed,
                    ..
                } => {
                    let begin = *rep_levels_byte_len as usize;
                    let end = begin + *def_levels_byte_len as usize;
                    let buf =
                        unpack_page(buf, end, is_packed && *is_compressed, room).ok_or_else(|| failed(short()))?;
                    (buf, *num_values as usize, *encoding, (begin, end))
                }
            };
            let values = buffer.get(levels.1..).ok_or_else(|| failed(short()))?;
            present_at.clear();
            let mut full = true;
            if optional {
                let bytes = buffer.get(levels.0..levels.1).ok_or_else(|| failed(short()))?;
                full = all_ones(bytes, count);
                if !full {
                    hybrid(bytes, 1, count, &mut |found| found.append_to(present_at)).ok_or_else(|| failed(short()))?;
                }
            }
            let there = if full { count } else { present_at.iter().filter(|level| **level == 1).count() };
            let target = if full { &mut *out } else { &mut present };
            match encoding {
                Encoding::PLAIN => {
                    if !self.plain(values, there, none, target, cell)? {
                        return Ok(false);
                    }
                }
                Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                    if there > 0 {
                        let (width, indices) = values.split_first().ok_or_else(|| failed(short()))?;
                        let mut fits = true;
                        let known = hybrid(indices, *width, there, &mut |indices| match indices {
                            Indices::Run(index, count) => match dictionary.get(index as usize) {
                                Some(value) => target.resize(target.len() + count, *value),
                                None => fits = false,
                            },
                            Indices::Each(indices) => target.extend(indices.iter().map(|index| {
                                let value = dictionary.get(*index as usize);
                                fits &= value.is_some();
                                value.copied().unwrap_or(none)
                            })),
                        });
                        known.filter(|()| fits).ok_or_else(|| failed(short()))?;
                    }
                }
                Encoding::DELTA_BINARY_PACKED => {
                    numbers.clear();
                    if there > 0 {
                        differences(values, there, numbers).ok_or_else(|| failed(short()))?;
                    }
                    let narrow = self.metadata.column_type() == Type::INT32;
                    append(numbers.iter(), none, target, |number| {
                        // Numbers of 32 bits wrap in 32 bits.
                        cell(Raw::Number(if narrow { i64::from(*number as i32) } else { *number }))
                    })?;
                }
                _ => return Ok(false),
            }
            if !full {
                // Where values are missing cannot be foreseen, so nothing branches there: a row without one looks at none, which
                // lies behind the values.
                let (mut next, last) = (0, present.len());
                present.push(none);
                out.extend(present_at.iter().map(|level| {
                    let is_there = usize::from(*level == 1);
                    let place = last ^ (last ^ next) & is_there.wrapping_neg();
                    next += is_there;
                    present[place]
                }));
                present.clear();
            }
        }
        Ok(true)
    }

    /// Plain values; false for a type that is not known here. Of `filler` nothing is left.
    fn plain<C: Copy>(
        &self,
        bytes: &[u8],
        count: usize,
        filler: C,
        out: &mut Vec<C>,
        cell: &mut impl FnMut(Raw<'_>) -> Result<C, BooksError>,
    ) -> Result<bool, BooksError> {
        let failed = || unreadable(&self.source.path, &short());
        let begun = out.len();
        // Each value takes a byte at least, so what promises more gets no room for it.
        out.reserve(count.min(bytes.len()));
        match self.metadata.column_type() {
            Type::INT32 => append(bytes.as_chunks::<4>().0.iter().take(count), filler, out, |four| {
                cell(Raw::Number(i64::from(i32::from_le_bytes(*four))))
            })?,
            Type::INT64 => append(bytes.as_chunks::<8>().0.iter().take(count), filler, out, |eight| {
                cell(Raw::Number(i64::from_le_bytes(*eight)))
            })?,
            Type::FIXED_LEN_BYTE_ARRAY => {
                let length = usize::try_from(self.metadata.column_descr().type_length()).unwrap_or(0).max(1);
                append(bytes.chunks_exact(length).take(count), filler, out, |value| cell(Raw::Bytes(value)))?;
            }
            Type::BYTE_ARRAY => {
                let mut rest = bytes;
                append(0..count.min(bytes.len()), filler, out, |_| {
                    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(failed)?;
                    let length = u32::from_le_bytes(*length) as usize;
                    let (value, after) = after.split_at_checked(length).ok_or_else(failed)?;
                    rest = after;
                    cell(Raw::Bytes(value))
                })?;
            }
            _ => return Ok(false),
        }
        if out.len() == begun + count { Ok(true) } else { Err(failed()) }
    }

    /// Reads by the general reader of columns, which knows every encoding.
    fn read_generally<C: Copy>(
        &self,
        none: C,
        out: &mut Vec<C>,
        cell: &mut impl FnMut(Raw<'_>) -> Result<C, BooksError>,
    ) -> Result<(), BooksError> {
        let failed = |error: ParquetError| unreadable(&self.source.path, &error);
        let file = File::open(&self.source.path).map_err(|error| unreadable(&self.source.path, &error))?;
        let reader = SerializedFileReader::new(file).map_err(failed)?;
        let group = reader.get_row_group(self.group).map_err(failed)?;
        let rows = self.source.rows(self.group);
        match group.get_column_reader(self.leaf).map_err(failed)? {
            ColumnReader::BoolColumnReader(reader) => {
                each(reader, rows, none, out, &mut |flag| cell(Raw::Number(i64::from(*flag))), &failed)
            }
            ColumnReader::Int32ColumnReader(reader) => {
                each(reader, rows, none, out, &mut |number| cell(Raw::Number(i64::from(*number))), &failed)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                each(reader, rows, none, out, &mut |number| cell(Raw::Number(*number)), &failed)
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                each(reader, rows, none, out, &mut |bytes| cell(Raw::Bytes(bytes.as_bytes())), &failed)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                each(reader, rows, none, out, &mut |bytes| cell(Raw::Bytes(bytes.as_bytes())), &failed)
            }
            _ => Err(failed(ParquetError::NYI("a column of floats or of instants of 96 bits".to_owned()))),
        }
    }
}

fn each<T: ParquetType, C: Copy>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    none: C,
    out: &mut Vec<C>,
    cell: &mut impl FnMut(&T::T) -> Result<C, BooksError>,
    failed: &impl Fn(ParquetError) -> BooksError,
) -> Result<(), BooksError> {
    /// Values that are held at a time.
    const VALUES: usize = 8_192;
    while out.len() < rows {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let (read, present, _) = reader.read_records(VALUES, Some(&mut levels), None, &mut values).map_err(failed)?;
        if read == 0 {
            break;
        }
        if present == read {
            for value in &values {
                out.push(cell(value)?);
            }
            continue;
        }
        let mut next = values.iter();
        for level in &levels {
            let value = if *level > 0 { next.next() } else { None };
            out.push(match value {
                Some(value) => cell(value)?,
                None => none,
            });
        }
    }
    Ok(())
}

/// Appends what `cell` makes of values, of which there are as many as they say. They are put into room that is filled some at
/// a time: a list that grows by one has its length written and read again for each of them.
#[inline]
fn append<V, C: Copy>(
    mut values: impl ExactSizeIterator<Item = V>,
    filler: C,
    out: &mut Vec<C>,
    mut cell: impl FnMut(V) -> Result<C, BooksError>,
) -> Result<(), BooksError> {
    /// Few enough to stay in the nearest cache.
    const VALUES: usize = 512;
    while values.len() > 0 {
        let begun = out.len();
        out.resize(begun + values.len().min(VALUES), filler);
        for (place, value) in out[begun..].iter_mut().zip(&mut values) {
            *place = cell(value)?;
        }
    }
    Ok(())
}

/// The bytes of a page, those from a place on unpacked if they are packed by Snappy.
fn unpack_page<'b>(page: &'b [u8], from: usize, is_packed: bool, room: &'b mut Vec<u8>) -> Option<&'b [u8]> {
    /// Three bytes stand for 64 at the most: what promises more gets no room for it.
    const MOST: usize = 64 / 3 + 1;
    if !is_packed {
        return Some(page);
    }
    let (plain, packed) = page.split_at_checked(from)?;
    let length = if packed.is_empty() { 0 } else { snap::raw::decompress_len(packed).ok()? };
    if length > packed.len().saturating_mul(MOST) {
        return None;
    }
    let end = from + length;
    if room.len() < end {
        room.resize(end, 0);
    }
    room[..from].copy_from_slice(plain);
    if !packed.is_empty() {
        snap::raw::Decoder::new().decompress(packed, &mut room[from..end]).ok()?;
    }
    Some(&room[..end])
}

/// Whether levels are one run of ones: no row is without a value.
fn all_ones(bytes: &[u8], count: usize) -> bool {
    let mut at = 0;
    let Some(header) = varint(bytes, &mut at) else { return false };
    header & 1 == 0 && (header >> 1) as usize >= count && bytes.get(at) == Some(&1)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Numbers as differences between neighbours, in blocks, each part of a block with as many bits as it needs.
fn differences(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    let unzigzag = |value: u64| (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
    let mut at = 0;
    let (block, parts) = (varint(bytes, &mut at)?, varint(bytes, &mut at)?);
    if varint(bytes, &mut at)? != count as u64 || parts == 0 || block == 0 || block % parts != 0 {
        return None;
    }
    let (parts, part) = (usize::try_from(parts).ok()?, usize::try_from(block / parts).ok()?);
    let mut value = unzigzag(varint(bytes, &mut at)?);
    let wanted = out.len() + count;
    if count > 0 {
        out.push(value);
    }
    while out.len() < wanted {
        let least = unzigzag(varint(bytes, &mut at)?);
        let widths = bytes.get(at..at.checked_add(parts)?)?;
        at += parts;
        for width in widths.iter().map(|width| usize::from(*width)) {
            let left = wanted - out.len();
            if left == 0 {
                break;
            }
            if width > 64 {
                return None;
            }
            let packed = bytes.get(at..)?;
            let packed = packed.get(..(part.checked_mul(width)? / 8).min(packed.len()))?;
            let values = part.min(left);
            if packed.len() * 8 < values * width {
                return None;
            }
            at += packed.len();
            let mask = u128::MAX.checked_shr(128 - width as u32).unwrap_or(0);
            for index in 0..values {
                let bit = index * width;
                // Of a value that begins within a byte, 64 bits lie within the sixteen bytes from there on.
                let bits = match packed.get(bit / 8..).and_then(|rest| rest.first_chunk::<16>()) {
                    Some(sixteen) => u128::from_le_bytes(*sixteen),
                    None => {
                        let rest = packed.get(bit / 8..).unwrap_or_default();
                        rest.iter().rev().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
                    }
                };
                let above = (bits >> (bit % 8) & mask) as u64;
                value = value.wrapping_add(least).wrapping_add(above.cast_signed());
                out.push(value);
            }
        }
    }
    Some(())
}

/// Some numbers of [`hybrid`].
enum Indices<'a> {
    /// So many of one.
    Run(u32, usize),
    /// Different ones.
    Each(&'a [u32]),
}

impl Indices<'_> {
    fn append_to(&self, out: &mut Vec<u32>) {
        match self {
            Indices::Run(number, count) => out.resize(out.len() + count, *number),
            Indices::Each(numbers) => out.extend_from_slice(numbers),
        }
    }
}

/// Parquet's hybrid of runs and packed bits: `visit` sees `count` numbers of `width` bits, some at a time.
fn hybrid(bytes: &[u8], width: u8, count: usize, visit: &mut impl FnMut(Indices<'_>)) -> Option<()> {
    let mut wanted = count;
    let width = usize::from(width);
    if width > 32 {
        return None;
    }
    let mut room = [0; UNPACKED];
    let mut at = 0;
    while wanted > 0 {
        let header = varint(bytes, &mut at)?;
        let run = usize::try_from(header >> 1).ok().filter(|run| *run > 0)?;
        if header & 1 == 0 {
            let length = width.div_ceil(8);
            let value = bytes.get(at..at.checked_add(length)?)?;
            let value = value.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
            at += length;
            let values = run.min(wanted);
            visit(Indices::Run(value, values));
            wanted -= values;
        } else {
            // The last run may be longer than what is wanted, and its bytes may be cut after what is needed.
            let rest = bytes.get(at..)?;
            let length = run.checked_mul(width)?.min(rest.len());
            at += length;
            let values = run.checked_mul(8)?.min(wanted);
            if length * 8 < values * width {
                return None;
            }
            for first in (0..values).step_by(UNPACKED) {
                let own = &mut room[..(values - first).min(UNPACKED)];
                // Whole words are read faster, also where the last of them goes on after the run.
                unpack(rest.get(first / 8 * width..).unwrap_or_default(), width, own);
                visit(Indices::Each(own));
            }
            wanted -= values;
        }
    }
    Some(())
}

/// Numbers that are unpacked at a time: few enough to stay in the nearest cache. A multiple of eight, so that each lot
/// begins with a whole byte.
const UNPACKED: usize = 1_024;

/// Numbers of `width` bits, the lowest bit first.
fn unpack(packed: &[u8], width: usize, out: &mut [u32]) {
    let mask = (1u64 << width) - 1;
    let done = match width {
        1 => unpack_narrow::<1>(packed, out),
        2 => unpack_narrow::<2>(packed, out),
        3 => unpack_narrow::<3>(packed, out),
        4 => unpack_narrow::<4>(packed, out),
        5 => unpack_narrow::<5>(packed, out),
        6 => unpack_narrow::<6>(packed, out),
        7 => unpack_narrow::<7>(packed, out),
        8 => unpack_narrow::<8>(packed, out),
        _ => 0,
    };
    for (index, value) in out.iter_mut().enumerate().skip(done) {
        // Of a value that begins within a byte, 32 bits lie within the eight bytes from there on.
        let bit = index * width;
        let rest = packed.get(bit / 8..).unwrap_or_default();
        let eight = rest.first_chunk::<8>().copied().unwrap_or_else(|| {
            let mut eight = [0; 8];
            eight[..rest.len()].copy_from_slice(rest);
            eight
        });
        *value = (u64::from_le_bytes(eight) >> (bit % 8) & mask) as u32;
    }
}

/// As [`unpack`], of few bits that are known beforehand, as far as whole words go: says how many were unpacked.
fn unpack_narrow<const WIDTH: usize>(packed: &[u8], out: &mut [u32]) -> usize {
    let mut done = 0;
    for (index, values) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        // Eight values fill whole bytes, and eight of them at most.
        let Some(eight) = packed.get(index * WIDTH..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let bits = u64::from_le_bytes(*eight);
        *values = std::array::from_fn(|place| (bits >> (place * WIDTH)) as u32 & ((1 << WIDTH) - 1));
        done += 8;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs as the format says, bit by bit.
    fn packed(values: &[u32], width: usize) -> Vec<u8> {
        let mut bytes = vec![0; (values.len().next_multiple_of(8) * width).div_ceil(8)];
        for (index, value) in values.iter().enumerate() {
            for bit in (0..width).filter(|bit| value >> bit & 1 == 1) {
                bytes[(index * width + bit) / 8] |= 1 << ((index * width + bit) % 8);
            }
        }
        bytes
    }

    #[test]
    fn runs_and_packed_bits_read_back() {
        for width in 1..=32usize {
            for count in [1, 7, 8, 9, 64, 131, 2_100] {
                let mask = u32::MAX >> (32 - width);
                let values: Vec<u32> = (0..count).map(|index: u32| index.wrapping_mul(0x9e37_79b9) & mask).collect();
                let header = count.div_ceil(8) << 1 | 1;
                let mut bytes = match header {
                    ..0x80 => vec![header as u8],
                    _ => vec![header as u8 | 0x80, (header >> 7) as u8],
                };
                bytes.extend(packed(&values, width));
                // A run of ten of the greatest after them.
                bytes.push(20);
                bytes.extend_from_slice(&mask.to_le_bytes()[..width.div_ceil(8)]);
                let padded = count.next_multiple_of(8) as usize;
                let read = |bytes: &[u8], count: usize| {
                    let mut read = Vec::new();
                    hybrid(bytes, width as u8, count, &mut |found| found.append_to(&mut read)).map(|()| read)
                };
                let all = read(&bytes, padded + 10).unwrap();
                assert_eq!(all[..count as usize], values, "{width} bits, {count}");
                assert_eq!(all[padded..], [mask; 10], "{width} bits, {count}");
                // The same, asked for as far as it goes, and further.
                assert_eq!(read(&bytes, count as usize).unwrap(), values);
                assert_eq!(read(&bytes, padded + 11), None);
                for cut in (0..bytes.len()).step_by(1 + bytes.len() / 500) {
                    assert_eq!(read(&bytes[..cut], padded + 10), None, "{cut}");
                }
            }
        }
    }

    #[test]
    fn differences_are_what_another_reader_and_writer_make_of_them() {
        use parquet::{
            file::{properties::WriterProperties, writer::SerializedFileWriter},
            schema::parser::parse_message_type,
        };
        let wild = |index: i64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
        for values in [
            Vec::new(),
            vec![7],
            (0..1_000).map(|index| index * index - 40).collect::<Vec<i64>>(),
            (0..513).map(wild).collect(),
            vec![i64::MIN, i64::MAX, 0, -1, i64::MAX, i64::MIN],
            vec![5; 300],
        ] {
            let schema = parse_message_type("message numbers { REQUIRED INT64 wide; OPTIONAL INT32 narrow; }").unwrap();
            let properties = WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_encoding(Encoding::DELTA_BINARY_PACKED)
                .build();
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer =
                SerializedFileWriter::new(file.reopen().unwrap(), Arc::new(schema), Arc::new(properties)).unwrap();
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<parquet::data_type::Int64Type>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
            let narrow: Vec<i32> = values.iter().map(|value| *value as i32).filter(|value| value % 3 != 0).collect();
            let levels: Vec<i16> = values.iter().map(|value| i16::from(*value as i32 % 3 != 0)).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<parquet::data_type::Int32Type>().write_batch(&narrow, Some(&levels), None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
            writer.close().unwrap();
            let source = Source::open(file.path()).unwrap();
            let read = |name: &str| {
                let mut cells = Vec::new();
                if let Some(chunk) = source.chunk(0, name).unwrap() {
                    chunk
                        .read(None, &mut Buffers::default(), &mut cells, &mut |raw| Ok(Some(raw.number() as i64)))
                        .unwrap();
                }
                cells
            };
            assert_eq!(read("wide"), values.iter().map(|value| Some(*value)).collect::<Vec<_>>());
            let wanted =
                values.iter().map(|value| i64::from(*value as i32)).map(|value| (value % 3 != 0).then_some(value));
            assert!(read("narrow").is_empty() || read("narrow") == wanted.collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_of_bytes_have_their_sign() {
        for (bytes, number) in [
            (&[0xff, 0xfe][..], -2),
            (&[0, 0, 0, 0, 0, 0, 0, 5], 5),
            (&[0xff; 8], -1),
            (&[0xff; 16], -1),
            (&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], 1 << 64),
            (&[], 0),
        ] {
            assert_eq!(Raw::Bytes(bytes).number(), number);
        }
    }
}
