//! Where a run's folder is, and the values that a sweep goes through.

use std::path::{Path, PathBuf};
use tfc_runtime::{Failure, Result};

/// `runs/SPEC[-name=value…]-sSEED`; below `--out`, a sweep gets a folder of such a name for each combination. The seed stands in the
/// name once, at its end, so that runs which differ in it alone are recognised as such.
pub fn path(out: Option<&Path>, spec: &Path, sets: &[String], sweep: &[String], seed: u64) -> PathBuf {
    let name = || {
        let stem = spec.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let values = sets.iter().filter(|set| !sets_seed(set)).map(|set| set.replace(['/', '"', ' '], ""));
        [stem].into_iter().chain(values).chain([format!("s{seed}")]).collect::<Vec<_>>().join("-")
    };
    match out {
        Some(out) if sweep.is_empty() => out.to_path_buf(),
        Some(out) => out.join(name()),
        None => Path::new("runs").join(name()),
    }
}

/// Whether a `name=value` gives the seed that ends the folder's name.
fn sets_seed(set: &str) -> bool {
    set.split_once('=').is_some_and(|(name, _)| name.trim() == "train.seed")
}

/// The sets of each run of a sweep: every combination of `name=a,b,c`. Without one, a single run without sets.
pub fn sweeps(arguments: &[String]) -> Result<Vec<Vec<String>>> {
    let mut runs = vec![Vec::new()];
    for argument in arguments {
        let (name, values) =
            argument.split_once('=').filter(|(name, values)| !name.is_empty() && !values.is_empty()).ok_or_else(
                || Failure::mistake(format!("`{argument}` is no sweep; write --sweep width=128,256, for example")),
            )?;
        let extend = |run: &Vec<String>| -> Vec<Vec<String>> {
            let with = |value: &str| [run.as_slice(), &[format!("{name}={}", value.trim())]].concat();
            items(values).into_iter().map(with).collect()
        };
        runs = runs.iter().flat_map(extend).collect();
    }
    Ok(runs)
}

/// What commas separate, but for those within parentheses and quotes.
fn items(values: &str) -> Vec<&str> {
    let (mut depth, mut is_quoted, mut start, mut items) = (0, false, 0, Vec::new());
    for (place, character) in values.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth <= 0 => {
                items.push(&values[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    items.push(&values[start..]);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_multiply() {
        let two = sweeps(&["a=1,2".into(), "b=x".into()]).unwrap();
        assert_eq!(two, [["a=1", "b=x"], ["a=2", "b=x"]]);
        assert_eq!(sweeps(&[]).unwrap(), [Vec::<String>::new()]);
        assert!(sweeps(&["a".into()]).is_err());
        let pairs = sweeps(&["betas=(0.9, 0.95),(0.8,0.9)".into(), r#"train="a,b","c""#.into()]).unwrap();
        assert_eq!(pairs[0], ["betas=(0.9, 0.95)", r#"train="a,b""#]);
        assert_eq!((pairs.len(), pairs[3].concat()), (4, r#"betas=(0.8,0.9)train="c""#.to_string()));
    }

    #[test]
    fn a_run_is_named_by_what_makes_it() {
        let spec = Path::new("specs/tiny.tfm");
        let set = ["width=64".to_string()];
        assert_eq!(path(None, spec, &set, &[], 7), Path::new("runs/tiny-width=64-s7"));
        assert_eq!(path(None, spec, &[], &[], 7), Path::new("runs/tiny-s7"));
        assert_eq!(path(Some(Path::new("out")), spec, &set, &[], 7), Path::new("out"));
        assert_eq!(path(Some(Path::new("out")), spec, &set, &set, 7), Path::new("out/tiny-width=64-s7"));
        let seed = ["width=64".to_string(), "train.seed = 3".to_string()];
        assert_eq!(path(None, spec, &seed, &seed[1..], 3), Path::new("runs/tiny-width=64-s3"));
        assert_eq!(path(Some(Path::new("out")), spec, &seed[1..], &seed[1..], 3), Path::new("out/tiny-s3"));
    }
}
