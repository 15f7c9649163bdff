//! The faults that are drawn, and what each of them strikes: two that strike the same do not overlap.

/// One fault. It strikes, lasts for a drawn time, and is over.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fault {
    /// A listener's connection is reset, and so is every new one.
    Reset,
    /// Nothing more arrives on it, in both directions, and nobody says so.
    HalfOpen,
    /// It lives, and shows no data.
    Mute,
    /// Up to a second and a half late.
    Late,
    /// Half of its frames are not sent.
    Dropped,
    /// One byte in a thousand has a flipped bit: under TLS the connection ends.
    Corrupted,
    /// The venue closes it.
    Closed,
    /// Nobody listens, and nobody can.
    Outage,
    /// Every question to history fails.
    InfoErrors,
    /// History shows fills up to two seconds late, and answers slowly.
    InfoLag,
    BrokerKilled,
    BrokerFrozen,
    RedisKilled,
    RedisFrozen,
    /// The Redis forgets everything, the list too.
    Flushed,
    /// Somebody is put on the list, and taken off it.
    Guest,
    ServiceKilled,
    /// Stopped as it should be.
    ServiceStopped,
}

/// What a fault strikes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Listeners,
    Info,
    Broker,
    Redis,
    Service,
}

impl Fault {
    pub(crate) const ALL: [Self; 18] = [
        Self::Reset,
        Self::HalfOpen,
        Self::Mute,
        Self::Late,
        Self::Dropped,
        Self::Corrupted,
        Self::Closed,
        Self::Outage,
        Self::InfoErrors,
        Self::InfoLag,
        Self::BrokerKilled,
        Self::BrokerFrozen,
        Self::RedisKilled,
        Self::RedisFrozen,
        Self::Flushed,
        Self::Guest,
        Self::ServiceKilled,
        Self::ServiceStopped,
    ];

    pub(crate) const fn place(self) -> Place {
        match self {
            Self::Reset
            | Self::HalfOpen
            | Self::Mute
            | Self::Late
            | Self::Dropped
            | Self::Corrupted
            | Self::Closed
            | Self::Outage => Place::Listeners,
            Self::InfoErrors | Self::InfoLag => Place::Info,
            Self::BrokerKilled | Self::BrokerFrozen => Place::Broker,
            Self::RedisKilled | Self::RedisFrozen | Self::Flushed | Self::Guest => Place::Redis,
            Self::ServiceKilled | Self::ServiceStopped => Place::Service,
        }
    }
}
