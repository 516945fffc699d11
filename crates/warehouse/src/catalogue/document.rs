//! The catalogue as a page for people: `docs/metrics.md`.

use std::{collections::BTreeMap, fmt::Write};

use super::entry::{Calculation, Metric, SECTIONS, Variant, Window};
use super::measure::{Adds, MEASURES, Nature};
use super::need::Needs;
use super::{Catalogue, ResolvedMetric};
use outlook::wording::Language;

/// How many scenarios of a metric are linked; the ones that show the fewest metrics, which are the plainest.
const LINKED: usize = 6;

/// The scenarios that show a figure of each metric.
#[derive(Debug, Default)]
pub struct ShownIn {
    /// By metric and scenario: how many metrics it shows, and in which variants this one.
    by_metric: BTreeMap<String, BTreeMap<String, (usize, Vec<String>)>>,
}

impl ShownIn {
    /// Adds that a scenario, by its path from the root, shows a variant of a metric among `breadth` others.
    pub fn add(&mut self, metric: &str, variant: &str, path: &str, breadth: usize) {
        let scenarios = self.by_metric.entry(metric.to_owned()).or_default();
        let (known, variants) = scenarios.entry(path.to_owned()).or_default();
        *known = breadth;
        if !variant.is_empty() {
            variants.push(format!("`{variant}`"));
        }
    }

    /// Links to the scenarios of a metric: so few that every variant is among them, and a handful more.
    fn links(&self, metric: &str) -> Option<String> {
        let mut scenarios: Vec<_> = self.by_metric.get(metric)?.iter().collect();
        scenarios.sort_by_key(|(path, (breadth, _))| (*breadth, *path));
        let mut seen: Vec<&String> = Vec::new();
        let mut links = Vec::new();
        let mut left_out = 0;
        for (path, (_, variants)) in &scenarios {
            let is_new = variants.iter().any(|variant| !seen.contains(&variant));
            if links.len() >= LINKED && !is_new {
                left_out += 1;
                continue;
            }
            seen.extend(variants);
            let name = path.trim_start_matches("tests/scenarios/").trim_end_matches(".txt");
            let of = if variants.is_empty() { String::new() } else { format!(" ({})", variants.join(", ")) };
            links.push(format!("[{name}](../{path}){of}"));
        }
        let more = match left_out {
            0 => String::new(),
            1 => ", and one more".to_owned(),
            left_out => format!(", and {left_out} more"),
        };
        Some(format!("{}{more}", links.join(", ")))
    }
}

/// The page: a table of every metric a section, then each metric by itself with the scenarios that show it, then the
/// measures.
///
/// The same catalogue and scenarios give the same bytes.
pub fn markdown(catalogue: &Catalogue, shown: &ShownIn) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut page, catalogue, shown);
    page
}

fn write(page: &mut String, catalogue: &Catalogue, shown: &ShownIn) -> std::fmt::Result {
    writeln!(page, "# Metrics\n")?;
    writeln!(
        page,
        "What every number means. This page is made from the catalogue (`metrics/*.toml`): change it there.\n"
    )?;
    writeln!(
        page,
        "A period P runs from s, its opening instant, to e, its closing instant. M(t) is the total MRR at t, M_c(t) that \
         of customer c, N(t) the number of customers with M_c(t) > 0. A ratio is always Σ ÷ Σ; with a zero denominator it \
         is undefined, never 0. A metric whose facts are missing answers \"no data\" and names them."
    )?;
    for section in SECTIONS {
        let metrics: Vec<_> = catalogue.metrics().filter(|metric| metric.section == section).collect();
        if metrics.is_empty() {
            continue;
        }
        writeln!(page, "\n## {}\n", section.words.en)?;
        writeln!(page, "| metric | English | 中文 | français | formula | variants | needs | asked for by |")?;
        writeln!(page, "|---|---|---|---|---|---|---|---|")?;
        for metric in &metrics {
            let [en, zh, fr] = Language::ALL.map(|language| cell(metric.name.say(language)));
            let variants: Vec<String> = metric.variants.iter().map(|variant| mark(variant)).collect();
            writeln!(
                page,
                "| [`{id}`](#{id}) | {en} | {zh} | {fr} | {} | {} | {} | {} |",
                cell(&metric.formula),
                variants.join(" "),
                needs(&default_needs(catalogue, metric)),
                metric.source.join(" "),
                id = metric.id,
            )?;
        }
        for metric in metrics {
            section_of(page, catalogue, metric)?;
            if let Some(links) = shown.links(&metric.id) {
                writeln!(page, "\nWorked out by hand in: {links}.")?;
            }
        }
    }
    measures(page)
}

fn section_of(page: &mut String, catalogue: &Catalogue, metric: &Metric) -> std::fmt::Result {
    writeln!(page, "\n### {}\n", metric.id)?;
    for language in Language::ALL {
        writeln!(page, "- **{}**: {}", metric.name.say(language), metric.definition.say(language))?;
    }
    writeln!(page, "\nFormula: {}  ", metric.formula)?;
    write!(page, "Unit: {}. Better: {}.", metric.unit.name(), metric.better.name())?;
    if !metric.alias.is_empty() {
        write!(page, " Also called: `{}`.", metric.alias.join("`, `"))?;
    }
    writeln!(page)?;
    let Ok(resolved) = catalogue.resolve_variants(&metric.id) else {
        return Ok(());
    };
    if metric.has_variants() {
        writeln!(page, "\n| variant | what it is | computed as | over | needs |\n|---|---|---|---|---|")?;
        for resolved in resolved {
            let variant = &resolved.variant;
            let words = variant.words.as_ref().map_or("", |words| words.say(Language::English));
            let words = match &variant.formula {
                Some(formula) => format!("{words}: {formula}"),
                None => words.to_owned(),
            };
            let (how, over) = (computed(resolved), over(variant));
            writeln!(page, "| {} | {} | {how} | {over} | {} |", mark(variant), cell(&words), needs(&resolved.needs))?;
        }
    } else {
        for resolved in resolved {
            writeln!(
                page,
                "\nComputed as {} over: {}. Needs: {}.",
                computed(resolved),
                over(&resolved.variant),
                needs(&resolved.needs)
            )?;
        }
    }
    Ok(())
}

fn measures(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n## Measures\n")?;
    writeln!(page, "What the metrics are made of. A stock is taken at an instant, a flow over the period.\n")?;
    writeln!(page, "| measure | what it is | unit | nature | adds up over | needs |\n|---|---|---|---|---|---|")?;
    for measure in MEASURES {
        let nature = match measure.nature {
            Nature::Stock => "stock",
            Nature::Flow => "flow",
        };
        let segments = match measure.adds {
            Adds::Anywhere => "any segments",
            Adds::OverCustomers => "segments of whole customers",
            Adds::Nowhere => "",
        };
        let periods = if measure.adds_over_periods { "periods" } else { "" };
        let adds: Vec<&str> = [segments, periods].into_iter().filter(|part| !part.is_empty()).collect();
        let adds = if adds.is_empty() { "nothing".to_owned() } else { adds.join(", ") };
        let (unit, needed) = (measure.unit.name(), needs(&measure.needs.iter().copied().collect()));
        writeln!(page, "| `{}` | {} | {unit} | {nature} | {adds} | {needed} |", measure.id, cell(&measure.words.en))?;
    }
    Ok(())
}

/// The name of a variant, the default one in bold.
fn mark(variant: &Variant) -> String {
    match (variant.name.as_str(), variant.default) {
        ("", _) => String::new(),
        (name, true) => format!("**`{name}`**"),
        (name, false) => format!("`{name}`"),
    }
}

fn computed(resolved: &ResolvedMetric) -> String {
    match &resolved.variant.calculation {
        Calculation::Measure(measure) => format!("`{}`", measure.id),
        Calculation::Ratio { numerator, denominator } => format!("`{numerator}` ÷ `{denominator}`"),
        Calculation::Derived(expression) => format!("`{expression}`"),
        Calculation::Custom => "a method of its own".to_owned(),
    }
}

fn over(variant: &Variant) -> String {
    match variant.window {
        Window::Period => "the period".to_owned(),
        Window::Trailing { .. } => format!("the {} up to the end of the period", variant.window),
        Window::PeriodBefore => "the period before".to_owned(),
        Window::YearToDate => "the year up to the end of the period".to_owned(),
        Window::AllHistory => "all history up to the end of the period".to_owned(),
    }
}

fn default_needs(catalogue: &Catalogue, metric: &Metric) -> Needs {
    catalogue.resolve(&metric.id, None).map(|resolved| resolved.needs.clone()).unwrap_or_default()
}

fn needs(needs: &Needs) -> String {
    let needs: Vec<&str> = needs.iter().copied().collect();
    if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") }
}

/// A text that stays within its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
