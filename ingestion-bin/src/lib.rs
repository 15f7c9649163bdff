//! The service: the account machine, the composition of the libraries, and the command line.
