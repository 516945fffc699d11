//! The table of kinds. To add a column, add it here: schema, headers, help and export follow.

use super::Need::{Optional, Required};
use super::ValueKind::{Boolean, Currency, Day, Decimal, Id, Integer, Moment, Percent, Text, Tiers};
use super::{Choice, Column, Kind, Need, Rule, ValueKind};

const fn column(
    name: &'static str,
    value: ValueKind,
    need: Need,
    synonyms: &'static [&'static str],
    words: &'static str,
) -> Column {
    Column { name, value, need, synonyms, words }
}

const fn choice(canonical: &'static str, synonyms: &'static [&'static str]) -> Choice {
    Choice { canonical, synonyms, multiples: &[] }
}

const CUSTOMER: &[&str] = &["customer_id", "cust_id", "customer_key", "account_id", "client_id", "account", "client"];
const CURRENCY: &[&str] = &["currency_code", "iso_currency", "ccy", "plan_currency", "price_currency"];
const CHANNEL: &[&str] = &["utm_source", "acquisition_channel", "lead_source", "traffic_source", "medium"];
const CAMPAIGN: &[&str] = &["utm_campaign", "campaign_name", "campaign_id"];
const VISITOR: &[&str] = &["visitor_id", "anonymous_id", "device_id"];
const USER: &[&str] = &["user_id", "signup", "signup_id"];
const UNTIL: &[&str] = &["until_day", "end_date", "reporting_ends", "period_end"];
const LEAD: &[&str] = &["lead_id", "contact_id"];
const COUNTRY: &[&str] = &["country_code", "address_country", "billing_country", "card_address_country"];

const INTERVAL: ValueKind = ValueKind::Choice(&[
    Choice {
        canonical: "day",
        synonyms: &["daily", "days", "d"],
        multiples: &[("thirty_days", 30), ("sixty_days", 60), ("ninety_days", 90)],
    },
    Choice {
        canonical: "week",
        synonyms: &["weekly", "weeks", "wk", "w"],
        multiples: &[("biweekly", 2), ("fortnight", 2), ("fortnightly", 2)],
    },
    Choice {
        canonical: "month",
        synonyms: &["monthly", "months", "mo", "mth", "m", "per_month"],
        multiples: &[
            ("biannual", 6),
            ("biannually", 6),
            ("semiannual", 6),
            ("semi_annual", 6),
            ("semiannually", 6),
            ("half_year", 6),
            ("half_yearly", 6),
        ],
    },
    Choice { canonical: "quarter", synonyms: &["quarterly", "quarters", "qtr", "q"], multiples: &[] },
    Choice {
        canonical: "year",
        synonyms: &["yearly", "years", "annual", "annually", "annum", "yr", "y", "per_year"],
        multiples: &[("biennial", 2), ("biennially", 2), ("triennial", 3)],
    },
    choice("one_off", &["once", "one_time", "onetime", "oneoff", "no_billing_period", "lifetime"]),
]);

const PRICING: ValueKind = ValueKind::Choice(&[
    choice("per_unit", &["unit", "perunit", "standard", "per_seat"]),
    choice("flat", &["flat_fee", "fixed", "flat_rate"]),
    choice("package", &["packages"]),
    choice("graduated", &["tiered", "tiered_graduated"]),
    choice("volume", &["tiered_volume"]),
]);

const USAGE_TYPE: ValueKind =
    ValueKind::Choice(&[choice("licensed", &["license", "seat"]), choice("metered", &["usage", "usage_based"])]);

const CONFIDENCE: ValueKind = ValueKind::Choice(&[
    choice("exact", &["stated"]),
    choice("derived", &["computed", "inferred"]),
    choice("assumed", &["estimated", "guessed"]),
]);

const DISCOUNT_DURATION: ValueKind = ValueKind::ChoiceOrMonths(&[
    choice("once", &["one_time"]),
    choice("repeating", &["limited", "multiple_months"]),
    choice("forever", &["always", "unlimited", "permanent"]),
]);

const SUBSCRIPTION_STATUS: ValueKind = ValueKind::Choice(&[
    choice("active", &["live", "paying", "in_progress"]),
    choice("trialing", &["trial", "in_trial", "trialling"]),
    choice("past_due", &["pastdue", "overdue", "dunning"]),
    choice("unpaid", &[]),
    choice("paused", &["on_hold", "suspended"]),
    choice("canceled", &["cancelled", "ended", "expired", "churned", "terminated"]),
    choice("incomplete", &["pending"]),
    choice("incomplete_expired", &[]),
]);

const PAYMENT_STATUS: ValueKind = ValueKind::Choice(&[
    choice("succeeded", &["success", "successful", "paid", "captured", "complete", "completed", "settled"]),
    choice("failed", &["failure", "declined", "error", "requires_payment_method"]),
    choice("refunded", &["refund", "reversed"]),
    choice("disputed", &["dispute", "chargeback", "charged_back", "needs_response", "under_review"]),
    choice("dispute_lost", &["lost_dispute", "chargeback_lost"]),
    choice("dispute_won", &["won_dispute", "chargeback_won", "chargeback_reversed", "dispute_reversed"]),
    choice("pending", &["processing", "requires_action", "requires_confirmation", "requires_capture", "in_process"]),
    choice("canceled", &["cancelled", "voided", "abandoned"]),
]);

const LINE_KIND: ValueKind = ValueKind::Choice(&[
    choice("subscription", &["recurring", "subscription_cycle"]),
    choice("proration", &["prorated", "proration_adjustment"]),
    choice("one_off", &["one_time", "invoiceitem", "invoice_item", "setup"]),
    choice("usage", &["metered", "overage"]),
    choice("discount", &["coupon", "credit"]),
    choice("tax", &["vat", "sales_tax"]),
    choice("shipping", &["freight", "delivery"]),
    choice("credit_note", &["credit_memo", "credit_adjustment"]),
]);

const RECOGNITION: ValueKind = ValueKind::Choice(&[
    choice("by_day", &["daily", "straight_line", "ratable", "rateable"]),
    choice("by_month", &["monthly", "even_months", "by_months"]),
    choice("when_used", &["usage", "by_use"]),
    choice("at_once", &["point_in_time", "immediate", "immediately", "on_invoice"]),
]);

const SPEND_CATEGORY: ValueKind =
    ValueKind::Choice(&[choice("marketing", &["ads", "advertising", "paid"]), choice("sales", &["selling"])]);

const COST_CATEGORY: ValueKind = ValueKind::Choice(&[
    choice("cost_of_revenue", &["cogs", "cost_of_sales", "cost_of_goods_sold", "hosting", "infrastructure"]),
    choice("marketing", &["advertising", "ads"]),
    choice("sales", &[]),
    choice("support", &["customer_support", "customer_service", "customer_success"]),
    choice("development", &["research_and_development", "r_d", "engineering", "product"]),
    choice("general", &["general_and_administrative", "g_a", "overhead", "administration", "office"]),
    choice("other", &["misc", "miscellaneous"]),
    choice("tax", &["vat", "sales_tax", "value_added_tax", "gst", "tax_collected"]),
]);

const LEAD_STAGE: ValueKind = ValueKind::Choice(&[
    choice("lead", &["new", "created", "open", "subscriber"]),
    choice("mql", &["marketing_qualified", "marketing_qualified_lead", "marketingqualifiedlead"]),
    choice("pql", &["product_qualified", "product_qualified_lead"]),
    choice("sql", &["sales_qualified", "sales_qualified_lead", "salesqualifiedlead", "opportunity"]),
    choice("customer", &["won", "closed_won", "converted"]),
    choice("lost", &["closed_lost", "disqualified", "unqualified"]),
]);

const SURVEY: ValueKind = ValueKind::Choice(&[
    choice("nps", &["net_promoter_score", "net_promoter"]),
    choice("csat", &["satisfaction", "customer_satisfaction"]),
    choice("ces", &["customer_effort", "effort"]),
]);

const NOTE_KIND: ValueKind = ValueKind::Choice(&[
    choice("annotation", &["note", "event"]),
    choice("interview", &["customer_interview", "call"]),
    choice("competitor", &["competition"]),
    choice("plan", &["todo", "action"]),
    choice("review", &[]),
]);

/// What is asked of each month, as the sections of its review are called.
const REVIEW_QUESTION: ValueKind = ValueKind::Choice(&[
    choice("targets", &[]),
    choice("churn", &[]),
    choice("risk", &[]),
    choice("growth", &[]),
    choice("changes", &[]),
    choice("decisions", &[]),
]);

/// Every kind of fact. The names on the command line are plural, those of tables singular.
// One column a line, so that the table can be read as a table.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind {
        name: "customers",
        table: "customer",
        aliases: &[],
        words: "Who pays or may pay; further columns are kept as attributes and can be used as segments.",
        key: &["customer"],
        columns: &[
            column("customer", Id, Required, &["customer_id", "id", "account_id", "client_id", "cust_id"], "Who it is, as the source names it."),
            column("name", Text, Optional, &["customer_name", "full_name", "company", "company_name", "description"], "What people call it."),
            column("email", Text, Optional, &["email_address", "customer_email", "e_mail"], "Where it is written to."),
            column("country", Text, Optional, COUNTRY, "Where it is, preferably as an ISO 3166 code."),
            column("channel", Text, Optional, CHANNEL, "What brought it."),
            column("signed_up", Moment, Optional, &["signed_up_at", "signup_date", "created", "created_at", "customer_since"], "When it signed up."),
            column("lead", Id, Optional, LEAD, "The lead that it was before."),
            column("user", Id, Optional, USER, "Who signed up for it."),
            column("visitor", Id, Optional, VISITOR, "The visitor that it was before."),
            column("campaign", Text, Optional, CAMPAIGN, "Which campaign brought it."),
        ],
        rules: &[],
    },
    Kind {
        name: "plans",
        table: "plan",
        aliases: &["prices"],
        words: "What is sold, at which price and how often.",
        // One plan may have a price a currency and an interval.
        key: &["plan", "currency", "interval"],
        columns: &[
            column("plan", Id, Required, &["plan_id", "price_id", "id", "plan_code"], "Which plan it is."),
            column("product", Id, Optional, &["product_id", "product_name"], "The product that it sells."),
            column("name", Text, Optional, &["plan_name", "nickname", "plan_nickname"], "What people call it."),
            column("currency", Currency, Optional, CURRENCY, "The currency of its amounts."),
            column("amount", Decimal, Optional, &["unit_amount", "price", "unit_price"], "The price of one unit for one interval, in major units."),
            column("pricing", PRICING, Optional, &["billing_scheme", "tiers_mode", "charge_model"], "How quantity becomes price; per_unit unless set."),
            column("tiers", Tiers, Optional, &["price_tiers"], "The tiers of graduated and volume prices."),
            column("package_size", Integer, Optional, &["transform_usage_divide_by", "divide_by"], "Units in one package."),
            column("interval", INTERVAL, Optional, &["billing_interval", "billing_period", "recurring_interval", "period"], "How often it is billed."),
            column("interval_count", Integer, Optional, &["billing_interval_count", "recurring_interval_count"], "Intervals in one billing; 1 unless set."),
            column("usage_type", USAGE_TYPE, Optional, &["recurring_usage_type"], "Whether the quantity is agreed or metered."),
            column("trial_days", Integer, Optional, &["trial_period_days"], "Days of trial that come with it."),
        ],
        rules: &[
            Rule::NotNegative("amount"),
            Rule::Multiplies("interval", "interval_count"),
            Rule::AtLeastOne("interval_count"),
            Rule::AtLeastOne("package_size"),
            Rule::FitsLedger("amount", None),
        ],
    },
    Kind {
        name: "subscriptions",
        table: "subscription",
        aliases: &["subs"],
        words: "What an item of a subscription was on [start, end); adjacent rows of one subscription are its changes.",
        key: &["subscription", "item", "start"],
        columns: &[
            column("subscription", Id, Required, &["subscription_id", "sub_id", "id", "subscription_key"], "Which subscription it is."),
            column("item", Id, Optional, &["item_id", "subscription_item", "subscription_item_id"], "Which item of it, where it has several."),
            column("customer", Id, Required, CUSTOMER, "Who pays it."),
            column("plan", Id, Optional, &["plan_id", "price_id", "price", "plan_name", "plan_code"], "The plan it is on."),
            column("product", Id, Optional, &["product_id", "product_name"], "The product it buys."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amounts."),
            column("amount", Decimal, Required, &["unit_amount", "plan_amount", "unit_price", "price_amount"], "The price of one unit for one interval, in major units."),
            column("pricing", PRICING, Optional, &["billing_scheme", "tiers_mode", "charge_model"], "How quantity becomes price; per_unit unless set."),
            column("tiers", Tiers, Optional, &["price_tiers"], "The tiers of graduated and volume prices."),
            column("package_size", Integer, Optional, &["transform_usage_divide_by", "divide_by"], "Units in one package."),
            column("interval", INTERVAL, Required, &["billing_interval", "plan_interval", "billing_period", "recurring_interval", "billing_cycle"], "How often it is billed."),
            column("interval_count", Integer, Optional, &["plan_interval_count", "billing_interval_count", "recurring_interval_count"], "Intervals in one billing; 1 unless set."),
            column("quantity", Integer, Optional, &["qty", "seats", "units", "licenses"], "Units; 1 unless set."),
            column("usage_type", USAGE_TYPE, Optional, &["recurring_usage_type", "plan_usage_type"], "Whether the quantity is agreed or metered."),
            column("discount_percent", Percent, Optional, &["percent_off", "discount_pct", "coupon_percent_off"], "Percent off, 20 for 20 %."),
            column("discount_amount", Decimal, Optional, &["amount_off", "coupon_amount_off"], "Amount off each billing, in major units."),
            column("discount_duration", DISCOUNT_DURATION, Optional, &["coupon_duration"], "How long the discount lasts."),
            column("discount_end", Moment, Optional, &["discount_end_at", "discount_ends_at", "coupon_end"], "When the discount ends."),
            column("status", SUBSCRIPTION_STATUS, Optional, &["subscription_status", "state"], "Its state on this span; active unless set."),
            column("trial_end", Moment, Optional, &["trial_end_at", "trial_ends_at", "trial_end_date"], "When its trial ends."),
            column("cancel_at", Moment, Optional, &["cancels_at", "cancellation_date", "cancel_date"], "When it will end, or has ended, by a cancellation."),
            column("cancel_requested_at", Moment, Optional, &["canceled_at", "cancelled_at", "cancel_requested", "cancellation_requested_at"], "When the cancellation was asked for."),
            column("cancel_reason", Text, Optional, &["cancellation_reason", "churn_reason", "cancellation_details_reason", "reason"], "Why it was cancelled."),
            column("start", Moment, Required, &["start_date", "start_at", "started_at", "starts_at", "valid_from", "effective_from", "begin", "created", "created_at"], "When this span begins."),
            column("end", Moment, Optional, &["end_date", "end_at", "ended_at", "ends_at", "valid_to", "effective_to"], "When this span ends; empty while it is going."),
            column("confidence", CONFIDENCE, Optional, &[], "How sure the source is of it: stated, following from something else, or assumed; exact unless set."),
        ],
        rules: &[
            Rule::NotNegative("amount"),
            Rule::NotNegative("quantity"),
            Rule::NotNegative("discount_amount"),
            Rule::Multiplies("interval", "interval_count"),
            Rule::AtLeastOne("interval_count"),
            Rule::AtLeastOne("package_size"),
            Rule::FitsLedger("amount", Some("quantity")),
            Rule::After("start", "end"),
        ],
    },
    Kind {
        name: "contracts",
        table: "contract",
        aliases: &[],
        words: "Agreements with a term and a total value.",
        key: &["contract"],
        columns: &[
            column("contract", Id, Required, &["contract_id", "id", "contract_number"], "Which contract it is."),
            column("customer", Id, Required, CUSTOMER, "Who signed it."),
            column("plan", Id, Optional, &["plan_id", "product"], "What it is for."),
            column("currency", Currency, Required, CURRENCY, "The currency of its value."),
            column("value", Decimal, Required, &["total_value", "tcv", "contract_value", "total_contract_value", "amount"], "What it is worth over its whole term, in major units."),
            column("start", Moment, Required, &["start_date", "starts_at", "start_at", "effective_date"], "When its term begins."),
            column("end", Moment, Required, &["end_date", "ends_at", "end_at", "expiry", "expires_at"], "When its term ends."),
            column("renewal_of", Id, Optional, &["renews", "renewed_from", "previous_contract"], "The contract that it renews."),
        ],
        rules: &[
            Rule::NotNegative("value"),
            Rule::FitsLedger("value", None),
            Rule::After("start", "end"),
            Rule::Differs("contract", "renewal_of"),
        ],
    },
    Kind {
        name: "invoices",
        table: "invoice_line",
        aliases: &["invoice-lines", "lines", "invoice-items"],
        words: "The lines of invoices, with the period that each one pays for.",
        // A line's number is enough where the source numbers lines across invoices; both are where it does not.
        key: &["invoice", "line"],
        columns: &[
            column("line", Id, Required, &["line_id", "line_item_id", "invoice_line_id", "line_number", "id"], "Which line it is: its own id, or its number within the invoice."),
            column("invoice", Id, Required, &["invoice_id", "invoice_number"], "The invoice that it is on."),
            column("customer", Id, Required, CUSTOMER, "Who is billed."),
            column("subscription", Id, Optional, &["subscription_id", "sub_id"], "The subscription that it bills."),
            column("plan", Id, Optional, &["plan_id", "price_id", "price"], "The plan that it bills."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amounts."),
            column("amount", Decimal, Required, &["line_amount", "net_amount", "total", "amount_excluding_tax"], "What it bills, before tax, in major units; negative for a credit."),
            column("tax", Decimal, Optional, &["tax_amount", "vat"], "Tax on top of the amount."),
            column("service_start", Moment, Optional, &["period_start", "service_period_start", "line_period_start"], "When what it pays for begins."),
            column("service_end", Moment, Optional, &["period_end", "service_period_end", "line_period_end"], "When what it pays for ends."),
            column("issued", Moment, Required, &["issued_at", "date", "invoice_date", "created", "created_at", "finalized_at", "issue_date"], "When the invoice was issued."),
            column("kind", LINE_KIND, Optional, &["line_type", "type", "line_kind", "item_type"], "What the line bills."),
            column("quantity", Decimal, Optional, &["qty", "units"], "Units that it bills."),
            column("recognition", RECOGNITION, Optional, &["recognition_method", "revenue_recognition"], "How it is earned, where that is not as the rest of its kind: evenly over the days of its service, in equal parts over its months, when it is used, or at once."),
            column("corrects", Id, Optional, &["corrected_invoice", "original_invoice", "credited_invoice", "credit_note_for"], "The invoice that a credit note corrects."),
            column("corrects_line", Id, Optional, &["corrected_line", "original_line", "credited_line"], "The line of that invoice, where the credit note names one."),
            column("voided", Moment, Optional, &["voided_at", "void_date", "voided_on"], "When the invoice was declared void: it counts as never billed from then on."),
            column("written_off", Moment, Optional, &["written_off_at", "marked_uncollectible_at", "write_off_date", "uncollectible_at"], "When it was given up as bad debt."),
        ],
        rules: &[
            Rule::FitsLedger("amount", None),
            Rule::FitsLedger("tax", None),
            Rule::NotBefore("service_start", "service_end"),
            Rule::NotBefore("issued", "voided"),
            Rule::NotBefore("issued", "written_off"),
        ],
    },
    Kind {
        name: "payments",
        table: "payment",
        aliases: &["charges"],
        words: "Attempts to take money, and refunds and disputes, each a fact with an id of its own: money that came in stays `succeeded`.",
        key: &["payment"],
        columns: &[
            column("payment", Id, Required, &["payment_id", "charge_id", "transaction_id", "id"], "Which payment it is."),
            column("invoice", Id, Optional, &["invoice_id", "invoice_number"], "The invoice that it pays."),
            column("customer", Id, Required, CUSTOMER, "Who pays."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amount."),
            column("amount", Decimal, Required, &["payment_amount", "gross", "total"], "How much, in major units."),
            column("status", PAYMENT_STATUS, Required, &["payment_status", "state", "outcome"], "What became of it: came in, failed, went out again (refunded, disputed, dispute_lost), a dispute that took nothing in the end (dispute_won), or nothing yet."),
            column("paid_at", Moment, Required, &["paid", "date", "payment_date", "created", "created_at", "attempted_at"], "When it was attempted."),
            column("failure_reason", Text, Optional, &["failure_code", "decline_code", "failure_message"], "Why it failed."),
            column("attempt", Integer, Optional, &["attempt_number", "attempt_count"], "Which attempt at its invoice this is, from 1."),
            column("original", Id, Optional, &["original_payment", "refund_of", "refunded_payment", "disputed_payment", "disputed_charge"], "The payment that a refund or dispute takes back."),
            column("fee", Decimal, Optional, &["fees", "processing_fee", "transaction_fee"], "What the processor kept of it, in major units."),
        ],
        rules: &[
            Rule::NotNegative("amount"),
            Rule::FitsLedger("amount", None),
            Rule::FitsLedger("fee", None),
            Rule::AtLeastOne("attempt"),
            Rule::Differs("payment", "original"),
        ],
    },
    Kind {
        name: "fx-rates",
        table: "fx_rate",
        aliases: &["fx", "rates", "exchange-rates"],
        words: "What one unit of a currency was worth in another, by day.",
        key: &["day", "base", "quote"],
        columns: &[
            column("day", Day, Required, &["date", "rate_date", "as_of"], "The day of the rate."),
            column("base", Currency, Required, &["from", "from_currency", "base_currency", "source_currency", "currency"], "The currency of which there is one unit."),
            column("quote", Currency, Required, &["to", "to_currency", "quote_currency", "target_currency"], "The currency in which it is worth `rate`."),
            column("rate", Decimal, Required, &["exchange_rate", "value", "price", "fx_rate"], "Units of the quote currency for one of the base."),
        ],
        rules: &[Rule::AboveZero("rate"), Rule::Differs("base", "quote")],
    },
    Kind {
        name: "spend",
        table: "spend",
        aliases: &["marketing-spend"],
        words: "What was spent on getting customers, by day, channel and campaign (and group of ads and ad, where they are told apart).",
        key: &["day", "channel", "campaign", "ad_group", "ad", "category", "until"],
        columns: &[
            column("day", Day, Required, &["date", "spend_date"], "The day it was spent."),
            column("channel", Text, Optional, &["utm_source", "source", "platform", "medium"], "Through what."),
            column("campaign", Text, Optional, CAMPAIGN, "For which campaign."),
            column("category", SPEND_CATEGORY, Optional, &["type", "kind"], "Marketing or sales; marketing unless set."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amount."),
            column("amount", Decimal, Required, &["spend", "cost", "total"], "How much, in major units."),
            column("ad_group", Text, Optional, &["ad_group_name", "ad_set", "ad_set_name", "adset", "adset_name"], "For which group of ads of the campaign."),
            column("ad", Text, Optional, &["ad_name", "creative"], "For which ad of it."),
            column("impressions", Integer, Optional, &["impr", "views"], "How often it was shown."),
            column("clicks", Integer, Optional, &["link_clicks"], "How often it was clicked on."),
            column("conversions", Decimal, Optional, &["results", "conv"], "Conversions that the seller of the ads claims."),
            column("until", Day, Optional, UNTIL, "The last day that it covers, where it is a total of several days; it counts evenly over them."),
        ],
        rules: &[
            Rule::NotBefore("day", "until"),
            Rule::FitsLedger("amount", None),
            Rule::NotNegative("impressions"),
            Rule::NotNegative("clicks"),
            Rule::NotNegative("conversions"),
        ],
    },
    Kind {
        name: "costs",
        table: "cost",
        aliases: &["expenses"],
        words: "What the business costs, by day and category.",
        key: &["cost", "day", "category", "vendor"],
        columns: &[
            column("cost", Id, Optional, &["cost_id", "expense_id", "id"], "Which cost it is, where the source numbers them."),
            column("day", Day, Required, &["date", "paid_on", "paid_at", "expense_date"], "The day it was paid."),
            column("category", COST_CATEGORY, Required, &["type", "kind", "account"], "What it was for. `support` is a part of the cost of revenue. `tax` is tax that customers paid and that is passed on: cash that goes, and no cost of the business."),
            column("vendor", Text, Optional, &["supplier", "payee", "name"], "Who was paid."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amount."),
            column("amount", Decimal, Required, &["total", "value"], "How much, in major units."),
            column("description", Text, Optional, &["memo", "note"], "What it was, in words."),
            column("until", Day, Optional, UNTIL, "The last day that it covers, where it is a total of several days, as a month's in a profit and loss; it counts evenly over them."),
        ],
        rules: &[Rule::FitsLedger("amount", None), Rule::NotBefore("day", "until")],
    },
    Kind {
        name: "cash-balances",
        table: "cash_balance",
        aliases: &["cash"],
        words: "What was in the bank at the end of a day.",
        key: &["day", "account", "currency"],
        columns: &[
            column("day", Day, Required, &["date", "as_of", "balance_date"], "The day at whose end it held."),
            column("account", Id, Optional, &["account_id", "bank_account", "account_name", "bank"], "In which account."),
            column("currency", Currency, Required, CURRENCY, "The currency of its amount."),
            column("amount", Decimal, Required, &["balance", "cash", "closing_balance"], "How much, in major units."),
        ],
        rules: &[Rule::FitsLedger("amount", None)],
    },
    Kind {
        name: "visits",
        table: "visit",
        aliases: &[],
        words: "Visits to the site.",
        key: &["visit", "visitor", "visited"],
        columns: &[
            column("visit", Id, Optional, &["visit_id", "session_id", "session"], "Which visit it is."),
            column("visitor", Id, Required, &["visitor_id", "anonymous_id", "user_id", "distinct_id", "client_id"], "Who visited."),
            column("visited", Moment, Required, &["visited_at", "timestamp", "time", "date", "started_at"], "When."),
            column("channel", Text, Optional, CHANNEL, "What brought them."),
            column("campaign", Text, Optional, CAMPAIGN, "For which campaign."),
            column("referrer", Text, Optional, &["referer", "referring_url"], "The page that they came from."),
            column("page", Text, Optional, &["url", "landing_page", "path"], "The page that they came to."),
            column("country", Text, Optional, COUNTRY, "From where."),
            column("user", Id, Optional, USER, "Who it was, where they were known."),
        ],
        rules: &[],
    },
    Kind {
        name: "visit-totals",
        table: "visit_total",
        aliases: &["traffic"],
        words: "Visits and visitors of a day (or of a span of days) as totals, from tools that do not tell single visits.",
        key: &["day", "channel", "campaign", "country", "page", "until"],
        columns: &[
            column("day", Day, Required, &["date", "visit_date"], "The day."),
            column("channel", Text, Optional, CHANNEL, "What brought them."),
            column("campaign", Text, Optional, CAMPAIGN, "For which campaign."),
            column("country", Text, Optional, COUNTRY, "From where."),
            column("page", Text, Optional, &["landing_page", "page_path", "url", "path"], "The page that they came to."),
            column("visitors", Integer, Optional, &["unique_visitors", "total_users", "users", "active_users", "uniques"], "How many different people came."),
            column("visits", Integer, Optional, &["sessions", "total_visits"], "How often they came."),
            column("new_visitors", Integer, Optional, &["new_users", "first_time_visitors"], "How many of them came for the first time."),
            column("until", Day, Optional, UNTIL, "The last day that it covers, where it is a total of several days: its visitors are those of the whole span, each once."),
        ],
        rules: &[
            Rule::NotNegative("visitors"),
            Rule::NotNegative("visits"),
            Rule::NotNegative("new_visitors"),
            Rule::NotBefore("day", "until"),
        ],
    },
    Kind {
        name: "leads",
        table: "lead",
        aliases: &[],
        words: "Changes of a lead's stage and score; backwards moves happen.",
        key: &["lead", "reached", "stage", "score_reason"],
        columns: &[
            column("lead", Id, Required, &["lead_id", "contact_id", "id"], "Which lead it is."),
            column("customer", Id, Optional, CUSTOMER, "The customer that it became."),
            column("stage", LEAD_STAGE, Optional, &["lifecycle_stage", "lead_stage", "status", "lead_status"], "The stage that it reached."),
            column("reached", Moment, Required, &["reached_at", "changed_at", "stage_date", "timestamp", "created_at", "created", "date"], "When."),
            column("channel", Text, Optional, &["source", "lead_source", "utm_source"], "What brought it."),
            column("campaign", Text, Optional, CAMPAIGN, "For which campaign."),
            column("score", Decimal, Optional, &["points", "lead_score", "score_change"], "Points that this event gave or took."),
            column("score_reason", Text, Optional, &["reason", "score_event"], "What gave or took them."),
            column("country", Text, Optional, COUNTRY, "From where."),
            column("visitor", Id, Optional, VISITOR, "The visitor that it was before."),
            column("user", Id, Optional, USER, "The sign-up that it became."),
        ],
        rules: &[],
    },
    Kind {
        name: "signups",
        table: "signup",
        aliases: &["sign-ups"],
        words: "Who signed up, and what brought them.",
        key: &["signup"],
        columns: &[
            column("signup", Id, Required, &["signup_id", "user", "user_id", "id"], "Who signed up."),
            column("customer", Id, Optional, CUSTOMER, "The customer that it belongs to."),
            column("visitor", Id, Optional, &["visitor_id", "anonymous_id", "distinct_id"], "The visitor that it was before."),
            column("signed_up", Moment, Required, &["signed_up_at", "signup_date", "created_at", "created", "date", "timestamp"], "When."),
            column("channel", Text, Optional, CHANNEL, "What brought them."),
            column("campaign", Text, Optional, CAMPAIGN, "For which campaign."),
            column("plan", Id, Optional, &["plan_id"], "The plan that they began with."),
            column("country", Text, Optional, COUNTRY, "From where."),
        ],
        rules: &[],
    },
    Kind {
        name: "trials",
        table: "trial",
        aliases: &[],
        words: "Trials, and when they turned into paying.",
        key: &["trial"],
        columns: &[
            column("trial", Id, Required, &["trial_id", "subscription", "subscription_id", "id"], "Which trial it is."),
            column("customer", Id, Required, CUSTOMER, "Who tries."),
            column("plan", Id, Optional, &["plan_id", "price_id"], "What they try."),
            column("start", Moment, Required, &["trial_start", "trial_started_at", "started_at", "start_date", "start_at"], "When it began."),
            column("end", Moment, Optional, &["trial_end", "trial_ends_at", "ended_at", "ends_at", "end_date", "end_at"], "When it ends."),
            column("converted", Moment, Optional, &["converted_at", "conversion_date", "paid_at"], "When it turned into paying."),
            column("channel", Text, Optional, CHANNEL, "What brought them."),
            column("user", Id, Optional, USER, "The sign-up that tries."),
        ],
        rules: &[Rule::After("start", "end"), Rule::NotBefore("start", "converted")],
    },
    Kind {
        name: "events",
        table: "product_event",
        aliases: &["product-events"],
        words: "What users did in the product.",
        key: &["event", "user", "name", "occurred"],
        columns: &[
            column("event", Id, Optional, &["event_id", "uuid", "insert_id", "message_id", "id"], "Which event it is, where the source numbers them."),
            column("user", Id, Required, &["user_id", "distinct_id", "person_id"], "Who did it."),
            column("customer", Id, Optional, CUSTOMER, "The customer that they belong to."),
            column("session", Id, Optional, &["session_id"], "In which session."),
            column("name", Text, Required, &["event_name", "event_type", "action", "type"], "What they did."),
            column("occurred", Moment, Required, &["occurred_at", "timestamp", "time", "created_at", "date"], "When."),
            column("feature", Text, Optional, &["feature_name", "module"], "With which feature."),
            column("visitor", Id, Optional, VISITOR, "The visitor that they were before they were known."),
            column("quantity", Decimal, Optional, &["units", "amount_used"], "How much of it they used, where use is measured."),
        ],
        rules: &[],
    },
    Kind {
        name: "tickets",
        table: "ticket",
        aliases: &["support"],
        words: "Requests for support.",
        key: &["ticket"],
        columns: &[
            column("ticket", Id, Required, &["ticket_id", "conversation_id", "case_id", "id"], "Which request it is."),
            column("customer", Id, Optional, CUSTOMER, "Who asked."),
            column("category", Text, Optional, &["type", "ticket_type", "topic", "tag"], "About what."),
            column("channel", Text, Optional, &["via", "medium"], "Through what."),
            column("priority", Text, Optional, &["severity", "urgency"], "How urgent."),
            column("opened", Moment, Required, &["opened_at", "created_at", "created", "date"], "When it was opened."),
            column("first_response", Moment, Optional, &["first_response_at", "first_replied_at", "first_reply_at"], "When it was first answered."),
            column("resolved", Moment, Optional, &["resolved_at", "solved_at", "closed_at"], "When it was resolved."),
            column("user", Id, Optional, &["user_id", "requester_id", "requester", "requester_email", "contact_id"], "The person who asked."),
            column("status", Text, Optional, &["ticket_status", "state"], "Its state when the source last spoke of it."),
        ],
        rules: &[Rule::NotBefore("opened", "first_response"), Rule::NotBefore("opened", "resolved")],
    },
    Kind {
        name: "surveys",
        table: "survey_answer",
        aliases: &["survey-answers", "nps"],
        words: "Answers to satisfaction surveys.",
        key: &["answer", "survey", "customer", "user", "answered"],
        columns: &[
            column("answer", Id, Optional, &["answer_id", "response_id", "id"], "Which answer it is, where the source numbers them."),
            column("survey", SURVEY, Required, &["survey_type", "type", "kind"], "What was asked."),
            column("customer", Id, Optional, CUSTOMER, "The customer who answered."),
            column("user", Id, Optional, &["user_id", "respondent", "email"], "The person who answered."),
            column("score", Decimal, Required, &["rating", "value"], "The score given: 0 to 10 for nps, 1 to the scale for csat and ces."),
            column("scale", Integer, Optional, &["out_of", "max_score"], "The highest score of the scale; 10 for nps and 5 otherwise, unless set."),
            column("answered", Moment, Required, &["answered_at", "responded_at", "submitted_at", "created_at", "date", "timestamp"], "When."),
            column("comment", Text, Optional, &["feedback", "text", "verbatim"], "What was said."),
            column("ticket", Id, Optional, &["ticket_id", "conversation_id"], "The request for support that it is about."),
        ],
        rules: &[Rule::NotNegative("score"), Rule::AtLeastOne("scale")],
    },
    Kind {
        name: "referrals",
        table: "referral",
        aliases: &["invites"],
        words: "Invitations from a customer, and whom they brought.",
        key: &["referral", "referrer", "referred", "invited"],
        columns: &[
            column("referral", Id, Optional, &["referral_id", "invite_id", "id"], "Which invitation it is, where the source numbers them."),
            column("referrer", Id, Required, &["referrer_id", "referred_by", "inviter", "inviter_id", "from_customer"], "The customer who invited."),
            column("referred", Id, Optional, &["referred_id", "referee", "invitee", "invitee_id", "to_customer"], "The customer who came."),
            column("invited", Moment, Required, &["invited_at", "sent_at", "created_at", "date"], "When the invitation went out."),
            column("converted", Moment, Optional, &["converted_at", "accepted_at"], "When the one invited became a customer."),
        ],
        rules: &[Rule::Differs("referrer", "referred"), Rule::NotBefore("invited", "converted")],
    },
    Kind {
        name: "experiments",
        table: "experiment_arm",
        aliases: &["experiment-arms"],
        words: "Which customer saw which arm of which experiment.",
        key: &["experiment", "customer"],
        columns: &[
            column("experiment", Id, Required, &["experiment_id", "test", "test_id"], "Which experiment it is."),
            column("customer", Id, Required, &["customer_id", "user", "user_id", "account_id", "unit"], "Who is in it."),
            column("arm", Id, Required, &["variant", "group", "bucket", "variation"], "Which arm they saw."),
            column("control", Boolean, Optional, &["is_control"], "Whether that arm is the control."),
            column("assigned", Moment, Required, &["assigned_at", "exposed_at", "created_at", "date", "timestamp"], "When they were assigned to it."),
        ],
        rules: &[],
    },
    Kind {
        name: "notes",
        table: "note",
        aliases: &["annotations"],
        words: "What people want to remember: annotations, interviews, competitors, plans, and what was written to the questions of a month.",
        key: &["note"],
        columns: &[
            column("note", Id, Required, &["note_id", "id"], "Which note it is."),
            column("day", Day, Required, &["date", "created", "created_at"], "The day that it is about."),
            column("kind", NOTE_KIND, Optional, &["type", "category"], "What it is; annotation unless set."),
            column("title", Text, Required, &["subject", "headline"], "What it is about."),
            column("body", Text, Optional, &["text", "content", "notes"], "The words."),
            column("customer", Id, Optional, CUSTOMER, "The customer that it is about."),
            column("author", Text, Optional, &["by", "user", "created_by"], "Who wrote it."),
            column("question", REVIEW_QUESTION, Optional, &[], "For what was written in a review: the question of the month that it answers."),
        ],
        rules: &[],
    },
    Kind {
        name: "follow-ups",
        table: "follow_up",
        aliases: &["followups"],
        words: "Who looks after a customer, until when the customer is left alone, and what is to be known about it: the newest of each holds.",
        key: &["customer"],
        columns: &[
            column("customer", Id, Required, CUSTOMER, "Whom it is about."),
            column("owner", Text, Optional, &["assigned_to", "assignee"], "Who looks after them."),
            column("snoozed_until", Day, Optional, &["snooze_until", "snoozed"], "The day from which they are looked at again."),
            column("words", Text, Optional, &["note", "body", "text"], "What is to be known."),
            column("author", Text, Optional, &["by", "created_by"], "Who said so."),
        ],
        rules: &[],
    },
];
