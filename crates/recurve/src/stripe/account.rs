//! From what is kept of Stripe to facts: the owners that were touched are made again, and what they now say otherwise than
//! before is stated. Whatever is interrupted is done again; nothing is stated twice.
//!
//! ```text
//! events that wait ─▶ touched owners ─▶ all facts of each, made anew ─▶ the difference ─▶ one import ─▶ settled
//! ```

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use stripe::{
    Catalogue, Evidence,
    fact::Fact,
    gist::Gist,
    history::{self, History, Past, Row},
    issue::Issue,
    object::{self, Payments},
};
use warehouse::{
    cores,
    import::{Answer, Statement, Statements},
    kind::Kind,
};

use super::{
    objects::{CATALOGUE, Noted, Objects, Settled, Shelf},
    store::Store,
};
use crate::command::CommandError;

/// Whose facts they are.
pub const SOURCE: &str = "stripe";
/// How many events are taken together, and with how many bytes.
const EVENTS: usize = 2_000;
const EVENT_BYTES: usize = 64 << 20;
/// How many owners are made again together, until what is kept of them has so many bytes: histories grow, and memory shall not
/// grow with them. Tests come to that end as well.
const OWNERS: usize = 1_024;
const OWNER_BYTES: usize = if cfg!(test) { 4 << 10 } else { 16 << 20 };

/// More events or owners than this are worked out on all cores.
pub(super) const MANY: usize = 32;

/// What became of statements.
#[derive(Debug)]
pub struct Outcome {
    /// One answer a statement, in their order.
    pub answers: Vec<Answer>,
    /// The snapshot in which they are; none where nothing had to be written.
    pub snapshot: Option<i64>,
}

/// Where facts are stated: the lake, or the one who writes to it.
pub trait Stating {
    /// States a batch: all of it is on the disk when this returns, or nothing.
    fn state(&mut self, statements: Vec<Statement>, now_micros: i64) -> Result<Outcome, CommandError>;
}

impl Stating for Statements {
    fn state(&mut self, statements: Vec<Statement>, now_micros: i64) -> Result<Outcome, CommandError> {
        let stated = Statements::state(self, &statements, now_micros)?;
        Ok(Outcome { answers: stated.answers, snapshot: stated.committed.map(|committed| committed.snapshot.0) })
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Events that were taken.
    pub events: u64,
    /// Events in which nothing could be read.
    pub quarantined: u64,
    /// Customers (and shelves of what is nobody's) that were made again.
    pub owners: u64,
    /// Facts that were stated, newly or anew.
    pub stated: u64,
    /// Facts that were withdrawn.
    pub withdrawn: u64,
    /// Facts that the lake refused; they are in the quarantine.
    pub refused: u64,
    /// The newest snapshot that came of it.
    pub snapshot: Option<i64>,
}

/// What is kept of a Stripe account, and the facts made of it.
pub struct Account {
    /// The events.
    pub store: Store,
    /// The objects.
    pub objects: Objects,
    catalogue: Option<(i64, Arc<Base>)>,
    source: Arc<str>,
    /// Where whoever makes facts says so.
    lock: PathBuf,
}

/// What all customers have in common.
#[derive(Default)]
struct Base {
    catalogue: Catalogue,
    /// Names of products.
    products: BTreeMap<String, String>,
}

/// What an owner says now, and what of it is new.
struct Made {
    settled: Settled,
    withdrawals: Vec<Statement>,
    statements: Vec<Statement>,
}

impl Account {
    /// Opens what is kept in a data folder.
    pub fn open(data: &Path) -> Result<Self, CommandError> {
        let (store, objects, lock) = (Store::open(data)?, Objects::open(data)?, data.join("stripe.lock"));
        Ok(Self { store, objects, catalogue: None, source: SOURCE.into(), lock })
    }

    /// The right to sync, until it is dropped; none where somebody else has it.
    pub fn only_sync(&self) -> Result<Option<File>, CommandError> {
        let file = self.lock.with_file_name("stripe-sync.lock");
        let file = File::options().create(true).truncate(false).write(true).open(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The means to look at histories as they are known from less than everything.
    pub fn histories(&mut self) -> Result<Histories, CommandError> {
        Ok(Histories { base: self.base()?.1 })
    }

    /// Whether anything waits to become facts.
    pub fn has_work(&self) -> Result<bool, CommandError> {
        Ok(self.store.is_any_waiting()? || !self.objects.touched(1)?.is_empty())
    }

    /// The right to make facts, until it is dropped: one makes them at a time, of whatever program, since what was read would
    /// be older than what another one states.
    fn turn(&self) -> Result<File, CommandError> {
        let open = |file: &Path| File::options().create(true).truncate(false).write(true).open(file);
        // Whoever waits holds another one before it, so that who has just had a turn comes after them.
        let next = open(&self.lock.with_file_name("stripe-next.lock"))?;
        next.lock()?;
        let turn = open(&self.lock)?;
        turn.lock()?;
        Ok(turn)
    }

    /// Makes facts of all that waits by now: events, and owners that were touched. `told` hears how far it is. Others come
    /// between, and what arrives meanwhile is for whoever calls next, so that nobody is kept for as long as events come.
    pub fn apply(
        &mut self,
        ledger: &mut dyn Stating,
        now_micros: i64,
        told: &mut dyn FnMut(&Applied),
    ) -> Result<Applied, CommandError> {
        let mut applied = Applied::default();
        let newest = self.store.newest()?;
        loop {
            let _turn = self.turn()?;
            let waiting = self.store.waiting(EVENTS, EVENT_BYTES)?;
            let bodies: Vec<(i64, Vec<u8>)> = waiting.into_iter().map(|event| (event.number, event.body)).collect();
            let mut numbers = Vec::with_capacity(bodies.len());
            if !bodies.is_empty() {
                for (number, fault) in self.objects.take_events(&bodies)? {
                    match fault {
                        None => numbers.push(number),
                        Some(reason) => {
                            self.store.quarantine(number, &reason, now_micros)?;
                            applied.quarantined += 1;
                        }
                    }
                }
            }
            self.state_touched(ledger, &numbers, now_micros, &mut applied, told)?;
            applied.events += numbers.len() as u64;
            if bodies.last().is_none_or(|(number, _)| *number >= newest) {
                return Ok(applied);
            }
        }
    }

    /// States what the touched owners say otherwise than before. Then some events are facts.
    fn state_touched(
        &mut self,
        ledger: &mut dyn Stating,
        events: &[i64],
        now_micros: i64,
        applied: &mut Applied,
        told: &mut dyn FnMut(&Applied),
    ) -> Result<(), CommandError> {
        loop {
            let touched = self.objects.touched(OWNERS)?;
            let count = touched.len();
            let (catalogue, base) = self.base()?;
            let (mut shelves, mut bytes) = (Vec::with_capacity(count), 0);
            for (owner, generation) in touched {
                let shelf = self.objects.shelf_since(&owner, catalogue)?;
                bytes += shelf.bytes();
                shelves.push((owner, generation, shelf));
                if bytes > OWNER_BYTES {
                    break;
                }
            }
            let is_last = count < OWNERS && shelves.len() == count;
            let source = &self.source;
            let are_many = shelves.len() > MANY;
            // A panic would be a fault of ours: what this customer's events bring then waits for a newer version.
            let make = |owner: &str, generation, shelf: Shelf| {
                catch_unwind(AssertUnwindSafe(|| make(owner, generation, &shelf, catalogue, &base, source)))
            };
            let made = cores::map(shelves, are_many, |(owner, generation, shelf)| {
                let made = make(&owner, generation, shelf);
                (owner, generation, made)
            });
            let mut settled = Vec::with_capacity(made.len());
            let (mut statements, mut rows) = (Vec::new(), Vec::new());
            for (owner, generation, mut made) in made {
                if let Ok(None) = made {
                    // What came says something of the time before.
                    made = make(&owner, generation, self.objects.shelf(&owner)?);
                }
                match made {
                    Ok(Some(of)) => {
                        settled.push(of.settled);
                        statements.extend(of.withdrawals);
                        rows.extend(of.statements);
                    }
                    Ok(None) | Err(_) => {
                        let reason =
                            format!("no facts of {owner} could be made with it; report this, it is a fault of Recurve");
                        applied.quarantined += self.store.quarantine_of(&owner, &reason, now_micros)?;
                        settled.push(Settled { owner, generation, ..Settled::default() });
                    }
                }
            }
            // What one owner has no more another one may have now: what is said comes after what is taken back.
            statements.append(&mut rows);
            if !statements.is_empty() {
                self.objects.intend(&settled)?;
                let stated = ledger.state(statements, now_micros)?;
                for answer in &stated.answers {
                    match answer {
                        Answer::Stated | Answer::Restated => applied.stated += 1,
                        Answer::Withdrawn => applied.withdrawn += 1,
                        Answer::Unchanged => {}
                        Answer::Refused(_) => applied.refused += 1,
                    }
                }
                applied.snapshot = stated.snapshot.or(applied.snapshot);
            }
            self.objects.settle(&settled, if is_last { events } else { &[] }, now_micros)?;
            applied.owners += settled.len() as u64;
            if !settled.is_empty() {
                told(applied);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What all customers have in common, with its generation.
    fn base(&mut self) -> Result<(i64, Arc<Base>), CommandError> {
        let generation = self.objects.catalogue_generation()?;
        if let Some((_, base)) = self.catalogue.as_ref().filter(|(known, _)| *known == generation) {
            return Ok((generation, Arc::clone(base)));
        }
        let mut base = Base { catalogue: self.objects.catalogue()?, ..Base::default() };
        for id in self.objects.ids("product")? {
            let name = self.objects.object("product", &id)?;
            let name = name.and_then(|product| product.get("name")?.as_str().map(str::to_owned));
            base.products.extend(name.map(|name| (id, name)));
        }
        let base = Arc::new(base);
        self.catalogue = Some((generation, Arc::clone(&base)));
        Ok((generation, base))
    }
}

/// What is read of objects that are kept, with the second at which each was so.
pub fn gists(texts: &[(i64, String)]) -> Vec<(i64, Gist)> {
    let read = |(at, text): &(i64, String)| Some((*at, Gist::read(text)?));
    // What is kept was read before it was kept.
    texts.iter().filter_map(read).collect()
}

/// What is kept of events, likewise. The store makes it anew where this program cannot know it.
fn gists_of_events(kept: &[(i64, Vec<u8>)]) -> Vec<(i64, Gist)> {
    kept.iter().filter_map(|(at, bytes)| Some((*at, Gist::from_bytes(bytes)?))).collect()
}

/// A fact of an owner.
struct Holding {
    kind: &'static Kind,
    digest: Vec<u8>,
    fact: Fact,
    /// Whether it is over by what is noted.
    is_over: bool,
}

/// All facts of an owner that are not over, made of what is kept, and how they differ from what was stated. Nothing where the
/// shelf is one from which its history cannot go on.
fn make(owner: &str, generation: i64, shelf: &Shelf, catalogue: i64, base: &Base, source: &Arc<str>) -> Option<Made> {
    let Facts { facts, issues, past } = facts(owner, shelf, base)?;
    let mut now: BTreeMap<(String, String), Holding> = BTreeMap::new();
    for (fact, is_over) in facts {
        let Some(kind) = Kind::parse(fact.kind) else { continue };
        let told_apart_by: Vec<&str> = kind.key.iter().map(|column| fact.value(column).unwrap_or("")).collect();
        let key = (kind.name.to_owned(), told_apart_by.join("\u{1f}"));
        now.insert(key, Holding { kind, digest: digest(&fact), fact, is_over });
    }
    let is_whole = shelf.past.is_none();
    let mut settled = Settled { owner: owner.to_owned(), generation, issues, is_whole, ..Settled::default() };
    settled.noted = past.map(|past| {
        let over = now.iter().filter(|(_, holding)| holding.is_over).map(|(key, _)| key.clone()).collect();
        Noted { until: past.until, catalogue, body: past.to_bytes(), over }
    });
    let (mut withdrawals, mut statements) = (Vec::new(), Vec::new());
    for ((name, fact), _) in shelf.stated.iter().filter(|(key, _)| !now.contains_key(key)) {
        if let Some(kind) = Kind::parse(name) {
            let key = kind.key.iter().copied().zip(fact.split('\u{1f}')).filter(|(_, value)| !value.is_empty());
            let origin: Arc<str> = settled.owner.as_str().into();
            withdrawals.push(Statement::withdrawal(kind, source, &origin, key));
        }
        settled.gone.push((name.clone(), fact.clone()));
    }
    for ((name, key), Holding { kind, digest, fact, .. }) in now {
        let id = (name, key);
        if shelf.stated.get(&id).and_then(Option::as_ref) == Some(&digest) {
            continue;
        }
        let sure = kind.position("confidence").map(|_| ("confidence", fact.confidence.name()));
        let columns = fact.values.iter().map(|(column, value)| (*column, value.as_str())).chain(sure);
        let origin: Arc<str> = fact.source.as_str().into();
        statements.push(Statement::row(kind, source, &origin, columns));
        settled.said.push((id.0, id.1, digest));
    }
    Some(Made { settled, withdrawals, statements })
}

fn digest(fact: &Fact) -> Vec<u8> {
    let mut said = Sha256::new();
    let sure = fact.confidence.name();
    for text in fact.values.iter().flat_map(|(column, value)| [*column, value.as_str()]).chain([sure]) {
        said.update((text.len() as u64).to_le_bytes());
        said.update(text.as_bytes());
    }
    said.finalize().to_vec()
}

/// What an owner's shelf comes to.
#[derive(Default)]
struct Facts {
    /// Facts, and whether they are over by what is noted.
    facts: Vec<(Fact, bool)>,
    /// What cannot be read or known.
    issues: Vec<Issue>,
    /// From where its history can go on.
    past: Option<Past>,
}

/// The facts of an owner, but for those that were over in what its history goes on from. Nothing where it does not go on.
fn facts(owner: &str, shelf: &Shelf, base: &Base) -> Option<Facts> {
    let (objects, earlier, events) = (gists(&shelf.objects), gists(&shelf.earlier), gists_of_events(&shelf.events));
    let (mut catalogue, mut payments) = (base.catalogue.clone(), Payments::default());
    let Facts { mut facts, mut issues, mut past } = Facts::default();
    if owner != CATALOGUE {
        // What time it is does not matter: what is known is as old as its newest object or event.
        let known_at = objects.iter().map(|(at, _)| *at).max().max(shelf.last_event_at).unwrap_or(0);
        let seen = events.into_iter().chain(earlier).chain(objects.iter().cloned());
        let history = match &shelf.past {
            Some(bytes) => {
                let past = Past::from_bytes(bytes)?;
                let since = Evidence::since(&past, &mut catalogue);
                let evidence = evidence_of(since, seen, &mut catalogue, Some(known_at));
                history::go_on(&past, &evidence, &catalogue, known_at)?
            }
            None => history_of(seen, &mut catalogue, Some(known_at), known_at),
        };
        past = history.past.clone();
        let is_over = |is_over: &dyn Fn(&Past) -> bool| past.as_ref().is_some_and(is_over);
        let trials = history.trials().into_iter().map(|trial| {
            let of = trial.value("trial").unwrap_or_default().to_owned();
            (trial, is_over(&|past| past.has_tried(&of)))
        });
        facts.extend(trials);
        facts.extend(history.rows.iter().map(|row| (row.fact(), is_over(&|past| past.is_over(row)))));
        issues.extend(history.issues);
    }
    for (_, object) in &objects {
        payments.learn(object);
        object.members("payments").iter().for_each(|part| payments.learn(part));
    }
    // Charges say what they are for once the payments of invoices are known.
    objects.iter().filter(|(_, object)| object.kind() == "charge").for_each(|(_, object)| payments.learn(object));
    for (_, object) in &objects {
        let made = match object.kind() {
            "price" | "plan" => object::facts(&with_product(object, base), &catalogue, &payments, &mut issues),
            _ => object::facts(object, &catalogue, &payments, &mut issues),
        };
        facts.extend(made.into_iter().map(|fact| (fact, false)));
    }
    issues.sort();
    issues.dedup();
    Some(Facts { facts, issues, past })
}

/// What objects and events say of a customer.
fn evidence_of(
    mut evidence: Evidence,
    seen: impl Iterator<Item = (i64, Gist)>,
    catalogue: &mut Catalogue,
    events_until: Option<i64>,
) -> Evidence {
    // Events since a list was read say what has changed since.
    evidence.events_until = events_until;
    for (at, object) in seen {
        // A customer shows the discount that it has.
        let discount = object.get("discount").filter(|_| object.kind() == "customer").cloned();
        for object in std::iter::once(object).chain(discount) {
            evidence.take(object, at, catalogue);
        }
    }
    evidence
}

/// The history that objects and events show, as it is at a second.
fn history_of(
    seen: impl Iterator<Item = (i64, Gist)>,
    catalogue: &mut Catalogue,
    events_until: Option<i64>,
    now: i64,
) -> History {
    let evidence = evidence_of(Evidence::default(), seen, catalogue, events_until);
    history::rebuild(&evidence, catalogue, now)
}

/// Histories as they are known from less than everything.
pub struct Histories {
    base: Arc<Base>,
}

impl Histories {
    /// The rows that objects alone show, asked for now.
    pub fn of_objects(&self, objects: &[Gist], now: i64) -> Vec<Row> {
        let seen = objects.iter().map(|object| (now, object.clone()));
        history_of(seen, &mut self.base.catalogue.clone(), None, now).rows
    }

    /// The rows that some objects of a customer show, with its events or without.
    pub fn of_shelf(&self, shelf: &Shelf, with_events: bool, is_meant: impl Fn(&Gist) -> bool, now: i64) -> Vec<Row> {
        let mut seen = if with_events { gists_of_events(&shelf.events) } else { Vec::new() };
        seen.extend(gists(&shelf.earlier).into_iter().filter(|(_, object)| is_meant(object)));
        seen.extend(gists(&shelf.objects).into_iter().filter(|(_, object)| is_meant(object)));
        let events_until = with_events.then_some(now);
        history_of(seen.into_iter(), &mut self.base.catalogue.clone(), events_until, now).rows
    }
}

/// A price that shows the name of its product.
fn with_product(price: &Gist, base: &Base) -> Gist {
    let mut price = price.clone();
    let product = price.get("product").and_then(|found| found.as_str().or_else(|| found.get("id")?.as_str()));
    if let Some((id, name)) = product.and_then(|id| base.products.get_key_value(id)) {
        price.set("product", Gist::of(&json!({"id": id, "object": "product", "name": name})));
    }
    price
}
