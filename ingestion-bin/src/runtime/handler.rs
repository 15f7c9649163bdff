//! One line's ears: everything a connection says goes to the worker's state, on the same thread, at once.

use std::cell::RefCell;
use std::rc::Rc;

use hyperliquid_client::decode::Decoded;
use hyperliquid_client::io::{ConnectError, Handler, ListenerEvent, Received, Refused};
use hyperliquid_client::session::{Refusal, SessionEvent};
use observability::causes;
use tracing::{debug, info};

use super::clock;
use super::core::{Core, Opening};
use super::events::{
    ConnectFailed, Connected, ConnectionEnded, PingsUnanswered, SubscriptionRefused, Unauthorised,
    VenueErrored,
};

/// The HTTP status with which the venue refuses a connection that is one too many.
const TOO_MANY_REQUESTS: u16 = 429;

pub(super) struct Ear {
    core: Rc<RefCell<Core>>,
    line: usize,
    leg: usize,
    name: String,
    /// The endpoint it listens at.
    endpoint: String,
    connection: u64,
}

impl Ear {
    pub(super) fn new(core: Rc<RefCell<Core>>, opening: &Opening, endpoint: &str) -> Self {
        let Opening { line, leg, name, .. } = opening;
        Self {
            core,
            line: *line,
            leg: *leg,
            name: name.clone(),
            endpoint: endpoint.to_owned(),
            connection: 0,
        }
    }

    fn from(&self) -> super::core::From {
        super::core::From { line: self.line, leg: self.leg, connection: self.connection }
    }

    fn venue_error(&self, kind: &'static str, text: &str) {
        let telemetry = self.core.borrow().telemetry();
        telemetry.emit(&VenueErrored { listener: &self.name, kind, text });
    }

    fn session_event(&self, event: &SessionEvent) {
        match event {
            SessionEvent::Subscribed { subscription, already, took } => {
                debug!(
                    listener = self.name,
                    subscription = subscription.to_json(),
                    already,
                    ?took,
                    "subscribed"
                );
                if self.core.borrow_mut().serve_subscription(self.line, subscription) {
                    let subscription = subscription.to_json();
                    info!(listener = self.name, subscription, "the venue serves what it refused");
                }
            }
            SessionEvent::SubscriptionRefused { subscription, refusal, text } => {
                let telemetry = self.core.borrow().telemetry();
                telemetry.emit(&SubscriptionRefused { subscription: subscription.to_json(), text });
                let mut core = self.core.borrow_mut();
                core.refuse_subscription(self.line, subscription, (*refusal, text), clock::now());
            }
            SessionEvent::VenueErrorUnmatched { refusal, text } => {
                let kind = match refusal {
                    Refusal::TooManyUsers { .. } => "too_many_users",
                    Refusal::TooManySubscriptions { .. } => "too_many_subscriptions",
                    Refusal::Invalid => "invalid",
                    Refusal::Other => "other",
                };
                self.venue_error(kind, text);
            }
            SessionEvent::MessagesRefused { .. } => {
                self.venue_error("too_many_messages", "we send too much; nothing but pings for a while");
            }
            SessionEvent::ReplaceDue { age } => {
                debug!(listener = self.name, ?age, "connection is old");
                self.core.borrow_mut().replace(self.line, clock::now());
            }
            SessionEvent::Unsubscribed { .. }
            | SessionEvent::SubscriptionSilent { .. }
            | SessionEvent::SubscriptionStale { .. }
            | SessionEvent::PongLate { .. }
            | SessionEvent::ConnectionStale { .. }
            | SessionEvent::MessageBudgetWaiting { .. }
            | SessionEvent::Closed { .. } => debug!(listener = self.name, ?event, "session"),
        }
    }
}

impl Handler for Ear {
    fn on_frame(&mut self, message: &Decoded<'_>, raw: &[u8], received: Received) {
        self.core.borrow_mut().handle_frame(self.from(), message, raw, received);
    }

    fn on_refused(&mut self, refused: &Refused<'_>, received: Received) {
        self.core.borrow_mut().handle_refused_frame(self.from(), refused, received);
    }

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        let telemetry = self.core.borrow().telemetry();
        match event {
            ListenerEvent::Connected { took } => {
                telemetry.emit(&Connected { listener: &self.name, took: *took });
                self.core.borrow_mut().accepted_by(&self.endpoint);
                self.connection = self.core.borrow_mut().line_up(self.line, clock::now());
            }
            ListenerEvent::Ended { ended, retry_in, .. } => {
                self.core.borrow_mut().line_down(self.line, clock::now());
                let (cause, detail) = (ended.cause(), format!("{ended:?}"));
                telemetry.emit(&ConnectionEnded { listener: &self.name, cause, detail, retry_in: *retry_in });
            }
            ListenerEvent::Connecting => self.core.borrow_mut().line_tries(self.line, true),
            ListenerEvent::ConnectFailed { error, retry_in } => {
                self.core.borrow_mut().line_tries(self.line, false);
                let (listener, retry_in) = (self.name.as_str(), *retry_in);
                let text = causes(error);
                self.core.borrow_mut().cannot_connect(&text);
                let too_many =
                    matches!(error, ConnectError::Refused { status, .. } if *status == TOO_MANY_REQUESTS);
                let said = too_many.then_some(text.as_str());
                self.core.borrow_mut().could_not_connect(self.line, said, clock::now());
                match error {
                    ConnectError::Unauthorised { .. } => {
                        let news = self.core.borrow_mut().refused_by(&self.endpoint);
                        let (endpoint, error) = (self.endpoint.as_str(), text);
                        telemetry.emit(&Unauthorised { listener, endpoint, error, retry_in, news });
                    }
                    ConnectError::Dial(_) => {
                        telemetry.emit(&ConnectFailed { listener, reason: "dial", error: text, retry_in });
                    }
                    ConnectError::Refused { .. } => {
                        telemetry.emit(&ConnectFailed { listener, reason: "refused", error: text, retry_in });
                    }
                    ConnectError::Handshake { .. } | ConnectError::Broken { .. } => {
                        telemetry.emit(&ConnectFailed {
                            listener,
                            reason: "handshake",
                            error: text,
                            retry_in,
                        });
                    }
                }
            }
            ListenerEvent::PingsUnanswered { count } => {
                telemetry.emit(&PingsUnanswered { listener: &self.name, count: *count });
            }
            ListenerEvent::Session(event) => self.session_event(event),
            ListenerEvent::WaitingForPlace { wait } => {
                debug!(listener = self.name, ?wait, "waits for a place among this minute's new connections");
            }
            other => debug!(listener = self.name, ?other, "listener"),
        }
    }
}
