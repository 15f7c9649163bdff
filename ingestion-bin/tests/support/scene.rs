//! A venue, a directory and a configuration for one service after the other, and the commands asked there.

use std::path::{Path, PathBuf};
use std::process::Output;

use hyperliquid_client::sim::{SimConfig, SimHandle, SimVenue};
use serde_json::Value;

use super::document::documents;
use super::judge::{self, Allowed};
use super::market::Chains;
use super::process::ingestion;
use super::service::{Service, configuration};

/// Venue time when it begins, ms.
pub const BEGAN: u64 = 1_790_000_000_000;

const LIST: &str = "list.toml";

pub struct Scene {
    pub venue: SimHandle,
    pub chains: Chains,
    pub directory: tempfile::TempDir,
    pub config: PathBuf,
}

impl Scene {
    /// Blocks are `step_ms` apart; `influencers` is the inside of that table, given the directory.
    pub fn new(step_ms: u64, influencers: impl FnOnce(&Path) -> String, extra: &str) -> Self {
        Self::at(SimConfig::manual(), step_ms, influencers, extra)
    }

    /// The same at a venue of one's own.
    pub fn at(
        mut sim: SimConfig,
        step_ms: u64,
        influencers: impl FnOnce(&Path) -> String,
        extra: &str,
    ) -> Self {
        // A socket may lag behind a burst of the test; that is not what is tried here.
        sim.queue_frames = 1 << 16;
        let venue = SimVenue::start(sim).expect("the venue starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = configuration(directory.path(), &venue, &influencers(directory.path()), extra);
        Self { venue, chains: Chains::new(BEGAN, step_ms), directory, config }
    }

    /// Whom to follow is in [`Scene::list`], which is not there yet.
    pub fn of_list(extra: &str) -> Self {
        Self::of_list_at(SimConfig::manual(), extra)
    }

    /// The same at a venue of one's own.
    pub fn of_list_at(sim: SimConfig, extra: &str) -> Self {
        let list = |directory: &Path| format!("source = \"file\"\nfile = {:?}", directory.join(LIST));
        Self::at(sim, 1_000, list, extra)
    }

    pub fn list(&self) -> PathBuf {
        self.directory.path().join(LIST)
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// One block with a fill of each user.
    pub fn play(&mut self, users: &[&str], coin: &str) {
        let block = self.chains.block(users, coin);
        self.venue.play(&block);
    }

    /// `count` blocks with a fill of one user.
    pub fn play_many(&mut self, user: &str, count: usize) {
        for _ in 0..count {
            self.play(&[user], "ETH");
        }
    }

    /// Waits until everything played is on disk.
    pub fn caught_up(&self, service: &Service) {
        service.wait_lines("signals", self.chains.rows().len());
    }

    /// That everything played is a signal on disk, once, where `user` alone is followed.
    pub fn judge(&self, user: &str) {
        let expected = documents(self.chains.rows(), &[user.to_owned()]);
        let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
        judge::judge(&judge::stored(&self.data()), &expected, &allowed);
    }

    pub fn ask(&self, arguments: &[&str]) -> Output {
        ingestion().arg("--config").arg(&self.config).args(arguments).output().expect("the binary starts")
    }

    /// The command succeeds and prints exactly this line.
    pub fn says(&self, arguments: &[&str], line: &str) {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), line, "{arguments:?}");
    }

    /// The command fails with `code` and one line that contains `text`.
    pub fn fails(&self, arguments: &[&str], code: i32, text: &str) {
        let output = self.ask(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(text), "{arguments:?}: {said}");
    }

    /// The JSON lines a command prints.
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// `verify` ends with `code` and prints all of `texts`.
    pub fn verifies(&self, arguments: &[&str], code: i32, texts: &[&str]) {
        let verify = self.ask(&[&["verify"], arguments].concat());
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(texts.iter().all(|text| said.contains(text)), "{texts:?} in {said}");
        assert_eq!(verify.status.code(), Some(code), "{said}");
    }
}
