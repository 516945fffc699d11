//! The lake: facts on disk, for ever, in an open format.
//!
//! A data folder holds `catalog.sqlite`, the catalogue of a DuckLake 1.0 lake, and `files/`, the
//! Parquet files that it names. DuckDB reads both as they are. Facts are only added: an import stages
//! file after file, each durable when the call returns, and one transaction makes all of them visible
//! as a new snapshot. What was known at a time is the snapshot that was the newest then, so a report
//! as known at a time never changes, whatever arrives later.
//!
//! ```text
//! begin_import ─▶ stage (file synced, then recorded with the resume point) ─▶ … ─▶ commit ─▶ snapshot
//!                   └── killed here: resumable_import goes on from the last resume point
//! ```
//!
//! One process writes at a time, under a lock that dies with it; any number read, without locks. A server takes the
//! lock only while it commits. After a write
//! that failed and leaves the disk uncertain, the lake refuses to write until it is opened again.

mod catalogue;
mod column;
mod compact;

mod error;
mod fact_file;
mod import;
mod scan;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::{Field, Schema, SchemaRef};
use rusqlite::{Connection, OptionalExtension};

pub use catalogue::keep_plans;
pub use compact::Compacted;
pub use error::LakeError;
pub use fact_file::{FactFile, WrittenFile};
pub use import::{
    Committed, Import, ImportRecord, ImportRequest, ImportsOfKind, InterruptedImport, Progress, RecordedRows,
    RefusedFilter, RefusedRow,
};
pub use scan::{Among, DataFile, Part, PartRows, Rows};
pub use verify::{LakeFault, LakeFaultKind};

use catalogue::{CATALOGUE_FILE, FILES_FOLDER, head, make_folder};
use column::{Column, ducklake_type};
use fact_file::FILE_PREFIX;

/// The file whose lock the one writer holds.
const LOCK_FILE: &str = "write.lock";
/// The file whose lock the one holds who writes next. Without it whoever has just had a turn would mostly have the next one
/// too, since all others only look now and then.
const NEXT_FILE: &str = "next.lock";
/// What stands behind the process in the file of the lock where it holds the lock for turns.
const IN_TURNS: &str = "in turns";

/// What an opened lake is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only, which needs no lock and waits for nobody.
    Read,
    /// Writing too, which only one process may at a time.
    Write,
    /// Writing too, but only while it is this process's turn ([`Lake::turn`]), so that others come in between.
    InTurns,
}

/// The version of the data: what is known. It grows with every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub i64);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An opened data folder. Clones share it, across threads too; the last one closes it.
#[derive(Clone)]
pub struct Lake {
    store: Arc<Store>,
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("folder", &self.store.folder)
            .field("writing", &self.store.writing.is_some())
            .finish()
    }
}

struct Store {
    folder: PathBuf,
    files: PathBuf,
    /// Readers in this process share one connection: they only list files with it.
    reading: Mutex<Connection>,
    writing: Option<Writing>,
    /// Why writing ended, once it has.
    broken: OnceLock<String>,
}

struct Writing {
    connection: Mutex<Connection>,
    /// Imports that somebody in this process works on.
    claimed: Mutex<BTreeSet<i64>>,
    /// The lock lives as long as this handle, and no longer than the process.
    lock: Mutex<File>,
    /// Whether the lock is held only during turns.
    is_in_turns: bool,
    /// Whether the lock is held.
    is_held: AtomicBool,
}

/// The time during which this process alone may write.
#[must_use = "the turn ends when this is dropped"]
pub struct Turn<'a> {
    held: Option<(MutexGuard<'a, File>, &'a AtomicBool)>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((file, is_held)) = &self.held {
            is_held.store(false, Ordering::Release);
            // A lock that cannot be let go of ends with the process; others then say whose it is.
            let _ = file.unlock();
        }
    }
}

/// How long whoever opens a folder for writing waits for another process. Whoever imports a file holds the folder for long,
/// and the second one is told so within a second.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long they wait where the other writes in turns, which are short, and shared fairly: on a machine that is very busy a
/// turn may take seconds all the same.
const TURN_PATIENCE: Duration = Duration::from_secs(30);
/// How often the lock is tried meanwhile.
const TRY_EVERY: Duration = Duration::from_millis(4);

/// A thread that died while it held a lock left nothing half done behind: transactions roll back.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lake {
    /// Opens a data folder. For writing it is created when it is not there; for reading it must be.
    pub fn create_or_open(folder: &Path, access: Access) -> Result<Self, LakeError> {
        match access {
            Access::Read => Self::open_for_reading(folder),
            Access::Write | Access::InTurns => {
                make_folder(folder)?;
                Self::open_for_writing(folder, access == Access::InTurns)
            }
        }
    }

    /// Opens a data folder that is there.
    pub fn open(folder: &Path, access: Access) -> Result<Self, LakeError> {
        if !folder.join(CATALOGUE_FILE).is_file() {
            return Err(LakeError::Missing { folder: folder.to_path_buf() });
        }
        match access {
            Access::Read => Self::open_for_reading(folder),
            Access::Write | Access::InTurns => Self::open_for_writing(folder, access == Access::InTurns),
        }
    }

    fn open_for_reading(folder: &Path) -> Result<Self, LakeError> {
        let catalogue = folder.join(CATALOGUE_FILE);
        if !catalogue.is_file() {
            return Err(LakeError::Missing { folder: folder.to_path_buf() });
        }
        let folder = whole_path(folder)?;
        let reading = catalogue::open_for_reading(&folder.join(CATALOGUE_FILE), &folder)?;
        Ok(Self {
            store: Arc::new(Store {
                files: folder.join(FILES_FOLDER),
                folder,
                reading: Mutex::new(reading),
                writing: None,
                broken: OnceLock::new(),
            }),
        })
    }

    fn open_for_writing(folder: &Path, is_in_turns: bool) -> Result<Self, LakeError> {
        let folder = whole_path(folder)?;
        let path = folder.join(LOCK_FILE);
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| LakeError::io("lock", &path, source))?;
        take_lock(&mut lock, &folder, if is_in_turns { TURN_PATIENCE } else { PATIENCE }, is_in_turns)?;
        let files = folder.join(FILES_FOLDER);
        make_folder(&files)?;
        let path = folder.join(CATALOGUE_FILE);
        let connection = catalogue::open_for_writing(&path, &files)?;
        catalogue::sync_folder(&folder)?;
        let reading = catalogue::open_for_reading(&path, &folder)?;
        let lake = Self {
            store: Arc::new(Store {
                folder,
                files,
                reading: Mutex::new(reading),
                writing: Some(Writing {
                    connection: Mutex::new(connection),
                    claimed: Mutex::new(BTreeSet::new()),
                    lock: Mutex::new(lock),
                    is_in_turns,
                    is_held: AtomicBool::new(true),
                }),
                broken: OnceLock::new(),
            }),
        };

        lake.remove_merged_files(true)?;
        lake.remove_orphans()?;
        if let Some(writing) = lake.store.writing.as_ref().filter(|writing| writing.is_in_turns) {
            drop(Turn { held: Some((hold(&writing.lock), &writing.is_held)) });
        }
        Ok(lake)
    }

    /// Waits until nobody else writes to the folder, at most as long as `patience`, and lets nobody else write until the
    /// turn is dropped. A lake that was opened with [`Access::Write`] has the turn all the time.
    ///
    /// # Errors
    /// When another process writes for longer, or the lake was opened for reading.
    pub fn turn(&self, patience: Duration) -> Result<Turn<'_>, LakeError> {
        let writing = self.store.writer("take a turn at writing")?;
        if !writing.is_in_turns {
            return Ok(Turn { held: None });
        }
        let mut file = hold(&writing.lock);
        take_lock(&mut file, &self.store.folder, patience, true)?;
        writing.is_held.store(true, Ordering::Release);
        Ok(Turn { held: Some((file, &writing.is_held)) })
    }

    /// Why nothing is written any more, once a write failed in a way that leaves the disk uncertain.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.store.broken.get().map(String::as_str)
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.store.folder
    }

    /// The names of the tables.
    pub fn tables(&self) -> Result<Vec<String>, LakeError> {
        let path = self.store.catalogue_path();
        self.store.glance(|connection| catalogue::table_names(connection, &path))
    }

    /// The schema of a table; none when there is no such table.
    pub fn table_schema(&self, name: &str) -> Result<Option<SchemaRef>, LakeError> {
        let path = self.store.catalogue_path();
        let table = self.store.glance(|connection| catalogue::table(connection, &path, name))?;
        Ok(table.map(|table| Arc::new(Schema::new(table.columns.iter().map(Column::field).collect::<Vec<_>>()))))
    }

    /// Makes sure that a table with this schema is there. A table that is there gains the columns that it
    /// lacks, which must be nullable; any other difference is an error and changes nothing.
    pub fn define_table(&self, name: &str, schema: &Schema) -> Result<(), LakeError> {
        let path = self.store.catalogue_path();
        let shape = |what: String, why: String| LakeError::Shape { table: name.to_owned(), what, why };
        if !plain_name(name) {
            return Err(shape(
                "the name".to_owned(),
                "a table is named with small letters, digits and underscores, 63 at the most, a letter first"
                    .to_owned(),
            ));
        }
        // Most calls find the table as it should be, and then nothing is locked or written.
        let known = self.store.glance(|connection| catalogue::table(connection, &path, name))?;
        if known.is_some_and(|table| missing_columns(name, &table.columns, schema).is_ok_and(|new| new.is_empty())) {
            return Ok(());
        }
        self.store.write_with("define a table", |transaction| {
            let known = catalogue::table(transaction, &path, name)?;
            let columns = known.as_ref().map_or(&[][..], |table| &table.columns);
            let fields = missing_columns(name, columns, schema)?;
            if fields.is_empty() && known.is_some() {
                return Ok(());
            }
            if fields.is_empty() {
                return Err(shape("the schema".to_owned(), "it has no columns. Give it at least one".to_owned()));
            }
            let mut next = columns.iter().map(|column| column.id).max().unwrap_or(0);
            let added: Vec<Column> = fields
                .into_iter()
                .map(|field| {
                    next += 1;
                    Column {
                        id: next,
                        name: field.name().clone(),
                        data_type: field.data_type().clone(),
                        nullable: field.is_nullable(),
                    }
                })
                .collect();
            let head = head(transaction, &path)?;
            catalogue::add_columns(transaction, head, name, known.map(|table| table.id), &added)
                .map_err(|source| LakeError::catalogue("define a table", &path, source))
        })
    }

    /// A value of the application's own settings.
    pub fn setting(&self, key: &str) -> Result<Option<String>, LakeError> {
        self.store.read("read a setting", |connection| {
            connection.query_row("SELECT value FROM recurve_setting WHERE key = ?", [key], |row| row.get(0)).optional()
        })
    }

    /// Sets a value of the application's own settings. Keys that begin with `lake.` are the lake's.
    pub fn set_setting(&self, key: &str, value: &str) -> Result<(), LakeError> {
        self.store.write("write a setting", |transaction| {
            transaction.execute(
                "INSERT INTO recurve_setting VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                [key, value],
            )?;
            Ok(())
        })
    }

    /// Every setting whose key begins with a prefix, by key.
    pub fn settings(&self, prefix: &str) -> Result<Vec<(String, String)>, LakeError> {
        self.store.read("list settings", |connection| {
            connection
                .prepare("SELECT key, value FROM recurve_setting WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key")?
                .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Removes a setting; true when it was there.
    pub fn remove_setting(&self, key: &str) -> Result<bool, LakeError> {
        self.store.write("remove a setting", |transaction| {
            Ok(transaction.execute("DELETE FROM recurve_setting WHERE key = ?", [key])? > 0)
        })
    }

    /// Removes our Parquet files that neither the catalogue nor a staged import names: a crash left
    /// them between writing and recording. Files of other programs are let alone.
    fn remove_orphans(&self) -> Result<(), LakeError> {
        for path in self.orphans()? {
            let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FILE_PREFIX));
            if ours {
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(LakeError::io("remove the unfinished file", &path, source));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Files in the folder of the facts that the catalogue does not name.
    fn orphans(&self) -> Result<Vec<PathBuf>, LakeError> {
        let named: BTreeSet<String> = self.store.read("name its files", |connection| {
            connection
                .prepare(
                    "SELECT path FROM ducklake_data_file UNION SELECT path FROM ducklake_delete_file
                     UNION SELECT path FROM recurve_file WHERE state = 'staged'
                     UNION SELECT path FROM ducklake_files_scheduled_for_deletion",
                )?
                .query_map([], |row| {
                    let path: String = row.get(0)?;
                    Ok(path.rsplit('/').next().unwrap_or(&path).to_owned())
                })?
                .collect()
        })?;
        let mut orphans = Vec::new();
        let mut folders = vec![self.store.files.clone()];
        while let Some(folder) = folders.pop() {
            let failed = |source| LakeError::io("list the folder", &folder, source);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(entry.path());
                } else if !named.contains(&*entry.file_name().to_string_lossy()) {
                    orphans.push(entry.path());
                }
            }
        }
        orphans.sort();
        Ok(orphans)
    }
}

/// The folder's path from the root, links followed.
fn whole_path(folder: &Path) -> Result<PathBuf, LakeError> {
    fs::canonicalize(folder).map_err(|source| LakeError::io("find the folder", folder, source))
}

/// Takes the one writer's lock: whoever came first gets it next. The system lets it go when the process ends, however it
/// ends, so the file of a killed process is no obstacle.
fn take_lock(file: &mut File, folder: &Path, patience: Duration, is_in_turns: bool) -> Result<(), LakeError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| LakeError::io("lock", &path, source);
    // On a full disk the file may not come to be: then it goes on without an order.
    let next = File::options().write(true).create(true).truncate(false).open(folder.join(NEXT_FILE)).ok();
    let mut is_next = false;
    let begun = Instant::now();
    loop {
        is_next = is_next
            || match next.as_ref().map(File::try_lock) {
                Some(Err(TryLockError::WouldBlock)) => false,
                None | Some(Ok(()) | Err(TryLockError::Error(_))) => true,
            };
        if is_next {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        if begun.elapsed() >= patience {
            let mut holder = String::new();
            // Who holds it is for the message, and for how long it is worth waiting.
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
            let (pid, manner) = holder.trim().split_once(' ').unwrap_or((holder.trim(), ""));
            if is_in_turns || manner != IN_TURNS || begun.elapsed() >= TURN_PATIENCE {
                return Err(LakeError::Locked {
                    folder: folder.to_path_buf(),
                    pid: if pid.is_empty() { "unknown".to_owned() } else { pid.to_owned() },
                });
            }
        }
        std::thread::sleep(TRY_EVERY);
    }
    let mut holder = std::process::id().to_string();
    if is_in_turns {
        holder = format!("{holder} {IN_TURNS}");
    }
    // On a full disk the lock is held all the same.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{holder}"));
    Ok(())
}

/// Names that need no quotes anywhere: in SQL, in a path, in a URL.
fn plain_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The fields that a table lacks, or why the schema does not fit it.
fn missing_columns<'a>(table: &str, columns: &[Column], schema: &'a Schema) -> Result<Vec<&'a Field>, LakeError> {
    let shape = |column: &str, why: String| LakeError::Shape {
        table: table.to_owned(),
        what: format!("the column {column}"),
        why,
    };
    let mut missing: Vec<&Field> = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        match columns.iter().find(|column| column.name == *name) {
            Some(known) if known.data_type != *field.data_type() => {
                return Err(shape(
                    name,
                    format!(
                        "it is {} there and {} here. Give it the type that it has, or a new name",
                        known.data_type,
                        field.data_type()
                    ),
                ));
            }
            Some(known) if known.nullable != field.is_nullable() => {
                let (there, here) = if known.nullable { ("may", "must not") } else { ("must not", "may") };
                return Err(shape(name, format!("it {there} be null there and {here} here. Leave it as it is there")));
            }
            Some(_) => {}
            None => {
                if !plain_name(name) {
                    return Err(shape(
                        name,
                        "a column is named with small letters, digits and underscores, 63 at the most, a letter first"
                            .to_owned(),
                    ));
                }
                if ducklake_type(field.data_type()).is_none() {
                    return Err(shape(
                        name,
                        format!(
                            "the type {} has no place in the lake. Numbers, text, bytes, booleans, days, \
                             timestamps in microseconds and decimals have",
                            field.data_type()
                        ),
                    ));
                }
                if !columns.is_empty() && !field.is_nullable() {
                    return Err(shape(
                        name,
                        "it is new, and the rows that are there have no value for it. Make it nullable".to_owned(),
                    ));
                }
                if missing.iter().any(|other| other.name() == name) {
                    return Err(shape(name, "it stands twice in the schema. Name each column once".to_owned()));
                }
                missing.push(field);
            }
        }
    }
    let forgotten = columns.iter().find(|column| schema.column_with_name(&column.name).is_none());
    if let Some(column) = forgotten {
        return Err(shape(
            &column.name,
            "the table has it and this schema does not. Columns stay for ever: \
             if a newer recurve added it, use that one"
                .to_owned(),
        ));
    }
    Ok(missing)
}

impl Store {
    fn catalogue_path(&self) -> PathBuf {
        self.folder.join(CATALOGUE_FILE)
    }

    /// The means to write, if this lake was opened for it and nothing has ended it.
    fn writer(&self, doing: &'static str) -> Result<&Writing, LakeError> {
        if let Some(reason) = self.broken.get() {
            return Err(LakeError::Broken { reason: reason.clone() });
        }
        self.writing.as_ref().ok_or_else(|| LakeError::ReadOnly { folder: self.folder.clone(), doing })
    }

    /// The same, if it is our turn too.
    fn writable(&self, doing: &'static str) -> Result<&Writing, LakeError> {
        let writing = self.writer(doing)?;
        if !writing.is_held.load(Ordering::Acquire) {
            return Err(LakeError::OutOfTurn { folder: self.folder.clone(), doing });
        }
        Ok(writing)
    }

    /// Passes an outcome on, and ends all writing when it leaves the disk uncertain.
    fn heed<T>(&self, outcome: Result<T, LakeError>) -> Result<T, LakeError> {
        if let Err(error) = &outcome
            && error.leaves_disk_uncertain()
        {
            // Only the first reason is kept; the later ones follow from it.
            let _ = self.broken.set(error.to_string());
        }
        outcome
    }

    /// Looks at one state of the catalogue, whatever is committed meanwhile.
    fn glance<T>(&self, look: impl FnOnce(&Connection) -> Result<T, LakeError>) -> Result<T, LakeError> {
        let path = self.catalogue_path();
        let failed = |source| LakeError::catalogue("be read", &path, source);
        let connection = hold(&self.reading);
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        let seen = look(&transaction)?;
        transaction.finish().map_err(failed)?;
        Ok(seen)
    }

    /// The same for a look that only meets SQLite's errors.
    fn read<T>(
        &self,
        doing: &'static str,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LakeError> {
        let path = self.catalogue_path();
        self.glance(|connection| look(connection).map_err(|source| LakeError::catalogue(doing, &path, source)))
    }

    /// Notes that somebody works on an import; false when somebody does already.
    fn claim_import(&self, id: i64) -> bool {
        self.writing.as_ref().is_some_and(|writing| hold(&writing.claimed).insert(id))
    }

    fn is_claimed(&self, id: i64) -> bool {
        self.writing.as_ref().is_some_and(|writing| hold(&writing.claimed).contains(&id))
    }

    fn release_import(&self, id: i64) {
        if let Some(writing) = &self.writing {
            hold(&writing.claimed).remove(&id);
        }
    }
}
