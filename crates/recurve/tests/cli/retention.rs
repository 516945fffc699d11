//! `recurve retention`: a model on a plain series, without a data folder.

use crate::folder::{Folder, Said};

/// The percentages of two cohorts of a thousand that the model was published with (Fader and Hardie, 2007), eight years.
const WIDE: &str = "year,regular,high_end\n0,100.0,100.0\n1,63.1,86.9\n2,46.8,74.3\n3,38.2,65.3\n4,32.6,59.3\n\
                    5,28.9,55.1\n6,26.2,51.7\n7,24.1,49.1\n";

fn retention(folder: &Folder, file: &str, more: &[&str]) -> Said {
    let words = [&["retention", "--survivors", file, "--horizon", "5", "--format", "csv"], more].concat();
    folder.bare(&words).output().unwrap().into()
}

/// The cells of a row that begins so, as numbers.
fn numbers(said: &Said, begins: &str) -> Vec<f64> {
    let row = said.out.lines().find(|row| row.starts_with(begins)).unwrap_or_else(|| panic!("{begins}: {}", said.out));
    row.split(',').filter_map(|cell| cell.parse().ok()).collect()
}

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
}

#[test]
fn the_published_projection_comes_out_of_a_file_without_a_data_folder() {
    let folder = Folder::empty();
    folder.file("survivors.csv", WIDE);
    let said = retention(&folder, "survivors.csv", &[]).ends_with(0);
    assert!(said.out.starts_with("series,t,mean,lower_80,upper_80,lower_95,upper_95,retention,note\n"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 11);
    // t, mean, two intervals, retention.
    let last = numbers(&said, "high_end,12,");
    near(last[1], 37.80, 0.05);
    near(last[6], 0.9568, 1e-4);
    assert!(last[4] < last[2] && last[2] < last[1] && last[1] < last[3] && last[3] < last[5], "{last:?}");
    near(numbers(&said, "regular,8,")[1], 22.01, 0.05);
    let fits = retention(&folder, "survivors.csv", &["--fit"]).ends_with(0);
    // points, cohort size, alpha, beta, log-likelihood, residual lifetime, lifetime and its interval.
    let fit = numbers(&fits, "high_end,");
    for (found, wanted, within) in
        [(fit[2], 0.668, 1e-3), (fit[3], 3.806, 1e-3), (fit[4], -1_611.158, 1e-3), (fit[5], 7.53, 1e-3)]
    {
        near(found, wanted, within);
    }
    assert!(!folder.data().exists() && !folder.path().join("recurve-data").exists());
}

#[test]
fn a_file_may_be_long_and_count_customers() {
    let folder = Folder::empty();
    let mut long = String::from("segment,t,survivors\n");
    for row in WIDE.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let customers = |percent: &str| percent.parse::<f64>().unwrap() * 10.0;
        long.push_str(&format!("regular,{}.0,{:.0}\n", cells[0], customers(cells[1])));
    }
    folder.file("long.csv", long);
    let said = retention(&folder, "long.csv", &["--level", "90"]).ends_with(0);
    assert!(said.out.starts_with("series,t,mean,lower_90,upper_90,retention,note\n"), "{}", said.out);
    assert!(!said.out.contains("cohort of 1000"), "{}", said.out);
    near(numbers(&said, "regular,12,")[1], 170.04, 0.5);
}

#[test]
fn what_cannot_be_projected_is_said_and_the_rest_is_listed() {
    let folder = Folder::empty();
    folder.file("some.csv", "t,good,loyal,growing\n0,100,50,10\n1,60,50,9\n2,45,50,11\n");
    retention(&folder, "some.csv", &[]).ends_with(1).says(&["good,3,", "nobody has left", "more than the 9 before"]);
    for (content, words) in [
        ("t,a\n0,10\n2,5\n", "goes from period 0 to 2"),
        ("t,a\n0,10\n1,x\n", "line 3: `x` of `a` is no number"),
        ("t,a\nJan,10\n", "`Jan` of `a` is no period"),
        ("t\n", "holds no series"),
    ] {
        folder.file("bad.csv", content);
        retention(&folder, "bad.csv", &[]).ends_with(2).says(&[words]);
    }
    retention(&folder, "not-there.csv", &[]).ends_with(2).says(&["not-there.csv"]);
    retention(&folder, "some.csv", &["--level", "195"]).ends_with(2).says(&["`195` is no level"]);
}
