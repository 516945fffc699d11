//! `recurve sync stripe`: everything that Stripe has becomes facts, and is kept up to date.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use warehouse::{
    import::{Statement, Statements},
    lake::{Access, Lake},
};

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    session::{Options, Session, clock},
    stripe::{
        account::{Account, Outcome as Stated, Stating},
        client::{BASE, BASE_VARIABLE, Client, Manner},
        key::{self, Key},
        objects::Objects,
        store::Store,
        sync::{self, Progress, Report, Way},
    },
};

/// What can be synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// A Stripe account, with a restricted key that can only read
    Stripe,
}

/// How Stripe is reached.
#[derive(Debug, Clone, clap::Args)]
pub struct Reach {
    /// The file with the restricted key, which nobody else may read; else RECURVE_STRIPE_KEY or the setting stripe_key_file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Where Stripe is: another address over https, or one of this machine
    #[arg(long, value_name = "URL", default_value = BASE, env = BASE_VARIABLE)]
    api_base: String,
    /// The most requests a second
    #[arg(long, value_name = "N", default_value_t = 25.0)]
    requests_a_second: f64,
    /// How long the first wait after a failure is
    #[arg(long, value_name = "MS", default_value_t = 500, hide = true)]
    first_wait_ms: u64,
    /// How long an answer may take
    #[arg(long, value_name = "MS", default_value_t = 60_000, hide = true)]
    patience_ms: u64,
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is synced
    #[arg(value_enum)]
    from: From,
    #[command(flatten)]
    reach: Reach,
    /// Only show how things stand, without asking Stripe
    #[arg(long)]
    status: bool,
    /// Walk all lists again, instead of reading events since the last sync
    #[arg(long)]
    full: bool,
    /// Make all facts again from what is kept, without asking Stripe
    #[arg(long, conflicts_with_all = ["full", "status"])]
    rebuild: bool,
}

impl Reach {
    /// The key and the manner.
    pub fn open(&self, session: &Session) -> Result<(Key, Manner), CommandError> {
        let setting = session.setting(key::SETTING)?;
        let key = Key::find(self.key_file.as_deref(), setting.as_deref())?;
        let manner = Manner {
            base: self.api_base.clone(),
            requests_a_second: self.requests_a_second,
            first_wait: Duration::from_millis(self.first_wait_ms),
            patience: Duration::from_millis(self.patience_ms),
        };
        Ok((key, manner))
    }
}

/// The second that it is: the one of the options, or the clock's.
pub fn second(session: &Session) -> impl Fn() -> i64 + use<> {
    let fixed = session.options.now.is_some().then(|| session.now.div_euclid(1_000_000));
    move || fixed.unwrap_or_else(|| clock().div_euclid(1_000_000))
}

/// A flag that an interrupt raises.
pub fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without the handler an interrupt ends the program at once, which does no harm either.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    stop
}

/// How long a commit waits for another program that writes to the folder.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lake, of which a running server has its turns too.
struct InTurns {
    statements: Statements,
    lake: Lake,
}

impl Stating for InTurns {
    fn state(&mut self, statements: Vec<Statement>, now_micros: i64) -> Result<Stated, CommandError> {
        let _turn = self.lake.turn(PATIENCE)?;
        Stating::state(&mut self.statements, statements, now_micros)
    }
}

/// Syncs, or shows how things stand.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let From::Stripe = arguments.from;
    if arguments.status {
        let session = Session::open(options, Access::Read)?;
        return status(&session);
    }
    let session = Session::open(options, Access::InTurns)?;
    let now = second(&session);
    let mut ledger = InTurns { statements: Statements::open(&session.lake)?, lake: session.lake.clone() };
    let mut account = Account::open(&options.data)?;
    if arguments.rebuild {
        account.objects.touch_all()?;
        let applied = account.apply(&mut ledger, now().saturating_mul(1_000_000), &mut |_| {})?;
        let report = Report {
            customers: applied.owners,
            stated: applied.stated,
            withdrawn: applied.withdrawn,
            refused: applied.refused,
            quarantined: applied.quarantined,
            proven_until: sync::status(&account.objects, &account.store)?.proven_until.unwrap_or(0),
            ..Report::default()
        };
        return describe(&session, &report);
    }
    let stop = stop_flag();
    let (key, manner) = arguments.reach.open(&session)?;
    let client = Client::new(key.clone(), manner, &stop)?;
    sync::check_key(&client, &key, &mut account.objects, now())?;
    let teller = Teller::new();
    let told = |progress: &Progress| teller.tell(progress);
    let way = Way { client: &client, now: &now, is_full: arguments.full, told: &told };
    let report = sync::run(&mut account, &mut ledger, &way);
    teller.end();
    describe(&session, &report?)
}

fn describe(session: &Session, report: &Report) -> Result<Outcome, CommandError> {
    let mut listing = Listing::begin(&session.options, ["what", "value"])?;
    let whole = |number: u64| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    for (what, value) in [
        ("objects", whole(report.objects)),
        ("new_events", whole(report.new_events)),
        ("requests", whole(report.requests)),
        ("requests_again", whole(report.retries)),
        ("customers_made_again", whole(report.customers)),
        ("facts_stated", whole(report.stated)),
        ("facts_withdrawn", whole(report.withdrawn)),
        ("facts_refused", whole(report.refused)),
        ("events_quarantined", whole(report.quarantined)),
        ("lists_not_permitted", Cell::text(report.forbidden.join(" "))),
        ("last_complete_day", last_day(session, Some(report.proven_until).filter(|proven| *proven > 0))),
    ] {
        listing.row(&[Cell::text(what), value])?;
    }
    listing.end()?;
    Ok(if report.refused > 0 || report.quarantined > 0 { Outcome::Refused } else { Outcome::Done })
}

/// The last day of the business of which everything is known.
pub fn last_day(session: &Session, proven_until: Option<i64>) -> Cell {
    let day = |second: i64| session.zone.day_of_instant(second.saturating_mul(1_000_000));
    proven_until.map_or(Cell::Empty, |second| Cell::Day(day(second).plus_days(-1)))
}

fn status(session: &Session) -> Result<Outcome, CommandError> {
    if !session.options.data.join(Store::FILE).is_file() {
        return Err(CommandError::Missing(
            "nothing was ever read from Stripe into this data folder; `recurve sync stripe` does it".to_owned(),
        ));
    }
    let store = Store::open(&session.options.data)?;
    let status = sync::status(&Objects::open(&session.options.data)?, &store)?;
    let mut listing =
        Listing::begin(&session.options, ["list", "kept", "listed_by_stripe", "listed_at", "complete_until", "note"])?;
    let instant = |second: i64| Cell::text(stripe::fact::moment(second));
    let complete = last_day(session, status.proven_until);
    for list in &status.lists {
        let note = match (list.is_forbidden, list.without_owner) {
            (true, _) => "the key may not read it".to_owned(),
            (false, 0) => String::new(),
            (false, count) => format!("{count} belong to no known customer"),
        };
        let is_known = !list.is_forbidden && status.proven_until.is_some();
        listing.row(&[
            Cell::text(list.list.as_str()),
            Cell::Whole(list.kept),
            list.counted.filter(|_| !list.is_forbidden).map_or(Cell::Empty, |counted| Cell::Whole(counted.objects)),
            list.counted.map_or(Cell::Empty, |counted| instant(counted.at)),
            if is_known { complete.clone() } else { Cell::Empty },
            Cell::text(note),
        ])?;
    }
    let mut notes = Vec::new();
    if status.waiting > 0 {
        notes.push(format!("{} are no facts yet", status.waiting));
    }
    if status.quarantined > 0 {
        notes.push(format!("in {} nothing could be read", status.quarantined));
    }
    if status.is_under_way {
        notes.push("a sync was begun and not ended; the next one goes on with it".to_owned());
    }
    listing.row(&[
        Cell::text("events"),
        Cell::Whole(status.events),
        Cell::Empty,
        Cell::Empty,
        complete,
        Cell::text(notes.join("; ")),
    ])?;
    listing.end()?;
    Ok(Outcome::Done)
}

/// Tells on the error output how far a sync is: over and over on a terminal, now and then elsewhere.
struct Teller {
    is_terminal: bool,
    told_at: Mutex<Option<Instant>>,
}

impl Teller {
    fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), told_at: Mutex::new(None) }
    }

    fn tell(&self, progress: &Progress) {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = Duration::from_secs(if self.is_terminal { 1 } else { 30 });
        if told_at.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        *told_at = Some(Instant::now());
        let mut line = match progress.phase {
            "facts" => format!("facts: {} customers made", progress.owners),
            phase => format!(
                "{phase}: {} read, {:.0} % of the time, {:.1} requests a second",
                progress.objects,
                progress.share * 100.0,
                progress.a_second
            ),
        };
        if let Some(left) = progress.left_seconds.filter(|_| progress.phase != "facts") {
            line.push_str(&format!(", about {} left", duration(left)));
        }
        let mut out = std::io::stderr().lock();
        // Whoever closed the error output does not want to know.
        let _ = if self.is_terminal { write!(out, "\r\u{1b}[2K{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}
