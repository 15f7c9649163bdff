//! The declaration of a metric: a `static` that carries its kind and its number of labels in its type.

use std::marker::PhantomData;

use super::{Counter, Gauge, Histogram};

/// How many series a family may have unless it says otherwise.
pub const SERIES_MAX_DEFAULT: usize = 100;

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things: fills, frames, records.
    Count,
    /// Seconds; the name says so.
    Seconds,
    /// Bytes; the name says so.
    Bytes,
    /// From 0 to 1; the name says so.
    Ratio,
}

impl Unit {
    /// What a name of this unit ends in, before `_total`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
            Self::Ratio => "_ratio",
        }
    }
}

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted by size; the upper bounds of the buckets, ascending, without `+Inf`.
    Histogram(&'static [f64]),
}

/// A declared metric of instrument `I` with `N` labels.
///
/// ```
/// use observability::metrics::{Counter, Definition};
///
/// static FILLS: Definition<Counter, 1> =
///     Definition::counter("ingestion_fills_total", "Fills accepted, by listener.", ["listener"]).series_max(8);
/// ```
#[derive(Debug)]
pub struct Definition<I, const N: usize> {
    name: &'static str,
    help: &'static str,
    unit: Unit,
    kind: Kind,
    labels: [&'static str; N],
    series_max: usize,
    known: &'static [[&'static str; N]],
    instrument: PhantomData<fn() -> I>,
}

/// A [`Definition`] without its types: what a catalogue lists.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Family {
    /// `ingestion_<noun>_<unit>`, counters with `_total`.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// What the number means.
    pub unit: Unit,
    /// How the number behaves.
    pub kind: Kind,
    /// Label names, in the order their values are given.
    pub labels: &'static [&'static str],
    /// How many series there may be; further ones share one `overflow="true"`.
    pub series_max: usize,
    /// Label values of the series that are there from the start, one series behind the other.
    pub known: &'static [&'static str],
}

impl<const N: usize> Definition<Counter, N> {
    /// A number that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self::new(name, help, Kind::Counter, labels)
    }
}

impl<const N: usize> Definition<Gauge, N> {
    /// A number that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self::new(name, help, Kind::Gauge, labels)
    }
}

impl<const N: usize> Definition<Histogram, N> {
    /// Observations counted by size; `bounds` are the buckets' upper bounds, ascending, without `+Inf`.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
        labels: [&'static str; N],
    ) -> Self {
        Self::new(name, help, Kind::Histogram(bounds), labels)
    }
}

impl<I, const N: usize> Definition<I, N> {
    const fn new(name: &'static str, help: &'static str, kind: Kind, labels: [&'static str; N]) -> Self {
        let series_max = SERIES_MAX_DEFAULT;
        Self { name, help, unit: Unit::Count, kind, labels, series_max, known: &[], instrument: PhantomData }
    }

    /// The same with another unit.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// The same with another bound on its series.
    #[must_use]
    pub const fn series_max(mut self, series_max: usize) -> Self {
        self.series_max = series_max;
        self
    }

    /// The same with series that are there from the start, at 0: a rate over them sees their first event too. For labels of a closed
    /// set; a counter without labels is always there.
    #[must_use]
    pub const fn known(mut self, known: &'static [[&'static str; N]]) -> Self {
        self.known = known;
        self
    }

    /// The declaration without its types, for a catalogue.
    #[must_use]
    pub const fn family(&'static self) -> Family {
        Family {
            name: self.name,
            help: self.help,
            unit: self.unit,
            kind: self.kind,
            labels: &self.labels,
            series_max: self.series_max,
            known: self.known.as_flattened(),
        }
    }
}
