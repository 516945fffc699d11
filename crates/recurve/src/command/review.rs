//! `recurve review`: what has to be looked at each day, week and month; and the month's review with the founder's five
//! questions, the notes of people and whether last month's decisions moved the numbers.

use std::{io::Write, path::PathBuf};

use outlook::{
    advice::advise,
    playbook::{Group, value},
    signal::Finding,
    verdict::{judge, signals},
    wording::{Language, Value, Words, say_with},
};
use revenue::calendar::{Day, Grain};
use warehouse::{
    books::Books,
    engine::{
        self, Question,
        anomalies::WATCHED,
        judgement::{Note, notes, reading},
    },
    lake::Access,
    playbook::{metric_of, unit_of},
};

use super::{CommandError, Outcome, advice, anomalies, verdict};
use crate::{
    closes,
    judgement::Judged,
    listing::{self, Format},
    review::{Figure, Review, Section},
    session::{self, Options, Session},
    targets,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is reviewed: a day, a week or a month
    #[arg(value_enum)]
    of: Of,
    /// The day, or a day of the week or month; the last full one unless set
    #[arg(long, value_name = "P")]
    period: Option<String>,
    /// Keep the review as it is said now; from then on it is shown as it was said
    #[arg(long, conflicts_with = "anew")]
    freeze: bool,
    /// Work a frozen review out anew
    #[arg(long)]
    anew: bool,
}

/// What is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// A day.
    Daily,
    /// A week.
    Weekly,
    /// A month.
    Monthly,
}

const DAILY: &[&str] = &[
    "mrr",
    "mrr_change",
    "customers_new",
    "customers_churned",
    "trials",
    "trial_conversion.period",
    "payments_failed",
    "payments_recovered",
];
const WEEKLY: &[&str] = &["mrr", "mrr_net_new", "mrr_growth_rate", "customers", "customers_new", "customers_churned"];
const MONTHLY: &[&str] = &[
    "mrr",
    "mrr_growth_rate",
    "arr",
    "mrr_new",
    "mrr_expansion",
    "mrr_reactivation",
    "mrr_contraction",
    "mrr_churned",
    "customers",
    "customers_new",
    "customers_churned",
    "customer_churn",
    "nrr",
    "arpa",
    "ltv",
    "cac",
    "ltv_cac",
    "cac_payback",
    "trial_conversion",
    "revenue_recognised",
    "gross_margin",
    "profit",
    "revenue_cash",
    "cash",
    "burn.net",
    "nps",
];
/// What decisions are judged by.
const MOVED: &[&str] = &["mrr", "mrr_growth_rate", "customer_churn", "customers_new", "trial_conversion"];

/// The texts of reviews, by name.
const TEXTS: &[(&str, Words)] = &[
    ("daily", Words::fixed("Daily review, {period}", "日报，{period}", "Revue du jour, {period}")),
    ("weekly", Words::fixed("Weekly review, {period}", "周报，{period}", "Revue de la semaine, {period}")),
    ("monthly", Words::fixed("Monthly review, {period}", "月度审查，{period}", "Revue du mois, {period}")),
    ("version", Words::fixed("Data version {version}.", "数据版本 {version}。", "Version des données {version}.")),
    (
        "frozen",
        Words::fixed(
            "Frozen on {day}, as it was said then.",
            "于{day}冻结，保留当时的内容。",
            "Figée le {day}, telle qu’elle a été dite.",
        ),
    ),
    ("figures", Words::fixed("Figures", "数据", "Chiffres")),
    ("trend", Words::fixed("Trend", "增长趋势", "Tendance")),
    ("segments", Words::fixed("Segments", "客户群体", "Segments")),
    ("channels", Words::fixed("Channels: new customers", "渠道：新客户", "Canaux : nouveaux clients")),
    ("spend", Words::fixed("Channels: cost", "渠道：支出", "Canaux : dépense")),
    ("support", Words::fixed("Support by type", "支持问题类型", "Assistance par type")),
    ("calls", Words::fixed("Whom to call", "应联系的客户", "Qui appeler")),
    ("anomalies", Words::fixed("What was off", "异常", "Anomalies")),
    ("verdict", Words::fixed("Verdict and signals", "结论与信号", "Verdict et signaux")),
    ("analysis", Words::fixed("Financial analysis", "财务分析", "Analyse financière")),
    (
        "targets",
        Words::fixed("1. Were the targets met?", "1. 我们是否达到了目标？", "1. Les objectifs sont-ils atteints ?"),
    ),
    ("churn", Words::fixed("2. Where is churn going?", "2. 客户流失率的趋势如何？", "2. Où va l’attrition ?")),
    (
        "risk",
        Words::fixed(
            "3. Which customers are the largest risk?",
            "3. 哪些客户是最大的风险来源？",
            "3. Quels clients sont le plus grand risque ?",
        ),
    ),
    (
        "growth",
        Words::fixed("4. Where did growth come from?", "4. 收入增长来自哪里？", "4. D’où vient la croissance ?"),
    ),
    (
        "changes",
        Words::fixed(
            "5. What changes next month?",
            "5. 下个月需要做出哪些改变？",
            "5. Qu’est-ce qui change le mois prochain ?",
        ),
    ),
    (
        "decisions",
        Words::fixed(
            "Did last month's decisions move the numbers?",
            "上个月的决定是否影响了数据？",
            "Les décisions du mois dernier ont-elles changé les chiffres ?",
        ),
    ),
    ("interview", Words::fixed("Customer interviews", "客户访谈", "Entretiens avec des clients")),
    ("competitor", Words::fixed("Competitors", "竞争状况", "Concurrents")),
    ("plan", Words::fixed("Plan", "计划", "Plan")),
    ("annotation", Words::fixed("Notes", "备注", "Notes")),
    ("nothing", Words::fixed("Nothing to say.", "无。", "Rien à signaler.")),
    (
        "no_notes",
        Words::fixed(
            "Nothing was written down: recurve import notes FILE.",
            "没有记录：recurve import notes FILE。",
            "Rien n’a été noté : recurve import notes FICHIER.",
        ),
    ),
    (
        "churn_line",
        Words::fixed(
            "Customer churn was {before_last}, {before} and {now} in {period}.",
            "客户流失率：{before_last}、{before}、{period} {now}。",
            "L’attrition a été de {before_last}, {before} puis {now} en {period}.",
        ),
    ),
    (
        "growth_line",
        Words::fixed(
            "MRR moved by {+net}: new {+new}, expansion {+expansion}, reactivation {+reactivation}, contraction {+contraction}, churned {+churned}.",
            "MRR 变化 {+net}：新增 {+new}，扩展 {+expansion}，回流 {+reactivation}，收缩 {+contraction}，流失 {+churned}。",
            "Le MRR a évolué de {+net} : nouveau {+new}, expansion {+expansion}, réactivation {+reactivation}, contraction {+contraction}, perdu {+churned}.",
        ),
    ),
    (
        "growth_channel",
        Words::fixed(
            "The channel with the most new MRR in three months is {channel}.",
            "近三个月新增 MRR 最多的渠道是 {channel}。",
            "Le canal avec le plus de nouveau MRR en trois mois est {channel}.",
        ),
    ),
    (
        "decision",
        Words::fixed(
            "Decided on {day}: {title} ({author}).",
            "{day}决定：{title}（{author}）。",
            "Décidé le {day} : {title} ({author}).",
        ),
    ),
    (
        "moved",
        Words::fixed(
            "Since then: {metric} from {before} to {now}.",
            "此后：{metric}从 {before} 变为 {now}。",
            "Depuis : {metric} de {before} à {now}.",
        ),
    ),
    (
        "restated",
        Words::fixed(
            "The frozen review of {period} said {then} of {metric}; known now is {now}.",
            "{period}冻结的审查中{metric}为 {then}，现在已知为 {now}。",
            "La revue figée de {period} disait {then} pour {metric} ; on sait maintenant {now}.",
        ),
    ),
    (
        "fired",
        Words::fixed(
            "{kind}: {title}. {says} {past}",
            "{kind}：{title}。{says}{past}",
            "{kind} : {title}. {says} {past}",
        ),
    ),
    ("no_value", Words::fixed("not known", "未知", "inconnu")),
];

/// What is gathered for a review.
struct Writer<'a> {
    session: &'a Session,
    books: &'a Books,
    language: Language,
    grain: Grain,
    period: Day,
}

impl Arguments {
    fn grain(&self) -> Grain {
        match self.of {
            Of::Daily => Grain::Day,
            Of::Weekly => Grain::Week,
            Of::Monthly => Grain::Month,
        }
    }

    /// The first day of what is reviewed.
    fn period(&self, session: &Session) -> Result<Day, CommandError> {
        let grain = self.grain();
        let period = match &self.period {
            Some(text) => session::day(text, "period")?.first_of(grain),
            None => session.today().first_of(grain).plus_days(-1).first_of(grain),
        };
        if period > session.today() {
            return Err(CommandError::Usage(format!("--period {period} has not begun")));
        }
        Ok(period)
    }
}

/// The review as it is said now, whether one is frozen or not.
pub fn answer(session: &Session, arguments: &Arguments) -> Result<Review, CommandError> {
    let (grain, period) = (arguments.grain(), arguments.period(session)?);
    let books = session.books()?;
    Writer { session, books: &books, language: session.language()?, grain, period }.review(arguments.of)
}

/// Writes the review.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let (grain, period) = (arguments.grain(), arguments.period(&session)?);
    let kept = file_of(options, grain, period);
    let frozen = if arguments.anew || arguments.freeze { None } else { read(&kept)? };
    let review = match frozen {
        Some(frozen) => frozen,
        None => answer(&session, arguments)?,
    };
    if arguments.freeze {
        if kept.is_file() {
            return Err(CommandError::Usage(format!(
                "this review is frozen already, in {}; remove that file to say it again",
                kept.display()
            )));
        }
        let language = session.language()?;
        let day = say("frozen", language, &[("day", Value::day(session.today()))]);
        let space = if language == Language::Chinese { "" } else { " " };
        let frozen = Review { about: format!("{}{space}{day}", review.about), ..review.clone() };
        if let Some(folder) = kept.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&frozen).map_err(std::io::Error::from)?;
        std::fs::write(&kept, text + "\n")?;
    }
    let mut out = listing::sink(options)?;
    let text = match options.format {
        Some(Format::Html) => review.html(),
        Some(Format::Md) => review.markdown(),
        Some(Format::Json | Format::Jsonl) => {
            format!("{}\n", serde_json::to_string(&review).map_err(std::io::Error::from)?)
        }
        None | Some(Format::Table) => review.text(),
        Some(Format::Csv | Format::Parquet) => {
            return Err(CommandError::Usage("a review is written as text, html, md or json".to_owned()));
        }
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// The review of a day, a week or a month, as it is said now.
pub fn of_period(session: &Session, grain: Grain, period: Day) -> Result<Review, CommandError> {
    let of = match grain {
        Grain::Day => Of::Daily,
        Grain::Week => Of::Weekly,
        _ => Of::Monthly,
    };
    let books = session.books()?;
    Writer { session, books: &books, language: session.language()?, grain, period }.review(of)
}

/// Where a frozen review is kept.
fn file_of(options: &Options, grain: Grain, period: Day) -> PathBuf {
    options.data.join("reviews").join(format!("{}-{period}.json", grain.name()))
}

fn read(file: &std::path::Path) -> Result<Option<Review>, CommandError> {
    if !file.is_file() {
        return Ok(None);
    }
    let review = serde_json::from_str(&std::fs::read_to_string(file)?)
        .map_err(|_| CommandError::Usage(format!("{} holds no review: remove it, or say --anew", file.display())))?;
    Ok(Some(review))
}

fn say(text: &str, language: Language, values: &[(&str, Value)]) -> String {
    TEXTS.iter().find(|(name, _)| *name == text).map_or(String::new(), |(_, words)| say_with(words, language, values))
}

impl Writer<'_> {
    fn say(&self, text: &str, values: &[(&str, Value)]) -> String {
        say(text, self.language, values)
    }

    fn section(&self, id: &str) -> Section {
        Section::new(id, &self.say(id, &[]))
    }

    fn review(&self, of: Of) -> Result<Review, CommandError> {
        let name = match of {
            Of::Daily => "daily",
            Of::Weekly => "weekly",
            Of::Monthly => "monthly",
        };
        let mut review = Review {
            title: self.say(name, &[("period", Value::Period(self.grain, self.period))]),
            about: self.say("version", &[("version", Value::Name(self.session.lake.newest_snapshot()?.0.to_string()))]),
            language: self.language.tag().to_owned(),
            sections: Vec::new(),
        };
        review.sections = match of {
            Of::Daily => self.daily()?,
            Of::Weekly => self.weekly()?,
            Of::Monthly => self.monthly()?,
        };
        for section in &mut review.sections {
            if section.lines.is_empty() && section.figures.is_empty() {
                section.lines.push(self.say("nothing", &[]));
            }
        }
        Ok(review)
    }

    /// Figures of the period and of those before it, the latest first; of the parts of a dimension where one is named.
    fn figures(&self, id: &str, metrics: &[&str], periods: i32, by: Option<&str>) -> Result<Section, CommandError> {
        let catalogue = self.session.catalogue()?;
        let mut section = self.section(id);
        let mut starts = vec![self.period];
        for _ in 1..periods {
            let earliest = starts.last().copied().unwrap_or(self.period);
            starts.push(earliest.plus_days(-1).first_of(self.grain));
        }
        section.columns = starts.iter().map(|start| Value::Period(self.grain, *start).say(self.language)).collect();
        let question = Question {
            metrics: metrics.iter().map(|metric| metric_of(&catalogue, metric)).collect::<Result<_, _>>()?,
            grain: self.grain,
            from: starts.last().copied().unwrap_or(self.period),
            to: self.period.next_of(self.grain),
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            filters: Vec::new(),
            assumptions: self.session.assumptions()?,
        };
        let answers = match engine::answer(self.books, &question) {
            Ok(answers) => answers,
            // Nothing states the dimension: there is nothing to tell apart.
            Err(engine::EngineError::UnknownDimension { .. }) => return Ok(section),
            Err(error) => return Err(error.into()),
        };
        let currency = self.books.reporting;
        for figure in &answers {
            let part = figure.segment.join(", ");
            let metric = &figure.metric;
            let variant =
                if metric.variant.name.is_empty() { String::new() } else { format!(".{}", metric.variant.name) };
            let key = format!("{}{variant}{}{part}", metric.metric.id, if part.is_empty() { "" } else { ":" });
            let said = match reading(&figure.value) {
                Ok(number) => value(number, unit_of(metric.variant.unit), currency).say(self.language),
                Err(why) => why.say(self.language).to_owned(),
            };
            let place = section.figures.iter().position(|row| row.metric == key).unwrap_or_else(|| {
                let whole = metric.metric.name.say(self.language).to_owned();
                let name = if part.is_empty() { whole } else { part };
                section.figures.push(Figure { metric: key, name, said: Vec::new(), exact: Vec::new() });
                section.figures.len() - 1
            });
            if let Some(row) = section.figures.get_mut(place) {
                row.said.insert(0, said);
                row.exact.insert(0, figure.text(currency.decimals()));
            }
        }
        Ok(section)
    }

    fn judged(&self) -> Result<Judged, CommandError> {
        Judged::of_books(self.session, self.books, self.period.first_of(Grain::Month))
    }

    fn daily(&self) -> Result<Vec<Section>, CommandError> {
        let judged = self.judged()?;
        let mut calls = self.section("calls");
        calls.lines.extend(advice::to_call(&judged).take(20).map(|call| advice::said(&judged, call)));
        Ok(vec![self.figures("figures", DAILY, 2, None)?, calls])
    }

    fn weekly(&self) -> Result<Vec<Section>, CommandError> {
        Ok(vec![
            self.figures("trend", WEEKLY, 4, None)?,
            self.figures("segments", &["mrr"], 2, Some("segment"))?,
            self.figures("channels", &["customers_new"], 2, Some("channel"))?,
            self.figures("spend", &["spend"], 2, Some("channel"))?,
            self.figures("support", &["support_requests"], 2, Some("category"))?,
            self.off()?,
        ])
    }

    /// What was off in the period.
    fn off(&self) -> Result<Section, CommandError> {
        let mut section = self.section("anomalies");
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let watched: Vec<(String, Vec<String>)> =
            WATCHED.iter().map(|(metric, dimensions)| ((*metric).to_owned(), owned(dimensions))).collect();
        let to = self.period.next_of(self.grain);
        let report = anomalies::look(self.session, self.books, &watched, self.grain, self.period, to)?;
        let says = |finding| anomalies::says(finding, self.grain, self.books.reporting, self.language);
        section.lines.extend(report.findings.iter().map(says));
        section.lines.push(anomalies::rate(&report, self.language));
        Ok(section)
    }

    fn monthly(&self) -> Result<Vec<Section>, CommandError> {
        let judged = self.judged()?;
        let case = judged.case();
        let (verdict, signals) = (judge(&case), signals(&case));
        let analysis = self.figures("analysis", MONTHLY, 3, None)?;
        let mut sections = Vec::new();
        let line = |finding: &Finding<'_>| {
            let values = [
                ("kind", Value::Words(finding.rule.kind.words())),
                ("title", Value::Words(finding.rule.title.clone())),
                ("says", Value::Name(judged.says(finding))),
                ("past", Value::Name(judged.past(finding))),
            ];
            self.say("fired", &values)
        };
        let mut judgement = self.section("verdict");
        judgement.lines.push(verdict::heading(&judged, &verdict));
        let fired = verdict.findings.iter().chain(&signals).filter(|finding| finding.fired());
        judgement.lines.extend(fired.filter(|finding| !finding.rule.kind.is_stage()).map(line));
        sections.push(judgement);

        let mut reached = self.section("targets");
        let stood = targets::all(self.session, self.books, &*self.session.catalogue()?, self.period)?;
        reached.lines.extend(stood.iter().map(|one| one.says(self.books.reporting, self.language)));
        sections.push(reached);

        let mut churn = self.section("churn");
        let said = |metric: &str, column: usize| -> Value {
            let row = analysis.figures.iter().find(|row| row.metric.split('.').next() == Some(metric));
            let no_value = self.say("no_value", &[]);
            let said = row.and_then(|row| Some((row.said.get(column)?, row.exact.get(column)?)));
            Value::Name(match said {
                Some((said, exact)) if !exact.is_empty() => said.clone(),
                Some((reason, _)) => format!("{no_value} ({reason})"),
                None => no_value,
            })
        };
        let period = Value::Period(self.grain, self.period);
        churn.lines.push(self.say(
            "churn_line",
            &[
                ("before_last", said("customer_churn", 2)),
                ("before", said("customer_churn", 1)),
                ("now", said("customer_churn", 0)),
                ("period", period),
            ],
        ));
        let of_churn = |finding: &&Finding<'_>| finding.fired() && finding.rule.when.names().contains("churn");
        churn
            .lines
            .extend(verdict.findings.iter().chain(&signals).filter(of_churn).map(|finding| judged.says(finding)));
        sections.push(churn);

        let mut risk = self.section("risk");
        let risky = |group: Group| matches!(group, Group::WhalesAtRisk | Group::PaymentsFailed);
        let calls = judged.ground.calls.iter().filter(|call| risky(call.group));
        risk.lines.extend(calls.take(15).map(|call| advice::said(&judged, call)));
        sections.push(risk);

        let mut growth = self.section("growth");
        growth.lines.push(self.growth(&judged)?);
        if let Some(channel) = judged.ground.picked.get("best_channel") {
            growth.lines.push(self.say("growth_channel", &[("channel", Value::Name(channel.clone()))]));
        }
        sections.push(growth);

        let mut changes = self.section("changes");
        let advised = verdict.stage.map(|stage| advise(&case, stage)).unwrap_or_default();
        let sentences = advised.iter().take(3).filter_map(|advised| advised.sentence.as_ref());
        changes.lines.extend(sentences.map(|sentence| sentence.say(self.language)));
        sections.push(changes);

        sections.push(self.decisions()?);
        sections.push(analysis);
        sections.push(self.off()?);
        let written = notes(self.books, self.period, self.period.next_of(self.grain))?;
        for kind in ["interview", "competitor", "plan", "annotation"] {
            let mut section = self.section(kind);
            let of_kind = written.iter().filter(|note| note.kind == kind);
            section.lines.extend(of_kind.map(|note| self.note(note)));
            if section.lines.is_empty() {
                section.lines.push(self.say("no_notes", &[]));
            }
            sections.push(section);
        }
        self.add_answers(&mut sections)?;
        Ok(sections)
    }

    /// What people wrote to the questions of the month, below what the figures say to each.
    fn add_answers(&self, sections: &mut [Section]) -> Result<(), CommandError> {
        for answer in closes::answered(self.session, self.period)? {
            if let Some(section) = sections.iter_mut().find(|section| section.id == answer.question) {
                let by = if answer.author.is_empty() { String::new() } else { format!(" ({})", answer.author) };
                section.notes.push(format!("{}{by}", answer.words));
            }
        }
        Ok(())
    }

    fn note(&self, note: &Note) -> String {
        let day = Value::day(note.day).say(self.language);
        let by = if note.author.is_empty() { String::new() } else { format!(" ({})", note.author) };
        let body = if note.body.is_empty() { String::new() } else { format!(" – {}", note.body) };
        format!("{day}, {}{by}{body}", note.title)
    }

    /// What MRR moved by.
    fn growth(&self, judged: &Judged) -> Result<String, CommandError> {
        let catalogue = self.session.catalogue()?;
        let of = [
            ("net", "mrr_net_new"),
            ("new", "mrr_new"),
            ("expansion", "mrr_expansion"),
            ("reactivation", "mrr_reactivation"),
            ("contraction", "mrr_contraction"),
            ("churned", "mrr_churned"),
        ];
        let question = Question {
            metrics: of.iter().map(|(_, metric)| metric_of(&catalogue, metric)).collect::<Result<_, _>>()?,
            grain: self.grain,
            from: self.period,
            to: self.period.next_of(self.grain),
            by: Vec::new(),
            filters: Vec::new(),
            assumptions: self.session.assumptions()?,
        };
        let answers = engine::answer(self.books, &question)?;
        let values: Vec<(&str, Value)> = of
            .iter()
            .zip(&answers)
            .map(|((name, _), figure)| {
                let number = reading(&figure.value).unwrap_or_default();
                (*name, value(number, outlook::playbook::Unit::Money, judged.currency))
            })
            .collect();
        Ok(self.say("growth_line", &values))
    }

    /// The plans of the month before, with how the figures moved since; and what its frozen review said otherwise.
    fn decisions(&self) -> Result<Section, CommandError> {
        let before = self.period.plus_days(-1).first_of(self.grain);
        let mut section = self.figures("decisions", MOVED, 2, None)?;
        for note in notes(self.books, before, self.period)?.iter().filter(|note| note.kind == "plan") {
            let author = if note.author.is_empty() { "–".to_owned() } else { note.author.clone() };
            section.lines.push(self.say(
                "decision",
                &[
                    ("day", Value::day(note.day)),
                    ("title", Value::Name(note.title.clone())),
                    ("author", Value::Name(author)),
                ],
            ));
        }
        if section.lines.is_empty() {
            section.lines.push(self.say("no_notes", &[]));
        }
        for row in &section.figures {
            // What has no value has not moved.
            let (true, [now, then, ..]) = (row.exact.iter().all(|exact| !exact.is_empty()), row.said.as_slice()) else {
                continue;
            };
            let (metric, before, now) = (row.name.clone(), then.clone(), now.clone());
            let values = [("metric", Value::Name(metric)), ("before", Value::Name(before)), ("now", Value::Name(now))];
            section.lines.push(self.say("moved", &values));
        }
        let frozen = read(&file_of(&self.session.options, self.grain, before))?;
        let said_then = frozen.iter().flat_map(|review| &review.sections).filter(|section| section.id == "analysis");
        for then in said_then.flat_map(|section| &section.figures) {
            let Some(now) = section.figures.iter().find(|row| row.metric == then.metric) else { continue };
            if let (Some(said), Some(known), true) =
                (then.said.first(), now.said.get(1), then.exact.first() != now.exact.get(1))
            {
                section.lines.push(self.say(
                    "restated",
                    &[
                        ("period", Value::Period(self.grain, before)),
                        ("then", Value::Name(said.clone())),
                        ("metric", Value::Name(now.name.clone())),
                        ("now", Value::Name(known.clone())),
                    ],
                ));
            }
        }
        Ok(section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_reviews_can_be_said_in_every_language() {
        let name = |text: &str| Value::Name(text.to_owned());
        let money = |micros| Value::Money { micros, currency: revenue::money::Currency::USD };
        let mut values = vec![("period", Value::month(Day(19_783))), ("day", Value::day(Day(19_783)))];
        for place in [
            "version",
            "before_last",
            "before",
            "now",
            "channel",
            "title",
            "author",
            "metric",
            "then",
            "kind",
            "says",
            "past",
        ] {
            values.push((place, name("x")));
        }
        for place in ["net", "new", "expansion", "reactivation", "contraction", "churned"] {
            values.push((place, money(1_000_000)));
        }
        for (text, words) in TEXTS {
            for language in Language::ALL {
                let said = say_with(words, language, &values);
                assert!(!said.is_empty() && !said.contains(['{', '}']), "{text}: {said}");
            }
        }
    }
}
