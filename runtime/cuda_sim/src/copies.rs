//! `cp.async`: copies from global to shared memory that a thread starts and awaits in groups. Each happens as late as it may: when its
//! group is awaited. So a kernel that awaits too little reads what was there before.

use crate::memory::Located;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
pub struct Copy {
    /// None copies nothing: the destination is filled with zeros.
    pub from: Option<Located>,
    pub to: Located,
}

/// The copies of one thread that are under way.
#[derive(Default)]
pub struct Copies {
    open: Vec<Copy>,
    groups: VecDeque<Vec<Copy>>,
}

impl Copies {
    pub fn start(&mut self, copy: Copy) {
        self.open.push(copy);
    }

    /// Closes a group, also an empty one.
    pub fn commit(&mut self) {
        self.groups.push_back(std::mem::take(&mut self.open));
    }

    /// The copies to finish now, so that at most the latest `allowed` groups are under way.
    pub fn finish(&mut self, allowed: usize) -> Vec<Copy> {
        let finished = self.groups.len().saturating_sub(allowed);
        self.groups.drain(..finished).flatten().collect()
    }

    /// All there are, committed or not.
    pub fn finish_all(&mut self) -> Vec<Copy> {
        self.commit();
        self.finish(0)
    }
}
