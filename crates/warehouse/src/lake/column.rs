//! Columns: the Arrow types that facts may have, their DuckLake names, and the bounds that the
//! catalogue keeps of each column of each file so that other engines can skip files.

use std::collections::HashMap;
use std::str::FromStr;

use arrow::datatypes::{DataType, Field, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::data_type::AsBytes;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

/// A column of a table as the catalogue holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// The identity that Parquet files carry as field id. It is never used again for another column.
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) nullable: bool,
}

impl Column {
    pub(super) fn field(&self) -> Field {
        Field::new(&self.name, self.data_type.clone(), self.nullable)
    }

    /// The field as it is written to Parquet, with the column's identity.
    pub(super) fn parquet_field(&self) -> Field {
        self.field().with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), self.id.to_string())]))
    }
}

/// DuckLake's name of an Arrow type; none when facts cannot be kept in it.
pub(super) fn ducklake_type(data_type: &DataType) -> Option<String> {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "blob",
        DataType::Date32 => "date",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamptz",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp_ns",
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            return Some(format!("decimal({precision},{scale})"));
        }
        DataType::Dictionary(_, values) => return ducklake_type(values),
        _ => return None,
    };
    Some(name.to_owned())
}

/// The Arrow type of a column that another program defined.
pub(super) fn arrow_type(ducklake: &str) -> Option<DataType> {
    Some(match ducklake {
        "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "varchar" | "json" => DataType::Utf8,
        "blob" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        other => {
            let (precision, scale) = other.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

/// The exact Arrow type as text: what `DataType` prints is what it parses.
pub(super) fn parse_arrow_type(text: &str) -> Option<DataType> {
    DataType::from_str(text).ok()
}

/// Longer text has no bounds: they would cost more in the catalogue than they save.
pub(super) const LONGEST_BOUND_BYTES: usize = 256;

/// What the catalogue keeps of one column of one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct ColumnBounds {
    pub(super) column: i64,
    pub(super) bytes: i64,
    pub(super) values: i64,
    pub(super) nulls: i64,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
}

/// A bound while it is compared: numbers by value, text by bytes.
#[derive(PartialEq, PartialOrd, Clone)]
enum Bound {
    Number(i128),
    Text(String),
}

/// The bounds of every column of a file that was just written, in the order of its columns.
/// A column whose bounds are not exact gets none, which makes nobody skip the file wrongly.
pub(super) fn bounds(columns: &[Column], metadata: &ParquetMetaData) -> Vec<ColumnBounds> {
    let mut all = Vec::with_capacity(columns.len());
    for (position, column) in columns.iter().enumerate() {
        let (mut bytes, mut rows, mut nulls) = (0_i64, 0_i64, 0_i64);
        let mut range: Option<(Bound, Bound)> = None;
        let mut known = true;
        for group in metadata.row_groups() {
            let chunk = group.column(position);
            bytes += chunk.compressed_size();
            rows += chunk.num_values();
            let group_nulls =
                chunk.statistics().and_then(Statistics::null_count_opt).and_then(|count| i64::try_from(count).ok());
            nulls += group_nulls.unwrap_or(0);
            if group_nulls == Some(chunk.num_values()) {
                continue;
            }
            match chunk.statistics().and_then(|statistics| range_of(&column.data_type, statistics)) {
                Some((low, high)) => {
                    range = Some(match range.take() {
                        Some((min, max)) => (if low < min { low } else { min }, if high > max { high } else { max }),
                        None => (low, high),
                    });
                }
                None => known = false,
            }
        }
        let (min, max) = match range {
            Some((min, max)) if known => (text(&column.data_type, min), text(&column.data_type, max)),
            _ => (None, None),
        };
        all.push(ColumnBounds { column: column.id, bytes, values: rows - nulls, nulls, min, max });
    }
    all
}

fn range_of(data_type: &DataType, statistics: &Statistics) -> Option<(Bound, Bound)> {
    if !statistics.min_is_exact() || !statistics.max_is_exact() {
        return None;
    }
    let number = |value: i64| Bound::Number(i128::from(value));
    Some(match (data_type, statistics) {
        (DataType::Dictionary(_, values), statistics) => return range_of(values, statistics),
        (DataType::UInt32, Statistics::Int32(s)) => {
            (number(i64::from(s.min_opt()?.cast_unsigned())), number(i64::from(s.max_opt()?.cast_unsigned())))
        }
        (DataType::UInt64, Statistics::Int64(s)) => (
            Bound::Number(i128::from(s.min_opt()?.cast_unsigned())),
            Bound::Number(i128::from(s.max_opt()?.cast_unsigned())),
        ),
        (_, Statistics::Boolean(s)) => (number(i64::from(*s.min_opt()?)), number(i64::from(*s.max_opt()?))),
        (_, Statistics::Int32(s)) => (number(i64::from(*s.min_opt()?)), number(i64::from(*s.max_opt()?))),
        (_, Statistics::Int64(s)) => (number(*s.min_opt()?), number(*s.max_opt()?)),
        (DataType::Decimal128(..), Statistics::FixedLenByteArray(s)) => {
            (Bound::Number(big_endian(s.min_opt()?.as_bytes())?), Bound::Number(big_endian(s.max_opt()?.as_bytes())?))
        }
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Statistics::ByteArray(s)) => {
            let (min, max) = (s.min_opt()?.as_utf8().ok()?, s.max_opt()?.as_utf8().ok()?);
            // Foreign readers take a zero byte for the end of the text.
            let plain = |text: &str| text.len() <= LONGEST_BOUND_BYTES && !text.contains('\0');
            if !plain(min) || !plain(max) {
                return None;
            }
            (Bound::Text(min.to_owned()), Bound::Text(max.to_owned()))
        }
        // Floats have no bounds here, since a NaN would lie outside of them.
        _ => return None,
    })
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let mut all = [if first & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = all.len().checked_sub(bytes.len())?;
    all.get_mut(start..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

fn text(data_type: &DataType, bound: Bound) -> Option<String> {
    let value = match bound {
        Bound::Text(text) => return Some(text),
        Bound::Number(value) => value,
    };
    let whole = i64::try_from(value).ok();
    match data_type {
        DataType::Dictionary(_, values) => text(values, Bound::Number(value)),
        DataType::Date32 => {
            let days = i32::try_from(value).ok()?;
            let day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
            (day.year() > 0).then(|| day.to_string())
        }
        DataType::Timestamp(unit, zone) => {
            let time = match unit {
                TimeUnit::Microsecond => jiff::Timestamp::from_microsecond(whole?).ok()?,
                TimeUnit::Nanosecond => jiff::Timestamp::from_nanosecond(value).ok()?,
                _ => return None,
            };
            let text = time.strftime(if zone.is_some() { "%Y-%m-%d %H:%M:%S%.f+00" } else { "%Y-%m-%d %H:%M:%S%.f" });
            // Years before the first have other spellings elsewhere.
            (!time.to_string().starts_with('-')).then(|| text.to_string())
        }
        DataType::Decimal128(_, scale) => {
            let places = usize::try_from(*scale).ok()?;
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
            let (head, tail) = digits.split_at(digits.len() - places);
            let sign = if value < 0 { "-" } else { "" };
            Some(if places == 0 { format!("{sign}{head}") } else { format!("{sign}{head}.{tail}") })
        }
        _ => Some(value.to_string()),
    }
}
