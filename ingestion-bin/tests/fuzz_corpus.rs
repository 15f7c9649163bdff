//! Every input the fuzzer found worth keeping, against the same check: `cargo xtask fuzz record`, `cargo xtask fuzz state`.

#[path = "../../fuzz/checks/corpus.rs"]
mod corpus;
#[path = "../../fuzz/checks/record.rs"]
mod record;
#[path = "../../fuzz/checks/state.rs"]
mod state;

#[test]
fn records() {
    corpus::replay("record", record::check);
}

#[test]
fn states() {
    corpus::replay("state", state::check);
}
