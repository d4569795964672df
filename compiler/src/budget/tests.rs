//! A budget is kept; what is decided is the cheapest that keeps it; and too small a one names the least that would do.

use super::*;
use crate::check::tests::model;
use proptest::prelude::*;

fn language_model(batch: u32) -> Model {
    model(&format!(
        "model small {{
           tokens mix = 16
           tokens ffn = 64
           layer block(x: [.., d]) {{
             y = x + pattention(layernorm(x), mix)
             y + pattention(layernorm(y), ffn)
           }}
           forward(ids: token_ids[64]) {{
             e = embed(ids, 31, 16)
             logits = unembed(layernorm(repeat(3, block, e), affine), tied = e)
           }}
           loss = cross_entropy(logits, next(ids))
         }}
         train {{
           batch = {batch}
           optimizer = adamw(lr = 1e-3, betas = (0.9, 0.95), eps = 1e-8, decay = 0.1)
           schedule = constant
           steps = 10
         }}"
    ))
}

fn decided(batch: u32, budget: u64) -> Result<(u64, Decision), TooLittle> {
    let model = language_model(batch);
    let entries = Entry::updates(&model);
    decide(model, &entries, &Disabled::default(), budget)
        .map(|(compiled, decision)| (bytes(&compiled, decision.micro_batch), decision))
}

#[test]
fn with_enough_memory_all_is_kept_and_all_sequences_go_at_once() {
    let (_, decision) = decided(8, u64::MAX).unwrap();
    assert_eq!(decision, Decision { micro_batch: 8, recomputed: Vec::new() });
}

#[test]
fn a_budget_is_kept_by_smaller_micro_batches_first() {
    let (all, _) = decided(8, u64::MAX).unwrap();
    let (bytes, decision) = decided(8, all - 1).unwrap();
    assert!(bytes < all);
    assert_eq!(decision.recomputed, Vec::<String>::new());
    assert!((4..8).contains(&decision.micro_batch), "{decision:?}");
}

/// The sum of what sequences have is no mean of the parts' sums.
#[test]
fn a_batch_whose_loss_is_no_mean_over_sequences_is_not_cut() {
    let summed = |budget| {
        let text = "model small {
           tokens mix = 16
           forward(ids: token_ids[64]) {
             e = embed(ids, 31, 16)
             y = repeat(3, pattention(mix), e)
           }
           loss = sum(y * y)
         }
         train { batch = 8  optimizer = adamw(lr = 1e-3)  steps = 10 }";
        let model = model(text);
        let entries = Entry::updates(&model);
        let decided = decide(model, &entries, &Disabled::default(), budget);
        decided.map(|(compiled, decision)| (bytes(&compiled, decision.micro_batch), decision))
    };
    let (all, _) = summed(u64::MAX).unwrap();
    let TooLittle { least, can_be_cut, .. } = summed(1000).unwrap_err();
    assert!(!can_be_cut);
    for budget in [least, all - 1] {
        let (bytes, decision) = summed(budget).unwrap();
        assert!(bytes <= budget && decision.micro_batch == 8 && !decision.recomputed.is_empty(), "{decision:?}");
    }
}

#[test]
fn what_does_not_fit_on_its_own_is_computed_again() {
    let (all, _) = decided(1, u64::MAX).unwrap();
    let (bytes, decision) = decided(1, all - 1).unwrap();
    assert!(bytes < all);
    assert_eq!((decision.micro_batch, decision.recomputed.is_empty()), (1, false));
}

#[test]
fn nothing_is_computed_again_that_need_not_be() {
    let (all, _) = decided(1, u64::MAX).unwrap();
    let TooLittle { least, .. } = decided(1, 0).unwrap_err();
    let counts = [all - 1, least].map(|budget| decided(1, budget).unwrap().1.recomputed.len());
    assert!(counts[0] < counts[1], "{counts:?}");
}

#[test]
fn the_least_that_is_named_is_enough_and_nothing_less() {
    let TooLittle { least, given, .. } = decided(4, 1000).unwrap_err();
    assert_eq!(given, 1000);
    assert_eq!(decided(4, least).unwrap().0, least);
    assert_eq!(decided(4, least - 1).unwrap_err(), TooLittle { least, given: least - 1, can_be_cut: true });
}

#[test]
fn what_is_switched_off_is_not_decided() {
    let all = decided(1, u64::MAX).unwrap().0;
    let model = language_model(1);
    let entries = Entry::updates(&model);
    let disabled = Disabled::named(&["checkpointing".into()]).unwrap();
    let refused = decide(model, &entries, &disabled, all - 1).map(|(_, decision)| decision);
    assert_eq!(refused.unwrap_err(), TooLittle { least: all, given: all - 1, can_be_cut: true });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_most_that_fits(batch in 1u64..1000, each in 1u64..100, fixed in 0u64..100, budget in 0u64..20_000) {
        let bytes = |rows: u64| fixed + each * rows;
        match most(batch, &|rows| bytes(rows) <= budget) {
            Some(rows) => {
                prop_assert!(bytes(rows) <= budget && rows >= 1);
                prop_assert!(rows == batch || bytes(rows + 1) > budget);
            }
            None => prop_assert!(bytes(1) > budget),
        }
    }
}
