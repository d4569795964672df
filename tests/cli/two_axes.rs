//! A parameter between two token groups grows along both of its axes, each at its time.

use super::{Workplace, checkpoint_bytes};
use tfc_runtime::storage::TensorFile;

/// `middle` is [up, mix]. Zero keys keep the function when `up` grows; nothing keeps it when `mix` does.
const SPEC: &str = r#"model two {
  let vocab = 256
  let width = 8

  tokens up = 6
  tokens mix = 4

  layer deep(x: [.., d]) {
    keys = parameter[up, d](init = normal(0.1))
    middle = parameter[up, mix](init = normal(0.1))
    values = parameter[mix, d](init = normal(0.1))
    matmul(silu(matmul(silu(matmul(x, transpose(keys))), middle)), values)
  }

  forward(ids: token_ids[16]) {
    e = embed(ids, vocab, width)
    y = e + deep(layernorm(e))
    logits = unembed(y, tied = e)
  }

  loss = cross_entropy(logits, next(ids))
}

data {
  train = "text"
  validate = hold_out(10%)
  tokenizer = bytes
}

train {
  batch = 4
  precision = f32
  optimizer = adamw(lr = 1e-2)
  schedule = constant
  evaluate = every(5, batches = 1)
  checkpoint = every(5, keep = 9)
  seed = 3
}

grow {
  init = (keys = zero, values = normal(0.02))
  scale = keep
  optimizer = keep

  stage "small" { steps = 5 }
  stage "up" { up = 9  steps = 5  expect preserve(1e-6)  on old { freeze } }
  stage "mix" { mix = 7  steps = 5  on old { freeze } }
  stage "both" { up += 1  mix += 1  steps = 5 }
  stage "split" { up *= 2  mix *= 2  init = split  steps = 5 }
}
"#;

#[test]
fn each_axis_grows_at_its_time_and_its_old_rows_are_old() {
    let workplace = Workplace::with_spec(SPEC);
    workplace.succeed(&["train", "tiny.tfm", "--out", "run"]);
    let middle = |step: u32| {
        let path = workplace.path(&format!("run/checkpoints/step-{step}/model.safetensors"));
        let file = TensorFile::open(&path).expect("the checkpoint opens");
        let name = file.names().into_iter().find(|name| name.ends_with("middle")).expect("`deep` has it");
        (file.shape(&name).expect("it is there").to_vec(), file.values::<f32>(&name).expect("f32").into_owned())
    };
    let shapes = [5, 10, 15, 20, 25].map(|step| middle(step).0);
    assert_eq!(shapes, [[6, 4], [9, 4], [9, 7], [10, 8], [20, 16]]);

    // What is old in the present stage is frozen in the two that say so: the block that was there before the last growth.
    for (before, after) in [(5, 10), (10, 15)] {
        let ((old, was), (new, is)) = (middle(before), middle(after));
        for row in 0..new[0] {
            for column in 0..new[1] {
                let now = is[row * new[1] + column];
                if row < old[0] && column < old[1] {
                    assert_eq!(now, was[row * old[1] + column], "{row}, {column} was frozen until step {after}");
                } else {
                    assert_ne!(now, 0.0, "{row}, {column} was drawn at step {before}");
                }
            }
        }
    }
}

#[test]
fn a_run_that_stopped_between_growths_goes_on_to_the_same_bits() {
    let workplace = Workplace::with_spec(SPEC);
    workplace.succeed(&["train", "tiny.tfm", "--out", "whole"]);
    for steps in ["7", "10", "18"] {
        workplace.succeed(&["train", "tiny.tfm", "--out", steps, "--steps", steps]);
        workplace.succeed(&["train", "tiny.tfm", "--out", steps, "--resume"]);
        let [a, b] = ["whole", steps].map(|run| checkpoint_bytes(&workplace.path(run).join("checkpoints/step-25")));
        assert!(a == b, "stopped at {steps}: other bits");
    }
}
