//! `recurve forecast --series`: a forecast of plain series, without a data folder.

use crate::folder::{Folder, Said};

fn forecast(folder: &Folder, file: &str, more: &[&str]) -> Said {
    let words = [&["forecast", "--series", file, "--format", "csv"], more].concat();
    folder.bare(&words).output().unwrap().into()
}

/// Four years of months about 100, of which each December is twice as large.
fn months(time: impl Fn(u32) -> String) -> String {
    let value = |month: u32| (100 + month % 5) * if month % 12 == 11 { 2 } else { 1 };
    (0..48).map(|month| format!("tea,{},{}\n", time(month), value(month))).collect()
}

/// The mean at a time.
fn mean(said: &Said, begins: &str) -> f64 {
    let row = said.out.lines().find(|row| row.starts_with(begins)).unwrap_or_else(|| panic!("{begins}: {}", said.out));
    row.split(',').nth(2).unwrap().parse().unwrap()
}

#[test]
fn a_file_is_forecast_without_a_data_folder() {
    let folder = Folder::empty();
    let dated = |month: u32| format!("{}-{:02}", 2020 + month / 12, month % 12 + 1);
    folder.file("months.csv", format!("series,t,value\n{}", months(dated)));
    let said = forecast(&folder, "months.csv", &["--horizon", "18", "--level", "80,95"]).ends_with(0);
    assert!(said.out.starts_with("series,t,mean,lower_80,upper_80,lower_95,upper_95\ntea,2024-01,"), "{}", said.out);
    assert_eq!((said.out.lines().count(), said.error.as_str()), (19, ""));
    assert!(said.out.lines().last().unwrap().starts_with("tea,2025-06,"), "{}", said.out);
    let (november, december) = (mean(&said, "tea,2024-11,"), mean(&said, "tea,2024-12,"));
    assert!((december / november - 2.0).abs() < 0.2, "{november} {december}");
    // Whole numbers tell nothing of a year: the series does.
    folder.file("numbers.csv", format!("series,t,value\n{}", months(|month| (month + 1).to_string())));
    let numbered = forecast(&folder, "numbers.csv", &["--horizon", "18"]).ends_with(0);
    let december_again = mean(&numbered, "tea,60,");
    assert!((december_again - december).abs() < 1e-6, "{december} {december_again}");
    let without = forecast(&folder, "numbers.csv", &["--horizon", "18", "--season", "1"]).ends_with(0);
    assert!((mean(&without, "tea,60,") / mean(&without, "tea,59,") - 1.0).abs() < 0.1, "{}", without.out);
    assert!(!folder.data().exists() && !folder.path().join("recurve-data").exists());
}

#[test]
fn a_series_alone_and_among_others_has_the_same_forecast() {
    let folder = Folder::empty();
    let rows = months(|month| month.to_string());
    folder.file("alone.csv", format!("series,t,value\n{rows}"));
    folder.file("among.csv", format!("series,t,value\nnoise,1,x\nnoise,2,1e300\nshort,7,1\n{rows}zero,1,0\n"));
    let alone = forecast(&folder, "alone.csv", &["--horizon", "3"]).ends_with(0);
    let among = forecast(&folder, "among.csv", &["--horizon", "3"]).ends_with(1);
    assert_eq!(alone.out, among.out);
}

#[test]
fn what_cannot_be_forecast_is_said_and_the_rest_is_listed() {
    let folder = Folder::empty();
    folder.file(
        "ugly.csv",
        "series,t,value\n\
         flat,2024-03-31,5\nflat,2024-01-31,5\nflat,2024-02-29,5\n\
         word,1,ten\nword,2,3\n\
         one,1,4\n\
         hole,1,1\nhole,2,2\nhole,4,4\nhole,5,5\nhole,5,6\n\
         none,1,\n\
         vast,1,1\nvast,2,1\nvast,9000000000,1\n\
         mixed,2024-01,1\nmixed,2024-02,1\nmixed,3,1\nmixed,2024-03,1\n",
    );
    let said = forecast(&folder, "ugly.csv", &["--horizon", "1", "--level", "95"]).ends_with(1);
    let said = said.says(&[
        "flat,2024-04-30,5,5,5\n",
        "hole,6,",
        "mixed,2024-04,1,1,1\n",
        "ugly.csv: line 5: `ten` of `word` is no number",
        "`word`: no forecast: it has 1 of the at least 3 points",
        "`one`: no forecast: it has 1 of the at least 3 points",
        "`hole`: the time `5` stands there more than once; the first value is taken",
        "`hole`: between `2` and `4` one time is without a value, filled in evenly",
        "`none`: no forecast",
        "`vast`: of 9000000000 times only 3 have a value",
        "`mixed`: the time `3` is not of the kind of `2024-01`",
    ]);
    assert!(!said.out.contains("NaN") && !said.out.contains("inf"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 4, "{}", said.out);
}

#[test]
fn wrong_use_says_what_to_write() {
    let folder = Folder::empty();
    folder.file("good.csv", "series,t,value\na,1,1\na,2,2\na,3,3\n");
    folder.file("head.csv", "series,t,value\n");
    for (file, more, words) in [
        ("good.csv", &["--horizon", "1", "--level", "195"][..], "`195` is no level"),
        ("good.csv", &["--horizon", "0"], "0 is not in 1..=10000"),
        ("good.csv", &["--horizon", "1", "--season", "0"], "0 is not in 1..=1000"),
        ("good.csv", &["mrr", "--horizon", "1"], "cannot be used with"),
        ("good.csv", &["--horizon", "1", "--model", "base"], "cannot be used with"),
        ("good.csv", &[], "--horizon"),
        ("head.csv", &["--horizon", "1"], "holds no series"),
        ("not-there.csv", &["--horizon", "1"], "not-there.csv"),
    ] {
        forecast(&folder, file, more).ends_with(2).says(&[words]);
    }
}
