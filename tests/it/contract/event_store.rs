//! What every event store promises.

mod category;
mod checkpoints;
mod crowd;
mod due;
mod due_changes;
mod facts;
pub mod given;
mod leases;
mod model;
mod parked;
mod replies;
mod restart;
mod versions;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Service;
use infra::event_store::{EventStore, ParkedRows};

use super::cassandra::Cassandra;
use super::embedded::{Embedded, Killed};
use super::postgres::Postgres;

/// The stores of all services on an instance of an adapter: empty at first, shared with nobody,
/// gone when it is dropped.
#[async_trait]
pub trait Stores: Send + Sync + 'static {
    /// The store of a service.
    fn of(&self, service: Service) -> Arc<dyn EventStore>;

    /// Ends the process that has the stores open, and starts another. Handles that were given
    /// out before are of no use any more; the caller has dropped them.
    async fn restart(&mut self);
}

/// Where facts are parked: with a service's store, or with the views.
pub trait Parking: Send + Sync + 'static {
    /// A handle of it.
    fn parking(&self) -> Arc<dyn ParkedRows>;
}

impl<S: Stores> Parking for S {
    fn parking(&self) -> Arc<dyn ParkedRows> {
        self.of(Service::Payment)
    }
}

macro_rules! event_store_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            facts:
                an_empty_store_has_nothing,
                appended_facts_are_read_back_byte_for_byte_in_order,
                streams_whose_ids_look_alike_are_kept_apart,
                a_stream_is_read_after_a_sequence_and_up_to_a_limit,
                the_log_is_read_after_a_position_and_up_to_a_limit,
                the_last_fact_of_a_stream_is_that_with_the_highest_sequence,
                a_fact_of_the_largest_size_is_kept_and_a_larger_one_is_invalid,
                what_no_store_could_keep_is_invalid_and_changes_nothing,
                services_share_nothing,
                changes_wake_whoever_waits_for_facts_or_tasks;
            category:
                a_category_is_read_page_by_page_by_stream_and_sequence,
                a_category_is_read_behind_a_fact_whether_it_is_there_or_not,
                a_category_of_which_there_is_nothing_is_empty;
            versions:
                a_version_below_or_above_that_of_the_stream_is_refused,
                a_stream_without_facts_is_at_version_0,
                a_stream_that_is_only_expected_is_checked,
                an_append_over_several_streams_is_refused_as_a_whole,
                a_version_past_all_numbers_is_refused_and_harms_nobody;
            crowd:
                of_many_appends_at_one_version_exactly_one_is_accepted,
                a_refused_request_does_not_touch_its_neighbours,
                of_many_looks_at_once_each_finds_its_own_stream,
                every_acknowledged_append_of_a_crowd_is_there_exactly_once,
                a_reader_that_follows_the_log_misses_nothing_while_64_append,
                an_append_that_nobody_waits_for_is_there_as_a_whole_or_not_at_all,
                a_flood_is_appended_or_refused_as_overload_and_loses_nothing;
            replies:
                a_reply_is_kept_as_it_was_given,
                a_used_key_gives_the_first_reply_and_appends_nothing,
                a_used_key_is_told_before_a_stale_version,
                a_key_in_another_scope_is_another_key,
                of_many_appends_with_one_key_exactly_one_is_accepted,
                a_refused_append_stores_no_reply,
                a_reply_may_be_stored_without_facts,
                scopes_and_keys_with_nul_bytes_are_invalid,
                purging_removes_older_replies_only;
            due:
                a_task_opened_with_facts_is_there_as_it_was_given,
                a_task_is_not_due_before_its_time,
                tasks_that_are_due_come_longest_waiting_first_up_to_a_limit,
                busy_tasks_are_passed_over_and_use_up_no_limit,
                the_next_time_is_the_earliest_later_one,
                the_tasks_of_an_order_are_those_of_no_other,
                tasks_are_counted_by_their_kind_and_those_that_are_parked_are_never_overdue,
                tasks_in_trouble_are_the_parked_and_the_failed;
            due_changes:
                a_task_is_settled_in_the_transaction_of_facts,
                a_refused_append_neither_opens_nor_settles,
                opening_an_open_task_keeps_the_first,
                a_task_opened_twice_in_one_request_is_the_first,
                a_task_settled_and_opened_in_one_request_is_open_anew,
                a_settled_task_may_be_opened_again,
                settling_what_is_not_open_does_nothing,
                a_task_put_back_has_its_new_time_and_problem,
                a_parked_task_is_not_due_until_it_is_put_back_unparked,
                a_settled_task_is_not_put_back,
                a_task_settled_and_put_back_at_once_is_settled,
                a_crowd_that_opens_and_settles_leaves_what_it_did_not_settle,
                a_task_that_moves_is_never_due_while_parked_or_too_early;
            leases:
                a_lease_has_one_holder,
                a_renewed_lease_keeps_its_epoch_and_lasts_longer,
                an_expired_lease_goes_to_another_with_a_higher_epoch,
                a_lease_that_is_given_back_is_free_at_once,
                only_its_holder_gives_a_lease_back,
                epochs_grow_with_every_change_of_holder,
                leases_of_two_names_are_two,
                of_many_who_want_a_free_lease_one_gets_it;
            checkpoints:
                a_checkpoint_is_what_was_last_set,
                checkpoints_of_two_names_are_two,
                a_fenced_checkpoint_is_set_by_the_holder_of_the_lease,
                a_fenced_checkpoint_is_refused_once_another_has_the_lease,
                a_checkpoint_behind_a_lease_that_nobody_ever_had_is_refused;
            model:
                any_sequence_of_requests_does_what_the_model_does;
        }
    };
}

macro_rules! parked_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            parked:
                a_parked_fact_is_kept_as_it_was_given,
                parking_a_fact_again_changes_nothing,
                parked_facts_come_by_topic_key_and_offset_up_to_a_limit,
                parked_facts_of_one_key_are_found_among_others,
                of_the_keys_asked_for_those_with_open_rows_are_told,
                the_first_open_row_of_each_key_is_its_head,
                open_rows_are_read_page_by_page,
                a_row_that_another_changed_is_not_replaced,
                of_many_who_change_a_row_at_once_one_does,
                an_ended_fact_stays_on_record_until_it_is_purged,
                what_was_replaced_is_never_purged,
                what_was_given_up_stays_given_up_when_it_comes_again,
                a_fact_that_was_taken_and_fails_when_it_comes_again_is_parked_anew,
                parked_facts_of_two_groups_are_apart,
                ending_a_parked_fact_ends_that_one_only;
        }
    };
}

macro_rules! restart_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            restart:
                facts_are_there_after_a_restart_and_positions_go_on,
                replies_are_there_after_a_restart_and_their_keys_are_used,
                tasks_are_there_after_a_restart_with_their_times,
                parked_facts_and_checkpoints_are_there_after_a_restart,
                epochs_go_on_after_a_restart,
                a_store_survives_many_restarts;
        }
    };
}

event_store_contract!(embedded, Embedded::start);
parked_contract!(embedded_parked, Embedded::start);
restart_contract!(embedded_restarted, Embedded::start);
restart_contract!(embedded_killed, Killed::start);
event_store_contract!(postgres, if_there Postgres::start);
parked_contract!(postgres_parked, if_there Postgres::start);
restart_contract!(postgres_restarted, if_there Postgres::start);
parked_contract!(cassandra_parked, if_there Cassandra::start);
