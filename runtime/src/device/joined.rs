//! Which operations of a call are done at once.
//!
//! Threads meet between jobs, and who is early waits. A preparation, for which only one matrix of a product must be there, is done in the job of the last
//! product that had one, or as soon after it as can be: whoever is early packs for the next. Operations that write nothing that the other touches are one job as
//! well.

use super::pool::{Job, Stretch};
use std::ops::Range;
use std::sync::Arc;

/// Addresses.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    pub read: Vec<Range<usize>>,
    pub written: Vec<Range<usize>>,
}

/// Items of an operation that need nothing of each other.
#[derive(Clone)]
pub struct Stage {
    pub stretch: Stretch,
    pub touched: Touched,
}

#[derive(Clone)]
pub struct Operation {
    /// Done before the items.
    pub preparation: Option<Stage>,
    pub items: Stage,
}

/// The jobs that do the operations as if one was done after the other.
pub fn jobs<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Arc<[Job]> {
    let mut sequence = Sequence::default();
    operations.into_iter().for_each(|operation| sequence.push(operation));
    sequence.jobs.into_iter().map(|(job, _)| job).collect()
}

/// The most bytes that are not worth the order in which they are used.
const LITTLE: usize = 64 << 10;
/// The most jobs back that an operation may be done which writes no more, one being beside the last: past the norm of a row, beside the product that it is of.
const BACK: usize = 2;

#[derive(Default)]
struct Sequence {
    /// What each touches, stage by stage.
    jobs: Vec<(Job, Vec<Touched>)>,
    /// Where the items are of the last operation that had a preparation.
    prepared: usize,
}

impl Sequence {
    fn push(&mut self, Operation { preparation, items }: &Operation) {
        if let Some(preparation) = preparation {
            let places = (self.prepared..self.jobs.len()).rev();
            let free = places.take_while(|place| !self.conflicts(*place, preparation));
            let place = free.filter(|place| self.has_room(*place)).last();
            self.put(preparation, place);
        }
        // Mostly beside the last at most, for the order of operations is one in which memory is used soon.
        let back = if items.touched.writes_little() { BACK } else { 1 };
        let places = (self.jobs.len().saturating_sub(back)..self.jobs.len()).rev();
        let free = places.take_while(|place| !self.conflicts(*place, items));
        let place = free.filter(|place| self.has_room(*place)).last();
        let place = self.put(items, place);
        if preparation.is_some() {
            self.prepared = place;
        }
    }

    fn has_room(&self, place: usize) -> bool {
        self.jobs[place].0.stretches().len() < Job::STRETCHES
    }

    fn conflicts(&self, place: usize, stage: &Stage) -> bool {
        self.jobs[place].1.iter().any(|other| other.conflicts(&stage.touched))
    }

    /// Into a job, or into one after all; gives its place.
    fn put(&mut self, stage: &Stage, place: Option<usize>) -> usize {
        let place = place.unwrap_or(self.jobs.len());
        if place == self.jobs.len() {
            self.jobs.push((Job::default(), Vec::new()));
        }
        self.jobs[place].0.push(stage.stretch.clone());
        self.jobs[place].1.push(stage.touched.clone());
        place
    }
}

impl Touched {
    /// What either touches.
    pub fn and(mut self, other: &Touched) -> Touched {
        self.read.extend_from_slice(&other.read);
        self.written.extend_from_slice(&other.written);
        self
    }

    fn writes_little(&self) -> bool {
        self.written.iter().map(ExactSizeIterator::len).sum::<usize>() <= LITTLE
    }

    /// Whether one writes what the other touches.
    fn conflicts(&self, other: &Touched) -> bool {
        let overlap = |some: &[Range<usize>], others: &[Range<usize>]| {
            some.iter().any(|a| others.iter().any(|b| a.start < b.end && b.start < a.end))
        };
        overlap(&self.written, &other.written)
            || overlap(&self.written, &other.read)
            || overlap(&self.read, &other.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::pool::Work;
    use proptest::prelude::*;

    struct Nothing;

    impl Work for Nothing {
        fn run(&self, _: usize, _: i64, _: i64) {}
    }

    /// Known by the number of its only item. Each place is one address.
    fn stage(number: usize, read: &[usize], written: &[usize]) -> Stage {
        let number = number as i64;
        let stretch = Stretch { work: Arc::new(Nothing), items: number..number + 1, in_pieces: false };
        let places = |places: &[usize]| places.iter().map(|place| *place..place + 1).collect();
        Stage { stretch, touched: Touched { read: places(read), written: places(written) } }
    }

    /// The numbers of each job's stages.
    fn numbers(operations: &[Operation]) -> Vec<Vec<i64>> {
        let of = |job: &Job| job.stretches().iter().map(|stretch| stretch.items.start).collect();
        jobs(operations).iter().map(of).collect()
    }

    /// A · B to C by way of a room.
    fn product(number: usize, [a, b, c]: [usize; 3], room: usize) -> Operation {
        Operation {
            preparation: Some(stage(10 * number, &[b], &[room])),
            items: stage(10 * number + 1, &[a, room], &[c]),
        }
    }

    const ROOM: usize = 100;
    const OTHER: usize = 101;

    #[test]
    fn the_next_product_is_prepared_beside_the_last() {
        let chain = [product(1, [0, 1, 2], ROOM), product(2, [2, 3, 4], OTHER), product(3, [4, 5, 6], ROOM)];
        assert_eq!(numbers(&chain), [vec![10], vec![11, 20], vec![21, 30], vec![31]]);
        // Beside the product, not what is done after it.
        let rows = Operation { preparation: None, items: stage(5, &[2], &[2]) };
        let [first, second, _] = chain;
        assert_eq!(numbers(&[first, rows, second]), [vec![10], vec![11, 20], vec![5], vec![21]]);
    }

    #[test]
    fn a_preparation_waits_for_its_matrix_and_for_its_room() {
        let of_a_result = [product(1, [0, 1, 2], ROOM), product(2, [3, 2, 4], OTHER)];
        assert_eq!(numbers(&of_a_result), [vec![10], vec![11], vec![20], vec![21]]);
        let in_one_room = [product(1, [0, 1, 2], ROOM), product(2, [2, 3, 4], ROOM)];
        assert_eq!(numbers(&in_one_room), [vec![10], vec![11], vec![20], vec![21]]);
    }

    #[test]
    fn what_touches_nothing_of_each_others_is_one_job() {
        let alone = |number, read: &[usize], written: &[usize]| Operation {
            preparation: None,
            items: stage(number, read, written),
        };
        let few = [alone(1, &[0], &[1]), alone(2, &[0], &[2]), alone(3, &[1, 2], &[3]), alone(4, &[0], &[1])];
        assert_eq!(numbers(&few), [[1, 2].as_slice(), &[3], &[4]]);
        let many: Vec<Operation> = (0..10).map(|number| alone(number, &[0], &[number + 1])).collect();
        assert_eq!(numbers(&many), [(0..8).collect::<Vec<_>>(), vec![8, 9]]);
    }

    #[test]
    fn what_writes_little_is_done_beside_a_product_before_the_norm_of_that() {
        let alone = |number, read: &[usize], written: Range<usize>| {
            let items = stage(number, read, &[]);
            let touched = Touched { written: vec![written], ..items.touched };
            Operation { preparation: None, items: Stage { touched, ..items } }
        };
        let of_one_row = [
            alone(1, &[0], 1..2),
            alone(2, &[1], 2..3),
            alone(3, &[0], 3..4),
            alone(4, &[3], 4..5),
            alone(5, &[2, 3], 5..6),
        ];
        assert_eq!(numbers(&of_one_row), [[1, 3].as_slice(), &[2, 4], &[5]]);
        let of_many = [alone(1, &[0], 1..2), alone(2, &[1], 2..3), alone(3, &[0], 10..11 + LITTLE)];
        assert_eq!(numbers(&of_many), [[1].as_slice(), &[2, 3]]);
    }

    proptest! {
        #[test]
        fn what_conflicts_keeps_its_order(operations in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(0..8_usize, 3), 0..3_usize), 1..30)) {
            let operation = |(number, (is_product, places, room)): (usize, &(bool, Vec<usize>, usize))| {
                let &[a, b, c] = places.as_slice() else { unreachable!("three places") };
                match is_product {
                    true => product(number, [a, b, c], ROOM + room),
                    false => Operation { preparation: None, items: stage(10 * number + 1, &[a, b], &[c]) },
                }
            };
            let operations: Vec<Operation> = operations.iter().enumerate().map(operation).collect();
            let jobs = numbers(&operations);
            let place = |stage: &Stage| jobs.iter().position(|job| job.contains(&stage.stretch.items.start));
            let stages: Vec<&Stage> =
                operations.iter().flat_map(|one| one.preparation.iter().chain([&one.items])).collect();
            prop_assert_eq!(jobs.iter().map(Vec::len).sum::<usize>(), stages.len());
            for (i, later) in stages.iter().enumerate() {
                prop_assert!(place(later).is_some());
                for earlier in &stages[..i] {
                    prop_assert!(!earlier.touched.conflicts(&later.touched) || place(earlier) < place(later));
                }
            }
        }
    }
}
