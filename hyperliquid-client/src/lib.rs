//! Hyperliquid's WebSocket and info API: a protocol half without I/O or clock, an I/O half, a simulated venue.
