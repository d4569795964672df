//! The page: charts and a table, in one HTML file.

use super::curves::{finite_curve, mean_and_deviation, thinned};
use super::svg::Escaped;
use super::{Against, Chart, Group, Run, Series, axis, loss_chart};
use crate::Result;
use crate::confusion::Confusion;
use crate::metrics::{Entry, Event};
use crate::storage::NewFile;
use std::collections::BTreeSet;
use std::path::Path;

/// What `report.html` shows: of a run, or of several beside each other.
pub struct Report {
    pub title: String,
    pub groups: Vec<Group>,
    /// What a classifier takes for what, by validation set.
    pub confusions: Vec<(String, Confusion)>,
    /// The text of the spec, if there is one for all.
    pub spec: Option<String>,
}

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; color: #222; background: #fafafa; margin: 2rem auto; max-width: 920px; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
svg { max-width: 100%; height: auto; border: 1px solid #e6e6e6; border-radius: 6px; margin: .5rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #e6e6e6 } th { color: #555; font-weight: 500 }
th:first-child, td:first-child { text-align: left }
pre { background: #fff; border: 1px solid #e6e6e6; border-radius: 6px; padding: 1rem; overflow-x: auto; font-size: 13px }
";

impl Report {
    /// Writes the page to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        NewFile::write(path, self.html().as_bytes())
    }

    pub fn html(&self) -> String {
        let title = Escaped(&self.title);
        let mut body = format!("<h1>{title}</h1>\n{}", table(&COLUMNS, &self.rows()));
        for against in [Against::Tokens, Against::Steps, Against::Flops] {
            body.push_str(&loss_chart(&self.groups, against).svg());
        }
        if let [Group { runs, .. }] = &self.groups[..]
            && let [run] = &runs[..]
        {
            body.push_str(&details(run));
        }
        body.extend(self.confusions.iter().map(|(set, confusion)| confused(set, confusion)));
        if let Some(spec) = &self.spec {
            body.push_str(&format!("<details><summary>The spec</summary><pre>{}</pre></details>\n", Escaped(spec)));
        }
        let head = format!("<meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>");
        format!("<!doctype html>\n<html lang=\"en\"><head>{head}</head>\n<body>\n{body}</body></html>\n")
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |group: &Group| {
            let lasts: Vec<&Entry> = group.runs.iter().filter_map(|run| run.entries.last()).collect();
            let mean = |number: fn(&Entry) -> f64| {
                let numbers: Vec<f64> = lasts.iter().map(|entry| number(entry)).collect();
                mean_and_deviation(&numbers).map(|(mean, _)| mean)
            };
            let loss = |event| {
                let values: Vec<f64> = group.runs.iter().filter_map(|run| last_loss(&run.entries, event)).collect();
                mean_and_deviation(&values).map_or(NONE.into(), |(mean, deviation)| match deviation {
                    None => format!("{mean:.4}"),
                    Some(deviation) => format!("{mean:.4} ± {deviation:.4}"),
                })
            };
            vec![
                group.name.clone(),
                group.runs.len().to_string(),
                mean(|entry| entry.step as f64).map_or(NONE.into(), axis::short),
                mean(|entry| entry.tokens as f64).map_or(NONE.into(), axis::short),
                mean(|entry| entry.flops).map_or(NONE.into(), flops),
                loss(Event::Train),
                loss(Event::Validate),
            ]
        };
        self.groups.iter().map(row).collect()
    }
}

/// Where there is no number.
const NONE: &str = "–";
const COLUMNS: [&str; 7] = ["", "runs", "steps", "tokens", "compute", "last training loss", "last validation loss"];
const STAGE_COLUMNS: [&str; 5] = ["stage", "from step", "tokens", "last training loss", "last validation loss"];

/// The stages of a run, and everything else it measured, against steps.
fn details(run: &Run) -> String {
    let mut html = String::new();
    let begins: Vec<usize> = (0..run.entries.len()).filter(|&i| run.entries[i].event == Event::Stage).collect();
    if begins.len() > 1 {
        let ends = begins[1..].iter().copied().chain([run.entries.len()]);
        let row = |(begin, end): (&usize, usize)| {
            let stage = &run.entries[*begin..end];
            let [first, last] = [&stage[0], &stage[stage.len() - 1]];
            let loss = |event| last_loss(stage, event).map_or(NONE.into(), |loss| format!("{loss:.4}"));
            let tokens = axis::short(last.tokens.saturating_sub(first.tokens) as f64);
            vec![first.stage.clone(), first.step.to_string(), tokens, loss(Event::Train), loss(Event::Validate)]
        };
        html.push_str(&format!(
            "<h2>Stages</h2>\n{}",
            table(&STAGE_COLUMNS, &begins.iter().zip(ends).map(row).collect::<Vec<_>>())
        ));
    }
    let measured = run.entries.iter().filter(|entry| entry.event != Event::Stage).flat_map(|entry| entry.values.keys());
    let names: BTreeSet<&String> = measured.filter(|name| *name != "loss").collect();
    for name in names {
        html.push_str(&value_chart(run, name).svg());
    }
    html
}

/// Any measured value against steps.
fn value_chart(run: &Run, name: &str) -> Chart {
    let series = [(Event::Train, "training"), (Event::Validate, "validation")].map(|(event, name_of_event)| {
        let points = thinned(&finite_curve(&run.entries, event, name, &|entry| entry.step as f64));
        Series { name: name_of_event.into(), color: (event == Event::Validate).into(), points, ..Series::default() }
    });
    let series = series.into_iter().filter(|series| !series.points.is_empty()).collect();
    Chart { title: name.to_string(), x: "steps".into(), y: String::new(), series }
}

/// The matrix, or of many classes the pairs that are confused most.
fn confused(set: &str, confusion: &Confusion) -> String {
    let set = if set.is_empty() { String::new() } else { format!(" on {set}") };
    let title = format!("{:.2} % of {} images are right{set}", 100.0 * confusion.accuracy(), confusion.total());
    let shown = match confusion.matrix() {
        Some(matrix) => {
            let header: Vec<&str> = [""].into_iter().chain(confusion.names().iter().map(String::as_str)).collect();
            let row = |(name, counts): (&String, &Vec<u64>)| {
                [name.clone()].into_iter().chain(counts.iter().map(ToString::to_string)).collect()
            };
            table(&header, &confusion.names().iter().zip(&matrix).map(row).collect::<Vec<_>>())
        }
        None => {
            let pairs = confusion.mistakes().into_iter();
            let rows = pairs.map(|m| vec![m.truth.to_string(), m.prediction.to_string(), m.count.to_string()]);
            table(&["truth", "answer", "times"], &rows.collect::<Vec<_>>())
        }
    };
    format!("<h2>{}: rows are the truth</h2>\n{shown}", Escaped(&title))
}

fn last_loss(entries: &[Entry], event: Event) -> Option<f64> {
    Some(finite_curve(entries, event, "loss", &|_| 0.0).last()?[1])
}

fn flops(flops: f64) -> String {
    let (unit, prefix) = axis::si_unit(flops);
    format!("{:.2} {prefix}FLOP", flops / unit)
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: &mut dyn Iterator<Item = String>| format!("<tr>{}</tr>\n", cells.collect::<String>());
    let head = row(&mut header.iter().map(|cell| format!("<th>{}</th>", Escaped(cell))));
    let body = rows.iter().map(|cells| row(&mut cells.iter().map(|cell| format!("<td>{}</td>", Escaped(cell)))));
    format!("<table>\n{head}{}</table>\n", body.collect::<String>())
}
