//! From facts to the numbered, sorted rows that the method takes, as the warehouse prepares them.

use std::{collections::BTreeSet, ops::Range};

use revenue::{
    calendar::Day,
    fact::{NEVER, Offer, Reason, Recorded, Row, Terms, Tick, Ticks},
    ledger::{self, Builder, Ledger, Share},
    movement::{Cause, Context, Kind, Movement},
    naive::{self, Evaluation},
    timeline::{Confidence, Plain, PlainRow, Span, Worth},
};

use crate::company::{Company, Fact};

/// A company's facts in the shape of the method.
pub struct Books<'a> {
    pub company: &'a Company,
    pub customers: Vec<String>,
    pub subscriptions: Vec<(String, String)>,
    pub offers: Vec<Offer>,
    pub terms: Vec<Terms>,
    pub worth: Vec<Worth>,
    /// Sorted by customer and subscription.
    pub rows: Vec<Row>,
    pub recorded: Recorded,
    /// What each fact says.
    facts: Vec<Row>,
    pub ticks: Ticks,
}

/// A row of the ledger with every number replaced by what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub customer: String,
    pub day: Day,
    pub subscription: String,
    pub offer: Offer,
    /// What the fact says, as far as the method sees it: of two facts that differ by less than a tick either may be
    /// named.
    pub fact: (Offer, Terms, Row),
    pub delta_micros: i64,
    pub kind: Kind,
    pub cause: Cause,
    pub reason: Reason,
    pub confidence: Confidence,
}

impl<'a> Books<'a> {
    /// All that a company's imports state.
    pub fn of(company: &'a Company) -> Self {
        Self::known(company, &company.imports, company.imports.len())
    }

    /// The facts of the first `known` imports, with numbers for everything that all of them name.
    pub fn known(company: &'a Company, imports: &[Vec<Fact>], known: usize) -> Self {
        let ticks = Ticks::new(&company.policy, company.zone());
        let all = || imports.iter().flatten();
        let tick = |moment: &Option<revenue::calendar::Moment>, none| moment.map_or(none, |moment| ticks.of(moment));
        let customers = sorted(all().map(|fact| fact.customer.clone()));
        let subscriptions = sorted(all().map(|fact| (fact.customer.clone(), fact.subscription.clone())));
        let offers = sorted(all().map(|fact| fact.offer.clone()));
        let terms_of = |fact: &Fact| Terms {
            offer: number(&offers, &fact.offer),
            status: fact.status,
            price: fact.price.clone(),
            metered: fact.metered,
            discount_end: tick(&fact.discount_end, NEVER),
            cancel_reason: fact.cancel_reason,
            confidence: Confidence::Exact,
        };
        let terms = sorted(all().map(terms_of));
        let mut firsts = Vec::new();
        let mut facts = Vec::new();
        for import in &imports[..known] {
            firsts.push(facts.len() as u32);
            for fact in import {
                facts.push(Row {
                    customer: number(&customers, &fact.customer),
                    subscription: number(&subscriptions, &(fact.customer.clone(), fact.subscription.clone())),
                    terms: number(&terms, &terms_of(fact)),
                    fact: facts.len() as u32,
                    start: ticks.of(fact.start),
                    start_offset: ticks.offset(fact.start),
                    end: tick(&fact.end, NEVER),
                    trial_end: tick(&fact.trial_end, Tick::MIN),
                    cancel_at: tick(&fact.cancel_at, NEVER),
                    cancel_requested_at: tick(&fact.cancel_requested_at, NEVER),
                });
            }
        }
        let mut rows = facts.clone();
        rows.sort_by_key(|row| (row.customer, row.subscription));
        let worth = terms.iter().map(|terms| Worth::of(terms, &company.policy).unwrap()).collect();
        let recorded = Recorded::new(firsts);
        Self { company, customers, subscriptions, offers, terms, worth, rows, recorded, facts, ticks }
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            policy: &self.company.policy,
            ticks: &self.ticks,
            offers: &self.offers,
            terms: &self.terms,
            rates: self.company.rates(),
            reporting: self.company.reporting,
            revalue_until: self.ticks.of_day(self.company.revalue_until),
        }
    }

    pub fn everybody(&self) -> Range<u32> {
        0..self.customers.len() as u32
    }

    /// The kernel's ledger.
    pub fn build(&self) -> Share {
        self.build_share(self.everybody(), |_, _| {})
    }

    /// The kernel's ledger of some customers who follow each other. The short way for plain customers must give the same.
    pub fn build_share(&self, customers: Range<u32>, visit: impl FnMut(u32, &[Span])) -> Share {
        let mut rows: Vec<Row> = self.rows.iter().filter(|row| customers.contains(&row.customer)).copied().collect();
        let short = self.build_plain(&rows, customers.clone()).0;
        let share = ledger::build(&mut rows, customers, &self.worth, &self.recorded, &self.context(), visit);
        assert_eq!(short.ledger, share.ledger);
        share
    }

    /// The ledger of some customers, that of the plain ones the short way, and how many were plain.
    pub fn build_plain(&self, rows: &[Row], customers: Range<u32>) -> (Share, usize) {
        let plain: Vec<Option<Plain>> = self.terms.iter().map(|terms| Plain::of(terms, &self.company.policy)).collect();
        let mut builder = Builder::default();
        let mut count = 0;
        for customer in customers {
            let mut own: Vec<Row> = rows.iter().filter(|row| row.customer == customer).copied().collect();
            own.sort_by_key(|row| (row.subscription, row.start, row.start_offset, row.fact));
            let plain_row = |row: &Row| {
                let says_no_more =
                    row.trial_end == Tick::MIN && row.cancel_at == NEVER && row.cancel_requested_at == NEVER;
                let price = &self.terms[row.terms as usize].price;
                says_no_more.then(|| PlainRow {
                    fact: row.fact,
                    class: row.terms,
                    start: row.start,
                    end: row.end,
                    monthly_micros: self.worth[row.terms as usize].monthly_micros,
                    amount: price.amount_picos as i64,
                    quantity: price.quantity,
                })
            };
            let plain_rows: Option<Vec<PlainRow>> = own.iter().map(plain_row).collect();
            let mut begin = 0;
            let items = own.chunk_by(|a, b| a.subscription == b.subscription).map(|of_item| {
                let range = begin..begin + of_item.len();
                begin = range.end;
                (of_item[0].subscription, range)
            });
            let context = self.context();
            let made = plain_rows.and_then(|rows| {
                builder.work_out_plain(&rows, items, &self.terms, &plain, &context).map(<[Movement]>::to_vec)
            });
            if let Some(made) = made {
                count += 1;
                builder.share.ledger.push_customer(&made);
            } else {
                let customers = customer..customer + 1;
                builder.append(&mut own, customers, &self.worth, &self.recorded, &context, |_, _| {});
            }
        }
        (builder.share, count)
    }

    /// The reference evaluator's ledger.
    pub fn judge(&self) -> Evaluation {
        naive::ledger(&self.rows, &self.recorded, &self.context())
    }

    /// A fact in words that do not depend on how things were numbered.
    fn said(&self, fact: u32) -> (Offer, Terms, Row) {
        let row = self.facts[fact as usize];
        let terms = self.terms[row.terms as usize].clone();
        let offer = self.offers[terms.offer as usize].clone();
        (offer, Terms { offer: 0, ..terms }, Row { customer: 0, subscription: 0, terms: 0, fact: 0, ..row })
    }

    /// What was odd about the facts: which of them was refused or cut for which other.
    pub fn oddities(&self, share: &Share) -> (BTreeSet<String>, BTreeSet<String>) {
        let pair = |a, b| format!("{:?} {:?}", self.said(a), self.said(b));
        (
            share.conflicts.iter().map(|conflict| pair(conflict.used, conflict.refused)).collect(),
            share.overlaps.iter().map(|overlap| pair(overlap.cut, overlap.by)).collect(),
        )
    }

    /// A ledger in words that do not depend on how things were numbered.
    pub fn lines(&self, ledger: &Ledger) -> Vec<Line> {
        let mut lines = Vec::new();
        for customer in 0..ledger.customers() {
            for row in ledger.of_customer(customer) {
                let movement = ledger.movement(row).unwrap();
                lines.push(Line {
                    customer: self.customers[customer].clone(),
                    day: Day(movement.day),
                    subscription: self.subscriptions[movement.subscription as usize].1.clone(),
                    offer: self.offers[movement.offer as usize].clone(),
                    fact: self.said(movement.fact),
                    delta_micros: movement.delta_micros,
                    kind: movement.kind,
                    cause: movement.cause,
                    reason: movement.reason,
                    confidence: movement.confidence,
                });
            }
        }
        lines
    }
}

fn sorted<T: Ord>(things: impl Iterator<Item = T>) -> Vec<T> {
    things.collect::<BTreeSet<T>>().into_iter().collect()
}

fn number<T: Ord>(sorted: &[T], thing: &T) -> u32 {
    sorted.binary_search(thing).unwrap() as u32
}
