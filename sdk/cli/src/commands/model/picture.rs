//! The errors of `noema model diff` as a picture: a bar for each layer, and for the end.

use std::fmt::Write;

use super::diff::DiffReport;

/// Sides in pixels.
const LINE: usize = 22;
const LABELS: usize = 260;
const BARS: usize = 420;
const NUMBERS: usize = 110;

/// Draws them as SVG.
pub(super) fn draw(report: &DiffReport, title: &str) -> String {
    let layers = report.layers.iter().map(|layer| (layer.name.as_str(), layer.relative, "#4878a8"));
    let ends = report.ends.iter().map(|end| (end.name, end.value, "#b8563e"));
    let bars: Vec<(&str, f64, &str)> = layers.chain(ends).collect();
    let most = bars.iter().map(|(_, value, _)| *value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let (width, height) = (LABELS + BARS + NUMBERS, (bars.len() + 3) * LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let _ = writeln!(svg, "<text x=\"8\" y=\"{}\" font-size=\"15\">{}</text>", LINE - 4, escaped(title));
    let rows = report.rows;
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{}\" fill=\"#555\">error on {rows} rows, by layer and at the end</text>",
        2 * LINE - 4
    );
    for (at, (name, value, colour)) in bars.iter().enumerate() {
        let top = (at + 2) * LINE + 4;
        let base = top + LINE - 9;
        #[allow(clippy::cast_precision_loss, reason = "pixels")]
        let length = (value / most * BARS as f64).max(1.0);
        let label = LABELS - 8;
        let _ = writeln!(svg, "<text x=\"{label}\" y=\"{base}\" text-anchor=\"end\">{}</text>", escaped(&short(name)));
        let (bar, height) = (LABELS, LINE - 6);
        let _ = writeln!(
            svg,
            "<rect x=\"{bar}\" y=\"{top}\" width=\"{length:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
        );
        #[allow(clippy::cast_precision_loss, reason = "pixels")]
        let number = LABELS as f64 + length + 6.0;
        let _ = writeln!(svg, "<text x=\"{number:.1}\" y=\"{base}\" fill=\"#333\">{value:.5}</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

/// As much of a name as there is room for.
fn short(name: &str) -> String {
    const MOST: usize = 36;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    let end: String = name.chars().skip(name.chars().count() - MOST + 1).collect();
    format!("\u{2026}{end}")
}

/// Text of a file in a picture.
fn escaped(text: &str) -> String {
    let escape = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        letter if letter.is_control() => "?".to_owned(),
        letter => letter.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::commands::model::diff::{DiffReport, EndLine, LayerLine};

    #[test]
    fn a_bar_for_each_number_and_no_markup_from_names() {
        let report = DiffReport {
            model: String::new(),
            rows: 3,
            layers: vec![
                LayerLine { name: "<script>&".into(), relative: 0.5 },
                LayerLine { name: "b".into(), relative: 0.25 },
            ],
            ends: vec![EndLine { name: "end", value: 0.0 }],
            same_class: None,
            right: None,
            picture: None,
        };
        let svg = draw(&report, "a & b");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("a &amp; b"));
        assert!(svg.contains("&lt;script&gt;&amp;") && !svg.contains("<script"));
        assert_eq!(svg.matches("<rect").count(), 4, "three bars and the ground");
        assert!(svg.contains("width=\"420.0\"") && svg.contains("width=\"210.0\"") && svg.contains("width=\"1.0\""));
    }
}
