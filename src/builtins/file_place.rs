//! The methods of files that are about a place in them.

use super::arguments;
use super::file::receiver;
use crate::process::held;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::io::{Seek, SeekFrom};

pub fn seek(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let offset = arguments::int("seek", "offset", &args[1])?;
    let from = match arguments::given(&args[2]) {
        Some(whence) => arguments::int("seek", "whence", whence)?,
        None => 0,
    };
    let target = match from {
        0 => match u64::try_from(offset) {
            Ok(offset) => SeekFrom::Start(offset),
            Err(_) => {
                return Err(arguments::refuse(
                    "seek",
                    "offset",
                    "must be 0 or more",
                    &args[1],
                ));
            }
        },
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => {
            return Err(arguments::refuse(
                "seek",
                "whence",
                "must be 0, 1 or 2",
                &args[2],
            ));
        }
    };
    file.of_its_own("seek", "moved in")?;
    // The end of the file is behind what other files of this process have written to it; so is what is cut off.
    held::write_out();
    let at = file.with(context, "seek", |stream| {
        stream.forget_ahead()?;
        (&*stream.file).seek(target)
    })?;
    Ok(Value::Int(at as i64))
}

pub fn tell(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    file.of_its_own("tell", "asked for its place")?;
    let at = file.with(context, "tell", |stream| {
        stream.check_place()?;
        Ok((&*stream.file).stream_position()? as i64 - stream.rest().len() as i64)
    })?;
    Ok(Value::Int(at))
}

pub fn truncate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let size = match arguments::given(&args[1]) {
        Some(size) => Some(arguments::size("truncate", "size", size)? as u64),
        None => None,
    };
    file.writable("truncate")?;
    held::write_out();
    let size = file.with(context, "truncate", |stream| {
        stream.forget_ahead()?;
        let size = match size {
            Some(size) => size,
            None => (&*stream.file).stream_position()?,
        };
        stream.file.set_len(size)?;
        Ok(size)
    })?;
    Ok(Value::Int(size as i64))
}
