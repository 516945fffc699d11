//! Cohorts of first payments by dimensions: the triangle of a split, kept with the books for the next question.

use std::sync::Arc;

use revenue::{
    calendar::{Day, Grain},
    cohort::{Cell, triangle},
};

use super::{
    Assumptions, EngineError, Split,
    lead_score::first_paid_row,
    segment::{Filter, OUTSIDE},
    survival::customers_by,
};
use crate::books::Books;

/// What is left of the customers of each period, by segment.
pub struct Triangle {
    /// Sorted by cohort, segment and age.
    pub cells: Vec<Cell>,
    /// The values of the segments in each dimension.
    pub labels: Vec<Vec<String>>,
}

/// The triangle of those who first paid from the period of a day on, as far as is known by the day `through`, which no longer
/// counts. A customer is in the segment of the first part that was paid.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn of_first_payments(
    books: &Books,
    assumptions: &Assumptions,
    by: &[String],
    filters: &[Filter],
    grain: Grain,
    (from, through): (Day, Day),
) -> Result<Arc<Triangle>, EngineError> {
    let make = || {
        let segmentation = customers_by(books, assumptions, by, filters)?;
        let segment_of = |customer: u32| {
            let first = first_paid_row(books, customer)?;
            let segment = segmentation.segment(customer as usize, books.ledger.offer[first]);
            (segment != OUTSIDE).then_some(segment)
        };
        let cells = triangle(&books.ledger, grain, from, through, segment_of);
        Ok(Triangle { cells, labels: segmentation.labels })
    };
    // That of a whole is small; that of a split may be as large as the books.
    if !by.is_empty() {
        return make().map(Arc::new);
    }
    let split = Split { by: Vec::new(), filters: filters.to_vec(), attribution: assumptions.attribution };
    books.cubes.triangles.find_or_make((split, grain, from, through), make)
}
