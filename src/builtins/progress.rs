//! A progress bar on a terminal's standard error. Elsewhere, and in a build without the command line, there is none.

/// What a script wants to see of a map that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Nothing.
    None,
    /// A bar, which tells of items that take long.
    Bar,
    /// A bar, and what each worker is at.
    Workers,
}

#[cfg(feature = "cli")]
mod drawn {
    use super::Progress;
    use crate::os::terminal;
    use crate::process::bar;
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
    use std::io::{IsTerminal, Write as _};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Columns below which there is no room for a bar.
    const NARROW: usize = 72;
    /// Seconds after which the bar tells what a worker is at.
    const LONG: f64 = 2.0;

    /// A bar that is being drawn.
    pub struct Bar {
        bar: ProgressBar,
        /// Items that were done before it was drawn.
        kept: Arc<AtomicU64>,
        /// Seconds after which it tells what a worker is at.
        long: f64,
    }

    impl Bar {
        /// A bar of `total` steps (`None` while nobody knows how many), when one is wanted and standard error is a terminal
        /// on which no other process draws one: a map inside of a map that draws has none.
        pub fn new(wanted: Progress, total: Option<u64>) -> Option<Bar> {
            if wanted == Progress::None || !std::io::stderr().is_terminal() || !bar::claim() {
                return None;
            }
            let bar = ProgressBar::new(total.unwrap_or(0));
            let columns = terminal::columns().unwrap_or(NARROW);
            // In one line always: of a bar in two, a print would leave half behind.
            let template = match (total, columns >= NARROW) {
                (Some(_), true) => "{bar:30} {pos}/{len} [{rate}, {eta} left] {wide_msg}",
                (Some(_), false) => "{pos}/{len} {wide_msg}",
                (None, true) => "{pos} [{rate}, {elapsed}] {wide_msg}",
                (None, false) => "{pos} {wide_msg}",
            };
            let kept = Arc::new(AtomicU64::new(0));
            if let Ok(style) = ProgressStyle::with_template(template) {
                let kept = kept.clone();
                bar.set_style(style.with_key(
                    "rate",
                    move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                        write_rate(state, kept.load(Ordering::Relaxed), out);
                    },
                ));
            }
            let long = match wanted {
                Progress::Workers => 0.0,
                _ => LONG,
            };
            Some(Bar { bar, kept, long })
        }

        /// So many items were done before: they count as done, but not for how fast it goes.
        pub fn begin_at(&self, done: u64) {
            self.kept.store(done, Ordering::Relaxed);
            // Unseen: it would draw how fast they seem to have been done.
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
            self.bar.set_position(done);
            self.bar.tick();
            self.bar.reset_eta();
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }

        /// Draws it with so many items done, so many of them failed, and for each worker the item that it is at and for
        /// how many seconds.
        pub fn at(
            &self,
            done: u64,
            failed: u64,
            workers: impl Iterator<Item = Option<(u64, f64)>>,
        ) {
            let mut text = String::new();
            if failed > 0 {
                text += &format!("{failed} failed  ");
            }
            for (number, at) in (1..).zip(workers) {
                match at {
                    // Unless all were asked for, only what takes long is worth reading.
                    Some((item, seconds)) if seconds >= self.long => {
                        text += &format!("{number}: item {item}, {seconds:.0} s  ");
                    }
                    _ => {}
                }
            }
            self.bar.set_message(text);
            self.bar.set_position(done);
        }
    }

    /// Items in a second, always as wide, those left out that were kept.
    fn write_rate(state: &ProgressState, kept: u64, out: &mut dyn std::fmt::Write) {
        let rate = match state.is_finished() {
            true => state.pos().saturating_sub(kept) as f64 / state.elapsed().as_secs_f64(),
            false => state.per_sec(),
        };
        let digits = usize::from(rate < 100.0);
        let _ = write!(out, "{rate:>6.digits$}/s");
    }

    impl Drop for Bar {
        fn drop(&mut self) {
            // Where it stands: a map that failed is not at its end.
            self.bar.abandon();
            // It leaves the cursor in its line, where the next bar would begin.
            let _ = writeln!(std::io::stderr());
            bar::release();
        }
    }

    /// A text as it goes to the terminal while a bar stands in its last line: it takes the bar's place, and the bar is drawn
    /// again below it. So its last line has an end. `None` where the text goes as it is.
    pub fn beside_bar(text: &str, to_error: bool) -> Option<String> {
        let is_terminal = || match to_error {
            true => std::io::stderr().is_terminal(),
            false => std::io::stdout().is_terminal(),
        };
        if text.is_empty() || !bar::is_drawn() || !is_terminal() {
            return None;
        }
        let end = if text.ends_with('\n') { "" } else { "\n" };
        Some(format!("\r\x1b[2K{text}{end}"))
    }
}

#[cfg(not(feature = "cli"))]
mod drawn {
    use super::Progress;

    /// No bar.
    pub struct Bar(());

    impl Bar {
        /// Never one.
        pub fn new(_wanted: Progress, _total: Option<u64>) -> Option<Bar> {
            None
        }

        /// Nothing to draw.
        pub fn begin_at(&self, _: u64) {}

        /// Nothing to draw.
        pub fn at(&self, _: u64, _: u64, _: impl Iterator<Item = Option<(u64, f64)>>) {
            let () = self.0;
        }
    }

    /// As it is: there is no bar.
    pub fn beside_bar(_: &str, _: bool) -> Option<String> {
        None
    }
}

pub use drawn::{Bar, beside_bar};
