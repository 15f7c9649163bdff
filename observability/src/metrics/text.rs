//! The Prometheus text format, version 0.0.4:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::fmt::Write;

use super::{Kind, instrument::Cell, registry::Slot};

/// The content type of what [`render`] writes.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn render(slots: &[Slot]) -> String {
    let mut out = String::with_capacity(slots.len() * 256);
    for slot in slots {
        let family = &slot.family;
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        line(&mut out, format_args!("# HELP {} {}", family.name, escape_help(family.help)));
        line(&mut out, format_args!("# TYPE {} {kind}", family.name));
        let (series, overflow) = slot.read();
        for (values, cell) in series {
            let labels: Vec<(&str, &str)> =
                family.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            samples(&mut out, family.name, &labels, &cell);
        }
        if let Some(cell) = overflow {
            samples(&mut out, family.name, &[("overflow", "true")], &cell);
        }
    }
    out
}

fn samples(out: &mut String, name: &str, labels: &[(&str, &str)], cell: &Cell) {
    match cell {
        Cell::Counter(counter) => {
            line(out, format_args!("{name}{} {}", set(labels, None), counter.value()));
        }
        Cell::Gauge(gauge) => {
            line(out, format_args!("{name}{} {}", set(labels, None), number(gauge.value())));
        }
        Cell::Histogram(histogram) => {
            let (below, count, sum) = histogram.read();
            let plain = set(labels, None);
            for (bound, n) in below {
                line(out, format_args!("{name}_bucket{} {n}", set(labels, Some(bound))));
            }
            line(out, format_args!("{name}_bucket{} {count}", set(labels, Some(f64::INFINITY))));
            line(out, format_args!("{name}_sum{plain} {}", number(sum)));
            line(out, format_args!("{name}_count{plain} {count}"));
        }
    }
}

/// `{a="1",le="0.5"}`, or nothing when there are no labels.
fn set(labels: &[(&str, &str)], le: Option<f64>) -> String {
    let given = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape_label(value)));
    let all: Vec<String> = given.chain(le.map(|le| format!("le=\"{}\"", number(le)))).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn escape_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escape_label(text: &str) -> String {
    escape_help(text).replace('"', "\\\"")
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{line}");
}
