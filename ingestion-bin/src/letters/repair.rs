//! Requests of a person to the service, files in `redrive/` of the data directory: `ID.request` is taken up by the service, which has the only
//! writer of the journal, and becomes `ID.done` once what it made is durable, or `ID.refused`.
//!
//! Each file is there whole or not at all, also after a power loss. Times are the wall clock, unix ms, labels.

use std::collections::BTreeMap;
use std::io;

use messaging::storage::{Storage, read_small, replace};
use serde::{Deserialize, Serialize};
use signal_domain::Uuid;

const DIR: &str = "redrive";
const REQUEST: &str = ".request";

/// A frame of the venue is at most 63 MiB; a letter's payload much less.
const BYTES_MAX: usize = 64 << 20;

/// Rows to be taken as if history had brought them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairRequest {
    /// The letter's.
    pub id: Uuid,
    /// Whose rows: `0x` and 40 hex digits.
    pub account: String,
    /// Whether they are TWAP slices, in their wrapper.
    pub are_slices: bool,
    /// The rows as the venue would have written them.
    pub rows: Vec<String>,
    /// When it was asked.
    pub requested_at: u64,
}

/// What became of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairResult {
    /// The letter's.
    pub id: Uuid,
    /// When it ended.
    pub ended_at: u64,
    /// The rows that are in the journal.
    pub rows: Vec<RepairedRow>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One row that is in the journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairedRow {
    /// Its event's.
    pub source_event_id: String,
    /// Its place in the journal.
    pub position: u64,
}

/// How a request stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RepairStand {
    /// Nobody has ended it yet.
    Waits,
    /// Its rows are in the journal.
    Done,
    /// It was refused.
    Refused,
}

impl RepairStand {
    const ALL: [Self; 3] = [Self::Waits, Self::Done, Self::Refused];

    const fn ending(self) -> &'static str {
        match self {
            Self::Waits => REQUEST,
            Self::Done => ".done",
            Self::Refused => ".refused",
        }
    }

    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Done => "repaired",
            Self::Refused => "refused",
        }
    }

    fn file(self, id: Uuid) -> String {
        format!("{DIR}/{id}{}", self.ending())
    }
}

/// How every request stands, by letter.
///
/// # Errors
///
/// What the disk says.
pub fn repairs(storage: &dyn Storage) -> io::Result<BTreeMap<Uuid, RepairStand>> {
    let names = match storage.list(DIR) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        listed => listed?,
    };
    let mut stands = BTreeMap::new();
    for stand in RepairStand::ALL {
        // One whose end is written is ended, its request about to go.
        for id in names.iter().filter_map(|name| name.strip_suffix(stand.ending())?.parse::<Uuid>().ok()) {
            stands.insert(id, stand);
        }
    }
    Ok(stands)
}

impl RepairRequest {
    /// Leaves it for the service; what came of an earlier one is forgotten.
    ///
    /// # Errors
    ///
    /// What the disk says; nothing is asked then.
    pub fn leave(&self, storage: &dyn Storage) -> io::Result<()> {
        storage.create_dir(DIR)?;
        for ended in [RepairStand::Done, RepairStand::Refused] {
            remove(storage, &ended.file(self.id))?;
        }
        replace(storage, &RepairStand::Waits.file(self.id), &serde_json::to_vec(self)?).map(drop)
    }

    /// Reads the one of this letter.
    ///
    /// # Errors
    ///
    /// What the disk says, or `InvalidData` where it is none.
    pub fn read(storage: &dyn Storage, id: Uuid) -> io::Result<Self> {
        let bytes = read_small(storage, &RepairStand::Waits.file(id), BYTES_MAX)?;
        let request: Self = serde_json::from_slice(&bytes)?;
        if request.id == id { Ok(request) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

impl RepairResult {
    /// Ends its request.
    ///
    /// # Errors
    ///
    /// What the disk says; the request may be there still.
    pub fn end(&self, storage: &dyn Storage) -> io::Result<()> {
        let stand = if self.why.is_some() { RepairStand::Refused } else { RepairStand::Done };
        replace(storage, &stand.file(self.id), &serde_json::to_vec(self)?)?;
        remove(storage, &RepairStand::Waits.file(self.id))?;
        storage.sync_dir(DIR)
    }

    /// Reads what came of the request of this letter, where it has ended.
    ///
    /// # Errors
    ///
    /// What the disk says, or `InvalidData` where it is none.
    pub fn read(storage: &dyn Storage, id: Uuid) -> io::Result<Option<Self>> {
        for stand in [RepairStand::Done, RepairStand::Refused] {
            match read_small(storage, &stand.file(id), BYTES_MAX) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return Ok(Some(serde_json::from_slice(&read?)?)),
            }
        }
        Ok(None)
    }
}

fn remove(storage: &dyn Storage, name: &str) -> io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use messaging::storage::FaultyStorage;

    use super::*;

    #[test]
    fn a_request_waits_until_it_is_ended_and_may_be_made_again() {
        let disk = FaultyStorage::new(1);
        let id = Uuid::from_u128(7);
        assert!(repairs(&disk).unwrap().is_empty());
        let rows = vec!["{}".to_owned()];
        let request =
            RepairRequest { id, account: "0x01".to_owned(), are_slices: false, rows, requested_at: 5 };
        request.leave(&disk).unwrap();
        disk.power_loss();
        assert_eq!(repairs(&disk).unwrap()[&id], RepairStand::Waits);
        assert_eq!(RepairRequest::read(&disk, id).unwrap(), request);
        assert_eq!(RepairResult::read(&disk, id).unwrap(), None);
        let row = RepairedRow { source_event_id: "fill:1:2:B".to_owned(), position: 9 };
        for (why, stand) in [(None, RepairStand::Done), (Some("no".to_owned()), RepairStand::Refused)] {
            let result = RepairResult { id, ended_at: 6, rows: vec![row.clone()], why };
            result.end(&disk).unwrap();
            disk.power_loss();
            assert_eq!(repairs(&disk).unwrap()[&id], stand);
            assert_eq!(RepairResult::read(&disk, id).unwrap(), Some(result));
            request.leave(&disk).unwrap();
            assert_eq!(repairs(&disk).unwrap()[&id], RepairStand::Waits);
        }
    }
}
