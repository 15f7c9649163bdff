//! Bugs the machine can be given on purpose: each must be caught by the judge.

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
}

impl Bug {
    pub(super) const ALL: [Self; 19] = [
        Self::EverySnapshotIsBaseline,
        Self::LateStreamForgets,
        Self::SilentBaseline,
        Self::KnownKeysEndARead,
        Self::NoAnchor,
        Self::HeldKeysProve,
        Self::NoMargin,
        Self::OneSource,
        Self::KnownByRule,
        Self::PassesHeldRows,
        Self::OneWitness,
        Self::PassesOpenGaps,
        Self::RepairedBySum,
        Self::SilentBreak,
        Self::NoTwins,
        Self::NoCorrections,
        Self::NeverLate,
        Self::SeqSkips,
        Self::SilentRemoval,
    ];
}
