//! Every input the fuzzer found worth keeping, against the same check: `cargo xtask fuzz decoder`.

#[path = "../../fuzz/checks/corpus.rs"]
mod corpus;
#[path = "../../fuzz/checks/decoder.rs"]
mod decoder;

#[test]
fn frames_and_pages() {
    corpus::replay("decoder", decoder::check);
}
