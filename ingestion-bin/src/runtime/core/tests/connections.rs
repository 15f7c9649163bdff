//! A venue that allows an address fewer connections than configured: what is believed, who keeps what, and that it is tried again.

use super::cells::Rig;
use super::*;

/// Accounts with connections of their own over one address.
fn rig(accounts: u8) -> Rig {
    let mut rig = Rig::new(&[10]);
    rig.core.config.dedicated = true;
    (1..=accounts).for_each(|number| rig.follow(number, Cause::Start));
    assert_eq!(rig.plan(), 2 * usize::from(accounts));
    (1..=accounts).for_each(|number| rig.snapshots(number));
    rig
}

/// Connections at the first address that are planned with, and what was learned of them.
fn learned(rig: &Rig) -> (usize, Vec<(&'static str, u32, String)>) {
    let limits = rig.core.status().limits.remove(0);
    let learned = limits.learned.into_iter();
    (
        limits.connections.max,
        learned.map(|learned| (learned.limit, learned.allowed, learned.refused)).collect(),
    )
}

/// The connections of these lines end, and the venue refuses them others.
fn refuse(rig: &mut Rig, lines: &[usize]) {
    for line in lines {
        rig.core.line_down(*line, rig.now);
        rig.core.could_not_connect(*line, Some("status 429"), rig.now);
    }
}

#[test]
fn a_lasting_refusal_gives_up_second_listeners_and_then_the_least_important() {
    let mut rig = rig(3);
    let lines: Vec<Vec<usize>> = (1..=3).map(|number| rig.wanting(number)).collect();
    // Of six connections three end: the first account has none left, by chance, and the last one both.
    refuse(&mut rig, &[lines[0][0], lines[0][1], lines[1][0]]);
    rig.pass(89);
    rig.plan();
    assert_eq!(learned(&rig).0, 10, "it may be the venue's minute of new connections");
    rig.pass(1);
    assert_eq!(rig.plan(), 0, "nobody moves");
    assert_eq!(learned(&rig), (3, vec![("connections", 3, "a2".to_owned())]));
    let served: Vec<usize> = (1..=3).map(|number| rig.wanting(number).len()).collect();
    assert_eq!(served, [1, 1, 1], "redundancy before coverage");
    assert_eq!(rig.wanting(2), [lines[1][1]], "the one that is open stays");
    // The third gave one back.
    rig.core.line_up(rig.wanting(1)[0], rig.now);
    rig.snapshots(1);
    // Now only one is open, and it is the least important one's.
    let (first, second) = (rig.wanting(1), rig.wanting(2));
    refuse(&mut rig, &[first[0], second[0]]);
    rig.pass(90);
    rig.plan();
    let served: Vec<usize> = (1..=3).map(|number| rig.wanting(number).len()).collect();
    assert_eq!((learned(&rig).0, served), (1, vec![1, 0, 0]));
    assert_eq!(rig.core.lines.len(), 1, "its connection is closed, so that the first one may have it");
}

#[test]
fn a_refusal_of_all_says_nothing_about_their_number_and_one_that_ends_neither() {
    let mut rig = rig(1);
    let lines = rig.wanting(1);
    refuse(&mut rig, &lines);
    rig.pass(90);
    rig.pass(90);
    assert_eq!(learned(&rig), (10, vec![]));
    rig.core.line_up(lines[0], rig.now);
    rig.pass(60);
    rig.core.line_up(lines[1], rig.now);
    rig.pass(600);
    assert_eq!(learned(&rig), (10, vec![]));
    assert_eq!(rig.wanting(1), lines);
}

#[test]
fn a_handshake_that_fails_in_another_way_ends_the_doubt() {
    let mut rig = rig(2);
    let lines = rig.wanting(1);
    refuse(&mut rig, &lines[..1]);
    rig.pass(60);
    rig.core.could_not_connect(lines[0], None, rig.now);
    rig.pass(60);
    assert_eq!(learned(&rig), (10, vec![]), "it was refused for a minute only");
    rig.core.could_not_connect(lines[0], Some("status 429"), rig.now);
    rig.pass(89);
    assert_eq!(learned(&rig).0, 10);
    rig.pass(1);
    assert_eq!(learned(&rig).0, 3);
}

#[test]
fn one_more_connection_is_tried_after_a_while_and_everybody_is_whole_again() {
    let mut rig = rig(2);
    let lines = rig.wanting(2);
    refuse(&mut rig, &lines[..1]);
    rig.pass(90);
    rig.plan();
    assert_eq!((learned(&rig).0, rig.wanting(2).len()), (3, 1));
    rig.pass(599);
    rig.plan();
    assert_eq!(rig.wanting(2).len(), 1);
    rig.pass(1);
    // A cell of two connections opens beside the one it has, which is one more than the venue may allow.
    let opened = rig.core.replan(rig.now);
    assert_eq!((opened.len(), learned(&rig).0), (2, 4));
    rig.core.line_up(opened[0].line, rig.now);
    rig.core.could_not_connect(opened[1].line, Some("status 429"), rig.now);
    rig.snapshots(2);
    let now: Vec<usize> = rig.wanting(2);
    assert_eq!(now, [opened[0].line, opened[1].line], "the old one is left: its connection is free");
    assert!(!rig.core.lines.contains_key(&lines[1]));
    rig.core.line_up(opened[1].line, rig.now);
    rig.snapshots(2);
    (4..10).for_each(|_| rig.pass(60));
    assert_eq!(learned(&rig), (10, vec![]), "nothing is refused any more");
}
