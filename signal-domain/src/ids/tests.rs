//! The ids of the contract, computed with another implementation (Python's `uuid.uuid5`) from the names in the table.

use proptest::prelude::*;

use super::*;

fn influencer() -> InfluencerId {
    InfluencerId::parse("whale-1").unwrap()
}

fn eth() -> Market {
    Market::from_coin("ETH").unwrap()
}

fn account() -> Account {
    Account::parse("0x00000000000000000000000000000000000000aa").unwrap()
}

const EVENT: &str = "fill:1790000000123:512345678901234:B";

#[test]
fn signals() {
    let id = signal_id(&influencer(), &eth(), EVENT, Action::Decrease, 0);
    assert_eq!(id.to_string(), "f4903d93-cccf-5fa6-8a0f-3980cc2d2153");
    let corrected = signal_id(&influencer(), &eth(), EVENT, Action::Decrease, 1);
    assert_eq!(corrected.to_string(), "826c8eed-3582-583a-b80c-c30739dab8bb");
}

#[test]
fn raw_events() {
    let fill = |event_type| raw_event_id(Some(account()), Some(&eth()), event_type, EVENT).to_string();
    assert_eq!(fill(EventType::Fill), "ab1f588b-588f-55ea-9a84-ac4b21983fe0");
    assert_eq!(fill(EventType::TwapFill), fill(EventType::Fill));

    let sol = Market::from_coin("SOL").unwrap();
    let key = order_key(560_000_000_010, "open", 1_790_000_000_400, "4.0");
    let order = raw_event_id(Some(account()), Some(&sol), EventType::OrderUpdate, &key);
    assert_eq!(order.to_string(), "4a657dfb-43a5-5fd4-9a89-5fa160f3011d");

    let key = position_key("xyz", 1_790_000_001_000);
    let state = raw_event_id(Some(account()), None, EventType::PositionSnapshot, &key);
    assert_eq!(state.to_string(), "cf31efb0-0017-5685-8ce1-6034a6e512eb");

    let unknown = raw_event_id(None, None, EventType::Unknown, &content_key(br#"{"channel":"news"}"#));
    assert_eq!(unknown.to_string(), "f8a2544a-1e69-53ab-9326-0374bd4ccf6e");
    assert_eq!(trade_key(1_790_000_002_000, 7), "trade:1790000002000:7");
}

#[test]
fn gaps() {
    let start = Decimal::parse("-1.250").unwrap();
    let chain = gap_id(&influencer(), Some(&eth()), GapKind::Chain, 1_790_000_000_123, Some(start));
    assert_eq!(chain.to_string(), "3142682a-c616-5ad4-b50f-fddad5fb098d");
    let outage = gap_id(&influencer(), None, GapKind::Outage, 1_790_000_000_123, None);
    assert_eq!(outage.to_string(), "d97472b5-56a6-5b90-acf4-0e3a490865a4");
    assert_eq!(reset_id(&influencer(), 7).to_string(), "80119476-5ec2-5d63-8f46-3c458b85efab");
}

#[test]
fn dead_letters() {
    let frame = br#"{"channel":"#;
    let id =
        dead_letter_id(Stage::Decode, Reason::MalformedFrame, None, None, 1_790_000_000_431_000_000, frame);
    assert_eq!(id.to_string(), "45802103-8fd9-5d00-b1d5-54c1b31dd855");
    let id =
        dead_letter_id(Stage::Decode, Reason::MissingField, Some(account()), Some("fill:1:2:B"), 5, b"{}");
    assert_eq!(id.to_string(), "d8f545ca-dbff-5484-bdca-483d26b367ed");
}

proptest! {
    /// Whatever is in a signal's name tells it apart, and nothing else does.
    #[test]
    fn signal_ids_follow_their_parts(
        a in (0_usize..2, 0_usize..2, 0_u64..3, 0_usize..5, 0_u32..3),
        b in (0_usize..2, 0_usize..2, 0_u64..3, 0_usize..5, 0_u32..3),
    ) {
        let id = |(who, coin, tid, action, revision): (usize, usize, u64, usize, u32)| {
            signal_id(
                &InfluencerId::parse(["whale-1", "whale-2"][who]).unwrap(),
                &Market::from_coin(["ETH", "BTC"][coin]).unwrap(),
                &format!("fill:1:{tid}:B"),
                Action::ALL[action],
                revision,
            )
        };
        prop_assert_eq!(id(a) == id(b), a == b);
        prop_assert_eq!(id(a).get_version_num(), 5);
    }
}
