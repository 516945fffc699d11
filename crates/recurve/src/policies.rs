//! Policies by name: those that come with the product, those in the data folder, or a file.

use std::path::Path;

use revenue::policy::{Policy, PolicyError};

/// The policies of the product, with their files.
const PRESETS: &[(&str, &str)] = &[
    ("default", include_str!("../../../policies/default.toml")),
    ("stripe", include_str!("../../../policies/stripe.toml")),
    ("chartmogul", include_str!("../../../policies/chartmogul.toml")),
    ("profitwell", include_str!("../../../policies/profitwell.toml")),
];

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// There is none of that name.
    #[error(
        "there is no policy `{name}`: it is none of {presets}, there is no file `{name}`, and none in {folder}. \
         A policy is a TOML file with a table [settings]; `recurve policy` lists what it may say"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that come with the product.
        presets: String,
        /// Where the user's own are.
        folder: String,
    },
    /// The file cannot be read.
    #[error("cannot read the policy `{name}`: {cause}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        cause: String,
    },
    /// A setting is not one.
    #[error("the policy `{name}`: {cause}")]
    Setting {
        /// Its name.
        name: String,
        /// What is wrong.
        cause: PolicyError,
    },
}

/// The names of the policies that come with the product.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The names of every policy that a data folder can be looked at under: those of the product, then its own.
pub fn known(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("policies")).into_iter().flatten().flatten();
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    let mut own: Vec<String> = files.filter_map(|path| stem(&path)).collect();
    own.sort();
    presets().map(str::to_owned).chain(own).collect()
}

/// A policy by name or file.
pub fn find(name: &str, data: &Path) -> Result<Policy, PolicyFileError> {
    if let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
        return read(name, text);
    }
    let own = data.join("policies").join(format!("{name}.toml"));
    let file = [own.as_path(), Path::new(name)].into_iter().find(|file| file.is_file());
    let Some(file) = file else {
        return Err(PolicyFileError::Unknown {
            name: name.to_owned(),
            presets: presets().collect::<Vec<_>>().join(", "),
            folder: data.join("policies").display().to_string(),
        });
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| PolicyFileError::Unreadable { name: name.to_owned(), cause: error.to_string() })?;
    read(name, &text)
}

fn read(name: &str, text: &str) -> Result<Policy, PolicyFileError> {
    let unreadable = |cause: String| PolicyFileError::Unreadable { name: name.to_owned(), cause };
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
    let Some(settings) = file.get("settings").and_then(toml::Value::as_table) else {
        return Err(unreadable("it has no table [settings]".to_owned()));
    };
    let mut policy = Policy::default();
    for (setting, value) in settings {
        let value = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        policy.set(setting, &value).map_err(|cause| PolicyFileError::Setting { name: name.to_owned(), cause })?;
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_reads_and_the_first_is_the_default() {
        for name in presets() {
            find(name, Path::new("nowhere")).unwrap();
        }
        assert_eq!(find("default", Path::new("nowhere")).unwrap(), Policy::default());
    }

    #[test]
    fn a_misspelt_policy_or_setting_says_what_there_is() {
        let error = find("strype", Path::new("nowhere")).unwrap_err().to_string();
        assert!(error.contains("stripe") && error.contains("nowhere"), "{error}");
        let error = read("mine", "[settings]\ndiscount = 'all'").unwrap_err().to_string();
        assert!(error.contains("discounts"), "{error}");
    }
}
