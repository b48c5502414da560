//! Records spans as OTLP bytes and hands them to exporters in batches.
