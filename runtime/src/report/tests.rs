//! What charts and pages show of which measurements.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn entry(event: Event, step: u64, stage: &str, loss: Option<f64>) -> Entry {
    let values = loss.map(|loss| ("loss".to_string(), loss)).into_iter().collect();
    Entry { event, step, tokens: 1000 * step, flops: 1e15 * step as f64, stage: stage.into(), values }
}

/// Trains from 0 to 40 and is evaluated at 0, 20 and 40, in stages that begin at 0 and 30.
fn run(bonus: f64) -> Run {
    let mut entries = vec![entry(Event::Stage, 0, "small", None)];
    for step in 0..=40 {
        let stage = if step < 30 { "small" } else { "large" };
        if step == 30 {
            entries.push(entry(Event::Stage, 30, "large", None));
        }
        let loss = 8.0 - step as f64 / 10.0 - bonus;
        entries.push(entry(Event::Train, step, stage, Some(loss)));
        if step % 20 == 0 {
            entries.push(entry(Event::Validate, step, stage, Some(loss + 1.0)));
        }
    }
    Run { entries }
}

fn group(name: &str, runs: Vec<Run>) -> Group {
    Group { name: name.into(), runs }
}

fn without_validation(mut run: Run) -> Run {
    run.entries.retain(|entry| entry.event != Event::Validate);
    run
}

#[test]
fn a_run_shows_both_losses_and_where_it_grew() {
    let chart = loss_chart(&[group("a", vec![run(0.0)])], Against::Tokens);
    assert_eq!((chart.title.as_str(), chart.x.as_str(), chart.y.as_str()), ("Loss against tokens", "tokens", "loss"));
    let [training, validation] = &chart.series[..] else { panic!("{:?}", chart.series) };
    assert_eq!((training.name.as_str(), training.style, training.points.len()), ("training", Style::Faint, 41));
    assert_eq!((validation.name.as_str(), validation.style), ("validation", Style::Dots));
    assert_eq!(validation.points, [[0.0, 9.0], [20_000.0, 7.0], [40_000.0, 5.0]]);
    assert_eq!(validation.marks, [Mark { at: [30_000.0, 6.0], name: "large".into() }]);
}

#[test]
fn compute_is_in_a_readable_unit() {
    let chart = loss_chart(&[group("a", vec![run(0.0)])], Against::Flops);
    assert_eq!(chart.x, "training compute, PFLOP");
    assert_eq!(chart.series[1].points[2], [40.0, 5.0]);
}

#[test]
fn seeds_become_mean_and_range() {
    let groups = [group("a", vec![run(0.0), run(0.5), run(1.0)]), group("b", vec![run(2.0)])];
    let chart = loss_chart(&groups, Against::Steps);
    let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["a (mean and range of 3 seeds)", "b"]);
    assert_eq!(chart.y, "validation loss");
    assert_eq!(chart.series[0].points, [[0.0, 8.5], [20.0, 6.5], [40.0, 4.5]]);
    assert_eq!(chart.series[0].band[2], [40.0, 4.0, 5.0]);
    assert_eq!(chart.series[1].band, [[0.0; 3]; 0]);
}

#[test]
fn a_training_loss_is_never_compared_with_a_validation_loss() {
    let groups = [group("a", vec![run(0.0)]), group("b", vec![without_validation(run(1.0))])];
    let chart = loss_chart(&groups, Against::Steps);
    assert_eq!(chart.y, "training loss");
    assert_eq!(chart.series[0].points[40], [40.0, 4.0]);
    assert_eq!(chart.series[1].points[40], [40.0, 3.0]);
}

#[test]
fn growth_after_the_last_measurement_is_marked_too() {
    let mut run = without_validation(run(0.0));
    run.entries.push(entry(Event::Stage, 50, "huge", None));
    let chart = loss_chart(&[group("a", vec![run])], Against::Steps);
    assert_eq!(chart.series[0].marks[1], Mark { at: [50.0, 4.0], name: "huge".into() });
}

fn chart(points: &[[f64; 2]]) -> Chart {
    let series = vec![Series { name: "a".into(), points: points.to_vec(), ..Series::default() }];
    Chart { title: "t".into(), x: "x".into(), y: "y".into(), series }
}

/// The drawing area is from 62 to 856 across, of which a hundredth is left free, and from 370 up to 66, of which 6 % of the
/// span are left free below and above.
#[test]
fn points_are_where_they_belong() {
    let svg = chart(&[[0.0, 0.0], [50.0, 100.0], [100.0, 50.0]]).svg();
    let height = (370.0 - 66.0) / 1.12;
    let [low, middle, high] = [0.06, 0.56, 1.06].map(|up| 370.0 - height * up);
    let [half, right] = [50.0, 100.0].map(|x| 62.0 + (856.0 - 62.0) * x / 101.0);
    let path = format!(r#"points="62.0,{low:.1} {half:.1},{high:.1} {right:.1},{middle:.1}""#);
    assert!(svg.contains(&path), "{path} in\n{svg}");
}

#[test]
fn the_first_steps_do_not_flatten_the_rest() {
    let points: Vec<[f64; 2]> =
        (0..100).map(|i| [f64::from(i), if i < 3 { 1000.0 } else { 3.0 + f64::from(i) / 100.0 }]).collect();
    let svg = chart(&points).svg();
    assert!(svg.contains(">3.5</text>") && !svg.contains("K</text>"), "{svg}");
}

#[test]
fn marks_are_lines_for_one_curve_and_diamonds_for_several() {
    let one = loss_chart(&[group("a", vec![run(0.0)])], Against::Steps).svg();
    assert_eq!((one.matches("stroke-dasharray").count(), one.matches("<path").count()), (1, 0));
    let two = loss_chart(&[group("a", vec![run(0.0)]), group("b", vec![run(1.0)])], Against::Steps).svg();
    assert_eq!((two.matches("stroke-dasharray").count(), two.matches("<path").count()), (0, 2));
    assert!(two.contains("◇ growth"));
}

/// Every element that is opened is closed, in order.
fn well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let Some((tag, text)) = tag.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) if open.pop() != name => return false,
            (false, false) => open.extend(name),
            _ => {}
        }
        if text.contains('>') {
            return false;
        }
    }
    open.is_empty()
}

proptest! {
    #[test]
    fn any_curve_makes_a_sound_picture(
        points in prop::collection::vec(prop::array::uniform2(-1e15..1e15f64), 0..5),
        scale in -20i32..20, name in any::<String>(),
    ) {
        let mut points: Vec<[f64; 2]> = points.iter().map(|point| point.map(|x| x * 10f64.powi(scale))).collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let marks = points.first().map(|&at| Mark { at, name: name.clone() }).into_iter().collect();
        let band = points.iter().map(|&[x, y]| [x, y, y + 1.0]).collect();
        let mut chart = chart(&[]);
        chart.title = name.clone();
        chart.series = vec![Series { name, points, marks, band, style: Style::Dots, ..Series::default() }; 3];
        let svg = chart.svg();
        prop_assert!(well_formed(&svg), "{svg}");
        let numbers = svg.split('"').filter(|text| text.contains("NaN") || text.contains("inf"));
        prop_assert!(numbers.filter(|text| !text.contains('<')).count() == 0, "{svg}");
    }
}

#[test]
fn a_level_curve_after_a_spike_is_drawn() {
    let points: Vec<[f64; 2]> = (0..100).map(|i| [f64::from(i), if i == 0 { 9.0 } else { 1.0 }]).collect();
    assert!(!chart(&points).svg().contains("NaN"));
}

#[test]
fn nothing_measured_is_an_empty_chart() {
    let nothing = [group("a", vec![Run { entries: Vec::new() }])];
    assert!(well_formed(&loss_chart(&nothing, Against::Flops).svg()));
    assert!(well_formed(&loss_chart(&[], Against::Steps).svg()));
    assert!(well_formed(&chart(&[[3.0, 3.0]]).svg()));
}

#[test]
fn the_page_of_a_run_has_its_stages_and_all_it_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let mut run = run(0.0);
    run.entries[1].values.extend(BTreeMap::from([("learning_rate".to_string(), 1e-3)]));
    let report = Report {
        title: "a < b".into(),
        groups: vec![group("a", vec![run])],
        confusions: Vec::new(),
        spec: Some("x > \"y\"\nz".into()),
    };
    report.write(&path).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    for part in [
        "<title>a &lt; b</title>",
        "<tr><td>a</td><td>1</td><td>40</td><td>40.00K</td><td>40.00 PFLOP</td><td>4.0000</td><td>5.0000</td></tr>",
        "<tr><td>small</td><td>0</td><td>29.00K</td><td>5.1000</td><td>7.0000</td></tr>",
        "<tr><td>large</td><td>30</td><td>10.00K</td><td>4.0000</td><td>5.0000</td></tr>",
        "<pre>x &gt; &quot;y&quot;\nz</pre>",
        ">learning_rate</text>",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
    assert_eq!(html.matches("<svg xmlns").count(), 4);
    assert!(
        !html.contains("http") || html.matches("http").count() == html.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn the_page_of_several_has_means_and_deviations() {
    let groups = vec![group("a", vec![run(0.0), run(1.0)]), group("none", Vec::new())];
    let html = Report { title: "t".into(), groups, confusions: Vec::new(), spec: None }.html();
    for part in [
        "<td>4.5000 ± 0.7071</td>",
        "<tr><td>none</td><td>0</td><td>–</td><td>–</td><td>–</td><td>–</td><td>–</td></tr>",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
}
