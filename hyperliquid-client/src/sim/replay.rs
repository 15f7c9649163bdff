//! A recorded fills file played as blocks. One JSON object a line, `{"segment"?,"user","fill"}`, plain or gzip; keys
//! the venue does not print are dropped. A block is every row of one venue millisecond, rows in file order.
//! Rows are sorted by time with a stable sort: a venue cannot speak out of its own time, and the order inside one
//! account, coin and millisecond stays as written. No clock here: pacing is the server's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::fill::{Block, BlockFill, Stream, VenueFill};

/// The longest line a fills file may have, in bytes.
const LINE_MAX: u64 = 1 << 20;

/// How an account's own TWAP slices (rows with a numeric `twapId`) are published.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TwapRows {
    /// As the real venue: on `userTwapSliceFills`, the id outside and `null` inside.
    #[default]
    Split,
    /// On `userFills` with the numeric id inside, as a node prints them.
    Inline,
}

/// Why a fills file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be opened or read.
    #[error("fills file {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line is not a row.
    #[error("fills file {path} line {line} is not a fill row")]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A line is longer than one MiB.
    #[error("fills file {path} line {line} is longer than {LINE_MAX} bytes")]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// Nothing is left to play.
    #[error("fills file {path} has no rows{}", .segment.as_deref().map(|s| format!(" of segment {s}")).unwrap_or_default())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The segment asked for.
        segment: Option<String>,
    },
}

#[derive(Deserialize)]
struct Line {
    segment: Option<String>,
    user: String,
    fill: VenueFill,
}

/// Recorded blocks, ready to be played.
#[derive(Clone, Debug)]
pub struct Replay {
    blocks: Vec<Block>,
}

impl Replay {
    /// Reads `path`; with `segment` only its rows.
    ///
    /// # Errors
    /// The file cannot be read, a line is not a row (named by number), or no row is left.
    pub fn load(path: &Path, segment: Option<&str>, twap: TwapRows) -> Result<Self, ReplayError> {
        let read = |source| ReplayError::Read { path: path.to_owned(), source };
        let mut reader = BufReader::new(File::open(path).map_err(read)?);
        let gzip = reader.fill_buf().map_err(read)?.starts_with(&[0x1f, 0x8b]);
        if gzip {
            Self::parse(BufReader::new(MultiGzDecoder::new(reader)), path, segment, twap)
        } else {
            Self::parse(reader, path, segment, twap)
        }
    }

    fn parse(
        mut reader: impl BufRead,
        path: &Path,
        segment: Option<&str>,
        twap: TwapRows,
    ) -> Result<Self, ReplayError> {
        let mut rows = Vec::new();
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            let read = |source| ReplayError::Read { path: path.to_owned(), source };
            let length = reader.by_ref().take(LINE_MAX).read_line(&mut text).map_err(read)?;
            if length == 0 {
                break;
            }
            if length as u64 == LINE_MAX {
                return Err(ReplayError::LineTooLong { path: path.to_owned(), line });
            }
            if text.trim().is_empty() {
                continue;
            }
            let row: Line = serde_json::from_str(&text).map_err(|source| ReplayError::Row {
                path: path.to_owned(),
                line,
                source,
            })?;
            if segment.is_none() || segment == row.segment.as_deref() {
                rows.push(block_fill(&row.user, row.fill, twap));
            }
        }
        if rows.is_empty() {
            return Err(ReplayError::Empty { path: path.to_owned(), segment: segment.map(str::to_owned) });
        }
        Ok(Self::from_rows(rows))
    }

    /// Blocks out of rows made by the caller.
    pub fn from_rows(mut rows: Vec<BlockFill>) -> Self {
        rows.sort_by_key(|row| row.fill.time);
        let mut blocks: Vec<Block> = Vec::new();
        for row in rows {
            match blocks.last_mut() {
                Some(block) if block.time == row.fill.time => block.fills.push(row),
                _ => blocks.push(Block { time: row.fill.time, fills: vec![row], marks: Vec::new() }),
            }
        }
        Self { blocks }
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Takes the blocks out.
    pub(super) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// Accounts with perp fills, the one with most first: who to follow.
    pub fn accounts(&self) -> Vec<(Arc<str>, usize)> {
        let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for row in self.rows().filter(|row| row.fill.is_perp()) {
            *counts.entry(row.user.clone()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }

    /// Positions before the first row: account, coin and the `startPosition` its first fill shows.
    pub fn opening_positions(&self) -> Vec<(Arc<str>, String, String)> {
        let mut seen = BTreeSet::new();
        self.rows()
            .filter(|row| seen.insert((row.user.clone(), row.fill.coin.clone())))
            .map(|row| (row.user.clone(), row.fill.coin.clone(), row.fill.start_position.clone()))
            .collect()
    }

    fn rows(&self) -> impl Iterator<Item = &BlockFill> {
        self.blocks.iter().flat_map(|block| &block.fills)
    }
}

fn block_fill(user: &str, mut fill: VenueFill, twap: TwapRows) -> BlockFill {
    let user: Arc<str> = user.to_ascii_lowercase().into();
    match (twap, fill.twap_id) {
        (TwapRows::Split, Some(Some(id))) => {
            fill.twap_id = Some(None);
            BlockFill { user, stream: Stream::Twap, twap_id: Some(id), fill }
        }
        _ => BlockFill { user, stream: Stream::Fills, twap_id: None, fill },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn row(segment: &str, time: u64, tid: u64, twap: &str) -> String {
        format!(
            r#"{{"segment":"{segment}","user":"0xAA","fill":{{"coin":"ETH","px":"1.0","sz":"2.0","side":"B","time":{time},"startPosition":"5.0","dir":"Open Long","closedPnl":"0.0","hash":"0x","oid":1,"crossed":true,"fee":"0.0","tid":{tid},"feeToken":"USDC","twapId":{twap},"ev":9}}}}"#
        )
    }

    fn parse(text: &str, segment: Option<&str>, twap: TwapRows) -> Result<Replay, ReplayError> {
        Replay::parse(text.as_bytes(), Path::new("f"), segment, twap)
    }

    #[test]
    fn rows_of_one_ms_make_a_block_in_file_order() {
        let text = [row("a", 10, 3, "null"), row("a", 10, 1, "null"), row("b", 12, 2, "null")].join("\n");
        let replay = parse(&text, None, TwapRows::Split).unwrap();
        let tids: Vec<Vec<u64>> = replay
            .blocks()
            .iter()
            .map(|block| block.fills.iter().map(|row| row.fill.tid).collect())
            .collect();
        assert_eq!(tids, [vec![3, 1], vec![2]]);
        assert_eq!(parse(&text, Some("b"), TwapRows::Split).unwrap().blocks().len(), 1);
        assert_eq!(replay.accounts(), [("0xaa".into(), 3)]);
        assert_eq!(replay.opening_positions(), [("0xaa".into(), "ETH".to_owned(), "5.0".to_owned())]);
    }

    #[test]
    fn own_slices_go_to_their_stream_or_stay_inline() {
        let text = row("a", 10, 3, "77");
        let split = parse(&text, None, TwapRows::Split).unwrap().blocks()[0].fills[0].clone();
        assert_eq!((split.stream, split.twap_id, split.fill.twap_id), (Stream::Twap, Some(77), Some(None)));
        assert!(split.text().ends_with(r#""twapId":null},"twapId":77}"#), "{}", split.text());
        assert!(!split.text().contains("\"ev\""));
        let inline = parse(&text, None, TwapRows::Inline).unwrap().blocks()[0].fills[0].clone();
        assert_eq!((inline.stream, inline.fill.twap_id), (Stream::Fills, Some(Some(77))));
    }

    #[test]
    fn bad_input_is_named() {
        let text = format!("{}\n{{\"user\":1}}\n", row("a", 1, 1, "null"));
        assert_eq!(
            parse(&text, None, TwapRows::Split).unwrap_err().to_string(),
            "fills file f line 2 is not a fill row"
        );
        let text = row("a", 1, 1, "null");
        let error = parse(&text, Some("z"), TwapRows::Split).unwrap_err();
        assert_eq!(error.to_string(), "fills file f has no rows of segment z");
        assert!(matches!(
            Replay::load(Path::new("/nowhere/f"), None, TwapRows::Split),
            Err(ReplayError::Read { .. })
        ));
        let long = format!("{}{}", row("a", 1, 1, "null"), " ".repeat(LINE_MAX as usize));
        assert!(matches!(parse(&long, None, TwapRows::Split), Err(ReplayError::LineTooLong { line: 1, .. })));
    }

    #[test]
    fn gzip_and_plain_files_read_alike() {
        let text = [row("a", 10, 3, "null"), row("a", 11, 1, "5")].join("\n");
        let dir = tempfile::tempdir().unwrap();
        let (plain, gzip) = (dir.path().join("f.ndjson"), dir.path().join("f.ndjson.gz"));
        std::fs::write(&plain, &text).unwrap();
        let mut encoder = GzEncoder::new(File::create(&gzip).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let load = |path| Replay::load(path, None, TwapRows::Split).unwrap();
        assert_eq!(load(&plain).blocks(), load(&gzip).blocks());
    }
}
