//! The journal from inside: the model that kills, fails and flips, and judges what can be read.

mod model;
