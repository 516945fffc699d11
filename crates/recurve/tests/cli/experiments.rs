//! The tests that were planted in the demo company, and the prices that its customers pay.

use super::folder::{Folder, Said};

/// The cells of the line of an arm and a measure, by the names of the columns.
fn cell(said: &Said, arm: &str, measure: &str, column: &str) -> String {
    let mut rows = csv::Reader::from_reader(said.out.as_bytes());
    let place = rows.headers().unwrap().iter().position(|name| name == column).unwrap();
    let row = rows.records().map(Result::unwrap).find(|row| &row[1] == arm && &row[3] == measure);
    row.unwrap_or_else(|| panic!("no {measure} of {arm}: {}", said.out))[place].to_owned()
}

#[test]
fn the_tests_of_the_demo_company_are_answered_as_its_story_says() {
    let folder = Folder::empty();
    folder.run(&["demo"]).ends_with(0);
    let price = folder.run(&["experiments", "annual_price_first", "--now", "2026-11-01"]).ends_with(0);
    assert_eq!(cell(&price, "monthly_first", "sample_ratio", "answer"), "as_planned");
    assert_eq!(cell(&price, "annual_first", "conversion", "answer"), "better");
    assert_eq!(cell(&price, "annual_first", "overall", "answer"), "better");
    let yearly = |arm: &str| cell(&price, arm, "yearly", "value").parse::<f64>().unwrap();
    assert!(yearly("annual_first") > yearly("monthly_first"));

    let checklist = folder.run(&["experiments", "onboarding_checklist", "--now", "2026-11-01"]).ends_with(0);
    assert_eq!(cell(&checklist, "no_checklist", "sample_ratio", "answer"), "as_planned");
    for measure in ["overall", "conversion", "mrr_per_person", "arpa", "churn", "yearly"] {
        assert_eq!(cell(&checklist, "checklist", measure, "answer"), "not_yet_known", "{measure}");
    }
    // On no day of the test would anybody who looked have been told otherwise.
    for day in ["2026-08-15", "2026-09-01", "2026-09-15", "2026-10-01"] {
        let looked = folder.run(&["experiments", "onboarding_checklist", "--at", day, "--now", "2026-11-01"]);
        assert_eq!(cell(&looked.ends_with(0), "checklist", "overall", "answer"), "not_yet_known", "{day}");
    }
}
