//! What every view store promises: rows and cells on the table of the order view, partitions on
//! those of the other views.

pub mod given;
mod listing;
mod merging;
mod restart;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use infra::view_store::ViewStore;

use super::cassandra::Cassandra;
use super::embedded::Embedded;

/// An empty view store, shared with nobody.
#[async_trait]
pub trait Views: Send + Sync + 'static {
    /// A handle of it.
    fn views(&self) -> Arc<dyn ViewStore>;

    /// Ends the process that has it open, and starts another. The caller has dropped its
    /// handles.
    async fn restart(&mut self);
}

macro_rules! view_store_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            rows:
                a_row_that_nobody_wrote_is_none,
                a_row_has_the_cells_that_were_written_and_no_others,
                a_row_without_cells_is_none,
                every_kind_of_value_is_read_as_it_was_written,
                a_time_is_kept_to_the_microsecond,
                many_rows_are_written_at_once,
                what_was_applied_is_seen_at_once,
                tables_of_two_names_are_two,
                making_a_table_again_keeps_its_rows,
                changes_wake_whoever_waits_for_a_row;
            merging:
                a_cell_gives_way_to_a_higher_stamp_only,
                of_two_cells_with_one_stamp_the_larger_value_stays,
                cells_of_a_row_have_stamps_of_their_own,
                a_row_that_is_given_twice_at_once_is_merged,
                writes_at_once_lose_no_cell,
                writes_in_any_order_and_repeated_end_in_one_row;
            listing:
                a_partition_that_nobody_wrote_has_no_rows,
                the_orders_of_a_customer_come_newest_first_and_backwards_oldest_first,
                a_slice_begins_behind_its_row_and_has_as_many_rows_as_asked_for,
                a_partition_has_its_own_rows_only,
                a_listed_row_has_the_cells_that_are_read_of_it_alone,
                no_slice_has_more_rows_than_the_port_allows,
                a_timeline_comes_by_time_then_stream_then_sequence,
                rows_that_come_while_others_are_read_are_where_they_belong;
            restart:
                rows_and_their_stamps_are_there_after_a_restart;
        }
    };
}

view_store_contract!(embedded, Embedded::start);
view_store_contract!(cassandra, if_there Cassandra::start);
