//! Criterion benches: decoding and de-duplication beside the textbook way.
