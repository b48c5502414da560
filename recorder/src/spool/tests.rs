use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::{EXTENSION, Spool, SpoolLosses};
use crate::config::SpoolConfig;

/// A folder that is removed at the end.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("spandrel-spool-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> SpoolConfig {
        SpoolConfig::new(&self.0)
    }

    fn open(&self) -> (Spool, u64) {
        Spool::open(&self.config(), "p").unwrap()
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == EXTENSION)).collect();
    paths.sort();
    paths
}

/// A batch whose bytes say which one it is.
fn payload(n: u64) -> Vec<u8> {
    n.to_le_bytes().iter().copied().cycle().take(100 + n as usize % 50).collect()
}

/// Reads all that is left, one record at a time, as often as a batch is put back first.
fn drain(spool: &mut Spool) -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    while let Some(batch) = spool.read(1).unwrap() {
        spool.done(false);
        let again = spool.read(1).unwrap().unwrap();
        assert_eq!(again.payloads, batch.payloads);
        spool.done(true);
        all.push((batch.parts().concat(), batch.spans));
    }
    assert!(spool.is_empty());
    all
}

fn append(spool: &mut Spool, n: u64) {
    let payload = payload(n);
    let (head, tail) = payload.split_at(7);
    spool.append(&[head, tail], n + 1).unwrap();
}

#[test]
fn what_was_written_is_read_in_its_order_also_by_the_next_process() {
    let folder = TestFolder::new();
    let (mut spool, recovered) = folder.open();
    assert_eq!(recovered, 0);
    (0..10).for_each(|n| append(&mut spool, n));
    for n in 0..3 {
        assert_eq!(spool.read(1).unwrap().unwrap().parts().concat(), payload(n));
        spool.done(true);
    }
    // In hand when the process ends, so it comes again.
    let in_hand = spool.read(300).unwrap().unwrap();
    assert_eq!((in_hand.parts().len(), in_hand.spans), (2, 4 + 5));
    drop(spool);
    let (mut spool, recovered) = folder.open();
    assert_eq!(recovered, (4..=10).sum::<u64>());
    append(&mut spool, 10);
    let expected: Vec<_> = (3..11).map(|n| (payload(n), n + 1)).collect();
    assert_eq!(drain(&mut spool), expected);
    assert_eq!(spool.take_losses(), SpoolLosses::default());
    assert!(segments(spool.path()).is_empty(), "what was exported takes no place");
}

#[test]
fn each_has_its_own_and_takes_over_what_nobody_has() {
    let folder = TestFolder::new();
    let (mut first, _) = folder.open();
    let (mut second, _) = folder.open();
    let (mut other, _) = Spool::open(&folder.config(), "p.2").unwrap();
    assert_ne!(first.path(), second.path());
    append(&mut first, 1);
    append(&mut second, 2);
    append(&mut other, 3);
    drop(second);
    let (mut third, recovered) = folder.open();
    assert_eq!((recovered, drain(&mut third)), (3, vec![(payload(2), 3)]));
    append(&mut third, 4);
    drop((first, third));
    let (mut fourth, recovered) = folder.open();
    assert_eq!(recovered, 2 + 5, "both of those that have ended");
    assert_eq!(drain(&mut fourth), [(payload(1), 2), (payload(4), 5)]);
    assert_eq!(drain(&mut other), [(payload(3), 4)]);
}

#[test]
fn the_oldest_go_when_there_is_no_more_room() {
    let folder = TestFolder::new();
    let config = SpoolConfig { max_bytes: 4000, ..folder.config() };
    let (mut spool, _) = Spool::open(&config, "p").unwrap();
    let (mut written, mut lost) = (0, 0);
    append(&mut spool, 0);
    let in_hand = spool.read(1).unwrap().unwrap().spans;
    for n in 1..200 {
        append(&mut spool, n);
        written += n + 1;
        lost += spool.take_losses().full;
        let on_disk: u64 = segments(spool.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(on_disk <= 4000, "{on_disk}");
    }
    // Its segment is gone, and it was not delivered.
    spool.done(false);
    assert_eq!(spool.take_losses().full, in_hand);
    let left: u64 = drain(&mut spool).iter().map(|(_, spans)| spans).sum();
    assert!(lost > 0 && left > 0);
    assert_eq!(lost + left, written);
    spool.append(&[&[0; 5000]], 7).unwrap();
    assert_eq!(spool.take_losses().full, 7, "larger than all there is");
}

#[test]
fn what_is_too_old_is_lost() {
    let folder = TestFolder::new();
    let (mut spool, _) = folder.open();
    (0..5).for_each(|n| append(&mut spool, n));
    drop(spool);
    let config = SpoolConfig { max_age: Duration::ZERO, ..folder.config() };
    // Until the clock shows another millisecond.
    let (mut lost, mut found) = (0, 0);
    while lost == 0 {
        let (mut spool, recovered) = Spool::open(&config, "p").unwrap();
        found += recovered;
        spool.expire();
        lost += spool.take_losses().expired;
        if lost == 0 {
            found -= recovered;
        } else {
            assert!(spool.is_empty() && spool.read(1).unwrap().is_none());
        }
    }
    assert_eq!((lost, found), (15, 15));
}

#[test]
fn a_file_that_is_none_of_ours_is_left_alone() {
    let folder = TestFolder::new();
    let (mut spool, _) = folder.open();
    append(&mut spool, 1);
    let foreign = spool.path().join(format!("000000000077.{EXTENSION}"));
    fs::write(&foreign, b"SPANDSP9, which is of a later version").unwrap();
    fs::write(spool.path().join(format!("000000000078.{EXTENSION}")), b"SPAND").unwrap();
    drop(spool);
    let (mut spool, recovered) = folder.open();
    assert_eq!(recovered, 2);
    append(&mut spool, 2);
    assert_eq!(drain(&mut spool), [(payload(1), 2), (payload(2), 3)]);
    assert_eq!(segments(spool.path()), [foreign]);
}

#[test]
fn a_segment_that_cannot_be_made_leaves_whole_records() {
    // Every write to this device fails, as on a full disk.
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = TestFolder::new();
    let (mut spool, _) = folder.open();
    append(&mut spool, 1);
    let next = spool.path().join(format!("000000000001.{EXTENSION}"));
    drop(spool);
    let (mut spool, _) = folder.open();
    // The name of the next file is taken, which is an error, too.
    fs::write(&next, b"").unwrap();
    assert!(spool.append(&[&payload(2)], 3).is_err());
    fs::remove_file(&next).unwrap();
    append(&mut spool, 3);
    assert_eq!(drain(&mut spool), [(payload(1), 2), (payload(3), 4)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A process that is killed leaves a file cut anywhere.
    #[test]
    fn a_torn_end_costs_no_more_than_the_last_batch(records in 1_u64..8, cut in 0_usize..400) {
        let folder = TestFolder::new();
        let (mut spool, _) = folder.open();
        (0..records).for_each(|n| append(&mut spool, n));
        let path = segments(spool.path()).remove(0);
        let size = fs::metadata(&path).unwrap().len();
        drop(spool);
        let len = size.saturating_sub(cut as u64);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();

        let mut whole = Vec::new();
        let mut end = 16;
        for n in 0..records {
            end += 24 + payload(n).len() as u64;
            if end <= len {
                whole.push((payload(n), n + 1));
            }
        }
        let (mut spool, recovered) = folder.open();
        let losses = spool.take_losses();
        let kept: u64 = whole.iter().map(|(_, spans)| spans).sum();
        prop_assert_eq!(recovered, kept + losses.damaged);
        append(&mut spool, 99);
        whole.push((payload(99), 100));
        prop_assert_eq!(drain(&mut spool), whole);
    }

    /// Whatever happens to the bytes, nothing is read that was not written, nothing panics,
    /// and every span that was found is read or counted.
    #[test]
    fn changed_bytes_are_noticed(records in 1_u64..8, at in 0_usize..1000, bits in 1_u8.., read_first in 0_u64..4) {
        let folder = TestFolder::new();
        let (mut spool, _) = folder.open();
        (0..records).for_each(|n| append(&mut spool, n));
        for _ in 0..read_first.min(records - 1) {
            spool.read(1).unwrap().unwrap();
            spool.done(true);
        }
        let path = segments(spool.path()).remove(0);
        drop(spool);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= bits;
        fs::write(&path, &bytes).unwrap();

        let (mut spool, recovered) = folder.open();
        let read = drain(&mut spool);
        let losses = spool.take_losses();
        prop_assert_eq!(losses.full + losses.expired, 0);
        prop_assert_eq!(recovered, losses.damaged + read.iter().map(|(_, spans)| spans).sum::<u64>());
        for (bytes, spans) in read {
            prop_assert_eq!(bytes, payload(spans - 1));
        }
    }
}
