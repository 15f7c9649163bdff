//! The venue's `dir` text: a label for people, and a cross-check on our arithmetic. Never an input of it.
//!
//! The set is open: an unknown text is kept as metadata and counted as drift by whoever reads it.

use crate::{PositionSide, Transition, names::named_set};

named_set! { "known dir";
/// The `dir` texts known so far.
pub enum Dir {
    /// A long grew, possibly from nothing.
    OpenLong = "Open Long",
    /// A short grew, possibly from nothing.
    OpenShort = "Open Short",
    /// A long shrank, possibly to nothing.
    CloseLong = "Close Long",
    /// A short shrank, possibly to nothing.
    CloseShort = "Close Short",
    /// From long to short in one fill.
    LongToShort = "Long > Short",
    /// From short to long in one fill.
    ShortToLong = "Short > Long",
    /// The account's long was liquidated, cross margin.
    LiquidatedCrossLong = "Liquidated Cross Long",
    /// The account's short was liquidated, cross margin.
    LiquidatedCrossShort = "Liquidated Cross Short",
    /// The account's long was liquidated, isolated margin.
    LiquidatedIsolatedLong = "Liquidated Isolated Long",
    /// The account's short was liquidated, isolated margin.
    LiquidatedIsolatedShort = "Liquidated Isolated Short",
    /// The venue closed a profitable position against a bankrupt one.
    AutoDeleveraging = "Auto-Deleveraging",
    /// A delisted perp or a decided outcome was settled.
    Settlement = "Settlement",
    /// Positions of a parent vault and its children were netted.
    NetChildVaults = "Net Child Vaults",
    /// Spot bought.
    Buy = "Buy",
    /// Spot sold.
    Sell = "Sell",
    /// The daily sale of balances under one lot.
    SpotDustConversion = "Spot Dust Conversion",
    /// Both sides of an outcome became its collateral.
    MergeOutcome = "Merge Outcome",
    /// A part of a borrow was liquidated.
    PartialBorrowLiquidation = "Partial Borrow Liquidation",
    /// A borrow was liquidated by the backstop.
    BackstopBorrowLiquidation = "Backstop Borrow Liquidation",
}
}

impl Dir {
    /// Reads the venue's text; `None` for one this version does not know.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// Whether this text and the arithmetic cannot both be right. Texts that say nothing about direction never contradict.
    pub fn contradicts(self, transition: &Transition) -> bool {
        use PositionSide::{Long, Short};
        let (before, after) = (PositionSide::of(transition.before()), transition.side());
        let delta = PositionSide::of(transition.delta());
        let agrees = match self {
            Self::OpenLong => delta == Long && before != Short && after != Short,
            Self::OpenShort => delta == Short && before != Long && after != Long,
            Self::CloseLong | Self::LiquidatedCrossLong | Self::LiquidatedIsolatedLong => {
                delta == Short && before != Short && after != Short
            }
            Self::CloseShort | Self::LiquidatedCrossShort | Self::LiquidatedIsolatedShort => {
                delta == Long && before != Long && after != Long
            }
            Self::LongToShort => before == Long && after == Short,
            Self::ShortToLong => before == Short && after == Long,
            Self::Buy => delta == Long,
            Self::Sell => delta == Short,
            Self::AutoDeleveraging
            | Self::Settlement
            | Self::NetChildVaults
            | Self::SpotDustConversion
            | Self::MergeOutcome
            | Self::PartialBorrowLiquidation
            | Self::BackstopBorrowLiquidation => true,
        };
        !agrees
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decimal, MarketKind};

    fn fill(start: &str, delta: &str) -> Transition {
        let number = |text| Decimal::parse(text).unwrap();
        Transition::new(number(start), number(delta), MarketKind::Perp).unwrap()
    }

    /// Which of the texts that say a direction agree with each kind of move, written out by hand.
    #[test]
    fn each_move_agrees_with_its_own_texts_only() {
        use Dir::*;
        let directed = [OpenLong, OpenShort, CloseLong, CloseShort, LongToShort, ShortToLong];
        for (start, delta, agreeing) in [
            ("0", "2", &[OpenLong][..]),
            ("1", "2", &[OpenLong]),
            ("0", "-2", &[OpenShort]),
            ("-1", "-2", &[OpenShort]),
            ("3", "-2", &[CloseLong]),
            ("2", "-2", &[CloseLong]),
            ("-3", "2", &[CloseShort]),
            ("-2", "2", &[CloseShort]),
            ("1", "-2", &[LongToShort]),
            ("-1", "2", &[ShortToLong]),
        ] {
            let transition = fill(start, delta);
            for dir in directed {
                assert_eq!(!dir.contradicts(&transition), agreeing.contains(&dir), "{start} {delta} {dir}");
            }
        }
    }

    #[test]
    fn a_liquidation_closes_its_own_side() {
        assert!(!Dir::LiquidatedCrossLong.contradicts(&fill("3", "-2")));
        assert!(Dir::LiquidatedCrossLong.contradicts(&fill("-3", "2")));
        assert!(!Dir::LiquidatedIsolatedShort.contradicts(&fill("-2", "2")));
        assert!(Dir::LiquidatedIsolatedShort.contradicts(&fill("1", "-2")));
    }

    #[test]
    fn noise_around_zero_contradicts_nothing() {
        // 0.1 + 0.2 in float64: what is left after closing is noise, not a position.
        assert!(!Dir::CloseLong.contradicts(&fill("0.30000000000000004", "-0.3")));
        assert!(!Dir::CloseLong.contradicts(&fill("0.29999999999999999", "-0.3")));
        assert!(!Dir::OpenLong.contradicts(&fill("-0.00000000000000005", "0.3")));
    }

    #[test]
    fn an_unknown_text_is_no_dir() {
        assert_eq!(Dir::parse("Open Sideways"), None);
        assert_eq!(Dir::parse("Long > Short"), Some(Dir::LongToShort));
    }
}
