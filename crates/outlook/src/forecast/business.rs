//! The forecast of a business: its MRR, customers, revenue and cash, by several models that are judged on its own past.

use super::{
    Rhythm, Step,
    driver::{Agreed, Drivers, Ground, share},
    expected,
    past::{Accuracy, Judged, judge, naive, seasonal_naive},
    scenario::Scenario,
};
use crate::runway::{HISTORY_MONTHS, Trend};

/// How many months have to be known before a model is asked, and which part of those that are known now: how a business
/// grew out of nothing says little of how sure its forecast is today.
pub const FIRST_MONTHS: usize = 6;
const FIRST_PART: usize = 2;
/// Months of a year.
const YEAR: usize = 12;
/// Revenue is set against the MRR of so many months.
const REVENUE_MONTHS: usize = 12;
/// Between which shares of the outcomes a runway is said: below the first it ends in one case of ten.
const RUNWAY_LEVEL: f64 = 0.8;

/// What is forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// MRR.
    Mrr,
    /// Paying customers.
    Customers,
    /// Revenue as it is earned.
    Recognised,
    /// Cash.
    Cash,
    /// Anything else: a series without drivers.
    Other,
}

/// A way of forecasting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// From the series alone ([`super::forecast`]).
    Statistical,
    /// From what drives it ([`super::driver`]).
    Drivers,
    /// Growth as it is, or another ([`super::scenario`]).
    Scenario(Scenario),
    /// The last value, to compare with.
    Naive,
    /// The values of the year before, to compare with.
    SeasonalNaive,
}

impl Model {
    /// Each with its name.
    pub const ALL: [(Model, &'static str); 7] = [
        (Model::Statistical, "statistical"),
        (Model::Drivers, "drivers"),
        (Model::Scenario(Scenario::Base), "base"),
        (Model::Scenario(Scenario::Optimistic), "optimistic"),
        (Model::Scenario(Scenario::Pessimistic), "pessimistic"),
        (Model::Naive, "naive"),
        (Model::SeasonalNaive, "seasonal_naive"),
    ];
    /// Those among which the best is chosen. The other scenarios are questions, not beliefs.
    const BELIEVED: [Model; 3] = [Model::Statistical, Model::Drivers, Model::Scenario(Scenario::Base)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Model::ALL.iter().find(|(model, _)| *model == self).map_or("", |(_, name)| name)
    }

    /// The model of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Model> {
        Model::ALL.iter().find(|(_, known)| *known == name).map(|(model, _)| *model)
    }
}

/// What is known of a business by full months, the oldest first. Every series ends with the last full month; some begin
/// later than others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Business {
    /// Customers by the month in which they came.
    pub ground: Ground,
    /// MRR at the end of each month.
    pub mrr: Vec<f64>,
    /// Cash received in each month.
    pub received: Vec<f64>,
    /// Costs of each month since the first that is known.
    pub costs: Vec<f64>,
    /// What is agreed for the months ahead.
    pub agreed: Vec<Agreed>,
    /// The share of trials that turn into customers, today.
    pub trial_conversion: f64,
    /// The share of contracts that are renewed when they end, today.
    pub renewal: f64,
}

/// A series of a business.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is.
    pub subject: Subject,
    /// Its values by full months.
    pub values: Vec<f64>,
}

/// A forecast by one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The months ahead; intervals are lacking where too little is known to judge the model by.
    pub steps: Vec<Step>,
    /// How the model did.
    pub judged: Judged,
}

/// What becomes of cash under one model.
#[derive(Debug, Clone, PartialEq)]
pub struct CashOutlook {
    /// Costs less what is received, in the first month ahead; nothing for models of the balance alone.
    pub burn: Option<f64>,
    /// The first month ahead, counted from 1, in which what is received covers costs.
    pub break_even: Option<usize>,
    /// The months at whose end cash is gone in one case of ten, of two, and in nine of ten; nothing beyond the horizon.
    pub ends: [Option<usize>; 3],
    /// The least cash at the end of any month ahead, or now.
    pub least_cash: f64,
}

impl Business {
    /// The drivers after so many months of all that are known.
    #[must_use]
    pub fn drivers(&self, origin: usize) -> Drivers {
        let mut drivers = self.ground.drivers(origin);
        if origin == self.months() {
            drivers.trial_conversion = self.trial_conversion;
            drivers.renewal = self.renewal;
        }
        drivers.received_of_mrr = self.of_mrr(&self.received, self.months() - origin);
        if let Some(costs) = self.trend(&self.costs, origin) {
            drivers.costs = costs.after(1);
            drivers.costs_growth = costs.factor - 1.0;
        }
        drivers
    }

    /// How many months are known.
    #[must_use]
    pub fn months(&self) -> usize {
        self.mrr.len()
    }

    /// What part of the mean MRR of its months a flow was in the last year but for the latest months.
    fn of_mrr(&self, flow: &[f64], but_for: usize) -> f64 {
        let known = flow.len().min(self.mrr.len()).saturating_sub(but_for);
        let last = |values: &[f64], skip: usize, count: usize| -> f64 {
            let end = values.len().saturating_sub(skip);
            values[end.saturating_sub(count)..end].iter().sum()
        };
        let months = known.min(REVENUE_MONTHS);
        // MRR at the ends of months: the mean over a month lies between that of its beginning and of its end.
        let mrr = 0.5 * (last(&self.mrr, but_for, months) + last(&self.mrr, but_for + 1, months));
        share(last(flow, but_for, months), mrr)
    }

    /// The trend of the last months of a flow, after so many months of all that are known.
    fn trend(&self, flow: &[f64], origin: usize) -> Option<Trend> {
        let end = flow.len().checked_sub(self.months().checked_sub(origin)?)?;
        let months = flow.get(end.checked_sub(HISTORY_MONTHS)?..end)?;
        Some(Trend::of(<&[f64; HISTORY_MONTHS]>::try_from(months).ok()?))
    }

    /// Customers and MRR in the months ahead, and MRR of the last month before them.
    fn driven(&self, origin: usize, horizon: usize, drivers: &Drivers) -> Vec<(f64, f64)> {
        let agreed = if origin == self.months() { self.agreed.as_slice() } else { &[] };
        self.ground.ahead(origin, drivers, agreed, horizon)
    }

    /// What is received and what it costs in the months ahead; nothing for models that do not say, or where costs are not
    /// known.
    fn flows(&self, model: Model, origin: usize, horizon: usize, drivers: &Drivers) -> Option<Vec<(f64, f64)>> {
        let costs = self.trend(&self.costs, origin)?;
        // A business of which no payment is known did not receive nothing.
        self.received.iter().any(|received| *received > 0.0).then_some(())?;
        match model {
            Model::Scenario(scenario) => {
                let today = self.trend(&self.received, origin)?;
                let received = Trend { factor: 1.0 + scenario.growth(today.factor - 1.0), ..today };
                Some((1..=horizon).map(|month| (received.after(month), costs.after(month))).collect())
            }
            Model::Drivers => {
                let mut before = *self.mrr.get(origin.checked_sub(1)?)?;
                let driven = self.driven(origin, horizon, drivers).into_iter().enumerate();
                let flow = driven.map(|(month, (_, mrr))| {
                    let received = drivers.received_of_mrr * 0.5 * (before + mrr);
                    before = mrr;
                    let grown = (1.0 + drivers.costs_growth).powi(i32::try_from(month).unwrap_or(i32::MAX));
                    (received, drivers.costs * grown)
                });
                Some(flow.collect())
            }
            _ => None,
        }
    }

    /// What a model expects of the months after the first `origin` ones.
    fn ahead(
        &self,
        series: &Series,
        model: Model,
        origin: usize,
        horizon: usize,
        drivers: &Drivers,
    ) -> Option<Vec<f64>> {
        let begins = self.months().saturating_sub(series.values.len());
        let history = series.values.get(..origin.checked_sub(begins)?).filter(|history| !history.is_empty())?;
        match (model, series.subject) {
            (Model::Naive, _) => naive(history, horizon),
            (Model::SeasonalNaive, _) => seasonal_naive(history, YEAR, horizon),
            (Model::Statistical, _) => expected(history, horizon, Rhythm::Every(YEAR)).ok(),
            (Model::Scenario(_) | Model::Drivers, Subject::Cash) => {
                let mut cash = *history.last()?;
                let balance = |(received, costs): (f64, f64)| {
                    cash += received - costs;
                    cash
                };
                Some(self.flows(model, origin, horizon, drivers)?.into_iter().map(balance).collect())
            }
            (Model::Scenario(scenario), _) => scenario.ahead(history, horizon),
            (Model::Drivers, Subject::Other) => None,
            (Model::Drivers, Subject::Customers) => {
                Some(self.driven(origin, horizon, drivers).into_iter().map(|(customers, _)| customers).collect())
            }
            (Model::Drivers, Subject::Mrr) => {
                Some(self.driven(origin, horizon, drivers).into_iter().map(|(_, mrr)| mrr).collect())
            }
            (Model::Drivers, Subject::Recognised) => {
                let mut before = *self.mrr.get(origin.checked_sub(1)?)?;
                let driven = self.driven(origin, horizon, drivers).into_iter();
                let revenue = driven.map(|(_, mrr)| {
                    let revenue = drivers.recognised_of_mrr * 0.5 * (before + mrr);
                    before = mrr;
                    revenue
                });
                Some(revenue.collect())
            }
        }
    }

    /// The drivers of a series after so many months.
    fn drivers_of(&self, series: &Series, origin: usize) -> Drivers {
        let mut drivers = self.drivers(origin);
        if series.subject == Subject::Recognised {
            drivers.recognised_of_mrr = self.of_mrr(&series.values, self.months() - origin);
        }
        drivers
    }

    /// The forecast of a series by a model, under the drivers of today, with what the model would have said before. Nothing
    /// where the model has nothing to say.
    #[must_use]
    pub fn forecast(
        &self,
        series: &Series,
        model: Model,
        drivers: &Drivers,
        horizon: usize,
        levels: &[f64],
    ) -> Option<Outlook> {
        let judged = self.judge(series, model, horizon, levels);
        let means = self.ahead(series, model, self.months(), horizon, drivers)?;
        let lowest = if series.values.iter().all(|value| *value >= 0.0) && series.subject != Subject::Cash {
            0.0
        } else {
            f64::NEG_INFINITY
        };
        let step = |(ahead, mean): (usize, f64)| Step {
            mean,
            intervals: judged.spread.as_ref().map_or_else(Vec::new, |spread| {
                let interval = |level: &f64| spread.interval(mean, ahead + 1, *level);
                levels.iter().map(interval).map(|(lower, upper)| (lower.max(lowest), upper)).collect()
            }),
        };
        let steps = means.into_iter().enumerate().map(step).collect();
        Some(Outlook { steps, judged })
    }

    /// Whether a model has something to say of a series today.
    #[must_use]
    pub fn speaks(&self, series: &Series, model: Model, drivers: &Drivers) -> bool {
        self.ahead(series, model, self.months(), 1, drivers).is_some()
    }

    /// How a model would have done on a series. What was agreed at the time is not known any more, so drivers do without.
    #[must_use]
    pub fn judge(&self, series: &Series, model: Model, horizon: usize, levels: &[f64]) -> Judged {
        let begins = self.months().saturating_sub(series.values.len());
        let first = FIRST_MONTHS.max(series.values.len() / FIRST_PART);
        judge(&series.values, first, horizon, levels, |origin, horizon| {
            let origin = origin + begins;
            let drivers = match model {
                Model::Drivers => self.drivers_of(series, origin),
                _ => Drivers::default(),
            };
            self.ahead(series, model, origin, horizon, &drivers)
        })
    }

    /// Today's drivers, those of a series of recognised revenue included.
    #[must_use]
    pub fn drivers_today(&self, recognised: Option<&Series>) -> Drivers {
        match recognised {
            Some(series) => self.drivers_of(series, self.months()),
            None => self.drivers(self.months()),
        }
    }

    /// What becomes of cash under a model; nothing where the model has nothing to say.
    #[must_use]
    pub fn cash(&self, series: &Series, model: Model, drivers: &Drivers, horizon: usize) -> Option<CashOutlook> {
        let outlook = self.forecast(series, model, drivers, horizon, &[RUNWAY_LEVEL])?;
        let flows = self.flows(model, self.months(), horizon, drivers);
        let gone = |cash: &dyn Fn(&Step) -> f64| {
            outlook.steps.iter().position(|step| cash(step) <= 0.0).map(|index| index + 1)
        };
        let end = |step: &Step| step.intervals.first().copied().unwrap_or((step.mean, step.mean));
        let now = series.values.last().copied().unwrap_or_default();
        Some(CashOutlook {
            burn: flows.as_ref().and_then(|flows| flows.first()).map(|(received, costs)| costs - received),
            break_even: flows
                .as_ref()
                .and_then(|flows| flows.iter().position(|(received, costs)| received >= costs))
                .map(|index| index + 1),
            ends: [gone(&|step| end(step).0), gone(&|step| step.mean), gone(&|step| end(step).1)],
            least_cash: outlook.steps.iter().map(|step| step.mean).fold(now, f64::min),
        })
    }
}

/// Of models with their accuracy, the one that did best: with the least mean absolute error. One that could not be asked as
/// often as another was not asked the same, and is left out. Nothing where none was judged.
#[must_use]
pub fn best<'a>(judged: impl IntoIterator<Item = (Model, &'a Accuracy)>) -> Option<Model> {
    let believed: Vec<_> = judged.into_iter().filter(|(model, _)| Model::BELIEVED.contains(model)).collect();
    let origins = believed.iter().map(|(_, accuracy)| accuracy.origins).max()?;
    let scored = believed.into_iter().filter(|(_, accuracy)| accuracy.origins == origins);
    // Where nothing ever changed every error is zero, and the first will do.
    let scored = scored.map(|(model, accuracy)| (accuracy.mase.unwrap_or(accuracy.smape), model));
    scored.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))).map(|(_, model)| model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::driver::Cohort;

    /// A business that won ten customers at 100 each month and lost none.
    fn business(months: usize) -> Business {
        let cohort =
            |begun: usize| Cohort { customers: vec![10.0; months - begun], mrr: vec![1_000.0; months - begun] };
        Business {
            ground: Ground {
                cohorts: (0..months).map(cohort).collect(),
                expansion: vec![0.0; months],
                contraction: vec![0.0; months],
            },
            mrr: (1..=months).map(|month| 1_000.0 * month as f64).collect(),
            received: vec![500.0; months],
            costs: vec![800.0; months],
            ..Business::default()
        }
    }

    fn series(subject: Subject, values: impl IntoIterator<Item = f64>) -> Series {
        Series { subject, values: values.into_iter().collect() }
    }

    #[test]
    fn drivers_know_best_what_they_made() {
        let business = business(24);
        let mrr = series(Subject::Mrr, business.mrr.clone());
        let drivers = business.drivers_today(None);
        let models = [Model::Statistical, Model::Drivers, Model::Scenario(Scenario::Base), Model::Naive];
        let judged = models.map(|model| (model, business.judge(&mrr, model, 6, &[0.95]).accuracy.unwrap()));
        assert_eq!(best(judged.iter().map(|(model, accuracy)| (*model, accuracy))), Some(Model::Drivers));
        let outlook = business.forecast(&mrr, Model::Drivers, &drivers, 3, &[0.95]).unwrap();
        for (step, wanted) in outlook.steps.iter().zip([25_000.0, 26_000.0, 27_000.0]) {
            assert!((step.mean - wanted).abs() < 1e-3, "{step:?}");
        }
    }

    #[test]
    fn a_driver_that_is_changed_changes_what_comes() {
        let business = business(24);
        let customers = series(Subject::Customers, (1..=24).map(|month| 10.0 * f64::from(month)));
        let mut drivers = business.drivers_today(None);
        drivers.set("churn", 0.5).unwrap();
        let outlook = business.forecast(&customers, Model::Drivers, &drivers, 2, &[]).unwrap();
        // 240 / 2 + 10 = 130, 130 / 2 + 10 = 75.
        assert!((outlook.steps[0].mean - 130.0).abs() < 1e-6 && (outlook.steps[1].mean - 75.0).abs() < 1e-6);
    }

    #[test]
    fn cash_that_falls_evenly_ends_on_time() {
        let business = business(24);
        // 300 a month less, 1500 now: gone at the end of the fifth month.
        let cash = series(Subject::Cash, (0..12).map(|month| 4_800.0 - 300.0 * f64::from(month)));
        let base = Model::Scenario(Scenario::Base);
        let found = business.cash(&cash, base, &business.drivers_today(None), 60).unwrap();
        assert_eq!((found.ends, found.break_even), ([Some(5); 3], None));
        assert!((found.burn.unwrap() - 300.0).abs() < 1e-9 && (found.least_cash - (1_500.0 - 18_000.0)).abs() < 1e-6);
    }

    #[test]
    fn a_model_that_could_not_always_be_asked_is_not_the_best() {
        let did = |origins: usize, mase: f64| Accuracy { origins, smape: 1.0, mase: Some(mase), held: vec![] };
        let (often, seldom) = (did(10, 0.9), did(4, 0.1));
        let judged = [(Model::Statistical, &often), (Model::Scenario(Scenario::Base), &seldom)];
        assert_eq!(best(judged), Some(Model::Statistical));
        assert_eq!(best([(Model::Naive, &often)]), None);
        // What fell below zero has no rate of growth.
        let (business, fell) = (business(24), series(Subject::Other, [3.0, 1.0, -1.0]));
        assert!(!business.speaks(&fell, Model::Scenario(Scenario::Base), &Drivers::default()));
        assert!(business.speaks(&fell, Model::Statistical, &Drivers::default()));
    }

    #[test]
    fn what_a_model_does_not_know_it_does_not_say() {
        let mut business = business(24);
        let other = series(Subject::Other, (1..=24).map(f64::from));
        let drivers = business.drivers_today(None);
        assert_eq!(business.forecast(&other, Model::Drivers, &drivers, 3, &[]), None);
        assert_eq!(business.forecast(&series(Subject::Mrr, []), Model::Naive, &drivers, 3, &[]), None);
        business.costs.clear();
        let cash = series(Subject::Cash, [5.0, 4.0, 3.0]);
        assert_eq!(business.cash(&cash, Model::Drivers, &drivers, 60), None);
        assert!(business.cash(&cash, Model::Statistical, &drivers, 60).is_some());
    }
}
