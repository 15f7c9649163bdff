//! All series of a catalogue: handed out by label values, bounded per family.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{
    BadCatalogue, Counter, Definition, Family, Instrument, Kind, check,
    instrument::{Cell, sealed::Sealed},
    text,
};

/// The most characters of a label's value; the rest is cut.
pub const LABEL_CHARS_MAX: usize = 128;

static SERIES_REFUSED: Definition<Counter, 1> = Definition::counter(
    "ingestion_metric_series_refused_total",
    "Times a series was asked for in a family that was full, and shared the one with overflow=\"true\".",
    ["metric"],
)
.series_max(1_000);

/// What every registry measures about itself, besides its catalogue.
pub static OWN: &[Family] = &[SERIES_REFUSED.family()];

/// The series of a catalogue. Clones share them.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Families>);

#[derive(Debug)]
struct Families {
    slots: Vec<Slot>,
    places: HashMap<&'static str, usize>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) family: Family,
    series: Mutex<BTreeMap<Vec<String>, Cell>>,
    overflow: OnceLock<Cell>,
}

impl Registry {
    /// A registry of these families, and of [`OWN`].
    ///
    /// # Errors
    /// [`BadCatalogue`] with every rule of naming that a family breaks.
    pub fn new(catalogue: &[Family]) -> Result<Self, BadCatalogue> {
        let families: Vec<Family> = catalogue.iter().chain(OWN).copied().collect();
        check::check(&families)?;
        let places = families.iter().enumerate().map(|(place, family)| (family.name, place)).collect();
        let slots = families.into_iter().map(Slot::new).collect();
        let registry = Self(Arc::new(Families { slots, places }));
        registry.begin_known();
        Ok(registry)
    }

    /// Makes the series that are known beforehand.
    fn begin_known(&self) {
        for slot in &self.0.slots {
            let family = &slot.family;
            if family.labels.is_empty() && family.kind == Kind::Counter {
                self.cell(slot, &[]);
            }
            for labels in family.known.chunks(family.labels.len().max(1)) {
                self.cell(slot, labels);
            }
        }
    }

    /// The handle of one series, made when it is not there yet. Get it once and keep it: this looks up under a
    /// lock. When the family is full, the handle is that of its `overflow="true"` series.
    ///
    /// A definition that is not in the catalogue is our bug: debug builds stop, others hand out a number that
    /// nobody reads.
    #[must_use]
    pub fn get<I: Instrument, const N: usize>(
        &self,
        definition: &'static Definition<I, N>,
        labels: [&str; N],
    ) -> I {
        let family = definition.family();
        let found = self.slot(&family).and_then(|slot| I::of(&self.cell(slot, &labels)));
        debug_assert!(found.is_some(), "Invariant: {} is in the catalogue", family.name);
        found.unwrap_or_else(|| I::detached(family.kind))
    }

    /// Ends a series: it is not read any more and makes room for another one. Handles to it stay harmless.
    pub fn forget<I: Instrument, const N: usize>(
        &self,
        definition: &'static Definition<I, N>,
        labels: [&str; N],
    ) {
        if let Some(slot) = self.slot(&definition.family()) {
            slot.series().remove(&cut(&labels));
        }
    }

    /// What was counted so far, by label values, in their order; the overflow series is `["overflow"]`.
    #[must_use]
    pub fn totals<const N: usize>(
        &self,
        definition: &'static Definition<Counter, N>,
    ) -> Vec<(Vec<String>, u64)> {
        let Some(slot) = self.slot(&definition.family()) else { return Vec::new() };
        let (series, overflow) = slot.read();
        let overflow = overflow.map(|cell| (vec!["overflow".to_owned()], cell));
        let counted = |(labels, cell)| Counter::of(&cell).map(|counter| (labels, counter.value()));
        series.into_iter().chain(overflow).filter_map(counted).collect()
    }

    /// Everything, as Prometheus text of version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        text::render(&self.0.slots)
    }

    fn slot(&self, family: &Family) -> Option<&Slot> {
        let place = self.0.places.get(family.name)?;
        self.0.slots.get(*place).filter(|slot| slot.family == *family)
    }

    fn cell(&self, slot: &Slot, labels: &[&str]) -> Cell {
        let mut series = slot.series();
        let labels = cut(labels);
        if let Some(cell) = series.get(&labels) {
            return cell.clone();
        }
        if series.len() < slot.family.series_max {
            let cell = Cell::new(slot.family.kind);
            series.insert(labels, cell.clone());
            return cell;
        }
        drop(series);
        // Not for its own family: that would ask again for ever.
        if slot.family.name != SERIES_REFUSED.family().name {
            self.get(&SERIES_REFUSED, [slot.family.name]).inc();
        }
        slot.overflow.get_or_init(|| Cell::new(slot.family.kind)).clone()
    }
}

impl Slot {
    fn new(family: Family) -> Self {
        Self { family, series: Mutex::default(), overflow: OnceLock::new() }
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, Cell>> {
        // Nothing is ever half-done under this lock, so a panic elsewhere spoils nothing.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The series there are now, and the one that the others share.
    pub(super) fn read(&self) -> (Vec<(Vec<String>, Cell)>, Option<Cell>) {
        let series = self.series().iter().map(|(labels, cell)| (labels.clone(), cell.clone())).collect();
        (series, self.overflow.get().cloned())
    }
}

fn cut(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| label.chars().take(LABEL_CHARS_MAX).collect()).collect()
}
