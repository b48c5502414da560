mod batch;
mod formats;
mod pending;
