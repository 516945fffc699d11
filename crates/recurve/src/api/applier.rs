//! Events become facts: a thread of the server takes those that wait, in the order in which they came, and states what
//! follows from them by the writer of facts. What it cannot do now it does later; what it cannot do at all is put aside,
//! and holds nothing up.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use warehouse::import::Statement;

use super::{
    log,
    server::Server,
    telemetry::{LAST_SUCCESS, STEPS},
};
use crate::{
    command::CommandError,
    session::clock,
    stripe::{
        account::{Account, Outcome, Stating},
        store::{Store, StoreError},
    },
};

/// How often it is looked whether another program put events in, or had some read again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a round lasts at least where more than one event waits: what arrives meanwhile is committed together. A commit of
/// many costs hardly more than a commit of few.
const ROUND: Duration = Duration::from_millis(25);
/// How often the log of the store is folded into its file.
const FOLD_EVERY: Duration = Duration::from_millis(100);
/// The first wait after a failure; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A round that takes longer than this is worth a line in the log.
const SLOW: Duration = Duration::from_secs(5);

/// The writer of the server, as one to whom facts of Stripe are stated.
pub(super) struct Through<'a>(pub(super) &'a Server);

impl Stating for Through<'_> {
    fn state(&mut self, statements: Vec<Statement>, _now_micros: i64) -> Result<Outcome, CommandError> {
        let begun = Instant::now();
        let settled = self.0.ingest.state(statements).map_err(|refusal| {
            CommandError::Output(std::io::Error::other(format!("{}; {}", refusal.reason.message, refusal.reason.help)))
        })?;
        self.0.telemetry.observe(&STEPS, &[("step", "commit_facts")], begun.elapsed());
        Ok(Outcome { answers: settled.answers, snapshot: settled.committed.map(|(_, snapshot)| snapshot.0) })
    }
}

/// Starts the threads. They end with the server.
pub fn start(server: &Arc<Server>) -> std::io::Result<()> {
    let Some(arrived) = server.webhooks.arrived() else { return Ok(()) };
    let (applying, folding) = (Arc::clone(server), Arc::clone(server));
    std::thread::Builder::new().name("stripe-facts".to_owned()).spawn(move || apply_for_ever(&applying, &arrived))?;
    std::thread::Builder::new().name("stripe-log".to_owned()).spawn(move || fold_for_ever(&folding))?;
    Ok(())
}

/// Folds the log of the store again and again, so that nobody's commit waits for that.
fn fold_for_ever(server: &Server) {
    let (mut store, mut told) = (None, false);
    loop {
        std::thread::sleep(FOLD_EVERY);
        if *server.stopping.borrow() || server.webhooks.is_broken() {
            return;
        }
        let folded = match &store {
            None if !server.options.data.join(Store::FILE).is_file() => continue,
            None => Store::open(&server.options.data).and_then(|opened| store.insert(opened).fold()),
            Some(store) => store.fold(),
        };
        match folded {
            Ok(()) => told = false,
            Err(error) => {
                if matches!(error, StoreError::Broken(_)) {
                    server.webhooks.stop();
                }
                if !told {
                    log::note("error", &[("words", &error.to_string())]);
                    told = true;
                }
            }
        }
    }
}

fn apply_for_ever(server: &Server, arrived: &Receiver<()>) {
    let (mut account, mut wait, mut told) = (None, FIRST_WAIT, false);
    let mut next_round = Instant::now();
    loop {
        if arrived.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected) || *server.stopping.borrow() {
            return;
        }
        if server.webhooks.is_broken() || !server.ingest.is_taking() {
            // Nothing is known of the disk: no event is acknowledged either.
            server.webhooks.stop();
            return;
        }
        std::thread::sleep(next_round.saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        // A panic is a fault of ours; whatever it left behind is opened anew.
        let round = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| round(server, &mut account)));
        let words = match round {
            Ok(Ok(events)) => {
                (wait, told) = (FIRST_WAIT, false);
                next_round = if events > 1 { begun + ROUND } else { begun };
                continue;
            }
            Ok(Err(error)) => {
                if matches!(error, CommandError::Stripe(StoreError::Broken(_))) {
                    server.webhooks.stop();
                }
                error.to_string()
            }
            Err(_) => "making facts of events of Stripe ended in a panic".to_owned(),
        };
        account = None;
        if !told {
            log::note("error", &[("words", &words)]);
            told = true;
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Makes facts of everything that waits; of how many events.
fn round(server: &Server, account: &mut Option<Account>) -> Result<u64, CommandError> {
    let data = &server.options.data;
    if account.is_none() {
        if !data.join(Store::FILE).is_file() {
            return Ok(0);
        }
        *account = Some(Account::open(data)?);
    }
    let Some(account) = account else { return Ok(0) };
    if !account.has_work()? {
        return Ok(0);
    }
    let begun = Instant::now();
    let applied = account.apply(&mut Through(server), clock(), &mut |_| {})?;
    server.telemetry.observe(&STEPS, &[("step", "make_facts")], begun.elapsed());
    server.telemetry.set(&LAST_SUCCESS, &[("work", "stripe_facts")], clock() as f64 / 1e6);
    if begun.elapsed() > SLOW {
        let (events, milliseconds) = (applied.events.to_string(), begun.elapsed().as_millis().to_string());
        log::note("slow", &[("route", "events"), ("events", &events), ("milliseconds", &milliseconds)]);
    }
    if applied.quarantined > 0 || applied.refused > 0 {
        let (events, facts) = (applied.quarantined.to_string(), applied.refused.to_string());
        log::note("quarantined", &[("events", &events), ("facts", &facts)]);
    }
    Ok(applied.events)
}
