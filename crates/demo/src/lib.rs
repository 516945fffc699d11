//! A believable company, made from a seed: the same seed, the same files.
//!
//! The demo walks the road of real data: this crate writes CSV files, and the
//! product imports them like anybody's. It knows nothing of the product.
//!
//! ```text
//! story ─▶ person ─▶ life ──▶ timeline ─▶ sheet     subscriptions.csv
//!  what     who       when ─▶ billing ──▶ sheet     invoices.csv, payments.csv
//!  shapes   comes     they decide │
//!  it all              │          └─▶ till          spend.csv, costs.csv, cash-balances.csv
//!                      ▼
//!                  biography ─▶ audience, pipeline  visits.csv, signups.csv, trials.csv, leads.csv
//!                               usage               events.csv
//!                               support, surveys    tickets.csv, surveys.csv
//!                               referrals, experiments, notes
//! ```
//!
//! Customers are told one after the other, in the order in which they signed
//! up, each with dice of their own. So memory stays bounded whatever their
//! number, and every file of billing but the rates is sorted by customer.
//! What follows from a life, such as use or tickets, is told from its
//! biography with dice of its own, and changes nothing in it.
//!
//! What happens in which month is the table in [`story`], told in `STORY.md`.

mod audience;
mod billing;
mod biography;
mod calendar;
mod dice;
mod experiments;
mod life;
mod notes;
mod person;
mod pipeline;
mod price;
mod rates;
mod referrals;
mod sheet;
pub mod story;
mod support;
mod surveys;
mod till;
mod timeline;
mod usage;

use std::path::{Path, PathBuf};

pub use crate::dice::Chance;
pub use crate::price::Currency;

use crate::biography::Biography;
use crate::calendar::Calendar;
use crate::life::Pages;
use crate::person::{Person, SignUps};
use crate::price::{Interval, PriceList};
use crate::rates::Rates;
use crate::referrals::Promoters;
use crate::sheet::{Folder, Sheet, Surroundings};
use crate::till::Till;

/// The longest story that can be told: fifty years.
const MONTHS_LIMIT: u32 = 600;
/// After how many customers progress is told.
const CUSTOMERS_A_PROGRESS: u64 = 4_096;

/// The company to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company {
    /// Which of all possible companies; the same seed gives the same bytes.
    pub seed: u64,
    /// For how many months it has been in business.
    pub months: u32,
    /// How many customers have signed up; about two in five of them come to pay.
    pub customers: u64,
    /// The day on which it opened. The story's months are counted from here.
    pub start: jiff::civil::Date,
    /// Which files are written.
    pub facts: Facts,
}

/// Which files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facts {
    /// Every kind of fact.
    All,
    /// Customers, plans, subscriptions, contracts, invoices, payments and rates only: much less, for large companies.
    Billing,
}

impl Default for Company {
    fn default() -> Company {
        Company { seed: 1, months: 24, customers: 2_000, start: jiff::civil::date(2024, 11, 1), facts: Facts::All }
    }
}

/// How far the writing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Customers told so far.
    pub customers_done: u64,
    /// Customers to tell.
    pub customers: u64,
    /// Rows of all files so far.
    pub rows: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The day after the last one that the files know about: *now*, for the demo.
    pub end: jiff::civil::Date,
    /// Each file, in the order in which they are best imported.
    pub files: Vec<FileCount>,
}

impl Summary {
    /// The rows of all files, headers not counted.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// The size of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileCount {
    /// Its name in the folder.
    pub file: &'static str,
    /// Its rows, the header not counted.
    pub rows: u64,
    /// Its bytes, the header counted.
    pub bytes: u64,
}

/// Why the company could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The number of months cannot be told.
    #[error("a company of {months} months cannot be made: choose from 1 to {MONTHS_LIMIT} months")]
    Months {
        /// What was asked for.
        months: u32,
    },
    /// The number of customers cannot be told.
    #[error("a company without customers cannot be made: choose 1 customer or more")]
    NoCustomers,
    /// The days of the story leave the years that can be written.
    #[error(
        "a company that starts on {start} and lasts {months} months leaves the years 1 to 9999: choose another start"
    )]
    Start {
        /// What was asked for.
        start: jiff::civil::Date,
        /// What was asked for.
        months: u32,
    },
    /// The folder is not there and could not be made.
    #[error("the folder {path} could not be made: choose one whose parent can be written to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be created.
    #[error("the file {path} could not be created: check that the folder can be written to")]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written to its end.
    #[error("the file {path} could not be written to its end: check the space left on its disk, then start again")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Writes the company's files into the folder, which is made when it is not there.
///
/// Files of the same names are replaced. After an error the files that were
/// begun stay, unfinished: write again.
///
/// # Errors
///
/// When the company cannot be told ([`DemoError::Months`], [`DemoError::NoCustomers`],
/// [`DemoError::Start`]) or the disk refuses.
pub fn write(company: &Company, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Summary, DemoError> {
    let &Company { months, customers, start, .. } = company;
    if months == 0 || months > MONTHS_LIMIT {
        return Err(DemoError::Months { months });
    }
    if customers == 0 {
        return Err(DemoError::NoCustomers);
    }
    let out_of_range = || DemoError::Start { start, months };
    let end = start.checked_add(jiff::Span::new().months(months)).map_err(|_| out_of_range())?;
    let calendar = Calendar::new(start, months).filter(|_| start.year() > 0).ok_or_else(out_of_range)?;

    if let Err(source) = std::fs::create_dir_all(folder) {
        return Err(DemoError::Folder { path: folder.to_path_buf(), source });
    }
    let mut folder = Folder::new(folder, company.facts)?;
    write_plans(company, &mut folder.billing.plans);
    let rates = Rates::new(company.seed, &calendar);
    rates.write(&calendar, &mut folder.billing.rates);

    let sign_ups = SignUps::new(company, &calendar);
    let mut till = Till::new(rates, &calendar);
    let mut pages = Pages::default();
    let mut aftermath = Aftermath::default();
    let mut scratch = String::new();
    let mut number = 1;
    for (day, first_of_next_day) in sign_ups.days() {
        while number < first_of_next_day {
            let person = Person::new(company, &calendar, number, day);
            person.write(&calendar, &mut folder.billing.customers, &mut scratch);
            life::live(company, &calendar, person, &mut folder.billing, &mut till, &mut pages);
            folder.billing.write_if_full()?;
            if let Some(surroundings) = &mut folder.surroundings {
                aftermath.tell(company, &calendar, &person, &mut pages.biography, &mut till, surroundings);
                surroundings.write_if_full()?;
            }
            if number % CUSTOMERS_A_PROGRESS == 0 {
                progress(Progress { customers_done: number, customers, rows: folder.rows() });
            }
            number += 1;
        }
        if let Some(surroundings) = &mut folder.surroundings {
            audience::pass_by(company, &calendar, &sign_ups, day, &mut till, surroundings)?;
        }
    }
    if let Some(surroundings) = &mut folder.surroundings {
        till.write(company, &calendar, &sign_ups, surroundings);
        aftermath.talks.write(company, &calendar, surroundings);
    }
    progress(Progress { customers_done: customers, customers, rows: folder.rows() });
    Ok(Summary { end, files: folder.close()? })
}

/// What follows from the lives of customers, with what is remembered from one to the next.
#[derive(Debug, Default)]
struct Aftermath {
    promoters: Promoters,
    talks: notes::Talks,
    /// Whether the whale that goes quiet has been met.
    whale_met: bool,
    /// Kept for their memory.
    tickets: Vec<support::Ticket>,
    promoter_on: Vec<calendar::Day>,
}

impl Aftermath {
    fn tell(
        &mut self,
        company: &Company,
        calendar: &Calendar,
        person: &Person,
        biography: &mut Biography,
        till: &mut Till,
        to: &mut Surroundings,
    ) {
        if person.is_whale && !self.whale_met {
            let (from, _) = biography::days_of(calendar, &story::QUIET_WHALE);
            let stays = biography.chapters.iter().all(|chapter| chapter.leaving().is_none());
            if stays && biography.on(calendar, from).is_some() {
                self.whale_met = true;
                biography.quiet_from = Some(from);
            }
        }
        let biography = &*biography;
        till.carry(calendar, biography);
        let arrival = audience::tell(company, calendar, person, biography, till, to);
        let activated = usage::tell(company, calendar, person, biography, to);
        pipeline::tell(company, calendar, person, biography, activated, &arrival, to);
        support::tell(company, calendar, person, biography, &mut self.tickets, to);
        surveys::tell(company, calendar, person, biography, &self.tickets, to, &mut self.promoter_on);
        self.promoters.tell(company, calendar, person, biography, &self.promoter_on, to);
        experiments::tell(company, calendar, person, biography, to);
        self.talks.hear(calendar, person, biography);
    }
}

/// The price list as it stands on the last day: a row for each plan, currency and interval.
fn write_plans(company: &Company, sheet: &mut Sheet) {
    let list = PriceList::of_month(company.months);
    for (index, plan) in story::PLANS.iter().enumerate() {
        for currency in Currency::ALL {
            for interval in Interval::ALL {
                if interval.sold_for(index) {
                    sheet
                        .text(plan.id)
                        .text(plan.product)
                        .text(plan.name)
                        .money(price::unit_amount(plan, interval, list, currency), currency)
                        .text(currency.code())
                        .text(interval.name())
                        .end_row();
                }
            }
        }
    }
}
