//! Rules shown one by one.
