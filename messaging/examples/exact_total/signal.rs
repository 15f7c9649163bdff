//! What a total needs of a `signal.v1`, and decimals whose sums are exact or refused.

use serde::Deserialize;
use uuid::Uuid;

/// One signal; sizes in units of 10^-18.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal<'a> {
    pub(crate) id: u128,
    pub(crate) influencer: &'a str,
    pub(crate) market: &'a str,
    pub(crate) delta: i128,
    /// After it; below zero when short.
    pub(crate) position: i128,
    /// The newest of these says where the market stands: venue ms, epoch, seq.
    pub(crate) at: (i64, u64, u64),
    /// The signal that this one corrects.
    pub(crate) supersedes: Option<u128>,
}

/// As it is written. Other keys are ignored: `signal.v1` may gain some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema: &'a str,
    signal_id: &'a str,
    influencer_id: &'a str,
    market: &'a str,
    side: &'a str,
    size: &'a str,
    delta_size: &'a str,
    timestamp: i64,
    epoch: u64,
    seq: u64,
    supersedes: Option<&'a str>,
}

impl<'a> Signal<'a> {
    pub(crate) fn parse(value: Option<&'a [u8]>) -> Result<Self, String> {
        let value = value.ok_or("no content")?;
        let written: Written<'a> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        if written.schema != "signal.v1" {
            return Err(format!("schema {:?} is not signal.v1", written.schema));
        }
        let id =
            |text: &str| Uuid::parse_str(text).map(|id| id.as_u128()).map_err(|error| format!("id: {error}"));
        let number = |text| units(text).ok_or_else(|| format!("{text:?} is no decimal that fits"));
        let size = number(written.size)?;
        let position = match written.side {
            "LONG" | "FLAT" => size,
            "SHORT" => -size,
            side => return Err(format!("side {side:?} is none")),
        };
        Ok(Self {
            id: id(written.signal_id)?,
            influencer: written.influencer_id,
            market: written.market,
            delta: number(written.delta_size)?,
            position,
            at: (written.timestamp, written.epoch, written.seq),
            supersedes: written.supersedes.map(id).transpose()?,
        })
    }
}

const DIGITS: usize = 18;
const ONE: i128 = 10_i128.pow(18);

fn units(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > DIGITS {
        return None;
    }
    let part: i128 = format!("{part:0<DIGITS$}").parse().ok()?;
    let whole = whole.parse::<i128>().ok()?.checked_mul(ONE)?;
    Some(sign * whole.checked_add(part)?)
}

/// As the topic writes decimals.
pub(crate) fn shown(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    let (whole, part) = (units / ONE.unsigned_abs(), units % ONE.unsigned_abs());
    let text = format!("{sign}{whole}.{part:0>DIGITS$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
