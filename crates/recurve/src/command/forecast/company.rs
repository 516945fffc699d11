//! The forecast of the business, from its own books.

use std::{io::Write, path::Path};

use outlook::{
    forecast::{
        Step,
        business::{CashOutlook, Model, Series, Subject, best},
        driver::{DRIVERS, Drivers},
        past::Accuracy,
        scenario::Scenario,
    },
    runway::HORIZON_MONTHS,
    wording::{Language, Words},
};
use revenue::{calendar::Day, money::Currency};
use warehouse::{
    catalogue::{ResolvedMetric, Unit},
    engine::{
        EngineError,
        forecast::{Known, SUBJECTS, known},
    },
    lake::Access,
};

use super::{Arguments, Asked, ends, significant};
use crate::{
    command::{CommandError, Outcome},
    listing::{self, Cell, Sheet},
    session::{Options, Session},
};

/// Lists forecasts, back-tests, drivers or what becomes of cash, and says on standard error what has none.
pub fn run(options: &Options, arguments: &Arguments, asked: &Asked) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let (outcome, lacking) = listing::write(options, |sheet| answer(&session, arguments, asked, sheet))?;
    let mut stderr = std::io::stderr().lock();
    for words in &lacking {
        writeln!(stderr, "{words}")?;
    }
    Ok(outcome)
}

/// The forecasts, and which metrics have none, with the reason.
pub fn answer(
    session: &Session,
    arguments: &Arguments,
    asked: &Asked,
    sheet: &mut dyn Sheet,
) -> Result<(Outcome, Vec<String>), CommandError> {
    let models = models(&arguments.model)?;
    let (books, catalogue, assumptions) = (session.books()?, session.catalogue()?, session.assumptions()?);
    let ids: Vec<String> = match arguments.metrics.as_slice() {
        [] => SUBJECTS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        named => named.to_vec(),
    };
    let known = known(&books, &catalogue, &ids, &assumptions).map_err(|error| match error {
        EngineError::Lookup(error) => CommandError::Lookup(error),
        other => CommandError::Engine(other),
    })?;
    let language = session.language()?;
    let company = Company { drivers: drivers(&known, arguments)?, known, currency: books.reporting, language };
    if arguments.drivers {
        return company.list_drivers(sheet).map(|outcome| (outcome, Vec::new()));
    }
    if arguments.cash {
        return company.list_cash(sheet, &models).map(|outcome| (outcome, Vec::new()));
    }
    match arguments.backtest {
        true => {
            let head = ["metric", "model", "origins", "smape", "mase"].map(str::to_owned).into_iter();
            let held = arguments.level.iter().map(|level| format!("held_{level}"));
            sheet.begin(head.chain(held).chain(["best", "note"].map(str::to_owned)))?;
        }
        false => {
            let head = ["metric", "model", "period", "mean"].map(str::to_owned).into_iter();
            let tail = ["unit", "note"].map(str::to_owned);
            sheet.begin(head.chain(ends(&arguments.level)).chain(tail))?;
        }
    }
    let mut refused: Vec<String> = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let (Some((metric, series)), Some(why)) = (company.known.series.get(place), company.known.lacking.get(place))
        else {
            continue;
        };
        let shown = Shown { id, metric, series };
        if series.values.is_empty() {
            let why = why.as_ref().map_or(company.say(&NO_FULL_MONTH, &[]), |why| why.say(language).to_owned());
            refused.push(company.say(&NO_FORECAST, &[("{metric}", id.clone()), ("{why}", why)]));
            continue;
        }
        let rows = match arguments.backtest {
            true => company.backtest(&shown, asked),
            false => company.forecast(&shown, &models, asked),
        };
        if rows.is_empty() {
            let months = series.values.len();
            let too_few = if months == 1 { &ONE_MONTH_IS_TOO_FEW } else { &TOO_FEW_MONTHS };
            let why = company.say(too_few, &[("{months}", months.to_string())]);
            refused.push(company.say(&NO_FORECAST, &[("{metric}", id.clone()), ("{why}", why)]));
        }
        for row in rows {
            sheet.row(&row)?;
        }
    }
    // What was asked for by name has to be there; of what is listed unasked, what the data hold.
    let all = refused.len() == ids.len();
    let is_done = refused.is_empty() || (arguments.metrics.is_empty() && !all);
    Ok((if is_done { Outcome::Done } else { Outcome::Refused }, refused))
}

/// The models that are named; none stands for the best.
fn models(named: &[String]) -> Result<Vec<Option<Model>>, CommandError> {
    let mut models = Vec::new();
    for name in named {
        match (name.as_str(), Model::parse(name)) {
            ("best", _) => models.push(None),
            ("all", _) => models.extend(Model::ALL.iter().map(|(model, _)| Some(*model))),
            (_, Some(model)) => models.push(Some(model)),
            (_, None) => {
                let known = Model::ALL.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
                return Err(CommandError::Usage(format!("`{name}` is no model; the models are best, all, {known}")));
            }
        }
    }
    Ok(models)
}

/// Today's drivers with what the user says instead: first the file, then the options.
fn drivers(known: &Known, arguments: &Arguments) -> Result<Drivers, CommandError> {
    let recognised = known.series.iter().map(|(_, series)| series).find(|series| series.subject == Subject::Recognised);
    let mut drivers = known.business.drivers_today(recognised);
    let mut set = |place: &str, name: &str, value: f64| {
        drivers.set(name, value).map_err(|error| CommandError::Usage(format!("{place}: {error}")))
    };
    if let Some(file) = &arguments.drivers_file {
        for (name, value) in stated(file)? {
            set(&file.display().to_string(), &name, value)?;
        }
    }
    for text in &arguments.set {
        let place = format!("--set {text}");
        let pair = text.split_once('=').and_then(|(name, value)| Some((name.trim(), value.trim().parse().ok()?)));
        let (name, value) = pair.ok_or_else(|| {
            CommandError::Usage(format!("{place} is no driver with a number; write --set churn=0.03"))
        })?;
        set(&place, name, value)?;
    }
    Ok(drivers)
}

/// The drivers that a file states.
fn stated(file: &Path) -> Result<Vec<(String, f64)>, CommandError> {
    let place = file.display();
    let wrong = |words: String| CommandError::Usage(format!("{place}: {words}"));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    let number = |(name, value): (String, toml::Value)| {
        let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        number
            .map(|number| (name.clone(), number))
            .ok_or_else(|| wrong(format!("`{name}` is no number; write {name} = 0.03")))
    };
    // `churn` is of all ages, so it comes before the ages whatever the order of the lines: the table is sorted by name.
    table.into_iter().map(number).collect()
}

/// The business with what drives it.
struct Company {
    known: Known,
    drivers: Drivers,
    currency: Currency,
    /// In which what is to be known of a forecast is said.
    language: Language,
}

/// A metric that is shown.
struct Shown<'a> {
    id: &'a str,
    metric: &'a ResolvedMetric,
    series: &'a Series,
}

/// A model with how it did.
type Past = (Model, Option<Accuracy>);

impl Company {
    /// How every model did.
    fn past(&self, series: &Series, asked: &Asked) -> Vec<Past> {
        let judge = |model| self.known.business.judge(series, model, asked.horizon, &asked.levels).accuracy;
        Model::ALL.iter().map(|(model, _)| (*model, judge(*model))).collect()
    }

    /// The model that did best, of those that have something to say today.
    fn best(&self, series: &Series, past: &[Past]) -> Option<Model> {
        let speaks = |model: &Model| self.known.business.speaks(series, *model, &self.drivers);
        let judged = past.iter().filter_map(|(model, accuracy)| Some((*model, accuracy.as_ref()?)));
        best(judged.filter(|(model, _)| speaks(model)))
    }

    fn forecast(&self, shown: &Shown<'_>, models: &[Option<Model>], asked: &Asked) -> Vec<Vec<Cell>> {
        let mut rows = Vec::new();
        for model in models {
            let (model, note) = match model {
                Some(model) => (*model, None),
                None => {
                    let past = self.past(shown.series, asked);
                    match self.best(shown.series, &past) {
                        Some(model) => (model, Some(self.chosen(model, &past))),
                        None => (Model::Statistical, Some(self.say(&NO_BEST, &[]))),
                    }
                }
            };
            let business = &self.known.business;
            let outlook = business.forecast(shown.series, model, &self.drivers, asked.horizon, &asked.levels);
            for (ahead, step) in outlook.iter().flat_map(|outlook| outlook.steps.iter().enumerate()) {
                let note = match (ahead, &note) {
                    (0, Some(note)) => note.clone(),
                    (0, None) if step.intervals.is_empty() => self.say(&NO_INTERVAL, &[]),
                    _ => String::new(),
                };
                rows.push(self.row(shown, model, ahead, step, asked, note));
            }
        }
        rows
    }

    fn row(
        &self,
        shown: &Shown<'_>,
        model: Model,
        ahead: usize,
        step: &Step,
        asked: &Asked,
        note: String,
    ) -> Vec<Cell> {
        let unit = shown.metric.variant.unit;
        let number = |value: f64| Cell::Number(self.number(unit, value));
        let mut row =
            vec![Cell::text(shown.id), Cell::text(model.name()), Cell::Day(self.month(ahead + 1)), number(step.mean)];
        match step.intervals.is_empty() {
            true => row.extend(std::iter::repeat_n(Cell::Empty, 2 * asked.levels.len())),
            false => row.extend(step.intervals.iter().flat_map(|(lower, upper)| [number(*lower), number(*upper)])),
        }
        row.extend([Cell::text(self.unit(unit)), Cell::text(note)]);
        row
    }

    /// The first day of the month so many months ahead, the next being 1.
    fn month(&self, ahead: usize) -> Day {
        self.known.next.plus_months(i32::try_from(ahead).unwrap_or(i32::MAX).saturating_sub(1))
    }

    fn unit(&self, unit: Unit) -> &str {
        if unit == Unit::Money { self.currency.code() } else { unit.name() }
    }

    /// An estimate: money to the decimals of its currency, counts to a tenth.
    fn number(&self, unit: Unit, value: f64) -> String {
        // Minus zero is zero, also when it comes of rounding.
        let fixed = |decimals: usize| {
            let text = format!("{value:.decimals$}");
            if text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')) {
                text.trim_start_matches('-').to_owned()
            } else {
                text
            }
        };
        match unit {
            Unit::Money => fixed(self.currency.decimals() as usize),
            Unit::Count => fixed(1),
            _ => significant(value),
        }
    }

    fn backtest(&self, shown: &Shown<'_>, asked: &Asked) -> Vec<Vec<Cell>> {
        let past = self.past(shown.series, asked);
        let best = self.best(shown.series, &past);
        let mut rows = Vec::new();
        for (model, accuracy) in &past {
            let Some(accuracy) = accuracy else { continue };
            let fixed = |value: f64, decimals: usize| Cell::Number(format!("{value:.decimals$}"));
            let maybe = |value: Option<f64>| value.map_or(Cell::Empty, |value| fixed(value, 4));
            let mut row = vec![Cell::text(shown.id), Cell::text(model.name())];
            row.push(Cell::Whole(i64::try_from(accuracy.origins).unwrap_or(i64::MAX)));
            row.extend([fixed(accuracy.smape, 2), maybe(accuracy.mase)]);
            row.extend(accuracy.held.iter().map(|held| maybe(*held)));
            row.push(Cell::text(if best == Some(*model) { "yes" } else { "" }));
            row.push(match model {
                Model::Drivers => Cell::text(self.say(&WITHOUT_AGREED, &[])),
                _ => Cell::Empty,
            });
            rows.push(row);
        }
        rows
    }

    fn list_drivers(&self, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
        sheet.begin(["driver", "value", "unit", "note"])?;
        for named in DRIVERS {
            let unit = if named.unit == "money" { self.currency.code() } else { named.unit };
            let value = Cell::Number(significant(named.value(&self.drivers)));
            sheet.row(&[
                Cell::text(named.name),
                value,
                Cell::text(unit),
                Cell::text(named.means.say(self.language)),
            ])?;
        }
        Ok(Outcome::Done)
    }

    fn list_cash(&self, sheet: &mut dyn Sheet, models: &[Option<Model>]) -> Result<Outcome, CommandError> {
        let cash = self.known.series.iter().find(|(_, series)| series.subject == Subject::Cash);
        let series = cash.map(|(_, series)| series).filter(|series| !series.values.is_empty()).ok_or_else(|| {
            CommandError::Usage(
                "no balance is known at the end of the last full month; import balances with `recurve import cash-balances \
                 FILE`"
                    .to_owned(),
            )
        })?;
        let scenarios = Scenario::ALL.map(|(scenario, _)| Model::Scenario(scenario));
        let all: Vec<Model> = scenarios.into_iter().chain([Model::Drivers, Model::Statistical]).collect();
        let named: Vec<Model> = models.iter().copied().flatten().collect();
        sheet.begin(["model", "figure", "value", "unit", "note"])?;
        let mut rows = 0;
        for model in if named.is_empty() { all } else { named } {
            let Some(outlook) = self.known.business.cash(series, model, &self.drivers, HORIZON_MONTHS) else {
                continue;
            };
            for row in self.cash_rows(model, &outlook) {
                sheet.row(&row)?;
                rows += 1;
            }
        }
        Ok(if rows > 0 { Outcome::Done } else { Outcome::Refused })
    }

    fn cash_rows(&self, model: Model, outlook: &CashOutlook) -> Vec<Vec<Cell>> {
        let money = |value: f64| Cell::Number(self.number(Unit::Money, value));
        let row = |figure: &str, value: Cell, unit: &str, means: &Words| {
            let means = Cell::text(self.say(means, &[]));
            vec![Cell::text(model.name()), Cell::text(figure), value, Cell::text(unit), means]
        };
        let month = |figure: &str, ahead: Option<usize>, means: &Words| match ahead {
            Some(ahead) => row(figure, Cell::Day(self.month(ahead)), "date", means),
            None => {
                let months = || HORIZON_MONTHS.to_string();
                let never = [("{means}", self.say(means, &[])), ("{months}", months())];
                let not_within = self.say(&NOT_WITHIN, &never);
                vec![
                    Cell::text(model.name()),
                    Cell::text(figure),
                    Cell::Empty,
                    Cell::text("date"),
                    Cell::text(not_within),
                ]
            }
        };
        let code = self.currency.code();
        let mut rows = Vec::new();
        if let Some(burn) = outlook.burn {
            rows.push(row("burn", money(burn), code, &BURN));
        }
        let [early, middle, late] = outlook.ends;
        rows.push(month("runway_p10", early, &RUNWAY_P10));
        rows.push(month("runway_p50", middle, &RUNWAY_P50));
        rows.push(month("runway_p90", late, &RUNWAY_P90));
        if outlook.burn.is_some() {
            rows.push(month("break_even", outlook.break_even, &BREAK_EVEN));
        }
        rows.push(row("least_cash", money(outlook.least_cash), code, &LEAST_CASH));
        let needed = (self.known.cash_reserve - outlook.least_cash).max(0.0);
        rows.push(row("funding_needed", money(needed), code, &FUNDING_NEEDED));
        rows
    }

    /// A text in the language of who asks, with its places filled in.
    fn say(&self, words: &Words, places: &[(&str, String)]) -> String {
        let fill = |words: Words, (place, text): &(&str, String)| words.with(place, || text.clone());
        places.iter().fold(words.clone(), fill).say(self.language).to_owned()
    }

    /// Why a model was chosen: how it did, and how the plainest ones did.
    fn chosen(&self, model: Model, past: &[Past]) -> String {
        let error = |wanted: Model| {
            let (_, accuracy) = past.iter().find(|(model, _)| *model == wanted)?;
            accuracy.as_ref()?.mase
        };
        let origins = past.iter().find(|(other, _)| *other == model).and_then(|(_, accuracy)| accuracy.as_ref());
        let origins = ("{origins}", origins.map_or(0, |accuracy| accuracy.origins).to_string());
        let Some(own) = error(model) else { return self.say(&BEST, &[origins]) };
        let mut words = self.say(&BEST_BY, &[origins, ("{error}", self.language.decimals(own, 2))]);
        for (plain, name) in [(Model::Naive, &NAIVE), (Model::SeasonalNaive, &SEASONAL_NAIVE)] {
            if let Some(error) = error(plain) {
                let beside = if error < own { &BESIDE_BETTER } else { &BESIDE };
                words.push_str(
                    &self.say(
                        beside,
                        &[("{model}", self.say(name, &[])), ("{error}", self.language.decimals(error, 2))],
                    ),
                );
            }
        }
        words
    }
}

const NO_FORECAST: Words = Words::fixed(
    "`{metric}`: no forecast: {why}",
    "`{metric}`：没有预测：{why}",
    "`{metric}` : pas de prévision : {why}",
);
const NO_FULL_MONTH: Words =
    Words::fixed("it has no full month yet", "还没有一个完整的月份", "il n’y a pas encore de mois complet");
const TOO_FEW_MONTHS: Words = Words::fixed(
    "{months} full months are too few for the models that were asked for",
    "{months} 个完整月份对所选模型来说太少",
    "{months} mois complets sont trop peu pour les modèles demandés",
);
const ONE_MONTH_IS_TOO_FEW: Words = Words::fixed(
    "1 full month is too few for the models that were asked for",
    "1 个完整月份对所选模型来说太少",
    "1 mois complet est trop peu pour les modèles demandés",
);
const NO_BEST: Words = Words::fixed(
    "too few months to say which model is best",
    "月份太少，无法判断哪个模型最好",
    "trop peu de mois pour dire quel modèle est le meilleur",
);
const NO_INTERVAL: Words =
    Words::fixed("too few months for an interval", "月份太少，没有区间", "trop peu de mois pour un intervalle");
const WITHOUT_AGREED: Words =
    Words::fixed("without what was agreed then", "不含当时已约定的变化", "sans ce qui était convenu alors");
const BEST: Words = Words::fixed(
    "did best at {origins} earlier months",
    "在过去 {origins} 个月的检验中最好",
    "le meilleur sur {origins} mois passés",
);
const BEST_BY: Words = Words::fixed(
    "did best at {origins} earlier months: error (MASE) {error}",
    "在过去 {origins} 个月的检验中最好：误差（MASE）{error}",
    "le meilleur sur {origins} mois passés : erreur (MASE) {error}",
);
const BESIDE: Words = Words::fixed("; {model} {error}", "；{model} {error}", " ; {model} {error}");
const BESIDE_BETTER: Words = Words::fixed(
    "; {model} {error}, which did better",
    "；{model} {error}，表现更好",
    " ; {model} {error}, qui a fait mieux",
);
const NAIVE: Words = Words::fixed("as last month", "与上月相同", "comme le mois dernier");
const SEASONAL_NAIVE: Words = Words::fixed("as last year", "与去年相同", "comme l’an dernier");
const NOT_WITHIN: Words = Words::fixed(
    "{means}: not within {months} months",
    "{means}：{months} 个月内不会",
    "{means} : pas dans les {months} mois",
);
const BURN: Words = Words::fixed(
    "costs less what is received, in the first month ahead",
    "下个月的支出减去收款",
    "coûts moins encaissements, le premier mois à venir",
);
const RUNWAY_P10: Words = Words::fixed(
    "the month in which cash is gone in one case of ten",
    "十种情形中有一种现金耗尽的月份",
    "le mois où la trésorerie est épuisée dans un cas sur dix",
);
const RUNWAY_P50: Words = Words::fixed(
    "the month in which cash is gone as expected",
    "预期现金耗尽的月份",
    "le mois où la trésorerie est épuisée selon l’attente",
);
const RUNWAY_P90: Words = Words::fixed(
    "the month by which cash is gone in nine cases of ten",
    "十种情形中有九种现金已耗尽的月份",
    "le mois où la trésorerie est épuisée dans neuf cas sur dix",
);
const BREAK_EVEN: Words = Words::fixed(
    "the first month in which what is received covers costs",
    "收款首次覆盖支出的月份",
    "le premier mois où les encaissements couvrent les coûts",
);
const LEAST_CASH: Words =
    Words::fixed("the least cash at the end of a month", "月末现金最低值", "la plus faible trésorerie en fin de mois");
const FUNDING_NEEDED: Words = Words::fixed(
    "what keeps cash above the reserve",
    "使现金不低于储备所需的资金",
    "ce qui maintient la trésorerie au-dessus de la réserve",
);
