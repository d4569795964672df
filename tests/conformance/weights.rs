//! Weights as inference reads them, in both precisions: against the exact model, in one go and token by token, on one thread and on two, and with what
//! can be switched off.

use super::bf16::FORWARD;
use super::language_model::{ids, shorter, spec, write_parameters};
use crate::support::{Device, assert_close, golden, largest, model, numbers, on_device};
use tfc_compiler::compile::compile_for_inference;
use tfc_compiler::compiled::Entry;
use tfc_compiler::optimization::Disabled;
use tfc_compiler::size::Symbol;
use tfc_runtime::device::{HostTensor, Named, Session};

const CLASSES: usize = 61;
const POSITIONS: usize = 16;
/// Products, and the embedding, whose rows are rounded as well.
const BF16: f64 = FORWARD + 1.0 / 512.0;
const F32: f64 = 1e-5;

/// The logits after all tokens of both texts: of the forward pass, of a prompt, and of the last of tokens that are seen one after the other.
fn logits(precision: &str, disabled: &[&str], threads: usize) -> [Vec<f64>; 3] {
    let exact = golden("lm_l2_norm_gelu_f64.safetensors");
    let train = format!("train {{ batch = 2  precision = {precision}  optimizer = adamw(lr = 1e-3)  steps = 1 }}");
    let model = model(&format!("{}\n{train}", spec("l2_gelu()", true)), &[]);
    let disabled = Disabled::named(&disabled.iter().map(|name| name.to_string()).collect::<Vec<_>>()).expect("names");
    let entries = [Entry::Named(vec!["logits".into()]), Entry::Decode];
    let compiled = compile_for_inference(model.clone(), &entries, &disabled);
    let mut session = on_device(compiled, Device::Cpu { threads }, 2, POSITIONS as i64);
    let sizes = session.sizes().clone().with(Symbol::CAPACITY, POSITIONS as i64);
    session.resize(&sizes).expect("there is memory for a small cache");
    write_parameters(session.as_mut(), &model, &exact, "w0.");
    let (name, text) = shorter(&ids(&exact).1);
    let HostTensor::I32 { data, .. } = &text else { panic!("ids are i32") };
    let forward = session.run("named", &[], &[(name, text.clone())]).expect("the forward pass runs")[0].1.to_f64();
    let last = forward.chunks(POSITIONS * CLASSES).flat_map(|text| text[(POSITIONS - 1) * CLASSES..].to_vec());
    let last = last.collect();
    let prompt = decode(session.as_mut(), data, 0..POSITIONS);
    let one_by_one: Vec<Vec<f64>> = (0..POSITIONS).map(|at| decode(session.as_mut(), data, at..at + 1)).collect();
    [last, prompt, one_by_one[POSITIONS - 1].clone()]
}

fn decode(session: &mut dyn Session, texts: &[i32], positions: std::ops::Range<usize>) -> Vec<f64> {
    let (first, length) = (positions.start as i32, positions.len());
    let data = texts.chunks(POSITIONS).flat_map(|text| text[positions.clone()].to_vec()).collect();
    let inputs: [Named; 2] = [
        ("ids".into(), HostTensor::I32 { shape: vec![2, length], data }),
        ("position".into(), HostTensor::I32 { shape: Vec::new(), data: vec![first] }),
    ];
    let call = [(Symbol::BATCH, 2), (Symbol::SEQUENCE, length as i64)];
    session.run("decode", &call, &inputs).expect("decoding runs")[0].1.to_f64()
}

#[test]
fn inference_is_the_model_up_to_the_rounding_of_operands() {
    let exact = numbers(&golden("lm_l2_norm_gelu_f64.safetensors"), "logits");
    let exact: Vec<f64> =
        exact.chunks(POSITIONS * CLASSES).flat_map(|text| text[(POSITIONS - 1) * CLASSES..].to_vec()).collect();
    for (precision, tolerance) in [("f32", F32), ("bf16", BF16)] {
        let close = |what: &str, got: &[f64], want: &[f64], tolerance| {
            assert_close(&format!("{precision} {what}"), got, want, largest(&exact), tolerance);
        };
        let [forward, prompt, decoded] = logits(precision, &[], 2);
        close("forward", &forward, &exact, tolerance);
        close("prompt", &prompt, &exact, tolerance);
        close("decoded", &decoded, &exact, tolerance);
        // Both round the same numbers, which f32 sums in another order may have moved across the middle between two bf16.
        close("decoded after a prompt", &decoded, &prompt, tolerance / 4.0);
        assert_eq!(logits(precision, &[], 1), [forward.clone(), prompt, decoded.clone()], "on one thread");
        for disabled in [&["weights"][..], &["few_rows"], &["few_rows", "weights"]] {
            let without = logits(precision, disabled, 2);
            close(&format!("forward without {disabled:?}"), &without[0], &forward, tolerance);
            close(&format!("decoded without {disabled:?}"), &without[2], &decoded, tolerance);
        }
        let off = forward.iter().zip(&exact).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
        assert_eq!(off > 1e-4 * largest(&exact), precision == "bf16", "{precision}: off by {off}");
    }
}
