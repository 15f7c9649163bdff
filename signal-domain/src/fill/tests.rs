//! Fills: ids, transitions, and what cannot be one.

use proptest::prelude::*;

use super::*;

fn fill(tid: u64) -> Fill {
    Fill {
        start_position: Some(Number::parse("-1.250").unwrap()),
        oid: Some(560_000_000_001),
        ..Fill::new(
            Market::from_coin("ETH").unwrap(),
            Side::Buy,
            Number::parse("2400.50").unwrap(),
            Size::parse("0.50").unwrap(),
            1_790_000_000_123,
            tid,
        )
    }
}

#[test]
fn ids_are_those_of_the_contract() {
    assert_eq!(fill(512_345_678_901_234).source_event_id().unwrap(), "fill:1790000000123:512345678901234:B");
    assert_eq!(fill(0).source_event_id().unwrap(), "fill:1790000000123:0:560000000001:B:0.50:-1.250");
    let sold = Fill { side: Side::Sell, ..fill(7) };
    assert_eq!(sold.source_event_id().unwrap(), "fill:1790000000123:7:A");
}

#[test]
fn what_is_missing_is_named() {
    let cases = [
        (Fill { oid: None, ..fill(0) }.source_event_id().unwrap_err(), "oid"),
        (Fill { start_position: None, ..fill(0) }.source_event_id().unwrap_err(), "startPosition"),
        (Fill { start_position: None, ..fill(7) }.transition().unwrap_err(), "startPosition"),
    ];
    for (error, field) in cases {
        assert_eq!(error.reason(), Reason::MissingField);
        assert_eq!(error.to_string(), format!("the fill of ETH-PERP at 1790000000123 has no {field}"));
    }
    assert!(Fill { start_position: None, oid: None, ..fill(7) }.source_event_id().is_ok());
}

#[test]
fn a_position_out_of_range_keeps_its_cause() {
    let far = Fill { start_position: Some(Decimal::MAX.into()), ..fill(7) };
    let error = far.transition().unwrap_err();
    assert_eq!(error.reason(), Reason::NumberOutOfRange);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn the_sign_is_the_side() {
    assert_eq!(fill(7).signed_size().to_string(), "0.5");
    assert_eq!(Fill { side: Side::Sell, ..fill(7) }.signed_size().to_string(), "-0.5");
}

proptest! {
    /// Inside one market, fills that differ in time, trade or side have different ids; other facts change nothing.
    #[test]
    fn an_id_is_a_function_of_the_key(
        a in (1_u64..4, 1_u64..4, any::<bool>()),
        b in (1_u64..4, 1_u64..4, any::<bool>()),
        px in "[1-9][0-9]{0,4}",
    ) {
        let with = |(time, tid, buys): (u64, u64, bool)| Fill {
            time,
            side: if buys { Side::Buy } else { Side::Sell },
            ..fill(tid)
        };
        let other = Fill { px: Number::parse(&px).unwrap(), dir: Some("Close Long".into()), oid: None, ..with(b) };
        prop_assert_eq!(with(a).source_event_id().unwrap() == other.source_event_id().unwrap(), a == b);
    }
}
