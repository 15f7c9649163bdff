//! Fills, positions and signals as values: exact decimals, ids and the versioned wire schema.
