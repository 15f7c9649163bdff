//! What a frame tells of how late its listener is.

use std::time::Duration;

use super::super::{Intake, Showing, Stream};
use super::rules::{Rig, row};

fn first() -> Showing {
    Showing { first: true, behind: None }
}

fn behind(millis: u64) -> Showing {
    Showing { first: false, behind: Some(Duration::from_millis(millis)) }
}

/// One frame of a listener, so long after what came before.
fn shows(
    rig: &mut Rig,
    after_ms: u64,
    listener: usize,
    snapshot: bool,
    rows: &[super::super::Row],
) -> Showing {
    rig.now += Duration::from_millis(after_ms);
    let taken = rig.machine.handle_frame(listener, Stream::Fills, snapshot, rows, |_| 0, rig.now);
    assert_eq!(taken, Intake::Taken);
    rig.machine.showing()
}

#[test]
fn a_copy_tells_how_long_after_the_first_it_came() {
    let mut rig = Rig::new();
    rig.machine.handle_listener_up(1, rig.now);
    let snapshot = [row(1, 1_000, 0, 5)];
    assert_eq!(shows(&mut rig, 10, 1, true, &snapshot), Showing::default(), "a snapshot shows what is old");
    let (second, third) = (row(2, 1_010, 5, 7), row(3, 1_020, 7, 9));
    assert_eq!(shows(&mut rig, 10, 0, false, std::slice::from_ref(&second)), first());
    assert_eq!(shows(&mut rig, 100, 0, false, std::slice::from_ref(&third)), first());
    assert_eq!(shows(&mut rig, 200, 1, false, &[second.clone(), third.clone()]), behind(300), "the latest");
    assert_eq!(shows(&mut rig, 50, 1, false, &[second]), Showing::default(), "it showed that before");
    // Part copy, part new.
    let fourth = row(4, 1_030, 9, 8);
    assert_eq!(shows(&mut rig, 50, 0, false, std::slice::from_ref(&fourth)), first());
    let fifth = row(5, 1_040, 8, 7);
    assert_eq!(
        shows(&mut rig, 7, 1, false, &[fourth, fifth]),
        Showing { first: true, behind: Some(Duration::from_millis(7)) }
    );
}

#[test]
fn what_history_knew_first_says_nothing() {
    let mut rig = Rig::new();
    rig.machine.handle_listener_up(1, rig.now);
    let id = rig.asked(600_000).expect("a question");
    let found = row(2, 1_010, 5, 7);
    rig.page(id, &[row(1, 1_000, 0, 5), found.clone()]);
    for listener in [0, 1] {
        assert_eq!(
            shows(&mut rig, 1_000, listener, false, std::slice::from_ref(&found)),
            Showing::default(),
            "{listener}"
        );
    }
}
