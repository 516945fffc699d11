//! The ledger that is written as it is made, against the one that books hold.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray},
    compute::concat_batches,
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::*;

/// Periods of some hundred customers with up to three subscriptions each, in the order of their starts. Amounts have
/// fractions of a cent, or are too large for 64 bits of pico-units; quantities may be large. `id` spells customers and
/// subscriptions.
fn periods(id: impl Fn(&str, u64) -> String) -> Vec<(String, String, i32, Option<i32>, u64)> {
    let mut state = 42u64;
    let mut dice = move |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut rows = Vec::new();
    for customer in 0..800 {
        for of_customer in 0..1 + dice(6) / 3 {
            let subscription = customer * 3 + of_customer;
            let mut day = 17_000 + dice(1_500) as i32;
            for _ in 0..1 + dice(5) {
                let end = day + 1 + dice(120) as i32;
                let stated = (dice(9) > 0).then_some(end);
                rows.push((id("cus", customer), id("sub", subscription), day, stated, dice(1 << 30)));
                // Most follow each other; some leave a gap, and some begin before the last has ended.
                day = end + [0, 0, 0, 0, 0, 0, 9, -1][dice(8) as usize];
            }
        }
    }
    rows.sort_by_key(|row| row.2);
    rows
}

fn file_of(rows: &[(String, String, i32, Option<i32>, u64)], path: &Path) {
    let texts = |of: &dyn Fn(u64) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| of(row.4))))
    };
    let amount = |seed: u64| match seed % 40 {
        0 => 12_345_678,
        1 => 90_000_000_000_000,
        2 => 0,
        kind => i128::from(kind % 7 + 1) * 19_990_000,
    };
    let quantity = |seed: u64| if seed % 41 == 7 && seed % 40 > 1 { 3_000_000 } else { (seed / 7 % 4) as i64 + 1 };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("subscription", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.1)))),
        ("customer", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)))),
        ("plan", texts(&|seed| ["basic", "team", "business"][(seed / 3 % 3) as usize])),
        ("currency", texts(&|_| "EUR")),
        ("interval", texts(&|seed| ["month", "month", "year", "quarter", "week"][(seed / 11 % 5) as usize])),
        (
            "status",
            texts(&|seed| ["active", "active", "active", "trialing", "canceled", "past_due"][(seed / 29 % 6) as usize]),
        ),
        (
            "amount",
            Arc::new(
                Decimal128Array::from_iter_values(rows.iter().map(|row| amount(row.4)))
                    .with_precision_and_scale(20, 6)
                    .unwrap(),
            ),
        ),
        ("interval_count", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| (row.4 / 13 % 2) as i32 + 1)))),
        ("quantity", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| quantity(row.4))))),
        ("start", Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ("end", Arc::new(Date32Array::from_iter(rows.iter().map(|row| row.3)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    for first in (0..batch.num_rows()).step_by(1_000) {
        writer.write(&batch.slice(first, (batch.num_rows() - first).min(1_000))).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

fn rows_of(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn what_is_written_as_it_is_made_is_what_books_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (file, made, held) =
        (folder.path().join("periods.parquet"), folder.path().join("made"), folder.path().join("held"));
    let periods_file = file.to_str().unwrap();
    let short = |kind: &str, number: u64| format!("{kind}_{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
    let long = |kind: &str, number: u64| format!("a-rather-long-beginning-{number}-{kind}-and-a-long-end-of-an-id");
    let mixed = |kind: &str, number: u64| if number == 7 { String::new() } else { short(kind, number) };
    // Some fill a key, others do not.
    let full = |kind: &str, number: u64| match number % 3 {
        0 => short(kind, number),
        _ => format!("{kind}_{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    for rows in [periods(short), periods(long), periods(mixed), periods(full)] {
        file_of(&rows, &file);
        let books = open(periods_file).unwrap();
        let keys = (books.customers.as_slice(), books.subscriptions.as_slice());
        let count = ledger_file::write_ledger(&books.ledger, &books.facts, keys, &held).unwrap();
        assert!(count > 1_000, "{count} rows");
        assert_eq!(ledger_as_it_is_made(periods_file, &made).unwrap(), Some(count));
        assert_eq!(rows_of(&made), rows_of(&held));
    }

    // A subscription that came to another customer is settled by whole books.
    let mut rows = periods(short);
    rows.push((rows[0].0.clone(), rows[1].1.clone(), rows[1].2, rows[1].3, 5));
    assert_ne!(rows[0].0, rows[1].0);
    file_of(&rows, &file);
    assert_eq!(ledger_as_it_is_made(periods_file, &made).unwrap(), None);
    let done = run(Task::Ledger, periods_file, Path::new(""), &made).unwrap();
    let books = open(periods_file).unwrap();
    let keys = (books.customers.as_slice(), books.subscriptions.as_slice());
    assert_eq!(ledger_file::write_ledger(&books.ledger, &books.facts, keys, &held).unwrap(), done.rows);
    assert_eq!(rows_of(&made), rows_of(&held));
}
