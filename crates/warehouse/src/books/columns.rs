//! Columns of Parquet files as the books read them.
//!
//! Facts in the lake and files made elsewhere are read by the same code: a moment may be one column of dates or
//! instants, or the pair `<name>_day`, `<name>_at`; a decimal may have any scale; a column may be absent.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Date32Array, Decimal128Array, DictionaryArray, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit},
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
};
use revenue::calendar::{Day, Moment};

use super::BooksError;

/// Rows that are decoded at a time: enough to spread the cost of a batch, few enough to stay in the cache.
const BATCH_ROWS: usize = 16_384;

/// Opens a Parquet file for the columns `wanted` (a moment is wanted by its own name). Texts named in `few` are read
/// as dictionaries, so that equal texts are looked at once a page and not once a row.
pub fn open(path: &Path, wanted: &[&str], few: &[&str]) -> Result<ParquetRecordBatchReader, BooksError> {
    let failed = |error: &dyn std::fmt::Display| BooksError::Unreadable {
        file: path.display().to_string(),
        words: error.to_string(),
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| failed(&error))?;
    let stored = metadata.schema().clone();
    let is_wanted = |name: &str| {
        wanted.contains(&name)
            || wanted.iter().any(|moment| {
                let stem = moment.strip_suffix("_at").unwrap_or(moment);
                [name.strip_suffix("_day"), name.strip_suffix("_at")].into_iter().flatten().any(|own| own == stem)
            })
    };
    let hinted = stored.fields().iter().map(|field| {
        let text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if few.contains(&field.name().as_str()) && text {
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::new(field.name(), dictionary, field.is_nullable()))
        } else if text {
            Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    });
    let hinted = Arc::new(Schema::new(hinted.collect::<Vec<_>>()));
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new().with_schema(hinted))
        .map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let columns: Vec<usize> = builder
        .parquet_schema()
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| is_wanted(column.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), columns);
    builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|error| failed(&error))
}

/// A column of text, which may be absent.
pub enum Texts<'a> {
    /// No such column: all values are null.
    Absent,
    /// Text by row.
    Plain(&'a StringArray),
    /// Text by reference to a dictionary.
    Dictionary(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> Texts<'a> {
    /// The column of that name.
    pub fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, BooksError> {
        let Some(column) = batch.column_by_name(name) else { return Ok(Texts::Absent) };
        if column.null_count() == column.len() {
            return Ok(Texts::Absent);
        }
        if let Some(plain) = column.as_string_opt::<i32>() {
            return Ok(Texts::Plain(plain));
        }
        column
            .as_dictionary_opt::<Int32Type>()
            .and_then(|dictionary| Some(Texts::Dictionary(dictionary, dictionary.values().as_string_opt::<i32>()?)))
            .ok_or_else(|| wrong_type(name, column, "text"))
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Absent => None,
            Texts::Plain(plain) => plain.is_valid(row).then(|| plain.value(row)),
            Texts::Dictionary(dictionary, values) => {
                let key = dictionary.key(row)?;
                values.is_valid(key).then(|| values.value(key))
            }
        }
    }
}

/// A column of exact decimals, which may be absent.
pub struct Decimals<'a> {
    column: Option<&'a Decimal128Array>,
    to_picos: i128,
}

impl<'a> Decimals<'a> {
    /// The column of that name.
    pub fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, BooksError> {
        let Some(column) = present(batch, name) else { return Ok(Self { column: None, to_picos: 1 }) };
        let decimals = column
            .as_primitive_opt::<arrow::datatypes::Decimal128Type>()
            .ok_or_else(|| wrong_type(name, column, "a decimal"))?;
        let scale = u32::try_from(decimals.scale()).ok().filter(|scale| *scale <= 12);
        let scale = scale.ok_or_else(|| wrong_type(name, column, "a decimal of at most 12 decimals"))?;
        Ok(Self { column: Some(decimals), to_picos: 10i128.pow(12 - scale) })
    }

    /// The value of a row in pico-units.
    pub fn picos(&self, row: usize) -> Option<i128> {
        let column = self.column?;
        column.is_valid(row).then(|| column.value(row).saturating_mul(self.to_picos))
    }
}

/// A column of whole numbers, which may be absent.
pub struct Integers<'a> {
    narrow: Option<&'a arrow::array::Int32Array>,
    wide: Option<&'a arrow::array::Int64Array>,
}

impl<'a> Integers<'a> {
    /// The column of that name.
    pub fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, BooksError> {
        let Some(column) = present(batch, name) else { return Ok(Self { narrow: None, wide: None }) };
        let narrow = column.as_primitive_opt::<Int32Type>();
        let wide = column.as_primitive_opt::<Int64Type>();
        if narrow.is_none() && wide.is_none() {
            return Err(wrong_type(name, column, "a whole number"));
        }
        Ok(Self { narrow, wide })
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Option<i64> {
        match (self.wide, self.narrow) {
            (Some(column), _) => column.is_valid(row).then(|| column.value(row)),
            (None, Some(column)) => column.is_valid(row).then(|| i64::from(column.value(row))),
            (None, None) => None,
        }
    }
}

/// A column of moments, which may be absent.
pub struct Moments<'a> {
    days: Option<&'a Date32Array>,
    instants: Option<&'a TimestampMicrosecondArray>,
}

impl<'a> Moments<'a> {
    /// The moment of that name: one column of it, or its pair of a day and an instant.
    pub fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, BooksError> {
        let (mut days, mut instants) = (None, None);
        // `paid_at` is stored as `paid_day` and `paid_at`, `start` as `start_day` and `start_at`.
        let stem = name.strip_suffix("_at").unwrap_or(name);
        for column_name in [name.to_owned(), format!("{stem}_day"), format!("{stem}_at")] {
            let Some(column) = present(batch, &column_name) else { continue };
            match column.data_type() {
                DataType::Date32 => days = column.as_primitive_opt(),
                DataType::Timestamp(TimeUnit::Microsecond, _) => instants = column.as_primitive_opt(),
                _ => return Err(wrong_type(&column_name, column, "a date or an instant in microseconds")),
            }
        }
        Ok(Self { days, instants })
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Option<Moment> {
        if let Some(days) = self.days
            && days.is_valid(row)
        {
            return Some(Moment::Day(Day(days.value(row))));
        }
        self.instants.filter(|instants| instants.is_valid(row)).map(|instants| Moment::Instant(instants.value(row)))
    }

    /// Whether some row may have an instant.
    pub fn has_instants(&self) -> bool {
        self.instants.is_some()
    }

    /// Whether no row has a value.
    pub fn is_absent(&self) -> bool {
        self.days.is_none() && self.instants.is_none()
    }
}

/// A column of yes and no, which may be absent (no).
pub fn is_true(batch: &RecordBatch, name: &str, row: usize) -> bool {
    present(batch, name)
        .and_then(|column| column.as_boolean_opt())
        .is_some_and(|flags| flags.is_valid(row) && flags.value(row))
}

fn present<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.column_by_name(name).filter(|column| column.null_count() < column.len())
}

fn wrong_type(name: &str, column: &ArrayRef, wanted: &str) -> BooksError {
    BooksError::WrongColumn {
        column: name.to_owned(),
        found: column.data_type().to_string(),
        wanted: wanted.to_owned(),
    }
}
