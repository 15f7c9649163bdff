//! Records with every key and records with only the required ones. The struct literals name every field, so a field
//! added to a type does not compile here until the schema test has seen it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(dead_code, reason = "each test file uses its part of this one")]

use signal_domain::{
    Account, Context, Decimal, Disposition, Emission, EventType, Fill, GapKind, GapState, InfluencerId,
    Liquidation, Market, Network, Number, Origin, Reason, Refusal, RefusedPayload, Side, Signal, Size, Stage,
    StateReason, StateSource, Uuid,
    wire::{
        encoded_payload,
        v1::{DeadLetterV1, GapV1, InfluencerStateV1, MarketStateV1, RawV1, SignalV1},
    },
};

pub(crate) const FILL_BYTES: &[u8] =
    br#"{"coin":"ETH","px":"2400.50","sz":"0.5","side":"B","note":"caf\u00e9 \"x\""}"#;
pub(crate) const NOT_UTF8: &[u8] = &[b'{', 0xff, 0xfe, b'}'];

pub(crate) fn account() -> Account {
    Account::parse("0x00000000000000000000000000000000000000aa").unwrap()
}

pub(crate) fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

pub(crate) fn number(text: &str) -> Option<Number> {
    Some(Number::parse(text).unwrap())
}

pub(crate) fn uuid(last: u8) -> Uuid {
    let mut bytes = [0xc0; 16];
    bytes[15] = last;
    Uuid::from_bytes(bytes)
}

/// The signal of the design's example, with every key.
pub(crate) fn full_signal() -> Signal {
    let fill = Fill {
        market: Market::from_coin("ETH").unwrap(),
        side: Side::Buy,
        px: Number::parse("2400.50").unwrap(),
        sz: Size::parse("0.5").unwrap(),
        time: 1_790_000_000_123,
        tid: 512_345_678_901_234,
        start_position: number("-1.25"),
        oid: Some(560_000_000_001),
        dir: Some("Close Short".into()),
        closed_pnl: number("3.10"),
        hash: Some("0x5c5c".into()),
        crossed: Some(true),
        fee: number("-0.54"),
        fee_token: Some("USDC".into()),
        builder_fee: number("0.1"),
        cloid: Some("0x00ab".into()),
        twap_id: Some(2_290_000),
        liquidation: Some(Liquidation {
            liquidated_user: Some(Account::from_bytes([9; 20])),
            mark_px: number("2400.0"),
            method: Some("market".into()),
        }),
    };
    let emission = Emission {
        influencer: InfluencerId::parse("whale-1").unwrap(),
        account: account(),
        network: Network::Mainnet,
        origin: Origin::Live,
        received_at_ms: 1_790_000_000_431,
        epoch: 1_790_000_000_000,
        seq: 42,
        more: true,
        gap_id: Some(uuid(1)),
        late: true,
        revision: 1,
        supersedes: Some(uuid(2)),
        context: Some(Context {
            account_value: Some(decimal("100000.5")),
            leverage: Some(decimal("10")),
            margin_mode: Some("cross".into()),
            entry_price: Some(decimal("2399.25")),
            as_of: 1_789_999_990_000,
        }),
        listener: Some("a".into()),
    };
    Signal::from_fill(fill, emission).unwrap().unwrap()
}

/// A signal of a source that knows little: no order, no label, no fee.
pub(crate) fn minimal_signal() -> Signal {
    let fill = Fill {
        start_position: number("0.0"),
        ..Fill::new(
            Market::from_coin("@107").unwrap(),
            Side::Sell,
            Number::parse("47.0").unwrap(),
            Size::parse("2.0").unwrap(),
            1_790_000_000_123,
            7,
        )
    };
    let emission = Emission::new(InfluencerId::from(account()), account(), Network::Sim, Origin::Tape);
    Signal::from_fill(fill, Emission { received_at_ms: 1_790_000_000_500, epoch: 1, seq: 1, ..emission })
        .unwrap()
        .unwrap()
}

pub(crate) fn full_raw() -> RawV1<'static> {
    let (raw_payload, raw_encoding) = encoded_payload(NOT_UTF8);
    RawV1 {
        id: uuid(3),
        journal: uuid(4),
        position: 1_790_000_000_000_000_017,
        account: Some(account()),
        influencer_id: Some("whale-1".into()),
        event_type: EventType::Fill.into(),
        market: Some("ETH-PERP".into()),
        source_event_id: Some("fill:1790000000123:512345678901234:B".into()),
        raw_payload,
        raw_encoding,
        timestamp: Some(1_790_000_000_123),
        ingested_at: 1_790_000_000_432,
        received_at_ns: 1_790_000_000_431_000_001,
        listener: "a".into(),
        connection: 3,
        origin: Origin::Live.into(),
        disposition: Disposition::Signal.into(),
        signal_id: Some(uuid(5)),
    }
}

pub(crate) fn minimal_raw() -> RawV1<'static> {
    let (raw_payload, raw_encoding) = encoded_payload(FILL_BYTES);
    RawV1 {
        account: None,
        influencer_id: None,
        event_type: EventType::Unknown.into(),
        market: None,
        source_event_id: None,
        raw_payload,
        raw_encoding,
        timestamp: None,
        disposition: Disposition::Stored.into(),
        signal_id: None,
        ..full_raw()
    }
}

pub(crate) fn full_dead_letter() -> DeadLetterV1<'static> {
    DeadLetterV1::from(&Refusal {
        stage: Stage::Decode,
        reason: Reason::MissingField,
        detail: "a fill of ETH has no \"time\"",
        attempts: 1,
        account: Some(account()),
        source_event_id: Some("fill:1790000000123:512345678901234:B"),
        payload: RefusedPayload::Kept(NOT_UTF8),
        position: Some(1_790_000_000_000_000_018),
        received_at_ns: 1_790_000_000_431_000_001,
    })
}

pub(crate) fn minimal_dead_letter() -> DeadLetterV1<'static> {
    DeadLetterV1 {
        length: None,
        ..DeadLetterV1::from(&Refusal {
            stage: Stage::Decode,
            reason: Reason::FrameTooLarge,
            detail: "67108864 bytes",
            attempts: 1,
            account: None,
            source_event_id: None,
            payload: RefusedPayload::Dropped { length: 67_108_864 },
            position: None,
            received_at_ns: 1_790_000_000_431_000_001,
        })
    }
}

pub(crate) fn full_gap() -> GapV1<'static> {
    GapV1 {
        gap_id: uuid(6),
        epoch: 7,
        influencer_id: "whale-1".into(),
        market: Some("ETH-PERP".into()),
        kind: GapKind::Conflict.into(),
        state: GapState::Repaired.into(),
        from_time: 1_790_000_000_123,
        to_time: 1_790_000_000_456,
        start_expected: Some(decimal("-1.25")),
        start_found: Some(decimal("0")),
        missing: Some(decimal("1.25")),
        contents: Some(vec![r#"{"sz":"1"}"#.into(), r#"{"sz":"2"}"#.into()]),
        opened_at: 1_790_000_000_500,
        closed_at: Some(1_790_000_000_900),
    }
}

pub(crate) fn minimal_gap() -> GapV1<'static> {
    GapV1 {
        market: None,
        kind: GapKind::Outage.into(),
        state: GapState::Opened.into(),
        start_expected: None,
        start_found: None,
        missing: None,
        contents: None,
        closed_at: None,
        ..full_gap()
    }
}

pub(crate) fn full_influencer_state() -> InfluencerStateV1<'static> {
    InfluencerStateV1 {
        influencer_id: "whale-1".into(),
        coverage: signal_domain::Coverage::Full.into(),
        live_to: Some(1_790_000_000_123),
        certified_to: Some(1_789_999_880_000),
        open_gaps: 1,
        account_value: Some(decimal("-12.5")),
        as_of: 1_790_000_000_500,
    }
}

pub(crate) fn minimal_influencer_state() -> InfluencerStateV1<'static> {
    InfluencerStateV1 { live_to: None, certified_to: None, account_value: None, ..full_influencer_state() }
}

pub(crate) fn full_market_state() -> MarketStateV1<'static> {
    MarketStateV1 {
        influencer_id: "whale-1".into(),
        market: "ETH-PERP".into(),
        side: signal_domain::PositionSide::Short,
        size: decimal("0.75"),
        entry_price: Some(decimal("2399.25")),
        leverage: Some(decimal("10")),
        margin_mode: Some("isolated".into()),
        source: StateSource::Chain.into(),
        reason: StateReason::Change.into(),
        epoch: 7,
        last_seq: 42,
        last_signal_id: Some(uuid(5)),
        as_of: 1_790_000_000_500,
    }
}

pub(crate) fn minimal_market_state() -> MarketStateV1<'static> {
    MarketStateV1 {
        entry_price: None,
        leverage: None,
        margin_mode: None,
        last_signal_id: None,
        ..full_market_state()
    }
}

/// A record as bytes, whatever its type.
pub(crate) fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

pub(crate) fn signal_json(signal: &Signal) -> Vec<u8> {
    encoded(|out| SignalV1::from(signal).encode(out))
}
