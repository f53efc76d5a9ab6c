//! What flows while this process waits for something else: the pipes of programs that the script talks with are served in its
//! `join`, `wait` and `select` as well, so that no program is stuck because its reader waits for its end.

use crate::diag::Result;
use crate::os::arrival::Arrivals;
use crate::os::poll::Interest;

/// Pipes that are served in a wait.
pub trait Flow {
    /// Does what can be done without waiting, and names what it waits for then.
    ///
    /// # Errors
    /// What ends the wait: there is no room for what came.
    fn serve(&self, interests: &mut Vec<Interest>) -> Result<()>;
}

/// A flow in a wait that sleeps on words of memory.
pub(super) struct Flowing<'a> {
    flow: Option<&'a dyn Flow>,
    interests: Vec<Interest>,
    arrivals: Arrivals,
}

impl<'a> Flowing<'a> {
    pub(super) fn new(flow: Option<&'a dyn Flow>) -> Flowing<'a> {
        Flowing {
            flow,
            interests: Vec::new(),
            arrivals: Arrivals::default(),
        }
    }

    /// Serves it. What comes later changes the word that this process sleeps on, which must have been read before.
    pub(super) fn serve(&mut self) -> Result<()> {
        let Some(flow) = self.flow else {
            return Ok(());
        };
        loop {
            self.interests.clear();
            flow.serve(&mut self.interests)?;
            if !self.arrivals.watch(&self.interests) {
                return Ok(());
            }
        }
    }
}
