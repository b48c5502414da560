//! All figures of a run.

use serde_json::{Value, json};

use crate::burst::BurstResult;
use crate::json::Measured;
use crate::subjects::Subject;
use crate::workloads::{DERIVED, Derived, Workload};

#[derive(Default)]
pub(crate) struct Results {
    cells: Vec<Collected>,
    pub(crate) burst: Vec<BurstResult>,
}

struct Collected {
    workload: Workload,
    subject: Subject,
    rounds: Vec<Measured>,
    instructions: Option<f64>,
}

/// One figure of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) workload: &'static str,
    pub(crate) subject: Subject,
    pub(crate) ns_min: f64,
    pub(crate) ns_median: f64,
    /// CPU time of all threads.
    pub(crate) process_ns: f64,
    pub(crate) allocations: f64,
    pub(crate) instructions: Option<f64>,
    pub(crate) lost: u64,
}

impl Results {
    pub(crate) fn add(&mut self, workload: Workload, subject: Subject, measured: Measured) {
        self.collected(workload, subject).rounds.push(measured);
    }

    pub(crate) fn add_instructions(&mut self, workload: Workload, subject: Subject, instructions: f64) {
        self.collected(workload, subject).instructions = Some(instructions);
    }

    fn collected(&mut self, workload: Workload, subject: Subject) -> &mut Collected {
        let known = self.cells.iter().position(|cell| cell.workload == workload && cell.subject == subject);
        let index = known.unwrap_or_else(|| {
            self.cells.push(Collected { workload, subject, rounds: Vec::new(), instructions: None });
            self.cells.len() - 1
        });
        &mut self.cells[index]
    }

    /// All figures, those of a workload together.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for workload in Workload::ALL {
            figures.extend(self.of(workload));
            for derived in DERIVED.iter().filter(|derived| derived.from == workload) {
                figures.extend(Subject::ALL.into_iter().filter_map(|subject| self.difference(derived, subject)));
            }
        }
        figures
    }

    fn of(&self, workload: Workload) -> Vec<Figure> {
        Subject::ALL.into_iter().filter_map(|subject| self.figure(workload, subject)).collect()
    }

    fn figure(&self, workload: Workload, subject: Subject) -> Option<Figure> {
        let cell = self.cells.iter().find(|cell| cell.workload == workload && cell.subject == subject)?;
        let mut nanos: Vec<f64> = cell.rounds.iter().flat_map(|round| round.nanos.iter().copied()).collect();
        nanos.sort_by(f64::total_cmp);
        let least = |of: fn(&Measured) -> f64| cell.rounds.iter().map(of).min_by(f64::total_cmp);
        Some(Figure {
            workload: workload.name(),
            subject,
            ns_min: *nanos.first()?,
            ns_median: *nanos.get(nanos.len() / 2)?,
            process_ns: least(|round| round.process_nanos)?,
            allocations: least(|round| round.allocations)?,
            instructions: cell.instructions,
            lost: cell.rounds.iter().map(|round| round.lost).sum(),
        })
    }

    fn difference(&self, derived: &Derived, subject: Subject) -> Option<Figure> {
        let (from, less) = (self.figure(derived.from, subject)?, self.figure(derived.less, subject)?);
        let share = |of: fn(&Figure) -> f64| (of(&from) - of(&less)) / derived.share;
        Some(Figure {
            workload: derived.name,
            subject,
            ns_min: share(|figure| figure.ns_min),
            ns_median: share(|figure| figure.ns_median),
            process_ns: share(|figure| figure.process_ns),
            allocations: share(|figure| figure.allocations),
            instructions: from.instructions.zip(less.instructions).map(|(from, less)| (from - less) / derived.share),
            lost: from.lost + less.lost,
        })
    }
}

impl Figure {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "workload": self.workload,
            "subject": self.subject.name(),
            "ns_min": rounded(self.ns_min),
            "ns_median": rounded(self.ns_median),
            "allocations": rounded(self.allocations),
            "instructions": self.instructions.map(rounded),
            "process_ns": rounded(self.process_ns),
            "lost": self.lost,
        })
    }
}

pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(nanos: &[f64], allocations: f64) -> Measured {
        Measured { nanos: nanos.to_vec(), process_nanos: 100.0, allocations, lost: 0 }
    }

    #[test]
    fn rounds_and_differences_become_figures() {
        let mut results = Results::default();
        results.add(Workload::Children10, Subject::Spandrel, measured(&[100.0, 120.0], 1.0));
        results.add(Workload::Children10, Subject::Spandrel, measured(&[90.0], 0.5));
        results.add(Workload::Children100, Subject::Spandrel, measured(&[990.0], 0.5));
        results.add_instructions(Workload::Children10, Subject::Spandrel, 1_000.0);
        results.add_instructions(Workload::Children100, Subject::Spandrel, 10_000.0);
        let figures = results.figures();
        let named: Vec<_> = figures.iter().map(|figure| figure.workload).collect();
        assert_eq!(named, ["children-10", "children-100", "child"]);
        assert_eq!((figures[0].ns_min, figures[0].ns_median, figures[0].allocations), (90.0, 100.0, 0.5));
        assert_eq!((figures[2].ns_min, figures[2].instructions), (10.0, Some(100.0)));
    }

    #[test]
    fn json_has_the_fields() {
        let mut results = Results::default();
        results.add(Workload::Root, Subject::Otel, measured(&[1.23456], 2.0));
        let json = results.figures()[0].to_json();
        assert_eq!(json["workload"], "root");
        assert_eq!(json["subject"], "otel");
        assert_eq!(json["ns_min"], 1.235);
        assert_eq!(json["ns_median"], 1.235);
        assert_eq!(json["allocations"], 2.0);
        assert!(json["instructions"].is_null());
    }
}
