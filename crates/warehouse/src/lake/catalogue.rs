//! The catalogue: one SQLite file in the shape of DuckLake 1.0, so that DuckDB and others read it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, config::DbConfig, params};

use super::column::{Column, arrow_type, ducklake_type, parse_arrow_type};
use super::error::LakeError;

/// The tables of the catalogue.
const TABLES: &str = include_str!("catalogue.sql");
/// The version of the DuckLake format that is written and read here.
const DUCKLAKE_VERSION: &str = "1.0";
/// The version of our own tables beside it.
const RECURVE_VERSION: &str = "1";
/// How long a statement waits for another program that holds the catalogue.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) const CATALOGUE_FILE: &str = "catalog.sqlite";
pub(super) const FILES_FOLDER: &str = "files";
/// The one schema, in DuckDB's words. It is always there and always has this identity.
pub(super) const SCHEMA: &str = "main";
const SCHEMA_ID: i64 = 0;

/// A table as the catalogue holds it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The newest snapshot and the counters that the next one goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) snapshot: i64,
    pub(super) time_micros: i64,
    pub(super) schema_version: i64,
    pub(super) next_catalog_id: i64,
    pub(super) next_file_id: i64,
}

/// DuckDB reads without indexes; these keep our own look-ups quick when there are thousands of files.
const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS recurve_data_file_by_table ON ducklake_data_file(table_id, begin_snapshot);
    CREATE INDEX IF NOT EXISTS recurve_data_file_by_newest
      ON ducklake_data_file(table_id, coalesce(partial_max, begin_snapshot));
    CREATE INDEX IF NOT EXISTS recurve_bounds_by_file ON ducklake_file_column_stats(data_file_id);";

/// Statements that stay prepared: more than there are, so that none is prepared again for each commit.
const STATEMENTS: usize = 64;

/// Lets statements keep their plans. SQLite looks at bound values when it plans, and plans again whenever they are others: as
/// long as statements are short, that takes longer than they do.
///
/// # Errors
/// When SQLite refuses.
pub fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// Opens the catalogue for writing and creates its tables when there are none. `files` is where the
/// Parquet files lie; the catalogue names it absolutely because DuckDB would take a relative path
/// from its own working directory, so it is set again when the folder has moved.
pub(super) fn open_for_writing(path: &Path, files: &Path) -> Result<Connection, LakeError> {
    let failed = |doing| move |source| LakeError::catalogue(doing, path, source);
    let mut connection = Connection::open(path).map_err(failed("be opened for writing"))?;
    connection.busy_timeout(PATIENCE).map_err(failed("be opened for writing"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection).map_err(failed("keep its plans"))?;
    // Readers go on while one writes (WAL), and a commit returns only once it is on the disk (FULL).
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| connection.pragma_update(None, "fullfsync", true))
        .and_then(|()| connection.pragma_update(None, "checkpoint_fullfsync", true))
        .map_err(failed("be made durable"))?;
    let mut data_path = files.to_string_lossy().into_owned();
    data_path.push('/');

    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed("be locked for writing"))?;
    if has_tables(&transaction, path)? {
        check_version(&transaction, path)?;
        // Catalogues of earlier releases lack it, and are read all the same.
        transaction.execute_batch(INDEXES).map_err(failed("get its indexes"))?;
        transaction
            .execute(
                "UPDATE ducklake_metadata SET value = ?1 WHERE key = 'data_path' AND scope IS NULL AND value <> ?1",
                [&data_path],
            )
            .map_err(failed("note where its files are"))?;
    } else {
        create(&transaction, &data_path).map_err(failed("be created"))?;
    }
    transaction.commit().map_err(failed("be created"))?;
    Ok(connection)
}

/// Opens the catalogue for reading, on a medium that cannot be written too.
pub(super) fn open_for_reading(path: &Path, folder: &Path) -> Result<Connection, LakeError> {
    let failed = |source| LakeError::catalogue("be opened for reading", path, source);
    let usual = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, usual).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection).map_err(failed)?;
    let answer = has_tables(&connection, path);
    let nothing_pending = std::fs::metadata(path.with_extension("sqlite-wal")).map_or(true, |log| log.len() == 0);
    // Without leave to write beside it SQLite opens a WAL catalogue only when told that nobody changes it.
    let (connection, filled) = match answer {
        Err(LakeError::Catalogue { source, .. })
            if source.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) && nothing_pending =>
        {
            let uri = format!("file:{}?immutable=1", uri_path(path));
            let connection = Connection::open_with_flags(uri, usual | OpenFlags::SQLITE_OPEN_URI).map_err(failed)?;
            let filled = has_tables(&connection, path)?;
            (connection, filled)
        }
        answer => (connection, answer?),
    };
    if !filled {
        return Err(LakeError::Missing { folder: folder.to_path_buf() });
    }
    check_version(&connection, path)?;
    Ok(connection)
}

fn uri_path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn has_tables(connection: &Connection, path: &Path) -> Result<bool, LakeError> {
    connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name = 'ducklake_metadata'", [], |row| {
            row.get::<_, i64>(0)
        })
        .map(|count| count > 0)
        .map_err(|source| LakeError::catalogue("be read", path, source))
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), LakeError> {
    let value = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, String>(0))
            .optional()
            .map_err(|source| LakeError::catalogue("tell its version", path, source))
            .map(|found| found.unwrap_or_else(|| "none".to_owned()))
    };
    let pairs = [
        (
            "DuckLake version",
            "SELECT value FROM ducklake_metadata WHERE key = 'version' AND scope IS NULL",
            DUCKLAKE_VERSION,
        ),
        ("recurve format", "SELECT value FROM recurve_setting WHERE key = 'lake.format'", RECURVE_VERSION),
    ];
    for (what, sql, known) in pairs {
        let found = value(sql)?;
        if found != known {
            return Err(LakeError::Version { path: path.to_path_buf(), what, found, known });
        }
    }
    Ok(())
}

fn create(transaction: &Transaction<'_>, data_path: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(INDEXES)?;
    let created_by = concat!("recurve ", env!("CARGO_PKG_VERSION"));
    for (key, value) in [
        ("version", DUCKLAKE_VERSION),
        ("created_by", created_by),
        ("data_path", data_path),
        ("encrypted", "false"),
        // DuckDB would keep small inserts inside the catalogue, where our reader does not look.
        ("data_inlining_row_limit", "0"),
    ] {
        transaction.execute("INSERT INTO ducklake_metadata VALUES (?, ?, NULL, NULL)", [key, value])?;
    }
    transaction.execute("INSERT INTO recurve_setting VALUES ('lake.format', ?)", [RECURVE_VERSION])?;
    // The empty snapshot lies at the epoch: no import, of whatever clock, comes before it.
    transaction.execute("INSERT INTO ducklake_snapshot VALUES (0, ?, 0, 1, 0)", [time_text(0)])?;
    transaction.execute(
        "INSERT INTO ducklake_snapshot_changes VALUES (0, 'created_schema:\"main\"', 'recurve', NULL, NULL)",
        [],
    )?;
    transaction.execute(
        "INSERT INTO ducklake_schema VALUES (?, ?, 0, NULL, ?, 'main/', 1)",
        params![SCHEMA_ID, uuid::Uuid::now_v7().to_string(), SCHEMA],
    )?;
    Ok(())
}

/// A time as DuckLake spells it.
pub(super) fn time_text(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap_or(jiff::Timestamp::MAX)
        .strftime("%Y-%m-%d %H:%M:%S%.6f+00")
        .to_string()
}

/// Reads DuckLake's spelling of a time.
pub(super) fn time_micros(text: &str) -> Result<i64, LakeError> {
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_microsecond)
        .map_err(|_| LakeError::Damaged { what: format!("the snapshot time {text:?} is no time") })
}

/// The newest snapshot.
pub(super) fn head(connection: &Connection, path: &Path) -> Result<Head, LakeError> {
    let (text, mut head) = connection
        .prepare_cached(
            "SELECT snapshot_time, snapshot_id, schema_version, next_catalog_id, next_file_id
             FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement.query_row([], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    Head {
                        time_micros: 0,
                        snapshot: row.get(1)?,
                        schema_version: row.get(2)?,
                        next_catalog_id: row.get(3)?,
                        next_file_id: row.get(4)?,
                    },
                ))
            })
        })
        .map_err(|source| LakeError::catalogue("name its newest snapshot", path, source))?;
    head.time_micros = time_micros(&text)?;
    Ok(head)
}

/// The newest snapshot that was there at a time. Times never go back from one snapshot to the next,
/// so the one wanted is found by halving.
pub(super) fn snapshot_at(connection: &Connection, path: &Path, as_known_at: Option<i64>) -> Result<i64, LakeError> {
    let newest = head(connection, path)?;
    let Some(as_known_at) = as_known_at.filter(|at| *at < newest.time_micros) else {
        return Ok(newest.snapshot);
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot WHERE snapshot_id <= ? ORDER BY snapshot_id DESC LIMIT 1",
        )
        .map_err(|source| LakeError::catalogue("find a snapshot", path, source))?;
    let mut at_or_before = |snapshot: i64| {
        statement
            .query_row([snapshot], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
            .optional()
            .map_err(|source| LakeError::catalogue("find a snapshot", path, source))
    };
    // `known` is known at the time, `later` is not. Nothing at all is known before snapshot 0.
    let (mut known, mut later) = (0, newest.snapshot);
    while known + 1 < later {
        let middle = known + (later - known) / 2;
        match at_or_before(middle)? {
            Some((snapshot, text)) if time_micros(&text)? > as_known_at => later = snapshot.max(known + 1),
            _ => known = middle,
        }
    }
    Ok(at_or_before(known)?.map_or(0, |(snapshot, _)| snapshot))
}

/// The table of a name as it is now.
pub(super) fn table(connection: &Connection, path: &Path, name: &str) -> Result<Option<Table>, LakeError> {
    let failed = |source| LakeError::catalogue("describe a table", path, source);
    let id = connection
        .prepare_cached(
            "SELECT table_id FROM ducklake_table WHERE table_name = ? AND schema_id = 0 AND end_snapshot IS NULL",
        )
        .and_then(|mut statement| statement.query_row([name], |row| row.get::<_, i64>(0)).optional())
        .map_err(failed)?;
    let Some(id) = id else { return Ok(None) };
    let mut statement = connection
        .prepare_cached(
            "SELECT c.column_id, c.column_name, c.column_type, c.nulls_allowed, r.arrow_type
             FROM ducklake_column c LEFT JOIN recurve_column r USING (table_id, column_id)
             WHERE c.table_id = ? AND c.end_snapshot IS NULL AND c.parent_column IS NULL
             ORDER BY c.column_order",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([id], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, bool>(3)?,
                row.get::<_, Option<String>>(4)?,
            ))
        })
        .map_err(failed)?;
    let mut columns = Vec::new();
    for row in rows {
        let (id, column, ducklake, nullable, exact) = row.map_err(failed)?;
        let data_type = exact.as_deref().map_or_else(|| arrow_type(&ducklake), parse_arrow_type).ok_or_else(|| {
            LakeError::Damaged { what: format!("the column {name}.{column} has the unknown type {ducklake}") }
        })?;
        columns.push(Column { id, name: column, data_type, nullable });
    }
    Ok(Some(Table { id, name: name.to_owned(), columns }))
}

/// The names of all tables, by name.
pub(super) fn table_names(connection: &Connection, path: &Path) -> Result<Vec<String>, LakeError> {
    connection
        .prepare_cached("SELECT table_name FROM ducklake_table WHERE schema_id = 0 AND end_snapshot IS NULL ORDER BY 1")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(|source| LakeError::catalogue("name its tables", path, source))
}

/// The table of a name, or an error that names those there are.
pub(super) fn known_table(connection: &Connection, path: &Path, name: &str) -> Result<Table, LakeError> {
    match table(connection, path, name)? {
        Some(table) => Ok(table),
        None => {
            let names = table_names(connection, path)?;
            let known = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
            Err(LakeError::UnknownTable { table: name.to_owned(), known })
        }
    }
}

/// Adds a snapshot after the newest one.
pub(super) fn add_snapshot(
    transaction: &Transaction<'_>,
    head: Head,
    changes: &str,
    message: Option<&str>,
) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT INTO ducklake_snapshot VALUES (?, ?, ?, ?, ?)")?.execute(params![
        head.snapshot,
        time_text(head.time_micros),
        head.schema_version,
        head.next_catalog_id,
        head.next_file_id
    ])?;
    transaction
        .prepare_cached("INSERT INTO ducklake_snapshot_changes VALUES (?, ?, 'recurve', ?, NULL)")?
        .execute(params![head.snapshot, changes, message])?;
    Ok(())
}

/// Writes a new table, or the columns that a known one gains, as a snapshot of its own.
pub(super) fn add_columns(
    transaction: &Transaction<'_>,
    head: Head,
    name: &str,
    known: Option<i64>,
    columns: &[Column],
) -> rusqlite::Result<()> {
    // A definition tells nothing about the world, so it takes the first free moment after the newest
    // snapshot instead of a clock that might run ahead of the imports'.
    let mut next = Head {
        snapshot: head.snapshot + 1,
        time_micros: head.time_micros + 1,
        schema_version: head.schema_version + 1,
        ..head
    };
    let changes;
    let table = match known {
        Some(table) => {
            changes = format!("altered_table:{table}");
            table
        }
        None => {
            changes = format!("created_table:\"{SCHEMA}\".\"{name}\"");
            let table = head.next_catalog_id;
            next.next_catalog_id += 1;
            transaction.execute(
                "INSERT INTO ducklake_table VALUES (?, ?, ?, NULL, ?, ?, ?, 1)",
                params![table, uuid::Uuid::now_v7().to_string(), next.snapshot, SCHEMA_ID, name, format!("{name}/")],
            )?;
            table
        }
    };
    for column in columns {
        // Checked by the caller, which speaks of the column; the empty text is never stored.
        let ducklake = ducklake_type(&column.data_type).unwrap_or_default();
        transaction.execute(
            "INSERT INTO ducklake_column VALUES (?, ?, NULL, ?, ?, ?, ?, NULL, 'NULL', ?, NULL, 'literal', 'duckdb')",
            params![column.id, next.snapshot, table, column.id, column.name, ducklake, column.nullable],
        )?;
        transaction.execute(
            "INSERT INTO recurve_column VALUES (?, ?, ?)",
            params![table, column.id, column.data_type.to_string()],
        )?;
    }
    transaction.execute(
        "INSERT INTO ducklake_schema_versions VALUES (?, ?, ?)",
        params![next.snapshot, next.schema_version, table],
    )?;
    add_snapshot(transaction, next, &changes, None)
}

/// The folder of a table's files.
pub(super) fn table_folder(files: &Path, table: &str) -> PathBuf {
    files.join(SCHEMA).join(table)
}

/// Makes a folder's entries durable: a new file survives a power cut only once its folder is synced.
pub(super) fn sync_folder(folder: &Path) -> Result<(), LakeError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|source| LakeError::io("sync the folder", folder, source))
}

/// Creates a folder with its parents, durably.
pub(super) fn make_folder(folder: &Path) -> Result<(), LakeError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(LakeError::io("create the folder", folder, error));
        }
        _ => {}
    }
    sync_folder(parent)
}
