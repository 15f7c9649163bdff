//! What a fill does to a position: from where, to where, and what to call it.
//!
//! The rule looks at the position before and after, nothing else. The venue's `dir` text is never an input, because it
//! cannot tell an opening from an increase; it is only compared afterwards ([`crate::Dir::contradicts`]).

use crate::{Decimal, DecimalError, MarketKind, names::named_set};

/// Takes the float noise off a position.
///
/// The venue computes positions in float64 and prints what comes out (`3130537.6000000001`). So a position is rounded,
/// half to even, to 15 significant digits and then to the decimals its market can have
/// ([`MarketKind::position_decimals`]): only then is it compared, tested for zero, or published.
///
/// ```
/// use signal_domain::{Decimal, MarketKind, normalise_position};
///
/// let noisy = Decimal::parse("-3695042.8999999999")?;
/// assert_eq!(normalise_position(noisy, MarketKind::Perp).to_string(), "-3695042.9");
/// # Ok::<(), signal_domain::DecimalError>(())
/// ```
#[must_use]
pub fn normalise_position(value: Decimal, kind: MarketKind) -> Decimal {
    value.round_to_float64().round_places(kind.position_decimals())
}

named_set! { "action";
/// What a fill did to a position. A closed set.
pub enum Action {
    /// From nothing to something.
    Open = "OPEN",
    /// From something to nothing.
    Close = "CLOSE",
    /// Further from zero on the same side.
    Increase = "INCREASE",
    /// Nearer to zero on the same side.
    Decrease = "DECREASE",
    /// From one side to the other in one fill.
    Flip = "FLIP",
}
}

named_set! { "position side";
/// Which side a position is on. A closed set.
pub enum PositionSide {
    /// Above zero.
    Long = "LONG",
    /// Below zero.
    Short = "SHORT",
    /// Zero.
    Flat = "FLAT",
}
}

impl PositionSide {
    /// The side of a signed, normalised position.
    pub const fn of(position: Decimal) -> Self {
        if position.is_zero() {
            Self::Flat
        } else if position.is_negative() {
            Self::Short
        } else {
            Self::Long
        }
    }
}

/// A position before and after a fill, both normalised.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Transition {
    before: Decimal,
    after: Decimal,
    delta: Decimal,
}

impl Transition {
    /// A fill of `delta` (signed: bought is positive) from `start`, as the venue printed it.
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when the exact sum fits no [`Decimal`].
    pub fn new(start: Decimal, delta: Decimal, kind: MarketKind) -> Result<Self, DecimalError> {
        Ok(Self {
            before: normalise_position(start, kind),
            after: normalise_position(start.checked_add(delta)?, kind),
            delta,
        })
    }

    /// The signed position before.
    pub const fn before(&self) -> Decimal {
        self.before
    }

    /// The signed position after.
    pub const fn after(&self) -> Decimal {
        self.after
    }

    /// The signed size of the fill, exact; may differ from `after - before` by the noise that was rounded away.
    pub const fn delta(&self) -> Decimal {
        self.delta
    }

    /// The side after.
    pub const fn side(&self) -> PositionSide {
        PositionSide::of(self.after)
    }

    /// What happened, or `None` when the position is the same after rounding: then there is no signal.
    pub fn action(&self) -> Option<Action> {
        use PositionSide::Flat;
        if self.before == self.after {
            return None;
        }
        Some(match (PositionSide::of(self.before), self.side()) {
            (Flat, _) => Action::Open,
            (_, Flat) => Action::Close,
            (before, after) if before != after => Action::Flip,
            _ if self.after.abs() > self.before.abs() => Action::Increase,
            _ => Action::Decrease,
        })
    }
}

#[cfg(test)]
mod tests;
