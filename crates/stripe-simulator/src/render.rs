//! Objects as Stripe shows them, in each of three shapes of its API.

use revenue::{calendar::Day, fact::Status, price::Interval};
use serde_json::{Map, Value, json};

use crate::{
    goods::{CouponOf, DAY, Good, Lasts, Scheme},
    life::{
        Back, BackKind, Charge, Customer, EventOf, Given, Invoice, Item, Line, Paper, Pause, Schedule, Sub, Thing,
        World,
    },
};

/// A version of Stripe's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// As until 2025-03-31: periods on subscriptions, prices on lines.
    Classic,
    /// Since 2025-03-31 (basil): periods on items, parents and pricing on lines.
    Basil,
    /// Since 2025-09-30 (clover): coupons in the source of discounts.
    Clover,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Shape; 3] = [Shape::Classic, Shape::Basil, Shape::Clover];

    /// The name of the version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Shape::Classic => "2024-06-20",
            Shape::Basil => "2025-03-31.basil",
            Shape::Clover => "2025-09-30.clover",
        }
    }

    /// The newest version on the day of a second: that of an account that follows Stripe.
    #[must_use]
    pub fn newest_at(second: i64) -> Self {
        let is_out = |shape: &&Shape| {
            let day = Day::parse(shape.version().get(..10).unwrap_or_default());
            day.is_some_and(|day| i64::from(day.0) * DAY <= second)
        };
        Self::ALL.iter().rev().find(is_out).copied().unwrap_or(Shape::Classic)
    }
}

/// In which version of the API events are: in that which the account had when they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All in one.
    In(Shape),
    /// Each in the newest version of its day.
    InTheNewestOfTheirDay,
}

impl Told {
    pub(crate) fn at(self, second: i64) -> Shape {
        match self {
            Told::In(shape) => shape,
            Told::InTheNewestOfTheirDay => Shape::newest_at(second),
        }
    }
}

/// How objects are shown: the version, and what is expanded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) shape: Shape,
    /// Whether discounts are shown in full where they can be ids.
    pub(crate) discounts: bool,
    /// Whether tiers are shown.
    pub(crate) tiers: bool,
    /// How many lines an invoice shows at once.
    pub(crate) lines: usize,
}

fn list(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    json!({"object": "list", "data": data, "has_more": has_more, "url": url})
}

fn hundredths(value: i64) -> String {
    let (whole, rest) = (value / 100, value % 100);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:02}").trim_end_matches('0').to_owned() }
}

impl World {
    pub(crate) fn show(&self, thing: &Thing, view: View) -> Value {
        match thing {
            Thing::Sub(sub) => self.subscription(sub, view),
            Thing::Invoice(invoice) => self.invoice_object(invoice, view),
            Thing::Discount(given, sub) => self.discount(given, &self.subs[*sub], view),
            Thing::Charge(charge) => self.charge_object(charge, view),
            Thing::Back(back) => self.back(back),
            Thing::Customer(customer) => customer_object(customer),
            Thing::Schedule(schedule) => self.schedule_object(schedule),
            Thing::Waiting(line) => self.invoice_item(line, None, view),
        }
    }

    pub(crate) fn event(&self, event: &EventOf, shape: Shape) -> Value {
        // Events show ids: nothing can be expanded in them.
        let view = View { shape, discounts: false, tiers: false, lines: 10 };
        let object = self.show(&event.thing, view);
        let mut data = Map::new();
        if let Some(before) = &event.before {
            data.insert("previous_attributes".to_owned(), difference(&self.show(before, view), &object));
        }
        data.insert("object".to_owned(), object);
        json!({
            "id": event.id, "object": "event", "api_version": shape.version(), "created": event.created,
            "data": data, "livemode": false, "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null}, "type": event.kind,
        })
    }

    pub(crate) fn price(&self, good: &Good, tiers: bool) -> Value {
        let interval = match good.interval {
            Interval::Quarter | Interval::OneOff => "month",
            other => other.name(),
        };
        let mut price = json!({
            "id": good.id, "object": "price", "active": true, "billing_scheme": "per_unit", "created": self.settings.start,
            "currency": good.currency.to_ascii_lowercase(), "custom_unit_amount": null, "livemode": false,
            "lookup_key": null, "metadata": {}, "nickname": null, "product": self.goods.products[good.product],
            "recurring": {
                "interval": interval, "interval_count": good.count, "trial_period_days": null, "aggregate_usage": null,
                "usage_type": if good.metered { "metered" } else { "licensed" },
            },
            "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": "recurring",
            "unit_amount": null, "unit_amount_decimal": null,
        });
        match &good.scheme {
            Scheme::PerUnit { hundredths: unit } => {
                price["unit_amount_decimal"] = json!(hundredths(*unit));
                if unit % 100 == 0 {
                    price["unit_amount"] = json!(unit / 100);
                }
            }
            Scheme::Package { minor, size } => {
                price["unit_amount"] = json!(minor);
                price["unit_amount_decimal"] = json!(minor.to_string());
                price["transform_quantity"] = json!({"divide_by": size, "round": "up"});
            }
            Scheme::Tiers { volume, tiers: listed } => {
                price["billing_scheme"] = json!("tiered");
                price["tiers_mode"] = json!(if *volume { "volume" } else { "graduated" });
                if tiers {
                    let tier = |(up_to, unit, flat): &(Option<i64>, i64, i64)| {
                        let flat = (*flat > 0).then_some(*flat);
                        json!({"up_to": up_to, "unit_amount": unit, "unit_amount_decimal": unit.to_string(),
                            "flat_amount": flat, "flat_amount_decimal": flat.map(|flat| flat.to_string())})
                    };
                    price["tiers"] = listed.iter().map(tier).collect();
                }
            }
        }
        price
    }

    pub(crate) fn coupon(&self, coupon: &CouponOf) -> Value {
        let (duration, months) = match coupon.lasts {
            Lasts::Once => ("once", None),
            Lasts::Months(months) => ("repeating", Some(months)),
            Lasts::Forever => ("forever", None),
        };
        let percent = coupon.percent.map(|percent| {
            if percent % 100 == 0 { json!(percent / 100) } else { hundredths(percent).parse().unwrap_or(Value::Null) }
        });
        json!({
            "id": coupon.id, "object": "coupon", "created": self.settings.start, "duration": duration,
            "duration_in_months": months, "percent_off": percent, "amount_off": coupon.minor.map(|(minor, _)| minor),
            "currency": coupon.minor.map(|(_, currency)| currency.to_ascii_lowercase()), "livemode": false,
            "max_redemptions": null, "metadata": {}, "name": null, "redeem_by": null, "times_redeemed": 1, "valid": true,
        })
    }

    fn discount(&self, given: &Given, sub: &Sub, view: View) -> Value {
        let coupon = &self.goods.coupons[given.coupon];
        let mut discount = json!({
            "id": given.id, "object": "discount", "customer": self.customers[sub.customer].id, "end": given.end,
            "invoice": null, "invoice_item": null, "promotion_code": null, "start": given.start,
            "subscription": sub.id, "subscription_item": given.item, "checkout_session": null,
        });
        if view.shape == Shape::Clover {
            let shown = if view.discounts { self.coupon(coupon) } else { json!(coupon.id) };
            discount["source"] = json!({"type": "coupon", "coupon": shown});
        } else {
            discount["coupon"] = self.coupon(coupon);
        }
        discount
    }

    fn discounts(&self, given: &[&Given], sub: &Sub, view: View) -> Value {
        given
            .iter()
            .map(|given| if view.discounts { self.discount(given, sub, view) } else { json!(given.id) })
            .collect()
    }

    fn item(&self, item: &Item, sub: &Sub, view: View) -> Value {
        let good = &self.goods.goods[item.good];
        let own: Vec<&Given> = sub.given.iter().filter(|given| given.item.as_ref() == Some(&item.id)).collect();
        let mut shown = json!({
            "id": item.id, "object": "subscription_item", "created": item.created, "metadata": {},
            "price": self.price(good, view.tiers), "discounts": self.discounts(&own, sub, view), "subscription": sub.id,
            "tax_rates": [],
        });
        if !good.metered {
            shown["quantity"] = json!(item.quantity);
        }
        if view.shape >= Shape::Basil {
            shown["current_period_start"] = json!(item.period.0);
            shown["current_period_end"] = json!(item.period.1);
        }
        shown
    }

    pub(crate) fn subscription(&self, sub: &Sub, view: View) -> Value {
        let own: Vec<&Given> = sub.given.iter().filter(|given| given.item.is_none()).collect();
        let ends = sub.items.iter().map(|item| item.period.1);
        let starts = sub.items.iter().map(|item| item.period.0);
        let pause = sub.pause.map(|pause| {
            let behavior = match pause {
                Pause::Void => "void",
                Pause::KeepAsDraft => "keep_as_draft",
                Pause::MarkUncollectible => "mark_uncollectible",
            };
            json!({"behavior": behavior, "resumes_at": null})
        });
        let longest = ends.clone().max();
        // Newer versions say an end of a period by its time alone.
        let at_period_end = sub.cancel_at.is_some() && sub.cancel_at == longest && view.shape != Shape::Clover;
        let mut shown = json!({
            "id": sub.id, "object": "subscription", "application": null, "billing_cycle_anchor": sub.anchor,
            "cancel_at": sub.cancel_at, "cancel_at_period_end": at_period_end, "canceled_at": sub.canceled_at,
            "cancellation_details": {"comment": null, "feedback": null, "reason": sub.reason},
            "collection_method": "charge_automatically", "created": sub.created,
            "currency": sub.items.first().map(|item| self.goods.goods[item.good].currency.to_ascii_lowercase()),
            "customer": self.customers[sub.customer].id, "days_until_due": null,
            "discounts": self.discounts(&own, sub, view), "ended_at": sub.ended,
            "items": list(sub.items.iter().map(|item| self.item(item, sub, view)).collect(), false, "/v1/subscription_items"),
            "livemode": false, "metadata": {}, "pause_collection": pause,
            "schedule": sub.schedule.map(|at| self.schedules[at].id.clone()), "start_date": sub.start,
            "status": sub.status.name(), "test_clock": null, "trial_start": sub.trial.map(|(start, _)| start),
            "trial_end": sub.trial.map(|(_, end)| end),
        });
        if sub.status == Status::Canceled && sub.cancel_at.is_none() {
            shown["cancel_at"] = Value::Null;
        }
        if view.shape == Shape::Classic {
            shown["current_period_start"] = json!(starts.min());
            shown["current_period_end"] = json!(ends.min());
            shown["discount"] = own.first().map_or(Value::Null, |given| self.discount(given, sub, view));
        }
        shown
    }

    fn line(&self, line: &Line, invoice: &Invoice, view: View) -> Value {
        let good = &self.goods.goods[line.good];
        let sub = &self.subs[line.sub];
        let unit = line.hundredths.map(hundredths);
        let taken: Value =
            line.taken.iter().map(|(given, minor)| json!({"amount": minor, "discount": given})).collect();
        let own: Vec<&Given> = invoice
            .given
            .iter()
            .filter(|given| given.item.as_ref() == Some(&line.item) && line.taken.iter().any(|(of, _)| *of == given.id))
            .collect();
        let mut shown = json!({
            "id": line.id, "object": "line_item", "amount": line.gross, "currency": good.currency.to_ascii_lowercase(),
            "description": null, "discount_amounts": taken, "discountable": !line.proration,
            "discounts": self.discounts(&own, sub, view), "invoice": invoice.id, "livemode": false, "metadata": {},
            "period": {"start": line.period.0, "end": line.period.1}, "quantity": line.quantity,
        });
        if view.shape == Shape::Classic {
            shown["price"] = self.price(good, false);
            shown["proration"] = json!(line.proration);
            shown["subscription"] = json!(sub.id);
            shown["subscription_item"] = json!(line.item);
            shown["type"] = json!(if line.proration { "invoiceitem" } else { "subscription" });
            shown["tax_amounts"] = json!([]);
        } else {
            let details = json!({
                "invoice_item": line.waited, "proration": line.proration, "proration_details": {"credited_items": null},
                "subscription": sub.id, "subscription_item": line.item,
            });
            shown["parent"] = json!({"type": "subscription_item_details", "subscription_item_details": details, "invoice_item_details": null});
            shown["pricing"] = json!({
                "type": "price_details", "unit_amount_decimal": unit,
                "price_details": {"price": good.id, "product": self.goods.products[good.product]},
            });
            shown["taxes"] = json!([]);
        }
        shown
    }

    /// A line that waits for an invoice, or has come to one.
    pub(crate) fn invoice_item(&self, line: &Line, invoice: Option<&str>, view: View) -> Value {
        let good = &self.goods.goods[line.good];
        let sub = &self.subs[line.sub];
        let mut shown = json!({
            "id": line.waited, "object": "invoiceitem", "amount": line.gross,
            "currency": good.currency.to_ascii_lowercase(), "customer": self.customers[sub.customer].id,
            "date": line.created, "discountable": false, "discounts": [], "invoice": invoice, "livemode": false,
            "metadata": {}, "period": {"start": line.period.0, "end": line.period.1}, "proration": true,
            "quantity": line.quantity,
        });
        if view.shape == Shape::Classic {
            shown["price"] = self.price(good, false);
            shown["subscription"] = json!(sub.id);
            shown["subscription_item"] = json!(line.item);
        } else {
            shown["parent"] = json!({"type": "subscription_details",
                "subscription_details": {"subscription": sub.id, "subscription_item": line.item}});
            shown["pricing"] = json!({
                "type": "price_details", "unit_amount_decimal": line.hundredths.map(hundredths),
                "price_details": {"price": good.id, "product": self.goods.products[good.product]},
            });
        }
        shown
    }

    pub(crate) fn lines_of(&self, invoice: &Invoice, view: View) -> Vec<Value> {
        invoice.lines.iter().map(|line| self.line(line, invoice, view)).collect()
    }

    pub(crate) fn invoice_object(&self, invoice: &Invoice, view: View) -> Value {
        let sub = &self.subs[invoice.sub];
        let own: Vec<&Given> = invoice.given.iter().filter(|given| given.item.is_none()).collect();
        let mut lines = self.lines_of(invoice, view);
        let has_more = lines.len() > view.lines;
        lines.truncate(view.lines);
        let total = invoice.total();
        let status = match invoice.paper {
            Paper::Draft => "draft",
            Paper::Open => "open",
            Paper::Paid => "paid",
            Paper::Uncollectible => "uncollectible",
            Paper::Void => "void",
        };
        let mut shown = json!({
            "id": invoice.id, "object": "invoice", "amount_due": total.max(0),
            "amount_paid": if invoice.paid.is_some() { total.max(0) } else { 0 }, "attempt_count": invoice.attempts,
            "attempted": invoice.attempts > 0, "auto_advance": invoice.auto_advance && invoice.paid.is_none(),
            "billing_reason": invoice.reason, "collection_method": "charge_automatically", "created": invoice.created,
            "currency": self.currency(invoice.sub).to_ascii_lowercase(), "customer": self.customers[invoice.customer].id,
            "discounts": self.discounts(&own, sub, view),
            "lines": list(lines, has_more, &format!("/v1/invoices/{}/lines", invoice.id)), "livemode": false, "metadata": {},
            "next_payment_attempt": invoice.next_attempt, "number": invoice.finalized.map(|_| invoice.id.to_uppercase()),
            "period_start": invoice.created, "period_end": invoice.created, "status": status,
            "status_transitions": {
                "finalized_at": invoice.finalized, "paid_at": invoice.paid, "voided_at": invoice.voided,
                "marked_uncollectible_at": invoice.uncollectible,
            },
            "subtotal": invoice.lines.iter().map(|line| line.gross).sum::<i64>(), "total": total,
        });
        if view.shape == Shape::Classic {
            shown["subscription"] = json!(sub.id);
            shown["paid"] = json!(invoice.paid.is_some());
            shown["tax"] = Value::Null;
            shown["discount"] = own.first().map_or(Value::Null, |given| self.discount(given, sub, view));
        } else {
            shown["parent"] = json!({"type": "subscription_details", "quote_details": null,
                "subscription_details": {"metadata": {}, "subscription": sub.id}});
            shown["total_taxes"] = json!([]);
        }
        shown
    }

    pub(crate) fn charge_object(&self, charge: &Charge, view: View) -> Value {
        let failure = charge.failed.then_some("card_declined");
        let mut shown = json!({
            "id": charge.id, "object": "charge", "amount": charge.minor, "amount_captured": charge.minor,
            "amount_refunded": 0, "balance_transaction": null, "captured": !charge.failed, "created": charge.created,
            "currency": charge.currency.to_ascii_lowercase(), "customer": self.customers[charge.customer].id,
            "disputed": false, "failure_code": failure, "failure_message": null, "livemode": false, "metadata": {},
            "paid": !charge.failed, "payment_intent": intent(&self.invoices[charge.invoice]), "refunded": false,
            "status": if charge.failed { "failed" } else { "succeeded" },
        });
        if view.shape == Shape::Classic {
            shown["invoice"] = json!(self.invoices[charge.invoice].id);
        }
        shown
    }

    /// Which payment is for which invoice: a list of its own since basil.
    pub(crate) fn invoice_payment(&self, invoice: &Invoice) -> Value {
        json!({
            "id": format!("inpay_{}", invoice.id), "object": "invoice_payment", "amount_requested": invoice.total(),
            "created": invoice.created, "currency": self.currency(invoice.sub).to_ascii_lowercase(),
            "invoice": invoice.id, "is_default": true, "livemode": false,
            "payment": {"type": "payment_intent", "payment_intent": intent(invoice)},
            "status": if invoice.paid.is_some() { "paid" } else { "open" },
            "status_transitions": {"paid_at": invoice.paid, "canceled_at": null},
        })
    }

    pub(crate) fn back(&self, back: &Back) -> Value {
        let charge = &self.charges[back.charge];
        let currency = charge.currency.to_ascii_lowercase();
        match back.kind {
            BackKind::Refund => json!({
                "id": back.id, "object": "refund", "amount": back.minor, "balance_transaction": null, "charge": charge.id,
                "created": back.created, "currency": currency, "metadata": {}, "payment_intent": null, "reason": null,
                "status": "succeeded",
            }),
            BackKind::Dispute => json!({
                "id": back.id, "object": "dispute", "amount": back.minor, "balance_transactions": [], "charge": charge.id,
                "created": back.created, "currency": currency, "livemode": false, "metadata": {}, "reason": "general",
                "status": "needs_response",
            }),
            BackKind::CreditNote => {
                let invoice = &self.invoices[charge.invoice];
                json!({
                    "id": back.id, "object": "credit_note", "amount": back.minor, "created": back.created,
                    "currency": currency, "customer": self.customers[charge.customer].id, "invoice": invoice.id,
                    "lines": list(vec![json!({
                        "id": format!("cnli_{}", back.id), "object": "credit_note_line_item", "amount": back.minor,
                        "discount_amount": 0, "invoice_line_item": invoice.lines.first().map(|line| line.id.clone()),
                        "livemode": false, "quantity": 1, "tax_amounts": [], "type": "invoice_line_item",
                    })], false, "/v1/credit_notes"), "livemode": false, "metadata": {}, "status": "issued",
                    "subtotal": back.minor, "total": back.minor, "type": "post_payment", "voided_at": null,
                })
            }
        }
    }

    pub(crate) fn schedule_object(&self, schedule: &Schedule) -> Value {
        let items = |of: &[(usize, i64)]| -> Value {
            of.iter()
                .map(|(good, quantity)| json!({"price": self.goods.goods[*good].id, "quantity": quantity, "discounts": []}))
                .collect()
        };
        let sub = &self.subs[schedule.sub];
        let after_end = self.goods.goods[schedule.after[0].0].period_end(schedule.turn, 1);
        json!({
            "id": schedule.id, "object": "subscription_schedule", "canceled_at": null, "completed_at": null,
            "created": schedule.created, "current_phase": null, "customer": self.customers[sub.customer].id,
            "end_behavior": "release", "livemode": false, "metadata": {},
            "phases": [
                {"start_date": schedule.begun, "end_date": schedule.turn, "items": items(&schedule.before),
                    "proration_behavior": "none"},
                {"start_date": schedule.turn, "end_date": after_end, "items": items(&schedule.after),
                    "proration_behavior": "none"},
            ],
            "released_at": null, "released_subscription": null, "status": "active", "subscription": sub.id,
        })
    }
}

fn intent(invoice: &Invoice) -> String {
    format!("pi_{}", invoice.id)
}

pub(crate) fn customer_object(customer: &Customer) -> Value {
    if customer.deleted.is_some() {
        return json!({"id": customer.id, "object": "customer", "deleted": true});
    }
    json!({
        "id": customer.id, "object": "customer", "address": {"country": "FR"}, "created": customer.created,
        "currency": null, "delinquent": false, "description": null, "discount": null,
        "email": format!("{}@example.com", customer.id), "livemode": false, "metadata": {}, "name": format!("Firm {}", customer.id),
    })
}

/// What changed fields were before, as Stripe tells it: objects field by field, everything else whole.
fn difference(before: &Value, after: &Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut changed = Map::new();
            for (name, old) in before {
                match after.get(name) {
                    Some(new) if new == old => {}
                    Some(new) => {
                        changed.insert(name.clone(), difference(old, new));
                    }
                    None => {
                        changed.insert(name.clone(), old.clone());
                    }
                }
            }
            Value::Object(changed)
        }
        _ => before.clone(),
    }
}
