//! A data folder that is synced with a simulated account.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use revenue::{calendar::Zone, money::parse_scaled, movement::Kind, policy::Policy};
use stripe_simulator::{
    World,
    judge::{Movement, movements},
    server::{READ_KEY, Server},
};
use tempfile::TempDir;

/// Exchange rates of the judge, as a file of facts; the same on all days.
const RATES: &str = "day,base,quote,rate\n2022-01-08,EUR,USD,1.1\n2022-01-08,JPY,USD,0.007\n2022-01-08,KWD,USD,3.25\n\
                     2022-01-08,ISK,USD,0.0073\n";

/// A data folder and the account that it is synced with.
pub struct Synced {
    pub server: Server,
    pub folder: TempDir,
}

/// A movement as the list shows it: several of one day, subscription, plan and kind are one row.
pub type Listed = BTreeMap<(String, String, String, String, String), (i64, String)>;

impl Synced {
    pub fn with(server: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let synced = Self { server, folder };
        synced.write_secret("key", READ_KEY);
        fs::create_dir_all(synced.data()).unwrap();
        fs::create_dir_all(synced.data().join("policies")).unwrap();
        fs::write(synced.data().join("policies/judge.toml"), "[settings]\nfx = \"constant:2022-01-08\"\n").unwrap();
        fs::write(synced.folder.path().join("rates.csv"), RATES).unwrap();
        let rates = synced.folder.path().join("rates.csv");
        ended(&synced.run(&["import", "fx-rates", rates.to_str().unwrap()]), 0);
        synced
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file that nobody else may read.
    pub fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, format!("{text}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        file
    }

    pub fn now(&self) -> i64 {
        self.server.world(|world| world.now)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recurve"));
        command.env_remove("RECURVE_STRIPE_KEY").env("RUST_BACKTRACE", "0");
        command.args(["--data", self.data().to_str().unwrap(), "--now", &stripe::fact::moment(self.now())]);
        command.args(["--currency", "USD", "--policy", "judge", "--format", "csv"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The arguments of a sync that does not wait long.
    pub fn sync_arguments<'a>(&'a self, key: &'a str, url: &'a str) -> Vec<&'a str> {
        let quick = ["--requests-a-second", "2000", "--first-wait-ms", "5", "--patience-ms", "5000"];
        let mut arguments = vec!["sync", "stripe", "--key-file", key, "--api-base", url];
        arguments.extend(quick);
        arguments
    }

    pub fn sync_with(&self, more: &[&str]) -> Output {
        let key = self.folder.path().join("key");
        let url = self.server.url();
        let mut arguments = self.sync_arguments(key.to_str().unwrap(), &url);
        arguments.extend(more);
        self.run(&arguments)
    }

    /// What a sync that ends well says, by name.
    pub fn sync(&self, more: &[&str]) -> BTreeMap<String, String> {
        said(&ended(&self.sync_with(more), 0))
    }

    /// Syncs, and kills it after each of these milliseconds; then lets it end. How often it was killed.
    pub fn sync_through_kills(&self, after: &[u64]) -> usize {
        let key = self.folder.path().join("key");
        let url = self.server.url();
        let mut killed = 0;
        for milliseconds in after {
            let mut command = self.command(&self.sync_arguments(key.to_str().unwrap(), &url));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(*milliseconds));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                killed += 1;
            }
            child.wait().unwrap();
        }
        self.sync(&[]);
        killed
    }

    /// The movements that the program lists.
    pub fn movements(&self) -> Listed {
        let text = ended(&self.run(&["movements"]), 0);
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut listed = Listed::new();
        for line in lines {
            let cells: BTreeMap<&str, &str> = header.iter().copied().zip(line.split(',')).collect();
            let delta = parse_scaled(cells["delta"], 6).unwrap();
            let key = ["customer", "day", "subscription", "plan", "kind"].map(|name| cells[name].to_owned());
            let [customer, day, subscription, plan, kind] = key;
            listed.insert(
                (customer, day, subscription, plan, kind),
                (i64::try_from(delta).unwrap(), cells["confidence"].to_owned()),
            );
        }
        listed
    }
}

/// The lines of a list of names and values.
pub fn said(text: &str) -> BTreeMap<String, String> {
    text.lines().skip(1).filter_map(|line| line.split_once(',')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The standard output of a program that ended so.
pub fn ended(output: &Output, code: i32) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "it said: {out}\n{error}");
    out.into_owned()
}

/// Rows of the judge's ledger as the program lists them.
pub fn listed(world: &World, rows: &[stripe::history::Row]) -> Listed {
    let made: Vec<Movement> = movements(rows, &Policy::default(), &Zone::utc());
    let today = Zone::utc().day_of_instant(world.now * 1_000_000);
    let mut listed = Listed::new();
    for movement in made.iter().filter(|movement| movement.day <= today.0) {
        let key = (
            movement.customer.clone(),
            revenue::calendar::Day(movement.day).to_string(),
            movement.subscription.clone(),
            movement.offer.plan.clone(),
            movement.kind.name().to_owned(),
        );
        let row = listed.entry(key).or_insert((0, movement.confidence.name().to_owned()));
        row.0 += movement.delta_micros;
    }
    let moves = [Kind::New, Kind::Reactivation, Kind::Churn].map(Kind::name);
    listed.retain(|key, (delta, _)| *delta != 0 || moves.contains(&key.4.as_str()));
    listed
}

/// What the program says of a customer without an assumption and that was not so, whatever else is assumed of the day:
/// the day, the subscription, the plan and the amount; and what a customer comes to in the end.
pub fn untrue(synced: &Synced, found: &Listed) -> Vec<String> {
    let truth = synced.server.world(|world| listed(world, &world.truth()));
    let happened = |key: &(String, String, String, String, String), delta: i64| {
        truth.iter().any(|(other, (was, _))| {
            (&other.0, &other.1, &other.2, &other.3, *was) == (&key.0, &key.1, &key.2, &key.3, delta)
        })
    };
    let sure = found.iter().filter(|(_, (_, confidence))| confidence != "assumed");
    let mut words: Vec<String> =
        sure.filter(|(key, (delta, _))| !happened(key, *delta)).map(|row| format!("never was {row:?}")).collect();
    if ends(&truth) != ends(found) {
        words.push(format!("customers end with {:?} instead of {:?}", ends(found), ends(&truth)));
    }
    words
}

/// What customers come to in the end.
fn ends(listed: &Listed) -> BTreeMap<String, i64> {
    let mut ends: BTreeMap<String, i64> = BTreeMap::new();
    listed.iter().for_each(|(key, (delta, _))| *ends.entry(key.0.clone()).or_default() += delta);
    ends.retain(|_, micros| *micros != 0);
    ends
}

/// What differs between two lists, in words.
pub fn differences(expected: &Listed, found: &Listed) -> Vec<String> {
    let mut words = Vec::new();
    for (key, (delta, _)) in expected {
        match found.get(key) {
            Some((other, _)) if other == delta => {}
            Some((other, _)) => words.push(format!("{key:?}: {other} instead of {delta}")),
            None => words.push(format!("missing {key:?} {delta}")),
        }
    }
    words.extend(found.iter().filter(|(key, _)| !expected.contains_key(key)).map(|row| format!("more {row:?}")));
    words
}

/// What differs between two lists apart from what both had to assume: who looked at an account earlier, and saw a list as it
/// was then, dates what nobody dated otherwise. What a customer comes to in the end is the same all the same.
pub fn differences_but_assumed(expected: &Listed, found: &Listed) -> Vec<String> {
    let is_sure = |row: &(i64, String)| row.1 != "assumed";
    let mut words = Vec::new();
    for (key, row) in expected.iter().filter(|(key, row)| is_sure(row) && found.get(*key).is_none_or(is_sure)) {
        if found.get(key).is_none_or(|other| other.0 != row.0) {
            words.push(format!("missing {key:?} {row:?}"));
        }
    }
    let more = found.iter().filter(|(key, row)| is_sure(row) && !expected.contains_key(*key));
    words.extend(more.map(|row| format!("more {row:?}")));
    if ends(expected) != ends(found) {
        words.push(format!("customers end with {:?} instead of {:?}", ends(found), ends(expected)));
    }
    words
}
