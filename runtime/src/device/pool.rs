//! A pool of threads that share out the work items of one kernel at a time.
//!
//! Our own, because a kernel of a small model takes a few microseconds: rayon wakes a sleeping worker in five to ten, this pool
//! hands over in well under one by letting workers spin for a while before they sleep.
//!
//! A job has as many parts as there are threads, each thread begins with its own, and the caller then does those that nobody has begun:
//! where other programs hold the processors, a worker that is not woken in time costs its share of the work, not a time slice.

use crate::{Failure, Kind, Result};
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
    /// For each part the last generation in which somebody began it.
    begun: Vec<AtomicUsize>,
    /// Parts of the present job.
    unfinished: AtomicUsize,
    stop: AtomicBool,
    asleep: Mutex<usize>,
    wake: Condvar,
    threads: usize,
}

#[derive(Clone)]
struct Job {
    work: Arc<dyn Work + Send>,
    extent: i64,
}

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

    /// Does all items and returns when they are done. Which thread does which item changes nothing in the result.
    pub fn run(&self, work: Arc<dyn Work + Send>, extent: i64) {
        let shared = &self.shared;
        if shared.threads == 1 || extent <= 1 {
            work.run(0, 0, extent);
            return;
        }
        let job = Job { work, extent };
        *write(&shared.job) = Some(job.clone());
        shared.unfinished.store(shared.threads, Ordering::Relaxed);
        let generation = shared.generation.fetch_add(1, Ordering::Release) + 1;
        if *lock(&shared.asleep) > 0 {
            shared.wake.notify_all();
        }
        (0..shared.threads).for_each(|part| shared.work(&job, generation, 0, part));
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
                self.work(&job, seen, thread, thread);
            }
        }
    }

    /// Does a part of a job, unless somebody has begun it. A worker that comes late to a generation finds all of its parts begun, whichever
    /// job it then holds: a job is not replaced before that.
    fn work(&self, job: &Job, generation: usize, thread: usize, part: usize) {
        if self.begun[part].fetch_max(generation, Ordering::AcqRel) >= generation {
            return;
        }
        let (begin, end) = bounds(job.extent, part, self.threads);
        if begin < end {
            job.work.run(thread, begin, end);
        }
        self.unfinished.fetch_sub(1, Ordering::Release);
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
fn bounds(extent: i64, part: usize, parts: usize) -> (i64, i64) {
    let bound = |i: usize| extent * i as i64 / parts as i64;
    (bound(part), bound(part + 1))
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
    fn every_item_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads).expect("there are threads");
            for extent in [0, 1, 2, 5, 100] {
                let count = Arc::new(Count((0..extent).map(|_| AtomicI64::new(0)).collect()));
                for _ in 0..100 {
                    pool.run(Arc::clone(&count) as Arc<dyn Work + Send>, extent);
                }
                let done: Vec<i64> = count.0.iter().map(|c| c.load(Ordering::Relaxed)).collect();
                assert_eq!(done, vec![100; extent as usize]);
            }
        }
    }
}
