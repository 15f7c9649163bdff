//! Every kind of frame, out of `fixtures/` (values composed by us), decodes into what it says.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside the test functions")]

use hyperliquid_client::decode::{AckMethod, Decoder, Frame, VenueErrorKind};
use hyperliquid_client::wire::{Address, Side};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn user() -> Address {
    Address::parse("0x00000000000000000000000000000000000000aa").unwrap()
}

fn with_frame(name: &str, check: impl FnOnce(&Frame<'_>)) {
    let raw = fixture(name);
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!decoded.drift.any(), "{name}: {:?}", decoded.drift);
    check(&decoded.frame);
}

#[test]
fn a_snapshot_of_fills() {
    with_frame("user_fills_snapshot", |frame| {
        let Frame::Fills(fills) = frame else { panic!("{frame:?}") };
        assert_eq!((fills.user, fills.is_snapshot, fills.rows.len()), (user(), true, 3));
        let [first, flip, dust] = [0, 1, 2].map(|at| *fills.rows[at].as_ref().unwrap());
        assert_eq!(
            (first.coin, first.px.text, first.side, first.time),
            ("ETH", "2400.5", Side::Buy, 1_790_000_000_123)
        );
        assert_eq!(first.start_position.value.to_string(), "-1.25");
        assert_eq!((first.twap_id, first.cloid, first.builder_fee), (None, None, None));
        let liquidation = flip.liquidation.unwrap();
        assert_eq!((liquidation.mark_px, liquidation.method), ("85.5", "market"));
        assert_eq!((flip.builder_fee, flip.fee), (Some("0.002"), "-0.01"));
        // Figures as JSON numbers keep their text too.
        assert_eq!((dust.closed_pnl, dust.fee, dust.tid), ("0.0", "0", 0));
    });
}

#[test]
fn a_live_frame_has_no_flag_and_an_empty_snapshot_no_rows() {
    with_frame("user_fills_live", |frame| {
        assert!(matches!(frame, Frame::Fills(fills) if !fills.is_snapshot && fills.rows.len() == 1));
    });
    with_frame("user_fills_empty_snapshot", |frame| {
        assert!(matches!(frame, Frame::Fills(fills) if fills.is_snapshot && fills.rows.is_empty()));
    });
}

#[test]
fn a_twap_slice_keeps_its_wrapper() {
    with_frame("user_twap_slice_fills", |frame| {
        let Frame::TwapFills(fills) = frame else { panic!("{frame:?}") };
        let slice = fills.rows[0].as_ref().unwrap();
        assert_eq!((slice.twap_id, slice.fill.coin), (2_290_000, "BTC"));
        assert!(
            slice.fill.raw.starts_with(b"{\"fill\":{") && slice.fill.raw.ends_with(b"\"twapId\":2290000}")
        );
    });
}

#[test]
fn user_events_of_every_kind() {
    for (name, counts) in [
        ("user_events_fills", [1, 0, 0, 0, 0, 0]),
        ("user_events_twap_slices", [0, 1, 0, 0, 0, 0]),
        ("user_events_funding", [0, 0, 1, 0, 0, 0]),
        ("user_events_liquidation", [0, 0, 0, 1, 0, 0]),
        ("user_events_non_user_cancel", [0, 0, 0, 0, 1, 0]),
        ("user_events_twap_history", [0, 0, 0, 0, 0, 1]),
    ] {
        with_frame(name, |frame| {
            let Frame::UserEvents(events) = frame else { panic!("{frame:?}") };
            let found = [
                events.fills.iter().flatten().count(),
                events.twap_fills.iter().flatten().count(),
                events.funding.iter().flatten().count(),
                events.liquidation.iter().flatten().count(),
                events.non_user_cancels.iter().flatten().count(),
                events.twap_history.iter().flatten().count(),
            ];
            assert_eq!(found, counts, "{name}: {events:?}");
        });
    }
}

#[test]
fn orders_and_trades() {
    with_frame("order_updates", |frame| {
        let Frame::OrderUpdates(rows) = frame else { panic!("{frame:?}") };
        let [open, filled] = [0, 1].map(|at| *rows[at].as_ref().unwrap());
        assert_eq!((open.status, open.order.sz.text, open.order.reduce_only), ("open", "4.0", true));
        assert_eq!((filled.status, filled.order.cloid, filled.order.reduce_only), ("filled", None, false));
        assert!(filled.raw.ends_with(b"\"statusTimestamp\":1790000000402}"));
    });
    with_frame("trades", |frame| {
        let Frame::Trades(rows) = frame else { panic!("{frame:?}") };
        let trade = rows[0].as_ref().unwrap();
        assert_eq!((trade.buyer, trade.side, trade.tid), (user(), Side::Sell, 717_000_000_000_001));
    });
    with_frame("trades_empty", |frame| assert_eq!(*frame, Frame::Trades(Vec::new())));
}

#[test]
fn states_of_one_dex_and_of_all() {
    with_frame("clearinghouse_state", |frame| {
        let Frame::State { user: of, state } = frame else { panic!("{frame:?}") };
        assert_eq!((*of, state.dex.as_ref(), state.state.time), (user(), "xyz", 1_790_000_001_000));
        let position = &state.state.asset_positions[0].position;
        assert_eq!((position.szi.as_ref(), position.liquidation_px.as_ref()), ("-0.025", None));
        let leverage = position.leverage.as_ref().unwrap();
        assert_eq!((leverage.kind.as_ref(), leverage.value), ("isolated", 10));
        assert!(state.raw.starts_with(b"{\"marginSummary\"") && state.raw.ends_with(b"1790000001000}"));
    });
    with_frame("all_dexs_clearinghouse_state", |frame| {
        let Frame::AllStates { states, .. } = frame else { panic!("{frame:?}") };
        let dexes: Vec<_> = states.iter().flatten().map(|state| state.dex.as_ref()).collect();
        assert_eq!(dexes, ["", "xyz"]);
        assert!(
            states
                .iter()
                .flatten()
                .all(|state| serde_json::from_slice::<serde_json::Value>(state.raw).is_ok())
        );
    });
}

#[test]
fn acknowledgements_errors_pong_and_posts() {
    with_frame("ack_subscribe", |frame| {
        let Frame::Ack { method: AckMethod::Subscribe, echo } = frame else { panic!("{frame:?}") };
        assert_eq!((echo.kind.as_ref(), echo.aggregate_by_time), ("userFills", Some(false)));
    });
    with_frame("ack_unsubscribe", |frame| {
        assert!(matches!(frame, Frame::Ack { method: AckMethod::Unsubscribe, .. }));
    });
    with_frame("error_too_many_users", |frame| {
        let Frame::VenueError(error) = frame else { panic!("{frame:?}") };
        assert_eq!(error.kind, VenueErrorKind::TooManyUsers { limit: Some(10) });
    });
    with_frame("error_already_subscribed", |frame| {
        let Frame::VenueError(error) = frame else { panic!("{frame:?}") };
        let VenueErrorKind::AlreadySubscribed(Some(echo)) = &error.kind else { panic!("{error:?}") };
        assert_eq!(echo.kind, "userFills");
    });
    with_frame("error_unreadable", |frame| {
        let Frame::VenueError(error) = frame else { panic!("{frame:?}") };
        assert!(
            matches!(error.kind, VenueErrorKind::UnreadableRequest(request) if request.contains("webData2"))
        );
    });
    with_frame("pong", |frame| assert_eq!(*frame, Frame::Pong));
    with_frame("post_info", |frame| {
        let Frame::Post { id: 7, kind: "info", payload } = frame else { panic!("{frame:?}") };
        assert!(payload.starts_with(b"{\"type\":\"clearinghouseState\""));
    });
    with_frame("post_error", |frame| {
        assert!(
            matches!(frame, Frame::Post { id: 8, kind: "error", payload } if *payload == b"\"422 Unprocessable Entity\"")
        );
    });
}

#[test]
fn channels_without_use_are_named_not_refused() {
    for name in [
        "spot_state",
        "web_data3",
        "notification",
        "user_fundings",
        "active_asset_data",
        "outcome_meta_updates",
    ] {
        with_frame(&format!("other_{name}"), |frame| {
            assert!(matches!(frame, Frame::Unknown { .. }), "{frame:?}");
        });
    }
}

#[test]
fn info_pages_reuse_the_rows() {
    let raw = fixture("user_fills_snapshot");
    let from = raw.windows(9).position(|window| window == b"\"fills\":[").unwrap() + 8;
    let page = &raw[from..raw.len() - 3];
    let mut decoder = Decoder::new();
    assert_eq!(decoder.fills_page(page).unwrap().rows.iter().flatten().count(), 3);
    assert_eq!(decoder.fills_page(b"[]").unwrap().rows.len(), 0);
    assert!(decoder.fills_page(b"{}").is_err());
    // Fills without their wrapper are no slices: each is refused, none is guessed.
    let refused = decoder.twap_fills_page(page).unwrap();
    assert!(refused.rows.len() == 3 && refused.rows.iter().all(Result::is_err));
}
