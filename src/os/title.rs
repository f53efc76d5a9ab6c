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

/// Looks the place up, so that children need not.
pub fn prepare() {
    argument_area();
}

/// Names this process for `top` only.
pub fn set_short(name: &str) {
    let mut short = [0_u8; 16];
    for (to, from) in short[..15].iter_mut().zip(name.bytes().filter(|&b| b != 0)) {
        *to = from;
    }
    // SAFETY: PR_SET_NAME reads at most 16 bytes of a terminated string.
    unsafe { libc::prctl(libc::PR_SET_NAME, short.as_ptr(), 0, 0, 0) };
}

/// Names this process: the first 15 bytes for `top`, as much as the old command line had room for in `ps`.
pub fn set(name: &str) {
    set_short(name);
    let Some((start, length)) = argument_area() else {
        return;
    };
    let title = format!("par: {name}");
    let shown = title.len().min(length - 1);
    // SAFETY: the kernel put this process's arguments at start..start + length, writable memory of the stack that is
    // never unmapped. std copies arguments out whenever it is asked for them; the driver asks before the first spawn.
    unsafe {
        let area = std::slice::from_raw_parts_mut(start as *mut u8, length);
        area.fill(0);
        area[..shown].copy_from_slice(&title.as_bytes()[..shown]);
    }
}
