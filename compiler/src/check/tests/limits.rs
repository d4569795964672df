//! Absurd files are answered in time, within the stack of a test's thread, and by an error.

use super::{check_files, model};
use std::fmt::Write;
use tfc_grammar::Code;

/// The codes that a file is answered.
fn codes(text: &str) -> Vec<Code> {
    let (_, checked) = check_files(&[("root.tfm", text)], &[]);
    assert!(checked.model.is_none());
    checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn repeated(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn long_chains_of_layers_and_definitions() {
    let layers = repeated(1000, |i| format!("layer f{i}(x) {{ f{}(x) }}", i + 1));
    let text = format!("{layers}\nlayer f1000(x) {{ x }}\nmodel m {{\n  forward(x: [4]) {{\n    y = f0(x)\n  }}\n}}\n");
    assert_eq!(codes(&text), [Code::NestingTooDeep]);

    let constants = repeated(5000, |i| format!("let c{i} = c{} + 1", i + 1));
    assert!(codes(&format!("{constants}\nlet c5000 = 1")).contains(&Code::NestingTooDeep));
    let tokens = repeated(5000, |i| format!("tokens t{i} = t{} + 1", i + 1));
    assert!(codes(&format!("{tokens}\ntokens t5000 = 1")).contains(&Code::NestingTooDeep));
}

#[test]
fn the_deepest_expressions_in_the_deepest_layers() {
    let chain = format!("x{}", " + x".repeat(250));
    let layers =
        repeated(100, |i| format!("layer f{i}(x) {{ {} }}", chain.replacen('x', &format!("f{}(x)", i + 1), 1)));
    let text = format!("{layers}\nlayer f100(x) {{ x }}\nmodel m {{\n  forward(x: [4]) {{\n    y = f0(x)\n  }}\n}}\n");
    assert_eq!(codes(&text), [Code::NestingTooDeep]);
}

#[test]
fn sums_of_sums_and_products_of_products() {
    let around = |tokens: &str, lines: &str| {
        format!("model m {{\n{tokens}\n  forward(x: [4]) {{\n    a0 = sqrt(n)\n{lines}\n    y = x * a60\n  }}\n}}\n")
    };
    let doubled = repeated(60, |i| format!("    a{} = a{i} + a{i}", i + 1));
    assert_eq!(codes(&around("  tokens n = 4", &doubled)), [Code::SizeOverflow]);
    let squared = repeated(60, |i| format!("    a{} = a{i} * a{i}", i + 1));
    let squared = around("  tokens n = 4", &squared).replace("sqrt(n)", "n + 1");
    assert_eq!(codes(&squared), [Code::SizeOverflow]);
}

#[test]
fn layers_that_double() {
    let layers = repeated(40, |i| format!("layer f{i}(x) {{ f{}(x) + f{}(x) }}", i + 1, i + 1));
    let text = format!("{layers}\nlayer f40(x) {{ x }}\nmodel m {{\n  forward(x: [4]) {{\n    y = f0(x)\n  }}\n}}\n");
    assert_eq!(codes(&text), [Code::SizeOverflow]);
    let files: Vec<(String, String)> =
        (0..30).map(|i| (format!("f{i}.tfm"), format!("use \"f{}.tfm\"\nuse \"f{}.tfm\"\n", i + 1, i + 1))).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.extend([("f30.tfm", ""), ("root.tfm", "use \"f0.tfm\"")]);
    let (_, checked) = check_files(&files, &[]);
    assert!(checked.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::NestingTooDeep));
}

#[test]
fn a_long_model_is_no_absurd_one() {
    let mut text = String::from("model m {\n  forward(x: [4]) {\n    h0 = x\n");
    for i in 0..3000 {
        writeln!(text, "    h{} = linear(h{i}, 4, init = normal(1)) |> gelu(erf)", i + 1).unwrap();
    }
    text += "  }\n}\n";
    assert_eq!(model(&text).parameters.len(), 3000);
}

#[test]
fn the_deepest_expression_that_parses() {
    let mut expr = String::from("x");
    for _ in 0..60 {
        expr = format!("({expr}{})", " + x".repeat(250));
    }
    let text = format!("model m {{\n  let x = 1\n  let y = {expr}\n  forward(x: [4]) {{\n    y = {expr}\n  }}\n}}\n");
    let (_, checked) = check_files(&[("root.tfm", &text)], &[]);
    assert!(checked.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::NestingTooDeep));
}
