//! Compaction: many small files of a table become one. Each row keeps the snapshot since which it is
//! there, so everything that was known at a time stays answerable, here and in DuckDB.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use rusqlite::{Connection, Transaction, params};

use super::Lake;
use super::catalogue::{self, Head, SCHEMA, Table, known_table, table_folder};
use super::column::Column;
use super::error::LakeError;
use super::fact_file::{FactFile, ROW_GROUP_ROWS, WrittenFile};
use super::import::{DataFileRow, add_data_file, signed, unsigned};
use super::scan::{Part, SNAPSHOT_COLUMN, SNAPSHOT_FIELD_ID};
use super::verify::Recorded;

/// Files with fewer rows are small: they have less than one full row group.
const SMALL_FILE_ROWS: u64 = ROW_GROUP_ROWS as u64;
/// A merged file ends before it has more rows than this.
const MERGED_FILE_ROWS: u64 = 16 * SMALL_FILE_ROWS;
/// Files that were merged stay this long, for readers that listed them before. A server that takes in facts all the
/// time leaves a hundred of them a second behind, so they cannot stay for long; no answer takes so long to work out.
const MERGED_FILES_STAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);
/// Merged files that are removed at a time, so that nobody waits long for the turn.
const REMOVED_AT_ONCE: usize = 2_000;
/// How many times as long as it works a compaction beside those who write rests.
const REST: u32 = 2;
/// How long a compaction waits for its turn to put a file in the place of others.
const TURN_PATIENCE: Duration = Duration::from_secs(30);

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Files that were merged.
    pub files: u64,
    /// Files that they became.
    pub into_files: u64,
    /// Rows in them.
    pub rows: u64,
}

/// A file that may be merged.
#[derive(Clone)]
struct Source {
    id: i64,
    name: String,
    rows: u64,
    bytes: u64,
    hash: String,
    row_groups: i64,
    first_row: i64,
    snapshot: i64,
    last_snapshot: Option<i64>,
}

/// A file that was merged, and is to be removed.
struct Scheduled {
    /// The row of the list in which it stands.
    place: i64,
    file: i64,
    /// Below the folder of the facts.
    name: String,
}

impl Lake {
    /// Merges runs of small files of a table. What is known, and was known at any time, stays the same to
    /// the row. It may run beside imports and readers; the merged files are removed after a quarter of an hour.
    pub fn compact(&self, table: &str) -> Result<Compacted, LakeError> {
        let (table, sources) = self.mergeable(table)?;
        self.merge_all(&table, runs(sources), 0)
    }

    /// Merges the newest small files of a table once there are `least` of them, with those before them that are no
    /// larger than all newer ones together: so a row is written again only when the file that it is in at least doubles.
    /// Made to be called again and again beside whoever writes: it takes its turn only to put the merged file in place, and
    /// rests for longer than it works, so that nobody waits for the processor.
    pub fn compact_newest(&self, table: &str, least: usize) -> Result<Compacted, LakeError> {
        let (table, sources) = self.mergeable(table)?;
        let run = newest_run(sources);
        self.merge_all(&table, if run.len() < least.max(2) { Vec::new() } else { vec![run] }, REST)
    }

    /// A table and the files of it that may be merged.
    fn mergeable(&self, table: &str) -> Result<(Table, Vec<Source>), LakeError> {
        self.store.writer("compact a table")?;
        let path = self.store.catalogue_path();
        self.store.glance(|connection| {
            let table = known_table(connection, &path, table)?;
            let sources = sources(connection, table.id)
                .map_err(|source| LakeError::catalogue("list the files to merge", &path, source))?;
            Ok((table, sources))
        })
    }

    fn merge_all(&self, table: &Table, runs: Vec<Vec<Source>>, rest: u32) -> Result<Compacted, LakeError> {
        let mut done = Compacted::default();
        for run in runs {
            let merged = self.merge(table, &run, rest)?;
            done.files += run.len() as u64;
            done.into_files += 1;
            done.rows += merged;
        }
        self.remove_merged_files(false)?;
        Ok(done)
    }

    /// Merges files, and rests after each for so many times as long as it took.
    fn merge(&self, table: &Table, run: &[Source], rest: u32) -> Result<u64, LakeError> {
        let folder = table_folder(&self.store.files, &table.name);
        for source in run {
            let begun = Instant::now();
            // A damaged file must not be given a new and valid hash.
            let fault = self.check_file(&Recorded {
                table: table.name.clone(),
                path: source.name.clone(),
                rows: source.rows,
                bytes: source.bytes,
                hash: source.hash.clone(),
            });
            if let Some(fault) = fault {
                return Err(LakeError::Damaged {
                    what: format!("{} cannot be merged: {}. {}", fault.path.display(), fault.message.en, fault.help.en),
                });
            }
            std::thread::sleep(begun.elapsed() * rest);
        }
        let mut wide = table.clone();
        wide.columns.push(Column {
            id: SNAPSHOT_FIELD_ID,
            name: SNAPSHOT_COLUMN.to_owned(),
            data_type: DataType::Int64,
            nullable: true,
        });
        let schema = Arc::new(Schema::new(wide.columns.iter().map(Column::field).collect::<Vec<_>>()));
        let columns: Arc<[Column]> = wide.columns.clone().into();
        let mut file = FactFile::create(&folder, wide)?;
        for source in run {
            let begun = Instant::now();
            for group in 0..source.row_groups {
                let part = Part {
                    file: folder.join(&source.name),
                    row_group: usize::try_from(group).ok(),
                    schema: Arc::clone(&schema),
                    columns: Arc::clone(&columns),
                    newest: None,
                };
                for batch in part.rows()? {
                    self.store.heed(file.write(&with_snapshots(&batch?, source, &part)?))?;
                }
            }
            std::thread::sleep(begun.elapsed() * rest);
        }
        let expected: u64 = run.iter().map(|source| source.rows).sum();
        let Some(mut written) = self.store.heed(file.finish())? else { return Ok(0) };
        written.bounds.retain(|bounds| bounds.column != SNAPSHOT_FIELD_ID);
        let path = self.store.catalogue_path();
        let replaced = if written.rows == expected {
            let turn = self.turn(TURN_PATIENCE);
            turn.and_then(|_turn| {
                self.store.write_with("merge files", |transaction| {
                    // Out of turn another process may have taken the file for one that a crash left.
                    fs::metadata(&written.path)
                        .map_err(|source| LakeError::io("find the merged file", &written.path, source))?;
                    let head = catalogue::head(transaction, &path)?;
                    replace(transaction, head, table, run, &written)
                        .map_err(|source| LakeError::catalogue("merge files", &path, source))
                })
            })
        } else {
            Err(LakeError::Damaged { what: format!("merging {expected} rows of {} gave {}", table.name, written.rows) })
        };
        if let Err(error) = &replaced {
            // Unless the catalogue may name it after all, the file is of no use; what stays is cleared at
            // the next start.
            if !error.leaves_disk_uncertain() {
                let _ = fs::remove_file(&written.path);
            }
        }
        replaced.map(|()| written.rows)
    }

    /// Removes files that were merged long enough ago. Whoever opens the folder has the turn already.
    pub(super) fn remove_merged_files(&self, has_turn: bool) -> Result<(), LakeError> {
        let now = jiff::Timestamp::now();
        let before = now.checked_sub(MERGED_FILES_STAY).unwrap_or(jiff::Timestamp::MIN).as_microsecond();
        let scheduled: Vec<Scheduled> = self.store.read("list merged files", |connection| {
            // Times are spelled so that they sort as they come.
            let sql = "SELECT rowid, data_file_id, path FROM ducklake_files_scheduled_for_deletion
                       WHERE path_is_relative AND schedule_start <= ? ORDER BY rowid";
            let found =
                |row: &rusqlite::Row<'_>| Ok(Scheduled { place: row.get(0)?, file: row.get(1)?, name: row.get(2)? });
            let mut statement = connection.prepare(sql)?;
            let due = statement.query_map([catalogue::time_text(before)], found)?;
            // What other programs merged is theirs to remove. Each is looked up by its name, for there are as many of
            // ours as commits in the time that they stay.
            let mut ours = connection.prepare(
                "SELECT 1 FROM recurve_file r JOIN ducklake_table t ON t.table_id = r.table_id
                 WHERE r.path = ?1 AND r.state = 'merged' AND ?2 = ?3 || '/' || t.table_name || '/' || r.path",
            )?;
            let mut scheduled = Vec::new();
            for due in due {
                let due = due?;
                let file = due.name.rsplit('/').next().unwrap_or_default();
                if ours.exists(params![file, due.name, SCHEMA])? {
                    scheduled.push(due);
                }
            }
            Ok(scheduled)
        })?;
        for scheduled in scheduled.chunks(REMOVED_AT_ONCE) {
            for Scheduled { name, .. } in scheduled {
                let path = self.store.files.join(name);
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(LakeError::io("remove the merged file", &path, source));
                    }
                    _ => {}
                }
            }
            let _turn = if has_turn { None } else { Some(self.turn(TURN_PATIENCE)?) };
            self.store.write("forget merged files", |transaction| {
                // There is no index by file, and to look through all of them for each would take long, while commits wait. Who
                // is somewhere else by now is forgotten the next time.
                let mut statement = transaction.prepare_cached(
                    "DELETE FROM ducklake_files_scheduled_for_deletion WHERE rowid = ? AND data_file_id = ?",
                )?;
                for Scheduled { place, file, .. } in scheduled {
                    statement.execute([place, file])?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The files of a table in commit order, those of other programs left out.
fn sources(connection: &Connection, table: i64) -> rusqlite::Result<Vec<Source>> {
    connection
        .prepare(
            "SELECT f.data_file_id, f.path, r.rows, r.bytes, r.hash, r.row_groups, f.row_id_start, f.begin_snapshot,
               f.partial_max
             FROM ducklake_data_file f JOIN recurve_file r ON r.path = f.path AND r.table_id = f.table_id
             WHERE f.table_id = ? AND f.end_snapshot IS NULL AND f.path_is_relative AND r.state = 'committed'
               AND f.data_file_id NOT IN (SELECT data_file_id FROM ducklake_delete_file)
             ORDER BY f.row_id_start",
        )?
        .query_map([table], |row| {
            Ok(Source {
                id: row.get(0)?,
                name: row.get(1)?,
                rows: unsigned(row, 2)?,
                bytes: unsigned(row, 3)?,
                hash: row.get(4)?,
                row_groups: row.get(5)?,
                first_row: row.get(6)?,
                snapshot: row.get(7)?,
                last_snapshot: row.get(8)?,
            })
        })?
        .collect()
}

/// Runs of two or more small files that follow each other without a gap, since DuckDB numbers rows from
/// the first of a file on.
fn runs(sources: Vec<Source>) -> Vec<Vec<Source>> {
    let mut runs: Vec<Vec<Source>> = Vec::new();
    let mut rows = 0;
    for source in sources.into_iter().filter(|source| source.rows < SMALL_FILE_ROWS) {
        let follows = runs
            .last()
            .and_then(|run| run.last())
            .is_some_and(|before| before.first_row + signed(before.rows) == source.first_row);
        match runs.last_mut() {
            Some(run) if follows && rows + source.rows <= MERGED_FILE_ROWS => {
                rows += source.rows;
                run.push(source);
            }
            _ => {
                rows = source.rows;
                runs.push(vec![source]);
            }
        }
    }
    runs.retain(|run| run.len() > 1);
    runs
}

/// The newest small files, as far back as each is no larger than all those after it together, or than [`NEW_FILE_ROWS`].
fn newest_run(sources: Vec<Source>) -> Vec<Source> {
    /// What a commit of a few facts writes at most.
    const NEW_FILE_ROWS: u64 = 256;
    let mut run: Vec<Source> = Vec::new();
    let mut rows = 0;
    for source in sources.into_iter().rev() {
        let follows = run.last().is_none_or(|after| source.first_row + signed(source.rows) == after.first_row);
        let is_small = source.rows < SMALL_FILE_ROWS && (run.is_empty() || source.rows <= rows.max(NEW_FILE_ROWS));
        if !follows || !is_small || rows + source.rows > MERGED_FILE_ROWS {
            break;
        }
        rows += source.rows;
        run.push(source);
    }
    run.reverse();
    run
}

/// The batch with the snapshot of each row: its own when it was merged before, else the file's.
fn with_snapshots(batch: &RecordBatch, source: &Source, part: &Part) -> Result<RecordBatch, LakeError> {
    let failed = |error: arrow::error::ArrowError| LakeError::parquet("read", &part.file, error.into());
    let mut arrays: Vec<ArrayRef> = batch.columns().to_vec();
    let Some(last) = arrays.last_mut() else { return Ok(batch.clone()) };
    // A file merged from files of one import alone has the column too, with the same number in each row.
    let kept: Int64Array =
        last.as_primitive::<Int64Type>().iter().map(|snapshot| Some(snapshot.unwrap_or(source.snapshot))).collect();
    *last = Arc::new(kept);
    RecordBatch::try_new(batch.schema(), arrays).map_err(failed)
}

/// Puts the merged file in the place of its sources, as a snapshot that shows the same rows.
fn replace(
    transaction: &Transaction<'_>,
    head: Head,
    table: &Table,
    run: &[Source],
    written: &WrittenFile,
) -> rusqlite::Result<()> {
    let mut next = head;
    next.snapshot += 1;
    next.next_file_id += 1;
    // A compaction tells nothing about the world, so like a definition it takes the first free moment.
    next.time_micros += 1;
    let now = catalogue::time_text(jiff::Timestamp::now().as_microsecond());
    let mut bytes_before = 0;
    for source in run {
        let removed = transaction
            .prepare_cached("DELETE FROM ducklake_data_file WHERE data_file_id = ?")?
            .execute([source.id])?;
        if removed != 1 {
            // Another thread or program merged it meanwhile; the transaction is taken back.
            return Err(rusqlite::Error::StatementChangedRows(removed));
        }
        transaction
            .prepare_cached("DELETE FROM ducklake_file_column_stats WHERE data_file_id = ?")?
            .execute([source.id])?;
        transaction
            .prepare_cached("INSERT INTO ducklake_files_scheduled_for_deletion VALUES (?, ?, 1, ?)")?
            .execute(params![source.id, format!("{SCHEMA}/{}/{}", table.name, source.name), now])?;
        transaction
            .prepare_cached("UPDATE recurve_file SET state = 'merged' WHERE path = ? AND table_id = ?")?
            .execute(params![source.name, table.id])?;
        bytes_before += signed(source.bytes);
    }
    let first = run.iter().map(|source| source.snapshot).min().unwrap_or(head.snapshot);
    let last = run.iter().map(|source| source.last_snapshot.unwrap_or(source.snapshot)).max().unwrap_or(head.snapshot);
    add_data_file(
        transaction,
        &DataFileRow {
            id: head.next_file_id,
            table: table.id,
            snapshot: first,
            last_snapshot: (last > first).then_some(last),
            name: &written.name,
            rows: signed(written.rows),
            bytes: signed(written.bytes),
            footer_bytes: i64::from(written.footer_bytes),
            first_row: run.first().map_or(0, |source| source.first_row),
            bounds: &written.bounds,
        },
    )?;
    let sql = "INSERT INTO recurve_file
                 (import_id, table_id, path, rows, bytes, footer_bytes, row_groups, hash, bounds, state)
               VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, '', 'committed')";
    transaction.prepare_cached(sql)?.execute(params![
        table.id,
        written.name,
        signed(written.rows),
        signed(written.bytes),
        written.footer_bytes,
        signed(written.row_groups as u64),
        written.hash
    ])?;
    transaction
        .prepare_cached("UPDATE ducklake_table_stats SET file_size_bytes = file_size_bytes + ? WHERE table_id = ?")?
        .execute(params![signed(written.bytes) - bytes_before, table.id])?;
    catalogue::add_snapshot(transaction, next, &format!("merge_adjacent:{}", table.id), None)
}
