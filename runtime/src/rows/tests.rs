//! Rules against ages, and what of them and of the corrections reaches the session.

use super::*;
use crate::checkpoint::State;
use crate::fake::{self, BIAS, FakeSession, KEYS, VALUES};
use crate::sizes::sizes_at;
use tfc_compiler::model::{Rows, Rule, TrainRecipe};
use tfc_compiler::storage::{RowState, Storage};

fn rule(parameters: &[usize], rows: Rows) -> Rule {
    Rule { parameters: parameters.to_vec(), rows, lr: None, decay: None, freeze: None, span: fake::span() }
}

fn recipe(rules: Vec<Rule>) -> TrainRecipe {
    TrainRecipe { rules, ..fake::stage("a", 2, fake::steps(1)).train.unwrap() }
}

/// Two old rows and one new one, as after a growth in stage 1.
fn lineage(parameter: &str) -> Lineage {
    let segment = |rows, birth, stage| Segment { rows, birth, stage };
    let axes = vec![vec![segment(2, 0, 0), segment(1, 40, 1)]];
    Lineage { parameter: parameter.to_string(), axes, updates: vec![40, 0] }
}

struct Grown {
    model: Model,
    session: FakeSession,
    lineages: Vec<Lineage>,
}

impl Grown {
    fn new() -> Grown {
        let compiled =
            fake::compiled(vec![fake::stage("a", 2, fake::steps(40)), fake::stage("b", 3, fake::steps(9))], false);
        let mut session = FakeSession::new(&compiled);
        crate::device::Session::resize(&mut session, &sizes_at(&compiled.model, 5, &[3])).unwrap();
        let bias = Segment { rows: 1, birth: 0, stage: 0 };
        let bias = Lineage { parameter: "bias.weight".to_string(), axes: vec![vec![bias]], updates: vec![40] };
        let lineages = vec![lineage("layer.keys"), lineage("layer.values"), bias];
        Grown { model: compiled.model, session, lineages }
    }

    fn write(&mut self, recipe: &TrainRecipe, last_growth: Option<usize>) -> RowStates {
        RowStates::write(&self.model, &self.lineages, last_growth, recipe, &mut self.session).unwrap()
    }

    fn state(&self, parameter: usize, state: RowState) -> Vec<f64> {
        self.session.numbers(Storage::Rows(parameter as u32, state))
    }
}

#[test]
fn without_rules_all_is_trained_and_biases_do_not_decay() {
    let mut grown = Grown::new();
    grown.write(&recipe(Vec::new()), Some(1));
    for parameter in [KEYS, VALUES] {
        assert_eq!(grown.state(parameter, RowState::Trainable), [1.0; 3]);
        assert_eq!(grown.state(parameter, RowState::LearningRate), [1.0; 3]);
        assert_eq!(grown.state(parameter, RowState::Decay), [f64::from(0.1f32); 3]);
    }
    assert_eq!(grown.state(BIAS, RowState::Decay), [0.0]);
}

#[test]
fn later_rules_win_field_by_field() {
    let freeze_all = Rule { freeze: Some(true), lr: Some(0.5), ..rule(&[KEYS, VALUES, BIAS], Rows::All) };
    let thaw_new = Rule { freeze: Some(false), decay: Some(0.25), ..rule(&[KEYS, VALUES, BIAS], Rows::New) };
    let slow_old = Rule { lr: Some(0.125), ..rule(&[KEYS], Rows::Old) };
    let mut grown = Grown::new();
    grown.write(&recipe(vec![freeze_all, thaw_new, slow_old]), Some(1));
    let tenth = f64::from(0.1f32);
    assert_eq!(grown.state(KEYS, RowState::Trainable), [0.0, 0.0, 1.0]);
    assert_eq!(grown.state(KEYS, RowState::LearningRate), [0.125, 0.125, 0.5]);
    assert_eq!(grown.state(KEYS, RowState::Decay), [tenth, tenth, 0.25]);
    assert_eq!(grown.state(VALUES, RowState::LearningRate), [0.5, 0.5, 0.5]);
    // What does not grow is neither old nor new.
    assert_eq!(grown.state(BIAS, RowState::Trainable), [0.0]);
}

#[test]
fn old_and_new_are_relative_to_the_last_growth() {
    let rules =
        vec![Rule { lr: Some(2.0), ..rule(&[KEYS], Rows::Old) }, Rule { lr: Some(3.0), ..rule(&[KEYS], Rows::New) }];
    for (last_growth, factors) in [(None, [1.0; 3]), (Some(1), [2.0, 2.0, 3.0]), (Some(2), [2.0; 3])] {
        let mut grown = Grown::new();
        grown.write(&recipe(rules.clone()), last_growth);
        assert_eq!(grown.state(KEYS, RowState::LearningRate), factors, "{last_growth:?}");
    }
}

/// Two growths without an update between them, and rows of another run that were born at a later step than this one has reached.
#[test]
fn where_axes_cross_the_later_stage_counts() {
    let segment = |rows, birth, stage| Segment { rows, birth, stage };
    for [first, second] in [[0, 0], [20, 2]] {
        let axes = vec![vec![segment(1, first, 0), segment(1, second, 1)], vec![segment(2, first, 0)]];
        let mut lineage = Lineage { parameter: "p".to_string(), axes, updates: vec![0; 2] };
        let stages = |lineage: &Lineage| lineage.cells().iter().map(|cell| cell.stage).collect::<Vec<_>>();
        assert_eq!((stages(&lineage), lineage.elements(&[1.0, 2.0])), (vec![0, 1], vec![1.0, 1.0, 2.0, 2.0]));
        lineage.axes.swap(0, 1);
        assert_eq!((stages(&lineage), lineage.elements(&[1.0, 2.0])), (vec![0, 1], vec![1.0, 2.0, 1.0, 2.0]));
    }
}

/// Copies of rows have seen what their originals have, in the columns that came later too; new rows nothing, and what stays goes on.
#[test]
fn each_cell_counts_for_itself() {
    let segment = |rows, stage| Segment { rows, birth: 0, stage };
    let mut lineage =
        Lineage { parameter: "p".into(), axes: vec![vec![segment(4, 0)], vec![segment(4, 0)]], updates: vec![10] };
    lineage.replace(1, vec![(segment(4, 0), Some(0)), (segment(2, 1), None)]);
    assert_eq!(lineage.updates, [10, 0]);
    lineage.updates = vec![12, 2];
    lineage.replace(0, vec![(segment(4, 0), Some(0)), (segment(4, 2), Some(0)), (segment(1, 2), None)]);
    assert_eq!(lineage.updates, [12, 2, 12, 2, 0, 0]);
    lineage.replace(0, vec![(segment(3, 2), Some(1)), (segment(1, 2), Some(2))]);
    assert_eq!((&lineage.updates[..], lineage.is_sound()), (&[12, 2, 0, 0][..], true));
    assert_eq!(lineage.elements(&[1.0, 2.0, 3.0, 4.0])[..6], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
    // Without rows there is no cell; those that come are new.
    lineage.replace(0, Vec::new());
    lineage.replace(0, vec![(segment(1, 3), None)]);
    assert_eq!(lineage.updates, [0, 0]);
}

#[test]
fn corrections_count_from_the_birth_of_each_row() {
    let mut grown = Grown::new();
    let mut states = grown.write(&recipe(Vec::new()), Some(1));
    for step in 1..=3 {
        states.before_update(&grown.model, &grown.lineages, &mut grown.session).unwrap();
        let corrected = |beta: f64, t: i32| f64::from((1.0 - beta.powi(t)) as f32);
        let close = |a: Vec<f64>, b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-7);
        let first = [corrected(0.9, 40 + step), corrected(0.9, 40 + step), corrected(0.9, step)];
        let second = [corrected(0.95, 40 + step), corrected(0.95, 40 + step), corrected(0.95, step)];
        assert!(close(grown.state(KEYS, RowState::FirstCorrection), first));
        assert!(close(grown.state(VALUES, RowState::SecondCorrection), second));
        states.after_update(&mut grown.lineages);
    }
    assert_eq!(grown.lineages[KEYS].updates[1], 3);
}

/// A row that was frozen since its birth has moments of zero, so its first update must be corrected as a first one.
#[test]
fn a_frozen_row_does_not_count_and_is_never_divided_by_zero() {
    let mut grown = Grown::new();
    let freeze_new = Rule { freeze: Some(true), ..rule(&[KEYS], Rows::New) };
    let mut states = grown.write(&recipe(vec![freeze_new]), Some(1));
    for _ in 0..5 {
        states.before_update(&grown.model, &grown.lineages, &mut grown.session).unwrap();
        states.after_update(&mut grown.lineages);
    }
    assert_eq!([KEYS, VALUES].map(|i| &grown.lineages[i].updates[..]), [[45, 0], [45, 5]]);
    let corrections = grown.state(KEYS, RowState::FirstCorrection);
    assert_eq!(corrections[2], f64::from((1.0 - 0.9f64) as f32));
}

/// 1 − 0.9ᵗ is 1 in f64 from t = 349 on, 1 − 0.95ᵗ from t = 717 on: then nothing is written any more.
#[test]
fn only_corrections_that_changed_are_written() {
    let mut grown = Grown::new();
    let mut states = grown.write(&recipe(Vec::new()), Some(1));
    let mut last_write = 0;
    for step in 1..=800 {
        grown.session.writes.clear();
        states.before_update(&grown.model, &grown.lineages, &mut grown.session).unwrap();
        states.after_update(&mut grown.lineages);
        if !grown.session.writes.is_empty() {
            last_write = step;
        }
    }
    let settled = (1..).find(|t| 1.0 - libm::pow(0.95, f64::from(*t)) == 1.0).unwrap();
    assert_eq!(last_write, settled);
}

#[test]
fn lineages_survive_the_state_file() {
    let text = serde_json::to_string(&lineage("layer.keys")).unwrap();
    assert_eq!(serde_json::from_str::<Lineage>(&text).unwrap(), lineage("layer.keys"));
    assert!(serde_json::from_str::<State>(&text).is_err());
}
