//! Traced HTTP client on reqwest.
