//! One account's state as it is shared: for us as the bytes of [`AccountState`], for people and other programs as JSON beside them.

use std::collections::BTreeMap;

use dedup::store::{Fields, Image};
use serde_json::json;

use crate::account::{Ledger, Market, Stream};
use crate::state::AccountState;
use signal_domain::Account;

/// What was found of one account, to go on from.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The account.
    pub account: [u8; 20],
    /// The influencer's id, the end of the key.
    pub influencer: String,
    /// The epoch of who wrote it.
    pub epoch: u64,
    /// The position of the writer's journal behind which it stood.
    pub position: u64,
    /// The state.
    pub state: AccountState,
}

/// A state that cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A field lacks or is none.
    #[error("{key}: field {field} {why}")]
    Field {
        /// The key in the Redis.
        key: String,
        /// The field.
        field: &'static str,
        /// What is wrong about it.
        why: &'static str,
    },
}

/// What was written last of each market of one account.
pub(super) type Told = BTreeMap<Market, (u64, u64, i64)>;

/// The state of one account as it stands behind `position` of the journal named `journal`. Of its markets those that are not in `told` as
/// they are now.
pub(super) fn of(
    account: [u8; 20],
    state: &AccountState,
    (journal, position): (&str, u64),
    told: &Told,
) -> Image {
    let ledger = &state.ledger;
    let text = |text: String| text.into_bytes();
    let fields = [
        ("account", text(Account::from_bytes(account).to_string())),
        ("epoch", text(ledger.epoch().to_string())),
        ("journal", text(journal.to_owned())),
        ("position", text(position.to_string())),
        ("removed", text(ledger.is_removed().to_string())),
        ("baseline", text(by_stream(|stream| json!(ledger.stream(stream).baseline)))),
        ("certified", text(by_stream(|stream| certified(ledger, stream)))),
        ("gaps", text(gaps(state))),
        ("state", state.share()),
    ];
    let moved = standing(ledger).filter(|(market, now)| told.get(*market) != Some(now));
    let markets = moved.map(|(market, (epoch, seq, time))| {
        let position = ledger.head(market).and_then(|head| head.position);
        let position = position.map(|position| position.0.normalize().to_string());
        let last = ledger.last(market).map(|key| format!("{key:?}"));
        let value =
            json!({ "epoch": epoch, "seq": seq, "time": time, "position": position, "lastKey": last });
        (market.as_str().to_owned(), value.to_string().into_bytes())
    });
    Image {
        id: state.influencer.clone(),
        fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
        markets: markets.collect(),
    }
}

/// Where each market stands: epoch, number, venue time.
pub(super) fn standing(ledger: &Ledger) -> impl Iterator<Item = (&Market, (u64, u64, i64))> {
    ledger.markets().filter_map(|(market, chain)| {
        let head = chain.head()?;
        Some((market, (ledger.epoch(), chain.seq(), head.time)))
    })
}

/// Reads what was found below `key`.
///
/// # Errors
/// [`ImageError`]: guessing here would be a wrong position somewhere else.
pub(super) fn read(key: &str, influencer: &str, fields: &Fields) -> Result<Adopted, ImageError> {
    let field = |field: &'static str| {
        let lacks = || ImageError::Field { key: key.to_owned(), field, why: "lacks" };
        fields.get(field).ok_or_else(lacks)
    };
    let bad = |field, why| ImageError::Field { key: key.to_owned(), field, why };
    let account = std::str::from_utf8(field("account")?).ok().and_then(|text| Account::parse(text).ok());
    let account = account.ok_or_else(|| bad("account", "is no account"))?;
    let state =
        AccountState::shared(field("state")?).map_err(|_| bad("state", "was not written by this version"))?;
    let epoch = state.ledger.epoch();
    let position = std::str::from_utf8(field("position")?).ok().and_then(|text| text.parse().ok());
    let position = position.ok_or_else(|| bad("position", "is no number"))?;
    let (account, influencer) = (*account.as_bytes(), influencer.to_owned());
    Ok(Adopted { account, influencer, epoch, position, state })
}

fn by_stream(value: impl Fn(Stream) -> serde_json::Value) -> String {
    json!({ "fills": value(Stream::Fills), "twap": value(Stream::Twap) }).to_string()
}

fn certified(ledger: &Ledger, stream: Stream) -> serde_json::Value {
    let state = ledger.stream(stream);
    let anchor = state.anchor.map(|(key, time)| json!({ "key": format!("{key:?}"), "time": time }));
    json!({ "to": state.certified, "anchor": anchor })
}

fn gaps(state: &AccountState) -> String {
    let gaps = state.ledger.gaps().iter().map(|gap| {
        let kind = crate::render::gap_kind(gap.id.kind).as_str();
        let market = gap.id.market.as_ref().map(Market::as_str);
        json!({ "kind": kind, "market": market, "from": gap.id.from, "to": gap.to, "state": format!("{:?}", gap.state).to_lowercase() })
    });
    serde_json::Value::Array(gaps.collect()).to_string()
}
