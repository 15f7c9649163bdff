//! Accounts that are asked for in their own way, beside others that are not.

use super::*;
use crate::session::Tuning;

const FULL: &str = "Cannot track more than 10 total users.";

fn tuned(rig: &mut Rig, tuning: Tuning) {
    let now = rig.now;
    rig.session.tune(user(1), tuning, now);
}

/// When each account was asked for within `time`, in seconds; the venue answers by `answer`.
fn asked(rig: &mut Rig, time: Duration, answer: impl Fn(&mut Rig, &str)) -> [Vec<u64>; 2] {
    let (start, mut asked) = (rig.now, [Vec::new(), Vec::new()]);
    rig.run(time, |rig, text| {
        let second = text.contains(&user(2).to_string());
        asked[usize::from(second)].push((rig.now - start).as_secs());
        answer(rig, text);
    });
    asked
}

#[test]
fn a_refused_account_waits_as_it_is_told_to() {
    let mut rig = Rig::connected();
    let (first, most) = (Some(secs(4)), Some(secs(9)));
    tuned(
        &mut rig,
        Tuning { refused_wait: first, refused_wait_max: most, jitter: Some(0.0), ..Tuning::default() },
    );
    rig.session.subscribe(fills_of(1));
    assert_eq!(asked(&mut rig, secs(40), |rig, _| rig.error(FULL))[0], [0, 4, 12, 21, 30, 39]);
    // Changed while it waits: the next wait is the other one. A longest wait alone shortens the least one, too.
    tuned(&mut rig, Tuning { refused_wait_max: Some(secs(2)), jitter: Some(0.0), ..Tuning::default() });
    assert_eq!(asked(&mut rig, secs(15), |rig, _| rig.error(FULL))[0], [8, 10, 12, 14]);
}

#[test]
fn an_account_is_subscribed_so_often_a_minute_and_the_others_as_ever() {
    let mut rig = Rig::connected();
    tuned(&mut rig, Tuning { subscribes_per_minute: Some(2), ..Tuning::default() });
    let slices = Subscription::UserTwapSliceFills { user: user(1) };
    for subscription in [fills_of(1), slices, fills_of(2)] {
        rig.session.subscribe(subscription);
    }
    let serve = |rig: &mut Rig, text: &str| rig.accept(text);
    let mut all = [Vec::new(), Vec::new()];
    // The connection is lost every ten seconds.
    for round in 0..9 {
        let mut rounds = asked(&mut rig, secs(10), serve);
        for (all, times) in all.iter_mut().zip(&mut rounds) {
            all.extend(times.iter().map(|at| at + 10 * round));
        }
        let now = rig.now;
        rig.session.handle_closed(CloseReason::ByUs, now);
        rig.session.handle_connected(now);
    }
    assert_eq!(all[1], [0, 10, 20, 30, 40, 50, 60, 70, 80]);
    // Both channels each time; what is over after a minute is over when the minute is, not at the next chance.
    assert_eq!(all[0], [0, 0, 10, 10, 60, 60, 70, 70]);
    // With the bound taken away nothing is waited for.
    tuned(&mut rig, Tuning::default());
    assert_eq!(asked(&mut rig, secs(1), serve)[0], [0, 0]);
}

#[test]
fn what_was_subscribed_counts_after_it_was_given_up_and_is_forgotten_after_a_minute() {
    let mut rig = Rig::connected();
    let once = Tuning { subscribes_per_minute: Some(1), ..Tuning::default() };
    let serve = |rig: &mut Rig, text: &str| rig.accept(text);
    let again = |rig: &mut Rig| {
        rig.session.unsubscribe(&fills_of(1));
        tuned(rig, once);
        rig.session.subscribe(fills_of(1));
    };
    tuned(&mut rig, once);
    rig.session.subscribe(fills_of(1));
    asked(&mut rig, secs(10), serve);
    again(&mut rig);
    // The unsubscribe goes out at once, the subscribe when it may.
    assert_eq!(asked(&mut rig, secs(60), serve)[0], [0, 50]);
    rig.session.unsubscribe(&fills_of(1));
    asked(&mut rig, secs(60), serve);
    let now = rig.now;
    rig.session.tune(user(2), once, now);
    assert_eq!(format!("{:?}", rig.session).matches("subscribes_per_minute").count(), 1);
}
