//! `signals`: stored signals, and new ones as they come.

use std::sync::Arc;
use std::time::Duration;

use messaging::sink::lines::{Begin, Lines};
use messaging::storage::DiskStorage;
use signal_domain::wire::v1::SignalV1;

use super::super::args::{Cli, Signals};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use crate::runtime::human;

/// Between two looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(cli: &Cli, args: &Signals, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli, &[])?;
    let wanted = Wanted {
        account: args.account.as_ref().map(|account| account.to_lowercase()),
        influencer: args.account.clone(),
        market: args.market.clone(),
        since: setup::moment("--since", args.since.as_deref())?,
        until: setup::moment("--until", args.until.as_deref())?,
    };
    let storage = Arc::new(DiskStorage::new(setup::existing_data(&config)?));
    let failed = |error| Failure::world("signals", error);
    let mut lines = Lines::open(storage, "signals", Begin::Oldest).map_err(failed)?;
    loop {
        while let Some(line) = lines.poll_new().map_err(failed)? {
            if !wanted.takes(line.bytes) {
                continue;
            }
            if output.json() || !output.is_terminal() {
                output.stored(line.bytes)?;
            } else {
                output.line(&human(line.bytes))?;
            }
        }
        output.flush()?;
        if !args.tail {
            return Ok(Exit::Clean);
        }
        pause();
    }
}

/// A person watching a file has no event to wait for.
#[expect(clippy::disallowed_methods, reason = "polling a directory for a person at a terminal")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

struct Wanted {
    account: Option<String>,
    influencer: Option<String>,
    market: Option<String>,
    since: Option<Moment>,
    until: Option<Moment>,
}

impl Wanted {
    fn takes(&self, line: &[u8]) -> bool {
        let Ok(signal) = SignalV1::decode(line) else { return false };
        let time = i64::try_from(signal.timestamp).unwrap_or(i64::MAX);
        self.influencer.as_deref().is_none_or(|wanted| {
            signal.influencer_id == wanted
                || self.account.as_deref() == Some(signal.account.to_string().as_str())
        }) && self.market.as_deref().is_none_or(|wanted| signal.market == wanted)
            && self.since.is_none_or(|since| time >= since.0)
            && self.until.is_none_or(|until| time <= until.0)
    }
}
