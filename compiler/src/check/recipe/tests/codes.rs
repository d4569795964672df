//! Every code of recipes: its example in the table causes it. What only a proof finds is tried where proofs are.

use super::Memory;
use crate::check::{Options, check};
use tfc_grammar::{Code, Color, Sources, render_all};

fn is_of_recipes(code: Code) -> bool {
    match code {
        Code::MissingField
        | Code::UnknownField
        | Code::DuplicateField
        | Code::ValueOutOfRange
        | Code::UnknownOption
        | Code::UnitNotAllowed
        | Code::MisplacedEntry
        | Code::SharesNotWhole
        | Code::NoMatch
        | Code::FixedSize
        | Code::DerivedSize
        | Code::CannotAddress
        | Code::UnknownLength
        | Code::DuplicateStage
        | Code::NotAMultiple
        | Code::EndlessStage
        | Code::NotYetSupported
        | Code::VocabularyTooSmall
        | Code::StageNameOff => true,
        _ => false,
    }
}

#[test]
fn the_examples_of_recipes_cause_their_codes() {
    for code in Code::ALL.iter().filter(|code| is_of_recipes(**code)) {
        let example = code.example().expect("these codes have examples");
        let mut sources = Sources::default();
        let checked = check(&mut sources, "example.tfm", &Memory(example), &Options::default());
        let found: Vec<Code> = checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        let answer = render_all(&sources, &checked.diagnostics, Color::Never);
        assert!(found.contains(code), "{}:\n{example}\n{answer}", code.id());
    }
}
