//! What goes wrong, and under which name its occurrences are counted.

macro_rules! faults {
    ($($name:ident => $counted:literal),* $(,)?) => {
        /// What goes wrong in a seed.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
        pub(in super::super) enum Fault { $($name),* }
        impl Fault {
            pub(in super::super) const ALL: &[Self] = &[$(Self::$name),*];

            /// What is counted each time it happens.
            pub(in super::super) fn counted_as(self) -> &'static str {
                match self { $(Self::$name => $counted),* }
            }
        }
    };
}

faults!(
    Drop => "dropped frame",
    Delay => "delayed frame",
    Close => "closed connection",
    Mute => "mute subscription",
    Outage => "outage",
    Duplicate => "doubled frame",
    Split => "split frame",
    Phantom => "phantom",
    Flip => "flipped size",
    LateSnapshot => "late snapshot",
    Short => "short answer",
    Holey => "answer with a hole",
    Empty => "empty answer",
    Stale => "stale answer",
    Busy => "busy: no answer",
    LostAnswer => "lost answer",
    Lag => "lagging answer",
    Disorder => "answer that lacks older rows than it shows",
    Retention => "question about what the venue forgot",
    Dense => "dense millisecond",
    Kill => "kill",
    Remove => "removal",
    Start => "start in the past",
    Twap => "slice",
    InlineTwap => "slice on the channel of fills",
    SlowTwap => "slow frame of slices",
    NoRoom => "frame the journal had no room for",
    TightCaps => "frame over the caps",
    OneListener => "run with one listener",
    TwapSwitch => "slices switched on or off",
    WrongTime => "wrong time",
    // Drawn apart from all above.
    OneDrops => "frame dropped by one listener",
    Lagging => "listener 5 or 60 s behind",
    Reorder => "frame that overtook another",
    Spot => "position moved without a fill",
    Overrun => "certificate ahead of the venue",
);
