//! The work of benchmarks is that of the trainer, on inputs of the shapes that a model takes.

use super::inputs::RandomInputs;
use super::*;
use crate::device::HostTensor;
use crate::fake::{self, FakeSession};
use crate::train::Batches;
use tfc_compiler::model::InputKind;

#[test]
fn a_model_is_trained() {
    let compiled = fake::compiled(vec![fake::stage("a", 2, fake::steps(1)), fake::stage("b", 4, fake::steps(1))], true);
    let mut session = FakeSession::new(&compiled);
    let training = Training::new(&compiled, &mut session, 1, 2).unwrap();
    let mut work = Work::Training(Box::new(training));
    assert_eq!(work.tokens(), 5);
    let times = repeat(&mut work, &mut session, 30, &mut |_| ()).unwrap();
    assert!(times.count() >= 30);
    let Work::Training(training) = work else { unreachable!() };
    let losses = training.losses;
    // The targets are noise, so that there is little to learn.
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[losses.len() - 10..]) < mean(&losses[..10]), "{losses:?}");
}

#[test]
fn a_forward_pass_takes_the_whole_batch() {
    let compiled = fake::compiled(vec![fake::stage("a", 2, fake::steps(1))], false);
    let mut session = FakeSession::new(&compiled);
    let mut work = Work::Forward(Forward::new(&compiled, &mut session, 0, 7).unwrap());
    work.prepare(&mut session).unwrap();
    work.run(&mut session).unwrap();
    assert_eq!(work.tokens(), 7);
    assert_eq!(session.calls.last().unwrap().0, "named");
}

#[test]
fn inputs_have_their_shapes_and_differ_from_batch_to_batch() {
    let compiled = fake::compiled(vec![fake::stage("a", 2, fake::steps(1))], false);
    let sizes = compiled.model.stage_sizes(0);
    let inputs = RandomInputs::new(&compiled.model, &sizes);
    let [first, again, second] = [0, 0, 3].map(|cursor| inputs.inputs(cursor, 3).unwrap());
    let shapes: Vec<(&str, &[usize])> = first.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
    assert_eq!(shapes, [("x", &[3, 3][..]), ("target", &[3, 2][..])]);
    assert_eq!(first, again);
    assert_ne!(first, second);
    assert!(first.iter().all(|(_, tensor)| matches!(tensor, HostTensor::F32 { .. })));
}

/// As the data of a training has them: one more than the entry takes, from 0 on in each row and in each document.
#[test]
fn documents_begin_with_each_row_and_within() {
    let mut model = fake::compiled(vec![fake::stage("a", 2, fake::steps(1))], false).model;
    model.context = Some(16);
    model.inputs[0].kind = InputKind::TokenIds { context: 16 };
    let inputs = RandomInputs::new(&model, &model.stage_sizes(0)).inputs(0, 3).unwrap();
    let (name, HostTensor::I32 { shape, data }) = inputs.last().unwrap() else { panic!("no whole numbers") };
    assert_eq!((name.as_str(), &shape[..]), ("positions", &[3, 17][..]));
    let begins: Vec<usize> = (0..data.len()).filter(|place| data[*place] == 0).collect();
    assert!([0, 17, 34].iter().all(|row| begins.contains(row)) && begins.len() > 6, "{data:?}");
    assert!(data.windows(2).all(|two| two[1] == 0 || two[1] == two[0] + 1), "{data:?}");
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(Samples::new(vec![3.0, 1.0, 2.0]).median(), 2.0);
    assert_eq!(Samples::new(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
    assert_eq!(Samples::new(vec![4.0, 1.0]).least(), 1.0);
}
