//! The whole program from outside: the real binary, real nodes, real models.

mod bad_input;
mod binary;
mod command_line;
mod crash;
mod demo;
mod real_data;
