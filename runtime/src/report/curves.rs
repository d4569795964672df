//! Curves from measurements: points [x, y] by rising x.

use crate::metrics::{Entry, Event};

/// More points than a chart has pixels are of no use.
const POINTS: usize = 600;

/// The values of a name, without those that are not finite.
pub(super) fn finite_curve(
    entries: &[Entry],
    event: Event,
    name: &str,
    place: &dyn Fn(&Entry) -> f64,
) -> Vec<[f64; 2]> {
    let of_event = entries.iter().filter(|entry| entry.event == event);
    let point = |entry: &Entry| entry.values.get(name).map(|&value| [place(entry), value]);
    of_event.filter_map(point).filter(|point| point[1].is_finite()).collect()
}

/// The same curve by at most about [`POINTS`] points, each the mean of those it replaces.
pub(super) fn thinned(curve: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let together = curve.len().div_ceil(POINTS).max(1);
    let mean = |points: &[[f64; 2]]| {
        [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64)
    };
    curve.chunks(together).map(mean).collect()
}

/// The height of a curve at x, between points on the line between them. None outside of the curve.
pub(super) fn value_at(curve: &[[f64; 2]], x: f64) -> Option<f64> {
    let after = curve.partition_point(|point| point[0] < x);
    match (after.checked_sub(1).and_then(|before| curve.get(before)), curve.get(after)) {
        (_, Some(&[at, y])) if at == x => Some(y),
        (Some(&[left, from]), Some(&[right, to])) => Some(from + (to - from) * (x - left) / (right - left)),
        _ => None,
    }
}

/// The mean of curves as a curve, and [x, lowest, highest]; at every x of any of them that all of them reach. A single
/// curve has no spread.
pub(super) fn mean_and_spread(curves: &[Vec<[f64; 2]>]) -> (Vec<[f64; 2]>, Vec<[f64; 3]>) {
    if let [curve] = curves {
        return (curve.clone(), Vec::new());
    }
    let mut places: Vec<f64> = curves.iter().flatten().map(|point| point[0]).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let spread = |x: f64| {
        let values = curves.iter().map(|curve| value_at(curve, x)).collect::<Option<Vec<f64>>>()?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let [lowest, highest] = [values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?];
        Some(([x, mean], [x, lowest, highest]))
    };
    places.into_iter().filter_map(spread).unzip()
}

/// Mean and standard deviation of the sample, which a single value does not have.
pub(super) fn mean_and_deviation(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    (!values.is_empty()).then_some((mean, deviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_met_where_they_have_no_points() {
        let curve = [[0.0, 4.0], [2.0, 2.0], [4.0, 1.0]];
        assert_eq!(
            [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(|x| value_at(&curve, x)),
            [None, Some(4.0), Some(3.0), Some(2.0), Some(1.5), Some(1.0), None]
        );
        assert_eq!(value_at(&[], 1.0), None);
    }

    #[test]
    fn the_spread_is_where_all_runs_are() {
        let curves = [vec![[0.0, 4.0], [2.0, 2.0], [4.0, 1.0]], vec![[1.0, 5.0], [3.0, 3.0]]];
        let (mean, band) = mean_and_spread(&curves);
        assert_eq!(mean, [[1.0, 4.0], [2.0, 3.0], [3.0, 2.25]]);
        assert_eq!(band, [[1.0, 3.0, 5.0], [2.0, 2.0, 4.0], [3.0, 1.5, 3.0]]);
        assert_eq!(mean_and_spread(&curves[..1]), (curves[0].clone(), vec![]));
        assert_eq!(mean_and_spread(&[]), (vec![], vec![]));
    }

    #[test]
    fn thinning_keeps_the_mean() {
        let curve: Vec<[f64; 2]> = (0..1200).map(|i| [f64::from(i), f64::from(i % 2)]).collect();
        let thin = thinned(&curve);
        assert_eq!((thin.len(), thin[0], thin[599]), (600, [0.5, 0.5], [1198.5, 0.5]));
        assert_eq!(thinned(&curve[..7]), curve[..7]);
    }

    #[test]
    fn deviations_are_of_samples() {
        assert_eq!(mean_and_deviation(&[1.0, 3.0]), Some((2.0, Some(2f64.sqrt()))));
        assert_eq!(mean_and_deviation(&[1.5]), Some((1.5, None)));
        assert_eq!(mean_and_deviation(&[]), None);
    }
}
