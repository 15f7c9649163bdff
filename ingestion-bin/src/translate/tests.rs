//! The venue's rows against what the machine and the signals need of them.

use hyperliquid_client::decode::Decoder;

use super::{Identifier, Interest, fill};
use crate::account::Fate;

const PAGE: &[u8] = br#"[{"coin":"ETH","px":"2400.5","sz":"0.5","side":"B","time":1790000000123,"startPosition":"-1.25",
"dir":"Close Short","closedPnl":"3.1","hash":"0x5c","oid":7,"crossed":true,"fee":"0.54","tid":9,"feeToken":" USDC"},
{"coin":"@107","px":"1","sz":"0.0000000001","side":"A","time":1790000000123,"startPosition":"3130537.6000000001",
"dir":"Sell","closedPnl":"0.0","hash":"0x5c","oid":7,"crossed":true,"fee":"0","tid":0,"feeToken":"USDC"},
{"coin":"kPEPE","px":"1","sz":"0.0000000001","side":"A","time":1790000000123,"startPosition":"3130537.6000000001",
"dir":"Open Short","closedPnl":"0.0","hash":"0x5c","oid":7,"crossed":true,"fee":"0","tid":3,"feeToken":"USDC"}]"#;

#[test]
fn rows_are_identified_with_their_fate() {
    let mut decoder = Decoder::new();
    let page = decoder.fills_page(PAGE).expect("a page");
    let rows: Vec<_> = page.rows.iter().map(|row| row.as_ref().expect("sound")).collect();
    let mut identifier = Identifier::new([1; 20], Interest::default());
    let eth = identifier.row(rows[0]).expect("a row");
    assert_eq!((eth.market.as_str(), eth.strict, eth.fate), ("ETH-PERP", true, Fate::Signal));
    let link = eth.link.expect("positions");
    assert_eq!((link.before.0.to_string(), link.after.0.to_string()), ("-1.25".into(), "-0.75".into()));
    assert_eq!(identifier.row(rows[1]).expect("a row").fate, Fate::Filtered, "spot is off by default");
    assert_eq!(identifier.row(rows[2]).expect("a row").fate, Fate::NoChange, "float noise moves nothing");
    let mut only_btc = Identifier::new(
        [1; 20],
        Interest { spot: true, outcomes: false, markets: ["@107".to_owned()].into_iter().collect() },
    );
    assert_eq!(only_btc.row(rows[0]).expect("a row").fate, Fate::Filtered);
    assert_ne!(only_btc.row(rows[1]).expect("a row").fate, Fate::Filtered);
}

#[test]
fn a_fill_keeps_the_venues_words() {
    let mut decoder = Decoder::new();
    let page = decoder.fills_page(PAGE).expect("a page");
    let ours = fill(page.rows[0].as_ref().expect("sound"), Some(42)).expect("a fill");
    assert_eq!(ours.source_event_id().expect("an id"), "fill:1790000000123:9:B");
    assert_eq!((ours.fee_token.as_deref(), ours.twap_id), (Some("USDC"), Some(42)));
}
