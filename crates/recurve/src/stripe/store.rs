//! What came from Stripe, as it came, in `stripe.sqlite` beside the catalogue. Facts are made of it, and made again from it
//! after a crash: nothing is acknowledged before it is in here.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};

use super::arrival::Arrival;

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
const STEPS: &[&str] = &["
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
"];

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Stripe sent it.
    Webhook,
    /// It was fetched, in the order of the list of events.
    Sync,
    /// A sweep found that it never came.
    Sweep,
}

impl Road {
    fn name(self) -> &'static str {
        match self {
            Road::Webhook => "webhook",
            Road::Sync => "sync",
            Road::Sweep => "sweep",
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
    /// How it came.
    pub road: String,
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

/// The open store. Several can be open at a time: one writes while others read.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// The file.
    pub const FILE: &str = "stripe.sqlite";

    /// Opens the store of a data folder; it is made if it is not there.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(data.join(Self::FILE))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Every commit waits until the disk has it.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Checkpoints come less often, and are larger: while one is made nobody is answered.
        connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
        connection.pragma_update(None, "cache_size", -32_000)?;
        let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > known {
            return Err(StoreError::Version { found, known });
        }
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Puts events in, all of them in one transaction: when this returns they are on the disk.
    pub fn put(&mut self, arrivals: &[Arrival], road: Road, now_micros: i64) -> Result<Vec<Put>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let puts: Result<Vec<Put>, rusqlite::Error> =
            arrivals.iter().map(|arrival| put(&transaction, arrival, road, now_micros)).collect();
        let puts = puts?;
        transaction.commit()?;
        Ok(puts)
    }

    /// Events that are no facts yet, in the order of their arrival: at most so many, with at most so many bytes unless the
    /// first one has more.
    pub fn waiting(&self, count: usize, bytes: usize) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT number, id, kind, created, arrived_at, road, reason, body FROM event WHERE state = 'waiting' \
                   ORDER BY number LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([i64::try_from(count).unwrap_or(i64::MAX)])?;
        let (mut found, mut size): (Vec<Kept>, usize) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let event = kept(row)?;
            size = size.saturating_add(event.body.len());
            if size > bytes && !found.is_empty() {
                break;
            }
            found.push(event);
        }
        Ok(found)
    }

    /// Says that events became facts. Call it after the facts are in the lake: who crashes in between does it again.
    pub fn applied(&mut self, numbers: &[i64], now_micros: i64) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        {
            let sql = "UPDATE event SET state = 'applied', reason = NULL, settled_at = ?2 WHERE number = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            for number in numbers {
                statement.execute(params![number, now_micros])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Puts an event aside, with the reason, so that those after it go on.
    pub fn quarantine(&mut self, number: i64, reason: &str, now_micros: i64) -> Result<(), StoreError> {
        let sql = "UPDATE event SET state = 'quarantined', reason = ?2, settled_at = ?3 WHERE number = ?1";
        self.connection.execute(sql, params![number, reason, now_micros])?;
        Ok(())
    }

    /// Lets events that were put aside wait again: all of them, or one by its id. How many there were.
    pub fn replay(&mut self, id: Option<&str>) -> Result<usize, StoreError> {
        let sql = "UPDATE event SET state = 'waiting', reason = NULL, settled_at = NULL \
                   WHERE state = 'quarantined' AND (?1 IS NULL OR id = ?1)";
        Ok(self.connection.execute(sql, [id])?)
    }

    /// Events that were put aside, with the reasons.
    pub fn quarantined(&self) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT number, id, kind, created, arrived_at, road, reason, body FROM event \
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

    /// Which of these events are not here.
    pub fn missing<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'a str>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM event WHERE id = ?1")?;
        let mut missing = Vec::new();
        for id in ids {
            if !statement.exists([id])? {
                missing.push(id);
            }
        }
        Ok(missing)
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

    /// Something that is remembered under a name.
    pub fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM note WHERE name = ?1";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0)).optional()?)
    }

    /// Remembers something under a name.
    pub fn set_note(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }

    fn list(&self, sql: &str) -> Result<Vec<Kept>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], kept)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn kept(row: &rusqlite::Row<'_>) -> Result<Kept, rusqlite::Error> {
    Ok(Kept {
        number: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        created: row.get(3)?,
        arrived_at: row.get(4)?,
        road: row.get(5)?,
        reason: row.get(6)?,
        body: row.get(7)?,
    })
}

fn put(transaction: &Transaction<'_>, arrival: &Arrival, road: Road, now_micros: i64) -> Result<Put, rusqlite::Error> {
    let sql = "INSERT OR IGNORE INTO event \
               (id, kind, created, api_version, customer, body, digest, arrived_at, road, state, reason) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let reason = arrival.fault.as_ref().map(ToString::to_string);
    let state = if reason.is_some() { "quarantined" } else { "waiting" };
    let digest = &arrival.digest[..];
    let is_new = transaction.prepare_cached(sql)?.execute(params![
        arrival.id,
        arrival.kind,
        arrival.created,
        arrival.api_version,
        arrival.customer,
        arrival.body,
        digest,
        now_micros,
        road.name(),
        state,
        reason,
    ])? == 1;
    if is_new {
        return Ok(if reason.is_some() { Put::Quarantined } else { Put::Kept });
    }
    let sql = "SELECT digest = ?2 OR api_version <> ?3 FROM event WHERE id = ?1";
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
        assert_eq!(store.missing(["evt_1", "evt_2"]).unwrap(), ["evt_2"]);
    }

    #[test]
    fn what_was_settled_stays_so_and_what_was_put_aside_can_wait_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let events: Vec<Arrival> = (0..5).map(|number| event(&format!("evt_{number}"), number)).collect();
        store.put(&events, Road::Webhook, 1).unwrap();
        let two = store.waiting(2, usize::MAX).unwrap();
        store.applied(&[two[0].number], 2).unwrap();
        store.quarantine(two[1].number, "it is too large", 3).unwrap();
        drop(store);

        let mut store = Store::open(folder.path()).unwrap();
        let ids = |store: &Store, bytes| -> Vec<String> {
            store.waiting(10, bytes).unwrap().into_iter().map(|event| event.id).collect()
        };
        assert_eq!(ids(&store, usize::MAX), ["evt_2", "evt_3", "evt_4"]);
        assert_eq!(ids(&store, 1), ["evt_2"], "the first one is given whatever its size");
        assert_eq!(store.quarantined().unwrap()[0].reason.as_deref(), Some("it is too large"));
        assert_eq!(store.replay(Some("evt_0")).unwrap(), 0, "what is a fact stays one");
        assert_eq!(store.replay(None).unwrap(), 1);
        assert_eq!(ids(&store, usize::MAX), ["evt_1", "evt_2", "evt_3", "evt_4"]);
    }
}
