//! Which dead letters are asked for; what is absent does not restrict.

use signal_domain::wire::v1::DeadLetterV1;
use signal_domain::{Account, Reason, Stage, Uuid};

/// See the module. Times are when a letter's bytes arrived, unix ms, both ends included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Refused for this reason.
    pub reason: Option<Reason>,
    /// Refused there.
    pub stage: Option<Stage>,
    /// Of this account.
    pub account: Option<Account>,
    /// Not before.
    pub since: Option<i64>,
    /// Not after.
    pub until: Option<i64>,
    /// One of these; empty: any.
    pub ids: Vec<Uuid>,
}

impl Wanted {
    /// Whether this one is asked for.
    #[must_use]
    pub fn takes(&self, letter: &DeadLetterV1<'_>) -> bool {
        let at = i64::try_from(letter.received_at_ns / 1_000_000).unwrap_or(i64::MAX);
        self.reason.is_none_or(|reason| letter.reason == reason)
            && self.stage.is_none_or(|stage| letter.stage.known() == Some(stage))
            && self.account.is_none_or(|account| letter.account == Some(account))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
            && (self.ids.is_empty() || self.ids.contains(&letter.id))
    }
}

#[cfg(test)]
mod tests {
    use signal_domain::{Refusal, RefusedPayload};

    use super::*;

    #[test]
    fn each_part_restricts_and_an_absent_one_does_not() {
        let account = Account::from_bytes([7; 20]);
        let refusal = Refusal {
            stage: Stage::Validate,
            reason: Reason::MissingField,
            detail: "px",
            attempts: 1,
            account: Some(account),
            source_event_id: None,
            payload: RefusedPayload::Kept(b"{}"),
            position: Some(1),
            received_at_ns: 5_000_000_999,
        };
        let letter = DeadLetterV1::from(&refusal);
        let any = Wanted::default();
        let takes = |wanted: Wanted| wanted.takes(&letter);
        for wanted in [
            any.clone(),
            Wanted { reason: Some(Reason::MissingField), stage: Some(Stage::Validate), ..any.clone() },
            Wanted { account: Some(account), since: Some(5_000), until: Some(5_000), ..any.clone() },
            Wanted { ids: vec![Uuid::nil(), letter.id], ..any.clone() },
        ] {
            assert!(takes(wanted.clone()), "{wanted:?}");
        }
        for unwanted in [
            Wanted { reason: Some(Reason::WrongType), ..any.clone() },
            Wanted { stage: Some(Stage::Publish), ..any.clone() },
            Wanted { account: Some(Account::from_bytes([8; 20])), ..any.clone() },
            Wanted { since: Some(5_001), ..any.clone() },
            Wanted { until: Some(4_999), ..any.clone() },
            Wanted { ids: vec![Uuid::nil()], ..any },
        ] {
            assert!(!takes(unwanted.clone()), "{unwanted:?}");
        }
    }
}
