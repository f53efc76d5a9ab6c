//! The variables of the environment that a program gets.

use super::{Stage, lookup};
use crate::diag::Result;
use crate::os::name;
use crate::process::programs;
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Threads that a numeric library should use in a program that this process starts; 0 where nothing is to be said.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// What such libraries look at: OpenMP, and those that have a variable of their own (the list of joblib's loky).
const THREAD_VARIABLES: [&str; 7] = [
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// From now on programs are told to use so many threads, unless the script or its environment says otherwise.
pub fn limit_threads(count: u64) {
    THREADS.store(count, Ordering::Relaxed);
}

/// The environment of a stage, with the mark of this tree.
pub(super) fn of(stage: &Stage, mark: &str) -> Result<Vec<CString>> {
    let inherited = (!stage.bare).then(std::env::vars_os);
    let mut all: BTreeMap<OsString, OsString> = inherited.into_iter().flatten().collect();
    let threads = THREADS.load(Ordering::Relaxed);
    if threads != 0 && !stage.bare {
        for variable in THREAD_VARIABLES {
            let entry = all.entry(variable.into());
            entry.or_insert_with(|| threads.to_string().into());
        }
    }
    let os = |text: &str| name::os(text).into_owned();
    for (name, value) in &stage.environment {
        match value {
            Some(value) => all.insert(os(name), os(value)),
            None => all.remove(&os(name)),
        };
    }
    all.insert(programs::VARIABLE.into(), mark.into());
    let join = |(name, value): (OsString, OsString)| {
        let mut bytes = name.into_vec();
        bytes.push(b'=');
        bytes.extend(value.into_vec());
        CString::new(bytes).map_err(|_| lookup::no_zeros())
    };
    all.into_iter().map(join).collect()
}
