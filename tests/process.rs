//! Processes of the language, with real forks and kills. No harness: see `support/mod.rs`.

mod support;

use par::process::tenders::{self, Tender};
use par::process::wait::{self, Operation, WaitSpec};
use par::process::{ChildOutcome, Ended, Message, SpawnSpec, signals, spawn};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::Tests;

fn main() {
    let mut tests = Tests::new("process");
    run!(tests:
        join_gives_what_the_child_returned,
        join_tells_every_way_to_end,
        join_with_a_timeout_gives_up,
        names_count_within_the_parent,
        thousands_of_short_processes_leave_nothing,
        daemons_end_with_their_parent,
        others_are_waited_for,
        a_subtree_dies_with_its_root,
        a_grandchild_can_be_joined_by_handle,
        cancel_raises_in_the_child,
        cancel_kills_after_the_grace,
        a_join_ring_is_a_deadlock,
        a_sleeping_process_is_no_deadlock,
        unjoined_failures_are_told_once,
        a_stopped_parent_hides_no_death,
        what_ends_while_tenders_run_is_looked_after,
        ctrl_c_interrupts_the_main_process_and_ends_the_tree,
        a_process_with_threads_is_not_forked,
        crash_points_of_spawning_leave_nothing,
    );
    tests.measure("measure_spawn_and_join", measure_spawn_and_join);
    tests.finish();
}

fn value(text: &str) -> ChildOutcome {
    ChildOutcome::Returned(message(text))
}

fn message(text: &str) -> Message {
    Message {
        bytes: text.as_bytes().to_vec(),
        ..Message::default()
    }
}

fn start(body: impl FnOnce() -> ChildOutcome) -> spawn::Process {
    spawn::spawn(&SpawnSpec::default(), &[], body).unwrap()
}

fn text(ended: Ended) -> String {
    match ended {
        Ended::Returned(message) | Ended::Raised(message) => {
            String::from_utf8(message.bytes).unwrap()
        }
        other => format!("{other:?}"),
    }
}

fn sleep(seconds: f64) {
    wait::sleep(seconds, None).unwrap();
}

fn join_gives_what_the_child_returned() {
    let children: Vec<_> = (0..20)
        .map(|n| start(move || value(&format!("value {n}"))))
        .collect();
    for (n, child) in children.iter().enumerate() {
        let ended = child.join(None, None).unwrap().unwrap();
        check!(text(ended) == format!("value {n}"));
        check!(child.exitcode() == Some(0) && !child.alive());
    }
    let big = "x".repeat(3 << 20);
    let copy = big.clone();
    let child = start(move || value(&copy));
    check!(text(child.join(None, None).unwrap().unwrap()) == big);
}

fn join_tells_every_way_to_end() {
    let raised = start(|| ChildOutcome::Raised(message("oh")));
    check!(raised.join(None, None).unwrap() == Some(Ended::Raised(message("oh"))));
    let exited = start(|| ChildOutcome::Exited(7));
    check!(exited.join(None, None).unwrap() == Some(Ended::Exited(7)));
    check!(exited.exitcode() == Some(7));
    let killed = start(|| {
        sleep(60.0);
        value("")
    });
    check!(killed.alive());
    check!(killed.kill());
    let ended = killed.join(None, None).unwrap().unwrap();
    check!(ended == Ended::Killed(9));
    check!(killed.exitcode() == Some(-9) && !killed.kill());
    let error = ended.error("x", 1).unwrap();
    check!(error.message.contains("SIGKILL"));
    let terminated = start(|| {
        sleep(60.0);
        value("")
    });
    terminated.terminate();
    check!(terminated.join(None, None).unwrap() == Some(Ended::Killed(15)));
    let crashed = start(|| par::os::signal::reset_and_reraise(libc::SIGSEGV));
    check!(crashed.join(None, None).unwrap() == Some(Ended::Killed(11)));
    let left = start(|| par::os::fork::leave(3));
    check!(left.join(None, None).unwrap() == Some(Ended::Exited(3)));
}

fn join_with_a_timeout_gives_up() {
    let child = start(|| {
        sleep(60.0);
        value("")
    });
    let begin = Instant::now();
    check!(child.join(Some(0.05), None).unwrap().is_none());
    check!(begin.elapsed() >= Duration::from_millis(50));
    check!(child.join(Some(0.0), None).unwrap().is_none());
    check!(child.join(Some(-1.0), None).unwrap().is_none());
    child.kill();
    check!(child.wait(None, None).unwrap());
}

fn names_count_within_the_parent() {
    let first = start(|| value(""));
    let second = start(|| {
        let inner = start(|| value(&spawn::current().unwrap().name()));
        let ended = inner.join(None, None).unwrap().unwrap();
        let parent = inner.parent().unwrap().name();
        value(&format!("{} {} {parent}", inner.name(), text(ended)))
    });
    check!(first.name() == "Process-1");
    let said = text(second.join(None, None).unwrap().unwrap());
    check!(said == "Process-2:1 Process-2:1 Process-2");
    check!(spawn::current().unwrap().parent().is_none());
    first.join(None, None).unwrap();
    check!(first.show().ends_with(" ended>"));
}

fn thousands_of_short_processes_leave_nothing() {
    for _ in 0..3000 {
        let child = start(|| value("x"));
        check!(child.join(None, None).unwrap().is_some());
    }
    check!(spawn::active_children().is_empty());
    // A child that has left its result may still be on its way out.
    while !par::os::fork::children().is_empty() {
        par::process::reaper::reap();
    }
    let arena = par::arena::get().unwrap();
    check!(arena.processes().count() == 1);
    arena.collect();
    check!(arena.live_objects() == 1);
}

fn daemons_end_with_their_parent() {
    let child = start(|| {
        let spec = SpawnSpec {
            daemon: true,
            ..SpawnSpec::default()
        };
        let daemon = spawn::spawn(&spec, &[], || {
            sleep(60.0);
            value("")
        });
        value(&daemon.unwrap().pid().unwrap().to_string())
    });
    let ended = child.join(None, None).unwrap().unwrap();
    let pid: i32 = text(ended).parse().unwrap();
    check!(!par::os::fork::send_signal(pid, 0));
}

fn others_are_waited_for() {
    let begin = Instant::now();
    let child = start(|| {
        start(|| {
            sleep(0.1);
            value("")
        });
        value("done")
    });
    check!(text(child.join(None, None).unwrap().unwrap()) == "done");
    check!(begin.elapsed() >= Duration::from_millis(100));
}

fn a_subtree_dies_with_its_root() {
    // Orphans come to this process then, so that their ends can be seen.
    par::process::reaper::own_process();
    for round in 0..20 {
        let root = start(move || {
            for _ in 0..2 {
                start(|| {
                    start(|| {
                        sleep(60.0);
                        value("")
                    });
                    sleep(60.0);
                    value("")
                });
            }
            sleep(60.0);
            value("")
        });
        sleep(f64::from(round) * 0.0005);
        root.kill();
        check!(root.join(None, None).unwrap() == Some(Ended::Killed(9)));
        let begin = Instant::now();
        while !par::os::fork::children().is_empty() {
            par::process::reaper::reap();
            check!(begin.elapsed() < Duration::from_secs(5));
        }
    }
    let arena = par::arena::get().unwrap();
    par::process::reaper::bury_orphans(arena);
    check!(arena.processes().count() == 1);
}

fn a_grandchild_can_be_joined_by_handle() {
    let child = start(|| {
        let inner = start(|| {
            sleep(0.05);
            value("deep")
        });
        let id = inner.id();
        let message = Message {
            bytes: id.to_bits().to_le_bytes().to_vec(),
            handles: vec![id],
            ..Message::default()
        };
        ChildOutcome::Returned(message)
    });
    let Some(Ended::Returned(message)) = child.join(None, None).unwrap() else {
        std::process::abort()
    };
    let inner = spawn::Process::from_id(message.handles[0]).unwrap();
    drop(child);
    par::arena::get().unwrap().collect();
    check!(text(inner.join(None, None).unwrap().unwrap()) == "deep");
}

fn cancel_raises_in_the_child() {
    let child = start(|| {
        let error = wait::sleep(60.0, None).unwrap_err();
        // What runs while cleaning up may wait as well.
        sleep(0.02);
        value(&error.kind)
    });
    sleep(0.02);
    check!(child.cancel(5.0, None).unwrap());
    check!(text(child.ended().unwrap()) == "Cancelled");
    let busy = start(|| {
        loop {
            if signals::poll_word().load(std::sync::atomic::Ordering::Relaxed) != 0
                && let Err(error) = signals::check()
            {
                return value(&error.kind);
            }
        }
    });
    check!(busy.cancel(5.0, None).unwrap());
    check!(text(busy.ended().unwrap()) == "Cancelled");
}

fn cancel_kills_after_the_grace() {
    let child = start(|| {
        loop {
            let _ = wait::sleep(60.0, None);
        }
    });
    check!(!child.cancel(0.05, None).unwrap());
    check!(child.ended() == Some(Ended::Killed(9)));
}

fn a_join_ring_is_a_deadlock() {
    // A child that joins its parent, which joins the child.
    let child = start(|| {
        let parent = spawn::current().unwrap().parent().unwrap();
        let error = parent.join(None, None).unwrap_err();
        value(&format!("{}: {}", error.kind, error.message))
    });
    let said = text(child.join(None, None).unwrap().unwrap());
    check!(said.starts_with("Deadlock: 2 processes"));
    check!(said.contains("main (pid") && said.contains("Process-1 (pid"));
    // A process that joins itself.
    let error = spawn::current().unwrap().join(None, None).unwrap_err();
    check!(error.kind == "Deadlock");
}

fn a_sleeping_process_is_no_deadlock() {
    let child = start(|| {
        let parent = spawn::current().unwrap().parent().unwrap();
        let inner = start(move || {
            sleep(0.5);
            value("")
        });
        inner.join(None, None).unwrap();
        check!(parent.alive());
        value("fine")
    });
    check!(text(child.join(None, None).unwrap().unwrap()) == "fine");
}

fn unjoined_failures_are_told_once() {
    let failed = start(|| ChildOutcome::Raised(message("oh")));
    let killed = start(|| par::os::signal::reset_and_reraise(libc::SIGSEGV));
    let expected = start(|| {
        sleep(60.0);
        value("")
    });
    expected.kill();
    let joined = start(|| ChildOutcome::Raised(message("oh")));
    joined.join(None, None).unwrap();
    let count = par::process::finish::end_children();
    check!(count == 2);
    check!(par::process::finish::end_children() == 0);
    check!(par::process::finish::finish_main());
    drop((failed, killed));
}

/// Pages that this process had to be given since it began.
fn faults() -> i64 {
    // SAFETY: a zeroed rusage is valid, and is filled.
    #[allow(unsafe_code)]
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage.ru_minflt
    }
}

fn measure_spawn_and_join() {
    let child = start(|| value(&faults().to_string()));
    println!(
        "pages that an empty child touches before it leaves its result: {}",
        text(child.join(None, None).unwrap().unwrap())
    );
    let rounds = 2000;
    // SAFETY: one thread; the child leaves at once.
    #[allow(unsafe_code)]
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::_exit(faults() as i32);
        }
        let mut status = 0;
        libc::waitpid(pid, &mut status, 0);
        println!(
            "pages that a bare fork touches: {}",
            libc::WEXITSTATUS(status)
        );
    }
    let begin = Instant::now();
    for _ in 0..rounds {
        // SAFETY: one thread; the child leaves at once.
        #[allow(unsafe_code)]
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::_exit(0);
            }
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
    let bare = begin.elapsed() / rounds;
    let child = start(|| value(""));
    child.join(None, None).unwrap();
    let begin = Instant::now();
    let mut spawning = Duration::ZERO;
    for _ in 0..rounds {
        let now = Instant::now();
        let child = start(|| value(""));
        spawning += now.elapsed();
        child.join(None, None).unwrap();
    }
    let par = begin.elapsed() / rounds;
    println!("of it in spawn: {:?}", spawning / rounds);
    println!("fork + exit + wait: {bare:?}; spawn + join: {par:?}");
}

fn a_stopped_parent_hides_no_death() {
    let parent = start(|| {
        let inner = start(|| {
            sleep(60.0);
            value("")
        });
        let cell = par::arena::get().unwrap().cell(par::arena::Cell::Scratch);
        cell.store(inner.id().to_bits(), std::sync::atomic::Ordering::SeqCst);
        inner.join(None, None).unwrap();
        value("")
    });
    let cell = par::arena::get().unwrap().cell(par::arena::Cell::Scratch);
    let inner = loop {
        let bits = cell.load(std::sync::atomic::Ordering::SeqCst);
        if let Some(id) = par::arena::HandleId::from_bits(bits) {
            break spawn::Process::from_id(id).unwrap();
        }
        sleep(0.001);
    };
    parent.signal(libc::SIGSTOP);
    inner.signal(libc::SIGABRT);
    check!(inner.join(None, None).unwrap() == Some(Ended::Killed(libc::SIGABRT)));
    parent.signal(libc::SIGCONT);
    check!(text(parent.join(None, None).unwrap().unwrap()).is_empty());
}

/// Sleeps until it is cancelled.
fn obey() -> ChildOutcome {
    match wait::sleep(60.0, None) {
        Err(error) if error.kind == "Cancelled" => ChildOutcome::Exited(7),
        _ => value(""),
    }
}

fn ctrl_c_interrupts_the_main_process_and_ends_the_tree() {
    par::os::signal::watch_interrupt();
    let child = start(|| {
        start(obey);
        obey()
    });
    sleep(0.02);
    // The terminal sends it to everybody; children leave it to the main process.
    child.signal(libc::SIGINT);
    sleep(0.02);
    check!(child.alive());
    par::os::fork::send_signal(par::os::fork::pid(), libc::SIGINT);
    let error = wait::sleep(60.0, None).unwrap_err();
    check!(error.kind == "Interrupted");
    check!(!par::process::finish::finish_main());
    check!(child.ended() == Some(Ended::Exited(7)));
    check!(spawn::active_children().is_empty());
}

/// Looks after one child, as a pool does after its workers; before it is done it may come to a place where all ends are taken.
struct Nurse {
    child: RefCell<Option<spawn::Process>>,
    on_the_way: Box<dyn Fn()>,
}

impl Tender for Nurse {
    fn is_due(&self) -> bool {
        let child = self.child.borrow();
        child.as_ref().is_some_and(spawn::Process::is_gone)
    }

    fn tend(&self) {
        (self.on_the_way)();
        self.child.replace(None);
    }
}

impl Nurse {
    fn add(child: spawn::Process, on_the_way: impl Fn() + 'static) -> Rc<dyn Tender> {
        let nurse: Rc<dyn Tender> = Rc::new(Nurse {
            child: RefCell::new(Some(child)),
            on_the_way: Box::new(on_the_way),
        });
        tenders::add(&nurse);
        nurse
    }
}

fn what_ends_while_tenders_run_is_looked_after() {
    let sleeper = || {
        start(|| {
            sleep(3600.0);
            value("")
        })
    };
    let (first, second) = (sleeper(), sleeper());
    let other = second.clone();
    // One has nothing to do when it is asked; the end of its child is noted while the other is at work.
    let early = Nurse::add(second.clone(), || ());
    let begun = Nurse::add(first.clone(), move || {
        other.kill();
        while !other.is_gone() {
            par::process::reaper::reap();
        }
    });
    first.kill();
    // Whatever a process waits for, it looks after them.
    let spec = WaitSpec::new(Operation::Sleep, &[], None);
    let done = || (!begun.is_due() && !early.is_due() && second.is_gone()).then_some(());
    check!(wait::wait(&spec, || Ok(done())).unwrap().is_some());
}

fn a_process_with_threads_is_not_forked() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || receiver.recv());
    let error = spawn::spawn(&SpawnSpec::default(), &[], || value("")).unwrap_err();
    check!(error.message == "spawning needs a process with one thread, but this one has 2");
    drop(sender);
    let _ = thread.join();
    check!(text(start(|| value("now")).join(None, None).unwrap().unwrap()) == "now");
}

/// Walks a process that spawns, joins and cancels through every marked place, in it and in its children.
fn crash_points_of_spawning_leave_nothing() {
    par::process::reaper::own_process();
    let arena = par::process::start().unwrap();
    let mut points = 0;
    for n in 1..3000 {
        let child = start(move || {
            par::arena::crash::arm(&n.to_string());
            let inner = start(|| value(&"x".repeat(100_000)));
            let end = inner.join(None, None).unwrap();
            let other = start(|| {
                let _ = wait::sleep(60.0, None);
                value("")
            });
            other.ask_to_cancel();
            let _ = other.join(None, None).unwrap();
            check!(end.is_some());
            arena.collect();
            value("done")
        });
        match child.join(None, None).unwrap().unwrap() {
            Ended::Killed(libc::SIGKILL) => points += 1,
            Ended::Returned(message) if par::arena::crash::passed() == 0 => {
                check!(message.bytes == b"done");
                // The inner processes may have died where this one did not.
                if n > 60 {
                    break;
                }
            }
            other => {
                println!("{other:?}");
                check!(false);
            }
        }
        drop(child);
        while !par::os::fork::children().is_empty() {
            par::process::reaper::reap();
        }
        par::process::reaper::bury_orphans(arena);
        check!(arena.processes().count() == 1);
        arena.collect();
        check!(arena.live_objects() == 1);
        check!(arena.used_bytes() <= 1 << 20);
    }
    println!("  {points} places");
    check!(points > 10);
}
