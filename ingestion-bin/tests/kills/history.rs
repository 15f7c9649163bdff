//! What the venue's info API shows of an account, read by the test itself, page by page.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;

use super::http;

/// One row of history.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Of the slices' own channel.
    pub(crate) twap: bool,
    pub(crate) time: i64,
    /// The fill, without the slice's wrapper.
    pub(crate) fill: Value,
    /// As the venue gave it, wrapper included.
    pub(crate) whole: Value,
}

impl Row {
    /// As `sourceEventId` names it.
    pub(crate) fn event_id(&self) -> String {
        format!("fill:{}:{}:{}", self.time, self.fill["tid"], self.fill["side"].as_str().unwrap_or_default())
    }
}

/// Both streams of `user` from the beginning on, by time, each in the venue's order.
pub(crate) fn read(venue: SocketAddr, user: &str) -> Vec<Row> {
    let mut rows = pages(venue, user, "userFillsByTime", false);
    rows.extend(pages(venue, user, "userTwapSliceFillsByTime", true));
    rows.sort_by_key(|row| row.time);
    rows
}

fn pages(venue: SocketAddr, user: &str, kind: &str, twap: bool) -> Vec<Row> {
    let (mut rows, mut seen, mut from) = (Vec::new(), BTreeSet::new(), 0);
    loop {
        let body =
            format!(r#"{{"type":"{kind}","user":"{user}","startTime":{from},"aggregateByTime":false}}"#);
        let (status, text) = http::post(venue, "/info", &body).expect("the venue answers");
        assert_eq!(status, 200, "{text}");
        let page: Vec<Value> = serde_json::from_str(&text).expect("a list of rows");
        let before = rows.len();
        for whole in page {
            let fill = if twap { whole["fill"].clone() } else { whole.clone() };
            let time = fill["time"].as_i64().expect("a time");
            from = from.max(time);
            if seen.insert((time, fill["tid"].as_u64(), fill["side"].to_string())) {
                rows.push(Row { twap, time, fill, whole });
            }
        }
        if rows.len() == before {
            return rows;
        }
    }
}
