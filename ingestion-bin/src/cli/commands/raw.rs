//! `raw`: the venue's own bytes from the journal, found by account, market, type, id and time.

use influencer_registry::Address;
use messaging::journal::Query;
use signal_domain::{Account, EventType, ids};

use super::super::args::{Cli, Raw};
use super::super::exit::{Exit, Failure};
use super::super::followed::List;
use super::super::output::Output;
use super::super::setup;
use super::journal;
use crate::config::Config;
use crate::record::{Kind, key_of, label_of_market, label_of_type};
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
    let named = args.event.as_deref().and_then(ids::time_of_key);
    let times = (since.is_some() || until.is_some() || named.is_some()).then(|| {
        let (first, last) = named.map_or((i64::MIN + 1, i64::MAX), |at| (at, at));
        since.map_or(first, |at| first.max(at.0))..=until.map_or(last, |at| last.min(at.0))
    });
    let market = args.market.as_deref().map(label_of_market);
    let labels = market.into_iter().chain(event_type.map(|named| label_of_type(named.as_str()))).collect();
    let query = Query { keys, kinds: vec![Kind::Event as u8, Kind::Raw as u8], times, labels };
    let reader = journal::open(&config)?;
    let identity = reader.journal().uuid();
    let filter = RawFilter { account, event_type, market: args.market.clone(), event: args.event.clone() };
    let printed = journal::print(reader, query, &mut RawLines::new(identity, filter), output)?;
    if args.stats {
        output.flush()?;
        let stored = journal::stored_bytes(&config)?;
        journal::tell(&format!("read {} of {stored} bytes", printed.bytes_read));
    }
    Ok(if printed.unreadable == 0 { Exit::Clean } else { Exit::Failed })
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
