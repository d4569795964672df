//! A pool of threads that share out the work items of one kernel at a time.
//!
//! Our own, because a kernel of a small model takes a few microseconds: rayon wakes a sleeping worker in five to ten, this pool
//! hands over in well under one by letting workers spin for a while before they sleep.
//!
//! A job has as many parts as there are threads. Each thread begins with its own and then helps with those of others: where other programs hold the
//! processors, a thread that is late costs its share of the work, not a time slice. A part is done in pieces that become smaller, so that few are
//! begun and yet all threads end at the same time.

use crate::{Failure, Kind, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread::JoinHandle;

/// What the threads do: called once per thread with the thread's index and its part `begin..end` of the items.
pub trait Work: Sync {
    fn run(&self, thread: usize, begin: i64, end: i64);
}

pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// The present job; a new generation announces it.
    job: RwLock<Option<Job>>,
    generation: AtomicUsize,
    /// For each part the last generation in which somebody began it, times [`BEGUN`], and how many of its pieces, up to [`PIECES`].
    begun: Vec<AtomicUsize>,
    /// Pieces of the present job.
    unfinished: AtomicUsize,
    stop: AtomicBool,
    asleep: Mutex<usize>,
    wake: Condvar,
    threads: usize,
}

#[derive(Clone)]
struct Job {
    work: Arc<dyn Work + Send>,
    items: Range<i64>,
    pieces: usize,
}

/// Pieces of a part: half of it, half of the rest, and so on; the last is as large as the one before.
const PIECES: usize = 6;
const BEGUN: usize = PIECES + 1;
/// The fewest items for each thread that are worth more than one piece.
const DIVIDED: i64 = 8;

/// Turns of spinning before a worker sleeps: some tens of microseconds, longer than the gap between two kernels.
const SPINS: u32 = 20_000;

impl Pool {
    /// `threads` in all, the caller's own among them; at least one.
    ///
    /// # Errors
    /// The system does not let this process have so many.
    pub fn new(threads: usize) -> Result<Pool> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            job: RwLock::new(None),
            generation: AtomicUsize::new(0),
            begun: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
            unfinished: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            asleep: Mutex::new(0),
            wake: Condvar::new(),
            threads,
        });
        let mut pool = Pool { shared, workers: Vec::new() };
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

    /// Does all items and returns when they are done. Which thread does which item changes nothing in the result; `in_pieces` tells whether
    /// it costs nothing to do them a few at a time.
    pub fn run(&self, work: Arc<dyn Work + Send>, items: Range<i64>, in_pieces: bool) {
        let shared = &self.shared;
        let count = items.end - items.start;
        if shared.threads == 1 || count <= 1 {
            work.run(0, items.start, items.end);
            return;
        }
        let pieces = if in_pieces && count >= DIVIDED * shared.threads as i64 { PIECES } else { 1 };
        let job = Job { work, items, pieces };
        *write(&shared.job) = Some(job.clone());
        shared.unfinished.store(shared.threads * pieces, Ordering::Relaxed);
        let generation = shared.generation.fetch_add(1, Ordering::Release) + 1;
        if *lock(&shared.asleep) > 0 {
            shared.wake.notify_all();
        }
        shared.work(&job, generation, 0);
        let done = || shared.unfinished.load(Ordering::Acquire) == 0;
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
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.generation.fetch_add(1, Ordering::Release);
        drop(lock(&self.shared.asleep));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has printed why; there is nothing to add while tearing down.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            seen = self.wait_for_more_than(seen);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let job = self.job.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
            if let Some(job) = job {
                self.work(&job, seen, thread);
            }
        }
    }

    /// Does what is left of a job, its own part first. A worker that comes late to a generation finds all of its pieces begun, whichever job it then
    /// holds: a job is not replaced before that.
    fn work(&self, job: &Job, generation: usize, thread: usize) {
        for part in (thread..self.threads).chain(0..thread) {
            while let Some(piece) = self.begin(part, generation, job.pieces) {
                let (begin, end) = piece_of(bounds(&job.items, part, self.threads), piece, job.pieces);
                if begin < end {
                    job.work.run(thread, begin, end);
                }
                self.unfinished.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// The next piece of a part that nobody has begun. Counting ends at the same number for every job, or one who comes late with the next job in
    /// hand might find pieces left of the one before.
    fn begin(&self, part: usize, generation: usize, pieces: usize) -> Option<usize> {
        let first = generation * BEGUN + PIECES - pieces;
        let next = |state: usize| match state.max(first) {
            state if state < generation * BEGUN + PIECES => Some(state + 1),
            _ => None,
        };
        let before = self.begun[part].fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?;
        Some(before.max(first) - first)
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
        let mut asleep = lock(&self.asleep);
        *asleep += 1;
        while self.generation.load(Ordering::Acquire) == seen {
            asleep = self.wake.wait(asleep).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        *asleep -= 1;
        self.generation.load(Ordering::Acquire)
    }
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

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(|poisoned| poisoned.into_inner())
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
            let pool = Pool::new(threads).expect("there are threads");
            for extent in [0, 1, 2, 5, 100] {
                let count = Arc::new(Count((0..extent).map(|_| AtomicI64::new(0)).collect()));
                // In many pieces and in few, one after the other: who is late must not take the next job for the last.
                for turn in 0..200 {
                    pool.run(Arc::clone(&count) as Arc<dyn Work + Send>, 0..extent, turn % 2 == 0);
                }
                let done: Vec<i64> = count.0.iter().map(|c| c.load(Ordering::Relaxed)).collect();
                assert_eq!(done, vec![200; extent as usize]);
            }
        }
    }
}
