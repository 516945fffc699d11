//! People and what they may do, kept in `people.sqlite` beside the catalogue: passwords as argon2id, everything else that
//! opens a door only as a hash. It holds no facts, so that a copy of the facts gives nobody away.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::kept::hex;

/// What somebody may do. Each may do what those before may, but for `Ingest`, who only imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing but what anybody may.
    Nobody,
    /// Import, with a token.
    Ingest,
    /// Look at figures without names, by a shared link.
    Shared,
    /// Look at everything.
    Viewer,
    /// Import, and keep notes, targets and views.
    Editor,
    /// Say who may do what.
    Owner,
}

impl Role {
    /// The roles that people have, with their names.
    pub const OF_PEOPLE: [(Role, &'static str); 3] =
        [(Role::Owner, "owner"), (Role::Editor, "editor"), (Role::Viewer, "viewer")];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Nobody => "nobody",
            Role::Ingest => "ingest",
            Role::Shared => "shared",
            Role::Viewer => "viewer",
            Role::Editor => "editor",
            Role::Owner => "owner",
        }
    }

    /// A role of people by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::OF_PEOPLE.iter().find(|(_, known)| *known == name).map(|(role, _)| *role)
    }
}

/// Why something about people could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The file cannot be read or written.
    #[error("the people of this folder cannot be read or written: {0}; look at people.sqlite in the data folder")]
    Store(#[from] rusqlite::Error),
    /// The file is of a newer program.
    #[error("people.sqlite is of version {found}, and this program knows {known}; use the newer program")]
    Version {
        /// What was found.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// A password cannot be used.
    #[error("{0}")]
    Password(&'static str),
    /// A name is taken.
    #[error("there is somebody of that name already; choose another name")]
    Taken,
    /// Chance cannot be had.
    #[error("the system gives no random numbers: {0}")]
    Chance(String),
    /// The last owner would be gone.
    #[error("this is the last owner; make somebody else an owner first")]
    LastOwner,
}

/// What the file was made as, step by step: each is done once.
const STEPS: &[&str] = &[
    "
    CREATE TABLE person (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, role TEXT NOT NULL, password TEXT NOT NULL,
        created_at INTEGER NOT NULL, disabled_at INTEGER
    ) STRICT;
    CREATE TABLE login (
        hash BLOB PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id), created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE pass (
        id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, label TEXT NOT NULL,
        created_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER, used_at INTEGER
    ) STRICT;
    CREATE TABLE kept (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, content TEXT NOT NULL, created_by TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE pass ADD COLUMN facts TEXT;
",
];

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// After so long without a request a login ends.
const IDLE: i64 = 7 * DAY;
/// After so long it ends in any case.
pub const LONGEST: i64 = 30 * DAY;
/// The shortest password.
const SHORTEST_PASSWORD: usize = 10;
/// The longest: more would only cost time.
const LONGEST_PASSWORD: usize = 1_024;
/// Passwords that are tried first, of those that are long enough.
const COMMON: &[&str] = &[
    "1234567890",
    "0123456789",
    "password123",
    "password1234",
    "qwertyuiop",
    "1q2w3e4r5t",
    "iloveyou123",
    "administrator",
    "letmein123",
    "welcome123",
    "recurve123",
    "passwordpassword",
    "1234512345",
    "1111111111",
    "0000000000",
    "abcdefghij",
];

/// Somebody.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their number.
    pub id: i64,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added, in microseconds since 1970.
    pub created_at: i64,
    /// Whether they may not log in any more.
    pub is_disabled: bool,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// A link by which figures are looked at.
    Share,
    /// A token with which a program imports.
    Ingest,
    /// A token with which a program reads.
    Read,
}

impl PassKind {
    /// Every kind with its name.
    pub const ALL: [(PassKind, &'static str); 3] =
        [(PassKind::Share, "share"), (PassKind::Ingest, "ingest"), (PassKind::Read, "read")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// A kind by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// What it lets do.
    pub fn role(self) -> Role {
        match self {
            PassKind::Share => Role::Shared,
            PassKind::Ingest => Role::Ingest,
            PassKind::Read => Role::Viewer,
        }
    }
}

/// A pass: a link or a token.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub kind: PassKind,
    /// What people call it.
    pub label: String,
    /// Who made it.
    pub created_by: String,
    /// When, in microseconds since 1970.
    pub created_at: i64,
    /// Until when it holds.
    pub expires_at: Option<i64>,
    /// Since when it does not hold any more.
    pub revoked_at: Option<i64>,
    /// When it was last used, to the hour.
    pub used_at: Option<i64>,
    /// The kinds of facts that it states; all where it does not say.
    pub facts: Option<Vec<String>>,
}

/// Something that people keep, such as a view.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its number.
    pub id: i64,
    /// What it is, as JSON.
    pub content: String,
    /// Who made it.
    pub created_by: String,
    /// When, in microseconds since 1970.
    pub created_at: i64,
}

/// What somebody did.
#[derive(Debug, Clone)]
pub struct Deed {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// To which thing.
    pub object: String,
}

/// The people of a data folder.
pub struct People {
    connection: Mutex<Connection>,
    /// What a name that nobody has is checked against, so that it takes as long.
    nobody: String,
}

/// A secret that is shown once; only its hash is kept.
pub fn secret() -> Result<String, PeopleError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| PeopleError::Chance(error.to_string()))?;
    Ok(hex(&bytes))
}

fn hash_of(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Argon2id with 19 MiB and two passes.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_password(password: &str) -> Result<String, PeopleError> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|error| PeopleError::Chance(error.to_string()))?;
    let hash = argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|_| PeopleError::Password("this password cannot be used; choose another one"))?;
    Ok(hash.to_string())
}

fn judge(password: &str) -> Result<(), PeopleError> {
    let length = password.chars().count();
    if length < SHORTEST_PASSWORD {
        return Err(PeopleError::Password("the password has fewer than 10 characters; take a longer one"));
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(PeopleError::Password("the password is longer than 1024 bytes; take a shorter one"));
    }
    if COMMON.iter().any(|common| common.eq_ignore_ascii_case(password)) {
        return Err(PeopleError::Password("this password is among the first that are tried; choose another one"));
    }
    Ok(())
}

impl People {
    /// Opens the people of a data folder; a file that is not there is made.
    pub fn open(data: &Path) -> Result<Self, PeopleError> {
        Self::with(Connection::open(data.join("people.sqlite"))?)
    }

    fn with(connection: Connection) -> Result<Self, PeopleError> {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let known = STEPS.len() as i64;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > known {
            return Err(PeopleError::Version { found, known });
        }
        for (number, step) in STEPS.iter().enumerate().skip(usize::try_from(found).unwrap_or_default()) {
            connection
                .execute_batch(&format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT", number + 1))?;
        }
        Ok(Self { connection: Mutex::new(connection), nobody: hash_password(&secret()?)? })
    }

    fn hold(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody was added yet.
    pub fn is_empty(&self) -> Result<bool, PeopleError> {
        Ok(self.hold().query_row("SELECT count(*) FROM person", [], |row| row.get::<_, i64>(0))? == 0)
    }

    /// Everybody.
    pub fn all(&self) -> Result<Vec<Person>, PeopleError> {
        let connection = self.hold();
        let mut statement =
            connection.prepare("SELECT id, name, role, created_at, disabled_at FROM person ORDER BY name")?;
        let people = statement.query_map([], person)?.collect::<Result<_, _>>()?;
        Ok(people)
    }

    /// Adds somebody.
    pub fn add(&self, name: &str, role: Role, password: &str, now: i64) -> Result<i64, PeopleError> {
        judge(password)?;
        let hash = hash_password(password)?;
        let connection = self.hold();
        let added = connection.execute(
            "INSERT OR IGNORE INTO person (name, role, password, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![name, role.name(), hash, now],
        )?;
        if added == 0 { Err(PeopleError::Taken) } else { Ok(connection.last_insert_rowid()) }
    }

    /// Adds the first owner, unless somebody was faster.
    pub fn add_first(&self, name: &str, password: &str, now: i64) -> Result<bool, PeopleError> {
        judge(password)?;
        let hash = hash_password(password)?;
        Ok(self.hold().execute(
            "INSERT INTO person (name, role, password, created_at)
             SELECT ?1, 'owner', ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM person)",
            params![name, hash, now],
        )? == 1)
    }

    /// Changes what somebody may do, whether they may log in, or their password. Their logins end.
    pub fn change(
        &self,
        id: i64,
        role: Option<Role>,
        is_disabled: Option<bool>,
        password: Option<&str>,
        now: i64,
    ) -> Result<bool, PeopleError> {
        let hash = match password {
            Some(password) => {
                judge(password)?;
                Some(hash_password(password)?)
            }
            None => None,
        };
        let mut connection = self.hold();
        let transaction = connection.transaction()?;
        let changed = transaction.execute(
            "UPDATE person SET role = coalesce(?2, role), password = coalesce(?3, password),
               disabled_at = CASE ?4 WHEN 1 THEN coalesce(disabled_at, ?5) WHEN 0 THEN NULL ELSE disabled_at END
             WHERE id = ?1",
            params![id, role.map(Role::name), hash, is_disabled.map(i64::from), now],
        )?;
        transaction.execute("DELETE FROM login WHERE person = ?", [id])?;
        let owners: i64 = transaction.query_row(
            "SELECT count(*) FROM person WHERE role = 'owner' AND disabled_at IS NULL",
            [],
            |row| row.get(0),
        )?;
        if owners == 0 {
            return Err(PeopleError::LastOwner);
        }
        transaction.commit()?;
        Ok(changed == 1)
    }

    /// Checks a name and a password. It takes as long whether the name is known or not.
    pub fn check(&self, name: &str, password: &str) -> Result<Option<Person>, PeopleError> {
        let found: Option<(Person, String)> = self
            .hold()
            .query_row(
                "SELECT id, name, role, created_at, disabled_at, password FROM person WHERE name = ?",
                [name],
                |row| Ok((person(row)?, row.get(5)?)),
            )
            .optional()?;
        let hash = found.as_ref().map_or(self.nobody.as_str(), |(_, hash)| hash);
        let length_fits = password.len() <= LONGEST_PASSWORD;
        let is_right = length_fits && argon2().verify_password(password.as_bytes(), hash).is_ok();
        Ok(found.map(|(person, _)| person).filter(|person| is_right && !person.is_disabled))
    }

    /// Begins a login, and gives its secret.
    pub fn log_in(&self, person: i64, now: i64) -> Result<String, PeopleError> {
        let secret = secret()?;
        let connection = self.hold();
        connection.execute(
            "DELETE FROM login WHERE seen_at < ?1 OR created_at < ?2",
            params![now.saturating_sub(IDLE), now.saturating_sub(LONGEST)],
        )?;
        connection.execute(
            "INSERT INTO login (hash, person, created_at, seen_at) VALUES (?1, ?2, ?3, ?3)",
            params![hash_of(&secret), person, now],
        )?;
        Ok(secret)
    }

    /// Ends a login.
    pub fn log_out(&self, secret: &str) -> Result<(), PeopleError> {
        self.hold().execute("DELETE FROM login WHERE hash = ?", [hash_of(secret)])?;
        Ok(())
    }

    /// Who is logged in with a secret.
    pub fn who(&self, secret: &str, now: i64) -> Result<Option<Person>, PeopleError> {
        let connection = self.hold();
        let found: Option<(Person, i64)> = connection
            .prepare_cached(
                "SELECT p.id, p.name, p.role, p.created_at, p.disabled_at, l.seen_at
                 FROM login l JOIN person p ON p.id = l.person
                 WHERE l.hash = ?1 AND l.seen_at >= ?2 AND l.created_at >= ?3 AND p.disabled_at IS NULL",
            )?
            .query_row(params![hash_of(secret), now.saturating_sub(IDLE), now.saturating_sub(LONGEST)], |row| {
                Ok((person(row)?, row.get(5)?))
            })
            .optional()?;
        // Once an hour is often enough to know that somebody is there.
        if let Some((_, seen_at)) = &found
            && now - seen_at > DAY / 24
        {
            connection.execute("UPDATE login SET seen_at = ?2 WHERE hash = ?1", params![hash_of(secret), now])?;
        }
        Ok(found.map(|(person, _)| person))
    }

    /// Makes a pass, and gives its secret.
    pub fn make_pass(
        &self,
        kind: PassKind,
        label: &str,
        by: &str,
        expires_at: Option<i64>,
        facts: Option<&[&str]>,
        now: i64,
    ) -> Result<(i64, String), PeopleError> {
        // The beginning says what it is to whoever finds it in the wrong place.
        let secret = format!("recurve_{}_{}", kind.name(), secret()?);
        let connection = self.hold();
        connection.execute(
            "INSERT INTO pass (hash, kind, label, created_by, created_at, expires_at, facts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![hash_of(&secret), kind.name(), label, by, now, expires_at, facts.map(|facts| facts.join(","))],
        )?;
        Ok((connection.last_insert_rowid(), secret))
    }

    /// The pass of a secret, if it holds.
    pub fn pass(&self, secret: &str, now: i64) -> Result<Option<Pass>, PeopleError> {
        let connection = self.hold();
        let found = connection
            .prepare_cached(&format!(
                "{PASSES} WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)"
            ))?
            .query_row(params![hash_of(secret), now], pass)
            .optional()?;
        if let Some(pass) = &found
            && pass.used_at.is_none_or(|used_at| now - used_at > DAY / 24)
        {
            connection.execute("UPDATE pass SET used_at = ?2 WHERE id = ?1", params![pass.id, now])?;
        }
        Ok(found)
    }

    /// Every pass of some kinds, the newest first.
    pub fn passes(&self, kinds: &[PassKind]) -> Result<Vec<Pass>, PeopleError> {
        let connection = self.hold();
        let mut statement = connection.prepare(&format!("{PASSES} ORDER BY id DESC"))?;
        let passes: Vec<Pass> = statement.query_map([], pass)?.collect::<Result<_, _>>()?;
        Ok(passes.into_iter().filter(|pass| kinds.contains(&pass.kind)).collect())
    }

    /// Revokes a pass; false where there is none.
    pub fn revoke(&self, id: i64, now: i64) -> Result<bool, PeopleError> {
        let revoked = self
            .hold()
            .execute("UPDATE pass SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL", params![id, now])?;
        Ok(revoked == 1)
    }

    /// Keeps a thing of a kind.
    pub fn keep(&self, kind: &str, content: &str, by: &str, now: i64) -> Result<i64, PeopleError> {
        let connection = self.hold();
        connection.execute(
            "INSERT INTO kept (kind, content, created_by, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![kind, content, by, now],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// What is kept of a kind, in the order in which it came.
    pub fn kept(&self, kind: &str) -> Result<Vec<Kept>, PeopleError> {
        let connection = self.hold();
        let mut statement =
            connection.prepare("SELECT id, content, created_by, created_at FROM kept WHERE kind = ? ORDER BY id")?;
        let kept = statement
            .query_map([kind], |row| {
                Ok(Kept { id: row.get(0)?, content: row.get(1)?, created_by: row.get(2)?, created_at: row.get(3)? })
            })?
            .collect::<Result<_, _>>()?;
        Ok(kept)
    }

    /// Forgets a thing of a kind; false where there is none.
    pub fn forget(&self, kind: &str, id: i64) -> Result<bool, PeopleError> {
        Ok(self.hold().execute("DELETE FROM kept WHERE kind = ?1 AND id = ?2", params![kind, id])? == 1)
    }

    /// Writes down what somebody did.
    pub fn note(&self, who: &str, action: &str, object: &str, now: i64) -> Result<(), PeopleError> {
        self.hold().execute(
            "INSERT INTO audit (at, who, action, object) VALUES (?1, ?2, ?3, ?4)",
            params![now, who, action, object],
        )?;
        Ok(())
    }

    /// What was done, the newest first.
    pub fn deeds(&self, limit: u32) -> Result<Vec<Deed>, PeopleError> {
        let connection = self.hold();
        let mut statement = connection.prepare("SELECT at, who, action, object FROM audit ORDER BY id DESC LIMIT ?")?;
        let deeds = statement
            .query_map([limit], |row| {
                Ok(Deed { at: row.get(0)?, who: row.get(1)?, action: row.get(2)?, object: row.get(3)? })
            })?
            .collect::<Result<_, _>>()?;
        Ok(deeds)
    }
}

const PASSES: &str = "SELECT id, kind, label, created_by, created_at, expires_at, revoked_at, used_at, facts FROM pass";

fn pass(row: &rusqlite::Row<'_>) -> rusqlite::Result<Pass> {
    let kind: String = row.get(1)?;
    Ok(Pass {
        id: row.get(0)?,
        // A kind of a newer program opens no door here.
        kind: PassKind::parse(&kind).unwrap_or(PassKind::Share),
        label: row.get(2)?,
        created_by: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        revoked_at: row.get(6)?,
        used_at: row.get(7)?,
        facts: row.get::<_, Option<String>>(8)?.map(|facts| facts.split(',').map(str::to_owned).collect()),
    })
}

fn person(row: &rusqlite::Row<'_>) -> rusqlite::Result<Person> {
    let role: String = row.get(2)?;
    Ok(Person {
        id: row.get(0)?,
        name: row.get(1)?,
        role: Role::parse(&role).unwrap_or(Role::Nobody),
        created_at: row.get(3)?,
        is_disabled: row.get::<_, Option<i64>>(4)?.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn people() -> People {
        People::with(Connection::open_in_memory().unwrap()).unwrap()
    }

    #[test]
    fn a_password_is_kept_as_argon2id_and_checked() {
        let people = people();
        people.add("Ada", Role::Editor, PASSWORD, 0).unwrap();
        let kept: String = people.hold().query_row("SELECT password FROM person", [], |row| row.get(0)).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(!kept.contains(PASSWORD));
        assert_eq!(people.check("ada", PASSWORD).unwrap().map(|person| person.role), Some(Role::Editor));
        assert!(people.check("Ada", "another password").unwrap().is_none());
        assert!(people.check("Bob", PASSWORD).unwrap().is_none());
    }

    #[test]
    fn short_and_common_passwords_are_refused() {
        for password in ["", "short", "Password123", "1234567890"] {
            assert!(
                matches!(people().add("Ada", Role::Owner, password, 0), Err(PeopleError::Password(_))),
                "{password}"
            );
        }
    }

    #[test]
    fn a_login_ends_by_leaving_by_time_and_with_a_change_of_the_password() {
        let people = people();
        assert!(people.add_first("Ada", PASSWORD, 0).unwrap());
        assert!(!people.add_first("Eve", PASSWORD, 0).unwrap(), "only one is the first");
        let id = people.all().unwrap()[0].id;
        let secret = people.log_in(id, 0).unwrap();
        assert_eq!(people.who(&secret, DAY).unwrap().map(|person| person.name), Some("Ada".to_owned()));
        assert!(people.who(&secret, DAY + IDLE + 1).unwrap().is_none(), "too long without a request");
        for week in 1..=4 {
            people.who(&secret, week * 7 * DAY).unwrap();
        }
        assert!(people.who(&secret, LONGEST + 1).unwrap().is_none(), "too long in any case");
        people.log_out(&secret).unwrap();
        assert!(people.who(&secret, DAY).unwrap().is_none());
        let secret = people.log_in(id, 0).unwrap();
        people.change(id, None, None, Some("another password"), 1).unwrap();
        assert!(people.who(&secret, 2).unwrap().is_none());
    }

    #[test]
    fn the_last_owner_stays() {
        let people = people();
        people.add_first("Ada", PASSWORD, 0).unwrap();
        let id = people.all().unwrap()[0].id;
        assert!(matches!(people.change(id, Some(Role::Viewer), None, None, 1), Err(PeopleError::LastOwner)));
        assert!(matches!(people.change(id, None, Some(true), None, 1), Err(PeopleError::LastOwner)));
        assert_eq!(people.all().unwrap()[0].role, Role::Owner);
    }

    #[test]
    fn a_pass_holds_until_it_is_revoked_or_over() {
        let people = people();
        let (id, secret) = people.make_pass(PassKind::Share, "board", "Ada", Some(10), None, 0).unwrap();
        assert!(secret.starts_with("recurve_share_"));
        assert_eq!(people.pass(&secret, 5).unwrap().map(|pass| pass.kind), Some(PassKind::Share));
        assert!(people.pass(&secret, 10).unwrap().is_none());
        assert!(people.revoke(id, 6).unwrap());
        assert!(people.pass(&secret, 7).unwrap().is_none());
        let text: Vec<u8> = people.hold().query_row("SELECT hash FROM pass", [], |row| row.get(0)).unwrap();
        assert_eq!(text.len(), 32, "only the hash is kept");
    }
}
