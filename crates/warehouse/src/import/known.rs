//! What was last said of each fact: an index beside the lake, by which a fact that is stated again is known at once.
//!
//! It is no second truth. It holds nothing but hashes of what the lake holds, says up to which snapshot it has read, and
//! reads on from there before each use. Removed, or laid beside another lake, it is made again. Only facts of sources
//! that state row by row are in it: files of other sources may be as long as they like.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use super::ImportError;
use super::withdrawal::{Identity, contents, fault, identities};
use crate::kind::Kind;
use crate::lake::{Among, Lake, LakeError, SnapshotId, keep_plans};

/// Its file in the data folder.
const FILE: &str = "stated.sqlite";
/// How long it is waited for another process that makes it, and how often it is tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);
/// The version of its tables; one of another version is made again.
const VERSION: i64 = 1;
const TABLES: &str = "
CREATE TABLE progress(snapshot INTEGER NOT NULL, recorded_at_micros INTEGER NOT NULL);
CREATE TABLE source(kind TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (kind, source)) WITHOUT ROWID;
CREATE TABLE fact(
  identity BLOB PRIMARY KEY, content BLOB NOT NULL, import_id INTEGER NOT NULL, is_withdrawn INTEGER NOT NULL
) WITHOUT ROWID;";

/// What was last said of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// The hash of what was said.
    pub(super) content: Identity,
    /// The import that first said it so.
    pub(super) import: i64,
    /// Whether it was withdrawn.
    pub(super) is_withdrawn: bool,
}

/// The index.
pub(super) struct Known {
    connection: Connection,
    path: PathBuf,
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl Known {
    /// Opens the index of a data folder. A damaged one is removed and begun anew.
    pub(super) fn open(folder: &Path) -> Result<Self, ImportError> {
        let path = folder.join(FILE);
        let begun = Instant::now();
        let opened = loop {
            match Self::open_file(&path) {
                // Another process is just making it: SQLite does not always wait by itself for that.
                Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => std::thread::sleep(AGAIN),
                opened => break opened,
            }
        };
        match opened {
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) =>
            {
                remove(&path);
                Self::open_file(&path)
            }
            opened => opened,
        }
        .map(|connection| Self { connection, path: path.clone() })
        .map_err(|source| LakeError::catalogue("be opened", &path, source).into())
    }

    /// Removes the index of a data folder.
    pub(super) fn remove(folder: &Path) {
        remove(&folder.join(FILE));
    }

    fn open_file(path: &Path) -> rusqlite::Result<Connection> {
        let mut connection = Connection::open(path)?;
        keep_plans(&connection)?;
        // Only the lake must be durable. A tail that is lost with the power is read again from there.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // In KiB, as SQLite has it. A server keeps it open for ever, and the system keeps what is not kept here.
        connection.pragma_update(None, "cache_size", -4_000)?;
        let version =
            |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        if version(&connection)? == VERSION {
            return Ok(connection);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have made it meanwhile.
        if version(&transaction)? != VERSION {
            transaction.execute_batch(
                "DROP TABLE IF EXISTS progress; DROP TABLE IF EXISTS source; DROP TABLE IF EXISTS fact;",
            )?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        Ok(connection)
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> ImportError + use<> {
        let path = self.path.clone();
        move |source| LakeError::catalogue("look up facts", &path, source).into()
    }

    /// Reads on to the newest snapshot, and takes in sources that were not looked after before. The caller sees to it
    /// that nobody writes meanwhile.
    pub(super) fn catch_up(
        &mut self,
        lake: &Lake,
        wanted: &HashSet<(&'static str, String)>,
    ) -> Result<(), ImportError> {
        let failed = self.failed();
        let (head, head_micros) = lake.newest_snapshot()?;
        let progress: Option<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT snapshot, recorded_at_micros FROM progress")
            .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(&failed)?;
        let known: HashSet<(String, String)> = self
            .connection
            .prepare_cached("SELECT kind, source FROM source")
            .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map_err(&failed)?;
        // The same number with another time is the snapshot of another lake, or of one that was restored.
        let is_of_this_lake = match progress {
            None => false,
            Some((snapshot, micros)) => lake.recorded_at(SnapshotId(snapshot))? == Some(micros),
        };
        let is_new =
            |pair: &&(&'static str, String)| !is_of_this_lake || !known.contains(&(pair.0.to_owned(), pair.1.clone()));
        let new: Vec<&(&'static str, String)> = wanted.iter().filter(is_new).collect();
        if is_of_this_lake && new.is_empty() && progress == Some((head.0, head_micros)) {
            return Ok(());
        }
        let transaction = self.connection.transaction().map_err(&failed)?;
        if !is_of_this_lake {
            transaction
                .execute_batch("DELETE FROM progress; DELETE FROM source; DELETE FROM fact;")
                .map_err(&failed)?;
        } else if let Some((snapshot, _)) = progress.filter(|progress| progress.0 != head.0) {
            let after = SnapshotId(snapshot);
            let imports: HashSet<i64> = lake.imports_after(after)?.into_iter().map(|(import, _)| import).collect();
            let mut sources: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
            for (kind, source) in &known {
                sources.entry(kind).or_default().insert(source);
            }
            for (kind, sources) in sources {
                let Some(kind) = Kind::parse(kind).filter(|_| !imports.is_empty()) else { continue };
                let among = Among { after: Some(after), ..Among::default() };
                let is_meant = |source: &str, import: i64| sources.contains(source) && imports.contains(&import);
                read_on(&transaction, lake, kind, &among, &is_meant, &failed)?;
            }
        }
        let tables = lake.tables()?;
        for (kind, source) in new {
            if let Some(kind) = Kind::parse(kind).filter(|kind| tables.iter().any(|table| table == kind.table)) {
                let among = Among { source: Some(source), ..Among::default() };
                read_on(&transaction, lake, kind, &among, &|of, _| of == source, &failed)?;
            }
            transaction
                .execute("INSERT OR IGNORE INTO source VALUES (?, ?)", params![kind, source])
                .map_err(&failed)?;
        }
        note_progress(&transaction, head, head_micros).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// What was last said of a fact.
    pub(super) fn of(&self, kind: &Kind, identity: &Identity) -> Result<Option<Said>, ImportError> {
        self.connection
            .prepare_cached("SELECT content, import_id, is_withdrawn FROM fact WHERE identity = ?")
            .and_then(|mut statement| {
                let said = |row: &rusqlite::Row<'_>| {
                    Ok(Said { content: row.get(0)?, import: row.get(1)?, is_withdrawn: row.get(2)? })
                };
                statement.query_row([place(kind, identity)], said).optional()
            })
            .map_err(self.failed())
    }

    /// Takes in what was committed after [`Known::catch_up`] and under the same turn. Where somebody else has gone on since, the
    /// index is as old again as this commit, and reads on from there.
    pub(super) fn take(
        &mut self,
        said: &[(&'static Kind, Identity, Said)],
        (snapshot, recorded_at_micros): (SnapshotId, i64),
    ) -> Result<(), ImportError> {
        let failed = self.failed();
        let transaction = self.connection.transaction().map_err(&failed)?;
        for (kind, identity, said) in said {
            put(&transaction, kind, identity, said).map_err(&failed)?;
        }
        note_progress(&transaction, snapshot, recorded_at_micros).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}

/// Removes the index and what SQLite keeps beside it; what is not there is removed already.
fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}

fn note_progress(transaction: &Transaction<'_>, snapshot: SnapshotId, micros: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM progress")?.execute([])?;
    transaction.prepare_cached("INSERT INTO progress VALUES (?, ?)")?.execute([snapshot.0, micros])?;
    Ok(())
}

/// Facts of two kinds may have equal keys, so that the kind is a part of where a fact stands.
fn place(kind: &Kind, identity: &Identity) -> Identity {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.table.as_bytes());
    hasher.update(identity);
    let mut place = [0; 16];
    place.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
    place
}

/// Writes down what is said of a fact. The same content again is the version that there was.
fn put(transaction: &Transaction<'_>, kind: &Kind, identity: &Identity, said: &Said) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO fact VALUES (?1, ?2, ?3, ?4) ON CONFLICT (identity) DO UPDATE
             SET content = ?2, import_id = ?3, is_withdrawn = ?4 WHERE content <> ?2",
        )?
        .execute(params![place(kind, identity), said.content, said.import, said.is_withdrawn])?;
    Ok(())
}

/// Reads rows of the lake into the index, in the order of their recording.
fn read_on(
    transaction: &Transaction<'_>,
    lake: &Lake,
    kind: &'static Kind,
    among: &Among<'_>,
    is_meant: &dyn Fn(&str, i64) -> bool,
    failed: &dyn Fn(rusqlite::Error) -> ImportError,
) -> Result<(), ImportError> {
    let wrong =
        |name: &str| fault(arrow::error::ArrowError::SchemaError(format!("the column {name} is of another type")));
    for batch in lake.read_among(kind.table, &[], None, among)? {
        let batch = batch?;
        let sources = batch.column_by_name("source").and_then(|array| array.as_string_opt::<i32>());
        let imports = batch.column_by_name("import").and_then(|array| array.as_primitive_opt::<Int64Type>());
        let withdrawn = batch.column_by_name("withdrawn").and_then(|array| array.as_boolean_opt());
        let sources = sources.ok_or_else(|| wrong("source"))?;
        let imports = imports.ok_or_else(|| wrong("import"))?;
        let withdrawn = withdrawn.ok_or_else(|| wrong("withdrawn"))?;
        let meant: Vec<bool> =
            (0..batch.num_rows()).map(|row| is_meant(sources.value(row), imports.value(row))).collect();
        if !meant.contains(&true) {
            continue;
        }
        let identities = identities(kind, &batch).map_err(fault)?;
        let contents = contents(kind, &batch).map_err(fault)?;
        for (row, (identity, content)) in identities.iter().zip(contents).enumerate() {
            if meant.get(row) == Some(&true) {
                let said = Said { content, import: imports.value(row), is_withdrawn: withdrawn.value(row) };
                put(transaction, kind, identity, &said).map_err(failed)?;
            }
        }
    }
    Ok(())
}
