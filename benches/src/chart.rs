//! The picture of the README, as SVG and as PNG.

use std::fmt::Write;
use std::path::Path;

use resvg::{tiny_skia, usvg};

use crate::Failure;
use crate::burst::{BurstResult, Sender};
use crate::results::Results;
use crate::subjects::Subject;
use crate::table::nanos;

/// Writes `spans.svg` and `spans.png` into the folder.
pub(crate) fn write(results: &Results, folder: &Path) -> Result<(), Failure> {
    let panels = panels(results);
    if panels.is_empty() {
        return Err("nothing that the chart shows was measured".into());
    }
    let svg = draw(&panels);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("spans.svg"), &svg)?;
    eprintln!("written: spans.svg");
    match rasterize(&svg)? {
        Some(image) => {
            image.save_png(folder.join("spans.png"))?;
            eprintln!("written: spans.png");
        }
        None => eprintln!("not written: spans.png needs a font, such as DejaVu Sans (Debian: fonts-dejavu-core)"),
    }
    Ok(())
}

/// One workload.
struct Panel {
    title: &'static str,
    unit: &'static str,
    bars: Vec<Bar>,
}

struct Bar {
    name: &'static str,
    is_ours: bool,
    value: f64,
    text: String,
}

const WORKLOADS: [(&str, &str); 5] = [
    ("off", "tracing is off"),
    ("sampled-out", "not sampled"),
    ("root", "a root span"),
    ("full", "4 attributes and 1 event"),
    ("child", "each child, 2 attributes"),
];

const SUBJECTS: [(Subject, &str); 5] = [
    (Subject::Spandrel, "Spandrel"),
    (Subject::Tracing, "tracing"),
    (Subject::Fastrace, "fastrace"),
    (Subject::Otel, "OpenTelemetry"),
    (Subject::TracingOtel, "tracing + OTel"),
];

const SENDERS: [(Sender, &str); 5] = [
    (Sender::SpandrelBlock, "Spandrel, block"),
    (Sender::OtelFlush, "OTel, flushing"),
    (Sender::Otel, "OpenTelemetry"),
    (Sender::Fastrace, "fastrace"),
    (Sender::TracingOtel, "tracing + OTel"),
];

fn panels(results: &Results) -> Vec<Panel> {
    let figures = results.figures();
    let mut panels: Vec<Panel> = WORKLOADS
        .into_iter()
        .map(|(workload, title)| {
            let bar = |(subject, name)| {
                let figure = figures.iter().find(|known| known.workload == workload && known.subject == subject)?;
                let text = format!("{} ns", nanos(figure.ns_min));
                Some(Bar { name, is_ours: subject == Subject::Spandrel, value: figure.ns_min, text })
            };
            let bars = SUBJECTS.into_iter().filter_map(bar).collect();
            Panel { title, unit: "CPU time of the thread, less is better", bars }
        })
        .collect();
    let bars = SENDERS.into_iter().filter_map(|(sender, name)| {
        let runs = || results.burst.iter().filter(|run| run.sender == sender);
        let share = runs().map(|run| run.delivered_share() * 100.0).min_by(f64::total_cmp)?.floor();
        let value = runs().map(BurstResult::delivered_per_cpu_second).max_by(f64::total_cmp)?;
        let text = format!("{:.2} M, {share:.0} %", value / 1e6);
        Some(Bar { name, is_ours: sender == Sender::SpandrelBlock, value, text })
    });
    panels.push(Panel {
        title: "a burst of spans to OTLP/HTTP",
        unit: "spans a CPU second, more is better; share that arrived",
        bars: bars.collect(),
    });
    panels.retain(|panel| !panel.bars.is_empty());
    panels
}

// A card of its own: it looks the same on a light and on a dark page.
const BACKGROUND: &str = "#fbfbf8";
const BORDER: &str = "#d5d5cd";
const INK: &str = "#1f2328";
const FAINT: &str = "#59636e";
const OURS: &str = "#0f766e";
const OTHERS: &str = "#a8b3bf";

const COLUMNS: usize = 3;
const MARGIN: f64 = 28.0;
const PANEL: f64 = 304.0;
const GAP: f64 = 28.0;
const NAME: f64 = 118.0;
const VALUE: f64 = 100.0;
const BAR: f64 = 16.0;
const STEP: f64 = 24.0;
const HEAD: f64 = 50.0;
const TITLE: f64 = 52.0;

fn draw(panels: &[Panel]) -> String {
    let rows: Vec<&[Panel]> = panels.chunks(COLUMNS).collect();
    let height_of = |row: &[Panel]| HEAD + STEP * row.iter().map(|panel| panel.bars.len()).max().unwrap_or(0) as f64;
    let width = 2.0 * MARGIN + COLUMNS as f64 * PANEL + (COLUMNS - 1) as f64 * GAP;
    let height = TITLE + rows.iter().map(|row| height_of(row) + GAP).sum::<f64>() + 6.0;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" font-family="'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">"#
    );
    let _ = writeln!(svg, "<title>What a span costs: Spandrel beside others</title>");
    let (inner_width, inner_height) = (width - 1.0, height - 1.0);
    let _ = writeln!(
        svg,
        r#"<rect x="0.5" y="0.5" width="{inner_width}" height="{inner_height}" rx="10" fill="{BACKGROUND}" stroke="{BORDER}"/>"#
    );
    text(&mut svg, (MARGIN, 36.0), r#"font-size="17" font-weight="bold""#, "What a span costs");
    let mut top = TITLE;
    for row in rows {
        for (column, panel) in row.iter().enumerate() {
            draw_panel(&mut svg, (MARGIN + column as f64 * (PANEL + GAP), top + 10.0), panel);
        }
        top += height_of(row) + GAP;
    }
    svg += "</svg>\n";
    svg
}

fn draw_panel(svg: &mut String, (left, top): (f64, f64), panel: &Panel) {
    text(svg, (left, top + 14.0), r#"font-size="14" font-weight="bold""#, panel.title);
    text(svg, (left, top + 31.0), &format!(r#"font-size="11" fill="{FAINT}""#), panel.unit);
    let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    for (index, bar) in panel.bars.iter().enumerate() {
        let y = top + HEAD - 8.0 + index as f64 * STEP;
        let (color, weight) = if bar.is_ours { (OURS, r#"font-weight="bold""#) } else { (OTHERS, "") };
        // Never so short that it cannot be seen.
        let width = ((PANEL - NAME - VALUE) * bar.value.max(0.0) / most).max(1.5);
        let x = left + NAME;
        text(svg, (left, y + 12.5), weight, bar.name);
        let _ =
            writeln!(svg, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2" fill="{color}"/>"#);
        text(svg, (x + width + 6.0, y + 12.5), weight, &bar.text);
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" {attributes}>{text}</text>"#);
}

/// At twice the size, for fine screens; `None` without a font.
fn rasterize(svg: &str) -> Result<Option<tiny_skia::Pixmap>, Failure> {
    const SCALE: f32 = 2.0;
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    if options.fontdb_mut().is_empty() {
        return Ok(None);
    }
    // Where none of the named fonts is installed, any is better than no text.
    let any = options.fontdb_mut().faces().next().and_then(|face| face.families.first()).map(|(name, _)| name.clone());
    options.fontdb_mut().set_sans_serif_family(any.unwrap_or_default());
    let tree = usvg::Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("the chart has no size")?;
    let mut image = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("the chart has no size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut image.as_mut());
    Ok(Some(image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Measured;
    use crate::workloads::Workload;

    fn results() -> Results {
        let mut results = Results::default();
        for (subject, ns) in [(Subject::Spandrel, 40.0), (Subject::Otel, 320.0), (Subject::TracingOtel, 1145.0)] {
            let measured = || Measured { nanos: vec![ns], ..Measured::default() };
            results.add(Workload::Root, subject, measured());
            results.add(Workload::Full, subject, measured());
        }
        results
    }

    #[test]
    fn the_svg_is_well_formed_and_says_the_figures() {
        let svg = draw(&panels(&results()));
        let tree = usvg::roxmltree::Document::parse(&svg).expect("it is XML");
        let texts: Vec<_> =
            tree.descendants().filter(|node| node.has_tag_name("text")).filter_map(|n| n.text()).collect();
        for wanted in ["a root span", "4 attributes and 1 event", "Spandrel", "40.0 ns", "1145 ns"] {
            assert!(texts.contains(&wanted), "{wanted} is not in {texts:?}");
        }
        let bars: Vec<f64> = tree
            .descendants()
            .filter(|node| node.attribute("fill").is_some_and(|fill| fill == OURS || fill == OTHERS))
            .filter_map(|node| node.attribute("width")?.parse().ok())
            .collect();
        assert_eq!(bars.len(), 6);
        assert!(bars[0] < bars[1] && bars[1] < bars[2], "{bars:?}");
    }

    #[test]
    fn the_png_is_twice_as_large() {
        if let Some(image) = rasterize(&draw(&panels(&results()))).expect("it can be drawn") {
            assert_eq!(image.width(), 2048);
        }
    }

    #[test]
    fn names_are_escaped() {
        let mut svg = String::new();
        text(&mut svg, (0.0, 0.0), "", "a < b & c");
        assert!(svg.contains("a &lt; b &amp; c"), "{svg}");
    }
}
