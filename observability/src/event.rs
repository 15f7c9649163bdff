//! One struct per happening: its log line and its count are made together.
//!
//! An event cannot be logged without being counted: [`Event::log`] asks for a [`Counted`], which only
//! [`Telemetry::emit`](crate::Telemetry::emit) and [`Emitter::emit`] can make, after counting. So what is dropped is
//! never only a line in a log that somebody has filtered out.
//!
//! Levels: per-frame events are `trace`, `warn` is "look tomorrow", `error` is "wake me". Text from outside goes
//! into fields, never into the message; see [`crate::log`] for how it is made harmless.

mod general;

use std::marker::PhantomData;

use crate::{
    metrics::{Counter, Definition, Registry},
    telemetry::Telemetry,
};

pub use general::{Dropped, Failed, GENERAL, failures};

/// Something that happened, counted in a metric with `N` labels.
///
/// ```
/// use observability::{Telemetry, event::{Counted, Event}, metrics::{Counter, Definition}};
///
/// static DUPLICATES: Definition<Counter, 1> =
///     Definition::counter("ingestion_duplicates_total", "Second copies of a fill.", ["listener"]);
///
/// struct DuplicateDropped<'a> { listener: &'a str, tid: u64 }
///
/// impl Event<1> for DuplicateDropped<'_> {
///     const COUNTER: &'static Definition<Counter, 1> = &DUPLICATES;
///     fn labels(&self) -> [&str; 1] { [self.listener] }
///     fn log(&self, _: Counted) { tracing::trace!(listener = self.listener, tid = self.tid, "duplicate dropped") }
/// }
///
/// let telemetry = Telemetry::new(&[DUPLICATES.family()]).unwrap();
/// telemetry.emit(&DuplicateDropped { listener: "a", tid: 7 });
/// assert_eq!(telemetry.metrics().totals(&DUPLICATES), [(vec!["a".to_owned()], 1)]);
/// ```
pub trait Event<const N: usize> {
    /// What counts it.
    const COUNTER: &'static Definition<Counter, N>;

    /// The values of the counter's labels: from a small closed set, never text from outside.
    fn labels(&self) -> [&str; N];

    /// How many things happened at once.
    fn amount(&self) -> u64 {
        1
    }

    /// Writes the log line. Implemented here, called by nobody but `emit`.
    fn log(&self, counted: Counted);
}

/// Proof that an event was counted; nobody else can make one.
///
/// ```compile_fail,E0423
/// let counted = observability::event::Counted(());
/// ```
#[derive(Debug)]
pub struct Counted(());

/// Emits events of one kind under fixed labels without looking their counter up: for what happens per fill.
#[derive(Debug)]
pub struct Emitter<E, const N: usize> {
    counter: Counter,
    labels: [String; N],
    event: PhantomData<fn(E)>,
}

impl<E: Event<N>, const N: usize> Emitter<E, N> {
    pub(crate) fn new(metrics: &Registry, labels: [&str; N]) -> Self {
        Self {
            counter: metrics.get(E::COUNTER, labels),
            labels: labels.map(str::to_owned),
            event: PhantomData,
        }
    }

    /// Counts and logs. The event's labels must be those of the emitter.
    pub fn emit(&self, event: &E) {
        debug_assert!(event.labels() == self.labels, "Invariant: an emitter is used for its own labels");
        self.counter.add(event.amount());
        event.log(Counted(()));
    }
}

impl Telemetry {
    /// Counts and logs an event, looking its counter up; for what happens often see [`Telemetry::emitter`].
    pub fn emit<E: Event<N>, const N: usize>(&self, event: &E) {
        self.metrics().get(E::COUNTER, event.labels()).add(event.amount());
        event.log(Counted(()));
    }

    /// An emitter for events with these labels.
    #[must_use]
    pub fn emitter<E: Event<N>, const N: usize>(&self, labels: [&str; N]) -> Emitter<E, N> {
        Emitter::new(self.metrics(), labels)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::mpsc};

    use super::*;
    use crate::log::{Format, LogConfig, dispatch};

    struct Line(mpsc::SyncSender<String>);

    impl io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(level: &str, run: impl FnOnce(&Telemetry)) -> (Telemetry, Vec<String>) {
        let (sender, lines) = mpsc::sync_channel(100);
        let config = LogConfig::new(Format::Json, level).unwrap();
        let dispatch = dispatch(&config, false, move || Line(sender.clone())).unwrap();
        let telemetry = Telemetry::new(&[]).unwrap();
        tracing::dispatcher::with_default(&dispatch, || run(&telemetry));
        (telemetry, lines.try_iter().collect())
    }

    #[test]
    fn an_event_is_logged_and_counted_by_one_call() {
        let dropped = Dropped { what: "fill", reason: "shed", count: 3, detail: "\u{1b}[31m" };
        let (telemetry, lines) = lines("debug", |telemetry| {
            telemetry.emit(&dropped);
            telemetry.emitter(["fill", "shed"]).emit(&dropped);
        });
        assert_eq!(lines.len(), 2);
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["reason"], &line["count"]), (&"shed".into(), &3.into()));
        let labels = vec!["fill".to_owned(), "shed".to_owned()];
        assert_eq!(telemetry.metrics().totals(Dropped::COUNTER), [(labels, 6)]);
    }

    #[test]
    fn what_the_log_leaves_out_is_counted_all_the_same() {
        let error = io::Error::other("full");
        let (telemetry, lines) = lines("error", |telemetry| {
            telemetry.emit(&Failed { operation: "write_cursor", error: &error });
        });
        assert!(lines.is_empty());
        assert!(telemetry.metrics().totals(Failed::COUNTER).contains(&(vec!["write_cursor".to_owned()], 1)));
    }
}
