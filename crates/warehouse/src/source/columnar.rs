//! Parquet: every value becomes the text that a CSV of the same data would hold, exactly.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::block::{Block, Position, Record, Span};
use super::issue::Code;
use super::limits;
use super::reader::ReadError;

/// Rows turned into text at a time.
const ROWS: usize = 4_096;

/// A Parquet file being read.
pub struct Columnar {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    at: u64,
    /// Rows of a batch that made more text than a block holds wait here.
    waiting: Option<RecordBatch>,
}

impl Columnar {
    /// Opens a file; nested columns get dotted names.
    ///
    /// # Errors
    /// When it is not a Parquet file that can be read.
    pub fn open(path: &Path) -> Result<(Self, Vec<String>), ReadError> {
        let reader = begin(path, 0)?;
        let names: Vec<String> = arrow::array::RecordBatchReader::schema(&reader)
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        for (at, name) in names.iter().enumerate() {
            if let Some(first) = names.iter().take(at).position(|other| other == name) {
                return Err(ReadError::HeaderTwice {
                    path: path.to_owned(),
                    name: name.clone(),
                    first: first + 1,
                    second: at + 1,
                });
            }
        }
        Ok((Self { path: path.to_owned(), reader, at: 0, waiting: None }, names))
    }

    /// Goes on after some rows.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn enter(&mut self, at: Position) -> Result<(), ReadError> {
        self.reader = begin(&self.path, at.offset)?;
        self.at = at.offset;
        self.waiting = None;
        Ok(())
    }

    /// The next rows; nothing at the end.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub fn block(&mut self) -> Result<Option<Block>, ReadError> {
        let failed = |path: &Path, cause: String| ReadError::Parquet { path: path.to_owned(), cause };
        let batch = match self.waiting.take() {
            Some(batch) => batch,
            None => match self.reader.next() {
                None => return Ok(None),
                Some(batch) => batch.map_err(|error| failed(&self.path, error.to_string()))?,
            },
        };
        let options = FormatOptions::new().with_null("");
        let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
        let mut formatters = Vec::with_capacity(columns.len());
        for column in &columns {
            formatters.push(
                ArrayFormatter::try_new(column, &options).map_err(|error| failed(&self.path, error.to_string()))?,
            );
        }
        let mut block = Block::default();
        let mut rows = 0;
        while rows < batch.num_rows() && block.text.len() < limits::BLOCK_BYTES {
            let first = block.fields.len() as u32;
            let mut damage = None;
            for (column, formatter) in columns.iter().zip(&formatters) {
                if column.is_null(rows) {
                    block.fields.push(Span::ABSENT);
                    continue;
                }
                let start = block.text.len();
                // Texts are copied as they are; everything else is printed.
                if let Some(texts) = column.as_string_opt::<i32>() {
                    let text = texts.value(rows);
                    if text.len() > limits::FIELD_BYTES {
                        damage = Some(Code::FieldTooLong);
                    } else if text.contains('\0') {
                        damage = Some(Code::NulByte);
                    } else {
                        block.text.push_str(text);
                    }
                } else if formatter.value(rows).write(&mut block.text).is_err() {
                    damage = Some(Code::NotText);
                }
                block.fields.push(Span { start: start as u32, end: block.text.len() as u32 });
            }
            rows += 1;
            block.records.push(Record {
                line: self.at + rows as u64,
                raw: Span::ABSENT,
                first,
                count: columns.len() as u32,
                damage,
            });
        }
        drop(formatters);
        if rows < batch.num_rows() {
            self.waiting = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        self.at += rows as u64;
        block.next = Position { offset: self.at, line: self.at + 1 };
        Ok(Some(block))
    }
}

fn begin(path: &Path, offset: u64) -> Result<ParquetRecordBatchReader, ReadError> {
    let failed = |cause: String| ReadError::Parquet { path: path.to_owned(), cause };
    let file = File::open(path).map_err(|cause| ReadError::Open { path: path.to_owned(), cause })?;
    ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(ROWS).with_offset(offset as usize).build())
        .map_err(|error| failed(error.to_string()))
}

/// A column in a type whose printed form is what the parsers of values read: text unpacked from dictionaries,
/// instants in UTC.
fn plain(column: &ArrayRef) -> ArrayRef {
    let wanted = match column.data_type() {
        DataType::Dictionary(_, values) if values.is_integer() || **values == DataType::Utf8 => (**values).clone(),
        DataType::Dictionary(_, _) | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone.as_ref().map_or("+00:00", |_| "+00:00").into()))
        }
        DataType::Date64 => DataType::Date32,
        _ => return column.clone(),
    };
    arrow::compute::cast(column, &wanted).unwrap_or_else(|_| column.clone())
}
