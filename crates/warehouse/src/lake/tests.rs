//! The lake's promises, one test each.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;

/// A folder of its own with a lake in it.
fn lake() -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::create_or_open(folder.path(), Access::Write).unwrap();
    (folder, lake)
}

fn simple() -> Schema {
    Schema::new(vec![
        Field::new("import", DataType::Int64, false),
        Field::new("customer", DataType::Utf8, true),
        Field::new("amount", DataType::Int64, true),
    ])
}

fn rows(import: i64, amounts: &[i64]) -> RecordBatch {
    let customers: Vec<String> = amounts.iter().map(|amount| format!("c{amount}")).collect();
    RecordBatch::try_new(
        Arc::new(simple()),
        vec![
            Arc::new(Int64Array::from(vec![import; amounts.len()])),
            Arc::new(StringArray::from(customers)),
            Arc::new(Int64Array::from(amounts.to_vec())),
        ],
    )
    .unwrap()
}

fn request(file: &str) -> ImportRequest {
    ImportRequest {
        kind: "payment".to_owned(),
        source: "csv".to_owned(),
        file_name: file.to_owned(),
        file_bytes: 10,
        file_hash: None,
        options: "{}".to_owned(),
        started_at_micros: 5,
    }
}

fn refused(row: u64) -> RefusedRow {
    RefusedRow {
        id: 0,
        import: 0,
        file: "a.csv".to_owned(),
        row,
        column: Some("amount".to_owned()),
        code: "amount-unreadable".to_owned(),
        message: "the amount is no number".to_owned(),
        help: "write it as 12.34".to_owned(),
        raw: "c1;zwölf".to_owned(),
        settled_by: None,
    }
}

fn import(lake: &Lake, file: &str, amounts: &[i64], now: i64) -> Committed {
    let mut import = lake.begin_import(&request(file)).unwrap();
    import.stage("payment", &[rows(import.id(), amounts)], "end", amounts.len() as u64, &[]).unwrap();
    import.commit(now).unwrap()
}

fn amounts(lake: &Lake, at: Option<i64>) -> Vec<i64> {
    lake.read("payment", &["amount"], at)
        .unwrap()
        .flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect()
}

fn only_file(lake: &Lake) -> std::path::PathBuf {
    lake.files("payment", None).unwrap().remove(0).path
}

fn fault_kinds(lake: &Lake) -> Vec<LakeFaultKind> {
    lake.verify().unwrap().into_iter().map(|fault| fault.kind).collect()
}

#[test]
fn what_is_committed_is_read_back() {
    let (folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    let mut import = lake.begin_import(&request("a.csv")).unwrap();
    let id = import.id();
    import.stage("payment", &[rows(id, &[1, 2]), rows(id, &[3])], "line 4", 4, &[refused(3)]).unwrap();
    assert!(amounts(&lake, None).is_empty(), "nothing is visible before the commit");
    assert!(lake.refused_rows(&RefusedFilter::default()).unwrap().is_empty());
    let committed = import.commit(1_000).unwrap();
    assert_eq!((committed.rows_read, committed.rows_accepted, committed.rows_refused), (4, 3, 1));
    assert_eq!(committed.recorded_at_micros, 1_000);
    drop(lake);
    let lake = Lake::open(folder.path(), Access::Read).unwrap();
    assert_eq!(amounts(&lake, None), [1, 2, 3]);
    assert_eq!(lake.files("payment", None).unwrap()[0].import, Some(id));
    let kept = lake.refused_rows(&RefusedFilter::default()).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(RefusedRow { id: 0, import: 0, ..kept[0].clone() }, refused(3));
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn as_known_at_shows_what_was_known() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    // The second clock stands behind the first, so that import is recorded a microsecond after it.
    for (file, amount, now, recorded) in [("a", 1, 1_000, 1_000), ("b", 2, 500, 1_001), ("c", 3, 2_000, 2_000)] {
        assert_eq!(import(&lake, file, &[amount], now).recorded_at_micros, recorded);
    }
    for (at, expected) in [
        (i64::MIN, &[][..]),
        (0, &[]),
        (999, &[]),
        (1_000, &[1]),
        (1_001, &[1, 2]),
        (1_999, &[1, 2]),
        (2_000, &[1, 2, 3]),
        (i64::MAX, &[1, 2, 3]),
    ] {
        assert_eq!(amounts(&lake, Some(at)), expected, "as known at {at}");
        assert_eq!(lake.imports(Some(at)).unwrap().len(), expected.len(), "imports as known at {at}");
        assert_eq!(lake.files("payment", Some(at)).unwrap().len(), expected.len());
        assert!(lake.snapshot(Some(at)).unwrap() <= lake.snapshot(None).unwrap());
    }
    assert_eq!(lake.snapshot(Some(2_000)).unwrap(), lake.snapshot(None).unwrap());
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    let (folder, first) = lake();
    first.define_table("payment", &simple()).unwrap();
    let mut import = first.begin_import(&request("a.csv")).unwrap();
    let id = import.id();
    import.stage("payment", &[rows(id, &[1])], "byte 10", 2, &[refused(2)]).unwrap();
    assert!(first.resumable_import(&request("a.csv")).unwrap().is_none(), "somebody works on it");
    drop(import);
    drop(first);

    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    let other = ImportRequest { options: "{\"x\":1}".to_owned(), ..request("a.csv") };
    assert!(lake.resumable_import(&other).unwrap().is_none(), "other options are another import");
    assert_eq!(lake.interrupted_imports().unwrap().len(), 1);
    let mut import = lake.resumable_import(&request("a.csv")).unwrap().unwrap();
    assert_eq!((import.id(), import.resume_point(), import.rows_read()), (id, Some("byte 10"), 2));
    import.stage("payment", &[rows(id, &[2])], "end", 1, &[]).unwrap();
    let committed = import.commit(10).unwrap();
    assert_eq!((committed.rows_read, committed.rows_accepted, committed.rows_refused), (3, 2, 1));
    assert_eq!(amounts(&lake, None), [1, 2]);
    assert!(lake.resumable_import(&request("a.csv")).unwrap().is_none());
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn an_abandoned_import_leaves_nothing() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    let mut import = lake.begin_import(&request("a.csv")).unwrap();
    import.stage("payment", &[rows(import.id(), &[1])], "", 1, &[refused(1)]).unwrap();
    import.abandon().unwrap();
    assert!(lake.interrupted_imports().unwrap().is_empty());
    assert_eq!(lake.verify().unwrap(), []);
    assert!(amounts(&lake, None).is_empty());
}

#[test]
fn files_that_a_crash_left_are_removed_and_staged_ones_stay() {
    let (folder, first) = lake();
    first.define_table("payment", &simple()).unwrap();
    let mut import = first.begin_import(&request("a.csv")).unwrap();
    import.stage("payment", &[rows(import.id(), &[1])], "", 1, &[]).unwrap();
    let tables = first.folder().join("files/main/payment");
    drop((import, first));
    fs::write(tables.join("facts-left.parquet"), "half").unwrap();
    fs::write(tables.join("ducklake-foreign.parquet"), "not ours").unwrap();
    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    let left: Vec<String> =
        fs::read_dir(&tables).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!left.contains(&"facts-left.parquet".to_owned()));
    assert_eq!(fault_kinds(&lake), [LakeFaultKind::Orphan]);
    lake.resumable_import(&request("a.csv")).unwrap().unwrap().commit(1).unwrap();
    assert_eq!(amounts(&lake, None), [1]);
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let (folder, lake) = lake();
    match Lake::open(folder.path(), Access::Write) {
        Err(LakeError::Locked { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    let reader = Lake::open(folder.path(), Access::Read).unwrap();
    assert!(matches!(reader.begin_import(&request("a")), Err(LakeError::ReadOnly { .. })));
    drop(lake);
    // The file stays, and names a process that no longer writes.
    assert!(folder.path().join("write.lock").exists());
    Lake::open(folder.path(), Access::Write).unwrap();
}

#[test]
fn a_folder_without_facts_is_a_helpful_error() {
    let folder = tempfile::tempdir().unwrap();
    for open in [Lake::open, Lake::create_or_open] {
        let error = open(&folder.path().join("none"), Access::Read).unwrap_err();
        assert!(error.to_string().contains("holds no facts"), "{error}");
    }
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_newer_format_is_refused() {
    let (folder, lake) = lake();
    lake.set_setting("lake.format", "99").unwrap();
    drop(lake);
    for access in [Access::Read, Access::Write] {
        assert!(matches!(Lake::open(folder.path(), access), Err(LakeError::Version { .. })));
    }
}

#[test]
fn tables_gain_columns_and_nothing_else() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1], 10);
    let before = lake.snapshot(None).unwrap();
    lake.define_table("payment", &simple()).unwrap();
    assert_eq!(lake.snapshot(None).unwrap(), before, "the same definition changes nothing");

    let with = |field: Field| {
        let mut fields: Vec<Arc<Field>> = simple().fields().to_vec();
        fields.push(Arc::new(field));
        Schema::new(fields)
    };
    let wider = with(Field::new("note", DataType::Utf8, true));
    lake.define_table("payment", &wider).unwrap();
    let without = Schema::new(wider.fields()[..2].to_vec());
    for (wrong, schema) in [
        ("not nullable", with(Field::new("more", DataType::Utf8, false))),
        ("other type", with(Field::new("note", DataType::Int64, true))),
        ("other nullability", with(Field::new("note", DataType::Utf8, false))),
        ("forgotten columns", without),
        ("no place for the type", with(Field::new("more", DataType::Date64, true))),
        ("a name that needs quotes", with(Field::new("More \"x\"", DataType::Utf8, true))),
    ] {
        assert!(matches!(lake.define_table("payment", &schema), Err(LakeError::Shape { .. })), "{wrong}");
    }
    let mut import = lake.begin_import(&request("b")).unwrap();
    let mut arrays: Vec<ArrayRef> = rows(import.id(), &[2]).columns().to_vec();
    arrays.push(Arc::new(StringArray::from(vec!["new"])));
    let batch = RecordBatch::try_new(Arc::new(wider), arrays).unwrap();
    import.stage("payment", &[batch], "", 1, &[]).unwrap();
    import.commit(20).unwrap();
    let read: Vec<RecordBatch> = lake.read("payment", &["note", "amount"], None).unwrap().map(Result::unwrap).collect();
    assert!(read[0].column(0).is_null(0), "null before the column came");
    assert_eq!(read[1].column(0).as_string::<i32>().value(0), "new");
    assert_eq!(amounts(&lake, None), [1, 2]);
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn batches_that_do_not_fit_say_why() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    let mut import = lake.begin_import(&request("a")).unwrap();
    let batch = |name: &str, array: ArrayRef| RecordBatch::try_from_iter_with_nullable([(name, array, true)]).unwrap();
    let with_import = |name: &str, array: ArrayRef| {
        let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        RecordBatch::try_from_iter_with_nullable([("import", id, false), (name, array, true)]).unwrap()
    };
    for (expected, batch) in [
        ("has no column named colour", with_import("colour", Arc::new(Int64Array::from(vec![1])))),
        ("Cast it first", with_import("amount", Arc::new(StringArray::from(vec!["1"])))),
        ("lacks the column import", batch("amount", Arc::new(Int64Array::from(vec![1])))),
        ("has nulls", batch("import", Arc::new(Int64Array::from(vec![None])))),
    ] {
        let error = import.stage("payment", &[batch], "", 1, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = import.file("payments").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("It has: payment"), "{error}");
    assert_eq!(lake.verify().unwrap(), [], "no file is left behind");
}

#[test]
fn settled_rows_wait_for_the_commit() {
    let (_folder, lake) = lake();
    let mut import = lake.begin_import(&request("a")).unwrap();
    import
        .stage_files(vec![], &Progress { resume_point: "", rows_read: 2, refused: &[refused(1), refused(2)] })
        .unwrap();
    import.commit(1).unwrap();
    let waiting = RefusedFilter { settled: Some(false), ..RefusedFilter::default() };
    let ids: Vec<i64> = lake.refused_rows(&waiting).unwrap().iter().map(|row| row.id).collect();
    let replay = lake.begin_import(&request("replay")).unwrap();
    let replay_id = replay.id();
    assert_eq!(lake.settle_refused(&ids[..1], replay_id).unwrap(), 1);
    assert_eq!(lake.refused_rows(&waiting).unwrap().len(), 2, "the replay may still fail");
    replay.commit(2).unwrap();
    assert_eq!(lake.refused_rows(&waiting).unwrap().len(), 1);
    let settled = RefusedFilter { settled: Some(true), ..RefusedFilter::default() };
    assert_eq!(lake.refused_rows(&settled).unwrap()[0].settled_by, Some(replay_id));
    assert_eq!(lake.settle_refused(&ids[..1], 99).unwrap(), 0, "once is enough");
    assert_eq!(lake.verify().unwrap(), [], "settling leaves the seals whole");
}

#[test]
fn settings_are_kept() {
    let (folder, lake) = lake();
    assert_eq!(lake.setting("a").unwrap(), None);
    lake.set_setting("a", "1").unwrap();
    lake.set_setting("a", "2").unwrap();
    lake.set_setting("ab", "3").unwrap();
    drop(lake);
    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    assert_eq!(lake.setting("a").unwrap().as_deref(), Some("2"));
    assert_eq!(lake.settings("a").unwrap().len(), 2);
    assert!(lake.remove_setting("a").unwrap());
    assert!(!lake.remove_setting("a").unwrap());
}

#[test]
fn verify_finds_what_changed() {
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(LakeFaultKind, Damage<'_>); 3] = [
        (LakeFaultKind::WrongHash, &flip),
        (LakeFaultKind::WrongSize, &|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        (LakeFaultKind::MissingFile, &|path| fs::remove_file(path).unwrap()),
    ];
    for (expected, damage) in cases {
        let (_folder, lake) = lake();
        lake.define_table("payment", &simple()).unwrap();
        import(&lake, "a", &[1, 2, 3], 1);
        let path = only_file(&lake);
        damage(&path);
        let faults = lake.verify().unwrap();
        assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [expected]);
        assert_eq!(faults[0].path, path);
    }
}

#[test]
fn every_flipped_byte_of_a_file_is_found() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1, 2, 3], 1);
    let path = only_file(&lake);
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        assert_eq!(fault_kinds(&lake), [LakeFaultKind::WrongHash], "byte {position}");
    }
}

#[test]
fn verify_finds_a_rewritten_history() {
    for change in [
        "UPDATE recurve_import SET file_name = 'other.csv' WHERE id = 1",
        "UPDATE recurve_import SET recorded_at_micros = recorded_at_micros - 1 WHERE id = 1",
        "UPDATE recurve_refused_row SET raw = 'x'",
        "DELETE FROM recurve_refused_row",
        "DELETE FROM ducklake_data_file WHERE data_file_id = 0",
        "UPDATE ducklake_data_file SET record_count = 7 WHERE data_file_id = 0",
        "UPDATE ducklake_data_file SET begin_snapshot = 1 WHERE data_file_id = 1",
        "UPDATE recurve_file SET hash = 'x' WHERE id = 1",
        "DELETE FROM recurve_import WHERE id = 1",
    ] {
        let (folder, lake) = lake();
        lake.define_table("payment", &simple()).unwrap();
        let mut first = lake.begin_import(&request("a")).unwrap();
        first.stage("payment", &[rows(1, &[1])], "", 2, &[refused(1)]).unwrap();
        first.commit(1).unwrap();
        import(&lake, "b", &[2], 2);
        assert_eq!(lake.verify().unwrap(), []);
        rusqlite::Connection::open(folder.path().join("catalog.sqlite")).unwrap().execute(change, []).unwrap();
        assert!(!lake.verify().unwrap().is_empty(), "{change}");
    }
}

#[test]
fn a_moved_folder_is_the_same_lake() {
    let (folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1], 1);
    drop(lake);
    let other = tempfile::tempdir().unwrap();
    let moved = other.path().join("moved");
    fs::rename(folder.path(), &moved).unwrap();
    assert_eq!(amounts(&Lake::open(&moved, Access::Read).unwrap(), None), [1]);
    let lake = Lake::open(&moved, Access::Write).unwrap();
    import(&lake, "b", &[2], 2);
    assert_eq!(amounts(&lake, None), [1, 2]);
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn a_failed_write_ends_writing_and_loses_nothing() {
    let (folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1], 1);
    let io = LakeError::io("sync", Path::new("x"), std::io::Error::from_raw_os_error(5));
    lake.store.heed::<()>(Err(io)).unwrap_err();
    assert!(matches!(lake.begin_import(&request("b")), Err(LakeError::Broken { .. })));
    assert_eq!(amounts(&lake, None), [1], "reading goes on");
    drop(lake);
    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    import(&lake, "b", &[2], 2);
    assert_eq!(amounts(&lake, None), [1, 2]);
}

#[test]
fn a_full_disk_passes() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    // The catalogue may not grow by a page: SQLite then says what it says on a full disk.
    let limit = |pages: i64| {
        let connection = hold(&lake.store.writing.as_ref().unwrap().connection);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut import = lake.begin_import(&request("a")).unwrap();
    limit(1);
    let many: Vec<RefusedRow> = (0..10_000).map(refused).collect();
    let error = import.stage("payment", &[rows(import.id(), &[1])], "x", 1, &many).unwrap_err();
    assert!(matches!(error, LakeError::DiskFull { .. }), "{error}");
    assert_eq!(lake.verify().unwrap(), [], "no file is left behind");
    limit(1_000_000);
    import.stage("payment", &[rows(import.id(), &[1])], "x", 1, &many).unwrap();
    import.commit(1).unwrap();
    assert_eq!(amounts(&lake, None), [1]);
}

#[test]
fn long_files_have_several_parts() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    let many: Vec<i64> = (0..600_000).collect();
    import(&lake, "a", &many, 1);
    let parts = lake.parts("payment", &["amount"], None).unwrap();
    assert_eq!(parts.len(), 3);
    let sum: i64 = parts
        .iter()
        .flat_map(|part| part.rows().unwrap())
        .map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>())
        .sum();
    assert_eq!(sum, many.iter().sum::<i64>());
    assert_eq!(amounts(&lake, None), many);
}

#[test]
fn importers_and_readers_at_once_see_whole_imports() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let lake = lake.clone();
            scope.spawn(move || {
                for round in 0..5 {
                    let mut import = lake.begin_import(&request(&format!("{thread}-{round}"))).unwrap();
                    let batch = rows(import.id(), &[1, 2, 3]);
                    import.stage("payment", std::slice::from_ref(&batch), "half", 3, &[]).unwrap();
                    import.stage("payment", &[batch], "end", 3, &[]).unwrap();
                    import.commit(0).unwrap();
                }
            });
        }
        let lake = lake.clone();
        scope.spawn(move || {
            let mut before = 0;
            for _ in 0..50 {
                let now = amounts(&lake, None).len();
                assert!(now.is_multiple_of(6) && now >= before, "{before} then {now}");
                before = now;
            }
        });
    });
    assert_eq!(amounts(&lake, None).len(), 4 * 5 * 6);
    let imports = lake.imports(None).unwrap();
    assert!(imports.windows(2).all(|pair| pair[0].recorded_at_micros < pair[1].recorded_at_micros));
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn compaction_keeps_history() {
    let (folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1], 10);
    import(&lake, "b", &[2, 3], 20);
    let known = |lake: &Lake| [9, 10, 19, 20, 29, 30, 40].map(|at| amounts(lake, Some(at)));
    let listed = lake.parts("payment", &["amount"], None).unwrap();
    let before = lake.files("payment", None).unwrap();
    assert_eq!(lake.compact("payment").unwrap(), Compacted { files: 2, into_files: 1, rows: 3 });
    assert_eq!(lake.compact("payment").unwrap(), Compacted::default(), "nothing is left to merge");
    assert_eq!(listed.iter().flat_map(|part| part.rows().unwrap()).count(), 2, "what was listed stays readable");
    import(&lake, "c", &[4], 30);
    import(&lake, "d", &[5], 40);
    let expected = [&[][..], &[1], &[1], &[1, 2, 3], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3, 4, 5]];
    assert_eq!(known(&lake), expected);
    lake.compact("payment").unwrap();
    assert_eq!(known(&lake), expected, "merged twice");
    assert_eq!(lake.files("payment", None).unwrap().len(), 1);
    assert_eq!(lake.imports(None).unwrap().len(), 4);
    assert_eq!(lake.verify().unwrap(), []);
    let catalogue = rusqlite::Connection::open(folder.path().join("catalog.sqlite")).unwrap();
    let change = |sql: &str| catalogue.execute(sql, []).unwrap();
    change("UPDATE ducklake_files_scheduled_for_deletion SET schedule_start = '2020-01-01 00:00:00+00'");
    let last = "WHERE rowid = (SELECT MAX(rowid) FROM ducklake_files_scheduled_for_deletion)";
    change(&format!(
        "UPDATE ducklake_files_scheduled_for_deletion SET schedule_start = '2120-01-01 00:00:00+00' {last}"
    ));
    // What another program left to be removed is its own affair.
    let other = folder.path().join("files/main/payment/ducklake-1.parquet");
    fs::write(&other, "of another program").unwrap();
    change(
        "INSERT INTO ducklake_files_scheduled_for_deletion
         VALUES (900, 'main/payment/ducklake-1.parquet', 1, '2020-01-01 00:00:00+00')",
    );
    drop(lake);
    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    assert!(before.iter().all(|file| !file.path.exists()), "an hour later they are gone");
    let listed = "SELECT COUNT(*) FROM ducklake_files_scheduled_for_deletion";
    let listed: i64 = catalogue.query_row(listed, [], |row| row.get(0)).unwrap();
    assert_eq!((listed, other.exists()), (2, true), "the one that is not due and that of another program");
    change("DELETE FROM ducklake_files_scheduled_for_deletion WHERE data_file_id = 900");
    fs::remove_file(&other).unwrap();
    assert_eq!(known(&lake), expected);
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn compaction_refuses_a_damaged_file() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    import(&lake, "a", &[1], 10);
    import(&lake, "b", &[2], 20);
    let path = only_file(&lake);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(lake.compact("payment"), Err(LakeError::Damaged { .. })));
    assert_eq!(fault_kinds(&lake), [LakeFaultKind::WrongHash]);
}

/// Every type that facts may have, with a null in each.
fn every_type(first: i64) -> (Schema, RecordBatch) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![first, first + 1]))),
        ("name", Arc::new(StringArray::from(vec![Some("ä\"'"), None]))),
        ("plan", Arc::new(vec![None, Some("pro")].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("day", Arc::new(Date32Array::from(vec![Some(19_723), None]))),
        (
            "moment",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None]).with_timezone("UTC")),
        ),
        ("local", Arc::new(TimestampMicrosecondArray::from(vec![None, Some(-1)]))),
        (
            "amount",
            Arc::new(Decimal128Array::from(vec![Some(-1_234_567), None]).with_precision_and_scale(38, 6).unwrap()),
        ),
        ("price", Arc::new(Decimal128Array::from(vec![Some(5), None]).with_precision_and_scale(10, 2).unwrap())),
        ("share", Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
        ("live", Arc::new(BooleanArray::from(vec![Some(true), None]))),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), *name != "id")).collect();
    let schema = Schema::new(fields);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns.into_iter().map(|(_, array)| array).collect());
    (schema, batch.unwrap())
}

#[test]
fn every_type_comes_back_as_it_was() {
    let (_folder, lake) = lake();
    let (schema, batch) = every_type(1);
    lake.define_table("all_types", &schema).unwrap();
    let mut import = lake.begin_import(&request("a")).unwrap();
    import.stage("all_types", std::slice::from_ref(&batch), "", 2, &[]).unwrap();
    import.commit(1).unwrap();
    let read = lake.read("all_types", &[], None).unwrap().next().unwrap().unwrap();
    assert_eq!(read.schema().fields(), batch.schema().fields());
    for (column, name) in batch.schema().fields().iter().map(|field| field.name()).enumerate() {
        assert_eq!(format!("{:?}", read.column(column)), format!("{:?}", batch.column(column)), "{name}");
    }
    assert!(matches!(
        lake.table_schema("all_types").unwrap().unwrap().field(4).data_type(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_))
    ));
}

/// Writes a lake of three imports, and has DuckDB read it when RECURVE_DUCKDB_PYTHON names a Python
/// that has duckdb (`pip install duckdb duckdb-extension-ducklake duckdb-extension-sqlite-scanner pytz`).
#[test]
fn duckdb_reads_the_lake() {
    let (folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    let (schema, batch) = every_type(1);
    lake.define_table("all_types", &schema).unwrap();
    for (file, amounts, now) in [("a", &[1, 2][..], 1_000_000), ("b", &[3], 2_000_000)] {
        import(&lake, file, amounts, now);
    }
    // An import that found nothing new is a snapshot too.
    lake.begin_import(&request("empty")).unwrap().commit(3_000_000).unwrap();
    let mut fields = simple().fields().to_vec();
    fields.push(Arc::new(Field::new("note", DataType::Utf8, true)));
    lake.define_table("payment", &Schema::new(fields)).unwrap();
    let mut both = lake.begin_import(&request("c")).unwrap();
    both.stage("payment", &[rows(both.id(), &[4, 5, 6])], "half", 3, &[refused(9)]).unwrap();
    both.stage("all_types", &[batch], "end", 2, &[]).unwrap();
    both.commit(4_000_000).unwrap();
    let Some(python) = std::env::var_os("RECURVE_DUCKDB_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/lake/duckdb_reads_the_lake.py");
    let expect = |lake: &Lake, stage: &str| {
        let output = std::process::Command::new(&python).arg(script).arg(folder.path()).arg(stage).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        assert_eq!(lake.verify().unwrap(), []);
    };
    expect(&lake, "written");
    drop(lake);
    let lake = Lake::open(folder.path(), Access::Write).unwrap();
    expect(&lake, "closed and opened again");
    assert_eq!(lake.compact("payment").unwrap(), Compacted { files: 3, into_files: 1, rows: 6 });
    expect(&lake, "compacted");
    import(&lake, "d", &[7], 5_000_000);
    assert_eq!(amounts(&lake, None).iter().sum::<i64>(), 28);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is done to a lake, what was known at any time before stays as it was.
    #[test]
    fn history_never_changes(steps in prop::collection::vec((0_u8..5, 0_i64..50, 0_i64..2_000), 1..12)) {
        let (folder, mut lake) = lake();
        lake.define_table("payment", &simple()).unwrap();
        let mut history: Vec<(i64, Vec<i64>)> = vec![(0, vec![])];
        let mut known: Vec<i64> = vec![];
        for (step, (what, amount, now)) in steps.into_iter().enumerate() {
            match what {
                0 | 1 => {
                    let new: Vec<i64> = (0..amount).collect();
                    let committed = import(&lake, &step.to_string(), &new, now);
                    known.extend(new);
                    prop_assert!(committed.recorded_at_micros > history.last().unwrap().0);
                    history.push((committed.recorded_at_micros, known.clone()));
                }
                2 => {
                    let mut import = lake.begin_import(&request(&step.to_string())).unwrap();
                    import.stage("payment", &[rows(import.id(), &[amount])], "half", 1, &[]).unwrap();
                    if amount % 2 == 0 { import.abandon().unwrap(); }
                }
                3 => {
                    drop(lake);
                    lake = Lake::open(folder.path(), Access::Write).unwrap();
                }
                _ => {
                    lake.compact("payment").unwrap();
                }
            }
            for (at, expected) in &history {
                prop_assert_eq!(&amounts(&lake, Some(*at)), expected, "as known at {}", at);
            }
            prop_assert_eq!(&amounts(&lake, None), &known);
        }
        prop_assert_eq!(lake.verify().unwrap(), vec![]);
    }
}

/// The process that the sweeps below kill: three imports of two files each, one compaction, two imports at once and the
/// compaction of these, and a line for everything that was acknowledged.
#[test]
fn child_that_imports() {
    let Some(folder) = std::env::var_os("RECURVE_LAKE_CHILD") else { return };
    // A line that cannot be written is one that nobody was told.
    let say = |line: fmt::Arguments<'_>| drop(writeln!(std::io::stdout(), "{line}"));
    let work = || -> Result<(), LakeError> {
        let lake = Lake::create_or_open(Path::new(&folder), Access::Write)?;
        lake.define_table("payment", &simple())?;
        for file in ["a", "b", "c"] {
            let mut import = lake.begin_import(&request(file))?;
            for (part, amount) in [(1, 10), (2, 20)] {
                import.stage(
                    "payment",
                    &[rows(import.id(), &[amount, amount])],
                    &part.to_string(),
                    2,
                    &[refused(1)],
                )?;
                say(format_args!("ack staged {} {part}", import.id()));
            }
            say(format_args!("ack committed {}", import.commit(1)?.import));
        }
        lake.compact("payment")?;
        for file in ["d", "e"] {
            let batch = rows(0, &[30, 30, 40, 40]);
            let committed = lake.import_at_once(&request(file), &[("payment", batch)], 5, &[refused(5)], 1)?;
            say(format_args!("ack committed {}", committed.import));
        }
        lake.compact_newest("payment", 2)?;
        Ok(())
    };
    match work() {
        Ok(()) => say(format_args!("ack all")),
        Err(error) => say(format_args!("refused {error}")),
    }
}

/// Runs the child under strace with one fault injected, and holds the lake to what it acknowledged.
/// True when the child came through to the end, so that later points meet nothing new.
fn survives(fault: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={fault}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "lake::tests::child_that_imports", "--nocapture", "--test-threads=1"])
        .env("RECURVE_LAKE_CHILD", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lake = Lake::create_or_open(folder.path(), Access::Write)
        .unwrap_or_else(|error| panic!("after {fault} the lake does not open: {error}"));
    let committed: Vec<i64> = lake.imports(None).unwrap().iter().map(|import| import.id).collect();
    let interrupted = lake.interrupted_imports().unwrap();
    for line in said.lines().filter_map(|line| line.split("ack ").nth(1)) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["committed", id] => assert!(committed.contains(&id.parse().unwrap()), "{fault}: {line} is lost"),
            ["staged", id, part] => {
                let id: i64 = id.parse().unwrap();
                let staged = interrupted.iter().find(|import| import.id == id).map(|import| import.rows_read);
                assert!(
                    committed.contains(&id) || staged >= Some(2 * part.parse::<u64>().unwrap()),
                    "{fault}: {line} is lost"
                );
            }
            _ => {}
        }
    }
    assert_eq!(lake.verify().unwrap(), [], "after {fault}");
    lake.define_table("payment", &simple()).unwrap();
    assert_eq!(amounts(&lake, None).len(), 4 * committed.len(), "{fault}: half an import is visible");
    // Whatever happened, the work goes on from there.
    for import in interrupted {
        lake.take_up_import(import.id).unwrap().commit(1).unwrap();
    }
    import(&lake, "after", &[1], 1);
    assert_eq!(lake.verify().unwrap(), [], "after {fault} and going on");
    said.contains("ack all")
}

/// Kills, failures and a full disk at every write, sync and removal (every ninth of them unless
/// RECURVE_FULL_SWEEP is set). Needs strace; without it there is nothing to see.
#[test]
fn nothing_acknowledged_is_lost() {
    let traced = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        return;
    }
    let step = if std::env::var_os("RECURVE_FULL_SWEEP").is_some() { 1 } else { 9 };
    let calls = "write,pwrite64,fsync,fdatasync,ftruncate,unlink,mkdir";
    for what in ["signal=KILL", "error=EIO", "error=ENOSPC"] {
        let mut point = 1;
        while !survives(&format!("{calls}:{what}:when={point}")) {
            point += step;
            assert!(point < 2_000, "{what} never ends");
        }
    }
    // A disk that stays full, or stays broken, from some point on.
    for what in ["error=EIO", "error=ENOSPC"] {
        for point in (1..100).step_by(3 * step) {
            survives(&format!("pwrite64,fsync,fdatasync:{what}:when={point}+"));
        }
    }
}

/// A disk that is really full, when RECURVE_SMALL_DISK names one: `mount -t tmpfs -o size=4m none DIR`.
#[test]
fn a_really_full_disk_passes_without_a_restart() {
    let Some(disk) = std::env::var_os("RECURVE_SMALL_DISK") else { return };
    let folder = tempfile::tempdir_in(&disk).unwrap();
    let lake = Lake::create_or_open(folder.path(), Access::Write).unwrap();
    lake.define_table("payment", &simple()).unwrap();
    let ballast = Path::new(&disk).join("ballast");
    let mut refusals = 0;
    for room in (0..40).map(|step| step * 8_192) {
        let mut import = lake.begin_import(&request(&room.to_string())).unwrap();
        fs::write(&ballast, "").unwrap();
        let mut bytes = 4 << 20;
        while bytes > 0 {
            // Fill to the brim, then leave as much room as this round says.
            let filled = std::fs::OpenOptions::new().append(true).open(&ballast).unwrap().write(&vec![0; bytes]);
            assert!(fs::metadata(&ballast).unwrap().len() < 64 << 20, "that disk is not small");
            bytes = if matches!(filled, Ok(written) if written > 0) { bytes } else { bytes / 2 };
        }
        let full = fs::metadata(&ballast).unwrap().len();
        fs::OpenOptions::new().write(true).open(&ballast).unwrap().set_len(full.saturating_sub(room)).unwrap();
        let known = amounts(&lake, None);
        let many: Vec<RefusedRow> = (0..100).map(refused).collect();
        let batch = rows(import.id(), &(0..20_000).collect::<Vec<_>>());
        let staged = import.stage("payment", std::slice::from_ref(&batch), "x", 1, &many);
        assert_eq!(amounts(&lake, None), known, "reading goes on");
        fs::remove_file(&ballast).unwrap();
        if let Err(error) = staged {
            refusals += 1;
            assert!(matches!(error, LakeError::DiskFull { .. }), "with room for {room} bytes: {error}");
            import.stage("payment", &[rows(import.id(), &[7])], "x", 1, &[]).unwrap();
        }
        import.commit(1).unwrap();
        assert_eq!(lake.verify().unwrap(), [], "with room for {room} bytes");
    }
    assert!((5..40).contains(&refusals), "{refusals} of 40 rounds met a full disk");
}

/// A batch of one row in one table, at once.
fn at_once(lake: &Lake, amount: i64, now: i64) -> Result<Committed, LakeError> {
    lake.import_at_once(&request("api"), &[("payment", rows(0, &[amount]))], 1, &[], now)
}

#[test]
fn a_batch_is_committed_at_once_with_what_was_refused() {
    let (_folder, lake) = lake();
    lake.define_table("payment", &simple()).unwrap();
    lake.define_table("payout", &simple()).unwrap();
    let tables = [("payment", rows(0, &[1, 2])), ("payout", rows(0, &[3]))];
    let committed = lake.import_at_once(&request("api"), &tables, 4, &[refused(4)], 1_000).unwrap();
    assert_eq!((committed.rows_read, committed.rows_accepted, committed.rows_refused), (4, 3, 1));
    assert_eq!(lake.refused_rows(&RefusedFilter::default()).unwrap().len(), 1);
    let imports: Vec<i64> = lake
        .read("payout", &["import"], None)
        .unwrap()
        .flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(imports, [committed.import]);
    // One that fails leaves nothing behind, and its number is free again.
    let unknown = [("payment", rows(0, &[9])), ("nothing", rows(0, &[9]))];
    assert!(matches!(
        lake.import_at_once(&request("api"), &unknown, 2, &[], 2_000),
        Err(LakeError::UnknownTable { .. })
    ));
    assert_eq!(amounts(&lake, None), [1, 2]);
    assert_eq!(fs::read_dir(lake.folder().join("files/main/payment")).unwrap().count(), 1);
    assert_eq!(lake.verify().unwrap(), []);
}

#[test]
fn in_turns_two_processes_write_to_one_folder() {
    let (folder, first) = lake();
    first.define_table("payment", &simple()).unwrap();
    drop(first);
    let server = Lake::open(folder.path(), Access::InTurns).unwrap();
    assert!(matches!(at_once(&server, 1, 10), Err(LakeError::OutOfTurn { .. })), "not before its turn");
    {
        let _turn = server.turn(Duration::ZERO).unwrap();
        at_once(&server, 1, 10).unwrap();
    }
    let command = Lake::open(folder.path(), Access::Write).unwrap();
    assert!(matches!(server.turn(Duration::from_millis(20)), Err(LakeError::Locked { .. })));
    let begun = Instant::now();
    let refused = Lake::open(folder.path(), Access::Write).unwrap_err();
    assert!(matches!(&refused, LakeError::Locked { pid, .. } if *pid == std::process::id().to_string()));
    assert!(begun.elapsed() < Duration::from_secs(1), "the second hears so within a second");
    import(&command, "b", &[2], 20);
    // Whoever waits gets the turn as soon as the other is done.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let _turn = server.turn(Duration::from_secs(10)).unwrap();
            at_once(&server, 3, 30).unwrap();
        });
        std::thread::sleep(Duration::from_millis(50));
        drop(command);
        waiting.join().unwrap();
    });
    assert_eq!(amounts(&server, None), [1, 2, 3]);
    assert_eq!(server.verify().unwrap(), []);
}

/// However busy somebody is who writes in turns: a command comes next, even where turns are longer than a command waits
/// for another command.
#[test]
fn who_writes_without_a_break_lets_others_come_between() {
    let (folder, first) = lake();
    first.define_table("payment", &simple()).unwrap();
    drop(first);
    let server = Lake::open(folder.path(), Access::InTurns).unwrap();
    let (is_over, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _turn = server.turn(Duration::from_secs(30)).unwrap();
                turns.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1_200));
            }
        });
        std::thread::sleep(Duration::from_millis(100));
        for number in 0..3 {
            let before = turns.load(Ordering::Relaxed);
            let command = Lake::open(folder.path(), Access::Write);
            let waited = turns.load(Ordering::Relaxed) - before;
            if let Ok(command) = &command {
                import(command, &number.to_string(), &[number], number);
            } else {
                is_over.store(true, Ordering::Relaxed);
            }
            assert!(command.is_ok() && waited <= 1, "{command:?} after {waited} turns");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(amounts(&server, None), [0, 1, 2]);
}

#[test]
fn small_files_are_merged_beside_a_writer_and_each_row_seldom() {
    let (folder, first) = lake();
    first.define_table("payment", &simple()).unwrap();
    drop(first);
    let lake = Lake::open(folder.path(), Access::InTurns).unwrap();
    let (mut rewritten, mut history) = (0, Vec::new());
    for amount in 1..=200 {
        let turn = lake.turn(Duration::from_secs(1)).unwrap();
        history.push((amount, at_once(&lake, amount, amount).unwrap().recorded_at_micros));
        drop(turn);
        rewritten += lake.compact_newest("payment", 8).unwrap().rows;
    }
    assert_eq!(amounts(&lake, None), (1..=200).collect::<Vec<_>>());
    assert!(lake.files("payment", None).unwrap().len() < 12, "{:?}", lake.files("payment", None).unwrap().len());
    // Each of so few rows fits one new file, so that all are merged again and again; larger files are left alone.
    assert!(rewritten < 200 * 30, "{rewritten}");
    for (amount, at) in history.into_iter().step_by(13) {
        assert_eq!(amounts(&lake, Some(at)), (1..=amount).collect::<Vec<_>>(), "as known at {at}");
    }
    assert_eq!(lake.verify().unwrap(), []);
}
