//! What seeds may draw: everything, or a few faults alone in a world that is otherwise well.

use super::world::Fault;

/// A family of schedules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// By this name `cargo xtask seeds --profile` asks for it.
    pub(super) name: &'static str,
    /// These alone, in every seed; nothing: whatever the seed draws.
    pub(super) faults: Option<&'static [Fault]>,
    pub(super) listeners: Option<usize>,
    /// Rows of a subscription's snapshot.
    pub(super) snapshot: usize,
    /// Fills from before anybody followed.
    pub(super) before: Option<i64>,
    /// Milliseconds between two blocks, about; then it trades to its end.
    pub(super) pace: Option<i64>,
    /// For how long things go wrong, milliseconds.
    pub(super) faulty_for: Option<i64>,
    /// A sink is far behind at times, and the account is one of those that are shed.
    pub(super) sheds: bool,
}

/// Everything a seed draws: what the tests run.
pub(super) const ALL: Plan = Plan {
    name: "all",
    faults: None,
    listeners: None,
    snapshot: 30,
    before: None,
    pace: None,
    faulty_for: None,
    sheds: false,
};

const fn only(name: &'static str, faults: &'static [Fault]) -> Plan {
    Plan { name, faults: Some(faults), listeners: Some(2), ..ALL }
}

/// Nothing goes wrong but that one of two listeners drops 5 % of its frames.
pub(super) const ONE_DROPS: Plan = only("one-drops", &[Fault::OneDrops]);
/// One of two listeners is 5 s behind, then 60 s.
pub(super) const LAGGING: Plan = only("lagging", &[Fault::Lagging]);
/// One subscription at a time goes mute.
pub(super) const MUTE: Plan = only("mute", &[Fault::Mute]);
/// Connections close; snapshots overlap what came live.
pub(super) const OVERLAP: Plan = only("overlap", &[Fault::Close, Fault::LateSnapshot]);
/// The first snapshot holds 2,000 rows.
pub(super) const LONG_SNAPSHOT: Plan =
    Plan { snapshot: 2_000, before: Some(2_500), ..only("long-snapshot", &[Fault::Close]) };
/// Snapshots of three rows, and outages.
pub(super) const SHORT_SNAPSHOT: Plan = Plan { snapshot: 3, ..only("short-snapshot", &[Fault::Outage]) };
/// The listeners disagree about a fill.
pub(super) const DISAGREE: Plan = only("disagree", &[Fault::Flip]);
/// Frames of two listeners, and of one, come in another order; milliseconds come in parts.
pub(super) const REORDERED: Plan =
    only("reordered", &[Fault::Delay, Fault::Drop, Fault::Split, Fault::Reorder, Fault::Duplicate]);
/// 15,000 fills and more in an hour.
pub(super) const BUSY: Plan = Plan {
    pace: Some(400),
    faulty_for: Some(2_700_000),
    ..only("busy", &[Fault::OneDrops, Fault::Duplicate, Fault::Close])
};

/// Whatever the seed draws, and shedding.
pub(super) const SHEDDING: Plan = Plan { name: "shedding", sheds: true, ..ALL };

/// All of them, by name.
pub(super) const NAMED: &[Plan] = &[
    ALL,
    ONE_DROPS,
    LAGGING,
    MUTE,
    OVERLAP,
    LONG_SNAPSHOT,
    SHORT_SNAPSHOT,
    DISAGREE,
    REORDERED,
    BUSY,
    SHEDDING,
];
