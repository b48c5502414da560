//! Trace context on the wire: W3C Trace Context and Baggage.
