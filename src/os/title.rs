//! The name under which `ps` and `top` show a process.
#![allow(unsafe_code)]

use std::sync::OnceLock;

/// Where the kernel reads the command line of this process from: the memory that its arguments came in.
/// Found once, before the first spawn, in `/proc/self/stat` (fields 48 and 49); children inherit the answer.
fn argument_area() -> Option<(usize, usize)> {
    static AREA: OnceLock<Option<(usize, usize)>> = OnceLock::new();
    *AREA.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the name in parentheses and may itself hold spaces and parentheses.
        let rest = &text[text.rfind(')')? + 1..];
        let mut fields = rest.split_whitespace().skip(45);
        let start: usize = fields.next()?.parse().ok()?;
        let end: usize = fields.next()?.parse().ok()?;
        (start != 0 && end > start).then_some((start, end - start))
    })
}

/// A name made ready before a fork: what a child does with it touches little code and allocates nothing, for each page that a
/// child touches first costs it a fault.
pub struct Title {
    short: [u8; 16],
    line: String,
}

impl Title {
    /// Makes a name ready, and looks up where `ps` finds it.
    pub fn new(name: &str) -> Title {
        argument_area();
        let mut short = [0_u8; 16];
        for (to, from) in short[..15].iter_mut().zip(name.bytes().filter(|&b| b != 0)) {
            *to = from;
        }
        Title {
            short,
            line: format!("par: {name}"),
        }
    }

    /// Names this process: the first 15 bytes for `top`, as much as the old command line had room for in `ps`.
    pub fn show(&self) {
        self.show_short();
        let Some((start, length)) = argument_area() else {
            return;
        };
        let shown = self.line.len().min(length - 1);
        // SAFETY: the kernel put this process's arguments at start..start + length, writable memory of the stack that is
        // never unmapped. std copies arguments out whenever it is asked for them; the driver asks before the first spawn.
        unsafe {
            let area = std::slice::from_raw_parts_mut(start as *mut u8, length);
            area[..shown].copy_from_slice(&self.line.as_bytes()[..shown]);
            area[shown..].fill(0);
        }
    }

    /// Names this process for `top` only.
    pub fn show_short(&self) {
        // SAFETY: PR_SET_NAME reads at most 16 bytes of a terminated string.
        unsafe { libc::prctl(libc::PR_SET_NAME, self.short.as_ptr(), 0, 0, 0) };
    }
}
