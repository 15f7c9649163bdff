//! The mass-delete guard: a list that suddenly names nobody is an accident until somebody says otherwise, wherever it is kept.

use crate::{InfluencerSet, ListProblem, Refusal};

/// A list that is taken, and what is refused of it.
pub(crate) type Taken = (InfluencerSet, Vec<Refusal>);

/// Why a list is not taken, and what is refused of it.
pub(crate) type NotTaken = (ListProblem, Vec<Refusal>);

/// Takes what was judged of a list of so many `entries`, unless that would leave nobody of those who are `live`.
pub(crate) fn guard(
    (set, refused): Taken,
    entries: usize,
    confirmed_empty: bool,
    live: &InfluencerSet,
    place: impl FnOnce() -> String,
) -> Result<Taken, NotTaken> {
    let live = live.len();
    if !set.is_empty() || live == 0 {
        Ok((set, refused))
    } else if entries > 0 {
        Err((ListProblem::AllRefused { place: place(), entries, live }, refused))
    } else if confirmed_empty {
        Ok((set, refused))
    } else {
        Err((ListProblem::Emptied { place: place(), live }, refused))
    }
}
