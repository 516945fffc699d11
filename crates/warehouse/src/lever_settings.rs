//! How far levers are moved and what is assumed of them, as a file: `levers.toml` of the product, with what the user says
//! otherwise laid over it.

use std::collections::BTreeMap;

use outlook::{
    lever::{BELIEFS, LEVERS, Range},
    wording::Words,
};
use toml::{Table, Value};

/// The settings of the product.
pub const BUILT_IN: (&str, &str) = ("levers.toml", include_str!("../../../levers.toml"));

/// The section of what is believed of the business itself.
pub const BUSINESS: &str = "business";

/// What is wrong with settings, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct LeverSettingsError {
    /// The file, or the option.
    pub place: String,
    /// What is wrong.
    pub fault: String,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// What people call it.
    pub name: Words,
    /// Whether one chooses it; otherwise it is something that is not known.
    pub is_chosen: bool,
    /// What is stated: a range, or a value as a range of no width. `None` where only facts can tell.
    pub stated: Option<Range>,
    /// Whether what facts say comes before what is stated.
    pub is_learnt: bool,
}

/// All settings by lever.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeverSettings {
    /// What people call each lever.
    pub names: BTreeMap<String, Words>,
    settings: BTreeMap<(String, String), Setting>,
}

/// In what a setting is stated: a share, unless it is money or beside something else.
#[must_use]
pub fn unit(section: &str, id: &str) -> &'static str {
    match (section, id) {
        (BUSINESS, "new_mrr") => "money",
        (BUSINESS, "churn_level") | ("raise_prices", "leaving" | "demand") => "ratio",
        _ => "share",
    }
}

/// The settings that there are: of the business and of each lever, what is chosen before what is assumed.
fn known(section: &str) -> Option<Vec<(&'static str, bool)>> {
    if section == BUSINESS {
        return Some(BELIEFS.iter().map(|name| (*name, false)).collect());
    }
    let entry = LEVERS.iter().find(|entry| entry.id == section)?;
    let chosen = entry.choices.iter().map(|name| (*name, true));
    Some(chosen.chain(entry.assumptions.iter().map(|name| (*name, false))).collect())
}

impl LeverSettings {
    /// The settings of the product.
    #[must_use]
    pub fn built_in() -> LeverSettings {
        let mut settings = LeverSettings::default();
        // A test holds that it can be read, and says all that there is.
        let _ = settings.overlay(BUILT_IN.0, BUILT_IN.1);
        settings
    }

    /// Lays a file of the user over these.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn overlay(&mut self, file: &str, text: &str) -> Result<(), LeverSettingsError> {
        let wrong = |fault: String| LeverSettingsError { place: file.to_owned(), fault };
        let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().trim().to_owned()))?;
        for (section, settings) in &table {
            let known = known(section).ok_or_else(|| wrong(no_lever(section)))?;
            let settings =
                settings.as_table().ok_or_else(|| wrong(format!("`{section}` is no section: write [{section}]")))?;
            for (id, value) in settings {
                if id == "name" {
                    let name = words(value).ok_or_else(|| wrong(format!("`{section}.name` needs en, zh and fr")))?;
                    self.names.insert(section.clone(), name);
                    continue;
                }
                let Some((_, is_chosen)) = known.iter().find(|(name, _)| name == id) else {
                    return Err(wrong(no_setting(section, id)));
                };
                let path = format!("{section}.{id}");
                let stated =
                    value.as_table().ok_or_else(|| wrong(format!("`{path}` is no section: write [{path}]")))?;
                let key = (section.clone(), id.clone());
                let before = self.settings.get(&key).cloned();
                let setting = setting(&path, stated, *is_chosen, before).map_err(&wrong)?;
                self.settings.insert(key, setting);
            }
        }
        Ok(())
    }

    /// Sets one: `raise_prices.rise=0.2`, and of what is not known also a range, `raise_prices.demand=0.1:0.3:0.5`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, text: &str) -> Result<(), LeverSettingsError> {
        let wrong = |fault: String| LeverSettingsError { place: format!("--set {text}"), fault };
        let form = "write LEVER.SETTING=VALUE, such as raise_prices.rise=0.2";
        let (path, value) = text.split_once('=').ok_or_else(|| wrong(form.to_owned()))?;
        let (section, id) = path.trim().split_once('.').ok_or_else(|| wrong(form.to_owned()))?;
        known(section).ok_or_else(|| wrong(no_lever(section)))?;
        let key = (section.to_owned(), id.to_owned());
        let setting = self.settings.get_mut(&key).ok_or_else(|| wrong(no_setting(section, id)))?;
        let numbers: Option<Vec<f64>> = value.split(':').map(|number| number.trim().parse().ok()).collect();
        let range = match numbers.as_deref() {
            Some([value]) => Range::exactly(*value),
            Some([lower, likely, upper]) if !setting.is_chosen => {
                Range { lower: *lower, likely: *likely, upper: *upper }
            }
            _ if setting.is_chosen => return Err(wrong("it needs one number".to_owned())),
            _ => return Err(wrong("it needs one number, or three: lower:likely:upper".to_owned())),
        };
        check(path, &range).map_err(wrong)?;
        setting.stated = Some(range);
        setting.is_learnt = false;
        Ok(())
    }

    /// A setting.
    #[must_use]
    pub fn get(&self, section: &str, id: &str) -> Option<&Setting> {
        self.settings.get(&(section.to_owned(), id.to_owned()))
    }

    /// The settings of a section, what is chosen before what is assumed.
    #[must_use]
    pub fn of(&self, section: &str) -> Vec<(&'static str, &Setting)> {
        let known = known(section).unwrap_or_default();
        known.into_iter().filter_map(|(id, _)| Some((id, self.get(section, id)?))).collect()
    }
}

fn no_lever(section: &str) -> String {
    let known = LEVERS.iter().map(|entry| entry.id).chain([BUSINESS]).collect::<Vec<_>>().join(", ");
    format!("there is no lever `{section}`; there are {known}")
}

fn no_setting(section: &str, id: &str) -> String {
    let known = known(section).unwrap_or_default().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    format!("`{section}` has no setting `{id}`; it has {known}")
}

/// Names in three languages.
fn words(value: &Value) -> Option<Words> {
    let table = value.as_table()?;
    let text = |language: &str| Some(table.get(language)?.as_str()?.to_owned());
    Some(Words::owned(text("en")?, text("zh")?, text("fr")?))
}

/// What a section says of a setting, over what was said before.
fn setting(path: &str, table: &Table, is_chosen: bool, before: Option<Setting>) -> Result<Setting, String> {
    let allowed: &[&str] =
        if is_chosen { &["name", "value"] } else { &["name", "value", "lower", "likely", "upper", "learnt"] };
    if let Some(key) = table.keys().find(|key| !allowed.contains(&key.as_str())) {
        return Err(format!("`{path}` has no `{key}`; it may have {}", allowed.join(", ")));
    }
    let number = |key: &str| -> Result<Option<f64>, String> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(_) => Err(format!("`{path}.{key}` has to be a number")),
        }
    };
    let name = match table.get("name") {
        Some(value) => words(value).ok_or_else(|| format!("`{path}.name` needs en, zh and fr"))?,
        None => before.as_ref().map(|before| before.name.clone()).ok_or_else(|| format!("`{path}` has no name"))?,
    };
    let old = before.as_ref().and_then(|before| before.stated);
    let (lower, likely, upper) = (number("lower")?, number("likely")?, number("upper")?);
    let (stated, says_so) = match number("value")? {
        Some(value) => (Some(Range::exactly(value)), true),
        None if lower.is_some() || likely.is_some() || upper.is_some() => {
            let part = |stated: Option<f64>, of: fn(&Range) -> f64, key: &str| {
                stated.or_else(|| old.as_ref().map(of)).ok_or_else(|| format!("`{path}` has no `{key}`"))
            };
            let range = Range {
                lower: part(lower, |range| range.lower, "lower")?,
                likely: part(likely, |range| range.likely, "likely")?,
                upper: part(upper, |range| range.upper, "upper")?,
            };
            (Some(range), true)
        }
        None => (old, false),
    };
    if let Some(range) = &stated {
        check(path, range)?;
    }
    let is_learnt = match table.get("learnt") {
        Some(Value::Boolean(learnt)) => *learnt,
        Some(_) => return Err(format!("`{path}.learnt` has to be true or false")),
        // What the user states holds.
        None => !says_so && before.as_ref().is_some_and(|before| before.is_learnt),
    };
    Ok(Setting { name, is_chosen, stated, is_learnt })
}

fn check(path: &str, range: &Range) -> Result<(), String> {
    let is_ordered = range.lower <= range.likely && range.likely <= range.upper;
    if [range.lower, range.likely, range.upper].iter().any(|number| !number.is_finite()) || !is_ordered {
        return Err(format!("`{path}` has to have lower ≤ likely ≤ upper"));
    }
    if range.lower < 0.0 && path != "business.growth" {
        return Err(format!("`{path}` cannot be below zero"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_the_product_say_all_that_there_is() {
        let mut settings = LeverSettings::default();
        settings.overlay(BUILT_IN.0, BUILT_IN.1).unwrap();
        assert_eq!(settings, LeverSettings::built_in());
        for section in LEVERS.iter().map(|entry| entry.id).chain([BUSINESS]) {
            let of = settings.of(section);
            assert_eq!(of.len(), known(section).unwrap().len(), "{section}");
            assert!(settings.names.contains_key(section));
            // What facts alone tell has no range; everything else has one.
            assert!(of.iter().all(|(_, setting)| setting.stated.is_some() != (section == BUSINESS)), "{section}");
        }
    }

    #[test]
    fn a_file_of_the_user_says_some_of_it_otherwise() {
        let mut settings = LeverSettings::built_in();
        settings
            .overlay(
                "mine.toml",
                "[raise_prices]\nrise.value = 0.5\nleaving.upper = 0.9\n[business.new_mrr]\nvalue = 1000\n",
            )
            .unwrap();
        assert_eq!(settings.get("raise_prices", "rise").unwrap().stated, Some(Range::exactly(0.5)));
        let leaving = settings.get("raise_prices", "leaving").unwrap();
        assert_eq!(
            (leaving.stated.unwrap().likely, leaving.stated.unwrap().upper, leaving.is_learnt),
            (0.25, 0.9, false)
        );
        assert_eq!(settings.get("business", "new_mrr").unwrap().stated, Some(Range::exactly(1000.0)));
        assert!(settings.get("business", "growth").unwrap().is_learnt);
        settings.set("raise_prices.demand=0.1:0.3:0.5").unwrap();
        let demand = settings.get("raise_prices", "demand").unwrap().stated;
        assert_eq!(demand, Some(Range { lower: 0.1, likely: 0.3, upper: 0.5 }));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mending() {
        let mut settings = LeverSettings::built_in();
        for (text, words) in [
            ("raise_price.rise=1", "there is no lever `raise_price`; there are lower_churn, raise_prices"),
            ("raise_prices.raise=1", "no setting `raise`; it has rise, existing, leaving, demand"),
            ("raise_prices.rise=0.1:0.2:0.3", "one number"),
            ("raise_prices.leaving=0.3:0.2:0.1", "lower ≤ likely ≤ upper"),
            ("raise_prices.rise=-0.1", "below zero"),
            ("raise_prices.rise", "LEVER.SETTING=VALUE"),
        ] {
            let error = settings.set(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        for (text, words) in [
            ("[raise_prices.rise]\nlower = 1", "has no `lower`"),
            ("[raise_prices.leaving]\nlower = 'a'", "has to be a number"),
            ("[raise_prices.leaving]\nlower = 0.5", "lower ≤ likely"),
            ("raise_prices = 3", "write [raise_prices]"),
            ("[business.growth]\nlikely = 0.1", "has no `lower`"),
        ] {
            let error = settings.overlay("mine.toml", text).unwrap_err().to_string();
            assert!(error.starts_with("mine.toml: ") && error.contains(words), "{text}: {error}");
        }
    }
}
