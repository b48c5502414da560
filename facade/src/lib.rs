//! Tracing facade: the backend is chosen by configuration, not by a rebuild.
