//! Syntax errors as people see them: the text and what is said of it, side by side.

use tfc_grammar::{Code, Color, Sources, parse, parse_bytes, render_all};

/// The text, then the rendered errors.
fn report(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("model.tfm", text);
    let (_, errors) = parse(&sources, file);
    format!("{text}\n{}\n{}", "-".repeat(80), render_all(&sources, &errors, Color::Never))
}

macro_rules! snapshot {
    ($name:ident, $text:literal) => {
        #[test]
        fn $name() {
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(stringify!($name), report($text));
            });
        }
    };
}

snapshot!(
    several_errors_in_one_run,
    r#"modle other {
}

model tiny {
  let width 64
  let heads = = 4
  tokens qkv = 64 64

  layer attend(x [.., d]) {
    x
  }

  layer block(x: [.., d]) {
    y = x + attend(layernorm(x)
    z = attend(y, (2 + 3)
    y + z
  }

  loss == cross_entropy(logits)
}

train {
  batch: 512
  seed = 42
}
"#
);

snapshot!(
    statements_without_separator,
    r#"train {
  batch = 8 seed = 1
}

grow {
  stage "a" { qkv = 1 proj = 2  steps = 3 } stage "b" { on old { freeze } steps = 1 }
}
"#
);

snapshot!(
    operators_that_begin_a_statement,
    r#"layer f(x: [.., d]) {
  y = x
    + x
  z = y  * 2
  -z
}

layer g(x) {
  -x
}
"#
);

snapshot!(
    habits_from_other_languages,
    r#"layer f(x: [.., d]) {
  let y = gelu (x)
  let z = y;
  w = y ^ 2
  v = w ** 2
  if x > 0 && x < 1 { x } else { v }
}

train {
  # a comment
  batch: 8,
  steps = 600k
  seed = 1_000
  lr = 6E-4
  path = 'data'
  warmup = 10 %
  decay -= 1
  epochs = 3,
  beta = 0.9,  eps = 1e-8
}
"#
);

snapshot!(typeset_characters, "layer f(x) {\n  y = x − 1\n  z = “text”\n  w = y\u{a0}+ z\n  ü\n}\n");

snapshot!(
    misspelt_keywords,
    r#"modl a {
}

model b {
  token qkv = 64
  foward(x: [16]) {
    y = x
  }
}

trian {
  batch = 8
}

grow {
  stag "a" { steps = 1 }
}
"#
);

snapshot!(
    strings,
    r#"data {
  train = "data/train
  validate = "data\validate"
  tokenizer = "ok"
}
"#
);

snapshot!(
    strings_that_hide_a_brace,
    r#"grow {
  stage "124M { steps = 600K
  }
}
"#
);

snapshot!(
    braces_that_do_not_pair_up,
    r#"model tiny {
  layer f(x) {
    x

  layer g(x) {
    x
  }
}

train {
  batch = 8
}
"#
);

snapshot!(
    a_brace_too_many,
    r#"model tiny {
  layer f(x) {
    x
  }
  }
}
"#
);

snapshot!(
    a_block_without_end,
    r#"model tiny {
  let width = 64
"#
);

snapshot!(
    parentheses_without_end,
    r#"model tiny {
  let a = (64 + 64
  let b = [64 + 64)
  let c = 64)
  let d = f(
    x y,
    z
  )
  let e = f(
    x,
}
"#
);

snapshot!(
    numbers_out_of_range,
    r#"model tiny {
  let a = 1e999
  let b = 1e-999
  let c = f(1e308K)
  tokens d = block[1e400]
}
"#
);

snapshot!(
    results_that_are_not_last,
    r#"layer f(x: [.., d]) {
  gelu(x)
  y = x
  silu(y)
  y
}
"#
);

snapshot!(
    pipes_into_values,
    r#"layer f(x: [.., d]) {
  y = x |> gelu * 2
  z = x |> 3
  y |> f(z)[0]
}
"#
);

snapshot!(
    unfinished_text,
    r#"model tiny {
  let
  let width
  let heads =
  tokens
  layer
  layer f
  layer g(
}
"#
);

snapshot!(
    paths_and_rules,
    r#"train {
  on { freeze }
  on old freeze
  block[8..12.ffn *= 2
  block.ffn.3x = 2
  expect = 3
  use "x"
}
"#
);

#[test]
fn nesting_too_deep() {
    let deep = |open: &str, close: &str, times: usize| {
        format!("layer f(x) {{\n  y = {}x{}\n  1e999\n}}\n", open.repeat(times), close.repeat(times))
    };
    let codes = |text: &str| {
        let mut sources = Sources::default();
        let file = sources.add("model.tfm", text);
        parse(&sources, file).1.iter().map(|error| error.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&deep("(", ")", 63)), [Code::NumberOutOfRange]);
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("f[", "]"), ("if a { ", " } else { b }")] {
        assert_eq!(codes(&deep(open, close, 64)), [Code::NestingTooDeep, Code::NumberOutOfRange], "{open}");
        assert_eq!(codes(&deep(open, close, 10_000)), [Code::NestingTooDeep, Code::NumberOutOfRange], "{open}");
    }
    for (open, close) in [("", " + x"), ("", "(x)"), ("", "[0]"), ("", ".a"), ("", " |> f"), ("", " < 3")] {
        assert_eq!(codes(&deep(open, close, 250)), [Code::NumberOutOfRange], "{close}");
        assert_eq!(codes(&deep(open, close, 10_000)), [Code::NestingTooDeep, Code::NumberOutOfRange], "{close}");
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    let mut sources = Sources::default();
    let (_, errors) = parse_bytes(&mut sources, "model.tfm", b"model tiny {\n  // caf\xE9\n}\n");
    insta::assert_snapshot!("bytes_that_are_not_utf8", render_all(&sources, &errors, Color::Never));
}

/// The other codes' examples are tried where those errors are found.
#[test]
fn the_examples_of_syntax_codes_cause_them() {
    let syntax = Code::ALL.iter().filter(|code| code.id().starts_with("E01"));
    for (code, example) in syntax.filter_map(|code| Some((*code, code.example()?))) {
        let mut sources = Sources::default();
        let file = sources.add("example.tfm", example);
        let (_, errors) = parse(&sources, file);
        let codes: Vec<Code> = errors.iter().map(|error| error.code).collect();
        assert_eq!(codes, [code], "{}", render_all(&sources, &errors, Color::Never));
    }
}

#[test]
fn the_examples_of_other_codes_have_no_syntax_error() {
    let other = Code::ALL.iter().filter(|code| !code.id().starts_with("E01"));
    for example in other.filter_map(|code| code.example()) {
        let mut sources = Sources::default();
        let file = sources.add("example.tfm", example);
        let (_, errors) = parse(&sources, file);
        assert!(errors.is_empty(), "{}", render_all(&sources, &errors, Color::Never));
    }
}
