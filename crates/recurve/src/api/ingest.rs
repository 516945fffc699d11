//! The one writer of facts that arrive row by row: what waits is committed together, and answered once it is on the disk.
//!
//! ```text
//! requests, webhooks, syncs ─▶ queue (bounded) ─▶ one thread: a turn at the folder, one commit for all ─▶ answers
//!                                └─ full: 429       └─ disk full: 507 · failed write: 503 until a restart
//! ```
//!
//! Nothing is acknowledged before its commit. The turn lasts as long as the commit, so that the command line imports
//! beside the server. Small files are merged by a second thread, beside the writer.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;
use warehouse::{
    import::{Answer, ImportError, Stated, Statement, Statements},
    lake::{Access, Lake, LakeError, SnapshotId},
};

use super::{log, refusal::Refusal};
use crate::session::clock;

/// How many statements one commit takes at most.
pub const COMMITTED_AT_ONCE: usize = 10_000;
/// How many statements may wait; those beyond are refused until some are committed.
const WAITING: usize = 2 * COMMITTED_AT_ONCE;
/// How long a commit waits for another program that writes to the folder.
const TURN: Duration = Duration::from_secs(30);
/// A table is looked at for small files after so many commits.
const COMMITS_BETWEEN_LOOKS: u64 = 64;
/// So many small files of a table are merged.
const SMALL_FILES: usize = 128;
/// How long an answer is kept for whoever sends the same again under the same key.
const KEPT_MICROS: i64 = 24 * 3_600_000_000;

/// What became of one batch of statements.
#[derive(Debug, Clone)]
pub struct Settled {
    /// One answer a statement, in their order.
    pub answers: Vec<Answer>,
    /// Names that a statement's kind does not have, by the statement's place.
    pub attributes: BTreeMap<usize, Vec<String>>,
    /// The import and the snapshot in which it is; none when nothing of the batch had to be written.
    pub committed: Option<(i64, SnapshotId)>,
}

/// The key under which whoever sends a batch may send it again.
#[derive(Debug, Clone)]
pub struct Key {
    /// Who sends it.
    pub caller: String,
    /// What they call it.
    pub key: String,
    /// The hash of the request.
    pub digest: [u8; 32],
}

/// What is answered.
#[derive(Debug)]
pub enum Reply {
    /// It was settled now.
    Settled(Settled),
    /// It was settled before, and this was answered then.
    Kept(Vec<u8>),
}

/// How the answer to a batch with a key is written down.
pub type Written = fn(&Settled) -> Vec<u8>;

struct Batch {
    statements: Vec<Statement>,
    key: Option<(Key, Written)>,
    answer: oneshot::Sender<Result<Reply, Refusal>>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    statements: usize,
}

/// The writer, as those see it who have something to state.
pub struct Ingest {
    data: PathBuf,
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Why nothing is taken any more.
    broken: OnceLock<String>,
    commits: Mutex<u64>,
    committed: Condvar,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More arrives than can be written.
pub fn full() -> Refusal {
    let words = "more facts arrive than can be written; send them again in a second, nothing of this request was taken";
    Refusal { retry_after_seconds: Some(1), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "busy", words) }
}

impl Ingest {
    /// The writer of a data folder; it works once it is started.
    pub fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            broken: OnceLock::new(),
            commits: Mutex::new(0),
            committed: Condvar::new(),
        }
    }

    /// How many statements wait to be committed.
    pub fn waiting(&self) -> usize {
        hold(&self.queue).statements
    }

    /// Whether statements are taken: not after a write failed in a way that leaves the disk uncertain.
    pub fn is_taking(&self) -> bool {
        self.broken.get().is_none()
    }

    /// Hands a batch to the writer. The answer comes once what it says is on the disk.
    ///
    /// # Errors
    /// When too many wait already, or nothing is taken any more.
    pub fn hand_over(
        &self,
        statements: Vec<Statement>,
        key: Option<(Key, Written)>,
    ) -> Result<oneshot::Receiver<Result<Reply, Refusal>>, Refusal> {
        if let Some(reason) = self.broken.get() {
            return Err(stopped(reason));
        }
        let (answer, receiver) = oneshot::channel();
        let mut queue = hold(&self.queue);
        // A batch that is larger than all that may wait is taken when nothing else does.
        if queue.statements > 0 && queue.statements + statements.len() > WAITING {
            return Err(full());
        }
        queue.statements += statements.len();
        queue.batches.push_back(Batch { statements, key, answer });
        drop(queue);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// States a batch and waits, on a thread that may: syncs and webhooks of other systems.
    ///
    /// # Errors
    /// As [`Ingest::hand_over`], and when it could not be written.
    pub fn state(&self, statements: Vec<Statement>) -> Result<Settled, Refusal> {
        let receiver = self.hand_over(statements, None)?;
        match receiver.blocking_recv() {
            Ok(Ok(Reply::Settled(settled))) => Ok(settled),
            Ok(Err(refusal)) => Err(refusal),
            Ok(Ok(Reply::Kept(_))) | Err(_) => Err(Refusal::failed()),
        }
    }

    /// Starts the writer and the thread that merges small files. `told` hears of each snapshot.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(self: &Arc<Self>, told: impl Fn(SnapshotId) + Send + 'static) -> std::io::Result<()> {
        let (writer, merger) = (Arc::clone(self), Arc::clone(self));
        std::thread::Builder::new().name("recurve-ingest".to_owned()).spawn(move || writer.write_for_ever(&told))?;
        std::thread::Builder::new().name("recurve-compact".to_owned()).spawn(move || merger.merge_for_ever())?;
        Ok(())
    }

    fn write_for_ever(&self, told: &dyn Fn(SnapshotId)) {
        let mut open: Option<Statements> = None;
        let mut kept = Kept::open(&self.data);
        loop {
            let group = self.wait_for_group();
            let mut working: Vec<Batch> = Vec::with_capacity(group.len());
            let mut keys = HashSet::new();
            let now = clock();
            for batch in group {
                let Some((key, _)) = &batch.key else {
                    working.push(batch);
                    continue;
                };
                if !keys.insert((key.caller.clone(), key.key.clone())) {
                    // The same key twice at once: the second one is answered after the first.
                    self.put_back(batch);
                    continue;
                }
                match kept.find(key, now) {
                    None => working.push(batch),
                    // Whoever gave up waiting hears nothing, and may send it again.
                    Some(Ok(body)) => drop(batch.answer.send(Ok(Reply::Kept(body)))),
                    Some(Err(refusal)) => drop(batch.answer.send(Err(refusal))),
                }
            }
            if working.is_empty() {
                continue;
            }
            let settled = self.settle(&mut open, &working);
            let snapshot = settled.iter().flatten().filter_map(|settled| settled.committed).map(|(_, s)| s).max();
            let answered = working.iter().zip(&settled).filter_map(|(batch, settled)| {
                let ((key, written), settled) = (batch.key.as_ref()?, settled.as_ref().ok()?);
                Some((key, written(settled)))
            });
            kept.keep(answered, now);
            for (batch, settled) in working.into_iter().zip(settled) {
                let _ = batch.answer.send(settled.map(Reply::Settled));
            }
            if let Some(snapshot) = snapshot {
                told(snapshot);
                *hold(&self.commits) += 1;
                self.committed.notify_one();
            }
            if let Some(open) = &mut open {
                open.note();
            }
        }
    }

    fn wait_for_group(&self) -> Vec<Batch> {
        let mut queue = hold(&self.queue);
        while queue.batches.is_empty() {
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut group, mut statements) = (Vec::new(), 0);
        while let Some(batch) = queue.batches.front() {
            if !group.is_empty() && statements + batch.statements.len() > COMMITTED_AT_ONCE {
                break;
            }
            statements += batch.statements.len();
            group.extend(queue.batches.pop_front());
        }
        queue.statements -= statements;
        group
    }

    fn put_back(&self, batch: Batch) {
        let mut queue = hold(&self.queue);
        queue.statements += batch.statements.len();
        queue.batches.push_front(batch);
    }

    /// Commits some batches together. Where that fails for a reason that lies in one of them, each by itself.
    fn settle(&self, open: &mut Option<Statements>, batches: &[Batch]) -> Vec<Result<Settled, Refusal>> {
        let all: Vec<Statement> = batches.iter().flat_map(|batch| batch.statements.iter().cloned()).collect();
        match self.commit(open, &all) {
            Ok(stated) => parts(&stated, batches).into_iter().map(Ok).collect(),
            Err(Failure { refusal, is_of_all }) if is_of_all || batches.len() == 1 => {
                batches.iter().map(|_| Err(refusal.clone())).collect()
            }
            Err(_) => batches
                .iter()
                .map(|batch| {
                    let stated = self.commit(open, &batch.statements).map_err(|failure| failure.refusal)?;
                    parts(&stated, std::slice::from_ref(batch)).pop().ok_or_else(Refusal::failed)
                })
                .collect(),
        }
    }

    fn commit(&self, open: &mut Option<Statements>, statements: &[Statement]) -> Result<Stated, Failure> {
        if let Some(reason) = self.broken.get() {
            return Err(Failure { refusal: stopped(reason), is_of_all: true });
        }
        let worked = catch_unwind(AssertUnwindSafe(|| {
            if open.is_none() {
                let lake = Lake::open(&self.data, Access::InTurns)?;
                *open = Some(Statements::open(&lake)?);
            }
            let Some(open) = open.as_mut() else { return Ok(None) };
            let lake = open.lake().clone();
            let _turn = lake.turn(TURN)?;
            open.state_first(statements, clock()).map(Some)
        }));
        let error = match worked {
            Ok(Ok(Some(stated))) => return Ok(stated),
            Ok(Ok(None)) => return Err(Failure { refusal: Refusal::failed(), is_of_all: false }),
            Ok(Err(error)) => error,
            Err(_) => {
                // Whatever it was working on is rolled back; what is open is opened anew.
                *open = None;
                log::note("error", &[("words", "writing facts ended in a panic")]);
                return Err(Failure { refusal: Refusal::failed(), is_of_all: false });
            }
        };
        let words = error.to_string();
        log::note("error", &[("words", &words)]);
        let again = |status, code: &str, words: &str, seconds| Failure {
            refusal: Refusal { retry_after_seconds: Some(seconds), ..Refusal::new(status, code, words) },
            is_of_all: true,
        };
        Err(match error {
            ImportError::Lake(LakeError::Locked { .. }) => {
                let words = "another program writes to the data folder; send it again when it is done, nothing of this \
                             request was taken";
                again(StatusCode::SERVICE_UNAVAILABLE, "locked", words, 2)
            }
            ImportError::Lake(LakeError::DiskFull { .. }) => {
                let words = "the disk is full, and nothing of this request was taken; make room and send it again";
                again(StatusCode::INSUFFICIENT_STORAGE, "disk_full", words, 10)
            }
            ImportError::Lake(error) if matches!(error, LakeError::Broken { .. }) || error.leaves_disk_uncertain() => {
                // Only the first reason is kept; the later ones follow from it.
                let _ = self.broken.set(words);
                // The index of what was said is made again from the facts: after a failed write it is not believed.
                *open = None;
                Statements::forget(&self.data);
                Failure { refusal: stopped(self.broken.get().map_or("", String::as_str)), is_of_all: true }
            }
            _ => Failure { refusal: Refusal::failed(), is_of_all: false },
        })
    }

    /// Merges small files whenever there were some commits.
    fn merge_for_ever(&self) {
        let mut seen = 0;
        let mut lake: Option<Lake> = None;
        loop {
            let mut commits = hold(&self.commits);
            while *commits < seen + COMMITS_BETWEEN_LOOKS {
                commits = self.committed.wait(commits).unwrap_or_else(PoisonError::into_inner);
            }
            seen = *commits;
            drop(commits);
            if lake.is_none() {
                lake = Lake::open(&self.data, Access::InTurns).ok();
            }
            let Some(open) = &lake else { continue };
            let merged = open.tables().and_then(|tables| {
                tables.iter().try_for_each(|table| open.compact_newest(table, SMALL_FILES).map(drop))
            });
            if let Err(error) = merged {
                // What was not merged now is merged after some more commits.
                log::note("error", &[("words", &error.to_string())]);
                if error.leaves_disk_uncertain() {
                    let _ = self.broken.set(error.to_string());
                    return;
                }
            }
        }
    }
}

/// Why a commit failed.
struct Failure {
    refusal: Refusal,
    /// Whether it would fail for whoever else is in it too.
    is_of_all: bool,
}

fn stopped(reason: &str) -> Refusal {
    let words = format!(
        "a write to the disk failed, and nothing is taken any more ({reason}); look after the disk and restart the \
         server, what was acknowledged is there"
    );
    Refusal { retry_after_seconds: Some(60), ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "writing_stopped", words) }
}

/// What became of all, cut into what became of each batch.
fn parts(stated: &Stated, batches: &[Batch]) -> Vec<Settled> {
    let committed = stated.committed.as_ref().map(|committed| (committed.import, committed.snapshot));
    let mut first = 0;
    let mut parts = Vec::with_capacity(batches.len());
    for batch in batches {
        let end = first + batch.statements.len();
        let answers = stated.answers.get(first..end).unwrap_or(&[]).to_vec();
        let attributes =
            stated.attributes.range(first..end).map(|(place, names)| (place - first, names.clone())).collect();
        let was_written = answers.iter().any(|answer| *answer != Answer::Unchanged);
        parts.push(Settled { answers, attributes, committed: committed.filter(|_| was_written) });
        first = end;
    }
    parts
}

/// Answers that were given under a key, for whoever sends the same again because no answer arrived.
///
/// They are a convenience: facts are known by their ids, so that a batch whose answer was lost changes nothing when it
/// is sent again. So nothing waits for them to be on the disk, and without them everything goes on.
struct Kept {
    connection: Option<Connection>,
}

impl Kept {
    fn open(data: &Path) -> Self {
        let open = || {
            let connection = Connection::open(data.join("answers.sqlite"))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS answer (
                   caller TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL,
                   at_micros INTEGER NOT NULL, PRIMARY KEY (caller, key));
                 CREATE INDEX IF NOT EXISTS answer_by_time ON answer (at_micros);",
            )?;
            Ok::<_, rusqlite::Error>(connection)
        };
        // Another server may be making it at this moment.
        let opened = open().or_else(|_| {
            std::thread::sleep(Duration::from_millis(200));
            open()
        });
        if let Err(error) = &opened {
            log::note("error", &[("words", &format!("answers.sqlite cannot be used: {error}"))]);
        }
        Self { connection: opened.ok() }
    }

    /// What was answered under a key, or why it is refused; nothing where the key is new.
    fn find(&self, key: &Key, now: i64) -> Option<Result<Vec<u8>, Refusal>> {
        let found: Option<(Vec<u8>, Vec<u8>)> = self
            .connection
            .as_ref()?
            .prepare_cached("SELECT digest, body FROM answer WHERE caller = ? AND key = ? AND at_micros > ?")
            .and_then(|mut statement| {
                let wanted = params![key.caller, key.key, now.saturating_sub(KEPT_MICROS)];
                statement.query_row(wanted, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .unwrap_or_default();
        found.map(|(digest, body)| if digest == key.digest { Ok(body) } else { Err(another_body()) })
    }

    fn keep<'a>(&mut self, answered: impl Iterator<Item = (&'a Key, Vec<u8>)>, now: i64) {
        let mut answered = answered.peekable();
        let Some(connection) = self.connection.as_mut().filter(|_| answered.peek().is_some()) else { return };
        let kept = (|| {
            let transaction = connection.transaction()?;
            transaction
                .prepare_cached("DELETE FROM answer WHERE at_micros <= ?")?
                .execute([now.saturating_sub(KEPT_MICROS)])?;
            for (key, body) in answered {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)")?
                    .execute(params![key.caller, key.key, key.digest, body, now])?;
            }
            transaction.commit()
        })();
        if let Err::<(), rusqlite::Error>(error) = kept {
            log::note("error", &[("words", &format!("an answer could not be kept: {error}"))]);
        }
    }
}

fn another_body() -> Refusal {
    let words = "this Idempotency-Key was used for another body; take a new key for a new body";
    Refusal::new(StatusCode::CONFLICT, "key_reused", words)
}
