//! Collects what is found while a launch runs: the first of each kind at each instruction, and how many there were.

use crate::finding::{Finding, Kind, Place, Report, Who};
use tfc_compiler::simulation::Site;

pub struct Findings<'a> {
    kernel: &'a str,
    sites: &'a [Site],
    /// With the site of each, by which it is known again.
    found: Vec<(Option<u32>, Finding)>,
}

impl<'a> Findings<'a> {
    pub fn new(kernel: &'a str, sites: &'a [Site]) -> Findings<'a> {
        Findings { kernel, sites, found: Vec::new() }
    }

    /// Of the launch as a whole.
    pub fn launch(&mut self, details: String) {
        self.add(Kind::Launch, None, None, None, || details);
    }

    /// `details` is asked only where this is new.
    pub fn add(
        &mut self,
        kind: Kind,
        site: Option<u32>,
        who: Option<Who>,
        place: Option<Place>,
        details: impl FnOnce() -> String,
    ) {
        let known = self.found.iter_mut().find(|(at, finding)| *at == site && finding.kind == kind);
        match known {
            Some((_, finding)) => finding.count += 1,
            None => {
                let instruction = site.map(|site| self.sites[site as usize].instruction.clone());
                let (kernel, details) = (self.kernel.to_string(), details());
                self.found.push((site, Finding { kind, kernel, who, place, instruction, details, count: 1 }));
            }
        }
    }

    /// # Errors
    /// Something was found.
    pub fn into_result(self) -> Result<(), Report> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(Report { findings: self.found.into_iter().map(|(_, finding)| finding).collect() })
    }
}
