//! The list endpoints, events and webhooks of a world, with faults where a script says so.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    goods::DAY,
    life::{BackKind, World},
    render::{Shape, Told, View, customer_object},
};

/// How long the API keeps events.
pub const EVENT_DAYS: i64 = 30;

/// Something that goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Too many requests; perhaps with the seconds after which to come again.
    RateLimited(Option<u32>),
    /// An error of Stripe's own.
    ServerError,
    /// Nothing is answered.
    Timeout,
}

/// What a request asks a list for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// How many objects at once, 1 to 100; 10 where it says nothing.
    pub limit: Option<usize>,
    /// Only what stands after this id in the list.
    pub starting_after: Option<String>,
    /// Only what stands before this id in the list, as near to it as the limit lets.
    pub ending_before: Option<String>,
    /// Only what was created at this second or later.
    pub created_gte: Option<i64>,
    /// Only what was created before this second.
    pub created_lt: Option<i64>,
    /// `all`, for subscriptions that ended too.
    pub status: Option<String>,
    /// What is to be shown in full, as in `expand[]`.
    pub expand: Vec<String>,
    /// Only what belongs to this customer.
    pub customer: Option<String>,
    /// Only what has these values in fields of these names: `subscription`, `invoice`, `type` and the like.
    pub fields: Vec<(String, String)>,
}

/// The lists of an account; what else Stripe has is empty here.
pub const LISTS: &[&str] = &[
    "/v1/customers",
    "/v1/products",
    "/v1/prices",
    "/v1/coupons",
    "/v1/subscriptions",
    "/v1/subscription_schedules",
    "/v1/invoices",
    "/v1/invoiceitems",
    "/v1/charges",
    "/v1/invoice_payments",
    "/v1/refunds",
    "/v1/disputes",
    "/v1/credit_notes",
    "/v1/events",
    "/v1/promotion_codes",
    "/v1/balance_transactions",
];

/// A Stripe account of a world, seen through one version of the API.
#[derive(Debug, Clone)]
pub struct Account<'w> {
    pub(crate) world: &'w World,
    shape: Shape,
    told: Told,
    /// Faults by the number of the request that they befall, from 0.
    faults: Vec<(usize, Fault)>,
    requests: usize,
}

impl<'w> Account<'w> {
    /// An account without faults, whose events are in the same version as everything else.
    #[must_use]
    pub fn new(world: &'w World, shape: Shape) -> Self {
        Self { world, shape, told: Told::In(shape), faults: Vec::new(), requests: 0 }
    }

    /// The same with events in versions of their own: whoever asks for lists in a newer one gets them all the same.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// The same with faults, by the number of the request that they befall.
    #[must_use]
    pub fn with_faults(self, faults: Vec<(usize, Fault)>) -> Self {
        Self { faults, ..self }
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// A page of a list, newest first: `/v1/subscriptions`, `/v1/invoices`, `/v1/invoices/ID/lines` and the others.
    ///
    /// # Errors
    /// The fault that the script has for this request.
    pub fn list(&mut self, path: &str, query: &Query) -> Result<Value, Fault> {
        let number = self.requests;
        self.requests += 1;
        if let Some((_, fault)) = self.faults.iter().find(|(at, _)| *at == number) {
            return Err(*fault);
        }
        Ok(self.page(path, query))
    }

    /// One object of a list by its id, shown in full where `expand` says so.
    #[must_use]
    pub fn object(&self, list: &str, id: &str, expand: &[String]) -> Option<Value> {
        let query = Query { status: Some("all".to_owned()), expand: expand.to_vec(), ..Query::default() };
        if list == "/v1/customers" {
            let customer = self.world.customers.iter().find(|customer| customer.id == id);
            return customer.map(customer_object);
        }
        let mut all = self.objects(list, &query).into_iter().map(|(_, object)| object);
        all.find(|object| object.get("id").and_then(Value::as_str) == Some(id))
    }

    /// A page of a list, without counting the request.
    fn page(&self, path: &str, query: &Query) -> Value {
        let mut all = self.objects(path, query);
        all.retain(|(_, object)| query.fields.iter().all(|(field, value)| has(object, field, value)));
        if let Some(customer) = &query.customer {
            all.retain(|(_, object)| object.get("customer").and_then(Value::as_str) == Some(customer));
        }
        all.retain(|(created, _)| {
            query.created_gte.is_none_or(|from| *created >= from) && query.created_lt.is_none_or(|to| *created < to)
        });
        if !path.ends_with("/lines") {
            // Newest first; of one second the later made first.
            all.reverse();
            all.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        }
        let place = |of: &String| all.iter().position(|(_, object)| text_is(object, "id", of)).unwrap_or(all.len());
        let limit = query.limit.unwrap_or(10).clamp(1, 100);
        let (skip, has_more) = match (&query.starting_after, &query.ending_before) {
            (_, Some(before)) => {
                let end = place(before);
                all.truncate(end);
                let skip = end.saturating_sub(limit);
                (skip, skip > 0)
            }
            (after, None) => {
                let skip = after.as_ref().map_or(0, |after| place(after) + 1);
                (skip, all.len() > skip + limit)
            }
        };
        let data: Vec<Value> = all.into_iter().skip(skip).take(limit).map(|(_, object)| object).collect();
        json!({"object": "list", "data": data, "has_more": has_more, "url": path})
    }

    /// All pages of a list, with the lines that invoices do not show at once.
    ///
    /// # Errors
    /// The first fault.
    pub fn walk(&mut self, path: &str, query: &Query) -> Result<Vec<Value>, Fault> {
        let mut found: Vec<Value> = Vec::new();
        let mut query = query.clone();
        loop {
            let page = self.list(path, &query)?;
            let data = page.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
            let last = data.last().and_then(|object| object.get("id")).and_then(Value::as_str).map(str::to_owned);
            found.extend(data);
            if page.get("has_more").and_then(Value::as_bool) != Some(true) || last.is_none() {
                break;
            }
            query.starting_after = last;
        }
        if path == "/v1/invoices" {
            for invoice in &mut found {
                if invoice.pointer("/lines/has_more").and_then(Value::as_bool) == Some(true) {
                    let id = invoice.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                    let lines = Query { limit: Some(100), expand: query.expand.clone(), ..Query::default() };
                    invoice["lines"]["data"] = json!(self.walk(&format!("/v1/invoices/{id}/lines"), &lines)?);
                    invoice["lines"]["has_more"] = json!(false);
                }
            }
        }
        Ok(found)
    }

    /// Every object of a list with the second of its creation, oldest first.
    fn objects(&self, path: &str, query: &Query) -> Vec<(i64, Value)> {
        let world = self.world;
        let expands = |what: &str| query.expand.iter().any(|expand| expand.contains(what));
        let view = View { shape: self.shape, discounts: expands("discounts"), tiers: expands("tiers"), lines: 5 };
        let backs = |kind: BackKind| {
            world.backs.iter().filter(|back| back.kind == kind).map(|back| (back.created, world.back(back))).collect()
        };
        match path {
            "/v1/customers" => {
                let there = world.customers.iter().filter(|customer| customer.deleted.is_none());
                there.map(|customer| (customer.created, customer_object(customer))).collect()
            }
            "/v1/products" => {
                let product = |id: &String| {
                    json!({"id": id, "object": "product", "active": true, "created": world.settings.start,
                    "livemode": false, "metadata": {}, "name": format!("Product {id}")})
                };
                world.goods.products.iter().map(|id| (world.settings.start, product(id))).collect()
            }
            "/v1/prices" => {
                world.goods.goods.iter().map(|good| (world.settings.start, world.price(good, view.tiers))).collect()
            }
            "/v1/coupons" => {
                world.goods.coupons.iter().map(|coupon| (world.settings.start, world.coupon(coupon))).collect()
            }
            "/v1/subscriptions" => {
                let all = query.status.as_deref() == Some("all");
                let there = world.subs.iter().filter(|sub| all || sub.ended.is_none());
                there.map(|sub| (sub.created, world.subscription(sub, view))).collect()
            }
            "/v1/subscription_schedules" => {
                world.schedules.iter().map(|schedule| (schedule.created, world.schedule_object(schedule))).collect()
            }
            "/v1/invoices" => {
                world.invoices.iter().map(|invoice| (invoice.created, world.invoice_object(invoice, view))).collect()
            }
            "/v1/invoiceitems" => {
                let on_invoices = world.invoices.iter().flat_map(|invoice| {
                    invoice
                        .lines
                        .iter()
                        .filter(|line| line.waited.is_some())
                        .map(move |line| (line, Some(invoice.id.as_str())))
                });
                let waiting = world.waiting.iter().map(|line| (line, None));
                let all = on_invoices.chain(waiting);
                all.map(|(line, invoice)| (line.created, world.invoice_item(line, invoice, view))).collect()
            }
            "/v1/charges" => {
                world.charges.iter().map(|charge| (charge.created, world.charge_object(charge, view))).collect()
            }
            "/v1/invoice_payments" => {
                world.invoices.iter().map(|invoice| (invoice.created, world.invoice_payment(invoice))).collect()
            }
            "/v1/refunds" => backs(BackKind::Refund),
            "/v1/disputes" => backs(BackKind::Dispute),
            "/v1/credit_notes" => backs(BackKind::CreditNote),
            "/v1/events" => {
                let oldest = world.now - EVENT_DAYS * DAY;
                let kept = world.events.iter().filter(|event| event.created >= oldest && event.created <= world.now);
                kept.map(|event| (event.created, world.event(event, self.told.at(event.created)))).collect()
            }
            _ => {
                let of = path.strip_prefix("/v1/invoices/").and_then(|rest| rest.strip_suffix("/lines"));
                let invoice = world.invoices.iter().find(|invoice| Some(invoice.id.as_str()) == of);
                let lines = invoice.map(|invoice| (invoice.created, world.lines_of(invoice, view)));
                lines.map(|(at, lines)| lines.into_iter().map(|line| (at, line)).collect()).unwrap_or_default()
            }
        }
    }

    /// Every event that ever was, as webhooks bring them, in the order in which they came about.
    #[must_use]
    pub fn all_events(&self) -> Vec<Value> {
        let world = self.world;
        let told = world.events.iter().filter(|event| event.created <= world.now);
        told.map(|event| world.event(event, self.told.at(event.created))).collect()
    }
}

fn text_is(object: &Value, field: &str, value: &str) -> bool {
    object.get(field).and_then(Value::as_str) == Some(value)
}

/// Whether an object has a value in a field, or in the place where that field went since 2025-03-31.
fn has(object: &Value, field: &str, value: &str) -> bool {
    let moved = format!("/parent/subscription_details/{field}");
    text_is(object, field, value) || object.pointer(&moved).and_then(Value::as_str) == Some(value)
}

/// A webhook as it is sent: the body, and the header that signs it at a second with every secret.
#[must_use]
pub fn webhook(event: &Value, at: i64, secrets: &[&str]) -> (String, Vec<u8>) {
    let body = event.to_string().into_bytes();
    (signature(&body, at, secrets), body)
}

/// The header that signs a body, as Stripe signs it at a second.
#[must_use]
pub fn signature(body: &[u8], at: i64, secrets: &[&str]) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        let Ok(mut keyed) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        keyed.update(format!("{at}.").as_bytes());
        keyed.update(body);
        let signature: String = keyed.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        header.push_str(&format!(",v1={signature}"));
    }
    header
}
