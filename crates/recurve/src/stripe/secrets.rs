//! The signing secrets of webhook endpoints: from the environment, or from a file that nobody else may read. They stand in
//! no setting, so that no list, export or copy of the facts holds them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// The variable that may hold them, with commas between.
pub const VARIABLE: &str = "RECURVE_STRIPE_WEBHOOK_SECRETS";
/// The file in the data folder that may hold them, one a line.
pub const FILE: &str = "stripe-webhook-secrets";
/// How often it is looked whether the file changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How every secret begins.
const BEGINNING: &str = "whsec_";

/// Why secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file cannot be read or written.
    #[error("the signing secrets of webhooks cannot be read or written: {0}; look at {FILE} in the data folder")]
    File(#[from] io::Error),
    /// Others may read the file.
    #[error("others on this machine may read {FILE} in the data folder; run chmod 600 on it")]
    Readable,
    /// It is no secret of an endpoint.
    #[error(
        "this is no signing secret of a webhook endpoint; it begins with {BEGINNING} and is shown in Stripe under Webhooks"
    )]
    NoSecret,
    /// There is no secret with that ending.
    #[error("there is no secret that ends so; `recurve webhooks` lists the endings")]
    Unknown,
}

fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

fn in_file(data: &Path) -> Result<Vec<String>, SecretsError> {
    let path = path(data);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(&path)?.permissions().mode() & 0o077 != 0 {
            return Err(SecretsError::Readable);
        }
    }
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The secrets that are known, of the environment first.
pub fn read(data: &Path) -> Result<Vec<String>, SecretsError> {
    let variable = std::env::var(VARIABLE).unwrap_or_default();
    let given = variable.split([',', ' ', '\n']).map(str::trim).filter(|secret| !secret.is_empty());
    let mut secrets: Vec<String> = given.map(str::to_owned).collect();
    secrets.extend(in_file(data)?);
    secrets.dedup();
    if secrets.iter().any(|secret| !secret.starts_with(BEGINNING)) {
        return Err(SecretsError::NoSecret);
    }
    Ok(secrets)
}

/// How a secret is told apart without being told.
pub fn ending(secret: &str) -> String {
    let count = secret.chars().count();
    format!("…{}", secret.chars().skip(count.saturating_sub(4)).collect::<String>())
}

/// Adds a secret to the file.
pub fn add(data: &Path, secret: &str) -> Result<(), SecretsError> {
    let secret = secret.trim();
    let is_plain = secret.bytes().all(|byte| byte.is_ascii_graphic());
    if !secret.starts_with(BEGINNING) || secret.len() < BEGINNING.len() + 8 || !is_plain {
        return Err(SecretsError::NoSecret);
    }
    let mut all = in_file(data)?;
    if !all.iter().any(|known| known == secret) {
        all.push(secret.to_owned());
    }
    write(data, &all)
}

/// Takes the secret with an ending out of the file.
pub fn remove(data: &Path, ending: &str) -> Result<(), SecretsError> {
    let mut all = in_file(data)?;
    let before = all.len();
    let ending = ending.trim_start_matches('…');
    all.retain(|secret| ending.len() < 4 || !secret.ends_with(ending));
    if all.len() == before {
        return Err(SecretsError::Unknown);
    }
    write(data, &all)
}

fn write(data: &Path, secrets: &[String]) -> Result<(), SecretsError> {
    use std::io::Write;
    let new = data.join(format!("{FILE}.new"));
    // One that was left behind may have been readable by others.
    let _ = fs::remove_file(&new);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&new)?;
    for secret in secrets {
        writeln!(file, "{secret}")?;
    }
    file.sync_all()?;
    fs::rename(&new, path(data))?;
    Ok(())
}

/// The secrets as they are now: the file is read again when it changed, so that one can be rolled without a restart.
pub struct Current {
    data: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    at: Instant,
    changed: Option<(SystemTime, u64)>,
    secrets: Arc<Vec<String>>,
}

impl Current {
    /// Reads them for the first time.
    pub fn open(data: &Path) -> Result<Self, SecretsError> {
        let seen = Seen { at: Instant::now(), changed: changed(data), secrets: Arc::new(read(data)?) };
        Ok(Self { data: data.to_path_buf(), seen: Mutex::new(seen) })
    }

    /// The secrets. Where the file cannot be read any more those that were known hold on.
    pub fn secrets(&self) -> Arc<Vec<String>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.at.elapsed() >= LOOK_EVERY {
            seen.at = Instant::now();
            let changed = changed(&self.data);
            if changed != seen.changed
                && let Ok(secrets) = read(&self.data)
            {
                (seen.changed, seen.secrets) = (changed, Arc::new(secrets));
            }
        }
        Arc::clone(&seen.secrets)
    }
}

fn changed(data: &Path) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(path(data)).ok()?;
    Some((about.modified().ok()?, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_where_nobody_else_may_read_them() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(add(folder.path(), "sk_live_1234567890"), Err(SecretsError::NoSecret)));
        add(folder.path(), "whsec_first_0001\n").unwrap();
        add(folder.path(), "whsec_second_0002").unwrap();
        assert_eq!(in_file(folder.path()).unwrap(), ["whsec_first_0001", "whsec_second_0002"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = folder.path().join(FILE);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(in_file(folder.path()), Err(SecretsError::Readable)));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(matches!(remove(folder.path(), "…9999"), Err(SecretsError::Unknown)));
        remove(folder.path(), &ending("whsec_first_0001")).unwrap();
        assert_eq!(in_file(folder.path()).unwrap(), ["whsec_second_0002"]);
    }
}
