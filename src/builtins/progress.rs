//! A progress bar on a terminal's standard error. Elsewhere, and in a build without the command line, there is none.

#[cfg(feature = "cli")]
mod drawn {
    use indicatif::{ProgressBar, ProgressStyle};
    use std::io::IsTerminal;

    /// A bar that is being drawn.
    pub struct Bar(ProgressBar);

    impl Bar {
        /// A bar of `total` steps, when one is wanted and standard error is a terminal.
        pub fn new(wanted: bool, total: u64) -> Option<Bar> {
            if !wanted || !std::io::stderr().is_terminal() {
                return None;
            }
            let bar = ProgressBar::new(total);
            let style =
                ProgressStyle::with_template("{bar:40} {pos}/{len} [{per_sec}, {eta} left]");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            Some(Bar(bar))
        }

        /// Draws it at a step.
        pub fn at(&self, done: u64) {
            self.0.set_position(done);
        }
    }

    impl Drop for Bar {
        fn drop(&mut self) {
            self.0.finish();
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
        pub fn at(&self, _done: u64) {
            let () = self.0;
        }
    }
}

pub use drawn::Bar;
