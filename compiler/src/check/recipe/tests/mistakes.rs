//! Every mistake, with what is said of it.

use super::{Outcome, answers, resolve, resolve_around};
use insta::assert_snapshot;
use tfc_grammar::Code;

/// Cases of recipes alone.
fn said_of(recipes: &[&str]) -> String {
    let cases: Vec<(&str, &[&str])> = recipes.iter().map(|recipe| (*recipe, [].as_slice())).collect();
    answers(&cases)
}

#[test]
fn fields() {
    let answers = said_of(&[
        r#"
train {
  bacth = 512
  optimizer = adamw(lr = 6e-4)
  steps = 100
}"#,
        r#"
data {
  train = "a"
  batch = 8
  lr = 1e-3
  train = "b"
  tokenizer
  tokenizer *= 2
  stage "large" { steps = 1 }
  on * { freeze }
  expect preserve(1e-6)
  block.0.qkv = 1
}
train { batch = 8  optimizer = adamw(lr = 1)  steps = 10  warmup = 1% }"#,
        r#"
grow {
  optimizer = adamw(lr = 1)
  steps = 1K
  from = "run"
}"#,
    ]);
    assert_snapshot!(answers);
}

#[test]
fn data() {
    let answers = said_of(&[
        "data { validate = hold_out(0.5%) }",
        r#"data { train = mix("a" : 70%, "b" : 30%)  validate = hold_out(100%)  tokenizer = byte  documents = split }"#,
        r#"data { train = mix("a" : 70%, "b" : 20%)  validate = ("a", "b") }"#,
        r#"data { train = mix("a" : 70%, "b") }"#,
        r#"data { train = books  validate = (a = "a", "b")  documents = join(start = 4)  images = normalize(mean = 0, std = 1) }"#,
        r#"
data { train = "a"  tokenizer = "20B_tokenizer.json" }"#,
    ]);
    assert_snapshot!(answers);
}

#[test]
fn train() {
    let answers = said_of(&[
        "train { }",
        "train { batch = 8%  precision = bf17  optimizer = adamw()  steps = 1.5 }",
        "train { batch = -8  optimizer = adamw(lr = -1, betas = (0.9, 1), eps = 0, clip = false, decay = -0.1, lr = 2)  steps = 1 }",
        "train { batch = 8  optimizer = sgd(lr = 0.1)  steps = 10  evaluate = every(1%)  checkpoint = every(keep = 6, batches = 3)  seed = 0.5 }",
        r#"
data { train = "a" }
train { batch = 8  optimizer = adamw(lr = 1)  steps = 10  evaluate = every(5) }"#,
    ]);
    assert_snapshot!(answers);
}

/// The optimizer computes in 32-bit floating point: an `eps` of zero there makes NaN of rows that have no gradient yet.
#[test]
fn numbers_that_the_optimizer_does_not_hold() {
    let optimizer = "adamw(lr = 1e39, eps = 1e-50, decay = 1e39, clip = 1e-60)";
    let wrong = format!("train {{ batch = 8  optimizer = {optimizer}  steps = 1\n  on * {{ lr *= 1e-200 }}\n}}");
    let codes = |recipe: &str| resolve(recipe, &[]).diagnostics.iter().map(|d| d.code).collect::<Vec<_>>();
    assert_eq!(codes(&wrong), [Code::ValueOutOfRange; 5]);
    // A number of operations is only counted.
    assert_eq!(codes("train { batch = 8  optimizer = adamw(lr = 0, decay = 0)  flops = 1e40 }"), []);
}

/// 32 tokens a sequence.
#[test]
fn a_step_has_tokens_that_can_be_counted() {
    let train = |batch: &str| said_of(&[&format!("train {{ batch = {batch}  optimizer = adamw(lr = 1)  steps = 1 }}")]);
    let largest = (1u64 << 53) / 32;
    assert!(!train(&largest.to_string()).contains("error"));
    let said = train(&(largest + 1).to_string());
    assert!(said.contains("error[E0406]: the batch is too large\n"), "{said}");
    assert!(said.contains("281474976710657 sequences of 32 tokens are more than 2^53"), "{said}");
}

#[test]
fn schedules_and_ends() {
    let rest = "batch = 8  optimizer = adamw(lr = 1)";
    let cases = [
        "steps = 10  schedule = cosin(warmup = 1%)",
        "steps = 10  schedule = cosine(warmup = 110%, flor = 10%, continue, restart)",
        "schedule = cosine(warmup = 1%)",
        "schedule = constant(warmup = 1%)  until = loss <= 2.9  evaluate = every(1K)",
        "schedule = constant",
        "steps = 10  until = plateau(loss)  evaluate = every(5)",
        "steps = 10  until = plateau(los, patience = 3)  evaluate = every(5)",
        "steps = 10  until = accuracy == 0.9  evaluate = every(5)",
        "steps = 10  until = loss <= 2.9",
        "steps = 10  until = 3",
    ];
    let recipes: Vec<String> = cases.iter().map(|case| format!("train {{ {rest}  {case} }}")).collect();
    let answers = said_of(&recipes.iter().map(String::as_str).collect::<Vec<_>>());
    assert_snapshot!(answers);
}

#[test]
fn rules() {
    let cases = [
        "on attend.keys { freeze }",
        "on attend.k { freeze }",
        "on block[4..8] { freeze }",
        "on block[3..3] { freeze }",
        "on e[0] { freeze }",
        "on *[2] { freeze }",
        "on nrom { freeze }",
        "on norm.new { freeze }",
        "on * { lr = 0.1  decay *= 2  freez  momentum = 1  freeze = 1  freeze }",
    ];
    let train = |case: &str| format!("train {{\n  batch = 8  optimizer = adamw(lr = 1)  steps = 10\n  {case}\n}}");
    let recipes: Vec<String> = cases.iter().map(|case| train(case)).collect();
    let answers = said_of(&recipes.iter().map(String::as_str).collect::<Vec<_>>());
    assert_snapshot!(answers);
}

#[test]
fn tokens() {
    let cases = [
        "width = 16",
        "ffn = 128",
        "block[8..12].qkv *= 2",
        "block[0..2].ffn *= 2",
        "blok.qkv *= 2",
        "block.0.width = 4",
        "qvk = 32",
        "qkv = 8",
        "extra = 4 by chance",
        "extra = 20 by importance",
        "qkv += 0.5",
        "qkv = 2 * qkv",
        "qkv = extra  extra = qkv",
        "qkv = 20  qkv = 24",
        "qkv = 1e18",
    ];
    let grow = |case: &str| {
        format!("grow {{\n  stage \"small\" {{ steps = 1 }}\n  stage \"more\" {{ {case}  steps = 1 }}\n}}")
    };
    let recipes: Vec<String> = cases.iter().map(|case| grow(case)).collect();
    let answers = said_of(&recipes.iter().map(String::as_str).collect::<Vec<_>>());
    assert_snapshot!(answers);
}

#[test]
fn growth() {
    let cases = [
        "qkv *= 2  init = zeros",
        "qkv *= 2  init = (keys = zero, value = zero)",
        "qkv *= 2  init = (zero, normal(0.02))",
        "qkv *= 2  init = (keys = normal, values = normal(-1))",
        "qkv *= 2  scale = retun(over = 2K)",
        "qkv *= 2  optimizer = rest",
        "qkv *= 2  optimizer = reset  optimizer = keep",
        "qkv *= 2  data = again",
        "qkv *= 2  expect preserve",
        "qkv *= 2  expect preserve(0)  expect preserve(1e-6)",
        "qkv = 40  init = split",
        "from = \"run\"  steps = 10",
        "from = run",
    ];
    let grow = |case: &str| format!("grow {{\n  stage \"small\" {{ steps = 1 }}\n  stage \"more\" {{ {case} }}\n}}");
    let recipes: Vec<String> = cases.iter().map(|case| grow(case)).collect();
    let answers = said_of(&recipes.iter().map(String::as_str).collect::<Vec<_>>());
    assert_snapshot!(answers);
}

#[test]
fn stages() {
    let answers = said_of(&[
        "grow { }",
        r#"
grow {
  stage "a" { steps = 1 }
  stage "a" { steps = 1 }
}"#,
        r#"
grow {
  stage "8.11K" { steps = 1 }
  stage "20K, as released" { steps = 1 }
}"#,
    ]);
    assert_snapshot!(answers);
}

#[test]
fn settings() {
    let recipe = r#"
train { batch = 8  optimizer = adamw(lr = 1)  schedule = constant  steps = 10 }
grow { stage "a" { steps = 10 } }"#;
    let settings = [
        "trian.batch=8",
        "data.train=a",
        "train=8",
        "train.bacth=8",
        "train.batch=bf16",
        "train.batch.size=8",
        "train.optimizer.lr.base=8",
        "train.optimizer.learn=8",
        "grow.\"b\".steps=8",
        "grow.\"a\"=8",
        "grow.\"a\".stops=8",
        "train.*=8",
    ];
    let cases: Vec<[&str; 1]> = settings.iter().map(|setting| [*setting]).collect();
    let cases: Vec<(&str, &[&str])> = cases.iter().map(|set| (recipe, set.as_slice())).collect();
    let answers = answers(&cases);
    assert_snapshot!(answers);
}

#[test]
fn a_recipe_is_read_without_its_model() {
    let recipe = r#"
train {
  batch = 8  optimizer = adamw(lr = 1)  steps = 10  evaluate = every(1K)
  until = plateau(perplexity, patience = 0)
  on anything { freez }
}
grow {
  stage "more" { qkv *= 2  anywhere[3].qkv += 0.5  ffn = 3 }
}"#;
    let codes: Vec<Code> = resolve_around(None, recipe, &[]).diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, [Code::ValueOutOfRange, Code::UnknownField, Code::DerivedSize]);
}

const EVERYTHING: &str = r#"
data {
  train = ( "a" , "b" )
  validate = ( books = "books" , rest = hold_out( 0.5% ) )
  tokenizer = "20B_tokenizer.json"
  documents = join( end = "<|endoftext|>" )
}
train {
  batch = 2 * width
  optimizer = adamw( lr = 6e-4 , betas = ( 0.8 , 0.9 ) , clip = none )
  schedule = wsd( warmup = 1% , decay = 100 , continue )
  evaluate = every( 1K , batches = 100 )
  tokens = 3B
  until = plateau( loss , patience = 3 , delta = 0.2% )
  on block [ 1 .. 3 ] .ffn { lr *= 0.1 }
}
grow {
  init = ( keys = zero , values = normal( 0.02 ) )
  stage "8K" { }
  stage "all" { qkv = 2 * extra  extra += 6  block [ 2 .. ] .qkv *= 2  expect preserve( 1e-6 ) }
  stage "split" { qkv *= 2  init = split( noise = 1% )  scale = retune( over = 2K )  from = "run" }
}
"#;

/// Every word in turn is left out, doubled, or another: something is said of it, or it is an experiment all the same.
#[test]
fn damaged_recipes_are_answered() {
    const OTHERS: [&str; 11] = ["", "0 ", "-1 ", "1e300 ", "50% ", "x ", "qkv ", "\"\" ", "( ", "} ", "* "];
    let words: Vec<&str> = EVERYTHING.split_inclusive([' ', '\n']).collect();
    for (i, word) in words.iter().enumerate().filter(|(_, word)| !word.trim().is_empty()) {
        let twice = [*word, word].concat();
        for other in [OTHERS[i % OTHERS.len()], &twice] {
            let damaged = [&words[..i], &[other], &words[i + 1..]].concat().concat();
            let Outcome { experiment, diagnostics, .. } = resolve(&damaged, &[]);
            assert!(!diagnostics.is_empty() || experiment.stages.len() == 3, "{damaged}");
        }
    }
}
