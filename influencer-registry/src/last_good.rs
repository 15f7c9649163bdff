//! The last list that was taken, in a file of its own: what a start goes on from when the list's source is lost or broken.
//!
//! It belongs to one source (the path of a list file): the copy of another one is as good as none, or a mistyped path would go unnoticed.
//! It is a cache of what was live, never a source: nobody edits it, and a source that can be read counts, however little is in it.
//! Replaced in one step. Blocking file I/O, no thread, no clock.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{InfluencerSet, Refusal, Rule, atomic_file};

/// The copy of one source's list.
#[derive(Clone, Debug)]
pub struct LastGood {
    path: PathBuf,
    source: String,
}

/// What a copy holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The list.
    pub set: InfluencerSet,
    /// Entries that are refused now: the copy may be of another build.
    pub refused: Vec<Refusal>,
    /// The version of the list, where its source counts them; else 0.
    pub version: u64,
}

/// There is a copy, and it is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LastGoodError {
    /// It cannot be read.
    #[error("the last good list {path} cannot be read")]
    Read {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is none.
    #[error("{path} is no last good list")]
    NotAList {
        /// The copy.
        path: PathBuf,
    },
}

impl LastGood {
    /// The copy at `path` of the list that `source` names.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, source: impl Into<String>) -> Self {
        Self { path: path.into(), source: source.into() }
    }

    /// The copy's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The list, beside what `rule` refuses of it now. `None` where no list of this source was kept.
    ///
    /// # Errors
    /// [`LastGoodError`]: there is a file and it is no copy.
    pub fn load(&self, rule: Rule) -> Result<Option<Kept>, LastGoodError> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LastGoodError::Read { path: self.path.clone(), source }),
            Ok(text) => text,
        };
        let not_a_list = || LastGoodError::NotAList { path: self.path.clone() };
        let kept: Value = serde_json::from_str(&text).map_err(|_| not_a_list())?;
        let entries = kept.get("influencers").and_then(Value::as_array).ok_or_else(not_a_list)?;
        if kept.get("source").and_then(Value::as_str) != Some(&self.source) {
            return Ok(None);
        }
        let (set, refused) = InfluencerSet::lenient_by(entries, &InfluencerSet::default(), rule);
        let version = kept.get("version").and_then(Value::as_u64).unwrap_or(0);
        Ok(Some(Kept { set, refused, version }))
    }

    /// Keeps a list that was taken, durably, and its version (0 where its source counts none).
    ///
    /// # Errors
    /// What the system said; the copy before it is still there then.
    pub fn save(&self, list: &InfluencerSet, version: u64) -> io::Result<()> {
        let kept = json!({ "source": self.source, "version": version, "influencers": list.to_json() });
        atomic_file::replace(&self.path, kept.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rule, test_entries::address};

    fn listed(id: &str) -> InfluencerSet {
        let entry =
            json!({ "id": id, "address": address(1), "markets": ["ETH-PERP"], "enabled": false, "later": 7 });
        InfluencerSet::strict([&entry]).unwrap()
    }

    #[test]
    fn what_was_kept_comes_back_whole_and_only_for_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastGood::new(folder.path().join("kept.json"), "list.toml");
        assert_eq!(kept.load(rule::none).unwrap(), None);
        kept.save(&listed("a"), 6).unwrap();
        kept.save(&listed("b"), 7).unwrap();
        let whole = Kept { set: listed("b"), refused: Vec::new(), version: 7 };
        assert_eq!(kept.load(rule::none).unwrap(), Some(whole));
        assert_eq!(LastGood::new(kept.path(), "lists.toml").load(rule::none).unwrap(), None);
        let Kept { set, refused, .. } =
            kept.load(|field| (!field.known).then_some("not here")).unwrap().unwrap();
        assert!(set.is_empty() && refused[0].to_string().contains("later = 7: not here"), "{refused:?}");
    }

    #[test]
    fn what_is_no_copy_is_told_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastGood::new(folder.path().join("kept.json"), "list.toml");
        for spoiled in ["", "[]", "{\"source\":\"list.toml\"}", "{\"source\":\"list.toml\",\"influencers\":"]
        {
            fs::write(kept.path(), spoiled).unwrap();
            assert!(matches!(kept.load(rule::none), Err(LastGoodError::NotAList { .. })), "{spoiled:?}");
        }
        kept.save(&listed("a"), 0).unwrap();
        assert_eq!(kept.load(rule::none).unwrap().unwrap().set, listed("a"));
    }
}
