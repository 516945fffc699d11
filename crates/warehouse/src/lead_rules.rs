//! The rules by which leads are scored, as a file: `lead-score.toml` of the product, or the user's own.
//!
//! What a rule means is said in [`outlook::lead_score`]; here a file becomes a rule book, or a list of what is wrong with
//! it: which line, what, and how to mend it.

use std::fmt;

use outlook::{
    lead_score::{Condition, Rule, RuleBook, StatedPoints, Test},
    wording::Words,
};
use serde::Deserialize;
use toml::Spanned;

/// The rules of the product.
pub const BUILT_IN: (&str, &str) = ("lead-score.toml", include_str!("../../../lead-score.toml"));

/// Stages that a rule may name: those of leads, and two that other facts state.
pub const STAGES: &[&str] = &["lead", "mql", "pql", "sql", "customer", "lost", "signup", "trial"];

/// Everything that is wrong with a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .flaws.iter().map(Flaw::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LeadRulesError {
    /// At least one, in the order of the file.
    pub flaws: Vec<Flaw>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule, where it is about one and has a name.
    pub rule: String,
    /// What is wrong, and how to mend it.
    pub fault: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.rule.is_empty() {
            write!(f, "rule `{}`: ", self.rule)?;
        }
        f.write_str(&self.fault)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    least: Option<f64>,
    most: Option<f64>,
    half_life_days: Option<f64>,
    stated_points: Option<Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleForm {
    name: Option<NameForm>,
    points: Option<f64>,
    attribute: Option<String>,
    is: Option<OneOrMore>,
    contains: Option<String>,
    from: Option<f64>,
    to: Option<f64>,
    known: Option<bool>,
    visit: Option<String>,
    event: Option<String>,
    stage: Option<String>,
    at_least: Option<u32>,
    within_days: Option<u32>,
    each_up_to: Option<u32>,
    silent_days: Option<u32>,
    repeats: Option<bool>,
}

/// A name in one language for all, or in each.
#[derive(Deserialize)]
#[serde(untagged)]
enum NameForm {
    One(String),
    Each { en: String, zh: String, fr: String },
}

impl NameForm {
    fn words(self) -> Words {
        match self {
            NameForm::One(text) => Words::alike(text),
            NameForm::Each { en, zh, fr } => Words::owned(en, zh, fr),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// The rule book of the product.
#[must_use]
pub fn built_in() -> RuleBook {
    let (file, text) = BUILT_IN;
    // A test holds that it reads; without it there would be no rules, and points that facts state would still count.
    read(file, text).unwrap_or_default()
}

/// Reads a file of rules.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &str, text: &str) -> Result<RuleBook, LeadRulesError> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let flaw =
        |line: usize, rule: &str, fault: String| Flaw { file: file.to_owned(), line, rule: rule.to_owned(), fault };
    let form: FileForm = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        let fault = format!("the file cannot be read as rules: {}", error.message().trim_end());
        LeadRulesError { flaws: vec![flaw(line, "", fault)] }
    })?;
    let mut flaws = Vec::new();
    let mut book = RuleBook {
        rules: Vec::new(),
        least: form.least.unwrap_or(f64::NEG_INFINITY),
        most: form.most.unwrap_or(f64::INFINITY),
        half_life_days: form.half_life_days,
        stated_points: StatedPoints::default(),
    };
    if let Some(stated) = &form.stated_points {
        match StatedPoints::ALL.iter().find(|(_, name)| *name == stated.get_ref()) {
            Some((choice, _)) => book.stated_points = *choice,
            None => {
                let fault = format!(
                    "stated_points = \"{}\" is none of its choices: use \"add\", \"alone\" or \"ignore\"",
                    stated.get_ref()
                );
                flaws.push(flaw(line_of(stated.span().start), "", fault));
            }
        }
    }
    if let Err(error) = book.check() {
        flaws.push(flaw(1, "", error.to_string()));
    }
    for form in form.rule {
        let line = line_of(form.span().start);
        let form = form.into_inner();
        let name = match &form.name {
            None => String::new(),
            Some(NameForm::One(text) | NameForm::Each { en: text, .. }) => text.clone(),
        };
        match rule(form) {
            Ok(rule) => {
                // Each rule is looked through alone, so that everything wrong is said at once.
                let alone = RuleBook { rules: vec![rule.clone()], ..RuleBook::default() };
                match alone.check() {
                    Ok(()) => book.rules.push(rule),
                    Err(error) => flaws.push(flaw(line, "", error.to_string())),
                }
            }
            Err(fault) => flaws.push(flaw(line, &name, fault)),
        }
    }
    if flaws.is_empty()
        && let Err(error) = book.check()
    {
        flaws.push(flaw(1, "", error.to_string()));
    }
    if flaws.is_empty() { Ok(book) } else { Err(LeadRulesError { flaws }) }
}

/// One rule, or what is wrong with it.
fn rule(mut form: RuleForm) -> Result<Rule, String> {
    let name = form
        .name
        .take()
        .map(NameForm::words)
        .ok_or("`name` is missing: say in words what it asks for, name = \"looked at prices\"")?;
    let points =
        form.points.ok_or("`points` is missing: say how many it gives, points = 10, or takes, points = -10")?;
    let asks: Vec<&str> = [
        ("attribute", form.attribute.is_some()),
        ("visit", form.visit.is_some()),
        ("event", form.event.is_some()),
        ("stage", form.stage.is_some()),
        ("silent_days", form.silent_days.is_some()),
    ]
    .into_iter()
    .filter(|(_, there)| *there)
    .map(|(key, _)| key)
    .collect();
    let asked = match asks.as_slice() {
        [one] => *one,
        [] => return Err("it asks for nothing: add one of attribute, visit, event, stage or silent_days".to_owned()),
        several => return Err(format!("it asks for {} at once: make a rule of each", several.join(" and "))),
    };
    for (key, there, of) in [
        ("is", form.is.is_some(), "attribute"),
        ("contains", form.contains.is_some(), "attribute"),
        ("from", form.from.is_some(), "attribute"),
        ("to", form.to.is_some(), "attribute"),
        ("known", form.known.is_some(), "attribute"),
        ("at_least", form.at_least.is_some(), "visit, event or stage"),
        ("within_days", form.within_days.is_some(), "visit, event or stage"),
        ("each_up_to", form.each_up_to.is_some(), "visit, event or stage"),
        ("repeats", form.repeats.is_some(), "silent_days"),
    ] {
        if there && !of.contains(asked) {
            return Err(format!("`{key}` says nothing beside {asked}: it belongs to {of}; remove it"));
        }
    }
    let when = match asked {
        "attribute" => {
            let test = test(&form)?;
            Condition::Attribute { name: form.attribute.unwrap_or_default(), test }
        }
        "silent_days" => Condition::Inactive {
            days: form.silent_days.unwrap_or_default(),
            repeats: form.repeats.unwrap_or_default(),
        },
        kind => {
            let named = form.visit.or(form.event).or(form.stage).unwrap_or_default();
            if kind == "stage" && named != "*" && !STAGES.contains(&named.to_lowercase().as_str()) {
                return Err(format!("there is no stage `{named}`: use one of {}", STAGES.join(", ")));
            }
            Condition::Events {
                kind: kind.to_owned(),
                name: (named != "*").then_some(named),
                at_least: form.at_least.unwrap_or(1),
                within_days: form.within_days,
                each_up_to: form.each_up_to,
            }
        }
    };
    Ok(Rule { name, when, points })
}

/// What an attribute has to be.
fn test(form: &RuleForm) -> Result<Test, String> {
    let range = form.from.is_some() || form.to.is_some();
    let tests = [form.is.is_some(), form.contains.is_some(), range, form.known.is_some()];
    if tests.iter().filter(|there| **there).count() != 1 {
        return Err(
            "an attribute has to be something: add one of is = [...], contains = \"...\", from and to, or known = true"
                .to_owned(),
        );
    }
    Ok(match (&form.is, &form.contains, form.known) {
        (Some(OneOrMore::One(text)), ..) => Test::OneOf(vec![text.clone()]),
        (Some(OneOrMore::More(texts)), ..) => Test::OneOf(texts.clone()),
        (_, Some(part), _) => Test::Contains(part.clone()),
        (.., Some(true)) => Test::Known,
        (.., Some(false)) => {
            return Err("known = false asks for nothing that can be seen: write known = true, and points below zero \
                        for the opposite"
                .to_owned());
        }
        _ => Test::Range(form.from, form.to),
    })
}

#[cfg(test)]
mod tests {
    use outlook::wording::Language;

    use super::*;

    fn wrong(text: &str) -> String {
        read("mine.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn the_rules_of_the_product_can_be_read() {
        let (file, text) = BUILT_IN;
        let book = read(file, text).unwrap();
        assert_eq!(book, built_in());
        assert!(book.rules.len() > 5 && book.stated_points == StatedPoints::Alone);
    }

    #[test]
    fn a_file_becomes_rules() {
        let book = read(
            "mine.toml",
            "most = 50\nhalf_life_days = 30\n[[rule]]\nname = 'big'\npoints = 10\nattribute = 'people'\nfrom = 20\n\
             [[rule]]\nname = 'quiet'\npoints = -2.5\nsilent_days = 7\nrepeats = true\n\
             [[rule]]\nname = 'prices'\npoints = 1\nvisit = '*pricing*'\nwithin_days = 3\neach_up_to = 4\n",
        )
        .unwrap();
        assert_eq!(book.half_life_days, Some(30.0));
        let when: Vec<&Condition> = book.rules.iter().map(|rule| &rule.when).collect();
        assert_eq!(
            when,
            [
                &Condition::Attribute { name: "people".to_owned(), test: Test::Range(Some(20.0), None) },
                &Condition::Inactive { days: 7, repeats: true },
                &Condition::Events {
                    kind: "visit".to_owned(),
                    name: Some("*pricing*".to_owned()),
                    at_least: 1,
                    within_days: Some(3),
                    each_up_to: Some(4)
                },
            ]
        );
    }

    #[test]
    fn a_name_is_one_text_or_one_in_each_language() {
        let book = read(
            "mine.toml",
            "[[rule]]\nname = 'big'\npoints = 1\nevent = 'a'\n\
             [[rule]]\nname = { en = 'quiet', zh = '沉寂', fr = 'silencieux' }\npoints = -1\nsilent_days = 7\n",
        )
        .unwrap();
        let names: Vec<[&str; 3]> = book.rules.iter().map(|rule| Language::ALL.map(|l| rule.name.say(l))).collect();
        assert_eq!(names, [["big"; 3], ["quiet", "沉寂", "silencieux"]]);
        let error = wrong("[[rule]]\nname = { en = 'quiet', zh = '沉寂' }\npoints = 1\nsilent_days = 7\n");
        assert!(error.starts_with("mine.toml:2: "), "{error}");
    }

    #[test]
    fn a_wrong_file_says_where_what_and_how_to_mend_it() {
        let error = wrong("[[rule]]\nname = 'x'\npoints = 1\nvisit = 'a'\n\n[[rule]]\nname = 'y'\npionts = 2\n");
        assert!(error.starts_with("mine.toml:8: ") && error.contains("pionts") && error.contains("points"), "{error}");
        let error = wrong(
            "stated_points = 'sum'\n[[rule]]\nname = 'x'\npoints = 1\nvisit = 'a'\nevent = 'b'\n\
             [[rule]]\npoints = 1\nstage = 'mql'\n[[rule]]\nname = 'z'\npoints = 1\nstage = 'hot'\n\
             [[rule]]\nname = 'w'\npoints = 1\nattribute = 'country'\n\
             [[rule]]\nname = 'v'\npoints = 1\nsilent_days = 3\nat_least = 2\n\
             [[rule]]\nname = 'u'\npoints = 1\nevent = 'a'\nat_least = 0\n",
        );
        let lines: Vec<&str> = error.lines().collect();
        for (line, words) in lines.iter().zip([
            ("mine.toml:1:", "\"add\", \"alone\" or \"ignore\""),
            ("mine.toml:2: rule `x`", "visit and event at once"),
            ("mine.toml:7:", "`name` is missing"),
            ("mine.toml:10: rule `z`", "no stage `hot`: use one of lead, mql"),
            ("mine.toml:14: rule `w`", "is = [...]"),
            ("mine.toml:18: rule `v`", "belongs to visit, event or stage"),
            ("mine.toml:23:", "0 events"),
        ]) {
            assert!(line.starts_with(words.0) && line.contains(words.1), "{line}");
        }
        assert_eq!(lines.len(), 7, "{error}");
        assert!(wrong("least = 5\nmost = 1\n").contains("above the highest"));
    }
}
