//! What a run, or several beside each other, came to: charts of the loss as SVG, and a page with them that needs no other
//! file and no network.
//!
//! The charts are drawn by hand: a line chart is little more than its look, and this one needs growth marks and spreads.

mod axis;
mod chart;
mod curves;
mod frame;
mod page;
mod svg;

pub use chart::{Chart, Mark, Series, Style};
pub use page::Report;

use crate::metrics::{Entry, Event};
use curves::{finite_curve, mean_and_spread, thinned, value_at};

/// What was measured in one run.
#[derive(Debug, Clone)]
pub struct Run {
    pub entries: Vec<Entry>,
}

/// Runs of one recipe that differ in their seeds only.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: String,
    pub runs: Vec<Run>,
}

/// What the loss is drawn against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    Steps,
    Tokens,
    Flops,
}

/// The loss of each group: a curve for one run, mean and range for several. The validation loss if all have one, the
/// training loss otherwise; a single run shows both. Growth is marked where each stage but the first begins.
pub fn loss_chart(groups: &[Group], against: Against) -> Chart {
    let alone = matches!(groups, [Group { runs, .. }] if runs.len() == 1);
    let largest = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.entries);
    let (unit, label) = against.unit(largest.map(|entry| against.of(entry)).fold(0.0, f64::max));
    let place = |entry: &Entry| against.of(entry) / unit;
    let curves = |group: &Group, event| -> Vec<Vec<[f64; 2]>> {
        group.runs.iter().map(|run| finite_curve(&run.entries, event, "loss", &place)).collect()
    };
    let trained = |group| curves(group, Event::Train).iter().map(|curve| thinned(curve)).collect::<Vec<_>>();
    // One kind of loss for all: a training loss beside a validation loss would compare nothing.
    let validates = groups.iter().all(|group| curves(group, Event::Validate).iter().all(|curve| !curve.is_empty()));
    let kind = if validates { "validation" } else { "training" };

    let mut series = Vec::new();
    for (color, group) in groups.iter().enumerate() {
        if alone && validates {
            let points = trained(group).concat();
            series.push(Series { name: "training".into(), style: Style::Faint, color, points, ..Series::default() });
        }
        let (points, band) = mean_and_spread(&if validates { curves(group, Event::Validate) } else { trained(group) });
        let name = match group.runs.len() {
            _ if alone => kind.to_string(),
            1 => group.name.clone(),
            seeds => format!("{} (mean and range of {seeds} seeds)", group.name),
        };
        let grown = group.runs.iter().take(1).flat_map(stages).skip(1);
        let mark = |stage: &Entry| {
            let x = place(stage);
            // Just grown, nothing measured since.
            let y = value_at(&points, x).or(points.last().map(|point| point[1]));
            y.map(|y| Mark { at: [x, y], name: stage.stage.clone() })
        };
        let marks = grown.filter_map(mark).collect();
        let style = if validates && points.len() <= 60 { Style::Dots } else { Style::Line };
        series.push(Series { name, style, color, points, band, marks });
    }
    let y = if alone { "loss".into() } else { format!("{kind} loss") };
    let title = format!("Loss against {}", against.name());
    Chart { title, x: label, y, series }
}

/// The entries where the stages of a run begin.
fn stages(run: &Run) -> impl Iterator<Item = &Entry> {
    run.entries.iter().filter(|entry| entry.event == Event::Stage)
}

impl Against {
    fn of(self, entry: &Entry) -> f64 {
        match self {
            Against::Steps => entry.step as f64,
            Against::Tokens => entry.tokens as f64,
            Against::Flops => entry.flops,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Against::Steps => "steps",
            Against::Tokens => "tokens",
            Against::Flops => "training compute",
        }
    }

    /// What numbers up to `largest` are divided by, and the name of the axis then.
    fn unit(self, largest: f64) -> (f64, String) {
        match self {
            Against::Steps | Against::Tokens => (1.0, self.name().into()),
            Against::Flops => {
                let (unit, prefix) = axis::si_unit(largest);
                (unit, format!("training compute, {prefix}FLOP"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
