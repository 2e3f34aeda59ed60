//! The twelve checks, each a function of a world.

mod i10_replies;
mod i11_generations;
mod i12_reads;
mod i1_commands;
mod i2_causes;
mod i3_topics;
mod i4_money;
mod i5_stock;
mod i6_ends;
mod i7_views;
mod i8_offsets;
mod i9_dead_letters;

use crate::{Case, Report, World};

pub use i1_commands::commands;
pub use i2_causes::causes;
pub use i3_topics::topics;
pub use i4_money::money;
pub use i5_stock::stock;
pub use i6_ends::ends;
pub use i7_views::views;
pub use i8_offsets::offsets;
pub use i9_dead_letters::dead_letters;
pub use i10_replies::replies;
pub use i11_generations::generations;
pub use i12_reads::reads;

/// Runs all checks.
pub fn audit(world: &World) -> Report {
    let case = Case::of(world);
    let checks = [
        commands,
        causes,
        topics,
        money,
        stock,
        ends,
        views,
        offsets,
        dead_letters,
        replies,
        generations,
        reads,
    ];
    Report {
        checks: checks.into_iter().map(|check| check(&case)).collect(),
    }
}
