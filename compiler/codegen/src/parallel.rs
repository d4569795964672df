//! Kernels compiled by several threads, each a share of them.

use tfc_compiler::executable::BackendError;

/// What `compile` makes of every `parts`-th kernel from the `part`-th on, for each part: as many as there are processors, `most` and kernels.
pub fn in_parts<T: Send>(
    kernels: usize,
    most: usize,
    compile: impl Fn(usize, usize) -> Result<T, BackendError> + Sync,
) -> Result<Vec<T>, BackendError> {
    let parts = std::thread::available_parallelism().map_or(1, usize::from).min(most).min(kernels);
    std::thread::scope(|scope| {
        let compile = &compile;
        let threads: Vec<_> = (0..parts).map(|part| scope.spawn(move || compile(part, parts))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(BackendError("a thread of the compiler panicked: this is a bug in tfc".into())))
        };
        threads.into_iter().map(join).collect()
    })
}
