//! Verification: is everything that the catalogue names on the disk, unchanged, and does the catalogue
//! agree with itself?

use std::fs::File;
use std::path::PathBuf;

use outlook::wording::Words;
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
    pub message: Words,
    /// How to mend it.
    pub help: Words,
}

/// A file as our own record of it says.
pub(super) struct Recorded {
    pub(super) table: String,
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) hash: String,
}

const RESTORE_FILE: Words = Words::fixed(
    "Restore this file from a backup, or import its source again into a new folder",
    "从备份恢复此文件，或将其来源重新导入到新的文件夹",
    "Restaurez ce fichier depuis une sauvegarde, ou importez de nouveau sa source dans un nouveau dossier",
);
const RESTORE_CATALOGUE: Words = Words::fixed(
    "Restore catalog.sqlite from a backup together with files/",
    "从备份中将 catalog.sqlite 与 files/ 一并恢复",
    "Restaurez catalog.sqlite depuis une sauvegarde, avec files/",
);
const NOT_THERE: Words = Words::fixed(
    "the catalogue names it, and it is not there",
    "目录中有它，但文件不存在",
    "le catalogue le nomme, et il n’est pas là",
);
const OTHER_SIZE: Words = Words::fixed(
    "it has {found} bytes, and {written} were written",
    "它有 {found} 字节，而写入的是 {written} 字节",
    "il a {found} octets, et {written} furent écrits",
);
const OTHER_BYTES: Words = Words::fixed(
    "its bytes were changed: its hash is {found}, and {written} was written",
    "其内容被改动：哈希为 {found}，而写入的是 {written}",
    "ses octets ont changé : son empreinte est {found}, et {written} fut écrite",
);
const OTHER_ROWS: Words = Words::fixed(
    "it has {found} rows, and {written} were written",
    "它有 {found} 行，而写入的是 {written} 行",
    "il a {found} lignes, et {written} furent écrites",
);
const NOT_NAMED: Words = Words::fixed(
    "nothing in the catalogue names this file",
    "目录中没有此文件",
    "rien dans le catalogue ne nomme ce fichier",
);
const OUR_ORPHAN: Words = Words::fixed(
    "Nothing is wrong with the facts. An import may be writing it now; else it goes away when the folder is next opened for writing",
    "事实没有问题。可能有导入正在写入它；否则下次以写入方式打开文件夹时它会被移除",
    "Les faits sont intacts. Un import l’écrit peut-être en ce moment ; sinon il disparaît à la prochaine ouverture du dossier en écriture",
);
const FOREIGN_ORPHAN: Words = Words::fixed(
    "Nothing is wrong with the facts. Another program left it: remove it when nobody needs it",
    "事实没有问题。它是其他程序留下的：确认无人需要后即可移除",
    "Les faits sont intacts. Un autre programme l’a laissé : retirez-le quand personne n’en a besoin",
);
const IMPORT_ONLY: Words = Words::fixed(
    "Facts come in through `recurve import` only: export these rows and import them, then remove them with the other program",
    "事实只能通过 `recurve import` 进入：请导出这些行并导入，然后用该程序将其移除",
    "Les faits n’entrent que par `recurve import` : exportez ces lignes et importez-les, puis retirez-les avec l’autre programme",
);

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
                message: Words::alike(message),
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
                    message: NOT_NAMED,
                    help: if ours { OUR_ORPHAN } else { FOREIGN_ORPHAN },
                    path,
                }
            })),
            Err(error) => faults.push(self.catalogue_fault(LakeFaultKind::CatalogueDamaged, error.to_string())),
        }
        Ok(faults)
    }

    fn catalogue_fault(&self, kind: LakeFaultKind, message: String) -> LakeFault {
        let help = match kind {
            LakeFaultKind::Foreign => IMPORT_ONLY,
            _ => RESTORE_CATALOGUE,
        };
        LakeFault { kind, path: self.store.catalogue_path(), message: Words::alike(message), help }
    }

    /// The first thing that is wrong with a file; what follows from it is not worth a line.
    pub(super) fn check_file(&self, file: &Recorded) -> Option<LakeFault> {
        let path = table_folder(&self.store.files, &file.table).join(&file.path);
        let unreadable = |error: &dyn std::fmt::Display| Words::alike(error.to_string());
        let other = |words: Words, found: String, written: String| {
            words.with("{found}", || found).with("{written}", || written)
        };
        let fault = |kind, message| Some(LakeFault { kind, path: path.clone(), message, help: RESTORE_FILE });
        let open = match File::open(&path) {
            Ok(open) => open,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return fault(LakeFaultKind::MissingFile, NOT_THERE);
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, unreadable(&error)),
        };
        match open.metadata() {
            Ok(metadata) if metadata.len() == file.bytes => {}
            Ok(metadata) => {
                return fault(
                    LakeFaultKind::WrongSize,
                    other(OTHER_SIZE, metadata.len().to_string(), file.bytes.to_string()),
                );
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, unreadable(&error)),
        }
        match hash_of(&path) {
            Ok(hash) if hash == file.hash => {}
            Ok(hash) => {
                return fault(LakeFaultKind::WrongHash, other(OTHER_BYTES, hash, file.hash.clone()));
            }
            Err(error) => return fault(LakeFaultKind::Unreadable, unreadable(&error)),
        }
        match ArrowReaderMetadata::load(&open, ArrowReaderOptions::new()) {
            Ok(metadata) => {
                let rows = metadata.metadata().file_metadata().num_rows();
                if u64::try_from(rows) == Ok(file.rows) {
                    None
                } else {
                    fault(LakeFaultKind::WrongRowCount, other(OTHER_ROWS, rows.to_string(), file.rows.to_string()))
                }
            }
            Err(error) => fault(LakeFaultKind::Unreadable, unreadable(&error)),
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
