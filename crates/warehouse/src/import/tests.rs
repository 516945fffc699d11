use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::*;
use crate::lake::{Access, RefusedFilter};

const HEADER: &str = "subscription,customer,plan,product,currency,amount,interval,interval_count,quantity,\
discount_percent,discount_amount,discount_duration,status,trial_end,cancel_at,cancel_reason,start,end";

/// A folder with a lake and files to import.
struct Bench {
    folder: TempDir,
    lake: Lake,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::create_or_open(&folder.path().join("data"), Access::Write).unwrap();
        Self { folder, lake }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn request(&self, kind: &str, name: &str, content: impl AsRef<[u8]>) -> ImportRequest {
        ImportRequest::new(Kind::parse(kind).unwrap(), &self.file(name, content), 1_700_000_000_000_000)
    }

    fn run(&self, request: &ImportRequest) -> ImportReport {
        let report = import(&self.lake, request, &mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(report.accepted + report.refused, report.read);
        report
    }

    fn export(&self, kind: &str) -> String {
        let mut rows = export(&self.lake, Kind::parse(kind).unwrap(), None, None).unwrap();
        let mut text = rows.csv_header();
        while let Some(row) = rows.next() {
            text.push_str(&rows.csv_line(&row));
        }
        text
    }
}

/// Rows as a billing system exports them, 18 columns.
fn many_rows(rows: usize) -> String {
    let plans = [("starter", "19.00", "month"), ("team-yearly", "499.90", "year"), ("support", "7.25", "week")];
    let currencies = ["USD", "EUR", "GBP", "JPY"];
    let statuses = ["active", "active", "active", "canceled", "past_due"];
    let mut text = String::from(HEADER);
    text.push('\n');
    for row in 0..rows {
        let (plan, amount, interval) = plans[row % plans.len()];
        let (currency, status) = (currencies[row % 4], statuses[row % 5]);
        let (year, month, day) = (2014 + row % 10, 1 + row % 12, 1 + row % 28);
        let discount = if row % 7 == 0 { "20,,forever" } else { ",," };
        let end = if row % 3 == 0 { format!("{}-{month:02}-{day:02}", year + 1) } else { String::new() };
        let reason = if status == "canceled" { "too expensive" } else { "" };
        let _ = writeln!(
            text,
            "sub_{row:09},cus_{:08},{plan},core,{currency},{amount},{interval},1,{},{discount},{status},,,{reason},\
             {year}-{month:02}-{day:02},{end}",
            row / 4,
            1 + row % 9,
        );
    }
    text
}

/// Not a test of anything: prints how fast a file is imported. Run it with
/// `ROWS=5000000 cargo test --release -p warehouse rows_a_second -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and proves nothing"]
#[allow(clippy::print_stdout)]
fn rows_a_second() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let bench = Bench::new();
    let path = bench.folder.path().join("many.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let part = 1_000_000.min(rows);
    let text = many_rows(part);
    file.write_all(text.as_bytes()).unwrap();
    let body = text.split_once('\n').unwrap().1;
    for _ in 1..rows / part {
        file.write_all(body.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    drop((text, file));
    let request = ImportRequest::new(Kind::parse("subscriptions").unwrap(), &path, 1);
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        status
            .lines()
            .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    // The peak so far is the generator's: a new one is counted from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    println!("before: {}", memory());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    println!(
        "ticks before: {:?}",
        stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2).collect::<Vec<_>>()
    );
    let shown = preview(bench.folder.path(), &request, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    println!("preview: {} rows in {:.2} s: {:.0} rows/s", shown.read, shown.seconds, shown.read as f64 / shown.seconds);
    println!("after the preview: {}", memory());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    println!(
        "ticks after the preview: {:?}",
        stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2).collect::<Vec<_>>()
    );
    let report = bench.run(&request);
    println!(
        "import: {} rows, {} refused, {} MB in {:.2} s: {:.0} rows/s",
        report.read,
        report.refused,
        report.bytes / 1_000_000,
        report.seconds,
        report.read as f64 / report.seconds
    );
    println!("after the import: {}", memory());
    // User and system time of all threads, in hundredths of a second: what counts on a machine that others use too.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    println!("all in all: user {:?} system {:?}", ticks.get(11), ticks.get(12));
}

#[test]
fn a_file_becomes_facts_once() {
    let bench = Bench::new();
    let content = "id,Customer,Plan,Amount,Currency,Interval,Start,Region\n\
        s1,c1,p1,10.00,usd,monthly,2024-01-01,north\n\
        s2,c2,p1,ten,usd,monthly,2024-01-01,south\n\
        s3,c3,p2,99.5,eur,annual,2024-02-01T10:00:00Z,\n";
    let request = bench.request("subscriptions", "s.csv", content);
    let report = bench.run(&request);
    assert_eq!(report.outcome, Outcome::Imported { import: 1 });
    assert_eq!((report.read, report.accepted, report.refused), (3, 2, 1));
    assert_eq!(report.counts, [(Code::NumberUnreadable, 1)]);
    assert_eq!(
        report.issues[0].to_string(),
        "line 3, amount: `ten`: The text is not a number. [number-unreadable]; write digits with at most one decimal \
         sign, such as 1234.56"
    );
    assert_eq!(report.attributes, ["Region"]);
    assert!(report.columns.contains(&("subscription", ColumnUse::Header("id".to_owned()))));
    assert!(report.columns.contains(&("quantity", ColumnUse::Unused)));

    let again = bench.run(&ImportRequest { now_micros: 2_000_000_000_000_000, ..request.clone() });
    assert_eq!(again.outcome, Outcome::Unchanged { import: 1 });
    assert_eq!((again.read, again.accepted, again.refused), (3, 2, 1));
    assert_eq!(bench.lake.imports(None).unwrap().len(), 1);
    // Another source or another reading is another import.
    let other = ImportRequest { source: "crm".to_owned(), ..request };
    assert_eq!(bench.run(&other).outcome, Outcome::Imported { import: 2 });
}

#[test]
fn an_export_imported_adds_nothing_in_meaning() {
    let bench = Bench::new();
    let content = "customer,name,size,note\nb,\"=1+1, \"\"x\"\"\",10,-\na,,,\nc,'quoted,\"two\nlines\", \n";
    bench.run(&bench.request("customers", "c.csv", content));
    let first = bench.export("customers");
    insta::assert_snapshot!(first, @r#"
    customer,name,email,country,channel,signed_up,lead,user,visitor,campaign,note,size
    a,,,,,,,,,,,
    b,"'=1+1, ""x""",,,,,,,,,'-,10
    c,'quoted,,,,,,,,,,"two
    lines"
    "#);
    let report = bench.run(&bench.request("customers", "again.csv", &first));
    assert_eq!((report.refused, report.attributes), (0, vec!["note".to_owned(), "size".to_owned()]));
    assert_eq!(bench.export("customers"), first);
    // The newest import wins, and what was known before stays known.
    let before = bench.lake.imports(None).unwrap().last().unwrap().recorded_at_micros;
    let mut newer = bench.request("customers", "newer.csv", "customer,name\na,Anna\n");
    newer.now_micros = before + 1_000_000;
    bench.run(&newer);
    assert!(bench.export("customers").contains("\na,Anna,"));
    let then = export(&bench.lake, Kind::parse("customers").unwrap(), None, Some(before)).unwrap();
    assert_eq!(then.map(|row| row[1].clone()).next(), Some(None));
}

#[test]
fn every_kind_is_exported_as_it_was_imported() {
    for kind in crate::kind::KINDS {
        let bench = Bench::new();
        let value = |column: &crate::kind::Column| match column.value {
            ValueKind::Text | ValueKind::Id => format!("a {}", column.name),
            ValueKind::Currency => if column.name == "quote" { "EUR" } else { "USD" }.to_owned(),
            ValueKind::Decimal => "1.25".to_owned(),
            ValueKind::Integer => "3".to_owned(),
            ValueKind::Percent => "12.5".to_owned(),
            ValueKind::Moment if matches!(column.name, "start" | "opened" | "service_start" | "invited") => {
                "2024-01-01".to_owned()
            }
            ValueKind::Moment => "2024-06-01T10:00:00Z".to_owned(),
            ValueKind::Day => "2024-01-01".to_owned(),
            ValueKind::Boolean => "true".to_owned(),
            ValueKind::Choice(choices) | ValueKind::ChoiceOrMonths(choices) => choices[0].canonical.to_owned(),
            ValueKind::Tiers => "10:5.00:0; inf:4.00:0".to_owned(),
        };
        let header: Vec<&str> = kind.columns.iter().map(|column| column.name).collect();
        let row: Vec<String> = kind.columns.iter().map(value).collect();
        let content = format!("{}\n{}\n", header.join(","), row.join(","));
        let request = bench.request(kind.name, "k.csv", &content);
        let report = bench.run(&request);
        assert_eq!(report.issues, [], "{}", kind.name);
        assert_eq!(bench.export(kind.name), content, "{}", kind.name);
    }
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    use std::sync::atomic::Ordering;
    let bench = Bench::new();
    // Longer than what waits in the channels.
    let long = "x".repeat(1_000);
    let mut content: String = many_rows(15_000)
        .lines()
        .enumerate()
        .map(|(at, line)| format!("{line},{}\n", if at == 0 { "note" } else { &long }))
        .collect();
    content.push_str("bad\n");
    let jsonl: String =
        (0..15_000).map(|row| format!("{{\"customer\":\"c{row}\",\"n{}\":\"{long}\"}}\n", row / 4_000)).collect();
    // Read by a preset, with columns of its own before those of the file.
    let events: String = (0..12_000)
        .map(|row| {
            format!(
                "{{\"uuid\":\"e{row}\",\"event\":\"x\",\"distinct_id\":\"u\",\"timestamp\":\"2024-01-01\",\
                 \"properties\":{{\"$session_id\":\"s\",\"n{}\":\"{long}\"}}}}\n",
                row / 4_000
            )
        })
        .collect();
    for (kind, name, content, rows) in [
        ("subscriptions", "s.csv", content.as_str(), 15_001),
        ("customers", "c.jsonl", jsonl.as_str(), 15_000),
        ("events", "e.jsonl", events.as_str(), 12_000),
    ] {
        let request = bench.request(kind, name, content);
        let stop = AtomicBool::new(false);
        let report = import(
            &bench.lake,
            &request,
            &mut |progress| {
                if progress.phase == Phase::Reading {
                    stop.store(true, Ordering::Relaxed);
                }
            },
            &stop,
        )
        .unwrap();
        assert!(matches!(report.outcome, Outcome::Interrupted { .. }), "{:?}", report.outcome);
        assert!(report.read > 0 && report.read < rows, "{} of {rows}", report.read);
        let known = bench.lake.tables().unwrap().contains(&Kind::parse(kind).unwrap().table.to_owned());
        assert!(known && bench.export(kind).lines().count() == 1, "nothing is visible");
        let report = bench.run(&request);
        assert!(report.resumed_at.is_some());
        assert!(matches!(report.outcome, Outcome::Imported { .. }));
        assert_eq!(report.read, rows);
        let other = Bench::new();
        let whole = other.run(&other.request(kind, name, content));
        assert_eq!((report.read, report.accepted, report.refused), (whole.read, whole.accepted, whole.refused));
        assert!(bench.export(kind) == other.export(kind), "{name}: the same as in one go");
    }
    let refused = quarantined(&bench.lake, &RefusedFilter::default()).unwrap();
    assert_eq!((refused.len(), refused[0].row, refused[0].raw.as_str()), (1, 15_002, "bad"));
}

#[test]
fn a_preview_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.csv");
    std::fs::write(&path, "customer,name\na,A\n,B\n").unwrap();
    let request = ImportRequest::new(Kind::parse("customers").unwrap(), &path, 0);
    let report = preview(&folder.path().join("data"), &request, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, report.read, report.accepted, report.refused), (Outcome::Previewed, 2, 1, 1));
    assert_eq!(report.first_rows.unwrap().num_rows(), 1);
    assert_eq!(report.habits[..3], ["csv", "delimiter `,`", "UTF-8"]);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_file_that_is_the_whole_truth_withdraws_the_rest() {
    let bench = Bench::new();
    bench.run(&bench.request("customers", "one.csv", "customer,name\na,A\nb,B\n"));
    let crm = ImportRequest { source: "crm".to_owned(), ..bench.request("customers", "crm.csv", "customer\nz\n") };
    bench.run(&crm);
    let mut request = bench.request("customers", "two.csv", "customer,name\nb,B\nc,C\n");
    request.replace = true;
    let report = bench.run(&request);
    assert_eq!((report.accepted, report.withdrawn), (2, 1));
    let ids: Vec<String> = bench.export("customers").lines().skip(1).map(|line| line[..1].to_owned()).collect();
    assert_eq!(ids, ["b", "c", "z"], "another source keeps its facts");
    // What comes back is there again.
    let mut request = bench.request("customers", "three.csv", "customer,name\na,A\n");
    request.now_micros += 1;
    bench.run(&request);
    assert!(bench.export("customers").contains("\na,A,"));
}

#[test]
fn refused_rows_are_read_again_once_their_cause_is_mended() {
    let bench = Bench::new();
    let content = b"customer,name,signed_up\na,Zo\xeb,2024-01-01\nb,B,01/02/2024\nc,C,2024-01-01\nd\n";
    let report = bench.run(&bench.request("customers", "c.csv", content));
    assert_eq!((report.accepted, report.refused), (1, 3));
    let mend = |encoding: Option<&str>, dates: Option<&str>| {
        let instructions = Instructions {
            encoding: encoding.map(str::to_owned),
            dates: dates.map(str::to_owned),
            ..Instructions::default()
        };
        let report = replay(&bench.lake, &RefusedFilter::default(), &instructions, 1_800_000_000_000_000).unwrap();
        (report.read, report.settled, report.waiting)
    };
    assert_eq!(mend(None, None), (3, 0, 3), "nothing was mended");
    assert_eq!(mend(None, Some("dmy")), (3, 1, 2));
    assert_eq!(mend(Some("latin1"), None), (2, 1, 1));
    assert_eq!(mend(Some("latin1"), None), (1, 0, 1));
    let text = bench.export("customers");
    assert!(text.contains("a,Zoë,") && text.contains("b,B,,,,2024-02-01"), "{text}");
    let waiting = RefusedFilter { settled: Some(false), ..RefusedFilter::default() };
    assert_eq!(quarantined(&bench.lake, &waiting).unwrap().len(), 1);
    // JSON lines and their objects too.
    bench.run(&bench.request(
        "plans",
        "p.jsonl",
        "{\"plan\":\"p\",\"signed\":{\"x\":1}}\n{\"plan\":\"q\",\"amount\":\"1,234\"}\n",
    ));
    let point = Instructions { decimal: Some("point".to_owned()), ..Instructions::default() };
    let report = replay(
        &bench.lake,
        &RefusedFilter { code: Some("number-ambiguous".to_owned()), ..RefusedFilter::default() },
        &point,
        1_900_000_000_000_000,
    )
    .unwrap();
    assert_eq!((report.read, report.settled), (1, 1));
    assert!(bench.export("plans").contains("\nq,,,,1234,"));
}

#[test]
fn a_file_that_ends_badly_leaves_nothing() {
    let bench = Bench::new();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(many_rows(60_000).as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let request = bench.request("subscriptions", "s.csv.gz", &packed[..packed.len() - 20]);
    let error = import(&bench.lake, &request, &mut |_| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, ImportError::Read(ReadError::CutShort { .. })), "{error}");
    assert!(bench.lake.interrupted_imports().unwrap().is_empty() && bench.lake.imports(None).unwrap().is_empty());
    assert_eq!(bench.export("subscriptions").lines().count(), 1);
}

#[test]
fn a_mapping_is_saved_and_used_again() {
    let bench = Bench::new();
    let mut request = bench.request("customers", "a.csv", "Kunde\na\n");
    request.instructions.map.insert("customer".to_owned(), "Kunde".to_owned());
    request.save_mapping = Some("crm".to_owned());
    let report = bench.run(&request);
    assert!(report.mapping_file.unwrap().ends_with("mappings/crm.toml"));
    let mut request = bench.request("customers", "b.csv", "Kunde\nb\n");
    request.mapping = Some("crm".to_owned());
    assert_eq!(bench.run(&request).accepted, 1);
}

#[test]
fn a_table_from_before_a_column_is_exported_and_gains_it() {
    let bench = Bench::new();
    let kind = Kind::parse("spend").unwrap();
    let now = kind.schema();
    let before: Vec<_> = now.fields().iter().filter(|field| field.name() != "ad_group").cloned().collect();
    bench.lake.define_table(kind.table, &arrow::datatypes::Schema::new(before)).unwrap();
    assert_eq!(bench.export("spend").lines().count(), 1);
    bench.run(&bench.request("spend", "s.csv", "day,currency,amount,ad_group\n2024-01-01,USD,5,brand\n"));
    assert!(bench.export("spend").contains("2024-01-01,,,,USD,5,brand,"));
}
