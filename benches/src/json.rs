//! What a cell tells the process that started it.

use serde_json::{Value, json};

use crate::Failure;

/// Figures of one process.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// CPU time of the recording thread for each operation, one entry for each chunk.
    pub(crate) nanos: Vec<f64>,
    /// CPU time of all threads for each operation.
    pub(crate) process_nanos: f64,
    pub(crate) allocations: f64,
    /// Spans that did not reach the exporter, of all that were recorded.
    pub(crate) lost: u64,
}

impl Measured {
    pub(crate) fn to_json(&self) -> Value {
        let Self { nanos, process_nanos, allocations, lost } = self;
        json!({ "nanos": nanos, "process_nanos": process_nanos, "allocations": allocations, "lost": lost })
    }

    pub(crate) fn from_json(text: &str) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(text)?;
        let number = |key: &str| value[key].as_f64().ok_or_else(|| format!("no number `{key}` in {value}"));
        let nanos = value["nanos"].as_array().ok_or_else(|| format!("no list `nanos` in {value}"))?;
        Ok(Self {
            nanos: nanos.iter().filter_map(Value::as_f64).collect(),
            process_nanos: number("process_nanos")?,
            allocations: number("allocations")?,
            lost: value["lost"].as_u64().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let measured = Measured { nanos: vec![1.5, 2.0], process_nanos: 3.25, allocations: 0.5, lost: 7 };
        assert_eq!(Measured::from_json(&measured.to_json().to_string()).expect("it is whole"), measured);
    }
}
