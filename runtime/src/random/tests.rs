//! Streams are stable, independent, and have the moments they promise.

use super::*;

const N: u64 = 100_000;

fn stream() -> Stream {
    Stream::new(42, Purpose::Init, "block.3.attend.q.keys", 0)
}

/// If one of these changes, every seed means another run than before. Computed with Python: its `xxhash` for the key, its
/// `statistics.NormalDist().inv_cdf` for the normal numbers.
#[test]
fn numbers_never_change() {
    let stream = stream();
    assert_eq!(stream.key(), [0x2905_f8d8, 0xe2a5_63e9]);
    assert_eq!(
        [0, 1, 2, 1 << 40].map(|index| stream.bits(index)),
        [0x360e_45f8_903b_c5f6, 0x3e0a_9c6f_10e5_a092, 0x7749_1ce0_a751_b7e4, 0xd862_d10f_ded2_24cd],
    );
    assert_eq!([5, 6].map(|index| stream.normal(index)), [1.854_542_225_901_201_9, -0.352_542_555_487_693_2]);
    assert_eq!([5, 6].map(|index| stream.uniform(index)), [0.968_169_187_551_844_1, 0.362_215_704_833_005]);
}

#[test]
fn bits_are_halves_of_philox_blocks() {
    let stream = Stream::new(1, Purpose::Dropout, "x", 5 << 32 | 3);
    let [a, b, c, d] = philox([9, 0, 3, 5], stream.key()).map(u64::from);
    assert_eq!([stream.bits(18), stream.bits(19)], [a | b << 32, c | d << 32]);
}

#[test]
fn every_part_of_the_name_matters() {
    let base = Stream::new(42, Purpose::Init, "a", 0);
    let others = [
        Stream::new(43, Purpose::Init, "a", 0),
        Stream::new(42, Purpose::Growth, "a", 0),
        Stream::new(42, Purpose::Init, "b", 0),
        Stream::new(42, Purpose::Init, "a", 1),
    ];
    for other in others {
        let equal_bits: u32 = (0..1000).map(|index| (base.bits(index) ^ other.bits(index)).count_zeros()).sum();
        // 64,000 fair coins: the standard deviation is 126.
        assert!(equal_bits.abs_diff(32_000) < 5 * 126, "{equal_bits} of 64000 bits agree");
    }
}

#[test]
fn filling_in_pieces_is_filling_at_once() {
    let mut whole = [0f32; 101];
    stream().fill_normal(7, 0.02, &mut whole);
    let mut pieces = [0f32; 101];
    let (left, right) = pieces.split_at_mut(38);
    stream().fill_normal(7 + 38, 0.02, right);
    stream().fill_normal(7, 0.02, left);
    assert_eq!(whole, pieces);
    let one_by_one = (7..108).map(|index| (0.02 * stream().normal(index)) as f32);
    assert_eq!(whole.to_vec(), one_by_one.collect::<Vec<_>>());
}

/// Moments 1 to 4 against their values, within five standard errors of each.
#[test]
fn moments() {
    let stream = stream();
    let mean =
        |power: i32, draw: &dyn Fn(u64) -> f64| (0..N).map(|index| draw(index).powi(power)).sum::<f64>() / N as f64;
    let near = |got: f64, want: f64, variance: f64| {
        let error = (variance / N as f64).sqrt();
        assert!((got - want).abs() < 5.0 * error, "{got} is not {want} ± {error}");
    };

    let normal = |index| stream.normal(index);
    for (power, want, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        near(mean(power, &normal), want, variance);
    }
    let uniform = |index| stream.uniform(index);
    for (power, want) in [(1, 1.0 / 2.0), (2, 1.0 / 3.0), (3, 1.0 / 4.0)] {
        near(mean(power, &uniform), want, 1.0 / (2.0 * f64::from(power) + 1.0) - want * want);
    }
    let neighbours = |index: u64| stream.normal(2 * index) * stream.normal(2 * index + 1);
    near(mean(1, &neighbours), 0.0, 1.0);
}

/// Kolmogorov and Smirnov: the largest distance between the observed and the true distribution.
#[test]
fn normal_numbers_follow_the_normal_distribution() {
    let mut drawn: Vec<f64> = (0..N).map(|index| stream().normal(index)).collect();
    drawn.sort_by(f64::total_cmp);
    let distance = drawn.iter().enumerate().map(|(rank, x)| {
        let expected = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        (expected - rank as f64 / N as f64).abs()
    });
    let largest = distance.fold(0.0, f64::max);
    assert!(largest < 1.95 / (N as f64).sqrt(), "{largest}"); // exceeded with probability 0.001
}

#[test]
fn below_covers_its_range_evenly() {
    let mut counts = [0f64; 7];
    for index in 0..70_000 {
        counts[stream().below(index, 7) as usize] += 1.0;
    }
    let chi_squared: f64 = counts.iter().map(|count| (count - 10_000.0).powi(2) / 10_000.0).sum();
    assert!(chi_squared < 22.5, "χ² = {chi_squared}"); // 6 degrees of freedom, probability 0.001
    assert_eq!(stream().below(3, 1), 0);
}

#[test]
fn uniform_fill_stays_within_its_bound() {
    let mut values = [0f32; 1000];
    stream().fill_uniform(0, 0.5, &mut values);
    assert!(values.iter().all(|value| value.abs() <= 0.5));
    assert!(values.iter().any(|value| *value < -0.45) && values.iter().any(|value| *value > 0.45));
}
