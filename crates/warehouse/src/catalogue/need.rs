//! The kinds of fact that a metric can need.
//!
//! A metric whose facts are missing answers "no data: needs spend", never zero. This table
//! is where that answer gets its names from.

use std::collections::BTreeSet;

use outlook::wording::{Language, Words};

/// A kind of fact, by the name that `needs` and the answers use.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    /// The name, as in `needs = ["spend"]`.
    pub id: &'static str,
    /// What a person calls it.
    pub words: Words,
    /// Kinds of fact that serve as well.
    pub or: &'static [&'static str],
}

/// The names of the facts that are missing, in alphabetical order.
pub type Needs = BTreeSet<&'static str>;

const fn need(id: &'static str, en: &'static str, zh: &'static str, fr: &'static str) -> Need {
    either(id, &[], en, zh, fr)
}

/// A kind of fact that others can stand in for.
const fn either(
    id: &'static str,
    or: &'static [&'static str],
    en: &'static str,
    zh: &'static str,
    fr: &'static str,
) -> Need {
    Need { id, words: Words::fixed(en, zh, fr), or }
}

/// Every kind of fact, in the order of the rules (`mrr-rules.md`, "Facts").
pub const NEEDS: &[Need] = &[
    need("customer", "customers", "客户", "clients"),
    need("plan", "plans", "套餐", "forfaits"),
    need("subscription", "subscriptions", "订阅", "abonnements"),
    need("contract", "contracts", "合同", "contrats"),
    need("invoice_line", "invoice lines", "发票明细", "lignes de facture"),
    need("payment", "payments", "付款", "paiements"),
    either("spend", &["cost"], "marketing and sales spend", "营销与销售支出", "dépenses marketing et commerciales"),
    need("cost", "costs", "成本", "coûts"),
    need("cash_balance", "cash balances", "现金余额", "soldes de trésorerie"),
    either("visit", &["visit_total"], "visits", "访问", "visites"),
    need("visit_total", "visits by day", "每日访问量", "visites par jour"),
    need("lead", "leads", "线索", "prospects"),
    either("trial", &["subscription"], "trials", "试用", "essais"),
    need("signup", "sign-ups", "注册", "inscriptions"),
    need("product_event", "product events", "产品事件", "événements d’usage"),
    need("ticket", "support tickets", "支持工单", "tickets d’assistance"),
    need("survey_answer", "survey answers", "调查回答", "réponses aux enquêtes"),
    need("referral", "referrals", "推荐", "parrainages"),
    need("experiment_arm", "experiment arms", "实验分组", "bras d’expérience"),
    need("fx_rate", "exchange rates", "汇率", "taux de change"),
    need("note", "notes", "备注", "notes"),
];

/// The kind of fact of that name.
pub fn find(id: &str) -> Option<&'static Need> {
    NEEDS.iter().find(|need| need.id == id)
}

/// The note beside a value that is missing for want of facts: "no data: needs spend".
///
/// English keeps the names of the fact kinds, which are also those of `recurve import`;
/// the other languages say them in words.
pub fn no_data(needs: &Needs, language: Language) -> String {
    let names = needs.iter().map(|id| match (language, find(id)) {
        (Language::English, _) | (_, None) => (*id).to_owned(),
        (_, Some(need)) => need.words.say(language).to_owned(),
    });
    let names: Vec<String> = names.collect();
    match language {
        Language::English => format!("no data: needs {}", names.join(", ")),
        Language::Chinese => format!("无数据：需要{}", names.join("、")),
        Language::French => format!("pas de données : il manque {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_names_what_is_missing() {
        let needs = Needs::from(["spend", "cost"]);
        assert_eq!(no_data(&needs, Language::English), "no data: needs cost, spend");
        assert_eq!(no_data(&needs, Language::Chinese), "无数据：需要成本、营销与销售支出");
        assert_eq!(
            no_data(&needs, Language::French),
            "pas de données : il manque coûts, dépenses marketing et commerciales"
        );
    }
}
