//! The fields of the experiment's blocks: their names, where each belongs, and which block may say it.

use tfc_grammar::ast::{Expr, SectionKind};

/// A field, by what it means. Two pairs share a spelling: `train` is data and a block, `optimizer` is a method and, as `keep` or
/// `reset`, what becomes of its moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FieldName {
    TrainingData,
    Validate,
    Tokenizer,
    Documents,
    Images,

    Batch,
    Precision,
    Optimizer,
    Schedule,
    Evaluate,
    Checkpoint,
    Seed,

    Steps,
    Tokens,
    Flops,
    Until,

    Init,
    Scale,
    Moments,
    DataCursor,

    From,
}

/// Where a field belongs; a stage may say them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Section(SectionKind),
    Stage,
}

/// What holds fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Section(SectionKind),
    Stage,
}

impl FieldName {
    const ALL: [FieldName; 21] = [
        FieldName::TrainingData,
        FieldName::Validate,
        FieldName::Tokenizer,
        FieldName::Documents,
        FieldName::Images,
        FieldName::Batch,
        FieldName::Precision,
        FieldName::Optimizer,
        FieldName::Schedule,
        FieldName::Evaluate,
        FieldName::Checkpoint,
        FieldName::Seed,
        FieldName::Steps,
        FieldName::Tokens,
        FieldName::Flops,
        FieldName::Until,
        FieldName::Init,
        FieldName::Scale,
        FieldName::Moments,
        FieldName::DataCursor,
        FieldName::From,
    ];

    pub fn spelling(self) -> &'static str {
        match self {
            FieldName::TrainingData => "train",
            FieldName::Validate => "validate",
            FieldName::Tokenizer => "tokenizer",
            FieldName::Documents => "documents",
            FieldName::Images => "images",
            FieldName::Batch => "batch",
            FieldName::Precision => "precision",
            FieldName::Optimizer | FieldName::Moments => "optimizer",
            FieldName::Schedule => "schedule",
            FieldName::Evaluate => "evaluate",
            FieldName::Checkpoint => "checkpoint",
            FieldName::Seed => "seed",
            FieldName::Steps => "steps",
            FieldName::Tokens => "tokens",
            FieldName::Flops => "flops",
            FieldName::Until => "until",
            FieldName::Init => "init",
            FieldName::Scale => "scale",
            FieldName::DataCursor => "data",
            FieldName::From => "from",
        }
    }

    pub fn home(self) -> Home {
        match self {
            FieldName::TrainingData
            | FieldName::Validate
            | FieldName::Tokenizer
            | FieldName::Documents
            | FieldName::Images => Home::Section(SectionKind::Data),
            FieldName::Batch
            | FieldName::Precision
            | FieldName::Optimizer
            | FieldName::Schedule
            | FieldName::Evaluate
            | FieldName::Checkpoint
            | FieldName::Seed
            | FieldName::Steps
            | FieldName::Tokens
            | FieldName::Flops
            | FieldName::Until => Home::Section(SectionKind::Train),
            FieldName::Init | FieldName::Scale | FieldName::Moments | FieldName::DataCursor => {
                Home::Section(SectionKind::Grow)
            }
            FieldName::From => Home::Stage,
        }
    }

    /// The field that a block means by a name, with this value.
    pub fn find(block: BlockKind, spelling: &str, value: &Expr) -> Option<FieldName> {
        let about_moments = value.as_name().is_some_and(|word| word != "adamw");
        FieldName::of_block(block).into_iter().find(|field| {
            let is_moments = *field == FieldName::Moments;
            // Only in a stage does one name have two meanings.
            let meant = block != BlockKind::Stage || spelling != "optimizer" || is_moments == about_moments;
            field.spelling() == spelling && meant
        })
    }

    /// All that a block may say.
    pub fn of_block(block: BlockKind) -> Vec<FieldName> {
        let allowed = |field: &FieldName| match block {
            BlockKind::Section(kind) => field.home() == Home::Section(kind),
            BlockKind::Stage => true,
        };
        FieldName::ALL.into_iter().filter(allowed).collect()
    }

    /// The block to put a misplaced field in.
    pub fn home_of(spelling: &str) -> Option<Home> {
        FieldName::ALL.into_iter().find(|field| field.spelling() == spelling).map(FieldName::home)
    }
}

impl BlockKind {
    pub fn keyword(self) -> &'static str {
        match self {
            BlockKind::Section(kind) => kind.keyword(),
            BlockKind::Stage => "stage",
        }
    }
}

/// What people write as a field and is an argument of one.
pub(super) fn argument_of(name: &str) -> Option<&'static str> {
    match name {
        "lr" | "learning_rate" => Some("optimizer = adamw(lr = 6e-4)"),
        "betas" => Some("optimizer = adamw(lr = 6e-4, betas = (0.9, 0.95))"),
        "eps" => Some("optimizer = adamw(lr = 6e-4, eps = 1e-8)"),
        "decay" | "weight_decay" => Some("optimizer = adamw(lr = 6e-4, decay = 0.1)"),
        "clip" => Some("optimizer = adamw(lr = 6e-4, clip = 1.0)"),
        "warmup" => Some("schedule = cosine(warmup = 1%)"),
        "floor" => Some("schedule = cosine(floor = 10%)"),
        "keep" => Some("checkpoint = every(500, keep = 6)"),
        "batches" => Some("evaluate = every(1K, batches = 100)"),
        "patience" | "delta" => Some("until = plateau(loss, patience = 3, delta = 0.2%)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::FieldName;

    #[test]
    fn every_field_is_documented() {
        let page = include_str!("../../../../docs/language.md");
        for field in FieldName::ALL {
            let row = format!("\n| `{}", field.spelling());
            assert!(page.contains(&row), "docs/language.md has no row for the field `{}`", field.spelling());
        }
    }
}
