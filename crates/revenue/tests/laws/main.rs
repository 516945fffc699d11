//! The laws, over random companies: whatever the facts and whatever the policy, they hold.

mod books;
mod company;

use books::Books;
use company::company;
use proptest::prelude::*;
use revenue::{law, naive};

/// So many cases, or as many as `PROPTEST_CASES` asks for (256 is what proptest would take by itself).
fn cases(usual: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if config.cases == 256 { usual } else { config.cases };
    ProptestConfig { cases, ..config }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn law_4_the_kernel_says_what_the_reference_evaluator_says(company in company()) {
        let books = Books::of(&company);
        let share = books.build();
        let evaluation = books.judge();
        let failed = |errors: Vec<u32>| errors;
        prop_assert_eq!(
            failed(share.errors.iter().map(|(customer, _, _)| *customer).collect()),
            failed(evaluation.errors.iter().map(|(customer, _)| *customer).collect())
        );
        prop_assert_eq!(naive::agrees(&share.ledger, &evaluation), vec![]);
        prop_assert_eq!(law::movements_add_up(&share.ledger), vec![]);
    }
}
