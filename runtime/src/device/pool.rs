//! A pool of threads that share out the work items of kernels, one job after the other.
//!
//! Our own, because a kernel of a small model takes a few microseconds: rayon wakes a sleeping worker in five to ten, this pool
//! hands over in a quarter of one by letting workers spin for a while before they sleep, and by handing them all jobs of a call at once: what they
//! are told of a job is its number.
//!
//! A stretch of a job has as many parts as there are threads. Each thread begins with its own and then helps with those of others: where other programs
//! hold the processors, a thread that is late costs its share of the work, not a time slice. A part is done in pieces that become smaller, so that few are
//! begun and yet all threads end at the same time.

use crate::{Failure, Kind, Result};
use std::ops::{Deref, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread::JoinHandle;

/// What the threads do: called with a thread's index and some of the items, `begin..end`, each of them once.
pub trait Work: Send + Sync {
    fn run(&self, thread: usize, begin: i64, end: i64);
}

/// Items of one kind. Which thread does which changes nothing in the result; `in_pieces` tells whether it costs nothing to do them a few at a time.
#[derive(Clone)]
pub struct Stretch {
    pub work: Arc<dyn Work>,
    pub items: Range<i64>,
    pub in_pieces: bool,
}

/// Stretches that are done in any order and at once.
#[derive(Clone, Default)]
pub struct Job(Vec<Stretch>);

pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// The generation of the next job.
    next: usize,
    /// Pieces of all jobs so far that were not the caller's.
    of_workers: usize,
}

struct Shared {
    /// The jobs of the present call, and the generation of the first.
    call: RwLock<(usize, Arc<[Job]>)>,
    /// Of the present job: a new one announces it.
    generation: Line<AtomicUsize>,
    /// For each part of each stretch the last generation in which somebody began it, times [`BEGUN`], and the pieces begun, counted so that they end at
    /// [`PIECES`].
    begun: Vec<Line<AtomicUsize>>,
    /// Pieces of all jobs so far that workers have finished: each tells of its own when it finds no more, for a line of the cache that all write takes longer
    /// to come than a piece of a small job.
    finished: Line<AtomicUsize>,
    /// Whether work has panicked, in whichever thread.
    panicked: AtomicBool,
    stop: AtomicBool,
    asleep: Line<AtomicUsize>,
    sleep: Mutex<()>,
    wake: Condvar,
    threads: usize,
}

/// Alone in its lines of the cache, of which a processor may fetch two at once: else threads would take from each other what they do not share.
#[repr(align(128))]
#[derive(Default)]
struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Pieces of a part: half of it, half of the rest, and so on; the last is as large as the one before.
const PIECES: usize = 6;
const BEGUN: usize = PIECES + 1;
/// The fewest items for each thread that are worth more than one piece.
const DIVIDED: i64 = 8;

/// Turns of spinning before a worker sleeps: some tens of microseconds, longer than the gap between two kernels.
const SPINS: u32 = 20_000;

impl Stretch {
    fn count(&self) -> i64 {
        self.items.end - self.items.start
    }

    fn pieces(&self, threads: usize) -> usize {
        if self.in_pieces && self.count() >= DIVIDED * threads as i64 { PIECES } else { 1 }
    }
}

impl Job {
    /// The most stretches of one.
    pub const STRETCHES: usize = 8;

    /// # Panics
    /// It has [`Job::STRETCHES`] already.
    pub fn push(&mut self, stretch: Stretch) {
        assert!(self.0.len() < Job::STRETCHES, "bug in tfc: a job of too many stretches");
        self.0.push(stretch);
    }

    pub fn stretches(&self) -> &[Stretch] {
        &self.0
    }

    /// All of it, by the caller.
    fn run_alone(&self) {
        for Stretch { work, items, .. } in &self.0 {
            work.run(0, items.start, items.end);
        }
    }
}

impl Pool {
    /// `threads` in all, the caller's own among them; at least one.
    ///
    /// # Errors
    /// The system does not let this process have so many.
    pub fn new(threads: usize) -> Result<Pool> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            call: RwLock::new((0, Arc::new([]))),
            generation: Line::default(),
            begun: (0..threads * Job::STRETCHES).map(|_| Line::default()).collect(),
            finished: Line::default(),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: Line::default(),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            threads,
        });
        let mut pool = Pool { shared, workers: Vec::new(), next: 1, of_workers: 0 };
        for thread in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let worker = std::thread::Builder::new().spawn(move || shared.serve(thread)).map_err(|error| {
                Failure::new(
                    Kind::Machine,
                    format!("cannot start {threads} threads: {error}; use fewer, with --threads"),
                )
            })?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    /// Does the jobs, each when the one before is done, and returns when all are.
    ///
    /// # Panics
    /// Work has, in whichever thread.
    pub fn run(&mut self, jobs: &Arc<[Job]>) {
        let shared = &self.shared;
        let first = self.next;
        self.next += jobs.len();
        *shared.call.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = (first, Arc::clone(jobs));
        for (job, generation) in jobs.iter().zip(first..) {
            if shared.threads == 1 || job.0.iter().map(Stretch::count).sum::<i64>() <= 1 {
                job.run_alone();
            } else {
                self.of_workers = self.of_workers.wrapping_add(shared.run(job, generation));
                shared.wait_for(self.of_workers);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.announce(self.next);
        for worker in self.workers.drain(..) {
            // Panics of work do not end it.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// The caller's share of a job; gives the pieces that are the others'.
    fn run(&self, job: &Job, generation: usize) -> usize {
        let pieces: usize = job.0.iter().map(|stretch| self.threads * stretch.pieces(self.threads)).sum();
        self.announce(generation);
        pieces - self.work(job, generation, 0)
    }

    /// # Panics
    /// Work has, in whichever thread.
    fn wait_for(&self, finished: usize) {
        self.wait_until(|| self.finished.load(Ordering::Acquire) == finished);
        assert!(!self.panicked.load(Ordering::Relaxed), "bug in tfc: a thread has panicked");
    }

    fn wait_until(&self, done: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if done() {
                return;
            }
            std::hint::spin_loop();
        }
        // Whoever takes so much longer may be waiting for this very processor.
        while !done() {
            std::thread::yield_now();
        }
    }

    /// Either a worker that is about to sleep sees the new generation, or it is seen here: both are written before the other is read, in one order.
    fn announce(&self, generation: usize) {
        self.generation.store(generation, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.sleep));
            self.wake.notify_all();
        }
    }

    fn serve(&self, thread: usize) {
        let mut seen = 0;
        let mut call: (usize, Arc<[Job]>) = (0, Arc::new([]));
        loop {
            seen = self.wait_for_more_than(seen);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let at_hand = |(first, jobs): &(usize, Arc<[Job]>)| seen.checked_sub(*first).filter(|i| *i < jobs.len());
            if at_hand(&call).is_none() {
                let present = self.call.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
                call = present;
            }
            // Who comes so late that the call is over has nothing left to do.
            if let Some(job) = at_hand(&call) {
                match self.work(&call.1[job], seen, thread) {
                    0 => {}
                    pieces => _ = self.finished.fetch_add(pieces, Ordering::Release),
                }
            }
        }
    }

    /// Does what is left of a job, its own parts of all stretches first, and gives how many pieces that was. A worker that comes late to a generation finds all
    /// of its pieces begun.
    fn work(&self, job: &Job, generation: usize, thread: usize) -> usize {
        let mut done = 0;
        for part in (thread..self.threads).chain(0..thread) {
            for (stretch, begun) in job.0.iter().zip(self.begun.chunks_exact(self.threads)) {
                let pieces = stretch.pieces(self.threads);
                while let Some(piece) = begin(&begun[part], generation, pieces) {
                    let (begin, end) = piece_of(bounds(&stretch.items, part, self.threads), piece, pieces);
                    let run = || stretch.work.run(thread, begin, end);
                    // A piece that nobody finishes would be waited for for ever.
                    if begin < end && catch_unwind(AssertUnwindSafe(run)).is_err() {
                        self.panicked.store(true, Ordering::Relaxed);
                    }
                    done += 1;
                }
            }
        }
        done
    }

    /// The next generation: spins a while, then sleeps.
    fn wait_for_more_than(&self, seen: usize) -> usize {
        for _ in 0..SPINS {
            let now = self.generation.load(Ordering::Acquire);
            if now != seen {
                return now;
            }
            std::hint::spin_loop();
        }
        let mut sleeping = lock(&self.sleep);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == seen {
            sleeping = self.wake.wait(sleeping).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        self.generation.load(Ordering::Acquire)
    }
}

/// The next piece of a part that nobody has begun. Counting ends at the same number for every job, or one who comes late to a job might find pieces left
/// of it when the next has begun.
fn begin(begun: &AtomicUsize, generation: usize, pieces: usize) -> Option<usize> {
    let first = generation * BEGUN + PIECES - pieces;
    let next = |state: usize| match state.max(first) {
        state if state < generation * BEGUN + PIECES => Some(state + 1),
        _ => None,
    };
    let before = begun.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?;
    Some(before.max(first) - first)
}

/// The i-th of n nearly equal consecutive parts.
fn bounds(items: &Range<i64>, part: usize, parts: usize) -> (i64, i64) {
    let bound = |i: usize| items.start + (items.end - items.start) * i as i64 / parts as i64;
    (bound(part), bound(part + 1))
}

/// The i-th of n pieces, each half of what is left but for the last.
fn piece_of((begin, end): (i64, i64), piece: usize, pieces: usize) -> (i64, i64) {
    let left = |piece: usize| if piece == pieces { 0 } else { (end - begin) >> piece };
    (end - left(piece), end - left(piece + 1))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

    struct Count(Vec<AtomicI64>);

    impl Work for Count {
        fn run(&self, _: usize, begin: i64, end: i64) {
            for item in begin..end {
                self.0[item as usize].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Counts what stands in another's items, which are to be done: all before any of its own.
    struct After(Arc<Count>, AtomicI64);

    impl Work for After {
        fn run(&self, _: usize, begin: i64, end: i64) {
            let done: i64 = self.0.0.iter().map(|count| count.load(Ordering::Relaxed)).sum();
            self.1.fetch_add(done * (end - begin), Ordering::Relaxed);
        }
    }

    /// Panics in every piece.
    struct Trap;

    impl Work for Trap {
        fn run(&self, _: usize, begin: i64, end: i64) {
            panic!("a trap in {begin}..{end}");
        }
    }

    fn job(stretches: impl IntoIterator<Item = Stretch>) -> Job {
        let mut job = Job::default();
        stretches.into_iter().for_each(|stretch| job.push(stretch));
        job
    }

    #[test]
    fn pieces_become_smaller_and_leave_nothing_out() {
        let pieces = |items: Range<i64>, pieces: usize| -> Vec<Range<i64>> {
            let piece = |i| piece_of((items.start, items.end), i, pieces);
            (0..pieces).map(piece).map(|(begin, end)| begin..end).collect()
        };
        assert_eq!(pieces(-64..0, PIECES), [-64..-32, -32..-16, -16..-8, -8..-4, -4..-2, -2..0]);
        assert_eq!(pieces(0..11, PIECES), [0..6, 6..9, 9..10, 10..11, 11..11, 11..11]);
        assert_eq!(piece_of((3, 7), 0, 1), (3, 7));
    }

    #[test]
    fn every_item_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            let mut pool = Pool::new(threads).expect("there are threads");
            for extent in [0, 1, 2, 5, 100] {
                let count = Arc::new(Count((0..extent).map(|_| AtomicI64::new(0)).collect()));
                let stretch =
                    |in_pieces| Stretch { work: Arc::clone(&count) as Arc<dyn Work>, items: 0..extent, in_pieces };
                // In many pieces and in few, alone and beside others, in calls of many jobs and of one: who is late must not take the next job for the last.
                let many: Arc<[Job]> = (0..20).map(|turn| job([stretch(turn % 2 == 0)])).collect();
                let one: Arc<[Job]> = Arc::new([job([true, false, true].map(stretch))]);
                for _ in 0..10 {
                    pool.run(&many);
                    pool.run(&one);
                }
                let done: Vec<i64> = count.0.iter().map(|c| c.load(Ordering::Relaxed)).collect();
                assert_eq!(done, vec![230; extent as usize]);
            }
        }
    }

    /// Nobody waits for what is never done.
    #[test]
    fn panics_reach_the_caller() {
        for threads in [1, 2, 3] {
            let mut pool = Pool::new(threads).expect("there are threads");
            let stretch = Stretch { work: Arc::new(Trap), items: 0..64, in_pieces: true };
            let jobs: Arc<[Job]> = Arc::from([job([stretch])]);
            assert!(catch_unwind(AssertUnwindSafe(|| pool.run(&jobs))).is_err(), "{threads} threads");
        }
    }

    #[test]
    fn a_job_begins_when_the_one_before_is_done() {
        for threads in [1, 2, 5] {
            let mut pool = Pool::new(threads).expect("there are threads");
            let count = Arc::new(Count((0..64).map(|_| AtomicI64::new(0)).collect()));
            let after = Arc::new(After(Arc::clone(&count), AtomicI64::new(0)));
            let stretch = |work: Arc<dyn Work>| Stretch { work, items: 0..64, in_pieces: true };
            let (before, after_it) = (job([stretch(count)]), job([stretch(Arc::clone(&after) as Arc<dyn Work>)]));
            pool.run(&Arc::from([before.clone(), after_it.clone(), before, after_it]));
            assert_eq!(after.1.load(Ordering::Relaxed), 64 * 64 + 64 * 128, "{threads} threads");
        }
    }
}
