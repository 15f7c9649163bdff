//! Where log lines go: standard error, one line each, for people or as JSON.
//!
//! - Text from outside cannot write to a terminal or forge a line: control and direction characters in field values
//!   are escaped in both formats.
//! - Whoever logs never waits for the terminal: lines go through a bounded queue ([`LINES_QUEUED_MAX`]) to a thread
//!   that writes; when the queue is full the line is dropped and counted.
//! - Drop the [`LogGuard`] last: it writes out what is queued, for at most [`FLUSH_MAX`].
//!
//! Timestamps are the wall clock, UTC; nothing is decided by them.

mod escape;
mod queue;

use std::{io::IsTerminal, str::FromStr, time::Duration};

use tracing::{Dispatch, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
};

use crate::{
    metrics::{Counter, Definition, Family},
    telemetry::Telemetry,
};

pub use queue::LogGuard;

/// The most lines that wait to be written.
pub const LINES_QUEUED_MAX: usize = 8_192;

/// The longest a [`LogGuard`] waits for the queue to be written.
pub const FLUSH_MAX: Duration = Duration::from_secs(2);

static LINES_DROPPED: Definition<Counter, 0> = Definition::counter(
    "ingestion_log_lines_dropped_total",
    "Log lines not written because standard error was too slow.",
    [],
);

pub(crate) static FAMILIES: &[Family] = &[LINES_DROPPED.family()];

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Pretty,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, the fields, `spans`.
    Json,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat),
        }
    }
}

/// The text names no [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log format is \"pretty\" or \"json\"")]
pub struct UnknownFormat;

/// Which lines are written, and how.
#[derive(Clone, Debug)]
pub struct LogConfig {
    format: Format,
    filter: String,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The level is none of `error`, `warn`, `info`, `debug`, `trace`, nor a list of `target=level`.
    #[error("{text:?} is no log level: error, warn, info, debug, trace, or target=level, comma-separated")]
    Level {
        /// What was given.
        text: String,
        /// What the parser says.
        #[source]
        source: ParseError,
    },
    /// Something else in this process writes logs already.
    #[error("logging is set up already")]
    AlreadySet(#[source] tracing::dispatcher::SetGlobalDefaultError),
    /// The writing thread could not be started.
    #[error("cannot start the thread that writes logs")]
    Thread(#[source] std::io::Error),
}

impl LogConfig {
    /// Lines of this format, and of these levels: `info`, or `warn,ingestion_bin=debug`.
    ///
    /// # Errors
    /// [`LogError::Level`].
    pub fn new(format: Format, level: &str) -> Result<Self, LogError> {
        let config = Self { format, filter: level.to_owned() };
        config.filter().map(|_| config)
    }

    fn filter(&self) -> Result<EnvFilter, LogError> {
        // Reads no environment: a builder's `parse` only parses.
        let refused = |source| LogError::Level { text: self.filter.clone(), source };
        EnvFilter::builder().parse(&self.filter).map_err(refused)
    }
}

/// Sets up logging for the whole process.
///
/// # Errors
/// [`LogError::AlreadySet`] and [`LogError::Thread`].
pub fn init(config: &LogConfig, telemetry: &Telemetry) -> Result<LogGuard, LogError> {
    let dropped = telemetry.metrics().get(&LINES_DROPPED, []);
    let colour = std::io::stderr().is_terminal();
    let (queue, guard) =
        queue::start(std::io::stderr(), LINES_QUEUED_MAX, dropped).map_err(LogError::Thread)?;
    let dispatch = dispatch(config, colour, queue)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(LogError::AlreadySet)?;
    Ok(guard)
}

/// The same lines into any writer, for a test or a tool that wants them elsewhere; use it with
/// [`tracing::dispatcher::with_default`].
///
/// # Errors
/// [`LogError::Level`].
pub fn dispatch<W>(config: &LogConfig, colour: bool, writer: W) -> Result<Dispatch, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = layer(config.format, colour, writer).with_filter(config.filter()?);
    Ok(Dispatch::new(tracing_subscriber::registry().with(lines)))
}

fn layer<S, W>(format: Format, colour: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match format {
        Format::Pretty => {
            Box::new(fmt::layer().with_ansi(colour).with_writer(writer).fmt_fields(escape::Fields::new()))
        }
        Format::Json => Box::new(
            fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(true)
                .with_writer(escape::JsonWriter(writer)),
        ),
    }
}

#[cfg(test)]
mod tests;
