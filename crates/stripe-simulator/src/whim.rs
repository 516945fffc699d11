//! What customers and sellers come up with: upgrades, coupons, pauses, cancellations, and money that goes back.

use revenue::{fact::Status, price::Interval};

use crate::{
    goods::DAY,
    life::{Back, BackKind, HOUR, Happening, Item, Line, Pause, Schedule, Thing, World},
};

/// How changes within a period are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proration {
    None,
    Create,
    Invoice,
}

#[derive(Debug, Clone, Copy)]
enum Idea {
    Quantity,
    Price,
    AddItem,
    RemoveItem,
    Coupon,
    DropCoupon,
    CancelLater,
    CancelNow,
    Uncancel,
    Pause,
    Schedule,
    GoBroke,
    MoneyBack,
    Dispute,
    Delete,
}

const UPDATED: &str = "customer.subscription.updated";

impl World {
    /// A customer has an idea.
    pub(crate) fn whim(&mut self, sub: usize) {
        let now = self.now;
        if self.subs[sub].ended.is_some() || self.subs[sub].status == Status::IncompleteExpired {
            return;
        }
        let calm = now > self.quiet[sub] && self.next_turn(sub) > now + 2 * HOUR;
        let able = matches!(self.subs[sub].status, Status::Active | Status::Trialing) && self.subs[sub].pause.is_none();
        // While the invoice of a new period is a draft, and while money is looked for, nothing is changed.
        let begun = self.subs[sub].items.iter().map(|item| item.period.0).max().unwrap_or(0);
        if !calm || !able || now < begun + 2 * HOUR {
            let later = (now + self.dice.between(1, 9) * DAY).max(self.quiet[sub] + 3 * HOUR);
            self.plan(later, Happening::Whim(sub));
            return;
        }
        let idea = if self.settings.plain {
            self.dice.pick(&[(1, Idea::CancelNow), (1, Idea::CancelLater), (1, Idea::Uncancel)])
        } else {
            self.dice.pick(&[
                (20, Idea::Quantity),
                (16, Idea::Price),
                (7, Idea::AddItem),
                (5, Idea::RemoveItem),
                (8, Idea::Coupon),
                (3, Idea::DropCoupon),
                (7, Idea::CancelLater),
                (3, Idea::CancelNow),
                (5, Idea::Uncancel),
                (6, Idea::Pause),
                (6, Idea::Schedule),
                (9, Idea::GoBroke),
                (4, Idea::MoneyBack),
                (1, Idea::Dispute),
                (1, Idea::Delete),
            ])
        };
        self.act(sub, idea);
        self.plan_whim(sub);
    }

    fn act(&mut self, sub: usize, idea: Idea) {
        let now = self.now;
        let leaving = self.subs[sub].cancel_at.is_some();
        match idea {
            Idea::Quantity if !leaving => {
                let of = self.licensed_items(sub);
                let Some(at) = self.one_of(&of) else { return };
                let old = self.subs[sub].items[at].quantity;
                let quantity = (old + self.dice.pick(&[(3, 1), (2, 2), (1, 7), (2, -1), (1, -3)])).max(1);
                if quantity != old {
                    let new = Item { quantity, ..self.subs[sub].items[at].clone() };
                    self.note("quantity");
                    self.alter(sub, Some(at), Some(new));
                }
            }
            Idea::Price if !leaving => self.switch(sub),
            Idea::AddItem if !leaving && self.subs[sub].status == Status::Active => {
                let first = self.subs[sub].items[0].clone();
                let (currency, interval, count) = {
                    let good = &self.goods.goods[first.good];
                    (good.currency, good.interval, good.count)
                };
                let there: Vec<usize> = self.subs[sub].items.iter().map(|item| item.good).collect();
                let fitting =
                    self.licensed(|good| (good.currency, good.interval, good.count) == (currency, interval, count));
                let fitting: Vec<usize> = fitting.into_iter().filter(|good| !there.contains(good)).collect();
                let Some(good) = self.one_of(&fitting) else { return };
                let quantity = self.dice.between(1, 5);
                let new = self.new_item(good, quantity, first.period, first.number);
                self.note("item added");
                self.alter(sub, None, Some(new));
            }
            Idea::RemoveItem if !leaving && self.licensed_items(sub).len() > 1 => {
                // The first item carries the rhythm of the subscription.
                let of: Vec<usize> = self.licensed_items(sub).into_iter().filter(|at| *at > 0).collect();
                let Some(at) = self.one_of(&of) else { return };
                self.note("item removed");
                self.alter(sub, Some(at), None);
            }
            Idea::Coupon if self.subs[sub].given.len() < 2 => {
                let before = self.subs[sub].given.len();
                let item = if self.dice.happens(30) { Some(self.subs[sub].items[0].id.clone()) } else { None };
                // The subscription changes within: the event is told here, by hand, as the state before is gone else.
                let old = self.subs[sub].clone();
                self.give(sub, item);
                if let Some(given) = self.subs[sub].given.get(before).cloned() {
                    let given_to = std::mem::replace(&mut self.subs[sub], old);
                    self.tell(now, "customer.discount.created", Thing::Discount(given, sub), None);
                    self.change(sub, UPDATED, 0, |sub| *sub = given_to);
                    self.hush(sub);
                }
            }
            Idea::DropCoupon if !self.subs[sub].given.is_empty() => {
                self.note("coupon dropped");
                self.change(sub, UPDATED, 0, |sub| {
                    sub.given.pop();
                });
                self.hush(sub);
            }
            Idea::CancelLater if !leaving => {
                let end = self.period_end(sub);
                // It ends with the longest period; shorter ones go on until then.
                self.note("cancellation asked for");
                self.change(sub, UPDATED, 0, |sub| {
                    sub.cancel_at = Some(end);
                    sub.canceled_at = Some(now);
                    sub.reason = Some("cancellation_requested");
                });
            }
            Idea::Uncancel if leaving => {
                self.note("cancellation taken back");
                self.change(sub, UPDATED, 0, |sub| {
                    sub.cancel_at = None;
                    sub.canceled_at = None;
                    sub.reason = None;
                });
            }
            Idea::CancelNow => {
                if self.dice.happens(50) && self.subs[sub].status == Status::Active {
                    for at in self.licensed_items(sub) {
                        let item = self.subs[sub].items[at].clone();
                        self.prorate(sub, &item, true);
                    }
                    self.note("ended with credit");
                }
                self.end(sub, "cancellation_requested");
            }
            Idea::Pause if !leaving && self.subs[sub].status == Status::Active && self.is_short(sub) => {
                let pause = self.dice.pick(&[(3, Pause::Void), (2, Pause::KeepAsDraft), (2, Pause::MarkUncollectible)]);
                let until = self.period_end(sub) + self.dice.between(3 * HOUR, 70 * DAY);
                self.note("paused");
                self.change(sub, UPDATED, 0, |sub| sub.pause = Some(pause));
                self.hush(sub);
                self.plan(until, Happening::Resume(sub));
            }
            Idea::Schedule if !leaving && self.subs[sub].status == Status::Active => self.schedule(sub),
            Idea::GoBroke if self.fails_slowly(sub) => {
                let customer = self.subs[sub].customer;
                self.customers[customer].broke_until = self.next_turn(sub) + self.dice.between(0, 40) * DAY;
            }
            Idea::MoneyBack => {
                let kind = self.dice.pick(&[(3, BackKind::Refund), (2, BackKind::CreditNote)]);
                self.give_back(sub, kind);
            }
            Idea::Dispute => {
                let lost = self.give_back(sub, BackKind::Dispute) && self.dice.happens(50);
                if lost {
                    self.end(sub, "payment_disputed");
                }
            }
            Idea::Delete => {
                let customer = self.subs[sub].customer;
                self.note("customer deleted");
                for other in 0..self.subs.len() {
                    if self.subs[other].customer == customer && self.subs[other].ended.is_none() {
                        self.end(other, "cancellation_requested");
                    }
                }
                self.customers[customer].deleted = Some(now);
                let thing = Thing::Customer(self.customers[customer].clone());
                self.tell(now, "customer.deleted", thing, None);
            }
            _ => {}
        }
    }

    fn licensed_items(&self, sub: usize) -> Vec<usize> {
        let items = self.subs[sub].items.iter().enumerate();
        items.filter(|(_, item)| !self.goods.goods[item.good].metered).map(|(at, _)| at).collect()
    }

    /// Whether every period is a month or less, so that a pause shows in an invoice soon.
    fn is_short(&self, sub: usize) -> bool {
        self.subs[sub].items.iter().all(|item| {
            let good = &self.goods.goods[item.good];
            matches!(good.interval, Interval::Month | Interval::Week | Interval::Day) && good.count < 12
        })
    }

    /// Whether the tries to collect one invoice are over before the next one comes.
    fn fails_slowly(&self, sub: usize) -> bool {
        self.subs[sub].items.iter().all(|item| {
            let good = &self.goods.goods[item.good];
            matches!(good.interval, Interval::Month | Interval::Year)
        })
    }

    /// Changes, adds or removes an item within its period.
    fn alter(&mut self, sub: usize, at: Option<usize>, new: Option<Item>) {
        let mode = self.dice.pick(&[(3, Proration::Create), (2, Proration::Invoice), (2, Proration::None)]);
        let old = at.map(|at| self.subs[sub].items[at].clone());
        let mut traced = mode != Proration::None && self.subs[sub].status == Status::Active;
        if traced {
            if let Some(old) = &old {
                traced &= self.prorate(sub, old, true);
            }
            if let Some(new) = &new {
                traced &= self.prorate(sub, new, false);
            }
        }
        self.note(match mode {
            Proration::None => "without proration",
            Proration::Create => "proration later",
            Proration::Invoice => "proration at once",
        });
        self.change(sub, UPDATED, 0, |sub| match (at, new) {
            (Some(at), Some(new)) => sub.items[at] = new,
            (Some(at), None) => {
                let gone = sub.items.remove(at);
                sub.given.retain(|given| given.item.as_ref() != Some(&gone.id));
            }
            (None, Some(new)) => sub.items.push(new),
            (None, None) => {}
        });
        if mode == Proration::Invoice && self.waiting.iter().any(|line| line.sub == sub) {
            let invoice = self.invoice(sub, "subscription_update", Vec::new());
            self.finalize(invoice);
            self.settle(invoice);
        }
        if !traced {
            self.hush(sub);
        }
    }

    /// One side of a proration: what is left of a period is given back, or asked for. Whether it left a trace.
    fn prorate(&mut self, sub: usize, item: &Item, credit: bool) -> bool {
        let now = self.now;
        let (start, end) = item.period;
        let good = &self.goods.goods[item.good];
        let whole = good.minor(item.quantity);
        let share = |minor: i64| {
            let exact = i128::from(minor) * i128::from(end - now);
            let length = i128::from((end - start).max(1));
            i64::try_from((exact * 2 + length).div_euclid(length * 2)).unwrap_or(0)
        };
        let portions = good.portions(item.quantity, 0);
        let hundredths = if portions.len() == 1 { portions[0].hundredths } else { None };
        let sign = if credit { -1 } else { 1 };
        let mut left = whole;
        let mut taken = Vec::new();
        for given in &self.subs[sub].given {
            let percent = self.goods.coupons[given.coupon].percent.unwrap_or(0);
            if given.item.as_ref().is_none_or(|of| *of == item.id) {
                let off = left * percent / 10_000;
                left -= off;
                taken.push((given.id.clone(), sign * share(off)));
            }
        }
        let mut gross = sign * share(whole);
        if !self.itemized {
            // Discounts are in the amount, and named beside it with nothing taken off.
            gross -= taken.iter().map(|(_, off)| off).sum::<i64>();
            for (_, off) in &mut taken {
                *off = 0;
            }
        }
        let line = Line {
            id: self.name("il"),
            waited: Some(self.name("ii")),
            created: now,
            sub,
            item: item.id.clone(),
            good: item.good,
            quantity: item.quantity,
            hundredths,
            gross,
            period: (now, end),
            proration: true,
            taken,
        };
        self.waiting.push(line.clone());
        self.tell(now, "invoiceitem.created", Thing::Waiting(Box::new(line)), None);
        gross != 0
    }

    /// Another price for an item: in the same rhythm, or in another one, which begins a new period at once.
    fn switch(&mut self, sub: usize) {
        let of = self.licensed_items(sub);
        let Some(at) = self.one_of(&of) else { return };
        let old = self.subs[sub].items[at].clone();
        let (currency, interval, count) = {
            let good = &self.goods.goods[old.good];
            (good.currency, good.interval, good.count)
        };
        let alone = self.subs[sub].items.len() == 1 && self.subs[sub].status == Status::Active;
        let there: Vec<usize> = self.subs[sub].items.iter().map(|item| item.good).collect();
        let fitting = self
            .licensed(|good| good.currency == currency && (alone || (good.interval, good.count) == (interval, count)));
        let fitting: Vec<usize> = fitting.into_iter().filter(|good| !there.contains(good)).collect();
        let Some(good) = self.one_of(&fitting) else { return };
        let (new_interval, new_count) = (self.goods.goods[good].interval, self.goods.goods[good].count);
        if (new_interval, new_count) == (interval, count) {
            self.note("price");
            self.alter(sub, Some(at), Some(Item { good, ..old }));
            return;
        }
        self.note("rhythm");
        let now = self.now;
        if self.dice.happens(70) {
            self.prorate(sub, &old, true);
        }
        let end = self.goods.goods[good].period_end(now, 1);
        self.change(sub, UPDATED, 0, |sub| {
            sub.anchor = now;
            sub.items[at] = Item { good, period: (now, end), number: 1, ..old };
        });
        let lines = self.whole_lines(sub, now);
        let invoice = self.invoice(sub, "subscription_update", lines);
        self.finalize(invoice);
        self.settle(invoice);
        let turn = self.next_turn(sub);
        self.plan(turn, Happening::Turn(sub));
        self.quiet[sub] = self.quiet[sub].max(now + 2 * HOUR);
    }

    /// A schedule: as it is until the period ends, something else from then on.
    fn schedule(&mut self, sub: usize) {
        let items = self.subs[sub].items.clone();
        let one_end = items.iter().all(|item| item.period == items[0].period);
        if self.subs[sub].schedule.is_some() || !one_end || self.licensed_items(sub).len() != items.len() {
            return;
        }
        let (currency, interval, count) = {
            let good = &self.goods.goods[items[0].good];
            (good.currency, good.interval, good.count)
        };
        let fitting = self.licensed(|good| (good.currency, good.interval, good.count) == (currency, interval, count));
        let before: Vec<(usize, i64)> = items.iter().map(|item| (item.good, item.quantity)).collect();
        let mut after = before.clone();
        let unused: Vec<usize> =
            fitting.into_iter().filter(|good| before.iter().all(|(used, _)| used != good)).collect();
        if let Some(good) = self.one_of(&unused) {
            after[0].0 = good;
        }
        after[0].1 += self.dice.between(0, 3);
        let schedule = Schedule {
            id: self.name("sub_sched"),
            sub,
            created: self.now,
            begun: items[0].period.0,
            turn: items[0].period.1,
            before,
            after,
            over: false,
        };
        self.schedules.push(schedule.clone());
        let at = self.schedules.len() - 1;
        self.tell(self.now, "subscription_schedule.created", Thing::Schedule(Box::new(schedule)), None);
        self.note("scheduled");
        self.change(sub, UPDATED, 0, |sub| sub.schedule = Some(at));
        self.hush(sub);
    }

    /// Money of the last charge goes back.
    fn give_back(&mut self, sub: usize, kind: BackKind) -> bool {
        let of_sub = |charge: &crate::life::Charge| self.invoices[charge.invoice].sub == sub && !charge.failed;
        let Some(charge) = self.charges.iter().rposition(of_sub) else { return false };
        if self.backs.iter().any(|back| back.charge == charge) {
            return false;
        }
        let (prefix, event) = match kind {
            BackKind::Refund => ("re", "refund.created"),
            BackKind::Dispute => ("du", "charge.dispute.created"),
            BackKind::CreditNote => ("cn", "credit_note.created"),
        };
        let minor = self.charges[charge].minor;
        let part = if kind == BackKind::Dispute { minor } else { (minor * self.dice.between(1, 100) / 100).max(1) };
        let back = Back { id: self.name(prefix), kind, charge, created: self.now, minor: part };
        self.backs.push(back.clone());
        self.note("money back");
        self.tell(self.now, event, Thing::Back(back), None);
        true
    }
}
