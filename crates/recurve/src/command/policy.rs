//! `recurve policy`: what a policy says, and what it may say.

use revenue::policy::SETTINGS;

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    policies,
    session::Options,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The policy: default, stripe, chartmogul, profitwell, one of your own, or a file; all that come with the
    /// product unless named
    #[arg(value_name = "NAME|FILE")]
    names: Vec<String>,
}

/// Lists the settings with their values under each policy.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let names = match arguments.names.as_slice() {
        [] => policies::presets().map(str::to_owned).collect(),
        named => named.to_vec(),
    };
    let policies = names
        .iter()
        .map(|name| policies::find(name, &options.data).map(|policy| policy.settings()))
        .collect::<Result<Vec<_>, _>>()?;
    let header = std::iter::once("setting".to_owned()).chain(names);
    let mut listing = Listing::begin(options, header.chain(["choices".to_owned(), "what it decides".to_owned()]))?;
    for (index, setting) in SETTINGS.iter().enumerate() {
        let mut row = vec![Cell::text(setting.name)];
        row.extend(policies.iter().map(|settings| Cell::text(settings[index].1.as_str())));
        row.extend([Cell::text(setting.choices.join(" | ")), Cell::text(setting.words)]);
        listing.row(&row)?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
