//! From a metric to the measures it is made of.
//!
//! A metric can name others, and those others again. Here the names are followed down to
//! measures once, when the catalogue is loaded, so that the engine is asked for a short list
//! of measures and the rest is arithmetic in a straight line.

use std::collections::HashMap;
use std::sync::Arc;

use num_traits::Zero;

use super::entry::{Calculation, Metric, Variant, Window};
use super::expression::{Expression, Value, numbers};
use super::measure::{self, Measure};
use super::need::Needs;

/// The longest chain of metrics that build on one another.
pub(super) const DEEPEST: usize = 16;

/// One number to ask the engine for: a measure over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Input {
    /// What.
    pub measure: &'static Measure,
    /// Over which time, given the period.
    pub window: Window,
}

/// A variant of a metric, followed down to its measures.
#[derive(Debug, Clone)]
pub struct ResolvedMetric {
    /// The metric.
    pub metric: Arc<Metric>,
    /// The variant, the default one if none was named.
    pub variant: Arc<Variant>,
    /// Every measure it is made of, each with its window once.
    pub inputs: Vec<Input>,
    /// The kinds of fact without which it has no value.
    pub needs: Needs,
    /// In an order in which each uses only those before it; the last one is the answer.
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// The input of that place.
    Read(usize),
    Formula {
        expression: Expression,
        names: Names,
        undefined: Option<outlook::wording::Words>,
    },
    Ratio {
        numerator: Expression,
        denominator: Expression,
        names: Names,
        undefined: Option<outlook::wording::Words>,
    },
    /// The engine's own method: it cannot be worked out from here.
    Custom(Needs),
}

/// Which step has the value of a name.
type Names = Vec<(String, usize)>;

impl ResolvedMetric {
    /// The value, given those of the inputs: Σ ÷ Σ, when each input is the sum over what is asked for.
    ///
    /// A metric of kind `custom` has no formula, so it answers that it lacks data: the engine
    /// asks its own method instead.
    pub fn evaluate(&self, read: &mut dyn FnMut(&Input) -> Value) -> Value {
        let values = self.work_out(read);
        values.into_iter().next_back().unwrap_or_else(|| Value::NoData(self.needs.clone()))
    }

    /// The two sums of a ratio, to be shown beside it; nothing for other kinds.
    pub fn parts(&self, read: &mut dyn FnMut(&Input) -> Value) -> Option<(Value, Value)> {
        let values = self.work_out(read);
        match self.steps.last()? {
            Step::Ratio { numerator, denominator, names, undefined } => {
                let undefined = undefined.as_ref();
                let above = numerator.evaluate_or(undefined, &mut |name| value_of(name, names, &values));
                let below = denominator.evaluate_or(undefined, &mut |name| value_of(name, names, &values));
                Some((above, below))
            }
            Step::Read(_) | Step::Formula { .. } | Step::Custom(_) => None,
        }
    }

    fn work_out(&self, read: &mut dyn FnMut(&Input) -> Value) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let value = match step {
                Step::Read(input) => match self.inputs.get(*input) {
                    Some(input) => read(input),
                    None => Value::NoData(self.needs.clone()),
                },
                Step::Formula { expression, names, undefined } => {
                    expression.evaluate_or(undefined.as_ref(), &mut |name| value_of(name, names, &values))
                }
                Step::Ratio { numerator, denominator, names, undefined } => {
                    let reason = undefined.as_ref();
                    let above = numerator.evaluate_or(reason, &mut |name| value_of(name, names, &values));
                    let below = denominator.evaluate_or(reason, &mut |name| value_of(name, names, &values));
                    match numbers(above, below) {
                        Err(none) => none,
                        Ok((above, below)) if below.is_zero() => {
                            let reason = reason.cloned().unwrap_or(outlook::wording::Words::fixed(
                                "the denominator is zero",
                                "分母为零",
                                "le dénominateur vaut zéro",
                            ));
                            // Some reasons show what there was to divide: the revenue of a channel that cost nothing.
                            Value::Undefined(reason.with("{numerator}", || crate::engine::decimal(&above, 6, 2)))
                        }
                        Ok((above, below)) => Value::Number(above / below),
                    }
                }
                Step::Custom(needs) => Value::NoData(needs.clone()),
            };
            values.push(value);
        }
        values
    }
}

fn value_of(name: &str, names: &Names, values: &[Value]) -> Value {
    let step = names.iter().find(|(known, _)| known == name).map(|(_, step)| *step);
    // The plan was made from the names of the same expression, so that each has its step.
    step.and_then(|step| values.get(step)).cloned().unwrap_or_else(|| Value::NoData(Needs::new()))
}

/// What a name in an expression stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Measure(&'static Measure),
    /// `measure.before`: the measure over the period before.
    Before(&'static Measure),
    /// The places of a metric and of its variant.
    Metric(usize, usize),
    /// The metric is there and the variant is not.
    NoVariant(usize),
    Nothing,
}

/// Looks a name up. A measure's name wins: a metric of the same name is that measure.
pub(super) fn meaning(name: &str, metrics: &[Arc<Metric>], places: &HashMap<String, usize>) -> Meaning {
    let (metric, variant) = name.split_once('.').unwrap_or((name, ""));
    if variant.is_empty()
        && let Some(measure) = measure::find(metric)
    {
        return Meaning::Measure(measure);
    }
    if variant == "before"
        && let Some(measure) = measure::find(metric)
    {
        return Meaning::Before(measure);
    }
    let Some(&place) = places.get(metric) else {
        return Meaning::Nothing;
    };
    match metrics.get(place).and_then(|metric| metric.find_variant(variant)) {
        Some(variant) => Meaning::Metric(place, variant),
        None => Meaning::NoVariant(place),
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoPlan {
    /// A name in it or below it has no meaning; whoever wrote the name is told.
    Name,
    /// The metrics of a circle, by place.
    Circle(Vec<usize>),
    /// The chain is too long.
    TooDeep,
}

/// Follows one variant down to its measures.
pub(super) fn plan(
    place: usize,
    variant: usize,
    metrics: &[Arc<Metric>],
    places: &HashMap<String, usize>,
) -> Result<ResolvedMetric, NoPlan> {
    let (Some(metric), Some(chosen)) =
        (metrics.get(place), metrics.get(place).and_then(|metric| metric.variants.get(variant)))
    else {
        return Err(NoPlan::Name);
    };
    let mut planner = Planner {
        metrics,
        places,
        inputs: Vec::new(),
        steps: Vec::new(),
        done: HashMap::new(),
        read: HashMap::new(),
        above: Vec::new(),
        needs: Needs::new(),
    };
    planner.follow(place, variant, Window::Period)?;
    let Planner { inputs, steps, needs, .. } = planner;
    Ok(ResolvedMetric { metric: Arc::clone(metric), variant: Arc::clone(chosen), inputs, needs, steps })
}

struct Planner<'p> {
    metrics: &'p [Arc<Metric>],
    places: &'p HashMap<String, usize>,
    inputs: Vec<Input>,
    steps: Vec<Step>,
    done: HashMap<(usize, usize, Window), usize>,
    read: HashMap<Input, usize>,
    above: Vec<(usize, usize)>,
    needs: Needs,
}

impl Planner<'_> {
    fn step(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn input(&mut self, measure: &'static Measure, window: Window) -> usize {
        let input = Input { measure, window };
        if let Some(step) = self.read.get(&input) {
            return *step;
        }
        self.needs.extend(measure.needs);
        self.inputs.push(input);
        let step = self.step(Step::Read(self.inputs.len() - 1));
        self.read.insert(input, step);
        step
    }

    /// The step with the value of a variant, over a window that whoever names it may have set.
    fn follow(&mut self, place: usize, variant: usize, outer: Window) -> Result<usize, NoPlan> {
        if let Some(first) = self.above.iter().position(|above| *above == (place, variant)) {
            let circle = self.above.iter().skip(first).map(|(place, _)| *place).chain([place]);
            return Err(NoPlan::Circle(circle.collect()));
        }
        if self.above.len() >= DEEPEST {
            return Err(NoPlan::TooDeep);
        }
        let Some(chosen) = self.metrics.get(place).and_then(|metric| metric.variants.get(variant)).cloned() else {
            return Err(NoPlan::Name);
        };
        // A window of its own stays: nrr is over twelve months wherever it is used.
        let window = if chosen.window == Window::Period { outer } else { chosen.window };
        if let Some(step) = self.done.get(&(place, variant, window)) {
            return Ok(*step);
        }
        self.above.push((place, variant));
        self.needs.extend(&chosen.needs);
        let undefined = chosen.undefined.clone();
        let step = match &chosen.calculation {
            Calculation::Measure(measure) => self.input(measure, window),
            Calculation::Ratio { numerator, denominator } => {
                let mut names = self.names(numerator, window)?;
                names.extend(self.names(denominator, window)?);
                let (numerator, denominator) = (numerator.clone(), denominator.clone());
                self.step(Step::Ratio { numerator, denominator, names, undefined })
            }
            Calculation::Derived(expression) => {
                let names = self.names(expression, window)?;
                self.step(Step::Formula { expression: expression.clone(), names, undefined })
            }
            Calculation::Custom => self.step(Step::Custom(chosen.needs.clone())),
        };
        self.above.pop();
        self.done.insert((place, variant, window), step);
        Ok(step)
    }

    fn names(&mut self, expression: &Expression, window: Window) -> Result<Names, NoPlan> {
        let mut names = Names::new();
        for name in expression.names() {
            let step = match meaning(name, self.metrics, self.places) {
                Meaning::Measure(measure) => self.input(measure, window),
                Meaning::Before(measure) => self.input(measure, Window::PeriodBefore),
                Meaning::Metric(place, variant) => self.follow(place, variant, window)?,
                Meaning::NoVariant(_) | Meaning::Nothing => return Err(NoPlan::Name),
            };
            names.push((name.to_owned(), step));
        }
        Ok(names)
    }
}
