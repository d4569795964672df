//! Quantities as people read them.

/// Three digits and a unit, as the language writes them: `354M`.
pub fn short(count: i64) -> String {
    match count.unsigned_abs() {
        0..1_000 => count.to_string(),
        _ => scaled(count as f64, &["", "K", "M", "B", "T"], 1e3, ""),
    }
}

/// All digits, in threes: `354,190,848`.
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
    format!("{}{}", if count < 0 { "-" } else { "" }, groups.join(","))
}

/// `1.32 GiB`
pub fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"], 1024.0, " ")
}

/// `739 MFLOP`
pub fn flops(flops: f64) -> String {
    const UNITS: [&str; 9] = ["FLOP", "KFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP", "YFLOP"];
    scaled(flops, &UNITS, 1e3, " ")
}

/// `2.5 hours`
pub fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or(UNITS[3]);
    format!("{:.1} {name}", seconds / unit)
}

/// Three digits in the largest unit that leaves at least one before the point.
fn scaled(mut number: f64, units: &[&str], step: f64, between: &str) -> String {
    let mut unit = 0;
    // What would be rounded up to the step belongs to the next unit.
    while number.abs() >= step - 0.5 && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let decimals = match number.abs() {
        _ if unit == 0 => 0,
        x if x < 9.995 => 2,
        x if x < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}{between}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_largest_unit_that_it_fills() {
        let pairs = [(0.25, "0.2 seconds"), (90.0, "1.5 minutes"), (9_000.0, "2.5 hours"), (4e6, "46.3 days")];
        pairs.into_iter().for_each(|(seconds, text)| assert_eq!(duration(seconds), text));
    }

    #[test]
    fn three_digits_and_a_unit() {
        let pairs = [
            (7, "7"),
            (999, "999"),
            (1_234, "1.23K"),
            (9_996, "10.0K"),
            (999_499, "999K"),
            (999_900, "1.00M"),
            (31_400_000, "31.4M"),
            (354_190_848, "354M"),
            (1_399_948_800, "1.40B"),
        ];
        for (count, text) in pairs {
            assert_eq!(short(count), text);
        }
        assert_eq!(bytes(1_417_000_000), "1.32 GiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(flops(739.4e6), "739 MFLOP");
        assert_eq!(flops(6.5e20), "650 EFLOP");
    }

    #[test]
    fn digits_in_threes() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (354_190_848, "354,190,848"), (-1_234, "-1,234")]
        {
            assert_eq!(grouped(count), text);
        }
    }
}
