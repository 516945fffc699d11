//! The judge: the ledger of what was rebuilt, beside the ledger of what really was.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    calendar::{Moment, Zone},
    fact::{NEVER, Offer, Reason, Recorded, Row as MethodRow, Terms, Tick, Ticks},
    fx::Rates,
    ledger,
    money::Currency,
    movement::{Cause, Context, Kind},
    policy::{Exchange, Policy},
    price::Price,
    timeline::{Confidence, Worth},
};
use serde_json::Value;
use stripe::{
    Catalogue, Evidence,
    gist::Gist,
    history::{self, History, Row},
    issue::Code,
};

use crate::{
    api::{Account, Query},
    life::World,
    render::Shape,
};

/// From what a history is rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Every event from the first day on, and the catalogue of prices.
    Events,
    /// What the list endpoints show at the end, without events.
    Lists,
    /// The lists, and the events of the last thirty days.
    ListsAndEvents,
    /// Invoices with their lines, and nothing else.
    Invoices,
    /// The lists, and every event.
    Everything,
}

impl Source {
    /// Every source with its name.
    pub const ALL: &'static [(Source, &'static str)] = &[
        (Source::Events, "all events"),
        (Source::Lists, "lists alone"),
        (Source::ListsAndEvents, "lists and 30 days of events"),
        (Source::Invoices, "invoices alone"),
        (Source::Everything, "lists and all events"),
    ];
}

/// A row of a ledger in words that do not depend on how things were numbered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Movement {
    /// Who.
    pub customer: String,
    /// The business day.
    pub day: i32,
    /// The subscription.
    pub subscription: String,
    /// The item.
    pub item: String,
    /// What is sold.
    pub offer: Offer,
    /// What happened to the customer.
    pub kind: Kind,
    /// Micro-units more a month.
    pub delta_micros: i64,
    /// What made it happen.
    pub cause: Cause,
    /// Why it was lost.
    pub reason: Reason,
    /// How sure it is.
    pub confidence: Confidence,
}

/// Things numbered in their order.
struct Numbered<T>(BTreeMap<T, u32>);

impl<T: Ord> Numbered<T> {
    fn of(things: impl Iterator<Item = T>) -> Self {
        let sorted: BTreeSet<T> = things.collect();
        Self(sorted.into_iter().zip(0..).collect())
    }

    fn number(&self, thing: &T) -> u32 {
        self.0.get(thing).copied().unwrap_or(u32::MAX)
    }

    fn list(self) -> Vec<T> {
        self.0.into_keys().collect()
    }
}

/// The rates of the worlds: the same on all days, so that a movement on another day has the same amount.
fn rates() -> (Rates, Exchange) {
    let day = revenue::calendar::Day(19_000);
    let mut rates = Rates::default();
    let units =
        [("EUR", 1_100_000_000_000), ("JPY", 7_000_000_000), ("KWD", 3_250_000_000_000), ("ISK", 7_300_000_000)];
    for (code, rate) in units {
        if let Some(currency) = Currency::parse(code) {
            rates.insert(currency, Currency::USD, day, rate);
        }
    }
    (rates, Exchange::Constant(day))
}

/// The ledger of rows, in US dollars, by the method that makes every ledger.
#[must_use]
pub fn movements(rows: &[Row], policy: &Policy, zone: &Zone) -> Vec<Movement> {
    let (rates, exchange) = rates();
    let policy = Policy { exchange, ..policy.clone() };
    let ticks = Ticks::new(&policy, zone.clone());
    let moment = |second: i64| Moment::Instant(second * 1_000_000);
    let tick = |second: Option<i64>, none: Tick| second.map_or(none, |second| ticks.of(moment(second)));
    let offer_of = |row: &Row| Offer {
        plan: row.standing.price.id.clone(),
        product: row.standing.price.product.clone(),
        interval: row.standing.price.interval,
        interval_count: row.standing.price.interval_count,
        currency: row.standing.price.currency,
    };
    let customers = Numbered::of(rows.iter().map(|row| row.customer.clone()));
    let item_of = |row: &Row| (row.customer.clone(), row.subscription.clone(), row.item.clone());
    let items = Numbered::of(rows.iter().map(item_of));
    let offers = Numbered::of(rows.iter().map(offer_of));
    let terms_of = |row: &Row| Terms {
        offer: offers.number(&offer_of(row)),
        status: row.standing.status,
        price: Price { discount: row.standing.discount, ..row.standing.price.of(row.standing.quantity) },
        metered: row.standing.price.metered,
        discount_end: tick(row.standing.discount_end, NEVER),
        cancel_reason: row.standing.cancel_reason.as_deref().map_or(Reason::Unknown, Reason::of_words),
        confidence: row.confidence,
    };
    let terms = Numbered::of(rows.iter().map(terms_of));
    let mut method: Vec<MethodRow> = rows
        .iter()
        .enumerate()
        .map(|(fact, row)| MethodRow {
            customer: customers.number(&row.customer),
            subscription: items.number(&item_of(row)),
            terms: terms.number(&terms_of(row)),
            fact: u32::try_from(fact).unwrap_or(u32::MAX),
            start: ticks.of(moment(row.start)),
            start_offset: ticks.offset(moment(row.start)),
            end: tick(row.end, NEVER),
            trial_end: tick(row.standing.trial_end, Tick::MIN),
            cancel_at: tick(row.standing.cancel_at, NEVER),
            cancel_requested_at: tick(row.standing.cancel_requested_at, NEVER),
        })
        .collect();
    method.sort_by_key(|row| (row.customer, row.subscription));
    let (customers, items, offers, terms) = (customers.list(), items.list(), offers.list(), terms.list());
    let worth: Vec<Worth> = terms.iter().filter_map(|terms| Worth::of(terms, &policy).ok()).collect();
    let context = Context {
        policy: &policy,
        ticks: &ticks,
        offers: &offers,
        terms: &terms,
        rates: &rates,
        reporting: Currency::USD,
        revalue_until: 0,
    };
    let all = 0..u32::try_from(customers.len()).unwrap_or(0);
    let share = ledger::build(&mut method, all, &worth, &Recorded::new(vec![0]), &context, |_, _| {});
    let mut made = Vec::new();
    for (customer, name) in customers.iter().enumerate() {
        for row in share.ledger.of_customer(customer) {
            let Some(movement) = share.ledger.movement(row) else { continue };
            let (_, subscription, item) = items[movement.subscription as usize].clone();
            made.push(Movement {
                customer: name.clone(),
                day: movement.day,
                subscription,
                item,
                offer: offers[movement.offer as usize].clone(),
                kind: movement.kind,
                delta_micros: movement.delta_micros,
                cause: movement.cause,
                reason: movement.reason,
                confidence: movement.confidence,
            });
        }
    }
    made
}

/// Rebuilds every customer of a world from one source, as a sync would.
#[must_use]
pub fn rebuild(world: &World, shape: Shape, source: Source) -> History {
    rebuild_with(world, shape, source, |events| events)
}

/// Rebuilds every customer of a world from one source, with events that are lost, doubled or out of order on their way.
#[must_use]
pub fn rebuild_with(
    world: &World,
    shape: Shape,
    source: Source,
    deliver: impl FnOnce(Vec<Value>) -> Vec<Value>,
) -> History {
    rebuild_of(Account::new(world, shape), source, deliver)
}

/// Rebuilds every customer of an account from one source, with events that are lost, doubled or out of order on their way.
#[must_use]
pub fn rebuild_of(mut account: Account<'_>, source: Source, deliver: impl FnOnce(Vec<Value>) -> Vec<Value>) -> History {
    let now = account.world.now;
    let mut known = Known::default();
    if source != Source::Invoices {
        known.learn_catalogue(&mut account);
    }
    let lists: &[&str] = match source {
        Source::Events => &[],
        Source::Invoices => &["/v1/invoices"],
        Source::Lists | Source::ListsAndEvents | Source::Everything => LISTS,
    };
    known.take_lists(&mut account, lists);
    let events = match source {
        Source::Events | Source::Everything => account.all_events(),
        Source::ListsAndEvents => walk(&mut account, "/v1/events", &[]),
        Source::Lists | Source::Invoices => Vec::new(),
    };
    known.take_events(deliver(events));
    known.history(now, (source == Source::Events).then_some(now))
}

/// What somebody knows of an account who loaded it once, with the events of thirty days, and has read events since.
#[derive(Debug, Clone, Default)]
pub struct Known {
    catalogue: Catalogue,
    /// Objects and events with the second at which they were so, by customer.
    by_customer: BTreeMap<String, Vec<(i64, Gist)>>,
    /// What names no customer: it may be anyone's.
    payments: Vec<(i64, Gist)>,
    /// The ids of the events among them.
    events: BTreeSet<String>,
    issues: Vec<stripe::issue::Issue>,
}

/// The lists of what is said of subscriptions.
const LISTS: &[&str] = &[
    "/v1/subscriptions",
    "/v1/subscription_schedules",
    "/v1/invoices",
    "/v1/invoiceitems",
    "/v1/charges",
    "/v1/invoice_payments",
];

fn walk(account: &mut Account<'_>, path: &str, expand: &[&str]) -> Vec<Value> {
    let query = Query {
        limit: Some(100),
        status: Some("all".to_owned()),
        expand: expand.iter().map(|&what| what.to_owned()).collect(),
        ..Query::default()
    };
    account.walk(path, &query).unwrap_or_default()
}

impl Known {
    /// Walks all lists, and reads the events of the last thirty days.
    #[must_use]
    pub fn load(mut account: Account<'_>) -> Self {
        let mut known = Self::default();
        known.learn_catalogue(&mut account);
        known.take_lists(&mut account, LISTS);
        known.take_events(walk(&mut account, "/v1/events", &[]));
        known
    }

    /// Reads the events of the last thirty days, and what has no events.
    pub fn sync(&mut self, mut account: Account<'_>) {
        self.take_events(walk(&mut account, "/v1/events", &[]));
        self.payments.clear();
        self.take_lists(&mut account, &["/v1/invoice_payments"]);
    }

    fn learn_catalogue(&mut self, account: &mut Account<'_>) {
        for object in walk(account, "/v1/prices", &["data.tiers"]).into_iter().chain(walk(account, "/v1/coupons", &[]))
        {
            self.catalogue.take(&Gist::of(&object), &mut self.issues);
        }
    }

    fn take_lists(&mut self, account: &mut Account<'_>, lists: &[&str]) {
        let at = account.world.now;
        for path in lists {
            for object in walk(account, path, &["data.discounts.source.coupon", "data.items.data.discounts"]) {
                match object.get("customer").and_then(Value::as_str) {
                    Some(customer) => {
                        self.by_customer.entry(customer.to_owned()).or_default().push((at, Gist::of(&object)))
                    }
                    None => self.payments.push((at, Gist::of(&object))),
                }
            }
        }
    }

    fn take_events(&mut self, events: Vec<Value>) {
        for event in events {
            let customer = event.pointer("/data/object/customer").and_then(Value::as_str).map(str::to_owned);
            let of = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let at = event.get("created").and_then(Value::as_i64).unwrap_or(0);
            if let Some(customer) = customer.filter(|_| self.events.insert(of)) {
                self.by_customer.entry(customer).or_default().push((at, Gist::of(&event)));
            }
        }
    }

    /// The history of all customers, as it is at a second.
    #[must_use]
    pub fn history(&self, now: i64, events_until: Option<i64>) -> History {
        let mut catalogue = self.catalogue.clone();
        let mut all = History::default();
        all.issues.clone_from(&self.issues);
        for seen in self.by_customer.values() {
            let mut evidence = Evidence::default();
            evidence.events_until = events_until;
            for (at, object) in seen.iter().chain(&self.payments) {
                evidence.take(object.clone(), *at, &mut catalogue);
            }
            let mut history = history::rebuild(&evidence, &catalogue, now);
            all.rows.append(&mut history.rows);
            all.issues.append(&mut history.issues);
        }
        all
    }
}

/// What the judge found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Movements of the truth up to now.
    pub movements: usize,
    /// Those that were rebuilt as they were, by how sure the rebuilt ones are.
    pub met: BTreeMap<&'static str, usize>,
    /// Rebuilt ones that are none, where they are marked *assumed*.
    pub explained: usize,
    /// True ones that are missing, where something around them is marked *assumed*.
    pub missing: usize,
    /// Differences that nothing explains, in words.
    pub unexplained: Vec<String>,
    /// Customers that do not come to what they are worth now, marked or not, in words: whoever has seen the account as it
    /// is now knows better.
    pub wrong_now: Vec<String>,
}

impl Verdict {
    /// Adds another one.
    pub fn add(&mut self, other: Verdict) {
        self.movements += other.movements;
        for (name, count) in other.met {
            *self.met.entry(name).or_default() += count;
        }
        self.explained += other.explained;
        self.missing += other.missing;
        self.unexplained.extend(other.unexplained);
        self.wrong_now.extend(other.wrong_now);
    }
}

/// Compares what was rebuilt of a world with what really was, under a policy.
///
/// A rebuilt movement that is none is explained where it is marked *assumed* itself.
/// A movement that is missing is explained where a rebuilt row of the customer is marked *assumed* and holds, begins or
/// ends on that day, or an issue says that something of the subscription changed undated around it. `strict` compares
/// causes and reasons too.
#[must_use]
pub fn judge(world: &World, rebuilt: &History, policy: &Policy, zone: &Zone, strict: bool) -> Verdict {
    let truth = world.truth();
    let ticks = Ticks::new(&Policy::default(), zone.clone());
    let day = |second: i64| ticks.of(Moment::Instant(second * 1_000_000));
    let today = day(world.now);
    let plain = |movement: &Movement| {
        let mut movement = movement.clone();
        movement.confidence = Confidence::Exact;
        if !strict {
            movement.cause = Cause::Contract;
            movement.reason = Reason::Unknown;
        }
        movement
    };
    let until_now = |rows: &[Row]| -> Vec<Movement> {
        movements(rows, policy, zone).into_iter().filter(|movement| movement.day <= today).collect()
    };
    let owner: BTreeMap<&str, &str> =
        truth.iter().map(|row| (row.subscription.as_str(), row.customer.as_str())).collect();
    let mut marks: Vec<(&str, i32, i32)> = Vec::new();
    for row in rebuilt.rows.iter().filter(|row| row.confidence == Confidence::Assumed) {
        marks.push((&row.customer, day(row.start), row.end.map_or(NEVER, day)));
    }
    for issue in rebuilt.issues.iter().filter(|issue| issue.code == Code::ChangeUndated) {
        if let (Some((from, to)), Some(customer)) = (issue.between, owner.get(issue.object.as_str())) {
            marks.push((customer, day(from), day(to)));
        }
    }

    let is_marked = |movement: &Movement| {
        marks
            .iter()
            .any(|(customer, from, to)| *customer == movement.customer && *from <= movement.day && movement.day <= *to)
    };
    let unsure = |movement: &Movement| Movement { confidence: Confidence::Exact, ..movement.clone() };

    let mut verdict = Verdict::default();
    let worth_now = |rows: &[Row]| -> BTreeMap<String, i64> {
        let mut worth: BTreeMap<String, i64> = BTreeMap::new();
        until_now(rows).into_iter().for_each(|of| *worth.entry(of.customer).or_default() += of.delta_micros);
        worth.retain(|_, micros| *micros != 0);
        worth
    };
    let (worth, found) = (worth_now(&truth), worth_now(&rebuilt.rows));
    for customer in worth.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let of = |worth: &BTreeMap<String, i64>| worth.get(customer).copied().unwrap_or(0);
        if of(&worth) != of(&found) {
            verdict.wrong_now.push(format!("{customer} comes to {} instead of {}", of(&found), of(&worth)));
        }
    }
    let mut left: Vec<Movement> = until_now(&truth).iter().map(plain).collect();
    verdict.movements = left.len();
    let made = until_now(&rebuilt.rows);
    for movement in &made {
        match left.iter().position(|other| *other == plain(movement)) {
            Some(at) => {
                left.swap_remove(at);
                *verdict.met.entry(movement.confidence.name()).or_default() += 1;
            }
            None if movement.confidence == Confidence::Assumed => verdict.explained += 1,
            None if is_marked(movement) && {
                // The same change of the same part, named otherwise by what else is assumed of the day.
                let named = |other: &Movement| Movement { kind: movement.kind, cause: movement.cause, ..other.clone() };
                let at =
                    left.iter().position(|other| named(other) == Movement { reason: other.reason, ..unsure(movement) });
                at.map(|at| left.swap_remove(at)).is_some()
            } =>
            {
                verdict.explained += 1;
            }
            None => verdict.unexplained.push(format!("rebuilt {movement:?}")),
        }
    }
    for movement in left {
        if is_marked(&movement) {
            verdict.missing += 1;
        } else {
            verdict.unexplained.push(format!("missing {movement:?}"));
        }
    }
    verdict
}
