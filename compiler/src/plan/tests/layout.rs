//! Layouts: what lives at the same time does not overlap, and little is wasted.

use crate::graph::DType;
use crate::plan::{Buffer, BufferId, Layout, Lender, Place, Plan, Spot, Step, chunks, layout};
use crate::precision::Precision;
use crate::size::{Size, SizeValues, Symbol, Symbols};
use crate::storage::Storage;
use proptest::prelude::*;

/// A plan of buffers alone: (elements, first step, steps it lives on).
fn plan_of(lives: &[(i64, u32, u32)]) -> Plan {
    let buffer = |&(elements, first, more): &(i64, u32, u32)| Buffer {
        name: String::new(),
        dtype: DType::F32,
        elements: Size::symbol(Symbol::BATCH) * Size::constant(elements),
        place: Place::Arena { first, last: first + more },
    };
    Plan {
        precision: Precision::F32,
        name: "lives".into(),
        symbols: Symbols::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        tables: Vec::new(),
        buffers: lives.iter().map(buffer).collect(),
        steps: vec![Step::Zero(BufferId(0)); 60],
        lenders: Vec::new(),
    }
}

fn layout_of(plan: &Plan, batch: i64) -> Layout {
    layout(plan, &SizeValues::new(&plan.symbols).with(Symbol::BATCH, batch))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_lives_at_the_same_time_does_not_overlap(lives in prop::collection::vec((0..5000i64, 0..40u32, 0..20u32), 1..60)) {
        let plan = plan_of(&lives);
        let layout = layout_of(&plan, 3);
        let place = |i: usize| {
            let start = layout.spots[i].unwrap().offset;
            (start, start + 4 * 3 * lives[i].0 as u64)
        };
        for (i, (_, first, more)) in lives.iter().enumerate() {
            prop_assert_eq!(place(i).0 % 64, 0);
            prop_assert!(place(i).1 <= layout.arena_bytes);
            for (j, (_, other_first, other_more)) in lives.iter().enumerate().skip(i + 1) {
                let meet = *first <= other_first + other_more && *other_first <= first + more;
                prop_assert!(!meet || place(i).1 <= place(j).0 || place(j).1 <= place(i).0);
            }
        }
        prop_assert!(layout.arena_bytes >= layout.live_bytes);
        // No proof, but what this packing has to be worth.
        prop_assert!(layout.arena_bytes <= 2 * layout.live_bytes, "{layout:?}");
    }
}

/// The same with gradients, first written at these steps, of so many elements.
fn plan_with_gradients(lives: &[(i64, u32, u32)], gradients: &[(i64, u32)]) -> Plan {
    let mut plan = plan_of(lives);
    for (index, (elements, until)) in gradients.iter().enumerate() {
        let buffer = BufferId(plan.buffers.len() as u32);
        plan.buffers.push(Buffer {
            name: String::new(),
            dtype: DType::F32,
            elements: Size::constant(*elements),
            place: Place::Storage(Storage::Gradient(index as u32)),
        });
        plan.lenders.push(Lender { buffer, until: *until });
    }
    plan.lenders.sort_by_key(|lender| lender.until);
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_lent_is_free_until_it_is_written(
        lives in prop::collection::vec((0..5000i64, 0..40u32, 0..20u32), 1..60),
        gradients in prop::collection::vec((0..20_000i64, 0..60u32), 1..20),
    ) {
        let plan = plan_with_gradients(&lives, &gradients);
        let layout = layout_of(&plan, 1);
        let bytes = |i: usize| 4 * lives[i].0 as u64;
        for (i, (_, first, more)) in lives.iter().enumerate() {
            let spot = layout.spots[i].unwrap();
            if let Some(lender) = plan.lenders.iter().find(|lender| Some(lender.buffer) == spot.lender) {
                let (elements, until) = gradients[lender.buffer.0 as usize - lives.len()];
                prop_assert!(first + more < until && spot.offset + bytes(i) <= 4 * elements as u64);
            }
            for (j, (_, other_first, other_more)) in lives.iter().enumerate().skip(i + 1) {
                let other = layout.spots[j].unwrap();
                let meet = *first <= other_first + other_more && *other_first <= first + more;
                let apart = spot.offset + bytes(i) <= other.offset || other.offset + bytes(j) <= spot.offset;
                prop_assert!(!meet || apart || spot.lender != other.lender);
            }
        }
    }

    #[test]
    fn chunks_are_few_even_and_whole(rows in 0i64..10_000, most in 1i64..3_000) {
        let number = |sizes: &SizeValues, symbol| Size::symbol(symbol).eval(sizes);
        let none = SizeValues::new(&Symbols::default());
        let of_chunk = |sizes| (number(&sizes, Symbol::CHUNK_START), number(&sizes, Symbol::CHUNK_ROWS));
        let cut: Vec<(i64, i64)> = chunks(&none, &Size::constant(rows), most).map(of_chunk).collect();
        prop_assert_eq!(cut.len() as i64, (rows + most - 1) / most);
        prop_assert_eq!(cut.iter().fold(0, |end, (start, rows)| { assert_eq!(*start, end); end + rows }), rows);
        let largest = cut.first().map_or(0, |(_, rows)| *rows);
        prop_assert!(largest <= most && cut.iter().all(|(_, rows)| *rows <= largest && *rows > 0));
        prop_assert!(cut.iter().all(|(_, rows)| largest - rows < cut.len() as i64));
    }
}

#[test]
fn a_chain_needs_two_places() {
    let chain: Vec<(i64, u32, u32)> = (0..20).map(|step| (256, step, 1)).collect();
    let layout = layout_of(&plan_of(&chain), 1);
    assert_eq!(layout.arena_bytes, 2 * 1024);
    assert_eq!(layout.live_bytes, 2 * 1024);
}

#[test]
fn a_gradient_lends_its_memory_until_it_is_written() {
    let plan = plan_with_gradients(&[(256, 0, 4), (256, 0, 5)], &[(300, 5)]);
    let layout = layout_of(&plan, 1);
    assert_eq!(layout.spots[0], Some(Spot { lender: Some(BufferId(2)), offset: 0 }));
    assert_eq!(layout.spots[1], Some(Spot { lender: None, offset: 0 }));
    assert_eq!((layout.arena_bytes, layout.live_bytes), (1024, 2048));
}

#[test]
fn growth_moves_offsets_and_nothing_else() {
    let plan = plan_of(&[(100, 0, 3), (7, 1, 1), (50, 2, 2)]);
    let [small, large] = [2, 64].map(|batch| layout_of(&plan, batch));
    assert_eq!(small.spots.len(), large.spots.len());
    assert_eq!(large.live_bytes, 4 * 64 * (100 + 7 + 50));
    assert_eq!(layout_of(&plan, 2), small);
}

#[test]
fn absurd_sizes_do_not_wrap_around() {
    let plan = plan_of(&[(i64::MAX / 2, 0, 1), (i64::MAX / 2, 0, 1)]);
    assert!(layout_of(&plan, 1 << 40).live_bytes > 1 << 60);
}
