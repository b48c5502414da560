//! Programs that show Spandrel at work.
