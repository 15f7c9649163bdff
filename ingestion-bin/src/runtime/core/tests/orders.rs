//! Order updates: of the one account on its line that asks for them, each kept once.

use messaging::journal::JournalConfig;
use serde_json::{Value, json};
use signal_domain::{Account, EventType};

use super::super::Followed;
use super::ALICE;
use super::states::listening;
use super::told::{Rig, T};
use crate::runtime::events::totals;

fn update(status: &str, left: &str, price: &str) -> Value {
    json!({ "order": { "coin": "SOL", "side": "A", "limitPx": price, "sz": left, "oid": 77, "timestamp": T, "origSz": "10.0" },
        "status": status, "statusTimestamp": T })
}

impl Rig {
    fn orders(&mut self, listener: usize, updates: &[Value]) {
        self.message(listener, &json!({ "channel": "orderUpdates", "data": updates }));
    }

    fn asks_for_orders(&mut self, orders: bool) {
        let account: Account = ALICE.parse().unwrap();
        self.core.change(Followed { orders, ..Followed::by_address(account) }, self.now);
    }
}

#[test]
fn each_update_of_who_asks_is_kept_once() {
    let mut rig = listening(JournalConfig::default());
    rig.orders(0, &[update("open", "10.0", "150.2")]);
    assert_eq!(rig.raw(EventType::OrderUpdate), Vec::<Value>::new(), "nobody asks");
    assert_eq!(rig.raw(EventType::Unknown).len(), 1, "kept whole");

    rig.asks_for_orders(true);
    let both = [update("open", "10.0", "150.2"), update("filled", "0.0", "150.2")];
    for listener in [0, 1, 1] {
        rig.orders(listener, &both);
    }
    rig.orders(0, &[update("open", "10.0", "150.3"), json!({ "order": 1 })]);
    let kept = rig.raw(EventType::OrderUpdate);
    let keys: Vec<&Value> = kept.iter().map(|line| &line["sourceEventId"]).collect();
    let key = |status: &str, left: &str| json!(format!("order:77:{status}:{T}:{left}"));
    assert_eq!(keys, [&key("open", "10.0"), &key("filled", "0.0"), &Value::Null], "{kept:?}");
    assert!(
        kept.iter()
            .all(|line| line["account"] == ALICE && line["market"] == "SOL-PERP" && line["timestamp"] == T)
    );
    assert_eq!(kept[0]["rawPayload"], both[0].to_string());
    assert_ne!(kept[0]["id"], kept[2]["id"], "the same update with other content has an id of its own");
    let refused = totals(&rig.core.telemetry()).into_iter().find(|(what, ..)| *what == "refusals");
    assert_eq!(refused.map(|(_, reason, count)| (reason, count)), Some(("wrong_type".to_owned(), 1)));

    rig.asks_for_orders(false);
    rig.orders(0, &[update("open", "9.0", "150.2")]);
    assert_eq!(rig.raw(EventType::OrderUpdate).len(), 3);
}
