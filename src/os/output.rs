//! Standard output without a buffer.

use nix::errno::Errno;
use std::io;

/// Writes all bytes to standard output: with one `write(2)`, unless the kernel takes them in parts.
pub fn write(mut bytes: &[u8]) -> io::Result<()> {
    let output = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(&output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            // Started with standard output closed: there is nobody to write to.
            Err(Errno::EBADF) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
