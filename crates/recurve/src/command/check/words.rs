//! What is said of a law that does not hold, in every language.

use outlook::wording::{Language, Words};
use revenue::law::Seen;

pub const ANOTHER_LEDGER: &str = "the same facts gave another ledger";
pub const ANOTHER_ORDER: &str = "rows in another order, or twice, gave another ledger";
pub const ANOTHER_PAST: &str = "what was known after import {import} is not told as it was";
pub const OF_CUSTOMER: &str = "customer `{customer}`: {seen}";
pub const OF_LINE: &str = "line `{line}` of invoice `{invoice}`, customer `{customer}`: {seen}";

/// The sentences by their English.
const SENTENCES: &[Words] = &[
    Words::fixed(ANOTHER_LEDGER, "相同的事实得出了另一个账本", "les mêmes faits ont donné un autre grand livre"),
    Words::fixed(
        ANOTHER_ORDER,
        "行的顺序不同或重复时，得出了另一个账本",
        "des lignes dans un autre ordre, ou en double, ont donné un autre grand livre",
    ),
    Words::fixed(
        ANOTHER_PAST,
        "导入 {import} 之后所知的内容，现在的说法与当时不同",
        "ce qui était connu après l’import {import} n’est plus dit comme alors",
    ),
    Words::fixed(OF_CUSTOMER, "客户 `{customer}`：{seen}", "client `{customer}` : {seen}"),
    Words::fixed(
        OF_LINE,
        "客户 `{customer}` 的发票 `{invoice}` 的明细 `{line}`：{seen}",
        "ligne `{line}` de la facture `{invoice}`, client `{customer}` : {seen}",
    ),
    Words::fixed(
        "day {day} comes after day {before}",
        "第 {day} 天排在第 {before} 天之后",
        "le jour {day} vient après le jour {before}",
    ),
    Words::fixed(
        "MRR falls to {micros} micro-units on day {day}",
        "第 {day} 天 MRR 降至 {micros} 微单位",
        "le MRR tombe à {micros} micro-unités le jour {day}",
    ),
    Words::fixed(
        "a movement `{kind}` on day {day} takes MRR from {before} to {after} micro-units",
        "第 {day} 天的变动 `{kind}` 使 MRR 从 {before} 变为 {after} 微单位",
        "un mouvement `{kind}` le jour {day} fait passer le MRR de {before} à {after} micro-unités",
    ),
    Words::fixed(
        "the segments hold {segments}, the whole {whole}",
        "各分组合计 {segments}，整体 {whole}",
        "les segments contiennent {segments}, le tout {whole}",
    ),
    Words::fixed(
        "plan `{plan}` holds {micros} micro-units",
        "套餐 `{plan}` 为 {micros} 微单位",
        "l’offre `{plan}` contient {micros} micro-unités",
    ),
    Words::fixed(
        "movement {number}: the ledger has {found}, the reference evaluator {wanted}",
        "变动 {number}：账本为 {found}，参照账本为 {wanted}",
        "mouvement {number} : le grand livre a {found}, l’évaluateur de référence {wanted}",
    ),
    Words::fixed(
        "{kind} of {micros} micro-units on {day} (subscription {subscription}, offer {offer})",
        "{day} 的 {kind}，{micros} 微单位（订阅 {subscription}，报价 {offer}）",
        "{kind} de {micros} micro-unités le {day} (abonnement {subscription}, offre {offer})",
    ),
    Words::fixed("nothing", "无", "rien"),
    Words::fixed(
        "of the {size} customers of {cohort} there are {left} left at age {age}",
        "{cohort} 的 {size} 位客户在第 {age} 期还剩 {left} 位",
        "des {size} clients de {cohort}, il en reste {left} à l’âge {age}",
    ),
    Words::fixed(
        "MRR of the cohorts before {day}: {found}, the ledger says {wanted}",
        "{day} 之前各同期群的 MRR：{found}，账本为 {wanted}",
        "MRR des cohortes avant le {day} : {found}, le grand livre dit {wanted}",
    ),
    Words::fixed(
        "customers of the cohorts before {day}: {found}, the ledger says {wanted}",
        "{day} 之前各同期群的客户：{found}，账本为 {wanted}",
        "clients des cohortes avant le {day} : {found}, le grand livre dit {wanted}",
    ),
    Words::fixed(
        "first payments before {day}: {found}, the ledger says {wanted}",
        "{day} 之前的首次付费：{found}，账本为 {wanted}",
        "premiers paiements avant le {day} : {found}, le grand livre dit {wanted}",
    ),
    Words::fixed(
        "MRR of first payments before {day}: {found}, the ledger says {wanted}",
        "{day} 之前首次付费的 MRR：{found}，账本为 {wanted}",
        "MRR des premiers paiements avant le {day} : {found}, le grand livre dit {wanted}",
    ),
    Words::fixed(
        "the cohorts speak of a period that ends on {day}, which the ledger does not have",
        "同期群中有一个于 {day} 结束的期间，账本中没有",
        "les cohortes parlent d’une période qui finit le {day}, que le grand livre n’a pas",
    ),
    Words::fixed(
        "{currency}: facts state {stated} micro-units, the ledger holds {booked}",
        "{currency}：事实为 {stated} 微单位，账本为 {booked}",
        "{currency} : les faits disent {stated} micro-unités, le grand livre contient {booked}",
    ),
    Words::fixed(
        "recognised + deferred + cancelled is {left} micro-units, billed + unbilled is {right}",
        "已确认 + 递延 + 取消为 {left} 微单位，已开票 + 未开票为 {right}",
        "acquis + différé + annulé fait {left} micro-unités, facturé + à facturer fait {right}",
    ),
    Words::fixed(
        "cash + receivables is {left} micro-units, what is owed + what was gained is {right}",
        "现金 + 应收为 {left} 微单位，负债 + 收益为 {right}",
        "trésorerie + créances fait {left} micro-unités, ce qui est dû + ce qui fut gagné fait {right}",
    ),
    Words::fixed(
        "{micros} micro-units are earned before the service begins",
        "{micros} 微单位在服务开始前就已确认",
        "{micros} micro-unités sont acquises avant le début du service",
    ),
    Words::fixed(
        "{micros} micro-units are still deferred when the service has ended",
        "服务结束后仍有 {micros} 微单位为递延",
        "{micros} micro-unités sont encore différées à la fin du service",
    ),
    Words::fixed(
        "{micros} micro-units are still unbilled when the bill is out",
        "发票开出后仍有 {micros} 微单位未开票",
        "{micros} micro-unités restent à facturer quand la facture est émise",
    ),
];

/// What was seen, in a language.
pub fn say(seen: &Seen, language: Language) -> String {
    seen.say(&|sentence| {
        let words = SENTENCES.iter().find(|words| words.en == sentence);
        words.map_or(sentence, |words| words.say(language)).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use revenue::law::SEEN;

    use super::*;

    /// The places of a sentence.
    fn places(sentence: &str) -> BTreeSet<&str> {
        sentence.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_sentence_is_there_in_every_language_with_the_same_places() {
        let own = [ANOTHER_LEDGER, ANOTHER_ORDER, ANOTHER_PAST, OF_CUSTOMER, OF_LINE];
        let all: BTreeSet<&str> = SEEN.iter().copied().chain(own).collect();
        assert_eq!(all, SENTENCES.iter().map(|words| words.en.as_ref()).collect());
        for words in SENTENCES {
            for language in Language::ALL {
                assert_eq!(places(words.say(language)), places(&words.en), "{language:?}: {}", words.en);
            }
            assert_ne!(words.zh, words.en);
            assert_ne!(words.fr, words.en);
        }
    }

    #[test]
    fn a_sentence_within_another_is_said_in_the_same_language() {
        let inner = Seen::of(SEEN[0], [("day", &5), ("before", &7)]);
        let seen = Seen::of(OF_CUSTOMER, [("customer", &"ann")]).with("seen", inner);
        assert_eq!(say(&seen, Language::English), "customer `ann`: day 5 comes after day 7");
        assert_eq!(say(&seen, Language::English), seen.to_string());
        assert_eq!(say(&seen, Language::French), "client `ann` : le jour 5 vient après le jour 7");
        assert_eq!(say(&seen, Language::Chinese), "客户 `ann`：第 5 天排在第 7 天之后");
    }
}
