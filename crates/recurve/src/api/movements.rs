//! What commits did to the ledger, kept for a while: who listens hears of each, and who was cut off goes on from where it
//! was.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use revenue::money::{Currency, print_micros};
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;
use warehouse::books::change::{Change, Moved};

use super::company::instant;
use crate::shelf::Known;

/// What a commit did to the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LedgerChange {
    /// The version of the data that is served now.
    data_version: String,
    /// When its newest facts became known.
    data_as_of: String,
    /// The currency of all amounts.
    currency: String,
    /// MRR of all customers before.
    mrr_before: String,
    /// MRR of all customers now.
    mrr: String,
    /// How many customers have other movements than before.
    customers_changed: usize,
    /// Those customers, the first hundred in order of their ids; a shared link is not told who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    customers: Option<Vec<ChangedCustomer>>,
}

/// A customer whose movements are others than before.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangedCustomer {
    /// The customer.
    customer: String,
    /// What people call it, where that was found in time: an event does not wait long for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_name: Option<String>,
    /// MRR before.
    mrr_before: String,
    /// MRR now.
    mrr: String,
    /// Movements that there were not before, the first twenty in order of day.
    movements: Vec<ChangedMovement>,
    /// Movements that a correction took back, the first twenty in order of day.
    taken_back: Vec<ChangedMovement>,
}

/// A movement of MRR.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangedMovement {
    /// The day; one to come where the change is announced.
    day: String,
    /// The subscription.
    subscription: String,
    /// The plan; empty where none is stated.
    plan: String,
    /// What happened to the customer: new, expansion, contraction, churn, reactivation or fx.
    kind: &'static str,
    /// What it adds to MRR.
    delta: String,
}

impl LedgerChange {
    /// Customers that are named in one event.
    const CUSTOMERS: usize = 100;
    /// LedgerChange of a customer that are named.
    const OF_CUSTOMER: usize = 20;

    /// What there is to tell of changes, with the MRR of all before and now; nothing where nobody's movements changed.
    pub fn of(reporting: Currency, mrr_micros: (i128, i128), known: Known, changes: &[Change]) -> Option<Self> {
        if changes.is_empty() {
            return None;
        }
        let money = |micros: i128| print_micros(micros, reporting.decimals());
        let movement = |moved: &Moved| ChangedMovement {
            day: moved.day.to_string(),
            subscription: moved.subscription.clone(),
            plan: moved.plan.clone(),
            kind: moved.kind.name(),
            delta: money(moved.delta_micros.into()),
        };
        let listed = |moved: &[Moved]| moved.iter().take(Self::OF_CUSTOMER).map(movement).collect();
        let customers = changes.iter().take(Self::CUSTOMERS).map(|change| ChangedCustomer {
            customer: change.customer.clone(),
            // Whoever is told the event looks it up.
            customer_name: None,
            mrr_before: money(change.before_micros),
            mrr: money(change.now_micros),
            movements: listed(&change.came),
            taken_back: listed(&change.went),
        });
        Some(Self {
            data_version: known.version(),
            data_as_of: instant(known.at_micros),
            currency: reporting.code().to_owned(),
            mrr_before: money(mrr_micros.0),
            mrr: money(mrr_micros.1),
            customers_changed: changes.len(),
            customers: Some(customers.collect()),
        })
    }
}

/// One event as it is sent: to people, and to shared links.
#[derive(Debug, Clone)]
pub struct Published {
    full: Bytes,
    without_names: Bytes,
    /// The full event with what people call the customers, once somebody was told it.
    named: OnceLock<Bytes>,
}

impl Published {
    /// The body of the event.
    pub fn body(&self, hides_customers: bool) -> &str {
        let bytes = match hides_customers {
            true => &self.without_names,
            false => self.named.get().unwrap_or(&self.full),
        };
        // It was written as JSON.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether it says what customers are called.
    pub fn is_named(&self) -> bool {
        self.named.get().is_some()
    }

    /// Adds what people call its customers, where `called` finds it.
    pub fn name<E>(&self, called: impl FnOnce(&[&str]) -> Result<HashMap<String, String>, E>) -> Result<(), E> {
        let mut event: serde_json::Value = serde_json::from_slice(&self.full).unwrap_or_default();
        let customers = event.get_mut("customers").and_then(serde_json::Value::as_array_mut);
        let Some(customers) = customers else { return Ok(()) };
        let ids: Vec<&str> = customers.iter().filter_map(|one| one.get(CUSTOMER)?.as_str()).collect();
        let names = called(&ids)?;
        for customer in customers {
            let name = customer.get(CUSTOMER).and_then(|id| names.get(id.as_str()?)).cloned();
            if let (Some(name), Some(customer)) = (name, customer.as_object_mut()) {
                customer.insert("customer_name".to_owned(), name.into());
            }
        }
        if let Ok(named) = serde_json::to_vec(&event) {
            // Whoever was as quick has said the same.
            let _ = self.named.set(named.into());
        }
        Ok(())
    }
}

/// The property of an event that says who it is about.
const CUSTOMER: &str = "customer";

/// Whose turn it is to look names up: one at a time, and most of the time nobody, so that what comes in is not slowed down.
#[derive(Debug, Default)]
pub struct NameTurns(Mutex<Option<Instant>>);

impl NameTurns {
    /// Looking names up takes so much of the time at most, as one part of this many.
    const PART: u32 = 10;
    /// A turn that was not given back counts as lost.
    const LOST: Duration = Duration::from_secs(60);

    /// Takes a turn, unless somebody has it or it is rested.
    pub fn take(&self) -> bool {
        let mut rests_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if rests_until.is_some_and(|until| now < until) {
            return false;
        }
        *rests_until = Some(now + Self::LOST);
        true
    }

    /// Gives a turn back that took so long.
    pub fn give_back(&self, took: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + took * (Self::PART - 1));
    }
}

/// The last events, by number.
#[derive(Debug)]
pub struct Ring {
    /// Tells this run of the server from others, whose numbers say nothing here.
    run: u64,
    kept: Mutex<Kept>,
    /// The number of the next event.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Published>>,
    /// The number of the oldest event that is kept.
    first: u64,
    bytes: usize,
}

/// What a listener is to be told next.
pub enum Next {
    /// It has heard everything.
    Nothing,
    /// An event, with its number.
    Event(u64, Arc<Published>),
    /// What it has not heard is kept no more; it goes on from this number.
    Gone(u64),
}

impl Ring {
    /// How many events are kept, and how much they may take.
    const EVENTS: usize = 1_024;
    const BYTES: usize = 8 << 20;

    /// A ring that is empty.
    pub fn new(run: u64) -> Self {
        Self { run, kept: Mutex::default(), next: watch::Sender::new(0) }
    }

    /// Keeps an event, and wakes who listens.
    pub fn publish(&self, movements: &LedgerChange) {
        let written = |movements: &LedgerChange| serde_json::to_vec(movements).map(Bytes::from);
        let nameless = LedgerChange { customers: None, ..movements.clone() };
        let (Ok(full), Ok(without_names)) = (written(movements), written(&nameless)) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // With names it is about as long again.
        let size = |event: &Published| 2 * event.full.len() + event.without_names.len();
        let event = Arc::new(Published { full, without_names, named: OnceLock::new() });
        kept.bytes += size(&event);
        kept.events.push_back(event);
        while kept.events.len() > Self::EVENTS || (kept.bytes > Self::BYTES && kept.events.len() > 1) {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= size(&oldest);
            kept.first += 1;
        }
        let next = kept.first + kept.events.len() as u64;
        drop(kept);
        self.next.send_replace(next);
    }

    /// Hears of new events.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// The number of the next event.
    pub fn end(&self) -> u64 {
        *self.next.borrow()
    }

    /// What a listener is told who has heard everything before a number.
    pub fn next(&self, number: u64) -> Next {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let end = kept.first + kept.events.len() as u64;
        if number < kept.first || number > end {
            return Next::Gone(end);
        }
        match kept.events.get((number - kept.first) as usize) {
            Some(event) => Next::Event(number, Arc::clone(event)),
            None => Next::Nothing,
        }
    }

    /// The id under which a listener is told that it has heard everything before a number.
    pub fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.run)
    }

    /// The number that an id stands for; none where it is of another run of the server.
    pub fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        (u64::from_str_radix(run, 16).ok()? == self.run).then(|| number.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movements(version: usize) -> LedgerChange {
        LedgerChange {
            data_version: version.to_string(),
            data_as_of: String::new(),
            currency: "USD".to_owned(),
            mrr_before: "1.00".to_owned(),
            mrr: "2.00".to_owned(),
            customers_changed: 1,
            customers: Some(vec![ChangedCustomer {
                customer: "ada".to_owned(),
                customer_name: None,
                mrr_before: "1.00".to_owned(),
                mrr: "2.00".to_owned(),
                movements: Vec::new(),
                taken_back: Vec::new(),
            }]),
        }
    }

    #[test]
    fn who_was_cut_off_goes_on_and_who_was_away_too_long_is_told() {
        let ring = Ring::new(0xabc);
        let begun = ring.end();
        for version in 0..Ring::EVENTS + 10 {
            ring.publish(&movements(version));
        }
        assert!(matches!(ring.next(begun), Next::Gone(end) if end == ring.end()));
        assert!(matches!(ring.next(9), Next::Gone(_)));
        assert!(
            matches!(ring.next(10), Next::Event(10, event) if event.body(false).contains("\"data_version\":\"10\""))
        );
        assert!(matches!(ring.next(ring.end()), Next::Nothing));
        assert!(matches!(ring.next(ring.end() + 1), Next::Gone(_)), "an id that was never given");
        assert_eq!(ring.number(&ring.id(17)), Some(17));
        assert_eq!(Ring::new(0xdef).number(&ring.id(17)), None);
        assert_eq!(ring.number("nonsense"), None);
    }

    #[test]
    fn a_shared_link_is_not_told_who_it_was() {
        let ring = Ring::new(1);
        ring.publish(&movements(0));
        let Next::Event(_, event) = ring.next(0) else { panic!("there is an event") };
        assert!(event.body(false).contains("ada"));
        assert!(!event.body(true).contains("ada") && event.body(true).contains("\"mrr\":\"2.00\""));
    }

    #[test]
    fn people_are_told_names_once_they_were_looked_up_and_links_never() {
        let ring = Ring::new(1);
        ring.publish(&movements(0));
        let Next::Event(_, event) = ring.next(0) else { panic!("there is an event") };
        assert!(!event.is_named() && !event.body(false).contains("customer_name"));
        event
            .name(|ids| Ok::<_, ()>(ids.iter().map(|id| ((*id).to_owned(), "Ada \"A\" Ltd".to_owned())).collect()))
            .unwrap();
        let told: serde_json::Value = serde_json::from_str(event.body(false)).unwrap();
        assert_eq!(told["customers"][0]["customer_name"], "Ada \"A\" Ltd");
        assert_eq!(told["mrr"], "2.00", "the rest is as it was");
        assert!(!event.body(true).contains("Ada"));
    }

    #[test]
    fn names_are_looked_up_by_one_at_a_time_and_rarely() {
        let turns = NameTurns::default();
        assert!(turns.take());
        assert!(!turns.take(), "somebody has it");
        turns.give_back(Duration::from_secs(10));
        assert!(!turns.take(), "it is rested");
        turns.give_back(Duration::ZERO);
        assert!(turns.take());
    }
}
