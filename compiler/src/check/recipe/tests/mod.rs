//! Recipes around one small model: what they resolve to, and what their mistakes are answered.

mod experiments;
mod mistakes;

use crate::check::files::Files;
use crate::check::names::Names;
use crate::check::settings::Settings;
use crate::check::{Loader, Report};
use crate::graph::DType;
use crate::model::{
    Application, Experiment, Init, InputKind, Model, ModelInput, Parameter, Primitive, Program, Role, TokenAxis,
    TokenGroup, ValueId, ValueType,
};
use crate::size::{Size, Symbol, Symbols};
use tfc_grammar::{Color, Diagnostic, Sources, Span, render_all};

/// The names of [`model`], to stand behind a recipe: the recipe's lines are then counted from one.
const NAMES: &str = "
model small {
  let width = 8
  let depth = 4
  let vocab = 300
  tokens qkv = 16
  tokens ffn = 4 * qkv
  tokens extra = 10
}
";

/// Four blocks with two groups each, and a group outside; 8 wide.
fn model() -> Model {
    let mut sources = Sources::default();
    sources.add("std.tfm", "");
    let place = Span::new(sources.add("small.tfm", ""), 0, 0);
    let mut symbols = Symbols::default();
    let groups = ["qkv", "ffn", "extra"];
    let instances = (0..4).flat_map(|i| [(0, format!("block.{i}.qkv")), (1, format!("block.{i}.ffn"))]);
    let axes: Vec<TokenAxis> = instances
        .chain([(2, "extra".to_string())])
        .enumerate()
        .map(|(i, (group, path))| TokenAxis { symbol: symbols.add_tokens(&path, i), group, path })
        .collect();
    let width = Size::constant(8);
    let parameter = |path: String, shape: Vec<Size>, role, grows| Parameter {
        path,
        shape,
        role,
        init: Init::Zero,
        grows,
        span: place,
    };
    let mut parameters =
        vec![parameter("e.weight".into(), vec![Size::constant(300), width.clone()], Role::Embedding, Vec::new())];
    for (i, axis) in axes.iter().enumerate() {
        let path = axis.path.replace("qkv", "attend.q");
        let shape = vec![Size::symbol(axis.symbol), width.clone()];
        for (name, role) in [("keys", Role::Keys), ("values", Role::Values)] {
            parameters.push(parameter(format!("{path}.{name}"), shape.clone(), role, vec![(0, i)]));
        }
    }
    parameters.push(parameter("norm.weight".into(), vec![width], Role::NormWeight, Vec::new()));
    Model {
        name: "small".into(),
        symbols,
        constants: Vec::new(),
        token_groups: groups.map(|name| TokenGroup { name: name.into(), derived: name == "ffn", span: place }).into(),
        token_axes: axes,
        inputs: vec![ModelInput { name: "ids".into(), kind: InputKind::TokenIds { context: 32 }, span: place }],
        parameters,
        scales: Vec::new(),
        program: program(place),
        context: Some(32),
        next_of: Some(0),
        experiment: Experiment::default(),
    }
}

/// No more than an embedding of the ids.
fn program(span: Span) -> Program {
    let rows = vec![Size::symbol(Symbol::BATCH), Size::symbol(Symbol::SEQUENCE)];
    let table = vec![Size::constant(300), Size::constant(8)];
    let value = |primitive, operands: &[u32], dtype, shape: &[Size]| Application {
        primitive,
        operands: operands.iter().map(|i| ValueId(*i)).collect(),
        ty: ValueType { dtype, shape: shape.to_vec() },
        span,
        path: String::new(),
    };
    Program {
        values: vec![
            value(Primitive::Input(0), &[], DType::I32, &rows),
            value(Primitive::Parameter(0), &[], DType::F32, &table),
            value(Primitive::Embed, &[0, 1], DType::F32, &[rows.as_slice(), &table[1..]].concat()),
        ],
        names: Vec::new(),
        loss: None,
        metrics: vec![("accuracy".into(), ValueId(2))],
    }
}

/// One file in memory, and a tokenizer of 50,277 ids.
struct Memory<'m>(&'m str);

impl Loader for Memory<'_> {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.into())
    }

    fn vocabulary(&self, path: &str) -> Result<u64, String> {
        if path == "20B_tokenizer.json" { Ok(50_277) } else { Err("no such file".into()) }
    }
}

struct Outcome {
    sources: Sources,
    experiment: Experiment,
    diagnostics: Vec<Diagnostic>,
}

fn resolve(recipe: &str, set: &[&str]) -> Outcome {
    resolve_around(Some(&model()), recipe, set)
}

fn resolve_around(model: Option<&Model>, recipe: &str, set: &[&str]) -> Outcome {
    let text = format!("{recipe}{NAMES}");
    let loader = Memory(&text);
    let mut sources = Sources::default();
    let report = Report::default();
    let files = Files::load(&mut sources, "small.tfm", &loader, &report).expect("it is in memory");
    let settings: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let settings = Settings::parse(&mut sources, &settings, &report);
    let names = Names::new(&files, &settings, &report);
    names.evaluate_all();
    let experiment = super::check(model, &names, &super::sections(&names), &loader);
    Outcome { sources, experiment, diagnostics: report.finish() }
}

/// The experiment of a recipe without mistakes.
fn experiment(recipe: &str, set: &[&str]) -> Experiment {
    let Outcome { sources, experiment, diagnostics } = resolve(recipe, set);
    assert!(diagnostics.is_empty(), "{}", render_all(&sources, &diagnostics, Color::Never));
    experiment
}

/// Recipes and what is said of them.
fn answers(cases: &[(&str, &[&str])]) -> String {
    let answer = |(recipe, set): &(&str, &[&str])| {
        let Outcome { sources, diagnostics, .. } = resolve(recipe, set);
        let set: String = set.iter().map(|s| format!("--set {s}\n")).collect();
        format!("{}\n{set}\n{}", recipe.trim(), render_all(&sources, &diagnostics, Color::Never))
    };
    cases
        .iter()
        .map(answer)
        .collect::<Vec<_>>()
        .join("\n\n------------------------------------------------------------\n\n")
}
