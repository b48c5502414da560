//! Spandrel provider that keeps the latest spans in memory.
