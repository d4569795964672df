//! Which numbers a chart spans, and where in the picture they are.

use super::Chart;

// In pixels: the picture, and the edges of the drawing area but for the top, which depends on the legend.
pub(super) const WIDTH: f64 = 880.0;
pub(super) const HEIGHT: f64 = 420.0;
pub(super) const LEFT: f64 = 62.0;
pub(super) const RIGHT: f64 = WIDTH - 24.0;
pub(super) const FLOOR: f64 = HEIGHT - 50.0;

/// How many points make a rest that may be looked at alone.
const REST: usize = 8;

/// Which numbers the axes span, and where that is.
pub(super) struct Frame {
    pub x: [f64; 2],
    pub y: [f64; 2],
    /// Where the drawing area starts, in pixels.
    pub top: f64,
}

impl Frame {
    /// For a drawing area that starts at `top`.
    pub fn new(chart: &Chart, top: f64) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let bands = || chart.series.iter().flat_map(|series| &series.band);
        let marks = chart.series.iter().flat_map(|series| &series.marks).map(|mark| mark.at[0]);
        let [left, right] = span(points().map(|point| point[0]).chain(marks).chain([0.0]));
        // Room for the last dot.
        let x = [left, right + (right - left) / 100.0];
        let heights = |from: f64| {
            let points = points().filter(move |point| point[0] >= from).map(|point| point[1]);
            points.chain(bands().filter(move |band| band[0] >= from).flat_map(|band| [band[1], band[2]]))
        };
        let [low, mut high] = span(heights(x[0]));
        // The first twentieth does not count if it is far above the rest, and there is a rest.
        let later = x[0] + (x[1] - x[0]) / 20.0;
        let rest = span(heights(later))[1];
        if heights(later).nth(REST - 1).is_some() && rest > low && high - low > 3.0 * (rest - low) {
            high = rest;
        }
        let margin = (high - low) * 0.06;
        Frame { x, y: [low - margin, high + margin], top }
    }

    /// [x, y] in pixels, of [x, y] on the axes.
    pub fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let across = (x - self.x[0]) / (self.x[1] - self.x[0]);
        let up = (y - self.y[0]) / (self.y[1] - self.y[0]);
        [LEFT + across * (RIGHT - LEFT), FLOOR - up * (FLOOR - self.top)]
    }

    /// The points as SVG lists them.
    pub fn path(&self, points: impl Iterator<Item = [f64; 2]>) -> String {
        let place = |point| {
            let [x, y] = self.place(point);
            format!("{x:.1},{y:.1}")
        };
        points.map(place).collect::<Vec<_>>().join(" ")
    }
}

/// Lowest and highest number; never empty.
fn span(numbers: impl Iterator<Item = f64>) -> [f64; 2] {
    let [low, high] = numbers.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| [low.min(x), high.max(x)]);
    if low < high {
        [low, high]
    } else if low == high {
        let half = if low == 0.0 { 0.5 } else { low.abs() / 10.0 };
        [low - half, high + half]
    } else {
        [0.0, 1.0]
    }
}
