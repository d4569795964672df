//! Whether a device computes what the reference device computes: one small language model is evaluated, differentiated, trained, grown, trained on and
//! decoded on both.

use crate::bench::{RandomInputs, begin};
use crate::checkpoint::{StageState, State};
use crate::device::{HostTensor, ReferenceSession, Session};
use crate::generate::Decoder;
use crate::train::{Batches, Course, StageData, Update};
use crate::{Result, call, grow};
use std::sync::Arc;
use tfc_compiler::check::{Loader, Options, check as check_spec};
use tfc_compiler::compile::compile_for_gpu;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::model::Model;
use tfc_compiler::precision::Precision;
use tfc_compiler::size::Symbol;
use tfc_compiler::storage::Storage;
use tfc_grammar::Sources;

const SPEC: &str = include_str!("small.tfm");

/// Sequences that go through the model at once: of a batch of 4, 3 and then 1.
const MICRO_BATCH: u64 = 3;
/// In a prompt, and after it.
const PROMPT: usize = 5;
const TOKENS: usize = 3;

/// One thing that was compared.
#[derive(Clone, Debug)]
pub struct Check {
    pub precision: Precision,
    pub what: String,
    /// The largest difference to the reference, relative to the largest number there; NaN where something is not finite.
    pub error: f64,
    pub tolerance: f64,
}

impl Check {
    pub fn passes(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// What a device made of the model: names and numbers, in the order of computation.
pub type Trial = Vec<(String, Vec<f64>)>;

/// Opens a session on the device that is looked at.
pub type Open<'a> = dyn FnMut(&Arc<Compiled>) -> Result<Box<dyn Session>> + 'a;

/// Compares a device with the reference device, in both precisions.
///
/// # Errors
/// The device gave up.
pub fn check(open: &mut Open<'_>) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for precision in [Precision::F32, Precision::Bf16] {
        let compiled = Arc::new(compiled(precision));
        let want = trial(&compiled, &mut ReferenceSession::new(Arc::clone(&compiled)))?;
        let got = trial(&compiled, open(&compiled)?.as_mut())?;
        for ((what, want), (_, got)) in want.into_iter().zip(got) {
            let (error, tolerance) = (difference(&got, &want), tolerance(precision, &what));
            checks.push(Check { precision, what, error, tolerance });
        }
    }
    Ok(checks)
}

/// What may be lost by multiplying in fewer bits: of tf32 a thousandth in a product, of bf16 eight times as much; a dozen products stand one after the other. The loss is a
/// mean, and rounding mostly cancels in it.
fn tolerance(precision: Precision, what: &str) -> f64 {
    let of_tf32 = if what.contains("loss") { 1e-3 } else { 1e-2 };
    match precision {
        Precision::F32 => of_tf32,
        Precision::Bf16 => 8.0 * of_tf32,
    }
}

/// The model, with every entry that a trial runs.
pub fn compiled(precision: Precision) -> Compiled {
    let model = model(precision);
    let mut entries = Entry::updates(&model);
    entries.extend([Entry::Decode, Entry::Named(vec!["logits".into()])]);
    compile_for_gpu(model, &entries)
}

fn model(precision: Precision) -> Model {
    struct Text;
    impl Loader for Text {
        fn read(&self, _: &str) -> std::result::Result<Vec<u8>, String> {
            Ok(SPEC.as_bytes().to_vec())
        }

        fn vocabulary(&self, _: &str) -> std::result::Result<u64, String> {
            Err("the model has no tokenizer".into())
        }
    }
    let options = Options { set: vec![format!("train.precision={}", precision.name())] };
    let checked = check_spec(&mut Sources::default(), "small.tfm", &Text, &options);
    checked.model.unwrap_or_else(|| panic!("bug in tfc: its own spec has mistakes: {:?}", checked.diagnostics))
}

/// Everything that is compared, on one session.
///
/// # Errors
/// The device gave up.
pub fn trial(compiled: &Compiled, session: &mut dyn Session) -> Result<Trial> {
    let model = &compiled.model;
    let mut state = begin(model, session, 0, MICRO_BATCH)?;
    session.set_precision(model.stage_precision(0));
    let mut trial = vec![("logits".to_string(), run(compiled, session, "named")?)];
    let loss = run(compiled, session, "gradient")?;
    trial.extend([("loss".to_string(), loss), ("gradients".to_string(), every(model, session, Storage::Gradient)?)]);
    let stages = &model.experiment.stages;
    for (index, stage) in stages.iter().enumerate() {
        if index > 0 {
            grow::grow(compiled, session, &mut state, index)?;
            state.stage = StageState::new(index, &stage.name);
            let logits = run(compiled, session, "named")?;
            trial.push((format!("logits of \"{}\", grown", stage.name), logits));
        }
        trial.push((format!("losses of \"{}\"", stage.name), train(compiled, session, &mut state)?));
    }
    trial.push(("parameters, trained".to_string(), every(model, session, Storage::Parameter)?));
    trial.push(("logits of decoding".to_string(), decoded(compiled, session)?));
    Ok(trial)
}

/// The outputs of an entry on random inputs.
fn run(compiled: &Compiled, session: &mut dyn Session, entry: &str) -> Result<Vec<f64>> {
    let mut offered = RandomInputs::new(&compiled.model, session.sizes()).inputs(0, MICRO_BATCH)?;
    offered.push(("loss_weight".to_string(), HostTensor::scalar(1.0)));
    let inputs = call::inputs(call::graph(compiled, entry)?, session, MICRO_BATCH, offered)?;
    let outputs = session.run(entry, &[(Symbol::BATCH, MICRO_BATCH as i64)], &inputs)?;
    Ok(outputs.iter().flat_map(|(_, tensor)| tensor.to_f64()).collect())
}

/// What belongs to each parameter, of all parameters.
fn every(model: &Model, session: &dyn Session, storage: fn(u32) -> Storage) -> Result<Vec<f64>> {
    let of = |i| Ok(session.read(storage(i))?.to_f64());
    Ok((0..model.parameters.len() as u32).map(of).collect::<Result<Vec<_>>>()?.concat())
}

/// The losses of the updates of the present stage.
fn train(compiled: &Compiled, session: &mut dyn Session, state: &mut State) -> Result<Vec<f64>> {
    let train = Box::new(RandomInputs::new(&compiled.model, session.sizes()));
    let data = StageData { train, validate: Vec::new(), tokenizer: None };
    let mut course = Course::new(compiled, session, state, data, &[])?;
    let steps = course.length.unwrap_or(0);
    let update =
        |_| Ok(Update { compiled, session: &mut *session, state: &mut *state, course: &mut course }.run()?.loss);
    (0..steps).map(update).collect()
}

/// After a prompt, one token at a time.
fn decoded(compiled: &Compiled, session: &mut dyn Session) -> Result<Vec<f64>> {
    let capacity = (PROMPT + TOKENS) as i64;
    let sizes = session.sizes().clone().with(Symbol::BATCH, 1).with(Symbol::SEQUENCE, PROMPT as i64);
    session.resize(&sizes.with(Symbol::CAPACITY, capacity))?;
    let decoder = Decoder::new(compiled, session.sizes())?;
    let tokens: Vec<u32> = (0..PROMPT + TOKENS).map(|i| (7 * i as u32 + 3) % 61).collect();
    let mut logits = decoder.logits(session, &[&tokens[..PROMPT]], 0)?.concat();
    for (i, token) in tokens.iter().enumerate().skip(PROMPT) {
        logits.extend(decoder.logits(session, &[&[*token]], i as u64)?.concat());
    }
    Ok(logits)
}

fn difference(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() || !got.iter().chain(want).all(|x| x.is_finite()) {
        return f64::NAN;
    }
    let largest = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    largest(&mut got.iter().zip(want).map(|(got, want)| got - want))
        / largest(&mut want.iter().copied()).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::{Check, check, difference};
    use crate::device::ReferenceSession;
    use std::sync::Arc;
    use tfc_compiler::precision::Precision;

    #[test]
    fn the_reference_equals_itself() {
        let checks = check(&mut |compiled| Ok(Box::new(ReferenceSession::new(Arc::clone(compiled))))).unwrap();
        assert!(checks.iter().all(|check| check.error == 0.0), "{checks:?}");
        let whats: Vec<&str> =
            checks.iter().filter(|c| c.precision == Precision::Bf16).map(|c| c.what.as_str()).collect();
        assert_eq!(
            whats,
            [
                "logits",
                "loss",
                "gradients",
                "losses of \"small\"",
                "logits of \"large\", grown",
                "losses of \"large\"",
                "parameters, trained",
                "logits of decoding"
            ]
        );
    }

    #[test]
    fn what_is_not_finite_does_not_pass() {
        let check = |got: &[f64]| {
            let error = difference(got, &[1.0, -2.0]);
            Check { precision: Precision::F32, what: String::new(), error, tolerance: 0.25 }.passes()
        };
        assert!(check(&[1.5, -2.0]) && !check(&[1.51, -2.0]));
        assert!(!check(&[1.0, f64::NAN]) && !check(&[1.0]) && !check(&[f64::INFINITY, -2.0]));
    }
}
