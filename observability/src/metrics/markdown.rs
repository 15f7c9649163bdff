//! A catalogue as a Markdown table, for the documentation.

use std::fmt::Write;

use super::{Family, Kind, OWN, Unit};

/// The table of `catalogue` and [`OWN`], in that order; ends in a line break.
#[must_use]
pub fn markdown(catalogue: &[Family]) -> String {
    let mut out =
        String::from("| metric | kind | unit | labels | at most | meaning |\n|---|---|---|---|---|---|\n");
    for family in catalogue.iter().chain(OWN) {
        let kind = match family.kind {
            Kind::Counter => "counter".to_owned(),
            Kind::Gauge => "gauge".to_owned(),
            Kind::Histogram(bounds) => {
                let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
                format!("histogram ({})", bounds.join(", "))
            }
        };
        let unit = match family.unit {
            Unit::Count => "count",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Ratio => "ratio",
        };
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let room = if labels.is_empty() { "1".to_owned() } else { family.series_max.to_string() };
        let help = family.help.replace('|', "\\|");
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| `{}` | {kind} | {unit} | {} | {room} | {help} |",
            family.name,
            labels.join(", ")
        );
    }
    out
}
