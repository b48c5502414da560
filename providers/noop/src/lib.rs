//! Spandrel provider that records nothing.
