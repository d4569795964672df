//! The steps of a proof, in words.

use crate::scalar::Unary;
use std::fmt;

/// Why a change of sizes did not become a change of the function, at one kind of place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    ZeroColumns,
    EqualColumns {
        copies: f64,
    },
    ScaleKept {
        retuned_over: Option<u64>,
    },
    ScaleFollows {
        rule: String,
    },
    NormSkipsZeros,
    /// The norm of so many equal copies grows by the root of their number.
    NormOfCopies {
        copies: f64,
    },
    SoftmaxOfCopies {
        copies: f64,
    },
    MomentsOfCopies,
    ChoosesFirst,
    VanishesAtZero(Unary),
    DropsZeros,
    CopiesAddUp {
        copies: f64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::ZeroColumns => write!(f, "new columns of X·Kᵀ are zero"),
            Step::EqualColumns { copies } => write!(f, "every column of X·Kᵀ stands there {copies} times"),
            Step::ScaleKept { retuned_over: None } => write!(f, "the scale stays the number it was"),
            Step::ScaleKept { retuned_over: Some(steps) } => {
                write!(f, "the scale stays, at first, the number it was (and returns to its rule over {steps} steps)")
            }
            Step::ScaleFollows { rule } => write!(f, "the scale follows {rule}"),
            Step::NormSkipsZeros => write!(f, "a row norm does not see zeros"),
            Step::NormOfCopies { copies } => write!(f, "the row norm is sqrt({copies}) times larger"),
            Step::SoftmaxOfCopies { copies } => write!(f, "softmax shares each weight among {copies} copies"),
            Step::MomentsOfCopies => write!(f, "the mean and variance of a row do not see copies"),
            Step::ChoosesFirst => write!(f, "top_k takes old scores before new ones that are no larger"),
            Step::VanishesAtZero(function) => write!(f, "{}(0) = 0", function.name()),
            Step::DropsZeros => write!(f, "a contraction drops zero terms"),
            Step::CopiesAddUp { copies } => {
                write!(f, "{copies} equal terms add up to the value that was divided by {copies}")
            }
        }
    }
}

/// `a, b, and c`
pub(super) fn sentence(steps: &[Step]) -> String {
    let words: Vec<String> = steps.iter().map(Step::to_string).collect();
    match words.as_slice() {
        [] => "nothing that grows reaches the result".into(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

/// Three decimals where there are more.
pub(super) fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}
