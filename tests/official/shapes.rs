//! Files of the released models' real sizes are of the specs in specs/. Their weights are holes in a sparse file.

use crate::support::spec;
use crate::support::torch::Saved;
use std::fs::File;
use tfc_runtime::official::{Form, Import};

struct Released {
    spec: &'static str,
    stage: usize,
    blocks: usize,
    width: usize,
    /// Of query, key, value and proj; of mlp.
    tokens: [usize; 2],
    parameters: usize,
}

const fn released(spec: &'static str, stage: usize, sizes: [usize; 4], parameters: usize) -> Released {
    let [blocks, width, qkv, ffn] = sizes;
    Released { spec, stage, blocks, width, tokens: [qkv, ffn], parameters }
}

const RELEASED: [Released; 6] = [
    released("tokenformer-150m", 0, [12, 768, 768, 3072], 151_881_216),
    released("tokenformer-450m", 0, [24, 1024, 1024, 4096], 454_166_528),
    released("tokenformer-900m", 0, [32, 1280, 1280, 5120], 903_252_480),
    released("tokenformer-1.5b", 0, [40, 1536, 1536, 6144], 1_587_219_456),
    released("growth-354m-to-757m-released", 0, [24, 1024, 768, 3072], 353_503_232),
    released("growth-354m-to-757m-released", 1, [24, 1024, 1792, 7168], 756_156_416),
];

impl Released {
    /// Names and shapes as the official code makes them.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let Released { blocks, width, tokens: [qkv, ffn], .. } = *self;
        let mut tensors = vec![("sequential.0.word_embeddings.weight".to_string(), vec![50_304, width])];
        for block in 2..blocks + 2 {
            let attention = ["query", "key", "value", "proj"].map(|part| (format!("attention.{part}"), qkv));
            for (part, n) in attention.into_iter().chain([("mlp".to_string(), ffn)]) {
                for half in ["key", "value"] {
                    tensors.push((format!("sequential.{block}.{part}.{half}_param_tokens"), vec![n, width]));
                }
            }
        }
        let last = blocks + 3;
        tensors.extend(["weight", "bias"].map(|part| (format!("sequential.{last}.norm.{part}"), vec![width])));
        tensors
    }
}

#[test]
fn the_released_models_are_those_of_the_specs() {
    let folder = tempfile::tempdir().unwrap();
    for released in RELEASED {
        let tensors = released.tensors();
        let parameters: usize = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, released.parameters, "{}", released.spec);
        let path = folder.path().join("pytorch_model.bin");
        Saved::in_two_storages(&tensors).write_sparse(File::create(&path).unwrap()).unwrap();
        assert!(path.metadata().unwrap().len() > 4 * parameters as u64);
        let model = spec(released.spec);
        Import::open(&path, Form::Neox, &model, released.stage).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
