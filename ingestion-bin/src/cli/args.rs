//! The arguments, exactly as documented in `docs/command-line.md`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str =
    "Exit codes: 0 clean, 1 failed or found something, 2 asked wrongly, 64 the configuration is wrong.";

/// The heading of what every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Follow traders on Hyperliquid and never miss a trade of theirs.
#[derive(Debug, Parser)]
#[command(name = "ingestion", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// Directory of journal and files; overrides `data_dir`.
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub data_dir: Option<PathBuf>,
    /// Override one configuration value, e.g. `--set listeners.hold_ms=200`; may be given several times.
    #[arg(
        long = "set",
        global = true,
        value_name = "KEY=VALUE",
        value_parser = key_value,
        help_heading = EVERYWHERE
    )]
    pub sets: Vec<(String, String)>,
    /// Print JSON: one document, or one object a line where it lists.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the configured accounts until stopped.
    Run(Run),
    /// Show what would run: accounts, connections, limits, disk; contacts nobody.
    Check,
    /// Show the state of the running service.
    Status,
    /// List the followed accounts, or edit them in the file or the Redis that keeps them.
    #[command(subcommand)]
    Influencers(Influencers),
    /// Print signals from the signal files.
    Signals(Signals),
    /// Print raw events from the journal.
    Raw(Raw),
    /// Derive the signals from the journal again and print them.
    Replay,
    /// Audit the signal files and the journal, or a file of fills.
    Verify(Verify),
    /// Print dead letters, or send again what a topic refused.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Print what the venue's history holds of an account, its chains checked, and where it ends.
    History(History),
    /// Print what an address is: its role, sub-accounts, positions, equity, how much it trades.
    Inspect(Inspect),
    /// Make the topics that the configuration's sinks write to.
    #[command(subcommand)]
    Topics(Topics),
    /// Run a simulated venue.
    SimVenue(SimVenue),
}

/// `run`
#[derive(Args, Debug)]
pub struct Run {
    /// Follow a simulated market on a loopback port; everything else is as for mainnet.
    #[arg(long)]
    pub simulate: bool,
    /// Show no signals: their sink alone has them.
    #[arg(long)]
    pub quiet: bool,
    /// A fault for the simulated venue to inject, e.g. `drop=0.05`; may be given several times.
    #[arg(long = "fault", value_name = "SPEC", requires = "simulate")]
    pub faults: Vec<String>,
    /// Follow this account too (0x and 40 hex digits); may be given several times.
    #[arg(long = "follow", value_name = "ADDR")]
    pub follow: Vec<String>,
    /// Begin with the history from this time on instead of now: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`).
    #[arg(long, value_name = "T")]
    pub start: Option<String>,
}

/// `influencers`
#[derive(Debug, Subcommand)]
pub enum Influencers {
    /// Print the list.
    List,
    /// Follow an account.
    Add {
        /// Your name for it: 1 to 64 of the characters `A-Z a-z 0-9 _ . -`.
        id: String,
        /// The account: 0x and 40 hex digits.
        address: String,
    },
    /// Change settings of an influencer.
    Set {
        /// Its name on the list.
        id: String,
        /// `label`, `priority`, `enabled`, `markets`, `start`, e.g. `priority=10`; `KEY=` alone takes the field away.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = key_value)]
        settings: Vec<(String, String)>,
    },
    /// Follow no longer.
    Remove {
        /// Its name on the list.
        id: String,
    },
    /// Accept that the list is empty: only then a running service follows nobody any more.
    ConfirmEmpty,
}

/// `topics`
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Make those that are missing; what is there is left as it is.
    Create {
        /// Of each new topic; 12 without it.
        #[arg(long, value_parser = clap::value_parser!(i16).range(1..=10_000))]
        partitions: Option<i16>,
    },
    /// Send again what the journal says a topic acknowledged and the topic has lost; ids, numbers and bytes stay.
    Resend(Resend),
}

/// `topics resend`
#[derive(Args, Debug)]
pub struct Resend {
    /// Of this stream only: `signals`, `gaps`, `dead_letters` or `raw`.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// Say what is lost, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `signals`
#[derive(Args, Debug)]
pub struct Signals {
    /// Go on with new ones as they come.
    #[arg(long)]
    pub tail: bool,
    /// Only of this influencer or account.
    #[arg(long, value_name = "ID|ADDR")]
    pub account: Option<String>,
    /// Only of this market, e.g. `ETH-PERP`.
    #[arg(long)]
    pub market: Option<String>,
    /// Only from this venue time on: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only up to this venue time, given likewise.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
}

/// `raw`
#[derive(Args, Debug)]
pub struct Raw {
    /// Only of this influencer or account.
    #[arg(long, value_name = "ID|ADDR")]
    pub account: Option<String>,
    /// Only of this market, e.g. `ETH-PERP`.
    #[arg(long)]
    pub market: Option<String>,
    /// Only of this event type: `FILL`, `TWAP_FILL`, `ORDER_UPDATE`, `POSITION_SNAPSHOT`, `POSITION_UPDATE`, `TRADE`, `UNKNOWN`.
    #[arg(long = "type", value_name = "T")]
    pub event_type: Option<String>,
    /// Only the event with this id or source event id. A source event id says when it was, so little is read.
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,
    /// Only from this venue time on: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only up to this venue time, given likewise.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Tell on stderr how much of the journal was read.
    #[arg(long)]
    pub stats: bool,
}

/// `verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// Declared gaps are findings too.
    #[arg(long)]
    pub strict: bool,
    /// Audit this file of fills instead of the signal files.
    #[arg(long, value_name = "FILE")]
    pub fills: Option<PathBuf>,
    /// Audit the topics that signals and gaps go to instead of the files.
    #[arg(long, conflicts_with_all = ["fills", "against_info"])]
    pub kafka: bool,
    /// Compare the signal files with the venue's own history too.
    #[arg(long, conflicts_with = "fills")]
    pub against_info: bool,
    /// Compare from this venue time on: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`). Without it the day before
    /// `--until`.
    #[arg(long, value_name = "T", requires = "against_info")]
    pub since: Option<String>,
    /// Compare up to this venue time, given likewise. Without it as far as the files and history can both be complete.
    #[arg(long, value_name = "T", requires = "against_info")]
    pub until: Option<String>,
}

/// `dead-letters`
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// Print them, with what was redriven already.
    List(Letters),
    /// Send the records of letters `rejected_by_sink` to their topic again, each once, in the order of the journal.
    Redrive(Redrive),
}

/// Which dead letters.
#[derive(Args, Debug)]
pub struct Letters {
    /// Read them from their topic (`dead_letters.topic`) instead of the files.
    #[arg(long)]
    pub kafka: bool,
    /// Only refused for this reason, e.g. `rejected_by_sink`.
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Only refused at this stage: `decode`, `validate`, `normalize`, `publish`.
    #[arg(long, value_name = "S")]
    pub stage: Option<String>,
    /// Only of this influencer or account.
    #[arg(long, value_name = "ID|ADDR")]
    pub account: Option<String>,
    /// Only what arrived from this time on: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only what arrived up to this time, given likewise.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only the letter with this id; may be given several times.
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,
}

/// `dead-letters redrive`
#[derive(Args, Debug)]
pub struct Redrive {
    /// Which.
    #[command(flatten)]
    pub letters: Letters,
    /// Only say what would be sent.
    #[arg(long)]
    pub dry_run: bool,
    /// Send what was redriven already once more.
    #[arg(long)]
    pub again: bool,
    /// Of the one letter of `--id`: this file has what could not be read as it should have been, a fill or a frame of the venue in JSON.
    #[arg(long, value_name = "FILE", requires = "ids")]
    pub payload: Option<PathBuf>,
}

/// `inspect`
#[derive(Args, Debug)]
pub struct Inspect {
    /// The address: 0x and 40 hex digits.
    #[arg(value_name = "ADDR")]
    pub address: String,
}

/// `history`
#[derive(Args, Debug)]
pub struct History {
    /// The account: 0x and 40 hex digits.
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// From this venue time on: RFC 3339, milliseconds, or a span before now (`15m`, `2h`, `1d`).
    #[arg(long, value_name = "T")]
    pub since: String,
}

/// `sim-venue`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("market").required(true).args(["fills", "synthetic"]))]
pub struct SimVenue {
    /// Replay this file of fills (NDJSON, plain or .gz).
    #[arg(long, value_name = "FILE")]
    pub fills: Option<PathBuf>,
    /// Make up a market.
    #[arg(long)]
    pub synthetic: bool,
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3801")]
    pub listen: SocketAddr,
    /// Only this segment of the file.
    #[arg(long, value_name = "S", conflicts_with = "synthetic")]
    pub segment: Option<String>,
    /// How fast: a factor, or `max`.
    #[arg(long, value_name = "X|max", default_value = "1")]
    pub speed: String,
    /// Shorten longer pauses of the recording to this.
    #[arg(long, value_name = "N")]
    pub max_gap_ms: Option<u64>,
    /// Begin when this many `userFills` subscriptions are there: at full speed whoever comes later misses what is played.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub wait_subscriptions: usize,
    /// Wait this long more before the first fill, so that everybody is there who comes together.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub warmup_ms: u64,
    /// Inject a fault: `NAME[=VALUE][@WHEN][#K/N]`, e.g. `drop=0.05`, `delay=1s..5s@0.1`, `close=every:10s`, `mute=*@30s..2m`,
    /// `outage=30s..50s`, `info-500=0.2`; may be given several times. docs/command-line.md has all of them.
    #[arg(long = "fault", value_name = "SPEC")]
    pub faults: Vec<String>,
    /// Serve wss and https with a certificate made for this run.
    #[arg(long)]
    pub tls: bool,
    /// Refuse clients that do not show this token.
    #[arg(long, value_name = "T")]
    pub require_token: Option<String>,
    /// On which channel TWAP slices travel.
    #[arg(long, value_enum, default_value_t = Twap::Split)]
    pub twap: Twap,
    /// Seed of the made-up market and of the faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// On which channel TWAP slices travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Twap {
    /// On their own, as the venue does it.
    Split,
    /// Among the other fills.
    Inline,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    if key.is_empty() { Err(format!("{text:?} has no key")) } else { Ok((key.to_owned(), value.to_owned())) }
}
