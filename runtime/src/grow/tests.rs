//! Growth of the fake model: what it does to rows, moments, scales and segments, and to the function.

use super::*;
use crate::checkpoint::{PlanState, Ramp, RunFolder, ScaleState};
use crate::device::HostTensor;
use crate::fake::{self, BIAS, FakeSession, KEYS, Numbers, VALUES};
use crate::random::{Purpose, Stream};
use crate::train::Batches;
use tfc_compiler::model::{Amount, Drawn, Growth, Init, ScalePolicy};
use tfc_compiler::storage::RowState;
use tfc_compiler::storage::Storage;

/// A session of `n` tokens with numbers everywhere, as after 40 updates, and the state that goes with it.
fn grown_up(n: i64, then: i64, growth: Growth) -> (Compiled, FakeSession, State) {
    let mut second = fake::stage("second", then, fake::steps(9));
    second.growth = Some(growth);
    let compiled = fake::compiled(vec![fake::stage("first", n, fake::steps(40)), second], false);
    let mut session = FakeSession::new(&compiled);
    let sizes = sizes_at(&compiled.model, 5, &[n]);
    session.resize(&sizes).unwrap();
    for (i, parameter) in compiled.model.parameters.iter().enumerate() {
        for of in [Storage::Parameter, Storage::FirstMoment, Storage::SecondMoment] {
            let storage = of(i as u32);
            let shape = session.tensors[&storage].shape().to_vec();
            let name = format!("{storage:?} {}", parameter.path);
            let mut numbers = vec![0f32; shape.iter().product()];
            Stream::new(1, Purpose::Sampling, &name, 0).fill_uniform(0, 1.0, &mut numbers);
            session.write(storage, &HostTensor::F32 { shape, data: numbers }).unwrap();
        }
    }
    let mut state = State::new(&compiled.model, &sizes, PlanState::of(3));
    state.done.steps = 40;
    state.rows.iter_mut().for_each(|lineage| lineage.updates = vec![40]);
    scales::write(&mut session, &state).unwrap();
    (compiled, session, state)
}

fn predictions(session: &mut FakeSession) -> Vec<f64> {
    let inputs = Numbers::new("probe", 5).inputs(0, 5).unwrap();
    session.run("named", &[(Symbol::BATCH, 5)], &inputs).unwrap()[0].1.to_f64()
}

fn numbers(session: &FakeSession, of: fn(u32) -> Storage, i: usize) -> Vec<f64> {
    session.numbers(of(i as u32))
}

fn segments(state: &State, i: usize) -> Vec<(u64, u64, usize, u64)> {
    state.rows[i].axes[0]
        .iter()
        .zip(&state.rows[i].updates)
        .map(|(s, updates)| (s.rows, s.birth, s.stage, *updates))
        .collect()
}

#[test]
fn zero_keys_with_the_scale_kept_change_no_bit_of_the_function() {
    let (compiled, mut session, mut state) = grown_up(4, 7, fake::zero_keys());
    let before = predictions(&mut session);
    let old = [KEYS, VALUES].map(|i| numbers(&session, Storage::Parameter, i));
    let moments = [KEYS, VALUES].map(|i| numbers(&session, Storage::SecondMoment, i));
    grow(&compiled, &mut session, &mut state, 1).unwrap();

    assert_eq!(predictions(&mut session), before);
    let [keys, values] = [KEYS, VALUES].map(|i| numbers(&session, Storage::Parameter, i));
    assert_eq!([&keys[..12], &values[..8]], [&old[0][..], &old[1][..]]);
    assert_eq!(keys[12..], [0.0; 9]);
    // Rows 4 to 6 of width 2 of the growth stream at step 40.
    let mut drawn = [0f32; 6];
    Stream::new(7, Purpose::Growth, "layer.values", 40).fill_normal(8, 0.1, &mut drawn);
    assert_eq!(values[8..], drawn.map(f64::from));
    for (i, old) in [KEYS, VALUES].into_iter().zip(moments) {
        let now = numbers(&session, Storage::SecondMoment, i);
        assert_eq!(now[..old.len()], old);
        assert!(now[old.len()..].iter().all(|x| *x == 0.0));
        assert_eq!(segments(&state, i), [(4, 0, 0, 40), (3, 40, 1, 0)]);
    }
    assert_eq!(segments(&state, BIAS), [(1, 0, 0, 40)]);
    assert_eq!((state.last_growth, state.tokens["layer.tokens"], state.scales[0].value), (Some(1), 7, 2.0));
}

#[test]
fn what_growth_did_is_a_sentence() {
    let mut grown = Grown { parameters: [12, 22], loss: Some([1.5, 1.75]), change: Some(0.25) };
    let wanted =
        "12 parameters become 22; loss 1.500000 before, 1.750000 after; logits change by 2.5e-1 of the largest";
    assert_eq!(grown.to_string(), wanted);
    grown.change = None;
    assert_eq!(grown.to_string(), "12 parameters become 22; loss 1.500000 before, 1.750000 after");
    grown.loss = None;
    assert_eq!(grown.to_string(), "12 parameters become 22");
}

#[test]
fn the_models_own_init_draws_both() {
    let init = GrowthInit::New { keys: Drawn::AsModel, values: Drawn::AsModel };
    let (compiled, mut session, mut state) = grown_up(4, 6, Growth { init, ..fake::zero_keys() });
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let mut drawn = [0f32; 6];
    Stream::new(7, Purpose::Growth, "layer.keys", 40).fill_normal(12, 0.5, &mut drawn);
    assert_eq!(numbers(&session, Storage::Parameter, KEYS)[12..], drawn.map(f64::from));
}

#[test]
fn new_rows_are_as_wide_as_the_old() {
    let init = GrowthInit::New { keys: Drawn::AsOld, values: Drawn::AsOld };
    let (compiled, mut session, mut state) = grown_up(4, 6, Growth { init, ..fake::zero_keys() });
    let old = [KEYS, VALUES].map(|i| numbers(&session, Storage::Parameter, i));
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    for (i, old) in [KEYS, VALUES].into_iter().zip(old) {
        let width = (old.iter().map(|x| x * x).sum::<f64>() / old.len() as f64).sqrt();
        let now = numbers(&session, Storage::Parameter, i);
        let path = &compiled.model.parameters[i].path;
        let mut drawn = vec![0f32; now.len() - old.len()];
        Stream::new(7, Purpose::Growth, path, 40).fill_normal(old.len() as u64, width, &mut drawn);
        assert_eq!(now[..old.len()], old);
        assert_eq!(now[old.len()..], drawn.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
    }
}

#[test]
fn a_reset_optimizer_starts_its_count_again() {
    let (compiled, mut session, mut state) = grown_up(4, 6, Growth { keep_optimizer: false, ..fake::zero_keys() });
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    for i in [KEYS, VALUES, BIAS] {
        let moments = [Storage::FirstMoment, Storage::SecondMoment].map(|of| numbers(&session, of, i)).concat();
        assert!(moments.iter().all(|x| *x == 0.0));
        assert!(state.rows[i].updates.iter().all(|updates| *updates == 0));
    }
}

/// Copies of keys and r-th parts of values: the sum over tokens is what it was, if the scale is. (The fake model's scale does
/// not stand before a norm, so here it is to be kept.)
#[test]
fn splitting_copies_in_blocks_and_divides_values() {
    let init = GrowthInit::Split { noise: 0.0 };
    let (compiled, mut session, mut state) = grown_up(3, 9, Growth { init, ..fake::zero_keys() });
    let before = predictions(&mut session);
    let old = |of: fn(u32) -> Storage, i| numbers(&session, of, i);
    let [keys, first, second] =
        [Storage::Parameter, Storage::FirstMoment, Storage::SecondMoment].map(|of| old(of, KEYS));
    let [values, value_moments] = [Storage::Parameter, Storage::FirstMoment].map(|of| old(of, VALUES));
    grow(&compiled, &mut session, &mut state, 1).unwrap();

    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    let thrice = |numbers: &[f64], factor: f64| numbers.repeat(3).iter().map(|x| x * factor).collect::<Vec<_>>();
    let now = |of: fn(u32) -> Storage, i| numbers(&session, of, i);
    assert_eq!(now(Storage::Parameter, KEYS), keys.repeat(3));
    assert!(near(&now(Storage::Parameter, VALUES), &thrice(&values, 1.0 / 3.0)));
    assert!(near(&now(Storage::FirstMoment, KEYS), &thrice(&first, 1.0 / 3.0)));
    assert!(near(&now(Storage::SecondMoment, KEYS), &thrice(&second, 1.0 / 9.0)));
    assert_eq!(now(Storage::FirstMoment, VALUES), value_moments.repeat(3));
    assert!(near(&predictions(&mut session), &before));
    // The copies' moments are corrected like their originals', but the copies are what is new.
    assert_eq!(segments(&state, KEYS), [(3, 0, 0, 40), (3, 40, 1, 40), (3, 40, 1, 40)]);
}

/// What moments are scaled by is what happens to gradients: 1/r of a key's, all of a value's.
#[test]
fn gradients_split_as_the_moments_do() {
    let gradients = |session: &mut FakeSession| {
        let mut inputs = Numbers::new("probe", 5).inputs(0, 5).unwrap();
        inputs.push(("loss_weight".to_string(), HostTensor::scalar(1.0)));
        session.run("gradient", &[(Symbol::BATCH, 5)], &inputs).unwrap();
        [KEYS, VALUES].map(|i| numbers(session, Storage::Gradient, i))
    };
    let init = GrowthInit::Split { noise: 0.0 };
    let (compiled, mut session, mut state) = grown_up(3, 6, Growth { init, ..fake::zero_keys() });
    let [keys, values] = gradients(&mut session);
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let [new_keys, new_values] = gradients(&mut session);
    let near = |a: &[f64], b: Vec<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs()));
    assert!(near(&new_keys, keys.repeat(2).iter().map(|g| g / 2.0).collect()));
    assert!(near(&new_values, values.repeat(2)));
}

#[test]
fn noise_disturbs_the_copies_of_keys_alone() {
    let init = GrowthInit::Split { noise: 0.01 };
    let (compiled, mut session, mut state) = grown_up(3, 6, Growth { init, ..fake::zero_keys() });
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let [keys, values] = [KEYS, VALUES].map(|i| numbers(&session, Storage::Parameter, i));
    let stream = Stream::new(7, Purpose::Growth, "layer.keys", 40);
    for (e, (original, copy)) in keys[..9].iter().zip(&keys[9..]).enumerate() {
        let wanted = original * (1.0 + 0.01 * stream.normal(9 + e as u64));
        assert!(original != copy && (copy - wanted).abs() < 1e-7, "{copy} is not {wanted}");
    }
    assert_eq!(values[..6], values[6..]);
}

#[test]
fn shrinking_keeps_what_weighs_most() {
    let (compiled, mut session, mut state) = grown_up(4, 2, fake::zero_keys());
    let write = |session: &mut FakeSession, of: fn(u32) -> Storage, i: usize, width: usize, rows: &[f64]| {
        let numbers = rows.iter().flat_map(|x| vec![*x; width]).collect();
        session.write(of(i as u32), &HostTensor::F64 { shape: vec![rows.len(), width], data: numbers }).unwrap();
    };
    // Weights ∝ |key · value|: 6, 1, 8, 8 of the products below; the first of equals would win.
    write(&mut session, Storage::Parameter, KEYS, 3, &[3.0, -1.0, 4.0, 2.0]);
    write(&mut session, Storage::Parameter, VALUES, 2, &[2.0, 1.0, -2.0, 4.0]);
    write(&mut session, Storage::FirstMoment, KEYS, 3, &[0.0, 1.0, 2.0, 3.0]);
    state.rows[KEYS].axes[0] = vec![Segment { rows: 3, birth: 0, stage: 0 }, Segment { rows: 1, birth: 30, stage: 0 }];
    state.rows[KEYS].updates = vec![40, 10];
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let firsts = |of, i, width: usize| numbers(&session, of, i).iter().step_by(width).copied().collect::<Vec<_>>();
    assert_eq!(firsts(Storage::Parameter, KEYS, 3), [4.0, 2.0]);
    assert_eq!(firsts(Storage::Parameter, VALUES, 2), [-2.0, 4.0]);
    assert_eq!(firsts(Storage::FirstMoment, KEYS, 3), [2.0, 3.0]);
    assert_eq!(segments(&state, KEYS), [(1, 0, 0, 40), (1, 30, 0, 10)]);
    assert_eq!((state.last_growth, state.tokens["layer.tokens"]), (None, 2));
}

#[test]
fn a_scale_goes_to_its_rule_at_once_or_in_a_straight_line() {
    let retuned = |over| {
        let growth = Growth { scale: ScalePolicy::Retune { over }, ..fake::zero_keys() };
        let (compiled, mut session, mut state) = grown_up(4, 16, growth);
        grow(&compiled, &mut session, &mut state, 1).unwrap();
        let mut values = vec![session.numbers(Storage::Scale(0))[0]];
        for _ in 0..6 {
            scales::step(&compiled.model, &mut session, &mut state).unwrap();
            values.push(session.numbers(Storage::Scale(0))[0]);
            state.done.steps += 1;
        }
        (values, state.scales[0].ramp)
    };
    // From √4 to √16.
    assert_eq!(retuned(0), (vec![4.0; 7], None));
    assert_eq!(retuned(4), (vec![2.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0], None));
    let (values, ramp) = retuned(100);
    assert!(values[6] < 2.2 && ramp.is_some());
}

#[test]
fn a_scale_that_is_kept_stays_halfway() {
    let (compiled, mut session, mut state) = grown_up(4, 16, fake::zero_keys());
    state.scales[0] =
        ScaleState { value: 1.75, ramp: Some(Ramp { from: 1.0, since: 37, over: 4 }), ..state.scales[0].clone() };
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    assert_eq!(session.numbers(Storage::Scale(0)), [1.75]);
    assert_eq!(state.scales[0].ramp, None);
}

/// Two growths with the same stream name draw other numbers: rows are addressed by their index.
#[test]
fn growing_again_draws_other_rows() {
    let (compiled, mut session, mut state) = grown_up(2, 4, fake::zero_keys());
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let mut later = compiled.clone();
    later.model.experiment.stages[1].tokens = vec![6];
    grow(&later, &mut session, &mut state, 1).unwrap();
    let values = numbers(&session, Storage::Parameter, VALUES);
    assert!(values[4..8].iter().zip(&values[8..]).all(|(a, b)| a != b));
}

/// `tfc grow` and then training is what the run itself would have done.
#[test]
fn grown_by_hand_is_grown_in_the_run() {
    use crate::train::tests::{Options, contents, run};
    let folder = tempfile::tempdir().unwrap();
    let mut second = fake::stage("second", 5, fake::steps(6));
    second.growth = Some(Growth { scale: ScalePolicy::Retune { over: 3 }, ..fake::zero_keys() });
    let stages = vec![fake::stage("first", 2, fake::steps(4)), second];
    let [whole, by_hand] = ["whole", "by-hand"].map(|name| folder.path().join(name));
    run(&stages, &whole, Options::default()).outcome.unwrap();

    let compiled = fake::compiled(stages.clone(), true);
    let mut session = FakeSession::new(&compiled);
    let into = RunFolder::create(&by_hand, "the spec").unwrap();
    let probe = Numbers::new("probe", 9);
    let measure = Measure { batches: &probe, rows: 9, micro_batch: 4 };
    let checkpoint = whole.join("checkpoints/step-4");
    let (grown, path) = grow_by_hand(&compiled, &mut session, &checkpoint, 1, Some(&measure), &into).unwrap();
    assert_eq!(path, by_hand.join("checkpoints/step-4"));
    let [before, after] = grown.loss.unwrap();
    assert_eq!(before, after);
    drop(into);
    run(&stages, &by_hand, Options::default()).outcome.unwrap();
    let [end, same] = [whole, by_hand].map(|run| contents(&run.join("checkpoints/step-10")));
    assert!(end == same);
}

/// Its checkpoint would have the sizes of one stage and the name of another.
#[test]
fn a_stage_without_growth_is_not_grown_into() {
    use crate::train::tests::{Options, contents, run};
    let folder = tempfile::tempdir().unwrap();
    let mut second = fake::stage("second", 5, fake::steps(2));
    second.growth = Some(fake::zero_keys());
    let stages = vec![fake::stage("first", 2, fake::steps(4)), second, fake::stage("third", 5, fake::steps(2))];
    let whole = folder.path().join("whole");
    run(&stages, &whole, Options::default()).outcome.unwrap();

    let compiled = fake::compiled(stages.clone(), true);
    let mut session = FakeSession::new(&compiled);
    let into = RunFolder::create(&folder.path().join("by-hand"), "the spec").unwrap();
    let checkpoint = whole.join("checkpoints/step-4");
    let refused = grow_by_hand(&compiled, &mut session, &checkpoint, 2, None, &into).err().unwrap().message;
    let what = "stage `third` goes on with the sizes of the one before it";
    assert_eq!(refused, format!("{what}; grow into `second`, and train from there on"));

    // Nor is a checkpoint gone on with that says so of itself.
    let state = checkpoint.join("state.json");
    let said = std::fs::read_to_string(&state)
        .unwrap()
        .replace("\"first\"", "\"third\"")
        .replace("\"index\": 0", "\"index\": 2");
    std::fs::write(&state, said).unwrap();
    ["step-6", "step-8"].iter().for_each(|step| std::fs::remove_dir_all(whole.join("checkpoints").join(step)).unwrap());
    let before = contents(&checkpoint);
    let refused = run(&stages, &whole, Options::default()).outcome.err().unwrap();
    assert!(
        format!("{refused:?}").contains("the checkpoint has 2 tokens `layer.tokens`, and stage `third` 5"),
        "{refused:?}"
    );
    assert!(contents(&checkpoint) == before);
}

/// Keys of an axis that shrinks while another grows.
#[test]
fn new_rows_are_as_wide_as_what_is_left_of_the_old() {
    let mut tensor = HostTensor::F32 { shape: vec![4, 2], data: vec![0.0; 8] };
    tensor.put(0, &[0.5, -0.5, 0.5, -0.5]);
    assert_eq!(new_rows::as_wide(&tensor, &[2, 8]), Init::Normal { std: Amount::Number(0.5) });
}

#[test]
fn the_row_states_are_as_long_as_the_rows() {
    let (compiled, mut session, mut state) = grown_up(4, 7, fake::zero_keys());
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let recipe = compiled.model.experiment.stages[1].train.as_ref().unwrap();
    let mut states =
        rows::RowStates::write(&compiled.model, &state.rows, state.last_growth, recipe, &mut session).unwrap();
    states.before_update(&compiled.model, &state.rows, &mut session).unwrap();
    let corrections = session.numbers(Storage::Rows(KEYS as u32, RowState::FirstCorrection));
    let [old, new] = [41, 1].map(|t| f64::from((1.0 - 0.9f64.powi(t)) as f32));
    assert!(corrections.iter().zip([old, old, old, old, new, new, new]).all(|(a, b)| (a - b).abs() < 1e-7));
}

/// A scale goes on along its line in a run that begins with what another one has learnt.
#[test]
fn a_scale_on_its_way_is_taken_over() {
    let mut growth = fake::zero_keys();
    growth.scale = ScalePolicy::Retune { over: 8 };
    let (compiled, mut session, mut state) = grown_up(4, 16, growth);
    grow(&compiled, &mut session, &mut state, 1).unwrap();
    let mut go_on = |state: &mut State, updates: u64| -> Vec<f64> {
        let mut one = |_| {
            scales::step(&compiled.model, &mut session, state).unwrap();
            state.done.steps += 1;
            session.numbers(Storage::Scale(0))[0]
        };
        (0..updates).map(&mut one).collect()
    };
    go_on(&mut state, 3);
    let mut anew = state.clone().begun_anew();
    assert_eq!(anew.done.steps, 0);
    let [whole, taken_over] = [&mut state, &mut anew].map(|state| go_on(state, 7));
    assert_eq!(taken_over, whole);
    assert_eq!(anew.scales[0], ScaleState { ramp: None, ..state.scales[0].clone() });
}

/// Stages of another spec have other numbers: none of its rows is of a stage of ours.
#[test]
fn what_grew_by_another_spec_is_old() {
    let (compiled, mut session, mut state) = grown_up(4, 16, fake::zero_keys());
    state.rows[KEYS].axes[0] = vec![Segment { rows: 3, birth: 0, stage: 0 }, Segment { rows: 1, birth: 30, stage: 1 }];
    state.rows[KEYS].updates = vec![40, 10];
    state.last_growth = Some(1);
    state.stage.name = "elsewhere".to_string();
    let folder = tempfile::tempdir().unwrap();
    let into = |name: &str| RunFolder::create(&folder.path().join(name), "spec").unwrap();
    let checkpoint = into("from").save(&compiled, &session, &state, None, None).unwrap();
    let grown = grow_by_hand(&compiled, &mut session, &checkpoint, 1, None, &into("grown")).unwrap().1;
    let grown = State::read(&grown.join("state.json")).unwrap();
    let stages: Vec<(u64, usize)> = grown.rows[KEYS].axes[0].iter().map(|s| (s.rows, s.stage)).collect();
    assert_eq!((stages, grown.last_growth), (vec![(3, 0), (1, 0), (12, 1)], Some(1)));
}
