//! The world: customers and their subscriptions, living from one happening to the next.

use std::{cmp::Reverse, collections::BinaryHeap};

use revenue::{fact::Status, price::Interval, timeline::Confidence};
use stripe::history::Row;

use crate::{
    dice::Dice,
    goods::{DAY, Goods, Lasts},
    truth,
};

pub(crate) const HOUR: i64 = 3_600;

/// What a world is made of.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The seed: the same settings, the same world.
    pub seed: u64,
    /// How many customers join.
    pub customers: usize,
    /// How many months it lives.
    pub months: i32,
    /// The second at which it begins.
    pub start: i64,
    /// Whether there is one plan that is bought and cancelled, and nothing else.
    pub plain: bool,
}

impl Settings {
    /// A world of a seed: five customers and 26 months, from 2023-11-14.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, customers: 5, months: 26, start: 1_699_920_000, plain: false }
    }
}

/// A coupon given to a subscription or an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) coupon: usize,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) item: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) good: usize,
    pub(crate) quantity: i64,
    pub(crate) period: (i64, i64),
    /// Periods since the anchor.
    pub(crate) number: i64,
}

/// What becomes of invoices while collection is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    Void,
    KeepAsDraft,
    MarkUncollectible,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sub {
    pub(crate) id: String,
    pub(crate) customer: usize,
    pub(crate) created: i64,
    pub(crate) start: i64,
    pub(crate) status: Status,
    pub(crate) items: Vec<Item>,
    pub(crate) given: Vec<Given>,
    pub(crate) anchor: i64,
    pub(crate) trial: Option<(i64, i64)>,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) pause: Option<Pause>,
    pub(crate) schedule: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paper {
    Draft,
    Open,
    Paid,
    Uncollectible,
    Void,
}

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: String,
    /// The invoice item that it was, for prorations.
    pub(crate) waited: Option<String>,
    pub(crate) created: i64,
    pub(crate) sub: usize,
    pub(crate) item: String,
    pub(crate) good: usize,
    pub(crate) quantity: i64,
    pub(crate) hundredths: Option<i64>,
    /// Minor units before discounts.
    pub(crate) gross: i64,
    pub(crate) period: (i64, i64),
    pub(crate) proration: bool,
    /// Minor units that each discount takes off.
    pub(crate) taken: Vec<(String, i64)>,
}

impl Line {
    pub(crate) fn net(&self) -> i64 {
        self.gross - self.taken.iter().map(|(_, minor)| minor).sum::<i64>()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) customer: usize,
    pub(crate) sub: usize,
    pub(crate) created: i64,
    pub(crate) reason: &'static str,
    pub(crate) paper: Paper,
    pub(crate) auto_advance: bool,
    pub(crate) finalized: Option<i64>,
    pub(crate) paid: Option<i64>,
    pub(crate) voided: Option<i64>,
    pub(crate) uncollectible: Option<i64>,
    pub(crate) attempts: i64,
    pub(crate) next_attempt: Option<i64>,
    pub(crate) lines: Vec<Line>,
    pub(crate) given: Vec<Given>,
}

impl Invoice {
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().map(Line::net).sum()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) customer: usize,
    pub(crate) invoice: usize,
    pub(crate) created: i64,
    pub(crate) minor: i64,
    pub(crate) currency: &'static str,
    pub(crate) failed: bool,
}

/// Money that went back: a refund, a dispute or a credit note.
#[derive(Debug, Clone)]
pub(crate) struct Back {
    pub(crate) id: String,
    pub(crate) kind: BackKind,
    pub(crate) charge: usize,
    pub(crate) created: i64,
    pub(crate) minor: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackKind {
    Refund,
    Dispute,
    CreditNote,
}

#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) deleted: Option<i64>,
    /// Until when every payment fails.
    pub(crate) broke_until: i64,
}

/// A change at a known second: the second phase of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) sub: usize,
    pub(crate) created: i64,
    pub(crate) begun: i64,
    pub(crate) turn: i64,
    pub(crate) before: Vec<(usize, i64)>,
    pub(crate) after: Vec<(usize, i64)>,
    pub(crate) over: bool,
}

/// An object as it was, for events.
#[derive(Debug, Clone)]
pub(crate) enum Thing {
    Sub(Box<Sub>),
    Invoice(Box<Invoice>),
    Discount(Given, usize),
    Charge(Charge),
    Back(Back),
    Customer(Customer),
    Schedule(Box<Schedule>),
    Waiting(Box<Line>),
}

#[derive(Debug, Clone)]
pub(crate) struct EventOf {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) kind: &'static str,
    pub(crate) thing: Thing,
    pub(crate) before: Option<Thing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    Turn(usize),
    TrialWillEnd(usize),
    Discount(usize),
    Attempt(usize),
    Fix(usize),
    Resume(usize),
    Whim(usize),
    Join,
    Return(usize),
}

/// What the company does with who never pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dunning {
    Cancel,
    Unpaid,
    Leave,
}

/// A small billing world that has lived.
#[derive(Debug, Clone)]
pub struct World {
    /// What it was made of.
    pub settings: Settings,
    /// The second up to which it has lived.
    pub now: i64,
    pub(crate) goods: Goods,
    pub(crate) customers: Vec<Customer>,
    pub(crate) subs: Vec<Sub>,
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) waiting: Vec<Line>,
    pub(crate) charges: Vec<Charge>,
    pub(crate) backs: Vec<Back>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) events: Vec<EventOf>,
    /// Rows that are over.
    pub(crate) rows: Vec<Row>,
    /// Rows that still hold, by subscription.
    open: Vec<Vec<Row>>,
    /// Until when nothing may change that would undo what left no trace.
    pub(crate) quiet: Vec<i64>,
    pub(crate) dice: Dice,
    queue: BinaryHeap<Reverse<(i64, u8, u64, Happening)>>,
    counter: u64,
    /// So many units stand on the line of a tier's flat amount.
    flat_units: i64,
    pub(crate) itemized: bool,
    dunning: Dunning,
    /// What took place, for counts.
    pub(crate) took_place: std::collections::BTreeMap<&'static str, u64>,
}

impl World {
    /// Lives through the months of a world.
    #[must_use]
    pub fn live(settings: Settings) -> Self {
        let mut world = Self::begin(settings);
        world.live_until(world.month(settings.months));
        world
    }

    /// A world on its first day: customers will join in the first half of its months.
    #[must_use]
    pub fn begin(settings: Settings) -> Self {
        let mut dice = Dice::new(settings.seed);
        let goods = Goods::new(&mut dice, settings.plain);
        let end = goods.goods[0].period_end(settings.start, i64::from(settings.months));
        let mut world = Self {
            settings,
            now: settings.start,
            goods,
            customers: Vec::new(),
            subs: Vec::new(),
            invoices: Vec::new(),
            waiting: Vec::new(),
            charges: Vec::new(),
            backs: Vec::new(),
            schedules: Vec::new(),
            events: Vec::new(),
            rows: Vec::new(),
            open: Vec::new(),
            quiet: Vec::new(),
            flat_units: dice.between(0, 1),
            itemized: dice.happens(50),
            dunning: dice.pick(&[(3, Dunning::Cancel), (2, Dunning::Unpaid), (1, Dunning::Leave)]),
            dice,
            queue: BinaryHeap::new(),
            counter: 0,
            took_place: std::collections::BTreeMap::new(),
        };
        for _ in 0..settings.customers {
            let at = settings.start + world.dice.between(0, (end - settings.start) / 2);
            world.plan(at, Happening::Join);
        }
        world
    }

    /// The second at which so many months have passed.
    #[must_use]
    pub fn month(&self, months: i32) -> i64 {
        self.goods.goods[0].period_end(self.settings.start, i64::from(months))
    }

    /// Lives on to a second, also beyond the months that it was made for. One that lies behind changes nothing.
    pub fn live_until(&mut self, end: i64) {
        while let Some(Reverse((at, _, _, happening))) = self.queue.peek().copied()
            && at <= end
        {
            self.queue.pop();
            self.now = at;
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    /// Every row as it really was, up to now.
    #[must_use]
    pub fn truth(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.extend(self.open.iter().flatten().cloned());
        rows.sort_by(|a, b| (&a.subscription, &a.item, a.start).cmp(&(&b.subscription, &b.item, b.start)));
        rows
    }

    /// How often each kind of thing took place.
    pub fn took_place(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.took_place.iter().map(|(what, count)| (*what, *count))
    }

    pub(crate) fn plan(&mut self, at: i64, happening: Happening) {
        self.counter += 1;
        // At one second: what was agreed first, then money, then whims.
        let order = match happening {
            Happening::Discount(_) => 0,
            Happening::Turn(_) => 1,
            Happening::Attempt(_) | Happening::Fix(_) | Happening::Resume(_) | Happening::TrialWillEnd(_) => 2,
            Happening::Whim(_) | Happening::Join | Happening::Return(_) => 3,
        };
        self.queue.push(Reverse((at, order, self.counter, happening)));
    }

    pub(crate) fn name(&mut self, prefix: &str) -> String {
        self.counter += 1;
        // Names tell nothing of the order in which they were given.
        format!("{prefix}_{:012x}", crate::dice::mixed(self.settings.seed ^ self.counter << 20) >> 16)
    }

    pub(crate) fn tell(&mut self, created: i64, kind: &'static str, thing: Thing, before: Option<Thing>) {
        let id = self.name("evt");
        self.events.push(EventOf { id, created, kind, thing, before });
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.took_place.entry(what).or_default() += 1;
    }

    /// Changes a subscription: the truth is written down, and an event tells it.
    pub(crate) fn change(&mut self, sub: usize, kind: &'static str, lag: i64, change: impl FnOnce(&mut Sub)) {
        let before = self.subs[sub].clone();
        change(&mut self.subs[sub]);
        if before == self.subs[sub] && kind.ends_with("updated") {
            return;
        }
        self.write_down(sub, self.now);
        let after = Thing::Sub(Box::new(self.subs[sub].clone()));
        let before = kind.ends_with("updated").then(|| Thing::Sub(Box::new(before)));
        self.tell(self.now + lag, kind, after, before);
    }

    /// Closes rows that no longer hold and opens those that do from a second on.
    fn write_down(&mut self, sub: usize, at: i64) {
        let standings = truth::standings(&self.subs[sub], &self.goods);
        let customer = self.customers[self.subs[sub].customer].id.clone();
        let id = self.subs[sub].id.clone();
        let open = std::mem::take(&mut self.open[sub]);
        let mut still: Vec<Row> = Vec::new();
        for mut row in open {
            let goes_on = standings.iter().any(|(item, standing)| *item == row.item && *standing == row.standing);
            if goes_on {
                still.push(row);
            } else if row.start < at {
                row.end = Some(at);
                self.rows.push(row);
            }
        }
        for (item, standing) in standings {
            if still.iter().all(|row| row.item != item) {
                still.push(Row {
                    customer: customer.clone(),
                    subscription: id.clone(),
                    item,
                    standing,
                    start: at,
                    end: None,
                    confidence: Confidence::Exact,
                    source: "truth".to_owned(),
                });
            }
        }
        self.open[sub] = still;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Join => self.join(),
            Happening::Return(customer) => {
                if self.customers[customer].deleted.is_none() {
                    self.note("came back");
                    self.subscribe(customer);
                }
            }
            Happening::Turn(sub) => self.turn(sub),
            Happening::TrialWillEnd(sub) => {
                // It tells what is so, and of no change.
                if self.subs[sub].status == Status::Trialing {
                    let thing = Thing::Sub(Box::new(self.subs[sub].clone()));
                    self.tell(self.now, "customer.subscription.trial_will_end", thing, None);
                }
            }
            Happening::Attempt(invoice) => self.attempt(invoice),
            Happening::Fix(invoice) => self.fix(invoice),
            Happening::Resume(sub) => {
                if self.subs[sub].pause.is_some() && self.subs[sub].ended.is_none() {
                    self.note("resumed");
                    self.change(sub, "customer.subscription.updated", 0, |sub| sub.pause = None);
                    self.hush(sub);
                }
            }
            Happening::Discount(sub) => {
                let now = self.now;
                let over = |given: &Given| given.end.is_some_and(|end| end <= now);
                if self.subs[sub].ended.is_none() && self.subs[sub].given.iter().any(over) {
                    self.change(sub, "customer.subscription.updated", 0, |sub| sub.given.retain(|given| !over(given)));
                }
            }
            Happening::Whim(sub) => self.whim(sub),
        }
    }

    /// The end of the longest period that is running.
    pub(crate) fn period_end(&self, sub: usize) -> i64 {
        self.subs[sub].items.iter().map(|item| item.period.1).max().unwrap_or(self.now)
    }

    pub(crate) fn next_turn(&self, sub: usize) -> i64 {
        self.subs[sub].items.iter().map(|item| item.period.1).min().unwrap_or(self.now)
    }

    /// Nothing else changes until every period has ended once: what left no trace cannot be undone unseen.
    pub(crate) fn hush(&mut self, sub: usize) {
        self.quiet[sub] = self.quiet[sub].max(self.period_end(sub) + 2 * HOUR);
    }

    fn join(&mut self) {
        let id = self.name("cus");
        let new = Customer { id, created: self.now, deleted: None, broke_until: 0 };
        self.customers.push(new.clone());
        self.tell(self.now, "customer.created", Thing::Customer(new), None);
        self.subscribe(self.customers.len() - 1);
    }

    pub(crate) fn licensed(&self, wanted: impl Fn(&crate::goods::Good) -> bool) -> Vec<usize> {
        let goods = self.goods.goods.iter().enumerate();
        goods.filter(|(_, good)| !good.metered && wanted(good)).map(|(index, _)| index).collect()
    }

    pub(crate) fn one_of(&mut self, of: &[usize]) -> Option<usize> {
        if of.is_empty() {
            return None;
        }
        let last = i64::try_from(of.len()).unwrap_or(1) - 1;
        let rolled = self.dice.between(0, last);
        of.get(usize::try_from(rolled).unwrap_or(0)).copied()
    }

    pub(crate) fn new_item(&mut self, good: usize, quantity: i64, period: (i64, i64), number: i64) -> Item {
        Item { id: self.name("si"), created: self.now, good, quantity, period, number }
    }

    pub(crate) fn subscribe(&mut self, customer: usize) {
        let plain = self.settings.plain;
        let all = self.licensed(|_| true);
        let Some(good) = self.one_of(&all) else { return };
        let (currency, interval, count) = {
            let good = &self.goods.goods[good];
            (good.currency, good.interval, good.count)
        };
        let now = self.now;
        let trial = (!plain && self.dice.happens(30)).then(|| (now, now + self.dice.between(7, 30) * DAY));
        let first_end = trial.map_or_else(|| self.goods.goods[good].period_end(now, 1), |(_, end)| end);
        let number = i64::from(trial.is_none());
        let quantity = if plain { 1 } else { self.dice.between(1, 12) };
        let mut items = vec![self.new_item(good, quantity, (now, first_end), number)];
        if !plain && self.dice.happens(35) {
            let fitting =
                self.licensed(|other| (other.currency, other.interval, other.count) == (currency, interval, count));
            let fitting: Vec<usize> = fitting.into_iter().filter(|other| *other != good).collect();
            if let Some(other) = self.one_of(&fitting) {
                let quantity = self.dice.between(1, 9);
                let item = self.new_item(other, quantity, (now, first_end), number);
                items.push(item);
            }
        }
        if !plain && trial.is_none() && self.dice.happens(25) {
            let metered: Vec<usize> = (0..self.goods.goods.len())
                .filter(|at| {
                    let other = &self.goods.goods[*at];
                    // Usage is billed by the month, beside what is billed by the month or the year.
                    other.metered && other.currency == currency && matches!(interval, Interval::Month | Interval::Year)
                })
                .collect();
            if let Some(metered) = self.one_of(&metered) {
                let end = self.goods.goods[metered].period_end(now, 1);
                let item = self.new_item(metered, 0, (now, end), 1);
                items.push(item);
            }
        }
        let id = self.name("sub");
        let sub = self.subs.len();
        let incomplete = !plain && trial.is_none() && self.dice.happens(8);
        self.subs.push(Sub {
            id,
            customer,
            created: now,
            start: now,
            status: match (trial, incomplete) {
                (Some(_), _) => Status::Trialing,
                (None, true) => Status::Incomplete,
                (None, false) => Status::Active,
            },
            items,
            given: Vec::new(),
            anchor: trial.map_or(now, |(_, end)| end),
            trial,
            cancel_at: None,
            canceled_at: None,
            ended: None,
            reason: None,
            pause: None,
            schedule: None,
        });
        self.open.push(Vec::new());
        self.quiet.push(0);
        if !plain && self.dice.happens(30) {
            self.give(sub, None);
        }
        self.note("subscribed");
        self.change(sub, "customer.subscription.created", 0, |_| {});
        for given in self.subs[sub].given.clone() {
            self.tell(now, "customer.discount.created", Thing::Discount(given, sub), None);
        }
        let lines = self.whole_lines(sub, now);
        let invoice = self.invoice(sub, "subscription_create", lines);
        if incomplete {
            self.note("first payment failed");
            self.customers[customer].broke_until = now + self.dice.between(1, 40) * HOUR;
            self.finalize(invoice);
            self.attempt(invoice);
        } else {
            self.finalize(invoice);
            self.settle(invoice);
        }
        let turn = self.next_turn(sub);
        self.plan(turn, Happening::Turn(sub));
        if let Some((_, end)) = trial {
            self.plan(end - 3 * DAY, Happening::TrialWillEnd(sub));
        }
        self.plan_whim(sub);
    }

    pub(crate) fn plan_whim(&mut self, sub: usize) {
        let days = if self.settings.plain { self.dice.between(60, 500) } else { self.dice.between(12, 110) };
        let at = (self.now + days * DAY + self.dice.between(0, DAY - 1)).max(self.quiet[sub] + 1);
        self.plan(at, Happening::Whim(sub));
    }

    /// Gives a coupon that fits, to the subscription or one of its items.
    pub(crate) fn give(&mut self, sub: usize, item: Option<String>) {
        let currency = self.currency(sub);
        let fitting: Vec<usize> = (0..self.goods.coupons.len())
            .filter(|at| {
                let coupon = &self.goods.coupons[*at];
                // Amounts off meet items of one rhythm only: what they take off else is a matter of opinion.
                let one_rhythm = !self.subs[sub].items.iter().any(|item| self.goods.goods[item.good].metered);
                coupon.minor.is_none_or(|(_, of)| of == currency && one_rhythm)
            })
            .collect();
        let Some(coupon) = self.one_of(&fitting) else { return };
        let start = self.now;
        let end = match self.goods.coupons[coupon].lasts {
            Lasts::Months(months) => {
                let day = revenue::calendar::Day(i32::try_from(start.div_euclid(DAY)).unwrap_or(0));
                Some(i64::from(day.plus_months(months).0) * DAY + start.rem_euclid(DAY))
            }
            Lasts::Once | Lasts::Forever => None,
        };
        // What begins and ends between two invoices leaves no trace.
        if end.is_some_and(|end| end <= self.period_end(sub) + HOUR) {
            return;
        }
        let given = Given { id: self.name("di"), coupon, start, end, item };
        self.subs[sub].given.push(given);
        if let Some(end) = end {
            self.plan(end, Happening::Discount(sub));
        }
        self.note("coupon given");
    }

    pub(crate) fn currency(&self, sub: usize) -> &'static str {
        self.subs[sub].items.first().map_or("USD", |item| self.goods.goods[item.good].currency)
    }

    /// Lines for the whole periods that begin at a second.
    pub(crate) fn whole_lines(&mut self, sub: usize, at: i64) -> Vec<Line> {
        let mut lines = Vec::new();
        let free = self.subs[sub].status == Status::Trialing;
        for item in self.subs[sub].items.clone() {
            let good = &self.goods.goods[item.good];
            if good.metered || item.period.0 != at {
                continue;
            }
            let portions = good.portions(item.quantity, self.flat_units);
            let portions = if free {
                vec![crate::goods::Portion { quantity: item.quantity, hundredths: portions[0].hundredths, minor: 0 }]
            } else {
                portions
            };
            for portion in portions {
                let id = self.name("il");
                lines.push(Line {
                    id,
                    waited: None,
                    created: self.now,
                    sub,
                    item: item.id.clone(),
                    good: item.good,
                    quantity: portion.quantity,
                    hundredths: portion.hundredths,
                    gross: portion.minor,
                    period: item.period,
                    proration: false,
                    taken: Vec::new(),
                });
            }
        }
        lines
    }

    /// Makes a draft of lines and all that waits, with its discounts.
    pub(crate) fn invoice(&mut self, sub: usize, reason: &'static str, mut lines: Vec<Line>) -> usize {
        let (waits, others): (Vec<Line>, Vec<Line>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|line| line.sub == sub);
        self.waiting = others;
        let given: Vec<Given> = self.subs[sub].given.clone();
        let whole: i64 = lines.iter().map(|line| line.gross).sum();
        for line in &mut lines {
            let mut left = line.gross;
            for given in given.iter().filter(|given| given.item.as_ref().is_none_or(|item| *item == line.item)) {
                let coupon = &self.goods.coupons[given.coupon];
                let off = match (coupon.percent, coupon.minor) {
                    (Some(percent), _) => (left * percent + 5_000) / 10_000,
                    (None, Some((minor, _))) if whole > 0 => (minor * line.gross / whole).min(left),
                    _ => 0,
                };
                left -= off;
                line.taken.push((given.id.clone(), off));
            }
        }
        lines.extend(waits);
        let id = self.name("in");
        let customer = self.subs[sub].customer;
        self.invoices.push(Invoice {
            id,
            customer,
            sub,
            created: self.now,
            reason,
            paper: Paper::Draft,
            auto_advance: true,
            finalized: None,
            paid: None,
            voided: None,
            uncollectible: None,
            attempts: 0,
            next_attempt: None,
            lines,
            given,
        });
        let invoice = self.invoices.len() - 1;
        self.tell_invoice(invoice, "invoice.created");
        // A coupon for one invoice is used up by it.
        let once = |given: &Given| self.goods.coupons[given.coupon].lasts == Lasts::Once;
        let used: Vec<String> =
            self.subs[sub].given.iter().filter(|given| once(given)).map(|given| given.id.clone()).collect();
        if !used.is_empty() && whole > 0 {
            self.change(sub, "customer.subscription.updated", 0, |sub| {
                sub.given.retain(|given| !used.contains(&given.id))
            });
        }
        invoice
    }

    fn tell_invoice(&mut self, invoice: usize, kind: &'static str) {
        let thing = Thing::Invoice(Box::new(self.invoices[invoice].clone()));
        self.tell(self.now, kind, thing, None);
    }

    pub(crate) fn finalize(&mut self, invoice: usize) {
        self.invoices[invoice].finalized = Some(self.now);
        self.invoices[invoice].paper = Paper::Open;
        self.tell_invoice(invoice, "invoice.finalized");
    }

    /// The money comes in.
    pub(crate) fn settle(&mut self, invoice: usize) {
        let now = self.now;
        let minor = self.invoices[invoice].total();
        {
            let paper = &mut self.invoices[invoice];
            paper.paper = Paper::Paid;
            paper.paid = Some(now);
            paper.next_attempt = None;
            if minor > 0 {
                paper.attempts += 1;
            }
        }
        if minor > 0 {
            self.charge(invoice, minor, false);
        }
        self.tell_invoice(invoice, "invoice.paid");
    }

    fn charge(&mut self, invoice: usize, minor: i64, failed: bool) {
        let id = self.name("ch");
        let (customer, sub) = (self.invoices[invoice].customer, self.invoices[invoice].sub);
        let charge = Charge { id, customer, invoice, created: self.now, minor, currency: self.currency(sub), failed };
        self.charges.push(charge.clone());
        let kind = if failed { "charge.failed" } else { "charge.succeeded" };
        self.tell(self.now, kind, Thing::Charge(charge), None);
    }

    /// Stripe tries to take the money of an invoice.
    pub(crate) fn attempt(&mut self, invoice: usize) {
        let now = self.now;
        let (sub, customer) = (self.invoices[invoice].sub, self.invoices[invoice].customer);
        if self.invoices[invoice].paper == Paper::Draft && self.invoices[invoice].auto_advance {
            self.finalize(invoice);
        }
        if self.invoices[invoice].paper != Paper::Open || self.subs[sub].ended.is_some() {
            return;
        }
        let minor = self.invoices[invoice].total();
        if minor <= 0 || now >= self.customers[customer].broke_until {
            self.settle(invoice);
            let status = self.subs[sub].status;
            if matches!(status, Status::PastDue | Status::Incomplete | Status::Unpaid) {
                self.change(sub, "customer.subscription.updated", 0, |sub| sub.status = Status::Active);
            }
            return;
        }
        self.note("payment failed");
        self.invoices[invoice].attempts += 1;
        self.charge(invoice, minor, true);
        let attempts = self.invoices[invoice].attempts;
        if self.subs[sub].status == Status::Incomplete {
            let until = self.customers[customer].broke_until;
            if until < self.subs[sub].created + 23 * HOUR {
                self.plan(until, Happening::Attempt(invoice));
            } else {
                self.plan(self.subs[sub].created + 23 * HOUR, Happening::Fix(invoice));
            }
            self.tell_invoice(invoice, "invoice.payment_failed");
            return;
        }
        if self.subs[sub].status == Status::Active {
            self.change(sub, "customer.subscription.updated", 0, |sub| sub.status = Status::PastDue);
        }
        if attempts < 4 {
            let next = now + [3, 5, 7][usize::try_from(attempts - 1).unwrap_or(0).min(2)] * DAY;
            self.invoices[invoice].next_attempt = Some(next);
            self.plan(next, Happening::Attempt(invoice));
            self.tell_invoice(invoice, "invoice.payment_failed");
            return;
        }
        self.invoices[invoice].next_attempt = None;
        self.tell_invoice(invoice, "invoice.payment_failed");
        match self.dunning {
            Dunning::Cancel => {
                self.note("canceled by dunning");
                self.end(sub, "payment_failed");
            }
            Dunning::Unpaid => {
                self.note("unpaid");
                self.change(sub, "customer.subscription.updated", 0, |sub| sub.status = Status::Unpaid);
                let later = now + self.dice.between(5, 120) * DAY;
                self.plan(later, Happening::Fix(invoice));
            }
            Dunning::Leave => {
                let later = now + self.dice.between(5, 60) * DAY;
                self.plan(later, Happening::Fix(invoice));
            }
        }
    }

    /// What becomes of an invoice that nobody tries to collect any more: it is paid by hand, or never.
    fn fix(&mut self, invoice: usize) {
        let sub = self.invoices[invoice].sub;
        if self.subs[sub].ended.is_some() || self.invoices[invoice].paper != Paper::Open {
            return;
        }
        match self.subs[sub].status {
            Status::Incomplete => {
                self.note("never begun");
                self.invoices[invoice].paper = Paper::Void;
                self.invoices[invoice].voided = Some(self.now);
                self.tell_invoice(invoice, "invoice.voided");
                let now = self.now;
                self.change(sub, "customer.subscription.updated", 0, |sub| {
                    sub.status = Status::IncompleteExpired;
                    sub.ended = Some(now);
                });
            }
            Status::Unpaid | Status::PastDue if self.dice.happens(60) => {
                self.note("paid by hand");
                let customer = self.invoices[invoice].customer;
                self.customers[customer].broke_until = 0;
                self.settle(invoice);
                self.change(sub, "customer.subscription.updated", 0, |sub| sub.status = Status::Active);
                self.hush(sub);
            }
            _ => self.end(sub, "cancellation_requested"),
        }
    }

    pub(crate) fn end(&mut self, sub: usize, reason: &'static str) {
        let now = self.now;
        self.change(sub, "customer.subscription.deleted", 0, |sub| {
            sub.status = Status::Canceled;
            sub.ended = Some(now);
            sub.canceled_at = sub.canceled_at.or(Some(now));
            sub.reason = sub.reason.or(Some(reason));
        });
        self.note("ended");
        // Who left may come back.
        let customer = self.subs[sub].customer;
        if self.customers[customer].deleted.is_none() && self.dice.happens(35) {
            let at = now + self.dice.between(1, 150) * DAY;
            self.plan(at, Happening::Return(customer));
        }
    }

    /// A period ends: of some items another begins, or the subscription ends.
    fn turn(&mut self, sub: usize) {
        let now = self.now;
        if self.subs[sub].ended.is_some() || self.next_turn(sub) != now {
            return;
        }
        let usage = self.usage_lines(sub, now);
        if matches!(self.subs[sub].status, Status::IncompleteExpired) {
            return;
        }
        if self.subs[sub].cancel_at.is_some_and(|at| at <= now) {
            self.end(sub, "cancellation_requested");
            if !usage.is_empty() {
                let invoice = self.invoice(sub, "subscription_cycle", usage);
                self.plan(now + HOUR, Happening::Attempt(invoice));
                self.finalize(invoice);
                self.settle(invoice);
            }
            return;
        }
        // What was scheduled comes with the new period.
        let due = self.subs[sub].schedule.filter(|at| self.schedules[*at].turn <= now && !self.schedules[*at].over);
        if let Some(due) = due {
            self.schedules[due].over = true;
            let after = self.schedules[due].after.clone();
            self.note("phase begun");
            self.change(sub, "customer.subscription.updated", 0, |sub| {
                for (item, (good, quantity)) in sub.items.iter_mut().zip(after) {
                    item.good = good;
                    item.quantity = quantity;
                }
            });
            let thing = Thing::Schedule(Box::new(self.schedules[due].clone()));
            self.tell(now, "subscription_schedule.updated", thing, None);
        }
        // The event of a trial's end may come later, unless another one would overtake it.
        let soon = |given: &Given| given.end.is_some_and(|end| end <= now + HOUR);
        let late = self.subs[sub].status == Status::Trialing && !self.subs[sub].given.iter().any(soon);
        let lag = if late { self.dice.between(0, HOUR / 2) } else { 0 };
        let anchor = self.subs[sub].anchor;
        let goods = self.goods.clone();
        let trial_over = self.subs[sub].status == Status::Trialing;
        if trial_over {
            self.note("trial over");
        }
        self.change(sub, "customer.subscription.updated", lag, |sub| {
            for item in &mut sub.items {
                if item.period.1 == now {
                    item.number += 1;
                    item.period = (now, goods.goods[item.good].period_end(anchor, item.number));
                }
            }
            if trial_over {
                sub.status = Status::Active;
            }
        });
        let mut lines = self.whole_lines(sub, now);
        lines.extend(usage);
        if !lines.is_empty() {
            let invoice = self.invoice(sub, "subscription_cycle", lines);
            let pause = self.subs[sub].pause;
            if let Some(pause) = pause {
                self.invoices[invoice].auto_advance = false;
                match pause {
                    Pause::Void => {
                        self.finalize(invoice);
                        self.invoices[invoice].paper = Paper::Void;
                        self.invoices[invoice].voided = Some(now);
                        self.tell_invoice(invoice, "invoice.voided");
                    }
                    Pause::MarkUncollectible => {
                        self.finalize(invoice);
                        self.invoices[invoice].paper = Paper::Uncollectible;
                        self.invoices[invoice].uncollectible = Some(now);
                        self.tell_invoice(invoice, "invoice.marked_uncollectible");
                    }
                    Pause::KeepAsDraft => {}
                }
            } else if self.subs[sub].status == Status::Unpaid {
                self.invoices[invoice].auto_advance = false;
            } else {
                self.plan(now + HOUR, Happening::Attempt(invoice));
            }
        }
        let next = self.next_turn(sub);
        self.plan(next, Happening::Turn(sub));
    }

    /// What was used in the periods that end at a second.
    fn usage_lines(&mut self, sub: usize, at: i64) -> Vec<Line> {
        let mut lines = Vec::new();
        for item in self.subs[sub].items.clone() {
            if !self.goods.goods[item.good].metered || item.period.1 != at {
                continue;
            }
            let used = self.dice.between(0, 5_000);
            let gone = self.subs[sub].cancel_at.is_some_and(|cancel_at| cancel_at <= at);
            let row = truth::usage(&self.subs[sub], &item, used, &self.goods, gone.then_some(at));
            self.rows.push(Row { customer: self.customers[self.subs[sub].customer].id.clone(), ..row });
            let portion = self.goods.goods[item.good].portions(used, 0)[0];
            lines.push(Line {
                id: self.name("il"),
                waited: None,
                created: at,
                sub,
                item: item.id.clone(),
                good: item.good,
                quantity: used,
                hundredths: portion.hundredths,
                gross: portion.minor,
                period: item.period,
                proration: false,
                taken: Vec::new(),
            });
        }
        lines
    }
}
