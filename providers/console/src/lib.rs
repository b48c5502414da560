//! Spandrel provider that prints traces as trees.
