//! The engine in a sandboxed child process. This program is both parent and child.
fn main() {}
