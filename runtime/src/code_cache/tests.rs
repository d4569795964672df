//! What is kept is used, and only by those it was kept for.

use super::*;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfc_compiler::executable::{BackendError, EmitStage, Extent, Loaded, Room};
use tfc_compiler::kernel::{Body, Gather, Operand, ScatterAdd};

/// "Code" that says what it was made of.
struct Counting {
    target: &'static str,
    emitted: AtomicUsize,
}

impl Backend for Counting {
    fn target(&self) -> String {
        self.target.to_string()
    }

    fn emit(&self, kernels: &[Kernel]) -> std::result::Result<Code, BackendError> {
        self.emitted.fetch_add(1, Ordering::Relaxed);
        let shared = Room { bytes: Extent::Size(2).units(32).times(4), most: 1 << 20 };
        let function = |i| Function {
            symbol: format!("kernel_{i}"),
            scratch: Room::always(64 * i),
            scratch_of_sharing: Room::NONE,
            rows_of_item: 1,
            shared: shared.clone(),
        };
        Ok(Code {
            target: self.target(),
            bytes: format!("{kernels:?}").into_bytes(),
            functions: (0..kernels.len()).map(function).collect(),
        })
    }

    fn text(&self, _: &[Kernel], _: EmitStage) -> std::result::Result<String, BackendError> {
        Err(BackendError("there is no text".into()))
    }

    fn load(&self, _: &Code) -> std::result::Result<Loaded, BackendError> {
        Err(BackendError("there is nothing to load".into()))
    }
}

fn backend(target: &'static str) -> Counting {
    Counting { target, emitted: AtomicUsize::new(0) }
}

fn kernels() -> Vec<Kernel> {
    let operands = vec![Operand::READ_I32, Operand::READ, Operand::WRITE];
    let bodies = [Body::Gather(Gather), Body::ScatterAdd(ScatterAdd)];
    bodies.map(|body| Kernel { body, operands: operands.clone() }).to_vec()
}

fn cache(folder: &Path, build: &str) -> CodeCache {
    CodeCache::new(Some(folder.to_path_buf()), build.to_string())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_second_run_compiles_nothing_and_another_build_target_or_kernel_does() {
    let folder = tempfile::tempdir().unwrap();
    let here = backend("here");
    let first = cache(folder.path(), "1").code(&here, &kernels()).unwrap();
    assert_eq!(cache(folder.path(), "1").code(&here, &kernels()).unwrap(), first);
    assert_eq!(here.emitted.load(Ordering::Relaxed), 1);

    let there = backend("there");
    assert_eq!(cache(folder.path(), "1").code(&there, &kernels()).unwrap().target, "there");
    cache(folder.path(), "2").code(&here, &kernels()).unwrap();
    let one = cache(folder.path(), "1").code(&here, &kernels()[..1]).unwrap();
    assert_eq!(one, backend("here").emit(&kernels()[..1]).unwrap());
    assert_eq!((here.emitted.load(Ordering::Relaxed), there.emitted.load(Ordering::Relaxed)), (3, 1));
    assert_eq!(entries(folder.path()).len(), 4);
}

#[test]
fn a_damaged_entry_is_ignored_and_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, cache) = (backend("here"), cache(folder.path(), "1"));
    let code = cache.code(&backend, &kernels()).unwrap();
    let path = entries(folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let compiled = RefCell::new(1);
    let check = |damaged: &[u8]| {
        fs::write(&path, damaged).unwrap();
        *compiled.borrow_mut() += 1;
        assert_eq!(cache.code(&backend, &kernels()).unwrap(), code);
        assert_eq!(backend.emitted.load(Ordering::Relaxed), *compiled.borrow());
        assert_eq!(fs::read(&path).unwrap(), whole);
    };
    (0..whole.len()).step_by(7).for_each(|length| check(&whole[..length]));
    for byte in (0..whole.len()).step_by(5) {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1;
        check(&damaged);
    }
    // Whole, but of another kind: the name is a digest, not a promise.
    let other = Code { target: "there".into(), ..code.clone() };
    check(&print(&other));
    assert!(parse(&whole).is_some());
}

#[test]
fn without_a_folder_or_with_one_that_cannot_be_used_everything_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for cache in [CodeCache::new(None, String::new()), cache(&file, "1")] {
        let backend = backend("here");
        (0..2).for_each(|_| assert_eq!(cache.code(&backend, &kernels()).unwrap().functions.len(), 2));
        assert_eq!(backend.emitted.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn the_folder_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    for build in 0..ENTRIES + 5 {
        cache(folder.path(), &build.to_string()).code(&backend("here"), &kernels()).unwrap();
    }
    assert_eq!(entries(folder.path()).len(), ENTRIES);
}

#[test]
fn those_who_share_a_folder_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let code = backend("here").emit(&kernels()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for build in ["1", "2", "3"] {
                    assert_eq!(cache(folder.path(), build).code(&backend("here"), &kernels()).unwrap(), code);
                }
            });
        }
    });
}
