//! The disk of the spool is full while the backend is away: the service goes on, what is lost is
//! counted, and what is on disk is never in the way of what comes later.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::{self, Folder, command, run};

/// What a full disk is.
enum Disk {
    /// A limit on the size of files.
    Limit(Folder),
    /// A small file system in memory.
    Small(Folder),
}

impl Disk {
    /// The second one only where we may mount it.
    fn all() -> Vec<Self> {
        let folder = Folder::new();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).output();
        let small = mounted.is_ok_and(|output| output.status.success()).then(|| Self::Small(folder));
        if small.is_none() {
            println!("only with a limit on the size of files: mounting a tmpfs needs root");
        }
        std::iter::once(Self::Limit(Folder::new())).chain(small).collect()
    }

    fn folder(&self) -> &Folder {
        match self {
            Self::Limit(folder) | Self::Small(folder) => folder,
        }
    }

    fn spool(&self) -> String {
        self.folder().file("spool").display().to_string()
    }

    /// Whether segments are left in it.
    fn is_drained(&self) -> bool {
        let folders = std::fs::read_dir(self.spool()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
        files.all(|file| file.unwrap().file_name() == "lock")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small(folder) = self {
            let _ = Command::new("umount").arg(folder.path()).output();
        }
    }
}

/// What the service says after a step.
#[derive(Debug)]
struct Said {
    recorded: u64,
    exported: u64,
    dropped: u64,
    pending: u64,
    spooled: u64,
    text: String,
}

struct Service {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    /// Starts it, and waits until its disk is full and spans are lost.
    fn start(disk: &Disk, backend: &Backend) -> (Self, Said) {
        let (url, filler) = (backend.url(), disk.folder().file("filler").display().to_string());
        let arguments: &[&str] = match disk {
            Disk::Limit(_) => &[&url],
            Disk::Small(_) => &[&url, &filler],
        };
        // Started elsewhere, so that it holds nothing of the disk but its spool.
        let elsewhere = Folder::new();
        let mut command =
            command(env!("CARGO_BIN_EXE_full_disk"), &elsewhere, arguments, &[("TRACING_SPOOL_DIR", &disk.spool())]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let (orders, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut service = Self { child, orders, lines: BufReader::new(output).lines() };
        assert_eq!(service.said("spooled").spooled, 200);
        let full = service.said("full");
        (service, full)
    }

    fn order(&mut self, order: &str) -> Said {
        writeln!(self.orders, "{order}").unwrap();
        self.said(order)
    }

    fn said(&mut self, step: &str) -> Said {
        let line = self.lines.next().expect("it goes on").unwrap();
        println!("{line}");
        let mut words = line.splitn(7, ' ');
        assert_eq!(words.next(), Some(step), "{line}");
        let mut number = || words.next().unwrap().parse().unwrap();
        let [recorded, exported, dropped, pending, spooled] = std::array::from_fn(|_| number());
        assert_eq!(recorded, exported + dropped + pending, "{line}");
        Said { recorded, exported, dropped, pending, spooled, text: words.collect() }
    }

    /// Lets it deliver what it has and end.
    fn end(mut self, backend: &Backend, disk: &Disk) -> Said {
        let ended = self.order("end");
        let output = process::wait(self.child);
        assert!(output.status.success(), "{ended:?}");
        assert_eq!((ended.pending, ended.spooled), (0, 0), "{ended:?}");
        assert_eq!(ended.exported, ended.recorded - ended.dropped, "{ended:?}");
        assert_each_once(&backend.spans(), ended.exported);
        assert!(disk.is_drained(), "what was delivered takes no place");
        ended
    }
}

fn assert_each_once(arrived: &BTreeMap<String, u32>, spans: u64) {
    assert_eq!(arrived.len() as u64, spans);
    assert!(arrived.values().all(|times| *times == 1), "nothing comes twice");
}

#[test]
fn what_waited_in_memory_goes_to_disk_when_there_is_room_again() {
    for disk in Disk::all() {
        let backend = Backend::start(Mood::Away);
        let (mut service, full) = Service::start(&disk, &backend);
        assert!(full.pending > full.spooled && full.spooled >= 200, "{full:?}");
        let room = service.order("room");
        assert_eq!(room.spooled, room.pending, "{room:?}");
        // What was in the blocks of threads found no room any more.
        assert!(room.dropped >= full.dropped, "{room:?}");
        assert_eq!(backend.span_count(), 0);
        backend.set_mood(Mood::Healthy);
        let ended = service.end(&backend, &disk);
        assert_eq!(ended.dropped, room.dropped, "nothing is lost any more");
        // Those on disk are the oldest, and are not touched: it was the queue that was full.
        assert!(ended.text.ends_with(&format!("(queue full {})", ended.dropped)), "{ended:?}");
    }
}

#[test]
fn a_backend_that_comes_back_gets_all_from_a_disk_that_is_still_full() {
    for disk in Disk::all() {
        let backend = Backend::start(Mood::Away);
        let (service, full) = Service::start(&disk, &backend);
        backend.set_mood(Mood::Healthy);
        let ended = service.end(&backend, &disk);
        assert!(ended.dropped >= full.dropped, "{ended:?}");
    }
}

#[test]
fn the_next_service_reads_what_one_left_that_was_killed_with_its_disk_full() {
    for disk in Disk::all() {
        let backend = Backend::start(Mood::Away);
        let (service, full) = Service::start(&disk, &backend);
        process::signal(service.child.id(), libc::SIGKILL);
        let _ = process::wait(service.child);
        backend.set_mood(Mood::Healthy);
        let (outage, url, elsewhere) = (env!("CARGO_BIN_EXE_outage"), backend.url(), Folder::new());
        let output = run(command(outage, &elsewhere, &["drain", &url], &[("TRACING_SPOOL_DIR", &disk.spool())]));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let arrived = backend.spans();
        // Written in their order, by one thread.
        let missing = (0..full.spooled).filter(|n| !arrived.contains_key(&format!("op {n}"))).count();
        assert_eq!(missing, 0, "of {}: {said}", full.spooled);
        assert!(arrived.values().all(|times| *times == 1), "nothing comes twice");
        assert!(
            said.starts_with(&format!("recorded 0; otlp: exported {}, dropped 0, pending 0", arrived.len())),
            "{said}"
        );
        assert!(disk.is_drained(), "what was delivered takes no place");
    }
}
