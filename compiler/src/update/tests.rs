//! The update graph against AdamW written out for one number, and against PyTorch's numbers.

use super::*;
use crate::graph::verify;
use crate::interpret::tests::noise;
use crate::interpret::{Memory, Tensor, interpret};
use crate::model::{Init, Role};
use crate::size::SizeValues;
use std::collections::BTreeMap;
use tfc_grammar::span::{Sources, Span};

const INPUTS: [&str; 7] = ["learning_rate", "beta1", "one_minus_beta1", "beta2", "one_minus_beta2", "eps", "clip"];

fn parameter(path: &str, shape: Vec<Size>, grows: &[usize]) -> Parameter {
    let span = Span::new(Sources::default().add("m.tfm", ""), 0, 0);
    let grows = grows.iter().map(|axis| (*axis, 0)).collect();
    Parameter { path: path.into(), shape, role: Role::Keys, init: Init::Zero, grows, span }
}

/// Parameters with five rows of tokens along the first axis, along the last, along two, and along none.
fn model() -> (Symbols, Vec<Parameter>, SizeValues) {
    let mut symbols = Symbols::default();
    let tokens = symbols.add_tokens("ffn", 0);
    let (n, c) = (Size::symbol(tokens), Size::constant);
    let parameters = vec![
        parameter("keys", vec![n.clone(), c(3)], &[0]),
        parameter("turned", vec![c(2), n.clone()], &[1]),
        parameter("bias", vec![c(4)], &[]),
        parameter("gain", vec![], &[]),
        parameter("crossed", vec![n.clone(), c(2), n], &[0, 2]),
    ];
    let sizes = SizeValues::new(&symbols).with(tokens, 5);
    (symbols, parameters, sizes)
}

/// What holds for one element.
#[derive(Clone, Copy, Debug)]
struct Element {
    w: f64,
    m: f64,
    v: f64,
    g: f64,
    rows: [f64; 5],
}

/// The formulas of tokenformer.md, one number at a time.
fn adamw(e: Element, [lr, beta1, _, beta2, _, eps, clip]: [f64; 7], norm: f64) -> Element {
    let [trainable, row_lr, decay, first_correction, second_correction] = e.rows;
    if trainable == 0.0 {
        return e;
    }
    let g = e.g * f64::min(1.0, clip / (norm + 1e-6));
    let m = beta1 * e.m + (1.0 - beta1) * g;
    let v = beta2 * e.v + (1.0 - beta2) * g * g;
    let lr = lr * row_lr;
    let w = e.w * (1.0 - lr * decay) - lr * (m / first_correction) / ((v / second_correction).sqrt() + eps);
    Element { w, m, v, ..e }
}

/// A memory with numbers for everything that training keeps.
fn memory(parameters: &[Parameter], sizes: &SizeValues, recipe: [f64; 7]) -> Memory {
    let mut memory = Memory::default();
    let mut put = |storage, shape: &[Size], f: &dyn Fn(f64) -> f64| {
        let shape: Vec<usize> = shape.iter().map(|s| s.eval(sizes) as usize).collect();
        let stream = format!("{storage}").bytes().fold(7u32, |hash, byte| hash * 31 % 65_521 + u32::from(byte));
        let data = noise(stream, &shape).floats().iter().map(|x| f(*x)).collect();
        memory.set(storage, Tensor::f32(shape, data));
    };
    for (i, recipe) in recipe.into_iter().enumerate() {
        put(Storage::Input(i as u32), &[], &|_| recipe);
    }
    for (i, parameter) in parameters.iter().enumerate() {
        let (i, shape, rows) = (i as u32, &parameter.shape, &parameter.row_shape());
        put(Storage::Parameter(i), shape, &|x| x);
        put(Storage::Gradient(i), shape, &|x| 3.0 * x);
        put(Storage::FirstMoment(i), shape, &|x| x);
        put(Storage::SecondMoment(i), shape, &|x| x.abs());
        put(Storage::Rows(i, RowState::Trainable), rows, &|x| f64::from(x > -0.3 || i == 2));
        put(Storage::Rows(i, RowState::LearningRate), rows, &|x| 1.0 + x);
        put(Storage::Rows(i, RowState::Decay), rows, &|x| 0.1 * x.abs());
        put(Storage::Rows(i, RowState::FirstCorrection), rows, &|x| 0.55 + 0.45 * x);
        put(Storage::Rows(i, RowState::SecondCorrection), rows, &|x| 0.55 + 0.45 * x);
    }
    memory
}

/// Every element of every parameter with its row's states.
fn elements(parameters: &[Parameter], memory: &Memory) -> BTreeMap<(u32, usize), Element> {
    let mut all = BTreeMap::new();
    for (i, parameter) in parameters.iter().enumerate() {
        let i = i as u32;
        let of = |storage| memory.find(storage).expect("training keeps it");
        let shape = &of(Storage::Parameter(i)).shape;
        for flat in 0..shape.iter().product() {
            let index = |axis: usize| flat / shape[axis + 1..].iter().product::<usize>() % shape[axis];
            let row = parameter.grows.iter().fold(0, |row, (axis, _)| row * shape[*axis] + index(*axis));
            let at = |storage| of(storage).floats()[flat];
            let rows = RowState::ALL.map(|state| of(Storage::Rows(i, state)).floats()[row]);
            let [w, g] = [Storage::Parameter(i), Storage::Gradient(i)].map(at);
            let [m, v] = [Storage::FirstMoment(i), Storage::SecondMoment(i)].map(at);
            all.insert((i, flat), Element { w, m, v, g, rows });
        }
    }
    all
}

fn norm_of(elements: &BTreeMap<(u32, usize), Element>) -> f64 {
    elements.values().map(|e| (e.rows[0] * e.g).powi(2)).sum::<f64>().sqrt()
}

fn recipe(clip: f64) -> [f64; 7] {
    [0.01, 0.9, 1.0 - 0.9, 0.95, 1.0 - 0.95, 1e-8, clip]
}

#[test]
fn steps_are_those_of_adamw_and_frozen_rows_stay_to_the_bit() {
    let (symbols, parameters, sizes) = model();
    let graph = update(&symbols, &parameters);
    assert_eq!(verify(&graph), []);
    assert_eq!(graph.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), INPUTS);
    for clip in [f64::INFINITY, 1.0, 1e3] {
        let mut memory = memory(&parameters, &sizes, recipe(clip));
        let mut expected = elements(&parameters, &memory);
        for _ in 0..4 {
            let norm = norm_of(&expected);
            expected.values_mut().for_each(|e| *e = adamw(*e, recipe(clip), norm));
            interpret(&graph, &sizes, &mut memory);
            let handed_back = memory.find(Storage::Output(0)).expect("gradient_norm").floats()[0];
            assert!((handed_back / norm - 1.0).abs() < 1e-14, "{handed_back}, not {norm}");
        }
        let trained = expected.values().filter(|e| e.rows[0] == 1.0).count();
        assert!(0 < trained && trained < expected.len(), "some rows are frozen");
        for (place, got) in elements(&parameters, &memory) {
            let want = expected[&place];
            let tolerance = if want.rows[0] == 0.0 { 0.0 } else { 1e-13 };
            for (got, want) in [(got.w, want.w), (got.m, want.m), (got.v, want.v)] {
                assert!((got - want).abs() <= tolerance, "{place:?}: {got}, not {want}");
            }
        }
    }
}

/// A frozen row's NaN is not seen; a trained one's stops the step, as does an infinity.
#[test]
fn nothing_moves_where_the_norm_is_not_finite() {
    let (symbols, parameters, sizes) = model();
    let graph = update(&symbols, &parameters);
    for (trainable, broken, moves) in
        [(0.0, f64::NAN, true), (1.0, f64::NAN, false), (1.0, f64::INFINITY, false), (1.0, 1e30, true)]
    {
        let mut memory = memory(&parameters, &sizes, recipe(1.0));
        memory.set(Storage::Rows(3, RowState::Trainable), Tensor::scalar(trainable));
        memory.set(Storage::Gradient(3), Tensor::scalar(broken));
        let before = memory.clone();
        interpret(&graph, &sizes, &mut memory);
        for i in 0..4 {
            for storage in [Storage::Parameter(i), Storage::FirstMoment(i), Storage::SecondMoment(i)] {
                let moved = memory.find(storage) != before.find(storage);
                let any_trained = i != 3 || trainable == 1.0;
                assert_eq!(moved, moves && any_trained, "{storage}, {broken}");
                assert!(memory.find(storage).expect("kept").is_finite());
            }
        }
    }
}

/// Elements of the golden file lm_l2_norm_gelu_f64 (PyTorch's AdamW after clipping): w0, g and w1 of `norm.weight`, which does not
/// decay, and of `layers.1.mlp.key_param_tokens`, which does. A third parameter stands for the rest of the gradient.
#[test]
fn the_first_step_is_that_of_pytorch() {
    const NORM: f64 = 11.955_963_811_674_47;
    let weights = [
        [0.948_920_249_938_964_8, 1.102_827_191_352_844_2, 0.964_684_844_017_028_8],
        [0.200_468_599_796_295_17, 0.151_087_015_867_233_28, -0.212_870_329_618_453_98],
    ];
    let gradients = [
        [0.007_730_954_640_874_138, 0.098_255_616_798_307_78, 0.047_936_581_969_349_176],
        [0.003_854_564_618_533_462_7, 0.006_312_782_089_157_79, -0.011_716_711_794_287_17],
    ];
    let after = [
        [0.947_920_265_403_781_9, 1.101_827_192_569_665_2, 0.963_684_846_511_143_8],
        [0.199_448_583_953_032_5, 0.150_071_926_104_583_8, -0.211_849_052_789_586_1],
    ];
    let seen: f64 = gradients.as_flattened().iter().map(|g| g * g).sum();
    let symbols = Symbols::default();
    let shapes = [vec![Size::constant(3)], vec![Size::constant(3)], vec![]];
    let parameters: Vec<Parameter> = shapes.into_iter().map(|shape| parameter("p", shape, &[])).collect();
    let mut memory = memory(&parameters, &SizeValues::new(&symbols), [1e-3, 0.9, 0.1, 0.95, 0.05, 1e-8, 1.0]);
    for i in 0..3 {
        let rows = |decay| [1.0, 1.0, decay, 1.0 - 0.9, 1.0 - 0.95];
        for (state, number) in RowState::ALL.into_iter().zip(rows(if i == 1 { 0.1 } else { 0.0 })) {
            let shape = parameters[i as usize].row_shape().iter().map(|_| 1).collect();
            memory.set(Storage::Rows(i, state), Tensor::f32(shape, vec![number]));
        }
        for moment in [Storage::FirstMoment(i), Storage::SecondMoment(i)] {
            let zeros = memory.find(moment).expect("it was set").clone();
            memory.set(moment, Tensor::zeros(zeros.dtype(), zeros.shape));
        }
    }
    for i in 0..2 {
        memory.set(Storage::Parameter(i), Tensor::f32(vec![3], weights[i as usize].to_vec()));
        memory.set(Storage::Gradient(i), Tensor::f32(vec![3], gradients[i as usize].to_vec()));
    }
    memory.set(Storage::Gradient(2), Tensor::scalar((NORM * NORM - seen).sqrt()));
    interpret(&update(&symbols, &parameters), &SizeValues::new(&symbols), &mut memory);
    for (i, after) in after.iter().enumerate() {
        let got = memory.find(Storage::Parameter(i as u32)).expect("it was written").floats();
        got.iter().zip(after).for_each(|(got, want)| assert!((got - want).abs() < 1e-15, "{got}, not {want}"));
    }
}

#[test]
fn a_model_without_parameters_has_an_update() {
    let graph = update(&Symbols::default(), &[]);
    assert_eq!(verify(&graph), []);
    assert_eq!(graph.outputs.len(), 1);
}

#[test]
fn the_update_of_one_parameter() {
    let (symbols, parameters, _) = model();
    let graph = update(&symbols, &parameters[..1]);
    insta::assert_snapshot!(crate::passes::optimize(&graph, &[], |_, _| ()), @r"
    graph update
    symbol ffn = tokens 0
    input learning_rate: f32[]
    input beta1: f32[]
    input one_minus_beta1: f32[]
    input beta2: f32[]
    input one_minus_beta2: f32[]
    input eps: f32[]
    input clip: f32[]
    %0 = load rows.0.trainable: f32[ffn, 1] @ keys
    %1 = broadcast(%0): f32[ffn, 3] @ keys
    %2 = load gradient.0: f32[ffn, 3] @ keys
    %3 = constant 0.0: f32[ffn, 3] @ keys
    %4 = select(%1, %2, %3): f32[ffn, 3] @ keys
    %5 = reduce_l2_norm(%4) {axes=[0, 1]}: f32[1, 1]
    %6 = reshape(%5): f32[1]
    %7 = absolute(%6): f32[1]
    %8 = reshape(%7): f32[]
    %9 = constant 1e-6: f32[]
    %10 = add(%8, %9): f32[]
    %11 = load input.6: f32[]
    %12 = divide(%11, %10): f32[]
    %13 = constant 1.0: f32[]
    %14 = minimum(%13, %12): f32[]
    %15 = constant 3.4028234663852886e38: f32[]
    %16 = less_or_equal(%8, %15): f32[]
    %17 = reshape(%14): f32[1, 1] @ keys
    %18 = broadcast(%17): f32[ffn, 3] @ keys
    %19 = multiply(%4, %18): f32[ffn, 3] @ keys
    %20 = multiply(%19, %19): f32[ffn, 3] @ keys
    %21 = load input.1: f32[]
    %22 = reshape(%21): f32[1, 1] @ keys
    %23 = broadcast(%22): f32[ffn, 3] @ keys
    %24 = load input.2: f32[]
    %25 = reshape(%24): f32[1, 1] @ keys
    %26 = broadcast(%25): f32[ffn, 3] @ keys
    %27 = load first_moment.0: f32[ffn, 3] @ keys
    %28 = multiply(%23, %27): f32[ffn, 3] @ keys
    %29 = multiply(%26, %19): f32[ffn, 3] @ keys
    %30 = add(%28, %29): f32[ffn, 3] @ keys
    %31 = load input.3: f32[]
    %32 = reshape(%31): f32[1, 1] @ keys
    %33 = broadcast(%32): f32[ffn, 3] @ keys
    %34 = load input.4: f32[]
    %35 = reshape(%34): f32[1, 1] @ keys
    %36 = broadcast(%35): f32[ffn, 3] @ keys
    %37 = load second_moment.0: f32[ffn, 3] @ keys
    %38 = multiply(%33, %37): f32[ffn, 3] @ keys
    %39 = multiply(%36, %20): f32[ffn, 3] @ keys
    %40 = add(%38, %39): f32[ffn, 3] @ keys
    %41 = load input.0: f32[]
    %42 = reshape(%41): f32[1, 1] @ keys
    %43 = broadcast(%42): f32[ffn, 1] @ keys
    %44 = load rows.0.learning_rate: f32[ffn, 1] @ keys
    %45 = multiply(%43, %44): f32[ffn, 1] @ keys
    %46 = load rows.0.decay: f32[ffn, 1] @ keys
    %47 = multiply(%45, %46): f32[ffn, 1] @ keys
    %48 = constant 1.0: f32[ffn, 1] @ keys
    %49 = subtract(%48, %47): f32[ffn, 1] @ keys
    %50 = broadcast(%45): f32[ffn, 3] @ keys
    %51 = broadcast(%49): f32[ffn, 3] @ keys
    %52 = load rows.0.first_correction: f32[ffn, 1] @ keys
    %53 = broadcast(%52): f32[ffn, 3] @ keys
    %54 = divide(%30, %53): f32[ffn, 3] @ keys
    %55 = load rows.0.second_correction: f32[ffn, 1] @ keys
    %56 = broadcast(%55): f32[ffn, 3] @ keys
    %57 = divide(%40, %56): f32[ffn, 3] @ keys
    %58 = sqrt(%57): f32[ffn, 3] @ keys
    %59 = load input.5: f32[]
    %60 = reshape(%59): f32[1, 1] @ keys
    %61 = broadcast(%60): f32[ffn, 3] @ keys
    %62 = add(%58, %61): f32[ffn, 3] @ keys
    %63 = divide(%54, %62): f32[ffn, 3] @ keys
    %64 = multiply(%50, %63): f32[ffn, 3] @ keys
    %65 = load parameter.0: f32[ffn, 3] @ keys
    %66 = multiply(%65, %51): f32[ffn, 3] @ keys
    %67 = subtract(%66, %64): f32[ffn, 3] @ keys
    %68 = reshape(%16): f32[1, 1] @ keys
    %69 = broadcast(%68): f32[ffn, 1] @ keys
    %70 = multiply(%0, %69): f32[ffn, 1] @ keys
    %71 = broadcast(%70): f32[ffn, 3] @ keys
    %72 = select(%71, %67, %65): f32[ffn, 3] @ keys
    %73 = select(%71, %30, %27): f32[ffn, 3] @ keys
    %74 = select(%71, %40, %37): f32[ffn, 3] @ keys
    parameter.0 = %72 as keys
    first_moment.0 = %73 as keys
    second_moment.0 = %74 as keys
    output.0 = %8 as gradient_norm
    ");
}
