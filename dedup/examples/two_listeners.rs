//! One account, two listeners: each fill arrives twice, in different frames, and comes out once and in order.
//!
//! `cargo run -p dedup --example two_listeners`

use dedup::key::{Identity, KeyParts};
use dedup::{Chain, Digest, Entry, FillKey, Kind, Link, Next, Row, Sequencer, Slot, Window};

struct Fill {
    time_ms: i64,
    tid: u64,
    size: &'static str,
    start: &'static str,
    link: Link<i64>,
}

fn main() {
    let fill = |time_ms, tid, size, start, before, after| Fill {
        time_ms,
        tid,
        size,
        start,
        link: Link { before, after },
    };
    let history =
        || [fill(1_000, 1, "3", "0", 0, 3), fill(1_000, 2, "1", "3", 3, 2), fill(1_040, 3, "4", "2", 2, 6)];
    let [one, two, three] = history();
    // Listener B is ahead in time; listener A lost the middle fill.
    let frames =
        [("B", vec![three]), ("A", vec![one]), ("B", vec![two]), ("A", history().into_iter().collect())];

    let mut seen: Window<Digest> = Window::new(10_000);
    let mut held = Sequencer::new();
    let mut chain = Chain::default();
    for (listener, fills) in frames {
        for fill in fills {
            let key = FillKey::of(&KeyParts {
                account: &[0xaa; 20],
                coin: "ETH",
                time_ms: fill.time_ms,
                side: b'B',
                identity: Identity::Trade { tid: fill.tid },
            });
            let digest = Digest::of(b'B', "2400.5", fill.size, Some(fill.start));
            match seen.insert_or_get(key, fill.time_ms, || digest) {
                Entry::New(_) => {
                    let row = Row { key, lane: 0, time: fill.time_ms, link: Some(fill.link), item: fill.tid };
                    held.place(fill.time_ms, 0, vec![Slot::New(row)], Kind::Live);
                }
                Entry::Seen(first) if *first == digest => {
                    show(&format!("{listener}: fill {} again", fill.tid));
                }
                Entry::Seen(_) => show(&format!("{listener}: fill {} with other content", fill.tid)),
                Entry::Full => show("the window is full: read history, then prune"),
            }
        }
        while let Next::Release { index, late } = held.next(&chain, true) {
            let Some(row) = held.take(index) else { break };
            if !late {
                chain.advance(row.time, row.link);
            }
            let seq = chain.next_seq();
            chain.count(seq);
            show(&format!(
                "{listener}: out {seq}: fill {} at {} ms{}",
                row.item,
                row.time,
                if late { ", late" } else { "" }
            ));
        }
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}
