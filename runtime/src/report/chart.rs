//! A line chart as SVG.

use super::axis;
use super::frame::{FLOOR, Frame, HEIGHT, LEFT, RIGHT, WIDTH};
use super::svg::{Escaped, Svg};

/// A chart with linear axes. The vertical one leaves out what is far above all else, such as the loss of the first steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    /// What the axes are called.
    pub x: String,
    pub y: String,
    pub series: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    pub name: String,
    pub style: Style,
    pub color: usize,
    /// [x, y] by rising x.
    pub points: Vec<[f64; 2]>,
    /// [x, lowest, highest], drawn as a shade.
    pub band: Vec<[f64; 3]>,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    #[default]
    Line,
    /// A line with a dot at each point, which tells its numbers when pointed at.
    Dots,
    /// Thin and pale, to lie behind another.
    Faint,
}

/// A point of a curve with a name: where a model grew. A line across the chart if only one series has any, a diamond on
/// the curve otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at: [f64; 2],
    pub name: String,
}

/// Colours that stay apart for the colour-blind too (Okabe and Ito, 2008), without yellow.
const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c5c5c"];

// In pixels.
/// Above the legend, and a line of it.
const TITLE: f64 = 38.0;
const LEGEND: f64 = 20.0;

impl Chart {
    /// A whole SVG document, that can also stand in HTML as it is.
    pub fn svg(&self) -> String {
        let size = format!(r#"viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}""#);
        let font = r#"font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12""#;
        let mut svg = Svg(format!(r##"<svg xmlns="http://www.w3.org/2000/svg" {size} {font} fill="#333">"##));
        svg.push(r##"<rect width="100%" height="100%" fill="#fff"/>"##);
        svg.text([LEFT, 22.0], r##"font-size="15" font-weight="600" fill="#111""##, &self.title);
        if self.marked() > 1 {
            svg.text([RIGHT, 22.0], r#"text-anchor="end""#, "◇ growth");
        }
        let legend_lines = self.legend(&mut svg);
        let frame = Frame::new(self, TITLE + LEGEND * legend_lines as f64 + 8.0);
        self.axes(&mut svg, &frame);
        self.curves(&mut svg, &frame);
        svg.push("</svg>\n");
        svg.0
    }

    /// How many series have marks.
    fn marked(&self) -> usize {
        self.series.iter().filter(|series| !series.marks.is_empty()).count()
    }

    /// Draws the names of the series and says how many lines they take.
    fn legend(&self, svg: &mut Svg) -> usize {
        let [mut x, mut line] = [LEFT, 0.0];
        for series in &self.series {
            // Letters are about 6.6 pixels wide.
            let width = 30.0 + 6.6 * series.name.chars().count() as f64;
            if x + width > RIGHT && x > LEFT {
                [x, line] = [LEFT, line + 1.0];
            }
            let y = TITLE + LEGEND * line + 6.0;
            svg.line([x, y], [x + 18.0, y], series.pen(1.0));
            svg.text([x + 24.0, y + 4.0], "", &series.name);
            x += width + 14.0;
        }
        if self.series.is_empty() { 0 } else { line as usize + 1 }
    }

    fn axes(&self, svg: &mut Svg, frame: &Frame) {
        let (ticks, step) = axis::ticks(frame.y[0], frame.y[1], 5);
        for (tick, label) in ticks.iter().zip(axis::labels(&ticks, step)) {
            let [_, y] = frame.place([frame.x[0], *tick]);
            svg.line([LEFT, y], [RIGHT, y], r##"stroke="#e6e6e6""##);
            svg.text([LEFT - 8.0, y + 4.0], r#"text-anchor="end""#, &label);
        }
        let (ticks, step) = axis::ticks(frame.x[0], frame.x[1], 8);
        for (tick, label) in ticks.iter().zip(axis::labels(&ticks, step)) {
            let [x, _] = frame.place([*tick, frame.y[0]]);
            svg.line([x, FLOOR], [x, FLOOR + 5.0], r##"stroke="#999""##);
            svg.text([x, FLOOR + 19.0], r#"text-anchor="middle""#, &label);
        }
        svg.line([LEFT, FLOOR], [RIGHT, FLOOR], r##"stroke="#999""##);
        let name = r##"text-anchor="middle" fill="#555""##;
        svg.text([(LEFT + RIGHT) / 2.0, HEIGHT - 10.0], name, &self.x);
        let [x, y] = [16.0, (frame.top + FLOOR) / 2.0];
        svg.text([x, y], format_args!(r#"{name} transform="rotate(-90 {x} {y})""#), &self.y);
    }

    /// In a nested SVG, which cuts off what lies outside of the axes.
    fn curves(&self, svg: &mut Svg, frame: &Frame) {
        let [top, width, height] = [frame.top, RIGHT - LEFT, FLOOR - frame.top];
        let area = format!(r#"x="{LEFT}" y="{top}" width="{width}" height="{height}""#);
        let view = format!(r#"viewBox="{LEFT} {top} {width} {height}""#);
        svg.push(format_args!(r#"<svg {area} {view} fill="none" stroke-linejoin="round">"#));
        for series in &self.series {
            series.band(svg, frame);
        }
        if self.marked() == 1 {
            let marks = self.series.iter().flat_map(|series| &series.marks);
            marks.enumerate().for_each(|(i, mark)| mark.line(svg, frame, i));
        }
        for series in &self.series {
            series.curve(svg, frame);
        }
        if self.marked() > 1 {
            for series in &self.series {
                series.marks.iter().for_each(|mark| mark.diamond(svg, frame, series.color()));
            }
        }
        svg.push("</svg>");
    }
}

impl Series {
    fn color(&self) -> &'static str {
        COLORS[self.color % COLORS.len()]
    }

    /// The attributes of its line, `wider` by some pixels.
    fn pen(&self, wider: f64) -> String {
        let (opacity, width) = match self.style {
            Style::Line | Style::Dots => (1.0, 1.8 + wider),
            Style::Faint => (0.35, 1.2 + wider),
        };
        format!(r#"stroke="{}" stroke-width="{width}" stroke-opacity="{opacity}""#, self.color())
    }

    fn band(&self, svg: &mut Svg, frame: &Frame) {
        let upper = self.band.iter().map(|&[x, _, high]| [x, high]);
        let lower = self.band.iter().rev().map(|&[x, low, _]| [x, low]);
        let outline = frame.path(upper.chain(lower));
        if !outline.is_empty() {
            svg.push(format_args!(r#"<polygon points="{outline}" fill="{}" fill-opacity="0.16"/>"#, self.color()));
        }
    }

    fn curve(&self, svg: &mut Svg, frame: &Frame) {
        let path = frame.path(self.points.iter().copied());
        svg.push(format_args!(r#"<polyline points="{path}" {}/>"#, self.pen(0.0)));
        // A lone point is no line.
        if self.style == Style::Dots || self.points.len() == 1 {
            for point in &self.points {
                let [x, y] = frame.place(*point);
                let dot = format!(r#"cx="{x:.1}" cy="{y:.1}" r="3" fill="{}""#, self.color());
                let said = format!("{}: {:.4} at {}", self.name, point[1], axis::short(point[0]));
                svg.push(format_args!("<circle {dot}><title>{}</title></circle>", Escaped(&said)));
            }
        }
    }
}

impl Mark {
    /// Names that may be close to each other are on three levels in turn.
    fn line(&self, svg: &mut Svg, frame: &Frame, number: usize) {
        let [x, _] = frame.place(self.at);
        svg.line([x, frame.top], [x, FLOOR], r##"stroke="#888" stroke-dasharray="4 4""##);
        let y = frame.top + 12.0 + 15.0 * (number % 3) as f64;
        svg.text([x + 5.0, y], r##"fill="#555" font-size="11""##, &self.name);
    }

    fn diamond(&self, svg: &mut Svg, frame: &Frame, color: &str) {
        let [x, y] = frame.place(self.at);
        let pen = format!(r##"fill="#fff" stroke="{color}" stroke-width="1.6""##);
        let title = Escaped(&self.name);
        svg.push(format_args!(r#"<path d="M{x:.1} {y:.1}m0-6l6 6-6 6-6-6z" {pen}><title>{title}</title></path>"#));
    }
}
