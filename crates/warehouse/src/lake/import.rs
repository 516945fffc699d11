//! Imports: rows are staged file by file, durably, and become visible all at once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::error::ArrowError;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, TransactionBehavior, params};
use serde::Deserialize;

use super::catalogue::{self, known_table, table_folder};
use super::column::ColumnBounds;
use super::error::LakeError;
use super::fact_file::{FactFile, WrittenFile};
use super::{Lake, SnapshotId, Store};
use crate::cores;

/// What is imported, and how. Two requests with the same kind, source, options and file are the same
/// import, so that an interrupted one is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// The kind of facts: `subscription`, `payment` and so on.
    pub kind: String,
    /// Where they come from: `csv`, `stripe` and so on.
    pub source: String,
    /// The file, as the user named it.
    pub file_name: String,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// Its hash when it is known; then it may be renamed and is still the same file.
    pub file_hash: Option<String>,
    /// Every option that changes what a row means, as canonical JSON.
    pub options: String,
    /// When it began, in microseconds since 1970.
    pub started_at_micros: i64,
}

/// A row that could not be read. It is kept as it was, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its identity in the quarantine; given when it is stored, 0 before.
    pub id: i64,
    /// The import that met it; set when it is staged.
    pub import: i64,
    /// The file.
    pub file: String,
    /// The line or record number.
    pub row: u64,
    /// The column at fault, when it is one.
    pub column: Option<String>,
    /// The code of the issue.
    pub code: String,
    /// What is wrong with it.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// The row as it stood in the file.
    pub raw: String,
    /// The committed import that read it again after all.
    pub settled_by: Option<i64>,
}

/// Which refused rows are wanted; everything by default. Only those of committed imports are shown.
#[derive(Debug, Clone, Default)]
pub struct RefusedFilter {
    /// Those of one import.
    pub import: Option<i64>,
    /// Those of one code.
    pub code: Option<String>,
    /// Only the settled ones, or only those that still wait.
    pub settled: Option<bool>,
    /// At most so many, the oldest first.
    pub limit: Option<u64>,
}

/// How far an import has come with the file that is being staged.
#[derive(Debug, Clone, Default)]
pub struct Progress<'a> {
    /// Opaque text from which the importer can go on; it is saved with the file.
    pub resume_point: &'a str,
    /// Rows read since the last stage.
    pub rows_read: u64,
    /// Rows refused since the last stage.
    pub refused: &'a [RefusedRow],
}

/// An import that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// Its number, which its facts carry.
    pub id: i64,
    /// The kind of facts.
    pub kind: String,
    /// Where they came from.
    pub source: String,
    /// The file.
    pub file_name: String,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// Its hash, when it was known.
    pub file_hash: Option<String>,
    /// The options as canonical JSON.
    pub options: String,
    /// When it began, in microseconds since 1970.
    pub started_at_micros: i64,
    /// When it was committed, in microseconds since 1970: its facts are known from then on.
    pub recorded_at_micros: i64,
    /// The snapshot that it made.
    pub snapshot: SnapshotId,
    /// Rows read from the file.
    pub rows_read: u64,
    /// Rows written, over all tables.
    pub rows_accepted: u64,
    /// Rows refused. What is neither accepted nor refused was known before.
    pub rows_refused: u64,
}

/// What the imports of a kind came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportsOfKind {
    /// The kind of facts.
    pub kind: String,
    /// How many imports.
    pub imports: u64,
    /// Rows written.
    pub rows_accepted: u64,
    /// Rows refused.
    pub rows_refused: u64,
}

/// What was recorded in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRows {
    /// The table.
    pub table: String,
    /// Rows that became facts, all versions counted.
    pub rows: u64,
    /// Imports that brought them.
    pub imports: u64,
    /// When the last of these was committed, in microseconds since 1970.
    pub last_recorded_at_micros: i64,
}

/// An import that stopped half way; it can be taken up again or abandoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptedImport {
    /// Its number.
    pub id: i64,
    /// What was being imported.
    pub request: ImportRequest,
    /// From where it can go on; none when nothing was staged.
    pub resume_point: Option<String>,
    /// Rows read so far.
    pub rows_read: u64,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The import.
    pub import: i64,
    /// The snapshot from which it is visible.
    pub snapshot: SnapshotId,
    /// When it is recorded, in microseconds since 1970; later than every import before it.
    pub recorded_at_micros: i64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written.
    pub rows_accepted: u64,
    /// Rows refused.
    pub rows_refused: u64,
}

/// An import under way. Nothing of it is visible before [`Import::commit`]. Dropped without a commit it
/// stays as it was last staged, to be taken up by [`Lake::resumable_import`].
pub struct Import {
    store: Arc<Store>,
    id: i64,
    resume_point: Option<String>,
    rows_read: u64,
    rows_accepted: u64,
    rows_refused: u64,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("id", &self.id).field("resume_point", &self.resume_point).finish()
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.store.release_import(self.id);
    }
}

/// What the options of an import say whose facts were stated row by row.
#[derive(Deserialize)]
struct Origins {
    /// The first row of each stretch of rows, and where they came from.
    origins: Vec<(u64, String)>,
}

impl ImportRecord {
    /// Whether its facts were stated row by row, and not read from a file.
    #[must_use]
    pub fn is_of_statements(&self) -> bool {
        self.options.starts_with("{\"origins\":")
    }

    /// Where one of its rows came from: the file, or for facts that were stated row by row who stated that one.
    #[must_use]
    pub fn origin(&self, row: u64) -> Cow<'_, str> {
        let several = || Cow::Borrowed(self.file_name.as_str());
        if !self.is_of_statements() {
            return several();
        }
        let Ok(stated) = serde_json::from_str::<Origins>(&self.options) else { return several() };
        let before = stated.origins.partition_point(|(first, _)| *first <= row);
        let origin = before.checked_sub(1).and_then(|at| stated.origins.into_iter().nth(at));
        origin.map_or_else(several, |(_, origin)| Cow::Owned(origin))
    }
}

impl Lake {
    /// Begins an import. Its number is taken for good, even when it is abandoned.
    pub fn begin_import(&self, request: &ImportRequest) -> Result<Import, LakeError> {
        let id = self.store.write("begin an import", |transaction| note_import(transaction, request))?;
        self.store.claim_import(id);
        Ok(Import {
            store: Arc::clone(&self.store),
            id,
            resume_point: None,
            rows_read: 0,
            rows_accepted: 0,
            rows_refused: 0,
        })
    }

    /// A whole import in one transaction, for rows that are in memory: written, staged and committed at once, with one
    /// sync of the catalogue. Each table's rows become one file. Their column `import` gets the import's number.
    /// A failure leaves nothing of it behind.
    pub fn import_at_once(
        &self,
        request: &ImportRequest,
        tables: &[(&str, RecordBatch)],
        rows_read: u64,
        refused: &[RefusedRow],
        now_micros: i64,
    ) -> Result<Committed, LakeError> {
        let path = self.store.catalogue_path();
        let failed = |source| LakeError::catalogue("commit facts", &path, source);
        let mut written = Vec::new();
        let committed = self.store.write_with("commit facts", |transaction| {
            let id = note_import(transaction, request).map_err(failed)?;
            let known = tables
                .iter()
                .map(|(table, batch)| Ok((known_table(transaction, &path, table)?, batch)))
                .collect::<Result<Vec<_>, LakeError>>()?;
            // Several files are synced at the same time.
            let several = known.len() > 1;
            let files = cores::map(known, several, |(table, batch)| {
                let failed = |error: ArrowError| LakeError::Shape {
                    table: table.name.clone(),
                    what: "the batch".to_owned(),
                    why: error.to_string(),
                };
                let batch = of_import(batch, id).map_err(failed)?;
                let mut file = FactFile::create(&table_folder(&self.store.files, &table.name), table)?;
                file.write(&batch)?;
                file.finish()
            });
            // All are waited for, so that those that were written can be removed when one was not.
            let mut refusal = None;
            for file in files {
                match file {
                    Ok(file) => written.extend(file),
                    Err(error) => refusal = refusal.or(Some(error)),
                }
            }
            if let Some(error) = refusal {
                return Err(error);
            }
            let accepted = written.iter().map(|file: &WrittenFile| file.rows).sum();
            let progress = Progress { resume_point: "", rows_read, refused };
            note_staged(transaction, id, &written, &progress, accepted).map_err(failed)?;
            commit(transaction, &path, id, now_micros)
        });
        if let Err(error) = &committed
            && !error.leaves_disk_uncertain()
        {
            for file in &written {
                // What cannot be removed now is cleared at the next start.
                let _ = fs::remove_file(&file.path);
            }
        }
        committed
    }

    /// The interrupted import of the same kind, source, options and file, to go on with. The file is the
    /// same when size and hash agree, or size and name where a hash is missing.
    pub fn resumable_import(&self, request: &ImportRequest) -> Result<Option<Import>, LakeError> {
        let found = self
            .interrupted_imports()?
            .into_iter()
            .filter(|interrupted| {
                let known = &interrupted.request;
                let same_file = match (&known.file_hash, &request.file_hash) {
                    (Some(known), Some(asked)) => known == asked,
                    _ => known.file_name == request.file_name,
                };
                same_file
                    && known.kind == request.kind
                    && known.source == request.source
                    && known.options == request.options
                    && known.file_bytes == request.file_bytes
            })
            .map(|interrupted| interrupted.id)
            .max();
        match found {
            Some(id) => self.take_up_import(id).map(Some),
            None => Ok(None),
        }
    }

    /// Imports that stopped half way and that nobody in this process goes on with, oldest first.
    pub fn interrupted_imports(&self) -> Result<Vec<InterruptedImport>, LakeError> {
        let open = self.store.read("list interrupted imports", |connection| {
            connection
                .prepare(
                    "SELECT id, kind, source, file_name, file_bytes, file_hash, options, started_at_micros,
                       resume_point, rows_read
                     FROM recurve_import WHERE state = 'open' ORDER BY id",
                )?
                .query_map([], |row| {
                    Ok(InterruptedImport {
                        id: row.get(0)?,
                        request: ImportRequest {
                            kind: row.get(1)?,
                            source: row.get(2)?,
                            file_name: row.get(3)?,
                            file_bytes: unsigned(row, 4)?,
                            file_hash: row.get(5)?,
                            options: row.get(6)?,
                            started_at_micros: row.get(7)?,
                        },
                        resume_point: row.get(8)?,
                        rows_read: unsigned(row, 9)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(open.into_iter().filter(|import| !self.store.is_claimed(import.id)).collect())
    }

    /// Takes up an interrupted import by its number.
    pub fn take_up_import(&self, id: i64) -> Result<Import, LakeError> {
        self.store.writable("go on with an import")?;
        let found = self.store.read("find an import", |connection| {
            connection
                .query_row(
                    "SELECT resume_point, rows_read, rows_accepted, rows_refused
                     FROM recurve_import WHERE id = ? AND state = 'open'",
                    [id],
                    |row| Ok((row.get(0)?, unsigned(row, 1)?, unsigned(row, 2)?, unsigned(row, 3)?)),
                )
                .optional()
        })?;
        let Some((resume_point, rows_read, rows_accepted, rows_refused)) = found else {
            return Err(LakeError::Import {
                import: id,
                why: "is not interrupted: it was committed or abandoned, or there is none of that number. Begin a new one",
            });
        };
        if !self.store.claim_import(id) {
            return Err(LakeError::Import {
                import: id,
                why: "is under way in this process already. Wait until it ends",
            });
        }
        Ok(Import { store: Arc::clone(&self.store), id, resume_point, rows_read, rows_accepted, rows_refused })
    }

    /// The committed imports that were known at a time (now when none is given), in commit order. There may be very many
    /// where facts come row by row: what needs no more than their numbers asks for [`Lake::import_numbers`].
    pub fn imports(&self, as_known_at: Option<i64>) -> Result<Vec<ImportRecord>, LakeError> {
        self.import_records("recorded_at_micros <= ? ORDER BY snapshot", [as_known_at.unwrap_or(i64::MAX)])
    }

    /// The newest import that was known at a time (now when none is given).
    pub fn newest_import(&self, as_known_at: Option<i64>) -> Result<Option<ImportRecord>, LakeError> {
        let newest = "recorded_at_micros <= ? ORDER BY snapshot DESC LIMIT 1";
        Ok(self.import_records(newest, [as_known_at.unwrap_or(i64::MAX)])?.pop())
    }

    /// An import by its number.
    pub fn import(&self, number: i64) -> Result<Option<ImportRecord>, LakeError> {
        Ok(self.import_records("id = ?", [number])?.pop())
    }

    /// The newest import of a file with this content, of the same kind and source and with the same options.
    pub fn import_of_file(&self, request: &ImportRequest) -> Result<Option<ImportRecord>, LakeError> {
        let same = "file_hash = ? AND kind = ? AND source = ? AND options = ? ORDER BY snapshot DESC LIMIT 1";
        let ImportRequest { file_hash, kind, source, options, .. } = request;
        Ok(self.import_records(same, params![file_hash, kind, source, options])?.pop())
    }

    fn import_records(&self, which: &str, values: impl Params) -> Result<Vec<ImportRecord>, LakeError> {
        self.store.read("list imports", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT id, kind, source, file_name, file_bytes, file_hash, options, started_at_micros,
                       recorded_at_micros, snapshot, rows_read, rows_accepted, rows_refused
                     FROM recurve_import WHERE state = 'committed' AND {which}"
                ))?
                .query_map(values, |row| {
                    Ok(ImportRecord {
                        id: row.get(0)?,
                        kind: row.get(1)?,
                        source: row.get(2)?,
                        file_name: row.get(3)?,
                        file_bytes: unsigned(row, 4)?,
                        file_hash: row.get(5)?,
                        options: row.get(6)?,
                        started_at_micros: row.get(7)?,
                        recorded_at_micros: row.get(8)?,
                        snapshot: SnapshotId(row.get(9)?),
                        rows_read: unsigned(row, 10)?,
                        rows_accepted: unsigned(row, 11)?,
                        rows_refused: unsigned(row, 12)?,
                    })
                })?
                .collect()
        })
    }

    /// The numbers of the imports that were known at a time (now when none is given), in commit order.
    pub fn import_numbers(&self, as_known_at: Option<i64>) -> Result<Vec<i64>, LakeError> {
        self.store.read("list imports", |connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM recurve_import WHERE state = 'committed' AND recorded_at_micros <= ?
                     ORDER BY snapshot",
                )?
                .query_map([as_known_at.unwrap_or(i64::MAX)], |row| row.get(0))?
                .collect()
        })
    }

    /// What the imports that were known at a time (now when none is given) came to, by kind.
    pub fn imports_by_kind(&self, as_known_at: Option<i64>) -> Result<Vec<ImportsOfKind>, LakeError> {
        self.store.read("count imports", |connection| {
            connection
                .prepare_cached(
                    "SELECT kind, count(*), sum(rows_accepted), sum(rows_refused) FROM recurve_import
                     WHERE state = 'committed' AND recorded_at_micros <= ? GROUP BY kind ORDER BY kind",
                )?
                .query_map([as_known_at.unwrap_or(i64::MAX)], |row| {
                    Ok(ImportsOfKind {
                        kind: row.get(0)?,
                        imports: unsigned(row, 1)?,
                        rows_accepted: unsigned(row, 2)?,
                        rows_refused: unsigned(row, 3)?,
                    })
                })?
                .collect()
        })
    }

    /// How many rows each table had from how many imports at a time (now when none is given), and when the last one
    /// was recorded.
    pub fn recorded(&self, as_known_at: Option<i64>) -> Result<Vec<RecordedRows>, LakeError> {
        self.store.read("count rows", |connection| {
            connection
                .prepare_cached(
                    "SELECT t.table_name, sum(f.rows), count(DISTINCT f.import_id), max(i.recorded_at_micros)
                     FROM recurve_file f JOIN recurve_import i ON i.id = f.import_id
                     JOIN ducklake_table t ON t.table_id = f.table_id
                     WHERE i.state = 'committed' AND i.recorded_at_micros <= ? GROUP BY t.table_name ORDER BY 1",
                )?
                .query_map([as_known_at.unwrap_or(i64::MAX)], |row| {
                    Ok(RecordedRows {
                        table: row.get(0)?,
                        rows: unsigned(row, 1)?,
                        imports: unsigned(row, 2)?,
                        last_recorded_at_micros: row.get(3)?,
                    })
                })?
                .collect()
        })
    }

    /// The imports committed after a snapshot, in commit order, each with the snapshot that it made.
    pub fn imports_after(&self, snapshot: SnapshotId) -> Result<Vec<(i64, SnapshotId)>, LakeError> {
        self.store.read("list imports", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, snapshot FROM recurve_import
                     WHERE state = 'committed' AND snapshot > ? ORDER BY snapshot",
                )?
                .query_map([snapshot.0], |row| Ok((row.get(0)?, SnapshotId(row.get(1)?))))?
                .collect()
        })
    }

    /// The imports committed after a snapshot, and no later than another one.
    pub fn imports_between(&self, after: SnapshotId, until: SnapshotId) -> Result<HashSet<i64>, LakeError> {
        let made = self.imports_after(after)?.into_iter().filter(|(_, made)| *made <= until);
        Ok(made.map(|(import, _)| import).collect())
    }

    /// The snapshot that an import made; none when it is not committed.
    pub fn snapshot_of(&self, import: i64) -> Result<Option<SnapshotId>, LakeError> {
        self.store.read("find an import", |connection| {
            connection
                .prepare_cached("SELECT snapshot FROM recurve_import WHERE id = ? AND state = 'committed'")?
                .query_row([import], |row| row.get(0).map(SnapshotId))
                .optional()
        })
    }

    /// Refused rows of committed imports, oldest first.
    pub fn refused_rows(&self, filter: &RefusedFilter) -> Result<Vec<RefusedRow>, LakeError> {
        self.store.read("list refused rows", |connection| {
            connection
                .prepare(
                    "SELECT r.id, r.import_id, r.file, r.row, r.column_name, r.code, r.message, r.help, r.raw, s.id
                     FROM recurve_refused_row r
                     JOIN recurve_import i ON i.id = r.import_id AND i.state = 'committed'
                     LEFT JOIN recurve_import s ON s.id = r.settled_by AND s.state = 'committed'
                     WHERE (?1 IS NULL OR r.import_id = ?1) AND (?2 IS NULL OR r.code = ?2)
                       AND (?3 IS NULL OR (s.id IS NOT NULL) = ?3)
                     ORDER BY r.id LIMIT ?4",
                )?
                .query_map(
                    params![filter.import, filter.code, filter.settled, filter.limit.map_or(-1, signed)],
                    |row| {
                        Ok(RefusedRow {
                            id: row.get(0)?,
                            import: row.get(1)?,
                            file: row.get(2)?,
                            row: unsigned(row, 3)?,
                            column: row.get(4)?,
                            code: row.get(5)?,
                            message: row.get(6)?,
                            help: row.get(7)?,
                            raw: row.get(8)?,
                            settled_by: row.get(9)?,
                        })
                    },
                )?
                .collect()
        })
    }

    /// Marks refused rows as read after all by an import. It counts from the moment that import is
    /// committed, so a replay that fails leaves them waiting. Returns how many were marked.
    pub fn settle_refused(&self, ids: &[i64], import: i64) -> Result<usize, LakeError> {
        self.store.write("settle refused rows", |transaction| {
            let mut statement = transaction.prepare(
                "UPDATE recurve_refused_row SET settled_by = ?2 WHERE id = ?1 AND
                 (settled_by IS NULL OR settled_by NOT IN (SELECT id FROM recurve_import WHERE state = 'committed'))",
            )?;
            let mut settled = 0;
            for id in ids {
                settled += statement.execute([*id, import])?;
            }
            Ok(settled)
        })
    }
}

impl Import {
    /// Its number, which its facts carry in their column `import`.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The text that was saved with the last staged chunk; none when nothing was staged.
    pub fn resume_point(&self) -> Option<&str> {
        self.resume_point.as_deref()
    }

    /// Rows read so far, those before an interruption included.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Rows staged so far.
    pub fn rows_accepted(&self) -> u64 {
        self.rows_accepted
    }

    /// Rows refused so far.
    pub fn rows_refused(&self) -> u64 {
        self.rows_refused
    }

    /// A new file of a table, to be written batch by batch, on another thread if you like, and staged
    /// with [`Import::stage_files`].
    pub fn file(&self, table: &str) -> Result<FactFile, LakeError> {
        self.store.writable("write facts")?;
        let path = self.store.catalogue_path();
        let table = self.store.glance(|connection| known_table(connection, &path, table))?;
        let folder = table_folder(&self.store.files, &table.name);
        self.store.heed(FactFile::create(&folder, table))
    }

    /// Writes the batches to one file and stages it: [`Import::file`] and [`Import::stage_files`] in one.
    pub fn stage(
        &mut self,
        table: &str,
        batches: &[RecordBatch],
        resume_point: &str,
        rows_read: u64,
        refused: &[RefusedRow],
    ) -> Result<(), LakeError> {
        let mut file = self.file(table)?;
        for batch in batches {
            self.store.heed(file.write(batch))?;
        }
        let written = self.store.heed(file.finish())?;
        self.stage_files(written.into_iter().collect(), &Progress { resume_point, rows_read, refused })
    }

    /// Records files with the point that the import has reached, in one transaction. When it returns,
    /// they survive a kill and a power cut.
    pub fn stage_files(&mut self, files: Vec<WrittenFile>, progress: &Progress<'_>) -> Result<(), LakeError> {
        let id = self.id;
        let accepted: u64 = files.iter().map(|file| file.rows).sum();
        let refused = progress.refused.len() as u64;
        let staged = self.store.write_with("stage a file", |transaction| {
            let path = self.store.catalogue_path();
            note_staged(transaction, id, &files, progress, accepted)
                .map_err(|source| LakeError::catalogue("stage a file", &path, source))
        });
        match staged {
            Ok(1) => {}
            Ok(_) => {
                return Err(LakeError::Import {
                    import: id,
                    why: "was committed or abandoned meanwhile, so nothing can be staged for it. Begin a new one",
                });
            }
            Err(error) => {
                // On a full disk the room is wanted at once. Otherwise the catalogue may name the files
                // after all once it is read again, so they stay, and the next start clears the rest.
                if matches!(error, LakeError::DiskFull { .. }) {
                    for file in &files {
                        let _ = fs::remove_file(&file.path);
                    }
                }
                return Err(error);
            }
        }
        self.resume_point = Some(progress.resume_point.to_owned());
        self.rows_read += progress.rows_read;
        self.rows_accepted += accepted;
        self.rows_refused += refused;
        Ok(())
    }

    /// Makes everything staged visible at once, as a new snapshot. It is recorded at `now`, or a
    /// microsecond after the newest snapshot when the clock stands behind that.
    pub fn commit(self, now_micros: i64) -> Result<Committed, LakeError> {
        let path = self.store.catalogue_path();
        let id = self.id;
        self.store.write_with("commit an import", |transaction| commit(transaction, &path, id, now_micros))
    }

    /// Gives the import up: its staged files and refused rows are removed.
    pub fn abandon(self) -> Result<(), LakeError> {
        abandon(&self.store, self.id)
    }
}

fn abandon(store: &Store, id: i64) -> Result<(), LakeError> {
    let names: Vec<(String, String)> = store.write("abandon an import", |transaction| {
        let names = transaction
            .prepare(
                "SELECT t.table_name, f.path FROM recurve_file f JOIN ducklake_table t USING (table_id)
                 WHERE f.import_id = ? AND f.state = 'staged'",
            )?
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        transaction.execute("DELETE FROM recurve_file WHERE import_id = ? AND state = 'staged'", [id])?;
        transaction.execute("DELETE FROM recurve_refused_row WHERE import_id = ?", [id])?;
        transaction.execute("UPDATE recurve_import SET state = 'abandoned' WHERE id = ? AND state = 'open'", [id])?;
        Ok(names)
    })?;
    for (table, name) in names {
        // The catalogue has forgotten it: what cannot be removed now is cleared at the next start.
        let _ = fs::remove_file(table_folder(&store.files, &table).join(name));
    }
    Ok(())
}

/// Writes down that an import begins; its number.
fn note_import(transaction: &Transaction<'_>, request: &ImportRequest) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO recurve_import (kind, source, file_name, file_bytes, file_hash, options, state,
               started_at_micros, rows_read, rows_accepted, rows_refused)
             VALUES (?, ?, ?, ?, ?, ?, 'open', ?, 0, 0, 0)",
        )?
        .execute(params![
            request.kind,
            request.source,
            request.file_name,
            signed(request.file_bytes),
            request.file_hash,
            request.options,
            request.started_at_micros
        ])?;
    Ok(transaction.last_insert_rowid())
}

/// Writes down files and refused rows of an import that is open; how many imports that were: one.
fn note_staged(
    transaction: &Transaction<'_>,
    id: i64,
    files: &[WrittenFile],
    progress: &Progress<'_>,
    accepted: u64,
) -> rusqlite::Result<usize> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO recurve_file (import_id, table_id, path, rows, bytes, footer_bytes, row_groups, hash, bounds, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'staged')",
    )?;
    for file in files {
        let bounds = serde_json::to_string(&file.bounds)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        statement.execute(params![
            id,
            file.table_id,
            file.name,
            signed(file.rows),
            signed(file.bytes),
            file.footer_bytes,
            signed(file.row_groups as u64),
            file.hash,
            bounds
        ])?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT INTO recurve_refused_row (import_id, file, row, column_name, code, message, help, raw)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for row in progress.refused {
        statement.execute(params![
            id,
            row.file,
            signed(row.row),
            row.column,
            row.code,
            row.message,
            row.help,
            row.raw
        ])?;
    }
    transaction
        .prepare_cached(
            "UPDATE recurve_import SET resume_point = ?2, rows_read = rows_read + ?3,
               rows_accepted = rows_accepted + ?4, rows_refused = rows_refused + ?5
             WHERE id = ?1 AND state = 'open'",
        )?
        .execute(params![
            id,
            progress.resume_point,
            signed(progress.rows_read),
            signed(accepted),
            signed(progress.refused.len() as u64)
        ])
}

/// The batch with the number of its import in the column `import`.
fn of_import(batch: &RecordBatch, id: i64) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| -> ArrayRef {
        match field.name().as_str() {
            "import" => Arc::new(Int64Array::from(vec![id; batch.num_rows()])),
            _ => Arc::clone(array),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect())
}

/// A staged file as the catalogue holds it.
struct Staged {
    id: i64,
    table: i64,
    name: String,
    rows: i64,
    bytes: i64,
    footer_bytes: i64,
    bounds: String,
}

fn commit(transaction: &Transaction<'_>, path: &Path, id: i64, now_micros: i64) -> Result<Committed, LakeError> {
    let failed = |source| LakeError::catalogue("commit an import", path, source);
    let head = catalogue::head(transaction, path)?;
    let counts = transaction
        .prepare_cached(
            "SELECT rows_read, rows_accepted, rows_refused, kind, file_name FROM recurve_import
             WHERE id = ? AND state = 'open'",
        )
        .and_then(|mut statement| {
            let counts = |row: &Row<'_>| {
                Ok((
                    unsigned(row, 0)?,
                    unsigned(row, 1)?,
                    unsigned(row, 2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                ))
            };
            statement.query_row([id], counts).optional()
        })
        .map_err(failed)?;
    let Some((rows_read, rows_accepted, rows_refused, kind, file_name)) = counts else {
        return Err(LakeError::Import {
            import: id,
            why: "was committed or abandoned before. List the imports to see which",
        });
    };
    let mut next = head;
    next.snapshot += 1;
    next.time_micros = now_micros.max(head.time_micros + 1);
    let staged = transaction
        .prepare_cached(
            "SELECT id, table_id, path, rows, bytes, footer_bytes, bounds FROM recurve_file
             WHERE import_id = ? AND state = 'staged' ORDER BY id",
        )
        .and_then(|mut statement| {
            statement
                .query_map([id], |row| {
                    Ok(Staged {
                        id: row.get(0)?,
                        table: row.get(1)?,
                        name: row.get(2)?,
                        rows: row.get(3)?,
                        bytes: row.get(4)?,
                        footer_bytes: row.get(5)?,
                        bounds: row.get(6)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(failed)?;
    let mut tables: Vec<i64> = Vec::new();
    for file in &staged {
        let first_row = grow_table(transaction, file.table, file.rows, file.bytes).map_err(failed)?;
        let bounds: Vec<ColumnBounds> = serde_json::from_str(&file.bounds).map_err(|error| LakeError::Damaged {
            what: format!("the bounds of the staged file {} cannot be read: {error}", file.name),
        })?;
        add_data_file(
            transaction,
            &DataFileRow {
                id: next.next_file_id,
                table: file.table,
                snapshot: next.snapshot,
                last_snapshot: None,
                name: &file.name,
                rows: file.rows,
                bytes: file.bytes,
                footer_bytes: file.footer_bytes,
                first_row,
                bounds: &bounds,
            },
        )
        .map_err(failed)?;
        next.next_file_id += 1;
        transaction
            .prepare_cached("UPDATE recurve_file SET state = 'committed', bounds = '' WHERE id = ?")
            .and_then(|mut statement| statement.execute([file.id]))
            .map_err(failed)?;
        if !tables.contains(&file.table) {
            tables.push(file.table);
        }
    }
    let changes = tables.iter().map(|table| format!("inserted_into_table:{table}")).collect::<Vec<_>>().join(",");
    catalogue::add_snapshot(transaction, next, &changes, Some(&format!("import {id}: {kind} from {file_name}")))
        .map_err(failed)?;
    transaction
        .prepare_cached(
            "UPDATE recurve_import SET state = 'committed', recorded_at_micros = ?2, snapshot = ?3 WHERE id = ?1",
        )
        .and_then(|mut statement| statement.execute([id, next.time_micros, next.snapshot]))
        .map_err(failed)?;
    let seal = seal(transaction, id).map_err(failed)?;
    transaction
        .prepare_cached("UPDATE recurve_import SET seal = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![id, seal]))
        .map_err(failed)?;
    Ok(Committed {
        import: id,
        snapshot: SnapshotId(next.snapshot),
        recorded_at_micros: next.time_micros,
        rows_read,
        rows_accepted,
        rows_refused,
    })
}

/// Adds rows to the table's totals and returns the number of the first of them.
fn grow_table(transaction: &Transaction<'_>, table: i64, rows: i64, bytes: i64) -> rusqlite::Result<i64> {
    let grown = transaction
        .prepare_cached(
            "UPDATE ducklake_table_stats SET record_count = record_count + ?2, next_row_id = next_row_id + ?2,
               file_size_bytes = file_size_bytes + ?3
             WHERE table_id = ?1 RETURNING next_row_id - ?2",
        )?
        .query_row([table, rows, bytes], |row| row.get(0))
        .optional()?;
    match grown {
        Some(first_row) => Ok(first_row),
        None => {
            transaction
                .prepare_cached("INSERT INTO ducklake_table_stats VALUES (?1, ?2, ?2, ?3)")?
                .execute([table, rows, bytes])?;
            Ok(0)
        }
    }
}

/// A row of `ducklake_data_file` with the bounds of its columns.
pub(super) struct DataFileRow<'a> {
    pub(super) id: i64,
    pub(super) table: i64,
    pub(super) snapshot: i64,
    /// For a file merged from several: its rows say themselves since which snapshot they are there, at
    /// the latest since this one.
    pub(super) last_snapshot: Option<i64>,
    pub(super) name: &'a str,
    pub(super) rows: i64,
    pub(super) bytes: i64,
    pub(super) footer_bytes: i64,
    pub(super) first_row: i64,
    pub(super) bounds: &'a [ColumnBounds],
}

pub(super) fn add_data_file(transaction: &Transaction<'_>, file: &DataFileRow<'_>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ducklake_data_file
               VALUES (?, ?, ?, NULL, NULL, ?, 1, 'parquet', ?, ?, ?, ?, NULL, NULL, NULL, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        file.id,
        file.table,
        file.snapshot,
        file.name,
        file.rows,
        file.bytes,
        file.footer_bytes,
        file.first_row,
        file.last_snapshot
    ])?;
    for bounds in file.bounds {
        transaction
            .prepare_cached("INSERT INTO ducklake_file_column_stats VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)")?
            .execute(params![
                file.id,
                file.table,
                bounds.column,
                bounds.bytes,
                bounds.values,
                bounds.nulls,
                bounds.min,
                bounds.max
            ])?;
        // The table's own bounds stay unknown, which is always true; only whether there are nulls is kept.
        let known = transaction
            .prepare_cached(
                "UPDATE ducklake_table_column_stats SET contains_null = max(contains_null, ?3)
                 WHERE table_id = ?1 AND column_id = ?2",
            )?
            .execute([file.table, bounds.column, i64::from(bounds.nulls > 0)])?;
        if known == 0 {
            transaction
                .prepare_cached("INSERT INTO ducklake_table_column_stats VALUES (?, ?, ?, NULL, NULL, NULL, NULL)")?
                .execute([file.table, bounds.column, i64::from(bounds.nulls > 0)])?;
        }
    }
    Ok(())
}

/// The seal of an import: a hash over the seal before it and everything that was recorded of it. One
/// changed bit in any of them, however old, breaks every seal from there on.
pub(super) fn seal(connection: &Connection, id: i64) -> rusqlite::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: Option<&[u8]>| {
        // Lengths go in first, so that no two different records read the same.
        hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hasher.update(text.unwrap_or_default());
    };
    let mut add_rows = |sql: &str| -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            for position in 0..width {
                match row.get_ref(position)? {
                    rusqlite::types::ValueRef::Null => add(None),
                    rusqlite::types::ValueRef::Integer(number) => add(Some(number.to_string().as_bytes())),
                    rusqlite::types::ValueRef::Real(number) => add(Some(number.to_string().as_bytes())),
                    rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => add(Some(bytes)),
                }
            }
        }
        Ok(())
    };
    add_rows(
        "SELECT p.seal FROM recurve_import i JOIN recurve_import p ON p.snapshot < i.snapshot
         WHERE i.id = ? AND p.state = 'committed' ORDER BY p.snapshot DESC LIMIT 1",
    )?;
    add_rows(
        "SELECT id, kind, source, file_name, file_bytes, file_hash, options, started_at_micros,
           recorded_at_micros, snapshot, rows_read, rows_accepted, rows_refused
         FROM recurve_import WHERE id = ?",
    )?;
    add_rows("SELECT table_id, path, rows, bytes, hash FROM recurve_file WHERE import_id = ? ORDER BY id")?;
    add_rows(
        "SELECT id, file, row, column_name, code, message, help, raw FROM recurve_refused_row
         WHERE import_id = ? ORDER BY id",
    )?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Counters fit SQLite's integers by far; the largest stands for anything beyond.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count from the catalogue, where a negative one can only be damage.
pub(super) fn unsigned(row: &Row<'_>, position: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(position)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(position, value))
}

impl Store {
    /// One transaction; a failure that leaves the disk uncertain ends all writing.
    pub(super) fn write_with<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LakeError>,
    ) -> Result<T, LakeError> {
        let writing = self.writable(doing)?;
        let path = self.catalogue_path();
        let failed = |source| LakeError::catalogue(doing, &path, source);
        let mut connection = super::hold(&writing.connection);
        self.heed((|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let done = work(&transaction)?;
            transaction.commit().map_err(failed)?;
            Ok(done)
        })())
    }

    /// The same for work that only meets SQLite's errors.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LakeError> {
        let path = self.catalogue_path();
        self.write_with(doing, |transaction| {
            work(transaction).map_err(|source| LakeError::catalogue(doing, &path, source))
        })
    }
}
