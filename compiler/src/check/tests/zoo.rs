//! The specs: all of them check, and those with known sizes have exactly those.

use super::super::{Loader, Options, check};
use crate::model::Model;
use crate::size::Size;
use tfc_grammar::{Color, Sources, render_all};

/// Every spec, and the parameters of its stages where they are known.
const ZOO: [(&str, &[i64]); 28] = [
    ("bench-small124", &[151_881_216]),
    ("bench-tiny", &[5_243_392]),
    ("gpt2-124m", &[124_439_808]),
    ("grow-official-354m-to-757m", &[353_503_232, 756_156_416]),
    ("grow-official-354m-to-757m-released", &[353_503_232, 756_156_416]),
    ("growth-124m-to-1.4b", &[123_569_664, 354_190_848, 757_040_640, 1_399_948_800]),
    ("growth-354m-to-757m", &[353_503_232, 756_156_416]),
    ("growth-354m-to-757m-released", &[353_503_232, 756_156_416]),
    // 4 blocks get 3072 feed-forward tokens of 2 * 768 each.
    ("growth-new-only", &[151_881_216, 151_881_216 + 4 * 3072 * 2 * 768]),
    // In each of 3 blocks 4 groups of n tokens and one of 4 * n, of 2 * 64 numbers each; embedding and norm.
    ("growth-study/grown", &[274_560, 458_880, 1_835_136]),
    ("growth-study/large", &[1_835_136]),
    ("growth-study/large-half", &[1_835_136]),
    ("growth-study/small", &[274_560]),
    ("growth-study/transformer", &[1_834_272]),
    ("jax-variant", &[123_569_664 + 50_304 * 768]),
    ("llama-151m", &[151_309_056]),
    ("nested-dropout", &[]),
    ("norms", &[]),
    // The embedding, a norm, and 4 blocks with 4 and 4 times as many tokens of 2 * 128 each.
    ("pruned", &[256 * 128 + 256 + 4 * 8 * 128 * 256, 256 * 128 + 256 + 4 * 8 * 96 * 256]),
    ("routing", &[]),
    ("shakespeare", &[]),
    ("tokenformer-1.5b", &[1_587_219_456]),
    ("tokenformer-150m", &[151_881_216]),
    ("tokenformer-450m", &[454_166_528]),
    ("tokenformer-900m", &[903_252_480]),
    // 5 Pattentions in 12 blocks get 64 tokens each.
    ("tuned-medical", &[151_881_216, 151_881_216 + 5 * 12 * 64 * 2 * 768]),
    ("vision-imagenet", &[]),
    ("vision-mnist", &[]),
];

/// The files of `specs/`, and a tokenizer of any vocabulary.
struct Specs;

impl Loader for Specs {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/");
        std::fs::read(format!("{root}{path}")).map_err(|error| error.to_string())
    }

    fn vocabulary(&self, path: &str) -> Result<u64, String> {
        Ok(if path == "data/growth-study/tokenizer.json" { 4096 } else { 50_257 })
    }
}

/// A spec, which must be right.
pub(crate) fn spec(name: &str) -> Model {
    let mut sources = Sources::default();
    let checked = check(&mut sources, &format!("{name}.tfm"), &Specs, &Options::default());
    let rendered = render_all(&sources, &checked.diagnostics, Color::Never);
    assert!(rendered.is_empty(), "{name}:\n{rendered}");
    checked.model.unwrap()
}

fn parameters(model: &Model, stage: usize) -> i64 {
    let sizes = model.stage_sizes(stage);
    model.parameters.iter().map(|p| Size::product(&p.shape).eval(&sizes)).sum()
}

#[test]
fn every_spec_checks_and_has_its_size() {
    for (name, stages) in ZOO {
        let model = spec(name);
        for (stage, expected) in stages.iter().enumerate() {
            assert_eq!(parameters(&model, stage), *expected, "{name}, stage {stage}");
        }
        // None has a loss for which memory would matter.
        assert!(model.batches_can_be_cut(), "{name}");
    }
}

#[test]
fn the_zoo_is_all_of_the_specs() {
    let mut specs = [specs_in(""), specs_in("growth-study/")].concat();
    specs.sort();
    let mut zoo = ZOO.map(|(name, _)| format!("{name}.tfm")).to_vec();
    zoo.sort();
    assert_eq!(specs, zoo);
}

/// The specs of a folder below `specs/`, but not those of folders in it.
fn specs_in(folder: &str) -> Vec<String> {
    let path = format!("{}/../specs/{folder}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter(|entry| !entry.file_type().unwrap().is_dir()).map(|entry| entry.file_name());
    names.filter(|name| name != "README.md").map(|name| format!("{folder}{}", name.to_string_lossy())).collect()
}

#[test]
fn an_experiment_as_text() {
    let text = spec("growth-124m-to-1.4b").to_string();
    let (_, stages) = text.split_once("\nstages\n").unwrap();
    insta::assert_snapshot!(stages);
}
