//! Tests of whole systems.
