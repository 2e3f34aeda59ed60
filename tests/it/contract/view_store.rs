//! What every view store promises: rows and cells on the table of the order view, partitions on
//! those of the other views.

mod generations;
pub mod given;
mod listing;
mod merging;
mod restart;
mod rows;
mod scanning;
mod tables;

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
            scanning:
                a_table_without_rows_has_nothing_to_scan,
                a_scan_meets_each_row_once,
                rows_that_come_during_a_scan_do_not_disturb_it,
                a_scan_goes_on_where_another_process_has_left_it,
                stamps_are_told_with_their_values;
            tables:
                a_table_that_is_made_again_after_its_removal_is_empty,
                a_table_is_made_and_removed_twice_as_once,
                removing_a_table_leaves_others_alone,
                who_uses_a_table_while_it_is_removed_is_told_or_sees_nothing;
            generations:
                a_view_has_no_generations_until_they_are_said,
                generations_are_replaced_by_who_has_seen_them_as_they_are,
                of_many_who_replace_generations_at_once_one_does,
                generations_of_two_views_are_apart;
            restart:
                rows_and_their_stamps_are_there_after_a_restart,
                generations_are_there_after_a_restart,
                a_table_made_anew_keeps_its_rows_and_a_removed_one_stays_removed_over_restarts,
                a_table_made_after_one_without_rows_was_removed_is_there_after_a_restart;
        }
    };
}

view_store_contract!(embedded, Embedded::start);
view_store_contract!(cassandra, if_there Cassandra::start);
