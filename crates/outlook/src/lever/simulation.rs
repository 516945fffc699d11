//! The coming months of the contracts that there are and of those to come, as expected values.
//!
//! Everything that happens to a contract happens when it is billed: then the customer leaves or stays, pays the new price,
//! grows, goes over to paying by the year, and is billed for the whole interval in advance. What is agreed already (an end, a
//! change of price) comes in its month. New contracts are billed in the month in which they begin.

use std::collections::BTreeMap;

/// A contract that is paid now.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// What it is worth a month.
    pub mrr: f64,
    /// Months that one bill is for, at least 1.
    pub interval_months: u32,
    /// The month of the next bill; 1 is the first one to come.
    pub next_bill: u32,
    /// Months since the customer first paid.
    pub age_months: u32,
    /// What is agreed for later: from which month on it is worth how much a month (0: it ends), in order.
    pub known: Vec<(u32, f64)>,
}

/// Ages from which on it is taken to make no difference how old a customer is.
pub const AGES: u32 = 36;

/// How exactly proportions are told apart.
const BILLIONTHS: f64 = 1e9;

/// The contracts of a business, with those that are alike put together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Business {
    contracts: Vec<Contract>,
    /// What trials that are running now are expected to be worth a month when they end: the least that comes in the first
    /// month.
    pub trials_mrr: f64,
}

impl Business {
    /// The business of some contracts.
    #[must_use]
    pub fn new(contracts: Vec<Contract>, trials_mrr: f64) -> Business {
        // What is agreed is told by its proportion to what is paid now, so that all who end in one month are alike.
        type Alike = (u32, u32, u32, Vec<(u32, i64)>);
        let mut alike: BTreeMap<Alike, f64> = BTreeMap::new();
        let mut kept = Vec::new();
        for mut contract in contracts {
            contract.interval_months = contract.interval_months.max(1);
            contract.next_bill = contract.next_bill.max(1);
            contract.age_months = contract.age_months.min(AGES);
            if contract.mrr <= 0.0 {
                kept.push(contract);
                continue;
            }
            let proportion = |(month, mrr): &(u32, f64)| (*month, (mrr / contract.mrr * BILLIONTHS).round() as i64);
            let known = contract.known.iter().map(proportion).collect();
            *alike.entry((contract.interval_months, contract.next_bill, contract.age_months, known)).or_default() +=
                contract.mrr;
        }
        kept.extend(alike.into_iter().map(|((interval_months, next_bill, age_months, known), mrr)| Contract {
            mrr,
            interval_months,
            next_bill,
            age_months,
            known: known.into_iter().map(|(month, part)| (month, mrr * part as f64 / BILLIONTHS)).collect(),
        }));
        Business { contracts: kept, trials_mrr }
    }
}

/// How the business goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Drivers {
    /// The share of customers billed by less than a year that leave in a month, by months since they first paid; the last one
    /// holds for all later months. Nobody leaves where there is none.
    pub monthly_churn: Vec<f64>,
    /// The share of those who pay by the year that leave at a renewal.
    pub yearly_churn: f64,
    /// By how much MRR of who stays grows in a month, as a fraction.
    pub growth: f64,
    /// MRR of new customers in a month.
    pub new_mrr: f64,
    /// The share of it that is paid by the year.
    pub new_yearly: f64,
}

/// What is changed by a lever. The default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changes {
    /// What churn is multiplied by.
    pub churn_factor: f64,
    /// By how much the price of a contract rises at its next bill, as a fraction.
    pub price_rise: f64,
    /// The share of contracts that it rises for.
    pub raised: f64,
    /// The share of those that leave over it.
    pub leave_when_raised: f64,
    /// What MRR of new customers is multiplied by.
    pub new_factor: f64,
    /// By how much MRR of who stays grows in a month besides, as a fraction.
    pub growth_extra: f64,
    /// The share of contracts billed by less than a year that go over to a year, at their next bill or from the beginning.
    pub to_yearly: f64,
    /// What they get off for it, as a fraction.
    pub yearly_discount: f64,
}

impl Default for Changes {
    fn default() -> Self {
        Changes {
            churn_factor: 1.0,
            price_rise: 0.0,
            raised: 0.0,
            leave_when_raised: 0.0,
            new_factor: 1.0,
            growth_extra: 0.0,
            to_yearly: 0.0,
            yearly_discount: 0.0,
        }
    }
}

/// A month as expected.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Month {
    /// MRR at its end.
    pub mrr: f64,
    /// What customers are billed in it.
    pub cash: f64,
}

/// Contracts with the same rhythm, on their way.
struct Cell {
    mrr: f64,
    interval: u32,
    next_bill: u32,
    /// Months since the first payment, at the end of month 0.
    age: i64,
    /// Whether it is there from before: prices rise and rhythms change at its next bill.
    is_old: bool,
    /// Whether something is agreed for later: who has said when to go will not pay for a year ahead.
    is_agreed: bool,
}

const YEAR: u32 = 12;

/// The coming months.
#[must_use]
pub fn simulate(business: &Business, drivers: &Drivers, changes: &Changes, months: u32) -> Vec<Month> {
    let mut cells: Vec<Cell> = business
        .contracts
        .iter()
        .map(|contract| Cell {
            mrr: contract.mrr,
            interval: contract.interval_months,
            next_bill: contract.next_bill,
            age: contract.age_months.into(),
            is_old: true,
            is_agreed: !contract.known.is_empty(),
        })
        .collect();
    let mut path = Vec::with_capacity(months as usize);
    for month in 1..=months {
        let mut cash = 0.0;
        let mut over = Vec::new();
        for (cell, contract) in cells.iter_mut().zip(&business.contracts) {
            agreed(cell, contract, month);
        }
        for cell in &mut cells {
            if cell.next_bill == month {
                over.extend(billed(cell, drivers, changes, month));
                cash += cell.mrr * f64::from(cell.interval);
            }
        }
        over.extend(new(business, drivers, changes, month));
        cash += over.iter().map(|cell| cell.mrr * f64::from(cell.interval)).sum::<f64>();
        cells.extend(over);
        path.push(Month { mrr: cells.iter().map(|cell| cell.mrr).sum(), cash });
    }
    path
}

/// What is agreed for a month comes: in proportion, as prices may have risen or customers left by then.
fn agreed(cell: &mut Cell, contract: &Contract, month: u32) {
    let mut before = contract.mrr;
    for (from, mrr) in &contract.known {
        if *from == month {
            cell.mrr = if before > 0.0 { cell.mrr * mrr / before } else { *mrr };
        }
        before = *mrr;
    }
}

/// A contract is billed: returns the part of it that goes over to paying by the year.
fn billed(cell: &mut Cell, drivers: &Drivers, changes: &Changes, month: u32) -> Option<Cell> {
    cell.next_bill = month + cell.interval;
    let stay = if cell.interval >= YEAR {
        1.0 - (drivers.yearly_churn * changes.churn_factor).clamp(0.0, 1.0)
    } else {
        let age = cell.age + i64::from(month);
        // Whoever left in one of the months that were paid for is missed now.
        (1..=i64::from(cell.interval)).map(|back| 1.0 - churn_at(drivers, age - back) * changes.churn_factor).product()
    };
    cell.mrr *= stay;
    let months = i32::try_from(cell.interval).unwrap_or(i32::MAX);
    cell.mrr *= (1.0 + drivers.growth + changes.growth_extra).max(0.0).powi(months);
    if !cell.is_old {
        return None;
    }
    cell.is_old = false;
    let kept = (1.0 - changes.leave_when_raised) * (1.0 + changes.price_rise);
    cell.mrr *= changes.raised * kept + 1.0 - changes.raised;
    if cell.interval >= YEAR || cell.is_agreed || changes.to_yearly <= 0.0 {
        return None;
    }
    let goes = cell.mrr * changes.to_yearly;
    cell.mrr -= goes;
    Some(yearly(goes * (1.0 - changes.yearly_discount), month, cell.age))
}

fn churn_at(drivers: &Drivers, age: i64) -> f64 {
    let place = usize::try_from(age.max(0)).unwrap_or(usize::MAX).min(drivers.monthly_churn.len().saturating_sub(1));
    drivers.monthly_churn.get(place).copied().unwrap_or_default()
}

fn yearly(mrr: f64, month: u32, age: i64) -> Cell {
    Cell { mrr, interval: YEAR, next_bill: month + YEAR, age, is_old: false, is_agreed: false }
}

/// The contracts that begin in a month.
fn new(business: &Business, drivers: &Drivers, changes: &Changes, month: u32) -> impl Iterator<Item = Cell> {
    let usual = if month == 1 { drivers.new_mrr.max(business.trials_mrr) } else { drivers.new_mrr };
    let mrr = usual * changes.new_factor;
    let by_month = mrr * (1.0 - drivers.new_yearly);
    let goes = by_month * changes.to_yearly;
    let age = -i64::from(month);
    let monthly =
        Cell { mrr: by_month - goes, interval: 1, next_bill: month + 1, age, is_old: false, is_agreed: false };
    let by_year = mrr * drivers.new_yearly + goes * (1.0 - changes.yearly_discount);
    [monthly, yearly(by_year, month, age)].into_iter().filter(|cell| cell.mrr > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still() -> Drivers {
        Drivers { monthly_churn: Vec::new(), yearly_churn: 0.0, growth: 0.0, new_mrr: 0.0, new_yearly: 0.0 }
    }

    fn contract(mrr: f64, interval_months: u32, next_bill: u32) -> Contract {
        Contract { mrr, interval_months, next_bill, age_months: 10, known: Vec::new() }
    }

    fn path(contracts: Vec<Contract>, drivers: &Drivers, changes: &Changes) -> (Vec<f64>, Vec<f64>) {
        let found = simulate(&Business::new(contracts, 0.0), drivers, changes, 4);
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        (found.iter().map(|m| rounded(m.mrr)).collect(), found.iter().map(|m| rounded(m.cash)).collect())
    }

    #[test]
    fn where_nothing_happens_bills_are_paid() {
        // 100 a month, 10 by the quarter due next month but one, 20 by the year due in the third month.
        let contracts = vec![contract(100.0, 1, 1), contract(10.0, 3, 2), contract(20.0, 12, 3)];
        let (mrr, cash) = path(contracts, &still(), &Changes::default());
        assert_eq!((mrr, cash), (vec![130.0; 4], vec![100.0, 130.0, 340.0, 100.0]));
    }

    #[test]
    fn prices_rise_at_the_next_bill() {
        let rise = Changes { price_rise: 0.2, raised: 1.0, ..Changes::default() };
        let (mrr, cash) = path(vec![contract(100.0, 1, 1), contract(20.0, 12, 3)], &still(), &rise);
        assert_eq!(mrr, vec![140.0, 140.0, 144.0, 144.0]);
        assert_eq!(cash, vec![120.0, 120.0, 408.0, 120.0]);
        // A tenth leaves over it: 100 × 0.9 × 1.2.
        let (mrr, _) = path(vec![contract(100.0, 1, 1)], &still(), &Changes { leave_when_raised: 0.1, ..rise });
        assert_eq!(mrr, vec![108.0; 4]);
        // Only for half of them.
        let (mrr, _) = path(vec![contract(100.0, 1, 1)], &still(), &Changes { raised: 0.5, ..rise });
        assert_eq!(mrr, vec![110.0; 4]);
    }

    #[test]
    fn whoever_goes_over_to_a_year_pays_at_once_and_less() {
        // Half of 100 goes over at 20 % off: 50 a month, and 40 × 12 at once.
        let over = Changes { to_yearly: 0.5, yearly_discount: 0.2, ..Changes::default() };
        let (mrr, cash) = path(vec![contract(100.0, 1, 1)], &still(), &over);
        assert_eq!((mrr, cash), (vec![90.0; 4], vec![530.0, 50.0, 50.0, 50.0]));
    }

    #[test]
    fn churn_is_by_age_and_at_the_end_of_what_is_paid() {
        // A customer of ten months: 10 % in the eleventh, half in the twelfth and after.
        let mut by_age = vec![0.0; 10];
        by_age.extend([0.1, 0.5]);
        let drivers = Drivers { monthly_churn: by_age, yearly_churn: 0.25, ..still() };
        let (mrr, _) = path(vec![contract(100.0, 1, 1)], &drivers, &Changes::default());
        assert_eq!(mrr, vec![90.0, 45.0, 22.5, 11.25]);
        // By the quarter, due in the third month: 0.9 × 0.5 × 0.5 are left then.
        let (mrr, _) = path(vec![contract(100.0, 3, 3)], &drivers, &Changes::default());
        assert_eq!(mrr, vec![100.0, 100.0, 22.5, 22.5]);
        // By the year, due in the second month; churn halved leaves 87.5.
        let (mrr, _) =
            path(vec![contract(100.0, 12, 2)], &drivers, &Changes { churn_factor: 0.5, ..Changes::default() });
        assert_eq!(mrr, vec![100.0, 87.5, 87.5, 87.5]);
    }

    #[test]
    fn new_customers_come_each_month_and_age() {
        let drivers = Drivers { monthly_churn: vec![0.5, 0.0], new_mrr: 10.0, new_yearly: 0.2, ..still() };
        let (mrr, cash) = path(Vec::new(), &drivers, &Changes::default());
        // 8 by the month, of which half is left from the second month on, and 2 by the year: 10, 16, 22, 28.
        assert_eq!(mrr, vec![10.0, 16.0, 22.0, 28.0]);
        // 8 + 24, then 8 + 4 + 24, and 4 more each month.
        assert_eq!(cash, vec![32.0, 36.0, 40.0, 44.0]);
        let more = Changes { new_factor: 1.5, ..Changes::default() };
        assert_eq!(path(Vec::new(), &drivers, &more).0, vec![15.0, 24.0, 33.0, 42.0]);
        // Trials that run are the least that comes in the first month.
        let trials = Business::new(Vec::new(), 30.0);
        let first = simulate(&trials, &drivers, &Changes::default(), 1);
        assert!((first[0].mrr - 30.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_agreed_comes_in_its_month() {
        let mut ends = contract(100.0, 1, 1);
        ends.known = vec![(2, 150.0), (4, 0.0)];
        let (mrr, cash) = path(vec![ends.clone()], &still(), &Changes::default());
        assert_eq!((mrr, cash), (vec![100.0, 150.0, 150.0, 0.0], vec![100.0, 150.0, 150.0, 0.0]));
        let over = Changes { to_yearly: 0.5, yearly_discount: 0.2, ..Changes::default() };
        assert_eq!(path(vec![ends.clone()], &still(), &over).0, vec![100.0, 150.0, 150.0, 0.0]);
        let rise = Changes { price_rise: 0.1, raised: 1.0, ..Changes::default() };
        assert_eq!(path(vec![ends], &still(), &rise).0, vec![110.0, 165.0, 165.0, 0.0]);
    }

    #[test]
    fn contracts_that_are_alike_are_put_together() {
        let ends = |mrr: f64, last: f64| Contract { known: vec![(3, last)], ..contract(mrr, 1, 1) };
        let all = vec![ends(100.0, 0.0), ends(30.0, 0.0), ends(50.0, 25.0), contract(10.0, 1, 1), contract(20.0, 1, 1)];
        assert_eq!(Business::new(all.clone(), 0.0).contracts.len(), 3);
        assert_eq!(path(all, &still(), &Changes::default()).0, vec![210.0, 210.0, 55.0, 55.0]);
    }

    #[test]
    fn growth_comes_with_the_bill() {
        let (mrr, _) = path(
            vec![contract(100.0, 1, 1), contract(100.0, 3, 2)],
            &Drivers { growth: 0.1, ..still() },
            &Changes::default(),
        );
        // By the quarter it is three months' growth at once: 133.1.
        assert_eq!(mrr, vec![210.0, 254.1, 266.2, 279.51]);
        let extra = Changes { growth_extra: 0.1, ..Changes::default() };
        assert_eq!(path(vec![contract(100.0, 1, 1)], &still(), &extra).0, vec![110.0, 121.0, 133.1, 146.41]);
    }
}
