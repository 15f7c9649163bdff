//! Durable delivery of opaque records: a local journal, sinks as cursors over it, files, dead letters.
