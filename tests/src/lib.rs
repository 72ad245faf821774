//! This package holds tests only, in `tests/it`; there is nothing to be used from here.
