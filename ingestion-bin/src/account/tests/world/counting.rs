//! How often things happened: the driver's own counts, and the machine's when it ends.

use super::super::super::Counts;
use super::World;

impl World {
    pub(super) fn count(&mut self, what: &str) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    pub(in super::super) fn collect_counts(&mut self) {
        let Some(machine) = &self.machine else { return };
        let Counts {
            duplicates,
            mismatches,
            corrections,
            twins,
            late,
            recycles,
            reads,
            questions,
            hold_reads,
            rechecks,
            failed_pages,
            anchors_missed,
            doubted,
            outages,
            history_gaps,
            gates_expired,
            below_floor,
            passed_over,
            overruns,
            ahead,
            refused_frames,
            ..
        } = machine.summary().counts;
        for (name, count) in [
            ("duplicate dropped", duplicates),
            ("mismatches", mismatches),
            ("corrections", corrections),
            ("twin held", twins),
            ("late", late),
            ("listener recycled", recycles),
            ("reads", reads),
            ("questions", questions),
            ("read because a row waited", hold_reads),
            ("rechecks", rechecks),
            ("failed pages", failed_pages),
            ("answer without its anchor", anchors_missed),
            ("snapshot ahead of another listener", doubted),
            ("outage declared", outages),
            ("history declared", history_gaps),
            ("wait for history that ended without it", gates_expired),
            ("below floor", below_floor),
            ("passed over", passed_over),
            ("certificate taken back (C5)", overruns),
            ("row ahead of the clock held (H4)", ahead),
            ("frames refused", refused_frames),
        ] {
            *self.counts.entry(name.into()).or_default() += count;
        }
    }
}
