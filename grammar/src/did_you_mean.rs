//! Guesses what a misspelt name was meant to be.

/// The candidate closest to `name`, if one is close enough to be worth suggesting: at most a third of its letters
/// are wrong, missing, superfluous or swapped with their neighbour. Of equally close ones, the first.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64; // the distance takes time quadratic in the length
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name && name.len().max(candidate.len()) <= LONGEST)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string
/// alignment); letters that differ only in case count as equal.
fn distance(from: &str, to: &str) -> usize {
    let letters = |word: &str| -> Vec<char> { word.chars().flat_map(char::to_lowercase).collect() };
    let (from, to) = (letters(from), letters(to));
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_guessed_and_strangers_are_not() {
        let names = ["width", "heads", "depth", "context", "qkv", "ffn"];
        let guess = |name| did_you_mean(name, names);
        assert_eq!(guess("widht"), Some("width"));
        assert_eq!(guess("head"), Some("heads"));
        assert_eq!(guess("contxet"), Some("context"));
        assert_eq!(guess("QKV"), Some("qkv"));
        assert_eq!(guess("fnn"), Some("ffn"));
        assert_eq!(guess("momentum"), None);
        assert_eq!(guess("x"), None);
        assert_eq!(guess(""), None);
    }

    #[test]
    fn the_nearest_wins_and_of_equals_the_first() {
        assert_eq!(did_you_mean("gela", ["silu", "gelu", "relu"]), Some("gelu"));
        assert_eq!(did_you_mean("xelu", ["relu", "gelu"]), Some("relu"));
    }
}
