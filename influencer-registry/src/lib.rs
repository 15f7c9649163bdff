//! Who is followed, and with which settings: static, file and Redis sources with validation and live reload.
//!
//! - [`Influencer`]: one entry, always valid; [`InfluencerSet`]: a list of them, one per id and address.
//! - [`FileSource`]: a TOML file of `[[influencer]]` tables, watched by the caller's tick. A bad entry is refused by
//!   name and the rest stays live; a list that vanishes, breaks or is suddenly empty unsubscribes nobody.
//! - [`LastGood`]: the last list that was taken, kept for a start at which its source is lost.
//! - [`FileEditor`]: changes such a file for a command line ([`ListEditor`]).
//! - With feature `redis` the same of a hash in a Redis: `RedisSource`, which has a thread of its own, and `RedisEditor`.
//! - [`diff`]: what became different, for whoever subscribes and unsubscribes.
//!
//! Not here: connections to the venue, subscriptions and the grace after a removal (the service's). But for feature `redis`, no thread and
//! no clock: time is an argument.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use influencer_registry::{FileEditor, FileSource, ListEditor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("influencers.toml");
//! let mut editor = FileEditor::open(&path)?;
//! editor.add("whale-1", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 1_790_000_000_000)?;
//! editor.set("whale-1", &["priority=10", "markets=ETH-PERP,BTC-PERP"])?;
//! editor.save()?;
//!
//! let mut source = FileSource::new(&path, Duration::ZERO, None);
//! let whale = source.load().set.get("whale-1").cloned().ok_or("not followed")?;
//! assert_eq!(whale.priority(), 10);
//! assert!(whale.wants_market("ETH-PERP") && !whale.wants_market("SOL-PERP"));
//!
//! // Somebody empties the file by mistake: nobody is unsubscribed, and the reason is there to be shown.
//! std::fs::write(&path, "")?;
//! let reload = source.poll(Instant::now()).ok_or("the change was not seen")?;
//! assert!(reload.changes.is_empty() && reload.problem.is_some());
//! assert_eq!(source.live().len(), 1);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests read the clock they pass in"))]

mod address;
mod atomic_file;
mod changes;
mod edit;
mod file_editor;
mod file_source;
mod guard;
mod id;
mod influencer;
mod last_good;
mod list_file;
mod market;
#[cfg(feature = "redis")]
mod redis;
mod refusal;
mod reload;
mod rule;
mod set;
#[cfg(test)]
mod test_entries;
mod time;

pub use address::{Address, AddressError};
pub use changes::{Changed, Changes, diff};
pub use edit::{BadAssignment, EditError, ListEditor};
pub use file_editor::FileEditor;
pub use file_source::{FILE_BYTES_MAX, FileSource, REFRESH, RESTLESS};
pub use id::{BadId, ID_CHARS_MAX, InfluencerId};
pub use influencer::{
    Backoff, Influencer, Throttle,
    keys::{LABEL_CHARS_MAX, MARKETS_MAX},
};
pub use last_good::{Kept, LastGood, LastGoodError};
pub use list_file::{ListFileError, toml_to_json};
pub use market::{BadMarket, MARKET_BYTES_MAX, Market};
#[cfg(feature = "redis")]
pub use redis::{ENTRIES_MAX, RedisAddress, RedisAddressError, RedisEditor, RedisList, RedisSource};
pub use refusal::{EntryName, Problem, Reason, Refusal, RefusedList, VALUE_CHARS_MAX};
pub use reload::{ListProblem, Reload};
pub use rule::{Field, Rule};
pub use set::InfluencerSet;
pub use time::{BadTime, Start, TIME_MS_MAX, parse_time_ms};
