//! `recurve target`: what should be reached by when and by whom, where it should be by now, and how likely it is.

use outlook::{playbook::Unit, target::Standing};
use revenue::money::print_scaled;
use warehouse::{lake::Access, playbook::metric_of};

use super::{CommandError, Outcome};
use crate::{
    judgement,
    listing::{self, Cell},
    session::{Options, Session},
    targets::{self, Kept},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set a target on a metric: at least that much, or at most where less is better
    Add {
        /// The metric, such as mrr or customer_churn.midpoint
        metric: String,
        /// What should be reached, such as 15000 or 5%
        wanted: String,
        /// The month at whose end it should be reached
        #[arg(long, value_name = "M")]
        by: String,
        /// The month from which the way is measured; the last full one unless set
        #[arg(long, value_name = "M")]
        from: Option<String>,
        /// Whose it is
        #[arg(long, default_value = "")]
        owner: String,
    },
    /// List targets with where they should be by now and the chance of being met
    List {
        /// As of the end of this month; the last full one unless set
        #[arg(long, value_name = "M")]
        period: Option<String>,
    },
    /// Take a target away
    Remove {
        /// Its name in the list
        target: String,
    },
}

/// Sets, lists or takes away.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    match &arguments.what {
        What::Add { metric, wanted, by, from, owner } => {
            let session = Session::open(options, Access::Write)?;
            let catalogue = session.catalogue()?;
            metric_of(&catalogue, metric)?;
            if targets::number(wanted).is_none() {
                return Err(CommandError::Usage(format!("`{wanted}` is no number; write 15000 or 5%")));
            }
            let from = match from {
                Some(text) => targets::month_of(text, "from")?,
                None => judgement::month(&session, None)?,
            };
            let by = targets::month_of(by, "by")?;
            if by <= from {
                return Err(CommandError::Usage(format!(
                    "--by {by} is not after --from {from}, so there is no way to go"
                )));
            }
            let id = targets::free_name(&session)?;
            let kept = Kept {
                id: id.clone(),
                metric: metric.clone(),
                wanted: wanted.clone(),
                by,
                from: Some(from),
                owner: owner.clone(),
                line: String::new(),
            };
            session.lake.set_setting(&format!("{}{id}", targets::PREFIX), &kept.text())?;
            list(&session, None)
        }
        What::List { period } => list(&Session::open(options, Access::Read)?, period.as_deref()),
        What::Remove { target } => {
            let session = Session::open(options, Access::Write)?;
            if !session.lake.remove_setting(&format!("{}{target}", targets::PREFIX))? {
                return Err(CommandError::Usage(format!(
                    "there is no target `{target}` that was set with `recurve target add`; those of the playbook are taken \
                     away with `product_targets = false` in a playbook.toml of your own"
                )));
            }
            list(&session, None)
        }
    }
}

fn list(session: &Session, period: Option<&str>) -> Result<Outcome, CommandError> {
    let (catalogue, books) = (session.catalogue()?, session.books()?);
    let month = judgement::month(session, period)?;
    let (currency, language) = (books.reporting, session.language()?);
    let stood = targets::all(session, &books, &catalogue, month)?;
    listing::write(&session.options, |sheet| {
        sheet.begin([
            "target", "metric", "by", "owner", "wanted", "now", "pace", "on_pace", "expected", "chance", "unit",
            "state", "says",
        ])?;
        for one in &stood {
            let number = |picos: i128| {
                // A figure is exact; where it should be is an estimate, and money needs no more than its cents.
                Cell::Number(print_scaled(picos, 12, if one.unit == Unit::Money { currency.decimals() } else { 0 }))
            };
            let estimate = |number: f64| Cell::Number(format!("{number:.4}"));
            let (pace, chance, expected) = match one.standing {
                Standing::Open { pace, chance, expected } => (pace, chance, expected),
                _ => (None, None, None),
            };
            let pace = pace.map_or(Cell::Empty, |picos| estimate(picos as f64 / outlook::condition::ONE as f64));
            let unit = if one.unit == Unit::Money { currency.code() } else { one.metric.variant.unit.name() };
            sheet.row(&[
                Cell::text(one.kept.id.as_str()),
                Cell::text(one.kept.metric.as_str()),
                Cell::Day(one.kept.by),
                Cell::text(one.kept.owner.as_str()),
                number(one.target.number),
                one.now.map_or(Cell::Empty, |(_, now)| number(now)),
                pace,
                one.is_on_pace().map_or(Cell::Empty, |on| Cell::text(if on { "yes" } else { "no" })),
                expected.map_or(Cell::Empty, estimate),
                chance.map_or(Cell::Empty, |chance| Cell::Number(format!("{chance:.2}"))),
                Cell::text(unit),
                Cell::text(one.state()),
                Cell::text(one.says(currency, language)),
            ])?;
        }
        Ok(Outcome::Done)
    })
}
