//! `signals`: stored signals, and new ones as they come.

use std::sync::Arc;
use std::time::Duration;

use influencer_registry::Address;
use messaging::sink::lines::{Begin, Lines};
use messaging::storage::DiskStorage;
use signal_domain::wire::v1::SignalV1;

use super::super::args::{Cli, Signals};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use super::raw::account;
use crate::config::Config;
use crate::runtime::human;

/// Between two looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(cli: &Cli, args: &Signals, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let mut wanted = Wanted {
        whose: args.account.as_deref().map(|text| Whose { text, address: text.parse().ok(), seen: false }),
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
        wanted.check(&config)?;
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

struct Wanted<'a> {
    whose: Option<Whose<'a>>,
    market: Option<String>,
    since: Option<Moment>,
    until: Option<Moment>,
}

/// An address, or the id of an influencer.
struct Whose<'a> {
    text: &'a str,
    address: Option<Address>,
    /// There are signals of theirs.
    seen: bool,
}

impl Wanted<'_> {
    fn takes(&mut self, line: &[u8]) -> bool {
        let Ok(signal) = SignalV1::decode(line) else { return false };
        if let Some(whose) = &mut self.whose {
            let by_address =
                whose.address.as_ref().is_some_and(|address| address.as_bytes() == signal.account.as_bytes());
            if !by_address && signal.influencer_id != whose.text {
                return false;
            }
            whose.seen = true;
        }
        let time = i64::try_from(signal.timestamp).unwrap_or(i64::MAX);
        self.market.as_deref().is_none_or(|wanted| signal.market == wanted)
            && self.since.is_none_or(|since| time >= since.0)
            && self.until.is_none_or(|until| time <= until.0)
    }

    /// A name that no signal bears and nobody on the list: a slip, to be told like one.
    fn check(&mut self, config: &Config) -> Result<(), Failure> {
        match &mut self.whose {
            Some(whose) if !whose.seen && whose.address.is_none() => {
                account(config, whose.text)?;
                // Theirs may come.
                whose.seen = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
