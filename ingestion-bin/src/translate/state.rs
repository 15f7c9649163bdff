//! The venue's account state as we keep it. Positions are rounded as those of fills are; other figures keep the venue's text where it is
//! a number, and are left out where it is none.

use hyperliquid_client::wire;
use signal_domain::{Decimal, Market, MarketKind, normalise_position};

use super::fill::TranslateError;
use super::identity::position;
use crate::account;
use crate::record::{DexShown, Held};

/// What names an account state: its dex and its venue time.
#[must_use]
pub fn position_key(state: &wire::DexState<'_>) -> String {
    signal_domain::ids::position_key(&state.dex, state.state.time)
}

/// The venue's state of an account on one dex as ours.
///
/// # Errors
///
/// When a coin is no perp's name, or a size or the time does not fit: half a state would show positions as flat.
pub fn dex_shown(state: &wire::DexState<'_>) -> Result<DexShown, TranslateError> {
    let number = |text: &str| Decimal::parse(text).is_ok().then(|| text.to_owned());
    let held = state.state.asset_positions.iter().map(|entry| {
        let held = &entry.position;
        let size =
            Decimal::parse(&held.szi).map_err(|source| TranslateError::Number { field: "szi", source })?;
        Ok(Held {
            market: account::Market::new(Market::from_coin(&held.coin)?.name()),
            size: position(normalise_position(size, MarketKind::Perp)),
            entry_price: held.entry_px.as_deref().and_then(number),
            leverage: held.leverage.as_ref().map(|leverage| leverage.value),
            margin_mode: held.leverage.as_ref().map(|leverage| leverage.kind.clone().into_owned()),
        })
    });
    Ok(DexShown {
        dex: state.dex.clone().into_owned(),
        time: i64::try_from(state.state.time).map_err(|_| TranslateError::Time(state.state.time))?,
        account_value: number(&state.state.margin_summary.account_value),
        held: held.collect::<Result<_, TranslateError>>()?,
    })
}
