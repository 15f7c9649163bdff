//! What a person has repaired: a fill, a slice, or a frame of them, as the present build reads it.

use hyperliquid_client::decode::{Decoder, Frame, Row};
use hyperliquid_client::wire::{Address, Fill};

/// Rows of one payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repaired {
    /// Whose, where the payload says.
    pub account: Option<[u8; 20]>,
    /// TWAP slices, in their wrapper.
    pub are_slices: bool,
    /// The bytes of each.
    pub rows: Vec<Box<[u8]>>,
}

/// The rows in `payload`; why there are none, or which of them is not understood.
///
/// # Errors
///
/// In words.
pub fn repaired(payload: &[u8]) -> Result<Repaired, String> {
    let page = [b"[", payload, b"]"].concat();
    let mut decoder = Decoder::new();
    let fill = single(decoder.fills_page(&page).map(|page| page.rows), |fill| fill);
    let why = match fill {
        Ok(raw) => return Ok(Repaired { account: None, are_slices: false, rows: vec![raw] }),
        Err(why) => why,
    };
    let slice = single(decoder.twap_fills_page(&page).map(|page| page.rows), |slice| &slice.fill);
    if let Ok(raw) = slice {
        return Ok(Repaired { account: None, are_slices: true, rows: vec![raw] });
    }
    let Ok(decoded) = decoder.decode(payload) else { return Err(why) };
    match decoded.frame {
        Frame::Fills(frame) => of_frame(frame.user, false, &frame.rows, |fill| fill),
        Frame::TwapFills(frame) => of_frame(frame.user, true, &frame.rows, |slice| &slice.fill),
        Frame::UserEvents(_)
        | Frame::OrderUpdates(_)
        | Frame::Trades(_)
        | Frame::State { .. }
        | Frame::AllStates { .. }
        | Frame::Ack { .. }
        | Frame::VenueError(_)
        | Frame::Pong
        | Frame::Post { .. }
        | Frame::Greeting(_)
        | Frame::Unknown { .. } => Err("it is a frame without fills".to_owned()),
    }
}

fn single<'a, T, E: ToString>(
    rows: Result<Vec<Row<'a, T>>, E>,
    fill: impl FnOnce(&T) -> &Fill<'a>,
) -> Result<Box<[u8]>, String> {
    let rows = rows.map_err(|error| error.to_string())?;
    match rows.into_iter().next() {
        None => Err("it is empty".to_owned()),
        Some(row) => row.map(|row| fill(&row).raw.into()).map_err(|refusal| refusal.to_string()),
    }
}

fn of_frame<'a, T>(
    user: Address,
    are_slices: bool,
    rows: &[Row<'a, T>],
    fill: impl Fn(&T) -> &Fill<'a>,
) -> Result<Repaired, String> {
    let rows = rows.iter().enumerate().map(|(number, row)| match row {
        Ok(row) => Ok(fill(row).raw.into()),
        Err(refusal) => Err(format!("row {}: {refusal}", number + 1)),
    });
    Ok(Repaired { account: Some(*user.as_bytes()), are_slices, rows: rows.collect::<Result<_, String>>()? })
}
