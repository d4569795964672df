//! For tests: a model small enough to differentiate by hand, and a session that does.
//!
//! ```text
//! p = τ · Σᵢ (kᵢ · x) · vᵢ + b        x [batch, 3]   keys [n, 3]   values [n, 2]   bias [2]   τ = √n
//! loss = mean over the batch of ‖p − target‖²
//! ```
//!
//! Like a Pattention it has keys and values that grow, a scale that follows n, and zero keys preserve it. Training may
//! multiply x by a number drawn from the seed, as dropout would.

mod data;
mod session;

pub use data::Numbers;
pub use session::FakeSession;

use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::{Builder, Graph, Type};
use tfc_compiler::model::{
    Amount, Cadence, Corpus, DataRecipe, Documents, Drawn, End, Experiment, Growth, GrowthInit, Horizon, Init,
    InputKind, Model, ModelInput, Optimizer, Parameter, Program, Role, Scale, ScalePolicy, Schedule, ScheduleKind,
    ScheduleSpan, Stage, TokenAxis, TokenGroup, TokenizerSource, TrainRecipe, ValueId,
};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{Size, Symbol, Symbols};
use tfc_grammar::span::{Sources, Span};

pub const KEYS: usize = 0;
pub const VALUES: usize = 1;
pub const BIAS: usize = 2;

pub fn span() -> Span {
    Span::new(Sources::default().add("fake.tfm", ""), 0, 0)
}

/// A stage of `n` tokens with a recipe that trains well.
pub fn stage(name: &str, n: i64, end: End) -> Stage {
    let train = TrainRecipe {
        batch: 5,
        precision: Precision::F32,
        optimizer: Optimizer { lr: 0.02, beta1: 0.9, beta2: 0.95, eps: 1e-8, decay: 0.1, clip: Some(1.0) },
        schedule: Schedule {
            kind: ScheduleKind::Cosine,
            warmup: ScheduleSpan::Steps(2),
            floor: 0.1,
            horizon: Horizon::Stage,
        },
        evaluate: Some(Cadence::Every(3)),
        evaluate_batches: None,
        checkpoint: Some(Cadence::Every(4)),
        keep: Some(2),
        rules: Vec::new(),
        span: span(),
    };
    let data = DataRecipe {
        train: Corpus { paths: vec!["numbers".to_string()] },
        validate: Vec::new(),
        tokenizer: TokenizerSource::Bytes,
        documents: Documents::Separate,
        images: None,
        span: span(),
    };
    Stage {
        name: name.to_string(),
        tokens: vec![n],
        growth: None,
        data: Some(data),
        train: Some(train),
        end,
        from: None,
        seed: 7,
        span: span(),
    }
}

pub fn steps(steps: u64) -> End {
    End { steps: Some(steps), ..End::default() }
}

/// Growth that preserves the function.
pub fn zero_keys() -> Growth {
    let values = Drawn::From(Init::Normal { std: Amount::Number(0.1) });
    Growth {
        init: GrowthInit::New { keys: Drawn::From(Init::Zero), values },
        scale: ScalePolicy::Keep,
        keep_optimizer: true,
        continue_data: true,
        expect: None,
        span: span(),
    }
}

/// The model; `random`: whether it draws from the seed.
pub fn compiled(stages: Vec<Stage>, random: bool) -> Compiled {
    let mut symbols = Symbols::default();
    let tokens = symbols.add_tokens("layer.tokens", 0);
    let n = Size::symbol(tokens);
    let parameter = |path: &str, shape: Vec<Size>, role, std, grows| Parameter {
        path: path.to_string(),
        shape,
        role,
        init: Init::Normal { std: Amount::Number(std) },
        grows,
        span: span(),
    };
    let input = |name: &str, width| ModelInput {
        name: name.to_string(),
        kind: InputKind::Tensor { shape: vec![width] },
        span: span(),
    };
    let rule = Amount::Sqrt(Box::new(Amount::Size(n.clone())));
    let model = Model {
        name: "fake".to_string(),
        symbols: symbols.clone(),
        constants: Vec::new(),
        token_groups: vec![TokenGroup { name: "tokens".to_string(), derived: false, span: span() }],
        token_axes: vec![TokenAxis { symbol: tokens, group: 0, path: "layer.tokens".to_string() }],
        inputs: vec![input("x", 3), input("target", 2)],
        parameters: vec![
            parameter("layer.keys", vec![n.clone(), 3.into()], Role::Keys, 0.5, vec![(0, 0)]),
            parameter("layer.values", vec![n, 2.into()], Role::Values, 0.5, vec![(0, 0)]),
            parameter("bias.weight", vec![2.into()], Role::Bias, 0.1, Vec::new()),
        ],
        scales: vec![Scale { path: "layer.scale".to_string(), rule, span: span() }],
        program: Program { metrics: vec![("error".to_string(), ValueId(0))], ..Program::default() },
        context: None,
        next_of: None,
        experiment: Experiment { seed: 7, stages },
    };
    let graphs = vec![
        graph("gradient", &symbols, true, random),
        graph("add_gradient", &symbols, true, random),
        graph("evaluate", &symbols, false, false),
        graph("named", &symbols, false, false),
        Builder::new("update", symbols).finish(),
    ];
    Compiled { model, graphs, program: Default::default(), caches: Vec::new(), disabled: Default::default() }
}

/// As much of an entry's graph as the trainer looks at: what it takes, and the logits of `named`.
fn graph(name: &str, symbols: &Symbols, weighted: bool, random: bool) -> Graph {
    let batch = Size::symbol(Symbol::BATCH);
    let mut builder = Builder::new(name, symbols.clone());
    builder.input("x", Type::f32(vec![batch.clone(), 3.into()]));
    let target = builder.input("target", Type::f32(vec![batch, 2.into()]));
    if weighted {
        builder.input("loss_weight", Type::f32(Vec::new()));
    }
    if random {
        builder.input("seed", Type::i32(vec![2.into()]));
    }
    // Predictions have the targets' shape.
    builder.output("p", target);
    builder.finish()
}
