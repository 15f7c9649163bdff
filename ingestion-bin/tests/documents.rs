//! What the documents say is so: the metric catalogue, and the tests named beside each fault.

use std::path::Path;

use ingestion_bin::runtime::events;
use observability::Telemetry;
use observability::metrics::markdown;

/// `INGESTION_WRITE_DOCS=1 cargo test -p ingestion-bin --test documents` writes the page anew.
#[test]
fn the_metric_catalogue_is_the_documented_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let table = markdown(&Telemetry::catalogue(&events::catalogue()));
    let page = format!(
        "# Metrics\n\nAt `/metrics`, in Prometheus' text format. Made of the declarations in the code; a test compares.\n\n{table}"
    );
    if std::env::vars().any(|(name, _)| name == "INGESTION_WRITE_DOCS") {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let documented = std::fs::read_to_string(&path).expect("docs/metrics.md is there");
    assert!(
        documented == page,
        "docs/metrics.md is not what the code says; write it anew as described above"
    );
}

#[test]
fn every_test_named_beside_a_fault_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/faults.md")).expect("docs/faults.md is there");
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|part| part.split_once(".rs::")).collect();
    assert!(named.len() > 50, "{} tests are named", named.len());
    for (file, test) in named {
        let source = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        assert!(is_run(&source, test), "{file}.rs has no test {test} that is run");
    }
}

/// Whether the source has a function of this name that is a test, and not an ignored one.
fn is_run(source: &str, test: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let named = [format!("fn {test}("), format!("async fn {test}(")];
    lines.iter().enumerate().any(|(at, line)| {
        let above =
            lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let attributes: Vec<&&str> = above.filter(|line| line.starts_with("#[")).collect();
        named.iter().any(|name| line.starts_with(name))
            && attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
            && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

#[test]
fn what_is_no_test_or_not_run_does_not_count() {
    let source = "#[test]\n/// Says why.\nfn one() {}\n\nfn two() {}\n#[ignore = \"slow\"]\n#[test]\nfn three() {}\n// fn four()";
    let run = ["one", "two", "three", "four", "on"].map(|test| is_run(source, test));
    assert_eq!(run, [true, false, false, false, false]);
}

/// What `FaultSpec` says of each fault, line for line.
#[test]
fn every_fault_of_the_simulated_venue_is_on_the_page_of_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("it is there");
    let code = read("hyperliquid-client/src/sim/fault/spec.rs");
    let table: Vec<&str> =
        code.lines().filter(|line| line.starts_with("/// |")).filter_map(|line| line.get(4..)).collect();
    assert!(table.len() > 10);
    let page = read("docs/command-line.md");
    let missing: Vec<&&str> = table.iter().filter(|row| !page.contains(**row)).collect();
    assert!(missing.is_empty(), "docs/command-line.md lacks {missing:#?}");
}
