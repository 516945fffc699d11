//! The key to an account: where it comes from, and that it may do nothing but read.
//!
//! It stands in a file that nobody else may read, or in the environment; never in a setting, on a command line, in a log
//! or in what is passed on.

use std::{fmt, fs, io, path::Path};

use sha2::{Digest, Sha256};

/// The variable that may hold it.
pub const VARIABLE: &str = "RECURVE_STRIPE_KEY";
/// The setting that names the file with it.
pub const SETTING: &str = "stripe_key_file";

/// Refuses a key that was given instead of its file.
pub fn not_in_plain(file: &Path) -> Result<(), KeyError> {
    let text = file.to_string_lossy();
    let is_key = ["rk_", "sk_"].iter().any(|beginning| text.trim().starts_with(beginning)) && !file.exists();
    if is_key { Err(KeyError::InPlain) } else { Ok(()) }
}

/// A restricted key.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_live() { "rk_live_…" } else { "rk_test_…" })
    }
}

/// Why there is no key that can be used. No words of it hold a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None was given.
    #[error(
        "there is no key to Stripe: make a restricted key that may read (docs/stripe.md says which permissions), put it \
         into a file that only you can read, and name the file with --key-file or `recurve init --set \
         stripe_key_file=FILE`; or set {VARIABLE}"
    )]
    Missing,
    /// The key itself stands where its file should be named.
    #[error(
        "a key stands where the file with it should be named, so that it may be in the history of your shell: roll it in \
         Stripe, put the new one into a file that only you can read, and name that file"
    )]
    InPlain,
    /// The file cannot be read.
    #[error("the file with the key to Stripe, {file}, cannot be read: {cause}")]
    File {
        /// The file.
        file: String,
        /// Why.
        cause: io::Error,
    },
    /// Others may read the file.
    #[error("others on this machine may read {file}, which holds the key to Stripe; run chmod 600 on it")]
    Readable {
        /// The file.
        file: String,
    },
    /// It is a key that may do everything.
    #[error(
        "this is a secret key, which may move money; Recurve takes a restricted key alone (rk_live_…, rk_test_…): make one \
         in Stripe under Developers, API keys, Create restricted key, and give it no permission but to read"
    )]
    Secret,
    /// It is none that can be used.
    #[error("this is no restricted key of Stripe: those begin with rk_live_ or rk_test_")]
    NoKey,
}

impl Key {
    /// The key: of the file that was named, else of the environment, else of the file that the settings name.
    pub fn find(file: Option<&Path>, setting: Option<&str>) -> Result<Self, KeyError> {
        if let Some(file) = file {
            return Self::of_file(file);
        }
        match std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty()) {
            Some(text) => Self::of(&text),
            None => Self::of_file(Path::new(setting.ok_or(KeyError::Missing)?)),
        }
    }

    fn of_file(file: &Path) -> Result<Self, KeyError> {
        not_in_plain(file)?;
        let shown = || file.display().to_string();
        let failed = |cause| KeyError::File { file: shown(), cause };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if fs::metadata(file).map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(KeyError::Readable { file: shown() });
            }
        }
        Self::of(&fs::read_to_string(file).map_err(failed)?)
    }

    fn of(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with("sk_") {
            return Err(KeyError::Secret);
        }
        let is_plain = text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_plain || !(text.starts_with("rk_live_") || text.starts_with("rk_test_")) {
            return Err(KeyError::NoKey);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is the key to real money.
    pub fn is_live(&self) -> bool {
        self.0.starts_with("rk_live_")
    }

    /// The header that shows it to Stripe, and to nobody else.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// By what it is known again, from which it cannot be found out.
    pub fn mark(&self) -> String {
        let digest = Sha256::digest(format!("recurve stripe key {}", self.0));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_restricted_key_in_a_file_of_ones_own_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let given = |text: &str, mode: u32| {
            fs::write(&file, text).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            }
            Key::of_file(&file)
        };
        let key = given("rk_live_abc123\n", 0o600).unwrap();
        assert_eq!((key.header().as_str(), key.is_live()), ("Bearer rk_live_abc123", true));
        assert_eq!(format!("{key:?}"), "rk_live_…");
        assert!(!key.mark().contains("abc123") && key.mark() == key.mark());
        #[cfg(unix)]
        assert!(matches!(given("rk_live_abc123", 0o640), Err(KeyError::Readable { .. })));
        assert!(matches!(given("sk_live_abc123", 0o600), Err(KeyError::Secret)));
        for text in ["pk_live_abc", "rk_live_a b", "", "whsec_1", "rk_live_\u{e9}"] {
            assert!(matches!(given(text, 0o600), Err(KeyError::NoKey)), "{text}");
        }
        assert!(matches!(Key::find(Some(Path::new("rk_live_abc123")), None), Err(KeyError::InPlain)));
        assert!(matches!(Key::find(Some(&folder.path().join("none")), None), Err(KeyError::File { .. })));
    }
}
