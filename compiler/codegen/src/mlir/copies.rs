//! Copies from global to shared memory that go on by themselves, in groups that a thread awaits in the order in which it made them.

use super::function::Function;
use super::value::{I32, Int32, Pointer, Shared};

impl<'f> Function<'f> {
    /// Begins to copy 16 bytes, of which those from `there` on are zeros that are not read: 0 or 16. Both addresses are multiples of 16. The numbers pass by the
    /// first-level cache: a block takes each once.
    pub fn copy_sixteen(&'f self, from: Pointer<'f>, to: Shared<'f>, there: Int32<'f>) {
        self.copy(from, to, there, 16, "cg");
    }

    /// The same of 8 bytes; these pass through the first-level cache.
    pub fn copy_eight(&'f self, from: Pointer<'f>, to: Shared<'f>, there: Int32<'f>) {
        self.copy(from, to, there, 8, "ca");
    }

    /// Begins to copy one number, or a zero where `there` is 0 and not 4.
    pub fn copy_one(&'f self, from: Pointer<'f>, to: Shared<'f>, there: Int32<'f>) {
        self.copy(from, to, there, 4, "ca");
    }

    fn copy(&'f self, from: Pointer<'f>, to: Shared<'f>, there: Int32<'f>, bytes: i64, cache: &str) {
        let attributes = [
            ("size", self.integer(self.ty::<I32>(), bytes)),
            ("modifier", self.parse(&format!("#nvvm<load_cache_modifier {cache}>"))),
        ];
        self.append("nvvm.cp.async.shared.global", &[to.raw, from.raw, there.raw], &[], &attributes);
    }

    /// What the thread has begun to copy since the last time is a group.
    pub fn commit_copies(&'f self) {
        self.append("nvvm.cp.async.commit.group", &[], &[], &[]);
    }

    /// Waits for all groups of the thread but the `unfinished` latest. Others see what was copied behind a barrier.
    pub fn await_copies(&'f self, unfinished: i64) {
        self.append("nvvm.cp.async.wait.group", &[], &[], &[("n", self.integer(self.ty::<I32>(), unfinished))]);
    }
}
