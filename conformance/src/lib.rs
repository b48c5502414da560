//! One function per behaviour that every Spandrel provider promises.
