//! Rules, channels, the outbox and the delivery log, in `alerts.sqlite` beside the catalogue. It holds names of secrets
//! and no secret, and of customers what messages say of them.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use outlook::alert::{Memory, Said, Standing};
use revenue::calendar::Day;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Channel, Rule};

/// Why the alerts of a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error("the alerts of this folder cannot be read or written: {0}; look at alerts.sqlite in the data folder")]
    Store(#[from] rusqlite::Error),
    /// The file is of a newer program.
    #[error("alerts.sqlite is of version {found}, and this program knows {known}; use the newer program")]
    Version {
        /// What was found.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// What is kept cannot be read.
    #[error("the {kind} `{id}` cannot be read; remove it and set it again")]
    Damaged {
        /// rule or channel.
        kind: &'static str,
        /// Its name.
        id: String,
    },
    /// Chance cannot be had.
    #[error("the system gives no random numbers: {0}")]
    Chance(String),
}

/// What the file was made as, step by step: each is done once.
const STEPS: &[&str] = &["
    CREATE TABLE rule (
        id TEXT PRIMARY KEY, revision TEXT NOT NULL, content TEXT NOT NULL, memory TEXT, changes INTEGER NOT NULL,
        fault TEXT, set_by TEXT NOT NULL, set_at INTEGER NOT NULL, judged_at INTEGER
    ) STRICT;
    CREATE TABLE channel (
        id TEXT PRIMARY KEY, content TEXT NOT NULL, set_by TEXT NOT NULL, set_at INTEGER NOT NULL, failing_since INTEGER
    ) STRICT;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, recipient TEXT NOT NULL,
        kind TEXT NOT NULL, rule TEXT, subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT, payload TEXT NOT NULL,
        made_at INTEGER NOT NULL, due_at INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
        held INTEGER NOT NULL, bundle INTEGER, done_at INTEGER
    ) STRICT;
    CREATE INDEX outbox_waiting ON outbox (channel, recipient, due_at) WHERE state = 'waiting';
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL REFERENCES outbox (id), begun_at INTEGER NOT NULL,
        ended_at INTEGER, code TEXT, words TEXT
    ) STRICT;
    CREATE INDEX attempt_of ON attempt (message);
"];

/// How long what was delivered stays in the log, in microseconds: 400 days.
const KEPT: i64 = 400 * 86_400_000_000;
/// So many messages stay in any case.
const ALWAYS_KEPT: i64 = 1_000;
/// Nothing is put off for longer than this: quiet hours end within a day, and attempts follow each other sooner. What is
/// due later was put off by a clock that ran ahead.
const FARTHEST: i64 = 2 * 86_400_000_000;
/// What is to be sent at ?1, where ?2 is as far from it as anything is put off.
const IS_DUE: &str = "state = 'waiting' AND (due_at <= ?1 OR due_at > ?2)";

/// A rule with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRule {
    /// The rule.
    pub rule: Rule,
    /// Which setting of it this is.
    pub revision: String,
    /// What it remembers.
    pub memory: Option<Memory>,
    /// How often its state changed.
    pub changes: i64,
    /// Why it could not be judged the last time, where it could not.
    pub fault: Option<String>,
    /// Who set it.
    pub set_by: String,
    /// When it was judged the last time, in microseconds since 1970.
    pub judged_at: Option<i64>,
}

/// A channel that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptChannel {
    /// The channel.
    pub channel: Channel,
    /// When it was set, in microseconds since 1970.
    pub set_at: i64,
    /// Since when messages to it are given up.
    pub failing_since: Option<i64>,
}

/// A message that is to be written into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What makes it the same message: written a second time it is dropped.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// The address, for e-mail; empty for others.
    pub recipient: String,
    /// alert, digest, test, notice or bundle.
    pub kind: &'static str,
    /// The rule that speaks.
    pub rule: Option<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The page, where there is one.
    pub html: Option<String>,
    /// The body of a webhook.
    pub payload: String,
}

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number in the outbox.
    pub id: i64,
    /// What makes it the same message.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// The address, for e-mail.
    pub recipient: String,
    /// alert, digest, test, notice or bundle.
    pub kind: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The page.
    pub html: Option<String>,
    /// The body of a webhook.
    pub payload: String,
    /// When it was written, in microseconds since 1970.
    pub made_at: i64,
    /// From when on it is tried.
    pub due_at: i64,
    /// waiting, sent, given_up or bundled.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether quiet hours held it.
    pub is_held: bool,
    /// When it was sent or given up.
    pub done_at: Option<i64>,
}

impl Waiting {
    /// What the other side knows it by: the same at each attempt.
    pub fn number(&self) -> String {
        let digest = Sha256::digest(self.key.as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("msg_{hex}")
    }
}

/// One attempt of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The message.
    pub message: i64,
    /// When it began, in microseconds since 1970.
    pub begun_at: i64,
    /// When it ended; nothing where the program ended first.
    pub ended_at: Option<i64>,
    /// `sent`, or the code of the failure.
    pub code: Option<String>,
    /// The words of the failure.
    pub words: Option<String>,
}

/// The alerts of a data folder.
pub struct Store {
    connection: Mutex<Connection>,
}

fn memory_text(memory: &Memory) -> String {
    let standing = |standing: Standing| json!({"fires": standing.fires, "running": standing.running});
    let said: Vec<Value> = memory
        .said
        .iter()
        .map(|said| json!({"period": said.period.to_string(), "number": said.number.to_string()}))
        .collect();
    json!({
        "period": memory.period.to_string(), "was_open": memory.was_open, "prior": standing(memory.prior),
        "standing": standing(memory.standing), "number": memory.number.to_string(), "said": said,
    })
    .to_string()
}

fn memory_of(text: &str) -> Option<Memory> {
    let value: Value = serde_json::from_str(text).ok()?;
    let day = |value: &Value| Day::parse(value.as_str()?);
    let number = |value: &Value| value.as_str()?.parse::<i128>().ok();
    let standing = |value: &Value| {
        Some(Standing {
            fires: value.get("fires")?.as_bool()?,
            running: u32::try_from(value.get("running")?.as_u64()?).ok()?,
        })
    };
    let said = value.get("said")?.as_array()?.iter();
    let said = said.map(|said| Some(Said { period: day(said.get("period")?)?, number: number(said.get("number")?)? }));
    Some(Memory {
        period: day(value.get("period")?)?,
        was_open: value.get("was_open")?.as_bool()?,
        prior: standing(value.get("prior")?)?,
        standing: standing(value.get("standing")?)?,
        number: number(value.get("number")?)?,
        said: said.collect::<Option<_>>()?,
    })
}

const MESSAGE: &str = "id, key, channel, recipient, kind, subject, text, html, payload, made_at, due_at, state, attempts, \
                       held, done_at";

fn message(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: row.get(0)?,
        key: row.get(1)?,
        channel: row.get(2)?,
        recipient: row.get(3)?,
        kind: row.get(4)?,
        subject: row.get(5)?,
        text: row.get(6)?,
        html: row.get(7)?,
        payload: row.get(8)?,
        made_at: row.get(9)?,
        due_at: row.get(10)?,
        state: row.get(11)?,
        attempts: row.get(12)?,
        is_held: row.get(13)?,
        done_at: row.get(14)?,
    })
}

/// Writes messages, each once.
fn write(transaction: &Transaction<'_>, drafts: &[Draft], now: i64) -> rusqlite::Result<usize> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR IGNORE INTO outbox (key, channel, recipient, kind, rule, subject, text, html, payload, made_at, due_at, \
         state, attempts, held) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, 'waiting', 0, 0)",
    )?;
    let mut written = 0;
    for draft in drafts {
        written += statement.execute(params![
            draft.key,
            draft.channel,
            draft.recipient,
            draft.kind,
            draft.rule,
            draft.subject,
            draft.text,
            draft.html,
            draft.payload,
            now
        ])?;
    }
    Ok(written)
}

impl Store {
    /// Opens the alerts of a data folder; a file that is not there is made.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let file = data.join("alerts.sqlite");
        let connection = Connection::open(&file)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Addresses of people stand in it. A file system that knows no permissions keeps it as it can.
            let _ = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600));
        }
        Self::with(connection)
    }

    fn with(connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let known = STEPS.len() as i64;
        let mut connection = connection;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != known {
            // Two programs may open a new folder at once: the second waits here, and finds it made.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if found > known {
                return Err(StoreError::Version { found, known });
            }
            for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "user_version", known)?;
            transaction.commit()?;
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn hold(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.hold();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = work(&transaction)?;
        transaction.commit()?;
        Ok(made)
    }

    /// The rules, by name.
    pub fn rules(&self) -> Result<Vec<KeptRule>, StoreError> {
        let connection = self.hold();
        let mut statement = connection
            .prepare("SELECT id, revision, content, memory, changes, fault, set_by, judged_at FROM rule ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            let (id, content, memory): (String, String, Option<String>) = (row.get(0)?, row.get(2)?, row.get(3)?);
            let kept = KeptRule {
                rule: Rule::default(),
                revision: row.get(1)?,
                memory: memory.as_deref().and_then(memory_of),
                changes: row.get(4)?,
                fault: row.get(5)?,
                set_by: row.get(6)?,
                judged_at: row.get(7)?,
            };
            Ok((id, content, kept))
        })?;
        rows.map(|row| {
            let (id, content, kept) = row?;
            let rule = serde_json::from_str(&content).map_err(|_| StoreError::Damaged { kind: "rule", id })?;
            Ok(KeptRule { rule, ..kept })
        })
        .collect()
    }

    /// Sets a rule. One that watches what it watched before remembers what it did.
    pub fn set_rule(&self, rule: &Rule, who: &str, now: i64) -> Result<(), StoreError> {
        let content = serde_json::to_string(rule).unwrap_or_default();
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Chance(error.to_string()))?;
        let revision: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let watched = |rule: &Rule| Rule {
            title: None,
            channels: Vec::new(),
            paused: false,
            only_firing: false,
            wait_hours: None,
            ..rule.clone()
        };
        self.change(|transaction| {
            let before: Option<String> = transaction
                .query_row("SELECT content FROM rule WHERE id = ?1", [&rule.id], |row| row.get(0))
                .optional()?;
            let before = before.and_then(|text| serde_json::from_str::<Rule>(&text).ok());
            if before.is_some_and(|before| watched(&before) == watched(rule)) {
                transaction.execute(
                    "UPDATE rule SET content = ?2, fault = NULL, set_by = ?3, set_at = ?4 WHERE id = ?1",
                    params![rule.id, content, who, now],
                )?;
            } else {
                transaction.execute(
                    "INSERT OR REPLACE INTO rule (id, revision, content, memory, changes, set_by, set_at) \
                     VALUES (?1, ?2, ?3, NULL, 0, ?4, ?5)",
                    params![rule.id, revision, content, who, now],
                )?;
            }
            Ok(())
        })
    }

    /// Removes a rule; says whether it was there. What it said before is delivered still.
    pub fn remove_rule(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.hold().execute("DELETE FROM rule WHERE id = ?1", [id])? > 0)
    }

    /// The channels, by name.
    pub fn channels(&self) -> Result<Vec<KeptChannel>, StoreError> {
        let connection = self.hold();
        let mut statement = connection.prepare("SELECT id, content, set_at, failing_since FROM channel ORDER BY id")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?)))?;
        rows.map(|row| {
            let (id, content, set_at, failing_since) = row?;
            let channel = serde_json::from_str(&content).map_err(|_| StoreError::Damaged { kind: "channel", id })?;
            Ok(KeptChannel { channel, set_at, failing_since })
        })
        .collect()
    }

    /// Sets a channel. One that was there keeps since when it is, so that no digest comes twice or late.
    pub fn set_channel(&self, channel: &Channel, who: &str, now: i64) -> Result<(), StoreError> {
        let content = serde_json::to_string(channel).unwrap_or_default();
        self.hold().execute(
            "INSERT INTO channel (id, content, set_by, set_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET content = ?2, set_by = ?3, failing_since = NULL",
            params![channel.id, content, who, now],
        )?;
        Ok(())
    }

    /// Removes a channel with what waits for it; says whether it was there.
    pub fn remove_channel(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        self.change(|transaction| {
            transaction.execute(
                "UPDATE outbox SET state = 'given_up', done_at = ?2 WHERE channel = ?1 AND state = 'waiting'",
                params![id, now],
            )?;
            Ok(transaction.execute("DELETE FROM channel WHERE id = ?1", [id])? > 0)
        })
    }

    /// Keeps what was decided of a rule, and what is said of it, in one transaction. Nothing is kept where the rule was set
    /// anew or judged by somebody else since it was read.
    pub fn decided(
        &self,
        kept: &KeptRule,
        memory: Option<&Memory>,
        changes: i64,
        drafts: &[Draft],
        now: i64,
    ) -> Result<usize, StoreError> {
        self.change(|transaction| {
            let updated = transaction.execute(
                "UPDATE rule SET memory = ?4, changes = ?5, fault = NULL, judged_at = ?6 \
                 WHERE id = ?1 AND revision = ?2 AND changes = ?3",
                params![kept.rule.id, kept.revision, kept.changes, memory.map(memory_text), changes, now],
            )?;
            if updated == 0 { Ok(0) } else { Ok(write(transaction, drafts, now)?) }
        })
    }

    /// Keeps why a rule could not be judged.
    pub fn failed_to_judge(&self, id: &str, words: &str, now: i64) -> Result<(), StoreError> {
        self.hold().execute("UPDATE rule SET fault = ?2, judged_at = ?3 WHERE id = ?1", params![id, words, now])?;
        Ok(())
    }

    /// Writes messages into the outbox, each once; says how many are new.
    pub fn write(&self, drafts: &[Draft], now: i64) -> Result<usize, StoreError> {
        self.change(|transaction| Ok(write(transaction, drafts, now)?))
    }

    /// Whether a message was written already.
    pub fn knows(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.hold().query_row("SELECT count(*) > 0 FROM outbox WHERE key = ?1", [key], |row| row.get(0))?)
    }

    /// What is to be sent by now, the oldest first.
    pub fn due(&self, now: i64) -> Result<Vec<Waiting>, StoreError> {
        let connection = self.hold();
        let mut statement =
            connection.prepare(&format!("SELECT {MESSAGE} FROM outbox WHERE {IS_DUE} ORDER BY id LIMIT 1000"))?;
        let due = statement.query_map([now, now.saturating_add(FARTHEST)], message)?.collect::<Result<_, _>>()?;
        Ok(due)
    }

    /// Whether anything is to be sent by now.
    pub fn has_due(&self, now: i64) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM outbox WHERE {IS_DUE})");
        Ok(self.hold().query_row(&sql, [now, now.saturating_add(FARTHEST)], |row| row.get(0))?)
    }

    /// When the next message is to be sent.
    pub fn next_due(&self) -> Result<Option<i64>, StoreError> {
        let next =
            self.hold().query_row("SELECT min(due_at) FROM outbox WHERE state = 'waiting'", [], |row| row.get(0))?;
        Ok(next)
    }

    /// Holds messages until quiet hours are over.
    pub fn hold_until(&self, ids: &[i64], until: i64) -> Result<(), StoreError> {
        self.change(|transaction| {
            for id in ids {
                transaction.execute("UPDATE outbox SET due_at = ?2, held = 1 WHERE id = ?1", params![id, until])?;
            }
            Ok(())
        })
    }

    /// Has messages wait, without counting that as an attempt.
    pub fn postpone(&self, ids: &[i64], until: i64) -> Result<(), StoreError> {
        self.change(|transaction| {
            for id in ids {
                transaction.execute("UPDATE outbox SET due_at = ?2 WHERE id = ?1", params![id, until])?;
            }
            Ok(())
        })
    }

    /// Puts messages that were held together into one.
    pub fn bundle(&self, ids: &[i64], draft: &Draft, now: i64) -> Result<(), StoreError> {
        self.change(|transaction| {
            write(transaction, std::slice::from_ref(draft), now)?;
            let bundle: i64 =
                transaction.query_row("SELECT id FROM outbox WHERE key = ?1", [&draft.key], |row| row.get(0))?;
            for id in ids {
                transaction.execute(
                    "UPDATE outbox SET state = 'bundled', bundle = ?2, done_at = ?3 WHERE id = ?1 AND state = 'waiting'",
                    params![id, bundle, now],
                )?;
            }
            Ok(())
        })
    }

    /// Records that an attempt begins, and gives its number. One that is never ended is tried again after this long.
    pub fn begin(&self, message: i64, now: i64, again_at: i64) -> Result<i64, StoreError> {
        self.change(|transaction| {
            transaction.execute(
                "UPDATE outbox SET attempts = attempts + 1, due_at = ?2 WHERE id = ?1",
                params![message, again_at],
            )?;
            transaction.execute("INSERT INTO attempt (message, begun_at) VALUES (?1, ?2)", params![message, now])?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Records that an attempt ended well.
    pub fn sent(&self, attempt: i64, message: &Waiting, now: i64) -> Result<(), StoreError> {
        self.change(|transaction| {
            transaction
                .execute("UPDATE attempt SET ended_at = ?2, code = 'sent' WHERE id = ?1", params![attempt, now])?;
            transaction
                .execute("UPDATE outbox SET state = 'sent', done_at = ?2 WHERE id = ?1", params![message.id, now])?;
            transaction.execute("UPDATE channel SET failing_since = NULL WHERE id = ?1", [&message.channel])?;
            Ok(())
        })
    }

    /// Records that an attempt failed: the message is tried again at a time, or given up with a notice to others.
    /// Says whether the channel was no failing one before.
    pub fn failed(
        &self,
        attempt: i64,
        message: &Waiting,
        (code, words): (&str, &str),
        again_at: Option<i64>,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.change(|transaction| {
            transaction.execute(
                "UPDATE attempt SET ended_at = ?2, code = ?3, words = ?4 WHERE id = ?1",
                params![attempt, now, code, words],
            )?;
            let Some(again_at) = again_at else {
                transaction.execute(
                    "UPDATE outbox SET state = 'given_up', done_at = ?2 WHERE id = ?1",
                    params![message.id, now],
                )?;
                let news = transaction.execute(
                    "UPDATE channel SET failing_since = ?2 WHERE id = ?1 AND failing_since IS NULL",
                    params![message.channel, now],
                )?;
                return Ok(news > 0);
            };
            transaction.execute("UPDATE outbox SET due_at = ?2 WHERE id = ?1", params![message.id, again_at])?;
            Ok(false)
        })
    }

    /// Has every waiting message of a channel tried at once.
    pub fn hurry(&self, channel: &str, now: i64) -> Result<(), StoreError> {
        self.hold().execute(
            "UPDATE outbox SET due_at = ?2 WHERE channel = ?1 AND state = 'waiting' AND held = 0",
            params![channel, now],
        )?;
        Ok(())
    }

    /// The delivery log: messages with their attempts, the newest first.
    pub fn log(&self, limit: usize) -> Result<Vec<(Waiting, Vec<Attempt>)>, StoreError> {
        let connection = self.hold();
        let mut statement = connection.prepare(&format!("SELECT {MESSAGE} FROM outbox ORDER BY id DESC LIMIT ?1"))?;
        let messages: Vec<Waiting> = statement.query_map([limit as i64], message)?.collect::<Result<_, _>>()?;
        let mut statement = connection
            .prepare("SELECT message, begun_at, ended_at, code, words FROM attempt WHERE message = ?1 ORDER BY id")?;
        messages
            .into_iter()
            .map(|message| {
                let attempts = statement
                    .query_map([message.id], |row| {
                        Ok(Attempt {
                            message: row.get(0)?,
                            begun_at: row.get(1)?,
                            ended_at: row.get(2)?,
                            code: row.get(3)?,
                            words: row.get(4)?,
                        })
                    })?
                    .collect::<Result<_, _>>()?;
                Ok((message, attempts))
            })
            .collect()
    }

    /// How many messages there are of each channel and state.
    pub fn counts(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let connection = self.hold();
        let mut statement = connection
            .prepare("SELECT channel, state, count(*) FROM outbox GROUP BY channel, state ORDER BY channel, state")?;
        let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// Removes from the log what is long done. The keys of digests go with it, which are of periods long past.
    pub fn forget_old(&self, now: i64) -> Result<(), StoreError> {
        self.change(|transaction| {
            // The newest stay, however old the clock makes them: one that ran ahead for a while takes no log with it, and
            // has nothing sent twice.
            let old = format!(
                "SELECT id FROM outbox WHERE state <> 'waiting' AND done_at < ?1
                 AND id <= (SELECT max(id) FROM outbox) - {ALWAYS_KEPT}"
            );
            transaction.execute(&format!("DELETE FROM attempt WHERE message IN ({old})"), [now - KEPT])?;
            transaction.execute(&format!("DELETE FROM outbox WHERE id IN ({old})"), [now - KEPT])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(key: &str) -> Draft {
        Draft {
            key: key.to_owned(),
            channel: "ops".to_owned(),
            recipient: String::new(),
            kind: "alert",
            rule: Some("low".to_owned()),
            subject: "MRR".to_owned(),
            text: "MRR is low".to_owned(),
            html: None,
            payload: "{}".to_owned(),
        }
    }

    fn store() -> Store {
        Store::with(Connection::open_in_memory().unwrap()).unwrap()
    }

    fn rule() -> Rule {
        Rule { id: "low".to_owned(), metric: Some("mrr".to_owned()), below: Some("10".to_owned()), ..Rule::default() }
    }

    fn memory() -> Memory {
        let standing = Standing { fires: true, running: 2 };
        let said = vec![Said { period: Day(19_000), number: -5 }];
        let period = Day(19_031);
        Memory { period, was_open: false, prior: Standing::default(), standing, number: i128::from(i64::MAX) * 9, said }
    }

    #[test]
    fn what_was_decided_and_what_is_said_are_kept_together_or_not_at_all() {
        let store = store();
        store.set_rule(&rule(), "ann", 1).unwrap();
        let kept = store.rules().unwrap().remove(0);
        assert_eq!(store.decided(&kept, Some(&memory()), 1, &[draft("a")], 2).unwrap(), 1);
        // Whoever judged by the same state comes too late.
        assert_eq!(store.decided(&kept, None, 1, &[draft("b")], 3).unwrap(), 0);
        let now = store.rules().unwrap().remove(0);
        assert_eq!((now.memory.clone(), now.changes), (Some(memory()), 1));
        assert_eq!(store.due(2).unwrap().len(), 1);
        // The same message is written once.
        assert_eq!(store.write(&[draft("a")], 4).unwrap(), 0);
        // Set as it was it remembers; set otherwise it begins anew.
        store.set_rule(&Rule { title: Some("Low".to_owned()), ..rule() }, "ann", 5).unwrap();
        assert_eq!(store.rules().unwrap()[0].revision, now.revision);
        store.set_rule(&Rule { below: Some("11".to_owned()), ..rule() }, "ann", 6).unwrap();
        let anew = store.rules().unwrap().remove(0);
        assert!(anew.memory.is_none() && anew.revision != now.revision);
    }

    #[test]
    fn an_attempt_that_never_ended_is_made_again_under_the_same_number() {
        let store = store();
        store.write(&[draft("a")], 1).unwrap();
        let first = store.due(1).unwrap().remove(0);
        store.begin(first.id, 1, 50).unwrap();
        // Here the program ended.
        assert!(store.due(49).unwrap().is_empty());
        let again = store.due(50).unwrap().remove(0);
        assert_eq!((again.number(), again.attempts), (first.number(), 1));
        let attempt = store.begin(again.id, 50, 99).unwrap();
        store.sent(attempt, &again, 51).unwrap();
        assert!(store.due(1_000).unwrap().is_empty());
        let (message, attempts) = store.log(10).unwrap().remove(0);
        assert_eq!((message.state.as_str(), attempts.len(), attempts[0].ended_at), ("sent", 2, None));
    }

    #[test]
    fn a_channel_that_is_given_up_is_said_to_be_so_once() {
        let store = store();
        let channel = Channel { id: "ops".to_owned(), kind: "webhook".to_owned(), ..Channel::default() };
        store.set_channel(&channel, "ann", 1).unwrap();
        store.write(&[draft("a"), draft("b")], 1).unwrap();
        let news: Vec<bool> = store
            .due(1)
            .unwrap()
            .iter()
            .map(|message| {
                let attempt = store.begin(message.id, 1, 2).unwrap();
                store.failed(attempt, message, ("status", "answered 500"), None, 2).unwrap()
            })
            .collect();
        assert_eq!(news, [true, false]);
        assert_eq!(store.channels().unwrap()[0].failing_since, Some(2));
        store.forget_old(2 + KEPT + 1).unwrap();
        assert_eq!(store.log(10).unwrap().len(), 2, "the newest stay");
        let later: Vec<Draft> = (0..ALWAYS_KEPT).map(|number| draft(&format!("later {number}"))).collect();
        store.write(&later, 2).unwrap();
        store.forget_old(2 + KEPT + 1).unwrap();
        let states: Vec<String> = store.counts().unwrap().into_iter().map(|(_, state, _)| state).collect();
        assert_eq!(states, ["waiting"], "what is long done is gone");
    }

    #[test]
    fn what_a_clock_put_off_that_ran_ahead_is_sent() {
        let store = store();
        let now = 1_700_000_000_000_000;
        store.write(&[draft("a"), draft("b")], now).unwrap();
        let ids: Vec<i64> = store.due(now).unwrap().iter().map(|message| message.id).collect();
        store.postpone(&ids[..1], now + FARTHEST).unwrap();
        store.postpone(&ids[1..], now + 3_650 * 86_400_000_000).unwrap();
        let due: Vec<i64> = store.due(now).unwrap().iter().map(|message| message.id).collect();
        assert_eq!((due.as_slice(), store.has_due(now).unwrap()), (&ids[1..], true));
        store.postpone(&ids[1..], now + 1).unwrap();
        assert!(!store.has_due(now).unwrap() && store.has_due(now + 1).unwrap());
    }
}
