//! Every connection is cut at once: who goes first.

use hyperliquid_client::io::Urgency;

use super::cells::Rig;
use super::*;

/// Three accounts with two connections each, all of them up.
fn rig() -> Rig {
    let mut rig = Rig::new(&[10]);
    rig.core.config.dedicated = true;
    (1..=3).for_each(|number| rig.follow(number, Cause::Start));
    assert_eq!(rig.plan(), 6);
    rig
}

fn urgencies(rig: &Rig, number: u8) -> Vec<Urgency> {
    rig.wanting(number).iter().map(|line| rig.core.lines[line].control.urgency()).collect()
}

#[test]
fn who_has_no_listener_goes_first() {
    let mut rig = rig();
    let lines: Vec<usize> = (1..=3).flat_map(|number| rig.wanting(number)).collect();
    rig.core.line_down(lines[0], rig.now);
    assert_eq!(urgencies(&rig, 1)[0], Urgency::Usual, "the other one carries it");
    lines[1..].iter().for_each(|line| rig.core.line_down(*line, rig.now));
    for number in 1..=3 {
        assert_eq!(urgencies(&rig, number), [Urgency::First; 2]);
    }
    // One of two is enough; when it fails, both are needed again.
    let (one, other) = (lines[0], 1);
    rig.core.line_tries(one, true);
    assert_eq!(urgencies(&rig, 1)[other], Urgency::Usual);
    rig.core.line_tries(one, false);
    assert_eq!(urgencies(&rig, 1), [Urgency::First; 2]);
    rig.core.line_tries(one, true);
    rig.core.line_up(one, rig.now);
    assert_eq!(urgencies(&rig, 1)[other], Urgency::Usual);
    // A connection over which the venue refuses the account listens to nobody.
    rig.refuse(one, 1);
    assert_eq!(urgencies(&rig, 1)[other], Urgency::First);
    assert_eq!(urgencies(&rig, 2), [Urgency::First; 2]);
}

#[test]
fn the_successor_of_a_line_that_serves_comes_last() {
    let mut rig = rig();
    let old = rig.wanting(1)[0];
    rig.core.replace(old, rig.now);
    let opened = rig.core.replan(rig.now);
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].control.urgency(), Urgency::Later);
    // The old one ends before: now the account's second listener depends on it, and then the first too.
    rig.core.line_down(old, rig.now);
    assert_eq!(opened[0].control.urgency(), Urgency::Usual);
    let other = rig.wanting(1).into_iter().find(|line| *line != opened[0].line).expect("two seats");
    rig.core.line_down(other, rig.now);
    assert_eq!(opened[0].control.urgency(), Urgency::First);
}

/// A successor's connection goes to whom the plan has no other for.
#[test]
fn a_newcomer_takes_the_connection_of_a_successor() {
    let mut rig = rig();
    rig.core.groups[0].limits.connections = 8;
    let old = rig.wanting(1)[0];
    rig.core.replace(old, rig.now);
    let successor = rig.core.replan(rig.now).remove(0);
    rig.follow(4, Cause::Added);
    assert_eq!(rig.plan(), 2, "two for the newcomer");
    assert!(successor.control.is_stopped());
    assert_eq!((rig.wanting(1).len(), rig.wanting(4).len()), (2, 2));
    assert!(rig.wanting(1).contains(&old));
}
