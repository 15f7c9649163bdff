//! Why a fill happened, as a label. Nothing is decided by it.

use crate::{Account, Dir, Fill, names::named_set};

named_set! { "cause";
/// Why a fill happened.
pub enum Cause {
    /// An order of the account, or one that met it.
    Trade = "trade",
    /// A slice of the account's own TWAP order.
    Twap = "twap",
    /// The account itself was liquidated.
    Liquidation = "liquidation",
    /// The venue reduced a profitable position against a bankrupt one.
    Adl = "adl",
    /// A delisted perp or a decided outcome was settled.
    Settlement = "settlement",
    /// Positions of a parent vault and its children were netted.
    VaultNetting = "vault_netting",
    /// The daily sale of balances under one lot.
    Dust = "dust",
    /// Something else, or a text this version does not know.
    Other = "other",
}
}

impl Cause {
    /// The cause of a fill of `account`.
    ///
    /// The venue attaches the `liquidation` object to both parties of the trade, so it counts only when it names this
    /// account; where it names nobody, the `dir` text (`Liquidated …`) decides. A zero hash says nothing: it is on both
    /// sides of a TWAP slice, while only the side with the `twapId` ran it.
    pub fn of(fill: &Fill, account: Account) -> Self {
        let dir = fill.dir.as_deref().map(Dir::parse);
        let liquidated_user = fill.liquidation.as_ref().and_then(|liquidation| liquidation.liquidated_user);
        match liquidated_user {
            Some(user) if user == account => return Self::Liquidation,
            _ => {}
        }
        match dir {
            Some(Some(dir)) => match dir {
                Dir::AutoDeleveraging => Self::Adl,
                Dir::Settlement => Self::Settlement,
                Dir::NetChildVaults => Self::VaultNetting,
                Dir::SpotDustConversion => Self::Dust,
                Dir::MergeOutcome | Dir::PartialBorrowLiquidation | Dir::BackstopBorrowLiquidation => {
                    Self::Other
                }
                Dir::LiquidatedCrossLong
                | Dir::LiquidatedCrossShort
                | Dir::LiquidatedIsolatedLong
                | Dir::LiquidatedIsolatedShort
                    if liquidated_user.is_none() =>
                {
                    Self::Liquidation
                }
                Dir::LiquidatedCrossLong
                | Dir::LiquidatedCrossShort
                | Dir::LiquidatedIsolatedLong
                | Dir::LiquidatedIsolatedShort
                | Dir::OpenLong
                | Dir::OpenShort
                | Dir::CloseLong
                | Dir::CloseShort
                | Dir::LongToShort
                | Dir::ShortToLong
                | Dir::Buy
                | Dir::Sell => Self::ordinary(fill),
            },
            // A TWAP slice is one whatever its text says.
            Some(None) if fill.twap_id.is_none() => Self::Other,
            None if fill.tid == 0 => Self::Dust,
            Some(None) | None => Self::ordinary(fill),
        }
    }

    const fn ordinary(fill: &Fill) -> Self {
        if fill.twap_id.is_some() { Self::Twap } else { Self::Trade }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Liquidation, Market, Number, Side, Size};

    const ME: Account = Account::from_bytes([1; 20]);
    const OTHER: Account = Account::from_bytes([2; 20]);

    fn fill(dir: Option<&str>, tid: u64) -> Fill {
        let number = Number::parse("1").unwrap();
        Fill {
            dir: dir.map(Into::into),
            ..Fill::new(
                Market::from_coin("ETH").unwrap(),
                Side::Buy,
                number,
                Size::new(number).unwrap(),
                1,
                tid,
            )
        }
    }

    fn liquidation(liquidated_user: Option<Account>) -> Option<Liquidation> {
        Some(Liquidation { liquidated_user, mark_px: None, method: None })
    }

    #[test]
    fn texts_name_causes() {
        for (dir, cause) in [
            (Some("Open Long"), Cause::Trade),
            (Some("Long > Short"), Cause::Trade),
            (Some("Buy"), Cause::Trade),
            (None, Cause::Trade),
            (Some("Auto-Deleveraging"), Cause::Adl),
            (Some("Settlement"), Cause::Settlement),
            (Some("Net Child Vaults"), Cause::VaultNetting),
            (Some("Spot Dust Conversion"), Cause::Dust),
            (Some("Merge Outcome"), Cause::Other),
            (Some("Partial Borrow Liquidation"), Cause::Other),
            (Some("something of next year"), Cause::Other),
            (Some("Liquidated Cross Long"), Cause::Liquidation),
        ] {
            assert_eq!(Cause::of(&fill(dir, 7), ME), cause, "{dir:?}");
        }
        assert_eq!(Cause::of(&fill(None, 0), ME), Cause::Dust);
    }

    #[test]
    fn a_slice_is_one_whatever_its_text() {
        for dir in [Some("Open Long"), Some("something of next year"), None] {
            assert_eq!(Cause::of(&Fill { twap_id: Some(5), ..fill(dir, 7) }, ME), Cause::Twap);
        }
    }

    #[test]
    fn only_the_liquidated_account_is_liquidated() {
        let of = |dir, user| Cause::of(&Fill { liquidation: liquidation(user), ..fill(dir, 7) }, ME);
        assert_eq!(of(Some("Close Long"), Some(ME)), Cause::Liquidation);
        assert_eq!(of(Some("Open Long"), Some(OTHER)), Cause::Trade);
        assert_eq!(of(Some("Open Long"), None), Cause::Trade);
        assert_eq!(of(Some("Liquidated Isolated Short"), None), Cause::Liquidation);
        assert_eq!(of(Some("Liquidated Isolated Short"), Some(OTHER)), Cause::Trade);
    }
}
