//! The `identity` file: which journal this directory is, written once, in front of everything else.

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::OpenError;
use super::format::{HeaderRead, JournalId, VERSION};
use super::segment::{self, Segment};
use crate::storage::{Storage, read_small, replace};

const FILE: &str = "identity";

#[derive(Deserialize, Serialize)]
struct Identity {
    journal: String,
    version: u16,
}

/// The identity, or `None` in an empty directory.
pub(crate) fn load(storage: &dyn Storage) -> Result<Option<JournalId>, OpenError> {
    let bytes = match read_small(storage, FILE, 4_096) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let newest = segments(storage)?.last().copied();
            return newest.map_or(Ok(None), |newest| Err(unreadable(storage, "missing", Some(newest))));
        }
        Err(source) => return Err(OpenError::Io { what: format!("read {FILE}"), source }),
    };
    let newest = segments(storage)?.last().copied();
    let identity: Identity = serde_json::from_slice(&bytes)
        .map_err(|error| unreadable(storage, &format!("unreadable ({error})"), newest))?;
    if identity.version != VERSION {
        return Err(OpenError::Newer { file: FILE.to_owned(), version: identity.version });
    }
    let journal = Uuid::parse_str(&identity.journal)
        .map_err(|error| unreadable(storage, &format!("no UUID ({error})"), newest))?;
    Ok(Some(JournalId(journal)))
}

/// The identity of a journal that must be there.
pub(crate) fn require(storage: &dyn Storage) -> Result<JournalId, OpenError> {
    load(storage)?.ok_or_else(|| unreadable(storage, "missing", None))
}

/// Writes a new identity, durable before this returns.
pub(crate) fn create(storage: &dyn Storage) -> Result<JournalId, OpenError> {
    let journal = JournalId::random();
    let text = format!("{{\"journal\":\"{journal}\",\"version\":{VERSION}}}\n");
    replace(storage, FILE, text.as_bytes())
        .map_err(|source| OpenError::Io { what: format!("write {FILE}"), source })?;
    Ok(journal)
}

fn segments(storage: &dyn Storage) -> Result<Vec<u64>, OpenError> {
    match segment::list(storage) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|source| OpenError::Io { what: "list segments".to_owned(), source }),
    }
}

fn unreadable(storage: &dyn Storage, found: &str, newest: Option<u64>) -> OpenError {
    let header = newest.and_then(|first| Segment::open(storage, first).ok()).map(|segment| segment.header);
    let segments = match header {
        Some(HeaderRead::Good(header)) => Some(header.journal),
        Some(HeaderRead::Newer(_) | HeaderRead::Bad) | None => None,
    };
    OpenError::Identity { found: found.to_owned(), segments }
}
