//! The kinds of records. Numbers are on disk for ever.

/// What a record is. Below 128 a reader must understand it; from 128 on it may pass it by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// A row the account machine accepted.
    Event = 1,
    /// Something refused, with its bytes.
    Refusal = 2,
    /// A gap's newest state.
    Gap = 3,
    /// What the venue shows of an account's equity and positions.
    State = 4,
    /// Where an account's stream begins.
    Baseline = 5,
    /// Up to where it is complete.
    Certified = 6,
    /// A new run of an account's numbers, or its end.
    Epoch = 7,
    /// Something of the venue that is kept and is no fill.
    Raw = 8,
    /// A run of the process: its configuration as far as it changes how signals are made.
    Run = 9,
    /// Info weight spent.
    Spent = 10,
    /// What consumers are told of where an account stands.
    Notice = 11,
    /// What another instance knew of an account: it is gone on from there.
    Adopted = 12,
    /// Positions that the sink of the signals will never get; for whoever audits the journal.
    Passed = 128,
}

impl Kind {
    /// The kind of this number.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Event,
            2 => Self::Refusal,
            3 => Self::Gap,
            4 => Self::State,
            5 => Self::Baseline,
            6 => Self::Certified,
            7 => Self::Epoch,
            8 => Self::Raw,
            9 => Self::Run,
            10 => Self::Spent,
            11 => Self::Notice,
            12 => Self::Adopted,
            128 => Self::Passed,
            _ => return None,
        })
    }
}
