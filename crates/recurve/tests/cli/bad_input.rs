//! Whatever a file holds: a clear issue or error, the other rows kept, no panic, the right exit code.

use std::io::Write;

use crate::{HEADER, folder::Folder};

/// A row that is always good, so that "the other rows are kept" can be seen.
const GOOD: &str = "good,zoe,USD,7,month,2024-01-01,\n";

/// Imports a header, the bad rows and a good one; the good one has to be there afterwards.
#[track_caller]
fn one_bad_row(rows: &str, says: &[&str]) {
    let folder = Folder::empty();
    folder.file("bad.csv", format!("{HEADER}{rows}{GOOD}"));
    folder.run(&["import", "subscriptions", "bad.csv"]).ends_with(1).says(says);
    let kept = folder.run(&["movements"]).ends_with(0).out;
    assert!(kept.contains("zoe,2024-01-01,good,,new,7.00"), "{kept}");
    folder.run(&["check"]).ends_with(0);
}

#[test]
fn an_empty_file() {
    let folder = Folder::empty();
    folder.file("empty.csv", "");
    folder.run(&["import", "subscriptions", "empty.csv"]).ends_with(4).says(&["empty.csv is empty"]);
}

#[test]
fn a_header_alone() {
    let folder = Folder::empty();
    folder.file("header.csv", HEADER);
    folder.run(&["import", "subscriptions", "header.csv"]).ends_with(0).says(&["0 rows read"]);
    folder.run(&["metric", "mrr"]).ends_with(0).says(&["no data: needs subscription"]);
}

#[test]
fn wrong_types() {
    one_bad_row("s1,ann,USD,ten,month,2024-01-01,\n", &["line 2", "amount", "ten", "number-unreadable"]);
    one_bad_row("s1,ann,USD,10,month,soon,\n", &["line 2", "start", "soon", "date-unreadable"]);
    one_bad_row("s1,ann,USD,10,mnoth,2024-01-01,\n", &["line 2", "interval", "mnoth"]);
    one_bad_row("s1,ann,USD,10,month,2023-02-29,\n", &["2023-02-29"]);
    one_bad_row("s1,ann,USD,1e400,month,2024-01-01,\n", &["line 2", "amount"]);
    one_bad_row("s1,ann,USD,NaN,month,2024-01-01,\n", &["line 2", "amount"]);
}

#[test]
fn values_that_are_missing() {
    one_bad_row(",ann,USD,10,month,2024-01-01,\n", &["line 2", "subscription"]);
    one_bad_row("s1,,USD,10,month,2024-01-01,\n", &["line 2", "customer"]);
    one_bad_row("s1,ann,USD,,month,2024-01-01,\n", &["line 2", "amount"]);
    one_bad_row("s1,ann,USD,10,month,,\n", &["line 2", "start"]);
}

#[test]
fn an_unknown_currency() {
    one_bad_row("s1,ann,XQZ,10,month,2024-01-01,\n", &["line 2", "currency", "XQZ", "currency-unknown"]);
}

#[test]
fn negative_and_huge_amounts() {
    one_bad_row("s1,ann,USD,-5,month,2024-01-01,\n", &["line 2", "amount", "-5", "number-negative"]);
    one_bad_row("s1,ann,USD,99999999999999999999,month,2024-01-01,\n", &["line 2", "amount-too-large"]);
    one_bad_row("s1,ann,USD,9223372036855,month,2024-01-01,\n", &["line 2", "amount-too-large"]);
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_not_a_wrap() {
    // Each fits the ledger of 64-bit micro-units (9.2 million million); both of one customer do not.
    let folder = Folder::empty();
    let row = |id: &str| format!("{id},ann,USD,9000000000000,month,2024-01-01,\n");
    folder.file("huge.csv", format!("{HEADER}{}{}", row("s1"), row("s2")));
    folder.run(&["import", "subscriptions", "huge.csv"]);
    let said = folder.run(&["metric", "mrr", "--from", "2024-01", "--to", "2024-02"]);
    assert_ne!(said.code, Some(0), "{}", said.out);
    assert!(!said.error.contains("panicked"), "{}", said.error);
    assert!(said.error.contains("ann") || said.error.contains("large"), "{}", said.error);
}

#[test]
fn an_end_before_the_start() {
    one_bad_row("s1,ann,USD,10,month,2024-03-01,2024-02-01\n", &["line 2", "end", "span-backwards"]);
    one_bad_row("s1,ann,USD,10,month,2024-03-01,2024-03-01\n", &["line 2", "end"]);
}

#[test]
fn overlapping_rows() {
    one_bad_row(
        "s1,ann,USD,10,month,2024-01-01,2024-04-01\ns1,ann,USD,20,month,2024-03-01,\n",
        &["overlap", "bad.csv:2", "bad.csv:3"],
    );
}

#[test]
fn one_id_with_two_contents() {
    one_bad_row(
        "s1,ann,USD,10,month,2024-01-01,\ns1,ann,USD,20,month,2024-01-01,\n",
        &["conflict", "bad.csv:2", "bad.csv:3"],
    );
}

#[test]
fn rows_of_another_width() {
    one_bad_row("s1,ann,USD,10,month,2024-01-01,,,,surplus\n", &["line 2"]);
    one_bad_row("s1,ann\n", &["line 2"]);
}

#[test]
fn invalid_text() {
    let folder = Folder::empty();
    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.extend(b"s1,an\xff\xfe,USD,10,month,2024-01-01,\n");
    bytes.extend(GOOD.as_bytes());
    folder.file("latin.csv", bytes);
    folder.run(&["import", "subscriptions", "latin.csv"]).ends_with(1).says(&["line 2", "not-text", "--encoding"]);
    let kept = folder.run(&["movements"]).ends_with(0).out;
    assert!(kept.contains("zoe") && !kept.contains("s1"), "{kept}");
}

#[test]
fn a_null_byte() {
    one_bad_row("s1,a\0nn,USD,10,month,2024-01-01,\n", &["line 2", "nul-byte"]);
}

#[test]
fn a_field_beyond_its_limit() {
    one_bad_row(&format!("s1,{},USD,10,month,2024-01-01,\n", "x".repeat(2 << 20)), &["line 2", "field-too-long"]);
}

#[test]
fn more_columns_than_any_table_has() {
    let folder = Folder::empty();
    folder.file("wide.csv", format!("{HEADER}s1,ann,USD,10,month,2024-01-01,{}\n{GOOD}", ",".repeat(20_000)));
    folder.run(&["import", "subscriptions", "wide.csv"]).ends_with(1).says(&["line 2", "too-many-columns"]);
    folder.run(&["movements"]).ends_with(0).says(&["zoe"]);
}

#[test]
fn a_quotation_mark_that_is_never_closed() {
    let folder = Folder::empty();
    folder.file(
        "open.csv",
        format!("{HEADER}{GOOD}s1,\"ann,USD,10,month,2024-01-01,\ns2,ben,USD,10,month,2024-01-01,\n"),
    );
    let said = folder.run(&["import", "subscriptions", "open.csv"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.error);
    folder.run(&["movements"]).ends_with(0).says(&["zoe"]);
}

#[test]
fn bytes_that_are_no_table() {
    let folder = Folder::empty();
    let noise: Vec<u8> = (0..50_000u64).map(|i| (i.wrapping_mul(6_364_136_223_846_793_005) >> 33) as u8).collect();
    for (name, content) in [
        ("noise.csv", noise.clone()),
        ("noise.parquet", noise.clone()),
        ("noise.jsonl", noise),
        ("short.csv.gz", b"\x1f\x8b\x08\x00".to_vec()),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec()),
        ("nulls.csv", vec![0; 10_000]),
    ] {
        folder.file(name, content);
        let said = folder.run(&["import", "subscriptions", name]);
        assert!(matches!(said.code, Some(1 | 4)), "{name}: {:?} {}{}", said.code, said.out, said.error);
        assert!(!said.error.contains("panicked"), "{name}: {}", said.error);
        assert!(!said.error.is_empty() || !said.out.is_empty(), "{name}: nothing was said");
    }
}

#[test]
fn json_lines_that_are_not() {
    let folder = Folder::empty();
    folder.file(
        "odd.jsonl",
        "{\"subscription\":\"s1\",\"customer\":\"ann\",\"currency\":\"USD\",\"amount\":\"10\",\"interval\":\"month\",\
         \"start\":\"2024-01-01\"}\nthis is no object\n[1,2]\n{\"subscription\":\"s2\"\n",
    );
    folder.run(&["import", "subscriptions", "odd.jsonl"]).ends_with(1).says(&["1 accepted, 3 refused", "line 2"]);
    folder.run(&["movements"]).ends_with(0).says(&["ann"]);
}

#[test]
fn a_field_of_a_hundred_megabytes() {
    let folder = Folder::empty();
    let mut file = std::fs::File::create(folder.path().join("field.csv")).unwrap();
    file.write_all(HEADER.as_bytes()).unwrap();
    file.write_all(b"s1,").unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        file.write_all(&part).unwrap();
    }
    file.write_all(format!(",USD,10,month,2024-01-01,\n{GOOD}").as_bytes()).unwrap();
    drop(file);
    folder.run(&["import", "subscriptions", "field.csv"]).ends_with(1).says(&["line 2", "record-too-long"]);
    folder.run(&["movements"]).ends_with(0).says(&["zoe"]);
}

/// A gzip file of so many megabytes of zero bytes after the header, a thousand times smaller. Nothing where the
/// program `gzip` is not there.
fn bomb(megabytes: usize) -> Option<Vec<u8>> {
    let mut child = std::process::Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(HEADER.as_bytes());
        let part = vec![0u8; 1 << 20];
        for _ in 0..megabytes {
            if input.write_all(&part).is_err() {
                break;
            }
        }
    });
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?;
    Some(output.stdout)
}

#[test]
fn a_gzip_bomb() {
    let Some(bytes) = bomb(200) else { return };
    assert!(bytes.len() < 1 << 20, "200 MiB of nothing are a small file");
    let folder = Folder::empty();
    folder.file("bomb.csv.gz", bytes);
    let said = folder.run(&["import", "subscriptions", "bomb.csv.gz"]);
    assert!(matches!(said.code, Some(1 | 4)), "{:?} {}{}", said.code, said.out, said.error);
    assert!(!said.error.contains("panicked"), "{}", said.error);
    folder.file("good.csv", format!("{HEADER}{GOOD}"));
    folder.run(&["import", "subscriptions", "good.csv"]).ends_with(0);
    folder.run(&["movements"]).ends_with(0).says(&["zoe"]);
}
