//! The file system of a module, and its environment, which is empty.

use wasmtime::Error;

use super::super::files::{Facts, READ_ONLY, Refusal, errno, reads_only};
use super::super::guest::Guest;
use super::{Import, argument, number};

/// Pieces of memory in one read or write.
const PIECES_MAX: u64 = 1024;
/// Bytes that AO's glue takes for the stack of a module that waits, beside three addresses.
const SLEEPING_BYTES: u64 = 40 << 20;
/// The longest that is read at one time, bytes.
const READ_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) fn find(name: &str) -> Option<Import> {
    Some(match name {
        "fd_close" => |guest, arguments| wasi(guest.state().files.close(number(arguments, 0))),
        "fd_read" => read,
        "fd_write" => write,
        "fd_seek" => seek,
        "fd_sync" => |_, _| Ok(0),
        "fd_fdstat_get" => status,
        "environ_sizes_get" | "args_sizes_get" => |guest, arguments| {
            guest.put_pointer(argument(arguments, 0), 0)?;
            guest.put_pointer(argument(arguments, 1), 0)?;
            Ok(0)
        },
        "environ_get" | "args_get" => |_, _| Ok(0),
        "__asyncjs__weavedrive_open" => drive_open,
        "__asyncjs__weavedrive_read" => drive_read,
        "__asyncjs__weavedrive_close" => |guest, arguments| {
            sleep(guest)?;
            let closed = guest.state().files.close(number(arguments, 0));
            system(closed.map(|()| 0))
        },
        other => return call(other),
    })
}

fn call(name: &str) -> Option<Import> {
    Some(match name {
        "__syscall_openat" => |guest, arguments| {
            let path = guest.text(argument(arguments, 1))?;
            open(guest, &path, argument(arguments, 2) as u32)
        },
        "__syscall_unlinkat" => |guest, arguments| {
            let (path, directory) = (guest.text(argument(arguments, 1))?, argument(arguments, 2) & 0x200 != 0);
            system(guest.state().files.remove(&path, directory).map(|()| 0))
        },
        "__syscall_rmdir" => |guest, arguments| {
            let path = guest.text(argument(arguments, 0))?;
            system(guest.state().files.remove(&path, true).map(|()| 0))
        },
        "__syscall_mkdirat" => |guest, arguments| {
            let path = guest.text(argument(arguments, 1))?;
            system(guest.state().files.make_directory(&path).map(|()| 0))
        },
        "__syscall_renameat" => |guest, arguments| {
            let (from, to) = (guest.text(argument(arguments, 1))?, guest.text(argument(arguments, 3))?);
            system(guest.state().files.rename(&from, &to).map(|()| 0))
        },
        "__syscall_ftruncate64" => |guest, arguments| {
            let length = match arguments {
                [_, low, high] => low & 0xffff_ffff | high << 32,
                _ => argument(arguments, 1),
            };
            system(guest.state().files.truncate(number(arguments, 0), length).map(|()| 0))
        },
        "__syscall_stat64" | "__syscall_lstat64" => |guest, arguments| {
            let path = guest.text(argument(arguments, 0))?;
            tell(guest, &path, argument(arguments, 1))
        },
        "__syscall_newfstatat" => |guest, arguments| {
            let path = guest.text(argument(arguments, 1))?;
            tell(guest, &path, argument(arguments, 2))
        },
        "__syscall_fstat64" => |guest, arguments| match guest.state().files.facts_of(number(arguments, 0)) {
            Ok(facts) => put_facts(guest, argument(arguments, 1), facts),
            Err(refusal) => system(Err(refusal)),
        },
        "__syscall_faccessat" => |guest, arguments| {
            let path = guest.text(argument(arguments, 1))?;
            let drive = std::sync::Arc::clone(&guest.state().drive);
            system(guest.state().files.facts(&path, &*drive).map(|_| 0))
        },
        "__syscall_getcwd" => |guest, arguments| {
            guest.write(argument(arguments, 0), b"/\0")?;
            Ok(2)
        },
        "__syscall_fcntl64" => control,
        "__syscall_ioctl" => |_, _| Ok(negative(errno::NOTTY)),
        "__syscall_readlinkat" => |_, _| Ok(negative(errno::INVAL)),
        "__syscall_dup3" => |_, _| Ok(negative(errno::BADF)),
        "__syscall_chmod" | "__syscall_fchmod" | "__syscall_fchown32" | "__syscall_utimensat" => |_, _| Ok(0),
        name if name.starts_with("__syscall_") => |_, _| Ok(negative(errno::NOSYS)),
        _ => return None,
    })
}

/// Questions about an open file. Nobody else has it, so that every lock is free and every lock is given.
fn control(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let (file, command) = (number(arguments, 0), number(arguments, 1));
    if let Err(refusal) = guest.state().files.facts_of(file) {
        return system(Err(refusal));
    }
    Ok(match command {
        // Whether a lock is held: the answer stands where the question stood.
        5 | 12 => {
            let lock = guest.pointer(argument(arguments, 2))?;
            guest.write(lock, &2u16.to_le_bytes())?;
            0
        }
        // The flags of the file and of its number; locks.
        1..=4 | 6 | 7 | 13 | 14 => 0,
        _ => negative(errno::INVAL),
    })
}

const fn negative(number: i32) -> u64 {
    -(number as i64) as u64
}

/// The result of a system call: a number, or the negative number of an error.
fn system(outcome: Result<u64, Refusal>) -> wasmtime::Result<u64> {
    match outcome {
        Ok(number) => Ok(number),
        Err(Refusal::Number(number)) => Ok(negative(number)),
        Err(Refusal::Halt(reason)) => Err(Error::msg(reason)),
    }
}

/// The result of a function of WASI: 0, or the number of an error.
fn wasi(outcome: Result<(), Refusal>) -> wasmtime::Result<u64> {
    match outcome {
        Ok(()) => Ok(0),
        Err(Refusal::Number(number)) => Ok(number as u64),
        Err(Refusal::Halt(reason)) => Err(Error::msg(reason)),
    }
}

fn open(guest: &mut Guest<'_, '_>, path: &str, flags: u32) -> wasmtime::Result<u64> {
    let state = guest.state();
    let opened = state.files.open(path, flags, &*state.drive);
    system(opened.map(|number| number as u64))
}

/// The pieces of memory of a vectored read or write.
fn pieces(guest: &Guest<'_, '_>, at: u64, count: u64) -> wasmtime::Result<Vec<(u64, u64)>> {
    let size = guest.pointer_bytes();
    (0..count.min(PIECES_MAX))
        .map(|piece| Ok((guest.pointer(at + piece * 2 * size)?, guest.pointer(at + piece * 2 * size + size)?)))
        .collect()
}

fn read(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let file = number(arguments, 0);
    let mut total = 0;
    for (at, length) in pieces(guest, argument(arguments, 1), argument(arguments, 2))? {
        match take(guest, file, at, length)? {
            Ok(count) => {
                total += count;
                if count < length {
                    break;
                }
            }
            Err(refusal) => return wasi(Err(refusal)),
        }
    }
    guest.put_pointer(argument(arguments, 3), total)?;
    Ok(0)
}

/// Reads on into the memory; how many bytes it was.
fn take(guest: &mut Guest<'_, '_>, file: i32, at: u64, length: u64) -> wasmtime::Result<Result<u64, Refusal>> {
    let length = length.min(READ_BYTES_MAX);
    guest.bytes(at, length)?;
    guest.charge(length)?;
    let state = guest.state();
    match state.files.read(file, length as usize, &*state.drive) {
        Ok(bytes) => {
            guest.write(at, &bytes)?;
            Ok(Ok(bytes.len() as u64))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn write(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let file = number(arguments, 0);
    let mut total = 0;
    for (at, length) in pieces(guest, argument(arguments, 1), argument(arguments, 2))? {
        guest.charge(length)?;
        let bytes = guest.bytes(at, length)?;
        if file != 1 && file != 2 {
            let bytes = bytes.to_vec();
            if let Err(refusal) = guest.state().files.write(file, &bytes) {
                return wasi(Err(refusal));
            }
        }
        total += length;
    }
    guest.put_pointer(argument(arguments, 3), total)?;
    Ok(0)
}

fn seek(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let (offset, whence, to) = match arguments {
        // A number of 64 bits may come in two halves in a module of 32 bits.
        [_, low, high, whence, to] => ((low & 0xffff_ffff | high << 32) as i64, *whence, *to),
        _ => (argument(arguments, 1) as i64, argument(arguments, 2), argument(arguments, 3)),
    };
    match guest.state().files.seek(number(arguments, 0), offset, whence as u32) {
        Ok(position) => {
            guest.put_i64(to, position as i64)?;
            Ok(0)
        }
        Err(refusal) => wasi(Err(refusal)),
    }
}

/// The kind of a file: a terminal for the standard streams, so that they are not buffered for long.
fn status(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let (file, at) = (number(arguments, 0), argument(arguments, 1));
    match guest.state().files.facts_of(file) {
        Ok(facts) => {
            let kind = if file < 3 {
                2
            } else if facts.directory {
                3
            } else {
                4
            };
            guest.bytes_mut(at, 24)?.fill(0);
            guest.write(at, &[kind])?;
            Ok(0)
        }
        Err(refusal) => wasi(Err(refusal)),
    }
}

fn tell(guest: &mut Guest<'_, '_>, path: &str, at: u64) -> wasmtime::Result<u64> {
    let state = guest.state();
    match state.files.facts(path, &*state.drive) {
        Ok(facts) => put_facts(guest, at, facts),
        Err(refusal) => system(Err(refusal)),
    }
}

/// C's `struct stat`. All times are that of the message.
fn put_facts(guest: &mut Guest<'_, '_>, at: u64, facts: Facts) -> wasmtime::Result<u64> {
    let wide = guest.is_wide();
    let now = (guest.state().now_ms / 1000) as i64;
    guest.bytes_mut(at, if wide { 104 } else { 96 })?.fill(0);
    guest.put_i32(at, 1)?;
    guest.put_i32(at + 4, facts.mode())?;
    // A link count of the size of an address moves what follows.
    guest.put_pointer(at + 8, 1)?;
    let (size, block, times) = if wide { (32, 40, 48) } else { (24, 32, 40) };
    guest.put_i64(at + size, facts.length as i64)?;
    guest.put_i32(at + block, 4096)?;
    guest.put_i32(at + block + 4, facts.length.div_ceil(512) as i32)?;
    for time in 0..3 {
        guest.put_i64(at + times + time * 16, now)?;
    }
    Ok(0)
}

/// AO's modules open every file by way of WeaveDrive: a transaction under `/data`, or a file that is there. Anything else
/// is the number 0, "no file".
fn drive_open(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    sleep(guest)?;
    let path = guest.text(argument(arguments, 0))?;
    let mode = guest.text(argument(arguments, 1)).unwrap_or_default();
    if !reads_only(&mode) {
        return Ok(0);
    }
    let state = guest.state();
    match state.files.open(&path, READ_ONLY, &*state.drive) {
        Ok(file) => Ok(file as u64),
        Err(Refusal::Number(_)) => Ok(0),
        Err(Refusal::Halt(reason)) => Err(Error::msg(reason)),
    }
}

fn drive_read(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    sleep(guest)?;
    let (file, at, length) = (number(arguments, 0), argument(arguments, 1), argument(arguments, 2));
    guest.state().files.rewind_if_fresh(file);
    match take(guest, file, at, length)? {
        Ok(count) => Ok(count),
        Err(Refusal::Number(_)) => Ok(0),
        Err(Refusal::Halt(reason)) => Err(Error::msg(reason)),
    }
}

/// What AO's glue does to the heap of a module that waits for WeaveDrive: it takes a place for the stack of the module, and
/// gives it back. Nothing waits here, but what comes after lies at the same addresses only if the heap is the same, and the
/// order of Lua's tables follows from addresses.
fn sleep(guest: &mut Guest<'_, '_>) -> wasmtime::Result<()> {
    let bytes = SLEEPING_BYTES + 3 * guest.pointer_bytes();
    let place = guest.allocate(bytes)?;
    if place == 0 { Ok(()) } else { guest.free(place) }
}
