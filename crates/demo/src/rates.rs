//! Daily exchange rates: a smooth walk that keeps returning to its level.

use crate::calendar::Calendar;
use crate::dice::{Dice, Purpose};
use crate::price::Currency;
use crate::sheet::Sheet;
use crate::story::RATES;

/// Written with six decimals, so that the yen keeps four figures.
const DECIMALS: u32 = 6;
const NANOS_A_STEP: i64 = 1_000;

/// One row a day and currency, from one month before the company starts to its last day.
pub(crate) fn write(seed: u64, calendar: &Calendar, sheet: &mut Sheet) {
    let mut walks = RATES.map(|rate| Walk {
        currency: rate.currency,
        level: rate.level_nanos,
        rate: rate.level_nanos,
        speed: 0,
        dice: Dice::new(seed, rate.currency.column() as u64, Purpose::Rates),
    });
    for day in 0..calendar.end {
        for walk in &mut walks {
            sheet
                .day(calendar, day)
                .text(walk.currency.code())
                .text(Currency::Usd.code())
                .decimal(walk.rate / NANOS_A_STEP, DECIMALS)
                .end_row();
            walk.step();
        }
    }
}

#[derive(Debug)]
struct Walk {
    currency: Currency,
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
