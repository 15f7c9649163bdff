//! A question to the info API that got no answer: what is told of it.

use std::cell::RefCell;
use std::time::Duration;

use hyperliquid_client::io::InfoError;
use observability::causes;

use super::core::Core;
use super::events::{InfoAsked, InfoUnauthorised};

/// Between two questions where a person must act: credentials that are not accepted, a certificate.
pub(super) const RARELY: Duration = Duration::from_secs(60);

/// A question got no answer.
pub(super) fn tell_failed(core: &RefCell<Core>, endpoint: &str, kind: &'static str, error: &InfoError) {
    let telemetry = core.borrow().telemetry();
    if let InfoError::Unauthorised { retry_after, .. } = error {
        let news = core.borrow_mut().refused_by(endpoint);
        let (error, retry_in) = (causes(error), retry_after.unwrap_or(RARELY));
        telemetry.emit(&InfoUnauthorised { endpoint, error, retry_in, news });
    } else {
        telemetry.emit(&InfoAsked { outcome: outcome(error), kind, detail: &causes(error) });
    }
}

const fn outcome(error: &InfoError) -> &'static str {
    match error {
        InfoError::Dial(_) => "no_connection",
        InfoError::Timeout { .. } => "timeout",
        InfoError::Unauthorised { .. } => "unauthorised",
        InfoError::Status { status: 429, .. } => "too_many_requests",
        InfoError::Status { .. } => "status",
        InfoError::TooLarge { .. } => "too_large",
        InfoError::Broken { .. } => "broken",
    }
}
