//! Objects of Stripe as they were last seen, by the customer whose they are, and what has been stated of them so far.
//!
//! ```text
//! lists, events ─▶ take ─▶ object (newest version), earlier (what it no longer shows), gist (of events), touched (owner)
//! touched ─▶ rebuilt ─▶ intend (before the lake) ─▶ the lake ─▶ settle (after it)
//! ```
//!
//! An *owner* is a customer, or one of the shelves for what is nobody's: [`CATALOGUE`], and the fees of a month. All
//! facts of an owner are made of what is kept under it (and of the catalogue), so they can be made again at any time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension, Transaction, params, types::ValueRef};
use serde_json::Value;
use stripe::{
    Catalogue, discount,
    gist::{self, Gist},
    history,
    issue::Issue,
};

use warehouse::cores;

use super::{
    account::MANY,
    packing::{BODIES, GISTS, Packer, Packing, Unpacker},
    store::{StoreError, Turns, Writing, connect},
};

/// Whose prices, coupons and products are.
pub const CATALOGUE: &str = "";

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS object (
        kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT, parent TEXT, created INTEGER NOT NULL, seen_at INTEGER NOT NULL,
        is_partial INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS object_of_owner ON object (owner, kind, id);
    CREATE INDEX IF NOT EXISTS object_without_owner ON object (parent) WHERE owner IS NULL;
    CREATE INDEX IF NOT EXISTS object_partial ON object (kind, id) WHERE is_partial = 1;
    CREATE TABLE IF NOT EXISTS earlier (
        kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT, seen_at INTEGER NOT NULL, shows TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, id, seen_at)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS earlier_of_owner ON earlier (owner);
    CREATE TABLE IF NOT EXISTS mention (
        thing TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (thing, owner)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS touched (owner TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS losing (owner TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS said (
        owner TEXT NOT NULL, kind TEXT NOT NULL, fact TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (owner, kind, fact)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS intended (
        owner TEXT NOT NULL, kind TEXT NOT NULL, fact TEXT NOT NULL, PRIMARY KEY (owner, kind, fact)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS issue (
        owner TEXT NOT NULL, code TEXT NOT NULL, object TEXT NOT NULL, words TEXT NOT NULL, since INTEGER, until INTEGER
    ) STRICT;
    CREATE INDEX IF NOT EXISTS issue_of_owner ON issue (owner);
    CREATE TABLE IF NOT EXISTS span (
        number INTEGER PRIMARY KEY, list TEXT NOT NULL, since INTEGER, until INTEGER NOT NULL, after TEXT, reached INTEGER NOT NULL,
        objects INTEGER NOT NULL, is_done INTEGER NOT NULL
    ) STRICT;
";

/// The open tables.
pub struct Objects {
    connection: Connection,
    turns: Turns,
    packer: Packer,
    unpacker: RefCell<Unpacker>,
}

/// Where an object was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// In a list or by its id, asked for at this second: it was so then.
    Asked(i64),
    /// In an event of this second.
    Told(i64),
}

/// Everything that is kept of an owner.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Objects as JSON with the second at which they were so, by kind and id.
    pub objects: Vec<(i64, String)>,
    /// Earlier versions that show what the newest ones do not.
    pub earlier: Vec<(i64, String)>,
    /// Events of which histories are made, in an order that does not depend on when they came.
    pub events: Vec<(i64, Vec<u8>)>,
    /// The second of the newest event, of whatever type.
    pub last_event_at: Option<i64>,
    /// What was stated so far; without a digest where it is not known whether the lake has it.
    pub stated: BTreeMap<(String, String), Option<Vec<u8>>>,
    /// What the history had come to, where it goes on from there: then events that are in it, and what was over by then, are not
    /// among these.
    pub past: Option<Vec<u8>>,
}

impl Shelf {
    /// How large the texts are.
    pub fn bytes(&self) -> usize {
        let objects = self.objects.iter().chain(&self.earlier).map(|(_, text)| text.len());
        objects.chain(self.events.iter().map(|(_, gist)| gist.len())).sum()
    }
}

/// A fact that was stated, or is to be: its kind, what tells it apart, and the digest of what it says.
pub type Said = (String, String, Vec<u8>);

/// What an owner has come to.
#[derive(Debug, Default)]
pub struct Settled {
    /// Who.
    pub owner: String,
    /// The generation of the touch that was answered.
    pub generation: i64,
    /// Facts that are in the lake now.
    pub said: Vec<Said>,
    /// Facts that hold no more.
    pub gone: Vec<(String, String)>,
    /// What cannot be known or read.
    pub issues: Vec<Issue>,
    /// Whether all of it was made anew.
    pub is_whole: bool,
    /// From where its history can go on next time.
    pub noted: Option<Noted>,
}

/// What a history has come to.
#[derive(Debug)]
pub struct Noted {
    /// The second of the newest event that is in it.
    pub until: i64,
    /// The generation of the catalogue that it was read with.
    pub catalogue: i64,
    /// As bytes.
    pub body: Vec<u8>,
    /// The facts that are over, and are not stated again.
    pub over: Vec<(String, String)>,
}

impl Settled {
    /// The facts that are about to be stated or withdrawn: their kinds and what tells them apart.
    fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        let said = self.said.iter().map(|(kind, fact, _)| (kind.as_str(), fact.as_str()));
        said.chain(self.gone.iter().map(|(kind, fact)| (kind.as_str(), fact.as_str())))
    }
}

/// A piece of a list that is still to be read, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its number.
    pub number: i64,
    /// The list.
    pub list: String,
    /// The first second of creation; none for all from the beginning on, or where a list knows no times.
    pub since: Option<i64>,
    /// The first second no more.
    pub until: i64,
    /// The object after which it goes on.
    pub after: Option<String>,
    /// The second of creation that was reached, from the newest down.
    pub reached: i64,
    /// Objects that were read.
    pub objects: i64,
    /// Whether it was read to its end.
    pub is_done: bool,
}

/// What is kept of a kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kind, in Stripe's word.
    pub kind: String,
    /// How many.
    pub objects: i64,
    /// How many that belong to nobody who is known.
    pub without_owner: i64,
    /// How many that were not shown in full.
    pub partial: i64,
}

/// The note of what [`gist::version`] left of events, and of how that is packed.
const MADE_GISTS: &str = "gists";
/// The note of which readers made what histories go on from.
const MADE_PASTS: &str = "pasts";

/// Pages of the file that it keeps: a negative number is KiB to SQLite. Whatever is kept fills up in the first hour of a
/// server, and what is not is kept by the system.
const CACHE_KIB: i64 = -8_000;

impl Objects {
    /// Opens the tables of a data folder, in the store of its events.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let (connection, turns) = connect(data)?;
        // What the power takes is made again from the events and lists, for the file then is as it was a little before: no
        // commit waits for the disk, but for what is noted before the lake is asked.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute_batch(TABLES)?;
        // Customers come in any order, each with objects and events of any time.
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        let (packer, unpacker) = (Packer::of(&GISTS), RefCell::new(Unpacker::of(&GISTS)));
        let mut objects = Self { connection, turns, packer, unpacker };
        objects.put_said_by_owner()?;
        objects.keep_gists()?;
        objects.keep_pasts()?;
        Ok(objects)
    }

    /// Forgets what histories go on from, where other readers made it: these may read the same otherwise.
    fn keep_pasts(&mut self) -> Result<(), StoreError> {
        if self.note(MADE_PASTS)?.as_deref() == Some(history::version()) {
            return Ok(());
        }
        let transaction = self.begin()?;
        transaction.execute("DELETE FROM past", [])?;
        set_note(&transaction, MADE_PASTS, history::version())?;
        transaction.commit()
    }

    /// Takes over what was stated from where earlier versions of the program kept it, in the order of the facts.
    fn put_said_by_owner(&mut self) -> Result<(), StoreError> {
        let is_there = |connection: &Connection| connection.table_exists(None, "stated");
        if !is_there(&self.connection)? {
            return Ok(());
        }
        let transaction = self.begin()?;
        // Another program may have been quicker.
        if is_there(&transaction)? {
            // Without a digest it was not known whether the lake has it.
            transaction.execute_batch(
                "INSERT OR REPLACE INTO said SELECT owner, kind, fact, digest FROM stated WHERE digest IS NOT NULL;
                 INSERT OR IGNORE INTO intended SELECT owner, kind, fact FROM stated WHERE digest IS NULL;
                 DROP TABLE stated;",
            )?;
        }
        transaction.commit()
    }

    /// Makes what is kept of events anew, where a version of the program made it that read something else of them.
    fn keep_gists(&mut self) -> Result<(), StoreError> {
        let version = format!("{} {}", gist::version(), Packing::Typical as u8);
        if self.note(MADE_GISTS)?.as_ref() == Some(&version) {
            return Ok(());
        }
        let Self { connection, turns, packer, .. } = self;
        let transaction = turns.begin(connection)?;
        // Another program may have been quicker, and may have gone on since.
        if note(&transaction, MADE_GISTS)?.as_ref() == Some(&version) {
            return Ok(());
        }
        transaction.execute("DELETE FROM gist", [])?;
        {
            let taking = Taking::begin(&transaction)?;
            let sql = "SELECT number, customer, body, packing FROM event \
                       WHERE state = 'applied' AND customer IS NOT NULL ORDER BY number";
            let (mut statement, mut unpacker) = (transaction.prepare(sql)?, Unpacker::of(&BODIES));
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(event) = Told::read(&unpacker.body(row, 2)?) {
                    taking.keep_gist(row.get(0)?, row.get_ref(1)?.as_str().unwrap_or_default(), &event, packer)?;
                }
            }
        }
        set_note(&transaction, MADE_GISTS, &version)?;
        transaction.commit()
    }

    fn begin(&mut self) -> Result<Writing<'_>, StoreError> {
        self.turns.begin(&mut self.connection)
    }

    /// Takes objects, all in one transaction: their owners are touched where something is new.
    pub fn take(&mut self, objects: &[Value], seen: Seen) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut taking = Taking::begin(&transaction)?;
        for object in objects {
            taking.take(object, seen)?;
        }
        taking.end()?;
        transaction.commit()
    }

    /// Takes a page of a list with how far that brings its span; a rest of the span may go to another one.
    pub fn take_page(
        &mut self,
        objects: &[Value],
        seen: Seen,
        span: &Span,
        rest: Option<&Span>,
    ) -> Result<Option<i64>, StoreError> {
        let transaction = self.begin()?;
        let mut taking = Taking::begin(&transaction)?;
        for object in objects {
            taking.take(object, seen)?;
        }
        taking.end()?;
        let sql = "UPDATE span SET since = ?2, after = ?3, reached = ?4, objects = ?5, is_done = ?6 WHERE number = ?1";
        transaction.prepare_cached(sql)?.execute(params![
            span.number,
            span.since,
            span.after,
            span.reached,
            span.objects,
            span.is_done
        ])?;
        let rest = rest.map(|rest| add_span(&transaction, rest)).transpose()?;
        transaction.commit()?;
        Ok(rest)
    }

    /// Takes events that wait: what they show is kept with the objects, and their customers are touched. Their numbers,
    /// and those that cannot be read with the reason.
    pub fn take_events(&mut self, events: &[(i64, Vec<u8>)]) -> Result<Vec<(i64, Option<String>)>, StoreError> {
        let read = cores::map(events, events.len() > MANY, |(number, body)| (number, Told::read(body)));
        let Self { connection, turns, packer, .. } = self;
        let transaction = turns.begin(connection)?;
        let mut taking = Taking::begin(&transaction)?;
        let mut taken = Vec::with_capacity(events.len());
        for (number, event) in read {
            let Some(event) = event else {
                taken.push((*number, Some("it has no id, type, time or object that can be read".to_owned())));
                continue;
            };
            let owner = taking.owner(&event.object)?.0;
            if let Some(owner) = &owner {
                taking.mentions(&event.object, owner)?;
                taking.touch(owner)?;
                taking.keep_gist(*number, owner, &event, packer)?;
            }
            // What events say of subscriptions is read from the events themselves, in their order.
            if kind_of(&event.object) != "subscription" {
                taking.take(&event.object, Seen::Told(event.created))?;
            }
            taken.push((*number, None));
        }
        taking.end()?;
        transaction.commit()?;
        Ok(taken)
    }

    /// Owners that were touched, with the generation of the touch: those first that have lost something to others, so that they
    /// have taken it back when the others say it; then the catalogue, and all in the order of their ids.
    pub fn touched(&self, at_most: usize) -> Result<Vec<(String, i64)>, StoreError> {
        let sqls = [
            "SELECT owner, generation FROM losing JOIN touched USING (owner) ORDER BY owner LIMIT ?1",
            "SELECT owner, generation FROM touched WHERE owner NOT IN losing ORDER BY owner LIMIT ?1",
        ];
        let mut touched: Vec<(String, i64)> = Vec::new();
        for sql in sqls {
            let left = i64::try_from(at_most - touched.len()).unwrap_or(i64::MAX);
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([left], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for owner in rows {
                touched.push(owner?);
            }
        }
        Ok(touched)
    }

    /// Touches every owner, so that all facts are made again.
    pub fn touch_all(&mut self) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        {
            let taking = Taking::begin(&transaction)?;
            transaction.execute(
                "INSERT OR REPLACE INTO touched SELECT DISTINCT owner, ?1 FROM object WHERE owner IS NOT NULL",
                [taking.generation],
            )?;
            for said in ["said", "said_before"] {
                let sql = format!("INSERT OR REPLACE INTO touched SELECT DISTINCT owner, ?1 FROM {said}");
                transaction.execute(&sql, [taking.generation])?;
            }
            taking.end()?;
        }
        transaction.execute("DELETE FROM past", [])?;
        transaction.commit()
    }

    /// What is needed of an owner to make its facts: where its history can go on, what has come since. `catalogue` is the
    /// generation of the catalogue that it is read with.
    pub fn shelf_since(&self, owner: &str, catalogue: i64) -> Result<Shelf, StoreError> {
        // Where it is not known what the lake has, all of it is stated again.
        let is_unsure = self.connection.prepare_cached("SELECT 1 FROM intended WHERE owner = ?1")?.exists([owner])?;
        let sql = "SELECT until, body FROM past WHERE owner = ?1 AND catalogue = ?2 AND NOT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, self.unpacker.borrow_mut().numbered(row, 1)?));
        let past = statement.query_row(params![owner, catalogue, is_unsure], read).optional()?;
        self.shelf_after(owner, past)
    }

    /// Everything that is kept of an owner.
    pub fn shelf(&self, owner: &str) -> Result<Shelf, StoreError> {
        self.shelf_after(owner, None)
    }

    fn shelf_after(&self, owner: &str, past: Option<(i64, Vec<u8>)>) -> Result<Shelf, StoreError> {
        let (until, past) = past.unzip();
        let mut shelf = Shelf { last_event_at: until, past, ..Shelf::default() };
        let read = |sql: &str| -> Result<Vec<(i64, String)>, StoreError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([owner], |row| Ok((row.get(0)?, text_of(row.get_ref(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        shelf.objects = read("SELECT seen_at, body FROM object WHERE owner = ?1 ORDER BY kind, id")?;
        shelf.earlier = read("SELECT seen_at, body FROM earlier WHERE owner = ?1 ORDER BY seen_at, kind, id")?;
        let sql = "SELECT created, said FROM gist WHERE owner = ?1 AND created > ?2 ORDER BY created, event";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![owner, until.unwrap_or(i64::MIN)])?;
        while let Some(row) = rows.next()? {
            let created = row.get(0)?;
            shelf.last_event_at = Some(created);
            if row.get_ref(1)? != ValueRef::Null {
                shelf.events.push((created, self.unpacker.borrow_mut().numbered(row, 1)?));
            }
        }
        drop(rows);
        drop(statement);
        let before = "SELECT kind, fact, digest FROM said_before WHERE owner = ?1";
        let sqls = ["SELECT kind, fact, digest FROM said WHERE owner = ?1", before];
        for sql in sqls.into_iter().take(if until.is_some() { 1 } else { 2 }) {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([owner], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            for stated in rows {
                shelf.stated.extend([stated?]);
            }
        }
        // Whether the lake has these nobody knows.
        let mut statement = self.connection.prepare_cached("SELECT kind, fact FROM intended WHERE owner = ?1")?;
        let rows = statement.query_map([owner], |row| Ok(((row.get(0)?, row.get(1)?), None)))?;
        for intended in rows {
            shelf.stated.extend([intended?]);
        }
        Ok(shelf)
    }

    /// Notes what is about to be stated or withdrawn, before the lake is asked: should the answer never come, all of it is
    /// stated or withdrawn again. When this returns it is on the disk.
    pub fn intend(&mut self, settled: &[Settled]) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "synchronous", "full")?;
        let noted = self.note_intended(settled);
        self.connection.pragma_update(None, "synchronous", "normal")?;
        noted
    }

    fn note_intended(&mut self, settled: &[Settled]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        {
            // They stand side by side until they are settled, so that this commit, for which all wait, is small.
            let sql = "INSERT OR IGNORE INTO intended (owner, kind, fact) VALUES (?1, ?2, ?3)";
            let mut statement = transaction.prepare_cached(sql)?;
            for of in settled {
                // Withdrawn or not: who says the same again states it again.
                for (kind, fact) in of.facts() {
                    statement.execute(params![of.owner, kind, fact])?;
                }
            }
        }
        transaction.commit()
    }

    /// Notes what the lake has taken, and that by this events became facts. Who was touched again since stays touched. Call
    /// it after the facts are in the lake: who crashes in between does it again.
    pub fn settle(&mut self, settled: &[Settled], events: &[i64], now_micros: i64) -> Result<(), StoreError> {
        if settled.is_empty() && events.is_empty() {
            return Ok(());
        }
        let Self { connection, turns, packer, .. } = self;
        let transaction = turns.begin(connection)?;
        for of in settled {
            if of.is_whole {
                // What stood aside is one with the rest again.
                let sqls = [
                    "INSERT OR REPLACE INTO said SELECT owner, kind, fact, digest FROM said_before WHERE owner = ?1",
                    "DELETE FROM said_before WHERE owner = ?1",
                    "DELETE FROM past WHERE owner = ?1",
                ];
                for sql in sqls {
                    transaction.prepare_cached(sql)?.execute([&of.owner])?;
                }
            }
            for (kind, fact, digest) in &of.said {
                let sql = "INSERT OR REPLACE INTO said (owner, kind, fact, digest) VALUES (?1, ?2, ?3, ?4)";
                transaction.prepare_cached(sql)?.execute(params![of.owner, kind, fact, digest])?;
            }
            for (kind, fact) in &of.gone {
                transaction
                    .prepare_cached("DELETE FROM said WHERE owner = ?1 AND kind = ?2 AND fact = ?3")?
                    .execute(params![of.owner, kind, fact])?;
            }
            for (kind, fact) in of.facts() {
                transaction
                    .prepare_cached("DELETE FROM intended WHERE owner = ?1 AND kind = ?2 AND fact = ?3")?
                    .execute(params![of.owner, kind, fact])?;
            }
            if let Some(noted) = &of.noted {
                keep_past(&transaction, &of.owner, noted, packer)?;
            }
            keep_issues(&transaction, &of.owner, &of.issues)?;
            let is_done = transaction
                .prepare_cached("DELETE FROM touched WHERE owner = ?1 AND generation <= ?2")?
                .execute(params![of.owner, of.generation])?;
            if is_done > 0 {
                transaction.prepare_cached("DELETE FROM losing WHERE owner = ?1")?.execute([&of.owner])?;
            }
        }
        let sql = "UPDATE event SET state = 'applied', reason = NULL, settled_at = ?2 \
                   WHERE number = ?1 AND state = 'waiting'";
        for number in events {
            transaction.prepare_cached(sql)?.execute(params![number, now_micros])?;
        }
        transaction.commit()
    }

    /// The generation of the catalogue: whoever keeps it reads it again when it grows.
    pub fn catalogue_generation(&self) -> Result<i64, StoreError> {
        Ok(self.note("catalogue")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Prices and coupons.
    pub fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let mut catalogue = Catalogue::default();
        // A plan says less than the price of the same id, so it comes first.
        let sql = "SELECT body FROM object WHERE kind = ?1 ORDER BY id";
        for kind in ["plan", "price", "coupon"] {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([kind])?;
            while let Some(row) = rows.next()? {
                if let Some(object) = Gist::read(row.get_ref(0)?.as_str().unwrap_or_default()) {
                    // What cannot be read is an issue of the catalogue, where its facts are made.
                    catalogue.take(&object, &mut Vec::new());
                }
            }
        }
        Ok(catalogue)
    }

    /// Objects of a kind that were not shown in full.
    pub fn partial(&self, kind: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT id FROM object WHERE kind = ?1 AND is_partial = 1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([kind], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// An object as it is kept.
    pub fn object(&self, kind: &str, id: &str) -> Result<Option<Value>, StoreError> {
        let sql = "SELECT body FROM object WHERE kind = ?1 AND id = ?2";
        let body: Option<String> = self.connection.query_row(sql, [kind, id], |row| row.get(0)).optional()?;
        Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
    }

    /// Notes that an object will not be shown in full any more, such as one that was deleted.
    pub fn leave_partial(&mut self, kind: &str, id: &str) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        transaction.execute("UPDATE object SET is_partial = 0 WHERE kind = ?1 AND id = ?2", [kind, id])?;
        transaction.commit()
    }

    /// The ids of a kind.
    pub fn ids(&self, kind: &str) -> Result<BTreeSet<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM object WHERE kind = ?1")?;
        let rows = statement.query_map([kind], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> Result<Vec<Count>, StoreError> {
        let sql = "SELECT kind, COUNT(*), SUM(owner IS NULL), SUM(is_partial) FROM object GROUP BY kind ORDER BY kind";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Count { kind: row.get(0)?, objects: row.get(1)?, without_owner: row.get(2)?, partial: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How often each issue is there.
    pub fn issue_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT code, COUNT(*) FROM issue GROUP BY code ORDER BY COUNT(*) DESC, code";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The codes of the issues of an owner.
    pub fn issue_codes(&self, owner: &str) -> Result<BTreeSet<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT DISTINCT code FROM issue WHERE owner = ?1")?;
        let rows = statement.query_map([owner], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Customers with subscriptions, invoices or charges.
    pub fn customers(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT owner FROM object WHERE kind IN ('subscription', 'invoice', 'charge') AND owner > '' ORDER BY owner";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Spans of lists, all of them.
    pub fn spans(&self) -> Result<Vec<Span>, StoreError> {
        let sql = "SELECT number, list, since, until, after, reached, objects, is_done FROM span ORDER BY number";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Span {
                number: row.get(0)?,
                list: row.get(1)?,
                since: row.get(2)?,
                until: row.get(3)?,
                after: row.get(4)?,
                reached: row.get(5)?,
                objects: row.get(6)?,
                is_done: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Begins anew with these spans, and remembers something with it.
    pub fn set_spans(&mut self, spans: &[Span], notes: &[(&str, &str)]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        transaction.execute("DELETE FROM span", [])?;
        for span in spans {
            add_span(&transaction, span)?;
        }
        for (name, value) in notes {
            set_note(&transaction, name, value)?;
        }
        transaction.commit()
    }

    /// Something that is remembered under a name.
    pub fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        note(&self.connection, name)
    }

    /// Remembers things under their names.
    pub fn set_notes(&mut self, notes: &[(&str, &str)]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        for (name, value) in notes {
            set_note(&transaction, name, value)?;
        }
        transaction.commit()
    }
}

/// What is kept as text, and was read as text before: to look whether it is whole takes less than to mend it.
fn text_of(kept: ValueRef<'_>) -> String {
    let bytes = kept.as_bytes().unwrap_or_default();
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

/// Keeps what a history has come to, and puts aside what is over.
fn keep_past(transaction: &Transaction<'_>, owner: &str, noted: &Noted, packer: &mut Packer) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO past (owner, until, catalogue, body) VALUES (?1, ?2, ?3, ?4)";
    let body = packer.pack_with_number(&noted.body);
    transaction.prepare_cached(sql)?.execute(params![owner, noted.until, noted.catalogue, body])?;
    let sqls = [
        "INSERT OR REPLACE INTO said_before SELECT owner, kind, fact, digest FROM said \
         WHERE owner = ?1 AND kind = ?2 AND fact = ?3",
        "DELETE FROM said WHERE owner = ?1 AND kind = ?2 AND fact = ?3",
    ];
    for (kind, fact) in &noted.over {
        for sql in sqls {
            transaction.prepare_cached(sql)?.execute(params![owner, kind, fact])?;
        }
    }
    Ok(())
}

/// Keeps what cannot be known or read of an owner, where that is not what was kept before.
fn keep_issues(transaction: &Transaction<'_>, owner: &str, issues: &[Issue]) -> Result<(), StoreError> {
    type Kept = (String, String, String, Option<i64>, Option<i64>);
    let kept = |issue: &Issue| -> Kept {
        let code = issue.code_words().map_or("", |words| words.name);
        let (since, until) = issue.between.unzip();
        (code.to_owned(), issue.object.clone(), issue.words.clone(), since, until)
    };
    let now: Vec<Kept> = issues.iter().map(kept).collect();
    let before: Vec<Kept> = {
        let sql = "SELECT code, object, words, since, until FROM issue WHERE owner = ?1 ORDER BY rowid";
        let mut statement = transaction.prepare_cached(sql)?;
        let rows = statement
            .query_map([owner], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    if now == before {
        return Ok(());
    }
    transaction.prepare_cached("DELETE FROM issue WHERE owner = ?1")?.execute([owner])?;
    let sql = "INSERT INTO issue (owner, code, object, words, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (code, object, words, since, until) in now {
        statement.execute(params![owner, code, object, words, since, until])?;
    }
    Ok(())
}

fn note(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM note WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}

fn set_note(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)")?.execute([name, value])?;
    Ok(())
}

fn add_span(transaction: &Transaction<'_>, span: &Span) -> Result<i64, StoreError> {
    let sql =
        "INSERT INTO span (list, since, until, after, reached, objects, is_done) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    transaction.prepare_cached(sql)?.execute(params![
        span.list,
        span.since,
        span.until,
        span.after,
        span.reached,
        span.objects,
        span.is_done
    ])?;
    Ok(transaction.last_insert_rowid())
}

/// The kind of an object, in Stripe's word.
pub fn kind_of(object: &Value) -> &str {
    object.get("object").and_then(Value::as_str).unwrap_or_default()
}

/// The id of an object.
pub fn id_of(object: &Value) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// The id in a field, where an object may stand in full.
fn named<'v>(object: &'v Value, field: &str) -> Option<&'v str> {
    let found = object.get(field)?;
    found.as_str().or_else(|| found.get("id")?.as_str()).filter(|id| !id.is_empty())
}

/// What an event tells.
struct Told {
    id: String,
    created: i64,
    object: Value,
    gist: Option<Vec<u8>>,
}

impl Told {
    fn read(body: &[u8]) -> Option<Self> {
        let mut event: Value = serde_json::from_slice(body).ok()?;
        let (id, created) = (id_of(&event).to_owned(), event.get("created")?.as_i64()?);
        let is_of_history = event.get("type")?.as_str().is_some_and(stripe::event::is_of_history);
        let gist = if is_of_history { Gist::of_event(&event) } else { None };
        let object = event.pointer_mut("/data/object").map(Value::take).filter(Value::is_object)?;
        let gist = gist.map(|gist| gist.to_bytes());
        Some(Self { id, created, object, gist }).filter(|told| !told.id.is_empty())
    }
}

/// A transaction in which objects are taken.
struct Taking<'t> {
    transaction: &'t Transaction<'t>,
    generation: i64,
}

/// An object as it was kept until now.
struct Before {
    owner: Option<String>,
    seen_at: i64,
    text: String,
}

impl<'t> Taking<'t> {
    fn begin(transaction: &'t Transaction<'t>) -> Result<Self, StoreError> {
        let generation = note(transaction, "generation")?.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self { transaction, generation: generation + 1 })
    }

    fn end(self) -> Result<(), StoreError> {
        set_note(self.transaction, "generation", &self.generation.to_string())
    }

    fn touch(&mut self, owner: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO touched (owner, generation) VALUES (?1, ?2)";
        self.transaction.prepare_cached(sql)?.execute(params![owner, self.generation])?;
        Ok(())
    }

    /// Whose an object is, and of what it is a part where it does not say it.
    fn owner(&self, object: &Value) -> Result<(Option<String>, Option<String>), StoreError> {
        let kind = kind_of(object);
        let own = match kind {
            "price" | "plan" | "product" | "coupon" | "promotion_code" | "tax_rate" => Some(CATALOGUE.to_owned()),
            "customer" => Some(id_of(object).to_owned()),
            _ => named(object, "customer").map(str::to_owned),
        };
        let parent = match kind {
            _ if own.is_some() => None,
            "refund" | "dispute" => named(object, "charge"),
            "invoice_payment" => named(object, "invoice"),
            "balance_transaction" => named(object, "source"),
            _ => None,
        };
        let Some(parent) = parent else {
            // What Stripe itself takes belongs to nobody: it is kept by month.
            let is_fee = kind == "balance_transaction";
            let created = object.get("created").and_then(Value::as_i64).filter(|_| is_fee && own.is_none());
            let month = created.map(|created| stripe::fact::moment(created).chars().take(7).collect::<String>());
            return Ok((own.or_else(|| month.map(|month| format!("fees of {month}"))), None));
        };
        let sql = "SELECT owner FROM object WHERE id = ?1 AND owner IS NOT NULL AND kind IN \
                   ('charge', 'invoice', 'refund', 'dispute')";
        let found = self.transaction.prepare_cached(sql)?.query_row([parent], |row| row.get(0)).optional()?;
        Ok((found, Some(parent.to_owned())))
    }

    /// Keeps what an event says of an owner, beside what others say of it.
    fn keep_gist(&self, number: i64, owner: &str, event: &Told, packer: &mut Packer) -> Result<(), StoreError> {
        if owner == CATALOGUE {
            return Ok(());
        }
        let sql = "UPDATE event SET customer = ?2 WHERE number = ?1 AND customer IS NOT ?2";
        self.transaction.prepare_cached(sql)?.execute(params![number, owner])?;
        let sql = "INSERT OR REPLACE INTO gist (owner, created, event, said) VALUES (?1, ?2, ?3, ?4)";
        let said = event.gist.as_ref().map(|gist| packer.pack_with_number(gist));
        self.transaction.prepare_cached(sql)?.execute(params![owner, event.created, event.id, said])?;
        if said.is_some() {
            // It comes late: nothing goes on from what came after it.
            let sql = "DELETE FROM past WHERE owner = ?1 AND until >= ?2";
            self.transaction.prepare_cached(sql)?.execute(params![owner, event.created])?;
        }
        Ok(())
    }

    fn take(&mut self, object: &Value, seen: Seen) -> Result<(), StoreError> {
        let (kind, id) = (kind_of(object), id_of(object));
        if kind.is_empty() || id.is_empty() {
            return Ok(());
        }
        let sql = "SELECT owner, seen_at, body FROM object WHERE kind = ?1 AND id = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok(Before { owner: row.get(0)?, seen_at: row.get(1)?, text: row.get(2)? });
        let before: Option<Before> = self.transaction.prepare_cached(sql)?.query_row([kind, id], read).optional()?;
        let kept: Option<Value> = before.as_ref().and_then(|before| serde_json::from_str(&before.text).ok());
        let at = match seen {
            Seen::Asked(at) | Seen::Told(at) => at,
        };
        if let (Some(before), Some(kept)) = (&before, &kept) {
            let is_newer = match seen {
                Seen::Asked(at) => at >= before.seen_at,
                // Of two events of one second the one that is further on came later.
                Seen::Told(at) => at > before.seen_at || at == before.seen_at && progress(object) > progress(kept),
            };
            if !is_newer {
                return self.keep_earlier(kind, id, before.owner.as_deref(), at, object, Some(kept));
            }
        }
        let object = &whole(object, kept.as_ref());
        let text = object.to_string();
        if let Some(before) = before.as_ref().filter(|before| before.text == text) {
            // It is still as it was; only events since then make that worth knowing.
            let sql = "SELECT 1 FROM gist WHERE owner = ?1 AND created >= ?2 UNION ALL \
                       SELECT 1 FROM event WHERE customer = ?1 AND created >= ?2 AND state = 'waiting' LIMIT 1";
            let owner = before.owner.clone().unwrap_or_default();
            if at > before.seen_at && self.transaction.prepare_cached(sql)?.exists(params![owner, before.seen_at])? {
                let sql = "UPDATE object SET seen_at = ?3 WHERE kind = ?1 AND id = ?2";
                self.transaction.prepare_cached(sql)?.execute(params![kind, id, at])?;
                self.touch(&owner)?;
            }
            return Ok(());
        }
        let (owner, parent) = self.owner(object)?;
        if let (Some(before), Some(kept)) = (&before, &kept) {
            self.keep_earlier(kind, id, owner.as_deref(), before.seen_at, kept, Some(object))?;
            // Whose it was has one thing less.
            if let Some(other) = before.owner.as_ref().filter(|other| Some(*other) != owner.as_ref()) {
                self.touch(other)?;
                self.transaction
                    .prepare_cached("INSERT OR IGNORE INTO losing (owner) VALUES (?1)")?
                    .execute([other])?;
            }
        }
        let sql = "INSERT OR REPLACE INTO object (kind, id, owner, parent, created, seen_at, is_partial, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let created = object.get("created").and_then(Value::as_i64).unwrap_or(0);
        self.transaction.prepare_cached(sql)?.execute(params![
            kind,
            id,
            owner,
            parent,
            created,
            at,
            is_partial(object),
            text
        ])?;
        if let Some(owner) = owner {
            self.own(kind, id, object, &owner)?;
        }
        if matches!(kind, "price" | "plan" | "coupon") && terms_differ(object, kept.as_ref()) {
            set_note(self.transaction, "catalogue", &self.generation.to_string())?;
            let thing = if kind == "coupon" { format!("coupon:{id}") } else { format!("price:{id}") };
            let sql = "INSERT OR REPLACE INTO touched SELECT owner, ?2 FROM mention WHERE thing = ?1";
            self.transaction.prepare_cached(sql)?.execute(params![thing, self.generation])?;
        }
        if kind == "product" {
            set_note(self.transaction, "catalogue", &self.generation.to_string())?;
        }
        Ok(())
    }

    /// An object has an owner: what waited for it has one too.
    fn own(&mut self, kind: &str, id: &str, object: &Value, owner: &str) -> Result<(), StoreError> {
        self.touch(owner)?;
        self.mentions(object, owner)?;
        if !matches!(kind, "charge" | "invoice" | "refund" | "dispute") {
            return Ok(());
        }
        let sql = "SELECT kind, id FROM object WHERE parent = ?1 AND owner IS NULL";
        let waited: Vec<(String, String)> = {
            let mut statement = self.transaction.prepare_cached(sql)?;
            let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (kind, id) in waited {
            let sql = "UPDATE object SET owner = ?3 WHERE kind = ?1 AND id = ?2";
            self.transaction.prepare_cached(sql)?.execute(params![kind, id, owner])?;
            self.own(&kind, &id, &Value::Null, owner)?;
        }
        Ok(())
    }

    /// Notes which prices and coupons an owner has to do with.
    fn mentions(&mut self, object: &Value, owner: &str) -> Result<(), StoreError> {
        if owner == CATALOGUE {
            return Ok(());
        }
        let mut things = BTreeSet::new();
        mentioned(object, &mut things);
        for thing in things {
            let sql = "INSERT OR IGNORE INTO mention (thing, owner) VALUES (?1, ?2)";
            self.transaction.prepare_cached(sql)?.execute(params![thing, owner])?;
        }
        Ok(())
    }

    /// Keeps a version that is not the newest, where it shows a discount in full that the newest one does not.
    fn keep_earlier(
        &mut self,
        kind: &str,
        id: &str,
        owner: Option<&str>,
        seen_at: i64,
        version: &Value,
        newest: Option<&Value>,
    ) -> Result<(), StoreError> {
        let shows = discount::in_full(version);
        if shows.is_empty() {
            return Ok(());
        }
        let mut known = newest.map(discount::in_full).unwrap_or_default();
        {
            let sql = "SELECT shows FROM earlier WHERE kind = ?1 AND id = ?2";
            let mut statement = self.transaction.prepare_cached(sql)?;
            let mut rows = statement.query([kind, id])?;
            while let Some(row) = rows.next()? {
                known.extend(row.get_ref(0)?.as_str().unwrap_or_default().split(' ').map(str::to_owned));
            }
        }
        if shows.is_subset(&known) {
            return Ok(());
        }
        let shows = shows.into_iter().collect::<Vec<_>>().join(" ");
        let sql =
            "INSERT OR REPLACE INTO earlier (kind, id, owner, seen_at, shows, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.transaction.prepare_cached(sql)?.execute(params![kind, id, owner, seen_at, shows, version.to_string()])?;
        if let Some(owner) = owner {
            self.touch(owner)?;
        }
        Ok(())
    }
}

/// Whether a price or coupon says something else than before of what is paid.
fn terms_differ(object: &Value, kept: Option<&Value>) -> bool {
    let read = |object: &Value| {
        let mut catalogue = Catalogue::default();
        catalogue.take(&Gist::of(object), &mut Vec::new());
        (catalogue.prices, catalogue.coupons)
    };
    kept.is_none_or(|kept| read(object) != read(kept))
}

/// An object with what an earlier version showed, where this one leaves it out: the tiers of a price, and the lines of an
/// invoice beyond the first ones, once they can change no more.
fn whole(object: &Value, kept: Option<&Value>) -> Value {
    let mut object = object.clone();
    let Some(kept) = kept else { return object };
    match kind_of(&object) {
        "price" | "plan" => {
            for field in ["tiers", "currency_options"] {
                if object.get(field).is_none_or(Value::is_null)
                    && let Some(known) = kept.get(field).filter(|known| !known.is_null())
                {
                    object[field] = known.clone();
                }
            }
        }
        "invoice" if is_partial(&object) && !is_partial(kept) => {
            let is_final = kept.get("status").and_then(Value::as_str).is_some_and(|status| status != "draft");
            if let Some(lines) = kept.get("lines").filter(|_| is_final) {
                object["lines"] = lines.clone();
            }
        }
        _ => {}
    }
    object
}

/// Whether an object is not shown in full: an invoice with its first lines, a tiered price without tiers.
fn is_partial(object: &Value) -> bool {
    match kind_of(object) {
        "invoice" => object.pointer("/lines/has_more").and_then(Value::as_bool) == Some(true),
        "price" | "plan" => {
            object.get("billing_scheme").and_then(Value::as_str) == Some("tiered")
                && object.get("tiers").and_then(Value::as_array).is_none_or(Vec::is_empty)
        }
        _ => false,
    }
}

/// How far on an object is, to tell two versions of one second apart.
fn progress(object: &Value) -> (i64, i64, i64) {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| object.get(name).and_then(Value::as_i64).unwrap_or(0);
    let stage = match text("status") {
        "draft" | "requires_action" | "needs_response" | "warning_needs_response" => 0,
        "open" | "pending" | "under_review" | "warning_under_review" => 1,
        "uncollectible" | "failed" => 2,
        "" => 0,
        _ => 3,
    };
    let is_gone = object.get("deleted").and_then(Value::as_bool).unwrap_or(false);
    (stage + 10 * i64::from(is_gone), number("attempt_count"), number("amount_refunded") + number("amount_paid"))
}

/// The prices and coupons that an object names.
fn mentioned(object: &Value, things: &mut BTreeSet<String>) {
    match object {
        Value::Object(fields) => {
            for (name, value) in fields {
                let thing = match name.as_str() {
                    "price" | "plan" => "price",
                    "coupon" => "coupon",
                    _ => "",
                };
                let id = value.as_str().or_else(|| value.get("id").and_then(Value::as_str));
                if let Some(id) = id.filter(|id| !thing.is_empty() && !id.is_empty()) {
                    things.insert(format!("{thing}:{id}"));
                }
                mentioned(value, things);
            }
        }
        Value::Array(members) => members.iter().for_each(|member| mentioned(member, things)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stripe::{
        arrival::Arrival,
        store::{Road, Store},
    };

    /// Seats of a subscription from one second on.
    fn seats(at: i64, seats: i64) -> Arrival {
        let body = json!({"id": format!("evt_{at}"), "object": "event", "type": "customer.subscription.updated", "created": at,
            "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1", "quantity": seats}}});
        Arrival::of_event(&body)
    }

    fn invoice(at: i64) -> Arrival {
        let body = json!({"id": format!("evt_{at}"), "object": "event", "type": "invoice.paid", "created": at,
            "data": {"object": {"id": "in_1", "object": "invoice", "customer": "cus_1", "total": 500}}});
        Arrival::of_event(&body)
    }

    /// Everything that waits, taken; their numbers.
    fn take(store: &Store, objects: &mut Objects) -> Vec<i64> {
        let waiting = store.waiting(100, usize::MAX).unwrap();
        let bodies: Vec<(i64, Vec<u8>)> = waiting.into_iter().map(|event| (event.number, event.body)).collect();
        objects.take_events(&bodies).unwrap().into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn what_is_kept_of_events_is_in_order_and_is_made_anew_where_another_program_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut objects) = (Store::open(folder.path()).unwrap(), Objects::open(folder.path()).unwrap());
        store.put(&[seats(30, 3), invoice(40), seats(10, 1), seats(20, 2)], Road::Webhook, 1).unwrap();
        let taken = take(&store, &mut objects);
        objects.settle(&[], &taken, 2).unwrap();
        let shelf = objects.shelf("cus_1").unwrap();
        let times: Vec<i64> = shelf.events.iter().map(|(at, _)| *at).collect();
        assert_eq!((times, shelf.last_event_at), (vec![10, 20, 30], Some(40)), "the invoice is kept by itself");

        objects.connection.execute("UPDATE gist SET said = x'00' WHERE created = 20", []).unwrap();
        let spoilt = Objects::open(folder.path()).unwrap().shelf("cus_1").unwrap();
        assert_ne!(spoilt.events, shelf.events, "what this program made is left alone");
        objects.set_notes(&[(MADE_GISTS, "another")]).unwrap();
        let again = Objects::open(folder.path()).unwrap().shelf("cus_1").unwrap();
        assert_eq!((again.events, again.last_event_at), (shelf.events, shelf.last_event_at));
    }

    /// A customer of three events, of which a history goes on from the second: what was said then stands aside.
    fn goes_on(folder: &Path) -> (Store, Objects) {
        let (mut store, mut objects) = (Store::open(folder).unwrap(), Objects::open(folder).unwrap());
        store.put(&[seats(10, 1), seats(20, 2), seats(30, 3)], Road::Webhook, 1).unwrap();
        let taken = take(&store, &mut objects);
        let fact = |name: &str| ("subscriptions".to_owned(), name.to_owned());
        let said = ["over", "open"].map(fact).map(|(kind, fact)| (kind, fact, vec![1]));
        let noted = Noted { until: 20, catalogue: 7, body: b"so far".to_vec(), over: vec![fact("over")] };
        let generation = objects.touched(1).unwrap()[0].1;
        let settled = Settled { owner: "cus_1".to_owned(), generation, said: said.into(), ..Settled::default() };
        objects.settle(&[Settled { is_whole: true, noted: Some(noted), ..settled }], &taken, 2).unwrap();
        (store, objects)
    }

    /// The facts and events that a history is made of, and whether it goes on.
    fn needed(objects: &Objects, catalogue: i64) -> (Vec<String>, Vec<i64>, bool) {
        let shelf = objects.shelf_since("cus_1", catalogue).unwrap();
        let facts = shelf.stated.into_keys().map(|(_, fact)| fact).collect();
        (facts, shelf.events.into_iter().map(|(at, _)| at).collect(), shelf.past.is_some())
    }

    #[test]
    fn what_is_over_stands_aside_until_everything_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let (_, mut objects) = goes_on(folder.path());
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let since = || (names(&["open"]), vec![30], true);
        let whole = || (names(&["open", "over"]), vec![10, 20, 30], false);
        assert_eq!((needed(&objects, 7), needed(&objects, 8)), (since(), whole()), "prices may say something else");
        assert_eq!(objects.shelf("cus_1").unwrap().stated.len(), 2);

        // Nobody knows whether the lake has what was about to be stated.
        let about = Settled {
            owner: "cus_1".to_owned(),
            gone: vec![("payments".to_owned(), "x".to_owned())],
            ..Settled::default()
        };
        objects.intend(std::slice::from_ref(&about)).unwrap();
        assert_eq!(needed(&objects, 7).1.len(), 3);
        objects.settle(&[about], &[], 3).unwrap();
        assert_eq!(needed(&objects, 7), since());

        objects.settle(&[Settled { owner: "cus_1".to_owned(), is_whole: true, ..Settled::default() }], &[], 4).unwrap();
        assert_eq!(needed(&objects, 7), whole());
        let aside = objects.connection.query_row("SELECT COUNT(*) FROM said_before", [], |row| row.get::<_, i64>(0));
        assert_eq!(aside.unwrap(), 0);
    }

    #[test]
    fn nothing_goes_on_from_what_is_no_longer_so() {
        type Change = fn(&mut Store, &mut Objects);
        let changes: [(&str, Change, bool); 6] = [
            ("a newer event", |store, objects| put(store, objects, 40), true),
            ("one of that very second", |store, objects| put(store, objects, 20), false),
            ("a late one", |store, objects| put(store, objects, 15), false),
            ("everything is to be made anew", |_, objects| objects.touch_all().unwrap(), false),
            ("other readers", |_, objects| objects.set_notes(&[(MADE_PASTS, "others")]).unwrap(), false),
            (
                "what waits is put aside",
                |store, objects| {
                    put(store, objects, 50);
                    store.quarantine_of("cus_1", "a fault of ours", 4).unwrap();
                },
                false,
            ),
        ];
        fn put(store: &mut Store, objects: &mut Objects, at: i64) {
            let event = Arrival { id: format!("evt_more_{at}"), ..seats(at, 5) };
            store.put(&[event], Road::Webhook, 3).unwrap();
            take(store, objects);
        }
        for (what, change, goes_on_still) in changes {
            let folder = tempfile::tempdir().unwrap();
            let (mut store, mut objects) = goes_on(folder.path());
            change(&mut store, &mut objects);
            drop(objects);
            let objects = Objects::open(folder.path()).unwrap();
            assert_eq!(needed(&objects, 7).2, goes_on_still, "{what}");
        }
    }

    #[test]
    fn what_earlier_programs_kept_of_what_was_stated_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(folder.path()).unwrap();
        let earlier = "CREATE TABLE stated (
                kind TEXT NOT NULL, fact TEXT NOT NULL, owner TEXT NOT NULL, digest BLOB, PRIMARY KEY (kind, fact)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO stated VALUES ('payments', 'ch_1', 'cus_1', x'01'), ('payments', 'ch_2', 'cus_1', NULL),
                ('payments', 'ch_3', 'cus_2', x'03')";
        objects.connection.execute_batch(earlier).unwrap();
        drop(objects);
        let stated = |objects: &Objects, owner: &str| -> Vec<(String, Option<Vec<u8>>)> {
            let stated = objects.shelf(owner).unwrap().stated;
            stated.into_iter().map(|((_, fact), digest)| (fact, digest)).collect()
        };
        for _ in 0..2 {
            let objects = Objects::open(folder.path()).unwrap();
            assert_eq!(stated(&objects, "cus_1"), [("ch_1".to_owned(), Some(vec![1])), ("ch_2".to_owned(), None)]);
            assert_eq!(stated(&objects, "cus_2"), [("ch_3".to_owned(), Some(vec![3]))]);
        }
    }

    #[test]
    fn who_lost_something_comes_before_who_has_it_now() {
        let folder = tempfile::tempdir().unwrap();
        let mut objects = Objects::open(folder.path()).unwrap();
        let charge = |customer: &str| json!({"object": "charge", "id": "ch_1", "customer": customer, "amount": 5});
        objects.take(&[charge("cus_9")], Seen::Asked(10)).unwrap();
        let owners = |objects: &Objects, at_most| -> Vec<String> {
            objects.touched(at_most).unwrap().into_iter().map(|(owner, _)| owner).collect()
        };
        let settle = |objects: &mut Objects, owner: &str| {
            let generation = objects.touched(9).unwrap().into_iter().map(|(_, generation)| generation).max().unwrap();
            let settled = Settled { owner: owner.to_owned(), generation, ..Settled::default() };
            objects.settle(&[settled], &[], 1).unwrap();
        };
        settle(&mut objects, "cus_9");
        objects.take(&[charge("cus_1"), json!({"object": "customer", "id": "cus_0"})], Seen::Asked(20)).unwrap();
        assert_eq!(owners(&objects, 9), ["cus_9", "cus_0", "cus_1"]);
        assert_eq!(owners(&objects, 1), ["cus_9"]);
        assert_eq!(owners(&objects, 2), ["cus_9", "cus_0"]);
        settle(&mut objects, "cus_9");
        assert_eq!(owners(&objects, 9), ["cus_0", "cus_1"]);
        objects.take(&[json!({"object": "customer", "id": "cus_9"})], Seen::Asked(30)).unwrap();
        assert_eq!(owners(&objects, 9), ["cus_0", "cus_1", "cus_9"], "by now it has lost nothing");
    }

    #[test]
    fn what_is_put_aside_is_no_longer_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut objects) = (Store::open(folder.path()).unwrap(), Objects::open(folder.path()).unwrap());
        store.put(&[seats(10, 1)], Road::Webhook, 1).unwrap();
        let taken = take(&store, &mut objects);
        objects.settle(&[], &taken, 2).unwrap();
        store.put(&[seats(20, 2)], Road::Webhook, 3).unwrap();
        take(&store, &mut objects);
        assert_eq!(store.quarantine_of("cus_1", "a fault of ours", 4).unwrap(), 1);
        let shelf = objects.shelf("cus_1").unwrap();
        assert_eq!((shelf.events.len(), shelf.last_event_at), (1, Some(10)));
        assert_eq!(store.replay(None).unwrap(), (1, 0));
        take(&store, &mut objects);
        assert_eq!(objects.shelf("cus_1").unwrap().last_event_at, Some(20));
    }
}
