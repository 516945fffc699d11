//! The commands: one file each.

pub mod advice;
pub mod alert;
pub mod anomalies;
mod bench;
pub mod check;
pub mod close;
pub mod cohorts;
pub mod compare_policies;
pub mod customers;
mod demo;
pub mod experiments;
pub mod explain;
mod export;
pub mod forecast;
pub mod funnel;
pub mod health;
pub mod identities;
pub mod import;
mod init;
pub mod leads;
pub mod levers;
pub mod metric;
pub mod movements;
pub mod payback;
mod policy;
pub mod prices;
pub mod quarantine;
pub mod recognition;
pub mod reconcile;
pub mod restatements;
pub mod retention;
pub mod review;
mod serve;
pub mod signals;
mod sync;
pub mod target;
pub mod verdict;
mod webhooks;

use warehouse::{
    books::BooksError,
    catalogue::{CatalogueError, LookupError},
    engine::{EngineError, experiment::ExperimentError},
    import::ImportError,
    lake::LakeError,
    lead_rules::LeadRulesError,
    lever_settings::LeverSettingsError,
    playbook::PlaybookError,
};

use crate::{
    policies::PolicyFileError,
    session::Options,
    stripe::{client::CallError, key::KeyError, secrets::SecretsError, store::StoreError, sync::SyncError},
};

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a data folder, or change its settings
    Init(init::Arguments),
    /// Make a believable company, import it and show its last month
    Demo(demo::Arguments),
    /// Import facts from CSV, JSON lines or Parquet files
    Import(import::Arguments),
    /// Work out metrics, by period and segment
    Metric(metric::Arguments),
    /// List the movements of MRR, each with the fact that made it
    Movements(movements::Arguments),
    /// List customers with what they pay
    Customers(customers::Arguments),
    /// List leads with their scores, and what raised and lowered them
    Leads(leads::Arguments),
    /// List how customers are doing, the least healthy first, with the reasons; or what the index is made of
    Health(health::Arguments),
    /// Judge a month by the playbook: growing, flat or falling, and what is good, to improve or to be acted on
    Verdict(verdict::Arguments),
    /// List signals of danger, and those to do more of something, with their evidence and their past
    Signals(signals::Arguments),
    /// Set targets on metrics, and see where they should be by now and how likely they are met
    Target(target::Arguments),
    /// Set rules that speak when a figure, a signal or a target changes its state, and see what was delivered to whom
    Alert(alert::Arguments),
    /// Keep what was reported of a month, and see it beside what the month would be now
    Close(close::Arguments),
    /// Find days, weeks or months, whole or in a part, that were off, and what drives them
    Anomalies(anomalies::Arguments),
    /// Review a day, a week or a month: the figures, what was off, and the questions to ask each month
    #[command(visible_alias = "report")]
    Review(review::Arguments),
    /// Say what to do, in the order in which the numbers ask for it, and whom to call
    Advice(advice::Arguments),
    /// Play through what moves revenue most on your own contracts, ranked: churn, prices, annual plans, selling and converting
    /// more
    Levers(levers::Arguments),
    /// Count how many people took each of some steps: stages and product events
    Funnel(funnel::Arguments),
    /// Show which visitors, leads and users could be joined to customers, and which statements contradict each other
    Identities(identities::Arguments),
    /// Show what is left of the customers of each month
    Cohorts(cohorts::Arguments),
    /// Show when the customers of each month have earned back what winning them cost
    Payback(payback::Arguments),
    /// Read tests of prices and pages: what each arm does, how sure that is, and whether it may be said yet
    Experiments(experiments::Arguments),
    /// Set customers on old prices beside those on the list price of their plan: MRR, what it would be, and who left
    Prices(prices::Arguments),
    /// Open a figure: its formula, the movements that make it, and the facts under them
    Explain(explain::Arguments),
    /// Show in which month what was billed is earned: the waterfall of deferred revenue
    Recognition(recognition::Arguments),
    /// Set MRR beside what was invoiced and what was collected
    Reconcile(reconcile::Arguments),
    /// List the customers that make the difference between two policies
    ComparePolicies(compare_policies::Arguments),
    /// Check the laws of the ledger on your own data, and the files that hold it
    Check(check::Arguments),
    /// List what was restated between two times, and by which import
    Restatements(restatements::Arguments),
    /// Project how many of a cohort will stay, from a file with how many stayed
    Retention(retention::Arguments),
    /// Forecast MRR, customers, revenue and cash, or series of a file, with intervals that their own past bears out
    Forecast(forecast::Arguments),
    /// Write facts out as they came in
    Export(export::Arguments),
    /// Read everything from Stripe, then what happened since; or show until when everything is known
    Sync(sync::Arguments),
    /// List refused rows, or read them again
    Quarantine(quarantine::Arguments),
    /// Show what came from Stripe by webhooks, and the secrets that it is checked with
    Webhooks(webhooks::Arguments),
    /// Show a policy, or what a policy may say
    Policy(policy::Arguments),
    /// Serve the dashboard and the HTTP API
    Serve(serve::Arguments),
    /// Run the work that is compared with other programs
    #[command(hide = true)]
    Bench(bench::Arguments),
}

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All done.
    Done,
    /// Done, but something was refused; it is listed and kept.
    Refused,
    /// The data breaks a law.
    Breach,
}

impl Outcome {
    /// The exit code of the contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Refused => 1,
            Outcome::Breach => 3,
        }
    }
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line says something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// No such metric or variant.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// The catalogue has faults.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The rules for leads have faults.
    #[error(transparent)]
    LeadRules(#[from] LeadRulesError),
    /// The playbook has faults.
    #[error(transparent)]
    Playbook(#[from] PlaybookError),
    /// Settings of levers have faults.
    #[error(transparent)]
    LeverSettings(#[from] LeverSettingsError),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The books.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What came from Stripe.
    #[error(transparent)]
    Stripe(#[from] StoreError),
    /// The secrets of webhooks.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The key to Stripe.
    #[error(transparent)]
    StripeKey(#[from] KeyError),
    /// What Stripe answers.
    #[error(transparent)]
    StripeCall(#[from] CallError),
    /// The account.
    #[error(transparent)]
    StripeSync(#[from] SyncError),
    /// The demo company.
    #[error(transparent)]
    Demo(#[from] ::demo::DemoError),
    /// The alerts.
    #[error(transparent)]
    Alerts(#[from] crate::alerts::StoreError),
    /// What was read or written outside the lake.
    #[error("cannot read or write: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    /// The exit code of the contract.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Usage(_)
            | CommandError::Missing(_)
            | CommandError::Lookup(_)
            | CommandError::Policy(_)
            | CommandError::LeverSettings(_)
            | CommandError::StripeKey(_)
            | CommandError::StripeCall(CallError::Address { .. })
            | CommandError::StripeSync(_) => 2,
            CommandError::Engine(EngineError::UnknownDimension { .. }) => 2,
            CommandError::Experiment(ExperimentError::Engine(_)) => 4,
            CommandError::Experiment(_) => 2,
            CommandError::Books(BooksError::SeveralCurrencies { .. }) => 2,
            _ => 4,
        }
    }
}

/// Does a command.
pub fn run(options: &Options, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Init(arguments) => init::run(options, &arguments),
        Command::Demo(arguments) => demo::run(options, &arguments),
        Command::Import(arguments) => import::run(options, &arguments),
        Command::Metric(arguments) => metric::run(options, &arguments),
        Command::Movements(arguments) => movements::run(options, &arguments),
        Command::Customers(arguments) => customers::run(options, &arguments),
        Command::Leads(arguments) => leads::run(options, &arguments),
        Command::Health(arguments) => health::run(options, &arguments),
        Command::Verdict(arguments) => verdict::run(options, &arguments),
        Command::Signals(arguments) => signals::run(options, &arguments),
        Command::Target(arguments) => target::run(options, &arguments),
        Command::Alert(arguments) => alert::run(options, &arguments),
        Command::Close(arguments) => close::run(options, &arguments),
        Command::Anomalies(arguments) => anomalies::run(options, &arguments),
        Command::Review(arguments) => review::run(options, &arguments),
        Command::Advice(arguments) => advice::run(options, &arguments),
        Command::Levers(arguments) => levers::run(options, &arguments),
        Command::Funnel(arguments) => funnel::run(options, &arguments),
        Command::Identities(arguments) => identities::run(options, &arguments),
        Command::Cohorts(arguments) => cohorts::run(options, &arguments),
        Command::Payback(arguments) => payback::run(options, &arguments),
        Command::Experiments(arguments) => experiments::run(options, &arguments),
        Command::Prices(arguments) => prices::run(options, &arguments),
        Command::Explain(arguments) => explain::run(options, &arguments),
        Command::Recognition(arguments) => recognition::run(options, &arguments),
        Command::Reconcile(arguments) => reconcile::run(options, &arguments),
        Command::ComparePolicies(arguments) => compare_policies::run(options, &arguments),
        Command::Check(arguments) => check::run(options, &arguments),
        Command::Restatements(arguments) => restatements::run(options, &arguments),
        Command::Retention(arguments) => retention::run(options, &arguments),
        Command::Forecast(arguments) => forecast::run(options, &arguments),
        Command::Export(arguments) => export::run(options, &arguments),
        Command::Sync(arguments) => sync::run(options, &arguments),
        Command::Quarantine(arguments) => quarantine::run(options, &arguments),
        Command::Webhooks(arguments) => webhooks::run(options, &arguments),
        Command::Policy(arguments) => policy::run(options, &arguments),
        Command::Serve(arguments) => serve::run(options, &arguments),
        Command::Bench(arguments) => bench::run(options, &arguments),
    }
}
