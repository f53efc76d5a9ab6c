//! `hash`: digests of strs, bytes and files.

use crate::builtins::pool::journal::key;
use crate::builtins::{Module, Table, arguments, system};
use crate::process::signals;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use sha2::Digest;
use std::io::Read;

/// The module.
pub static MODULE: Module = Module {
    name: "hash",
    doc: "Digests of strs, bytes and files: md5, sha1, sha256, sha512, blake3, crc32; and of any value.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "blake3" ("data") |context, args| of_data(context, "blake3", args), "The BLAKE3 digest of a str or bytes, in hexadecimal digits.";
    "crc32" ("data") crc32, "The CRC-32 checksum of a str or bytes, as an int.";
    "file" ("path", "algorithm?") file, "The digest of a file's content in hexadecimal digits, read piece by piece; sha256, or what `algorithm` names.";
    "md5" ("data") |context, args| of_data(context, "md5", args), "The MD5 digest of a str or bytes, in hexadecimal digits; no protection against forgery.";
    "sha1" ("data") |context, args| of_data(context, "sha1", args), "The SHA-1 digest of a str or bytes, in hexadecimal digits; no protection against forgery.";
    "sha256" ("data") |context, args| of_data(context, "sha256", args), "The SHA-256 digest of a str or bytes, in hexadecimal digits.";
    "sha512" ("data") |context, args| of_data(context, "sha512", args), "The SHA-512 digest of a str or bytes, in hexadecimal digits.";
    "value" ("value") value, "The digest (BLAKE3) of any value, the same in every run: of a function its code with everything that it calls, and the values that it uses.";
};

/// Bytes that are read from a file at a time.
const CHUNK: usize = 256 * 1024;

/// A digest that is being made.
enum State {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Blake3(Box<blake3::Hasher>),
    Crc32(crc32fast::Hasher),
}

impl State {
    fn new(algorithm: &str) -> Option<State> {
        Some(match algorithm {
            "md5" => State::Md5(md5::Md5::new()),
            "sha1" => State::Sha1(sha1::Sha1::new()),
            "sha256" => State::Sha256(sha2::Sha256::new()),
            "sha512" => State::Sha512(sha2::Sha512::new()),
            "blake3" => State::Blake3(Box::default()),
            "crc32" => State::Crc32(crc32fast::Hasher::new()),
            _ => return None,
        })
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            State::Md5(state) => state.update(data),
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha512(state) => state.update(data),
            State::Blake3(state) => drop(state.update(data)),
            State::Crc32(state) => state.update(data),
        }
    }

    /// The digest in hexadecimal digits.
    fn finish(self) -> String {
        match self {
            State::Md5(state) => super::base64::hexadecimal(&state.finalize()),
            State::Sha1(state) => super::base64::hexadecimal(&state.finalize()),
            State::Sha256(state) => super::base64::hexadecimal(&state.finalize()),
            State::Sha512(state) => super::base64::hexadecimal(&state.finalize()),
            State::Blake3(state) => state.finalize().to_hex().to_string(),
            State::Crc32(state) => format!("{:08x}", state.finalize()),
        }
    }
}

fn of_data(context: &mut dyn Context, algorithm: &'static str, args: Args<'_>) -> Outcome {
    let data = arguments::data(algorithm, "data", &args[0])?;
    let Some(mut state) = State::new(algorithm) else {
        return Ok(Value::Nil);
    };
    // Long data in pieces, so that Ctrl-C is heard.
    for piece in data.chunks(CHUNK * 16) {
        state.update(piece);
        context.poll()?;
    }
    Ok(Value::str(context.heap(), &state.finish()))
}

fn crc32(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = arguments::data("crc32", "data", &args[0])?;
    let mut state = crc32fast::Hasher::new();
    for piece in data.chunks(CHUNK * 16) {
        state.update(piece);
        signals::check_urgent()?;
    }
    Ok(Value::Int(i64::from(state.finalize())))
}

fn file(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("file", "path", &args[0])?;
    let algorithm = match arguments::given(&args[1]) {
        Some(name) => arguments::text("file", "algorithm", name)?,
        None => "sha256",
    };
    let Some(mut state) = State::new(algorithm) else {
        let rule = "must be one of md5, sha1, sha256, sha512, blake3, crc32";
        return Err(arguments::refuse("file", "algorithm", rule, &args[1]));
    };
    let mut file = system::open(context, "file", &path, system::TO_READ)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = system::retry(context, "file", &path, || file.read(&mut buffer))?;
        if count == 0 {
            return Ok(Value::str(context.heap(), &state.finish()));
        }
        state.update(buffer.get(..count).unwrap_or_default());
        context.poll()?;
    }
}

fn value(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let told = key::of_value(context, args[0])?;
    let digest = blake3::hash(&told).to_hex();
    Ok(Value::str(context.heap(), &digest))
}
