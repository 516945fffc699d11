//! Reading: the files of a table as they were known at a time, cut into parts that threads can share.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch, kernels::cmp::lt_eq};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use parquet::errors::ParquetError;
use rusqlite::{Connection, OptionalExtension, params};

use super::catalogue::{self, Table, known_table, table_folder};
use super::column::Column;
use super::error::LakeError;
use super::import::unsigned;
use super::{Lake, SnapshotId};

/// Rows of one batch that is read.
const BATCH_ROWS: usize = 65_536;
/// In a file merged from several this column says since which snapshot a row is there. Name and field
/// id are DuckLake's.
pub(super) const SNAPSHOT_COLUMN: &str = "_ducklake_internal_snapshot_id";
/// The field id of that column.
pub(super) const SNAPSHOT_FIELD_ID: i64 = 2_147_483_539;

/// A Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Rows in it, those included that came after the time asked about when it was merged.
    pub rows: u64,
    /// How many rows were written to the table before its first one: a file that others are merged into begins where the
    /// first of them did.
    pub first_row: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The import that wrote it; none when it was merged from several.
    pub import: Option<i64>,
    /// The snapshot of its first row.
    pub snapshot: SnapshotId,
    /// The snapshot of its last row; the same unless it was merged.
    pub last_snapshot: SnapshotId,
    /// When its first row was recorded, in microseconds since 1970.
    pub recorded_at_micros: i64,
    row_groups: Option<usize>,
}

/// Which files of a table are wanted; all by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Among<'a> {
    /// Those with rows of later snapshots than this one.
    pub after: Option<SnapshotId>,
    /// Those with rows of one of these snapshots.
    pub snapshots: Option<&'a [SnapshotId]>,
    /// Those with rows of this source.
    pub source: Option<&'a str>,
}

/// A piece of a table that can be read on a thread of its own: a row group, or a whole foreign file.
#[derive(Debug, Clone)]
pub struct Part {
    pub(super) file: PathBuf,
    pub(super) row_group: Option<usize>,
    pub(super) schema: SchemaRef,
    pub(super) columns: Arc<[Column]>,
    /// Rows of later snapshots are left out; none when the file holds no such rows.
    pub(super) newest: Option<i64>,
}

/// The rows of one part, batch by batch.
pub struct PartRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// For each wanted column where it stands in the batches read.
    positions: Vec<Option<usize>>,
    newest: Option<(usize, i64)>,
}

/// The rows of a table, part after part in commit order.
pub struct Rows {
    schema: SchemaRef,
    parts: std::vec::IntoIter<Part>,
    current: Option<PartRows>,
}

impl Lake {
    /// The snapshot that was the newest at a time, or now: the version of the data.
    pub fn snapshot(&self, as_known_at: Option<i64>) -> Result<SnapshotId, LakeError> {
        let path = self.store.catalogue_path();
        self.store.glance(|connection| catalogue::snapshot_at(connection, &path, as_known_at)).map(SnapshotId)
    }

    /// The newest snapshot and when it was made, in microseconds since 1970: what is known as known at that time never
    /// changes, so whoever asks for that time goes on seeing one state while imports go on.
    pub fn newest_snapshot(&self) -> Result<(SnapshotId, i64), LakeError> {
        let path = self.store.catalogue_path();
        let newest = self.store.glance(|connection| catalogue::head(connection, &path))?;
        Ok((SnapshotId(newest.snapshot), newest.time_micros))
    }

    /// When a snapshot was made, in microseconds since 1970; none when there is no such snapshot.
    pub fn recorded_at(&self, snapshot: SnapshotId) -> Result<Option<i64>, LakeError> {
        let text: Option<String> = self.store.read("find a snapshot", |connection| {
            connection
                .prepare_cached("SELECT snapshot_time FROM ducklake_snapshot WHERE snapshot_id = ?")?
                .query_row([snapshot.0], |row| row.get(0))
                .optional()
        })?;
        text.map(|text| catalogue::time_micros(&text)).transpose()
    }

    /// The tables that have facts which became known after a snapshot and were known at a time. A table whose files were
    /// merged may be among them.
    pub fn tables_changed(&self, since: SnapshotId, as_known_at: Option<i64>) -> Result<Vec<String>, LakeError> {
        let path = self.store.catalogue_path();
        self.store.glance(|connection| {
            let until = catalogue::snapshot_at(connection, &path, as_known_at)?;
            connection
                .prepare_cached(
                    "SELECT DISTINCT t.table_name FROM ducklake_data_file f JOIN ducklake_table t USING (table_id)
                     WHERE coalesce(f.partial_max, f.begin_snapshot) > ?1 AND f.begin_snapshot <= ?2 ORDER BY 1",
                )
                .and_then(|mut statement| statement.query_map([since.0, until], |row| row.get(0))?.collect())
                .map_err(|source| LakeError::catalogue("list changed tables", &path, source))
        })
    }

    /// The files of a table that held facts known at a time, in commit order.
    pub fn files(&self, table: &str, as_known_at: Option<i64>) -> Result<Vec<DataFile>, LakeError> {
        let path = self.store.catalogue_path();
        self.store.glance(|connection| {
            let table = known_table(connection, &path, table)?;
            let snapshot = catalogue::snapshot_at(connection, &path, as_known_at)?;
            files(connection, &path, &self.store.files, &table, -1..snapshot)
        })
    }

    /// Those of them that hold facts which became known after a snapshot, and others perhaps.
    pub fn files_since(
        &self,
        table: &str,
        since: SnapshotId,
        as_known_at: Option<i64>,
    ) -> Result<Vec<DataFile>, LakeError> {
        let path = self.store.catalogue_path();
        self.store.glance(|connection| {
            let table = known_table(connection, &path, table)?;
            let snapshot = catalogue::snapshot_at(connection, &path, as_known_at)?;
            files(connection, &path, &self.store.files, &table, since.0..snapshot)
        })
    }

    /// The parts of a table as known at a time, in commit order. No names mean all columns. What was
    /// listed stays readable while imports and compactions go on.
    pub fn parts(&self, table: &str, projection: &[&str], as_known_at: Option<i64>) -> Result<Vec<Part>, LakeError> {
        self.read(table, projection, as_known_at).map(|rows| rows.parts.collect())
    }

    /// The rows of a table as known at a time. No names mean all columns; a column that came later is
    /// null in the files before it.
    pub fn read(&self, table: &str, projection: &[&str], as_known_at: Option<i64>) -> Result<Rows, LakeError> {
        self.read_among(table, projection, as_known_at, &Among::default())
    }

    /// The same of some files alone: those that may hold what is wanted. They hold other rows too.
    pub fn read_among(
        &self,
        table: &str,
        projection: &[&str],
        as_known_at: Option<i64>,
        among: &Among<'_>,
    ) -> Result<Rows, LakeError> {
        let path = self.store.catalogue_path();
        let (table, files, snapshot) = self.store.glance(|connection| {
            let table = known_table(connection, &path, table)?;
            let snapshot = catalogue::snapshot_at(connection, &path, as_known_at)?;
            refuse_deleted_rows(connection, &path, &table, snapshot)?;
            let mut files = files(connection, &path, &self.store.files, &table, -1..snapshot)?;
            if let Some(source) = among.source {
                let others = files_without(connection, &path, &table, ("source", source))?;
                files.retain(|file| {
                    !file.path.file_name().is_some_and(|name| others.contains(name.to_string_lossy().as_ref()))
                });
            }
            if let Some(after) = among.after {
                files.retain(|file| file.last_snapshot > after);
            }
            if let Some(snapshots) = among.snapshots {
                files.retain(|file| {
                    snapshots.iter().any(|wanted| (file.snapshot..=file.last_snapshot).contains(wanted))
                });
            }
            Ok((table, files, snapshot))
        })?;
        let columns: Arc<[Column]> = if projection.is_empty() {
            table.columns.clone().into()
        } else {
            projection
                .iter()
                .map(|name| {
                    table.column(name).cloned().ok_or_else(|| LakeError::UnknownColumn {
                        table: table.name.clone(),
                        column: (*name).to_owned(),
                        known: table.column_names(),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?
                .into()
        };
        let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
        let mut parts = Vec::new();
        for file in files {
            let newest = (file.last_snapshot.0 > snapshot).then_some(snapshot);
            let part = |row_group| Part {
                file: file.path.clone(),
                row_group,
                schema: Arc::clone(&schema),
                columns: Arc::clone(&columns),
                newest,
            };
            match file.row_groups {
                Some(groups) => parts.extend((0..groups).map(|group| part(Some(group)))),
                None => parts.push(part(None)),
            }
        }
        Ok(Rows { schema, parts: parts.into_iter(), current: None })
    }
}

/// A row that another program deleted would still be counted here, so it is better to say so.
fn refuse_deleted_rows(connection: &Connection, path: &Path, table: &Table, snapshot: i64) -> Result<(), LakeError> {
    let deletions: i64 = connection
        .prepare_cached("SELECT count(*) FROM ducklake_delete_file WHERE table_id = ? AND begin_snapshot <= ?")
        .and_then(|mut statement| statement.query_row([table.id, snapshot], |row| row.get(0)))
        .map_err(|source| LakeError::catalogue("look for deleted rows", path, source))?;
    if deletions > 0 {
        return Err(LakeError::Foreign {
            table: table.name.clone(),
            what: "deleted rows",
            mend: "Facts are never deleted: restore catalog.sqlite from a backup, and withdraw facts by importing their withdrawal",
        });
    }
    Ok(())
}

/// The names of the files of a table that by the bounds of a column cannot hold a value.
fn files_without(
    connection: &Connection,
    path: &Path,
    table: &Table,
    (column, value): (&str, &str),
) -> Result<HashSet<String>, LakeError> {
    let Some(column) = table.column(column) else { return Ok(HashSet::new()) };
    connection
        .prepare_cached(
            "SELECT f.path FROM ducklake_data_file f JOIN ducklake_file_column_stats s USING (data_file_id)
             WHERE f.table_id = ?1 AND s.column_id = ?2 AND (s.min_value > ?3 OR s.max_value < ?3)",
        )
        .and_then(|mut statement| statement.query_map(params![table.id, column.id, value], |row| row.get(0))?.collect())
        .map_err(|source| LakeError::catalogue("list files", path, source))
}

/// The files of a table that a snapshot, the end of a range, shows, and in which something is newer than its beginning.
pub(super) fn files(
    connection: &Connection,
    path: &Path,
    folder: &Path,
    table: &Table,
    snapshots: std::ops::Range<i64>,
) -> Result<Vec<DataFile>, LakeError> {
    let failed = |source| LakeError::catalogue("list files", path, source);
    let folder = table_folder(folder, &table.name);
    let mut statement = connection
        .prepare_cached(
            "SELECT f.path, f.path_is_relative, f.record_count, f.file_size_bytes, r.import_id, f.begin_snapshot,
               f.partial_max, s.snapshot_time, r.row_groups, f.row_id_start
             FROM ducklake_data_file f
             JOIN ducklake_snapshot s ON s.snapshot_id = f.begin_snapshot
             LEFT JOIN recurve_file r ON r.path = f.path AND r.table_id = f.table_id
             WHERE f.table_id = ?1 AND coalesce(f.partial_max, f.begin_snapshot) > ?3
               AND f.begin_snapshot <= ?2 AND (f.end_snapshot IS NULL OR f.end_snapshot > ?2)
             ORDER BY f.begin_snapshot, f.row_id_start, f.data_file_id",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![table.id, snapshots.end, snapshots.start], |row| {
            let name: String = row.get(0)?;
            let begin: i64 = row.get(5)?;
            let text: String = row.get(7)?;
            let file = DataFile {
                path: if row.get(1)? { folder.join(name) } else { PathBuf::from(name) },
                rows: unsigned(row, 2)?,
                first_row: unsigned(row, 9)?,
                bytes: unsigned(row, 3)?,
                import: row.get(4)?,
                snapshot: SnapshotId(begin),
                last_snapshot: SnapshotId(row.get::<_, Option<i64>>(6)?.unwrap_or(begin)),
                recorded_at_micros: 0,
                row_groups: row.get::<_, Option<i64>>(8)?.and_then(|groups| usize::try_from(groups).ok()),
            };
            Ok((file, text))
        })
        .map_err(failed)?;
    let mut files = Vec::new();
    for row in rows {
        let (mut file, text) = row.map_err(failed)?;
        file.recorded_at_micros = catalogue::time_micros(&text)?;
        files.push(file);
    }
    Ok(files)
}

impl Part {
    /// The schema of its batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The Parquet file that it lies in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How many rows it holds, those included that came after the time asked about when it was merged.
    pub fn row_count(&self) -> Result<usize, LakeError> {
        let file = File::open(&self.file).map_err(|source| LakeError::io("open", &self.file, source))?;
        let failed = |source: ParquetError| LakeError::parquet("read", &self.file, source);
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(failed)?;
        let rows = match self.row_group {
            None => metadata.metadata().file_metadata().num_rows(),
            Some(group) => metadata.metadata().row_groups().get(group).map_or(0, |group| group.num_rows()),
        };
        Ok(usize::try_from(rows).unwrap_or(0))
    }

    /// Opens it for reading.
    pub fn rows(&self) -> Result<PartRows, LakeError> {
        let file = File::open(&self.file).map_err(|source| LakeError::io("open", &self.file, source))?;
        let failed = |source: ParquetError| LakeError::parquet("read", &self.file, source);
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(failed)?;
        let stored = Arc::clone(metadata.schema());
        let place = |id: i64, name: &str| {
            let id = id.to_string();
            stored
                .fields()
                .iter()
                .position(|field| field.metadata().get(PARQUET_FIELD_ID_META_KEY) == Some(&id))
                .or_else(|| {
                    stored.fields().iter().position(|field| {
                        field.name() == name && !field.metadata().contains_key(PARQUET_FIELD_ID_META_KEY)
                    })
                })
        };
        let places: Vec<Option<usize>> = self.columns.iter().map(|column| place(column.id, &column.name)).collect();
        let snapshots = match self.newest {
            None => None,
            Some(newest) => Some((
                place(SNAPSHOT_FIELD_ID, SNAPSHOT_COLUMN).ok_or_else(|| {
                    failed(ParquetError::General(format!(
                        "it was merged from several imports, but has no column {SNAPSHOT_COLUMN}"
                    )))
                })?,
                newest,
            )),
        };
        let mut roots: Vec<usize> = places.iter().flatten().copied().chain(snapshots.map(|(place, _)| place)).collect();
        roots.sort_unstable();
        roots.dedup();
        // Batches come with the columns in the file's order, so a place becomes a rank among those read.
        let rank = |place: usize| roots.partition_point(|root| *root < place);
        let positions = places.iter().map(|place| place.map(rank)).collect();
        let newest = snapshots.map(|(place, newest)| (rank(place), newest));
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
        if let Some(group) = self.row_group {
            if group >= builder.metadata().num_row_groups() {
                return Err(failed(ParquetError::General(format!(
                    "it has {} row groups, and the catalogue names number {group}",
                    builder.metadata().num_row_groups()
                ))));
            }
            builder = builder.with_row_groups(vec![group]);
        }
        let reader = builder.build().map_err(failed)?;
        Ok(PartRows { path: self.file.clone(), reader, schema: self.schema(), positions, newest })
    }
}

impl PartRows {
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let failed = |source: arrow::error::ArrowError| LakeError::parquet("read", &self.path, source.into());
        let rows = batch.num_rows();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.positions.len());
        for (field, position) in self.schema.fields().iter().zip(&self.positions) {
            arrays.push(match position {
                None => new_null_array(field.data_type(), rows),
                Some(position) if batch.column(*position).data_type() == field.data_type() => {
                    Arc::clone(batch.column(*position))
                }
                Some(position) => cast(batch.column(*position), field.data_type()).map_err(failed)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arranged = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(failed)?;
        let Some((position, newest)) = self.newest else { return Ok(arranged) };
        let snapshots = batch.column(position);
        let snapshots = snapshots.as_primitive_opt::<Int64Type>().ok_or_else(|| {
            failed(arrow::error::ArrowError::SchemaError(format!(
                "the column {SNAPSHOT_COLUMN} is {}, not Int64",
                snapshots.data_type()
            )))
        })?;
        let known = lt_eq(snapshots, &arrow::array::Int64Array::new_scalar(newest)).map_err(failed)?;
        filter_record_batch(&arranged, &known).map_err(failed)
    }
}

impl Iterator for PartRows {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.reader.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(LakeError::parquet("read", &self.path, error.into()))),
        };
        Some(self.arrange(&batch))
    }
}

impl Rows {
    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(rows) = self.current.as_mut() {
                match rows.next() {
                    Some(Ok(batch)) if batch.num_rows() == 0 => continue,
                    Some(batch) => return Some(batch),
                    None => self.current = None,
                }
            }
            match self.parts.next()?.rows() {
                Ok(rows) => self.current = Some(rows),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
