//! What `/metrics` says, read back by a strict reader, for any label values and numbers.

mod prometheus;

use observability::metrics::{Counter, Definition, Gauge, Histogram, Registry};
use proptest::{collection, num, prelude::*};

static COUNTED: Definition<Counter, 2> =
    Definition::counter("ingestion_counted_total", "Counted \\ \"things\".", ["a", "b"]).series_max(4);
static LEVEL: Definition<Gauge, 1> = Definition::gauge("ingestion_level", "Level.", ["a"]);
static SIZES: Definition<Histogram, 1> =
    Definition::histogram("ingestion_sizes", "Sizes.", &[-1.0, 0.0, 1.5, 1e9], ["a"]);

proptest! {
    #[test]
    fn whatever_is_measured_reads_back(
        labels in collection::vec(("(?s).{0,10}", "[\\\\\"\n,={}a]{0,6}", 1..1_000_u64), 1..8),
        level in num::f64::ANY,
        sizes in collection::vec(num::f64::NORMAL, 0..10),
    ) {
        let registry = Registry::new(&[COUNTED.family(), LEVEL.family(), SIZES.family()]).unwrap();
        for (a, b, n) in &labels {
            registry.get(&COUNTED, [a, b]).add(*n);
            registry.get(&LEVEL, [b]).set(level);
            sizes.iter().for_each(|size| registry.get(&SIZES, [b]).observe(*size));
        }
        let families = prometheus::parse(&registry.render()).unwrap();
        let all: u64 = registry.totals(&COUNTED).iter().map(|(_, n)| n).sum();
        prop_assert_eq!(all, labels.iter().map(|(_, _, n)| n).sum::<u64>(), "overflow included");
        for (values, n) in registry.totals(&COUNTED) {
            let wanted = match values.as_slice() {
                [a, b] => vec![("a", a.as_str()), ("b", b.as_str())],
                _ => vec![("overflow", "true")],
            };
            let read = prometheus::value(&families, "ingestion_counted_total", &wanted);
            prop_assert_eq!(read.map(|read| read.to_string()), Some(n.to_string()));
        }
        let read = prometheus::value(&families, "ingestion_level", &[("a", &labels[0].1)]).unwrap();
        prop_assert!(read == level || (read.is_nan() && level.is_nan()));
        prop_assert_eq!(&families["ingestion_counted_total"].help, "Counted \\ \"things\".");
    }
}
