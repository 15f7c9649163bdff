//! Kinds of faults, by where they act: on frames, on info answers, during a time, at a moment, on the next fitting thing.

use std::ops::Range;
use std::time::Duration;

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum Kind {
    /// Befalls data frames with this probability.
    Frame(FrameFault, f64),
    /// Befalls info answers with this probability.
    Info(InfoFault, f64),
    /// This account, or everyone, is silent.
    Mute(Option<String>),
    /// The states of this account, or of everyone, show other positions.
    WrongState(Option<String>),
    /// Everything is down.
    Outage,
    /// Upgrades are refused with this status, or never answered.
    Handshake(Option<u16>),
    /// Happens at a moment.
    Moment(Moment),
    /// Waits for the next live `userFills` frame.
    Alter(Alteration),
    /// Swallows so many subscribes.
    NoAck(u32),
}

/// What befalls a data frame.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum FrameFault {
    Drop,
    Dup,
    Corrupt,
    Truncate,
    Fragment,
    Split,
    /// Milliseconds.
    Delay(Range<u64>),
}

/// What befalls an info answer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum InfoFault {
    TooMany,
    Broken,
    Short,
    Empty,
    Half,
    Stale(Duration),
    /// Milliseconds.
    Slow(Range<u64>),
}

/// What happens at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum Moment {
    CloseOne,
    CloseAll(u16),
    Inject(Injection),
    TooManyUsers(u32),
    Limit(String, u32),
    InfoLag(Duration),
    PageCap(usize),
    TwapPageCap(usize),
    Retention(usize),
}

/// A frame of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum Injection {
    Malformed,
    Truncated,
    BadUtf8,
    Deep,
    UnknownChannel,
    Unfollowed,
    Huge(usize),
    PingFlood(u32),
}

/// A change of the next live `userFills` frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum Alteration {
    UnknownField,
    UnknownDir,
    Mismatch,
    OtherTid,
    BadFill(BadFill),
}

/// What is wrong with the bad neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum BadFill {
    MissingField,
    NoTime,
    WrongType,
    Null,
    Nan,
    Infinity,
    Text,
    FortyDigits,
}

impl Kind {
    /// The name it is written and counted under.
    pub(in crate::sim) fn name(&self) -> &'static str {
        match self {
            Self::Frame(fault, _) => fault.name(),
            Self::Info(fault, _) => fault.name(),
            Self::Mute(_) => "mute",
            Self::WrongState(_) => "wrong-state",
            Self::Outage => "outage",
            Self::Handshake(_) => "handshake",
            Self::Moment(moment) => moment.name(),
            Self::Alter(alteration) => alteration.name(),
            Self::NoAck(_) => "no-ack",
        }
    }

    /// Whether it happens at moments (and not during a time).
    pub(super) fn is_momentary(&self) -> bool {
        matches!(self, Self::Moment(_) | Self::Alter(_) | Self::NoAck(_))
    }
}

impl FrameFault {
    fn name(&self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Dup => "dup",
            Self::Corrupt => "corrupt",
            Self::Truncate => "truncate",
            Self::Fragment => "fragment",
            Self::Split => "split",
            Self::Delay(_) => "delay",
        }
    }
}

impl InfoFault {
    fn name(&self) -> &'static str {
        match self {
            Self::TooMany => "info-429",
            Self::Broken => "info-500",
            Self::Short => "info-short",
            Self::Empty => "info-empty",
            Self::Half => "info-half",
            Self::Stale(_) => "info-stale",
            Self::Slow(_) => "info-slow",
        }
    }

    /// Whether it needs an answer made of rows of history.
    pub(super) fn needs_rows(&self) -> bool {
        matches!(self, Self::Short | Self::Empty | Self::Stale(_))
    }
}

impl Moment {
    pub(in crate::sim) fn name(&self) -> &'static str {
        match self {
            Self::CloseOne | Self::CloseAll(_) => "close",
            Self::Inject(Injection::Malformed) => "malformed",
            Self::Inject(Injection::Truncated) => "truncated",
            Self::Inject(Injection::BadUtf8) => "bad-utf8",
            Self::Inject(Injection::Deep) => "deep",
            Self::Inject(Injection::UnknownChannel) => "unknown-channel",
            Self::Inject(Injection::Unfollowed) => "unfollowed",
            Self::Inject(Injection::Huge(_)) => "huge",
            Self::Inject(Injection::PingFlood(_)) => "ping-flood",
            Self::TooManyUsers(_) => "too-many-users",
            Self::Limit(..) => "limit",
            Self::InfoLag(_) => "info-lag",
            Self::PageCap(_) => "page-cap",
            Self::TwapPageCap(_) => "twap-page-cap",
            Self::Retention(_) => "retention",
        }
    }
}

impl Alteration {
    fn name(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown-field",
            Self::UnknownDir => "unknown-dir",
            Self::Mismatch => "mismatch",
            Self::OtherTid => "other-tid",
            Self::BadFill(_) => "bad-fill",
        }
    }
}
