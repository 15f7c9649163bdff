//! Counters, gauges and histograms of a fixed catalogue, read as Prometheus text.
//!
//! What is measured is declared once, as a `static` [`Definition`]; `/metrics` and the documentation are made from
//! the same declarations. [`Registry::get`] looks a series up once and hands out a handle; using the handle is one
//! atomic operation, without a lock or a look-up. Labels are bounded: a family holds at most its `series_max`
//! series, further ones share one series `overflow="true"` and are counted.
//!
//! Names are `ingestion_<noun>_<unit>`, counters end in `_total`; [`Registry::new`] refuses a catalogue that breaks
//! the rules. Units: seconds, bytes, ratios from 0 to 1, or plain counts.

mod check;
mod definition;
mod instrument;
mod markdown;
mod registry;
mod text;

pub use check::{BadCatalogue, BadFamily};
pub use definition::{Definition, Family, Kind, SERIES_MAX_DEFAULT, Unit};
pub use instrument::{Counter, Gauge, Histogram, Instrument};
pub use markdown::markdown;
pub use registry::{LABEL_CHARS_MAX, OWN, Registry};
pub(crate) use text::CONTENT_TYPE as PROMETHEUS_TEXT;

#[cfg(test)]
mod tests;
