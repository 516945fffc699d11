//! The playbook as a page for people: `docs/playbook.md`.

use std::fmt::Write;

use outlook::{
    condition::functions,
    playbook::{Group, Kind, PLACES, Playbook, Source, Threshold, Unit},
    wording::Language,
};
use revenue::money::print_scaled;

/// The page: every rule with the line of the document that it is there for, the sentence and the page of scenarios.
///
/// The same playbook gives the same bytes.
#[must_use]
pub fn markdown(playbook: &Playbook) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut page, playbook);
    page
}

/// The page of scenarios in which a rule fires, and in which it just does not.
#[must_use]
pub fn scenario_of_rule(id: &str) -> String {
    format!("tests/scenarios/judgement/{id}.txt")
}

/// The page of scenarios of the advice of a stage.
#[must_use]
pub fn scenario_of_advice(stage: Kind) -> String {
    format!("tests/scenarios/judgement/advice_{}.txt", stage.name())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn threshold(name: &str, threshold: &Threshold) -> String {
    let number = match threshold.unit {
        Unit::Share => format!("\"{}%\"", print_scaled(threshold.number * 100, 12, 0)),
        Unit::Money => format!("\"{} money\"", print_scaled(threshold.number, 12, 0)),
        Unit::Count | Unit::Number => print_scaled(threshold.number, 12, 0),
    };
    format!("`{name} = {number}`")
}

fn write(page: &mut String, playbook: &Playbook) -> std::fmt::Result {
    writeln!(
        page,
        "# The playbook\n\n\
         By which rules Recurve judges a business, and what it advises. This page is made from `playbook.toml`: change it \
         there, or lay a `playbook.toml` of your own over it in your data folder.\n\n\
         ```text\n\
         recurve verdict    where the business is, and what is good, to improve or to be acted on now\n\
         recurve signals    signals of danger, and those to do more of something\n\
         recurve advice     what to do, in the order in which the numbers ask for it, and whom to call\n\
         ```\n\n\
         A rule fires, is quiet, or is not known: what it needs has no value, and the reason is said. Each says since when it \
         fires, which figures it read, and its record: how often it fired in the last twelve months, and after how many of \
         these MRR fell (for good news: rose) within three months, beside how often that happened anyway. The record is \
         worked out with the figures as they are known now.\n\n\
         The verdict is the worst that fired: act now, then to improve. It is good when all rules of good hold, and all right \
         otherwise."
    )?;
    for (kind, name, words, _) in &Kind::ALL {
        let rules: Vec<_> = playbook.rules.iter().filter(|rule| rule.kind == *kind).collect();
        if rules.is_empty() {
            continue;
        }
        let (en, zh, fr) = (words.say(Language::English), words.say(Language::Chinese), words.say(Language::French));
        let heading = if kind.is_stage() { format!("Stage: {en}") } else { en.to_owned() };
        writeln!(page, "\n## {heading}\n\n`kind = \"{name}\"` · {zh} · {fr}\n")?;
        writeln!(page, "| rule | line of the document | fires when | thresholds | scenario |")?;
        writeln!(page, "|---|---|---|---|---|")?;
        for rule in rules {
            let thresholds: Vec<String> =
                rule.thresholds.iter().map(|(name, number)| threshold(name, number)).collect();
            let scenario = scenario_of_rule(&rule.id);
            writeln!(
                page,
                "| `{}`<br>{} · {} · {} | {} | `{}` | {} | [{}](../{scenario}) |",
                rule.id,
                cell(rule.title.say(Language::English)),
                cell(rule.title.say(Language::Chinese)),
                cell(rule.title.say(Language::French)),
                cell(&rule.line),
                cell(rule.when.text()),
                thresholds.join("<br>"),
                rule.id,
            )?;
        }
    }
    writeln!(
        page,
        "\n## Advice\n\nWhat weighs most comes first; what cannot be weighed comes last, in the order of the document.\n"
    )?;
    writeln!(page, "| stage | advice | line of the document | given when | weight | thresholds | scenario |")?;
    writeln!(page, "|---|---|---|---|---|---|---|")?;
    for advice in &playbook.advice {
        let thresholds: Vec<String> = advice.thresholds.iter().map(|(name, number)| threshold(name, number)).collect();
        let scenario = scenario_of_advice(advice.stage);
        writeln!(
            page,
            "| {} | `{}`<br>{} · {} · {} | {} | {} | `{}` | {} | [{stage}](../{scenario}) |",
            advice.stage.name(),
            advice.id,
            cell(advice.title.say(Language::English)),
            cell(advice.title.say(Language::Chinese)),
            cell(advice.title.say(Language::French)),
            cell(&advice.line),
            advice.when.as_ref().map_or("always".to_owned(), |when| format!("`{}`", cell(when.text()))),
            cell(advice.weight.text()),
            thresholds.join("<br>"),
            stage = advice.stage.name(),
        )?;
    }
    writeln!(page, "\n## Targets\n\nFrom the month of the launch on, which is month 1.\n")?;
    writeln!(page, "| metric | at least | month | line of the document |\n|---|---|---|---|")?;
    for stone in &playbook.milestones {
        let at_least = print_scaled(stone.at_least, 12, 0);
        writeln!(page, "| `{}` | {at_least} | {} | {} |", stone.metric, stone.month, cell(&stone.line))?;
    }
    writeln!(page, "\n## Figures\n\nWhat conditions and sentences may name.\n")?;
    writeln!(page, "| figure | name | is |\n|---|---|---|")?;
    for figure in &playbook.figures {
        let source = match &figure.source {
            Source::Formula(formula) => format!("`{}`", cell(formula.text())),
            Source::Metric { metric, filters } if filters.is_empty() => format!("the metric `{metric}`"),
            Source::Metric { metric, filters } => {
                let filters: Vec<String> =
                    filters.iter().map(|(dimension, value)| format!("`{dimension}={value}`")).collect();
                format!("the metric `{metric}` where {}", filters.join(" or "))
            }
        };
        let name = &figure.name;
        let names = Language::ALL.map(|language| cell(name.say(language))).join(" · ");
        writeln!(page, "| `{}` | {names} | {source} |", figure.id)?;
    }
    for pick in &playbook.picks {
        let most = if pick.is_greatest { "most" } else { "least" };
        writeln!(
            page,
            "| `{}` | | the `{}` with {most} of `{}` over {} months, for sentences |",
            pick.id, pick.by, pick.metric, pick.months
        )?;
    }
    writeln!(
        page,
        "\n## How conditions and sentences are written\n\n\
         A condition is held against a month: figures and thresholds by name, numbers (`5%` is 0.05), `+ - * /`, \
         `< <= > >=`, `and`, `or`, `not`, and these functions. A figure without a value makes a condition not known, unless \
         the rest settles it.\n"
    )?;
    writeln!(page, "| function | means |\n|---|---|")?;
    for (name, takes, words) in functions() {
        let arguments = match (name, takes) {
            ("runs", _) => "condition, months",
            ("min" | "max" | "known_or", _) => "x, y",
            (_, 1) => "x",
            _ => "x, months",
        };
        writeln!(page, "| `{name}({arguments})` | {} |", cell(words))?;
    }
    writeln!(
        page,
        "\nA sentence is written in `en`, `zh` and `fr`. `{{mrr}}` stands for a figure in the month, `{{mrr_3_ago}}` for what \
         it was three months before (up to 12), `{{+growth}}` keeps the sign, and `{{months?month|months}}` is a word for one \
         and one for many. Thresholds stand by their names, and:\n"
    )?;
    writeln!(page, "| place | is |\n|---|---|")?;
    for (name, _, words) in PLACES {
        writeln!(page, "| `{{{name}}}` | {words} |")?;
    }
    let groups = Group::ALL.map(|(_, name)| format!("`{name}`")).join(", ");
    writeln!(page, "\nThe groups of customers that a rule may name with `customers = \"...\"`: {groups}.")
}
