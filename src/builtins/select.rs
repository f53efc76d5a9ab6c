//! `select`: the intrinsic that it compiles to.

use super::command::{Conversation, Reading, Talks};
use super::options::Options;
use super::pipe::EndHandle;
use super::pool::future::{self, Callers, FutureHandle};
use super::process::ProcessHandle;
use super::queue::QueueHandle;
use super::willing::collect;
use super::{Table, arguments, lease, spawn, travel};
use crate::diag::{self, codes};
use crate::os::clock;
use crate::process::channel::Prepared;
use crate::process::pipe::End;
use crate::process::pool::future::Future;
use crate::process::queue::{ITEMS, Queue, ROOM};
use crate::process::select;
use crate::process::wait::{Awaited, Operation, timed_out};
use crate::process::{Ended, Process, willing};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, show};
use std::rc::Rc;

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@select" ("options", "cases", "after", "has_else") choose, "`select(options) { case ... }`.";
};

/// What stands for `after` and for `else` in the answer.
const AFTER: i64 = -1;
const ELSE: i64 = -2;

/// One case: what it does when it can.
enum Case {
    Get(Queue),
    Take(Queue),
    Put(Queue, Prepared),
    Recv(End),
    Send(End, Prepared),
    Join(Process),
    JoinQueue(Queue),
    JoinFuture(Future),
    Read(Reading),
}

/// What a chosen case gave.
enum Chosen {
    Value(Value),
    Ended(Ended),
}

fn choose(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("select", &args[0])?;
    let written = arguments::list("select", "cases", &args[1])?;
    let after = arguments::timeout("select", "after", &args[2])?;
    let has_else = matches!(args[3], Value::Bool(true));
    let timeout = options.timeout("timeout")?;
    let written = written.items().to_values();
    let mut cases = Vec::new();
    let mut talks = Talks::with("select", &[]);
    for &written in &written {
        let (case, talk) = case(context, written)?;
        match &case {
            Case::Read(reading) => talks.add_read(reading.talk()),
            _ => talks.add(talk),
        }
        cases.push(case);
    }
    let limit = match (has_else, timeout, after) {
        (true, ..) => Some(0.0),
        (false, Some(timeout), Some(after)) => Some(timeout.min(after)),
        (false, timeout, after) => timeout.or(after),
    };
    let callers = Callers::of(written.iter().filter_map(|case| part(case, 1)));
    let (index, value) = match first(context, &mut cases, &mut talks, &callers, limit)? {
        Some((index, Chosen::Value(value))) => (index as i64, value),
        Some((index, Chosen::Ended(ended))) => match cases.get(index) {
            Some(Case::Join(process)) => (index as i64, spawn::value_of(context, process, ended)?),
            _ => (index as i64, Value::Nil),
        },
        None if has_else => (ELSE, Value::Nil),
        None if after.is_some() && limit == after => (AFTER, Value::Nil),
        None => {
            let seconds = timeout.unwrap_or(0.0);
            return Err(timed_out(Operation::Select, "one of the cases", seconds).into());
        }
    };
    Ok(Value::list(context.heap(), vec![Value::Int(index), value]))
}

/// What a look at the cases gave.
enum News {
    Chosen(Outcome<Chosen>),
    /// A task is finished for whose result a function of the script waits.
    Callback,
}

/// Waits for the first case that can, for so many seconds at most, and calls meanwhile what waits for results of tasks.
fn first(
    context: &mut dyn Context,
    cases: &mut [Case],
    talks: &mut Talks,
    callers: &Callers,
    limit: Option<f64>,
) -> Outcome<Option<(usize, Chosen)>> {
    let place = context.place();
    // Cloned, so that what is waited for does not borrow what is tried.
    let objects = cases.iter().map(Case::holder).collect::<Vec<_>>();
    // What is as long as the clock goes is none: what is left of it would be a limit.
    let limit = limit.filter(|&seconds| clock::nanoseconds(seconds) < clock::NEVER);
    let deadline = limit.map(clock::deadline);
    let left = |at: u64| at.saturating_sub(clock::now()) as f64 / 1e9;
    let mut rest = limit;
    // What is held by nobody but the collector may be what others wait for: it looks once, and again behind callbacks.
    let mut leavings = true;
    loop {
        let mut awaited: Vec<Awaited<'_>> = objects.iter().filter_map(Holder::awaited).collect();
        let calling = callers.with_callbacks();
        let results = calling.callback_futures();
        awaited.extend(calling.events());
        awaited.extend(results.iter().map(|future| future.awaited()));
        // The programs that are read have their own times.
        let own = talks.check_times()?;
        let timeout = match (rest, own.map(left)) {
            (Some(rest), Some(own)) => Some(rest.min(own)),
            (rest, own) => rest.or(own),
        };
        let look = |at| {
            if callers.are_due() {
                return Ok(Some(News::Callback));
            }
            if is_passed_over(cases, at) {
                return Ok(None);
            }
            let case = cases.get_mut(at).map(|case| attempt(context, case));
            Ok(case.transpose()?.flatten().map(News::Chosen))
        };
        let wait = || select::select(objects.len(), &awaited, timeout, place, talks.flow(), look);
        let news = willing::when(leavings, wait).transpose();
        let news = news.map_err(|error| instead_of(cases, &error).unwrap_or(error))?;
        rest = deadline.map(left);
        match news {
            None => {
                leavings = false;
                collect(context)?;
            }
            Some(Some((_, News::Callback))) => {
                leavings = true;
                callers.run(context)?;
            }
            Some(Some((index, News::Chosen(chosen)))) => return Ok(Some((index, chosen?))),
            Some(None) if own.is_none() || rest == Some(0.0) => return Ok(None),
            Some(None) => {}
        }
    }
}

/// What a case comes to at a pipe when none can come to anything, because nobody is left at the other end.
fn instead_of(cases: &[Case], error: &diag::Error) -> Option<Box<diag::Error>> {
    cases.iter().find_map(|case| match case {
        Case::Recv(end) => end.instead_of(error, Operation::Recv),
        Case::Send(end, _) => end.instead_of(error, Operation::Send),
        _ => None,
    })
}

/// Whether a case is the end of a stream while another case waits for a stream that goes on: who reads both outputs of a program in a
/// loop has come to the end when both have.
fn is_passed_over(cases: &[Case], at: usize) -> bool {
    let goes_on = |case: &Case| matches!(case, Case::Read(reading) if !reading.is_over());
    let is_end = matches!(cases.get(at), Some(Case::Read(reading)) if reading.is_over());
    is_end && cases.iter().any(goes_on)
}

/// What a case waits at.
enum Holder {
    Queue(Queue, usize),
    Messages(End),
    Room(End),
    Process(Process),
    Future(Future),
}

impl Holder {
    fn awaited(&self) -> Option<Awaited<'_>> {
        match self {
            Holder::Queue(queue, side) => Some(queue.awaited(*side)),
            Holder::Messages(end) => Some(end.awaited_messages()),
            Holder::Room(end) => end.awaited_room(),
            Holder::Process(process) => Some(process.awaited()),
            Holder::Future(future) => Some(future.awaited()),
        }
    }
}

impl Case {
    fn holder(&self) -> Holder {
        match self {
            Case::Get(queue) | Case::Take(queue) => Holder::Queue(queue.clone(), ITEMS),
            Case::Put(queue, _) | Case::JoinQueue(queue) => Holder::Queue(queue.clone(), ROOM),
            Case::Recv(end) => Holder::Messages(end.clone()),
            Case::Send(end, _) => Holder::Room(end.clone()),
            Case::Join(process) => Holder::Process(process.clone()),
            Case::JoinFuture(future) => Holder::Future(future.clone()),
            Case::Read(reading) => Holder::Process(reading.process().clone()),
        }
    }
}

/// A part of a case as it is written.
fn part(written: &Value, at: usize) -> Option<Value> {
    match written {
        Value::List(parts) => parts.get(at),
        _ => None,
    }
}

/// A case from `[operation, object, arguments]`, with the program that is joined and talked with, whose streams are served meanwhile.
fn case(context: &mut dyn Context, written: Value) -> Outcome<(Case, Option<Rc<Conversation>>)> {
    let part = |at| part(&written, at).unwrap_or(Value::Nil);
    let (operation, object) = (part(0), part(1));
    let operation = arguments::text("select", "operation", &operation)?.to_string();
    let item = match part(2) {
        Value::List(args) => args.get(0).unwrap_or(Value::Nil),
        _ => Value::Nil,
    };
    let queue = object.as_handle::<QueueHandle>().map(|h| h.queue.clone());
    let end = object.as_handle::<EndHandle>().map(|h| h.end.clone());
    let process = object.as_handle::<ProcessHandle>();
    if let Some(handle) = object.as_handle::<FutureHandle>()
        && ["join", "result"].contains(&operation.as_str())
    {
        return Ok((Case::JoinFuture(handle.future.clone()), None));
    }
    if let Some(reading) = Reading::case(&operation, &object, &item)? {
        return Ok((Case::Read(reading), None));
    }
    let talk = process.and_then(ProcessHandle::talk);
    let case = match (operation.as_str(), queue, end, process) {
        ("get", Some(queue), ..) => Case::Get(queue),
        ("take", Some(queue), ..) => Case::Take(queue),
        ("put", Some(queue), ..) => Case::Put(queue, travel::prepare(context, item)?),
        ("join", Some(queue), ..) => Case::JoinQueue(queue),
        ("recv", _, Some(end), _) => Case::Recv(end),
        ("send", _, Some(end), _) => Case::Send(end, travel::prepare(context, item)?),
        ("join" | "wait", _, _, Some(handle)) => {
            handle.process.check_started("select")?;
            Case::Join(handle.process.clone())
        }
        _ => {
            let kind = show::kind(&object);
            let message = format!(
                "a case of `select` must be a get, take or put of a queue, a recv or send of a pipe, a readline or read of a program's output, or the join of a process, a queue or a future, but is `{operation}` of {kind}"
            );
            return Err(diag::Error::new(codes::TYPE, message).into());
        }
    };
    Ok((case, talk))
}

/// Does the operation of a case if that is possible without waiting.
fn attempt(context: &mut dyn Context, case: &mut Case) -> diag::Result<Option<Outcome<Chosen>>> {
    let taken = match case {
        Case::Get(queue) => queue.try_get()?,
        Case::Recv(end) => end.try_recv()?,
        Case::Take(queue) => {
            let lease = queue.try_take()?;
            return Ok(lease.map(|lease| lease::value_of(context, lease).map(Chosen::Value)));
        }
        Case::Put(queue, message) => {
            let put = queue.try_put(message)?;
            return Ok(put.then_some(Ok(Chosen::Value(Value::Nil))));
        }
        Case::Send(end, message) => {
            let sent = end.try_send(message)?;
            return Ok(sent.then_some(Ok(Chosen::Value(Value::Nil))));
        }
        Case::Join(process) => {
            // The join marks the end as seen; it does not wait any more.
            let ended = match process.ended() {
                Some(_) => process.join(Some(0.0), None)?,
                None => None,
            };
            return Ok(ended.map(|ended| Ok(Chosen::Ended(ended))));
        }
        Case::JoinFuture(future) => {
            let is_over = future.state().is_final();
            return Ok(is_over.then(|| future::outcome(context, future).map(Chosen::Value)));
        }
        Case::Read(reading) => {
            let read = reading.attempt(context).transpose();
            return Ok(read.map(|read| read.map(Chosen::Value)));
        }
        Case::JoinQueue(queue) => {
            let done = queue.channel(crate::process::start()?).unfinished() == 0;
            return Ok(done.then_some(Ok(Chosen::Value(Value::Nil))));
        }
    };
    Ok(taken.map(|taken| travel::deliver(context, &taken).map(Chosen::Value)))
}
