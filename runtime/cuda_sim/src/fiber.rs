//! Fibers: each runs a kernel's code for one thread of the device, and stops where that hands over. The only place that calls this code.

use crate::checker::LANES;
use crate::dimensions::Dimensions;
use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::ops::Range;
use tfc_compiler::simulation::{Thread, WORDS};

/// What a thread hands over at a site.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub site: u32,
    pub words: [u64; WORDS],
}

/// What it gets back: the first of its words.
pub type Answer = [u64; 4];

/// A kernel's function keeps its accumulators on the stack where the host has fewer registers than the device: a few kilobytes for the
/// largest tile. Pages are provided as they are touched, and behind the last there is one that traps.
pub const STACK_BYTES: usize = 128 << 10;

/// What a fiber starts with.
#[derive(Clone, Copy)]
pub struct Start {
    /// The address of the kernel's entry.
    pub entry: usize,
    /// The kernel's arguments.
    pub arguments: *const u64,
    /// The object's pointer to the thread that runs.
    pub current: *mut *mut Thread,
    /// `%tid`, `%ctaid`, `%ntid`, `%nctaid`
    pub registers: [[u32; 3]; 4],
    pub lane: u32,
}

/// Fibers for the threads of a block, the first of which `start` describes. Takes stacks from `stacks` as far as there are.
///
/// # Errors
/// The machine has no memory for more stacks.
///
/// # Safety
/// As of [`Fiber::new`].
pub unsafe fn of_block(
    stacks: &mut Vec<DefaultStack>,
    start: Start,
    dimensions: Dimensions,
) -> std::io::Result<Vec<Fiber>> {
    let fiber = |number| {
        let stack = stacks.pop().map_or_else(|| DefaultStack::new(STACK_BYTES), Ok)?;
        let mut start = Start { lane: (number % LANES) as u32, ..start };
        start.registers[0] = dimensions.thread(number);
        // SAFETY: the caller's promise.
        Ok(unsafe { Fiber::new(stack, start) })
    };
    (0..dimensions.threads() as usize).map(fiber).collect()
}

pub struct Fiber {
    /// Taken when the fiber ends.
    coroutine: Option<Coroutine<Answer, Request, ()>>,
    /// Where its variables lie.
    pub stack: Range<usize>,
}

/// What `hand_over` finds behind the thread that it is given.
#[repr(C)]
struct Context {
    thread: Thread,
    yielder: *const Yielder<Answer, Request>,
    current: *mut *mut Thread,
}

impl Fiber {
    /// # Safety
    /// `entry` is the address of a kernel's entry, loaded; `arguments` are as many as it takes, valid as long as the fiber, and what the kernel
    /// accesses through them may be accessed; `current` is of the same object, and no other fiber of this object runs at the same time.
    pub unsafe fn new(stack: DefaultStack, start: Start) -> Fiber {
        let range = stack.limit().get()..stack.base().get();
        let body = move |yielder: &Yielder<Answer, Request>, _: Answer| {
            let thread = Thread { registers: start.registers, lane: start.lane, site: 0, hand_over, words: [0; WORDS] };
            let mut context = Context { thread, yielder, current: start.current };
            // SAFETY: the caller of `new` promised that these are an entry, its arguments, and the pointer that its code reads. The thread is
            // the first field of the context and is derived from a pointer to all of it.
            unsafe {
                let entry = std::mem::transmute::<usize, unsafe extern "C" fn(*const u64)>(start.entry);
                *start.current = (&raw mut context).cast();
                entry(start.arguments);
            }
        };
        Fiber { coroutine: Some(Coroutine::with_stack(stack, body)), stack: range }
    }

    /// Runs until the thread hands over again; None when it has finished. The first answer is ignored.
    pub fn resume(&mut self, answer: Answer) -> Option<Request> {
        match self.coroutine.as_mut()?.resume(answer) {
            CoroutineResult::Yield(request) => Some(request),
            CoroutineResult::Return(()) => None,
        }
    }

    /// Ends it wherever it is; its stack may serve another.
    pub fn end(&mut self) -> Option<DefaultStack> {
        let mut coroutine = self.coroutine.take()?;
        // SAFETY: what lies on its stack is frames of kernel code, of `hand_over` and of `body`: none owns anything.
        unsafe { coroutine.force_reset() };
        Some(coroutine.into_stack())
    }
}

impl Drop for Fiber {
    /// A coroutine that is dropped half-way would unwind through the kernel's frames.
    fn drop(&mut self) {
        self.end();
    }
}

/// Called by kernel code: lets the scheduler run, and writes down what it answers.
///
/// # Safety
/// `thread` is the one that the code found as the current one.
unsafe extern "C" fn hand_over(thread: *mut Thread) {
    // SAFETY: every current thread is the first field of a context on the stack of the fiber that runs, which the code does not access
    // while it waits for this call.
    let context = unsafe { &mut *thread.cast::<Context>() };
    let request = Request { site: context.thread.site, words: context.thread.words };
    // SAFETY: the yielder lives as long as the fiber.
    let answer = unsafe { (*context.yielder).suspend(request) };
    context.thread.words[..answer.len()].copy_from_slice(&answer);
    // SAFETY: as promised to `Fiber::new`; other threads were current in the meantime.
    unsafe { *context.current = thread };
}
