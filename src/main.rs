//! The executable: see [`waybill::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

// Of those that were tried, it keeps the least that nobody uses (decision 0017).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    waybill::cli::run()
}
