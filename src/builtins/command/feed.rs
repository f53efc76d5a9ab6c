//! What a command gets to read: items of something that is gone through while the command runs.

use crate::diag::{self, codes};
use crate::os::{clock, name};
use crate::process::pool::reading::{self, Reader};
use crate::process::programs::{self, JobId};
use crate::program::Running;
use crate::program::streams::Feed;
use crate::value::native::{Context, Fault, NativeIter, Outcome};
use crate::value::{Value, show};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that are gathered at most before they are written.
const PIECE: usize = 64 * 1024;
/// Nanoseconds for which they are gathered at most.
const GATHERING: u64 = 1_000_000;
/// The longest time (nanoseconds) that a program gets to answer before more is asked for.
const LONGEST_ANSWER: u64 = 50_000_000;

/// The way into a program while its source is asked. What was gathered goes out before the source waits, and the source is told
/// when the program reads no more or has had its time, whatever it computes or waits for.
struct Fed {
    job: JobId,
    way: RefCell<Feed>,
}

impl Reader for Fed {
    fn needs_no_more(&self) -> bool {
        let Ok(mut way) = self.way.try_borrow_mut() else {
            return false;
        };
        way.push();
        !way.is_open() || programs::is_known_over(self.job)
    }
}

/// Gives a command the next items of its input. The answer says until when (monotonic nanoseconds) a reader of its output should
/// wait for what it makes of them before the source is asked again: the loop over the lines cannot go on while a source
/// waits. It is a part of the time that the source took, so fast sources are not held up.
pub(super) fn feed(
    running: &mut Running,
    source: Option<&Rc<dyn NativeIter>>,
    context: &mut dyn Context,
) -> Outcome<Option<u64>> {
    let Some((source, way)) = source.and_then(|source| Some((source, running.feed.take()?))) else {
        running.end_input();
        return Ok(None);
    };
    let fed = Rc::new(Fed {
        job: running.job(),
        way: RefCell::new(way),
    });
    let begin = clock::now();
    let reading = reading::begin(fed.clone(), true, false);
    let has_more = gather(&fed, source.as_ref(), context, begin);
    drop(reading);
    let fed = Rc::into_inner(fed);
    running.feed = fed.map(|fed| fed.way.into_inner());
    match has_more? {
        true => running.give(&[]),
        false => running.end_input(),
    }
    let now = clock::now();
    let patience = ((now - begin) / 8).min(LONGEST_ANSWER);
    Ok((patience >= GATHERING).then_some(now + patience))
}

/// Asks the source until there is something to write; whether it has more.
fn gather(
    fed: &Fed,
    source: &dyn NativeIter,
    context: &mut dyn Context,
    begin: u64,
) -> Outcome<bool> {
    let mut piece = Vec::new();
    loop {
        let item = match source.next(context) {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(false),
            Err(fault) if is_needless(&fault) => return Ok(false),
            Err(fault) => return Err(fault),
        };
        piece.clear();
        add_line(&mut piece, &item)?;
        let mut way = fed.way.borrow_mut();
        way.add(&piece);
        if way.left() >= PIECE || clock::now() - begin >= GATHERING {
            return Ok(true);
        }
    }
}

/// Whether a source ended because it was told that nobody reads any more.
fn is_needless(fault: &Fault) -> bool {
    match fault {
        Fault::Error(error) => reading::is_end_of_reading(error),
        Fault::Thrown(Value::Error(error)) => reading::is_end_of_reading(&error.report),
        _ => false,
    }
}

/// An item of an input: a str is a line, bytes are what they are.
pub(super) fn add_line(piece: &mut Vec<u8>, item: &Value) -> Outcome<()> {
    match (item, item.as_str()) {
        (_, Some(line)) => {
            piece.extend_from_slice(&name::bytes(line));
            if !line.ends_with('\n') {
                piece.push(b'\n');
            }
            Ok(())
        }
        (Value::Bytes(bytes), _) => {
            piece.extend_from_slice(bytes.data());
            Ok(())
        }
        _ => {
            let kind = show::kind(item);
            let message =
                format!("an item of the input of a command must be a str or bytes, but is {kind}");
            let help = "an item that is a str is a line: .input(items.map(str))";
            let error = diag::Error::new(codes::TYPE, message);
            Err(error.with_help(help).into())
        }
    }
}
