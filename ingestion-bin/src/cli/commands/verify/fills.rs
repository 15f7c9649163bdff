//! A file of fills for the audit: only the chains of its perps can be followed, each segment's by itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::super::exit::Failure;
use crate::audit::{Chain, Finding, Link, Report};
use crate::record::RowKind;
use crate::render::EventReader;
use crate::translate::exact;

/// One line of a file of fills.
#[derive(Deserialize)]
struct FillLine<'a> {
    #[serde(default)]
    segment: Option<String>,
    user: String,
    #[serde(borrow)]
    fill: &'a RawValue,
}

pub(super) fn fills(path: &Path) -> Result<Report, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| Failure::world(&name, error))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut chains: BTreeMap<(Option<String>, String, String), Chain> = BTreeMap::new();
    let (mut events, mut report) = (EventReader::default(), Report::default());
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let at =
            |error: &dyn std::fmt::Display| Failure::World(format!("{name} line {}: {error}", number + 1));
        let line = line.map_err(|error| at(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: FillLine<'_> = serde_json::from_str(&line).map_err(|error| at(&error))?;
        let fill = events.fill(RowKind::Fill, row.fill.get().as_bytes()).map_err(|error| at(&error))?;
        report.signals += 1;
        if !fill.market.kind().has_strict_chain() {
            continue;
        }
        let transition = fill.transition().map_err(|error| at(&error))?;
        let key = (row.segment, row.user, fill.market.name().to_owned());
        let (before, after) = (exact(transition.before()), exact(transition.after()));
        let link = chains.entry(key.clone()).or_default().follow(before, after);
        report.pairs += u64::from(link != Link::First);
        if let Link::Broken { expected } = link {
            report.chain_breaks += 1;
            report.undeclared += 1;
            let source_event_id = fill.source_event_id().map_err(|error| at(&error))?;
            report.name(|| Finding {
                influencer_id: key.1,
                market: key.2,
                timestamp: i64::try_from(fill.time).unwrap_or(i64::MAX),
                source_event_id,
                finding: format!("position {before}, but {expected} was left"),
                gap_id: None,
            });
        }
    }
    Ok(report)
}
