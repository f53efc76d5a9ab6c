//! A progress bar on a terminal's standard error. Elsewhere, and in a build without the command line, there is none.

#[cfg(feature = "cli")]
mod drawn {
    use indicatif::{ProgressBar, ProgressStyle};
    use std::io::IsTerminal;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Whether a bar is being drawn by this process or by one that it comes from.
    static DRAWN: AtomicBool = AtomicBool::new(false);
    /// Seconds after which the bar tells what a worker is at.
    const LONG: f64 = 2.0;

    /// A bar that is being drawn.
    pub struct Bar(ProgressBar);

    impl Bar {
        /// A bar of `total` steps, when one is wanted and standard error is a terminal.
        pub fn new(wanted: bool, total: u64) -> Option<Bar> {
            if !wanted || !std::io::stderr().is_terminal() {
                return None;
            }
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template(
                "{bar:30} {pos}/{len} [{per_sec}, {eta} left] {wide_msg}",
            );
            if let Ok(style) = style {
                bar.set_style(style);
            }
            DRAWN.store(true, Ordering::Relaxed);
            Some(Bar(bar))
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
                    // Only what takes long is worth reading.
                    Some((item, seconds)) if seconds >= LONG => {
                        text += &format!("{number}: item {item}, {seconds:.0} s  ");
                    }
                    _ => {}
                }
            }
            self.0.set_message(text);
            self.0.set_position(done);
        }
    }

    impl Drop for Bar {
        fn drop(&mut self) {
            DRAWN.store(false, Ordering::Relaxed);
            self.0.finish();
        }
    }

    /// What is written in front of a text that goes to the terminal while a bar stands in its last line: it takes the
    /// bar's place, and the bar is drawn again below it. The workers of the map inherit that there is one.
    pub fn before_print() -> &'static str {
        match DRAWN.load(Ordering::Relaxed) && std::io::stdout().is_terminal() {
            true => "\r\x1b[2K",
            false => "",
        }
    }
}

#[cfg(not(feature = "cli"))]
mod drawn {
    /// No bar.
    pub struct Bar(());

    impl Bar {
        /// Never one.
        pub fn new(_wanted: bool, _total: u64) -> Option<Bar> {
            None
        }

        /// Nothing to draw.
        pub fn at(&self, _: u64, _: u64, _: impl Iterator<Item = Option<(u64, f64)>>) {
            let () = self.0;
        }
    }

    /// Nothing: there is no bar.
    pub fn before_print() -> &'static str {
        ""
    }
}

pub use drawn::{Bar, before_print};
