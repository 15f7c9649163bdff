//! Faults of the simulated venue: when each strikes, and whom.

use super::*;

fn faults(specs: &[&str]) -> Faults {
    let mut faults = Faults::new(7);
    for spec in specs {
        faults.add(spec.parse().unwrap(), Duration::ZERO);
    }
    faults
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn rates_hold_and_every_application_is_counted() {
    let mut faults = faults(&["drop=0.1", "dup=0.2", "delay=5..9@0.5"]);
    let (mut lost, mut doubled, mut late) = (0, 0, 0);
    for _ in 0..10_000 {
        let fate = faults.frame(1, true, s(1));
        lost += u64::from(fate.copies.is_empty());
        doubled += u64::from(fate.copies.len() == 2);
        late += u64::from(fate.copies.first().is_some_and(|delay| !delay.is_zero()));
    }
    assert!((800..1200).contains(&lost) && (1500..2100).contains(&doubled) && (4000..5000).contains(&late));
    assert_eq!(faults.counts(), &BTreeMap::from([("delay", late), ("drop", lost), ("dup", doubled)]));
    assert!(!faults.frame(1, false, s(1)).copies.is_empty(), "snapshots are not lost");
}

#[test]
fn windows_moments_and_connections_are_kept() {
    let mut faults =
        faults(&["mute=*@10s..20s#1/2", "malformed@5s", "unfollowed@every:2s", "outage=30s..40s"]);
    assert!(!faults.muted(1, "0x", s(9)) && faults.muted(1, "0x", s(10)));
    assert!(!faults.muted(2, "0x", s(10)) && !faults.muted(1, "0x", s(20)));
    assert_eq!(faults.next_deadline(s(0)), Some(s(2)));
    assert_eq!(faults.due(s(2)).len(), 1);
    assert!(faults.due(s(3)).is_empty());
    assert_eq!(faults.due(s(5)).len(), 2);
    let due = faults.due(s(6)).pop().unwrap();
    faults.retry(&due, s(6));
    assert_eq!(faults.next_deadline(s(6)), Some(s(6) + RETRY));
    assert!(faults.outage(s(30)) && !faults.outage(s(40)));
    assert_eq!(faults.counts().get("outage"), Some(&0), "given but not yet applied is visible as zero");
}

#[test]
fn armed_faults_wait_for_their_frame() {
    let mut faults = faults(&["mismatch@1s", "no-ack=2@1s"]);
    assert!(faults.alterations(1).is_empty() && !faults.swallow_subscribe(1));
    assert!(faults.due(s(1)).is_empty());
    assert_eq!(faults.alterations(1), [Alteration::Mismatch]);
    assert!(faults.alterations(1).is_empty());
    assert!(faults.swallow_subscribe(1) && faults.swallow_subscribe(1) && !faults.swallow_subscribe(1));
}

#[test]
fn one_seed_gives_one_run() {
    let run = || {
        let mut faults = faults(&["drop=0.3", "delay=0..100@0.3", "info-short=0.4"]);
        (0..200).map(|i| (faults.frame(i, true, s(i)), faults.info(true, s(i)))).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
