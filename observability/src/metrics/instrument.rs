//! The handles: each is a shared number, used without a lock.
//!
//! All orderings are relaxed: a number says how often, never what happened before what.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::Kind;

/// A number that only grows. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Counts up to `total`, for what is counted elsewhere; never back.
    pub fn raise_to(&self, total: u64) {
        self.0.fetch_max(total, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down. Clones are the same number.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets the number, in the unit of its definition.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Sets the number to a count of things; exact up to 2^53.
    pub fn set_count(&self, count: usize) {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        self.set(count as f64);
    }

    /// Adds to the number; a negative `change` takes away.
    pub fn add(&self, change: f64) {
        add(&self.0, change);
    }

    /// The number now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// Observations counted by size. Clones count together.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One for each bound, not cumulative.
    counts: Vec<AtomicU64>,
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl Histogram {
    /// Counts an observation, in the unit of its definition. What is no number is not counted.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let buckets = &*self.0;
        let place = buckets.bounds.partition_point(|bound| *bound < value);
        buckets.counts.get(place).unwrap_or(&buckets.beyond).fetch_add(1, Relaxed);
        add(&buckets.sum, value);
    }

    /// Upper bounds and how many observations were at or below each (cumulative), then all, and their sum.
    pub(super) fn read(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut count = 0;
        let mut below = Vec::with_capacity(self.0.bounds.len());
        for (bound, here) in self.0.bounds.iter().zip(&self.0.counts) {
            count += here.load(Relaxed);
            below.push((*bound, count));
        }
        (below, count + self.0.beyond.load(Relaxed), f64::from_bits(self.0.sum.load(Relaxed)))
    }
}

fn add(cell: &AtomicU64, change: f64) {
    let sum = |bits| Some((f64::from_bits(bits) + change).to_bits());
    // The closure never gives up, so the update always happens.
    let _ = cell.fetch_update(Relaxed, Relaxed, sum);
}

/// The three instruments; not to be implemented elsewhere.
pub trait Instrument: Clone + sealed::Sealed {}

impl Instrument for Counter {}
impl Instrument for Gauge {}
impl Instrument for Histogram {}

/// One series of any instrument.
#[expect(unnameable_types, reason = "part of a sealed trait: nobody outside names it")]
#[derive(Clone, Debug)]
pub enum Cell {
    /// Holds a counter.
    Counter(Counter),
    /// Holds a gauge.
    Gauge(Gauge),
    /// Holds a histogram.
    Histogram(Histogram),
}

impl Cell {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(Counter::default()),
            Kind::Gauge => Self::Gauge(Gauge::default()),
            Kind::Histogram(bounds) => {
                let counts = bounds.iter().map(|_| AtomicU64::new(0)).collect();
                let (beyond, sum) = (AtomicU64::new(0), AtomicU64::new(0));
                Self::Histogram(Histogram(Arc::new(Buckets { bounds, counts, beyond, sum })))
            }
        }
    }
}

pub(super) mod sealed {
    //! Keeps [`super::Instrument`] closed.
    use super::{Cell, Counter, Gauge, Histogram, Kind};

    /// How an instrument comes out of a series.
    #[expect(unnameable_types, reason = "a sealed trait: nobody outside implements it")]
    pub trait Sealed: Sized {
        /// The instrument, if the series is one of its kind.
        fn of(cell: &Cell) -> Option<Self>;
        /// One that nobody reads.
        fn detached(kind: Kind) -> Self;
    }

    impl Sealed for Counter {
        fn of(cell: &Cell) -> Option<Self> {
            if let Cell::Counter(counter) = cell { Some(counter.clone()) } else { None }
        }

        fn detached(_: Kind) -> Self {
            Self::default()
        }
    }

    impl Sealed for Gauge {
        fn of(cell: &Cell) -> Option<Self> {
            if let Cell::Gauge(gauge) = cell { Some(gauge.clone()) } else { None }
        }

        fn detached(_: Kind) -> Self {
            Self::default()
        }
    }

    impl Sealed for Histogram {
        fn of(cell: &Cell) -> Option<Self> {
            if let Cell::Histogram(histogram) = cell { Some(histogram.clone()) } else { None }
        }

        fn detached(kind: Kind) -> Self {
            let bounds: &'static [f64] = if let Kind::Histogram(bounds) = kind { bounds } else { &[] };
            match Cell::new(Kind::Histogram(bounds)) {
                Cell::Histogram(histogram) => histogram,
                Cell::Counter(_) | Cell::Gauge(_) => unreachable!("a histogram's cell was asked for"),
            }
        }
    }
}
