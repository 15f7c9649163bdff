//! Metrics: what is counted, labelled and written, from several threads too.

use std::thread;

use super::*;

static FILLS: Definition<Counter, 2> =
    Definition::counter("ingestion_fills_total", "Fills.", ["listener", "kind"]).series_max(3);
static LAG: Definition<Histogram, 0> =
    Definition::histogram("ingestion_lag_seconds", "Lag.", &[0.1, 1.0], []).unit(Unit::Seconds);
static QUEUE: Definition<Gauge, 0> = Definition::gauge("ingestion_queue_records", "Queue.", []);

fn registry() -> Registry {
    Registry::new(&[FILLS.family(), LAG.family(), QUEUE.family()]).unwrap()
}

#[test]
fn handles_of_one_series_count_together_across_threads() {
    let registry = registry();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let fills = registry.get(&FILLS, ["a", "live"]);
                let queue = registry.get(&QUEUE, []);
                let lag = registry.get(&LAG, []);
                for _ in 0..1_000 {
                    fills.inc();
                    queue.add(1.0);
                    lag.observe(0.5);
                }
            });
        }
    });
    assert_eq!(registry.totals(&FILLS), [(vec!["a".to_owned(), "live".to_owned()], 4_000)]);
    assert_eq!(registry.get(&QUEUE, []).value(), 4_000.0);
    assert_eq!(registry.get(&LAG, []).read(), (vec![(0.1, 0), (1.0, 4_000)], 4_000, 2_000.0));
}

#[test]
fn what_is_counted_elsewhere_is_shown_as_it_is_and_never_goes_back() {
    let counter = registry().get(&FILLS, ["a", "fill"]);
    let shown = [3, 3, 2, 5].map(|total| {
        counter.raise_to(total);
        counter.value()
    });
    assert_eq!(shown, [3, 3, 3, 5]);
}

#[test]
fn what_can_be_known_beforehand_is_there_before_its_first_event() {
    static ENDS: Definition<Counter, 2> =
        Definition::counter("ingestion_ends_total", "Ends.", ["kind", "state"])
            .known(&[["chain", "opened"], ["chain", "closed"]]);
    static LATE: Definition<Counter, 0> = Definition::counter("ingestion_late_total", "Late.", []);
    let registry = Registry::new(&[ENDS.family(), LATE.family(), FILLS.family()]).unwrap();
    let page = registry.render();
    for line in [
        "ingestion_late_total 0",
        "ingestion_ends_total{kind=\"chain\",state=\"opened\"} 0",
        "ingestion_ends_total{kind=\"chain\",state=\"closed\"} 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in {page}");
    }
    assert!(!page.contains("ingestion_fills_total{"), "an open set has no series yet");
}

#[test]
fn a_full_family_shares_one_series_and_says_so() {
    let registry = registry();
    for n in 0..5 {
        registry.get(&FILLS, [&format!("listener-{n}"), "live"]).inc();
    }
    let totals = registry.totals(&FILLS);
    assert_eq!(totals.len(), 4);
    assert_eq!(totals.last(), Some(&(vec!["overflow".to_owned()], 2)));
    let text = registry.render();
    assert!(text.contains("ingestion_fills_total{overflow=\"true\"} 2\n"), "{text}");
    let refused = "ingestion_metric_series_refused_total{metric=\"ingestion_fills_total\"} 2\n";
    assert!(text.contains(refused), "{text}");
    registry.forget(&FILLS, ["listener-0", "live"]);
    registry.get(&FILLS, ["late", "live"]).inc();
    assert!(registry.render().contains("listener=\"late\""), "a forgotten series makes room");
}

#[test]
fn bounds_are_inclusive_and_no_number_is_not_counted() {
    let registry = registry();
    let lag = registry.get(&LAG, []);
    for value in [0.1, 0.100_1, 1.0, 1.1, f64::INFINITY, f64::NAN] {
        lag.observe(value);
    }
    let (below, count, sum) = lag.read();
    assert_eq!((below, count, sum), (vec![(0.1, 1), (1.0, 3)], 5, f64::INFINITY));
}

#[test]
fn a_catalogue_that_breaks_the_rules_is_refused_with_all_of_them() {
    static NO_TOTAL: Definition<Counter, 0> = Definition::counter("ingestion_fills", "x", []);
    static NO_UNIT: Definition<Gauge, 0> = Definition::gauge("ingestion_lag", "x", []).unit(Unit::Seconds);
    static NAME: Definition<Gauge, 0> = Definition::gauge("fills-Total", "x", []);
    static LABELS: Definition<Gauge, 2> = Definition::gauge("ingestion_a", "", ["le", "b"]);
    static BOUNDS: Definition<Histogram, 0> = Definition::histogram("ingestion_b", "x", &[2.0, 1.0], []);
    let families = [&NO_UNIT, &NAME].map(Definition::family).into_iter();
    let families = families.chain([NO_TOTAL.family(), LABELS.family(), BOUNDS.family(), FILLS.family()]);
    let families: Vec<Family> = families.chain([FILLS.family()]).collect();
    let BadCatalogue(bad) = Registry::new(&families).unwrap_err();
    assert_eq!(
        bad,
        [
            ("ingestion_lag", BadFamily::Suffix),
            ("fills-Total", BadFamily::Name),
            ("ingestion_fills", BadFamily::Suffix),
            ("ingestion_a", BadFamily::Help),
            ("ingestion_a", BadFamily::Label),
            ("ingestion_b", BadFamily::Bounds),
            ("ingestion_fills_total", BadFamily::Twice),
        ]
    );
}

#[test]
fn the_documentation_lists_every_family() {
    let table = markdown(&[FILLS.family(), LAG.family(), QUEUE.family()]);
    let row = "| `ingestion_fills_total` | counter | count | `listener`, `kind` | 3 | Fills. |\n";
    assert!(table.contains(row), "{table}");
    assert!(table.contains("| `ingestion_lag_seconds` | histogram (0.1, 1) | seconds |  | 1 | Lag. |\n"));
    assert_eq!(table.lines().count(), 2 + 3 + OWN.len());
}
