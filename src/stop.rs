//! How a command ends early.

use tfc_runtime::Failure;

pub type Outcome = Result<(), Stop>;

#[derive(Debug)]
pub enum Stop {
    /// Diagnostics have been printed; nothing is left to say.
    Explained,
    /// One sentence to print.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}
