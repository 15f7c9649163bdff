//! Letters of what could not be read: the row in them, repaired by hand or understood by now, is left for the service to take.

use messaging::storage::DiskStorage;
use signal_domain::Account;

use super::outcome::Outcome;
use crate::letters::{RepairRequest, RepairResult, RepairStand, Unread, repairs};
use crate::runtime::clock;
use crate::translate::repaired;

/// Asks for one letter; `given` is its payload as it should have been. What it cannot ask, and what came of it before, is told.
pub(super) fn ask(
    storage: &DiskStorage,
    letter: &Unread,
    given: Option<&[u8]>,
    again: bool,
    is_rehearsal: bool,
) -> std::io::Result<Outcome> {
    let stand = repairs(storage)?.get(&letter.id).copied();
    match stand.filter(|_| !again) {
        Some(RepairStand::Waits) if given.is_none() => return Ok(Outcome::Asked),
        Some(stand @ (RepairStand::Done | RepairStand::Refused)) if given.is_none() => {
            return Ok(match RepairResult::read(storage, letter.id)?.and_then(|result| result.why) {
                None => Outcome::Repaired,
                Some(why) => {
                    Outcome::Skipped(format!("it was {} before: {why} (--again asks again)", stand.word()))
                }
            });
        }
        Some(_) | None => {}
    }
    let Some(payload) = given.or(letter.payload.as_deref()) else {
        return Ok(Outcome::Skipped("the letter has no whole payload: give it with --payload".to_owned()));
    };
    let repaired = match repaired(payload) {
        Ok(repaired) => repaired,
        Err(why) => return Ok(Outcome::Skipped(format!("the payload is not understood: {why}"))),
    };
    let account = match (repaired.account.map(Account::from_bytes), letter.account) {
        (Some(said), Some(known)) if said != known => {
            return Ok(Outcome::Skipped(format!("the payload is of {said}, the letter of {known}")));
        }
        (said, known) => said.or(known),
    };
    let Some(account) = account else {
        return Ok(Outcome::Skipped(
            "nothing says whose row it is: give the whole frame with --payload".to_owned(),
        ));
    };
    let rows = repaired.rows.iter().map(|raw| String::from_utf8(raw.to_vec()));
    let Ok(rows) = rows.collect::<Result<Vec<_>, _>>() else {
        return Ok(Outcome::Skipped("the payload is not UTF-8".to_owned()));
    };
    if is_rehearsal {
        return Ok(Outcome::Ready);
    }
    let (id, account) = (letter.id, account.to_string());
    let (are_slices, requested_at) = (repaired.are_slices, clock::wall_ms());
    RepairRequest { id, account, are_slices, rows, requested_at }.leave(storage)?;
    Ok(Outcome::Asked)
}
