//! The service: the account machine, the composition of the libraries, and the command line.

#[cfg(any())]
pub mod account;
pub mod cli;
pub mod config;
