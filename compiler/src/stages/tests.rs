//! The table against the published counts and the papers' formula, and as it reads.

use super::*;
use crate::check::tests::{model, spec};
use crate::compile::lowered;
use crate::compiled::Entry;
use crate::prove::prove;

/// The table, with what is proven of each growth.
fn table_of(model: &Model) -> StageTable {
    let (evaluate, gradient) = (lowered(model, &Entry::Evaluate), lowered(model, &Entry::Gradient));
    let (proofs, _) = prove(model, &evaluate, &gradient);
    let activations = |_: &Stage, sizes: &SizeValues| Some(10 * u64::try_from(model.parameter_count(sizes)).unwrap());
    table(model, &Known { evaluate: Some(&evaluate), proofs: &proofs, activations: &activations })
}

/// A model of the papers: layers, width, context, vocabulary, then per stage n_qkv = n_proj and n_ffn, and the parameters.
struct Published {
    spec: &'static str,
    sizes: [i64; 4],
    stages: &'static [(i64, i64, i64)],
}

const PUBLISHED: [Published; 6] = [
    Published { spec: "tokenformer-150m", sizes: [12, 768, 2048, 50_304], stages: &[(768, 3072, 151_881_216)] },
    Published { spec: "tokenformer-450m", sizes: [24, 1024, 2048, 50_304], stages: &[(1024, 4096, 454_166_528)] },
    Published { spec: "tokenformer-900m", sizes: [32, 1280, 2048, 50_304], stages: &[(1280, 5120, 903_252_480)] },
    Published { spec: "tokenformer-1.5b", sizes: [40, 1536, 2048, 50_304], stages: &[(1536, 6144, 1_587_219_456)] },
    Published {
        spec: "growth-354m-to-757m",
        sizes: [24, 1024, 1024, 50_304],
        stages: &[(768, 3072, 353_503_232), (1792, 7168, 756_156_416)],
    },
    Published {
        spec: "growth-124m-to-1.4b",
        sizes: [12, 768, 1024, 50_304],
        stages: &[
            (576, 2304, 123_569_664),
            (2140, 8560, 354_190_848),
            (4872, 19_488, 757_040_640),
            (9232, 36_928, 1_399_948_800),
        ],
    },
];

#[test]
fn parameters_and_flops_are_those_of_the_papers() {
    for Published { spec: name, sizes, stages } in &PUBLISHED {
        let [layers, width, context, vocabulary] = sizes.map(|size| size as f64);
        let table = table_of(&spec(name));
        assert_eq!(table.rows.len(), stages.len(), "{name}");
        for (row, (qkv, ffn, parameters)) in table.rows.iter().zip(*stages) {
            assert_eq!(row.parameters, *parameters, "{name}");
            // Per layer four sets of `qkv` tokens and one of `ffn`, and attention over (T + 1) / 2 keys.
            let tokens = 4.0 * width * (4 * qkv + ffn) as f64;
            let forward = layers * (tokens + 4.0 * width * (context + 1.0) / 2.0) + 2.0 * width * vocabulary;
            let flops = row.flops.unwrap();
            assert_eq!((flops.forward, flops.training), (forward, 3.0 * forward), "{name}");
        }
    }
}

#[test]
fn the_ladder_reads_like_this() {
    let table = text(&table_of(&spec("growth-124m-to-1.4b")));
    insta::assert_snapshot!(table);
}

const INSTANCES: &str = r#"
model small {
  let context = 16
  tokens qkv = 8
  tokens ffn = 4 * qkv

  layer block(x: [.., d]) {
    y = x + pattention(x, qkv)
    y + pattention(y, ffn)
  }

  forward(ids: token_ids[context]) {
    e = embed(ids, 256, 32)
    logits = unembed(repeat(4, block, e), tied = e)
  }

  loss = cross_entropy(logits, next(ids))
}

train {
  batch = 4  optimizer = adamw(lr = 1e-3)  steps = 100
  on e { freeze }
}

grow {
  stage "first" { }
  stage "new only" { block[2..].qkv *= 2  init = (keys = zero)  scale = keep  on old { freeze }  tokens = 1K }
  stage "thawed" { init = split  scale = retune  qkv *= 2  flops = 1e9  on e { freeze = false } }
  stage "loaded" { from = "runs/other" }
}
"#;

#[test]
fn instances_rules_and_ends_read_like_this() {
    let table = text(&table_of(&model(INSTANCES)));
    insta::assert_snapshot!(table);
}

#[test]
fn rules_count_rows() {
    let rows = table_of(&model(INSTANCES)).rows;
    let embedding = 256 * 32;
    let trainable: Vec<Option<i64>> = rows.iter().map(|row| row.trainable).collect();
    // Keys and values of 8 and of 32 tokens, 32 wide, in four blocks; two of them get as many again.
    let (first, new) = (4 * 2 * (8 + 32) * 32, 2 * 2 * (8 + 32) * 32);
    assert_eq!(trainable, [Some(first), Some(new), Some(2 * (first + new) + embedding), None]);
}

/// Where tokens are taken away nothing is new; and of what has grown before, no more rows are old than there are.
#[test]
fn tokens_that_are_taken_away_count_for_nothing() {
    let model = model(
        "model m {
           tokens n = 8
           forward(x: [4]) { y = pattention(x, n, out = 2) }
           loss = mean(y * y)
         }
         train { batch = 2  optimizer = adamw(lr = 1e-3) }
         grow {
           stage \"a\" { steps = 1 }
           stage \"b\" { n = 4 by importance  steps = 1  on new { freeze } }
           stage \"c\" { n = 16  steps = 1  on new { freeze } }
           stage \"d\" { n = 12 by importance  steps = 1  on old { freeze } }
           stage \"e\" { n = 2 by importance  steps = 1  on old { freeze } }
         }",
    );
    let trainable: Vec<Option<i64>> = table_of(&model).rows.iter().map(|row| row.trainable).collect();
    assert_eq!(trainable, [48, 24, 24, 48, 0].map(Some));
}
