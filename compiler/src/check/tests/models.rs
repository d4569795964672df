//! What right files become.

use super::{model, model_with};
use crate::model::{Init, Model, Primitive};
use crate::scalar::Unary;
use crate::size::Size;

pub(super) const TINY: &str = "
model tiny {
  let vocab = 64
  let context = 16
  let width = 8
  let heads = 2
  let depth = 2

  tokens qkv = 6
  tokens proj = 6
  tokens ffn = 4 * qkv

  layer attend(x: [.., d]) {
    q = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    k = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    v = pattention(x, qkv) |> split_heads(heads)
    attention(q, k, v, causal) |> merge_heads |> pattention(proj)
  }

  layer block(x: [.., d]) {
    y = x + attend(layernorm(x))
    y + pattention(layernorm(y), ffn)
  }

  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    y = repeat(depth, block, e)
    logits = unembed(layernorm(y, affine), tied = e)
  }

  loss = cross_entropy(logits, next(ids))
  hits = accuracy(logits, next(ids))
}
";

/// A model around one line that computes `y` from `x: [16]`.
fn line(line: &str) -> Model {
    model(&format!("model tiny {{\n  tokens ffn = 4\n  forward(x: [16]) {{\n    {line}\n  }}\n}}\n"))
}

fn parameter_paths(model: &Model) -> Vec<&str> {
    model.parameters.iter().map(|parameter| parameter.path.as_str()).collect()
}

/// The primitives on the way to the last name, without the parameters.
fn primitives(model: &Model) -> Vec<&Primitive> {
    let is_work = |p: &&Primitive| !matches!(p, Primitive::Parameter(_) | Primitive::Input(_));
    model.program.values.iter().map(|value| &value.primitive).filter(is_work).collect()
}

#[test]
fn a_tiny_language_model() {
    insta::assert_snapshot!(model(TINY).to_string());
}

#[test]
fn settings_change_constants_and_tokens() {
    let small = model_with(&[("root.tfm", TINY)], &["depth=1", "qkv = width", "vocab=2*heads"]);
    assert_eq!(small.token_axes.len(), 3);
    assert_eq!(small.parameter("block.1.ffn.keys"), None);
    let vocab = small.parameters[0].shape[0].clone();
    assert_eq!(vocab, Size::constant(4));
    assert_eq!(small.experiment.stages[0].tokens, [8, 6, 32]);
}

#[test]
fn a_used_file_lends_its_layers_with_other_sizes() {
    let library = "let hidden = 4\nlayer pair(x: [.., d]) {\n  up = linear(x, hidden)\n  linear(up, d)\n}\n";
    let root = "use \"layers/pair.tfm\" { hidden = 3 * half }\nlet half = 8\n\
                model tiny {\n  forward(x: [16]) {\n    y = pair(x)\n  }\n}\n";
    let model = model_with(&[("root.tfm", root), ("layers/pair.tfm", library)], &[]);
    assert_eq!(parameter_paths(&model), ["y.up.weight", "y.linear.weight"]);
    assert_eq!(model.parameters[0].shape, [Size::constant(24), Size::constant(16)]);
}

#[test]
fn a_used_experiment_gives_its_model_and_the_blocks_that_the_root_leaves_out() {
    let base = "model tiny {\n  let width = 8\n  forward(x: [16]) {\n    y = linear(x, width)\n  }\n  loss = mean(y)\n}\n\
                train { batch = 2  steps = 3  seed = 4  optimizer = adamw(lr = 1e-3) }\n";
    let root = "use \"base.tfm\" { width = 4 }\ntrain { batch = 8 * width  steps = 3  optimizer = adamw(lr = 1e-3) }\n";
    let files = [("root.tfm", root), ("base.tfm", base)];
    let model = model_with(&files, &[]);
    assert_eq!(model.experiment.stages[0].train.as_ref().unwrap().batch, 32);
    assert_eq!(model_with(&files, &["width=5"]).parameters[0].shape[0], Size::constant(5));
}

#[test]
fn parts_of_paths_are_bindings_groups_or_layers() {
    let paths = |text: &str| parameter_paths(&line(text)).join(" ");
    assert_eq!(paths("h = linear(x, 4) |> gelu |> linear(16)"), "h.weight linear.weight");
    assert_eq!(paths("h = x + linear(x, 16)"), "linear.weight");
    assert_eq!(paths("h = gelu(x) |> pattention(ffn)"), "h.keys h.values");
    assert_eq!(paths("h = x + pattention(x, ffn)"), "ffn.keys ffn.values");
    assert_eq!(paths("h = x + pattention(x, 7)"), "pattention.keys pattention.values");
    assert_eq!(paths("h = x * parameter[16]"), "parameter");
    assert_eq!(paths("h = parameter[16]"), "h");
    assert_eq!(paths("h = repeat(2, linear(16, bias), x) |> linear(4)"), {
        "linear.0.weight linear.0.bias linear.1.weight linear.1.bias linear.weight"
    });
    assert_eq!(paths("h = if 2 < 3 { linear(x, 4) } else { pattention(x, ffn) }"), "h.weight");
}

#[test]
fn repeats_nest_and_their_tokens_are_their_own() {
    let model = model(
        "model nested {
           tokens ffn = 8
           layer inner(x: [.., d], n) { x + pattention(x, n) }
           layer outer(x) { repeat(2, inner(ffn), x) |> pattention(ffn) }
           forward(x: [4]) { y = repeat(2, outer, x) }
         }",
    );
    let axes: Vec<&str> = model.token_axes.iter().map(|axis| axis.path.as_str()).collect();
    let inner = |i| [format!("outer.{i}.inner.0.ffn"), format!("outer.{i}.inner.1.ffn"), format!("outer.{i}.ffn")];
    assert_eq!(axes, [inner(0), inner(1)].concat());
    let values = model.parameter("outer.1.inner.0.ffn.values").unwrap();
    let Init::Normal { std } = &model.parameters[values].init else { panic!("values are normal") };
    assert_eq!(std.as_constant(), Some(2.0 / (4.0 * 2.0)), "2 / (L * sqrt(out)) with L = 2 * 2");
}

#[test]
fn every_theta_is_what_the_paper_says() {
    let rows = |theta: &str| {
        let model = line(&format!("y = pattention(x, ffn, theta = {theta})"));
        let rules = model.scales.iter().map(|s| format!("{} = {}", s.path, s.rule.display(&|_| "n".into())));
        let rules: Vec<String> = rules.collect();
        let text = model.to_string();
        let program = text.lines().filter(|line| line.starts_with("  %") && !line.contains("parameter"));
        let program: Vec<&str> = program.map(|line| line.split(" : ").next().unwrap_or(line).trim()).collect();
        format!("{theta}\n{}\n{}\n", program.join("\n"), rules.join("\n"))
    };
    let thetas = [
        "l2_gelu",
        "l2_gelu(scale = sqrt(576), eps = 1e-5, gelu = tanh)",
        "gelu_l2",
        "scaled_softmax",
        "softmax",
        "gelu",
        "gelu_layernorm(gelu = tanh)",
    ];
    insta::assert_snapshot!(thetas.map(rows).join("\n"));
}

#[test]
fn a_mask_multiplies_the_row_and_counts_what_is_active() {
    let model = line("y = pattention(x, ffn, mask = first(uniform(25%, 100%)), theta = l2_gelu(scale = sqrt(active)))");
    insta::assert_snapshot!(model.to_string());
}

#[test]
fn a_users_own_pattention_is_the_librarys() {
    let own = "
model own {
  tokens ffn = 4
  layer mine(x: [.., d], n, out = d) {
    keys = parameter[n, d](init = normal(0.02))
    values = parameter[n, out](init = normal(2 / (repeats * sqrt(out))))
    a = matmul(x, transpose(keys))
    matmul(gelu(sqrt(n) * l2_normalize(a)), values)
  }
  forward(x: [16]) { y = mine(x, ffn) }
}";
    let library = own.replace("mine(x, ffn) }", "pattention(x, ffn) }");
    let program = |text: &str| {
        let text = model(text).to_string();
        let (_, program) = text.split_once("parameters").unwrap();
        program.to_string()
    };
    assert_eq!(program(own), program(&library));
}

#[test]
fn flags_are_said_by_name_passed_on_by_name_and_decided_by_if() {
    let with = |call: &str| {
        let text = "layer two(x: [.., d], bias = false) {\n  a = linear(x, d, bias)\n  linear(a, d, bias = true)\n}\n";
        let model = model(&format!("{text}model m {{\n  let deep = true\n  forward(x: [4]) {{ y = {call} }}\n}}\n"));
        parameter_paths(&model).join(" ")
    };
    assert_eq!(with("two(x)"), "y.a.weight y.linear.weight y.linear.bias");
    assert_eq!(with("two(x, bias)"), "y.a.weight y.a.bias y.linear.weight y.linear.bias");
    assert_eq!(with("if deep { two(x, bias = false) } else { x }"), "y.a.weight y.linear.weight y.linear.bias");
}

#[test]
fn initial_distributions_go_where_they_are_said() {
    let init = |text: &str| {
        let model = line(text);
        let text = model.to_string();
        let lines = text.lines().skip_while(|line| *line != "parameters").skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.trim().to_string()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        init("y = pattention(x, ffn, init = (values = zero))"),
        "y.keys [ffn, 16] keys normal(0.02)\ny.values [ffn, 16] values zero"
    );
    assert_eq!(
        init("y = pattention(x, ffn, init = uniform(1 / sqrt(ffn)))"),
        "y.keys [ffn, 16] keys uniform(1 / sqrt(ffn))\ny.values [ffn, 16] values uniform(1 / sqrt(ffn))"
    );
    assert_eq!(
        init("y = linear(x, 2, bias, init = normal(1))"),
        "y.weight [2, 16] linear normal(1)\ny.bias [2] bias zero"
    );
    assert_eq!(
        init("y = linear(x, 2, bias, init = (bias = one))"),
        "y.weight [2, 16] linear normal(0.02)\ny.bias [2] bias one"
    );
}

#[test]
fn shapes_follow_slices_reductions_and_broadcasting() {
    let shape = |text: &str| {
        let model = line(text);
        let last = model.program.values.last().unwrap();
        model.shape_text(&last.ty.shape)
    };
    assert_eq!(shape("y = x[.., 4..]"), "[batch, 12]");
    assert_eq!(shape("y = x[.., 0]"), "[batch]");
    assert_eq!(shape("y = sum(x, axis = -1, keep)"), "[batch, 1]");
    assert_eq!(shape("y = mean(x)"), "[]");
    assert_eq!(shape("y = x * 3 + parameter[3, 1, 16]"), "[3, batch, 16]");
    assert_eq!(shape("y = concat(x, 2 * x, -x)"), "[batch, 48]");
    assert_eq!(shape("y = concat(parameter[3, 16], split_heads(x, 1), axis = 1)"), "[batch, 4, 16]");
    assert_eq!(shape("y = matmul(x, transpose(parameter[ffn, 16]))"), "[batch, ffn]");
    assert_eq!(shape("y = (x != 1) * (x >= 0)"), "[batch, 16]");
}

#[test]
fn what_leads_to_no_name_is_left_out() {
    let kept = line("y = matmul(x, transpose(parameter[4, 16])) |> gelu(tanh)");
    let expected = [Primitive::MatMul { transposed: true }, Primitive::Unary(Unary::GeluTanh)];
    assert_eq!(primitives(&kept), expected.iter().collect::<Vec<_>>());
}
