//! Verification: is everything that the catalogue names on the disk, unchanged, and does the catalogue
//! agree with itself?

use std::fs::File;
use std::path::PathBuf;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use rusqlite::Connection;

use super::Lake;
use super::catalogue::table_folder;
use super::error::LakeError;
use super::fact_file::{FILE_PREFIX, hash_of};
use super::import::{seal, unsigned};

/// What is wrong with a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LakeFaultKind {
    /// A file that the catalogue names is not there.
    MissingFile,
    /// A file has another length than was recorded.
    WrongSize,
    /// A file has other bytes than were recorded.
    WrongHash,
    /// A file cannot be read as Parquet, or not at all.
    Unreadable,
    /// A file has another number of rows than was recorded.
    WrongRowCount,
    /// SQLite finds its own file damaged.
    CatalogueDamaged,
    /// Rows of the catalogue contradict each other.
    CatalogueContradicts,
    /// The record of an import, its files or its refused rows was changed after the commit.
    HistoryChanged,
    /// A file that nobody names. It is harmless; ours are removed at the next start.
    Orphan,
    /// Something that another program left and that is not read here.
    Foreign,
}

/// One thing that is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFault {
    /// What kind of fault it is.
    pub kind: LakeFaultKind,
    /// The file at fault.
    pub path: PathBuf,
    /// What was expected and what was found.
    pub message: String,
    /// How to mend it.
    pub help: &'static str,
}

/// A file as our own record of it says.
pub(super) struct Recorded {
    pub(super) table: String,
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) hash: String,
}

const RESTORE_FILE: &str = "Restore this file from a backup, or import its source again into a new folder";
const RESTORE_CATALOGUE: &str = "Restore catalog.sqlite from a backup together with files/";

impl Lake {
    /// Looks at every file and every record. It reads all bytes of the lake once; an empty answer means
    /// that everything is as it was written.
    pub fn verify(&self) -> Result<Vec<LakeFault>, LakeError> {
        let catalogue = self.store.catalogue_path();
        let mut faults = Vec::new();
        let damaged = self.store.read("check itself", |connection| {
            connection
                .prepare("PRAGMA integrity_check")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()
        });
        let damage = match damaged {
            Ok(lines) => lines.into_iter().filter(|line| line != "ok").collect(),
            Err(LakeError::Catalogue { source, .. }) => vec![source.to_string()],
            Err(error) => return Err(error),
        };
        for message in damage {
            faults.push(LakeFault {
                kind: LakeFaultKind::CatalogueDamaged,
                path: catalogue.clone(),
                message,
                help: RESTORE_CATALOGUE,
            });
        }
        match self.store.read("list what it recorded", recorded_files) {
            Ok(files) => {
                for file in files {
                    faults.extend(self.check_file(&file));
                }
            }
            Err(error) => faults.push(self.catalogue_fault(LakeFaultKind::CatalogueDamaged, error.to_string())),
        }
        match self.store.read("compare its records", contradictions) {
            Ok(found) => faults.extend(found.into_iter().map(|(kind, message)| self.catalogue_fault(kind, message))),
            Err(error) => faults.push(self.catalogue_fault(LakeFaultKind::CatalogueDamaged, error.to_string())),
        }
        match self.orphans() {
            Ok(orphans) => faults.extend(orphans.into_iter().map(|path| {
                let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FILE_PREFIX));
                LakeFault {
                    kind: LakeFaultKind::Orphan,
                    message: "nothing in the catalogue names this file".to_owned(),
                    help: if ours {
                        "Nothing is wrong with the facts. An import may be writing it now; else it goes away when the folder is next opened for writing"
                    } else {
                        "Nothing is wrong with the facts. Another program left it: remove it when nobody needs it"
                    },
                    path,
                }
            })),
            Err(error) => faults.push(self.catalogue_fault(LakeFaultKind::CatalogueDamaged, error.to_string())),
        }
        Ok(faults)
    }

    fn catalogue_fault(&self, kind: LakeFaultKind, message: String) -> LakeFault {
        let help = match kind {
            LakeFaultKind::Foreign => {
                "Facts come in through `recurve import` only: export these rows and import them, then remove them with the other program"
            }
            _ => RESTORE_CATALOGUE,
        };
        LakeFault { kind, path: self.store.catalogue_path(), message, help }
    }

    /// The first thing that is wrong with a file; what follows from it is not worth a line.
    pub(super) fn check_file(&self, file: &Recorded) -> Option<LakeFault> {
        let path = table_folder(&self.store.files, &file.table).join(&file.path);
        let fault = |kind, message| Some(LakeFault { kind, path: path.clone(), message, help: RESTORE_FILE });
        let open = match File::open(&path) {
            Ok(open) => open,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return fault(LakeFaultKind::MissingFile, "the catalogue names it, and it is not there".to_owned());
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, error.to_string()),
        };
        match open.metadata() {
            Ok(metadata) if metadata.len() == file.bytes => {}
            Ok(metadata) => {
                return fault(
                    LakeFaultKind::WrongSize,
                    format!("it has {} bytes, and {} were written", metadata.len(), file.bytes),
                );
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, error.to_string()),
        }
        match hash_of(&path) {
            Ok(hash) if hash == file.hash => {}
            Ok(hash) => {
                return fault(
                    LakeFaultKind::WrongHash,
                    format!("its bytes were changed: its hash is {hash}, and {} was written", file.hash),
                );
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, error.to_string()),
        }
        match ArrowReaderMetadata::load(&open, ArrowReaderOptions::new()) {
            Ok(metadata) => {
                let rows = metadata.metadata().file_metadata().num_rows();
                if u64::try_from(rows) == Ok(file.rows) {
                    None
                } else {
                    fault(LakeFaultKind::WrongRowCount, format!("it has {rows} rows, and {} were written", file.rows))
                }
            }
            Err(error) => fault(LakeFaultKind::Unreadable, error.to_string()),
        }
    }
}

fn recorded_files(connection: &Connection) -> rusqlite::Result<Vec<Recorded>> {
    connection
        .prepare(
            "SELECT t.table_name, f.path, f.rows, f.bytes, f.hash
             FROM recurve_file f JOIN ducklake_table t USING (table_id)
             WHERE f.state IN ('staged', 'committed') ORDER BY f.id",
        )?
        .query_map([], |row| {
            Ok(Recorded {
                table: row.get(0)?,
                path: row.get(1)?,
                rows: unsigned(row, 2)?,
                bytes: unsigned(row, 3)?,
                hash: row.get(4)?,
            })
        })?
        .collect()
}

fn contradictions(connection: &Connection) -> rusqlite::Result<Vec<(LakeFaultKind, String)>> {
    use LakeFaultKind::{CatalogueContradicts, Foreign, HistoryChanged};
    // Each statement answers with one text for each thing that is wrong.
    let checks = [
        (
            CatalogueContradicts,
            "SELECT 'the file ' || r.path || ' was committed with ' || r.rows || ' rows in ' || r.bytes ||
                    ' bytes, and DuckLake''s table of files says otherwise or nothing'
             FROM recurve_file r LEFT JOIN ducklake_data_file f
               ON f.path = r.path AND f.table_id = r.table_id AND f.record_count = r.rows
               AND f.file_size_bytes = r.bytes AND f.footer_size = r.footer_bytes AND f.end_snapshot IS NULL
             WHERE r.state = 'committed' AND f.data_file_id IS NULL",
        ),
        (
            CatalogueContradicts,
            "SELECT 'the file ' || r.path || ' of import ' || i.id || ' belongs to snapshot ' || i.snapshot ||
                    ', and DuckLake''s table of files says ' || f.begin_snapshot
             FROM recurve_file r JOIN recurve_import i ON i.id = r.import_id
             JOIN ducklake_data_file f ON f.path = r.path
             WHERE r.state = 'committed' AND f.begin_snapshot <> i.snapshot",
        ),
        (
            CatalogueContradicts,
            "SELECT 'import ' || i.id || ' accepted ' || i.rows_accepted || ' rows, and its files hold ' ||
                    coalesce(sum(r.rows), 0)
             FROM recurve_import i LEFT JOIN recurve_file r ON r.import_id = i.id
             WHERE i.state IN ('committed', 'open') GROUP BY i.id HAVING i.rows_accepted <> coalesce(sum(r.rows), 0)",
        ),
        (
            CatalogueContradicts,
            "SELECT 'import ' || i.id || ' refused ' || i.rows_refused || ' rows, and ' || count(r.id) || ' are kept'
             FROM recurve_import i LEFT JOIN recurve_refused_row r ON r.import_id = i.id
             WHERE i.state IN ('committed', 'open') GROUP BY i.id HAVING i.rows_refused <> count(r.id)",
        ),
        (
            CatalogueContradicts,
            "SELECT 'the table ' || t.table_name || ' has ' || s.record_count || ' rows, and its files hold ' ||
                    coalesce(sum(f.record_count), 0)
             FROM ducklake_table t JOIN ducklake_table_stats s USING (table_id)
             LEFT JOIN ducklake_data_file f ON f.table_id = t.table_id AND f.end_snapshot IS NULL
             GROUP BY t.table_id HAVING s.record_count <> coalesce(sum(f.record_count), 0)",
        ),
        (
            CatalogueContradicts,
            "SELECT 'import ' || i.id || ' made snapshot ' || i.snapshot || ', which is not there'
             FROM recurve_import i LEFT JOIN ducklake_snapshot s ON s.snapshot_id = i.snapshot
             WHERE i.state = 'committed' AND s.snapshot_id IS NULL",
        ),
        (
            Foreign,
            "SELECT 'rows of the table ' || t.table_name || ' were deleted by another program'
             FROM ducklake_delete_file d JOIN ducklake_table t USING (table_id) GROUP BY t.table_id",
        ),
        (
            Foreign,
            "SELECT 'the table ' || t.table_name || ' holds the file ' || f.path || ' of another program'
             FROM ducklake_data_file f JOIN ducklake_table t USING (table_id)
             LEFT JOIN recurve_file r ON r.path = f.path WHERE r.id IS NULL",
        ),
        (
            Foreign,
            "SELECT 'the table ' || t.table_name || ' holds rows inside the catalogue, which are not read here'
             FROM ducklake_inlined_data_tables d JOIN ducklake_table t USING (table_id) GROUP BY t.table_id",
        ),
    ];
    let mut found = Vec::new();
    for (kind, sql) in checks {
        let mut statement = connection.prepare(sql)?;
        for message in statement.query_map([], |row| row.get::<_, String>(0))? {
            found.push((kind, message?));
        }
    }
    let mut statement =
        connection.prepare("SELECT id, seal FROM recurve_import WHERE state = 'committed' ORDER BY snapshot")?;
    let imports = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)))?;
    for import in imports {
        let (id, sealed) = import?;
        if sealed.as_deref() != Some(&seal(connection, id)?) {
            found.push((
                HistoryChanged,
                format!(
                    "import {id} was sealed when it was committed, and the seal no longer fits what is recorded of it"
                ),
            ));
        }
    }
    Ok(found)
}
