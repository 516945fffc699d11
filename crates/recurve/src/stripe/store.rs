//! What came from Stripe, as it came, in `stripe.sqlite` beside the catalogue. Facts are made of it, and made again from it
//! after a crash: nothing is acknowledged before it is in here.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use parking_lot::{FairMutex, FairMutexGuard};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use warehouse::lake::keep_plans;

use super::{
    arrival::Arrival,
    packing::{BODIES, Packer, Packing, Unpacker},
};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room.
    #[error("the disk is full: nothing from Stripe can be kept; make room, and it goes on")]
    DiskFull,
    /// Another program writes for a long time.
    #[error("another program writes to stripe.sqlite; try again in a moment")]
    Busy,
    /// What was written may not be on the disk.
    #[error(
        "the disk did not take what was written to stripe.sqlite ({0}); look after the disk, then start Recurve again"
    )]
    Broken(String),
    /// The file is of a newer program.
    #[error("stripe.sqlite is of version {found}, and this program knows {known}; use the newer program")]
    Version {
        /// What was found.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// Anything else.
    #[error("stripe.sqlite cannot be read or written: {0}; look at it in the data folder")]
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::SystemIoFailure) => Self::Broken(error.to_string()),
            _ => Self::Store(error),
        }
    }
}

/// What the file was made as, step by step: each is done once.
const STEPS: &[&str] = &[
    "
    CREATE TABLE event (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
        api_version TEXT NOT NULL, customer TEXT, body BLOB NOT NULL, digest BLOB NOT NULL,
        arrived_at INTEGER NOT NULL, road TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, settled_at INTEGER
    ) STRICT;
    CREATE INDEX event_waiting ON event (number) WHERE state = 'waiting';
    CREATE INDEX event_refused ON event (number) WHERE state = 'quarantined';
    CREATE INDEX event_of_customer ON event (customer, number);
    CREATE INDEX event_created ON event (created);
    CREATE TABLE conflict (
        number INTEGER PRIMARY KEY, event TEXT NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL,
        arrived_at INTEGER NOT NULL, UNIQUE (event, digest)
    ) STRICT;
    CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
",
    "
    CREATE INDEX event_by_webhook ON event (number) WHERE road <> 'sync';
",
    // What events say of a customer stands side by side, without what nothing reads, and as nothing where nothing is left: a
    // history is made anew of all of it. Bodies are packed.
    "
    CREATE TABLE gist (
        owner TEXT NOT NULL, created INTEGER NOT NULL, event TEXT NOT NULL, said BLOB, PRIMARY KEY (owner, created, event)
    ) STRICT, WITHOUT ROWID;
    DROP INDEX event_of_customer;
    CREATE INDEX event_waiting_of_customer ON event (customer, created) WHERE state = 'waiting';
    ALTER TABLE event ADD COLUMN packing INTEGER NOT NULL DEFAULT 0;
",
    // A history goes on from what it had come to at some event; what was over by then stands aside, and is not read again.
    "
    CREATE TABLE past (
        owner TEXT PRIMARY KEY, until INTEGER NOT NULL, catalogue INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE said_before (
        owner TEXT NOT NULL, kind TEXT NOT NULL, fact TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (owner, kind, fact)
    ) STRICT, WITHOUT ROWID;
",
];

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Stripe sent it.
    Webhook,
    /// A sync fetched it, because it had not come.
    Sync,
}

impl Road {
    fn name(self) -> &'static str {
        match self {
            Road::Webhook => "webhook",
            Road::Sync => "sync",
        }
    }
}

/// What became of an event that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new, and waits to become facts.
    Kept,
    /// It is new, and nothing can be made of it.
    Quarantined,
    /// It was there, saying the same.
    Known,
    /// It was there, saying something else; both are kept, and the first one counts.
    Conflict,
}

/// An event that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its place in the order of arrival.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The second at which Stripe made it.
    pub created: i64,
    /// When it arrived, in microseconds since 1970.
    pub arrived_at: i64,
    /// Why nothing was made of it.
    pub reason: Option<String>,
    /// The bytes as they came.
    pub body: Vec<u8>,
}

/// How many events there are of each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not facts yet.
    pub waiting: i64,
    /// Nothing can be made of them.
    pub quarantined: i64,
    /// All of them.
    pub events: i64,
    /// Events that came again and said something else.
    pub conflicts: i64,
    /// When the last one arrived, in microseconds since 1970.
    pub last_arrived_at: Option<i64>,
}

/// How long it is waited for another program that writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pages of the file that a connection keeps: a negative number is KiB to SQLite. Several connections are open, and what is
/// not kept here is mostly kept by the system.
const CACHE_KIB: i64 = -4_000;

/// The log of what was written is folded into the file at every commit once it has so many pages. While the server runs it
/// is kept far below that by [`Store::fold`], so that nobody's commit waits for it.
const LONGEST_LOG_PAGES: i64 = 32_000;
/// From so many pages on the log is begun anew.
const LONG_LOG_PAGES: i64 = 4_000;

/// Whose turn it is to write among the connections of this program to one file: it is given in the order in which it is asked
/// for. (SQLite itself lets whoever waits look again after longer and longer pauses, so that one who writes all the time
/// keeps the others out for seconds. Between programs it stays so.)
#[derive(Clone)]
pub struct Turns(Arc<FairMutex<()>>);

impl Turns {
    fn of(file: &Path) -> Self {
        static FILES: Mutex<BTreeMap<PathBuf, Weak<FairMutex<()>>>> = Mutex::new(BTreeMap::new());
        // Two names of one file would only wait as two programs do.
        let name = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, turns| turns.strong_count() > 0);
        let turns = files.get(&name).and_then(Weak::upgrade).unwrap_or_default();
        files.insert(name, Arc::downgrade(&turns));
        Self(turns)
    }

    /// Begins a transaction that writes, when it is our turn.
    pub fn begin<'t>(&'t self, connection: &'t mut Connection) -> Result<Writing<'t>, StoreError> {
        let turn = self.0.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Writing { transaction, _turn: turn })
    }
}

/// A transaction that writes, and the turn that it has.
pub struct Writing<'t> {
    transaction: Transaction<'t>,
    _turn: FairMutexGuard<'t, ()>,
}

impl Writing<'_> {
    /// Ends it: all of it is written.
    pub fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit()?)
    }
}

impl<'t> Deref for Writing<'t> {
    type Target = Transaction<'t>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

/// Opens the file of a data folder, with whose turn it is; it is made if it is not there, and brought to our version.
pub(super) fn connect(data: &Path) -> Result<(Connection, Turns), StoreError> {
    let file = data.join(Store::FILE);
    let turns = Turns::of(&file);
    let mut connection = Connection::open(&file)?;
    connection.busy_timeout(PATIENCE)?;
    // More than there are, so that none is prepared again for each round of events.
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", LONGEST_LOG_PAGES)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version(&connection)?;
    if found > known {
        return Err(StoreError::Version { found, known });
    }
    if found < known {
        let transaction = turns.begin(&mut connection)?;
        // Another program may have been quicker.
        let found: i64 = version(&transaction)?;
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
    }
    Ok((connection, turns))
}

/// The open store. Several can be open at a time: one writes while others read.
pub struct Store {
    connection: Connection,
    turns: Turns,
    packer: Packer,
}

impl Store {
    /// The file.
    pub const FILE: &str = "stripe.sqlite";

    /// Opens the store of a data folder; it is made if it is not there.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let (connection, turns) = connect(data)?;
        // Every commit waits until the disk has it.
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(Self { connection, turns, packer: Packer::of(&BODIES) })
    }

    /// Puts events in, all of them in one transaction: when this returns they are on the disk.
    pub fn put(&mut self, arrivals: &[Arrival], road: Road, now_micros: i64) -> Result<Vec<Put>, StoreError> {
        let packed: Vec<(Packing, Option<Vec<u8>>)> =
            arrivals.iter().map(|arrival| self.packer.pack(&arrival.body)).collect();
        let transaction = self.turns.begin(&mut self.connection)?;
        let put = |(arrival, packed)| put(&transaction, arrival, packed, road, now_micros);
        let puts = arrivals.iter().zip(packed).map(put).collect::<Result<Vec<Put>, rusqlite::Error>>()?;
        transaction.commit()?;
        Ok(puts)
    }

    /// Events that are no facts yet, in the order of their arrival: at most so many, with at most so many bytes unless the
    /// first one has more.
    pub fn waiting(&self, count: usize, bytes: usize) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT number, id, kind, created, arrived_at, reason, body, packing FROM event WHERE state = 'waiting' \
                   ORDER BY number LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([i64::try_from(count).unwrap_or(i64::MAX)])?;
        let (mut found, mut size, mut unpacker): (Vec<Kept>, usize, _) = (Vec::new(), 0, Unpacker::of(&BODIES));
        while let Some(row) = rows.next()? {
            let event = kept(row, &mut unpacker)?;
            size = size.saturating_add(event.body.len());
            if size > bytes && !found.is_empty() {
                break;
            }
            found.push(event);
        }
        Ok(found)
    }

    /// Whether there are any.
    pub fn is_any_waiting(&self) -> Result<bool, StoreError> {
        Ok(self.connection.prepare_cached("SELECT 1 FROM event WHERE state = 'waiting' LIMIT 1")?.exists([])?)
    }

    /// Puts an event aside, with the reason, so that those after it go on.
    pub fn quarantine(&mut self, number: i64, reason: &str, now_micros: i64) -> Result<(), StoreError> {
        let sql = "UPDATE event SET state = 'quarantined', reason = ?2, settled_at = ?3 WHERE number = ?1";
        let transaction = self.turns.begin(&mut self.connection)?;
        transaction.execute(sql, params![number, reason, now_micros])?;
        transaction.commit()
    }

    /// Puts everything of a customer aside that waits, with the reason. How many there were.
    pub fn quarantine_of(&mut self, customer: &str, reason: &str, now_micros: i64) -> Result<u64, StoreError> {
        let sql = "UPDATE event SET state = 'quarantined', reason = ?2, settled_at = ?3 \
                   WHERE customer = ?1 AND state = 'waiting'";
        let transaction = self.turns.begin(&mut self.connection)?;
        let gists = "DELETE FROM gist WHERE owner = ?1 AND event IN \
                     (SELECT id FROM event WHERE customer = ?1 AND state = 'waiting')";
        transaction.execute(gists, [customer])?;
        transaction.execute("DELETE FROM past WHERE owner = ?1", [customer])?;
        let put_aside = transaction.execute(sql, params![customer, reason, now_micros])?;
        transaction.commit()?;
        Ok(put_aside as u64)
    }

    /// Reads events again that were put aside: all of them, or one by its id. How many wait to become facts now, and how
    /// many stay where they are.
    pub fn replay(&mut self, id: Option<&str>) -> Result<(usize, usize), StoreError> {
        let transaction = self.turns.begin(&mut self.connection)?;
        let sql = "SELECT number, body, packing FROM event WHERE state = 'quarantined' AND (?1 IS NULL OR id = ?1) ORDER BY number";
        let put_aside: Vec<(i64, Vec<u8>)> = {
            let (mut statement, mut unpacker) = (transaction.prepare(sql)?, Unpacker::of(&BODIES));
            let rows = statement.query_map([id], |row| Ok((row.get(0)?, unpacker.body(row, 1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let (mut waiting, mut staying) = (0, 0);
        for (number, body) in put_aside {
            let read = Arrival::of(body);
            if let Some(fault) = read.fault {
                transaction
                    .execute("UPDATE event SET reason = ?2 WHERE number = ?1", params![number, fault.to_string()])?;
                staying += 1;
                continue;
            }
            // One that was not understood before had no id of its own; by now the same event may have come once more.
            let sql = "UPDATE OR IGNORE event SET id = ?2, kind = ?3, created = ?4, api_version = ?5, customer = ?6, \
                       digest = ?7, state = 'waiting', reason = NULL, settled_at = NULL WHERE number = ?1";
            let digest = &read.digest[..];
            let values = params![number, read.id, read.kind, read.created, read.api_version, read.customer, digest];
            waiting += transaction.execute(sql, values)?;
        }
        transaction.commit()?;
        Ok((waiting, staying))
    }

    /// Folds the log of what was written into the file, beside those who write. Only when the log is long do they wait, for
    /// the little that was written meanwhile, so that it begins anew. Call it again and again while much is written: what is folded
    /// at a time goes to the disk at once, and commits wait for it there.
    pub fn fold(&self) -> Result<(), StoreError> {
        let fold =
            |how: &str| self.connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get(1));
        let pages: i64 = fold("PASSIVE")?;
        if pages > LONG_LOG_PAGES {
            // What came while the many were folded are few: then next to nothing is left for those who wait.
            let _: i64 = fold("PASSIVE")?;
            let _turn = self.turns.0.lock();
            // Who reads for long is not waited for: it is tried again.
            self.connection.busy_timeout(Duration::from_millis(20))?;
            let begun_anew = fold("RESTART");
            self.connection.busy_timeout(PATIENCE)?;
            begun_anew?;
        }
        Ok(())
    }

    /// Events that never came by themselves, and were fetched.
    pub fn missed(&self) -> Result<Vec<Kept>, StoreError> {
        // Where no webhook ever came none was missed.
        let sql = "SELECT number, id, kind, created, arrived_at, reason, body, packing FROM event \
                   WHERE road = 'sync' AND created >= \
                   (SELECT MIN(created) FROM event WHERE road = 'webhook') ORDER BY created, id";
        self.list(sql)
    }

    /// Events that were put aside, with the reasons.
    pub fn quarantined(&self) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT number, id, kind, created, arrived_at, reason, body, packing FROM event \
                   WHERE state = 'quarantined' ORDER BY number";
        self.list(sql)
    }

    /// What came again and said something else, each beside the id of the event.
    pub fn conflicts(&self) -> Result<Vec<(String, i64, Vec<u8>)>, StoreError> {
        let sql = "SELECT event, arrived_at, body FROM conflict ORDER BY number";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many there are of each state.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM event WHERE state = 'waiting'), \
                   (SELECT COUNT(*) FROM event WHERE state = 'quarantined'), (SELECT COUNT(*) FROM event), \
                   (SELECT COUNT(*) FROM conflict), \
                   (SELECT arrived_at FROM event ORDER BY number DESC LIMIT 1)";
        Ok(self.connection.query_row(sql, [], |row| {
            Ok(Counts {
                waiting: row.get(0)?,
                quarantined: row.get(1)?,
                events: row.get(2)?,
                conflicts: row.get(3)?,
                last_arrived_at: row.get(4)?,
            })
        })?)
    }

    /// The number of the newest event; 0 where there is none.
    pub fn newest(&self) -> Result<i64, StoreError> {
        Ok(self.connection.query_row("SELECT COALESCE(MAX(number), 0) FROM event", [], |row| row.get(0))?)
    }

    /// When the last event came by itself, in microseconds since 1970.
    pub fn last_webhook(&self) -> Result<Option<i64>, StoreError> {
        // Without the index every event that a sync fetched would be looked at, with its body.
        let sql = "SELECT arrived_at FROM event INDEXED BY event_by_webhook WHERE road <> 'sync' \
                   ORDER BY number DESC LIMIT 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    fn list(&self, sql: &str) -> Result<Vec<Kept>, StoreError> {
        let (mut statement, mut unpacker) = (self.connection.prepare(sql)?, Unpacker::of(&BODIES));
        let rows = statement.query_map([], |row| kept(row, &mut unpacker))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn kept(row: &rusqlite::Row<'_>, unpacker: &mut Unpacker) -> Result<Kept, rusqlite::Error> {
    Ok(Kept {
        number: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        created: row.get(3)?,
        arrived_at: row.get(4)?,
        reason: row.get(5)?,
        body: unpacker.body(row, 6)?,
    })
}

fn put(
    transaction: &Transaction<'_>,
    arrival: &Arrival,
    (packing, packed): (Packing, Option<Vec<u8>>),
    road: Road,
    now_micros: i64,
) -> Result<Put, rusqlite::Error> {
    let sql = "INSERT OR IGNORE INTO event \
               (id, kind, created, api_version, customer, body, digest, arrived_at, road, state, reason, packing) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let reason = arrival.fault.as_ref().map(ToString::to_string);
    let state = if reason.is_some() { "quarantined" } else { "waiting" };
    let digest = &arrival.digest[..];
    let is_new = transaction.prepare_cached(sql)?.execute(params![
        arrival.id,
        arrival.kind,
        arrival.created,
        arrival.api_version,
        arrival.customer,
        packed.as_ref().unwrap_or(&arrival.body),
        digest,
        now_micros,
        road.name(),
        state,
        reason,
        packing,
    ])? == 1;
    if is_new {
        return Ok(if reason.is_some() { Put::Quarantined } else { Put::Kept });
    }
    let sql = "SELECT digest = ?2 OR api_version <> ?3 FROM event WHERE id = ?1";
    if road == Road::Webhook {
        // It was only late: it did come by itself.
        let sql = "UPDATE event SET road = 'late webhook' WHERE id = ?1 AND road = 'sync'";
        transaction.prepare_cached(sql)?.execute([&arrival.id])?;
    }
    // Written in another version of the API it cannot be compared; two endpoints of two versions are nothing odd.
    let says_the_same = transaction
        .prepare_cached(sql)?
        .query_row(params![arrival.id, digest, arrival.api_version], |row| row.get(0))?;
    if says_the_same {
        return Ok(Put::Known);
    }
    let sql = "INSERT OR IGNORE INTO conflict (event, digest, body, arrived_at) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![arrival.id, digest, arrival.body, now_micros])?;
    Ok(Put::Conflict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::objects::Objects;

    fn event(id: &str, seats: i64) -> Arrival {
        let body = format!(
            r#"{{"id":"{id}","type":"customer.subscription.updated","created":5,"api_version":"2025-09-30.clover",
            "data":{{"object":{{"id":"sub_1","object":"subscription","customer":"cus_1","quantity":{seats}}}}}}}"#
        );
        Arrival::of(body.into_bytes())
    }

    #[test]
    fn an_event_is_kept_once_and_its_first_body_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let unreadable = Arrival::of(b"{".to_vec());
        let puts = store.put(&[event("evt_1", 1), event("evt_1", 1), unreadable.clone()], Road::Webhook, 7).unwrap();
        assert_eq!(puts, [Put::Kept, Put::Known, Put::Quarantined]);
        let puts = store.put(&[event("evt_1", 2), event("evt_1", 2), unreadable], Road::Sync, 8).unwrap();
        assert_eq!(puts, [Put::Conflict, Put::Conflict, Put::Known]);
        let counts = store.counts().unwrap();
        assert_eq!(counts, Counts { waiting: 1, quarantined: 1, events: 2, conflicts: 1, last_arrived_at: Some(7) });
        let waiting = store.waiting(10, 1_000).unwrap();
        assert_eq!(waiting[0].body, event("evt_1", 1).body);
    }

    /// Who writes all the time does not keep the others out, and the log does not grow for ever.
    #[test]
    fn everyone_gets_a_turn_and_the_log_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut objects = Objects::open(folder.path()).unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut store = Store::open(folder.path()).unwrap();
                let mut events = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let many: Vec<Arrival> =
                        (events..events + 100).map(|event_| event(&format!("evt_{event_}"), 1)).collect();
                    assert_eq!(store.put(&many, Road::Webhook, 1).unwrap(), [Put::Kept; 100]);
                    events += 100;
                }
                events
            });
            let folding = Store::open(folder.path()).unwrap();
            for turn in 0..300 {
                objects.settle(&[], &[turn], 1).unwrap();
                folding.fold().unwrap();
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            let events = writer.join().unwrap();
            assert_eq!(Store::open(folder.path()).unwrap().counts().unwrap().events, events);
        });
        let log = std::fs::metadata(folder.path().join(format!("{}-wal", Store::FILE))).unwrap().len();
        assert!(log < 4 * LONG_LOG_PAGES as u64 * 4_096, "the log has {log} bytes");
    }

    #[test]
    fn what_never_came_by_itself_is_told_apart_from_what_was_late() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let at = |id: &str, created: i64| Arrival { created, ..event(id, 1) };
        store.put(&[at("evt_0", 1), at("evt_1", 10)], Road::Sync, 2_000_000).unwrap();
        assert!(store.missed().unwrap().is_empty(), "no webhook ever came");
        store.put(&[at("evt_2", 4)], Road::Webhook, 5_000_000).unwrap();
        let missed =
            |store: &Store| -> Vec<String> { store.missed().unwrap().into_iter().map(|event| event.id).collect() };
        assert_eq!(missed(&store), ["evt_1"], "the other one was made before those that came by themselves");
        store.put(&[at("evt_1", 10)], Road::Webhook, 11_000_000).unwrap();
        assert!(missed(&store).is_empty());
        assert_eq!(store.last_webhook().unwrap(), Some(5_000_000), "as late as it came first");
    }

    #[test]
    fn what_was_settled_stays_so_and_what_was_put_aside_can_wait_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let events: Vec<Arrival> = (0..5).map(|number| event(&format!("evt_{number}"), number)).collect();
        store.put(&events, Road::Webhook, 1).unwrap();
        let two = store.waiting(2, usize::MAX).unwrap();
        Objects::open(folder.path()).unwrap().settle(&[], &[two[0].number], 2).unwrap();
        store.quarantine(two[1].number, "it is too large", 3).unwrap();
        drop(store);

        let mut store = Store::open(folder.path()).unwrap();
        let ids = |store: &Store, bytes| -> Vec<String> {
            store.waiting(10, bytes).unwrap().into_iter().map(|event| event.id).collect()
        };
        assert_eq!(ids(&store, usize::MAX), ["evt_2", "evt_3", "evt_4"]);
        assert_eq!(ids(&store, 1), ["evt_2"], "the first one is given whatever its size");
        assert_eq!(store.quarantined().unwrap()[0].reason.as_deref(), Some("it is too large"));
        assert_eq!(store.replay(Some("evt_0")).unwrap(), (0, 0), "what is a fact stays one");
        let poison = br#"{"id":"evt_p","type":"a.b","created":1,"data":{"object":{"total":9223372036854775807}}}"#;
        assert_eq!(store.put(&[Arrival::of(poison.to_vec())], Road::Webhook, 4).unwrap(), [Put::Quarantined]);
        assert_eq!(store.replay(None).unwrap(), (1, 1), "what cannot be read stays");
        assert_eq!(ids(&store, usize::MAX), ["evt_1", "evt_2", "evt_3", "evt_4"]);
    }
}
