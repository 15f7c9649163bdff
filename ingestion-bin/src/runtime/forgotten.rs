//! Signals in the files from before the journal: it was lost, and what they stood for is in no state.
//!
//! Only the files are asked how far those had come; whoever has no `addedAt` of its own is taken to be followed since then.

use std::collections::BTreeMap;
use std::sync::Arc;

use messaging::sink::lines::{Begin, Lines, LinesError};
use messaging::storage::Storage;
use observability::causes;
use signal_domain::wire::v1::SignalV1;
use tracing::warn;

use super::clock;
use super::core::Followed;

/// The journal is new: whose signals are in older files was followed before it, whatever the list says.
pub(super) fn remember_told(follow: &mut [Followed], data: &Arc<dyn Storage>, began: u64) {
    match told_before(Arc::clone(data), began) {
        Ok(newest) => {
            for followed in follow.iter_mut().filter(|followed| followed.added_at_ms.is_none()) {
                let before_now = |at: &u64| (*at).min(clock::wall_ms().saturating_sub(1));
                followed.added_at_ms = newest.get(followed.influencer.as_str()).map(before_now);
            }
        }
        Err(error) => {
            warn!(error = %causes(&error), "nobody knows what the files say from before the journal");
        }
    }
}

/// Venue time of the newest signal of each influencer in files that begin before this position of the journal. Costs nothing where there
/// is none.
fn told_before(data: Arc<dyn Storage>, began: u64) -> Result<BTreeMap<String, u64>, LinesError> {
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
