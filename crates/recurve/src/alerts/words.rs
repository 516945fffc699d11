//! What messages say, in the language of the channel: sentences, subjects, pages, and the bodies of webhooks.

use outlook::{
    alert::{Against, Side, Speech, Why},
    playbook::{Unit, value},
    wording::{Language, Value, Words, say_with},
};
use revenue::calendar::Day;
use serde_json::json;

use super::{judge::Seen, plain};
use crate::review::escaped;

const BELOW: Words = Words::fixed(
    "{metric}, {period}: {figure}, below {limit}.",
    "{period}{metric}：{figure}，低于 {limit}。",
    "{metric}, {period} : {figure}, en dessous de {limit}.",
);
const ABOVE: Words = Words::fixed(
    "{metric}, {period}: {figure}, above {limit}.",
    "{period}{metric}：{figure}，高于 {limit}。",
    "{metric}, {period} : {figure}, au-dessus de {limit}.",
);
const NOT_BELOW: Words = Words::fixed(
    "{metric}, {period}: {figure}, no longer below {limit}.",
    "{period}{metric}：{figure}，不再低于 {limit}。",
    "{metric}, {period} : {figure}, n’est plus en dessous de {limit}.",
);
const NOT_ABOVE: Words = Words::fixed(
    "{metric}, {period}: {figure}, no longer above {limit}.",
    "{period}{metric}：{figure}，不再高于 {limit}。",
    "{metric}, {period} : {figure}, n’est plus au-dessus de {limit}.",
);
const CHANGED_BELOW: Words = Words::fixed(
    "{metric}, {period}: {figure} after {compared} ({other}), which is {+change}; below {+limit}.",
    "{period}{metric}：{figure}，{other}为 {compared}，变化 {+change}，低于 {+limit}。",
    "{metric}, {period} : {figure} après {compared} ({other}), soit {+change} ; en dessous de {+limit}.",
);
const CHANGED_ABOVE: Words = Words::fixed(
    "{metric}, {period}: {figure} after {compared} ({other}), which is {+change}; above {+limit}.",
    "{period}{metric}：{figure}，{other}为 {compared}，变化 {+change}，高于 {+limit}。",
    "{metric}, {period} : {figure} après {compared} ({other}), soit {+change} ; au-dessus de {+limit}.",
);
const NOT_CHANGED_BELOW: Words = Words::fixed(
    "{metric}, {period}: {figure} after {compared} ({other}), which is {+change}; no longer below {+limit}.",
    "{period}{metric}：{figure}，{other}为 {compared}，变化 {+change}，不再低于 {+limit}。",
    "{metric}, {period} : {figure} après {compared} ({other}), soit {+change} ; n’est plus en dessous de {+limit}.",
);
const NOT_CHANGED_ABOVE: Words = Words::fixed(
    "{metric}, {period}: {figure} after {compared} ({other}), which is {+change}; no longer above {+limit}.",
    "{period}{metric}：{figure}，{other}为 {compared}，变化 {+change}，不再高于 {+limit}。",
    "{metric}, {period} : {figure} après {compared} ({other}), soit {+change} ; n’est plus au-dessus de {+limit}.",
);
const OVER: Words = Words::fixed(
    "{metric}, {period}: this is no longer the case.",
    "{period}{metric}：该情况已不存在。",
    "{metric}, {period} : ce n’est plus le cas.",
);
const HOLDS: Words = Words::fixed(
    "{metric}, {period}: this is the case.",
    "{period}{metric}：成立。",
    "{metric}, {period} : c’est le cas.",
);
const CONDITION: Words = Words::fixed(
    "{period}: {condition} ({evidence}).",
    "{period}：{condition}（{evidence}）。",
    "{period} : {condition} ({evidence}).",
);
const RESTATED: Words = Words::fixed(
    "The figures of {period} were stated anew by facts that came later; before it was {was}.",
    "{period}的数据因后来的事实而更新；此前为 {was}。",
    "Les chiffres de {period} ont été revus par des faits arrivés depuis ; c’était {was} avant.",
);
const RESTATED_PLAIN: Words = Words::fixed(
    "The figures of {period} were stated anew by facts that came later.",
    "{period}的数据因后来的事实而更新。",
    "Les chiffres de {period} ont été revus par des faits arrivés depuis.",
);
const TAKEN_BACK: Words = Words::fixed(
    "{metric}: what was said of {period} is not so by what is known today: {now} instead of {was}.",
    "{metric}：此前关于{period}的提醒按今日所知不成立：{now}，当时为 {was}。",
    "{metric} : ce qui a été dit de {period} n’est plus vrai d’après ce que l’on sait aujourd’hui : {now} au lieu de {was}.",
);
const TAKEN_BACK_PLAIN: Words = Words::fixed(
    "{metric}: what was said of {period} is not so by what is known today.",
    "{metric}：此前关于{period}的提醒按今日所知不成立。",
    "{metric} : ce qui a été dit de {period} n’est plus vrai d’après ce que l’on sait aujourd’hui.",
);
const OPEN: Words = Words::fixed("The period is not over.", "该周期尚未结束。", "La période n’est pas terminée.");
const BUNDLE: Words = Words::fixed(
    "{count} messages from the quiet hours",
    "免打扰时段的 {count} 条消息",
    "{count} messages des heures calmes",
);
const TEST: Words = Words::fixed(
    "This is a test of the channel {channel}: messages arrive.",
    "这是渠道 {channel} 的测试：消息可以送达。",
    "Ceci est un essai du canal {channel} : les messages arrivent.",
);
const NOTICE: Words = Words::fixed(
    "Messages to the channel {channel} were given up after many attempts; the delivery log says why.",
    "发往渠道 {channel} 的消息在多次尝试后已放弃；原因见投递日志。",
    "Les messages au canal {channel} ont été abandonnés après de nombreux essais ; le journal des envois dit pourquoi.",
);

/// A message before it has a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The subject, in one line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The page.
    pub html: Option<String>,
    /// What it is about, for programs.
    pub data: serde_json::Value,
}

/// A condition with its figures.
pub fn condition(text: &str, month: Day, evidence: &str, language: Language) -> String {
    let name = |text: &str| Value::Name(text.to_owned());
    let values = [("period", Value::month(month)), ("condition", name(text)), ("evidence", name(evidence))];
    say_with(&CONDITION, language, &values)
}

/// One speech of a rule, as a sentence or two.
fn sentence(seen: &Seen, speech: &Speech, language: Language) -> String {
    let look = &speech.look;
    let name = Value::Words(seen.name.clone());
    let period = Value::Period(seen.grain, look.period);
    let is_change = seen.against != Against::Nothing;
    // A change is a share, whatever it is a change of.
    let judged = |number: i128| value(number, if is_change { Unit::Share } else { seen.unit }, seen.currency);
    let figure = |number: Option<i128>| value(number.unwrap_or_default(), seen.unit, seen.currency);
    let number = look.reading.clone().unwrap_or_default();
    let has_figure = look.figure.is_some();
    let mut parts = Vec::new();
    match speech.why {
        Why::TakenBack => {
            let mut values = vec![("metric", name), ("period", period)];
            match (has_figure, speech.was) {
                (true, Some(was)) => {
                    values.extend([("now", judged(number)), ("was", judged(was))]);
                    parts.push(say_with(&TAKEN_BACK, language, &values));
                }
                _ => parts.push(say_with(&TAKEN_BACK_PLAIN, language, &values)),
            }
            return parts.concat();
        }
        Why::Fired | Why::RestatedFired | Why::Over | Why::RestatedOver => {
            let fires = matches!(speech.why, Why::Fired | Why::RestatedFired);
            let is_below = seen.limit.side == Side::Below;
            let values = vec![("metric", name), ("period", period.clone())];
            parts.push(match (seen.says.get(&look.period), has_figure) {
                (Some(words), false) if fires => words.say(language).to_owned(),
                (_, false) => {
                    let words = if fires { HOLDS } else { OVER };
                    say_with(&words, language, &values)
                }
                (_, true) if is_change => {
                    let words = match (fires, is_below) {
                        (true, true) => CHANGED_BELOW,
                        (true, false) => CHANGED_ABOVE,
                        (false, true) => NOT_CHANGED_BELOW,
                        (false, false) => NOT_CHANGED_ABOVE,
                    };
                    let other = seen.against.period(look.period, seen.grain).unwrap_or(look.period);
                    let mut values = values;
                    values.extend([
                        ("figure", figure(look.figure)),
                        ("compared", figure(look.compared)),
                        ("other", Value::Period(seen.grain, other)),
                        // A tenth of a per cent is as much as anybody reads.
                        ("change", judged(number)),
                        ("limit", judged(seen.limit.limit)),
                    ]);
                    say_with(&words, language, &values)
                }
                (_, true) => {
                    let words = match (fires, is_below) {
                        (true, true) => BELOW,
                        (true, false) => ABOVE,
                        (false, true) => NOT_BELOW,
                        (false, false) => NOT_ABOVE,
                    };
                    let mut values = values;
                    values.extend([("figure", figure(look.figure)), ("limit", judged(seen.limit.limit))]);
                    say_with(&words, language, &values)
                }
            });
        }
    }
    if let (Why::RestatedFired | Why::RestatedOver, Some(was)) = (speech.why, speech.was) {
        let mut values = vec![("period", period)];
        if has_figure {
            values.push(("was", judged(was)));
        }
        let words = if has_figure { RESTATED } else { RESTATED_PLAIN };
        parts.push(say_with(&words, language, &values));
    }
    if look.is_open {
        parts.push(say_with(&OPEN, language, &[]));
    }
    parts.join(if language == Language::Chinese { "" } else { " " })
}

fn subject(text: &str) -> String {
    // A subject is one line, and nobody reads more than its beginning.
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
    let cut: String = line.chars().take(140).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { line }
}

fn page(lines: &[String], link: Option<&str>) -> String {
    let mut out = String::from("<!doctype html>\n<html><head><meta charset=\"utf-8\"></head>\n<body>\n");
    for line in lines {
        out.push_str(&format!("<p>{}</p>\n", escaped(line)));
    }
    if let Some(link) = link {
        out.push_str(&format!("<p><a href=\"{0}\">{0}</a></p>\n", escaped(link)));
    }
    out.push_str("</body></html>\n");
    out
}

fn with_link(lines: &[String], link: Option<&str>) -> String {
    let mut text = lines.join("\n");
    if let Some(link) = link {
        text.push_str(&format!("\n\n{link}"));
    }
    text.push('\n');
    text
}

/// What a rule says.
pub fn alert(rule: &str, seen: &Seen, speeches: &[Speech], language: Language, link: Option<&str>) -> Said {
    let lines: Vec<String> = speeches.iter().map(|speech| sentence(seen, speech, language)).collect();
    let number = |number: Option<i128>| number.map_or(serde_json::Value::Null, |number| plain(number).into());
    let has_limit = seen.looks.iter().any(|look| look.figure.is_some());
    let changes: Vec<serde_json::Value> = speeches
        .iter()
        .zip(&lines)
        .map(|(speech, says)| {
            json!({
                "why": speech.why.name(),
                "period": speech.look.period.to_string(),
                "grain": seen.grain.name(),
                "is_open": speech.look.is_open,
                "figure": number(speech.look.figure),
                "compared": number(speech.look.compared),
                "number": number(speech.look.reading.as_ref().ok().copied().filter(|_| has_limit)),
                "was": number(speech.was.filter(|_| has_limit)),
                "says": says,
            })
        })
        .collect();
    let unit = match seen.unit {
        Unit::Money => seen.currency.code(),
        Unit::Share => "fraction",
        Unit::Count => "count",
        Unit::Number => "number",
    };
    let data = json!({
        "rule": rule,
        "about": seen.name.say(language),
        "unit": if has_limit { unit.into() } else { serde_json::Value::Null },
        "limit": number(Some(seen.limit.limit).filter(|_| has_limit)),
        "changes": changes,
        "url": link,
    });
    Said {
        subject: subject(lines.last().map_or("", String::as_str)),
        text: with_link(&lines, link),
        html: Some(page(&lines, link)),
        data,
    }
}

/// A review.
pub fn digest(name: &str, period: Day, review: &crate::review::Review, link: Option<&str>) -> Said {
    let mut text = review.text();
    let mut html = review.html();
    if let Some(link) = link {
        text.push_str(&format!("\n{link}\n"));
        html = html.replace("</main>", &format!("<p><a href=\"{0}\">{0}</a></p>\n</main>", escaped(link)));
    }
    Said {
        subject: subject(&review.title),
        text,
        html: Some(html),
        data: json!({"digest": name, "period": period.to_string(), "review": review, "url": link}),
    }
}

/// A test.
pub fn test(channel: &str, language: Language, link: Option<&str>) -> Said {
    plainly(&TEST, channel, language, link)
}

/// That another channel fails.
pub fn notice(channel: &str, language: Language, link: Option<&str>) -> Said {
    plainly(&NOTICE, channel, language, link)
}

fn plainly(words: &Words, channel: &str, language: Language, link: Option<&str>) -> Said {
    let lines = [say_with(words, language, &[("channel", Value::Name(channel.to_owned()))])];
    Said {
        subject: subject(&lines[0]),
        text: with_link(&lines, link),
        html: None,
        data: json!({"channel": channel, "says": lines[0], "url": link}),
    }
}

/// The subject of several messages in one.
pub fn bundle(count: usize, language: Language) -> String {
    say_with(&BUNDLE, language, &[("count", Value::Count(count as i128))])
}

/// The body of a webhook.
pub fn payload(kind: &str, at: &str, data: &serde_json::Value) -> String {
    json!({"type": format!("recurve.{kind}"), "timestamp": at, "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use outlook::{
        alert::{Limit, Look},
        condition::ONE,
    };
    use revenue::{calendar::Grain, money::Currency};

    use super::*;

    fn seen(against: Against, side: Side) -> Seen {
        let limit = if against == Against::Nothing { 10_000 * ONE } else { -ONE / 20 };
        Seen {
            limit: Limit { side, limit, slack: 0, running: 1 },
            looks: vec![look(9_500 * ONE)],
            grain: Grain::Month,
            against,
            unit: Unit::Money,
            currency: Currency::USD,
            name: Words::fixed("MRR", "MRR", "MRR"),
            says: BTreeMap::new(),
        }
    }

    fn look(number: i128) -> Look {
        let period = Day::parse("2024-06-01").unwrap();
        let figure = Some(9_500 * ONE);
        Look { period, is_open: false, reading: Ok(number), figure, compared: Some(10_250 * ONE) }
    }

    fn said(against: Against, side: Side, why: Why, was: Option<i128>) -> [String; 3] {
        let number = if against == Against::Nothing { 9_500 * ONE } else { -73_170_731_708 };
        let speech = Speech { why, look: look(number), was };
        Language::ALL.map(|language| sentence(&seen(against, side), &speech, language))
    }

    /// What people read, word for word.
    #[test]
    fn sentences_in_three_languages() {
        let mut all = String::new();
        for (against, side, why, was) in [
            (Against::Nothing, Side::Below, Why::Fired, None),
            (Against::Nothing, Side::Above, Why::Fired, None),
            (Against::Nothing, Side::Below, Why::Over, None),
            (Against::PeriodBefore, Side::Below, Why::Fired, None),
            (Against::YearAgo, Side::Above, Why::Over, None),
            (Against::Nothing, Side::Below, Why::RestatedFired, Some(12_000 * ONE)),
            (Against::PeriodBefore, Side::Below, Why::RestatedOver, Some(-ONE / 10)),
            (Against::Nothing, Side::Below, Why::TakenBack, Some(8_000 * ONE)),
        ] {
            for line in said(against, side, why, was) {
                assert!(!line.contains(['{', '}']), "{line}");
                all.push_str(&line.replace(['\u{202f}', '\u{a0}'], " "));
                all.push('\n');
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn every_other_text_can_be_said_in_every_language() {
        let day = Day::parse("2024-06-01").unwrap();
        for language in Language::ALL {
            for text in [
                condition("mrr < 5", day, "mrr 2024-06 4", language),
                test("ops", language, None).text,
                notice("ops", language, Some("https://example.com/alerts")).text,
                bundle(3, language),
            ] {
                assert!(!text.contains(['{', '}']), "{text}");
            }
            let plain = Seen { says: BTreeMap::new(), limit: Limit::HOLDS, ..seen(Against::Nothing, Side::Above) };
            for (why, _) in Why::ALL {
                let look = Look { figure: None, is_open: true, ..look(ONE) };
                let text = sentence(&plain, &Speech { why, look, was: Some(ONE) }, language);
                assert!(!text.contains(['{', '}']) && !text.is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn a_page_escapes_what_people_wrote() {
        let mut seen = seen(Against::Nothing, Side::Below);
        seen.name = Words::fixed("<b>", "<b>", "<b>");
        let speech = Speech { why: Why::Fired, look: look(9_500 * ONE), was: None };
        let said = alert("low", &seen, &[speech], Language::English, Some("https://x.example/alerts?a=\"b\""));
        let html = said.html.unwrap();
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>") && !html.contains("=\"b\""), "{html}");
        assert_eq!(said.data["changes"][0]["figure"], "9500");
    }
}
