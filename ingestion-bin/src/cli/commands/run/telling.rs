//! What `run` tells a person: of the list, of the fit, at the end. In the log, and as plain lines on stderr beside it.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};

use influencer_registry::{InfluencerSet, ListProblem};
use tracing::{info, warn};

use super::super::super::fit::Fit;
use super::super::super::followed::List;
use super::super::super::moment::Moment;
use crate::completeness::Complete;
use crate::config::Config;
use crate::runtime::Stopped;

pub(super) fn tell_stale(problem: Option<&ListProblem>) {
    if let Some(problem) = problem {
        warn!(%problem, "the list of influencers is not taken, the last good one stays");
    }
}

/// Refused entries told one by one; more of them are counted, and named by `check`, `influencers list` and `status`.
const REFUSALS_TOLD: usize = 50;

/// Tells what is refused and was not told yet. Answers what is told by now.
pub(super) fn tell_refused(list: &List, told: &HashSet<String>) -> HashSet<String> {
    let place = list.place().unwrap_or_default();
    let (mut known, mut more) = (HashSet::new(), 0_usize);
    for refusal in list.refused() {
        let text = refusal.to_string();
        if !told.contains(&text) {
            if known.len() >= REFUSALS_TOLD {
                more += 1;
                continue;
            }
            warn!(list = place, %refusal, "an entry of the list is refused, the others are followed");
        }
        if known.len() < REFUSALS_TOLD {
            known.insert(text);
        }
    }
    if more > 0 {
        warn!(list = place, more, "more entries of the list are refused, the others are followed");
    }
    known
}

/// By name, before the venue refuses them one by one.
pub(super) fn tell_uncovered(set: &InfluencerSet, config: &Config) -> Fit {
    let fit = Fit::of(set, config);
    if !fit.uncovered.is_empty() {
        warn!(fit = %brief(&fit.to_string()), "not everybody fits into the venue's limits");
    }
    if let Some(thin) = fit.thin() {
        warn!(thin = %brief(&thin), "not everybody has all listeners");
    }
    fit
}

/// No warning: it is what few addresses come to. A service that does not start does not say it.
pub(super) fn tell_shared_exit(fit: &Fit) {
    if let Some(shared) = fit.shared_exit() {
        info!(shared = %brief(&shared), "listeners that share a public address go together with it");
    }
}

/// A line of the log is not for a hundred thousand names; `check` has all of them.
fn brief(text: &str) -> String {
    const CHARS_MAX: usize = 4_000;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… (`check` names all)", text.get(..end).unwrap_or_default()),
    }
}

pub(super) fn summary(stopped: &Stopped, complete: &Complete) {
    let mut parts: Vec<String> = Vec::new();
    for (name, label, total) in &stopped.totals {
        parts.push(if label.is_empty() {
            format!("{name} {total}")
        } else {
            format!("{name} {label} {total}")
        });
    }
    tell(&format!(
        "stopped: {}",
        if parts.is_empty() { "nothing happened".to_owned() } else { parts.join(", ") }
    ));
    if complete.since_start.in_history() > 0 {
        let certified = complete.certified_to.map_or_else(
            || "not everybody is certified yet".to_owned(),
            |time| format!("everybody certified to {}", Moment(time).rfc3339()),
        );
        tell(&format!(
            "complete: {} % of {} events since the start, {} % of {} in the last hour, {certified}",
            complete.since_start.percent(),
            complete.since_start.in_history(),
            complete.last_hour.percent(),
            complete.last_hour.in_history(),
        ));
    }
    for left in &stopped.left {
        tell(&format!("left: {left}"));
    }
}

/// One line to the person on stderr, beside the log.
pub(super) fn tell(line: &str) {
    let mut stderr = std::io::stderr();
    let colour = stderr.is_terminal();
    let _closed =
        if colour { writeln!(stderr, "\u{1b}[2m{line}\u{1b}[0m") } else { writeln!(stderr, "{line}") };
}
