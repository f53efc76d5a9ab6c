//! Chance that can be repeated, and what it does to processes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

/// Xorshift: good enough to choose with, and the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Neighbouring seeds must not begin alike, and the state must not be 0.
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Kills one of the processes after a random moment, most often a child; what was done, in words.
pub fn kill_somebody(processes: &dyn Fn() -> Vec<Pid>, random: &mut Random) -> String {
    std::thread::sleep(Duration::from_micros(random.below(15_000)));
    let found = processes();
    // The first process ends all others with it, which says less than the death of a child.
    let from = usize::from(found.len() > 1 && !random.one_in(8));
    let Some(rest) = found.get(from..).filter(|rest| !rest.is_empty()) else {
        return String::from("nobody was killed");
    };
    let victim = random.pick(rest);
    let signal = match random.below(8) {
        0 => Signal::SIGSEGV,
        1 => Signal::SIGTERM,
        _ => Signal::SIGKILL,
    };
    let _ = kill(victim, signal);
    format!("{victim} of {found:?} by {signal}")
}

/// A number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
