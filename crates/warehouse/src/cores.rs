//! Work that all cores share where there is enough of it.
//!
//! To hand a little work to another thread and to wait for it costs more than the work: a few hundredths of a millisecond
//! on an idle machine, and a turn at the processor for each of the threads on a busy one.

use rayon::prelude::*;

/// What `work` makes of each item, in their order: on all cores where there is much to do, else here.
pub fn map<I, R>(items: I, is_much: bool, work: impl Fn(<I as IntoIterator>::Item) -> R + Sync + Send) -> Vec<R>
where
    I: IntoIterator + IntoParallelIterator<Item = <I as IntoIterator>::Item>,
    <I as IntoParallelIterator>::Iter: IndexedParallelIterator,
    R: Send,
{
    if is_much { items.into_par_iter().map(work).collect() } else { items.into_iter().map(work).collect() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_is_that_of_the_items() {
        let items: Vec<u32> = (0..10_000).collect();
        let twice: Vec<u32> = items.iter().map(|item| item * 2).collect();
        for is_much in [false, true] {
            assert_eq!(super::map(&items, is_much, |item| item * 2), twice);
        }
    }
}
