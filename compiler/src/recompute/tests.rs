//! Whatever is computed again, gradients are the same to the bit, by the interpreter and by the plan; and less is kept.

use super::ladder::{climb, step, work};
use super::*;
use crate::check::tests::model;
use crate::compile::lowered;
use crate::compiled::Entry;
use crate::graph::{DType, Op, verify};
use crate::interpret::{Data, Memory, Tensor, interpret};
use crate::passes;
use crate::plan::{self, Program, compile_entry, layout};
use crate::precision::Precision;
use crate::size::{SizeValues, Symbol};
use crate::storage::Storage;
use std::cell::Cell;

/// The gradient of a language model of so many layers, after all other passes.
fn gradient(depth: u32) -> Graph {
    let text = format!(
        "model deep {{
           tokens qkv = 16
           tokens ffn = 32
           layer attend(x: [.., d]) {{
             q = pattention(x, qkv) |> split_heads(2) |> rope
             k = pattention(x, qkv) |> split_heads(2) |> rope
             v = pattention(x, qkv) |> split_heads(2)
             attention(q, k, v, causal) |> merge_heads |> linear(16)
           }}
           layer block(x: [.., d]) {{
             y = x + attend(layernorm(x))
             y + (pattention(layernorm(y), ffn) |> dropout(10%))
           }}
           forward(ids: token_ids[24]) {{
             e = embed(ids, 31, 16)
             logits = unembed(layernorm(repeat({depth}, block, e), affine), tied = e)
           }}
           loss = cross_entropy(logits, next(ids))
         }}"
    );
    passes::optimize(&lowered(&model(&text), &Entry::Gradient), &[], |_, _| {})
}

/// The same of a layer of so many products, one after the other.
fn long(products: usize) -> Graph {
    let line = |i| format!("h{i} = linear(y{i}, 16)\ny{} = y{i} + tanh(h{i})\n", i + 1);
    let lines: String = (0..products).map(line).collect();
    let text = format!(
        "model long {{
           layer block(y0: [.., d]) {{ {lines} y{products} }}
           forward(x: [24, 16], label: class[3]) {{ logits = linear(mean(repeat(2, block, x), axis = 1), 3) }}
           loss = cross_entropy(logits, label)
         }}"
    );
    passes::optimize(&lowered(&model(&text), &Entry::Gradient), &[], |_, _| {})
}

fn sizes(graph: &Graph) -> SizeValues {
    let mut sizes = SizeValues::new(&graph.symbols).with(Symbol::BATCH, 2).with(Symbol::SEQUENCE, 24);
    for index in 0..graph.symbols.len() as u32 {
        match graph.symbols.name(Symbol(index)) {
            name if name.ends_with("ffn") => sizes.set(Symbol(index), 32),
            name if name.contains("qkv") || name.contains("attend") => sizes.set(Symbol(index), 16),
            _ => {}
        }
    }
    sizes
}

/// Noise for what is loaded.
fn memory(graph: &Graph, sizes: &SizeValues) -> Memory {
    let mut memory = Memory::default();
    for id in graph.ids() {
        let Op::Load(storage) = graph.node(id).op else { continue };
        let ty = &graph.node(id).types[0];
        let shape: Vec<usize> = ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
        let stream = if let Storage::Parameter(i) = storage { i } else { 1000 };
        let noise = (0..shape.iter().product::<usize>()).map(|i| crate::random::uniform([3, 4], stream, i as u64));
        let tensor = match ty.dtype {
            DType::F32 | DType::BF16 => Tensor::f32(shape, noise.map(|x| x - 0.5).collect()),
            DType::I32 => Tensor::i32(shape, noise.map(|x| (x * 31.0) as i32).collect()),
        };
        memory.set(storage, tensor);
    }
    memory
}

fn bits(graph: &Graph, memory: &Memory) -> Vec<Vec<u64>> {
    let stored = |target| match &memory.find(target).expect("it was written").data {
        Data::F32(data) => data.iter().map(|x| x.to_bits()).collect(),
        Data::I32(data) => data.iter().map(|x| *x as u64).collect(),
    };
    graph.outputs.iter().map(|output| stored(output.target)).collect()
}

fn planned(graph: &Graph) -> Program {
    compile_entry(graph, Precision::F32, &Disabled::default())
}

#[test]
fn gradients_are_the_same_to_the_bit_and_take_less_memory() {
    let whole = gradient(2);
    let sizes = sizes(&whole);
    let results = |graph: &Graph, program: &Program| {
        let [mut interpreted, mut evaluated] = [(); 2].map(|()| memory(&whole, &sizes));
        interpret(graph, &sizes, &mut interpreted);
        plan::evaluate(program, &program.plans[0], &sizes, &mut evaluated);
        [bits(graph, &interpreted), bits(graph, &evaluated)]
    };
    let program = planned(&whole);
    let (expected, all) = (results(&whole, &program), layout(&program.plans[0], &sizes).live_bytes);
    let rungs = ladder(&whole, &sizes, &Disabled::default());
    assert!(rungs.len() > 5, "{rungs:#?}");
    let mut least = all;
    for rung in &rungs[1..] {
        let graph = recompute(&whole, &rung.recomputed, &Disabled::default());
        assert_eq!(verify(&graph), []);
        let program = planned(&graph);
        let plan = &program.plans[0];
        assert_eq!(plan::verify(&program, plan).len() + plan::verify_at(&program, plan, &sizes).len(), 0);
        assert!(results(&graph, &program) == expected, "{rung:?} changes a gradient");
        least = least.min(layout(plan, &sizes).live_bytes);
    }
    assert!(least < all * 2 / 3, "{least} of {all} bytes are left");
}

#[test]
fn layers_go_on_to_share_their_kernels() {
    let kernels = |depth: u32| {
        let whole = gradient(depth);
        let rungs = ladder(&whole, &sizes(&whole), &Disabled::default());
        planned(&recompute(&whole, &rungs[rungs.len() - 1].recomputed, &Disabled::default())).kernels.len()
    };
    assert_eq!(kernels(3), kernels(6));
}

/// The rungs do not depend on the depth of a model, and what they keep is what every layer keeps.
#[test]
fn a_ladder() {
    let whole = gradient(4);
    let text = |rung: &Rung| {
        let last = rung.recomputed.last().map_or("keeping all", String::as_str);
        format!("{:>9} operations again, {:>7} bytes kept: {last}", rung.flops, rung.kept_bytes)
    };
    let rungs = ladder(&whole, &sizes(&whole), &Disabled::default());
    insta::assert_snapshot!(rungs.iter().map(text).collect::<Vec<_>>().join("\n"));
    let again = recompute(&whole, &rungs[1].recomputed, &Disabled::default());
    let added = again.ids().filter(|id| again.node(*id).origin.again).map(|id| again.node(id).origin.path.clone());
    assert!(added.flatten().all(|path| path.starts_with("block.")), "{again}");
}

/// Each rung found anew from all that is left, and the next by trying every role.
fn found_anew(graph: &Graph, sizes: &SizeValues) -> Vec<Rung> {
    let parts = Parts::of(graph, &Disabled::default());
    let rung = |recomputed: Vec<String>| {
        let Again { nodes, kept, .. } = parts.again(&recomputed);
        let flops = nodes.iter().map(|node| work(graph, *node, sizes)).sum();
        let kept_bytes = kept.iter().map(|value| 4 * graph.ty(*value).elements().eval(sizes) as u64).sum();
        Rung { recomputed, flops, kept_bytes }
    };
    let mut rungs = vec![rung(Vec::new())];
    loop {
        let last = &rungs[rungs.len() - 1];
        let worth = |next: &Rung| (last.kept_bytes - next.kept_bytes) as f64 / (next.flops - last.flops).max(1.0);
        let rest = parts.roles().filter(|role| !last.recomputed.contains(role));
        let next = rest.map(|role| rung([&last.recomputed[..], std::slice::from_ref(role)].concat()));
        let freeing = next.filter(|next| next.kept_bytes < last.kept_bytes);
        let best = freeing.reduce(|best, next| if worth(&next) > worth(&best) { next } else { best });
        let all = Some(rung(parts.roles().cloned().collect())).filter(|all| all.kept_bytes < last.kept_bytes);
        let Some(next) = best.or(all) else { return rungs };
        rungs.push(next);
    }
}

#[test]
fn steps_lead_to_the_rungs_that_are_found_anew() {
    for graph in [gradient(1), gradient(3), long(1), long(7)] {
        let sizes = sizes(&graph);
        let rungs = ladder(&graph, &sizes, &Disabled::default());
        assert_eq!(rungs, found_anew(&graph, &sizes));
        for rung in rungs {
            let graph = recompute(&graph, &rung.recomputed, &Disabled::default());
            let again = graph.ids().filter(|id| graph.node(*id).origin.again);
            assert_eq!(rung.flops, again.map(|id| work(&graph, id, &sizes)).sum::<f64>());
        }
    }
}

/// A step that is taken changes few others, however many there are.
#[test]
fn few_steps_are_found_twice() {
    let found = |products: usize| {
        let graph = long(products);
        let (parts, sizes, found) = (Parts::of(&graph, &Disabled::default()), sizes(&graph), Cell::new(0));
        let whole = Rung { recomputed: Vec::new(), flops: 0.0, kept_bytes: u64::MAX };
        let rungs = climb(&parts, whole, &|before, roles| {
            found.set(found.get() + 1);
            step(&parts, before, roles, &sizes)
        });
        assert!(rungs.len() > products, "{} rungs", rungs.len());
        found.get()
    };
    let [few, many] = [10, 40].map(found);
    assert!(many <= 4 * few + 10, "{few} and {many}");
}

#[test]
fn what_is_switched_off_is_not_done() {
    let disabled = Disabled::named(&["checkpointing".into()]).unwrap();
    let whole = gradient(2);
    let rungs = ladder(&whole, &sizes(&whole), &Disabled::default());
    assert_eq!(ladder(&whole, &sizes(&whole), &disabled).len(), 1);
    assert_eq!(recompute(&whole, &rungs[1].recomputed, &disabled).to_string(), whole.to_string());
}
