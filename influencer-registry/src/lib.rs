//! Who is followed, and with which settings: static and file sources with validation and live reload.
