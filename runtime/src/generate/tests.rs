//! Generation against a model that is nothing but its cache: the logits after some tokens are a function of all of them.

use super::*;
use crate::data::Tokenizer;
use crate::device::{HostTensor, Named, SessionMemory};
use crate::fake;
use crate::random::{Purpose, Stream};
use tfc_compiler::graph::{Builder, DType, Type};
use tfc_compiler::model::{Application, ModelInput, Primitive, ValueId, ValueType};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{Size, SizeValues, Symbol};
use tfc_compiler::storage::Storage;

const CONTEXT: i64 = 12;

fn compiled(learned_positions: bool) -> Compiled {
    let mut compiled = fake::compiled(vec![fake::stage("a", 2, fake::steps(1))], false);
    let kind = InputKind::TokenIds { context: CONTEXT };
    compiled.model.inputs = vec![ModelInput { name: "ids".to_string(), kind, span: fake::span() }];
    let mut builder = Builder::new("decode", compiled.model.symbols.clone());
    let [batch, sequence] = [Symbol::BATCH, Symbol::SEQUENCE].map(Size::symbol);
    builder.input("ids", Type::i32(vec![batch, sequence.clone()]));
    builder.input("position", Type::i32(Vec::new()));
    if learned_positions {
        builder.input("positions", Type::i32(vec![sequence]));
    }
    compiled.graphs.push(builder.finish());
    compiled
}

/// Logits of 256 tokens after a text. The token 0 is likely after "xyz".
fn logits(text: &[i32]) -> Vec<f32> {
    let name: String = text.iter().map(|id| format!("{id} ")).collect();
    let mut logits = vec![0f32; 256];
    Stream::new(0, Purpose::Sampling, &name, 0).fill_normal(0, 1.0, &mut logits);
    if text.ends_with(&[120, 121, 122]) {
        logits[0] = 100.0;
    }
    logits
}

struct Cache {
    sizes: SizeValues,
    tokens: Vec<i32>,
    calls: Vec<(usize, i32)>,
}

impl Cache {
    fn new(compiled: &Compiled) -> Cache {
        Cache { sizes: SizeValues::new(&compiled.model.symbols), tokens: Vec::new(), calls: Vec::new() }
    }
}

impl Session for Cache {
    fn set_precision(&mut self, _: Precision) {}

    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        self.sizes = sizes.clone();
        Ok(())
    }

    fn sizes(&self) -> &SizeValues {
        &self.sizes
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        assert_eq!(entry, "decode");
        let input = |name: &str| {
            let found = inputs.iter().find(|(n, _)| n == name);
            found.map(|(_, tensor)| match tensor {
                HostTensor::I32 { shape, data } => (shape.clone(), data.clone()),
                HostTensor::F32 { .. } | HostTensor::F64 { .. } => panic!("{name} is no i32"),
            })
        };
        let ((shape, ids), (_, position)) = (input("ids").unwrap(), input("position").unwrap());
        assert_eq!(shape, [1, ids.len()]);
        assert_eq!(call, [(Symbol::BATCH, 1), (Symbol::SEQUENCE, ids.len() as i64)]);
        self.calls.push((ids.len(), position[0]));
        self.tokens.truncate(position[0] as usize);
        self.tokens.extend(&ids);
        assert!(self.tokens.len() as i64 <= self.sizes.get(Symbol::CAPACITY).min(CONTEXT));
        if let Some((_, positions)) = input("positions") {
            assert_eq!(positions, (position[0]..self.tokens.len() as i32).collect::<Vec<_>>());
        }
        Ok(vec![("logits".to_string(), HostTensor::F32 { shape: vec![1, 256], data: logits(&self.tokens) })])
    }

    fn write(&mut self, _: Storage, _: &HostTensor) -> Result<()> {
        Ok(())
    }

    fn read(&self, _: Storage) -> Result<HostTensor> {
        Ok(HostTensor::scalar(0.0))
    }

    fn zero(&mut self, _: Storage) -> Result<()> {
        Ok(())
    }

    fn first_non_finite(&mut self, _: &str, _: &[(Symbol, i64)], _: &[Named]) -> Option<String> {
        None
    }

    fn memory(&self) -> SessionMemory {
        SessionMemory::default()
    }
}

fn generated(prompt: &[u32], tokens: u64, end: Option<u32>) -> (Vec<u32>, Result<Stop>, Cache) {
    let compiled = compiled(true);
    let mut cache = Cache::new(&compiled);
    let mut ids = Vec::new();
    let request = Request { prompt, tokens, sampling: Sampling::GREEDY, end };
    let stop = generate(&compiled, &mut cache, request, &mut |id| {
        ids.push(id);
        Ok(())
    });
    (ids, stop, cache)
}

#[test]
fn a_prompt_is_taken_at_once_and_then_token_by_token() {
    let prompt = [7, 8, 9];
    let (ids, stop, cache) = generated(&prompt, 4, None);
    assert_eq!(stop, Ok(Stop::Length));
    assert_eq!(cache.calls, [(3, 0), (1, 3), (1, 4), (1, 5)]);
    // What the whole text gives, computed anew for each token.
    let mut text = vec![7, 8, 9];
    for id in ids {
        let logits = logits(&text);
        let likeliest = (0..256).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        assert_eq!(id as usize, likeliest);
        text.push(likeliest as i32);
    }
}

#[test]
fn generation_ends_with_the_document_or_after_enough_tokens() {
    let (ids, stop, _) = generated(&[120, 121, 122], 9, Some(0));
    assert_eq!((ids.len(), stop), (0, Ok(Stop::EndOfDocument)));
    assert_eq!(generated(&[1; 12], 1, None).1, Ok(Stop::Length));
    assert_eq!(generated(&[1], 0, None).1, Ok(Stop::Length));
}

/// The end is no part of the text, but has a likelihood; and whoever takes tokens may have enough of them.
#[test]
fn whoever_takes_tokens_sees_the_end_and_may_stop() {
    let compiled = compiled(true);
    let taken = |prompt: &[u32], enough: usize| {
        let mut taken = Vec::new();
        let request = Request { prompt, tokens: 9, sampling: Sampling::GREEDY, end: Some(0) };
        let mut each = |row: usize, drawn: Drawn<'_>| {
            assert_eq!((row, drawn.logits.len()), (0, 256));
            taken.push((drawn.token, drawn.is_end));
            Ok(if taken.len() == enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        let stops = generate_side_by_side(&compiled, &mut Cache::new(&compiled), &[request], &mut each).unwrap();
        (taken, stops)
    };
    assert_eq!(taken(&[120, 121, 122], 9), (vec![(0, true)], vec![Stop::EndOfDocument]));
    let (tokens, stops) = taken(&[7, 8, 9], 2);
    assert_eq!((tokens.len(), stops), (2, vec![Stop::Enough]));
}

/// Twelve positions: three of the prompt and nine that are fed one by one; then the last six tokens are fed at once.
#[test]
fn beyond_the_context_the_window_slides() {
    let (ids, stop, cache) = generated(&[1, 2, 3], 20, None);
    assert_eq!((ids.len(), stop), (20, Ok(Stop::Length)));
    let one_by_one = |from: i32, to: i32| (from..to).map(|position| (1, position));
    let first = [(3, 0)].into_iter().chain(one_by_one(3, 12));
    let second = [(6, 0)].into_iter().chain(one_by_one(6, 12));
    let calls: Vec<_> = first.chain(second).chain([(6, 0), (1, 6), (1, 7)]).collect();
    assert_eq!(cache.calls, calls);
    // What was fed last is the text's end.
    let text: Vec<i32> = [1, 2, 3].into_iter().chain(ids.iter().map(|id| *id as i32)).collect();
    assert_eq!(cache.tokens, text[text.len() - 9..text.len() - 1]);
    // A prompt as long as the context is taken whole, then its latter half with the token that followed.
    assert_eq!(generated(&[1; 12], 2, None).2.calls, [(12, 0), (6, 0)]);
}

#[test]
fn what_cannot_be_continued_is_said() {
    let said = |prompt: &[u32]| generated(prompt, 1, None).1.unwrap_err().message;
    assert_eq!(said(&[]), "there is nothing to continue; give a prompt");
    assert_eq!(said(&[1; 13]), "the prompt has 13 tokens, but the model's context is 12; make it shorter");
    let mut images = compiled(false);
    images.model.inputs.clear();
    let request = Request { prompt: &[1][..], tokens: 1, sampling: Sampling::GREEDY, end: None };
    let refused = generate(&images, &mut Cache::new(&images), request, &mut |_| Ok(())).unwrap_err();
    assert_eq!(refused.message, "model `fake` takes no tokens, so it cannot generate any");
}

/// Bytes as tokens: the pieces of text together are the tokens decoded, and "xyz" ends its document.
#[test]
fn text_comes_in_pieces_and_ends_with_the_document() {
    let compiled = compiled(false);
    let tokenizer = Tokenizer::bytes();
    let continued = |prompt| {
        let mut pieces = Vec::new();
        let mut cache = Cache::new(&compiled);
        let request = Request { prompt, tokens: 6, sampling: Sampling::GREEDY, end: Some(0) };
        let stop = generate_text(&compiled, &mut cache, &tokenizer, request, &mut |piece| {
            pieces.push(piece.to_string());
            Ok(())
        });
        (pieces.concat(), stop, cache)
    };
    let (ids, ..) = generated(&[97, 98], 6, Some(0));
    let (text, stop, _) = continued("ab");
    assert_eq!((text, stop), (tokenizer.decode(&ids).unwrap(), Ok(Stop::Length)));
    let (text, stop, _) = continued("xyz");
    assert_eq!((text.as_str(), stop), ("", Ok(Stop::EndOfDocument)));
    // A new document begins after the end of another.
    let (_, _, cache) = continued("");
    assert_eq!((cache.calls[0], cache.tokens[0]), ((1, 0), 0));
}

/// Words that begin with a mark, as SentencePiece has them: what follows the prompt has its space, and what begins a document has none.
#[test]
fn text_fits_the_prompt() {
    let compiled = compiled(false);
    let words: Vec<String> = (0..256).map(|id| format!("\"_w{id}\":{id}")).collect();
    let marks = r#"{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true}"#;
    let json = format!(
        r#"{{"version":"1.0","added_tokens":[],"pre_tokenizer":{marks},"decoder":{marks},
        "model":{{"type":"WordLevel","unk_token":"_w1","vocab":{{{}}}}}}}"#,
        words.join(",")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json).unwrap();
    let tokenizer = Tokenizer::open(&path).unwrap();
    for (prompt, before) in [("w97 w98", &[97, 98][..]), ("", &[0])] {
        let (ids, ..) = generated(before, 6, Some(0));
        let mut text = String::new();
        let request = Request { prompt, tokens: 6, sampling: Sampling::GREEDY, end: Some(0) };
        let mut write = |piece: &str| {
            text += piece;
            Ok(())
        };
        generate_text(&compiled, &mut Cache::new(&compiled), &tokenizer, request, &mut write).unwrap();
        let words: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
        let space = if prompt.is_empty() { "" } else { " " };
        assert_eq!(text, format!("{space}{}", words.join(" ")));
    }
}

/// There are logits of ids that the embedding has no row for: none of these is drawn, for it could not be given back to the model.
#[test]
fn only_what_the_model_can_be_given_is_drawn() {
    let mut compiled = compiled(false);
    let value = |primitive, operands: &[u32], dtype, shape: &[i64]| Application {
        primitive,
        operands: operands.iter().map(|i| ValueId(*i)).collect(),
        ty: ValueType { dtype, shape: shape.iter().map(|n| (*n).into()).collect() },
        span: fake::span(),
        path: String::new(),
    };
    compiled.model.program.values = vec![
        value(Primitive::Input(0), &[], DType::I32, &[1, 1]),
        value(Primitive::Parameter(0), &[], DType::F32, &[90, 4]),
        value(Primitive::Embed, &[0, 1], DType::F32, &[1, 1, 4]),
    ];
    let mut session = Cache::new(&compiled);
    let sampling = Sampling { temperature: 10.0, ..Sampling::GREEDY };
    let request = Request { prompt: &[65][..], tokens: 200, sampling, end: None };
    let mut drawn = Vec::new();
    let mut each = |token| {
        drawn.push(token);
        Ok(())
    };
    generate(&compiled, &mut session, request, &mut each).unwrap();
    assert!(drawn.len() == 200 && drawn.iter().all(|token| *token < 90), "{drawn:?}");
    assert!((0..90).filter(|token| drawn.contains(token)).count() > 60, "{drawn:?}");
}
