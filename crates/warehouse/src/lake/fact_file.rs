//! One Parquet file of facts: written once, synced, hashed on the way, never changed again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use super::catalogue::{Table, make_folder, sync_folder};
use super::column::{Column, ColumnBounds, LONGEST_BOUND_BYTES, bounds};
use super::error::LakeError;
use crate::cores;

/// Rows of one row group: large enough to compress well, small enough that several threads share a file.
pub(super) const ROW_GROUP_ROWS: usize = 262_144;
/// Below this many rows a batch is encoded on the calling thread, since sharing costs more than it saves.
const SHARED_ENCODING_ROWS: usize = 4_096;
/// Our files begin so, which tells them from files that other programs put there.
pub(super) const FILE_PREFIX: &str = "facts-";

/// A Parquet file being written. Dropped unfinished it takes its file away again.
///
/// Batches are encoded as they come, so a long file needs the memory of one row group. It may live on
/// another thread than the import it is for.
pub struct FactFile {
    table: Table,
    path: PathBuf,
    name: String,
    open: Option<Open>,
    rows: u64,
}

struct Open {
    /// The columns that the first batch has, in the table's order.
    columns: Vec<Column>,
    schema: SchemaRef,
    writer: SerializedFileWriter<Hashed>,
    factory: ArrowRowGroupWriterFactory,
    group: Vec<ArrowColumnWriter>,
    group_rows: usize,
    row_groups: usize,
}

/// A Parquet file on the disk, synced, that an import may stage.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    pub(super) table_id: i64,
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) footer_bytes: u32,
    pub(super) row_groups: usize,
    pub(super) hash: String,
    pub(super) bounds: Vec<ColumnBounds>,
}

impl WrittenFile {
    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A file that hashes what passes and remembers the last bytes, where Parquet says how long its footer is.
struct Hashed {
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
    tail: [u8; 8],
}

impl Write for Hashed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        let passed = buffer.get(..written).unwrap_or(buffer);
        self.hasher.update(passed);
        self.bytes += passed.len() as u64;
        let kept = passed.len().min(self.tail.len());
        self.tail.rotate_left(kept);
        let from = self.tail.len() - kept;
        if let (Some(tail), Some(last)) = (self.tail.get_mut(from..), passed.get(passed.len() - kept..)) {
            tail.copy_from_slice(last);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FactFile {
    pub(super) fn create(folder: &Path, table: Table) -> Result<Self, LakeError> {
        make_folder(folder)?;
        let name = format!("{FILE_PREFIX}{}.parquet", uuid::Uuid::now_v7());
        let path = folder.join(&name);
        Ok(Self { table, path, name, open: None, rows: 0 })
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows. The columns may stand in any order; nullable ones may be absent, as in the first batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = {
            let path = self.path.clone();
            move |source: ParquetError| LakeError::parquet("write", &path, source)
        };
        if self.open.is_none() {
            self.open = Some(Open::begin(&self.table, batch, &self.path)?);
        }
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let mut batch = open.arrange(&self.table, batch)?;
        self.rows += batch.num_rows() as u64;
        loop {
            let room = ROW_GROUP_ROWS - open.group_rows;
            if batch.num_rows() < room {
                return open.encode(&batch).map_err(failed);
            }
            open.encode(&batch.slice(0, room)).map_err(&failed)?;
            open.end_group().map_err(&failed)?;
            if batch.num_rows() == room {
                return Ok(());
            }
            batch = batch.slice(room, batch.num_rows() - room);
        }
    }

    /// Ends the file and returns once it is on the disk. Without rows there is no file.
    pub fn finish(mut self) -> Result<Option<WrittenFile>, LakeError> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        let path = self.path.clone();
        let ended = (|| {
            let failed = |source| LakeError::parquet("end", &path, source);
            open.end_group().map_err(failed)?;
            let metadata = open.writer.finish().map_err(failed)?;
            let file = open.writer.inner();
            file.file.sync_all().map_err(|source| LakeError::io("sync", &path, source))?;
            if let Some(folder) = path.parent() {
                sync_folder(folder)?;
            }
            let [a, b, c, d, ..] = file.tail;
            Ok(WrittenFile {
                table_id: self.table.id,
                path: path.clone(),
                name: self.name.clone(),
                rows: self.rows,
                bytes: file.bytes,
                footer_bytes: u32::from_le_bytes([a, b, c, d]),
                row_groups: open.row_groups,
                hash: file.hasher.finalize().to_hex().to_string(),
                bounds: bounds(&open.columns, &metadata),
            })
        })();
        if ended.is_err() {
            // Half a file is of no use, and on a full disk its room is wanted. A failure to remove it is
            // mended at the next start, which clears what no import names.
            let _ = fs::remove_file(&path);
        }
        ended.map(Some)
    }
}

impl Drop for FactFile {
    fn drop(&mut self) {
        if self.open.is_some() {
            // As above: what stays is cleared at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Open {
    fn begin(table: &Table, first: &RecordBatch, path: &Path) -> Result<Self, LakeError> {
        let columns: Vec<Column> = table
            .columns
            .iter()
            .filter(|column| first.schema_ref().column_with_name(&column.name).is_some())
            .cloned()
            .collect();
        let schema = Arc::new(Schema::new(columns.iter().map(Column::parquet_field).collect::<Vec<_>>()));
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| LakeError::io("create", path, source))?;
        let hashed = Hashed { file, hasher: blake3::Hasher::new(), bytes: 0, tail: [0; 8] };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // Exact bounds of all but long text, so that the catalogue may give them to others.
            .set_statistics_truncate_length(Some(LONGEST_BOUND_BYTES))
            .set_offset_index_disabled(true)
            .set_created_by(concat!("recurve ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties);
        let begun = (|| {
            let writer = ArrowWriter::try_new_with_options(hashed, Arc::clone(&schema), options)?;
            let (writer, factory) = writer.into_serialized_writer()?;
            let group = factory.create_column_writers(0)?;
            Ok((writer, factory, group))
        })();
        let (writer, factory, group) = begun.map_err(|source| {
            // The next start clears it when this fails too.
            let _ = fs::remove_file(path);
            LakeError::parquet("begin", path, source)
        })?;
        Ok(Self { columns, schema, writer, factory, group, group_rows: 0, row_groups: 0 })
    }

    /// The batch with the file's columns in the file's order, or why it does not fit.
    fn arrange(&self, table: &Table, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let shape = |what: String, why: String| LakeError::Shape { table: table.name.clone(), what, why };
        for field in batch.schema_ref().fields() {
            let name = field.name();
            let column = table.column(name).ok_or_else(|| LakeError::UnknownColumn {
                table: table.name.clone(),
                column: name.clone(),
                known: table.column_names(),
            })?;
            if !self.columns.iter().any(|known| known.id == column.id) {
                return Err(shape(
                    format!("the batch with column {name}"),
                    "the first batch of this file has no such column. Give all batches of one file the same columns"
                        .to_owned(),
                ));
            }
            if *field.data_type() != column.data_type {
                return Err(shape(
                    format!("the batch's column {name}"),
                    format!("it is {}, and the table has {}. Cast it first", field.data_type(), column.data_type),
                ));
            }
        }
        let missing = table
            .columns
            .iter()
            .find(|column| !column.nullable && batch.schema_ref().column_with_name(&column.name).is_none());
        if let Some(column) = missing {
            return Err(shape(
                "the batch".to_owned(),
                format!("it lacks the column {}, which must have a value in every row", column.name),
            ));
        }
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let array = batch.column_by_name(&column.name).ok_or_else(|| {
                shape(
                    format!("the batch without column {}", column.name),
                    "the first batch of this file has it. Give all batches of one file the same columns".to_owned(),
                )
            })?;
            if !column.nullable && array.logical_null_count() > 0 {
                return Err(shape(
                    format!("the batch's column {}", column.name),
                    "it has nulls, and the column must have a value in every row".to_owned(),
                ));
            }
            arrays.push(Arc::clone(array));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| shape("the batch".to_owned(), error.to_string()))
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let encode = |writer: &mut ArrowColumnWriter, field: &arrow::datatypes::Field, array| {
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
            Ok(())
        };
        if self.group_rows == 0 {
            self.group = self.factory.create_column_writers(self.row_groups)?;
        }
        self.group_rows += batch.num_rows();
        let is_much = batch.num_rows() >= SHARED_ENCODING_ROWS;
        let columns: Vec<_> = self.group.iter_mut().zip(columns).collect();
        cores::map(columns, is_much, |(writer, (field, array))| encode(writer, field, array)).into_iter().collect()
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        if self.group_rows == 0 {
            return Ok(());
        }
        let is_much = self.group_rows >= SHARED_ENCODING_ROWS;
        let columns = std::mem::take(&mut self.group);
        let chunks =
            cores::map(columns, is_much, ArrowColumnWriter::close).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.row_groups += 1;
        self.group_rows = 0;
        Ok(())
    }
}

/// The hash of a file on the disk, in hexadecimal.
pub(super) fn hash_of(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}
