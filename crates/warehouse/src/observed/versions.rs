//! Which rows of a kind of fact hold: of several statements of one fact the latest, and none of a withdrawn one.
//!
//! Nearly every fact is stated once. So each row first gets 64 bits of its key's hash; only rows whose hash occurs
//! again are looked at in full, in a second reading.

use std::hash::{BuildHasher, Hasher};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use rayon::prelude::*;

use super::{ObservedError, key_columns, piece::Piece};
use crate::{kind::Kind, lake::Lake};

/// What hashes keys: chosen anew in each process, so that no file can be made to collide.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyHasher(DefaultHashBuilder);

/// A column of a key in the form that is hashed.
enum KeyColumn<'a> {
    Texts(&'a arrow::array::StringArray),
    Days(&'a arrow::array::Date32Array),
    Instants(&'a arrow::array::TimestampMicrosecondArray),
    Decimals(&'a arrow::array::Decimal128Array),
    Integers(&'a arrow::array::Int64Array),
    /// No row states it, or it is of a type that no key has.
    Absent,
}

impl<'a> KeyColumn<'a> {
    fn of(column: Option<&'a ArrayRef>) -> Self {
        let Some(column) = column.filter(|column| column.null_count() < column.len()) else { return Self::Absent };
        let found = match column.data_type() {
            DataType::Utf8 => column.as_string_opt::<i32>().map(Self::Texts),
            DataType::Date32 => column.as_primitive_opt::<Date32Type>().map(Self::Days),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive_opt::<TimestampMicrosecondType>().map(Self::Instants)
            }
            DataType::Decimal128(..) => column.as_primitive_opt::<Decimal128Type>().map(Self::Decimals),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(Self::Integers),
            _ => None,
        };
        found.unwrap_or(Self::Absent)
    }

    fn write(&self, row: usize, hasher: &mut impl Hasher) {
        // A value and the absence of one must differ, and so must the end of one text and the next.
        match self {
            Self::Texts(texts) if texts.is_valid(row) => {
                let text = texts.value(row).as_bytes();
                hasher.write(text);
                hasher.write_usize(text.len());
            }
            Self::Days(days) if days.is_valid(row) => hasher.write_i32(days.value(row)),
            Self::Instants(instants) if instants.is_valid(row) => hasher.write_i64(instants.value(row)),
            Self::Decimals(decimals) if decimals.is_valid(row) => hasher.write_i128(decimals.value(row)),
            Self::Integers(integers) if integers.is_valid(row) => hasher.write_i64(integers.value(row)),
            _ => hasher.write_u8(0),
        }
    }

    fn spell(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Texts(texts) if texts.is_valid(row) => {
                let text = texts.value(row).as_bytes();
                out.extend_from_slice(&(text.len() as u64 + 1).to_le_bytes());
                out.extend_from_slice(text);
            }
            Self::Days(days) if days.is_valid(row) => {
                out.push(1);
                out.extend_from_slice(&days.value(row).to_le_bytes());
            }
            Self::Instants(instants) if instants.is_valid(row) => {
                out.push(2);
                out.extend_from_slice(&instants.value(row).to_le_bytes());
            }
            Self::Decimals(decimals) if decimals.is_valid(row) => {
                out.push(3);
                out.extend_from_slice(&decimals.value(row).to_le_bytes());
            }
            Self::Integers(integers) if integers.is_valid(row) => {
                out.push(4);
                out.extend_from_slice(&integers.value(row).to_le_bytes());
            }
            _ => out.push(0),
        }
    }
}

fn columns<'a>(batch: &'a RecordBatch, key: &[String]) -> Vec<KeyColumn<'a>> {
    key.iter().map(|name| KeyColumn::of(batch.column_by_name(name))).collect()
}

/// Writes the hash of each row's key.
pub(super) fn hash_keys(batch: &RecordBatch, key: &[String], hasher: &KeyHasher, hashes: &mut [u64]) {
    let columns = columns(batch, key);
    for (row, hash) in hashes.iter_mut().enumerate() {
        let mut state = hasher.0.build_hasher();
        for column in &columns {
            column.write(row, &mut state);
        }
        *hash = state.finish();
    }
}

/// For each piece the rows that do not hold; `None` when all rows of all pieces do. `hashes` are those of all pieces,
/// each with what it had place for.
pub(super) fn superseded(
    lake: &Lake,
    kind: &'static Kind,
    as_known_at: Option<i64>,
    pieces: &[Piece],
    hashes: &[&[u64]],
    hasher: &KeyHasher,
) -> Result<Option<Vec<HashSet<u32>>>, ObservedError> {
    let mut sorted: Vec<u64> = Vec::with_capacity(pieces.iter().map(|piece| piece.rows).sum());
    for (piece, hashes) in pieces.iter().zip(hashes) {
        sorted.extend_from_slice(&hashes[..piece.rows]);
    }
    sorted.par_sort_unstable();
    let repeated: HashSet<u64> = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    drop(sorted);
    if repeated.is_empty() && pieces.iter().all(|piece| piece.withdrawn.is_empty()) {
        return Ok(None);
    }
    let mut dropped: Vec<HashSet<u32>> = pieces.iter().map(|piece| piece.withdrawn.iter().copied().collect()).collect();
    if repeated.is_empty() {
        return Ok(Some(dropped));
    }
    let schema = lake.table_schema(kind.table)?;
    let key: Vec<String> = key_columns(kind)
        .into_iter()
        .filter(|name| schema.as_ref().is_some_and(|schema| schema.field_with_name(name).is_ok()))
        .collect();
    let projection: Vec<&str> = key.iter().map(String::as_str).collect();
    let parts = lake.parts(kind.table, &projection, as_known_at)?;
    let spelled = parts
        .par_iter()
        .zip(pieces.par_iter().zip(hashes))
        .map(|(part, (piece, hashes))| {
            let mut found: Vec<(Vec<u8>, u32)> = Vec::new();
            let is_there = hashes[..piece.rows].iter().any(|hash| repeated.contains(hash));
            if !is_there {
                return Ok(found);
            }
            let mut row = 0u32;
            for batch in part.rows()? {
                let batch = batch?;
                let mut hashes = vec![0; batch.num_rows()];
                hash_keys(&batch, &key, hasher, &mut hashes);
                let columns = columns(&batch, &key);
                for (place, hash) in hashes.iter().enumerate() {
                    if repeated.contains(hash) {
                        let mut bytes = Vec::new();
                        for column in &columns {
                            column.spell(place, &mut bytes);
                        }
                        found.push((bytes, row));
                    }
                    row += 1;
                }
            }
            Ok(found)
        })
        .collect::<Result<Vec<_>, ObservedError>>()?;
    // Pieces come in the order of recording, so whoever comes later supersedes.
    let mut latest: HashMap<Vec<u8>, (usize, u32)> = HashMap::new();
    for (piece, found) in spelled.into_iter().enumerate() {
        for (key, row) in found {
            if let Some((earlier, row)) = latest.insert(key, (piece, row)) {
                dropped[earlier].insert(row);
            }
        }
    }
    Ok(Some(dropped))
}
