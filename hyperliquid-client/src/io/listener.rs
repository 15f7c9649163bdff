//! One connection kept alive: connect, drive until it ends, wait, again.
//!
//! The wait is the backoff's (with jitter, starting anew only after half a minute of real data), at least what a `Retry-After` asks,
//! and a minute when a person must act first: a refused token, a certificate, a proxy's login. After a connection that was replaced
//! because it was old there is none. A place among the new connections of the minute is taken
//! before each attempt; where they are few, whoever is most urgent goes first ([`Control::set_urgency`]). So there is no hot loop, whatever
//! the venue answers.
//!
//! It is one future; put it on a `LocalSet` or beside others in one task. [`Control`] steers it; only [`Control::stop`] ends it.

use std::marker::PhantomData;
use std::time::Duration;

use tokio::time::{Instant as TokioInstant, sleep, sleep_until};

use super::clock;
use super::connection::{Driven, drive};
use super::connector::Connect;
use super::control::Control;
use super::egress::{Egress, Waiting};
use super::handler::{Ended, Handler, ListenerEvent};
use super::intake::Decode;
use super::websocket::{ConnectError, WebSocket};
use crate::backoff::{Backoff, BackoffConfig, SmallRng};
use crate::decode::Decoder;

/// How a listener waits.
#[derive(Clone, Copy, Debug)]
pub struct ListenerConfig {
    /// Waits after connections that failed or ended.
    pub backoff: BackoffConfig,
    /// The least wait after 401, 403, a certificate that is refused or a proxy that wants another login.
    pub rarely: Duration,
    /// How long the venue may take no byte while some wait.
    pub write_timeout: Duration,
    /// Seed of the jitter; another one for every listener.
    pub seed: u64,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            rarely: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
            seed: 0,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Listener<C, H, D = Decoder> {
    connector: C,
    control: Control,
    egress: Egress,
    handler: H,
    config: ListenerConfig,
    backoff: Backoff,
    /// While it is without a connection.
    waiting: Option<Waiting>,
    decoder: PhantomData<fn() -> D>,
}

impl<C: Connect, H: Handler> Listener<C, H> {
    /// A listener with the venue's decoder. Nothing happens before [`run`](Self::run), but that a place among the minute's new connections is
    /// wanted from now on.
    pub fn new(connector: C, control: Control, egress: Egress, handler: H, config: ListenerConfig) -> Self {
        Self::with_decoder(connector, control, egress, handler, config)
    }
}

impl<C: Connect, H: Handler, D: Decode> Listener<C, H, D> {
    /// A listener with another decoder.
    pub fn with_decoder(
        connector: C,
        control: Control,
        egress: Egress,
        handler: H,
        config: ListenerConfig,
    ) -> Self {
        let backoff = Backoff::new(config.backoff, SmallRng::seeded(config.seed));
        let waiting = Some(egress.wait(&control, clock::now()));
        Self { connector, control, egress, handler, config, backoff, waiting, decoder: PhantomData }
    }

    /// Listens until [`Control::stop`]; gives the handler back.
    pub async fn run(mut self) -> H {
        while !self.control.is_stopped() {
            if !self.take_place().await {
                break;
            }
            self.handler.on_event(&ListenerEvent::Connecting);
            let Some(retry_in) = self.attempt().await else { break };
            self.waiting = Some(self.egress.wait(&self.control, clock::now() + retry_in));
            let control = self.control.clone();
            tokio::select! {
                biased;
                () = control.stopped() => {}
                () = sleep(retry_in) => {}
            }
        }
        self.handler
    }

    /// Waits for a place among this minute's new connections; `false` when stopped meanwhile.
    async fn take_place(&mut self) -> bool {
        let Some(waiting) = self.waiting.take() else { return false };
        let mut told = false;
        loop {
            let now = clock::now();
            let Err(free_at) = waiting.try_open(now) else { return true };
            if !std::mem::replace(&mut told, true) {
                let wait = free_at.saturating_duration_since(now);
                self.handler.on_event(&ListenerEvent::WaitingForPlace { wait });
            }
            tokio::select! {
                biased;
                () = waiting.changed() => {}
                () = self.control.changed() => waiting.tell_others(),
                () = sleep_until(TokioInstant::from_std(free_at)) => {}
            }
            if self.control.is_stopped() {
                return false;
            }
        }
    }

    /// One connection from the attempt to its end; how long to wait before the next, `None` when stopped.
    async fn attempt(&mut self) -> Option<Duration> {
        let started = clock::now();
        let connected = tokio::select! {
            biased;
            () = self.control.stopped() => return None,
            connected = self.connector.connect() => connected,
        };
        match connected {
            Ok(socket) => {
                let took = clock::now().saturating_duration_since(started);
                self.handler.on_event(&ListenerEvent::Connected { took });
                self.drive(socket).await
            }
            Err(error) => {
                let retry_in = self.wait_after(&error);
                self.handler.on_event(&ListenerEvent::ConnectFailed { error: &error, retry_in });
                Some(retry_in)
            }
        }
    }

    async fn drive(&mut self, socket: WebSocket<C::Stream>) -> Option<Duration> {
        let Driven { ended, data } = drive::<_, D, _>(
            socket,
            &self.control,
            &self.egress,
            self.config.write_timeout,
            &mut self.handler,
        )
        .await;
        if let Some((first, last)) = data {
            self.backoff.on_data(first);
            self.backoff.on_data(last);
        }
        let retry_in = match ended {
            Ended::Stopped => None,
            Ended::Replaced => (!self.control.is_stopped()).then_some(Duration::ZERO),
            Ended::Recycled
            | Ended::ByVenue { .. }
            | Ended::Useless(_)
            | Ended::BadMessage { .. }
            | Ended::WriteStalled
            | Ended::Failed(_) => Some(self.backoff.after_failure()),
        };
        self.handler.on_event(&ListenerEvent::Ended { ended: &ended, retry_in });
        retry_in
    }

    fn wait_after(&mut self, error: &ConnectError) -> Duration {
        let least = match error {
            ConnectError::Unauthorised { .. } => self.config.rarely,
            ConnectError::Dial(error) if error.wants_a_person() => self.config.rarely,
            ConnectError::Dial(_)
            | ConnectError::Refused { .. }
            | ConnectError::Handshake { .. }
            | ConnectError::Broken { .. } => Duration::ZERO,
        };
        self.backoff.after_failure().max(least).max(error.retry_after().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
