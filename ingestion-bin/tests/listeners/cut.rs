//! Connections that end, go mute, or grow old.

use crate::support::eventually;
use crate::{ALICE, coverage, ready, scene};

#[test]
fn whatever_code_the_venue_closes_with_every_fill_is_one_signal() {
    let mut scene = scene("");
    let service = ready(&scene, "full");
    // The venue numbers its connections from 1: the older of the two is closed, the next one has the next number.
    for (older, code) in (1_u64..).zip([1000, 1001, 1006, 1012]) {
        scene.venue.add_fault(format!("close={code}@0#{older}/1000").parse().expect("a fault"));
        eventually("the next connection carries what the one that was closed did", || {
            scene.play(&[ALICE], "ETH");
            let again = scene.venue.status().connections_total == older + 2;
            (again && coverage(&service) == "full").then_some(())
        });
        scene.caught_up(&service);
    }
    scene.venue.close_sockets(1001);
    scene.play_many(ALICE, 5);
    eventually("both are back", || {
        let of = |role: &str| service.metric(&format!("ingestion_reconnects_total{{role=\"{role}\"}}"));
        (of("primary") + of("secondary") >= 6.0 && coverage(&service) == "full").then_some(())
    });
    scene.play_many(ALICE, 5);
    scene.caught_up(&service);
    assert!(service.metric("ingestion_connection_ends_total{cause=\"venue\"}") >= 4.0);
    service.stop();
    scene.judge(ALICE);
    scene.verifies(&[], 0, &[]);
}

#[test]
fn a_mute_subscription_is_found_by_the_other_listener() {
    let mut scene = scene("");
    let service = ready(&scene, "full");
    scene.venue.add_fault(format!("mute={ALICE}#1/1000").parse().expect("a fault"));
    scene.play_many(ALICE, 3);
    // Nothing waits for the mute one.
    scene.caught_up(&service);
    eventually("it is connected anew", || {
        let recycled = service.metric("ingestion_listeners_recycled_total");
        (recycled >= 1.0 && coverage(&service) == "full").then_some(())
    });
    scene.play_many(ALICE, 3);
    scene.caught_up(&service);
    assert_eq!(service.metric("ingestion_listeners_recycled_total"), 1.0);
    service.stop();
    scene.judge(ALICE);
}

/// The venue allows two connections: one to listen, one for its successor.
#[test]
fn a_single_listener_loses_nothing_while_its_connection_is_replaced() {
    let mut scene = scene("count = 1\nreplace_socket_s = 10\n");
    let service = ready(&scene, "single");
    eventually("its connection was replaced while fills flow", || {
        scene.play(&[ALICE], "ETH");
        assert_ne!(coverage(&service), "blind");
        (service.metric("ingestion_replacements_total{way=\"overlap\"}") >= 1.0).then_some(())
    });
    scene.play_many(ALICE, 5);
    scene.caught_up(&service);
    assert!(scene.venue.status().connections_total >= 2);
    let gaps = service.lines("gaps");
    assert!(gaps.iter().all(|gap| gap["state"] == "reset"), "a gap was opened: {gaps:?}");
    assert_eq!(service.metric("ingestion_late_events_total"), 0.0);
    let log = service.stop().log;
    assert!(log.contains("an old connection is replaced"), "{log}");
    scene.judge(ALICE);
    scene.verifies(&["--strict"], 0, &[]);
}
