//! What `recurve explain` says around a figure, in every language.

use outlook::wording::{Language, Words};
use revenue::calendar::Day;

pub const FORMULA: Words = Words::fixed("formula", "公式", "formule");
pub const PERIOD: Words = Words::fixed("period", "期间", "période");
pub const LOOKS_AT: Words = Words::fixed("looks at", "观察范围", "porte sur");
pub const POLICY: Words = Words::fixed("policy", "口径", "règles");
pub const FIGURE: Words = Words::fixed("figure", "数值", "valeur");
pub const OPENING: Words = Words::fixed("opening", "期初", "ouverture");
pub const MOVEMENTS: Words = Words::fixed("movements", "变动", "mouvements");
pub const CLOSING: Words = Words::fixed("closing", "期末", "clôture");

const DAYS: Words = Words::fixed("{from} to {to}", "{from} 至 {to}", "du {from} au {to}");
pub const BEFORE: Words = Words::fixed("{money} before {day}", "{money}（{day} 之前）", "{money} avant le {day}");
pub const AFTER: Words = Words::fixed("{money} after {day}", "{money}（{day} 之后）", "{money} après le {day}");
pub const IN_ROWS: Words = Words::fixed(
    "{money} in {rows} rows ({kinds})",
    "{money}，共 {rows} 行（{kinds}）",
    "{money} en {rows} lignes ({kinds})",
);
pub const DO_NOT_ADD_UP: Words = Words::fixed(
    "these do not add up: run `recurve check`",
    "三者不相符：请运行 `recurve check`",
    "le compte n’y est pas : lancez `recurve check`",
);
pub const ARE_NOT_THE_MEASURE: Words = Words::fixed(
    "these do not add up to the measure, {value}: run `recurve check`",
    "合计与该数值 {value} 不相符：请运行 `recurve check`",
    "leur somme n’est pas la mesure, {value} : lancez `recurve check`",
);
pub const ONE_FACT: Words = Words::fixed("1 fact", "1 条事实", "1 fait");
pub const FACTS: Words = Words::fixed("{count} facts", "{count} 条事实", "{count} faits");
pub const TOGETHER: Words = Words::fixed("{facts}, together {sum}", "{facts}，合计 {sum}", "{facts}, ensemble {sum}");
pub const WORKED_OUT: Words = Words::fixed("worked out from {facts}", "由 {facts}推算", "calculé à partir de {facts}");
pub const MORE_FACTS: Words = Words::fixed(
    "{count} more facts; --limit shows more, --format csv all of them",
    "还有 {count} 条事实；--limit 显示更多，--format csv 显示全部",
    "{count} faits de plus ; --limit en montre davantage, --format csv les montre tous",
);
pub const MORE_CUSTOMERS: Words = Words::fixed(
    "{count} more customers; --limit shows more, --format csv all of them",
    "还有 {count} 位客户；--limit 显示更多，--format csv 显示全部",
    "{count} clients de plus ; --limit en montre davantage, --format csv les montre tous",
);

/// From a day on, and to another no more; both days that are said belong to it.
pub fn days(from: Day, to: Day) -> Words {
    DAYS.with("{from}", || from.to_string()).with("{to}", || to.plus_days(-1).to_string())
}

/// A label as wide as every other: a Chinese character takes two columns of a terminal.
pub fn label(words: &Words, language: Language) -> String {
    const COLUMNS: usize = 11;
    let text = words.say(language);
    let columns: usize = text.chars().map(|letter| if letter < '\u{2e80}' { 1 } else { 2 }).sum();
    format!("{text}{}", " ".repeat(COLUMNS.saturating_sub(columns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_label_begins_in_the_same_column() {
        assert_eq!(label(&FORMULA, Language::English), "formula    ");
        assert_eq!(label(&FORMULA, Language::Chinese), "公式       ");
        assert_eq!(label(&LOOKS_AT, Language::French), "porte sur  ");
    }
}
