//! A row of the venue's history as an audit needs it.

use hyperliquid_client::wire;

use super::{Identifier, TranslateError, exact, fill};
use crate::account::Fate;
use crate::audit::HistoryRow;

/// What went wrong with a row.
#[derive(Debug, thiserror::Error)]
pub enum HistoryRowError {
    /// It is no fill of ours.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// It has no id or no position.
    #[error(transparent)]
    Fill(#[from] signal_domain::FillError),
}

/// The row of a page; `twap_id` is that of a slice. `identifier` is of its account and knows which markets make signals.
///
/// # Errors
///
/// When a signal could not be made of it either.
pub fn history_row(
    row: &wire::Fill<'_>,
    twap_id: Option<u64>,
    identifier: &mut Identifier,
) -> Result<HistoryRow, HistoryRowError> {
    let signal = identifier.row(row)?.fate == Fate::Signal;
    let fill = fill(row, twap_id)?;
    let transition = fill.transition()?;
    let positions = (exact(transition.before()), exact(transition.after()));
    Ok(HistoryRow {
        source_event_id: fill.source_event_id()?,
        slice: twap_id.is_some(),
        positions,
        signal,
        fill,
    })
}
