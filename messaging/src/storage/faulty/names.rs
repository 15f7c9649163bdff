//! The names of one directory: what a process sees, what the disk has, and the changes that lie between.

use std::collections::BTreeMap;

/// One directory's two faces.
#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) names: BTreeMap<String, u64>,
    pub(super) disk: BTreeMap<String, u64>,
    pub(super) unsynced: Vec<Change>,
}

/// One change of a directory; a rename is one change, it happens wholly or not.
#[derive(Debug)]
pub(super) enum Change {
    Link { name: String, file: u64 },
    Rename { from: String, to: String },
    Unlink { name: String },
}

impl Change {
    pub(super) fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link { name, file } => {
                names.insert(name, file);
            }
            Self::Rename { from, to } => {
                if let Some(file) = names.remove(&from) {
                    names.insert(to, file);
                }
            }
            Self::Unlink { name } => {
                names.remove(&name);
            }
        }
    }
}
