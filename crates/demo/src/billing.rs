//! Invoices and payments: what a subscription's terms ask for, and what the card says.

use crate::calendar::{Calendar, Day};
use crate::dice::Dice;
use crate::person::Person;
use crate::price::{Terms, share_of};
use crate::sheet::Sheets;
use crate::story::{self, PLANS};
use crate::till::Till;

/// What became of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Paid,
    /// The card failed at first and worked on that day.
    Recovered(Day),
    /// The card never worked.
    Unpaid,
    /// Paid, and then taken back through the bank on that day.
    Disputed(Day),
}

/// A span of days that an invoice line pays for: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) from: Day,
    pub(crate) to: Day,
}

/// The billing of one customer.
#[derive(Debug)]
pub(crate) struct Billing<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) person: Person,
    pub(crate) sheets: &'a mut Sheets,
    pub(crate) dice: Dice,
    till: &'a mut Till,
    /// The days on which a card failed at first.
    pub(crate) failed: Vec<Day>,
    invoices: u32,
    payments: u32,
    /// Lines of the invoice being written.
    lines: u32,
    /// What they add up to, tax included.
    total: i64,
    /// The tax in it.
    tax: i64,
}

impl<'a> Billing<'a> {
    pub(crate) fn new(
        calendar: &'a Calendar,
        person: Person,
        sheets: &'a mut Sheets,
        till: &'a mut Till,
        dice: Dice,
    ) -> Billing<'a> {
        let failed = Vec::new();
        Billing { calendar, person, sheets, dice, till, failed, invoices: 0, payments: 0, lines: 0, total: 0, tax: 0 }
    }

    /// What the seller is paid, once there is one, for a contract that begins on `day` and is worth so much a year.
    pub(crate) fn commission(&mut self, day: Day, yearly_amount: i64) {
        let hired = story::SALES_HIRE.has_begun(self.calendar.story_month(day));
        if hired && day < self.calendar.end {
            self.till.commission(day, self.person.channel, self.person.country.currency, yearly_amount);
        }
    }

    /// Invoices a full period on its first day and collects the money.
    pub(crate) fn bill_period(&mut self, subscription: u32, terms: &Terms, service: Service, by_card: bool) -> Outcome {
        if service.from >= self.calendar.end {
            return Outcome::Paid;
        }
        self.begin_invoice();
        self.line(
            subscription,
            terms.plan,
            terms.net_amount(self.person.country.currency),
            service,
            service.from,
            "subscription",
        );
        if self.total <= 0 {
            return Outcome::Paid;
        }
        if by_card { self.collect_by_card(service.from) } else { self.collect_by_transfer(service.from) }
    }

    /// Invoices the add-on, whose card is taken to work: it is the same that
    /// has just paid for the desk, and one failure a customer is enough to tell.
    pub(crate) fn bill_add_on(&mut self, subscription: u32, terms: &Terms, service: Service) {
        if service.from >= self.calendar.end {
            return;
        }
        self.begin_invoice();
        self.line(
            subscription,
            terms.plan,
            terms.net_amount(self.person.country.currency),
            service,
            service.from,
            "subscription",
        );
        self.payment(service.from, "succeeded", "", 1);
    }

    /// Invoices a change in the middle of a period: the rest of the old terms
    /// is given back and the rest of the new ones is charged.
    pub(crate) fn bill_change(
        &mut self,
        subscription: u32,
        old: &Terms,
        new: &Terms,
        day: Day,
        period: Service,
        by_card: bool,
    ) {
        if day >= self.calendar.end {
            return;
        }
        let currency = self.person.country.currency;
        let rest = Service { from: day, to: period.to };
        let rest_days = i64::from(period.to - day);
        let period_days = i64::from(period.to - period.from);
        let credit = share_of(old.net_amount(currency), rest_days, period_days);
        let charge = share_of(new.net_amount(currency), rest_days, period_days);
        self.begin_invoice();
        self.line(subscription, old.plan, -credit, rest, day, "proration");
        self.line(subscription, new.plan, charge, rest, day, "proration");
        if self.total <= 0 {
            return;
        }
        if by_card {
            self.payment(day, "succeeded", "", 1);
        } else {
            self.collect_by_transfer(day);
        }
    }

    /// Invoices set-up and training on one day.
    pub(crate) fn bill_onboarding(&mut self, subscription: u32, plan: usize, day: Day) {
        if day >= self.calendar.end {
            return;
        }
        let fee = story::ONBOARDING_FEE[self.person.country.currency.column()];
        self.begin_invoice();
        self.line(subscription, plan, fee, Service { from: day, to: day + 1 }, day, "one_off");
        self.collect_by_transfer(day);
    }

    fn begin_invoice(&mut self) {
        self.invoices += 1;
        self.lines = 0;
        self.total = 0;
        self.tax = 0;
    }

    fn line(&mut self, subscription: u32, plan: usize, amount: i64, service: Service, issued: Day, kind: &str) {
        let currency = self.person.country.currency;
        let tax = share_of(amount, i64::from(self.person.country.tax_percent), 100);
        self.lines += 1;
        self.total += amount + tax;
        self.tax += tax;
        self.sheets
            .invoices
            .id(b'l', self.person.number, self.invoices, self.lines)
            .id(b'i', self.person.number, self.invoices, 0)
            .id(b'c', self.person.number, 0, 0)
            .id(b's', self.person.number, subscription, 0)
            .text(PLANS[plan].id)
            .text(currency.code())
            .money(amount, currency)
            .money(tax, currency)
            .day(self.calendar, service.from)
            .day(self.calendar, service.to)
            .day(self.calendar, issued)
            .text(kind)
            .end_row();
    }

    /// What the files know ends with the calendar: a payment beyond it has not happened yet.
    fn payment(&mut self, day: Day, status: &str, failure_reason: &str, attempt: u32) {
        if day >= self.calendar.end {
            return;
        }
        let currency = self.person.country.currency;
        self.payments += 1;
        self.sheets
            .payments
            .id(b'p', self.person.number, self.payments, 0)
            .id(b'i', self.person.number, self.invoices, 0)
            .id(b'c', self.person.number, 0, 0)
            .text(currency.code())
            .money(self.total, currency)
            .text(status)
            .day(self.calendar, day)
            .text(failure_reason)
            .number(attempt)
            .end_row();
        let by_card = !self.person.size.contract;
        match status {
            "succeeded" => self.till.receive(day, currency, self.total, self.tax, by_card),
            "refunded" | "disputed" => self.till.give_back(day, currency, self.total, self.tax),
            _ => {}
        }
    }

    fn collect_by_transfer(&mut self, issued: Day) -> Outcome {
        let (low, high) = story::TRANSFER_DAYS;
        let arrives = issued + self.dice.between(low, high);
        self.payment(arrives, "succeeded", "", 1);
        Outcome::Paid
    }

    fn collect_by_card(&mut self, issued: Day) -> Outcome {
        let wave = story::CARD_FAILURES.covers(self.calendar.story_month(issued));
        let fails = story::CARD_FAILS.times(if wave { story::CARD_FAILURES_PERCENT } else { 100 });
        if !self.dice.happens(fails) {
            self.payment(issued, "succeeded", "", 1);
            return self.after_payment(issued);
        }

        // Two of the three failures of the wave are new, and they say so.
        let usual = !wave || self.dice.below(story::CARD_FAILURES_PERCENT) < 100;
        let reason = if usual {
            self.dice.choose(&story::CARD_FAILURE_REASONS, |(_, share)| *share).0
        } else {
            story::CARD_FAILURE_REASON_IN_WAVE
        };
        self.payment(issued, "failed", reason, 1);
        if issued < self.calendar.end {
            self.failed.push(issued);
        }
        for ((days, works), attempt) in story::RETRIES.into_iter().zip(2..) {
            let day = issued + days;
            if self.dice.happens(works) {
                self.payment(day, "succeeded", "", attempt);
                return Outcome::Recovered(day);
            }
            self.payment(day, "failed", reason, attempt);
        }
        Outcome::Unpaid
    }

    fn after_payment(&mut self, paid: Day) -> Outcome {
        if self.dice.happens(story::REFUND) {
            let (low, high) = story::REFUND_DAYS;
            let day = paid + self.dice.between(low, high);
            self.payment(day, "refunded", "", 1);
        } else if self.dice.happens(story::DISPUTE) {
            let (low, high) = story::DISPUTE_DAYS;
            let day = paid + self.dice.between(low, high);
            self.payment(day, "disputed", "", 1);
            return Outcome::Disputed(day);
        }
        Outcome::Paid
    }
}
