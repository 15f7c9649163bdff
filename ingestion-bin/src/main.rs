//! The `ingestion` command.
fn main() {}
