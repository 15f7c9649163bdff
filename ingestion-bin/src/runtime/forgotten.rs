//! Signals in the files from before the journal: it was lost, and what they stood for is in no state.
//!
//! Only the files are asked how far those had come; whoever has no `addedAt` of its own is taken to be followed since then.

use std::collections::BTreeMap;
use std::sync::Arc;

use messaging::sink::lines::{Begin, Lines, LinesError};
use messaging::storage::Storage;
use signal_domain::wire::v1::SignalV1;

/// Venue time of the newest signal of each influencer in files that begin before this position of the journal. Costs nothing where there
/// is none.
pub(super) fn told_before(data: Arc<dyn Storage>, began: u64) -> Result<BTreeMap<String, u64>, LinesError> {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = Lines::open(data, "signals", Begin::Oldest)?;
    while let Some(line) = lines.next_line()?.filter(|line| line.place.file < began) {
        // A line that is none of ours says nothing.
        let Ok(signal) = SignalV1::decode(line.bytes) else { continue };
        let time = newest.entry(signal.influencer_id.to_string()).or_default();
        *time = signal.timestamp.max(*time);
    }
    Ok(newest)
}
