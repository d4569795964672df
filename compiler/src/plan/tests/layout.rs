//! Layouts: what lives at the same time does not overlap, and little is wasted.

use crate::graph::DType;
use crate::plan::{Buffer, BufferId, Layout, Place, Plan, Step, chunks, layout};
use crate::precision::Precision;
use crate::size::{Size, SizeValues, Symbol, Symbols};
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
            let start = layout.offsets[i].unwrap();
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_are_few_even_and_whole(rows in 0i64..10_000, most in 1i64..3_000) {
        let cut: Vec<(i64, i64)> = chunks(rows, most).collect();
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
fn growth_moves_offsets_and_nothing_else() {
    let plan = plan_of(&[(100, 0, 3), (7, 1, 1), (50, 2, 2)]);
    let [small, large] = [2, 64].map(|batch| layout_of(&plan, batch));
    assert_eq!(small.offsets.len(), large.offsets.len());
    assert_eq!(large.live_bytes, 4 * 64 * (100 + 7 + 50));
    assert_eq!(layout_of(&plan, 2), small);
}

#[test]
fn absurd_sizes_do_not_wrap_around() {
    let plan = plan_of(&[(i64::MAX / 2, 0, 1), (i64::MAX / 2, 0, 1)]);
    assert!(layout_of(&plan, 1 << 40).live_bytes > 1 << 60);
}
