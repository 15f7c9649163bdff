//! Logs, metrics, health latches and the admin HTTP server.
