//! `raw`: the venue's own bytes from the journal, found by account, market, type, id and time.

use influencer_registry::Address;
use messaging::journal::Query;
use signal_domain::{Account, EventType};

use super::super::args::{Cli, Raw};
use super::super::exit::{Exit, Failure};
use super::super::followed::List;
use super::super::output::Output;
use super::super::setup;
use super::journal;
use crate::config::Config;
use crate::record::{Kind, key_of};
use crate::render::{RawFilter, RawLines};

pub(super) fn run(cli: &Cli, args: &Raw, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let since = setup::moment("--since", args.since.as_deref())?;
    let until = setup::moment("--until", args.until.as_deref())?;
    let event_type = args
        .event_type
        .as_deref()
        .map(|text| text.parse::<EventType>().map_err(|error| Failure::Usage(format!("--type: {error}"))))
        .transpose()?;
    let account = args.account.as_ref().map(|text| account(&config, text)).transpose()?;
    let keys = account.iter().map(key_of).collect();
    let times = (since.is_some() || until.is_some())
        .then(|| since.map_or(i64::MIN + 1, |at| at.0)..=until.map_or(i64::MAX, |at| at.0));
    let query = Query { keys, kinds: vec![Kind::Event as u8, Kind::Raw as u8], times };
    let reader = journal::open(&config)?;
    let identity = reader.journal().uuid();
    let filter = RawFilter { account, event_type, market: args.market.clone(), event: args.event.clone() };
    let unreadable = journal::print(reader, query, &mut RawLines::new(identity, filter), output)?;
    Ok(if unreadable == 0 { Exit::Clean } else { Exit::Failed })
}

/// An address, or the id of somebody in the list.
pub(super) fn account(config: &Config, text: &str) -> Result<Account, Failure> {
    if let Ok(address) = text.parse::<Address>() {
        return Ok(Account::from_bytes(*address.as_bytes()));
    }
    let list = List::read_or_last_good(config)?;
    let found = list.set.get(text).map(|influencer| Account::from_bytes(*influencer.address().as_bytes()));
    found.ok_or_else(|| Failure::Usage(format!("--account {text}: neither an address nor an id of the list")))
}
