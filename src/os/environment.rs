//! The variables of the environment, which programs that are started inherit.
#![allow(unsafe_code)]

use super::fork::thread_count;

/// Sets a variable, or takes it away. False when this process has more than one thread: another may be reading the
/// environment. The name must be one that a variable can have (not empty, no `=` and no zero byte in it or in the value).
pub fn set(name: &str, value: Option<&str>) -> bool {
    if thread_count() > 1 {
        return false;
    }
    // SAFETY: setenv(3) and unsetenv(3) are only a danger to other threads, and there are none; the caller has looked at the name
    // and the value, so neither call panics.
    unsafe {
        let name = super::name::os(name);
        match value {
            Some(value) => std::env::set_var(name, super::name::os(value)),
            None => std::env::remove_var(name),
        }
    }
    true
}
