//! `recurve prices`: customers on old prices beside those on the list price of their plan.

use outlook::lever::Range;
use revenue::money::{print_micros, print_scaled};
use warehouse::{
    books::Books,
    engine::list_price::{PriceCohort, PriceStanding, Prices, prices},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
    /// Of those who paid so this many days before, who left since
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=3660))]
    days: i32,
    /// List the customers on another price than the list price, those who would pay most more first
    #[arg(long, conflicts_with = "days")]
    customers: bool,
}

/// What stands for all plans together.
const ALL: &str = "all";

/// Lists plans by how prices stand to the list price, or customers.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The plans, or the customers.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    if !books.has_facts("plan")? {
        return Err(CommandError::Usage(
            "list prices are facts about plans, and none are known; import them with `recurve import plans FILE` (columns \
             plan, currency, interval, amount)"
                .to_owned(),
        ));
    }
    let end = match &arguments.at {
        Some(text) => session::day(text, "at")?.plus_days(1).min(books.first_day_to_come()),
        None => books.first_day_to_come(),
    };
    let found = prices(&books, end, arguments.days)?;
    if arguments.customers { customers(&books, &found, sheet) } else { plans(&books, &found, sheet) }
}

fn money(books: &Books, micros: i128) -> Cell {
    Cell::Number(print_micros(micros, books.reporting.decimals()))
}

fn count(number: u64) -> Cell {
    Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

fn plans(books: &Books, found: &Prices, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin([
        "plan",
        "price",
        "customers",
        "mrr",
        "mrr_at_list",
        "difference",
        "currency",
        "customers_before",
        "left",
        "churn",
        "churn_lower",
        "churn_upper",
    ])?;
    let by_plan = found.by_plan.iter().map(|((plan, standing), cohort)| (plan.as_str(), *standing, cohort));
    let all = found.all.iter().map(|(standing, cohort)| (ALL, *standing, cohort));
    for (plan, standing, cohort) in by_plan.chain(all) {
        row(books, plan, standing, cohort, sheet)?;
    }
    Ok(Outcome::Done)
}

fn row(
    books: &Books,
    plan: &str,
    standing: PriceStanding,
    cohort: &PriceCohort,
    sheet: &mut dyn Sheet,
) -> Result<(), CommandError> {
    let has_list = standing != PriceStanding::NoList;
    let listed = |micros: i128| if has_list { money(books, micros) } else { Cell::Empty };
    let share = Range::of_share(cohort.left as f64, cohort.before as f64);
    let churn = |share: f64| if cohort.before > 0 { Cell::Number(format!("{share:.6}")) } else { Cell::Empty };
    sheet.row(&[
        Cell::text(plan),
        Cell::text(standing.name()),
        count(cohort.customers),
        money(books, cohort.mrr_micros),
        listed(cohort.at_list_micros),
        listed(cohort.at_list_micros - cohort.mrr_micros),
        Cell::text(books.reporting.code()),
        count(cohort.before),
        count(cohort.left),
        churn(share.likely),
        churn(share.lower),
        churn(share.upper),
    ])
}

fn customers(books: &Books, found: &Prices, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let off_list = [PriceStanding::Below, PriceStanding::Above];
    let mut paid: Vec<_> = found.paid.iter().filter(|paid| off_list.contains(&paid.standing)).collect();
    paid.sort_by_key(|paid| {
        (std::cmp::Reverse(paid.at_list_micros - paid.mrr_micros), paid.customer, paid.subscription)
    });
    sheet.begin([
        "customer",
        "subscription",
        "plan",
        "price",
        "unit_price",
        "list_price",
        "unit_currency",
        "interval",
        "mrr",
        "mrr_at_list",
        "difference",
        "currency",
    ])?;
    for paid in paid {
        let Some(offer) = books.facts.offers.get(paid.offer as usize) else { continue };
        let unit = |picos: i128| Cell::Number(print_scaled(picos, 12, offer.currency.decimals()));
        let interval = match offer.interval_count {
            1 => offer.interval.name().to_owned(),
            several => format!("{several} {}s", offer.interval.name()),
        };
        sheet.row(&[
            Cell::text(books.customer_id(paid.customer)),
            Cell::text(books.subscription_id(paid.subscription)),
            Cell::text(offer.plan.as_str()),
            Cell::text(paid.standing.name()),
            unit(paid.price_picos),
            paid.list_picos.map_or(Cell::Empty, unit),
            Cell::text(offer.currency.code()),
            Cell::text(interval),
            money(books, paid.mrr_micros),
            money(books, paid.at_list_micros),
            money(books, paid.at_list_micros - paid.mrr_micros),
            Cell::text(books.reporting.code()),
        ])?;
    }
    Ok(Outcome::Done)
}
