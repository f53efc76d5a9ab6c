//! Commands in messages: they are plain values, so what is written here is all that they are.

use super::CommandHandle;
use crate::diag::Result;
use crate::os::program::{Bounds, Ids, RESOURCES};
use crate::program::{Command, Errors, Input, Output, Stage, Terminal, User};
use crate::value::Value;
use crate::value::handle::{Handle, Parts};
use crate::wire::{Reader, put_count, put_text};
use std::rc::Rc;

/// What messages call them.
pub const KIND: &str = "command";

/// What a command is made of; `None` when an open file belongs to it, which stays in its process.
pub(super) fn parts(handle: &CommandHandle) -> Option<Parts> {
    let command = &handle.command;
    let mut bytes = Vec::new();
    put_count(&mut bytes, command.stages.len() as u64);
    for stage in &command.stages {
        put_stage(&mut bytes, stage)?;
    }
    put_input(&mut bytes, &command.input)?;
    put_output(&mut bytes, &command.output)?;
    put_count(&mut bytes, command.tees.len() as u64);
    for tee in &command.tees {
        put_output(&mut bytes, tee)?;
    }
    put_optional(&mut bytes, command.terminal, |out, terminal| {
        for number in [terminal.columns, terminal.rows, u16::from(terminal.echo)] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    });
    put_optional(&mut bytes, command.timeout.as_ref(), |out, seconds| {
        out.extend_from_slice(&seconds.to_le_bytes());
    });
    put_optional(&mut bytes, command.name.as_ref(), |out, name| {
        put_text(out, name)
    });
    Some(Parts {
        kind: KIND,
        bytes,
        values: handle.feed.into_iter().collect(),
    })
}

fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn put_stage(out: &mut Vec<u8>, stage: &Stage) -> Option<()> {
    put_count(out, stage.words.len() as u64);
    for word in &stage.words {
        put_block(out, word);
    }
    put_count(out, stage.environment.len() as u64);
    for (name, value) in &stage.environment {
        put_text(out, name);
        put_optional(out, value.as_ref(), |out, value| put_text(out, value));
    }
    out.push(u8::from(stage.bare));
    put_optional(out, stage.folder.as_ref(), |out, folder| {
        put_text(out, folder)
    });
    match &stage.errors {
        Errors::Default => out.push(0),
        Errors::Merged => out.push(1),
        Errors::To(output) => {
            out.push(2);
            put_output(out, output)?;
        }
    }
    put_bounds(out, &stage.bounds);
    put_optional(out, stage.user.as_ref(), put_user);
    out.push(u8::from(stage.alone));
    put_optional(out, stage.called.as_ref(), |out, called| {
        put_block(out, called);
    });
    put_count(out, stage.allowed.len() as u64);
    for code in &stage.allowed {
        out.extend_from_slice(&code.to_le_bytes());
    }
    put_optional(out, stage.name.as_ref(), |out, name| put_text(out, name));
    Some(())
}

fn put_bounds(out: &mut Vec<u8>, bounds: &Bounds) {
    out.extend_from_slice(&bounds.nice.to_le_bytes());
    put_optional(out, bounds.umask, |out, mask| {
        out.extend_from_slice(&mask.to_le_bytes());
    });
    put_count(out, bounds.limits.len() as u64);
    for (resource, most) in &bounds.limits {
        out.extend_from_slice(&resource.to_le_bytes());
        out.extend_from_slice(&most.to_le_bytes());
    }
}

fn put_user(out: &mut Vec<u8>, user: &User) {
    put_text(out, &user.name);
    let ids = &user.ids;
    for number in [ids.user, ids.group] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_count(out, ids.groups.len() as u64);
    for number in &ids.groups {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn user(reader: &mut Reader<'_>) -> Result<User> {
    let name = reader.text()?.to_string();
    let user = u32::from_le_bytes(reader.array()?);
    let group = u32::from_le_bytes(reader.array()?);
    let mut groups = Vec::new();
    for _ in 0..reader.count_of(4)? {
        groups.push(u32::from_le_bytes(reader.array()?));
    }
    let ids = Ids {
        user,
        group,
        groups,
    };
    Ok(User { name, ids })
}

fn bounds(reader: &mut Reader<'_>) -> Result<Option<Bounds>> {
    let nice = i32::from_le_bytes(reader.array()?);
    let umask = match reader.byte()? {
        0 => None,
        _ => Some(u32::from_le_bytes(reader.array()?)),
    };
    let mut limits = Vec::new();
    for _ in 0..reader.count_of(12)? {
        let resource = u32::from_le_bytes(reader.array()?);
        limits.push((resource, u64::from_le_bytes(reader.array()?)));
    }
    let known = |(resource, _): &(u32, u64)| RESOURCES.iter().any(|(_, known)| known == resource);
    let is_fine = (0..=19).contains(&nice) && limits.iter().all(known);
    Ok(is_fine.then_some(Bounds {
        nice,
        umask,
        limits,
    }))
}

fn put_output(out: &mut Vec<u8>, output: &Output) -> Option<()> {
    match output {
        Output::Default => out.push(0),
        Output::Nothing => out.push(1),
        Output::Path { path, append } => {
            out.extend_from_slice(&[2, u8::from(*append)]);
            put_text(out, path);
        }
        Output::File(_) => return None,
    }
    Some(())
}

fn put_input(out: &mut Vec<u8>, input: &Input) -> Option<()> {
    match input {
        Input::Default => out.push(0),
        Input::Nothing => out.push(1),
        Input::Bytes(bytes) => {
            out.push(2);
            put_block(out, bytes);
        }
        Input::Path(path) => {
            out.push(3);
            put_text(out, path);
        }
        Input::Fed => out.push(4),
        Input::File(_) => return None,
    }
    Some(())
}

/// A command from what [`parts`] gave, which may be any bytes; `None` when they are none.
pub fn assemble(bytes: &[u8], values: &[Value]) -> Option<Rc<dyn Handle>> {
    let mut reader = Reader::new(bytes);
    let command = command(&mut reader).ok().flatten()?;
    let feed = match (&command.input, values) {
        (Input::Fed, [feed]) => Some(*feed),
        (Input::Fed, _) | (_, [_, ..]) => return None,
        _ => None,
    };
    let is_whole = reader.remaining() == 0 && !command.stages.is_empty();
    is_whole.then(|| Rc::new(CommandHandle { command, feed }) as Rc<dyn Handle>)
}

fn command(reader: &mut Reader<'_>) -> Result<Option<Command>> {
    let mut stages = Vec::new();
    for _ in 0..reader.count_of(1)? {
        let Some(stage) = stage(reader)? else {
            return Ok(None);
        };
        stages.push(stage);
    }
    let input = match reader.byte()? {
        0 => Input::Default,
        1 => Input::Nothing,
        2 => Input::Bytes(reader.block()?.into()),
        3 => Input::Path(reader.text()?.to_string()),
        4 => Input::Fed,
        _ => return Ok(None),
    };
    let Some(output) = output(reader)? else {
        return Ok(None);
    };
    let mut tees = Vec::new();
    for _ in 0..reader.count_of(1)? {
        match self::output(reader)? {
            Some(tee) => tees.push(tee),
            None => return Ok(None),
        }
    }
    let mut terminal = None;
    if reader.byte()? != 0 {
        let mut number = || reader.array().map(u16::from_le_bytes);
        terminal = Some(Terminal {
            columns: number()?,
            rows: number()?,
            echo: number()? != 0,
        });
    }
    let timeout = match reader.byte()? {
        0 => None,
        _ => Some(f64::from_le_bytes(reader.array()?)),
    };
    let name = optional_text(reader)?;
    Ok(Some(Command {
        stages,
        input,
        output,
        tees,
        terminal,
        timeout,
        name,
    }))
}

fn optional_text(reader: &mut Reader<'_>) -> Result<Option<String>> {
    Ok(match reader.byte()? {
        0 => None,
        _ => Some(reader.text()?.to_string()),
    })
}

fn output(reader: &mut Reader<'_>) -> Result<Option<Output>> {
    Ok(match reader.byte()? {
        0 => Some(Output::Default),
        1 => Some(Output::Nothing),
        2 => {
            let append = reader.byte()? != 0;
            let path = reader.text()?.to_string();
            Some(Output::Path { path, append })
        }
        _ => None,
    })
}

fn stage(reader: &mut Reader<'_>) -> Result<Option<Stage>> {
    let mut stage = Stage::default();
    for _ in 0..reader.count_of(1)? {
        stage.words.push(reader.block()?.to_vec());
    }
    for _ in 0..reader.count_of(2)? {
        let name = reader.text()?.to_string();
        stage.environment.push((name, optional_text(reader)?));
    }
    stage.bare = reader.byte()? != 0;
    stage.folder = optional_text(reader)?;
    stage.errors = match reader.byte()? {
        0 => Errors::Default,
        1 => Errors::Merged,
        2 => match output(reader)? {
            Some(output) => Errors::To(output),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    match bounds(reader)? {
        Some(bounds) => stage.bounds = bounds,
        None => return Ok(None),
    }
    if reader.byte()? != 0 {
        stage.user = Some(user(reader)?);
    }
    stage.alone = reader.byte()? != 0;
    if reader.byte()? != 0 {
        stage.called = Some(reader.block()?.to_vec());
    }
    for _ in 0..reader.count_of(4)? {
        stage.allowed.push(i32::from_le_bytes(reader.array()?));
    }
    if reader.byte()? != 0 {
        stage.name = Some(reader.text()?.to_string());
    }
    Ok((!stage.words.is_empty()).then_some(stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_spoilt_is_no_command() {
        let mut command = Command::new(vec![b"cat".to_vec(), b"\xff".to_vec()]);
        command.input = Input::Bytes(b"text"[..].into());
        command.timeout = Some(1.5);
        command.stages[0].environment.push(("A".into(), None));
        command.stages[0].allowed.push(-3);
        command.stages[0].bounds.umask = Some(0o77);
        command.stages[0].bounds.limits.push((RESOURCES[0].1, 5));
        let ids = Ids {
            user: 7,
            group: 8,
            groups: vec![8, 9],
        };
        let name = "somebody".into();
        command.stages[0].user = Some(User { name, ids });
        command.stages[0].called = Some(b"-sh".to_vec());
        let (path, append) = ("log".into(), true);
        command.terminal = Some(Terminal {
            columns: 80,
            rows: 24,
            echo: true,
        });
        command.tees.push(Output::Path { path, append });
        let handle = CommandHandle {
            command,
            feed: None,
        };
        let bytes = parts(&handle).map(|parts| parts.bytes).unwrap_or_default();
        assert!(assemble(&bytes, &[]).is_some());
        assert!(assemble(&bytes, &[Value::Nil]).is_none());
        for end in 0..bytes.len() {
            assert!(assemble(&bytes[..end], &[]).is_none(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] = 0xff;
            // Whatever it is now, it is no panic.
            let _ = assemble(&spoilt, &[]);
        }
    }
}
