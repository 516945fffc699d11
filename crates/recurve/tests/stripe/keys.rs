//! The key may do nothing but read, and shows up nowhere.

use std::fs;

use stripe_simulator::server::{Choices, NARROW_KEY, READ_KEY, SECRET_KEY, WRITE_KEY, serve};

use super::account::{Synced, ended, said};

/// Whether some file below a folder holds a text.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_key_that_may_write_is_refused_with_words_and_nothing_is_read() {
    let synced = Synced::with(serve(Choices { lived_months: Some(6), ..Choices::of(5) }).unwrap());
    let url = synced.server.url();
    let with = |key: &str| {
        let file = synced.write_secret("other", key);
        synced.run(&synced.sync_arguments(file.to_str().unwrap(), &url))
    };
    let says = |key: &str, words: &str| {
        let output = with(key);
        ended(&output, 2);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains(key), "{error}");
    };
    says(SECRET_KEY, "restricted key");
    assert_eq!(synced.server.requests(), 0, "a secret key is not even tried");
    says(WRITE_KEY, "may change customers, subscriptions");
    let read = synced.server.requests_by_path();
    assert!(!read.contains_key("/v1/customers"), "nothing is read with it: {read:?}");
    says("rk_live_1234567890", "test");
    // What was refused leaves the mode as it was.
    ended(&with("rk_test_unknown_1234"), 4);
    let said = said(&ended(&with(NARROW_KEY), 0));
    assert_eq!(said["lists_not_permitted"], "credit_notes disputes");
    let status = ended(&synced.run(&["sync", "stripe", "--status"]), 0);
    assert!(
        status.lines().any(|line| line.starts_with("disputes,0,,") && line.ends_with("may not read it")),
        "{status}"
    );
}

#[test]
fn the_key_shows_up_nowhere() {
    let synced = Synced::with(serve(Choices { lived_months: Some(8), ..Choices::of(6) }).unwrap());
    let outputs = [
        synced.sync_with(&[]),
        synced.sync_with(&["--full"]),
        synced.sync_with(&["--status"]),
        synced.run(&["sync", "stripe", "--key-file", READ_KEY]),
        synced.run(&["init", "--set", &format!("stripe_key_file={READ_KEY}")]),
        synced.run(&["sync", "stripe", "--api-base", "http://example.com"]),
        synced.run(&["export", "customers"]),
    ];
    for output in &outputs {
        for bytes in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(bytes).contains(READ_KEY), "{}", String::from_utf8_lossy(bytes));
        }
    }
    let codes: Vec<Option<i32>> = outputs.iter().map(|output| output.status.code()).collect();
    assert_eq!(codes, [0, 0, 0, 2, 2, 2, 0].map(Some));
    assert!(!holds(&synced.data(), READ_KEY));
    // The setting names the file, and the environment goes before it.
    let key = synced.folder.path().join("key");
    ended(&synced.run(&["init", "--set", &format!("stripe_key_file={}", key.display())]), 0);
    let url = synced.server.url();
    ended(&synced.run(&["sync", "stripe", "--api-base", &url]), 0);
    let mut command = synced.command(&["sync", "stripe", "--api-base", &url]);
    ended(&command.env("RECURVE_STRIPE_KEY", SECRET_KEY).output().unwrap(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let output = synced.sync_with(&[]);
        ended(&output, 2);
        assert!(String::from_utf8_lossy(&output.stderr).contains("chmod 600"));
    }
}
