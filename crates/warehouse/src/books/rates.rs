//! Exchange rates from the lake.

use revenue::{calendar::Day, fx::Rates, money::Currency};

use super::{
    BooksError,
    columns::{Decimals, Moments, Texts, is_true},
};
use crate::lake::Lake;

/// The rates as known at a time, with the last day that has one. A later import of the same day and pair corrects an
/// earlier one.
pub fn load(lake: &Lake, as_known_at: Option<i64>) -> Result<(Rates, Option<Day>), BooksError> {
    let mut rates = Rates::default();
    let mut last = None;
    if lake.table_schema("fx_rate")?.is_none() {
        return Ok((rates, last));
    }
    for batch in lake.read("fx_rate", &[], as_known_at)? {
        let batch = batch?;
        let (base, quote) = (Texts::of(&batch, "base")?, Texts::of(&batch, "quote")?);
        let (day, rate) = (Moments::of(&batch, "day")?, Decimals::of(&batch, "rate")?);
        for row in 0..batch.num_rows() {
            let code = |texts: &Texts<'_>| texts.get(row).and_then(Currency::parse);
            let (Some(base), Some(quote), Some(day), Some(rate)) =
                (code(&base), code(&quote), day.get(row), rate.picos(row))
            else {
                continue;
            };
            let day = match day {
                revenue::calendar::Moment::Day(day) => day,
                revenue::calendar::Moment::Instant(micros) => revenue::calendar::Zone::utc().day_of_instant(micros),
            };
            if is_true(&batch, "withdrawn", row) {
                rates.remove(base, quote, day);
            } else {
                rates.insert(base, quote, day, rate);
                last = last.max(Some(day));
            }
        }
    }
    Ok((rates, last))
}
