//! A small TokenFormer that grows twice, on the reference device: the trainer against real graphs.

use super::*;
use crate::call;
use crate::device::{HostTensor, Named, ReferenceSession, Session};
use crate::generate::{Request, Sampling, Stop, generate};
use crate::random::{Purpose, Stream};
use std::sync::Arc;
use tfc_compiler::check::{Loader, Options as CheckOptions, check};
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::size::Symbol;
use tfc_compiler::storage::Storage;
use tfc_grammar::span::Sources;

const SPEC: &str = "
model small {
  let vocab = 16
  let context = 6
  let width = 8
  tokens qkv = 4
  tokens ffn = 2 * qkv

  layer block(x: [.., d]) {
    h = layernorm(x)
    q = pattention(h, qkv) |> split_heads(2) |> rope(fraction = 0.5)
    k = pattention(h, qkv) |> split_heads(2) |> rope(fraction = 0.5)
    v = pattention(h, qkv) |> split_heads(2)
    y = x + (attention(q, k, v, causal) |> merge_heads |> pattention(qkv))
    y + pattention(layernorm(y), ffn, mask = first(uniform(50%, 100%))) |> dropout(RATE) |> drop_path(RATE)
  }

  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    y = repeat(2, block, e)
    logits = unembed(layernorm(y, affine), tied = e)
  }

  loss = cross_entropy(logits, next(ids))
}

data {
  train = \"sums\"
  validate = \"more sums\"
  tokenizer = \"digits.json\"
}

train {
  batch = 5
  precision = f32
  optimizer = adamw(lr = 2e-2, betas = (0.9, 0.95), eps = 1e-8, decay = 0.1, clip = 1.0)
  schedule = cosine(warmup = 1, floor = 10%)
  evaluate = every(2)
  checkpoint = every(100, keep = 2)
  seed = 3
}

grow {
  init = (keys = zero, values = normal(0.02))
  scale = keep
  optimizer = keep

  stage \"small\" { steps = 3 }
  stage \"medium\" { qkv = 7  steps = 3  expect preserve(1e-13) }
  stage \"large\" { qkv = 14  init = split  steps = 2 }
}
";

struct OneText(String);

impl Loader for OneText {
    fn read(&self, _: &str) -> std::result::Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }

    fn vocabulary(&self, _: &str) -> std::result::Result<u64, String> {
        Ok(16)
    }
}

fn model(dropout: &str) -> Model {
    let mut sources = Sources::default();
    let text = OneText(SPEC.replace("RATE", dropout));
    let checked = check(&mut sources, "small.tfm", &text, &CheckOptions::default());
    checked.model.unwrap_or_else(|| panic!("{:?}", checked.diagnostics))
}

fn compiled(dropout: &str) -> Arc<Compiled> {
    let logits = Entry::Named(vec!["logits".to_string()]);
    let entries = [Entry::Gradient, Entry::AddGradient, Entry::Update, Entry::Evaluate, Entry::Decode, logits];
    Arc::new(compile(model(dropout), &entries))
}

/// Sequences of a language in which each token is the sum of the two before it, with a little noise.
struct Sums {
    name: &'static str,
    rows: u64,
}

impl Sums {
    fn ids(&self, cursor: u64) -> Vec<i32> {
        let stream = Stream::new(1, Purpose::DataOrder, self.name, cursor % self.rows);
        let mut ids = vec![stream.below(0, 16) as i32, stream.below(1, 16) as i32];
        for i in 2..7 {
            let noise = i32::from(stream.uniform(i) < 0.05);
            ids.push((ids[i as usize - 1] + ids[i as usize - 2] + noise) % 16);
        }
        ids
    }
}

impl Batches for Sums {
    fn per_epoch(&self) -> u64 {
        self.rows
    }

    fn hash(&self) -> u64 {
        self.rows
    }

    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>> {
        let data = (cursor..cursor + rows).flat_map(|cursor| self.ids(cursor)).collect();
        Ok(vec![("ids".to_string(), HostTensor::I32 { shape: vec![rows as usize, 7], data })])
    }

    fn targets(&self, _: u64, rows: u64) -> Result<u64> {
        Ok(6 * rows)
    }
}

fn options(micro_batch: u64, until_step: Option<u64>) -> Options {
    let sets = |_: &Stage| StageData {
        train: Box::new(Sums { name: "train", rows: 40 }),
        validate: vec![(String::new(), Box::new(Sums { name: "validate", rows: 4 }))],
        tokenizer: None,
    };
    Options { micro_batch, until_step, data: sets, ..Options::default() }
}

fn reference(compiled: &Arc<Compiled>, path: &Path, options: &Options) -> (Said, ReferenceSession) {
    let mut session = ReferenceSession::new(Arc::clone(compiled));
    let said = run_on(compiled, &mut session, path, options);
    (said, session)
}

#[test]
fn a_language_model_grows_and_resumes_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = compiled("10%");
    let whole_path = folder.path().join("whole");
    let (whole, _) = reference(&compiled, &whole_path, &options(2, None));
    whole.outcome.unwrap();
    let end = contents(&whole_path.join("checkpoints/step-8"));

    let grown: Vec<&String> = whole.events.iter().filter(|event| event.starts_with("grown")).collect();
    let change: f64 =
        grown[0].split("change: Some(").nth(1).unwrap().trim_end_matches([')', ' ', '}']).parse().unwrap();
    assert!(change <= 1e-13, "zero keys with the scale kept change the logits by {change}");

    for stop in [0, 2, 3, 5, 6, 7] {
        let path = folder.path().join(format!("stopped-{stop}"));
        reference(&compiled, &path, &options(2, Some(stop))).0.outcome.unwrap();
        reference(&compiled, &path, &options(2, None)).0.outcome.unwrap();
        assert!(contents(&path.join("checkpoints/step-8")) == end, "stopped after {stop}");
    }
}

/// In f64, and without random numbers for each sequence, how a batch is cut does not matter: a mask is drawn once a step.
#[test]
fn micro_batches_are_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = compiled("0");
    let [whole, cut] = [5, 2].map(|micro_batch| {
        let path = folder.path().join(format!("{micro_batch}"));
        let (said, session) = reference(&compiled, &path, &options(micro_batch, Some(6)));
        said.outcome.unwrap();
        let parameters: Vec<f64> = (0..compiled.model.parameters.len() as u32)
            .flat_map(|i| session.read(Storage::Parameter(i)).unwrap().to_f64())
            .collect();
        (said.losses, parameters)
    });
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(near(&whole.0, &cut.0) && near(&whole.1, &cut.1));
}

/// Greedy tokens from prefill and cache are those of the whole forward pass, and so are the logits they come from.
#[test]
fn decoding_is_the_forward_pass() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = compiled("10%");
    let (said, mut session) = reference(&compiled, &folder.path().join("run"), &options(5, None));
    said.outcome.unwrap();

    let prompt = [3u32, 1, 4];
    let mut tokens = Vec::new();
    let sampling = Sampling::GREEDY;
    let request = Request { prompt: &prompt[..], tokens: 10, sampling, end: None };
    let stop = generate(&compiled, &mut session, request, &mut |token| {
        tokens.push(token);
        Ok(())
    });
    assert_eq!((stop, tokens.len()), (Ok(Stop::Length), 10));

    let mut text: Vec<i32> = prompt.iter().map(|id| *id as i32).collect();
    for token in tokens {
        // The context is 6: then the window is the latter half.
        if text.len() > 6 {
            text.drain(..text.len() - 3);
        }
        let length = text.len();
        let logits = forward(&compiled, &mut session, &text);
        let last = &logits[16 * (length - 1)..];
        let likeliest = (0..16).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
        assert_eq!(token as usize, likeliest);
        text.push(token as i32);
    }
}

fn forward(compiled: &Compiled, session: &mut dyn Session, text: &[i32]) -> Vec<f64> {
    let length = text.len();
    let call = [(Symbol::BATCH, 1), (Symbol::SEQUENCE, length as i64)];
    let ids = ("ids".to_string(), HostTensor::I32 { shape: vec![1, length], data: text.to_vec() });
    call::graph(compiled, "named").unwrap();
    session.run("named", &call, &[ids]).unwrap()[0].1.to_f64()
}
