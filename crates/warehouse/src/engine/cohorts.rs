//! Cohorts of first payments by dimensions: the triangle of a split, kept with the books for the next question.

use std::{collections::BTreeMap, sync::Arc};

use revenue::{
    calendar::{Day, Grain},
    cohort::{Cell, Kept, Member, Part, part_of, triangle},
};

use super::{
    Assumptions, EngineError, Split,
    lead_score::first_paid_row,
    segment::{Filter, OUTSIDE, Segmentation},
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
        let segment_of = |customer: u32| Some(begun(books, &segmentation, customer)?.segment);
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

/// When a customer first paid, and in which segment; nothing for one who never did, or is not looked at.
fn begun(books: &Books, segmentation: &Segmentation, customer: u32) -> Option<Member> {
    let first = first_paid_row(books, customer)?;
    let segment = segmentation.segment(customer as usize, books.ledger.offer[first]);
    let start = Day(books.ledger.day[first]);
    (segment != OUTSIDE).then_some(Member { start, segment, customer: Some(customer) })
}

/// Those whom [`of_first_payments`] counts, whenever they began, with the values of the segments.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn who_paid(
    books: &Books,
    assumptions: &Assumptions,
    by: &[String],
    filters: &[Filter],
) -> Result<(Vec<Member>, Vec<Vec<String>>), EngineError> {
    let segmentation = customers_by(books, assumptions, by, filters)?;
    let members = (0..books.ledger.customers() as u32).filter_map(|customer| begun(books, &segmentation, customer));
    Ok((members.collect(), segmentation.labels))
}

/// What each of some members is in the cells of an age, of those whose cohort has reached it by the day `through`.
pub fn parts_at<'a>(
    books: &'a Books,
    members: impl Iterator<Item = Member> + 'a,
    grain: Grain,
    age: u32,
    through: Day,
) -> impl Iterator<Item = (Member, Part)> + 'a {
    // Whoever began in one period is looked at on the same days.
    let mut ends: BTreeMap<Day, (Day, Day)> = BTreeMap::new();
    members.filter_map(move |member| {
        let cohort = member.start.first_of(grain);
        let (begin, end) = *ends.entry(cohort).or_insert_with(|| {
            let begin = (0..age).fold(cohort, |day, _| if day < through { day.next_of(grain) } else { day });
            (begin, begin.next_of(grain))
        });
        if end > through {
            return None;
        }
        let before = (age > 0).then_some(begin);
        Some((
            member,
            member.customer.map_or_else(Part::default, |customer| part_of(&books.ledger, customer, before, end)),
        ))
    })
}

/// Cohorts put together: at each age those that have reached it, by segment and age.
#[must_use]
pub fn together(cells: &[Cell]) -> Vec<Cell> {
    let mut sums: BTreeMap<(u32, u32), Cell> = BTreeMap::new();
    for cell in cells {
        let sum = sums.entry((cell.segment, cell.age)).or_insert(Cell {
            size_customers: 0,
            size_micros: 0,
            customers: 0,
            micros: 0,
            gross_micros: 0,
            kept: Kept::default(),
            ..*cell
        });
        sum.size_customers += cell.size_customers;
        sum.size_micros += cell.size_micros;
        sum.customers += cell.customers;
        sum.micros += cell.micros;
        sum.gross_micros += cell.gross_micros;
        sum.kept += cell.kept;
    }
    sums.into_values().collect()
}
