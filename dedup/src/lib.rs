//! Exactly-once in memory: fill keys, a bounded window, and the sequencer that orders one market's fills.
