//! Bugs the machine can be given on purpose: each must be caught by the judge.

use super::plan::{self, Plan};

/// One rule broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Bug {
    /// A1: every snapshot's rows are baseline.
    EverySnapshotIsBaseline,
    /// B8: a stream that begins late takes what happened since the first signal as baseline.
    LateStreamForgets,
    /// B9: a break between signals that the chain does not show is not declared.
    SilentBaseline,
    /// S1: only keys unknown to the account count as new to a read.
    KnownKeysEndARead,
    /// S3: an answer without the anchor is believed.
    NoAnchor,
    /// R1: any known key proves an overlap.
    HeldKeysProve,
    /// C1: no margin.
    NoMargin,
    /// C1: one source alone moves the venue's clock.
    OneSource,
    /// C1, C5: the same, and what `certified` then passed is known by rule.
    KnownByRule,
    /// C2: certified passes held rows.
    PassesHeldRows,
    /// C2: one answer without a key is enough.
    OneWitness,
    /// C4: certified passes open gaps.
    PassesOpenGaps,
    /// G1: an adding-up gap is closed before history was read.
    RepairedBySum,
    /// H1: a break goes out without its gap.
    SilentBreak,
    /// H3: nothing is a twin.
    NoTwins,
    /// K4: history never corrects.
    NoCorrections,
    /// O3: late rows do not say so.
    NeverLate,
    /// Q: late signals leave a hole in the numbers.
    SeqSkips,
    /// X: removal declares nothing.
    SilentRemoval,
    /// K2: keys are forgotten as soon as they are certified.
    ForgetsTooSoon,
    /// G3: a certificate changes the ledger and is not recorded.
    Unrecorded,
    /// G3: a new epoch does not tell the gaps that are kept.
    ForgetsGaps,
    /// Q: no signal says that more follow.
    NeverMore,
    /// H1: a row that does not link waits without an end.
    HeldForEver,
    /// G: no gap ends.
    NothingEnds,
    /// §5: no frame is refused for want of room.
    NoBounds,
    /// A listener that is gone counts as live.
    NeverBlind,
    /// S4: reads follow each other without a rest.
    Restless,
    /// D1: what is shed is not declared.
    SilentShed,
    /// D4: the signal after what was shed does not name the gap.
    UnnamedShed,
}

impl Bug {
    /// With the invariant it breaks (`docs/faults.md`) and the seed that caught it last.
    pub(super) const ALL: &[(Self, &'static str, u64)] = &[
        (Self::EverySnapshotIsBaseline, "I1", 1),
        (Self::LateStreamForgets, "I1", 174),
        (Self::SilentBaseline, "I4", 10),
        (Self::KnownKeysEndARead, "I1", 2),
        (Self::NoAnchor, "I1", 37),
        (Self::HeldKeysProve, "I1", 243),
        (Self::NoMargin, "I1", 59),
        (Self::OneSource, "I1", 12),
        (Self::KnownByRule, "I1", 12),
        (Self::PassesHeldRows, "I1", 0),
        (Self::OneWitness, "I1", 1177),
        (Self::PassesOpenGaps, "I1", 272),
        (Self::RepairedBySum, "I1", 2),
        (Self::SilentBreak, "I4", 0),
        (Self::NoTwins, "I1", 0),
        (Self::NoCorrections, "I1", 3),
        (Self::NeverLate, "I4", 0),
        (Self::SeqSkips, "I4", 0),
        (Self::SilentRemoval, "I1", 67),
        (Self::ForgetsTooSoon, "I1", 0),
        (Self::NeverMore, "I4", 0),
        (Self::Unrecorded, "I5", 0),
        (Self::ForgetsGaps, "I5", 5),
        (Self::NoBounds, "I6", 10),
        (Self::HeldForEver, "I8", 0),
        (Self::NothingEnds, "I8", 0),
        (Self::NeverBlind, "I9", 0),
        (Self::Restless, "I10", 0),
        (Self::SilentShed, "I1", 0),
        (Self::UnnamedShed, "I4", 0),
    ];

    /// The schedules in which it can do harm.
    pub(super) fn plan(self) -> &'static Plan {
        if matches!(self, Self::SilentShed | Self::UnnamedShed) { &plan::SHEDDING } else { &plan::ALL }
    }
}

/// The invariant that a violation breaks.
pub(super) fn invariant(violation: &str) -> &'static str {
    match violation {
        "chain"
        | "chain-gap-without-a-chain"
        | "gap-after-its-event"
        | "late-but-newest"
        | "more"
        | "order"
        | "order-in-ms"
        | "seq"
        | "shed-unnamed"
        | "signals-chain" => "I4",
        "epoch" | "fold" | "gaps-told-wrongly" | "no-baseline" => "I5",
        "over-the-caps" => "I6",
        "busy-timer" | "certified-stuck" | "gap-open-for-ever" | "held-for-ever" => "I8",
        "coverage" => "I9",
        "hasty-reads" => "I10",
        // Lost, twice, or said wrongly.
        _ => "I1",
    }
}
