//! aobench
fn main(){}
