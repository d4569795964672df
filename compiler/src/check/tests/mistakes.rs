//! What wrong models are answered: text and answer in one snapshot.

use super::{answered, check_files};
use tfc_grammar::{Color, render_all};

/// The answers to several models, each around some lines of a model and of its `forward`.
fn answers(cases: &[(&str, &str)]) -> String {
    let answer = |(members, lines): &(&str, &str)| {
        let members = members.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let lines = lines.lines().map(|line| format!("    {line}\n")).collect::<String>();
        answered(&format!("model tiny {{\n{members}  forward(x: [16], ids: token_ids[8]) {{\n{lines}  }}\n}}\n"))
    };
    cases.iter().map(answer).collect::<Vec<_>>().join("\n----------------------------------------\n\n")
}

#[test]
fn names() {
    let answers = answers(&[
        ("let width = 8", "y = linear(x, widht)"),
        ("", "h = gelu(x)\ny = gleu(h)"),
        ("layer twice(x) { x + y }", "y = twice(x)"),
        ("", "y = linear(x, 4, bais)"),
        ("", "y = attention(x, x, x, casual)"),
        ("", "y = gelu(x, tan)"),
        ("", "e = embed(ids, 64, 8)\ny = unembed(e, tied = f)"),
        ("", "e = embed(ids, 64, 8)\nh = gelu(e)\ny = unembed(e, tied = h)"),
        ("", "e = embed(ids, 64, 8)\ny = e.wieght"),
        ("", "y = gelu(x)\ny = relu(y)"),
        ("", "y = pattention(x, 4, init = (keyz = zero))"),
        ("layer same(x, x) { x }", "y = same(x, x)"),
    ]);
    insta::assert_snapshot!(answers);
}

/// What would be found out by a later stage, in words that are no user's.
#[test]
fn what_nothing_behind_the_check_can_do() {
    let growing = "tokens n = 4\nlet width = 8";
    for (members, lines, said) in [
        ("", "w = parameter[8]\ny = matmul(w, parameter[8, 4])", "a matrix product needs `[.., m, k]` and `[k, n]`"),
        (
            growing,
            "e = embed(ids, 64, width)\nk = matmul(split_heads(e, 2), parameter[4, n])\ny = attention(k, k, k, causal)",
            "the channels of a head are no number that stays",
        ),
        ("", "loss = parameter[4]", "a parameter of the model cannot be called `loss`"),
        (
            "layer f(x: [.., t, d]) {\n  x * parameter[d](init = normal(1 / t))\n}",
            "y = f(embed(ids, 64, 8))",
            "numbers are drawn before any call",
        ),
    ] {
        let answer = answers(&[(members, lines)]);
        assert!(answer.contains(said), "{answer}");
    }
    let recipe = |forward: &str, data: &str| {
        answered(&format!(
            "model m {{\n  tokens n = 8\n  forward(ids: token_ids[8]) {{\n{forward}\n  }}\n  loss = mean(y)\n}}\n\
             data {{ train = \"a\"  {data} }}\ntrain {{ batch = 8  optimizer = adamw(lr = 1e-3)  steps = 1 }}\n"
        ))
    };
    let plain = "    y = embed(ids, 256, 16)";
    let named = recipe(plain, "validate = (rest = \"b\", rest = \"c\")");
    assert!(named.contains("error[E0306]: two validation sets are named `rest`"), "{named}");
    let unknown = recipe("    y = embed(ids, 256, 16)\n    z = yy", "");
    assert!(unknown.contains("error[E0201]: `yy` is not known here"), "{unknown}");
    let handed_on = recipe(
        "    e = embed(ids, 256, 16)\n    q = split_heads(e, 2)\n    mask = causal\n    y = attention(q, q, q, mask)",
        "",
    );
    assert!(!handed_on.contains("error"), "{handed_on}");
    let held = recipe(plain, "validate = (a = hold_out(5%), b = hold_out(1%))");
    assert!(held.contains("error[E0601]: a second set that is held out is not yet supported"), "{held}");
    let cut = "    e = embed(ids[0..1, ..], 256, 16)\n    y = rope(split_heads(e, 2))";
    let separate = recipe(cut, "documents = separate");
    assert!(separate.contains("separate documents are not yet supported with attention among"), "{separate}");
    for (width, shown) in [("normal(sqrt(n - 100))", "NaN"), ("uniform(n - 100)", "-92")] {
        let drawn = recipe(&format!("    w = parameter[16](init = {width})\n    y = embed(ids, 256, 16) * w"), "");
        assert!(drawn.contains(&format!("`w` would be drawn from a distribution as wide as {shown}")), "{drawn}");
    }
}

/// Whatever the mask is.
#[test]
fn queries_and_keys_have_the_same_positions() {
    let twice =
        "e = embed(ids, 64, 24)\nlong = concat(e, e, axis = 1)\nq = split_heads(e, 3)\nk = split_heads(long, 3)";
    for mask in ["full", "causal", "window(4)"] {
        let said = answers(&[("", &format!("{twice}\ny = attention(q, k, k, {mask})"))]);
        assert!(said.contains("queries and keys differ in batch, positions or channels"), "{mask}: {said}");
    }
}

/// Each class of an input needs a column of the logits, and a row where it is looked up.
#[test]
fn classes() {
    let with = |lines: &str, loss: &str| {
        answered(&format!(
            "model tiny {{\n  let width = 5\n  forward(x: [16], label: class[10]) {{\n    {lines}\n  }}\n  {loss}\n}}\n"
        ))
    };
    let logits =
        with("logits = linear(x, width)", "loss = cross_entropy(logits, label)\n  hits = accuracy(logits, label)");
    assert_eq!(
        logits.matches("error[E0302]: `label` has 10 classes, and there are 5 columns\n").count(),
        2,
        "{logits}"
    );
    let table = with("e = embed(label, width, 16)", "size = mean(e)");
    assert!(table.contains("error[E0302]: `label` has 10 classes, and there are 5 rows\n"), "{table}");
    let cut = with("e = embed(label[0..1], width, 16)", "size = mean(e)");
    assert!(cut.contains("error[E0302]: `label` has 10 classes, and there are 5 rows\n"), "{cut}");
    let wider = with("logits = linear(x, 12)", "loss = cross_entropy(logits, label)");
    assert!(!wider.contains("error"), "{wider}");
}

/// What ids are looked up in is as long as a stage says: kernels do not check them.
#[test]
fn ids_have_a_place_in_every_stage() {
    let class = |stages: &str| {
        answered(&format!(
            "model tiny {{\n  tokens n = 10\n  forward(x: [16], label: class[10]) {{\n    e = embed(label, n, 16)\n  }}\n  loss = mean(e + x)\n}}\n\
             train {{ batch = 8  optimizer = adamw(lr = 1e-3) }}\ngrow {{\n  stage \"a\" {{ steps = 1 }}\n  stage \"b\" {{ {stages} steps = 1 }}\n}}\n"
        ))
    };
    let shrunk = class("n = 3 by importance ");
    assert!(shrunk.contains("error[E0302]: `label` has 10 classes and the embedding has 3 rows\n"), "{shrunk}");
    assert!(shrunk.contains("3 rows in stage \"b\""), "{shrunk}");
    assert!(!class("n = 12 ").contains("E0302"), "{}", class("n = 12 "));

    let text = |line: &str| {
        answered(&format!(
            "model tiny {{\n  forward(ids: token_ids[8]) {{\n    {line}\n  }}\n  loss = mean(e)\n}}\n\
             data {{ train = \"a\"  tokenizer = bytes }}\n"
        ))
    };
    let known = "error[E0701]: the tokenizer makes 256 ids and the embedding has 4 rows\n";
    for line in [
        "e = embed(transpose(transpose(ids)), 4, 16)",
        "e = embed(ids[.., 0..1], 4, 16)",
        "e = embed(ids[.., 0], 4, 16)",
    ] {
        assert!(text(line).contains(known), "{line}: {}", text(line));
    }
    let followed = text("f = embed(ids, 256, 16)\n    e = lookup(ids, f[0, .., ..])");
    let said = "error[E0302]: what `ids` holds does not follow the length of a call, and there are sequence rows\n";
    assert!(followed.contains(said), "{followed}");
}

/// What is computed with is 32-bit floating point: what that does not hold would be zero, or infinite, and the loss NaN.
#[test]
fn numbers_that_tensors_do_not_hold() {
    for (line, said) in [
        ("y = x * 1e39", "error[E0408]: the number 1e39 is out of range\n"),
        ("y = x / 1e-45", "too small for 32-bit floating point, where it is as good as zero"),
        ("y = x / 0", "error[E0407]: division by zero\n"),
        ("y = layernorm(x, eps = 1e-60)", "too small for 32-bit floating point"),
        ("y = linear(x, 4, init = normal(1e300))", "error[E0408]: the spread is out of range\n"),
        ("y = x * first(x, uniform(1e-300, 1e-299))", "error[E0408]: the spread is out of range\n"),
        (
            "n = split_heads(embed(ids, 4, 4), 1)\ny = attention(n, n, n, window(1e10))",
            "at most 1073741824 positions: `causal` has no end",
        ),
        ("n = split_heads(embed(ids, 4, 4), 1)\ny = rope(n, base = 1e-50)", "too small for 32-bit floating point"),
    ] {
        let answers = answers(&[("", line)]);
        assert!(answers.contains(said), "{answers}");
    }
    let fine = answers(&[("", "a = x * 2e-38 + x * 3e38 - x * 0\ny = layernorm(a, eps = 0)")]);
    assert!(!fine.contains("error"), "{fine}");
}

/// A scale is a number in the first stage, and in those that retune it; one that is kept is not looked at.
#[test]
fn scales_that_are_no_numbers() {
    let model = |growth: &str| {
        let layer = "linear(pattention(x, n, theta = l2_gelu(scale = sqrt(12 - n))), 3)";
        let stages =
            format!("grow {{\n  stage \"a\" {{ steps = 1 }}\n  stage \"b\" {{ n = 16  steps = 1  {growth} }}\n}}");
        let train = "train { batch = 1  optimizer = adamw(lr = 1) }";
        let forward = format!("forward(x: [4], label: class[3]) {{\n    logits = {layer}\n  }}");
        answered(&format!(
            "model tiny {{\n  tokens n = 8\n  {forward}\n  loss = cross_entropy(logits, label)\n}}\n{train}\n{stages}\n"
        ))
    };
    let retuned = model("scale = retune");
    assert_eq!(
        retuned.matches("error[E0408]: the scale `n.scale` would be NaN in stage \"b\"\n").count(),
        1,
        "{retuned}"
    );
    let kept = model("scale = keep");
    assert!(!kept.contains("error"), "{kept}");
}

/// A layer of the user's that the library calls is no part of the library.
#[test]
fn layers_that_the_library_calls() {
    let layer = "layer chosen(a: [.., 8], k) { top_k(a, k) }";
    let said = answers(&[(layer, "y = pattention(x, 4, mask = chosen(2))")]);
    assert!(said.contains("it happens inside `pattention` of the standard library\n"), "{said}");
}

#[test]
fn shapes() {
    let answers = answers(&[
        ("let width = 8", "h = linear(x, width)\ny = x + h"),
        ("let width = 8\nlayer add(a: [.., d], b: [.., d]) { a + b }", "h = linear(x, width)\ny = add(x, h)"),
        ("layer wide(a: [.., 32]) { a }", "y = wide(x)"),
        ("layer deep(a: [b, t, d]) { a }", "y = deep(x)"),
        ("let heads = 3", "y = split_heads(x, heads)"),
        ("", "y = rope(x)"),
        ("", "y = matmul(x, parameter[8, 4])"),
        (
            "let a = 12\nlet b = 18",
            "e = embed(ids, 64, 24)\nq = linear(e, a) |> split_heads(3)\nk = linear(e, b) |> split_heads(3)\ny = attention(q, k, k, causal)",
        ),
        ("", "e = embed(ids, 64, 8) |> positions"),
        ("", "e = embed(ids, 64, 8) |> positions(4)"),
        ("", "y = embed(x, 64, 8)"),
        ("", "e = ids + ids"),
        ("", "h = x[.., 3..3]"),
        ("", "h = embed(ids, 4, 4)[.., 5, ..]"),
        ("", "h = concat(x, embed(ids, 4, 4))"),
    ]);
    insta::assert_snapshot!(answers);
}

#[test]
fn values() {
    let answers = answers(&[
        ("", "y = dropout(x, 1.5)"),
        ("", "y = drop_path(x, 1)"),
        ("", "y = linear(x, 4.5)"),
        ("", "y = linear(x, 8 / 0)"),
        ("tokens ffn = 8", "y = pattention(x, ffn / 3)"),
        ("tokens ffn = 8", "y = pattention(x, 2 * ffn)"),
        ("tokens ffn = 8", "y = if ffn < 9 { x } else { (-x) }"),
        ("", "y = if x { x } else { (-x) }"),
        ("", "y = rope(split_heads(x, 4), fraction = 25%)"),
        ("", "y = linear(x, 1e15)"),
        ("", "y = linear(x, -4)"),
        ("", "y = repeat(x, linear, x)"),
        ("", "y = repeat(2, 3, x)"),
        ("", "y = \"text\""),
        ("", "y = pattention(x, 4, init = normal(-1))"),
        ("", "y = pattention(x, 4, init = nil)"),
        ("", "y = pattention(x, 4, theta = 3)"),
        ("", "y = pattention(x, 4, mask = first(25%))"),
        ("", "y = next(x)"),
        ("", "y = gelu(parameter[4](role = kyes))"),
    ]);
    insta::assert_snapshot!(answers);
}

#[test]
fn choices() {
    let answers = answers(&[
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(9))"),
        ("", "y = pattention(x, 4, mask = top_k(5))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(0))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(25%))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(ffn / 4))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(ffn - 8))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(mean(x)))"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k)"),
        ("tokens ffn = 8", "y = pattention(x, ffn, mask = top_k(all))"),
        ("layer mixed(e: [.., t, d]) { top_k(transpose(e), 2) }", "e = embed(ids, 4, 8)\ny = mixed(e)"),
        ("layer mixed(e: [.., t, d]) { top_k(e, t) }", "e = embed(ids, 4, 8)\ny = mixed(e)"),
        ("", "y = top_k(sum(x), 1)"),
        ("", "y = top_k(ids, 1)"),
    ]);
    insta::assert_snapshot!(answers);
}

/// Said of the first stage that cannot, where it is chosen.
#[test]
fn a_choice_that_one_stage_cannot_make() {
    insta::assert_snapshot!(answered(
        "model m {\n  tokens chosen = 4\n  tokens n = 8\n  forward(x: [4]) {\n    y = pattention(x, n, mask = top_k(chosen))\n  }\n}\n\ngrow {\n  stage \"small\" { steps = 1 }\n  stage \"more\" { chosen = 12  steps = 1 }\n  stage \"enough\" { n = 16  steps = 1 }\n}\n"
    ));
}

#[test]
fn limits() {
    let answers = answers(&[
        ("", "y = repeat(1e12, gelu, x)"),
        ("layer nothing(x) { x }", "y = repeat(1e9, nothing, x)"),
        ("layer a(x) { b(x) }\nlayer b(x) { a(x) }", "y = a(x)"),
        ("layer self(x, f: layer) { f(x, f) }", "y = self(x, self)"),
        ("layer block(x) { x + linear(x, 16) }", "h = repeat(2, block, x)\ny = repeat(2, block, h)"),
        ("let a = 9e15", "y = linear(x, a) |> linear(a)"),
    ]);
    insta::assert_snapshot!(answers);
}

#[test]
fn inputs_and_losses() {
    let texts = [
        "model m {\n  forward(x, y: tensor[3], z: image[2]) {\n    h = gelu(x)\n  }\n}\n",
        "model m {\n  tokens n = 4\n  forward(x: [n]) {\n    h = gelu(x)\n  }\n}\n",
        "model m {\n  forward(x: [4]) {\n    h = gelu(x)\n    h\n  }\n  loss = next(x)\n}\n",
        "model m {\n  forward(x: [4]) {\n    h = gelu(x)\n  }\n  forward(x: [4]) {\n    h = gelu(x)\n  }\n}\n",
        "model m {\n  forward(x: [4], label: class[3]) {\n    h = linear(x, 5)\n  }\n  loss = cross_entropy(label, h)\n}\n",
        "model m {\n  let causal_only = true\n  let size = causal_only + 1\n  let theta = \"a\"\n  tokens n = big\n  forward(x: [4]) {\n    h = linear(x, n)\n  }\n}\n",
        "let a = b + 1\nlet b = 2 * c\nlet c = a\nlet d = 2 / (1 - 1)\nlet e = 1e300 * 1e300\n",
        "layer pair(x) {\n  a = linear(x, y)\n  b = liner(a, 3)\n  c = linear(a, 3, outt = 4)\n  a + b + c\n}\n",
    ];
    let answers = texts.map(answered).join("\n----------------------------------------\n\n");
    insta::assert_snapshot!(answers);
}

#[test]
fn images() {
    let experiment = |images: &str| {
        format!(
            "model m {{\n  forward(image: image[1, 8, 8], label: class[2]) {{\n    h = patches(image, 8) |> linear(2)\n    logits = mean(h, axis = 1)\n  }}\n  loss = cross_entropy(logits, label)\n}}\n\ndata {{\n  train = \"images\"\n  images = {images}\n}}\n"
        )
    };
    let cases = ["augment(crop = 0)", "augment(crop = 2, flip)", "augment", "augment(flop)", "turn(90)", "0.5"];
    let texts = cases.map(|case| answered(&experiment(&format!("normalize(mean = 0.5, std = 0.5) |> {case}"))));
    insta::assert_snapshot!(texts.join("\n----------------------------------------\n\n"));
}

#[test]
fn separate_documents() {
    let text = "model m {\n  forward(ids: token_ids[8]) {\n    e = embed(ids, 256, 8)\n    token = parameter[1, 8]\n    h = concat(token, e, axis = 1) |> split_heads(2)\n    y = merge_heads(attention(h, h, h, full))\n  }\n  loss = mean(y * y)\n}\ndata {\n  train = \"text\"\n  documents = separate\n}\n";
    insta::assert_snapshot!(answered(text));
}

/// A mean over the positions that is added to each of them, and scores without attention; a mean loss has no positions, and a shift is what `next` does.
#[test]
fn separate_documents_that_meet_outside_of_attention() {
    let experiment = |lines: &str| {
        format!(
            "model m {{\n  forward(ids: token_ids[8]) {{\n    e = embed(ids, 256, 8)\n{lines}  }}\n  loss = mean(y * y)\n}}\ndata {{\n  train = \"text\"\n  documents = separate\n}}\n"
        )
    };
    let refused = ["    y = e + mean(e, axis = 1, keep)\n", "    y = softmax(matmul(e, transpose(e)))\n"];
    let texts = refused.map(|lines| answered(&experiment(lines)));
    insta::assert_snapshot!(texts.join("\n----------------------------------------\n\n"));
    for lines in ["    y = e\n", "    h = split_heads(e, 2)\n    y = attention(h, h, h, full)\n"] {
        let text = experiment(lines);
        assert_eq!(answered(&text), format!("{text}\n"));
    }
}

#[test]
fn inputs_called_as_those_of_entries() {
    insta::assert_snapshot!(answered(
        "model m {\n  forward(seed: [4], positions: [4]) {\n    h = seed + positions\n  }\n}\n"
    ));
}

/// The shell takes quotes away: `--set data.train="my/text"` arrives without them.
#[test]
fn settings_without_their_quotes() {
    let text = "model tiny {\n  forward(x: [16]) {\n    y = linear(x, 4)\n  }\n}\n\ndata { train = \"text\" }\n";
    let (sources, checked) =
        check_files(&[("root.tfm", text)], &["data.train=my/text", "data.validate=/tmp/other", "data.tokenizer=bites"]);
    insta::assert_snapshot!(render_all(&sources, &checked.diagnostics, Color::Never));
}
