//! Time of sumchecks per cell.

fn main() {}
