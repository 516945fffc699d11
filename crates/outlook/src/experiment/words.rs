//! The answers of a test in plain words.

use std::collections::BTreeMap;

use revenue::{calendar::Day, money::Currency};

use super::{Answer, Comparison, measure::MeasureEntry};
use crate::wording::{Form, Language, Phrase, Sentence, Value, Words};

/// A sentence, and the places that it may name.
struct Template {
    words: Words,
    places: &'static [(&'static str, Form)],
}

const PLACES: &[(&str, Form)] = &[
    ("arm", Form::Name),
    ("control", Form::Name),
    ("measure", Form::Words),
    ("value", Form::Figure),
    ("beside", Form::Figure),
    ("lower", Form::Words),
    ("upper", Form::Words),
    ("since", Form::Period),
    ("probability", Form::Share),
    ("people", Form::Count),
    ("needed", Form::Count),
    ("effect", Form::Share),
    ("least", Form::Count),
];

/// The arm does better.
const BETTER: Template = Template {
    words: Words::fixed(
        "{arm} does better than {control} in {measure}: {value} beside {beside}, a difference between {lower} and \
         {upper}; known since {since}.",
        "{arm} 的{measure}优于 {control}：{value}，对照为 {beside}，差异在 {lower} 与 {upper} 之间；自{since}起已可确定。",
        "{arm} fait mieux que {control} pour {measure} : {value} contre {beside}, soit un écart entre {lower} et \
         {upper} ; établi depuis le {since}.",
    ),
    places: PLACES,
};

/// The arm does worse.
const WORSE: Template = Template {
    words: Words::fixed(
        "{arm} does worse than {control} in {measure}: {value} beside {beside}, a difference between {lower} and \
         {upper}; known since {since}.",
        "{arm} 的{measure}劣于 {control}：{value}，对照为 {beside}，差异在 {lower} 与 {upper} 之间；自{since}起已可确定。",
        "{arm} fait moins bien que {control} pour {measure} : {value} contre {beside}, soit un écart entre {lower} et \
         {upper} ; établi depuis le {since}.",
    ),
    places: PLACES,
};

/// The difference is not known, and how many people it would take.
const NOT_YET_KNOWN: Template = Template {
    words: Words::fixed(
        "Not yet known for {measure}: {arm} has {value} beside {beside}, and is better than {control} with a probability \
         of {probability}. To see a difference of {effect}, each arm needs up to {needed} people; the smaller one has {people}.",
        "{measure}尚无定论：{arm} 为 {value}，对照为 {beside}，优于 {control} 的概率为 {probability}。要看出 {effect} 的差异，\
         每组最多需要 {needed} 人；人数较少的一组现有 {people} 人。",
        "Pas encore établi pour {measure} : {arm} a {value} contre {beside}, et fait mieux que {control} avec une probabilité \
         de {probability}. Pour voir un écart de {effect}, il faut au plus {needed} personnes par bras ; le plus petit en a {people}.",
    ),
    places: PLACES,
};

/// As many people as were needed have been seen, and still there is no difference to tell.
const ALIKE: Template = Template {
    words: Words::fixed(
        "Not yet known for {measure}, though {people} people in each arm would most likely have shown a difference of {effect}: \
         {arm} has {value} beside {beside} of {control}, so what differs is likely smaller.",
        "{measure}尚无定论，尽管每组 {people} 人多半足以看出 {effect} 的差异：{arm} 为 {value}，{control} 为 {beside}，\
         真实差异可能更小。",
        "Pas encore établi pour {measure}, bien que {people} personnes par bras auraient très probablement montré un écart de \
         {effect} : {arm} a {value} contre {beside} pour {control}, l’écart est donc sans doute plus petit.",
    ),
    places: PLACES,
};

/// Hardly anything was seen.
const TOO_LITTLE: Template = Template {
    words: Words::fixed(
        "Not yet known for {measure}: too little was seen of {arm} and {control}; {least} cases in the two are the least.",
        "{measure}尚无定论：{arm} 与 {control} 的数据太少；两组合计至少需要 {least} 例。",
        "Pas encore établi pour {measure} : trop peu de cas de {arm} et de {control} ; il en faut au moins {least} à eux deux.",
    ),
    places: PLACES,
};

/// The arms do not hold whom they should.
const BROKEN: Template = Template {
    words: Words::fixed(
        "Broken: {arm} holds {people} people where {expected} were to be expected beside {control}, which chance does not \
         explain (since {since}). Find out who is lost or counted twice before reading anything from this test.",
        "测试失效：{arm} 有 {people} 人，相对 {control} 预期应有 {expected} 人，偶然无法解释（自{since}起）。\
         在解读本测试之前，请先查明哪些人丢失或被重复计入。",
        "Test faussé : {arm} compte {people} personnes là où l’on en attendait {expected} face à {control}, ce que le hasard \
         n’explique pas (depuis le {since}). Cherchez qui manque ou compte double avant d’en tirer quoi que ce soit.",
    ),
    places: &[
        ("arm", Form::Name),
        ("control", Form::Name),
        ("people", Form::Count),
        ("expected", Form::Count),
        ("since", Form::Period),
    ],
};

impl Template {
    /// The sentence; nothing where a value is missing, which a test rules out.
    fn with(&self, values: &[(&str, Value)]) -> Option<Sentence> {
        let values: BTreeMap<String, Value> =
            values.iter().map(|(place, value)| ((*place).to_owned(), value.clone())).collect();
        Phrase::parse(&self.words, self.places).ok()?.with(&values).ok()
    }
}

/// What is compared, in words.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The arm.
    pub arm: &'a str,
    /// The arm that it is compared with.
    pub control: &'a str,
    /// The currency of amounts.
    pub currency: Currency,
}

/// A figure of a measure as a value: money, or a share of people.
#[must_use]
pub fn figure(entry: &MeasureEntry, value: f64, currency: Currency) -> Value {
    if entry.is_money { Value::Money { micros: (value * 1e6).round() as i128, currency } } else { Value::share(value) }
}

/// A difference of a measure with its sign: money, or points of a share, which a sign for per cent would leave unclear.
fn difference(entry: &MeasureEntry, value: f64, currency: Currency) -> Value {
    let sign = if value > 0.0 { "+" } else { "" };
    let [en, zh, fr] = Language::ALL.map(|language| {
        if entry.is_money {
            return format!("{sign}{}", figure(entry, value, currency).say(language));
        }
        let points = Value::decimal((value * 1_000.0).round() / 10.0).say(language);
        match language {
            Language::English => format!("{sign}{points} points"),
            Language::Chinese => format!("{sign}{points} 个百分点"),
            Language::French => format!("{sign}{points} points"),
        }
    });
    Value::Words(Words::owned(en, zh, fr))
}

/// What can be said of an arm in one measure; `means` are those of the arm and of the control, `people` those of the smaller
/// of the two, `effect` is the difference worth seeing.
#[must_use]
pub fn of_comparison(
    names: Names<'_>,
    entry: &MeasureEntry,
    (mean, control_mean): (f64, f64),
    people: u64,
    effect: f64,
    comparison: &Comparison,
) -> Option<Sentence> {
    let value = |value: f64| figure(entry, value, names.currency);
    let mut values = vec![
        ("arm", Value::Name(names.arm.to_owned())),
        ("control", Value::Name(names.control.to_owned())),
        ("measure", Value::Words(entry.words.clone())),
        ("value", value(mean)),
        ("beside", value(control_mean)),
        ("probability", Value::share(comparison.better)),
        ("people", Value::Count(people.into())),
        ("effect", Value::share(effect)),
        ("least", Value::Count(super::LEAST_PAYING.into())),
    ];
    let Some((lower, upper)) = comparison.interval else { return TOO_LITTLE.with(&values) };
    let ends = [("lower", lower), ("upper", upper)];
    values.extend(ends.map(|(place, end)| (place, difference(entry, end, names.currency))));
    if let Some(since) = comparison.since {
        values.push(("since", Value::day(Day(since))));
    }
    match (comparison.answer, comparison.needed) {
        (Answer::Better, _) => BETTER.with(&values),
        (Answer::Worse, _) => WORSE.with(&values),
        (_, None) => TOO_LITTLE.with(&values),
        (_, Some(needed)) if needed <= people => ALIKE.with(&values),
        (_, Some(needed)) => {
            values.push(("needed", Value::Count(needed.into())));
            NOT_YET_KNOWN.with(&values)
        }
    }
}

/// That an arm does not hold as many people as planned.
#[must_use]
pub fn of_broken(names: Names<'_>, people: u64, expected: f64, since: i32) -> Option<Sentence> {
    BROKEN.with(&[
        ("arm", Value::Name(names.arm.to_owned())),
        ("control", Value::Name(names.control.to_owned())),
        ("people", Value::Count(people.into())),
        ("expected", Value::Count(expected.round() as i128)),
        ("since", Value::day(Day(since))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::measure::Measure;

    #[test]
    fn every_template_can_be_read() {
        for template in [&BETTER, &WORSE, &NOT_YET_KNOWN, &ALIKE, &TOO_LITTLE, &BROKEN] {
            assert!(Phrase::parse(&template.words, template.places).is_ok(), "{}", template.words.en);
        }
    }

    #[test]
    fn an_answer_in_three_languages() {
        let names = Names { arm: "yearly_first", control: "monthly_first", currency: Currency::USD };
        let better = Comparison {
            difference: 0.1,
            interval: Some((0.05, 0.15)),
            better: 0.999,
            answer: Answer::Better,
            since: Some(20_000),
            ever_called: true,
            needed: Some(100),
            detectable: Some(0.1),
        };
        let entry = Measure::Conversion.entry();
        let said = of_comparison(names, entry, (0.4, 0.3), 700, 0.2, &better).unwrap();
        assert_eq!(
            said.say(Language::English),
            "yearly_first does better than monthly_first in conversion: 40% beside 30%, a difference between +5 points and +15 points; \
             known since 4 October 2024."
        );
        assert_eq!(
            said.say(Language::Chinese),
            "yearly_first 的转化率优于 monthly_first：40%，对照为 30%，差异在 +5 个百分点 与 +15 个百分点 之间；自2024年10月4日起已可确定。"
        );
        let open = Comparison { answer: Answer::NotYetKnown, since: None, needed: Some(2_500), ..better };
        let said = of_comparison(names, Measure::Arpa.entry(), (49.5, 40.0), 700, 0.2, &open).unwrap();
        assert!(
            said.say(Language::English).contains("$49.50 beside $40")
                && said.say(Language::French).contains("2\u{202f}500")
        );
        let alike = Comparison { needed: Some(700), ..open };
        assert!(
            of_comparison(names, entry, (0.4, 0.3), 700, 0.2, &alike)
                .unwrap()
                .say(Language::English)
                .contains("smaller")
        );
        let few = Comparison { interval: None, needed: None, ..open };
        assert!(
            of_comparison(names, entry, (0.4, 0.3), 7, 0.2, &few)
                .unwrap()
                .say(Language::English)
                .contains("too little")
        );
        assert!(of_broken(names, 60, 50.0, 20_000).unwrap().say(Language::French).starts_with("Test faussé"));
    }
}
