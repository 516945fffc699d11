//! `recurve demo`: a believable company, by the same road as real data.

use std::{io::Write, path::PathBuf, sync::atomic::AtomicBool};

use warehouse::{import::ImportRequest, lake::Access};

use super::{CommandError, Outcome, import};
use crate::session::{Options, Session, clock};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The company is made from this number: the same number, the same files
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many months it has lived
    #[arg(long, default_value_t = 24)]
    months: u32,
    /// How many people signed up
    #[arg(long, default_value_t = 2_000)]
    customers: u64,
    /// Where the files are written; in the data folder unless set
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Only what is billed and paid: no visits, product events, tickets and the like, which are most of the rows
    #[arg(long)]
    billing_only: bool,
    /// Only write the files
    #[arg(long)]
    no_import: bool,
}

/// Which kind of facts each file holds.
const FILES: &[(&str, &str)] = &[
    ("fx-rates.csv", "fx-rates"),
    ("plans.csv", "plans"),
    ("customers.csv", "customers"),
    ("subscriptions.csv", "subscriptions"),
    ("contracts.csv", "contracts"),
    ("invoices.csv", "invoices"),
    ("payments.csv", "payments"),
    ("spend.csv", "spend"),
    ("costs.csv", "costs"),
    ("cash-balances.csv", "cash-balances"),
    ("visits.csv", "visits"),
    ("leads.csv", "leads"),
    ("signups.csv", "signups"),
    ("trials.csv", "trials"),
    ("events.csv", "events"),
    ("tickets.csv", "tickets"),
    ("surveys.csv", "surveys"),
    ("referrals.csv", "referrals"),
    ("experiments.csv", "experiments"),
    ("notes.csv", "notes"),
];

/// What the month is shown by.
const SHOWN: &[&str] = &[
    "mrr",
    "mrr_new",
    "mrr_expansion",
    "mrr_reactivation",
    "mrr_contraction",
    "mrr_churned",
    "mrr_net_new",
    "arr",
    "customers",
    "customers_new",
    "customers_churned",
    "customer_churn",
    "nrr",
    "grr",
    "arpa",
    "quick_ratio",
    "ltv",
    "cac",
    "ltv_cac",
    "trial_conversion",
    "nps",
    "gross_margin",
    "cash",
];

/// Makes the company, imports it and shows its last month.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let folder = arguments.files.clone().unwrap_or_else(|| options.data.join("demo"));
    let company = ::demo::Company {
        seed: arguments.seed,
        months: arguments.months,
        customers: arguments.customers,
        facts: if arguments.billing_only { ::demo::Facts::Billing } else { ::demo::Facts::All },
        ..::demo::Company::default()
    };
    let summary = ::demo::write(&company, &folder, &mut |_| {})?;
    let end = summary.end.to_string();
    let mut out = std::io::stdout();
    writeln!(out, "A company of {} months, made from seed {}, in {}:", company.months, company.seed, folder.display())?;
    for file in &summary.files {
        writeln!(out, "  {:<18} {:>12} rows", file.file, file.rows)?;
    }
    if arguments.no_import {
        return Ok(Outcome::Done);
    }
    let mut outcome = Outcome::Done;
    {
        let session = Session::open(options, Access::Write)?;
        let running = AtomicBool::new(false);
        let written = |name: &str| summary.files.iter().any(|file| file.file == name);
        for (file, kind) in FILES.iter().filter(|(file, _)| written(file)) {
            let kind = import::kind_of(kind).map_err(CommandError::Usage)?;
            let request = ImportRequest::new(kind, &folder.join(file), clock());
            if import::import_one(Some(&session), options, &request, &running)? != Outcome::Done {
                outcome = Outcome::Refused;
            }
        }
        session.lake.set_setting("currency", "USD")?;
        // What only a company knows of its own product.
        session.lake.set_setting("activation_event", ::demo::story::ACTIVATION_EVENT)?;
        let used = ::demo::story::FEATURES.map(|feature| feature.event).join(",");
        session.lake.set_setting("interaction_events", &format!("{},{used}", ::demo::story::ACTIVATION_EVENT))?;
    }
    writeln!(out, "\nIts last full month, seen on {end} (recurve metric ID... --now {end}):")?;
    let seen = Options { now: options.now.clone().or(Some(end)), ..options.clone() };
    super::metric::show_last_month(&seen, SHOWN)?;
    Ok(outcome)
}
