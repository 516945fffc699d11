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

mod statements {
    //! Facts stated row by row.

    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::import::{Answer, Stated, Statement, Statements, state};
    use crate::lake::LakeError;

    const NOW: i64 = 1_700_000_000_000_000;

    fn kind(name: &str) -> &'static Kind {
        Kind::parse(name).unwrap()
    }

    /// `customers customer=c1 name=Ann`, and `- customers customer=c1` for a withdrawal.
    fn said(lines: &str) -> Vec<Statement> {
        let (source, origin): (Arc<str>, Arc<str>) = ("api".into(), "api (token ci)".into());
        let statement = |line: &str| {
            let (is_withdrawal, line) = line.strip_prefix("- ").map_or((false, line), |line| (true, line));
            let mut words = line.split_whitespace();
            let kind = kind(words.next().unwrap());
            let values = words.map(|word| word.split_once('=').unwrap());
            match is_withdrawal {
                false => Statement::row(kind, &source, &origin, values),
                true => Statement::withdrawal(kind, &source, &origin, values),
            }
        };
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(statement).collect()
    }

    fn words(stated: &Stated) -> Vec<String> {
        stated
            .answers
            .iter()
            .map(|answer| match answer {
                Answer::Refused(issues) => format!("refused {}", issues[0].code),
                other => format!("{other:?}").to_lowercase(),
            })
            .collect()
    }

    const A_DAY: &str = "
        customers customer=c1 name=Ann
        subscriptions subscription=s1 customer=c1 amount=20 currency=USD interval=month start=2024-01-01
        payments payment=p1 customer=c1 amount=20 currency=USD status=succeeded paid_at=2024-01-01";

    #[test]
    fn several_kinds_become_one_import_and_one_snapshot() {
        let bench = Bench::new();
        let stated = state(&bench.lake, &said(A_DAY), NOW).unwrap();
        assert_eq!(words(&stated), ["stated", "stated", "stated"]);
        let imports = bench.lake.imports(None).unwrap();
        assert_eq!(imports.len(), 1);
        assert_eq!((imports[0].kind.as_str(), imports[0].source.as_str()), ("several", "api"));
        assert_eq!((imports[0].rows_read, imports[0].rows_accepted, imports[0].rows_refused), (3, 3, 0));
        assert_eq!(imports[0].origin(2), "api (token ci)");
        assert_eq!(stated.committed.unwrap().snapshot, bench.lake.snapshot(None).unwrap());
        assert!(bench.export("customers").contains("c1,Ann"));
        assert!(bench.export("payments").contains("p1"));
        assert_eq!(bench.lake.verify().unwrap(), []);
    }

    #[test]
    fn the_same_again_writes_nothing_and_other_content_is_a_newer_version() {
        let bench = Bench::new();
        state(&bench.lake, &said(A_DAY), NOW).unwrap();
        let before = bench.lake.snapshot(None).unwrap();
        let again = state(&bench.lake, &said(A_DAY), NOW + 1).unwrap();
        assert_eq!(words(&again), ["unchanged", "unchanged", "unchanged"]);
        assert_eq!(again.committed, None);
        assert_eq!(bench.lake.snapshot(None).unwrap(), before);

        let newer = state(
            &bench.lake,
            &said(
                "customers customer=c1 name=Anna
                 customers customer=c2 name=Bo
                 customers customer=c2 name=Bo
                 customers customer=c2 name=Bob",
            ),
            NOW + 2,
        );
        assert_eq!(words(&newer.unwrap()), ["restated", "stated", "unchanged", "restated"]);
        let export = bench.export("customers");
        assert!(export.contains("c1,Anna") && export.contains("c2,Bob") && !export.contains("c2,Bo,"), "{export}");
    }

    #[test]
    fn a_fact_is_withdrawn_by_its_key_and_may_be_stated_again() {
        let bench = Bench::new();
        state(&bench.lake, &said(A_DAY), NOW).unwrap();
        let withdrawal = "- subscriptions subscription=s1 start=2024-01-01";
        let gone = state(&bench.lake, &said(withdrawal), NOW + 1).unwrap();
        assert_eq!(words(&gone), ["withdrawn"]);
        assert_eq!(bench.export("subscriptions").lines().count(), 1, "the header alone");
        let again = state(&bench.lake, &said(withdrawal), NOW + 2).unwrap();
        assert_eq!((words(&again), again.committed), (vec!["unchanged".to_owned()], None));
        let back = state(&bench.lake, &said(A_DAY), NOW + 3).unwrap();
        assert_eq!(words(&back), ["unchanged", "stated", "unchanged"]);
        assert_eq!(bench.export("subscriptions").lines().count(), 2);
        // Stated, taken back and stated within one batch.
        let within = state(
            &bench.lake,
            &said("customers customer=c9 name=Zoe\n- customers customer=c9\ncustomers customer=c9 name=Zoe"),
            NOW + 4,
        );
        assert_eq!(words(&within.unwrap()), ["stated", "withdrawn", "stated"]);
        assert!(bench.export("customers").contains("c9,Zoe"));
        assert_eq!(bench.lake.verify().unwrap(), []);
    }

    #[test]
    fn what_cannot_be_read_is_refused_alone_and_kept() {
        let bench = Bench::new();
        let stated = state(
            &bench.lake,
            &said(
                "customers customer=c1 name=Ann
                 payments payment=p1 customer=c1 amount=twenty currency=USD status=succeeded paid_at=2024-01-01
                 payments payment=p2 customer=c1 amount=3 currency=USD status=succeeded paid_at=2024-01-01 hue=green
                 - customers customer=c7",
            ),
            NOW,
        )
        .unwrap();
        assert_eq!(
            words(&stated),
            ["stated", "refused number-unreadable", "stated", "refused fact-unknown"],
            "{:?}",
            stated.answers
        );
        assert_eq!(stated.attributes.get(&2), Some(&vec!["hue".to_owned()]));
        let kept = bench.lake.refused_rows(&RefusedFilter::default()).unwrap();
        let places: Vec<_> = kept.iter().map(|row| (row.row, row.file.as_str(), row.code.as_str())).collect();
        assert_eq!(places, [(2, "api (token ci)", "number-unreadable"), (4, "api (token ci)", "fact-unknown")]);
        // The customer is stated after all: its withdrawal can be read again, the payment cannot.
        state(&bench.lake, &said("customers customer=c7 name=Late"), NOW + 1).unwrap();
        let report = replay(&bench.lake, &RefusedFilter::default(), &Instructions::default(), NOW + 2).unwrap();
        assert_eq!((report.read, report.settled, report.waiting), (2, 1, 1));
        assert!(!bench.export("customers").contains("c7"));
        let waiting = RefusedFilter { settled: Some(false), ..RefusedFilter::default() };
        assert_eq!(bench.lake.refused_rows(&waiting).unwrap().len(), 1);
        assert_eq!(bench.lake.verify().unwrap(), []);
    }

    #[test]
    fn a_source_knows_what_files_said_of_it_and_others_do_not_mix_in() {
        let bench = Bench::new();
        let file = "customer,name\nc1,Ann\nc2,Bo\n";
        let of_api = ImportRequest { source: "api".to_owned(), ..bench.request("customers", "a.csv", file) };
        bench.run(&of_api);
        bench.run(&bench.request("customers", "b.csv", "customer,name\nc3,Cy\n"));
        let lines = "customers customer=c1 name=Ann\ncustomers customer=c2 name=Bob\ncustomers customer=c3 name=Cy";
        let stated = state(&bench.lake, &said(lines), NOW).unwrap();
        assert_eq!(words(&stated), ["unchanged", "restated", "stated"]);
        // A file that comes later is read on from.
        let later = "customer,name\nc4,Di\n";
        bench.run(&ImportRequest { source: "api".to_owned(), ..bench.request("customers", "c.csv", later) });
        let stated = state(&bench.lake, &said("customers customer=c4 name=Di"), NOW).unwrap();
        assert_eq!(words(&stated), ["unchanged"]);
    }

    #[test]
    fn the_index_is_made_again_when_it_is_gone_damaged_or_of_another_lake() {
        let bench = Bench::new();
        state(&bench.lake, &said(A_DAY), NOW).unwrap();
        state(&bench.lake, &said("- payments payment=p1"), NOW + 1).unwrap();
        let index = bench.lake.folder().join("stated.sqlite");
        let check = |what: &str| {
            let stated = state(&bench.lake, &said(&format!("{A_DAY}\n- payments payment=p1")), NOW + 2).unwrap();
            let expected = ["unchanged", "unchanged", "stated", "withdrawn"];
            assert_eq!(words(&stated), expected, "{what}");
        };
        std::fs::remove_file(&index).unwrap();
        check("gone");
        std::fs::write(&index, b"this is no index at all, and long enough to be taken for a header of one ...")
            .unwrap();
        check("damaged");
        let other = Bench::new();
        state(&other.lake, &said("customers customer=c8 name=Other"), NOW + 7).unwrap();
        std::fs::copy(other.lake.folder().join("stated.sqlite"), &index).unwrap();
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(bench.lake.folder().join(format!("stated.sqlite{ending}")));
        }
        check("another's");
    }

    /// Who notes only after the answer may find that somebody else has stated and noted meanwhile.
    #[test]
    fn what_is_noted_late_or_never_is_known_all_the_same() {
        let bench = Bench::new();
        let (mut one, mut other) = (Statements::open(&bench.lake).unwrap(), Statements::open(&bench.lake).unwrap());
        let customer = |name: &str| said(&format!("customers customer=c1 name={name}"));
        assert_eq!(words(&one.state_first(&customer("Ann"), NOW).unwrap()), ["stated"]);
        assert_eq!(words(&other.state(&customer("Bea"), NOW + 1).unwrap()), ["restated"]);
        one.note();
        assert_eq!(words(&other.state_first(&customer("Bea"), NOW + 2).unwrap()), ["unchanged"]);
        assert_eq!(words(&one.state_first(&customer("Ann"), NOW + 3).unwrap()), ["restated"]);
        // The first one goes without having noted it.
        drop(one);
        assert_eq!(words(&other.state(&customer("Ann"), NOW + 4).unwrap()), ["unchanged"]);
    }

    #[test]
    fn facts_are_found_after_compaction() {
        let bench = Bench::new();
        for day in 1..=9 {
            let line = format!("customers customer=c{day} name=N{day}");
            state(&bench.lake, &said(&line), NOW + day).unwrap();
        }
        assert!(bench.lake.compact("customer").unwrap().files > 1);
        let lines = "customers customer=c3 name=N3\n- customers customer=c4\ncustomers customer=c5 name=New";
        let stated = state(&bench.lake, &said(lines), NOW + 100).unwrap();
        assert_eq!(words(&stated), ["unchanged", "withdrawn", "restated"]);
        std::fs::remove_file(bench.lake.folder().join("stated.sqlite")).unwrap();
        let stated = state(&bench.lake, &said(lines), NOW + 101).unwrap();
        assert_eq!(words(&stated), ["unchanged"; 3]);
        assert_eq!(bench.lake.verify().unwrap(), []);
    }

    #[test]
    fn a_lake_for_reading_takes_nothing() {
        let bench = Bench::new();
        state(&bench.lake, &said(A_DAY), NOW).unwrap();
        let reading = Lake::open(bench.lake.folder(), Access::Read).unwrap();
        let refused = state(&reading, &said("customers customer=c5 name=E"), NOW);
        assert!(matches!(refused, Err(ImportError::Lake(LakeError::ReadOnly { .. }))), "{refused:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        /// Whatever is said, and however it is cut into batches and repeated, what holds is what was said last.
        #[test]
        fn however_it_is_cut_the_last_word_holds(
            says in proptest::collection::vec((0..4u8, 0..4u8), 1..24),
            cuts in proptest::collection::vec(1..6usize, 24),
            forgets in proptest::collection::vec(any::<bool>(), 24),
        ) {
            let bench = Bench::new();
            let mut holds = std::collections::BTreeMap::new();
            let mut rest: Vec<String> = says.iter().map(|(customer, name)| {
                if *name == 0 {
                    format!("- customers customer=c{customer}")
                } else {
                    format!("customers customer=c{customer} name=N{name}")
                }
            }).collect();
            for (customer, name) in &says {
                if *name == 0 { holds.remove(customer); } else { holds.insert(*customer, *name); }
            }
            let mut statements = Statements::open(&bench.lake).unwrap();
            let mut now = NOW;
            for (cut, forgets) in cuts.iter().zip(forgets) {
                if rest.is_empty() { break; }
                let later = rest.split_off((*cut).min(rest.len()));
                let batch = said(&rest.join("\n"));
                now += 1;
                statements.state(&batch, now).unwrap();
                rest = later;
                if forgets {
                    drop(statements);
                    std::fs::remove_file(bench.lake.folder().join("stated.sqlite")).unwrap();
                    statements = Statements::open(&bench.lake).unwrap();
                }
            }
            prop_assume!(rest.is_empty());
            let expected: Vec<String> =
                holds.iter().map(|(customer, name)| format!("c{customer},N{name}")).collect();
            let mut found: Vec<String> = bench.export("customers").lines().skip(1)
                .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",")).collect();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }

    /// Not a test of anything: prints how long a commit takes.
    #[test]
    #[ignore = "measures, and proves nothing"]
    #[allow(clippy::print_stdout)]
    fn milliseconds_a_commit() {
        let bench = Bench::new();
        let mut statements = Statements::open(&bench.lake).unwrap();
        let mut next = 0;
        for rows in [1, 100, 1_000, 10_000] {
            let mut times = Vec::new();
            for round in 0..30 {
                let mut lines = String::new();
                for _ in 0..rows {
                    next += 1;
                    let _ = match next % 3 {
                        0 => writeln!(lines, "customers customer=c{next} name=Ann"),
                        1 => writeln!(
                            lines,
                            "payments payment=p{next} customer=c{next} amount=20 currency=USD status=succeeded paid_at=2024-01-01"
                        ),
                        _ => writeln!(
                            lines,
                            "subscriptions subscription=s{next} customer=c{next} amount=20 currency=USD interval=month start=2024-01-01"
                        ),
                    };
                }
                let batch = said(&lines);
                let began = std::time::Instant::now();
                let stated = statements.state(&batch, NOW + round).unwrap();
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
                assert!(stated.answers.iter().all(|answer| *answer == Answer::Stated));
            }
            times.sort_by(f64::total_cmp);
            println!("{rows} rows: median {:.1} ms, worst {:.1} ms", times[times.len() / 2], times[times.len() - 1]);
        }
    }
}
