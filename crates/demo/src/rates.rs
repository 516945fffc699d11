//! Daily exchange rates: a smooth walk that keeps returning to its level.

use crate::calendar::{Calendar, Day};
use crate::dice::{Dice, Purpose};
use crate::price::{Currency, share_of};
use crate::sheet::Sheet;
use crate::story::RATES;

/// Written with six decimals, so that the yen keeps four figures.
const DECIMALS: u32 = 6;
const NANOS_A_STEP: i64 = 1_000;

/// What one unit of each currency is worth in dollars, day by day.
#[derive(Debug)]
pub(crate) struct Rates {
    /// For each day of the calendar, in millionths, by the place of the currency in [`RATES`].
    days: Vec<[i64; RATES.len()]>,
}

impl Rates {
    pub(crate) fn new(seed: u64, calendar: &Calendar) -> Rates {
        let mut walks = RATES.map(|rate| Walk {
            level: rate.level_nanos,
            rate: rate.level_nanos,
            speed: 0,
            dice: Dice::new(seed, rate.currency.column() as u64, Purpose::Rates),
        });
        let days = (0..calendar.end)
            .map(|_| {
                let today = std::array::from_fn(|index| walks[index].rate / NANOS_A_STEP);
                for walk in &mut walks {
                    walk.step();
                }
                today
            })
            .collect();
        Rates { days }
    }

    /// One row a day and currency, from one month before the company starts to its last day.
    pub(crate) fn write(&self, calendar: &Calendar, sheet: &mut Sheet) {
        for (rates, day) in self.days.iter().zip(0..) {
            for (rate, currency) in rates.iter().zip(RATES.iter().map(|rate| rate.currency)) {
                sheet
                    .day(calendar, day)
                    .text(currency.code())
                    .text(Currency::Usd.code())
                    .decimal(*rate, DECIMALS)
                    .end_row();
            }
        }
    }

    /// Minor units of a currency in millionths of a dollar, at the rate of the day.
    pub(crate) fn dollar_micros(&self, minor: i64, currency: Currency, day: Day) -> i64 {
        let micros = minor * 10_i64.pow(DECIMALS - currency.decimals());
        let column = RATES.iter().position(|rate| rate.currency == currency);
        let rates = self.days.get(day as usize).or(self.days.last());
        match (column, rates) {
            (Some(column), Some(rates)) => share_of(micros, rates[column], 10_i64.pow(DECIMALS)),
            _ => micros,
        }
    }
}

#[derive(Debug)]
struct Walk {
    level: i64,
    rate: i64,
    speed: i64,
    dice: Dice,
}

impl Walk {
    fn step(&mut self) {
        // A push of up to 0.05 % of the level; the speed fades by a sixteenth a day,
        // and the further the rate is from its level, the more it is drawn back.
        let push = self.level / 2_000;
        let pushed = i64::from(self.dice.below((2 * push + 1) as u32)) - push;
        self.speed = self.speed * 15 / 16 + pushed;
        self.rate += self.speed + (self.level - self.rate) / 300;
    }
}
