//! Where the ticks of an axis are, and what they say.

/// Multiples of 1, 2 or 5 times a power of ten within [low, high], about `count` of them, and what they are multiples of.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> (Vec<f64>, f64) {
    let rough = (high - low) / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = power * [1.0, 2.0, 5.0].into_iter().find(|&factor| power * factor >= rough).unwrap_or(10.0);
    let [first, last] = [(low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64];
    ((first..=last).map(|multiple| multiple as f64 * step).collect(), step)
}

/// What the ticks say: as many digits as they need, thousands as K, M, B and T.
pub(super) fn labels(ticks: &[f64], step: f64) -> Vec<String> {
    let largest = ticks.iter().fold(0.0, |largest: f64, tick| largest.max(tick.abs()));
    let (unit, suffix) = thousands(largest, &["", "K", "M", "B", "T"]);
    let digits = (-(step / unit * 1.000_001).log10().floor()).max(0.0) as usize;
    let label = |&tick: &f64| {
        if tick == 0.0 {
            "0".to_string()
        } else if digits > 4 || largest >= 1e15 {
            format!("{:e}", (tick / step).round() * step)
        } else {
            format!("{:.digits$}{suffix}", tick / unit)
        }
    };
    ticks.iter().map(label).collect()
}

/// The power of a thousand that fits numbers up to `largest`, and its SI prefix.
pub(super) fn si_unit(largest: f64) -> (f64, &'static str) {
    thousands(largest, &["", "k", "M", "G", "T", "P", "E", "Z", "Y"])
}

/// A number in short, as in 124M or 3.07.
pub(super) fn short(number: f64) -> String {
    let (unit, suffix) = thousands(number.abs(), &["", "K", "M", "B", "T"]);
    let digits = if number == number.round() && unit == 1.0 { 0 } else { 2 };
    format!("{:.digits$}{suffix}", number / unit)
}

fn thousands(largest: f64, names: &[&'static str]) -> (f64, &'static str) {
    let fitting = (1..names.len()).take_while(|&power| largest >= 1000f64.powi(power as i32));
    let power = fitting.last().unwrap_or(0);
    (1000f64.powi(power as i32), names[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(low: f64, high: f64) -> Vec<String> {
        let (ticks, step) = ticks(low, high, 5);
        labels(&ticks, step)
    }

    #[test]
    fn ticks_are_round_and_say_no_more_than_they_need() {
        assert_eq!(labelled(0.0, 10.0), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labelled(1.4, 3.1), ["1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(labelled(0.0, 600_000.0), ["0", "200K", "400K", "600K"]);
        assert_eq!(labelled(0.0, 2500.0), ["0", "0.5K", "1.0K", "1.5K", "2.0K", "2.5K"]);
        assert_eq!(labelled(0.0, 9.8e9), ["0", "2B", "4B", "6B", "8B"]);
        assert_eq!(labelled(-0.03, 0.06), ["-0.02", "0", "0.02", "0.04", "0.06"]);
        assert_eq!(labelled(0.0, 6e-4), ["0", "0.0002", "0.0004", "0.0006"]);
        assert_eq!(labelled(0.0, 6e-6), ["0", "2e-6", "4e-6", "6e-6"]);
        assert_eq!(labelled(0.0, 5e20), ["0", "1e20", "2e20", "3e20", "4e20", "5e20"]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 7.0, 3.071, 124_000_000.0, 1.5e12].map(short), ["0", "7", "3.07", "124.00M", "1.50T"]);
        assert_eq!(si_unit(3e18), (1e18, "E"));
        assert_eq!(si_unit(12.0), (1.0, ""));
    }
}
