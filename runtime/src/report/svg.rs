//! The few elements of SVG that a chart is made of.

use std::fmt::{self, Display, Write};

/// A document as it grows.
pub(super) struct Svg(pub String);

impl Svg {
    pub fn push(&mut self, element: impl Display) {
        write!(self.0, "{element}").expect("a string takes everything");
    }

    pub fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], attributes: impl Display) {
        self.push(format_args!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" {attributes}/>"#));
    }

    pub fn text(&mut self, [x, y]: [f64; 2], attributes: impl Display, text: &str) {
        let text = Escaped(text);
        self.push(format_args!(r#"<text x="{x:.1}" y="{y:.1}" stroke="none" {attributes}>{text}</text>"#));
    }
}

/// Text as XML and HTML need it.
pub(super) struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\n' | '\t' => f.write_char(letter)?,
                // Other control characters may not stand in XML at all.
                letter if letter.is_control() => f.write_char(' ')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}
