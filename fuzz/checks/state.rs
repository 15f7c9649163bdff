//! Any bytes as a checkpoint's state: refused, or the same state again when it is saved and restored.

use ingestion_bin::state::State;
use messaging::journal::Fold;

/// The check.
///
/// # Panics
/// When a state does not come back as it was saved.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(state) = State::restore(bytes) else { return };
    let mut saved = Vec::new();
    state.save(&mut saved).expect("a vector takes everything");
    assert_eq!(State::restore(&saved).as_ref(), Ok(&state));
}
