//! Every input the fuzzer found worth keeping, against the same check: `cargo xtask fuzz journal`.

#[path = "../../fuzz/checks/corpus.rs"]
mod corpus;
#[path = "../../fuzz/checks/journal.rs"]
mod journal;

#[test]
fn journals() {
    corpus::replay("journal", journal::check);
}
