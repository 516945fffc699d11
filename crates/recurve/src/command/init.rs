//! `recurve init`: the data folder and its settings.

use std::path::Path;

use warehouse::lake::Access;

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    policies,
    session::{self, Options, SETTINGS, Session},
    stripe::key,
};

/// `--currency`, `--tz`, `--policy` and `--lang` are kept as the settings of the folder.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A further setting, such as gross_margin=0.8
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Makes the folder and lists its settings.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (name, value) in
        [("currency", &options.currency), ("tz", &options.tz), ("policy", &options.policy), ("language", &options.lang)]
    {
        wanted.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    for text in &arguments.set {
        let known = || SETTINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match text.split_once('=') {
            Some((name, value)) if SETTINGS.iter().any(|(known, _)| *known == name) => {
                wanted.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(CommandError::Usage(format!("--set {text} is no setting; the settings are {}", known()))),
        }
    }
    for (name, value) in &wanted {
        let number = || {
            revenue::money::parse_scaled(value, 12)
                .filter(|number| *number >= 0)
                .ok_or_else(|| CommandError::Usage(format!("the setting `{name}` takes a number, not `{value}`")))
        };
        match name.as_str() {
            "currency" => session::currency_of(value).map(|_| ())?,
            "launch" => session::day(value, "set launch").map(|_| ())?,
            "language" => session::language_of(value).map(|_| ())?,
            "health_weights" => session::health_weights(value).map(|_| ())?,
            "policy" => policies::find(value, &options.data).map(|_| ())?,
            "gross_margin" | "discount_rate" | "committed_months" | "stripe_sync_minutes" => number().map(|_| ())?,
            "stripe_key_file" => key::not_in_plain(Path::new(value))?,
            // The session that is opened next reads the zone, and refuses one that is none.
            _ => {}
        }
    }
    let session = Session::open(options, Access::Write)?;
    for (name, value) in &wanted {
        session.lake.set_setting(name, value)?;
    }
    let mut listing = Listing::begin(options, ["setting", "value", "what it is"])?;
    for (name, words) in SETTINGS {
        let value = session.setting(name)?.map_or(Cell::Empty, Cell::text);
        listing.row(&[Cell::text(*name), value, Cell::text(*words)])?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
