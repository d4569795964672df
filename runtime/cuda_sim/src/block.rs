//! One block: its threads take turns until all have finished, or none can go on.

use crate::barriers::{Arrival, Barriers, Waiting};
use crate::checker::{Checker, LANES};
use crate::copies::Copies;
use crate::dimensions::Dimensions;
use crate::fiber::{Answer, Fiber, Request};
use crate::finding::{Kind, Place, Who};
use crate::findings::Findings;
use crate::memory::Memory;
use crate::order::Order;
use corosensei::stack::DefaultStack;
use std::collections::BTreeMap;
use tfc_compiler::simulation::{Operation, Site};

/// What lives as long as the launch.
pub struct Surroundings<'a, 's> {
    pub dimensions: Dimensions,
    pub sites: &'s [Site],
    pub memory: &'a mut Memory,
    /// None where it is off.
    pub checker: Option<&'a mut Checker>,
    pub findings: &'a mut Findings<'s>,
}

pub struct Block<'a, 's> {
    /// In the grid.
    number: u64,
    pub(super) around: Surroundings<'a, 's>,
    pub(super) fibers: Vec<Fiber>,
    pub(super) threads: Vec<State>,
    /// Warps with a thread that can go on, each once.
    ready: Vec<usize>,
    barriers: Barriers,
    pub(super) copies: Vec<Copies>,
    order: Order,
    /// How many `mma.sync` its warps have carried out.
    pub products: u64,
    /// How many copies its threads have begun.
    pub copies_begun: u64,
}

/// What a thread is at.
pub enum State {
    /// It can go on with this.
    Ready(Answer),
    Waiting(Request),
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Finished,
    /// Threads wait for what does not come.
    Stuck,
}

impl<'a, 's> Block<'a, 's> {
    pub fn new(number: u64, fibers: Vec<Fiber>, order: Order, around: Surroundings<'a, 's>) -> Block<'a, 's> {
        let threads = fibers.len();
        Block {
            number,
            around,
            threads: (0..threads).map(|_| State::Ready(Answer::default())).collect(),
            ready: (0..threads.div_ceil(LANES)).collect(),
            barriers: Barriers::new(),
            copies: (0..threads).map(|_| Copies::default()).collect(),
            fibers,
            order,
            products: 0,
            copies_begun: 0,
        }
    }

    pub fn run(&mut self) -> Ended {
        if let Some(checker) = &mut self.around.checker {
            checker.start_block(self.number as u32, self.threads.len(), self.around.memory);
        }
        while !self.ready.is_empty() {
            let warp = self.ready.swap_remove(self.order.below(self.ready.len()));
            for lane in self.order.lanes() {
                self.run_thread(warp * LANES + lane);
            }
            while self.complete_collective(warp) {}
        }
        if let Some(checker) = &mut self.around.checker {
            checker.end_block();
        }
        if self.threads.iter().all(|state| matches!(state, State::Finished)) {
            return Ended::Finished;
        }
        self.report_stuck();
        Ended::Stuck
    }

    /// For other fibers.
    pub fn into_stacks(mut self) -> impl Iterator<Item = DefaultStack> {
        std::mem::take(&mut self.fibers).into_iter().filter_map(|mut fiber| fiber.end())
    }

    /// Runs a thread, if it can go on, to where it must wait.
    fn run_thread(&mut self, thread: usize) {
        let Some(State::Ready(answer)) = self.threads.get(thread) else { return };
        let mut answer = *answer;
        loop {
            let Some(request) = self.fibers[thread].resume(answer) else {
                self.threads[thread] = State::Finished;
                return;
            };
            answer = match self.around.sites[request.site as usize].operation {
                Operation::Access(access) => self.access(thread, &request, access),
                Operation::CopyAsync { bytes, sized } => {
                    self.start_copy(thread, &request, bytes, sized);
                    Answer::default()
                }
                Operation::CommitCopies => {
                    self.copies[thread].commit();
                    Answer::default()
                }
                Operation::AwaitCopies => {
                    let copies = self.copies[thread].finish(request.words[0] as u32 as usize);
                    self.finish_copies(thread, copies);
                    Answer::default()
                }
                Operation::AwaitAllCopies => {
                    let copies = self.copies[thread].finish_all();
                    self.finish_copies(thread, copies);
                    Answer::default()
                }
                Operation::Barrier { counted, .. } => return self.arrive(thread, request, counted),
                Operation::WarpBarrier
                | Operation::Shuffle(_)
                | Operation::LoadMatrices { .. }
                | Operation::Multiply(_) => return self.wait_for_warp(thread, request),
            };
            // Between two operations of a thread those of others may come.
            if self.order.interrupts() {
                return self.let_go_on(thread, answer);
            }
        }
    }

    /// It will, when its warp's turn comes.
    pub(super) fn let_go_on(&mut self, thread: usize, answer: Answer) {
        self.threads[thread] = State::Ready(answer);
        let warp = thread / LANES;
        if !self.ready.contains(&warp) {
            self.ready.push(warp);
        }
    }

    fn arrive(&mut self, thread: usize, request: Request, counted: bool) {
        let (number, all) = (request.words[0] as u32 as usize, self.threads.len());
        let count = request.words[1] as u32 as usize;
        let whole_warps = count > 0 && count.is_multiple_of(LANES) && count <= all.next_multiple_of(LANES);
        if number >= Barriers::COUNT || counted && !whole_warps {
            self.find(Kind::Operand, request.site, thread, None, || {
                format!("barrier {number} for {count} of {all} threads; there are 16 barriers, for whole warps")
            });
            return self.let_go_on(thread, Answer::default());
        }
        let expected = if counted { count.min(all) } else { all };
        self.threads[thread] = State::Waiting(request);
        match self.barriers.arrive(number, expected, Waiting { thread, site: request.site }) {
            Arrival::Waits => {}
            Arrival::Disagrees { others } => self.find(Kind::DivergentBarrier, request.site, thread, None, || {
                format!("waits for {expected} threads at barrier {number}, where others wait for {others}")
            }),
            Arrival::Completes(waiting) => self.release(&waiting),
        }
    }

    /// All that a barrier waited for have come.
    fn release(&mut self, waiting: &[Waiting]) {
        let mut warps: Vec<usize> = waiting.iter().map(|w| w.thread / LANES).collect();
        warps.sort_unstable();
        warps.dedup();
        self.check_together(waiting);
        if let Some(checker) = &mut self.around.checker {
            checker.synchronise(&warps);
        }
        waiting.iter().for_each(|w| self.let_go_on(w.thread, Answer::default()));
    }

    /// The lanes of a warp must come to an aligned barrier together, the threads of a block to one for all of them.
    fn check_together(&mut self, waiting: &[Waiting]) {
        let Some(first) = waiting.first() else { return };
        if waiting.len() == self.threads.len() && waiting.iter().all(|w| w.site == first.site) {
            return;
        }
        let mut together: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
        for w in waiting {
            together.entry((w.thread / LANES, w.site)).or_default().push(w.thread);
        }
        for ((warp, site), threads) in together {
            let Operation::Barrier { aligned, counted } = self.around.sites[site as usize].operation else { continue };
            let (lanes, of) = (threads.len(), LANES.min(self.threads.len() - warp * LANES));
            if aligned && lanes < of {
                self.find(Kind::DivergentBarrier, site, threads[0], None, || {
                    format!("{lanes} of the {of} threads of a warp come to it together")
                });
            } else if !counted && site != first.site {
                self.find(Kind::DivergentBarrier, site, threads[0], None, || {
                    "it is for all threads, and some have come to another".into()
                });
            }
        }
    }

    /// No thread can go on, and some have not finished.
    fn report_stuck(&mut self) {
        let mut waiting: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (thread, state) in self.threads.iter().enumerate() {
            if let State::Waiting(request) = state {
                waiting.entry(request.site).or_default().push(thread);
            }
        }
        let sites = self.around.sites;
        let is_barrier = |site: u32| matches!(sites[site as usize].operation, Operation::Barrier { .. });
        // Where there is an operation of a warp, the warp's lanes have gone apart, whatever that does to barriers.
        let Some(site) = waiting.keys().copied().min_by_key(|site| is_barrier(*site)) else { return };
        let kind = if is_barrier(site) { Kind::DivergentBarrier } else { Kind::DivergentWarp };
        let dimensions = self.around.dimensions;
        let group = |(site, threads): (&u32, &Vec<usize>)| {
            let (first, instruction) = (dimensions.thread(threads[0]), &sites[*site as usize].instruction);
            format!("{} threads, from {first:?} on, wait at `{instruction}`", threads.len())
        };
        let mut groups: Vec<String> = waiting.iter().map(group).collect();
        let finished = self.threads.iter().filter(|state| matches!(state, State::Finished)).count();
        if finished > 0 {
            groups.push(format!("{finished} have finished"));
        }
        self.find(kind, site, waiting[&site][0], None, || format!("no thread can go on: {}", groups.join("; ")));
    }

    pub(super) fn find(
        &mut self,
        kind: Kind,
        site: u32,
        thread: usize,
        place: Option<Place>,
        details: impl FnOnce() -> String,
    ) {
        let who = self.who(self.number, thread);
        self.around.findings.add(kind, Some(site), Some(who), place, details);
    }

    pub(super) fn who(&self, block: u64, thread: usize) -> Who {
        self.around.dimensions.who(block, thread)
    }
}
