//! `pickle`: values as bytes that last, for files and for other runs.
//!
//! The bytes are [`MAGIC`], a checksum of what follows (4), the sum of the program's structs (8; 0 when there are none in the
//! value), and the value as a message. They are data only: nothing in them is ever run.

use crate::builtins::pool::journal::{check_lasting, key, lasting};
use crate::builtins::{Module, Table, arguments, travel};
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::native::{Args, Context, Fault, Outcome};

/// The module.
pub static MODULE: Module = Module {
    name: "pickle",
    doc: "Plain values and structs as bytes that last, and back.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "dumps" ("value") dumps, "The bytes of a plain value, or of structs of them; sharing and rings in it are kept.";
    "loads" ("data") loads, "The value of bytes that `dumps` made, also in another run; of structs as long as the program has the same.";
};

/// The first bytes.
const MAGIC: &[u8; 4] = b"PARV";
/// What `loads` says of all other bytes.
const FOREIGN: &str = "must be what `pickle.dumps` made, but is something else, or damaged";
/// Bytes before the value.
const HEAD: usize = 16;

fn dumps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let structs = match check_lasting(args[0])? {
        true => key::structs(context),
        false => 0,
    };
    let message = travel::pack(context, args[0])?;
    let mut bytes = Vec::with_capacity(HEAD + message.bytes.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&structs.to_le_bytes());
    bytes.extend_from_slice(&message.bytes);
    let sum = crc32fast::hash(bytes.get(8..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(4..8) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    Ok(Value::bytes(context.heap(), bytes))
}

fn loads(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = match &args[0] {
        Value::Bytes(bytes) => bytes.data(),
        other => return Err(arguments::wrong("loads", "data", "bytes", other)),
    };
    let parts = data.split_at_checked(4).and_then(|(magic, rest)| {
        let (sum, content) = rest.split_first_chunk::<4>()?;
        let (structs, message) = content.split_first_chunk::<8>()?;
        let whole = magic == MAGIC && crc32fast::hash(content) == u32::from_le_bytes(*sum);
        whole.then_some((u64::from_le_bytes(*structs), message))
    });
    let Some((structs, message)) = parts else {
        return Err(refused(FOREIGN));
    };
    if structs != 0 && structs != key::structs(context) {
        return Err(refused(
            "must be of a program with the same structs, but those of this program are others",
        ));
    }
    // The sum is no seal: anybody can make one that fits.
    match lasting::read(context, message) {
        Ok(value) => {
            context.protect(value);
            Ok(value)
        }
        Err(_) => Err(refused(FOREIGN)),
    }
}

fn refused(rule: &str) -> Fault {
    Error::new(codes::VALUE, format!("loads: `data` {rule}")).into()
}
