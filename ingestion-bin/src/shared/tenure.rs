//! When a lease is to be renewed, and when it must not be any more. Pure: time is an argument.

use std::time::{Duration, Instant};

/// Renewals within one lease: two may fail.
const RENEWALS: u32 = 3;

/// One writer's hold on the lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tenure {
    lease: Duration,
    /// Until then nobody else can have it; nothing where it was never granted, because the Redis was away.
    until: Option<Instant>,
    next: Instant,
}

impl Tenure {
    /// `granted` is when the grant was asked for; nothing where it runs without one.
    pub(super) fn new(lease: Duration, granted: Option<Instant>, now: Instant) -> Self {
        let tenure = Self { lease, until: None, next: now };
        granted.map_or(tenure, |asked| tenure.renewed(asked))
    }

    /// The Redis confirmed what was asked for then.
    pub(super) fn renewed(self, asked: Instant) -> Self {
        Self { until: Some(asked + self.lease), next: asked + self.lease / RENEWALS, ..self }
    }

    /// The next try; a failed one is repeated after `pause`.
    pub(super) fn failed(self, now: Instant) -> Self {
        Self { next: now + (self.lease / 10).min(Duration::from_secs(1)), ..self }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Whether it may be renewed: a holder past its own deadline never renews, another one may have had it meanwhile.
    pub(super) fn may_renew(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_past_its_own_deadline_never_renews() {
        let (lease, start) = (Duration::from_secs(15), super::super::super::runtime::clock::monotonic());
        let after = |seconds| start + Duration::from_secs(seconds);
        let tenure = Tenure::new(lease, Some(start), after(1));
        assert_eq!(tenure.next(), after(5), "counted from when it was asked for");
        assert!(tenure.may_renew(after(14)) && !tenure.may_renew(after(15)));
        let tenure = tenure.failed(after(5));
        assert_eq!(tenure.next(), after(6));
        let tenure = tenure.renewed(after(6));
        assert!(tenure.may_renew(after(20)) && !tenure.may_renew(after(21)));
    }

    #[test]
    fn one_that_was_never_granted_may_always_be_asked_for() {
        let now = super::super::super::runtime::clock::monotonic();
        let tenure = Tenure::new(Duration::from_secs(2), None, now);
        assert_eq!(tenure.next(), now);
        assert!(tenure.failed(now).may_renew(now + Duration::from_secs(9_999)));
    }
}
