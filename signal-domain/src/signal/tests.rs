//! Signals: action, side and size follow from the positions, ids from the event.

use super::*;
use crate::{Number, Side, Size};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn fill(start: &str, side: Side, sz: &str) -> Fill {
    Fill {
        start_position: Some(number(start)),
        ..Fill::new(
            Market::from_coin("ETH").unwrap(),
            side,
            number("2400.50"),
            Size::parse(sz).unwrap(),
            500_000,
            7,
        )
    }
}

fn emission() -> Emission {
    let account = Account::from_bytes([0xaa; 20]);
    Emission::new(InfluencerId::parse("whale-1").unwrap(), account, Network::Sim, Origin::Live)
}

fn context(as_of: u64) -> Option<Context> {
    Some(Context { account_value: None, leverage: None, margin_mode: None, entry_price: None, as_of })
}

#[test]
fn a_flip_is_one_signal() {
    let signal = Signal::from_fill(fill("-1.25", Side::Buy, "2"), emission()).unwrap().unwrap();
    assert_eq!((signal.action(), signal.side()), (Action::Flip, PositionSide::Long));
    assert_eq!((signal.size().to_string(), signal.delta_size().to_string()), ("0.75".into(), "2".into()));
    assert_eq!(signal.price().to_string(), "2400.5");
    assert_eq!((signal.timestamp(), signal.source_event_id()), (500_000, "fill:500000:7:B"));
}

#[test]
fn a_noisy_close_is_a_close() {
    let signal =
        Signal::from_fill(fill("0.30000000000000004", Side::Sell, "0.3"), emission()).unwrap().unwrap();
    assert_eq!((signal.action(), signal.side()), (Action::Close, PositionSide::Flat));
    assert_eq!(signal.size(), Decimal::ZERO);
    assert_eq!(signal.delta_size().to_string(), "-0.3");
}

#[test]
fn no_change_is_no_signal() {
    assert_eq!(Signal::from_fill(fill("1", Side::Buy, "0.0000001"), emission()), Ok(None));
    assert!(
        Signal::from_fill(Fill { start_position: None, ..fill("1", Side::Buy, "1") }, emission()).is_err()
    );
}

#[test]
fn the_facts_of_emission_do_not_change_the_id() {
    let id = |emission| Signal::from_fill(fill("1", Side::Buy, "1"), emission).unwrap().unwrap().signal_id();
    let plain = id(emission());
    let again = Emission {
        network: Network::Mainnet,
        origin: Origin::Backfill,
        received_at_ms: 9,
        epoch: 9,
        seq: 9,
        more: true,
        late: true,
        gap_id: Some(Uuid::nil()),
        context: context(500_000),
        listener: Some("b".into()),
        ..emission()
    };
    assert_eq!(id(again), plain);
    // Replacing the signal of another event is no property of this one; being its own correction is.
    assert_eq!(id(Emission { supersedes: Some(Uuid::nil()), ..emission() }), plain);
    assert_ne!(id(Emission { revision: 1, ..emission() }), plain);
}

#[test]
fn a_context_too_far_away_is_left_out() {
    for (as_of, kept) in
        [(500_000, true), (380_000, true), (379_999, false), (620_000, true), (620_001, false)]
    {
        let with = Emission { context: context(as_of), ..emission() };
        let signal = Signal::from_fill(fill("1", Side::Buy, "1"), with).unwrap().unwrap();
        assert_eq!(signal.emission().context.is_some(), kept, "{as_of}");
    }
}
