use std::time::Duration;

use spandrel_plugin_api::TracingProvider;

use crate::support::{
    Gate, LONG, TestFolder, assert_all_arrived, away, quick, record, recorder, stats, told, until, with_spool,
};

#[test]
fn what_is_left_at_shutdown_is_exported_by_the_next_one() {
    told("");
    let folder = TestFolder::new();
    for round in 0..2 {
        let (recorder, _) = recorder("kept", with_spool(&folder), |_| Err(away()));
        (round * 500..(round + 1) * 500).for_each(|n| record(&recorder, n));
        recorder.shutdown(LONG).unwrap();
        let stats = stats(&recorder);
        let branch = &stats.branches[0];
        assert_eq!(
            (branch.pending, branch.spooled, branch.recovered),
            (500 + round * 500, branch.pending, round * 500)
        );
        assert_eq!((stats.dropped(), branch.queue_bytes), (0, 0), "{stats}");
        let begin =
            format!("provider kept kept {} span(s) for the next process with this spool (path: ", branch.pending);
        assert!(told("kept kept").last().unwrap().starts_with(&begin));
    }
    let (recorder, arrived) = recorder("kept", with_spool(&folder), |_| Ok(()));
    record(&recorder, 1000);
    recorder.force_flush(LONG).unwrap();
    let stats = stats(&recorder);
    let branch = &stats.branches[0];
    assert_eq!((stats.recorded, branch.recovered, branch.exported, branch.pending), (1, 1000, 1001, 0), "{stats}");
    assert_all_arrived(&arrived, 1001);
}

#[test]
fn an_outage_is_spent_on_disk_and_nothing_is_lost_or_comes_twice() {
    told("");
    let folder = TestFolder::new();
    let gate = Gate::default();
    let there = gate.clone();
    let mut config = with_spool(&folder);
    // Less than comes.
    config.batch.queue_bytes = 128 << 10;
    let (recorder, arrived) = recorder("on disk", config, move |_| if there.is_open() { Ok(()) } else { Err(away()) });
    for n in 0..20_000 {
        record(&recorder, n);
        if n % 500 == 0 {
            until("there is room", || stats(&recorder).branches[0].queue_bytes < 32 << 10);
        }
    }
    until("all is on disk", || stats(&recorder).spooled() == 20_000);
    let text = told("on disk cannot deliver");
    assert!(text[0].contains("; spans are kept in /"), "{text:?}");
    gate.open();
    (20_000..21_000).for_each(|n| record(&recorder, n));
    // Nobody asks: it comes by itself.
    until("all has arrived", || stats(&recorder).exported() == 21_000);
    assert_all_arrived(&arrived, 21_000);
    let stats = stats(&recorder);
    assert_eq!((stats.dropped(), stats.pending(), stats.spooled()), (0, 0, 0), "{stats}");
    recorder.shutdown(LONG).unwrap();
}

#[test]
fn an_exporter_that_hangs_does_not_keep_spans_from_the_disk() {
    let folder = TestFolder::new();
    let gate = Gate::default();
    let entered = gate.clone();
    let (recorder, arrived) = recorder("hangs", with_spool(&folder), move |_| {
        entered.pass();
        Ok(())
    });
    record(&recorder, 0);
    until("it hangs", || gate.is_reached());
    (1..500).for_each(|n| record(&recorder, n));
    until("all but the batch in hand is on disk", || {
        let branch = &stats(&recorder).branches[0];
        branch.spooled > 0 && branch.queue_bytes == 0
    });
    // In time for a process that is about to end.
    assert!(recorder.shutdown(Duration::from_millis(50)).is_err());
    gate.open();
    recorder.shutdown(LONG).unwrap();
    let stats = stats(&recorder);
    let arrived = arrived.lock().unwrap().len() as u64;
    assert_eq!((stats.exported(), stats.exported() + stats.spooled()), (arrived, 500), "{stats}");
}

#[test]
fn two_recorders_share_a_folder_but_nothing_in_it() {
    let folder = TestFolder::new();
    let recorders = [0, 1000].map(|first| {
        let gate = Gate::default();
        let there = gate.clone();
        let (recorder, arrived) =
            recorder("shared", with_spool(&folder), move |_| if there.is_open() { Ok(()) } else { Err(away()) });
        (first..first + 100).for_each(|n| record(&recorder, n));
        until("all is on disk", || stats(&recorder).spooled() == 100);
        (recorder, arrived, gate)
    });
    for (recorder, arrived, gate) in &recorders {
        gate.open();
        recorder.force_flush(LONG).unwrap();
        assert_eq!((stats(recorder).branches[0].recovered, arrived.lock().unwrap().len()), (0, 100));
    }
}

#[test]
fn a_spool_that_overflows_loses_the_oldest() {
    told("");
    let folder = TestFolder::new();
    let mut config = with_spool(&folder);
    config.spool.as_mut().unwrap().max_bytes = 64 << 10;
    let (recorder, _) = recorder("too small", config, |_| Err(away()));
    (0..5000).for_each(|n| record(&recorder, n));
    let error = recorder.shutdown(LONG).unwrap_err();
    assert_eq!(error.kind(), spandrel_plugin_api::ErrorKind::SpansLost);
    let stats = stats(&recorder);
    let branch = &stats.branches[0];
    assert!(branch.dropped.spool_full > 0 && branch.spooled == branch.pending, "{stats}");
    // Before the shutdown began, or in its error.
    let told = [told("too small lost"), vec![error.to_string()]].concat();
    let first = told[0].trim_end_matches(')');
    assert!(first.ends_with(": the spool is full; raise spool.max_bytes"), "{told:?}");
}

#[test]
fn without_its_folder_spans_wait_in_memory() {
    told("");
    let folder = TestFolder::new();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let mut config = quick();
    config.spool = Some(spandrel_recorder::SpoolConfig::new(folder.path().join("file")));
    let mut calls = 0;
    let (recorder, arrived) = recorder("no folder", config, move |_| {
        calls += 1;
        if calls < 4 { Err(away()) } else { Ok(()) }
    });
    (0..100).for_each(|n| record(&recorder, n));
    recorder.force_flush(LONG).unwrap();
    assert_all_arrived(&arrived, 100);
    assert!(told("no folder")[0].starts_with("provider no folder cannot open its spool: "), "{:?}", told("no folder"));
}

#[test]
fn a_folder_that_vanishes_costs_what_was_in_it_and_is_counted() {
    let folder = TestFolder::new();
    let gate = Gate::default();
    let there = gate.clone();
    let (recorder, arrived) =
        recorder("vanishes", with_spool(&folder), move |_| if there.is_open() { Ok(()) } else { Err(away()) });
    (0..100).for_each(|n| record(&recorder, n));
    until("all is on disk", || stats(&recorder).spooled() == 100);
    std::fs::remove_dir_all(folder.path()).unwrap();
    gate.open();
    (100..200).for_each(|n| record(&recorder, n));
    until("the rest has arrived", || stats(&recorder).pending() == 0);
    let stats = stats(&recorder);
    assert_eq!(stats.exported() + stats.branches[0].dropped.damaged, 200, "{stats}");
    assert_eq!(stats.exported(), arrived.lock().unwrap().len() as u64);
}

#[test]
fn a_retired_recorder_leaves_only_when_its_spool_is_empty() {
    let folder = TestFolder::new();
    let gate = Gate::default();
    let there = gate.clone();
    let (recorder, arrived) =
        recorder("retires", with_spool(&folder), move |_| if there.is_open() { Ok(()) } else { Err(away()) });
    (0..100).for_each(|n| record(&recorder, n));
    recorder.retire();
    until("all is on disk", || stats(&recorder).spooled() == 100);
    gate.open();
    until("all has arrived", || stats(&recorder).exported() == 100);
    assert_all_arrived(&arrived, 100);
}
