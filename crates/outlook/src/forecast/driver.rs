//! What drives revenue: who comes, what they pay, who leaves at which age, what those who stay add or give up, and what is
//! already agreed.
//!
//! Customers are kept by the month in which they first paid. Each month the younger leave at one rate and the older at
//! another, those who stay pay a little more or less, and a new cohort comes. Where more is known of a month than the rates
//! expect (a contract that begins, a cancellation that was announced, a discount that ends), what is known counts.

use super::{Method, season};
use crate::wording::Words;

/// Rates are those of so many months.
const RATE_MONTHS: usize = 12;
/// Churn by age is that of so many months, drawn towards that of all ages by as much as so many customers weigh.
const CHURN_MONTHS: usize = 24;
const CHURN_WEIGHT: f64 = 20.0;
/// New customers pay what those of so many months paid.
const ARPA_MONTHS: usize = 3;
/// So many months ahead decide how the number of new customers goes on.
const LOOK_MONTHS: usize = 12;
/// The first month of age of each band that has a churn rate of its own.
pub const AGES: [usize; 5] = [0, 3, 6, 12, 24];

/// Customers who first paid in one month, at the end of that month and of each later one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cohort {
    /// How many pay.
    pub customers: Vec<f64>,
    /// Their MRR.
    pub mrr: Vec<f64>,
}

/// What is known of each month that is over, the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ground {
    /// The cohort of each month.
    pub cohorts: Vec<Cohort>,
    /// What those who paid before added, and gave up, without leaving.
    pub expansion: Vec<f64>,
    /// See `expansion`.
    pub contraction: Vec<f64>,
}

/// What is agreed for a month that is to come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreed {
    /// Customers who begin, with what they will pay.
    pub new_customers: f64,
    /// See `new_customers`.
    pub new_mrr: f64,
    /// Customers who leave, with what they pay.
    pub lost_customers: f64,
    /// See `lost_customers`.
    pub lost_mrr: f64,
    /// What those who stay will pay more: agreed upgrades, discounts that end.
    pub expansion: f64,
    /// What they will pay less.
    pub contraction: f64,
    /// Trials that end, with what they would pay.
    pub trials: f64,
    /// See `trials`.
    pub trial_mrr: f64,
    /// Customers whose contracts come up for renewal, with what they pay.
    pub due_customers: f64,
    /// See `due_customers`.
    pub due_mrr: f64,
}

/// The drivers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Drivers {
    /// New customers in the first month ahead, and by what share more come each later month.
    pub new_customers: f64,
    /// See `new_customers`.
    pub new_customers_growth: f64,
    /// What a new customer pays a month.
    pub arpa_new: f64,
    /// The share of customers who leave in a month, by age ([`AGES`]).
    pub churn: [f64; AGES.len()],
    /// What those who stay add and give up in a month, as shares of MRR.
    pub expansion: f64,
    /// See `expansion`.
    pub contraction: f64,
    /// The share of trials that turn into customers.
    pub trial_conversion: f64,
    /// The share of contracts that are renewed when they end.
    pub renewal: f64,
    /// Revenue of a month ÷ its mean MRR: recognised, and received.
    pub recognised_of_mrr: f64,
    /// See `recognised_of_mrr`.
    pub received_of_mrr: f64,
    /// Costs of the first month ahead, and by what share they grow each later month.
    pub costs: f64,
    /// See `costs`.
    pub costs_growth: f64,
}

/// What a driver is called, in what it is, and between which values it lies.
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// `count`, `money` or `share`.
    pub unit: &'static str,
    /// What it means.
    pub means: Words,
    least: f64,
    most: f64,
    fields: fn(&mut Drivers) -> &mut [f64],
}

/// Every driver.
pub const DRIVERS: &[Named] = &[
    named(
        "new_customers",
        "count",
        Words::fixed(
            "new customers in the first month ahead",
            "下个月的新客户数",
            "nouveaux clients du premier mois à venir",
        ),
        0.0,
        1e9,
        |drivers| std::slice::from_mut(&mut drivers.new_customers),
    ),
    named(
        "new_customers_growth",
        "share",
        Words::fixed(
            "by what share more come each later month",
            "此后每月多来的比例",
            "de quelle part il en vient de plus chaque mois suivant",
        ),
        -1.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.new_customers_growth),
    ),
    named(
        "arpa_new",
        "money",
        Words::fixed("what a new customer pays a month", "新客户每月付费", "ce qu’un nouveau client paie par mois"),
        0.0,
        1e12,
        |drivers| std::slice::from_mut(&mut drivers.arpa_new),
    ),
    named(
        "churn_0",
        "share",
        Words::fixed(
            "customers who leave in a month, in their first 3 months",
            "前 3 个月内每月流失的客户",
            "clients qui partent en un mois, dans leurs 3 premiers mois",
        ),
        0.0,
        1.0,
        |drivers| &mut drivers.churn[0..1],
    ),
    named(
        "churn_3",
        "share",
        Words::fixed("the same in months 3 to 5", "第 3 至 5 个月内每月流失的客户", "de même du 3e au 5e mois"),
        0.0,
        1.0,
        |drivers| &mut drivers.churn[1..2],
    ),
    named(
        "churn_6",
        "share",
        Words::fixed("the same in months 6 to 11", "第 6 至 11 个月内每月流失的客户", "de même du 6e au 11e mois"),
        0.0,
        1.0,
        |drivers| &mut drivers.churn[2..3],
    ),
    named(
        "churn_12",
        "share",
        Words::fixed("the same in the second year", "第二年内每月流失的客户", "de même la deuxième année"),
        0.0,
        1.0,
        |drivers| &mut drivers.churn[3..4],
    ),
    named(
        "churn_24",
        "share",
        Words::fixed("the same after two years", "两年后每月流失的客户", "de même après deux ans"),
        0.0,
        1.0,
        |drivers| &mut drivers.churn[4..5],
    ),
    named(
        "expansion",
        "share",
        Words::fixed(
            "what those who stay add in a month, of MRR",
            "留存客户每月增加的部分，占 MRR",
            "ce que ceux qui restent ajoutent en un mois, du MRR",
        ),
        0.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.expansion),
    ),
    named(
        "contraction",
        "share",
        Words::fixed(
            "what those who stay give up in a month, of MRR",
            "留存客户每月减少的部分，占 MRR",
            "ce que ceux qui restent retirent en un mois, du MRR",
        ),
        0.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.contraction),
    ),
    named(
        "trial_conversion",
        "share",
        Words::fixed("trials that turn into customers", "转为客户的试用", "essais qui deviennent clients"),
        0.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.trial_conversion),
    ),
    named(
        "renewal",
        "share",
        Words::fixed("contracts that are renewed when they end", "到期续约的合同", "contrats renouvelés à leur terme"),
        0.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.renewal),
    ),
    named(
        "recognised_of_mrr",
        "share",
        Words::fixed(
            "revenue recognised in a month, of its mean MRR",
            "当月确认收入，占平均 MRR",
            "revenu reconnu en un mois, de son MRR moyen",
        ),
        0.0,
        1e3,
        |drivers| std::slice::from_mut(&mut drivers.recognised_of_mrr),
    ),
    named(
        "received_of_mrr",
        "share",
        Words::fixed(
            "cash received in a month, of its mean MRR",
            "当月收款，占平均 MRR",
            "encaissements d’un mois, de son MRR moyen",
        ),
        0.0,
        1e3,
        |drivers| std::slice::from_mut(&mut drivers.received_of_mrr),
    ),
    named(
        "costs",
        "money",
        Words::fixed("costs of the first month ahead", "下个月的支出", "coûts du premier mois à venir"),
        0.0,
        1e12,
        |drivers| std::slice::from_mut(&mut drivers.costs),
    ),
    named(
        "costs_growth",
        "share",
        Words::fixed(
            "by what share costs grow each later month",
            "此后每月支出增长的比例",
            "de quelle part les coûts croissent chaque mois suivant",
        ),
        -1.0,
        1.0,
        |drivers| std::slice::from_mut(&mut drivers.costs_growth),
    ),
];

/// Churn of every age at once.
static CHURN: Named = named(
    "churn",
    "share",
    Words::fixed(
        "customers who leave in a month, at any age",
        "每月流失的客户，不论时长",
        "clients qui partent en un mois, à tout âge",
    ),
    0.0,
    1.0,
    |drivers| &mut drivers.churn,
);

const fn named(
    name: &'static str,
    unit: &'static str,
    means: Words,
    least: f64,
    most: f64,
    fields: fn(&mut Drivers) -> &mut [f64],
) -> Named {
    Named { name, unit, means, least, most, fields }
}

/// Why a driver cannot be set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DriverError {
    /// There is none of that name.
    #[error("there is no driver `{name}`; the drivers are churn, {known}")]
    Unknown {
        /// What was written.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Its value cannot be.
    #[error("the driver `{name}` cannot be {value}: it lies between {least} and {most} (a share of 3 % is 0.03)")]
    OutOfRange {
        /// Which.
        name: &'static str,
        /// What was written.
        value: f64,
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
}

impl Named {
    /// The value of the driver.
    #[must_use]
    pub fn value(&self, drivers: &Drivers) -> f64 {
        (self.fields)(&mut drivers.clone()).first().copied().unwrap_or_default()
    }
}

impl Drivers {
    /// Sets a driver by its name.
    ///
    /// # Errors
    /// When there is none of that name, or the value cannot be.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), DriverError> {
        let Some(named) = DRIVERS.iter().chain([&CHURN]).find(|named| named.name == name) else {
            let known = DRIVERS.iter().map(|named| named.name).collect::<Vec<_>>().join(", ");
            return Err(DriverError::Unknown { name: name.to_owned(), known });
        };
        if !(named.least..=named.most).contains(&value) {
            let Named { name, least, most, .. } = *named;
            return Err(DriverError::OutOfRange { name, value, least, most });
        }
        (named.fields)(self).fill(value);
        Ok(())
    }
}

impl Ground {
    /// What was known after so many months.
    fn at(&self, origin: usize) -> impl Iterator<Item = (usize, &[f64], &[f64])> {
        self.cohorts.iter().take(origin).enumerate().map(move |(month, cohort)| {
            let known = origin - month;
            (month, &cohort.customers[..known.min(cohort.customers.len())], &cohort.mrr[..known.min(cohort.mrr.len())])
        })
    }

    /// The drivers of revenue as they were after so many months; those of cash are left at zero.
    #[must_use]
    pub fn drivers(&self, origin: usize) -> Drivers {
        let arrivals: Vec<f64> =
            self.at(origin).map(|(_, customers, _)| customers.first().copied().unwrap_or_default()).collect();
        let arrived_mrr: Vec<f64> =
            self.at(origin).map(|(_, _, mrr)| mrr.first().copied().unwrap_or_default()).collect();
        let (new_customers, new_customers_growth) = going_on(&arrivals);
        let latest = |values: &[f64]| values[values.len().saturating_sub(ARPA_MONTHS)..].iter().sum::<f64>();
        // The MRR at the beginning of each month is that at the end of the month before.
        let mut opening = vec![0.0; origin];
        for (month, _, mrr) in self.at(origin) {
            for (age, mrr) in mrr.iter().enumerate().take((origin - month).saturating_sub(1)) {
                opening[month + age + 1] += mrr;
            }
        }
        let of_opening = |moved: &[f64]| {
            let from = origin.saturating_sub(RATE_MONTHS);
            let sum = |values: &[f64]| values.get(from..origin).map_or(0.0, |values| values.iter().sum::<f64>());
            share(sum(moved), sum(&opening)).min(1.0)
        };
        Drivers {
            new_customers,
            new_customers_growth,
            arpa_new: share(latest(&arrived_mrr), latest(&arrivals)),
            churn: self.churn(origin),
            expansion: of_opening(&self.expansion),
            contraction: of_opening(&self.contraction),
            ..Drivers::default()
        }
    }

    /// The share of customers who left in a month, by age; who came back is counted as not gone.
    fn churn(&self, origin: usize) -> [f64; AGES.len()] {
        let (mut at_risk, mut left) = ([0.0; AGES.len()], [0.0; AGES.len()]);
        for (month, customers, _) in self.at(origin) {
            for (age, pair) in customers.windows(2).enumerate() {
                if month + age + 1 + CHURN_MONTHS >= origin {
                    at_risk[band(age)] += pair[0];
                    left[band(age)] += pair[0] - pair[1];
                }
            }
        }
        let of_all = share(left.iter().sum(), at_risk.iter().sum());
        std::array::from_fn(|band| {
            ((left[band] + CHURN_WEIGHT * of_all) / (at_risk[band] + CHURN_WEIGHT)).clamp(0.0, 1.0)
        })
    }

    /// Customers and MRR in the months after the first `origin`, under drivers and what is agreed for each.
    #[must_use]
    pub fn ahead(&self, origin: usize, drivers: &Drivers, agreed: &[Agreed], horizon: usize) -> Vec<(f64, f64)> {
        // Age, customers and MRR of each cohort.
        let mut cohorts: Vec<(usize, f64, f64)> = self
            .at(origin)
            .filter_map(|(_, customers, mrr)| Some((customers.len() - 1, *customers.last()?, *mrr.last()?)))
            .collect();
        let mut arriving = drivers.new_customers;
        let mut ahead = Vec::with_capacity(horizon);
        for month in 0..horizon {
            let agreed = agreed.get(month).copied().unwrap_or_default();
            let (customers, mrr) = totals(&cohorts);
            let (mut stay_customers, mut stay_mrr) = (0.0, 0.0);
            for (age, customers, mrr) in &mut cohorts {
                let stays = 1.0 - drivers.churn[band(*age)];
                *customers *= stays;
                *mrr *= stays;
                *age += 1;
                stay_customers += *customers;
                stay_mrr += *mrr;
            }
            // Who is known to leave is among those whom the rates let go, unless they are more.
            let fewer = |stay: f64, before: f64, lost: f64| share(stay.min((before - lost).max(0.0)), stay);
            let ending = 1.0 - drivers.renewal;
            let customers_left =
                fewer(stay_customers, customers, agreed.lost_customers + ending * agreed.due_customers);
            let mrr_left = fewer(stay_mrr, mrr, agreed.lost_mrr + ending * agreed.due_mrr);
            let grown =
                (mrr * drivers.expansion).max(agreed.expansion) - (mrr * drivers.contraction).max(agreed.contraction);
            let paying = stay_mrr * mrr_left;
            let grows = if paying > 0.0 { ((paying + grown) / paying).max(0.0) } else { 1.0 };
            for (_, customers, mrr) in &mut cohorts {
                *customers *= customers_left;
                *mrr *= mrr_left * grows;
            }
            let trials = drivers.trial_conversion;
            let come = arriving.max(agreed.new_customers + trials * agreed.trials);
            let bring = (arriving * drivers.arpa_new).max(agreed.new_mrr + trials * agreed.trial_mrr);
            cohorts.push((0, come, bring));
            arriving *= 1.0 + drivers.new_customers_growth;
            ahead.push(totals(&cohorts));
        }
        ahead
    }
}

fn totals(cohorts: &[(usize, f64, f64)]) -> (f64, f64) {
    cohorts.iter().fold((0.0, 0.0), |(customers, mrr), cohort| (customers + cohort.1, mrr + cohort.2))
}

/// The band of an age.
fn band(age: usize) -> usize {
    AGES.iter().rposition(|first| *first <= age).unwrap_or(0)
}

/// A quotient, 0 where there is nothing to divide by.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// How something that comes each month goes on: what is expected of the first month ahead, and the rate at which it grows
/// to what is expected of the last of a year.
pub(super) fn going_on(history: &[f64]) -> (f64, f64) {
    if history.len() < 2 {
        return (history.last().copied().unwrap_or_default(), 0.0);
    }
    let method = Method { period: if history.len() >= season::shortest(12) { 12 } else { 1 } };
    let year = method.ahead(history, LOOK_MONTHS);
    // Quarters of a year even the season out a little.
    let (first, last): (f64, f64) = (year[..3].iter().sum::<f64>() / 3.0, year[9..].iter().sum::<f64>() / 3.0);
    let growth = if first > 0.0 && last > 0.0 { (last / first).powf(1.0 / 9.0) - 1.0 } else { 0.0 };
    // Nothing doubles each month for long.
    let growth = growth.clamp(-0.5, 0.5);
    (first / (1.0 + growth), growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten customers at 100 come each month, and a tenth leaves every month.
    fn steady(months: usize) -> Ground {
        let cohort = |begun: usize| {
            let customers: Vec<f64> = (0..months - begun).map(|age| 10.0 * 0.9_f64.powi(age as i32)).collect();
            Cohort { mrr: customers.iter().map(|customers| customers * 100.0).collect(), customers }
        };
        Ground {
            cohorts: (0..months).map(cohort).collect(),
            expansion: vec![0.0; months],
            contraction: vec![0.0; months],
        }
    }

    #[test]
    fn steady_rates_are_found_and_go_on() {
        let ground = steady(30);
        let drivers = ground.drivers(30);
        assert!(
            (drivers.new_customers - 10.0).abs() < 1e-6 && drivers.new_customers_growth.abs() < 1e-9,
            "{drivers:?}"
        );
        assert!((drivers.arpa_new - 100.0).abs() < 1e-9, "{drivers:?}");
        assert!(drivers.churn.iter().all(|churn| (churn - 0.1).abs() < 1e-9), "{drivers:?}");
        let ahead = ground.ahead(30, &drivers, &[], 2);
        // 100 × (1 − 0.9^n) customers after n months.
        for (months, (customers, mrr)) in (31..).zip(ahead) {
            let wanted = 100.0 * (1.0 - 0.9_f64.powi(months));
            assert!((customers - wanted).abs() < 1e-6 && (mrr - 100.0 * wanted).abs() < 1e-4, "{customers} {wanted}");
        }
    }

    #[test]
    fn the_future_is_not_known_at_an_earlier_month() {
        let (short, long) = (steady(12), steady(30));
        assert_eq!(short.drivers(12), long.drivers(12));
        assert_eq!(short.ahead(12, &short.drivers(12), &[], 6), long.ahead(12, &long.drivers(12), &[], 6));
    }

    #[test]
    fn what_is_agreed_counts_where_it_is_more_than_expected() {
        let ground = steady(30);
        let drivers = ground.drivers(30);
        let plain = ground.ahead(30, &drivers, &[], 1)[0];
        let with = |agreed: Agreed| ground.ahead(30, &drivers, &[agreed], 1)[0];
        // Fewer than the ten who come anyway change nothing; fifteen do, by five.
        assert_eq!(with(Agreed { new_customers: 4.0, new_mrr: 400.0, ..Agreed::default() }), plain);
        let more = with(Agreed { new_customers: 15.0, new_mrr: 1_600.0, ..Agreed::default() });
        assert!((more.0 - plain.0 - 5.0).abs() < 1e-6 && (more.1 - plain.1 - 600.0).abs() < 1e-4, "{more:?} {plain:?}");
        // About 9.6 of 96 leave; that 20 of them are known to leave is more.
        let fewer = with(Agreed { lost_customers: 20.0, lost_mrr: 2_000.0, ..Agreed::default() });
        let standing = 100.0 * (1.0 - 0.9_f64.powi(30));
        assert!((fewer.0 - (standing - 20.0 + 10.0)).abs() < 1e-6, "{fewer:?}");
        // Of 40 whose contracts end, three in four are renewed: ten leave, which is hardly more than the 9.6.
        let renewing = Drivers { renewal: 0.75, ..drivers };
        let due = Agreed { due_customers: 40.0, due_mrr: 4_000.0, ..Agreed::default() };
        let renewed = ground.ahead(30, &renewing, &[due], 1)[0];
        assert!((renewed.0 - standing).abs() < 1e-6, "{renewed:?}");
        let grown = with(Agreed { expansion: 50.0, contraction: 20.0, ..Agreed::default() });
        assert!((grown.1 - plain.1 - 30.0).abs() < 1e-4, "{grown:?} {plain:?}");
        let trials = Drivers { trial_conversion: 0.5, ..drivers };
        let tried =
            ground.ahead(30, &trials, &[Agreed { trials: 40.0, trial_mrr: 4_000.0, ..Agreed::default() }], 1)[0];
        assert!((tried.0 - plain.0 - 10.0).abs() < 1e-6, "{tried:?} {plain:?}");
    }

    #[test]
    fn a_driver_is_set_by_its_name() {
        let mut drivers = Drivers::default();
        drivers.set("churn", 0.03).unwrap();
        drivers.set("churn_24", 0.01).unwrap();
        let wanted = [0.03, 0.03, 0.03, 0.03, 0.01];
        assert!(drivers.churn.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-12), "{drivers:?}");
        for named in DRIVERS {
            drivers.set(named.name, named.least).unwrap();
            assert!((named.value(&drivers) - named.least).abs() < 1e-12, "{}", named.name);
        }
        assert!(drivers.set("chrun", 0.1).unwrap_err().to_string().contains("new_customers"));
        assert!(drivers.set("churn", 3.0).unwrap_err().to_string().contains("a share of 3 % is 0.03"));
        assert!(drivers.set("arpa_new", f64::NAN).is_err());
    }
}
